"""Cells in aligned columns: the one layout under every plain and Markdown table, fitted to a terminal.

No table library: importing the fastest takes as long as everything else that prints a table of ResNet-152.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import Style, unstyled
from ..wrapping import cells_of, longest_number, longest_word, wrapped

#: Spaces between two columns.
GAP = 2

#: The widest column: one cell that is longer would fill all others up with as many blanks.
WIDEST = 300

#: The least width that a column of words is wrapped to.
LEAST = 12

#: The columns of details have a lower ``spare``.
DETAIL = 5


class Column(NamedTuple):
    """What a table knows of one of its columns."""

    title: str
    #: Whether it is aligned to the right, as numbers are.
    right: bool = False
    #: Words may be wrapped, to no less than this; 0 is for figures, which never are.
    least: int = 0
    #: Where a terminal is too narrow the column with the least number is left out first; 0 never is. Those
    #: below :data:`DETAIL` are left out before a word is broken.
    spare: int = 0
    #: The roles by which a style dresses cells, by the first word of a cell.
    roles: Mapping[str, str] | None = None


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

    def table(self, rows: Sequence[Sequence[str]], totals: Sequence[str] = ()) -> list[str]:
        """Head, rows and totals."""
        lines = self.head
        for row in rows:
            lines += self.row(row)
        if totals and not self.narrow:
            lines.append(self.rule)
        return lines + [self.style(line, "head") for line in self.row(totals)] if totals else lines

    @property
    def left_out(self) -> list[str]:
        """A sentence that says which columns are left out, where some are."""
        missing = [column for i, column in enumerate(self.columns) if i not in self.widths]
        titles = ", ".join(column.title for column in sorted(missing, key=lambda column: column.spare))
        return [f"Left out, for want of width: {titles}."] if titles else []

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


def pipes(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Lines of a Markdown table; the cells are taken as they are."""
    widths = [max(width, 3) for width in widths_of([head, *rows])]
    rule = [
        "-" * (width - 1) + ":" if r else ":" + "-" * (width - 1)
        for r, width in zip(right, widths, strict=True)
    ]
    return [f"| {' | '.join(map(_padded, row, right, widths))} |" for row in [head, rule, *rows]]


def _padded(cell: str, right: bool, width: int) -> str:
    blanks = " " * (width - cells_of(cell))
    return blanks + cell if right else cell + blanks
