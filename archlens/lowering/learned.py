"""Products by what is learned, whose axes may be moved, as ``einsum`` multiplies by a weight of heads."""

from __future__ import annotations

from collections.abc import Sequence

from ..arrangement import REPEATED, Axis, Part, in_order, permuted, sizes, viewed
from .algebra import SAME
from .lowering import PERMUTES, VIEWED, Draft, Held, Lowering, NotSaid, permutation
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


def _moved(lowering: Lowering, value: Value, beside: Draft) -> Held:
    """A parameter and what was done to it, where that only moves its values or takes some of them."""
    steps: list[tuple[Node, Value]] = []
    while not value.key and value.node is not None and value.node.inputs and len(steps) < _MOVES:
        steps.append((value.node, value))
        value = value.node.inputs[0]
    if not (value.key and value.trains):
        raise NotSaid("it multiplies by what was computed without the input")
    draft = lowering.parameter(value, lowering.call("parameter", value.sizes), beside)
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
        raise NotSaid("it multiplies by what was computed without the input")
    return Held(held.draft, tuple(axes), node.call)
