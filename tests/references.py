"""Holds specs against the libraries whose weights they take, and modules written out beside the tests.

``python tests/references.py timm``, in an environment with what ``tests/data/references/timm.yaml`` pins,
makes each network of that file as the library makes it, without values, and counts its parameters, its
multiply-accumulates and the keys of its state dict. Names restrict it to these. Printed is what differs from
``timm.csv`` beside it; with ``--write`` what was counted goes there, and ``test_references.py`` holds the
specs against it. ``--outputs`` gives both the same random weights, all of them, and compares what they make
of the same input.

What a recipe may say:

    reference: what the library calls the network, where that is not the name of the spec
    arguments: what it is made with; of a configuration of transformers, its fields
    values, input: what the spec is set to, where it stands otherwise
    inputs: what the library's module calls its arguments, where they are not the first
    method: what is called of the library's module, where that is not the module itself
    output: the field of what the library's module returns, where that is not the first or all
    model_type: of transformers: the network is had from such a configuration, as a file
    traced: shapes by the names of the arguments of the library's module, which is traced in place of a spec
    plain: whether weights are held that the library's state dict has as directions and lengths
    flat: whether the library's module takes its input without the axis of its one channel
    lacks: ends of keys that the library's state dict has and the spec has not
    counts_small: whether products are counted of the small form, as the other does not run without values
    kernel: of transformers: which of its ways to compute attention runs, if not the plain one
    small: arguments, values and input of a form in which both run in no time; outputs are compared of that
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

import archlens
from archlens.dialects.huggingface.families import FAMILIES
from archlens.elaboration.inputs import read_shape
from archlens.shape import Ids, times

if __package__:
    from .conftest import load_torchvision
else:
    from conftest import load_torchvision

HERE = Path(__file__).parent / "data" / "references"

#: Of transformers, beside the figures: the fields of configurations.
CONFIGURATIONS = HERE / "transformers_configurations.json"


class Figures(NamedTuple):
    """What is counted of a network; of keys with their shapes the start of a digest."""

    params: int
    macs: int
    keys: str

    @classmethod
    def of(cls, params: int, macs: int, state: Mapping[str, Iterable[int]]) -> Figures:
        """The digest is of the sorted lines ``conv1.weight 64x3x7x7``, joined by line feeds, of 64 bits."""
        lines = "\n".join(sorted(f"{key} {times(shape)}" for key, shape in state.items()))
        return cls(params, macs, hashlib.sha256(lines.encode()).hexdigest()[:16])


class Recipe(NamedTuple):
    """A network, and how both make it."""

    library: str
    name: str
    reference: str
    arguments: Mapping[str, Any] = {}
    values: Mapping[str, Any] = {}
    input: Any = None
    inputs: tuple[str, ...] = ()
    method: str = "__call__"
    output: str = ""
    model_type: str = ""
    traced: Mapping[str, str] = {}
    plain: bool = False
    flat: bool = False
    lacks: tuple[str, ...] = ()
    counts_small: bool = False
    kernel: str = "eager"
    small: Mapping[str, Any] = {}

    def network(self) -> archlens.Network:
        """By archlens: a spec beside the tests, or of the zoo; a configuration; or the module itself."""
        given = {} if self.input is None else {"input": self.input}
        if self.traced:
            return archlens.trace(on_meta(self), **_samples(self))
        if self.model_type:
            said = {"model_type": self.model_type, "architectures": [self.reference], **self.arguments}
            with TemporaryDirectory() as folder:
                path = Path(folder) / "config.json"
                path.write_text(json.dumps(said), "utf-8")
                return archlens.load(str(path), **given)
        own = HERE.parent / self.library / f"{self.name}.yaml"
        return archlens.load(str(own) if own.exists() else self.name, **given, **self.values)

    def figures(self) -> Figures:
        """By archlens."""
        network = self.network()
        counted = self.smaller().network() if self.counts_small else network
        return Figures.of(network.params, counted.macs, network.state())

    def smaller(self) -> Recipe:
        """In the form in which it runs in no time."""
        small = dict(self.small)
        for key in ("arguments", "values"):
            small[key] = {**getattr(self, key), **small.get(key, {})}
        return self._replace(**small)


def pinned(library: str) -> str:
    """The version of the library that is meant: ``timm==1.0.22``."""
    return str(_file(library)["package"])


def recipes(library: str) -> dict[str, Recipe]:
    """What is held against a library, by its name here."""
    return {
        name: Recipe(**{"library": library, "name": name, "reference": name, **(said or {})})
        for name, said in _file(library)["networks"].items()
    }


def recorded(library: str) -> dict[str, Figures]:
    """What the library says of them, as it was counted last."""
    path = HERE / f"{library}.csv"
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as file:
        return {row.pop("name"): _figures(row) for row in csv.DictReader(file)}


def _figures(row: dict[str, str]) -> Figures:
    return Figures(int(row["params"]), int(row["macs"]), row["keys"])


@cache
def _file(library: str) -> Any:
    return yaml.safe_load((HERE / f"{library}.yaml").read_text("utf-8"))


# -- what follows needs the library --


def made(recipe: Recipe) -> Any:
    """The library's module, in evaluation mode."""
    from torch.nn.utils import parametrize

    module = _made(recipe)
    for part in [*module.modules()] if recipe.plain else ():
        if parametrize.is_parametrized(part):
            parametrize.remove_parametrizations(part, "weight")
    return module


