"""``archlens fit``."""

from __future__ import annotations

import sys

import click

from ...errors import usage
from ...searching import require_numpy
from ..options import Given, complete_names, format_option, network_options, output_option, type_options
from ..output import write_table
from .search import searched, space_options, varied


@click.command("fit")
@click.argument("name", shell_complete=complete_names)
@space_options
@network_options
@type_options
@format_option()
@output_option
def command(
    name: str,
    vary: tuple[str, ...],
    where: tuple[str, ...],
    given: Given,
    weights: str,
    activations: str,
    form: str,
    path: str | None,
) -> None:
    """Find the largest configuration of a network within limits.

    The first --vary is maximised first, then the next, and so on: `--vary alpha=0.05..2:0.01 --set
    resolution=192 --where 'macs <= 300M'` finds the widest network at 192 pixels. The exit code is 1 if no
    configuration is within the limits.
    """
    require_numpy()
    from ...searching import search
    from ...views import search_table as view

    if not where:
        raise usage("nothing is limited", help="as in --where 'macs <= 300M'")
    space = varied(name, vary)
    wanted = search.asked(space, where, types=(weights, activations))._replace(
        sort=tuple(search.widest(space))
    )
    found = searched(name, given, space, wanted)
    write_table(view.table(found, most=1), form, path)
    if not len(found):
        sys.exit(1)
