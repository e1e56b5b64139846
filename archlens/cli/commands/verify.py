"""``archlens verify``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import click

from ...backends import require_torch
from ...errors import usage
from ...spec import names
from ...views import verification as view
from ..options import at, complete_names, load, network_options, output_option
from ..output import write

#: A progress bar is shown from so many networks on.
_LONG = 2


@click.command("verify")
@click.argument("name", nargs=-1, shell_complete=complete_names)
@network_options
@click.option("--all", "every", is_flag=True, help="Every network of the zoo.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 or meta.")
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Samples at once.")
@click.option("--weights", metavar="FILE", help="Weights that have to fit, of one network.")
@click.option("--layers", is_flag=True, help="Show every check of every layer.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "markdown", "json"]),
    default="table",
    show_default=True,
)
@output_option
def command(
    name: tuple[str, ...],
    inputs: tuple[str, ...],
    sets: tuple[str, ...],
    every: bool,
    device: str,
    batch: int,
    weights: str | None,
    layers: bool,
    form: str,
    path: str | None,
) -> None:
    """Compare what archlens says of networks with what torch does, layer by layer.

    Shapes are held against a real forward pass, weights against torch's own, MACs against fvcore and
    torch's counter. One check that fails makes the exit code 1.
    """
    if every == bool(name):
        raise usage(
            "verify takes names of networks, or --all",
            help="archlens verify lenet5, or archlens verify --all",
        )
    if weights is not None and len(name) != 1:
        raise usage("--weights are those of one network", help="archlens verify resnet18 --weights FILE")
    require_torch()
    from ...backends.verification import verify

    chosen = names() if every else list(name)
    networks = [load(one, inputs, sets) for one in chosen]
    found = [
        verify(network, device=device, batch=batch, weights=weights, at=at(name, sets))
        for name, network in zip(chosen, _progress(networks), strict=True)
    ]
    if form == "json":
        text = view.to_json(found)
    elif form == "markdown":
        text = view.to_markdown(found, timings=device.startswith("cuda"))
    else:
        text = view.to_table(found, layers=layers)
    write(text, path)
    if not all(one.passed for one in found):
        sys.exit(1)


def _progress(networks: list[Any]) -> Iterable[Any]:
    """The networks one by one, with a bar on standard error where it is a terminal."""
    if len(networks) < _LONG or not sys.stderr.isatty():
        yield from networks
        return
    with click.progressbar(
        networks, label="verify", file=sys.stderr, item_show_func=lambda network: network and network.name
    ) as bar:
        yield from bar
