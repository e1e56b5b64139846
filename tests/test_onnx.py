"""ONNX files: read as the protocol buffers that they are, and lowered as what ran is.

The files are written here, byte by byte, by a writer of twenty lines; no figure comes from archlens.
"""

from __future__ import annotations

import json
import math
import random
import re
import struct
import sys
import tracemalloc
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from importlib.machinery import ModuleSpec
from math import prod
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

import archlens
from archlens.bounds import allowing, measured
from archlens.cli import cli
from archlens.dialects import find, held
from archlens.dialects import network as network_of
from archlens.dialects.onnx import floats as tensors
from archlens.errors import Caution
from archlens.lowering import masks, reader

from .work import calls_made

# --- protocol buffers, written ------------------------------------------------------------------------


def varint(n: int) -> bytes:
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number: int, value: int | str | bytes | float) -> bytes:
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, sizes: Sequence[int], values: Sequence[Any] | None = None, kind: int = 1) -> bytes:
    """A tensor of zeros, or of whole numbers (kind 7), or floats."""
    form = {1: "f", 7: "q", 3: "b", 2: "B", 6: "i", 9: "?"}[kind]
    given = [0] * prod(sizes) if values is None else values
    raw = struct.pack(f"<{len(given)}{form}", *given)
    return b"".join(field(1, n) for n in sizes) + field(2, kind) + field(8, name) + field(9, raw)


def attribute(name: str, value: Any) -> bytes:
    if isinstance(value, tuple):  # a graph, or that of one node that reads x and makes z
        whole = isinstance(value[1], bytes)
        made = value[1] if whole else graph([node(value[1], "x", "z")], [], [], [field(1, "z")])
        return field(1, name) + field(6, made) + field(20, 5)
    if isinstance(value, bytes):
        return field(1, name) + field(5, value) + field(20, 4)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    if isinstance(value, float):
        return field(1, name) + field(2, value) + field(20, 1)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if value and isinstance(value[0], bytes):
        return field(1, name) + b"".join(field(9, one) for one in value) + field(20, 8)
    if value and isinstance(value[0], float):
        return field(1, name) + b"".join(field(7, n) for n in value) + field(20, 6)
    return field(1, name) + b"".join(field(8, n) for n in value) + field(20, 7)


def node(op: str, inputs: str, outputs: str, name: str = "", domain: str = "", **attributes: Any) -> bytes:
    """A node; the names of what it reads and makes stand in texts, with blanks between them."""
    parts = [field(1, "" if one == "-" else one) for one in inputs.split()]
    parts += [field(2, "" if one == "-" else one) for one in outputs.split()]
    parts += [field(3, name), field(4, op), field(7, domain)]
    return b"".join([*parts, *(field(5, attribute(key, value)) for key, value in attributes.items())])


def info(name: str, sizes: Sequence[int | str], kind: int = 1) -> bytes:
    dims = b"".join(field(1, field(1, n) if isinstance(n, int) else field(2, n)) for n in sizes)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, dims)))


def graph(
    nodes: Sequence[bytes], held: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes]
) -> bytes:
    parts = [(1, nodes), (5, held), (11, inputs), (12, outputs)]
    return b"".join(field(number, one) for number, listed in parts for one in listed) + field(2, "graph")


def model(*args: Any, opset: int = 17, more: bytes = b"") -> bytes:
    return field(1, 8) + field(7, graph(*args)) + field(8, field(1, "") + field(2, opset)) + more


def written(tmp_path: Path, data: bytes, name: str = "net.onnx") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def loaded(tmp_path: Path, data: bytes, input: Any = None) -> archlens.Network:
    return network_of(find(written(tmp_path, data)), input=input)


def run(*args: str) -> tuple[int, str]:
    """The exit code and all that is printed, diagnostics as well."""
    found = CliRunner().invoke(cli, args, prog_name="archlens")
    if isinstance(found.exception, archlens.ArchlensError):
        return found.exit_code, str(found.exception)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found.exit_code, found.output


X = info("x", [1, 3, 32, 32])


def small() -> bytes:
    """A network such as torch writes one down: convolutions, a residual, pooling and a classifier."""
    nodes = [
        node("Conv", "x stem.weight stem.bias", "a", "/stem/Conv", strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", "a", "b", "/relu/Relu"),
        node("Conv", "b body.0.conv.weight", "c", "/body/body.0/conv/Conv", pads=[1, 1, 1, 1], group=8),
        node("Add", "c b", "d", "/body/body.0/Add"),
        node("GlobalAveragePool", "d", "e", "/pool/GlobalAveragePool"),
        node("Flatten", "e", "f", "/Flatten"),
        node("Gemm", "f fc.weight fc.bias", "y", "/fc/Gemm", transB=1),
    ]
    held = [
        tensor("stem.weight", [8, 3, 3, 3]),
        tensor("stem.bias", [8]),
        tensor("body.0.conv.weight", [8, 1, 3, 3]),
        tensor("fc.weight", [10, 8]),
        tensor("fc.bias", [10]),
        tensor("never.read", [100]),
    ]
    return model(nodes, held, [X], [info("y", [1, 10])])


# --- a network ----------------------------------------------------------------------------------------


def test_a_file_is_a_network_with_the_names_that_its_modules_have(tmp_path: Path) -> None:
    network = loaded(tmp_path, small())
    shapes = {layer.name: tuple(layer.shape) for layer in network}
    assert shapes == {
        "stem": (8, 16, 16),
        "relu": (8, 16, 16),
        "body.0.conv": (8, 16, 16),
        "body.0.add": (8, 16, 16),
        "pool": (8, 1, 1),
        "flatten": (8,),
        "fc": (10,),
    }
    assert network.inputs == {"input": (3, 32, 32)}
    assert network.params == 8 * 27 + 8 + 8 * 9 + 8 * 10 + 10
    assert network.macs == 8 * 16 * 16 * 27 + 8 * 16 * 16 * 9 + 80
    assert network["body.0.conv"].key("weight") == "body.0.conv.weight"


def test_the_batch_need_not_be_the_first_axis(tmp_path: Path) -> None:
    nodes = [
        node("Relu", "x", "y"),
        node("Transpose", "state", "turned", perm=[1, 0, 2]),
        node("Tanh", "turned", "z"),
    ]
    inputs = [info("x", ["n", 3, 8, 8]), info("state", [2, "n", 5])]
    network = loaded(tmp_path, model(nodes, [], inputs, [field(1, "y"), field(1, "z")]))
    assert network.inputs == {"x_1": (3, 8, 8), "state": (2, 5)}
    assert {name: network[end].shape for name, end in network.outputs.items()} == {
        "out": (3, 8, 8),
        "z": (2, 5),
    }


def test_other_inputs_than_those_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, small())
    assert network_of(find(path), input="3x65x64")["stem"].shape == (8, 33, 32)
    code, out = run("shapes", path, "--input", "3x65x64")
    assert code == 0
    assert "8x33x32" in out


