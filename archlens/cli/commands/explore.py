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
from ...errors import shorten, usage
from ...explorer import Subject, command_of, page
from ...explorer.document import BEGINNING
from ...garbage import uncollected
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
    "-o",
    "--output",
    "path",
    metavar="FILE",
    default="explorer.html",
    show_default=True,
    help="Where to write the page.",
)
@click.option(
    "--pages", metavar="DIR", help="A folder of HTML pages by `archlens report`, which networks link to."
)
@click.option(
    "--playground",
    is_flag=True,
    help="Write a folder with an editor of specs that runs archlens in the browser.",
)
@click.option(
    "--pyodide",
    metavar="DIR",
    help="The folder of the npm package pyodide, for --playground; by default npm installs it.",
)
def command(
    name: tuple[str, ...], given: Given, path: str, pages: str | None, playground: bool, pyodide: str | None
) -> None:
    """Write an interactive page of networks as a single HTML file.

    The page works offline. Without NAME it covers the zoo: bars, tables and charts of any figure, a summary
    of each network with its sources, and two networks side by side. It also has every layer of each network:
    a graph whose scopes open and close, the derivation of each number, and the part of the input that each
    layer sees. Convolutions and receptive fields are animated. The page makes no requests.

    --playground writes a folder with an editor for specs, inputs and params, in which archlens itself runs
    with Pyodide. It needs no server, and nothing that you type leaves the browser.
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
