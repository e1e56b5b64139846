"""One format per file, named as its extension: ``to_bytes(drawn)`` makes the content of a file."""

from __future__ import annotations

from textwrap import wrap

from ...errors import shorten, usage
from ..plan import Box, Plan
from ..request import HasPicture, Request

#: The formats that hold any picture, and not only a graph; how a sentence lists them.
ANY = ("svg", "png", "pdf", "tex")
_WRITE = f"write {', '.join(f'.{name}' for name in ANY[:-1])} or .{ANY[-1]}"


def only_graphs(drawn: HasPicture, extension: str) -> Request:
    """For formats that are the text of a graph, and know no other picture: the request for one.

    Raises:
        UsageError: something else is asked for.
    """
    if not isinstance(drawn, Request):
        raise usage(
            f".{extension} is the text of a graph, and cannot hold a chart",
            help=_WRITE,
        )
    if drawn.style != "graph":
        raise usage(
            f".{extension} is the text of a graph, and cannot hold the style {drawn.style}",
            help=f"leave --style out; or {_WRITE}",
        )
    if drawn.heat:
        raise usage(
            f".{extension} is the text of a graph, and cannot hold a scale of colours",
            help=f"leave --heat out; or {_WRITE}",
        )
    return drawn


def lines_of(box: Box, plan: Plan) -> list[str]:
    """The lines of a box as those formats write them; of the layer that failed, with the reason."""
    lines = [
        " ".join(word for word in (shorten(line.name, 50), shorten(line.what, 80)) if word)
        for line in box.lines
    ]
    if box.figures:
        lines.append(box.figures)
    if box.kind == "failed" and plan.failed is not None:
        lines += wrap(shorten(plan.failed.why, 300), 60)
    return lines
