"""``volumes``: feature maps as boxes to scale, as the figures of LeNet, AlexNet and VGG have them.

Height and width are to scale, the thickness is the logarithm of the channels. Neighbours of one shape stand
side by side as slabs over one caption; kernels are small windows on what they read; flat vectors are bars.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import log2

from ...errors import printable
from ...grouping import grouped
from ...shape import Shape
from ..fit import SMALL
from ..frame import Shifted, Sign, around, folded, framed, room
from ..metrics import fitted, width, wrapped
from ..picture import Group, Item, Path, Picture, Point, Rect, Text, arrow_head, line, polygon, rounded_line
from ..plan import Box, Edge, Plan, is_position
from ..request import Request
from ..theme import Theme

#: How tall the largest map is, and how small the smallest may be.
_TALL, _LEAST = 150.0, 3.0
#: Where the width of a map goes, per point of it: to the right and up.
_ASIDE, _UP = 0.42, 0.28
#: Thickness per doubling of the channels; length of a bar per doubling of the features, and its own sides.
_THICK, _LONG, _BAR = 3.2, 13.0, 9.0
#: The space between columns, between slabs and between rows; the height of a line of a caption.
_GAP, _SLIT, _ROW, _CAPTION = 26.0, 2.5, 30.0, 12.0
#: The widest caption, how many slabs a stage shows, and how many stages there may be.
_WORDS, _SLABS, _STAGES = 140.0, 6, 24
#: How far a line stands in that goes on from another; shares of the width that are tried, so that lines are
#: of about one length; and the space between what goes around other stages.
_INTO, _SHARES, _LANE = 14.0, (0.6, 0.7, 0.8, 0.9), 9.0
#: Families of which a layer makes no volume of its own.
_SILENT = frozenset({"normalization", "activation", "regularization", "reshape"})


@dataclass
class _Stage:
    """Neighbouring boxes of one shape."""

    boxes: list[Box]
    shape: Shape | None
    #: Slabs that are drawn; more layers than slabs are said in the caption.
    slabs: int = 1
    into: list[tuple[int, Edge]] = field(default_factory=list)
    out: list[int] = field(default_factory=list)
    column: int = 0
    row: int = 0
    x: float = 0
    y: float = 0


def draw(request: Request) -> Picture:
    """The network's feature maps as boxes to scale."""
    for plan in request.choices():
        artist = _Artist(request, plan, _stages(plan))
        if artist.is_held:
            break
    return artist.picture()


# --- what is shown --------------------------------------------------------------------------------


def _stages(plan: Plan) -> list[_Stage]:
    """The volumes of a plan, those of one shape that follow one another together."""
    source: dict[int, int] = {}  # the box that each box's volume stands for
    into = grouped((edge.head, edge) for edge in plan.edges)
    for box in plan.boxes:
        feeds = into.get(box.id, [])
        silent = (
            box.kind == "layers"
            and len({edge.tail for edge in feeds}) == 1
            and feeds[0].tail < box.id
            and all(layer.op.family in _SILENT for layer in box.layers)
            and _is_same(plan.boxes[feeds[0].tail].output, box.output)
        )
        source[box.id] = source[feeds[0].tail] if silent else box.id
    stages: list[_Stage] = []
    stage_of: dict[int, int] = {}
    reads: dict[int, dict[int, Edge]] = {}
    readers: dict[int, set[int]] = {}
    for box in plan.boxes:
        if source[box.id] == box.id:
            found = reads.setdefault(box.id, {})
            for edge in into.get(box.id, []):
                found.setdefault(source[edge.tail], edge)
                readers.setdefault(source[edge.tail], set()).add(box.id)
    for box in plan.boxes:
        if source[box.id] != box.id:
            continue
        feeds_of = reads[box.id]
        before = next(iter(feeds_of), -1)
        last = stages[stage_of[before]] if len(feeds_of) == 1 and before in stage_of else None
        if (
            last is not None
            and last.boxes[-1].id == before
            and len(readers[before]) == 1
            and last.boxes[0].kind != "input"
            and box.kind != "failed"
            and last.shape == box.output
            and last.boxes[0].training == box.training
            and _family(last.boxes[0]) == _family(box)
        ):
            last.boxes.append(box)
            stage_of[box.id] = stage_of[before]
            continue
        stage_of[box.id] = len(stages)
        stage = _Stage([box], box.output)
        for tail, edge in feeds_of.items():
            if tail in stage_of:
                stage.into.append((stage_of[tail], edge))
                stages[stage_of[tail]].out.append(len(stages))
        stages.append(stage)
    for stage in stages:
        stage.slabs = min(sum(box.fold for box in stage.boxes), _SLABS)
    _place(stages)
    return stages


