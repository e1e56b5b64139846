"""A published table beside what is computed, as a table or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from ..analysis.audit import UNKNOWN, VERDICTS, Audited, AuditedRow
from ..analysis.printed_rows import QUANTITIES
from ..analysis.published_figures import EQUAL, ROUNDED, UNEXPLAINED
from ..counts import dumps
from ..errors import printable, shorten
from ..forms.table import LEAST, Annotation, Case, Cell, Column, Content, Table
from ..shape import times

SCHEMA = "archlens.audit/1"

#: Of a row that nothing is computed of, in the place of a verdict.
_MISSING = "not computed"

_ROLES = {"DIFFERENT": "bad", "not": "bad", "different,": "notable", "equal": "good"}

_COLUMNS = (
    Column("network", least=LEAST),
    Column("input"),
    Column("figure"),
    Column("published", right=True),
    Column("computed", right=True),
    Column("verdict", least=LEAST, roles=_ROLES),
    Column("cause", least=2 * LEAST),
)


def table(found: Sequence[AuditedRow], tools: dict[str, str], name: str, *, differing: bool = False) -> Table:
    """A line a figure.

    Args:
        found: the rows, settled.
        tools: the tools by the names of their conventions.
        name: of the file.
        differing: whether what is equal is left out.
    """
    lines: list[list[Content]] = []
    for row in found:
        if row.problem:
            lines.append([printable(row.row.name), "", "", "", "", _MISSING, printable(row.problem)])
        lines += [
            _cells(row, one) for one in row.figures if not (differing and one.verdict in (EQUAL, ROUNDED))
        ]
    return Table(
        headline=printable(name),
        columns=_COLUMNS,
        rows=lines,
        summary=[_summary(found, tools)],
        json=partial(to_json, found, name),
        suites=[(printable(row.row.name), _cases(row)) for row in found],
        annotations=[one for row in found for one in _annotations(row)],
    )


def _cells(row: AuditedRow, one: Audited) -> list[Content]:
    sizes = ", ".join(map(times, row.inputs.values()))
    verdict = one.verdict.replace("different", "DIFFERENT") if one.verdict == UNEXPLAINED else one.verdict
    printed = one.printed if not one.printed.isdecimal() else f"{int(one.printed):,}"
    return [
        printable(row.row.name),
        sizes,
        QUANTITIES[one.quantity],
        Cell(printed, one.printed),
        Cell(f"{one.computed:,}", int(one.computed) if one.verdict != UNKNOWN else None),
        verdict,
        cause(one),
    ]


def cause(one: Audited) -> str:
    """Why a figure differs, as far as that is known."""
    if not one.causes:
        return printable(getattr(one.computed, "why", ""))
    (found,) = one.causes
    return printable(f"{found.tool} {found.says}" if found.tool else found.says)


def _summary(found: Sequence[AuditedRow], tools: dict[str, str]) -> str:
    figures = [one for row in found for one in row.figures]
    missing = sum(bool(row.problem) for row in found)
    counts = Counter(one.verdict for one in figures)
    parts = [f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict]]
    said = f"{_number(len(found), 'row')}, {_number(len(figures), 'figure')}"
    said += f": {'; '.join(parts)}." if parts else "."
    if missing:
        said += f" {_number(missing, 'row')} not computed."
    by = Counter(cause.tool for one in figures for cause in one.causes if cause.tool)
    if by:
        counted = [f"{tools[tool]} ({count:,})" for tool, count in by.most_common()]
        said += f" Explained by how these count: {', '.join(counted)}."
    return said


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _difference(row: AuditedRow, one: Audited) -> str:
    name, what = shorten(row.row.name), QUANTITIES[one.quantity]
    if one.verdict == UNKNOWN:
        return f"{name}: {what} {one.printed} printed, {one.computed:,} computed"
    return (
        f"{name}: {what} {one.printed} printed, {one.computed:,} computed, and no tool is known to count so"
    )


def _failed(one: Audited) -> bool:
    return one.verdict in (UNEXPLAINED, UNKNOWN)


def _cases(row: AuditedRow) -> list[Case]:
    if row.problem:
        return [Case("computed", "error", printable(row.problem))]
    return [
        Case(
            f"{QUANTITIES[one.quantity]} {one.printed}",
            "failure" if _failed(one) else "",
            _difference(row, one) if _failed(one) else "",
        )
        for one in row.figures
    ]


def _annotations(row: AuditedRow) -> list[Annotation]:
    name = shorten(row.row.name)
    found = [
        Annotation("error", _difference(row, one), row.row.span, name) for one in row.figures if _failed(one)
    ]
    return [*found, Annotation("error", printable(row.problem), row.row.span, name)] if row.problem else found


def to_json(found: Sequence[AuditedRow], name: str) -> str:
    """All of it as ``archlens.audit/1``."""
    return dumps(
        {
            "schema": SCHEMA,
            "table": name,
            "held": all(row.held for row in found),
            "rows": [_row(row) for row in found],
        },
        indent=1,
    )


def _row(row: AuditedRow) -> dict[str, Any]:
    return {
        "name": row.row.name,
        "line": row.row.span.line,
        "inputs": {name: list(shape) for name, shape in row.inputs.items()},
        "problem": row.problem or None,
        "figures": [
            {
                "what": one.quantity,
                "printed": one.printed,
                "computed": one.computed,
                "verdict": one.verdict,
                "cause": next(
                    ({"tool": c.tool or None, "value": c.value, "why": c.says} for c in one.causes), None
                ),
            }
            for one in row.figures
        ],
    }
