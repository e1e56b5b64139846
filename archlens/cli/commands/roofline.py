"""``archlens roofline``."""

from __future__ import annotations

import click

from ... import boards
from ...analysis import roofline
from ...views import roofline_table as view
from ..options import Load, board_options, format_option, network_argument, output_option
from ..output import write_table


@click.command("roofline")
@network_argument
@board_options
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Batch size.")
@format_option()
@output_option
def command(
    load: Load, target: str | None, weights: str, activations: str, batch: int, form: str, path: str | None
) -> None:
    """Compute arithmetic intensities and lower bounds on the time.

    With --target each layer is bound by compute or by memory, and lower bounds on the time are given. They
    are not predictions: kernels reach only a fraction of the peak, and that fraction is not known.
    """
    board = boards.find(target) if target is not None else None
    found = roofline.find(load(), weights=weights, activations=activations, batch=batch)
    write_table(view.table(found, board, batch), form, path)
