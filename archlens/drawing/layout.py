"""Where everything is: boxes and lines in their places, and what is too long broken into columns or rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations, pairwise

from .picture import Point
from .placing import Area, Block, Given, Pads, Side, bent, piled, placed

#: The space between columns, how far a connection goes beyond a column's end, and the space between two.
_GUTTER, _BEYOND, _TRACK = 34.0, 12.0, 6.0
#: The room above and beneath a line that turns.
_AROUND = 3.5
#: How short a column may be beside the longest; among about how many places the cuts are chosen.
_EVEN, _GAPS = 0.18, 80
#: How many lines a cut may go through, and what each but the first costs in heights of a column; what one
#: costs that is of several boxes, which cannot be told apart in it, and a scope that is cut.
_LINES, _EACH, _MERGED, _SCOPE = 3, 0.12, 0.5, 0.15


#: Up to how many connections, and how many pairs of boxes out of which some cross, other sides are tried; and
#: how often.
_FEW, _CROSSING, _TRIES = 72, 6, 60
#: Where a line lies beside another that it touches: on either side, a little further up or down.
_BESIDE = tuple((x, y) for x in (0.013, -0.013) for y in (0.007, -0.007))


@dataclass(frozen=True)
class Wire:
    """The way of a connection, from corner to corner along the axes."""

    tail: int
    head: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Layout:
    """Where everything is."""

    #: The boxes in the order in which they were given.
    boxes: list[Area]
    wires: list[Wire]
    #: The areas of each scope, by its number: several where it is broken.
    scopes: list[list[Area]]
    width: float = 0
    height: float = 0
    #: The boxes out of which lines go upward, and those that lines go through from left to right.
    rising: frozenset[int] = frozenset()
    across: frozenset[int] = frozenset()
    #: The space within each scope.
    pads: tuple[Pads, ...] = ()
    #: In how many columns or rows it is.
    pieces: int = 1

    @cached_property
    def turned(self) -> Layout:
        """The same with the axes exchanged, so that what is done for columns serves rows."""
        return Layout(
            [area.turned() for area in self.boxes],
            [replace(wire, points=tuple((y, x) for x, y in wire.points)) for wire in self.wires],
            [[area.turned() for area in areas] for areas in self.scopes],
            self.height,
            self.width,
            pads=tuple(pad.turned() for pad in self.pads),
            pieces=self.pieces,
        )

    @cached_property
    def gaps(self) -> list[_Cut]:
        """The heights at which it can be cut."""
        return _gaps(self)

    @cached_property
    def broken(self) -> dict[int, Layout | None]:
        """The same in so many columns, as far as they were asked for, whatever the room."""
        return {}

    def over(self, room: tuple[float, float]) -> tuple[float, float]:
        """How much wider and how much higher it is than there is room for; zeros where it fits."""
        return max(self.width - room[0], 0.0), max(self.height - room[1], 0.0)


def lay_out(given: Given, direction: str) -> Layout:
    """Places for boxes in one piece, ``tb`` or ``lr``; :func:`arranged` makes columns or rows of it."""
    if direction == "lr":
        return lay_out(given.turned(), "tb").turned
    forward = given.forward()
    if not given.sizes:
        return Layout([], [], [])
    block = placed(forward)
    best = _laid(block, given, forward)
    if len(given.links) > _FEW:
        return best
    crossing = _crossing(best.wires)
    if not 0 < len({(best.wires[i].tail, best.wires[j].tail) for i, j in crossing}) <= _CROSSING:
        return best
    sides = _concerned(block, crossing, best.wires)
    for _ in range(_TRIES):  # what stands on its other side may be crossed less
        if not sides:
            break
        one = forward._replace(turned_over=forward.turned_over ^ {sides.pop(0)})
        other = placed(one)
        found = _laid(other, given, one)
        if len(fewer := _crossing(found.wires)) < len(crossing):
            best, crossing, forward = found, fewer, one
            sides = _concerned(other, crossing, best.wires)
    return best


def laid_apart(given: Given) -> Layout | None:
    """The same from top to bottom with networks that have nothing in common one beneath the other."""
    forward = given.forward()
    block = piled(forward)
    return _laid(block, given, forward) if block is not None else None


def laid_as_u(given: Given, tail: float) -> Layout | None:
    """The same from top to bottom and up again, where a decoder follows that reads the stages of an encoder.

    ``tail`` is the part of the height of each box that does not belong to it.
    """
    forward = given.forward()
    block = bent(forward, tail)
    return _laid(block, given, forward) if block is not None else None


def _concerned(block: Block, crossing: Sequence[tuple[int, int]], wires: Sequence[Wire]) -> list[Side]:
    """What might stand on its other side, of what has to do with lines that cross."""
    crossed = [wires[i] for pair in crossing for i in pair]
    tails = {wire.tail for wire in crossed}
    ends = tails | {wire.head for wire in crossed}
    return sorted(
        side
        for side, boxes in block.sides.items()
        if side.kind == "scope" or not boxes.isdisjoint(tails if side.kind == "lane" else ends)
    )


def _crossing(wires: Sequence[Wire]) -> list[tuple[int, int]]:
    """The pairs of connections that cross and share neither end."""
    ways = [(i, wire, _around(wire)) for i, wire in enumerate(wires)]
    return [
        (i, j)
        for (i, one, room), (j, other, area) in combinations(ways, 2)
        if one.tail != other.tail and one.head != other.head
        if room[0] <= area[2] and area[0] <= room[2] and room[1] <= area[3] and area[1] <= room[3]
        if all(_cross(one.points, [(x + dx, y + dy) for x, y in other.points]) for dx, dy in _BESIDE)
    ]


def _around(wire: Wire) -> tuple[float, float, float, float]:
    """What holds a connection: left, top, right and bottom, and a little more."""
    across, down = zip(*wire.points, strict=True)
    return min(across) - 0.1, min(down) - 0.1, max(across) + 0.1, max(down) + 0.1


def _cross(one: Sequence[Point], other: Sequence[Point]) -> bool:
    """Whether two ways along the axes cross."""
    return any(_strikes(*s, *t) or _strikes(*t, *s) for s in pairwise(one) for t in pairwise(other))


def _strikes(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether a line across, from one point to another, crosses a line downward."""
    return (
        a[1] == b[1]
        and min(a[0], b[0]) < c[0] < max(a[0], b[0])
        and c[0] == d[0]
        and min(c[1], d[1]) < a[1] < max(c[1], d[1])
    )


