"""What volumes show: the feature maps of a plan as slabs, those of about one size together as a stage."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

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
    for box in plan.boxes:
        if source[box.id] != box.id:
            continue
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
        )
        joined = next(
            (
                stage_of[tail]
                for tail in feeds_of
                if stages[stage_of[tail]].slabs[-1].box.id == tail
                and readers[tail] == {box.id}
                and _joins(slab, stages[stage_of[tail]], alone=len(feeds_of) == 1)
                and all(stage_of[other] < stage_of[tail] for other in feeds_of if other != tail)
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
            if at != joined and len(stages[joined].slabs) > 1:
                stages[joined].around.setdefault(at, (len(stages[joined].slabs) - 1, edge))
            if at != joined and all(other != at for other, _ in stages[joined].into):
                stages[joined].into.append((at, edge))
                stages[at].out.append(joined)
    _place(stages)
    return stages


def _is_silent(box: Box, before: Box, *, ends: bool) -> bool:
    if box.kind != "layers":
        return False
    if all(layer.op.kind == "crop" for layer in box.layers):  # what is left of a map is where it is read
        return before.kind != "input"
    if ends and any(layer.op.kind in ("softmax", "log_softmax") for layer in box.layers):
        return False
    return all(layer.op.family in _SILENT for layer in box.layers) and _is_same(before.output, box.output)


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


def levels_of(stages: Sequence[Stage]) -> list[int]:
    """How deep each stage of an encoder and decoder lies, by the connections across; empty where it is none.

    These lie within one another, at least two of them, around a chain.
    """
    across = []
    for head, stage in enumerate(stages):
        tails = sorted(tail for tail, _ in stage.into)
        if head and (not tails or tails[-1] != head - 1):
            return []
        across += [(tail, head) for tail in tails[:-1]]
    across.sort()
    if len(across) < 2 or any(stage.shape is None for stage in stages):
        return []
    if any(a >= b or c <= d for (a, c), (b, d) in pairwise(across)):
        return []
    if across[-1][0] >= across[-1][1] - 1:
        return []
    down = [sum(tail < i for tail, _ in across) for i in range(len(stages))]
    up = [sum(head <= i for _, head in across) for i in range(len(stages))]
    return [a - b for a, b in zip(down, up, strict=True)]


def _place(stages: list[Stage]) -> None:
    """Columns by the longest way to each stage; rows so that no two share a place, the spine in row 0."""
    depth = [0] * len(stages)
    for i, stage in enumerate(stages):
        stage.column = max((stages[tail].column + 1 for tail, _ in stage.into if tail < i), default=0)
    for i in range(len(stages) - 1, -1, -1):
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
        # above the spine what the spec says before it, below what it says after
        central = next((j for j in spine if stages[j].column == stage.column), i)
        sign = -1 if i < central else 1
        rows = [*kept, *(sign * k for k in range(1, len(stages) + 1))]
        span = range(min(first, stage.column), max(last, stage.column + 1))  # it and what flows in and out
        stage.row = next(row for row in rows if not any((column, row) in taken for column in span))
        taken |= {(column, stage.row) for column in span}
