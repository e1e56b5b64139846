"""What every picture has around it: a title above, a key to the colours below, and the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..errors import printable, shorten
from ..views import words
from .metrics import fitted, width
from .picture import Group, Item, Picture, Rect, Text, line
from .request import Request
from .theme import Theme

#: The space around everything, and the least width of a picture.
EDGE, LEAST = 20.0, 440.0
#: Sizes of text: titles, names, and what is said beside them.
TITLE, NAME, SMALL = 15.0, 11.0, 9.5


class Sign(NamedTuple):
    """A sign of the key: a swatch of a colour, or a line, and what it means."""

    text: str
    color: str
    line: bool = False
    thickness: float = 1.2
    dash: tuple[float, ...] = ()


def framed(
    request: Request,
    items: Iterable[Item],
    size: tuple[float, float],
    *,
    signs: Iterable[Sign] = (),
    notes: Iterable[str] = (),
    description: str,
) -> Picture:
    """A picture of items that take up ``size``, with a title above and a key and notes below.

    Args:
        request: what is drawn.
        items: what is drawn, from (0, 0).
        size: its width and height.
        signs: the key.
        notes: sentences beneath the key.
        description: what the picture shows, for those who do not see it.
    """
    network = request.network
    headline = words.headline(network, complete=request.failed is None).removeprefix(printable(network.title))
    heading = (network.title, headline.removeprefix(": "))
    return page(heading, items, size, request.colors, signs=signs, notes=notes, description=description)


def page(
    heading: tuple[str, str],
    items: Iterable[Item],
    size: tuple[float, float],
    theme: Theme,
    *,
    signs: Iterable[Sign] = (),
    notes: Iterable[str] = (),
    description: str,
) -> Picture:
    """The same under a heading of one's own: a title, and a line beneath it."""
    title = shorten(heading[0], 200)
    inner = max(size[0], LEAST)
    out: list[Item] = [
        Text(EDGE, EDGE + 12, fitted(title, TITLE, inner, bold=True), TITLE, theme.text, bold=True),
        Text(EDGE, EDGE + 28, fitted(heading[1], SMALL + 1, inner), SMALL + 1, theme.muted),
    ]
    top = EDGE + 46
    out.append(Shifted(EDGE + max(0.0, (inner - size[0]) / 2), top).group(tuple(items)))
    y = top + size[1] + 22
    key, y = _key(list(signs), inner, y, theme)
    out += key
    for note in notes:
        for text in _lines(note, inner):
            out.append(Text(EDGE, y + 8, text, SMALL, theme.muted))
            y += 13
    return Picture(inner + 2 * EDGE, y + EDGE - 6, theme.background, title, description, tuple(out))


def _lines(note: str, most: float) -> list[str]:
    lines = [""]
    for word in note.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, SMALL) > most and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return [fitted(text, SMALL, most) for text in lines]


def _key(signs: list[Sign], most: float, y: float, theme: Theme) -> tuple[list[Item], float]:
    """The key, in as many rows as it needs, and where it ends."""
    items: list[Item] = []
    x = 0.0
    for sign in signs:
        mark = 22.0 if sign.line else 12.0
        wide = mark + 5 + width(sign.text, SMALL) + 16
        if x and x + wide - 16 > most:
            x, y = 0.0, y + 16
        if sign.line:
            dash = {"stroke": sign.color, "thickness": sign.thickness, "dash": sign.dash}
            items.append(line((EDGE + x, y + 5), (EDGE + x + 20, y + 5), **dash))  # type: ignore[arg-type]
        else:
            fill = theme.shade(sign.color, theme.strength)
            items.append(Rect(EDGE + x, y, 11, 10, fill, sign.color, radius=2))
        items.append(Text(EDGE + x + mark + 3, y + 8.5, sign.text, SMALL, theme.muted))
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
        from dataclasses import replace

        if isinstance(item, Group):
            return replace(item, items=tuple(self.item(inner) for inner in item.items))
        if isinstance(item, Rect | Text):
            return replace(item, x=item.x + self.dx, y=item.y + self.dy)
        start = (item.start[0] + self.dx, item.start[1] + self.dy)
        steps = tuple(tuple((x + self.dx, y + self.dy) for x, y in step) for step in item.steps)
        return replace(item, start=start, steps=steps)
