"""A network as a table for a terminal, fitted to its width."""

from __future__ import annotations

from collections.abc import Sequence

from ..network import Network
from . import grid, words
from .cells import cells
from .columns import COLUMNS, DEFAULT
from .rows import Row, readable

#: The least width that a column is wrapped to before another is left out.
_LEAST = {"arithmetic": 30, "op": 14, "weights": 16, "from": 12, "input": 12, "layer": 8}

#: The columns that are left out first.
_SPARE = (
    *("arithmetic", "weights", "from", "input", "op", "family", "centre", "start", "clipped", "stride"),
    *("output", "params", "field"),
)


def to_table(
    network: Network,
    rows: Sequence[Row],
    *,
    columns: Sequence[str] = DEFAULT,
    width: int | None = None,
    bold: bool = False,
    complete: bool = True,
) -> str:
    """The rows with their totals, and the conventions beneath.

    Args:
        network: where the totals come from.
        rows: what is listed.
        columns: which columns, by name.
        width: the columns of the terminal; ``None`` does not wrap.
        bold: emphasise the head and the totals with terminal codes.
        complete: whether the network came to its end; else the totals are called so.
    """
    found = cells(network, rows, columns, complete=complete)
    body = [*found.rows, found.totals] if found.totals else found.rows
    texts = dict(zip(columns, zip(found.head, *body, strict=True), strict=True))
    natural = dict(zip(texts, grid.widths_of(list(zip(*texts.values(), strict=True))), strict=True))
    widths, left_out = _fit(natural, width)
    head, *body = map(list, zip(*(texts[name] for name in widths), strict=True))
    right = [COLUMNS[name].number for name in widths]
    lines = grid.plain(head, body, right, list(widths.values()))
    if bold:
        from click import style

        lines[0] = style(lines[0], bold=True)
        lines[1] = style(lines[1], dim=True)
        lines[-1] = style(lines[-1], bold=bool(found.totals))
    if found.totals:
        lines.insert(len(lines) - 1, lines[1])
    below = [*found.below]
    if left_out:
        below.append(f"Left out, for want of width: {', '.join(left_out)}.")
    return "\n".join([*lines, "", *(line for text in below for line in words.wrapped(text, width))])


def to_text(network: Network) -> str:
    """A network as it shows itself: headline and table, folded where it would be long."""
    return f"{words.headline(network)}\n\n{to_table(network, readable(network))}"


def _fit(natural: dict[str, int], width: int | None) -> tuple[dict[str, int], list[str]]:
    """How wide each column may be that fits, and the titles of those that are left out.

    Columns of words are narrowed first, down to a least width; where that is not enough the least
    needed is left out. Numbers are never narrowed.
    """
    widths = dict(natural)
    left_out: list[str] = []
    while width is not None:
        over = sum(widths.values()) + grid.GAP * (len(widths) - 1) - width
        narrowed = dict(widths)
        for name in _LEAST:
            if name in narrowed and over > 0:
                give = max(min(over, narrowed[name] - _LEAST[name]), 0)
                narrowed[name] -= give
                over -= give
        dropped = next((name for name in _SPARE if name in widths), "")
        if over <= 0 or not dropped:
            return narrowed, left_out
        del widths[dropped]
        left_out.append(COLUMNS[dropped].title)
    return widths, left_out
