"""The layers of a network on other inputs: nothing but their ops is asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..network import Layer, Network
from ..ops import Facts, ShapeError
from ..shape import Shape


class Unfit(Exception):
    """A layer refuses what it reads on another input."""

    def __init__(self, network: Network, layer: Layer, cause: ShapeError) -> None:
        super().__init__(cause.message)
        #: The network up to there.
        self.network = network
        #: The layer that refuses, on the shapes that it reads there.
        self.layer = layer
        self.cause = cause


class Refitting:
    """A network on one input after another; what is the same of two is asked once.

    Args:
        network: the ops, and what each reads.
    """

    #: How many layers on shapes of their own are kept from one input to the next.
    KEPT = 20_000

    def __init__(self, network: Network) -> None:
        self.network = network
        #: Each layer with what it is on the shapes that it has read.
        self._rows: list[tuple[Layer, dict[tuple[Shape, ...], Layer]]] = [
            (layer, {}) for layer in network.layers
        ]
        #: The facts of an op, by its identity, the experts that have it and the shapes: repeats share them.
        self._facts: dict[tuple[int, object, tuple[Shape, ...]], Facts] = {}
        self._kept = 0

    def on(self, inputs: Mapping[str, Shape]) -> Network:
        """The network on other inputs, whose layers are the same.

        Args:
            inputs: the shapes of all of its inputs.

        Raises:
            Unfit: an op refuses what it reads.
        """
        shapes, layers = dict(inputs), []
        unfit: tuple[Layer, ShapeError] | None = None
        for layer, known in self._rows:
            read = tuple([shapes[source] for source in layer.inputs])
            there = known.get(read)
            if there is None:
                try:
                    there = known[read] = self._ask(layer, read)
                except ShapeError as cause:
                    unfit = (layer._replace(input_shapes=read), cause)
                    break
            shapes[layer.name] = there.facts.shape
            layers.append(there)
        if self._kept > self.KEPT:
            self._forget()
        made = replace(
            self.network, inputs=inputs, layers=tuple(layers), index={layer.name: layer for layer in layers}
        )
        if unfit is not None:
            raise Unfit(replace(made, outputs={"out": next(reversed(shapes))}), *unfit)
        return made

    def _ask(self, layer: Layer, read: tuple[Shape, ...]) -> Layer:
        """A layer on the shapes that it reads."""
        key = id(layer.op), layer.copied, read
        facts = self._facts.get(key)
        if facts is None:
            facts = self._facts[key] = layer.asked(read)
        self._kept += 1
        return layer._replace(input_shapes=read, facts=owned(facts, layer) if layer.keys else facts)

    def _forget(self) -> None:
        for _, known in self._rows:
            known.clear()
        self._facts.clear()
        self._kept = 0


def owned(facts: Facts, layer: Layer) -> Facts:
    """Facts without the tensors that another layer has already, on any input."""
    own = layer.facts
    return facts._replace(
        weights={name: one for name, one in facts.weights.items() if name in own.weights},
        buffers={name: one for name, one in facts.buffers.items() if name in own.buffers},
    )
