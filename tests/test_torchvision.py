"""Names are state-dict keys: what archlens says of a network is what torchvision builds."""

from __future__ import annotations

from typing import Any

import pytest

import archlens

NAMES = [
    "alexnet", "googlenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "vgg11", "vgg11_bn",
    "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
    "convnext_tiny", "convnext_small", "convnext_base", "convnext_large",
    "vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14", "swin_t", "swin_s", "swin_b", "swin_v2_t",
    "swin_v2_s", "swin_v2_b", "maxvit_t",
]  # fmt: skip


def build(torchvision: Any, name: str, **kwargs: Any) -> Any:
    import torch

    with torch.device("meta"):
        return torchvision.models.get_model(name, **kwargs)


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_is_torchvisions(torchvision: Any, name: str) -> None:
    """The same keys with the same shapes, weights and buffers alike."""
    extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    check(build(torchvision, name, **extra), archlens.load(name))


def test_auxiliary_heads_are_torchvisions(torchvision: Any) -> None:
    check(build(torchvision, "googlenet", init_weights=False), archlens.load("googlenet_aux"))


def check(model: Any, network: archlens.Network) -> None:
    parameters: dict[str, tuple[int, ...]] = {}
    buffers: dict[str, tuple[int, ...]] = {}
    for layer in network:
        parameters |= {layer.key(key): shape for key, shape in layer.facts.weights.items()}
        buffers |= {layer.key(key): shape for key, shape in layer.facts.buffers.items()}
    assert parameters == {key: tuple(value.shape) for key, value in model.named_parameters()}
    assert buffers == {key: tuple(value.shape) for key, value in model.named_buffers()}


@pytest.mark.parametrize("name", NAMES)
def test_layer_shapes_are_torchvisions(torchvision: Any, name: str) -> None:
    """Every module that torchvision calls gives the shape that archlens says, at the published input."""
    import torch

    extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    model = build(torchvision, name, **extra).eval()
    network = archlens.load(name)
    seen: dict[str, tuple[int, ...]] = {}

    def watch(path: str, module: Any) -> None:
        def keep(module: Any, inputs: Any, output: Any) -> None:
            # nn.MultiheadAttention gives the weights of attention beside its output
            seen[path] = tuple((output[0] if isinstance(output, tuple) else output).shape[1:])

        module.register_forward_hook(keep)

    for path, module in model.named_modules():
        watch(path, module)
    with torch.no_grad():
        model(torch.empty(1, *network.input, device="meta"))
    compared = [layer.name for layer in network if layer.name in seen]
    assert {name: network[name].shape for name in compared} == {name: seen[name] for name in compared}
    # a parameter that lies on its scope has no module of its own
    named = [layer.name for layer in network if layer.facts.weights.keys() - {""}]
    assert set(named) <= set(compared)
