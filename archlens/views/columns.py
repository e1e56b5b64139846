"""The columns of the table forms. Adding one here adds it to every table, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..errors import did_you_mean, printable, usage
from ..network import Network
from ..shape import times
from .rows import Row


class Column(NamedTuple):
    """One column: its title, and what it shows of a row as text and as a plain value."""

    title: str
    text: Callable[[Row], str]
    value: Callable[[Row], object]
    #: The sum over all rows, for columns that have one.
    total: Callable[[Network], int] | None = None

    @property
    def number(self) -> bool:
        """Whether it holds numbers, and so is aligned to the right."""
        return self.total is not None


def _words(title: str, text: Callable[[Row], str]) -> Column:
    return Column(title, text, text)


def _layer(row: Row) -> str:
    name = printable(row.name)
    return f"{name} x{row.repeats}" if row.repeats > 1 else name


def _count(title: str, value: Callable[[Row], int], total: Callable[[Network], int]) -> Column:
    return Column(title, lambda row: f"{value(row):,}", value, total)


def _macs(row: Row) -> str:
    return f"({row.macs:,})" if row.training and row.macs else f"{row.macs:,}"


#: Every column by the name that ``--columns`` takes.
COLUMNS: dict[str, Column] = {
    "layer": _words("layer", _layer),
    "op": _words("op", lambda row: printable(row.what)),
    "family": _words("family", lambda row: row.layers[0].op.family if row.single else "scope"),
    "from": _words("from", lambda row: printable(", ".join(row.layers[0].inputs))),
    "input": _words("input", lambda row: ", ".join(map(str, row.layers[0].input_shapes))),
    "arithmetic": _words("arithmetic", lambda row: row.layers[0].arithmetic if row.single else ""),
    "output": _words("output", lambda row: str(row.layers[-1].shape)),
    "weights": _words(
        "weights",
        lambda row: (
            ", ".join(f"{name} {times(size)}".lstrip() for name, size in row.layers[0].facts.weights.items())
            if row.single
            else ""
        ),
    ),
    "params": _count("params", lambda row: row.params, lambda network: network.params),
    "macs": Column("MACs", _macs, lambda row: row.macs, lambda network: network.macs),
}

#: The columns of a table unless others are asked for.
DEFAULT = ("layer", "op", "arithmetic", "output", "params", "macs")


def choose(names: str) -> tuple[str, ...]:
    """The columns that a comma-separated list names.

    Raises:
        UsageError: one is not known.
    """
    chosen = tuple(name.strip().lower() for name in names.split(",") if name.strip())
    for name in chosen:
        if name not in COLUMNS:
            raise usage(
                f"there is no column {printable(name)}",
                help=did_you_mean(name, COLUMNS, otherwise=f"the columns: {', '.join(COLUMNS)}"),
            )
    if not chosen:
        raise usage("no column is named", help=f"the columns: {', '.join(COLUMNS)}")
    return chosen