def _is_same(a: Shape | None, b: Shape | None) -> bool:
    """Whether a volume does not change: the same shape, or the same numbers in a row."""
    return a is not None and b is not None and (a == b or (len(b) == 1 and a.numel == b.numel))


def _family(box: Box) -> str:
    """The family that a box is coloured by: that of most of its parameters, or of its first layer."""
    weights: dict[str, int] = {}
    for layer in box.layers:
        weights[layer.op.family] = weights.get(layer.op.family, 0) + layer.params
    if not weights:
        return ""
    most = max(weights.values())
    return next(family for family, count in weights.items() if count == most)


def _place(stages: list[_Stage]) -> None:
    """Columns by the longest way to each stage; rows so that no two share a place, the spine in row 0."""
    depth = [0] * len(stages)
    for i, stage in enumerate(stages):
        stage.column = max((stages[tail].column + 1 for tail, _ in stage.into if tail < i), default=0)
    for i in range(len(stages) - 1, -1, -1):
        depth[i] = max((depth[head] + 1 for head in stages[i].out if head > i), default=0)
    taken: set[tuple[int, int]] = set()
    spine: set[int] = set()
    at = max(range(len(stages)), key=lambda i: (stages[i].column + depth[i], -i), default=0)
    whole = stages[at].column + depth[at] if stages else 0
    previous = -1
    for i, stage in enumerate(stages):
        if stage.column + depth[i] == whole and (
            previous < 0 or any(tail == previous for tail, _ in stage.into)
        ):
            if previous >= 0 and stage.column != stages[previous].column + 1:
                continue
            previous = i
            spine.add(i)
            taken.add((stage.column, 0))
    for i, stage in enumerate(stages):
        if i in spine:
            continue
        first = max((stages[tail].column for tail, _ in stage.into), default=stage.column) + 1
        last = max((stages[head].column for head in stage.out), default=stage.column + 1)
        kept = [stages[tail].row for tail, _ in stage.into if stages[tail].row and len(stages[tail].out) == 1]
        # above the spine what the spec says before it, below what it says after
        central = next((j for j in spine if stages[j].column == stage.column), i)
        sign = -1 if i < central else 1
        rows = [*kept, *(sign * k for k in range(1, len(stages) + 1))]
        span = range(min(first, stage.column), max(last, stage.column + 1))  # it and what flows in and out
        stage.row = next(row for row in rows if not any((column, row) in taken for column in span))
        taken |= {(column, stage.row) for column in span}


# --- how it looks ---------------------------------------------------------------------------------


