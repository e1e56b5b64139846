"""What a module did, said in archlens' own ops: the operators that ran become the layers of a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from types import MappingProxyType
from typing import Any, Protocol

from ..arrangement import (
    REPEATED,
    Axes,
    Axis,
    Part,
    in_order,
    joined,
    moved,
    sizes,
    straight,
    viewed,
)
from ..bounds import RAISED, Bounds, allowed
from ..elaboration.building import Builder, free_name
from ..errors import error
from ..grouping import grouped
from ..network import Network, Origin, scopes_around
from ..ops import OPS, Op, ShapeError
from ..ops.op import NOWHERE, Buffer, Facts, signature
from ..ops.opaque import Opaque
from ..shape import ChannelsLast, Ids, Shape
from .account import CONSTANT, FOLDED, MOVED, OPAQUE, Ran
from .compositions import RatesOf, TurnsOf, compositions
from .counting import NORMALIZING
from .known import KNOWN
from .masks import MULTIHEAD, Leaves, Masked, masked
from .tape import BATCH, Call, Node, Pairs, Rows, Shifted, Table, Tape, Value


@dataclass(eq=False)
class Draft:
    """A layer to be: what runs, on what, and where."""

    op: Op
    inputs: tuple[Draft, ...]
    facts: Facts
    call: Call
    #: The tensors behind its weights and buffers, by the op's names for them.
    own: Mapping[str, Value]
    #: The name of the network's input, where it is one.
    input: str = ""
    #: The operator that it says; ``None`` for what moves values to where they are read.
    node: Node | None = None
    #: How many samples there are.
    batch: int = BATCH

    @property
    def shape(self) -> Shape:
        return self.facts.shape

    @property
    def straight(self) -> Axes:
        """Its axes as they are, the batch first."""
        return straight((self.batch, *self.shape))


@dataclass(eq=False)
class Held:
    """The values of a layer's output, and how they lie in the tensor that is meant.

    Axis 0 of the layer's is the batch.
    """

    draft: Draft
    axes: Axes
    #: The call in which they were moved.
    call: Call | None = None
    #: How they were moved, step by step: viewed as a shape, or with the axes in another order.
    moves: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def is_straight(self) -> bool:
        return self.axes == self.draft.straight


class NotSaid(Exception):
    """An operator is not said in archlens' ops, or not here."""


class MixesSamples(NotSaid):
    """What an operator costs depends on how many samples there are."""


#: How an operator is said in archlens' ops.
Lowers = Callable[["Lowering", Node, dict[str, Any]], "Held | Sequence[Held | None]"]

#: Operators that put the axes in another order.
PERMUTES = ("aten.permute", "aten.transpose", "aten.t")

#: Operators that only move values about, and make no layer where they run.
MOVES = frozenset(
    {
        "aten.view",
        "aten._unsafe_view",
        "aten.reshape",
        "aten._reshape_alias",
        *PERMUTES,
        "aten.unsqueeze",
        "aten.squeeze",
        "aten.expand",
        "aten.alias",
        "aten.detach",
        "aten.clone",
        "aten.contiguous",
        "aten._to_copy",
        "aten.lift_fresh",
    }
)


#: What gives a tensor to each sample, and the layers with weights that read such.
_REPEATS = ("aten.expand", "aten.repeat")
_PROJECTS = ("torch.linear", "aten.native_layer_norm", "torch.rms_norm")

#: What makes zeros, whatever it reads.
_ZEROS = ("aten.zeros", "aten.new_zeros", "aten.zeros_like")

#: What views a tensor as another shape.
VIEWED = ("aten.view", "aten._unsafe_view", "aten.reshape", "aten.unsqueeze")

#: How often at most the same values are put together.
_TIMES = 32

#: Why a layer that only moves values is opaque.
_NO_MOVE = "no op moves values as the code does"

#: What reads the channels last.
_LAST = {
    *("torch.linear", "aten.addmm", "aten.native_layer_norm", "torch.rms_norm", MULTIHEAD),
    *(f"torch.nn.modules.rnn.{name}" for name in ("LSTM", "GRU", "RNN")),
    *("torch.lstm", "torch.gru", "torch.rnn"),
}


class Later(Protocol):
    """What is made of several tensors where it is read."""

    def put_together(self, lowering: Lowering) -> Held: ...


