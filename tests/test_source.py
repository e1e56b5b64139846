"""The source of a network: executed, it is the module that archlens builds, and it reads as people write."""

from __future__ import annotations

import ast
import contextlib
import inspect
import random
import re
import subprocess
import sys
import types
import warnings
from collections.abc import Iterator
from functools import cache
from keyword import iskeyword
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
import yaml
from click.testing import CliRunner
from torch import nn

import archlens
from archlens.backends import modules
from archlens.cli import cli
from archlens.elaboration import elaborate
from archlens.elaboration.examples import spec_of
from archlens.errors import UsageError
from archlens.library import read
from archlens.network import Network
from archlens.ops import MERGES, OPS, REQUIRED, Argument, Call
from archlens.source import emit
from archlens.source.formatting import quoted
from archlens.source.signatures import LIST_ATTRIBUTES, MODULE_ATTRIBUTES, PADS_APART, arguments_of

from . import zoo
from .random_networks import STRATA, accepted
from .test_memory import check_bytes
from .test_ops import EXAMPLES
from .torch_reference import random_for
from .work import calls_made

GOLDEN = Path(__file__).parent / "golden"
WIDTH = 110


@pytest.fixture(autouse=True)
def seed() -> Iterator[None]:
    """Random numbers are the same on every run; the tensors are small, and threads would only wait."""
    torch.default_generator.manual_seed(0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


# --- executing it ----------------------------------------------------------------------------------


def executed(text: str, seen: dict[int, list[Any]] | None = None) -> types.ModuleType:
    """A file of that text, imported."""
    module = types.ModuleType("made")
    module.__dict__["SEEN"] = seen
    exec(compile(text, "made.py", "exec"), module.__dict__)
    return module


def made(text: str, seen: dict[int, list[Any]] | None = None) -> Any:
    """The network of a text: the last class of its file."""
    classes = [one for one in vars(executed(text, seen)).values() if isinstance(one, type)]
    return [one for one in classes if one.__module__ == "made"][-1]()


COMMENT = re.compile(r"  # (\d+(?:x\d+)*(?:(?:, | to )\d+(?:x\d+)*)*)$")


def watched(text: str) -> tuple[str, dict[int, str]]:
    """The text, with each line of a ``forward`` noting the shape it made; and what the lines say of it."""
    lines = text.split("\n")
    says: dict[int, str] = {}
    notes: dict[int, str] = {}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Assign) and node.end_lineno is not None:
            found = COMMENT.search(lines[node.end_lineno - 1])
            (target,) = node.targets
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            if found and all(isinstance(name, ast.Name) for name in names):
                says[node.lineno] = found[1]
                shapes = ", ".join(f"{ast.unparse(name)}.shape[1:]" for name in names)
                notes[node.end_lineno] = (
                    f"{' ' * node.col_offset}SEEN.setdefault({node.lineno}, []).append(({shapes},))"
                )
    noted = [out for k, line in enumerate(lines, 1) for out in (line, notes.get(k)) if out is not None]
    return "\n".join(noted), says


def check_shapes(says: dict[int, str], seen: dict[int, list[Any]]) -> None:
    """The comment of each line is the shape that the first module of its class made there."""
    assert says.keys() == seen.keys()
    for line, text in says.items():
        rounds = [", ".join("x".join(map(str, shape)) for shape in shapes) for shapes in seen[line]]
        first, _, last = text.partition(" to ")
        assert rounds[0] == first
        assert not last or last in rounds


def same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        assert isinstance(ours, dict)
        assert list(ours) == list(theirs)
        for name in theirs:
            same(ours[name], theirs[name])
    else:
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)


ALLOWED = {"torch", "torch.nn", "typing", "math", "collections"}


