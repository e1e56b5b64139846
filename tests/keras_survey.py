"""Holds what is read of Keras' own networks against Keras, in an environment that has it.

``KERAS_BACKEND=torch python tests/keras_survey.py`` takes all of ``keras.applications``, without weights;
names after it take these alone. Another backend makes those that torch's does not, as NASNetMobile. Of each
it compares the parameters, those that are not trained, and for every layer its output shapes and its weights.
With ``saved`` first it reads the files that ``model.save`` writes, and not what ``to_json`` gives.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from inspect import isfunction
from math import prod
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-not-found]

import archlens
from archlens.analysis import difference
from archlens.dialects import formats
from archlens.dialects.keras import network as laying
from archlens.dialects.keras.placing import Call, Held
from archlens.network import Layer, Network

#: What was called: the layer of the file, what came out, and what was placed.
called: list[tuple[str, list[Held], list[Layer]]] = []


def watched(call: Call, number: int) -> list[Held]:
    layers = call.placing.builder.layers
    before = len(layers)
    made = run(call, number)
    called.append((f"{call.placing.builder.inside.path}/{call.entry.name}", made, layers[before:]))
    return made


run, laying._called = laying._called, watched


def buffers(layers: list[Layer]) -> int:
    """What is not trained; the count of batches is torch's alone."""
    return sum(
        prod(one.shape)
        for layer in layers
        for name, one in layer.facts.buffers.items()
        if name != "num_batches_tracked"
    )


def size(weights: list[Any]) -> int:
    return sum(prod(weight.shape) for weight in weights)


def differences(model: Any, folder: str, saved: bool = False) -> Iterator[str]:
    path = Path(folder, "model.keras" if saved else "model.json")
    if saved:
        model.save(path)
    else:
        path.write_text(model.to_json())
    called.clear()
    found = formats.file(str(path))
    assert found is not None
    shape = [n or 224 for n in model.input_shape[1:]]
    network = found.network((shape[-1], *shape[:-1]), {})
    yield from weights_and_shapes(model, network)
    again = archlens.loads(archlens.convert(network))
    found_again = difference.find(network, again)
    same = all(pair.kind == difference.SAME for pair in found_again.pairs)
    if not same or found_again.boundary or again.params != network.params:
        yield "the converted spec differs"


def weights_and_shapes(model: Any, network: Network) -> Iterator[str]:
    """What differs in weights and shapes, of the model and of every layer."""
    layers = list(network)
    if (network.params, buffers(layers)) != (
        size(model.trainable_weights),
        size(model.non_trainable_weights),
    ):
        yield f"{network.params:,} parameters, and Keras says {size(model.trainable_weights):,}"
    known: dict[str, Any] = {}  # of what is called again the first call has the weights
    for name, made, placed in called:
        known.setdefault(name.rpartition("/")[2], (made, placed))
    for layer in every(model):
        if layer.name not in known:
            yield f"{layer.name} was not placed"
            continue
        made, placed = known[layer.name]
        outputs = layer.output if isinstance(layer.output, list) else [layer.output]
        shapes = [tuple(one.shape[1:]) for one in outputs]
        if not any(None in one for one in shapes) and shapes != [one.shape for one in made]:
            yield f"{layer.name} gives {[one.shape for one in made]}, and in Keras {shapes}"
        counted = (sum(one.params for one in placed), buffers(placed))
        if counted != (size(layer.trainable_weights), size(layer.non_trainable_weights)):
            yield f"{layer.name} has {counted} weights"


def every(model: Any) -> Iterator[Any]:
    """The layers of a model, and of the models in it."""
    for layer in model.layers:
        if not isinstance(layer, keras.layers.InputLayer):
            yield layer
            yield from every(layer) if hasattr(layer, "layers") else ()


def main(names: list[str]) -> int:
    applications = keras.applications
    saved = names[:1] == ["saved"]
    names = names[saved:] or [name for name in dir(applications) if isfunction(getattr(applications, name))]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            keras.backend.clear_session()
            meta = keras.backend.backend() == "torch" and not saved
            with keras.device("meta" if meta else "cpu:0"):
                try:
                    model = getattr(applications, name)(weights=None)
                except ValueError as problem:  # NASNet is refused with torch
                    print(f"{name}: not made: {str(problem).partition('.')[0]}")
                    continue
            found = list(differences(model, folder, saved))
            wrong += bool(found)
            print(f"{name}: {found[0] if found else 'equal'}", flush=True)
    print(f"{len(names)} networks, {wrong} differ; keras {keras.__version__}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
