"""A network as a Markdown table."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from urllib.parse import quote

from ..errors import printable
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
    r"""Text that Markdown shows as it is, wherever it stands; an address on the web leads there.

    >>> print(escape("a|b *c* <d>"), escape("1. see https://a.org/b_c."), sep="; ")
    a\|b \*c\* &lt;d&gt;; 1\. see <https://a.org/b_c>.
    """
    words = _ADDRESS.split(printable(text))  # every other one is an address, which would keep backslashes
    said = "".join(f"<{word}>" if at % 2 else escape_words(word) for at, word in enumerate(words))
    return _START.sub(r"\1\\", said)


def escape_words(text: str) -> str:
    """Text that Markdown shows as it is, within a line or a link."""
    return "".join(_ENTITIES.get(c) or (f"\\{c}" if c in _MARKS else c) for c in printable(text))


def link(text: str, url: str) -> str:
    r"""Text that leads somewhere.

    >>> print(link("a_b", "https://a.org/c (d)"))
    [a\_b](https://a.org/c%20%28d%29)
    """
    return f"[{escape_words(text)}]({safe_address(url)})"


def safe_address(url: str) -> str:
    """An address in which nothing ends it."""
    return quote(url, safe=_URL)


#: What stands in an address as it is; brackets and blanks would end it.
_URL = ":/?#@!$&*+,;=%~"


def unescape(text: str) -> str:
    r"""The text that :func:`escape` was given.

    >>> print(unescape(escape("a|b *c* <d> & \\ http://e_f")))
    a|b *c* <d> & \ http://e_f
    """
    return html.unescape(re.sub(r"\\(.)|[<>]", r"\1", text))


#: What means something in Markdown.
_MARKS = "\\`*_{}[]|#~"

#: What means something in the HTML within it; not every reader takes a backslash before these.
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}

#: What makes an item of a list, a heading of the line above or a rule, where a line starts with it.
_START = re.compile(r"^(?:(\d{1,9})(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|-{2,}\s*$|=+\s*$))")

#: An address on the web, without the punctuation that follows it in a sentence.
_ADDRESS = re.compile(r"(https?://(?:[^\s<>|\\()]|\([^\s<>|\\()]*\))+(?<![.,;:!?'\"\]*`~]))")
