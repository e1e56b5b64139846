"""Layers of Keras being placed: where their axes lie here, what they are called, whose weights they share.

Keras has the channels last, and archlens has them first wherever an op of torch wants them so. A tensor is
held with the axes that it has in Keras, by which the file speaks of it, and moved only where an op wants them
otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

from ...bounds import RAISED
from ...elaboration.building import Builder
from ...elaboration.values import Tensor
from ...errors import SpecError
from ...network import Origin
from ...ops import OPS, Buffer, Op, ask
from ...ops.opaque import Opaque
from ...shape import Shape, channels_last
from .saved import Entry, Inbound, within

#: A shape of which some sizes are not known.
Open = tuple[int | None, ...]

#: What a call is worth in steps of the builder's bounds.
_STEPS = 4

#: The most characters of a name.
_LONGEST = 120


class Names:
    """Names as they can be some here, each once: every other character is an underscore."""

    def __init__(self, *taken: Collection[str]) -> None:
        #: Those that are taken, also those that will be.
        self.taken = taken
        self._counts: dict[str, int] = {}

    def free(self, name: str) -> str:
        """The name, or with a number behind it."""
        plain = re.sub(r"\W+", "_", name[: 2 * _LONGEST])[:_LONGEST] or "_"
        found = plain
        while any(found in names for names in self.taken):
            self._counts[plain] = self._counts.get(plain, 0) + 1
            found = f"{plain}_{self._counts[plain]}"
        return found


class Held(NamedTuple):
    """A tensor, and which axis of Keras' each of its axes is, the batch not counted."""

    tensor: Tensor
    axes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape in Keras, without the batch."""
        return tuple([size for _, size in sorted(zip(self.axes, self.tensor.shape, strict=True))])

    @property
    def last(self) -> bool:
        """Whether its channels come last here."""
        return self.tensor.shape.channels_last

    @property
    def channel(self) -> int:
        """Which axis of Keras' the channels are here."""
        return self.axes[self.tensor.shape.channel_axis]

    def name_of(self, axis: int) -> str:
        """What an axis of Keras' is called here."""
        return self.tensor.shape.names[self.axes.index(axis)]

    @property
    def straight(self) -> bool:
        """Whether its values lie in the order in which Keras has them; axes of one position are anywhere."""
        apart = [axis for axis, size in zip(self.axes, self.tensor.shape, strict=True) if size > 1]
        return apart == sorted(apart)


#: What one call of a layer places, and what comes out.
Places = Callable[["Call"], "Held | list[Held]"]

#: By the names of their classes.
LAYERS: dict[str, Places] = {}


def layer(*kinds: str) -> Callable[[Places], Places]:
    """Say which classes a function places."""

    def added(function: Places) -> Places:
        LAYERS.update(dict.fromkeys(kinds, function))
        return function

    return added


def turned(rank: int) -> tuple[int, ...]:
    """The axes of Keras' where the last one comes first."""
    return (rank - 1, *range(rank - 1))


@lru_cache(1_000)
def way(axes: tuple[int, ...], last: bool, to: tuple[int, ...], to_last: bool) -> tuple[str, ...] | None:
    """The ops that take axes where they are wanted; ``None`` where none do."""
    states: dict[tuple[tuple[int, ...], bool], tuple[str, ...]] = {(axes, last): ()}
    for _ in range(3):
        for (one, is_last), ops in list(states.items()):
            if is_last:
                states.setdefault(((one[-1], *one[:-1]), False), (*ops, "channels_first"))
            elif len(one) > 1:
                states.setdefault(((*one[1:], one[0]), True), (*ops, "channels_last"))
            if len(one) == 3:
                other = (one[1], one[0], one[2]) if is_last else (one[0], one[2], one[1])
                states.setdefault((other, is_last), (*ops, "transpose"))
    return states.get((to, to_last))


#: The names of axes that ops take.
AXES_OF_OPS = frozenset({"channels", "length", "depth", "height", "width"})

#: What axes of Keras' are called in patterns.
LETTERS = "abcdefghi"


