"""A network as comma-separated values: plain numbers, no totals, nothing folded into text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence

from ..analysis.study import Study
from ..errors import printable
from ..network import Network
from .columns import COLUMNS, DEFAULT
from .rows import Row


def to_csv(network: Network, rows: Sequence[Row], *, columns: Sequence[str] = DEFAULT) -> str:
    """One line per row, after a line of column names."""
    study = Study(network)
    body = [[COLUMNS[name].value(row, study) for name in columns] for row in rows]
    return lines([columns, *body])


def lines(rows: Iterable[Sequence[object]]) -> str:
    """Rows of values as lines; the last has no end."""
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
