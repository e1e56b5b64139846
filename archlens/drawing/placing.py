"""Where boxes go: the shape of the network, found exactly and drawn as it is.

A scope is laid out by itself and is one block in the scope around it. Within one, the boxes that every way
goes through are the spine, one beneath the other and in line; what lies between two of them falls into
branches, which stand side by side, each laid out in the same way. What is left, where neither cuts the
network into parts, goes into levels. Lines go along the axes, in tracks between the rows and in lanes beside
them. Points are from the top left, and the flow is downward.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import inf
from typing import NamedTuple

from ..grouping import grouped
from .ordering import Join, cheapest, crossings, ordered
from .picture import Point

#: The space between two boxes beside each other, and around the boxes of a scope.
ASIDE, MARGIN = 16.0, 17.0
#: How far after a box a line turns away, how far before one it turns in, and the space between two tracks and
#: between two lanes.
_LEAVE, _ENTER, _TRACK, _LANE = 3.5, 8.0, 6.0, 9.0
#: The space between the two sides of a U.
_ACROSS = 44.0
#: The space on each side of a box that stands between them.
_TO_IT = 26.0
#: How often the boxes of levels are put in order, and are moved towards what they are connected with.
_SWEEPS, _SETTLED = 6, 8
#: How much stronger lanes hold straight than boxes, and how many branches may lie within branches.
_STIFF, _DEEPEST = 8.0, 60
#: How many times as many boxes as any other the branch has that goes on straight.
_LONGER = 3
#: From how many lines on their tracks are not put in order.
_MANY = 40


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


class Link(NamedTuple):
    """A connection to be laid."""

    tail: int
    head: int
    #: Whether it is on a short way around others, and so beside them.
    bypass: bool = False


class Pads(NamedTuple):
    """The space around the boxes of a scope."""

    top: float = MARGIN
    bottom: float = MARGIN / 2
    left: float = MARGIN
    right: float = MARGIN

    def turned(self) -> Pads:
        """The same with the axes exchanged."""
        return Pads(self.left, self.right, self.top, self.bottom)


@dataclass
class Block:
    """Boxes in their places from (0, 0), and the lines that enter, leave and stay."""

    width: float
    height: float
    #: Where the spine enters and where it leaves.
    enters: float
    leaves: float
    boxes: dict[int, Area] = field(default_factory=dict)
    #: The areas of scopes, from the inner to those around them.
    scopes: list[tuple[int, Area]] = field(default_factory=list)
    #: The way of each line, by its number: of those that come from outside, from the upper edge on.
    entering: dict[int, list[Point]] = field(default_factory=dict)
    #: The way from each box that is read outside to the lower edge.
    leaving: dict[int, list[Point]] = field(default_factory=dict)
    wires: dict[int, list[Point]] = field(default_factory=dict)

    #: The boxes out of which lines go upward, and those that lines go through from left to right.
    rising: frozenset[int] = frozenset()
    across: frozenset[int] = frozenset()
    #: What might stand on its other side, with the boxes that it is about.
    sides: dict[Side, frozenset[int]] = field(default_factory=dict)

    def upturn(self) -> None:
        """Turn it over, so that the flow is upward."""
        self.boxes = {box: replace(area, y=self.height - area.bottom) for box, area in self.boxes.items()}
        self.scopes = [(scope, replace(area, y=self.height - area.bottom)) for scope, area in self.scopes]
        for ways in (self.entering, self.leaving, self.wires):
            for key, points in ways.items():
                ways[key] = [(x, self.height - y) for x, y in points]

    def mirror(self) -> None:
        """Make its left its right."""
        self.enters, self.leaves = self.width - self.enters, self.width - self.leaves
        self.boxes = {box: replace(area, x=self.width - area.right) for box, area in self.boxes.items()}
        self.scopes = [(scope, replace(area, x=self.width - area.right)) for scope, area in self.scopes]
        for ways in (self.entering, self.leaving, self.wires):
            for key, points in ways.items():
                ways[key] = [(self.width - x, y) for x, y in points]

    def move(self, dx: float, dy: float) -> None:
        """Put all that is in it elsewhere."""
        self.enters, self.leaves = self.enters + dx, self.leaves + dx
        self.boxes = {box: area.moved(dx, dy) for box, area in self.boxes.items()}
        self.scopes = [(scope, area.moved(dx, dy)) for scope, area in self.scopes]
        for ways in (self.entering, self.leaving, self.wires):
            for key, points in ways.items():
                ways[key] = [(x + dx, y + dy) for x, y in points]


@dataclass
class _Item:
    """What stands in a row: a block, or the lane of what one box gives out."""

    block: Block | None
    net: int = -1
    #: The left edge of a block, or where the lane is.
    x: float = 0.0
    #: Whether it is in the middle of its row and not at the top.
    central: bool = False
    #: Whether the rows beneath go on beside it.
    hangs: bool = False
    #: The links that a lane is for, and its number, where what the box gives out has several; all in the one
    #: that has the number of the box otherwise.
    serves: frozenset[int] = frozenset()
    strand: int = -1

    @property
    def lane(self) -> int:
        """The number of a lane."""
        return self.strand if self.strand >= 0 else self.net

    @property
    def width(self) -> float:
        return self.block.width if self.block is not None else 0.0


class Side(NamedTuple):
    """Something that may stand on either side: a scope whose left may be its right, a lane that may lie to
    the left or right, a branch that may stand before the others or on the other side of the spine.
    """

    #: ``scope``, ``lane`` or ``branch``.
    kind: str
    #: The number of the scope, of the box whose lane it is, or of the first box of the branch.
    number: int
    #: The first box of those beside which a lane lies; -1 for wherever it lies.
    within: int = -1


class Given(NamedTuple):
    """What is to be placed."""

    #: Width and height of each box; a box stands after those that it reads.
    sizes: Sequence[tuple[float, float]]
    #: What is connected.
    links: Sequence[Link]
    #: The scope of each box, or -1.
    scope_of: Sequence[int]
    #: The scope around each scope, which has a lower number, or -1; and the space within each.
    parents: Sequence[int]
    pads: Sequence[Pads]
    #: The least space between one row of boxes and the next.
    apart: float
    #: Boxes that are never on the spine.
    aside: Collection[int] = ()
    #: The space between two boxes beside each other.
    beside: float = ASIDE
    #: What stands on its other side.
    turned_over: frozenset[Side] = frozenset()

    def turned(self) -> Given:
        """The same with the axes exchanged."""
        sizes = [(high, wide) for wide, high in self.sizes]
        return self._replace(sizes=sizes, pads=[pad.turned() for pad in self.pads])

    def forward(self) -> Given:
        """The same without ways round: what comes back to a box is as if it went the other way.

        A box that stands for a scope has such ways where something leaves the scope and comes back.
        """
        out = grouped((link.tail, i) for i, link in enumerate(self.links))
        back: set[int] = set()
        done, open_ = set[int](), set[int]()
        for first in range(len(self.sizes)):
            stack = [(first, iter(out.get(first, ())))] if first not in done else []
            open_.update(box for box, _ in stack)
            while stack:
                box, links = stack[-1]
                i = next(links, None)
                if i is None:
                    stack.pop()
                    open_.remove(box)
                    done.add(box)
                    continue
                head = self.links[i].head
                if head in open_:
                    back.add(i)
                elif head not in done:
                    open_.add(head)
                    stack.append((head, iter(out.get(head, ()))))
        if not back:
            return self
        turned = [
            link._replace(tail=link.head, head=link.tail) if i in back else link
            for i, link in enumerate(self.links)
        ]
        return self._replace(links=turned)


def placed(given: Given) -> Block:
    """Places for boxes, from top to bottom."""
    placer = _Placer(given)
    return replace(placer.root(), sides=placer.sides)


def piled(given: Given) -> Block | None:
    """The same with networks that have nothing in common one beneath the other; ``None`` where it is one."""
    return _Placer(given).piled()


def bent(given: Given, tail: float) -> Block | None:
    """The same as a U whose right side goes upward; ``None`` where it is no encoder with a decoder.

    Boxes that stand alone on a way from one side to the other stand between them. ``tail`` is the part of the
    height of each box that does not belong to it.
    """
    whole = _Placer(given)
    found = whole.bent(tail, _ACROSS)
    if found is not None or max(given.scope_of, default=-1) >= 0:
        return found
    between = whole.between()
    return _laddered(given, between, tail) if between else None


def _laddered(given: Given, between: Mapping[int, tuple[int, int]], tail: float) -> Block | None:
    """A U with boxes between its sides: each with the link into it and the one out of it."""
    kept = [box for box in range(len(given.sizes)) if box not in between]
    number = {box: i for i, box in enumerate(kept)}
    links, old = list[Link](), list[int]()
    for i, link in enumerate(given.links):
        if link.tail not in between and link.head not in between:
            links.append(link._replace(tail=number[link.tail], head=number[link.head]))
            old.append(i)
    for box, (into, out) in between.items():
        ends = given.links[into].tail, given.links[out].head
        links.append(Link(number[ends[0]], number[ends[1]], True))
        old.append(-1 - box)
    wide = max(given.sizes[box][0] for box in between)
    fewer = given._replace(
        sizes=[given.sizes[box] for box in kept],
        links=links,
        scope_of=[-1] * len(kept),
        aside={number[box] for box in given.aside if box in number},
    )
    found = _Placer(fewer).bent(tail, wide + 2 * _TO_IT)
    if found is None:
        return None
    found.boxes = {kept[i]: area for i, area in found.boxes.items()}
    found.rising = frozenset(kept[i] for i in found.rising)
    wires, found.wires = found.wires, {}
    for i, points in wires.items():
        if old[i] >= 0:
            found.wires[old[i]] = points
            continue
        box = -1 - old[i]
        if len(points) != 2:  # it does not go across
            return None
        (left, y), (right, _) = points
        width, height = given.sizes[box]
        area = Area((left + right - width) / 2, y - (height - tail) / 2, width, height)
        found.boxes[box] = area
        into, out = between[box]
        found.wires[into], found.wires[out] = [(left, y), (area.x, y)], [(area.right, y), (right, y)]
        found.across |= {box}
    return found


class _Row(NamedTuple):
    """A row of a series: parts on the spine or between two of it, and the branches that end beside it."""

    parts: list[int]
    hanging: list[list[int]]


class _Placer:
    def __init__(self, given: Given) -> None:
        sizes, links, scope_of, parents, pads, apart, aside, self.beside, self.turned_over = given
        self.sizes, self.links, self.apart, self.pads = sizes, links, apart, pads
        self.aside = frozenset(aside)
        #: What might stand on its other side, with the boxes that it is about.
        self.sides: dict[Side, frozenset[int]] = {}
        count = len(sizes)
        self.into = grouped((link.head, i) for i, link in enumerate(links))
        self.out = grouped((link.tail, i) for i, link in enumerate(links))
        #: The parts of the picture as a tree: boxes by their numbers, then the scopes, then the root.
        self.root_part = count + len(parents)
        self.scope_of_part = {count + i: i for i in range(len(parents))}
        self.parent = [count + scope if scope >= 0 else self.root_part for scope in (*scope_of, *parents)]
        self.parent.append(-1)
        #: How many boxes the longest way to each has.
        self.far = [0] * count
        for box in range(count):
            tails = (self.links[i].tail for i in self.into.get(box, ()))
            self.far[box] = 1 + max((self.far[tail] for tail in tails), default=0)
        #: Whether what is laid out will be turned over.
        self.rising = False
        #: The boxes from which something goes to the right, which no branch may stand in the way of.
        self.outward = frozenset[int]()
        self._pieces()
        self._tree()
        while self._shattered():
            self._tree()

    def _tree(self) -> None:
        """What stands in each part of the picture, and the boxes that it holds."""
        self.inside: dict[int, list[int]] = {}
        for part, around in enumerate(self.parent):
            if around >= 0:
                self.inside.setdefault(around, []).append(part)
        self.held: dict[int, list[int]] = {}
        for box in range(len(self.sizes)):
            at = box
            while at >= 0:
                self.held.setdefault(at, []).append(box)
                at = self.parent[at]

    def _shattered(self) -> bool:
        """Whether one of the scopes that read each other was broken, a piece for each of its boxes."""
        for part in self.inside:
            parts, edges = self._connected(part)
            stuck = set(parts).difference(_sorted(parts, edges))
            scope = next((one for one in parts if one in stuck and len(self.held[one]) > 1), None)
            if scope is None:
                continue
            for box in self.held[scope][1:]:
                chain, at = list[int](), self.parent[box]
                while at != part:
                    chain.append(at)
                    at = self.parent[at]
                for old in reversed(chain):
                    self.scope_of_part[len(self.parent)] = self.scope_of_part[old]
                    self.parent.append(at)
                    at = len(self.parent) - 1
                self.parent[box] = at
            return True
        return False

    def _pieces(self) -> None:
        """Break scopes that a way leaves and comes back to into pieces, so that all flows one way."""
        count = len(self.sizes)
        for scope in range(self.root_part - 1, count - 1, -1):
            members = {box for box in range(count) if self._is_in(box, scope)}
            if not members:
                continue
            round_: dict[int, int] = {}  # how often the way to a box has come into the scope
            for box in range(count):
                found = [
                    round_[tail] + (box in members and tail not in members)
                    for tail in (self.links[i].tail for i in self.into.get(box, ()))
                    if tail in round_
                ]
                if box in members or found:
                    round_[box] = max(found, default=0)
            if max(round_[box] for box in members) == 0:
                continue
            children = [part for part, around in enumerate(self.parent) if around == scope]
            piece: dict[int, int] = {0: scope}
            for child in children:
                boxes = [box for box in members if box == child or self._is_in(box, child)]
                turn = max((round_[box] for box in boxes), default=0)
                if turn not in piece:
                    piece[turn] = len(self.parent)
                    self.parent.append(self.parent[scope])
                    self.scope_of_part[piece[turn]] = self.scope_of_part[scope]
                self.parent[child] = piece[turn]

    def _is_in(self, part: int, scope: int) -> bool:
        part = self.parent[part]
        while part >= 0 and part != scope:
            part = self.parent[part]
        return part == scope

    # --- scopes -------------------------------------------------------------------------------

    def root(self) -> Block:
        return self._closed(self._composed(self._graph(self.root_part), 0))

    def piled(self) -> Block | None:
        """What hangs together, one beneath the other; ``None`` where all does."""
        graph = self._graph(self.root_part)
        branches = graph.branches()
        if len(branches) < 2:
            return None
        return self._series([[self._composed(graph.only(branch), 0)] for branch in branches])

    def _of(self, part: int) -> Block:
        """The block of a box or of a scope."""
        if part < len(self.sizes):
            return self._box(part)
        inner = self._composed(self._graph(part), 0)
        return self._framed(self._closed(inner), self.scope_of_part[part])

    def _box(self, box: int) -> Block:
        wide, high = self.sizes[box]
        middle = wide / 2
        return Block(
            wide, high, middle, middle,
            {box: Area(0, 0, wide, high)},
            entering={i: [(middle, 0.0)] for i in self.into.get(box, ())},
            leaving={box: [(middle, high)]} if box in self.out else {},
        )  # fmt: skip

    def _framed(self, block: Block, scope: int) -> Block:
        pads = self.pads[scope]
        if self.rising:
            pads = pads._replace(top=pads.bottom, bottom=pads.top)
        wide = block.width + pads.left + pads.right
        high = block.height + pads.top + pads.bottom
        block.move(pads.left, pads.top)
        for points in block.entering.values():
            points.insert(0, (points[0][0], 0.0))
        for points in block.leaving.values():
            points.append((points[-1][0], high))
        block.scopes.append((scope, Area(0, 0, wide, high)))
        block = replace(block, width=wide, height=high)
        if self._is_turned(Side("scope", scope), block.boxes):
            block.mirror()
        return block

    def _is_turned(self, side: Side, boxes: Iterable[int]) -> bool:
        """Whether something stands on its other side."""
        self.sides[side] = frozenset(boxes)
        return side in self.turned_over

    def _graph(self, part: int) -> _Graph:
        """What stands in a scope, and what is connected there."""
        parts, edges = self._connected(part)
        return _Graph(_sorted(parts, edges), edges)

    def _connected(self, part: int) -> tuple[list[int], dict[int, dict[int, list[int]]]]:
        """What stands in a scope, and the links from one to another."""
        parts = sorted(
            (child for child in self.inside.get(part, ()) if child in self.held),
            key=lambda child: self.held[child][0],
        )
        child_of = {box: child for child in parts for box in self.held[child]}
        edges: dict[int, dict[int, list[int]]] = {child: {} for child in parts}
        for child in parts:
            for box in self.held[child]:
                for i in self.out.get(box, ()):
                    to = child_of.get(self.links[i].head, child)
                    if to != child:
                        edges[child].setdefault(to, []).append(i)
        return parts, edges

    # --- series and branches ------------------------------------------------------------------

    def _composed(self, graph: _Graph, depth: int) -> Block:
        """The parts of a graph as a series, as branches, or in levels."""
        if len(graph.parts) == 1:
            return self._of(graph.parts[0])
        reduced = graph.reduced()
        branches = reduced.branches()
        if len(branches) > 1:
            return self._beside([graph.only(branch) for branch in branches], depth)
        rows = self._shape(graph, reduced) if depth < _DEEPEST else []
        return self._series(self._filled(graph, rows, depth)) if rows else self._levels(graph, reduced)

    def _shape(self, graph: _Graph, reduced: _Graph) -> list[_Row]:
        """The spine of a graph with what lies between and beside it; nothing where there is none."""
        boxes = {box for part in graph.parts for box in self.held[part]}
        on = {
            part
            for part in graph.parts
            for box in self.held[part]
            if any(self.links[i].head not in boxes for i in self.out.get(box, ()))
        }
        if not on:  # it ends here: at the end of the longest way
            far = {part: max(self.far[box] for box in self.held[part]) for part in graph.parts}
            ends = [part for part in graph.parts if not graph.edges[part]]
            counted = [part for part in ends if not self.aside.issuperset(self.held[part])] or ends
            on = {part for part in counted if far[part] == max(far[one] for one in counted)}
        for part in reversed(graph.parts):
            if any(to in on for to in graph.edges[part]):
                on.add(part)
        main = reduced.only(on)
        spine = main.spine()
        if not spine:
            return []
        rows = [_Row(row, []) for row in main.between(spine)]
        row_of = {part: i for i, row in enumerate(rows) for part in row.parts}
        for branch in reduced.only(part for part in graph.parts if part not in on).branches():
            row = 1 + max(
                (row_of[one] for part in branch for one in graph.reads[part] if one in row_of), default=-1
            )
            if row == len(rows):
                rows.append(_Row([], []))
            rows[row].hanging.append(branch)
        return rows

    def _filled(self, graph: _Graph, rows: Iterable[_Row], depth: int = 0) -> list[list[Block | None]]:
        """The blocks of each row of a series: that of the spine or none, and those that hang beside it."""

        def block(parts: Sequence[int]) -> Block | None:
            return (
                None
                if not parts
                else self._of(parts[0])
                if len(parts) == 1
                else self._composed(graph.only(parts), depth + 1)
            )

        return [[block(row.parts), *map(block, row.hanging)] for row in rows]

    def _series(
        self, blocks: list[list[Block | None]], gaps: Mapping[int, float] = {}, *, mirrored: bool = False
    ) -> Block:
        """Blocks one beneath the other, their spine in one line. What hangs beside them goes no further; what
        goes around some has a lane beside them, rather to the right, or where it is ``mirrored`` to the left.
        """
        x, y = 0.0, 0.0
        rows: list[list[_Item]] = []
        tops: list[float] = []
        for main, *_ in blocks:
            left = x - main.enters if main is not None else x
            rows.append([_Item(main, x=left)] if main is not None else [])
            tops.append(y)
            if main is not None:
                x = left + main.leaves
                y += main.height + self.apart
        #: From which row to which something hangs, and whether to the right.
        hung: list[tuple[int, int, bool]] = []
        hanging_items: list[_Item] = []

        def has_its_row(i: int) -> bool:
            """Whether what hangs there has the row to itself: what is read beneath would go through it."""
            start, end, right = hung[i]
            if start < first <= end:
                hung[i] = start, start, right
                hanging_items[i].hangs = False
            return hung[i][1] < first

        for first, (_, *hanging) in enumerate(blocks):
            for block in hanging:
                assert block is not None
                last = max(i for i, top in enumerate(tops) if top - self.apart < tops[first] + block.height)
                on_the_right = not self._is_turned(Side("branch", min(block.boxes)), block.boxes)
                taken = [
                    item
                    for row in rows[first : last + 1]
                    for item in row
                    if not any(item is other for other in hanging_items)
                ]
                taken += [
                    item
                    for i, item in enumerate(hanging_items)
                    if hung[i][2] == on_the_right and not has_its_row(i)
                ]
                at = x - block.enters
                if taken and on_the_right:
                    at = max(item.x + item.width for item in taken) + self.beside
                elif taken:
                    at = min(item.x for item in taken) - self.beside - block.width
                rows[first].append(_Item(block, x=at, hangs=True))
                hanging_items.append(rows[first][-1])
                hung.append((first, last, on_the_right))
        spans, taps = self._passing(blocks)
        top = min(box for row in blocks for block in row if block is not None for box in block.boxes)
        sides: dict[bool, list[int]] = {True: [], False: []}
        lane: dict[int, float] = {}
        for net in sorted(spans, key=lambda net: (spans[net][1] - spans[net][0], spans[net])):
            first, last = spans[net]
            clashes = {
                side: sum(
                    _clash(spans[net], spans[other])
                    + sum(1 for tap in taps.get(net, ()) if spans[other][0] <= tap <= spans[other][1])
                    for other in sides[side]
                )
                for side in sides
            }
            to_the_right = clashes[True] < clashes[False] + (not mirrored)
            to_the_right ^= self._is_turned(Side("lane", net), [net])
            to_the_right ^= self._is_turned(Side("lane", net, top), [net])
            low, high = max(first, 0), min(last, len(blocks) - 1)
            beside = [item for row in rows[low : high + 1] for item in row if item.block is not None]
            lanes = [
                lane[other]
                for other in sides[to_the_right]
                if spans[other][0] <= last + 1 and first <= spans[other][1] + 1
            ]
            beside += [
                item
                for item, (start, end, on_the_right) in zip(hanging_items, hung, strict=True)
                if on_the_right == to_the_right and start <= high and low <= end
            ]
            if to_the_right:
                lane[net] = max([item.x + item.width for item in beside] + lanes) + _LANE
            else:
                lane[net] = min([item.x for item in beside] + lanes) - _LANE
            sides[to_the_right].append(net)
            for row in rows[low : high + 1]:
                row.append(_Item(None, net, lane[net]))
        for item, (first, last, on_the_right) in zip(hanging_items, hung, strict=True):
            turns = {
                turn
                for net in sides[on_the_right]
                for turn in (spans[net][0], *taps.get(net, ()), spans[net][1] + 1)
            }
            if any(first < turn <= last for turn in turns):  # lines to a lane beyond would go through it
                item.hangs = False
        return self._stacked(rows, 0.0, x, gaps=gaps)

    def _passing(
        self, blocks: list[list[Block | None]]
    ) -> tuple[dict[int, tuple[int, int]], dict[int, list[int]]]:
        """The first and the last row that what a box gives out passes by; from -1, or to beyond the last,
        where it comes from outside or goes there. And the rows that it goes into.
        """
        all_blocks = [(i, block) for i, row in enumerate(blocks) for block in row if block is not None]
        at = {box: i for i, block in all_blocks for box in block.boxes}
        spans: dict[int, tuple[int, int]] = {}
        taps: dict[int, list[int]] = {}
        for i, block in all_blocks:
            for net in dict.fromkeys(self.links[number].tail for number in block.entering):
                taps.setdefault(net, []).append(i)
                start = at[net] + 1 if net in at else -1
                if i - 1 >= max(start, 0):
                    spans[net] = (start, max(spans.get(net, (start, -1))[1], i - 1))
            for net in block.leaving:
                if i < len(blocks) - 1 and any(self.links[k].head not in at for k in self.out[net]):
                    spans[net] = (i + 1, len(blocks))
        return spans, taps

    def _beside(self, graphs: list[_Graph], depth: int) -> Block:
        """Branches side by side; the spine goes through the middle one, or to where the main one stands."""
        graphs = sorted(graphs, key=lambda one: any(self.outward & {*self.held[part]} for part in one.parts))
        found = [(graph, self._composed(graph, depth + 1)) for graph in graphs]
        found.sort(key=lambda one: not self._is_turned(Side("branch", min(one[1].boxes)), one[1].boxes))
        main = self._main([block for _, block in found])
        sides = []
        if main is not None:
            main_one = found.pop(main)
            sides = found
            found = [main_one]
        x = 0.0
        row = []
        first = [one for one in sides if Side("branch", min(one[1].boxes)) in self.turned_over]
        last = [one for one in sides if not any(one is other for other in first)]
        if self.rising:
            first, last = last, first
        for _, block in [*first, *found, *last]:
            aside = any(block is side for _, side in sides)
            row.append(_Item(block, x=x, central=aside and bool(block.leaving)))
            x += block.width + self.beside
        middle = [item for item in row if any(item.block is block for _, block in found)]
        middle = middle[(len(found) - 1) // 2 : len(found) // 2 + 1]
        enters = sum(item.x + item.block.enters for item in middle if item.block is not None) / len(middle)
        leaves = sum(item.x + item.block.leaves for item in middle if item.block is not None) / len(middle)
        return self._stacked([row], enters, leaves)

    def _main(self, blocks: list[Block]) -> int | None:
        """Which of some branches goes on straight, the others being beside it; none where they are alike."""
        beside = [self._is_bypass(block) for block in blocks]
        if beside.count(False) == 1:
            return beside.index(False)
        going = [i for i, block in enumerate(blocks) if block.leaving] or [*range(len(blocks))]
        longest = sorted(going, key=lambda i: (-len(blocks[i].boxes), i))
        lengths = [len(blocks[i].boxes) for i in longest]
        if len(going) < len(blocks) or not blocks[0].leaving:
            return longest[0] if len(lengths) == 1 or lengths[0] > lengths[1] else None
        return longest[0] if lengths[0] >= _LONGER * lengths[1] else None

    def _is_bypass(self, block: Block) -> bool:
        """Whether all that enters and leaves is on a short way around others."""
        numbers = [*block.entering, *(i for net in block.leaving for i in self.out[net])]
        return bool(numbers) and all(self.links[i].bypass for i in numbers)

    # --- a U ----------------------------------------------------------------------------------

    def between(self) -> dict[int, tuple[int, int]]:
        """The boxes that stand alone on a short way around others, with the links into them and out."""
        found = {}
        for box in range(len(self.sizes)):
            into, out = self.into.get(box, ()), self.out.get(box, ())
            if len(into) == len(out) == 1 and self.far[self.links[out[0]].head] > self.far[box] + 1:
                found[box] = into[0], out[0]
        ends = {self.links[i].head for i, _ in found.values()}
        return {box: ways for box, ways in found.items() if self.links[ways[0]].tail not in ends}

    def bent(self, tail: float, apart: float) -> Block | None:
        """The picture as a U, where what goes across from left to right is nested; ``None`` otherwise.

        ``tail`` is the part of the height of each box that does not belong to it, ``apart`` the space between
        the two sides.
        """
        graph = self._graph(self.root_part)
        reduced = graph.reduced()
        if len(reduced.branches()) > 1:
            return None
        rows = self._shape(graph, reduced)
        row_of = {box: i for i, row in enumerate(rows) for part in row.parts for box in self.held[part]}
        skips, stairs = self._nested(row_of, len(rows))
        if not skips:
            return None
        bottom = row_of[self.links[skips[-1]].head]
        kept = self.into, self.out
        self.into, self.out = (
            {box: [i for i in some if i not in (*skips, *stairs)] for box, some in ways.items()}
            for ways in kept
        )
        self.out = {box: some for box, some in self.out.items() if some}
        self.outward = frozenset(self.links[i].tail for i in (*skips, *stairs))
        try:
            left = self._arm(graph, rows[:bottom])
            right = self._arm(graph, rows[bottom:], rising=True)
            ends = [self.links[i] for i in skips]
            # how far each skip is from the top on both sides, and how far it has to be
            fro = [_middle(left, link.tail, tail) for link in ends]
            to = [right.height - _middle(right, link.head, tail) for link in ends]
            more = [[0.0, 0.0] for _ in ends]
            for k in range(1, len(ends)):
                down, up = fro[k] - fro[k - 1], to[k] - to[k - 1]
                more[k] = [max(up - down, 0.0), max(down - up, 0.0)]
            gaps: list[dict[int, float]] = [{}, {}]
            for k in range(1, len(ends)):
                for side, one, other in (
                    (0, row_of[ends[k - 1].tail], row_of[ends[k].tail]),
                    (1, row_of[ends[k].head] - bottom, row_of[ends[k - 1].head] - bottom),
                ):
                    for row in range(one + 1, other + 1):
                        gaps[side][row] = self.apart + more[k][side] / (other - one)
            left = self._arm(graph, rows[:bottom], gaps[0])
            right = self._arm(graph, rows[bottom:], gaps[1], rising=True)
        finally:
            self.into, self.out = kept
            self.outward = frozenset()
        return self._joined(left, right, skips, stairs, tail, apart)

    def _nested(self, row_of: Mapping[int, int], rows: int) -> tuple[list[int], list[int]]:
        """The links that go around others to a row beyond, each within the one before; none for no U.

        And those that begin or end with one of these, a level higher at the one end, as stairs between them.
        """
        spans = [
            (row_of[link.tail], row_of[link.head], i)
            for i, link in enumerate(self.links)
            if link.tail in row_of and link.head in row_of
        ]
        long = [span for span in spans if span[1] - span[0] > 1]
        if len(long) < 2:
            return [], []
        across = max(
            ([span for span in long if span[0] < row < span[1]] for row in range(rows)),
            key=len,
        )  # fmt: skip
        across = sorted(across, key=lambda span: (span[0], -span[1]))
        nested = all(a[0] <= b[0] and a[1] >= b[1] and a[:2] != b[:2] for a, b in pairwise(across))
        if len(across) < 2 or not nested or across[0][1] - across[0][0] < rows / 2:
            return [], []
        level: list[tuple[int, int, int]] = []  # from the innermost outward
        for span in reversed(across):
            if not level or (span[0] < level[-1][0] and span[1] > level[-1][1]):
                level.append(span)
        if len(level) < 2:
            return [], []
        return [i for _, _, i in reversed(level)], [i for *span, i in across if (*span, i) not in level]

    def _arm(
        self,
        graph: _Graph,
        rows: Sequence[_Row],
        gaps: Mapping[int, float] = {},
        *,
        rising: bool = False,
    ) -> Block:
        """One side of a U, still from top to bottom."""
        self.rising = rising
        blocks = self._filled(graph, rows)
        self.rising = False
        return self._series(blocks, gaps, mirrored=not rising)

    def _joined(
        self,
        left: Block,
        right: Block,
        skips: Sequence[int],
        stairs: Sequence[int],
        tail: float,
        across_: float,
    ) -> Block | None:
        """Two sides of a U beside each other, the right one upward, and what goes across."""
        right.upturn()
        rise = (
            [left.boxes[self.links[i].tail] for i in skips],
            [right.boxes[self.links[i].head] for i in skips],
        )
        apart = _middle(left, self.links[skips[0]].tail, tail) - (
            rise[1][0].y + tail + (rise[1][0].height - tail) / 2
        )
        left.move(0.0, max(-apart, 0.0))
        right.move(left.width + across_, max(apart, 0.0))
        out = Block(left.width + across_ + right.width, 0.0, left.enters, right.leaves)
        out.rising = frozenset(right.boxes)
        for side in (left, right):
            out.boxes |= side.boxes
            out.scopes += side.scopes
            out.wires |= side.wires
        for i in skips:
            link = self.links[i]
            a, b = out.boxes[link.tail], out.boxes[link.head]
            y, other = a.y + (a.height - tail) / 2, b.y + tail + (b.height - tail) / 2
            between = [area for area in out.boxes.values() if area.y < y < area.bottom]
            if abs(y - other) > 0.5 or any(
                a.right < area.right and area.x < b.x for area in between if area != a
            ):
                return None
            out.wires[i] = [(a.right, y), (b.x, y)]
        if not self._climbed(out, skips, stairs, tail, left.width + across_ / 2):
            return None
        lowest = max(left_or_right.bottom for left_or_right in out.boxes.values())
        lowest = max([lowest, *(area.bottom for _, area in out.scopes)])
        nets = {self.links[i].tail: left.leaving[self.links[i].tail] for i in right.entering}
        # the innermost turns first
        for turn, net in enumerate(sorted(nets, key=lambda net: -nets[net][-1][0])):
            y = lowest + _ENTER + _LEAVE + _TRACK * turn
            for i, points in right.entering.items():
                if self.links[i].tail == net:
                    out.wires[i] = _straightened(
                        [*nets[net], (nets[net][-1][0], y), (points[0][0], y), *points]
                    )
            out.height = y + _LEAVE
        across = [x for points in out.wires.values() for x, _ in points]
        across += [x for area in out.boxes.values() for x in (area.x, area.right)]
        across += [x for _, area in out.scopes for x in (area.x, area.right)]
        out.width = max(across) - min(across)
        out.move(-min(across), 0.0)
        return out

    def _climbed(
        self, out: Block, skips: Sequence[int], stairs: Sequence[int], tail: float, x: float
    ) -> bool:
        """Whether what goes from one level to the next between the sides has its way, at ``x``."""
        levels = [out.wires[i][0][1] for i in skips]
        for i in stairs:
            link = self.links[i]
            a, b = out.boxes[link.tail], out.boxes[link.head]
            # beneath all that stands beside it
            beside = [one.bottom for one in out.boxes.values() if one.y < a.bottom and a.x < one.x < x]
            start, end = max([a.bottom, *beside]) + _LEAVE, b.y + tail + (b.height - tail) / 5
            if start > end or any(start < level < end for level in levels):
                return False
            middle = a.x + a.width / 2
            out.wires[i] = [(middle, a.bottom), (middle, start), (x, start), (x, end), (b.x, end)]
        return True

    # --- levels -------------------------------------------------------------------------------

    def _levels(self, graph: _Graph, reduced: _Graph) -> Block:
        """Parts in rows, each beneath all that it reads, in an order in which few lines cross."""
        blocks = {part: self._of(part) for part in graph.parts}
        rows, least = self._rows(graph, blocks)
        first = [part for part in graph.parts if not any(graph.reads[one] for one in graph.reads[part])]
        for part in first if least else ():
            if len(graph.edges[part]) > 1:  # further down, where what it gives out may cross less
                others, count = self._rows(graph, blocks, late=part)
                if count < least:
                    rows, least = others, count
        self._settled(rows)
        left = min(item.x for row in rows for item in row)
        right = max(item.x + item.width for row in rows for item in row)
        entering = [
            item.x + (item.block.enters if item.block is not None else 0.0)
            for item in rows[0]
            if item.block is None or item.block.entering
        ]
        leaving = [
            item.x + (item.block.leaves if item.block is not None else 0.0)
            for item in rows[-1]
            if item.block is None or item.block.leaving
        ]
        middle = (left + right) / 2
        return self._stacked(
            rows,
            min(entering, key=lambda x: abs(x - middle), default=middle),
            min(leaving, key=lambda x: abs(x - middle), default=middle),
        )

    def _rows(
        self, graph: _Graph, blocks: Mapping[int, Block], late: int = -1
    ) -> tuple[list[list[_Item]], int]:
        """Each part in a row beneath all that it reads, or of one that is ``late`` a row further down; in an
        order in which few lines cross, and how many do.
        """
        level = dict.fromkeys(graph.parts, 0)
        for part in graph.parts:
            level[part] += part == late
            for to in graph.edges[part]:
                level[to] = max(level[to], level[part] + 1)
        for part in reversed(graph.parts):  # what nothing waits for stands before what reads it
            if graph.edges[part] and not graph.reads[part]:
                level[part] = min(level[to] for to in graph.edges[part]) - 1
        least = min(level.values())
        rows: list[list[_Item]] = [[] for _ in range(max(level.values()) - least + 1)]
        at: dict[int, int] = {}
        for part, block in blocks.items():
            row = level[part] - least
            rows[row].append(_Item(block))
            at |= dict.fromkeys(block.boxes, row)
        placed = [(level[part] - least, block) for part, block in blocks.items()]
        spans: dict[int, tuple[int, int]] = {}
        for row, block in placed:
            for number in block.entering:
                net = self.links[number].tail
                start = at[net] + 1 if net in at else 0
                if row - 1 >= start:
                    spans[net] = (start, max(spans.get(net, (0, -1))[1], row - 1))
            for net in block.leaving:
                if row < len(rows) - 1 and any(self.links[k].head not in at for k in self.out[net]):
                    spans[net] = (row + 1, len(rows) - 1)
        return rows, self._lanes(rows, placed, spans, at)

    def _lanes(
        self,
        rows: list[list[_Item]],
        blocks: list[tuple[int, Block]],
        spans: Mapping[int, tuple[int, int]],
        at: Mapping[int, int],
    ) -> int:
        """Lanes for what passes by rows, and all in an order in which few lines cross; how many do. What one
        box gives out has one lane, or where fewer lines cross so, one for each that reads it.
        """
        before = [[*row] for row in rows]
        for net, (first, last) in spans.items():
            for passed in rows[first : last + 1]:
                passed.append(_Item(None, net))
        self._swept(rows)
        count = self._put_in_order(rows)
        if not count:
            return 0
        split = [[item for item in row if item.block is not None] for row in before]
        rank = [{id(item): i for i, item in enumerate(row)} for row in rows]
        strand = len(self.sizes)
        reading = {i: block for _, block in blocks for i in block.entering}
        for net, (first, last) in spans.items():
            heads = grouped(
                (id(reading.get(i)), i)
                for i in self.out[net]
                if i in reading or (net in at and self.links[i].head not in at)
            )
            for some in heads.values():
                to = max((row - 1 for row, block in blocks if block is reading.get(some[0])), default=last)
                for row in range(first, to + 1):
                    split[row].append(_Item(None, net, serves=frozenset(some), strand=strand))
                strand += 1
        for items, whole, ranked in zip(split, rows, rank, strict=True):
            ranks = {item.net: ranked[id(item)] for item in whole if item.block is None}
            items.sort(key=lambda item, of=ranked, net=ranks: of.get(id(item), net.get(item.net, 0)))  # type: ignore[misc]
        fewer = self._put_in_order(split)
        if fewer < count:
            _merge_lanes(split)
            rows[:] = split
        return min(fewer, count)

    def _put_in_order(self, rows: list[list[_Item]]) -> int:
        """Put each row into the order in which fewest lines are found to cross; how many do."""
        number = [{id(item): i for i, item in enumerate(row)} for row in rows]
        joins: list[tuple[Join, ...]] = []
        nets: dict[int, int] = {}
        for k, (above, below) in enumerate(pairwise(rows)):
            found = self._joins(above, below)
            # where in a thing a line ends matters only beside others there
            xs = {end: i for i, end in enumerate(sorted({(number[k][id(a)], x) for a, x, *_ in found}))}
            to = {
                end: i for i, end in enumerate(sorted({(number[k + 1][id(b)], x) for _, _, b, x, _ in found}))
            }
            joins.append(
                tuple(
                    Join(
                        *(upper := (number[k][id(a)], x)),
                        *(lower := (number[k + 1][id(b)], end)),
                        nets.setdefault(net, len(nets)),
                    )._replace(x=xs[upper], to=to[lower])
                    for a, x, b, end, net in found
                )
            )
        orders = ordered(tuple(tuple(range(len(row))) for row in rows), tuple(joins))
        for row, order in zip(rows, orders, strict=True):
            row[:] = [row[i] for i in order]
        return crossings(orders, joins)

    def _joined_ends(
        self, rows: list[list[_Item]]
    ) -> tuple[dict[int, list[tuple[_Item, float, float]]], dict[int, list[tuple[_Item, float, float]]]]:
        """What each item is connected with above it and beneath it, where there, and where in it."""
        up: dict[int, list[tuple[_Item, float, float]]] = {}
        down: dict[int, list[tuple[_Item, float, float]]] = {}
        for above, below in pairwise(rows):
            for a, x, b, to, _ in self._joins(above, below):
                down.setdefault(id(a), []).append((b, to, x))
                up.setdefault(id(b), []).append((a, x, to))
        return up, down

    def _swept(self, rows: list[list[_Item]]) -> None:
        """Put the items of each row in the order of the means of what they are connected with."""
        up, down = self._joined_ends(rows)
        place = {id(item): float(i) for row in rows for i, item in enumerate(row)}
        for sweep in range(_SWEEPS):
            near = down if sweep % 2 else up
            for row in rows[::-1] if sweep % 2 else rows:

                def mean(item: _Item, near: dict[int, list[tuple[_Item, float, float]]] = near) -> float:
                    found = [place[id(other)] for other, _, _ in near.get(id(item), ())]
                    return sum(found) / len(found) if found else place[id(item)]

                row.sort(key=mean)
                for i, item in enumerate(row):
                    place[id(item)] = i - (len(row) - 1) / 2

    def _settled(self, rows: list[list[_Item]]) -> None:
        """Put the items of each row into places, in their order."""
        up, down = self._joined_ends(rows)
        for row in rows:
            x = 0.0
            for item in row:
                item.x = x
                x += item.width + (self.beside if item.block is not None else _LANE)
        for sweep in range(_SETTLED):
            for row in rows[::-1] if sweep % 2 else rows:
                wishes = []
                for item in row:
                    found = [
                        (other.x + far - own, _STIFF if other.block is None and item.block is None else 1.0)
                        for other, far, own in (*up.get(id(item), ()), *down.get(id(item), ()))
                    ]
                    weight = sum(w for _, w in found)
                    wishes.append(
                        (sum(x * w for x, w in found) / weight, weight) if found else (item.x, 0.01)
                    )
                _spread(row, wishes, self.beside)
        _straighten_lanes(rows, self.beside)

    def _joins(self, above: list[_Item], below: list[_Item]) -> list[tuple[_Item, float, _Item, float, int]]:
        """What is connected from one row to the next: two items, where in each, and the box it is from."""
        pins: dict[int, tuple[_Item, float]] = {}
        of_link: dict[int, tuple[_Item, float]] = {}
        for item in above:
            if item.block is not None:
                pins |= {net: (item, points[-1][0]) for net, points in item.block.leaving.items()}
            elif item.serves:
                of_link |= dict.fromkeys(item.serves, (item, 0.0))
            else:
                pins[item.net] = (item, 0.0)
        found = []
        for item in below:
            if item.block is None:
                ends = [(item.net, 0.0, next(iter(item.serves), -1))]
            else:
                entering = {
                    (self.links[i].tail, points[0][0]): i for i, points in item.block.entering.items()
                }
                ends = sorted((*end, i) for end, i in entering.items())
            for net, x, i in ends:
                if pin := of_link.get(i, pins.get(net)):
                    found.append((*pin, item, x, net))
        return found

    # --- rows and tracks ----------------------------------------------------------------------

    def _closed(self, block: Block) -> Block:
        """The same with one way in for all that comes from one box."""
        ways = grouped((self.links[i].tail, round(points[0][0], 3)) for i, points in block.entering.items())
        if all(len(set(xs)) == 1 for xs in ways.values()):
            return block
        return self._stacked([[_Item(block)]], block.enters, block.leaves, closed=True)

    def _stacked(
        self,
        rows: list[list[_Item]],
        enters: float,
        leaves: float,
        *,
        closed: bool = False,
        gaps: Mapping[int, float] = {},
    ) -> Block:
        """Rows of items one beneath the other, with the lines between them.

        ``gaps`` are the least spaces before some rows; a ``closed`` one has one way in for each line.
        """
        out = Block(0, 0, enters, leaves)
        #: Where what each box gives out has come to; of what comes from outside, nothing yet.
        ways: dict[int, list[Point]] = {}
        outside: set[int] = set()
        #: The lane in which each link is, where its box has several; and the box of each lane.
        strands: dict[int, int] = {}
        net_of: dict[int, int] = {}
        y = 0.0
        for number, row in enumerate(rows):
            pins: dict[int, list[tuple[float, int]]] = {}
            for item in row:
                if item.block is None:
                    source = strands.get(next(iter(item.serves), -1), item.net)
                    pins.setdefault(source, []).append((item.x, -1 - item.lane))
                    net_of[item.lane] = item.net
                else:
                    for i, points in item.block.entering.items():
                        source = strands.get(i, self.links[i].tail)
                        pins.setdefault(source, []).append((points[0][0] + item.x, i))
            starts = {net: way[-1][0] for net, way in ways.items()}
            if number == 0:
                for net, ends in pins.items():
                    xs = {x for x, _ in ends}
                    if closed and len(xs) > 1:
                        starts[net] = enters if min(xs) <= enters <= max(xs) else min(xs)
            tracks, high = self._tracks(
                {net: (starts[net], [x for x, _ in ends]) for net, ends in pins.items() if net in starts},
                {net for net, ends in pins.items() if any(i >= 0 for _, i in ends)},
                {
                    net
                    for net, ends in pins.items()
                    if all(i >= 0 and not self.links[i].bypass for _, i in ends)
                },
                least=0.0 if number == 0 else gaps.get(number, self.apart),
            )
            below = y + high
            height = max(
                (item.block.height for item in row if item.block is not None and not item.hangs), default=0.0
            )
            lanes: dict[int, list[Point]] = {}
            gone: dict[int, list[Point]] = {}
            for item in row:
                if item.block is not None:
                    down = (height - item.block.height) / 2 if item.central else 0.0
                    item.block.move(item.x, below + down)
                    out.boxes |= item.block.boxes
                    out.scopes += item.block.scopes
                    out.wires |= item.block.wires
                    gone |= item.block.leaving
            for net, ends in pins.items():
                for x, i in ends:
                    start = ways.get(net)
                    if start is None:
                        outside.add(net_of.get(net, net))
                        start = [(starts.get(net, x), y)]
                    way = [*start]
                    if net in tracks and x != way[-1][0]:
                        way += [(way[-1][0], y + tracks[net]), (x, y + tracks[net])]
                    way.append((x, below))
                    if i < 0:
                        lanes[-1 - i] = [*way, (x, below + height)]
                    else:
                        entered = next(
                            item.block.entering[i]
                            for item in row
                            if item.block is not None and i in item.block.entering
                        )
                        done = out.entering if net_of.get(net, net) in outside else out.wires
                        done[i] = _straightened([*way, *entered])
            y = below + height
            for net, way in gone.items():
                ways[net] = [*way, (way[-1][0], y)]
            for net in [net for net in ways if net not in gone and net not in lanes]:
                del ways[net]  # all that read it stand in rows above
            ways |= lanes
            strands |= {i: item.lane for item in row for i in item.serves}
        inside = out.boxes
        for lane, way in ways.items():
            net = net_of.get(lane, lane)
            if any(self.links[k].head not in inside for k in self.out[net]):
                out.leaving[net] = _straightened(way)
        across = [x for area in out.boxes.values() for x in (area.x, area.right)]
        across += [x for _, area in out.scopes for x in (area.x, area.right)]
        for some in (out.entering, out.leaving, out.wires):
            across += [x for points in some.values() for x, _ in points]
        left, right = min(across), max(across)
        out.width = right - left
        out.height = max(
            [y, *(area.bottom for area in out.boxes.values()), *(area.bottom for _, area in out.scopes)]
        )
        out.move(-left, 0.0)
        return out

    def _tracks(
        self,
        nets: dict[int, tuple[float, list[float]]],
        fed: set[int],
        plain: set[int],
        *,
        least: float,
    ) -> tuple[dict[int, float], float]:
        """How far beneath a row each line that turns does so, and the height that they need.

        Args:
            nets: where each comes from, and where it goes to.
            fed: those that go into a box or a scope.
            plain: those that do nothing else, and are no bypass.
            least: the least height.
        """
        turning = {
            net: ([top], xs, min([top, *xs]), max([top, *xs]))
            for net, (top, xs) in nets.items()
            if any(x != top for x in xs)
        }
        if not turning:
            return {}, least
        # what comes together into one box does so on one track
        together = grouped(
            (nets[net][1][0], net) for net in turning if net in plain and len(set(nets[net][1])) == 1
        )
        first_of = {net: some[0] for some in together.values() for net in some}
        for some in together.values():
            ends = [turning[net] for net in some]
            tops = [top for one in ends for top in one[0]]
            turning[some[0]] = (
                tops, ends[0][1], min(one[2] for one in ends), max(one[3] for one in ends)
            )  # fmt: skip
            for net in some[1:]:
                del turning[net]
        # what leaves to a lane goes above, what comes in beneath
        order = sorted(turning, key=lambda net: (net in fed, turning[net][3] - turning[net][2], net))
        if 1 < len(order) <= _MANY:
            ends = [turning[net] for net in order]
            wished = range(len(order))
            costs = [[_cost(ends[a], ends[b]) + 1e-3 * (a > b) for b in wished] for a in wished]
            order = [order[i] for i in cheapest(costs, wished)]
        levels: dict[int, int] = {}
        for net in order:
            _, _, left, right = turning[net]
            levels[net] = max(
                (
                    levels[other] + 1
                    for other in levels
                    if turning[other][2] < right + _TRACK and left < turning[other][3] + _TRACK
                ),
                default=0,
            )
        # what comes in alone does so as near as the others
        most = max(levels.values())
        high = max(least, _LEAVE + _ENTER + _TRACK * most)
        step = (high - _LEAVE - _ENTER) / most if most else 0.0
        found = {}
        for net, level in levels.items():
            if most == 0:
                into_a_lane = net not in fed
                out_of_one = all(x != nets[net][0] for x in nets[net][1]) and net in fed
                found[net] = (
                    _LEAVE if into_a_lane else high - _ENTER if out_of_one else (high - _ENTER + _LEAVE) / 2
                )
            else:
                found[net] = _LEAVE + step * level
        found |= {net: found[first] for net, first in first_of.items()}
        return found, high


def _cost(
    upper: tuple[list[float], list[float], float, float],
    lower: tuple[list[float], list[float], float, float],
) -> float:
    """How much it costs that one line turns above another: lines crossed, and lines on lines."""
    _, xs, left, right = upper
    other_tops, other_xs, other_left, other_right = lower
    cost = sum(1.0 for x in set(xs) if other_left < x < other_right)
    cost += sum(left < top < right for top in other_tops)
    cost += 50.0 * sum(top in xs and top not in other_xs for top in other_tops)
    if other_left != other_right:
        cost += 50.0 * sum(x in other_tops for x in xs)
    return cost


def _merge_lanes(rows: Iterable[list[_Item]]) -> None:
    """Make one lane of those that stand beside each other, are of one box, and are one in the rows above."""
    above: dict[int, int] = {}
    for row in rows:
        here: dict[int, int] = {}
        merged: list[_Item] = []
        for item in row:
            last = merged[-1] if merged else item
            one = [above.get(lane.strand, lane.net) for lane in (last, item)]
            if item is not last and item.block is None and last.block is None and len(set(one)) == 1:
                last.serves |= item.serves
            else:
                merged.append(item)
            if item.block is None:
                here[item.strand] = merged[-1].strand
        row[:] = merged
        above = here


def _straighten_lanes(rows: Sequence[list[_Item]], beside: float) -> None:
    """Put lanes that go on from row to row into one line, where there is room in all of them."""
    chains: dict[tuple[int, frozenset[int]], list[tuple[int, int]]] = {}
    for number, row in enumerate(rows):
        for i, item in enumerate(row):
            if item.block is None:
                chains.setdefault((item.net, item.serves), []).append((number, i))
    for chain in chains.values():
        left, right = -inf, inf
        for number, i in chain:
            row = rows[number]
            if i:
                before = row[i - 1]
                gap = beside if before.block is not None else _LANE
                left = max(left, before.x + before.width + gap)
            if i + 1 < len(row):
                right = min(right, row[i + 1].x - _LANE)
        xs = [rows[number][i].x for number, i in chain]
        if left <= right and len(xs) > 1:
            x = min(max(xs[-1], left), right)
            for number, i in chain:
                rows[number][i].x = x


def _middle(block: Block, box: int, tail: float) -> float:
    """Where the middle of a box is."""
    area = block.boxes[box]
    return area.y + (area.height - tail) / 2


def _clash(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two lanes on one side would cross: each begins or ends within the other."""
    (first, last), (start, end) = sorted((a, b), key=lambda span: (span[0], -span[1]))
    return start > first and start <= last + 1 < end + 1


