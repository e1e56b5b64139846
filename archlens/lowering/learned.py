"""Products by what is learned, whose axes may be moved, as ``einsum`` multiplies by a weight of heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..arrangement import REPEATED, Axis, Part, in_order, joined, permuted, sizes, viewed
from ..ops.opaque import Opaque
from .algebra import SAME
from .lowering import PERMUTES, VIEWED, Draft, Held, Lowering, NotSaid, permutation, sources
from .parts import part_of
from .tape import TAKES, Node, Table, Value, taken


def by_learned(lowering: Lowering, node: Node, left: Value, right: Value) -> Held:
    """A product of what flows and a parameter, as two matrices for each of the axes that both have.

    Raises:
        NotSaid: what is learned is more than moved, or an axis holds samples that it has an axis for.
    """
    a = lowering.of(left)
    b = computed(lowering, right, a.draft)
    samples, rank = a.draft.straight[0], max(len(left.sizes), len(right.sizes))
    if len(left.sizes) != rank or rank < 2:
        raise NotSaid("what is learned has more axes")
    lead = ((),) * (rank - len(b.axes)) + b.axes[:-2]
    shared = [i for i, axis in enumerate(lead) if any(part.axis != REPEATED for part in axis)]
    if any(part.axis == REPEATED for i in shared for part in lead[i]):
        raise NotSaid("what is learned is repeated along part of an axis")
    rows = [axis for i, axis in enumerate(a.axes[:-1]) if i not in shared]
    row = in_order(rows)
    if row[: len(samples)] != samples:
        raise NotSaid("the samples do not come first")
    inner = [a.axes[i] for i in shared]
    one = Held(a.draft, (samples, *inner, row[len(samples) :], a.axes[-1]), a.call)
    other = Held(b.draft, (b.draft.straight[0], *(lead[i] for i in shared), *b.axes[-2:]), node.call)
    made = lowering.put(
        lowering.call("matmul"), lowering.settled(one, last=True), lowering.settled(other, last=True)
    )
    own, *axes = made.straight
    found = viewed((own + axes[len(shared)],), [n for i, n in enumerate(left.sizes[:-1]) if i not in shared])
    if found is None:
        raise NotSaid("the axes cannot be told apart")
    rest, both = iter(found), iter(axes)
    lies = [next(both) if i in shared else next(rest) for i in range(rank - 1)]
    return Held(made, (*lies, axes[-1]), node.call)


def computed(lowering: Lowering, value: Value, beside: Draft) -> Held:
    """What is computed of parameters and constants alone, as layers that read the number of samples.

    What is read several times on the way to it is computed once.

    Raises:
        NotSaid: by an operator that is none of these.
    """
    known = lowering.computed
    if known is None:
        lowering.computed = {}
        try:
            return computed(lowering, value, beside)
        finally:
            lowering.computed = None
    if value not in known:
        known[value] = _computed(lowering, value, beside)
    return known[value]


def _computed(lowering: Lowering, value: Value, beside: Draft) -> Held:
    node = value.node
    if value.key and value.trains:
        draft = lowering.parameter(value, beside)
        return Held(draft, draft.straight[1:])
    if node is None or value.key or not any(one.trains for one in sources(value)):
        table = lowering.table_of(value)
        if table is not None:
            lowering.folded.update(one for one in sources(value) if not one.trains)
            return _made_of_nothing(lowering, table, value, beside)
        if lowering.is_held(value):
            draft = lowering.parameter(value, beside)
            return Held(draft, draft.straight[1:])
        if node is None or value.key or not any(map(lowering.is_held, sources(value))):
            raise NotSaid("it reads a constant that is in no state dict")
    if node.target == "aten.cat":
        return _joined(lowering, node, beside)
    if node.target in _ROWS:
        return _rows(lowering, value, beside)
    if node.target.removeprefix("aten.") in _OF_TWO and len(node.inputs) == 2:
        return _merged(lowering, node, value, beside)
    held = computed(lowering, node.inputs[0], beside)
    if node.target == "torch.linear" and all(one.key and one.trains for one in node.inputs[1:]):
        bias = node.args.get("bias")
        own = {"weight": node.args["weight"], **({} if bias is None else {"bias": bias})}
        op = lowering.call("linear", own["weight"].sizes[0], **({"bias": False} if bias is None else {}))
        draft, axes = held.draft, held.axes
        if not draft.shape.channels_last or axes[-1] != draft.straight[-1]:
            draft = settled(lowering, held)
            axes = viewed(draft.straight[1:], node.inputs[0].sizes) or ()
        if not axes:
            raise NotSaid("the axes cannot be told apart")
        made = lowering.put(op, draft, own=own, call=node.call)
        lowering.ran_once[made] = node.macs
        return Held(made, (*axes[:-1], made.straight[-1]))
    if node.target in _LAYERS:
        return _of_map(lowering, node, held)
    if node.target in OF_EACH and len(node.inputs) == 1:
        return Held(applied(lowering, node, held.draft, value), held.axes)
    return held if node.target == "torch.dropout" else _step(lowering, node, value, held)


def _made_of_nothing(lowering: Lowering, table: Table, value: Value, beside: Draft) -> Held:
    """A constant as the ops that make it, which read the number of samples alone."""
    draft = beside
    for kind, given in table.ops:
        lies = (given.get("size"), given.get("width"), True) if kind == "sinusoidal_positions" else None
        own = (draft.shape.spatial, draft.shape.channels, draft.shape.channels_last == table.last)
        rest = {name: one for name, one in given.items() if name not in ("size", "width")}
        draft = lowering.put(lowering.call(kind, **(rest if lies == own else given)), draft)
    samples, *axes = draft.straight
    if len(axes) > 1 and draft.shape.channels_last != table.last:
        axes = [*axes[1:], axes[0]] if table.last else [axes[-1], *axes[:-1]]
    of_each = value.sizes[:1] == (lowering.tape.batch,)
    found = viewed(tuple(axes), value.sizes[1:] if of_each else value.sizes)
    if found is None:
        raise NotSaid("the axes cannot be told apart")
    return Held(draft, (samples, *found) if of_each else found)


#: Layers with weights that may read what is computed of parameters and constants alone, a map of one sample.
_LAYERS = ("aten.convolution", "torch.interpolate")


def _of_map(lowering: Lowering, node: Node, held: Held) -> Held:
    """What such a layer gives of a map that was there before any input."""
    one, leaf = held.axes[0], node.inputs[0]
    samples = held.draft.straight[0]
    if one not in ((), samples) or any(value.flows for value in node.inputs):
        raise NotSaid("it reads what was computed without the input")
    given = Value((lowering.tape.batch, *leaf.sizes[1:]), leaf.dtype, input=leaf.key or "made")
    lowering.held[given] = Held(held.draft, (samples, *held.axes[1:]), node.call)
    args = {name: given if value is leaf else value for name, value in node.args.items()}
    outputs = tuple(Value((lowering.tape.batch, *out.sizes[1:]), out.dtype) for out in node.outputs)
    again = replace(node, args=args, inputs=(given, *node.inputs[1:]), outputs=outputs, flows=True)
    before, lowering.node = lowering.node, again
    try:
        made = lowering.table[node.target](lowering, again, args)
    finally:
        lowering.node = before
    if not isinstance(made, Held) or isinstance(made.draft.op, Opaque):
        raise NotSaid("it reads what was computed without the input")
    lowering.ran_once[made.draft] = node.macs
    return Held(made.draft, (one, *made.axes[1:]), node.call)


#: What takes rows of a table.
_ROWS = ("aten.index", "aten.index_select", "aten.embedding")


def of_pairs(lowering: Lowering, value: Value, beside: Draft, *, last: bool = False) -> Draft | None:
    """The rows of a learned table for queries and keys, which come first; ``None`` for others.

    Args:
        lowering: where the layers are placed.
        value: what has them, its channels or heads before queries and keys.
        beside: what says the number of samples.
        last: whether the channels stand behind.
    """
    pairs = lowering.pairs_of(value, last)
    if pairs is None:
        return None
    if pairs.table.key:
        table = lowering.put(lowering.call("parameter", pairs.table.sizes), beside, own={"": pairs.table})
    else:
        table = settled(lowering, computed(lowering, pairs.table, beside))
    if pairs.is_turned:
        table = lowering.put(lowering.call("rearrange", "h l -> l h"), table)
    op, index = lowering.call(pairs.kind, **pairs.attributes), pairs.kept
    if index is not None and (index, "index") in lowering.made:
        return None  # another layer has it
    made = lowering.put(op, table, own={} if index is None else {"": index})
    if index is not None:
        lowering.made[index, "index"] = made
    return made


def _rows(lowering: Lowering, value: Value, beside: Draft) -> Held:
    """The same where it is computed with."""
    for last in (False, True):
        draft = of_pairs(lowering, value, beside, last=last)
        if draft is not None:
            lowering.folded.update(one for one in sources(value) if not one.trains)
            made = draft if last else lowering.put(lowering.call("rearrange", "q k h -> h q k"), draft)
            return Held(made, made.straight[1:])
    raise NotSaid("it takes rows of a table in another order")


#: What makes one tensor of two, value by value.
_OF_TWO = {"add": "add", "mul": "multiply", "sub": "subtract", "div": "divide"}


def _merged(lowering: Lowering, node: Node, value: Value, beside: Draft) -> Held:
    """Two tensors that are computed of parameters and constants alone, put together value by value."""
    if node.args.get("alpha", 1) != 1 or node.args.get("rounding_mode") is not None:
        raise NotSaid("it reads what was computed without the input")
    held = [computed(lowering, node.args[name], beside) for name in ("self", "other")]
    rank = len(value.sizes)
    spread = [((),) * (rank - len(one.axes)) + one.axes for one in held]
    lead = 0
    while lead < rank - 1 and not any(axes[lead] for axes in spread):
        lead += 1
    first = settled(lowering, Held(held[0].draft, spread[0][lead:], node.call), last=None)
    other = settled(
        lowering, Held(held[1].draft, spread[1][lead:], node.call), last=first.shape.channels_last
    )
    made = lowering.put(lowering.call(_OF_TWO[node.target.removeprefix("aten.")]), first, other)
    return Held(made, ((),) * lead + made.straight[1:], node.call)


def settled(lowering: Lowering, held: Held, *, last: bool | None = True) -> Draft:
    """What has no samples as a layer, the channels last or first."""
    return lowering.settled(Held(held.draft, (held.draft.straight[0], *held.axes), held.call), last=last)


def _joined(lowering: Lowering, node: Node, beside: Draft) -> Held:
    """Vectors in a row, of which some may be zeros, as of keys without a bias beside others."""
    values = node.args["tensors"]
    parts = [None if _nothing(one) else settled(lowering, computed(lowering, one, beside)) for one in values]
    first = next((part for part in parts if part is not None), None)
    if first is None or any(one.sizes != first.shape or len(one.sizes) != 1 for one in values):
        raise NotSaid("it is made of parts of other sizes")
    zeros = lowering.put(lowering.call("scale", 0), first) if None in parts else first
    made = lowering.put(lowering.call("concat"), *[part or zeros for part in parts])
    lowering.folded.update(one for one in values if _nothing(one))
    return Held(made, made.straight[1:])


def _nothing(value: Value) -> bool:
    """Whether it is zeros that nobody trains or keeps."""
    if value.trains or value.values is None or (value.key and value.saved):
        return False
    tensor, version = value.values
    return tensor._version == version and not tensor.is_meta and not tensor.any()


_OF_EACH = """
    relu silu mish gelu hardswish hardsigmoid sigmoid log_sigmoid_forward tanh softplus abs exp log sqrt sin
    cos neg square reciprocal rsqrt add mul sub div rsub pow clamp
