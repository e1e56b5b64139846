"""``archlens diff``."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any, NamedTuple

import click

from ...analysis import difference, layouts
from ...analysis.study import Study
from ...elaboration import elaborate
from ...errors import SpecError, UsageError, shorten, usage
from ...forms.table import Table
from ...language import Spec
from ...library.finding import Found
from ...library.revision import find_at
from ...views import difference_table as view
from ..options import complete_names, format_option, output_option, size_option
from ..output import show, write_table


@click.command("diff")
@click.argument("old", shell_complete=complete_names)
@click.argument("new", shell_complete=complete_names)
@format_option(checks=True)
@size_option
@click.option("--exit-code", is_flag=True, help="Exit with 1 where there is a difference.")
@output_option
def command(old: str, new: str, form: str, exit_code: bool, path: str | None) -> None:
    """Show what changed from one network to another.

    OLD and NEW are names of networks, spec files (my.yaml, my.yaml:variant), or specs as they were at a
    revision of git: main:my.yaml, HEAD~1:models/my.yaml:variant. Layers are aligned by structure, so that a
    renamed scope or an inserted block leaves the others where they are.
    """
    chosen = _chosen(old, new)
    pairs: list[tuple[Table, dict[str, Any]]] = []
    identical = not chosen.added and not chosen.removed
    for names, founds in chosen.pairs:
        studies = _both(names, founds)
        found = difference.find(studies[0].network, studies[1].network)
        identical = identical and found.empty
        totals = view.totals(*studies)
        pairs.append((view.table(found, totals, names=names), view.to_data(found, totals, names=names)))
    shown = view.all_of(pairs, chosen.added, chosen.removed, names=(old, new), identical=identical)
    write_table(shown, form, path)
    if exit_code and not identical:
        sys.exit(1)


#: The names of both networks, and their specs; what is wrong stands in the place of a spec that is broken.
_Names = tuple[str, str]
_Founds = tuple[Found | SpecError, Found | SpecError]


class _Chosen(NamedTuple):
    """The pairs to compare, and the variants that only one of two families has."""

    pairs: list[tuple[_Names, _Founds]]
    added: list[str]
    removed: list[str]


def _chosen(old: str, new: str) -> _Chosen:
    """The pairs to compare: one; or, of two families, each variant that both have.

    Raises:
        UsageError: there is no such network, file or revision; or two families have no variant in common.
    """
    founds: list[Found | SpecError] = []
    for which, name, other in (("OLD", old, new), ("NEW", new, old)):
        try:
            founds.append(find_at(name, other))
        except SpecError as problem:
            founds.append(problem)
        except UsageError as problem:
            message = f"{which}: {problem.diagnostic.message}"
            raise UsageError(replace(problem.diagnostic, message=message)) from None
    before, after = founds
    if (
        isinstance(before, SpecError)
        or isinstance(after, SpecError)
        or not (_is_family(before, old) and _is_family(after, new))
    ):
        return _Chosen([((old, new), (before, after))], [], [])
    common = [name for name in after.spec.variants if name in before.spec.variants]
    if not common:
        raise usage(
            f"{shorten(old)} and {shorten(new)} have no variant in common",
            help=f"name one of each: {', '.join(before.spec.variants)}; {', '.join(after.spec.variants)}",
        )
    return _Chosen(
        [
            ((f"{old}:{name}", f"{new}:{name}"), (Found(before.spec, name), Found(after.spec, name)))
            for name in common
        ],
        added=[f"{new}:{name}" for name in after.spec.variants if name not in common],
        removed=[f"{old}:{name}" for name in before.spec.variants if name not in common],
    )


def _is_family(found: Found, name: str) -> bool:
    """Whether a name means a file with variants, and none of them."""
    if not found.variant:
        return bool(found.spec.variants)
    file = name.rpartition(":")[2]
    return file != found.variant and file.endswith((".yaml", ".yml"))


def _both(names: _Names, founds: _Founds) -> tuple[Study, Study]:
    """Both networks; where one is broken, the message says which, and whether the other is."""
    studies: dict[str, Study] = {}
    problems: dict[str, SpecError] = {}
    for which, found in zip(("OLD", "NEW"), founds, strict=True):
        try:
            if isinstance(found, SpecError):
                raise found
            studies[which] = _study(*found)
        except SpecError as problem:
            problems[which] = problem
        except UsageError as problem:
            message = f"{which}: {problem.diagnostic.message}"
            raise UsageError(replace(problem.diagnostic, message=message)) from None
    for which, broken in problems.items():
        note = f"this is {which}, {names[which == 'NEW']}"
        if len(problems) == 1:
            note += f"; {'NEW' if which == 'OLD' else 'OLD'} is sound"
        diagnostic = replace(broken.diagnostic, notes=(*broken.diagnostic.notes, note))
        if which == list(problems)[-1]:
            raise SpecError(diagnostic, broken.network)
        show(diagnostic)
    return studies["OLD"], studies["NEW"]


def _study(spec: Spec, variant: str) -> Study:
    network = elaborate(spec, variant)
    for warning in layouts.find(network):
        show(warning)
    return Study(network)
