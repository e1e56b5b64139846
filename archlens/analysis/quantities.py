"""What budgets can limit: each quantity with its unit, what it means, and how it is measured.

Adding an entry to :data:`QUANTITIES` adds it to ``budget:`` in specs, to ``[tool.archlens.budgets]``, to the
options of ``archlens check``, to the lock file and to the JSON Schema. The analyses are imported when
something is measured, so that the words of a budget can be read without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..limits import Kind
from .unknown import Unknown as Unknown

if TYPE_CHECKING:
    from ..network import Layer, Network
    from .memory import Peak
    from .receptive_field import ReceptiveFields


#: What was measured: a number; one for each spatial axis; or none, with the reason.
Value = int | tuple[int, ...] | Unknown


class Part(NamedTuple):
    """A part of a whole, such as a scope with its parameters."""

    name: str
    value: int


@dataclass(frozen=True, eq=False)
class Subject:
    """A network whose quantities are measured."""

    network: Network

    @cached_property
    def fields(self) -> list[ReceptiveFields]:
        """The receptive fields, of each input."""
        from . import receptive_field

        return [receptive_field.find(self.network, name) for name in self.network.inputs]

    @cached_property
    def peak(self) -> Peak:
        """The moment of an inference at which most bytes of activations are alive."""
        from . import memory

        return memory.live_set(self.network)

    @cached_property
    def smallest(self) -> tuple[int, ...] | Unknown:
        """The smallest input along each axis; or why it is not known."""
        from . import sizes

        return sizes.smallest(self.network)

    def inside(self, scope: str) -> tuple[Layer, ...]:
        """The layers of a scope, or the one of that name; all of them for no scope."""
        return tuple(self.scopes.get(scope, ())) if scope else self.network.layers

    @cached_property
    def scopes(self) -> Mapping[str, Sequence[Layer]]:
        """The layers of each scope, in order; a layer is a scope of its own."""
        found: dict[str, list[Layer]] = {}
        for layer in self.network.layers:
            end = layer.name.find(".")
            while end >= 0:
                found.setdefault(layer.name[:end], []).append(layer)
                end = layer.name.find(".", end + 1)
            found.setdefault(layer.name, []).append(layer)
        return found

    def part(self, scope: str) -> Network:
        """The layers of a scope as if they were all that there is; for what adds up over layers."""
        return replace(self.network, layers=self.inside(scope)) if scope else self.network


class Quantity(NamedTuple):
    """Something about a network that can be limited."""

    #: How tables call it.
    title: str
    kind: Kind
    #: What it is, in one sentence.
    what: str
    #: Its value for a network or for one of its scopes.
    measure: Callable[[Subject, str], Value]
    #: Whether a scope has a value of its own.
    scoped: bool = False
    #: Whether the values of all layers add up to that of the network, so that a scope has a share.
    adds_up: bool = False
    #: What takes the most of it, where it is not the scopes.
    parts: Callable[[Subject], Sequence[Part]] | None = None
    #: Whether it belongs to the network alone, and not to how it is trained.
    own: bool = True
    #: Whether it is found by trying, which takes as long as a hundred other figures.
    tried: bool = False


def _params(subject: Subject, scope: str) -> int:
    return sum(layer.params for layer in subject.inside(scope))


def _macs(subject: Subject, scope: str) -> int:
    return sum(layer.macs for layer in subject.inside(scope) if not layer.training)


def _memory(subject: Subject, scope: str) -> int:
    from . import memory

    part = subject.part(scope)
    return memory.weight_bytes(part) + memory.buffer_bytes(part, saved_only=True)


def _peak_parts(subject: Subject) -> list[Part]:
    return [Part(tensor.name, tensor.bytes) for tensor in subject.peak.alive]


def _training(subject: Subject, scope: str) -> Value:
    from . import memory

    found = memory.account(subject.network)
    return Unknown(found.reason) if found.training is None else found.training


def _receptive_field(subject: Subject, scope: str) -> Value:
    """The field of the last layer that has one, within the scope; of several inputs, of each in turn."""
    from . import receptive_field

    inside = {layer.name for layer in subject.inside(scope)} if scope else None
    found = receptive_field.whole(subject.fields, inside)
    return found if isinstance(found, Unknown) else tuple(size for sizes in found for size in sizes)


def _min_size(subject: Subject, scope: str) -> Value:
    return subject.smallest


def _depth(subject: Subject, scope: str) -> int:
    from . import depth

    return depth.find(subject.network, scope)


#: Every quantity, under the name that budgets use; on the command line with dashes.
QUANTITIES: dict[str, Quantity] = {
    "params": Quantity(
        "params",
        Kind.COUNT,
        "Trainable parameters, those of heads for training included.",
        _params,
        scoped=True,
        adds_up=True,
    ),
    "macs": Quantity(
        "MACs",
        Kind.COUNT,
        "Multiply-accumulates of convolutions and matrix products, of one inference on one sample.",
        _macs,
        scoped=True,
        adds_up=True,
    ),
    "memory": Quantity(
        "memory",
        Kind.BYTES,
        "Bytes of weights and buffers in float32: what a checkpoint holds.",
        _memory,
        scoped=True,
        adds_up=True,
    ),
    "activations_peak": Quantity(
        "activations peak",
        Kind.BYTES,
        "The most bytes of activations alive at once, of one inference on one sample in float32.",
        lambda subject, scope: subject.peak.bytes,
        parts=_peak_parts,
    ),
    "training_memory": Quantity(
        "training memory",
        Kind.BYTES,
        "Most bytes alive in training with Adam, one sample in float32; not the loss and workspaces.",
        _training,
        own=False,
    ),
    "receptive_field": Quantity(
        "receptive field",
        Kind.SIZE,
        "Input positions that one output of the last layer with a field sees, along each axis.",
        _receptive_field,
        scoped=True,
    ),
    "min_size": Quantity(
        "smallest input",
        Kind.SIZE,
        "The smallest input that the network works on, along each axis.",
        _min_size,
        tried=True,
    ),
    "depth": Quantity(
        "depth",
        Kind.LAYERS,
        "The most convolutions and matrix products with weights on one way through the network.",
        _depth,
        scoped=True,
    ),
}
