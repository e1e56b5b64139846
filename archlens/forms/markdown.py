"""A table in Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..errors import Diagnostic, printable
from ..wrapping import cells_of
from .table import Cell, Command, Content, Form, Link, SpanningRow, Table, words_of
from .text import widths_of


def write(table: Table) -> str:
    """Headline, rows with their totals, and what is said of them."""
    return "\n\n".join(filter(None, _blocks(table)))


def _blocks(table: Table) -> Iterator[str]:
    headline = escape(table.headline) + (f" → {escape(table.then)}" if table.then else "")
    if headline:
        yield f"{'#' * table.level} {headline}" if table.level else f"**{headline}**"
    summary = "".join(map(said, table.summary))
    yield summary if headline or not summary else f"**{summary}**"
    yield _list(f"{title}: {escape(text)}" if title else escape(text) for title, text in table.lead)
    if table.columns:
        rows = grid(table)
        if table.folded:
            rows = f"<details><summary>{escape(table.folded)}</summary>\n\n{rows}\n\n</details>"
        yield rows
    for one in table.more:
        yield from _blocks(one)
    yield "\n".join(line for block in table.remarks for line in _remarks(block))
    match table.level:
        case 0:
            yield "  \n".join(map(escape, table.notes))
        case 1:  # a page of its own
            yield _list(map(escape, table.notes))
        case _:  # a part of somebody else's
            yield f"<sub>{escape(' '.join(table.notes))}</sub>" if table.notes else ""


def said(words: Content) -> str:
    """Words as Markdown shows them."""
    match words:
        case Link() if words.url:
            return link(words.text, words.url)
        case Command():
            return code_span(words.text)
        case Cell() if words.strong:
            return f"**{escape(words.text)}**"
        case _:
            return escape(words_of(words))


def grid(table: Table, said: Callable[[Content], str] = said) -> str:
    """Head, rows and totals alone; a page may have its own way to write what a cell says."""
    table = table.seen
    blank = [""] * (len(table.columns) - 1)
    rows = [
        [f"**{said(row.words)}**", *blank] if isinstance(row, SpanningRow) else list(map(said, row))
        for row in table.rows
    ]
    if any(table.totals):
        rows.append([f"**{escape(total)}**" if total else "" for total in table.totals])
    head = [escape(column.title) for column in table.columns]
    return "\n".join(pipes(head, rows, [column.right for column in table.columns]))


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _remarks(block: Sequence[str | Diagnostic]) -> list[str]:
    """A block as items of a list; what explains an item is beneath it."""
    lines: list[str] = []
    for one in block:
        if isinstance(one, Diagnostic):
            lines[-1] += f" {escape(one.message)}" + (f" ({escape(str(one.span))})" if one.span else "")
        else:
            lines.append(f"{'  ' if one.startswith(' ') else ''}- {escape(one.strip())}")
    return lines


def code_span(text: str) -> str:
    """A text between two fences that are longer than any that it holds.

    >>> print(code_span("a"), code_span("a `` b"))
    `a` ``` a `` b ```
    """
    mark = fence(text)
    return f"{mark} {text} {mark}" if "`" in text else f"{mark}{text}{mark}"


def fence(text: str) -> str:
    """The shortest run of backticks that is longer than any in the text."""
    return "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)


def pipes(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Lines of a Markdown table; the cells are taken as they are."""
    widths = [max(width, 3) for width in widths_of([head, *rows])]
    rule = [
        "-" * (width - 1) + ":" if r else ":" + "-" * (width - 1)
        for r, width in zip(right, widths, strict=True)
    ]
    return [f"| {' | '.join(map(_padded, row, right, widths))} |" for row in [head, rule, *rows]]


def _padded(cell: str, right: bool, width: int) -> str:
    blanks = " " * (width - cells_of(cell))
    return blanks + cell if right else cell + blanks


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
    from urllib.parse import quote

    return quote(url, safe=_URL)


#: What stands in an address as it is; brackets and blanks would end it.
_URL = ":/?#@!$&*+,;=%~"


#: What means something in Markdown.
_MARKS = "\\`*_{}[]|#~"

#: What means something in the HTML within it; not every reader takes a backslash before these.
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}

#: What makes an item of a list, a heading of the line above or a rule, where a line starts with it.
_START = re.compile(r"^(?:(\d{1,9})(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|-{2,}\s*$|=+\s*$))")

#: An address on the web, without the punctuation that follows it in a sentence.
_ADDRESS = re.compile(r"(https?://(?:[^\s<>|\\()]|\([^\s<>|\\()]*\))+(?<![.,;:!?'\"\]*`~]))")


FORM = Form("markdown", "md", write, rank=1)
