"""The ledger against counts that do not know it, and the conventions of other tools against those tools."""

from __future__ import annotations

import csv
import io
import json
import logging
import operator
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache, reduce
from importlib.metadata import version
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.analysis import counting
from archlens.analysis.cost import ITEMS, cost
from archlens.analysis.structure import fingerprint
from archlens.cli import cli
from archlens.elaboration.examples import spec_of
from archlens.forms import csv as csv_form
from archlens.forms import markdown as markdown_form
from archlens.forms import text as terminal
from archlens.network import Network
from archlens.ops import OPS
from archlens.shape import Ids
from archlens.views import cost_table as view

from . import own_modules
from .running import run
from .test_ops import EXAMPLES
from .test_torchvision import NAMES, build
from .unfilled import unfilled

# --- the real tools -----------------------------------------------------------------------------------


def built(network: Network, device: str = "meta") -> tuple[Any, tuple[torch.Tensor, ...]]:
    """A module of the network at inference, with inputs; nothing is initialised, nothing takes memory."""
    module = unfilled(network, device).eval()
    kinds = [torch.int64 if isinstance(shape, Ids) else torch.float32 for shape in network.inputs.values()]
    shapes = zip(network.inputs.values(), kinds, strict=True)
    return module, tuple(torch.zeros(1, *shape, device=device, dtype=kind) for shape, kind in shapes)


def by_torch(network: Network) -> tuple[int, int]:
    module, inputs = built(network, "cpu")
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

    # on the meta device torch itself calls the functions that the hooks of ptflops count, and takes
    # attention apart, which it does not elsewhere
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
    """A network of one layer, from a use of an op as ``"1x32x32 >> conv(6, 5)"``.

    Steps before the last, as in ``"96x7x7 >> channels_last >> linear(8)"``, only make its inputs.
    """
    return archlens.loads(spec_of(text))


