"""Pictures of networks: the same bytes on every machine, so that they can live in git.

>>> import archlens
>>> from archlens import drawing
>>> drawing.to_svg(archlens.load("lenet5"), style="volumes").splitlines()[1]
'<title>LeNet-5: its feature maps</title>'

A style (``styles/``) makes a picture of a network, a format (``formats/``) makes bytes of it; each is a file,
found by its name. What a style shows is decided in :mod:`archlens.drawing.plan`, and its colours in
:mod:`archlens.drawing.theme`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import shorten, usage
from ..network import Network
from .changes import Changes
from .chart import Chart
from .drawn import Drawn
from .request import HasPicture, Request, extensions, style_names
from .theme import AUTO

__all__ = ["Changes", "Chart", "Request", "extensions", "style_names", "to_bytes", "to_svg"]


def to_svg(network: Network, **options: Any) -> str:
    """A network as the text of an SVG file; the options are those of :class:`Request`.

    Raises:
        UsageError: there is no such style or theme, or too much to draw, or a package is missing.
    """
    return to_bytes(Request(network, **options), "svg").decode("utf-8")


def to_bytes(drawn: HasPicture, extension: str) -> bytes:
    """What is asked for, a :class:`Request`, a :class:`Chart` or :class:`Changes`, as the content of a file.

    Raises:
        UsageError: there is no such format, or it needs a package that is missing, or cannot hold this.
    """
    known = extensions()
    if extension not in known:
        raise usage(
            f"there is no format {shorten(extension)}" if extension else "the file has no extension",
            help=f"the formats: {', '.join(f'.{name}' for name in known)}",
        )
    if isinstance(drawn, Drawn):
        drawn = drawn.made_for(extension)
    if isinstance(drawn, Drawn) and drawn.theme == AUTO:
        if extension != "svg":
            raise usage(f"a .{extension} has one theme, light or dark", help="auto is for .svg")
        from .themed import to_both

        return to_both(*drawn.pictures).encode("utf-8")
    content = import_module(f"{__name__}.formats.{extension}").to_bytes(drawn)
    assert isinstance(content, bytes)
    return content
