"""Every op against torch: shape, weights, multiply-accumulates and reach, over the examples that ops list.

Nothing here names an op to be tested; a new one is covered by being in ``archlens/ops`` with an example.
"""

from __future__ import annotations

import inspect
import pickle
import re
import shutil
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from itertools import pairwise, product
from math import e, log2, pi, prod, sqrt
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.backends.torch_module import sample as random_for
from archlens.elaboration.examples import spec_of
from archlens.elaboration.inputs import read_shape
from archlens.geometry import INPUT, Window
from archlens.ops import (
    EVERYWHERE,
    MERGES,
    NOWHERE,
    OPS,
    Call,
    Facts,
    NonUniform,
    Op,
    ShapeError,
    WindowChain,
)
from archlens.ops.op import registry, signature
from archlens.shape import ChannelsLast, Ids, Shape
from archlens.views import explanation

from .test_geometry import value
from .torch_reference import ConvMap, WithParameter, runnable

#: Uses that the ops do not show off, and that have a corner: each was once wrong, or nearly.
FURTHER = (
    # a transposed convolution that cuts more before than after, as much as a stride or less
    "4x7x8 >> conv_transpose(2, 3, padding=((1, 0), (1, 0)))",
    "4x7x8 >> conv_transpose(2, 3, padding=((1, 0), 0))",
    "4x7x8 >> conv_transpose(2, 3, stride=2, padding=((1, 0), (2, 1)), output_padding=1)",
    "4x7 >> conv_transpose(2, 3, stride=2, padding=((0, 2),), groups=2)",
    "4x5x6 >> conv_transpose(2, 2, stride=3, dilation=2, output_padding=2)",
    "4x3x3x3 >> conv_transpose(2, 3, stride=(1, 2, 3), padding=(1, 0, 1), output_padding=(0, 1, 2))",
    # "same" pads a dilated pooling by more than torch lets it
    '4x10x11 >> max_pool(3, stride=1, padding="same", dilation=2)',
    '4x10x11 >> max_pool(2, stride=2, padding="valid")',
    "4x10x11 >> max_pool(3, stride=2, padding=((0, 1), (1, 1)))",
    "4x10x12 >> max_pool(4, stride=3, padding=((2, 1), (0, 2)), ceil_mode=true)",
    "4x10x12 >> avg_pool(4, stride=3, padding=((2, 1), (0, 2)), ceil_mode=true)",
    "4x12 >> avg_pool(5, stride=4, padding=((1, 2),), ceil_mode=true, count_include_pad=false)",
    # with ceil_mode a window may be larger than the whole map, and is cut off
    "4x2x5 >> max_pool(3, stride=2, ceil_mode=true)",
    "4x7 >> avg_pool(2, stride=2, padding=1, ceil_mode=true)",
    "4x6x6 >> max_pool(2, stride=3, padding=1, ceil_mode=true)",
    # a factor that is not whole, although the output is a multiple of the input
    "2x3x3 >> upsample(3.1)",
    '2x3x3 >> upsample(3.1, mode="bilinear")',
    '2x1x5 >> upsample(3, mode="bilinear")',
    '2x5x6 >> upsample(1, mode="linear")',
    "2x6x6 >> upsample(0.5)",
    "2x5x6 >> upsample(size=(10, 24))",
    '2x7 >> upsample(5, mode="linear")',
    '2x7 >> upsample(4, mode="linear", align_corners=true)',
    "2x12 >> conv_map([[0], [1, 0]], 3)",
    "2x4x5x6 >> conv_map([[0], [1, 0]], (2, 3, 2))",
    "2x7x9 >> subsample((2, 3))",
    "6x9x9 >> conv(4, (2, 3), padding=((3, 0), (0, 4)), groups=2, dilation=(3, 1))",
    "6x9x9 >> conv(4, 2, stride=4, padding=2)",
    "2x5x6x7 >> conv(3, (1, 2, 3), stride=(3, 2, 1), padding=((0, 1), (2, 0), (1, 1)))",
    '2x6x7 >> pad(2, mode="replicate")',
    "2x6x7 >> pad((0, 2))",
    '2x6x7x8 >> pad(((2, 1), (0, 3), (5, 0)), mode="reflect")',
    "2x9x8x7 >> adaptive_avg_pool((3, 1, 7))",
    "2x9x8x7 >> adaptive_max_pool(1)",
    '8x5x5 >> layer_norm(over="all", affine=false)',
    "8x5x5 >> instance_norm(eps=0.1, momentum=0.5, running_stats=true)",
    "8x5x5 >> group_norm(4, eps=0.1)",
    "8x5x5 >> local_response_norm(4, alpha=0.1, beta=0.5)",
    "8x5x5 >> batch_norm(affine=false, running_stats=false)",
    "8x1x1, 8x4x5, 8x4x1 >> multiply",
    "1x4x5, 8x1x5 >> multiply",  # neither is as large as what comes out
    "1x7, 6x7, 6x1 >> add",
    "1x2x3x4, 5x2x3x4 >> multiply",
    "8x4x5, 1x4x5 >> channels_last >> multiply",
    '2x9x8 >> slice(-7, -1, step=3, axis="width")',
    '2x9 >> slice(8, axis="length")',
    '2x3x4x5 >> slice(1, 99, axis="depth")',
    "10x3 >> slice(1, 9, step=4)",
    "2x6x8x10 >> crop((1, 5, 10))",
    "3x4 >> reshape([2, -1, 3, 1])",
    # channels that come last
    "8x4x5, 6x4x5 >> channels_last >> concat",
    "8x4x5, 8x4x5, 8x1x1 >> channels_last >> add",
    "8x20, 8x20 >> tokens >> multiply",
    "8x4x5 >> channels_last >> flatten",
    "8x4x5 >> channels_last >> prelu",
    "8x2x3x4 >> channels_last >> linear(3)",
    "8x2x3x4 >> tokens >> layer_norm(affine=false)",
    # a window as large as an axis of the map, or larger, is not shifted along it; the other axis is
    "12x7x14 >> channels_last >> window_attention(3, 7, shift=3)",
    "12x9x5 >> channels_last >> window_attention(2, 4, shift=(0, 3))",
    "12x3x5 >> channels_last >> window_attention(2, 6)",
    "12x5x9 >> channels_last >> window_attention_v2(2, (8, 4), shift=1)",
)  # fmt: skip

EXAMPLES = [*(text for op in OPS.values() for text in op.examples), *FURTHER]


class Example(NamedTuple):
    """A use of an op, and what the op says of it."""

    op: Op
    inputs: tuple[Shape, ...]
    facts: Facts


def read(shapes: str) -> tuple[Shape, ...]:
    """Shapes from a text as ``"64x28x28, 32x28x28"``."""
    found = [read_shape(shape) for shape in shapes.split(", ")]
    assert None not in found, shapes
    return tuple(shape for shape in found if shape is not None)


@cache
def example(text: str) -> Example:
    """The example that a text as ``"1x32x32 >> conv(6, 5)"`` means.

    It is of the last step; those before it, ``"96x7x7 >> channels_last >> linear(8)"``, make its inputs.
    """
    shapes, *before, step = text.split(" >> ")
    inputs = read(shapes)
    if before:
        turns = " >> ".join(before)
        inputs = tuple([example(f"{x} >> {turns}").facts.shape for x in inputs])
    kind = step.partition("(")[0]
    if OPS[kind].transparent or (kind == step and kind in MERGES):
        op = OPS[kind]()  # no step of its own
        return Example(op, inputs, op.facts(*inputs))
    *_, layer = archlens.loads(spec_of(text)).layers
    return Example(layer.op, inputs, layer.facts)


@cache
def in_torch(text: str) -> Any:
    """The same in torch, at inference."""
    torch.default_generator.manual_seed(0)
    module = runnable(example(text).facts.torch)
    if isinstance(module, WithParameter) and "" in example(text).facts.buffers:
        module = module.kept()
    return module.eval() if isinstance(module, nn.Module) else module


#: What must hold of each example.
CHECKS: list[Callable[[str], None]] = []


def of_each_example(check: Callable[[str], None]) -> Callable[[str], None]:
    CHECKS.append(check)
    return check


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example(text: str) -> None:
    """All checks in one test: most take less time than a test of their own would."""
    wrong = []
    for check in CHECKS:
        torch.default_generator.manual_seed(0)
        try:
            check(text)
        except Exception as problem:
            wrong.append(f"{check.__name__}: {problem or traceback.format_exc()}")
    assert wrong == [], "\n".join(wrong)


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    """Random numbers are the same on every run, and no test needs gradients.

    They are the CPU's: seeding a GPU that is not there takes longer than most of these tests.
    """
    torch.default_generator.manual_seed(0)
    with torch.no_grad():
        yield


@of_each_example
def explain_says_what_becomes_of_the_shape(text: str) -> None:
    """That it stays only where it does; where it does not, every size that is new, which torch's has too."""
    op, inputs, facts = example(text)
    network = archlens.loads("input: 4\nlayers: [linear(2)]\n")
    layer = network.layers[0]._replace(op=op, inputs=("it",) * len(inputs), input_shapes=inputs, facts=facts)
    said = explanation.to_text(network, [layer]).partition("  shape ")[2].partition("\n  output")[0]
    tensors = batch(1, inputs)
    out = in_torch(text)(*tensors).shape[1:]
    if "stays" in said:
        assert all(x.shape[1:] == out for x in tensors)
    elif not layer.arithmetic:
        assert {n for n in out if n not in inputs[0]} <= set(
            map(int, re.findall(r"\d+", said.replace(",", "")))
        )


