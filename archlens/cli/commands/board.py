"""``archlens board``."""

from __future__ import annotations

import click

from ... import boards
from ...analysis.deployment import deploy
from ...views import board_table as view
from ..options import Load, board_options, format_option, network_argument, output_option
from ..output import write_table


@click.command("board")
@network_argument
@board_options
@click.option("--tensors", is_flag=True, help="List every tensor with its lifetime and address.")
@format_option()
@output_option
def command(
    load: Load, target: str | None, weights: str, activations: str, tensors: bool, form: str, path: str | None
) -> None:
    """Compute the RAM and flash that a network needs on a board.

    The arena is planned as TensorFlow Lite for Microcontrollers plans it and shown with the
    lower bound of any plan; what is not included is listed. --target compares with a board, such as
    stm32f746, or a file of your own.
    """
    board = boards.find(target) if target is not None else None
    found = deploy(load(), weights=weights, activations=activations)
    write_table(view.table(found, board, tensors=tensors), form, path)
