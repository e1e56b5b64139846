"""The functions of the language: each checks what it is given, and is bounded."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import formulas
from .values import MAX_ITEMS, NUMBERS, WHOLE, describe


class Misuse(Exception):
    """A function is given what it does not take; the text says what it takes."""


def _numbers(*values: Any) -> None:
    for value in values:
        if not isinstance(value, NUMBERS):
            raise Misuse(f"it takes numbers, not {describe(value)}")


def _whole(*values: Any) -> None:
    for value in values:
        if not isinstance(value, WHOLE):
            raise Misuse(f"it takes whole numbers, not {describe(value)}")


def _several(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The numbers that ``min`` and ``max`` choose from: several arguments, or one list."""
    listed = values[0] if len(values) == 1 and isinstance(values[0], tuple) else values
    if not listed:
        raise Misuse("it takes at least one number")
    _numbers(*listed)
    return listed


def _min(*values: Any) -> Any:
    return formulas.least(_several(values))


def _max(*values: Any) -> Any:
    return formulas.greatest(_several(values))


def _sum(values: Any, /) -> Any:
    if not isinstance(values, tuple):
        raise Misuse(f"it takes a list, not {describe(values)}")
    _numbers(*values)
    return sum(values)


def _ceil(value: float, /) -> int:
    _numbers(value)
    return math.ceil(value)


def _floor(value: float, /) -> int:
    _numbers(value)
    return math.floor(value)


def _divisible(value: Any, divisor: Any = 8, minimum: Any = None) -> int:
    _numbers(value)
    _whole(divisor, *(() if minimum is None else (minimum,)))
    if divisor < 1:
        raise Misuse(f"the divisor is at least 1, not {divisor}")
    return divisible(value, divisor, minimum)


def divisible(value: float, divisor: int = 8, minimum: int | None = None) -> int:
    """The multiple of ``divisor`` nearest to ``value``, but never below nine tenths of it.

    It is how MobileNetV2 and its successors round channel numbers. Source: tensorflow/models,
    ``research/slim/nets/mobilenet/mobilenet.py``, ``_make_divisible``.

    >>> divisible(32 * 0.75), divisible(16 * 0.35), divisible(11)
    (24, 8, 16)
    """
    least = divisor if minimum is None else minimum
    rounded = formulas.greatest([least, formulas.truncated(value + divisor / 2) // divisor * divisor])
    return rounded + divisor * formulas.below(rounded, 0.9 * value)  # type: ignore[no-any-return]


def _range(*bounds: Any) -> tuple[int, ...]:
    _whole(*bounds)
    if len(bounds) == 3 and bounds[2] == 0:
        raise Misuse("its step cannot be 0")
    numbers = range(*bounds)
    # len() of a range stops at the largest index that the machine has
    items = max(0, -((numbers.start - numbers.stop) // numbers.step))
    if items > MAX_ITEMS:
        raise Misuse(f"it has {items:,} items, more than the {MAX_ITEMS:,} allowed")
    return tuple(numbers)


def _round(value: float, digits: int | None = None) -> float:
    _numbers(value)
    if digits is None:
        return round(value)
    _whole(digits)
    if not -100 <= digits <= 100:
        raise Misuse("digits go from -100 to 100")
    return round(value, digits)


def _int(value: Any, /) -> Any:
    _numbers(value)
    return formulas.truncated(value)


def _length(value: Any, /) -> int:
    if not isinstance(value, tuple):
        raise Misuse(f"it takes a list, not {describe(value)}")
    return len(value)


#: The functions of the language, each with how it is written.
FUNCTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "min": (_min, "min(a, b, ...) or min(list)"),
    "max": (_max, "max(a, b, ...) or max(list)"),
    "round": (_round, "round(number) or round(number, digits)"),
    "ceil": (_ceil, "ceil(number)"),
    "floor": (_floor, "floor(number)"),
    "int": (_int, "int(number)"),
    "len": (_length, "len(list)"),
    "sum": (_sum, "sum(list)"),
    "range": (_range, "range(stop), range(start, stop) or range(start, stop, step)"),
    "divisible": (_divisible, "divisible(number, divisor=8, minimum=none)"),
}
