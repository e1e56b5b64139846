"""How volumes look: slabs in parallel perspective around one axis, what flows between them, and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby, pairwise, product
from math import inf, log2, sqrt
from typing import NamedTuple

from ....errors import printable
from ....grouping import grouped
from ....shape import times
from ...fit import SMALL
from ...frame import Ramp, Shifted, Sign, around, folded, framed, room
from ...heat import Heat, colored, heat_of
from ...metrics import fitted, width, wrapped
from ...picture import (
    Group,
    Item,
    Path,
    Picture,
    Point,
    Rect,
    Text,
    arrow_head,
    hatched,
    line,
    polygon,
    rounded_line,
)
from ...plan import Box, Edge, Plan, end_of, is_position, is_unnamed, spread
from ...request import LABELS, Request
from ...theme import Theme
from .stages import Slab, Stage, Valley, reads_apart

#: How high and wide the smallest map is.
_LEAST = 14.0
#: Where the width of a map goes, per point of it: to the right and up.
_ASIDE, _UP = 0.42, 0.28
#: How tall the largest map is where there is room; thickness per doubling of the channels; length of a bar
#: per doubling of the features, and its own sides.
_TALL, _THICK, _LONG, _BAR = 150.0, 2.8, 11.0, 9.0
#: The band of an activation, and how far the bow of a bypass within a block stands above it.
_BAND, _BOW = 3.0, 9.0
#: The space between columns, between slabs and between lines; the height of a line of a caption.
_GAP, _SLIT, _ROW, _CAPTION = 26.0, 2.0, 24.0, 12.0
#: How long an arrow is at least that is seen, and how far captions stand apart.
_ARROW, _APART = 11.0, 4.0
#: The widest caption, and how many of its lines say what there is.
_WORDS, _WHAT = 100.0, 3
#: The widest caption beside a stage of a U, by how tall that is drawn.
_BESIDE = ((90.0, 120.0), (70.0, 62.0), (0.0, 50.0))
#: The same where those of both sides stand one beneath the other, at least.
_STACKED = 62.0
#: How far a line stands in that goes on from another; shares of the width that are tried, so that lines are
#: of about one length; and the space between what goes around other stages.
_INTO, _SHARES, _LANE = 14.0, (0.6, 0.7, 0.8, 0.9), 11.0
#: How far a caption is moved down to where nothing stands, by what steps, and from where a line leads to it.
_DOWN, _STEP, _LEADS = 240.0, 3.0, 9.0
#: How many kinds of block have a colour of their own.
_KINDS = 6

#: How long a side is drawn, up to a factor, by its size.
_SIZE: dict[str, tuple[Callable[[float], float], str]] = {
    "sqrt": (sqrt, "grow with the square root of the size"),
    "linear": (float, "are to scale"),
    "log": (lambda size: log2(1 + size), "grow with the logarithm of the size"),
}

#: Left, top, right and bottom.
Area = tuple[float, float, float, float]


class Solid(NamedTuple):
    """A slab: its thickness and height, and how far its width goes to the right and up."""

    thick: float
    high: float
    right: float
    up: float


class Placed(NamedTuple):
    """A slab where it stands: the axis enters it at ``x``, at the height ``y``."""

    slab: Slab
    solid: Solid
    x: float
    y: float

    @property
    def front(self) -> Area:
        """The front, which faces the reader."""
        left, middle = self.x - self.solid.right / 2, self.y + self.solid.up / 2
        half = self.solid.high / 2
        return left, middle - half, left + self.solid.thick, middle + half

    @property
    def face(self) -> tuple[Point, Point, Point, Point]:
        """The map, which looks to the right: near top, far top, far low, near low."""
        _, top, x, low = self.front
        far, up = x + self.solid.right, self.solid.up
        return (x, top), (far, top - up), (far, low - up), (x, low)

    @property
    def end(self) -> float:
        """Where the axis leaves it."""
        return self.x + self.solid.thick

    @property
    def area(self) -> Area:
        left, top, right, low = self.front
        return left, top - self.solid.up, right + self.solid.right, low

    def streams(self, apart: float) -> list[Placed]:
        """Itself; or where it is of several streams, each of them, one beneath the other."""
        count = self.slab.streams
        if count == 1:
            return [self]
        high = self.solid.high - (count - 1) * apart
        ys = [self.y + (i - (count - 1) / 2) * apart for i in range(count)]
        return [self._replace(solid=self.solid._replace(high=high), y=y) for y in ys]

    def covers(self) -> Iterator[Area]:
        """What it hides, in a few rectangles."""
        left, top, right, low = self.front
        wide, up = self.solid.right, self.solid.up
        yield left, top, right, low
        for part in range(4):
            x, y = part / 4, (part + 1) / 4
            yield left + wide * x, top - up * y, right + wide * y, low - up * x


class Artist:
    """Draws the stages of a plan."""

    def __init__(
        self,
        request: Request,
        plan: Plan,
        stages: list[Stage],
        tall: float,
        most: int,
        valley: Valley | None = None,
        *,
        stacked: bool = False,
        tight: int = 0,
    ) -> None:
        self.theme: Theme = request.colors
        self.request = request
        self.plan = plan
        self.stages = stages
        #: How tall the largest map is, and how many slabs a stage shows.
        self.tall, self.most = tall, most
        self.size_of, self.scaled = _SIZE[request.scale]
        sides = [
            side for stage in stages for slab in stage.slabs if slab.shape for side in slab.shape.spatial[-2:]
        ]
        self.unit = tall / max(map(self.size_of, sides), default=1)
        #: How far the axes of streams stand apart.
        self.apart = 0.0
        several = [slab for stage in stages for slab in stage.slabs if slab.streams > 1]
        self.apart = max((one.high + one.up + _CAPTION for one in map(self.solid, several)), default=0.0)
        self.clamped = any(self.size_of(side) * self.unit < _LEAST for side in sides)
        #: What stands as a U, and how deep each stage of it lies.
        self.valley = valley
        #: Whether the captions of both sides stand one beneath the other, and not side by side.
        self.stacked = stacked
        self.levels = valley.levels if valley is not None else []
        #: The widest caption, and how many of its lines say what there is.
        beside = next(wide for least, wide in _BESIDE if tall >= least)
        self.words_wide = _WORDS if valley is None else max(beside, _STACKED * stacked)
        self.words_most = tight or _WHAT - (valley is not None)
        #: The space between lines, and whether these may be broken wherever they are full.
        self.between, self.tight = _ROW / 2 if tight else _ROW, bool(tight)
        #: Whether several rows of stages stand one above the other.
        self.branches = not self.levels and any(stage.row for stage in stages)
        #: What is written: where, and whether it leads there from above; and the areas that are taken.
        self.words: dict[int, tuple[float, float, str]] = {}
        self.numbers: list[tuple[float, float, str, str]] = []
        #: The stages whose size stands in their caption, by their identity.
        self.unsized: set[int] = set()
        self.breaks: set[int] = set()
        self.line: dict[int, int] = {}
        self.left: dict[int, float] = {}
        #: How high lines stand that are carried into each line from others.
        self.carried: dict[int, list[float]] = {}
        #: What is asked of each stage again and again while a place is looked for, by its identity.
        self.solids: dict[int, list[tuple[Slab, Solid, float]]] = {}
        self.extents: dict[int, Area] = {}
        self.captions: dict[tuple[int, bool], list[tuple[str, bool]]] = {}
        self.halves: dict[tuple[int, bool], float] = {}
        wide, high = self.arranged_as_u(valley) if valley is not None else self.arrange()
        texts = [_area(x, y, width(text, SMALL), anchor) for x, y, text, anchor in self.numbers]
        over = max(0.0, -min((area[0] for area in texts), default=0.0))
        if over:  # a number is wider than the slab that it stands under
            self.move(stages, over)
            self.numbers = [(x + over, y, text, anchor) for x, y, text, anchor in self.numbers]
            self.words = {i: (x + over, y, anchor) for i, (x, y, anchor) in self.words.items()}
            self.left = {column: x + over for column, x in self.left.items()}
        self.size = max(wide, *(area[2] for area in texts), 0.0) + over, high

    # --- sizes --------------------------------------------------------------------------------

    def solid(self, slab: Slab) -> Solid:
        shape = slab.shape
        if shape is None:
            return Solid(60.0, 60.0, 0.0, 0.0)
        if not shape.spatial:
            long = min(max(_LONG * log2(1 + shape.channels), 8.0), self.tall)
            return Solid(_BAR, long, 4.0, 3.0)
        sides = [max(self.size_of(side) * self.unit, _LEAST) for side in shape.spatial[-2:]]
        high, wide = (sides[0], sides[1]) if len(sides) == 2 else (sides[0], _LEAST)
        thick = _THICK * (0.5 + self.tall / _TALL / 2)
        channels = shape.channels / slab.streams
        high += (slab.streams - 1) * self.apart
        return Solid(max(thick * log2(1 + channels), 4.0), high, wide * _ASIDE, wide * _UP)

    def placed(self, stage: Stage) -> list[Placed]:
        """The slabs of a stage, from left to right."""
        return [Placed(slab, solid, stage.x + x, stage.y) for slab, solid, x in self.side_by_side(stage)]

    def side_by_side(self, stage: Stage) -> list[tuple[Slab, Solid, float]]:
        """The slabs of a stage, each with how far it is from where the axis enters the first."""
        found = self.solids.get(id(stage))
        if found is None:
            found, x = [], 0.0
            for slab in stage.drawn(self.most):
                solid = self.solid(slab)
                found.append((slab, solid, x))
                x += solid.thick + _SLIT
            self.solids[id(stage)] = found
        return found

    def extent(self, stage: Stage) -> Area:
        """How far a stage reaches to the left, up, right and down of where the axis enters it."""
        found = self.extents.get(id(stage))
        if found is None:
            areas = [Placed(slab, solid, x, 0.0).area for slab, solid, x in self.side_by_side(stage)]
            left, top, right, low = zip(*areas, strict=True)
            found = self.extents[id(stage)] = -min(left), -min(top), max(right), max(low)
        return found

    def long(self, stage: Stage) -> float:
        """How far it is from where the axis enters a stage to where it leaves it."""
        _, solid, x = self.side_by_side(stage)[-1]
        return x + solid.thick

    @property
    def slabs(self) -> int:
        """How many slabs are drawn beside inputs."""
        return sum(len(stage.drawn(self.most)) for stage in self.stages if stage.boxes[0].kind != "input")

    # --- what the page holds ------------------------------------------------------------------

    @cached_property
    def is_held(self) -> bool:
        """Whether the page holds it, each of its volumes where it can be seen."""
        wide, high = self.room
        return (
            self.size[0] <= wide
            and self.size[1] <= high
            and (self.tight or all(map(self.is_open, self.breaks - {self.stages[-1].column})))
        )

    @property
    def is_whole(self) -> bool:
        """Whether it is in one piece."""
        return bool(self.levels) or len(self.breaks) < 2

    @cached_property
    def room(self) -> tuple[float, float]:
        """The width and the height that the page leaves."""
        return room(self.request, around(self.request, self.signs(), self.notes()))

    # --- places -------------------------------------------------------------------------------

    def arrange(self) -> tuple[float, float]:
        """Give each stage its place; long chains go on in a further line."""
        self.columns = grouped((stage.column, stage) for stage in self.stages)
        y, right, last = 0.0, 0.0, max(self.columns)
        for number, chosen in enumerate(self.lines(sorted(self.columns))):
            x = _INTO if chosen[0] else 0.0
            some = [stage for column in chosen for stage in self.columns[column]]
            far = self.spread(chosen, x)
            named = self.named(some, chosen[0])
            if named and far + named <= self.room[0] - _INTO:
                far = self.spread(chosen, x + named)
            self.line |= dict.fromkeys(chosen, number)
            right = max(right, far + (_INTO if chosen[-1] != last else 0.0))
            y = self.pile(some, chosen, y) + self.between
            self.breaks.add(chosen[-1])
        return right, y - self.between

    def pile(self, stages: Sequence[Stage], columns: Sequence[int], y: float) -> float:
        """Set the rows of a line beneath one another, each as high as others let it; where they end.

        Above each is room for what goes around others of it.
        """
        storeys = self.storeys(columns)
        taken: list[Area] = []
        for row in sorted({stage.row for stage in stages}):
            within = [stage for stage in stages if stage.row == row]
            over = {ends: lane for ends, lane in storeys.items() if self.over(*ends, columns) == row}
            lanes = _LANE * (1 + max(over.values(), default=-1))
            up = max(
                self.extent(stage)[1] + self.bow(stage) + self.onward(stage, columns) for stage in within
            )
            for stage in within:
                stage.y = y + lanes + up
            numbers = len(self.numbers)
            self.write(within)
            own = list(self.covered(within, columns))
            own += [_area(x, y, width(text, SMALL), anchor) for x, y, text, anchor in self.numbers[numbers:]]
            for tail, head in over:
                start, stage = self.stages[tail], self.stages[head]
                left = start.x if start.column in columns else 0.0
                own.append((left, y, stage.x + self.long(stage), y + lanes))
            free = (a[1] - self.between - b[3] for a, b in product(own, taken) if a[0] < b[2] and b[0] < a[2])
            lift = max(min(free, default=0.0), 0.0)
            for stage in within:
                stage.y -= lift
                x, base, anchor = self.words[self.number(stage)]
                self.words[self.number(stage)] = (x, base - lift, anchor)
            self.numbers[numbers:] = [
                (x, y - lift, text, anchor) for x, y, text, anchor in self.numbers[numbers:]
            ]
            taken += [(left, top - lift, right, low - lift) for left, top, right, low in own]
            y = max(area[3] for area in taken) + self.between
        return y - self.between

    def onward(self, stage: Stage, columns: Sequence[int]) -> float:
        """The room above a stage for what goes on from it in further lines."""
        return _LANE * any(self.stages[head].column > columns[-1] + 1 for head in stage.out)

    def covered(self, stages: Sequence[Stage], columns: Sequence[int]) -> Iterator[Area]:
        """What stages of a row take up on a line, with their captions and the lines between them."""
        for stage in stages:
            yield from (area for one in self.placed(stage) for area in one.covers())
            left, top, right, low = self.placed(stage)[-1].area
            yield left, top - self.bow(stage) - self.onward(stage, columns), right, low
            x, y, _ = self.words[self.number(stage)]
            half = self.half(stage) + 2
            yield x - half, y - 9, x + half, y - 9 + _CAPTION * len(self.caption(stage))
            for head in stage.out:
                column = min(self.stages[head].column, columns[-1])
                if column > stage.column + 1:
                    yield stage.x, stage.y - 3, self.left[column], stage.y + 3

    def over(self, tail: int, head: int, columns: Sequence[int]) -> int:
        """The row of a line over which a connection goes around others."""
        source, stage = self.stages[tail], self.stages[head]
        return min(source.row, stage.row) if source.column in columns else stage.row

    def named(self, stages: Sequence[Stage], first: int) -> float:
        """How much farther in stages must stand so that what comes to them from other lines can be named."""
        names = (
            self.origin(tail)
            for stage in stages
            for tail, _ in stage.into
            if self.stages[tail].column < min(first, stage.column - 1)
        )
        needed = max((width(name, SMALL) + 6 + _GAP for name in names), default=0.0)
        return max(0.0, needed - min(self.crown(stage)[0] for stage in stages))

    def origin(self, tail: int) -> str:
        """Where something comes from that is carried from another line."""
        return fitted(f"from {end_of(self.stages[tail].boxes[-1].name)}", SMALL, 0.8 * _WORDS)

    def bow(self, stage: Stage) -> float:
        return _BOW + 2 if any(slab.skip for slab in stage.slabs) else 0.0

    def spread(self, chosen: Sequence[int], x: float) -> float:
        """Set the stages of some columns beside one another, from ``x`` on; where they end."""
        before: Stage | None = None
        middle = half = far = 0.0
        for column in chosen:
            stages = self.columns[column]
            if self.branches:
                self.left[column] = x
                extents = [self.extent(one) for one in stages]
                wide = max(
                    [max(e[0] + e[2], 2 * self.half(one)) for one, e in zip(stages, extents, strict=True)]
                )
                for one, (lead, _, reach, _) in zip(stages, extents, strict=True):
                    one.x = x + wide / 2 - (lead + reach) / 2 + lead
                x += wide + _GAP
                far = x - _GAP
                continue
            (stage,) = stages
            lead, up, reach, _ = self.extent(stage)
            own = self.half(stage)
            centre = (reach - lead) / 2
            if before is None:
                stage.x = x + max(lead, own - centre)
            else:
                stage.x = before.x + self.long(before) + _ARROW + lead
                _, hidden, _ = self.side_by_side(before)[-1]
                if up * 2 > hidden.high + hidden.up or not hidden.right:  # it must not hide the one before
                    stage.x = max(stage.x, self.right(before) + _ARROW + lead)
                stage.x = max(stage.x, middle + max(half, own) + _APART - centre)
            self.left[column] = stage.x - lead
            middle, half, before = stage.x + centre, own, stage
            far = max(far, stage.x + reach, middle + own)
        return far

    def right(self, stage: Stage) -> float:
        return stage.x + self.extent(stage)[2]

    def half(self, stage: Stage) -> float:
        """Half the width of a caption."""
        key = id(stage), id(stage) in self.unsized
        found = self.halves.get(key)
        if found is None:
            widths = [width(text, SMALL, bold) for text, bold in self.caption(stage)]
            found = self.halves[key] = max(widths, default=0.0) / 2
        return found

    def lines(self, columns: list[int]) -> list[list[int]]:
        """The columns in as few lines as the page is wide for, of about one length."""
        most = self.room[0] - 2 * _INTO
        if self.spread(columns, 0.0) <= self.room[0]:
            return [columns]
        whole = self.broken(columns, most)
        shorter = (self.broken(columns, share * most) for share in _SHARES)
        return next((lines for lines in shorter if len(lines) == len(whole)), whole)

    def broken(self, columns: list[int], most: float) -> list[list[int]]:
        """The columns in lines of a width, broken where one connection alone goes on.

        Where that is nowhere, and nobody asks for the depth, wherever a line is full.
        """
        lines: list[list[int]] = [[]]
        for column in columns:
            lines[-1].append(column)
            while len(lines[-1]) > 1 and self.spread(lines[-1], 0.0) > most:
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

    def arranged_as_u(self, valley: Valley) -> tuple[float, float]:
        """An encoder down the left and a decoder up the right, each level as deep as the other's."""
        numbers, bottom = valley.sides()
        sides = [([self.stages[i] for i in a], [self.stages[i] for i in b]) for a, b in numbers]
        rests = [self.stages[i] for i in bottom]
        between = {valley.levels[i]: self.stages[i] for i in valley.between}
        aside = [self.stages[i] for i in valley.aside]
        # the left side from the top down: each level begins beneath the last stage of the one above
        axis = 0.0
        for left, _ in sides:
            self.row(left)
            self.clear(left, aside)
            first, last = left[0], left[-1]
            self.move(left, axis - self.middle(first))
            axis = self.middle(last)
        self.row(rests)
        self.move(rests, axis - self.middle(rests[0]))
        # the right side from the bottom up: each level begins above the last stage of the one beneath
        axis = 0.0
        for _, right in reversed(sides):
            if right:
                self.row(right)
                self.move(right, axis - self.middle(right[0]))
                axis = self.middle(right[-1])
        gap = _ARROW
        for level, (left, right) in enumerate(sides):
            words = 2 * self.half(left[-1]) + 3 * _APART
            edge = self.middle(sides[-1][1][0])  # where lines rise that go by
            if right:
                other = 2 * self.half(right[0]) + 3 * _APART
                words = max(words, other) if self.stacked else words + other
                edge = right[0].x - self.extent(right[0])[0]
            if level in between:
                words += self.span(between[level]) + 4 * _APART
            gap = max(gap, self.right(left[-1]) + max(words, 2 * _ARROW) - edge)
        # the bottom lies in the middle
        start, end = self.middle(sides[-1][0][-1]), self.middle(sides[-1][1][0])
        edges = [self.middle(stage) + side * self.span(stage) / 2 for stage in rests for side in (-1, 1)]
        gap = max(gap, max(edges) - min(edges) + 4 * _ARROW + start - end)
        for _, right in sides:
            self.move(right, gap)
        self.move(rests, (start + end + gap - max(edges) - min(edges)) / 2)
        if aside:  # beneath what stands before the stage that it flows into
            self.row(aside)
            beside = [stage for left, _ in sides[1:] for stage in left]
            least = min(stage.x - self.extent(stage)[0] for stage in beside)
            goal = self.stages[aside[-1].out[0]]
            least = min(least - _GAP, self.entry(goal)[0] - _GAP)
            self.move(aside, least - max(self.middle(stage) + self.span(stage) / 2 for stage in aside))
        for level, one in between.items():
            left, right = sides[level]
            start = self.right(left[-1]) + 2 * self.half(left[-1])
            end = right[0].x - self.extent(right[0])[0] - 2 * self.half(right[0]) * (not self.stacked)
            one.x = 0.0
            self.move([one], (start + end) / 2 - self.middle(one))
        least = min(
            min(
                stage.x - self.extent(stage)[0], self.middle(stage) - self.half(stage) * (stage not in beside)
            )
            for beside in [[one for left, right in sides for one in (left[-1], *right[:1])]]
            for stage in self.stages
        )
        self.move(self.stages, -least)
        low = 0.0
        y = _LANE * (1 + max(self.storeys([stage.column for stage in self.stages]).values(), default=-1))
        for level, (left, right) in enumerate(sides):
            if level == 1 and aside:  # nothing else stands to the left of what is beneath
                self.stand(aside, y)
                low = self.write(aside)
            y = self.level(left, right, between.get(level), y)
        self.stand(rests, y)
        y = max(low, self.write(rests))
        far = max(
            max(
                self.right(stage),
                self.middle(stage) + self.half(stage) * (i not in self.words or self.words[i][2] == "middle"),
            )
            for i, stage in enumerate(self.stages)
        )
        for stage in self.stages:
            self.line[stage.column] = 0
            self.left[stage.column] = stage.x - self.extent(stage)[0]
        return far, y

    def span(self, stage: Stage) -> float:
        """How wide a stage is with its caption beneath it."""
        lead, _, reach, _ = self.extent(stage)
        return max(lead + reach, 2 * self.half(stage))

    def row(self, stages: Sequence[Stage]) -> None:
        """Set stages beside one another, the first one anywhere."""
        self.columns = {stage.column: [stage] for stage in stages}
        self.spread([stage.column for stage in stages], 0.0)

    def clear(self, stages: Sequence[Stage], aside: Sequence[Stage]) -> None:
        """Make room between stages beside one another for the line from what stands aside."""
        for number, (before, stage) in enumerate(pairwise(stages), 1):
            if aside and aside[-1].out[0] == self.number(stage):
                end = max(self.right(before), self.middle(before) + self.half(before))
                self.move(stages[number:], max(end + _APART + _GAP / 2 - self.entry(stage)[0], 0.0))

    def move(self, stages: Sequence[Stage], by: float) -> None:
        for stage in stages:
            stage.x += by

    def middle(self, stage: Stage) -> float:
        lead, _, reach, _ = self.extent(stage)
        return stage.x + (reach - lead) / 2

    def stand(self, stages: Sequence[Stage], y: float) -> None:
        """Set stages on one axis, so high that they begin at ``y``."""
        up = max(self.extent(stage)[1] + self.bow(stage) for stage in stages)
        for stage in stages:
            stage.y = y + up

    def level(
        self,
        left: Sequence[Stage],
        right: Sequence[Stage],
        between: Stage | None,
        y: float,
    ) -> float:
        """One level of a U, from ``y`` on; where the next begins."""
        here = [*left, *([between] if between is not None else []), *right]
        self.stand(here, y)
        self.beside(left[-1], self.right(left[-1]) + _APART, 13.0, "start")
        low = 0.0
        if self.stacked and right:
            low = self.write(here[: -len(right)])
            foot = self.foot(between) if between is not None else self.foot(left[-1])
            here = list(right)
        for stage in right[:1]:
            beneath = foot + _CAPTION - stage.y if self.stacked else 13.0
            self.beside(stage, stage.x - self.extent(stage)[0] - _APART, beneath, "end")
        beside = [self.foot(stage) for stage in (left[-1], *right[:1])]
        return max(low, *beside, self.write(here)) + 0.7 * _ROW

    def beside(self, stage: Stage, x: float, beneath: float, anchor: str) -> None:
        """Write the caption of a stage beside it, so far beneath its axis."""
        self.words[self.number(stage)] = (x, stage.y + beneath, anchor)

    def foot(self, stage: Stage) -> float:
        """Where the caption of a stage ends."""
        return self.words[self.number(stage)][1] + _CAPTION * (len(self.caption(stage)) - 1) + 4

    def number(self, stage: Stage) -> int:
        """The place of a stage among all."""
        return next(i for i, one in enumerate(self.stages) if one is stage)

    # --- words --------------------------------------------------------------------------------

    def write(self, stages: Sequence[Stage]) -> float:
        """Find room for the numbers and the captions of a row of stages; where they end, below."""
        taken: list[Area] = [area for stage in stages for one in self.placed(stage) for area in one.covers()]
        slabs = len(taken)
        for stage in stages:
            if self.number(stage) in self.words:
                x, y, anchor = self.words[self.number(stage)]
                for i, (text, bold) in enumerate(self.caption(stage)):
                    taken.append(_area(x, y + i * _CAPTION, width(text, SMALL, bold), anchor))
        for stage in stages:
            for x, y, text in self.channels(stage):
                self.numbers.append((x, y, text, "middle"))
                taken.append(_area(x, y, width(text, SMALL), "middle"))
        for stage in stages:
            self.put_size(stage, taken)
        low = max(area[3] for area in taken)
        for stage in stages:
            i = self.number(stage)
            if i in self.words:
                continue
            lines = self.caption(stage)
            x, half = self.middle(stage), self.half(stage)
            y = start = max((y for a, _, b, y in self.own(stage) if a <= x <= b), default=stage.y) + 3
            high = _CAPTION * len(lines)
            while y < start + _DOWN:
                area = (x - half - 2, y, x + half + 2, y + high)
                lead = (x - 1, start, x + 1, y)
                # a line may lead over what stands behind, and over no words
                if not any(_meet(area, other) for other in taken) and not any(
                    _meet(lead, other) for other in taken[slabs:]
                ):
                    break
                y += _STEP
            taken += [(x - half - 2, y, x + half + 2, y + high), (x - 1, start, x + 1, y)]
            self.words[i] = (x, y + 9, "middle")
            low = max(low, y + high)
        return low

    def own(self, stage: Stage) -> Iterator[Area]:
        """What stands at the foot of a stage."""
        yield from (one.area for one in self.placed(stage))
        for x, y, text in self.channels(stage):
            yield _area(x, y, width(text, SMALL), "middle")
            yield (stage.x - 1e6, y - 9, stage.x + 1e6, y + 2)

    def channels(self, stage: Stage) -> Iterator[tuple[float, float, str]]:
        """The numbers of channels beneath the slabs: one for neighbours that have as many."""
        if stage.shape is None:
            return
        placed = [one for i, one in enumerate(self.placed(stage)) if not i or not one.slab.pools]
        ends: dict[tuple[int, int], float] = {}  # of the two rows beneath each stream
        for (count, streams), alike in groupby(placed, lambda one: (_channels(one.slab), one.slab.streams)):
            some = list(alike)
            text = str(count)
            together = width(text, SMALL) > some[0].solid.thick + _SLIT - 1 or len(some) > 3
            for i in range(streams):
                fronts = [one.streams(self.apart)[i].front for one in some]
                places = [((front[0] + front[2]) / 2, front[3] + 10) for front in fronts]
                if together:
                    middle = (fronts[0][0] + fronts[-1][2]) / 2
                    places = [(middle, max(front[3] for front in fronts) + 10)]
                for x, y in places:
                    half = width(text, SMALL) / 2
                    # in the second what would run into the number before it
                    row = 0 if x - half > ends.get((i, 0), -inf) + 2 else 1
                    ends[i, row] = x + half
                    yield x, y + _CAPTION * row, text

    def put_size(self, stage: Stage, taken: list[Area]) -> None:
        """The size of a stage's maps on the edge that goes back, or where else there is room for it."""
        maps = [one for i, one in enumerate(self.placed(stage)) if not i or not one.slab.pools]
        one = maps[-1]
        if one.slab.shape is None or len(one.slab.shape.spatial) != 2:
            return
        sides = one.slab.shape.spatial
        text = _size(sides)
        long = width(text, SMALL)
        _, (_, _), far, near = one.face
        places = [
            (near[0] + (far[0] - near[0]) * share + 3, near[1] + (far[1] - near[1]) * share + 9, "start")
            for share in (0.5, 0.35, 0.65, 0.2, 0.05)
        ]
        first = maps[0].front
        if first[3] > stage.y + 16:  # beneath the arrow that comes there
            places.append((first[0] - 3, first[3] - 3, "end"))
        own = {cover for other in self.placed(stage) for cover in other.covers()}
        for x, y, anchor in places:
            area = _area(x, y, long + 4, anchor)
            if area[0] >= 0 and not any(_meet(area, other) for other in taken if other not in own):
                taken.append(area)
                self.numbers.append((x, y, text, anchor))
                return
        self.unsized.add(id(stage))

    def caption(self, stage: Stage) -> list[tuple[str, bool]]:
        """The lines beneath a stage, each with whether it is bold."""
        sized = id(stage) in self.unsized
        found = self.captions.get((id(stage), sized))
        if found is None:
            found = self.captions[id(stage), sized] = self.captioning(stage, sized=sized)
        return found

    def captioning(self, stage: Stage, *, sized: bool) -> list[tuple[str, bool]]:
        """The same, put together; with the size of its maps where that is said there."""
        first = stage.boxes[0]
        if first.kind == "failed":
            assert self.plan.failed is not None
            why = wrapped(printable(self.plan.failed.why[:500]), SMALL, 1.4 * self.words_wide, 6)
            return [
                (fitted(first.name, SMALL, self.words_wide, bold=True), True),
                *((text, False) for text in why),
            ]
        named = [box for box in stage.boxes if not box.is_unnamed]
        lines = [
            (fitted(name, SMALL, self.words_wide, bold=True), True)
            for name in _called(named, self.words_wide)
        ]
        words: Counter[str] = Counter()
        for i, slab in enumerate(stage.slabs):
            word = _what(slab.box)
            if i and slab.pools and slab.shape is not None and len(slab.shape.spatial) == 2:
                word = f"{word.partition(',')[0]} to {_size(slab.shape.spatial)}"
                if width(word, SMALL) > self.words_wide:  # as its size says
                    word = word.removeprefix("adaptive_")
            elif width(word, SMALL) > self.words_wide - 20:
                word = word.partition(",")[0]
            words[word] += slab.box.fold
        words.pop("", None)
        for word, count in list(words.items())[: self.words_most]:
            if count > 1:  # not "4 x 3 conv" for four of kernel 3, as if it were one of 4x3
                word = f"{count:,} x ({word})" if word.split()[0].isdigit() else f"{count:,} x {word}"
            if not self.levels or not lines or width(word, SMALL) <= self.words_wide:
                lines.append((fitted(word, SMALL, self.words_wide, bold=not lines), not lines))
        if len(words) > self.words_most and not self.levels:
            lines.append((f"and {sum(list(words.values())[self.words_most :]):,} more", False))
        shape = stage.slabs[0].shape if stage.slabs[-1].pools else stage.shape
        if shape is not None and shape.spatial and len(shape.spatial) != 2:
            lines.append((str(shape), False))
        if sized:
            assert shape is not None
            lines.append((_size(shape.spatial), False))
        whole = replace(first, behind=tuple(layer for slab in stage.slabs for layer in slab.behind))
        if whole.behind:
            for name in dict.fromkeys(self.request.labels):
                figure = LABELS[name](whole, self.request.plans)
                lines += [(fitted(figure, SMALL, self.words_wide), False)] if figure else []
        if first.training:
            lines.append(("in training only", False))
        if first.repeats > first.fold:
            lines.append((f"one of {first.repeats // first.fold:,}, one after the other", False))
        return lines

    # --- what is painted ----------------------------------------------------------------------

    def picture(self) -> Picture:
        size = self.size
        items: list[Item] = []
        order = sorted(range(len(self.stages)), key=lambda i: (self.stages[i].column, self.stages[i].row))
        arcs = list(self.arcs())
        for i in order:
            stage = self.stages[i]
            shown = Group("node", tuple(self.shown(stage)), "\n".join(map(self.title, stage.slabs)))
            items += (
                [*self.arrivals(i), shown] if self.levels or self.branches else [shown, *self.arrivals(i)]
            )
        items += arcs
        # last, with the ground behind it, so that no line runs through a word
        items += [Group("caption", tuple(self.captioned(i))) for i in range(len(self.stages))]
        items += [Group("size", (one,)) for one in self.numbered()]
        across, down = zip(*_points(items), strict=True)
        moved = max(0.0, -min(across)), max(0.0, -min(down))
        if any(moved):
            items = [Shifted(*moved).group(tuple(items))]
            size = (max(size[0], max(across)) + moved[0], size[1] + moved[1])
        return framed(
            self.request,
            items,
            size,
            signs=self.signs(),
            notes=self.notes(),
            shows=f"its feature maps{colored(self.heat)}",
            description=self.described(),
        )

    def title(self, slab: Slab) -> str:
        """Everything about a slab, for those who point at it."""
        return slab.box.title + (self.heat.says(slab.box.id) if self.heat is not None else "")

    @cached_property
    def heat(self) -> Heat | None:
        """What colours the slabs, where that is a figure and not what made them."""
        slabs = [slab for stage in self.stages for slab in stage.slabs]
        # what merely does something to a volume has its share of a sum, and does not change what is seen
        return heat_of(
            self.request,
            lambda figure: {
                slab.box.id: (slab.box.name, slab.behind if figure.adds_up else slab.box.behind)
                for slab in slabs
            },
        )

    def shown(self, stage: Stage) -> Iterator[Item]:
        """The slabs of a stage, from left to right, and the bows above them."""
        placed = self.placed(stage)
        if stage.shape is None:
            left, top, right, low = placed[0].front
            red = self.theme.shade(self.theme.failed, 0.12)
            yield Rect(left, top, right - left, low - top, red, self.theme.failed, 1.8, 3, (5, 3))
            return
        for one in placed:
            for stream in one.streams(self.apart):
                yield from self.slab(stream)
        for one in placed:
            if one.slab.skip:
                yield from self.bowed(one)

    def color(self, kind: str) -> str:
        """The colour of a family of ops, or of a kind of block, or of what came around."""
        if not kind:
            return self.theme.border
        if not kind.startswith(":"):
            return self.theme.color(kind)
        return (
            self.theme.block(self.blocks.index(kind)) if kind in self.blocks[:_KINDS] else self.theme.border
        )

    @cached_property
    def blocks(self) -> list[str]:
        """The kinds of block, in order of appearance."""
        kinds = dict.fromkeys(slab.kind for stage in self.stages for slab in stage.slabs)
        return [kind for kind in kinds if kind.startswith(":")]

    def slab(self, one: Placed) -> list[Item]:
        """One box: its front, its top and the map on its right; with the parts of what is concatenated."""
        theme, (left, top, right, low) = self.theme, one.front
        wide, up = one.solid.right, one.solid.up
        paint = self.heat.paint(one.slab.box.id, theme) if self.heat is not None else None
        if paint is not None:
            shades = (paint.fill, theme.lit(paint.fill), theme.shaded(paint.fill))
            items = self.sides(left, top, right, low, wide, up, shades, theme.border)
            return [*items, *hatched(left, top, right, low, paint.hatch)] if paint.hatch else items
        parts = one.slab.parts or ((1.0, one.slab.kind),)
        items = []
        x = left
        for share, kind in parts:
            color = self.color(kind) if kind or not one.slab.parts else theme.dense
            end = min(x + share * one.solid.thick, right)
            edge = theme.shade(color, 0.85)
            shades = (theme.shade(color, 0.42), theme.shade(color, 0.22), theme.shade(color, 0.32))
            some = self.sides(x, top, end, low, wide, up, shades, edge)
            items += some if end > right - 0.01 else some[:2]  # the map is that of the last part
            x = end
        if one.slab.band and one.solid.thick > 2 * _BAND:
            color, x = theme.color(one.slab.band), right - _BAND
            fill = theme.shade(color, 0.75)
            edge = theme.shade(self.color(one.slab.kind), 0.85)
            items.append(polygon([(x, top), (right, top), (right, low), (x, low)], fill, edge, 0.5))
            items.append(
                polygon(
                    [(x, top), (x + wide, top - up), (right + wide, top - up), (right, top)], fill, edge, 0.5
                )
            )
        return items

    def sides(
        self,
        x: float,
        y: float,
        end: float,
        low: float,
        wide: float,
        up: float,
        shades: tuple[str, str, str],
        edge: str,
    ) -> list[Item]:
        """The front, the top and the right of a box, each in its shade."""
        corners = (
            [(x, y), (end, y), (end, low), (x, low)],
            [(x, y), (x + wide, y - up), (end + wide, y - up), (end, y)],
            [(end, y), (end + wide, y - up), (end + wide, low - up), (end, low)],
        )
        return [polygon(some, shade, edge, 0.8) for some, shade in zip(corners, shades, strict=True)]

    def bowed(self, one: Placed) -> Iterator[Item]:
        """What goes around the layers of a folded block: a bow over its slab."""
        color, thickness, dash = self.look(Edge(0, 0, one.slab.skip, one.slab.grows))
        left, right, y = one.x + 1, one.end - 1, one.y - one.solid.high / 2
        top = y - _BOW
        over = ((left, top), (right, top), (right, y - 1))
        yield Path((left, y), (over,), "", color, thickness * 0.8, dash and (3.0, 1.5))
        yield arrow_head((right, y), (right - 1.5, y - 5), color, 4)

    def entry(self, stage: Stage) -> Point:
        """Where arrows reach a stage: the middle of its left edge."""
        front = self.placed(stage)[0].front
        return front[0], stage.y

    def leaves(self, stage: Stage) -> Point:
        """Where what leaves a stage begins: the middle of its map, or at its right."""
        last = self.placed(stage)[-1]
        return last.end, stage.y

    def arrivals(self, head: int) -> list[Item]:
        """What flows into a stage from the column before it, and the window that it reads through."""
        items: list[Item] = []
        stage = self.stages[head]
        first = self.placed(stage)[0]
        goal = self.entry(stage)
        for tail, _ in stage.into:
            source = self.stages[tail]
            if self.jumps_over(tail, head) or not (self.branches or tail in stage.first):
                continue
            if self.valley is not None and tail in self.valley.aside and head not in self.valley.aside:
                turn = goal[0] - _GAP / 2
                corners = [(self.right(source), source.y), (turn, source.y), (turn, goal[1]), goal]
                color = self.theme.line
                items += [
                    rounded_line(*corners, stroke=color, radius=6, thickness=1),
                    arrow_head(goal, corners[2], color, 5),
                ]
                continue
            if self.levels and self.levels[tail] != self.levels[head]:
                items += self.climbs(source, stage)
                continue
            if source.column in self.breaks and not self.levels:
                items += self.carried_on(source, goal)
                continue
            if self.turns(source, stage):
                items += self.across(tail, head)
                continue
            flat = stage.shape is not None and not stage.shape.spatial
            if flat and source.shape is not None:
                face = self.placed(source)[-1].face
                left, top, _, low = first.front
                for start, end in ((face[1], (left, top)), (face[2], (left, low))):
                    items.append(line(start, end, stroke=self.theme.border, thickness=0.7))
                continue
            ends = self.placed(source)[-1].streams(self.apart), first.streams(self.apart)
            pairs = list(product(*ends))
            if len(ends[0]) == len(ends[1]) > 1 and reads_apart(stage):
                pairs = list(zip(*ends, strict=True))
            windows = [(self.window(source, stage, a), (b.front[0], b.y)) for a, b in pairs]
            for window, end in windows if windows[0][0] else ():
                color = self.color(stage.slabs[0].kind) if self.heat is None else self.theme.border
                for corner in (window[1], window[2]):
                    items.append(line(corner, end, stroke=self.theme.shade(color, 0.8), thickness=0.7))
                items.append(polygon(window, self.theme.shade(color, 0.75), color, 0.7))
            if not windows[0][0]:
                start = self.leaves(source)
                if source.row or source.shape is None or not source.shape.spatial:
                    start = (self.right(source), source.y)
                color = self.theme.line
                items += [line(start, goal, stroke=color, thickness=1), arrow_head(goal, start, color, 5)]
        return [Group("edge", tuple(items))] if items else []

    def climbs(self, source: Stage, stage: Stage) -> list[Item]:
        """From one level of a U to another: straight down, or straight up."""
        color = self.theme.line
        down = stage.y > source.y
        x = self.middle(source)
        if down:
            start = (x, self.beneath(source))
            goal = (x, stage.y - self.extent(stage)[1] - self.bow(stage) - 1)
            corners = [start, goal]
            if abs(self.middle(stage) - x) > 1:  # into the bottom
                corners = [start, (x, stage.y), self.entry(stage)]
        else:
            x = self.middle(stage)
            goal = (x, self.beneath(stage))
            if abs(self.middle(source) - x) < 1:
                corners = [(x, source.y - self.extent(source)[1] - self.bow(source) - 1), goal]
            else:
                corners = [self.leaves(source), (x, source.y), goal]
        return [
            rounded_line(*corners, stroke=color, radius=6, thickness=1),
            arrow_head(corners[-1], corners[-2], color, 5),
        ]

    def beneath(self, stage: Stage) -> float:
        """Where there is room for arrows beneath a stage and the numbers of its channels."""
        return max(stage.y + self.extent(stage)[3] + 10, *(y for _, y, _ in self.channels(stage)), 0.0) + 4

    def turns(self, source: Stage, stage: Stage) -> bool:
        """Whether what flows there turns in the space before it: not where both are in the first row."""
        if source.column + 1 == stage.column:
            return source.row != stage.row
        return source.column < stage.column and (source.row != 0 or stage.row != 0)

    def across(self, tail: int, head: int, edge: Edge | None = None) -> list[Item]:
        """From one row to another, in the space between two columns, where nothing is written."""
        source, stage = self.stages[tail], self.stages[head]
        goal = self.entry(stage)
        start = (self.right(source), source.y)
        turn = self.turn(tail, head)
        corners = (start, (turn, start[1]), (turn, goal[1]), goal)
        color, thickness, dash = self.look(edge)
        return [
            rounded_line(*corners, stroke=color, radius=5, thickness=thickness, dash=dash),
            arrow_head(goal, corners[2], color, 5),
        ]

    def turn(self, tail: int, head: int) -> float:
        """Where a line turns in the space before the column that it goes to."""
        return self.left[self.stages[head].column] - _GAP / 2 + self.lanes.get((tail, head), 0.0)

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

    def carried_on(self, source: Stage, goal: Point) -> list[Item]:
        """From the end of one line to the start of the next: an arrow that leaves, and one that arrives."""
        start = (self.right(source) + 2, source.y)
        color = self.theme.line
        out = (start[0] + 9, start[1])
        come = (goal[0] - 14, goal[1])
        return [
            *(line(a, b, stroke=color, thickness=1, dash=(2, 2)) for a, b in ((start, out), (come, goal))),
            arrow_head((out[0] + 3, out[1]), start, color, 5),
            arrow_head(goal, come, color, 5),
        ]

    def window(self, source: Stage, stage: Stage, read_from: Placed) -> list[Point]:
        """The window of a stage's first layer on a map that it reads; empty where it slides none."""
        box = stage.boxes[0]
        read = source.shape
        if self.levels or box.kind != "layers" or read is None or not read.spatial:
            return []
        layer = box.layers[0]
        if not layer.windows:
            return []
        spans = [window.extent for window in layer.windows][-2:]
        sizes = layer.input_shapes[0].spatial[-2:]
        shares = [min(span / size, 1.0) for span, size in zip(spans, sizes, strict=True)]
        down, across = (shares[0], shares[1]) if len(shares) == 2 else (shares[0], 1.0)
        near, far, _, low = read_from.face
        high, dx, dy = low[1] - near[1], far[0] - near[0], far[1] - near[1]
        down, across = max(down, min(2.2 / high, 1.0)), max(across, min(2.2 / max(dx, 0.1), 1.0))
        x0, y0 = (1 - across) * 0.25, (1 - down) * 0.3

        def at(u: float, v: float) -> Point:
            return near[0] + u * dx, near[1] + u * dy + v * high

        return [at(x0, y0), at(x0 + across, y0), at(x0 + across, y0 + down), at(x0, y0 + down)]

    # --- what goes around ---------------------------------------------------------------------

    def jumps_over(self, tail: int, head: int) -> bool:
        """Whether a connection goes around other stages, or across a U."""
        if self.valley is not None:
            between, aside = self.valley.between, self.valley.aside
            if tail in aside:
                return False
            far = any(i not in between and i not in aside for i in range(tail + 1, head))
            return head in between or far or tail in between
        return self.stages[tail].column + 1 != self.stages[head].column

    def jumps(self) -> list[tuple[int, int, Edge]]:
        """What goes around other stages, the shortest first."""
        found = []
        for head, stage in enumerate(self.stages):
            for tail, edge in stage.into:
                edge = stage.around.get(tail, (0, edge))[1]
                beyond = not self.branches and tail not in stage.first
                if self.jumps_over(tail, head) or beyond or (tail in stage.around and edge.bypass):
                    found.append((tail, head, edge))
        return sorted(found, key=lambda jump: self.stages[jump[1]].column - self.stages[jump[0]].column)

    def arcs(self) -> Iterator[Item]:
        """What goes around other stages, above them; in a U it goes straight across."""
        storeys: dict[tuple[int, int], int] = {}
        for line_ in set(self.line.values()):
            storeys |= self.storeys([column for column, number in self.line.items() if number == line_])
        self.carried = {number: [] for number in self.line.values()}
        for tail, head, edge in sorted(self.jumps(), key=lambda jump: storeys.get(jump[:2], 0)):
            source, stage = self.stages[tail], self.stages[head]
            if self.valley is not None and (tail, head) in self.valley.further and self.levels[tail]:
                yield Group("edge", tuple(self.linked(tail, head, edge)))
                continue
            if self.levels and (self.valley is None or (tail, head) not in self.valley.further):
                color, thickness, dash = self.look(edge)
                start, goal = (
                    (self.right(source) - self.solid(source.slabs[-1]).right / 2, source.y),
                    self.entry(stage),
                )
                yield Group(
                    "edge",
                    (
                        line(start, goal, stroke=color, thickness=thickness, dash=dash),
                        arrow_head(goal, start, color, 6),
                    ),
                )
                continue
            if source.column >= stage.column:
                continue
            if source.row and self.line[source.column] == self.line[stage.column]:
                yield Group("edge", tuple(self.across(tail, head, edge)))
                continue
            yield self.arc(tail, head, edge, storeys[tail, head])

    def linked(self, tail: int, head: int, edge: Edge) -> list[Item]:
        """From the connection across of one level of a U to that of the next, or from the bottom."""
        source, stage = self.stages[tail], self.stages[head]
        color, thickness, dash = self.look(edge)
        assert self.valley is not None
        sides, bottom = self.valley.sides()
        start, goal = (self.crown(source)[0], self.crown(source)[1] - self.bow(source)), stage.y
        if tail not in bottom:
            ends = [sides[self.levels[i]] for i in (tail, head)]
            left = max(self.right(self.stages[i[-1]]) + 2 * self.half(self.stages[i[-1]]) for i, _ in ends)
            right = min(self.entry(self.stages[i[0]])[0] - 2 * self.half(self.stages[i[0]]) for _, i in ends)
            share = 1 / 3 if self.levels[tail] > self.levels[head] else 2 / 3
            start = (left + (right - left) * share, source.y)
        end = (start[0], goal + (thickness / 2 if start[1] > goal else -thickness / 2))
        return [
            line(start, end, stroke=color, thickness=thickness, dash=dash),
            arrow_head(end, start, color, 6),
        ]

    def storeys(self, columns: Sequence[int]) -> dict[tuple[int, int], int]:
        """How high above a line each connection goes to it around others: as low as none goes that it would
        lie over. What comes from another line comes from where this one begins.
        """
        found: dict[tuple[int, int], int] = {}
        taken: list[tuple[int, int, int, int]] = []
        # of what comes from elsewhere the nearest is the lowest, so that no other goes down through its name
        for tail, head, _ in sorted(self.jumps(), key=lambda jump: self.stretch(jump, columns)):
            source, stage = self.stages[tail], self.stages[head]
            inside = source.column in columns
            if self.valley is not None and (self.levels[tail] or (tail, head) not in self.valley.further):
                continue
            if stage.column not in columns or source.column >= stage.column or (source.row and inside):
                continue
            first, lane = source.column if inside else -1, 0
            row = self.over(tail, head, columns)
            while any((row, lane) == (*some,) and a < stage.column and first < b for *some, a, b in taken):
                lane += 1
            taken.append((row, lane, first, stage.column))
            found[tail, head] = lane
        return found

    def stretch(self, jump: tuple[int, int, Edge], columns: Sequence[int]) -> int:
        """How many columns of a line a connection goes over."""
        return self.stages[jump[1]].column - max(self.stages[jump[0]].column, columns[0] - 1)

    def arc(self, tail: int, head: int, edge: Edge, lane: int) -> Item:
        """Above what lies between: down onto a stage of the first row, or into the space before another."""
        source, stage = self.stages[tail], self.stages[head]
        color, thickness, dash = self.look(edge)
        own = [slab.box.id for slab in stage.slabs]
        into = stage.around.get(tail, (0, edge))[0]
        (x0, y0), (x1, y1) = self.crown(source), self.crown(stage, own[into])
        number = self.line[stage.column]
        carried = self.line[source.column] != number
        columns = [column for column, line_ in self.line.items() if line_ == number]
        between = [
            one.y - self.extent(one)[1] - self.bow(one)
            for one in self.stages
            if source.column <= one.column <= stage.column
            and self.over(tail, head, columns) <= one.row <= 0
            and self.line[one.column] == number
        ]
        over = [*([] if stage.row else [y1]), *between, *([] if carried else [y0])]
        top = min(over, default=y1) - _LANE - _LANE * lane
        items: list[Item] = []
        if carried:  # it says where it comes from
            called, x0 = self.origin(tail), 2.0
            long = width(called, SMALL)
            room = (self.turn(tail, head) if stage.row else x1) - _LANE
            beside = 5.0 + long < room  # else it stands above
            while any(abs(top - other) < (_LANE if beside else 2 * _LANE) for other in self.carried[number]):
                top -= 1.0
            self.carried[number].append(top - _LANE * (not beside) / 2)
            base = top + 3 if beside else top - 4
            if self.request.ground == "theme":  # as behind captions
                items.append(Rect(0, base - 8, long + 4, 10, self.theme.background))
            items.append(Text(2, base, called, SMALL, self.theme.muted))
            x0 = 5.0 + long if beside else x0
            items += self.parting(source)
        begin = [(x0, top)] if carried else [(x0, y0), (x0, top)]
        end = [(x1, top), (x1, y1)]
        if stage.row:
            goal, turn = self.entry(stage), self.turn(tail, head)
            end = [(turn, top), (turn, goal[1]), goal]
        corners = [*begin, *end]
        items += [
            rounded_line(*corners, stroke=color, radius=8, thickness=thickness, dash=dash),
            arrow_head(corners[-1], corners[-2], color, 6),
        ]
        return Group("edge", tuple(items))

    def parting(self, source: Stage) -> list[Item]:
        """Above a stage, that something goes on from it in another line."""
        (x, y), (color, thickness, dash) = self.crown(source), self.look(None)
        top = y - self.bow(source) - _LANE / 2
        corners = [(x, y - self.bow(source)), (x, top), (x + _LANE, top)]
        return [
            rounded_line(*corners, stroke=color, radius=4, thickness=thickness, dash=dash or (2, 2)),
            arrow_head((x + _LANE + 3, top), corners[1], color, 5),
        ]

    def crown(self, stage: Stage, box: int = -1) -> Point:
        """The middle of the top of the slab of a box, or of the last that a stage has."""
        placed = self.placed(stage)
        one = next((one for one in placed if one.slab.box.id == box), placed[-1])
        return one.x + one.solid.thick / 2, one.y - one.solid.high / 2

    # --- words about it -----------------------------------------------------------------------

    def captioned(self, number: int) -> Iterator[Item]:
        lines, ground = self.caption(self.stages[number]), self.theme.background
        stage = self.stages[number]
        x, y, anchor = self.words[number]
        foot = max((low for a, _, b, low in self.own(stage) if a <= x <= b), default=y) + 2
        if anchor == "middle" and y - 9 - foot > _LEADS:
            yield line((x, foot), (x, y - 9), stroke=self.theme.border, thickness=0.5)
        for i, (text, bold) in enumerate(lines):
            failed = stage.shape is None and bold
            color = self.theme.failed if failed else self.theme.text if bold else self.theme.muted
            long = width(text, SMALL, bold)
            if self.request.ground == "theme":
                left = x - {"start": 0.0, "middle": long / 2, "end": long}[anchor]
                yield Rect(left - 2, y + i * _CAPTION - 9, long + 4, 12, ground)
            yield Text(x, y + i * _CAPTION, text, SMALL, color, anchor, bold)

    def numbered(self) -> Iterator[Item]:
        """Channels and sizes."""
        for x, y, text, anchor in self.numbers:
            yield Text(x, y, text, SMALL, self.theme.text, anchor)

    def signs(self) -> list[Sign | Ramp]:
        theme = self.theme
        slabs = [slab for stage in self.stages for slab in stage.slabs]
        signs = self.kinds(slabs) if self.heat is None else self.heat.signs(theme)
        found = [(edge.bypass, edge.grows) for _, _, edge in self.jumps() if edge.bypass]
        found += [(slab.skip, slab.grows) for slab in slabs if slab.skip]
        for kind, grows in dict.fromkeys(found):
            color = theme.dense if grows else theme.residual
            signs.append(Sign(f"bypass into {kind}", color, True, 1.6, (5.0, 2.5) if grows else ()))
        return signs

    def kinds(self, slabs: Sequence[Slab]) -> list[Sign | Ramp]:
        """What the colours of slabs mean."""
        theme = self.theme
        kinds = dict.fromkeys(
            kind
            for slab in slabs
            for kind in (*(part for _, part in slab.parts), *([] if slab.parts else [slab.kind]), slab.band)
        )
        signs: list[Sign | Ramp] = [
            Sign(kind.removeprefix(":"), self.color(kind))
            for kind in kinds
            if kind and (kind not in self.blocks or kind in self.blocks[:_KINDS])
        ]
        if len(self.blocks) > _KINDS:
            signs.append(Sign("other blocks", theme.border))
        if any(not part for slab in slabs for _, part in slab.parts):
            signs.append(Sign("what came around", theme.dense))
        return signs

    def notes(self) -> list[str]:
        words = f"Height and width {self.scaled}"
        words += ", the smallest enlarged" if self.clamped else ""
        words += "; thickness is the logarithm of the channels, whose number stands beneath"
        if any(stage.shape is not None and not stage.shape.spatial for stage in self.stages):
            words += ", the length of a bar that of the features"
        words += "."
        windows = any(
            self.window(self.stages[tail], stage, self.placed(self.stages[tail])[-1])
            for stage in self.stages
            for tail, _ in stage.into
        )
        if windows:
            words += " A window on a map is the kernel of the next layer, at its share of the map."
        if any(len(stage.drawn(self.most)) < stage.count for stage in self.stages):
            words += f" Stages of more than {self.most} show {self.most} slabs; the caption counts them."
        if self.apart:
            words += " Streams are the groups of channels that convolutions read apart."
        heat = self.heat.notes() if self.heat is not None else []
        return [words, *heat, *spread(self.plan), *folded(self.request, self.plan)]

    def described(self) -> str:
        chain = "; ".join(
            f"{stage.boxes[0].name[:80]} {stage.shape if stage.shape is not None else 'failed'}"
            + (f", {stage.count} of them" if stage.count > 1 else "")
            for stage in self.stages[:200]
        )
        failed = f" It stops where {printable(self.plan.failed.why)[:300]}." if self.plan.failed else ""
        return f"Feature maps of {len(self.plan.network):,} layers as boxes: {chain}.{failed}"


