"""Layers that read step by step: what they start from, and which of what they give is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..arrangement import Axes, in_order, sizes, viewed
from ..ops import Op, ShapeError
from ..shape import ChannelsLast
from .algebra import SAME
from .learned import computed
from .lowering import Draft, Held, Lowering, NotSaid, is_zeros, sources
from .tape import Node, Value

#: How the axes of the steps lie in what a layer gives.
_Lie = Callable[[Axes], Axes]

#: What gives the same values for every sample.
_EXPANDS = ("aten.expand", "aten.repeat")


def recurrent(
    lowering: Lowering, node: Node, op: Op, read: Value, own: Mapping[str, Value], *, batch_first: bool
) -> list[Held | None]:
    """A layer that reads step by step: its steps, or its last states if they alone are read.

    Args:
        lowering: where it is placed.
        node: where it runs.
        op: what it is.
        read: the sequence.
        own: its weights.
        batch_first: whether the samples come before the steps.

    Raises:
        NotSaid: the samples do not stand where it takes them to be.
    """
    held, turned = lowering.of(read), not batch_first

    def turn(axes: Axes) -> Axes:
        return (axes[1], axes[0], *axes[2:]) if turned else axes

    def steps(whole: Axes) -> Axes:
        return turn((in_order(whole[:-2]), *whole[-2:]))

    def ends(whole: Axes) -> Axes:
        return whole[-2], in_order(whole[:-2]), whole[-1]

    axes, samples = turn(held.axes) if len(held.axes) == 3 else (), held.draft.straight[0]
    if not axes or axes[0][: len(samples)] != samples or (axes[0] and not samples):
        raise NotSaid("its first axis is not the batch")
    rows = axes[0][1:]  # which stand in the batch
    apart = (samples, rows, *axes[1:]) if rows else axes
    draft = lowering.settled(Held(held.draft, apart, held.call), last=True)
    rest = [one for one in node.inputs if one is not read and one not in own.values()]
    starts = [one for one in rest if not is_zeros(one)]
    needed = [bool(lowering.readers.get(value)) or value in lowering.ends for value in node.outputs]
    reads: tuple[Draft, ...] = (draft,)
    if starts:
        before, started = len(lowering.drafts), lowering.call(op.kind, **op.attributes() | {"initial": True})
        try:
            reads = (draft, _initial(lowering, op, draft, starts))
            started.facts(*(one.shape for one in reads))
        except (NotSaid, ShapeError):
            lowering.forget(before)
            return _opaque(lowering, node, op, draft, starts, needed, steps)
        op = started
    at_end = lowering.call(op.kind, **op.attributes() | {"output": "state"})
    if not needed[0] and needed[1] and not any(needed[2:]):
        made = lowering.put(at_end, *reads, own=own)
        return [None, Held(made, ends(made.straight))]
    several = any(needed[2:]) or (needed[1] and node.outputs[1].sizes[0] > 1)
    if several and not op.attributes().get("projection"):
        both = lowering.call(op.kind, **op.attributes() | {"output": "both"})
        return _with_ends(lowering, node, lowering.put(both, *reads, own=own), needed, steps)
    made = lowering.put(op, *reads, own=own)
    return _beside(lowering, node, made, at_end, needed, steps)


def _beside(
    lowering: Lowering, node: Node, made: Draft, at_end: Op, needed: Sequence[bool], steps: _Lie
) -> list[Held | None]:
    """The steps, and states that no rows behind them are."""
    found: list[Held | None] = [Held(made, steps(made.straight))]
    for index, value in enumerate(node.outputs[1:], 1):
        if not needed[index]:
            found.append(None)
        elif index == 1 and value.sizes[0] == 1:  # that of its one layer is what it gave last
            last = lowering.put(lowering.call("slice", -1, axis=made.shape.axes[-1]), made)
            whole = last.straight
            found.append(Held(last, (whole[-2], in_order(whole[:-2]), whole[-1])))
        else:
            at, shape = lowering.plain(value.sizes)
            name = at_end.kind.upper()
            reason = f"archlens does not say the states that {name} ends with beside what it gives"
            said = lowering.opaque(name, ChannelsLast(shape), made, macs=0, reason=reason, base=at_end)
            found.append(Held(said, at))
    return found


def _with_ends(
    lowering: Lowering, node: Node, made: Draft, needed: Sequence[bool], steps: _Lie
) -> list[Held | None]:
    """The steps, and each state that a layer ends with, which are parts of what it gives."""
    axis, said = made.shape.axes[-1], made.op.attributes()
    layers, ways = said["layers"], 2 if said["bidirectional"] else 1
    rows = layers * len(node.outputs[1:])
    count = made.shape.spatial[-1] - rows
    found: list[Held | None] = []
    for index in range(len(node.outputs)):
        start = count + (index - 1) * layers if index else 0
        stop = start + layers if index else count
        if not needed[index]:
            found.append(None)
            continue
        given = {"start": start} if start else {}
        given |= {"stop": stop} if stop < count + rows else {}
        part = lowering.put(lowering.call("slice", **given, axis=axis), made)
        if not index:
            found.append(Held(part, steps(part.straight)))
            continue
        whole = part.straight
        split = viewed(whole, (*sizes(whole[:-1]), ways, part.shape.channels // ways))
        assert split is not None
        found.append(Held(part, (in_order((split[-3], split[-2])), in_order(split[:-3]), split[-1])))
    return found


# --- what they start from -------------------------------------------------------------------------------


def _initial(lowering: Lowering, op: Op, draft: Draft, starts: Sequence[Value]) -> Draft:
    """The states that a layer starts from as one tensor: a row for each layer, of an LSTM those of c behind.

    Raises:
        NotSaid: one of two is missing, or the samples stand elsewhere in them.
    """
    if len(starts) != len(op.states):  # type: ignore[attr-defined]
        raise NotSaid("one of its states is zeros")
    made = [_rows(lowering, op, draft, one) for one in starts]
    if len(made) == 1:
        return made[0]
    axis = made[0].shape.axes[-1]
    parts = [(one.op.attributes(), one.inputs) for one in made if one.op.kind == "slice"]
    if len(parts) == len(made):
        (first, source), (second, other) = parts
        if source == other and first["axis"] == second["axis"] == axis and first["stop"] == second["start"]:
            both = lowering.call("slice", **first | {"stop": second["stop"]})
            return lowering.put(both, *source)
    return lowering.put(lowering.call("concat", axis), *made)


def _rows(lowering: Lowering, op: Op, draft: Draft, value: Value) -> Draft:
    """One state of all layers and directions: a row for each layer, with its directions side by side."""
    said = op.attributes()
    layers, ways = said["layers"], 2 if said["bidirectional"] else 1
    if value.flows:
        held = lowering.of(value)
        axes, samples = held.axes, held.draft.straight[0]
        if len(axes) != 3 or not samples or axes[1][: len(samples)] != samples:
            raise NotSaid("its states have their samples elsewhere")
        batch: Axes = (samples, axes[1][len(samples) :]) if axes[1] != samples else (samples,)
    else:
        while value.node is not None and value.node.target in (*_EXPANDS, *SAME):
            (source,) = value.node.inputs
            if value.node.target in _EXPANDS and source.sizes != (value.sizes[0], 1, *value.sizes[2:]):
                raise NotSaid("its states are repeated otherwise than for each sample")
            value = source
        if not any(one.trains for one in sources(value)) or len(value.sizes) != 3 or value.sizes[1] != 1:
            raise NotSaid("its states are no parameters")
        held = computed(lowering, value, draft)
        axes, batch = held.axes, (held.draft.straight[0],)
    split = viewed((axes[0],), (layers, ways))
    if split is None:
        raise NotSaid("the states of layers and directions cannot be told apart")
    rows = (*batch, split[0], in_order((split[1], axes[2])))
    return lowering.settled(Held(held.draft, rows, held.call), last=True)


def _opaque(
    lowering: Lowering,
    node: Node,
    op: Op,
    draft: Draft,
    starts: Sequence[Value],
    needed: Sequence[bool],
    steps: _Lie,
) -> list[Held | None]:
    """A layer whose states no rows are: all is known of it but what it does."""
    plain = lowering.call(op.kind, **op.attributes() | {"initial": None})
    try:
        facts = plain.facts(draft.shape)
    except ShapeError as problem:
        raise NotSaid(problem.message) from None
    if node.macs is not None and facts.macs != lowering.per_sample(node.macs):
        raise NotSaid(f"{facts.macs:,} MACs are said, and {lowering.per_sample(node.macs):,} ran")
    lowering.checked = node
    given = [lowering.settled(lowering.batch_first(lowering.of(one))[0]) for one in starts if one.flows]
    own = lowering.own(node) | (lowering.below(node.call) if node.module is not None else {})
    name = op.kind.upper()
    reason = f"archlens has no op for {name} of this form: it starts from given states"
    inputs = dict.fromkeys((draft, *given))
    made = lowering.opaque(name, facts.shape, *inputs, macs=facts.macs, own=own, reason=reason, base=plain)
    at_end = lowering.call(op.kind, **plain.attributes() | {"output": "state"})
    return _beside(lowering, node, made, at_end, needed, steps)
