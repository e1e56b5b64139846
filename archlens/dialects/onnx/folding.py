"""What is computed of sizes: whole numbers and factors, by nodes that are no layers."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

from ...shape import broadcast as together
from .proto import DTYPES, VALUES, Held, Misfit
from .running import At, Tensor

#: How each operator is computed.
FOLDS: dict[str, Callable[[At], Any]] = {}


def folds(*names: str) -> Callable[[Callable[[At], Any]], Callable[[At], Any]]:
    """Say how an operator is computed."""

    def register(function: Callable[[At], Any]) -> Callable[[At], Any]:
        for name in names:
            FOLDS[name] = function
        return function

    return register


def made(sizes: Sequence[int], values: list[Any], dtype: str) -> Tensor | None:
    """A tensor of known values; ``None`` where they are too many to go on with."""
    return Tensor(tuple(sizes), dtype, values) if len(values) <= VALUES else None


def broadcast(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The sizes that tensors have together.

    Raises:
        Misfit: they do not fit.
    """
    found = together(shapes)
    if found is None:
        said = " and ".join("x".join(map(str, sizes)) or "a number" for sizes in shapes)
        raise Misfit(f"{said} do not go together")
    return found


def spread(tensor: Tensor, sizes: Sequence[int]) -> list[Any]:
    """The values of a tensor at each position of one that it is broadcast to."""
    values = tensor.values or []
    if tensor.sizes == tuple(sizes):
        return values
    if prod(sizes) > VALUES:
        raise Misfit(f"more than {VALUES:,} values are computed of sizes")
    own = (1,) * (len(sizes) - len(tensor.sizes)) + tensor.sizes
    steps = _steps(own)
    steps = [0 if n == 1 else step for n, step in zip(own, steps, strict=True)]
    return [values[sum(map(operator.mul, at, steps))] for at in product(*map(range, sizes))]


def _steps(sizes: Sequence[int]) -> list[int]:
    return [prod(sizes[i + 1 :]) for i in range(len(sizes))]


def _divided(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int):
        found = abs(a) // abs(b)
        return found if (a < 0) == (b < 0) else -found
    return a / b


def _power(a: Any, b: Any) -> Any:
    if abs(a) > 10**9 or abs(b) > 64:
        raise Misfit(f"{a} to the power of {b} is out of range")
    return a**b


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Add": operator.add,
    "Sub": operator.sub,
    "Mul": operator.mul,
    "Div": _divided,
    "Pow": _power,
    "Mod": operator.mod,
    "Equal": operator.eq,
    "Less": operator.lt,
    "Greater": operator.gt,
    "LessOrEqual": operator.le,
    "GreaterOrEqual": operator.ge,
    "And": lambda a, b: bool(a) and bool(b),
    "Or": lambda a, b: bool(a) or bool(b),
    "Not": operator.not_,
    "Neg": operator.neg,
    "Abs": abs,
    "Floor": math.floor,
    "Ceil": math.ceil,
    "Sqrt": math.sqrt,
    "Reciprocal": lambda a: 1 / a,
    "Exp": math.exp,
    "Log": math.log,
    "Sign": lambda a: (a > 0) - (a < 0),
    "Where": lambda c, a, b: a if c else b,
    "Min": lambda *a: min(a),
    "Max": lambda *a: max(a),
}
_BOOLEAN = frozenset(["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Not"])


@folds(*_ELEMENTWISE)
def elementwise(at: At) -> Tensor | None:
    tensors = [one for one in at.inputs if one is not None]
    sizes = broadcast(*(one.sizes for one in tensors))
    if prod(sizes) > VALUES:
        return None
    function = _ELEMENTWISE[at.node.op]
    values = [function(*row) for row in zip(*(spread(one, sizes) for one in tensors), strict=True)]
    if any(isinstance(one, int) and one.bit_length() > 64 for one in values):
        raise Misfit("a number is out of range")
    dtype = tensors[-1].dtype
    if dtype.startswith("float") and at.node.op in ("Floor", "Ceil", "Sign"):
        values = list(map(float, values))
    return made(sizes, values, "bool" if at.node.op in _BOOLEAN else dtype)


