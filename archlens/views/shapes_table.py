"""Every layer of a network, or what is folded of them, in columns that one may choose."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..analysis.study import Study
from ..forms.table import Cell, Content, Table
from ..network import Network
from . import json, words
from .columns import COLUMNS, DEFAULT, Column
from .rows import Row


def table(
    network: Network,
    rows: Sequence[Row],
    columns: Sequence[str] = DEFAULT,
    *,
    complete: bool = True,
    study: Study | None = None,
) -> Table:
    """Some rows of a network.

    Args:
        network: where the totals come from.
        rows: what is listed.
        columns: which columns, by name.
        complete: whether the network came to its end; else the totals are called so.
        study: what is found out about it, where somebody has that already.
    """
    chosen = [COLUMNS[name] for name in columns]
    study = study or Study(network)
    totals = [f"{column.total(network):,}" if column.total else "" for column in chosen]
    if not any(totals) and complete:
        totals = []
    elif not chosen[0].total:
        totals[0] = "total" if complete else "up to here"
    noted = [line for column in chosen if column.notes for line in column.notes(rows, study)]
    return Table(
        headline=words.headline(network, complete=complete),
        columns=[COLUMNS[name].head._replace(key=name) for name in columns],
        rows=[[_cell(column, row, study) for column in chosen] for row in rows],
        totals=totals,
        notes=[*words.conventions(network), *noted, *network.origin.notes],
        json=partial(json.to_json, study),
    )


def _cell(column: Column, row: Row, study: Study) -> Content:
    said = column.text(row, study)
    return said if column.text is column.value else Cell(said, column.value(row, study))