@pytest.mark.parametrize("text", EXAMPLES)
@pytest.mark.slow
def test_each_op_and_the_tools(text: str) -> None:
    """What a convention says that its tool prints of an op is what it prints, to the unit."""
    network = example(text)
    counted = {tool: counting.count(network, tool) for tool in TOOLS}
    said = {tool: (found.printed, found.printed_params) for tool, found in counted.items()}
    assert said == {tool: run(network) for tool, run in TOOLS.items()}


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
    "used_again": """
input: 4x16x16
layers:
  - tower: conv(4, 3, padding=1) >> batch_norm >> relu >> prelu >> conv(4, 1)
  - max_pool(2)
  - again(tower)
  - up: conv_transpose(4, 2, stride=2)
  - other: again(tower)
  - again(up)
  - channels_last
  - norm: layer_norm
  - linear(4)
  - again(norm)
  - first: linear(6, bias=false)
  - linear(4, bias=false)
  - linear(6, weight=first)
""",
    # as VGG with batch normalization, whose dense layers alone have 120 million weights
    "vgg": """
input: 3x64x64
layers:
  - features:
      each: width
      in: [8, 16, 32, 64, 64]
      do: conv(width, 3, padding=1) >> batch_norm >> relu >> max_pool(2)
  - adaptive_avg_pool(7)
  - flatten
  - linear(96) >> relu >> dropout
  - linear(96) >> relu >> dropout
  - linear(10)
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

#: Networks of the zoo, some on smaller inputs, so that the tools that really run them take no time.
ZOO = {
    "lenet5": "1x32x32",
    "lenet5_1998": "1x32x32",
    "alexnet": "3x224x224",
    "googlenet": "3x96x96",
    "googlenet_aux": "3x96x96",
    "resnet18": "3x97x130",
    "resnet50": "3x224x224",
    "mobilenet_v1": "3x161x161",
    "convnext_tiny": "3x64x64",
    # its windows of 7x7 do not divide its maps, and are shifted
    "swin_t": "3x64x64",
    "swin_v2_t": "3x64x64",
    "vit_b_32": "3x64x64",
}

#: Fewer layers than they have, where all are alike.
SMALLER = {"vit_b_32": {"depth": 2}, "swin_v2_t": {"depths": [2, 2, 1, 1]}}


@cache
def network_of(name: str) -> Network:
    return (
        archlens.loads(SPECS[name])
        if name in SPECS
        else archlens.load(name, input=ZOO[name], **SMALLER.get(name, {}))
    )


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", [*SPECS, *ZOO])
@pytest.mark.slow
def test_a_tool_and_whole_networks(name: str, tool: str) -> None:
    """What each tool prints of whole networks is reproduced to the unit; notes explain every difference."""
    network = network_of(name)
    found = counting.count(network, tool)
    assert (found.printed, found.printed_params) == TOOLS[tool](network)
    assert found.total is not None
    assert found.printed is not None
    assert found.printed - found.total == sum(note.macs for note in found.notes)
    assert found.printed_params - found.params == sum(note.params for note in found.notes)


# --- the ledger's other work, by hand -----------------------------------------------------------------


class Tally:
    """A number without a value, which counts what is done with it."""

    done = 0

    def _count(self, *_: object) -> Tally:
        Tally.done += 1
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _count


def f(*values: Any) -> Any:
    """One function value, or one comparison: of an exponential, a square root, a maximum of two."""
    Tally.done += 1
    return values[0]


def some(*shape: int) -> Any:
    """An array of tallies."""
    array = np.empty(shape, object)
    array.fill(Tally())
    return array


def total(values: Any) -> Any:
    return reduce(operator.add, list(np.ravel(values)))


def largest(values: Any) -> Any:
    return reduce(f, list(np.ravel(values)))


def mean(values: Any) -> Any:
    return total(values) / np.size(values)


def each(function: Callable[..., Any], *arrays: Any) -> None:
    for values in zip(*map(np.ravel, arrays), strict=True):
        function(*values)


def standardized(values: Any, affine: bool) -> None:
    """Ioffe and Szegedy 2015, algorithm 1, over one set of values."""
    differences = np.ravel(values) - mean(values)
    variance = mean([d * d for d in differences])
    inverse = 1 / f(variance + 1e-5)
    scaled = differences * inverse
    if affine:
        scaled * some(scaled.size) + some(scaled.size)


def unit(values: Any) -> None:
    """Each divided by the length of all, where that is not too small."""
    f(f(total(values * values)))
    values * some(values.size)


def responded(x: Any) -> None:
    """Woo et al. 2023, algorithm 1."""
    for channel in x:
        f(total(channel * channel))
    f(mean(some(len(x))))  # and eps added
    some(len(x)) * some(len(x))
    x * x * x + x + x


def by_root(values: Any, affine: bool) -> None:
    """Zhang and Sennrich 2019, equation 4."""
    inverse = 1 / f(mean(values * values) + 1e-6)
    scaled = values * inverse
    if affine:
        scaled * some(scaled.size)


def directed(kernel: Any) -> None:
    """Salimans and Kingma 2016, equation 2."""
    kernel * (Tally() / f(total(kernel * kernel)))


def turned(positions: int, pairs: int, heads: int) -> None:
    """Su et al. 2021, equation 34: the angles are those of all heads."""
    for _ in range(positions * pairs):
        angle = Tally() * Tally()
        f(angle), f(angle)
    turn_pairs(positions * pairs * heads)


def turn_pairs(count: int) -> None:
    a, b, cos, sin = (some(count) for _ in range(4))
    a * cos - b * sin, b * cos + a * sin


def windows(x: Any, size: int, stride: int) -> Iterator[Any]:
    """Windows over two axes of every channel; x is padded already."""
    for channel in x:
        for i in range(0, x.shape[1] - size + 1, stride):
            for j in range(0, x.shape[2] - size + 1, stride):
                yield channel[i : i + size, j : j + size]


def laid(
    channels: int, counts: tuple[int, int], size: tuple[int, int], stride: tuple[int, int], dilation: int
) -> None:
    """Windows that are laid on a map, which is padded already, and added to what lies there."""
    for _ in range(channels):
        there: dict[tuple[int, ...], Any] = {}
        for window, tap in product(product(*map(range, counts)), product(*map(range, size))):
            at = tuple(i * s + k * dilation for i, s, k in zip(window, stride, tap, strict=True))
            there[at] = there[at] + Tally() if at in there else Tally()


def adapted(x: Any, outputs: int) -> Iterator[Any]:
    """The windows that torch takes for adaptive pooling: from floor(i n / o) to ceil((i + 1) n / o)."""
    bounds = [(i * x.shape[1] // outputs, -(-(i + 1) * x.shape[1] // outputs)) for i in range(outputs)]
    for channel, (a, b), (c, d) in product(x, bounds, bounds):
        yield channel[a:b, c:d]


def mixed(outputs: int, neighbours: int) -> None:
    for _ in range(outputs):
        total(some(neighbours) * some(neighbours))


def softmax(x: Any) -> None:
    for column in x.reshape(len(x), -1).T:
        exponentials = [f(value) for value in column]
        each(operator.truediv, exponentials, [total(exponentials)] * len(exponentials))


def log_softmax(x: Any) -> None:
    for column in x.reshape(len(x), -1).T:
        each(operator.sub, column, [f(total([f(value) for value in column]))] * len(column))


def local_response(x: Any, size: int) -> None:
    """Krizhevsky et al. 2012, section 3.3, with full windows at the first and last channels."""
    squares = x * x
    for value in np.ravel(squares):
        around = [value] * size
        value / f(2 + 1e-4 * total(around))


def subsampled(x: Any) -> None:
    for window in windows(x, 2, 2):
        total(window) * Tally() + Tally()


def distances(x: Any, centres: int) -> None:
    for _ in range(centres):
        differences = x - some(x.size)
        total(differences * differences)


#: Ops by their definitions; x is the input. Padding is part of a window, and stands in x already.
DEFINITIONS: dict[str, Callable[[], Any]] = {
    "4x3x2 >> softmax": lambda: softmax(some(4, 3, 2)),
    "7 >> softmax": lambda: softmax(some(7, 1)),
    "4x3x2 >> log_softmax": lambda: log_softmax(some(4, 3, 2)),
    "6x3x3 >> glu": lambda: each(lambda a, b: a * f(b), some(3, 3, 3), some(3, 3, 3)),
    "6x3x3 >> batch_norm": lambda: some(6, 3, 3) * some(6, 3, 3) + some(6, 3, 3),
    "6x3x3 >> batch_norm(affine=false)": lambda: some(6, 3, 3) * some(6, 3, 3) + some(6, 3, 3),
    "6x3x3 >> standardize": lambda: (some(6, 3, 3) - some(6, 3, 3)) / some(6, 3, 3),
    "6x3x3 >> standardize(0.5, 2)": lambda: (some(6, 3, 3) - some(6, 3, 3)) / some(6, 3, 3),
    "6x3x3 >> frozen_batch_norm": lambda: some(6, 3, 3) * some(6, 3, 3) + some(6, 3, 3),
    "6x3x3 >> batch_norm(running_stats=false)": lambda: [standardized(c, True) for c in some(6, 3, 3)],
    "6x3x3 >> instance_norm": lambda: [standardized(c, False) for c in some(6, 3, 3)],
    "6x3x3 >> instance_norm(affine=true)": lambda: [standardized(c, True) for c in some(6, 3, 3)],
    "6x3x3 >> instance_norm(running_stats=true)": lambda: some(6, 3, 3) * some(6, 3, 3) + some(6, 3, 3),
    "6x3x3 >> group_norm(2)": lambda: [standardized(c, True) for c in some(2, 3, 3, 3)],
    "6x3x3 >> group_norm(3, affine=false)": lambda: [standardized(c, False) for c in some(3, 2, 3, 3)],
    "6x3x3 >> layer_norm": lambda: [standardized(c, True) for c in some(9, 6)],
    "8 >> layer_norm(affine=false)": lambda: standardized(some(8), False),
    '6x3x3 >> layer_norm(over="all")': lambda: standardized(some(6, 3, 3), True),
    "6x3x3 >> local_response_norm(5)": lambda: local_response(some(6, 3, 3), 5),
    "3x6x6 >> max_pool(2)": lambda: [largest(w) for w in windows(some(3, 6, 6), 2, 2)],
    "3x6x6 >> max_pool(3, stride=2, padding=1)": lambda: [largest(w) for w in windows(some(3, 8, 8), 3, 2)],
    "3x6x6 >> avg_pool(3, stride=1)": lambda: [mean(w) for w in windows(some(3, 6, 6), 3, 1)],
    "27x42 >> fold((6, 7), 3, padding=1)": lambda: laid(3, (6, 7), (3, 3), (1, 1), 1),
    "12x16 >> fold((9, 8), (2, 3), stride=(2, 1), dilation=2)": lambda: laid(2, (4, 4), (2, 3), (2, 1), 2),
    "8x6 >> fold((4, 6), 2, stride=2)": lambda: laid(2, (2, 3), (2, 2), (2, 2), 1),
    "3x7x7 >> adaptive_max_pool(3)": lambda: [largest(w) for w in adapted(some(3, 7, 7), 3)],
    "3x7x7 >> adaptive_avg_pool(4)": lambda: [mean(w) for w in adapted(some(3, 7, 7), 4)],
    "3x2x2 >> adaptive_avg_pool(5)": lambda: [mean(w) for w in adapted(some(3, 2, 2), 5)],
    "3x7x5 >> global_max_pool": lambda: [largest(c) for c in some(3, 7, 5)],
    "3x7x5 >> global_avg_pool": lambda: [mean(c) for c in some(3, 7, 5)],
    "4x6x6 >> subsample(2)": lambda: subsampled(some(4, 6, 6)),
    "5x3x3, 5x3x3 >> add": lambda: some(5, 3, 3) + some(5, 3, 3),
    "5x1x1, 5x1x1, 5x3x3 >> add": lambda: some(5, 1, 1) + some(5, 1, 1) + some(5, 3, 3),
    "5x3x3, 5x1x1 >> multiply": lambda: some(5, 3, 3) * some(5, 1, 1),
    "3x4 >> upsample(2)": lambda: None,  # copies alone
    '3x4 >> upsample(2, mode="linear")': lambda: mixed(3 * 8, 2),
    '3x4x4 >> upsample(2, mode="bilinear")': lambda: mixed(3 * 8 * 8, 4),
    '3x4x4x4 >> upsample(2, mode="trilinear")': lambda: mixed(3 * 8 * 8 * 8, 8),
    '3x4x4 >> upsample(2, mode="bicubic")': lambda: mixed(3 * 8 * 8, 16),
    "12 >> rbf(4)": lambda: distances(some(12), 4),
    "6x3x3 >> channels_last >> layer_norm": lambda: [standardized(c, True) for c in some(9, 6)],
    '6x3x3 >> channels_last >> layer_norm(over="all")': lambda: standardized(some(6, 3, 3), True),
    "4x3x2 >> channels_last >> softmax": lambda: softmax(some(4, 3, 2)),
    "6x9 >> tokens >> glu": lambda: each(lambda a, b: a * f(b), some(9, 3), some(9, 3)),
    "6x9 >> tokens >> position_embedding": lambda: some(9, 6) + some(9, 6),
    "7 of 9 >> sinusoidal_embedding(6)": lambda: [
        (f(angle), f(angle)) for angle in (t * rate for t in some(7) for rate in some(3))
    ],
    "6x9 >> tokens >> rms_norm": lambda: [by_root(c, True) for c in some(9, 6)],
    "8 >> rms_norm(affine=false)": lambda: by_root(some(8), False),
    "8 >> normalize": lambda: unit(some(8)),
    "6x3x3 >> global_response_norm": lambda: responded(some(6, 3, 3)),
    "6x3x3 >> clamp(0, 3)": lambda: each(lambda a: f(f(a)), some(6, 3, 3)),
    '6x9 >> tokens >> mean("length")': lambda: [mean(c) for c in some(6, 9)],
    '6x9 >> tokens >> amax("length")': lambda: [largest(c) for c in some(6, 9)],
    "5x3x3, 5x3x3 >> subtract": lambda: some(5, 3, 3) + some(5, 3, 3),
    "5x3x3, 5x1x1 >> divide": lambda: some(5, 3, 3) * some(5, 1, 1),
    "5x3x3, 5x3x3 >> minimum": lambda: some(5, 3, 3) + some(5, 3, 3),
    "5x3x3, 5x3x3 >> maximum": lambda: some(5, 3, 3) + some(5, 3, 3),
    "3x6x7, 2x4x5 >> grid_sample": lambda: mixed(3 * 4 * 5, 4),
    "6x9 >> tokens >> position_embedding(12)": lambda: some(9, 6) + some(9, 6),
    # 5 positions of 3 heads, of which 2 pairs are turned each
    "18x5 >> tokens >> rotary(6, part=4)": lambda: turned(5, 2, 3),
    "12x2x5 >> channels_last >> rotary(4)": lambda: [turned(5, 2, 3), turn_pairs(5 * 2 * 3)],
    "6x3x3 >> layer_scale": lambda: some(6, 3, 3) * some(6, 1, 1),
    "6x3x3 >> layer_scale(vector=true)": lambda: some(6, 3, 3) * some(6, 1, 1),
    "6x3x3 >> channels_last >> layer_scale": lambda: some(3, 3, 6) * some(6),
}


def dot(a: Any, b: Any) -> None:
    """A product of matrices as n multiply-accumulates for each value: a sum of n products and 0."""
    for row, column in product(a, b):
        total(row * column) + Tally()


def linear(x: Any, features: int, bias: bool = True) -> Any:
    """Each row by a linear layer."""
    dot(x, some(features, x.shape[1]))
    y = some(len(x), features)
    return y + some(features) if bias else y


def attend(x: Any, heads: int, bias: bool = True) -> None:
    """Vaswani et al. 2017, eq. 1 and section 3.2.2: each query over all keys, in several heads."""
    q, k, v = linear(x, 3 * x.shape[1], bias).reshape(len(x), 3, heads, -1).transpose(1, 2, 0, 3)
    for head in range(heads):
        dot(q[head], k[head])
        softmax((some(len(x), len(x)) * Tally()).T)
        dot(some(len(x), len(x)), v[head].T)
    linear(x, x.shape[1], bias)


def attend_to(
    queries: int, keys: int, width: int, values: int, heads: int, *, scaled: bool = True, biased: bool = False
) -> None:
    """The core alone: queries and keys of a width, and values of another."""
    for _ in range(heads):
        dot(some(queries, width), some(keys, width))
        scores = some(queries, keys)
        scores = scores * Tally() if scaled else scores
        softmax((scores + some(queries, keys) if biased else scores).T)
        dot(some(queries, keys), some(values, keys))


def attend_shared(x: Any, heads: int, shared: int, out: int) -> None:
    """Keys and values of as many channels, which all heads read."""
    linear(x, x.shape[1] + 2 * shared)
    attend_to(len(x), len(x), x.shape[1] // heads, shared, heads)
    linear(x, out)


def attend_in_window(x: Any, heads: int, masked: bool = False) -> None:
    """Liu et al. 2021, eq. 4, within one window; the queries are scaled, and a mask is added."""
    m = len(x)
    q, k, v = linear(x, 3 * x.shape[1]).reshape(m, 3, heads, -1).transpose(1, 2, 0, 3)
    for head in range(heads):
        dot(q[head] * Tally(), k[head])
        scores = some(m, m) + some(m, m)
        softmax((scores + some(m, m) if masked else scores).T)
        dot(some(m, m), v[head].T)
    linear(x, x.shape[1])


def attend_by_cosine(x: Any, heads: int, windows: int, relative: int, masked: bool = False) -> None:
    """Liu et al. 2022, section 3: cosines by a learned scale, and a bias from a small network, made once."""
    m = len(x)
    hidden = linear(some(relative, 2), 512)
    each(f, hidden)
    linear(hidden, heads, bias=False)
    each(lambda value: Tally() * f(value), some(heads, m, m))
    for _ in range(heads):
        f(f(Tally()))  # the exponential of what is at most log 100
    for _ in range(windows):
        q, k, v = linear(x, 3 * x.shape[1]).reshape(m, 3, heads, -1).transpose(1, 2, 0, 3)
        for head in range(heads):
            for vector in (*q[head], *k[head]):
                vector / f(total(vector * vector))
            dot(q[head], k[head])
            scores = some(m, m) * Tally() + some(m, m)
            softmax((scores + some(m, m) if masked else scores).T)
            dot(some(m, m), v[head].T)
        linear(x, x.shape[1])


#: Attention by its definition, and how many windows it is done in.
ATTENTION: dict[str, Callable[[], Any]] = {
    "4x5 >> tokens >> self_attention(2)": lambda: attend(some(5, 4), 2),
    "6x2x2 >> tokens >> self_attention(3, bias=false)": lambda: attend(some(4, 6), 3, bias=False),
    # 3 rows of 5 tokens, whose 2 heads share keys and values of 2 channels
    "4x3x5 >> channels_last >> self_attention(2, kv_heads=1, out=3)": lambda: [
        attend_shared(some(5, 4), 2, 2, 3) for _ in range(3)
    ],
    "4x5, 4x5, 4x5 >> tokens >> attention(2, window=2)": lambda: attend_to(5, 5, 2, 2, 2),
    "4x5, 4x3, 6x3 >> tokens >> attention(2)": lambda: attend_to(5, 3, 2, 3, 2),
    "4x5, 1x3, 1x3 >> tokens >> attention(4, kv_heads=1)": lambda: attend_to(5, 3, 1, 1, 4),
    "4x5, 4x3, 4x3 >> tokens >> attention(2, scale=1)": lambda: attend_to(5, 3, 2, 2, 2, scaled=False),
    "4x5, 4x3, 4x3, 3x5 >> tokens >> attention(2)": lambda: attend_to(5, 3, 2, 2, 2, biased=True),
    # 4 windows of 2x2
    "4x4x4 >> channels_last >> window_attention(2, 2)": lambda: [
        attend_in_window(some(4, 4), 2) for _ in range(4)
    ],
    # 3x5 is padded to 4x6: 6 windows
    "4x3x5 >> channels_last >> window_attention(2, 2, shift=1)": lambda: [
        attend_in_window(some(4, 4), 2, masked=True) for _ in range(6)
    ],
    # 2x3 is padded to one window of 3x3, which is not shifted
    "4x2x3 >> channels_last >> window_attention(1, 3, shift=1)": lambda: attend_in_window(some(9, 4), 1),
    "4x4x4 >> window_partition(2) >> relative_attention(2, 2)": lambda: [
        attend_in_window(some(4, 4), 2) for _ in range(4)
    ],
    # 3x3 relative positions in a window of 2x2
    "4x4x4 >> channels_last >> window_attention_v2(2, 2)": lambda: attend_by_cosine(some(4, 4), 2, 4, 9),
    "4x4x6 >> channels_last >> window_attention_v2(2, (2, 3), shift=1)": lambda: attend_by_cosine(
        some(6, 4), 2, 4, 3 * 5, masked=True
    ),
}

#: Ops that compute something beside their products: a bias.
PRODUCTS = {
    "3x6x6 >> conv(4, 3)": lambda: [
        total(w * some(3, 3, 3)) + Tally()
        for i, j, _ in product(range(4), range(4), range(4))
        for w in [some(3, 6, 6)[:, i : i + 3, j : j + 3]]
    ],
    "3x6x6 >> ws_conv(4, 3, bias=false)": lambda: [
        [total(some(3, 3, 3) * some(3, 3, 3)) for _ in range(4 * 4 * 4)],
        [standardized(kernel, False) for kernel in some(4, 3, 3, 3)],
    ],
    "3x6x6 >> wn_conv(4, 3, bias=false)": lambda: [
        [total(some(3, 3, 3) * some(3, 3, 3)) for _ in range(4 * 4 * 4)],
        [directed(kernel) for kernel in some(4, 3, 3, 3)],
    ],
    "3x6x6 >> conv(4, 3, bias=false)": lambda: [
        total(some(3, 3, 3) * some(3, 3, 3)) for _ in range(4 * 4 * 4)
    ],
    "3x2x4x4 >> frame_conv(4, 3)": lambda: [
        total(some(3, 3, 3) * some(3, 3, 3)) + Tally() for _ in range(4 * 2 * 2 * 2)
    ],
    "7 >> linear(5)": lambda: [total(some(7) * some(7)) + Tally() for _ in range(5)],
    "7 >> linear(5, bias=false)": lambda: [total(some(7) * some(7)) for _ in range(5)],
    # with a stride of its kernel each output is a sum over the channels alone
    "3x4x4 >> conv_transpose(2, 2, stride=2)": lambda: [
        total(some(3) * some(3)) + Tally() for _ in range(2 * 8 * 8)
    ],
    "3x4x4 >> conv_transpose(2, 2, stride=2, bias=false)": lambda: [
        total(some(3) * some(3)) for _ in range(2 * 8 * 8)
    ],
    "7x3x2 >> channels_last >> linear(5)": lambda: [
        total(some(7) * some(7)) + Tally() for _ in range(3 * 2 * 5)
    ],
    "3x5x5 >> conv_map([[0, 1], [2]], 3)": lambda: [
        total(some(pairs, 3, 3) * some(pairs, 3, 3)) + Tally() for pairs in (2, 1) for _ in range(3 * 3)
    ],
}


def recur(
    kind: str, steps: int, inputs: int, size: int, *, ways: int = 1, bias: bool | str = True, out: int = 0
) -> None:
    """One recurrent layer by its equations: Hochreiter and Schmidhuber 1997, Cho et al. 2014, Elman 1990."""
    given = out or size

    def product(of: int) -> Any:
        return linear(some(1, of), size, bool(bias))[0]  # single ones have zeros beside them

    def gate() -> Any:
        return [f(value) for value in product(inputs) + product(given)]

    for _ in range(steps * ways):
        if kind == "lstm":
            i, forget, g, o = (np.array(gate()) for _ in range(4))
            cell = forget * some(size) + i * g
            o * np.array([f(value) for value in cell])
            if out:
                linear(some(1, size), out, False)
        elif kind == "gru":
            r, z = (np.array(gate()) for _ in range(2))
            n = np.array([f(value) for value in product(inputs) + r * product(given)])
            (1 - z) * n + z * some(size)
        else:
            gate()


#: Recurrent layers by their equations.
RECURRENT: dict[str, Callable[[], Any]] = {
    "3x5 >> channels_last >> lstm(4)": lambda: recur("lstm", 5, 3, 4),
    "3x5 >> channels_last >> lstm(4, layers=2, bidirectional=true, bias=false, dropout=0.1)": lambda: (
        recur("lstm", 5, 3, 4, ways=2, bias=False),
        recur("lstm", 5, 8, 4, ways=2, bias=False),
    ),
    '3x5 >> channels_last >> lstm(6, layers=2, output="state", projection=2)': lambda: (
        recur("lstm", 5, 3, 6, out=2),
        recur("lstm", 5, 2, 6, out=2),
    ),
    '3x5 >> channels_last >> lstm(4, layers=2, bidirectional=true, bias="single")': lambda: (
        recur("lstm", 5, 3, 4, ways=2, bias="single"),
        recur("lstm", 5, 8, 4, ways=2, bias="single"),
    ),
    '3x5 >> channels_last >> gru(4, bias="single", output="state")': lambda: recur(
        "gru", 5, 3, 4, bias="single"
    ),
    '3x5 >> channels_last >> rnn(4, bias="single")': lambda: recur("rnn", 5, 3, 4, bias="single"),
    "3x5 >> channels_last >> gru(4)": lambda: recur("gru", 5, 3, 4),
    '3x5 >> channels_last >> gru(4, bidirectional=true, output="state")': lambda: recur(
        "gru", 5, 3, 4, ways=2
    ),
    "3x5 >> channels_last >> gru(2, layers=2, bias=false, dropout=0.1)": lambda: (
        recur("gru", 5, 3, 2, bias=False),
        recur("gru", 5, 2, 2, bias=False),
    ),
    "3x5 >> channels_last >> rnn(4)": lambda: recur("rnn", 5, 3, 4),
    '3x5 >> channels_last >> rnn(4, layers=2, dropout=0.1, nonlinearity="relu")': lambda: (
        recur("rnn", 5, 3, 4),
        recur("rnn", 5, 4, 4),
    ),
    '3x5 >> channels_last >> rnn(4, bidirectional=true, bias=false, output="state")': lambda: recur(
        "rnn", 5, 3, 4, ways=2, bias=False
    ),
}


def tallied(definition: Callable[[], Any]) -> int:
    Tally.done = 0
    definition()
    return Tally.done


def other_of(text: str) -> int:
    *_, row = cost(example(text)).by_layer()
    return sum(row.other().values())


@pytest.mark.parametrize("text", DEFINITIONS)
def test_other_work_by_definition(text: str) -> None:
    """The work of an op is what its definition does, written out and counted."""
    assert other_of(text) == tallied(DEFINITIONS[text])
    assert cost(example(text)).total.macs == 0


@pytest.mark.parametrize("text", PRODUCTS)
def test_products_and_bias_by_definition(text: str) -> None:
    """A sum of n products is n multiply-accumulates and n - 1 additions; the bias is one more."""
    *_, row = cost(example(text)).by_layer()
    assert 2 * row.macs - example(text).output.numel + other_of(text) == tallied(PRODUCTS[text])


@pytest.mark.parametrize("text", ATTENTION | RECURRENT)
def test_attention_and_recurrence_by_definition(text: str) -> None:
    """All that they do; each multiply-accumulate is a product and an addition."""
    *_, row = cost(example(text)).by_layer()
    assert 2 * row.macs + other_of(text) == tallied((ATTENTION | RECURRENT)[text])


def test_every_op_that_works_is_defined() -> None:
    """Activations are one function value each; every other op with work of its own is written out above."""
    defined = {
        text.split(" >> ")[-1].partition("(")[0] for text in (*DEFINITIONS, *PRODUCTS, *ATTENTION, *RECURRENT)
    }
    for kind, op in OPS.items():
        for text in op.examples:
            if op.transparent or kind in defined:
                continue
            expected = {"activation": example(text).output.numel} if op.family == "activation" else {}
            assert cost(example(text)).by_layer()[-1].other() == expected, text


def test_every_item_has_a_formula_and_a_source() -> None:
    found = {item for text in EXAMPLES if "identity" not in text for item in cost(example(text)).items}
    # what no op of the language computes by itself
    for step in ("experts: {count: 3, active: 2, do: linear(4)}", "custom('mine')"):
        found.update(cost(archlens.loads(f"input: 8\nlayers:\n  - {step}\n")).items)
    assert found == set(ITEMS)
    assert all(item.formula and item.source for item in ITEMS.values())


# --- whole networks, by the operators that torch executes ----------------------------------------------


class Executed(TorchDispatchMode):
    """The work of every operator that torch executes, itemised; an unknown one is an error."""

    def __init__(self) -> None:
        super().__init__()
        self.work: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.note(func.overloadpacket.__name__, args, out)
        return out

    def note(self, name: str, args: Any, out: Any) -> None:
        if name in FUNCTIONS:
            self.work["activation"] += out.numel()
        elif name == "_softmax":
            self.work["activation"] += (3 * out.shape[1] - 1) * out[:, 0].numel()
        elif name == "_scaled_dot_product_flash_attention_for_cpu":
            q, k = args[:2]
            queries, keys = q[..., 0].numel(), k.shape[2]
            self.work["softmax"] += queries * (3 * keys - 1)
            self.work["elementwise"] += queries * keys
        elif name == "_log_softmax":
            self.work["activation"] += 3 * out.numel()
        elif name in ("convolution", "addmm"):
            bias = args[2] if name == "convolution" else args[0]
            self.work["bias"] += 0 if bias is None else out.numel()
        elif name in ("add", "mul"):
            self.work["elementwise"] += out.numel()
        elif name == "native_batch_norm":
            training, (x, weight) = args[5], args[:2]
            per = (7 if weight is not None else 5) if training else 2
            self.work["normalization"] += per * x.numel() + (3 * x.shape[1] if training else 0)
        elif name == "native_group_norm":
            self.work["normalization"] += 7 * args[0].numel() + 3 * args[6]
        elif name == "native_layer_norm":
            self.work["normalization"] += 7 * args[0].numel() + 3 * out[1].numel()
        elif name.startswith("max_pool"):
            self.work["pooling"] += out[0].numel() * (prod(args[1]) - 1)
        elif name.startswith("avg_pool"):
            self.work["pooling"] += out.numel() * prod(args[1])
        elif name == "_adaptive_avg_pool2d":
            x, sizes = args
            seen = [
                sum(-(-(i + 1) * n // o) - i * n // o for i in range(o))
                for n, o in zip(x.shape[2:], sizes, strict=True)
            ]
            self.work["pooling"] += x.shape[1] * prod(seen)
        elif name == "mean":
            self.work["pooling"] += args[0].numel()
        elif name in ("upsample_bilinear2d", "upsample_trilinear3d"):
            self.work["interpolation"] += out.numel() * (2 * 2 ** (out.dim() - 2) - 1)
        else:
            assert name in MOVING, name


#: Operators that are one function of each value.
FUNCTIONS = {"relu", "relu_", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"} | {
    "hardswish",
    "hardsigmoid",
    "hardtanh",
    "_prelu_kernel",
}

#: Operators that compute nothing.
MOVING = {"cat", "view", "_unsafe_view", "t", "mm", "slice", "permute", "transpose", "detach", "copy_"} | {
    "upsample_nearest2d",
    "clone",
    "_reshape_copy",
    "repeat",
    "empty",
    "unsqueeze",
    "squeeze",
    "alias",
    "as_strided",
    "_to_copy",
    "expand",
    "as_strided_",
    "unbind",
}


@pytest.mark.parametrize(
    "name",
    [
        # swin makes its masks anew, with operators that are none of its layers
        *(name for name in ZOO if name not in ("lenet5_1998", "swin_t", "swin_v2_t")),
        "unet",
        "unet_by_interpolation",
        "densenet",
        "three_axes",
        "two_inputs",
    ],
)
def test_other_work_by_what_torch_executes(name: str) -> None:
    """Every item of a whole network, from the shapes of the operators that ran."""
    network = network_of(name)
    # on the meta device torch takes attention apart, and scales queries and keys
    module, inputs = built(network, "cpu" if name == "vit_b_32" else "meta")
    with Executed() as executed:
        module(*inputs)
    said = {item: count for item, count in cost(network).total.other().items() if count}
    assert said == {item: count for item, count in executed.work.items() if count}


def test_lenet5_works_as_often_as_its_paper_connects() -> None:
    """LeCun et al. 1998, section II-B: S2 has 5,880 connections and S4 2,000, four inputs and a bias each."""
    work = {row.name: sum(row.other().values()) for row in cost(archlens.load("lenet5_1998")).by_layer()}
    assert (work["S2"], work["S4"]) == (5_880, 2_000)


# --- the ledger ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*SPECS, *ZOO])
@pytest.mark.parametrize("by", ["layer", "scope", "op"])
@pytest.mark.parametrize("depth", [1, 2])
def test_however_it_is_ordered_it_adds_up(name: str, by: str, depth: int) -> None:
    network = network_of(name)
    ledger = cost(network)
    rows = ledger.by(by, depth)
    assert sum(len(row.layers) for row in rows) == len(network)
    assert sum(row.params for row in rows) == ledger.total.params == network.params
    assert sum(row.macs for row in rows) == ledger.total.macs == network.macs
    assert sum(row.training_macs for row in rows) == network.training_macs
    for training in (False, True):
        work: Counter[str] = Counter()
        for row in rows:
            work.update(row.other(training=training))
        assert work == Counter(ledger.total.other(training=training))
        assert work.keys() <= set(ledger.items) | {item for item, count in work.items() if not count}


def test_heads_for_training_are_kept_apart() -> None:
    ledger = cost(network_of("two_inputs"))
    # by hand: 8 features to 4, and their biases; the mean of 14x14 positions of each of 8 channels
    assert ledger.total.training_macs == 8 * 4
    assert ledger.total.other(training=True) == {"pooling": 8 * 14 * 14, "bias": 4}
    assert "pooling" not in ledger.total.other()
    # 4 channels to 8 by 3x3 on 14x14 positions, then 8 to 8 by 1x1
    assert ledger.total.macs == 14 * 14 * (4 * 8 * 9 + 8 * 8)


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(archlens.UsageError, match="a ledger is not ordered by layers") as caught:
        cost(network_of("lenet5")).by("layers")
    assert caught.value.diagnostic.help == "did you mean layer?"


# --- conventions --------------------------------------------------------------------------------------


def test_every_convention_of_a_tool_runs_the_tool() -> None:
    """A new file in the folder is found, and must be held against its tool here."""
    assert set(counting.names()) == {*TOOLS, "archlens", "keras"}
    for name in counting.names():
        convention = counting.find(name)
        assert convention.counts.endswith(".")
        assert convention.tool
        assert convention.source
    with pytest.raises(archlens.UsageError, match="there is no convention fcore") as caught:
        counting.find("fcore")
    assert caught.value.diagnostic.help == "did you mean fvcore?"


def test_the_versions_that_are_named_are_those_that_ran() -> None:

    for name in ("fvcore", "torchinfo", "thop", "ptflops"):
        # setuptools writes a post-release with a hyphen
        assert f"{name} {version(name).replace('-', '.post')}" in counting.find(name).tool
    assert counting.find("torch").tool.startswith(f"torch {'.'.join(version('torch').split('.')[:2])} ")


def test_resnet50_by_everyone() -> None:
    """The totals that circulate for ResNet-50 at 224, in G; 4.089 is torchvision's metadata."""
    totals = {name: counting.count(network_of("resnet50"), name).total for name in counting.names()}
    billions = {name: round(total / 1e9, 3) for name, total in totals.items() if total is not None}
    assert billions == {
        "archlens": 4.089,
        "torch": 4.089,
        "torchinfo": 4.089,
        "ptflops_aten": 4.089,
        "fvcore": 4.112,
        "ptflops": 4.132,
        "thop": 4.134,
    }
    assert totals["archlens"] == 4_089_184_256


