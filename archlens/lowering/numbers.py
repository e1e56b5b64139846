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
    """Whole numbers are divided towards zero, as C does."""
    if isinstance(a, int) and isinstance(b, int):
        found = abs(a) // abs(b)
        return found if (a < 0) == (b < 0) else -found
    return a / b


def _power(a: Any, b: Any) -> Any:
    if abs(a) > 10**9 or abs(b) > 64:
        raise ValueError(f"{a} to the power of {b} is out of range")
    return a**b


#: What each operator computes of a value, or of one of each that it reads, by torch's names.
EACH: Mapping[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": _divided,
    "floor_divide": operator.floordiv,
    "pow": _power,
    "remainder": operator.mod,
    "maximum": lambda *a: max(a),
    "minimum": lambda *a: min(a),
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
    "floor": math.floor,
    "ceil": math.ceil,
    "sqrt": math.sqrt,
    "reciprocal": lambda a: 1 / a,
    "exp": math.exp,
    "log": math.log,
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
    steps = [0 if n == 1 else step for n, step in zip(own, _steps(own), strict=True)]
    places = product(*map(range, sizes))
    return Numbers(tuple(sizes), [x.values[sum(map(operator.mul, at, steps))] for at in places])


def picked(x: Numbers, places: Sequence[Sequence[int]]) -> Numbers:
    """The values at some places of each axis."""
    steps = _steps(x.sizes)
    found = [x.values[sum(map(operator.mul, at, steps))] for at in product(*places)]
    return Numbers(tuple(map(len, places)), found)


def permuted(x: Numbers, dims: Sequence[int]) -> Numbers:
    """The axes in another order."""
    steps = _steps(x.sizes)
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


def _steps(sizes: Sequence[int]) -> list[int]:
    return [prod(sizes[i + 1 :]) for i in range(len(sizes))]
