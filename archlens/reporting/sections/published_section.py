"""What the paper and others printed, beside what is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...views import published_table as view
from ..material import Material
from ..parts import Bullets, Paragraph, Part

TITLE = "Published and computed"
ORDER = 70
COMMAND = "claims"


def parts(material: Material) -> Sequence[Part]:
    """A line a figure; beneath, why some differ."""
    if material.overridden and material.network.meta.published:
        said = f"The published figures of the spec do not apply with {material.overridden}."
        return [Paragraph([said])]
    table = view.table([(material.network.name, material.study.claims)])
    if not table.rows:
        return [Paragraph(["The spec lists no published figures."])]
    _network, *columns = table.columns
    shown = replace(table, columns=columns, rows=[row[1:] for row in table.cells])
    return [shown.seen, Bullets([[str(line)] for block in table.remarks for line in block])]
