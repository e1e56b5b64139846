"""How deep a network is: the longest way through it, counted as papers do."""

from __future__ import annotations

from collections.abc import Sequence

from ..network import Layer, Network


def counts(layer: Layer) -> bool:
    """Whether a layer is one of those that people count: a convolution or a matrix product with weights.

    Normalization has parameters and is not counted: ResNet-50 has 50 such layers on its longest way.
    """
    return bool(layer.facts.macs and layer.facts.weights)


def find(network: Network, scope: str = "") -> int:
    """The most convolutions and fully connected layers on one way from an input to an output.

    Layers on a shorter branch, such as the projection of a shortcut, do not add to it. Heads that run in
    training only are left out.

    Args:
        network: what is measured.
        scope: count only the layers of this scope, or this layer.

    >>> import archlens
    >>> find(archlens.load("vgg16")), find(archlens.load("googlenet"))
    (16, 22)
    """
    return longest(network.layers, scope)


def longest(layers: Sequence[Layer], scope: str = "") -> int:
    """The same of layers in order; of a scope, those from its first to its last will do."""
    deepest: dict[str, int] = {}
    for layer in layers:
        before = max(deepest.get(name, 0) for name in layer.inputs)
        inside = not scope or layer.within(scope)
        deepest[layer.name] = before + (inside and counts(layer) and not layer.training)
    return max((deepest[layer.name] for layer in layers if not layer.training), default=0)
