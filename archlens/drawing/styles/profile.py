"""``profile``: where parameters, MACs, activations and the receptive field are, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from math import inf
from typing import NamedTuple

from ...analysis.receptive_field import ReceptiveFields, Seen
from ...errors import printable
from ...network import Network
from ...ops import NonUniform
from ...views import words
from ..fit import SMALL
from ..frame import NAME, Shifted, Sign, around, folded, framed, room
from ..metrics import fitted, width, wrapped
from ..picture import Group, Item, Picture, Rect, Text, arrow_head, line
from ..plan import Box, Plan, spread
from ..request import Request
from ..theme import Theme

#: Height of a row, of one in which two names stand one above the other, of the head, and of the space between
#: charts that stand so.
_ROW, _DOUBLE, _HEAD, _SPACE = 16.0, 26.0, 34.0, 18.0
#: The narrowest and the widest chart; how much of it the bars take, and the least for the words behind them.
_SLIM, _CHART, _SHARE, _BEHIND = 96.0, 160.0, 0.6, 52.0
#: The least and the most width of the names, where there is room for more and where there is not, and what
#: they and what stands beside them are kept apart by.
_NARROW, _WIDE, _SHORT, _APART = 220.0, 460.0, 100.0, 30.0
#: How many rows are few.
_FEW = 8
#: The height of a bar, and how far below the middle of its row the words stand.
_BAR, _BASE = 10.0, 3.2
#: How far apart two names in a row stand.
_LINE = 11.0
#: The least that a coordinate says, so that there is something of whatever is not zero.
_HAIR = 0.1
#: Dashes of what runs in training only, and of the line that bars are held against.
_TRAINING, _MARK = (2.0, 1.5), (3.0, 2.0)


class Bar(NamedTuple):
    """What a row shows in a chart: how long, in the chart's own unit, and in words.

    ``None`` is unknown and draws nothing; ``inf`` is no length, and draws an arrow.
    """

    length: float | None
    text: str


class Chart(NamedTuple):
    """One of the charts."""

    title: str
    #: What stands under the title: the sum, or the most.
    total: Callable[[Network], str]
    bar: Callable[[Box, ReceptiveFields], Bar]
    #: What the bars are held against, in the chart's own unit: a line over all rows; 0 for none.
    mark: Callable[[ReceptiveFields], int] = lambda _: 0


class _Grid(NamedTuple):
    """What is where: the charts side by side, or in several rows of them."""

    #: How many charts stand side by side, how wide each is, and how wide the names are before them.
    across: int
    chart: float
    names: float
    #: The height of a row.
    row: float

    @property
    def base(self) -> float:
        """How far below the top of a row the words stand."""
        return self.row / 2 + _BASE

    @property
    def bars(self) -> float:
        """The length of the longest bar."""
        return min(_SHARE * self.chart, self.chart - _BEHIND)

    @property
    def width(self) -> float:
        """All of it."""
        return self.names + self.across * self.chart

    def size(self, boxes: int) -> tuple[float, float]:
        """Width and height with so many rows."""
        rows = len(CHARTS) // self.across
        return self.width, rows * (_HEAD + boxes * self.row + _SPACE) - _SPACE + 4


def draw(request: Request) -> Picture:
    """Four charts over the same rows: side by side, or where there is no room for that, in several rows."""
    theme, fields = request.colors, request.plans.fields
    plan, boxes, notes, grid = _chosen(request)
    charts: list[tuple[Chart, list[Bar]]] = [
        (chart, [chart.bar(box, fields) if box.behind else Bar(None, "") for box in boxes])
        for chart in CHARTS
    ]
    items: list[Item] = []
    step = _HEAD + len(boxes) * grid.row + _SPACE
    for row in range(len(CHARTS) // grid.across):
        drawn = _row(charts[row * grid.across :][: grid.across], boxes, grid, request, plan)
        items.append(Shifted(0, row * step).group(tuple(drawn)))
    return framed(
        request,
        items,
        grid.size(len(boxes)),
        signs=_signs(boxes, theme),
        notes=notes,
        shows="where its parameters, multiply-accumulates and activations are",
        description=_described(boxes, charts, request),
    )


def _chosen(request: Request) -> tuple[Plan, list[Box], list[str], _Grid]:
    """The deepest plan that the page holds; where it ends, rather several layers a row than few rows."""
    tried = []
    ends = request.page.bounded and request.depth is None
    for plan in chain(request.choices(), *([request.gathered(), request.closest()] if ends else [])):
        boxes = [box for box in plan.boxes if box.kind != "input"]
        notes = _notes(request, request.plans.fields, boxes, plan)
        wide, high = room(request, around(request, _signs(boxes, request.colors), notes))
        grid = _grid(boxes, wide)
        tried.append((grid.size(len(boxes))[1] <= high, plan, boxes, notes, grid))
        if tried[-1][0] and (len(boxes) >= _FEW or not ends):
            break
    held = [one for one in tried if one[0]]
    return max(held, key=lambda one: min(len(one[2]), _FEW))[1:] if held else tried[-1][1:]


def _grid(boxes: Sequence[Box], wide: float) -> _Grid:
    """As many charts side by side as there is room for."""
    across = next((count for count in (4, 2) if wide >= _SHORT + count * _SLIM), 1)
    needed = _width(boxes)
    chart = min(max((wide - needed) / across, _SLIM), _CHART)
    names = max(min(needed, wide - across * chart), _SHORT)
    double = needed > names and any(box.gathered for box in boxes)
    return _Grid(across, chart, names, _DOUBLE if double else _ROW)


def _row(
    charts: Sequence[tuple[Chart, list[Bar]]], boxes: Sequence[Box], grid: _Grid, request: Request, plan: Plan
) -> list[Item]:
    """Some of the charts over all rows."""
    theme, fields, names = request.colors, request.plans.fields, grid.names
    items: list[Item] = []
    bottom = _HEAD + len(boxes) * grid.row
    for i, box in enumerate(boxes):
        items += _named(box, _HEAD + i * grid.row, grid, theme)
    low = bottom + 2 - (grid.row if plan.failed is not None else 0)
    for column, (chart, bars) in enumerate(charts):
        x = names + column * grid.chart
        mark = chart.mark(fields)
        known = [bar.length for bar in bars if bar.length is not None and bar.length < inf]
        scale = grid.bars / (float(max([*known, mark], default=0)) or 1)
        rows = [
            item
            for i, (box, bar) in enumerate(zip(boxes, bars, strict=True))
            for item in _drawn(bar, box, x, _HEAD + i * grid.row, scale, grid, theme)
        ]
        axis = line((x, _HEAD - 2), (x, low), stroke=theme.border, thickness=0.8)
        held = _mark(x + mark * scale, low, rows, grid, theme) if mark else ()
        total = chart.total(plan.network)
        if width(total, SMALL) > grid.chart - 4:
            total = total.removeprefix("of an input ").removeprefix("of ")
        head = (
            Text(x, 11, chart.title, NAME, theme.text, bold=True),
            Text(x, 24, fitted(total, SMALL, grid.chart - 4), SMALL, theme.muted),
        )
        items.append(Group("chart", (*head, Group("bars", tuple(rows)), axis, Group("mark", tuple(held)))))
    if plan.failed is not None:
        why = wrapped(printable(plan.failed.why[:500]), SMALL, grid.width - names - 10, 1)[0]
        items.append(Text(names + 8, bottom - 4.5, why, SMALL, theme.failed))
    return items


def _drawn(bar: Bar, box: Box, x: float, top: float, scale: float, grid: _Grid, theme: Theme) -> list[Item]:
    """The bar of a row, or the arrow of what has no length, and the words behind it."""
    color = theme.color(_family(box)) if _family(box) else theme.border
    items: list[Item] = []
    y = top + (grid.row - _BAR) / 2
    long = 0.0
    if bar.length == inf:
        long = grid.bars
        start, tip = (x, y + _BAR / 2), (x + long, y + _BAR / 2)
        shaft = line(start, (tip[0] - 4, tip[1]), stroke=color, thickness=1.2)
        items.append(Group("everywhere", (shaft, arrow_head(tip, start, color))))
    elif bar.length:
        long = max(bar.length * scale, _HAIR)
        dash = _TRAINING if box.training else ()
        rect = Rect(x, y, long, _BAR, theme.shade(color, 0.6), color, 0.6, 0, dash)
        items.append(rect)
    items.append(Text(x + long + 4, top + grid.base, bar.text, SMALL, theme.muted))
    return items


def _mark(x: float, low: float, drawn: Sequence[Item], grid: _Grid, theme: Theme) -> Iterator[Item]:
    """A line down all rows, but for those whose words stand there."""
    start = _HEAD - 2
    for item in drawn:
        if isinstance(item, Text) and item.x - 2 < x < item.x + width(item.text, item.size) + 2:
            top = item.y - grid.base
            if start < top:
                yield line((x, start), (x, top), stroke=theme.muted, thickness=0.8, dash=_MARK)
            start = top + grid.row
    if start < low:
        yield line((x, start), (x, low), stroke=theme.muted, thickness=0.8, dash=_MARK)


def _width(boxes: Sequence[Box]) -> float:
    """The width that the longest name needs with what it is, within bounds."""
    needed = (
        width(box.name[:100] + _times(box), SMALL, bold=True) + width(box.lines[0].what[:60], SMALL) + _APART
        for box in boxes
    )
    return min(max(_NARROW, max(needed, default=0.0)), _WIDE)


def _times(box: Box) -> str:
    return f" x{box.repeats:,}" if box.repeats > 1 else ""


def _named(box: Box, y: float, grid: _Grid, theme: Theme) -> list[Item]:
    """A row's name to the left and what it is to the right, in front of a thin rule."""
    color = theme.failed if box.kind == "failed" else theme.text
    times = _times(box)
    space = grid.names - _APART - width(times, SMALL, bold=True)
    # the name may take the half at least, and what the other leaves
    called = box.lines[0].name if box.is_unnamed else box.name
    left = max(space / 2, space - width(called[:100], SMALL, bold=True))
    what = fitted(box.lines[0].what, SMALL, left) if grid.names >= _NARROW else ""
    base = y + grid.base
    parts = [called]
    if box.gathered and grid.row > _ROW:
        first, last = called.split("..")
        parts = [first, f"to {last}"]
    parts = [fitted(part, SMALL, space - width(what, SMALL), bold=True) for part in parts]
    parts[-1] += times
    mark = theme.color(_family(box)) if _family(box) else color if box.kind == "failed" else theme.border
    items: list[Item] = [
        Rect(0, y + 3, 4, grid.row - 6, mark),
        *(
            Text(9, base + _LINE * (i - (len(parts) - 1) / 2), text, SMALL, color, bold=True)
            for i, text in enumerate(parts)
        ),
        Text(grid.names - 12, base, what, SMALL, theme.muted, "end"),
        line((0, y + grid.row), (grid.width, y + grid.row), stroke=theme.box, thickness=0.8),
    ]
    return [Group("row", tuple(items), box.title)]


