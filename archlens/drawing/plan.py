"""What a diagram shows of a network: boxes, what flows between them, and the scopes around them.

Scopes deeper than a level become one box, repeated neighbours are folded into the first of them, and a
layer with what merely follows it (normalization, activation) shares a box. Knows nothing of positions,
colours or formats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from heapq import heappop, heappush
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from ..analysis import uses
from ..analysis.receptive_field import ReceptiveFields
from ..analysis.repeats import Child, Fold, Repeats, Tree, differing, layers_of, span, written
from ..errors import Unplaced, UsageError, printable, shorten, usage
from ..grouping import grouped
from ..network import Layer, Network, is_after, scopes_of
from ..ops import NOWHERE, Op
from ..shape import Shape, times
from .metrics import Font, current

if TYPE_CHECKING:
    from ..analysis.study import Study

#: How many boxes the level that is chosen by itself may have, so that a page holds them and they are read.
PAGE = 48
#: How many boxes are laid out at all, and how many levels their connections may cross together, for which
#: a layout takes long. NASNet, all of it open, has the most of the zoo: 1,471.
MOST, LEVELS = 1000, 3000
#: From how many readers on a box may be one that most others read.
_SPREAD = 4
#: The families whose layers share the box of the layer that they follow, and how many lines a box may have.
_FOLLOWING = frozenset({"normalization", "activation", "regularization"})
_LINES = 5
#: How many boxes may be gathered in one, and how many times as large as each other their maps are at most.
_GATHERED, _ALIKE = 24, 1.5
#: The families of what a projection consists of.
_PROJECTING = frozenset({"convolution", "normalization", "pooling", "linear", "reshape"})


class BoxLine(NamedTuple):
    """A line of a box: a layer, or what a box stands for."""

    name: str
    what: str
    #: The family of ops that colours it; empty for what is no layer.
    family: str
    #: Whether it may be left out where there is little room: what follows a layer, counts, and folds.
    spare: bool = False


@dataclass(frozen=True)
class Box:
    """One or more layers that are drawn as one."""

    id: int
    #: ``input``, ``layers``, ``scope`` or ``failed``.
    kind: str
    #: Its full name: of several layers, the first's; of folded scopes ``layer3.1..22``.
    name: str
    lines: tuple[BoxLine, ...]
    #: The layers, of a fold those of the first.
    layers: tuple[Layer, ...]
    #: Every layer that it stands for, in order.
    behind: tuple[Layer, ...]
    #: How many stand behind each layer, by its own fold and by those of the scopes around it.
    repeats: int
    #: How many of them follow one another, by its own fold.
    fold: int
    #: What flows out of it, in words.
    shape: str
    #: The same as a shape; of several, the last.
    output: Shape | None
    #: Everything about it, for those who point at it or have it read to them.
    title: str
    #: The scope around it, by its number; -1 at the top.
    scope: int
    #: Figures of everything that it stands for, where some are asked for.
    figures: str = ""
    #: Whether it is several that follow one another.
    gathered: bool = False
    #: Whether its lines say of which blocks it is, where it stands for a scope.
    told: bool = False

    @property
    def has_strip(self) -> bool:
        """Whether the families of its layers are shown, for want of words."""
        return self.kind == "scope" and not self.told

    @property
    def is_unnamed(self) -> bool:
        """Whether its name says nothing, as if nobody had given it."""
        return is_unnamed(self.name, self.layers[0]) if self.kind == "layers" else is_position(self.name)

    @property
    def training(self) -> bool:
        """Whether it runs in training only."""
        return bool(self.layers) and self.layers[0].training

    @property
    def params(self) -> int:
        """Trainable parameters of everything it stands for, folded or not."""
        return sum(layer.params for layer in self.behind)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of everything it stands for."""
        return sum(layer.macs for layer in self.behind)

    @property
    def values(self) -> int:
        """Numbers that the layers it stands for give out, for one sample."""
        return sum(layer.shape.numel for layer in self.behind)


class Edge(NamedTuple):
    """What flows from one box into another."""

    tail: int
    head: int
    #: Empty; or, where it goes around other layers, the kind of op that merges it: ``add``, ``concat``, …
    bypass: str
    #: Whether the bypass makes the channels grow, as in DenseNet and U-Net.
    grows: bool
    #: Whether it leads to or from boxes that only project, on a way around others into an ``add``.
    projection: bool = False


@dataclass(frozen=True)
class DrawnScope:
    """A scope that is drawn around its boxes."""

    id: int
    parent: int
    #: Its name, relative to the scope around it, and the block that made it; exchanged where it is a number.
    name: str
    what: str
    #: How often it stands there, in honest words; empty for once.
    note: str


