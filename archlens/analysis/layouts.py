"""Inputs that look as if their channels stood last, as TensorFlow has them."""

from __future__ import annotations

from ..errors import Diagnostic
from ..network import Network
from ..shape import times


def find(network: Network) -> list[Diagnostic]:
    """A warning for each input whose channels seem to stand last."""
    found = []
    for name, shape in network.inputs.items():
        turned = shape.turned()
        if turned is None:
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
