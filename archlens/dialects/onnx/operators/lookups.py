"""Values that are looked up by others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....lowering.tape import Rows, Value
from ..folding import axis_of
from ..proto import Misfit
from ..running import QUANTIZED, At, Tensor
from .arguments import of_file
from .moves import viewed
from .registry import runs


@runs("Gather")
def gather(at: At) -> Tensor:
    x, indices = at.x(), at.x(1)
    if x.dtype in QUANTIZED and not x.flows:
        x = of_file(at, x, trains=True)
    dim = axis_of(at.node.integer("axis", 0), len(x.sizes))
    sizes = (*x.sizes[:dim], *indices.sizes, *x.sizes[dim + 1 :])
    if not x.flows and dim == 0 and len(x.sizes) == 2 and indices.flows:
        args = {"weight": x, "indices": indices}
        return at.write("aten.embedding", args, sizes, dtype=x.dtype)
    picked = indices.values
    before = at.before()
    whole = before[0] if before is not None else x.sizes
    if x.flows and len(x.sizes) == 1 and picked == list(range(whole[0])):
        return viewed(at, indices.sizes)  # as exporters write a view down by its strides
    if x.flows and picked is not None and not indices.sizes:
        n = x.sizes[dim]
        if not -n <= picked[0] < n:
            raise Misfit(f"the index {picked[0]} is outside an axis of {n}")
        one: dict[str, Any] = {"self": x, "dim": dim, "index": picked[0]}
        return at.write("aten.select", one, sizes)
    if x.flows and picked and len(indices.sizes) == 1 and picked == list(range(picked[0], picked[-1] + 1)):
        some: dict[str, Any] = {"self": x, "dim": dim, "start": picked[0], "end": picked[-1] + 1}
        if picked[0] >= 0 and picked[-1] < x.sizes[dim]:
            return at.write("aten.slice", some, sizes)
    return at.write("aten.index_select", {"self": x, "dim": dim, "index": indices}, sizes, dtype=x.dtype)


def rows_of(value: Value) -> Rows | None:
    """The rows of a table of the file that a tensor is made of, by known ids; ``None`` of any other."""
    node = value.node
    if node is None or node.target != "aten.index_select" or node.flows or node.args["dim"] != 0:
        return None
    table, ids = node.args["self"], node.args["index"]
    known = ids.numbers if isinstance(ids, Value) and ids.sizes else None
    if not (known and table.key and table.trains and len(table.sizes) == 2):
        return None
    count, size = ids.sizes[-1], table.sizes[0]
    first = [n + size if n < 0 else n for n in known[:count]]
    alike = list(known) == list(known[:count]) * (len(known) // count)
    return Rows(table, first) if alike and all(0 <= n < size for n in first) else None


@runs("GatherElements")
def gather_elements(at: At) -> Tensor:
    return at.write("aten.gather", {"self": at.x(), "index": at.x(1)}, at.x(1).sizes)


@runs("GatherND")
def gather_nd(at: At) -> Tensor:
    x, indices = at.x(), at.x(1)
    skips = at.node.integer("batch_dims", 0)
    deep = indices.sizes[-1] if indices.sizes else 0
    sizes = (*indices.sizes[:-1], *x.sizes[skips + deep :])
    if not skips and deep <= len(x.sizes):
        return at.write("aten.gather_nd", {"self": x, "indices": indices}, sizes, dtype=x.dtype)
    return at.write("GatherND", {"inputs": [x, indices]}, sizes, dtype=x.dtype)


@runs("TopK")
def top(at: At) -> Sequence[Tensor]:
    x = at.x()
    dim = axis_of(at.node.integer("axis", -1), len(x.sizes))
    count = at.node.integer("k") if "k" in at.node.attributes else (at.values(1) or [0])[0]
    sizes = (*x.sizes[:dim], count, *x.sizes[dim + 1 :])
    return at.writes("aten.topk", {"self": x}, sizes, sizes)


@runs("OneHot")
def one_hot(at: At) -> Tensor:
    x = at.x()
    depth = (at.values(1) or [0])[0]
    dim = axis_of(at.node.integer("axis", -1), len(x.sizes) + 1)
    return at.write("aten.one_hot", {"self": x}, (*x.sizes[:dim], int(depth), *x.sizes[dim:]))


@runs("GridSample")
def sampled(at: At) -> Tensor:
    x, grid = at.x(), at.x(1)
    sizes = (*x.sizes[:2], *grid.sizes[1:-1])
    plain = at.node.text("mode", "linear") in ("linear", "bilinear")
    args = {
        "input": x,
        "grid": grid,
        "interpolation_mode": 0 if plain else 2,
        "padding_mode": int(at.node.text("padding_mode", "zeros") != "zeros"),
        "align_corners": bool(at.node.integer("align_corners", 0)),
    }
    return at.write(f"aten.grid_sampler_{len(sizes) - 2}d", args, sizes)