def rearranging(axes: Sequence[int], to: Sequence[int], last: bool) -> Op:
    """The op that puts axes of Keras' into any order."""
    left, right = (" ".join(LETTERS[axis] for axis in one) for one in (axes, to))
    return OPS["rearrange"](pattern=f"{left} -> {right}", channels="last" if last else "first")


class Owner(NamedTuple):
    """A layer that has weights, which other calls of it have, too."""

    name: str
    #: The keys of its tensors, by their names.
    keys: Mapping[str, str]
    #: What it is in torch.
    torch: Any


class Placing:
    """One network being laid out."""

    def __init__(
        self, name: str, first: bool, run: Callable[[Call, int], list[Held]], origin: Origin | None = None
    ) -> None:
        self.builder = Builder(name, origin=origin)
        #: Whether channels come first in all of the file.
        self.first = first
        #: Places one call of a layer or of a model, by its number.
        self.run = run
        self.steps = 0
        self._moved: dict[tuple[Any, ...], Tensor] = {}
        #: The names of the layers of the file, by the scope that they lie in; and those that are free there.
        self._reserved: dict[str, set[str]] = {}
        self._names: dict[tuple[str, bool], Names] = {}
        #: The layers that had weights, for each layer of the file that was called; and the lists of those
        #: that are being called.
        self._owners: dict[tuple[str, int], list[Owner]] = {}
        self._recording: list[list[Owner]] = []
        self._replaying: Iterator[Owner] | None = None
        #: Whether layers run at each step of what they read.
        self.steps_apart = False

    # --- names and weights ------------------------------------------------------------------------

    def step(self, call: Call) -> None:
        """Count a call, as one that makes no layer takes its time, too."""
        self.steps += _STEPS
        if self.steps > self.builder.bounds.steps:
            raise call.entry.refuse(self.builder.bounds.too_many_steps, help=RAISED)

    def reserve(self, names: Iterable[str]) -> None:
        """Keep names for the layers of the file in the scope that is open."""
        self._reserved.setdefault(self.builder.inside.path, set()).update(names)

    def free(self, name: str) -> str:
        """A name for what the file has no layer for, in the scope that is open."""
        return self.named(name, reserved=True)

    def named(self, name: str, reserved: bool = False) -> str:
        """A name that is free in the scope that is open; with ``reserved`` that no layer of the file has."""
        inside = self.builder.inside
        key = (inside.path, reserved)
        if key not in self._names:
            kept = self._reserved.setdefault(inside.path, set()) if reserved else ()
            self._names[key] = Names(inside.taken, kept)
        return self._names[key].free(name)

    @contextmanager
    def scope(self, name: str, block: str) -> Iterator[None]:
        """The scope of a layer that is made of several."""
        with self.builder.scope(self.named(name), block=block):
            yield

    @contextmanager
    def at_each_step(self, so: bool = True) -> Iterator[None]:
        """Layers that run at each step of what they read, or that do not."""
        before, self.steps_apart = self.steps_apart, so
        try:
            yield
        finally:
            self.steps_apart = before

    @contextmanager
    def sharing(self, entry: Entry, number: int) -> Iterator[None]:
        """A call of a layer: those after the first have the weights of the first."""
        key = (self.builder.inside.path, id(entry))
        if self._replaying is not None:
            yield
            return
        if number:
            self._replaying = iter(self._owners.get(key, ()))
            try:
                yield
            finally:
                self._replaying = None
            return
        self._owners[key] = []
        self._recording.append(self._owners[key])
        try:
            yield
        finally:
            self._recording.pop()

    def place(self, op: Op, tensors: Sequence[Tensor], name: str) -> Tensor:
        """Place an op under a name that is free."""
        owner = Owner("", {}, None)
        if self._replaying is not None:
            facts = ask(op, *[tensor.shape for tensor in tensors])
            if facts.weights or facts.buffers:
                owner = next(self._replaying, owner)
                if facts.torch != owner.torch:
                    owner = owner._replace(name="")
        name = self.named(name)
        made = self.builder.place(op, *tensors, name=name, keys=owner.keys, again=owner.name)
        if self._recording and self.builder.layers:
            layer = self.builder.layers[-1]
            kept = layer.keys or {one: layer.key(one) for one in (*layer.facts.weights, *layer.facts.buffers)}
            for owners in self._recording if kept else ():
                owners.append(Owner(layer.again or layer.name, kept, layer.facts.torch))
        return made

    # --- axes -------------------------------------------------------------------------------------

    def map_of(self, tensor: Tensor, first: bool | None = None) -> Held:
        """A tensor of archlens' with its channels first, as Keras has it."""
        rank = len(tensor.shape)
        if tensor.shape.channels_last or (self.first if first is None else first):
            return Held(tensor, tuple(range(rank)))
        return Held(tensor, turned(rank))

    def once(self, key: tuple[Any, ...], make: Callable[[], Tensor]) -> Tensor:
        """A tensor that is moved so, which others may read, too."""
        if key not in self._moved:
            self._moved[key] = make()
        return self._moved[key]

    def arranged(self, x: Held, axes: tuple[int, ...], last: bool, name: str) -> Tensor:
        """A tensor with its axes as an op wants them."""
        if x.axes == axes and (x.last == last or len(axes) == 1):
            return x.tensor
        key = (x.tensor.name, x.axes, axes, last)  # a permuted tensor may be held with others
        if key in self._moved:
            return self._moved[key]
        ops = way(x.axes, x.last, axes, last)
        made = x.tensor
        if ops is None:
            op = rearranging(x.axes, axes, last)
            made = self.place(op, [made], self.free(f"{name}_permute"))
        for kind in ops or ():
            made = self.place(OPS[kind](), [made], self.free(f"{name}_{kind}"))
        self._moved[key] = made
        return made


