"""TensorFlow Lite files. They are written here byte by byte, as the format's documentation says."""

from __future__ import annotations

import random
import struct
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import archlens
from archlens.cli import cli

SAME, VALID = 0, 1
FLOAT32, INT32, INT8 = 0, 2, 9

#: The numbers of operators in the schema.
ADD, AVERAGE_POOL, CONCATENATION, CONV, DEPTHWISE, FULLY_CONNECTED = 0, 1, 2, 3, 4, 9
GATHER, MAX_POOL, MUL, RESHAPE, RESIZE, SOFTMAX, PAD, TRANSPOSE, MEAN = 36, 17, 18, 22, 23, 25, 34, 39, 40
SHAPE, PACK, LSTM, STRIDED_SLICE, SPLIT, TRANSPOSE_CONV, UNPACK, QUANTIZE = 77, 83, 44, 45, 49, 67, 88, 114
CUSTOM, DEQUANTIZE, NEG, RSQRT, SQUARED_DIFFERENCE = 32, 6, 59, 76, 99
TANH, LESS, REVERSE, WHILE = 28, 58, 105, 119


class Table:
    """A table: its fields by their numbers, each a number in bytes, or what it points at."""

    def __init__(self, **fields: Any) -> None:
        self.fields = {int(name[1:]): value for name, value in fields.items()}


def flat(root: Table) -> bytes:
    """A table and all that it leads to, what is pointed at behind what points."""
    out = bytearray(8)
    out[4:8] = b"TFL3"

    def align() -> None:
        out.extend(b"\0" * (-len(out) % 8))

    def place(value: Any) -> int:
        align()
        if isinstance(value, Table):
            count = max(value.fields, default=-1) + 1
            vtable = len(out)
            out.extend(b"\0" * (4 + 2 * count))
            align()
            at = len(out)
            out.extend(struct.pack("<i", at - vtable) + b"\0" * 4)
            links = []
            for field, one in value.fields.items():
                struct.pack_into("<H", out, vtable + 4 + 2 * field, len(out) - at)
                if not isinstance(one, bytes):
                    links.append((len(out), one))
                out.extend(one.ljust(8, b"\0") if isinstance(one, bytes) else b"\0" * 8)
            struct.pack_into("<HH", out, vtable, 4 + 2 * count, len(out) - at)
            for where, one in links:
                struct.pack_into("<I", out, where, place(one) - where)
            return at
        at = len(out)
        if isinstance(value, str):
            out.extend(struct.pack("<I", len(value.encode())) + value.encode() + b"\0")
        elif isinstance(value, bytearray):
            out.extend(struct.pack("<I", len(value)) + value)
        elif all(isinstance(one, int) for one in value):
            out.extend(struct.pack(f"<I{len(value)}i", len(value), *value))
        else:
            out.extend(struct.pack("<I", len(value)) + b"\0" * (4 * len(value)))
            for i, one in enumerate(value):
                where = at + 4 + 4 * i
                struct.pack_into("<I", out, where, place(one) - where)
        return at

    struct.pack_into("<I", out, 0, place(root))
    return bytes(out)


def byte(n: int) -> bytes:
    return struct.pack("<b", n)


def whole(n: int) -> bytes:
    return struct.pack("<i", n)


