"""A network as an HTML table, for notebooks."""

from __future__ import annotations

from html import escape

from ..network import Network
from . import words
from .columns import COLUMNS, DEFAULT
from .rows import rows_of


def to_table(network: Network) -> str:
    """The table of a network, with its headline and conventions."""
    from tabulate import tabulate

    rows = rows_of(network)
    totals = [f"{total(network):,}" if (total := COLUMNS[name].total) else "" for name in DEFAULT]
    totals[0] = "total"
    table = tabulate(
        [*([COLUMNS[name].text(row) for name in DEFAULT] for row in rows), totals],
        headers=[COLUMNS[name].title for name in DEFAULT],
        tablefmt="html",
        disable_numparse=True,
        colalign=["right" if COLUMNS[name].number else "left" for name in DEFAULT],
    )
    below = "<br>".join(map(escape, words.conventions(network)))
    return f"<p><b>{escape(words.headline(network))}</b></p>{table}<p><small>{below}</small></p>"