"""

#: Functions of each value of one tensor, of which some read a number beside it.
OF_EACH = frozenset(f"aten.{name}" for name in _OF_EACH.split())


def applied(lowering: Lowering, node: Node, draft: Draft, leaf: Value) -> Draft:
    """What an operator gives of the values of a layer, that it was given before there was any input."""
    given = Value((lowering.tape.batch, *draft.shape), leaf.dtype, input=leaf.key or "made")
    lowering.held[given] = Held(draft, draft.straight)
    args = {name: given if one is node.inputs[0] else one for name, one in node.args.items()}
    made = lowering.table[node.target](lowering, replace(node, args=args, inputs=(given,), flows=True), args)
    if not isinstance(made, Held) or isinstance(made.draft.op, Opaque):
        raise NotSaid("it reads what was computed without the input")
    return made.draft


def _fills(node: Node) -> bool:
    """Whether axes of one position alone are repeated."""
    times = node.args["repeats"]
    own = (1,) * (len(times) - len(node.inputs[0].sizes)) + node.inputs[0].sizes
    return all(1 in pair for pair in zip(times, own, strict=True))


def _step(lowering: Lowering, node: Node, out: Value, held: Held) -> Held:
    """The same after one operator more."""
    axes: Sequence[Axis] | None = None
    if node.target in SAME:
        return held
    if node.target in VIEWED or node.target in ("aten.squeeze", "aten._reshape_alias"):
        axes = viewed(held.axes, out.sizes)
    elif node.target in PERMUTES:
        axes = permuted(held.axes, permutation(node))
    elif node.target == "aten.repeat" and not _fills(node):
        times = [((Part(REPEATED, 0, n),) if n != 1 else ()) for n in node.args["repeats"]]
        own = ((),) * (len(times) - len(held.axes)) + held.axes
        axes = [joined((*again, *axis)) for again, axis in zip(times, own, strict=True)]
    elif node.target in ("aten.expand", "aten.repeat"):
        own = ((),) * (len(out.sizes) - len(held.axes)) + held.axes
        axes = [
            axis if sizes((axis,)) == (n,) else (Part(REPEATED, 0, n),)
            for axis, n in zip(own, out.sizes, strict=True)
        ]
    elif node.target in TAKES:
        part = taken(node, out)
        if part is not None:
            held = part_of(lowering, held, part)
            axes = held.axes
    if axes is None:
        raise NotSaid("it reads what was computed without the input")
    return Held(held.draft, tuple(axes), node.call)
