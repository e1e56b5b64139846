"""``stages``: the macro structure of a network, and beside it each kind of block that it repeats.

The form of papers since ResNet. A stage says of how many blocks it is and how wide they are; a block is drawn
once, with its widths as variables where its occurrences differ in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ...errors import printable, shorten, usage
from ...network import Layer
from ...shape import Shape
from ..fit import SMALL
from ..frame import NAME, Shifted, Sign, around, framed, room
from ..metrics import fitted, width, wrapped
from ..part import part
from ..picture import Group, Item, Picture, Rect, Text
from ..plan import (
    Box,
    BoxLine,
    Edge,
    Plan,
    Plans,
    bypasses,
    flowing_into,
    gathering,
    is_idle,
    is_position,
    layer_line,
    short,
    spread,
)
from ..request import Request
from ..structure import Kind, Piece, Run, Structure, period
from ..theme import Theme
from .graph import Laid, chosen, fitting, painted, ways_around, widens

#: The space within the frame of a block, between frames, and between them and the stages.
_PAD, _GAP, _ASIDE = 6.0, 12.0, 22.0
#: The heading of a block, a line of what is said of it, and the accent by which its stages are known.
_HEAD, _NOTE, _ACCENT = 20.0, 12.0, 4.0
#: How many boxes a block may have before scopes in it are folded; how many blocks are drawn, and how many
#: boxes the macro structure has at most.
_BOXES, _BLOCKS, _MOST = 16, 12, 120
#: How much of the width the stages are given where the blocks stand beside them.
_SHARES = (0.4, 0.5, 0.65)
#: How much of the height of a page that ends the stages are given where the blocks stand beneath them, and
#: how much these have at least.
_UPPER, _LOWEST = 0.5, 0.25
#: How many boxes of scopes say something of the stages.
_SAYING = 4
#: How wide the words of a stage may be that stand in one line.
_TOGETHER = 125.0
#: What is said of letters whose values stand in the stages, and of others.
_GIVEN, _OPEN = "given in each stage", "not the same in all stages"
#: The narrowest frame.
_LEAST = 110.0


class _Panel(NamedTuple):
    """A kind of block in its frame."""

    kind: Kind
    laid: Laid
    notes: tuple[str, ...]
    width: float
    height: float
    #: The boxes of scopes that are folded in it, with their kinds, where they are blocks.
    folded: tuple[tuple[Box, Kind | None], ...] = ()


class _Sheet(NamedTuple):
    """Stages and blocks in their places."""

    macro: Laid
    panels: tuple[tuple[float, float, _Panel], ...]
    width: float
    height: float
    #: The kinds of block that are wider than the page.
    left_out: tuple[Kind, ...] = ()

    @property
    def narrowed(self) -> float:
        """How much narrower than their words boxes may be, all in all."""
        return sum(laid.narrowed for laid in self.laid)

    @property
    def laid(self) -> list[Laid]:
        """The stages and the blocks."""
        return [self.macro, *(panel.laid for _, _, panel in self.panels)]

    @property
    def cut(self) -> int:
        """How many of its lines there is no room for."""
        return sum(laid.cut for laid in self.laid)

    @property
    def rows(self) -> int:
        """In how many rows it is that stand beneath each other, and are each read from left to right."""
        return sum(laid.layout.pieces - 1 for laid in self.laid if laid.direction == "lr")

    @property
    def hidden(self) -> int:
        """How many layers of blocks are folded and drawn nowhere."""
        shown = {panel.kind for _, _, panel in self.panels}
        return sum(
            len(box.layers)
            for _, _, panel in self.panels
            for box, inner in panel.folded
            if inner not in shown
        )

    @property
    def folded(self) -> int:
        """How many scopes are folded in blocks, and how many blocks there are."""
        return sum(1 + len(panel.folded) for _, _, panel in self.panels)

    def over(self, room: tuple[float, float]) -> tuple[float, float]:
        """How much wider and how much higher it is than there is room for."""
        return max(self.width - room[0], 0.0), max(self.height - room[1], 0.0)


def draw(request: Request) -> Picture:
    """The stages of a network and its blocks.

    Raises:
        UsageError: it has too many stages.
    """
    theme = request.colors
    known, key = (
        request.plans.known,
        (__name__, request.page, request.bare, request.depth, request.direction, request.labels),
    )
    if key not in known:
        known[key] = _sheet(request)
    structure, sheet = known[key]
    colors = {kind: theme.block(i % 6) for i, (_, _, (kind, *_)) in enumerate(sheet.panels)}
    beside = any(x > sheet.macro.layout.width for x, _, _ in sheet.panels)
    items = painted(sheet.macro, theme, beyond=_ASIDE - _ACCENT if beside else 0.0)
    made_of = {layer.name: piece.kinds for piece in structure.pieces for layer in piece.layers}
    for box, area in zip(sheet.macro.plan.boxes, sheet.macro.areas, strict=True):
        kinds = (kind for layer in box.layers for kind in made_of[layer.name])
        first = next((colors[kind] for kind in kinds if kind in colors), None)
        if first is not None:
            items.append(Rect(area.x + 0.5, area.y + 0.5, _ACCENT, area.height - 1, first))
    items = [Shifted(0, 0).group(tuple(items))]
    for x, y, panel in sheet.panels:
        items.append(Shifted(x, y).group((_framed(panel, colors[panel.kind], theme),)))
    return framed(
        request,
        items,
        (sheet.width, sheet.height),
        signs=_signs(_shown(sheet), theme),
        notes=_noted_of(structure, sheet),
        shows="its stages and their blocks",
        description=_described(request, structure, sheet),
    )


def _shown(sheet: _Sheet) -> list[Plan]:
    """The plans that are drawn: that of the stages, and those of their blocks."""
    return [sheet.macro.plan, *(panel.laid.plan for _, _, panel in sheet.panels)]


def _sheet(request: Request) -> tuple[Structure, _Sheet]:
    network = request.network
    structure = Structure(network, request.plans.repeats)
    if len(structure.pieces) > _MOST:
        raise usage(
            f"{shorten(network.name)} has {len(structure.pieces):,} stages and layers between them, "
            "too many for a picture of its stages",
            help="--style graph folds them; or --scope draws one of its scopes",
        )
    plan = request.labelled(_macro(request, structure).thinned())
    signs = [
        Sign(family, request.colors.color(family))
        for family in dict.fromkeys(layer.op.family for layer in network.layers)
    ]
    notes = [*_notes(structure, plan, structure.kinds), *spread(plan)]
    space = room(request, around(request, signs, notes))
    ways = [request.direction] if request.direction else ["tb", "lr"]
    if wide := fitting(plan, space, ways[0]).over[0]:  # heads side by side: their scopes may be narrower
        folded = request.labelled(_told_by(structure, request.plans.at(1)))
        if fitting(folded, space, ways[0]).over[0] < wide:
            plan = folded
    found = [sheet for way in ways for sheet in _sheets(request, structure, plan, way, space)]

    def cost(one: _Sheet) -> tuple[float, ...]:
        ways = ways_around(_shown(one), request.colors)
        left = room(request, around(request, [*signs, *ways], _noted_of(structure, one)))
        wide, longer = one.over(left)
        high = longer if request.page.bounded else 0.0
        layout = one.macro.layout
        broken = layout.pieces if one.macro.direction == "lr" else 1
        kinds = [panel.kind for _, _, panel in one.panels if panel.kind in structure.kinds]
        missing = sum(kind in structure.kinds for kind in one.left_out)
        return (
            *(wide, one.cut, high, not layout.rising),
            *(
                _is_top(one.macro.plan) and len(one.macro.plan.boxes) < _SAYING,
                0 if request.page.lying else one.rows,
                missing,
                _is_top(one.macro.plan),
                one.hidden,
            ),
            *(-len(one.macro.plan.boxes), len(one.left_out)),
            *(-sum(len(kind.trees) for kind in kinds), longer, one.narrowed),
            *(broken, one.folded, layout.pieces, one.height),
        )

    best = min(found, key=cost)
    for less in _less(request, structure, plan):
        if not best.macro.layout.rising or any((*cost(best)[:3], best.left_out)):  # fewer may be a U
            found = [sheet for way in ways for sheet in _sheets(request, structure, less, way, space)]
            best = min([best, *found], key=cost)
    if _is_few(request) and cost(best)[2]:  # as the graph does it
        laid = chosen(request)
        told = fitting(_told_by(structure, laid.plan), space, laid.direction)
        left_out = tuple(structure.kinds)
        wholes = [_Sheet(one, (), one.layout.width, one.layout.height, left_out) for one in (told, laid)]
        best = min([best, *wholes], key=lambda one: cost(one)[2])
    return structure, best


def _is_few(request: Request) -> bool:
    """Whether there may be fewer boxes and blocks than the network has: on a page that ends."""
    return request.page.bounded and request.depth is None


def _is_top(plan: Plan) -> bool:
    """Whether a plan shows scopes and not the stages, of which it does not say how wide they are."""
    return any(box.kind == "scope" for box in plan.boxes)


def _less(request: Request, structure: Structure, plan: Plan) -> Iterator[Plan]:
    """The stages in fewer boxes, for a page that ends."""
    if not _is_few(request) and (request.depth is not None or not widens(request)):
        return
    top = _told_by(structure, request.plans.at(1)).thinned().joined()
    for one in (plan.gathered(), plan.gathered(across=True), top, top.gathered(across=True)):
        if one.is_gathered or one is top:
            yield request.labelled(one)


def _sheets(
    request: Request, structure: Structure, plan: Plan, way: str, space: tuple[float, float]
) -> Iterator[_Sheet]:
    """The stages beside their blocks, and above them; on pages that end also without some of the blocks."""
    few = _is_few(request)
    # each of the blocks may have all the height that there is, or its part of it
    parts = dict.fromkeys((1, max(len(structure.kinds), 1))) if few else (1,)
    if way == "tb":
        for share in _SHARES:
            macro = fitting(plan, (space[0] * share, space[1]), way)
            left = space[0] - macro.layout.width - _ASIDE
            rooms = [(left, space[1] / many) for many in parts] + [(left / 2 - _GAP, space[1])] * few
            for size in rooms if left >= _LEAST else ():
                panels = list(_panels(request, structure, size))
                narrow = [panel for panel in panels if panel.width <= left]
                if not narrow or (len(narrow) < len(panels) and not few):
                    continue
                wide = tuple(panel.kind for panel in panels if panel not in narrow)
                for kept, left_out in _fewer(narrow, structure, space[1], few=few):
                    yield _beside(macro, kept, left)._replace(left_out=(*wide, *left_out))
    for share in (1.0, _UPPER) if few and structure.kinds else (1.0,):
        macro = fitting(plan, (space[0], space[1] * share), way)
        left = max(space[1] - macro.layout.height - _ASIDE, space[1] * _LOWEST) if few else space[1]
        for size in [*((space[0], left / many) for many in parts), (space[0] / 2 - _GAP, left)]:
            panels = list(_panels(request, structure, size))
            narrow = [panel for panel in panels if panel.width <= space[0] or request.depth is not None]
            wide = tuple(panel.kind for panel in panels if panel not in narrow)
            for kept, left_out in _fewer(narrow, structure, space[1], few=few):
                yield _beneath(macro, kept, space[0])._replace(left_out=(*wide, *left_out))


def _fewer(
    panels: list[_Panel], structure: Structure, most: float, *, few: bool
) -> Iterator[tuple[list[_Panel], tuple[Kind, ...]]]:
    """Some blocks, and with ``few`` also fewer, with the others: first go those that are higher than
    ``most``, what others are made of, and those that stand there least often.
    """

    def rank(panel: _Panel) -> tuple[bool, bool, int]:
        return panel.height <= most, panel.kind in structure.kinds, len(panel.kind.trees)

    order = sorted(panels, key=rank)
    choices = [order[:count] for count in range(len(order) + 1 if few and panels else 1)]
    if few:  # or one of those that stand there less often
        choices += [[panel for panel in panels if panel is not one] for one in panels[:-1]]
    for out in choices:
        kept = [panel for panel in panels if panel not in out]
        yield kept, tuple(panel.kind for panel in panels if panel not in kept)


def _beside(macro: Laid, panels: Sequence[_Panel], left: float) -> _Sheet:
    placed, wide, high = _packed(panels, left)
    x = macro.layout.width + _ASIDE
    whole = max(macro.layout.height, high)
    return _Sheet(macro, tuple((x + px, py, panel) for px, py, panel in placed), x + wide, whole)


def _beneath(macro: Laid, panels: Sequence[_Panel], most: float) -> _Sheet:
    placed, wide, high = _packed(panels, most)
    y = macro.layout.height + (_ASIDE if panels else 0.0)
    whole = max(macro.layout.width, wide)
    return _Sheet(macro, tuple((px, y + py, panel) for px, py, panel in placed), whole, y + high)


def _packed(panels: Sequence[_Panel], most: float) -> tuple[list[tuple[float, float, _Panel]], float, float]:
    """Frames in rows, each of them in order; what is lower than its row has others beneath it."""
    placed: list[tuple[float, float, _Panel]] = []
    top = x = high = 0.0
    column: tuple[float, float, float] | None = None  # of the last frame: its edges and its foot
    wide = 0.0
    for panel in panels:
        if column is not None:
            start, right, foot = column
            if foot + _GAP + panel.height <= top + high and panel.width <= right - start:
                placed.append((start, foot + _GAP, panel))
                column = (start, right, foot + _GAP + panel.height)
                continue
        if x and x + panel.width > most:
            top, x, high = top + high + _GAP, 0.0, 0.0
        placed.append((x, top, panel))
        column = (x, x + panel.width, top + panel.height)
        x += panel.width + _GAP
        high = max(high, panel.height)
        wide = max(wide, x - _GAP)
    return placed, wide, top + high


# --- the macro structure --------------------------------------------------------------------------


def _macro(request: Request, structure: Structure) -> Plan:
    """The pieces of a network as boxes, with what flows between them."""
    network, failed = request.network, request.failed
    at: dict[str, int] = {}
    boxes: list[Box] = []
    fed: dict[tuple[int, int], Layer] = {}
    leaving: dict[int, list[Shape]] = {}
    for name, shape in network.inputs.items():
        at[name] = len(boxes)
        line = BoxLine(printable(name), "" if name == "input" else "input", "")
        boxes.append(_box(len(boxes), "input", name, [line], [], shape, f"{printable(name)}: {shape}"))
    consumers = request.plans.consumers
    idle = [layer.name for layer in network.layers if not failed and is_idle(layer, consumers)]
    for piece in structure.pieces:
        if all(layer.name in idle for layer in piece.layers):
            continue
        number = len(boxes)
        at |= {layer.name: number for layer in piece.layers}
        boxes.append(
            _box(
                number,
                "layers",
                piece.name,
                _lines(piece),
                piece.layers,
                piece.layers[-1].shape,
                _title(piece),
            )
        )
    for layer in network.layers:
        for name, shape in flowing_into(layer):
            if at[name] != (head := at[layer.name]):
                fed.setdefault((at[name], head), layer)
                leaving.setdefault(at[name], []).append(shape)
    for number, shapes in leaving.items():
        words = ", ".join(map(str, list(dict.fromkeys(shapes))[:3]))
        boxes[number] = replace(boxes[number], shape=words, output=shapes[-1])
    edges = bypasses(tuple(boxes), fed)
    if failed is not None:
        line = BoxLine(printable(failed.name), shorten(failed.op), "")
        title = f"{printable(failed.name)}: {printable(failed.op)}; {printable(failed.why)}"
        edges += [Edge(at[name], len(boxes), "", False) for name in dict.fromkeys(failed.inputs)]
        boxes.append(_box(len(boxes), "failed", failed.name, [line], [], None, title))
    left_out = tuple(name for name in idle if name not in at)
    return Plan(network, 1, tuple(boxes), tuple(edges), (), failed, idle=left_out)


def _box(
    number: int,
    kind: str,
    name: str,
    lines: Iterable[BoxLine],
    layers: Sequence[Layer],
    shape: Shape | None,
    title: str,
) -> Box:
    words = str(shape) if shape is not None else ""
    every = tuple(layers)
    return Box(
        number, kind, printable(name), tuple(lines), every, every, 1, 1, words, shape, title, -1
    )  # fmt: skip


def _told_by(structure: Structure, plan: Plan) -> Plan:
    """A plan of scopes, each of which says of which blocks it is, where it is of some."""
    boxes = []
    for box in plan.boxes:
        held = {layer.name for layer in box.layers} if box.kind == "scope" else set[str]()
        blocks = Counter[Kind]()
        for run in (run for piece in structure.pieces for run in piece.runs if isinstance(run, Run)):
            blocks[run.kind] += sum(tree.layers[0].name in held for tree in run.trees)
        head = box.lines[0]
        rows = [
            BoxLine("", kind.name + (f" x{count:,}" if count > 1 else ""), "")
            for kind, count in blocks.items()
            if count and (count > 1 or kind.name not in head)
        ]
        if +blocks:
            if rows and head.what in {"", *(kind.name for kind in blocks)}:
                head = head._replace(what=rows.pop().what if len(rows) == 1 else "")
            box = replace(box, lines=(head, *rows, *box.lines[1:]), told=True)
        boxes.append(box)
    return replace(plan, boxes=tuple(boxes))


def _lines(piece: Piece) -> list[BoxLine]:
    """What stands in the box of a piece: its name, of what it is made, and the widths of its blocks."""
    if not piece.kinds:
        layers = piece.layers[: len(piece.runs)]
        lines = [_line(layer, piece.name if i == 0 else "") for i, layer in enumerate(layers)]
        if piece.times > 1:
            times = f" x{piece.times:,}"
            head = lines[0]
            lines[0] = (
                head._replace(what=head.what + times) if head.what else head._replace(name=head.name + times)
            )
        return [lines[0], *(line._replace(spare=True) for line in lines[1:])]
    values = [run.kind.values(run.trees) if isinstance(run, Run) else "" for run in piece.runs]
    several = len(piece.runs) > 1
    texts = []
    for run, said in zip(piece.runs, values, strict=True):
        if isinstance(run, Layer):
            texts.append(BoxLine("", short(run), run.op.family))
            continue
        times = f" x{len(run.trees):,}" if len(run.trees) > 1 else ""
        texts.append(BoxLine("", run.kind.name + times + (f", {said}" if said and several else ""), ""))
    turn = period(texts)
    if (turns := len(texts) // turn) > 1:
        texts[turn:] = [BoxLine("", f"{'in turn, ' if turn > 1 else ''}x{turns:,}", "")]
    name = printable(piece.name)
    if is_position(name) and not several:
        return [BoxLine(texts[0].what, values[0], "")]
    if several:
        return (
            [BoxLine(texts[0].what, "", ""), *texts[1:]]
            if is_position(name)
            else [BoxLine(name, "", ""), *texts]
        )
    what = "" if texts[0].what == name else texts[0].what
    if what and values[0] and width(together := f"{what}, {values[0]}", SMALL) <= _TOGETHER:
        return [BoxLine(name, together, "")]
    return [BoxLine(name, what, ""), *(BoxLine("", text, "") for text in values if text)]


def _line(layer: Layer, name: str) -> BoxLine:
    return layer_line(printable(name or layer.name.rpartition(".")[2]), short(layer), layer)


def _title(piece: Piece) -> str:
    """Every layer of a piece, as far as a title can be read."""
    lines = [f"{printable(layer.name)}: {layer.op} -> {layer.shape}" for layer in piece.layers[:60]]
    if len(piece.layers) > 60:
        lines.append(f"and {len(piece.layers) - 60:,} more layers")
    return "\n".join(lines)


# --- blocks ---------------------------------------------------------------------------------------


def _panels(request: Request, structure: Structure, space: tuple[float, float]) -> Iterator[_Panel]:
    """The kinds of block in frames, those of the stages first, and then what these are made of."""
    waiting = list(structure.kinds)
    seen = set(waiting)
    for kind in waiting:
        panel = _panel(request, structure, kind, space)
        boxes = [box for box in panel.laid.plan.boxes if box.kind == "scope"]
        panel = panel._replace(folded=tuple((box, _inner(structure, kind, box)) for box in boxes))
        yield panel
        for _, inner in panel.folded:
            if inner is None or inner in seen or len(waiting) >= _BLOCKS:
                continue
            if inner.named or len(inner.trees) > len(kind.trees):
                waiting.append(inner)
                seen.add(inner)


def _inner(structure: Structure, kind: Kind, box: Box) -> Kind | None:
    """The kind of a folded scope within a block."""
    return structure.kind_of.get(f"{kind.shown.path}.{box.name.partition('..')[0]}")


def _panel(request: Request, structure: Structure, kind: Kind, space: tuple[float, float]) -> _Panel:
    inner = space[0] - 2 * _PAD
    plans = _plans(request, structure, kind)
    broken = request.page.lying or not _is_few(request)
    panel = _noted(kind, _first(plans, (inner, space[1] - _HEAD - 2 * _PAD), broken=broken))
    if panel.height > space[1] and kind.notes:  # room for them, too
        left = inner, space[1] - _HEAD - 2 * _PAD - _NOTE * len(panel.notes)
        panel = _noted(kind, _first(plans, left, broken=broken))
    return panel


def _first(plans: Sequence[Plan], left: tuple[float, float], *, broken: bool) -> Laid:
    """Of these plans of a block that which shows most of those that a room holds with all their names, in one
    piece; or else, if it may be ``broken``, the last in several; or the one that is least too large.
    """
    tried: list[Laid] = []
    for several in (False, True) if broken else (False,):
        held: list[Laid] = []
        for way in ("tb", "lr"):
            for plan in plans[-1:] if several else plans:
                laid = fitting(plan, left, way, shapes=False, broken=several)
                tried.append(laid)
                if laid.over == (0.0, 0.0) and not laid.cut:
                    held.append(laid)
                    break
        if held:
            return min(held, key=lambda laid: _hidden(laid.plan))
    return min(tried, key=lambda laid: (laid.over, laid.cut))


def _hidden(plan: Plan) -> int:
    """How many layers scopes stand for in a plan that are folded there."""
    return sum(len(box.layers) for box in plan.boxes if box.kind == "scope")


def _noted(kind: Kind, found: Laid) -> _Panel:
    """A block in its frame, with the notes on it."""
    wide = max(found.layout.width, width(kind.name, NAME, True) + 40, _LEAST - 2 * _PAD)
    notes = tuple(row for note in kind.notes for row in wrapped(note, SMALL, wide, 4))
    high = found.layout.height + _HEAD + _NOTE * len(notes) + 2 * _PAD
    return _Panel(kind, found, notes, wide + 2 * _PAD, high)


def _plans(request: Request, structure: Structure, kind: Kind) -> list[Plan]:
    """A block at the depths at which it may be drawn, the deepest first."""
    known, key = request.plans.known, (__name__, kind.shown.path, request.depth)
    if key not in known:
        start = len(kind.shown.path) + 1
        whole = part(request.network, kind.shown.path)
        plans = Plans(whole)
        plans.words = {name[start:]: words for name, words in kind.words.items()}
        closed = {tree.path for other in structure.kinds if other is not kind for tree in other.trees}
        plans.closed = {path[start:] for path in closed if path.startswith(f"{kind.shown.path}.")}
        found: list[Plan] = []
        depths = range(plans.repeats.deepest, 0, -1) if request.depth is None else [request.depth]
        for depth in depths:
            plan = plans.at(depth) if len(depths) == 1 else plans.made(depth, 4 * _BOXES)
            if plan is not None and (not found or len(plan.boxes) < len(found[-1].boxes)):
                found.append(_said(structure, kind, plan))
                flat = plans.flat(depth, len(plan.boxes)) if plan.scopes else None
                if flat is not None and len(flat.boxes) == len(plan.boxes):
                    found.append(_said(structure, kind, flat))
        small = [plan for plan in found if len(plan.boxes) <= _BOXES]
        known[key] = small or found[-1:] or [_said(structure, kind, plans.at(None))]
    plans_: list[Plan] = known[key]
    return plans_


def _said(structure: Structure, kind: Kind, plan: Plan) -> Plan:
    """A plan without the sizes of the one block that it is of."""
    boxes = []
    inputs = 0
    for box in plan.boxes:
        lines = box.lines
        if box.kind == "layers":  # a block is read by what it does; its names are in the titles
            lines = tuple(BoxLine(row.what or row.name, "", row.family, row.spare) for row in lines)
        elif box.kind == "input":
            inputs += 1
            lines = (BoxLine("input" if inputs == 1 else f"input {inputs}", "", ""),)
        elif box.kind == "scope":
            inner = _inner(structure, kind, box)
            head = lines[0]
            if inner is not None and inner.named:
                head = BoxLine(inner.name, "", "")
            lines = (head, *lines[2:])
        boxes.append(replace(box, lines=lines, shape=""))
    return replace(plan, boxes=tuple(boxes))


def _framed(panel: _Panel, color: str, theme: Theme) -> Group:
    """A block in its frame, from (0, 0)."""
    kind, layout = panel.kind, panel.laid.layout
    count = f"x{len(kind.trees):,}" if len(kind.trees) > 1 else ""
    badge = width(count, SMALL, bold=True) + 8 if count else 0.0
    name = fitted(kind.name, NAME, panel.width - 2 * _PAD - badge - _ACCENT - 6, bold=True)
    items: list[Item] = [
        Rect(0, 0, panel.width, panel.height, theme.scopes[0], theme.border, 0.6, 6),
        Rect(_PAD, 6, _ACCENT, 11, color),
        Text(_PAD + _ACCENT + 5, 15, name, NAME, theme.text, bold=True),
    ]
    if count:
        x = panel.width - badge - 5
        items.append(Rect(x, 5, badge, 12, theme.box, theme.border, 0.6, 6))
        items.append(Text(x + badge / 2, 14, count, SMALL, theme.text, "middle", bold=True))
    x = max((panel.width - layout.width) / 2, 0.0)
    items.append(Shifted(x, _HEAD + _PAD / 2).group(tuple(painted(panel.laid, theme))))
    for i, note in enumerate(panel.notes):
        y = panel.height - _PAD / 2 - _NOTE * (len(panel.notes) - 1 - i) - 2
        items.append(Text(_PAD, y, note, SMALL, theme.muted))
    first = printable(kind.shown.path)
    return Group("block", tuple(items), f"{kind.name}: as in {first}")


# --- words ----------------------------------------------------------------------------------------


def _signs(plans: Sequence[Plan], theme: Theme) -> list[Sign]:
    families = dict.fromkeys(family for plan in plans for family in plan.families)
    return [*(Sign(family, theme.color(family)) for family in families), *ways_around(plans, theme)]


def _notes(structure: Structure, plan: Plan, kinds: Iterable[Kind]) -> list[str]:
    """What the letters in these blocks mean, where a plan of the stages says their values or not."""
    given, others, inputs = set[str](), set[str](), set[str]()
    for kind in kinds:
        for letter, (name, _) in kind.variables.items():
            said = kind in structure.kinds and not _is_top(plan)
            (inputs if not name else given if said else others).add(letter)
    words = [
        f"{', '.join(sorted(letters, reverse=True))}: {what}"
        for letters, what in ((given, _GIVEN), (others - given, _OPEN))
        if letters
    ]
    words += [f"{' and '.join(sorted(inputs))}: the channels that flow into a block"] if inputs else []
    return [f"{'; '.join(words)}."] if words else []


def _noted_of(structure: Structure, sheet: _Sheet) -> list[str]:
    """All notes beneath stages and blocks."""
    plan = sheet.macro.plan
    kinds = [panel.kind for _, _, panel in sheet.panels]
    return [*_notes(structure, plan, kinds), *spread(plan), *_told(sheet)]


def _told(sheet: _Sheet) -> list[str]:
    """Notes on what is gathered for the page, and on blocks for which it has no room."""
    told = gathering(sheet.macro.plan)
    if sheet.left_out:
        listed = ", ".join(f"{kind.name} (--scope {printable(kind.shown.path)})" for kind in sheet.left_out)
        told.append(f"Left out for want of room: {listed}.")
    return told


def _described(request: Request, structure: Structure, sheet: _Sheet) -> str:
    """The picture in words."""
    chain = "; ".join(
        " ".join(filter(None, (f"{line.name[:80]} {line.what[:80]}".strip() for line in box.lines[:2])))
        + f" gives {box.shape}"
        for box in sheet.macro.plan.boxes[:100]
        if box.kind in ("layers", "scope")
    )
    blocks = "; ".join(
        f"{kind.name}: "
        + ", ".join(
            f"{box.lines[0].name[:60]} {box.lines[0].what[:60]}".strip()
            for box in panel.laid.plan.boxes[:30]
            if box.kind != "input"
        )
        for _, _, panel in sheet.panels
        for kind in [panel.kind]
    )
    head = f"The stages of {len(request.network):,} layers"
    failed = f" It stops where {printable(request.failed.why)[:300]}." if request.failed else ""
    return f"{head}: {chain}. Blocks: {blocks or 'none'}.{failed}"
