"""``.svg``: a picture as SVG, the same bytes on every machine."""

from __future__ import annotations

from base64 import b64encode

from ..metrics import SANS, Font, current, is_known, using, width
from ..picture import Group, Item, Path, Picture, Point, Rect, Text, number, walk
from ..request import HasPicture

#: Fonts of one set of widths, which :mod:`archlens.drawing.metrics` holds; then whatever there is.
FAMILY = "Helvetica, Arial, 'Liberation Sans', 'Archlens Sans', sans-serif"


def to_bytes(drawn: HasPicture) -> bytes:
    """A picture as the content of an SVG file."""
    return to_svg(drawn.picture).encode("utf-8")


def to_svg(picture: Picture) -> str:
    """A picture as the text of an SVG file: no script, no reference to anything outside.

    It has a style sheet where its font is not the usual one, whose outlines are within it.
    """
    with using(picture.font):
        return _to_svg(picture)


def _to_svg(picture: Picture) -> str:
    w, h = number(picture.width), number(picture.height)
    unit = "" if picture.unit == "px" else picture.unit
    font = picture.font
    family = FAMILY if font == SANS else f"'{font.family}', {font.families}"
    wide, high = (f"{number(side * picture.scale)}{unit}" for side in (picture.width, picture.height))
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {w} {h}" '
        f'role="img" aria-label="{escape(picture.title)}" font-family="{family}">',
        f"<title>{escape(picture.title)}</title>",
        f"<desc>{escape(picture.description)}</desc>",
    ]
    if font != SANS:
        out.append(f"<style>{_embedded(font, picture)}</style>")
    if picture.background:
        out.append(f'<rect width="{w}" height="{h}" fill="{picture.background}"/>')
    for item in picture.items:
        _write(item, out)
    out.append("</svg>\n")
    return "\n".join(out)


def _embedded(font: Font, picture: Picture) -> str:
    """The outlines of the characters that a picture has, as a style sheet."""
    rules = []
    for bold, file in enumerate(font.files[: 1 + font.has_bold]):
        texts = [item for item in walk(picture.items) if isinstance(item, Text)]
        used = {c for item in texts for c in item.text if item.bold == bool(bold) or not font.has_bold}
        if used:
            data = b64encode(file.subset(used)).decode("ascii")
            weight = ";font-weight:bold" if bold else ""
            rules.append(
                f"@font-face{{font-family:'{font.family}'{weight};src:url(data:font/ttf;base64,{data})}}"
            )
    return "".join(rules)


def escape(text: str) -> str:
    r"""Text for an SVG file; a character that XML cannot hold becomes its escape.

    >>> escape("<script>" + chr(0))
    '&lt;script&gt;\\x00'
    """
    if not text.isprintable():
        text = "".join(c if c.isprintable() or c == "\n" else _escaped(c) for c in text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _escaped(c: str) -> str:
    return c.encode("unicode_escape").decode()


def _write(item: Item, out: list[str]) -> None:
    match item:
        case Group():
            out.append(f'<g class="{item.kind}">')
            if item.title:
                out.append(f"<title>{escape(item.title)}</title>")
            for inner in item.items:
                _write(inner, out)
            out.append("</g>")
        case Rect():
            radius = f' rx="{number(item.radius)}"' if item.radius else ""
            out.append(
                f'<rect x="{number(item.x)}" y="{number(item.y)}" width="{number(item.width)}" '
                f'height="{number(item.height)}"{radius}{_paint(item)}/>'
            )
        case Path():
            out.append(f'<path d="{path_data(item)}"{_paint(item)}/>')
        case Text():
            out.append(_text(item))


def _text(item: Text) -> str:
    anchor = f' text-anchor="{item.anchor}"' if item.anchor != "start" else ""
    bold = ' font-weight="bold"' if item.bold and current().has_bold else ""
    # a font of other widths is stretched to these
    length = width(item.text, item.size, item.bold)
    fixed = (
        f' textLength="{number(length)}" lengthAdjust="spacingAndGlyphs"'
        if is_known(item.text) and len(item.text) > 1
        else ""
    )
    return (
        f'<text x="{number(item.x)}" y="{number(item.y)}" font-size="{number(item.size)}" fill="{item.fill}"'
        f"{anchor}{bold}{fixed}>{escape(item.text)}</text>"
    )


def _paint(item: Rect | Path) -> str:
    words = f' fill="{item.fill or "none"}"'
    if item.stroke:
        words += f' stroke="{item.stroke}"'
        if item.thickness != 1:
            words += f' stroke-width="{number(item.thickness)}"'
        if item.dash:
            words += f' stroke-dasharray="{" ".join(map(number, item.dash))}"'
    return words


def path_data(path: Path) -> str:
    """The steps of a path as SVG writes them."""
    words = [f"M{_point(path.start)}"]
    for step in path.steps:
        words.append(("L" if len(step) == 1 else "C") + " ".join(map(_point, step)))
    return "".join(words) + ("Z" if path.closed else "")


def _point(point: Point) -> str:
    return f"{number(point[0])},{number(point[1])}"
