"""How many multiply-accumulates a network makes of each byte that it moves, and what no machine can beat.

A machine that makes so many multiply-accumulates a second and moves so many bytes needs at least the time of
the larger part, however well the rest hides behind it. Source: Williams, Waterman and Patterson 2009,
"Roofline: an insightful visual performance model", https://doi.org/10.1145/1498765.1498785.

Two bounds follow. No machine runs the network faster than all its products, or its weights, inputs and
outputs, take, whichever takes longer: an implementation may keep every map on the chip. One that runs it
layer by layer, with all maps in memory between, needs the sum over its layers. Both are of implementations
that make each product: Winograd's algorithm for convolutions makes fewer. Neither says how long it takes:
kernels reach a part of a peak, and no factor for that is here, since none would hold of a machine that it was
not fitted on.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from ..counts import AtLeast
from ..errors import did_you_mean, shorten, usage
from ..network import Layer, Network
from ..shape import Shape
from .deployment import ACTIVATIONS, WEIGHTS
from .memory import weight_bytes


class Load(NamedTuple):
    """What a layer computes and moves."""

    layer: Layer
    macs: int
    #: Its weights, what it reads and what it writes, each once.
    bytes: int

    @property
    def intensity(self) -> Fraction | None:
        """Multiply-accumulates for each byte; ``None`` where nothing is moved or the work is not known."""
        return Fraction(self.macs, self.bytes) if self.bytes and not isinstance(self.macs, AtLeast) else None


class Bound(NamedTuple):
    """The least time of some work on a machine, in seconds; ``None`` where its numbers do not say."""

    compute: Fraction | None
    memory: Fraction | None

    @property
    def seconds(self) -> Fraction:
        """The longer of the two; zero where neither is known."""
        return max(self.compute or Fraction(0), self.memory or Fraction(0))

    @property
    def by(self) -> str:
        """``compute``, ``memory``; or ``unknown`` where one of them is not known."""
        if self.compute is None or self.memory is None:
            return "unknown"
        return "compute" if self.compute >= self.memory else "memory"


class Roofline(NamedTuple):
    """A network on machines of any peak."""

    network: Network
    weights: str
    activations: str
    loads: tuple[Load, ...]
    #: Weights, inputs and outputs of the network, each once.
    least_bytes: int

    @property
    def macs(self) -> int:
        """Of all layers."""
        return sum(load.macs for load in self.loads)

    @property
    def bytes(self) -> int:
        """Of all layers, each by itself."""
        return sum(load.bytes for load in self.loads)

    def bound(self, load: Load, peak: Fraction | None, bandwidth: Fraction | None) -> Bound:
        """The least time of a layer.

        Args:
            load: the layer.
            peak: multiply-accumulates a second.
            bandwidth: bytes a second.
        """
        return _bound(load.macs, load.bytes, peak, bandwidth)

    def least(self, peak: Fraction | None, bandwidth: Fraction | None) -> Bound:
        """The least time of the network on any machine of that peak, whatever it keeps where."""
        return _bound(self.macs, self.least_bytes, peak, bandwidth)

    def by_layer(self, peak: Fraction | None, bandwidth: Fraction | None) -> Fraction:
        """The least seconds layer by layer, with all maps in memory between."""
        return sum((self.bound(load, peak, bandwidth).seconds for load in self.loads), Fraction(0))


def find(network: Network, *, weights: str = "int8", activations: str = "int8", batch: int = 1) -> Roofline:
    """What each layer computes and moves.

    Args:
        network: of any kind.
        weights: a type of :data:`archlens.analysis.deployment.WEIGHTS`.
        activations: a type of :data:`archlens.analysis.deployment.ACTIVATIONS`.
        batch: samples at once, for which weights are read once.

    Raises:
        UsageError: there is no such type.

    >>> import archlens
    >>> found = find(archlens.load("lenet5"))
    >>> found.macs, found.bytes, found.least_bytes
    (416520, 91924, 62740)
    """
    for name, known in ((weights, WEIGHTS), (activations, ACTIVATIONS)):
        if name not in known:
            raise usage(f"there is no {shorten(name)}", help=did_you_mean(name, known))
    width = ACTIVATIONS[activations]
    once = {layer.name for layer in network.layers if layer.once}

    def values(name: str, shape: Shape) -> int:
        """Of a tensor, for all samples."""
        return shape.numel * (1 if name in once else batch)

    loads = []
    for layer in network.layers:
        if layer.training:
            continue
        moved = values(layer.name, layer.shape)
        moved += sum(map(values, layer.inputs, layer.input_shapes))
        footprint = layer.op.footprint(layer.facts, *layer.input_shapes)
        if footprint is not None and (footprint.moves or footprint.part or footprint.inert):
            moved = 0  # a view, or nothing at inference
        held = -(-int(layer.whole.params) * WEIGHTS[weights] // 8)
        loads.append(Load(layer, layer.macs_of(batch), moved * width + held))
    moved = sum(values(name, shape) for name, shape in network.inputs.items())
    ends = [network[name] for name in network.outputs.values() if name in network.index]
    moved += sum(values(layer.name, layer.shape) for layer in ends)
    bits = WEIGHTS[weights]
    held = weight_bytes(network, "float32") // 4
    least = -(-held * bits // 8) + width * moved
    return Roofline(network, weights, activations, tuple(loads), least)


def _bound(macs: int, moved: int, peak: Fraction | None, bandwidth: Fraction | None) -> Bound:
    return Bound(
        None if peak is None else Fraction(int(macs)) / peak,
        None if bandwidth is None else Fraction(moved) / bandwidth,
    )
