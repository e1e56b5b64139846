"""``archlens trace``."""

from __future__ import annotations

import click

from ...errors import shorten, usage
from ...tracing.origin import Traced
from ...views import trace_table as view
from ..options import Load, format_option, network_argument, output_option
from ..output import write_table


@click.command("trace")
@network_argument
@click.option("--coverage", is_flag=True, help="List the operators that ran, and the layers that are opaque.")
@format_option()
@output_option
def command(load: Load, coverage: bool, form: str, path: str | None) -> None:
    """Show how a torch module became a network.

    It lists what ran, the layers that it became, and what is not known of them.
    """
    network = load()
    origin = network.origin
    if not isinstance(origin, Traced) or origin.account is None:
        name = shorten(network.name)
        raise usage(
            f"nothing of {name} runs: only torch modules and exported programs are traced",
            help=f"archlens trace model.py:Net --input {network.input}; or archlens shapes {name}",
        )
    shown = view.table(network, origin.account, steady=origin.is_steady(network), coverage=coverage)
    write_table(shown, form, path)
