"""Convolutions."""

from __future__ import annotations

from math import prod

from ....geometry import Window
from ..proto import Misfit, written
from ..running import At, Tensor
from .arguments import as_map, of_channels, positions, windows_of
from .registry import runs


@runs("Conv")
def conv(at: At) -> Tensor:
    out, macs = convolved(at)
    x, weight = at.x(), at.x(1)
    stride, padding, dilation = windows_of(at, x.sizes[2:], weight.sizes[2:])
    args = {
        "input": x,
        "weight": weight,
        "bias": of_channels(at.given(2), weight.sizes[0]),
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "transposed": False,
        "output_padding": [0] * len(stride),
        "groups": at.node.integer("group", 1),
    }
    return at.write("aten.convolution", args, out, macs=macs)


@runs("DeformConv")
def deform_conv(at: At) -> Tensor:
    """It multiplies as a convolution does, at places that another input says."""
    out, macs = convolved(at)
    return at.write("DeformConv", {"inputs": [one for one in at.inputs if one is not None]}, out, macs=macs)


def convolved(at: At) -> tuple[tuple[int, ...], int]:
    """The sizes of what a convolution makes, and its multiply-accumulates."""
    sizes, weight = as_map(at.x()), at.x(1)
    if len(weight.sizes) != len(sizes):
        raise Misfit(f"its weight of {written(weight.sizes)} is not for a map of {written(sizes)}")
    kernel = weight.sizes[2:]
    if at.node.integers("kernel_shape", list(kernel)) != list(kernel):
        raise Misfit(f"its kernel_shape is not that of its weight, {written(weight.sizes)}")
    groups = at.node.integer("group", 1)
    if groups < 1 or weight.sizes[1] * groups != sizes[1] or weight.sizes[0] % groups:
        raise Misfit(
            f"its weight of {written(weight.sizes)} in {groups} groups is not for {sizes[1]} channels"
        )
    windows = zip(sizes[2:], kernel, *windows_of(at, sizes[2:], kernel), strict=True)
    out = (sizes[0], weight.sizes[0], *(positions(False, *one) for one in windows))
    return out, prod(out) * prod(weight.sizes[1:])


@runs("ConvTranspose")
def conv_transpose(at: At) -> Tensor:
    x, weight = at.x(), at.x(1)
    sizes = as_map(x)
    axes = len(sizes) - 2
    if len(weight.sizes) != len(sizes) or weight.sizes[0] != sizes[1]:
        raise Misfit(f"its weight of {written(weight.sizes)} is not for a map of {written(sizes)}")
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
        "bias": of_channels(at.given(2), out[1]),
        "stride": stride,
        "padding": [a for a, _ in pairs] if even else pairs,
        "dilation": dilation,
        "transposed": True,
        "output_padding": extra,
        "groups": groups,
    }
    name = "aten.convolution" if even else "ConvTranspose"
    return at.write(name, args, out, macs=prod(sizes) * prod(weight.sizes[1:]))
