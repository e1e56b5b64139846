"""Keras' own files: their layers as ops, with the shapes and weights that Keras says, and nothing run."""

from __future__ import annotations

import json
import zipfile
from math import prod
from pathlib import Path
from typing import Any

import pytest

import archlens
from archlens.dialects import formats
from archlens.network import Network


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
    layer, call, shape = (*([name] if isinstance(name, str) else name), 0, None)[:3]
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
    assert network.inputs == {"x": (1, 28, 28)}


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
        'error: layers[1] "conv\\n1" (Conv2D) does not fit: its 7x7 window is larger than its 4x4 input\n'
    )


def test_hdf5_is_not_read_and_what_to_do_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(50))
    found = formats.file(str(tmp_path / "model.h5"))
    assert found is not None
    with pytest.raises(archlens.ArchlensError) as raised:
        found.network(None, {})
    assert "model.h5 is HDF5, which is not read" in str(raised.value)
    assert 'help: save the model as model.save("model.keras")' in str(raised.value)