def _straightened(points: list[Point]) -> list[Point]:
    """The same way without points between its corners."""
    found: list[Point] = []
    for point in points:
        if found and abs(found[-1][0] - point[0]) < 1e-6 and abs(found[-1][1] - point[1]) < 1e-6:
            continue
        if len(found) > 1 and any(
            abs(found[-2][axis] - point[axis]) < 1e-6 and abs(found[-1][axis] - point[axis]) < 1e-6
            for axis in (0, 1)
        ):
            found[-1] = point
        else:
            found.append(point)
    return found


def _spread(row: list[_Item], wishes: list[tuple[float, float]], beside: float) -> None:
    """Put the items of a row as near to where they are wished as their order lets them, by least squares.

    Pool adjacent violators: Ayer et al., "An empirical distribution function for sampling with incomplete
    information", Annals of Mathematical Statistics 26 (1955).
    """
    pools: list[tuple[float, float, int]] = []
    offset = 0.0
    offsets = []
    for item, (wish, weight) in zip(row, wishes, strict=True):
        offsets.append(offset)
        value, mass, count = wish - offset, weight, 1
        while pools and pools[-1][0] >= value:
            before, more, others = pools.pop()
            value = (value * mass + before * more) / (mass + more)
            mass, count = mass + more, count + others
        pools.append((value, mass, count))
        offset += item.width + (beside if item.block is not None else _LANE)
    i = 0
    for value, _, count in pools:
        for _ in range(count):
            row[i].x = value + offsets[i]
            i += 1


