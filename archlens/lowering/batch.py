"""Where the samples are in a tensor that was viewed, of which that is known for a batch of another size."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from .tape import BATCH


def rebatched(
    before: Sequence[int],
    now: Sequence[int],
    sizes: Sequence[int],
    inside: int,
    samples: int,
    late: bool = False,
) -> tuple[tuple[int, ...], int]:
    """The sizes that a view has on another batch.

    Args:
        before: what is viewed, on so many samples.
        now: the same on this batch.
        sizes: what it is viewed as, on so many samples.
        inside: how many positions of the axis that holds the samples are outside of them.
        samples: how many.
        late: whether, of several axes that may hold a single sample, the last does, and not the first.

    Returns:
        What it is viewed as on this batch, and how many positions of that axis are outside of the samples.

    >>> rebatched([50, 12, 64], [50, 12 * BATCH, 64], [50, 768], 1, 1) == ((50 * BATCH, 768), 50)  # heads
    True
    """
    axis = next(i for i, (n, m) in enumerate(zip(before, now, strict=True)) if n != m)
    behind = list(before[axis + 1 :])
    if samples == 1 and before[axis] > inside:  # several show in the sizes where they are
        behind.insert(0, before[axis] // inside)
    if late and axis and list(sizes[: axis + 1]) == list(before[: axis + 1]):
        place = axis
    else:
        place, inside = _place(prod(before[:axis]) * inside, sizes, behind, late)
    return tuple(n * BATCH // samples if i == place else n for i, n in enumerate(sizes)), inside


def _place(
    outer: int, sizes: Sequence[int], behind: Sequence[int] = (), late: bool = False
) -> tuple[int, int]:
    """In which axis the samples are where so many positions lie outside of them, and how many of these in it.

    Where one axis ends there and another begins, it is the second, unless that is the one that stood
    ``behind`` the samples before, or all that did: then they have been joined with the first.

    >>> _place(1, [1, 196, 12, 64]), _place(50, [100, 768]), _place(50, [50, 2, 768])
    ((0, 1), (0, 50), (1, 1))
    >>> _place(13, [13, 6], [6]), _place(50, [50, 12, 64], [768]), _place(50, [50, 768], [12, 64])
    ((0, 13), (1, 1), (0, 50))
    >>> _place(1, [1, 2, 4], [8]), _place(1, [1, 2, 4], [8], late=True)  # one step, and two heads of 4
    ((0, 1), (1, 1))
    """
    starts = [prod(sizes[:i]) for i in range(len(sizes))]
    place = starts.index(outer) if outer in starts else max(i for i, n in enumerate(starts) if n <= outer)
    if late:
        place = max(i for i, n in enumerate(starts) if n == starts[place])
    joined = sizes[place] in (*behind[:1], prod(behind))
    if place and starts[place] == outer and sizes[place] != 1 and joined:
        place -= 1
    return place, outer // starts[place]