def check_text(text: str) -> None:
    """It parses, imports torch and nothing of archlens, and keeps to its width."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            assert {alias.name for alias in node.names} <= ALLOWED
        elif isinstance(node, ast.ImportFrom):
            assert node.module in ALLOWED
            assert not node.level
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert all(line == line.rstrip() for line in text.split("\n"))
    assert all(c.isprintable() or c == "\n" for c in text)


def check(network: Network) -> str:
    """The source of a network is the module that archlens builds, in both modes; returns the source."""
    text = emit(network)
    assert emit(network) == text
    check_text(text)
    noted, says = watched(text)
    seen: dict[int, list[Any]] = {}
    theirs, ours = archlens.build(network), made(noted, seen)
    assert shapes_of(ours) == shapes_of(theirs)
    same(buffers_of(ours), buffers_of(theirs))  # which loading overwrites
    ours.load_state_dict(theirs.state_dict(), strict=True)
    tensors = [random_for(shape) for shape in network.inputs.values()]
    for mode in (False, True):
        results = []
        for module in (ours, theirs):
            module.train(mode)
            torch.default_generator.manual_seed(1)  # dropout
            results.append(module(*tensors))
        same(*results)
        if not mode:
            seen.clear()
    check_shapes(says, seen)
    # in training mode batch normalization has changed its statistics, in both alike
    same(dict(ours.state_dict()), dict(theirs.state_dict()))
    return text


def shapes_of(module: Any) -> list[tuple[str, tuple[int, ...]]]:
    return [(key, tuple(tensor.shape)) for key, tensor in module.state_dict().items()]


def buffers_of(module: Any) -> dict[str, Any]:
    """Its buffers, but for the centres of an rbf, which are drawn at random."""
    return {key: value for key, value in module.named_buffers() if not key.endswith("centres")}


def dumped(spec: Any) -> str:
    """The text of a spec, in the order in which it is given."""
    return str(yaml.safe_dump(spec, sort_keys=False, width=10**6, allow_unicode=True))


def checked(text: str) -> str:
    return check(archlens.loads(text))


# --- the zoo ---------------------------------------------------------------------------------------


def without_drawing() -> contextlib.ExitStack:
    """Layers leave their weights as they are, which without values would still take as long."""
    stack = contextlib.ExitStack()
    for kind in (nn.Linear, nn.modules.conv._ConvNd, nn.modules.batchnorm._NormBase):
        stack.enter_context(mock.patch.object(kind, "reset_parameters"))
    return stack


@cache
def source_of(name: str) -> str:
    """The source of a network of the zoo, of which some tests are that each takes long."""
    return emit(zoo.network(name))


@pytest.mark.parametrize("name", archlens.names())
def test_state_dict_of_every_network(name: str) -> None:
    """Keys and shapes are those that are said, and in one of each family those of the built module.

    They are in the same order, and the module's bytes those that are said.
    """
    network, text = zoo.network(name), source_of(name)
    check_text(text)
    assert max(map(len, text.split("\n"))) <= WIDTH
    with torch.device("meta"), without_drawing():
        ours = made(text)
    assert dict(shapes_of(ours)) == network.state()
    if name in zoo.SMALLEST:
        built = archlens.build(network, device="meta")
        assert shapes_of(ours) == shapes_of(built)
        check_bytes(network, built)


#: One network of each kind, at an input that is small and yet fits; some are made narrow.
SMALL: dict[str, dict[str, Any]] = {
    "lenet4": {},
    "lenet5": {},
    "lenet5_1998": {},
    "alexnet_2012": {"input": (3, 67, 67)},
    "vgg16_keras": {"input": (3, 32, 32)},
    "resnet18": {"input": (3, 64, 64)},
    "resnet50": {"input": (3, 64, 64)},
    "resnet20_cifar": {"input": (3, 16, 16)},
    "preact_resnet164": {"input": (3, 8, 8)},
    "googlenet_aux": {"input": (3, 64, 64)},
    "googlenet_2014": {"input": (3, 128, 128)},
    "inception_v3_no_aux": {"input": (3, 75, 75)},
    "inception_resnet_v1": {"input": (3, 75, 75)},
    "xception": {"input": (3, 71, 71)},
    "nasnet_a_mobile": {"input": (3, 64, 64)},
    "densenet121": {"input": (3, 32, 32)},
    "squeezenet1_1": {"input": (3, 64, 64)},
    "mobilenet_v1_0.25": {"input": (3, 64, 64)},
    "mobilenet_v2": {"input": (3, 32, 32)},
    "mobilenet_v3_small": {"input": (3, 32, 32)},
    "shufflenet_v1_g3": {"input": (3, 64, 64)},
    "shufflenet_v2_x1_0": {"input": (3, 32, 32)},
    "efficientnet_b0": {"input": (3, 32, 32)},
    "regnet_y_400mf": {"input": (3, 32, 32)},
    "convnext_tiny": {"input": (3, 32, 32), "widths": [12, 24, 48, 96]},
    "vit_b_16": {"size": 32, "depth": 2, "width": 96, "heads": 3},
    "swin_t": {"size": 64, "width": 24},
    "swin_v2_t": {"size": 64, "width": 24},
    "maxvit_t": {"stem": 16, "widths": [16, 32, 64, 128], "depths": [1, 2, 1, 1], "head": 8},
    "segnet": {"input": (3, 40, 52)},
    "deeplabv3_mobilenet_v3_large": {"input": (3, 64, 64)},
    "m5": {"input": (1, 8000)},
    # a layer without and one with experts, each narrow
    "deepseek_v3": {
        "width": 32,
        "depth": 2,
        "first": 1,
        "heads": 2,
        "hidden": 24,
        "expert_hidden": 16,
        "experts": 8,
        "active": 2,
        "groups": 4,
        "active_groups": 2,
        "q_rank": 12,
        "kv_rank": 8,
        "nope": 8,
        "rope": 4,
        "value": 8,
        "vocab": 50,
        "length": 9,
    },
}


@pytest.mark.parametrize("name", SMALL)
def test_same_outputs(name: str) -> None:
    """With the same weights the outputs are equal bit by bit, and the comments are the real shapes."""
    check(archlens.load(name, **SMALL[name]))


@pytest.mark.slow
def test_ruff_leaves_the_sources_as_they_are(tmp_path: Path) -> None:
    for name in archlens.names():
        (tmp_path / f"{name.replace('.', '_')}.py").write_text(source_of(name), "utf-8")
    (tmp_path / "unet.py").write_text(emit(archlens.loads(UNET)), "utf-8")
    options = ["--isolated", "--no-cache", f"--line-length={WIDTH}", "."]
    for command in (["format", "--check"], ["check", "--select=E,F,W,I,UP,B"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *options], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


UNET = """
title: A small U-Net
input: 1x64x64
blocks:
  double(out):
    - conv(out, 3) >> relu >> conv(out, 3) >> relu
  up(out, skip, size=2 * x.height):
    - upconv: conv_transpose(out, 2, stride=2)
    - concat:
        - ref(skip) >> crop(size)
        - identity
    - convs: double(out)
layers:
  - enc1: double(8)
  - max_pool(2)
  - enc2: double(16)
  - max_pool(2)
  - middle: double(32)
  - dec2: up(16, enc2)
  - dec1: up(8, enc1)
  - head: conv(2, 1)