def product_of(text: str) -> int:
    """The product of all numbers in a text, as 1800 of "12 kernels of 6x5x5"."""
    words = [word for word in text.replace(",", "").split() if re.fullmatch(r"\d+(x\d+)*", word)]
    assert words, text
    return prod(int(n) for word in words for n in word.split("x"))


@of_each_example
def explain_counts_params(text: str) -> None:
    """Each product is what stands behind its equals sign, and the sum what torch's module has."""
    op, inputs, facts = example(text)
    if not facts.weights:
        return
    said = re.sub(r" \(.*?\)", "", op.why_params(facts))
    listed, _, together = said.rpartition("; ")
    if listed:  # tensor by tensor
        tensors = [item.partition(" ")[2].split(" = ") for item in re.split(r", (?=[a-z])", listed)]
        assert all(len({product_of(part) for part in parts}) == 1 for parts in tensors)
        assert sum(product_of(parts[0]) for parts in tensors) == product_of(together)
    for before, after in pairwise(said.split(" = ") if not listed else []):
        terms = before.split(" + ")
        assert sum(map(product_of, terms)) == product_of(after.partition(" + ")[0])
    total = product_of(together if listed else said.rpartition(" = ")[2])
    if isinstance(op, OPS["conv"]) and op.groups > 1:  # type: ignore[attr-defined]
        assert f"({inputs[0].channels} channels / {op.groups} groups)" in op.why_params(facts)  # type: ignore[attr-defined]
    assert total == sum(parameter.numel() for parameter in in_torch(text).parameters())


@of_each_example
def explain_counts_macs(text: str) -> None:
    """So do those of multiply-accumulates, from factor to factor."""
    op, inputs, facts = example(text)
    if not facts.macs:
        return
    said, _, bias = op.why_macs(facts, *inputs).partition("; a kernel that")[0].partition("; + ")
    within = re.search(r"\((.*)\)", said)
    if within:
        said = said.replace(within[0], str(sum(map(product_of, within[1].split(" + ")))))
    factors, _, end = said.rpartition(" = ")
    parts = [factor.split(" = ") for factor in factors.split(" x ")]
    assert all(len({product_of(part) for part in each}) == 1 for each in parts)
    assert prod(product_of(each[0]) for each in parts) == product_of(end)
    once, _, together = bias.partition(" = ")
    assert facts.macs == product_of(together or end) == product_of(end) + (product_of(once) if once else 0)


def batch(size: int, inputs: tuple[Shape, ...]) -> list[Tensor]:
    return [random_for(shape, size) for shape in inputs]


@of_each_example
def shape_is_torchs(text: str) -> None:
    """The output shape is that of torch, on a batch of 2."""
    _, inputs, facts = example(text)
    assert facts.shape == in_torch(text)(*batch(2, inputs)).shape[1:]


@of_each_example
def weights_are_torchs(text: str) -> None:
    """Weights and saved buffers have the names and the shapes of torch's."""
    facts, module = example(text).facts, in_torch(text)
    weights: dict[str, tuple[int, ...]] = {}
    buffers: dict[str, tuple[int, ...]] = {}
    if isinstance(module, nn.Module):
        own = {"own": ""} if isinstance(module, WithParameter) else {}
        weights = {own.get(name, name): tuple(tensor.shape) for name, tensor in module.named_parameters()}
        saved = module.state_dict()
        buffers = {
            own.get(name, name): tuple(one.shape) for name, one in module.named_buffers() if name in saved
        }
    assert dict(facts.weights) == weights
    assert facts.kept == buffers
    assert facts.params == sum(map(prod, weights.values()))


@of_each_example
def macs_are_torchs(text: str) -> None:
    """Multiply-accumulates are half the operations that torch counts in convolutions and matrix products."""
    _, inputs, facts = example(text)
    module = in_torch(text)
    if isinstance(module, ConvMap):
        # torch sees the dense convolution; the connected pairs are its weights that are not zero
        counted = int(module.dense().count_nonzero()) * prod(facts.shape.spatial)
    else:
        with FlopCounterMode(display=False) as counter:
            module(*batch(1, inputs))
        counted = counter.get_total_flops() // 2
    assert facts.macs == counted


class Softmaxes(TorchDispatchMode):
    """Counts the values that come out of torch's softmax, and the sums that it takes of them."""

    values = 0
    sums = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._softmax.default:
            self.values += found.numel()
            self.sums += found[..., 0].numel()
        return found


@pytest.mark.parametrize("text", [text for text in EXAMPLES if "attention" in text])
def test_softmax_is_itemised(text: str) -> None:
    """For each value that torch makes an exponential and a division; a sum of n is n - 1 additions."""
    _, inputs, facts = example(text)
    with Softmaxes() as softmaxes:
        in_torch(text)(*batch(1, inputs))
    assert softmaxes.values
    assert facts.other["softmax"] == 3 * softmaxes.values - softmaxes.sums


@of_each_example
def arithmetic_is_true(text: str) -> None:
    """What is printed as the derivation of the output shape is true, and ends in that shape."""
    op, inputs, facts = example(text)
    lines = [line.rpartition(": ")[2] for line in op.arithmetic(facts, *inputs).split("; ")]
    results = set()
    for line in lines:
        left, equals, right = line.partition(" = ")
        if equals:
            assert value(left) == value(right)
            results.add(value(right))
    if op.sliding:
        assert results == set(facts.shape.spatial)


def test_arithmetic_of_each_axis() -> None:
    """Said of each where they differ, and of the channels where they are padded."""
    op, inputs, facts = example(
        "2x5x6x7 >> conv(3, (1, 2, 3), stride=(3, 2, 1), padding=((0, 1), (2, 0), (1, 1)))"
    )
    said = op.arithmetic(facts, *inputs).split("; ")
    assert [line.partition(": ")[0] for line in said] == ["D", "H", "W"]
    op, inputs, facts = example("2x6x7 >> pad((0, 2))")
    assert op.arithmetic(facts, *inputs) == "H: 6 + 0 + 0 = 6; W: 7 + 2 + 2 = 11"


def test_what_has_a_kernel_slides() -> None:
    """And so its output is derived; the squares of merge_patches slide, too; unfold lays windows in a row."""
    kernels = {kind for kind, op in OPS.items() if "kernel" in signature(op)} - {"fold", "unfold"}
    assert {kind for kind, op in OPS.items() if op.sliding} == {*kernels, "merge_patches"}


def test_a_window_as_wide_as_the_map_is_not_shifted() -> None:
    """Its 5 columns lie in one window of 6, whatever the shift: each sees all of them."""
    text = "8x9x5 >> channels_last >> window_attention_v2(2, (4, 6), shift=(1, 2))"
    field = INPUT
    for window in example(text).facts.reach.axes[1]:
        field = field.through(window)
    assert all(field.at(i)[0] <= 0 and field.at(i)[1] >= 5 for i in range(5))


def test_a_long_concat_names_its_ends() -> None:
    """1 + 2 + ... + 52 = 52*53/2 = 1378."""
    op, inputs, facts = example(", ".join(f"{n}x4" for n in range(1, 53)) + " >> concat")
    assert op.arithmetic(facts, *inputs) == "1 + 2 + 3 + ... + 52 = 1378"


#: What sees everything; against torch in :func:`test_reach`.
SEE_EVERYTHING = {
    "12x16, 12x16, 12x16 >> tokens >> linear(12) >> attention(3)",
    "12x16, 12x20, 12x20 >> tokens >> linear(12) >> attention(3)",
    "12x9, 12x7, 24x7 >> tokens >> layer_norm >> attention(3)",
    "12x9, 12x7, 12x7, 7x9 >> tokens >> layer_norm >> attention(3, scale=1)",
    "9x12 channels_last, 7x6 channels_last, 7x6 channels_last, 4 >> attention(4, kv_heads=2, sinks=true)",
    "5x8 channels_last, 5x8 channels_last, 5x8 channels_last, 5, 2 >> attention(2, sinks=true)",
    "8x9, 8x7, 8x7, 7x9 >> tokens >> layer_norm >> attention(2, softcap=0.5)",
    "512x7x7 >> adaptive_avg_pool(1)",
    "2x9x8x7 >> adaptive_max_pool(1)",
    "8x20 >> batch_norm(running_stats=false)",
    "8x5x5 >> batch_norm(affine=false, running_stats=false)",
    "16x5x5 >> flatten",
    "512x1x1 >> flatten",
    "84 >> flatten",
    "8x4x5 >> channels_last >> flatten",
    "1280x7x7 >> global_avg_pool",
    '8 >> mean("channels")',
    "8x50 >> global_avg_pool",
    "64x7x5 >> global_max_pool",
    "32x14x14 >> group_norm(8)",
    "6x10 >> group_norm(3, affine=false)",
    "8x5x5 >> group_norm(4, eps=0.1)",
    "8x14x14 >> instance_norm",
    "8x14 >> instance_norm(affine=true)",
    '16x5x5 >> layer_norm(over="all")',
    '16x5x5 >> channels_last >> layer_norm(over="all")',
    '8x5x5 >> layer_norm(over="all", affine=false)',
    "400 >> linear(120)",
    "84 >> linear(10, bias=false)",
    "84 >> linear(10, turned=true)",
    "84 >> rbf(10)",
    "768 >> rms_norm(eps=1e-5)",
    "24x49 >> tokens >> self_attention(4)",
    "24x5x5 >> tokens >> self_attention(3, bias=false)",
    *OPS["lstm"].examples[1:4],
    *OPS["lstm"].examples[5:8:2],
    *OPS["gru"].examples[1:4:2],
    OPS["gru"].examples[7],
    OPS["rnn"].examples[2],
    '24x49 >> tokens >> layer_norm >> linear(12, axis="length")',
    "6x5, 8x6 >> tokens >> matmul",
    "6x5, 6x8 >> tokens >> matmul(transpose=true)",
    '24x49 >> tokens >> softmax(axis="length")',
    '6x9 >> log_softmax(axis="length")',
    "8x4x5 >> global_response_norm(eps=0.1)",
    "8x4x5 >> channels_last >> global_response_norm",
    '8x20 >> tokens >> normalize(axis="length")',
    '24x49 >> tokens >> mean("length")',
    '8x4x5 >> channels_last >> mean(("height", "width"))',
    '24x49 >> tokens >> amax("length")',
    '6x4x5 >> channels_last >> rearrange("h w c -> (w h c)")',
    # one window is as large as the map
    "12x6x5 >> channels_last >> window_attention(2, 7, shift=3)",
    "12x3x5 >> channels_last >> window_attention(2, 6)",
}

