"""What volumes show: the feature maps of a plan as slabs, those of about one size together as a stage."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import log
from typing import NamedTuple

from ....grouping import grouped
from ....network import Layer
from ....shape import Shape
from ...plan import Box, Edge, Plan, is_position

#: Families of which a layer makes no volume of its own, and those that are passed over for what a box does.
_SILENT = frozenset({"normalization", "activation", "regularization", "reshape"})
_FOLLOWING = frozenset({"normalization", "regularization"})
#: How much the sides of slabs of one stage may differ, as a convolution without padding makes them.
_NEAR = 0.8
#: How many boxes stand in one stage; those that follow stand in another.
_MOST = 12
#: How many layers a scope may have that is shown as the pooling at its end: a transition of a DenseNet.
_TRANSITION = 4
#: How many streams there may be, and how many convolutions in groups there are at least where there are any.
_STREAMS, _TOWERS = 4, 2


@dataclass(frozen=True)
class Slab:
    """A feature map: what one box gives out."""

    box: Box
    shape: Shape | None
    #: What it is coloured by: a family of ops, or of a folded scope the kind of block, after a colon.
    kind: str
    #: Every layer that it stands for: those of its box, and of those that merely do something to it.
    behind: tuple[Layer, ...] = ()
    #: The family of an activation that follows; empty where none does.
    band: str = ""
    #: The parts of what is concatenated: how much each is of the channels, and its kind; empty for what came
    #: around other layers.
    parts: tuple[tuple[float, str], ...] = ()
    #: What a bypass within it goes into, ``add`` for one, and whether that makes the channels grow.
    skip: str = ""
    grows: bool = False
    #: How many streams it is of, each with its share of the channels: grouped convolutions read only theirs.
    streams: int = 1

    @property
    def pools(self) -> bool:
        """Whether it is the pooling at the end of a stage."""
        return self.kind == "pooling" or _is_transition(self.box)


@dataclass
class Stage:
    """Neighbouring slabs of about one size, of which each reads the one before."""

    slabs: list[Slab]
    #: The stages that are read, each with the connection.
    into: list[tuple[int, Edge]] = field(default_factory=list)
    out: list[int] = field(default_factory=list)
    #: Those of them that the first slab reads.
    first: set[int] = field(default_factory=set)
    #: What comes around to a slab that is not the first: which one, and how, by the stage that it is from.
    around: dict[int, tuple[int, Edge]] = field(default_factory=dict)
    column: int = 0
    row: int = 0
    #: Where the axis of its maps enters the first of them.
    x: float = 0
    y: float = 0

    @property
    def boxes(self) -> list[Box]:
        return [slab.box for slab in self.slabs]

    @property
    def shape(self) -> Shape | None:
        return self.slabs[-1].shape

    @property
    def count(self) -> int:
        """How many maps there are, folded ones included."""
        return sum(box.fold for box in self.boxes)

    def drawn(self, most: int) -> list[Slab]:
        """The slabs that are drawn, each as often as it stands there; of many, not so often."""
        times = [slab.box.fold for slab in self.slabs]
        while sum(times) > most and max(times) > 1:
            times[times.index(max(times))] -= 1
        return [slab for slab, count in zip(self.slabs, times, strict=True) for _ in range(count)]


def stages_of(plan: Plan) -> list[Stage]:
    """The volumes of a plan, in order; what merely does something to a volume is none of its own."""
    into = grouped((edge.head, edge) for edge in plan.edges)
    last = plan.boxes[-1].id if plan.boxes else -1
    source: dict[int, int] = {}  # the box that each box's volume stands for
    bands: dict[int, str] = {}
    behind: dict[int, tuple[Layer, ...]] = {}
    for box in plan.boxes:
        feeds = into.get(box.id, [])
        source[box.id] = box.id
        if len({edge.tail for edge in feeds}) == 1 and feeds[0].tail < box.id:
            before = plan.boxes[feeds[0].tail]
            if _is_silent(box, before, ends=box.id == last):
                source[box.id] = source[before.id]
                if _activation(box):
                    bands[source[before.id]] = "activation"
        behind[source[box.id]] = (*behind.get(source[box.id], ()), *box.behind)
    reads: dict[int, dict[int, Edge]] = {}
    readers: dict[int, set[int]] = {}
    for box in plan.boxes:
        if source[box.id] == box.id:
            found = reads.setdefault(box.id, {})
            for edge in into.get(box.id, []):
                found.setdefault(source[edge.tail], edge)
                readers.setdefault(source[edge.tail], set()).add(box.id)
    stages: list[Stage] = []
    stage_of: dict[int, int] = {}
    kinds = {box.id: _kind(box) for box in plan.boxes}
    streams = _streams(plan, source, readers)
    for box in _ordered([box for box in plan.boxes if source[box.id] == box.id], reads, readers):
        feeds_of = {tail: edge for tail, edge in reads[box.id].items() if tail in stage_of}
        skip, grows = _skip(box)
        slab = Slab(
            box,
            box.output,
            kinds[box.id],
            behind[box.id],
            bands.get(box.id) or _activation(box),
            _parts(plan, box, feeds_of, kinds),
            skip,
            grows,
            streams.get(box.id, 1),
        )
        joined = next(
            (
                stage_of[tail]
                for tail in feeds_of
                if stages[stage_of[tail]].slabs[-1].box.id == tail
                and readers[tail] == {box.id}
                and _joins(slab, stages[stage_of[tail]], alone=len(feeds_of) == 1)
                and all(stage_of[other] < stage_of[tail] for other in feeds_of if other != tail)
                and (
                    _grows(plan.boxes[tail])
                    or all(feeds_of[other].bypass for other in feeds_of if other != tail)
                )
            ),
            None,
        )
        if joined is None:
            joined = len(stages)
            stages.append(Stage([slab]))
        else:
            stages[joined].slabs.append(slab)
        stage_of[box.id] = joined
        for tail, edge in feeds_of.items():
            at = stage_of[tail]
            if len(stages[joined].slabs) == 1:
                stages[joined].first.add(at)
            elif at != joined:
                stages[joined].around.setdefault(at, (len(stages[joined].slabs) - 1, edge))
            if at != joined and all(other != at for other, _ in stages[joined].into):
                stages[joined].into.append((at, edge))
                stages[at].out.append(joined)
    _place(stages)
    return stages


def _streams(plan: Plan, source: Mapping[int, int], readers: Mapping[int, Collection[int]]) -> dict[int, int]:
    """How many streams the volumes are of that have several: those that convolutions in a few groups make or
    read, and what they are pooled to.
    """
    groups = {box.id: _groups(box) for box in plan.boxes if source[box.id] == box.id}
    before = {reader: box for box, some in readers.items() for reader in some}
    found = {box: count for box, count in groups.items() if count > 1}
    mixed = any(
        layer.op.family == "reshape" and layer.op.kind != "flatten"
        for box in plan.boxes
        for layer in box.behind
    )
    if len(found) < _TOWERS or mixed:  # a shuffle of channels
        return {}
    for box in groups:
        if not groups[box] and before.get(box) in found:
            found[box] = found[before[box]]
    for box in reversed(groups):
        counts = {found.get(one, 1) if groups[one] != 1 else 1 for one in readers.get(box, ())}
        if len(counts) == 1 and plan.boxes[box].kind == "layers":
            found.setdefault(box, counts.pop())
    return found


def _groups(box: Box) -> int:
    """In how many groups a convolution reads, 1 for all other layers; 0 for pooling, which is map by map."""
    if box.kind != "layers" or not box.layers:
        return 1
    op = box.layers[0].op
    if op.family == "pooling" and not op.kind.startswith("global"):
        return 0
    count = op.attributes().get("groups", 1) if op.kind == "conv" else 1
    return count if isinstance(count, int) and count <= _STREAMS else 1


def reads_apart(stage: Stage) -> bool:
    """Whether each stream of a stage reads one stream alone."""
    return _groups(stage.boxes[0]) != 1


def _ordered(
    boxes: Sequence[Box], reads: Mapping[int, Mapping[int, Edge]], readers: Mapping[int, set[int]]
) -> list[Box]:
    """The boxes with what comes around to an enlarged map right behind where it comes from.

    So the merge of both follows the map.
    """
    place = {box.id: i for i, box in enumerate(boxes)}
    order = [box.id for box in boxes]
    for box in boxes:
        if len(reads[box.id]) != 2:
            continue
        main, other = sorted(reads[box.id])
        if main not in place or not _grows(boxes[place[main]]):
            continue
        way = []
        while other > main and len(reads.get(other, ())) == 1 and len(readers[other]) == 1:
            way.append(other)
            other = next(iter(reads[other]))
        if way and other < main:  # it does not come from the other
            order = [one for one in order if one not in way]
            at = order.index(other) + 1
            order[at:at] = way[::-1]
    return [boxes[place[one]] for one in order]


def _grows(box: Box) -> bool:
    """Whether a box enlarges the maps that it reads."""
    if not box.layers or box.output is None:
        return False
    before, after = box.layers[0].input_shapes[0].spatial, box.output.spatial
    return len(before) == len(after) > 0 and all(a < b for a, b in zip(before, after, strict=True))


def _is_silent(box: Box, before: Box, *, ends: bool) -> bool:
    if box.kind != "layers":
        return False
    if all(map(_cuts, box.layers)):  # what is left of a map is where it is read
        return before.kind != "input" and not ends
    if ends and any(layer.op.kind in ("softmax", "log_softmax") for layer in box.layers):
        return False
    return all(layer.op.family in _SILENT for layer in box.layers) and _is_same(before.output, box.output)


def _cuts(layer: Layer) -> bool:
    """Whether a layer takes a part of a map, with all its channels."""
    return layer.op.kind in ("crop", "slice") and layer.shape.channels == layer.input_shapes[0].channels


def _is_same(a: Shape | None, b: Shape | None) -> bool:
    """Whether a volume does not change: the same shape, or the same numbers in a row."""
    return a is not None and b is not None and (a == b or (len(b) == 1 and a.numel == b.numel))


def _activation(box: Box) -> str:
    """The family of the activation at the end of a box of layers."""
    if box.kind != "layers":
        return ""
    layers = [layer for layer in box.layers if layer.op.family not in _FOLLOWING]
    return "activation" if layers and layers[-1].op.family == "activation" else ""


def _joins(slab: Slab, stage: Stage, *, alone: bool) -> bool:
    """Whether a map that reads the last one of a stage stands in it."""
    last = stage.slabs[-1]
    if "input" in (last.box.kind, slab.box.kind) or slab.box.kind == "failed":
        return False
    a, b = last.shape, slab.shape
    if a is None or b is None or len(a) != len(b) or last.box.training != slab.box.training:
        return False
    if len(stage.slabs) >= _MOST:
        return False
    smaller = all(n <= m for n, m in zip(b.spatial, a.spatial, strict=True))
    if slab.pools and a.spatial and smaller and alone:
        return True
    if last.pools and len(stage.slabs) > 1:  # what is pooled ends its stage, unless it begins it
        return False
    near = all(_NEAR <= n / m <= 1 / _NEAR for n, m in zip(b.spatial, a.spatial, strict=True))
    return near if a.spatial else a == b


def _is_transition(box: Box) -> bool:
    return box.kind == "scope" and len(box.layers) <= _TRANSITION and box.layers[-1].op.family == "pooling"


def _kind(box: Box) -> str:
    """What colours a box: its kind of block, else the family of most of its parameters."""
    if box.kind == "scope":
        return f":{block_of(box)}"
    weights: dict[str, int] = {}
    for layer in box.layers:
        weights[layer.op.family] = weights.get(layer.op.family, 0) + layer.params
    most = max(weights.values(), default=0)
    return next((family for family, count in weights.items() if count == most), "")


def block_of(box: Box) -> str:
    """The kind of block that a folded scope is: its block, or its name without its number."""
    first = box.lines[0]
    said = first.name if is_position(first.what) else first.what.partition(", shared with ")[0]
    name = said or first.name.partition("..")[0]
    return re.sub(r"[\d_.]+$", "", name.rpartition(".")[2]) or name


def _parts(
    plan: Plan, box: Box, feeds: dict[int, Edge], kinds: dict[int, str]
) -> tuple[tuple[float, str], ...]:
    """The parts of what is concatenated along the channels, in their order."""
    merging = box.layers[-1] if box.kind == "layers" and box.layers else None
    if merging is None or merging.op.kind != "concat" or len(feeds) != len(merging.inputs):
        return ()
    whole = sum(shape.channels for shape in merging.input_shapes)
    if whole != merging.shape.channels:
        return ()
    made_by = {name: tail for tail in feeds for name in _names(plan.boxes[tail])}
    found = []
    for name, shape in zip(merging.inputs, merging.input_shapes, strict=True):
        tail = made_by.get(name)
        around = tail is None or bool(feeds[tail].bypass)
        found.append((shape.channels / whole, "" if around or tail is None else kinds[tail]))
    return tuple(found)


def _names(box: Box) -> Sequence[str]:
    return [layer.name for layer in box.layers] or [box.name]


def _skip(box: Box) -> tuple[str, bool]:
    """What a bypass within a folded scope goes into, and whether it makes the channels grow."""
    if box.kind != "scope":
        return "", False
    behind: dict[str, set[str]] = {}
    found = ""
    for layer in box.layers:
        behind[layer.name] = {*layer.inputs}.union(*(behind.get(name, ()) for name in layer.inputs))
        if not layer.op.merges or len(layer.inputs) < 2:
            continue
        ways = [behind.get(name, set()) | {name} for name in layer.inputs]
        around = any(a in ways[i] for a in layer.inputs for i, b in enumerate(layer.inputs) if a != b)
        if layer.op.kind == "concat":
            if around:
                return "concat", True
        elif layer.op.kind == "add" and (around or set.intersection(*ways)):
            found = "add"
    return found, False


# --- where they stand -----------------------------------------------------------------------------


class Valley(NamedTuple):
    """An encoder and its decoder, with connections across that lie within one another."""

    #: How deep each stage lies.
    levels: list[int]
    #: The stages that stand on a connection across, each with the stage that it reads.
    between: dict[int, int]
    #: What comes from another input: stages in a row, the last of which flows into one of the first level.
    aside: list[int] = []
    #: Further connections across, between a level and the next or above the first.
    further: list[tuple[int, int]] = []

    def sides(self) -> tuple[list[tuple[list[int], list[int]]], list[int]]:
        """Of each level the stages of the encoder and of the decoder; and those at the bottom."""
        chain = [i for i in range(len(self.levels)) if i not in self.between and i not in self.aside]
        deepest = max(self.levels)
        bottom = [i for i in chain if self.levels[i] == deepest]
        here = [[i for i in chain if self.levels[i] == level] for level in range(deepest)]
        return [
            ([i for i in some if i < bottom[0]], [i for i in some if i > bottom[-1]]) for some in here
        ], bottom


def valleys_of(stages: Sequence[Stage], *, lying: bool) -> list[Valley]:
    """The ways in which stages are a valley, the best for a page first; none where they are no such thing.

    Around a chain at least two connections go across, or one that is projected. A level ends where one
    begins; or also where maps get smaller, by which it is narrower and deeper.
    """
    aside = _aside(stages)
    between = {
        i: stage.into[0][0]
        for i, stage in enumerate(stages)
        if stage.row and len(stage.into) == 1 and i not in aside
    }
    chain = [i for i in range(len(stages)) if i not in between and i not in aside]
    place = {i: number for number, i in enumerate(chain)}
    if any(len(stages[i].out) != 1 or tail in between for i, tail in between.items()):
        return []
    if any(stage.shape is None for stage in stages):
        return []
    across: list[tuple[int, int]] = []  # by their places in the chain
    for number, head in enumerate(chain):
        tails = [between.get(tail, tail) for tail, _ in stages[head].into if tail not in aside]
        before = chain[number - 1] if number else -1
        if number and all(tail != before for tail in tails):
            return []
        across += [(place[tail], number) for tail in tails if tail != before]
    across, more = _matched([stages[i] for i in chain], across)
    if len(across) < (1 if between else 2) or any(tail >= head - 1 for tail, head in across):
        return []
    if any(a >= b or c <= d for (a, c), (b, d) in pairwise(across)):
        return []
    further = [(chain[tail], chain[head]) for tail, head in more]
    found = [_levels([stages[i] for i in chain], across, steep=steep) for steep in (not lying, lying)]
    whole = []
    for levels in found:
        each = dict(zip(chain, levels, strict=True))
        each |= {i: each[tail] for i, tail in between.items()}
        each |= dict.fromkeys(aside, 1)
        valley = Valley([each[i] for i in range(len(stages))], between, aside, further)
        if _is_drawn(valley, stages) and valley not in whole:
            whole.append(valley)
    return whole


def _aside(stages: Sequence[Stage]) -> list[int]:
    """The stages in a row from another input than the first to the chain; none where there are several."""
    starts = [i for i, stage in enumerate(stages) if not stage.into and stage.row]
    way = starts if len(starts) == 1 else []
    while way and len(stages[way[-1]].out) == 1:
        head = stages[way[-1]].out[0]
        if not stages[head].row:
            return way
        if len(stages[head].into) != 1:
            break
        way.append(head)
    return []


def _matched(
    chain: Sequence[Stage], across: Sequence[tuple[int, int]]
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Of the connections to each stage that from the maps that are nearest in size, the deepest of these;
    and the others.
    """
    found: dict[int, int] = {}
    for tail, head in sorted(across):
        old = found.setdefault(head, tail)
        near, before = (abs(log(_size(chain[one]) / _size(chain[head]))) for one in (tail, old))
        found[head] = tail if near <= before else old
    best = {(tail, head) for head, tail in found.items()}
    return sorted(best), [one for one in across if one not in best]


