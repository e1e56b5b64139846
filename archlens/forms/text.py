"""A table for a terminal, fitted to its width.

No table library: importing the fastest takes as long as everything else that prints a table of ResNet-152.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import Diagnostic, Style, printable, render, unstyled
from ..wrapping import cells_of, longest_number, longest_word, wrapped
from .table import DETAIL, Column, Content, Form, Link, SpanningRow, Table, in_words, words_of

#: Spaces between two columns.
GAP = 2

#: The widest column: one cell that is longer would fill all others up with as many blanks.
WIDEST = 300

#: The columns before the sentences above a table.
_LEAD = 18


def write(table: Table, width: int | None = None, style: Style = unstyled) -> str:
    """The table in lines.

    Args:
        table: what is shown.
        width: the columns of the terminal; ``None`` does not wrap.
        style: how head and totals are dressed.
    """
    return "\n\n".join("\n".join(block) for block in _blocks(table, width, style))


def _blocks(table: Table, width: int | None, style: Style) -> Iterator[list[str]]:
    """What stands there, part by part."""
    if table.terminal:
        for one in table.terminal:
            yield from _blocks(one, width, style)
        return
    headline = f"{table.headline} -> {table.then}" if table.then else table.headline
    over = wrapped(printable(headline), width) if headline else []
    if over and not table.indent:
        yield over
    if table.lead:
        said = [(f"{title:<{_LEAD}}  ", printable(text)) for title, text in table.lead]
        yield [line for title, text in said for line in wrapped(text, width, lead=title)]
    notes, left_out = table.notes, []
    if table.columns:
        table, layout = _fitted(table, width, style)
        yield [*(over if table.indent else []), *_rows(table, layout, width, style)]
        notes, left_out = table.notes, layout.left_out
        if left_out and table.noted:
            notes = table.noted([table.columns[i].name for i in layout.widths])
    for one in table.more:
        yield from _blocks(one, width, style)
    for block in table.remarks:
        yield [line for said in block for line in _remark(said, width, style)]
    if table.summary:
        notes = [in_words(table.summary), *notes]
    if notes or left_out:
        yield sentences([*notes, *left_out], width)


def sentences(said: Iterable[str], width: int | None) -> list[str]:
    """Sentences in lines of at most so many columns, each from a new line on."""
    return [line for sentence in said for line in wrapped(printable(sentence), width)]


def _remark(said: str | Diagnostic, width: int | None, style: Style) -> list[str]:
    if isinstance(said, Diagnostic):
        return [render(said, style, width)]
    text = said.lstrip()
    return wrapped(printable(text), width, lead=said[: len(said) - len(text)])


def _fitted(table: Table, width: int | None, style: Style) -> tuple[Table, Layout]:
    """The table as it fits, or what is shown in its place."""
    for one in (table, *table.narrow):
        shown = one.seen
        inner = width if width is None else width - shown.indent
        cells = list(map(_cells, shown.cells))
        layout = fit(shown.columns, [*cells, shown.totals] if any(shown.totals) else cells, inner, style)
        if layout.whole:
            break
    return shown, layout


def _cells(row: Sequence[Content]) -> list[str]:
    return [printable(words_of(cell)) for cell in row]


def _rows(table: Table, layout: Layout, width: int | None, style: Style) -> list[str]:
    """Head, rows and totals, with the lines between them."""
    lead = " " * table.indent
    lines = [lead + line for line in layout.head]
    for row in table.rows:
        if not isinstance(row, SpanningRow):
            lines += [lead + line for line in layout.row(_cells(row))]
            continue
        said = wrapped(printable(words_of(row.words)), width, lead=lead if row.inner else "")
        lines += ["", *(style(line, "message") for line in said)] if row.heading else said
        lines += [row.words.url] if isinstance(row.words, Link) and row.words.url else []
    if any(table.totals):
        lines += [lead + line for line in layout.totals(table.totals)]
    return lines


class Layout(NamedTuple):
    """Columns fitted to a width, which lay rows out one by one."""

    columns: Sequence[Column]
    #: The numbers of the columns that are shown, and how wide each is.
    widths: Mapping[int, int]
    #: The columns of the terminal, where no table fits them: each row is a few lines, a cell on each.
    narrow: int = 0
    #: Whether each column is there, and no word was broken.
    whole: bool = True
    style: Style = unstyled

    @property
    def head(self) -> list[str]:
        """The titles, ruled; of rows in several lines that of the first."""
        if self.narrow:
            title = self.columns[0].title
            return [self.style(title, "head"), self.style("-" * cells_of(title), "rule")]
        titles = [self.style(line, "head") for line in self._lines([c.title for c in self.columns])]
        return [*titles, self.rule]

    @property
    def rule(self) -> str:
        """What stands beneath the titles, and above totals."""
        return self.style((" " * GAP).join("-" * width for width in self.widths.values()), "rule")

    def row(self, cells: Sequence[str]) -> list[str]:
        """A row: one line, or as many as its cells need."""
        return self._record(cells) if self.narrow else self._lines(cells, dressed=True)

    def totals(self, cells: Sequence[str]) -> list[str]:
        """The sums, ruled off."""
        lines = [self.style(line, "head") for line in self.row(cells)]
        return lines if self.narrow else [self.rule, *lines]

    @property
    def left_out(self) -> list[str]:
        """A sentence that says which columns are left out, where some are."""
        missing = [column for i, column in enumerate(self.columns) if i not in self.widths]
        titles = ", ".join(column.title for column in sorted(missing, key=lambda column: column.spare))
        return [f"Left out for lack of width: {titles}."] if titles else []

    def _lines(self, cells: Sequence[str], *, dressed: bool = False) -> list[str]:
        shown = [(cells[i], self.columns[i], width) for i, width in self.widths.items()]
        gap = " " * GAP
        if all(cells_of(cell) <= width for cell, _, width in shown):
            return [gap.join(self._aligned(*one, one[0], dressed) for one in shown).rstrip()]
        parts = [wrapped(cell, width, within=True) for cell, _, width in shown]
        height = max(map(len, parts))
        return [
            gap.join(
                self._aligned(part[at] if at < len(part) else "", column, width, cell, dressed)
                for part, (cell, column, width) in zip(parts, shown, strict=True)
            ).rstrip()
            for at in range(height)
        ]

    def _aligned(self, part: str, column: Column, width: int, cell: str, dressed: bool) -> str:
        blanks = " " * (width - cells_of(part))
        if dressed and column.roles and part:
            role = column.roles.get(cell.split()[0].rstrip(",:"))
            part = self.style(part, role) if role else part
        return blanks + part if column.right else part + blanks

    def _record(self, cells: Sequence[str]) -> list[str]:
        """The first cell, and beneath it the others behind the titles of their columns."""
        name, *rest = cells
        lines = wrapped(name, self.narrow) if name else []
        wide = max((cells_of(column.title) for column in self.columns[1:]), default=0)
        for column, cell in zip(self.columns[1:], rest, strict=True):
            if cell:
                lead = f"  {column.title}{' ' * (wide - cells_of(column.title) + GAP)}"
                first, *more = wrapped(cell, self.narrow, lead=lead)
                role = (column.roles or {}).get(cell.split()[0].rstrip(",:"))
                if role:
                    first = first[: len(lead)] + self.style(first[len(lead) :], role)
                lines += [first, *more]
        return lines


def fit(
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    width: int | None,
    style: Style = unstyled,
) -> Layout:
    """Columns of some rows, totals among them, fitted to a width.

    Words are wrapped first, the widest column before all others. Where that is not enough, columns of
    details are left out; then words that are too long are broken; then other columns are left out that can
    be. Where there is no table that fits, each row becomes some lines.
    """
    natural = widths_of([[column.title for column in columns], *rows])
    if width is None or _span(natural) <= width:
        return Layout(columns, dict(enumerate(natural)), style=style)
    cells = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    shown = list(range(len(columns)))
    for within in (False, True):
        floors = [_floor(*one, within=within) for one in zip(columns, cells, natural, strict=True)]
        for left_out in (None, *_spared(columns, all=within)):
            shown = [i for i in shown if i != left_out]
            widths = _levelled([natural[i] for i in shown], [floors[i] for i in shown], width)
            if widths:
                whole = not within and len(shown) == len(columns)
                return Layout(columns, dict(zip(shown, widths, strict=True)), whole=whole, style=style)
    return Layout(columns, dict(enumerate(natural)), width, whole=False, style=style)


def widths_of(rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns that a terminal needs for each column of cells, as far as it is bounded."""
    return [min(max(map(cells_of, column)), WIDEST) for column in zip(*rows, strict=True)]


def _span(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _spared(columns: Sequence[Column], *, all: bool) -> Iterator[int]:
    """The columns that can be left out, in that order; the last one that there is cannot."""
    found = [i for i, column in enumerate(columns) if column.spare > 0 and (all or column.spare < DETAIL)]
    found.sort(key=lambda i: columns[i].spare)
    yield from found[: len(columns) - 1]


def _floor(column: Column, cells: Sequence[str], natural: int, *, within: bool) -> int:
    """The least width of a column."""
    title = longest_word(column.title)
    if not column.least:
        return max((title, *map(cells_of, cells)))
    unbroken = longest_number if within else longest_word
    return max((title, min(natural, column.least), *(min(unbroken(cell), WIDEST) for cell in cells)))


def _levelled(natural: Sequence[int], floors: Sequence[int], width: int) -> list[int]:
    """Widths that fit, with the widest columns narrowed first; none where the least ones do not fit."""
    if _span(floors) > width:
        return []
    most = max(natural)
    while True:
        widths = [max(floor, min(wide, most)) for wide, floor in zip(natural, floors, strict=True)]
        if _span(widths) <= width:
            return widths
        most -= 1


FORM = Form("table", "txt", write, rank=0)
