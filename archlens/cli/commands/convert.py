"""``archlens convert``."""

from __future__ import annotations

import click

from ...writing import convert
from ..options import Load, network_argument, output_option
from ..output import write_code


@click.command("convert")
@network_argument
@output_option
def command(load: Load, path: str | None) -> None:
    """Write the spec of any network, such as a torch module.

    A block for each class, repeats as one step, names kept. The text is read again before it is written: it
    makes the same network, or what the language cannot say is refused.
    """
    write_code(convert(load()), "yaml", path)
