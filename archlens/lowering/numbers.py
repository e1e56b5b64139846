"""Arithmetic on numbers that are known: sizes, axes, indices and masks, value by value and as they lie."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from ..shape import broadcast

#: The most numbers that are computed at once.
MOST = 4096


class Numbers(NamedTuple):
    """Numbers as they lie in a tensor."""

    sizes: tuple[int, ...]
    #: In row-major order.
    values: Sequence[Any]


def _divided(a: Any, b: Any) -> Any:
    """Whole numbers are divided towards zero, as C does; real ones by zero, as IEEE 754 says."""
    if isinstance(a, int) and isinstance(b, int):
        found = abs(a) // abs(b)
        return found if (a < 0) == (b < 0) else -found
    if b == 0:
        return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1, b)
    return a / b


def _power(a: Any, b: Any) -> Any:
    if abs(a) > 10**9 or abs(b) > 64:
        raise ValueError(f"{a} to the power of {b} is out of range")
    if a == 0 and b < 0:
        return _divided(1.0, a**-b)
    found = a**b
    return math.nan if isinstance(found, complex) else found


def _remainder(a: Any, b: Any) -> Any:
    """What a division towards the lower number leaves, with the sign of the divisor."""
    return math.nan if b == 0 and isinstance(a, float) else a % b


def _truncated(a: Any, b: Any) -> Any:
    """What a division towards zero leaves, with the sign of what is divided."""
    if isinstance(a, int) and isinstance(b, int):
        return a - b * _divided(a, b)
    return math.fmod(a, b) if b and math.isfinite(a) else math.nan


def _chosen(which: Callable[[Iterable[Any]], Any], values: Sequence[Any]) -> Any:
    return math.nan if any(one != one for one in values) else which(values)


def _logarithm(a: float) -> float:
    return math.log(a) if a > 0 else -math.inf if a == 0 else math.nan


def _exponential(a: float) -> float:
    try:
        return math.exp(a)
    except OverflowError:
        return math.inf


def _whole(function: Callable[[float], int]) -> Callable[[Any], Any]:
    """A rounding, which leaves what is not finite as it is."""
    return lambda a: function(a) if math.isfinite(a) else a


def whole(value: Any) -> int:
    """A value as a whole number; what is not finite is the least, as x86 has it (C leaves it open)."""
    return int(value) if math.isfinite(value) else -(2**63)


#: What each operator computes of a value, or of one of each that it reads, by torch's names.
EACH: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": _divided,
    "floor_divide": lambda a, b: a // b if b or isinstance(a, int) else _divided(a, b),
    "pow": _power,
    "remainder": _remainder,
    "fmod": _truncated,
    "maximum": lambda *a: _chosen(max, a),
    "minimum": lambda *a: _chosen(min, a),
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "gt": operator.gt,
    "le": operator.le,
    "ge": operator.ge,
    "logical_and": lambda a, b: bool(a) and bool(b),
    "logical_or": lambda a, b: bool(a) or bool(b),
    "logical_not": operator.not_,
    "where": lambda c, a, b: a if c else b,
    "neg": operator.neg,
    "abs": abs,
    "floor": _whole(math.floor),
    "ceil": _whole(math.ceil),
    "sqrt": lambda a: math.sqrt(a) if a >= 0 else math.nan,
    "reciprocal": lambda a: _divided(1.0, a),
    "exp": _exponential,
    "log": _logarithm,
    "sign": lambda a: (a > 0) - (a < 0),
}

#: What is computed of all values together.
ALL: Mapping[str, Callable[[Iterable[Any]], Any]] = {"prod": prod, "sum": sum, "amax": max, "amin": min}


def each(name: str, *read: Numbers) -> Numbers | None:
    """What is computed value by value; ``None`` where that is of too many, or they do not go together."""
    sizes = broadcast([one.sizes for one in read])
    if sizes is None or prod(sizes) > MOST:
        return None
    rows = zip(*(spread(one, sizes).values for one in read), strict=True)
    return Numbers(sizes, [EACH[name](*row) for row in rows])


def spread(x: Numbers, sizes: Sequence[int]) -> Numbers:
    """A tensor broadcast to other sizes."""
    if x.sizes == tuple(sizes):
        return x
    own = (1,) * (len(sizes) - len(x.sizes)) + x.sizes
    steps = [0 if n == 1 else step for n, step in zip(own, steps_of(own), strict=True)]
    places = product(*map(range, sizes))
    return Numbers(tuple(sizes), [x.values[sum(map(operator.mul, at, steps))] for at in places])


def picked(x: Numbers, places: Sequence[Sequence[int]]) -> Numbers:
    """The values at some places of each axis."""
    steps = steps_of(x.sizes)
    found = [x.values[sum(map(operator.mul, at, steps))] for at in product(*places)]
    return Numbers(tuple(map(len, places)), found)


def permuted(x: Numbers, dims: Sequence[int]) -> Numbers:
    """The axes in another order."""
    steps = steps_of(x.sizes)
    sizes = tuple(x.sizes[i] for i in dims)
    own = [steps[i] for i in dims]
    return Numbers(sizes, [x.values[sum(map(operator.mul, at, own))] for at in product(*map(range, sizes))])


def joined(read: Sequence[Numbers], dim: int) -> Numbers:
    """Tensors one behind the other along an axis, in which alone their sizes differ."""
    first = read[0].sizes
    found: list[Any] = []
    for outer in range(prod(first[:dim])):
        for one in read:
            step = prod(one.sizes[dim:])
            found += one.values[outer * step : (outer + 1) * step]
    return Numbers((*first[:dim], sum(one.sizes[dim] for one in read), *first[dim + 1 :]), found)


def gathered(x: Numbers, indices: Numbers, dim: int) -> Numbers:
    """The values at some indices of an axis, counted from its end where they are negative.

    Raises:
        IndexError: there is no such place.
    """
    size = x.sizes[dim]
    if any(not -size <= one < size for one in indices.values):
        raise IndexError(f"an index is not within {size}")
    places: list[Sequence[int]] = [range(n) for n in x.sizes]
    places[dim] = [one % size for one in indices.values]
    return Numbers((*x.sizes[:dim], *indices.sizes, *x.sizes[dim + 1 :]), picked(x, places).values)


def steps_of(sizes: Sequence[int]) -> list[int]:
    """How far apart neighbours along each axis lie."""
    return [prod(sizes[i + 1 :]) for i in range(len(sizes))]