@dataclass(frozen=True)
class Plan:
    """What a diagram shows."""

    network: Network
    depth: int
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    scopes: tuple[DrawnScope, ...]
    #: What failed, where the network is a partial one.
    failed: Unplaced | None
    #: Boxes that most others read, of which only what flows into the first is drawn; and how many others.
    spread: tuple[tuple[str, int], ...] = ()
    #: Whether boxes are gathered with merges that others flow into, too.
    merging: bool = False
    #: Parameters that nothing reads, which have no box.
    idle: tuple[str, ...] = ()

    def thinned(self) -> Plan:
        """The same, what most boxes read beside what comes to them, such as a time step, drawn once."""
        heads = grouped((edge.tail, edge.head) for edge in self.edges)
        into = Counter(edge.head for edge in self.edges)
        spread = []
        out = set[Edge]()
        for tail, found in heads.items():
            first, *others = sorted(found)
            if len(found) < max(_SPREAD, len(self.boxes) / 3) or any(into[head] < 2 for head in others):
                continue
            spread.append((self.boxes[tail].name, len(others)))
            out |= {edge for edge in self.edges if edge.tail == tail and edge.head != first}
            into.subtract(others)
        return replace(
            self, edges=tuple(edge for edge in self.edges if edge not in out), spread=tuple(spread)
        )

    def joined(self) -> Plan:
        """The same, merges that stand alone before the scope that they are for being one with it."""
        out, into = Counter(edge.tail for edge in self.edges), Counter(edge.head for edge in self.edges)
        next_ = {
            edge.tail: edge.head
            for edge in self.edges
            if into[edge.tail] > 1 and out[edge.tail] == into[edge.head] == 1
            if len(self.boxes[edge.tail].layers) == 1 and self.boxes[edge.head].kind == "scope"
        }
        kept = [box for box in self.boxes if box.id not in next_]
        number = {box.id: i for i, box in enumerate(kept)}
        number |= {tail: number[head] for tail, head in next_.items() if head in number}
        if len(number) < len(self.boxes):  # a merge before another
            return self
        before = {head: self.boxes[tail] for tail, head in next_.items()}
        boxes = []
        for i, box in enumerate(kept):
            if merge := before.get(box.id):
                layers, behind = merge.layers + box.layers, merge.behind + box.behind
                box = replace(box, layers=layers, behind=behind, title=f"{merge.title}\n{box.title}")
            boxes.append(replace(box, id=i))
        ends = [edge._replace(tail=number[edge.tail], head=number[edge.head]) for edge in self.edges]
        edges = tuple(edge for edge in ends if edge.tail != edge.head)
        return replace(self, boxes=tuple(boxes), edges=edges)

    def gathered(self, *, across: bool = False, merging: bool = False) -> Plan:
        """The same, boxes that merely follow one another being one, a line for each: those on maps of about
        one size, or ``across`` all sizes.

        If ``merging``, what is read by a merge alone is one with it, and others flow into what both are.
        """
        out, into = Counter(edge.tail for edge in self.edges), Counter(edge.head for edge in self.edges)
        level: dict[int, int] = {}
        for edge in sorted(self.edges, key=lambda edge: edge.head):
            level[edge.head] = max(level.get(edge.head, 0), level.get(edge.tail, 0) + 1)
        plain = {
            edge.head: edge.tail
            for edge in sorted(self.edges, key=lambda edge: level.get(edge.tail, 0))  # the farthest
            if out[edge.tail] == 1 and (into[edge.head] == 1 or merging)
            if not edge.bypass and not edge.projection
        }
        groups: dict[int, list[Box]] = {}
        group_of: dict[int, int] = {}
        for box in self.boxes:
            group = groups.get(group_of.get(plain.get(box.id, -1), -1), [])
            if not group or not _goes_on(group, box, across=across):
                group = groups[len(groups)] = []
            group.append(box)
            group_of[box.id] = len(groups) - 1 if len(group) == 1 else group_of[group[0].id]
        if merging:  # after all that flows into it
            order = sorted(groups, key=lambda i: groups[i][-1].id)
            place = {old: new for new, old in enumerate(order)}
            groups = {new: groups[old] for new, old in enumerate(order)}
            group_of = {box: place[i] for box, i in group_of.items()}
        boxes = tuple(replace(_as_one(group), id=i) for i, group in groups.items())
        ends = [edge._replace(tail=group_of[edge.tail], head=group_of[edge.head]) for edge in self.edges]
        edges = tuple(edge for edge in ends if edge.tail != edge.head)
        merged = any(into[box.id] > 1 for group in groups.values() for box in group[1:])
        return replace(self, boxes=boxes, edges=edges, merging=merged)

    @property
    def is_gathered(self) -> bool:
        """Whether a box stands for several of the others."""
        return any(box.gathered for box in self.boxes)

    @cached_property
    def places(self) -> dict[Hashable, Any]:
        """Layouts of it, by what they depend on."""
        return {}

    @cached_property
    def families(self) -> tuple[str, ...]:
        """The families of ops that are seen: those of lines in order of appearance, and then others."""
        written = [line.family for box in self.boxes for line in box.lines if line.family]
        shown = (layer.op.family for box in self.boxes if box.has_strip for layer in box.layers)
        return tuple(dict.fromkeys([*written, *shown]))


def spread(plan: Plan) -> list[str]:
    """What most boxes read, and has one line; and what none reads, and has no box."""
    return [
        *(
            f"{printable(name)} flows into {count:,} more boxes than that to which its line leads."
            for name, count in plan.spread
        ),
        *(f"The parameter {printable(name)}, which nothing reads, is not drawn." for name in plan.idle[:3]),
    ]


def gathering(plan: Plan) -> list[str]:
    """How boxes of several lines are read."""
    if not plan.is_gathered:
        return []
    joins = " What flows in beside the first is merged there." if plan.merging else ""
    return [f"Lines of a box follow one another; what follows a layer in it is left out.{joins}"]


def _goes_on(group: Sequence[Box], box: Box, *, across: bool) -> bool:
    """Whether a box that follows others may be one with them."""
    first, last = group[0], group[-1]
    if any(one.kind not in ("layers", "scope") or one.output is None for one in (last, box)):
        return False
    if box.scope != first.scope or box.training != first.training or _around(box) != _around(first):
        return False
    sizes = [prod(one.output.spatial) for one in (first, box) if one.output is not None]
    return len(group) < _GATHERED and (across or min(sizes) * _ALIKE >= max(sizes))


def _around(box: Box) -> int:
    """How often the scope stands there in which a box does."""
    return box.repeats // box.fold


