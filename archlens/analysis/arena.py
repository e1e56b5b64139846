"""Where tensors lie in one piece of memory: an arena that is planned before anything runs.

The planner is that of TensorFlow Lite for Microcontrollers: the largest tensor first, each at the first gap
between those that are alive with it and lie already. Source: ``greedy_memory_planner.cc`` of
https://github.com/tensorflow/tflite-micro, whose algorithm this is and none of whose code.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from ..formulas import Remembering

#: What each tensor is rounded up to: ``MicroArenaBufferAlignment()`` in ``micro_arena_constants.h``.
ALIGNMENT = 16


class Interval(NamedTuple):
    """A tensor with the first and the last step at which it is alive."""

    name: str
    bytes: int
    first: int
    last: int

    @property
    def aligned(self) -> int:
        """Its bytes in the arena."""
        return -(-self.bytes // ALIGNMENT) * ALIGNMENT


class Arena(NamedTuple):
    """A plan."""

    #: The end of the tensor that lies furthest back.
    bytes: int
    #: The most bytes that are alive at one step: less than these no plan can take.
    least: int
    #: The step at which so many are alive, the first of several.
    step: int
    #: Where each tensor starts, in the order in which they were given.
    offsets: tuple[int, ...]


def plan(tensors: Sequence[Interval]) -> Arena:
    """Where the greedy planner puts tensors.

    Of tensors of one size the last one goes first, as there. Work and memory grow with the square of their
    number.

    Args:
        tensors: in the order in which the runtime has them: inputs, then what each step writes.

    >>> chain = [Interval("a", 32, 0, 1), Interval("b", 64, 1, 2), Interval("c", 32, 2, 3)]
    >>> plan(chain)
    Arena(bytes=96, least=96, step=1, offsets=(64, 0, 64))
    """
    offsets = [0] * len(tensors)
    placed: list[int] = []  # by their offsets; of one offset, the first placed first
    for index in sorted(range(len(tensors)), key=lambda i: (-tensors[i].aligned, -i)):
        one = tensors[index]
        start = 0
        for other in placed:
            there = tensors[other]
            if there.first > one.last or one.first > there.last:
                continue
            if offsets[other] - start >= one.aligned:
                break
            start = max(start, offsets[other] + there.aligned)
        offsets[index] = start
        at = next((i for i, other in enumerate(placed) if offsets[other] > start), len(placed))
        placed.insert(at, index)
    end = max((offset + one.aligned for offset, one in zip(offsets, tensors, strict=True)), default=0)
    least, step = _most_alive(tensors)
    return Arena(end, least, step, tuple(offsets))


def end(tensors: Sequence[Interval]) -> Any:
    """The bytes of :func:`plan`; for sizes of many configurations at once, the bytes of each.

    >>> end([Interval("a", 32, 0, 1), Interval("b", 64, 1, 2), Interval("c", 32, 2, 3)])
    96
    """
    sizes = [one.aligned for one in tensors]
    several = next((size for size in sizes if isinstance(size, Remembering)), None)
    if several is None:
        return plan(tensors).bytes
    alive = tuple([(one.first, one.last) for one in tensors])
    return several.by_rows(("arena", alive), sizes, partial(_ends, alive))


def _ends(alive: Sequence[tuple[int, int]], rows: Any) -> Any:
    """The bytes of plans, of tensors that are alive at the same steps in each.

    Args:
        alive: the first and the last step of each tensor.
        rows: its aligned bytes, as a matrix of numpy with a row for each plan.
    """
    import numpy as np

    count = len(alive)
    beside = [
        [k for k, (first, last) in enumerate(alive) if k != i and first <= to and since <= last]
        for i, (since, to) in enumerate(alive)
    ]
    widest = max(map(len, beside))
    # behind the tensors there is one of no bytes that never lies anywhere
    others = np.array([places + [count] * (widest - len(places)) for places in beside], np.intp)
    nowhere = np.iinfo(np.int64).max
    sizes = np.pad(rows, ((0, 0), (0, 1)))
    offsets = np.full(sizes.shape, nowhere)
    every = np.arange(len(rows))
    # of tensors of one size the last one goes first
    order = count - 1 - np.argsort(-rows[:, ::-1], axis=1, kind="stable")
    for index in order.T:
        own = sizes[every, index]
        places = others[index]
        there = np.take_along_axis(offsets, places, 1)
        by = np.argsort(there, axis=1, kind="stable")
        there = np.take_along_axis(there, by, 1)
        long = np.take_along_axis(sizes, np.take_along_axis(places, by, 1), 1)
        start = np.zeros(len(rows), np.int64)
        on = np.ones(len(rows), bool)
        for offset, behind in zip(there.T, long.T, strict=True):
            on &= (offset != nowhere) & (offset - start < own)
            if not on.any():
                break
            start = np.where(on, np.maximum(start, np.where(on, offset, 0) + behind), start)
        offsets[every, index] = start
    return (offsets[:, :count] + rows).max(1)


def _most_alive(tensors: Sequence[Interval]) -> tuple[int, int]:
    """The most bytes that are alive at one step, and the first such step."""
    changes: dict[int, int] = {}
    for one in tensors:
        changes[one.first] = changes.get(one.first, 0) + one.aligned
        changes[one.last + 1] = changes.get(one.last + 1, 0) - one.aligned
    most = at = alive = 0
    for step in sorted(changes):
        alive += changes[step]
        if alive > most:
            most, at = alive, step
    return most, at
