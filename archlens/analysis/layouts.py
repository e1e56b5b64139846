"""Inputs that look as if their channels stood last, as TensorFlow has them."""

from __future__ import annotations

from ..errors import Diagnostic
from ..network import Network
from ..shape import Shape, times

#: How many channels pictures have: grey, colours, and colours with transparency.
_PICTURES = (1, 3, 4)


def find(network: Network) -> list[Diagnostic]:
    """A warning for each input of two or three axes whose last size is that of a picture's channels.

    Only where no other size is such: ``3x4x4`` is a small picture as it should be.
    """
    found = []
    for name, shape in network.inputs.items():
        if len(shape) < 3 or [size in _PICTURES for size in shape] != [False] * (len(shape) - 1) + [True]:
            continue
        where = network.declared.get(name)
        found.append(
            Diagnostic(
                f"{name}: {shape} is read as {shape[0]} channels of {times(shape[1:])}",
                where.span if where is not None else None,
                help=f"channels come first: {Shape((shape[-1], *shape[:-1]))}",
                severity="warning",
            )
        )
    return found
