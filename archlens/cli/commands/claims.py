"""``archlens claims``."""

from __future__ import annotations

import sys

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
    networks = [Given((), ()).make(one) for each in named for one in printed(each)]
    found = [(network, published_figures.find(network)) for network in networks]
    write_table(view.table(found), form, path)
    if any(figure.silent for _, each in found for figure in each):
        sys.exit(1)
