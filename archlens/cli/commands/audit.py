"""``archlens audit``."""

from __future__ import annotations

import fnmatch
import re
import sys
from dataclasses import dataclass

import click

from ... import dialects
from ...analysis import audit
from ...analysis.printed_rows import MAX_BYTES, PrintedRow, read, too_large
from ...elaboration.given import read_values
from ...errors import ArchlensError, did_you_mean, shorten, usage
from ...library import names
from ...network import Network
from ...shape import times
from ...views import audit_table as view
from ..options import format_option, output_option, size_option
from ..output import progress, write_table

#: What a name of a table may have where it becomes part of another: nothing that leads elsewhere.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


@click.command("audit")
@click.argument("table", metavar="TABLE")
@click.option(
    "--from",
    "template",
    metavar="REFERENCE",
    help="Where each network comes from; {name} stands for the name in the row, as in timm.models:{name} or "
    "specs/{name}.yaml; by default it is a network of the zoo.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="PARAM=VALUE",
    help="Set a param of every network; {name} in VALUE stands for the name in the row.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="WHAT=HEAD[:UNIT]",
    help="The column with the name, input, params, macs or flops, if its heading does not say so, and the "
    "unit of its numbers: k, M, G or B, T.",
)
@click.option(
    "--decimals",
    type=click.IntRange(0, 9),
    metavar="N",
    help="How many decimals the numbers have, if trailing zeros were dropped.",
)
@click.option("--only", metavar="PATTERN", help="Audit only the rows whose name matches, as in resnet*.")
@click.option("--differing", is_flag=True, help="Show only what is not equal.")
@size_option
@format_option(checks=True)
@output_option
def command(
    table: str,
    template: str | None,
    sets: tuple[str, ...],
    columns: tuple[str, ...],
    decimals: int | None,
    only: str | None,
    differing: bool,
    form: str,
    path: str | None,
) -> None:
    """Explain where a published table differs from computed figures.

    TABLE is a CSV file with a column of names and columns of params, MACs or FLOPs. Figures must agree to
    their printed digits; one that differs is explained where a known counting tool gives it. The exit code
    is 1 if a difference is unexplained or a row cannot be computed. No code runs, unless --from names a
    Python module.
    """
    source = _Source(template, read_values(sets, "--set"))
    rows = read(_text(table), table, columns, decimals=decimals)
    kept = [row for row in rows if only is None or fnmatch.fnmatchcase(row.name, only)]
    if not kept:
        matching = f" whose name matches {shorten(only)}" if only is not None else ""
        raise usage(f"{shorten(table, 200)} has no row{matching}")
    found = [source.audited(row) for row in progress(kept, "Audited", lambda row: row.name, many=5)]
    settled = audit.settle(found)
    write_table(view.table(settled, audit.tools(), table, differing=differing), form, path)
    if not all(row.held for row in settled):
        sys.exit(1)


@dataclass(frozen=True)
class _Source:
    """Where the networks of a table come from."""

    template: str | None
    values: dict[str, str]

    def __post_init__(self) -> None:
        if self.template is None:
            return
        where, _, _ = self.template.rpartition(":")
        if "{name}" not in self.template and not any("{name}" in value for value in self.values.values()):
            raise usage(
                f"{shorten(self.template)} is the same for each row: it does not contain {{name}}",
                help="as in timm.models:{name}, or with --set model_name={name}",
            )
        if "{name}" in where:
            raise usage(
                f"{shorten(self.template)} lets the table say which code runs",
                help="put {name} after the colon, as in timm.models:{name}",
            )

    def audited(self, row: PrintedRow) -> audit.AuditedRow:
        """A row beside its network, or with the reason why there is none."""
        try:
            return audit.compare(row, self.network(row))
        except ArchlensError as problem:
            told = problem.diagnostic
            return audit.missing(row, f"{told.message}; {told.help}" if told.help else told.message)

    def network(self, row: PrintedRow) -> Network:
        """The network of a row, on the input that the row has."""
        if self.template is None:
            if row.name not in names():
                raise usage(
                    f"the zoo has no network {shorten(row.name)}", help=did_you_mean(row.name, names())
                )
            reference = row.name
        else:
            if not _NAME.fullmatch(row.name):
                raise usage(f"{shorten(row.name)} is not a name that can be used in {shorten(self.template)}")
            reference = self.template.replace("{name}", row.name)
        values = {key: value.replace("{name}", row.name) for key, value in self.values.items()}
        meant = dialects.find(reference)
        if len(row.input) > 2:
            return dialects.network(meant, input=times(row.input), values=values)
        network = dialects.network(meant, values=values)
        if not row.input:
            return network
        if len(network.inputs) > 1:
            raise usage("it has several inputs, but the table one size for them")
        (own,) = network.inputs.values()
        if len(row.input) not in (1, len(own.spatial)):
            raise usage(f"its input is {own}, but the table has {times(row.input)}")
        wanted = own.with_spatial(row.input * (len(own.spatial) // len(row.input)))
        return network if wanted == own else dialects.network(meant, input=wanted, values=values)


def _text(path: str) -> str:
    """The text of a table, if it is not too long."""
    import os

    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise usage(f"{shorten(path, 200)} cannot be read: {reason}") from None
    if len(content) > MAX_BYTES:
        raise too_large(path, max(size, len(content)))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise usage(f"{shorten(path, 200)} is not UTF-8: line {line:,}") from None
