"""Where boxes go: Graphviz places boxes of fixed sizes, and a long chain is broken into columns or rows.

No text reaches Graphviz, so that no font of the machine has a say. Points are from the top left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from ..errors import usage
from ..grouping import grouped
from .picture import Point

#: The space between two boxes on one level, and around the boxes of a scope.
ASIDE, MARGIN = 16.0, 17.0
#: The space between columns, and how far a connection goes beyond a column's end.
_GUTTER, _BEYOND = 34.0, 12.0
#: How far after a box a bypass turns away, how far before one it turns in, and the space between two of them.
_LEAVE, _ENTER, _LANE = 3.5, 8.0, 9.0
#: From where on Graphviz, which writes five digits, rounds positions to whole points.
_ROUNDED = 10_000
#: How often boxes are moved apart for lines that run through one; how far into it, and how many points on a
#: curve are looked at.
_TRIES, _INTO, _STEPS = 4, 1.5, 16
#: How many connections may leave or reach a box as curves.
_MANY = 6
#: How short a column may be beside the longest; among about how many places the cuts are chosen.
_EVEN, _GAPS = 0.18, 80


@dataclass(frozen=True)
class Area:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    def moved(self, dx: float, dy: float) -> Area:
        """The same rectangle elsewhere."""
        return replace(self, x=self.x + dx, y=self.y + dy)

    def turned(self) -> Area:
        """The same with the axes exchanged."""
        return Area(self.y, self.x, self.height, self.width)


@dataclass(frozen=True)
class Wire:
    """The way of a connection: cubic curves; or, where it goes from column to column, corners."""

    tail: int
    #: -1 where it ends at a joint.
    head: int
    points: tuple[Point, ...]
    angular: bool = False


@dataclass(frozen=True)
class Layout:
    """Where everything is."""

    #: The boxes in the order in which they were given; then the joints, at which lines part.
    boxes: list[Area]
    wires: list[Wire]
    #: The areas of each scope, by its number: several where it is broken.
    scopes: list[list[Area]]
    width: float = 0
    height: float = 0
    #: What is connected, joints included, in the order of the wires.
    links: list[Link] = field(default_factory=list, repr=False)

    def over(self, room: tuple[float, float]) -> tuple[float, float]:
        """How much wider and how much higher it is than there is room for; zeros where it fits."""
        return max(self.width - room[0], 0.0), max(self.height - room[1], 0.0)


@dataclass(frozen=True)
class Link:
    """A connection to be laid; ``bypass`` ones yield to the others."""

    tail: int
    head: int
    bypass: bool
    #: The box that it comes from, where a joint lies between; -1 otherwise.
    source: int = -1


def lay_out(
    sizes: Sequence[tuple[float, float]],
    links: Sequence[Link],
    scope_of: Sequence[int],
    parents: Sequence[int],
    direction: str,
    apart: float,
) -> Layout:
    """Places for boxes of these sizes, in one piece; :func:`arranged` makes columns or rows of it.

    Args:
        sizes: width and height of each box.
        links: what is connected.
        scope_of: the scope of each box, or -1.
        parents: the scope around each scope, or -1.
        direction: ``tb`` or ``lr``.
        apart: the space between one level of boxes and the next.
    """
    lying = direction == "lr"
    count, sizes, scope_of = len(sizes), list(sizes), list(scope_of)
    links = _joined(links, sizes, scope_of, parents)
    room = [0] * len(links)
    best, least = None, len(links) + 1
    for _ in range(_TRIES):
        text = _described(sizes, links, scope_of, parents, direction, apart, room)
        found = _by_graphviz(text, len(sizes), links, len(parents), upward=lying)
        found = _combed(_bracketed(_turned(found) if lying else found, links), links)
        tight = _tight(found, count)
        if len(tight) < least:
            best, least = found, len(tight)
        if not tight:
            break
        tails, heads = {links[i].tail for i in tight}, {links[i].head for i in tight}
        room = [
            more + (link.tail in tails or link.head in heads) for more, link in zip(room, links, strict=True)
        ]
    assert best is not None
    best = replace(best, links=links)
    return _turned(best) if lying else best


def arranged(layout: Layout, room: tuple[float, float], direction: str) -> Layout:
    """A layout of that direction broken into columns or rows, where it does not fit as it is.

    As few as fit; where nothing does, what is least too wide, and then least too high.
    """
    if layout.over(room) == (0.0, 0.0):
        return layout
    if direction == "lr":
        return _turned(_broken(_turned(layout), (room[1], room[0]), lying=True))
    return _broken(layout, room, lying=False)


def _joined(
    links: Sequence[Link],
    sizes: list[tuple[float, float]],
    scope_of: list[int],
    parents: Sequence[int],
) -> list[Link]:
    """The links, with a joint where one box feeds several in a scope that it does not stand in.

    So one line alone enters the scope, and a column can end before it.
    """
    around = [_around(scope, parents) for scope in range(len(parents))] + [()]
    out: list[Link] = []
    for tail, some in grouped((link.tail, link) for link in links).items():
        common = _common([around[scope_of[link.head]] for link in some])
        if len(some) < 2 or common == -1 or common in around[scope_of[tail]]:
            out += some
            continue
        joint = len(sizes)
        sizes.append((2.0, 2.0))
        scope_of.append(common)
        out.append(Link(tail, joint, False))
        out += [replace(link, tail=joint, source=tail) for link in some]
    return out


def _around(scope: int, parents: Sequence[int]) -> tuple[int, ...]:
    """A scope and those around it, the outermost first."""
    found: list[int] = []
    while scope != -1:
        found.insert(0, scope)
        scope = parents[scope]
    return tuple(found)


def _common(paths: list[tuple[int, ...]]) -> int:
    """The innermost scope that all paths share, or -1."""
    found = -1
    for level in zip(*paths, strict=False):
        if len(set(level)) > 1:
            break
        found = level[0]
    return found


def _weights(links: Sequence[Link], boxes: int) -> list[int]:
    """How straight each link is to be: the longest way is the spine; of many branches, each is one."""
    down, up = [0] * boxes, [0] * boxes
    forward = [link for link in sorted(links, key=_order) if link.tail != link.head]
    for _ in range(2):  # joints stand last but lie between: a second turn settles what follows them
        for link in forward:
            down[link.head] = max(down[link.head], down[link.tail] + 1)
        for link in reversed(forward):
            up[link.tail] = max(up[link.tail], up[link.head] + 1)
    whole = max((down[link.tail] + 1 + up[link.head] for link in links), default=0)
    tails, heads = _fans(links)
    return [
        0
        if link.bypass
        else 30
        if down[link.tail] + 1 + up[link.head] == whole and max(tails[link.tail], heads[link.head]) <= _MANY
        else 3
        for link in links
    ]


def _fans(links: Sequence[Link]) -> tuple[Counter[int], Counter[int]]:
    """How many connections other than bypasses leave each box, and how many reach it."""
    plain = [link for link in links if not link.bypass]
    return Counter(link.tail for link in plain), Counter(link.head for link in plain)


def _order(link: Link) -> tuple[int, int]:
    return (link.source if link.source >= 0 else link.tail, 1 if link.source >= 0 else 0)


# --- Graphviz -------------------------------------------------------------------------------------


def _described(
    sizes: Sequence[tuple[float, float]],
    links: Sequence[Link],
    scope_of: Sequence[int],
    parents: Sequence[int],
    direction: str,
    apart: float,
    room: Sequence[int],
) -> str:
    """The boxes as Graphviz reads them: sizes in inches, and not a word of text.

    ``room`` is how many levels further apart the ends of each link are than they need to be.
    """
    inside: dict[int, list[str]] = {}
    for box, scope in enumerate(scope_of):
        inside.setdefault(scope, []).append(f"n{box};")
    # a scope is written after those in it, which have higher numbers
    for scope in range(len(parents) - 1, -1, -1):
        body = " ".join(inside.get(scope, ()))
        inside.setdefault(parents[scope], []).append(
            f"subgraph cluster_{scope} {{ margin={MARGIN:g}; {body} }}"
        )
    out, into = ("s", "n") if direction == "tb" else ("e", "w")
    lines = [
        f"digraph {{ rankdir={direction.upper()}; nodesep={ASIDE / 72:.4f}; ranksep={apart / 72:.4f};",
        'node [shape=box fixedsize=true label=""]; edge [dir=none];',
    ]
    lines += [f"n{i} [width={w / 72:.4f} height={h / 72:.4f}];" for i, (w, h) in enumerate(sizes)]
    lines += inside.get(-1, [])
    tails, heads = Counter(link.tail for link in links), Counter(link.head for link in links)
    for link, weight, more in zip(links, _weights(links, len(sizes)), room, strict=True):
        # many lines from or to one point need room to turn
        more += 1 if max(tails[link.tail], heads[link.head]) > 2 and not link.bypass else 0
        words = f" minlen={1 + more}" if more else ""
        lines.append(f"n{link.tail} -> n{link.head} [tailport={out} headport={into} weight={weight}{words}];")
    return "\n".join([*lines, "}"])


def _by_graphviz(text: str, boxes: int, links: Sequence[Link], scopes: int, *, upward: bool) -> Layout:
    """What Graphviz makes of a description. Its heights grow upward, and so does the order within a rank from
    left to right; there they are left as they are, so that what comes first stands above.
    """
    try:
        from pygraphviz import AGraph
    except ImportError:
        raise usage(
            "a graph is laid out by pygraphviz, which is not installed",
            help="pip install 'archlens-nn[diagram]'; --style volumes and profile need nothing",
        ) from None
    graph = AGraph(string=text)
    graph.layout(prog="dot")
    place, extent = "pos", "bb"
    width, height = _corners(_points(graph.graph_attr[extent]))[1]
    if max(width, height) >= _ROUNDED:
        graph = AGraph(string=AGraph(string=text).draw(format="xdot", prog="dot").decode())
        place = extent = "_draw_"
        width, height = _corners(_points(graph.graph_attr[extent]))[1]

    def down(y: float) -> float:
        return y if upward else height - y

    areas = []
    for i in range(boxes):
        node = graph.get_node(f"n{i}").attr
        (left, low), (right, high) = _corners(_points(node[place]))
        w, h = float(node["width"]) * 72, float(node["height"]) * 72
        areas.append(Area((left + right) / 2 - w / 2, down((low + high) / 2) - h / 2, w, h))
    joints = {link.tail for link in links if link.source >= 0}
    wires = []
    for link in links:
        points = _points(graph.get_edge(f"n{link.tail}", f"n{link.head}").attr[place])
        tail, head = (link.source, link.head) if link.source >= 0 else (link.tail, link.head)
        wires.append(Wire(tail, -1 if head in joints else head, tuple((x, down(y)) for x, y in points)))
    around: dict[str, str] = {}
    _gather(graph, around, extent)
    rectangles = []
    for i in range(scopes):
        (left, low), (right, high) = _corners(_points(around[f"cluster_{i}"]))
        rectangles.append([Area(left, min(down(low), down(high)), right - left, high - low)])
    return Layout(areas, wires, rectangles, width, height)


def _gather(graph: Any, around: dict[str, str], extent: str) -> None:
    """The extents of all scopes below a graph, as they are written."""
    for inner in graph.subgraphs():
        around[inner.name] = inner.graph_attr[extent]
        _gather(inner, around, extent)


def _corners(points: Sequence[Point]) -> tuple[Point, Point]:
    """The least and the greatest corner of what points span."""
    across, down = zip(*points, strict=True)
    return (min(across), min(down)), (max(across), max(down))


def _points(text: str) -> list[Point]:
    """Points as Graphviz writes places and extents, or what it paints: ``P 4 0 0 0 52 ...`` after colours.

    >>> _points("0,0,1.6863e+05,68"), _points("c 7 -#000000 B 4 0 34 12.25 34 24 34 36 34")[1]
    ([(0.0, 0.0), (168630.0, 68.0)], (12.25, 34.0))
    """
    words = text.replace(",", " ").split()
    shape = next((i for i, word in enumerate(words) if word in ("P", "p", "B")), None)
    if shape is not None:
        words = words[shape + 2 : shape + 2 + 2 * int(words[shape + 1])]
    numbers = [float(word) for word in words]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


# --- lines that stay off boxes ----------------------------------------------------------------------


def _tight(layout: Layout, boxes: int) -> list[int]:
    """The connections whose curves run through one of the first so many boxes, or arrive from the side."""
    found = []
    for i, wire in enumerate(layout.wires):
        if wire.angular:
            continue
        (left, top), (right, low) = _corners(wire.points)
        near = [
            box
            for box in layout.boxes[:boxes]
            if left < box.right - _INTO
            and box.x + _INTO < right
            and top < box.bottom - _INTO
            and box.y + _INTO < low
        ]
        aslant = wire.points[-1][1] - wire.points[-2][1] < _INTO  # it is to arrive from above
        if aslant or any(_is_in(point, box) for point in _along(wire.points) for box in near):
            found.append(i)
    return found


def _is_in(point: Point, box: Area) -> bool:
    return box.x + _INTO < point[0] < box.right - _INTO and box.y + _INTO < point[1] < box.bottom - _INTO


def _along(points: Sequence[Point]) -> Iterator[Point]:
    """Points on cubic curves, one after the other."""
    for i in range(0, len(points) - 3, 3):
        a, b, c, d = points[i : i + 4]
        for step in range(1, _STEPS):
            t = step / _STEPS
            u = 1 - t
            shares = (u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t)
            yield (
                sum(share * point[0] for share, point in zip(shares, (a, b, c, d), strict=True)),
                sum(share * point[1] for share, point in zip(shares, (a, b, c, d), strict=True)),
            )


def _combed(layout: Layout, links: Sequence[Link]) -> Layout:
    """Many connections from or to one box as the teeth of a comb, wherever nothing is in the way."""
    wires = list(layout.wires)
    tails, heads = _fans(links)
    for i, link in enumerate(links):
        (x0, y0), (x1, y1) = wires[i].points[0], wires[i].points[-1]
        if link.bypass or max(tails[link.tail], heads[link.head]) <= _MANY:
            continue
        across = y0 + _ENTER if tails[link.tail] > _MANY else y1 - _ENTER - _LEAVE
        corners = ((x0, y0), (x0, across), (x1, across), (x1, y1))
        if y0 < across < y1 and not any(_hits(a, b, layout.boxes) for a, b in pairwise(corners)):
            wires[i] = replace(wires[i], points=corners, angular=True)
    return replace(layout, wires=wires)


# --- breaking a long chain ------------------------------------------------------------------------


def _turned(layout: Layout) -> Layout:
    """The same with the axes exchanged, so that what is done for columns serves rows."""
    return Layout(
        [area.turned() for area in layout.boxes],
        [replace(wire, points=tuple((y, x) for x, y in wire.points)) for wire in layout.wires],
        [[area.turned() for area in areas] for areas in layout.scopes],
        layout.height,
        layout.width,
        layout.links,
    )


def _bracketed(layout: Layout, links: Sequence[Link]) -> Layout:
    """Bypasses as brackets beside what they go around, wherever nothing is in the way; others stay curves."""
    wires = list(layout.wires)
    lanes: list[tuple[float, float, float]] = []
    for i in sorted(range(len(links)), key=lambda i: _rise(layout.wires[i])):
        if links[i].bypass:
            corners = _bracket(wires[i], layout, lanes)
            if corners:
                lanes.append((corners[2][0], corners[2][1], corners[3][1]))
                wires[i] = replace(wires[i], points=corners, angular=True)
    areas = [*layout.boxes, *(area for areas in layout.scopes for area in areas)]
    across = [x for area in areas for x in (area.x, area.right)]
    across += [x for wire in wires for x, _ in wire.points]
    left, right = min(across), max(across)
    return Layout(
        [area.moved(-left, 0) for area in layout.boxes],
        [replace(wire, points=tuple((x - left, y) for x, y in wire.points)) for wire in wires],
        [[area.moved(-left, 0) for area in areas] for areas in layout.scopes],
        right - left,
        layout.height,
    )


def _bracket(wire: Wire, layout: Layout, lanes: Sequence[tuple[float, float, float]]) -> tuple[Point, ...]:
    """The corners of a bracket on the side that Graphviz chose, in the nearest lane that is free; or none.

    ``lanes`` are those taken, each with where it begins and ends. A lane keeps out of the scopes that it goes
    around.
    """
    (x0, y0), (x1, y1) = wire.points[0], wire.points[-1]
    across = [x for x, _ in wire.points]
    right = max(across) - max(x0, x1) >= min(x0, x1) - min(across)
    top, low = y0 + _LEAVE, y1 - _ENTER
    passed = [
        area
        for areas in layout.scopes
        for area in areas
        if not (area.y <= top and low <= area.bottom and area.x <= min(x0, x1) and max(x0, x1) <= area.right)
    ]
    beside = [one for one in (*layout.boxes, *passed) if one.y < low and one.bottom > top]
    sides = sorted({box.right + _LANE for box in beside} if right else {_LANE - box.x for box in beside})
    out = 1 if right else -1
    for side in sides:
        lane = out * side
        while any(abs(lane - x) < _LANE and top < end and start < low for x, start, end in lanes):
            lane += out * _LANE
        corners = ((x0, y0), (x0, top), (lane, top), (lane, low), (x1, low), (x1, y1))
        if low - top <= _LANE or any(_hits(a, b, layout.boxes) for a, b in pairwise(corners)):
            continue
        if not _hits(corners[2], corners[3], passed):
            return corners
    return ()


def _rise(wire: Wire) -> float:
    return wire.points[-1][1] - wire.points[0][1]


def _hits(a: Point, b: Point, boxes: Sequence[Area]) -> bool:
    """Whether a line along an axis runs into a box."""
    left, right = sorted((a[0], b[0]))
    top, low = sorted((a[1], b[1]))
    return any(
        left < box.right - 1 and box.x + 1 < right + 0.01 and top < box.bottom - 1 and box.y + 1 < low + 0.01
        for box in boxes
    )


def _broken(layout: Layout, room: tuple[float, float], *, lying: bool) -> Layout:
    """A layout from top to bottom, broken into columns that fit, or into those that are least too large.

    ``lying`` is one that will be turned, whose height is to fit before all.
    """
    gaps = _gaps(layout)
    best, least = layout, layout.over(room)[:: -1 if lying else 1]
    for columns in range(2, min(len(gaps) + 1, 9) + 1):
        cuts = _chosen(gaps, columns - 1, layout)
        parts = _parts(layout, cuts)
        shortest, longest = min(part.area.height for part in parts), max(part.area.height for part in parts)
        if shortest <= longest * _EVEN:
            continue
        found = _columns(layout, parts, cuts)
        over = found.over(room)[:: -1 if lying else 1]
        if over < least:
            best, least = found, over
        if least == (0.0, 0.0) or (found.width > room[0] and not lying):
            break
    return best


def _gaps(layout: Layout) -> list[float]:
    """The heights at which nothing but one connection, which is no bypass, is cut through."""
    gaps = []
    end = 0.0
    spans = [(min(y for _, y in wire.points), max(y for _, y in wire.points)) for wire in layout.wires]
    for area in sorted(layout.boxes, key=lambda area: area.y):
        if area.y > end > 0:
            middle = _between(end, area.y, layout)
            crossing = [
                link for link, (top, low) in zip(layout.links, spans, strict=True) if top < middle < low
            ]
            if len(crossing) == 1 and not crossing[0].bypass:
                gaps.append(middle)
        end = max(end, area.bottom)
    return gaps[:: 1 + len(gaps) // _GAPS]


def _between(top: float, low: float, layout: Layout) -> float:
    """The height between two boxes that cuts through the fewest scopes; of those, the most central."""
    edges = {edge for areas in layout.scopes for area in areas for edge in (area.y, area.bottom)}
    marks = [top, *sorted(edge for edge in edges if top < edge < low), low]
    middles = [(a + b) / 2 for a, b in pairwise(marks)]
    return min(middles, key=lambda y: (_cut_through(y, layout), abs(y - (top + low) / 2)))


def _cut_through(y: float, layout: Layout) -> int:
    """How many scopes a cut at a height breaks."""
    return sum(1 for areas in layout.scopes for area in areas if area.y < y < area.bottom)


def _chosen(gaps: list[float], cuts: int, layout: Layout) -> list[float]:
    """The gaps that make columns of about one height, and break few scopes."""
    cost = [_cut_through(gap, layout) for gap in gaps]
    ends = [*gaps, layout.height]
    # the least height that the first `i` ends can have as `k` columns, and the cut before
    best: list[list[tuple[float, int]]] = [[((end - 0) ** 2, -1) for end in ends]]
    for _ in range(cuts):
        row: list[tuple[float, int]] = []
        for i, end in enumerate(ends):
            options = [
                (
                    best[-1][j][0]
                    + (end - ends[j]) ** 2
                    + (cost[j] * 0.15 * layout.height / (cuts + 1)) ** 2,
                    j,
                )
                for j in range(i)
                if best[-1][j][0] < float("inf")
            ]
            row.append(min(options, default=(float("inf"), -1)))
        best.append(row)
    chosen, at = [], len(ends) - 1
    for k in range(cuts, 0, -1):
        at = best[k][at][1]
        chosen.append(ends[at])
    return chosen[::-1]


@dataclass(frozen=True)
class _Part:
    """A column: all that it holds, and the pieces of scopes in it."""

    area: Area
    scopes: dict[int, Area]


def _parts(layout: Layout, cuts: list[float]) -> list[_Part]:
    """The columns that cuts make."""
    parts = []
    for top, low in pairwise([float("-inf"), *cuts, float("inf")]):
        held = [area for area in layout.boxes if top < area.y < low]
        scopes: dict[int, Area] = {}
        for number in range(len(layout.scopes) - 1, -1, -1):  # from the inner ones to those around them
            area = layout.scopes[number][0]
            if area.y >= low or area.bottom <= top:
                continue
            inside = [one for one in [*held, *scopes.values()] if _contains(area, one)]
            if area.y < top:  # it goes on from the column before: room for its name
                start = min(one.y for one in inside) - MARGIN
                area = Area(area.x, start, area.width, area.bottom - start)
            if area.bottom > low:
                stop = max(one.bottom for one in inside) + MARGIN / 2
                area = Area(area.x, area.y, area.width, stop - area.y)
            scopes[number] = area
        held += scopes.values()
        points = [p for wire in layout.wires if _within(wire, top, low) for p in wire.points]
        left = min([area.x for area in held] + [x for x, _ in points])
        right = max([area.right for area in held] + [x for x, _ in points])
        start, stop = min(area.y for area in held), max(area.bottom for area in held)
        parts.append(_Part(Area(left, start, right - left, stop - start), scopes))
    return parts


def _contains(outer: Area, inner: Area) -> bool:
    """Whether the middle of one area lies in another."""
    x, y = inner.x + inner.width / 2, inner.y + inner.height / 2
    return outer.x < x < outer.right and outer.y < y < outer.bottom


def _within(wire: Wire, top: float, low: float) -> bool:
    return all(top < y < low for _, y in wire.points)


def _columns(layout: Layout, parts: list[_Part], cuts: list[float]) -> Layout:
    """The columns side by side, and what goes from one to the next in the space between."""
    bounds = [float("-inf"), *cuts, float("inf")]
    shifts, left = [], 0.0
    for part in parts:
        shifts.append((left - part.area.x, _BEYOND - part.area.y))
        left += part.area.width + _GUTTER

    def column(y: float) -> int:
        return next(i for i in range(len(parts)) if bounds[i] < y < bounds[i + 1])

    boxes = [area.moved(*shifts[column(area.y)]) for area in layout.boxes]
    height = max(part.area.height for part in parts) + 2 * _BEYOND
    wires = []
    for wire in layout.wires:
        first, last = column(wire.points[0][1]), column(wire.points[-1][1])
        (x0, y0), (x1, y1) = _moved(wire.points[0], shifts[first]), _moved(wire.points[-1], shifts[last])
        if first == last:
            points = tuple(_moved(point, shifts[first]) for point in wire.points)
            wires.append(replace(wire, points=points))
        else:
            low = _BEYOND + parts[first].area.height + _BEYOND / 2
            between = parts[last].area.x + shifts[last][0] - _GUTTER / 2
            corners = ((x0, y0), (x0, low), (between, low), (between, 2.0), (x1, 2.0), (x1, y1))
            wires.append(replace(wire, points=corners, angular=True))
    scopes = [
        [part.scopes[i].moved(*shift) for part, shift in zip(parts, shifts, strict=True) if i in part.scopes]
        for i in range(len(layout.scopes))
    ]
    return Layout(boxes, wires, scopes, left - _GUTTER, height, layout.links)


def _moved(point: Point, by: tuple[float, float]) -> Point:
    return point[0] + by[0], point[1] + by[1]
