"""Inputs as people write them: ``3x224x224``, ``77 of 49408``, a tuple, or a mapping of names to these."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import isfinite
from typing import Any

from ..bounds import MAX_SIZE
from ..errors import did_you_mean, shorten, usage
from ..language.spec import Spec
from ..shape import AXIS_NAMES, Ids, Shape
from .values import MAX_BITS


def read_shape(text: str) -> Shape | None:
    """A shape written as ``3x224x224``, or that of ids as ``77 of 49408``; ``None`` where it is none.

    >>> read_shape("3x224x224"), read_shape("77 of 49408")
    (Shape((3, 224, 224)), Ids((77,), 49408))
    """
    words = text.lower().replace("×", "x").split()
    sizes, bound = (words[:-2], words[-1:]) if words[-2:-1] == ["of"] else (words, [])
    numbers = [*" ".join(sizes).split("x"), *bound]
    if not all(number.strip().isascii() and number.strip().isdigit() for number in numbers):
        return None
    if any(len(number) > _DIGITS for number in numbers):
        return None
    found = [int(number) for number in numbers]
    return _checked_ids(found[:-1], found[-1]) if bound else _checked(found)


#: How long a number is read, whatever it is worth.
_DIGITS = 19

SHAPE_HELP = (
    "as in 3x224x224: one to four whole numbers from 1 to 10^9, channels first, no batch; "
    "or 77 of 49408 for ids"
)


def _checked(sizes: Iterable[Any]) -> Shape | None:
    listed = list(sizes)
    if not all(type(size) is int and 1 <= size <= MAX_SIZE for size in listed):
        return None
    if isinstance(sizes, Ids):
        return sizes
    return Shape(listed) if len(listed) - 1 in AXIS_NAMES else None


def _checked_ids(sizes: list[int], below: int) -> Shape | None:
    return Ids(sizes, below) if _checked(sizes) is not None and 1 <= below <= MAX_SIZE else None


def like(shape: Shape, declared: Shape | None) -> Shape:
    """A shape that was given for an input: where that is declared as ids it has their bound, or its own."""
    if isinstance(declared, Ids) and not isinstance(shape, Ids):
        return declared.with_spatial(shape)
    return shape


def given_inputs(spec: Spec, given: Any) -> dict[str, Shape]:
    """The input shapes that the caller gave, by name."""
    return read_given(given, list(spec.inputs), spec.name)


def read_given(given: Any, known: Collection[str] | None, network: str) -> dict[str, Shape]:
    """Input shapes by name: a shape alone is that of the only input.

    Args:
        given: a shape, a mapping of names to shapes, or ``None``.
        known: the names that inputs have, or their shapes by name; ``None`` where they may have any.
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
        shapes[name] = like(shape, known.get(name)) if isinstance(known, Mapping) else shape
    return shapes


def usable(value: Any) -> bool:
    """Whether a value from Python is a number such as an expression may have."""
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and value.bit_length() <= MAX_BITS
