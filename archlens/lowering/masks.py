"""Masks of attention: which argument of an operator is one, and what a constant one leaves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from random import Random
from typing import Any, NamedTuple

from .algebra import SAME, VIEWS, plain_number
from .numbers import EACH, steps_of
from .reader import Reader, Unread
from .tape import BATCH, Node, Value

#: What is added to a score, or stands in its place, so that nothing is left of it.
LOW = -1e4

#: A module whose mask says which scores go, or is added.
MULTIHEAD = "torch.nn.modules.activation.MultiheadAttention"

#: The most operators behind a mask.
_OPERATORS = 64

#: How many samples or heads of a mask are looked at, how many of its rows, and how many places of some.
_MATRICES, _ROWS, _COLUMNS = 64, 8192, 64


class Masked(NamedTuple):
    """How scores are masked."""

    mask: Value
    #: How many queries and keys they are of.
    scores: tuple[int, ...]
    #: Whether truth keeps a score; ``None`` where the mask can only be added.
    keeps: bool | None
    #: What stands in the place of the others; ``None`` where the mask is added.
    fill: Any = None


def masked(node: Node) -> Masked | None:
    """How an operator masks the scores that it reads; ``None`` where it may do something else."""
    args = node.args
    if node.target == "torch.attention":
        return Masked(args["attn_mask"], (args["query"].sizes[-2], args["key"].sizes[-2]), True)
    if node.target == MULTIHEAD:
        return Masked(args["attn_mask"], args["attn_mask"].sizes[-2:], False)
    scores = node.outputs[0].sizes[-2:]
    if node.target == "aten.masked_fill":
        return Masked(args["mask"], scores, False, args["value"])
    if node.target == "aten.where":
        first = _flows(args["self"])
        return Masked(args["condition"], scores, first, args["other" if first else "self"])
    other = args.get("self" if _flows(args.get("other")) else "other")
    return Masked(other, scores, None) if node.target == "aten.add" and isinstance(other, Value) else None


def masks_within(bias: Value) -> list[tuple[Masked, Value]]:
    """The ways to take what is added to scores as a mask and the rest, as T5 has them in one."""
    scores, made = bias.sizes[-2:], bias.node
    while made is not None and made.target in SAME:
        made = made.inputs[0].node
    if made is None or bias.flows or len(scores) < 2:
        return []
    args = made.args
    own = {name: one for name, one in args.items() if isinstance(one, Value)}
    if made.target == "aten.add" and args.get("alpha", 1) == 1 and len(own) == 2:
        a, b = own.values()
        return [(Masked(a, scores, None), b), (Masked(b, scores, None), a)]
    if made.target == "aten.where" and len(own) == 3:
        a, b = args["self"], args["other"]
        mask = args["condition"]
        return [(Masked(mask, scores, True, b), a), (Masked(mask, scores, False, a), b)]
    if made.target == "aten.masked_fill":
        return [(Masked(args["mask"], scores, False, args["value"]), args["self"])]
    return []


def _flows(value: Any) -> bool:
    return isinstance(value, Value) and value.flows


class Leaves(NamedTuple):
    """Which scores a mask leaves a query."""

    #: Whether none of what comes after it.
    causal: bool
    #: How many positions away there is none any more, if anywhere.
    window: int | None = None

    @property
    def words(self) -> dict[str, Any]:
        """The same as attributes of an op."""
        said = {"causal": True} if self.causal else {}
        return said if self.window is None else {**said, "window": self.window}


def is_low(fill: Any) -> bool:
    """Whether a number, or a constant that is one, leaves nothing of a score that it stands in for."""
    number = plain_number(fill)
    return number is not None and number <= LOW


#: What a matrix holds up to its diagonal, and behind it.
Triangle = tuple[Any, Any]


def leaves(said: Masked, reader: Reader) -> Leaves | None:
    """Which scores a mask leaves: those of a query and of what stands before it; ``None`` for others.

    It is told by what constants of a file hold, and by what is computed of these.

    Args:
        said: how scores are masked.
        reader: what reads these.
    """
    rows, columns = said.mask.sizes[-2:] if len(said.mask.sizes) > 1 else (0, 0)
    if (rows, columns) != said.scores or rows != columns or rows < 2:
        return None
    mask = said.mask
    found = _Triangles().of(mask)
    if found is None and not (mask.flows or mask.trains):
        found = reader.once("mask", [mask], lambda: _looked(mask, reader))
    if found is None:
        return None
    low, high = found
    if said.fill is not None or said.mask.dtype == "bool":
        filled = said.fill is None or _is_low(said.fill)
        kept = (bool(low), bool(high)) == (said.keeps, not said.keeps)
        causal = said.keeps is not None and filled and kept
    else:
        causal = bool(low == 0 and high <= LOW)
    return Leaves(causal=True) if causal else None


def _looked(mask: Value, reader: Reader) -> Triangle | None:
    """What a mask holds up to its diagonal and behind it; ``None`` where that differs.

    Of a long one these are looked at: both ends of each row, its diagonal and what is behind that, and of
    some rows more.
    """
    if prod(n for n in mask.sizes[:-2] if n % BATCH) > _MATRICES:
        raise Unread(f"it holds more than {_MATRICES} matrices")
    length, draw = mask.sizes[-1], Random(0)
    low: list[int] = []
    high: list[int] = []
    for row in range(0, length, length // _ROWS + 1):
        columns = {0, row, row + 1, length - 1}
        if row % (length // _MATRICES + 1) == 0:
            columns.update(range(length) if length <= _COLUMNS else draw.choices(range(length), k=_COLUMNS))
        for column in columns - {length}:
            (high if column > row else low).append(row * length + column)
    lead = zip(mask.sizes[:-2], steps_of(mask.sizes), strict=False)
    starts = [*map(sum, product(*(range(0, n * step, step) if n % BATCH else (0,) for n, step in lead)))]
    reader.afford(len(starts) * (len(low) + len(high)))
    found = [{*reader.at(mask, [first + at for first in starts for at in own])} for own in (low, high)]
    return (found[0].pop(), found[1].pop()) if [*map(len, found)] == [1, 1] else None


def _is_low(fill: Any) -> bool:
    found = _Triangles().of(fill) if isinstance(fill, Value) else (fill, fill)
    return found is not None and max(found) <= LOW


class _Triangles:
    """Constants that hold one number up to the diagonal, and one behind it."""

    def __init__(self) -> None:
        self.left = _OPERATORS

    def of(self, value: Any) -> Triangle | None:
        """What a constant holds; ``None`` where it is none such, or not known."""
        if not isinstance(value, Value):
            return (value, value) if isinstance(value, int | float) else None
        if value.triangle is not None:
            return value.triangle
        if value.numbers is not None:
            return _triangle(value.sizes, value.numbers)
        self.left -= 1
        if value.node is None or value.flows or value.key or self.left < 0:
            return None
        return self.made(value.node, value.sizes)

    def made(self, node: Node, sizes: Sequence[int]) -> Triangle | None:
        name, args = node.target.removeprefix("aten."), node.args
        if name in ("tril", "triu"):
            low, high = self.of(args["self"]) or (None, None)
            if low is None or args.get("diagonal", 0) != (name == "triu"):
                return None
            return (low, 0) if name == "tril" else (0, high)
        read = [self.of(one) for one in args.values() if isinstance(one, Value | int | float)]
        if name in EACH and None not in read:
            try:
                return EACH[name](*(one[0] for one in read)), EACH[name](*(one[1] for one in read))  # type: ignore[index]
            except (ArithmeticError, TypeError, ValueError):
                return None
        if node.target not in (*SAME, *VIEWS, "aten.expand", "aten.slice") or not node.inputs:
            return None
        found = self.of(node.inputs[0])
        moved = node.inputs[0].sizes[-2:] != tuple(sizes[-2:])
        cut = name == "slice" and (args["dim"] < len(sizes) - 2 or (args["start"], args["step"]) == (0, 1))
        return found if found is None or not moved or cut or found[0] == found[1] else None


def _triangle(sizes: Sequence[int], numbers: Sequence[Any]) -> Triangle | None:
    """What such numbers hold up to the diagonal of their last two axes, and behind it."""
    low = numbers[0]
    if all(one == low for one in numbers):
        return low, low
    rows, columns = sizes[-2:] if len(sizes) > 1 else (1, 1)
    if min(rows, columns) < 2:
        return None
    high = numbers[1]
    alike = all(one == (low if i % columns <= i // columns % rows else high) for i, one in enumerate(numbers))
    return (low, high) if alike else None