@pytest.mark.parametrize("tool", TOOLS)
def test_torchvisions_own_resnet_is_counted_alike(tool: str, torchvision: Any, monkeypatch: Any) -> None:
    """Not only the module that archlens builds."""
    found = counting.count(archlens.load("resnet18", input=(3, 64, 64)), tool)

    def theirs(network: Network, device: str = "meta") -> Any:
        with torch.device(device):
            module = torchvision.models.resnet18().eval()
        module.graph = torch.fx.symbolic_trace(module).graph
        return module, (torch.rand(1, 3, 64, 64, device=device),)

    monkeypatch.setitem(globals(), "built", theirs)
    assert TOOLS[tool](archlens.load("resnet18", input=(3, 64, 64))) == (found.total, found.params)


@pytest.mark.slow
def test_what_is_measured_of_torchvisions_own_modules_is_of_all_and_of_these() -> None:
    """Each network that torchvision builds, as it is today, unless it is too large to be run."""
    data = json.loads(own_modules.FILE.read_text("utf-8"))
    small = [name for name in NAMES if archlens.load(name).macs <= own_modules.MOST]
    assert sorted(data) == sorted(small)
    for name, found in data.items():
        assert found["structure"] == fingerprint(archlens.load(name)), name
        assert sorted(found["prints"]) == sorted(own_modules.TOOLS)
    assert f"torchvision {version('torchvision').partition('+')[0]}" == counting.TORCHVISION


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "mobilenet_v3_small", "vit_b_32", "swin_t"])
@pytest.mark.slow
def test_what_tools_print_of_torchvisions_own_modules(name: str, torchvision: Any) -> None:
    """As people run them: on the CPU, with the module as torchvision makes it."""
    found = own_modules.measure(name, lambda: build(torchvision, name))
    assert counting.printed_of_own(archlens.load(name)) == {k: tuple(v) for k, v in found.items()}