def _family(box: Box) -> str:
    """The family that colours a row; none for a scope of several, and of a few layers that which is most."""
    if box.gathered and box.kind == "layers":
        return max(box.layers, key=lambda layer: (layer.params, layer.macs)).op.family
    families = {layer.op.family for layer in box.layers if layer.params} or {
        layer.op.family for layer in box.layers[:1]
    }
    return box.layers[0].op.family if box.kind == "layers" else families.pop() if len(families) == 1 else ""


# --- the charts -----------------------------------------------------------------------------------


def _count(value: Callable[[Box], int]) -> Callable[[Box, ReceptiveFields], Bar]:
    def bar(box: Box, _: ReceptiveFields) -> Bar:
        number = value(box)
        return Bar(number, words.rounded(number) if number else "0")

    return bar


def _macs(box: Box, _: ReceptiveFields) -> Bar:
    text = words.rounded(box.macs) if box.macs else "0"
    return Bar(box.macs, f"({text})" if box.training and box.macs else text)


def _seen(box: Box, fields: ReceptiveFields) -> Bar:
    """What the last of a row's layers sees of the input."""
    seen: Seen = fields[box.behind[-1].name]
    if isinstance(seen, tuple):
        sizes = [one.size for one in seen]
        text = str(sizes[0]) if len(set(sizes)) == 1 else "x".join(map(str, sizes))
        return Bar(max(sizes, default=0), text)
    if isinstance(seen, NonUniform) or seen is None:
        return Bar(None, "non-uniform" if seen is not None else "nothing")
    return Bar(inf, "everywhere")


