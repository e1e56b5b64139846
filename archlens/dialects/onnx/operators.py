"""How each operator of ONNX runs on sizes, and what it is called on a tape: by torch's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import floor, isclose, prod
from typing import Any

from ...geometry import Window
from ...geometry import same as same_padding
from .folding import _axis as _axis
from .folding import broadcast, cuts, permutation
from .proto import DTYPES, VALUES, Held, Misfit
from .running import At, Operator, Tensor

#: How each operator runs, by its domain and name.
OPERATORS: dict[tuple[str, str], Operator] = {}


def runs(*names: str, domain: str = "") -> Callable[[Operator], Operator]:
    """Say how an operator runs."""

    def register(function: Operator) -> Operator:
        for name in names:
            OPERATORS[domain, name] = function
        return function

    return register


# --- constants and sizes ----------------------------------------------------------------------------


@runs("Constant")
def constant(at: At) -> Tensor:
    attributes = at.node.attributes
    held = attributes.get("value")
    if isinstance(held, Held):
        key = at.prefix + at.node.outputs[0] if held.sizes else ""
        return Tensor(held.sizes, held.dtype, held.values, key, triangle=held.triangle)
    for name, dtype in (("value_float", "float32"), ("value_int", "int64"), ("value_string", "string")):
        if name in attributes:
            return Tensor((), dtype, [attributes[name]])
    for name, dtype in (("value_floats", "float32"), ("value_ints", "int64"), ("value_strings", "string")):
        if isinstance(attributes.get(name), list):
            return Tensor((len(attributes[name]),), dtype, attributes[name])
    raise Misfit("it holds no value that is read")


@runs("Shape")
def shape(at: At) -> Tensor:
    sizes = at.x().sizes
    sizes = sizes[slice(at.node.integer("start", 0), at.node.integer("end", None))]
    return Tensor((len(sizes),), "int64", list(sizes))


@runs("Size")
def size(at: At) -> Tensor:
    return Tensor((), "int64", [prod(at.x().sizes)])


@runs("Identity", "Cast", "CastLike", "Dropout")
def same(at: At) -> Tensor | Sequence[Tensor]:
    x = at.x()
    op = at.node.op
    if op == "Dropout":
        ratio = at.node.decimal("ratio", 0.5) if "ratio" in at.node.attributes else (at.values(1) or [0.5])[0]
        made = at.write("torch.dropout", {"input": x, "p": ratio}, x.sizes)
        return [made, Tensor(x.sizes, "bool")]
    dtype = x.dtype
    if op == "Cast":
        dtype = DTYPES.get(at.node.integer("to", 0), "undefined")
    if not x.flows and x.key and dtype.startswith(("float", "bfloat")):
        return Tensor(x.sizes, dtype, x.values, x.key, x.value, triangle=x.triangle)
    if not x.flows and x.values is not None:
        return Tensor(x.sizes, dtype, x.values, x.key)
    return at.write("aten.alias", {"self": x}, x.sizes, dtype=dtype)  # type: ignore[no-any-return]


@runs("ConstantOfShape", "RandomNormal", "RandomUniform", "EyeLike", "RandomNormalLike", "RandomUniformLike")
def filled(at: At) -> Tensor:
    """What is filled by a shape that is no constant, or with what nobody knows."""
    if at.node.op.startswith("Random") and not at.has(0):
        return Tensor(tuple(at.node.integers("shape", [])), "float32", key=at.node.outputs[0])
    if at.node.op == "ConstantOfShape":
        at.values(0)
    return Tensor(at.x().sizes, at.x().dtype)


@runs("Range")
def counted(at: At) -> Tensor:
    raise Misfit("how many numbers it makes depends on values")


# --- moves ------------------------------------------------------------------------------------------


def _moved(at: At, target: str, args: dict[str, Any], sizes: Sequence[int]) -> Tensor:
    """A tensor whose values are moved; one of the file stays one, and what is known of it is."""
    x = at.x()
    if not x.flows and (x.key or x.values is not None):
        if prod(sizes) != prod(x.sizes):
            raise Misfit(f"{_times(x.sizes)} does not fit into {_times(sizes)}")
        triangle = x.triangle if x.sizes[-2:] == tuple(sizes[-2:]) else None
        return Tensor(tuple(sizes), x.dtype, x.values, x.key, triangle=triangle)
    return at.write(target, {"self": x, **args}, sizes)  # type: ignore[no-any-return]


def _view(at: At, sizes: Sequence[int]) -> Tensor:
    x = at.x()
    found = at.reshaped(x, sizes)
    if prod(found) != prod(x.sizes):
        raise Misfit(f"{_times(x.sizes)} does not fit into {_times(found)}")
    return _moved(at, "aten.view", {}, found)


@runs("Reshape")
def reshape(at: At) -> Tensor:
    x = at.x()
    given = at.numbers("shape", 1)
    if given is None:
        raise Misfit("its shape is missing")
    keeps = not at.node.integer("allowzero", 0)
    sizes = [(x.sizes[i] if i < len(x.sizes) else 0) if n == 0 and keeps else n for i, n in enumerate(given)]
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise Misfit(f"{given} are no sizes")
    if -1 in sizes:
        rest = prod(n for n in sizes if n != -1)
        now = at.example[0]
        if not rest or prod(x.sizes) % rest:
            if now is None or at.before() is None:
                raise Misfit(f"{_times(x.sizes)} does not fit into {_times(given)}")
            rest = 1
        sizes[sizes.index(-1)] = prod(x.sizes) // rest
    before = at.before(1)
    if before is not None and before[1] != given and prod(sizes) == prod(x.sizes):
        return _moved(at, "aten.view", {}, sizes)  # it follows the samples itself
    return _view(at, sizes)


@runs("Flatten")
def flatten(at: At) -> Tensor:
    x = at.x()
    axis = at.node.integer("axis", 1)
    axis = axis + len(x.sizes) if axis < 0 else axis
    if axis and len(x.sizes):  # which keeps the samples where they are
        return _view(at, (prod(x.sizes[:axis]), prod(x.sizes[axis:])))
    return _view(at, (1, prod(x.sizes)))


@runs("Squeeze")
def squeeze(at: At) -> Tensor:
    x = at.x()
    axes = at.numbers("axes", 1)
    rank = len(x.sizes)
    before = at.before()
    own = before[0] if before is not None else x.sizes
    gone = {_axis(a, rank) for a in axes} if axes is not None else {i for i, n in enumerate(own) if n == 1}
    bad = next((i for i in gone if own[i] != 1), None)
    if bad is not None:
        raise Misfit(f"axis {bad} of {_times(x.sizes)} is no 1")
    return _view(at, [n for i, n in enumerate(x.sizes) if i not in gone])


@runs("Unsqueeze")
def unsqueeze(at: At) -> Tensor:
    x = at.x()
    axes = at.numbers("axes", 1)
    if axes is None:
        raise Misfit("its axes are missing")
    rank = len(x.sizes) + len(axes)
    ones = {_axis(a, rank) for a in axes}
    if len(ones) != len(axes):
        raise Misfit(f"its axes {axes} are not apart")
    rest = iter(x.sizes)
    return _moved(at, "aten.view", {}, [1 if i in ones else next(rest) for i in range(rank)])


@runs("Transpose")
def transpose(at: At) -> Tensor:
    x = at.x()
    order = permutation(at, len(x.sizes))
    sizes = [x.sizes[i] for i in order]
    if not x.flows and x.key:
        return Tensor(tuple(sizes), x.dtype, key=x.key)
    return at.write("aten.permute", {"self": x, "dims": order}, sizes)  # type: ignore[no-any-return]


@runs("Expand")
def expand(at: At) -> Tensor:
    x = at.x()
    given = at.values(1)
    if given is None:
        raise Misfit("its shape is missing")
    run, before = at.run, at.before()
    if before is not None and x.flows and len(before[0]) == len(given):
        # an axis that stays as it was holds the samples of this batch
        given = [n if m == one else m for m, one, n in zip(given, before[0], x.sizes, strict=True)]
    if not x.flows and run.example is not None and len(given) == len(x.sizes):
        # a start for the samples of the file, as of a recurrent layer, is one for those of the batch
        pairs = list(zip(x.sizes, given, strict=True))
        if any(n * run.batch == m * run.samples and n != m for n, m in pairs):
            x = Tensor(tuple(m if n * run.batch == m * run.samples else n for n, m in pairs), x.dtype)
    return _expanded(at, x, broadcast(x.sizes, tuple(given)))


def _expanded(at: At, x: Tensor, sizes: Sequence[int]) -> Tensor:
    return at.write("aten.expand", {"self": x, "size": list(sizes)}, sizes)  # type: ignore[no-any-return]


@runs("Slice")
def slice_(at: At) -> Tensor:
    x = at.x()
    for dim, (start, stop, step) in enumerate(cuts(at, x.sizes)):
        count = len(range(start, stop, step))
        if (start, stop, step) == (0, x.sizes[dim], 1):
            continue
        sizes = (*x.sizes[:dim], count, *x.sizes[dim + 1 :])
        if not count:
            return Tensor(sizes, x.dtype, [])  # as of what is rolled by nothing, to be joined with the rest
        if step < 0:
            x = at.write("aten.flip", {"self": x, "dims": [dim]}, sizes)
            continue
        args = {"self": x, "dim": dim, "start": start, "end": stop, "step": step}
        x = at.write("aten.slice", args, sizes)
    return x


@runs("Split")
def split(at: At) -> Sequence[Tensor]:
    x = at.x()
    dim = _axis(at.node.integer("axis", 0), len(x.sizes))
    parts = at.numbers("split", 1)
    if parts is None:
        count = at.node.integer("num_outputs", len(at.node.outputs))
        each = -(-x.sizes[dim] // count)
        parts = [min(each, x.sizes[dim] - i * each) for i in range(count)]
    if sum(parts) != x.sizes[dim] or min(parts, default=0) < 0 or len(parts) > VALUES:
        raise Misfit(f"{x.sizes[dim]} does not come apart into {parts}")
    sizes = [(*x.sizes[:dim], n, *x.sizes[dim + 1 :]) for n in parts]
    found = at.write("aten.split_with_sizes", {"self": x, "dim": dim}, *sizes)
    return [found] if isinstance(found, Tensor) else found


@runs("Concat")
def concat(at: At) -> Tensor:
    tensors = [one for one in at.inputs if one is not None]
    rank = len(at.x().sizes)
    dim = _axis(at.node.integer("axis", 1), rank)
    tensors = [one for one in tensors if one.sizes[dim : dim + 1] != (0,)] or tensors[:1]
    if len(tensors) == 1:
        return at.write("aten.alias", {"self": tensors[0]}, tensors[0].sizes)  # type: ignore[no-any-return]
    batch = at.run.batch
    if dim and any(one.sizes[:1] == (batch,) for one in tensors):
        ones = (1, at.run.samples)
        tensors = [
            _expanded(at, one, (batch, *one.sizes[1:])) if one.sizes[0] in ones and not one.flows else one
            for one in tensors
        ]
    first = tensors[0].sizes
    for one in tensors:
        if len(one.sizes) != rank or any(
            n != m for i, (n, m) in enumerate(zip(one.sizes, first, strict=True)) if i != dim
        ):
            said = " and ".join(_times(one.sizes) for one in tensors)
            raise Misfit(f"{said} do not fit together along axis {dim}")
    sizes = (*first[:dim], sum(one.sizes[dim] for one in tensors), *first[dim + 1 :])
    return at.write("aten.cat", {"tensors": tensors, "dim": dim}, sizes)  # type: ignore[no-any-return]


@runs("Gather")
def gather(at: At) -> Tensor:
    x, indices = at.x(), at.x(1)
    dim = _axis(at.node.integer("axis", 0), len(x.sizes))
    sizes = (*x.sizes[:dim], *indices.sizes, *x.sizes[dim + 1 :])
    if not x.flows and dim == 0 and len(x.sizes) == 2 and indices.flows:
        args = {"weight": x, "indices": indices}
        return at.write("aten.embedding", args, sizes, dtype=x.dtype)  # type: ignore[no-any-return]
    picked = indices.values
    before = at.before()
    whole = before[0] if before is not None else x.sizes
    if x.flows and len(x.sizes) == 1 and picked == list(range(whole[0])):
        return _view(at, indices.sizes)  # as exporters write a view down by its strides
    if x.flows and picked is not None and not indices.sizes:
        n = x.sizes[dim]
        if not -n <= picked[0] < n:
            raise Misfit(f"the index {picked[0]} is not within {n}")
        one: dict[str, Any] = {"self": x, "dim": dim, "index": picked[0]}
        return at.write("aten.select", one, sizes)  # type: ignore[no-any-return]
    if x.flows and picked and len(indices.sizes) == 1 and picked == list(range(picked[0], picked[-1] + 1)):
        some: dict[str, Any] = {"self": x, "dim": dim, "start": picked[0], "end": picked[-1] + 1}
        if picked[0] >= 0 and picked[-1] < x.sizes[dim]:
            return at.write("aten.slice", some, sizes)  # type: ignore[no-any-return]
    return at.write(  # type: ignore[no-any-return]
        "aten.index_select", {"self": x, "dim": dim, "index": indices}, sizes, dtype=x.dtype
    )


@runs("Tile")
def tile(at: At) -> Tensor:
    x, times = at.x(), at.values(1) or []
    if len(times) != len(x.sizes):
        raise Misfit("it has not as many repeats as axes")
    sizes = [n * t for n, t in zip(x.sizes, times, strict=True)]
    if all(t == 1 or n == 1 for n, t in zip(x.sizes, times, strict=True)):
        return _expanded(at, x, sizes)
    return at.write("aten.repeat", {"self": x, "repeats": times}, sizes)  # type: ignore[no-any-return]


@runs("Pad")
def pad(at: At) -> Tensor:
    x = at.x()
    given = at.numbers("pads", 1)
    rank = len(x.sizes)
    axes = at.values(3)
    if given is None:
        raise Misfit("its pads are missing")
    axes = list(range(rank)) if axes is None else [_axis(a, rank) for a in axes]
    if len(given) != 2 * len(axes):
        raise Misfit(f"{len(given)} pads are not two for each of {len(axes)} axes")
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        pairs[axis] = (given[i], given[i + len(axes)])
    sizes = [n + a + b for n, (a, b) in zip(x.sizes, pairs, strict=True)]
    mode = {"edge": "replicate", "wrap": "circular"}.get(m := at.node.text("mode", "constant"), m)
    value = at.node.decimal("value", 0.0) if "value" in at.node.attributes else (at.values(2) or [0.0])[0]
    while pairs and pairs[0] == (0, 0):
        pairs.pop(0)
    flat = [n for pair in reversed(pairs) for n in pair]
    args = {"input": x, "pad": flat, "mode": mode, "value": value}
    return at.write("torch.pad", args, sizes)  # type: ignore[no-any-return]


@runs("DepthToSpace", "SpaceToDepth")
def depth_to_space(at: At) -> Tensor:
    x = at.x()
    n, c, h, w = _map(x, 2)
    f = at.node.integer("blocksize", 1)
    if at.node.op == "SpaceToDepth":
        if f < 1 or h % f or w % f:
            raise Misfit(f"{h}x{w} does not come apart into blocks of {f}")
        return at.write("aten.pixel_unshuffle", {"self": x}, (n, c * f * f, h // f, w // f))  # type: ignore[no-any-return]
    if f < 1 or c % (f * f):
        raise Misfit(f"{c} channels do not make blocks of {f}x{f}")
    name = "aten.pixel_shuffle" if at.node.text("mode", "DCR") == "CRD" else "DepthToSpace"
    return at.write(name, {"self": x}, (n, c // f**2, h * f, w * f))  # type: ignore[no-any-return]


def _map(x: Tensor, axes: int = 0) -> tuple[int, ...]:
    """The sizes of a map.

    Raises:
        Misfit: it is none, or has not so many axes beside batch and channels.
    """
    if len(x.sizes) < 3 or (axes and len(x.sizes) != axes + 2):
        raise Misfit(f"{_times(x.sizes)} is no map")
    return x.sizes


def _times(sizes: Sequence[int]) -> str:
    return "x".join(map(str, sizes)) or "a single number"


# --- windows ----------------------------------------------------------------------------------------


def _windows(at: At, sizes: Sequence[int], kernel: Sequence[int]) -> tuple[list[int], list[Any], list[int]]:
    """Stride, padding at both sides and dilation of each axis of a map."""
    axes = len(sizes)
    stride = at.node.integers("strides", [1] * axes)
    dilation = at.node.integers("dilations", [1] * axes)
    pads = at.node.integers("pads", [0] * 2 * axes)
    if not len(stride) == len(dilation) == len(kernel) == axes or len(pads) != 2 * axes:
        raise Misfit(f"its kernel, strides, pads and dilations are not for {axes} axes")
    if min(*stride, *dilation, *kernel) < 1:
        raise Misfit("its kernel, strides and dilations are not all at least 1")
    auto = at.node.text("auto_pad", "NOTSET") or "NOTSET"
    if auto == "VALID":
        pads = [0] * 2 * axes
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = [0] * 2 * axes
        for i, n in enumerate(sizes):
            pads[i], pads[i + axes] = same_padding(n, kernel[i], stride[i], dilation[i])
            if auto == "SAME_LOWER":
                pads[i], pads[i + axes] = pads[i + axes], pads[i]
    elif auto != "NOTSET":
        raise Misfit(f"its auto_pad is {auto!r}")
    if min(pads) < 0:
        raise Misfit("it has negative pads")
    pairs = list(zip(pads[:axes], pads[axes:], strict=True))
    even = all(a == b for a, b in pairs)
    return stride, [a for a, _ in pairs] if even else pairs, dilation


def _slid(ceil: bool, n: int, kernel: int, stride: int, pad: int | tuple[int, int], dilation: int) -> int:
    """How many positions a window has along an axis."""
    before, after = pad if isinstance(pad, tuple) else (pad, pad)
    window = Window(kernel, stride, before, after, dilation, ceil)
    if window.extent > n + before + after:
        said = f"its window of {window.extent} is larger than {n} and its padding of {before} + {after}"
        raise Misfit(said)
    return window.output(n)


@runs("Conv")
def conv(at: At) -> Tensor:
    out, macs = _convolved(at)
    x, weight = at.x(), at.x(1)
    stride, padding, dilation = _windows(at, x.sizes[2:], weight.sizes[2:])
    args = {
        "input": x,
        "weight": weight,
        "bias": _flat(at.given(2), weight.sizes[0]),
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "transposed": False,
        "output_padding": [0] * len(stride),
        "groups": at.node.integer("group", 1),
    }
    return at.write("aten.convolution", args, out, macs=macs)  # type: ignore[no-any-return]


def _convolved(at: At) -> tuple[tuple[int, ...], int]:
    """The sizes of what a convolution makes, and its multiply-accumulates."""
    sizes, weight = _map(at.x()), at.x(1)
    if len(weight.sizes) != len(sizes):
        raise Misfit(f"its weight of {_times(weight.sizes)} is not for a map of {_times(sizes)}")
    kernel = weight.sizes[2:]
    if at.node.integers("kernel_shape", list(kernel)) != list(kernel):
        raise Misfit(f"its kernel_shape is not that of its weight, {_times(weight.sizes)}")
    groups = at.node.integer("group", 1)
    if groups < 1 or weight.sizes[1] * groups != sizes[1] or weight.sizes[0] % groups:
        raise Misfit(
            f"its weight of {_times(weight.sizes)} in {groups} groups is not for {sizes[1]} channels"
        )
    windows = zip(sizes[2:], kernel, *_windows(at, sizes[2:], kernel), strict=True)
    out = (sizes[0], weight.sizes[0], *(_slid(False, *one) for one in windows))
    return out, prod(out) * prod(weight.sizes[1:])


def _flat(bias: Tensor | None, size: int) -> Tensor | None:
    """A bias, which has to be of a size."""
    if bias is not None and bias.sizes != (size,):
        raise Misfit(f"its bias of {_times(bias.sizes)} is not for {size} channels")
    return bias


@runs("ConvTranspose")
def conv_transpose(at: At) -> Tensor:
    x, weight = at.x(), at.x(1)
    sizes = _map(x)
    axes = len(sizes) - 2
    if len(weight.sizes) != len(sizes) or weight.sizes[0] != sizes[1]:
        raise Misfit(f"its weight of {_times(weight.sizes)} is not for a map of {_times(sizes)}")
    kernel = weight.sizes[2:]
    groups = at.node.integer("group", 1)
    node = at.node
    extra = node.integers("output_padding", [0] * axes)
    stride = node.integers("strides", [1] * axes)
    dilation = node.integers("dilations", [1] * axes)
    pads = node.integers("pads", [0] * 2 * axes)
    if not len(extra) == len(stride) == len(dilation) == axes or len(pads) != 2 * axes or groups < 1:
        raise Misfit(f"its strides, pads and dilations are not for {axes} axes")
    auto = node.text("auto_pad", "NOTSET") or "NOTSET"
    asked = node.integers("output_shape", None)
    full = [
        Window(k, s, dilation=d, transposed=True).output(n) + e
        for n, s, e, k, d in zip(sizes[2:], stride, extra, kernel, dilation, strict=True)
    ]
    if asked or auto.startswith("SAME"):
        asked = asked[-axes:] if asked else [n * s for n, s in zip(sizes[2:], stride, strict=True)]
        for i in range(axes):
            whole = full[i] - asked[i]
            pads[i], pads[i + axes] = whole // 2, whole - whole // 2
            if auto != "SAME_UPPER":
                pads[i], pads[i + axes] = pads[i + axes], pads[i]
    elif auto == "VALID":
        pads = [0] * 2 * axes
    out = (sizes[0], weight.sizes[1] * groups, *(n - pads[i] - pads[i + axes] for i, n in enumerate(full)))
    pairs = list(zip(pads[:axes], pads[axes:], strict=True))
    even = all(a == b >= 0 for a, b in pairs)
    args = {
        "input": x,
        "weight": weight,
        "bias": _flat(at.given(2), out[1]),
        "stride": stride,
        "padding": [a for a, _ in pairs] if even else pairs,
        "dilation": dilation,
        "transposed": True,
        "output_padding": extra,
        "groups": groups,
    }
    name = "aten.convolution" if even else "ConvTranspose"
    return at.write(name, args, out, macs=prod(sizes) * prod(weight.sizes[1:]))  # type: ignore[no-any-return]


@runs("MaxPool", "AveragePool", "LpPool")
def pool(at: At) -> Tensor | Sequence[Tensor]:
    x = at.x()
    n, c, *spatial = _map(x)
    kernel = at.node.integers("kernel_shape", None)
    if not kernel:
        raise Misfit("its kernel_shape is missing")
    stride, padding, dilation = _windows(at, spatial, kernel)
    ceil = bool(at.node.integer("ceil_mode", 0))
    out = [_slid(ceil, n, *one) for n, *one in zip(spatial, kernel, stride, padding, dilation, strict=True)]
    if at.node.op == "MaxPool" and not ceil:
        # what old exporters pad behind a map so that the last windows fit is no padding of theirs
        rounded = [
            one[0] if isinstance(one, tuple) and one[1] > k // 2 else one
            for one, k in zip(padding, kernel, strict=True)
        ]
        windows = zip(spatial, kernel, stride, rounded, dilation, strict=True)
        if rounded != padding and [_slid(True, *one) for one in windows] == out:
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
    return at.write(target, args, (n, c, *out))  # type: ignore[no-any-return]


@runs("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def over_map(at: At) -> Tensor:
    x = at.x()
    n, c, *spatial = _map(x)
    dims = list(range(2, len(spatial) + 2))
    name = {"GlobalAveragePool": "aten.mean", "GlobalMaxPool": "aten.amax"}.get(at.node.op, "GlobalLpPool")
    args = {"self": x, "dim": dims, "keepdim": True}
    return at.write(name, args, (n, c, *[1] * len(spatial)))  # type: ignore[no-any-return]


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
    dims = sorted({_axis(a, rank) for a in axes})
    keeps = bool(at.node.integer("keepdims", 1))
    sizes = [1 if i in dims else n for i, n in enumerate(x.sizes) if keeps or i not in dims]
    if 0 in dims and x.flows and x.sizes[0] == at.run.batch:
        raise Misfit("it joins the samples of the batch")
    args = {"self": x, "dim": dims, "keepdim": keeps}
    return at.write(_REDUCED[at.node.op], args, sizes)  # type: ignore[no-any-return]


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
        ratios = [n / x.sizes[_axis(axis, rank)] for axis, n in zip(axes, asked, strict=True)]
        least = min(ratios) if policy == "not_larger" else max(ratios)
        given = [floor(least * x.sizes[_axis(axis, rank)] + 0.5) for axis in axes]
    for axis, one in zip(axes, given, strict=True):
        axis = _axis(axis, rank)
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
        return at.write("Resize", {"self": x}, sizes)  # type: ignore[no-any-return]
    args: dict[str, Any] = {"input": x, "mode": mode}
    if asked:
        args["size"] = sizes[2:]
    else:
        args["scale_factor"] = [int(f) if float(f).is_integer() else f for f in factors[2:]]
    if at.node.text("coordinate_transformation_mode", "half_pixel") == "align_corners":
        args["align_corners"] = True
    if at.node.integer("antialias", 0):
        args["antialias"] = True
    return at.write("torch.interpolate", args, sizes)  # type: ignore[no-any-return]


# --- matrix products --------------------------------------------------------------------------------


def _linear(at: At, x: Tensor, weight: Tensor, bias: Tensor | None, turned: bool) -> Tensor:
    """A product with a constant matrix, ``turned`` where its rows are the inputs."""
    if turned:
        if weight.key:
            weight = Tensor(weight.sizes[::-1], weight.dtype, key=weight.key)
        else:
            args = {"self": weight, "dim0": 0, "dim1": 1}
            weight = at.write("aten.transpose", args, weight.sizes[::-1], dtype=weight.dtype)
    out = (*x.sizes[:-1], weight.sizes[0])
    args = {"input": x, "weight": weight, "bias": bias}
    return at.write("torch.linear", args, out, macs=prod(out) * weight.sizes[1])  # type: ignore[no-any-return]


@runs("Gemm")
def gemm(at: At) -> Tensor:
    a, b = at.x(), at.x(1)
    if len(a.sizes) != 2 or len(b.sizes) != 2:
        raise Misfit(f"{_times(a.sizes)} and {_times(b.sizes)} are not both matrices")
    left, right = bool(at.node.integer("transA", 0)), bool(at.node.integer("transB", 0))
    m, k = a.sizes[::-1] if left else a.sizes
    k2, n = b.sizes[::-1] if right else b.sizes
    if k != k2:
        raise Misfit(f"{m}x{k} and {k2}x{n} cannot be multiplied")
    alpha, beta = at.node.decimal("alpha", 1.0), at.node.decimal("beta", 1.0)
    bias = at.given(2)
    if bias is not None:
        broadcast((m, n), bias.sizes)
        if bias.key and bias.sizes == (1, n):
            bias = Tensor((n,), bias.dtype, key=bias.key)
    plain = not left and alpha == 1 and (bias is None or (beta == 1 and bias.sizes == (n,)))
    if plain and a.flows and not b.flows:
        return _linear(at, a, b, bias, turned=not right)
    args = {"self": a, "mat2": b, "bias": bias}
    return at.write("Gemm", args, (m, n), macs=m * n * k)  # type: ignore[no-any-return]


@runs("MatMul")
def matmul(at: At) -> Tensor:
    a, b = at.x(), at.x(1)
    sizes, macs = _multiplied(at)
    if a.flows and not b.flows and len(b.sizes) == 2 and len(a.sizes) > 1:
        if at.run.adds(at):
            found = Tensor(sizes, a.dtype)
            found.waiting = lambda bias: _linear(at, a, b, bias, turned=True)
            return found
        return _linear(at, a, b, None, turned=True)
    return at.write("torch.matmul", {"input": a, "other": b}, sizes, macs=macs)  # type: ignore[no-any-return]


def _multiplied(at: At) -> tuple[tuple[int, ...], int]:
    """The sizes of what a product of matrices makes, and its multiply-accumulates."""
    a, b = at.x(), at.x(1)
    if not a.sizes or not b.sizes:
        raise Misfit("a single number is no matrix")
    left = a.sizes if len(a.sizes) > 1 else (1, *a.sizes)
    right = b.sizes if len(b.sizes) > 1 else (*b.sizes, 1)
    if left[-1] != right[-2]:
        raise Misfit(f"{_times(a.sizes)} and {_times(b.sizes)} cannot be multiplied")
    whole = (*broadcast(left[:-2], right[:-2]), left[-2], right[-1])
    sizes = list(whole)
    if len(b.sizes) == 1:
        sizes.pop()
    if len(a.sizes) == 1:
        sizes.pop(-2 if len(b.sizes) > 1 else -1)
    return tuple(sizes), prod(whole) * left[-1]


@runs("Einsum")
def einsum(at: At) -> Tensor:
    tensors = [one for one in at.inputs if one is not None]
    equation = at.node.text("equation").replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(tensors) or "." in equation:
        raise Misfit(f"its equation {equation!r} is not one that is read")
    known: dict[str, int] = {}
    for term, one in zip(terms, tensors, strict=True):
        if len(term) != len(one.sizes):
            raise Misfit(f"{term} does not name the axes of {_times(one.sizes)}")
        for letter, n in zip(term, one.sizes, strict=True):
            if known.setdefault(letter, n) not in (n, 1) and n != 1:
                raise Misfit(f"{letter} is {known[letter]} and {n}")
            known[letter] = max(known[letter], n)
    if not arrow:
        right = "".join(sorted(one for one in known if left.count(one) == 1))
    if any(one not in known for one in right):
        raise Misfit(f"its equation {equation!r} makes axes of nothing")
    sizes = [known[one] for one in right]
    if len(tensors) == 2:
        made = _product(at, terms, right, known)
        if made is not None:
            return made
    macs = {1: 0, 2: prod(known.values())}.get(len(tensors))
    return at.write("aten.einsum", {"tensors": tensors}, sizes, macs=macs)  # type: ignore[no-any-return]


def _product(at: At, terms: Sequence[str], out: str, known: Mapping[str, int]) -> Tensor | None:
    """A sum over products of two tensors as a product of matrices; ``None`` where it is none."""
    a, b = at.x(), at.x(1)
    first, second = terms
    summed = [one for one in first if one in second and one not in out]
    both = [one for one in out if one in first and one in second]
    left, right = ([one for one in out if one in term and one not in both] for term in terms)
    plain = all(len(set(term)) == len(term) for term in (first, second, out))
    whole = all(
        len(term) == len(own) + len(both) + len(summed)
        for term, own in zip(terms, (left, right), strict=True)
    )
    if (
        not plain
        or not whole
        or not summed
        or any(
            n != known[one]
            for term, x in zip(terms, (a, b), strict=True)
            for one, n in zip(term, x.sizes, strict=True)
        )
    ):
        return None

    def turned(x: Tensor, term: Sequence[str], order: Sequence[str]) -> Tensor:
        if list(term) == list(order):
            return x
        dims = [list(term).index(one) for one in order]
        return at.write("aten.permute", {"self": x, "dims": dims}, [x.sizes[i] for i in dims])  # type: ignore[no-any-return]

    def viewed(x: Tensor, sizes: Sequence[int]) -> Tensor:
        return x if x.sizes == tuple(sizes) else at.write("aten.view", {"self": x}, sizes)

    if a.flows and not b.flows and len(second) == 2 and len(summed) == len(right) == 1:
        x = turned(a, first, [*left, *summed])
        made = _linear(at, x, b, None, turned=second == summed[0] + right[0])
        return turned(made, [*left, *right], out)
    many, over, rows, columns = (prod(known[one] for one in some) for some in (both, summed, left, right))
    lead = [known[one] for one in both]
    x = viewed(turned(a, first, [*both, *left, *summed]), [*lead, rows, over])
    y = viewed(turned(b, second, [*both, *summed, *right]), [*lead, over, columns])
    macs = many * rows * columns * over
    made = at.write("torch.matmul", {"input": x, "other": y}, [*lead, rows, columns], macs=macs)
    made = viewed(made, [known[one] for one in (*both, *left, *right)])
    return turned(made, [*both, *left, *right], out)


# --- value by value ---------------------------------------------------------------------------------

_PLAIN = {
    "Relu": "aten.relu", "Sigmoid": "aten.sigmoid", "Tanh": "aten.tanh", "Softplus": "aten.softplus",
    "Softsign": "torch.softsign", "HardSwish": "aten.hardswish", "Mish": "aten.mish", "Swish": "aten.silu",
    "Celu": "aten.celu", "ThresholdedRelu": "aten.threshold", "Shrink": "aten.softshrink",
    "Abs": "aten.abs", "Acos": "aten.acos", "Asin": "aten.asin", "Atan": "aten.atan", "Ceil": "aten.ceil",
    "Cos": "aten.cos", "Cosh": "aten.cosh", "Sin": "aten.sin", "Sinh": "aten.sinh", "Tan": "aten.tan",
    "Erf": "aten.erf", "Exp": "aten.exp", "Floor": "aten.floor", "Log": "aten.log", "Neg": "aten.neg",
    "Reciprocal": "aten.reciprocal", "Round": "aten.round", "Sign": "aten.sign", "Sqrt": "aten.sqrt",
    "Not": "aten.logical_not", "IsNaN": "aten.isnan", "IsInf": "aten.isinf", "BitwiseNot": "aten.bitwise_not",
    "Asinh": "aten.asinh", "Acosh": "aten.acosh", "Atanh": "aten.atanh",
}  # fmt: skip


@runs(*_PLAIN)
def plain(at: At) -> Tensor:
    x = at.x()
    return at.write(_PLAIN[at.node.op], {"self": x}, x.sizes)  # type: ignore[no-any-return]


@runs("LeakyRelu")
def leaky_relu(at: At) -> Tensor:
    x = at.x()
    slope = _plainly(at.node.decimal("alpha", 0.01))
    return at.write("aten.leaky_relu", {"self": x, "negative_slope": slope}, x.sizes)  # type: ignore[no-any-return]


def _plainly(value: float) -> float:
    """A number that was written with 32 bits as it was meant: 0.1 for 0.10000000149.

    >>> _plainly(0.10000000149011612)
    0.1
    """
    return float(f"{value:.7g}")


@runs("Elu", "Selu")
def elu(at: At) -> Tensor:
    x = at.x()
    if at.node.op == "Selu":
        return at.write("aten.elu", {"self": x, "scale": 1.0507}, x.sizes)  # type: ignore[no-any-return]
    alpha = _plainly(at.node.decimal("alpha", 1.0))
    return at.write("aten.elu", {"self": x, "alpha": int(alpha) if alpha.is_integer() else alpha}, x.sizes)  # type: ignore[no-any-return]


@runs("HardSigmoid")
def hard_sigmoid(at: At) -> Tensor:
    x = at.x()
    as_torch = isclose(at.node.decimal("alpha", 0.2), 1 / 6, rel_tol=1e-3)
    name = "aten.hardsigmoid" if as_torch else "HardSigmoid"
    return at.write(name, {"self": x}, x.sizes)  # type: ignore[no-any-return]


@runs("Gelu")
@runs("Gelu", domain="com.microsoft")
def gelu(at: At) -> Tensor:
    x = at.x()
    return at.write("aten.gelu", {"self": x, "approximate": at.node.text("approximate", "none")}, x.sizes)  # type: ignore[no-any-return]


@runs("PRelu")
def prelu(at: At) -> Tensor:
    x, weight = at.x(), at.x(1)
    if len(weight.sizes) != 1 or weight.sizes != x.sizes[1:2]:  # as it was before version 7
        broadcast(x.sizes, weight.sizes)
    if weight.key and prod(weight.sizes) == max(weight.sizes, default=1):
        weight = Tensor((prod(weight.sizes),), weight.dtype, key=weight.key)
    return at.write("aten.prelu", {"self": x, "weight": weight}, x.sizes)  # type: ignore[no-any-return]


@runs("Clip")
def clip(at: At) -> Tensor:
    x = at.x()
    limits: list[Any] = []
    for index, name in enumerate(("min", "max"), 1):
        one: Any = at.node.decimal(name) if name in at.node.attributes else None
        given = at.given(index)
        if given is not None:
            one = given.values[0] if given.values else float("nan")
        limits.append(None if one is None or abs(one) > 3e38 else _number(one))
    return at.write("aten.clamp", {"self": x, "min": limits[0], "max": limits[1]}, x.sizes)  # type: ignore[no-any-return]


def _number(value: Any) -> Any:
    found = _plainly(value) if isinstance(value, float) else value
    return int(found) if isinstance(found, float) and found.is_integer() else found


_BINARY = {
    "Add": "aten.add", "Sub": "aten.sub", "Mul": "aten.mul", "Div": "aten.div", "Pow": "aten.pow",
    "Mod": "aten.remainder", "Equal": "aten.eq", "Less": "aten.lt", "Greater": "aten.gt",
    "LessOrEqual": "aten.le", "GreaterOrEqual": "aten.ge", "And": "aten.logical_and", "Or": "aten.logical_or",
    "Xor": "aten.logical_xor", "Max": "aten.maximum", "Min": "aten.minimum", "Sum": "aten.add",
    "BitShift": "BitShift", "BitwiseAnd": "aten.bitwise_and", "BitwiseOr": "aten.bitwise_or",
    "BitwiseXor": "BitwiseXor", "Mean": "Mean",
}  # fmt: skip
_BOOLEAN = frozenset(["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Xor"])


@runs(*_BINARY)
def binary(at: At) -> Tensor:
    tensors = [one for one in at.inputs if one is not None]
    op = at.node.op
    if not tensors:
        raise Misfit("it reads nothing")
    dtype = "bool" if op in _BOOLEAN else ""
    if op == "Add" and len(tensors) == 2:
        for x, other in (tensors, tensors[::-1]):
            if x.waiting is not None and not other.flows:
                width = x.sizes[-1]
                if (
                    other.key
                    and prod(other.sizes) == other.sizes[-1] == width
                    and len(other.sizes) <= len(x.sizes)
                ):
                    return x.waiting(Tensor((width,), other.dtype, other.values, other.key))
    made = tensors[0]
    if len(tensors) == 1:
        return at.write("aten.alias", {"self": made}, made.sizes)  # type: ignore[no-any-return]
    if op == "Mean":
        sizes = broadcast(*(one.sizes for one in tensors))
        return at.write("Mean", {"tensors": tensors}, sizes)  # type: ignore[no-any-return]
    for other in tensors[1:]:
        sizes = broadcast(made.sizes, other.sizes)
        a, b = _plain_number(made), _plain_number(other)
        if made.flows or other.flows:
            flowing, number = (made, b) if made.flows else (other, a)
            if number is not None and flowing.sizes == sizes:
                name = _BINARY[op]
                if flowing is other and op in ("Sub", "Div", "Pow", "Less", "Greater", "Mod"):
                    name = {"Sub": "aten.rsub", "Div": "aten.reciprocal"}.get(op, name)
                args: dict[str, Any] = {"self": flowing, "other": number}
                if op == "Pow":
                    args = (
                        {"self": made, "exponent": number}
                        if flowing is made
                        else {"self": number, "exponent": other}
                    )
                made = at.write(name, args, sizes, dtype=dtype)
                continue
        made = at.write(_BINARY[op], {"self": made, "other": other}, sizes, dtype=dtype)
    return made


def _plain_number(tensor: Tensor) -> float | None:
    """The number that a constant is; ``None`` where it is none, or a weight of one value."""
    if tensor.flows or tensor.values is None or len(tensor.values) != 1:
        return None
    if tensor.key and "." in tensor.key and tensor.key[:1] != "/":
        return None
    value = tensor.values[0]
    return float(value) if isinstance(value, int | float) else None


@runs("Where")
def where(at: At) -> Tensor:
    condition, a, b = at.x(), at.x(1), at.x(2)
    sizes = broadcast(condition.sizes, a.sizes, b.sizes)
    args = {"condition": condition, "self": a, "other": b}
    return at.write("aten.where", args, sizes, dtype=a.dtype)  # type: ignore[no-any-return]


@runs("Softmax", "LogSoftmax", "Hardmax")
def softmax(at: At) -> Tensor:
    x = at.x()
    old = at.node.version < 13
    dim = _axis(at.node.integer("axis", 1 if old else -1), len(x.sizes))
    name = {"Softmax": "aten._softmax", "LogSoftmax": "aten._log_softmax"}.get(at.node.op, "Hardmax")
    # before, it was over all axes from that one on together
    if old and prod(x.sizes[dim + 1 :]) != 1:
        wide = [i for i in range(dim, len(x.sizes)) if x.sizes[i] != 1]
        if len(wide) > 1:
            name = at.node.op
        elif wide:
            dim = wide[0]
    return at.write(name, {"self": x, "dim": dim}, x.sizes)  # type: ignore[no-any-return]


# --- normalization ----------------------------------------------------------------------------------


@runs("BatchNormalization")
def batch_norm(at: At) -> Sequence[Tensor]:
    x = at.x()
    if len(x.sizes) < 2:
        raise Misfit(f"{_times(x.sizes)} has no channels")
    parts = [_flat(at.x(i), x.sizes[1]) for i in range(1, 5)]
    scale, bias, mean, var = [one for one in parts if one is not None]
    args = {
        "input": x,
        "weight": scale,
        "bias": bias,
        "running_mean": _kept(at, mean),
        "running_var": _kept(at, var),
        "eps": _plainly(at.node.decimal("epsilon", 1e-5)),
        "momentum": _plainly(1 - _plainly(at.node.decimal("momentum", 0.9))),
    }
    made = at.write("aten._native_batch_norm_legit_no_training", args, x.sizes)
    return [made, *[Tensor(mean.sizes, mean.dtype)] * 4]


def _kept(at: At, tensor: Tensor) -> Tensor:
    """A tensor of the file that is not trained."""
    if not tensor.key:
        return tensor
    value = at.run.value(Tensor(tensor.sizes, tensor.dtype, key=tensor.key))
    value.trains = False
    return Tensor(tensor.sizes, tensor.dtype, tensor.values, tensor.key, value)


def _of_sizes(tensor: Tensor | None, sizes: tuple[int, ...]) -> Tensor | None:
    """A weight as it is meant, which may have been written down with further axes of 1."""
    if tensor is None or tensor.sizes == sizes:
        return tensor
    if not tensor.key or [n for n in tensor.sizes if n > 1] != [n for n in sizes if n > 1]:
        broadcast(tensor.sizes, sizes)
        return tensor
    return Tensor(sizes, tensor.dtype, tensor.values, tensor.key)


@runs("LayerNormalization", "RMSNormalization")
@runs("LayerNormalization", domain="com.microsoft")
def layer_norm(at: At) -> Sequence[Tensor]:
    x = at.x()
    axis = _axis(at.node.integer("axis", -1), len(x.sizes))
    rest = x.sizes[axis:]
    args = {
        "input": x,
        "normalized_shape": list(rest),
        "weight": _of_sizes(at.given(1), rest),
        "bias": _of_sizes(at.given(2), rest),
        "eps": _plainly(at.node.decimal("epsilon", 1e-5)),
    }
    name = "torch.rms_norm" if at.node.op.startswith("RMS") else "aten.native_layer_norm"
    made = at.write(name, args, x.sizes)
    return [made, *[Tensor((*x.sizes[:axis], *[1] * len(rest)), x.dtype)] * 2]


@runs("InstanceNormalization")
def instance_norm(at: At) -> Tensor:
    x = at.x()
    _map(x)
    args = {
        "input": x,
        "weight": _flat(at.given(1), x.sizes[1]),
        "bias": _flat(at.given(2), x.sizes[1]),
        "eps": _plainly(at.node.decimal("epsilon", 1e-5)),
    }
    return at.write("torch.instance_norm", args, x.sizes)  # type: ignore[no-any-return]


@runs("GroupNormalization")
def group_norm(at: At) -> Tensor:
    x = at.x()
    _map(x)
    groups = at.node.integer("num_groups", 1)
    args = {
        "input": x,
        "weight": _of_sizes(at.given(1), (x.sizes[1],)),
        "bias": _of_sizes(at.given(2), (x.sizes[1],)),
        "group": groups,
        "eps": _plainly(at.node.decimal("epsilon", 1e-5)),
    }
    return at.write("aten.native_group_norm", args, x.sizes)  # type: ignore[no-any-return]


@runs("LRN")
def lrn(at: At) -> Tensor:
    x = at.x()
    _map(x)
    args = {
        "input": x,
        "size": at.node.integer("size", 1),
        "alpha": _plainly(at.node.decimal("alpha", 1e-4)),
        "beta": _plainly(at.node.decimal("beta", 0.75)),
        "k": _plainly(at.node.decimal("bias", 1.0)),
    }
    return at.write("torch.local_response_norm", args, x.sizes)  # type: ignore[no-any-return]


@runs(
    "LpNormalization",
    "MeanVarianceNormalization",
    "CumSum",
    "ReverseSequence",
    "ScatterND",
    "ScatterElements",
    "Scatter",
)
def of_one_size(at: At) -> Tensor:
    x = at.x()
    reads = [one for one in at.inputs if one is not None]
    name = "aten.cumsum" if at.node.op == "CumSum" else at.node.op
    return at.write(name, {"inputs": reads}, x.sizes)  # type: ignore[no-any-return]


@runs("Trilu")
def triangle(at: At) -> Tensor:
    x = at.x()
    name = "aten.triu" if at.node.integer("upper", 1) else "aten.tril"
    given = at.given(1)
    by = given.values[0] if given is not None and given.values else None if given is not None else 0
    return at.write(name, {"self": x, "diagonal": by}, x.sizes)  # type: ignore[no-any-return]


@runs("GatherElements")
def gather_elements(at: At) -> Tensor:
    return at.write("aten.gather", {"self": at.x(), "index": at.x(1)}, at.x(1).sizes)  # type: ignore[no-any-return]


# --- whole numbers in the place of others -----------------------------------------------------------


def _trained(at: At, tensor: Tensor) -> Tensor:
    """A tensor of the file that is a weight, whatever its type."""
    if not tensor.key:
        return tensor
    value = at.run.value(Tensor(tensor.sizes, tensor.dtype, key=tensor.key))
    value.trains = True
    return Tensor(tensor.sizes, tensor.dtype, tensor.values, tensor.key, value)


@runs("QuantizeLinear", "DequantizeLinear")
def quantized(at: At) -> Tensor:
    """The same values in other numbers: no layer, and of a weight that weight."""
    x = at.x()
    dtype = "float32" if at.node.op.startswith("De") else "uint8"
    return at.write("aten.alias", {"self": x if x.flows else _trained(at, x)}, x.sizes, dtype=dtype)  # type: ignore[no-any-return]


@runs("DynamicQuantizeLinear")
def measured(at: At) -> Sequence[Tensor]:
    x = at.x()
    made = at.write("aten.alias", {"self": x}, x.sizes, dtype="uint8")
    return [made, Tensor((), "float32"), Tensor((), "uint8")]


#: Where operators on whole numbers have their weight and their bias.
_WHOLE = {"QLinearConv": (3, 8), "ConvInteger": (1, 9), "QLinearMatMul": (3, 9), "MatMulInteger": (1, 9)}


@runs(*_WHOLE)
def on_whole_numbers(at: At) -> Tensor:
    """A product of whole numbers: its shape and cost are those of the product."""
    weight, bias = _WHOLE[at.node.op]
    op = "Conv" if "Conv" in at.node.op else "MatMul"
    other = At(at.run, at.node, [at.x(), at.x(weight)], at.prefix)
    sizes, macs = (_convolved if op == "Conv" else _multiplied)(other)
    parts = [_trained(at, one) for one in (at.x(weight), at.given(bias)) if one is not None]
    dtype = "int32" if "Integer" in at.node.op else "uint8"
    return at.write(at.node.op, {"inputs": [at.x(), *parts]}, sizes, macs=macs, dtype=dtype)  # type: ignore[no-any-return]


# --- what has no op ---------------------------------------------------------------------------------


@runs("LSTM", "GRU", "RNN")
def recurrent(at: At) -> Sequence[Tensor]:
    x, weight, hidden = at.x(), at.x(1), at.x(2)
    if len(x.sizes) != 3 or len(weight.sizes) != 3 or len(hidden.sizes) != 3:
        raise Misfit("its input and weights have not three axes each")
    first = at.node.integer("layout", 0)
    batch, length = x.sizes[:2] if first else x.sizes[1::-1]
    ways, rows, size = weight.sizes[0], weight.sizes[1], hidden.sizes[2]
    if weight.sizes[2] != x.sizes[2] or hidden.sizes[:2] != (ways, rows):
        said = f"{_times(weight.sizes)} and {_times(hidden.sizes)}"
        raise Misfit(f"its weights of {said} are not for {x.sizes[2]} features")
    reads = [one for one in at.inputs if one is not None]
    macs = batch * length * ways * rows * (x.sizes[2] + size)
    whole = (batch, length, ways, size) if first else (length, ways, batch, size)
    last = (batch, ways, size) if first else (ways, batch, size)
    return at.write(at.node.op, {"inputs": reads}, whole, last, last, macs=macs)  # type: ignore[no-any-return]


@runs("Attention")
def attention(at: At) -> Sequence[Tensor]:
    """Attention of one operator, with its heads apart or as channels."""
    query, key, value = at.x(), at.x(1), at.x(2)
    if at.has(4) or at.has(5):
        raise Misfit("it reads keys and values of before")
    flat = len(query.sizes) == 3
    parts = []
    for tensor, name in ((query, "q_num_heads"), (key, "kv_num_heads"), (value, "kv_num_heads")):
        if flat:
            heads = at.node.integer(name, 0)
            n, length, channels = tensor.sizes
            if heads < 1 or channels % heads:
                raise Misfit(f"{channels} channels do not make {heads} heads")
            tensor = at.write("aten.view", {"self": tensor}, (n, length, heads, channels // heads))
            turned = (n, heads, length, channels // heads)
            tensor = at.write("aten.permute", {"self": tensor, "dims": [0, 2, 1, 3]}, turned)
        if len(tensor.sizes) != 4:
            raise Misfit(f"{_times(tensor.sizes)} is not batch x heads x length x channels")
        parts.append(tensor)
    q, k, v = (one.sizes for one in parts)
    if q[3] != k[3] or k[:3] != v[:3] or q[0] != k[0] or q[1] % k[1]:
        raise Misfit(f"queries of {_times(q)}, keys of {_times(k)} and values of {_times(v)} do not fit")
    args = {
        "query": parts[0],
        "key": parts[1],
        "value": parts[2],
        "attn_mask": at.given(3),
        "scale": at.node.decimal("scale", None),
        "is_causal": bool(at.node.integer("is_causal", 0)),
        "enable_gqa": q[1] != k[1],
    }
    sizes = (*q[:3], v[3])
    made = at.write("torch.attention", args, sizes, macs=prod(q[:3]) * k[2] * (q[3] + v[3]))
    if flat:
        back = (q[0], q[2], q[1], v[3])
        made = at.write("aten.permute", {"self": made, "dims": [0, 2, 1, 3]}, back)
        made = at.write("aten.view", {"self": made}, (q[0], q[2], q[1] * v[3]))
    return [made, key, value]


@runs("TopK")
def top(at: At) -> Sequence[Tensor]:
    x = at.x()
    dim = _axis(at.node.integer("axis", -1), len(x.sizes))
    count = at.node.integer("k") if "k" in at.node.attributes else (at.values(1) or [0])[0]
    sizes = (*x.sizes[:dim], count, *x.sizes[dim + 1 :])
    return at.write("aten.topk", {"self": x}, sizes, sizes)  # type: ignore[no-any-return]


@runs("OneHot")
def one_hot(at: At) -> Tensor:
    x = at.x()
    depth = (at.values(1) or [0])[0]
    dim = _axis(at.node.integer("axis", -1), len(x.sizes) + 1)
    return at.write("aten.one_hot", {"self": x}, (*x.sizes[:dim], int(depth), *x.sizes[dim:]))  # type: ignore[no-any-return]


@runs("GridSample")
def sampled(at: At) -> Tensor:
    x, grid = at.x(), at.x(1)
    sizes = (*x.sizes[:2], *grid.sizes[1:-1])
    return at.write(f"aten.grid_sampler_{len(sizes) - 2}d", {"input": x, "grid": grid}, sizes)  # type: ignore[no-any-return]


@runs("GatherND")
def gather_nd(at: At) -> Tensor:
    x, indices = at.x(), at.x(1)
    skips = at.node.integer("batch_dims", 0)
    deep = indices.sizes[-1] if indices.sizes else 0
    sizes = (*indices.sizes[:-1], *x.sizes[skips + deep :])
    return at.write("GatherND", {"inputs": [x, indices]}, sizes, dtype=x.dtype)  # type: ignore[no-any-return]