def _as_one(group: Sequence[Box]) -> Box:
    """Boxes that follow one another as one, a line for each, and one for those that say the same."""
    first, last = group[0], group[-1]
    if len(group) == 1:
        return first
    lines: list[BoxLine] = []
    for rows in _runs(group):
        (head, *more), count = rows[0], len(rows)
        name = head.name if count == 1 or not head.name else f"{head.name}..{rows[-1][0].name}"
        times = sum(box.fold for box in group if any(box.lines[0] is row[0] for row in rows))
        what = head.what + (f" x{times:,}" if times > 1 else "")
        lines += [head._replace(name=name, what=what), *more]
    return replace(
        first,
        kind="scope" if any(box.kind == "scope" for box in group) else "layers",
        name=f"{first.name.partition('..')[0]}..{end_of(last.name)}",
        lines=tuple(lines),
        layers=tuple(layer for box in group for layer in box.layers),
        behind=tuple(layer for box in group for layer in box.behind),
        repeats=_around(first),
        fold=1,
        shape=last.shape,
        output=last.output,
        title="\n".join(box.title for box in group),
        gathered=True,
        told=all(box.told for box in group if box.kind == "scope"),
    )


def end_of(name: str) -> str:
    """The last of those that a name stands for.

    >>> end_of("layer3.1..22"), end_of("cell_0..cell_5"), end_of("conv1.0")
    ('layer3.22', 'cell_5', 'conv1.0')
    """
    first, folds, last = name.partition("..")
    scope = first.rpartition(".")[0]
    return f"{scope}.{last}" if folds and scope else last or first


def _runs(group: Sequence[Box]) -> list[list[list[BoxLine]]]:
    """The lines of boxes that cannot be left out, those put together that say the same."""
    runs: list[list[list[BoxLine]]] = []
    for box in group:
        rows = [row for i, row in enumerate(box.lines) if not i or not row.spare]
        if (
            runs
            and rows[0].what
            and [row._replace(name="") for row in rows] == [row._replace(name="") for row in runs[-1][0]]
        ):
            runs[-1].append(rows)
        else:
            runs.append([rows])
    return runs


class TooMuch(UsageError):
    """A network has too much to draw."""


def _too_many(plans: Plans, depth: int) -> TooMuch:
    name, full = shorten(plans.network.name), plans.full
    for level in range(depth - 1, 0, -1):
        found = plans.made(level, MOST)
        if found is not None:
            problem = usage(
                f"{name} has more than {full or f'{MOST:,} boxes'} at --depth {depth}, too many to lay out",
                help=f"--depth {level} folds it to {len(found.boxes):,}; without --depth it fits a page",
            )
            break
    else:
        full = plans.full or f"{MOST:,} different layers"
        problem = usage(
            f"{name} has more than {full} at the top, too many to lay out",
            help="give its stages names (`stage1: [steps]`), so that --depth 1 folds each into one box",
        )
    return TooMuch(problem.diagnostic)


@dataclass
class _Draft:
    """A box while the plan is made."""

    kind: str
    layers: list[Layer]
    scope: int
    repeats: int
    tree: Tree | None = None
    note: str = ""
    fold: int = 1
    name: str = ""
    #: The name that heads it in the place of its own: that of the scope around it, which holds nothing else.
    heading: str = ""
    #: Parameters that it alone reads, and what becomes of them on the way to it.
    beside: list[Layer] = field(default_factory=list)


@dataclass
class _Frame:
    """A scope while the plan is made."""

    parent: int
    path: str
    what: str
    note: str
    #: How many parts of a name its own is.
    level: int
    fold: int
    boxes: list[int] = field(default_factory=list)
    frames: int = 0
    dissolved: bool = False
    #: As of a draft.
    heading: str = ""


class _Full(Exception):
    """There are more boxes than asked for; or more of what is said."""


class Plans:
    """The plans of one network at several depths, each made once.

    They are the same in every style and theme; what is found out about the network is so once for all.
    """

    def __init__(self, network: Network, failed: Unplaced | None = None, study: Study | None = None) -> None:
        self.network = network
        self.failed = failed
        self._study = study
        inputs = failed.inputs if failed is not None else ()
        self.repeats = study.repeats if study is not None else Repeats(network, inputs)
        self.consumers = self.repeats.consumers
        self._at: dict[int | None, Plan] = {}
        self._known: dict[Font, dict[Hashable, Any]] = {}
        #: What there was too much of at the depth that was tried last, unless it was boxes.
        self.full = ""
        #: Words in the place of attributes, by layer; and scopes that are never opened.
        self.words: Mapping[str, Mapping[str, str]] = {}
        self.closed: Collection[str] = ()

    @property
    def known(self) -> dict[Hashable, Any]:
        """What a style has found out about a plan, by what it depends on beside the font."""
        return self._known.setdefault(current(), {})

    @cached_property
    def study(self) -> Study:
        """The network with what is found out about it."""
        from ..analysis.study import Study

        return self._study or Study(self.network)

    @property
    def fields(self) -> ReceptiveFields:
        """What each layer sees of the only input, or of the first."""
        return self.study.receptive_fields

    def at(self, depth: int | None = None) -> Plan:
        """What to show with so many levels of scopes opened, or with as many as fit a page.

        Raises:
            TooMuch: there are too many boxes to lay out.
        """
        found = self._at.get(depth)
        if found is None:
            found = self._at[depth] = self._chosen(depth)
            self._at.setdefault(found.depth, found)
        return found

    def _chosen(self, depth: int | None) -> Plan:
        if depth is not None:
            found = self.made(depth, MOST)
            if found is None:
                raise _too_many(self, depth)
            return found
        for level in range(self.repeats.deepest, 0, -1):
            found = self.made(level, PAGE if level > 1 else MOST)
            if found is not None:
                return found
        raise _too_many(self, 1)

    def flat(self, depth: int, most: int) -> Plan | None:
        """The plan at a depth without scopes around its boxes, scopes that are mere lists being open, too;
        ``None`` where it has more than ``most`` boxes, or something that a scope would have to say.
        """
        try:
            return _Planner(self, depth, most, flat=True).plan()
        except _Full:
            return None

    @cached_property
    def kindred(self) -> Plan | None:
        """The plan at depth 1, scopes of one kind that follow one another on maps of one size being one;
        ``None`` where there are none.
        """
        folds = self.repeats.folds([self.repeats.root])
        if all(isinstance(run, Fold) for run in _runs_of_scopes(folds, self.network)):
            return None
        try:
            return _Planner(self, 1, PAGE, kindred=True).plan()
        except _Full:
            return None

    def made(self, depth: int, most: int) -> Plan | None:
        """The plan at a depth; ``None`` where it has more than ``most`` boxes, or too long connections."""
        try:
            return _Planner(self, depth, most).plan()
        except _Full as problem:
            self.full = str(problem)
            return None


