"""Every figure of a network: what it is, its unit, how it is measured, and where it is shown.

Adding an entry to :data:`FIGURES` adds it to ``budget:`` in specs, to ``[tool.archlens.budgets]``, to the
options of ``archlens check``, to the lock file and to the JSON Schema; to ``archlens diff`` and ``archlens
compare``, their JSON included; and to the reports. The analyses are imported when something is measured, so
that the words of a budget can be read without them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Flag, auto
from typing import TYPE_CHECKING, NamedTuple

from ..counts import AtLeast, Kind
from ..errors import shorten
from ..formulas import greatest, remembers
from .unknown import Unknown as Unknown

if TYPE_CHECKING:
    from ..network import Layer
    from .study import Study


#: What was measured: a number; one for each spatial axis; or none, with the reason.
Value = int | tuple[int, ...] | Unknown


class Part(NamedTuple):
    """A part of a whole, such as a scope with its parameters."""

    name: str
    value: int


class Where(Flag):
    """Where a figure is shown."""

    LIMITS = auto()
    DIFFERENCE = auto()
    COMPARISON = auto()
    REPORT = auto()
    #: Beside each input in what ``archlens sizes`` prints.
    SIZES = auto()
    #: As the colour of boxes in pictures; such a figure has an ``of``.
    HEAT = auto()
    #: Unless it says otherwise.
    USUAL = LIMITS | DIFFERENCE | COMPARISON | REPORT


class Head(NamedTuple):
    """A figure at the head of a column of its own."""

    title: str
    #: Which is left out first where a terminal is narrow, that of the least number; 0 never is.
    spare: int
    #: What stands beneath the table.
    says: str


class Figure(NamedTuple):
    """Something about a network that has a value."""

    #: How tables call it.
    title: str
    kind: Kind
    #: What it is, in one sentence.
    what: str
    #: Its value for a network or for one of its scopes.
    measure: Callable[[Study, str], Value]
    where: Where = Where.USUAL
    #: What any of the layers have of it together, whether or not they are a scope.
    of: Callable[[Study, Sequence[Layer]], Value] | None = None
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
    #: Whether most networks have none of it, so that a report is silent where it is 0.
    rare: bool = False
    #: The figure that it equals in most networks, of which it is not shown then.
    same_as: str = ""
    #: The column of a comparison, where the title and the sentence will not do.
    head: Head | None = None
    #: What a report calls it, where that is not the title, and what it says of it, where not the sentence.
    name: str = ""
    note: str | Callable[[Study], str] = ""


def _params(study: Study, layers: Sequence[Layer]) -> int:
    return sum(layer.params for layer in layers)


def _active_params(study: Study, scope: str) -> int:
    return sum(layer.active_params for layer in study.inside(scope))


def _total_macs(study: Study, scope: str) -> int:
    return sum(layer.total_macs for layer in study.inside(scope) if not layer.training)


def _macs(study: Study, layers: Sequence[Layer]) -> int:
    return sum(layer.macs for layer in layers if not layer.training)


def _activations(study: Study, layers: Sequence[Layer]) -> int:
    return sum(layer.shape.numel for layer in layers if not layer.training)


def _inside(of: Callable[[Study, Sequence[Layer]], Value]) -> Callable[[Study, str], Value]:
    """What the layers of a scope have together."""
    return lambda study, scope: of(study, study.inside(scope))


def _weights(study: Study, scope: str) -> int:
    from . import memory

    return memory.weight_bytes(study.part(scope))


def _memory(study: Study, scope: str) -> int:
    from . import memory

    part = study.part(scope)
    return memory.weight_bytes(part) + memory.buffer_bytes(part, saved_only=True)


def _peak(study: Study, scope: str) -> int:
    if not any(map(remembers, study.network.inputs.values())) and not remembers(
        (*study.network.values.values(),)
    ):
        return study.peak.bytes
    from . import memory

    return greatest(memory.moments(study.network))  # type: ignore[no-any-return]


def _peak_parts(study: Study) -> list[Part]:
    return [Part(tensor.name, tensor.bytes) for tensor in study.peak.alive]


def _at_peak(study: Study) -> str:
    from ..errors import printable

    return f"at most alive at once, at {printable(study.peak.layer) or 'the input'}"


def _training(study: Study, scope: str) -> Value:
    from . import memory

    found = memory.course(study.network)
    bytes_: int | None = found.training
    if bytes_ is None:
        return Unknown(found.reason)
    if found.unknown:
        return AtLeast(bytes_, f"it is not stated what {shorten(found.unknown[0])} keeps")
    return bytes_


def _sram(study: Study, scope: str) -> Value:
    return study.deployment.sram


def _flash(study: Study, scope: str) -> Value:
    found = study.deployment
    return AtLeast(found.flash(), found.more) if found.more else found.flash()


def _receptive_field(study: Study, scope: str) -> Value:
    """The field of the last layer that has one, within the scope; of several inputs, of each in turn."""
    from . import receptive_field

    inside = study.inside(scope) if scope else None
    found = receptive_field.network_field(study.fields.values(), inside)
    return found if isinstance(found, Unknown) else tuple(size for sizes in found for size in sizes)


def _largest_field(study: Study, layers: Sequence[Layer]) -> Value:
    """The largest field of some layers on the only input, or the first, along each axis."""
    from . import receptive_field

    return receptive_field.largest(study.receptive_fields, layers)


def _min_size(study: Study, scope: str) -> Value:
    return study.smallest


def _depth(study: Study, scope: str) -> int:
    from . import depth

    return depth.longest(study.around(scope), scope) if scope else study.depth


#: Every figure by its name, in the order of tables. Adding an entry adds it wherever it says.
FIGURES: dict[str, Figure] = {
    "layers": Figure(
        "layers",
        Kind.LAYERS,
        "Every op, activations and merges too.",
        lambda study, scope: len(study.inside(scope)),
        where=Where.DIFFERENCE | Where.REPORT,
    ),
    "params": Figure(
        "params",
        Kind.COUNT,
        "Trainable parameters, including those of heads for training.",
        _inside(_params),
        where=Where.USUAL | Where.SIZES | Where.HEAT,
        of=_params,
        scoped=True,
        adds_up=True,
        head=Head("params", 0, "Params are trainable."),
        name="parameters",
        note="trainable",
    ),
    "active_params": Figure(
        "active params",
        Kind.COUNT,
        "Parameters used for one token: all but those of experts that it is not routed to.",
        _active_params,
        scoped=True,
        adds_up=True,
        same_as="params",
        head=Head(
            "active",
            1,
            "Active: params that one token uses: all but those of experts that it does not go to.",
        ),
        name="active parameters",
        note="used by one token: all but those of experts that it does not go to",
    ),
    "macs": Figure(
        "MACs",
        Kind.COUNT,
        "Multiply-accumulates of convolutions and matrix products, of one inference on one sample.",
        _inside(_macs),
        where=Where.USUAL | Where.SIZES | Where.HEAT,
        of=_macs,
        scoped=True,
        adds_up=True,
        head=Head(
            "MACs",
            0,
            "One MAC is one multiply-accumulate of a convolution or a matrix product; FLOPs = 2 x MACs.",
        ),
        note="of one inference on one sample",
    ),
    "total_macs": Figure(
        "total MACs",
        Kind.COUNT,
        "MACs if every token went to all experts.",
        _total_macs,
        scoped=True,
        adds_up=True,
        same_as="macs",
        head=Head("total MACs", 1, "Total MACs: what they would be if every token went to all experts."),
        name="total multiply-accumulates",
        note="if every token went to all experts",
    ),
    "training_macs": Figure(
        "MACs of heads",
        Kind.COUNT,
        "Multiply-accumulates of heads that run only in training.",
        lambda study, scope: study.network.training_macs,
        where=Where.REPORT,
        rare=True,
        note="that run only in training, besides these",
    ),
    "other": Figure(
        "other operations",
        Kind.COUNT,
        "Everything else that an inference computes; not part of the MACs.",
        lambda study, scope: sum(study.cost.total.other().values()),
        where=Where.REPORT,
    ),
    "memory": Figure(
        "memory",
        Kind.BYTES,
        "Bytes of weights and buffers in float32: what a checkpoint holds.",
        _memory,
        where=Where.LIMITS | Where.DIFFERENCE | Where.COMPARISON,
        scoped=True,
        adds_up=True,
        head=Head(
            "memory",
            1,
            "Memory: bytes of weights and buffers in float32, what a checkpoint holds; MB = 10^6 bytes.",
        ),
    ),
    "weights": Figure("weights", Kind.BYTES, "In float32.", _weights, where=Where.REPORT),
    "peak_activations": Figure(
        "peak activations",
        Kind.BYTES,
        "The most bytes of activations alive at once, of one inference on one sample in float32.",
        _peak,
        where=Where.USUAL | Where.SIZES,
        parts=_peak_parts,
        head=Head(
            "peak activations",
            6,
            "Peak activations: the most bytes of activations alive at once in an inference of one sample in "
            "float32, each op writing into memory of its own; MB = 10^6 bytes.",
        ),
        note=_at_peak,
    ),
    "activations": Figure(
        "activations",
        Kind.COUNT,
        "Values that all layers output in one inference on one sample.",
        _inside(_activations),
        where=Where.HEAT,
        of=_activations,
        scoped=True,
        adds_up=True,
    ),
    "training_memory": Figure(
        "training memory",
        Kind.BYTES,
        "Most bytes alive in training with Adam, one sample in float32; without the loss and workspaces.",
        _training,
        where=Where.LIMITS,
        own=False,
    ),
    "sram": Figure(
        "arena",
        Kind.BYTES,
        "Bytes of the arena of TensorFlow Lite for Microcontrollers, by default in int8.",
        _sram,
        where=Where.LIMITS,
        own=False,
    ),
    "flash": Figure(
        "flash",
        Kind.BYTES,
        "Bytes of weights, biases and scales in flash, by default in int8.",
        _flash,
        where=Where.LIMITS,
        own=False,
    ),
    "receptive_field": Figure(
        "receptive field",
        Kind.SIZE,
        "Input positions that one output of the last layer with a field sees, along each axis.",
        _receptive_field,
        where=Where.USUAL | Where.HEAT,
        of=_largest_field,
        scoped=True,
        head=Head("field", 5, "Field: input positions that an output of the last layer with a field sees."),
    ),
    "min_size": Figure(
        "smallest input",
        Kind.SIZE,
        "The smallest input that the network works on, along each axis.",
        _min_size,
        tried=True,
        head=Head("smallest", 4, "Smallest: the smallest input, found by trying."),
    ),
    "depth": Figure(
        "depth",
        Kind.LAYERS,
        "The most convolutions and matrix products with weights on any path through the network.",
        _depth,
        scoped=True,
        head=Head("depth", 7, "Depth: convolutions and matrix products with weights, the most on any path."),
        note="convolutions and matrix products with weights on the longest path",
    ),
}


def exact(value: Value) -> Value:
    """A value that is known as a whole, or else unknown: a count of which a part is known is so."""
    if isinstance(value, AtLeast):
        known = f"at least {int(value):,}: " if int(value) else ""
        return Unknown(f"{known}{value.why}")
    return value


def repeats(name: str, values: Mapping[str, Value]) -> bool:
    """Whether a figure says what another one says of the same network, and is not shown for that."""
    other = FIGURES[name].same_as
    return bool(other) and values[name] == values[other]


def shown(where: Where) -> dict[str, Figure]:
    """The figures that are shown somewhere, by name."""
    return {name: figure for name, figure in FIGURES.items() if where in figure.where}


#: What budgets limit; on the command line with dashes.
QUANTITIES = shown(Where.LIMITS)