def test_torchvisions_own_is_said_where_it_was_run() -> None:
    """The three figures were measured by others with these tools and torchvision 0.28: G of MACs."""
    own = {
        (name, tool): round(counting.printed_of_own(archlens.load(name))[tool].macs / 1e9, 2)
        for name, tool in (("vit_b_16", "ptflops"), ("swin_b", "thop"))
    }
    assert own == {("vit_b_16", "ptflops"): 17.61, ("swin_b", "thop"): 10.22}
    vit = archlens.load("vit_b_16")
    assert counting.count(vit, "torch").printed == 16_848_500_736  # FlopCounterMode on a CPU, halved
    assert counting.printed_of_own(vit)["torch"].macs == 16_848_500_736
    assert counting.printed_of_own(archlens.load("vit_b_16", depth=2)) == {}
    assert counting.printed_of_own(archlens.load("resnet18", input=(3, 64, 64))) == {}
    text = terminal.write(view.table(cost(archlens.load("swin_b")), count_as="thop"))
    assert "For torchvision's own module it prints 10,2" in text
    assert "torchvision's own" not in page("lenet5", count_as="all")


@pytest.mark.parametrize(
    ("name", "params", "beside"),
    [
        # keras.applications, MobileNet v1 with alpha 1
        ("mobilenet_v1", 4_253_864, 0),
        # keras.applications, ResNet50; it has biases in the convolutions before batch norm
        ("resnet50", 25_636_712, 26_560),
        # keras.applications, VGG16: no batch norm, so no difference
        ("vgg16", 138_357_544, 0),
    ],
)
def test_parameters_as_keras_counts_them(name: str, params: int, beside: int) -> None:
    """The sources print 25,583,592 trainable ones for ResNet-50, 26,560 more than torch's 25,557,032."""
    found = counting.count(archlens.load(name), "keras")
    assert found.params + beside == params
    assert found.total is None


