"""Parts of tensors, and tensors of parts: cut, padded, and put side by side."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ..arrangement import REPEATED, permuted, sizes
from .lowering import Draft, Held, Lowering, NotSaid
from .tape import Taken, TakenApart


def part_of(lowering: Lowering, held: Held, part: Taken) -> Held:
    """What one operator takes of a tensor."""
    made = cut(lowering, held, part.dim, part.start, part.stop, part.step)
    if not part.drops:
        return made
    return Held(made.draft, (*made.axes[: part.dim], *made.axes[part.dim + 1 :]))


def cut(lowering: Lowering, held: Held, dim: int, start: int, stop: int, step: int = 1) -> Held:
    """Positions of one axis."""
    axis = held.axes[dim]
    size = prod(part.size for part in axis)
    if (start, stop, step) == (0, size, 1):
        return held
    if any(part.axis == 0 for part in axis):
        batch = lowering.tape.batch
        if start % batch == 0 and stop % batch == 0:
            raise NotSaid("a part of what stands beside the batch")
        raise TakenApart
    if any(part.axis == REPEATED for part in axis):
        raise NotSaid("part of what is repeated")
    if not axis:
        raise NotSaid("part of a part")
    draft, first = held.draft, axis[0]
    whole = draft.straight[first.axis]
    if (
        not whole
        or first.stride * first.size != whole[0].size
        or (len(axis) > 1)
        or (step > 1 and first.stride > 1)
    ):
        laid = lowering.laid(held)
        if laid.draft is draft or sizes(laid.axes) != sizes(held.axes):
            raise NotSaid("part of a part")
        return cut(lowering, laid, dim, start, stop, step)
    names = draft.shape.names
    given: dict[str, Any] = {}
    if start:
        given["start"] = start * first.stride
    if stop < size:
        given["stop"] = stop * first.stride
    if step > 1:
        given["step"] = step
    name = names[first.axis - 1]
    if name != "channels":
        given["axis"] = name
    made = lowering.put(lowering.call("slice", **given), draft)
    count = -(-(stop - start) // step)
    axes = list(held.axes)
    axes[dim] = (first._replace(size=count),) if count > 1 else ()
    return Held(made, tuple(axes), lowering.node.call if lowering.node else None)


def concatenated(lowering: Lowering, drafts: Sequence[Draft], dim: int) -> Draft:
    """Layers put together along an axis; one alone is what it is."""
    if len(drafts) == 1:
        return drafts[0]
    name = drafts[0].shape.names[dim - 1]
    given = {} if name == "channels" else {"axis": name}
    return lowering.put(lowering.call("concat", **given), *drafts)


def side_by_side(lowering: Lowering, held: Sequence[Held], dim: int) -> Held:
    """Tensors put together along an axis, all of them with their channels at one end."""
    as_is = _as_they_lie(lowering, held, dim)
    if as_is is not None:
        return as_is
    drafts = [lowering.settled(one) for one in held]
    if len({draft.shape.channels_last for draft in drafts if len(draft.shape) > 1}) > 1:
        drafts = [lowering.settled(one, last=dim == len(held[0].axes) - 1) for one in held]
    made = concatenated(lowering, drafts, dim)
    return Held(made, made.straight)


def _as_they_lie(lowering: Lowering, held: Sequence[Held], dim: int) -> Held | None:
    """The same of tensors that are viewed alike, as heads are, along an axis that is one of their layers'."""
    first = held[0]
    axis = next((one.axes[dim] for one in held if one.axes[dim]), ())
    place = axis[0].axis if len(axis) == 1 else 0
    for one in held:
        others = (*one.axes[:dim], *one.axes[dim + 1 :])
        lies = place > 0 and place < len(one.draft.straight) and one.axes[dim] == one.draft.straight[place]
        if not lies or others != (*first.axes[:dim], *first.axes[dim + 1 :]):
            return None
        if one.draft.shape.channels_last != first.draft.shape.channels_last:
            return None
    if all(one.is_straight for one in held):
        return None
    made = concatenated(lowering, [one.draft for one in held], place)
    axes = (*first.axes[:dim], made.straight[place], *first.axes[dim + 1 :])
    return Held(made, axes, lowering.node.call if lowering.node else None)


def padded(
    lowering: Lowering,
    held: Held,
    pairs: Sequence[tuple[int, ...]],
    mode: str = "constant",
    value: float | None = None,
) -> Held:
    """A map with so many positions more before and after each of its axes, which are cut off below 0."""
    if held.draft.shape.channels_last and len(held.axes) > 2:  # it is turned for it, and back
        rank = len(held.axes)
        order = (0, rank - 1, *range(1, rank - 1))
        turned = lowering.settled(Held(held.draft, permuted(held.axes, order), held.call), last=False)
        made = map_padded(lowering, turned, [pairs[i] for i in order], mode, value)
        samples, channels, *spatial = made.straight
        return Held(made, (samples, *spatial, channels), held.call)
    made = map_padded(lowering, lowering.settled(held, last=False), pairs, mode, value)
    return Held(made, made.straight)


def map_padded(
    lowering: Lowering, draft: Draft, pairs: Sequence[tuple[int, ...]], mode: str, value: float | None
) -> Draft:
    """A map padded by so many before and after each of its axes, the samples' first."""
    if len(pairs) != 1 + len(draft.shape):
        raise NotSaid("its first axis is not the batch")
    samples, channels, *pairs = pairs
    if any(samples) or min(channels) < 0 or len(pairs) > 3:
        raise NotSaid("beyond the map")
    for name, (before, after) in zip(draft.shape.axes, pairs, strict=True):  # below 0 it is cut off
        cut = {"start": -before} if before < 0 else {}
        cut |= {"stop": after} if after < 0 else {}
        if cut:
            draft = lowering.put(lowering.call("slice", axis=name, **cut), draft)
    pairs = [(max(before, 0), max(after, 0)) for before, after in pairs]
    if not any(map(any, (channels, *pairs))):
        return draft
    sides = pairs[0][0] if len({n for pair in pairs for n in pair}) == 1 else tuple(pairs)
    words: dict[str, Any] = {}
    if mode != "constant":
        words["mode"] = mode
    if value:
        words["value"] = float(value)
    if any(channels):
        words["channels"] = channels
    return lowering.put(lowering.call("pad", sides, **words), draft)
