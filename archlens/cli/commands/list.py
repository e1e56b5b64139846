"""``archlens list``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from typing import Any

import click

from ...elaboration import elaborate
from ...errors import did_you_mean, shorten, usage
from ...forms.table import LEAST, Cell, Column, Table
from ...library import find, index, names
from ...library.finding import families, texts_of
from ...views.words import rounded
from ..options import format_option
from ..output import write_table


@click.command("list")
@click.argument("pattern", required=False)
@format_option()
def command(pattern: str | None, form: str) -> None:
    """List the networks of the zoo.

    PATTERN is a part of a name, or a pattern such as res*50.
    """
    chosen = [name for name in names() if pattern is None or _matches(name, pattern)]
    if not chosen:
        assert pattern is not None
        raise usage(
            f"no network matches {shorten(pattern)}",
            help=did_you_mean(pattern, names(), otherwise="`archlens list` lists all"),
        )
    stems = {name: stem for stem, inside in families().items() for name in inside}
    entries = [{"name": name, **entry_of(name, stems[name])} for name in chosen]
    write_table(_table(entries), form, None)


_COLUMNS = (
    Column("name", least=LEAST),
    Column("year", right=True, spare=2),
    Column("params", right=True),
    Column("MACs", right=True, key="macs"),
    Column("input", spare=1),
    Column("title", least=LEAST),
)


def _table(entries: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        [
            e["name"],
            Cell(str(e["year"] or ""), e["year"]),
            Cell(rounded(e["params"]), e["params"]),
            Cell(rounded(e["macs"]), e["macs"]),
            e["input"],
            e["title"],
        ]
        for e in entries
    ]
    data = {"schema": "archlens.list/1", "networks": entries}
    return Table(_COLUMNS, rows, json=lambda: json.dumps(data, indent=2))


def _matches(name: str, pattern: str) -> bool:
    pattern = pattern.lower()
    return fnmatch(name.lower(), pattern) if any(c in pattern for c in "*?[") else pattern in name.lower()


def entry_of(name: str, stem: str) -> Mapping[str, Any]:
    """What is shown of a network: from the index, where that is of the same text."""
    found = index.lookup(stem, texts_of(stem)).get(name)
    return found if found is not None else laid_out(name)


def laid_out(name: str) -> dict[str, Any]:
    """The same by laying the network out."""
    spec, variant = find(name)
    network = elaborate(spec, variant)
    return {
        "title": network.title,
        "year": network.meta.year_number,
        "input": str(network.input),
        "params": network.params,
        "macs": network.macs,
        "spec": spec.source.name,
    }
