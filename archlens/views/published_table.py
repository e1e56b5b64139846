"""Published figures beside computed ones, as a table or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby

from ..analysis.published_figures import (
    EQUAL,
    EXPLAINED,
    ROUNDED,
    TRAINED,
    UNEXPLAINED,
    UNVERIFIED,
    VERDICTS,
    PublishedFigure,
)
from ..counts import dumps
from ..errors import printable, shorten
from ..forms.table import LEAST, Annotation, Case, Column, Link, Row, SpanningRow, Table
from ..grouping import grouped

SCHEMA = "archlens.claims/2"

#: The published figures of networks, by their names and in order.
Figures = Sequence[tuple[str, Sequence[PublishedFigure]]]

#: How far the figures of a source stand in from its name.
_INDENT = 2

#: How verdicts are dressed: what the spec does not explain most.
_ROLES = {"DIFFERENT": "bad", "different": "notable", "equal": "good"}

_COLUMNS = (
    Column("figure", least=LEAST, roles=_ROLES),
    Column("published", right=True, roles=_ROLES),
    Column("computed", right=True, roles=_ROLES),
    Column("verdict", least=LEAST, roles=_ROLES),
)
_LINK = Column("", key="link", shown=False)

#: How many figures a sentence names.
_NAMED = 4


def table(found: Figures) -> Table:
    """A line a figure, and why some differ; in a terminal under the source that printed it."""
    below = [[line] for line in [*_silent(found), *_summary(found)]]
    return Table(
        columns=[Column("network"), *_COLUMNS, Column("source"), _LINK],
        rows=[
            [name, *_cells(figure), Link(figure.entry.source, figure.entry.link), figure.entry.link]
            for name, figures in found
            for figure in figures
        ],
        remarks=[[line] for line in _reasons(found)] + below,
        terminal=[
            *(_of_network(name, figures) for name, figures in found if figures),
            Table(remarks=below),
        ],
        json=partial(to_json, found),
        suites=[(name, list(map(_case, figures))) for name, figures in found],
        annotations=[
            Annotation("error", _difference(figure), None, f"{name}: {figure.what}")
            for name, figures in found
            for figure in figures
            if figure.silent
        ],
    )


def _case(figure: PublishedFigure) -> Case:
    name = f"{figure.what} {figure.printed}, {figure.entry.source}"
    return Case(name, "failure", _difference(figure)) if figure.silent else Case(name)


def _difference(figure: PublishedFigure) -> str:
    both = f"{figure.entry.source} prints {figure.printed}, and {figure.computed} is computed"
    return f"{both}; no reason is given"


def to_json(found: Figures) -> str:
    """``archlens.claims/2``: every figure; ``computed`` is null for what depends on training."""
    return dumps(
        {
            "schema": SCHEMA,
            "networks": [
                {"name": name, "claims": [_data(figure) for figure in figures]} for name, figures in found
            ],
        },
        indent=1,
    )


def _data(figure: PublishedFigure) -> dict[str, object]:
    return {
        "what": figure.what,
        "printed": figure.printed,
        "computed": figure.computed or None,
        "verdict": figure.verdict,
        "source": figure.entry.source,
        "link": figure.entry.link or None,
        "remark": figure.remark,
        "silent": figure.silent,
    }


def _cells(figure: PublishedFigure) -> list[str]:
    """A figure, its published and its computed value, and how they compare."""
    verdict = figure.verdict.replace("different", "DIFFERENT") if figure.silent else figure.verdict
    return [figure.what, _printed(figure), figure.computed, verdict]


def _printed(figure: PublishedFigure) -> str:
    plain = figure.printed.isdecimal() and not figure.what.startswith(("shape", "top"))
    return f"{int(figure.printed):,}" if plain else figure.printed


def _of_network(name: str, figures: Sequence[PublishedFigure]) -> Table:
    """The figures of one network, under their sources; what the spec says of them stands under each."""
    rows: list[Row] = []
    for entry, own in groupby(figures, lambda figure: figure.entry):
        rows.append(SpanningRow(Link(entry.source, entry.link)))
        remarks: dict[str, None] = {}
        for figure in own:
            rows.append(_cells(figure))
            remarks[_remark(figure)] = None
        rows += [SpanningRow(remark, inner=True) for remark in filter(None, remarks)]
    return Table(_COLUMNS, rows, name, indent=_INDENT)


# --- what stands beneath ---------------------------------------------------------------------------


def _remark(figure: PublishedFigure) -> str:
    """What the spec says about a figure, in a sentence; empty where that is nothing."""
    if figure.silent:
        return "Different: no reason is given."
    if not figure.remark:
        return ""
    said = {EXPLAINED: "Different", UNEXPLAINED: "Unexplained", UNVERIFIED: "Not verified"}[figure.verdict]
    return printable(f"{said}: {figure.remark.rstrip('.')}.")


def _reasons(found: Figures) -> Iterator[str]:
    """What the specs say about figures, once for all that one entry has."""
    for name, figures in found:
        reasons = grouped(
            ((figure.entry, remark), f"{figure.what} {figure.printed}")
            for figure in figures
            if (remark := _remark(figure))
        )
        for (_, remark), said in reasons.items():
            more = f" and {len(said) - _NAMED} more" if len(said) > _NAMED else ""
            named = ", ".join(said[:_NAMED]) + more
            yield f"{printable(name)}, {printable(named)}. {remark}"


def _silent(found: Figures) -> list[str]:
    names = [shorten(name) for name, figures in found if not figures]
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return [f"No figure is published of {', '.join(names[:_NAMED])}{more}."] if names else []


def _summary(found: Figures) -> list[str]:
    counts = Counter(figure.verdict for _, figures in found for figure in figures)
    silent = sum(figure.silent for _, figures in found for figure in figures)
    total = sum(counts.values())
    if not total:
        return []
    said = {
        EQUAL: "equal",
        ROUNDED: "equal to the printed digits",
        EXPLAINED: "different and explained",
        UNEXPLAINED: "different and unexplained",
        TRAINED: "that depends on training" if counts[TRAINED] == 1 else "that depend on training",
        UNVERIFIED: "not verified",
    }
    parts = [f"{counts[verdict]:,} {said[verdict]}" for verdict in VERDICTS if counts[verdict]]
    tail = f"; for {silent:,} of them no reason is given" if silent else ""
    figures = "published figure" if total == 1 else "published figures"
    return [f"{total:,} {figures}: {', '.join(parts)}{tail}."]
