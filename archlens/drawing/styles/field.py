"""``field``: what one output of a layer sees of the input, at its place, beside what its neighbours see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from ...analysis import receptive_field
from ...analysis.receptive_field import ReceptiveFields, Seen
from ...errors import printable, shorten, usage
from ...geometry import Field
from ...network import Network
from ...ops import NonUniform
from ...shape import Shape, times
from ...views import words
from ..fit import SMALL
from ..frame import Sign, around, framed, room
from ..metrics import fitted, width
from ..picture import Group, Item, Picture, Point, Rect, Text, arrow_head, line
from ..request import Request
from ..theme import Theme

#: How much of the width the outputs have, how large they become, and what lies between them and the input.
_SHARE, _LARGEST, _GAP = 0.24, 130.0, 34.0
#: The room for dimensions above and to the left, and for the words beneath.
_ABOVE, _LEFT, _BELOW = 22.0, 34.0, 32.0
#: How thick an input without rows is drawn, and a layer's outputs.
_ROW, _OUTPUTS = 48.0, 12.0
#: How far apart marks are at least, and the lines of a hatching; the least side of an output's square.
_MARKS, _HATCHING, _CELL = 2.5, 5.0, 3.0
#: How far from what it measures a dimension stands.
_OFF = 7.0
_DASH, _LEADER = (3.0, 2.0), (1.5, 2.0)
#: The least length on which the heads of a dimension's arrow have room.
_ARROW = 16.0


class _Span(NamedTuple):
    """An axis of the input, and what is seen along it: positions as ``[start, stop)``."""

    axis: str
    #: What there is of the input, and how many outputs look at it.
    size: int
    outputs: int
    #: The output that is looked at, what it sees, and what the next one sees; the last output has no next.
    output: int
    seen: tuple[int, int]
    beside: tuple[int, int] | None
    #: ``None`` where everything is seen.
    field: Field | None

    @property
    def low(self) -> int:
        """The first position that is drawn."""
        return min(0, self.seen[0])

    @property
    def high(self) -> int:
        """The end of what is drawn."""
        return max(self.size, self.seen[1], self.beside[1] if self.beside is not None else 0)

    @property
    def length(self) -> int:
        """How many positions are drawn."""
        return self.high - self.low

    def unclipped(self) -> tuple[int, int, int]:
        """How many outputs see no padding, and from which to before which they lie."""
        if self.field is None:
            return self.outputs, 0, self.outputs
        return self.field.unclipped(self.size, self.outputs)


def _within(seen: tuple[int, int], size: int) -> bool:
    return seen[0] >= 0 and seen[1] <= size


@dataclass(frozen=True)
class _Sight:
    """One layer and what it sees of an input."""

    fields: ReceptiveFields
    layer: str
    #: The axes that are drawn, rows and columns; rows are ``None`` where the input has one axis.
    rows: _Span | None
    columns: _Span
    #: The axes that are not: those before the last two.
    others: tuple[_Span, ...]

    @property
    def spans(self) -> list[_Span]:
        """All axes, in their order."""
        return [*self.others, *([self.rows] if self.rows is not None else []), self.columns]

    @property
    def image(self) -> Shape:
        """The input."""
        return self.fields.network.inputs[self.fields.input]

    @property
    def everything(self) -> bool:
        """Whether nothing of the input is not seen."""
        return self.columns.field is None


def draw(request: Request) -> Picture:
    """The input with the field of a layer's centre output on it, and beside it the outputs of that layer.

    Raises:
        UsageError: there is no such layer, or none sees a part of an input that could be drawn.
    """
    theme, sight = request.colors, _sight(request)
    signs, notes = list(_signs(sight, theme)), [_sentence(sight), *_on_padding(sight), *_failed(request)]
    items, size = _Drawing(sight, theme, room(request, around(request, signs, notes))).all()
    return framed(
        request,
        items,
        size,
        signs=signs,
        notes=notes,
        description=f"The input {sight.image} with the receptive field on it. {' '.join(notes)}",
        shows=f"what {shorten(sight.layer, 80)} sees of its input",
    )


# --- what is seen ---------------------------------------------------------------------------------


def _sight(request: Request) -> _Sight:
    """What the layer that is asked for sees of the first input of which it sees something."""
    network, name = request.network, request.layer
    images = [input for input, shape in network.inputs.items() if shape.spatial]
    if not images:
        raise usage(
            f"{shorten(network.name)} has no input with positions",
            help="a receptive field is a part of an image, a volume or a sequence",
        )
    reason = ""
    for input in images:
        fields = request.plans.fields
        if fields.input != input:
            fields = receptive_field.find(network, input)
        layer = _layer(network, name) if name else fields.last()
        seen: Seen = fields[layer] if layer else None
        if isinstance(seen, tuple) and seen:
            return _seen(fields, layer, seen)
        if isinstance(seen, NonUniform):
            reason = reason or seen.reason
        elif seen is not None:
            return _seen(fields, layer, None)
    if not name:
        raise usage(
            f"no layer of {shorten(network.name)} sees an interval of its input",
            help="--layer NAME draws one that sees everything",
        )
    raise usage(
        f"{shorten(name)} has no one field: {reason}" if reason else f"{shorten(name)} sees no input",
        help="--columns field of archlens shapes says which layers have one",
    )


def _layer(network: Network, name: str) -> str:
    """The full name of a layer, of a scope that of its last."""
    if name in network.index or name in network.inputs:
        return name
    inside = [layer.name for layer in network.layers if layer.within(name)]
    return inside[-1] if inside else network[name].name


def _seen(fields: ReceptiveFields, layer: str, seen: tuple[Field, ...] | None) -> _Sight:
    image = fields.network.inputs[fields.input]
    outputs = fields.network.shape_of(layer).spatial
    spans = [
        _span(axis, size, outputs[i] if seen is not None else 1, seen[i] if seen is not None else None)
        for i, (axis, size) in enumerate(zip(image.axes, image.spatial, strict=True))
    ]
    *others, columns = spans
    rows = others.pop() if others else None
    return _Sight(fields, layer, rows, columns, tuple(others))


def _span(axis: str, size: int, outputs: int, field: Field | None) -> _Span:
    output = (outputs - 1) // 2
    if field is None:
        return _Span(axis, size, outputs, output, (0, size), None, None)
    beside = field.at(output + 1) if output + 1 < outputs else None
    return _Span(axis, size, outputs, output, field.at(output), beside, field)


# --- words ----------------------------------------------------------------------------------------


def _signs(sight: _Sight, theme: Theme) -> Iterator[Sign]:
    yield Sign("receptive field", _color(theme))
    if any(span.beside is not None for span in (sight.rows, sight.columns) if span is not None):
        yield Sign("that of the next output", theme.muted, line=True, dash=_DASH)
    if not all(_within(span.seen, span.size) for span in sight.spans):
        yield Sign("padding", _color(theme), hatch=_hatching(theme))


def _sentence(sight: _Sight) -> str:
    """Which output sees what, and what the next one sees."""
    layer = shorten(sight.layer, 80)
    if sight.everything:
        return f"{layer} sees everything that the layers before it let through, however large the input."
    spans = sight.spans
    many = any(span.outputs > 1 for span in spans)
    place = f", ({', '.join(str(span.output) for span in spans)})" if many else ""
    of = f" of {times(span.outputs for span in spans)}," if many else ""
    which = "The centre output" if many else "The output"
    said = f"{which} of {layer}{place}{of} sees {_listed(_positions(span) for span in spans)} of the input"
    fields = [span.field for span in spans if span.field is not None]
    strides = [str(field.stride) for field in fields]
    step = strides[0] if len(set(strides)) == 1 else "x".join(strides)
    if not many:
        return f"{said}."
    varied = any(field.period > 1 for field in fields)
    how = " on average, and its size differs from output to output" if varied else ""
    return f"{said}; from one output to the next the field moves by {step}{how}."


def _positions(span: _Span) -> str:
    start, stop = span.seen
    word = {"height": "rows", "width": "columns"}.get(span.axis, f"{span.axis} positions")
    return f"{word} {start} to {stop - 1}"


def _on_padding(sight: _Sight) -> Iterator[str]:
    """How many outputs see no padding."""
    if sight.everything:
        return
    spans = sight.spans
    outputs = times(span.outputs for span in spans)
    clear = [span.unclipped()[0] for span in spans]
    if clear == [span.outputs for span in spans]:
        yield "No output sees padding."
    elif 0 in clear:
        yield f"Each of the {outputs} outputs sees padding." if outputs.strip("1x") else "It sees padding."
    else:
        yield f"Of {outputs} outputs {times(clear)} see no padding{_framed(sight)}."
    if cut := words.left_by_cuts(sight.fields, sight.layer):
        yield f"A crop or a slice before it has left {_listed(cut)}."
    if len(sight.fields.network.inputs) > 1:
        yield f"The input is {printable(sight.fields.input)[:80]}."


def _failed(request: Request) -> Iterator[str]:
    if request.failed is not None:
        yield f"The network stops where {printable(request.failed.why)[:300]}."


def _framed(sight: _Sight) -> str:
    """Which outputs those are, where a frame can stand around them."""
    return ": the framed ones" if _frame(sight) is not None else ""


def _frame(sight: _Sight) -> tuple[int, int, int, int] | None:
    """The rows and columns of the outputs that see no padding, where there are such beside others."""
    down = sight.rows.unclipped() if sight.rows is not None else (1, 0, 1)
    across = sight.columns.unclipped()
    outputs = (sight.rows.outputs if sight.rows is not None else 1, sight.columns.outputs)
    if any(count != stop - start for count, start, stop in (down, across)):
        return None
    if 0 in (down[0], across[0]) or (down[0], across[0]) == outputs:
        return None
    return (*down[1:], *across[1:])


def _listed(texts: Sequence[str] | Iterator[str]) -> str:
    *before, last = texts
    return f"{', '.join(before)} and {last}" if before else last


def _color(theme: Theme) -> str:
    return theme.residual


def _hatching(theme: Theme) -> str:
    return theme.shade(_color(theme), 0.75)


# --- where it stands ------------------------------------------------------------------------------


class _Drawing:
    """Places and draws the input to the left and the outputs to the right."""

    def __init__(self, sight: _Sight, theme: Theme, space: tuple[float, float]) -> None:
        self.sight, self.theme = sight, theme
        self.color = _color(theme)
        wide, high = space
        rows, columns = sight.rows, sight.columns
        self.grid = min(_LARGEST, _SHARE * wide)
        inner = wide - _LEFT - _GAP - self.grid
        tall = max(high - _ABOVE - _BELOW, inner / 4)
        self.scale = inner / columns.length
        if rows is not None:
            self.scale = min(self.scale, tall / rows.length)
        self.width = columns.length * self.scale
        self.height = rows.length * self.scale if rows is not None else _ROW

    def x(self, position: int) -> float:
        """Where a column begins."""
        return _LEFT + (position - self.sight.columns.low) * self.scale

    def y(self, position: int) -> float:
        """Where a row begins."""
        rows = self.sight.rows
        return _ABOVE + ((position - rows.low) * self.scale if rows is not None else position * _ROW)

    def rows(self, span: tuple[int, int] | None) -> tuple[int, int]:
        """Rows, or the only one that there is."""
        return span if self.sight.rows is not None and span is not None else (0, 1)

    def rect(self, rows: tuple[int, int], columns: tuple[int, int]) -> tuple[float, float, float, float]:
        """Left, top, width and height of a part of the input."""
        left, top = self.x(columns[0]), self.y(rows[0])
        return left, top, self.x(columns[1]) - left, self.y(rows[1]) - top

    def all(self) -> tuple[list[Item], tuple[float, float]]:
        """What is drawn, and its size."""
        sight, theme = self.sight, self.theme
        rows, columns = sight.rows, sight.columns
        seen = self.rect(self.rows(rows.seen if rows is not None else None), columns.seen)
        size = (0, rows.size) if rows is not None else (0, 1)
        image = self.rect(size, (0, columns.size))
        items: list[Item] = [
            Group("input", (Rect(*image, theme.box, theme.border),), f"{sight.fields.input} {sight.image}"),
            Group("field", tuple(self.field(seen, image)), _sentence(sight)),
            *self.marks(image),
            *self.dimensions(),
        ]
        # beneath the part that is drawn, in the middle of the image if there is room
        name = "input" if len(sight.fields.network.inputs) == 1 else printable(sight.fields.input)[:60]
        bottom = _ABOVE + self.height
        text = fitted(f"{name} {sight.image}", SMALL, self.width + _LEFT)
        middle = max(image[0] + image[2] / 2, width(text, SMALL) / 2)
        items.append(Text(middle, bottom + 16, text, SMALL, theme.text, "middle"))
        outputs, right, low = self.outputs(seen)
        items += outputs
        return items, (right, max(bottom + _BELOW, low))

    def field(
        self, seen: tuple[float, float, float, float], image: tuple[float, float, float, float]
    ) -> Iterator[Item]:
        """The field, hatched where it is padding, and those of the next outputs."""
        theme, sight = self.theme, self.sight
        left, top, wide, high = seen
        right, bottom = left + wide, top + high
        inner = (
            max(left, image[0]),
            max(top, image[1]),
            min(right, image[0] + image[2]),
            min(bottom, image[1] + image[3]),
        )
        empty = inner[0] >= inner[2] or inner[1] >= inner[3]
        if not empty:
            fill = theme.shade(self.color, 0.3)
            yield Rect(inner[0], inner[1], inner[2] - inner[0], inner[3] - inner[1], fill)
            yield Rect(*image, "", theme.border)
        hatching = _hatching(theme)
        if empty:
            yield from _hatched((left, top, right, bottom), hatching)
        else:
            for part in (
                (left, top, right, inner[1]),
                (left, inner[3], right, bottom),
                (left, inner[1], inner[0], inner[3]),
                (inner[2], inner[1], right, inner[3]),
            ):
                yield from _hatched(part, hatching)
        rows, columns = sight.rows, sight.columns
        if rows is not None and rows.beside is not None:
            yield Rect(*self.rect(rows.beside, columns.seen), "", theme.muted, 0.8, dash=_DASH)
        if columns.beside is not None:
            beside = self.rect(self.rows(rows.seen if rows is not None else None), columns.beside)
            yield Rect(*beside, "", theme.muted, 0.8, dash=_DASH)
        yield Rect(left, top, wide, high, "", self.color, 1.6)

    def marks(self, image: tuple[float, float, float, float]) -> Iterator[Item]:
        """The centres of all fields, as marks on the edges of the input."""
        theme, marks = self.theme, []
        left, top, wide, high = image
        for x in self._centres(self.sight.columns):
            at = left + x * self.scale
            marks.append(line((at, top + high), (at, top + high + 3), stroke=theme.border, thickness=0.6))
        if self.sight.rows is not None:
            for y in self._centres(self.sight.rows):
                at = top + y * self.scale
                marks.append(
                    line((left + wide, at), (left + wide + 3, at), stroke=theme.border, thickness=0.6)
                )
        if marks:
            yield Group("centres", tuple(marks), "the centres of the fields of all outputs")

    def _centres(self, span: _Span) -> Iterator[float]:
        """The centres of all fields along an axis that lie on the input, where they can be told apart."""
        field = span.field
        if field is None or span.outputs * _MARKS > span.length * self.scale:
            return
        for output in range(span.outputs):
            start, stop = field.at(output)
            if 0 <= start + stop <= 2 * span.size:
                yield (start + stop) / 2

    def dimensions(self) -> Iterator[Item]:
        """How large the field is and by how much it moves, above it and to its left."""
        sight = self.sight
        if sight.everything:
            return
        span = sight.columns
        ends = [self.x(span.seen[0]), self.x(span.seen[1])]
        y = self.y(0) - _OFF
        if sight.rows is not None:
            y = _clear(self.y(sight.rows.seen[0]), self.y(0), SMALL)
        texts = [str(span.seen[1] - span.seen[0])]
        if span.beside is not None and span.beside[1] > span.seen[1]:
            ends.append(self.x(span.beside[1]))
            texts.append(str(span.beside[1] - span.seen[1]))
        yield from self._dimension([(x, y) for x in ends], texts, across=True)
        if (rows := sight.rows) is not None:
            ends = [self.y(rows.seen[0]), self.y(rows.seen[1])]
            texts = [str(rows.seen[1] - rows.seen[0])]
            if rows.beside is not None and rows.beside[1] > rows.seen[1]:
                ends.append(self.y(rows.beside[1]))
                texts.append(str(rows.beside[1] - rows.seen[1]))
            x = _clear(self.x(span.seen[0]), self.x(0), max(width(text, SMALL) for text in texts))
            yield from self._dimension([(x, y) for y in ends], texts, across=False)

    def _dimension(self, ends: Sequence[Point], texts: Sequence[str], *, across: bool) -> Iterator[Item]:
        """A line from end to end with what lies between them; from right to left words have their room."""
        theme = self.theme
        colors = [self.color, theme.muted]
        free = -1e9
        for (start, stop), text, color in zip(pairwise(ends), texts, colors, strict=False):
            for point in (start, stop):
                a, b = ((0, -3), (0, 3)) if across else ((-3, 0), (3, 0))
                yield line(
                    (point[0] + a[0], point[1] + a[1]), (point[0] + b[0], point[1] + b[1]),
                    stroke=color, thickness=0.8,
                )  # fmt: skip
            yield line(start, stop, stroke=color, thickness=0.8)
            length = (stop[0] - start[0]) if across else (stop[1] - start[1])
            if length >= _ARROW:
                yield arrow_head(start, stop, color, 4)
                yield arrow_head(stop, start, color, 4)
            wide = width(text, SMALL)
            if across:
                middle = max((start[0] + stop[0]) / 2, free + wide / 2)
                yield Text(middle, start[1] - 5, text, SMALL, color, "middle")
                free = middle + wide / 2 + 4
            else:
                middle = max((start[1] + stop[1]) / 2, free + SMALL / 2)
                yield Text(start[0] - 5, middle + SMALL * 0.35, text, SMALL, color, "end")
                free = middle + SMALL * 0.7

    def outputs(self, seen: tuple[float, float, float, float]) -> tuple[list[Item], float, float]:
        """The outputs of the layer as squares, the one that is looked at among them; and where that ends."""
        sight, theme = self.sight, self.theme
        rows, columns = sight.rows, sight.columns
        down, across = (rows.outputs if rows is not None else 1), columns.outputs
        side = min(self.grid / across, max(self.height, 40.0) / down, 18.0)
        wide, high = across * side, down * side if rows is not None else _OUTPUTS
        left = _LEFT + self.width + _GAP
        middle = min(
            max(seen[1] + seen[3] / 2, _ABOVE + high / 2), _ABOVE + max(self.height - high / 2, high / 2)
        )
        top = middle - high / 2
        items: list[Item] = [Rect(left, top, wide, high, theme.box, theme.border)]
        if side >= _CELL:
            thin = {"stroke": theme.border, "thickness": 0.4}
            for i in range(1, across):
                x = left + i * side
                items.append(line((x, top), (x, top + high), **thin))  # type: ignore[arg-type]
            for i in range(1, down):
                y = top + i * side
                items.append(line((left, y), (left + wide, y), **thin))  # type: ignore[arg-type]
        mark = max(side, 2.0)
        x, y = left + columns.output * side, top + (rows.output if rows is not None else 0) * side
        leaders = [
            line((seen[0] + seen[2], seen[1]), (x, y), stroke=theme.muted, thickness=0.7, dash=_LEADER),
            line(
                (seen[0] + seen[2], seen[1] + seen[3]), (x, y + mark),
                stroke=theme.muted, thickness=0.7, dash=_LEADER,
            ),
        ]  # fmt: skip
        items.append(Rect(x, y, mark, mark, theme.shade(self.color, 0.6), self.color, 1))
        if (frame := _frame(sight)) is not None:
            first, last, start, stop = frame
            corner = (left + start * side, top + first * side)
            items.append(Rect(*corner, (stop - start) * side, (last - first) * side, "", theme.text, 1.2))
        name, shape = printable(sight.layer), str(sight.fields.network.shape_of(sight.layer))
        most = self.grid + _GAP - 10
        words = [fitted(name, SMALL, most, bold=True), fitted(shape, SMALL, most)]
        longest = max(width(words[0], SMALL, bold=True), width(words[1], SMALL))
        centre = min(left + wide / 2, left + self.grid - longest / 2)
        centre = max(centre, left - _GAP + 10 + longest / 2)
        bottom = _ABOVE + max(self.height, top + high - _ABOVE)
        said = [
            Text(centre, bottom + 16, words[0], SMALL, theme.text, "middle", bold=True),
            Text(centre, bottom + 28, words[1], SMALL, theme.muted, "middle"),
        ]
        group = Group("outputs", (*items, *said), f"{name} {shape}")
        right = max(left + wide, centre + longest / 2)
        return [Group("leaders", tuple(leaders)), group], right, bottom + _BELOW


def _clear(field: float, image: float, words: float) -> float:
    """Where a dimension of a field stands, before its edge and with its words clear of that of the image."""
    return (image if field - 2 * _OFF - words < image < field else field) - _OFF


def _hatched(part: tuple[float, float, float, float], color: str) -> Iterator[Item]:
    """Slanted lines over a rectangle, given by its left, top, right and bottom."""
    left, top, right, bottom = part
    if right - left < 0.05 or bottom - top < 0.05:
        return
    first = int((left + top) // _HATCHING) + 1
    for step in range(first, int((right + bottom) // _HATCHING) + 1):
        sum_ = step * _HATCHING  # the points of a line have this sum of coordinates
        a = (max(left, sum_ - bottom), min(bottom, sum_ - left))
        b = (min(right, sum_ - top), max(top, sum_ - right))
        if b[0] - a[0] > 0.05:
            yield line(a, b, stroke=color, thickness=0.6)