#: What no window says, and why. These alone may say they are non-uniform: no test of reach can contradict.
NON_UNIFORM = {
    '3x2x5 >> channels_last >> gru(4, layers=2, output="both")': (
        "its last rows are the states that it ends with, which have seen all steps"
    ),
    '5x3 channels_last, 4x4 channels_last >> lstm(4, layers=2, output="both", initial=true)': (
        "its last rows are the states that it ends with, which have seen all steps"
    ),
    "3x6x7 >> unfold(3, padding=1)": "the windows of 6x7 positions are in one row",
    "2x9x8 >> unfold((2, 3), stride=(2, 1), dilation=2)": "the windows of 4x4 positions are in one row",
    "27x42 >> fold((6, 7), 3, padding=1)": "the windows of 6x7 positions are in one row",
    "12x16 >> fold((9, 8), (2, 3), stride=(2, 1), dilation=2)": (
        "the windows of 4x4 positions are in one row"
    ),
    "8x6 >> fold((4, 6), 2, stride=2)": "the windows of 2x3 positions are in one row",
    "6x8x8 >> roll(-3)": "what goes over the border comes in at the other side",
    "6x4x5 >> channels_last >> roll((1, -2))": "what goes over the border comes in at the other side",
    '6x8x5 >> flip("width")': "the last position comes first",
    '6x4x5 >> channels_last >> flip(("height", "channels"))': "the last position comes first",
    '5x9 >> tokens >> flip("length")': "the last position comes first",
    "4x15 >> tokens >> relative_positions((2, 3))": "each pair of positions takes the row of its offset",
    '4x9 >> tokens >> relative_positions(5, by="key - query")': (
        "each pair of positions takes the row of its offset"
    ),
    '4x9 >> tokens >> relative_positions((3, 3), by="distance", stride=2)': (
        "each pair of positions takes the row of its offset"
    ),
    "4x11 >> tokens >> relative_positions(6, queries=2)": (
        "each pair of positions takes the row of its offset"
    ),
    "4x18 >> tokens >> relative_positions((2, 3), class_token=true, kept=true)": (
        "each pair of positions takes the row of its offset"
    ),
    **dict.fromkeys(OPS["relative_buckets"].examples, "each pair of positions takes the row of its offset"),
    "3x6x7, 2x4x5 >> grid_sample": "which positions grid_sample takes depends on the values of its grid",
    # windows of 2 and 3 positions, or of 1 and 2
    "256x13x13 >> adaptive_avg_pool(6)": "the windows that take 13x13 to 6x6 differ in size",
    "8x2x2 >> adaptive_avg_pool(7)": "the windows that take 2x2 to 7x7 differ in size",
    "8x10 >> adaptive_avg_pool(4)": "the windows that take 10 to 4 differ in size",
    "256x13x13 >> adaptive_max_pool(6)": "the windows that take 13x13 to 6x6 differ in size",
    # no whole number of outputs for each input
    "4x10x6 >> upsample((2, 1.5))": "interpolation from 10x6 to 20x9 mixes uneven neighbours",
    "2x3x3 >> upsample(3.1)": "interpolation from 3x3 to 9x9 mixes uneven neighbours",
    '2x3x3 >> upsample(3.1, mode="bilinear")': "interpolation from 3x3 to 9x9 mixes uneven neighbours",
    "2x6x6 >> upsample(0.5)": "interpolation from 6x6 to 3x3 mixes uneven neighbours",
    # a step of (n - 1)/(outputs - 1), which is not 1/2, 1/3 and so on
    '21x16x12 >> upsample(size=(65, 65), mode="bilinear", align_corners=true)': (
        "interpolation from 16x12 to 65x65 mixes uneven neighbours"
    ),
    '2x7 >> upsample(4, mode="linear", align_corners=true)': (
        "interpolation from 7 to 28 mixes uneven neighbours"
    ),
    # four positions, of which those beyond the border are the border's
    '2x4x5 >> upsample(2, mode="bicubic")': "interpolation from 4x5 to 8x10 mixes uneven neighbours",
    # what is seen depends on values
    **dict.fromkeys(
        (
            "8x4x4, 8x8x8 >> max_unpool",
            "8x3x4, 8x5x8 >> max_unpool",
            "2x3, 2x9 >> max_unpool",
            "2x2x2x2, 2x4x4x4 >> max_unpool",
        ),
        "where max_unpool puts a value depends on the values of the map that was pooled",
    ),
    # positions get another order, or another number of axes
    '8x4x5 >> mean("height")': "the axes of 8x4x5 are not those of 8x5",
    '24x49 >> tokens >> rearrange("l (h=4 c) -> h l c")': "the positions of 49 are in another order",
    '24x49 >> tokens >> rearrange("(h w=7) c -> c h w", channels="first")': (
        "the positions of 49 are in another order"
    ),
    '6x4x9 >> rearrange("c h (w p=3) -> h (p w) c")': "the positions of 4x9 are in another order",
    '6x4x5 >> channels_last >> rearrange("h w c -> h w 1 c")': "the positions of 4x5 are in another order",
    '12 >> rearrange("(l=4 c) -> l c")': "the positions of 12 are in another order",
    '8x9, 8x1 >> tokens >> concat(axis="length")': (
        "the positions of the branches follow each other along the length"
    ),
    '8x4x5, 8x3x5 >> concat(axis="height")': (
        "the positions of the branches follow each other along the height"
    ),
    **dict.fromkeys(
        (
            "6x3x5, 8x3x6 >> channels_last >> layer_norm >> matmul",
            "6x3x5, 6x3x8 >> channels_last >> layer_norm >> matmul(transpose=true)",
        ),
        "each row sees all of the second branch that has its leading position",
    ),
    "400 >> reshape([16, 5, 5])": "reshape rearranges positions",
    "16x5x5 >> reshape([-1, 25])": "reshape rearranges positions",
    "3x4 >> reshape([2, -1, 3, 1])": "reshape rearranges positions",
    "768x14x14 >> tokens": "the positions of 14x14 are in one row",
    "96x5x7 >> channels_last >> tokens": "the positions of 5x7 are in one row",
    "6x4x9 >> transpose": "the two axes are exchanged",
    "6x4x9 >> channels_last >> transpose": "the two axes are exchanged",
    "6x8x8 >> window_partition(4)": "the positions of 8x8 are in rows, one for each window",
    "6x4x9 >> window_partition((2, 3))": "the positions of 4x9 are in rows, one for each window",
    **dict.fromkeys(
        (
            "6x8x8 >> window_partition(4) >> window_reverse(4, 8)",
            "6x4x9 >> window_partition((2, 3)) >> window_reverse((2, 3), (4, 9))",
        ),
        "the positions of each window stand in a square again",
    ),
    # whole windows along one axis, and one position along the other
    **dict.fromkeys(
        (
            "12x8x8 >> window_partition(4) >> relative_attention(3, 4)",
            "12x6x8 >> window_partition(2) >> transpose >> relative_attention(2, (3, 4))",
        ),
        "each position sees the window that it lies in",
    ),
}


@of_each_example
def what_may_say_no_windows(text: str) -> None:
    """An op that called itself non-uniform would pass every comparison with torch: so each use is known."""
    reach = example(text).facts.reach
    assert (reach is EVERYWHERE) == (text in SEE_EVERYTHING)
    assert (reach.reason if isinstance(reach, NonUniform) else None) == NON_UNIFORM.get(text)
    assert isinstance(reach, WindowChain) <= any(
        word in text for word in ("attention", "axis=", "lstm", "rnn")
    )


