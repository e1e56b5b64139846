"""``archlens source``."""

from __future__ import annotations

import click

from ...source import emit
from ..options import Load, network_argument, output_option
from ..output import write_code


@click.command("source")
@network_argument
@output_option
def command(load: Load, path: str | None) -> None:
    """Print a network as readable PyTorch source.

    It has a class for each block, loops for repeats and the shape after each line. The source imports only
    torch, and has the same state dict and outputs as the module that archlens.build makes.
    """
    write_code(emit(load()), "python", path)