class Net:
    """A file being written."""

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        self.tensors: list[Table] = []
        self.buffers: list[Table] = [Table()]
        self.codes: list[Table] = []
        self.operators: list[Table] = []
        self.graphs: list[Net] = []
        self.ends: list[int] = []
        self.inputs = [self.tensor(f"in_{i}", shape) for i, shape in enumerate(shapes)]
        self.last = self.inputs[0]

    def tensor(self, name: str, shape: tuple[int, ...], kind: int = FLOAT32, data: bytes = b"") -> int:
        fields: dict[str, Any] = {"_0": list(shape), "_1": byte(kind), "_3": name}
        if data:
            fields["_2"] = whole(len(self.buffers))
            self.buffers.append(Table(_0=bytearray(data)))
        self.tensors.append(Table(**fields))
        return len(self.tensors) - 1

    def weight(self, name: str, *shape: int, kind: int = INT8) -> int:
        count = 1
        for size in shape:
            count *= size
        return self.tensor(name, shape, kind, b"\1" * count * (1 if kind == INT8 else 4))

    def numbers(self, *values: int) -> int:
        return self.tensor("numbers", (len(values),), INT32, struct.pack(f"<{len(values)}i", *values))

    def run(
        self,
        kind: int,
        inputs: list[int],
        shape: tuple[int, ...] | list[tuple[int, ...]],
        name: str = "",
        custom: str = "",
        **options: bytes,
    ) -> int:
        code = Table(_3=whole(kind), **({"_1": custom} if custom else {}))
        self.codes.append(code)
        shapes = shape if isinstance(shape, list) else [shape]
        outs = [self.tensor(name or f"model/layer_{len(self.operators)}/Op", one) for one in shapes]
        fields: dict[str, Any] = {"_0": whole(len(self.codes) - 1), "_1": inputs, "_2": outs}
        if options:
            fields["_4"] = Table(**options)
        self.operators.append(Table(**fields))
        self.last = outs[0]
        return self.last

    def inner(self, *shapes: tuple[int, ...]) -> Net:
        """Another graph of the file, which an operator runs."""
        graph = Net(*shapes)
        graph.buffers, graph.codes = self.buffers, self.codes
        self.graphs.append(graph)
        return graph

    def table(self, *outputs: int) -> Table:
        ends = list(outputs) or self.ends or [self.last]
        return Table(_0=self.tensors, _1=self.inputs, _2=ends, _3=self.operators, _4="main")

    def bytes(self, *outputs: int) -> bytes:
        graphs = [self.table(*outputs), *(one.table() for one in self.graphs)]
        return flat(Table(_0=whole(3), _1=self.codes, _2=graphs, _4=self.buffers))

    def network(self, folder: Path, **given: Any) -> archlens.Network:
        path = folder / "net.tflite"
        path.write_bytes(self.bytes())
        return archlens.study(str(path), **given).network


def small() -> Net:
    """A convolution by 2 whose padding is asymmetric, a depthwise one, the mean and a classifier."""
    net = Net((1, 32, 20, 3))
    x = net.run(
        CONV,
        [net.inputs[0], net.weight("model/conv/Conv2D", 8, 3, 3, 3), net.weight("bias", 8)],
        (1, 16, 10, 8),
        "model/act/Relu6;model/bn/FusedBatchNormV3;model/conv/Conv2D",
        _0=byte(SAME),
        _1=whole(2),
        _2=whole(2),
        _3=byte(3),
    )
    x = net.run(
        DEPTHWISE,
        [x, net.weight("model/dw/depthwise", 1, 3, 3, 16), net.weight("bias", 16)],
        (1, 14, 8, 16),
        _0=byte(VALID),
        _1=whole(1),
        _2=whole(1),
        _3=whole(2),
    )
    x = net.run(MEAN, [x, net.numbers(1, 2)], (1, 16))
    x = net.run(FULLY_CONNECTED, [x, net.weight("model/fc/MatMul", 5, 16), net.weight("bias", 5)], (1, 5))
    net.run(SOFTMAX, [x], (1, 5), "Identity")
    return net


def test_layers_are_ops_with_their_channels_first(tmp_path: Path) -> None:
    network = small().network(tmp_path)
    assert [(layer.name, str(layer.op), str(layer.shape)) for layer in network] == [
        ("conv", 'conv(8, 3, stride=2, padding="same")', "8x16x10"),
        ("act", "relu6", "8x16x10"),
        ("dw", "conv(16, 3, groups=8)", "16x14x8"),
        ("layer_2.global_avg_pool", "global_avg_pool", "16x1x1"),
        ("layer_2.flatten", "flatten", "16"),
        ("fc", "linear(5)", "5"),
        ("Identity", "softmax", "5"),
    ]
    assert network.inputs == {"input": (3, 32, 20)}
    # 3*3*3*8 + 8, 3*3*16 + 16 and 16*5 + 5
    assert network.params == 224 + 160 + 85
    assert network.macs == 27 * 8 * 160 + 9 * 16 * 14 * 8 + 16 * 5
    # an even map with stride 2: one position is added, and it is added at the end
    said = CliRunner().invoke(cli, ["explain", str(tmp_path / "net.tflite"), "conv"]).output
    assert "(32 + 0 + 1 - 3)/2 + 1 = 16" in said


