"""What each layer sees of the input: exact intervals, through branches, dilation and upsampling alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import starmap
from typing import NamedTuple

from ..errors import printable, shorten
from ..geometry import INPUT, POINT, Field, NonUniformField, Window
from ..network import Layer, Network
from ..ops import EVERYWHERE, NOWHERE, Everywhere, NonUniform, Op, WindowChain, all_channels
from ..ops.embedding import ClassToken
from ..ops.op import Nowhere, Reach
from ..shape import Shape
from . import arranged
from .arranged import Arranged
from .unknown import Unknown

#: What a layer sees of an input: a field per spatial axis; everything that is let through to it; something
#: that has no one interval and step, with the reason; or nothing at all.
Seen = tuple[Field, ...] | Everywhere | NonUniform | None


@dataclass(frozen=True)
class _Padded:
    """What positions see of a map that has seen everything, since something was padded around it.

    Each of its own positions sees everything, and the padding sees nothing.
    """

    #: What they see of that map.
    inside: tuple[Field, ...] | Arranged
    #: The size of the map along each axis.
    image: tuple[int, ...]
    reason: NonUniform


#: The same on the way, where positions stand elsewhere than on the map that they were, or are padded.
_Found = Seen | Arranged | _Padded

#: How many channels are told apart where a layer reads some of them only, and how many layers are gone
#: back through for it, for each layer of the network.
_MAX_CHANNELS, _MAX_STEPS = 10**6, 20


class Limit(NamedTuple):
    """What a crop, a slice or a cropping transposed convolution has left of one axis of the input."""

    #: Nothing outside ``[start, stop)`` is seen.
    start: int
    stop: int
    #: Within these no branch has been cut: the same, unless branches that differ have been merged.
    inner: tuple[int, int]

    @property
    def is_exact(self) -> bool:
        """Whether what is seen is the field, as far as it lies within."""
        return self.inner == (self.start, self.stop)


@dataclass(frozen=True, eq=False)
class ReceptiveFields:
    """What every layer of a network sees of one of its inputs.

    Padding counts as seen: a field that reaches beyond the image is not cut, nor is one that reaches beyond
    what a crop or a slice has left (:attr:`limits`), where a layer finds padding just as at the border of the
    image. ``"everywhere"`` means everything that the layers before let through; positions that are put beside
    such a map and see none of it are not: with them a layer is non-uniform.
    """

    network: Network
    #: The input that is meant.
    input: str
    #: What each layer sees, by name; the inputs are there too.
    seen: Mapping[str, Seen]
    #: The merges whose branches look around different centres, each with how they differ.
    misaligned: Mapping[str, str]
    #: The layers behind a crop or a slice, each with what that has left of the input, along each axis.
    limits: Mapping[str, tuple[Limit, ...]]
    #: Whether something is put around a map that sees everything: its size tells who sees that alone.
    framed: bool = False

    def __getitem__(self, name: str) -> Seen:
        """What a layer, an input, or the last layer of a scope sees.

        Raises:
            UsageError: there is none of this name.
        """
        if name in self.seen:
            return self.seen[name]
        last = next((layer.name for layer in reversed(self.network.layers) if layer.within(name)), None)
        return self.seen[last if last is not None else self.network[name].name]

    def is_clipped(self, layer: str, axes: Sequence[int] | None = None) -> bool | None:
        """Whether the centre output of a layer sees padding; ``None`` where that is not known.

        Behind a crop or a slice the padding begins where that has cut.

        Args:
            layer: its name.
            axes: the spatial axes that are looked along, from 0; all of them unless they are given.
        """
        fields = self.seen[layer]
        if not isinstance(fields, tuple):
            return None
        sizes, image = self.network.shape_of(layer).spatial, self.network.inputs[self.input].spatial
        limits = self.limits.get(layer) or tuple(Limit(0, size, (0, size)) for size in image)
        known = True
        for axis in range(len(image)) if axes is None else axes:
            start, stop = fields[axis].at((sizes[axis] - 1) // 2)
            limit = limits[axis]
            if start < limit.start or stop > limit.stop:
                return True
            known = known and limit.inner[0] <= start and stop <= limit.inner[1]
        return False if known else None

    def on(self, other: Network) -> ReceptiveFields:
        """What the layers see where the input has another size.

        Where all of them look as they do here the fields are these; else they are found anew.

        Args:
            other: the same layers, on that input.
        """
        pairs = zip(self.network.layers, other.layers, strict=True)
        sized = self.limits or self.framed or len(self.network) != len(other)
        alike = not sized and all(starmap(_looks_alike, pairs))
        return replace(self, network=other) if alike else find(other, self.input)

    def last(self) -> str:
        """The last layer on the way to the main output that sees an interval, and not everything.

        It is the layer whose field people call that of the network; empty where there is none.
        """
        name = self.network.main
        while True:
            found = self.seen[name]
            layer = self.network.index.get(name)
            if isinstance(found, tuple) and found:
                return name if layer is not None else ""
            if layer is None:
                return ""
            # nothing of this input flows where None is seen
            name = max(
                layer.inputs, key=lambda n: (isinstance(self.seen[n], tuple), self.seen[n] is not None)
            )


def _looks_alike(one: Layer, other: Layer) -> bool:
    """Whether a layer sees of its inputs on another size what it sees on one."""
    reach = one.facts.reach
    return (
        reach == other.facts.reach
        and (reach in (EVERYWHERE, NOWHERE) or _slides(reach))
        and type(one.op).reach_of is Op.reach_of
        and one.inputs == other.inputs
        and one.shape.channels == other.shape.channels  # else other channels may be told apart
    )


def _slides(reach: Reach) -> bool:
    """Whether it is a window along each axis, none of which cuts the map."""
    return isinstance(reach, tuple) and not any(window.cuts for window in reach)


def _pads(window: Window) -> bool:
    """Whether some outputs may see nothing of what it looks at, but padding alone."""
    return window.transposed or max(window.before, window.after) >= window.extent


def find(network: Network, input: str = "") -> ReceptiveFields:
    """The receptive field of every layer, exact on any graph, in one pass.

    A merge sees from the first to the last position that one of its branches sees. Where branches have
    different effective strides no interval is guessed: the layer is :class:`NonUniform`, with the branches
    named. Where a layer reads only some channels of a concatenation, only their branches count.

    Args:
        network: what is analysed.
        input: the input that is meant, where there are several; the first unless it is given.

    >>> import archlens
    >>> fields = find(archlens.load("resnet50"))
    >>> [(field.size, field.stride, field.start) for field in fields["layer4.2.relu_2"]]
    [(427, 32, -213), (427, 32, -213)]
    >>> fields["avgpool"]
    <Everywhere.EVERYWHERE: 'everywhere'>
    """
    return _Pass(network, input or next(iter(network.inputs))).run()


def network_field(
    found: Iterable[ReceptiveFields], inside: Sequence[Layer] | None = None
) -> tuple[tuple[int, ...], ...] | Unknown:
    """The size of the field of the last layer that has one, along each axis; on each input where one has.

    Args:
        found: the fields on each input of a network.
        inside: look among these layers only.
    """
    sizes: list[tuple[int, ...]] = []
    reason = "the input has no spatial axes"
    for fields in found:
        if not fields.network.inputs[fields.input].spatial:
            continue
        if inside is None:
            name = fields.last()
        else:
            name = next((one.name for one in reversed(inside) if isinstance(fields[one.name], tuple)), "")
        seen = fields[name] if name else None
        if not isinstance(seen, tuple) or not seen:
            reason = "no layer sees an interval of the input: all see everything"
            continue
        sizes.append(tuple(field.size for field in seen))
    return tuple(sizes) or Unknown(reason)


def largest(fields: ReceptiveFields, layers: Iterable[Layer]) -> tuple[int, ...] | Unknown:
    """The largest field of some layers, along each axis; what one of them sees without a size has none.

    Args:
        fields: the fields on one input.
        layers: some of its network's layers; those that see nothing of that input do not count.
    """
    sizes: list[tuple[int, ...]] = []
    for layer in layers:
        seen = fields[layer.name]
        if isinstance(seen, NonUniform):
            return Unknown(seen.reason)
        if isinstance(seen, Everywhere):
            return Unknown("everything that is let through, however large the input")
        if seen:
            sizes.append(tuple(field.size for field in seen))
    if not sizes:
        return Unknown(f"nothing of {printable(fields.input)} is seen")
    return tuple(map(max, zip(*sizes, strict=True)))


class _Branch(NamedTuple):
    """What flows into a layer: from where, as which of its inputs, and what it sees."""

    name: str
    place: int
    seen: _Found


class _Pass:
    """One pass over the layers, in order."""

    def __init__(self, network: Network, input: str) -> None:
        self.network = network
        self.input = input
        shape = network.inputs[input]
        self.image = shape.spatial
        start: Seen = (INPUT,) * len(shape.spatial)
        if not shape.spatial:
            start = NonUniform(f"the input {shape} has no spatial axes")
        self.seen: dict[str, _Found] = {name: start if name == input else None for name in network.inputs}
        #: Layers whose channels may see different parts of the input.
        self.uneven: set[str] = set()
        self.misaligned: dict[str, str] = {}
        self.limits: dict[str, tuple[Limit, ...]] = {}
        #: Layers behind one that takes blocks whole: what they see has no centre.
        self.blocks: set[str] = set()
        #: What some channels of a layer see, where it was asked for.
        self.parts: dict[tuple[str, int], _Found] = {}
        self.steps = _MAX_STEPS * (len(network.layers) + 1)
        self.framed = False

    def run(self) -> ReceptiveFields:
        seen, uneven, limits = self.seen, self.uneven, self.limits
        points: dict[int, bool] = {}  # by the identity of a reach, which its facts keep alive
        for layer in self.network.layers:
            reach = layer.facts.reach
            if isinstance(reach, WindowChain) or (self.blocks and not self.blocks.isdisjoint(layer.inputs)):
                self.blocks.add(layer.name)
            if len(layer.inputs) == 1 and layer.inputs[0] not in uneven:
                found = seen[layer.inputs[0]]
                if type(found) is tuple and type(reach) is tuple:
                    point = points.get(id(reach))
                    if point is None:
                        point = points[id(reach)] = all(window == POINT for window in reach)
                    if not point:
                        found = self._through(layer, found)
                else:
                    found = self._through(layer, found)
                seen[layer.name] = found
            else:
                seen[layer.name] = self._general(layer)
            windows = reach if isinstance(reach, tuple) else ()
            if limits or any(window.cuts for window in windows):
                self._limit(layer, windows)
        kept = (Arranged, _Padded)
        said = {name: one.reason if isinstance(one, kept) else one for name, one in seen.items()}
        return ReceptiveFields(self.network, self.input, said, self.misaligned, limits, self.framed)

    def _limit(self, layer: Layer, windows: Sequence[Window]) -> None:
        """What is left of the input at a layer that cuts, or that a layer before it has cut."""
        whole = tuple([Limit(0, size, (0, size)) for size in self.image])
        # a branch that sees nothing of this input takes nothing from the others
        names = [name for name in layer.inputs if self.seen[name] is not None]
        found = [self.limits.get(name, whole) for name in names]
        together = tuple(map(_around, zip(*found, strict=True)))
        fields = self.seen[layer.name]
        if windows and isinstance(fields, tuple):
            axes = zip(windows, together, fields, layer.shape.spatial, strict=True)
            together = tuple(
                [_cut(limit, field, size) if window.cuts else limit for window, limit, field, size in axes]
            )
        if together and together != whole:
            self.limits[layer.name] = together

    def _general(self, layer: Layer) -> _Found:
        """A layer that merges, or whose input has channels that see different parts."""
        shapes = layer.input_shapes
        if not any(name in self.uneven for name in layer.inputs):
            branches = [_Branch(name, i, self.seen[name]) for i, name in enumerate(layer.inputs)]
            first = branches[0].seen
            if any(branch.seen != first for branch in branches) and self._tells_apart(layer):
                self.uneven.add(layer.name)
            return self._merged(layer, branches)
        if self._tells_apart(layer):
            self.uneven.add(layer.name)
        if max(x.channels for x in (*shapes, layer.shape)) > _MAX_CHANNELS:
            return NonUniform(f"{shorten(layer.name)}: it has too many channels to tell apart")
        found = []
        reads = layer.op.reads(all_channels(layer.shape.channels), *shapes)
        for place, (name, channels) in enumerate(zip(layer.inputs, reads, strict=True)):
            whole = name not in self.uneven or channels == all_channels(shapes[place].channels)
            found.append(_Branch(name, place, self.seen[name] if whole else self._part(name, channels)))
        return self._merged(layer, found)

    def _tells_apart(self, layer: Layer) -> bool:
        """Whether some output channel does not depend on all channels of all inputs."""
        shapes = layer.input_shapes
        if max(x.channels for x in shapes) > _MAX_CHANNELS:
            return True
        return any(
            channels != all_channels(x.channels)
            for x, channels in zip(shapes, layer.op.reads(1, *shapes), strict=True)
        )

    def _part(self, name: str, channels: int) -> _Found:
        """What some channels of a layer see: back through the layers that keep channels apart."""
        parts, stack = self.parts, [(name, channels)]
        while stack:
            key = name, channels = stack[-1]
            if key in parts or name not in self.uneven:
                parts.setdefault(key, self.seen[name])
                stack.pop()
                continue
            self.steps -= 1
            if self.steps < 0:
                return NonUniform(f"{shorten(name)}: its channels come from too many layers")
            layer = self.network.index[name]
            reads = layer.op.reads(channels, *layer.input_shapes)
            needed = {i: key for i, key in enumerate(zip(layer.inputs, reads, strict=True)) if key[1]}
            missing = [key for key in needed.values() if key not in parts]
            stack += missing
            if not missing:
                branches = [_Branch(key[0], i, parts[key]) for i, key in needed.items()]
                parts[key] = self._merged(layer, branches)
                stack.pop()
        return parts[name, channels]

    # --- one layer ------------------------------------------------------------------------------

    def _through(self, layer: Layer, found: _Found, place: int = 0) -> _Found:
        """What a layer sees through one of its inputs."""
        reach = layer.op.reach_of(place, layer.facts, layer.input_shapes)
        if found is None or reach is NOWHERE:
            return None
        if found is EVERYWHERE:
            if isinstance(layer.op, ClassToken):
                return NonUniform(f"{shorten(layer.name)}: its token sees nothing, and all others everything")
            return self._around_all(layer, reach, layer.input_shapes[place])
        if reach is EVERYWHERE:
            return EVERYWHERE
        if isinstance(found, NonUniform):
            return found
        if isinstance(found, _Padded):
            return _behind(found, self._through(layer, found.inside, place), layer)
        if isinstance(reach, NonUniform):
            why = NonUniform(f"{shorten(layer.name)}: {reach.reason}")
            if isinstance(found, tuple):
                found = arranged.on_map(found, layer.input_shapes[place], why)
            after = arranged.moved(found, layer)
            return arranged.found(after) if after is not None else found.reason
        try:
            if isinstance(found, Arranged):
                assert not isinstance(reach, Nowhere)
                after = arranged.moved(found, layer) or arranged.through(found, reach, layer, self.network)
                return arranged.found(after) if after is not None else found.reason
            assert isinstance(found, tuple), found
            if isinstance(reach, WindowChain):
                axes = zip(found, reach.axes, strict=True)
                return tuple(reduce(Field.through, windows, field) for field, windows in axes)
            if len(set(found)) == len(set(reach)) == 1:
                return (found[0].through(reach[0]),) * len(found)
            return tuple(field.through(window) for field, window in zip(found, reach, strict=True))
        except NonUniformField as reason:
            return NonUniform(f"{shorten(layer.name)}: {reason}")

    def _around_all(self, layer: Layer, reach: Reach, x: Shape) -> _Found:
        """What a layer sees of a map of which each position sees everything."""
        windows = reach if isinstance(reach, tuple) else layer.op.windows(x)
        if not any(map(_pads, windows)) or len(windows) != len(x.spatial):
            return EVERYWHERE
        if layer.op.attributes().get("mode", "constant") in ("reflect", "replicate"):
            return EVERYWHERE  # what is added are copies
        self.framed = True
        why = NonUniform(f"{shorten(layer.name)}: its padding sees nothing, and all else everything")
        try:
            fields = tuple(map(INPUT.through, windows))
        except NonUniformField as reason:
            return NonUniform(f"{shorten(layer.name)}: {reason}")
        sizes = [window.output(n) for window, n in zip(windows, x.spatial, strict=True)]
        if all(starmap(_touches, zip(fields, sizes, x.spatial, strict=True))):
            return EVERYWHERE
        return _Padded(fields, x.spatial, why) if windows is reach else why

    def _merged(self, layer: Layer, branches: Sequence[_Branch]) -> _Found:
        """What a layer sees through several inputs together."""
        found: list[tuple[_Branch, _Found]] = [(b, self._through(layer, b.seen, b.place)) for b in branches]
        whole = [seen is EVERYWHERE for _, seen in found]
        if any(whole):
            reach = layer.facts.reach
            if layer.op.kind == "concat" and isinstance(reach, NonUniform) and not all(whole):
                return NonUniform(f"{shorten(layer.name)}: {reach.reason}")
            return EVERYWHERE
        found = [(branch, seen) for branch, seen in found if seen is not None]
        if not found:
            return None
        for _, seen in found:
            if isinstance(seen, NonUniform):
                return seen
            if isinstance(seen, _Padded):
                return seen if all(other == seen for _, other in found) else seen.reason
        arrangements = [seen for _, seen in found if isinstance(seen, Arranged)]
        if arrangements:
            return self._together(layer, arrangements, len(found))
        merged: tuple[Field, ...] = ()
        for branch, seen in found:
            assert isinstance(seen, tuple)
            assert isinstance(found[0][1], tuple)
            fields = self._broadcast(seen, layer.input_shapes[branch.place], layer)
            try:
                merged = tuple(map(_either, merged, fields, self.image)) if merged else fields
            except NonUniformField as reason:
                names = ", ".join(shorten(b.name) for b, _ in found)
                return NonUniform(f"{shorten(layer.name)}: its branches ({names}) have different {reason}")
            self._compare(layer, (found[0][0], found[0][1]), (branch, seen))
        if all(_is_whole(field, size) for field, size in zip(merged, self.image, strict=True)):
            return EVERYWHERE
        return merged

    def _together(self, layer: Layer, found: Sequence[Arranged], count: int) -> _Found:
        """What a layer sees through inputs whose positions stand elsewhere, in all of them alike."""
        first = found[0]
        alike = all(replace(one, fields=first.fields, reason=first.reason) == first for one in found)
        if not alike or len(found) < count:
            return first.reason
        try:
            axes = zip(*(one.fields for one in found), strict=True)
            return replace(first, fields=tuple(reduce(Field.union, fields) for fields in axes))
        except NonUniformField as reason:
            return NonUniform(f"{shorten(layer.name)}: its branches have different {reason}")

    def _broadcast(self, fields: tuple[Field, ...], x: Shape, layer: Layer) -> tuple[Field, ...]:
        """An axis of size 1 is repeated along the output; if it has seen the whole image, so has each."""
        if not layer.op.merges or x.spatial == layer.shape.spatial:
            return fields
        found = []
        for field, n, outputs, size in zip(fields, x.spatial, layer.shape.spatial, self.image, strict=True):
            fixed = field.fixed() if n == 1 < outputs else field
            found.append(Field((0,), (size,), 0) if n == 1 < outputs and _covers(fixed, size) else fixed)
        return tuple(found)

    def _compare(self, layer: Layer, one: tuple[_Branch, Seen], other: tuple[_Branch, Seen]) -> None:
        """Note a merge whose branches look around different centres."""
        a, b = one[1], other[1]
        if a is b or not isinstance(a, tuple) or not isinstance(b, tuple) or layer.name in self.misaligned:
            return
        if layer.name in self.blocks:
            return
        for axis, left, right in zip(layer.shape.axes, a, b, strict=True):
            if 0 < left.step * right.period == right.step * left.period and not left.is_aligned_with(right):
                self.misaligned[layer.name] = (
                    f"along the {axis} output 0 looks around {left.centre} through {shorten(one[0].name)} "
                    f"and around {right.centre} through {shorten(other[0].name)}"
                )
                return


def _behind(padded: _Padded, seen: _Found, layer: Layer) -> _Found:
    """What a layer sees of a map that was padded, given what it sees of the map as if that were an input."""
    if not isinstance(seen, (tuple, Arranged)):
        return seen
    fields, sizes = (seen.fields, seen.sides) if isinstance(seen, Arranged) else (seen, layer.shape.spatial)
    if len(fields) != len(sizes):
        return padded.reason
    if all(starmap(_touches, zip(fields, sizes, padded.image, strict=True))):
        return EVERYWHERE
    return replace(padded, inside=seen)


def _touches(field: Field, outputs: int, size: int) -> bool:
    """Whether all of so many outputs see some of the positions of an input."""
    period = min(field.period, outputs)
    return all(field.at(output)[1] > 0 for output in range(period)) and all(
        field.at(output)[0] < size for output in range(outputs - period, outputs)
    )


def _around(limits: Sequence[Limit]) -> Limit:
    """What branches together have left, where each has been cut by itself."""
    starts, stops, inner = zip(*limits, strict=True)
    firsts, lasts = zip(*inner, strict=True)
    return Limit(min(starts), max(stops), (max(firsts), min(lasts)))


def _cut(limit: Limit, field: Field, outputs: int) -> Limit:
    """The same at a layer with so many outputs: what the first and the last of them see."""
    period = min(field.period, outputs)
    start = min(field.at(output)[0] for output in range(period))
    stop = max(field.at(output)[1] for output in range(outputs - period, outputs))
    first, last = limit.inner
    return Limit(max(limit.start, start), min(limit.stop, stop), (max(first, start), min(last, stop)))


def _either(a: Field, b: Field, size: int) -> Field:
    """The union on one axis; an axis that is seen as a whole stays so."""
    return a if _is_whole(a, size) else b if _is_whole(b, size) else a.union(b)


def _covers(field: Field, size: int) -> bool:
    return field.starts[0] <= 0 and field.stops[0] >= size


def _is_whole(field: Field, size: int) -> bool:
    return field.step == 0 and _covers(field, size)
