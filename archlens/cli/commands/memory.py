"""``archlens memory``."""

from __future__ import annotations

import click

from ...analysis.memory import BITS, OPTIMIZERS, account
from ...views import memory_table as view
from ..options import Load, format_option, network_argument, output_option
from ..output import write_table


@click.command("memory")
@network_argument
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Batch size.")
@click.option(
    "--dtype",
    type=click.Choice(list(BITS)),
    default="float32",
    show_default=True,
    help="Data type of the weights.",
)
@click.option(
    "--activations",
    type=click.Choice(list(BITS)),
    help="Data type of the activations; by default that of the weights, or float32 with int8 and int4.",
)
@click.option(
    "--optimizer", type=click.Choice(list(OPTIMIZERS)), default="adam", show_default=True, help="In training."
)
@format_option()
@output_option
def command(
    load: Load, batch: int, dtype: str, activations: str | None, optimizer: str, form: str, path: str | None
) -> None:
    """Compute the memory of weights, inference and training.

    All figures are exact. The peak of activations is given three times: with separate memory for the output
    of every op; in place where possible; and as eager torch does it. The tensors that are alive at each peak
    are listed below.
    """
    formula = load.formulas()
    if formula is not None:
        from ...analysis import memory_formula
        from ...views import memory_formula_table

        asked = memory_formula.find(
            formula, batch=batch, dtype=dtype, activations=activations, optimizer=optimizer
        )
        write_table(memory_formula_table.table(asked), form, path)
        return
    network = load()
    found = account(network, batch=batch, dtype=dtype, activations=activations, optimizer=optimizer)
    write_table(view.table(network, found), form, path)