class Lowering:
    """One tape becoming a network."""

    def __init__(
        self,
        tape: Tape,
        table: Mapping[str, Lowers],
        leaves: Callable[[Masked], Leaves | None] = lambda _: None,
        turns_of: TurnsOf = lambda *_: None,
        pairs_of: Callable[[Value, bool], Pairs | None] = lambda *_: None,
        rows_of: Callable[[Value], Rows | None] = lambda _: None,
        is_binomial: Callable[[Value], bool] = lambda _: False,
        shifted: Callable[[Value, Sequence[int], int, int], Shifted | None] = lambda *_: None,
        table_of: Callable[[Value], Table | None] = lambda _: None,
        ids_of: Callable[[Value], Sequence[int] | None] = lambda _: None,
        rates_of: RatesOf = lambda _: None,
    ) -> None:
        self.tape = tape
        self.composed = compositions(tape, turns_of, rates_of)
        #: The operators, each composition as one.
        self.nodes = self.composed.nodes(tape)
        #: Which scores a mask leaves, where an op says that.
        self.leaves = leaves
        #: What a tensor says of each two positions, where it is made of the rows of a table for these.
        self.pairs_of = pairs_of
        #: Which rows of a table a tensor is made of.
        self.rows_of = rows_of
        #: Whether each channel of a constant weight is the binomial filter of its size.
        self.is_binomial = is_binomial
        #: Of which windows of a rolled map a constant is the mask: added to scores of such sizes, of so many
        #: samples and windows.
        self.shifted = shifted
        #: Which ops make a constant: relative coordinates of a window, or sines of positions.
        self.table_of = table_of
        #: The whole numbers of a constant in a row.
        self.ids_of = ids_of
        self.table = table
        self.drafts: list[Draft] = []
        self.held: dict[Value, Held] = {}
        #: What is said of some tensors where they are read, for by then all parts of them are written.
        self.later: dict[Value, Later] = {}
        self.node: Node | None = None
        #: Whether what is placed serves to move values.
        self.moving = False
        #: Of layers that are made of parameters and constants alone: the products that ran, for all samples.
        self.ran_once: dict[Draft, int | None] = {}
        #: Why an operator is not said in archlens' ops.
        self.reasons: dict[Node, str] = {}
        #: What was placed to move values, by what was moved and how.
        self.made: dict[Any, Draft] = {}
        #: What is computed of parameters and constants alone, while what reads it is placed.
        self.computed: dict[Value, Held] | None = None
        #: The tensors that some layer has already.
        self.counted: set[str] = set()
        #: The nodes that no input flows through whose work some layer has already; and the present one has.
        self.paid: set[Node] = set()
        self.paying: set[Node] = set()
        #: Layers that a later operator says again, with others.
        self.replaced: set[Draft] = set()
        #: Buffers whose values an argument of an op says.
        self.folded: set[Value] = set()
        #: The weights and buffers that tensors without an input were made of, and how many were looked at.
        self.made_of: dict[Value, list[Value]] = {}
        self.looked = 0
        #: The operator whose multiply-accumulates have been compared where it was said.
        self.checked: Node | None = None
        #: The tensors that hold values of each layer, and the operators that read each tensor.
        self.holding: dict[Draft, list[Value]] = {}
        self.readers: dict[Value, list[Node]] = {}
        #: The tensors that come out of the network.
        self.ends = set(tape.outputs.values())
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                self.readers.setdefault(value, []).append(node)
        #: The parameters that are given to each sample and computed with before any input is.
        self.given: dict[Value, Value] = {}
        self._give()
        #: The operators of each call but those that move values.
        self.working = grouped((one.call, one) for one in self.nodes if one.flows and one.target not in MOVES)
        last: dict[Call, Node] = {}
        moving: dict[Call, bool] = {}
        for node in self.nodes:
            if node.flows:
                last[node.call] = node
                moving[node.call] = moving.get(node.call, True) and node.target in MOVES
        #: The nodes at whose end a module is done that did nothing but move values.
        self.settling = {
            node for call, node in last.items() if moving[call] and not call.children and call.path
        }

    def _give(self) -> None:
        """Let parameters flow that are repeated for each sample, and then read by layers of their own."""
        for node in self.nodes:
            if not node.flows and node.target in _REPEATS and node.outputs[0].sizes:
                (out,), made_of = node.outputs, sources(node.outputs[0])
                (samples, *rest), leaf = out.sizes, made_of[0] if len(made_of) == 1 else None
                alike = leaf is not None and leaf.trains and leaf.sizes in ((*rest,), (1, *rest))
                if alike and samples == self.tape.batch and len(rest) > 1 and self._is_projected(out):
                    self.given[out] = made_of[0]
                    node.flows = True
            elif self.given and not node.flows and any(one.flows for one in node.inputs):
                node.flows = True

    def _is_projected(self, value: Value) -> bool:
        """Whether a layer with weights reads a tensor that no input flows into."""
        return any(
            one.target in _PROJECTS or (one.target in MOVES and self._is_projected(one.outputs[0]))
            for one in self.readers.get(value, ())
            if not one.flows
        )

    # --- the tensors ----------------------------------------------------------------------------

    def of(self, value: Value) -> Held:
        """What is held of a tensor."""
        held = self.held.get(value)
        if held is None and not value.flows:
            raise NotSaid("no input flows into all that it reads")
        if held is None and value in self.later:
            held = self.held[value] = self._put_together(value)
        if held is None:  # a further output of what was said without it
            assert value.node is not None
            axes, shape = self.plain(value.sizes)
            draft = self.opaque(_bare(value.node.target), Shape(shape), *self._read(value.node), macs=0)
            held = self.held[value] = Held(draft, axes)
        return held

    def _put_together(self, value: Value) -> Held:
        """What is held of a tensor that was written part by part."""
        reader, self.node = self.node, value.node
        before = len(self.drafts)
        try:
            return self.later[value].put_together(self)
        except NotSaid:
            self.forget(before)
            assert value.node is not None
            return next(iter(self._unsaid(value.node)))  # type: ignore[return-value]
        finally:
            self.node = reader

    def _read(self, node: Node) -> list[Draft]:
        """The layers that a node reads, each as it lies."""
        made = [self.settled(self.batch_first(self.of(value))[0]) for value in node.inputs if value.flows]
        return list(dict.fromkeys(made))

    def near(self, value: Value, last: bool | None = None) -> Held:
        """What is held of a tensor, moved only where that was done in the call that reads it.

        What a module is given lies as it was given, so that its output has the shape that it has in torch.
        """
        held = self.of(value)
        assert self.node is not None
        if held.is_straight or held.call is None or held.call is self.node.call or is_framed(held):
            return held
        return self.laid(held, last)

    def batch_first(self, held: Held) -> tuple[Held, int]:
        """The values with the batch in front, and behind how many axes it stood: steps may come first."""
        samples = held.draft.straight[0]
        places = [i for i, axis in enumerate(held.axes) if samples and axis[: len(samples)] == samples]
        if not places or not places[0]:
            return held, 0
        (place,) = places
        axes = (held.axes[place], *held.axes[:place], *held.axes[place + 1 :])
        return Held(held.draft, axes, held.call), place

    def within_batch(self, held: Held) -> Held:
        """The same values in a batch of their own, where one sample runs alone and they are in none."""
        if held.draft.straight[0] or held.axes[:1] in ((), ((),)):
            return held
        return Held(held.draft, ((), *held.axes), held.call)

    def laid(self, held: Held, last: bool | None = None) -> Held:
        """The values as a layer has them; what stands beside the batch, as windows do, is an axis there."""
        first, place = self.batch_first(held)
        if place:
            made = self.laid(first, last)
            return Held(made.draft, batch_behind(made.axes, place), held.call)
        inside = self.within_batch(held)
        if inside is not held:
            draft = self.settled(inside, last=last)
            return Held(draft, draft.straight[1:], held.call)
        batch, own = held.axes[0] if held.axes else (), held.draft.straight[0]
        if own and len(batch) > 1 and batch[-1:] == own:  # steps stand before the samples in one axis
            made = self.laid(Held(held.draft, (own + batch[:-1], *held.axes[1:]), held.call), last)
            rows, *rest = made.axes
            return Held(made.draft, (rows[len(own) :] + own, *rest), held.call)
        if len(batch) < 2 or batch[0].axis != 0:
            draft = self.settled(held)
            return Held(draft, draft.straight)
        apart = Held(held.draft, (batch[:1], batch[1:], *held.axes[1:]), held.call)
        draft = self.settled(apart, last=last)
        samples, beside, *rest = draft.straight
        return Held(draft, (samples + beside, *rest), held.call)

    def shape_of(self, value: Value) -> tuple[int, ...]:
        """The sizes of a tensor without the batch, where that is the first axis alone."""
        if not value.sizes or value.sizes[0] != self.tape.batch:
            raise NotSaid("the first axis is not the batch")
        return value.sizes[1:]

    def put(
        self,
        op: Op,
        *inputs: Draft,
        own: Mapping[str, Value] | None = None,
        call: Call | None = None,
    ) -> Draft:
        """A layer, where its op takes these shapes and its weights are those that are there."""
        try:
            facts = op.facts(*[draft.shape for draft in inputs])
        except ShapeError as problem:
            raise NotSaid(problem.message) from None
        found = dict(own or {})
        for name, shape in facts.weights.items():
            value = found.get(name)
            if value is None or value.sizes != shape or not value.key:
                raise NotSaid(f"its {name} is of another shape")
            if not value.trains:
                raise NotSaid(f"its {name} is not trained")
        if "" in facts.buffers and found[""].sizes != facts.buffers[""].shape:
            raise NotSaid("it is of another shape")
        assert self.node is not None
        node = None if self.moving else self.node
        draft = Draft(op, inputs, facts, call or self.node.call, found, node=node, batch=self.tape.batch)
        self.drafts.append(draft)
        return draft

    def is_held(self, value: Value) -> bool:
        """Whether a tensor is a parameter, or a buffer of numbers that the state dict has."""
        kept = value.saved and value.dtype == "float32" and not self.tape.is_file
        return bool(value.key) and (value.trains or kept)

    def parameter(self, leaf: Value, beside: Draft, sizes: Sequence[int] = (), **given: Any) -> Draft:
        """A parameter or a buffer that stands once, whatever reads it, in the module that has it."""
        given |= {} if leaf.trains else {"trained": False}
        op = self.call("parameter", tuple(sizes) or leaf.sizes, **given)
        key = (leaf, op)
        if key not in self.made or self.made[key] in self.replaced:
            assert self.node is not None
            call = self.node.call
            while call.parent is not None and not leaf.key.startswith(f"{call.path}."):
                call = call.parent
            self.made[key] = self.put(op, beside, own={"": leaf}, call=call)
        return self.made[key]

    def is_read_by(self, leaf: Value, node: Node) -> bool:
        """Whether one operator alone reads a parameter, as it is or moved, within the module that has it."""
        if node.call.path and not leaf.key.startswith(f"{node.call.path}."):
            return False
        rest, moving = [leaf], (*MOVES, *_REPEATS)
        while rest:
            readers = self.readers.get(rest.pop(), ())
            if any(one is not node and one.target not in moving for one in readers):
                return False
            rest += [out for one in readers if one.target in moving for out in one.outputs]
        return True

    def call(self, kind: str, *args: Any, **kwargs: Any) -> Op:
        op = OPS[kind](*args, **kwargs)
        parameters = signature(type(op))
        for name, value in (*zip(parameters, args, strict=False), *kwargs.items()):
            if parameters[name].kind.accept(value) is None:
                raise NotSaid(f"its {name} is {value}")
        return op

    def settled(self, held: Held, *, last: bool | None = None) -> Draft:
        """A layer whose output is the tensor as it lies, the channels first or last or as they come."""
        held = self.within_batch(held)
        draft = held.draft
        fits = last is None or len(draft.shape) == 1 or draft.shape.channels_last == last
        if fits and held.is_straight:
            return draft
        key = (draft, held.axes, last)
        made = self.made.get(key)
        if made is None:
            before, self.moving = self.moving, True
            try:
                made = next(iter(self._moves(held, last)), None)
                made = made or self._in_steps(held, last) or self._between(held, last)
                made = made or self._moved(held, last)
            finally:
                self.moving = before
            self.made[key] = made
        return made

    def _in_steps(self, held: Held, last: bool | None) -> Draft | None:
        """The values moved by several ops of the language: the first as far as one of them goes."""
        if not held.moves or moved(held.draft.straight, held.moves) != held.axes:
            return None  # not all that was done to them is a move
        for count in range(len(held.moves) - 1, 0, -1):
            axes = moved(held.draft.straight, held.moves[:count])
            first = next(iter(self._moves(Held(held.draft, axes, held.call), None)), None) if axes else None
            rest = moved(first.straight, held.moves[count:]) if first is not None else None
            if first is not None and rest is not None:
                return self.settled(Held(first, rest, held.call, held.moves[count:]), last=last)
        return None

    def _between(self, held: Held, last: bool | None) -> Draft | None:
        """The values moved by an op of the language, with the channels turned round before it or after it."""
        if len(held.draft.shape) < 2 or not held.axes or held.axes[0] != held.draft.straight[0]:
            return None
        for before, after in ((True, False), (False, True), (True, True)):
            try:
                first = self._turned(held) if before else held
                rest = first.axes[1:]
                if not after:
                    made = next(iter(self._moves(first, last)), None)
                elif len(rest) < 2:
                    made = None
                else:
                    to_last = last is not False
                    rest = (rest[-1], *rest[:-1]) if to_last else (*rest[1:], rest[0])
                    middle = Held(first.draft, (first.axes[0], *rest), held.call)
                    made = next(iter(self._moves(middle, not to_last)), None)
                    if made is not None:
                        kind = "channels_last" if to_last else "channels_first"
                        made = self.put(self.call(kind), made, call=held.call or held.draft.call)
            except NotSaid:
                continue
            if made is not None:
                return made
        return None

    def _turned(self, held: Held) -> Held:
        """The same values, of a layer whose channels stand at the other end."""
        last, rank = held.draft.shape.channels_last, len(held.draft.shape)
        kind = "channels_first" if last else "channels_last"
        made = self.put(self.call(kind), held.draft, call=held.call or held.draft.call)
        places = {0: 0, **{i: (i % rank + 1 if last else (i - 2) % rank + 1) for i in range(1, rank + 1)}}
        axes = tuple(
            tuple(part._replace(axis=places.get(part.axis, part.axis)) for part in axis) for axis in held.axes
        )
        return Held(made, axes, held.call)

    def _moves(self, held: Held, last: bool | None) -> Iterable[Draft]:
        """Ways to move the values with the ops of the language; the first is taken."""
        draft, axes, at = held.draft, held.axes, held.call or held.draft.call
        shape, whole = draft.shape, draft.straight
        rank = len(shape)
        if not axes or axes[0] != whole[0]:
            return
        rest, own = axes[1:], whole[1:]
        if len(rest) == 1 and rest[0] == in_order(own):
            yield self.put(self.call("flatten"), draft, call=at)
        if not shape.channels_last and rank > 1:
            if rest == (*own[1:], own[0]) and last is not False:
                yield self.put(self.call("channels_last"), draft, call=at)
            merged = in_order(own[1:])
            if rest == (merged, own[0]) and rank > 2 and last is not False:
                yield self.put(self.call("tokens"), draft, call=at)
            if rank == 3 and rest == (own[0], own[2], own[1]) and not last:
                yield self.put(self.call("transpose"), draft, call=at)
            if len(rest) == rank and rest[1:] == own[1:] and len(rest[0]) == 2 and not last:
                outer, inner = rest[0]
                if (outer.axis, inner.axis, outer.stride) == (1, 1, 1) and inner.size * inner.stride == shape[
                    0
                ]:
                    yield self.put(
                        self.call("channel_shuffle", inner.size), draft, call=held.call or draft.call
                    )
            if rank == 3 and len(rest) == 3 and rest[2] == own[0] and last is not False:
                size = tuple(part.size for part in rest[1]) or (1, 1)
                if len(size) == 2 and rest[:2] == _windows(shape.spatial, size):
                    yield self.put(self.call("window_partition", _one(size)), draft, call=at)
        if shape.channels_last:
            if rest == (own[-1], *own[:-1]) and not last:
                yield self.put(self.call("channels_first"), draft, call=at)
            merged = in_order(own[:-1])
            if rest == (merged, own[-1]) and rank > 2 and last is not False:
                yield self.put(self.call("tokens"), draft, call=at)
            if rank == 3 and rest == (own[1], own[0], own[2]) and last is not False:
                yield self.put(self.call("transpose"), draft, call=at)
            if rank == 3 and len(rest) == 3 and rest[0] == own[-1] and not last:
                sides = sizes(rest)[1:]
                within = tuple(prod(part.size for part in axis if part.axis == 2) for axis in rest[1:])
                if rest[1:] == _reversed(sides, within):
                    op = self.call("window_reverse", _one(within), _one(sides))
                    yield self.put(op, draft, call=at)
            spatial = in_order(rest[1:])
            is_map = 2 <= len(rest) <= 4 and rest[:1] == (own[-1],)
            if rank == 2 and is_map and spatial == own[0] and not last:
                first = self.put(self.call("channels_first"), draft, call=at)
                yield self.put(self.call("reshape", sizes(rest)), first, call=at)
        elif not last and 1 <= len(rest) <= 4 and in_order(rest) == in_order(own):
            yield self.put(self.call("reshape", sizes(rest)), draft, call=at)

    def _moved(self, held: Held, last: bool | None) -> Draft:
        """The values moved by what has no op of its own."""
        shape = _without_batch(held.axes)
        if shape in ((), (1,)) and tuple(held.draft.shape) == (1,):
            return held.draft  # a number of each sample, with or without an axis of its own
        if last is None:  # as the channels come
            channels = held.draft.shape.channel_axis + 1
            last = any(part.axis == channels for part in (held.axes or ((),))[-1])
        kind = ChannelsLast if last and len(shape) > 1 else Shape
        repeats = any(part.axis == REPEATED for axis in held.axes for part in axis)
        if repeats:
            before = len(self.drafts)
            try:
                return self._repeated(held, bool(last))
            except NotSaid:
                self.forget(before)
        pattern = None if repeats else _pattern(held)
        if pattern is not None:
            given = {} if last or len(shape) == 1 else {"channels": "first"}
            return self.put(
                self.call("rearrange", pattern, **given), held.draft, call=held.call or held.draft.call
            )
        return self.opaque(
            "expand" if repeats else "rearrange",
            kind(shape),
            held.draft,
            macs=0,
            reason=_NO_MOVE,
            call=held.call or held.draft.call,
        )

    def _repeated(self, held: Held, last: bool) -> Draft:
        """The values repeated along axes of positions: each by itself, or all of them in a row."""
        for i, parts in enumerate(held.axes):
            if i and len(parts) > 1 and parts[-1].axis == REPEATED and parts[0].axis != REPEATED:
                apart = (*held.axes[:i], parts[:-1], parts[-1:], *held.axes[i + 1 :])
                made = self.settled(Held(held.draft, apart, held.call), last=False)
                whole = made.straight
                own = (*whole[:i], in_order(whole[i : i + 2]), *whole[i + 2 :])
                return self.settled(Held(made, own, held.call), last=last)
        rank = len(held.axes)
        order = (0, rank - 1, *range(1, rank - 1)) if last else range(rank)
        axes = [held.axes[i] for i in order]
        alone = [i > 1 and [part.axis for part in axis] == [REPEATED] for i, axis in enumerate(axes)]
        times = [axis[0].size if axis and axis[0].axis == REPEATED else 1 for axis in axes]
        rest = tuple(axis[1:] if n > 1 else axis for n, axis in zip(times, axes, strict=True))
        if any(part.axis == REPEATED for axis in rest for part in axis):
            raise NotSaid("each value is repeated by itself")
        if times[0] > 1 or any(n > _TIMES and not one for n, one in zip(times, alone, strict=True)):
            raise NotSaid("the samples are repeated, or what is no single position")
        made = self.settled(Held(held.draft, rest, held.call), last=False)
        at = held.call or held.draft.call
        if len(made.shape) != rank - 1 or (any(alone) and rank > 5):
            raise NotSaid("there are more axes than a map has")
        if any(alone):
            spread = [n if one else size for n, one, size in zip(times, alone, sizes(rest), strict=True)]
            made = self.put(self.call("upsample", size=_one(spread[2:])), made, call=at)
        for axis, (n, one) in enumerate(zip(times, alone, strict=True)):
            if n > 1 and not one:
                name = made.shape.names[axis - 1]
                given = {} if name == "channels" else {"axis": name}
                made = self.put(self.call("concat", **given), *[made] * n, call=at)
        return self.put(self.call("channels_last"), made, call=at) if last and rank > 2 else made

    def opaque(
        self,
        name: str,
        shape: Shape,
        *inputs: Draft,
        macs: int | None,
        pointwise: bool = False,
        own: Mapping[str, Value] | None = None,
        reason: str = "",
        call: Call | None = None,
        once: int = 0,
        base: Op | None = None,
    ) -> Draft:
        """What has no op of its own: its output is known, and its cost where that is."""
        behind = (0, 0) if own is None else self.behind()
        own = dict(own or {})
        path = _common([value.key for value in own.values()])
        own = {value.key.removeprefix(f"{path}.") if path else value.key: value for value in own.values()}
        op = Opaque(
            name,
            shape or Shape((1,)),
            tuple(draft.shape for draft in inputs),
            **_tensors(own),
            macs=None if macs is None or behind is None else macs + sum(behind),
            once=once + (behind[1] if behind is not None else 0),
            pointwise=pointwise,
            base=base,
            reason=reason if reason and behind is not None else self._why(known=behind is not None),
        )
        return self.put(op, *inputs, own=own, call=call)

    def _why(self, *, known: bool) -> str:
        """Why the present operator is opaque."""
        assert self.node is not None
        if not known:
            return "what it reads is computed by operators whose cost is not known"
        return f"archlens has no op for {self.node.target}{self._form(self.node)}"

    # --- the operators --------------------------------------------------------------------------

    def run(self) -> None:
        root = self.tape.root
        self.inputs: dict[Value, Draft] = {}
        for name, value in self.tape.inputs.items():
            kind = ChannelsLast if self._is_last(value) else Shape
            shape = kind(self.shape_of(value)) or Shape((1,))  # a number of each sample
            facts = Facts(shape, {}, {}, 0, {}, (), None)  # type: ignore[arg-type]
            draft = Draft(None, (), facts, root, {}, input=name, batch=self.tape.batch)  # type: ignore[arg-type]
            self.inputs[value] = draft
            self.held[value] = Held(draft, draft.straight[: len(value.sizes)])
        for node in self.nodes:
            if not node.flows:
                continue
            self.node = node
            before = len(self.drafts)
            self.paying.clear()
            try:
                leaf = self.given.get(node.outputs[0]) if node.outputs else None
                found = self._said(node) if leaf is None else [self._repeated_for_each(leaf)]
            except NotSaid as problem:
                self.forget(before)
                self.paying.clear()
                self.reasons[node] = str(problem)
                found = self._unsaid(node, costed=not isinstance(problem, MixesSamples))
            self.paid |= self.paying
            for value, held in zip(node.outputs, found, strict=False):
                if held is not None:
                    if held.call is None and not held.is_straight:
                        held = Held(held.draft, held.axes, node.call)
                    if node in self.settling and not held.is_straight:
                        held = self._settle(held)
                    self.held[value] = held
                    self.holding.setdefault(held.draft, []).append(value)

    def _repeated_for_each(self, leaf: Value) -> Held:
        """A parameter that each sample has."""
        batch = {"batch": True} if leaf.sizes[0] == 1 and len(leaf.sizes) > 2 else {}
        op = self.call("parameter", leaf.sizes[1:] if batch else leaf.sizes, **batch)
        beside = next(iter(self.inputs.values()))
        made = self.made.get((leaf, op)) or self.put(op, beside, own={"": leaf})
        self.made[leaf, op] = made
        return Held(made, made.straight)

    def _is_last(self, value: Value) -> bool:
        """Whether the channels of an input stand last: its first reader takes them so."""
        if len(value.sizes) < 3:
            return False
        last = len(value.sizes) - 1
        first = self._first_reader(value)
        while first is not None and first.target in (*PERMUTES, *VIEWED):
            whole = first.outputs[0].sizes[-1:] == value.sizes[-1:]
            if not whole if first.target in VIEWED else permutation(first)[last] != last:
                return False
            value, last = first.outputs[0], len(first.outputs[0].sizes) - 1
            first = self._first_reader(value)
        if first is not None and first.target == "torch.matmul":
            return first.args["input"] is value and not first.args["other"].flows
        return first is not None and first.target in _LAST and "dim" not in first.args

    def _first_reader(self, value: Value) -> Node | None:
        return next((one for one in self.readers.get(value, ()) if one.flows), None)

    def _settle(self, held: Held) -> Held:
        """A module that does nothing but move values is a layer, where the language has an op for it."""
        before = len(self.drafts)
        try:
            for made in self._moves(held, None):
                return Held(made, made.straight)
        except NotSaid:
            self.forget(before)
        return held

    def forget(self, before: int) -> None:
        """Take back the layers that were drafted for an operator that could not be said."""
        gone = set(self.drafts[before:])
        if gone:
            del self.drafts[before:]
            self.made = {key: draft for key, draft in self.made.items() if draft not in gone}
            self.held = {
                key: one for key, one in self.held.items() if key not in self.later or one.draft not in gone
            }

    def _said(self, node: Node) -> Sequence[Held | None]:
        lowering = self.table.get(node.target)
        before = len(self.drafts)
        if node.module is not None:
            found: Held | Sequence[Held | None] = self._known(node)
        elif lowering is None:
            raise NotSaid("no op")
        else:
            found = lowering(self, node, dict(node.args))
        found = [found] if isinstance(found, Held) else found
        here = [one for one in self.drafts[before:] if one not in self.ran_once]
        macs = sum(draft.facts.macs for draft in here if not isinstance(draft.op, Opaque))
        counted = node.macs is not None and node.module is None and node is not self.checked
        if counted and macs != self.known(node.macs):
            raise NotSaid(f"{macs:,} MACs are said, and {self.known(node.macs):,} ran")
        if self.tape.batch == 1:
            found = [self._as_many(value, held) for value, held in zip(node.outputs, found, strict=False)]
        for value, held in zip(node.outputs, found, strict=False):
            if held is not None and sizes(held.axes) != value.sizes:
                raise NotSaid(f"{sizes(held.axes)} is said, and {value.sizes} came out")
        return found

    @staticmethod
    def _as_many(value: Value, held: Held | None) -> Held | None:
        """What a layer gives of one sample, as the axes of a tensor that has none for the batch."""
        if held is None or sizes(held.axes) != (1, *value.sizes):
            return held
        return Held(held.draft, held.axes[1:], held.call)

    def known(self, count: int | None) -> int:
        """A count of a whole batch for one sample.

        Raises:
            NotSaid: it is not known.
        """
        if count is None:
            raise NotSaid("its cost is not known")
        return self.per_sample(count)

    def alone(self, drafts: Iterable[Draft], reader: Node) -> bool:
        """Whether nothing reads what some layers make but these themselves and one operator."""
        own = set(drafts)
        for value in (value for draft in own for value in self.holding.get(draft, ())):
            others = [one for one in self.readers.get(value, ()) if one is not reader and one.flows]
            made = [self.held.get(out) for one in others for out in one.outputs]
            if value in self.ends or any(held is None or held.draft not in own for held in made):
                return False
        return True

    def is_alone(self, node: Node, bias: str) -> bool:
        """Whether nothing else is done where an operator runs, but that a vector of this key is added."""
        others = [one for one in self.working[node.call] if one is not node]
        return not node.call.children and all(
            one.target == "aten.add" and any(value.key == bias for value in one.inputs) for one in others
        )

    def per_sample(self, count: int) -> int:
        batch = self.tape.batch
        return count // batch if count % batch == 0 else count

    def _known(self, node: Node) -> Sequence[Held | None]:
        op = KNOWN[node.target](node.module)
        flowing = list(dict.fromkeys(value for value in node.inputs if value.flows))
        if op is not None and op.family == "recurrent":
            return self.table[node.target](self, node, dict(node.args))  # type: ignore[return-value]
        if node.target == MULTIHEAD:
            leaves, read = self.left(node), [node.args[name] for name in ("query", "key", "value")]
            alike = {(self.of(one).draft, self.of(one).axes) if one.flows else () for one in read}
            flowing = read[:1] if len(alike) == 1 else read
            if len(alike) > 1 or op is None or leaves is None or leaves.window is not None:
                return [self.table[node.target](self, node, dict(node.args))]  # type: ignore[list-item]
            op = self.call(op.kind, **op.attributes() | leaves.words)
        if op is None:
            raise NotSaid
        if len(flowing) != 1:
            raise NotSaid("it reads several tensors")
        if op.family == "attention":
            return self._attention(node, op, flowing[0])
        held = self.near(flowing[0])
        shape = self.shape_of(node.outputs[0])
        if held.axes and shape == sizes(held.axes)[1:]:
            draft = self.put(op, held.draft)
            return [Held(draft, held.axes)]
        raise NotSaid("its output is of another shape")

    def _attention(self, node: Node, op: Op, value: Value) -> list[Held | None]:
        """Attention of one tensor to itself, all of it or what does not come after a query."""
        held, place = self.attending(node, value)
        draft = self.put(op, self.settled(held, last=True), own=self.below(node.call))
        if node.args.get("attn_mask") is not None:
            self.folded.update(self.own(node).values())
        return [self.attended(node, draft, place)]

    @staticmethod
    def attended(node: Node, draft: Draft, place: int) -> Held:
        """What comes out of a module of attention, as it gives that: rows of tokens may be in its batch."""
        samples, *axes = draft.straight
        rows = len(draft.straight) - len(node.outputs[0].sizes)
        return Held(draft, batch_behind((samples + in_order(axes[:rows]), *axes[rows:]), place), node.call)

    def left(self, node: Node) -> Leaves | None:
        """Which scores a module of attention leaves; ``None`` where no op says that by itself.

        Raises:
            NotSaid: its weights are read, too.
        """
        if any(self.readers.get(one) or one in self.ends for one in node.outputs[1:]):
            raise NotSaid("its weights are read, too")
        if node.args.get("key_padding_mask") is not None:
            return None
        mask = node.args.get("attn_mask")
        if mask is None:
            return Leaves(causal=False)
        said = masked(node)
        return None if mask.flows or said is None else self.leaves(said)

    def attending(self, node: Node, value: Value) -> tuple[Held, int]:
        """What a module of attention is given, the batch first; and behind how many axes that stood."""
        held, place = self.batch_first(self.of(value))
        first = getattr(node.module, "batch_first", True)
        if self.tape.batch == 1 and not (first and self.of(value).axes[0] == () and len(value.sizes) > 2):
            raise NotSaid("its steps come first, and which axis is the batch is not known of one sample")
        if held.draft.straight[0] and place != (0 if first else 1):
            raise MixesSamples(f"it attends over the batch, with batch_first={first}")
        return (held if place else self.near(value)), place

    def below(self, call: Call) -> dict[str, Value]:
        """The tensors of a module that was kept whole, by their names in it."""
        path = f"{call.path}." if call.path else ""
        return {
            key.removeprefix(path): value for key, value in self.tape.state.items() if key.startswith(path)
        }

    def _unsaid(self, node: Node, *, costed: bool = True) -> Sequence[Held | None]:
        """An operator that has no op: what is known of it is its output, its weights, and maybe its cost."""
        name = node.target if node.module is None else type(node.module).__name__
        own = self.own(node) | (self.below(node.call) if node.module is not None else {})
        for key in [key for key in own if key.endswith("running_mean")]:
            self.beside(own, key, key.replace("running_mean", "num_batches_tracked"))
        inputs = self._read(node)
        found = []
        macs = None if node.macs is None or not costed else self.per_sample(node.macs)
        for index, value in enumerate(node.outputs):
            axes, shape = self.plain(value.sizes)
            last = self._stays_last(shape, inputs)
            draft = self.opaque(
                _bare(name),
                ChannelsLast(shape) if last and len(shape) > 1 else Shape(shape),
                *inputs,
                macs=macs if index == 0 else 0,
                own=own if index == 0 else None,
                reason=f"archlens has no op for {name}{self._form(node)}{_said_why(node)}"
                + (", and its shape is what the file says" if node.declared else ""),
            )
            found.append(Held(draft, axes))
        return found

    def _stays_last(self, shape: Sequence[int], inputs: Iterable[Draft]) -> bool:
        """Whether what has no op gives its channels last: it reads them so, and as many."""
        return any(one.shape.channels_last and one.shape[-1] == shape[-1] for one in inputs)

    def plain(self, given: Sequence[int]) -> tuple[Axes, tuple[int, ...]]:
        """A tensor of these sizes as the output of a layer: the batch taken out, wherever it stands."""
        batch, shape = self.tape.batch, []
        axes: list[Axis] = []
        seen = False
        for index, n in enumerate(given):
            if not seen and (n and n % batch == 0 if batch > 1 else not index and n == 1):
                seen = True
                rest, own = n // batch, straight((batch,))[0]
                if rest == 1:
                    axes.append(own)
                else:
                    shape.append(rest)
                    axes.append((*own, Part(len(shape), 1, rest)))
            else:
                shape.append(n)
                axes.append((Part(len(shape), 1, n),) if n != 1 else ())
        if not shape:
            shape = [1]
        return tuple(axes), tuple(shape)

    def _form(self, node: Node) -> str:
        """Which form of an operator it is that archlens has no op for, where it has one for others."""
        why = self.reasons.get(node, "")
        other = node.target in self.table or node.module is not None
        return f" of this form: {why}" if why and other else ""

    def beside(self, own: dict[str, Value], name: str, other: str) -> None:
        """Add a buffer that lies beside one that is read, and that nothing reads at inference."""
        if name in own:
            found = self.tape.state.get(f"{own[name].key.removesuffix(name)}{other}")
            if found is not None:
                own[other] = found

    def own(self, node: Node) -> dict[str, Value]:
        """The weights and buffers that a node reads, itself or by way of what is made of them alone.

        Raises:
            SpecError: the operators read too many together, as where each is given those of all before it.
        """
        found: dict[str, Value] = {}
        for value in node.inputs:
            if not value.flows:
                listed = self.made_of.get(value)
                if listed is None:
                    listed = self.made_of[value] = sources(value, self.made_of)
                self.looked += 1 + len(listed)
                for one in listed:
                    found[one.key] = one
        bounds = Bounds(allowed())
        if self.looked > bounds.steps:
            raise error(bounds.too_many_steps, help=RAISED)
        return found

    def behind(self) -> tuple[int, int] | None:
        """Multiply-accumulates behind what the present node reads and no input flows into.

        A layer is charged for them, the first that reads them: for those of each sample, where a batch of
        them is made, and for those that are made once. ``None`` where they are not known. Products of
        a weight and vectors are none, by which spectral norm finds how far it stretches: the weight could be
        kept as it is made.
        """
        assert self.node is not None
        rest = [value for value in self.node.inputs if not value.flows]
        each = once = 0
        known = True
        while rest:
            made = rest.pop().node
            if made is None or made in self.paid or made in self.paying:
                continue
            self.paying.add(made)
            rest += [one for one in made.inputs if not one.flows]  # of what flows it takes the type alone
            if made.macs is None:
                known = False
            elif made.target in NORMALIZING:
                pass
            elif made.macs % self.tape.batch:
                once += made.macs
            else:
                each += made.macs // self.tape.batch
        return (each, once) if known else None

    @property
    def uncalled(self) -> frozenset[str]:
        """The keys of the weights that nothing read."""
        read = {value for draft in self.drafts for value in draft.own.values()}
        return frozenset(key for key, one in self.tape.state.items() if one.trains and one not in read)

    @property
    def blind(self) -> int:
        """How many opaque layers read buffers whose values are not there, which might have said more."""
        return sum(
            isinstance(draft.op, Opaque)
            and any(not one.trains and one.values is None for one in draft.own.values())
            for draft in self.drafts
        )

    def ran(self) -> tuple[Ran, ...]:
        """What each operator that ran became, those that became the same in one; known after the network."""
        layers = grouped((draft.node, draft) for draft in self.drafts)
        times = Counter(self._became(node, layers) for node in self.tape.nodes)
        times.update(
            (MOVED, draft.op.kind, _NO_MOVE if isinstance(draft.op, Opaque) else "")
            for draft in layers.get(None, [])
            if not draft.own
        )
        return tuple(Ran(*key, count) for key, count in times.items())

    def _became(self, node: Node, layers: Mapping[Node | None, Sequence[Draft]]) -> tuple[str, str, str]:
        drafts = layers.get(self.composed.said.get(node, node), ())
        if not node.flows:
            return node.target, CONSTANT, ""
        if any(isinstance(draft.op, Opaque) for draft in drafts):
            return node.target, OPAQUE, f"no op{self._form(node)}"
        kinds = dict.fromkeys(draft.op.kind for draft in drafts)
        return node.target, ", ".join(kinds) or FOLDED, ""

    # --- the network ----------------------------------------------------------------------------

    def network(self, name: str, origin: Origin | None, heads: Lowering | None = None) -> Network:
        """The network of what has been drafted.

        Args:
            name: what it is called.
            origin: how it is had on other inputs.
            heads: the same module in training mode, where that has layers that inference has not.
        """
        builder = Builder(name, origin=origin)
        before = len(self.drafts)
        ends = self._ends()
        self._stand_within(before)
        self._drop_unread(set(ends.values()))
        self._keep_buffers()
        self._look_up(heads)
        self._stand_once()
        names = self._names()
        again = self._again() | self._applied(names)
        tensors: dict[Draft, Any] = {}
        for value, draft in self.inputs.items():
            tensors[draft] = builder.input(draft.shape, value.input)
        for draft in self.drafts:
            first = again.get(draft)
            self._place(builder, draft, names[draft], tensors, "" if first is None else names[first])
        outputs = {key: tensors[draft] for key, draft in ends.items()}
        if heads is not None:
            outputs |= self._place_heads(
                builder, heads, {name: draft for draft, name in names.items()}, tensors
            )
        self._place_unused(builder, tensors)
        builder.blocks = list(self._blocks(builder, [*self.drafts, *(heads.drafts if heads else [])]))
        own = (value for draft in self.drafts for value in draft.own.values() if value.trains)
        dtypes = {value.key: value.dtype for value in own if value.dtype != "float32"}
        return replace(builder.network(outputs.pop("out"), **outputs), dtypes=dtypes)

    def _stand_once(self) -> None:
        """Let what is made of parameters and constants alone stand once for a batch, where it ran so.

        How often it ran is told by its products: a module may repeat a parameter before it multiplies it.
        """
        made_of: dict[Draft, frozenset[Draft]] = {}
        once: set[Draft] = set()
        each: set[Draft] = set()
        for draft in self.drafts:
            if draft.facts.reach is NOWHERE and "once" in signature(type(draft.op)):
                made_of[draft] = frozenset([draft])
            elif draft.inputs and all(one in made_of for one in draft.inputs):
                made_of[draft] = frozenset().union(*(made_of[one] for one in draft.inputs))
                if draft.facts.macs:
                    (once if self.ran_once.get(draft) == draft.facts.macs else each).update(made_of[draft])
        for draft in once - each:
            draft.op = self.call(draft.op.kind, **draft.op.attributes() | {"once": True})
            draft.facts = draft.op.facts(*[one.shape for one in draft.inputs])

    def _look_up(self, heads: Lowering | None) -> None:
        """Say the inputs that are ids as such: tables of one length are looked up by them.

        What has no op may read them, too, as where a mask is made of those that only fill a row.
        """
        drafts = [*self.drafts, *(heads.drafts if heads is not None else ())]
        for value, draft in self.inputs.items():
            trained = heads.inputs.items() if heads is not None else ()
            same = [draft, *[other for one, other in trained if one.input == value.input]]
            readers = [one for one in drafts if any(read in same for read in one.inputs)]
            others = [one for one in readers if _table(one) is None]
            readers = [one for one in readers if one not in others]
            tables = [_table(one) for one in readers]
            rows = {table.sizes[0] for table in tables if table is not None}
            if len(rows) != 1 or not all(isinstance(one.op, Opaque) for one in others):
                continue
            ids = Ids(draft.shape, rows.pop())
            made = [self.call("embedding", table.sizes[1]) for table in tables if table is not None]
            if any(op.facts(ids).shape != one.shape for op, one in zip(made, readers, strict=True)):
                continue  # its rows lie otherwise
            for one in same:
                one.facts = one.facts._replace(shape=ids)
            for one, op, table in zip(readers, made, tables, strict=True):
                assert table is not None
                one.op, one.facts = op, op.facts(ids)
                one.own = {"weight": table}
            for one in others:
                if isinstance(one.op, Opaque):
                    one.op = one.op.reading(*[read.shape for read in one.inputs])

    @staticmethod
    def _blocks(builder: Builder, drafts: Iterable[Draft]) -> Iterator[tuple[str, str]]:
        """The classes of the scopes, where they are not torch's own."""
        kinds: dict[str, str] = {}
        seen: set[Call] = set()
        for draft in drafts:
            call: Call | None = draft.call
            while call is not None and call not in seen:
                seen.add(call)
                kinds[_path(call)] = call.kind
                call = call.parent
        scopes = dict.fromkeys(scope for layer in builder.layers for scope in scopes_around(layer.name))
        for scope in scopes:
            kind = kinds.get(scope, "torch.")
            if not kind.startswith("torch."):
                yield scope, kind.rpartition(".")[2]

    def _ends(self) -> dict[str, Draft]:
        self.node = next(reversed(self.nodes), None)
        if not self.tape.outputs:  # it stopped part of the way
            return {"out": self.drafts[-1]}
        return {
            key: self.settled(self.batch_first(self.of(value))[0]) for key, value in self.tape.outputs.items()
        }

    def _stand_within(self, before: int) -> None:
        """Let what moves values that come out stand in the call that moved them, which ended before."""
        made, self.drafts = self.drafts[before:], self.drafts[:before]
        for draft in made:
            place = {one: index for index, one in enumerate(self.drafts)}
            last = max((index for one, index in place.items() if one.call is draft.call), default=None)
            read = max((place[one] for one in draft.inputs if one in place), default=-1)
            at = len(self.drafts) if last is None or last < read else last + 1
            self.drafts.insert(at, draft)

    def _again(self) -> dict[Draft, Draft]:
        """The layers of modules with weights that were called before, each with that of the first call."""
        made: dict[Call, list[Draft]] = {}
        first: dict[str, Call] = {}
        chains: dict[Draft, list[Call]] = {}
        for draft in self.drafts:
            call: Call | None = draft.call
            chain = chains[draft] = []
            while call is not None and call.path:
                chain.append(call)
                call = call.parent
            for call in reversed(chain):  # the outermost first
                first.setdefault(call.path, call)
                made.setdefault(call, []).append(draft)
        found: dict[Draft, Draft] = {}
        seen: set[Call] = set()
        for chain in chains.values():
            for call in reversed(chain):
                earlier = first[call.path]
                if call is not earlier and call not in seen:
                    pairs = _alike(made[earlier], made[call])
                    for draft, before in pairs.items():
                        found.setdefault(draft, before)
                seen.add(call)
        return found

    def _applied(self, names: Mapping[Draft, str]) -> dict[Draft, Draft]:
        """The functions that are given all that a layer before them has, and do the same with it."""
        firsts: dict[Any, Draft] = {}
        found: dict[Draft, Draft] = {}
        for draft in self.drafts:
            if draft.own and not isinstance(draft.op, Opaque):
                first = firsts.setdefault((draft.op, *draft.own.items()), draft)
                keys = [_key(names[draft], own) for own in draft.own]
                # a layer with keys of its own may be given the weight of another; more is all of a module
                tied = [key in self.tape.aliases for key in keys]
                if first is not draft and (not any(tied) or (all(tied) and len(tied) > 1)):
                    found[draft] = first
        return found

    def _place(
        self, builder: Builder, draft: Draft, name: str, tensors: dict[Draft, Any], again: str = ""
    ) -> None:
        keys = {}
        for own, value in draft.own.items():
            if value.key not in self.counted and self.tape.aliases.get(_key(name, own)) == value.key:
                self._own(value, _key(name, own))
            if value.key != _key(name, own) or value.key in self.counted:
                keys[own] = value.key
        self.counted.update(value.key for value in draft.own.values())
        read = [tensors[one] for one in draft.inputs]
        tensors[draft] = builder.place(draft.op, *read, name=name, keys=keys, again=again)

    def _own(self, value: Value, key: str) -> None:
        """Let a tensor of several keys have that of the layer that reads it first, and the others beside."""
        aliases = self.tape.aliases
        for other in [alias for alias, one in aliases.items() if one == value.key]:
            aliases[other] = key
        aliases[value.key] = aliases.pop(key)
        self.tape.state = {key if one is value else old: one for old, one in self.tape.state.items()}
        value.key = key

    def _place_heads(
        self, builder: Builder, heads: Lowering, known: Mapping[str, Draft], tensors: dict[Draft, Any]
    ) -> dict[str, Any]:
        """The layers that run in training only; what they read is found by its name."""
        ends = heads._ends()
        heads._drop_unread(set(ends.values()))
        names = heads._names()
        for value, draft in heads.inputs.items():
            tensors[draft] = builder.sources[value.input]
        builder.training = True
        for draft, name in names.items():
            same = known.get(name)
            if same is not None and same.op == draft.op and same.shape == draft.shape:
                tensors[draft] = tensors[same]
        taken = {*known, *names.values()}
        scopes = {scope for name in taken for scope in scopes_around(name)}
        own = {scope for name in known for scope in scopes_around(name)}
        for draft in heads.drafts:
            if draft not in tensors:
                at, _, name = names[draft].rpartition(".")
                while at in known or known.keys() & {*scopes_around(at)}:
                    at = at.rpartition(".")[0]
                name = f"{at}.{name}" if at else name
                if name != names[draft] or name in known or name in own:  # another has it at inference
                    names[draft] = free_name(name, {}, taken, scopes)
                    taken.add(names[draft])
                self._place(builder, draft, names[draft], tensors)
        builder.training = False
        placed = {names[draft]: draft for draft in heads.drafts if names[draft] not in known}
        found: dict[str, Any] = {}
        for key, end in ends.items():
            name = names.get(end, "")
            if name in placed and key != "out":
                # a head has the name of the scope that it is, as its weights have
                scope, _, inner = name.partition(".")
                found[scope if inner and scope not in found else key] = tensors[end]
        return {key: end for name in placed for key, end in found.items() if end.name == name}

    def _unsaid_buffers(self) -> Iterator[tuple[str, Value]]:
        """The buffers of numbers that no layer has, as a mask that attention says, each with its module."""
        held = {value for draft in self.drafts for value in draft.own.values()}
        for key, value in self.tape.state.items():
            if not value.trains and value.saved and value not in held and self.is_held(value):
                yield key.rpartition(".")[0], value

    def _keep_buffers(self) -> None:
        """A layer for each buffer that nothing reads, behind the others of its module: it has the key."""
        unsaid = list(self._unsaid_buffers())
        paths = [_path(one.call) for one in self.drafts] if unsaid else []
        for path, value in unsaid:
            within = [i for i, one in enumerate(paths) if one == path]
            within = within or [i for i, one in enumerate(paths) if not path or one.startswith(f"{path}.")]
            if not within:
                continue
            last = self.drafts[within[-1]]
            scalar = {} if value.sizes else {"scalar": True}
            try:
                op = self.call("parameter", value.sizes or (1,), trained=False, **scalar)
            except NotSaid:
                continue  # a number without an axis, or more axes than an op has
            call = last.call
            while call.parent is not None and call.path != path:
                call = call.parent
            made = Draft(op, (last,), op.facts(last.shape), call, {"": value}, batch=self.tape.batch)
            self.drafts.insert(within[-1] + 1, made)
            paths.insert(within[-1] + 1, _path(call))

    def _place_unused(self, builder: Builder, tensors: Mapping[Draft, Any]) -> None:
        """The tensors of modules that nothing called, each at its place."""
        x = next(one for one in tensors.values() if not isinstance(one.shape, Ids))
        used = {
            layer.key(name)
            for layer in builder.layers
            for name in (*layer.facts.weights, *layer.facts.buffers)
        }
        # constants of a file that a composition or an argument says are no weights
        said = {value.key for node in self.composed.within for value in node.inputs if value.numbers}
        said |= {value.key for value in self.folded if value.triangle or value.numbers}
        unused: dict[str, dict[str, Value]] = {}
        counts: dict[str, int] = {}
        for key, value in self.tape.state.items():
            if value.saved and key not in used and key not in said:
                path, _, name = key.rpartition(".")
                unused.setdefault(path, {})[name] = value
        names = {*builder.inputs, *(layer.name for layer in builder.layers)}
        scopes = {scope for name in names for scope in scopes_around(name)}
        for path, own in unused.items():
            op = Opaque(
                "unused",
                Shape((1,)),
                (x.shape,),
                **_tensors(own),
                macs=0,
                **_why_unused(path, own),
            )
            name, keys = path, {}
            if not path or path in names or path in scopes or names.intersection(scopes_around(path)):
                at = path
                while at in names or names.intersection(scopes_around(at)):
                    at = at.rpartition(".")[0]
                name = free_name(f"{at}.unused" if at else "unused", counts, names)
                keys = {own: f"{path}.{own}" if path else own for own in own}
            names.add(name)
            scopes.update(scopes_around(name))
            builder.place(op, x, name=name, keys=keys)

    def _drop_unread(self, ends: set[Draft]) -> None:
        """Forget what only moves values, and nobody reads."""
        read = set(ends)
        kept = []
        for draft in reversed(self.drafts):
            if draft in self.replaced:
                continue
            moves = draft.node is None or draft.op.family in ("reshape", "opaque")
            if draft in read or not moves or draft.own or draft.facts.macs:
                read.update(draft.inputs)
                kept.append(draft)
        self.drafts = kept[::-1]
        there = {*kept, *self.inputs.values()}
        for draft in self.drafts:
            if draft.facts.reach is NOWHERE:  # of what it stands beside it reads the number of samples alone
                (beside,) = draft.inputs
                while beside not in there:
                    beside = beside.inputs[0]
                draft.inputs = (beside,)

    def _names(self) -> dict[Draft, str]:
        """Where each layer stands: at its module's path, or within it."""
        count: dict[Call, int] = {}
        for draft in self.drafts:
            count[draft.call] = count.get(draft.call, 0) + 1
        taken = {draft.input for draft in self.inputs.values()}
        owned: list[tuple[Draft, str]] = []
        alone = {draft for draft in self.drafts if count[draft.call] == 1 and not draft.call.children}
        also = grouped((key, alias) for alias, key in self.tape.aliases.items())
        owners = {
            draft: _owner_of(draft, also) if draft in alone or _is_module(draft) else ""
            for draft in self.drafts
        }
        within = {scope for name in owners.values() for scope in scopes_around(name)}
        # where a function does something else with what a module has, that has the name which runs in it
        called = {name: draft for draft, name in owners.items() if name == draft.call.path}
        for draft, name in owners.items():
            does_else = type(called.get(name, draft).op) is not type(draft.op)
            if name and name not in taken and name not in within and not does_else:
                owned.append((draft, name))
                taken.add(name)
        found: dict[Draft, str] = dict(owned)
        counts: dict[str, int] = {}
        scopes = {scope for name in taken for scope in scopes_around(name)}
        for draft in self.drafts:
            if draft in found:
                continue
            kind = draft.op.kind if not isinstance(draft.op, Opaque) else str(draft.op)
            path = _path(draft.call)
            name = path if draft in alone else ""
            if name and name in taken and name not in scopes:
                name = free_name(name, counts, taken, scopes)  # its module had been called before
            if taken.intersection(scopes_around(name)):
                name = ""
            while not name or name in taken or name in scopes:
                # beside what has the name already, as a layer cannot be a scope, too
                while path in taken or taken.intersection(scopes_around(path)):
                    path = path.rpartition(".")[0]
                name = free_name(f"{path}.{kind}" if path else kind, counts, taken, scopes)
            taken.add(name)
            found[draft] = name
            scopes.update(scopes_around(name))
        return found