def _widest(network: Network) -> str:
    sizes = network.input.spatial
    return f"of an input of {'x'.join(map(str, sizes))}" if sizes else "of an input without positions"


def _extent(fields: ReceptiveFields) -> int:
    """The longest side of the input."""
    return max(fields.network.inputs[fields.input].spatial, default=0)


#: The charts, from left to right; another one is another line.
CHARTS = (
    Chart("parameters", lambda network: words.rounded(network.params), _count(lambda box: box.params)),
    Chart("MACs", lambda network: words.rounded(network.macs), _macs),
    Chart(
        "activations",
        lambda network: words.rounded(sum(layer.shape.numel for layer in network)),
        _count(lambda box: box.values),
    ),
    Chart("receptive field", _widest, _seen, _extent),
)


# --- words ----------------------------------------------------------------------------------------


def _signs(boxes: list[Box], theme: Theme) -> list[Sign]:
    return [Sign(family, theme.color(family)) for family in dict.fromkeys(map(_family, boxes)) if family]


def _notes(request: Request, fields: ReceptiveFields, boxes: list[Box], plan: Plan) -> list[str]:
    notes = [
        "Bars are to scale within a chart. Activations are the numbers that all layers of a row give out, "
        "for one sample. One MAC is one multiply-accumulate; FLOPs = 2 x MACs. The receptive field is that "
        "of a row's last layer, padding included; its bar is as long as its longest side."
    ]
    if _extent(fields):
        notes[0] += " The dashed line is the longest side of the input."
    if any(box.behind and _seen(box, fields).length == inf for box in boxes):
        notes[0] += " An arrow is no length: everything that is let through, however large the input."
    if any(box.repeats > 1 for box in boxes):
        notes.append("x3 stands for three, of which the row shows the sum, and the field of the last.")
    if plan.is_gathered:
        notes.append("A row with two names stands for all from the one to the other.")
    if any(box.training for box in boxes):
        notes.append("MACs in brackets, with dashed bars, belong to heads that run only in training.")
    if len(request.network.inputs) > 1:
        notes.append(f"The receptive field is that on the input {printable(fields.input)[:80]}.")
    return [*notes, *spread(plan), *folded(request, plan)]


def _described(boxes: list[Box], charts: list[tuple[Chart, list[Bar]]], request: Request) -> str:
    parts = [f"Bar charts over {len(boxes)} rows for {len(request.network):,} layers"]
    for chart, bars in charts:
        both = zip(bars, boxes, strict=True)
        known = [(bar.length, bar.text, box) for bar, box in both if bar.length and bar.length < inf]
        if known:
            _, text, box = max(known, key=lambda one: one[0])
            parts.append(f"most {chart.title}: {text} in {box.name[:80]}")
    failed = f" It stops where {printable(request.failed.why)[:300]}." if request.failed else ""
    return f"{'; '.join(parts)}.{failed}"