@folds("Cast")
def cast(at: At) -> Tensor | None:
    x = at.x()
    dtype = DTYPES.get(at.node.integer("to", 0), "undefined")
    how = bool if dtype == "bool" else float if "float" in dtype or dtype == "double" else int
    return made(x.sizes, [how(one) for one in x.values or []], dtype)


@folds("Gather")
def gather(at: At) -> Tensor | None:
    x, indices = at.x(), at.x(1)
    axis = _axis(at.node.integer("axis", 0), len(x.sizes))
    size, inner = x.sizes[axis], prod(x.sizes[axis + 1 :])
    picked = [_index(one, size) for one in indices.values or []]
    values = x.values or []
    if prod(x.sizes[:axis]) * len(picked) * inner > VALUES:
        return None
    found = [
        value
        for outer in range(prod(x.sizes[:axis]))
        for one in picked
        for value in values[(outer * size + one) * inner :][:inner]
    ]
    return made((*x.sizes[:axis], *indices.sizes, *x.sizes[axis + 1 :]), found, x.dtype)


def _index(one: Any, size: int) -> int:
    if type(one) is not int or not -size <= one < size:
        raise Misfit(f"the index {one} is not within {size}")
    return one % size


def _axis(axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        Misfit: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise Misfit(f"there is no axis {axis} among {rank}")
    return axis % rank


@folds("Concat")
def concat(at: At) -> Tensor | None:
    tensors = [one for one in at.inputs if one is not None]
    first = tensors[0]
    axis = _axis(at.node.integer("axis", 1), len(first.sizes))
    for one in tensors:
        if (*one.sizes[:axis], *one.sizes[axis + 1 :]) != (*first.sizes[:axis], *first.sizes[axis + 1 :]):
            raise Misfit("its inputs have other sizes")
    found: list[Any] = []
    for outer in range(prod(first.sizes[:axis])):
        for one in tensors:
            step = prod(one.sizes[axis:])
            found += (one.values or [])[outer * step : (outer + 1) * step]
    sizes = list(first.sizes)
    sizes[axis] = sum(one.sizes[axis] for one in tensors)
    return made(sizes, found, first.dtype)


@folds("Slice")
def slice_(at: At) -> Tensor | None:
    x = at.x()
    ranges = cuts(at, x.sizes)
    return _picked(x, [range(*one) for one in ranges])


def cuts(at: At, sizes: Sequence[int]) -> list[tuple[int, int, int]]:
    """Of each axis where a slice starts, where it stops, and its step."""
    starts, ends = at.numbers("starts", 1), at.numbers("ends", 2)
    if starts is None or ends is None or len(starts) != len(ends):
        raise Misfit("its starts and ends are missing, or not as many")
    axes = at.numbers("axes", 3) or list(range(len(starts)))
    steps = at.values(4) or [1] * len(starts)
    if not len(axes) == len(steps) == len(starts):
        raise Misfit("its axes and steps are not as many as its starts")
    found = [(0, n, 1) for n in sizes]
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        axis = _axis(axis, len(sizes))
        found[axis] = slice(start, end, step).indices(sizes[axis])
    return found


def _picked(x: Tensor, ranges: Sequence[range]) -> Tensor | None:
    sizes = [len(one) for one in ranges]
    if prod(sizes) > VALUES:
        return None
    steps = _steps(x.sizes)
    values = x.values or []
    found = [values[sum(map(operator.mul, place, steps))] for place in product(*ranges)]
    return made(sizes, found, x.dtype)


@folds("Transpose")
def transpose(at: At) -> Tensor | None:
    x = at.x()
    order = permutation(at, len(x.sizes))
    steps = _steps(x.sizes)
    sizes = [x.sizes[i] for i in order]
    places = product(*map(range, sizes))
    values = x.values or []
    found = [values[sum(n * steps[i] for n, i in zip(place, order, strict=True))] for place in places]
    return made(sizes, found, x.dtype)


def permutation(at: At, rank: int) -> list[int]:
    """The order that a Transpose puts axes in."""
    order = at.node.integers("perm", list(range(rank))[::-1])
    if sorted(order) != list(range(rank)):
        raise Misfit(f"its perm {order} is no order of {rank} axes")
    return order  # type: ignore[no-any-return]


@folds("Expand")
def expand(at: At) -> Tensor | None:
    x = at.x()
    sizes = broadcast(x.sizes, tuple(at.values(1) or ()))
    return made(sizes, spread(x, sizes), x.dtype) if prod(sizes) <= VALUES else None


@folds("Tile")
def tile(at: At) -> Tensor | None:
    x, times = at.x(), at.values(1) or []
    sizes = [n * t for n, t in zip(x.sizes, times, strict=True)]
    if prod(sizes) > VALUES:
        return None
    steps = _steps(x.sizes)
    values = x.values or []
    places = product(*map(range, sizes))
    found = [
        values[sum(p % n * s for p, n, s in zip(place, x.sizes, steps, strict=True))] for place in places
    ]
    return made(sizes, found, x.dtype)


@folds("Range")
def range_(at: At) -> Tensor | None:
    start, limit, delta = (at.x(i).values or [0] for i in range(3))
    count = max(math.ceil((limit[0] - start[0]) / delta[0]), 0)
    if count > VALUES:
        return Tensor((count,), at.x().dtype)
    return made((count,), [start[0] + i * delta[0] for i in range(count)], at.x().dtype)


@folds("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin")
def reduce(at: At) -> Tensor | None:
    x = at.x()
    given = at.numbers("axes", 1)
    if given and len(x.sizes) != 1:
        return None
    keeps = at.node.integer("keepdims", 1)
    how: dict[str, Callable[[list[Any]], Any]] = {
        "ReduceProd": prod,
        "ReduceSum": sum,
        "ReduceMax": max,
        "ReduceMin": min,
    }
    return made((1,) * len(x.sizes) if keeps else (), [how[at.node.op](x.values or [])], x.dtype)


@folds("ConstantOfShape")
def filled(at: At) -> Tensor:
    given = at.x().values or []
    sizes = tuple(given)
    if not all(type(n) is int and n >= 0 for n in sizes):
        raise Misfit(f"{list(sizes)} are no sizes")
    held = at.node.attributes.get("value")
    value, dtype = 0.0, "float32"
    if isinstance(held, Held):
        value, dtype = (held.values or [0.0])[0], held.dtype
    # what has its sizes from the file is in the file, too, but for its values
    key = at.prefix + at.node.outputs[0] if dtype.startswith("float") and at.x().key else ""
    at.run.filled.update([key] if key else [])
    return Tensor(sizes, dtype, [value] * prod(sizes) if prod(sizes) <= VALUES else None, key)


@folds("ScatterND")
def scatter(at: At) -> Tensor | None:
    x, indices, updates = at.x(), at.x(1), at.x(2)
    if len(x.sizes) != 1 or not indices.sizes or indices.sizes[-1] != 1:
        return None
    values = list(x.values or [])
    for one, value in zip(indices.values or [], updates.values or [], strict=False):
        values[_index(one, len(values))] = value
    return made(x.sizes, values, x.dtype)


@folds("NonZero")
def nonzero(at: At) -> Tensor | None:
    x = at.x()
    found = [i for i, one in enumerate(x.values or []) if one]
    return made((1, len(found)), found, "int64") if len(x.sizes) == 1 else None


@folds("CumSum")
def cumsum(at: At) -> Tensor | None:
    x = at.x()
    if len(x.sizes) != 1 or at.node.attributes.get("exclusive") or at.node.attributes.get("reverse"):
        return None
    total, found = 0, []
    for one in x.values or []:
        total += one
        found.append(total)
    return made(x.sizes, found, x.dtype)
