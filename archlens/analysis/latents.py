"""What keys and values of attention are made from: the latent of multi-head latent attention.

Who keeps that of each token in place of keys and values makes these from it anew, or computes with it alone.
"""

from __future__ import annotations

import heapq

from ..network import Layer, Network
from ..ops.rearrange import Rearrange
from .cuts import narrowest

#: As many layers before an attention are looked through.
_MOST = 100


class Latents:
    """Finds latents in a network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        #: The number of each layer, and of those that something comes of and that read a tensor; outputs are
        #: read by the caller.
        self.numbers = {layer.name: number for number, layer in enumerate(network.layers)}
        self.readers: dict[str, set[int]] = {}
        for number, layer in enumerate(network.layers):
            for name in layer.inputs if layer.name in network.needed else ():
                self.readers.setdefault(name, set()).add(number)
        for name in network.outputs.values():
            self.readers.setdefault(name, set()).add(len(network.layers))

    def of(self, attention: Layer) -> int:
        """The values of a token in the smallest tensors that keys and values are made from.

        Each token's are made from its own, by layers that serve nothing else. There may be none smaller than
        keys and values themselves.
        """
        shapes = attention.input_shapes[1:3]
        length, *rows = shapes[0].spatial
        if rows:
            return sum(shape.channels for shape in shapes)
        q, *ends = attention.inputs[:3]
        sizes = {name: shape.channels for name, shape in zip(ends, shapes, strict=True)}
        made_of: dict[str, tuple[str, ...]] = {}
        serving = {self.numbers[attention.name]}
        # from the last to the first, so that who reads a tensor is known when its turn comes
        waiting = [-self.numbers[name] for name in sizes if name in self.numbers and name != q]
        heapq.heapify(waiting)
        met = set(waiting)
        while waiting and len(made_of) < _MOST:
            number = -heapq.heappop(waiting)
            layer = self.network.layers[number]
            if not self.readers[layer.name] <= serving:
                continue
            sizes[layer.name] = -(-layer.shape.numel // length)
            if not layer.inputs or _by_token(layer, length):
                made_of[layer.name] = layer.inputs
                serving.add(number)
                new = {-self.numbers[name] for name in layer.inputs if name in self.numbers} - met
                met |= new
                for one in new:
                    heapq.heappush(waiting, one)
        return narrowest(sizes, made_of, sizes.keys() & ends)


def _by_token(layer: Layer, length: int) -> bool:
    """Whether what a layer makes of a token is made of that token alone."""
    if keeps_tokens(layer, length):
        return True
    shapes = (layer.shape, *layer.input_shapes)
    if any(shape.spatial[:1] != (length,) for shape in shapes) or not isinstance(layer.facts.reach, tuple):
        return False
    window = layer.facts.reach[0]
    return window.kernel == window.stride == 1 and not window.before


def keeps_tokens(layer: Layer, length: int) -> bool:
    """Whether the axis of tokens stays while others are taken apart and put together."""
    return isinstance(layer.op, Rearrange) and layer.op.keeps_first and layer.input_shapes[0][0] == length
