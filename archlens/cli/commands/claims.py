"""``archlens claims``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ...analysis import published_figures
from ...views import published_table as view
from ..options import (
    Given,
    all_option,
    chosen,
    format_option,
    names_argument,
    output_option,
    printed,
    size_option,
)
from ..output import write_table

if TYPE_CHECKING:
    from ...analysis.published_figures import PublishedFigure
    from ...dialects import Meant


@click.command("claims")
@names_argument
@all_option
@size_option
@format_option(checks=True)
@output_option
def command(name: tuple[str, ...], every: bool, form: str, path: str | None) -> None:
    """Compare the published figures of networks with computed ones.

    The `published:` section of a spec says why a figure differs, or that the reason is unknown. The exit code
    is 1 if a figure differs without either. For an Ultralytics file, the figures are those in its comments.
    """
    named = chosen("claims", name, every, example="resnet50")
    found = [_figures(one) for each in named for one in printed(each)]
    write_table(view.table(found), form, path)
    if any(figure.silent for _, each in found for figure in each):
        sys.exit(1)


def _figures(meant: Meant) -> tuple[str, list[PublishedFigure]]:
    """What a network is called, and its published figures: none where a file does not say its input."""
    from ...dialects.format import File

    if isinstance(meant, File) and meant.is_open:
        return meant.name, []
    network = Given((), ()).make(meant)
    return network.name, published_figures.find(network)