def test_an_input_of_another_size(tmp_path: Path) -> None:
    network = small().network(tmp_path)
    larger = network.with_input((3, 64, 64))
    assert larger["dw"].shape == (16, 30, 30)
    assert larger.params == network.params
    assert archlens.study(str(tmp_path / "net.tflite"), input="3x64x64").network.output == (5,)


def test_weights_of_the_file_stay_as_they_are(tmp_path: Path) -> None:
    net = Net((1, 4, 4, 2))
    x = net.run(RESHAPE, [net.inputs[0], net.numbers(1, 32)], (1, 32))
    net.run(FULLY_CONNECTED, [x, net.weight("w", 7, 32)], (1, 7))
    network = net.network(tmp_path)
    # the values lie with the channels last, so that they are turned round before they are one vector
    assert [layer.op.kind for layer in network] == ["channels_last", "flatten", "linear"]
    with pytest.raises(archlens.SpecError, match="its weight is 7x32 in the file, and 7x72 would fit"):
        network.with_input((2, 6, 6))


def test_maps_are_joined_cut_and_made_larger(tmp_path: Path) -> None:
    net = Net((1, 8, 6, 4))
    a, once = net.inputs[0], {"_1": whole(1), "_2": whole(1)}
    b = net.run(MAX_POOL, [a], (1, 8, 6, 4), _0=byte(SAME), **once, _3=whole(3), _4=whole(2))
    x = net.run(CONCATENATION, [a, b], (1, 8, 6, 8), _0=whole(3), _1=byte(1))
    halves = net.run(SPLIT, [net.numbers(-1), x], [(1, 8, 6, 4), (1, 8, 6, 4)], _0=whole(2))
    x = net.run(ADD, [halves, halves + 1], (1, 8, 6, 4))
    cut = [net.numbers(0, 1, 0, 0), net.numbers(1, 8, 6, 4), net.numbers(1, 1, 2, 1)]
    x = net.run(STRIDED_SLICE, [x, *cut], (1, 7, 3, 4), _1=whole(0))
    x = net.run(PAD, [x, net.numbers(0, 0, 0, 1, 2, 0, 0, 0)], (1, 8, 5, 4))
    x = net.run(RESIZE, [x, net.numbers(16, 10)], (1, 16, 10, 4))
    kernel = net.weight("up/kernel", 6, 3, 3, 4)
    read = [net.numbers(1, 32, 20, 6), kernel, x]
    net.run(TRANSPOSE_CONV, read, (1, 32, 20, 6), _0=byte(SAME), _1=whole(2), _2=whole(2))
    network = net.network(tmp_path)
    assert [str(layer.op) for layer in network] == [
        *('max_pool((2, 3), stride=1, padding="same")', "concat", "relu", "slice(stop=4)", "slice(start=4)"),
        *("add", 'slice(start=1, axis="height")', 'slice(step=2, axis="width")'),
        *("pad(padding=((0, 1), (2, 0)))", 'upsample(size=(16, 10), mode="bilinear")'),
        'conv_transpose(6, 3, stride=2, padding="same", bias=false)',
    ]
    # (16 - 1)*2 + 3 - 1 = 32, of which each of the 16*10*4 values writes 3*3*6
    assert network.output == (6, 32, 20)
    assert network.macs == 16 * 10 * 4 * 54


def test_sizes_that_a_converter_left_to_be_computed(tmp_path: Path) -> None:
    """With an open batch, SHAPE and what takes it apart stand between a map and its RESHAPE."""
    net = Net((1, 4, 6, 2))
    sizes = net.run(SHAPE, [net.inputs[0]], (4,), _0=byte(INT32))
    cut = [net.numbers(n) for n in (0, 1, 1)]
    batch = net.run(STRIDED_SLICE, [sizes, *cut], (), _4=whole(1))
    target = net.run(PACK, [batch, net.numbers(-1)], (2,), _0=whole(2))
    x = net.run(RESHAPE, [net.inputs[0], target], (1, 48))
    net.run(FULLY_CONNECTED, [x, net.weight("w", 7, 48)], (1, 7))
    network = net.network(tmp_path)
    assert [layer.op.kind for layer in network] == ["channels_last", "flatten", "linear"]
    assert network.params == 7 * 48


