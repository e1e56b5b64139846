"""In which order things stand in rows, so that few of the lines between them cross.

Rows are put in order one at a time, each for what stands in those above and beneath it: exactly, by dynamic
programming over sets, where few things stand in it, else by moving each to where it is best. As this ends
where no single row can be better, it is begun anew from some orders, always the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from random import Random
from typing import NamedTuple

#: From how many things on rows are not put in order exactly; how often it is begun anew, and how often all
#: rows are put in order then; and the most pairs of lines that are looked at for one row.
_MANY, _STARTS, _ROUNDS, _PAIRS = 5, 40, 8, 4_000


class Join(NamedTuple):
    """A line from a thing in a row to one in the next: which they are there, and where in them it ends."""

    upper: int
    x: float
    lower: int
    to: float
    #: Lines of one net come from one box, and may be one.
    net: int


Rows = tuple[tuple[int, ...], ...]
Joins = tuple[tuple[Join, ...], ...]


def crossings(orders: Sequence[Sequence[int]], joins: Sequence[Sequence[Join]]) -> int:
    """How often lines of different nets cross, given those between one row and the next.

    >>> crossings([[0, 1], [0, 1]], [[Join(0, 0, 1, 0, net=0), Join(1, 0, 0, 0, net=1)]])
    1
    """
    at = [{thing: i for i, thing in enumerate(order)} for order in orders]
    count = 0
    for (above, below), some in zip(pairwise(at), joins, strict=True):
        ends = [((above[one.upper], one.x), (below[one.lower], one.to), one.net) for one in some]
        count += sum(
            net != other and (a < c) != (b < d) and a != c and b != d
            for i, (a, b, net) in enumerate(ends)
            for c, d, other in ends[:i]
        )
    return count


@lru_cache(maxsize=512)
def ordered(orders: Rows, joins: Joins) -> Rows:
    """The orders in which fewest lines were found to cross: those given, where no others have fewer.

    Args:
        orders: the things of each row, which are numbered in each from 0 on.
        joins: the lines from each row to the next.
    """
    found = [list(order) for order in orders]
    least = crossings(orders, joins)
    if not least:
        return orders
    best = _settled(found, joins, orders), 0, tuple(map(tuple, found))
    random = Random(0)
    wide = [row for row, order in enumerate(orders) if len(order) > 1]
    for start in range(_STARTS):
        found = [list(order) for order in orders]
        first = wide[start % len(wide)]
        random.shuffle(found[first])
        for row in range(first + 1, len(found)):
            _put(found, joins, row, orders[row], (row - 1,))
        for row in range(first - 1, -1, -1):
            _put(found, joins, row, orders[row], (row + 1,))
        count = _settled(found, joins, orders)
        if count <= best[0]:
            best = min(best, (count, _inverted(found, orders), tuple(map(tuple, found))))
    return best[2] if best[0] < least else orders


def _inverted(orders: Sequence[Sequence[int]], wished: Rows) -> int:
    """How many pairs do not stand as is wished."""
    count = 0
    for order, wish in zip(orders, wished, strict=True):
        at = {thing: i for i, thing in enumerate(wish)}
        count += sum(at[b] < at[a] for i, b in enumerate(order) for a in order[:i])
    return count


def _settled(orders: list[list[int]], joins: Joins, wished: Rows) -> int:
    """Put one row after the other in order until none can be better; how many lines cross then."""
    least = crossings(orders, joins)
    for turn in range(_ROUNDS):
        rows = range(len(orders))
        for row in rows if turn % 2 == 0 else reversed(rows):
            _put(orders, joins, row, wished[row], (row - 1, row + 1))
        count = crossings(orders, joins)
        if count >= least and turn:
            break
        least = count
    return least


def _put(orders: list[list[int]], joins: Joins, row: int, wished: Sequence[int], near: Sequence[int]) -> None:
    """Put one row in order for those near it."""
    cost = _costs(orders, joins, row, wished, near)
    if cost is not None:
        orders[row] = cheapest(cost, orders[row])


def _costs(
    orders: Sequence[Sequence[int]], joins: Joins, row: int, wished: Sequence[int], near: Sequence[int]
) -> list[list[float]] | None:
    """How often lines of two things in a row cross where the one stands before the other; and a little more
    where that is not as is wished. ``None`` where there are too many.
    """
    count = len(orders[row])
    wish = {thing: i for i, thing in enumerate(wished)}
    cost = [[0.0 if wish[a] < wish[b] else 1e-3 for b in range(count)] for a in range(count)]
    for beside in near:
        if not 0 <= beside < len(orders):
            continue
        at = {thing: i for i, thing in enumerate(orders[beside])}
        ends = [
            (one.lower, (at[one.upper], one.x), one.net)
            if beside < row
            else (one.upper, (at[one.lower], one.to), one.net)
            for one in joins[min(row, beside)]
        ]
        if len(ends) ** 2 > _PAIRS:
            return None
        for a, x, net in ends:
            for b, y, other in ends:
                if a != b and net != other and x > y:
                    cost[a][b] += 1
    return cost


def cheapest(cost: Sequence[Sequence[float]], order: Sequence[int]) -> list[int]:
    """An order of things in which the sum of what each pair costs is least, exactly where they are few.

    Args:
        cost: what it costs that the first of two stands before the second.
        order: where to begin.
    """
    if len(order) <= _MANY:
        return _exact(cost)
    found = list(order)
    for _ in range(_ROUNDS):
        before = found
        found = _moved(found, cost)
        if found == before:
            break
    return found


def _exact(cost: Sequence[Sequence[float]]) -> list[int]:
    """The order that costs least, over all sets of things that may stand first."""
    count = len(cost)
    least = [0.0] * (1 << count)
    last = [0] * (1 << count)
    for some in range(1, 1 << count):
        within = [i for i in range(count) if some >> i & 1]
        least[some], last[some] = min(
            (least[some ^ 1 << i] + sum(cost[j][i] for j in within), i) for i in within
        )
    order = []
    some = (1 << count) - 1
    while some:
        order.append(last[some])
        some ^= 1 << last[some]
    return order[::-1]


def _moved(order: Sequence[int], cost: Sequence[Sequence[float]]) -> list[int]:
    """Each in turn moved to where it costs least."""
    order = list(order)
    for thing in list(order):
        order.remove(thing)
        here = sum(cost[thing][other] for other in order)
        least, where = here, 0
        for i, other in enumerate(order):
            here += cost[other][thing] - cost[thing][other]
            if here < least:
                least, where = here, i + 1
        order.insert(where, thing)
    return order
