"""Shapes without the batch, and the names of their axes.

Knows nothing of ops, networks or files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, ClassVar

#: Names of the spatial axes, by how many there are: ``CxL``, ``CxHxW``, ``CxDxHxW``.
AXIS_NAMES: dict[int, tuple[str, ...]] = {
    0: (),
    1: ("length",),
    2: ("height", "width"),
    3: ("depth", "height", "width"),
}

#: How many channels pictures have: grey, colours, and colours with transparency.
_PICTURES = (1, 3, 4)


class Shape(tuple[int, ...]):
    """The sizes of a tensor without its batch axis, channels first; in a :class:`ChannelsLast`, last.

    It is a tuple of the sizes in torch's order, so ``shape == (64, 112, 112)`` works.

    >>> shape = Shape((64, 112, 112))
    >>> print(shape)
    64x112x112
    >>> shape.channels, shape.spatial, shape.numel
    (64, (112, 112), 802816)
    """

    __slots__ = ()

    #: Whether the channels are the last axis. A flat vector is either, and counts as channels first.
    channels_last: ClassVar[bool] = False

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
        return _axes(len(self) - 1)

    @property
    def channel_axis(self) -> int:
        """Which axis the channels are, without the batch."""
        return 0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all axes, in torch's order."""
        return ("channels", *self.axes)

    def with_channels(self, channels: int) -> Shape:
        """The same positions, in the same layout, with another number of channels."""
        return Shape((channels, *self[1:]))

    def with_spatial(self, spatial: Iterable[int]) -> Shape:
        """The same channels, in the same layout, at other positions."""
        return Shape((self.channels, *spatial))

    def with_sizes(self, sizes: Iterable[int]) -> Shape:
        """The same kind of shape, with other sizes along all of its axes, in torch's order."""
        return type(self)(sizes)

    def turned(self) -> Shape | None:
        """The shape that is meant where the channels seem to stand last, as TensorFlow has them.

        That is where there are two or three other axes, and of all sizes only the last is that of a picture's
        channels: ``3x4x4`` is a small picture as it should be. Who says that they stand last means it.

        >>> print(Shape((224, 224, 3)).turned(), Shape((3, 4, 4)).turned(), ChannelsLast((9, 9, 3)).turned())
        3x224x224 None None
        """
        *first, last = self
        seems = last in _PICTURES and not any(size in _PICTURES for size in first)
        if self.channels_last or len(first) < 2 or not seems:
            return None
        return Shape((last, *first))

    def size(self, name: str) -> int | None:
        """What a spec asks for as ``x.height``; ``None`` where there is no such axis."""
        if name == "numel":
            return self.numel
        return self[self.names.index(name)] if name in self.names else None

    @property
    def numel(self) -> int:
        """How many numbers the tensor holds, for one sample."""
        return prod(self)

    def __str__(self) -> str:
        return times(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({tuple(self)!r})"


class ChannelsLast(Shape):
    """The sizes of a tensor whose last axis are the channels: tokens (``LxC``) and maps (``HxWxC``).

    Its sizes stand in torch's order too. It equals a plain tuple of them, and no shape of the other layout.

    >>> shape = ChannelsLast((197, 768))
    >>> print(shape)
    197x768
    >>> shape.channels, shape.spatial
    (768, (197,))
    >>> shape == (197, 768), shape == Shape((197, 768))
    (True, False)
    """

    __slots__ = ()

    channels_last: ClassVar[bool] = True

    @property
    def channels(self) -> int:
        """Size of the channel axis."""
        return self[-1]

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of the spatial axes."""
        return tuple(self[:-1])

    @property
    def channel_axis(self) -> int:
        """Which axis the channels are, without the batch."""
        return len(self) - 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all axes, in torch's order."""
        return (*self.axes, "channels")

    def with_channels(self, channels: int) -> Shape:
        """The same positions, in the same layout, with another number of channels."""
        return ChannelsLast((*self[:-1], channels))

    def with_spatial(self, spatial: Iterable[int]) -> Shape:
        """The same channels, in the same layout, at other positions."""
        return ChannelsLast((*spatial, self.channels))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Shape) and not other.channels_last:
            return False
        return tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self)


class Ids(Shape):
    """The sizes of a tensor of ids: whole numbers below a bound, by which a table is looked up.

    It has positions and no channels. It equals a plain tuple of its sizes, and of shapes those of ids with
    its bound.

    >>> shape = Ids((77,), 49408)
    >>> print(shape)
    77 of 49408
    >>> shape.spatial, shape.names, shape.below
    ((77,), ('length',), 49408)
    >>> shape == (77,), shape == Shape((77,)), shape == Ids((77,), 32000)
    (True, False, False)
    """

    #: Every id is at least 0 and below this.
    below: int

    def __new__(cls, sizes: Iterable[int], below: int) -> Ids:
        """The sizes of ids below a bound."""
        made = super().__new__(cls, sizes)
        made.below = below
        return made

    def __getnewargs__(self) -> tuple[Any, ...]:
        return tuple(self), self.below

    @property
    def channels(self) -> int:
        """At each position there is one value."""
        return 1

    @property
    def spatial(self) -> tuple[int, ...]:
        """Sizes of all axes."""
        return tuple(self)

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of all axes."""
        return _axes(len(self))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all axes."""
        return self.axes

    def with_spatial(self, spatial: Iterable[int]) -> Shape:
        """Ids of the same bound at other positions."""
        return Ids(spatial, self.below)

    def with_sizes(self, sizes: Iterable[int]) -> Shape:
        """Ids of the same bound."""
        return Ids(sizes, self.below)

    def turned(self) -> None:
        """They have no channels that could stand elsewhere."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Shape) and getattr(other, "below", None) != self.below:
            return False
        return tuple.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return tuple.__hash__(self)

    def __str__(self) -> str:
        return f"{times(self)} of {self.below}"

    def __repr__(self) -> str:
        return f"Ids({tuple(self)!r}, {self.below})"


def _axes(count: int) -> tuple[str, ...]:
    """The names of so many spatial axes."""
    return AXIS_NAMES.get(count) or tuple([f"axis {i}" for i in range(1, count + 1)])


def channels_last(spatial: Iterable[int], channels: int) -> Shape:
    """The shape of these positions with their channels last; without any, a flat vector.

    >>> channels_last((7, 7), 768), channels_last((), 768)
    (ChannelsLast((7, 7, 768)), Shape((768,)))
    """
    positions = tuple(spatial)
    return ChannelsLast((*positions, channels)) if positions else Shape((channels,))


def broadcast(shapes: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    """The sizes that tensors have together, axes of one position spread; ``None`` where they do not fit.

    >>> broadcast([(8, 1, 4), (3, 1)])
    (8, 3, 4)
    >>> broadcast([(2, 3), (2,)])
    """
    found = []
    for i in range(-max(map(len, shapes), default=0), 0):
        here = {shape[i] for shape in shapes if len(shape) >= -i} - {1}
        if len(here) > 1:
            return None
        found.append(next(iter(here), 1))
    return tuple(found)


def times(sizes: Iterable[int]) -> str:
    """Sizes as people write them: ``times((3, 3)) == "3x3"``."""
    return "x".join(map(str, sizes))
