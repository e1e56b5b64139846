"""``archlens explore``."""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from ...analysis import comparison
from ...analysis.comparison import Compared
from ...analysis.study import Study
from ...dialects.format import uncollected
from ...errors import shorten, usage
from ...explorer import Subject, command_of, page
from ...explorer.document import BEGINNING
from ...library import names
from ...reporting import file_name
from ..options import Given, beside, each_once, names_argument, network_options
from ..output import write_bytes, write_files

if TYPE_CHECKING:
    from ...dialects import Meant


@click.command("explore")
@names_argument
@network_options
@click.option(
    "-o", "--output", "path", metavar="FILE", default="explorer.html", show_default=True, help="Where to."
)
@click.option(
    "--pages", metavar="DIR", help="A folder of HTML pages of `archlens report`, to which networks lead."
)
@click.option(
    "--playground",
    is_flag=True,
    help="Write a folder, whose page has an editor of specs with archlens itself behind it.",
)
@click.option(
    "--pyodide",
    metavar="DIR",
    help="Where the npm package pyodide is, for --playground; without it npm is asked for it.",
)
def command(
    name: tuple[str, ...], given: Given, path: str, pages: str | None, playground: bool, pyodide: str | None
) -> None:
    """Write a page on which networks are explored: one HTML file, which works from a folder.

    Without NAME it is of the zoo: bars, tables and charts of any figures, each network with what it is, where
    its figures are from, and two side by side. Of up to eight networks, and of the five that it begins with,
    it has every layer, too: the graph whose scopes open and close, each number derived, and what each layer
    sees of the input. Convolutions and receptive fields are explained in moving pictures. It asks nothing of
    any network.

    --playground writes a folder in which specs are typed, and inputs and params changed, with archlens itself
    behind it, by Pyodide: it works without a server, and nothing that is typed leaves the browser.
    """
    if pyodide is not None and not playground:
        raise usage("--pyodide is for --playground")
    named = each_once(name or (BEGINNING if playground else names()))
    options = given.words
    options += ["--pages", pages] if pages is not None else []
    options += ["--playground"] if playground else []
    made = command_of([*name, *options], Path(path).name if path != "-" else "-")
    with uncollected():
        studied = [_studied(meant, given) for _, meant in beside(named, "exploring")]
        asked = [one for one, _ in named]
        found = comparison.told_apart([one for _, one in studied], asked)
        subjects = [*map(Subject, (study for study, _ in studied), found, asked)]
        if pages is not None:
            subjects = _with_pages(subjects, pages, path if playground else os.path.dirname(path))
        if playground:
            _write_folder(subjects, made, path, pyodide)
        else:
            write_bytes(page(subjects, command=made), path)


def _with_pages(subjects: Sequence[Subject], pages: str, folder: str) -> list[Subject]:
    """The same, each with the address of its page, if it has one.

    Args:
        subjects: the networks.
        pages: the folder of the pages.
        folder: that of the explorer, from which addresses start.

    Raises:
        UsageError: none of them has one.
    """
    found = []
    for one in subjects:
        file = Path(pages, f"{file_name(one.found.name)}.html")
        address = quote(Path(os.path.relpath(file, folder or ".")).as_posix()) if file.is_file() else ""
        found.append(replace(one, page=address))
    if not any(one.page for one in found):
        raise usage(
            f"{shorten(pages, 200)} has no page of a network that is shown here",
            help=f"archlens report --all --format html -o {shorten(pages, 200)} writes them",
        )
    return found


def _write_folder(subjects: Sequence[Subject], made: str, path: str, pyodide: str | None) -> None:
    from ...playground.folder import files

    if path in ("-", "explorer.html"):
        raise usage("--playground writes a folder", help="as in -o playground")
    write_files([*files(subjects, command=made, pyodide=pyodide)], path)


def _studied(meant: Meant, given: Given) -> tuple[Study, Compared]:
    network = given.make(meant)
    study = Study(network)
    return study, comparison.find(study, overridden=given.overridden(network, meant))
