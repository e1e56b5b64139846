"""Every layer with the arithmetic of its output shape."""

from __future__ import annotations

from collections.abc import Sequence

from ...views import shapes_table
from ...views.rows import rows_of
from ..material import Material
from ..parts import MOST, Details, Notes, Part, left_out

TITLE = "Layers"
ORDER = 30
COMMAND = "shapes"

#: What the table shows.
SHOWN = ("layer", "op", "arithmetic", "output", "field", "params", "macs")

#: The longest table that is open from the start.
OPEN = 40


def parts(material: Material) -> Sequence[Part]:
    """The table, neighbours that repeat once."""
    network = material.network
    rows = rows_of(network, fold=True, repeats=material.study.repeats)
    table = shapes_table.table(network, rows[:MOST], SHOWN, study=material.study)
    folded = any(row.repeats > 1 for row in rows)
    once = [
        "x2 stands for two repeats, each with its own weights, shown once; a range shows where they differ."
    ]
    beneath = left_out(len(rows) - MOST, COMMAND)
    said: list[Part] = [table, *beneath, Notes([*table.notes, *(once if folded else [])])]
    if len(rows) <= OPEN:
        return said
    shown = f"{len(network):,} layers in {len(rows):,} lines" if folded else f"{len(network):,} layers"
    return [Details(shown, said)]
