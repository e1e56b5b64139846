"""``archlens show``."""

from __future__ import annotations

import click

from ...library import find
from ..options import complete_names
from ..output import write_code


@click.command("show")
@click.argument("name", shell_complete=complete_names)
def command(name: str) -> None:
    """Print the text of a network's spec."""
    write_code(find(name).spec.source.text, "yaml", None)