def test_a_project_has_files_whose_sizes_are_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lint goes on with the others, and an input written as for a command is told how a table has it."""
    monkeypatch.chdir(tmp_path)
    written(tmp_path, small(), "small.onnx")
    inputs = [info("x", ["n", "long"]), info("mask", ["n", "long"])]
    written(tmp_path, model([node("Add", "x mask", "y")], [], inputs, [field(1, "y")]), "open.onnx")
    code, out = run("lint", "open.onnx", "small.onnx")
    assert "leaves the size of its input x_1 open" in out
    assert (code, out.count("error:"), "2 networks" in out) == (1, 1, True)
    table = '[tool.archlens.budgets.networks."open.onnx"]\nmacs = "<= 1k"\ninput = '
    Path("pyproject.toml").write_text(table + '"x=64"\n')
    assert 'a table, as in input = { x = "64" }' in run("check")[1]
    Path("pyproject.toml").write_text(table + '{ x = "64" }\n')
    assert run("check")[0] == 0


def test_a_node_that_runs_is_work(tmp_path: Path) -> None:
    """What a search adds up for each of its sizes: a node takes some 12 times as long as a layer."""
    network = loaded(tmp_path, small())
    with measured() as done:
        network.with_input((3, 40, 40))
    assert done[0] >= 12 * 7


def test_open_sizes_stay_open_until_they_are_said(tmp_path: Path) -> None:
    free = info("x", ["batch", 3, "height", "width"])
    data = model([node("Relu", "x", "y")], [], [free], [info("y", ["batch", 3, "height", "width"])])
    code, out = run("shapes", written(tmp_path, data))
    assert code == 1
    assert "leaves the size of its input input open, which is 3 x height x width" in out
    assert loaded(tmp_path, data, "3x20x30").output == (3, 20, 30)
    code, out = run("shapes", written(tmp_path, data), "--input", "3x20")
    assert code == 1
    assert "3x20 is not a shape of the input input, which is 3 x height x width without its batch" in out


def test_an_output_that_is_another_than_the_file_says(tmp_path: Path) -> None:
    free = [info("x", ["n", 3, 8, 8])]
    data = model([node("Flatten", "x", "y")], [], free, [info("y", ["n", 191])])
    with pytest.warns(UserWarning, match="its output y is nx191 and nx192"):
        loaded(tmp_path, data)


# --- operators ----------------------------------------------------------------------------------------


def ints(name: str, *values: int) -> bytes:
    return tensor(name, [len(values)], values, 7)


def number(name: str, value: float) -> bytes:
    return tensor(name, [], [value])


#: Nodes that lead from x to y, the tensors of the file, and what becomes of it: each layer as it prints, with
#: its shape; then the parameters and the multiply-accumulates, counted by hand.
CASES: dict[str, tuple[list[bytes], list[bytes], dict[str, str], int, int]] = {
    "pads that are not alike": (
        [node("Conv", "x w", "y", pads=[0, 1, 1, 2])],
        [tensor("w", [4, 3, 3, 3])],
        {"conv(4, 3, padding=((0, 1), (1, 2)), bias=false)": "4x31x33"},
        4 * 27,
        4 * 31 * 33 * 27,
    ),
    "as TensorFlow pads": (  # (16 - 1) * 2 + 4 - 32 = 2 and (11 - 1) * 3 + 4 - 32 = 2 positions in all
        [node("Conv", "x w", "y", auto_pad="SAME_UPPER", strides=[2, 3])],
        [tensor("w", [4, 3, 4, 5])],
        {"conv(4, (4, 5), stride=(2, 3), padding=((1, 1), (1, 2)), bias=false)": "4x16x11"},
        4 * 60,
        4 * 16 * 11 * 60,
    ),
    "where a grid says": (  # two channels of the map that it is computed of, moved behind the positions
        [
            node("Conv", "x w", "g", strides=[2, 2], pads=[1, 1, 1, 1]),
            node("Transpose", "g", "t", perm=[0, 2, 3, 1]),
            node("GridSample", "x t", "y"),
        ],
        [tensor("w", [2, 3, 3, 3])],
        {"conv(2, 3, stride=2, padding=1, bias=false)": "2x16x16", "grid_sample": "3x16x16"},
        2 * 27,
        2 * 16 * 16 * 27,
    ),
    "with the odd position first": (
        [node("Conv", "x w", "y", auto_pad="SAME_LOWER")],
        [tensor("w", [4, 3, 2, 2])],
        {"conv(4, 2, padding=((1, 0), (1, 0)), bias=false)": "4x32x32"},
        4 * 12,
        4 * 32 * 32 * 12,
    ),
    "a pool that counts no padding, rounded up": (  # (32 + 1 - 3) / 2 + 1 = 16 and a half step more: 16
        [node("AveragePool", "x", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1], ceil_mode=1)],
        [],
        {
            "avg_pool(3, stride=2, padding=((0, 1), (0, 1)), ceil_mode=true, count_include_pad=false)": (
                "3x16x16"
            )
        },
        0,
        0,
    ),
    "a pool that is padded so that its last window fits": (  # (30 + 2 - 3) / 2 + 1 = 15.5: 15 windows
        [
            node("Slice", "x zero end axes", "a"),
            node("MaxPool", "a", "y", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 2, 2]),
        ],
        [tensor("zero", [2], [0, 0], 7), tensor("end", [2], [30, 30], 7), ints("axes", 2, 3)],
        {
            'slice(stop=30, axis="height")': "3x30x32",
            'slice(stop=30, axis="width")': "3x30x30",
            "max_pool(3, stride=2, ceil_mode=true)": "3x15x15",
        },
        0,
        0,
    ),
    "a window that would start behind the map": (  # at 33 of 32
        [node("MaxPool", "x", "y", kernel_shape=[2, 2], strides=[33, 33], pads=[0, 0, 1, 1], ceil_mode=1)],
        [],
        {"max_pool(2, stride=33, padding=((0, 1), (0, 1)), ceil_mode=true)": "3x1x1"},
        0,
        0,
    ),
    "what is filled to compute with is not a weight": (
        [
            node("ConstantOfShape", "sizes", "ones"),
            node("Add", "ones w", "a"),
            node("Mul", "x a", "y"),
        ],
        [ints("sizes", 32), tensor("w", [32])],
        {"mul": "3x32x32"},
        32,
        0,
    ),
    "a gate that something else reads, too": (
        [node("Sigmoid", "x", "a"), node("Mul", "x a", "b"), node("Add", "a b", "y")],
        [],
        {"sigmoid": "3x32x32", "multiply": "3x32x32", "add": "3x32x32"},
        0,
        0,
    ),
    "a quotient below zero": (  # -7 / 2 is -3, so that three positions are left
        [node("Div", "seven two", "three"), node("Slice", "x three far axes", "y")],
        [ints("seven", -7), ints("two", 2), ints("far", 2**62), ints("axes", 3)],
        {'slice(start=29, axis="width")': "3x32x3"},
        0,
        0,
    ),
    "a part of nothing": (
        [
            node("Slice", "x start far axes", "a"),
            node("Slice", "x none start axes", "b"),
            node("Concat", "a b", "c", axis=2),
            node("Relu", "c", "y"),
        ],
        [ints("start", 0), ints("far", 2**62), ints("axes", 2), ints("none", 0)],
        {"relu": "3x32x32"},
        0,
        0,
    ),
    "weights in nodes, and a matrix the other way round": (
        [
            node("GlobalAveragePool", "x", "a"),
            node("Flatten", "a", "b"),
            node("Constant", "", "w", value=tensor("", [3, 5])),
            node("Gemm", "b w c", "y"),
        ],
        [tensor("c", [5])],
        {"global_avg_pool": "3x1x1", "flatten": "3", "linear(5)": "5"},
        20,
        15,
    ),
    "a product and a sum": (
        [
            node("Flatten", "x", "b"),
            node("MatMul", "b w", "c"),
            node("Add", "bias c", "y"),
        ],
        [tensor("w", [3072, 5]), tensor("bias", [5])],
        {"flatten": "3072", "linear(5)": "5"},
        3072 * 5 + 5,
        3072 * 5,
    ),
    "weights that are filled in": (
        [
            node("ConstantOfShape", "sizes", "w"),
            node("Conv", "x w", "y"),
        ],
        [ints("sizes", 7, 3, 1, 1)],
        {"conv(7, 1, bias=false)": "7x32x32"},
        21,
        21 * 32 * 32,
    ),
    "sizes that are computed": (
        [
            node("Shape", "x", "s"),
            node("Gather", "s zero", "n"),
            node("Unsqueeze", "n zero_axis", "first"),
            node("Concat", "first rest", "whole", axis=0),
            node("Reshape", "x whole", "y"),
        ],
        [tensor("zero", [], [0], 7), ints("zero_axis", 0), ints("rest", 6, 16, 32)],
        {"reshape((6, 16, 32))": "6x16x32"},
        0,
        0,
    ),
    "sizes with the batch in them": (
        [
            node("Conv", "x w", "a", strides=[8, 8]),
            node("Reshape", "a sizes", "b"),
            node("Transpose", "b", "c", perm=[0, 2, 1]),
            node("Concat", "token c", "d", axis=1),
            node("Add", "d places", "y"),
        ],
        [
            tensor("w", [6, 3, 8, 8]),
            ints("sizes", 1, 6, 16),
            tensor("token", [1, 1, 6]),
            tensor("places", [1, 17, 6]),
        ],
        {
            "conv(6, 8, stride=8, bias=false)": "6x4x4",
            "tokens": "16x6",
            "class_token": "17x6",
            "position_embedding": "17x6",
        },
        6 * 192 + 6 + 17 * 6,
        6 * 16 * 192,
    ),
    "GELU, written out": (
        [
            node("Div", "x root", "a"),
            node("Erf", "a", "b"),
            node("Add", "b one", "c"),
            node("Mul", "x c", "d"),
            node("Mul", "d half", "y"),
        ],
        [number("root", 1.4142135), number("one", 1.0), number("half", 0.5)],
        {"gelu": "3x32x32"},
        0,
        0,
    ),
    "GELU with another factor is none": (
        [
            node("Div", "x root", "a"),
            node("Erf", "a", "b"),
            node("Add", "b one", "c"),
            node("Mul", "x c", "d"),
            node("Mul", "d half", "y"),
        ],
        [number("root", 1.4142135), number("one", 1.0), number("half", 0.25)],
        {
            "scale(0.707106793288)": "3x32x32",  # 1 / 1.4142135, which float32 has as 1.41421354
            "erf": "3x32x32",
            "shift(1)": "3x32x32",
            "multiply": "3x32x32",
            "scale(0.25)": "3x32x32",
        },
        0,
        0,
    ),
    "SiLU, and the hard one": (
        [
            node("Sigmoid", "x", "a"),
            node("Mul", "x a", "b"),
            node("HardSigmoid", "b", "c", alpha=1 / 6, beta=0.5),
            node("Mul", "c b", "y"),
        ],
        [],
        {"silu": "3x32x32", "hard_swish": "3x32x32"},
        0,
        0,
    ),
    "a layer norm, written out": (
        [
            node("ReduceMean", "x", "m", axes=[-1]),
            node("Sub", "x m", "d"),
            node("Pow", "d two", "q"),
            node("ReduceMean", "q", "v", axes=[-1]),
            node("Add", "v small", "e"),
            node("Sqrt", "e", "r"),
            node("Div", "d r", "n"),
            node("Mul", "n w", "z"),
            node("Add", "z b", "t"),
            node("MatMul", "t m2", "y"),
        ],
        [
            number("two", 2.0),
            number("small", 1e-6),
            tensor("w", [32]),
            tensor("b", [32]),
            tensor("m2", [32, 4]),
        ],
        {"layer_norm(eps=1e-06)": "3x32x32", "linear(4, bias=false)": "3x32x4"},
        64 + 128,
        3 * 32 * 128,
    ),
    "a group norm, written out": (
        [
            node("Reshape", "x groups", "g"),
            node("InstanceNormalization", "g ones zeros", "n", epsilon=0.001),
            node("Shape", "x", "s"),
            node("Reshape", "n s", "m"),
            node("Mul", "m w", "z"),
            node("Add", "z b", "y"),
        ],
        [
            ints("groups", 0, 3, -1),
            tensor("ones", [3], [1.0] * 3),
            tensor("zeros", [3]),
            tensor("w", [3, 1, 1]),
            tensor("b", [3, 1, 1]),
        ],
        {"group_norm(3, eps=0.001)": "3x32x32"},
        6,
        0,
    ),
    "a single number is not a weight, wherever it stands": (
        [node("Greater", "x zero", "c"), node("Where", "c zero x", "y")],
        [number("zero", 0.0)],
        {"gt": "3x32x32", "where": "3x32x32"},
        0,
        0,
    ),
    "a batch norm": (
        [node("BatchNormalization", "x s b m v", "y", epsilon=0.001, momentum=0.99)],
        [tensor(name, [3]) for name in "sbmv"],
        {"batch_norm(eps=0.001, momentum=0.01)": "3x32x32"},
        6,
        0,
    ),
    "a transposed convolution": (  # (32 - 1) * 2 - 2 + 3 + 1 = 64
        [node("ConvTranspose", "x w b", "y", strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
        [tensor("w", [3, 5, 3, 3]), tensor("b", [5])],
        {"conv_transpose(5, 3, stride=2, padding=1, output_padding=1)": "5x64x64"},
        3 * 5 * 9 + 5,
        3 * 32 * 32 * 5 * 9,
    ),
    "twice as large": (
        [node("Resize", "x - scales", "y", mode="nearest")],
        [tensor("scales", [4], [1.0, 1.0, 2.0, 1.5])],
        {"upsample(scale=(2, 1.5))": "3x64x48"},
        0,
        0,
    ),
    "quantised weights": (
        [
            node("QuantizeLinear", "x scale zero", "a"),
            node("DequantizeLinear", "a scale zero", "b"),
            node("DequantizeLinear", "w scale zero", "c"),
            node("Conv", "b c", "y"),
        ],
        [number("scale", 0.1), tensor("zero", [], [0], 2), tensor("w", [4, 3, 1, 1], kind=2)],
        {"conv(4, 1, bias=false)": "4x32x32"},
        12,
        12 * 1024,
    ),
    "a convolution of whole numbers": (
        [node("QLinearConv", "x s z w s z s z", "y")],
        [number("s", 0.1), tensor("z", [], [0], 2), tensor("w", [4, 3, 1, 1], kind=2)],
        {"conv(4, 1, bias=false)": "4x32x32"},
        12,
        12 * 1024,
    ),
    "a branch that is known": (
        [
            node("Shape", "x", "s"),
            node("Size", "s", "n"),
            node("Equal", "n four", "yes"),
            node("If", "yes", "y", then_branch=("graph", "Relu"), else_branch=("graph", "Tanh")),
        ],
        [tensor("four", [], [4], 7)],
        {"relu": "3x32x32"},
        0,
        0,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_operators_are_the_layers_that_they_say(tmp_path: Path, case: str) -> None:
    nodes, held, layers, params, macs = CASES[case]
    network = loaded(tmp_path, model(nodes, held, [X], [field(1, "y")], opset=14))
    assert {str(layer.op): str(layer.shape) for layer in network} == layers
    assert (network.params, network.macs) == (params, macs)


def test_recurrent_layers_have_their_cost(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("LSTM", "t w r b", "y - c", hidden_size=16),
    ]
    held = [tensor("w", [1, 64, 8]), tensor("r", [1, 64, 16]), tensor("b", [1, 128])]
    data = model(nodes, held, [info("x", ["n", 20, 8])], [info("y", [20, 1, "n", 16])])
    network = loaded(tmp_path, data)
    assert network.params == 64 * 8 + 64 * 16 + 128
    assert network.macs == 20 * (64 * 8 + 64 * 16)  # for each of 20 steps


def stepwise(
    op: str, zero: float = 0.0, ways: int = 1, reads: str = "t w r b - h", **attributes: Any
) -> bytes:
    """Twenty steps of 8 features through 16, as torch exports it: the sequence first, the directions apart.

    The states that it starts with are filled for the samples there are.
    """
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    nodes = [
        node("Shape", "x", "sizes"),
        node("Gather", "sizes first", "n"),
        node("Concat", "two n six", "start", axis=0),
        node("Expand", "zero start", "many"),
        node("Slice", "many first last", "h"),
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node(op, reads + (" h" if op == "LSTM" else ""), "a ends", hidden_size=16, **attributes),
        node("Transpose", "a", "c", perm=[0, 2, 1, 3]),
        node("Reshape", "c flat", "d"),
        node("Transpose", "d", "y", perm=[1, 0, 2]),
    ]
    held = [
        *(ints(name, n) for name, n in {"first": 0, "last": ways, "two": 2 * ways, "six": 16}.items()),
        ints("flat", 0, 0, -1),
        number("zero", zero),
        tensor("w", [ways, gates * 16, 8]),
        tensor("r", [ways, gates * 16, 16]),
        tensor("b", [ways, 2 * gates * 16]),
    ]
    return model(nodes, held, [info("x", ["n", 20, 8])], [info("y", ["n", 20, 16 * ways])])


def test_recurrent_layers_are_those_of_torch(tmp_path: Path) -> None:
    """Each gate has a matrix for the 8 inputs, one for the 16 of the state, and two biases."""
    gate = 16 * 8 + 16 * 16
    for data, op, gates, ways in (
        (stepwise("LSTM"), "lstm(16)", 4, 1),
        (stepwise("GRU", linear_before_reset=1), "gru(16)", 3, 1),
        (stepwise("RNN", activations=[b"Relu"]), 'rnn(16, nonlinearity="relu")', 1, 1),
        (stepwise("LSTM", ways=2, direction="bidirectional"), "lstm(16, bidirectional=true)", 4, 2),
    ):
        network = loaded(tmp_path, data)
        (layer,) = network
        assert (str(layer.op), layer.shape) == (op, (20, 16 * ways))
        assert network.params == ways * gates * (gate + 2 * 16)
        assert network.macs == 20 * ways * gates * gate


@pytest.mark.parametrize(("how", "op"), [("Concat", "lstm(16, bidirectional=true)"), ("Mul", "lstm")])
def test_the_weights_of_a_recurrent_layer_that_a_file_computes_count(
    how: str, op: str, tmp_path: Path
) -> None:
    """Torch's newer exporter puts large ones in ONNX' order of gates by nodes, and does not fold these."""
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2])]
    for way in "ab":
        nodes += [
            node("Slice", f"{way} zero one", f"{way}1"),
            node("Slice", f"{way} one last", f"{way}2"),
            node(how, f"{way}2 {way}1", f"{way}3", **({"axis": 0} if how == "Concat" else {})),
            node("Unsqueeze", f"{way}3 zero", f"{way}4"),
        ]
    nodes.append(node("Concat", "a4 b4", "w", axis=0))
    nodes.append(node("LSTM", "t w r bias", "y - c", hidden_size=16, direction="bidirectional"))
    gates = 64 if how == "Concat" else 128  # of a product of two halves, of which each has as many
    held = [ints("zero", 0), ints("one", 64 if how == "Mul" else 32), ints("last", gates)]
    held += [tensor("a", [gates, 8]), tensor("b", [gates, 8]), tensor("r", [2, 64, 16])]
    data = model(nodes, [*held, tensor("bias", [2, 128])], [info("x", ["n", 20, 8])], [field(1, "y")])
    network = loaded(tmp_path, data)
    assert op in [str(layer.op) for layer in network]
    assert network.params == 2 * (gates * 8 + 64 * 16 + 128)
    assert network.macs == 20 * 2 * (64 * 8 + 64 * 16)


@pytest.mark.parametrize("batch", ["n", 3])
def test_a_recurrent_layer_whose_state_alone_is_read(batch: Any, tmp_path: Path) -> None:
    """In the file its steps have an axis of directions all the same, for any batch or three samples."""
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("LSTM", "t w r b", "steps h c", hidden_size=16),
        node("Squeeze", "h zero", "y"),
    ]
    held = [tensor("w", [1, 64, 8]), tensor("r", [1, 64, 16]), tensor("b", [1, 128]), ints("zero", 0)]
    data = model(nodes, held, [info("x", [batch, 20, 8])], [info("y", [batch, 16])])
    network = loaded(tmp_path, data)
    assert network.output == (16,)
    sizes = network.origin.model.tensors(network.inputs, 3)  # type: ignore[union-attr]
    assert sizes["steps"] == (20, 1, 3, 16)


def test_a_recurrent_layer_that_starts_from_the_states_of_another(tmp_path: Path) -> None:
    """A decoder behind an encoder, as torch exports them with the steps first."""
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("LSTM", "t w r b", "- h c", hidden_size=16),
        node("Transpose", "z", "u", perm=[1, 0, 2]),
        node("LSTM", "u v s b - h c", "steps", hidden_size=16),
        node("Squeeze", "steps one", "y"),
    ]
    held = [tensor("w", [1, 64, 8]), tensor("r", [1, 64, 16]), tensor("b", [1, 128]), ints("one", 1)]
    held += [tensor("v", [1, 64, 5]), tensor("s", [1, 64, 16])]
    inputs = [info("x", ["n", 20, 8]), info("z", ["n", 7, 5])]
    network = loaded(tmp_path, model(nodes, held, inputs, [info("y", [7, "n", 16])]))
    ops = [str(layer.op) for layer in network]
    assert {'lstm(16, output="both")', "lstm(16, initial=true)"} <= {*ops}
    assert network.params == 64 * 8 + 64 * 16 + 128 + 64 * 5 + 64 * 16
    assert network.macs == 20 * (64 * 8 + 64 * 16) + 7 * (64 * 5 + 64 * 16)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (stepwise("GRU"), "it resets the state before the product"),
        (stepwise("LSTM", clip=3.0), "it clips what goes into its activations"),
        (stepwise("LSTM", input_forget=1), "its input gate is what its forget gate leaves"),
        (stepwise("LSTM", activations=[b"Sigmoid", b"Tanh", b"Relu"]), "its activations are sigmoid, tanh"),
    ],
)  # fmt: skip
def test_opaque_recurrent_layers_say_what_they_compute_otherwise(
    data: bytes, why: str, tmp_path: Path
) -> None:
    network = loaded(tmp_path, data)
    (layer,) = (one for one in network if str(one.op) in ("LSTM", "GRU"))
    assert why in vars(layer.op)["reason"]


def test_an_lstm_that_onnxruntime_quantizes(tmp_path: Path) -> None:
    """Its matrices are whole numbers, with a column for each output."""
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("DynamicQuantizeLSTM", "t w r b - - - - s z s z", "y", hidden_size=16, domain="com.microsoft"),
    ]
    held = [tensor("w", [1, 8, 64], kind=3), tensor("r", [1, 16, 64], kind=3), tensor("b", [1, 128])]
    held += [tensor("s", [1]), tensor("z", [1], kind=3)]
    network = loaded(tmp_path, model(nodes, held, [info("x", ["n", 20, 8])], [field(1, "y")]))
    assert "lstm(16)" in [str(layer.op) for layer in network]
    assert network.params == 64 * 8 + 64 * 16 + 128
    assert network.macs == 20 * (64 * 8 + 64 * 16)
    assert set(network.dtypes.values()) == {"int8"}


def test_a_recurrent_layer_that_reads_from_the_end(tmp_path: Path) -> None:
    """The steps are turned round for it, and what it gives at each of them back."""
    for kind, more in (("LSTM", {}), ("GRU", {"linear_before_reset": 1})):
        network = loaded(tmp_path, stepwise(kind, direction="reverse", **more))
        ops = [str(layer.op) for layer in network if layer.op.kind != "rearrange"]
        # before any layer the axes of an input have the names of a map's, the first that of channels
        assert ops == ['flip("channels")', f"{kind.lower()}(16)", 'flip("length")']


def test_recurrent_layers_that_torch_has_not_are_opaque(tmp_path: Path) -> None:
    """With their weights and cost: one starts elsewhere, one resets the state before its product."""
    for data, gates in (
        (stepwise("LSTM", zero=0.5), 4),
        (stepwise("GRU"), 3),
        (stepwise("LSTM", clip=3.0), 4),
        (stepwise("LSTM", activations=[b"Sigmoid", b"Tanh", b"Relu"]), 4),
    ):
        network = loaded(tmp_path, data)
        assert {str(layer.op) for layer in network} & {"LSTM", "GRU"}
        assert network.params == gates * (16 * 8 + 16 * 16 + 2 * 16)
        assert network.macs == 20 * gates * (16 * 8 + 16 * 16)


@pytest.mark.parametrize(("batch", "start", "kind"), [(1, 0.0, "lstm"), (3, 0.0, "lstm"), (3, 0.5, "opaque")])
def test_states_of_the_samples_of_the_file(batch: int, start: float, kind: str, tmp_path: Path) -> None:
    """As torch's older exporter writes them for a fixed batch: a constant that is expanded to what it is."""
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("Shape", "x", "shape"),
        node("Gather", "shape first", "n"),
        node("Concat", "way n six", "sizes", axis=0),
        node("Expand", "start sizes", "h"),
        node("LSTM", "t w r b - h h", "y", hidden_size=16),
        node("Squeeze", "y way", "s"),
        node("Transpose", "s", "o", perm=[1, 0, 2]),
    ]
    held = [tensor("w", [1, 64, 8]), tensor("r", [1, 64, 16]), tensor("b", [1, 128])]
    held += [ints("way", 1), ints("six", 16), ints("first", 0)]
    held.append(floats("start", [1, batch, 16], [start] * batch * 16))
    network = loaded(tmp_path, model(nodes, held, [info("x", [batch, 20, 8])], [info("o", [batch, 20, 16])]))
    assert [layer.op.kind for layer in network if layer.params] == [kind]
    assert network.macs == 20 * (64 * 8 + 64 * 16)
    assert network.params == 64 * 8 + 64 * 16 + 128


@pytest.mark.parametrize("way", ["unsqueezed", "joined", "cut"])
@pytest.mark.parametrize(("start", "kind"), [(0.0, "lstm"), (0.5, "opaque")])
def test_states_that_exporters_make_for_any_batch(way: str, start: float, kind: str, tmp_path: Path) -> None:
    """As TensorFlow's and Paddle's do: one number that is expanded, and then turned, joined or cut."""
    name = "helper.constant.7" if way == "cut" else "start"
    ways = 2 if way == "joined" else 1
    nodes = [node("Shape", "x", "shape"), node("Gather", "shape first", "n")]
    nodes += {
        "unsqueezed": [
            node("Concat", "n six", "sizes", axis=0),
            node("Expand", f"{name} sizes", "flat"),
            node("Unsqueeze", "flat first", "h"),
        ],
        "joined": [
            node("Concat", "one n six", "sizes", axis=0),
            node("Expand", f"{name} sizes", "each"),
            node("Concat", "each each", "h", axis=0),
        ],
        "cut": [
            node("Concat", "four n six", "sizes", axis=0),
            node("Expand", f"{name} sizes", "all"),
            node("Identity", "all", "same"),
            node("Slice", "same first one first", "h"),
        ],
    }[way]
    nodes += [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node(
            "LSTM",
            "t w r b - h h",
            "y",
            hidden_size=16,
            direction="bidirectional" if ways > 1 else "forward",
        ),
    ]
    held = [tensor("w", [ways, 64, 8]), tensor("r", [ways, 64, 16]), tensor("b", [ways, 128])]
    held += [ints("one", 1), ints("four", 4), ints("six", 16), ints("first", 0)]
    held.append(floats(name, [1] if way == "cut" else [], [start]))
    data = model(nodes, held, [info("x", ["n", 20, 8])], [info("y", [20, ways, "n", 16])])
    network = loaded(tmp_path, data)
    assert [layer.op.kind for layer in network if layer.params] == [kind]
    assert network.params == ways * (64 * 8 + 64 * 16 + 128)


def test_the_last_state_alone(tmp_path: Path) -> None:
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("LSTM", "t w r", "- h", hidden_size=16),
        node("Squeeze", "h zero", "y"),
    ]
    held = [ints("zero", 0), tensor("w", [1, 64, 8]), tensor("r", [1, 64, 16])]
    data = model(nodes, held, [info("x", ["n", 20, 8])], [info("y", ["n", 16])])
    network = loaded(tmp_path, data)
    assert [str(one.op) for one in network] == ['lstm(16, bias=false, output="state")', "flatten"]
    assert network.output == (16,)


