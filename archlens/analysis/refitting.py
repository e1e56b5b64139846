"""The layers of a network on other inputs: nothing but their ops is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..network import Layer, Network
from ..ops import Facts, ShapeError, ask
from ..shape import Shape

#: Facts of ops, by the identity of an op and the shapes that it was asked on.
Known = dict[tuple[int, tuple[Shape, ...]], Facts]


class Unfit(Exception):
    """A layer refuses what it reads on another input."""

    def __init__(self, network: Network, layer: Layer, cause: ShapeError) -> None:
        super().__init__(cause.message)
        #: The network up to there.
        self.network = network
        #: The layer that refuses, on the shapes that it reads there.
        self.layer = layer
        self.cause = cause


def refitted(network: Network, inputs: Mapping[str, Shape], known: Known | None = None) -> Network:
    """A network on other inputs, whose layers are the same.

    Args:
        network: the ops, and what each reads.
        inputs: the shapes of all of its inputs.
        known: facts that were asked before, which grows; for who asks for many sizes.

    Raises:
        Unfit: an op refuses what it reads.
    """
    known = {} if known is None else known
    shapes, layers = dict(inputs), []
    unfit: tuple[Layer, ShapeError] | None = None
    for layer in network.layers:
        op = layer.op
        read = tuple([shapes[source] for source in layer.inputs])
        facts = known.get((id(op), read))
        if facts is None:
            try:
                facts = known[id(op), read] = ask(op, *read)
            except ShapeError as cause:
                unfit = (layer._replace(input_shapes=read), cause)
                break
        if layer.keys:
            facts = _owned(facts, layer)
        shapes[layer.name] = facts.shape
        layers.append(layer._replace(input_shapes=read, facts=facts))
    made = replace(
        network, inputs=inputs, layers=tuple(layers), index={layer.name: layer for layer in layers}
    )
    if unfit is not None:
        raise Unfit(replace(made, outputs={"out": next(reversed(shapes))}), *unfit)
    return made


def _owned(facts: Facts, layer: Layer) -> Facts:
    """Facts without the tensors that another layer has already, on any input."""
    own = layer.facts
    return facts._replace(
        weights={name: one for name, one in facts.weights.items() if name in own.weights},
        buffers={name: one for name, one in facts.buffers.items() if name in own.buffers},
    )
