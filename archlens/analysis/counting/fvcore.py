"""``fvcore.nn.FlopCountAnalysis``, which counts the operators of a traced network."""

from __future__ import annotations

from math import prod

from ...network import Layer
from .convention import (
    FUSED,
    SELF_ATTENTION,
    UNKNOWN,
    Convention,
    Gap,
    Share,
    Table,
    in_one,
    is_affine,
    met,
    numel,
    over_axes,
    recurrent,
    same,
    trainable,
)


def _fixed(layer: Layer) -> Share:
    """Statistics known beforehand: a product, and with a learned scale and shift an addition."""
    return same(numel(layer) * (2 if is_affine(layer) else 1))


def _measured(layer: Layer) -> Share:
    return same(numel(layer) * (5 if is_affine(layer) else 4))


def _batch_norm(layer: Layer) -> Share:
    return _fixed(layer) if layer.facts.buffers else _measured(layer)


def _upsample(layer: Layer) -> Share:
    mode = layer.facts.torch["mode"]
    axes = len(layer.shape) - 1
    return same(layer.shape.numel * {("nearest", 2): 1, ("bilinear", 2): 4}.get((mode, axes), 0))


def _standardized(layer: Layer) -> Share:
    """The products, and the normalization of the kernels."""
    weights = prod(layer.facts.weights["weight"])
    return same(layer.macs + weights * (5 if "gain" in layer.facts.weights else 4))


def _attention(layer: Layer) -> Share:
    return Share(layer.macs, layer.macs - in_one(layer), FUSED)


#: What is no product, by torch's module: the operators of fvcore's table.
_TABLE: Table = {
    **over_axes("nn.BatchNorm", _batch_norm),
    "archlens.BatchNorm": _batch_norm,
    # the operator is named alike whether the statistics are known or not
    **over_axes("nn.InstanceNorm", _measured),
    "nn.GroupNorm": _measured,
    "nn.LayerNorm": _measured,
    "archlens.ChannelNorm": _measured,
    "nn.AdaptiveAvgPool2d": lambda layer: same(numel(layer)),
    "nn.Upsample": _upsample,
    "archlens.grid_sample": lambda layer: same(4 * layer.shape.numel),
    **over_axes("archlens.StandardizedConv", _standardized),
    **over_axes("archlens.PaddedStandardizedConv", _standardized),
    **dict.fromkeys((*SELF_ATTENTION, "archlens.attention"), _attention),
}


def _work(layer: Layer) -> Share:
    if name := recurrent(layer):
        return Share(layer.macs, 0, UNKNOWN.format(name))
    rule = _TABLE.get(met(layer))
    return rule(layer) if rule else same(layer.macs)


def _keeps_its_size(layer: Layer) -> bool:
    """Whether a convolution could be written with ``padding="same"``, and looks further than one position."""
    reach = layer.facts.reach
    if not met(layer).startswith("nn.Conv") or met(layer).startswith("nn.ConvTranspose"):
        return False
    return isinstance(reach, tuple) and all(
        window.stride == 1 and window.extent > 1 and window.before + window.after == window.extent - 1
        for window in reach
    )


CONVENTION = Convention(
    tool="fvcore 0.1.5.post20221221",
    counts="Convolutions and matrix products, one for each multiply-accumulate; batch norm 2 for each value "
    "(1 without a learned scale and shift); group, layer and instance norm 5 for each value (4 without), "
    'which its source calls "just a rough estimate"; adaptive average pooling over two axes 1 for each '
    "input value; upsampling over two axes 1 (nearest) or 4 (bilinear) for each output value, sampling by "
    "a grid 4.",
    leaves_out="Bias, activation, max and sliding average pooling, additions and products of branches; the "
    "products of attention beside linear layers, as torch computes them in one function; and, "
    "simply because it has no rules for them, pooling and upsampling over one or three axes.",
    source="fvcore/nn/flop_count.py and jit_handles.py",
    work=_work,
    params=trainable,
    gaps=(
        Gap(
            lambda layer: met(layer) == "nn.AdaptiveAvgPool2d",
            "it counts nn.AdaptiveAvgPool2d, and has no rule for x.mean((2, 3)), which means the same",
        ),
        Gap(
            _keeps_its_size,
            'it has no rule for aten::_convolution_mode, which torch runs for padding="same", '
            "and counts the products of these convolutions as zero",
        ),
    ),
)