class _Planner:
    """Lays the children of the tree out as boxes and scopes, at one depth."""

    def __init__(
        self, plans: Plans, depth: int, most: int, *, flat: bool = False, kindred: bool = False
    ) -> None:
        self.plans = plans
        #: Whether scopes of one kind that follow one another are one box.
        self.kindred = kindred
        #: Whether no scope is drawn around others, and those that were open would have been.
        self.flat = flat
        self.opened: list[str] = []
        self.network = plans.network
        self.depth = depth
        self.most = most
        self.drafts: list[_Draft] = []
        self.frames: list[_Frame] = []
        #: The box of each layer, and of those folded away that of their first.
        self.box_of: dict[str, int] = {}
        #: For each layer that is drawn, all those that it stands for, itself first.
        self.alike: dict[str, list[Layer]] = {}
        #: The layers that are drawn, and so what flows into them.
        self.drawn: list[Layer] = []
        #: Every layer that each box stands for.
        self.behind: dict[int, list[Layer]] = {}
        #: The scopes that are further uses, each with what it applies.
        self.uses = {use.name: use.of for use in uses.find(self.network).values() if use.name}

    def plan(self) -> Plan:
        for name in self.network.inputs:
            self.box_of[name] = self.add(_Draft("input", [], -1, 1, name=name))
        self.place([self.plans.repeats.root], -1, 1, 1)
        self.put_in_order()
        if self.plans.failed is not None:
            self.add(_Draft("failed", [], self.around(self.plans.failed.name), 1))
        edges, sources = self.edges()
        if _crossed(edges) > LEVELS:
            raise _Full(f"{LEVELS:,} levels for its connections to cross")
        self.behind = grouped(
            (self.box_of[layer.name], layer) for layer in self.network.layers if layer.name in self.box_of
        )
        renumbered = self.dissolve()
        boxes = tuple(
            self.box(i, draft, sources.get(i, ()), renumbered) for i, draft in enumerate(self.drafts)
        )
        scopes = tuple(
            DrawnScope(
                renumbered[i],
                renumbered[frame.parent],
                *headed(self.relative(frame.heading or frame.path, frame.parent), frame.what),
                frame.note,
            )
            for i, frame in enumerate(self.frames)
            if not frame.dissolved
        )
        wires = (*bypasses(boxes, edges), *self.stopping())
        idle = tuple(layer.name for layer in self.network.layers if layer.name not in self.box_of)
        return Plan(self.network, self.depth, boxes, wires, scopes, self.plans.failed, idle=idle)

    def add(self, draft: _Draft) -> int:
        if len(self.drafts) >= self.most:
            raise _Full
        self.drafts.append(draft)
        number = len(self.drafts) - 1
        if draft.scope >= 0:
            self.frames[draft.scope].boxes.append(number)
        return number

    def frame(self, parent: int, path: str, what: str, note: str, fold: int, level: int) -> int:
        self.frames.append(_Frame(parent, path, what, note, level, fold))
        if parent >= 0:
            self.frames[parent].frames += 1
        return len(self.frames) - 1

    def put_in_order(self) -> None:
        """Have each box stand after those that it reads, also of a scope that is left and entered again."""
        heads = grouped(self.edges()[0])
        waiting = Counter(head for some in heads.values() for head in some)
        ready = [number for number in range(len(self.drafts)) if not waiting[number]]
        order: list[int] = []
        while ready:
            order.append(heappop(ready))
            for head in heads.get(order[-1], ()):
                waiting[head] -= 1
                if not waiting[head]:
                    heappush(ready, head)
        if len(order) < len(self.drafts):  # some read each other
            return
        place = {old: new for new, old in enumerate(order)}
        self.drafts = [self.drafts[old] for old in order]
        self.box_of = {name: place[old] for name, old in self.box_of.items()}
        for frame in self.frames:
            frame.boxes = sorted(place[old] for old in frame.boxes)

    def around(self, name: str) -> int:
        """The innermost scope that is drawn around a name."""
        inside = [i for i, frame in enumerate(self.frames) if name.startswith(f"{frame.path}.")]
        return inside[-1] if inside else -1

    # --- boxes --------------------------------------------------------------------------------

    def place(self, trees: Sequence[Tree], scope: int, level: int, repeats: int) -> None:
        folds = self.plans.repeats.folds(trees)
        if not self.kindred:
            for fold in folds:
                self.fold(fold, scope, level, repeats)
            return
        for run in _runs_of_scopes(folds, self.network):
            if isinstance(run, Fold):
                self.fold(run, scope, level, repeats)
            else:
                self.run(run, scope, repeats)

    def run(self, trees: list[Tree], scope: int, repeats: int) -> None:
        """Scopes that follow one another as one box."""
        layers = [layer for tree in trees for layer in tree.layers]
        name, count = span(trees[0].path, trees[-1].path), len(trees)
        draft = _Draft("scope", layers, scope, repeats * count, trees[0], _times(count, layers), count, name)
        number = self.add(draft)
        self.alike |= {layer.name: [layer] for layer in layers}
        self.box_of |= dict.fromkeys((layer.name for layer in layers), number)
        self.drawn += layers

    def fold(self, fold: Fold, scope: int, level: int, repeats: int) -> None:
        first, count = fold.copies[0], fold.count
        note = _note(fold) if count > 1 else ""
        every = repeats * count
        if len(fold.columns) == 1:
            self.child(fold.columns[0], fold.span, scope, level, every, note, count)
        elif self.flat:
            raise _Full
        else:
            frame = self.frame(scope, fold.span, "", note, count, level - 1)
            for column in fold.columns:
                self.child(column, "", frame, level, every)
        for copy in fold.copies[1:]:
            for layer, same in zip(copy, first, strict=True):
                self.box_of[layer.name] = self.box_of[same.name]

    def child(
        self, column: tuple[Child, ...], span: str, scope: int, level: int, repeats: int, note: str = "",
        fold: int = 1,
    ) -> None:  # fmt: skip
        child = column[0]
        layers = layers_of(child)
        if (
            repeats == 1
            and not self.plans.failed
            and all(is_idle(one, self.plans.consumers) for one in layers)
        ):
            return
        is_open = isinstance(child, Tree) and level < self.depth and child.path not in self.plans.closed
        if self.flat and isinstance(child, Tree) and (is_open or _is_list(child)):
            if note:
                raise _Full
            if not _is_list(child):
                self.opened.append(child.path)
            self.place([child], scope, level + is_open, repeats)
            return
        if isinstance(child, Tree) and not is_open and _is_list(child) and is_left(child, self.network):
            self.place([child], scope, level, repeats)
            return
        if isinstance(child, Tree) and is_open:
            path, what = span or child.path, self.kind_of(child.path)
            trees = [tree for tree in column if isinstance(tree, Tree)]
            self.place(trees, self.frame(scope, path, what, note, fold, level), level + 1, repeats)
            return
        for same in zip(*map(layers_of, column), strict=True):
            self.alike[same[0].name] = list(same)
        if isinstance(child, Layer) or is_one(layers, self.plans.consumers):
            self.layer(layers[0], scope, repeats, note, fold)
            alone = self.drafts[-1].layers == [layers[0]]
            if alone and isinstance(child, Tree) and _is_one_of(layers[0].name, child.path):
                self.drafts[-1].heading = child.path
            for layer in layers[1:]:
                self.layer(layer, scope, repeats)
        else:
            draft = _Draft("scope", layers, scope, repeats, child, note, fold, span or child.path)
            number = self.add(draft)
            for layer in layers:
                self.box_of[layer.name] = number
            self.drawn += layers

    def layer(self, layer: Layer, scope: int, repeats: int, note: str = "", fold: int = 1) -> None:
        number = len(self.drafts) - 1
        if not note and self.follows(layer, scope, repeats):
            self.drafts[number].layers.append(layer)
        else:
            beside = [] if note else self.beside(layer, scope, repeats)
            number = self.add(_Draft("layers", [layer], scope, repeats, None, note, fold, beside=beside))
            self.box_of |= dict.fromkeys((one.name for one in beside), number)
        self.box_of[layer.name] = number
        self.drawn.append(layer)

    def beside(self, layer: Layer, scope: int, repeats: int) -> list[Layer]:
        """The parameter that only a merge reads, with what becomes of it there, whose boxes are taken away:
        it shares that of the merge.
        """
        if not layer.op.merges:
            return []
        around = {scope}
        while scope >= 0 and not self.frames[scope].boxes and not self.frames[scope].frames:
            scope = self.frames[scope].parent  # of a scope that begins with the merge
            around.add(scope)
        found: list[Layer] = []
        reader = layer
        for taken, draft in enumerate(reversed(self.drafts), 1):
            if (
                draft.kind != "layers"
                or draft.note
                or draft.beside
                or draft.scope not in around
                or draft.repeats != repeats
                or self.plans.consumers[draft.layers[-1].name] != [reader.name]
                or len(found) + len(draft.layers) >= _LINES
            ):
                break
            found = draft.layers + found
            reader = found[0]
            if reader.facts.reach is NOWHERE:
                for gone in self.drafts[-taken:]:
                    if gone.scope >= 0:
                        self.frames[gone.scope].boxes.pop()
                del self.drafts[-taken:]
                return found
        return []

    def follows(self, layer: Layer, scope: int, repeats: int) -> bool:
        """Whether a layer merely follows the last box, and so shares it."""
        if not self.drafts:
            return False
        last = self.drafts[-1]
        return (
            last.kind == "layers"
            and (not last.note or last.layers[-1].scope == layer.scope)
            and (last.scope, last.repeats) == (scope, repeats)
            and len(last.layers) < _LINES
            and _is_chained(layer, last.layers[-1], self.plans.consumers)
        )

    def edges(self) -> tuple[dict[tuple[int, int], Layer], dict[int, list[Shape]]]:
        """Which box feeds which, with the layer that is fed; and the shapes that leave each box."""
        edges: dict[tuple[int, int], Layer] = {}
        leaving: dict[int, list[Shape]] = {}
        for layer in self.drawn:
            head = self.box_of[layer.name]
            for name, shape in flowing_into(layer):
                tail = self.box_of[name]
                if tail != head:
                    edges.setdefault((tail, head), layer)
                    leaving.setdefault(tail, []).append(shape)
        return edges, leaving

    def stopping(self) -> list[Edge]:
        """What flows into the layer that failed."""
        failed = self.plans.failed
        sources = dict.fromkeys(self.box_of[name] for name in failed.inputs) if failed else ()
        return [Edge(tail, len(self.drafts) - 1, "", False) for tail in sources]

    def dissolve(self) -> dict[int, int]:
        """Take away the scopes around a single box; the numbers that the others keep."""
        for number in range(len(self.frames) - 1, -1, -1):
            frame = self.frames[number]
            if len(frame.boxes) + frame.frames < 2 and not (frame.note and frame.frames):
                draft = self.drafts[frame.boxes[0]] if frame.boxes else None
                if frame.note and (draft is None or draft.note):
                    continue
                heading = frame.heading or frame.path
                if draft is not None:
                    draft.scope = frame.parent
                    draft.note = draft.note or frame.note
                    draft.fold *= frame.fold
                    if draft.kind == "scope" and _is_one_of(draft.name, frame.path):
                        draft.heading = heading
                frame.dissolved = True
                for inner in self.frames[number + 1 :]:
                    if inner.parent == number:
                        inner.parent = frame.parent
                        if _is_one_of(inner.path, frame.path):
                            inner.heading = heading
                if frame.parent >= 0:
                    around = self.frames[frame.parent]
                    around.boxes += frame.boxes
                    around.frames += frame.frames - 1
        kept = [i for i, frame in enumerate(self.frames) if not frame.dissolved]
        return {-1: -1} | {old: new for new, old in enumerate(kept)}

    def relative(self, path: str, scope: int) -> str:
        """A name as it is said inside a scope."""
        level = self.frames[scope].level if scope >= 0 else 0
        level += max((one.count(".") + 1 for one in self.opened if path.startswith(f"{one}.")), default=0)
        return printable(path.split(".", level)[-1])

    def box(self, number: int, draft: _Draft, leaving: Iterable[Shape], renumbered: dict[int, int]) -> Box:
        output: Shape | None = None
        lines: list[BoxLine] = []
        if draft.kind == "input":
            output = self.network.inputs[draft.name]
            lines.append(BoxLine(printable(draft.name), "" if draft.name == "input" else "input", ""))
            title = f"{printable(draft.name)}: {output}"
        elif draft.kind == "failed":
            failed = self.plans.failed
            assert failed is not None
            lines.append(BoxLine(self.relative(failed.name, draft.scope), shorten(failed.op), ""))
            title = f"{printable(failed.name)}: {printable(failed.op)}; {printable(failed.why)}"
        else:
            output = draft.layers[-1].shape
            if draft.kind == "scope":
                lines = self.scope_lines(draft)
                title = self.scope_title(draft)
            else:
                first, *others = draft.layers
                lines = [self.line(first, draft.scope)]
                lines += [self.line(layer, draft.scope, first.scope) for layer in others]
                if draft.heading and lines[0].what:  # somebody named the scope that it is
                    lines[0] = lines[0]._replace(name=self.relative(draft.heading, draft.scope))
                lines[1:] = [line._replace(spare=True) for line in lines[1:]]
                lines += [self.line(layer, draft.scope) for layer in draft.beside]
                shared = dict.fromkeys(filter(None, map(self.shared, [*draft.beside, *draft.layers])))
                lines += [BoxLine("", one, "") for one in shared]
                title = "\n".join(map(self.layer_title, [*draft.beside, *draft.layers]))
            if draft.note:
                lines += [BoxLine("", part, "", not i) for i, part in enumerate(draft.note.split("; "))]
                title += f"\n{draft.note}"
            if draft.layers[0].training:
                title += "\nin training only"
        shapes = list(dict.fromkeys(leaving)) or ([output] if output is not None else [])
        return Box(
            number,
            draft.kind,
            printable(self.called(draft)),
            tuple(lines),
            tuple(draft.layers),
            tuple(self.behind.get(number, ())),
            draft.repeats,
            draft.fold,
            ", ".join(map(str, shapes[:3])),
            shapes[-1] if shapes else None,
            title,
            renumbered[draft.scope],
        )

    def kind_of(self, path: str) -> str:
        """What a scope is: its block, and the scope whose weights it has, if they are another's."""
        shared = f"shared with {printable(self.uses[path])}" if path in self.uses else ""
        return ", ".join(filter(None, (printable(self.network.headed(path)), shared)))

    def shared(self, layer: Layer) -> str:
        """Whose weights a layer has; empty where they are its own, or a scope around it says so."""
        if not layer.keys or any(scope in self.uses for scope in scopes_of(layer.scope)):
            return ""
        owner = layer.again or next(iter(layer.keys.values())).rpartition(".")[0]
        return f"shared with {printable(owner)}" if owner not in ("", layer.name) else ""

    def line(self, layer: Layer, scope: int, within: str = "") -> BoxLine:
        """What is said of a layer in a scope, ``within`` a scope that a line above has named."""
        if within and layer.scope == within:
            name = printable(layer.name.rpartition(".")[2])
        else:
            name = self.relative(layer.name, scope)
        said = differing([one.op for one in self.alike[layer.name]])
        what = short(layer, {**said, **self.plans.words.get(layer.name, {})})
        if said:  # these are long, and so a name that is the op says it
            what = what.removeprefix(f"{name}, ")
        return layer_line(name, what, layer)

    def layer_title(self, layer: Layer) -> str:
        alike = self.alike[layer.name]
        shapes = " to ".join(dict.fromkeys([str(layer.shape), str(alike[-1].shape)]))
        return f"{printable(layer.name)}: {written([one.op for one in alike])} -> {shapes}"

    def scope_title(self, draft: _Draft) -> str:
        """Every layer of a folded scope, as far as a title can be read."""
        lines = [f"{printable(draft.name)}:", *map(self.layer_title, draft.layers[:200])]
        if len(draft.layers) > 200:
            lines.append(f"and {len(draft.layers) - 200:,} more layers")
        return "\n".join(lines)

    def called(self, draft: _Draft) -> str:
        if draft.kind == "failed":
            assert self.plans.failed is not None
            return self.plans.failed.name
        return draft.name or draft.layers[0].name

    def scope_lines(self, draft: _Draft) -> list[BoxLine]:
        from ..views.words import rounded

        assert draft.tree is not None
        counts = [sum(self.alike[layer.name][end].params for layer in draft.layers) for end in (0, -1)]
        params = " to ".join(map(rounded, dict.fromkeys(counts)))
        count = f"{len(draft.layers):,} layers"
        name = draft.heading or draft.name
        heading = headed(self.relative(name, draft.scope), self.kind_of(draft.tree.path))
        if is_position(heading[0]) and self.opened:  # of a scope around it that is not drawn
            heading = printable(".".join(name.rsplit(".", 2)[-2:])), heading[1]
        return [
            BoxLine(*heading, ""),
            BoxLine("", f"{count}, {params} params" if any(counts) else count, "", True),
        ]


