"""``archlens list``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any

import click

from ...elaboration import elaborate
from ...errors import did_you_mean, shorten, usage
from ...library import find, index, names
from ...library.finding import families, text_of
from ...views import grid, words
from ...views.words import rounded
from ..options import format_option
from ..output import looks, write


@click.command("list")
@click.argument("pattern", required=False)
@format_option("table", "json")
def command(pattern: str | None, form: str) -> None:
    """List the networks of the zoo, or those whose name matches PATTERN (a part of it, or res*50)."""
    chosen = [name for name in names() if pattern is None or _matches(name, pattern)]
    if not chosen:
        assert pattern is not None
        raise usage(
            f"no network matches {shorten(pattern)}",
            help=did_you_mean(pattern, names(), otherwise="`archlens list` shows all"),
        )
    stems = {name: stem for stem, inside in families().items() for name in inside}
    entries = [{"name": name, **entry_of(name, stems[name])} for name in chosen]
    if form == "json":
        write(json.dumps({"schema": "archlens.list/1", "networks": entries}, indent=2), None)
        return
    columns = [
        grid.Column("name", least=grid.LEAST),
        grid.Column("year", right=True, spare=2),
        grid.Column("params", right=True),
        grid.Column("MACs", right=True),
        grid.Column("input", spare=1),
        grid.Column("title", least=grid.LEAST),
    ]
    rows = [
        [e["name"], str(e["year"] or ""), rounded(e["params"]), rounded(e["macs"]), e["input"], e["title"]]
        for e in entries
    ]
    look = looks()
    layout = grid.fit(columns, rows, **look)
    below = words.below(layout.left_out, look["width"])
    write("\n".join([*layout.table(rows), *([""] if below else []), *below]), None)


def _matches(name: str, pattern: str) -> bool:
    pattern = pattern.lower()
    return fnmatch(name.lower(), pattern) if any(c in pattern for c in "*?[") else pattern in name.lower()


def entry_of(name: str, stem: str) -> Mapping[str, Any]:
    """What is shown of a network: from the index, where that is of the same text."""
    found = index.lookup(stem, text_of(stem)).get(name)
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
