"""``archlens explore``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from ...analysis import comparison
from ...analysis.study import Study
from ...dialects import Meant
from ...errors import shorten, usage
from ...explorer import Subject, command_of, page
from ...library import names
from ..options import Given, each, names_argument, network_options
from ..output import progress, write_bytes

#: So many networks take long enough for a bar.
_MANY = 20


@click.command("explore")
@names_argument
@network_options
@click.option(
    "-o", "--output", "path", metavar="FILE", default="explorer.html", show_default=True, help="Where to."
)
def command(name: tuple[str, ...], given: Given, path: str) -> None:
    """Write a page on which networks are explored: one HTML file, which works from a folder.

    Without NAME it is of the zoo: bars, tables and charts of any figures, each network with what it is, where
    its figures are from, and two side by side. Of up to eight networks it has every layer, too: the graph
    whose scopes open and close, each number derived, and what each layer sees of the input. Convolutions and
    receptive fields are explained in moving pictures. It asks nothing of any network.
    """
    found = [(one, meant) for one in name or names() for meant in each(one)]
    seen: set[tuple[str, str]] = set()
    for one, meant in found:
        if (meant.file, meant.variant) in seen:
            raise usage(f"{shorten(meant.variant or one)} is named twice", help="each network once")
        seen.add((meant.file, meant.variant))
    subjects = [
        _subject(one, meant, given) for one, meant in progress(found, "exploring", _called, many=_MANY)
    ]
    options = [word for one in given.inputs for word in ("--input", one)]
    options += [word for one in given.sets for word in ("--set", one)]
    made = command_of([*name, *options], Path(path).name if path != "-" else "-")
    write_bytes(page(_told_apart(subjects), command=made), path)


def _called(pair: tuple[str, Meant]) -> str:
    return pair[1].variant or pair[0]


def _subject(name: str, meant: Meant, given: Given) -> Subject:
    network = given.make(meant)
    study = Study(network)
    overridden = given.overridden(network, meant)
    return Subject(study, comparison.find(study, overridden=overridden), name)


def _told_apart(subjects: Sequence[Subject]) -> list[Subject]:
    """The same, each by another name: those that share one have what was asked for."""
    twice = Counter(one.found.name for one in subjects)
    return [
        replace(one, found=replace(one.found, name=one.asked)) if twice[one.found.name] > 1 else one
        for one in subjects
    ]
