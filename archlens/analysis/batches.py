"""Normalizations whose statistics are over a single value, which torch refuses in some modes or batches."""

from __future__ import annotations

from ..errors import Diagnostic
from ..network import Layer, Network
from .unseen import placed


def find(network: Network) -> list[Diagnostic]:
    """A warning for each layer that has a shape, but that torch does not run in training or on one sample.

    Batch normalization of one position is none of them: in evaluation it runs, and in training from a batch
    of 2 on.
    """
    return placed(network, warning)


def warning(layer: Layer) -> Diagnostic | None:
    """What is said of such a layer, without its name and its place."""
    if layer.op.family != "normalization":
        return None
    (x,) = layer.input_shapes
    if layer.op.least_batch(x, training=True) is None:
        return Diagnostic(
            (
                "it runs only in evaluation: in training its statistics would be over a single position, "
                f"its input {x}"
            ),
            help="a larger map, or layer_norm",
        )
    if (layer.op.least_batch(x, training=False) or 1) > 1:
        return Diagnostic(
            f"it does not run on a single sample: its statistics would be over one value of its input {x}",
            help=(
                "a larger map, running statistics or larger groups; torch runs it with a batch of 2 or more"
            ),
        )
    return None
