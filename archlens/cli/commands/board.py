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
@click.option(
    "--tensors", is_flag=True, help="List every tensor, with the steps and the bytes where it lies."
)
@format_option()
@output_option
def command(
    load: Load, target: str | None, weights: str, activations: str, tensors: bool, form: str, path: str | None
) -> None:
    """RAM and flash of a network on a microcontroller, as TensorFlow Lite for Microcontrollers plans them.

    The arena is planned as that runtime plans it, with the bytes below which no plan can be beside it.
    What it needs beside is said. --target compares with a board: stm32f746, or a file of your own.
    """
    board = boards.find(target) if target is not None else None
    found = deploy(load(), weights=weights, activations=activations)
    write_table(view.table(found, board, tensors=tensors), form, path)
