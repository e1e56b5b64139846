"""A network as the cells of a table, for forms that lay a table out themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..analysis.study import Study
from ..network import Network
from . import words
from .columns import COLUMNS, DEFAULT
from .rows import Row


class Cells(NamedTuple):
    """A table as plain text, cell by cell."""

    headline: str
    head: list[str]
    #: Whether each column holds numbers, and so is aligned to the right.
    numbers: list[bool]
    rows: list[list[str]]
    #: The totals; empty where no column has one.
    totals: list[str]
    #: The conventions, one sentence each.
    below: list[str]


def cells(
    network: Network, rows: Sequence[Row], columns: Sequence[str] = DEFAULT, *, complete: bool = True
) -> Cells:
    """The cells of some rows.

    Args:
        network: where the totals come from.
        rows: what is listed.
        columns: which columns, by name.
        complete: whether the network came to its end; else the totals are called so.
    """
    chosen = [COLUMNS[name] for name in columns]
    study = Study(network)
    totals = [f"{column.total(network):,}" if column.total else "" for column in chosen]
    if not any(totals) and complete:
        totals = []
    elif not chosen[0].total:
        totals[0] = "total" if complete else "up to here"
    noted = [line for column in chosen if column.notes for line in column.notes(rows, study)]
    return Cells(
        headline=words.headline(network, complete=complete),
        head=[column.title for column in chosen],
        numbers=[column.number for column in chosen],
        rows=[[column.text(row, study) for column in chosen] for row in rows],
        totals=totals,
        below=[*words.conventions(network), *noted],
    )
