"""Findings of the linter as text, JSON or GitHub's annotations; and the rules as a list and one by one.

Knows what was found, and not how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ..counts import dumps
from ..errors import Diagnostic, Span, Style, printable, render, unstyled
from ..lint import LEVELS, Finding, Rule
from ..lint.words import listed
from ..wrapping import wrapped
from . import grid
from .annotation import annotation

SCHEMA = "archlens.lint/1"


class Linted(NamedTuple):
    """What was found in one network; or why it could not be put together."""

    name: str
    findings: Sequence[Finding]
    problem: Diagnostic | None = None


def totals(linted: Iterable[Linted]) -> dict[str, int]:
    """How many findings there are of each level; a network that is wrong counts as an error."""
    found = dict.fromkeys(LEVELS, 0)
    for one in linted:
        for finding in one.findings:
            found[finding.rule.level] += 1
        found["error"] += one.problem is not None
    return found


def once(linted: Sequence[Linted]) -> list[Linted]:
    """The same with each rule once at each place: the first network has the finding, a note the others."""
    keyed = [(one, list(zip(_places(one.findings), one.findings, strict=True))) for one in linted]
    sharing: dict[Any, list[str]] = {}
    for one, findings in keyed:
        for key, _ in findings:
            sharing.setdefault(key, []).append(one.name)
    found = []
    for one, findings in keyed:
        own = []
        for key, finding in findings:
            names = sharing.pop(key, None)  # the first network takes it
            if names is not None:
                notes = [f"likewise in {listed(list(map(printable, names[1:])), _MOST)}"] if names[1:] else []
                own.append(replace(finding, notes=(*finding.notes, *notes)))
        found.append(one._replace(findings=own))
    return found


#: The most networks that a note lists.
_MOST = 6


def _places(findings: Sequence[Finding]) -> Iterator[Any]:
    """What tells findings of one network apart, and is the same for those of its relatives."""
    counts: dict[Any, int] = {}
    for finding in findings:
        span = finding.span
        place = (span.source.name, span.line, span.column) if span is not None else finding.layers[:1]
        key = finding.rule.code, *place
        counts[key] = counts.get(key, 0) + 1
        yield *key, counts[key]


def to_text(linted: Sequence[Linted], style: Style = unstyled, width: int | None = None) -> str:
    """Each finding as a diagnostic, and how many there are; with several networks, under their names."""
    shown = once(linted)
    parts = []
    for one in shown:
        diagnostics = [one.problem] if one.problem else []
        diagnostics += [finding.diagnostic for finding in one.findings]
        if diagnostics and len(linted) > 1:
            parts.append(style(printable(one.name), "message"))
        parts += [render(diagnostic, style, width) for diagnostic in diagnostics]
    summary = _summary(linted, sum(len(one.findings) for one in shown))
    return "\n\n".join([*parts, *wrapped(summary, width)])


def _summary(linted: Sequence[Linted], places: int) -> str:
    """``vgg16: 1 advice; `archlens rules AL302` says more``."""
    counts = totals(linted)
    of = printable(linted[0].name) if len(linted) == 1 else f"{len(linted)} networks"
    said = [f"{n} {word}{'s' if n > 1 and word != 'advice' else ''}" for word, n in counts.items() if n]
    if not said:
        return f"{of}: nothing found"
    codes = sorted({finding.rule.code for one in linted for finding in one.findings})
    more = f"; `archlens rules {codes[0]}` says more" if codes else ""
    at = f" at {places} place{'' if places == 1 else 's'}" if places and len(linted) > 1 else ""
    return f"{of}: {', '.join(said)}{at}{more}"


def to_json(linted: Sequence[Linted]) -> str:
    """``archlens.lint/1``: every finding of every network, one a line."""
    networks = []
    for one in linted:
        findings = ",\n".join(f"      {dumps(_finding(finding))}" for finding in one.findings)
        problem = dumps(_problem(one.problem) if one.problem else None)
        listed = f"[\n{findings}\n    ]" if findings else "[]"
        networks.append(f'    {{"name": {dumps(one.name)}, "error": {problem}, "findings": {listed}}}')
    return "\n".join(
        [
            "{",
            f'  "schema": {dumps(SCHEMA)},',
            '  "networks": [',
            ",\n".join(networks),
            "  ],",
            f'  "totals": {dumps(totals(linted))}',
            "}",
        ]
    )


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.rule.code,
        "rule": finding.rule.name,
        "level": finding.rule.level,
        "message": finding.message,
        **_place(finding.span),
        "layers": list(finding.layers),
        "notes": list(finding.notes),
        "help": finding.help,
        "also": [{"label": label, **_place(span)} for label, span in finding.also],
        "numbers": dict(finding.numbers),
    }


def _problem(problem: Diagnostic) -> dict[str, Any]:
    return {
        "message": problem.message,
        **_place(problem.span),
        "notes": list(problem.notes),
        "help": problem.help,
    }


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {}
    return {"file": span.source.name, "line": span.line, "column": span.column, "width": span.width}


#: What GitHub calls the levels.
_COMMANDS = {"error": "error", "warning": "warning", "advice": "notice"}


def to_github(linted: Sequence[Linted]) -> str:
    """Workflow commands, which GitHub shows beside the lines of the spec."""
    shown = once(linted)
    lines = []
    for one in shown:
        if one.problem:
            lines.append(_command(one.problem, one.name, "archlens"))
        for finding in one.findings:
            rule = finding.rule
            lines.append(_command(finding.diagnostic, one.name, f"{rule.code} {rule.name}"))
    return "\n".join(lines)


def _command(diagnostic: Diagnostic, network: str, title: str) -> str:
    help = [f"help: {diagnostic.help}"] if diagnostic.help else []
    text = "\n".join([f"{network}: {diagnostic.message}", *diagnostic.notes, *help])
    return annotation(_COMMANDS[diagnostic.severity], text, diagnostic.span, title)


# --- the rules ---------------------------------------------------------------------------------------


def rules_to_text(rules: Iterable[Rule], width: int | None = None, style: Style = unstyled) -> str:
    """Every rule in a line: code, level, name, and what it finds; wrapped to a width where there is one."""
    columns = [*map(grid.Column, ("code", "level", "name")), grid.Column("finds", least=_NARROW)]
    rows = [[rule.code, rule.level, rule.name, rule.documentation.summary] for rule in rules]
    lines = grid.fit(columns, rows, width, style).table(rows)
    return "\n".join(
        [*lines, "", *wrapped("`archlens rules CODE` says why it matters, with an example.", width)]
    )


#: The fewest columns in which a sentence is still read with ease.
_NARROW = 20


def rule_to_text(rule: Rule, width: int | None = None, style: Style = unstyled) -> str:
    """A rule in full: what it does, why it matters, an example, and what to use instead.

    Examples are specs, and are as they are.
    """
    columns = min(width or _WIDTH, _WIDTH)
    said = rule.documentation

    def paragraph(text: str, indent: str = "  ") -> list[str]:
        return wrapped(text, columns, lead=indent)

    def section(title: str, lines: Iterable[str]) -> list[str]:
        return ["", style(title, "message"), *lines]

    return "\n".join(
        [
            style(f"{rule.code} {rule.name}", "message") + f" ({rule.level})",
            "",
            *paragraph(said.summary, ""),
            *section("What it does", paragraph(said.what)),
            *section("Why it matters", paragraph(said.why)),
            *section("Example", (f"  {line}".rstrip() for line in said.example.split("\n"))),
            *section("Use instead", (f"  {line}".rstrip() for line in said.instead.split("\n"))),
        ]
    )


#: The most columns of running text.
_WIDTH = 100
