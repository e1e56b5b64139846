"""How the figures were held against real forward passes, and where."""

from __future__ import annotations

from collections.abc import Sequence

from ...forms.table import Column, Command, Content, Link, Table
from ...views.verification_table import CONVENTIONS
from ..material import Material
from ..parts import Details, Notes, Paragraph, Part

TITLE = "Verification"
ORDER = 90
COMMAND = "verify"


def parts(material: Material) -> Sequence[Part]:
    """A line for each report that names the network, as that report has it."""
    name = material.network.name
    rows: list[list[Content]] = []
    head: Sequence[str] = ()
    for report in material.reports:
        cells = report.rows.get(name)
        if cells is None or material.overridden:
            continue
        # a report of another layout, or of another version of the spec, says nothing of this one
        if cells.get("layers") != str(len(material.network)) or (head and list(cells) != list(head)):
            continue
        head = list(cells)
        made = Link(report.made, report.file) if report.file else report.made
        rows.append([made, *(cells[title] for title in head[1:])])
    if not rows:
        verify = f"archlens verify {material.asked or name}"
        if material.overridden:
            said = f"The verification of the spec does not apply with {material.overridden}; with torch, "
            return [Paragraph([said, Command(verify), " verifies this network."])]
        written = Command(f"{verify} --format json -o verification.json")
        return [
            Paragraph(
                ["There is no verification report in this folder; with torch, ", written, " makes one."]
            )
        ]
    return [
        Table([Column("made on"), *(Column(title, title != "verdict") for title in head[1:])], rows),
        Details("What is compared", [Notes(CONVENTIONS)]),
    ]
