"""What is written into part of a tensor, as by ``z[:, :4] = y``: it is put together where it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .lowering import MOVES, Held, Lowering, NotSaid, is_zeros
from .parts import cut, padded, side_by_side
from .tape import TAKES, Node, Value, taken

#: From where to where a part goes, along each axis.
Region = tuple[tuple[int, int], ...]

#: What has the values of what it reads, all of them in the same order, or gives them as they are.
_SAME = ("torch.dropout", *(name for name in MOVES if "permute" not in name and "transpose" not in name))

#: What makes a tensor whose values nobody has written yet.
_EMPTY = ("aten.empty", "aten.empty_like", "aten.new_empty", "aten.new_empty_strided", "aten.empty_strided")


@dataclass(eq=False)
class Whole:
    """A tensor and what has been written into it since: parts that share no value."""

    base: Value
    pieces: list[tuple[Region, Held]]

    def put_together(self, lowering: Lowering) -> Held:
        """The values of all parts, and between them what was there before."""
        return _assembled(lowering, self.base, _all(self.base), self.pieces)


@dataclass
class Part:
    """Part of a tensor, and which axes of that it has no more."""

    of: Value
    region: Region
    gone: tuple[int, ...]


def written(lowering: Lowering, old: Value, new: Value) -> Whole | Held:
    """What a tensor holds after another one was written that lies in the same memory."""
    part = written_part(old, new)
    if isinstance(part, Value):
        return lowering.of(part)
    held = lowering.of(new)
    axes = list(held.axes)
    for place in part.gone:
        axes.insert(place, ())
    piece = (part.region, Held(held.draft, tuple(axes), held.call))
    before = lowering.later.get(old)
    whole = before if isinstance(before, Whole) else Whole(old, [])
    rest = [one for one in whole.pieces if not _within(one[0], part.region)]
    if any(_overlap(region, part.region) for region, _ in rest):
        raise NotSaid("it is written over part of what was written before")
    return Whole(whole.base, [*rest, piece])


def written_part(old: Value, new: Value) -> Part | Value:
    """The part that another one was of a tensor, in whose memory it lies, when it was written.

    Or all that the tensor holds since, where that is what was written, or what it held before.
    """
    made = new.node
    if made is None or made.target == "aten.write" or not made.inputs:
        raise NotSaid("it was written by way of others")
    was = made.args.get("self")
    if not isinstance(was, Value):
        raise NotSaid("what was written is not known")
    part, beside = _part(was), _part(old)
    if part is None or beside is None or _root(part.of) is not _root(beside.of):
        raise NotSaid("they lie in one memory in another way")
    if part.region == beside.region and new.sizes == old.sizes:
        return new
    if not _overlap(part.region, beside.region):
        return old
    if beside.gone or beside.of.sizes != old.sizes or beside.region != _all(old):
        raise NotSaid("a part of it is written that it has in another way")
    return part


def _assembled(
    lowering: Lowering, base: Value, region: Region, pieces: Sequence[tuple[Region, Held]]
) -> Held:
    if len(pieces) == 1 and pieces[0][0] == region:
        return pieces[0][1]
    for dim in range(1, len(region)):
        ends = sorted({one[dim] for one, _ in pieces})
        apart = all(a[1] <= b[0] for a, b in pairwise(ends))
        if apart and ends != [region[dim]]:
            break
    else:
        raise NotSaid("its parts do not lie side by side")
    parts: list[Held] = []
    zeros: list[list[int]] = []  # before and after each part
    at, gap = region[dim][0], 0
    for start, stop in [*ends, (region[dim][1],) * 2]:
        if start > at:
            between = (*region[:dim], (at, start), *region[dim + 1 :])
            if is_zeros(base):
                gap = start - at
                if parts:
                    zeros[-1][1] = gap
                    gap = 0
            else:
                parts.append(_of_base(lowering, base, between))
                zeros.append([0, 0])
        if stop > start:
            within = (*region[:dim], (start, stop), *region[dim + 1 :])
            own = [one for one in pieces if one[0][dim] == (start, stop)]
            parts.append(_assembled(lowering, base, within, own))
            zeros.append([gap, 0])
            gap = 0
        at = stop
    found = [
        padded(lowering, held, [(0, 0)] * dim + [(more[0], more[1])] + [(0, 0)] * (len(region) - dim - 1))
        if any(more)
        else held
        for held, more in zip(parts, zeros, strict=True)
    ]
    return side_by_side(lowering, found, dim)


def _of_base(lowering: Lowering, base: Value, region: Region) -> Held:
    """Part of what was there before."""
    if base.node is not None and base.node.target in _EMPTY:
        raise NotSaid("part of it holds something that is not written anywhere")
    held = lowering.of(base)
    for dim, (start, stop) in enumerate(region):
        held = cut(lowering, held, dim, start, stop)
    return held


def _all(value: Value) -> Region:
    return tuple((0, n) for n in value.sizes)


def _overlap(one: Region, other: Region) -> bool:
    return len(one) == len(other) and all(a < d and c < b for (a, b), (c, d) in zip(one, other, strict=True))


def _within(one: Region, other: Region) -> bool:
    return all(c <= a and b <= d for (a, b), (c, d) in zip(one, other, strict=True))


def _root(value: Value) -> Value:
    """The tensor before anything was written into it from elsewhere."""
    while value.node is not None and value.node.target == "aten.write":
        value = value.node.args["self"]
    return value


def _part(value: Value) -> Part | None:
    """Which part of which tensor a value is a view of; ``None`` where it is one in another way."""
    steps: list[tuple[Node, Value]] = []
    value = _root(value)
    while value.node is not None and not value.key:
        node = value.node
        viewed = node.inputs[:1]
        same = node.target in _SAME and viewed and viewed[0].sizes == value.sizes
        if not same and node.target not in TAKES:
            break
        if not same:
            steps.append((node, value))
        value = _root(viewed[0])
    region, left = list(_all(value)), list(range(len(value.sizes)))
    gone: list[int] = []
    for node, out in reversed(steps):
        one = taken(node, out)
        if one is None or one.step != 1:
            return None
        axis = left[one.dim]
        first = region[axis][0]
        region[axis] = (first + one.start, first + one.stop)
        if one.drops:
            gone.append(left.pop(one.dim))
    return Part(value, tuple(region), tuple(sorted(gone)))