def _made(recipe: Recipe) -> Any:
    models = import_module(recipe.library)
    if recipe.library == "timm":
        return models.create_model(recipe.reference, **recipe.arguments).eval()
    if recipe.library == "effdet":
        return _behind_the_backbone(models.create_model(recipe.reference, pretrained_backbone=False)).eval()
    kind = getattr(models, recipe.reference)
    if not hasattr(kind, "config_class"):
        return kind(**recipe.arguments).eval()
    config = kind.config_class(**recipe.arguments)
    return kind._from_config(config, attn_implementation=recipe.kernel).eval()


def _behind_the_backbone(detector: Any) -> Any:
    """The neck and the heads of a detector, as a module that takes the maps of its backbone."""
    from torch import nn

    class Behind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fpn, self.class_net, self.box_net = detector.fpn, detector.class_net, detector.box_net

        def forward(self, *maps: Any) -> Any:
            levels = self.fpn([*maps])
            return (*self.class_net(levels), *self.box_net(levels))

    return Behind()


def on_meta(recipe: Recipe) -> Any:
    """The same without values."""
    import torch

    with torch.device("meta"):
        return made(recipe)


def _samples(recipe: Recipe) -> dict[str, Any]:
    """What a module that is traced is run on, without values."""
    import torch

    found = {}
    for name, text in recipe.traced.items():
        shape = read_shape(text)
        kind = torch.int64 if isinstance(shape, Ids) else torch.float32
        found[name] = torch.empty((1, *(shape or ())), dtype=kind, device="meta")
    return found


def state(recipe: Recipe, module: Any) -> dict[str, Any]:
    """Its state dict; what GPT-2 calls ``Conv1D`` keeps the weights of a linear layer transposed."""
    left = tuple(recipe.lacks)
    found = {key: one for key, one in module.state_dict().items() if not key.endswith(left)}
    for name, part in module.named_modules():
        if type(part).__name__ == "Conv1D":
            key = f"{name}.weight"
            found[key] = found[key].T
    return found


def counted(recipe: Recipe) -> Figures:
    """What the library's own module has and computes, on the meta device."""
    module = on_meta(recipe)
    macs = _macs(recipe.smaller(), "cpu") if recipe.counts_small else _macs(recipe, "meta", module)
    params = sum(one.numel() for one in module.parameters())
    kept = module.state_dict() if recipe.traced else state(recipe, module)
    return Figures.of(params, macs, {key: one.shape for key, one in kept.items()})


