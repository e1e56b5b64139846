"""What changed between two networks, drawn: both side by side, and what is the same folded."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..analysis.difference import ADDED, AFFECTED, ALTERED, REMOVED, SAME, Aligned, ChangeGroup, Difference
from ..analysis.repeats import Stretch, stretches
from ..errors import printable, shorten
from ..views import words
from .drawn import Drawn
from .fit import SMALL
from .frame import NAME, Around, Sign, page, space
from .metrics import fitted, width, wrapped
from .picture import Group, Item, Picture, Rect, Text, arrow_head, line
from .theme import GREEN, ORANGE, mixed, theme_of

#: The height of a line, the space within boxes and between rows, and the middle between the columns.
_LINE, _PAD, _GAP, _MIDDLE = 13.0, 6.0, 9.0, 34.0
#: The head of a column.
_HEAD = 24.0
#: How many rows are drawn, and how many may make up what repeats.
_MOST, _LONGEST = 60, 12
#: The room at the right for how often rows repeat.
_REPEATS = 30.0
#: How much of its hue a colour has, in which signs are read; the rest is that of text.
_PURE = 0.7
#: The sign of each kind, so that colours are not needed.
_SIGNS = {ADDED: "+", REMOVED: "\u2212", ALTERED: "~", AFFECTED: "\u2248"}


class _Side(NamedTuple):
    """A box of a row: its kind, its name, and lines beneath it."""

    kind: str
    name: str
    lines: tuple[str, ...]
    title: str
    #: What it is but for its name; rows of which that is the same repeat.
    like: Hashable


@dataclass(frozen=True)
class Changes(Drawn):
    """A difference that is to be drawn."""

    found: Difference
    #: What the two are called.
    names: tuple[str, str]

    @cached_property
    def picture(self) -> Picture:
        """Both networks side by side, row by row.

        Raises:
            UsageError: there is no such theme, fit or font.
        """
        return self.written(lambda: _Drawing(self).picture())


_Row = tuple[_Side | None, _Side | None]


class _Drawing:
    """One picture in the making."""

    def __init__(self, changes: Changes) -> None:
        self.found, self.names = changes.found, changes.names
        self.theme = theme_of(changes.theme)
        self.fit = changes.page

    def picture(self) -> Picture:
        """All of it on its page."""
        rows = [
            (self._side(one, one.old, REMOVED), self._side(one, one.new, ADDED))
            for one in self.found.aligned()
        ]
        shown, left_out = self._folded(rows)
        around = self._around(left_out, any(one.copies > 1 for one in shown))
        wide, _ = space(self.fit, around)
        column = (wide - _MIDDLE - (_REPEATS if any(one.copies > 1 for one in shown) else 0.0)) / 2
        items: list[Item] = []
        for x, name in ((0.0, self.names[0]), (column + _MIDDLE, self.names[1])):
            text = fitted(printable(name)[:200], NAME, column, bold=True)
            items.append(Text(x + column / 2, 12, text, NAME, self.theme.text, "middle", bold=True))
        y = _HEAD
        ends: dict[float, float] = {}  # of the boxes above, by the middle of their column
        for stretch in shown:
            start = y
            for row in rows[stretch.start : stretch.start + stretch.period]:
                made = [self._lines(side, column) for side in row]
                high = max(map(len, made)) * _LINE + _PAD
                items += self._row(row, made, y, high, column, ends)
                y += high + _GAP
            if stretch.copies > 1:
                items += self._bracket(2 * column + _MIDDLE + 6, start, y - _GAP, stretch.copies)
        return page(around, items, (wide, y - _GAP), self.theme, self._description(), self.fit)

    def _folded(self, rows: Sequence[_Row]) -> tuple[list[Stretch], int]:
        """The stretches of rows that are drawn, those that repeat once; and how many rows are not."""
        likes = [tuple(side.like if side is not None else None for side in row) for row in rows]

        def copies(start: int, period: int) -> int:
            count = 1
            one = likes[start : start + period]
            while likes[start + count * period : start + (count + 1) * period] == one:
                count += 1
            return count

        shown: list[Stretch] = []
        drawn = 0
        for stretch in stretches(len(rows), copies, _LONGEST):
            drawn += stretch.period
            if drawn > _MOST:
                return shown, len(rows) - stretch.start
            shown.append(stretch)
        return shown, 0

    def _bracket(self, x: float, top: float, bottom: float, copies: int) -> Iterator[Item]:
        """How often the rows beside it stand there."""
        theme = self.theme
        ends = ((x, top + 2), (x + 5, top + 2), (x + 5, bottom - 2), (x, bottom - 2))
        yield line(*ends, stroke=theme.border, thickness=1)
        text = fitted(f"x{copies:,}", SMALL, _REPEATS - 12, bold=True)
        yield Text(x + 9, (top + bottom) / 2 + 3, text, SMALL, theme.text, bold=True)

    # --- what is drawn ------------------------------------------------------------------------------

    def _side(self, one: Aligned, group: ChangeGroup | None, moved: str) -> _Side | None:
        if group is None:
            return None
        kind = moved if one.kind in (ADDED, REMOVED) else one.kind
        pairs = group.pairs
        layers = [layer for pair in pairs if (layer := pair.new if moved == ADDED else pair.old) is not None]
        first, last = layers[0], layers[-1]
        count = len(layers)
        name = printable(group.name) + (f" x{group.repeats}" if group.repeats > 1 else "")
        if kind in (SAME, AFFECTED) and count > 1:
            said = "the same" if kind == SAME else "on other shapes"
            like = (kind, *((layer.op, layer.shape) for layer in layers))
            return _Side(kind, f"{count:,} layers {said}", (name,), name, like)
        each = count // group.repeats
        what = (
            group.what
            if each == 1
            else f"{group.what}: {each:,} layers"
            if group.what
            else f"{each:,} layers"
        )
        lines = [what + (" each" if group.repeats > 1 else "")]
        if kind != SAME:
            lines.append(f"{', '.join(map(str, first.input_shapes))} -> {last.shape}")
        if (
            kind == ALTERED
            and moved == ADDED
            and str(first.op) == str(pairs[0].old.op if pairs[0].old else "")
        ):
            lines.append(pairs[0].what)
        params = sum(layer.params for layer in layers)
        macs = sum(layer.macs for layer in layers if not layer.training)
        figures = ((params, "params"), (macs, "MACs"))
        lines.append(", ".join(f"{words.rounded(value)} {name}" for value, name in figures if value))
        title = "; ".join([f"{kind}: {name}", *lines, *([pairs[0].what] if kind == ALTERED else [])])
        kept = tuple(filter(None, lines))
        return _Side(kind, name, kept, shorten(title, 400), (kind, group.repeats, kept))

    def _around(self, left_out: int, repeats: bool) -> Around:
        found, totals = self.found, []
        for name, before, after in (
            ("params", found.old.params, found.new.params),
            ("MACs", found.old.macs, found.new.macs),
        ):
            totals.append(f"{words.rounded(before)} -> {words.rounded(after)} {name}")
        kinds = [kind for kind in (ADDED, REMOVED, ALTERED, AFFECTED) if found.of(kind)]
        signs = [Sign(f"{_SIGNS[kind]} {kind}", self._color(kind)) for kind in kinds]
        notes = []
        if ALTERED in kinds:
            notes.append("Altered: another op, other attributes or other inputs.")
        if AFFECTED in kinds:
            notes.append("Affected: the same op on other shapes, because of what comes before it.")
        if repeats:
            notes.append(
                "x2 beside rows: they stand there twice, the second time under the names that follow."
            )
        notes += [f"{shorten(one, 300)[:1].upper()}{shorten(one, 300)[1:]}." for one in found.boundary]
        if left_out:
            notes.append(f"Further rows, {left_out:,} of them, are left to the table.")
        return Around((" -> ".join(self.names), ", ".join(totals)), tuple(signs), tuple(notes))

    def _description(self) -> str:
        counts = [(kind, len(self.found.of(kind))) for kind in (ADDED, REMOVED, ALTERED, AFFECTED)]
        said = [f"{count:,} {kind}" for kind, count in counts if count] or ["nothing changed"]
        same = len(self.found.of(SAME))
        return f"Two networks side by side, layer by layer: {', '.join(said)}, {same:,} the same."

    # --- where it stands ----------------------------------------------------------------------------

    def _lines(self, side: _Side | None, column: float) -> list[str]:
        """The lines of a box, the name first."""
        if side is None:
            return []
        inner = column - 2 * _PAD - (12 if side.kind in _SIGNS else 0)
        if side.kind in (SAME, AFFECTED) and side.name[:1].isdigit() and len(side.lines) == 1:
            return [side.name, fitted(side.lines[0], SMALL, inner)]
        lines = [fitted(side.name, SMALL, inner, bold=True)]
        for text in side.lines:
            lines += wrapped(text, SMALL, inner, 2)
        return lines

    def _row(
        self,
        row: _Row,
        made: Sequence[Sequence[str]],
        y: float,
        high: float,
        column: float,
        ends: dict[float, float],
    ) -> Iterator[Item]:
        theme = self.theme
        boxes = []
        for side, lines, x in zip(row, made, (0.0, column + _MIDDLE), strict=True):
            if side is None:
                continue
            middle, tall = x + column / 2, len(lines) * _LINE + _PAD
            top = y + (high - tall) / 2
            if middle in ends:
                yield line((middle, ends[middle]), (middle, top), stroke=theme.line, thickness=1)
                yield arrow_head((middle, top), (middle, ends[middle]), theme.line, 4.5)
            ends[middle] = top + tall
            boxes.append(Group("node", tuple(self._box(side, lines, x, top, column, tall)), side.title))
        if all(row) and row[0] is not None and row[0].kind in (SAME, ALTERED, AFFECTED):
            # what belongs together is joined across the middle
            dash = () if row[0].kind == SAME else (3.0, 2.0)
            start, stop = (column, y + high / 2), (column + _MIDDLE, y + high / 2)
            yield line(start, stop, stroke=theme.border, thickness=0.8, dash=dash)
            if row[0].kind in _SIGNS:
                sign = _SIGNS[row[0].kind]
                at = column + _MIDDLE / 2
                wide = width(sign, NAME, bold=True) + 6
                yield Rect(at - wide / 2, y + high / 2 - 8, wide, 16, theme.background)
                color = self._color(row[0].kind)
                yield Text(at, y + high / 2 + 4, sign, NAME, color, "middle", bold=True)
        yield from boxes

    def _box(
        self, side: _Side, lines: Sequence[str], x: float, top: float, column: float, tall: float
    ) -> Iterator[Item]:
        theme = self.theme
        quiet = side.kind == SAME
        color = theme.border if quiet else self._color(side.kind)
        fill = theme.box if quiet else theme.shade(color, 0.16)
        dash = (3.0, 2.0) if side.kind == AFFECTED else ()
        yield Rect(x, top, column, tall, fill, color, 0.8 if quiet else 1.4, 4, dash)
        start = x + _PAD
        if side.kind in (ADDED, REMOVED):
            yield Text(start, top + _LINE, _SIGNS[side.kind], NAME, color, bold=True)
            start += 12
        for i, text in enumerate(lines):
            bold = i == 0 and not quiet
            shade = theme.text if i == 0 and not quiet else theme.muted
            yield Text(start, top + _LINE * (i + 1), text, SMALL, shade, bold=bold)

    def _color(self, kind: str) -> str:
        """The colour of a kind of change, as far from the ground as lines need."""
        if kind == REMOVED:
            return self.theme.failed
        if kind == AFFECTED:
            return self.theme.border
        hue = GREEN if kind == ADDED else ORANGE
        return mixed(hue, self.theme.text, _PURE)
