"""The rule ``idle-activation``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...network import Layer
from ...ops import Op
from ...ops.activation import (
    HardSigmoid,
    HardTanh,
    ReLU,
    ReLU6,
    Sigmoid,
    Softmax,
    Softplus,
    Softsign,
    Tanh,
)
from ...ops.dropout import Dropout, SpatialDropout
from ...ops.pooling import AdaptiveMaxPool, GlobalMaxPool, MaxPool
from ...ops.reshape import ChannelShuffle, Crop, Flatten, Slice
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named

#: What is left in which range: the least and the largest value.
_RANGES: dict[type[Op], tuple[float, float]] = {
    ReLU: (0, float("inf")),
    ReLU6: (0, 6),
    Softplus: (0, float("inf")),
    Sigmoid: (0, 1),
    HardSigmoid: (0, 1),
    Softmax: (0, 1),
    Tanh: (-1, 1),
    Softsign: (-1, 1),
    HardTanh: (-1, 1),
}

#: Those that leave what is in their range as it is.
_CLIPS = (ReLU, ReLU6, HardTanh)

#: What takes values from its input, and makes no others.
_PASSES = (MaxPool, AdaptiveMaxPool, GlobalMaxPool, Flatten, Crop, Slice, ChannelShuffle)


class IdleActivation(Rule, code="AL403", name="idle-activation", level=WARNING):
    """An activation has no effect, because its input is already in its range.

    What it does:
        Finds relu, relu6 and hard_tanh after an activation whose values they would not change: relu after
        relu or sigmoid, relu6 after relu6. Max pooling, flatten and dropout may come in between, since they
        preserve the range.

    Why it matters:
        It costs a pass over the map and does nothing. Either it is left over, or a layer between the two is
        missing.

    Example:
        input: 8x16x16
        layers:
          - conv(8, 3)
          - relu
          - max_pool(2)
          - relu

    Use instead:
        input: 8x16x16
        layers:
          - conv(8, 3)
          - relu
          - max_pool(2)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        idle = {
            layer.name: source
            for layer in study.network.layers
            if isinstance(layer.op, _CLIPS) and (source := _earlier(study, layer))
        }
        for layers in at_one_place(study.network.index[name] for name in idle):
            first, source = layers[0], idle[layers[0].name]
            least, most = _RANGES[type(source.op)]
            above = "at least 0" if most == float("inf") else f"from {least:g} to {most:g}"
            yield self.found(
                layers,
                f"{named(layers)}: {first.op.kind} changes nothing, because the {source.op.kind} of "
                f"{named([source])} leaves values {above}",
                help="leave it out, unless something is missing between them",
                also=[("the activation before it", source)] if source.step is not first.step else (),
                values=first.shape.numel,
            )


def _earlier(study: Study, layer: Layer) -> Layer | None:
    """The activation before one that makes it idle."""
    low, high = _RANGES[type(layer.op)]
    source = study.source(layer)
    # dropout makes zeros, and scales what it keeps
    passes = (*_PASSES, Dropout, SpatialDropout) if (low, high) == (0, float("inf")) else _PASSES
    while source is not None and isinstance(source.op, passes):
        source = study.source(source)
    if source is None or type(source.op) not in _RANGES:
        return None
    least, most = _RANGES[type(source.op)]
    return source if low <= least and most <= high else None
