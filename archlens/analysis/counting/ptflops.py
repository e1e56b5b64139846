"""``ptflops.get_model_complexity_info`` with its default backend, hooks on modules and on functions."""

from __future__ import annotations

from math import prod

from ...network import Layer
from .convention import (
    INSIDE,
    UNKNOWN,
    Convention,
    Share,
    Table,
    bias,
    is_affine,
    met,
    numel,
    over_axes,
    same,
    trainable,
    within,
)


def _products(layer: Layer) -> Share:
    return same(layer.macs + bias(layer))


def _once(layer: Layer) -> Share:
    return same(numel(layer))


def _twice(layer: Layer) -> Share:
    """A hook on the module, and one on the function that the module calls."""
    return same(2 * numel(layer))


def _normalization(layer: Layer) -> Share:
    return same(numel(layer) * (2 if is_affine(layer) else 1))


def _upsample(layer: Layer) -> Share:
    """The hook on the module counts output values; that on the function multiplies by the scale."""
    scale = layer.facts.torch["scale_factor"]
    if scale is None:
        return same(2 * layer.shape.numel)
    if isinstance(scale, tuple):
        larger = numel(layer) * prod(map(int, scale))
    else:
        # ptflops cuts the fraction off the total, and here it is cut off each layer
        larger = int(numel(layer) * float(scale) ** (len(layer.shape) - 1))
    return same(layer.shape.numel + larger)


def _local_response(layer: Layer) -> Share:
    """Torch's function calls a product, an average pooling, a product and an addition."""
    channels, *spatial = layer.input_shapes[0]
    size = layer.facts.torch["size"]
    return same(3 * numel(layer) + (channels + size - 1) * prod(spatial))


def _padded(layer: Layer) -> tuple[int, int]:
    """The values of one channel, and of all, that archlens' own pooling hands to torch's function."""
    assert isinstance(layer.facts.reach, tuple)
    sizes = [
        max(n + w.before + w.after, (o - 1) * w.stride + w.extent)
        for n, o, w in zip(layer.input_shapes[0].spatial, layer.shape.spatial, layer.facts.reach, strict=True)
    ]
    return prod(sizes), prod(sizes) * layer.shape.channels


def _padded_max_pool(layer: Layer) -> Share:
    return same(_padded(layer)[1])


def _padded_avg_pool(layer: Layer) -> Share:
    """Its sums, and the positions that it divides by, which are those of one channel."""
    return same(sum(_padded(layer)))


def _unpool(layer: Layer) -> Share:
    """The pooling that finds the maxima again."""
    return same(layer.input_shapes[1].numel)


def _attention(layer: Layer) -> Share:
    """The linear layers within, and the relu between those over relative positions."""
    hidden = layer.facts.weights.get("cpb_mlp.0.bias", (0,))
    found = within(layer)
    relu = 2 * prod(hidden) * found[-1].positions
    linear = sum(inner.params * inner.positions for inner in found)
    return Share(layer.macs + bias(layer) + relu, linear + relu, INSIDE.format(met(layer)))


_TABLE: Table = {
    **over_axes("nn.Conv", _products),
    **over_axes("nn.ConvTranspose", _products),
    "nn.Linear": _products,
    **over_axes("nn.BatchNorm", _normalization),
    **over_axes("nn.InstanceNorm", _normalization),
    "nn.GroupNorm": _normalization,
    "nn.LayerNorm": _once,
    "nn.ReLU": _twice,
    "nn.PReLU": _twice,
    "nn.ELU": _twice,
    "nn.GELU": _twice,
    "nn.LeakyReLU": _once,
    "nn.LocalResponseNorm": _local_response,
    "archlens.PaddedMaxPool": _padded_max_pool,
    "archlens.PaddedAvgPool": _padded_avg_pool,
    "archlens.Subsample": _once,
    "nn.ReLU6": _once,
    "nn.SiLU": _once,
    "nn.Softmax": _once,
    **over_axes("nn.MaxPool", _twice),
    **over_axes("nn.AvgPool", _twice),
    **over_axes("nn.AdaptiveMaxPool", _twice),
    **over_axes("nn.AdaptiveAvgPool", _twice),
    "nn.Upsample": _upsample,
    **dict.fromkeys(("torch.mul", "torch.add"), _once),
    "torch.matmul": lambda layer: same(layer.macs),
    "archlens.max_unpool": _unpool,
    "archlens.MultiheadSelfAttention": _attention,
    "archlens.WindowAttention": _attention,
    "archlens.WindowAttentionV2": _attention,
    "archlens.RelativeAttention": _attention,
}


def _work(layer: Layer) -> Share:
    rule = _TABLE.get(met(layer))
    if rule is not None:
        return rule(layer)
    right = _products(layer).counted if layer.macs else 0
    return Share(right, 0, UNKNOWN.format(met(layer)) if right else "")


CONVENTION = Convention(
    tool="ptflops 0.7.5 (backend pytorch)",
    counts="With its default backend: convolutions and linear layers, one for each multiply-accumulate, and "
    "their bias, 1 for each output value; batch, instance and group norm 2 for each value (1 without a "
    "learned scale and shift), layer norm 1; relu, prelu, elu, gelu, pooling (of input values) and "
    "upsampling 2 for each value, as it counts them twice, once as modules and once as the functions that "
    "these call; relu6, leaky_relu, silu and softmax 1 for each value; local response norm about 4.",
    leaves_out="Sums and products of branches; and, silently, what it has no rule for: sigmoid, tanh, "
    "hard_swish and all other activations; and of attention all but the linear layers that are modules.",
    source="ptflops/pytorch_ops.py and pytorch_engine.py",
    work=_work,
    params=trainable,
)
