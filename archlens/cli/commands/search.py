"""``archlens search``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ... import dialects
from ...errors import shorten, usage
from ...searching import require_numpy
from ..options import Given, complete_names, format_option, network_options, output_option, type_options
from ..output import is_file, remark, write_bytes, write_table

if TYPE_CHECKING:
    from ...searching.search import Progress, Searched
    from ...searching.space import Space

F = TypeVar("F", bound=Callable[..., Any])

#: The most processes of one search.
MOST_JOBS = 1024

#: How many seconds lie between two reports of how far a search is.
_EVERY = 0.2


def space_options(function: F) -> F:
    """--vary and --where: the configurations, and what they have to keep within."""
    function = click.option(
        "--where",
        multiple=True,
        metavar="LIMITS",
        help="Limits, as in 'params <= 5M, macs <= 600M'; layer4.params is the figure of a scope.",
    )(function)
    return click.option(
        "--vary",
        multiple=True,
        metavar="PARAM=VALUES",
        help="Values of a param: 0.25..1.5:0.05 (the last number is the step), 64,96,128, or a list with "
        "ranges in it, [1..4, 2, 6, 2]. input=96..320:32 varies the size of the input.",
    )(function)


@click.command("search")
@click.argument("name", shell_complete=complete_names)
@space_options
@network_options
@click.option(
    "--pareto",
    multiple=True,
    metavar="COLUMNS",
    help="Keep the Pareto front of these: macs,-alpha; - marks what is better when larger.",
)
@click.option("--sort", multiple=True, metavar="COLUMNS", help="Sort by these; -macs puts the largest first.")
@click.option(
    "--figures",
    multiple=True,
    metavar="FIGURES",
    help="Further figures to compute; by default params,macs.",
)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Evaluate a random sample of N configurations, not all.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, metavar="N", help="Seed of --sample.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="How many rows to show; a file always gets all."
)
@click.option("--jobs", type=click.IntRange(1, MOST_JOBS), metavar="N", help="Number of worker processes.")
@click.option(
    "--engine",
    default="",
    metavar="NAME",
    help="Where workers run: processes, or dask or ray: on a configured cluster, else N local workers.",
)
@click.option(
    "--keep",
    type=click.Path(dir_okay=False),
    default="",
    metavar="FILE",
    help="Record finished parts in FILE; the same search resumes from it.",
)
@type_options
@format_option()
@output_option
def command(
    name: str,
    vary: tuple[str, ...],
    where: tuple[str, ...],
    given: Given,
    pareto: tuple[str, ...],
    sort: tuple[str, ...],
    figures: tuple[str, ...],
    sample: int | None,
    seed: int,
    limit: int | None,
    jobs: int | None,
    engine: str,
    keep: str,
    weights: str,
    activations: str,
    form: str,
    path: str | None,
) -> None:
    """Find the best configurations of a network within limits.

    The figures are those of `archlens check`, and exact. -o FILE writes all results as .csv, .parquet or
    .json. A search that is interrupted keeps the results so far.
    """
    require_numpy()
    from ...searching import search
    from ...views import search_table as view

    space = varied(name, vary, sample, seed)
    types = weights, activations
    wanted = search.asked(space, where, figures=figures, pareto=pareto, sort=sort, types=types)
    found = searched(name, given, space, wanted, jobs=jobs or 0, engine=engine, keep=keep)
    kind = Path(path).suffix if is_file(path) else ""
    if form == "table" and kind in (".csv", ".parquet", ".json"):
        assert path is not None
        writers = {".csv": view.to_csv, ".parquet": view.to_parquet, ".json": _json}
        write_bytes(writers[kind](found), path)
        remark(f"{view.said(found, len(found))}; written to {shorten(path, 200)}")
        for sentence in view.meant(found):
            remark(sentence)
    elif form == "csv":
        write_bytes(view.to_csv(found), path or "-")
    else:
        write_table(view.table(found, most=limit or view.SHOWN), form, path)
    if not found.complete:
        sys.exit(130)


def _json(found: Searched) -> bytes:
    from ...views import search_table as view

    return f"{view.to_json(found)}\n".encode()


def varied(name: str, texts: Sequence[str], sample: int | None = None, seed: int = 0) -> Space:
    """The configurations of a network that --vary means.

    Raises:
        UsageError: one is no list of values, or two are of the same param.
    """
    from ...searching.search import own_values
    from ...searching.space import Space

    values: dict[str, str] = {}
    for text in texts:
        key, separator, value = text.partition("=")
        key = key.strip()
        if not separator or not key or not value.strip():
            raise usage(f"--vary {shorten(text)} has no values", help="as in --vary alpha=0.25..1.5:0.05")
        if key in values:
            raise usage(f"--vary gives {shorten(key)} twice", help="all of its values once, with commas")
        values[key] = value
    return Space(values, sample=sample, seed=seed, own=own_values(name))


def searched(name: str, given: Given, space: Space, wanted: Any, **how: Any) -> Searched:
    """What a search finds, with a line on standard error that says how far it is, if that is a terminal."""
    from ...searching import search

    if given.real:
        raise usage("--real is for single networks")
    input, values = given.read()
    meant = dialects.find(name)
    with _progress(space.count) as progress:
        return search.run(meant, space, wanted, input=input, values=values, progress=progress, **how)


@contextmanager
def _progress(total: int) -> Iterator[Progress]:
    if not sys.stderr.isatty():
        yield lambda looked, held: None
        return
    started = shown = time.monotonic()

    def progress(looked: int, held: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown < _EVERY:
            return
        shown = now
        rate = looked / (now - started)
        left = (total - looked) / rate if rate else 0
        text = f"{looked:,} of {total:,}, {rate:,.0f} a second, {left:,.0f} s left, {held:,} found"
        click.echo(f"\r{text:<79}", err=True, nl=False)

    try:
        yield progress
    finally:
        if shown != started:
            click.echo(f"\r{'':<79}\r", err=True, nl=False)
