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

    The spec has one block per class, folds repeats into one step and keeps the names. It is read back before
    it is written, and must make the same network; what the language cannot express is refused.
    """
    write_code(convert(load()), "yaml", path)