def _area(x: float, y: float, long: float, anchor: str) -> Area:
    """What a text covers."""
    left = x - {"start": 0.0, "middle": long / 2, "end": long}[anchor]
    return left - 1, y - 8, left + long + 1, y + 2


def _meet(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _size(sides: Sequence[int]) -> str:
    """The size of a map: ``224²``, or ``360x480``."""
    return f"{sides[0]}²" if sides[0] == sides[1] else times(sides)


def _what(box: Box) -> str:
    first = box.lines[0]
    if box.kind == "scope":
        said = first.name if is_position(first.what) else first.what
        return said or f"{len(box.layers):,} layers"
    if box.kind != "layers":
        return ""
    own = first.name if is_unnamed(box.name.rpartition(".")[2], box.layers[0]) else ""
    return first.what or own


def _called(boxes: list[Box], most: float) -> list[str]:
    """The names of a stage in a line or two: all of them, or the first and the last."""
    if not boxes:
        return []
    first, last = boxes[0].name, boxes[-1].name
    listed = ", ".join(box.name for box in boxes)
    if width(listed, SMALL, True) <= most:
        return [listed]
    if len(boxes) > 1 and width(f"{first} to {end_of(last)}", SMALL, True) <= most:
        return [f"{first} to {end_of(last)}"]
    (scope, name), (other, end) = _parted(first), _parted(last)
    if len(boxes) == 1:
        if is_position(name) and "." in scope:  # a number alone says nothing
            scope, _, before = scope.rpartition(".")
            name = f"{before}.{name}"
        start, dots, stop = name.partition("..")
        own = [name] if not dots or width(name, SMALL, True) <= most else [f"{start} to", stop]
        return [scope, *own] if scope else own
    start, stop = name.partition("..")[0], end.rpartition("..")[2]  # of spans, where they begin and end
    if scope and scope == other:
        both = f"{start} to {stop}"
        return [scope, *([both] if width(both, SMALL, True) <= most else [start, f"to {stop}"])]
    # the scopes in which they are, as far as they are the same, and in which they are after that
    heads = [one.partition("..")[0].split(".") for one in (first, last)]
    shared = next((i for i, (a, b) in enumerate(zip(*heads, strict=False)) if a != b), None)
    if shared is None or max(width(one, SMALL, True) for one in (first, f"to {end_of(last)}")) <= most:
        return [first, f"to {end_of(last)}"]
    around, start, stop = ".".join(heads[0][:shared]), heads[0][shared], heads[1][shared]
    both = f"{start} to {stop}"
    return [*filter(None, [around]), *([both] if width(both, SMALL, True) <= most else [start, f"to {stop}"])]


def _parted(name: str) -> tuple[str, str]:
    """A name's scope and its last part, which may be a span: ``layer3`` and ``1..22``."""
    start, dots, end = name.partition("..")
    scope, _, last = start.rpartition(".")
    return scope, last + dots + end


def _points(items: Sequence[Item]) -> Iterator[Point]:
    """Corners of all that is painted; those of grounds, which are of no colour, left aside."""
    for item in items:
        if isinstance(item, Group):
            yield from _points(item.items)
        elif isinstance(item, Path):
            yield item.start
            yield from (point for step in item.steps for point in step)
        elif isinstance(item, Text):
            long = width(item.text, item.size, item.bold)
            left = item.x - {"start": 0.0, "middle": long / 2, "end": long}[item.anchor]
            yield from ((left, item.y - 8), (left + long, item.y))


def _channels(slab: Slab) -> int:
    """The channels of a slab, of several streams those of each."""
    return slab.shape.channels // slab.streams if slab.shape is not None else 0
