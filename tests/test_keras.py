"""Keras' own files: their layers as ops, with the shapes and weights that Keras says, and nothing run."""

from __future__ import annotations

import json
import random
import re
import zipfile
from contextlib import suppress
from math import prod
from pathlib import Path
from typing import Any

import pytest

import archlens
from archlens.bounds import allowing
from archlens.dialects import formats
from archlens.dialects.keras import placing
from archlens.geometry import Window
from archlens.network import Network
from archlens.ops.opaque import Opaque
from archlens.shape import Ids


def said(kind: str, name: str, *reads: Any, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    """A layer as Keras 3 writes it, which is called once for each list of what it reads."""
    calls = [{"args": [[*map(tensor, one)] if isinstance(one, list) else tensor(one)]} for one in reads]
    return {
        "module": module,
        "class_name": kind,
        "config": {"name": name, **config},
        "registered_name": None,
        "name": name,
        "inbound_nodes": [{"kwargs": {}, **call} for call in calls],
    }


def tensor(name: str | tuple[Any, ...]) -> dict[str, Any]:
    """A tensor as Keras 3 writes it: the output of a layer, or of one of its calls, or with its shape."""
    layer, call, shape = (name, 0, None) if isinstance(name, str) else (*name, None)[:3]
    config = {"keras_history": [layer, call, 0]} | ({} if shape is None else {"shape": [None, *shape]})
    return {"class_name": "__keras_tensor__", "config": config}


def start(*shape: int | None, name: str = "x", **config: Any) -> dict[str, Any]:
    return said("InputLayer", name, batch_shape=[None, *shape], **config)


def functional(*layers: dict[str, Any], out: Any = None, inputs: Any = None) -> dict[str, Any]:
    """A functional model of Keras 3 that ends in its last layer."""
    firsts = [layer["name"] for layer in layers if layer["class_name"] == "InputLayer"]
    config = {
        "name": "functional",
        "layers": list(layers),
        "input_layers": inputs or [[name, 0, 0] for name in firsts],
        "output_layers": out or [layers[-1]["name"], 0, 0],
    }
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


def sequential(*layers: dict[str, Any]) -> dict[str, Any]:
    return {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": list(layers)}}


def write(folder: Path, model: Any) -> str:
    path = folder / "model.json"
    path.write_text(model if isinstance(model, str) else json.dumps(model))
    return str(path)


def read(folder: Path, model: Any, input: Any = None) -> Network:
    found = formats.file(write(folder, model))
    assert found is not None
    return found.network(input, {})


def refused(folder: Path, model: Any, input: Any = None) -> str:
    with pytest.raises(archlens.ArchlensError) as raised:
        read(folder, model, input)
    return str(raised.value)


def shapes(network: Network) -> dict[str, tuple[int, ...]]:
    return {layer.name: tuple(layer.shape) for layer in network}


LENET = sequential(
    start(28, 28, 1),
    said("Conv2D", "c1", filters=6, kernel_size=[5, 5], padding="same", activation="relu"),
    said("MaxPooling2D", "s2", pool_size=[2, 2]),
    said("Conv2D", "c3", filters=16, kernel_size=[5, 5], strides=[1, 1], activation="tanh"),
    said("AveragePooling2D", "s4", pool_size=[2, 2], strides=[2, 2]),
    said("Flatten", "flat"),
    said("Dense", "c5", units=120),
    said("Dense", "out", units=10, activation="softmax"),
)

#: Of a 28x28 picture: 28, halved to 14, 14 - 4 = 10, halved to 5; 16 * 5 * 5 = 400.
LENET_SHAPES = {
    "c1": (6, 28, 28),
    "c1_relu": (6, 28, 28),
    "s2": (6, 14, 14),
    "c3": (16, 10, 10),
    "c3_tanh": (16, 10, 10),
    "s4": (16, 5, 5),
    "flat": (400,),
    "c5": (120,),
    "out": (10,),
    "out_softmax": (10,),
}
LENET_PARAMS = (25 + 1) * 6 + (150 + 1) * 16 + (400 + 1) * 120 + (120 + 1) * 10


def test_a_chain_of_layers(tmp_path: Path) -> None:
    network = read(tmp_path, LENET)
    assert shapes(network) == LENET_SHAPES
    assert network.params == LENET_PARAMS
    assert network.macs == 6 * 784 * 25 + 16 * 100 * 150 + 400 * 120 + 120 * 10
    assert network.inputs == {"x_1": (1, 28, 28)}


def test_an_archive_is_read_by_its_content(tmp_path: Path) -> None:
    """``model.save`` writes a zip archive, whatever it is called; its weights are not read."""
    for name in ("model.keras", "model.bin"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
            archive.writestr("config.json", json.dumps(LENET))
            archive.writestr("model.weights.h5", b"no HDF5")
        found = formats.file(str(tmp_path / name))
        assert found is not None
        assert shapes(found.network(None, {})) == LENET_SHAPES
    assert ".keras" in formats.endings()
    assert ".json" not in formats.endings()


def test_a_chain_as_keras_2_writes_it(tmp_path: Path) -> None:
    layers = [dict(one, inbound_nodes=None) for one in LENET["config"]["layers"][1:]]
    for one in layers:
        del one["module"], one["registered_name"], one["name"], one["inbound_nodes"]
    layers[0] = dict(layers[0], config=layers[0]["config"] | {"batch_input_shape": [None, 28, 28, 1]})
    old = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}, "keras_version": "2.4.0"}
    network = read(tmp_path, old)
    assert shapes(network) == LENET_SHAPES
    assert network.params == LENET_PARAMS
    first = {"class_name": "Sequential", "config": layers}  # as the first versions wrote it
    assert shapes(read(tmp_path, first)) == LENET_SHAPES


RESIDUAL = functional(
    start(9, 9, 3),
    said(
        "Conv2D", "conv", "x", filters=8, kernel_size=[3, 3], strides=[2, 2], padding="same", use_bias=False
    ),
    said("BatchNormalization", "bn", "conv", axis=-1, momentum=0.99, epsilon=0.001),
    said("ReLU", "relu", "bn", max_value=6.0, negative_slope=0.0, threshold=0.0),
    said("DepthwiseConv2D", "dw", "relu", kernel_size=[3, 3], padding="same", depth_multiplier=1),
    said("Add", "sum", ["relu", "dw"]),
    said("SeparableConv2D", "sep", "sum", filters=4, kernel_size=[3, 3], activation="relu"),
    said("Concatenate", "join", ["sep", "sep"], axis=-1),
    said("GlobalAveragePooling2D", "pool", "join", keepdims=False),
    said("Dense", "out", "pool", units=2),
)
RESIDUAL_SHAPES = {
    "conv": (8, 5, 5),  # ceil(9/2)
    "bn": (8, 5, 5),
    "relu": (8, 5, 5),
    "dw": (8, 5, 5),
    "sum": (8, 5, 5),
    "sep.depthwise": (8, 3, 3),
    "sep.pointwise": (4, 3, 3),
    "sep_relu": (4, 3, 3),
    "join": (8, 3, 3),
    "pool": (8, 1, 1),
    "pool_flatten": (8,),
    "out": (2,),
}
RESIDUAL_PARAMS = 27 * 8 + 16 + (9 + 1) * 8 + (9 * 8 + 8 * 4 + 4) + (8 + 1) * 2


def test_a_graph_of_layers(tmp_path: Path) -> None:
    network = read(tmp_path, RESIDUAL)
    assert shapes(network) == RESIDUAL_SHAPES
    assert network.params == RESIDUAL_PARAMS
    assert network["sum"].inputs == ("relu", "dw")
    assert network["relu"].op.kind == "relu6"
    moving = {name: prod(one.shape) for name, one in network["bn"].facts.buffers.items()}
    assert moving["running_mean"] == moving["running_var"] == 8


def test_a_graph_as_keras_2_writes_it(tmp_path: Path) -> None:
    layers = []
    for one in RESIDUAL["config"]["layers"]:
        reads = [arg for node in one["inbound_nodes"] for arg in node["args"]]
        flat = reads[0] if reads and isinstance(reads[0], list) else reads
        nodes = [[[*arg["config"]["keras_history"], {}] for arg in flat]] if flat else []
        config = dict(one["config"])
        if "batch_shape" in config:
            config["batch_input_shape"] = config.pop("batch_shape")
        layers.append(
            {"class_name": one["class_name"], "config": config, "name": one["name"], "inbound_nodes": nodes}
        )
    config = {"name": "m", "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["out", 0, 0]]}
    network = read(tmp_path, {"class_name": "Model", "config": config, "keras_version": "2.2.4"})
    assert shapes(network) == RESIDUAL_SHAPES
    assert network.params == RESIDUAL_PARAMS


def test_what_does_not_fit_is_said_at_its_place(tmp_path: Path) -> None:
    model = sequential(start(4, 4, 3), said("Conv2D", "conv\n1", filters=2, kernel_size=[7, 7]))
    assert refused(tmp_path, model).startswith(
        f'error: {tmp_path}/model.json: config.layers[1] "conv\\n1" (Conv2D) does not fit: its 7x7 window is '
        "larger than its 4x4 input\n"
    )


def test_its_place_is_the_path_in_the_json(tmp_path: Path) -> None:
    """Within a model within the model, in a chain as the first Keras wrote it, and in what a layer holds."""
    bad = said("Conv2D", "conv", filters=2, kernel_size=[7, 7], padding="valid")
    old = {"class_name": "Sequential", "config": [start(4, 4, 3), bad]}
    cell = said("LSTM", "lstm", units=0)
    wrapped = said("Bidirectional", "both", layer=cell)
    for model, path in (
        (sequential(start(4, 4, 3), sequential(bad)), "config.layers[1].config.layers[0]"),
        (old, "config[1]"),
        (sequential(start(4, 3), wrapped), "config.layers[1].config.layer"),
    ):
        value: Any = model
        for key in re.findall(r"\w+", path):
            value = value[int(key) if key.isdigit() else key]
        assert value in (bad, cell)
        message = refused(tmp_path, model)
        assert message.startswith(f'error: {tmp_path}/model.json: {path} "{value["name"]}" (')
        assert value is cell or message.endswith('  = help: padding="same"')


def test_as_many_layers_as_are_asked_for(tmp_path: Path) -> None:
    """Also where it is laid out again on another input."""
    path = write(tmp_path, LENET)
    with pytest.raises(archlens.SpecError) as caught:
        archlens.load(path, max_layers=9)
    diagnostic = caught.value.diagnostic
    assert diagnostic.message.endswith("the network has more than 9 layers, the most that one may have")
    assert diagnostic.help == "--max-layers, or max_layers= in Python, allows more"
    with allowing(1):
        assert len(archlens.load(path, max_layers=10).with_input("1x32x32")) == 10
    with pytest.raises(archlens.SpecError, match=r"config\.layers has more than 7 entries"):
        archlens.load(path, max_layers=7)
    with pytest.raises(archlens.UsageError, match="max_layers is a whole number of layers, and at least 1"):
        archlens.load(path, max_layers=0)


def sides(network: Network, name: str) -> list[tuple[int, int]]:
    """What a layer pads, or cuts off, at both ends of each axis."""
    return [(window.before, window.after) for window in network[name].windows]


def test_same_padding_is_that_of_tensorflow(tmp_path: Path) -> None:
    """``ceil(n/s)``; where the padding is odd the extra position comes after."""
    window = {"filters": 2, "kernel_size": [3, 4], "strides": [2, 3], "padding": "same"}
    network = read(tmp_path, functional(start(8, 9, 1), said("Conv2D", "c", "x", **window)))
    assert network["c"].shape == (2, 4, 3)
    # (4 - 1)*2 + 3 - 8 = 1 position; (3 - 1)*3 + 4 - 9 = 1 position
    assert sides(network, "c") == [(0, 1), (0, 1)]
    causal = said("Conv1D", "c", "x", filters=2, kernel_size=[3], dilation_rate=[4], padding="causal")
    network = read(tmp_path, functional(start(8, 5), causal))
    assert network["c"].shape == (2, 8)
    assert sides(network, "c") == [(4 * 2, 0)]


@pytest.mark.parametrize(
    ("padding", "kernel", "stride", "spare", "expected"),
    [
        ("valid", 2, 3, None, 5 * 3),  # (5 - 1)*3 + max(2, 3)
        ("valid", 4, 3, None, 4 * 3 + 4),
        ("same", 4, 3, None, 5 * 3),
        ("same", 2, 3, None, 5 * 3),
        ("valid", 3, 2, 1, 4 * 2 + 3 + 1),
        ("same", 3, 2, 1, 4 * 2 + 3 % 2 + 1),
        ("same", 4, 3, 1, 4 * 3 + 4 % 2 + 1),
        ("same", 1, 2, 1, 4 * 2 + 1 % 2 + 1),
    ],
)
def test_transposed_convolutions(
    padding: str, kernel: int, stride: int, spare: int | None, expected: int, tmp_path: Path
) -> None:
    config = {"filters": 2, "kernel_size": [kernel], "strides": [stride], "padding": padding}
    layer = said("Conv1DTranspose", "c", "x", **config, output_padding=spare)
    assert read(tmp_path, functional(start(5, 3), layer))["c"].shape == (2, expected)


def test_channels_first(tmp_path: Path) -> None:
    """Where all that says so has the channels first, the input has them first, too."""
    first = {"data_format": "channels_first"}
    model = functional(
        start(3, 8, 9),
        said("Conv2D", "conv", "x", filters=4, kernel_size=[3, 3], **first),
        said("BatchNormalization", "bn", "conv", axis=1),
        said("Dense", "along", "bn", units=5),  # over the last axis, which is the width
        said("Flatten", "flat", "bn", **first),
        said("Dense", "out", "flat", units=2),
        out=[["out", 0, 0], ["along", 0, 0]],
    )
    network = read(tmp_path, model)
    assert network.inputs == {"x_1": (3, 8, 9)}
    assert network["bn"].shape == (4, 6, 7)
    assert network["along"].params == 7 * 5 + 5
    assert network["out"].params == 4 * 6 * 7 * 2 + 2


def test_one_tensor_is_held_by_axes_of_its_own(tmp_path: Path) -> None:
    """A permuted tensor is the same one here, and what reads the other reads it as it is."""
    model = functional(
        start(5, 6, 1),
        said("Permute", "turned", "x", dims=[3, 1, 2]),
        said("Dense", "width", "turned", units=2),
        said("Dense", "channels", "x", units=3),
        out=[["width", 0, 0], ["channels", 0, 0]],
    )
    network = read(tmp_path, model)
    assert network["width"].params == 6 * 2 + 2
    assert network["channels"].params == 1 * 3 + 3


def test_reshapes_are_right_or_opaque(tmp_path: Path) -> None:
    model = functional(
        start(4, 6, 3),
        said("Reshape", "rows", "x", target_shape=[24, 3]),  # positions stay in their order
        said("Reshape", "mixed", "x", target_shape=[6, 4, 3, 1]),  # channels become positions
        said("Dense", "dense", ("gap", 0), units=24),
        said("GlobalAveragePooling2D", "gap", "x"),
        said("Reshape", "made", "dense", target_shape=[2, -1, 3]),  # in whatever order dense has them
        said("Flatten", "flat", "x"),
        said("Reshape", "back", "flat", target_shape=[4, 6, 3]),  # of what was flattened the other way round
        out=[["rows", 0, 0], ["mixed", 0, 0], ["made", 0, 0], ["back", 0, 0]],
    )
    network = read(tmp_path, model)
    names = ("rows", "mixed", "made", "back")
    kinds = {name: (network[name].op.kind, tuple(network[name].shape)) for name in names}
    assert kinds == {
        "rows": ("tokens", (24, 3)),
        "mixed": ("rearrange", (6, 4, 3, 1)),
        "made": ("reshape", (3, 2, 4)),
        "back": ("opaque", (4, 6, 3)),
    }
    assert network.macs == 3 * 24  # what moves values multiplies none


def test_layers_that_are_called_twice_have_their_weights_once(tmp_path: Path) -> None:
    tower = functional(
        start(4, name="inside"),
        said("Dense", "a", "inside", units=4, activation="relu"),
        said("Dense", "b", "a", ("b", 0), units=4),
        out=["b", 1, 0],
    )
    called = {**tower, "name": "tower", "inbound_nodes": said("D", "", "x", "y")["inbound_nodes"]}
    model = functional(
        start(4),
        start(4, name="y"),
        called,
        said("Subtract", "apart", [("tower", 0), ("tower", 1)]),
        said("Dense", "out", "apart", units=1),
    )
    network = read(tmp_path, model)
    assert network.params == 2 * (4 * 4 + 4) + 5
    assert network.macs == 2 * 3 * 16 + 4
    assert {layer.name: layer.params for layer in network if layer.op.kind == "linear"} == {
        "tower.a": 20,
        "tower.b": 20,
        "tower.b_1": 0,
        "tower_1.a": 0,
        "tower_1.b": 0,
        "tower_1.b_1": 0,
        "out": 5,
    }
    assert network["tower_1.b_1"].key("weight") == "tower.b.weight"


def test_calls_of_a_model_are_counted_from_one_where_they_are_listed(tmp_path: Path) -> None:
    """Its first call is the one with which it was made; Keras 3 says so of outputs alone."""
    inner = functional(start(4, name="in"), said("Dense", "d", "in", units=3))
    inner |= {"name": "inner", "inbound_nodes": said("D", "", "x")["inbound_nodes"]}
    model = functional(start(4), inner, said("ReLU", "r", ("inner", 0)), out=[["r", 0, 0], ["inner", 1, 0]])
    assert shapes(read(tmp_path, model)) == {"inner.d": (3,), "r": (3,)}
    old = json.loads(json.dumps(model))
    for layer in (*old["config"]["layers"], *old["config"]["layers"][1]["config"]["layers"]):
        del layer["module"]
        args = [arg for node in layer["inbound_nodes"] for arg in node["args"]]
        listed = [arg["config"]["keras_history"] for arg in args]
        layer["inbound_nodes"] = [[[name, call + (name == "inner"), i, {}]] for name, call, i in listed]
    assert shapes(read(tmp_path, old)) == {"inner.d": (3,), "r": (3,)}


def test_attention(tmp_path: Path) -> None:
    def attending(name: str, **config: Any) -> dict[str, Any]:
        return said("MultiHeadAttention", name, **config) | {
            "inbound_nodes": [{"args": [tensor("x"), tensor(config.get("of", "x"))], "kwargs": {}}]
        }

    whole = attending("whole", num_heads=2, key_dim=4)
    other = attending("other", of="y", num_heads=3, key_dim=5, value_dim=2, output_shape=7, use_bias=False)
    model = functional(
        start(6, 8), start(9, 4, name="y"), whole, other, out=[["whole", 0, 0], ["other", 0, 0]]
    )
    network = read(tmp_path, model)
    assert network["whole"].op.kind == "self_attention"
    assert network["whole"].params == 4 * 8 * 8 + 4 * 8
    # queries 8 -> 3*5, keys 4 -> 3*5, values 4 -> 3*2, and 3*2 -> 7
    projected = {"query": 8 * 15, "key": 4 * 15, "value": 4 * 6, "attention_output": 6 * 7}
    assert {name: network[f"other.{name}"].params for name in projected} == projected
    assert network["other.attention"].macs == 6 * 9 * 3 * (5 + 2)
    assert network["other.attention_output"].shape == (6, 7)


def test_what_runs_step_by_step(tmp_path: Path) -> None:
    """The weights and the products of each step, by the equations of the cells."""
    gru = {
        "class_name": "GRU",
        "module": "keras.layers",
        "config": {"name": "g", "units": 3, "reset_after": True},
    }
    model = functional(
        start(7, 4),
        said("LSTM", "lstm", "x", units=5, return_sequences=True),
        said("Bidirectional", "both", "lstm", layer=gru, merge_mode="concat"),
        said("TimeDistributed", "each", "lstm", layer={"class_name": "Dense", "config": {"units": 2}}),
        said("SimpleRNN", "simple", "x", units=6, use_bias=False),
        out=[["both", 0, 0], ["each", 0, 0], ["simple", 0, 0]],
    )
    network = read(tmp_path, model)
    found = {layer.name: (tuple(layer.shape), layer.params, layer.macs) for layer in network}
    assert found == {
        "lstm_channels_last": ((7, 4), 0, 0),
        "lstm": ((7, 5), 4 * 5 * (4 + 5 + 1), 7 * 4 * 5 * (4 + 5)),
        # a bias for the input, and one for the state
        "both": ((2, 3), 2 * 3 * 3 * (5 + 3 + 2), 2 * 7 * 3 * 3 * (5 + 3)),
        "both_flatten": ((6,), 0, 0),
        "each": ((7, 2), 5 * 2 + 2, 7 * 5 * 2),
        "simple": ((1, 6), 6 * (4 + 6), 7 * 6 * (4 + 6)),
        "simple_flatten": ((6,), 0, 0),
    }


def test_what_runs_step_by_step_as_torch_does(tmp_path: Path) -> None:
    """A GRU has two biases for each of its gates, as in torch; without biases all have the same weights."""
    back = said("GRU", "back", units=5, go_backwards=True, return_sequences=True)
    there = said("GRU", "there", units=5, return_sequences=True)
    network = read(
        tmp_path,
        sequential(
            start(20),
            said("Embedding", "words", input_dim=50, output_dim=8),
            said("Bidirectional", "both", layer=there, backward_layer=back),
            said("LSTM", "lstm", units=4, use_bias=False, return_sequences=True),
            said("RMSNormalization", "norm"),
            said("SimpleRNN", "last", units=3, use_bias=False, activation="relu"),
        ),
    )
    assert network.inputs == {"x_1": Ids((20,), 50)}
    assert {layer.name: (str(layer.op), layer.params) for layer in network} == {
        "words": ("embedding(8)", 50 * 8),
        "both": ("gru(5, bidirectional=true)", 2 * 3 * (5 * 8 + 5 * 5 + 2 * 5)),
        "lstm": ("lstm(4, bias=false)", 4 * (4 * 10 + 4 * 4)),
        "norm": ("rms_norm", 4),
        "last": ('rnn(3, bias=false, output="state", nonlinearity="relu")', 3 * 4 + 3 * 3),
        "last_flatten": ("flatten", 0),
    }
    assert archlens.convert(network).count("words: embedding(8)") == 1
    for other, why in (
        (said("GRU", "one", units=4, reset_after=False), "(reset_after=False), and gru after it"),
        (
            said("GRU", "one", units=4, activation="relu"),
            "relu and sigmoid, where gru applies tanh and sigmoid",
        ),
        (said("LSTM", "one", units=4, stateful=True), "it starts from states that it is given or keeps"),
        (said("SimpleRNN", "one", units=4, activation="elu"), "it applies elu, where rnn applies tanh"),
    ):
        one = read(tmp_path, sequential(start(20, 8), other))["one"]
        assert isinstance(one.op, Opaque)
        assert one.op.reason.endswith(why)
        assert one.macs > 0
        assert one.facts.reach == (Window(20, before=19),)  # what has been read by then


def test_a_layer_that_goes_backwards_reads_the_last_step_first(tmp_path: Path) -> None:
    """And gives its steps in that order; of cells one on the other only the first turns them round."""
    cells = {
        "class_name": "StackedRNNCells",
        "config": {"cells": [said("GRUCell", f"c{n}", units=n) for n in (4, 3)]},
    }
    network = read(
        tmp_path,
        sequential(
            start(20, 8),
            said("LSTM", "lstm", units=6, go_backwards=True, return_sequences=True, use_bias=False),
            said("RNN", "two", cell=cells, go_backwards=True),
        ),
    )
    assert [str(layer.op) for layer in network if layer.op.kind not in ("channels_last", "flatten")] == [
        'flip("length")',
        "lstm(6, bias=false)",
        'flip("length")',
        "gru(4)",
        'gru(3, output="state")',
    ]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
@pytest.mark.parametrize("whole", [True, False])
def test_the_states_that_a_layer_ends_with(kind: str, whole: bool, tmp_path: Path) -> None:
    """What it gave last is the first of them; what an LSTM keeps beside is of as many values."""
    states = 2 if kind == "LSTM" else 1
    model = functional(
        start(7, 4),
        said(kind, "run", "x", units=5, return_sequences=whole, return_state=True, use_bias=False),
        out=[["run", 0, number] for number in range(1 + states)],
    )
    network = read(tmp_path, model)
    gates = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}[kind]
    assert network.params == gates * 5 * (4 + 5)
    assert network.macs == 7 * gates * 5 * (4 + 5)
    given = [network[end].shape for end in network.outputs.values()]
    if whole:
        assert given == [(7, 5), *[(5,)] * states]
    else:
        assert set(given) == {(5,)}  # what it gives is its first state
    opaque = [layer for layer in network if layer.op.kind == "opaque"]
    assert len(opaque) == states - 1
    assert all(layer.params == layer.macs == 0 for layer in opaque)


@pytest.mark.parametrize(
    ("equation", "shape", "output", "bias", "weights", "kinds"),
    [
        ("abc,cde->abde", (6, 5), [None, 2, 3], "de", 5 * 6 + 6, ["linear"]),
        ("abcd,cde->abe", (6, 2, 3), [None, 7], "e", 6 * 7 + 7, ["linear"]),
        ("ab,bcd->acd", (5,), [3, 4], None, 5 * 12, ["linear"]),
        ("abc,dc->abd", (6, 5), [None, 4], None, 5 * 4, ["linear"]),
        ("abc,bcd->ad", (6, 5), 7, "d", 30 * 7 + 7, ["linear"]),
        ("abc,cde->abde", (6, 5), [None, 2, 3], "e", 5 * 6 + 3, ["opaque"]),
        ("abc,bcd->abd", (6, 5), [6, 7], None, 6 * 5 * 7, ["conv"]),
        ("abcd,dce->abec", (6, 2, 3), [None, 7, 2], "ec", 2 * 3 * 7 + 14, ["conv"]),
        ("abc,cd->adb", (6, 5), [4, None], None, 5 * 4, ["linear"]),
        ("abc,bd->acd", (6, 5), [5, 4], "d", 6 * 4 + 4, ["linear"]),
        ("abc,bc->abc", (6, 5), [6, 5], None, 6 * 5, ["opaque"]),
    ],
)
def test_products_that_an_equation_says(
    equation: str,
    shape: tuple[int, ...],
    output: Any,
    bias: str | None,
    weights: int,
    kinds: list[str],
    tmp_path: Path,
) -> None:
    layer = said("EinsumDense", "product", equation=equation, output_shape=output, bias_axes=bias)
    network = read(tmp_path, sequential(start(*shape), layer))
    letters = dict(zip(equation[1:], shape, strict=False))
    end = equation.partition("->")[2][1:]
    listed = output if isinstance(output, list) else [output]
    known = [n or letters[letter] for letter, n in zip(end, listed, strict=True)]
    assert sorted(network.output) == sorted(known)
    assert [layer.op.kind for layer in network if layer.params] == kinds
    assert network.params == weights
    sizes = letters | dict(zip(end, known, strict=True))
    assert network.macs == prod(sizes.values())


@pytest.mark.parametrize(("axes", "seen"), [(1, 5), (2, 6), ([1, 2], 30), (None, 30)])
def test_attention_along_some_axes(axes: Any, seen: int, tmp_path: Path) -> None:
    """Each row of the others attends by itself: 30 queries meet as many keys as there are along those."""
    config = {"num_heads": 2, "key_dim": 4, "output_shape": [3, 7], "attention_axes": axes}
    layer = said("MultiHeadAttention", "a", **config) | {
        "inbound_nodes": [{"args": [tensor("x"), tensor("x")], "kwargs": {}}]
    }
    network = read(tmp_path, functional(start(5, 6, 8), layer))
    assert not [one for one in network if one.op.kind == "opaque"]
    assert network.params == 3 * (8 * 8 + 8) + 8 * 21 + 21
    assert network.macs == 30 * (3 * 8 * 8 + 8 * 21) + 30 * seen * 2 * 8
    assert sorted(network.output) == [3, 5, 6, 7]


def test_a_model_at_each_step(tmp_path: Path) -> None:
    """Its layers are those of maps of one axis more, and what has no such is opaque by itself."""
    inner = sequential(
        start(8, 8, 3),
        said("Conv2D", "conv", filters=4, kernel_size=3, activation="relu"),
        said("MaxPooling2D", "pool", pool_size=2),
        said("Conv2DTranspose", "up", filters=2, kernel_size=3),
        said("GlobalAveragePooling2D", "gap"),
    )
    network = read(tmp_path, sequential(start(6, 8, 8, 3), said("TimeDistributed", "each", layer=inner)))
    found = {layer.name: str(layer.op) for layer in network if layer.op.kind != "channels_last"}
    assert found == {
        "each.conv": "conv(4, (1, 3, 3))",
        "each.conv_relu": "relu",
        "each.pool": "max_pool((1, 2, 2))",
        "each.up": "Conv2DTranspose",
        "each.gap": 'mean(("height", "width"))',
    }
    assert network.params == 3 * 9 * 4 + 4 + 4 * 9 * 2 + 2
    assert network.macs == 6 * (36 * 3 * 9 * 4 + 9 * 4 * 9 * 2)
    assert network.output == (6, 2)


def test_two_ways_and_their_states(tmp_path: Path) -> None:
    """The way back ends at the first step; two ways that no op is both of stand one by one."""
    lstm = said("LSTM", "l", units=5, return_sequences=True, return_state=True)
    gru = said("GRU", "g", units=5, reset_after=False, return_sequences=True)
    model = functional(
        start(7, 4),
        said("Bidirectional", "both", "x", layer=lstm, merge_mode="sum"),
        said("Bidirectional", "apart", "x", layer=gru, merge_mode="ave"),
        out=[*(["both", 0, number] for number in range(5)), ["apart", 0, 0]],
    )
    network = read(tmp_path, model)
    assert network.params == 2 * 4 * 5 * (4 + 5 + 1) + 2 * 3 * 5 * (4 + 5 + 1)
    assert network.macs == 7 * 2 * (4 + 3) * 5 * (4 + 5)
    assert [tuple(network[end].shape) for end in network.outputs.values()] == [(7, 5), *[(5,)] * 4, (7, 5)]
    states = [network[end] for end in list(network.outputs.values())[1:5]]
    assert [str(network[one.inputs[0]].op) for one in states[::2]] == [
        'slice(start=-1, axis="length")',
        'slice(stop=1, axis="length")',
    ]
    ways = ["apart.forward", "apart.backward_backwards", "apart.backward", "apart.turned", "apart.merged"]
    assert [network[name].op.kind for name in ways] == ["opaque", "flip", "opaque", "flip", "add"]
    assert str(network["apart.merged_mean"].op) == "scale(0.5)"


def test_states_that_nothing_reads_make_no_layers(tmp_path: Path) -> None:
    """As the decoder's in Keras' own example of one sequence into another."""
    config = {"units": 5, "return_sequences": True, "return_state": True}
    decoder = said("LSTM", "decoder", "y", **config)
    states = [tensor("encoder"), tensor("encoder")]
    for number, state in enumerate(states, 1):
        state["config"]["keras_history"][2] = number
    decoder["inbound_nodes"][0]["kwargs"] = {"initial_state": states}
    encoder = said("LSTM", "encoder", "x", units=5, return_state=True)
    network = read(tmp_path, functional(start(7, 4), start(6, 3, name="y"), encoder, decoder))
    assert network.params == 4 * 5 * (4 + 5 + 1) + 4 * 5 * (3 + 5 + 1)
    assert network.macs == 7 * 4 * 5 * (4 + 5) + 6 * 4 * 5 * (3 + 5)
    assert network.output == (6, 5)
    read_by = {name for layer in network for name in layer.inputs} | {*network.outputs.values()}
    assert {layer.name for layer in network} <= read_by


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_how_far_a_convolution_at_each_step_looks(first: bool, whole: bool, tmp_path: Path) -> None:
    """Through its kernel, and once through that of the state for each step before, as NaNs in Keras show."""
    layer = said(
        "ConvLSTM2D",
        "run",
        filters=2,
        kernel_size=[3, 4],
        strides=[2, 1],
        padding="same",
        return_sequences=whole,
        data_format="channels_first" if first else "channels_last",
    )
    shape = (3, 5, 20, 30) if first else (3, 20, 30, 5)
    network = read(tmp_path, sequential(start(*shape), layer))
    run = network["run"]
    assert run.params == 12 * 5 * 8 + 12 * 2 * 8 + 8
    assert run.macs == 3 * 10 * 30 * 12 * (5 + 2) * 8
    assert isinstance(run.facts.reach, tuple)
    steps, rows, columns = run.facts.reach
    assert (steps.extent, steps.before) == (3, 2)
    # 3 rows, and twice 2 rows of the state, which are 2 apart; of 20 rows none stands before the first
    assert (rows.extent, rows.stride, rows.before) == (3 + 2 * 2 * 2, 2, 0 + 2 * 2)
    assert (columns.extent, columns.stride, columns.before) == (4 + 2 * 3, 1, 1 + 2)
    assert sorted(network.output) == sorted([3, 2, 10, 30] if whole else [2, 10, 30])


def test_masks_are_not_followed(tmp_path: Path) -> None:
    """Nor is what makes them alone: a table alone reads the input, so it is one of ids."""
    lstm = said("LSTM", "lstm", "words", units=4)
    lstm["inbound_nodes"][0]["kwargs"] = {"mask": tensor("mask")}
    words = said("Embedding", "words", "x", input_dim=50, output_dim=3, mask_zero=True)
    network = read(tmp_path, functional(start(9), words, operation("NotEqual", "mask", tensor("x"), 0), lstm))
    assert network.inputs == {"x_1": Ids((9,), 50)}
    assert [layer.op.kind for layer in network] == ["embedding", "lstm", "flatten"]
    assert network.params == 150 + 4 * 4 * (3 + 4 + 1)


def test_ids_are_those_of_one_table(tmp_path: Path) -> None:
    tables = [said("Embedding", f"t{n}", "x", input_dim=n, output_dim=3) for n in (50, 50, 60)]
    tables[1]["name"] = tables[1]["config"]["name"] = "other"
    merge = said("Add", "sum", ["t50", "other"])
    assert read(tmp_path, functional(start(20), *tables[:2], merge)).inputs == {"x_1": Ids((20,), 50)}
    apart = read(tmp_path, functional(start(20), *tables[::2], said("Add", "sum", ["t50", "t60"])))
    assert (apart.inputs, apart.params) == ({"x_1": (20,)}, 50 * 3 + 60 * 3)


def test_normalization_with_half_of_its_weights(tmp_path: Path) -> None:
    model = functional(
        start(4, 4, 6),
        said("Normalization", "given", "x", axis=[-1], mean=None, variance=None),
        said("BatchNormalization", "shifted", "given", axis=-1, scale=False, center=True),
        said("LayerNormalization", "one", "shifted", axis=[-1], scale=True, center=False),
        said("GroupNormalization", "groups", "one", groups=3, axis=-1),
    )
    network = read(tmp_path, model)
    assert [layer.params for layer in network] == [0, 6, 6, 12]
    assert str(network["shifted"].op) == "batch_norm(eps=0.001, momentum=0.01, scale=false)"
    held = {name: prod(one.shape) for name, one in network["given"].facts.buffers.items()}
    assert held == {"mean": 6, "variance": 6, "count": 1}
    assert network.macs == 0


def test_merges(tmp_path: Path) -> None:
    model = functional(
        start(4, 5, 6),
        said("GlobalAveragePooling2D", "gap", "x"),
        said("Multiply", "gate", ["x", "gap"]),  # a vector goes along the last axis
        said("Average", "mean", ["x", "gate"]),
        said("Maximum", "most", ["mean", "x"]),
        said("Concatenate", "high", ["most", "x"], axis=1),
        said("Reshape", "rows", "x", target_shape=[20, 6]),
        said("Dot", "dot", ["rows", "rows"], axes=2),
        out=[["high", 0, 0], ["dot", 0, 0]],
    )
    network = read(tmp_path, model)
    assert network["gate"].shape == (6, 4, 5)
    assert str(network["mean_scale"].op) == "scale(0.5)"
    assert network["high"].shape == (6, 8, 5)
    assert (tuple(network["dot"].shape), network["dot"].macs) == ((20, 20), 20 * 20 * 6)


def operation(kind: str, name: str, *args: Any, part: str = "numpy", **config: Any) -> dict[str, Any]:
    made = said(kind, name, module=f"keras.src.ops.{part}", **config)
    return made | {"inbound_nodes": [{"args": list(args), "kwargs": {}}]}


def constant(*sizes: int) -> dict[str, Any]:
    """A tensor that is written out."""
    value: Any = 0.5
    for n in reversed(sizes):
        value = [value] * n
    return {"class_name": "__tensor__", "config": {"value": value, "dtype": "float32"}}


@pytest.mark.parametrize(
    ("made", "shape", "op"),
    [
        (
            operation("Take", "y", tensor("x"), [1, 2], axis=1),
            (2, 6, 8),
            'slice(start=1, stop=3, axis="height")',
        ),
        (operation("Take", "y", tensor("x"), [0, 3, 0], axis=2), (4, 3, 8), "Take"),
        (operation("Take", "y", tensor("x"), -1, axis=2), (4, 8), 'slice(start=5, stop=6, axis="width")'),
        (operation("Tile", "y", tensor("x"), repeats=[1, 1, 2, 3]), (4, 12, 24), "Tile"),
        (operation("OneHot", "y", tensor("x"), num_classes=5, axis=-1), (4, 6, 8, 5), "OneHot"),
        (operation("MaxPool", "y", tensor("x"), part="nn", pool_size=2, strides=2), (2, 3, 8), "max_pool(2)"),
        (
            operation("AveragePool", "y", tensor("x"), part="nn", pool_size=2, padding="valid"),
            (2, 3, 8),
            "avg_pool(2)",
        ),
        (
            operation("Resize", "y", tensor("x"), part="image", size=[8, 9], interpolation="bilinear"),
            (8, 9, 8),
            'upsample(size=(8, 9), mode="bilinear")',
        ),
        (operation("Add", "y", tensor("x"), constant(6, 8)), (4, 6, 8), "add"),
        (operation("Subtract", "y", constant(1, 4, 1, 1), tensor("x")), (4, 6, 8), "subtract"),
        (operation("Multiply", "y", constant(3, 1, 6, 8), tensor("x")), None, "constant of (3, 1, 6, 8)"),
        (operation("Multiply", "y", constant(5, 6, 8), tensor("x")), None, "(None, 4, 6, 8) and a constant"),
        (operation("Multiply", "y", constant(), tensor("x")), (4, 6, 8), "scale(0.5)"),
        (operation("Moveaxis", "y", tensor("x"), source=1, destination=-1), (6, 8, 4), ""),
    ],
    ids=lambda value: value["class_name"] if isinstance(value, dict) else "",
)
def test_operations_that_take_pool_and_repeat(
    tmp_path: Path, made: dict[str, Any], shape: tuple[int, ...] | None, op: str
) -> None:
    """Their sizes are known where nothing behind them says these, and they multiply nothing."""
    model = functional(start(4, 6, 8), made, said("Dense", "last", "y", units=3, use_bias=False))
    if shape is None:
        with pytest.raises(archlens.SpecError, match=re.escape(op)):
            read(tmp_path, model)
        return
    network = read(tmp_path, model)
    assert op in [str(layer.op) for layer in network] or not op
    assert network.params == shape[-1] * 3
    assert network.macs == prod(shape) * 3
    assert not network.unknown


def test_operations_of_keras(tmp_path: Path) -> None:
    part = {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": None}}
    every = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
    model = functional(
        start(4, 6, 8),
        operation("Multiply", "third", tensor("x"), 3),
        operation("Add", "sum", tensor("x"), tensor("third")),
        operation("Relu", "relu", tensor("sum"), part="nn"),
        operation("GetItem", "cut", tensor("relu"), [every, part]),
        operation("Mean", "mean", tensor("cut"), axis=[1, 2], keepdims=True),
        operation("Reshape", "flat", tensor("mean"), newshape=[-1, 8]),
        operation("Subtract", "less", 1, tensor("flat")),
    )
    network = read(tmp_path, model)
    assert [(layer.op.kind, tuple(layer.shape)) for layer in network] == [
        ("scale", (8, 4, 6)),
        ("add", (8, 4, 6)),
        ("relu", (8, 4, 6)),
        ("slice", (8, 3, 6)),
        ("global_avg_pool", (8, 1, 1)),
        ("flatten", (8,)),
        ("scale", (8,)),
        ("shift", (8,)),
    ]
    assert network.macs == 0


def test_operations_of_keras_2(tmp_path: Path) -> None:
    layers = [
        {
            "class_name": "InputLayer",
            "config": {"name": "x", "batch_input_shape": [None, 4, 4, 2]},
            "name": "x",
        },
        {
            "class_name": "TFOpLambda",
            "config": {"name": "tf.math.add", "function": "math.add"},
            "name": "tf.math.add",
            "inbound_nodes": [["x", 0, 0, {"y": ["x", 0, 0], "name": None}]],
        },
        {
            "class_name": "Activation",
            "config": {"name": "h", "activation": "hard_sigmoid"},
            "name": "h",
            "inbound_nodes": [[["tf.math.add", 0, 0, {}]]],
        },
    ]
    config = {"layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [["h", 0, 0]]}
    network = read(tmp_path, {"class_name": "Functional", "config": config})
    # the hard sigmoid of Keras 2 is another function than today's
    assert [(layer.name, str(layer.op)) for layer in network] == [
        ("tf_math_add", "add"),
        ("h", "scale(0.2)"),
        ("h_shift", "shift(0.5)"),
        ("h_clamp", "clamp(min=0, max=1)"),
    ]


def custom(name: str, *reads: Any, **config: Any) -> dict[str, Any]:
    return said("Mine", name, *reads, module="my_package.layers", **config) | {"registered_name": "my>Mine"}


def test_what_is_not_known_is_said(tmp_path: Path) -> None:
    model = functional(
        start(4, 4, 2),
        custom("mine", ("x", 0, (4, 4, 2))),
        said("Lambda", "lam", ("mine", 0, (2, 2, 3))),
        said("Conv2D", "conv", ("lam", 0, (2, 2, 3)), filters=5, kernel_size=[1, 1]),
    )
    network = read(tmp_path, model)
    assert network["conv"].params == 3 * 5 + 5
    assert (str(network["mine"].params), str(network["mine"].macs)) == ("unknown", "unknown")
    assert (str(network["lam"].params), str(network["lam"].macs)) == ("0", "unknown")
    assert f"{network.params:,}" == "at least 20"
    assert refused(tmp_path, model, "2x8x8").startswith(
        f'error: {tmp_path}/model.json: config.layers[1] "mine" (Mine): its output shape on '
        "(None, 8, 8, 2) is not known, because archlens does not run Mine\n"
        "  = help: the file has it on (None, 4, 4, 2)"
    )
    assert refused(tmp_path, functional(start(4, 4, 2), custom("mine", "x"))).startswith(
        f'error: {tmp_path}/model.json: config.layers[1] "mine" (Mine): its output shape is not known, '
        "because archlens does not run Mine\n"
    )


def test_sizes_that_are_open_are_asked_for(tmp_path: Path) -> None:
    model = functional(
        start(None, None, 3),
        said("Conv2D", "conv", "x", filters=2, kernel_size=[3, 3], padding="same", strides=[2, 2]),
        said("GlobalMaxPooling2D", "pool", "conv"),
    )
    message = refused(tmp_path, model)
    assert "leaves the size of its input x_1 open, which is 3 x height x width" in message
    assert read(tmp_path, model, "3x9x7")["conv"].shape == (2, 5, 4)
    assert read(tmp_path, model, "3x9x7").with_input("3x20x30")["conv"].shape == (2, 10, 15)
    unbuilt = sequential(said("Dense", "d", units=3))
    assert "leaves the size of its input input open" in refused(tmp_path, unbuilt)
    assert read(tmp_path, unbuilt, "7")["d"].params == 7 * 3 + 3


def test_names_are_those_of_the_file_as_far_as_they_can_be(tmp_path: Path) -> None:
    names = ["block/conv", "block.conv", "block_conv", "a\nb\0", "", "block_conv_relu", "x" * 500]
    layers = [said("Dense", name, units=2) for name in names]
    layers[0]["config"]["activation"] = "relu"
    network = read(tmp_path, sequential(start(2), *layers))
    assert [layer.name for layer in network] == [
        "block_conv",
        "block_conv_relu_1",
        "block_conv_1",
        "block_conv_2",
        "a_b_",
        "_",
        "block_conv_relu",
        "x" * 120,
    ]


PREPARED: list[tuple[str, dict[str, Any], Any]] = [
    ("Normalization", {"axis": [-1]}, lambda x: x),  # its mean is 0 at first, and its variance 1
    (
        "Normalization",
        {"axis": -1, "mean": [1, 2, 3], "variance": [4, 9, 16]},
        lambda x: (x - [1, 2, 3]) / [2, 3, 4],
    ),
    ("Normalization", {"mean": 2, "variance": 25.0}, lambda x: (x - 2) / 5),
    ("Normalization", {"axis": [], "mean": 2, "variance": 25.0}, lambda x: (x - 2) / 5),
    ("Normalization", {"axis": None, "mean": 2, "variance": 25.0}, lambda x: (x - 2) / 5),
    ("Normalization", {"mean": [1, 2, 3], "variance": 4, "invert": True}, lambda x: x * 2 + [1, 2, 3]),
    ("Rescaling", {"scale": 2.0, "offset": -1}, lambda x: 2 * x - 1),
    ("Rescaling", {"scale": [2.0, 4.0, 5.0]}, lambda x: x * [2, 4, 5]),
    ("Rescaling", {"scale": 0.5, "offset": [1.0, -2.0, 0.0]}, lambda x: 0.5 * x + [1, -2, 0]),
]


@pytest.mark.parametrize(("kind", "config", "computed"), PREPARED)
def test_what_prepares_the_input(kind: str, config: dict[str, Any], computed: Any, tmp_path: Path) -> None:
    """It computes what Keras' documentation says, and is written as a spec."""
    import torch

    network = read(tmp_path, sequential(start(2, 2, 3), said(kind, "first", **config)))
    assert (network.params, network.macs) == (0, 0)
    x = torch.rand(1, 3, 2, 2)
    expected = torch.as_tensor(computed(x.movedim(1, -1).double().numpy())).movedim(-1, 1).float()
    for one in (network, archlens.loads(archlens.convert(network))):
        torch.testing.assert_close(archlens.build(one).eval()(x), expected)


def test_layers_as_ops_compute_what_keras_says(tmp_path: Path) -> None:
    """Dots, repeated vectors, turned axes and arithmetic, by their definitions."""
    import torch

    model = functional(
        start(4, 3),
        said("Permute", "turned", "x", dims=[2, 1]),
        said("Dot", "dot", ["x", "x"], axes=[1, 1], normalize=False),
        said("GlobalMaxPooling1D", "most", "x"),
        said("RepeatVector", "again", "most", n=4),
        said("Subtract", "less", ["again", "x"]),
        said("ReLU", "bounded", "less", max_value=0.25, negative_slope=0.0, threshold=0.0),
        said("UnitNormalization", "unit", "bounded", axis=1),
        said("Concatenate", "joined", ["unit", "dot"], axis=1),
    )
    x = torch.rand(1, 4, 3)
    less = (x.amax(1, keepdim=True) - x).clamp(0, 0.25)
    unit = less / less.pow(2).sum(1, keepdim=True).sqrt()
    expected = torch.cat([unit, x.transpose(1, 2) @ x], 1)
    network = read(tmp_path, model)
    assert network.macs == 3 * 3 * 4
    torch.testing.assert_close(archlens.build(network).eval()(x.transpose(1, 2)).transpose(1, 2), expected)


def test_a_window_at_each_step_is_one_over_all_of_them(tmp_path: Path) -> None:
    """``TimeDistributed`` of a convolution is one that is a step long; here of 5 steps of 3x8x8."""
    conv = said("Conv2D", "c", filters=4, kernel_size=[3, 3], strides=[2, 2], padding="same")
    network = read(
        tmp_path,
        sequential(
            start(5, 8, 8, 3),
            said("TimeDistributed", "conv", layer=conv),
            said("TimeDistributed", "pool", layer=said("MaxPooling2D", "p", pool_size=[2, 2])),
            said("TimeDistributed", "flat", layer=said("Flatten", "f")),
            said("LSTM", "lstm", units=2),
        ),
    )
    pool = said("TimeDistributed", "each", layer=said("GlobalAveragePooling2D", "g"))
    each = read(tmp_path, sequential(start(5, 8, 8, 3), pool))["each"]
    assert (str(each.op), tuple(each.shape)) == ('mean(("height", "width"))', (5, 3))
    found = {layer.name: (tuple(layer.shape), layer.params, layer.macs) for layer in network}
    assert found["conv"] == ((4, 5, 4, 4), 27 * 4 + 4, 5 * 16 * 27 * 4)
    assert found["pool"][0] == (4, 5, 2, 2)
    assert found["lstm"] == ((1, 2), 4 * 2 * (16 + 2 + 1), 5 * 4 * 2 * (16 + 2))
    assert not any(isinstance(layer.op, Opaque) for layer in network)


CONV = {"filters": 2, "kernel_size": [3, 3]}

#: What is wrong, and how it is said.
WRONG: list[tuple[Any, str]] = [
    (sequential(start(8, 8, 1), said("Conv2D", "c", filters=0)), "its filters must be a whole number from 1"),
    (sequential(start(8, 8, 1), said("Conv2D", "c", filters=2)), "it has no kernel_size, which must be"),
    (
        sequential(start(8, 8, 1), said("Conv2D", "c", filters=2, kernel_size=[3])),
        "its kernel_size must be a whole number of at least 1, or a list of 2 of them, not [3]",
    ),
    (
        sequential(start(8, 8, 1), said("Conv2D", "c", **CONV, padding="full")),
        'its padding must be "valid" or "same", not "full"',
    ),
    (
        sequential(start(8), said("Conv2D", "c", **CONV)),
        'layers[1] "c" (Conv2D): it reads 2 spatial axes and channels, and is called with (None, 8)',
    ),
    (sequential(start(8, 8, 10**40), said("Conv2D", "c", **CONV)), "not a number out of range"),
    (sequential(start(8), said("Dense", "d", units="many")), 'from 1 to 1,000,000,000, not "many"'),
    (sequential(start(8), {"class_name": 3}), "layers[1] has no class_name"),
    (sequential(start(8), [1]), "layers[1] must be an object, not [1]"),  # type: ignore[arg-type]
    (sequential(start(8)), "has no layers"),
    (
        sequential(start(8, 8, 1), said("Resizing", "r", height=4, width=4, interpolation=["nearest"])),
        'layers[1] "r" (Resizing): its interpolation must be a string, not ["nearest"]',
    ),
    (
        functional(start(8), said("Bidirectional", "b", []), out=[["b", 0, 0]]),
        'layers[1] "b" (Bidirectional): it is called with no tensor',
    ),
    (functional(start(8), said("Dense", "a", "b", units=3)), "it reads b, and there is no such layer"),
    (
        functional(start(8), {**sequential(start(8)), "name": "s", "inbound_nodes": [{"args": []}]}),
        "config.layers[1].config: a chain of layers is called with 0 tensors",
    ),
    (
        functional(start(8), said("Dense", "a", ("x", 1), units=3)),
        'layers[1] "a" (Dense): it reads call 1 of x, which is called 0 times',
    ),
    (
        functional(start(8), *[said("ReLU", one, other) for one, other in ("ac", "ba", "cb")]),
        'layers[1] "a" (ReLU): it reads its own output: a -> b -> c -> a',
    ),
    (
        functional(start(8), said("Dense", "a", "x", units=3), out=[["b", 0, 0]]),
        "output_layers: there is no layer b",
    ),
    (functional(start(8), said("Dense", "x", "x", units=3)), "another layer already has that name"),
    (
        functional(start(8), start(7, name="y"), said("Add", "a", ["x", "y"])),
        'layers[2] "a" (Add): it merges (None, 8) and (None, 7), which cannot be broadcast together',
    ),
    (
        functional(start(8, 4), start(7, 3, name="y"), said("Concatenate", "a", ["x", "y"])),
        "only axis 2 may differ in a concat of (None, 8, 4) and (None, 7, 3)",
    ),
    (sequential(start(8), said("Reshape", "r", target_shape=[3, -1])), "(None, 8) holds 8 values, which"),
    (sequential(start(8), said("Softmax", "s", axis=[])), "its axis must be one of the axes 1 to 1, not []"),
    (sequential(start(8), said("Softmax", "s", axis=7)), "its axis must be one of the axes 1 to 1, not 7"),
    ({"class_name": "Functional", "config": {"layers": {}}}, "lists no layers: only the code of its class"),
    ("{\"class_name\": \"Sequential\", \"config\": ", "is not JSON"),
    ('{"class_name": "Sequential", "config": ' + "[" * 100_000, "are nested too deeply"),
    ('{"class_name": "Sequential", "config": {"layers": [' + "[]," * 1_000_001, "more than 1,000,000 values"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "message"), WRONG, ids=[message[:40] for _, message in WRONG])
def test_what_is_wrong_is_said(model: Any, message: str, tmp_path: Path) -> None:
    assert message in refused(tmp_path, model)


def repeated(inner: dict[str, Any], deep: int) -> dict[str, Any]:
    """Models within models, each called ten times."""
    for _ in range(deep):
        calls = said("F", "f", "x", *[("f", i) for i in range(9)])["inbound_nodes"]
        inner = functional(start(4), {**inner, "name": "f", "inbound_nodes": calls}, out=["f", 10, 0])
    return inner


def test_what_would_take_for_ever_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls that make no layer are counted, too; here by the thousand."""
    monkeypatch.setattr(placing, "_STEPS", 1000)
    model = repeated(functional(start(4), said("Identity", "i", "x")), 12)
    assert "laying this network out takes more than 250,000 steps" in refused(tmp_path, model)
    deeper = repeated(functional(start(4), said("Dense", "i", "x", units=4)), 45)
    assert "models are nested more than 40 deep" in refused(tmp_path, deeper)


def test_an_archive_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 20_000_000)
    found = formats.file(str(path))
    assert found is not None
    with pytest.raises(archlens.ArchlensError, match="larger than 16 MB"):
        found.network(None, {})


def test_files_that_are_cut_or_changed_give_diagnostics(tmp_path: Path) -> None:
    """Whatever bytes: a network, or a diagnostic."""
    draw = random.Random(1)
    text = json.dumps(RESIDUAL).encode()
    packed = tmp_path / "good.keras"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", text)
    for whole, name in ((text, "bad.json"), (packed.read_bytes(), "bad.keras")):
        for _ in range(60):
            data = bytearray(whole)
            if draw.random() < 0.5:
                del data[draw.randrange(len(data)) :]
            else:
                data[draw.randrange(len(data))] = draw.randrange(256)
            (tmp_path / name).write_bytes(data)
            with suppress(archlens.ArchlensError):
                found = formats.file(str(tmp_path / name))
                assert found is None or found.network(None, {}).layers


def test_its_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read again before it is written; ``x`` is no name of an input there."""
    monkeypatch.chdir(tmp_path)
    text = archlens.convert(read(Path(), RESIDUAL))
    assert "x_1: 3x9x9" in text
    assert 'conv: conv(8, 3, stride=2, padding="same", bias=false)' in text


EVERY = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}

#: Operations on 12 positions of 8 channels: what Keras 3.15 makes of each, and its multiply-accumulates.
OPERATIONS: list[tuple[str, list[Any], dict[str, Any], tuple[int, ...], int]] = [
    ("GetItem", ["x", [EVERY, -1, EVERY]], {}, (8,), 0),
    ("GetItem", ["x", [EVERY, EVERY, 3]], {}, (12,), 0),
    ("Flip", ["x"], {"axis": 1}, (12, 8), 0),
    ("Roll", ["x"], {"shift": 1, "axis": 1}, (12, 8), 0),
    ("Cumsum", ["x"], {"axis": 1}, (12, 8), 0),
    ("Greater", ["x", 0], {}, (12, 8), 0),
    ("Einsum", ["x", "x"], {"subscripts": "bij,bkj->bik"}, (12, 12), 12 * 12 * 8),
    ("Swapaxes", ["x"], {"axis1": 1, "axis2": 2}, (8, 12), 0),
    ("Argmax", ["x"], {"axis": -1, "keepdims": False}, (12,), 0),
    ("Stack", [["x", "x"]], {"axis": 1}, (2, 12, 8), 0),
    ("Repeat", ["x"], {"repeats": 2, "axis": 1}, (24, 8), 0),
]


@pytest.mark.parametrize("case", OPERATIONS, ids=lambda case: case[0])
def test_what_comes_out_of_an_operation_is_known_behind_it(tmp_path: Path, case: Any) -> None:
    kind, reads, config, shape, macs = case
    made = said(kind, "made", module="keras.src.ops.numpy", **config)
    texts = {"x": tensor("x")}
    args = [texts.get(one, one) if isinstance(one, str) else one for one in reads]
    args = [[tensor(n) for n in one] if isinstance(one, list) and one == ["x", "x"] else one for one in args]
    made["inbound_nodes"] = [{"args": args, "kwargs": {}}]
    network = read(tmp_path, functional(start(12, 8), made, said("Flatten", "flat", "made")))
    assert network.output == (prod(shape),)
    assert network.macs == macs
    assert not network.unknown


def test_the_largest_of_three_tensors(tmp_path: Path) -> None:
    layers = [said("ReLU", "a", "x"), said("ELU", "b", "x"), said("Maximum", "most", ["x", "a", "b"])]
    network = read(tmp_path, functional(start(8), *layers))
    assert [str(layer.op) for layer in network] == ["relu", "elu", "maximum", "maximum"]
    assert network.output == (8,)
    assert network.layers[-1].inputs == ("most_0", "b")


@pytest.mark.parametrize(
    ("shape", "config", "seen"),
    [
        ((12, 8), {}, 12),
        ((6, 7, 8), {}, 42),
        ((6, 7, 8), {"attention_axes": [2]}, 7),
    ],
)
def test_attention_without_an_op_has_its_cost(
    tmp_path: Path, shape: tuple[int, ...], config: dict[str, Any], seen: int
) -> None:
    """4 heads of 8: three projections, the products with each key that is seen, and one projection more."""
    made = said("MultiHeadAttention", "a", num_heads=4, key_dim=8, **config)
    kwargs = {"return_attention_scores": True}
    made["inbound_nodes"] = [{"args": [tensor("x"), tensor("x")], "kwargs": kwargs}]
    network = read(tmp_path, functional(start(*shape), made, said("ReLU", "r", "a")))
    length = prod(shape[:-1])
    assert network.macs == 3 * length * 8 * 32 + 4 * length * seen * (8 + 8) + length * 32 * 8
    assert network.params == 3 * (8 * 32 + 32) + 32 * 8 + 8


def test_weights_that_are_quantized_are_said(tmp_path: Path) -> None:
    """They are counted as they were before; nothing else in the file says their types."""
    policy = {"class_name": "QuantizedDTypePolicy", "config": {"mode": "int8", "source_name": "float32"}}
    plain = said("Dense", "last", units=3, dtype={"class_name": "DTypePolicy", "config": {"name": "float16"}})
    inner = sequential(said("Dense", "first", units=3, dtype=policy)) | {"name": "inner", "inbound_nodes": []}
    for layers, noted in (((inner, plain), True), ((plain,), False)):
        network = read(tmp_path, sequential(start(8), *layers))
        assert any("Quantized in the file (int8)" in note for note in network.origin.notes) is noted
