"""A network as a Markdown table."""

from __future__ import annotations

from collections.abc import Sequence

from ..network import Network
from . import grid, words
from .columns import COLUMNS, DEFAULT, Findings
from .rows import Row


def to_markdown(
    network: Network, rows: Sequence[Row], *, columns: Sequence[str] = DEFAULT, complete: bool = True
) -> str:
    """A headline, the rows with their totals, and the conventions beneath."""
    findings = Findings(network)
    body = [[escape(COLUMNS[name].text(row, findings)) for name in columns] for row in rows]
    totals = []
    totalled = not complete or any(COLUMNS[name].total for name in columns)
    for name in columns:
        total = COLUMNS[name].total
        totals.append(f"**{total(network):,}**" if total else "")
    if not COLUMNS[columns[0]].total:
        totals[0] = "**total**" if complete else "**up to here**"
    table = "\n".join(
        grid.pipes(
            [COLUMNS[name].title for name in columns],
            [*body, totals] if totalled else body,
            [COLUMNS[name].number for name in columns],
        )
    )
    noted = [escape(line) for name in columns if (say := COLUMNS[name].notes) for line in say(rows, findings)]
    below = "  \n".join([*words.conventions(network), *noted])
    return f"**{escape(words.headline(network, complete=complete))}**\n\n{table}\n\n{below}"


def escape(text: str) -> str:
    r"""Text that Markdown shows as it is.

    >>> print(escape("a|b *c* <d>"))
    a\|b \*c\* \<d\>
    """
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>|#~" else c for c in text)
