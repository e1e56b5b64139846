"""A network as a Markdown table."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..network import Network
from . import grid
from .cells import cells
from .columns import DEFAULT
from .rows import Row


def to_markdown(
    network: Network, rows: Sequence[Row], *, columns: Sequence[str] = DEFAULT, complete: bool = True
) -> str:
    """A headline, the rows with their totals, and the conventions beneath."""
    found = cells(network, rows, columns, complete=complete)
    body = [list(map(escape, row)) for row in found.rows]
    if found.totals:
        body.append([f"**{total}**" if total else "" for total in found.totals])
    table = "\n".join(grid.pipes(found.head, body, found.numbers))
    below = "  \n".join(map(escape, found.below))
    return f"**{escape(found.headline)}**\n\n{table}\n\n{below}"


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is.

    >>> print(escape("a|b *c* <d>"))
    a\|b \*c\* \<d\>
    """
    return "".join(f"\\{c}" if c in _MARKS else c for c in text)


def unescape(text: str) -> str:
    r"""The text that :func:`escape` was given.

    >>> print(unescape(escape("a|b *c* <d> & \\")))
    a|b *c* <d> & \
    """
    return re.sub(r"\\(.)", r"\1", text)


#: What means something in Markdown.
_MARKS = "\\`*_{}[]<>|#~&"
