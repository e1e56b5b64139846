"""``thop.profile``, whose table of module classes says what each counts."""

from __future__ import annotations

from math import prod

from ...network import Layer
from .convention import (
    ATTENTION,
    INSIDE,
    UNKNOWN,
    Convention,
    Inner,
    Share,
    Table,
    by_module,
    is_affine,
    met,
    numel,
    over_axes,
    same,
    within,
)


def _nothing(layer: Layer) -> Share:
    return same(0)


def _products(layer: Layer) -> Share:
    return same(layer.macs)


def _transposed(layer: Layer) -> Share:
    channels, _, *kernel = layer.facts.weights["weight"]
    groups = layer.facts.torch["groups"]
    found = layer.shape.numel * (channels // groups) * prod(kernel)
    return Share(layer.macs, found, _TRANSPOSED if found != layer.macs else "")


def _normalization(layer: Layer) -> Share:
    return same(numel(layer) * (4 if is_affine(layer) else 2))


def _softmax(layer: Layer) -> Share:
    n = layer.shape[layer.facts.torch["dim"] - 1]
    return same((3 * n - 1) * (layer.shape.numel // n))


def _adaptive(layer: Layer) -> Share:
    # the mean window of all outputs, and a division; in floating point, as thop has it
    window = 1.0
    for n, o in zip(layer.input_shapes[0].spatial, layer.shape.spatial, strict=True):
        window *= n / o
    return same(int((window + 1) * layer.shape.numel))


def _upsample(layer: Layer) -> Share:
    mode = layer.facts.torch["mode"]
    each = {"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 224 + 35}
    return same(layer.shape.numel * each.get(mode, 0))


#: thop's ``register_hooks``. A module of any other class counts nothing and loses its parameters.
_TABLE: Table = {
    **over_axes("nn.Conv", _products),
    **over_axes("nn.ConvTranspose", _transposed),
    "nn.Linear": _products,
    **over_axes("nn.BatchNorm", _normalization),
    **over_axes("nn.InstanceNorm", _normalization),
    "nn.LayerNorm": _normalization,
    "nn.PReLU": lambda layer: same(numel(layer)),
    "nn.Softmax": _softmax,
    "nn.ReLU": _nothing,
    "nn.ReLU6": _nothing,
    "nn.LeakyReLU": _nothing,
    "nn.Dropout": _nothing,
    **over_axes("nn.MaxPool", _nothing),
    **over_axes("nn.AdaptiveMaxPool", _nothing),
    **over_axes("nn.AvgPool", lambda layer: same(layer.shape.numel)),
    **over_axes("nn.AdaptiveAvgPool", _adaptive),
    "nn.Upsample": _upsample,
}


def _work(layer: Layer) -> Share:
    rule = _TABLE.get(met(layer))
    if rule is not None:
        return rule(layer)
    found = sum(inner.macs for inner in _found(layer))
    why = INSIDE if found else UNKNOWN
    return Share(layer.macs, found, why.format(met(layer)) if layer.macs else "")


def _params(layer: Layer) -> Share:
    if not layer.params and not layer.keys:
        return same(0)
    if layer.training:
        return Share(layer.params, 0, _HEADS)
    if met(layer) in _TABLE or not layer.params:
        return by_module(layer)
    found = sum(inner.params for inner in _found(layer))
    why = _PARTLY if found else _DROPPED
    return Share(layer.params, found, why.format(met(layer)))


def _found(layer: Layer) -> list[Inner]:
    """The linear layers within a module that has no rule itself."""
    # the one within nn.MultiheadAttention is of a class of its own
    known = met(layer) in ATTENTION and met(layer) != "archlens.SelfAttention"
    return within(layer) if known else []


_TRANSPOSED = (
    "it multiplies the weights of a transposed convolution by its output positions; they are used once at "
    "each input position"
)
_PARTLY = "it has no rule for {} and drops its parameters except those of the linear layers within"
_DROPPED = "it has no rule for {} and drops its parameters"
_HEADS = "it drops the parameters of heads that run only in training"

CONVENTION = Convention(
    tool="thop 0.1.1.post2209072238",
    counts="Convolutions and linear layers, one for each multiply-accumulate; batch, layer and instance norm "
    "4 for each value (2 without a learned scale and shift); average pooling 1 for each output value; "
    "adaptive and global average pooling the mean window plus 1 for each output value; softmax 3n - 1 over "
    "n channels; prelu 1 for each value; upsampling 1 (nearest), 5 (linear), 11 (bilinear) or 259 (bicubic) "
    "for each output value.",
    leaves_out="Bias, relu, max pooling, sums and products of branches; and, silently, every module whose "
    "class is not in its table: group norm, local response norm and all activations but those above; and of "
    "attention all but the linear layers that are modules.",
    source="thop/profile.py: register_hooks, thop/vision/calc_func.py",
    work=_work,
    params=_params,
)
