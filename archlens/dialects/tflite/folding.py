"""Whole numbers that follow from sizes and constants: what a converter leaves of arithmetic with shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from .reading import Operator

#: The most numbers that are computed at once.
_MOST = 4096

Numbers = Sequence[Any]

_PAIRS: dict[str, Callable[[Any, Any], Any]] = {
    "ADD": lambda a, b: a + b,
    "SUB": lambda a, b: a - b,
    "MUL": lambda a, b: a * b,
    "DIV": lambda a, b: int(a / b) if type(a) is int and type(b) is int else a / b,
    "FLOOR_DIV": lambda a, b: a // b,
    "FLOOR_MOD": lambda a, b: a % b,
    "MAXIMUM": max,
    "MINIMUM": min,
}

_SAME = ("CAST", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "DEQUANTIZE")

_ALL: dict[str, Callable[[Numbers], Any]] = {
    "REDUCE_PROD": prod,
    "SUM": sum,
    "REDUCE_MAX": max,
    "REDUCE_MIN": min,
}

#: The operators whose results are computed where all that they read is known.
FOLDED = frozenset(
    {"PACK", "CONCATENATION", "STRIDED_SLICE", "GATHER", "FILL", "RANGE", *_PAIRS, *_SAME, *_ALL}
)


def folded(operator: Operator, read: Sequence[Numbers], types: Sequence[str]) -> Numbers | None:
    """What an operator makes of numbers in a row, or of one; ``None`` where that is not worked out.

    Args:
        operator: one of :data:`FOLDED`.
        read: what each of its inputs holds.
        types: of its inputs and of its output.

    Raises:
        ValueError: it cannot take these.
    """
    kind = operator.kind
    if kind in _PAIRS:
        a, b = read
        count = max(len(a), len(b))
        a, b = (list(one) * count if len(one) == 1 else one for one in (a, b))
        return [_PAIRS[kind](n, m) for n, m in zip(a, b, strict=True)]
    if kind in _SAME:
        return [int(n) for n in read[0]] if types[-1].startswith("int") else read[0]
    if kind in _ALL:
        return [_ALL[kind](read[0])]
    if kind in ("PACK", "CONCATENATION"):
        return [n for one in read for n in one][:_MOST]
    if kind == "GATHER":
        return [read[0][n] for n in read[1]]
    if kind == "FILL":
        count = prod(read[0])
        return list(read[1]) * count if 0 <= count <= _MOST else None
    if kind == "RANGE":
        found = range(*(one[0] for one in read))
        return found if len(found) <= _MOST else None
    (begin,), (end,), (step,) = read[1:]
    masks = operator.options.get(0, "i"), operator.options.get(1, "i"), operator.options.get(4, "i")
    if masks[2]:
        return [read[0][begin]]
    return read[0][slice(None if masks[0] else begin, None if masks[1] else end, step)]
