"""What every picture has around it: a title above, a key to the colours below, and the page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from ..errors import printable, shorten
from ..views import words
from .fit import SMALL, Fit
from .metrics import fitted, width, wrapped
from .picture import Group, Item, Picture, Rect, Text, hatched, line
from .plan import Plan
from .request import Request
from .theme import LIGHT, Theme

#: The space around everything: on a screen; on paper, and around a drawing alone. The least width of a
#: picture that does not fill a page.
EDGE, TIGHT, LEAST = 20.0, 4.0, 440.0
#: Sizes of text beside the smallest, that of what is said besides: titles and names.
TITLE, NAME = 15.0, 11.0
#: The space between a drawing and what stands above and beneath it; the height of a line of a note.
_ABOVE, _BENEATH, _NOTE = 16.0, 22.0, 13.0
#: How many lines a title may have, and by how much a slide may be enlarged.
_TITLES, _LARGER = 2, 2.0
#: The length of a scale of colours.
_RAMP = 120.0


class Sign(NamedTuple):
    """A sign of the key: a swatch of a colour, or a line, and what it means."""

    text: str
    color: str
    line: bool = False
    thickness: float = 1.2
    dash: tuple[float, ...] = ()
    #: The colour of its hatch; empty for none.
    hatch: str = ""


class Ramp(NamedTuple):
    """A scale of colours of the key, with what its ends mean."""

    low: str
    high: str
    colors: tuple[str, ...]


class Around(NamedTuple):
    """What stands around a drawing."""

    #: Title and line beneath it; empty for none.
    heading: tuple[str, str] | tuple[()]
    signs: tuple[Sign | Ramp, ...] = ()
    notes: tuple[str, ...] = ()

    def above(self, inner: float, theme: Theme) -> tuple[list[Item], float]:
        """What stands above, within a width, and its height."""
        if not self.heading:
            return [], 0.0
        items: list[Item] = []
        y = 12.0
        for text in wrapped(shorten(self.heading[0], 200), TITLE, inner, _TITLES, bold=True):
            items.append(Text(0, y, text, TITLE, theme.text, bold=True))
            y += 18
        for text in wrapped(self.heading[1], SMALL + 1, inner, _TITLES):
            items.append(Text(0, y - 2, text, SMALL + 1, theme.muted))
            y += _NOTE
        return items, y - _NOTE + _ABOVE

    def beneath(self, inner: float, theme: Theme) -> tuple[list[Item], float]:
        """What stands beneath, within a width, and its height."""
        if not self.signs and not self.notes:
            return [], 0.0
        items, y = _key(self.signs, inner, _BENEATH, theme)
        for note in self.notes:
            for text in _lines(note, inner):
                items.append(Text(0, y + 8, text, SMALL, theme.muted))
                y += _NOTE
        return items, y - 6


def room(request: Request, around: Around) -> tuple[float, float]:
    """The width and the height that the page of a request leaves to a drawing."""
    return space(request.page, around)


def space(fit: Fit, around: Around) -> tuple[float, float]:
    """The width and the height that a page leaves to what stands between title and key."""
    wide, high = fit.page
    edge = _edge(fit, around)
    inner = wide - 2 * edge
    return inner, high - _height(around, (0.0, 0.0), inner, LIGHT, edge)


def around(request: Request, signs: Iterable[Sign | Ramp] = (), notes: Iterable[str] = ()) -> Around:
    """The title of a request's network, a key and notes; nothing where it is to be bare."""
    if request.bare:
        return Around(())
    network = request.network
    headline = words.headline(network, complete=request.failed is None).removeprefix(printable(network.title))
    return Around((network.title, headline.removeprefix(": ")), tuple(signs), tuple(notes))


def folded(request: Request, plan: Plan) -> list[str]:
    """A note on what is folded for the page; none where a depth is asked for."""
    page, deepest = request.page, request.plans.repeats.deepest
    if request.depth is not None or plan.depth >= deepest or all(box.kind != "scope" for box in plan.boxes):
        return []
    size = f"text of {page.least:g} {page.unit} at a width of {page.measure}"
    return [f"Drawn to depth {plan.depth} of {deepest}, for {size}."]


def framed(
    request: Request,
    items: Iterable[Item],
    size: tuple[float, float],
    *,
    signs: Iterable[Sign | Ramp] = (),
    notes: Iterable[str] = (),
    shows: str,
    description: str,
) -> Picture:
    """A picture of items that take up ``size``, with a title above and a key and notes below.

    Args:
        request: what is drawn.
        items: what is drawn, from (0, 0).
        size: its width and height.
        signs: the key.
        notes: sentences beneath the key.
        shows: what of the network, by which those who do not see the pictures of a page tell them apart.
        description: the same at length.
    """
    found = page(around(request, signs, notes), items, size, request.colors, description, request.page)
    title = ", ".join([f"{shorten(request.network.title, 200)}: {shows}", *request.asked])
    background = found.background if request.ground == "theme" else ""
    return replace(found, title=title, background=background)


