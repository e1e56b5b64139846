"""``archlens explain``."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from ...errors import ArchlensError
from ...library import find
from ...network import Layer, Network
from ...views import explanation
from ..options import Given, Load, network_argument, output_option
from ..output import text_options, write


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    try:
        network = Given((), ()).laid_out(find(ctx.params.get("name") or ""))
    except ArchlensError:
        return []
    return [CompletionItem(layer.name) for layer in network if layer.name.startswith(incomplete)]


@click.command("explain")
@network_argument
@click.argument("layer", required=False, shell_complete=_complete)
@output_option
def command(load: Load, layer: str | None, path: str | None) -> None:
    """Derive each number of a layer step by step, with formulas.

    It shows formulas, values and rounding, and where params and MACs come from. LAYER is a layer or a scope,
    such as conv1 or layer1.0; without it every layer is explained.
    """
    formula = load.formulas()
    width = text_options(path)["width"]
    if formula is not None:
        from ...views import formula_table

        names = [one.name for one in _chosen(formula.main, layer)]
        write(formula_table.explained(formula, names, width=width), path)
        return
    network = load()
    chosen = _chosen(network, layer)
    write(explanation.to_text(network, chosen, width=width), path)


def _chosen(network: Network, name: str | None) -> list[Layer]:
    if name is None:
        return list(network.layers)
    inside = [layer for layer in network.layers if layer.name.startswith(f"{name}.")]
    return inside or [network[name]]
