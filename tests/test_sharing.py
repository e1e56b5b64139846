"""Weights that are used several times: as a spec says it, against modules that do it in torch."""

from __future__ import annotations

import copy
import gc
import pickle
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.analysis import difference
from archlens.analysis.study import Study
from archlens.backends.verification import verify
from archlens.drawing import Request, to_bytes
from archlens.source import emit
from archlens.views.json import to_data
from archlens.views.rows import rows_of

from .conftest import load_torchvision


class Case(NamedTuple):
    """A spec, and the same as a module."""

    text: str
    make: Callable[[], nn.Module]


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4 * 6 * 6, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(torch.relu(self.bn(self.conv(x))), 2)
        return self.fc(x.flatten(1))


class Siamese(nn.Module):
    """Two towers of the same weights, as of Bromley et al. 1993."""

    def __init__(self) -> None:
        super().__init__()
        self.left = Tower()
        self.out = nn.Linear(16, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.out(torch.cat([self.left(a), self.left(b)], 1))


SIAMESE = """
input: {a: 1x12x12, b: 1x12x12}
layers:
  - concat:
      - - ref(input.a)
        - left:
            - conv: conv(4, 3, padding=1)
            - bn: batch_norm
            - relu: relu
            - pool: max_pool(2)
            - flatten: flatten
            - fc: linear(8)
      - - ref(input.b)
        - right: again(left)
  - out: linear(1)
"""


class Tied(nn.Module):
    """A language model, whose head has the table of its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.wte = nn.Embedding(20, 12)
        self.mlp = nn.Linear(12, 12)
        self.head = nn.Linear(12, 20)
        self.head.weight = self.wte.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.mlp(self.wte(x))))


TIED = """
input: 7 of 20
layers:
  - wte: embedding(12)
  - mlp: linear(12)
  - act: relu
  - head: linear(20, weight=wte)
"""


class Given(nn.Module):
    """Functions that are given weights of modules: a head, what turns a convolution round, a layer again."""

    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv1d(12, 8, 3, stride=2, bias=False)
            self.norm = nn.LayerNorm(12)

        def forward(self, x: Tensor) -> Tensor:
            y = F.conv_transpose1d(self.down(x.mT), self.down.weight, stride=2).mT
            return F.layer_norm(self.norm(y), (12,), self.norm.weight, self.norm.bias)

    def __init__(self) -> None:
        super().__init__()
        self.wte = nn.Embedding(20, 12)
        self.inner = Given.Inner()
        self.more = Given.Inner()

    def forward(self, x: Tensor) -> Tensor:
        x = self.more(self.inner(self.wte(x)))
        return F.linear(x, self.wte.weight) + x @ self.wte.weight.t()


GIVEN = """
input: 7 of 20
blocks:
  inner:
    - channels_first
    - down: conv(8, 3, stride=2, bias=false)
    - up: conv_transpose(12, 3, stride=2, bias=false, weight="down.weight")
    - channels_last
    - norm: layer_norm
    - again(norm)
layers:
  - wte: embedding(12)
  - inner: inner
  - more: inner
  - add:
    - linear(20, bias=false, weight="wte.weight")
    - linear(20, bias=false, weight="wte.weight")
"""


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 2, batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.up = nn.Linear(16, 32)
        self.down = nn.Linear(32, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return x + self.down(F.gelu(self.up(x)))


class Albert(nn.Module):
    """One layer twelve times, as in ALBERT."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(6, 16)
        self.layer = Layer()
        self.pooler = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.enter(x.transpose(1, 2))
        for _ in range(12):
            x = self.layer(x)
        return self.pooler(x[:, 0])


ALBERT = """
input: 6x5
blocks:
  layer:
    - residual: [attention: self_attention(2)]
    - norm: layer_norm
    - residual: [up: linear(32), act: gelu, down: linear(16)]
layers:
  - channels_last
  - enter: linear(16)
  - layer: layer
  - again(layer) * 11
  - slice(0, 1, axis="length") >> flatten
  - pooler: linear(16)
"""


class Refined(nn.Module):
    """Two blocks in turn, each with what flowed into the first of all, and at a coarser level once more."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(2, 3, 1)
        self.one = nn.ModuleDict({"up": nn.Conv2d(3, 3, 3, padding=1)})
        self.two = nn.ModuleDict({"down": nn.Conv2d(6, 3, 1)})

    def forward(self, x: Tensor) -> Tensor:
        start = y = self.enter(x)
        for _ in range(3):
            y = y + torch.relu(self.one["up"](y))  # what flows into the block is read twice in it
            y = self.two["down"](torch.cat([start, y], 1))  # what lies outside of it stays
        y = F.max_pool2d(y, 2)
        return y + torch.relu(self.one["up"](y))


REFINED = """
input: 2x8x8
layers:
  - enter: conv(3, 1)
  - one:
      - skip: identity
      - up: conv(3, 3, padding=1)
      - relu
      - add: [ref(skip), identity]
  - two:
      - concat: [ref(enter), identity]
      - down: conv(3, 1)
  - each: i
    in: range(2)
    do: again(one) >> again(two)
  - max_pool(2)
  - again(one)
"""


class Pyramid(nn.Module):
    """torchvision's feature pyramid and RetinaNet's heads over its five levels."""

    def __init__(self, channels: int = 256, classes: int = 91) -> None:
        load_torchvision()
        from torchvision.models.detection.retinanet import RetinaNetHead
        from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelP6P7

        super().__init__()
        extra = LastLevelP6P7(channels, channels)
        self.fpn = FeaturePyramidNetwork([16, 32, 64], channels, extra_blocks=extra)
        self.head = RetinaNetHead(channels, 9, classes)

    def forward(self, c3: Tensor, c4: Tensor, c5: Tensor) -> dict[str, Tensor]:
        levels = list(self.fpn({"0": c3, "1": c4, "2": c5}).values())
        found = self.head(levels)
        return {"cls": found["cls_logits"], "bbox": found["bbox_regression"]}


PYRAMID = """
input: {c3: 16x16x16, c4: 32x8x8, c5: 64x4x4}
params: {channels: 256, classes: 91}
blocks:
  tower:
    - each: i
      in: range(4)
      do: {"{i}": "conv(channels, 3, padding=1) >> relu"}
layers:
  - fpn:
      - inner_blocks:
          - "0": ref(input.c3) >> conv(channels, 1)
          - "1": ref(input.c4) >> conv(channels, 1)
          - "2": ref(input.c5) >> conv(channels, 1)
      - m5: ref("fpn.inner_blocks.2")
      - m4: {add: ['ref("fpn.inner_blocks.1")', "ref(m5) >> upsample(2)"]}
      - m3: {add: ['ref("fpn.inner_blocks.0")', "ref(m4) >> upsample(2)"]}
      - layer_blocks:
          - "0": [ref(m3), "conv(channels, 3, padding=1)"]
          - "1": [ref(m4), "conv(channels, 3, padding=1)"]
          - "2": [ref(m5), "conv(channels, 3, padding=1)"]
      - extra_blocks:
          - p6: conv(channels, 3, stride=2, padding=1)
          - relu
          - p7: conv(channels, 3, stride=2, padding=1)
  - head:
      - ref("fpn.layer_blocks.0")
      - classification_head:
          - conv: tower
          - cls_logits: conv(9 * classes, 3, padding=1)
      - each: [level, path]
        in: [[4, '"fpn.layer_blocks.1"'], [5, '"fpn.layer_blocks.2"'], [6, '"fpn.extra_blocks.p6"'],
             [7, '"fpn.extra_blocks.p7"']]
        do: [ref(path), {"cls{level}": again(classification_head)}]
      - ref("fpn.layer_blocks.0")
      - regression_head:
          - conv: tower
          - bbox_reg: conv(9 * 4, 3, padding=1)
      - each: [level, path]
        in: [[4, '"fpn.layer_blocks.1"'], [5, '"fpn.layer_blocks.2"'], [6, '"fpn.extra_blocks.p6"'],
             [7, '"fpn.extra_blocks.p7"']]
        do: [ref(path), {"bbox{level}": again(regression_head)}]
outputs:
  cls3: ref("head.classification_head")
  cls4: ref("head.cls4")
  cls5: ref("head.cls5")
  cls6: ref("head.cls6")
  cls7: ref("head.cls7")
  bbox3: ref("head.regression_head")
  bbox4: ref("head.bbox4")
  bbox5: ref("head.bbox5")
  bbox6: ref("head.bbox6")
"""

CASES = {
    "siamese": Case(SIAMESE, Siamese),
    "tied": Case(TIED, Tied),
    "given": Case(GIVEN, Given),
    "albert": Case(ALBERT, Albert),
    "refined": Case(REFINED, Refined),
}


def filled(module: nn.Module) -> nn.Module:
    """A module in evaluation mode whose buffers are not what each module starts with."""
    for name, buffer in module.named_buffers():
        if "running" in name:
            buffer.uniform_(0.5, 1.5)
    return module.eval()


def given(shape: archlens.Shape) -> Tensor:
    limit = getattr(shape, "below", None)
    return torch.rand(1, *shape) if limit is None else torch.randint(limit, (1, *shape))


def products(module: nn.Module, inputs: list[Tensor]) -> int:
    with (
        FlopCounterMode(display=False) as counter,
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        module(*inputs)
    return int(counter.get_total_flops()) // 2


@pytest.mark.parametrize("name", CASES)
def test_a_spec_is_the_module_that_shares(name: str) -> None:
    """Its keys, weights once, products at each use, and what comes out; so for copies of what is built."""
    case = CASES[name]
    network, module = archlens.loads(case.text), filled(case.make())
    built = archlens.build(network).eval()
    inputs = [given(shape) for shape in network.inputs.values()]
    state = module.state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == network.state()
    assert list(built.state_dict()) == list(state)
    assert network.params == sum(weight.numel() for weight in module.parameters())
    assert network.macs == products(module, inputs)
    built.load_state_dict(state, strict=True)
    with torch.no_grad():
        expected = module(*inputs)
        for one in (built, copy.deepcopy(built), pickle.loads(pickle.dumps(built))):
            torch.testing.assert_close(one(*inputs), expected)
            assert sum(weight.numel() for weight in one.parameters()) == network.params


def test_verify_compares_each_use() -> None:
    found = verify(archlens.loads(SIAMESE)).checks
    assert [check for check in found if check.status == "failed"] == []
    said = {(check.layer, check.what): (check.status, check.found) for check in found}
    # 4 x 12 x 12 outputs of 9 products each
    assert said["right.conv", "macs"] == said["left.conv", "macs"] == ("passed", f"{4 * 12 * 12 * 9:,}")


def test_retinanet_is_torchvisions() -> None:
    """Both heads over five levels of torchvision's pyramid: keys, weights, products and values."""
    with torch.device("meta"):
        full = Pyramid().state_dict()
    assert {key: tuple(value.shape) for key, value in full.items()} == archlens.loads(PYRAMID).state()
    module = filled(Pyramid(channels=16, classes=5))
    network = archlens.loads(PYRAMID).with_values(channels=16, classes=5)
    inputs = [torch.rand(1, *shape) for shape in network.inputs.values()]
    state = module.state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == network.state()
    assert network.params == sum(weight.numel() for weight in module.parameters())
    assert network.macs == products(module, inputs)
    built = archlens.build(network).eval()
    built.load_state_dict(state, strict=True)
    with torch.no_grad():
        found, expected = built(*inputs), module(*inputs)

    def rows(level: str, values: int) -> Tensor:  # as torchvision puts them: a row for each anchor
        y = found[level]
        y = y.view(1, 9, values, *y.shape[2:]).permute(0, 3, 4, 1, 2)
        return y.reshape(1, -1, values)

    cls = torch.cat([rows(f"cls{level}", 5) for level in range(3, 8)], 1)
    bbox = torch.cat([rows(level, 4) for level in ("bbox3", "bbox4", "bbox5", "bbox6", "out")], 1)
    torch.testing.assert_close(cls, expected["cls"])
    torch.testing.assert_close(bbox, expected["bbox"])


# --- what is written of them --------------------------------------------------------------------------

SAID = {
    "siamese": ["- right: again(left)"],
    "tied": ["- head: linear(20, weight=wte)"],
    "given": ['weight="down.weight")', 'linear(20, bias=false, weight="wte.weight")'],
    "albert": ["- again(layer) * 11"],
    "refined": ["- again(one) >> again(two) >> again(one) >> again(two)\n"],
}


@pytest.mark.parametrize("name", SAID)
def test_a_spec_is_written_with_its_uses(name: str) -> None:
    network = archlens.loads(CASES[name].text)
    text = archlens.convert(network)
    for line in SAID[name]:
        assert line in text
    again = archlens.loads(text)
    assert [(one.name, one.again, one.macs) for one in again] == [
        (one.name, one.again, one.macs) for one in network
    ]
    assert again.state() == network.state()


#: What is written of the modules themselves, where each has a name of its own for what it calls.
TRACED = {
    "tied": ["- head: linear(20, weight=wte)"],
    "given": ['weight="down.weight")', 'linear(20, bias=false, weight="wte.weight")', "again(norm)"],
    "albert": ["- again(layer) * 11"],
    "refined": ["- again(one)", "- again(two)"],
}


@pytest.mark.parametrize("name", TRACED)
def test_a_module_is_written_with_its_uses(name: str) -> None:
    """The spec of a module has its keys and its values, once it has its weights."""
    module = filled(CASES[name].make())
    inputs = [given(shape) for shape in archlens.loads(CASES[name].text).inputs.values()]
    text = archlens.convert(archlens.trace(module, *inputs))
    for line in TRACED[name]:
        assert line in text
    built = archlens.build(archlens.loads(text)).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    with torch.no_grad():
        torch.testing.assert_close(built(*inputs), module(*inputs))


class Masked(nn.Module):
    """A head as BERT has it: its matrix is the table, and its bias lies on the module around it, too."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 12)
        self.bias = nn.Parameter(torch.rand(20))
        self.decoder = nn.Linear(12, 20)
        self.decoder.weight, self.decoder.bias = self.table.weight, self.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.table(x).relu())


def test_a_head_with_both_names_of_others_is_one_layer() -> None:
    module = Masked()
    network = archlens.trace(module, torch.zeros(1, 7, dtype=torch.long))
    assert [(one.name, one.op.kind) for one in network][-1] == ("decoder", "linear")
    assert network.params == sum(one.numel() for one in module.parameters())
    assert network.macs == 7 * 12 * 20


class Levels(nn.Module):
    """torchvision's head of RetinaNet on levels of a pyramid, without what it does to its outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Pyramid(channels=8, classes=3).head.classification_head

    def forward(self, p3: Tensor, p4: Tensor, p5: Tensor) -> dict[str, Tensor]:
        return {
            f"cls{level}": self.head.cls_logits(self.head.conv(x)) for level, x in enumerate((p3, p4, p5), 3)
        }


def test_a_head_on_several_levels_is_written() -> None:
    network = archlens.trace(Levels(), **{f"p{level}": (8, 32 >> level, 32 >> level) for level in (3, 4, 5)})
    text = archlens.convert(network)
    assert text.count("- again(head)\n") == 2
    assert archlens.loads(text).state() == network.state()


LOOP = """        for _ in range(12):
            x = self.layer(x)  # 5x16
"""

#: What the source of each has.
SOURCES = {
    "siamese": ["b = self.left(b)  # 8\n"],
    "tied": ["        self.head.weight = self.wte.weight\n"],
    "given": ["F.linear(x, self.wte.weight)", "F.conv_transpose1d(x, self.down.weight, stride=2)"],
    "albert": [LOOP],
    "refined": ["x = self.two(enter, x)  # 3x8x8\n        x = self.one(x)  # 3x8x8\n"],
    "heads": ["cls4 = self.classification_head(skip1)  # 18x8x8\n"],
}


@pytest.mark.parametrize("name", SOURCES)
def test_source_calls_again(name: str) -> None:
    """The text has the module's state dict, its parameters once, and its values."""
    heads = name == "heads"
    network = archlens.loads(PYRAMID if heads else CASES[name].text)
    network = network.with_values(channels=8, classes=2) if heads else network
    text = emit(network)
    for lines in SOURCES[name]:
        assert lines in text
    names: dict[str, Any] = {}
    exec(compile(text, "network.py", "exec"), names)
    module, built = names["Network"]().eval(), archlens.build(network).eval()
    module.load_state_dict(built.state_dict(), strict=True)
    assert sum(weight.numel() for weight in module.parameters()) == network.params
    inputs = [given(shape) for shape in network.inputs.values()]
    with torch.no_grad():
        torch.testing.assert_close(module(*inputs), built(*inputs))


UNWRITTEN = {
    "its windows are others": (
        "{input: 3x9x10, layers: [{c: 'conv(3, 3, stride=2, padding=\"same\")'}, again(c)]}",
        "c is used again, and c_1 is nn.Conv2d(3, 3, 3, stride=2, padding=1), and c archlens.PaddedConv2d",
    ),
    "it stands outside": (
        "{input: 3x9x9, layers: [{c: 'conv(3, 3)'}, {a: [relu, again(c), 'conv(3, 1)']}]}",
        "c is used again, and it stands outside of a, which applies it",
    ),
    "it begins what it stands outside of": (
        "{input: 3x9x9, layers: [{a: [{one: [{n: batch_norm}, {c: 'conv(3, 1)'}]}, "
        "{two: [{n: 'again(\"one.n\")'}, {c: 'conv(3, 1)'}, {add: ['ref(c)', 'ref(n)']}]}]}]}",
        "a.one.n is used again, and it stands outside of a.two, which applies it",
    ),
    "more of it is read": (
        "{input: 3x9x9, layers: [{a: [{b: 'conv(3, 1)'}, {c: 'conv(3, 1)'}]}, again(a), "
        "{add: [identity, 'ref(\"a.b\")']}]}",
        "a is used again, and not only the end of it is read",
    ),
}


@pytest.mark.parametrize("case", UNWRITTEN)
def test_what_source_cannot_say_is_refused(case: str) -> None:
    text, said = UNWRITTEN[case]
    with pytest.raises(archlens.UsageError) as refused:
        emit(archlens.loads(text))
    assert f"network cannot be written as source: {said}" in str(refused.value)


class TwoNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.other = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.first(x)


def test_a_module_with_two_names() -> None:
    """Both are keys of what is built, as they are of the module; source has no words for it."""
    module = TwoNames()
    network = archlens.trace(module, (4,))
    built = archlens.build(network)
    assert built.state_dict().keys() == module.state_dict().keys()
    assert sum(weight.numel() for weight in built.parameters()) == 20
    with pytest.raises(archlens.UsageError, match=r"first\.weight has a second key, other\.weight"):
        emit(network)


# --- names ------------------------------------------------------------------------------------------


def layers(text: str) -> dict[str, str]:
    """The layers of a spec, each with the layer that it is once more."""
    return {layer.name: layer.again for layer in archlens.loads(f"input: 3x8x8\nlayers:\n{text}")}


def test_names_of_further_uses() -> None:
    """With a name it is a scope of its own; without one its layers are numbered where they stand first."""
    assert layers(
        """
  - conv: conv(3, 1)
  - a:
      - conv: conv(3, 1)
      - relu: relu
  - again(conv) >> again(a)
  - b: again(a)
  - again(b) * 2
  - conv_4: relu
  - again("a.conv")
  - max_pool(2)
  - again(conv)
"""
    ) == {
        "conv": "", "a.conv": "", "a.relu": "",
        "conv_1": "conv", "a.conv_1": "a.conv", "a.relu_1": "a.relu",
        "b.conv": "a.conv", "b.relu": "a.relu",
        "a.conv_2": "a.conv", "a.relu_2": "a.relu", "a.conv_3": "a.conv", "a.relu_3": "a.relu",
        "conv_4": "", "a.conv_4": "a.conv", "max_pool": "", "conv_2": "conv",
    }  # fmt: skip


def test_names_within_numbered_ones() -> None:
    """A second relu goes on from the numbers of the first, as traced modules do; no name is taken twice."""
    assert layers(
        """
  - a:
      - relu: relu
      - relu_1: relu
      - add: [identity, identity]
      - add: [identity, identity]
  - again(a)
  - each: i
    in: range(2)
    do: {"use{i}": again(a)}
"""
    ) == {
        "a.relu": "", "a.relu_1": "", "a.add": "", "a.add_1": "",
        "a.relu_2": "a.relu", "a.relu_3": "a.relu_1", "a.add_2": "a.add", "a.add_3": "a.add_1",
        "use0.relu": "a.relu", "use0.relu_1": "a.relu_1", "use0.add": "a.add", "use0.add_1": "a.add_1",
        "use1.relu": "a.relu", "use1.relu_1": "a.relu_1", "use1.add": "a.add", "use1.add_1": "a.add_1",
    }  # fmt: skip


def test_a_step_within_a_repeated_block() -> None:
    """Blocks that are repeated without being run have their steps, too; so has a further use."""
    text = """
input: 3x8x8
blocks:
  block(n): [{conv: "conv(n, 1)"}, {inner: [{deep: "conv(n, 3, padding=1)"}, relu]}]
layers:
  - s: block(3) * 3
  - t: again("s.2")
  - again("s.1.conv")
  - again("t.inner")
"""
    network = archlens.loads(text)
    assert {layer.name: layer.again for layer in network if layer.again} == {
        "t.conv": "s.2.conv", "t.inner.deep": "s.2.inner.deep", "t.inner.relu": "s.2.inner.relu",
        "s.1.conv_1": "s.1.conv", "s.2.inner.deep_1": "s.2.inner.deep", "s.2.inner.relu_1": "s.2.inner.relu",
    }  # fmt: skip
    assert network["s.2.inner.deep_1"].inputs == ("s.1.conv_1",)
    assert network.params == 3 * (3 * 3 + 3 + 3 * 3 * 9 + 3)


def test_a_use_is_no_block_to_repeat() -> None:
    """What a block makes after it was applied once more, on a new size, has weights of its own."""
    network = archlens.loads(
        """
input: 3x8x8
blocks: {block(n): "conv(n, 1) >> relu"}
layers: [a: block(3), max_pool(2), again(a), b: block(3)]
"""
    )
    assert network["b.0"].params == 3 * 3 + 3
    assert list(network.state()) == ["a.0.weight", "a.0.bias", "b.0.weight", "b.0.bias"]


# --- other inputs, other sizes ----------------------------------------------------------------------


def test_its_text_runs_again() -> None:
    """Sizes that it asks for are those of what flows in."""
    network = archlens.loads(
        """
input: 2x9x9
layers:
  - crop: crop(x.height - 2)
  - gap: [again(crop), pool: avg_pool(x.height)]
  - ref(crop)
  - again(gap)
"""
    )
    assert [str(layer.shape) for layer in network] == ["2x7x7", "2x5x5", "2x1x1", "2x5x5", "2x1x1"]
    larger = network.with_input("2x11x11")
    assert [str(layer.shape) for layer in larger] == ["2x9x9", "2x7x7", "2x1x1", "2x7x7", "2x1x1"]


def test_a_path_within_it_moves_along() -> None:
    """A ref by its full name to what stands within the step means what stands there this time."""
    network = archlens.loads(
        """
input: 3x8x8
layers:
  - stem: relu
  - a: [{one: tanh}, relu, {add: [identity, 'ref("a.one")', 'ref("stem")']}]
  - b: again(a)
"""
    )
    assert network["b.add"].inputs == ("b.relu", "b.one", "stem")


def test_padding_by_the_size_is_another_call_with_the_same_weights() -> None:
    network = archlens.loads(
        "{input: 3x9x10, layers: [{c: 'conv(3, 3, stride=2, padding=\"same\")'}, again(c)]}"
    )
    built = archlens.build(network)
    assert list(built.state_dict()) == ["c.weight", "c.bias"]
    x = torch.rand(1, 3, 9, 10)
    for one in (built, copy.deepcopy(built), pickle.loads(pickle.dumps(built))):
        weight, bias = one.state_dict().values()
        # TensorFlow pads 9 by 1 and 1, 10 by 0 and 1, and 5 by 1 and 1
        y = F.conv2d(F.pad(x, (0, 1, 1, 1)), weight, bias, stride=2)
        torch.testing.assert_close(one(x), F.conv2d(F.pad(y, (1, 1, 1, 1)), weight, bias, stride=2))
        weight.mul_(2)  # of this one alone, at both uses


def test_a_layer_whose_weight_cannot_be_tied_is_not_there() -> None:
    with pytest.raises(archlens.SpecError) as refused:
        archlens.loads(TIED.replace("linear(20,", "linear(21,"))
    network = refused.value.network
    assert network is not None
    assert network.params == 20 * 12 + 12 * 12 + 12
    assert [layer.name for layer in network] == ["wte", "mlp", "act"]


@pytest.mark.parametrize(
    ("b", "then", "stands"),
    [
        ("conv(4, 5)", ["conv(7, 1)", "again(s)"], ["0"]),  # a reads 3 channels, and not 7
        ("conv(4, 5)", ['again("s.b")'], []),  # b reads 3, and not 4
        ("conv(x.height, 5)", ["conv(3, 1)", "t: again(s)"], ["0", "t.a"]),  # b would be conv(8, 5)
        ("conv(3, 5)", ["max_pool(4)", "again(s)"], ["max_pool", "s.a_1"]),  # 5 is more than 2
    ],
)
def test_of_a_use_that_is_refused_only_what_fits_is_there(b: str, then: list[str], stands: list[str]) -> None:
    lines = [f"s: [a: 'conv(3, 1)', b: '{b}']", *then]
    with pytest.raises(archlens.SpecError) as refused:
        archlens.loads("input: 3x12x12\nlayers:\n" + "".join(f"  - {line}\n" for line in lines))
    network = refused.value.network
    assert network is not None
    assert [layer.name for layer in network] == ["s.a", "s.b", *stands]
    assert {key.rpartition(".")[0] for key in network.state()} <= {"s.a", "s.b", "0"}


def test_folded_scopes_say_which_of_them_are_applied_again() -> None:
    """Each use is a row of its own, also where they stand side by side; what is within a scope is not."""
    lines = "{up: [{a: 'conv(3, 1)'}, again(a), b: relu]}, again(up), again(up), tanh, {t: again(up)}"
    rows = rows_of(archlens.loads(f"{{input: 3x4x4, layers: [{lines}]}}"), depth=1)
    assert [(row.name, row.what, row.params) for row in rows] == [
        ("up", "3 layers", 12),
        ("up", "again(up)", 0),
        ("up", "again(up)", 0),
        ("tanh", "tanh", 0),
        ("t", "3 layers", 0),
    ]


def test_what_json_says_is_shared() -> None:
    """Tensors by name, each with the key of the other layer; what has no tensors is only the same again."""
    found = {layer["name"]: layer for layer in to_data(Study(archlens.loads(SIAMESE)))["layers"]}
    keys = ["weight", "bias"]
    assert found["right.conv"]["again"] == "left.conv"
    assert found["right.conv"]["shared"] == {key: f"left.conv.{key}" for key in keys}
    assert found["right.bn"]["shared"].keys() == {
        *keys, "running_mean", "running_var", "num_batches_tracked"
    }  # fmt: skip
    assert found["right.relu"]["again"] == "left.relu"
    assert [name for name, layer in found.items() if "shared" in layer] == [
        "right.conv",
        "right.bn",
        "right.fc",
    ]
    head = to_data(Study(archlens.loads(TIED)))["layers"][-1]
    assert (head["shared"], "again" in head) == ({"weight": "wte.weight"}, False)


def test_a_difference_says_what_is_shared_in_one_network_alone() -> None:
    def found(old: str, new: str) -> list[tuple[str, str, int]]:
        pairs = difference.find(archlens.loads(old), archlens.loads(new)).pairs
        return [(pair.new.name, pair.what, pair.params) for pair in pairs if pair.new and pair.kind != "same"]

    alone = TIED.replace(", weight=wte", "")
    assert found(TIED, alone) == [("head", "weight of wte -> its own", 20 * 12)]
    assert found(alone, TIED) == [("head", "weight its own -> of wte", -20 * 12)]
    assert found(TIED, TIED) == []
    assert found(TIED, TIED.replace("wte", "words")) == []  # a name alone
    twice = TIED.replace("  - mlp", "  - other: linear(20) >> linear(12)\n  - mlp")
    first = twice.replace("linear(20) >>", "linear(20, weight=wte) >>")
    third = first.replace("linear(20, weight=wte)\n", 'linear(20, weight="other.0")\n')
    assert third != first
    assert found(first, third) == []  # whose it is, however that is written
    left = SIAMESE.replace("again(left)", "[conv: 'conv(4, 3, padding=1)', bn: batch_norm, relu: relu]")
    left = left.replace("relu]", "relu, pool: max_pool(2), flatten: flatten, fc: linear(8)]")
    assert [(name, params) for name, _, params in found(SIAMESE, left)] == [
        ("right.conv", 4 * 9 + 4), ("right.bn", 8), ("right.fc", 4 * 6 * 6 * 8 + 8)
    ]  # fmt: skip
    assert found(SIAMESE, left)[2][1] == "weight, bias of left.fc -> its own"


# --- bounds -----------------------------------------------------------------------------------------


def test_steps_that_apply_each_other_too_deep() -> None:
    lines = [f"  - s{after}: [again(s{before}), relu]" for before, after in pairwise(range(45))]
    text = "input: 3\nlayers:\n  - s0: relu\n" + "\n".join(lines)
    with pytest.raises(archlens.SpecError, match="steps apply each other more than 40 deep") as refused:
        archlens.loads(text)
    assert refused.value.diagnostic.span is not None
    assert len(refused.value.diagnostic.also) == 3
    assert refused.value.network is not None
    assert all(" " not in layer.name for layer in refused.value.network)


def test_diagrams_say_whose_weights_a_part_has() -> None:
    """A further use with a name says it at its scope, a tied weight at its layer; the first use not."""
    text = "".join(re.findall(r">([^<]+)<", to_bytes(Request(archlens.loads(SIAMESE)), "svg").decode()))
    assert text.count("shared with") == text.count("shared with left") == 1
    tied = "input: 4 of 9\nlayers: [emb: embedding(3), head: 'linear(9, weight=emb)']"
    text = "".join(re.findall(r">([^<]+)<", to_bytes(Request(archlens.loads(tied)), "svg").decode()))
    assert text.count("shared with") == text.count("shared with emb") == 1


def test_those_that_share_one_weight_have_one_list_together() -> None:
    """Else ten thousand convolutions with one weight take gigabytes."""
    net = archlens.loads(
        "{input: 4x8x8, layers: [a: 'conv(4, 1)', b: 'conv(4, 1)', 'conv(4, 1, weight=\"a\") * 50', "
        "'conv(4, 1, weight=\"b\")']}"
    )
    found = net.sharing
    assert {len(layers) for layers in found.values()} == {51, 2}
    assert len({id(layers) for layers in found.values()}) == 2
    assert all(net[name] in layers for name, layers in found.items())


@pytest.mark.parametrize("path", ["n2.n3", "n1.n2.n3"])
def test_the_only_layer_of_a_scope_has_a_use_with_a_name(path: str) -> None:
    """The use is of the layer, and not of the scope, of which no layer of that name is left."""
    text = "conv(8, 3, padding=1)"
    for name in reversed(path.split(".")):
        text = f"[{name}: {text}]" if "[" in text else f'[{name}: "{text}"]'
    network = archlens.loads(f'input: 8x27\nlayers: [{text}, other: again("{path}")]\n')
    assert [layer.name for layer in network] == [path, "other"]
    assert difference.find(network, archlens.loads(archlens.convert(network))).empty
    names: dict[str, object] = {}
    exec(emit(network), names)


# --- second names -----------------------------------------------------------------------------------


class Twice(nn.Module):
    """Parts that have several names, of which none but the first runs."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)) for _ in range(2)])
        self.first = self.stages[0]
        self.heads = nn.ModuleList([nn.Conv2d(3, 2, 1)] * 3)
        self.table = self.heads[0].weight
        self.again = self.stages

    def forward(self, x: Tensor) -> Tensor:
        return self.heads[0](self.stages[1](self.stages[0](x)))


TWICE = """
input: 3x4x4
layers:
  - stages: {each: k, in: range(2), do: {"{k}": "conv(3, 1) >> batch_norm"}}
  - heads.0: conv(2, 1)
"""

NAMES = """
aliases:
  first: stages.0
  heads.1: heads.0
  heads.2: heads.0
  table: heads.0.weight
  again.*: stages.*
"""


def test_second_names_are_the_keys_of_a_module_with_them() -> None:
    module = Twice().eval()
    network = archlens.loads(TWICE + NAMES)
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    assert network.params == sum(one.numel() for one in module.parameters())
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 3, 4, 4)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))
    # they stay one where tensors are replaced, as those of a buffer are
    built.double()
    held = dict(built.named_buffers(remove_duplicate=False))
    assert held["first.1.running_mean"] is held["stages.0.1.running_mean"] is held["again.0.1.running_mean"]
    assert sum(one.numel() for one in built.parameters()) == network.params
    assert archlens.loads(archlens.convert(network)).loose == network.loose
    assert archlens.loads(archlens.convert(archlens.trace(module, (3, 4, 4)))).state() == network.state()


def test_second_names_change_nothing_else() -> None:
    with_names, without = archlens.loads(TWICE + NAMES), archlens.loads(TWICE)
    assert (with_names.params, with_names.macs) == (without.params, without.macs)
    assert [layer.name for layer in with_names] == [layer.name for layer in without]
    assert with_names.with_input("3x8x8").state() == with_names.state()
    assert with_names.formula("3xHxW").macs(H=4, W=4) == without.macs


def test_second_names_come_with_a_file(tmp_path: Path) -> None:
    (tmp_path / "part.yaml").write_text(TWICE + NAMES, "utf-8")
    (tmp_path / "net.yaml").write_text(
        "input: 3x4x4\nuse: {part: ./part.yaml}\nblocks: {unit: [inner: part, up: 'conv(3, 1)']}\n"
        "layers:\n  - a: unit\n  - b: unit\n  - again(a)\n  - c: again(b)\n"
        '  - d: part(until="stages.0")\n',
        "utf-8",
    )
    network = archlens.load(str(tmp_path / "net.yaml"))
    own = archlens.loads(TWICE + NAMES).loose
    expected = {
        f"{scope}.inner.{second}": f"{scope}.inner.{first}" for scope in "ab" for second, first in own.items()
    }
    cut = {second: first for second, first in own.items() if first.startswith("stages.0.")}
    expected |= {f"d.{second}": f"d.{first}" for second, first in cut.items()}
    assert network.loose == expected


class InBlocks(nn.Module):
    """A part that each block holds and calls under a name of its own, and whose own scope is no list."""

    class Block(nn.Module):
        def __init__(self, position: nn.Module) -> None:
            super().__init__()
            self.position = position
            self.steps = nn.Sequential(nn.Conv2d(4, 4, 1), position[0], nn.ReLU())  # type: ignore[index]

        def forward(self, x: Tensor) -> Tensor:
            return self.steps(self.position(x) + x)

    def __init__(self) -> None:
        super().__init__()
        position = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, groups=4), nn.BatchNorm2d(4))
        self.blocks = nn.Sequential(*[InBlocks.Block(position) for _ in range(3)])
        self.position = position

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(x)


def test_a_module_that_runs_under_several_names_converts() -> None:
    module = InBlocks().eval()
    network = archlens.trace(module, (4, 6, 6))
    spec = archlens.loads(archlens.convert(network))
    built = archlens.build(spec).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 4, 6, 6)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        expected = module(x[:1])
    assert network.macs == spec.macs == counted.get_total_flops() // 2
    with torch.no_grad():
        torch.testing.assert_close(built(x[:1]), expected)
    assert network.params == spec.params == sum(one.numel() for one in module.parameters())


def test_what_was_laid_out_is_freed_at_once() -> None:
    """A walk that has ended is no circle: networks that are left need no collection of garbage."""
    kept = archlens.load("resnet18")
    archlens.load("resnet18")  # what is made once, is made
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        archlens.load("resnet18")
        kept.with_input("3x192x192")
        assert gc.collect() < len(kept.layers)
    finally:
        if enabled:
            gc.enable()