@pytest.mark.parametrize(
    ("step", "tool", "why", "macs", "params"),
    [
        # 4x8x8 in; 4 x 2 x 2x2 weights at each of 8x8 inputs, where the tool takes 16x16 outputs
        ("conv_transpose(2, 2, stride=2, bias=false)", "thop", "transposed", 192 * 32, 0),
        ("conv_transpose(2, 2, stride=2, bias=false)", "torchinfo", "transposed", 192 * 32, 0),
        ("group_norm(2)", "thop", "drops its parameters", 0, -8),
        # 4x8x8 to 3x4x4 by 3x3: a module that pads each side by itself is none that the tools know
        ('conv(3, 3, stride=2, padding="same", bias=false)', "thop", "no rule", -48 * 36, -108),
        ('conv(3, 3, stride=2, padding="same", bias=false)', "ptflops", "no rule", -48 * 36, 0),
        # 64 tokens of 4 channels: 2 x 64 x 64 x 4 products of tokens, 4 x 4 x 4 weights and 4 x 4 biases
        ("tokens >> self_attention(2)", "fvcore", "scaled_dot_product_attention", -32768, 0),
        ("tokens >> self_attention(2)", "thop", "no rule", -(32768 + 64 * 64), -80),
        ("tokens >> self_attention(2)", "ptflops", "no rule", -(32768 + 64 * 80), 0),
        ("tokens >> self_attention(2)", "torchinfo", "once", 20 - (32768 + 64 * 80), 0),
        # the bias of queries, keys and values is an addition of its own, for tokens turns the axes round
        ("tokens >> self_attention(2)", "ptflops_aten", "row by row", -(32768 + 64 * 12), 0),
        # 4 windows of 16 positions: the linear layers are found, and 2 x 64 x 16 x 4 products are not
        (
            "channels_last >> window_attention(2, 4)",
            "thop",
            "except those of the linear layers within",
            -8192,
            -(7 * 7 * 2),
        ),
        (
            "channels_last >> window_attention(2, 4)",
            "ptflops",
            "only the products of the linear layers within",
            -8192,
            0,
        ),
        ("channels_last >> window_attention(2, 4)", "torchinfo", "once", 80 - (8192 + 64 * 80), 0),
        ("position_embedding", "torchinfo", "no module of their own", -256, 0),
        ("channels_last >> linear(3)", "torchinfo", "once", 15 - 64 * 15, 0),
        ("channels_last >> linear(3)", "ptflops_aten", "row by row", -64 * 3, 0),
    ],
)
def test_what_a_tool_gets_wrong_is_said(step: str, tool: str, why: str, macs: int, params: int) -> None:
    found = counting.count(archlens.loads(f"input: 4x8x8\nlayers:\n  - {step}\n"), tool)
    assert all(why in note.why or "no rule" in note.why for note in found.notes)
    assert any(why in note.why for note in found.notes)
    assert sum(note.macs for note in found.notes) == macs
    assert sum(note.params for note in found.notes) == params
    assert found.total is not None
    assert found.printed == found.total + macs


