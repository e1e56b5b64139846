"""What changed between two networks, drawn: both side by side, and what is the same folded."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..analysis.difference import ADDED, AFFECTED, ALTERED, REMOVED, SAME, Aligned, ChangeGroup, Difference
from ..analysis.repeats import Stretch, stretches
from ..errors import printable, shorten
from ..views import words
from .drawn import Drawn
from .fit import SMALL
from .frame import NAME, Around, Shifted, Sign, page, space
from .metrics import fitted, width, wrapped
from .picture import Group, Item, Picture, Rect, Text, arrow_head, line
from .plan import is_position
from .theme import GREEN, ORANGE, Theme, mixed, theme_of

#: The height of a line, the space within boxes and between rows, and the middle between the columns.
_LINE, _PAD, _GAP, _MIDDLE = 13.0, 6.0, 9.0, 34.0
#: The head of a column.
_HEAD = 24.0
#: The room of the sign in a box, and between what stands in one line.
_SIGN, _BETWEEN = 12.0, 10.0
#: How high a picture may be that is scrolled, and how many rows may make up what repeats.
_SCROLLED, _LONGEST = 3000.0, 12
#: The least width of both columns where a page is wide enough for them twice, and the space between.
_STRIP, _APART = 480.0, 28.0
#: The room at the right for how often rows repeat.
_REPEATS = 30.0
#: How much of its hue a colour has, in which signs are read; the rest is that of text.
_PURE = 0.7
#: How much of its colour a box has; the rest is that of the ground.
_FILL = 0.16
#: The sign of each kind, so that colours are not needed.
_SIGNS = {ADDED: "+", REMOVED: "\u2212", ALTERED: "~", AFFECTED: "\u2248"}


class _Side(NamedTuple):
    """A box of a row: its kind, and lines, each with what stands at its left and at its right."""

    kind: str
    lines: tuple[tuple[str, str], ...]
    title: str
    #: What it is but for its name; rows of which that is the same repeat.
    like: Hashable
    #: Whether some of it are affected, whatever its kind.
    affected: bool = False

    @property
    def kinds(self) -> set[str]:
        """The kinds of change that are seen in it."""
        return {self.kind, AFFECTED} if self.affected else {self.kind}


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
        found = self._folded(rows)
        repeats = any(one.copies > 1 for one in found)
        kinds = {kind for kind in (ADDED, REMOVED, ALTERED, AFFECTED) if self.found.of(kind)}
        # the notes say what is left out, which is known when there is room for the others
        wide, high = space(self.fit, self._around(kinds, len(rows), repeats))
        left = (high if self.fit.bounded else _SCROLLED) - _HEAD
        whole = self._heights(rows, found, wide, repeats)
        strips = 1
        if sum(whole) > (left if self.fit.bounded else high):
            strips = max(int((wide + _APART) // (_STRIP + _APART)), 1)
        across = (wide - (strips - 1) * _APART) / strips
        heights = self._heights(rows, found, across, repeats)
        parted = _parted(heights, strips, left)
        kept = sum(map(len, parted))
        if kept < len(found) and found[kept].copies > 1:  # of rows that repeat some are more than none
            found[kept : kept + 1] = map(Stretch, range(found[kept].start, found[kept].stop))
            heights = self._heights(rows, found, across, repeats)
            parted = _parted(heights, strips, left)
            kept = sum(map(len, parted))
        left_out = len(rows) - found[kept].start if kept < len(found) else 0
        if left_out:
            kinds &= {kind for row in rows[:-left_out] for side in row if side for kind in side.kinds}
        items: list[Item] = []
        bottom = 0.0
        for number, strip in enumerate(parted):
            drawn, low = self._strip(rows, [found[i] for i in strip], across, repeats)
            if number:
                drawn += self._joins(across, repeats)
            items.append(Shifted(number * (across + _APART), 0).group(tuple(drawn)))
            bottom = max(bottom, low)
        around = self._around(kinds, left_out, any(one.copies > 1 for one in found[:kept]))
        return page(around, items, (wide, bottom), self.theme, self._description(), self.fit)

    def _columns(self, across: float, repeats: bool) -> tuple[float, float]:
        """The width of a column, and where the right one begins."""
        column = (across - _MIDDLE - (_REPEATS if repeats else 0.0)) / 2
        return column, column + _MIDDLE

    def _heights(
        self, rows: Sequence[_Row], found: Sequence[Stretch], across: float, repeats: bool
    ) -> list[float]:
        """How high each stretch is."""
        column, _ = self._columns(across, repeats)
        return [
            sum(
                max(len(self._lines(side, column)) for side in row) * _LINE + _PAD + _GAP
                for row in rows[one.start : one.start + one.period]
            )
            for one in found
        ]

    def _strip(
        self, rows: Sequence[_Row], found: Sequence[Stretch], across: float, repeats: bool
    ) -> tuple[list[Item], float]:
        """Both columns of some stretches, and how high they are."""
        column, right = self._columns(across, repeats)
        items: list[Item] = []
        for x, name in ((0.0, self.names[0]), (right, self.names[1])):
            text = fitted(printable(name)[:200], NAME, column, bold=True)
            items.append(Text(x + column / 2, 12, text, NAME, self.theme.text, "middle", bold=True))
        y = _HEAD
        ends: dict[float, float] = {}  # of the boxes above, by the middle of their column
        for stretch in found:
            start = y
            for row in rows[stretch.start : stretch.start + stretch.period]:
                made = [self._lines(side, column) for side in row]
                high = max(map(len, made)) * _LINE + _PAD
                items += self._row(row, made, y, high, column, ends)
                y += high + _GAP
            if stretch.copies > 1:
                items += self._bracket(right + column + 6, start, y - _GAP, stretch.copies)
        return items, y - _GAP

    def _joins(self, across: float, repeats: bool) -> list[Item]:
        """What leads into the columns of a further strip."""
        column, right = self._columns(across, repeats)
        ends = [(x + column / 2, _HEAD - 7) for x in (0.0, right)]
        ink = self.theme.line
        return [line((x, y), (x, y + 6), stroke=ink, thickness=1, dash=(1.5, 1.5)) for x, y in ends]

    def _folded(self, rows: Sequence[_Row]) -> list[Stretch]:
        """The stretches of rows that are drawn, those that repeat once."""
        likes = [tuple(side.like if side is not None else None for side in row) for row in rows]

        def copies(start: int, period: int) -> int:
            count = 1
            one = likes[start : start + period]
            while likes[start + count * period : start + (count + 1) * period] == one:
                count += 1
            return count

        return list(stretches(len(rows), copies, _LONGEST))

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
            affected = sum(pair.kind == AFFECTED for pair in pairs)
            said = " the same" if kind == SAME else " affected"
            if 0 < affected < count:
                said = f", {affected:,} affected"
            like = (kind, *((layer.op, layer.shape) for layer in layers))
            return _Side(kind, ((f"{count:,} layers{said}", name),), name, like, affected > 0)
        each = count // group.repeats
        what = group.what
        if each > 1:
            what = f"{what}: {each:,} layers" if what else f"{each:,} layers"
        if group.repeats > 1:
            what += " each"
        head = (what, "") if is_position(group.name) else (name, what)  # nobody named it
        params = sum(layer.params for layer in layers)
        macs = sum(layer.macs for layer in layers if not layer.training)
        figures = ((params, "params"), (macs, "MACs"))
        cost = ", ".join(f"{words.rounded(value)} {unit}" for value, unit in figures if value)
        shapes = "" if kind == SAME else f"{', '.join(map(str, first.input_shapes))} -> {last.shape}"
        lines = [(shapes, cost)]
        if kind == ALTERED and moved == ADDED and pairs[0].old and str(first.op) == str(pairs[0].old.op):
            lines.append((pairs[0].what, ""))
        told = [what, shapes, cost, pairs[0].what if kind == ALTERED else ""]
        title = "; ".join([f"{kind}: {name}", *filter(None, told)])
        return _Side(kind, (head, *lines), shorten(title, 400), (kind, group.repeats, what, *lines))

    def _around(self, shown: Collection[str], left_out: int, repeats: bool) -> Around:
        found, totals = self.found, []
        for name, before, after in (
            ("params", found.old.params, found.new.params),
            ("MACs", found.old.macs, found.new.macs),
        ):
            totals.append(f"{words.rounded(before)} -> {words.rounded(after)} {name}")
        kinds = [kind for kind in (ADDED, REMOVED, ALTERED, AFFECTED) if kind in shown]
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

    def _lines(self, side: _Side | None, column: float) -> list[tuple[str, str]]:
        """The lines of a box; what has no room at the right of one stands in the next."""
        if side is None:
            return []
        inner = column - 2 * _PAD - (_SIGN if side.kind in (ADDED, REMOVED) else 0.0)
        lines: list[tuple[str, str]] = []
        for left, right in side.lines:
            bold = not lines and side.kind != SAME
            together = width(left, SMALL, bold) + width(right, SMALL) + _BETWEEN
            if left and right and together <= inner:
                lines.append((left, right))
                continue
            for i, text in enumerate(filter(None, (left, right))):
                lines += [(row, "") for row in wrapped(text, SMALL, inner, 2, bold=bold and not i)]
        return lines

    def _row(
        self,
        row: _Row,
        made: Sequence[Sequence[tuple[str, str]]],
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
        self,
        side: _Side,
        lines: Sequence[tuple[str, str]],
        x: float,
        top: float,
        column: float,
        tall: float,
    ) -> Iterator[Item]:
        theme = self.theme
        quiet = side.kind == SAME
        color = theme.border if quiet else self._color(side.kind)
        fill = theme.box if quiet else fill_of(side.kind, theme)
        dash = (3.0, 2.0) if side.kind == AFFECTED else ()
        yield Rect(x, top, column, tall, fill, color, 0.8 if quiet else 1.4, 4, dash)
        start = x + _PAD
        if side.kind in (ADDED, REMOVED):
            yield Text(start, top + _LINE, _SIGNS[side.kind], NAME, color, bold=True)
            start += _SIGN
        for i, (left, right) in enumerate(lines):
            bold = i == 0 and not quiet
            base = top + _LINE * (i + 1)
            yield Text(start, base, left, SMALL, theme.text if bold else theme.muted, bold=bold)
            if right:
                yield Text(x + column - _PAD, base, right, SMALL, theme.muted, "end")

    def _color(self, kind: str) -> str:
        return color_of(kind, self.theme)


def color_of(kind: str, theme: Theme) -> str:
    """The colour of a kind of change, as far from the ground as lines need."""
    if kind == REMOVED:
        return theme.failed
    if kind == AFFECTED:
        return theme.border
    return mixed(GREEN if kind == ADDED else ORANGE, theme.text, _PURE)


def fill_of(kind: str, theme: Theme) -> str:
    """What the boxes of a kind of change are filled with."""
    return theme.shade(color_of(kind, theme), _FILL)


def _parted(heights: Sequence[float], strips: int, most: float) -> list[list[int]]:
    """Which stretches stand in each strip, by their numbers: as even as can be, as many as there is room for.

    >>> _parted([10, 10, 10, 10], 2, 100)
    [[0, 1], [2, 3]]
    >>> _parted([10, 10, 10, 10], 2, 15)
    [[0], [1]]
    """
    parts, all_of_them = _filled(heights, strips, most)
    low, high = 0.0, most
    while all_of_them and high - low > 1:
        middle = (low + high) / 2
        even, fits = _filled(heights, strips, middle)
        if fits:
            parts, high = even, middle
        else:
            low = middle
    return parts


def _filled(heights: Sequence[float], strips: int, most: float) -> tuple[list[list[int]], bool]:
    """Strips filled one after the other, each with one stretch at least, and whether that is all."""
    parts: list[list[int]] = [[]]
    filled = 0.0
    for i, height in enumerate(heights):
        if parts[-1] and filled + height > most:
            if len(parts) == strips:
                return parts, False
            parts.append([])
            filled = 0.0
        parts[-1].append(i)
        filled += height
    return parts, True
