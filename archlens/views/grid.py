"""Cells in aligned columns: the one layout under every plain and Markdown table.

No table library: importing the fastest takes as long as everything else that prints a table of ResNet-152.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import cells_of

#: Spaces between two columns.
GAP = 2

#: The widest column: one cell that is longer would fill all others up with as many blanks.
WIDEST = 300


def widths_of(rows: Sequence[Sequence[str]]) -> list[int]:
    """The columns that a terminal needs for each column of cells, as far as it is bounded."""
    return [min(max(map(cells_of, column)), WIDEST) for column in zip(*rows, strict=True)]


def plain(
    head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool], widths: Sequence[int]
) -> list[str]:
    """Lines of aligned text under a ruled head; a cell wider than its column is wrapped."""
    ruled = [*lines(head, right, widths), (" " * GAP).join("-" * width for width in widths)]
    for row in rows:
        ruled += lines(row, right, widths)
    return ruled


def lines(row: Sequence[str], right: Sequence[bool], widths: Sequence[int]) -> list[str]:
    """A row of cells: one line, or as many as its cells need."""
    gap = " " * GAP
    if all(len(cell) <= width for cell, width in zip(row, widths, strict=True)):
        return [gap.join(map(_aligned, row, right, widths)).rstrip()]
    parts = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    height = max(map(len, parts))
    padded = [part + [""] * (height - len(part)) for part in parts]
    return [gap.join(map(_aligned, line, right, widths)).rstrip() for line in zip(*padded, strict=True)]


def _aligned(cell: str, right: bool, width: int) -> str:
    if not cell.isascii():
        width += len(cell) - cells_of(cell)
    return cell.rjust(width) if right else cell.ljust(width)


def _wrapped(cell: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(cell, width, break_on_hyphens=False) or [""]


def pipes(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Lines of a Markdown table; the cells are taken as they are."""
    widths = [max(width, 3) for width in widths_of([head, *rows])]
    rule = [
        "-" * (width - 1) + ":" if r else ":" + "-" * (width - 1)
        for r, width in zip(right, widths, strict=True)
    ]
    return [f"| {' | '.join(map(_aligned, row, right, widths))} |" for row in [head, rule, *rows]]