def flowing_into(layer: Layer) -> Iterable[tuple[str, Shape]]:
    """What a layer reads, by name: nothing flows into a parameter, with which a branch begins."""
    return () if layer.facts.reach is NOWHERE else zip(layer.inputs, layer.input_shapes, strict=True)


def is_idle(layer: Layer, consumers: Mapping[str, list[str]]) -> bool:
    """Whether a layer is a parameter that nothing reads, so that what it is in training is not seen."""
    return layer.facts.reach is NOWHERE and not consumers.get(layer.name)


def _is_list(tree: Tree) -> bool:
    """Whether the parts of a scope have nothing to do with each other."""
    made = [{layer.name for layer in layers_of(child)} for child in tree.children]
    read = [{name for layer in layers_of(child) for name in layer.inputs} for child in tree.children]
    return len(made) > 1 and all(
        made[i].isdisjoint(read[j]) for i in range(len(made)) for j in range(len(made)) if i != j
    )


def is_left(tree: Tree, network: Network) -> bool:
    """Whether a way leaves a scope and comes back to it, so that what is one box would read itself."""
    inside = {layer.name for layer in tree.layers}
    beyond: set[str] = set()
    for layer in network.layers:
        if layer.name in inside:
            if not beyond.isdisjoint(layer.inputs):
                return True
        elif not beyond.isdisjoint(layer.inputs) or not inside.isdisjoint(layer.inputs):
            beyond.add(layer.name)
    return False


