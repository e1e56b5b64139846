"""How the values of a tensor lie in the one that they were moved from: axes split, merged, and turned round.

A tensor that was only viewed, permuted and reshaped holds the values of another one in another order. Each of
its axes is a list of parts of the other's axes, the outermost first; a part takes every so many positions of
one axis. ``(B, H*W, C)`` of a map ``(B, C, H, W)`` has the axes ``[B] [H, W] [C]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import NamedTuple


class Part(NamedTuple):
    """Part of an axis: its index there is ``stride`` times the index here."""

    axis: int
    stride: int
    size: int


#: The axis that a part is of by which the same values stand several times; its stride is 0.
REPEATED = -1

#: One axis of a tensor: parts of the axes of the one that it was moved from, the outermost first.
Axis = tuple[Part, ...]
#: All axes.
Axes = tuple[Axis, ...]


def straight(sizes: Sequence[int]) -> Axes:
    """A tensor as it is.

    >>> straight((2, 3))
    ((Part(axis=0, stride=1, size=2),), (Part(axis=1, stride=1, size=3),))
    """
    return tuple((Part(i, 1, n),) if n != 1 else () for i, n in enumerate(sizes))


def sizes(axes: Axes) -> tuple[int, ...]:
    """The sizes of the axes."""
    return tuple(prod(part.size for part in axis) for axis in axes)


def joined(parts: Iterable[Part]) -> Axis:
    """Parts in a row as one axis: what lies side by side in the same axis becomes one part again.

    >>> joined([Part(0, 4, 3), Part(0, 1, 4)])
    (Part(axis=0, stride=1, size=12),)
    """
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if last is not None and last.axis == part.axis and last.stride == part.stride * part.size:
            found[-1] = Part(part.axis, part.stride, last.size * part.size)
        elif part.size != 1:
            found.append(part)
    return tuple(found)


def in_order(axes: Iterable[Axis]) -> Axis:
    """The values of some axes in a row."""
    return joined(part for axis in axes for part in axis)


def permuted(axes: Axes, order: Sequence[int]) -> Axes:
    """The axes in another order."""
    return tuple(axes[i] for i in order)


def moved(axes: Axes | None, moves: Sequence[tuple[str, tuple[int, ...]]]) -> Axes | None:
    """The axes after some moves, each a ``"view"`` as a shape or a ``"permute"`` into an order."""
    for kind, how in moves:
        if axes is None or (kind == "permute" and len(axes) != len(how)):
            return None
        axes = viewed(axes, how) if kind == "view" else permuted(axes, how)
    return axes


def viewed(axes: Axes, shape: Sequence[int]) -> Axes | None:
    """The same values in row-major order as another shape; ``None`` where that splits no axis evenly.

    >>> viewed(straight((6, 4)), (2, 12))
    ((Part(axis=0, stride=3, size=2),), (Part(axis=0, stride=1, size=3), Part(axis=1, stride=1, size=4)))
    """
    rest = [part for axis in axes for part in axis][::-1]
    found = []
    for size in shape:
        taken: list[Part] = []
        left = size
        while left > 1:
            if not rest:
                return None
            part = rest.pop()
            if left % part.size == 0:
                taken.append(part)
                left //= part.size
            elif part.size % left == 0:
                inner = part.size // left
                taken.append(Part(part.axis, part.stride * inner, left))
                rest.append(Part(part.axis, part.stride, inner))
                left = 1
            else:
                return None
        found.append(joined(taken))
    return tuple(found) if not rest else None
