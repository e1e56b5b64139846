"""Published figures beside computed ones, as a table, Markdown or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from ..analysis.claims import (
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
from ..errors import Style, printable, shorten, unstyled
from ..network import Network
from ..published import Entry
from ..wrapping import wrapped
from . import grid
from .markdown import escape, link

SCHEMA = "archlens.claims/2"

#: The claims of networks, in order.
Claims = Sequence[tuple[Network, Sequence[Claim]]]

#: What stands over the figures, and which columns hold numbers.
HEAD, RIGHT = ("figure", "published", "computed", "verdict"), (False, True, True, False)

#: How far the figures of a source stand in from its name.
_INDENT = "  "

#: How verdicts are dressed: what the spec does not explain most.
_ROLES = {"DIFFERENT": "bad", "different": "notable", "equal": "good"}

#: How many figures a sentence names.
_NAMED = 4


def to_table(found: Claims, *, width: int | None, style: Style = unstyled) -> str:
    """A line a figure, under the source that printed it; under these why they differ; and a tally."""
    blocks = [_block(network, claims, width, style) for network, claims in found if claims]
    blocks += [wrapped(line, width) for line in [*_silent(found), *_summary(found)]]
    return "\n\n".join("\n".join(block) for block in blocks)


def to_markdown(found: Claims) -> str:
    """The same as a table of Markdown, with the links in its last column."""
    rows = [
        [*map(escape, [printable(network.name), *cells(claim)]), source_link(claim.entry)]
        for network, claims in found
        for claim in claims
    ]
    below = [f"- {escape(line)}" for line in sentences(found)]
    return "\n".join([*grid.pipes(["network", *HEAD, "source"], rows, [False, *RIGHT, False]), "", *below])


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


def cells(claim: Claim) -> list[str]:
    """A figure, its published and its computed value, and how they compare."""
    verdict = claim.verdict.replace("different", "DIFFERENT") if claim.silent else claim.verdict
    return list(map(printable, (claim.what, _printed(claim), claim.computed, verdict)))


def source_link(entry: Entry) -> str:
    """A source as Markdown, which leads there where the spec has a link."""
    source = printable(entry.source)
    return link(source, entry.link) if entry.link else escape(source)


def sentences(found: Claims) -> list[str]:
    """Why some figures differ, which networks have none, and how many are what."""
    return [*_reasons(found), *_silent(found), *_summary(found)]


def _printed(claim: Claim) -> str:
    plain = claim.printed.isdecimal() and not claim.what.startswith(("shape", "top"))
    return f"{int(claim.printed):,}" if plain else claim.printed


# --- the table -------------------------------------------------------------------------------------


def _block(network: Network, claims: Sequence[Claim], width: int | None, style: Style) -> list[str]:
    """The figures of one network."""
    rows = [cells(claim) for claim in claims]
    inner = None if width is None else width - len(_INDENT)
    columns = [
        grid.Column(title, right, 0 if right else grid.LEAST, roles=_ROLES)
        for title, right in zip(HEAD, RIGHT, strict=True)
    ]
    layout = grid.fit(columns, rows, inner, style)
    lines = [*wrapped(printable(network.name), width), *(_INDENT + line for line in layout.head)]
    for entry, own in groupby(zip(claims, rows, strict=True), lambda pair: pair[0].entry):
        lines += wrapped(printable(entry.source), width)
        lines += [entry.link] if entry.link else []
        remarks: dict[str, None] = {}
        for claim, row in own:
            lines += [_INDENT + line for line in layout.row(row)]
            remarks[_remark(claim)] = None
        for remark in filter(None, remarks):
            lines += wrapped(remark, width, lead=_INDENT)
    return lines


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
