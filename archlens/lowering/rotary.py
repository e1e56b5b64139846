"""Positions as angles, written out: a tensor by their cosines, and with its pairs turned by their sines."""

from __future__ import annotations

from typing import Any

from ..arrangement import Axes, Part, in_order, viewed
from .lowering import Held, Lowering, NotSaid, samples_first
from .tape import Node

#: Where positions begin, and how far they are apart, where nothing is said.
_PLAIN = {"start": 0, "step": 1}


def turned(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """The op on tokens whose channels are those of all heads."""
    x, at, part = args["self"], args["positions"], args["part"]
    held, head = samples_first(lowering.of(x)), x.sizes[-1]
    batch, *axes = held.axes
    heads = [axis for place, axis in enumerate(held.axes) if place not in (0, at, len(axes))]
    own: Axes = (axes[-1],)
    if args["parted"]:  # it moves neighbours to either half of a head
        apart = viewed(own, (head // 2, 2))
        if apart is None:
            raise NotSaid("the channels cannot be told apart")
        own = apart[::-1]
    lies = (batch, held.axes[at], in_order([*heads, *own]))
    draft = lowering.settled(Held(held.draft, lies, held.call), last=True)
    turns, skip = args["turns"], args["skip"]
    given: dict[str, Any] = {"grid": turns.grid} if turns.grid else {}
    given |= {"skip": skip} if skip else {}
    given |= {name: getattr(turns, name) for name, plain in _PLAIN.items() if getattr(turns, name) != plain}
    given |= {"reverse": True} if turns.is_reversed else {}
    near = args["interleaved"]
    op = lowering.call("rotary", head, None if part == head else part, turns.base, near, **given)
    made = lowering.put(op, draft)
    lowering.folded.update(lowering.own(node).values())
    stride, inner = made.shape.channels, []
    for place, size in enumerate(x.sizes[:-1]):
        if place not in (0, at):
            stride //= size
            inner.append((Part(2, stride, size),) if size > 1 else ())
    found = [made.straight[0], *inner, (Part(2, 1, head),) if head > 1 else ()]
    return Held(made, (*found[:at], made.straight[1], *found[at:]), node.call)
