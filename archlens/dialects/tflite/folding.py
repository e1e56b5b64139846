"""Whole numbers that follow from sizes and constants: what a converter leaves of arithmetic with shapes."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ...lowering.numbers import ALL, MOST, Numbers, each, gathered, whole
from .reading import Operator

#: What is computed value by value and of all values, by its name here and as torch calls it.
_EACH = {
    "ADD": "add", "SUB": "sub", "MUL": "mul", "DIV": "div", "FLOOR_DIV": "floor_divide",
    "FLOOR_MOD": "remainder", "MAXIMUM": "maximum", "MINIMUM": "minimum",
}  # fmt: skip
_ALL = {"REDUCE_PROD": "prod", "SUM": "sum", "REDUCE_MAX": "amax", "REDUCE_MIN": "amin"}

_SAME = ("CAST", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "QUANTIZE", "DEQUANTIZE")

#: The operators whose results are computed where all that they read is known.
FOLDED = frozenset(
    {"PACK", "CONCATENATION", "STRIDED_SLICE", "GATHER", "FILL", "RANGE", *_EACH, *_SAME, *_ALL}
)


def folded(operator: Operator, read: Sequence[Numbers], dtype: str) -> Sequence[float] | None:
    """What an operator makes of numbers in a row, or of one; ``None`` where that is not worked out.

    Args:
        operator: one of :data:`FOLDED`.
        read: what each of its inputs holds.
        dtype: of its output.

    Raises:
        ValueError: it cannot take these.
    """
    kind = operator.kind
    if kind in _EACH:
        found = each(_EACH[kind], *read)
        if found is None:
            raise ValueError("they do not go together")
        return found.values
    first = read[0].values
    if kind in _SAME:
        return [*map(whole, first)] if dtype.startswith("int") else first
    if kind in _ALL:
        return [ALL[_ALL[kind]](first)]
    if kind in ("PACK", "CONCATENATION"):
        return [n for one in read for n in one.values][:MOST]
    if kind == "GATHER":
        return gathered(read[0], read[1], 0).values
    if kind == "FILL":
        count = prod(first)
        return [*read[1].values] * count if 0 <= count <= MOST else None
    if kind == "RANGE":
        counted = range(*(one.values[0] for one in read))
        return counted if len(counted) <= MOST else None
    (begin,), (end,), (step,) = (one.values for one in read[1:])
    masks = operator.options.get(0, "i"), operator.options.get(1, "i"), operator.options.get(4, "i")
    if masks[2]:
        return [first[begin]]
    return first[slice(None if masks[0] else begin, None if masks[1] else end, step)]