def is_one(layers: Sequence[Layer], consumers: Mapping[str, list[str]]) -> bool:
    """Whether layers share one box: each but the first merely follows the one before."""
    return len(layers) <= _LINES and all(
        _is_chained(layer, before, consumers) for before, layer in pairwise(layers)
    )


def _is_chained(layer: Layer, before: Layer, consumers: Mapping[str, list[str]]) -> bool:
    """Whether a layer merely does something to what another makes, and is alone in reading it."""
    return (
        layer.op.family in _FOLLOWING
        and layer.inputs == (before.name,)
        and consumers[before.name] == [layer.name]
        and before.training == layer.training
    )


def is_position(name: str) -> bool:
    """Whether a name is only where something stands in lists: ``0``, ``18.0``, or of folded ones ``1..5``."""
    return all(part.isdigit() for part in name.replace("..", ".").split("."))


def is_unnamed(name: str, layer: Layer) -> bool:
    """Whether a name says no more than the place of a layer, or its op where that has no tensors to name."""
    return is_position(name) or (is_after(name, layer.op.kind) and not layer.facts.weights)


def layer_line(name: str, what: str, layer: Layer) -> BoxLine:
    """A layer's line: its name and what it is; headed by that where nobody named it, or by the scope around
    it where somebody named that alone.
    """
    around, _, own = name.rpartition(".")
    if is_unnamed(name, layer):
        name, what = what, ""
    elif is_unnamed(own, layer) and not is_position(own):
        name = around
    return BoxLine(name, "" if name == what else what, layer.op.family)


