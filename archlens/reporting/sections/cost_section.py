"""Where the parameters and the work are: as charts, and as a ledger."""

from __future__ import annotations

from collections.abc import Sequence

from ...views import cost_table as view
from ..material import Material
from ..parts import Details, Notes, Part, Picture

TITLE = "Cost"
ORDER = 40
COMMAND = "cost"

#: The most lines that the ledger has; scopes are opened as long as it has no more.
MOST = 24

#: How deep scopes are looked into.
DEEPEST = 6


def parts(material: Material) -> Sequence[Part]:
    """Charts, the ledger by scope, and what its columns count."""
    ledger = material.study.cost
    depth = 1
    while depth < DEEPEST and len(ledger.by_scope(depth + 1)) <= MOST:
        depth += 1
    table = view.table(ledger, by="scope", depth=depth)
    title = f"Parameters, MACs, activations and receptive field, layer by layer. {table.headline}"
    charts = [] if isinstance(material.plans, str) else [Picture("profile", title)]
    formulas = Details("What each column counts, and by which formula", [Notes(table.notes)])
    return [*charts, table.seen, formulas]
