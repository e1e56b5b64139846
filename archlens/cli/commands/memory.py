"""``archlens memory``."""

from __future__ import annotations

import click

from ...analysis.memory import BITS, OPTIMIZERS, account
from ...views import memory_table as view
from ..options import Load, format_option, network_argument, output_option
from ..output import write_table


@click.command("memory")
@network_argument
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Samples at once.")
@click.option(
    "--dtype",
    type=click.Choice(list(BITS)),
    default="float32",
    show_default=True,
    help="Type of the weights.",
)
@click.option(
    "--activations",
    type=click.Choice(list(BITS)),
    help="Type of the activations; as the weights, or float32 beside int8 and int4.",
)
@click.option(
    "--optimizer", type=click.Choice(list(OPTIMIZERS)), default="adam", show_default=True, help="In training."
)
@format_option()
@output_option
def command(
    load: Load, batch: int, dtype: str, activations: str | None, optimizer: str, form: str, path: str | None
) -> None:
    """Bytes of weights, of the peak activations of an inference and of training, to the unit.

    The peak is given three times: every op into memory of its own; in place where that is possible;
    and as torch does it eagerly. Which tensors are alive at each peak is said beneath.
    """
    network = load()
    found = account(network, batch=batch, dtype=dtype, activations=activations, optimizer=optimizer)
    write_table(view.table(network, found), form, path)