def headed(name: str, what: str) -> tuple[str, str]:
    """What heads a scope and what stands beside it: its name, or where nobody named it what it is."""
    if name == what:
        return name, ""
    return (what, name) if what and is_position(name) else (name, what)


def _is_one_of(name: str, scope: str) -> bool:
    """Whether a name says no more than that of the scope around it: where it stands there, or how often."""
    inner = name.removeprefix(f"{scope}.")
    return name != inner and (".." in inner or is_position(inner))


def _runs_of_scopes(folds: Iterable[Fold], network: Network) -> Iterator[Fold | list[Tree]]:
    """Scopes of one kind that follow one another, each reading the one before; and all else as it is."""
    runs: list[Fold | list[Tree]] = []
    for fold in folds:
        copies = zip(*(column[: fold.count] for column in fold.columns), strict=True)
        some = [child for copy in copies for child in copy]
        if not all(isinstance(child, Tree) and network.headed(child.path) for child in some):
            runs.append(fold)
            continue
        for tree in some:
            assert isinstance(tree, Tree)
            if runs and isinstance(before := runs[-1], list) and _is_next(tree, before[-1], network):
                before.append(tree)
            else:
                runs.append([tree])
    for run in runs:
        if isinstance(run, list) and len(run) == 1:
            run = Fold(((run[0],),), (tuple(run[0].layers),))
        yield run


def _is_next(tree: Tree, before: Tree, network: Network) -> bool:
    """Whether a scope is of the kind of another that it reads, on maps of the same size."""
    made = {layer.name for layer in before.layers}
    return (
        network.headed(tree.path) == network.headed(before.path)
        and tree.layers[-1].shape == before.layers[-1].shape
        and any(not made.isdisjoint(layer.inputs) for layer in tree.layers)
    )


