"""What every op is, and what it says of itself.

An op is a frozen dataclass whose fields are its attributes. It answers one question,
:meth:`Op.facts`: given the shapes that flow in, what flows out, with which weights, at what cost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import FrozenInstanceError
from enum import Enum
from math import inf, prod
from typing import Any, ClassVar, NamedTuple, dataclass_transform, get_origin, get_type_hints

from ..geometry import POINT, Window
from ..records import record
from ..shape import Ids, Shape, times
from .attributes import Kind
from .footprint import FLOAT32, Footprint


class Everywhere(Enum):
    """The reach of an op each of whose outputs depends on every position of its input."""

    EVERYWHERE = "everywhere"


EVERYWHERE = Everywhere.EVERYWHERE


class Nowhere(Enum):
    """The reach of an op whose outputs depend on no position of its input."""

    NOWHERE = "nowhere"


NOWHERE = Nowhere.NOWHERE


@record(frozen=True)
class NonUniform:
    """The reach of an op whose outputs look at windows that one :class:`Window` cannot say."""

    reason: str


@record(frozen=True)
class WindowChain:
    """The reach of an op that looks through several windows, one after the other, along each spatial axis.

    Attention within a block is such: one window takes all of the block, and a transposed one gives it back to
    each of its positions.
    """

    axes: tuple[tuple[Window, ...], ...]


#: How far an output looks: a window per spatial axis of the input, or several in turn, or everywhere, or
#: nowhere, or not sayable.
Reach = tuple[Window, ...] | WindowChain | Everywhere | Nowhere | NonUniform

#: Name of a tensor in torch's state dict, and its shape.
Tensors = Mapping[str, tuple[int, ...]]

NONE: Mapping[str, Any] = {}

#: The largest size of one axis of what flows out of an op.
MAX_AXIS = 10**15


class Buffer(NamedTuple):
    """A tensor that a module has and does not train, such as running statistics."""

    shape: tuple[int, ...]
    #: ``"float32"``, which becomes another float with the weights, or ``"int64"``, which stays what it is.
    dtype: str = FLOAT32
    #: Whether it is in the state dict.
    saved: bool = True


#: Name of a buffer in torch's module.
Buffers = Mapping[str, Buffer]


class Required:
    """Stands for the default of an argument that has none."""

    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = Required()


class Argument(NamedTuple):
    """What an argument of a call is given, and what it is where it is not given.

    One that is required goes by its place, and any other by its name, unless it says otherwise.
    """

    value: Any
    default: Any = REQUIRED
    by_place: bool | None = None

    @property
    def positional(self) -> bool:
        """Whether it goes by its place."""
        return self.default is REQUIRED if self.by_place is None else self.by_place


@record(frozen=True, init=False)
class Call:
    """A call as a value, with the names of its arguments and torch's defaults of them.

    ``nn.*`` is a module that is constructed and then applied; ``archlens.*`` is one of archlens' own
    modules, for what torch has no module for; anything else is a function of the input tensors,
    called with these further arguments.

    >>> print(Call("nn.Conv1d", in_channels=3, out_channels=8, kernel_size=5, stride=Argument(2, default=1)))
    nn.Conv1d(3, 8, 5, stride=2)

    A function may take a ``parameter`` of its own after its inputs, which this call makes:
    ``Call("operator.add", parameter=Call("archlens.normal", sizes=sizes, deviation=0.02))``. It has no
    module to lie in, so the name of the layer is its whole key in the state dict, and the op's weights name
    it ``""``.
    """

    target: str
    #: What goes to a ``*size``, which has no names.
    sizes: tuple[int, ...]
    #: All arguments by name, in the order of the callable; those that are required as they are.
    given: Mapping[str, Any]
    parameter: Call | None

    def __init__(self, target: str, *sizes: int, parameter: Call | None = None, **arguments: Any) -> None:
        self.__dict__.update(target=target, sizes=sizes, given=arguments, parameter=parameter)

    @property
    def arguments(self) -> dict[str, Argument]:
        """All arguments, those that have their default too."""
        return {n: a if isinstance(a, Argument) else Argument(a) for n, a in self.given.items()}

    def __getitem__(self, name: str) -> Any:
        """The value of an argument, given or not."""
        return self.arguments[name].value

    @property
    def args(self) -> tuple[Any, ...]:
        """What is given by place."""
        placed = [one for one in self.arguments.values() if one.positional]
        return (*self.sizes, *[one.value for one in placed if one.value != one.default])

    @property
    def kwargs(self) -> dict[str, Any]:
        """What is given by name: what differs from its default."""
        return {
            name: one.value
            for name, one in self.arguments.items()
            if not one.positional and one.value != one.default
        }

    def does_as(self, other: Call) -> bool:
        """Whether it calls the same with the same, whatever that leaves to defaults."""
        return (self.target, self.args, self.kwargs) == (other.target, other.args, other.kwargs)

    def __str__(self) -> str:
        words = [repr(arg) for arg in self.args]
        words += [f"{name}={value!r}" for name, value in self.kwargs.items()]
        words += [f"parameter={self.parameter}"] if self.parameter else []
        return f"{self.target}({', '.join(words)})"


class Facts(NamedTuple):
    """What an op says of itself on given input shapes. Zero is written: only ``unlisted`` has a default."""

    #: Output shape, without the batch.
    shape: Shape
    #: Trainable tensors by torch's names, each with its shape; ``""`` is the layer's own name.
    weights: Tensors
    #: Tensors that are not trained, such as running statistics.
    buffers: Buffers
    #: Multiply-accumulates of convolutions and matrix products, for one sample.
    macs: int
    #: What else it computes, itemised, in elementary operations (one addition, multiplication,
    #: division, comparison or function value each). Never part of ``macs``. The formula of each item
    #: stands in ``archlens.analysis.cost.ITEMS``.
    other: Mapping[str, int]
    #: The part of the input that one output depends on.
    reach: Reach
    #: The same op in torch.
    torch: Call
    #: Parameters beside those of ``weights``, where somebody states a number and no tensors; else none.
    unlisted: int = 0

    @property
    def params(self) -> int:
        """Trainable parameters: the sizes of ``weights``, added up; and those of no known tensor."""
        return sum(prod(shape) for shape in self.weights.values()) + self.unlisted

    @property
    def kept(self) -> Tensors:
        """The shapes of the buffers that are in the state dict."""
        return {name: buffer.shape for name, buffer in self.buffers.items() if buffer.saved}


def along(x: Shape, lines: Sequence[str]) -> str:
    """What is to say of each spatial axis; once where it is the same."""
    if len(set(lines)) == 1:
        return lines[0]
    return "; ".join(f"{axis[0].upper()}: {line}" for axis, line in zip(x.axes, lines, strict=True))


def weightless(shape: Shape, reach: Reach, torch: Call, **other: int) -> Facts:
    """Facts of an op without weights, buffers and multiply-accumulates; with what else it computes."""
    return Facts(shape, NONE, NONE, 0, other, reach, torch)


class ShapeError(ValueError):
    """An op refuses the shapes that it is given.

    Args:
        message: continues "<layer> does not fit: …".
        notes: the arithmetic behind it.
        help: what would work.
        inputs: which of its inputs disagree, by position, where there are several.
        size: whether a larger input to the network could help.
    """

    def __init__(
        self,
        message: str,
        *,
        notes: tuple[str, ...] = (),
        help: str = "",
        inputs: tuple[int, ...] = (),
        size: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.notes = notes
        self.help = help
        self.inputs = inputs
        self.size = size


class LateShapeError(ShapeError):
    """A refusal whose words are found when somebody reads them: whoever tries many sizes does not.

    Args:
        say: makes the refusal with its words.
    """

    def __init__(self, say: Callable[[], ShapeError]) -> None:
        ValueError.__init__(self)
        self._say = say

    def __getattr__(self, name: str) -> Any:
        if name not in ("message", "notes", "help", "inputs", "size"):
            raise AttributeError(name)
        vars(self).update(vars(self._say()))
        return vars(self)[name]

    def __str__(self) -> str:
        return self.message


#: Every op class by its kind; filled as the family files are imported.
registry: dict[str, type[Op]] = {}


def ask(op: Op, *shapes: Shape) -> Facts:
    """The facts of an op on these inputs, unless its numbers are too large.

    Raises:
        ShapeError: they are, or the inputs do not fit.
    """
    facts = stated(op, *shapes)
    if any(n > MAX_AXIS for n in facts.shape):
        raise ShapeError(f"an axis of its output {facts.shape} is longer than {MAX_AXIS:,}")
    return facts


def stated(op: Op, *shapes: Shape) -> Facts:
    """The facts of an op on these inputs, however large its numbers are.

    Raises:
        ShapeError: the inputs do not fit.
    """
    for index, x in enumerate(shapes):
        if isinstance(x, Ids) and not op.looks_up:
            raise ShapeError(
                f"{op} computes with its input, but {x} are ids",
                help="ids are looked up: put embedding(n) before it, a row of n numbers for each",
                inputs=(index,) if len(shapes) > 1 else (),
            )
    try:
        return op.facts(*shapes)
    except OverflowError:
        raise ShapeError("its numbers are too large") from None


class Names(NamedTuple):
    """What an op is called elsewhere, its names separated by blanks; torch's stand in its calls.

    A name with arguments is that of an op that does more: ``Clip(min=0,max=6)``.
    """

    #: The names of Keras and of ONNX; empty where they have none.
    keras: str
    onnx: str
    #: Other words for it, in small letters and without ``_``.
    also: str = ""


@dataclass_transform(frozen_default=True)
class Op:
    """One operation with its attributes.

    A subclass that passes ``kind`` becomes an op of the language. Subclasses are frozen records, whose fields
    are what they annotate; the annotation of each is one of the kinds in :mod:`archlens.ops.attributes`,
    which the diagnostics check and the reference prints.
    """

    #: Its name in specs.
    kind: ClassVar[str]
    #: The group it is listed and coloured with: ``"convolution"``, ``"pooling"``, …
    family: ClassVar[str]
    #: What it is called elsewhere; ``None`` where nobody has said.
    names: ClassVar[Names | None] = None
    #: Uses of it as ``"1x32x32 >> conv(6, 5)"``; each is tested against torch.
    examples: ClassVar[tuple[str, ...]] = ()
    #: Whether it merges several tensors into one.
    merges: ClassVar[bool] = False
    #: The names of its branches, where each has a part of its own; of those that may stand behind these; and
    #: the op that does it within one tensor.
    branches: ClassVar[tuple[str, ...]] = ()
    optional_branches: ClassVar[tuple[str, ...]] = ()
    of_one: ClassVar[str] = ""
    #: The attribute that says that it reads a second tensor, and in a spec names the step that gives it.
    second: ClassVar[str] = ""
    #: Whether it gives the same in whatever order its inputs stand.
    commutes: ClassVar[bool] = False
    #: Whether it gives the same where some of its inputs, side by side, were merged by it before.
    associates: ClassVar[bool] = False
    #: Whether it takes ids, by which it looks rows of a table up; all others compute with what they read.
    looks_up: ClassVar[bool] = False
    #: Whether it slides a window over its input, so that its output size is worth deriving.
    sliding: ClassVar[bool] = False
    #: Whether it passes its input on untouched, and so makes no layer.
    transparent: ClassVar[bool] = False
    #: Whether each output channel depends on no other channels than those of its own number.
    channelwise: ClassVar[bool] = False
    #: Whether what it does to a token depends on where that stands, beyond its weights.
    by_position: ClassVar[bool] = False
    #: Whether it works on all its channels alone, and not on a few that would do to see how far it looks.
    whole: ClassVar[bool] = False
    #: Whether it reads numbers that remember how they were made where they stand in a text.
    spells: ClassVar[bool] = False
    #: What it saves for the backward pass and makes on the way, where that depends on nothing; ``None`` is
    #: unknown, and never nothing.
    saved_for_backward: ClassVar[Footprint | None] = None
    #: Why nobody can say what it saves and makes on the way; such an op has no footprint.
    memory_unknown: ClassVar[str] = ""
    #: Attributes that are the same as another where they are not given: ``{"stride": "kernel"}``.
    follows: ClassVar[Mapping[str, str]] = {}
    #: Attributes that do nothing to shape, weights and multiply-accumulates, each with the word for it: of
    #: scopes that differ in these alone one is shown for all, and they are said.
    incidental: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, kind: str | None = None, family: str | None = None) -> None:
        super().__init_subclass__()
        if family is not None:
            cls.family = family
        if kind is not None:
            cls.kind = kind
            registry[kind] = cls

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        parameters = signature(type(self))
        values = dict(zip(parameters, args, strict=False)) | kwargs
        if len(args) > len(parameters) or not values.keys() <= parameters.keys():
            raise TypeError(f"{self.kind} takes {', '.join(parameters) or 'no attributes'}")
        for name, parameter in parameters.items():
            if parameter.required and name not in values:
                raise TypeError(f"{self.kind} is missing {name}")
            object.__setattr__(self, name, values.get(name, parameter.default))

    def __setattr__(self, name: str, value: Any) -> None:
        raise FrozenInstanceError(f"an op does not change: {name} of {self}")

    def facts(self, x: Shape, /) -> Facts:
        """What the op does to this input shape; a :class:`Merge` takes several.

        Raises:
            ShapeError: the shapes do not fit; the message says why in the terms of the formula.
        """
        raise TypeError(f"{type(self).__name__} does not say its facts")  # pragma: no cover

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        """Which channels of each input some of the output channels depend on.

        Both are sets of channels as the bits of a number: bit ``c`` is channel ``c``. Unless an op says
        otherwise every output channel depends on all.
        """
        if self.channelwise:
            return (channels,) * len(inputs)
        return tuple([all_channels(x.channels) for x in inputs])

    def windows(self, x: Shape) -> tuple[Window, ...]:
        """The window along each spatial axis that an output looks through; none where its reach says all."""
        return ()

    def reach_of(self, index: int, facts: Facts, inputs: Sequence[Shape]) -> Reach:
        """The part of one of its inputs that an output depends on, where that is not the same of all."""
        return facts.reach

    @property
    def reads_several(self) -> bool:
        """Whether it reads more than one tensor."""
        return self.merges or bool(self.second and getattr(self, self.second))

    def least_batch(self, *inputs: Shape, training: bool) -> int | None:
        """The smallest batch that torch runs it on in a mode; ``None`` where it runs it on none.

        Statistics over a single value are refused.
        """
        return 1

    @property
    def stands_once(self) -> bool:
        """Whether it makes one tensor for a whole batch, whatever it reads."""
        return False

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint | None:
        """What it asks of memory beside weights and output; ``None`` where nobody has said."""
        return self.saved_for_backward

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        """How the output shape comes about, on one line; empty where nothing is computed.

        For a sliding window it is ``(n + 2p - f)/s + 1`` with its numbers, once per spatial axis
        where the axes differ.
        """
        reach = facts.reach
        if not isinstance(reach, tuple) or not (self.sliding or any(w != POINT for w in reach)):
            return ""
        x = inputs[0]
        return along(x, [window.arithmetic(n) for window, n in zip(reach, x.spatial, strict=True)])

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        """How the output shape comes about, in words; only asked where no arithmetic is."""
        if all(x == facts.shape for x in inputs):
            return "stays as it is"
        return f"{' and '.join(map(str, inputs))} -> {facts.shape}"

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        """Where the multiply-accumulates come from, as one sentence; only asked where there are any."""
        positions = prod(facts.shape)
        each, rest = divmod(facts.macs, positions)
        if rest:
            return f"{facts.macs:,} for {positions:,} outputs"
        return f"{positions:,} outputs x {each:,} products each = {facts.macs:,}"

    def macs_once(self, facts: Facts, *inputs: Shape) -> int:
        """The part of ``macs`` that a whole batch takes once, however many samples it has."""
        return 0

    def macs_unmasked(self, facts: Facts, *inputs: Shape) -> int:
        """The part of ``macs`` that a kernel computes which leaves out what is masked."""
        return facts.macs

    def why_params(self, facts: Facts) -> str:
        """Where the parameters come from, as one sentence; only asked where there are any."""
        parts = [
            f"{name} {times(shape) or 1}".lstrip() + (f" = {prod(shape):,}" if len(shape) > 1 else "")
            for name, shape in facts.weights.items()
        ]
        return ", ".join(parts) + (f"; {facts.params:,} together" if len(parts) > 1 else "")

    def attributes(self) -> dict[str, Any]:
        """Its attributes by name, in the order of the signature."""
        return {name: getattr(self, name) for name in signature(type(self))}

    @classmethod
    def parts(cls, count: int, said: Collection[str]) -> tuple[str, ...]:
        """The names of so many branches, where each has one.

        Args:
            count: how many there are.
            said: the flags that are set; one of them may say that the branch of its name is there.
        """
        flagged = [name for name in cls.optional_branches if name in signature(cls)]
        others = [name for name in cls.optional_branches if name not in flagged]
        there = [name for name in flagged if name in said]
        return (*cls.branches, *others[: max(count - len(cls.branches) - len(there), 0)], *there)

    @property
    def essence(self) -> Hashable:
        """Equal for ops that differ in what is incidental alone."""
        if not self.incidental:
            return self
        return (type(self), *[value for name, value in vars(self).items() if name not in self.incidental])

    def __str__(self) -> str:
        """As a spec writes it, without the attributes that have their default.

        >>> from archlens.ops.convolution import Conv
        >>> print(Conv(64, 7, stride=2, padding=3, bias=False))
        conv(64, 7, stride=2, padding=3, bias=false)
        """
        return self.written({})

    def written(self, instead: Mapping[str, str]) -> str:
        """As a spec writes it, with other words in the place of some values."""
        words = []
        for name, parameter in signature(type(self)).items():
            value = getattr(self, name)
            if name in instead:
                words.append(instead[name] if parameter.required else f"{name}={instead[name]}")
            elif parameter.required:
                words.append(as_written(value))
            elif value != parameter.default:
                words.append(f"{name}={as_written(value)}")
        return f"{self.kind}({', '.join(words)})" if words else self.kind

    def __repr__(self) -> str:
        return f"<{self}>"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))


class Merge(Op, family="merge"):
    """An op that makes one tensor of several: its kind is a key that opens branches in a spec."""

    merges = True

    def facts(self, *inputs: Shape) -> Facts:
        """What the op does to these input shapes."""
        raise TypeError(f"{type(self).__name__} does not say its facts")  # pragma: no cover


class Parameter(NamedTuple):
    """One attribute of an op: what it accepts, its default unless it is required, and what it means."""

    kind: Kind
    required: bool
    default: Any
    meaning: str = ""


_signatures: dict[type[Op], dict[str, Parameter]] = {}


def signature(op: type[Op]) -> dict[str, Parameter]:
    """The attributes of an op class by name, in order. Resolved once, when the op is first used."""
    found = _signatures.get(op)
    if found is None:
        found = _signatures[op] = {}
        for base in reversed(op.__mro__[: op.__mro__.index(Op)]):
            # what is annotated there, apart from the many annotations of Op, which are no attributes
            own = type(
                base.__name__, (), {"__annotations__": base.__annotations__, "__module__": base.__module__}
            )
            for name, hint in get_type_hints(own, include_extras=True).items():
                if get_origin(hint) is not ClassVar:
                    kind, *meaning = hint.__metadata__
                    default = vars(base).get(name, REQUIRED)
                    found[name] = Parameter(kind, default is REQUIRED, default, *meaning)
    return found


def signed(op: type[Op]) -> str:
    """An op with its attributes: ``conv(channels, kernel, stride=1, …)``."""
    words = arguments(op)
    return f"{op.kind}({', '.join(words)})" if words else op.kind


def arguments(op: type[Op]) -> list[str]:
    """The attributes of an op, those that have a default with it, as a spec writes them."""
    return [
        name if parameter.required else f"{name}={as_written(parameter.default)}"
        for name, parameter in signature(op).items()
    ]


def as_written(value: Any) -> str:
    """A value as a spec writes it."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, str) or value in (inf, -inf):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"({', '.join(map(as_written, value))}{',' if len(value) == 1 else ''})"
    return str(value)


def all_channels(count: int) -> int:
    """The set of channels ``0 .. count - 1``, as :meth:`Op.reads` has it."""
    return (1 << count) - 1


def read_by_groups(channels: int, groups: int, of: int, to: int) -> int:
    """Which of ``of`` input channels some of ``to`` output channels read, where both are in ``groups``."""
    found, inside = 0, all_channels(to // groups)
    for group in range(groups):
        if channels >> group * (to // groups) & inside:
            found |= all_channels(of // groups) << group * (of // groups)
    return found


def per_group(channels: int, groups: int, which: str = "input") -> int:
    """Channels in each of ``groups`` groups.

    Raises:
        ShapeError: they do not divide evenly; with the nearest numbers of groups that do.
    """
    if channels % groups:
        near = [d for d in range(max(1, groups - 64), groups + 64) if channels % d == 0]
        near.sort(key=lambda d: (abs(d - groups), d))
        raise ShapeError(
            f"its {channels} {which} channels are not divisible by groups={groups}",
            notes=(f"{channels} = {groups} * {channels // groups} + {channels % groups}",),
            help=f"groups that divide {channels}: {', '.join(map(str, sorted(near[:4])))}" if near else "",
        )
    return channels // groups
