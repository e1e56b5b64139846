"""How tensors lie in memory: the strides that torch gives them, worked out without it.

All sizes and strides here are those of torch, the batch first. They decide whether a flatten is a view or a
copy. Sources: ``computeStride`` in aten/src/ATen/TensorUtils.cpp, ``reorder_dimensions`` in
aten/src/ATen/TensorIterator.cpp, ``is_channels_last_strides_2d`` in c10/core/MemoryFormat.h.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import TypeVar

from ..formulas import remembers

Sizes = tuple[int, ...]
Strides = tuple[int, ...]

F = TypeVar("F", bound=Callable[..., object])

_PLAIN = frozenset({int})


def _remembered(function: F) -> F:
    """A function whose answers are kept: a network has few shapes, and asks about each of them often.

    Not those on numbers that remember how they were made, which would be asked for their values.
    """
    known = lru_cache(4096)(function)

    @wraps(function)
    def answer(*shapes: tuple[int, ...]) -> object:
        for shape in shapes:  # nearly all are numbers and no more, which is seen at once
            if not _PLAIN.issuperset(map(type, shape)) and remembers(shape):
                return function(*shapes)
        return known(*shapes)

    return answer  # type: ignore[return-value]


@_remembered
def rows(sizes: Sizes) -> Strides:
    """Row-major order, without gaps.

    >>> rows((2, 3, 4, 5))
    (60, 20, 5, 1)
    """
    return ordered(sizes, range(len(sizes)))


def ordered(sizes: Sizes, order: Sequence[int]) -> Strides:
    """Without gaps, the axes from the outermost to the innermost.

    >>> ordered((2, 3, 4, 5), (0, 2, 3, 1))
    (60, 1, 15, 3)
    """
    found = [0] * len(sizes)
    step = 1
    for axis in reversed(order):
        found[axis] = step
        step *= sizes[axis]
    return tuple(found)


@_remembered
def in_rows(sizes: Sizes, strides: Strides) -> bool:
    """Whether all lies in one piece and in row-major order; axes of one position do not matter."""
    return all(
        n == 1 or stride == whole for n, stride, whole in zip(sizes, strides, rows(sizes), strict=True)
    )


def reshaped(sizes: Sizes, strides: Strides, to: Sizes) -> Strides | None:
    """The strides of the same memory under another shape; ``None`` where there are none.

    >>> reshaped((2, 3, 4, 5), (60, 20, 5, 1), (2, 60))
    (60, 1)
    >>> reshaped((2, 3, 4, 5), (60, 1, 15, 3), (2, 60)) is None
    True
    """
    found = [0] * len(to)
    axis = len(to) - 1
    base, held, taken = strides[-1], 1, 1
    for own in reversed(range(len(sizes))):
        held *= sizes[own]
        # a run of axes ends where the one before it does not go on evenly
        if own == 0 or (sizes[own - 1] != 1 and strides[own - 1] != held * base):
            while axis >= 0 and (taken < held or to[axis] == 1):
                found[axis] = taken * base
                taken *= to[axis]
                axis -= 1
            if taken != held:
                return None
            if own > 0:
                base, held, taken = strides[own - 1], 1, 1
    return tuple(found) if axis == -1 else None


@_remembered
def suggested(sizes: Sizes, strides: Strides, to: Sizes) -> Strides:
    """What convolutions and poolings write: the channels innermost where those of their input are."""
    if len(sizes) not in (4, 5) or len(to) != len(sizes):
        return rows(to)
    order = (0, *range(2, len(sizes)), 1)
    least = 0
    if strides[1] == 0:
        return rows(to)
    for axis in (1, *reversed(order[1:-1]), 0):
        if strides[axis] < least or (axis == 0 and least == strides[1]):
            return rows(to)
        least = strides[axis] * max(sizes[axis], 1)
    return ordered(to, order)


def elementwise(sizes: Sizes, operands: Sequence[tuple[Sizes, Strides]]) -> Strides:
    """What an op writes that works value by value: it follows its operands, which may be repeated."""
    if all(own == sizes for own, _ in operands):
        if all(in_rows(*operand) for operand in operands):
            return rows(sizes)
        if len(sizes) == 4 and all(_channels_last(*operand) for operand in operands):
            return ordered(sizes, (0, 2, 3, 1))
        first = operands[0][1]
        if all(strides == first for _, strides in operands) and dense(sizes, first):
            return first
    known = [
        [0 if n == 1 and m != 1 else stride for n, m, stride in zip(own, sizes, strides, strict=True)]
        for own, strides in operands
    ]
    order = list(reversed(range(len(sizes))))  # from the innermost
    for place in range(1, len(order)):
        second = place
        for first_place in reversed(range(place)):
            turn = _turn(sizes, known, order[first_place], order[second])
            if turn > 0:
                order[first_place], order[second] = order[second], order[first_place]
                second = first_place
            elif turn < 0:
                break
    return ordered(sizes, order[::-1])


def dense(sizes: Sizes, strides: Strides) -> bool:
    """Whether it has no gaps, in whichever order."""
    step = 1
    for stride, n in sorted((s, n) for n, s in zip(sizes, strides, strict=True) if n > 1):
        if stride != step:
            return False
        step *= n
    return True


def _channels_last(sizes: Sizes, strides: Strides) -> bool:
    """Whether the channels are innermost and nothing has gaps."""
    order = (0, *range(2, len(sizes)), 1)
    return in_rows(tuple(sizes[axis] for axis in order), tuple(strides[axis] for axis in order))


def _turn(sizes: Sizes, known: Sequence[Sequence[int]], inner: int, outer: int) -> int:
    """1 where two axes should change places, -1 where they should not, 0 where nothing says so."""
    for strides in known:
        a, b = strides[inner], strides[outer]
        if a == 0 or b == 0:
            continue
        if a != b:
            return -1 if a < b else 1
        if sizes[inner] > sizes[outer]:
            return 1
    return 0