"""

GOLDENS = {
    "lenet5": lambda: archlens.load("lenet5"),
    "resnet18": lambda: archlens.load("resnet18"),
    "googlenet_aux": lambda: archlens.load("googlenet_aux"),
    "unet": lambda: archlens.loads(UNET),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name: str, update: bool) -> None:
    text = emit(GOLDENS[name]())
    path = GOLDEN / f"source_{name}.py.txt"
    if update:
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def test_it_reads_as_people_write() -> None:
    """A class per block, loops for repeats, names as in papers' code."""
    text = emit(archlens.load("resnet50"))
    assert "class Bottleneck(nn.Module):\n" in text
    assert "def __init__(self, channels: int, mid_channels: int) -> None:" in text
    assert "*[Bottleneck(1024, 256) for _ in range(5)],  # 1024x14x14" in text
    assert "        identity = x\n" in text
    assert "        x = torch.flatten(x, 1)  # 2048\n" in text
    assert len(text.split("\n")) < 130
    assert "archlens" not in text


def test_shapes_beside_the_layers_of_a_sequence() -> None:
    network = archlens.load("vgg11")
    text = emit(network).partition("self.features = ")[2].partition("self.avgpool")[0]
    said = [m[1] for line in text.split("\n") if (m := COMMENT.search(line))]
    assert said == [str(layer.shape) for layer in network if layer.scope == "features"]


def test_parameters_of_a_scope() -> None:
    """What a class holds without a module around it is made and called as people do."""
    text = emit(archlens.load("vit_b_16"))
    assert "        self.class_token = nn.Parameter(torch.zeros(1, 1, 768))\n" in text
    assert "x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1)  # 197x768\n" in text
    assert "self.pos_embedding = nn.Parameter(torch.empty((1, 197, 768)).normal_(std=0.02))" in text
    assert "        x = x + self.pos_embedding  # 197x768\n" in text
    assert "        x = x.flatten(2).transpose(1, 2)" in text
    text = emit(archlens.load("convnext_tiny"))
    assert "def __init__(self, channels: int, mid_features: int, p: float) -> None:" in text
    assert "        self.layer_scale = nn.Parameter(torch.full((channels, 1, 1), 1e-6))\n" in text
    assert "        x = x * self.layer_scale  # 96x56x56\n" in text
    assert "        x = x.permute(0, 2, 3, 1)  # 56x56x96\n" in text


def test_initial_values_of_parameters() -> None:
    """Zeros, ones and constants are those of the built module; random numbers spread as theirs do."""
    network = archlens.loads(
        """
input: 4x16x16
blocks:
  unit(start): [conv: "conv(x.channels, 1)", scale: layer_scale(start)]
layers:
  - a: unit(0.5)
  - b: unit(0.25)
  - wide: "conv(6, 1)"
  - c: unit(0.25)
  - tokens
  - class_token: class_token
  - position: position_embedding
  - slice(0, 1, axis="length")
"""
    )
    ours, theirs = made(emit(network)), archlens.build(network)
    given = [name for name, _ in theirs.named_parameters() if name.endswith(("scale", "token"))]
    assert given == ["class_token", "a.scale", "b.scale", "c.scale"]
    for name in given:
        torch.testing.assert_close(ours.get_parameter(name), theirs.get_parameter(name), rtol=0, atol=0)
    # 257 * 6 numbers of deviation 0.02
    assert 0.018 < ours.position.std() < 0.022
    assert isinstance(ours.position, nn.Parameter)


def test_local_names_do_not_hide_functions() -> None:
    """A layer may have the name of a function that is called later."""
    checked(
        """
input: 4x8x8
layers:
  - window_partition: conv(4, 1)
  - window_reverse: conv(4, 1)
  - merge_patches: conv(4, 1)
  - add: [ref(window_partition), ref(window_reverse), ref(merge_patches)]
  - window_partition(4)
  - window_reverse(4, 8)
  - add: [identity, ref(window_partition), ref(window_reverse), ref(merge_patches)]
  - channels_last
  - merge_patches
"""
    )


def test_parts_of_the_channels() -> None:
    text = emit(archlens.load("shufflenet_v2_x1_0"))
    assert "        branch1 = x[:, : self.mid_channels]  # 58x28x28\n" in text
    assert "*[Unit(116, 58) for _ in range(3)],  # 116x28x28" in text


def test_a_unet_names_what_it_keeps() -> None:
    text = checked(UNET)
    assert "enc1 = self.enc1(x)  # 8x60x60" in text
    assert "x = self.dec1(x, enc1)  # 8x24x24" in text
    assert "def forward(self, x: Tensor, skip: Tensor) -> Tensor:" in text


# --- every op --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_op(text: str) -> None:
    checked(spec_of(text))


@pytest.mark.slow
def test_an_op_with_parameters_of_a_class() -> None:
    """Arguments that differ between uses of a block become parameters; texts, pairs and truth too."""
    done = set()
    pairs: dict[tuple[str, str], list[list[str]]] = {}
    for text in EXAMPLES:
        shapes, *steps = text.split(" >> ")
        kind = steps[-1].partition("(")[0]
        if kind not in MERGES and not OPS[kind].transparent and "," not in shapes:
            pairs.setdefault((kind, shapes), []).append(steps)
    for (kind, shapes), chains in pairs.items():
        if len(chains) < 2:
            continue
        layers: list[Any] = [
            {f"part{k}": [{"inner": ["ref(data)", *steps, "relu", {"last": "relu"}]}]}
            for k, steps in enumerate(chains)
        ]
        checked(dumped({"input": {"data": shapes}, "layers": layers}))
        done.add(kind)
    assert {"conv", "max_pool", "upsample", "pad", "window_attention"} <= done


