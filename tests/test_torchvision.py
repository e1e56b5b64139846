"""Names are state-dict keys: what archlens says of a network is what torchvision builds."""

from __future__ import annotations

import csv
import sys
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

import archlens
from archlens.library.finding import find

from . import zoo

DATA = Path(__file__).parent / "data" / "torchvision.csv"

#: The networks of the zoo that torchvision builds under the same name, with its figures.
ROWS = {
    row["model"]: row
    for row in csv.DictReader(line for line in DATA.read_text().splitlines() if not line.startswith("#"))
}

#: Further networks of the zoo that torchvision builds, with its name for them and how they are asked for.
FURTHER: dict[str, tuple[str, dict[str, Any]]] = {
    "googlenet_aux": ("googlenet", {}),
    "inception_v3_no_aux": ("inception_v3", {"aux_logits": False}),
}

NAMES = [*ROWS, *FURTHER]


#: What torch draws new weights with: most of the time that it takes to build a network.
DRAWN = ("normal_", "uniform_", "trunc_normal_", "kaiming_normal_", "kaiming_uniform_", "xavier_uniform_")


def build(torchvision: Any, name: str, *, device: str = "meta") -> Any:
    """Torchvision's network, with the auxiliary heads that the spec has; weights that are drawn are not."""
    import torch

    regnet = sys.modules["torchvision.models.regnet"]  # of that name there is a function too
    worked_out = regnet.BlockParams.from_init_params

    def widths(**parameters: Any) -> Any:
        with torch.device("cpu"):  # they are worked out with tensors, and the meta device has no values
            return worked_out(**parameters)

    name, options = FURTHER.get(name, (name, {"aux_logits": False} if name == "googlenet" else {}))
    if name in ("googlenet", "inception_v3"):
        options = {**options, "init_weights": False}
    if "_VOC_" in ROWS[name]["weights"]:
        options = {"weights_backbone": None}
        if not name.startswith("lraspp"):
            options["aux_loss"] = True  # as the networks that torchvision has weights of
    undrawn = {name: lambda tensor, *args, **kwargs: tensor for name in DRAWN}
    with (
        torch.device(device),
        patch.object(regnet.BlockParams, "from_init_params", staticmethod(widths)),
        patch.multiple(torch.nn.init, **undrawn),
    ):
        return torchvision.models.get_model(name, **options)


def test_nothing_that_torchvision_has_is_left_out(torchvision: Any) -> None:
    """A network of the zoo that torchvision builds is compared with it, under that name."""
    theirs = {
        *torchvision.models.list_models(module=torchvision.models),
        *torchvision.models.list_models(module=torchvision.models.segmentation),
        *torchvision.models.list_models(module=torchvision.models.video),
    }
    assert theirs & set(archlens.names()) == set(ROWS)


def test_densenet264_is_what_torchvisions_class_builds(torchvision: Any) -> None:
    import torch

    with torch.device("meta"):
        model = torchvision.models.DenseNet(32, (6, 12, 64, 48), 64)
    check(model, archlens.load("densenet264"))


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_resnet_v1_has_the_weights_of_v1_5(torchvision: Any, depth: int) -> None:
    """Only strides differ: weights of the one fit the other."""
    check(build(torchvision, f"resnet{depth}"), archlens.load(f"resnet{depth}_v1"))


def test_lrn_adds_no_weights(torchvision: Any) -> None:
    """One step more stands after the first convolution, so that only the numbers in the names move."""
    ours = [tuple(shape) for layer in archlens.load("vgg11_lrn") for shape in layer.facts.weights.values()]
    assert ours == [tuple(value.shape) for value in build(torchvision, "vgg11").parameters()]


