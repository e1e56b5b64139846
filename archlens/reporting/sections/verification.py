"""How the figures were held against real forward passes, and where."""

from __future__ import annotations

from collections.abc import Sequence

from ...views.verification import CONVENTIONS
from ..material import Material
from ..parts import Command, Details, Link, Notes, Paragraph, Part, Piece, Table

TITLE = "Verification"
ORDER = 90
COMMAND = "verify"


def parts(material: Material) -> Sequence[Part]:
    """A line for each report that names the network, as that report has it."""
    name = material.network.name
    rows: list[list[Piece]] = []
    head: Sequence[str] = ()
    for report in material.reports:
        cells = report.rows.get(name)
        if cells is None or material.altered:
            continue
        # a report of another layout, or of another version of the spec, says nothing of this one
        if cells.get("layers") != str(len(material.network)) or (head and list(cells) != list(head)):
            continue
        head = list(cells)
        made = Link(report.made, report.file) if report.file else report.made
        rows.append([made, *(cells[title] for title in head[1:])])
    if not rows:
        verify = f"archlens verify {material.asked or name}"
        if material.altered:
            said = f"With {material.altered} what was verified of the spec does not hold; with torch, "
            return [Paragraph([said, Command(verify), " verifies this network."])]
        written = Command(f"{verify} --format markdown -o verification.md")
        return [Paragraph(["No report of a verification lies here; with torch, ", written, " makes one."])]
    return [
        Table(["made on", *head[1:]], rows, [False, True, *[True] * (len(head) - 3), False]),
        Details("What is compared", [Notes(CONVENTIONS)]),
    ]
