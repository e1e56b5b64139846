"""``archlens cost``."""

from __future__ import annotations

import click

from ...analysis import counting
from ...analysis.cost import cost
from ...views import cost_table as view
from ..options import Load, format_option, network_argument, output_option
from ..output import write_table


@click.command("cost")
@network_argument
@click.option(
    "--by",
    type=click.Choice(["layer", "scope", "op"]),
    default="layer",
    show_default=True,
    help="What a row stands for.",
)
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="How deep a scope is, with --by scope.",
)
@click.option(
    "--count-as",
    type=click.Choice([*counting.names(), "all"]),
    metavar="TOOL",
    help=f"Count as a tool does, and say what that is: {', '.join(counting.names())}; or all of them.",
)
@format_option()
@output_option
def command(load: Load, by: str, depth: int, count_as: str | None, form: str, path: str | None) -> None:
    """What a network costs: MACs, and beside them all other work, itemised, with its formulas."""
    ledger = cost(load())
    write_table(view.table(ledger, by=by, depth=depth, count_as=count_as), form, path)