class _Artist:
    """Draws the stages of a plan."""

    def __init__(self, request: Request, plan: Plan, stages: list[_Stage]) -> None:
        self.theme: Theme = request.colors
        self.request = request
        self.plan = plan
        self.stages = stages
        sides = [side for stage in stages if stage.shape for side in stage.shape.spatial[-2:]]
        self.scale = _TALL / max(sides, default=1)
        self.clamped = any(side * self.scale < _LEAST for side in sides)
        self.size = self.arrange()

    # sizes

    def map_size(self, shape: Shape) -> tuple[float, float]:
        """Height and width of a map, in points."""
        sides = [max(side * self.scale, _LEAST) for side in shape.spatial[-2:]]
        return (sides[0], sides[1]) if len(sides) == 2 else (sides[0], _LEAST)

    def solid(self, stage: _Stage) -> tuple[float, float, float, float]:
        """Thickness of a slab, height, and how far its width goes to the right and up."""
        if stage.shape is None:
            return 60.0, 60.0, 0.0, 0.0
        if not stage.shape.spatial:
            long = min(max(_LONG * log2(1 + stage.shape.channels), 8.0), _TALL * 1.2)
            return _BAR, long, 4.0, 3.0
        high, wide = self.map_size(stage.shape)
        return max(_THICK * log2(1 + stage.shape.channels), 2.0), high, wide * _ASIDE, wide * _UP

    def extent(self, stage: _Stage) -> tuple[float, float]:
        """Width and height of what a stage shows."""
        thick, high, right, up = self.solid(stage)
        return stage.slabs * thick + (stage.slabs - 1) * _SLIT + right, high + up

    # words

    def caption(self, stage: _Stage) -> list[tuple[str, bool]]:
        """The lines beneath a stage, each with whether it is bold."""
        first = stage.boxes[0]
        if first.kind == "failed":
            assert self.plan.failed is not None
            why = wrapped(printable(self.plan.failed.why[:500]), SMALL, _WORDS, 6)
            return [(fitted(first.name, SMALL, _WORDS, bold=True), True), *((text, False) for text in why)]
        named = [box for box in stage.boxes if not is_position(box.name)]
        lines = [(fitted(name, SMALL, _WORDS, bold=True), True) for name in _called(named)]
        words: Counter[str] = Counter()
        for box in stage.boxes:
            words[self.what(box)] += box.fold
        for word, count in list(words.items())[:2]:
            if word:
                if count > 1:  # not "4 x 3 conv" for four of kernel 3, as if it were one of 4x3
                    word = f"{count:,} x ({word})" if word.split()[0].isdigit() else f"{count:,} x {word}"
                lines.append((fitted(word, SMALL, _WORDS, bold=not lines), not lines))
        if len(words) > 2:
            lines.append((f"and {sum(list(words.values())[2:]):,} more", False))
        lines.append((str(stage.shape), False))
        if len(stage.boxes) == 1 and first.figures:
            lines += [(fitted(part, SMALL, _WORDS), False) for part in first.figures.split(", ")]
        if first.training:
            lines.append(("in training only", False))
        if first.repeats > first.fold:
            lines.append((f"one of {first.repeats // first.fold:,}, one after the other", False))
        return lines

    def what(self, box: Box) -> str:
        first = box.lines[0]
        if box.kind == "scope":
            said = first.name if is_position(first.what) else first.what
            return said or f"{len(box.layers):,} layers"
        return (first.what or _own(box)) if box.kind == "layers" else ""

    # places

    def picture(self) -> Picture:
        size = self.size
        items: list[Item] = []
        order = sorted(range(len(self.stages)), key=lambda i: (self.stages[i].column, self.stages[i].row))
        arcs = list(self.arcs())
        for i in order:
            stage = self.stages[i]
            items += self.arrivals(i)
            items.append(Group("node", tuple(self.shown(stage)), "\n".join(box.title for box in stage.boxes)))
        items += arcs
        # last, with the ground behind it, so that no line runs through a word
        items += [Group("caption", tuple(self.captioned(stage))) for stage in self.stages]
        top = min((y for _, y in _points(items)), default=0.0)
        if top < 0:
            items, size = [Shifted(0, -top + 4).group(tuple(items))], (size[0], size[1] - top + 4)
        return framed(
            self.request,
            items,
            size,
            signs=self.signs(),
            notes=self.notes(),
            shows="its feature maps",
            description=self.described(),
        )

    @cached_property
    def is_held(self) -> bool:
        """Whether the page holds it, each of its volumes where it can be seen."""
        wide, high = self.room
        return (
            len(self.stages) <= _STAGES
            and self.size[0] <= wide
            and self.size[1] <= high
            # several boxes that repeat together cannot stand side by side: their scope is shown as one
            and not any(box.repeats > box.fold for box in self.plan.boxes)
            and all(self.is_open(column) for column in self.breaks if column < self.stages[-1].column)
        )

    @cached_property
    def room(self) -> tuple[float, float]:
        """The width and the height that the page leaves."""
        return room(self.request, around(self.request, self.signs(), self.notes()))

    def arrange(self) -> tuple[float, float]:
        """Give each stage its place; long chains go on in a further line."""
        columns = grouped((stage.column, stage) for stage in self.stages)
        wide = {
            column: max(
                max(
                    self.extent(stage)[0],
                    max((width(*_sized(one)) for one in self.caption(stage)), default=0),
                )
                for stage in some
            )
            for column, some in columns.items()
        }
        y, right = 0.0, 0.0
        self.breaks: set[int] = set()
        #: The line that each column stands in.
        self.line: dict[int, int] = {}
        #: Where the stages of each line and row end, below.
        self.low: dict[tuple[int, int], float] = {}
        #: Where each column begins, captions included.
        self.left: dict[int, float] = {}
        for number, chosen in enumerate(self.lines(sorted(columns), wide)):
            some = [stage for column in chosen for stage in columns[column]]
            # room for what arrives from lines above, around other stages
            y += _LANE * sum(
                self.stages[tail].column < chosen[0] - 1 for stage in some for tail, _ in stage.into
            )
            rows = sorted({stage.row for stage in some})
            middle: dict[int, float] = {}
            for row in rows:
                within = [stage for stage in some if stage.row == row]
                tall = max(self.extent(stage)[1] for stage in within)
                words = max(len(self.caption(stage)) for stage in within) * _CAPTION
                middle[row] = y + tall / 2
                self.low[number, row] = max(middle[row] + self.extent(stage)[1] / 2 for stage in within)
                y += tall + 10 + words + _ROW
            x = _INTO if chosen[0] else 0.0
            for column in chosen:
                self.left[column], self.line[column] = x, number
                for stage in columns[column]:
                    stage.x = x + (wide[column] - self.extent(stage)[0]) / 2
                    stage.y = middle[stage.row]
                x += wide[column] + _GAP
            right = max(right, x - _GAP + (_INTO if chosen[-1] != max(columns) else 0.0))
            self.breaks.add(chosen[-1])
        return right, y - _ROW

    def lines(self, columns: list[int], wide: dict[int, float]) -> list[list[int]]:
        """The columns in as few lines as the page is wide for, of about one length."""
        most = self.room[0] - 2 * _INTO
        if sum(wide[column] + _GAP for column in columns) - _GAP <= self.room[0]:
            return [columns]
        whole = self.broken(columns, wide, most)
        shorter = (self.broken(columns, wide, share * most) for share in _SHARES)
        return next((lines for lines in shorter if len(lines) == len(whole)), whole)

    def broken(self, columns: list[int], wide: dict[int, float], most: float) -> list[list[int]]:
        """The columns in lines of a width, broken where one connection alone goes on.

        Where that is nowhere, and nobody asks for the depth, wherever a line is full.
        """
        lines: list[list[int]] = [[]]
        for column in columns:
            lines[-1].append(column)
            while len(lines[-1]) > 1 and sum(wide[one] + _GAP for one in lines[-1]) - _GAP > most:
                line = lines.pop()
                ends = [i for i, one in enumerate(line[:-1], 1) if self.is_open(one)]
                if not ends and self.request.depth is not None:
                    lines.append(line)
                    break
                end = ends[-1] if ends else len(line) - 1
                lines += [line[:end], line[end:]]
        return lines

    def is_open(self, column: int) -> bool:
        """Whether what goes beyond a column comes from one stage alone."""
        crossing = {
            tail
            for stage in self.stages
            for tail, _ in stage.into
            if self.stages[tail].column <= column < stage.column
        }
        return len(crossing) == 1

    # what is painted

    def shown(self, stage: _Stage) -> Iterator[Item]:
        """The slabs of a stage, from left to right."""
        thick, high, right, up = self.solid(stage)
        top = stage.y - (high + up) / 2 + up
        if stage.shape is None:
            red = self.theme.shade(self.theme.failed, 0.12)
            yield Rect(stage.x, top, thick, high, red, self.theme.failed, 1.8, 3, (5, 3))
            return
        for i in range(stage.slabs):
            box = stage.boxes[min(i, len(stage.boxes) - 1)]
            yield from self.slab(stage.x + i * (thick + _SLIT), top, (thick, high, right, up), _family(box))

    def slab(self, x: float, y: float, size: tuple[float, float, float, float], family: str) -> list[Item]:
        """One box: its front, its top and the map on its right."""
        thick, high, right, up = size
        theme = self.theme
        color = theme.color(family) if family else theme.border
        shades = [theme.shade(color, share) for share in (0.42, 0.22, 0.32)]
        edge = theme.shade(color, 0.85)
        a, b, c, d = (x, y), (x + thick, y), (x + thick, y + high), (x, y + high)
        behind = [(px + right, py - up) for px, py in (a, b, c)]
        return [
            polygon([a, b, c, d], shades[0], edge, 0.8),
            polygon([a, behind[0], behind[1], b], shades[1], edge, 0.8),
            polygon([b, behind[1], behind[2], c], shades[2], edge, 0.8),
        ]

    def face(self, stage: _Stage) -> tuple[Point, Point, Point, Point]:
        """The map of a stage that looks to the right: its corners, near top, far top, far low, near low."""
        thick, high, right, up = self.solid(stage)
        x = stage.x + stage.slabs * thick + (stage.slabs - 1) * _SLIT
        y = stage.y - (high + up) / 2 + up
        return (x, y), (x + right, y - up), (x + right, y + high - up), (x, y + high)

    def entry(self, stage: _Stage) -> Point:
        """Where arrows reach a stage: the middle of its left edge."""
        return stage.x, stage.y + self.solid(stage)[3] / 2

    def arrivals(self, head: int) -> list[Item]:
        """What flows into a stage from the column before it, and the window that it reads through."""
        items: list[Item] = []
        stage = self.stages[head]
        _, high, _, up = self.solid(stage)
        goal = self.entry(stage)
        for tail, _ in stage.into:
            source = self.stages[tail]
            if source.column + 1 != stage.column:
                continue
            if source.column in self.breaks:
                items += self.carried_on(source, goal)
                continue
            if self.turns(source, stage):
                items += self.across(tail, head)
                continue
            flat = stage.shape is not None and not stage.shape.spatial
            window = self.window(source, stage)
            if flat and source.shape is not None:
                face = self.face(source)
                top = stage.y - (high + up) / 2 + up
                for start, end in ((face[1], (stage.x, top)), (face[2], (stage.x, top + high))):
                    items.append(line(start, end, stroke=self.theme.border, thickness=0.7))
            elif window:
                color = self.theme.color(_family(stage.boxes[0]))
                for corner in (window[1], window[2]):
                    items.append(line(corner, goal, stroke=self.theme.shade(color, 0.8), thickness=0.7))
                items.append(polygon(window, self.theme.shade(color, 0.75), color, 0.7))
            else:
                items += self.arrow(source, goal)
        return [Group("edge", tuple(items))] if items else []

    def arrow(self, source: _Stage, goal: Point) -> list[Item]:
        face = self.face(source)
        start = ((face[0][0] + face[1][0]) / 2, (face[0][1] + face[2][1]) / 2)
        if source.row or source.shape is None or not source.shape.spatial:
            start = (face[1][0], source.y)
        color = self.theme.line
        return [line(start, goal, stroke=color, thickness=1), arrow_head(goal, start, color, 5)]

    def turns(self, source: _Stage, stage: _Stage) -> bool:
        """Whether what flows there turns in the space before it: not where both are in the first row."""
        if source.column + 1 == stage.column:
            return source.row != stage.row
        return source.column < stage.column and (source.row != 0 or stage.row != 0)

    def across(self, tail: int, head: int, edge: Edge | None = None) -> list[Item]:
        """From one row to another, in the space between two columns, where nothing is written."""
        source, stage = self.stages[tail], self.stages[head]
        goal = self.entry(stage)
        start = (self.face(source)[1][0], source.y)
        turn = self.turn(tail, head)
        corners = (start, (turn, start[1]), (turn, goal[1]), goal)
        color, thickness, dash = self.look(edge)
        return [
            rounded_line(*corners, stroke=color, radius=5, thickness=thickness, dash=dash),
            arrow_head(goal, corners[2], color, 5),
        ]

    def turn(self, tail: int, head: int) -> float:
        """Where a line turns in the space before the column that it goes to."""
        return self.left[self.stages[head].column] - _GAP / 2 + self.lanes[tail, head]

    def look(self, edge: Edge | None) -> tuple[str, float, tuple[float, ...]]:
        """The colour, the thickness and the dashes of a connection: those of bypasses are told apart."""
        if edge is None or not edge.bypass:
            return self.theme.line, 1.0, ()
        return (self.theme.dense, 1.6, (5.0, 2.5)) if edge.grows else (self.theme.residual, 1.6, ())

    @cached_property
    def lanes(self) -> dict[tuple[int, int], float]:
        """How far from the middle of the space before a column each line to another row runs.

        Those that leave one stage run together, and so do those that reach one.
        """
        spaces = grouped(
            (stage.column, (tail, head))
            for head, stage in enumerate(self.stages)
            for tail, _ in stage.into
            if self.turns(self.stages[tail], stage)
        )
        found = {}
        for links in spaces.values():
            leaving = Counter(tail for tail, _ in links)
            ends = {link: (True, link[0]) if leaving[link[0]] > 1 else (False, link[1]) for link in links}
            places = {end: place for place, end in enumerate(dict.fromkeys(ends.values()))}
            step = min(5.0, _GAP / 2 / len(places))
            for link, end in ends.items():
                found[link] = (places[end] - (len(places) - 1) / 2) * step
        return found

    def carried_on(self, source: _Stage, goal: Point) -> list[Item]:
        """From the end of one line to the start of the next: an arrow that leaves, and one that arrives."""
        start = (self.face(source)[1][0] + 2, source.y)
        color = self.theme.line
        out = (start[0] + 12, start[1])
        come = (goal[0] - 14, goal[1])
        return [
            *(line(a, b, stroke=color, thickness=1, dash=(2, 2)) for a, b in ((start, out), (come, goal))),
            arrow_head((out[0] + 3, out[1]), start, color, 5),
            arrow_head(goal, come, color, 5),
        ]

    def window(self, source: _Stage, stage: _Stage) -> list[Point]:
        """The window of a stage's first layer on the map that it reads; empty where it slides none."""
        box = stage.boxes[0]
        if box.kind != "layers" or source.shape is None or not source.shape.spatial:
            return []
        layer = box.layers[0]
        if not layer.windows:
            return []
        spans = [window.extent for window in layer.windows][-2:]
        sizes = layer.input_shapes[0].spatial[-2:]
        shares = [min(span / size, 1.0) for span, size in zip(spans, sizes, strict=True)]
        down, across = (shares[0], shares[1]) if len(shares) == 2 else (shares[0], 1.0)
        near, far, _, low = self.face(source)
        high, dx, dy = low[1] - near[1], far[0] - near[0], far[1] - near[1]
        down, across = max(down, min(2.2 / high, 1.0)), max(across, min(2.2 / max(dx, 0.1), 1.0))
        x0, y0 = (1 - across) * 0.6, (1 - down) * 0.45

        def at(u: float, v: float) -> Point:
            return near[0] + u * dx, near[1] + u * dy + v * high

        return [at(x0, y0), at(x0 + across, y0), at(x0 + across, y0 + down), at(x0, y0 + down)]

    def arcs(self) -> Iterator[Item]:
        """What goes around other stages, as arcs above them."""
        lanes: list[tuple[int, int, int]] = []
        jumps = [
            (tail, head, edge)
            for head, stage in enumerate(self.stages)
            for tail, edge in stage.into
            if stage.column != self.stages[tail].column + 1
        ]
        jumps.sort(key=lambda jump: self.stages[jump[1]].column - self.stages[jump[0]].column)
        for tail, head, edge in jumps:
            source, stage = self.stages[tail], self.stages[head]
            if source.column >= stage.column:
                continue
            if source.row and self.line[source.column] == self.line[stage.column]:
                yield Group("edge", tuple(self.across(tail, head, edge)))
                continue
            lane = 0
            while any(
                level == lane and first < stage.column and source.column < last
                for level, first, last in lanes
            ):
                lane += 1
            lanes.append((lane, source.column, stage.column))
            yield self.arc(tail, head, edge, lane)

    def arc(self, tail: int, head: int, edge: Edge, lane: int) -> Item:
        """Above what lies between: down onto a stage of the first row, or into the space before another."""
        source, stage = self.stages[tail], self.stages[head]
        color, thickness, dash = self.look(edge)
        (x0, y0), (x1, y1) = self.crown(source), self.crown(stage)
        line = self.line[stage.column]
        carried = self.line[source.column] != line
        between = [
            one.y - self.extent(one)[1] / 2
            for one in self.stages
            if source.column <= one.column <= stage.column
            and min(source.row, stage.row) <= one.row <= 0
            and self.line[one.column] == line
        ]
        over = [*([] if stage.row else [y1]), *between, *([] if carried else [y0])]
        top = min(over, default=y1) - _LANE - _LANE * lane
        if carried:  # it left with the arrow at the end of the line before
            x0 = 2.0
        if stage.row:
            goal, turn = self.entry(stage), self.turn(tail, head)
            rise = [(x0, top)] if carried else [(x0, y0), (x0, top)]
            corners = (*rise, (turn, top), (turn, goal[1]), goal)
            return Group(
                "edge",
                (
                    rounded_line(*corners, stroke=color, radius=8, thickness=thickness, dash=dash),
                    arrow_head(goal, corners[-2], color, 6),
                ),
            )
        reach = min(16.0, (x1 - x0) / 2)
        rising = ((x0, top + 8), (x0, top), (x0 + reach, top))
        path = Path(
            (x0, top) if carried else (x0, y0),
            (
                *(() if carried else (rising,)),
                ((x1 - reach, top),),
                ((x1, top), (x1, top + 8), (x1, y1 - 2)),
            ),
            "",
            color,
            thickness,
            dash,
        )
        return Group("edge", (path, arrow_head((x1, y1), (x1, y1 - 8), color, 6)))

    def crown(self, stage: _Stage) -> Point:
        """The middle of the upper edge of a stage."""
        wide, tall = self.extent(stage)
        return stage.x + wide / 2, stage.y - tall / 2 + self.solid(stage)[3] / 2

    def captioned(self, stage: _Stage) -> Iterator[Item]:
        lines, ground = self.caption(stage), self.theme.background
        wide, _ = self.extent(stage)
        low = self.low[self.line[stage.column], stage.row] + 14
        for i, (text, bold) in enumerate(lines):
            color = (
                self.theme.failed
                if stage.shape is None and bold
                else self.theme.text
                if bold
                else self.theme.muted
            )
            length = width(text, SMALL, bold)
            if self.request.ground == "theme":
                left = stage.x + wide / 2 - length / 2 - 2
                yield Rect(left, low + i * _CAPTION - 9, length + 4, 12, ground)
            yield Text(stage.x + wide / 2, low + i * _CAPTION, text, SMALL, color, "middle", bold)

    # words about it

    def signs(self) -> list[Sign]:
        theme = self.theme
        families = dict.fromkeys(_family(box) for stage in self.stages for box in stage.boxes)
        signs = [Sign(family, theme.color(family)) for family in families if family]
        kinds = dict.fromkeys(
            (edge.bypass, edge.grows)
            for stage in self.stages
            for tail, edge in stage.into
            if edge.bypass and self.stages[tail].column + 1 != stage.column
        )
        for kind, grows in kinds:
            color = theme.dense if grows else theme.residual
            signs.append(Sign(f"bypass into {kind}", color, True, 1.6, (5.0, 2.5) if grows else ()))
        return signs

    def notes(self) -> list[str]:
        words = "Height and width are to scale"
        words += ", the smallest enlarged" if self.clamped else ""
        words += "; thickness is the logarithm of the channels"
        if any(stage.shape is not None and not stage.shape.spatial for stage in self.stages):
            words += ", the length of a bar that of the features"
        words += "."
        windows = any(
            self.window(self.stages[tail], stage) for stage in self.stages for tail, _ in stage.into
        )
        if windows:
            words += " A window on a map is the kernel of the next layer, at its size."
        if any(stage.slabs < sum(box.fold for box in stage.boxes) for stage in self.stages):
            words += f" Stages of more than {_SLABS} show {_SLABS} slabs; the caption counts them."
        return [words, *folded(self.request, self.plan)]

    def described(self) -> str:
        chain = "; ".join(
            f"{stage.boxes[0].name[:80]} {stage.shape if stage.shape is not None else 'failed'}"
            + (f", {sum(box.fold for box in stage.boxes)} of them" if stage.slabs > 1 else "")
            for stage in self.stages[:200]
        )
        failed = f" It stops where {printable(self.plan.failed.why)[:300]}." if self.plan.failed else ""
        return f"Feature maps of {len(self.plan.network):,} layers as boxes to scale: {chain}.{failed}"