# --- graphs ---------------------------------------------------------------------------------------


class _Graph:
    """Parts in an order in which each stands after those that it reads."""

    def __init__(self, parts: list[int], edges: dict[int, dict[int, list[int]]]) -> None:
        self.parts = parts
        self.edges = edges
        self.reads: dict[int, list[int]] = {part: [] for part in parts}
        for part in parts:
            for to in edges[part]:
                self.reads[to].append(part)

    def only(self, parts: Iterable[int]) -> _Graph:
        """The graph of some of the parts, in the same order."""
        kept = set(parts)
        return _Graph(
            [part for part in self.parts if part in kept],
            {a: {b: some for b, some in self.edges[a].items() if b in kept} for a in self.parts if a in kept},
        )

    def reduced(self) -> _Graph:
        """The graph without the edges beside which there is a longer way."""
        bit = {part: 1 << i for i, part in enumerate(self.parts)}
        reach: dict[int, int] = {}
        edges: dict[int, dict[int, list[int]]] = {}
        for part in reversed(self.parts):
            tos = self.edges[part]
            beyond = 0
            for to in tos:
                beyond |= reach[to]
            edges[part] = {to: some for to, some in tos.items() if not beyond & bit[to]}
            reach[part] = beyond
            for to in tos:
                reach[part] |= bit[to]
        return _Graph(self.parts, edges)

    def branches(self) -> list[list[int]]:
        """The parts that hang together, each of them with all that it is connected with."""
        left = dict.fromkeys(self.parts)
        found = []
        while left:
            first = next(iter(left))
            del left[first]
            branch, waiting = [first], [first]
            while waiting:
                part = waiting.pop()
                for other in (*self.edges[part], *self.reads[part]):
                    if other in left:
                        del left[other]
                        branch.append(other)
                        waiting.append(other)
            found.append(branch)
        return found

    def spine(self) -> list[int]:
        """The parts that every way goes through: as many ways go through each as there are."""
        before: dict[int, int] = {}
        after: dict[int, int] = {}
        for part in self.parts:
            before[part] = sum(before[other] for other in self.reads[part]) or 1
        for part in reversed(self.parts):
            after[part] = sum(after[to] for to in self.edges[part]) or 1
        every = sum(before[part] for part in self.parts if not self.edges[part])
        return [part for part in self.parts if before[part] * after[part] == every]

    def between(self, spine: list[int]) -> list[list[int]]:
        """The parts of the spine, each a row, and between two of them what lies there."""
        at = {part: i for i, part in enumerate(spine)}
        after: list[list[int]] = [[] for _ in range(len(spine) + 1)]
        passed = dict.fromkeys(self.parts, 0)
        for part in self.parts:  # how many parts of the spine lie before each
            if part in at:
                passed[part] = at[part] + 1
            else:
                after[passed[part]].append(part)
            for to in self.edges[part]:
                passed[to] = max(passed[to], passed[part])
        rows = [row for part, region in zip(spine, after, strict=False) for row in (region, [part]) if row]
        return [*rows, *filter(None, after[-1:])]


def _sorted(parts: list[int], edges: dict[int, dict[int, list[int]]]) -> list[int]:
    """The parts in their order, but each after those that it reads; without those that read each other."""
    waiting = dict.fromkeys(parts, 0)
    for part in parts:
        for to in edges[part]:
            waiting[to] += 1
    order: list[int] = []
    ready = [part for part in parts if not waiting[part]]
    rank = {part: i for i, part in enumerate(parts)}
    heap = [(rank[part], part) for part in ready]
    heapify(heap)
    while heap:
        _, part = heappop(heap)
        order.append(part)
        for to in edges[part]:
            waiting[to] -= 1
            if not waiting[to]:
                heappush(heap, (rank[to], to))
    return order
