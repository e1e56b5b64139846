"""How limits came out, as JUnit XML: a suite a network, a case a limit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..budgets.verdict import Checked, Report
from ..errors import printable, render
from . import check as words

#: Characters that XML 1.0 has no way to write.
_ALLOWED = "\t\n\r"


class _Case(NamedTuple):
    name: str
    #: ``failure`` or ``error``; empty where it holds.
    tag: str = ""
    message: str = ""
    text: str = ""


def to_junit(report: Report) -> str:
    """The whole document."""
    suites = [(one.name, list(_cases(one))) for one in report.checked]
    suites += [(name, [_Case("locked", "failure", f"{name} is no more")]) for name, _ in report.gone]
    if report.nothing:
        suites.append(("archlens check", [_Case("budget", "failure", words.NOTHING, words.INSTEAD)]))
    suites = [(name, cases) for name, cases in suites if cases]
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f"<testsuites {_counts([c for _, s in suites for c in s])}>",
    ]
    for name, cases in suites:
        lines.append(f"  <testsuite {_attributes(name=name)} {_counts(cases)}>")
        for case in cases:
            opened = f"    <testcase {_attributes(classname=name, name=case.name)}"
            if not case.tag:
                lines.append(f"{opened}/>")
                continue
            lines.append(f"{opened}>")
            lines.append(
                f"      <{case.tag} {_attributes(message=case.message)}>{_escape(case.text)}</{case.tag}>"
            )
            lines.append("    </testcase>")
        lines.append("  </testsuite>")
    return "\n".join([*lines, "</testsuites>"])


def _cases(one: Checked) -> Iterator[_Case]:
    if one.problem is not None:
        yield _Case("spec", "error", one.problem.message, render(one.problem))
    if one.empty and one.asked:
        yield _Case("budget", "failure", "nothing was checked, for it has no budget", words.INSTEAD)
    for verdict in one.verdicts:
        name = words.limit(verdict)
        if verdict.held:
            yield _Case(name)
        else:
            text = "\n".join([words.sentence(verdict), *words.heaviest(verdict)])
            yield _Case(name, "failure", words.sentence(verdict), text)
    drift = one.drift
    if drift is not None:
        changes = [words.drifted(change) for change in drift.changes if not change.held]
        if drift.held:
            yield _Case("locked")
        else:
            yield _Case("locked", "failure", drift.problem or "; ".join(changes), "\n".join(changes))


def _counts(cases: list[_Case]) -> str:
    failures = sum(case.tag == "failure" for case in cases)
    errors = sum(case.tag == "error" for case in cases)
    return f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'


def _attributes(**values: str) -> str:
    return " ".join(f'{name}="{_escape(value, quoted=True)}"' for name, value in values.items())


def _escape(text: str, *, quoted: bool = False) -> str:
    text = "".join(c if c in _ALLOWED else printable(c) for c in text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("\n", "&#10;") if quoted else text