def _is_drawn(valley: Valley, stages: Sequence[Stage]) -> bool:
    """Whether all that is beside the chain and its connections across has a place in the picture."""
    sides, bottom = valley.sides()
    (first, _), *others = sides
    if valley.aside and (not others or stages[valley.aside[-1]].out[0] not in first[1:]):
        return False
    if valley.further and valley.between:
        return False
    if len({valley.levels[i] for i in valley.between}) < len(valley.between):
        return False
    ends = [*((left[-1], right[0] if right else -1) for left, right in sides), *((i, -1) for i in bottom)]
    for tail, head in valley.further:
        up = valley.levels[tail] - valley.levels[head]
        over = not up and valley.levels[tail] == 0
        if not over and (abs(up) != 1 or all(tail != left for left, _ in ends)):
            return False
        if not over and all(head != right for _, right in ends):
            return False
    return True


def _levels(chain: Sequence[Stage], across: Sequence[tuple[int, int]], *, steep: bool) -> list[int]:
    """How deep each stage of a chain lies, by the connections across it."""
    heads = {head: tail for tail, head in across}
    tails = {tail for tail, _ in across}
    last, first = across[-1]
    levels = [0]
    for i in range(1, last + 1):
        levels.append(
            levels[-1] + (i - 1 in tails or (steep and _size(chain[i]) < _NEAR * _size(chain[i - 1])))
        )
    levels += [levels[last] + 1] * (first - last - 1)
    for i in range(first, len(chain)):
        if i in heads:
            levels.append(levels[heads[i]])
        elif steep:  # beside the maps that are nearest in size
            above = [k for k in range(last + 1) if levels[k] <= levels[-1]]
            near = min(above, key=lambda k: (abs(log(_size(chain[k]) / _size(chain[i]))), -levels[k], k))
            levels.append(levels[near])
        else:
            levels.append(levels[-1])
    return levels


