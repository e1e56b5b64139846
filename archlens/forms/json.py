"""A table as JSON, for programs: ``archlens.table/1``, unless its view says more than the table does."""

from __future__ import annotations

from typing import Any

from ..counts import dumps
from .table import Form, Table, in_words

SCHEMA = "archlens.table/1"


def write(table: Table) -> str:
    """Columns, and rows of plain values by the names of the columns."""
    if table.json is not None:
        return table.json()
    return dumps({"schema": SCHEMA, **_data(table)}, indent=1)


def _data(table: Table) -> dict[str, Any]:
    names = table.names()
    units = {column.name: column.unit for column in table.columns if column.unit}
    return {
        "headline": f"{table.headline} -> {table.then}" if table.then else table.headline,
        "summary": in_words(table.summary),
        "columns": [{"name": name, "unit": units.get(name)} for name in names],
        "rows": [dict(zip(names, row, strict=True)) for row in table.records()],
        "notes": list(table.notes),
        "more": [_data(one) for one in table.more],
    }


FORM = Form("json", "json", write, rank=3)
