"""Where what a batch has once is repeated for each sample, as those who run a network do it.

What no input flows into may stand once for a whole batch (``Layer.once``), and the layers that are made of it
alone with it. Sums and products of values repeat it themselves; all else is given as many as there are
samples.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from ..network import Layer, Network
from ..ops import Call
from ..ops.merge import Elementwise
from ..ops.op import weightless

_REPEATED = Call("archlens.repeated")


def with_repeats(network: Network) -> Network:
    """The network in which a layer repeats what is there once, before one that has each sample reads it."""
    if not any(layer.once for layer in network.layers):
        return network
    layers: list[Layer] = []
    known: dict[str, str] = {}
    names = {*network.inputs, *network.index}

    def each(name: str, beside: str) -> str:
        if name not in network.index or not network[name].once:
            return name
        if name not in known:
            known[name] = made = next(
                n for n in (f"{name}_{'_' * i}repeated" for i in count()) if n not in names
            )
            names.add(made)
            one, shape = network[name], network.shape_of(beside)
            facts = weightless(one.shape, one.facts.reach, _REPEATED)
            inputs, shapes = (name, beside), (one.shape, shape)
            layers.append(Layer(made, one.op, inputs, shapes, facts, one.where, one.training))
        return known[name]

    for layer in network.layers:
        beside = [name for name in layer.inputs if name not in network.index or not network[name].once]
        if not layer.once and not isinstance(layer.op, Elementwise) and len(beside) < len(layer.inputs):
            layer = layer._replace(inputs=tuple([each(name, beside[0]) for name in layer.inputs]))
        layers.append(layer)
    first = next(iter(network.inputs))
    outputs = {name: each(end, first) for name, end in network.outputs.items()}
    index = {layer.name: layer for layer in layers}
    return replace(network, layers=tuple(layers), index=index, outputs=outputs)
