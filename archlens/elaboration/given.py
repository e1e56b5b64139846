"""Inputs and values for params as people write them outside of a spec: ``[INPUT=]CxHxW``, ``PARAM=VALUE``."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import shorten, usage


def read_values(texts: Sequence[str], option: str) -> dict[str, str]:
    """Values for params, by name; ``option`` is what messages call that which gave them.

    Raises:
        UsageError: one has no value, or a param is given twice.
    """
    values: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key.strip():
            raise usage(f"{option} {shorten(text)} has no value", help=f"as in {option} alpha=0.5")
        if key.strip() in values:
            raise usage(f"{option} gives {shorten(key.strip())} twice")
        values[key.strip()] = value
    return values


def read_inputs(texts: Sequence[str], option: str) -> str | dict[str, str] | None:
    """The shape of the only input, shapes of inputs by name, or ``None`` where none is given.

    Raises:
        UsageError: one of several does not say which input it is of, or an input is given twice.
    """
    if not texts:
        return None
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    shapes: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator:
            raise usage(
                f"{option} {shorten(text)} does not say which input is meant",
                help=f"as in {option} image=3x224x224; with one input, once is enough",
            )
        if key in shapes:
            raise usage(f"{option} gives {shorten(key)} twice")
        shapes[key] = value
    return shapes
