"""``archlens report``."""

from __future__ import annotations

import shlex
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import click

from ...analysis import comparison
from ...bounds import shown
from ...errors import printable, shorten, usage
from ...network import Network
from ...reporting import FORMS, File, Material, file_name, gallery, page
from ...studying import Study
from ...views import verification_table
from ..options import Given, all_option, chosen, each, names_argument, network_options
from ..output import progress, write_files


@click.command("report")
@names_argument
@network_options
@all_option
@click.option("-o", "--output", "path", metavar="DIR", required=True, help="The folder to write to.")
@click.option("--format", "form", type=click.Choice(list(FORMS)), default="markdown", show_default=True)
@click.option(
    "--verification",
    "reported",
    multiple=True,
    metavar="FILE",
    help="Output of `archlens verify --format json`; by default verification*.json in DIR.",
)
def command(
    name: tuple[str, ...], given: Given, every: bool, path: str, form: str, reported: tuple[str, ...]
) -> None:
    """Write a page about each network, with figures and diagrams.

    It has every layer, the cost, published figures and the spec. Each variant of a file gets its own page.
    --all also writes an index page. An HTML page is a single file; the pictures of a Markdown page are
    separate files. The output is reproducible to the byte.
    """
    named = [(one, found) for one in chosen("report", name, every, example="lenet5") for found in each(one)]
    subjects = [(one, found, given.make(found)) for one, found in named]
    _check_names([network for _, _, network in subjects])
    reports = _reports(_folder(path), reported)
    if every:
        _check_gallery(Path(path, FORMS[form].gallery))
    files: list[File] = []
    compared = []
    materials: deque[Material] = deque()
    for one, found, network in subjects:
        asked = shlex.join([Path(one).name, *given.words])
        differs = given.overridden(network, found)
        material = Material(Study(network), reports, differs, asked)
        text = found.spec.source.text if found.spec is not None else ""
        shown(found.file, found.variant, len(network.layers), material.boxes, len(text))
        materials.append(material)
    for _, _, network in progress(subjects, "report", lambda subject: subject[2].name):
        material = materials.popleft()  # with all that was found out about it
        files += page(material, form, made=f"archlens report {material.asked}", gallery=every)
        if every:
            compared.append((network, comparison.find(material.study)))
    if every:
        files += gallery(compared, form)
    write_files(files, path)


def _check_names(networks: Sequence[Network]) -> None:
    """Hold that each network has a page of its own, on systems that do not tell A from a too."""
    pages: dict[str, str] = {}
    for network in networks:
        name = file_name(network.name).casefold()
        if name in pages:
            raise usage(
                f"{shorten(pages[name])} and {shorten(network.name)} would have the same page, {name}",
                help="write them to two folders",
            )
        pages[name] = network.name


def _check_gallery(path: Path) -> None:
    """Hold that the page that leads to all others replaces no README of somebody's own."""
    try:
        others = path.is_file() and b"archlens report --all" not in path.read_bytes()
    except OSError:
        return  # it cannot be written either, which is said when it is
    if others:
        raise usage(
            f"{printable(str(path))[:200]} already exists, and was not written by archlens",
            help="choose another folder, or move it away",
        )


def _folder(path: str) -> Path:
    """The folder that the pages go to, if that can be one.

    Raises:
        UsageError: it has no name, or one that no folder can have.
    """
    if not path.strip():
        raise usage("the folder that the pages go to has no name", help="as in -o pages; -o . is this one")
    try:
        Path(path).exists()
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise usage(f"{shorten(path)} is not a folder to write to: {reason}") from None
    return Path(path)


def _reports(folder: Path, given: Sequence[str]) -> list[verification_table.Report]:
    """What is known of verifications: the files that are given, or those that lie in the folder."""
    found = []
    try:
        there = [] if given else sorted(folder.glob("verification*.json"))
    except (OSError, ValueError):
        there = []  # it cannot be written either, which is said when it is
    for path in map(Path, given) if given else there:
        try:
            text = path.read_text("utf-8")
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or "it is not UTF-8"
            raise usage(f"{printable(str(path))[:200]} cannot be read: {reason}") from None
        # a link leads to what lies beside the pages only: to the page for people, where there is one
        page = path.with_suffix(".md")
        beside = page if page.is_file() else path
        report = verification_table.read(text, beside.name if path.parent == folder else "")
        if report is not None:
            found.append(report)
        elif given:
            raise usage(
                f"{printable(str(path))[:200]} is not a report of a verification",
                help="archlens verify NAME --format json -o FILE writes one",
            )
    return found