def test_parameters_are_called_as_the_field_calls_them() -> None:
    """What differs between two blocks has the names that torch gives it, whatever the op."""
    cases = {
        "pad(p, value=v)": ("(p=1, v=0.5)", "(p=2, v=1.5)", "padding: tuple[int, ...], value: float"),
        "pad(p, channels=v)": (
            "(p=1, v=1)",
            "(p=(1, 2), v=3)",
            "sides: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]",
        ),
        'pad(p, mode="reflect")': ("(p=1)", "(p=2)", "padding: tuple[int, ...]"),
        "leaky_relu(p)": ("(p=0.2)", "(p=0.3)", "negative_slope: float"),
    }
    for step, (first, second, expected) in cases.items():
        names = ", ".join(re.findall(r"(\w)=", first))
        layers = [{"one": f"b{first}"}, {"two": f"b{second}"}]
        block = [{"a": step}, {"b": "relu"}, {"c": "conv(3, 1)"}]
        spec = {"input": "3x12x12", "blocks": {f"b({names})": block}, "layers": layers}
        text = check(archlens.loads(dumped(spec)))
        assert expected in text, text


def test_texts_as_parameters() -> None:
    text = checked(
        """
input: 4x8x8
blocks:
  unit(mode, act):
    - pad(1, mode=mode)
    - conv(4, 3)
    - gelu(act)
    - up: upsample(2, mode=mode if mode == "nearest" else "bilinear")
layers:
  - a: unit("reflect", "tanh")
  - b: unit("replicate", "none")
  - c: unit("reflect", "none")
"""
    )
    assert "class Unit" in text


# --- names -----------------------------------------------------------------------------------------

NAMES = [
    "def", "finally", "await", "match", "type", "print", "list", "sum", "prod", "range", "super", "int",
    "tuple", "__init__", "__class__", "__dict__", "__call__", "_", "__", "_modules", "_parameters",
    "_buffers", "forward", "train", "eval", "children", "to", "float", "state_dict", "add_module",
    "append", "insert", "pop", "extend", "self", "nn", "torch", "Tensor", "Any", "F", "OrderedDict",
    "x", "x2", "i", "layer", "identity_", "branch1", "skip", "out", "channels", "in_channels", "stride",
    "starts", "crop", "take", "pad_sides", "T_destination", '"', "'", "\\", '"""', "'''", "\\n",
    '");import_os#', "{", "%s", "{x}", "#", "ä", "日本", "ﬁ", "ª", "7", "07", "1a", "-", "Network",
    "Block", "graph", "plan", "a'b\"c\\", "_Network__x", "archlens", "operator", "object",
    "call_super_init",
]  # fmt: skip


def nameable(name: str) -> bool:
    """Whether a spec takes it as the name of a layer; expressions keep a few words for themselves."""
    try:
        archlens.loads(dumped({"input": "2x8x8", "layers": [{name: "relu"}]}))
    except archlens.SpecError:
        return False
    return True


NAMEABLE = [name for name in NAMES if nameable(name)]


def hostile(name: str) -> Network:
    """A network whose layers, scopes, block and head have that name."""
    # a word that elsewhere means a merge is the name of a scope only where it is written as an expression
    scope = f"{{'{name}'}}" if name in ("sum", "prod") else name
    layers: list[Any] = [
        {name: "conv(4, 3)"},
        {"scope": [{"first": "relu"}, {name: "conv(2, 1)"}, {"residual": [{f"{name}2": "tanh"}]}]},
        {"deep": [{scope: [{scope: [{name: "conv(2, 1)"}, "relu"]}]}]},
        {"items": ["conv(2, 1)", {name: "relu"}, {"residual": ["conv(2, 1)"]}]},
        {"scaled": [{name: "layer_scale(0.5)"}, {"residual": ["conv(2, 1)"]}, "layer_scale(0.25)"]},
        {"listed": ["conv(2, 1)", {name: "layer_scale(0.5)"}, {"residual": ["conv(2, 1)"]}]},
        {
            "kept": [
                {scope: [{"residual": ["conv(2, 1)"]}]},
                {"concat": ["identity", f"ref({quoted('scope')})"]},
            ]
        },
    ]
    heads = {f"{name}3": {"training": [{name: "conv(3, 1)"}]}}
    spec = {"title": name, "input": {"data": "2x8x8"}, "layers": layers, "outputs": heads}
    return archlens.loads(dumped(spec))


@pytest.mark.parametrize("name", NAMEABLE)
@pytest.mark.slow
def test_a_layer_may_be_named_anything(name: str) -> None:
    """Keywords, builtins, torch's own methods, quotes: names like any other."""
    check(hostile(name))


def test_most_names_are_taken() -> None:
    assert set(NAMES) - set(NAMEABLE) == {"{", "{x}"}


def test_a_layer_named_training() -> None:
    """The mode can be set and read, and the module of that name is in its place."""
    network = hostile("training")
    check(network)
    ours = made(emit(network))
    x = torch.rand(1, 2, 8, 8)
    assert set(ours(x)) == {"out", "training3"}
    assert isinstance(ours.eval()(x), torch.Tensor)
    assert [module.training for module in ours.modules()] == [False] * len(list(ours.modules()))
    assert set(ours.train()(x)) == {"out", "training3"}


#: ``x`` is what flows, and cannot name an input.
INPUTS = [name for name in NAMES if name.isidentifier() and not iskeyword(name) and name != "x"]


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_may_be_named_anything(name: str) -> None:
    spec = {
        "input": {name: "2x4x4", "other": "2x4x4"},
        "layers": [
            {"concat": ["identity", "ref(other)"]},
            "reshape([2, 32])",
            "flatten",
            {"fc": "linear(3)"},
        ],
        "outputs": {"further": "ref(other) >> crop(2)"},
    }
    ours = made(emit(archlens.loads(dumped(spec))))
    tensors = [torch.rand(2, 2, 4, 4), torch.rand(2, 2, 4, 4)]
    found = ours(*tensors)
    expected = ours.fc(torch.cat(tensors, 1).flatten(1))
    same(found, {"out": expected, "further": tensors[1][:, :, 1:3, 1:3]})


