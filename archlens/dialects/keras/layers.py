"""The layers of Keras, each as ops: one function for each kind, which places what one call of it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from ...counts import AtLeast
from ...elaboration.values import Tensor
from ...ops import OPS, Op
from ...ops.windows import shortest
from ...shape import Ids
from ...shape import broadcast as together
from .placing import (
    AXES_OF_OPS,
    LETTERS,
    Call,
    Held,
    Open,
    Places,
    layer,
    rearranging,
    shaped,
    turned,
    way,
)

# --- convolutions -----------------------------------------------------------------------------------


def _axes(call: Call) -> int:
    """The spatial axes of a class that names them: 2 for ``Conv2D``."""
    return int(next(c for c in call.entry.kind if c.isdigit()))


def _window(call: Call, n: int, kernel: str = "kernel_size") -> dict[str, Any]:
    """What convolutions share: the window, its step, its padding."""
    entry = call.entry
    sizes, dilation = entry.sizes(kernel, n), entry.sizes("dilation_rate", n, 1)
    padding: Any = entry.word("padding", "valid", "valid", "same", *(("causal",) if n == 1 else ()))
    if padding == "causal":
        padding = ((dilation[0] * (sizes[0] - 1), 0),)
    return {
        "kernel": shortest(sizes),
        "stride": shortest(entry.sizes("strides", n, 1)),
        "padding": 0 if padding == "valid" else padding,
        "dilation": shortest(dilation),
    }


@layer("Conv1D", "Conv2D", "Conv3D", "Convolution1D", "Convolution2D", "Convolution3D")
def _conv(call: Call) -> Held:
    n = _axes(call)
    x = call.map(n)
    return activated(
        call,
        call.as_map(
            call.put(
                "conv",
                x,
                channels=call.entry.whole("filters"),
                **_window(call, n),
                groups=call.entry.whole("groups", 1),
                bias=call.entry.flag("use_bias", True),
            )
        ),
    )


@layer("DepthwiseConv1D", "DepthwiseConv2D", "DepthwiseConv3D")
def _depthwise(call: Call) -> Held:
    n = _axes(call)
    x = call.map(n)
    channels = x.shape.channels
    y = call.put(
        "conv",
        x,
        channels=channels * call.entry.whole("depth_multiplier", 1),
        **_window(call, n),
        groups=channels,
        bias=call.entry.flag("use_bias", True),
    )
    return activated(call, call.as_map(y))


@layer(*[f"SeparableConv{n}D" for n in (1, 2, 3)], "SeparableConvolution1D", "SeparableConvolution2D")
def _separable(call: Call) -> Held:
    n = _axes(call)
    x = call.map(n)
    channels = x.shape.channels
    wide = channels * call.entry.whole("depth_multiplier", 1)
    filters, bias, window = call.entry.whole("filters"), call.entry.flag("use_bias", True), _window(call, n)
    with call.placing.scope(call.name, call.entry.kind):
        x = call.within("conv", x, "depthwise", channels=wide, **window, groups=channels, bias=False)
        x = call.within("conv", x, "pointwise", channels=filters, kernel=1, bias=bias)
    return activated(call, call.as_map(x))


@layer(*[f"Conv{n}DTranspose" for n in (1, 2, 3)], *[f"Convolution{n}DTranspose" for n in (2, 3)])
def _conv_transpose(call: Call) -> Held:
    n = _axes(call)
    x = call.map(n)
    entry = call.entry
    window = _window(call, n)
    strides, dilation = entry.sizes("strides", n, 1), entry.sizes("dilation_rate", n, 1)
    extents = [d * (f - 1) + 1 for f, d in zip(entry.sizes("kernel_size", n), dilation, strict=True)]
    if entry.config.get("output_padding") is not None:
        spare = entry.sizes("output_padding", n, least=0)
        if window["padding"] == "same":
            cut = list(map(_cut_away, extents, spare))
            spare = tuple([max(-after, 0) for _, after in cut])
            window["padding"] = tuple([(before, max(after, 0)) for before, after in cut])
    elif window["padding"] == "same":
        spare = (0,) * n  # the op's own rule: n*s
    else:
        spare = tuple([max(s - f, 0) for s, f in zip(strides, extents, strict=True)])
    y = call.put(
        "conv_transpose",
        x,
        channels=entry.whole("filters"),
        **window,
        output_padding=shortest(spare),
        bias=entry.flag("use_bias", True),
    )
    return activated(call, call.as_map(y))


def _cut_away(extent: int, spare: int) -> tuple[int, int]:
    """What TensorFlow cuts off at both ends so that ``(n - 1)s + f % 2 + o`` positions stay."""
    kept = extent + extent % 2 - 2 + spare
    before = min(kept - kept // 2, extent - 1)
    return extent - 1 - before, extent - 1 - (kept - before)


# --- poolings ---------------------------------------------------------------------------------------


@layer(
    *[f"{kind}Pool{end}{n}D" for kind in ("Max", "Average", "Avg") for end in ("", "ing") for n in (1, 2, 3)]
)
def _pool(call: Call) -> Held:
    n = _axes(call)
    x = call.map(n)
    kernel = call.entry.sizes("pool_size", n, 2)
    strides = call.entry.sizes("strides", n, kernel)
    padding = call.entry.word("padding", "valid", "valid", "same")
    further: dict[str, Any] = {}
    if not call.entry.kind.startswith("Max") and padding == "same":
        further["count_include_pad"] = False
    y = call.put(
        "max_pool" if call.entry.kind.startswith("Max") else "avg_pool",
        x,
        kernel=shortest(kernel),
        stride=None if strides == kernel else shortest(strides),
        padding=0 if padding == "valid" else padding,
        **further,
    )
    return call.as_map(y)


@layer(
    *[
        f"Global{kind}Pool{end}{n}D"
        for kind in ("Max", "Average", "Avg")
        for end in ("", "ing")
        for n in (1, 2, 3)
    ]
)
def _global_pool(call: Call) -> Held:
    y = call.put("global_max_pool" if "Max" in call.entry.kind else "global_avg_pool", call.map(_axes(call)))
    if call.entry.config.get("keepdims") is True:
        return call.as_map(y)
    return Held(call.put("flatten", y, suffix="flatten"), (0,))


@layer(*[f"Adaptive{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)])
def _adaptive_pool(call: Call) -> Held:
    n = _axes(call)
    op = "adaptive_max_pool" if "Max" in call.entry.kind else "adaptive_avg_pool"
    return call.as_map(call.put(op, call.map(n), size=shortest(call.entry.sizes("output_size", n))))


# --- positions --------------------------------------------------------------------------------------


@layer("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def _zero_padding(call: Call) -> Held:
    n = _axes(call)
    sides = call.entry.sides("padding", n, 1)
    if all(before == after for before, after in sides):
        return call.as_map(call.put("pad", call.map(n), padding=shortest(tuple([one for one, _ in sides]))))
    return call.as_map(call.put("pad", call.map(n), padding=sides))


@layer("Cropping1D", "Cropping2D", "Cropping3D")
def _cropping(call: Call) -> Held:
    n = _axes(call)
    x = call.map(n)
    return call.as_map(_cropped(call, x, call.entry.sides("cropping", n, 1 if n < 2 else 0)))


def _cropped(call: Call, x: Tensor, sides: Sequence[tuple[int, int]]) -> Tensor:
    """Positions cut off at both sides of each axis: the centre that stays, or slices."""
    sizes = [n - before - after for n, (before, after) in zip(x.shape.spatial, sides, strict=True)]
    if min(sizes) < 1:
        raise call.entry.refuse(f"it cuts away all of {x.shape}")
    halves = zip(x.shape.spatial, sizes, sides, strict=True)
    if all((n - size) // 2 == before for n, size, (before, _) in halves):
        return call.put("crop", x, size=shortest(tuple(sizes)))
    cut = [(axis, pair) for axis, pair in zip(x.shape.axes, sides, strict=True) if any(pair)]
    if len(cut) == 1:
        ((axis, (before, after)),) = cut
        return call.put("slice", x, start=before, stop=-after or None, axis=axis)
    with call.placing.scope(call.name, call.entry.kind):
        for axis, (before, after) in cut:
            x = call.within("slice", x, axis, start=before, stop=-after or None, axis=axis)
    return x


@layer("UpSampling1D", "UpSampling2D", "UpSampling3D")
def _upsampling(call: Call) -> Held:
    n = _axes(call)
    mode = call.entry.text("interpolation", "nearest") if n == 2 else "nearest"
    scale = call.entry.sizes("size", n, 2)
    x = call.map(n)
    if mode in _MODES:
        return call.as_map(call.put("upsample", x, scale=shortest(scale), mode=_MODES[mode]))
    shape = x.shape
    made = call.as_map(x)
    sizes = dict(
        zip(made.axes, (shape[0], *[k * s for k, s in zip(shape[1:], scale, strict=True)]), strict=True)
    )
    return call.opaque([sizes[axis] for axis in sorted(sizes)], like=made, reason=_INTERPOLATION)


#: Interpolations by their names here, and what is said of the others.
_MODES = {"nearest": "nearest", "bilinear": "bilinear", "bicubic": "bicubic"}
_INTERPOLATION = "archlens has no such interpolation"


@layer("Resizing")
def _resizing(call: Call) -> Held:
    x = call.map(2)
    size = (call.entry.whole("height"), call.entry.whole("width"))
    mode = call.entry.text("interpolation", "bilinear")
    plain = not any(
        call.entry.config.get(one) for one in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias")
    )
    stretched = all(size % n == 0 for n, size in zip(x.shape.spatial, size, strict=True))
    if mode == "nearest" and not stretched:
        return _sized(call, x, size, "what is nearest is rounded in another way here")
    if mode in _MODES and plain:
        return call.as_map(call.put("upsample", x, size=shortest(size), mode=_MODES[mode]))
    return _sized(call, x, size, _INTERPOLATION)


def _sized(call: Call, x: Tensor, size: tuple[int, int], reason: str) -> Held:
    made = call.as_map(x)
    sizes = dict(zip(made.axes, (x.shape.channels, *size), strict=True))
    return call.opaque([sizes[axis] for axis in sorted(sizes)], like=made, reason=reason)


@layer("CenterCrop", "RandomCrop")
def _center_crop(call: Call) -> Held:
    x = call.map(2)
    size = (call.entry.whole("height"), call.entry.whole("width"))
    if all(n >= kept for n, kept in zip(x.shape.spatial, size, strict=True)):
        return call.as_map(call.put("crop", x, size=shortest(size)))
    return _sized(call, x, size, "a map smaller than the crop is resized first")


# --- what is nothing at inference -------------------------------------------------------------------


@layer(
    *("Identity", "InputLayer", "Masking", "ActivityRegularization"),
    *("GaussianNoise", "GaussianDropout", "AlphaDropout"),
    *(
        "RandomFlip",
        "RandomRotation",
        "RandomZoom",
        "RandomTranslation",
        "RandomContrast",
        "RandomBrightness",
    ),
    *("RandomHue", "RandomSaturation", "RandomGrayscale", "RandomColorJitter", "RandomColorDegeneration"),
    *("RandomSharpness", "RandomShear", "RandomPosterization", "RandomInvert", "RandomGaussianBlur"),
    *("RandomPerspective", "RandomElasticTransform", "RandomErasing", "RandomApply", "RandomChoice"),
    *("RandAugment", "AugMix", "MixUp", "CutMix", "Solarization", "Equalization", "AutoContrast"),
)
def _nothing(call: Call) -> Held:
    return call.x


@layer("Dropout")
def _dropout(call: Call) -> Held:
    x = call.x
    p = call.entry.number("rate", 0.5)
    kept = call.entry.config.get("noise_shape")
    if isinstance(kept, list) and len(kept) == len(x.shape) + 1 and all(n == 1 for n in kept[1:]):
        return Held(call.put("stochastic_depth", x.tensor, p=p), x.axes)
    return Held(call.put("dropout", x.tensor, p=p), x.axes)


@layer("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
def _spatial_dropout(call: Call) -> Held:
    return call.as_map(call.put("spatial_dropout", call.map(_axes(call)), p=call.entry.number("rate", 0.5)))


# --- shapes -----------------------------------------------------------------------------------------


@layer("Flatten")
def _flatten(call: Call) -> Held:
    x = call.x
    return x if len(x.shape) == 1 else Held(call.put("flatten", x.tensor), (0,))


@layer("Reshape")
def _reshape(call: Call) -> Held:
    target = call.entry.config.get("target_shape")
    return reshaped(call, call.x, target)


def reshaped(call: Call, x: Held, target: Any) -> Held:
    """The same values in another shape of Keras'."""
    entry = call.entry
    total = prod(x.shape)
    fits = isinstance(target, list | tuple) and 1 <= len(target) <= 8
    if not fits or not all(type(n) is int and (n == -1 or 1 <= n <= total) for n in target):
        raise entry.refuse(f"its shape must be a list of sizes that hold {total:,} values")
    known = prod(n for n in target if n != -1)
    free = list(target).count(-1)
    if free > 1 or (total % known if free else total != known):
        raise entry.refuse(f"{shaped(x.shape)} holds {total:,} values, which {shaped(target)} cannot hold")
    shape = tuple([total // known if n == -1 else n for n in target])
    if shape == x.shape:
        return x
    rank = len(shape)
    to = tuple(range(rank)) if call.placing.first else turned(rank)
    sizes = [shape[axis] for axis in to]
    # the op moves no value, and takes and gives channels that come first
    if rank == 1 and (x.straight or not x.last):
        return Held(call.put("flatten", x.tensor), (0,))
    if rank <= 4 and not x.last:
        apart = [axis for axis, size in zip(to, sizes, strict=True) if size > 1]
        if (x.straight and apart == sorted(apart)) or _is_free(call, x):
            return Held(call.put("reshape", x.tensor, shape=tuple(sizes)), to)
    if rank > 1 and len(x.shape) > 1 and shape[-1] == x.shape[-1]:
        if rank == 2 and len(x.shape) < 5 and (x.last or x.axes == turned(len(x.shape))):
            return Held(call.put("tokens", x.tensor), (0, 1))
        if rank <= 4 and len(x.shape) <= 4:
            first = call.placing.arranged(x, turned(len(x.shape)), False, call.name)
            return Held(call.put("reshape", first, shape=(shape[-1], *shape[:-1])), turned(rank))
    if not _in_order(call, x):
        return call.opaque(shape, tensors=[x], reason="its values stand in another order here")
    if len(x.shape) > 1:
        before, after = " ".join(LETTERS[axis] for axis in x.axes), LETTERS[: len(x.shape)]
        flat = call.put("rearrange", x.tensor, pattern=f"{before} -> ({' '.join(after)})", suffix="flatten")
        x = Held(flat, (0,))
    if rank == 1:
        return x
    sizes_of = " ".join(f"{letter}={size}" for letter, size in zip(LETTERS, shape, strict=False))
    pattern = f"({sizes_of}) -> {' '.join(LETTERS[:rank])}"
    last = not call.placing.first
    y = call.put("rearrange", x.tensor, pattern=pattern, channels="last" if last else "first")
    return Held(y, tuple(range(rank)))


def _in_order(call: Call, x: Held) -> bool:
    """Whether the values of a vector stand as Keras has them, not flattened with the channels first."""
    name = x.tensor.name
    if len(x.shape) > 1:
        return True
    for one in reversed(call.placing.builder.layers):
        if one.name == name:
            if one.op.kind in ("linear", "rearrange", "mean", "amax"):
                return True
            if one.op.kind == "flatten":
                (before,) = one.input_shapes
                return before.channels_last or before.numel == before.channels
            if len(one.inputs) > 1 or one.op.kind == "opaque":
                return False
            name = one.inputs[0]
    return True


def _is_free(call: Call, x: Held) -> bool:
    """Whether a linear layer gives a vector, whose order is then that of its weights and nobody else's."""
    layers, name = call.placing.builder.layers, x.tensor.name
    if len(x.shape) != 1:
        return False
    for one in reversed(layers):
        if one.name == name:
            if one.op.kind == "linear":
                return True
            if one.op.family not in ("activation", "regularization") and one.op.kind != "batch_norm":
                return False
            name = one.inputs[0]
    return False


@layer("Permute")
def _permute(call: Call) -> Held:
    x = call.x
    dims = call.entry.config.get("dims")
    if not isinstance(dims, list) or sorted(dims, key=str) != sorted(range(1, len(x.shape) + 1), key=str):
        raise call.entry.refuse(f"its dims must be the axes 1 to {len(x.shape)} in another order")
    return permuted(call, x, [axis - 1 for axis in dims])


def permuted(call: Call, x: Held, dims: Sequence[int]) -> Held:
    """A tensor whose axes are those of another in another order."""
    rank = len(dims)
    places = {axis: i for i, axis in enumerate(dims)}
    axes = tuple([places[axis] for axis in x.axes])
    straight = tuple(range(rank))
    if rank == 1 or axes in (straight, turned(rank)):
        return Held(x.tensor, axes)
    for wanted, last in ((turned(rank), False), (straight, True), (straight, False)):
        ops = way(axes, x.last, wanted, last)
        if ops and len(ops) == 1:
            return Held(call.put(ops[0], x.tensor), wanted)
    last = not call.placing.first
    return Held(call.put(rearranging(axes, straight, last), x.tensor), straight)


def regrouped(call: Call, x: Held, parts: Sequence[Sequence[int]], last: bool = True) -> Tensor:
    """A tensor each of whose axes is several of Keras', the first of them the outermost."""
    if all(len(part) == 1 for part in parts):
        return call.placing.arranged(x, tuple([axis for (axis,) in parts]), last, call.name)
    return call.placing.once(
        (x.tensor.name, x.axes, str(parts), last),
        lambda: call.put(_merging_axes(x.axes, parts, last), x.tensor, suffix="rows"),
    )


def _merging_axes(axes: Sequence[int], parts: Sequence[Sequence[int]], last: bool) -> Op:
    before, after = " ".join(LETTERS[axis] for axis in axes), " ".join(map(_group, parts))
    return OPS["rearrange"](pattern=f"{before} -> {after}", channels="last" if last else "first")


def ungrouped(call: Call, y: Tensor, parts: Sequence[Sequence[int]], sizes: Sequence[int]) -> Held:
    """A tensor of these sizes in Keras, of one each of whose axes is several of its."""
    if all(len(part) == 1 for part in parts):
        return Held(y, tuple([axis for (axis,) in parts]))
    axes = tuple(range(len(sizes)))
    pattern = (
        f"{' '.join(_group(part, sizes) for part in parts)} -> {' '.join(LETTERS[axis] for axis in axes)}"
    )
    channels = "first" if call.placing.first else "last"
    return Held(call.put("rearrange", y, pattern=pattern, channels=channels, suffix="apart"), axes)


def _group(part: Sequence[int], sizes: Sequence[int] | None = None) -> str:
    """Axes that are one, as patterns have it."""
    if len(part) == 1:
        return LETTERS[part[0]]
    said = [LETTERS[axis] + (f"={sizes[axis]}" if sizes is not None else "") for axis in part]
    return f"({' '.join(said)})" if part else "1"


@layer("RepeatVector")
def _repeat_vector(call: Call) -> Held:
    (features,) = _flat(call)
    n = call.entry.whole("n")
    x = call.put("reshape", call.x.tensor, shape=(features, 1), suffix="reshape")
    return Held(call.put("upsample", x, size=n), turned(2))


def _flat(call: Call) -> tuple[int, ...]:
    if len(call.x.shape) != 1:
        raise call.entry.refuse(f"it reads a vector, and is called with {shaped(call.x.shape)}")
    return call.x.shape


# --- products ---------------------------------------------------------------------------------------


@layer("Dense")
def _dense(call: Call) -> Held:
    return activated(call, dense(call, call.x, call.entry.whole("units"), call.entry.flag("use_bias", True)))


def dense(call: Call, x: Held, units: int, bias: bool) -> Held:
    """A matrix product over the last axis of Keras'."""
    y = call.put("linear", call.last(x) if len(x.shape) > 1 else x.tensor, features=units, bias=bias)
    return Held(y, tuple(range(len(x.shape))))


@layer("Embedding")
def _embedding(call: Call) -> Held:
    entry = call.entry
    rows, width = entry.whole("input_dim"), entry.whole("output_dim")
    ids = call.x.tensor.shape
    if isinstance(ids, Ids) and ids.below == rows:
        return Held(call.put("embedding", call.x.tensor, width=width), tuple(range(len(ids) + 1)))
    return call.opaque(
        (*call.x.shape, width),
        weights={"embeddings": (rows, width)},
        reason="each value of its input is looked up in a table",
    )


# --- normalization ----------------------------------------------------------------------------------


@layer("BatchNormalization", "SyncBatchNormalization")
def _batch_norm(call: Call) -> Held:
    x, entry = call.x, call.entry
    axes = entry.axes("axis", len(x.shape), -1)
    if len(axes) != 1:
        raise entry.refuse("its axis must be a single one")
    size = x.shape[axes[0]]
    scale, center = entry.flag("scale", True), entry.flag("center", True)
    found = call.with_channels(x, axes[0])
    if found is not None and not entry.config.get("renorm"):
        learned: dict[str, Any] = {"scale": scale, "center": center} if scale or center else {"affine": False}
        made = call.put(
            "batch_norm",
            found[0],
            eps=entry.number("epsilon", 1e-3),
            momentum=round(1 - entry.number("momentum", 0.99), 12),
            **learned,
        )
        return Held(made, found[1])
    renorm = ("renorm_mean", "renorm_stddev") if entry.config.get("renorm") else ()
    return call.opaque(
        x.shape,
        like=x,
        weights=_scale_and_shift(scale, center, (size,)),
        buffers=dict.fromkeys(("moving_mean", "moving_variance", *renorm), (size,)),
        pointwise=True,
        reason="archlens has no op for batch norm along this axis, or with renorm",
    )


def _scale_and_shift(scale: bool, center: bool, shape: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return {name: shape for name, there in (("gamma", scale), ("beta", center)) if there}


@layer("LayerNormalization")
def _layer_norm(call: Call) -> Held:
    x, entry = call.x, call.entry
    axes = entry.axes("axis", len(x.shape), -1)
    scale, center = entry.flag("scale", True), entry.flag("center", True)
    every = sorted(axes) == list(range(len(x.shape)))
    if scale >= center and not entry.config.get("rms_scaling"):
        over = {"over": "all"} if every and len(axes) > 1 else {}
        if not over and len(axes) == 1 and x.channel != axes[0] and axes[0] == len(x.shape) - 1:
            x = Held(call.last(x), tuple(range(len(x.shape))))
        if over or axes == (x.channel,):
            learned: dict[str, Any] = {"affine": scale, "bias": center or not scale}
            made = call.put("layer_norm", x.tensor, eps=entry.number("epsilon", 1e-3), **learned, **over)
            return Held(made, x.axes)
    if entry.config.get("rms_scaling"):
        center = False  # which is not there, whatever is asked for
    return call.opaque(
        x.shape,
        like=x,
        weights=_scale_and_shift(scale, center, tuple([x.shape[axis] for axis in axes])),
        pointwise=axes == (x.channel,),
        reason="archlens has no op for a layer norm over these axes with these weights",
    )


@layer("RMSNormalization")
def _rms_norm(call: Call) -> Held:
    x = call.x
    axes = call.entry.axes("axis", len(x.shape), -1)
    if axes == (len(x.shape) - 1,) and len(axes) < len(x.shape):
        made = call.put("rms_norm", call.last(x), eps=call.entry.number("epsilon", 1e-6))
        return Held(made, tuple(range(len(x.shape))))
    return call.opaque(
        x.shape,
        like=x,
        weights={"scale": tuple([x.shape[axis] for axis in axes])},
        pointwise=axes == (x.channel,),
    )


@layer("GroupNormalization")
def _group_norm(call: Call) -> Held:
    x, entry = call.x, call.entry
    axes = entry.axes("axis", len(x.shape), -1)
    if len(axes) != 1:
        raise entry.refuse("its axis must be a single one")
    size = x.shape[axes[0]]
    groups = size if entry.config.get("groups", 32) == -1 else entry.whole("groups", 32)
    scale, center = entry.flag("scale", True), entry.flag("center", True)
    found = call.with_channels(x, axes[0]) if scale == center else None
    if size % groups:
        raise entry.refuse(f"its groups={groups} do not divide {size} channels")
    if found is None:
        return call.opaque(x.shape, like=x, weights=_scale_and_shift(scale, center, (size,)))
    made = call.put("group_norm", found[0], groups=groups, eps=entry.number("epsilon", 1e-3), affine=scale)
    return Held(made, found[1])


@layer("UnitNormalization")
def _unit_norm(call: Call) -> Held:
    x = call.x
    axes = call.entry.axes("axis", len(x.shape), -1)
    if len(axes) == 1 and (name := x.name_of(axes[0])) in AXES_OF_OPS:
        return Held(call.put("normalize", x.tensor, axis=name), x.axes)
    return call.opaque(x.shape, like=x, reason="it takes several axes together")


@layer("Normalization")
def _normalization(call: Call) -> Held:
    x, entry = call.x, call.entry
    whole = entry.config.get("axis", -1) in (None, [])  # which Keras writes for `axis=None`
    kept = () if whole else tuple(sorted(entry.axes("axis", len(x.shape), -1)))
    said = entry.config.get("mean") is not None
    inverse = entry.flag("invert", False)
    numbers: dict[str, Any] = {}
    if said:
        means, variances = entry.numbers("mean"), entry.numbers("variance")
        deviations = [max(variance, 0.0) ** 0.5 or 1e-7 for variance in variances]
        numbers = {"mean": means, "std": deviations}
        if inverse:
            numbers = {
                "mean": _each(lambda m, s: -m / s, means, deviations),
                "std": [1 / s for s in deviations],
            }
    if said or not inverse:
        made = _standardized(call, x, kept, numbers)
        if made is not None:
            return made
    shape = tuple([x.shape[axis] for axis in kept])
    return call.opaque(
        x.shape,
        like=x,
        buffers={} if said else {"mean": shape, "variance": shape, "count": ()},
        pointwise=True,
        reason="it prepares its input along other axes than the channels",
    )


def _standardized(
    call: Call, x: Held, axes: tuple[int, ...], numbers: Mapping[str, Sequence[float]]
) -> Held | None:
    """Each channel less its mean, divided by its deviation; ``None`` where they are not of the channels."""
    single = bool(numbers) and all(len(given) == 1 for given in numbers.values())
    if not single and len(axes) != 1:
        return None
    if not single and x.channel != axes[0]:
        found = call.with_channels(x, axes[0])
        if found is None:
            return None
        x = Held(*found)
    if any(len(given) not in (1, x.shape[x.channel]) for given in numbers.values()):
        raise call.entry.refuse(
            f"its mean and variance have not one value for each channel of {shaped(x.shape)}"
        )
    rounded: dict[str, Any] = {
        name: tuple(map(_rounded, given)) if len(given) > 1 else _rounded(given[0])
        for name, given in numbers.items()
    }
    return Held(call.put("standardize", x.tensor, **rounded), x.axes)


def _rounded(value: float) -> float:
    """A number without what was lost in dividing."""
    return float(f"{value:.12g}")


def _each(function: Callable[[float, float], float], a: Sequence[float], b: Sequence[float]) -> list[float]:
    """A function of the numbers of two lists, of which one may hold a single number."""
    n = max(len(a), len(b))
    return [function(a[i % len(a)], b[i % len(b)]) for i in range(n)]


@layer("Rescaling")
def _rescaling(call: Call) -> Held:
    x = call.x
    scale, offset = call.entry.numbers("scale"), call.entry.numbers("offset", 0.0)
    if len(scale) == len(offset) == 1:
        y = call.put("scale", x.tensor, factor=scale[0])
        return Held(call.put("shift", y, amount=offset[0], suffix="shift") if offset[0] else y, x.axes)
    numbers = (
        {"mean": _each(lambda s, o: -o / s, scale, offset), "std": [1 / s for s in scale]}
        if all(scale)
        else None
    )
    made = None if numbers is None else _standardized(call, x, (len(x.shape) - 1,), numbers)
    return made or call.opaque(x.shape, like=x, pointwise=True, reason="it is zero along a channel")


# --- activations ------------------------------------------------------------------------------------

#: The ops of the activations that have no attributes, by their names in Keras.
_PLAIN = {
    **{name: name for name in ("relu", "relu6", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "tanh")},
    **{name: name for name in ("softplus", "softsign", "log_sigmoid", "hard_tanh", "leaky_relu")},
    "swish": "silu",
    "hard_silu": "hard_swish",
    "hard_swish": "hard_swish",
    "hard_sigmoid": "hard_sigmoid",
    "exponential": "exp",
}

#: Those that compute each value by itself, and have no op.
_OTHERS = frozenset(
    """
    celu hard_shrink soft_shrink tanh_shrink squareplus sparse_plus sparse_sigmoid threshold
    """.split()  # noqa: SIM905
)


def activated(call: Call, x: Held) -> Held:
    """The activation that a layer has in itself, as a layer beside it."""
    return activation(call, x, call.entry.config.get("activation"), inline=True)


def activation(call: Call, x: Held, said: Any, *, inline: bool = False) -> Held:
    """An activation as Keras says it: by name, or as an object of its class."""
    if said is None or said == "linear":
        return x
    name, config = _activation_name(said)
    name = name.lower()
    suffix = name if inline else ""
    if name in ("linear", "identity"):
        return x
    if name in ("softmax", "log_softmax", "logsoftmax", "glu"):
        axis = config.get("axis", -1)
        return along(call, x, axis, {"logsoftmax": "log_softmax"}.get(name, name), suffix)
    old = not call.entry.module and name == "hard_sigmoid"  # Keras 2 has another: 0.2x + 0.5
    if name in _PLAIN and not old:
        attributes = _attributes(call, name, said, config)
        if attributes is None:
            return unsaid(call, x, name, suffix)
        return Held(call.put(_PLAIN[name], x.tensor, suffix=suffix, **attributes), x.axes)
    if old:
        y = call.put("scale", x.tensor, factor=0.2, suffix=suffix and f"{suffix}_scale")
        y = call.put("shift", y, amount=0.5, suffix=f"{suffix}_shift".lstrip("_"))
        return Held(call.put("clamp", y, min=0, max=1, suffix=f"{suffix}_clamp".lstrip("_")), x.axes)
    if name in _OTHERS:
        return call.opaque(x.shape, like=x, tensors=[x], pointwise=True, suffix=suffix, kind=name)
    return unsaid(call, x, name, suffix)


def unsaid(call: Call, x: Held, name: str, suffix: str) -> Held:
    """An activation of which nothing is known."""
    what = name if len(name) < 60 else "its activation"
    return call.opaque(
        x.shape,
        like=x,
        tensors=[x],
        macs=None,
        suffix=suffix and "activation",
        kind="activation",
        reason=f"what {what} computes is not known",
    )


def _attributes(call: Call, name: str, said: Any, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The attributes of an activation's op; ``None`` where the op cannot say what is given."""
    if name == "gelu":
        return {"approximate": "tanh"} if config.get("approximate") is True else {}
    if name not in ("leaky_relu", "elu", "relu"):
        return {}
    given = replace(call.entry, config=config)
    if name == "elu":
        return {"alpha": given.number("alpha", 1.0)}
    if name == "leaky_relu":
        layer = isinstance(said, dict) and said.get("class_name") == "LeakyReLU"
        key = "alpha" if "alpha" in config else "negative_slope"
        return {"slope": given.number(key, 0.3 if layer else 0.2)}
    bounded = config.get("max_value") is not None or config.get("threshold") or config.get("negative_slope")
    return None if bounded else {}


def _activation_name(said: Any) -> tuple[str, dict[str, Any]]:
    """What an activation is called, and with what it was made."""
    if isinstance(said, dict):
        config = said.get("config")
        if isinstance(config, str):
            return config, {}
        kind = said.get("class_name")
        words = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax"}
        if isinstance(kind, str):
            return words.get(kind, kind), config if isinstance(config, dict) else {}
    return (said if isinstance(said, str) else "?"), {}


def along(call: Call, x: Held, axis: Any, kind: str, suffix: str = "") -> Held:
    """An activation that takes the values along an axis of Keras' together."""
    axes = call.entry.resolved("axis", axis, len(x.shape))
    if len(axes) == 1:
        if x.channel != axes[0] and axes[0] == len(x.shape) - 1:
            x = Held(call.last(x), tuple(range(len(x.shape))))
        if x.channel == axes[0]:
            return Held(call.put(kind, x.tensor, suffix=suffix), x.axes)
        if kind != "glu" and (name := x.name_of(axes[0])) in AXES_OF_OPS:
            return Held(call.put(kind, x.tensor, axis=name, suffix=suffix), x.axes)
    if kind == "glu":
        raise call.entry.refuse("its glu halves an axis other than the last")
    return call.opaque(x.shape, like=x, tensors=[x], suffix=suffix, kind=kind)


@layer("Activation")
def _activation(call: Call) -> Held:
    return activation(call, call.x, call.entry.config.get("activation"))


@layer("ReLU")
def _relu(call: Call) -> Held:
    x, entry = call.x, call.entry
    most, slope = entry.config.get("max_value"), entry.number("negative_slope", 0.0)
    if entry.number("threshold", 0.0) == 0:
        if most is not None and entry.number("max_value") < 0:
            raise entry.wrong("max_value", "a number of at least 0, or null")
        if slope:
            y = call.put("leaky_relu", x.tensor, slope=slope)
            return Held(y if most is None else call.put("clamp", y, max=most, suffix="clamp"), x.axes)
        if most in (None, 6):
            return Held(call.put("relu" if most is None else "relu6", x.tensor), x.axes)
        return Held(call.put("clamp", x.tensor, min=0, max=most), x.axes)
    return call.opaque(
        x.shape, like=x, pointwise=True, reason="archlens has no op for a relu with these bounds"
    )


@layer("LeakyReLU")
def _leaky_relu(call: Call) -> Held:
    key = "alpha" if "alpha" in call.entry.config else "negative_slope"
    return Held(call.put("leaky_relu", call.x.tensor, slope=call.entry.number(key, 0.3)), call.x.axes)


@layer("ELU")
def _elu(call: Call) -> Held:
    return Held(call.put("elu", call.x.tensor, alpha=call.entry.number("alpha", 1.0)), call.x.axes)


@layer("ThresholdedReLU")
def _thresholded(call: Call) -> Held:
    return call.opaque(call.x.shape, like=call.x, pointwise=True)


@layer("PReLU")
def _prelu(call: Call) -> Held:
    x, entry = call.x, call.entry
    given = entry.config.get("shared_axes")
    shared = entry.axes("shared_axes", len(x.shape)) if given else ()
    shape = tuple([1 if axis in shared else n for axis, n in enumerate(x.shape)])
    if prod(shape) == 1:
        return Held(call.put("prelu", x.tensor), x.axes)
    if not x.last and prod(shape) == shape[x.channel]:
        return Held(call.put("prelu", x.tensor, per_channel=True), x.axes)
    return call.opaque(
        x.shape, like=x, weights={"alpha": shape}, pointwise=True, reason="it has a slope for each position"
    )


@layer("Softmax")
def _softmax(call: Call) -> Held:
    return along(call, call.x, call.entry.config.get("axis", -1), "softmax")


# --- merges -----------------------------------------------------------------------------------------


def like_shapes(call: Call, tensors: Sequence[Held]) -> tuple[list[Tensor], Held]:
    """Tensors with one number of axes, which lie alike: as the first of those that have the most."""
    rank = max(len(x.shape) for x in tensors)
    model = max(tensors, key=lambda x: (len(x.shape) == rank, prod(x.shape)))
    found = []
    for x in tensors:
        if len(x.shape) < rank:
            x = _with_axes(call, x, rank)
        if x.axes != model.axes or x.last != model.last:
            x = Held(call.placing.arranged(x, model.axes, model.last, call.name), model.axes)
        found.append(x.tensor)
    return found, model


def _with_axes(call: Call, x: Held, rank: int) -> Held:
    """The same values with axes of one position before all others, as Keras broadcasts."""
    more = rank - len(x.shape)
    shape = (*(1,) * more, *x.shape)
    if rank > 4:
        return call.opaque(
            shape, tensors=[x], suffix="expanded", reason="it has more than three spatial axes"
        )
    if x.last:
        x = Held(call.placing.arranged(x, turned(len(x.shape)), False, call.name), turned(len(x.shape)))
    axes = [axis + more for axis in x.axes]
    sizes = list(x.tensor.shape)
    # right behind the channels, where axes of one position may stand anywhere
    axes[1:1], sizes[1:1] = range(more), (1,) * more
    y = call.put("reshape", x.tensor, shape=tuple(sizes), suffix="reshape")
    return Held(y, tuple(axes))


def broadcast(call: Call, tensors: Sequence[Held]) -> tuple[int, ...]:
    """The shape that tensors of several have together."""
    found = together([x.shape for x in tensors])
    if found is None:
        said = " and ".join(shaped(x.shape) for x in tensors[:8])
        raise call.entry.refuse(f"it merges {said}, which cannot be broadcast together")
    return found


def merged(call: Call, kind: str, tensors: Sequence[Held], suffix: str = "") -> Held:
    """Tensors merged value by value."""
    shape = broadcast(call, tensors)
    if len(tensors) == 1:
        return tensors[0]
    if kind in ("maximum", "minimum"):  # which are ops of two branches
        for number, other in enumerate(tensors[1:-1]):
            tensors = (merged(call, kind, (tensors[0], other), f"{number}"), *tensors[1:])
        tensors = (tensors[0], tensors[-1])
    if kind in OPS:
        read, model = like_shapes(call, tensors)
        return Held(call.put(kind, *read, suffix=suffix), model.axes)
    like = next((x for x in tensors if x.shape == shape), None)
    same = all(len(x.shape) == len(shape) for x in tensors)
    return call.opaque(
        shape,
        like=like,
        tensors=tensors,
        pointwise=same,
        kind=kind,
        suffix=suffix,
        reason=f"archlens has no op for the {kind} of tensors",
    )


def _merging(call: Call, least: int = 1) -> list[Held]:
    if len(call.tensors) < least:
        raise call.entry.refuse(f"it merges tensors, and is called with {len(call.tensors)}")
    return call.tensors


@layer("Add", "Multiply", "Maximum", "Minimum")
def _merge(call: Call) -> Held:
    return merged(call, call.entry.kind.lower(), _merging(call))


@layer("Average")
def _average(call: Call) -> Held:
    tensors = _merging(call)
    y = merged(call, "add", tensors)
    return Held(call.put("scale", y.tensor, factor=1 / len(tensors), suffix="scale"), y.axes)


@layer("Subtract")
def _subtract(call: Call) -> Held:
    if len(call.tensors) != 2:
        raise call.entry.refuse(
            f"it subtracts one tensor from another, and is called with {len(call.tensors)}"
        )
    return subtracted(call, *call.tensors)


def subtracted(call: Call, one: Held, other: Held) -> Held:
    """One tensor less another."""
    return merged(call, "subtract", (one, other))


@layer("Concatenate")
def _concatenate(call: Call) -> Held:
    return concatenated(call, _merging(call), call.entry.config.get("axis", -1))


def concatenated(call: Call, tensors: Sequence[Held], axis: Any) -> Held:
    """Tensors one after the other along an axis."""
    entry = call.entry
    rank = len(tensors[0].shape)
    (along_axis,) = entry.resolved("axis", axis, rank) if type(axis) is int else (rank - 1,)
    rest = {
        (*x.shape[:along_axis], *x.shape[along_axis + 1 :]) if len(x.shape) == rank else () for x in tensors
    }
    if len(rest) > 1 or any(len(x.shape) != rank for x in tensors):
        said = " and ".join(shaped(x.shape) for x in tensors[:8])
        raise entry.refuse(f"only axis {along_axis + 1} may differ in a concat of {said}")
    if len(tensors) == 1:
        return tensors[0]
    like, name = tensors[0], tensors[0].name_of(along_axis)
    if name in AXES_OF_OPS and all((x.axes, x.last) == (like.axes, like.last) for x in tensors):
        return Held(call.put("concat", *[x.tensor for x in tensors], axis=name), like.axes)
    for axes, last in _arrangements(tensors, along_axis, rank):
        if all(rank == 1 or way(x.axes, x.last, axes, last) is not None for x in tensors):
            read = [call.placing.arranged(x, axes, last, call.name) for x in tensors]
            return Held(call.put("concat", *read), axes)
    if name not in AXES_OF_OPS:
        like = Held(like.tensor, (along_axis, *[one for one in range(rank) if one != along_axis]))
        read = [call.placing.arranged(x, like.axes, False, call.name) for x in tensors]
        return Held(call.put("concat", *read), like.axes)
    read = [call.placing.arranged(x, like.axes, like.last, call.name) for x in tensors]
    return Held(call.put("concat", *read, axis=name), like.axes)


def _arrangements(tensors: Sequence[Held], axis: int, rank: int) -> list[tuple[tuple[int, ...], bool]]:
    """How tensors can lie whose channels are an axis of Keras': first as some of them do."""
    found = [(x.axes, x.last) for x in tensors if x.channel == axis]
    others = tuple([one for one in range(rank) if one != axis])
    if axis == rank - 1:
        found.append(((*others, axis), True))
    return list(dict.fromkeys([*found, ((axis, *others), False)]))


@layer("Dot")
def _dot(call: Call) -> Held:
    entry = call.entry
    if len(call.tensors) != 2:
        raise entry.refuse(f"it multiplies two tensors, and is called with {len(call.tensors)}")
    x, y = call.tensors
    given = entry.config.get("axes", -1)
    pair = [given, given] if type(given) is int else given
    if not isinstance(pair, list) or len(pair) != 2:
        raise entry.wrong("axes", "an axis, or a list of two")
    (a,), (b,) = entry.resolved("axes", pair[0], len(x.shape)), entry.resolved("axes", pair[1], len(y.shape))
    if x.shape[a] != y.shape[b]:
        raise entry.refuse(
            f"it multiplies {shaped(x.shape)} along axis {a + 1} with {shaped(y.shape)} along {b + 1}"
        )
    rest = (*x.shape[:a], *x.shape[a + 1 :], *y.shape[:b], *y.shape[b + 1 :])
    sides = [
        regrouped(call, one, [[i for i in range(len(one.shape)) if i != axis], [axis]])
        for one, axis in ((x, a), (y, b))
    ]
    if entry.flag("normalize", False):
        sides = [
            call.put("normalize", one, suffix=name)
            for one, name in zip(sides, ("left", "right"), strict=True)
        ]
    made = Held(call.put("matmul", *sides, transpose=True), (0, 1))
    if rest == made.shape:
        return made
    return reshaped(call, made, rest or (1,))


# --- attention --------------------------------------------------------------------------------------


@layer("MultiHeadAttention")
def _multi_head_attention(call: Call) -> list[Held]:
    entry = call.entry
    heads, width = entry.whole("num_heads"), entry.whole("key_dim")
    of_values = entry.whole("value_dim", width) if entry.config.get("value_dim") is not None else width
    return _attention(call, heads, heads, width, of_values)


@layer("GroupQueryAttention", "GroupedQueryAttention")
def _group_query_attention(call: Call) -> list[Held]:
    entry = call.entry
    heads, shared = entry.whole("num_query_heads"), entry.whole("num_key_value_heads")
    width = entry.whole("head_dim")
    return _attention(call, heads, shared, width, width)


def _attention(call: Call, heads: int, shared: int, width: int, of_values: int) -> list[Held]:
    entry = call.entry
    q, k, v = _queries_keys_values(call)
    bias = entry.flag("use_bias", True)
    out = _attention_out(call, q)
    causal = call.inbound.kwargs.get("use_causal_mask") is True
    read = dict.fromkeys(call.tensors)
    rank = len(q.shape)
    given = entry.config.get("attention_axes")
    axes = (*range(rank - 1),) if given is None else entry.resolved("attention_axes", given, rank)
    rest = [axis for axis in range(rank - 1) if axis not in axes]
    alone = len({tuple([x.shape[axis] for axis in rest]) for x in (q, k, v) if len(x.shape) == rank}) == 1
    plain = (
        all(len(x.shape) == rank for x in (q, k, v))
        and rank - 1 not in axes
        and alone
        and set(read) <= {q, k, v}
        and not entry.config.get("use_gate")
        and not entry.config.get("sliding_window")
        and heads % shared == 0
        and (not causal or (rank == 2 and q.shape[0] == k.shape[0]))
    )
    alike = q == k == v and heads == shared and width == of_values
    scores = (heads, *q.shape[:-1], *k.shape[:-1])

    def gives(y: Held) -> list[Held]:
        if call.inbound.kwargs.get("return_attention_scores") is not True:
            return [y]
        return [y, call.opaque(scores, suffix="scores", reason="the scores of the attention")]

    if plain and rank == 2 and alike and not causal and (heads * width,) == q.shape[-1:] == out:
        return gives(Held(call.put("self_attention", call.last(q), heads=heads, bias=bias), (0, 1)))
    projections = {
        "query": (q.shape[-1], heads, width),
        "key": (k.shape[-1], shared, width),
        "value": (v.shape[-1], shared, of_values),
    }
    if plain:
        made = []
        parts = [*([rest] if rest else []), axes, [rank - 1]]
        sources = [regrouped(call, x, parts) for x in (q, k, v)]
        with call.placing.scope(call.name, entry.kind):
            for source, (name, (_, count, each)) in zip(sources, projections.items(), strict=True):
                made.append(call.within("linear", source, name, features=count * each, bias=bias))
            attention = OPS["attention"](
                heads=heads, kv_heads=None if shared == heads else shared, causal=causal
            )
            y = call.placing.place(attention, made, "attention")
            y = call.within("linear", y, "attention_output", features=prod(out), bias=bias)
        parts[-1] = [rank - 1 + place for place in range(len(out))]
        return gives(ungrouped(call, y, parts, (*q.shape[:-1], *out)))
    weights: dict[str, tuple[int, ...]] = {}
    for name, shape in projections.items():
        weights[f"{name}.kernel"] = shape
        if bias:
            weights[f"{name}.bias"] = shape[1:]
    weights["attention_output.kernel"] = (heads, of_values, *out)
    if bias:
        weights["attention_output.bias"] = out
    if entry.config.get("use_gate"):
        weights["gate.kernel"] = (q.shape[-1], heads, of_values)
        if bias:
            weights["gate.bias"] = (heads, of_values)
    queries = prod(q.shape[:-1])
    macs = sum(prod(x.shape) * prod(one[1:]) for x, one in zip((q, k, v), projections.values(), strict=True))
    macs += queries * heads * of_values * prod(out)
    if entry.config.get("use_gate"):
        macs += prod(q.shape) * heads * of_values
    seen = prod(k.shape[axis] for axis in axes) if len(k.shape) == rank else None
    made_out = call.opaque(
        (*q.shape[:-1], *out),
        weights=weights,
        macs=None if seen is None else macs + heads * queries * seen * (width + of_values),
        reason="archlens has no op for attention of this form",
    )
    return gives(made_out)


def _queries_keys_values(call: Call) -> tuple[Held, Held, Held]:
    given = dict(zip(("query", "value", "key"), call.inbound.args, strict=False)) | {
        name: one for name, one in call.inbound.kwargs.items() if isinstance(one, Held)
    }
    q, v = given.get("query"), given.get("value")
    k = given.get("key")
    k = v if k is None else k
    if not all(isinstance(x, Held) and len(x.shape) > 1 for x in (q, k, v)):
        raise call.entry.refuse("it is called with a query and a value, each of several positions")
    return q, k, v  # type: ignore[return-value]


def _attention_out(call: Call, q: Held) -> tuple[int, ...]:
    given = call.entry.config.get("output_shape")
    if given is None:
        return (q.shape[-1],)
    rank = len(given) if isinstance(given, list) else 1
    return call.entry.sizes("output_shape", rank)


@layer("Attention", "AdditiveAttention")
def _simple_attention(call: Call) -> list[Held]:
    entry = call.entry
    given = call.tensors
    if len(given) not in (2, 3) or any(len(x.shape) != 2 for x in given):
        raise entry.refuse(
            "it is called with [query, value] or [query, value, key], each of several positions"
        )
    q, v, k = given[0], given[1], given[2] if len(given) > 2 else given[1]
    additive = entry.kind == "AdditiveAttention"
    weights: dict[str, tuple[int, ...]] = {}
    if entry.flag("use_scale", additive):
        weights["scale"] = (q.shape[1],) if additive else ()
    if not additive and entry.word("score_mode", "dot", "dot", "concat") == "concat":
        weights["concat_score_weight"] = ()
        additive = True
    pairs = q.shape[0] * k.shape[0]
    made = call.opaque(
        (q.shape[0], v.shape[1]),
        weights=weights,
        macs=pairs * ((0 if additive else q.shape[1]) + v.shape[1]),
        reason="each query sees every value",
    )
    if call.inbound.kwargs.get("return_attention_scores") is not True:
        return [made]
    return [
        made,
        call.opaque((q.shape[0], k.shape[0]), suffix="scores", reason="the scores of the attention"),
    ]


# --- what only keras.applications has ---------------------------------------------------------------


def _layer_scale(call: Call) -> Held:
    x = call.x
    size = call.entry.whole("projection_dim")
    if size != x.shape[-1]:
        raise call.entry.refuse(f"it scales {size} channels, and is called with {shaped(x.shape)}")
    if x.channel != len(x.shape) - 1:
        x = Held(call.last(x), tuple(range(len(x.shape))))
    return Held(call.put("layer_scale", x.tensor, initial=call.entry.number("init_values", 1e-6)), x.axes)


def _stochastic_depth(call: Call) -> Held:
    return Held(
        call.put("stochastic_depth", call.x.tensor, p=call.entry.number("drop_path_rate", 0.0)), call.x.axes
    )


def _scaled_sum(call: Call) -> Held:
    if len(call.tensors) != 2:
        raise call.entry.refuse(f"it adds two tensors, and is called with {len(call.tensors)}")
    one, other = call.tensors
    scaled = call.put("scale", other.tensor, factor=call.entry.number("scale"), suffix="scale")
    return merged(call, "add", (one, Held(scaled, other.axes)))


APPLICATIONS: dict[str, Places] = {
    "LayerScale": _layer_scale,
    "StochasticDepth": _stochastic_depth,
    "CustomScaleLayer": _scaled_sum,
}


# --- what is not known ------------------------------------------------------------------------------


@layer("Lambda")
def _lambda(call: Call) -> list[Held]:
    given = call.entry.config.get("output_shape")
    if isinstance(given, list) and given and all(type(n) is int and 1 <= n <= 10**9 for n in given):
        return [call.opaque(given, macs=None, reason="archlens does not run a Lambda")]
    return unknown(call, weightless=True)


@layer(
    *("Discretization", "CategoryEncoding", "Hashing", "HashedCrossing"),
    *("StringLookup", "IntegerLookup", "TextVectorization"),
)
def _looked_up(call: Call) -> list[Held]:
    return unknown(call, weightless=True, macs=0)


def unknown(call: Call, weightless: bool = False, macs: int | None = None) -> list[Held]:
    """What is known of a layer that nobody knows here: what comes out of it, where the file says so.

    Args:
        call: of the layer.
        weightless: whether it is known to have no weights.
        macs: its multiply-accumulates, where these are known.

    Raises:
        SpecError: it does not.
    """
    entry = call.entry
    what = "a Lambda" if entry.kind == "Lambda" else entry.kind
    help = "a file of Keras 3 gives the shapes that other layers read"
    if entry.kind == "Lambda":
        help = "give the Lambda an output_shape, and save the model again"
    elif not entry.own:
        help += "; archlens runs no code of the model's own"
    shapes: list[Sequence[int]] = []
    for place in range(max([i for i, shape in call.after.items() if shape is not None], default=0) + 1):
        said = call.after.get(place)
        if said is None or None in said[1:] or len(said) < 2:
            raise entry.refuse(
                f"its output shape is not known, because archlens does not run {what}", help=help
            )
        shapes.append([n for n in said[1:] if n])
    for x, before in zip(call.tensors, call.before, strict=False):
        if before is None or not _same(x.shape, before):
            raise entry.refuse(
                f"its output shape on {shaped(x.shape)} is not known, because archlens does not run {what}",
                help=f"the file has it on {_written(before)}" if before is not None else help,
            )
    reason = f"archlens does not know what {what} computes"
    unsaid = {} if weightless else {"weights": (AtLeast(0, reason),)}
    made = [call.opaque(shapes[0], macs=macs, reason=reason, weights=unsaid)]
    for shape in shapes[1:]:
        made.append(call.opaque(shape, macs=0, reason=reason, suffix="output"))
    return made


def _same(shape: Sequence[int], said: Open) -> bool:
    return len(said) == len(shape) + 1 and all(
        n is None or n == m for n, m in zip(said[1:], shape, strict=True)
    )


def _written(shape: Open) -> str:
    return f"({', '.join(map(str, shape))})"