def _laid(block: Block, given: Given, forward: Given) -> Layout:
    scopes: list[list[Area]] = [[] for _ in given.pads]
    for scope, area in block.scopes:
        scopes[scope].append(area)
    return Layout(
        [block.boxes[i] for i in range(len(block.boxes))],
        [
            Wire(*link[:2], tuple(block.wires[i][:: 1 if link == forward.links[i] else -1]))
            for i, link in enumerate(given.links)
        ],
        scopes,
        block.width,
        block.height,
        block.rising,
        block.across,
        tuple(given.pads),
    )


def arranged(layout: Layout, room: tuple[float, float], direction: str) -> Layout:
    """A layout of that direction broken into columns or rows, where it does not fit as it is.

    As few as fit; where nothing does, what is least too wide, and then least too high.
    """
    if layout.over(room) == (0.0, 0.0):
        return layout
    if direction == "lr":
        return _broken(layout.turned, (room[1], room[0]), lying=True).turned
    return _broken(layout, room, lying=False)


def _broken(layout: Layout, room: tuple[float, float], *, lying: bool) -> Layout:
    """A layout from top to bottom, broken into columns that fit, or into those that are least too large.

    ``lying`` is one that will be turned, whose height is to fit before all.
    """
    best, least = layout, layout.over(room)[:: -1 if lying else 1]
    for columns in range(2, min(len(layout.gaps) + 1, 9) + 1):
        if columns not in layout.broken:
            layout.broken[columns] = _in_columns(layout, columns)
        found = layout.broken[columns]
        if found is None:
            continue
        over = found.over(room)[:: -1 if lying else 1]
        if over < least:
            best, least = found, over
        if least == (0.0, 0.0) or (found.width > room[0] and not lying):
            break
    return best


def _in_columns(layout: Layout, columns: int) -> Layout | None:
    """A layout in so many columns; ``None`` where one of them is much shorter than another."""
    cuts = _chosen(layout.gaps, columns - 1, layout)
    parts = _parts(layout, [cut.y for cut in cuts])
    shortest, longest = min(part.area.height for part in parts), max(part.area.height for part in parts)
    return _columns(layout, parts, cuts) if shortest > longest * _EVEN else None


