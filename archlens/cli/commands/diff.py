"""``archlens diff``."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from ...analysis import difference
from ...elaboration import elaborate
from ...errors import SpecError, UsageError
from ...quantities import Subject
from ...spec.revision import find_at
from ...views import difference as view
from ..options import complete_names, output_option
from ..output import show, write


@click.command("diff")
@click.argument("old", shell_complete=complete_names)
@click.argument("new", shell_complete=complete_names)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "json"]),
    default="table",
    show_default=True,
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 where there is a difference.")
@output_option
def command(old: str, new: str, form: str, exit_code: bool, path: str | None) -> None:
    """Show what changed from one network to another.

    OLD and NEW are names of networks, spec files (my.yaml, my.yaml:variant), or specs as they were at a
    revision of git: main:my.yaml, HEAD~1:models/my.yaml:variant. Layers are aligned by structure, so that a
    renamed scope or an inserted block leaves the others where they are.
    """
    subjects = _both(old, new)
    found = difference.find(subjects[0].network, subjects[1].network)
    to_text = {"table": view.to_table, "markdown": view.to_markdown, "json": view.to_json}[form]
    write(to_text(found, view.totals(*subjects), names=(old, new)), path)
    if exit_code and not found.empty:
        sys.exit(1)


def _both(old: str, new: str) -> tuple[Subject, Subject]:
    """Both networks; where one is broken, the message says which, and whether the other is."""
    found: dict[str, Subject] = {}
    problems: dict[str, SpecError] = {}
    for which, name, other in (("OLD", old, new), ("NEW", new, old)):
        try:
            found[which] = _subject(name, other)
        except SpecError as problem:
            problems[which] = problem
        except UsageError as problem:
            raise UsageError(
                replace(problem.diagnostic, message=f"{which}: {problem.diagnostic.message}")
            ) from None
    for which, broken in problems.items():
        note = f"this is {which}, {old if which == 'OLD' else new}"
        if len(problems) == 1:
            note += f"; {'NEW' if which == 'OLD' else 'OLD'} is sound"
        last = which == list(problems)[-1]
        diagnostic = replace(broken.diagnostic, notes=(*broken.diagnostic.notes, note))
        if last:
            raise SpecError(diagnostic, broken.network)
        show(diagnostic)
    return found["OLD"], found["NEW"]


def _subject(name: str, other: str) -> Subject:
    spec, variant = find_at(name, other)
    network = elaborate(spec, variant)
    return Subject(network, lambda inputs: elaborate(spec, variant, input=inputs, advice=False))
