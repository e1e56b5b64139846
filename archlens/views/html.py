"""A network as an HTML table, for notebooks."""

from __future__ import annotations

from html import escape

from ..network import Network
from . import words
from .columns import COLUMNS, DEFAULT, Findings
from .rows import rows_of


def to_table(network: Network) -> str:
    """The table of a network, with its headline and conventions."""
    head = "".join(_cell("th", COLUMNS[name].title, COLUMNS[name].number) for name in DEFAULT)
    findings = Findings(network)
    body = [[COLUMNS[name].text(row, findings) for name in DEFAULT] for row in rows_of(network)]
    totals = [f"{total(network):,}" if (total := COLUMNS[name].total) else "" for name in DEFAULT]
    totals[0] = "total"
    lines = [
        "".join(_cell("td", cell, COLUMNS[name].number) for name, cell in zip(DEFAULT, row, strict=True))
        for row in [*body, totals]
    ]
    table = "\n".join(f"<tr>{line}</tr>" for line in [head, *lines])
    below = "<br>".join(map(escape, words.conventions(network)))
    headline = escape(words.headline(network))
    return f"<p><b>{headline}</b></p>\n<table>\n{table}\n</table>\n<p><small>{below}</small></p>"


def _cell(tag: str, text: str, number: bool) -> str:
    side = "right" if number else "left"
    return f'<{tag} style="text-align: {side}; padding: 0.1em 0.7em">{escape(text)}</{tag}>'
