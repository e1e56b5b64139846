"""Products by what is learned, whose axes may be moved, as ``einsum`` multiplies by a weight of heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..arrangement import REPEATED, Axis, Part, in_order, permuted, sizes, viewed
from ..ops.opaque import Opaque
from .algebra import SAME
from .lowering import PERMUTES, VIEWED, Draft, Held, Lowering, NotSaid, permutation, sources
from .parts import part_of
from .tape import TAKES, Node, Value, taken

#: The most operators between a parameter and what reads it.
_MOVES = 16


def by_learned(lowering: Lowering, node: Node, left: Value, right: Value) -> Held:
    """A product of what flows and a parameter, as two matrices for each of the axes that both have.

    Raises:
        NotSaid: what is learned is more than moved, or an axis holds samples that it has an axis for.
    """
    a = lowering.of(left)
    b = _moved(lowering, right, a.draft)
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

    Raises:
        NotSaid: by an operator that is none of these.
    """
    node = value.node
    if value.key and value.trains:
        draft = lowering.parameter(value, beside)
        return Held(draft, draft.straight[1:])
    if node is None or value.key or not any(one.trains for one in sources(value)):
        given = lowering.coordinates_of(value)
        axes = None
        if given is not None:
            draft = lowering.put(lowering.call("relative_coordinates", **given), beside)
            axes = viewed(draft.straight[1:], value.sizes)
        if axes is not None:
            lowering.folded.update(one for one in sources(value) if not one.trains)
            return Held(draft, axes)
        if lowering.is_held(value):
            draft = lowering.parameter(value, beside)
            return Held(draft, draft.straight[1:])
        if node is None or value.key or not any(map(lowering.is_held, sources(value))):
            raise NotSaid("it reads a constant that is in no state dict")
    if node.target == "aten.cat":
        return _joined(lowering, node, beside)
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
        return Held(made, (*axes[:-1], made.straight[-1]))
    if node.target in OF_EACH and len(node.inputs) == 1:
        return Held(applied(lowering, node, held.draft, value), held.axes)
    return held if node.target == "torch.dropout" else _step(lowering, node, value, held)


def settled(lowering: Lowering, held: Held, *, last: bool = True) -> Draft:
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


def _moved(lowering: Lowering, value: Value, beside: Draft) -> Held:
    """A parameter and what was done to it, where that only moves its values or takes some of them."""
    steps: list[tuple[Node, Value]] = []
    while not value.key and value.node is not None and value.node.inputs and len(steps) < _MOVES:
        steps.append((value.node, value))
        value = value.node.inputs[0]
    if not lowering.is_held(value):
        raise NotSaid("it multiplies by what was computed without the input")
    draft = lowering.parameter(value, beside)
    held = Held(draft, draft.straight[1:])
    for node, out in reversed(steps):
        held = _step(lowering, node, out, held)
    return held


def _step(lowering: Lowering, node: Node, out: Value, held: Held) -> Held:
    """The same after one operator more."""
    axes: Sequence[Axis] | None = None
    if node.target in SAME:
        return held
    if node.target in VIEWED or node.target in ("aten.squeeze", "aten._reshape_alias"):
        axes = viewed(held.axes, out.sizes)
    elif node.target in PERMUTES:
        axes = permuted(held.axes, permutation(node))
    elif node.target == "aten.expand":
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
