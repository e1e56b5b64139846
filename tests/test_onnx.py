"""ONNX files: read as the protocol buffers that they are, and lowered as what ran is.

The files are written here, byte by byte, by a writer of twenty lines; no figure comes from archlens.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archlens
from archlens.cli import cli
from archlens.dialects import find
from archlens.dialects import network as network_of

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
    form = {1: "f", 7: "q", 3: "b", 2: "B"}[kind]
    given = [0] * prod(sizes) if values is None else values
    raw = struct.pack(f"<{len(given)}{form}", *given)
    return b"".join(field(1, n) for n in sizes) + field(2, kind) + field(8, name) + field(9, raw)


def attribute(name: str, value: Any) -> bytes:
    if isinstance(value, bytes):
        return field(1, name) + field(5, value) + field(20, 4)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    if isinstance(value, float):
        return field(1, name) + field(2, value) + field(20, 1)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if value and isinstance(value[0], float):
        return field(1, name) + b"".join(field(7, n) for n in value) + field(20, 6)
    return field(1, name) + b"".join(field(8, n) for n in value) + field(20, 7)


def node(op: str, inputs: str, outputs: str, name: str = "", domain: str = "", **attributes: Any) -> bytes:
    """A node; the names of what it reads and makes stand in texts, with blanks between them."""
    parts = [field(1, "" if one == "-" else one) for one in inputs.split()]
    parts += [field(2, one) for one in outputs.split()]
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
    assert network.inputs == {"x": (3, 32, 32)}
    assert network.params == 8 * 27 + 8 + 8 * 9 + 8 * 10 + 10
    assert network.macs == 8 * 16 * 16 * 27 + 8 * 16 * 16 * 9 + 80
    assert network["body.0.conv"].key("weight") == "body.0.conv.weight"


def test_other_inputs_than_those_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, small())
    assert network_of(find(path), input="3x65x64")["stem"].shape == (8, 33, 32)
    code, out = run("shapes", path, "--input", "3x65x64")
    assert code == 0
    assert "8x33x32" in out


def test_open_sizes_stay_open_until_they_are_said(tmp_path: Path) -> None:
    free = info("x", ["batch", 3, "height", "width"])
    data = model([node("Relu", "x", "y")], [], [free], [info("y", ["batch", 3, "height", "width"])])
    code, out = run("shapes", written(tmp_path, data))
    assert code == 1
    assert "leaves the size of its input x open, which is 3 x height x width" in out
    assert loaded(tmp_path, data, "3x20x30").output == (3, 20, 30)
    code, out = run("shapes", written(tmp_path, data), "--input", "3x20")
    assert code == 1
    assert "3x20 is no shape of the input x, which is 3 x height x width without its batch" in out


# --- what does not fit --------------------------------------------------------------------------------

WRONG = {
    "reads nothing": (
        [node("Relu", "q", "y", "act")],
        'node 0 "act" (Relu): it reads q, which nothing before it makes',
    ),
    "twice": (
        [node("Relu", "x", "y"), node("Tanh", "x", "y")],
        "node 1 (Tanh): it makes y, which is there already",
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
        "node 0 (MaxPool): its attribute kernel_shape is no list",
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
    assert "is no ONNX model that can be read" in out
    assert said in out
