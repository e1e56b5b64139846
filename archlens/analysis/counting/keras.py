"""Keras' ``count_params``; Keras counts no work."""

from __future__ import annotations

from math import prod

from ...network import Layer
from .convention import Convention, Share, same


def _params(layer: Layer) -> Share:
    # torch's count of batches seen is a scalar, and Keras has none
    kept = sum(prod(shape) for shape in layer.facts.kept.values() if shape)
    return same(layer.params + kept)


CONVENTION = Convention(
    tool="Keras 3 (count_params)",
    counts="All saved tensors as parameters: the moving mean and variance of batch norm too, so 4 for each "
    'of its channels where torch has 2. It calls those "non-trainable". It counts no multiply-accumulates.',
    leaves_out="Nothing; but Keras' own networks may differ in other ways: its ResNets have a bias in each "
    "convolution before batch norm (26,560 parameters in ResNet-50).",
    source="keras/src/layers/layer.py: count_params; keras/src/layers/normalization/batch_normalization.py",
    work=None,
    params=_params,
)