def _note(fold: Fold) -> str:
    return "; ".join([_times(fold.count, fold.copies[0]), *fold.changes])


def _times(count: int, layers: Iterable[Layer]) -> str:
    own = ", each with its own weights" if any(layer.params for layer in layers) else ""
    return f"x{count:,}{own}"


def short(layer: Layer, instead: Mapping[str, str] = {}) -> str:
    """An op as figures in papers say it: ``7x7 conv, 64, /2``.

    Args:
        layer: where it stands.
        instead: other words in the place of some values.
    """
    op = layer.op
    values = op.attributes()
    axes = max(len(layer.input_shapes[0].spatial), 1)
    kernel, stride = values.get("kernel"), values.get("stride", 1)
    letter = instead.get("kernel")
    size = "x".join([letter] * axes) if letter else _size(kernel, axes)
    words = [f"{size} {op.kind}" if kernel is not None else op.kind]
    words += [instead.get(name) or _plain(values[name]) for name in required(op) if name != "kernel"]
    if stride is None and kernel is not None:
        stride = kernel
    if "stride" in values and ("stride" in instead or not _is_one(stride)):
        words.append(f"/{instead.get('stride') or _even(stride)}")
    for name in ("dilation", "groups"):
        if name not in required(op) and (name in instead or not _is_one(values.get(name, 1))):
            words.append(f"{name} {instead.get(name) or _even(values[name])}")
    return ", ".join(words)


def required(op: Op) -> list[str]:
    """The attributes that an op cannot do without."""
    from ..ops.op import signature

    return [name for name, parameter in signature(type(op)).items() if parameter.required]


def _size(value: object, axes: int) -> str:
    return times([value] * axes if isinstance(value, int) else value if isinstance(value, tuple) else ())


def _even(value: object) -> str:
    """A size along every axis: one number where all are equal, or else each."""
    even = isinstance(value, tuple) and len(set(value)) == 1
    return _plain(value[0] if even else value)  # type: ignore[index]


def _is_one(value: object) -> bool:
    return value == 1 or (isinstance(value, tuple) and all(one == 1 for one in value))


def _plain(value: object) -> str:
    if isinstance(value, tuple) and all(isinstance(one, int) for one in value):
        return shorten(times(value), 20)
    if isinstance(value, float):
        return f"{value:.4g}"
    return shorten(str(value), 20)


def _crossed(edges: Iterable[tuple[int, int]]) -> int:
    """How many levels the edges cross; a box stands on the one beneath the lowest that it reads."""
    level: dict[int, int] = {}
    whole = 0
    for tail, head in sorted(edges, key=lambda edge: edge[1]):
        level[head] = max(level.get(head, 0), level.get(tail, 0) + 1)
    for tail, head in edges:
        whole += max(level[head] - level.get(tail, 0), 1)
    return whole


def bypasses(boxes: tuple[Box, ...], fed: dict[tuple[int, int], Layer]) -> list[Edge]:
    """The edges, those that go around other layers marked with the op that merges them."""
    into = grouped((head, tail) for tail, head in fed)
    out = grouped(fed)
    above: dict[int, int] = {}  # the boxes from which each is reached, as the bits of a number
    for box in boxes:
        reached = 0
        for tail in into.get(box.id, ()):
            if tail < box.id:
                reached |= above.get(tail, 0) | 1 << tail
        above[box.id] = reached
    marked: dict[tuple[int, int], tuple[str, bool]] = {}
    for head, tails in into.items():
        merging = next((layer for layer in boxes[head].layers if layer.op.merges), None)
        if len(tails) < 2 or merging is None:
            continue
        grows = merging.shape.channels == sum(shape.channels for shape in merging.input_shapes)
        for tail in tails:
            way = [(tail, head)]
            source = tail
            while _only_reshapes(boxes[source]) and len(into.get(source, ())) == len(out[source]) == 1:
                way.append((into[source][0], source))
                source = into[source][0]
            for path in (way, way[:1]):
                origin = path[-1][0]
                if any(above[other] >> origin & 1 for other in tails if other != tail):
                    marked |= dict.fromkeys(path, (merging.op.kind, grows))
                    break
    projecting = {
        edge for head, tails in into.items() for edge in _projections(head, tails, boxes, into, out, above)
    }
    return [
        Edge(*edge, *marked.get(edge, ("", False)), edge in projecting and edge not in marked) for edge in fed
    ]


def _projections(
    head: int,
    tails: list[int],
    boxes: tuple[Box, ...],
    into: Mapping[int, list[int]],
    out: Mapping[int, list[int]],
    above: Mapping[int, int],
) -> set[tuple[int, int]]:
    """The edges of the ways into an ``add`` on which shapes alone change, beside one that computes more."""
    if len(tails) < 2 or not any(layer.op.kind == "add" for layer in boxes[head].layers):
        return set()
    ways = []
    for tail in tails:
        way = [(tail, head)]
        while len(into.get(tail, ())) == len(out[tail]) == 1 and boxes[tail].kind in ("layers", "scope"):
            way.append((into[tail][0], tail))
            tail = into[tail][0]
        linear = all(layer.op.family in _PROJECTING for box, _ in way[:-1] for layer in boxes[box].layers)
        ways.append((way, linear))
    found: set[tuple[int, int]] = set()
    for way, linear in ways:
        origin = way[-1][0]
        more = any(
            above[other[0][0]] >> origin & 1 and (len(other) > len(way) or not plain)
            for other, plain in ways
            if other is not way
        )
        if linear and len(way) > 1 and more:
            found.update(way)
    return found


def _only_reshapes(box: Box) -> bool:
    return box.kind == "layers" and all(layer.op.family == "reshape" for layer in box.layers)