def _own(box: Box) -> str:
    """What heads a box whose layer nobody named; empty where it is a name."""
    return box.lines[0].name if is_position(box.name.rpartition(".")[2]) else ""


def _called(boxes: list[Box]) -> list[str]:
    """The names of a stage in a line or two: all of them, or the first and the last."""
    if not boxes:
        return []
    first, last = boxes[0].name, boxes[-1].name
    listed = ", ".join(box.name for box in boxes)
    if width(listed, SMALL, True) <= _WORDS:
        return [listed]
    if len(boxes) > 1 and width(f"{first} to {last}", SMALL, True) <= _WORDS:
        return [f"{first} to {last}"]
    (scope, name), (other, end) = _parted(first), _parted(last)
    if len(boxes) == 1:
        start, dots, stop = name.partition("..")
        own = [name] if not dots or width(name, SMALL, True) <= _WORDS else [f"{start} to", stop]
        return [scope, *own] if scope else own
    start, stop = name.partition("..")[0], end.rpartition("..")[2]  # of spans, where they begin and end
    if scope and scope == other:
        return [scope, f"{start} to {stop}"]
    return [*([first] if width(first, SMALL, True) <= _WORDS else [scope, name]), f"to {last}"]


def _parted(name: str) -> tuple[str, str]:
    """A name's scope and its last part, which may be a span: ``layer3`` and ``1..22``."""
    start, dots, end = name.partition("..")
    scope, _, last = start.rpartition(".")
    return scope, last + dots + end


def _sized(caption: tuple[str, bool]) -> tuple[str, float, bool]:
    return caption[0], SMALL, caption[1]


def _points(items: Sequence[Item]) -> Iterator[Point]:
    """Corners of all that is painted."""
    for item in items:
        if isinstance(item, Group):
            yield from _points(item.items)
        elif isinstance(item, Path):
            yield item.start
            yield from (point for step in item.steps for point in step)
        else:
            yield item.x, item.y
