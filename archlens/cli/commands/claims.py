"""``archlens claims``."""

from __future__ import annotations

import sys

import click

from ...analysis import claims
from ...errors import usage
from ...spec import names
from ...views import claims as view
from ..options import complete_names, load, output_option
from ..output import width, write


@click.command("claims")
@click.argument("name", nargs=-1, shell_complete=complete_names)
@click.option("--all", "every", is_flag=True, help="Every network of the zoo.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "json"]),
    default="table",
    show_default=True,
)
@output_option
def command(name: tuple[str, ...], every: bool, form: str, path: str | None) -> None:
    """Compare what others printed of a network with what is computed.

    A difference needs its reason in the spec's `published:`; one without makes the exit code 1.
    """
    if every == bool(name):
        raise usage(
            "claims takes names of networks, or --all",
            help="archlens claims resnet50, or archlens claims --all",
        )
    networks = [load(one, (), ()) for one in (names() if every else name)]
    found = [(network, claims.find(network)) for network in networks]
    if form == "json":
        text = view.to_json(found)
    elif form == "markdown":
        text = view.to_markdown(found)
    else:
        text = view.to_table(found, width=None if path else width())
    write(text, path)
    if any(claim.unexplained for _, each in found for claim in each):
        sys.exit(1)