@pytest.mark.parametrize(
    "text",
    [
        "4x6x5 >> channels_last >> gelu >> linear(3)",
        "4x6x5 >> channels_last >> layer_scale >> dropout >> linear(3)",
        "4x6x5 >> channels_last >> layer_norm >> linear(3)",
        "4x6x5 >> channels_last >> linear(3) >> linear(2)",
        "4x6x5 >> channels_last >> transpose >> linear(3)",
        "4x6x5 >> transpose >> channels_last >> linear(3)",
        "4x6x1 >> channels_last >> linear(3)",
        "1x6x5 >> channels_last >> linear(3)",
        "4x1x1 >> channels_last >> linear(3)",
        "4x6x5 >> channels_last >> channels_first >> tokens >> linear(3)",
        "4x6x5 >> channels_last >> linear(3) >> channels_first >> relu >> tokens >> linear(2)",
        "4x2x3x4 >> channels_last >> silu >> tokens >> linear(3)",
        "4x6x5 >> channels_last >> transpose >> tokens >> linear(3)",
        "4x6x5 >> tokens >> softmax >> linear(3)",
        "4x6x5 >> tokens >> class_token >> linear(3)",
        "4x6x5 >> tokens >> position_embedding >> self_attention(2)",
    ],
)
def test_where_torch_adds_the_bias_of_a_linear_layer_apart(text: str) -> None:
    network = example(text)
    assert counting.count(network, "ptflops_aten").printed == by_ptflops(network, "aten")[0]