def _table(draft: Draft) -> Value | None:
    """The weight whose rows a layer looks up, and does no more."""
    node, own = draft.node, list(draft.own.values())
    if not isinstance(draft.op, Opaque) or node is None or node.target != "aten.embedding":
        return None
    table = node.args["weight"]
    return table if own == [table] and table.trains and len(draft.inputs) == 1 else None


def _why_unused(path: str, own: Mapping[str, Value]) -> dict[str, Any]:
    """Why tensors stand beside the layers, and how a module is had without those that are constants."""
    keys = [f"{path}.{name}" if path else name for name in own]
    more = f" and {len(keys) - 1} more" if keys[1:] else ""
    why = {"reason": f"no op holds the tensor {keys[0]}{more}"}
    if not any(value.trains for value in own.values()):
        why["help"] = "register it with persistent=False, so that it is not in the state dict"
    return why


def _tensors(own: Mapping[str, Value]) -> dict[str, Any]:
    """The tensors of a layer by their names, as its op is given them: the trained ones, and the others."""
    return {
        "weights": {name: value.sizes for name, value in own.items() if value.trains},
        "buffers": {
            name: Buffer(value.sizes, value.dtype, value.saved)
            for name, value in own.items()
            if not value.trains
        },
    }


def _common(keys: Sequence[str]) -> str:
    """The longest scope that all keys stand in.

    >>> _common(["a.b.weight", "a.b.c.weight"])
    'a.b'
    """
    shared = (
        [scope for scope in scopes_around(keys[0]) if all(scope in scopes_around(key) for key in keys)]
        if keys
        else []
    )
    return shared[-1] if shared else ""


