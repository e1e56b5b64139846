"""Findings of the linter as text, as a table or JSON; and the rules as a table and one by one.

Knows what was found, and not how.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..counts import dumps
from ..errors import Diagnostic, Span, Style, printable, render, unstyled
from ..forms.table import LEAST, Annotation, Case, Column, Table
from ..grouping import grouped
from ..lint import ERROR, LEVELS, Finding, Rule
from ..lint.words import listed
from ..wrapping import wrapped

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
    sharing = grouped((key, one.name) for one, findings in keyed for key, _ in findings)
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

_COLUMNS = (
    Column("network", least=LEAST),
    Column("level"),
    Column("code"),
    Column("rule", shown=False),
    Column("at", least=LEAST),
    Column("message", least=LEAST),
    Column("help", least=LEAST),
)


def table(linted: Sequence[Linted], *, strict: bool = False) -> Table:
    """A line a finding.

    Args:
        linted: what was found.
        strict: whether any finding fails, and not only an error.
    """
    shown = once(linted)
    rows = [_row(one.name, *found) for one in linted for found in _found(one)]
    return Table(
        columns=_COLUMNS if rows else (),
        rows=rows,
        notes=[_summary(linted, sum(len(one.findings) for one in shown))],
        json=partial(to_json, linted),
        suites=[(one.name, list(_cases(one, strict))) for one in linted],
        annotations=[_annotation(one.name, *found) for one in shown for found in _found(one)],
    )


def _found(one: Linted) -> Iterator[tuple[Diagnostic, str]]:
    """What is wrong with a network, each with the name of the rule that says so."""
    if one.problem:
        yield one.problem, ""
    for finding in one.findings:
        yield finding.diagnostic, finding.rule.name


def _row(network: str, found: Diagnostic, rule: str) -> list[str]:
    at = str(found.span) if found.span else ""
    return [network, found.severity, found.code, rule, at, found.message, found.help]


def _cases(one: Linted, strict: bool) -> Iterator[Case]:
    """A case a finding; of a network without any, one that holds."""
    for found, rule in _found(one):
        name = f"{found.code} {rule} {found.span or ''}".strip() if rule else "spec"
        wrong = strict or found.severity == ERROR
        tag = "failure" if rule else "error"
        yield Case(name, tag, found.message, render(found)) if wrong else Case(name)
    if not one.problem and not one.findings:
        yield Case("lint")


def _annotation(network: str, found: Diagnostic, rule: str) -> Annotation:
    help = [f"help: {found.help}"] if found.help else []
    text = "\n".join([f"{network}: {found.message}", *found.notes, *help])
    title = f"{found.code} {rule}" if rule else "archlens"
    return Annotation(_COMMANDS[found.severity], text, found.span, title)


# --- the rules ---------------------------------------------------------------------------------------


def rules(found: Iterable[Rule]) -> Table:
    """Every rule in a line: code, level, name, and what it finds; programs get all that is said of it."""
    said = [(rule, rule.documentation) for rule in found]
    return Table(
        columns=_RULES,
        rows=[
            [rule.code, rule.level, rule.name, one.summary, one.what, one.why, one.example, one.instead]
            for rule, one in said
        ],
        notes=["`archlens rules CODE` says why it matters, with an example."],
    )


#: The fewest columns in which a sentence is still read with ease.
_NARROW = 20

_RULES = (
    *(Column(title) for title in ("code", "level", "name")),
    Column("finds", least=_NARROW),
    *(Column("", key=key, shown=False) for key in ("what", "why", "example", "instead")),
)


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
