"""Shapes without the batch, and the names of their axes.

Knows nothing of ops, networks or files.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

#: Names of the spatial axes, by how many there are: ``CxL``, ``CxHxW``, ``CxDxHxW``.
AXIS_NAMES: dict[int, tuple[str, ...]] = {
    0: (),
    1: ("length",),
    2: ("height", "width"),
    3: ("depth", "height", "width"),
}


class Shape(tuple[int, ...]):
    """The sizes of a tensor without its batch axis, channels first.

    It is a tuple, so ``shape == (64, 112, 112)`` and ``channels, *spatial = shape`` work.

    >>> shape = Shape((64, 112, 112))
    >>> print(shape)
    64x112x112
    >>> shape.channels, shape.spatial, shape.numel
    (64, (112, 112), 802816)
    """

    __slots__ = ()

    @property
    def channels(self) -> int:
        """Size of the channel axis; of a flat vector, its length."""
        return self[0]

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of the spatial axes; empty for a flat vector."""
        return tuple(self[1:])

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the spatial axes: ``("height", "width")`` for ``CxHxW``."""
        return AXIS_NAMES[len(self) - 1]

    @property
    def numel(self) -> int:
        """How many numbers the tensor holds, for one sample."""
        return prod(self)

    def __str__(self) -> str:
        return times(self)

    def __repr__(self) -> str:
        return f"Shape({tuple(self)!r})"


def times(sizes: Iterable[int]) -> str:
    """Sizes as people write them: ``times((3, 3)) == "3x3"``."""
    return "x".join(map(str, sizes))
