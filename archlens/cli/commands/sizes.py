"""``archlens sizes``."""

from __future__ import annotations

import click

from ...analysis import sizes
from ...analysis.study import Study
from ...errors import usage
from ...views import sizes_table as view
from ..options import Load, format_option, network_argument, output_option
from ..output import write_table


@click.command("sizes")
@network_argument
@click.option(
    "--upto",
    type=click.IntRange(min=1, max=100_000),
    metavar="N",
    help=f"Try every size up to this; by default up to the network's own input, and at most {sizes.MOST:,}. "
    "A search that would take long stops and says how far it got; --max-layers allows more.",
)
@format_option()
@output_option
def command(load: Load, upto: int | None, form: str, path: str | None) -> None:
    """Find the input sizes that a network accepts.

    It gives the smallest input, the sizes that fit, those that lose no pixel, and what they cost; for an
    input with letters, as 3xHxW, as conditions and formulas.
    """
    formula = load.formulas()
    if formula is not None:
        from ...analysis import sizes_formula
        from ...views import sizes_formula_table

        if upto is not None:
            raise usage("--upto is not for an input with letters", help="the answer covers every size")
        write_table(sizes_formula_table.table(sizes_formula.find(formula)), form, path)
        return
    study = Study(load())
    write_table(view.table(study, sizes.find(study.network, bound=upto)), form, path)
