"""A network as comma-separated values: plain numbers, no totals, nothing folded into text."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from ..network import Network
from .columns import COLUMNS, DEFAULT, Findings
from .rows import Row


def to_csv(network: Network, rows: Sequence[Row], *, columns: Sequence[str] = DEFAULT) -> str:
    """One line per row, after a line of column names."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    findings = Findings(network)
    writer.writerows([COLUMNS[name].value(row, findings) for name in columns] for row in rows)
    return out.getvalue().rstrip("\n")
