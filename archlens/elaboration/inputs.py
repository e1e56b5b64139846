"""Input shapes as people write them: ``3x224x224``, a tuple, or a mapping of names to either."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import isfinite
from typing import Any

from ..bounds import MAX_SIZE
from ..errors import did_you_mean, shorten, usage
from ..language.spec import Spec
from ..shape import AXIS_NAMES, Shape
from .values import MAX_BITS


def read_shape(text: str) -> Shape | None:
    """A shape written as ``3x224x224``; ``None`` where it is none."""
    sizes = text.lower().replace("×", "x").split("x")
    if not all(size.strip().isascii() and size.strip().isdigit() and len(size) < 20 for size in sizes):
        return None
    return _checked(int(size) for size in sizes)


SHAPE_HELP = "as in 3x224x224: one to four whole numbers from 1 to 10^9, channels first, no batch"


def _checked(sizes: Iterable[Any]) -> Shape | None:
    listed = list(sizes)
    if not all(type(size) is int and 1 <= size <= MAX_SIZE for size in listed):
        return None
    return Shape(listed) if len(listed) - 1 in AXIS_NAMES else None


def given_inputs(spec: Spec, given: Any) -> dict[str, Shape]:
    """The input shapes that the caller gave, by name."""
    return read_given(given, spec.inputs, spec.name)


def read_given(given: Any, known: Collection[str] | None, network: str) -> dict[str, Shape]:
    """Input shapes by name: a shape alone is that of the only input.

    Args:
        given: a shape, a mapping of names to shapes, or ``None``.
        known: the names that inputs have; ``None`` where they may have any.
        network: what messages call the network.

    Raises:
        UsageError: there is no such input, or that is no shape.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        if known is not None and len(known) > 1:
            raise usage(
                f"{network} has several inputs",
                help=f"name the one that is meant: {', '.join(f'{name}=CxHxW' for name in known)}",
            )
        given = {next(iter(known)) if known else "input": given}
    shapes = {}
    for name, value in given.items():
        if known is not None and name not in known:
            raise usage(
                f"{network} has no input {shorten(str(name))}",
                help=did_you_mean(str(name), known, otherwise=f"its inputs: {', '.join(known)}"),
            )
        try:
            shape = read_shape(value) if isinstance(value, str) else _checked(value)
        except TypeError:
            shape = None
        if shape is None:
            shown = value if isinstance(value, str) else f"an input of type {type(value).__name__}"
            if isinstance(value, list | tuple) and all(map(usable, value)):
                shown = str(value)
            raise usage(f"{shorten(shown)} is not an input shape", help=SHAPE_HELP)
        shapes[name] = shape
    return shapes


def usable(value: Any) -> bool:
    """Whether a value from Python is a number such as an expression may have."""
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and value.bit_length() <= MAX_BITS