def attending(
    masked: list[bytes], held: list[bytes], given: Sequence[bytes] = (), softened: Sequence[bytes] = ()
) -> bytes:
    """Eight tokens of 12 channels in 3 heads; ``masked`` makes ``s2`` of the scores ``s1``, and ``softened``
    ``s4`` of their softmax ``s3``.
    """
    nodes = [
        *(node("MatMul", f"x w{one}", f"{one}0") for one in "qkv"),
        *(node("Reshape", f"{one}0 sizes", f"{one}1") for one in "qkv"),
        *(
            node("Transpose", f"{one}1", f"{one}2", perm=[0, 2, 3, 1] if one == "k" else [0, 2, 1, 3])
            for one in "qkv"
        ),
        node("MatMul", "q2 k2", "s0"),
        node("Div", "s0 root", "s1"),
        *masked,
        node("Softmax", "s2", "s3", axis=-1),
        *softened,
        node("MatMul", "s4 v2" if softened else "s3 v2", "o0"),
        node("Transpose", "o0", "o1", perm=[0, 2, 1, 3]),
        node("Reshape", "o1 back", "y"),
    ]
    constants = [
        *(tensor(f"w{one}", [12, 12]) for one in "qkv"),
        ints("sizes", 0, 8, 3, 4),
        ints("back", 0, 8, 12),
        number("root", 2.0),
        *held,
    ]
    inputs = [info("x", ["batch", 8, 12]), *given]
    return model(nodes, constants, inputs, [info("y", ["batch", 8, 12])])


def test_attention_is_found_in_its_products(tmp_path: Path) -> None:
    """The products are 2 x 3 heads x 8 x 8 x 4."""
    network = loaded(tmp_path, attending([node("Identity", "s1", "s2")], []))
    assert [str(layer.op) for layer in network] == ["linear(12, bias=false)"] * 3 + ["attention(3)"]
    assert network.macs == 3 * 8 * 144 + 2 * 3 * 8 * 8 * 4


def test_attention_as_the_newer_exporter_writes_it(tmp_path: Path) -> None:
    """A mask that masks nothing, filled for the samples there are, and zeros for rows that are all masked."""
    mask = [
        node("Shape", "x", "sizes_x", end=1),
        node("Concat", "sizes_x ones", "whole", axis=0),
        node("Expand", "open whole", "seen"),
        node("Where", "seen zero low", "mask"),
        node("Add", "s1 mask", "s2"),
    ]
    held = [ints("ones", 3, 8, 8), tensor("open", [1, 1, 8, 1], [1] * 8, 9), number("low", -3e38)]
    for filled, kinds in ((0.0, ["linear"] * 3 + ["attention"]), (1.0, None)):
        safe = [node("IsNaN", "s3", "bad"), node("Where", "bad fill s3", "s4")]
        data = attending(mask, [*held, number("zero", 0.0), number("fill", filled)], softened=safe)
        network = loaded(tmp_path, data)
        assert network.macs == 3 * 8 * 144 + 2 * 3 * 8 * 8 * 4
        found = [layer.op.kind for layer in network]
        assert found == kinds if kinds else "attention" not in found


#: Eight queries and keys: which keys come after a query.
AFTER = [[key > query for key in range(8)] for query in range(8)]


def mask(here: Any, there: Any, after: Sequence[Sequence[bool]] = AFTER) -> list[Any]:
    return [there if one else here for row in after for one in row]


FULL = tensor("low", [], [float("-inf")])

#: A triangle by which positions come after others, and its constants but for where it begins.
_AFTER = [
    node("Expand", "lowest square", "a"),
    node("Trilu", "a k", "b", upper=1),
    node("Greater", "ids column", "after"),
    node("Cast", "after", "ones", to=1),
    node("Mul", "b ones", "c"),
    node("Add", "s1 c", "s2"),
]
_COMPARED = [
    *(tensor("lowest", [1], [-3.4e38]), ints("square", 8, 8)),
    *(tensor("ids", [8], list(range(8)), 7), tensor("column", [8, 1], list(range(8)), 7)),
]

#: How scores are masked, the constants for it, and whether that is causal.
MASKS: dict[str, tuple[list[bytes], list[bytes], bool]] = {
    "a sum": ([node("Add", "s1 m", "s2")], [tensor("m", [8, 8], mask(0.0, float("-inf")))], True),
    "a sum, the mask first": (
        [node("Add", "m s1", "s2")], [tensor("m", [1, 1, 8, 8], mask(0.0, -1e9))], True,
    ),
    "what is taken": ([node("Where", "m s1 low", "s2")], [tensor("m", [8, 8], mask(1, 0), 9), FULL], True),
    "what is left": ([node("Where", "m low s1", "s2")], [tensor("m", [8, 8], mask(0, 1), 9), FULL], True),
    "whole numbers, compared": (
        [node("Equal", "m zero", "e"), node("Where", "e low s1", "s2")],
        [tensor("m", [1, 1, 8, 8], mask(1, 0), 6), tensor("zero", [], [0], 6), FULL],
        True,
    ),
    "a part of a larger one": (
        [node("Slice", "m from to axes", "c"), node("Add", "s1 c", "s2")],
        [
            tensor("m", [9, 9], [float(k > q) * -1e5 for q in range(9) for k in range(9)]),
            *(ints("from", 0, 0), ints("to", 8, 8), ints("axes", 0, 1)),
        ],
        True,
    ),
    "made in the graph": (
        [
            node("Expand", "one square", "a"),
            node("Trilu", "a", "b", upper=0),
            node("Equal", "b zero", "c"),
            node("Where", "c low zero", "d"),
            node("Add", "s1 d", "s2"),
        ],
        [tensor("one", [1], [1.0]), tensor("zero", [], [0.0]), ints("square", 8, 8), FULL],
        True,
    ),
    "a triangle by what comes after": (_AFTER, [*_COMPARED, ints("k", 1)], True),
    "a triangle by what comes one later": (_AFTER, [*_COMPARED, ints("k", 2)], False),
    "a part that begins later": (
        [node("Slice", "m from to axes", "c"), node("Add", "s1 c", "s2")],
        [
            tensor("m", [9, 9], [float(k > q) * -1e5 for q in range(9) for k in range(9)]),
            *(ints("from", 0, 1), ints("to", 8, 9), ints("axes", 0, 1)),
        ],
        False,
    ),
    "the triangle with one more": (
        [
            node("Expand", "one square", "a"),
            node("Trilu", "a k", "b", upper=0),
            node("Equal", "b zero", "c"),
            node("Where", "c low zero", "d"),
            node("Add", "s1 d", "s2"),
        ],
        [tensor("one", [1], [1.0]), tensor("zero", [], [0.0]), ints("square", 8, 8), ints("k", 1), FULL],
        False,
    ),
    "the other way round": (
        [node("Add", "s1 m", "s2")], [tensor("m", [8, 8], mask(float("-inf"), 0.0))], False,
    ),
    "turned": (
        [node("Transpose", "m", "t", perm=[1, 0]), node("Add", "s1 t", "s2")],
        [tensor("m", [8, 8], mask(0.0, -1e9))],
        False,
    ),
    "too little": ([node("Add", "s1 m", "s2")], [tensor("m", [8, 8], mask(0.0, -1.0))], False),
    "one key too many": (
        [node("Add", "s1 m", "s2")],
        [tensor("m", [8, 8], [0.0, 0.0, *mask(0.0, -1e9)[2:]])],
        False,
    ),
    "taken from a score": ([node("Sub", "s1 m", "s2")], [tensor("m", [8, 8], mask(0.0, -1e9))], False),
}  # fmt: skip


#: A constant that is added is a bias; a file does not say whether it was learned.
BIASES = ("the other way round", "turned", "too little", "one key too many")


@pytest.mark.parametrize("case", MASKS)
def test_a_mask_is_causal_where_it_leaves_what_comes_before(tmp_path: Path, case: str) -> None:
    masked, held, causal = MASKS[case]
    network = loaded(tmp_path, attending(masked, held))
    attention = [layer for layer in network if "attention" in str(layer.op)]
    other = "attention(3)" if case in BIASES else "attention"
    assert [str(layer.op) for layer in attention] == ["attention(3, causal=true)" if causal else other]
    assert attention[0].macs == 2 * 3 * 8 * 8 * 4
    assert network.params == 3 * 144 or not causal


def test_a_mask_that_is_given_is_an_input_of_attention(tmp_path: Path) -> None:
    given = [info("m", ["batch", 1, 8, 8])]
    network = loaded(tmp_path, attending([node("Add", "s1 m", "s2")], [], given))
    (attention,) = [layer for layer in network if str(layer.op) == "attention(3)"]
    assert (attention.macs, len(attention.inputs)) == (2 * 3 * 8 * 8 * 4, 4)
    assert network.params == 3 * 144
    assert len(network.inputs) == 2


# --- what torch writes beside the nodes ---------------------------------------------------------------


def scoped(data: bytes, paths: list[str], kinds: list[str]) -> bytes:
    said = {"pkg.torch.onnx.name_scopes": paths, "pkg.torch.onnx.class_hierarchy": kinds}
    return data + b"".join(field(9, field(1, key) + field(2, str(value))) for key, value in said.items())


def test_metadata_gives_modules_and_their_classes(tmp_path: Path) -> None:
    norm = "torch.nn.modules.batchnorm.BatchNorm2d"
    kinds = ["net.Net", "torch.nn.modules.container.Sequential", "net.Block"]
    nodes = [
        scoped(
            node("Conv", "x stage.0.conv.weight stage.0.conv.bias", "a", "node_Conv_1"),
            ["", "stage", "stage.0", "stage.0.bn", "batch_norm"],
            [*kinds, norm, "aten.batch_norm.default"],
        ),
        scoped(
            node("Relu", "a", "b", "node_relu"),
            ["", "stage", "stage.0", "stage.0.act", "relu"],
            [*kinds, "torch.nn.modules.activation.ReLU", "aten.relu.default"],
        ),
        scoped(
            node("Relu", "b", "y", "node_relu_1"),
            ["", "stage", "stage.1", "stage.1.act", "relu_1"],
            [*kinds, "torch.nn.modules.activation.ReLU", "aten.relu.default"],
        ),
    ]
    held = [tensor("stage.0.conv.weight", [4, 3, 1, 1]), tensor("stage.0.conv.bias", [4])]
    path = written(tmp_path, model(nodes, held, [X], [info("y", [1, 4, 32, 32])]))
    network = network_of(find(path))
    assert [layer.name for layer in network] == ["stage.0.conv", "stage.0.act", "stage.1.act"]
    assert network.blocks == {"stage.0": "Block", "stage.1": "Block"}
    assert "Batch norm is folded into stage.0.conv." in run("shapes", path)[1]


def test_a_node_that_no_module_is_said_of_lies_where_those_around_it_do(tmp_path: Path) -> None:
    """As the split that torch's exporter makes of views: behind ``a.b.act``, and before what ``a.b`` does."""
    kinds = ["net.Net", "net.A", "net.B", "torch.nn.modules.activation.ReLU", "aten.relu.default"]
    nodes = [
        scoped(node("Relu", "x", "a", "node_relu"), ["", "a", "a.b", "a.b.act", "relu"], kinds),
        node("Split", "a", "p q r", "node_Split_9", axis=1),
        scoped(node("Mul", "p q", "s", "node_mul"), ["", "a", "a.b", "mul"], [*kinds[:3], "aten.mul.Tensor"]),
        scoped(node("Add", "s r", "y", "node_add"), ["", "a", "a.c", "add"], [*kinds[:3], "aten.add.Tensor"]),
        node("Split", "y", "u v", "node_Split_12", axis=2),
    ]
    outputs = [info("u", [1, 1, 16, 32]), info("v", [1, 1, 16, 32])]
    network = loaded(tmp_path, model(nodes, [], [X], outputs, opset=13))
    assert [layer.name for layer in network] == [
        "a.b.act", "a.b.slice", "a.b.slice_1", "a.b.slice_2", "a.b.multiply", "a.c", "slice", "slice_1",
    ]  # fmt: skip


def function(first: bytes) -> bytes:
    """One that begins with a node from a to b, and ends with a leaky ReLU of a slope that it is given."""
    slope = field(5, field(1, "alpha") + field(21, "slope") + field(20, 1))
    last = node("LeakyRelu", "b", "c") + slope
    parts = [(1, "Twice"), (4, "a"), (5, "c"), (6, "slope"), (7, first), (7, last), (10, "my.ops")]
    said = b"".join(field(number, one) for number, one in parts)
    return field(25, said + field(9, field(1, "") + field(2, 17)))


def test_functions_are_what_they_are_made_of(tmp_path: Path) -> None:
    nodes = [
        node("Twice", "x", "p", domain="my.ops", slope=0.2),
        node("Twice", "p", "y", domain="my.ops", slope=0.3),
    ]
    ends = [info("y", [1, 3, 32, 32])]
    network = loaded(tmp_path, model(nodes, [], [X], ends, more=function(node("Relu", "a", "b"))))
    slopes = ["relu", "leaky_relu(slope=0.2)", "relu", "leaky_relu(slope=0.3)"]
    assert [str(layer.op) for layer in network] == slopes
    endless = function(node("Twice", "a", "b", domain="my.ops"))
    code, out = run("shapes", written(tmp_path, model(nodes, [], [X], ends, more=endless)))
    assert code == 1
    assert "functions call each other too deep" in out


def test_what_no_op_says_is_opaque_where_its_shape_is_known(tmp_path: Path) -> None:
    nodes = [node("Twist", "x w", "a", "knot", domain="my.ops"), node("Relu", "a", "y")]
    known = field(13, info("a", [1, 5, 7]))
    data = field(1, 8) + field(8, field(1, "") + field(2, 17))
    data += field(7, graph(nodes, [tensor("w", [9])], [X], [info("y", [1, 5, 7])]) + known)
    network = loaded(tmp_path, data)
    assert [str(layer.op) for layer in network] == ["Twist", "relu"]
    assert network["knot"].shape == (5, 7)
    assert network.params == 9
    assert str(network.macs) == "unknown"


def body(nodes: Sequence[bytes], inputs: str, outputs: Sequence[bytes]) -> tuple[str, bytes]:
    return "graph", graph(nodes, [], [field(1, name) for name in inputs.split()], outputs)


#: One step of a loop: the map goes through a convolution of the file, and what it was on average is kept.
STEP = body(
    [
        node("Conv", "map w", "next", pads=[1, 1, 1, 1]),
        node("GlobalAveragePool", "next", "mean"),
        node("Identity", "on", "still"),
    ],
    "step on map",
    [field(1, "still"), field(1, "next"), field(1, "mean")],
)
SQUARE = tensor("w", [3, 3, 3, 3])


def test_a_loop_of_known_length_is_its_steps(tmp_path: Path) -> None:
    """Three convolutions of 3x3x3x3 weights, which are there once; the averages stand in a row."""
    nodes = [node("Loop", "three yes x", "y means", body=STEP)]
    held = [tensor("three", [], [3], 7), tensor("yes", [], [1], 9), SQUARE]
    network = loaded(tmp_path, model(nodes, held, [X], [field(1, "y"), field(1, "means")]))
    assert [str(one.shape) for one in network if one.op.kind == "conv"] == ["3x32x32"] * 3
    assert (network.params, network.macs) == (81, 3 * 32 * 32 * 81)
    assert network["out" if "out" in network.index else network.outputs["out"]].shape == (3, 32, 32)
    assert prod(network[network.outputs["means"]].shape) == 3 * 3


def test_a_loop_of_unknown_length_is_opaque(tmp_path: Path) -> None:
    """What goes through it has the shape that the file says, and that is said; its cost is unknown."""
    until = body(
        [node("Conv", "map w", "next", pads=[1, 1, 1, 1]), node("Less", "next zero", "still")],
        "step on map",
        [field(1, "still"), info("next", [1, 3, 32, 32])],
    )
    nodes = [node("Loop", "- yes x", "a", body=until), node("Relu", "a", "y")]
    held = [tensor("yes", [], [1], 9), number("zero", 0.0), SQUARE]
    network = loaded(tmp_path, model(nodes, held, [X], [field(1, "y")]))
    assert [(str(one.op), str(one.shape)) for one in network] == [("Loop", "3x32x32"), ("relu", "3x32x32")]
    assert (network.params, str(network.macs)) == (81, "unknown")
    assert network.layers[0].op.reason == "archlens has no op for Loop, and its shape is what the file says"
    code, out = run(
        "shapes",
        written(tmp_path, model([node("Loop", "- yes x", "y", body=STEP_OPEN)], held, [X], [field(1, "y")])),
    )
    assert code == 1
    assert "node 0 (Loop): what comes out of Loop is not known" in out


#: One that nobody knows when it ends, and whose file says nothing of what comes out.
STEP_OPEN = body(
    [node("Conv", "map w", "next", pads=[1, 1, 1, 1]), node("Less", "next zero", "still")],
    "step on map",
    [field(1, "still"), field(1, "next")],
)


def test_a_loop_without_end_is_bounded(tmp_path: Path) -> None:
    """However little a step does, and however deep loops stand in loops."""
    inner = body([node("Identity", "on", "s")], "i on v", [field(1, "s"), field(1, "v")])
    outer = body(
        [node("Loop", "many on v", "u", body=inner), node("Identity", "on", "s")],
        "i on v",
        [field(1, "s"), field(1, "u")],
    )
    held = [tensor("many", [], [10**12], 7), tensor("yes", [], [1], 9)]
    for one in (inner, outer):
        data = model([node("Loop", "many yes x", "y", body=one)], held, [X], [field(1, "y")])
        with allowing(1000):
            code, out = run("shapes", written(tmp_path, data), "--max-layers", "1000")
        assert code == 1
        assert "more than 2,000" in out or "what comes out of Loop is not known" in out


def test_a_scan_is_its_steps(tmp_path: Path) -> None:
    """Along the 32 rows of a picture; what comes out of each stands where it is asked for."""
    each = body([node("Relu", "row", "z")], "row", [field(1, "z")])
    nodes = [node("Scan", "x", "y", body=each, num_scan_inputs=1, scan_input_axes=[2], scan_output_axes=[2])]
    network = loaded(tmp_path, model(nodes, [], [X], [field(1, "y")]))
    assert [prod(one.shape) for one in network if str(one.op) == "relu"] == [3 * 32] * 32
    assert network.output == (3, 32, 32)


