"""``archlens show``."""

from __future__ import annotations

import click

from ..options import complete_names, described
from ..output import write_code


@click.command("show")
@click.argument("name", shell_complete=complete_names)
def command(name: str) -> None:
    """Print the spec of a network."""
    write_code(described(name).spec.source.text, "yaml", None)
