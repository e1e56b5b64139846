"""A network as an HTML table, for notebooks and pages; no style sheet, so that it looks like its page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape as html_escape

from ..errors import printable_lines
from ..network import Network
from .cells import Cells, cells
from .columns import DEFAULT
from .rows import Row, rows_of

#: A box in which a wide table scrolls.
_WIDE = "overflow-x: auto; margin: 0 -0.8rem; padding: 0 0.8rem; font-size: 0.85em"


def escape(text: str) -> str:
    """Text for a page, in which no character steers what stands around it."""
    return html_escape(printable_lines(text))


def to_table(
    network: Network,
    rows: Sequence[Row] | None = None,
    *,
    columns: Sequence[str] = DEFAULT,
    complete: bool = True,
    tallest: str = "",
) -> str:
    """The table of a network, with its headline and conventions.

    Args:
        network: what is shown.
        rows: what is listed; every layer, unless others are given.
        columns: which columns, by name.
        complete: whether the network came to its end.
        tallest: a height, as CSS has it, beyond which the table scrolls.
    """
    found = cells(network, rows_of(network) if rows is None else rows, columns, complete=complete)
    below = "<br>".join(map(escape, found.below))
    # Material for MkDocs lets a table stand out by as much on either side, which must not make it scroll
    box = f"overflow: auto; max-height: {tallest}" if tallest else _WIDE
    return (
        f"<p><b>{escape(found.headline)}</b></p>\n"
        f'<div style="{box}">\n{_table(found)}\n</div>\n<p><small>{below}</small></p>'
    )


def _table(found: Cells) -> str:
    def line(tag: str, row: Sequence[str]) -> str:
        return f"<tr>{''.join(map(_cell, [tag] * len(row), row, found.numbers))}</tr>"

    parts = ["<table>", "<thead>", line("th", found.head), "</thead>", "<tbody>"]
    parts += [line("td", row) for row in found.rows]
    parts.append("</tbody>")
    if found.totals:
        parts += ["<tfoot>", line("td", found.totals), "</tfoot>"]
    return "\n".join([*parts, "</table>"])


def _cell(tag: str, text: str, number: bool) -> str:
    side = "right" if number else "left"
    return f'<{tag} style="text-align: {side}; padding: 0.1em 0.7em">{escape(text)}</{tag}>'
