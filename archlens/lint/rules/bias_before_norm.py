"""The rule ``bias-before-norm``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ...analysis.study import Study
from ...network import Layer
from ...ops.normalization import BatchNorm, InstanceNorm
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named


class BiasBeforeNorm(Rule, code="AL301", name="bias-before-norm", level=WARNING):
    """A layer adds a bias that the normalization after it removes again.

    What it does:
        Finds convolutions and linear layers with a bias whose output is read only by batch or instance
        normalization. Group and layer normalization subtract the mean of several channels, and are not
        reported.

    Why it matters:
        The normalization subtracts the mean of each channel, and with it the bias, which gets no gradient;
        the normalization has a bias of its own. The parameters waste memory and optimizer state. Source:
        Ioffe and Szegedy, "Batch Normalization" (2015), section 3.2.

    Example:
        input: 3x32x32
        layers:
          - conv(64, 3, padding=1)
          - batch_norm
          - relu

    Use instead:
        input: 3x32x32
        layers:
          - conv(64, 3, padding=1, bias=false)
          - batch_norm
          - relu
    """

    def check(self, study: Study) -> Iterator[Finding]:
        biased = [
            layer
            for layer in study.network.layers
            if layer.facts.macs
            and "bias" in layer.facts.weights
            and all(_normalized(study, one) for one in study.network.sharing.get(layer.name, (layer,)))
        ]
        for layers in at_one_place(biased):
            saved = sum(prod(layer.facts.weights["bias"]) for layer in layers)
            norms = study.readers[layers[0].name]
            yield self.found(
                layers,
                f"{named(layers)}: {saved:,} biases are removed again by the normalization after "
                f"{'them' if len(layers) > 1 else 'it'}",
                help=f"bias=false saves {saved:,} parameters",
                also=[("the normalization", norms[0])],
                saved=saved,
            )


def _normalized(study: Study, layer: Layer) -> bool:
    """Whether what a layer gives is normalized, and nothing else reads it."""
    readers = study.readers[layer.name]
    return (
        layer.name not in study.ends
        and bool(readers)
        and all(isinstance(reader.op, BatchNorm | InstanceNorm) for reader in readers)
    )
