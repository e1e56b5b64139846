"""A network as a table for a terminal, fitted to its width."""

from __future__ import annotations

from collections.abc import Sequence

from ..network import Network
from . import words
from .columns import COLUMNS, DEFAULT
from .rows import Row, rows_of

#: Spaces between two columns.
_GAP = 2

#: The least width that a column is wrapped to before another is left out.
_LEAST = {"arithmetic": 30, "op": 22, "layer": 16, "from": 16, "input": 16, "weights": 16}

#: The columns that are left out first.
_SPARE = ("arithmetic", "weights", "from", "input", "op")

#: More rows than this are folded where nobody asked for a table in so many words.
_MANY = 80


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
    from tabulate import tabulate

    cells = {name: [COLUMNS[name].text(row) for row in rows] for name in columns}
    for name in columns:
        total = COLUMNS[name].total
        cells[name].append(f"{total(network):,}" if total else "")
    if not COLUMNS[columns[0]].total:
        cells[columns[0]][-1] = "total" if complete else "up to here"
    chosen, widths, left_out = _fit(cells, width)
    text = tabulate(
        [[cells[name][i] for name in chosen] for i in range(len(rows) + 1)],
        headers=[COLUMNS[name].title for name in chosen],
        tablefmt="simple",
        disable_numparse=True,
        colalign=["right" if COLUMNS[name].number else "left" for name in chosen],
        maxcolwidths=widths,
        preserve_whitespace=True,
    )
    lines = [line.rstrip() for line in text.split("\n")]
    if bold:
        from click import style

        lines[0] = style(lines[0], bold=True)
        lines[1] = style(lines[1], dim=True)
        lines[-1] = style(lines[-1], bold=True)
    lines.insert(len(lines) - 1, lines[1])
    below = [*words.conventions(network)]
    if left_out:
        below.append(f"Left out, for want of width: {', '.join(left_out)}.")
    return "\n".join([*lines, "", *(line for text in below for line in _wrapped(text, width))])


def to_text(network: Network) -> str:
    """A network as it shows itself: headline and table, folded where it would be long."""
    rows = rows_of(network)
    if len(rows) > _MANY:
        rows = rows_of(network, fold=True)
    for depth in (3, 2, 1):
        if len(rows) > _MANY:
            rows = rows_of(network, depth, fold=True)
    return f"{words.headline(network)}\n\n{to_table(network, rows)}"


def _fit(cells: dict[str, list[str]], width: int | None) -> tuple[list[str], list[int | None], list[str]]:
    """Which columns fit, how wide each may be, and which were left out."""
    natural = {name: max(len(COLUMNS[name].title), *map(len, texts)) for name, texts in cells.items()}
    chosen = list(cells)
    left_out: list[str] = []
    limits: dict[str, int] = {}
    while width is not None:
        limits = {}
        over = sum(natural[name] + _GAP for name in chosen) - _GAP - width
        for name in (name for name in _LEAST if name in chosen):
            give = min(max(over, 0), max(natural[name] - _LEAST[name], 0))
            if give:
                limits[name] = natural[name] - give
                over -= give
        dropped = next((name for name in _SPARE if name in chosen), "")
        if over <= 0 or not dropped:
            break
        chosen.remove(dropped)
        left_out.append(COLUMNS[dropped].title)
    return chosen, [limits.get(name) for name in chosen], left_out


def _wrapped(text: str, width: int | None) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) if width else [text]
