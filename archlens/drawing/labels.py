"""Places for labels beside discs: none over another, a wall or the centre of a disc, and always the same.

Each label is tried in sixteen directions around its disc, near and then farther off, where a thin line leads
back; the place that costs least is taken. Crowded discs choose first, and then each chooses again, knowing
where the others are. Knows nothing of what the discs stand for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .picture import Point

#: Sixteen directions, each with what it costs: to the right is best. Written out, for every machine to have
#: the same.
_DIRECTIONS: tuple[tuple[float, float, float], ...] = (
    *((1.0, 0.0, 0.0), (0.92, -0.38, 0.8), (0.71, -0.71, 1.0), (0.38, -0.92, 1.4)),
    *((0.0, -1.0, 1.2), (-0.38, -0.92, 1.6), (-0.71, -0.71, 1.6), (-0.92, -0.38, 1.6)),
    *((-1.0, 0.0, 0.8), (-0.92, 0.38, 1.6), (-0.71, 0.71, 1.6), (-0.38, 0.92, 1.6)),
    *((0.0, 1.0, 1.2), (0.38, 0.92, 1.6), (0.71, 0.71, 1.2), (0.92, 0.38, 0.8)),
)

#: How far from its disc a label is tried, and from where on a line leads back to it.
_GAPS = (2.5, 8.0, 14.0, 21.0, 29.0, 38.0, 49.0, 62.0, 78.0, 98.0, 122.0, 150.0, 190.0, 240.0)
_LED = 5.0

#: The room around a label, and around the centre of a disc.
_AIR, _CENTRE = 1.0, 2.5

#: What it costs to lie over a disc or a line, to lead over a disc, and to lead over its centre or cross
#: another line that leads.
_ON, _OVER, _PAST, _CROSSED = 25.0, 5.0, 12.0, 60.0
#: What a label may cost that lies over no disc, leads over no centre and crosses no line.
CLEAR = _ON + 1.0

#: How near another disc is that makes one crowded, and how often each chooses.
_NEAR, _ROUNDS = 60.0, 3

Segment = tuple[Point, Point]


class Disc(NamedTuple):
    """A disc, and how wide and high the text is that stands beside it."""

    x: float
    y: float
    radius: float
    width: float
    height: float


class Box(NamedTuple):
    """Where a text stands, by its corners."""

    left: float
    top: float
    right: float
    bottom: float


class Place(NamedTuple):
    """Where a label stands, and the line that leads to it from its disc, if it stands apart."""

    box: Box
    leader: Segment | None


def place(
    discs: Sequence[Disc],
    page: Box,
    lines: Sequence[Segment] = (),
    *,
    walls: Sequence[Segment] = (),
    first: Sequence[int] = (),
    most: float = float("inf"),
) -> list[Place | None]:
    """A place for each disc's label; ``None`` where there is no room.

    Args:
        discs: what is labelled.
        page: where labels may stand.
        lines: what they had better not stand on.
        walls: lines that they never stand on.
        first: the discs that choose before all others, by their positions.
        most: what a place may cost: its distance, and whatever it lies or leads over.
    """
    found: list[Place | None] = [None] * len(discs)
    near = [sum(_distance(a, b) < _NEAR**2 for b in discs) for a in discs]
    order = sorted(range(len(discs)), key=lambda i: (i not in first, -near[i], i))
    for _ in range(_ROUNDS):
        for i in order:
            others = [one for j, one in enumerate(found) if one is not None and j != i]
            found[i] = _best(i, discs, others, page, lines, walls, most)
    return found


def _best(
    i: int,
    discs: Sequence[Disc],
    others: Sequence[Place],
    page: Box,
    lines: Sequence[Segment],
    walls: Sequence[Segment],
    most: float,
) -> Place | None:
    """The place that costs least among those that are allowed."""
    best, least = None, most
    for base, candidate in _candidates(discs[i]):
        if base >= least:
            break
        if not _allowed(candidate, discs, others, page) or any(meets(wall, candidate.box) for wall in walls):
            continue
        cost = base + _cost(i, candidate, discs, others, lines)
        if cost < least:
            best, least = candidate, cost
    return best


def _candidates(disc: Disc) -> Iterator[tuple[float, Place]]:
    """Places around a disc with what they cost by themselves, the cheapest first."""
    half, high = disc.width / 2, disc.height
    if half * half + (high + 2) ** 2 <= (disc.radius - 2) ** 2:  # it fits in, above or below the centre
        for cost, middle in ((0.0, disc.y - high / 2 - 3.5), (0.4, disc.y + high / 2 + 3.5)):
            yield cost, Place(_box(disc.x, middle, disc), None)
    for gap in _GAPS:
        for dx, dy, cost in sorted(_DIRECTIONS, key=lambda one: one[2]):
            away = disc.radius + gap
            x, y = disc.x + dx * away, disc.y + dy * away
            start = (disc.x + dx * disc.radius, disc.y + dy * disc.radius)
            leader = (start, (x, y)) if gap > _LED else None
            # the corner of the text is nearest to the disc, its side where that lies beside it
            aside, above = (max(-1.0, min(1.0, 1.41 * step)) for step in (dx, dy))
            yield gap + cost, Place(_box(x + aside * half, y + above * high / 2, disc), leader)


def _box(x: float, y: float, disc: Disc) -> Box:
    return Box(x - disc.width / 2, y - disc.height / 2, x + disc.width / 2, y + disc.height / 2)


def _allowed(one: Place, discs: Sequence[Disc], others: Sequence[Place], page: Box) -> bool:
    """Whether a place is on the page, over no centre and no label, and no line leads through a label."""
    left, top, right, bottom = one.box
    if left < page.left or top < page.top or right > page.right or bottom > page.bottom:
        return False
    for disc in discs:
        if left - _CENTRE < disc.x < right + _CENTRE and top - _CENTRE < disc.y < bottom + _CENTRE:
            return False
    left, top, right, bottom = left - _AIR, top - _AIR, right + _AIR, bottom + _AIR
    wider = Box(left, top, right, bottom)
    for other in others:
        there = other.box
        if left < there.right and there.left < right and top < there.bottom and there.top < bottom:
            return False
        if other.leader is not None and meets(other.leader, wider):
            return False
        if one.leader is not None and meets(one.leader, there):
            return False
    return True


def _cost(
    i: int, one: Place, discs: Sequence[Disc], others: Sequence[Place], lines: Sequence[Segment]
) -> float:
    """What a place costs for what it lies over, and for what its line crosses."""
    left, top, right, bottom = one.box
    cost = 0.0
    for j, disc in enumerate(discs):
        if j == i:
            continue
        # the point of the box that is nearest to the centre
        dx = max(left - disc.x, 0.0, disc.x - right)
        dy = max(top - disc.y, 0.0, disc.y - bottom)
        if dx * dx + dy * dy < disc.radius * disc.radius:
            cost += _ON
        if one.leader is not None:
            cost += _PAST * _is_near(one.leader, disc, disc.radius)
            cost += _CROSSED * _is_near(one.leader, disc, _CENTRE)
    cost += sum(_OVER for line in lines if meets(line, one.box))
    if one.leader is not None:
        cost += sum(_CROSSED for o in others if o.leader is not None and _cross(one.leader, o.leader))
    return cost


def _distance(a: Disc, b: Disc) -> float:
    """The square of the distance of two centres."""
    return (a.x - b.x) ** 2 + (a.y - b.y) ** 2


def _is_near(segment: Segment, disc: Disc, distance: float) -> bool:
    """Whether a line comes as near to the centre of a disc, along both axes."""
    x, y = disc.x, disc.y
    return meets(segment, Box(x - distance, y - distance, x + distance, y + distance))


def meets(segment: Segment, box: Box) -> bool:
    """Whether a line goes through a box: what is left of it after each of the four sides has cut it.

    Liang and Barsky, "A new concept and method for line clipping", ACM Transactions on Graphics 3, 1 (1984).
    """
    (x, y), (to_x, to_y) = segment
    dx, dy = to_x - x, to_y - y
    first, last = 0.0, 1.0
    for step, room in ((-dx, x - box.left), (dx, box.right - x), (-dy, y - box.top), (dy, box.bottom - y)):
        if step == 0:
            if room < 0:
                return False
        elif step < 0:
            first = max(first, room / step)
        else:
            last = min(last, room / step)
    return first <= last


def _cross(a: Segment, b: Segment) -> bool:
    """Whether two lines cross: the ends of each lie on two sides of the other."""
    return _sides(a, b) and _sides(b, a)


def _sides(a: Segment, b: Segment) -> bool:
    (x, y), (to_x, to_y) = a
    dx, dy = to_x - x, to_y - y
    one = dx * (b[0][1] - y) - dy * (b[0][0] - x)
    other = dx * (b[1][1] - y) - dy * (b[1][0] - x)
    return (one > 0) != (other > 0)