@of_each_example
def reach_is_that_of_nans(text: str) -> None:
    """A NaN in the input turns an output to NaN exactly if that output reaches there."""
    op, inputs, facts = example(text)
    for which in range(len(inputs)):
        reach = op.reach_of(which, facts, inputs)
        if isinstance(reach, tuple):
            check_windows(text, which, reach)
        elif reach is EVERYWHERE:
            check_everywhere(text, which)
        elif reach is NOWHERE:
            check_nowhere(text, which)
        elif isinstance(reach, WindowChain):
            check_windows_in_turn(text, which, reach)
        else:
            assert reach.reason  # shown where a number would be


@of_each_example
def channels_are_those_of_nans(text: str) -> None:
    """A NaN in a channel of an input turns a channel of the output to NaN exactly if that one reads it."""
    op, inputs, facts = example(text)
    outputs = facts.shape.channels
    for which, shape in enumerate(inputs):
        if isinstance(shape, Ids):
            assert op.reads(1, *inputs)[which] == 1  # an id is one value, by which all of a row is found
            continue
        chosen = sorted({*range(min(shape.channels, 12)), *range(0, shape.channels, 37), shape.channels - 1})
        tensors = [x.expand(len(chosen), *x.shape[1:]).contiguous() for x in batch(1, inputs)]
        for sample, channel in enumerate(chosen):
            tensors[which][sample].select(shape.channel_axis, channel).fill_(torch.nan)
        if getattr(op, "running_stats", True):
            y = in_torch(text)(*tensors)
        else:  # statistics over the batch would carry a NaN from one sample to the next
            y = torch.cat([in_torch(text)(x.expand(2, *x.shape)) for x in tensors[0]])[::2]
        hit = y.isnan().movedim(1 + facts.shape.channel_axis, 1)
        hit = hit.flatten(2).any(2) if hit.dim() > 2 else hit
        if isinstance(in_torch(text), ConvMap):  # the reference is dense, and 0 * NaN is NaN
            hit = in_torch(text).dense().flatten(2).any(2).T[chosen]
        if op.kind in ("flatten", "reshape"):
            assert op.reads(1, *inputs)[which] == (1 << shape.channels) - 1  # its channels are others
            continue
        if op.kind == "max_unpool" and which == 1:
            continue  # of this input only the places of the maxima are read, and those are no NaN
        for o in range(outputs):
            reads = op.reads(1 << o, *inputs)[which]
            assert [bool(reads >> c & 1) for c in chosen] == hit[:, o].tolist(), o