def test_what_multiplies_each_channel_has_weights(tmp_path: Path) -> None:
    net = Net((1, 4, 4, 3))
    x = net.run(MUL, [net.inputs[0], net.weight("gamma", 3, kind=FLOAT32)], (1, 4, 4, 3))
    net.run(QUANTIZE, [x], (1, 4, 4, 3))
    network = net.network(tmp_path)
    wide = Net((1, 4, 4, 1))
    wide.run(MUL, [wide.inputs[0], wide.weight("gamma", 3, kind=FLOAT32)], (1, 4, 4, 3))
    assert wide.network(tmp_path).output == (3, 4, 4)
    assert [layer.op.kind for layer in network] == ["layer_scale"]
    assert network.params == 3


@pytest.mark.parametrize("shape", [(1, 4, 4, 6), (1, 5, 6)])
def test_a_layer_norm_is_found_as_tensorflow_writes_it_out(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """``x * by + (beta - mean * by)``, where ``by`` is one by the deviation, times gamma."""
    net = Net(shape)
    x, one = net.inputs[0], (*shape[:-1], 1)
    small = net.tensor("eps", (), FLOAT32, struct.pack("<f", 0.01))
    gamma, beta = (net.weight(name, *(1,) * (len(shape) - 1), 6, kind=FLOAT32) for name in ("gamma", "beta"))
    mean = net.run(MEAN, [x, net.numbers(-1)], one, _0=byte(1))
    away = net.run(NEG, [mean], one)
    squares = net.run(SQUARED_DIFFERENCE, [x, mean], shape)
    variance = net.run(MEAN, [squares, net.numbers(-1)], one, _0=byte(1))
    by = net.run(MUL, [net.run(RSQRT, [net.run(ADD, [variance, small], one)], one), gamma], shape)
    rest = net.run(ADD, [net.run(MUL, [away, by], shape), beta], shape)
    net.run(ADD, [net.run(MUL, [x, by], shape), rest], shape)
    (layer,) = net.network(tmp_path)
    assert str(layer.op) == "layer_norm(eps=0.01)"
    assert layer.params == 2 * 6


def test_a_recurrent_layer_is_opaque_and_counted(tmp_path: Path) -> None:
    net = Net((1, 28, 10))
    inner = [net.weight("w", 6, 10, kind=FLOAT32) for _ in range(4)]
    recurrent = [net.weight("r", 6, 6, kind=FLOAT32) for _ in range(4)]
    biases = [net.weight("b", 6, kind=FLOAT32) for _ in range(4)]
    net.run(LSTM, [net.inputs[0], *inner, *recurrent, -1, -1, -1, *biases], (1, 28, 6))
    network = net.network(tmp_path)
    assert network.layers[-1].op.kind == "opaque"  # its cells are read as they are, and not by their tanh
    assert network.params == 4 * (60 + 36 + 6)
    assert network.macs == 28 * 4 * (60 + 36)
    assert network.inputs == {"input": (28, 10)}


def lstm_of(net: Net, *, width: int = 6, peephole: int = -1, **options: bytes) -> int:
    """As TensorFlow writes Keras' layer: with states, which are variables."""
    inner = [net.weight("w", width, 10, kind=FLOAT32) for _ in range(4)]
    recurrent = [net.weight("r", width, width, kind=FLOAT32) for _ in range(4)]
    biases = [net.weight("b", width, kind=FLOAT32) for _ in range(4)]
    states = [net.tensor(name, (1, width), FLOAT32) for name in ("h", "c")]
    read = [net.inputs[0], *inner, *recurrent, peephole, -1, -1, *biases, -1, -1, *states]
    return net.run(LSTM, read, (1, 28, width), **({"_0": byte(4)} | options))


def test_a_recurrent_layer(tmp_path: Path) -> None:
    """Four kernels in torch's order are one tensor there; a gate has one bias."""
    net = Net((1, 28, 10))
    net.run(SOFTMAX, [lstm_of(net)], (1, 28, 6))
    network = net.network(tmp_path)
    (lstm,) = [layer for layer in network if layer.op.kind == "lstm"]
    assert str(lstm.op) == 'lstm(6, bias="single")'
    assert lstm.params == 4 * (60 + 36 + 6)
    assert lstm.macs == 28 * 4 * (60 + 36)
    assert archlens.build(network).eval()(torch.rand(2, *network.input)).shape[1:] == network.output


def test_a_recurrent_layer_of_another_kind_is_opaque(tmp_path: Path) -> None:
    for change in ({"_1": struct.pack("<f", 3.0)}, {"_0": byte(1)}, {"peephole": True}):
        net = Net((1, 28, 10))
        more = {"peephole": net.weight("p", 6, kind=FLOAT32)} if "peephole" in change else change
        lstm_of(net, **more)  # type: ignore[arg-type]
        (layer,) = [one for one in net.network(tmp_path) if one.macs]
        assert layer.op.kind == "opaque"
        assert layer.macs == 28 * 4 * (60 + 36)


def test_a_recurrent_layer_whose_steps_come_first_is_refused(tmp_path: Path) -> None:
    net = Net((1, 28, 10))
    weights = [net.weight("w", 6, n, kind=FLOAT32) for n in (10, 10, 10, 10, 6, 6, 6, 6)]
    net.run(LSTM, [net.inputs[0], *weights], (1, 28, 6), _3=byte(1))
    with pytest.raises(archlens.SpecError, match="takes its steps before its batch"):
        net.network(tmp_path)


def number(net: Net, value: int) -> int:
    return net.tensor("number", (), INT32, struct.pack("<i", value))


def loop_of(net: Net, x: int, steps: int = 28, width: int = 6, *, until: int | None = None) -> list[int]:
    """As TensorFlow writes a recurrent layer of Keras' that gives each step: its steps come first in ``x``.

    It carries a counter, what came out so far, and its state; the sequence is given as it is.
    """
    carried: list[tuple[int, ...]] = [(), (steps, 1, width), (1, width), (steps, 1, 10)]
    condition = net.inner(*carried)
    condition.run(LESS, [condition.inputs[0], number(condition, steps if until is None else until)], ())
    body = net.inner(*carried)
    counter, whole_, state, sequence = body.inputs
    one = body.run(ADD, [counter, number(body, 1)], ())
    step = body.run(GATHER, [sequence, counter], (1, 10))
    read = body.run(FULLY_CONNECTED, [step, body.weight("rnn/kernel", width, 10), -1], (1, width))
    kept = body.run(FULLY_CONNECTED, [state, body.weight("rnn/recurrent", width, width), -1], (1, width))
    summed = body.run(ADD, [read, kept], (1, width))
    new = body.run(TANH, [body.run(ADD, [summed, body.weight("rnn/bias", width)], (1, width))], (1, width))
    made = body.run(RESHAPE, [new, body.numbers(1, 1, width)], (1, 1, width))
    body.ends = [one, body.run(CONCATENATION, [whole_, made], (steps, 1, width)), new, sequence]
    zeros = net.weight("zeros", steps, 1, width), net.weight("zeros", 1, width)
    first = len(net.graphs) - 1
    net.run(
        WHILE, [number(net, 0), *zeros, x], carried, "model/rnn/while", _0=whole(first), _1=whole(first + 1)
    )
    return [net.last + i for i in range(4)]


#: What one step of it multiplies.
STEP = 6 * 10 + 6 * 6


def test_a_recurrent_layer_that_is_a_loop(tmp_path: Path) -> None:
    """What it begins with is no weight, and its sequence lies with the steps first."""
    net = Net((1, 28, 10))
    x = net.run(RESHAPE, [net.inputs[0], net.numbers(28, 1, 10)], (28, 1, 10))
    x = net.run(REVERSE, [x, net.numbers(0)], (28, 1, 10))
    made = loop_of(net, x)[1]
    last = net.run(
        STRIDED_SLICE,
        [made, net.numbers(-1, 0, 0), net.numbers(0, 1, 6), net.numbers(1, 1, 1)],
        (1, 6),
        _0=whole(6),
        _1=whole(6),
        _4=whole(1),
    )
    net.run(FULLY_CONNECTED, [last, net.weight("model/fc/MatMul", 5, 6), -1], (1, 5))
    network = net.network(tmp_path)
    assert [(layer.op.kind, str(layer.shape)) for layer in network] == [
        ("flip", "28x10"), ("opaque", "28x6"), ("slice", "1x6"), ("flatten", "6"), ("linear", "5")
    ]  # fmt: skip
    assert (network.params, network.macs, network.unknown) == (60 + 36 + 6 + 30, 28 * STEP + 30, {})


def test_the_sequence_of_a_loop_goes_on(tmp_path: Path) -> None:
    net = Net((1, 28, 10))
    x = net.run(TRANSPOSE, [net.inputs[0], net.numbers(1, 0, 2)], (28, 1, 10))
    made = loop_of(net, x)
    x = net.run(TRANSPOSE, [made[1], net.numbers(1, 0, 2)], (1, 28, 6))
    x = net.run(REVERSE, [x, net.numbers(1)], (1, 28, 6))
    net.run(CONCATENATION, [x, net.inputs[0]], (1, 28, 16), _0=whole(2))
    network = net.network(tmp_path)
    assert [str(layer.op) for layer in network][1:] == ['flip("length")', "concat"]
    assert str(network.output) == "28x16"


def test_a_loop_of_unknown_cost(tmp_path: Path) -> None:
    """Its weights are known, whatever its counter is compared with."""
    net = Net((1, 28, 10))
    x = net.run(TRANSPOSE, [net.inputs[0], net.numbers(1, 0, 2)], (28, 1, 10))
    made = loop_of(net, x)
    net.graphs[0].operators[0].fields[1] = [net.graphs[0].inputs[0], net.graphs[0].inputs[1]]
    net.run(TRANSPOSE, [made[1], net.numbers(1, 0, 2)], (1, 28, 6))
    network = net.network(tmp_path)
    assert (network.params, network.macs, len(network.unknown)) == (60 + 36 + 6, 0, 1)


def test_a_loop_that_ends_earlier(tmp_path: Path) -> None:
    net = Net((1, 28, 10))
    x = net.run(TRANSPOSE, [net.inputs[0], net.numbers(1, 0, 2)], (28, 1, 10))
    made = loop_of(net, x, until=20)
    net.run(FULLY_CONNECTED, [made[2], net.weight("model/fc/MatMul", 5, 6), -1], (1, 5))
    assert net.network(tmp_path).macs == 20 * STEP + 30


def test_a_loop_that_has_no_body(tmp_path: Path) -> None:
    net = Net((1, 28, 10))
    loop_of(net, net.inputs[0])
    net.operators[-1].fields[4] = Table(_0=whole(1), _1=whole(9))
    with pytest.raises(
        archlens.SpecError, match=r"operator 0 \(WHILE\) runs a graph that has another number"
    ):
        net.network(tmp_path)


def test_many_loops_of_a_large_body(tmp_path: Path) -> None:
    """Each is looked at by itself, so that what they run together is bounded."""
    net = Net((1, 28, 10))
    x = net.run(TRANSPOSE, [net.inputs[0], net.numbers(1, 0, 2)], (28, 1, 10))
    loop_of(net, x)
    for graph in net.graphs:
        graph.operators *= 300
    net.operators += net.operators[-1:] * 300
    with pytest.raises(archlens.UsageError, match="layers"):
        net.network(tmp_path)


def test_a_loop_whose_comparison_reads_one_number(tmp_path: Path) -> None:
    net = Net((1, 28, 10))
    x = net.run(TRANSPOSE, [net.inputs[0], net.numbers(1, 0, 2)], (28, 1, 10))
    made = loop_of(net, x)
    net.graphs[0].operators[0].fields[1] = net.graphs[0].inputs[:1]
    net.run(FULLY_CONNECTED, [made[2], net.weight("model/fc/MatMul", 5, 6), -1], (1, 5))
    assert net.network(tmp_path).unknown


def test_rows_of_a_table(tmp_path: Path) -> None:
    net = Net((1, 7))
    net.tensors[0].fields[1] = byte(INT32)
    x = net.run(GATHER, [net.weight("model/words/table", 50, 6, kind=FLOAT32), net.inputs[0]], (1, 7, 6))
    net.run(MEAN, [x, net.numbers(1)], (1, 6))
    network = net.network(tmp_path)
    assert next(str(layer.op) for layer in network) == "embedding(6)"
    assert (network.params, network.macs, network.output) == (50 * 6, 0, (6,))


@pytest.mark.parametrize(
    ("picked", "axis", "shape", "kinds"),
    [
        ((2, 3, 4), 1, (1, 3, 6), ["slice"]),
        ((4, 2, 3), 1, (1, 3, 6), ["opaque"]),
        ((1, 2), 2, (1, 9, 2), ["slice"]),
    ],
)
def test_picked_positions(
    picked: tuple[int, ...], axis: int, shape: tuple[int, ...], kinds: list[str], tmp_path: Path
) -> None:
    """Those in a row are cut out, which is an op; others are opaque, and free."""
    net = Net((1, 9, 6))
    x = net.run(GATHER, [net.inputs[0], net.numbers(*picked)], shape, _0=whole(axis))
    net.run(SOFTMAX, [x], shape)
    network = net.network(tmp_path)
    assert [layer.op.kind for layer in network] == [*kinds, "softmax"]
    assert (network.output, network.macs, network.params, network.unknown) == (shape[1:], 0, 0, {})


def test_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    network = small().network(tmp_path)
    # all 469 weights are int8 in it
    assert archlens.study(network).memory().stored == 469
    assert set(network.dtypes.values()) == {"int8"}


def test_weights_of_16_bits_that_the_file_makes_of_32_are_those(tmp_path: Path) -> None:
    """As TensorFlow's converter writes them where it is asked for float16."""
    net = Net((1, 4, 4, 3))
    held = [net.tensor(name, shape, 1, b"\1" * 2 * prod(shape)) for name, shape in HALVES.items()]
    made = [net.run(DEQUANTIZE, [one], shape) for one, shape in zip(held, HALVES.values(), strict=True)]
    x = net.run(CONV, [net.inputs[0], *made[:2]], (1, 4, 4, 8), _0=byte(SAME), _1=whole(1), _2=whole(1))
    net.run(MUL, [x, made[2]], (1, 4, 4, 8))
    network = net.network(tmp_path)
    assert [str(layer.op) for layer in network] == ['conv(8, 3, padding="same")', "layer_scale"]
    assert network.params == sum(map(prod, HALVES.values()))
    assert archlens.study(network).memory().stored == 2 * network.params
    assert set(network.dtypes.values()) == {"float16"}


#: The weights of a convolution, its biases, and a factor of each channel.
HALVES = {"model/conv/Conv2D": (8, 3, 3, 3), "model/conv/BiasAdd": (8,), "model/by/scale": (8,)}


def test_what_nobody_knows_is_said(tmp_path: Path) -> None:
    net = Net((1, 8, 8, 2))
    net.run(CUSTOM, [net.inputs[0], net.weight("blob", 640)], (1, 4, 4, 7), custom="ethos-u")
    network = net.network(tmp_path)
    (layer,) = network
    assert "no op for tflite.ethos-u" in str(layer.op.reason)
    found = CliRunner().invoke(cli, ["check", str(tmp_path / "net.tflite"), "--macs", "<= 1G"])
    assert found.exit_code == 1
    assert "not known" in found.output or "unknown" in found.output


WRONG = {
    "outputs batchx7x7x8, but the file says batchx9x9x8": lambda net: net.run(
        CONV,
        [net.inputs[0], net.weight("w", 8, 2, 2, 3)],
        (1, 9, 9, 8),
        _0=byte(VALID),
        _1=whole(1),
        _2=whole(1),
    ),
    "has a kernel of 8x2x2x5 for 3 channels": lambda net: net.run(
        CONV,
        [net.inputs[0], net.weight("w", 8, 2, 2, 5)],
        (1, 7, 7, 8),
        _0=byte(VALID),
        _1=whole(1),
        _2=whole(1),
    ),
    "has a stride, a window or a dilation below 1": lambda net: net.run(
        MAX_POOL, [net.inputs[0]], (1, 7, 7, 8), _0=byte(VALID), _1=whole(1), _3=whole(1)
    ),
    "has the activation number 9": lambda net: net.run(
        ADD, [net.inputs[0], net.inputs[0]], (1, 8, 8, 3), _0=byte(9)
    ),
    "reads input 1, whose values are only known when it runs": lambda net: net.run(
        MEAN, [net.inputs[0], net.inputs[0]], (1, 3)
    ),
    "reduces over the batch": lambda net: net.run(MEAN, [net.inputs[0], net.numbers(0)], (8, 8, 3)),
    "combines batchx8x8x3 and batchx3, which cannot be broadcast together": lambda net: net.run(
        ADD, [net.inputs[0], net.run(MEAN, [net.inputs[0], net.numbers(1, 2)], (1, 3))], (1, 8, 8, 3)
    ),
    "reshapes batchx8x8x3 to batchx9": lambda net: net.run(RESHAPE, [net.inputs[0]], (1, 9)),
    "has inputs, outputs or options that such an operator cannot have": lambda net: net.run(
        CONV, [net.inputs[0]], (1, 9, 9, 8)
    ),
}


@pytest.mark.parametrize("said", WRONG)
def test_a_graph_that_does_not_fit(said: str, tmp_path: Path) -> None:
    net = Net((1, 8, 8, 3))
    WRONG[said](net)
    with pytest.raises(archlens.SpecError) as raised:
        net.network(tmp_path)
    assert said in str(raised.value)
    assert "net.tflite: operator " in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"\x10\0\0\0TFL3", "an offset beyond the end of the file"),
        (b"\x18\0\0\0TFL2" + b"\0" * 40, "it does not say so in its bytes 4 to 8"),
    ],
)
def test_what_is_no_file_of_its_kind(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(content)
    with pytest.raises(archlens.UsageError, match="is not a TensorFlow Lite file") as raised:
        archlens.study(str(path))
    assert said in str(raised.value)


def test_a_file_that_is_cut_or_changed(tmp_path: Path) -> None:
    """Diagnostics and nothing else, wherever it is cut and whatever byte is another."""
    path = tmp_path / "net.tflite"
    looped = Net((1, 28, 10))
    x = looped.run(TRANSPOSE, [looped.inputs[0], looped.numbers(1, 0, 2)], (28, 1, 10))
    looped.run(TRANSPOSE, [loop_of(looped, x)[1], looped.numbers(1, 0, 2)], (1, 28, 6))
    files, draw = [small().bytes(), looped.bytes()], random.Random(0)
    read = 0
    for number in range(600):
        data = files[number // 2 % 2]
        if number % 2:
            path.write_bytes(data[: draw.randrange(len(data))])
        else:
            changed = bytearray(data)
            changed[draw.randrange(len(data))] = draw.choice((0, 1, 127, 128, 255))
            path.write_bytes(changed)
        try:
            archlens.study(str(path))
            read += 1
        except archlens.ArchlensError:
            pass
    assert 0 < read < 600


def test_patterns_and_tables_lead_to_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models").mkdir()
    Path("models/kws.tflite").write_bytes(small().bytes())
    Path("pyproject.toml").write_text(
        '[tool.archlens.budgets]\nfiles = ["models/*"]\nparams = "<= 400"\n'
        '[tool.archlens.budgets.networks."models/kws.tflite"]\ninput = "3x64x64"\nmacs = "<= 1M"\n'
    )
    found = CliRunner().invoke(cli, ["check"])
    assert found.exit_code == 1
    assert "models/kws.tflite: params is 469" in found.output
    # on 64x64: 32*32*8*27, 30*30*16*9 and 80
    assert "350,864" in found.output.replace("221,184 + 129,600 + 80", "")
    assert CliRunner().invoke(cli, ["check", "--update"]).exit_code == 1
    assert "models/kws.tflite" in Path("archlens.lock").read_text()


def test_commands_take_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.tflite").write_bytes(small().bytes())
    for command in (
        ["shapes", "a.tflite", "--format", "json"], ["explain", "a.tflite", "conv"], ["lint", "a.tflite"],
        ["convert", "a.tflite", "-o", "a.yaml"], ["diff", "--exit-code", "a.tflite", "a.yaml"],
    ):  # fmt: skip
        found = CliRunner().invoke(cli, command)
        assert found.exit_code == 0, found.output
    refused = CliRunner().invoke(cli, ["shapes", "a.tflite", "--set", "width=3"])
    assert "a.tflite has no param width" in str(refused.exception)
