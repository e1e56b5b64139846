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
@click.option(
    "--device",
    help="cpu, cuda, cuda:1 or meta; by default cpu, or meta for networks that are too large for it.",
)
@click.option("--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Batch size.")
@click.option("--weights", metavar="FILE", help="A file of weights that one network must be able to load.")
@click.option(
    "--unbounded",
    is_flag=True,
    help="Also verify networks that take minutes or gigabytes; those of the zoo are always verified.",
)
@click.option("--layers", is_flag=True, help="Show every check of every layer.")
@click.option("--brief", is_flag=True, help="In JSON, give the number of checks that passed instead of each.")
@format_option(checks=True)
@output_option
def command(
    name: tuple[str, ...],
    given: Given,
    every: bool,
    device: str | None,
    batch: int,
    weights: str | None,
    unbounded: bool,
    layers: bool,
    brief: bool,
    form: str,
    path: str | None,
) -> None:
    """Check networks against torch, layer by layer.

    Shapes are checked against a real forward pass, weights against torch's own, and MACs against fvcore and
    torch's counter. The network of a torch module is checked against that module and must compute the same.
    An ONNX file also runs in onnxruntime if that is installed. The exit code is 1 if a check fails.
    """
    called = chosen("verify", name, every, example="lenet5")
    if weights is not None and len(name) != 1:
        raise usage("--weights are those of one network", help="archlens verify resnet18 --weights FILE")
    require_torch()
    from ...backends.verification import Known, verify

    # what the networks of the zoo take is known
    zoo = frozenset() if any(given) else frozenset(names())
    meant = [(one, find(one)) for one in called]
    asked = [(called_as in zoo and isinstance(one, Found), given.make(one)) for called_as, one in meant]
    found, ran = [], Known()
    for ours, network in progress(asked, "verify", lambda one: one[1].name):
        made = verify(
            network,
            device=device,
            batch=batch,
            weights=weights,
            reference=reference(network, batch=batch, device=device or "cpu"),
            bounded=not unbounded and not ours,
            known=ran,
        )
        found.append(replace(made, checks=(*made.checks, *held(network))))
    shown = view.table(found, layers=layers, timings=(device or "cpu").startswith("cuda"), brief=brief)
    write_table(shown, form, path)
    if not all(one.passed for one in found):
        sys.exit(1)
