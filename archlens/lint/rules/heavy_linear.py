"""The rule ``heavy-linear``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ...analysis.study import Study
from ...network import Layer
from ...ops.linear import Linear
from ...ops.reshape import Flatten
from ..rule import ADVICE, Finding, Rule
from ..words import named, percent


class HeavyLinear(Rule, code="AL302", name="heavy-linear", level=ADVICE):
    """One fully connected layer on a flattened map holds most of the parameters.

    What it does:
        Finds a linear layer that holds more than half of all parameters, and whose input is a flattened map
        of several positions. It reports what the layer would hold after global average pooling.

    Why it matters:
        The layer has weights of its own for each position of the map, and fixes the size of the input. This
        is how VGG-16's fc6 comes to hold 102.8 M of 138.4 M parameters. With global pooling, the layer needs
        one weight per channel and output, overfits less, and takes any size. Source: Lin, Chen and Yan,
        "Network In Network" (2014), section 3.2.

    Example:
        input: 3x7x7
        layers:
          - conv(32, 7, padding=3)
          - relu
          - flatten
          - linear(10)

    Use instead:
        input: 3x7x7
        layers:
          - conv(32, 7, padding=3)
          - relu
          - global_avg_pool
          - flatten
          - linear(10)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        total = study.network.params
        if any(layer.facts.unlisted for layer in study.network.stated):
            return  # a share of what is only stated is none that is known
        for layer in study.network.layers:
            if not isinstance(layer.op, Linear) or 2 * layer.params <= total:
                continue
            flatten = _flatten(study, layer)
            if flatten is None:
                continue
            x = flatten.input_shapes[0]
            # each weight of a channel's positions is replaced by one
            kept = layer.op.features * x.channels
            saved = prod(layer.facts.weights["weight"]) - kept
            if saved:
                yield self.found(
                    [layer],
                    f"{named([layer])}: one layer holds {layer.params:,} of {total:,} parameters "
                    f"({percent(layer.params, total)})",
                    notes=[f"it reads {x} = {x.numel:,} features"],
                    help=f"global_avg_pool before flatten leaves it {x.channels:,} features and "
                    f"{layer.params - saved:,} parameters, {saved:,} fewer",
                    params=layer.params,
                    total=total,
                    saved=saved,
                )


def _flatten(study: Study, layer: Layer) -> Layer | None:
    """The flatten that a layer reads, through what keeps its features as they are."""
    source = study.source(layer)
    while source is not None and source.shape == layer.input_shapes[0] and not source.params:
        if isinstance(source.op, Flatten) and len(source.input_shapes[0]) > 1:
            return source
        source = study.source(source)
    return None
