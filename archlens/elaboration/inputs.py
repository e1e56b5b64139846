"""Inputs as people write them: ``3x224x224``, ``50x80 channels_last``, ``77 of 49408``, a tuple; by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from math import isfinite
from typing import Any

from ..bounds import MAX_SIZE
from ..errors import did_you_mean, shorten, usage
from ..formulas import Number
from ..language.spec import Spec
from ..shape import AXIS_NAMES, ChannelsLast, Ids, Shape
from .values import MAX_BITS


def read_shape(text: str) -> Shape | None:
    """A shape written as ``3x224x224``, or that of ids as ``77 of 49408``; ``None`` where it is none.

    >>> read_shape("3x224x224"), read_shape("50x80 channels_last"), read_shape("77 of 49408")
    (Shape((3, 224, 224)), ChannelsLast((50, 80)), Ids((77,), 49408))
    """
    words = text.lower().replace("×", "x").split()
    if words[-1:] == [CHANNELS_LAST]:
        turned = read_shape(" ".join(words[:-1]))
        return None if turned is None or type(turned) is not Shape else _turned(turned)
    sizes, bound = (words[:-2], words[-1:]) if words[-2:-1] == ["of"] else (words, [])
    numbers = [*" ".join(sizes).split("x"), *bound]
    if not all(number.strip().isascii() and number.strip().isdigit() for number in numbers):
        return None
    if any(len(number) > _DIGITS for number in numbers):
        return None
    found = [int(number) for number in numbers]
    return _checked_ids(found[:-1], found[-1]) if bound else _checked(found)


#: What stands after the sizes of an input whose last axis are the channels.
CHANNELS_LAST = "channels_last"

#: How long a number is read, whatever it is worth.
_DIGITS = 19

SHAPE_HELP = (
    "as in 3x224x224: one to four whole numbers from 1 to 10^9, channels first, no batch; "
    "or 50x80 channels_last; or 77 of 49408 for ids"
)


def _checked(sizes: Iterable[Any]) -> Shape | None:
    listed = list(sizes)
    plain = [size for size in listed if not isinstance(size, Number)]
    if not all(type(size) is int and 1 <= size <= MAX_SIZE for size in plain):
        return None
    if isinstance(sizes, Ids | ChannelsLast):
        return sizes
    return Shape(listed) if len(listed) - 1 in AXIS_NAMES else None


def _turned(shape: Shape) -> Shape:
    """The same sizes, the last of which are the channels; a flat vector is either."""
    return ChannelsLast(shape) if len(shape) > 1 else shape


def _checked_ids(sizes: list[int], below: int) -> Shape | None:
    return Ids(sizes, below) if _checked(sizes) is not None and 1 <= below <= MAX_SIZE else None


def has_letters(text: str) -> bool:
    """Whether a text for an input has letters in the place of sizes: ``3xHxW``."""
    parts = text.replace("×", "x").removesuffix(CHANNELS_LAST).partition(" of ")[0].strip().split("x")
    return any(len(part) == 1 and part.isascii() and part.isalpha() for part in parts)


def numbered(text: str, size: int = 224) -> str:
    """A text for an input with a size for each letter, on which formulas begin.

    >>> numbered("x=3xHxW"), numbered("L of 1000")
    ('x=3x224x224', '224 of 1000')
    """
    name, equals, shape = text.rpartition("=")
    return name + equals + re.sub(r"(?:^|(?<=[x×]))[A-Za-wyz](?=$|[x×\s])", str(size), shape)


def like(shape: Shape, declared: Shape | None) -> Shape:
    """A shape that was given for an input, with what its declaration says beside sizes: a bound, a layout."""
    if isinstance(declared, Ids) and not isinstance(shape, Ids):
        return declared.with_spatial(shape)
    if isinstance(declared, ChannelsLast) and type(shape) is Shape:
        return _turned(shape)
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
            if isinstance(value, str) and has_letters(value):
                raise usage(
                    f"{shorten(value)} has letters, but an input has numbers here",
                    help=(
                        "archlens shapes, explain, sizes, cost and memory take letters, and print formulas"
                    ),
                )
            raise usage(f"{shorten(shown)} is not an input shape", help=SHAPE_HELP)
        shapes[name] = like(shape, known.get(name)) if isinstance(known, Mapping) else shape
    return shapes


def usable(value: Any) -> bool:
    """Whether a value from Python is a number such as an expression may have."""
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and value.bit_length() <= MAX_BITS
