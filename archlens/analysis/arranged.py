"""What positions see that stand otherwise than on the map that they were: in windows, or in a row.

As long as it is known where each position of a map is, what reads whole rows of them, as attention within
windows does, reads intervals of the map; and where they are a map again, all of them have a field again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

from ..arrangement import Axes, Axis, Part, permuted, straight, viewed
from ..geometry import POINT, Field, Window
from ..network import Layer, Network
from ..ops import NonUniform, WindowChain
from ..ops.embedding import WindowMask
from ..ops.footprint import Turned
from ..shape import Shape

#: What is added to a score at most where two positions do not see each other.
_MASKED = -100.0


@dataclass(frozen=True)
class Arranged:
    """What each position of a map sees, and where it stands now."""

    #: Of the axes of the map, each with its size.
    fields: tuple[Field, ...]
    sides: tuple[int, ...]
    #: The axes of positions as they are now, as parts of those of the map; these count from 1.
    axes: Axes
    #: By how many positions each axis of the map has been rolled back.
    rolled: tuple[int, ...]
    #: Why there is no field as long as they stand so.
    reason: NonUniform

    @property
    def is_straight(self) -> bool:
        """Whether they are a map as they were."""
        return not any(self.rolled) and self.axes == _straight(self.sides)

    def whole(self, axis: Axis) -> int | None:
        """The axis of the map, from 0, that one is as a whole."""
        found = axis[0].axis - 1 if len(axis) == 1 else None
        return found if found is not None and axis == _straight(self.sides)[found] else None


def _straight(sides: tuple[int, ...]) -> Axes:
    return straight((1, *sides))[1:]


def on_map(fields: tuple[Field, ...], x: Shape, reason: NonUniform) -> Arranged:
    """The positions of a map as they stand there."""
    return Arranged(fields, x.spatial, _straight(x.spatial), (0,) * len(fields), reason)


def found(arranged: Arranged) -> Arranged | tuple[Field, ...]:
    """The fields, where they are those of a map again."""
    return arranged.fields if arranged.is_straight else arranged


def moved(arranged: Arranged, layer: Layer) -> Arranged | None:
    """The same behind a layer that moves positions alone; ``None`` behind any other."""
    (x, *more), op = layer.input_shapes, layer.op
    if more or op.family != "reshape":
        return None
    if op.kind == "roll":
        return _rolled(arranged, layer)
    footprint = op.footprint(layer.facts, x)
    axes: Axes | None = (
        *arranged.axes[: x.channel_axis],
        straight((x.channels,))[0],
        *arranged.axes[x.channel_axis :],
    )
    for step in footprint.moves if footprint is not None else ():
        if isinstance(step, Turned):
            axes = permuted(axes, step.order) if axes is not None else None
        else:
            axes = viewed(axes, step.sizes or layer.shape) if axes is not None else None
    if axes is None or footprint is None or not footprint.moves or len(layer.shape) < 2:
        return None
    place = layer.shape.channel_axis
    rest = (*axes[:place], *axes[place + 1 :])
    if any(part.axis == 0 for axis in rest for part in axis):
        return None
    return _within(replace(arranged, axes=rest), [part for part in axes[place] if part.axis != 0])


def _within(arranged: Arranged, parts: Sequence[Part]) -> Arranged | None:
    """With some positions side by side as channels: each takes those of a window, as in merging patches."""
    fields, sides = list(arranged.fields), list(arranged.sides)
    for part in parts:
        at = part.axis - 1
        if part.stride != 1 or arranged.rolled[at] or sides[at] != arranged.sides[at]:
            return None
        fields[at], sides[at] = fields[at].through(Window(part.size, part.size)), sides[at] // part.size
    of = {part.axis: part.size for part in parts}
    rest = [part for axis in arranged.axes for part in axis]
    if any(part.stride % of.get(part.axis, 1) for part in rest):
        return None
    axes = tuple(
        tuple(part._replace(stride=part.stride // of.get(part.axis, 1)) for part in axis)
        for axis in arranged.axes
    )
    return replace(arranged, fields=tuple(fields), sides=tuple(sides), axes=axes)


def _rolled(arranged: Arranged, layer: Layer) -> Arranged | None:
    shift = layer.op.attributes()["shift"]
    shifts = shift if isinstance(shift, tuple) else (shift,) * len(arranged.axes)
    rolled = list(arranged.rolled)
    for axis, by in zip(arranged.axes, shifts, strict=True):
        at = arranged.whole(axis)
        if by and axis and at is None:
            return None
        if at is not None:
            rolled[at] = (rolled[at] - by) % arranged.sides[at]
    return replace(arranged, rolled=tuple(rolled))


def through(
    arranged: Arranged, reach: tuple[Window, ...] | WindowChain, layer: Layer, network: Network
) -> Arranged | None:
    """What a layer sees that looks through windows along each axis of positions; ``None`` where none says it.

    Raises:
        NonUniformField: some of its positions see nothing, or the numbers grow out of hand.
    """
    chains = reach.axes if isinstance(reach, WindowChain) else tuple((window,) for window in reach)
    if len(chains) != len(arranged.axes):
        return None
    for place, (chain, n) in enumerate(zip(chains, layer.shape.spatial, strict=True)):
        if any(window != POINT for window in chain):
            at = arranged.whole(arranged.axes[place])
            if at is not None and not arranged.rolled[at]:
                arranged = _along(arranged, at, place, chain, n)
            elif len(chain) == 2 and chain == _row(n):
                inner = _windows(arranged, arranged.axes[place], layer, network)
                if inner is None:
                    return None
                arranged = inner
            else:
                return None
    return arranged


def _row(n: int) -> tuple[Window, Window]:
    """All of an axis, given to each of its positions."""
    return Window(n, n), Window(n, n, transposed=True)


def _along(arranged: Arranged, at: int, place: int, chain: tuple[Window, ...], n: int) -> Arranged:
    """Along an axis of the map."""
    fields, sides, axes = list(arranged.fields), list(arranged.sides), list(arranged.axes)
    fields[at], sides[at] = reduce(Field.through, chain, fields[at]), n
    axes[place] = (Part(at + 1, 1, n),) if n != 1 else ()
    return replace(arranged, fields=tuple(fields), sides=tuple(sides), axes=tuple(axes))


def _windows(arranged: Arranged, axis: Axis, layer: Layer, network: Network) -> Arranged | None:
    """Each position sees all of its row, which is a window of the map."""
    fields, mask = list(arranged.fields), _mask(layer, network)
    if len({part.axis for part in axis}) < len(axis):
        return None
    for part in axis:
        at = part.axis - 1
        if part.stride != 1:
            return None
        by = arranged.rolled[at] % part.size
        if by:  # the last window has both ends of the map
            if mask is None or len(arranged.sides) != 2:
                return None
            size, sides, shift = mask
            if (size[at], sides[at], shift[at]) != (part.size, arranged.sides[at], by):
                return None
        before = part.size - by if by else 0
        window = Window(part.size, part.size, before, by)
        fields[at] = fields[at].through(window).through(window._replace(transposed=True))
    return replace(arranged, fields=tuple(fields))


def _mask(layer: Layer, network: Network) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] | None:
    """The windows, the map and the shift of a mask that is a part of what attention adds to its scores."""
    if layer.op.kind != "attention" or len(layer.inputs) < 4:
        return None
    rest, seen = [layer.inputs[3]], 0
    while rest and seen < 8:
        one = network.index.get(rest.pop())
        seen += 1
        if one is not None and (one.op.kind == "add" or _keeps_order(one)):
            rest += one.inputs
        elif one is not None and isinstance(one.op, WindowMask) and one.op.value <= _MASKED:
            return one.op.axes(*one.input_shapes)
    return None


def _keeps_order(layer: Layer) -> bool:
    """Whether a layer does nothing but give its values other axes."""
    footprint = layer.op.footprint(layer.facts, *layer.input_shapes)
    steps = footprint.moves if footprint is not None else ()
    orders = [step.order for step in steps if isinstance(step, Turned)]
    return layer.op.kind == "rearrange" and all(order == (*range(len(order)),) for order in orders)
