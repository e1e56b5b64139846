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

    A class per block, loops for repeats, the shape beside each line. The text imports torch alone, and has
    the state dict and the outputs of the module that archlens.build makes.
    """
    write_code(emit(load()), "python", path)