def test_a_branch_of_either_way_has_what_both_say(tmp_path: Path) -> None:
    def way(op: str, height: int) -> tuple[str, bytes]:
        return "graph", graph([node(op, "x", "z")], [], [], [info("z", [1, 3, height, 32])])

    for height, code in ((32, 0), (31, 1)):
        nodes = [
            node("GlobalMaxPool", "x", "most"),
            node("Less", "most zero", "yes"),
            node("If", "yes", "y", then_branch=way("Relu", 32), else_branch=way("Tanh", height)),
        ]
        data = model(nodes, [number("zero", 0.0)], [X], [field(1, "y")])
        assert run("shapes", written(tmp_path, data))[0] == code


def test_lists_of_tensors_make_no_layer(tmp_path: Path) -> None:
    nodes = [
        node("SplitToSequence", "x", "l", axis=1),
        node("SequenceErase", "l one", "m"),
        node("SequenceAt", "m zero", "a"),
        node("Relu", "a", "b"),
        node("SequenceInsert", "m b", "k"),
        node("SequenceLength", "k", "n"),
        node("Add", "x n", "t"),
        node("SequenceConstruct", "t x", "o"),
        node("ConcatFromSequence", "k", "y", axis=1),
    ]
    held = [tensor("one", [], [1], 7), tensor("zero", [], [0], 7)]
    network = loaded(tmp_path, model(nodes, held, [X], [field(1, "y")]))
    assert {one.op.kind for one in network} == {"slice", "relu", "concat"}
    assert network.output == (3, 32, 32)  # two of its three channels, and the first once more
    for bad, said in (
        (node("SequenceAt", "l three", "y"), "there is no place 3 in a list of 3"),
        (node("Relu", "l", "y"), "it reads a list of tensors, and takes none"),
        (node("SequenceAt", "x zero", "y"), "it reads no list of tensors"),
    ):
        data = model([nodes[0], bad], [*held, tensor("three", [], [3], 7)], [X], [field(1, "y")])
        assert said in run("shapes", written(tmp_path, data))[1]


def test_equal_biases_that_an_exporter_has_kept_once_are_explained(tmp_path: Path) -> None:
    """The second convolution, ``conv``, has a weight of its own, and the bias of the first."""
    nodes = [node("Conv", "x a.weight a.bias", "h"), node("Conv", "h b.weight a.bias", "y")]
    held = [tensor("a.weight", [3, 3, 1, 1]), tensor("b.weight", [3, 3, 1, 1]), tensor("a.bias", [3])]
    network = loaded(tmp_path, model(nodes, held, [X], [field(1, "y")]))
    assert network.params == 9 + 9 + 3
    with pytest.raises(archlens.UsageError) as raised:
        archlens.convert(network)
    assert raised.value.diagnostic.message.endswith("conv has its bias from a.bias")
    assert raised.value.diagnostic.help == (
        "exporters keep equal tensors once, as the zeros of biases that were not trained: give them other "
        "values before the export"
    )


def test_a_bias_of_a_module_is_that_of_the_matrix_that_was_turned_for_the_file(tmp_path: Path) -> None:
    """As torch's older exporter writes layers on tokens: the matrix has a made-up name, the bias its own."""
    nodes = [node("MatMul", "x onnx::MatMul_7", "m", "/fc/MatMul"), node("Add", "fc.bias m", "y", "/fc/Add")]
    held = [tensor("onnx::MatMul_7", [16, 32]), tensor("fc.bias", [32])]
    network = loaded(tmp_path, model(nodes, held, [info("x", ["n", 7, 16])], [field(1, "y")]))
    assert [f"{one.name} {one.op}" for one in network] == ["fc linear(32)"]
    assert network.params == 16 * 32 + 32


def test_a_tensor_counts_once_where_a_layer_has_its_name_and_another_has_it(tmp_path: Path) -> None:
    """The bias of a product, which is added once more, then by a layer that is called as it is."""
    nodes = [
        node("MatMul", "x w", "m"),
        node("Add", "m b", "a"),
        node("Relu", "a", "r"),
        node("Add", "b r", "y"),
    ]
    held = [tensor("w", [16, 8]), tensor("b", [8])]
    network = loaded(tmp_path, model(nodes, held, [info("x", ["n", 16])], [field(1, "y")]))
    assert "b" in network.index
    assert network.params == sum(one.params for one in network) == 16 * 8 + 8


@pytest.mark.parametrize("batch", [("n", "m"), (1, 1)])
def test_a_file_that_mixes_its_samples_is_laid_out_for_one(batch: Sequence[Any], tmp_path: Path) -> None:
    """Each image times each text, as in CLIP: of one of either that is a single number."""
    nodes = [
        node("MatMul", "image w", "a"),
        node("MatMul", "text v", "b"),
        node("Transpose", "b", "turned", perm=[1, 0]),
        node("MatMul", "a turned", "y"),
    ]
    held = [tensor("w", [8, 4]), tensor("v", [6, 4])]
    inputs = [info("image", [batch[0], 8]), info("text", [batch[1], 6])]
    data = model(nodes, held, inputs, [info("y", [*batch])])
    network = loaded(tmp_path, data)
    assert network.output == (1,)
    assert network.macs == 8 * 4 + 6 * 4 + 4
    assert "for one sample" in run("shapes", written(tmp_path, data))[1]
    two = model(nodes, held, [info("image", [2, 8]), info("text", [2, 6])], [info("y", [2, 2])])
    assert "takes its batch apart" in run("shapes", written(tmp_path, two))[1]


def test_inputs_whose_axes_have_the_same_names_follow_from_each_other(tmp_path: Path) -> None:
    """As ids and masks do, and what an exporter calls a sum."""
    nodes = [
        node("Concat", "past x", "all", axis=1),
        node("Add", "all mask", "masked"),
        node("Relu", "masked", "y"),
    ]
    inputs = [info("x", ["n", "now"]), info("past", ["n", "past"]), info("mask", ["n", "past + now"])]
    path = written(tmp_path, model(nodes, [], inputs, [field(1, "y")]))
    network = network_of(find(path), input={"x": (5,), "past": (3,)})
    assert (network.output, network.inputs["mask"]) == ((8,), (8,))
    alike = [node("Mul", "x mask", "s"), node("Conv", "s w", "y")]
    inputs = [info("x", ["n", 3, "high", "wide"]), info("mask", ["n", 1, "high", "wide"])]
    path = written(tmp_path, model(alike, [tensor("w", [4, 3, 1, 1])], inputs, [field(1, "y")]))
    code, said = run("shapes", path, "--input", "x=3xHxW")
    assert code == 0
    assert "12*H*W" in said.replace(" ", "").replace("·", "*")
    code, said = run("shapes", path, "--input", "mask=1x5x7")
    assert code == 0
    assert "3x5x7, mask 1x5x7" in said


# --- beside onnxruntime -------------------------------------------------------------------------------


class Session:
    """What onnxruntime answers: the sizes that were counted here by hand, of which one is another."""

    def __init__(self, data: bytes, options: Any, providers: Any) -> None:
        assert data.startswith(small())
        assert field(12, field(1, "d")) in data[len(small()) :]
        self.sizes = {"a": (1, 8, 16, 16), "b": (1, 8, 16, 16), "c": (1, 8, 16, 16), "d": (1, 8, 16, 15)}
        self.sizes |= {"e": (1, 8, 1, 1), "f": (1, 8), "y": (1, 10)}

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in self.sizes]

    def run(self, names: list[str], given: dict[str, Any]) -> list[Any]:
        assert {name: one.shape for name, one in given.items()} == {"x": (1, 3, 32, 32)}
        return [SimpleNamespace(shape=self.sizes[name]) for name in names]


@pytest.fixture
def runtime() -> ModuleType:
    """What stands in the place of onnxruntime."""
    options = SimpleNamespace(add_session_config_entry=lambda key, value: None)
    runtime = ModuleType("onnxruntime")
    vars(runtime).update(
        InferenceSession=Session,
        SessionOptions=lambda: options,
        GraphOptimizationLevel=SimpleNamespace(ORT_DISABLE_ALL=0),
        __spec__=ModuleSpec("onnxruntime", None),
    )
    return runtime


def test_every_tensor_is_held_against_onnxruntime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: ModuleType
) -> None:
    path = written(tmp_path, small())
    network = network_of(find(path))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as where it is not installed
    assert held(network) == ()
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    found = {check.layer: (check.status, check.says, check.found) for check in held(network)}
    assert found.pop("d") == ("failed", "1x8x16x16", "1x8x16x15")
    assert {status for status, *_ in found.values()} == {"passed"}
    assert list(found) == ["a", "b", "c", "e", "f", "y"]

    def refuse(*args: Any) -> None:
        raise RuntimeError("no such operator\x1b[2J")

    monkeypatch.setattr(runtime, "InferenceSession", refuse)
    with pytest.raises(archlens.UsageError, match=r"onnxruntime does not run .*net\.onnx") as raised:
        held(network)
    assert str(raised.value).endswith("no such operator\\x1b[2J")


def test_lists_of_tensors_are_not_asked_of_onnxruntime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: ModuleType
) -> None:
    class Lists(Session):
        def __init__(self, data: bytes, options: Any, providers: Any) -> None:
            self.sizes = {"a": (1, 1, 32, 32), "y": (1, 1, 32, 32)}

    nodes = [
        node("SplitToSequence", "x", "l", axis=1),
        node("SequenceAt", "l two", "a"),
        node("Relu", "a", "y"),
    ]
    data = model(nodes, [tensor("two", [], [2], 7)], [X], [field(1, "y")])
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    monkeypatch.setattr(runtime, "InferenceSession", Lists)
    assert [check.layer for check in held(network_of(find(written(tmp_path, data))))] == ["a", "y"]


@pytest.mark.slow
def test_verify_says_what_onnxruntime_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: ModuleType
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    code, out = run("verify", written(tmp_path, small()))
    assert code == 1
    assert "d, tensors: archlens says 1x8x16x16, onnxruntime has 1x8x16x15" in out
    assert "6/7" in out


# --- large and hostile files --------------------------------------------------------------------------


