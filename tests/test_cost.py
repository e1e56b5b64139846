"""The ledger against counts that do not know it, and the conventions of other tools against those tools."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.analysis import counting
from archlens.network import Network

from .test_ops import EXAMPLES

# --- the real tools -----------------------------------------------------------------------------------


def built(network: Network, device: str = "meta") -> tuple[Any, tuple[torch.Tensor, ...]]:
    """A module of the network at inference, with inputs; nothing is initialised, nothing takes memory."""
    module = archlens.build(network, device="meta").eval()
    if device != "meta":
        module.to_empty(device=device)
        for buffer in module.buffers():
            buffer.zero_()  # some are indices
    return module, tuple(torch.empty(1, *shape, device=device) for shape in network.inputs.values())


def by_torch(network: Network) -> tuple[int, int]:
    module, inputs = built(network)
    with FlopCounterMode(display=False) as counter:
        module(*inputs)
    assert counter.get_total_flops() % 2 == 0
    return counter.get_total_flops() // 2, sum(p.numel() for p in module.parameters())


def by_fvcore(network: Network) -> tuple[int, int]:
    from fvcore.nn import FlopCountAnalysis, parameter_count

    module, inputs = built(network, "cpu")
    analysis = FlopCountAnalysis(module, inputs)
    return int(analysis.total()), parameter_count(module)[""]


def by_torchinfo(network: Network) -> tuple[int, int]:
    import torchinfo

    module, inputs = built(network)
    found = torchinfo.summary(module, input_data=inputs, device="meta", verbose=0)
    return found.total_mult_adds, found.total_params


def by_thop(network: Network) -> tuple[int, int]:
    import thop

    module, inputs = built(network)
    work, params = thop.profile(module, inputs, verbose=False)
    assert work == int(work)
    return int(work), int(params)


def by_ptflops(network: Network, backend: str = "pytorch") -> tuple[int, int]:
    import ptflops

    # on the meta device torch itself calls the functions that ptflops counts
    module, inputs = built(network, "cpu")
    words = [node.target for node in module.graph.nodes if node.op == "placeholder"]
    result = ptflops.get_model_complexity_info(
        module,
        tuple(network.input),
        input_constructor=lambda _: dict(zip(words, inputs, strict=True)),
        print_per_layer_stat=False,
        as_strings=False,
        backend=backend,
        ost=io.StringIO(),
    )
    return result[0], result[1]


TOOLS: dict[str, Callable[[Network], tuple[int, int]]] = {
    "torch": by_torch,
    "fvcore": by_fvcore,
    "torchinfo": by_torchinfo,
    "thop": by_thop,
    "ptflops": by_ptflops,
    "ptflops_aten": lambda network: by_ptflops(network, "aten"),
}


@pytest.fixture(autouse=True)
def quiet(torchvision: Any) -> Iterator[None]:
    """The tools use torch and setuptools in ways that warn; ptflops imports torchvision."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        yield
    logging.disable(level)


@cache
def example(text: str) -> Network:
    """A network of one layer, from a use of an op as ``"1x32x32 >> conv(6, 5)"``."""
    shapes, _, step = text.partition(" >> ")
    if ", " not in shapes:
        return archlens.loads(f"input: {shapes}\nlayers:\n  - {step}\n")
    inputs = dict(zip("abcdefgh", shapes.split(", "), strict=False))
    listed = "".join(f"\n      - ref({name})" for name in inputs)
    named = ", ".join(f"{name}: {shape}" for name, shape in inputs.items())
    return archlens.loads(f"input: {{{named}}}\nlayers:\n  - {step}:{listed}\n")


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("text", EXAMPLES)
def test_a_tool_and_each_op(text: str, tool: str) -> None:
    """What a convention says that its tool prints of an op is what it prints, to the unit."""
    network = example(text)
    found = counting.count(network, tool)
    assert (found.printed, found.printed_params) == TOOLS[tool](network)


# --- whole networks, by the real tools ----------------------------------------------------------------

