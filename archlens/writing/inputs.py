"""Names of inputs that the language has: ``input`` is that of an only one, and ``x`` is what flows."""

from __future__ import annotations

from dataclasses import replace

from ..language.steps import RESERVED
from ..network import Network
from .names import free, is_name


def named(network: Network) -> Network:
    """The network with other names for the inputs that the language cannot name: ``input_0``."""
    alone = len(network.inputs) == 1
    taken = {*network.inputs, *network.index}
    names = {}
    for name in network.inputs:
        names[name] = name
        if (not is_name(name) or name in RESERVED) and not (alone and name == "input"):
            names[name] = "input" if alone else free(f"{name}_0" if name in RESERVED else name, taken)
            taken.add(names[name])
    if all(name == said for name, said in names.items()):
        return network
    layers = tuple(
        layer._replace(inputs=tuple(names.get(one, one) for one in layer.inputs)) for layer in network.layers
    )
    return replace(
        network,
        inputs={names[name]: shape for name, shape in network.inputs.items()},
        layers=layers,
        index={layer.name: layer for layer in layers},
        outputs={key: names.get(end, end) for key, end in network.outputs.items()},
    )
