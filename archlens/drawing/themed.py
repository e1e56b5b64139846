"""A picture in the colours of both themes: an SVG file that turns dark where its reader's pages are dark.

Its colours are those of the light theme, which programs without style sheets show. A style sheet of its own
has those of the dark one, for where the page prefers it, or else the reader's system.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from .formats.svg import to_svg
from .picture import Group, Item, Picture, Text

#: What makes one colour of that in the light theme and that in the dark one.
Both = Callable[[str, str], str]

_TAG = re.compile(r"<\w+ [^<>]*>")
_COLOR = re.compile(r' (fill|stroke)="(#\w+)/(#\w+)"')


def merged(light: Picture, dark: Picture, both: Both) -> Picture:
    """One picture of two that differ in nothing but colours."""
    items = tuple(_item(a, b, both) for a, b in zip(light.items, dark.items, strict=True))
    return replace(light, background=both(light.background, dark.background), items=items)


def to_both(light: Picture, dark: Picture) -> str:
    """The text of an SVG file that shows the one or the other."""
    sheet: dict[str, str] = {}

    def tag(found: re.Match[str]) -> str:
        classes = []

        def color(said: re.Match[str]) -> str:
            name, here, there = said.groups()
            rule = f"{{{name}:{there}}}"
            # nearly every colour has one counterpart; what has another is told apart by a class
            if sheet.setdefault(f'[{name}="{here}"]', rule) != rule:
                classes.append(f"{name}-{there[1:]}")
                sheet[f".{classes[-1]}"] = rule
            return f' {name}="{here}"'

        text = _COLOR.sub(color, found[0])
        return re.sub(r"(/?>)$", rf' class="{" ".join(classes)}"\1', text) if classes else text

    text = _TAG.sub(tag, to_svg(merged(light, dark, lambda a, b: f"{a}/{b}" if a else a)))
    # classes last: of rules that weigh the same the last one holds
    rules = "".join(name + sheet[name] for name in sorted(sheet, key=lambda name: (name[0] == ".", name)))
    style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
    return text.replace("</desc>\n", f"</desc>\n{style}\n", 1)


def _item(light: Item, dark: Item, both: Both) -> Item:
    if isinstance(light, Group):
        assert isinstance(dark, Group)
        inner = zip(light.items, dark.items, strict=True)
        return replace(light, items=tuple(_item(a, b, both) for a, b in inner))
    assert not isinstance(dark, Group)
    fill = both(light.fill, dark.fill)
    if isinstance(light, Text):
        return replace(light, fill=fill)
    assert not isinstance(dark, Text)
    return replace(light, fill=fill, stroke=both(light.stroke, dark.stroke))
