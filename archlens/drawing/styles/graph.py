"""``graph``: layers as boxes in the colours of their families, with the shapes that flow between them."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from itertools import product
from typing import NamedTuple

from ...errors import printable
from ...grouping import grouped
from ..fit import SMALL
from ..frame import NAME, Sign, around, folded, framed, room
from ..layout import ASIDE, MARGIN, Area, Layout, Link, Wire, arranged, lay_out
from ..metrics import fitted, width, wrapped
from ..picture import Group, Item, Path, Picture, Point, Rect, Text, arrow_head, line, rounded_line
from ..plan import Box, BoxLine, Plan, is_position
from ..request import Request
from ..theme import Theme

#: The first line of a box and the others, the space on its sides, that between a name and what stands beside
#: it, and the accent.
_LINE, _FURTHER, _PAD, _BETWEEN, _ACCENT = 19.0, 15.0, 8.0, 12.0, 4.0
#: The narrowest and the widest box.
_NARROW, _WIDE = 120.0, 250.0
#: The strip of colours of a folded scope, and how many layers it shows.
_STRIP, _SHOWN = 5.0, 60
#: The room of a bar that stands for a line.
_STEP = 5.0
#: How a bypass looks, and one that makes channels grow.
_THICK, _DASH = 1.8, (5.0, 2.5)


class _Words(NamedTuple):
    """How much boxes say, and how much room there is around them."""

    #: Whether what follows a layer, counts and folds are left out.
    terse: bool = False
    #: Whether what a box is stands beneath its name, and not beside it.
    stacked: bool = False
    #: The space after a box, in which the shape that leaves it stands, and before the next.
    tail: float = 16.0
    apart: float = 13.0
    #: The widest box; what is too long is cut.
    widest: float = _WIDE


#: From the most words to the fewest.
_WORDS = (_Words(), _Words(True, False, 13.0, 10.0), _Words(True, True, 13.0, 10.0))
#: How many connections are laid out where a level of scopes can be folded instead; and how many times as
#: large as its page something is that fewer words do not make fit.
_EDGES, _HOPELESS = 72, 2.0
#: By how much boxes are made narrower where those with the fewest words are too wide, and when no more.
_NARROWER, _LEAST = 0.88, 64.0


class Laid(NamedTuple):
    """A plan with places for its boxes."""

    plan: Plan
    words: _Words
    direction: str
    #: Width and height of each box, without the space in which the shape that leaves it stands.
    cores: list[tuple[float, float]]
    layout: Layout
    #: How much wider and how much higher than the page it is.
    over: tuple[float, float]

    @property
    def share(self) -> float:
        """How many times as large as its page it is, in the direction in which it is too large."""
        sides = zip((self.layout.width, self.layout.height), self.over, strict=True)
        return max(side / max(side - over, 1.0) for side, over in sides)


def draw(request: Request) -> Picture:
    """The network as a graph.

    Raises:
        UsageError: there are too many boxes, or pygraphviz is not installed.
    """
    theme = request.colors
    laid = chosen(request)
    plan, cores, layout, lying = laid.plan, laid.cores, laid.layout, laid.direction == "lr"
    places = layout.boxes[: len(cores)]
    areas = [Area(place.x, place.y, w, h) for place, (w, h) in zip(places, cores, strict=True)]
    items: list[Item] = []
    levels: list[int] = []
    grounds: list[str] = []
    for scope, pieces in zip(plan.scopes, layout.scopes, strict=True):
        levels.append(levels[scope.parent] + 1 if scope.parent >= 0 else 0)
        grounds.append(ground := theme.scopes[min(levels[-1], len(theme.scopes) - 1)])
        frames = [Rect(a.x, a.y, a.width, a.height, ground, theme.border, 0.6, 6) for a in pieces]
        items.append(Group("scope", tuple(frames)))
    looks = {(edge.tail, edge.head): _look(edge.bypass, edge.grows, theme) for edge in plan.edges}
    looks |= {(tail, -1): _look("", False, theme) for tail, _ in looks}
    feeding = {edge.tail for edge in plan.edges}
    # bypasses are painted first, so that where lines meet the main one is whole
    for wire in sorted(layout.wires, key=lambda wire: looks[wire.tail, wire.head][0] == theme.line):
        items.append(_wire(wire, *looks[wire.tail, wire.head]))
    items += [Rect(a.x - 1, a.y - 1, 4, 4, theme.line, radius=2) for a in layout.boxes[len(cores) :]]
    for scope, pieces, ground in zip(plan.scopes, layout.scopes, grounds, strict=True):
        items += _labels(scope.name, scope.what, scope.note, pieces, ground, theme)
    for box, area, place in zip(plan.boxes, areas, places, strict=True):
        items.append(_box(box, area, theme, plan, laid.words))
        if box.shape:
            items += _leaving(box, area, place, lying, box.id in feeding, theme)
    return framed(
        request,
        items,
        (layout.width, layout.height),
        signs=_signs(plan, theme),
        notes=_notes(request, plan, laid.words),
        shows="a graph of its layers",
        description=_described(plan),
    )


# --- what the page holds --------------------------------------------------------------------------


def chosen(request: Request) -> Laid:
    """The most detailed graph that the page of a request holds; or what is least too large for it.

    Levels of scopes are folded, the deepest first; before one is, boxes are given fewer words.

    Raises:
        UsageError: there are too many boxes, or pygraphviz is not installed.
    """
    known, key = (
        request.plans.known,
        (__name__, request.page, request.bare, request.depth, request.direction, request.labels),
    )
    if key not in known:
        known[key] = _chosen(request)
    found = known[key]
    assert isinstance(found, Laid)
    return found


def shown(request: Request) -> tuple[Plan, str]:
    """The plan that is drawn, and its direction, for those who lay it out themselves.

    Without pygraphviz, which says what fits, as many levels as there are boxes for.
    """
    if find_spec("pygraphviz") is None or (request.depth is not None and not request.page.lying):
        return request.plan, request.direction or "tb"
    found = chosen(request)
    return found.plan, found.direction


def _chosen(request: Request) -> Laid:
    page = request.page
    ways = [request.direction] if request.direction else ["tb", "lr"] if page.lying else ["tb"]
    best: Laid | None = None
    for plan in request.choices():
        only = request.is_last(plan)
        hopeless: set[str] = set()
        for words, way in product(_WORDS, ways):
            found = _laid(request, plan, words, way, only=only) if way not in hopeless else None
            if found is None:
                continue
            if found.share > _HOPELESS and not only:
                hopeless.add(way)
            if found.over == (0.0, 0.0):
                return found
            if best is None or found.over < best.over:
                best = found
    assert best is not None
    return _narrowed(request, best) if best.over[0] and request.depth is None else best


def _narrowed(request: Request, found: Laid) -> Laid:
    """The same with boxes so narrow that the page holds them, and their words cut; or as it is."""
    widest = max(wide for wide, _ in found.cores)
    while (widest := _NARROWER * widest) > _LEAST:
        words = _WORDS[-1]._replace(widest=widest)
        other = _laid(request, found.plan, words, found.direction, only=True)
        if other is not None and not other.over[0]:
            return other
    return found


def _laid(request: Request, plan: Plan, words: _Words, direction: str, *, only: bool) -> Laid | None:
    """A plan in places on the page; ``None`` where it is not the ``only`` one, and is seen to be too much."""
    left = room(request, around(request, _signs(plan, request.colors), _notes(request, plan, words)))
    cores = _cores(plan, words)
    if not only and _is_too_much(plan, cores, words, left):
        return None
    layout = arranged(_layout(request, plan, words, direction, cores), left, direction)
    return Laid(plan, words, direction, cores, layout, layout.over(left))


def _is_too_much(
    plan: Plan, cores: list[tuple[float, float]], words: _Words, room: tuple[float, float]
) -> bool:
    """Whether a page cannot hold a plan, as far as it is seen without laying it out: too many boxes for its
    area, or for its width those on one level; or more connections than can be followed.
    """
    if len(plan.edges) > _EDGES:
        return True
    if sum((w + ASIDE) * (h + words.tail + words.apart) for w, h in cores) > room[0] * room[1]:
        return True
    level = [0] * len(cores)
    for edge in plan.edges:
        level[edge.head] = max(level[edge.head], level[edge.tail] + 1)
    across = grouped((at, wide) for at, (wide, _) in zip(level, cores, strict=True))
    return max(map(sum, across.values()), default=0.0) > room[0]


def _layout(
    request: Request, plan: Plan, words: _Words, direction: str, cores: list[tuple[float, float]]
) -> Layout:
    """The places of the boxes in one piece, whatever the page."""
    known, key = request.plans.known, (__name__, plan.depth, words, direction, request.labels)
    if key not in known:
        tail = max((width(box.shape, SMALL) for box in plan.boxes), default=0.0) + 16
        known[key] = lay_out(
            [(w + tail, h) if direction == "lr" else (w, h + words.tail) for w, h in cores],
            [Link(edge.tail, edge.head, bool(edge.bypass)) for edge in plan.edges],
            [box.scope for box in plan.boxes],
            [scope.parent for scope in plan.scopes],
            direction,
            words.apart,
        )
    found = known[key]
    assert isinstance(found, Layout)
    return found


# --- sizes ----------------------------------------------------------------------------------------


def _cores(plan: Plan, words: _Words) -> list[tuple[float, float]]:
    """The sizes of the boxes, without the space in which the shape that leaves one stands."""
    wide = _width(plan, words)
    return [
        (wide if box.kind != "input" else min(wide, 150.0), _height(box, wide, plan, words))
        for box in plan.boxes
    ]


def _rows(box: Box, words: _Words) -> list[BoxLine]:
    """The lines of a box that are written: all, or those that cannot be left out."""
    figures = [BoxLine("", box.figures, "")] if box.figures else []
    if not words.terse:
        return [*box.lines, *figures]
    first, *others = box.lines
    if box.fold > 1 and is_position(first.what):
        first = first._replace(name=f"{box.fold:,} x {first.name}")
    elif box.fold > 1:
        first = first._replace(what=f"{box.fold:,} x {first.what or 'the same'}")
    head = [first._replace(what=""), first._replace(name="")] if words.stacked and first.what else [first]
    return [*head, *(row for row in others if not row.spare), *figures]


def _bars(box: Box, words: _Words) -> list[str]:
    """The families of the lines that are left out, each of which is a bar."""
    return [row.family for row in box.lines if row.spare and row.family] if words.terse else []


def _width(plan: Plan, words: _Words) -> float:
    """One width for all boxes, by the longest of their lines and of the notes on scopes."""
    needed = _NARROW
    for box in plan.boxes:
        if box.kind == "failed":
            needed = max(needed, 220.0)
        needed = max(needed, 2 * width(box.shape[:40], SMALL) + 20)
        bars = _STEP * len(_bars(box, words))
        for i, row in enumerate(_rows(box, words)):
            both = _BETWEEN if row.name and row.what else 0.0
            first = width(row.name[:100], NAME if i == 0 else SMALL, i == 0)
            needed = max(needed, first + both + width(row.what[:100], SMALL) + 2 * _PAD + _ACCENT + bars)
    for scope in plan.scopes:
        needed = max(needed, width(scope.note[:100], SMALL) + 14 - 2 * MARGIN)
    return min(needed, words.widest)


def _height(box: Box, wide: float, plan: Plan, words: _Words) -> float:
    if box.kind == "failed":
        return _LINE + 12.0 * len(_why(plan, wide)) + 6
    strip = _STRIP + 4 if box.kind == "scope" else 0
    return _LINE + _FURTHER * (len(_rows(box, words)) - 1) + strip


def _why(plan: Plan, wide: float) -> list[str]:
    assert plan.failed is not None
    return wrapped(printable(plan.failed.why[:500]), SMALL, wide - 2 * _PAD - _ACCENT, 5)


# --- boxes ----------------------------------------------------------------------------------------


def _box(box: Box, area: Area, theme: Theme, plan: Plan, words: _Words) -> Group:
    border = theme.failed if box.kind == "failed" else theme.border
    dash = (3.0, 2.0) if box.training else ()
    items: list[Item] = []
    frame = Rect(area.x, area.y, area.width, area.height, theme.box, border, 1, 3, dash)
    if box.kind == "failed":
        red = theme.shade(theme.failed, 0.12)
        items.append(Rect(area.x, area.y, area.width, area.height, red, theme.failed, 1.8, 3))
        items += _line(box.lines[0], area.x, area.y, area.width, theme, first=True, color=theme.failed)
        for i, text in enumerate(_why(plan, area.width)):
            y = area.y + _LINE + 12 * i + 8
            items.append(Text(area.x + _PAD + _ACCENT, y, text, SMALL, theme.text))
        return Group("node failed", tuple(items), box.title)
    if box.kind == "input":
        items.append(
            Rect(area.x, area.y, area.width, area.height, theme.box, theme.border, 1, area.height / 2)
        )
        name, what = box.lines[0].name, box.lines[0].what
        text = fitted(f"{name} ({what})" if what else name, NAME, area.width - 2 * _PAD, bold=True)
        items.append(
            Text(area.x + area.width / 2, area.y + 13.5, text, NAME, theme.text, "middle", bold=True)
        )
        return Group("node", tuple(items), box.title)
    items.append(frame)
    bars = _bars(box, words)
    beneath = _FURTHER if words.stacked and box.lines[0].what else 0.0
    for i, row in enumerate(_rows(box, words)):
        y = area.y + (_LINE + (i - 1) * _FURTHER if i else 0)
        high = _FURTHER if i else _LINE
        if row.family and not (i == 1 and beneath):
            whole = high + beneath - 1
            items.append(Rect(area.x + 0.5, y + 0.5, area.width - 1, whole, theme.tint(row.family)))
            items.append(Rect(area.x + 0.5, y + 0.5, _ACCENT, whole, theme.color(row.family)))
        items += _line(
            row, area.x, y, area.width - _STEP * len(bars), theme, first=i == 0, left=i == 1 and beneath > 0
        )
    for i, family in enumerate(reversed(bars)):
        x = area.right - 0.5 - _STEP * i - _ACCENT
        items.append(Rect(x, area.y + 0.5, _ACCENT, _LINE + beneath - 1, theme.color(family)))
    if box.kind == "scope":
        items += _strip(box, area, theme)
    return Group("node", tuple(items), box.title)


def _line(
    row: BoxLine,
    x: float,
    y: float,
    wide: float,
    theme: Theme,
    *,
    first: bool,
    color: str = "",
    left: bool = False,
) -> list[Item]:
    """A line of a box: a name to the left, what it is to the right; or to the left too, beneath its name."""
    size = NAME if first else SMALL
    space = wide - 2 * _PAD - _ACCENT - (_BETWEEN if row.name and row.what else 0)
    least = space * 0.5 if row.name else space
    what = fitted(row.what, SMALL, max(least, space - width(row.name[:200], size, first)))
    name = fitted(row.name, size, space - width(what, SMALL), first)
    items: list[Item] = []
    base = y + (_LINE / 2 + 3.8 if first else _FURTHER / 2 + 3.3)
    if name:
        items.append(Text(x + _PAD + _ACCENT, base, name, size, color or theme.text, bold=first))
    if what:
        tone = theme.text if row.family else theme.muted
        place = (x + _PAD + _ACCENT, "start") if left else (x + wide - _PAD, "end")
        items.append(Text(place[0], base, what, SMALL, tone, place[1]))
    return items


def _strip(box: Box, area: Area, theme: Theme) -> list[Item]:
    """The families in a folded scope as a strip of colours: layer by layer, or of many their shares."""
    families = Counter(layer.op.family for layer in box.layers)
    wide, y = area.width - 2 * _PAD, area.bottom - _STRIP - 3
    parts = (
        [(layer.op.family, 1) for layer in box.layers]
        if len(box.layers) <= _SHOWN
        else list(families.items())
    )
    each = wide / len(box.layers)
    items: list[Item] = []
    x = area.x + _PAD
    for family, count in parts:
        items.append(Rect(x, y, max(each * count - 0.8, 0.8), _STRIP, theme.color(family)))
        x += each * count
    return items


def _leaving(box: Box, area: Area, place: Area, lying: bool, feeds: bool, theme: Theme) -> list[Item]:
    """The shape that leaves a box, beside the line on which it does."""
    if lying:
        y = area.y + area.height / 2
        text = Text(area.right + 5, y - 4, box.shape, SMALL, theme.muted)
        return [
            *(
                [line((area.right, y), (place.right + 1, y), stroke=theme.line, thickness=1.2)]
                if feeds
                else []
            ),
            text,
        ]
    x = area.x + area.width / 2
    shape = fitted(box.shape, SMALL, area.width / 2 - 6 + ASIDE / 2)
    text = Text(x + 6, area.bottom + 11, shape, SMALL, theme.muted)
    if feeds:
        return [line((x, area.bottom), (x, place.bottom + 1), stroke=theme.line, thickness=1.2), text]
    return [Text(x, area.bottom + 11, box.shape, SMALL, theme.muted, "middle")]


# --- connections and scopes -----------------------------------------------------------------------


def _look(bypass: str, grows: bool, theme: Theme) -> tuple[str, float, tuple[float, ...]]:
    if not bypass:
        return theme.line, 1.2, ()
    return (theme.dense, _THICK, _DASH) if grows else (theme.residual, _THICK, ())


def _wire(wire: Wire, color: str, thickness: float, dash: tuple[float, ...]) -> Group:
    points = wire.points
    tip, back = points[-1], points[-2]
    ends = wire.head >= 0
    end = _short_of(tip, back, 3.0) if ends else tip
    path: Item
    if wire.angular:
        path = rounded_line(*points[:-1], end, stroke=color, radius=7, thickness=thickness, dash=dash)
    else:
        curves = [points[i : i + 3] for i in range(1, len(points) - 1, 3)]
        curves[-1] = (*curves[-1][:2], end)
        path = Path(points[0], tuple(curves), "", color, thickness, dash)
    return Group(
        "edge", (path, arrow_head(tip, back, color, 6.5 if thickness > 1.5 else 5.5)) if ends else (path,)
    )


def _short_of(tip: Point, back: Point, by: float) -> Point:
    length = ((tip[0] - back[0]) ** 2 + (tip[1] - back[1]) ** 2) ** 0.5
    if length <= by:
        return tip
    return tip[0] + (back[0] - tip[0]) * by / length, tip[1] + (back[1] - tip[1]) * by / length


def _labels(name: str, what: str, note: str, pieces: list[Area], ground: str, theme: Theme) -> list[Item]:
    items: list[Item] = []
    for i, area in enumerate(pieces):
        most = area.width - 12
        continued = " (continued)" if i else ""
        items += _label(area.x + 6, area.y + 10.5, name + continued, what, most, ground, theme)
    if note and pieces:
        area = pieces[-1]
        text = fitted(note, SMALL, area.width - 12)
        items += _label(area.x + 6, area.bottom - 5, text, "", area.width - 12, ground, theme)
    return [Group("label", tuple(items))] if items else []


def _label(x: float, y: float, name: str, what: str, most: float, ground: str, theme: Theme) -> list[Item]:
    """Text on a scope, over whatever line passes there."""
    name = fitted(name, SMALL, most, bold=True)
    length = width(name, SMALL, bold=True)
    what = fitted(what, SMALL, most - length - 6) if most - length > 40 else ""
    whole = length + (width(what, SMALL) + 6 if what else 0)
    items: list[Item] = [Rect(x - 2, y - 8, whole + 4, 10, ground)]
    items.append(Text(x, y, name, SMALL, theme.text, bold=True))
    if what:
        items.append(Text(x + length + 6, y, what, SMALL, theme.muted))
    return items


# --- words ----------------------------------------------------------------------------------------


def _signs(plan: Plan, theme: Theme) -> list[Sign]:
    families = [*plan.families]
    for box in plan.boxes:
        if box.kind == "scope":
            families += [layer.op.family for layer in box.layers]
    signs = [Sign(family, theme.color(family)) for family in dict.fromkeys(families)]
    kinds = dict.fromkeys((edge.bypass, edge.grows) for edge in plan.edges if edge.bypass)
    for kind, grows in kinds:
        color, thickness, dash = _look(kind, grows, theme)
        signs.append(Sign(f"bypass into {kind}", color, True, thickness, dash))
    if any(box.training for box in plan.boxes):
        signs.append(Sign("in training only", theme.border, dash=(3.0, 2.0)))
    return signs


def _notes(request: Request, plan: Plan, words: _Words) -> list[str]:
    """What was left out for the page."""
    notes = folded(request, plan)
    if any(_bars(box, words) for box in plan.boxes):
        notes.append("A bar to the right in a box is a layer that follows.")
    return notes


def _described(plan: Plan) -> str:
    """The picture in words."""
    network = plan.network
    start = " and ".join(f"{printable(name)[:80]} {shape}" for name, shape in network.inputs.items())
    shown = [box for box in plan.boxes if box.kind != "input"]
    chain = "; ".join(
        f"{box.lines[0].name[:80] or 'box'} {box.lines[0].what}".strip()
        + (f" gives {box.shape}" if box.shape else "")
        for box in shown[:200]
    )
    more = f"; and {len(shown) - 200} more" if len(shown) > 200 else ""
    skips = sum(1 for edge in plan.edges if edge.bypass)
    around = f" {skips} connections go around other layers." if skips else ""
    failed = f" It stops where {printable(plan.failed.why)[:300]}." if plan.failed else ""
    head = f"A graph of {len(network):,} layers in {len(shown)} boxes, from {start}"
    return f"{head}{': ' if chain else ''}{chain}{more}.{around}{failed}"