SPECS = {
    "unet": """
input: 1x60x60
blocks:
  double(out): conv(out, 3) >> relu >> conv(out, 3) >> relu
  up(out, skip, size=2 * x.height):
    - upconv: conv_transpose(out, 2, stride=2)
    - concat: [ref(skip) >> crop(size), identity]
    - double(out)
layers:
  - enc1: double(4)
  - max_pool(2)
  - enc2: double(8)
  - max_pool(2)
  - middle: double(16)
  - dec2: up(8, enc2)
  - dec1: up(4, enc1)
  - head: conv(2, 1)
""",
    "unet_by_interpolation": """
input: 3x32x32
layers:
  - enc: conv(8, 3, padding=1) >> instance_norm(affine=true) >> leaky_relu
  - down: conv(16, 3, stride=2, padding=1) >> instance_norm >> leaky_relu
  - "upsample(2, mode='bilinear')"
  - concat: [ref(enc), identity]
  - conv(8, 3, padding=1)
  - upsample(2)
  - conv(2, 1) >> sigmoid
""",
    "densenet": """
input: 3x32x32
blocks:
  layer(growth):
    - dense:
        - norm1: batch_norm
        - relu1: relu
        - conv1: conv(4 * growth, 1, bias=false)
        - norm2: batch_norm
        - relu2: relu
        - conv2: conv(growth, 3, padding=1, bias=false)
layers:
  - conv0: conv(16, 3, padding=1, bias=false)
  - block1: layer(12) * 3
  - transition: batch_norm >> relu >> conv(26, 1, bias=false) >> avg_pool(2)
  - block2: layer(12) * 3
  - batch_norm >> relu >> global_avg_pool >> flatten
  - classifier: linear(10)
""",
    "squeeze_and_excite": """
input: 8x28x28
blocks:
  se(squeeze): [gate: [global_avg_pool, "conv(squeeze, 1)", relu, "conv(x.channels * 4, 1)", hard_sigmoid]]
layers:
  - residual: ["conv(32, 1, bias=false)", batch_norm, hard_swish, se(8), "conv(8, 1)"]
  - group_norm(2)
  - gelu
  - layer_norm
  - conv(16, 3, padding=1, groups=8)
  - prelu(per_channel=true)
  - adaptive_avg_pool(5)
  - flatten
  - dropout
  - linear(10) >> softmax
""",
    "one_axis": """
input: 2x500
layers:
  - conv(16, 9, stride=4) >> batch_norm >> relu
  - max_pool(2)
  - "conv(32, 5, padding='same') >> elu"
  - avg_pool(4, stride=2)
  - conv_transpose(8, 4, stride=2, padding=1)
  - silu
  - adaptive_max_pool(4)
  - flatten
  - linear(5) >> log_softmax
""",
    "three_axes": """
input: 1x12x20x20
layers:
  - conv(4, 3, padding=1) >> batch_norm >> relu6
  - max_pool((1, 2, 2))
  - residual: ["conv(4, (1, 3, 3), padding=(0, 1, 1))", batch_norm]
  - upsample(2, mode="trilinear")
  - conv_transpose(2, 2, stride=2, bias=false)
  - avg_pool(4)
  - global_avg_pool
  - flatten
  - linear(3, bias=false)
""",
    "same_padding": """
input: 3x65x65
layers:
  - conv(8, 3, stride=2, padding="same") >> batch_norm >> relu
  - depthwise: conv(8, 3, stride=2, padding="same", groups=8, bias=false)
  - max_pool(3, stride=2, padding="same")
  - conv_transpose(4, 5, stride=2, padding="same")
  - local_response_norm(5)
""",
    "two_inputs": """
input: {image: 3x16x16, depth: 1x16x16}
layers:
  - concat: [ref(image), ref(depth)]
  - conv(8, 3) >> batch_norm(affine=false) >> relu
  - add: ["conv(8, 1)", identity]
outputs:
  aux: {training: [global_avg_pool, flatten, linear(4)]}
""",
}

ZOO = (
    "lenet5",
    "lenet5_1998",
    "alexnet",
    "vgg11_bn",
    "googlenet",
    "googlenet_aux",
    "googlenet_2014",
    "resnet18",
    "resnet50",
    "mobilenet_v1",
)


@cache
def network_of(name: str) -> Network:
    return archlens.loads(SPECS[name]) if name in SPECS else archlens.load(name)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", [*SPECS, *ZOO])
def test_a_tool_and_whole_networks(name: str, tool: str) -> None:
    """What each tool prints of whole networks is reproduced to the unit; notes explain every difference."""
    network = network_of(name)
    found = counting.count(network, tool)
    assert (found.printed, found.printed_params) == TOOLS[tool](network)
    assert found.total is not None
    assert found.printed is not None
    assert found.printed - found.total == sum(note.macs for note in found.notes)
    assert found.printed_params - found.params == sum(note.params for note in found.notes)
