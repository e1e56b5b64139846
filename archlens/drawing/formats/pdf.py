"""``.pdf``: a picture as vectors on a page of its own size, with the package's own font, by reportlab."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

from ...errors import not_installed, printable, usage
from ..metrics import SANS, Font
from ..picture import Group, Item, Path, Rect, Text
from ..request import HasPicture

#: The longest side that PDF 1.x knows, in points.
_MOST = 14_400

#: The names of the regular font and of the bold one, as a canvas knows them.
_Names = tuple[str, str]


def to_bytes(drawn: HasPicture) -> bytes:
    """A picture as the content of a PDF file.

    A character that the font lacks (the package's have Latin, Greek and Cyrillic) is an empty box; SVG and
    PNG take it from another font of the machine.

    Raises:
        UsageError: reportlab is not installed, or cannot read the font.
    """
    try:
        from reportlab.pdfgen.canvas import Canvas
    except ImportError:
        raise not_installed("PDF is written by reportlab", "diagram") from None
    picture = drawn.picture
    names = _registered(picture.font)
    scale = min(picture.printed, _MOST / max(picture.width, picture.height))
    stream = BytesIO()
    # invariant: no date and no random identifier
    size = (picture.width * scale, picture.height * scale)
    # every page begins with a font, and the one that reportlab takes is not embedded
    canvas = Canvas(stream, pagesize=size, invariant=1, initialFontName=names[0])
    canvas.setTitle(printable(picture.title))
    canvas.setSubject(printable(picture.description)[:2000])
    canvas.setCreator("archlens")
    canvas.scale(scale, -scale)
    canvas.translate(0, -picture.height)
    if picture.background:
        _rectangle(Rect(0, 0, picture.width, picture.height, picture.background), canvas)
    for item in picture.items:
        _write(item, canvas, names)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def _registered(font: Font) -> _Names:
    """A font among those that reportlab knows."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFError, TTFont

    names = ("ArchlensSans", "ArchlensSans-Bold") if font == SANS else (font.name, f"{font.name} bold")
    for name, file in zip(names, font.files, strict=True):
        if name not in pdfmetrics.getRegisteredFontNames():
            try:
                pdfmetrics.registerFont(TTFont(name, BytesIO(file.content)))
            except (TTFError, ValueError, LookupError, ArithmeticError, struct.error, AssertionError):
                raise usage(
                    f"{file.called} cannot be put into a PDF", help="serif, sans, mono, or another .ttf file"
                ) from None
    return names


def _write(item: Item, canvas: Any, names: _Names) -> None:
    match item:
        case Group():
            for inner in item.items:
                _write(inner, canvas, names)
        case Rect():
            _rectangle(item, canvas)
        case Path():
            path = canvas.beginPath()
            path.moveTo(*item.start)
            for step in item.steps:
                if len(step) == 1:
                    path.lineTo(*step[0])
                else:
                    path.curveTo(*step[0], *step[1], *step[2])
            if item.closed:
                path.close()
            _paint(item, canvas)
            canvas.drawPath(path, stroke=bool(item.stroke), fill=bool(item.fill))
        case Text():
            _text(item, canvas, names)


def _rectangle(item: Rect, canvas: Any) -> None:
    _paint(item, canvas)
    radius = min(item.radius, item.width / 2, item.height / 2)
    place = (item.x, item.y, item.width, item.height)
    if radius:
        canvas.roundRect(*place, radius, stroke=bool(item.stroke), fill=bool(item.fill))
    else:
        canvas.rect(*place, stroke=bool(item.stroke), fill=bool(item.fill))


def _text(item: Text, canvas: Any, names: _Names) -> None:
    canvas.saveState()
    canvas.translate(item.x, item.y)
    canvas.scale(1, -1)  # the page hangs from its top
    canvas.setFont(names[item.bold], item.size)
    canvas.setFillColor(_color(item.fill))
    text = printable(item.text)
    draw = {"start": canvas.drawString, "middle": canvas.drawCentredString, "end": canvas.drawRightString}
    draw[item.anchor](0, 0, text)
    canvas.restoreState()


def _paint(item: Rect | Path, canvas: Any) -> None:
    if item.fill:
        canvas.setFillColor(_color(item.fill))
    if item.stroke:
        canvas.setStrokeColor(_color(item.stroke))
        canvas.setLineWidth(item.thickness)
        canvas.setDash(list(item.dash))


def _color(text: str) -> Any:
    from reportlab.lib.colors import HexColor

    return HexColor(text)
