"""``ptflops.get_model_complexity_info(backend="aten")``, which counts the operators that torch dispatches."""

from __future__ import annotations

from math import prod

from ...network import Layer
from .convention import Convention, Share, bias, met, same, trainable


def _work(layer: Layer) -> Share:
    right = layer.macs + bias(layer) if layer.macs else 0
    if met(layer) == "archlens.ConvMap":
        return same(layer.macs)  # its bias is an addition of its own
    if bias(layer) and isinstance(layer.facts.reach, tuple) and met(layer) in _CROPPED:
        _, *spatial = layer.input_shapes[0]
        whole = [
            w._replace(before=0, after=0).output(n) for w, n in zip(layer.facts.reach, spatial, strict=True)
        ]
        return same(layer.macs + layer.shape.channels * prod(whole))
    return same(right)


#: archlens' own modules that add the bias before they cut the output.
_CROPPED = frozenset(f"archlens.CroppedConvTranspose{axes}d" for axes in (1, 2, 3))


CONVENTION = Convention(
    tool="ptflops 0.7.5 (backend aten)",
    counts="Convolutions and matrix products, one for each multiply-accumulate, and their bias, 1 for each "
    "output value.",
    leaves_out="Normalization, activation, pooling and all elementwise work.",
    source="ptflops/aten_ops.py",
    work=_work,
    params=trainable,
)
