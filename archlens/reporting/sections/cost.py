"""Where the parameters and the work are: as charts, and as a ledger."""

from __future__ import annotations

from collections.abc import Sequence

from ...views import cost as view
from ..material import Material
from ..parts import Details, Notes, Part, Picture, Table

TITLE = "Cost"
ORDER = 40

#: The most lines that the ledger has; scopes are opened as long as it has no more.
MOST = 24

#: How deep scopes are looked into.
DEEPEST = 6


def parts(material: Material) -> Sequence[Part]:
    """Charts, the ledger by scope, and what its columns count."""
    ledger = material.ledger
    counts = {depth: len(ledger.by_scope(depth)) for depth in range(1, DEEPEST + 1)}
    depth = max((depth for depth, count in counts.items() if count <= MOST), default=1)
    page = view.of(ledger, by="scope", depth=depth)
    table = Table(
        [column.title for column in page.columns],
        [*zip(*(column.cells for column in page.columns), strict=True), [c.total for c in page.columns]],
        [column.number for column in page.columns],
        totals=True,
    )
    title = f"Parameters, MACs, activations and receptive field, layer by layer. {page.headline}"
    charts = [] if material.undrawn else [Picture("profile", title)]
    formulas = Details("What each column counts, and by which formula", [Notes(page.below)])
    return [*charts, table, formulas]