def check(model: Any, network: archlens.Network) -> None:
    """The same keys with the same shapes, weights and buffers alike; buffers are of the same types."""
    parameters: dict[str, tuple[int, ...]] = {}
    buffers: dict[str, tuple[tuple[int, ...], str, bool]] = {}
    for layer in network:
        parameters |= {layer.key(key): shape for key, shape in layer.facts.weights.items()}
        buffers |= {layer.key(key): tuple(buffer) for key, buffer in layer.facts.buffers.items()}
    assert parameters == {key: tuple(value.shape) for key, value in model.named_parameters()}
    saved = model.state_dict()
    assert buffers == {
        key: (tuple(value.shape), str(value.dtype).removeprefix("torch."), key in saved)
        for key, value in model.named_buffers()
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_is_torchvisions(torchvision: Any, name: str) -> None:
    """Its class and arguments, weights and buffers, and the values of these.

    Of members of a family that differ in numbers alone one is run, too.
    """
    network = zoo.network(name)
    with without_weights():
        model = build(torchvision, name, device="cpu").eval()
        check_values(dict(archlens.build(network, device="cpu").named_buffers()), dict(model.named_buffers()))
    model.to("meta")
    check(model, network)
    check_arguments(dict(model.named_modules()), network)
    if name in run_of(find(name)[0].source.name):
        check_run(model, network)


@cache
def run_of(file: str) -> Collection[str]:
    """Those of a file that are run: with the arguments of the others they would give the others' shapes."""
    return zoo.alike([name for name in NAMES if find(name)[0].source.name == file])


def check_run(model: Any, network: archlens.Network) -> None:
    """Each layer gives the shape that is said, at the published input.

    Torch's counter finds as many products in torchvision's own network as archlens in its spec.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    seen: dict[str, tuple[int, ...]] = {}

    def watch(path: str, module: Any) -> None:
        def keep(module: Any, inputs: Any, output: Any) -> None:
            if isinstance(output, tuple):  # nn.MultiheadAttention gives the weights of attention, too
                output = output[0]
            if isinstance(output, torch.Tensor):
                seen.setdefault(path, tuple(output.shape[1:]))  # a relu may be called again on others

        module.register_forward_hook(keep)

    for path, module in model.named_modules():
        watch(path, module)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, *network.input, device="meta"))
    compared = [layer.name for layer in network if layer.name in seen]
    assert {name: network[name].shape for name in compared} == {name: seen[name] for name in compared}
    # a parameter that lies on its scope has no module of its own
    named = [layer.name for layer in network if layer.facts.weights.keys() - {""} and not layer.training]
    assert set(named) <= set(compared)
    assert network.macs == counter.get_total_flops() / 2


def without_weights() -> Any:
    """In which ``torch.empty``, of which torch makes weights, takes no memory; all else has its values."""
    import torch
    from torch.overrides import TorchFunctionMode

    class WithoutWeights(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            place = {"device": "meta"} if func is torch.empty else {}
            return func(*args, **{**(kwargs or {}), **place})

    return WithoutWeights()


def check_values(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Buffers as they are made: a state dict that is loaded would overwrite what is wrong with them."""
    import torch

    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert not value.is_meta
        torch.testing.assert_close(
            ours[key], value, rtol=1e-6, atol=0, msg=lambda why, key=key: f"{key}: {why}"
        )


def check_arguments(modules: dict[str, Any], network: archlens.Network) -> None:
    """What each module was made with, under torch's names and under those of the op."""
    import torch

    for layer in network:
        module, call = modules.get(layer.name), layer.facts.torch
        # where nothing is dropped MaxViT has an nn.Identity
        if module is None or (isinstance(module, torch.nn.Identity) and vars(layer.op).get("p") == 0):
            continue
        given = layer.op.attributes()
        ours = {key: given[key] for key in ("p", "eps", "momentum") if key in given}
        if call.target.startswith("nn."):
            assert isinstance(module, getattr(torch.nn, call.target.removeprefix("nn."))), layer.name
            ours |= {key: argument.value for key, argument in call.arguments.items()}
            if ours.get("stride", 1) is None:  # of a pooling
                ours["stride"] = ours["kernel_size"]
        for key, value in ours.items():
            theirs = getattr(module, key)
            theirs = theirs is not None if key == "bias" else theirs
            assert plain(value) == pytest.approx(plain(theirs)), (layer.name, key)


def plain(value: Any) -> Any:
    """``3`` for ``(3, 3)``."""
    return value[0] if isinstance(value, tuple | list) and len({*value}) == 1 else value
