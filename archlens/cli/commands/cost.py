"""``archlens cost``."""

from __future__ import annotations

import click

from ...analysis import counting
from ...analysis.cost import cost
from ...errors import usage
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
    help="What each row stands for.",
)
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="The depth of scopes, with --by scope.",
)
@click.option(
    "--count-as",
    type=click.Choice([*counting.names(), "all"]),
    metavar="TOOL",
    help=f"Count as another tool does: {', '.join(counting.names())}; or all of them.",
)
@format_option()
@output_option
def command(load: Load, by: str, depth: int, count_as: str | None, form: str, path: str | None) -> None:
    """Itemise the work of a network: MACs and all other operations."""
    formula = load.formulas(work=True)
    if formula is not None:
        from ...views import cost_formula_table

        if count_as:
            raise usage("--count-as is not for an input with letters", help="give numbers")
        if formula.batch:
            raise usage(
                f"cost is that of one sample, and {formula.batch} is the letter of a batch",
                help="leave it out; archlens shapes takes it",
            )
        write_table(cost_formula_table.table(formula, by=by, depth=depth), form, path)
        return
    ledger = cost(load())
    write_table(view.table(ledger, by=by, depth=depth, count_as=count_as), form, path)
