"""``.png``: a picture painted by resvg with the package's own font, so that the same bytes come anywhere."""

from __future__ import annotations

from ...errors import usage
from ..metrics import BOLD_FILE, FONTS, REGULAR_FILE, is_known
from ..picture import Picture, Text, walk
from ..request import HasPicture
from .svg import to_svg

#: Pixels per point, and the most pixels that a side may have.
_ZOOM, _MOST = 2.0, 16_000


def to_bytes(drawn: HasPicture) -> bytes:
    """A picture as the content of a PNG file.

    Raises:
        UsageError: resvg-py is not installed, or there would be too many pixels.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise usage(
            "PNG is painted by resvg-py, which is not installed", help="pip install 'archlens-nn[diagram]'"
        ) from None
    picture = drawn.picture
    longest = max(picture.width, picture.height)
    if longest > _MOST:
        raise usage(
            f"the picture is {longest:,.0f} points long, too large for a PNG",
            help="fold it with a smaller --depth, or write an .svg or .pdf",
        )
    return bytes(
        svg_to_bytes(
            svg_string=to_svg(picture),
            zoom=min(_ZOOM, _MOST / longest),
            # characters that the font lacks are looked for on the machine; there the bytes may differ
            skip_system_fonts=_is_covered(picture),
            font_files=[str(REGULAR_FILE), str(BOLD_FILE)],
            font_dirs=[str(FONTS)],
            font_family="Archlens Sans",
            sans_serif_family="Archlens Sans",
        )
    )


def _is_covered(picture: Picture) -> bool:
    return all(is_known(item.text) for item in walk(picture.items) if isinstance(item, Text))
