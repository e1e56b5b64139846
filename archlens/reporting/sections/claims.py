"""What the paper and others printed, beside what is computed."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import printable
from ...published import Entry
from ...views import claims as view
from ..material import Material
from ..parts import Bullets, Link, Paragraph, Part, Piece, Table

TITLE = "Published and computed"
ORDER = 70
COMMAND = "claims"


def parts(material: Material) -> Sequence[Part]:
    """A line a figure; beneath, why some differ."""
    if material.altered and material.network.meta.published:
        said = f"With {material.altered} the figures that are published in the spec do not hold."
        return [Paragraph([said])]
    found = [(material.network, material.study.claims)]
    if not found[0][1]:
        return [Paragraph(["No figure is published in the spec."])]
    rows = [[*view.cells(claim), _source(claim.entry)] for claim in found[0][1]]
    table = Table([*view.HEAD, "source"], rows, [*view.RIGHT, False])
    return [table, Bullets([[line] for line in view.sentences(found)])]


def _source(entry: Entry) -> Piece:
    source = printable(entry.source)
    return Link(source, entry.link) if entry.link else source
