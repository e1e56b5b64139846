"""What budgets can limit: each quantity with its unit, what it means, and how it is measured.

Adding an entry to :data:`QUANTITIES` adds it to ``budget:`` in specs, to ``[tool.archlens.budgets]``, to the
options of ``archlens check``, to the lock file and to the JSON Schema. The analyses are imported when
something is measured, so that the words of a budget can be read without them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..limits import Kind
from .unknown import Unknown as Unknown

if TYPE_CHECKING:
    from .study import Study


#: What was measured: a number; one for each spatial axis; or none, with the reason.
Value = int | tuple[int, ...] | Unknown


class Part(NamedTuple):
    """A part of a whole, such as a scope with its parameters."""

    name: str
    value: int


class Quantity(NamedTuple):
    """Something about a network that can be limited."""

    #: How tables call it.
    title: str
    kind: Kind
    #: What it is, in one sentence.
    what: str
    #: Its value for a network or for one of its scopes.
    measure: Callable[[Study, str], Value]
    #: Whether a scope has a value of its own.
    scoped: bool = False
    #: Whether the values of all layers add up to that of the network, so that a scope has a share.
    adds_up: bool = False
    #: What takes the most of it, where it is not the scopes.
    parts: Callable[[Study], Sequence[Part]] | None = None
    #: Whether it belongs to the network alone, and not to how it is trained.
    own: bool = True
    #: Whether it is found by trying, which takes as long as a hundred other figures.
    tried: bool = False


def _params(study: Study, scope: str) -> int:
    return sum(layer.params for layer in study.inside(scope))


def _macs(study: Study, scope: str) -> int:
    return sum(layer.macs for layer in study.inside(scope) if not layer.training)


def _memory(study: Study, scope: str) -> int:
    from . import memory

    part = study.part(scope)
    return memory.weight_bytes(part) + memory.buffer_bytes(part, saved_only=True)


def _peak_parts(study: Study) -> list[Part]:
    return [Part(tensor.name, tensor.bytes) for tensor in study.peak.alive]


def _training(study: Study, scope: str) -> Value:
    found = study.memory()
    return Unknown(found.reason) if found.training is None else found.training


def _receptive_field(study: Study, scope: str) -> Value:
    """The field of the last layer that has one, within the scope; of several inputs, of each in turn."""
    from . import receptive_field

    inside = {layer.name for layer in study.inside(scope)} if scope else None
    found = receptive_field.whole(study.fields.values(), inside)
    return found if isinstance(found, Unknown) else tuple(size for sizes in found for size in sizes)


def _min_size(study: Study, scope: str) -> Value:
    return study.smallest


def _depth(study: Study, scope: str) -> int:
    from . import depth

    return depth.find(study.network, scope)


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
        lambda study, scope: study.peak.bytes,
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
