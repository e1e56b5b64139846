"""``archlens source``."""

from __future__ import annotations

import sys

import click

from ...source import emit
from ..options import load, network_argument, output_option
from ..output import colored, write


@click.command("source")
@network_argument
@output_option
def command(name: str, inputs: tuple[str, ...], sets: tuple[str, ...], path: str | None) -> None:
    """Print a network as readable PyTorch source.

    A class per block, loops for repeats, the shape beside each line. The text imports torch alone, and has
    the state dict and the outputs of the module that archlens.build makes.
    """
    text = emit(load(name, inputs, sets)).rstrip("\n")
    if path is None and colored(sys.stdout):
        from pygments import highlight
        from pygments.formatters import TerminalFormatter
        from pygments.lexers import PythonLexer

        text = highlight(text, PythonLexer(), TerminalFormatter()).rstrip("\n")
    write(text, path)
