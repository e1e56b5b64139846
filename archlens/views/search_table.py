"""The configurations that a search found, as a table, as JSON, or as the bytes of a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ..analysis.figures import QUANTITIES
from ..counts import Kind, dumps
from ..errors import usage
from ..forms import csv
from ..forms.table import Cell, Column, Content, Table, count
from ..shape import times
from .words import size

if TYPE_CHECKING:
    from ..searching.search import Searched

SCHEMA = "archlens.search/1"

#: How many rows a table shows unless more are asked for.
SHOWN = 20


def table(searched: Searched, *, most: int = SHOWN) -> Table:
    """The first rows, and how many there are."""
    shown = searched.part(0, most)
    columns = shown.columns()
    refused = "refused" in columns
    figures = [*searched.figures]
    heads = [Column(name, right=True) for name in searched.space.trees]
    heads += [
        Column(
            f"{one.scope} {QUANTITIES[one.quantity].title}".strip(),
            right=True,
            key=one.name,
            unit="bytes" if QUANTITIES[one.quantity].kind is Kind.BYTES else "",
        )
        for one in figures
    ]
    heads += [Column("refused", least=24)] if refused else []
    names = [*searched.space.trees]
    kinds = {one.name: QUANTITIES[one.quantity].kind for one in figures}
    rows: list[list[Content]] = []
    for values in zip(*columns.values(), strict=True):
        row = dict(zip(columns, values, strict=True))
        cells: list[Content] = [Cell(written(row[name]), plain(row[name])) for name in names]
        cells += [_figure(row[name], kinds[name]) for name in kinds]
        cells += [row["refused"] or ""] if refused else []
        rows.append(cells)
    return Table(
        headline=searched.name,
        columns=heads,
        rows=rows,
        summary=[said(searched, len(shown))],
        notes=[*meant(searched)],
        json=partial(to_json, searched),
    )


def said(searched: Searched, shown: int) -> str:
    """How it came out, in a sentence."""
    looked = f"{searched.looked:,}"
    if not searched.complete:
        looked += f" of {searched.space.count:,}"
    parts = [f"{looked} configuration{'s' if searched.space.count > 1 else ''}"]
    if searched.conditions:
        parts.append(f"{searched.held:,} within the limits")
    if searched.refused:
        parts.append(f"{searched.refused:,} refused")
    if len(searched) < (searched.held if searched.conditions else searched.looked - searched.refused):
        parts.append(f"{len(searched):,} on the Pareto front")
    if shown < len(searched):
        parts.append(f"the first {shown:,} are shown" if shown > 1 else "the first is shown")
    text = "; ".join(parts)
    return text if searched.complete else f"{text}. It was interrupted, and this is what was found so far"


def meant(searched: Searched) -> Iterator[str]:
    """What a letter alone stands for in limits on bytes, a sentence."""
    found = dict(pair for one in searched.conditions for pair in one.limit.binary)
    if found:
        numbers = ", ".join(f"{text} is {size:,} bytes" for text, size in found.items())
        yield (
            f"{numbers}: for bytes, K, M, G and T are powers of 1,024, and kB, MB, GB and TB powers of 1,000."
        )


def written(value: Any) -> str:
    """A value of what varies, as people write it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    return f"{value:,}" if type(value) is int and abs(value) >= 10**6 else str(value)


def plain(value: Any) -> Any:
    """The same as a program takes it."""
    return written(value) if isinstance(value, tuple) else value


def _figure(value: Any, kind: Kind) -> Cell:
    if value is None:
        return Cell("", None)
    if isinstance(value, tuple):
        return Cell(times(value), times(value))
    return Cell(size(value), value) if kind is Kind.BYTES else count(value)


def to_json(searched: Searched) -> str:
    """``archlens.search/1``: each configuration with the values of what varies, and its figures."""
    names = [*searched.space.trees]
    rows = []
    for row in searched:
        data: dict[str, Any] = {
            "values": {name: row[name] for name in names},
            "figures": {one.name: row[one.name] for one in searched.figures},
            "refused": row.get("refused"),
        }
        rows.append(data)
    return dumps(
        {
            "schema": SCHEMA,
            "name": searched.name,
            "configurations": searched.space.count,
            "looked_at": searched.looked,
            "refused": searched.refused,
            "held": searched.held,
            "where": [f"{one.wanted.name} {one.limit}" for one in searched.conditions],
            "found": rows,
        },
        indent=1,
    )


def to_csv(searched: Searched) -> bytes:
    """A line for each configuration, after one of names."""
    parts = [csv.lines([list(_plain_columns(searched.part(0, 0), searched))])]
    for start in range(0, len(searched), 1 << 16):
        part = _plain_columns(searched.part(start, start + (1 << 16)), searched)
        parts.append(csv.lines(zip(*part.values(), strict=True)))
    return ("\n".join(parts) + "\n").encode()


def to_parquet(searched: Searched) -> bytes:
    """The same columns in Parquet's format.

    Raises:
        UsageError: pyarrow is not installed, or a figure is more than 64 bits can say.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise usage(
            "Parquet needs pyarrow, which is not installed",
            help="pip install pyarrow; or write a .csv",
        ) from None
    try:
        made = pyarrow.table(dict(_plain_columns(searched)))
    except (OverflowError, pyarrow.ArrowInvalid):
        raise usage("a column has numbers that Parquet cannot hold", help="write a .csv") from None
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(made, sink)
    return bytes(sink.getvalue().to_pybytes())


def _plain_columns(searched: Searched, whole: Searched | None = None) -> Mapping[str, list[Any]]:
    columns = dict(searched.columns())
    if (whole or searched).refusals.any():
        columns.setdefault("refused", [None] * len(searched))
    return {
        name: [times(one) if name in _sizes(searched) and one is not None else plain(one) for one in values]
        if values and any(isinstance(one, tuple) for one in values)
        else values
        for name, values in columns.items()
    }


def _sizes(searched: Searched) -> set[str]:
    return {one.name for one in searched.figures if QUANTITIES[one.quantity].kind is Kind.SIZE}
