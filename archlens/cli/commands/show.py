"""``archlens show``."""

from __future__ import annotations

import sys

import click

from ...library import find
from ..options import complete_names
from ..output import colored, write


@click.command("show")
@click.argument("name", shell_complete=complete_names)
def command(name: str) -> None:
    """Print the text of a network's spec."""
    text = find(name).spec.source.text.rstrip("\n")
    if colored(sys.stdout):
        from pygments import highlight
        from pygments.formatters import TerminalFormatter
        from pygments.lexers import YamlLexer

        text = highlight(text, YamlLexer(), TerminalFormatter()).rstrip("\n")
    write(text, None)
