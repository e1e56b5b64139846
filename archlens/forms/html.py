"""A table in HTML, for notebooks and pages; no style sheet, so that it looks like its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import Diagnostic, printable_lines, render
from .markdown import safe_address
from .table import Cell, Command, Content, Form, Link, SpanningRow, Table, words_of

#: What HTML reads as more than itself.
_STEERS = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})

#: A box in which a wide table scrolls.
_WIDE = "overflow-x: auto; margin: 0 -0.8rem; padding: 0 0.8rem; font-size: 0.85em"


def escape(text: str) -> str:
    """Text for a page, in which no character steers what stands around it."""
    return printable_lines(text).translate(_STEERS)


def write(table: Table, *, tallest: str = "") -> str:
    """Headline, rows with their totals, and what is said of them.

    Args:
        table: what is shown.
        tallest: a height, as CSS has it, beyond which the table scrolls.
    """
    return "\n".join(_blocks(table, tallest))


def _blocks(table: Table, tallest: str) -> Iterator[str]:
    headline = f"{table.headline} → {table.then}" if table.then else table.headline
    if headline:
        yield f"<p><b>{escape(headline)}</b></p>"
    if table.summary:
        yield f"<p>{''.join(map(_said, table.summary))}</p>"
    if table.lead:
        yield _list([f"{title}: {text}" if title else text for title, text in table.lead])
    if table.columns:
        # Material for MkDocs lets a table stand out by as much on either side, which must not make it scroll
        box = f"overflow: auto; max-height: {tallest}" if tallest else _WIDE
        rows = f'<div style="{box}">\n{_grid(table.seen)}\n</div>'
        summary = f"<summary>{escape(table.folded)}</summary>"
        yield f"<details>{summary}\n{rows}\n</details>" if table.folded else rows
    for one in table.more:
        yield from _blocks(one, tallest)
    for block in table.remarks:
        yield _list(block)
    if table.notes:
        yield f"<p><small>{'<br>'.join(map(escape, table.notes))}</small></p>"


def bare(table: Table) -> str:
    """The rows alone, for a page with a style sheet and a policy of its own: nothing has a style there."""
    heads = "".join(f'<th scope="col">{_said(column.title)}</th>' for column in table.columns)
    rows = ""
    for first, *cells in table.cells:
        rest = "".join(f"<td>{_said(cell)}</td>" for cell in cells)
        rows += f'<tr><th scope="row">{_said(first)}</th>{rest}</tr>\n'
    return f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody></table>"


def _grid(table: Table) -> str:
    sides = [column.right for column in table.columns]

    def line(tag: str, row: Sequence[Content] | SpanningRow) -> str:
        if isinstance(row, SpanningRow):
            return f'<tr><th colspan="{len(sides)}" style="text-align: left">{_said(row.words)}</th></tr>'
        return f"<tr>{''.join(map(_cell, [tag] * len(row), row, sides))}</tr>"

    parts = ["<table>", "<thead>", line("th", [c.title for c in table.columns]), "</thead>", "<tbody>"]
    parts += [line("td", row) for row in table.rows]
    parts.append("</tbody>")
    if any(table.totals):
        parts += ["<tfoot>", line("td", table.totals), "</tfoot>"]
    return "\n".join([*parts, "</table>"])


def _cell(tag: str, cell: Content, number: bool) -> str:
    side = "right" if number else "left"
    return f'<{tag} style="text-align: {side}; padding: 0.1em 0.7em">{_said(cell)}</{tag}>'


def _said(words: Content) -> str:
    match words:
        case Command():
            return f"<code>{escape(words.text)}</code>"
        case Link() if words.url:
            return f'<a href="{escape(safe_address(words.url))}">{escape(words.text)}</a>'
        case Cell() if words.strong:
            return f"<b>{escape(words.text)}</b>"
        case _:
            return escape(words_of(words))


def _list(lines: Sequence[str | Diagnostic]) -> str:
    """Lines as a list; a diagnostic as it is printed."""
    items = [
        f"<pre>{escape(render(line))}</pre>" if isinstance(line, Diagnostic) else escape(line.strip())
        for line in lines
    ]
    return "\n".join(["<ul>", *(f"<li>{item}</li>" for item in items), "</ul>"])


def _portable(table: Table) -> str:
    """The same in ASCII, so that a page may have any encoding."""
    return write(table).encode("ascii", "xmlcharrefreplace").decode("ascii")


FORM = Form("html", "html", _portable, rank=4)