def _alike(firsts: Sequence[Draft], drafts: Sequence[Draft]) -> dict[Draft, Draft]:
    """The layers of two calls of a module, side by side; empty where they differ, or have no weights."""
    if len(firsts) != len(drafts) or not any(draft.own for draft in drafts):
        return {}
    for first, draft in zip(firsts, drafts, strict=True):
        if type(first.op) is not type(draft.op) or first.own != draft.own:
            return {}
        if draft.own and first.op != draft.op:
            return {}
    return dict(zip(drafts, firsts, strict=True))


def _owner_of(draft: Draft, also: Mapping[str, Sequence[str]]) -> str:
    """The one that has all tensors of a layer, where it stands in the module that runs; else empty.

    What reads the tensors of a part beside others' stands where it runs, and not in the place of the part.

    Args:
        draft: the layer.
        also: the further keys of what has several, by the first.
    """
    if not _is_module(draft) and draft.op.base is not None:  # type: ignore[attr-defined]
        return ""
    within = f"{draft.call.path}." if draft.call.path else ""
    owners = set()
    for name, value in draft.own.items():
        keys = (value.key, *also.get(value.key, ()))
        owners.add(_owner(name, next((key for key in keys if key.startswith(within)), "")))
    owner = next(iter(owners)) if len(owners) == 1 else ""
    return owner if f"{owner}.".startswith(within) else ""