def page(
    around: Around,
    items: Iterable[Item],
    size: tuple[float, float],
    theme: Theme,
    description: str,
    fit: Fit | None = None,
) -> Picture:
    """The same with what one says oneself around it.

    Args:
        around: the title, the key and the notes.
        items: what is drawn, from (0, 0).
        size: its width and height.
        theme: the colours.
        description: what the picture shows, for those who do not see it.
        fit: what it is made for; without one it is as large as it becomes.
    """
    edge = _edge(fit, around)
    inner, larger, spare = max(size[0], LEAST if around.heading else 0.0), 1.0, 0.0
    if fit is not None:
        wide, high = fit.page
        if fit.fills:
            inner = max(size[0], wide - 2 * edge)
        else:
            inner = max(size[0], min(inner, wide - 2 * edge))
        if fit.fills and fit.lying:  # a slide is seen from afar
            larger = max(1.0, min(wide / (size[0] + 2 * edge), _LARGER))
            for _ in range(2):  # what it is enlarged by is width that its notes do not have
                inner = max(size[0], wide / larger - 2 * edge)
                larger = max(1.0, min(larger, high / _height(around, size, inner, theme, edge)))
            inner = max(size[0], wide / larger - 2 * edge)
            spare = max(0.0, high / larger - _height(around, size, inner, theme, edge))
    above, before = around.above(inner, theme)
    beneath, after = around.beneath(inner, theme)
    top = edge + before + spare / 2
    out = (
        *map(Shifted(edge, edge).item, above),
        Shifted(edge + max(0.0, (inner - size[0]) / 2), top).group(tuple(items)),
        *map(Shifted(edge, top + size[1] + spare / 2).item, beneath),
    )
    height = top + size[1] + spare / 2 + after + edge
    title = shorten(around.heading[0], 200) if around.heading else ""
    made = Picture(inner + 2 * edge, height, theme.background, title, description, out)
    return replace(made, scale=fit.scale * larger, unit=fit.unit) if fit is not None else made


def _edge(fit: Fit | None, around: Around) -> float:
    return EDGE if around.heading and not (fit is not None and fit.printed) else TIGHT


def _height(around: Around, size: tuple[float, float], inner: float, theme: Theme, edge: float) -> float:
    return 2 * edge + size[1] + around.above(inner, theme)[1] + around.beneath(inner, theme)[1]


def _lines(note: str, most: float) -> list[str]:
    lines = [""]
    for word in note.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, SMALL) > most and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return [fitted(text, SMALL, most) for text in lines]


def _key(signs: Iterable[Sign | Ramp], most: float, y: float, theme: Theme) -> tuple[list[Item], float]:
    """The key, in as many rows as it needs, and where it ends."""
    items: list[Item] = []
    x = 0.0
    for sign in signs:
        if isinstance(sign, Ramp):
            before, after = width(sign.low, SMALL) + 5, width(sign.high, SMALL) + 16
            if x and x + before + _RAMP + 5 + after - 16 > most:
                x, y = 0.0, y + 16
            items.append(Text(x, y + 8.5, sign.low, SMALL, theme.muted))
            x += before
            each = _RAMP / len(sign.colors)
            for i, color in enumerate(sign.colors):  # each reaches beneath the next: no ground between them
                items.append(Rect(x + i * each, y, _RAMP - i * each, 10, color))
            items.append(Rect(x, y, _RAMP, 10, "", theme.border, 0.6))
            x += _RAMP + 5
            items.append(Text(x, y + 8.5, sign.high, SMALL, theme.muted))
            x += after
            continue
        mark = 22.0 if sign.line else 12.0
        wide = mark + 5 + width(sign.text, SMALL) + 16
        if x and x + wide - 16 > most:
            x, y = 0.0, y + 16
        if sign.line:
            dash = {"stroke": sign.color, "thickness": sign.thickness, "dash": sign.dash}
            items.append(line((x, y + 5), (x + 20, y + 5), **dash))  # type: ignore[arg-type]
        else:
            fill = theme.shade(sign.color, theme.strength)
            if sign.hatch:
                fill = theme.box
            items.append(Rect(x, y, 11, 10, fill, sign.color, radius=2, dash=sign.dash))
            if sign.hatch:
                items += hatched(x, y, x + 11, y + 10, sign.hatch)
        items.append(Text(x + mark + 3, y + 8.5, sign.text, SMALL, theme.muted))
        x += wide
    return ([Group("key", tuple(items))] if items else []), y + (18 if items else 0)


class Shifted:
    """Moves items, so that a picture is drawn from (0, 0) wherever it stands."""

    def __init__(self, dx: float, dy: float) -> None:
        self.dx, self.dy = dx, dy

    def group(self, items: tuple[Item, ...]) -> Group:
        """The items, moved, as one group."""
        return Group("drawing", tuple(self.item(item) for item in items))

    def item(self, item: Item) -> Item:
        """One item, moved."""
        if isinstance(item, Group):
            return replace(item, items=tuple(self.item(inner) for inner in item.items))
        if isinstance(item, Rect | Text):
            return replace(item, x=item.x + self.dx, y=item.y + self.dy)
        start = (item.start[0] + self.dx, item.start[1] + self.dy)
        steps = tuple(tuple((x + self.dx, y + self.dy) for x, y in step) for step in item.steps)
        return replace(item, start=start, steps=steps)
