"""What was checked, as JUnit XML."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import printable
from .table import Case, Form, Table

#: Characters that XML 1.0 has no way to write.
_ALLOWED = "\t\n\r"


def write(table: Table) -> str:
    """The whole document: a suite for each network in which something was checked."""
    suites = [(name, cases) for name, cases in table.suites if cases]
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


def _counts(cases: Sequence[Case]) -> str:
    failures = sum(case.tag == "failure" for case in cases)
    errors = sum(case.tag == "error" for case in cases)
    return f'tests="{len(cases)}" failures="{failures}" errors="{errors}"'


def _attributes(**values: str) -> str:
    return " ".join(f'{name}="{_escape(value, quoted=True)}"' for name, value in values.items())


def _escape(text: str, *, quoted: bool = False) -> str:
    text = "".join(c if c in _ALLOWED else printable(c) for c in text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace('"', "&quot;").replace("\n", "&#10;") if quoted else text


FORM = Form("junit", "xml", write, rank=6, checks=True)