@pytest.mark.parametrize(
    "title",
    ['"""', '""" + print("owned") + """', "\\", 'x\\"', "'''", "a\nb", "\\x41", "{x}", "\x85", "‮", "-", "123",
     "class", "Tensor", "import os", "x" * 500, "word " * 100, "'" * 3 + '"' * 5],
)  # fmt: skip
def test_a_title_is_only_prose(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    network = archlens.loads(
        dumped(
            {
                "title": title,
                "input": "2x4x4",
                "paper": {"title": title, "authors": title, "venue": title},
                "layers": ["relu"],
            }
        )
    )
    text = check(network)
    assert capsys.readouterr().out == ""
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    # two imports beside the docstring, and the class with its two methods: nothing else is in the file
    kinds = [type(node).__name__ for node in tree.body]
    assert kinds == ["Expr", "ImportFrom", "ClassDef"]


def test_values_of_params_are_data() -> None:
    """A text that a spec passes on stands in quotes."""
    text = checked("{input: 2x4x4, params: {m: bilinear}, layers: ['upsample(2, mode=m)']}")
    assert 'nn.Upsample(scale_factor=2, mode="bilinear")' in text


# --- structure -------------------------------------------------------------------------------------


def test_several_inputs_and_outputs() -> None:
    text = checked(
        """
input: {image: 3x8x8, depth: 1x8x8}
layers:
  - concat: [ref(image), ref(depth)]
  - body: conv(4, 3)
  - fc: conv(2, 1)
outputs:
  features: ref(body)
  raw: ref(image)
"""
    )
    assert "def forward(self, image: Tensor, depth: Tensor) -> dict[str, Tensor]:" in text


def test_heads_that_train() -> None:
    """In training mode a dict with all heads; else the output alone, or a dict of the others."""
    text = checked(
        """
input: 3x8x8
layers: [a: "conv(4, 3)", b: relu, c: "conv(5, 1)"]
outputs:
  aux: {training: [ref(a), "conv(2, 1)", dropout]}
  aux2: {training: [ref(b), {residual: ["conv(4, 1)", relu]}]}
"""
    )
    assert "if self.training:" in text
    assert ") -> Tensor | dict[str, Tensor]:" in text
    checked(
        """
input: 3x8x8
layers: [a: "conv(4, 3)", b: relu]
outputs:
  aux: {training: [ref(a), "conv(2, 1)"]}
  plain: [ref(a), "conv(2, 1)"]
  aux2: {training: [ref(b), "conv(2, 1)"]}
  plain2: ref(b)
"""
    )
    # heads that have no line of their own
    checked(
        "{input: 3x8x8, layers: [a: 'conv(4, 3)', b: relu], outputs: {aux: {training: ref(a)}, c: ref(b)}}"
    )


def test_a_network_without_layers() -> None:
    assert "return x" in checked("{input: 3x8x8, layers: [identity]}")


def test_blocks_of_one_name_and_two_skeletons() -> None:
    text = checked(
        """
input: 4x8x8
blocks:
  unit(width, pooled):
    - conv: conv(width, 3, padding=1)
    - relu
    - max_pool(3, stride=1, padding=1) if pooled else []
    - residual: ["conv(width, 1)"]
layers:
  - a: unit(4, false)
  - b: unit(6, true)
  - c: unit(8, false)
  - d: unit(8, true)
"""
    )
    assert len(re.findall(r"^class Unit\w*\(", text, re.MULTILINE)) == 2


def test_scopes_that_differ_in_wiring_alone() -> None:
    """The same names and calls, but who reads what differs: these are two classes."""
    checked(
        """
input: 4x8x8
layers:
  - s1: [one: "conv(4, 1)", two: "conv(4, 1)", concat: [identity, ref(one)], fc: "conv(4, 1)"]
  - s2: [one: "conv(4, 1)", two: "conv(4, 1)", concat: [ref(one), identity], fc: "conv(4, 1)"]
  - s3: [one: "conv(4, 1)", two: "conv(4, 1)", concat: [identity, identity], fc: "conv(4, 1)"]
  - s4: [one: "conv(4, 1)", two: "conv(4, 1)", concat: [identity, ref(one)], fc: "conv(4, 1)"]
"""
    )


def test_growing_repeats_are_a_loop() -> None:
    text = checked(
        """
input: 4x8x8
blocks:
  layer(growth):
    - dense: [norm: batch_norm, relu, conv: "conv(growth, 3, padding=1, bias=false)"]
layers:
  - features:
    - each: [i]
      in: [[1], [2], [3], [4], [5]]
      do:
        - "denselayer{i}": layer(12)
  - flat: [layer(12) * 6]
  - shrinking: ["conv(30, 1)", "conv(28, 1)", "conv(26, 1)", "conv(24, 1)", "conv(22, 1)"]
"""
    )
    assert 'OrderedDict((f"denselayer{i}", Layer(12 * i - 8)) for i in range(1, 6))' in text
    assert "*[Layer(64 + 12 * i) for i in range(6)],  # 76x8x8 to 136x8x8" in text


def test_repeats_in_forward() -> None:
    """Steps that repeat where something else is going on beside them."""
    checked(
        """
input: 4x8x8
layers:
  - start: conv(4, 1)
  - step1: conv(4, 3, padding=1)
  - step2: conv(4, 3, padding=1)
  - step3: conv(4, 3, padding=1)
  - step4: conv(4, 3, padding=1)
  - step5: conv(4, 3, padding=1)
  - add: [identity, ref(start)]
  - "conv(4, 3, padding=1) * 5"
  - add: [identity, ref(start)]
  - inner:
    - [relu, "conv(4, 3, padding=1)", batch_norm]
    - [relu, "conv(4, 3, padding=1)", batch_norm]
    - [relu, "conv(4, 3, padding=1)", batch_norm]
    - [relu, "conv(4, 3, padding=1)", batch_norm]
    - [relu, "conv(4, 3, padding=1)", batch_norm]
    - [relu, "conv(4, 3, padding=1)", batch_norm]
    - residual: [relu]
  - numbered: ["conv(5, 1)", "conv(6, 1)", "conv(7, 1)", "conv(8, 1)", "conv(9, 1)", residual: [relu]]
"""
    )


def test_numbers_as_names() -> None:
    """Numbers in order make a plain sequence, gaps are filled; in any other order they are names."""
    text = checked(
        """
input: 2x6x6
layers:
  - plain: ["0": "conv(2, 1)", "1": relu, "2": "conv(3, 1)"]
  - gaps: ["1": "conv(2, 1)", "3": "conv(3, 1)", "4": relu]
  - mixed: ["1": "conv(2, 1)", "0": "conv(3, 1)", "2": "conv(4, 1)"]
  - far: ["7": "conv(2, 1)", relu]
  - zeros: ["00": "conv(2, 1)", "01": relu]
  - merged: ["2": "conv(2, 1)", "1": relu, residual: ["conv(2, 1)"]]
  - list: ["1": "conv(2, 1)", "3": "conv(2, 1)", "4": relu, residual: ["9": "conv(2, 1)"]]
"""
    )
    assert "self.plain = nn.Sequential(\n            nn.Conv2d(2, 2, 1),  # 2x6x6\n" in text
    assert "self.gaps = nn.Sequential(\n            nn.Identity(),\n            nn.Conv2d(3, 2, 1)," in text
    assert text.count("OrderedDict(") == 3


def test_what_a_scope_gives_out_twice() -> None:
    """A scope whose inner step is read from outside, from a scope beside it, and as a head."""
    checked(
        """
input: 4x8x8
layers:
  - a: [one: "conv(4, 3, padding=1)", two: "conv(4, 3, padding=1)"]
  - b: [three: relu, {add: [identity, 'ref("a.one")', 'ref("a.two")']}, four: "conv(4, 1)"]
  - c: [five: [{add: [identity, 'ref("a.one")', 'ref("b.three")']}]]
outputs:
  inner: ref("a.one")
  deep: {training: [ref("b.three"), "conv(2, 1)"]}
"""
    )


def test_merges() -> None:
    checked(
        """
input: 4x8x8
layers:
  - residual: ["conv(4, 3, padding=1)", batch_norm]
    shortcut: ["conv(4, 1)"]
  - residual: [residual: ["conv(4, 1)"], relu]
    shortcut: [residual: ["conv(4, 1)"], relu]
  - dense: ["conv(3, 1)"]
  - gate: [global_avg_pool, "conv(7, 1)", sigmoid]
  - concat: {left: "conv(2, 1)", right: ["conv(3, 1)", relu], same: identity}
  - multiply: [identity, identity, sigmoid]
  - add: [identity, identity]
  - concat: [identity, {add: ["conv(2, 1)", {concat: ["conv(1, 1)", "conv(1, 1)"]}]}]
"""
    )


@pytest.mark.parametrize("kind", ["add", "multiply", "concat"])
@pytest.mark.parametrize("count", [2, 30, 31, 80])
def test_merges_of_many(kind: str, count: int) -> None:
    branches = ["sigmoid"] * count
    checked(dumped({"input": "2x3x3", "layers": [{kind: branches}]}))


def test_scopes_in_scopes() -> None:
    spec = "'conv(4, 3, padding=1)', relu"
    plain = merged = spec
    for k in range(20):
        plain = f"s{k}: [{plain}, 'conv(4, 1)']"
        merged = f"s{k}: [{merged}, {{residual: ['conv(4, 1)']}}]"
    checked(f"{{input: 4x6x6, layers: [{plain}]}}")
    checked(f"{{input: 4x6x6, layers: [{merged}]}}")


def test_the_batch_may_have_any_size() -> None:
    network = archlens.loads("{input: 4x6x6, layers: ['reshape([2, 72])', 'slice(0, 5)', flatten]}")
    ours = made(emit(network))
    for size in (1, 2, 5):
        assert ours(torch.rand(size, 4, 6, 6)).shape == (size, network.output[0])


# --- random networks -------------------------------------------------------------------------------


def test_a_layer_without_a_name_may_have_the_weight_of_another() -> None:
    check(archlens.loads("{input: 3 of 9, layers: [emb: embedding(4), 'linear(9, bias=false, weight=emb)']}"))


@pytest.mark.parametrize("about", [*STRATA])
@pytest.mark.slow
def test_random_networks(about: str) -> None:
    """Those of the test against torch, with all arguments that ops have."""
    for drawn in accepted(about, 1):
        if drawn.aliases:
            with pytest.raises(UsageError, match="has a second key"):
                emit(drawn.network())
        else:
            check(drawn.network())


WORDS = [*NAMEABLE]

OPERATIONS = [
    "conv(4, 3, padding=1)", "conv(4, 1)", 'conv(4, 3, padding="same")', "relu", "batch_norm", "dropout(0.5)",
    'conv(4, 2, padding="same")', "conv(4, 3, padding=((2, 0), (1, 1)))", "slice(0, 9)", "crop((6, 6))",
    "reshape([4, 6, 6])", "layer_norm", "conv(6, 3) >> conv_transpose(4, 3)", "identity", "leaky_relu(0.2)",
    "upsample(2) >> max_pool(2)", "channel_shuffle(2)", "layer_scale(0.5)", "position_embedding",
    "scale(0.5)", "stochastic_depth(0.2)", "channels_last >> linear(4) >> channels_first",
    "slice(0, 2) >> conv(4, 1)",
]  # fmt: skip


class Written:
    """A random spec with scopes, blocks, references, heads and names that are hard on Python."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.names: dict[tuple[str, ...], set[str]] = {}
        self.known: list[str] = []
        self.blocks = self.random.sample(["unit", "block", "tensor", "self", "f", "sequential"], 2)

    def name(self, path: tuple[str, ...]) -> str:
        used = self.names.setdefault(path, set())
        choices = [*WORDS, *(f"{word}{k}" for word in ("conv", "layer", "enc") for k in range(9))] * 2
        name = self.random.choice([word for word in choices if word not in used])
        used.add(name)
        return name

    def body(self, path: tuple[str, ...], depth: int, *, known: bool = True) -> list[Any]:
        """Steps that keep the shape.

        Args:
            path: the scope.
            depth: how much deeper scopes and branches may go.
            known: whether the steps can be referred to, and may refer to others.
        """
        steps = []
        for _ in range(self.random.randint(1, 4)):
            steps += self.step(path, depth, known)
        return steps

    def step(self, path: tuple[str, ...], depth: int, known: bool) -> list[Any]:
        def inner() -> list[Any]:
            return self.body(path, depth - 1, known=False)

        form = self.random.choice("ooooosssbbrrrggtaccfff") if depth else "o"
        if form == "s" and known:
            name = self.name(path)
            steps = self.body((*path, name), depth - 1)
            self.known.append(".".join((*path, name)))
            return [{name: steps}]
        if form == "b" and known:
            times = self.random.choice(["", "", f" * {self.random.randint(2, 5)}"])
            block = f"{self.random.choice(self.blocks)}({self.random.choice([1, 3, 5])}){times}"
            return [{self.name(path): block}]
        if form == "f" and known and self.known:
            refs = [
                f"ref({quoted(self.random.choice(self.known))})" for _ in range(self.random.randint(1, 3))
            ]
            return [{self.random.choice(["add", "multiply"]): [*refs, "identity"]}]
        if form == "r":
            return [{"residual": inner()}]
        if form == "g":
            return [{"gate": [*inner(), "sigmoid"]}]
        if form == "t":
            return [{"residual": inner(), "shortcut": inner()}]
        if form == "a":
            return [{"add": [inner(), inner(), inner()]}]
        if form == "c":
            return [{"concat": [inner(), inner()]}, "conv(4, 1)"]
        step = self.random.choice(OPERATIONS)
        if self.random.random() < 0.5:
            return [step]
        name = self.name(path)
        if known:
            self.known.append(".".join((*path, name)))
        return [{name: step}]

    def text(self) -> str:
        blocks = {}
        for block in self.blocks:
            steps = self.body((f"*{block}",), 2, known=False)
            choice = ["relu if k == 1 else []"] if self.random.random() < 0.3 else []
            blocks[f"{block}(k)"] = [*choice, *steps, "conv(4, k, padding=k // 2)"]
        spec: dict[str, Any] = {"input": "4x6x6", "blocks": blocks, "layers": self.body((), 3)}
        if self.random.random() < 0.5:
            heads: dict[str, Any] = {}
            for _ in range(self.random.randint(1, 3)):
                name = self.name(())
                start = [f"ref({quoted(self.random.choice(self.known))})"] if self.known else []
                steps = start + self.body((name,), 2, known=False)
                heads[name] = self.random.choice([start or ["relu"], steps, {"training": steps}])
            spec["outputs"] = heads
        return dumped(spec)


@pytest.mark.slow
def test_random_structures() -> None:
    refused = 0
    for seed in range(60):
        text = Written(seed).text()
        try:
            network = elaborate(read(text), advice=False)
        except archlens.SpecError:
            refused += 1
            continue
        check(network)
    assert refused < 20


# --- size ------------------------------------------------------------------------------------------

LONG = {
    "one after the other": lambda n: "".join(f"  - l{k}: conv({k % 7 + 1}, 1)\n" for k in range(n)),
    "residuals": lambda n: "  - residual: [relu, tanh]\n" * (n // 3),
    "blocks": lambda n: "".join(f"  - unit({k + 1})\n" for k in range(n // 4)),
    "one step read often": lambda n: "  - a: relu\n" + "  - add: [identity, ref(a)]\n" * n,
    "all kept until the end": lambda n: (
        "".join(f"  - l{k}: relu\n" for k in range(n // 2))
        + "".join(f"  - add: [identity, ref(l{n // 2 - 1 - k})]\n" for k in range(n // 2))
    ),
    "classes of their own": lambda n: "".join(
        f"  - a{k}: [b{k}: [residual: [relu]]]\n" for k in range(n // 2)
    ),
}


@pytest.mark.parametrize("form", LONG)
@pytest.mark.slow
def test_long_networks(form: str) -> None:
    """The work grows as the layers do: 8 times the layers take about 8 times as many calls."""
    blocks = "blocks:\n  unit(k):\n    - residual: ['conv(k, 1)', relu, 'conv(4, 1)']\n"
    work = []
    for count in (400, 3200):
        network = archlens.loads(f"input: 4x2x2\n{blocks}layers:\n{LONG[form](count)}")
        texts: list[str] = []
        work.append(calls_made(lambda network=network, texts=texts: texts.append(emit(network))))
        ast.parse(texts[0])
    assert work[1] < 14 * work[0], work


# --- what is written down of torch -----------------------------------------------------------------


def test_attributes_of_torch() -> None:
    def of(one: Any) -> set[str]:
        return {name for name in dir(one) if not name.startswith("__")}

    assert of(nn.Module()) <= MODULE_ATTRIBUTES
    assert (of(nn.Sequential()) | of(nn.ModuleList())) - of(nn.Module()) <= LIST_ATTRIBUTES | {"append"}


def calls() -> dict[str, Call]:
    """Every callable that the examples of the ops call, and those that make their parameters."""
    found: dict[str, Call] = {}
    with warnings.catch_warnings(action="ignore"):  # sizes that look like channels
        layers = [layer for text in EXAMPLES for layer in archlens.loads(spec_of(text))]
    for layer in layers:
        for call in (layer.facts.torch, layer.facts.torch.parameter):
            if call is not None:
                same = found.setdefault(call.target, call)
                assert signature_of(same) == signature_of(call)
    return found


def signature_of(call: Call) -> list[tuple[str, Argument]]:
    """The arguments of a call but for what they are given."""
    return [(name, one._replace(value=None)) for name, one in call.arguments.items()]


CALLS = calls()


def test_calls_leave_out_what_has_its_default() -> None:
    """All arguments have names; those that are required go by their place."""
    call = Call("nn.Linear", in_features=3, out_features=4, bias=Argument(True, default=True))
    assert (call.args, call.kwargs, str(call)) == ((3, 4), {}, "nn.Linear(3, 4)")
    assert [call[name] for name in ("in_features", "out_features", "bias")] == [3, 4, True]
    call = Call("nn.Linear", in_features=3, out_features=4, bias=Argument(False, default=True))
    assert (call.args, call.kwargs) == ((3, 4), {"bias": False})
    call = Call("nn.ELU", alpha=Argument(0.5, default=1.0, by_place=True))
    assert (call.args, call.kwargs) == ((0.5,), {})
    call = Call("torch.zeros", 1, 1, 8)
    assert (call.args, call.kwargs) == ((1, 1, 8), {})


@pytest.mark.parametrize("target", CALLS)
def test_arguments_of_torch(target: str) -> None:
    """Order, names and defaults of arguments are those of what is called."""
    library, _, name = target.rpartition(".")
    fields, _ = arguments_of(CALLS[target])
    if library in ("torch", "operator"):
        return  # these have no signature that Python can read; they are called in the test of every op
    function: Any = getattr(modules if library == "archlens" else nn, name)
    found: dict[str, inspect.Parameter] = {}
    for one in function.__mro__ if isinstance(function, type) else [function]:
        callable = one.__init__ if isinstance(one, type) else one
        own = inspect.signature(callable).parameters
        found = {**own, **found}
        if "args" not in own:
            break  # what passes its arguments on has those of the class that it passes them to
    parameters = [
        one
        for one in found.values()
        if one.name not in ("self", "args", "kwargs") and one.annotation != "Tensor"
    ]
    if (
        "proj_size" in found
    ):  # torch's recurrent layers, whose class says the mode, and has this in no signature
        parameters = [one for one in parameters if one.name != "mode"]
        fields = [one for one in fields if one.name != "nonlinearity"]
    places = [one for one in fields if one.positional]
    for field, parameter in zip(places, parameters, strict=False):
        assert parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        # archlens' own modules shorten it; the classes of a source take the field's name
        assert parameter.name == field.name or (library == "archlens" and parameter.name in field.name)
        if field.default is not REQUIRED or library == "nn":
            empty = parameter.default is inspect.Parameter.empty
            assert empty if field.default is REQUIRED else same_value(parameter.default, field.default)
    by_name = {one.name: one for one in parameters}
    for field in fields:
        if not field.positional and not (field.name == "padding" and library == "archlens"):
            default = by_name[field.name].default
            assert same_value(REQUIRED if default is inspect.Parameter.empty else default, field.default)


def same_value(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def test_modules_that_pad_apart_exist() -> None:
    for target in PADS_APART.values():
        assert hasattr(modules, target.removeprefix("archlens."))


# --- the command -----------------------------------------------------------------------------------


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    printed = CliRunner().invoke(cli, ["source", "lenet5"])
    written = CliRunner().invoke(cli, ["source", "lenet5", "-o", str(path)])
    assert (printed.exit_code, written.exit_code, written.output) == (0, 0, "")
    assert printed.output == path.read_text("utf-8") == emit(archlens.load("lenet5"))


def test_command_with_values() -> None:
    args = ["source", "mobilenet_v1", "--set", "alpha=0.5", "--input", "3x160x160"]
    text = CliRunner().invoke(cli, args).output
    assert text == emit(archlens.load("mobilenet_v1", input=(3, 160, 160), alpha=0.5))
    assert "Input 3x160x160; 1,331,592 parameters" in text


def run(*args: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-m", "archlens", *args], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_command_refuses(tmp_path: Path) -> None:
    code, out, err = run("source", "lenet6")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert "did you mean lenet5" in err
    (tmp_path / "kept.py").write_text("kept")
    missing = tmp_path / "missing" / "net.py"
    code, out, err = run("source", "lenet5", "-o", str(missing))
    assert (code, out) == (2, "")
    assert "cannot be written" in err
    code, out, err = run("source", "lenet5", "--input", "1x4x4", "-o", str(tmp_path / "kept.py"))
    assert code == 1
    assert "C1 does not fit" in err
    assert [path.name for path in tmp_path.iterdir()] == ["kept.py"]
    assert (tmp_path / "kept.py").read_text() == "kept"


@pytest.mark.slow
def test_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    """No order of a set or address of an object gets into the text."""
    texts = set()
    for number in ("0", "1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "archlens", "source", "googlenet_2014"],
            capture_output=True, check=True, env={"PYTHONHASHSEED": number},
        )  # fmt: skip
        texts.add(done.stdout)
    assert len(texts) == 1
