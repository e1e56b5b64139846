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
    Claim,
)
from ..counts import dumps
from ..errors import printable, shorten
from ..forms.table import LEAST, Annotation, Case, Column, Line, Link, Row, Table
from ..network import Network
from ..published import Entry

SCHEMA = "archlens.claims/2"

#: The claims of networks, in order.
Claims = Sequence[tuple[Network, Sequence[Claim]]]

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


def table(found: Claims) -> Table:
    """A line a figure, and why some differ; in a terminal under the source that printed it."""
    below = [[line] for line in [*_silent(found), *_summary(found)]]
    return Table(
        columns=[Column("network"), *_COLUMNS, Column("source"), _LINK],
        rows=[
            [network.name, *_cells(claim), Link(claim.entry.source, claim.entry.link), claim.entry.link]
            for network, claims in found
            for claim in claims
        ],
        remarks=[[line] for line in _reasons(found)] + below,
        terminal=[
            *(_of_network(network, claims) for network, claims in found if claims),
            Table(remarks=below),
        ],
        json=partial(to_json, found),
        suites=[(network.name, list(map(_case, claims))) for network, claims in found],
        annotations=[
            Annotation("error", _difference(claim), None, f"{network.name}: {claim.what}")
            for network, claims in found
            for claim in claims
            if claim.silent
        ],
    )


def _case(claim: Claim) -> Case:
    name = f"{claim.what} {claim.printed}, {claim.entry.source}"
    return Case(name, "failure", _difference(claim)) if claim.silent else Case(name)


def _difference(claim: Claim) -> str:
    return (
        f"{claim.entry.source} has {claim.printed}, and {claim.computed} is computed; the spec says no reason"
    )


def to_json(found: Claims) -> str:
    """``archlens.claims/2``: every claim; ``computed`` is null for what depends on training."""
    return dumps(
        {
            "schema": SCHEMA,
            "networks": [
                {"name": network.name, "claims": [_data(claim) for claim in claims]}
                for network, claims in found
            ],
        },
        indent=1,
    )


def _data(claim: Claim) -> dict[str, object]:
    return {
        "what": claim.what,
        "printed": claim.printed,
        "computed": claim.computed or None,
        "verdict": claim.verdict,
        "source": claim.entry.source,
        "link": claim.entry.link or None,
        "remark": claim.remark,
        "silent": claim.silent,
    }


def _cells(claim: Claim) -> list[str]:
    """A figure, its published and its computed value, and how they compare."""
    verdict = claim.verdict.replace("different", "DIFFERENT") if claim.silent else claim.verdict
    return [claim.what, _printed(claim), claim.computed, verdict]


def _printed(claim: Claim) -> str:
    plain = claim.printed.isdecimal() and not claim.what.startswith(("shape", "top"))
    return f"{int(claim.printed):,}" if plain else claim.printed


def _of_network(network: Network, claims: Sequence[Claim]) -> Table:
    """The figures of one network, under their sources; what the spec says of them stands under each."""
    rows: list[Row] = []
    for entry, own in groupby(claims, lambda claim: claim.entry):
        rows.append(Line(Link(entry.source, entry.link)))
        remarks: dict[str, None] = {}
        for claim in own:
            rows.append(_cells(claim))
            remarks[_remark(claim)] = None
        rows += [Line(remark, inner=True) for remark in filter(None, remarks)]
    return Table(_COLUMNS, rows, network.name, indent=_INDENT)


# --- what stands beneath ---------------------------------------------------------------------------


def _remark(claim: Claim) -> str:
    """What the spec says about a figure, in a sentence; empty where that is nothing."""
    if claim.silent:
        return "Different: the spec does not say why."
    if not claim.remark:
        return ""
    said = {EXPLAINED: "Different", UNEXPLAINED: "Unexplained", UNVERIFIED: "Not verified"}[claim.verdict]
    return printable(f"{said}: {claim.remark.rstrip('.')}.")


def _reasons(found: Claims) -> Iterator[str]:
    """What the specs say about figures, once for all that one entry has."""
    for network, claims in found:
        reasons: dict[tuple[Entry, str], list[str]] = {}
        for claim in claims:
            if remark := _remark(claim):
                reasons.setdefault((claim.entry, remark), []).append(f"{claim.what} {claim.printed}")
        for (_, remark), figures in reasons.items():
            more = f" and {len(figures) - _NAMED} more" if len(figures) > _NAMED else ""
            named = ", ".join(figures[:_NAMED]) + more
            yield f"{printable(network.name)}, {printable(named)}. {remark}"


def _silent(found: Claims) -> list[str]:
    names = [shorten(network.name) for network, claims in found if not claims]
    return [f"No figure is published in the spec of {', '.join(names)}."] if names else []


def _summary(found: Claims) -> list[str]:
    counts = Counter(claim.verdict for _, claims in found for claim in claims)
    silent = sum(claim.silent for _, claims in found for claim in claims)
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
    tail = f"; about {silent:,} of them the spec says nothing" if silent else ""
    figures = "published figure" if total == 1 else "published figures"
    return [f"{total:,} {figures}: {', '.join(parts)}{tail}."]
