"""The peak of the backward pass: what is alive while torch's autograd goes back through a network.

The engine takes the layers in the reverse order. While it computes the gradients of a layer, there are

- the gradients of the weights so far, this layer's included;
- what is still saved for the backward pass: of this layer and of those before it;
- the inputs and outputs of the network, which the caller holds;
- the gradients of activations: that of the layer's output, those of its inputs, and those that wait for
  layers before it, as at the shortcut of a residual;
- temporaries of the op (``Footprint.backward``).

Then the gradient of the output goes, and what is saved for this layer alone. Where a tensor has several
readers their gradients are added as they come, and the sum is taken to be another tensor. A sum
hands the gradient of its output on as it is, and a concatenation parts of it: it stays until the last of
them has been used. The gradient of a weight is copied where it does not lie as the weight does, as that of
a convolution whose input has its channels innermost.

It is a bound. What an op works through in several steps is taken to be there all at once, and a gradient that
may be seen in another shape without a copy is taken to be copied where its memory stays anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ..grouping import grouped
from ..network import Layer, Network
from ..ops import NOWHERE
from ..ops.footprint import Footprint


class Moment(NamedTuple):
    """A moment of training, and the bytes that are alive beside weights, buffers and optimizer state."""

    #: ``"forward pass"``, ``"backward pass"``, or the step of the optimizer.
    when: str
    #: The layer that runs; empty in a step.
    layer: str
    #: Gradients of the weights so far.
    gradients: int
    #: What is saved for the backward pass and has not been let go.
    saved: int
    #: Activations that are not saved: what the forward pass reads again, and what the caller holds.
    activations: int
    #: Gradients of activations.
    activation_gradients: int
    #: What the op's kernels, or the optimizer, make for a moment.
    temporaries: int

    @property
    def bytes(self) -> int:
        """All of them together."""
        return sum(self[2:])


class Saved(NamedTuple):
    """What is saved for the backward pass."""

    #: Whether the output of a layer, or an input, depends on something that is trained.
    trained: Mapping[str, bool]
    #: Whose memory is kept, with the first layer whose op keeps it: the backward pass comes to that last.
    until: Mapping[str, int]
    #: The bytes of each memory.
    sizes: Mapping[str, int]
    #: Bytes that each layer's op keeps beside.
    beside: Sequence[int]
    #: What the caller holds, saved or not: the memory of inputs and outputs, with its bytes.
    held: Mapping[str, int]
    #: Bytes of all of it, each memory once.
    bytes: int


class _Storage:
    """Memory in which gradients of activations lie, and how many of them."""

    def __init__(self, size: int) -> None:
        self.bytes = size
        self.users = 1


#: A gradient lies in one memory, or in either of two where nobody can say which.
_Gradient = list[_Storage]


class _Gradients:
    """The gradients of activations that are alive, and those that wait for their layers."""

    def __init__(self) -> None:
        self.bytes = 0
        self.waiting: dict[str, _Gradient] = {}

    def make(self, size: int) -> _Gradient:
        self.bytes += size
        return [_Storage(size)]

    def share(self, gradient: _Gradient) -> _Gradient:
        for storage in gradient:
            storage.users += 1
        return gradient

    def drop(self, gradient: _Gradient) -> None:
        for storage in gradient:
            storage.users -= 1
            self.bytes -= 0 if storage.users else storage.bytes

    def add(self, name: str, gradient: _Gradient, size: int) -> int:
        """One more reader's gradient of a tensor; returns the most bytes on the way."""
        highest = self.bytes
        before = self.waiting.get(name)
        if before is None:
            self.waiting[name] = gradient
        else:
            self.waiting[name] = self.make(size)
            highest = self.bytes
            self.drop(before)
            self.drop(gradient)
        return highest


def moments(
    network: Network,
    footprints: Sequence[Footprint | None],
    kept: Saved,
    turned: Collection[str],
    *,
    size: Callable[[str], int],
    whole: Callable[[str], int],
    weights: Callable[[Layer], int],
    added: Callable[[Layer], int],
    temporaries: Callable[[Layer, Footprint], int],
) -> list[Moment]:
    """The moments of the backward pass, of which one or the other is the peak.

    Args:
        network: all of whose layers have run, heads for training included.
        footprints: what each layer asks of memory.
        kept: what is saved.
        turned: layers whose input does not lie in row-major order.
        size: bytes of the output of a layer, or of an input, by its name.
        whole: the same for each sample, also of what is made once.
        weights: bytes of the gradients of a layer's weights.
        added: bytes of those that are added to gradients of the same weights, and of the sums.
        temporaries: bytes of what an op makes for a moment.
    """
    flowing = _Gradients()
    for output in dict.fromkeys(network.outputs.values()):
        if kept.trained[output]:
            flowing.waiting[output] = flowing.make(size(output))
    # the caller's, of what is made once: the sum over the samples is the layer's
    summed = sum(
        whole(output) for output in flowing.waiting if output in network.index and network[output].once
    )
    leaving = grouped((position, name) for name, position in kept.until.items())
    gradients, saved = 0, kept.bytes
    activations = sum(size for name, size in kept.held.items() if name not in kept.until)
    found = [Moment("backward pass", "", 0, saved, activations, flowing.bytes + summed, 0)]

    def see(flows: int, beside: int) -> None:
        found.append(Moment("backward pass", layer.name, gradients, saved, activations, flows, beside))

    for position in reversed(range(len(network.layers))):
        layer, footprint = network.layers[position], footprints[position] or Footprint()
        given = flowing.waiting.pop(layer.name, None)
        handed: list[tuple[str, _Gradient, int]] = []
        if given is not None:
            gradients += weights(layer)
            beside = temporaries(layer, footprint) + added(layer)
            for source, shape in zip(layer.inputs, layer.input_shapes, strict=True):
                if not kept.trained[source] or layer.facts.reach is NOWHERE:
                    continue
                own = size(source)
                alike = shape.numel == layer.shape.numel
                if not layer.once and source in network.index and network[source].once:
                    handed.append((source, flowing.make(own), own))  # the sum over the samples
                elif footprint.passes and (alike or not footprint.chained):
                    handed.append((source, flowing.share(given), own))
                elif not (footprint.moves or (footprint.part and alike)):
                    handed.append((source, flowing.make(own), own))
                elif len(given) == 1 and given[0].users == 1:  # it is the same bytes, copied or not
                    beside += own
                    handed.append((source, flowing.share(given), own))
                else:
                    handed.append((source, flowing.share(given) + flowing.make(own), own))
            see(flowing.bytes, beside)
            flowing.drop(given)
        saved -= kept.beside[position]
        for name in leaving.get(position, ()):
            saved -= kept.sizes[name]
            activations += kept.held.get(name, 0)
        for source, gradient, own in handed:
            see(flowing.add(source, gradient, own), 0)
        if given is not None and layer.name in turned:
            see(flowing.bytes, weights(layer))
    return found
