"""``archlens sizes``."""

from __future__ import annotations

import click

from ...analysis import sizes
from ...analysis.study import Study
from ...views import sizes_table as view
from ..options import Load, format_option, network_argument, output_option
from ..output import write_table


@click.command("sizes")
@network_argument
@click.option(
    "--upto",
    type=click.IntRange(min=1, max=100_000),
    metavar="N",
    help=f"Try every size up to this; without it, up to the input's own, and to {sizes.MOST:,} at most. What "
    "takes more than seconds is given up, and says how far it came; --max-layers allows more.",
)
@format_option()
@output_option
def command(load: Load, upto: int | None, form: str, path: str | None) -> None:
    """Find the inputs that a network takes: the smallest, which fit, which lose no pixel, what they cost."""
    study = Study(load())
    write_table(view.table(study, sizes.find(study.network, bound=upto)), form, path)
