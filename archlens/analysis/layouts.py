"""Inputs that look as if their channels stood last, as TensorFlow has them."""

from __future__ import annotations

from ..errors import Diagnostic
from ..network import Network
from ..shape import times


def find(network: Network) -> list[Diagnostic]:
    """A warning for each input whose channels seem to stand last; none where all that reads it turns it."""
    found = []
    for name, shape in network.inputs.items():
        turned = shape.turned()
        if turned is None or _is_turned(network, name):
            continue
        where = network.declared.get(name)
        found.append(
            Diagnostic(
                f"{name}: {shape} is read as {shape[0]} channels of {times(shape[1:])}",
                where.span if where is not None else None,
                help=f"channels come first: {turned}",
                severity="warning",
            )
        )
    return found


def _is_turned(network: Network, name: str) -> bool:
    """Whether all that reads an input moves its axes, as where a file has them in another order."""
    readers = [layer.op.kind for layer in network.layers if name in layer.inputs]
    return bool(readers) and set(readers) <= {"channels_first", "rearrange"}
