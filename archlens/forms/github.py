"""Workflow commands, which GitHub Actions shows beside the lines of a pull request.

Source: GitHub, "Workflow commands for GitHub Actions"; what is escaped, and how, is that of actions/toolkit,
``packages/core/src/command.ts``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..errors import Span, printable
from .table import Form, Table, in_words

#: What ends a command or a property, and how it is written.
_DATA = {"%": "%25", "\r": "%0D", "\n": "%0A"}
_PROPERTY = {**_DATA, ":": "%3A", ",": "%2C"}


def write(table: Table) -> str:
    """A command for each thing that failed, and a line that says how it all came out."""
    lines = [annotation(*one) for one in table.annotations]
    return "\n".join([*lines, printable(in_words(table.summary))] if table.summary else lines)


def annotation(level: str, message: str, span: Span | None, title: str) -> str:
    """One command: ``::error file=a.yaml,line=3,col=5,endColumn=9,title=…::message``.

    Args:
        level: ``error``, ``warning`` or ``notice``.
        message: may have several lines.
        span: the place that is marked, if any.
        title: what stands above it.
    """
    where: dict[str, str] = {}
    if span is not None:
        where = {
            "file": _from_the_top(span.source.name).replace("\\", "/"),
            "line": str(span.line),
            "col": str(span.column),
            "endColumn": str(span.column + span.width),
        }
    properties = {**where, "title": title}
    said = ",".join(f"{key}={_escaped(value, _PROPERTY)}" for key, value in properties.items())
    return f"::{level} {said}::{_escaped(message, _DATA)}"


def _from_the_top(name: str) -> str:
    """A path as GitHub looks it up: from the top of the repository, whatever folder a step works in."""
    top = os.environ.get("GITHUB_WORKSPACE")
    if not top or not os.path.isfile(name):
        return name
    path = os.path.relpath(os.path.realpath(name), os.path.realpath(top))
    return name if path.startswith("..") else path


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    """A text that cannot end the command that it stands in, nor steer a terminal that shows the log."""
    return "".join(escapes.get(character) or printable(character) for character in text)


FORM = Form("github", "txt", write, rank=7, checks=True)
