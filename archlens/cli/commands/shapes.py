"""``archlens shapes``."""

from __future__ import annotations

import sys

import click

from ...analysis import batches, unseen
from ...errors import SpecError, usage
from ...network import Network
from ...views import shapes_table as view
from ...views.columns import COLUMNS, DEFAULT, SETS, choose
from ...views.rows import rows_of
from ..options import Load, format_option, network_argument, output_option
from ..output import is_file, remark, show, write_table

#: How many warnings are shown in full.
_WARNINGS = 3


@click.command("shapes")
@network_argument
@click.option("--depth", type=click.IntRange(min=1), help="Fold scopes deeper than this into subtotals.")
@click.option("--fold", is_flag=True, help="Show consecutive repeats once, as x3.")
@format_option()
@click.option("--columns", metavar="A,B,...", help=f"The columns: {', '.join([*COLUMNS, *SETS])}.")
@output_option
def command(
    load: Load, depth: int | None, fold: bool, form: str, columns: str | None, path: str | None
) -> None:
    """Print every layer: output shape, arithmetic, params, MACs."""
    chosen = choose(columns) if columns else DEFAULT
    formula = load.formulas()
    if formula is not None:
        from ...views import formula_table

        for option, value in {"--depth": depth, "--fold": fold, "--columns": columns}.items():
            if value:
                raise usage(f"{option} is not for an input with letters")
        write_table(formula_table.table(formula), form, path)
        return
    try:
        network = load()
    except SpecError as problem:
        partial = problem.network
        if partial is not None and partial.layers and form in ("table", "markdown") and not is_file(path):
            show(problem.diagnostic)
            click.echo(err=True)
            write_table(
                view.table(partial, rows_of(partial, depth, fold), chosen, complete=False), form, path
            )
            sys.exit(1)
        raise
    _warn(network)
    write_table(view.table(network, rows_of(network, depth, fold), chosen), form, path)


def _warn(network: Network) -> None:
    warnings = [*unseen.find(network), *batches.find(network)]
    for warning in warnings[:_WARNINGS]:
        show(warning)
    more = len(warnings) - _WARNINGS
    if more > 0:
        remark(f"warning: and {more} more layer{'s' if more > 1 else ''} like it")
