"""``archlens verify``."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from ...backends import require_torch
from ...dialects import find, held
from ...errors import usage
from ...library import Found, names
from ...tracing import reference
from ...views import verification_table as view
from ..options import (
    Given,
    all_option,
    chosen,
    format_option,
    names_argument,
    network_options,
    output_option,
)
from ..output import progress, write_table


@click.command("verify")
@names_argument
@network_options
@all_option
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1 or meta.")
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Samples at once.")
@click.option("--weights", metavar="FILE", help="Weights that have to fit, of one network.")
@click.option(
    "--unbounded",
    is_flag=True,
    help="Also verify what takes minutes or gigabytes. Networks of the zoo may take what they take.",
)
@click.option("--layers", is_flag=True, help="Show every check of every layer.")
@click.option("--brief", is_flag=True, help="In JSON, say how many checks passed, and not each.")
@format_option(checks=True)
@output_option
def command(
    name: tuple[str, ...],
    given: Given,
    every: bool,
    device: str,
    batch: int,
    weights: str | None,
    unbounded: bool,
    layers: bool,
    brief: bool,
    form: str,
    path: str | None,
) -> None:
    """Compare what archlens says of networks with what torch does, layer by layer.

    Shapes are held against a real forward pass, weights against torch's own, MACs against fvcore and
    torch's counter. The network of a torch module is held against that module, and has to compute the same.
    An ONNX file runs in onnxruntime, too, where that is installed. One check that fails makes the exit
    code 1.
    """
    called = chosen("verify", name, every, example="lenet5")
    if weights is not None and len(name) != 1:
        raise usage("--weights are those of one network", help="archlens verify resnet18 --weights FILE")
    require_torch()
    from ...backends.verification import verify

    meant = [find(one) for one in called]
    networks = [given.make(one) for one in meant]
    # what the networks of the zoo take is known
    known = {
        id(network)
        for network, one, called_as in zip(networks, meant, called, strict=True)
        if isinstance(one, Found) and called_as in names() and not any(given)
    }
    found = [
        verify(
            network,
            device=device,
            batch=batch,
            weights=weights,
            reference=reference(network, batch=batch, device=device),
            bounded=not unbounded and id(network) not in known,
        )
        for network in progress(networks, "verify", lambda network: network.name)
    ]
    found = [
        replace(one, checks=(*one.checks, *held(network)))
        for one, network in zip(found, networks, strict=True)
    ]
    shown = view.table(found, layers=layers, timings=device.startswith("cuda"), brief=brief)
    write_table(shown, form, path)
    if not all(one.passed for one in found):
        sys.exit(1)