@pytest.mark.parametrize("kind", OPS)
def test_in_place(kind: str) -> None:
    """What could write over its input is what makes each value of the one in its place, alone."""
    for text in OPS[kind].examples:
        op, inputs, facts = example(text)
        footprint = op.footprint(facts, *inputs)
        if op.memory_unknown or op.transparent or footprint.inert or footprint.part or footprint.moves:
            continue  # its output is its input, or nobody knows how it runs
        alone = [x == facts.shape for x in inputs]
        for which in [number for number, same in enumerate(alone) if same]:
            for place in (0, facts.shape.numel // 3, facts.shape.numel - 1):
                tensors = batch(1, inputs)
                tensors[which].view(-1)[place] = torch.nan
                alone[which] &= in_torch(text)(*tensors).isnan().flatten().nonzero().tolist() == [[place]]
        assert footprint.in_place == any(alone), text


def check_windows_in_turn(text: str, which: int, reach: WindowChain) -> None:
    """The same for an op that looks at an input through several windows, one after the other.

    Where the last window of shifted ones begins on one side of the map and ends on the other, torch adds -100
    to what is not to be seen, which leaves a NaN what it is; these windows are not looked at.
    """
    _, inputs, facts = example(text)
    x = inputs[which]
    first = 0 if x.channels_last else 1
    for axis, windows in enumerate(reach.axes, first):
        size = outputs = x[axis]
        field = INPUT
        for window in windows:
            outputs, field = window.output(outputs), field.through(window)
        assert outputs == facts.shape[axis]
        found = touched(text, which, axis, axis, list(range(size)))
        expected = {(n, i) for i in range(outputs) for n in range(*field.at(i)) if 0 <= n < size}
        if windows[0].before:
            shift = windows[0].kernel - windows[0].before
            padded = size + windows[0].after - shift
            cut = {i for i in range(outputs) if field.at(i)[0] < 0 or field.at(i)[1] > padded}
            found, expected = ({(n, i) for n, i in pairs if i not in cut} for pairs in (found, expected))
        assert found == expected


def check_windows(text: str, which: int, windows: tuple[Window, ...]) -> None:
    """Along each axis, exactly the outputs whose window looks at a row of an input see what is in it."""
    op, inputs, facts = example(text)
    assert len(windows) == len(facts.shape.spatial)
    first = 0 if inputs[which].channels_last or isinstance(inputs[which], Ids) else 1
    for axis, window in enumerate(windows, first):
        moved = axis - first + (0 if facts.shape.channels_last else 1)  # its number in the output
        outputs, size = facts.shape[moved], inputs[which][axis]
        rows = probed(size)
        found = touched(text, which, axis, moved, rows)
        if size < outputs and op.merges:  # repeated along the axis: every output sees it
            assert found == {(0, i) for i in range(outputs)}
            continue
        assert window.output(size) == outputs
        expected = {(n, i) for n, i in seen(window, size, outputs) if n in rows}
        if getattr(op, "mode", "") in ("reflect", "replicate"):
            # what is padded repeats rows of the map, and the window says where the map itself has gone
            inside = range(window.before, window.before + size)
            found = {(n, i) for n, i in found if i in inside}
        assert found == expected


def seen(window: Window, size: int, outputs: int) -> set[tuple[int, int]]:
    """Which input position is seen by which output position, written out from what a window is."""
    taps = [k * window.dilation for k in range(window.kernel)]
    if window.transposed:  # each input writes a kernel of outputs
        pairs = {(n, n * window.stride - window.before + tap) for n in range(size) for tap in taps}
    else:  # each output reads a kernel of inputs
        pairs = {(i * window.stride - window.before + tap, i) for i in range(outputs) for tap in taps}
    return {(n, i) for n, i in pairs if 0 <= n < size and 0 <= i < outputs}


def probed(size: int) -> list[int]:
    """The rows to plant something in: all of them, or both ends of a long axis and some between."""
    return [n for n in range(size) if size <= 40 or not 10 <= n < size - 10 or n % 7 == 0]


def touched(text: str, which: int, axis: int, moved: int, rows: list[int]) -> set[tuple[int, int]]:
    """Which row of an input turns which row of the output to NaN, along one axis, in torch.

    ``moved`` is the number of that axis in the output.
    """
    op, inputs, facts = example(text)
    # torch's interpolation multiplies neighbours by a weight of 0 too, and 0 * NaN is NaN. Its weights are
    # never negative, so there a row of ones among zeros shows instead what is mixed in, but for rounding.
    ones = op.kind == "upsample"
    found = set()
    step = max(1, 4_000_000 // max(facts.shape.numel, *(x.numel for x in inputs)))
    for start in range(0, len(rows), step):  # one sample for each row, as many at a time as fit well
        some = rows[start : start + step]
        tensors = [x.expand(len(some), *x.shape[1:]).contiguous() for x in batch(1, inputs)]
        ids = isinstance(inputs[which], Ids)  # no id is a NaN: one that is another gives another row
        if ones or ids:
            tensors[which].zero_()
        before = in_torch(text)(*tensors) if ids else None
        for sample, row in enumerate(some):
            tensors[which][sample].select(axis, row).fill_(1 if ones or ids else torch.nan)
        y = in_torch(text)(*tensors)
        hit = y != before if ids else y > 1e-4 if ones else y.isnan()
        hit = hit.movedim(moved + 1, 1).flatten(2).any(2)
        found |= {(some[sample], i) for sample, i in hit.nonzero().tolist()}
    return found


def check_everywhere(text: str, which: int) -> None:
    """A NaN anywhere in an input turns the whole output of its sample to NaN."""
    op, inputs, _ = example(text)
    shape = inputs[which]
    places = list(product(*map(range, shape.spatial or shape)))
    for place in (*places[:: max(1, len(places) // 64)], places[-1]):
        tensors = batch(2, inputs)
        # channels may be kept apart, as pooling does, so the NaN stands in all of them
        apart = tensors[which].movedim(shape.channel_axis + 1, 1)
        apart[(0, slice(None), *place) if shape.spatial else (0, *place)] = torch.nan
        hit = in_torch(text)(*tensors)[0].isnan()
        if op.kind in ("flatten", "rearrange"):
            # it mixes nothing, but what has lost its axes cannot say any more what it saw along them
            assert hit.sum() == (shape.channels if shape.spatial else 1)
        elif getattr(op, "transpose", False) and which:  # each position is a channel
            assert hit.any(-1).all()
        else:
            assert hit.all()


def check_nowhere(text: str, which: int) -> None:
    """A NaN everywhere in an input turns nothing to NaN."""
    tensors = batch(2, example(text).inputs)
    tensors[which].fill_(torch.nan)
    assert not in_torch(text)(*tensors).isnan().any()


#: What ops compute, by the definitions of the papers that they come from; in float64.
DEFINITIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "4x3x3 >> relu": lambda x: x.clamp(min=0),
    "4x3x3 >> relu6": lambda x: x.clamp(0, 6),
    "4x3x3 >> leaky_relu": lambda x: torch.where(x > 0, x, x / 100),
    "4x3x3 >> leaky_relu(0.2)": lambda x: torch.where(x > 0, x, x / 5),
    "4x3x3 >> prelu": lambda x: torch.where(x > 0, x, x / 4),  # as it is initialised
    "4x3x3 >> elu": lambda x: torch.where(x > 0, x, x.exp() - 1),
    "4x3x3 >> elu(0.5)": lambda x: torch.where(x > 0, x, (x.exp() - 1) / 2),
    # Klambauer et al. 2017: lambda = 1.0507, alpha = 1.6733
    "4x3x3 >> selu": lambda x: 1.0507009873 * torch.where(x > 0, x, 1.6732632423 * (x.exp() - 1)),
    "4x3x3 >> gelu": lambda x: x * (1 + torch.erf(x / sqrt(2))) / 2,
    '4x3x3 >> gelu("tanh")': lambda x: x / 2 * (1 + torch.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))),
    "4x3x3 >> silu": lambda x: x / (1 + (-x).exp()),
    "4x3x3 >> mish": lambda x: x * torch.tanh((1 + x.exp()).log()),
    "4x3x3 >> hard_swish": lambda x: x * (x + 3).clamp(0, 6) / 6,
    "4x3x3 >> hard_sigmoid": lambda x: (x + 3).clamp(0, 6) / 6,
    "4x3x3 >> hard_tanh": lambda x: x.clamp(-1, 1),
    "4x3x3 >> sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "4x3x3 >> log_sigmoid": lambda x: -(1 + (-x).exp()).log(),
    "4x3x3 >> tanh": lambda x: 1 - 2 / ((2 * x).exp() + 1),
    "4x3x3 >> softplus": lambda x: (1 + x.exp()).log(),
    "4x3x3 >> softsign": lambda x: x / (1 + x.abs()),
    "4x3x3 >> scale(-3)": lambda x: -(x + x + x),
    "4x3x3 >> abs": lambda x: torch.where(x > 0, x, -x),
    "4x3x3 >> exp": lambda x: torch.e**x,
    "4x3x3 >> sin": lambda x: (x - pi / 2).cos(),
    "4x3x3 >> cos": lambda x: (x + pi / 2).sin(),
    "4x3x3 >> pow(2)": lambda x: x * x,
    "4x3x3 >> pow(-1)": lambda x: 1 / x,
    "4x3x3 >> abs >> log": lambda x: x.log2() / log2(e),
    "4x3x3 >> abs >> sqrt": lambda x: x**0.5,
    "4x3x3 >> shift(-2)": lambda x: x - 2,
    "4x3x3 >> clamp(-1, 2)": lambda x: torch.where(x < -1, -1, torch.where(x > 2, 2, x)),
    "4x3x3 >> clamp(max=2)": lambda x: torch.where(x > 2, 2, x),
    "4x3x3 >> softmax": lambda x: x.exp() / x.exp().sum(1, keepdim=True),
    "4x3x3 >> log_softmax": lambda x: x - x.exp().sum(1, keepdim=True).log(),
    "4x3x3 >> glu": lambda x: x[:, :2] / (1 + (-x[:, 2:]).exp()),
    "4x3x3 >> dropout(0.9)": lambda x: x,  # at inference
    "4x3x3 >> spatial_dropout(0.9)": lambda x: x,
    "4x3x3 >> identity": lambda x: x,
    "4x3x3 >> batch_norm(eps=3)": lambda x: x / 2,  # mean 0 and variance 1, as they are initialised
    "4x3x3 >> layer_norm(eps=3)": lambda x: normal(x, (1,), 3),
    '4x3x3 >> layer_norm(eps=3, over="all")': lambda x: normal(x, (1, 2, 3), 3),
    "4x3x3 >> group_norm(2, eps=3)": lambda x: normal(x.view(2, 2, 2, 3, 3), (2, 3, 4), 3).view(x.shape),
    "4x3x3 >> instance_norm(eps=3)": lambda x: normal(x, (2, 3), 3),
    # Krizhevsky et al. 2012, section 3.3, with alpha divided by the 3 channels
    "4x3x3 >> local_response_norm(3, alpha=0.6, beta=0.5, k=2)": lambda x: (
        x / torch.stack([2 + 0.2 * (x[:, max(0, c - 1) : c + 2] ** 2).sum(1) for c in range(4)], 1) ** 0.5
    ),
    "4x4x6 >> max_pool(2)": lambda x: x.view(2, 4, 2, 2, 3, 2).amax((3, 5)),
    "4x4x6 >> avg_pool(2)": lambda x: x.view(2, 4, 2, 2, 3, 2).mean((3, 5)),
    # a window of 2 with one position of padding has seen one value, and counts one or two
    "4x2 >> avg_pool(2, padding=1)": lambda x: x / 2,
    "4x2 >> avg_pool(2, padding=1, count_include_pad=false)": lambda x: x,
    "4x4x6 >> adaptive_max_pool((2, 3))": lambda x: x.view(2, 4, 2, 2, 3, 2).amax((3, 5)),
    "4x4x6 >> adaptive_avg_pool((2, 3))": lambda x: x.view(2, 4, 2, 2, 3, 2).mean((3, 5)),
    "4x4x6 >> global_max_pool": lambda x: x.amax((2, 3), keepdim=True),
    "4x4x6 >> global_avg_pool": lambda x: x.mean((2, 3), keepdim=True),
    "4x3x3 >> upsample(2)": lambda x: x.repeat_interleave(2, 2).repeat_interleave(2, 3),
    "4x3x3 >> pad(((1, 0), (0, 2)), value=7)": lambda x: framed(x, 7),
    "4x3x3 >> pad(channels=(1, 2), value=7)": lambda x: torch.stack(
        [c if c is not None else torch.full_like(x[:, 0], 7) for c in (None, *x.unbind(1), None, None)], 1
    ),
    "4x3x3 >> crop(2)": lambda x: x[:, :, :2, :2],
    '4x3x3 >> slice(1, axis="width")': lambda x: x[:, :, :, 1:],
    "6x3x3 >> channel_shuffle(2)": lambda x: x[:, [0, 3, 1, 4, 2, 5]],
    "4x3x3 >> flatten": lambda x: torch.stack([torch.cat([row for c in s for row in c]) for s in x]),
    "4x3x3 >> reshape([2, -1])": lambda x: x.view(2, 2, 18),
}


def normal(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    """Zero mean and a variance of ``v/(v + eps)`` over the axes."""
    deviation = x - x.mean(axes, keepdim=True)
    return deviation / ((deviation**2).mean(axes, keepdim=True) + eps).sqrt()


def framed(x: Tensor, value: float) -> Tensor:
    """A row of the value above, and two columns of it at the right."""
    x = torch.cat([torch.full_like(x[:, :, :1], value), x], 2)
    return torch.cat([x, torch.full_like(x[:, :, :, :2], value)], 3)


@pytest.mark.parametrize("text", DEFINITIONS)
def test_definition(text: str) -> None:
    """The module is the one that is meant, with its attributes: it computes what the op is defined as."""
    (x,) = (8 * (2 * x - 1).double() for x in batch(2, example(text).inputs))
    module = in_torch(text)
    y = deepcopy(module).double()(x) if isinstance(module, nn.Module) else module(x)
    torch.testing.assert_close(y, DEFINITIONS[text](x), equal_nan=True)


def test_max_unpool_puts_each_value_where_its_window_was_largest() -> None:
    """Badrinarayanan et al. 2017, figure 3, by hand: the last windows are cut off at the border."""
    pooled = torch.tensor([[1, 9, 2], [3, 4, 8], [7, 5, 6]]).view(1, 1, 3, 3).double()
    x = torch.tensor([[10, 20], [30, 40]]).view(1, 1, 2, 2).double()
    steps = '"max_pool(2, ceil_mode=true)", identity'
    network = archlens.loads(f"input: 1x3x3\nlayers:\n  - max_unpool: [{steps}]\n")
    where = torch.tensor([[0, 9, 0], [0, 0, 8], [7, 0, 6]]).view(1, 1, 3, 3).double()
    torch.testing.assert_close(archlens.build(network).double()(pooled), where)
    (layer,) = [layer for layer in network if layer.op.kind == "max_unpool"]
    expected = torch.tensor([[0, 10, 0], [0, 0, 20], [30, 0, 40]]).view(1, 1, 3, 3).double()
    torch.testing.assert_close(runnable(layer.facts.torch)(x, pooled), expected)


def test_every_activation_has_its_definition() -> None:
    """An activation has no shape, weights or windows to tell it by."""
    kinds = {kind for kind, op in OPS.items() if op.family == "activation"}
    assert kinds <= {example(text).op.kind for text in DEFINITIONS}


@pytest.mark.parametrize(
    ("text", "sides"),
    [
        ("2x9x9 >> conv(2, 3, padding=((0, 1), (3, 2)))", ((0, 1), (3, 2))),
        ("2x9x9 >> conv_transpose(2, 3, padding=((0, 1), (3, 2)))", ((0, 1), (3, 2))),
        ("2x9x9 >> conv_transpose(2, 3, stride=2, padding=1, output_padding=1)", ((1, 0), (1, 0))),
        ("2x9x9 >> max_pool(4, padding=((0, 1), (2, 1)))", ((0, 1), (2, 1))),
        ("2x9x9 >> avg_pool(4, padding=((0, 1), (2, 1)))", ((0, 1), (2, 1))),
        ("2x9x9 >> pad(((0, 1), (3, 2)))", ((0, 1), (3, 2))),
        ("2x9x9 >> crop(4)", ((-2, -3), (-2, -3))),
        ('2x9x9 >> slice(1, -3, axis="height")', ((-1, -3), (0, 0))),
        # TensorFlow's "same" has the odd position at the end: 8 + 1 = 3*2 + 3, and 4 = 2*(3 - 1)
        ('2x8x8 >> conv(2, 3, stride=2, padding="same")', ((0, 1), (0, 1))),
        ('2x9x9 >> conv(2, (3, 2), dilation=(2, 1), padding="same")', ((2, 2), (0, 1))),
        ('2x8x8 >> max_pool(3, stride=2, padding="same")', ((0, 1), (0, 1))),
        ('2x8x8 >> avg_pool(3, stride=2, padding="same")', ((0, 1), (0, 1))),
        ('2x4x4 >> conv_transpose(2, 3, stride=2, padding="same")', ((0, 1), (0, 1))),
    ],
)
def test_sides(text: str, sides: tuple[tuple[int, int], ...]) -> None:
    """Which side is padded or cut by how much: of the two, the output size knows only the sum."""
    reach = example(text).facts.reach
    assert isinstance(reach, tuple)
    assert tuple((window.before, window.after) for window in reach) == sides


@of_each_example
def str_is_a_step(text: str) -> None:
    """An op prints as the step that makes it; but for ``conv_map``, which abbreviates its table."""
    op = example(text).op
    if op.reads_several or op.transparent:
        assert str(op) == text.rpartition(" >> ")[2]
    elif op.kind != "conv_map":
        shapes, *before, _ = text.split(" >> ")
        steps = "".join(f"  - {one}\n" for one in (*before, op))
        *_, layer = archlens.loads(f"input: {shapes}\nlayers:\n{steps}").layers
        assert layer.op == op
        assert hash(layer.op) == hash(op)
        assert str(layer.op) == str(op)


@pytest.mark.parametrize("kind", OPS)
def test_has_examples(kind: str) -> None:
    """Every op lists examples of itself, and each of its attributes is set in one, there or here."""
    assert OPS[kind].examples
    assert {example(text).op.kind for text in OPS[kind].examples} == {kind}
    ops = [example(text).op for text in EXAMPLES if text.rpartition(" >> ")[2].partition("(")[0] == kind]
    for name, parameter in signature(OPS[kind]).items():
        assert parameter.required or any(op.attributes()[name] != parameter.default for op in ops), name


# --- layouts ----------------------------------------------------------------------------------------


def test_layouts_of_equal_sizes_are_kept_apart() -> None:
    """What is remembered of an op or a block on 8x8x8 does not serve the other 8x8x8."""
    network = archlens.loads(
        "input: 8x8x8\nblocks:\n  b: relu >> layer_norm\n"
        "layers: [relu, b, channels_last, relu, b, 'linear(3)', channels_first, 'conv(2, 1)']\n"
    )
    assert [layer.shape.channels_last for layer in network] == [
        False, False, False, True, True, True, True, True, False, False
    ]  # fmt: skip
    assert network.output == (2, 8, 8)
    assert [layer.facts.torch.target for layer in network if layer.op.kind == "layer_norm"] == [
        "archlens.ChannelNorm", "nn.LayerNorm"
    ]  # fmt: skip


def test_equality_of_shapes() -> None:
    """A shape equals a tuple of its sizes, and no shape of the other layout, whichever side it stands on."""
    first, last = Shape((3, 4)), ChannelsLast((3, 4))
    assert first == (3, 4)
    assert last == (3, 4)
    assert [first == last, last == first, first != last, last != first] == [False, False, True, True]
    assert {first: 1}.get(last) is None
    assert {("op", first): 1}.get(("op", last)) is None
    assert pickle.loads(pickle.dumps(last)) == last
    assert type(pickle.loads(pickle.dumps(last))) is ChannelsLast
    assert last != 5


def test_axes_of_both_layouts() -> None:
    """Expressions ask by name, and get the same whichever way round the tensor is held."""
    for name, size in {"channels": 6, "height": 4, "width": 5, "numel": 120}.items():
        for layout in ("relu", "channels_last"):
            network = archlens.loads(
                f"input: 6x4x5\nlayers:\n  - {layout}\n  - tokens if x.{name} == {size} else relu\n"
                f"  - linear(x.length)\n"
            )
            assert network.output == (20, 20)


# --- adding an op touches one file -----------------------------------------------------------------


def test_a_class_is_an_op() -> None:
    """A class with a kind is registered by being there."""
    try:

        class Twice(Op, kind="twice", family="test"):
            def facts(self, x: Shape) -> Facts:
                return Facts(x, {}, {}, 0, {}, EVERYWHERE, Call("nn.Identity"))

        assert registry["twice"] is Twice
        assert str(Twice()) == "twice"
    finally:
        registry.pop("twice", None)
    assert registry.keys() == OPS.keys()


NEW_OP = """
from ..shape import Shape
from .attributes import Count
from .op import EVERYWHERE, NONE, Call, Facts, Op


class Repeat(Op, kind="repeat", family="reshape"):
    times: Count = 2

    def facts(self, x: Shape) -> Facts:
        shape = Shape((self.times * x.channels, *x.spatial))
        torch = Call("archlens.repeat", times=self.times)
        return Facts(shape, NONE, NONE, 0, {}, EVERYWHERE, torch)
"""


@pytest.mark.parametrize("given", [{"strid": 2}, {"filters": 8, "stride": 2}])
def test_an_op_takes_its_attributes_alone(given: dict[str, int]) -> None:
    with pytest.raises(TypeError, match="conv takes channels, kernel, stride"):
        OPS["conv"](8, 3, **given)
    with pytest.raises(TypeError, match="relu takes no attributes"):
        OPS["relu"](1)


def test_a_file_is_an_op(tmp_path: Path) -> None:
    """A file put into ``archlens/ops`` makes an op of the language, and nothing else is touched."""
    package = Path(archlens.__file__).parent
    shutil.copytree(package, tmp_path / "archlens", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "archlens" / "ops" / "repeat.py").write_text(NEW_OP)
    program = "import archlens; print(archlens.loads('{input: 3x4x5, layers: [repeat, repeat(3)]}').output)"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ran.stdout, ran.stderr) == ("18x4x5\n", "")


# --- what does not fit -----------------------------------------------------------------------------


class Case(NamedTuple):
    """A step, the same in torch, and a part of what archlens says where both refuse it."""

    text: str
    torch: Callable[..., Tensor]
    refusal: str = ""


#: At each border, the last that fits and the first that does not.
CASES = [
    # a window and its padded input
    Case("1x5x5 >> conv(1, 5)", lambda x: nn.Conv2d(1, 1, 5)(x)),
    Case("1x4x4 >> conv(1, 5)", lambda x: nn.Conv2d(1, 1, 5)(x), "is larger than its 4x4 input"),
    # along one axis alone
    Case("1x4x8 >> conv(1, 5)", lambda x: nn.Conv2d(1, 1, 5)(x), "is larger than its 4x8 input"),
    Case(
        "1x4x4 >> conv(1, (7, 3), padding=(1, 0))",
        lambda x: nn.Conv2d(1, 1, (7, 3), padding=(1, 0))(x),
        "is larger than its 6x4 padded input",
    ),
    Case(
        "1x4x4 >> conv_transpose(1, 3, stride=(2, 1), output_padding=1)",
        lambda x: nn.ConvTranspose2d(1, 1, 3, stride=(2, 1), output_padding=1)(x),
        "output_padding must be smaller",
    ),
    Case(
        "1x8x8 >> max_pool(3, padding=((2, 0), 1))",
        lambda x: nn.MaxPool2d(3, padding=(2, 1))(x),
        "its padding of 2 is more than half of its window of 3",
    ),
    Case(
        "2x8x8 >> window_partition(4) >> window_reverse(4, (8, 9))",
        lambda x: x.reshape(2, 2, 8, 9),
        "is not a map of 8x9 in windows of 4x4",
    ),
    Case("1x4x3 >> conv(1, 5, padding=1)", lambda x: nn.Conv2d(1, 1, 5, padding=1)(x)),
    Case("1x4x2 >> conv(1, 5, padding=1)", lambda x: nn.Conv2d(1, 1, 5, padding=1)(x), "6x4 padded input"),
    Case("1x5 >> conv(1, 3, dilation=2)", lambda x: nn.Conv1d(1, 1, 3, dilation=2)(x)),
    Case(
        "1x4 >> conv(1, 3, dilation=2)", lambda x: nn.Conv1d(1, 1, 3, dilation=2)(x), "window of 5 is larger"
    ),
    Case("1x4x4x3 >> conv(1, 3)", lambda x: nn.Conv3d(1, 1, 3)(x)),
    Case("1x4x4x2 >> conv(1, 3)", lambda x: nn.Conv3d(1, 1, 3)(x), "is larger than its 4x4x2 input"),
    Case("4 >> conv(1, 1)", lambda x: nn.Conv2d(4, 1, 1)(x), "flat vector of 4"),
    Case("1x3x3 >> conv(1, 3, stride=5)", lambda x: nn.Conv2d(1, 1, 3, stride=5)(x)),
    Case("1x3x3 >> conv(1, 3, stride=0)", lambda x: nn.Conv2d(1, 1, 3, stride=0)(x), "at least 1"),
    Case("1x3x3 >> conv(1, (3, 3, 3))", lambda x: nn.Conv2d(1, 1, (3, 3, 3))(x), "3 values"),
    # groups
    Case("6x4x4 >> conv(4, 3, groups=2)", lambda x: nn.Conv2d(6, 4, 3, groups=2)(x)),
    Case("6x4x4 >> conv(4, 3, groups=3)", lambda x: nn.Conv2d(6, 4, 3, groups=3)(x), "4 output channels"),
    Case("6x4x4 >> conv(4, 3, groups=4)", lambda x: nn.Conv2d(6, 4, 3, groups=4)(x), "6 input channels"),
    Case(
        "6x4x4 >> conv_transpose(4, 3, groups=3)",
        lambda x: nn.ConvTranspose2d(6, 4, 3, groups=3)(x),
        "4 output channels",
    ),
    Case(
        "6x4x4 >> conv_transpose(4, 3, groups=4)",
        lambda x: nn.ConvTranspose2d(6, 4, 3, groups=4)(x),
        "6 input channels",
    ),
    Case("6x4x4 >> group_norm(3)", lambda x: nn.GroupNorm(3, 6)(x)),
    Case("6x4x4 >> group_norm(4)", lambda x: nn.GroupNorm(4, 6)(x), "6 input channels"),
    Case("6x4x4 >> channel_shuffle(3)", lambda x: nn.ChannelShuffle(3)(x)),
    Case("6x4x4 >> channel_shuffle(4)", lambda x: nn.ChannelShuffle(4)(x), "6 input channels"),
    Case("6x4x4 >> glu", lambda x: nn.GLU(1)(x)),
    Case("5x4x4 >> glu", lambda x: nn.GLU(1)(x), "halves the channels"),
    # a transposed convolution's two paddings
    Case(
        "1x4x4 >> conv_transpose(1, 3, stride=2, output_padding=1)",
        lambda x: nn.ConvTranspose2d(1, 1, 3, stride=2, output_padding=1)(x),
    ),
    Case(
        "1x4x4 >> conv_transpose(1, 3, stride=2, output_padding=2)",
        lambda x: nn.ConvTranspose2d(1, 1, 3, stride=2, output_padding=2)(x),
        "output_padding must be smaller",
    ),
    Case(
        "1x4x4 >> conv_transpose(1, 3, stride=2, output_padding=2, dilation=3)",
        lambda x: nn.ConvTranspose2d(1, 1, 3, stride=2, output_padding=2, dilation=3)(x),
    ),
    Case(
        "1x4x4 >> conv_transpose(1, 3, stride=2, output_padding=3, dilation=3)",
        lambda x: nn.ConvTranspose2d(1, 1, 3, stride=2, output_padding=3, dilation=3)(x),
        "output_padding must be smaller",
    ),
    Case(
        "1x3x3 >> conv_transpose(1, 3, padding=2)",
        lambda x: nn.ConvTranspose2d(1, 1, 3, padding=2)(x),
    ),
    Case(
        "1x3x3 >> conv_transpose(1, 3, padding=3)",
        lambda x: nn.ConvTranspose2d(1, 1, 3, padding=3)(x),
        "crops away the whole",
    ),
    # pooling
    Case("1x5x5 >> max_pool(5)", lambda x: nn.MaxPool2d(5)(x)),
    Case("1x4x4 >> max_pool(5)", lambda x: nn.MaxPool2d(5)(x), "is larger than its 4x4 input"),
    Case("1x5x5 >> max_pool(3, dilation=2)", lambda x: nn.MaxPool2d(3, dilation=2)(x)),
    Case(
        "1x4x4 >> max_pool(3, dilation=2)",
        lambda x: nn.MaxPool2d(3, dilation=2)(x),
        "is larger than its 4x4 input",
    ),
    Case("1x4x4 >> max_pool(4, padding=2)", lambda x: nn.MaxPool2d(4, padding=2)(x)),
    Case("1x4x4 >> max_pool(4, padding=3)", lambda x: nn.MaxPool2d(4, padding=3)(x), "more than half"),
    Case("1x4x4 >> max_pool(3, padding=2)", lambda x: nn.MaxPool2d(3, padding=2)(x), "more than half"),
    Case("1x9 >> max_pool(3, padding=1, dilation=3)", lambda x: nn.MaxPool1d(3, padding=1, dilation=3)(x)),
    Case(
        "1x9 >> max_pool(3, padding=2, dilation=3)",
        lambda x: nn.MaxPool1d(3, padding=2, dilation=3)(x),
        "more than half",
    ),
    Case(
        "1x9x9 >> max_pool(3, padding=2, dilation=3)",
        lambda x: nn.MaxPool2d(3, padding=2, dilation=3)(x),
        "more than half",
    ),
    Case(
        "1x9x9x9 >> max_pool(3, padding=2, dilation=3)",
        lambda x: nn.MaxPool3d(3, padding=2, dilation=3)(x),
        "more than half",
    ),
    Case("1x4x4 >> avg_pool(2, padding=1)", lambda x: nn.AvgPool2d(2, padding=1)(x)),
    Case("1x4x4 >> avg_pool(2, padding=2)", lambda x: nn.AvgPool2d(2, padding=2)(x), "more than half"),
    Case("1x4 >> avg_pool((5,), padding=(3,))", lambda x: nn.AvgPool1d(5, padding=3)(x), "more than half"),
    Case("1x2 >> max_pool(3, stride=2, ceil_mode=true)", lambda x: nn.MaxPool1d(3, 2, ceil_mode=True)(x)),
    Case(
        "1x1 >> max_pool(3, stride=2, ceil_mode=true)",
        lambda x: nn.MaxPool1d(3, 2, ceil_mode=True)(x),
        "window of 3 is larger",
    ),
    Case("1x2x2 >> avg_pool(4, stride=3, ceil_mode=true)", lambda x: nn.AvgPool2d(4, 3, ceil_mode=True)(x)),
    Case(
        "1x2x1 >> avg_pool(4, stride=3, ceil_mode=true)",
        lambda x: nn.AvgPool2d(4, 3, ceil_mode=True)(x),
        "is larger than its 2x1 input",
    ),
    Case("4 >> max_pool(1)", lambda x: nn.MaxPool2d(1)(x), "flat vector"),
    # padding and interpolation
    Case('1x4x4 >> pad(3, mode="reflect")', lambda x: nn.ReflectionPad2d(3)(x)),
    Case('1x4x4 >> pad(4, mode="reflect")', lambda x: nn.ReflectionPad2d(4)(x), "cannot reflect 4"),
    Case('1x4 >> pad(((3, 0),), mode="reflect")', lambda x: nn.ReflectionPad1d((3, 0))(x)),
    Case(
        '1x4 >> pad(((0, 4),), mode="reflect")', lambda x: nn.ReflectionPad1d((0, 4))(x), "cannot reflect 4"
    ),
    Case('1x1x1 >> pad(9, mode="replicate")', lambda x: nn.ReplicationPad2d(9)(x)),
    Case("1x5x5 >> upsample(0.2)", lambda x: nn.Upsample(scale_factor=0.2)(x)),
    Case("1x5x4 >> upsample(0.2)", lambda x: nn.Upsample(scale_factor=0.2)(x), "leaves nothing"),
    Case(
        '1x5 >> upsample(2, mode="bilinear")',
        lambda x: nn.Upsample(scale_factor=2, mode="bilinear")(x),
        "does not work on 1 spatial axis",
    ),
    Case(
        "1x5 >> upsample(2, align_corners=true)",
        lambda x: nn.Upsample(scale_factor=2, align_corners=True)(x),
        "no meaning for nearest",
    ),
    Case("1x5x4 >> upsample(2, size=3)", lambda x: nn.Upsample(3, 2)(x), "either a scale or a size"),
    Case("1x5x4 >> upsample", lambda x: nn.Upsample()(x), "either a scale or a size"),
    Case(
        "2x2x5x5 >> avg_pool(3, stride=2, ceil_mode=true)",
        lambda x: nn.AvgPool3d(3, 2, ceil_mode=True)(x),
        "window of 3 is larger than the depth of 2",
    ),
    Case("2x3x5x4 >> avg_pool(3, ceil_mode=true)", lambda x: nn.AvgPool3d(3, ceil_mode=True)(x)),
    Case(
        "2x4x2x4 >> avg_pool(3, stride=1, padding=1)",
        lambda x: nn.AvgPool3d(3, 1, 1)(x),
        "window of 3 is larger than the height of 2",
    ),
    # a tuple of one number is for all axes, but for the kernel of a convolution
    Case("2x9x8 >> conv(3, 3, stride=(2,))", lambda x: nn.Conv2d(2, 3, 3, stride=(2,))(x)),
    Case("2x9x8 >> conv(3, 3, dilation=(2,))", lambda x: nn.Conv2d(2, 3, 3, dilation=(2,))(x)),
    Case("2x9x8x7 >> conv(3, 3, padding=(1,))", lambda x: nn.Conv3d(2, 3, 3, padding=(1,))(x)),
    Case("2x9x8 >> conv(3, (3,))", lambda x: nn.Conv2d(2, 3, (3,))(x), "kernel=(3,) has 1 value"),
    Case("2x9x8 >> max_pool(2, stride=(3,), dilation=(2,))", lambda x: nn.MaxPool2d(2, (3,), 0, (2,))(x)),
    Case("2x9x8 >> avg_pool(2, padding=(1,))", lambda x: nn.AvgPool2d(2, padding=(1,))(x)),
    Case(
        "2x9x8 >> conv_transpose(3, 3, stride=(2,), padding=(1,), output_padding=(1,), dilation=(2,))",
        lambda x: nn.ConvTranspose2d(2, 3, 3, (2,), (1,), (1,), dilation=(2,))(x),
    ),
    # reshaping
    Case("12 >> reshape([3, 2, 2])", lambda x: nn.Unflatten(1, (3, 2, 2))(x)),
    Case("13 >> reshape([3, 2, 2])", lambda x: nn.Unflatten(1, (3, 2, 2))(x), "cannot hold"),
    Case("3x2x2 >> reshape([-1, 6])", lambda x: x.reshape(2, -1, 6)),
    Case("3x2x2 >> reshape([-1, 5])", lambda x: x.reshape(2, -1, 5), "cannot hold"),
    Case("3x2x2 >> reshape([-1, -1, 6])", lambda x: x.reshape(2, -1, -1, 6), "only one size can be -1"),
    # features and statistics
    Case("4 >> linear(3)", lambda x: nn.Linear(4, 3)(x)),
    Case("4x5x6 >> linear(3)", lambda x: nn.Linear(4, 3)(x), "works on a flat vector"),
    Case("4x1x2 >> instance_norm", lambda x: nn.InstanceNorm2d(4)(x)),
    Case("4x1x1 >> instance_norm", lambda x: nn.InstanceNorm2d(4)(x), "more than one position"),
    Case(
        "4x1x1 >> instance_norm(running_stats=true)",
        lambda x: nn.InstanceNorm2d(4, track_running_stats=True).eval()(x),
    ),
    Case("4x2 >> local_response_norm(2)", lambda x: nn.LocalResponseNorm(2)(x)),
    Case("4 >> local_response_norm(2)", lambda x: nn.LocalResponseNorm(2)(x), "flat vector"),
    Case("4 >> dropout(1)", lambda x: nn.Dropout(1)(x)),
    Case("4 >> dropout(1.1)", lambda x: nn.Dropout(1.1)(x), "not a probability"),
    Case("4 >> dropout(-0.1)", lambda x: nn.Dropout(-0.1)(x), "not a probability"),
    # merges
    Case("3x4x4, 5x4x4 >> concat", lambda *xs: torch.cat(xs, 1)),
    Case("3x4x4, 5x4x3 >> concat", lambda *xs: torch.cat(xs, 1), "only channels can differ"),
    Case("3x4x1, 5x4x4 >> concat", lambda *xs: torch.cat(xs, 1), "only channels can differ"),
    Case("3x4x4, 3x4 >> concat", lambda *xs: torch.cat(xs, 1), "only channels can differ"),
    Case("3x4x4, 3x1x4 >> add", lambda x, y: x + y),
    Case("3x4x4, 3x2x4 >> add", lambda x, y: x + y, "height (4 and 2)"),
    Case("3x4x4, 2x4x4 >> multiply", lambda x, y: x * y, "channels (3 and 2)"),
    Case("3x4x4, 1x4x4, 3x1x5 >> multiply", lambda x, y, z: x * y * z, "width (4 and 5)"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.text)
def test_both_refuse_or_neither(case: Case) -> None:
    """Archlens and torch draw the line at the same place."""
    tensors = batch(2, read(case.text.partition(" >> ")[0]))
    if case.refusal:
        with pytest.raises((RuntimeError, ValueError, IndexError, TypeError)):
            case.torch(*tensors)
        with pytest.raises((archlens.SpecError, ShapeError)) as caught:
            example(case.text)
        assert case.refusal in str(caught.value)
    else:
        assert example(case.text).facts.shape == case.torch(*tensors).shape[1:]


@pytest.mark.parametrize("x", ["4x1x1", "4x1", "4x1x1x1", "4x2x1", "4x1x3", "4"])
@pytest.mark.parametrize(
    "op",
    [
        "batch_norm",
        "batch_norm(running_stats=false)",
        "instance_norm",
        "instance_norm(running_stats=true)",
        "group_norm(4)",
        "group_norm(2)",
        "group_norm(1)",
        "layer_norm",
        'layer_norm(over="all")',
    ],
)
def test_least_batch(op: str, x: str) -> None:
    """From which batch on torch runs a normalization, in training and in evaluation."""
    try:
        network = archlens.loads(f"input: {x}\nlayers: ['{op}']")
    except archlens.SpecError:
        assert op.startswith("instance_norm")  # of one position, or of none
        return
    (layer,) = network
    for training in (True, False):
        module = archlens.build(network).train(training)
        runs = []
        for count in (1, 2, 3):
            try:
                module(torch.rand(count, *network.input))
            except ValueError:
                continue
            runs.append(count)
        least = min(runs, default=None)
        assert runs == ([] if least is None else list(range(least, 4)))
        assert layer.op.least_batch(*layer.input_shapes, training=training) == least


#: Where torch has no number of its own: it takes the least that its type tells from 1, and what is not said.
NOT_OF_TORCH = {("rms_norm", "eps"), ("upsample", "align_corners")}


@pytest.mark.parametrize("kind", [kind for kind, op in OPS.items() if op.examples])
def test_defaults_are_those_of_torch(kind: str) -> None:
    """Of what an op and torch's module call alike, as the momentum of a norm, which no shape tells."""
    fields = {name for one in OPS[kind].__mro__ for name in vars(one).get("__annotations__", {})}
    for text in OPS[kind].examples:
        _, _, facts = example(text)
        if not facts.torch.target.startswith("nn."):
            continue
        parameters = inspect.signature(getattr(nn, facts.torch.target[3:])).parameters
        for name in fields & parameters.keys():
            own, theirs = getattr(OPS[kind], name, None), parameters[name].default
            if theirs is not inspect.Parameter.empty and (kind, name) not in NOT_OF_TORCH:
                assert own == theirs, name


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize(
    ("sizes", "to"), [((7, 9), (3, 4)), ((8, 9), (4, 2)), ((3, 12), (5, 1)), ((2, 2), (7, 7))]
)
def test_what_pooling_to_a_size_computes(sizes: tuple[int, int], to: tuple[int, int], largest: bool) -> None:
    """Window by window, as torch's documentation has them: comparisons, or sums and a division."""
    windows = [[-(-(i + 1) * n // o) - i * n // o for i in range(o)] for n, o in zip(sizes, to, strict=True)]
    work = sum(p * q - largest for p, q in product(*windows))
    kind = "max" if largest else "avg"
    facts = OPS[f"adaptive_{kind}_pool"](to).facts(Shape((5, *sizes)))
    assert facts.other == {"pooling": 5 * work}
    alike = all(len({*each}) == 1 and n % o == 0 for each, n, o in zip(windows, sizes, to, strict=True))
    assert isinstance(facts.reach, tuple) == alike


def test_what_is_done_to_scores() -> None:
    """Beside products, for each pair of a query and a key in each head."""
    pairs = 2 * 6 * 5  # heads, queries and keys
    x, y = ChannelsLast((6, 8)), ChannelsLast((5, 8))
    bias = ChannelsLast((6, 5))
    for said, inputs, each in (
        ({}, (x, y, y), 1),  # the scale
        ({"scale": 1}, (x, y, y), 0),
        ({"scale": 2}, (x, y, y), 1),
        ({"scale": 1}, (x, y, y, bias), 1),
        ({"softcap": 5}, (x, y, y, bias), 1 + 1 + 2),  # and what divides by the bound and multiplies by it
    ):
        assert OPS["attention"](2, **said).facts(*inputs).other["elementwise"] == each * pairs
    sinks = OPS["attention"](2, sinks=True).facts(x, y, y, Shape((2,)))
    # six exponentials and six divisions for five keys and a sink, and five sums
    assert sinks.other["softmax"] == 2 * 6 * (6 + 6 + 5)


def test_what_is_done_to_scores_in_windows() -> None:
    """Queries are scaled, or each pair is; each pair has its bias, and its mask where windows are shifted."""
    queries, pairs = 14 * 14 * 12, 3 * 14 * 14 * 49
    x = ChannelsLast((14, 14, 12))
    for kind, shift, work in (
        ("window_attention", 0, queries + pairs),
        ("window_attention", 3, queries + 2 * pairs),
        ("window_attention_v2", 0, 2 * pairs),
        ("window_attention_v2", 3, 3 * pairs),
    ):
        facts = OPS[kind](3, 7, shift=shift).facts(x)
        assert facts.other["elementwise"] == work
    # of a small network over 13 x 13 offsets; 16 sigmoid for each pair of a window; a scale for each head
    assert facts.other["activation"] == 512 * 13 * 13 + 2 * 3 * 49 * 49 + 2 * 3


def test_heads_that_would_do() -> None:
    """The four nearest that divide the channels, from few to many."""
    with pytest.raises(ShapeError) as caught:
        OPS["self_attention"](65).facts(ChannelsLast((5, 128)))
    assert caught.value.help == "heads that divide 128: 8, 16, 32, 64"
