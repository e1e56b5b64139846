"""``graph``: layers as boxes in the colours of their families, with the shapes that flow between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import NamedTuple

from ...errors import printable
from ...grouping import grouped
from ..fit import SMALL
from ..frame import NAME, Ramp, Sign, around, folded, framed, room
from ..heat import Heat, colored, heat_of
from ..layout import Layout, Wire, arranged, laid_apart, laid_as_u, lay_out
from ..metrics import current, fitted, width, wrapped
from ..picture import (
    Group,
    Item,
    Picture,
    Point,
    Rect,
    Text,
    arrow_head,
    hatched,
    line,
    rounded_line,
)
from ..placing import ASIDE, MARGIN, Area, Given, Link, Pads
from ..plan import PAGE, Box, BoxLine, DrawnScope, Plan, gathering, is_position, spread
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
#: The height of a row of words in a scope.
_ROW = 12.0
#: What stands behind the name of a scope that goes on from another column.
_CONTINUED = " (continued)"
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
    #: The widest box; what is too long is cut. And the narrowest.
    widest: float = _WIDE
    narrowest: float = _NARROW
    #: The space between boxes beside each other.
    beside: float = ASIDE

    @property
    def pad(self) -> float:
        """The space on the sides of a box."""
        return _PAD if self.widest > _TIGHT else _PAD / 2


#: From the most words to the fewest.
_WORDS = (
    _Words(),
    _Words(True, False, 13.0, 10.0),
    _Words(True, True, 13.0, 10.0),
)
#: The same in boxes so narrow that two stand beside each other in a column of print, with heads in two lines.
_NARROWER_WORDS = _Words(True, True, 13.0, 10.0, 104.0, 80.0)
#: Those with few words closer together, where a U is as high as its page.
_CLOSER_WORDS = (_Words(True, False, 11.0, 5.0), _Words(True, True, 11.0, 5.0))
#: And of narrow boxes, where a page ends that nothing else fits on; how narrow they are made.
_CLOSEST_WORDS = _Words(True, True, 11.0, 5.0, 104.0, 64.0)
_NARROWEST = (104.0, 88.0, 80.0, 70.0)
#: How many connections are laid out where a level of scopes can be folded instead; and how many times as
#: large as its page something is that fewer words do not make fit.
_EDGES, _HOPELESS = 72, 2.0
#: From how many times as high as its page on a graph is gathered where it can be scrolled.
_SCROLLED = 1.25
#: To what share of the height of a page levels are folded before chains in boxes are tried instead.
_LOW = 0.4
#: How many levels of scopes may be open where none is drawn.
_FLAT = 3
#: How narrow boxes are made where those with the fewest words are too wide; and when they have less space
#: on their sides.
_NARROWER = (220.0, 190.0, 165.0, 145.0, 125.0, 110.0, 98.0, 88.0, 80.0, 75.0, 70.0, 64.0)
_TIGHT = 98.0
#: The signs behind which a name may be parted: not the point of a number.
_SIGNS = re.compile(r"[_\- ]|(?<![0-9])\.|\.(?![0-9])")
#: The space after a box beside which no shape stands, and that between two such boxes.
_CLOSE, _NEXT = 5.0, 7.0


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
    #: Whether it is an encoder with a decoder.
    bent: bool

    @property
    def areas(self) -> list[Area]:
        """The boxes, without the space in which the shape that leaves one stands."""
        return [
            Area(place.x, place.y + (place.height - h if i in self.layout.rising else 0.0), w, h)
            for i, (place, (w, h)) in enumerate(zip(self.layout.boxes, self.cores, strict=True))
        ]

    @property
    def narrowed(self) -> float:
        """How much narrower than their words its boxes may be."""
        return _WIDE - self.words.widest

    @property
    def cut(self) -> int:
        """How many of the lines of its boxes there is no room for."""
        key = "cut", self.words, current()
        if key not in self.plan.places:
            self.plan.places[key] = self._cut()
        found: int = self.plan.places[key]
        return found

    def _cut(self) -> int:
        count = 0
        for box, (wide, _) in zip(self.plan.boxes, self.cores, strict=True):
            heads, bars = len(_head(box, self.words)), _STEP * len(_bars(box, self.words))
            for i, row in enumerate(_rows(box, self.words)):
                most = wide - 2 * self.words.pad - _ACCENT - bars
                needed = [
                    width(row.name[:100], NAME if i < heads else SMALL, i < heads),
                    width(row.what[:100], SMALL),
                ]
                if i < heads and all(needed):
                    needed = [sum(needed) + _BETWEEN]
                count += min(filter(None, needed), default=0.0) > most + 0.01
        return count

    @property
    def share(self) -> float:
        """How many times as large as its page it is, in the direction in which it is too large."""
        sides = zip((self.layout.width, self.layout.height), self.over, strict=True)
        return max(side / max(side - over, 1.0) for side, over in sides)


def draw(request: Request) -> Picture:
    """The network as a graph.

    Raises:
        UsageError: there are too many boxes.
    """
    laid = chosen(request)
    plan, layout = laid.plan, laid.layout
    heat = _heat(request, plan)
    return framed(
        request,
        painted(laid, request.colors, heat),
        (layout.width, layout.height),
        signs=_signs(request, plan),
        notes=_notes(request, plan, laid.words),
        shows=f"a graph of its layers{colored(heat)}",
        description=_described(plan),
    )


def painted(laid: Laid, theme: Theme, heat: Heat | None = None, beyond: float = 0.0) -> list[Item]:
    """A graph in its places, from (0, 0); its boxes in the colours of their families, or of a figure.

    Words beside its boxes may stand so far ``beyond`` its right edge.
    """
    plan, cores, layout, lying = laid.plan, laid.cores, laid.layout, laid.direction == "lr"
    areas = laid.areas
    items: list[Item] = []
    levels: list[int] = []
    for scope, pieces in zip(plan.scopes, layout.scopes, strict=True):
        levels.append(levels[scope.parent] + 1 if scope.parent >= 0 else 0)
        ground = theme.scopes[min(levels[-1], len(theme.scopes) - 1)]
        frames = [Rect(a.x, a.y, a.width, a.height, ground, theme.border, 0.6, 6) for a in pieces]
        items.append(Group("scope", tuple(frames)))
    looks = {
        (edge.tail, edge.head): _look(edge.bypass or ("add" if edge.projection else ""), edge.grows, theme)
        for edge in plan.edges
    }
    feeding = {tail: looks[tail, head] for tail, head in looks if looks[tail, head][0] != theme.line}
    feeding |= {tail: looks[tail, head] for tail, head in looks if looks[tail, head][0] == theme.line}
    # bypasses are painted first, so that where lines meet the main one is whole
    wires: list[Group] = []
    drawn: dict[int, list[Wire]] = {}
    for wire in sorted(layout.wires, key=lambda wire: looks[wire.tail, wire.head][0] != theme.line):
        look = looks[wire.tail, wire.head]
        others = drawn.get(wire.tail, ()) if look[0] != theme.line else ()
        wires.append(_wire(_parted(wire, others), *look))
        drawn.setdefault(wire.tail, []).append(wire)
    items += reversed(wires)
    wide = max((w for w, _ in cores), default=0.0)
    for scope, pieces in zip(plan.scopes, layout.scopes, strict=True):
        items += _labels(scope, pieces, layout, laid.direction, wide, theme)
    for box, area, place in zip(plan.boxes, areas, layout.boxes, strict=True):
        items.append(_box(box, area, theme, plan, laid.words, heat))
        if box.shape or box.id in feeding:
            down = feeding.get(box.id) if box.id not in layout.across else None
            most = 0.0 if lying else _open(laid, areas, box.id, beyond)
            behind = _behind(laid, areas, box.id) if 0.0 < most < width(box.shape, SMALL) else 0.0
            items += _leaving(box, area, place, lying, down, theme, (most, behind))
    return items


def _open(laid: Laid, areas: Sequence[Area], box: int, beyond: float) -> float:
    """How much room a shape has beside the line that goes down from a box, or up: as far as no other box, no
    line, no frame and no other shape stands there.
    """
    area, place, layout = areas[box], laid.layout.boxes[box], laid.layout
    x = area.x + area.width / 2 + 6
    least = area.width / 2 - 6 + ASIDE / 2
    if width(laid.plan.boxes[box].shape, SMALL) <= least:
        return least
    top, low = (place.y, area.y) if place.y < area.y else (area.bottom, place.bottom)
    ends = [layout.width + beyond]
    for core, one in zip(areas, layout.boxes, strict=True):
        if one.y < low and one.bottom > top:  # beside a box, or beside the line out of it
            ends.append(core.x if core.y < low and core.bottom > top else core.x + core.width / 2)
    for frame in (one for pieces in layout.scopes for one in pieces if one.y < low and one.bottom > top):
        ends += [frame.x, frame.right]
    for wire in layout.wires:
        for (x0, y0), (x1, y1) in pairwise(wire.points):
            if min(y0, y1) < low and max(y0, y1) > top:
                ends.append(max(min(x0, x1), x) if y0 == y1 and max(x0, x1) > x else x0)
    return max(least, min((end for end in ends if end >= x), default=x) - x - 4)


def _behind(laid: Laid, areas: Sequence[Area], box: int) -> float:
    """The same to the left of the line, for a shape that is longer than the room beside it."""
    area, place, layout = areas[box], laid.layout.boxes[box], laid.layout
    x = area.x + area.width / 2 - 6
    top, low = (place.y, area.y) if place.y < area.y else (area.bottom, place.bottom)
    ends = [0.0]
    for other, core, one in zip(laid.plan.boxes, areas, layout.boxes, strict=True):
        if one.y < low and one.bottom > top:
            shape = core.x + core.width / 2 + 6 + width(other.shape, SMALL)
            ends.append(core.right if core.y < low and core.bottom > top else max(core.right, shape))
    for frame in (one for pieces in layout.scopes for one in pieces if one.y < low and one.bottom > top):
        ends += [frame.x, frame.right]
    for wire in layout.wires:
        for (x0, y0), (x1, y1) in pairwise(wire.points):
            if min(y0, y1) < low and max(y0, y1) > top:
                ends.append(min(max(x0, x1), x) if min(x0, x1) < x else max(x0, x1))
    return x - max((end for end in ends if end <= x), default=x) - 4


# --- what the page holds --------------------------------------------------------------------------


def chosen(request: Request) -> Laid:
    """The most detailed graph that the page of a request holds; or what is least too large for it.

    Levels of scopes are folded, the deepest first; before one is, boxes are given fewer words.

    Raises:
        UsageError: there are too many boxes.
    """
    known, key = (
        request.plans.known,
        (
            __name__,
            request.page,
            request.bare,
            request.depth,
            request.direction,
            request.labels,
            request.heat,
        ),
    )
    if key not in known:
        known[key] = _chosen(request)
    found = known[key]
    assert isinstance(found, Laid)
    return found


def shown(request: Request) -> tuple[Plan, str]:
    """The plan that is drawn, and its direction, for those who lay it out themselves."""
    if request.depth is not None and not request.page.lying:
        return request.plan, request.direction or "tb"
    found = chosen(request)
    return found.plan, found.direction


def _chosen(request: Request) -> Laid:
    page = request.page
    ways = [request.direction] if request.direction else ["tb", "lr"] if page.lying else ["tb"]
    best: Laid | None = None
    if "tb" in ways and (found := _as_u(request)) is not None:
        return found
    for plan in map(Plan.thinned, request.choices()) if widens(request) else request.choices():
        only = request.is_last(plan)
        hopeless: set[str] = set()
        if "tb" in ways and (found := _u_of(request, plan, only=only)) is not None:
            return found
        choices = _WORDS if _is_cut(plan, _NARROWER_WORDS) else (*_WORDS, _NARROWER_WORDS)
        whole: list[Laid] = []
        # of the last plan boxes are made as narrow as they have to be
        for words, way in product(_WORDS if only else choices, ways):
            found = _laid(request, plan, words, way, only=only) if way not in hopeless else None
            if found is None:
                continue
            if found.share > _HOPELESS and not only:
                hopeless.add(way)
            if found.over == (0.0, 0.0):
                whole.append(found)
                if not found.cut:
                    break
            if best is None or found.over < best.over:
                best = found
        if whole:  # that in which fewest names are cut
            best = min(whole, key=lambda laid: laid.cut)
            if best.layout.height > _LOW * page.page[1] or plan.depth == request.plan.depth:
                return best
            return _gathered(request, best, ways, plan.depth, 1.0 if page.bounded else _SCROLLED)
    assert best is not None
    if request.depth is not None:
        return best
    best = _narrowed(request, best) if best.over[0] else best
    return _gathered(request, best, ways) if best.share > (1.0 if page.bounded else _SCROLLED) else best


def _gathered(request: Request, best: Laid, ways: Sequence[str], deeper: int = 0, most: float = 1.0) -> Laid:
    """The deepest plan that fits when its chains are boxes; or what is least too large of all.

    Args:
        request: what is asked for.
        best: what there is without.
        ways: the directions.
        deeper: to what depth it is not done.
        most: how many times as high as its page it may be.
    """
    plans = [plan for plan in request.gathered() if len(plan.edges) <= _EDGES and plan.depth > deeper]
    for plan in plans if "tb" in ways else ():
        if (bent := _u_of(request, plan, only=True)) is not None:
            return bent
    for some in (plans, [*request.closest()] if request.page.bounded else []):
        for plan in some:
            for words, way in product((*_WORDS, _NARROWER_WORDS), ways):
                found = _laid(request, plan, words, way, only=True)
                assert found is not None
                if found.over[0] and words is _NARROWER_WORDS:
                    found = _narrowed(request, found)
                if not found.over[0] and found.share <= most:
                    return found
                best = min(best, found, key=lambda one: one.over)
        for plan, widest in product(some if request.page.bounded and "tb" in ways else (), _NARROWEST):
            found = _laid(request, plan, _CLOSEST_WORDS._replace(widest=widest), "tb", only=True)
            assert found is not None
            if found.over == (0.0, 0.0):
                return found
    return best


def _as_u(request: Request) -> Laid | None:
    """A network that widens its maps again as a U, where it is one as soon as its scopes are not drawn."""
    if request.depth is not None or request.failed is not None:
        return None
    if not widens(request):
        return None
    depths = range(min(request.plans.repeats.deepest, _FLAT), 0, -1)
    for gathered, depth in product((False, True), depths):
        plan = request.plans.flat(depth, PAGE)
        if plan is None:
            continue
        plan = plan.thinned().joined()
        if gathered and not (plan := plan.gathered()).is_gathered:
            continue
        if (found := _u_of(request, request.labelled(plan), only=True)) is not None:
            return found
    return None


def widens(request: Request) -> bool:
    """Whether a network widens its maps again."""
    return any(layer.op.family == "upsampling" for layer in request.network.layers)


def _u_of(request: Request, plan: Plan, *, only: bool) -> Laid | None:
    """A plan as a U with the most words that its page holds; ``None`` where it is none, or is too large."""
    for words in _bent_words(plan) if 0 < len(plan.edges) <= _EDGES else ():
        found = _laid(request, plan, words, "tb", only=only)
        if found is None or not found.bent:
            return None
        if found.layout.rising and found.over == (0.0, 0.0):
            return found
    return None


def _bent_words(plan: Plan) -> Sequence[_Words]:
    """How much a U may say: with fewest words its boxes stand close, or are narrow where none is cut."""
    return [*_WORDS, *_CLOSER_WORDS, *([] if _is_cut(plan, _NARROWER_WORDS) else [_NARROWER_WORDS])]


def _narrowed(request: Request, found: Laid) -> Laid:
    """The same with boxes so narrow that the page holds them, and their words cut; or as it is."""

    def at(widest: float) -> Laid:
        other = _laid(request, found.plan, _WORDS[-1]._replace(widest=widest), found.direction, only=True)
        assert other is not None
        return other

    other = _widest(found, at)
    return found if other.over[0] else other


def _widest(found: Laid, at: Callable[[float], Laid]) -> Laid:
    """The same in the widest boxes with which it is not too wide; or in the narrowest there are."""
    now = max(wide for wide, _ in found.cores)
    widths = [wide for wide in _NARROWER if wide < now]
    if not widths:
        return found
    laid = {len(widths) - 1: at(widths[-1])}
    low, high = 0, len(widths) - 1  # the one is looked for, the other may be it
    while low < high and not laid[high].over[0]:
        middle = (low + high) // 2
        laid[middle] = at(widths[middle])
        low, high = (middle + 1, high) if laid[middle].over[0] else (low, middle)
    return laid[high]


def _laid(request: Request, plan: Plan, words: _Words, direction: str, *, only: bool) -> Laid | None:
    """A plan in places on the page; ``None`` where it is not the ``only`` one, and is seen to be too much."""
    left = room(request, around(request, _signs(request, plan), _notes(request, plan, words)))
    cores = _cores(plan, words)
    if not only and _is_too_much(plan, cores, words, left):
        return None
    layouts, bent = _layouts(request, plan, words, direction, cores, left)
    best = min(layouts, key=lambda layout: layout.over(left))
    return Laid(plan, words, direction, cores, best, best.over(left), bent)


def fitting(
    plan: Plan, room: tuple[float, float], way: str, *, shapes: bool = True, broken: bool = True
) -> Laid:
    """A plan in a room of its own: with the most words that fit, or what is least too large.

    Without ``shapes`` between its boxes it is closer, and its boxes may be narrower. ``broken`` is whether it
    may be broken into columns or rows.
    """
    close = {"tail": _CLOSE, "narrowest": _NARROWER[-1], "beside": _NEXT}
    choices = [words if shapes else words._replace(**close) for words in _WORDS]  # type: ignore[arg-type]
    best: Laid | None = None
    for words in choices:
        found = _within(plan, words, way, room, broken=broken)
        if found.over == (0.0, 0.0) and not found.cut and (found.layout.rising or not found.bent):
            return found
        if best is None or (found.over, found.cut) < (best.over, best.cut):  # fewer words may make a U fit
            best = found
    assert best is not None
    for words in _bent_words(plan)[len(_WORDS) :] if best.bent else ():
        found = _within(plan, words, way, room, broken=broken)
        if found.layout.rising and found.over == (0.0, 0.0):
            return found
    if best.over[0]:
        least = choices[-1]
        other = _widest(
            best, lambda wide: _within(plan, least._replace(widest=wide), way, room, broken=broken)
        )
        best = min(best, other, key=lambda one: one.over)
    return best


def _within(plan: Plan, words: _Words, way: str, room: tuple[float, float], *, broken: bool) -> Laid:
    cores = _cores(plan, words)
    whole = _whole(plan, words, way, cores)
    layouts, bent = _broken(whole, way, room) if broken else (whole, False)
    layout = min(layouts, key=lambda layout: layout.over(room))
    return Laid(plan, words, way, cores, layout, layout.over(room), bent)


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


def _layouts(
    request: Request,
    plan: Plan,
    words: _Words,
    direction: str,
    cores: list[tuple[float, float]],
    room: tuple[float, float],
) -> tuple[list[Layout], bool]:
    """The places of the boxes on the page: as a U, where the network is one, and in columns or rows; and
    whether it is one.
    """
    return _broken(_whole(plan, words, direction, cores), direction, room)


def _key(plan: Plan) -> tuple[object, ...]:
    """What tells plans of one network apart."""
    return plan.depth, len(plan.scopes), tuple(box.name for box in plan.boxes), plan.edges, plan.spread


def _whole(plan: Plan, words: _Words, direction: str, cores: list[tuple[float, float]]) -> list[Layout]:
    """The places of the boxes wherever they are: in one piece, and as a U where the network is one."""
    key = direction, words, current()
    if key not in plan.places:
        plan.places[key] = list(_placed(plan, words, direction, cores))
    found: list[Layout] = plan.places[key]
    return found


def _placed(plan: Plan, words: _Words, direction: str, cores: list[tuple[float, float]]) -> Iterator[Layout]:
    tail = max((width(box.shape, SMALL) for box in plan.boxes), default=0.0) + 16
    given = Given(
        [(w + tail, h) if direction == "lr" else (w, h + words.tail) for w, h in cores],
        [Link(edge.tail, edge.head, bool(edge.bypass) or edge.projection) for edge in plan.edges],
        [box.scope for box in plan.boxes],
        [scope.parent for scope in plan.scopes],
        _pads(plan, direction, cores),
        words.apart,
        {box.id for box in plan.boxes if box.training},
        words.beside,
    )
    yield lay_out(given, direction)
    if direction == "tb":
        yield from filter(None, [laid_apart(given), laid_as_u(given, words.tail)])


def _broken(whole: list[Layout], direction: str, room: tuple[float, float]) -> tuple[list[Layout], bool]:
    """The places in a room, and whether they are a U."""
    bent = [layout for layout in whole if layout.rising]
    if bent and bent[0].over(room) == (0.0, 0.0):
        return bent, True
    flat = [arranged(layout, room, direction) for layout in whole if not layout.rising]
    return [*flat, *bent], bool(bent)


# --- sizes ----------------------------------------------------------------------------------------


def _cores(plan: Plan, words: _Words) -> list[tuple[float, float]]:
    """The sizes of the boxes, without the space in which the shape that leaves one stands."""
    key = "cores", words, current()
    if key not in plan.places:
        wide = _width(plan, words)
        plan.places[key] = [
            (wide if box.kind != "input" else min(wide, 150.0), _height(box, wide, plan, words))
            for box in plan.boxes
        ]
    found: list[tuple[float, float]] = plan.places[key]
    return found


def _rows(box: Box, words: _Words) -> list[BoxLine]:
    """The lines of a box that are written: all, or those that cannot be left out."""
    figures = [BoxLine("", one, "") for one in _figures(box, words)]
    others = [row for row in box.lines[1:] if not (words.terse and row.spare)]
    return [*_head(box, words), *others, *figures]


def _figures(box: Box, words: _Words) -> list[str]:
    """The figures of a box in one line, or in one for each where there is no room for all."""
    most = words.widest - 2 * words.pad - _ACCENT
    if not box.figures or (words.stacked and width(box.figures, SMALL) > most):
        return box.figures.split(", ") if box.figures else []
    return [box.figures]


def _head(box: Box, words: _Words) -> list[BoxLine]:
    """The first line of a box, or the lines that stand in its place where there is little room."""
    first = box.lines[0]
    if not words.terse:
        return [first]
    if box.fold > 1 and is_position(first.what):
        first = first._replace(name=f"{box.fold:,} x {first.name}")
    elif box.fold > 1:
        first = first._replace(what=f"{box.fold:,} x {first.what or 'the same'}")
    if not words.stacked:
        return [first]
    most = words.widest - 2 * words.pad - _ACCENT - _STEP * len(_bars(box, words))
    names = _parts(first.name, most)
    whats = _parts(first.what, most, SMALL, 2, bold=False) if first.what else []
    return [
        *(first._replace(name=name, what="") for name in names),
        *(first._replace(name="", what=what) for what in whats),
    ]


def _parts(name: str, most: float, size: float = NAME, lines: int = 3, *, bold: bool = True) -> list[str]:
    """A name in two lines or three, where it has only room so; parted at a space, or behind one of its signs
    that is in no number.
    """
    if width(name[:100], size, bold) <= most:
        return [name]
    places = [found.end() for found in _SIGNS.finditer(name[:99], 1)]
    for count in range(1, lines):
        for place in sorted(places, key=lambda place: (name[place - 1] == " ", place), reverse=True):
            first, rest = name[:place].rstrip(" ,"), name[place:].lstrip()
            if not first or not rest or width(first, size, bold) > most:
                continue
            parts = _parts(rest, most, size, count, bold=bold)
            if all(width(part[:100], size, bold) <= most for part in parts):
                return [first, *parts]
    return [name]


def _is_cut(plan: Plan, words: _Words) -> bool:
    """Whether the name of a box, or what was asked for in it, is longer than it is wide."""
    for box in plan.boxes:
        most = words.widest - 2 * words.pad - _ACCENT - _STEP * len(_bars(box, words))
        if any(width(row.name[:100], NAME, True) > most for row in _head(box, words)):
            return True
        if width(box.figures[:100], SMALL) > most:
            return True
    return False


def _bars(box: Box, words: _Words) -> list[str]:
    """The families of the lines that are left out, each of which is a bar."""
    return [row.family for row in box.lines if row.spare and row.family] if words.terse else []


def _width(plan: Plan, words: _Words) -> float:
    """One width for all boxes, by the longest of their lines and of the notes on scopes."""
    needed = words.narrowest
    for box in plan.boxes:
        if box.kind == "failed":
            needed = max(needed, 220.0)
        needed = max(needed, 2 * width(box.shape[:40], SMALL) + 20)
        bars = _STEP * len(_bars(box, words))
        heads = len(_head(box, words))
        for i, row in enumerate(_rows(box, words)):
            both = _BETWEEN if row.name and row.what else 0.0
            first = width(row.name[:100], NAME if i < heads else SMALL, i < heads)
            needed = max(needed, first + both + width(row.what[:100], SMALL) + 2 * words.pad + _ACCENT + bars)
    for scope in plan.scopes:
        needed = max(needed, width(scope.note[:100], SMALL) + 14 - 2 * MARGIN)
    return min(needed, words.widest)


def _height(box: Box, wide: float, plan: Plan, words: _Words) -> float:
    if box.kind == "failed":
        return _LINE + 12.0 * len(_why(plan, wide)) + 6
    strip = _STRIP + 4 if box.has_strip else 0
    if box.kind == "input":
        return _LINE
    return _LINE + _FURTHER * (len(_rows(box, words)) - 1) + strip


def _why(plan: Plan, wide: float) -> list[str]:
    assert plan.failed is not None
    return wrapped(printable(plan.failed.why[:500]), SMALL, wide - 2 * _PAD - _ACCENT, 5)


def _pads(plan: Plan, direction: str, cores: list[tuple[float, float]]) -> list[Pads]:
    """The space within each scope: above for its name, beneath for what is said of its copies."""
    most = _beside(max((wide for wide, _ in cores), default=0.0), direction)
    pads = []
    for scope in plan.scopes:
        above = len(_heading(scope, "", most)) * _ROW + 5
        beneath = len(_foot(scope, most)) * _ROW
        pads.append(Pads(above, beneath + 6) if direction == "tb" else Pads(above, beneath + 8))
    return pads


def _beside(wide: float, direction: str) -> float:
    """How much room words in a scope have beside the line that goes through its boxes of one width."""
    return (wide / 2 if direction == "tb" else wide) + MARGIN - 6 - 4


def _heading(scope: DrawnScope, more: str, most: float) -> list[tuple[str, str]]:
    """What stands above in a scope: in one row its name and what it is, or in two."""
    first, rest = scope.name, list[str]()
    if width(first, SMALL, True) > most and ".." in first:  # the first and the last of its copies
        start, _, end = first.partition("..")
        first, rest = f"{start}..", [end]
    names = [first, *rest] if rest else _parts(first, most, SMALL)
    names[-1] += more
    if not scope.what or width(names[-1], SMALL, True) + 6 + width(scope.what, SMALL) <= most:
        return [*((name, "") for name in names[:-1]), (names[-1], scope.what)]
    return [*((name, "") for name in names), ("", scope.what)]


def _foot(scope: DrawnScope, most: float) -> list[str]:
    """What stands beneath in a scope: how its copies change."""
    return [row for text in scope.note.split("; ")[1:] for row in wrapped(text, SMALL, most, 2)]


# --- boxes ----------------------------------------------------------------------------------------


def _heat(request: Request, plan: Plan) -> Heat | None:
    """What colours the boxes, where that is a figure and not their families; found once for a plan."""
    known, key = request.plans.known, (__name__, _key(plan), request.heat)
    if key not in known:
        known[key] = heat_of(request, lambda _: {box.id: (box.name, box.behind) for box in plan.boxes})
    found: Heat | None = known[key]
    return found


def _box(box: Box, area: Area, theme: Theme, plan: Plan, words: _Words, heat: Heat | None) -> Group:
    border = theme.failed if box.kind == "failed" else theme.border
    dash = (3.0, 2.0) if box.training else ()
    items: list[Item] = []
    frame = Rect(area.x, area.y, area.width, area.height, theme.box, border, 1, 3, dash)
    if box.kind == "failed":
        red = theme.shade(theme.failed, 0.12)
        items.append(Rect(area.x, area.y, area.width, area.height, red, theme.failed, 1.8, 3))
        items += _line(box.lines[0], area.x, area.y, area.width, theme, 0, 1, color=theme.failed)
        for i, text in enumerate(_why(plan, area.width)):
            y = area.y + _LINE + 12 * i + 8
            items.append(Text(area.x + _PAD + _ACCENT, y, text, SMALL, theme.text))
        return Group("node failed", tuple(items), box.title)
    if box.kind == "input":
        items.append(
            Rect(area.x, area.y, area.width, area.height, theme.box, theme.border, 1, area.height / 2)
        )
        name, what = box.lines[0].name, box.lines[0].what
        most = area.width - 2 * _PAD
        if what and width(f"{name} ({what})", NAME, bold=True) <= most:
            name = f"{name} ({what})"
        text = fitted(name, NAME, most, bold=True)
        items.append(
            Text(area.x + area.width / 2, area.y + 13.5, text, NAME, theme.text, "middle", bold=True)
        )
        return Group("node", tuple(items), box.title)
    if heat is not None and (paint := heat.paint(box.id, theme)) is not None:
        items.append(replace(frame, fill=paint.fill))
        if paint.hatch:
            items += hatched(area.x, area.y, area.right, area.bottom, paint.hatch)
        heads = len(_head(box, words))
        for i, row in enumerate(_rows(box, words)):
            y = area.y + (_LINE + (i - 1) * _FURTHER if i else 0)
            plain = row._replace(family="")
            items += _line(plain, area.x, y, area.width, theme, i, heads, words.pad, ink=paint.ink)
        return Group("node", tuple(items), box.title + heat.says(box.id))
    items.append(frame)
    bars = _bars(box, words)
    heads = len(_head(box, words))
    beneath = _FURTHER * (heads - 1)
    for i, row in enumerate(_rows(box, words)):
        y = area.y + (_LINE + (i - 1) * _FURTHER if i else 0)
        if row.family and not 0 < i < heads:
            whole = (_FURTHER if i else _LINE + beneath) - 1
            items.append(Rect(area.x + 0.5, y + 0.5, area.width - 1, whole, theme.tint(row.family)))
            items.append(Rect(area.x + 0.5, y + 0.5, _ACCENT, whole, theme.color(row.family)))
        items += _line(row, area.x, y, area.width - _STEP * len(bars), theme, i, heads, words.pad)
    for i, family in enumerate(reversed(bars)):
        x = area.right - 0.5 - _STEP * i - _ACCENT
        items.append(Rect(x, area.y + 0.5, _ACCENT, _LINE + beneath - 1, theme.color(family)))
    if box.has_strip:
        items += _strip(box, area, theme)
    return Group("node", tuple(items), box.title)


def _line(
    row: BoxLine,
    x: float,
    y: float,
    wide: float,
    theme: Theme,
    number: int,
    heads: int,
    pad: float = _PAD,
    *,
    color: str = "",
    ink: str = "",
) -> list[Item]:
    """A line of a box: a name to the left, what it is to the right; or to the left too, beneath its name.

    Args:
        row: the line.
        x: where it begins.
        y: its upper edge.
        wide: its width.
        theme: the colours.
        number: which line of its box it is, from 0.
        heads: how many lines head the box.
        pad: the space on its sides.
        color: that of the name.
        ink: that of all; without them they are as the theme has it.
    """
    head, left = number < heads, 0 < number < heads
    size = NAME if head else SMALL
    space = wide - 2 * pad - _ACCENT - (_BETWEEN if row.name and row.what else 0)
    named, says = width(row.name[:200], size), width(row.what[:200], SMALL)
    if not head and row.name and row.what and named + says > space:  # the other is in the title
        if says <= space + _BETWEEN:
            row, left, space = row._replace(name=""), True, space + _BETWEEN
        elif named <= space + _BETWEEN:
            row, space = row._replace(what=""), space + _BETWEEN
    least = space * 0.5 if row.name else space
    what = fitted(row.what, SMALL, max(least, space - width(row.name[:200], size, head)))
    name = fitted(row.name, size, space - width(what, SMALL), head)
    items: list[Item] = []
    base = y + (_LINE / 2 + 3.8 if number == 0 else _FURTHER / 2 + 3.3)
    if name:
        items.append(Text(x + pad + _ACCENT, base, name, size, color or ink or theme.text, bold=head))
    if what:
        tone = ink or (theme.text if row.family else theme.muted)
        place = (x + pad + _ACCENT, "start") if left else (x + wide - pad, "end")
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


def _leaving(
    box: Box,
    area: Area,
    place: Area,
    lying: bool,
    look: tuple[str, float, tuple[float, ...]] | None,
    theme: Theme,
    rooms: tuple[float, float],
) -> list[Item]:
    """The shape that leaves a box: to the right of the line on which it does, or to its left if it has room
    there alone, of the two ``rooms``.
    """
    if lying:
        y = area.y + area.height / 2
        text = Text(area.right + 5, y - 4, box.shape, SMALL, theme.muted)
        return [
            *(
                [line((area.right, y), (place.right + 1, y), stroke=look[0], thickness=look[1], dash=look[2])]
                if look is not None
                else []
            ),
            text,
        ]
    x = area.x + area.width / 2
    room, behind = rooms
    rising = place.y < area.y
    base = area.y - 4.5 if rising else area.bottom + 11
    shape = box.shape
    if ", " in shape and width(shape, SMALL) > room:  # of several the first, whole if there is room
        first = shape.partition(", ")[0]
        shape = next((text for text in (f"{first}, …", f"{first}…") if width(text, SMALL) <= room), first)
    text = Text(x + 6, base, fitted(shape, SMALL, room), SMALL, theme.muted)
    if room < width(shape, SMALL) <= behind:
        text = Text(x - 6, base, shape, SMALL, theme.muted, "end")
    if look is not None:
        color, thickness, dash = look
        ends = (area.y, place.y - 1) if rising else (area.bottom, place.bottom + 1)
        return [line((x, ends[0]), (x, ends[1]), stroke=color, thickness=thickness, dash=dash), text]
    return [Text(x, base, box.shape, SMALL, theme.muted, "middle")]


# --- connections and scopes -----------------------------------------------------------------------


def _look(bypass: str, grows: bool, theme: Theme) -> tuple[str, float, tuple[float, ...]]:
    if not bypass:
        return theme.line, 1.2, ()
    return (theme.dense, _THICK, _DASH) if grows else (theme.residual, _THICK, ())


def _wire(wire: Wire, color: str, thickness: float, dash: tuple[float, ...]) -> Group:
    *points, back, tip = wire.points
    way = (*points, back, _short_of(tip, back, 3.0))
    path = rounded_line(*way, stroke=color, radius=6, thickness=thickness, dash=dash)
    return Group("edge", (path, arrow_head(tip, back, color, 6.5 if thickness > 1.5 else 5.5)))


def _parted(wire: Wire, others: Iterable[Wire]) -> Wire:
    """The rest of a way from where it parts from all others that come from the same box."""
    points = list(wire.points)
    longest = points
    for other in others:
        rest = points
        for a, b in zip(pairwise(points), pairwise(other.points), strict=False):
            if a[0] != b[0]:
                break
            ends = [_direction(*a), _direction(*b)]
            if ends[0] != ends[1]:
                break
            nearer = min(a[1], b[1], key=lambda point: abs(point[0] - a[0][0]) + abs(point[1] - a[0][1]))
            rest = [nearer, *points[points.index(a[1]) + (nearer == a[1]) :]]
            if a[1] != b[1]:
                break
        if len(rest) > 1 and _length(rest) < _length(longest):
            longest = rest
    return replace(wire, points=tuple(longest))


def _direction(a: Point, b: Point) -> tuple[int, int]:
    return (b[0] > a[0]) - (b[0] < a[0]), (b[1] > a[1]) - (b[1] < a[1])


def _length(points: Iterable[Point]) -> float:
    return sum(abs(b[0] - a[0]) + abs(b[1] - a[1]) for a, b in pairwise(points))


def _short_of(tip: Point, back: Point, by: float) -> Point:
    length = ((tip[0] - back[0]) ** 2 + (tip[1] - back[1]) ** 2) ** 0.5
    if length <= by:
        return tip
    return tip[0] + (back[0] - tip[0]) * by / length, tip[1] + (back[1] - tip[1]) * by / length


def _labels(
    scope: DrawnScope, pieces: list[Area], layout: Layout, direction: str, wide: float, theme: Theme
) -> list[Item]:
    """The name of a scope, how often it stands there, and what is said of its copies; beside whatever line
    goes through there.
    """
    items: list[Item] = []
    most = _beside(wide, direction)
    count = _count(scope)
    for i, area in enumerate(pieces):
        badge = width(count, SMALL, bold=True) + 8 if count else 0.0
        y = area.y + 12
        rows = len(_heading(scope, "", most))  # so many there is room for
        for name, what in _heading(scope, _CONTINUED if i else "", most)[:rows]:
            needed = width(name, SMALL, bold=True) + (width(what, SMALL) + 6 if what else 0.0)
            x, room = _free(area, y, layout, needed)
            if x + room > area.right - badge - 8:
                room = area.right - badge - 8 - x
            if width(name, SMALL, bold=True) > room:
                name = name.removesuffix(_CONTINUED)
            name = fitted(name, SMALL, room, bold=True)
            length = width(name, SMALL, bold=True) + 6 if name else 0.0
            what = fitted(what, SMALL, room - length) if room - length > 12 else ""
            if name:
                items.append(Text(x, y, name, SMALL, theme.text, bold=True))
            if what:
                items.append(Text(x + length, y, what, SMALL, theme.muted))
            y += _ROW
        x = area.right - badge - 4
        if count and not (i and _is_crossed(Area(x, area.y + 3, badge, 12), layout)):
            items.append(Rect(x, area.y + 3, badge, 12, theme.background, theme.border, 0.6, 6))
            items.append(Text(x + badge / 2, area.y + 12, count, SMALL, theme.text, "middle", bold=True))
    if pieces:
        foot = _foot(scope, most)
        for i, text in enumerate(foot):
            y = pieces[-1].bottom - 6 - _ROW * (len(foot) - 1 - i)
            x, room = _free(pieces[-1], y, layout, width(text, SMALL))
            items.append(Text(x, y, fitted(text, SMALL, room), SMALL, theme.muted))
    return [Group("label", tuple(items))] if items else []


def _is_crossed(area: Area, layout: Layout) -> bool:
    """Whether a line goes through an area."""
    return any(
        min(x0, x1) < area.right
        and max(x0, x1) > area.x
        and min(y0, y1) < area.bottom
        and max(y0, y1) > area.y
        for wire in layout.wires
        for (x0, y0), (x1, y1) in pairwise(wire.points)
    )


def _count(scope: DrawnScope) -> str:
    """How often a scope stands there, as its badge says it."""
    return scope.note.partition(";")[0].partition(", ")[0]


def _free(area: Area, y: float, layout: Layout, needed: float) -> tuple[float, float]:
    """Where words on a height in a scope begin, and how much room they have between the lines there: as far
    to the left as there is as much as is needed, or where there is most.
    """
    lines = [area.x + 2, area.right - 2]
    for wire in layout.wires:
        for (x0, y0), (x1, y1) in pairwise(wire.points):
            beside = max(x0, x1) <= area.x or min(x0, x1) >= area.right
            if not beside and min(y0, y1) < y + 2 and max(y0, y1) > y - 8:
                lines += [x0, x1]
    lines = sorted(min(max(x, area.x + 2), area.right - 2) for x in lines)
    rooms = [(start + 4, end - start - 8) for start, end in pairwise(lines)]
    return next((one for one in rooms if one[1] >= needed), max(rooms, key=lambda one: one[1]))


# --- words ----------------------------------------------------------------------------------------


def _signs(request: Request, plan: Plan) -> list[Sign | Ramp]:
    theme, heat = request.colors, _heat(request, plan)
    signs = heat.signs(theme) if heat is not None else _families(plan, theme)
    signs += ways_around([plan], theme)
    if any(box.training for box in plan.boxes):
        signs.append(Sign("in training only", theme.border, dash=(3.0, 2.0)))
    return signs


def ways_around(plans: Iterable[Plan], theme: Theme) -> list[Sign]:
    """What bypasses look like, in the key."""
    found = {(edge.bypass, edge.grows): None for plan in plans for edge in plan.edges if edge.bypass}
    looks = grouped((_look(kind, grows, theme), kind) for kind, grows in found)
    return [
        Sign(f"bypass into {', '.join(sorted({*kinds}))}", color, True, thickness, dash)
        for (color, thickness, dash), kinds in looks.items()
    ]


def _families(plan: Plan, theme: Theme) -> list[Sign | Ramp]:
    """The families of ops."""
    return [Sign(family, theme.color(family)) for family in plan.families]


def _notes(request: Request, plan: Plan, words: _Words) -> list[str]:
    """What was left out for the page."""
    notes = [*folded(request, plan), *spread(plan), *gathering(plan)]
    if (heat := _heat(request, plan)) is not None:
        notes += heat.notes()
    elif any(_bars(box, words) for box in plan.boxes):
        notes.append("A bar to the right in a box is a layer that follows.")
    if badges := [_count(scope) for scope in plan.scopes if scope.note]:
        own = any("own weights" in scope.note for scope in plan.scopes)
        weights = ", each with its own weights" if own else ""
        notes.append(f"{badges[0]} in a corner: so many in a row{weights}.")
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
