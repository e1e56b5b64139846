"""``torchinfo.summary``, its "Total mult-adds"."""

from __future__ import annotations

from math import prod

from ...network import Layer
from .convention import (
    ATTENTION,
    RECURRENT,
    Convention,
    Share,
    bias,
    by_module,
    met,
    weight_positions,
    within,
)


def _work(layer: Layer) -> Share:
    if met(layer) in ATTENTION:
        return Share(layer.macs + bias(layer), sum(inner.params for inner in within(layer)), _ATTENTION)
    if met(layer) in RECURRENT:
        found = layer.params * layer.shape[0]
        right = layer.macs + bias(layer)
        return Share(right, found, _STATES if found != right else "")
    if layer.facts.torch.parameter is not None:
        return Share(layer.params, 0, _HELD)
    # torchinfo multiplies every parameter by the output positions of a convolution, and by 1 elsewhere
    if layer.op.family != "convolution":
        right = layer.macs + bias(layer) if layer.macs else layer.params
        return Share(right, layer.params, _FEWER if layer.params < right else "")
    weights = layer.facts.weights
    if "weight_g" in weights:  # it takes them for those of a recurrent layer
        kept = sum(prod(weights[name]) for name in ("weight_g", "weight_v"))
        found = kept * layer.shape.channels + bias(layer)
        return Share(layer.macs + bias(layer), found, _NORMED)
    if "weight" not in weights:
        return Share(layer.macs + bias(layer), 0, _KEPT)
    positions = prod(layer.shape.spatial)
    found = weight_positions(layer, positions) + prod(weights.get("bias", (0,))) * positions
    right = layer.macs + bias(layer)
    return Share(right, found, _TRANSPOSED if found != right else "")


_TRANSPOSED = (
    "it multiplies the weights of a transposed convolution by its output positions; they are used once at "
    "each input position"
)
_ATTENTION = (
    "it takes the weights of the linear layers within attention once, however many positions they are "
    "applied to, and has no rule for any other product of attention"
)
_KEPT = "it has no rule for a convolution whose weight is computed from what a module within it keeps"
_NORMED = (
    "it multiplies the lengths and the directions of normed weights by the output channels, as it does the "
    "weights of a recurrent layer by its steps"
)
_STATES = "it multiplies the weights of a recurrent layer by the rows of its output, which are not steps here"
_HELD = "it does not see parameters that lie in no module of their own"
_FEWER = "it takes the weights of a linear layer once, however many positions it is applied to"

CONVENTION = Convention(
    tool="torchinfo 1.8.0",
    counts="The weights and biases of a convolution, each times its output positions; of any other layer its "
    "parameters, once: right for a linear layer over a vector, and next to nothing for a normalization, "
    "which costs as much as its map is large.",
    leaves_out="All layers without parameters: activation, pooling, additions and products of branches; "
    "and parameters that lie in no module of their own, such as a position embedding.",
    source="torchinfo/layer_info.py: calculate_macs",
    work=_work,
    params=by_module,
)
