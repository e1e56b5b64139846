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
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Samples at once.")
@format_option()
@output_option
def command(
    load: Load, target: str | None, weights: str, activations: str, batch: int, form: str, path: str | None
) -> None:
    """Multiply-accumulates for each byte that a layer moves, and the time that no machine can beat.

    With --target a layer is bound by compute or by memory, and bounds from below on the time are said.
    They are no prediction: kernels reach a part of a peak, and which part is not known.
    """
    board = boards.find(target) if target is not None else None
    found = roofline.find(load(), weights=weights, activations=activations, batch=batch)
    write_table(view.table(found, board, batch), form, path)
