"""What is computed of sizes: whole numbers and factors, by nodes that are no layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from ...lowering.numbers import ALL, Numbers, each, gathered, joined, permuted, picked, spread, whole
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
        raise Misfit(f"{said} cannot be broadcast together")
    return found


def known(tensor: Tensor) -> Numbers:
    """What is in a tensor."""
    return Numbers(tensor.sizes, tensor.values or [])


#: What is computed value by value, by its name here and as torch calls it.
_EACH = {
    "Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow", "Mod": "remainder", "Equal": "eq",
    "Less": "lt", "Greater": "gt", "LessOrEqual": "le", "GreaterOrEqual": "ge", "And": "logical_and",
    "Or": "logical_or", "Not": "logical_not", "Neg": "neg", "Abs": "abs", "Floor": "floor", "Ceil": "ceil",
    "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Exp": "exp", "Log": "log", "Sign": "sign", "Where": "where",
    "Min": "minimum", "Max": "maximum",
}  # fmt: skip
_BOOLEAN = frozenset(["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Not"])


@folds(*_EACH)
def elementwise(at: At) -> Tensor | None:
    tensors = [one for one in at.inputs if one is not None]
    broadcast(*(one.sizes for one in tensors))
    name = "fmod" if at.node.op == "Mod" and at.node.integer("fmod", 0) else _EACH[at.node.op]
    found = each(name, *map(known, tensors))
    if found is None:
        return None
    values = [*found.values]
    if any(isinstance(one, int) and one.bit_length() > 64 for one in values):
        raise Misfit("a number is out of range")
    dtype = tensors[-1].dtype
    if dtype.startswith("float") and at.node.op in ("Floor", "Ceil", "Sign"):
        values = list(map(float, values))
    return made(found.sizes, values, "bool" if at.node.op in _BOOLEAN else dtype)


@folds("Clip")
def clip(at: At) -> Tensor | None:
    """Not below one number and not above another, which are inputs, or attributes of older files."""
    x, found = at.x(), at.x().values or []
    for index, name, which in ((1, "min", max), (2, "max", min)):
        given = at.values(index) or [at.node.decimal(name, None)]
        found = [which(one, given[0]) for one in found] if given[0] is not None else found
    return made(x.sizes, found, x.dtype)


@folds("Cast")
def cast(at: At) -> Tensor | None:
    x = at.x()
    dtype = DTYPES.get(at.node.integer("to", 0), "undefined")
    how = bool if dtype == "bool" else float if "float" in dtype or dtype == "double" else whole
    return made(x.sizes, [how(one) for one in x.values or []], dtype)


@folds("Gather")
def gather(at: At) -> Tensor | None:
    x, indices = at.x(), at.x(1)
    axis = axis_of(at.node.integer("axis", 0), len(x.sizes))
    for one in indices.values or []:
        _index(one, x.sizes[axis])
    if prod(x.sizes[:axis]) * prod(indices.sizes) * prod(x.sizes[axis + 1 :]) > VALUES:
        return None
    found = gathered(known(x), known(indices), axis)
    return made(found.sizes, [*found.values], x.dtype)


def _index(one: Any, size: int) -> int:
    if type(one) is not int or not -size <= one < size:
        raise Misfit(f"the index {one} is outside an axis of {size}")
    return one % size


def axis_of(axis: int, rank: int) -> int:
    """An axis counted from the front.

    Raises:
        Misfit: there is no such axis.
    """
    if not -rank <= axis < rank:
        raise Misfit(f"there is no axis {axis} in a tensor of {rank} axes")
    return axis % rank


@folds("Concat")
def concat(at: At) -> Tensor | None:
    tensors = [one for one in at.inputs if one is not None]
    first = tensors[0]
    axis = axis_of(at.node.integer("axis", 1), len(first.sizes))
    for one in tensors:
        if (*one.sizes[:axis], *one.sizes[axis + 1 :]) != (*first.sizes[:axis], *first.sizes[axis + 1 :]):
            raise Misfit("its inputs have other sizes")
    if sum(prod(one.sizes) for one in tensors) > VALUES:
        return None
    found = joined([*map(known, tensors)], axis)
    return made(found.sizes, [*found.values], first.dtype)


@folds("Slice")
def slice_(at: At) -> Tensor | None:
    x = at.x()
    places = [range(*one) for one in cuts(at, x.sizes)]
    if prod(map(len, places)) > VALUES:
        return None
    found = picked(known(x), places)
    return made(found.sizes, [*found.values], x.dtype)


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
        axis = axis_of(axis, len(sizes))
        found[axis] = slice(start, end, step).indices(sizes[axis])
    return found


@folds("Transpose")
def transpose(at: At) -> Tensor | None:
    x = at.x()
    found = permuted(known(x), permutation(at, len(x.sizes)))
    return made(found.sizes, [*found.values], x.dtype)


def permutation(at: At, rank: int) -> list[int]:
    """The order that a Transpose puts axes in."""
    order = at.node.integers("perm", list(range(rank))[::-1])
    if sorted(order) != list(range(rank)):
        raise Misfit(f"its perm {order} is not an order of {rank} axes")
    return order  # type: ignore[no-any-return]


@folds("Expand")
def expand(at: At) -> Tensor | None:
    x = at.x()
    sizes = broadcast(x.sizes, tuple(at.values(1) or ()))
    return made(sizes, [*spread(known(x), sizes).values], x.dtype) if prod(sizes) <= VALUES else None


@folds("Tile")
def tile(at: At) -> Tensor | None:
    x, times = at.x(), at.values(1) or []
    sizes = [n * t for n, t in zip(x.sizes, times, strict=True)]
    if prod(sizes) > VALUES:
        return None
    found = picked(known(x), [[i % n for i in range(m)] for n, m in zip(x.sizes, sizes, strict=True)])
    return made(sizes, [*found.values], x.dtype)


@folds("Range")
def range_(at: At) -> Tensor | None:
    start, limit, delta = (at.x(i).values or [0] for i in range(3))
    count = max(math.ceil((limit[0] - start[0]) / delta[0]), 0)
    if count > VALUES:
        return at.write("aten.arange", {"start": start[0], "step": delta[0]}, (count,))
    return made((count,), [start[0] + i * delta[0] for i in range(count)], at.x().dtype)


_ALL = {"ReduceProd": "prod", "ReduceSum": "sum", "ReduceMax": "amax", "ReduceMin": "amin"}


@folds(*_ALL)
def reduce(at: At) -> Tensor | None:
    x = at.x()
    given = at.numbers("axes", 1)
    if given and len(x.sizes) != 1:
        return None
    keeps = at.node.integer("keepdims", 1)
    value = ALL[_ALL[at.node.op]](x.values or [])
    return made((1,) * len(x.sizes) if keeps else (), [value], x.dtype)


@folds("ConstantOfShape")
def filled(at: At) -> Tensor:
    given = at.x().values or []
    sizes = tuple(given)
    if not all(type(n) is int and n >= 0 for n in sizes):
        raise Misfit(f"{list(sizes)} are not sizes")
    held = at.node.attributes.get("value")
    value, dtype = 0.0, "float32"
    if isinstance(held, Held):
        value, dtype = (held.values or [0.0])[0], held.dtype
    # what has its sizes from the file is in the file, too, but for its values
    key = at.prefix + at.node.outputs[0] if dtype.startswith("float") and at.x().key else ""
    at.run.filled.update([key] if key else [])
    values = [value] * prod(sizes) if prod(sizes) <= VALUES else None
    return Tensor(sizes, dtype, values, key, triangle=(value, value))


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
