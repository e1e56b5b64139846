"""A picture made small: what is drawn, without the words, which nobody could read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from .frame import Shifted
from .picture import Group, Item, Path, Picture, Point, Rect, Text, walk

#: The space around everything, and the shape of the picture: how many times wider than high it is at most
#: high, and at least.
EDGE, RATIO = 8.0, 2.0
_MADE_FOR = re.compile(r", for [\d.]+ ?[a-z]+$")


def thumbnail(picture: Picture) -> Picture:
    """The drawing of a picture, on a page twice as wide as high, which it fills in one direction."""
    drawn = tuple(item for item in _bare(picture.items) if isinstance(item, Group) and item.kind == "drawing")
    points = [point for item in walk(drawn) for point in _corners(item)] or [(0.0, 0.0)]
    left, top = min(x for x, _ in points), min(y for _, y in points)
    wide, high = max(x for x, _ in points) - left + 2 * EDGE, max(y for _, y in points) - top + 2 * EDGE
    width = max(wide, high * RATIO)
    height = width / RATIO
    shifted = Shifted((width - wide) / 2 + EDGE - left, (height - high) / 2 + EDGE - top)
    title = _MADE_FOR.sub("", picture.title)  # of the width that it was made for nothing is left
    return replace(picture, title=title, width=width, height=height, items=tuple(map(shifted.item, drawn)))


def _bare(items: Iterable[Item]) -> list[Item]:
    """The items without words and what leads to them, and without groups that held nothing else."""
    found: list[Item] = []
    for item in items:
        if isinstance(item, Group):
            inner = tuple(_bare(item.items)) if item.kind != "caption" else ()
            if inner:
                found.append(Group(item.kind, inner))
        elif not isinstance(item, Text):
            found.append(item)
    return found


def _corners(item: Item) -> Iterable[Point]:
    if isinstance(item, Rect):
        return [(item.x, item.y), (item.x + item.width, item.y + item.height)]
    if isinstance(item, Path):
        return [item.start, *(point for step in item.steps for point in step)]
    return []