def test_weights_are_neither_read_nor_needed(tmp_path: Path) -> None:
    """Two gigabytes of zeros, which take no room on the disk; and weights in another file that is absent."""
    size = 2**31 - 2**20
    held = field(1, size // 4096) + field(1, 1024) + field(2, 1) + field(8, "fc.weight")
    held += varint(9 << 3 | 2) + varint(size)
    bias = field(1, size // 4096) + field(2, 1) + field(8, "fc.bias") + field(14, 1)
    bias += field(13, field(1, "location") + field(2, "absent.bin"))
    rest = graph(
        [node("Gemm", "x fc.weight fc.bias", "y", "/fc/Gemm", transB=1)],
        [bias],
        [info("x", [1, 1024])],
        [info("y", [1, size // 4096])],
    )
    path = tmp_path / "large.onnx"
    with open(path, "wb") as file:
        inner = varint(5 << 3 | 2) + varint(len(held) + size) + held
        file.write(field(1, 8) + varint(7 << 3 | 2) + varint(len(inner) + size + len(rest)) + inner)
        file.seek(size, 1)
        file.write(rest + field(8, field(1, "") + field(2, 17)))
    loaded(tmp_path, small())  # what is imported takes memory, too
    tracemalloc.start()
    network = network_of(find(str(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert network.params == (1024 + 1) * (size // 4096)
    assert peak < 5_000_000


def test_names_that_are_none(tmp_path: Path) -> None:
    nodes = [
        node("Relu", "x", "a", "x"),
        node("Relu", "a", "b", "x"),
        node("Relu", "b", "y", "/x/x.\n\x1b/Relu"),
    ]
    network = loaded(tmp_path, model(nodes, [], [X], [info("y", [1, 3, 32, 32])]))
    assert len(network) == 3
    assert all(layer.name.isprintable() for layer in network)
    bad = field(1, "x") + field(1, "w\n\x1b[2J.weight") + field(2, "y") + field(4, "Conv")
    data = model([bad], [tensor("w\n\x1b[2J.weight", [4, 3, 1, 1])], [X], [info("y", [1, 4, 32, 32])])
    network = loaded(tmp_path, data)
    assert all(layer.key("weight").isprintable() for layer in network)


@pytest.mark.parametrize("seed", range(4))
def test_cut_and_changed_files_are_diagnostics(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    data = small()
    for _ in range(60):
        changed = bytearray(data)
        if draw.random() < 0.3:
            changed = changed[: draw.randrange(len(data))]
        for _ in range(draw.choice([1, 1, 3]) if changed else 0):
            changed[draw.randrange(len(changed))] = draw.randrange(256)
        with suppress(archlens.ArchlensError):
            loaded(tmp_path, bytes(changed))


def test_a_long_chain_without_names_takes_time_in_proportion(tmp_path: Path) -> None:
    """Each layer is called by its op and a number, which goes on from that of the one before."""

    def calls(count: int) -> int:
        chain = [node("Relu", f"t{i}" if i else "x", f"t{i + 1}") for i in range(count)]
        data = model(chain, [], [X], [field(1, f"t{count}")])
        return calls_made(lambda: loaded(tmp_path, data))

    calls(10)  # what is imported and remembered once
    assert calls(400) < 4.5 * calls(100)


def test_too_many_fields_and_nodes_are_refused(tmp_path: Path) -> None:
    many = {
        "more than 20 nodes, the most that are read": field(7, b"\x0a\x00" * 21),
        "more than 1,000 fields, the most that are read of a file": field(7, b"\x98\x06\x00" * 1001),
    }
    for said, data in many.items():
        with allowing(10), pytest.raises(archlens.SpecError, match=said):
            find(written(tmp_path, data)).network(None, {})


# --- what does not fit --------------------------------------------------------------------------------

WRONG = {
    "reads nothing": (
        [node("Relu", "q", "y", "act")],
        'node 0 "act" (Relu): it reads q, which nothing before it makes',
    ),
    "twice": (
        [node("Relu", "x", "y"), node("Tanh", "x", "y")],
        "node 1 (Tanh): it makes y, which another node makes already",
    ),
    "channels": (
        [node("Conv", "x w", "y", "first")],
        'node 0 "first" (Conv): its weight of 8x4x3x3 in 1 groups is not for 3 channels',
    ),
    "window": (
        [node("MaxPool", "x", "y", kernel_shape=[40, 3])],
        "node 0 (MaxPool): its window of 40 is larger than 32 and its padding of 0 + 0",
    ),
    "attribute": (
        [node("MaxPool", "x", "y", kernel_shape="three")],
        "node 0 (MaxPool): its attribute kernel_shape is not a list",
    ),
    "unknown": (
        [node("Twist", "x", "y", domain="my.ops")],
        "node 0 (Twist): what comes out of my.ops.Twist is not known",
    ),
    "no output": ([node("Relu", "x", "z")], "nothing makes its output y"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_its_node(tmp_path: Path, case: str) -> None:
    nodes, said = WRONG[case]
    outputs = [info("y", ["n"]) if case == "unknown" else info("y", [1, 3, 32, 32])]
    if case == "unknown":
        outputs = [info("y", [1, "n"])]
    path = written(tmp_path, model(nodes, [tensor("w", [8, 4, 3, 3])], [X], outputs))
    code, out = run("shapes", path)
    assert code == 1
    assert f"error: {path}: {said}" in out.replace("\n       ", " ")


BROKEN = {
    "empty": (b"", "it holds no graph"),
    "text": (b"no model at all", "byte"),
    "cut": (small()[:200], "ends at"),
    "two graphs": (small() + small(), "a second graph begins at byte"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_model_is_refused(tmp_path: Path, case: str) -> None:
    data, said = BROKEN[case]
    code, out = run("shapes", written(tmp_path, data))
    assert code == 1
    assert "is not a readable ONNX model" in out
    assert said in out


def test_a_graph_made_for_one_sample_that_says_any_number(tmp_path: Path) -> None:
    """As exporters write one that was traced with one sample: the sizes of a view hold it."""
    nodes = [
        node("MatMul", "x w", "a"),
        node("Reshape", "a sizes", "b"),
        node("Transpose", "b", "c", perm=[0, 2, 1, 3]),
        node("Reshape", "c back", "y"),
    ]
    held = [
        tensor("w", [8, 12]),
        tensor("sizes", [4], [1, 5, 3, 4], 7),
        tensor("back", [3], [1, 15, 4], 7),
    ]
    data = model(nodes, held, [info("x", ["batch", 5, 8])], [info("y", ["batch", 15, 4])])
    network = loaded(tmp_path, data)
    assert network.output == (15, 4)
    assert network.macs == 5 * 8 * 12
    wrong = model([nodes[0]], held, [info("x", ["batch", 5, 7])], [info("a", ["batch", 5, 12])])
    with pytest.raises(archlens.SpecError):
        loaded(tmp_path, wrong)


@pytest.mark.parametrize(
    ("ids", "ops", "params"),
    [
        ([0] * 6, ["embedding", "parameter", "slice", "add"], 40 + 3 * 8),  # as BERT's types of tokens
        ([2] * 6, ["embedding", "parameter", "slice", "add"], 40 + 3 * 8),
        ([-1] * 6, ["embedding", "parameter", "slice", "add"], 40 + 3 * 8),
        ([0, 1, 2, 0, 1, 2], ["embedding", "add"], 40 + 3 * 8),  # no op: it stays opaque
    ],
)
def test_rows_of_a_table_by_constant_ids(tmp_path: Path, ids: list[int], ops: list[str], params: int) -> None:
    nodes = [node("Gather", "table x", "words"), node("Gather", "types ids", "rows")]
    nodes.append(node("Add", "words rows", "y"))
    held = [tensor("table", [5, 8]), tensor("types", [3, 8]), tensor("ids", [1, 6], ids, 7)]
    network = loaded(tmp_path, model(nodes, held, [info("x", [1, 6], 7)], [info("y", [1, 6, 8])]))
    assert network.output == (6, 8)
    assert network.params == params
    assert ["opaque" in layer.op.kind for layer in network] == [False] * (len(ops) - 1) + [len(ops) == 2]
    if len(ops) > 2:
        assert [layer.op.kind for layer in network] == ops
        first = ids[0] % 3
        picked = network.layers[2].op
        assert (picked.start, picked.stop or 3) == (first, first + 1)  # type: ignore[attr-defined]


def test_rows_of_a_table_one_after_the_other_are_positions(tmp_path: Path) -> None:
    nodes = [node("Gather", "table x", "words"), node("Gather", "places ids", "rows")]
    nodes.append(node("Add", "words rows", "y"))
    ids = tensor("ids", [1, 6], [2, 3, 4, 5, 6, 7], 7)
    held = [tensor("table", [5, 8]), tensor("places", [9, 8]), ids]
    network = loaded(tmp_path, model(nodes, held, [info("x", [1, 6], 7)], [info("y", [1, 6, 8])]))
    assert [layer.op.kind for layer in network] == ["embedding", "position_embedding"]
    assert network.params == 5 * 8 + 9 * 8


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 8])
def test_heads_beside_one_sample_are_joined_again(tmp_path: Path, steps: int) -> None:
    """As both exporters write torch's attention for one sample: its steps first, then its heads."""
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("Reshape", "t apart", "h"),
        node("Transpose", "h", "a", perm=[1, 0, 2]),
        node("Softmax", "a", "b", axis=-1),
        node("Transpose", "b", "c", perm=[1, 0, 2]),
        node("Reshape", "c joined", "d"),
        node("Gemm", "d w", "e"),
        node("Reshape", "e whole", "f"),
        node("Transpose", "f", "y", perm=[1, 0, 2]),
    ]
    sizes = {"apart": [steps, 2, 4], "joined": [steps, 8], "whole": [steps, 1, 6]}
    held = [tensor("w", [8, 6]), *(tensor(name, [len(one)], one, 7) for name, one in sizes.items())]
    data = model(nodes, held, [info("x", [1, steps, 8])], [info("y", [1, steps, 6])])
    network = loaded(tmp_path, data)
    assert network.output == (steps, 6)
    assert (network.params, network.macs) == (8 * 6, steps * 8 * 6)


def test_attention_of_one_step_and_one_sample(tmp_path: Path) -> None:
    """As torch's newer exporter writes it, all of whose axes but heads and channels are one long."""
    views = {
        "thirds": [1, 1, 3, 8],
        "heads": [1, 2, 4],
        "one": [1, 2, 1, 4],
        "flat": [1, 8],
        "whole": [1, 1, 8],
    }
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node("MatMul", "t in", "i"),
        node("Reshape", "i thirds", "parts"),
        node("Unsqueeze", "parts zero", "u"),
        node("Transpose", "u", "r", perm=[3, 1, 2, 0, 4]),
        node("Squeeze", "r behind", "s"),
    ]
    for i, one in enumerate("qkv"):
        nodes += [
            node("Gather", f"s n{i}", one, axis=0),
            node("Reshape", f"{one} heads", f"{one}1"),
            node("Transpose", f"{one}1", f"{one}2", perm=[1, 0, 2]),
            node("Reshape", f"{one}2 one", f"{one}3"),
        ]
    nodes += [
        node("Transpose", "k3", "k4", perm=[0, 1, 3, 2]),
        node("MatMul", "q3 k4", "scores"),
        node("Softmax", "scores", "shares", axis=-1),
        node("MatMul", "shares v3", "seen"),
        node("Transpose", "seen", "turned", perm=[2, 0, 1, 3]),
        node("Reshape", "turned flat", "f"),
        node("Gemm", "f out", "g"),
        node("Reshape", "g whole", "w"),
        node("Transpose", "w", "y", perm=[1, 0, 2]),
    ]
    held = [tensor("in", [8, 24]), tensor("out", [8, 8])]
    held += [tensor(name, [len(one)], one, 7) for name, one in views.items()]
    held += [tensor("zero", [1], [0], 7), tensor("behind", [1], [-2], 7)]
    held += [tensor(f"n{i}", [], [i], 7) for i in range(3)]
    network = loaded(tmp_path, model(nodes, held, [info("x", [1, 1, 8])], [info("y", [1, 1, 8])]))
    assert network.output == (1, 8)
    assert (network.params, network.macs) == (8 * 24 + 8 * 8, 8 * 24 + 8 * 8 + 2 * 8)
    assert any(layer.op.kind == "attention" for layer in network)


@pytest.mark.parametrize(
    ("op", "attributes", "expected"),
    [
        ("SpaceToDepth", {}, 'rearrange("c (h1=4 h2=2) (w1=3 w2=2) -> (h2 w2 c) h1 w1", channels="first")'),
        ("SpaceToDepth", {"mode": "CRD"}, "pixel_unshuffle(2)"),
        ("DepthToSpace", {}, 'rearrange("(c1=2 c2=2 c3=3) h w -> c3 (h c1) (w c2)", channels="first")'),
        ("DepthToSpace", {"mode": "CRD"}, "pixel_shuffle(2)"),
    ],
)
def test_squares_of_pixels_and_channels(
    tmp_path: Path, op: str, attributes: dict[str, str], expected: str
) -> None:
    """By the definitions of ONNX: the places within a square come before the channels, unless it is CRD."""
    sizes = [3, 8, 6] if op == "SpaceToDepth" else [12, 4, 3]
    other = [12, 4, 3] if op == "SpaceToDepth" else [3, 8, 6]
    nodes = [node(op, "x", "a", blocksize=2, **attributes), node("Conv", "a w", "y")]
    data = model(
        nodes,
        [tensor("w", [5, other[0], 1, 1])],
        [info("x", ["n", *sizes])],
        [info("y", ["n", 5, *other[1:]])],
    )
    network = loaded(tmp_path, data)
    assert str(network.layers[0].op) == expected
    assert list(network.layers[0].shape) == other
    assert list(network.output) == [5, *other[1:]]


def test_what_onnxruntime_quantizes_by_operators(tmp_path: Path) -> None:
    """As ``quantize_static`` writes it with ``QuantFormat.QOperator``: 5 rows of 8 weights."""
    nodes = [
        node(
            "QLinearAveragePool",
            "x s z s z",
            "p",
            domain="com.microsoft",
            kernel_shape=[2, 2],
            strides=[2, 2],
        ),
        node("QLinearWhere", "mask p s z p s z s z", "q", domain="com.microsoft"),
        node("Flatten", "q", "f"),
        node("QGemm", "f s z w s z b s z", "y", domain="com.microsoft", transB=1, alpha=1.0),
    ]
    held = [
        tensor("s", [], [1]),
        tensor("z", [], [0], 2),
        tensor("w", [5, 8], None, 3),
        tensor("b", [5], None, 6),
    ]
    held.append(tensor("mask", [2, 1, 1], [1, 0], 9))
    data = model(nodes, held, [info("x", ["n", 2, 4, 4], 2)], [info("y", ["n", 5], 2)])
    network = loaded(tmp_path, data)
    assert [tuple(layer.shape) for layer in network] == [(2, 2, 2), (2, 2, 2), (8,), (5,)]
    assert [str(layer.op) for layer in network] == [
        "avg_pool(2, count_include_pad=false)",
        "where",
        "flatten",
        "linear(5)",
    ]
    (linear,) = [layer for layer in network if layer.params]
    assert network.dtypes == {f"{linear.name}.weight": "int8", f"{linear.name}.bias": "int32"}
    assert archlens.study(network).memory().stored == 5 * 8 + 5 * 4
    assert (network.params, network.macs) == (5 * 8 + 5, 5 * 8)
    assert not network.unknown


def test_layers_on_whole_numbers_are_those_on_what_they_stand_for(tmp_path: Path) -> None:
    """The operators of ``com.microsoft`` one behind the other, on a map of 6 by 6 with 2 channels."""
    nodes = [
        node("QLinearConv", "x s z w s z s z b", "c", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        node("QLinearLeakyRelu", "c s z s z", "l", domain="com.microsoft", alpha=0.25),
        node("QLinearAdd", "l s z c s z s z", "a", domain="com.microsoft"),
        node("QLinearConcat", "s z a s z c s z", "j", domain="com.microsoft", axis=1),
        node("QLinearSigmoid", "j s z s z", "g", domain="com.microsoft"),
        node("QLinearMul", "j s z g s z s z", "m", domain="com.microsoft"),
        node("QLinearGlobalAveragePool", "m s z s z", "p", domain="com.microsoft", channels_last=0),
        node("Flatten", "p", "f"),
        node("QLinearMatMul", "f s z v s z s z", "d"),
        node("QLinearAdd", "d s z o s z s z", "e", domain="com.microsoft"),
        node("QLinearSoftmax", "e s z s z", "y", domain="com.microsoft", opset=13, axis=-1),
    ]
    held = [number("s", 0.1), tensor("z", [], [0], 2), tensor("w", [4, 2, 3, 3], None, 3)]
    held += [tensor("b", [4], None, 6), tensor("v", [8, 10], None, 3), tensor("o", [10], None, 2)]
    network = loaded(tmp_path, model(nodes, held, [info("x", ["n", 2, 6, 6], 2)], [info("y", ["n", 10], 2)]))
    assert [str(layer.op) for layer in network] == [
        "conv(4, 3, padding=1)", "leaky_relu(slope=0.25)", "add", "concat", "silu",
        "global_avg_pool", "flatten", "linear(10)", "softmax",
    ]  # fmt: skip
    assert network.params == 4 * 2 * 9 + 4 + 8 * 10 + 10
    assert network.macs == 4 * 2 * 9 * 36 + 8 * 10
    assert [axis.size for axis in archlens.study(network).receptive_fields[network.layers[0].name]] == [3, 3]


@pytest.mark.parametrize("biased", [True, False])
def test_a_product_of_whole_numbers_with_scales_that_are_measured_is_one_layer(
    tmp_path: Path, biased: bool
) -> None:
    """As ``quantize_dynamic`` writes it: 6 positions of 8 channels, and tables of 20 and of 9 rows."""
    nodes = [
        node("Gather", "table ids", "rows"),
        node("DequantizeLinear", "rows one zero", "words"),
        node("Gather", "places first", "lines"),
        node("DequantizeLinear", "lines one zero", "positions"),
        node("Add", "words positions", "x"),
        node("DynamicQuantizeLinear", "x", "q scale at"),
        node("MatMulInteger", "q w at zero", "p"),
        node("Cast", "p", "c", to=1),
        node("Mul", "scale fc.weight_scale", "both"),
        node("Mul", "c both", "m" if biased else "y"),
        *([node("Add", "bias m", "y")] if biased else []),
    ]
    held = [number("one", 0.1), number("fc.weight_scale", 0.1), tensor("zero", [], [0], 2)]
    held += [tensor("table", [20, 8], kind=2), tensor("w", [8, 5], kind=3), tensor("bias", [5])]
    held += [tensor("places", [9, 8], kind=2), tensor("first", [1, 6], [*range(6)], 7)]
    data = model(nodes, held, [info("ids", ["n", 6], 7)], [info("y", ["n", 6, 5])])
    network = loaded(tmp_path, data)
    assert [str(layer.op) for layer in network] == [
        "embedding(8)",
        "position_embedding(positions=9)",
        "linear(5)" if biased else "linear(5, bias=false)",
    ]
    assert str(network.input) == "6 of 20"
    assert network.params == 20 * 8 + 9 * 8 + 8 * 5 + 5 * biased
    assert network.macs == 6 * 8 * 5


def test_logarithms_of_zero_among_what_follows_from_sizes(tmp_path: Path) -> None:
    """As T5 finds the buckets of its biases: where a distance is small, the logarithm is not read."""
    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s one", "n"),
        node("Range", "nil n step", "r"),
        node("Cast", "r", "f", to=1),
        node("Log", "f", "g"),
        node("Cast", "g", "i", to=7),
        node("Less", "r two", "small"),
        node("Where", "small r i", "places"),
        node("Gather", "x places", "y", axis=1),
    ]
    held = [tensor(name, [], [n], 7) for name, n in (("one", 1), ("nil", 0), ("step", 1), ("two", 2))]
    network = loaded(tmp_path, model(nodes, held, [info("x", ["n", 4, 5])], [info("y", ["n", 4, 5])]))
    assert tuple(network.output) == (4, 5)


def test_what_is_computed_of_sizes_is_what_torch_computes() -> None:
    """Each operator on numbers of each kind, also on those at which it has no value."""
    import torch

    from archlens.lowering.numbers import EACH, Numbers, each, whole

    real = [0.0, -0.0, 1.0, -1.0, 2.5, -2.5, 3.0, 800.0, math.inf, -math.inf, math.nan]
    integers = [1, -1, 2, -3, 7]
    for name in EACH:
        for values in (real, integers):
            few = [[a] for a in values]
            pairs = [[a, b] for a in values for b in values]
            count = {"where": 3, "neg": 1, "abs": 1, "floor": 1, "ceil": 1, "sqrt": 1, "reciprocal": 1}
            count |= {"exp": 1, "log": 1, "sign": 1, "logical_not": 1}
            rows = few if count.get(name, 2) == 1 else pairs
            if name == "where":
                rows = [[a > b, a, b] for a, b in pairs if a == a and b == b]
            if name == "pow":
                rows = [
                    [a, b] for a, b in pairs if abs(a) < 700 and abs(b) < 60 and (b >= 0 or values is real)
                ]
            for row in rows:
                found = each(name, *(Numbers((), [one]) for one in row))
                assert found is not None
                given = [torch.tensor(one, dtype=torch.float64 if values is real else None) for one in row]
                how = {"rounding_mode": "trunc"} if name == "div" and values is integers else {}
                if name == "where":
                    given[0] = given[0].bool()
                expected = getattr(torch, name)(*given, **how).item()
                (value,) = found.values
                if name == "sign" and row[0] != row[0]:
                    continue  # of which torch makes nothing, and ONNX does not say what
                assert value == pytest.approx(expected, nan_ok=True), (name, row)
    assert [whole(one) for one in (2.7, -2.7, -math.inf)] == [2, -2, torch.iinfo(torch.int64).min]


def test_a_file_that_is_laid_out_for_one_processor_is_said_to_be(tmp_path: Path) -> None:
    """As onnxruntime saves one at ``ORT_ENABLE_ALL``."""
    nodes = [node("Conv", "x w", "y", domain="com.microsoft.nchwc"), node("Relu", "y", "z")]
    data = model(nodes, [tensor("w", [8, 3, 1, 1])], [info("x", ["n", 3, 4, 4])], [info("z", ["n", 8, 4, 4])])
    with pytest.raises(archlens.SpecError, match=r"for one processor: .* ORT_ENABLE_EXTENDED"):
        loaded(tmp_path, data)


def test_an_expansion_beside_samples_that_are_written_into_it(tmp_path: Path) -> None:
    """Four windows of each of two samples, whose norms are spread over their channels."""
    nodes = [
        node("Reshape", "x windows", "w"),
        node("ReduceMax", "w", "m", axes=[2], keepdims=1),
        node("Expand", "m whole", "e"),
        node("Sub", "w e", "y"),
    ]
    held = [tensor("windows", [3], [8, 3, 5], 7), tensor("whole", [3], [8, 3, 5], 7)]
    network = loaded(tmp_path, model(nodes, held, [info("x", [2, 4, 3, 5])], [info("y", [8, 3, 5])]))
    assert network.inputs == {"input": (4, 3, 5)}
    assert network.macs == 0


def test_weights_behind_constants_are_found_within_bounds(tmp_path: Path) -> None:
    """Each layer is given the product of all weights before it: half a million of them in a small file."""

    def data(count: int) -> bytes:
        nodes = [node("Mul", f"{f'k{i - 1}' if i else 'w0'} w{i}", f"k{i}") for i in range(count)]
        nodes += [node("Add", f"{f'a{i - 1}' if i else 'x'} k{i}", f"a{i}") for i in range(count)]
        held = [tensor(f"w{i}", [8]) for i in range(count)]
        return model(nodes, held, [info("x", [1, 8])], [info(f"a{count - 1}", [1, 8])])

    assert loaded(tmp_path, data(3)).params == 3 * 8
    with pytest.raises(archlens.SpecError, match="takes more than 250,000 steps"):
        loaded(tmp_path, data(1000))


def test_functions_of_a_weight_are_laid_out_within_bounds(tmp_path: Path) -> None:
    """Each layer is given one more function of a weight: a quarter of a million layers in a small file."""

    def data(count: int) -> bytes:
        nodes = [node("Tanh", f"k{i - 1}" if i else "w", f"k{i}") for i in range(count)]
        nodes += [node("Add", f"{f'a{i - 1}' if i else 'x'} k{i}", f"a{i}") for i in range(count)]
        return model(nodes, [tensor("w", [8])], [info("x", [1, 8])], [info(f"a{count - 1}", [1, 8])])

    assert [layer.op.kind for layer in loaded(tmp_path, data(2))].count("tanh") == 3
    with allowing(3_000):  # of which there would be 125,250
        assert loaded(tmp_path, data(500)).params == 8


#: What onnxruntime makes one operator of, on ten positions of 16 channels: of each how it stands in a file,
#: the weights, what it becomes, and of it the output, the parameters and the multiply-accumulates; by its
#: definition in onnxruntime's ContribOperators.md. Onnxruntime 1.32 gave the same shapes.
FUSED: dict[str, tuple[bytes, dict[str, tuple[int, ...]], list[str], tuple[int, ...], int, int]] = {
    "attention and its matrix": (
        node("Attention", "x w b", "y", domain="com.microsoft", num_heads=4, unidirectional=1),
        {"w": (16, 48), "b": (48,)},
        ["linear(48)", "attention(4, causal=true)"],
        (10, 16),
        16 * 48 + 48,
        10 * 16 * 48 + 2 * 10 * 10 * 16,
    ),
    "attention with a mask": (
        node("Attention", "x w b mask", "y", domain="com.microsoft", num_heads=4),
        {"w": (16, 48), "b": (48,), "mask": (2, 10)},
        ["linear(48)", "Attention"],
        (10, 16),
        16 * 48 + 48,
        10 * 16 * 48 + 2 * 10 * 10 * 16,
    ),
    "heads": (
        node("MultiHeadAttention", "x x x", "y", domain="com.microsoft", num_heads=4),
        {},
        ["attention(1)"],
        (10, 16),
        0,
        2 * 10 * 10 * 16,
    ),
    "groups of queries": (
        node("GroupQueryAttention", "x", "y k v", domain="com.microsoft", num_heads=2, kv_num_heads=1),
        {},
        ["attention(2, kv_heads=1, causal=true)"],
        (10, 8),
        0,
        2 * 10 * 10 * 8,
    ),
    "a norm of a sum": (
        node("SkipLayerNormalization", "x x g b", "y", domain="com.microsoft", epsilon=1e-5),
        {"g": (16,), "b": (16,)},
        ["add", "layer_norm"],
        (10, 16),
        32,
        0,
    ),
    "a norm of a sum without a mean": (
        node("SkipSimplifiedLayerNormalization", "x x g", "y", domain="com.microsoft", epsilon=1e-5),
        {"g": (16,)},
        ["add", "rms_norm(eps=1e-05)"],
        (10, 16),
        16,
        0,
    ),
    "a norm without a mean": (
        node("SimplifiedLayerNormalization", "x g", "y", epsilon=1e-5),
        {"g": (16,)},
        ["rms_norm(eps=1e-05)"],
        (10, 16),
        16,
        0,
    ),
    "gelu by sigmoid": (
        node("QuickGelu", "x", "y", domain="com.microsoft"),
        {},
        ["scale(1.702)", "sigmoid", "multiply"],
        (10, 16),
        0,
        0,
    ),
    "gelu by tanh": (
        node("FastGelu", "x", "y", domain="com.microsoft"),
        {},
        ['gelu(approximate="tanh")'],
        (10, 16),
        0,
        0,
    ),
    "a product by a number": (
        node("FusedMatMul", "x w", "y", domain="com.microsoft", transB=1, alpha=0.5),
        {"w": (7, 16)},
        ["linear(7, bias=false)", "scale(0.5)"],
        (10, 7),
        7 * 16,
        10 * 7 * 16,
    ),
    "weights of four bits": (
        node("MatMulNBits", "x w s", "y", domain="com.microsoft", K=16, N=7, bits=4, block_size=16),
        {"w": (7, 1, 8), "s": (7,)},
        ["MatMulNBits"],
        (10, 7),
        7 * 16 + 7,
        10 * 7 * 16,
    ),
    "angles": (
        node("RotaryEmbedding", "x p c s", "y", domain="com.microsoft", num_heads=2),
        {"p": (1,), "c": (20, 4), "s": (20, 4)},
        ["RotaryEmbedding"],
        (10, 16),
        2 * 20 * 4,
        0,
    ),
}


@pytest.mark.parametrize("one", FUSED)
def test_what_onnxruntime_fuses(one: str, tmp_path: Path) -> None:
    data, weights, kinds, output, params, macs = FUSED[one]
    whole = {"p": 7, "mask": 6}
    held = [
        tensor(name, sizes, kind=whole.get(name, 2 if name == "w" and len(sizes) == 3 else 1))
        for name, sizes in weights.items()
    ]
    network = loaded(tmp_path, model([data], held, [info("x", [2, 10, 16])], [info("y", [2, *output])]))
    moves = ("reshape", "rearrange", "transpose", "channels_last", "slice")
    assert [str(layer.op) for layer in network if layer.op.kind not in moves] == kinds
    assert (network.output, network.params, network.macs, dict(network.unknown)) == (output, params, macs, {})


def test_rows_of_tables_added_and_normed(tmp_path: Path) -> None:
    names = {"words": (30, 16), "places": (12, 16), "kinds": (2, 16), "g": (16,), "b": (16,)}
    data = node(
        "EmbedLayerNormalization", "ids segments words places kinds g b", "y m", domain="com.microsoft"
    )
    inputs = [info("ids", [2, 10], 6), info("segments", [2, 10], 6)]
    held = [tensor(name, sizes) for name, sizes in names.items()]
    network = loaded(tmp_path, model([data], held, inputs, [info("y", [2, 10, 16])]))
    assert network.output == (10, 16)
    assert (network.params, network.macs) == (30 * 16 + 12 * 16 + 2 * 16 + 32, 0)


def test_biases_that_onnxruntime_adds_elsewhere_are_those_of_their_products(tmp_path: Path) -> None:
    """As its optimizer of transformers writes them: the bias of a product stands in the norm or the gelu."""
    nodes = [
        node("EmbedLayerNormalization", "ids - words places - g b - at", "e m", domain="com.microsoft"),
        node("MatMul", "e w", "p"),
        node("SkipLayerNormalization", "p e g b o", "n", domain="com.microsoft"),
        node("MatMul", "n v", "q"),
        node("BiasGelu", "q c", "y", domain="com.microsoft"),
    ]
    sizes = {"words": (30, 16), "places": (12, 16), "w": (16, 16), "v": (16, 20), "c": (20,)}
    sizes |= dict.fromkeys("gbo", (16,))
    held = [tensor(name, one) for name, one in sizes.items()] + [tensor("at", [1, 10], [*range(10)], 6)]
    network = loaded(tmp_path, model(nodes, held, [info("ids", ["n", 10], 6)], [info("y", ["n", 10, 20])]))
    assert [str(layer.op) for layer in network] == [
        "embedding(16)", "position_embedding(positions=12)", "layer_norm(eps=1e-12)",
        "linear(16)", "add", "layer_norm(eps=1e-12)", "linear(20)", "gelu",
    ]  # fmt: skip
    assert network.params == sum(map(prod, sizes.values()))
    assert network.macs == 10 * 16 * 16 + 10 * 16 * 20


@pytest.mark.parametrize(
    ("folded", "params"),
    [("['zeros', 'val_3']", 0), ("['a.mask', 'val_3']", 100), ("", 100), ("['cos', 'a.inv_freq']", 0)],
)
def test_a_mask_or_angles_that_an_exporter_computed_are_no_weight(
    folded: str, params: int, tmp_path: Path
) -> None:
    """The file says what it was computed of; what is a module's own has a dot in its name."""
    data = [node("MatMul", "x x", "s"), node("Add", "s where", "y")]
    where = info("where", [1, 1, 10, 10])
    if folded:
        where += field(4, field(1, "pkg.onnxscript.optimizer.folded_from") + field(2, folded))
    held = [tensor("where", [1, 1, 10, 10])]
    whole = graph(data, held, [info("x", ["n", 2, 10, 10])], [info("y", ["n", 2, 10, 10])]) + field(13, where)
    network = loaded(tmp_path, field(1, 8) + field(7, whole) + field(8, field(1, "") + field(2, 17)))
    assert (network.params, network.macs) == (params, 2 * 10**3)
    held = [tensor("where", [1, 1, 10, 10], [i % 7 for i in range(100)])]  # which is no mask that has a name
    whole = graph(data, held, [info("x", ["n", 2, 10, 10])], [info("y", ["n", 2, 10, 10])]) + field(13, where)
    network = loaded(tmp_path, field(1, 8) + field(7, whole) + field(8, field(1, "") + field(2, 17)))
    assert network.params == params


@pytest.mark.parametrize(("rows", "classes", "how"), [(3, 3, "SOFTMAX"), (1, 2, "LOGISTIC"), (2, 2, "NONE")])
def test_a_linear_classifier_of_scikit_learn(rows: int, classes: int, how: str, tmp_path: Path) -> None:
    """Its weights are attributes; of two classes there may be a score of one alone."""
    one = node(
        "LinearClassifier", "x", "label scores", domain="ai.onnx.ml", coefficients=[0.5] * (rows * 10),
        intercepts=[0.5] * rows, classlabels_ints=[*range(classes)], post_transform=how,
    )  # fmt: skip
    ends = [info("label", ["n"], 7), info("scores", ["n", classes])]
    network = loaded(tmp_path, model([one], [], [info("x", ["n", 10])], ends))
    kinds = [layer.op.kind for layer in network]
    after = {"SOFTMAX": ["softmax"], "LOGISTIC": ["sigmoid", "opaque"], "NONE": []}[how]
    assert kinds == ["linear", *after, "opaque"]
    assert (network.params, network.macs) == (rows * 10 + rows, rows * 10)
    assert {str(network[name].shape) for name in network.outputs.values()} == {"1", str(classes)}


def test_other_estimators_of_scikit_learn(tmp_path: Path) -> None:
    """A regression is a linear layer; trees multiply nothing, and what a kernel costs is not known."""
    x = info("x", ["n", 10])
    made = node("LinearRegressor", "x", "y", domain="ai.onnx.ml", coefficients=[0.5] * 20, targets=2)
    network = loaded(tmp_path, model([made], [], [x], [info("y", ["n", 2])]))
    assert [f"{one.name} {one.op}" for one in network] == ["y linear(2, bias=false)"]
    tree = node("TreeEnsembleRegressor", "x", "y", domain="ai.onnx.ml", n_targets=2)
    network = loaded(tmp_path, model([tree], [], [x], [info("y", ["n", 2])]))
    assert (network.output, network.macs, dict(network.unknown)) == ((2,), 0, {})
    kernel = node("SVMClassifier", "x", "l y", domain="ai.onnx.ml", classlabels_ints=[1, 2, 3])
    network = loaded(tmp_path, model([kernel], [], [x], [info("y", ["n", 3])]))
    assert (network.output, len(network.unknown)) == ((3,), 1)
    for bad, said in (
        ({"coefficients": [0.5] * 20, "targets": 3}, "20 coefficients and 0 intercepts are not for 3 scores"),
        ({"coefficients": [0.5] * 20, "intercepts": [0.5], "targets": 2}, "1 intercepts are not for 2"),
        ({"targets": 0}, "it says no class or target"),
    ):
        made = node("LinearRegressor", "x", "y", domain="ai.onnx.ml", **bad)
        assert said in run("shapes", written(tmp_path, model([made], [], [x], [field(1, "y")])))[1]


def test_a_classifier_of_scikit_learn(tmp_path: Path) -> None:
    """Its features are scaled by numbers of the node, and its classes named by their places."""
    nodes = [
        node("Scaler", "x", "scaled", domain="ai.onnx.ml"),
        node("Gemm", "scaled w b", "scores"),
        node("ArgMax", "scores", "best", axis=1),
        node("ArrayFeatureExtractor", "classes best", "picked", domain="ai.onnx.ml"),
        node("Reshape", "picked row", "label"),
    ]
    held = [
        tensor("w", [10, 3]),
        tensor("b", [3]),
        tensor("classes", [3], [4, 5, 6], 7),
        tensor("row", [1], [-1], 7),
    ]
    ends = [info("label", ["n"], 7), info("scores", ["n", 3])]
    network = loaded(tmp_path, model(nodes, held, [info("x", ["n", 10])], ends))
    assert [(layer.op.kind, str(layer.shape)) for layer in network] == [
        ("opaque", "10"), ("linear", "3"), ("opaque", "1"), ("opaque", "1")
    ]  # fmt: skip
    assert (network.params, network.macs, network.unknown) == (33, 30, {})
    assert sorted(str(network[name].shape) for name in network.outputs.values()) == ["1", "3"]


def test_scores_by_the_names_of_classes(tmp_path: Path) -> None:
    """As scikit-learn's classifiers give them, unless they are told not to."""
    nodes = [node("Gemm", "x w", "scores"), node("ZipMap", "scores", "y", domain="ai.onnx.ml")]
    network = loaded(tmp_path, model(nodes, [tensor("w", [10, 3])], [info("x", ["n", 10])], [field(1, "y")]))
    assert [layer.op.kind for layer in network] == ["linear"]
    assert network.output == (3,)


@pytest.mark.parametrize(("turned", "sizes"), [(0, [4, 2, 5]), (1, [5, 2, 4])])
def test_a_product_of_what_has_its_rows_before_its_heads(
    turned: int, sizes: list[int], tmp_path: Path
) -> None:
    """As onnxruntime fuses heads: the two matrices of the weights are 4x5, or 5x4 and turned then."""
    given = {"domain": "com.microsoft", "transBatchB": 1, "transB": turned}
    held = [tensor("w", sizes)]
    data = model(
        [node("FusedMatMul", "x w", "y", **given)], held, [info("x", ["n", 2, 3, 4])], [field(1, "y")]
    )
    network = loaded(tmp_path, data)
    assert (network.output, network.params, network.macs) == ((2, 3, 5), 40, 2 * 3 * 4 * 5)


@pytest.mark.parametrize(
    ("more", "windows", "kind"),
    [
        ({}, 12, "fold"),
        ({"strides": [2, 1], "pads": [1, 0, 1, 0]}, 9, "fold"),
        ({"dilations": [2, 1]}, 9, "fold"),
        ({"pads": [1, 0, 0, 0]}, 15, "opaque"),
    ],
)
def test_windows_laid_on_a_map(more: dict[str, Any], windows: int, kind: str, tmp_path: Path) -> None:
    """As torch lays them, whose loops say the number of windows; padding at one side alone has no op."""
    held = [tensor("image", [2], [5, 4], 7), tensor("block", [2], [2, 2], 7)]
    data = model(
        [node("Col2Im", "x image block", "y", **more)],
        held,
        [info("x", ["n", 12, windows])],
        [info("y", ["n", 3, 5, 4])],
        opset=18,
    )
    network = loaded(tmp_path, data)
    (layer,) = network
    assert (layer.op.kind, network.output, network.macs, network.unknown) == (kind, (3, 5, 4), 0, {})
    if kind == "fold":
        import torch

        x, pads = torch.rand(2, 12, windows), more.get("pads", [0, 0])[:2]
        given = {"stride": more.get("strides", 1), "dilation": more.get("dilations", 1)}
        expected = torch.nn.functional.fold(x, (5, 4), (2, 2), padding=pads, **given)
        assert torch.equal(archlens.build(network)(x), expected)


def test_windows_that_are_none_of_the_map(tmp_path: Path) -> None:
    held = [tensor("image", [2], [5, 4], 7), tensor("block", [2], [2, 2], 7)]
    data = model([node("Col2Im", "x image block", "y")], held, [info("x", ["n", 12, 9])], [info("y", [])])
    with pytest.raises(archlens.SpecError, match="is not 12 windows of 2x2"):
        loaded(tmp_path, data)


def test_an_input_of_an_open_length_is_asked_for_and_called_as_in_the_file(tmp_path: Path) -> None:
    data = model(
        [node("Gather", "table ids", "y")],
        [tensor("table", [30, 8])],
        [info("ids", ["batch", "length"], 7)],
        [info("y", ["batch", "length", 8])],
    )
    path = written(tmp_path, data)
    code, out = run("shapes", path)
    assert (code, "leaves the size of its input input open, which is length" in out) == (1, True)
    assert "help: give it, as in --input 128" in out
    for given in ("7", "ids=7", "input=7"):
        code, out = run("shapes", path, "--input", given)
        assert (code, "input 7 of 30" in out) == (0, True), given
    code, out = run("shapes", path, "--input", "idx=7")
    assert code == 1
    assert "has no input idx" in out
    code, out = run("claims", path)
    assert (code, out.startswith("No figure is published of ")) == (0, True)


def test_ids_that_are_compared_beside_a_table_are_verified(tmp_path: Path) -> None:
    """As RoBERTa finds its padding; nothing is planted in a vector of truth values."""
    from archlens.backends.verification import verify

    nodes = [
        node("Gather", "table ids", "rows"),
        node("MatMul", "rows w", "y"),
        node("Equal", "ids two", "same"),
        node("Cast", "same", "z", to=1),
    ]
    held = [tensor("table", [30, 8]), tensor("w", [8, 5]), tensor("two", [], [2], 7)]
    outputs = [info("y", ["n", 6, 5]), info("z", ["n", 6])]
    network = loaded(tmp_path, model(nodes, held, [info("ids", ["n", 6], 7)], outputs))
    assert str(network.input) == "6 of 30"
    found = verify(network, device="cpu")
    assert found.passed
    assert [check.status for check in found.of("field")] == ["not applicable", "passed"]


def test_a_buffer_of_a_module_is_no_weight(tmp_path: Path) -> None:
    """As torch's exporter says what each of the tensors of a file was."""
    for kind, params in (("PARAMETER", 40), ("BUFFER", 0)):
        said = field(4, field(1, "pkg.torch.export.graph_signature.InputSpec.kind") + field(2, kind))
        whole = graph(
            [node("Mul", "x a.factors", "y")],
            [tensor("a.factors", [40])],
            [info("x", ["n", 6, 40])],
            [info("y", ["n", 6, 40])],
        ) + field(13, info("a.factors", [40]) + said)
        network = loaded(tmp_path, field(1, 8) + field(7, whole) + field(8, field(1, "") + field(2, 17)))
        assert network.params == params


def test_an_activation_of_a_fused_convolution(tmp_path: Path) -> None:
    """The hard sigmoid of torch has a slope of a sixth; another one is known by its shape alone."""
    for slope, kind in ((1 / 6, "hard_sigmoid"), (0.2, "HardSigmoid")):
        data = node(
            "FusedConv",
            "x w",
            "y",
            domain="com.microsoft",
            activation="HardSigmoid",
            activation_params=[slope, 0.5],
        )
        network = loaded(
            tmp_path,
            model(
                [data], [tensor("w", [4, 3, 1, 1])], [info("x", ["n", 3, 6, 6])], [info("y", ["n", 4, 6, 6])]
            ),
        )
        assert [layer.op.kind if kind == "hard_sigmoid" else str(layer.op) for layer in network][1] == kind


@pytest.mark.parametrize(("causal", "kind"), [(0, "attention(1)"), (1, "Attention")])
def test_attention_to_keys_of_before(causal: int, kind: str, tmp_path: Path) -> None:
    """They stand before those of now; which the mask of a causal one counts from, torch says otherwise."""
    data = node("Attention", "x x x - pk pv", "y k v", q_num_heads=4, kv_num_heads=4, is_causal=causal)
    inputs = [info("x", [2, 6, 16]), *(info(name, [2, 4, 5, 4]) for name in ("pk", "pv"))]
    outputs = [info("y", [2, 6, 16]), info("k", [2, 4, 11, 4]), info("v", [2, 4, 11, 4])]
    network = loaded(tmp_path, model([data], [], inputs, outputs, opset=23))
    assert [network[name].shape for name in network.outputs.values()] == [(6, 16), (4, 11, 4), (4, 11, 4)]
    assert network.macs == 2 * 6 * 11 * 16
    assert kind in [str(layer.op) for layer in network]


def test_fused_attention_that_does_not_fit(tmp_path: Path) -> None:
    data = node("MultiHeadAttention", "x x x", "y", domain="com.microsoft", num_heads=3)
    with pytest.raises(archlens.SpecError, match="16 channels do not make 3 heads"):
        loaded(tmp_path, model([data], [], [info("x", [2, 10, 16])], [info("y", [2, 10, 16])]))


def test_verify_holds_the_rest_of_a_file_with_an_opaque_layer(tmp_path: Path) -> None:
    """What lies before and behind it is held against torch."""
    from archlens.backends.verification import verify

    nodes = [
        node("MatMul", "x w", "a"),
        node("CumSum", "a axis", "b"),
        node("MatMul", "b v", "y"),
    ]
    held = [tensor("w", [8, 6]), tensor("v", [6, 4]), tensor("axis", [], [1], 7)]
    path = written(tmp_path, model(nodes, held, [info("x", ["batch", 5, 8])], [info("y", ["batch", 5, 4])]))
    found = verify(network_of(find(path), input="5x8"))
    assert found.passed
    assert (found.opaque, found.stated) == (["cumsum"], [])
    status = {(check.layer, check.what): check.status for check in found.checks}
    assert status["linear", "macs"] == status["linear_1", "shape"] == "passed"
    assert status["cumsum", "shape"] == status["", "total"] == "not applicable"
    code, out = run("verify", path, "--format", "json")
    assert code == 0
    assert json.loads(out)["networks"][0]["opaque"] == ["cumsum"]


def opened(tmp_path: Path, name: str, channels: int) -> str:
    at = ["batch", 3, "height", "width"]
    nodes = [node("Conv", "x w", "y", strides=[2, 2])]
    held = [tensor("w", [channels, 3, 3, 3])]
    return written(tmp_path, model(nodes, held, [info("x", at)], [field(1, "y")]), name)


def test_files_with_open_sizes_are_compared(tmp_path: Path) -> None:
    """On the input that is said, or on that of the other network."""
    old, new = opened(tmp_path, "old.onnx", 4), opened(tmp_path, "new.onnx", 6)
    code, out = run("diff", old, new, "--input", "3x21x31")
    assert code == 0
    assert f"{10 * 15 * 27 * (6 - 4):+,}" in out
    code, out = run("diff", old, new)
    assert code == 1
    assert "OLD: " in out
    assert "leaves the size of its input input open, which is 3 x height x width" in out
    spec = tmp_path / "spec.yaml"
    spec.write_text("{input: 3x21x31, layers: [{conv: 'conv(6, 3, stride=2, bias=false)'}]}")
    for pair in ((str(spec), new), (new, str(spec))):
        code, out = run("diff", *pair)
        assert code == 0
        assert "The two are the same." in out


def test_open_sizes_as_letters(tmp_path: Path) -> None:
    """A window of 3 with a stride of 2 has floor((n - 3)/2) + 1 = floor((n - 1)/2) positions."""
    code, out = run("shapes", opened(tmp_path, "net.onnx", 4), "--input", "3xHxW")
    assert code == 0
    assert re.search(r"takes +H >= 3, W >= 3", out)
    assert re.search(r"conv\(4, 3, stride=2, bias=false\) +4xH2xW2 +108 +108\*H2\*W2", out)
    assert re.search(r"H2 +floor\(\(H - 1\)/2\)", out)


def test_a_batch_of_another_name_in_each_input(tmp_path: Path) -> None:
    """As torch's exporter writes two inputs whose batches are open, each by itself."""
    inputs = [info("ids", ["s72", 5]), info("mask", ["s43", 5])]
    network = loaded(tmp_path, model([node("Mul", "ids mask", "y")], [], inputs, [info("y", ["s72", 5])]))
    assert network.inputs == {"ids": (5,), "mask": (5,)}
    assert network.output == (5,)


def test_nodes_that_a_tool_has_put_there_stand_in_the_modules_around_them(tmp_path: Path) -> None:
    """As a quantizer calls them: what the exporter knew of those in whose place they are is gone."""

    def within(path: list[str]) -> bytes:
        key = "pkg.torch.onnx.name_scopes"
        return field(9, field(1, key) + field(2, str(["", *path, "op"])))

    nodes = [
        node("Relu", "x", "a", "node_relu") + within(["m", "m.layer", "m.layer.norm"]),
        node("MatMul", "a w", "b", "node_MatMul_29_quant"),
        node("Tanh", "b", "c", "node_tanh") + within(["m", "m.layer", "m.layer.act"]),
        node("MatMul", "c w", "d", "SkipLayerNorm_0"),
        node("Sigmoid", "d", "y", "node_sigmoid") + within(["m"]),
    ]
    at = [2, 5, 8]
    data = model(nodes, [tensor("w", [8, 8])], [info("x", at)], [info("y", at)])
    found = [layer.name for layer in loaded(tmp_path, data) if layer.op.kind == "linear"]
    assert found == ["m.layer.linear", "m.linear"]


def test_products_of_weights_that_an_exporter_has_worked_out(tmp_path: Path) -> None:
    """Their weights and work are said not to be there; a weight that was only turned has lost none."""
    for names, said in (
        ("['a.table', 'a.mlp.weight', 'val_2']", True),
        ("['a.mlp.weight']", False),
        ("['a.bias', 'val_3']", False),
        ("['a.conv.weight', 'a.norm.weight']", False),
    ):
        folded = field(4, field(1, "pkg.onnxscript.optimizer.folded_from") + field(2, names))
        whole = graph(
            [node("Add", "x val_4", "y")],
            [tensor("val_4", [6, 40])],
            [info("x", ["n", 6, 40])],
            [info("y", ["n", 6, 40])],
        ) + field(13, info("val_4", [6, 40]) + folded)
        path = written(tmp_path, field(1, 8) + field(7, whole) + field(8, field(1, "") + field(2, 17)))
        notes = " ".join(network_of(find(path)).origin.notes)
        wanted = "The products of a.mlp.weight with constants were computed for the file"
        assert (wanted in notes) is said


# --- rotary positions -----------------------------------------------------------------------------------


def floats(name: str, sizes: Sequence[int], values: Sequence[float], form: str = "f") -> bytes:
    """A tensor of floats: of 32 bits, of 16, or the upper halves of the former."""
    kind = {"f": 1, "e": 10, "b": 16}[form]
    upper = form == "b"
    raw = struct.pack(f"<{len(values)}{'f' if upper else form}", *values)
    raw = b"".join(raw[i + 2 : i + 4] for i in range(0, len(raw), 4)) if upper else raw
    return b"".join(field(1, n) for n in sizes) + field(2, kind) + field(8, name) + field(9, raw)


def elsewhere(name: str, sizes: Sequence[int], place: str, start: int, length: int) -> bytes:
    """A tensor whose numbers lie in another file."""
    said = {"location": place, "offset": str(start), "length": str(length)}
    entries = b"".join(field(13, field(1, key) + field(2, value)) for key, value in said.items())
    return b"".join(field(1, n) for n in sizes) + field(2, 1) + field(8, name) + entries + field(14, 1)


LENGTH, HEADS, WIDTH = 6, 2, 8


def waves(
    base: float = 500.0, faster: float = 1.0, first: int = 0, length: int = LENGTH, twice: bool = True
) -> list[list[float]]:
    """The cosines and the sines of each pair, by positions."""
    half = WIDTH // 2
    angles = [[(first + i) * faster * base ** (-k / half) for k in range(half)] for i in range(length)]
    rows = [row * 2 if twice else row for row in angles]
    return [[of(angle) for row in rows for angle in row] for of in (math.cos, math.sin)]


TURNING = [
    node("MatMul", "x w", "q"),
    node("Reshape", "q apart", "h"),
    node("Transpose", "h", "t", perm=[0, 2, 1, 3]),
    node("Slice", "t zero four last", "a"),
    node("Slice", "t four eight last", "b"),
    node("Neg", "b", "minus"),
    node("Concat", "minus a", "both", axis=-1),
    node("Mul", "t cos", "by_cos"),
    node("Mul", "both sin", "by_sin"),
    node("Add", "by_cos by_sin", "r"),
    node("Transpose", "r", "back", perm=[0, 2, 1, 3]),
    node("Reshape", "back together", "y"),
]


def turning(
    tables: Sequence[bytes], nodes: Sequence[bytes] = (), length: int | str = LENGTH, batch: int | str = 2
) -> bytes:
    """Tokens projected and turned, as exporters write that down."""
    ints = {"zero": [0], "four": [4], "eight": [8], "last": [-1]}
    shapes = {"apart": [0, -1, HEADS, WIDTH], "together": [0, -1, HEADS * WIDTH]}
    held = [tensor(name, [len(one)], one, 7) for name, one in (ints | shapes).items()]
    held.append(tensor("w", [HEADS * WIDTH, HEADS * WIDTH]))
    at = [batch, length, HEADS * WIDTH]
    return model([*nodes, *TURNING], [*held, *tables], [info("x", at)], [info("y", at)])


ONES = (1, 1, LENGTH, WIDTH)


@pytest.mark.parametrize("form", "feb")
def test_rotary_positions_of_tables_in_the_file(form: str, tmp_path: Path) -> None:
    cos, sin = waves()
    data = turning([floats("cos", ONES, cos, form), floats("sin", ONES, sin, form)])
    network = loaded(tmp_path, data)
    assert [str(layer.op) for layer in network] == ["linear(16, bias=false)", "rotary(8, base=500)"]
    assert (network.params, dict(network.unknown)) == (16 * 16, {})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"faster": 0.5}, "step=0.5"),
        ({"first": 1}, "start=1"),
        ({"first": -2, "faster": 1.001}, "start=-2.002, step=1.001"),
    ],
    ids=["slower", "late", "near"],
)
def test_rotary_positions_of_other_places(given: dict[str, Any], said: str, tmp_path: Path) -> None:
    cos, sin = waves(**given)
    network = loaded(tmp_path, turning([floats("cos", ONES, cos), floats("sin", ONES, sin)]))
    assert [str(layer.op) for layer in network][1:] == [f"rotary(8, base=500, {said})"]
    coarse = loaded(tmp_path, turning([floats("cos", ONES, cos, "e"), floats("sin", ONES, sin, "e")]))
    assert "rotary" not in [layer.op.kind for layer in coarse]  # which have too few digits to tell


@pytest.mark.parametrize("is_reversed", [False, True])
def test_rotary_positions_of_a_map(is_reversed: bool, tmp_path: Path) -> None:
    """Each axis turns its share of the pairs, as exporters write EVA-02: sines and cosines in one table."""
    places = [(row, column)[:: -1 if is_reversed else 1] for row in range(2) for column in range(3)]
    rows = [[(-1.5 + 0.5 * at) * 100 ** (-k / 2) for at in place for k in range(2)] * 2 for place in places]
    both = [of(angle) for row in rows for of in (math.sin, math.cos) for angle in row]
    table = floats("table", [LENGTH, 2 * WIDTH], both)
    data = turning([table], [node("Split", "table", "sin cos", axis=-1)])
    network = loaded(tmp_path, data)
    found = "rotary(8, base=100, grid=(2, 3), start=-1.5, step=0.5" + ", reverse=true" * is_reversed + ")"
    assert [str(layer.op) for layer in network] == ["linear(16, bias=false)", found]
    assert (network.params, dict(network.unknown)) == (16 * 16, {})


@pytest.mark.parametrize("rates", [(1, 0.5, 0.3, 0.1), (1, 0.2, 1, 0.3), (1, 1, 1, 1)])
def test_what_are_no_rotary_positions(rates: tuple[float, ...], tmp_path: Path) -> None:
    """Angles that get smaller in another way, from pair to pair or from axis to axis."""
    angles = [i * rate for i in range(LENGTH) for rate in rates * 2]
    cos, sin = ([of(angle) for angle in angles] for of in (math.cos, math.sin))
    network = loaded(tmp_path, turning([floats("cos", ONES, cos), floats("sin", ONES, sin)]))
    assert "rotary" not in [layer.op.kind for layer in network]
    assert network.output == (LENGTH, HEADS * WIDTH)


def test_one_cosine_that_is_another(tmp_path: Path) -> None:
    """Whichever it is: each of a short table is looked at."""
    for place in range(LENGTH * WIDTH):
        cos, sin = waves()
        cos[place] += 0.01
        network = loaded(tmp_path, turning([floats("cos", ONES, cos), floats("sin", ONES, sin)]))
        assert "rotary" not in [layer.op.kind for layer in network], place


def test_rotary_positions_of_tables_beside_the_file(tmp_path: Path) -> None:
    """As torch's exporter writes them; a file outside the folder is not looked at, nor one that is cut."""
    beside = tmp_path / "models"
    beside.mkdir()
    cos, sin = waves()
    count = LENGTH * WIDTH * 4
    (beside / "net.data").write_bytes(struct.pack(f"<8x{len(cos) * 2}f", *cos, *sin))
    (tmp_path / "net.data").write_bytes((beside / "net.data").read_bytes())
    (beside / "cut.data").write_bytes((beside / "net.data").read_bytes()[:-1])
    for place, kind in (
        ("net.data", True),
        ("./net.data", True),
        ("../net.data", False),
        (str(tmp_path / "net.data"), False),
        ("cut.data", False),
        ("none.data", False),
        (".", False),
        ("\0", False),
        ("/dev/zero", False),
    ):
        tables = [elsewhere("cos", ONES, place, 8, count), elsewhere("sin", ONES, place, 8 + count, count)]
        said = (
            ""
            if kind
            else r"constants that are not evaluated: cos, sin\n  = it lies in .*, which cannot be read\n"
        )
        with pytest.warns(Caution, match=said) if said else nullcontext():
            network = network_of(find(written(beside, turning(tables))))
        assert ("rotary" in [layer.op.kind for layer in network]) is kind, place


@pytest.mark.parametrize("length", [LENGTH, 5000])
def test_rotary_positions_of_an_open_length(length: int, tmp_path: Path) -> None:
    """Cosines that the graph computes of the length, which may be longer than what is computed at once."""
    steps = [
        node("Shape", "x", "n", start=1, end=2),
        node("Squeeze", "n", "count"),
        node("Range", "nought count one", "ids"),
        node("Cast", "ids", "at", to=1),
        node("Unsqueeze", "at last", "column"),
        node("Mul", "column m.inv_freq", "angles"),
        node("Concat", "angles angles", "all", axis=-1),
        node("Cos", "all", "cos"),
        node("Sin", "all", "sin"),
    ]
    rates = [500.0 ** (-k / 4) for k in range(4)]
    more = [tensor("nought", [], [0], 7), tensor("one", [], [1], 7), floats("m.inv_freq", [1, 4], rates)]
    data = turning(more, steps, "seq", "batch")
    network = loaded(tmp_path, data, str(length) + "x16")
    assert [str(layer.op) for layer in network] == ["linear(16, bias=false)", "rotary(8, base=500)"]
    assert network.params == 16 * 16


FUSED_TURNS = {
    "of onnxruntime": (node("RotaryEmbedding", "x ids cos sin", "y", domain="com.microsoft"), [2, 0, 1], 8),
    "neighbours": (
        node("RotaryEmbedding", "x ids cos sin", "y", domain="com.microsoft", interleaved=1),
        [2, 0, 1],
        8,
    ),
    "of a longer head": (
        node(
            "RotaryEmbedding",
            "x ids cos sin",
            "y",
            domain="com.microsoft",
            num_heads=1,
            rotary_embedding_dim=8,
        ),
        [2, 0, 1],
        16,
    ),
    "of ONNX": (node("RotaryEmbedding", "x cos sin ids", "y", num_heads=2), [0, 1, 2], 8),
}


@pytest.mark.parametrize("one", FUSED_TURNS)
@pytest.mark.parametrize("ids", [[0], [0, 1, 2, 3, 4, 5] * 2])
def test_rotary_positions_of_one_operator(one: str, ids: list[int], tmp_path: Path) -> None:
    data, _, head = FUSED_TURNS[one]
    if one == "of ONNX" and len(ids) == 1:
        ids = [*range(LENGTH)] * 2
    cos, sin = waves(length=20, twice=False)
    held = [floats("cos", [20, 4], cos), floats("sin", [20, 4], sin)]
    held.append(tensor("ids", [1] if len(ids) == 1 else [2, LENGTH], ids, 7))
    at = [2, LENGTH, 16]
    network = loaded(tmp_path, model([data], held, [info("x", at)], [info("y", at)], opset=23))
    part = "" if head == 8 else ", part=8"
    apart = ", interleaved=true" if one == "neighbours" else ""
    turned = [str(layer.op) for layer in network if layer.op.kind == "rotary"]
    assert turned == [f"rotary({head}{part}, base=500{apart})"]
    assert network.params == 0


@pytest.mark.parametrize(("last", "kind"), [(4199, "rotary"), (7, "RotaryEmbedding")])
def test_positions_of_a_long_sequence(last: int, kind: str, tmp_path: Path) -> None:
    """More than are computed with as values; of which the last may stand elsewhere."""
    cos, sin = waves(length=4200, twice=False)
    held = [floats("cos", [4200, 4], cos), floats("sin", [4200, 4], sin)]
    held.append(tensor("ids", [1, 4200], [*range(4199), last], 7))
    data = node("RotaryEmbedding", "x cos sin ids", "y", num_heads=2)
    at = [1, 4200, 16]
    network = loaded(tmp_path, model([data], held, [info("x", at)], [info("y", at)], opset=23))
    assert network.output == (4200, 16)
    assert kind in [str(layer.op).partition("(")[0] for layer in network]


@pytest.mark.parametrize(("low", "high", "side"), [(0.0, 9.0, 11), (2.0, 9.0, 12), (-9.0, -3.0, 7)])
def test_padding_that_is_clipped(low: float, high: float, side: int, tmp_path: Path) -> None:
    """As exporters write TensorFlow's padding: what is missing, 11 - 10 here, and not less than nothing."""
    nodes = [
        node("Shape", "x", "sizes"),
        node("Gather", "sizes last", "n"),
        node("Cast", "n", "real", to=1),
        node("Sub", "eleven real", "missing"),
        node("Clip", "missing low high", "some"),
        node("Cast", "some", "more", to=7),
        node("Concat", "none more", "pads", axis=0),
        node("Pad", "x pads", "y"),
    ]
    held = [tensor("last", [1], [3], 7), floats("eleven", [], [11.0]), tensor("none", [7], [0] * 7, 7)]
    held += [floats("low", [], [low]), floats("high", [], [high])]
    data = model(nodes, held, [info("x", ["n", 3, 10, 10])], [field(1, "y")])
    assert loaded(tmp_path, data).output == (3, 10, side)


def test_positions_that_are_an_input(tmp_path: Path) -> None:
    cos, sin = waves(length=20, twice=False)
    data = node("RotaryEmbedding", "x ids cos sin", "y", domain="com.microsoft")
    held = [floats("cos", [20, 4], cos), floats("sin", [20, 4], sin)]
    inputs = [info("x", ["n", LENGTH, 16]), info("ids", ["n", LENGTH], 7)]
    network = loaded(tmp_path, model([data], held, inputs, [info("y", ["n", LENGTH, 16])]))
    assert [str(layer.op) for layer in network][-1] == "RotaryEmbedding"
    assert network.output == (LENGTH, 16)


def test_a_decoder_whose_operator_of_attention_turns(tmp_path: Path) -> None:
    cos, sin = waves(length=20, twice=False)
    data = node(
        "GroupQueryAttention",
        "x - - - - lengths total cos sin",
        "y",
        domain="com.microsoft",
        num_heads=2,
        kv_num_heads=1,
        do_rotary=1,
    )
    held = [floats("cos", [20, 4], cos), floats("sin", [20, 4], sin)]
    held += [tensor("lengths", [2], [5, 5], 6), tensor("total", [1], [6], 6)]
    at = [2, LENGTH, 32]
    network = loaded(tmp_path, model([data], held, [info("x", at)], [info("y", [2, LENGTH, 16])]))
    assert [str(layer.op) for layer in network if layer.op.family == "attention"] == [
        "rotary(8, base=500)",
        "rotary(8, base=500)",
        "attention(2, kv_heads=1, causal=true)",
    ]


# --- what a file holds for each of its samples ------------------------------------------------------------


def masked(
    mask: bytes,
    batch: int | str,
    said: bytes = b"",
    before: Sequence[bytes] = (),
    read: str = "mask",
    heads: int = HEADS,
) -> bytes:
    nodes = [
        *before,
        node("Transpose", "x", "t", perm=[0, 1, 3, 2]),
        node("MatMul", "x t", "scores"),
        node("Add", f"scores {read}", "left"),
        node("Softmax", "left", "weights", axis=-1),
        node("MatMul", "weights x", "y"),
    ]
    at = [batch, heads, LENGTH, WIDTH]
    whole = graph(nodes, [mask], [info("x", at)], [info("y", at)]) + (field(13, said) if said else b"")
    return field(1, 8) + field(7, whole) + field(8, field(1, "") + field(2, 17))


def test_a_mask_that_stands_for_each_sample(tmp_path: Path) -> None:
    """As an exporter keeps one for the two samples that a file is written for."""
    low = -3.4e38
    rows = [[0.0 if k <= q else low for k in range(LENGTH)] for q in range(LENGTH)]
    mask = [one for row in rows for one in row]
    folded = field(4, field(1, "pkg.onnxscript.optimizer.folded_from") + field(2, "['mask']"))
    said = info("mask", [2, 1, LENGTH, LENGTH]) + folded
    for kept, causal in ((mask * 2, True), (mask + [0.0] * len(mask), False)):
        network = loaded(tmp_path, masked(floats("mask", [2, 1, LENGTH, LENGTH], kept), 2, said))
        assert any("causal=true" in str(layer.op) for layer in network) is causal
        assert network.output == (HEADS, LENGTH, WIDTH)


@pytest.mark.parametrize("length", [LENGTH, 200])
@pytest.mark.parametrize("behind", ["none", "one row", "one column"])
def test_a_mask_that_the_graph_computes(length: int, behind: str, tmp_path: Path) -> None:
    """Of the positions of queries and keys, with an open length; another one is taken for no causal mask."""
    at = ["batch", HEADS, "seq", WIDTH]
    where = {"none": "le", "one row": "le_or_row", "one column": "le_but_column"}[behind]
    nodes = [
        node("Shape", "x", "n", start=2, end=3),
        node("Squeeze", "n", "count"),
        node("Range", "nought count one", "ids"),
        node("Unsqueeze", "ids last", "column"),
        node("LessOrEqual", "ids column", "le"),
        node("Equal", "column one", "row"),
        node("Or", "le row", "le_or_row"),
        node("Equal", "ids nought", "is_first"),
        node("Not", "is_first", "others"),
        node("And", "le others", "le_but_column"),
        node("Where", f"{where} zero low", "mask"),
        node("Transpose", "x", "t", perm=[0, 1, 3, 2]),
        node("MatMul", "x t", "scores"),
        node("Add", "scores mask", "left"),
        node("Softmax", "left", "weights", axis=-1),
        node("MatMul", "weights x", "y"),
    ]
    held = [tensor("nought", [], [0], 7), tensor("one", [], [1], 7), tensor("last", [1], [-1], 7)]
    held += [floats("zero", [], [0.0]), floats("low", [], [-3.4e38])]
    network = loaded(tmp_path, model(nodes, held, [info("x", at)], [info("y", at)]), f"{HEADS}x{length}x8")
    said = [str(layer.op) for layer in network]
    assert any("causal=true" in one for one in said) is (behind == "none"), said


def test_a_mask_and_angles_that_many_layers_compute_are_looked_at_once(tmp_path: Path) -> None:
    """Each layer computes its own, as exporters write them down; what is computed alike is told once."""

    def calls(layers: int) -> int:
        nodes, held = [], [tensor("last", [1], [-1], 7), floats("low", [], [-3.4e38])]
        held += [tensor("nought", [], [0], 7), tensor("one", [], [1], 7)]
        for i in range(layers):
            x, y = ("x" if i == 0 else f"y{i - 1}"), f"y{i}"
            nodes += [
                node("Shape", x, f"n{i}", start=2, end=3),
                node("Squeeze", f"n{i}", f"count{i}"),
                node("Range", f"nought count{i} one", f"ids{i}"),
                node("Unsqueeze", f"ids{i} last", f"column{i}"),
                node("Greater", f"ids{i} column{i}", f"after{i}"),
                node("Cast", f"after{i}", f"ones{i}", to=1),
                node("Mul", f"ones{i} low", f"mask{i}"),
                node("Transpose", x, f"t{i}", perm=[0, 1, 3, 2]),
                node("MatMul", f"{x} t{i}", f"scores{i}"),
                node("Add", f"scores{i} mask{i}", f"left{i}"),
                node("Softmax", f"left{i}", f"weights{i}", axis=-1),
                node("MatMul", f"weights{i} {x}", y),
            ]
        at = ["batch", HEADS, "seq", WIDTH]
        data = model(nodes, held, [info("x", at)], [info(f"y{layers - 1}", at)])
        made = []
        count = calls_made(lambda: made.append(loaded(tmp_path, data, f"{HEADS}x3000x8")))
        assert sum("causal=true" in str(layer.op) for layer in made[0]) == layers
        return count

    calls(1)  # what is imported and remembered once
    one, four = calls(1), calls(4)
    assert four < 1.5 * one, (one, four)
    assert one < 60 * 3000  # for as many positions


@pytest.mark.parametrize("name", ["attn.logit_scale", "onnx::Clip_9005", "helper.constant.0"])
@pytest.mark.parametrize("count", [1, 3, 6])
def test_what_is_computed_of_few_numbers_has_them_as_weights(name: str, count: int, tmp_path: Path) -> None:
    """As the scales of attention in Swin v2; a single number without a name of its own is a factor."""
    nodes = [
        node("Clip", f"{name} one most", "clipped"),
        node("Exp", "clipped", "scale"),
        node("Mul", "x scale", "y"),
    ]
    held = [floats(name, [count], [0.1 * (1 + i) for i in range(count)])]
    held += [floats("one", [], [0.0]), floats("most", [], [4.6])]
    at = ["batch", 7, count]
    network = loaded(tmp_path, model(nodes, held, [info("x", at)], [info("y", at)]))
    assert network.params == (count if name == "attn.logit_scale" or count > 1 else 0)


def test_a_mask_that_masks_nothing(tmp_path: Path) -> None:
    """As transformers' vision models are exported for any batch: all of it is true, and longer than wide."""
    n = 17
    for keeps, gone in ((1, True), (0, False)):
        held = [floats("zero", [], [0.0]), floats("low", [], [-3e38])]
        held.append(b"".join(field(1, i) for i in (1, 1, n, 1)) + field(2, 9) + field(8, "all"))
        held[-1] += field(9, bytes([1] * (n - 1) + [keeps]))
        nodes = [
            node("Shape", "x", "samples", start=0, end=1),
            node("Concat", "samples one heads heads", "sizes", axis=0),
            node("Expand", "all sizes", "kept"),
            node("Where", "kept zero low", "mask"),
            node("Transpose", "x", "t", perm=[0, 1, 3, 2]),
            node("MatMul", "x t", "scores"),
            node("Add", "scores mask", "left"),
            node("Softmax", "left", "weights", axis=-1),
            node("MatMul", "weights x", "y"),
        ]
        held += [tensor("one", [1], [1], 7), tensor("heads", [1], [n], 7)]
        at = ["batch", HEADS, n, WIDTH]
        network = loaded(tmp_path, model(nodes, held, [info("x", at)], [info("y", at)]))
        assert ("attention(1)" in [str(layer.op) for layer in network]) is gone


@pytest.mark.parametrize(
    ("name", "params"), [("/layer.0/Constant_5_output_0", 0), ("helper.constant.1", 0), ("layer.0.low", 1)]
)
def test_a_number_that_is_chosen_is_no_weight(name: str, params: int, tmp_path: Path) -> None:
    """An exporter makes one of it, with a name in which the modules stand; a parameter has its path alone."""
    nodes = [node("Where", f"given x {name}", "y")]
    ends = [info("x", ["n", 2, 7, 7])], [info("y", ["n", 2, 7, 7])]
    held = [floats(name, [1], [-1e9])]
    inputs = [*ends[0], info("given", ["n", 2, 7, 7], 9)]
    assert loaded(tmp_path, model(nodes, held, inputs, ends[1])).params == params


def test_a_mask_that_takes_ever_more_to_compute_is_none(tmp_path: Path) -> None:
    """It is added to itself again and again, and each number of it would take 2**50 additions."""
    rows = [0.0 if k <= q else -1e4 for q in range(70) for k in range(70)]
    nodes = [node("Add", f"m{i} m{i}", f"m{i + 1}") for i in range(50)]
    nodes += [
        node("Transpose", "x", "t", perm=[0, 1, 3, 2]),
        node("MatMul", "x t", "scores"),
        node("Add", "scores m50", "left"),
        node("Softmax", "left", "weights", axis=-1),
        node("MatMul", "weights x", "y"),
    ]
    at = ["batch", HEADS, 70, WIDTH]
    data = model(nodes, [floats("m0", [1, 70, 70], rows)], [info("x", at)], [info("y", at)])
    with pytest.warns(
        Caution, match="not evaluated: what the graph computes\n  = more than [0-9,]+ numbers"
    ) as said:
        assert loaded(tmp_path, data).output == (HEADS, 70, WIDTH)
    assert len(said) == 1


@pytest.mark.parametrize(
    ("most", "why"),
    [
        ("numbers", "more than 100 numbers of the file's constants would be read or computed"),
        ("of one", "it holds 144 numbers, more than the 100 that are read of one tensor"),
        ("deep", "more than 2 operators, one after the other, compute them"),
        ("matrices", "it holds more than 3 matrices"),
    ],
)
def test_a_constant_that_is_not_read_is_said_with_its_reason(
    most: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever bound it is beyond; the layers are those of a mask that nobody knows."""
    where, bound, least = {
        "numbers": (reader, "_NUMBERS", 100),
        "of one": (tensors, "_MOST", 100),
        "deep": (reader, "_DEEP", 2),
        "matrices": (masks, "_MATRICES", 3),
    }[most]
    rows = [0.0 if q <= k else -1e4 for _ in range(4) for q in range(LENGTH) for k in range(LENGTH)]
    nodes = [node("Add", f"m{i} m{i}", f"m{i + 1}") for i in range(2)]
    nodes.append(node("Transpose", "m2", "m3", perm=[0, 1, 3, 2]))
    data = masked(floats("m0", [1, 4, LENGTH, LENGTH], rows), 2, b"", nodes, "m3", 4)
    assert any("causal=true" in str(layer.op) for layer in loaded(tmp_path, data))
    monkeypatch.setattr(where, bound, least)
    with pytest.warns(Caution) as found:
        network = loaded(tmp_path, data)
    (said,) = (str(one.message) for one in found)
    assert f"net.onnx: constants that are not evaluated: what the graph computes\n  = {why}\n" in said
    assert not any("causal=true" in str(layer.op) for layer in network)
    assert network.macs == 2 * 4 * LENGTH * LENGTH * WIDTH


@pytest.mark.parametrize(
    ("op", "reads", "said"),
    [("LayerNormalization", "x g b", "layer_norm"), ("RMSNormalization", "x g", "rms_norm(eps=1e-05)")],
)
def test_norms_of_what_comes_in(op: str, reads: str, said: str, tmp_path: Path) -> None:
    """Over the last axis, which of an input nobody knows yet to be the channels."""
    held = [tensor("g", [16]), tensor("b", [16])]
    network = loaded(
        tmp_path, model([node(op, reads, "y")], held, [info("x", ["n", 7, 16])], [info("y", ["n", 7, 16])])
    )
    assert [str(layer.op) for layer in network if layer.params] == [said]


def test_a_deformable_convolution_costs_what_a_plain_one_does(tmp_path: Path) -> None:
    attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2], "group": 2}
    nodes = [
        node("Conv", "x away", "offsets", **attributes),
        node("DeformConv", "x w offsets b", "y", **attributes),
    ]
    held = [tensor("away", [18, 2, 3, 3]), tensor("w", [8, 2, 3, 3]), tensor("b", [8])]
    network = loaded(tmp_path, model(nodes, held, [info("x", ["n", 4, 9, 9])], [info("y", ["n", 8, 5, 5])]))
    assert network.output == (8, 5, 5)
    assert network.params == 18 * 2 * 9 + 8 * 2 * 9 + 8
    assert network.macs == 25 * (18 + 8) * 2 * 9


def test_a_vector_that_is_taken_for_samples(tmp_path: Path) -> None:
    data = model([node("MatMul", "x w", "y")], [tensor("w", [5, 2])], [info("x", [5])], [info("y", [2])])
    with pytest.raises(
        archlens.ArchlensError, match="1009 stands for any number of samples; the file is for 5"
    ):
        loaded(tmp_path, data)


# --- sizes that depend on values --------------------------------------------------------------------------


def boxes(*more: bytes, held: Sequence[bytes] = (), end: str = "which") -> bytes:
    """A map as boxes and scores, the best of them, and what is done with these."""
    nodes = [
        node("Conv", "x w", "map", kernel_shape=[1, 1]),
        node("Reshape", "map rows", "all"),
        node("Slice", "all nought four axis", "corners"),
        node("Slice", "all four seven axis", "marks"),
        node("Transpose", "corners", "boxes", perm=[0, 2, 1]),
        node("NonMaxSuppression", "boxes marks most", "best"),
        node("Gather", "best two", "which", axis=1),
        *more,
    ]
    given = [tensor("w", [7, 3, 1, 1]), ints("rows", 0, 7, -1), ints("most", 5), ints("two", 2)]
    given += [ints("nought", 0), ints("four", 4), ints("seven", 7), ints("axis", 1), *held]
    return model(nodes, given, [info("x", ["n", 3, 8, 8])], [info(end, []), info("map", ["n", 7, 8, 8])])


def test_the_best_boxes_are_left_out(tmp_path: Path) -> None:
    """The network ends with what they are chosen of, and says what it leaves out."""
    with pytest.warns(Caution, match=r"node 5 \(NonMaxSuppression\) is left out, and 1 behind it"):
        network = loaded(tmp_path, boxes())
    assert (network.params, network.macs, dict(network.unknown)) == (7 * 3, 64 * 7 * 3, {})
    ends = {name: tuple(network[end].shape) for name, end in network.outputs.items()}
    assert sorted(ends.values()) == [(3, 64), (7, 8, 8), (64, 4)]


@pytest.mark.parametrize(
    ("more", "held"),
    [
        (node("Gemm", "which matrix", "late"), tensor("matrix", [1, 9])),
        (node("Mul", "which many", "late"), floats("many", [64], [0.5] * 64)),
        (node("Anything", "which", "late", domain="mine"), ints("none", 0)),
    ],
    ids=["product", "weight", "unknown"],
)
def test_what_has_weights_behind_the_best_boxes_is_refused(more: bytes, held: bytes, tmp_path: Path) -> None:
    data = boxes(more, held=[held], end="late")
    with pytest.raises(archlens.ArchlensError, match="what comes out of NonMaxSuppression is not known"):
        loaded(tmp_path, data)


def test_what_is_left_out_reads_what_is_there(tmp_path: Path) -> None:
    data = boxes(node("Add", "which nowhere", "late"), end="late")
    with pytest.raises(archlens.ArchlensError, match=r"node 7 \(Add\): it reads nowhere, which nothing"):
        loaded(tmp_path, data)
