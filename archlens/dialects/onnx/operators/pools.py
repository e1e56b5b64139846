"""Poolings, and what is reduced or resized."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor
from typing import Any

from ..folding import axis_of
from ..proto import Misfit
from ..running import At, Tensor
from .arguments import as_map, positions, windows_of
from .registry import runs


@runs("MaxPool", "AveragePool", "LpPool")
def pool(at: At) -> Tensor | Sequence[Tensor]:
    x = at.x()
    if at.node.integer("channels_last", 0):
        raise Misfit("its channels come last")
    n, c, *spatial = as_map(x)
    kernel = at.node.integers("kernel_shape", None)
    if not kernel:
        raise Misfit("its kernel_shape is missing")
    stride, padding, dilation = windows_of(at, spatial, kernel)
    ceil = bool(at.node.integer("ceil_mode", 0))
    out = [
        positions(ceil, n, *one) for n, *one in zip(spatial, kernel, stride, padding, dilation, strict=True)
    ]
    if at.node.op == "MaxPool" and not ceil:
        # what old exporters pad behind a map so that the last windows fit is no padding of theirs
        rounded = [
            one[0] if isinstance(one, tuple) and one[1] > k // 2 else one
            for one, k in zip(padding, kernel, strict=True)
        ]
        windows = zip(spatial, kernel, stride, rounded, dilation, strict=True)
        if rounded != padding and [positions(True, *one) for one in windows] == out:
            padding, ceil = rounded, True
    args: dict[str, Any] = {
        "self": x,
        "kernel_size": list(kernel),
        "stride": stride,
        "padding": padding,
        "ceil_mode": ceil,
    }
    axes = len(spatial)
    if axes == 1:
        args["input"] = args["self"]
    if at.node.op == "MaxPool":
        args["dilation"] = dilation
        name = {1: "torch.max_pool1d", 2: "aten.max_pool2d_with_indices", 3: "aten.max_pool3d_with_indices"}
        made = at.write(name.get(axes, "MaxPool"), args, (n, c, *out))
        return [made, Tensor(made.sizes, "int64")]
    args["count_include_pad"] = bool(at.node.integer("count_include_pad", 0))
    name = {1: "torch.avg_pool1d", 2: "aten.avg_pool2d", 3: "aten.avg_pool3d"}
    plain = at.node.op == "AveragePool" and set(dilation) == {1}
    target = name.get(axes, "AveragePool") if plain else at.node.op
    return at.write(target, args, (n, c, *out))


@runs("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def over_map(at: At) -> Tensor:
    x = at.x()
    n, c, *spatial = as_map(x)
    dims = list(range(2, len(spatial) + 2))
    name = {"GlobalAveragePool": "aten.mean", "GlobalMaxPool": "aten.amax"}.get(at.node.op, "GlobalLpPool")
    args = {"self": x, "dim": dims, "keepdim": True}
    return at.write(name, args, (n, c, *[1] * len(spatial)))


_REDUCED = {
    "ReduceMean": "aten.mean",
    "ReduceMax": "aten.amax",
    "ReduceMin": "aten.amin",
    "ReduceSum": "aten.sum",
    "ReduceProd": "aten.prod",
    "ReduceL1": "aten.linalg_vector_norm",
    "ReduceL2": "aten.linalg_vector_norm",
    "ReduceSumSquare": "ReduceSumSquare",
    "ReduceLogSum": "ReduceLogSum",
    "ReduceLogSumExp": "aten.logsumexp",
    "ArgMax": "aten.argmax",
    "ArgMin": "aten.argmin",
}


@runs(*_REDUCED)
def reduce(at: At) -> Tensor:
    x = at.x()
    rank = len(x.sizes)
    if at.node.op.startswith("Arg"):
        axes = [at.node.integer("axis", 0)]
    else:
        axes = at.numbers("axes", 1) or (
            [] if at.node.integer("noop_with_empty_axes", 0) else list(range(rank))
        )
    dims = sorted({axis_of(a, rank) for a in axes})
    keeps = bool(at.node.integer("keepdims", 1))
    sizes = [1 if i in dims else n for i, n in enumerate(x.sizes) if keeps or i not in dims]
    if 0 in dims and x.flows and x.sizes[0] == at.run.batch:
        raise Misfit("it joins the samples of the batch")
    args = {"self": x, "dim": dims, "keepdim": keeps}
    return at.write(_REDUCED[at.node.op], args, sizes)


@runs("Resize", "Upsample")
def resize(at: At) -> Tensor:
    x = at.x()
    old = at.node.op == "Upsample" or at.node.version < 11
    if old:
        scales = at.node._of("scales", list, "list", None) if "scales" in at.node.attributes else at.values(1)
        asked = None
    else:
        asked = at.values(3)
        scales = at.values(2) if not asked else None
    rank = len(x.sizes)
    axes = at.node.integers("axes", list(range(rank)))
    given = asked or scales
    policy = at.node.text("keep_aspect_ratio_policy", "stretch")
    if not given or len(given) != len(axes):
        raise Misfit("its scales or sizes are missing, or not one for each axis")
    sizes = list(x.sizes)
    factors = [1.0] * rank
    if asked and policy != "stretch":
        ratios = [n / x.sizes[axis_of(axis, rank)] for axis, n in zip(axes, asked, strict=True)]
        least = min(ratios) if policy == "not_larger" else max(ratios)
        given = [floor(least * x.sizes[axis_of(axis, rank)] + 0.5) for axis in axes]
    for axis, one in zip(axes, given, strict=True):
        axis = axis_of(axis, rank)
        if asked:
            before = at.before()
            if axis == 0 and before is not None and one == before[0][0]:
                continue
            sizes[axis] = one
        else:
            sizes[axis], factors[axis] = floor(sizes[axis] * one), one
    mode = {"linear": {3: "linear", 4: "bilinear", 5: "trilinear"}.get(rank, ""), "cubic": "bicubic"}.get(
        m := at.node.text("mode", "nearest"), m
    )
    if sizes[:2] != list(x.sizes[:2]) or rank < 3:
        return at.write("Resize", {"self": x}, sizes)
    args: dict[str, Any] = {"input": x, "mode": mode}
    if asked:
        args["size"] = sizes[2:]
    else:
        args["scale_factor"] = [int(f) if float(f).is_integer() else f for f in factors[2:]]
    if at.node.text("coordinate_transformation_mode", "half_pixel") == "align_corners":
        args["align_corners"] = True
    if at.node.integer("antialias", 0):
        args["antialias"] = True
    return at.write("torch.interpolate", args, sizes)