def _size(stage: Stage) -> float:
    """The size of the first map of a stage, along its first axis."""
    shape = stage.slabs[0].shape
    return float(shape.spatial[0]) if shape is not None and shape.spatial else 1.0


def _place(stages: list[Stage]) -> None:
    """Columns by the longest way to each stage; rows so that no two share a place, the spine in row 0."""
    depth = [0] * len(stages)
    for i, stage in enumerate(stages):
        stage.column = max((stages[tail].column + 1 for tail, _ in stage.into if tail < i), default=0)
    for i in range(len(stages) - 1, -1, -1):
        if not stages[i].into and stages[i].boxes[0].kind != "input":  # a parameter, before what reads it
            heads = (stages[head].column - 1 for head in stages[i].out if head > i)
            stages[i].column = max(min(heads, default=0), 0)
        depth[i] = max((depth[head] + 1 for head in stages[i].out if head > i), default=0)
    taken: set[tuple[int, int]] = set()
    spine: set[int] = set()
    at = max(range(len(stages)), key=lambda i: (stages[i].column + depth[i], -i), default=0)
    whole = stages[at].column + depth[at] if stages else 0
    previous = -1
    for i, stage in enumerate(stages):
        if stage.column + depth[i] == whole and (
            previous < 0 or any(tail == previous for tail, _ in stage.into)
        ):
            if previous >= 0 and stage.column != stages[previous].column + 1:
                continue
            previous = i
            spine.add(i)
            taken.add((stage.column, 0))
    for i, stage in enumerate(stages):
        if i in spine:
            continue
        first = max((stages[tail].column for tail, _ in stage.into), default=stage.column) + 1
        last = max((stages[head].column for head in stage.out), default=stage.column + 1)
        kept = [stages[tail].row for tail, _ in stage.into if stages[tail].row and len(stages[tail].out) == 1]
        # above the spine what the spec says before it, unless something leaves the spine there, upward, to go
        # around others; else below
        central = next((j for j in spine if stages[j].column == stage.column), i)
        around = any(stages[head].column > stage.column + 1 for head in stages[central].out)
        sign = -1 if i < central and not around else 1
        rows = [*kept, *(sign * k for k in range(1, len(stages) + 1))]
        span = range(min(first, stage.column), max(last, stage.column + 1))  # it and what flows in and out
        stage.row = next(row for row in rows if not any((column, row) in taken for column in span))
        taken |= {(column, stage.row) for column in span}