def test_thop_drops_the_parameters_of_heads() -> None:
    """Szegedy et al.'s heads hold 6.38 M parameters; torchvision's metadata says 6,624,904 without them."""
    found = counting.count(archlens.load("googlenet_aux"), "thop")
    assert (found.params, found.printed_params) == (13_004_888, 6_624_904)


def test_linear_layers_over_several_positions_as_torchinfo_takes_them() -> None:
    """In torchinfo 1.8 the weights of a linear layer, 6 x 5 and 5 biases, count once for all 7 tokens."""
    found = counting.count(archlens.loads("input: 6x7\nlayers: [tokens, linear(5)]\n"), "torchinfo")
    assert (found.total, found.printed) == (7 * 35, 35)
    assert "however many positions" in found.notes[0].why


# --- what is shown ------------------------------------------------------------------------------------

GOLDEN = Path(__file__).parent / "golden"


def figures(text: str, title: str) -> list[int]:
    """A column of a plain table, the total at its end; figures in brackets are left out."""
    lines = text.splitlines()
    rule = next(i for i, line in enumerate(lines) if line.startswith("---"))
    ends = [match.span() for match in re.finditer("-+", lines[rule])]
    start, stop = next(span for span in ends if lines[rule - 1][slice(*span)].strip() == title)
    end = lines.index("", rule)
    cells = [line[start:stop].strip() for line in lines[rule + 1 : end] if not line.startswith("---")]
    return [int(cell.replace(",", "")) for cell in cells if re.fullmatch(r"[\d,]+", cell)]


def columns_add_up(text: str, *titles: str) -> None:
    for title in titles:
        *parts, last = figures(text, title)
        assert sum(parts) == last > 0, title


def page(name: str, width: int | None = None, **options: Any) -> str:
    return terminal.write(view.table(cost(network_of(name)), **options), width)


