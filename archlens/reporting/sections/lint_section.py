"""What is most likely a mistake, or worth knowing."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import printable
from ...forms.table import Column, Command, Table
from ...lint import Finding
from ..material import Material
from ..parts import Paragraph, Part

TITLE = "Lint"
ORDER = 80
COMMAND = "lint"

_COLUMNS = (Column("rule"), Column("line", right=True), Column("finding"), Column("what would help"))


def parts(material: Material) -> Sequence[Part]:
    """A line a finding, with its line in the spec."""
    found = material.study.lint
    if not found:
        return [Paragraph(["No finding."])]
    rows = [
        [_rule(one), _line(one, material.study.network.origin.source), _said(one), printable(one.help)]
        for one in found
    ]
    return [
        Table(_COLUMNS, rows),
        Paragraph(
            [
                "Lines are those of the spec below. " if material.study.spec is not None else "",
                Command("archlens rules CODE"),
                " says why a rule matters.",
            ]
        ),
    ]


def _line(one: Finding, file: str) -> str:
    """Its line in the spec, or in a file that this uses."""
    if one.span is None:
        return ""
    source = one.span.source.name
    return str(one.span.line) if source == file else f"{printable(source)}:{one.span.line}"


def _rule(finding: Finding) -> str:
    rule = finding.rule
    return f"{rule.code} {rule.name} ({rule.level})"


def _said(finding: Finding) -> str:
    return printable("; ".join([finding.message, *finding.notes]))
