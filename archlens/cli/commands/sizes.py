"""``archlens sizes``."""

from __future__ import annotations

import click

from ...analysis import sizes
from ...views import sizes as view
from ..options import at, load, network_argument, output_option
from ..output import write


@click.command("sizes")
@network_argument
@click.option(
    "--upto",
    type=click.IntRange(min=1, max=8192),
    metavar="N",
    help="Try every size up to this; without it, up to the input's own.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "json"]),
    default="table",
    show_default=True,
)
@output_option
def command(
    name: str, inputs: tuple[str, ...], sets: tuple[str, ...], upto: int | None, form: str, path: str | None
) -> None:
    """Find the inputs that a network takes: the smallest, which fit, which lose no pixel, what they cost."""
    network = load(name, inputs, sets)
    found = sizes.find(at(name, sets), network, bound=upto)
    if form == "json":
        write(view.to_json(found), path)
    elif form == "markdown":
        write(view.to_markdown(network, found), path)
    else:
        write(view.to_text(network, found), path)
