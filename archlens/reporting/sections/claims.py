"""What the paper and others printed, beside what is computed."""

from __future__ import annotations

from collections.abc import Sequence

from ...analysis import claims
from ...views import claims as view
from ..material import Material
from ..parts import Bullets, Paragraph, Part, Table

TITLE = "Published and computed"
ORDER = 70


def parts(material: Material) -> Sequence[Part]:
    """A line a figure; beneath, why some differ."""
    if material.altered and material.network.meta.published:
        said = f"With {material.altered} the figures that are published in the spec do not hold."
        return [Paragraph([said])]
    found = [(material.network, claims.find(material.network))]
    if not found[0][1]:
        return [Paragraph(["No figure is published in the spec."])]
    head, rows, right = view.columns(found)
    # on a page of one network its name says nothing
    table = Table(head[1:], [row[1:] for row in rows], right[1:])
    return [table, Bullets([[line] for line in view.sentences(found)])]