PAGES: dict[str, tuple[Callable[[], str], tuple[str, ...]]] = {
    "cost_lenet5.txt": (lambda: page("lenet5"), ("params", "MACs", "bias", "activation", "pooling")),
    "cost_googlenet_aux_scopes.txt": (
        lambda: page("googlenet_aux", by="scope", width=140),
        ("params", "MACs", "bias", "normalization", "activation", "pooling"),
    ),
    "cost_resnet50_narrow.txt": (lambda: page("resnet50", width=60), ("params", "MACs", "other")),
    "cost_resnet50_ops_thop.txt": (
        lambda: page("resnet50", by="op", count_as="thop"),
        ("layers", "params", "MACs", "MACs, thop"),
    ),
    "cost_unet_torchinfo.txt": (
        lambda: page("unet", by="scope", count_as="torchinfo", width=80),
        ("params", "MACs", "MACs, torchinfo"),
    ),
}


@pytest.mark.parametrize("name", PAGES)
def test_golden(name: str, update: bool) -> None:
    make, titles = PAGES[name]
    text = make()
    columns_add_up(text, *titles)
    if update:
        (GOLDEN / name).write_text(text + "\n", "utf-8")
    assert text + "\n" == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize("name", ["lenet5", "resnet50", "googlenet_aux", "unet_by_interpolation"])
@pytest.mark.parametrize("count_as", [None, "thop", "keras", "all"])
@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_tables_fit_the_width_and_lose_no_figure(name: str, count_as: str | None, width: int) -> None:
    text = page(name, by="scope", count_as=count_as, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert f"{network_of(name).macs:,}" in text
    assert f"{network_of(name).params:,}" in text


def test_each_item_that_is_shown_has_its_formula_beneath() -> None:
    for name in SPECS:
        ledger = cost(network_of(name))
        for width in (None, 60):
            text = re.sub(r"\s+", " ", terminal.write(view.table(ledger), width))
            assert all(f"{item}: {ITEMS[item].formula}" in text for item in ledger.items)


def test_all_conventions_beside_each_other() -> None:
    text = page("resnet50", count_as="all")
    for total in ("4,089,184,256", "4,111,512,576", "4,132,436,968", "4,133,742,592", "25,610,152"):
        assert total in text
    assert "thop prints" not in text
    assert "thop prints 6,624,904 parameters" in page("googlenet_aux", count_as="all")


def test_json_is_the_ledger() -> None:
    data = json.loads(view.to_json(cost(network_of("googlenet_aux")), count_as="fvcore"))
    assert data["schema"] == "archlens.cost/1"
    assert data["input"] == [3, 96, 96]
    for key in ("params", "macs", "layers"):
        assert sum(row[key] for row in data["rows"]) == data["totals"][key]
    for item in data["items"]:
        inference = sum(row["other"].get(item, 0) for row in data["rows"])
        training = sum(row.get("training", {"other": {}})["other"].get(item, 0) for row in data["rows"])
        assert inference == data["totals"]["other"].get(item, 0)
        assert training == data["totals"]["training"]["other"].get(item, 0)
        assert data["items"][item]["formula"]
    (found,) = data["counted"]
    assert sum(row["counted"]["fvcore"]["macs"] for row in data["rows"]) == found["macs"]
    assert sum(row["counted"]["fvcore"]["params"] for row in data["rows"]) == found["params"]
    many = json.loads(view.to_json(cost(network_of("two_inputs")), by="op", count_as="all"))
    assert many["input"] == {"image": [3, 16, 16], "depth": [1, 16, 16]}
    assert [each["name"] for each in many["counted"]] == counting.names()
    assert next(each for each in many["counted"] if each["name"] == "keras")["macs"] is None


def test_csv_adds_up() -> None:
    ledger = cost(network_of("googlenet_aux"))
    rows = list(csv.DictReader(io.StringIO(csv_form.write(view.table(ledger, by="scope", count_as="thop")))))
    assert sum(int(row["params"]) for row in rows) == ledger.total.params
    assert sum(int(row["macs"]) for row in rows) == ledger.total.macs
    assert sum(int(row["training_macs"]) for row in rows) == ledger.total.training_macs
    assert sum(int(row["counted_macs"]) for row in rows) == counting.count(ledger.network, "thop").total
    for item in ledger.items:
        assert sum(int(row[item]) for row in rows) == ledger.total.other().get(item, 0)
    listed = list(csv.DictReader(io.StringIO(csv_form.write(view.table(ledger, count_as="all")))))
    assert [row["name"] for row in listed] == counting.names()
    assert next(row for row in listed if row["name"] == "keras")["macs"] == ""


def test_hostile_names_are_escaped() -> None:
    network = archlens.loads(
        "title: \"<b>x|y\\e[31m\"\ninput: 4x8x8\nlayers:\n  - '<s>|': conv(4, 3)\n  - '`a`*': group_norm(2)\n"
    )
    for count_as in (None, "thop", "all"):
        text = terminal.write(view.table(cost(network), count_as=count_as))
        marked = markdown_form.write(view.table(cost(network), count_as=count_as))
        assert "\x1b" not in text + marked
        assert "&lt;b&gt;x\\|y" in marked
    assert "&lt;s&gt;\\|" in markdown_form.write(view.table(cost(network)))
    assert "(\\`a\\`\\*)" in markdown_form.write(view.table(cost(network), count_as="thop"))
    assert json.loads(view.to_json(cost(network)))["rows"][0]["name"] == "<s>|"


# --- the command --------------------------------------------------------------------------------------


def archlens_cost(*args: str) -> str:
    result = CliRunner().invoke(cli, ["cost", *args], prog_name="archlens", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command() -> None:
    assert "416,520" in archlens_cost("lenet5")
    assert archlens_cost("resnet50", "--by", "scope").count("\n") < archlens_cost("resnet50").count("\n")
    assert "layer1.2 " in archlens_cost("resnet50", "--by", "scope", "--depth", "2")
    assert "76,524,800" in archlens_cost("mobilenet_v1", "--set", "alpha=0.5", "--input", "3x160x160")
    assert json.loads(archlens_cost("lenet5", "--format", "json", "--by", "op"))["by"] == "op"
    assert archlens_cost("lenet5", "--format", "csv").startswith("name,what,layers,params,macs,bias,")
    assert "| **61,706** |" in archlens_cost("lenet5", "--format", "markdown")
    assert "FlopCounterMode itself counts 2" in archlens_cost("lenet5", "--count-as", "torch")


def test_the_command_writes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cost.txt"
    assert archlens_cost("lenet5", "-o", str(path)) == ""
    assert path.read_text("utf-8") == page("lenet5") + "\n"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["lenet"], "lenet5"),
        (["lenet5", "--by", "block"], "'layer', 'scope', 'op'"),
        (["lenet5", "--count-as", "flops"], "torchinfo"),
        (["lenet5", "--input", "1x8x8"], "does not fit"),
    ],
)
def test_what_is_wrong_is_said_once(args: list[str], says: str) -> None:
    result = run("cost", *args)
    assert result.returncode in (1, 2)
    assert says in result.stderr