@dataclass(frozen=True)
class _Cut:
    """A height at which a layout can be cut."""

    y: float
    #: Where lines go through it, from the left; and how many there are, as one may be of several boxes.
    lines: tuple[float, ...]
    strands: int
    #: How many scopes it breaks.
    scopes: int


def _gaps(layout: Layout) -> list[_Cut]:
    """The heights between boxes at which few lines are cut."""
    verticals = sorted(
        (min(a[1], b[1]), max(a[1], b[1]), round(a[0], 2), wire.tail)
        for wire in layout.wires
        for a, b in pairwise(wire.points)
        if abs(a[0] - b[0]) < 0.01
    )
    corners = sorted({y for wire in layout.wires for _, y in wire.points})
    frames = [area for areas in layout.scopes for area in areas]
    edges = sorted({edge for area in frames for edge in (area.y, area.bottom)} | set(corners))
    gaps: list[_Cut] = []
    end = 0.0
    active: list[tuple[float, float, float, int]] = []
    next_one = next_edge = 0
    for area in sorted(layout.boxes, key=lambda area: area.y):
        if area.y > end + 0.5 and end > 0:
            while next_one < len(verticals) and verticals[next_one][0] < area.y:
                active.append(verticals[next_one])
                next_one += 1
            active = [one for one in active if one[1] > end]
            while next_edge < len(edges) and edges[next_edge] <= end:
                next_edge += 1
            marks, at = [end], next_edge
            while at < len(edges) and edges[at] < area.y:
                marks.append(edges[at])
                at += 1
            middles = [(a + b) / 2 for a, b in pairwise([*marks, area.y]) if b - a > 0.5]
            cuts = []
            for y in middles:
                through = {(x, tail) for top, low, x, tail in active if top < y < low}
                lines = tuple(sorted({x for x, _ in through}))
                broken = sum(1 for frame in frames if frame.y < y < frame.bottom)
                cuts.append(_Cut(y, lines, len(through), broken))
            if cuts:
                cut = min(cuts, key=lambda one: (one.strands, len(one.lines), one.scopes, one.y))
                if 1 <= len(cut.lines) <= _LINES:
                    gaps.append(cut)
        end = max(end, area.bottom)
    return gaps[:: 1 + len(gaps) // _GAPS]


def _chosen(gaps: list[_Cut], cuts: int, layout: Layout) -> list[_Cut]:
    """The gaps that make columns of about one height, and break few scopes and lines."""
    column = layout.height / (cuts + 1)
    cost = [
        (
            (gap.scopes * _SCOPE + (len(gap.lines) - 1) * _EACH + (gap.strands - len(gap.lines)) * _MERGED)
            * column
        )
        ** 2
        for gap in gaps
    ]
    ends = [*(gap.y for gap in gaps), layout.height]
    # the least height that the first `i` ends can have as `k` columns, and the cut before
    best: list[list[tuple[float, int]]] = [[((end - 0) ** 2, -1) for end in ends]]
    for _ in range(cuts):
        row: list[tuple[float, int]] = []
        for i, end in enumerate(ends):
            options = [
                (best[-1][j][0] + (end - ends[j]) ** 2 + cost[j], j)
                for j in range(i)
                if best[-1][j][0] < float("inf")
            ]
            row.append(min(options, default=(float("inf"), -1)))
        best.append(row)
    chosen, at = [], len(ends) - 1
    for k in range(cuts, 0, -1):
        at = best[k][at][1]
        chosen.append(gaps[at])
    return chosen[::-1]


@dataclass(frozen=True)
class _Part:
    """A column: all that it holds, and the pieces of scopes in it."""

    area: Area
    scopes: dict[tuple[int, int], Area]


def _parts(layout: Layout, cuts: list[float]) -> list[_Part]:
    """The columns that cuts make."""
    parts = []
    bounds = [float("-inf"), *cuts, float("inf")]
    pieces = [list(_split(wire.points, cuts)) for wire in layout.wires]
    for number, (top, low) in enumerate(pairwise(bounds)):
        held = [area for area in layout.boxes if top < area.y < low]
        here = [points for piece in pieces for at, points in piece if at == number]
        # lines that turn take up room, too
        corners = [
            Area(min(a[0], b[0]), a[1], abs(a[0] - b[0]), 0.0)
            for points in here
            for a, b in pairwise(points)
            if abs(a[0] - b[0]) > 0.01
        ]
        scopes: dict[tuple[int, int], Area] = {}
        for scope in range(len(layout.scopes) - 1, -1, -1):  # from the inner ones to those around them
            pad = layout.pads[scope]
            for i, area in enumerate(layout.scopes[scope]):
                if area.y >= low or area.bottom <= top:
                    continue
                inside = [one for one in [*held, *scopes.values(), *corners] if _contains(area, one)]
                if not inside:
                    continue
                if area.y < top:  # it goes on from the column before: room for its name
                    start = min(one.y for one in inside) - pad.top
                    area = Area(area.x, start, area.width, area.bottom - start)
                if area.bottom > low:
                    stop = max(one.bottom for one in inside) + pad.bottom
                    area = Area(area.x, area.y, area.width, stop - area.y)
                scopes[scope, i] = area
        held += scopes.values()
        held += [replace(corner, y=corner.y - _AROUND, height=2 * _AROUND) for corner in corners]
        across = [x for points in here for x, _ in points]
        left = min([area.x for area in held] + across)
        right = max([area.right for area in held] + across)
        start, stop = min(area.y for area in held), max(area.bottom for area in held)
        parts.append(_Part(Area(left, start, right - left, stop - start), scopes))
    return parts


def _split(points: Sequence[Point], cuts: Sequence[float]) -> Iterator[tuple[int, list[Point]]]:
    """The pieces of a way between cuts, each with the number of its column."""
    column = sum(cut < points[0][1] for cut in cuts)
    piece = [points[0]]
    for a, b in pairwise(points):
        while column < len(cuts) and a[1] < cuts[column] < b[1]:
            yield column, [*piece, (a[0], cuts[column])]
            piece = [(a[0], cuts[column])]
            column += 1
        piece.append(b)
    yield column, piece


def _contains(outer: Area, inner: Area) -> bool:
    """Whether the middle of one area lies in another."""
    x, y = inner.x + inner.width / 2, inner.y + inner.height / 2
    return outer.x <= x <= outer.right and outer.y < y < outer.bottom


def _columns(layout: Layout, parts: list[_Part], cuts: list[_Cut]) -> Layout:
    """The columns side by side, and what goes from one to the next in the space between."""
    above = _BEYOND + _TRACK * (max(len(cut.lines) for cut in cuts) - 1)
    shifts, left = [], 0.0
    for i, part in enumerate(parts):
        shifts.append((left - part.area.x, above - part.area.y))
        left += part.area.width
        if i < len(cuts):
            left += _GUTTER + _TRACK * (len(cuts[i].lines) - 1)
    heights = [cut.y for cut in cuts]
    boxes = [area.moved(*shifts[sum(y < area.y for y in heights)]) for area in layout.boxes]
    lowest = 0.0
    wires = []
    for wire in layout.wires:
        way: list[Point] = []
        for column, points in _split(wire.points, heights):
            moved = [_moved(point, shifts[column]) for point in points]
            if not way:
                way = moved
                continue
            lines = cuts[column - 1].lines
            turn = len(lines) - 1 - min(range(len(lines)), key=lambda k: abs(lines[k] - points[0][0]))
            low = above + parts[column - 1].area.height + _BEYOND / 2 + _TRACK * turn
            between = (
                parts[column].area.x + shifts[column][0] - _GUTTER / 2 - _TRACK * (len(lines) - 1 - turn)
            )
            high = 2.0 + _TRACK * turn
            way[-1:] = [(way[-1][0], low), (between, low), (between, high), (moved[0][0], high)]
            way += moved[1:]
            lowest = max(lowest, low + _BEYOND / 2)
        wires.append(replace(wire, points=tuple(way)))
    scopes = [
        [
            area.moved(*shift)
            for part, shift in zip(parts, shifts, strict=True)
            for (number, _), area in part.scopes.items()
            if number == i
        ]
        for i in range(len(layout.scopes))
    ]
    height = max(above + max(part.area.height for part in parts), lowest)
    return Layout(boxes, wires, scopes, left, height, pieces=len(parts))


def _moved(point: Point, by: tuple[float, float]) -> Point:
    return point[0] + by[0], point[1] + by[1]