def _is_module(draft: Draft) -> bool:
    """Whether it is what a module is, an op or at least all that a call of one does."""
    return not isinstance(draft.op, Opaque) or (draft.node is not None and draft.node.module is not None)


def _key(name: str, own: str) -> str:
    """The key of a tensor of a layer, by its own name for it."""
    return f"{name}.{own}" if own else name


def _owner(name: str, key: str) -> str:
    """The layer that has a tensor of that name under this key; empty where none does."""
    return key if not name else key.removesuffix(f".{name}") if key.endswith(f".{name}") else ""


def _one(values: Sequence[int]) -> Any:
    """A single number where all are alike."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _windows(sides: Sequence[int], size: Sequence[int]) -> Axes:
    """The axes of the windows of a map, and of the positions within one, as parts of its axes 2 and 3."""
    apart = [(Part(i, p, n // p), Part(i, 1, p)) for i, n, p in zip((2, 3), sides, size, strict=True)]
    return joined(pair[0] for pair in apart), joined(pair[1] for pair in apart)


def _reversed(sides: Sequence[int], size: Sequence[int]) -> Axes:
    """The sides of a map as parts of rows of windows: axis 1 counts them, axis 2 the positions within one."""
    (height, width), (p, q) = sides, size
    return (
        joined((Part(1, width // q, height // p), Part(2, q, p))),
        joined((Part(1, 1, width // q), Part(2, 1, q))),
    )


def _said_why(node: Node) -> str:
    """What an operator computes otherwise than others of its name, where what wrote it down says that."""
    why = node.args.get("why")
    return f" of this form: {why}" if why else ""


def is_zeros(value: Value) -> bool:
    """Whether a tensor holds nothing but zeros, as the states do that most recurrent layers start from."""
    while value.node is not None and value.node.target in MOVES:
        value = value.node.inputs[0]
    if value.node is not None or value.values is None:
        return value.node is not None and value.node.target in _ZEROS
    tensor, version = value.values
    same = tensor._version == version and not tensor.is_meta and not value.key
    return same and not tensor.any()


def samples_first(held: Held) -> Held:
    """The same, where its first axis is the batch and nothing else.

    Raises:
        NotSaid: it is not.
    """
    if not held.axes or held.axes[0] != held.draft.straight[0]:
        raise NotSaid("the first axis is not the batch alone")
    return held


def in_frames(held: Held) -> Held:
    """What stands beside the batch in its axis, as windows do, as an axis behind the channels.

    Raises:
        NotSaid: the first axis holds no samples, or nothing else.
    """
    own, batch = held.draft.straight[0], held.axes[0] if len(held.axes) > 1 else ()
    if not own or own[0] not in batch or batch == own:
        raise NotSaid("the first axis is not the batch alone")
    place = batch.index(own[0])
    beside = joined((*batch[:place], *batch[place + 1 :]))
    return Held(held.draft, (own, held.axes[1], beside, *held.axes[2:]), held.call)


def is_framed(held: Held) -> bool:
    """Whether it is a row of frames that stand beside the batch, the channels first."""
    try:
        return not held.draft.shape.channels_last and in_frames(held).is_straight
    except NotSaid:
        return False


def as_batch(made: Held, held: Held) -> Held:
    """The frames of what was made of such a map beside the batch again, as they were."""
    batch, own = held.axes[0], held.draft.straight[0]
    place = batch.index(own[0])
    samples, channels, frames, *rest = made.axes
    outer, inner = (prod(part.size for part in parts) for parts in (batch[:place], batch[place + 1 :]))
    apart = viewed((frames,), (outer, inner))
    if apart is None:
        raise NotSaid("the axes cannot be told apart")
    return Held(made.draft, (joined((*apart[0], *samples, *apart[1])), channels, *rest), made.call)


def batch_behind(axes: Axes, place: int) -> Axes:
    """Axes with the first one, that of the batch, behind so many of the others."""
    samples, *rest = axes
    return (*rest[:place], samples, *rest[place:])


def permutation(node: Node) -> list[int]:
    """The order in which an operator puts the axes of what it reads."""
    rank = len(node.inputs[0].sizes)
    if "dims" in node.args:
        return [dim % rank for dim in node.args["dims"]]
    order = list(range(rank))
    if rank:
        a, b = node.args.get("dim0", 0) % rank, node.args.get("dim1", 1) % rank
        order[a], order[b] = b, a
    return order


def _path(call: Call) -> str:
    """The path of a call; a module that stands elsewhere has its own path within that of who calls it."""
    chain = []
    at: Call | None = call
    while at is not None and at.path:
        chain.append(at)
        at = at.parent
    text, before = "", ""
    for one in reversed(chain):
        inner = one.path.removeprefix(f"{before}.") if before else one.path
        text = f"{text}.{inner}" if text else inner
        before = one.path
    return text


def unviewed(value: Value) -> Value:
    """What is only viewed as another shape."""
    while value.node is not None and value.node.target in VIEWED:
        value = value.node.inputs[0]
    return value


def sources(value: Value, known: Mapping[Value, Sequence[Value]] = MappingProxyType({})) -> list[Value]:
    """The parameters and buffers that a tensor was made of.

    Args:
        value: the tensor.
        known: those that some tensors on the way were made of.
    """
    found: list[Value] = []
    rest, seen = [value], set()
    while rest:
        one = rest.pop()
        if one in seen:
            continue
        seen.add(one)
        if one in known:
            rest += reversed(known[one])
        elif one.key:
            found.append(one)
        elif one.node is not None:
            rest += [each for each in one.node.inputs if not each.flows]
    return found


def _without_batch(axes: Axes) -> tuple[int, ...]:
    """The sizes of axes without the batch; what stands beside it in its axis is an axis of its own."""
    found = []
    for axis in axes:
        if any(part.axis == 0 for part in axis):
            rest = prod(part.size for part in axis if part.axis != 0)
            found += [rest] if rest != 1 else []
        else:
            found.append(prod(part.size for part in axis))
    return tuple(found) or (1,)


def _pattern(held: Held) -> str | None:
    """The pattern of a rearrangement that moves values so; every part of an axis has its size in it."""
    batch = held.axes[0] if held.axes else ()
    samples = held.draft.straight[0]
    if not held.axes or batch[: len(samples)] != samples:
        return None
    rest = batch[len(samples) :]
    beside = (rest,) if prod(part.size for part in rest) != 1 else ()
    right = (*beside, *held.axes[1:])
    parts: dict[int, list[Part]] = {i: [] for i in range(1, len(held.draft.shape) + 1)}
    for part in (part for axis in right for part in axis):
        if part.axis not in parts:
            return None
        parts[part.axis].append(part)
    names: dict[Part, str] = {}
    left = []
    letters = [name[0] if " " not in name else f"x{name[-1]}" for name in held.draft.shape.names]
    for (axis, found), letter in zip(parts.items(), letters, strict=True):
        found.sort(key=lambda part: -part.stride)
        if joined(found) != held.draft.straight[axis] or len(set(found)) < len(found):
            return None
        several = len(found) > 1
        for number, part in enumerate(found, 1):
            names[part] = f"{letter}{number}" if several else letter
        words = [f"{names[part]}={part.size}" if several else names[part] for part in found]
        left.append(f"({' '.join(words)})" if several else words[0] if words else "1")
    after = [[names[part] for part in axis] for axis in right]
    texts = [f"({' '.join(words)})" if len(words) > 1 else words[0] if words else "1" for words in after]
    return f"{' '.join(left)} -> {' '.join(texts) or '1'}"


def _bare(target: str) -> str:
    """The name of an operator without where it is from."""
    return target.rpartition(".")[2]
