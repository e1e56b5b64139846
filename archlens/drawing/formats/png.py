"""``.png``: a picture painted by resvg with the package's own font, so that the same bytes come anywhere."""

from __future__ import annotations

from dataclasses import replace

from ...errors import not_installed, usage
from ..metrics import FONTS, SANS, is_known, using
from ..picture import Picture, Text, walk
from ..request import HasPicture
from .svg import to_svg

#: Pixels of the file per pixel of a screen, and per inch of paper; the most that a side may have.
_ZOOM, _INCH, _MOST = 2.0, 300.0, 16_000


def to_bytes(drawn: HasPicture) -> bytes:
    """A picture as the content of a PNG file.

    Raises:
        UsageError: resvg-py is not installed, or there would be too many pixels.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise not_installed("PNG is painted by resvg-py", "diagram") from None
    picture = drawn.picture
    font = picture.font
    family = "Archlens Sans" if font == SANS else font.family
    zoom = _INCH / 72 if picture.unit == "pt" else _ZOOM
    longest = max(picture.width, picture.height) * picture.scale
    if longest > _MOST:
        raise usage(
            f"the picture is {longest:,.0f} {picture.unit} long, too large for a PNG",
            help="fold it with a smaller --depth, or write an .svg or .pdf",
        )
    return bytes(
        svg_to_bytes(
            svg_string=to_svg(replace(picture, unit="px")),
            zoom=min(zoom, _MOST / longest),
            # to the edges of the last pixels, which the picture may cover in part
            background=picture.background or None,
            # characters that the font lacks are looked for on the machine; there the bytes may differ
            skip_system_fonts=_is_covered(picture),
            font_files=list(dict.fromkeys([str(font.regular), str(font.bold)])),
            font_dirs=[str(FONTS)],
            font_family=family,
            sans_serif_family=family,
        )
    )


def _is_covered(picture: Picture) -> bool:
    with using(picture.font):
        return all(is_known(item.text) for item in walk(picture.items) if isinstance(item, Text))