def _macs(recipe: Recipe, device: str, module: Any = None) -> int:
    """What the library's module computes."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    # else its counter follows gradients that there are not
    module = (module or made(recipe)).requires_grad_(False)
    # whose counter knows no fused kernel of the CPU
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        if recipe.traced:
            module(**_samples(recipe))
        else:
            run(recipe, module, inputs(recipe.network(), device))
    flops = counter.get_total_flops()
    for name, counts in counter.get_flop_counts().items():
        if name.endswith("rotary_emb"):  # angles: a product of frequencies and positions, without weights
            flops -= sum(counts.values())
    return int(flops // 2)


def run(recipe: Recipe, module: Any, given: list[Any]) -> Any:
    """What the library's module makes of its inputs."""
    call = getattr(module, recipe.method)
    if recipe.flat:
        given = [one.squeeze(1) for one in given]
    if recipe.inputs:
        return call(**dict(zip(recipe.inputs, given, strict=True)))
    return call(*given)


def inputs(network: archlens.Network, device: str) -> list[Any]:
    """What both are given."""
    import torch

    generator = torch.Generator().manual_seed(1)
    found = []
    for shape in network.inputs.values():
        if isinstance(shape, Ids):
            found.append(torch.randint(shape.below, (1, *shape), generator=generator))
        else:
            found.append(torch.randn(1, *shape, generator=generator))
    return [one.to(device) for one in found]


def apart(recipe: Recipe) -> float:
    """By how much what both make differs, relative to the largest value."""
    import torch

    module = made(recipe)
    common = state(recipe, module)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for key, one in module.state_dict().items():
            if one.is_floating_point() and key in common:  # what begins as zero or one is to be seen as well
                noise = torch.randn(one.shape, generator=generator) * 0.05
                one.add_(noise.abs() if key.endswith("running_var") else noise)
    network = recipe.network()
    ours = archlens.build(network).eval()
    ours.load_state_dict(state(recipe, module), strict=True)
    given = inputs(network, "cpu")
    with torch.no_grad():
        theirs, found = run(recipe, module, given), ours(*given)
    theirs = _tensors(getattr(theirs, recipe.output) if recipe.output else theirs)
    pairs = list(zip(_tensors(found), theirs, strict=False))  # a library may return more, as keys and values
    assert all(a.shape == b.shape for a, b in pairs), [(a.shape, b.shape) for a, b in pairs]
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in pairs)


def _tensors(found: Any) -> list[Any]:
    import torch

    if isinstance(found, torch.Tensor):
        return [found]
    values = found.values() if isinstance(found, Mapping) else found
    return [tensor for value in values if value is not None for tensor in _tensors(value)]


def configurations() -> dict[str, dict[str, Any]]:
    """The fields of each type of configuration that is read, with their defaults."""
    known = import_module("transformers").CONFIG_MAPPING
    said = {name: known[name]().to_dict() for name in FAMILIES}
    for one in said.values():
        del one["transformers_version"]
    return said


def main(library: str, *words: str) -> int:
    name, _, wanted = pinned(library).partition("==")
    if version(name) != wanted:
        sys.exit(f"{name} {version(name)} is installed, and {wanted} is meant")
    load_torchvision()
    asked = {word for word in words if not word.startswith("--")}
    known = recorded(library)
    wrong = 0
    for one in recipes(library).values():
        if asked and one.name not in asked:
            continue
        found = counted(one)
        said = [f"{found.params:,} parameters, {found.macs:,} multiply-accumulates"]
        if "--write" in words:
            known[one.name] = found
        elif known.get(one.name) != found:
            said.append(f"recorded: {known.get(one.name)}")
        if one.figures() != found:
            said.append(f"the spec: {one.figures()}, for {found}")
        wrong += len(said) - 1
        if "--outputs" in words and not one.traced:
            distance = apart(one.smaller())
            wrong += not distance < 1e-4
            said.append(f"outputs differ by {distance:.1e}")
        print(f"{one.name}: {'; '.join(said)}", flush=True)
    if "--write" in words:
        with (HERE / f"{library}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("name", *Figures._fields))
            writer.writerows((name, *known[name]) for name in recipes(library) if name in known)
        if library == "transformers":
            lines = (f'"{name}": {json.dumps(said)}' for name, said in configurations().items())
            CONFIGURATIONS.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