class Call:
    """One call of a layer: what it reads, and how what it is made of is placed."""

    def __init__(
        self,
        placing: Placing,
        entry: Entry,
        name: str,
        inbound: Inbound,
        after: Mapping[int, Open | None],
        before: Sequence[Open | None],
        read: Collection[int] | None = None,
    ) -> None:
        self.placing = placing
        self.entry = entry
        #: What it is called here.
        self.name = placing.named(name)
        self.inbound = inbound
        #: The shapes of its outputs as the file has them, and those of its inputs.
        self.after = after
        self.before = before
        #: Which of its outputs anything reads; ``None`` where that is not known.
        self.read = read
        self.tensors = list(within((inbound.args, inbound.kwargs), Held))

    @property
    def x(self) -> Held:
        """What it reads.

        Raises:
            SpecError: it reads several tensors, or none.
        """
        if len(self.tensors) != 1:
            raise self.entry.refuse(f"it reads one tensor, and is called with {len(self.tensors)}")
        return self.tensors[0]

    def is_read(self, output: int) -> bool:
        """Whether anything reads an output."""
        return self.read is None or output in self.read

    def put(self, op: str | Op, *tensors: Tensor, suffix: str = "", **attributes: Any) -> Tensor:
        """Place an op: under the name of the layer, or beside it."""
        made = op if isinstance(op, Op) else OPS[op](**attributes)
        name = self.placing.free(f"{self.name}_{suffix}") if suffix else self.name
        try:
            return self.placing.place(made, tensors, name)
        except SpecError as problem:
            raise self.at(problem, name) from None

    def within(self, op: str, tensor: Tensor, name: str, **attributes: Any) -> Tensor:
        """Place an op in a scope that is open."""
        try:
            return self.placing.place(OPS[op](**attributes), [tensor], name)
        except SpecError as problem:
            raise self.at(problem, name) from None

    def at(self, problem: SpecError, name: str) -> SpecError:
        """What does not fit, said at its place in the file."""
        from dataclasses import replace

        said = problem.diagnostic.message
        message = f"{self.entry.place}: {said}"
        for start in (f"{self.placing.builder.inside.full(name)} ", f"{name}: "):
            if said.startswith(start):
                message = (
                    f"{self.entry.place}{' ' if start.endswith(' ') else ': '}{said.removeprefix(start)}"
                )
        help = problem.diagnostic.help
        if help.startswith("padding=") and self.entry.config.get("padding", "valid") == "valid":
            help = 'padding="same"'  # Keras takes no number there
        return SpecError(
            replace(problem.diagnostic, message=message, help=help), problem.network, problem.failed
        )

    # --- axes -------------------------------------------------------------------------------------

    @property
    def channels_first(self) -> bool:
        """Whether the layer has the channels first."""
        said = self.entry.word("data_format", "channels_last", "channels_first", "channels_last")
        return said == "channels_first"

    def map(self, axes: int | None = None) -> Tensor:
        """What it reads as a map, channels first, of so many spatial axes."""
        x = self.x
        if len(x.shape) < 2 or axes not in (None, len(x.shape) - 1):
            wanted = (
                "a map" if axes is None else f"{axes} spatial {'axis' if axes == 1 else 'axes'} and channels"
            )
            raise self.entry.refuse(f"it reads {wanted}, and is called with {shaped(x.shape)}")
        if len(x.shape) > 4:
            raise self.entry.refuse(
                f"it reads a map of at most 3 spatial axes, and is called with {shaped(x.shape)}"
            )
        rank = len(x.shape)
        return self.placing.arranged(
            x, tuple(range(rank)) if self.channels_first else turned(rank), False, self.name
        )

    def as_map(self, tensor: Tensor) -> Held:
        """A map that the layer gives."""
        return self.placing.map_of(tensor, self.channels_first)

    def last(self, x: Held) -> Tensor:
        """A tensor whose last axis in Keras is the last one here."""
        return self.placing.arranged(x, tuple(range(len(x.shape))), True, self.name)

    def with_channels(self, x: Held, axis: int) -> tuple[Tensor, tuple[int, ...]] | None:
        """A tensor with that axis of Keras' as its channels, first; ``None`` where no op moves it so."""
        if not x.last and x.channel == axis:
            return x.tensor, x.axes
        axes = (axis, *[one for one in range(len(x.shape)) if one != axis])
        if len(axes) > 4 or way(x.axes, x.last, axes, False) is None:
            return None
        return self.placing.arranged(x, axes, False, self.name), axes

    # --- what has no op ---------------------------------------------------------------------------

    def opaque(
        self,
        shape: Sequence[int],
        *,
        weights: Mapping[str, tuple[int, ...]] | None = None,
        buffers: Mapping[str, tuple[int, ...]] | None = None,
        macs: int | None = 0,
        reason: str = "",
        like: Held | None = None,
        pointwise: bool = False,
        suffix: str = "",
        tensors: Sequence[Held] | None = None,
        kind: str = "",
        base: Op | None = None,
    ) -> Held:
        """Place what has no op.

        Args:
            shape: what comes out, as Keras has it.
            weights: those that are trained, and
            buffers: those that are not, as Keras has them.
            macs: its multiply-accumulates; ``None`` where they are not known.
            reason: why, or why its reach is not.
            like: a tensor whose axes it has; else those of what it reads, or the last one comes last.
            pointwise: whether each output depends on the input at its own position alone.
            suffix: of its name, where it is not all of the layer.
            tensors: what it reads, if not all that the layer is called with.
            kind: what it is called, if not as its class.
            base: an op that looks as far into the first tensor.
        """
        read = [x.tensor for x in (self.tensors if tensors is None else tensors)]
        if not shape or min(shape) < 1:
            raise self.entry.refuse(f"its output is empty: {shaped(shape)}")
        first = next(iter(self.tensors if tensors is None else tensors))
        if like is None and not first.last and first.axes == turned(len(shape)):
            like = first
        axes = like.axes if like is not None else tuple(range(len(shape)))
        sizes = [shape[axis] for axis in axes]
        last = like.last if like is not None else not (self.placing.first and len(sizes) > 2)
        made = channels_last(sizes[:-1], sizes[-1]) if last else Shape(sizes)
        kind = kind or self.entry.kind
        op = Opaque(
            kind,
            made,
            tuple([tensor.shape for tensor in read]),
            reason=reason or f"archlens has no op for {kind}",
            weights=weights,
            buffers={name: Buffer(one) for name, one in (buffers or {}).items()},
            macs=macs,
            pointwise=pointwise,
            base=base,
        )
        return Held(self.put(op, *read, suffix=suffix), axes)


def shaped(shape: Sequence[int]) -> str:
    """A shape as Keras writes it."""
    return f"({', '.join(['None', *map(str, shape)])})"
