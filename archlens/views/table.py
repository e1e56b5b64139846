"""A network as a table for a terminal, fitted to its width."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import Style, unstyled
from ..network import Network
from . import grid, words
from .cells import cells
from .columns import COLUMNS, DEFAULT
from .rows import Row, readable


def to_table(
    network: Network,
    rows: Sequence[Row],
    *,
    columns: Sequence[str] = DEFAULT,
    width: int | None = None,
    style: Style = unstyled,
    complete: bool = True,
) -> str:
    """The rows with their totals, and the conventions beneath.

    Args:
        network: where the totals come from.
        rows: what is listed.
        columns: which columns, by name.
        width: the columns of the terminal; ``None`` does not wrap.
        style: how head and totals are dressed.
        complete: whether the network came to its end; else the totals are called so.
    """
    found = cells(network, rows, columns, complete=complete)
    titles = [COLUMNS[name].titled for name in columns]
    layout = grid.fit(titles, [*found.rows, found.totals] if found.totals else found.rows, width, style)
    lines = layout.table(found.rows, found.totals)
    return "\n".join([*lines, "", *words.below([*found.below, *layout.left_out], width)])


def to_text(network: Network) -> str:
    """A network as it shows itself: headline and table, folded where it would be long."""
    return f"{words.headline(network)}\n\n{to_table(network, readable(network))}"
