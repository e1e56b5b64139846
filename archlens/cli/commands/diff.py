"""``archlens diff``."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from ... import dialects
from ...analysis import difference, layouts
from ...analysis.study import Study
from ...dialects.format import File
from ...dialects.module import Named
from ...drawing.formats import ANY
from ...elaboration.given import read_inputs
from ...errors import SpecError, UsageError, shorten, usage
from ...library import Found
from ...library.finding import ENDINGS
from ...views import difference_table as view
from ..options import complete_names, format_option, size_option
from ..output import show, write_bytes, write_table
from ..pictures import extension_of, fit_option, font_option, theme_option

if TYPE_CHECKING:
    from ...dialects import Meant

    #: What both mean; what is wrong stands in the place of a spec that is broken.
    _Founds = tuple[Meant | SpecError, Meant | SpecError]


@click.command("diff")
@click.argument("old", shell_complete=complete_names)
@click.argument("new", shell_complete=complete_names)
@format_option(checks=True)
@size_option
@click.option("--exit-code", is_flag=True, help="Exit with 1 if there is a difference.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="[INPUT=]CxHxW",
    help="The input of torch modules and of files of other tools; by default that of the other network.",
)
@fit_option("a picture")
@font_option
@theme_option("Colours of a picture", "light")
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    help="Write to a file; a picture of the changes if it ends in .svg, .png, .pdf or .tex.",
)
def command(
    old: str,
    new: str,
    form: str,
    exit_code: bool,
    inputs: tuple[str, ...],
    fit: str | None,
    font: str | None,
    theme: str | None,
    path: str | None,
) -> None:
    """Show the changes from one network to another.

    OLD and NEW are names of networks, spec files (my.yaml, my.yaml:variant), files of other tools
    (model.onnx), files at a git revision (main:my.yaml, HEAD~1:models/model.onnx), or torch modules
    (package:Net). Layers are aligned by structure, so renaming a scope or inserting a block does not
    affect the others.
    """
    ending = extension_of(path or "")
    drawn = ending in ANY
    asked = {"fit": fit, "font": font, "theme": theme}
    options = {name: value for name, value in asked.items() if value is not None}
    if options and not drawn:
        raise usage(f"--{next(iter(options))} is for a picture, but none is written", help="add -o diff.svg")
    chosen = _chosen(old, new)
    if drawn and len(chosen.pairs) != 1:
        raise usage(
            f"{shorten(old)} and {shorten(new)} have {len(chosen.pairs)} variants in common",
            help="a picture shows two networks: name a variant of each",
        )
    pairs: list[view.Shown] = []
    identical = not chosen.added and not chosen.removed
    for names, founds in chosen.pairs:
        studies = _both(names, founds, read_inputs(inputs, "--input"))
        found = difference.find(studies[0].network, studies[1].network)
        identical = identical and found.empty
        if drawn:
            assert path is not None
            from ...drawing import Changes, to_bytes

            write_bytes(to_bytes(Changes(found, names, **options), ending), path)
            path = None
        totals = view.totals(*studies)
        data = partial(view.to_data, found, totals, names=names)
        pairs.append(view.Shown(view.table(found, totals, names=names), found.empty, data))
    shown = view.all_of(pairs, chosen.added, chosen.removed, names=(old, new), identical=identical)
    write_table(shown, form, path)
    if exit_code and not identical:
        sys.exit(1)


#: The names of both networks.
_Names = tuple[str, str]


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
    founds: list[Meant | SpecError] = []
    for which, name, other in (("OLD", old, new), ("NEW", new, old)):
        try:
            founds.append(dialects.find_at(name, other))
        except SpecError as problem:
            founds.append(problem)
        except UsageError as problem:
            message = f"{which}: {problem.diagnostic.message}"
            raise UsageError(replace(problem.diagnostic, message=message)) from None
    before, after = (_family(found, name) for found, name in zip(founds, (old, new), strict=True))
    if not before or not after:
        return _Chosen([((old, new), (founds[0], founds[1]))], [], [])
    common = [name for name in after if name in before]
    if not common:
        raise usage(
            f"{shorten(old)} and {shorten(new)} have no variant in common",
            help=f"name one of each: {', '.join(before)}; {', '.join(after)}",
        )
    return _Chosen(
        [((f"{old}:{name}", f"{new}:{name}"), (before[name], after[name])) for name in common],
        added=[f"{new}:{name}" for name in after if name not in common],
        removed=[f"{old}:{name}" for name in before if name not in common],
    )


def _family(found: Meant | SpecError, name: str) -> dict[str, Meant]:
    """The variants of a file of which none was named."""
    if isinstance(found, File):
        try:
            return {one.variant: one for one in found.each() if one.variant} if not found.variant else {}
        except SpecError:
            return {}  # what is wrong is said where it is laid out
    if not isinstance(found, Found):
        return {}
    file = name.rpartition(":")[2]
    if found.variant and not (file != found.variant and file.endswith(ENDINGS)):
        return {}
    return {variant: Found(found.spec, variant) for variant in found.spec.variants}


def _both(names: _Names, founds: _Founds, input: Any) -> tuple[Study, Study]:
    """Both networks; where one is broken, the message says which, and whether the other is.

    A module that is given no input runs on that of the other network, and so does a file that leaves it open.
    """
    studies: dict[str, Study] = {}
    problems: dict[str, SpecError] = {}
    both = zip(("OLD", "NEW"), founds, strict=True)
    for which, found in sorted(both, key=lambda one: _asks(one[1])):
        try:
            if isinstance(found, SpecError):
                raise found
            if _asks(found) and input is None and problems:
                continue  # what it is to run on is not known
            if _asks(found) and input is None and studies:
                studies[which] = _study(found, next(iter(studies.values())).network.inputs)
            else:
                studies[which] = _study(found, input if isinstance(found, Named | File) else None)
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


def _asks(found: Meant | SpecError) -> bool:
    """Whether something does not say itself what it runs on."""
    return isinstance(found, Named) or (isinstance(found, File) and found.is_open)


def _study(found: Meant, input: Any) -> Study:
    network = dialects.network(found, input=input)
    for warning in layouts.find(network):
        show(warning)
    return Study(network)
