"""One format per file, named as its extension: ``to_bytes(request)`` makes the content of a file."""

from __future__ import annotations

from ...errors import usage
from ..request import Request


def only_graphs(request: Request, extension: str) -> None:
    """For formats that are the text of a graph, and know no other picture.

    Raises:
        UsageError: another style is asked for.
    """
    if request.style != "graph":
        raise usage(
            f".{extension} is the text of a graph, and cannot hold the style {request.style}",
            help="leave --style out; or write .svg, .png, .pdf or .tex",
        )
