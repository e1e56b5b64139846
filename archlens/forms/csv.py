"""A table as comma-separated values: plain numbers, no totals, nothing folded into text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from ..errors import printable
from .table import Form, Table


def write(table: Table) -> str:
    """A line a row, after a line of names; several tables are parted by an empty line."""
    return "\n\n".join(lines([one.names(), *one.records()]) for one in _tables(table))


def _tables(table: Table) -> Iterator[Table]:
    if table.columns:
        yield table
    for one in table.more:
        yield from _tables(one)


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Rows of values as lines; the last has no end."""
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(map(_cell, row) for row in rows)
    return out.getvalue().rstrip("\n")


def _cell(value: object) -> object:
    """A value as a cell that no spreadsheet takes for a formula: a quote stands before such a text.

    >>> _cell("=1+1"), _cell("conv"), _cell(-3)
    ("'=1+1", 'conv', -3)
    """
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULAS) and not _NUMBER.fullmatch(text) else text


#: How the formulas of spreadsheets start, in wide characters, too; a number may as well. Behind a tab or the
#: end of a line none can start: both are shown as their escapes.
_FORMULAS = tuple("=+-@＝＋－＠")
_NUMBER = re.compile(r"[-+]\d+(\.\d+)?")


FORM = Form("csv", "csv", write, rank=2)
