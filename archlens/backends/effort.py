"""What verifying takes, estimated before anything runs: what would take minutes ends in a sentence.

Work is counted in multiply-accumulates of a large convolution, of which a core does some 50 G a second. What
takes time beside them is worth as many as take as long, as measured on one.
"""

from __future__ import annotations

from collections.abc import Collection
from math import inf, prod
from typing import NamedTuple

from ..analysis.memory import allocated
from ..errors import shorten, usage
from ..network import Layer, Network

#: The most work, and bytes beside torch's own, unless more is allowed: some ten seconds of a core.
MOST, MOST_BYTES = 500 * 10**9, 10**9

#: The same of networks that may take what they take, unless a device is named: minutes, and a large machine.
_MOST_COMPUTED, _MOST_COMPUTED_BYTES = 2500 * 10**9, 20 * 10**9

#: The most bytes of the tensors that NaNs are planted in.
MOST_PLANTED = 250 * 10**6

#: What a value is worth that is read or written, and a layer and what it reads, on the meta device and where
#: fvcore traces it, which takes longer for each layer that it has traced.
_VALUE, _LAYER, _READ, _TRACED, _TRACED_EACH = 100, 35 * 10**6, 2 * 10**6, 65 * 10**6, 35 * 10**3

#: What a layer of a twin is worth; and what one is, and what it reads, whose field is found.
_TWIN, _FOUND = 20 * 10**6, 2 * 10**6

#: What a layer is worth that several threads share.
_SHARED = 100 * 10**6

#: The bytes of a value.
_BYTES = 4


class Effort(NamedTuple):
    """Work, and the most bytes that tensors take at once."""

    work: int
    bytes: int


class Allowance:
    """The work that may still be done."""

    def __init__(self, most: float) -> None:
        self.left = most

    def take(self, work: int) -> bool:
        """Take it, if there is as much."""
        if work > self.left:
            return False
        self.left -= work
        return True


def allow(network: Network, *, computed: bool, bounded: bool) -> Allowance:
    """What is left for planting NaNs when a network has been run.

    Args:
        network: what is verified.
        computed: whether it is, or runs on the meta device.
        bounded: whether there is a bound at all.

    Raises:
        UsageError: it takes more than is allowed.
    """
    if not bounded:
        return Allowance(inf)
    found = of_network(network, computed=computed)
    left = Allowance(MOST)
    left.take(found.work)
    said = _beyond(found, MOST, MOST_BYTES)
    if said:
        raise usage(
            f"verifying {shorten(network.name)} would take about {said}",
            help="--device meta, which computes shapes; or --unbounded" if computed else "--unbounded",
        )
    return left


def too_much(network: Network, *, bounded: bool) -> str:
    """What a network would take that is computed, where that is more than is computed unasked; else empty."""
    found = of_network(network, computed=True)
    most = (MOST, MOST_BYTES) if bounded else (_MOST_COMPUTED, _MOST_COMPUTED_BYTES)
    return _beyond(found, *most)


def _beyond(found: Effort, work: int, size: int) -> str:
    """What is more than is allowed; empty where nothing is."""
    if found.work > work:
        return f"{said_of(found.work)}, and {work // 10**9:,} G are allowed"
    if found.bytes > size:
        return f"{megabytes(found.bytes)} of memory, and {megabytes(size)} are allowed"
    return ""


def of_network(network: Network, *, computed: bool) -> Effort:
    """To build a network and to run one sample of it twice: by itself, and traced."""
    count = len(network.layers)
    work = count * _LAYER + _reads(network) * _READ
    if not computed:
        return Effort(work, 0)
    work += count * (_TRACED + count * _TRACED_EACH)
    work += 2 * _of_sample(network)
    beside = max((_beside(layer) for layer in network.layers), default=0)
    return Effort(work, allocated(network) + beside * _BYTES)


def is_small(network: Network) -> bool:
    """Whether a layer of it takes so little that more than one thread costs more than it saves."""
    return _of_sample(network) < len(network.layers) * _SHARED


def of_fields(network: Network, *, laid_out: bool) -> int:
    """To find receptive fields; and to lay the network out before, which takes as long."""
    return (len(network.layers) + _reads(network)) * _FOUND * (2 if laid_out else 1)


def _of_sample(network: Network) -> int:
    return sum(found for _, found in network.each(_of_layer))


def _reads(network: Network) -> int:
    return sum(len(layer.inputs) for layer in network.layers)


def _of_layer(layer: Layer) -> int:
    facts = layer.facts
    return facts.macs + _VALUE * (facts.shape.numel + sum(facts.other.values()) + _read(layer))


def _read(layer: Layer) -> int:
    """The values that the windows of a convolution read, each as often as it is in one."""
    groups = getattr(layer.op, "groups", 1)
    return layer.macs * groups // layer.shape.channels if layer.windows else 0


def _beside(layer: Layer) -> int:
    """Values made beside the output: the scores of attention, and what windows along three axes read."""
    return max(2 * _scores(layer), _read(layer) if len(layer.windows) > 2 else 0)


def _scores(layer: Layer) -> int:
    """One for each query and key of each head; the softmax of n counts 3n - 1."""
    return -(-layer.facts.other.get("softmax", 0) // 3)


def of_twin(network: Network, samples: int, *, full: Collection[str]) -> Effort:
    """To run a twin of a network with one channel; in the layers of ``full`` with all."""

    def values(name: str) -> int:
        shape = network.shape_of(name)
        return samples * (shape.numel if name in full else prod(shape.spatial))

    last = {name: n for n, layer in enumerate(network.layers) for name in layer.inputs}
    alive = {name: values(name) for name in network.inputs}
    held = most = sum(alive.values())
    work = len(network.layers) * _TWIN + _reads(network) * _READ
    for n, layer in enumerate(network.layers):
        alive[layer.name] = out = values(layer.name)
        held += out
        scores, read = samples * _scores(layer), out * prod(window.kernel for window in layer.windows)
        beside = max(2 * scores, read if layer.macs and len(layer.windows) > 2 else 0)
        most = max(most, held + beside)
        work += _VALUE * (out + read + 3 * scores) + (samples * layer.facts.macs if layer.name in full else 0)
        for name in {*layer.inputs, layer.name}:
            if last.get(name, n) == n:
                held -= alive.pop(name, 0)
    return Effort(work, most * _BYTES)


def said_of(work: int) -> str:
    """Work in a message."""
    return f"the work of {-(-work // 10**9):,} G multiply-accumulates"


def megabytes(size: int) -> str:
    """Bytes in a message."""
    return f"{-(-size // 10**6):,} MB"
