"""Models of timm or torchvision, traced and held against torch.

``python tests/modules_survey.py timm 100 14`` draws so many of the names of a library, by that seed; or they
are named. Each is made without values. Printed is what differs of parameters, state dict, MACs and the shape
that each module gives, and at last how many were compared.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from collections.abc import Iterator
from importlib import import_module
from math import prod
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

import archlens

#: Of each library where its models are, and how they are listed and made.
LIBRARIES = {
    "timm": ("timm", "list_models", "create_model"),
    "torchvision": ("torchvision.models", "list_models", "get_model"),
}


def differences(module: nn.Module, shape: tuple[int, ...], seen: Counter[str]) -> Iterator[str]:
    """What archlens says of a module on the meta device, and torch does not."""
    network = archlens.trace(module.eval(), shape)
    params = sum(one.numel() for one in module.parameters())
    if network.params != params:
        yield f"params {network.params:,} for {params:,}"
    state = {key: tuple(one.shape) for key, one in module.state_dict().items()}
    if network.state() != state:
        yield f"state dict: {sorted(network.state().items() ^ state.items())[:4]}"
    if network.unknown:
        yield f"unknown: {dict(network.unknown)}"
    shapes: dict[str, list[Any]] = {}

    def hook(name: str) -> Any:
        return lambda _m, _i, out: shapes.setdefault(name, []).append(getattr(out, "shape", None))

    for name, part in module.named_modules():
        part.register_forward_hook(hook(name))
    module.requires_grad_(False)  # the counter asks for gradients of what is learned, of which there are none
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.empty(1, *shape, device="meta"))
    if 2 * network.macs != counter.get_total_flops():
        yield f"MACs {network.macs:,} for {counter.get_total_flops() // 2:,}"
    seen.update(layers=len(network.layers), opaque=sum(layer.op.kind == "opaque" for layer in network))
    for name, (found, *more) in shapes.items():
        if name in network.needed and name in network.index and found is not None and not more:
            seen["shapes"] += 1
            if prod(network[name].shape) != prod(found):
                yield f"{name} ({network[name].op}): {network[name].shape} for {tuple(found)}"


def main(library: str, *names: str) -> None:
    home, lists, makes = LIBRARIES[library]
    models = import_module(home)
    if names and names[0].isdigit():
        count, seed = int(names[0]), int((*names, "1")[1])
        names = tuple(random.Random(seed).sample(getattr(models, lists)(), count))
    seen: Counter[str] = Counter()
    for name in names:
        try:
            with torch.device("meta"):
                module = getattr(models, makes)(name)
        except NotImplementedError:  # it computes its widths with torch
            module = getattr(models, makes)(name).to("meta")
        shape = tuple(getattr(module, "default_cfg", {}).get("input_size", (3, 224, 224)))
        try:
            found = list(differences(module, shape, seen))
        except (archlens.ArchlensError, AssertionError, RuntimeError) as problem:
            found = [f"{type(problem).__name__}: {problem}"]
        seen["models"] += 1
        seen["differ"] += bool(found)
        for one in found:
            print(f"{name}: {one}", flush=True)
    for what, number in seen.items():
        print(f"{number:>9,} {what}")


if __name__ == "__main__":
    main(*sys.argv[1:])
