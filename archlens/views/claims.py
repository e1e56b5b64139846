"""Published figures beside computed ones, as a table, Markdown or JSON."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence

from ..analysis.claims import DIFFERENT, EQUAL, NOT_COMPUTED, ROUNDED, VERDICTS, Claim
from ..errors import printable
from ..network import Network
from . import grid
from .markdown import escape

SCHEMA = "archlens.claims/1"

#: The claims of networks, in order.
Claims = Sequence[tuple[Network, Sequence[Claim]]]


def to_table(found: Claims, *, width: int | None) -> str:
    """A line a figure; beneath, why some differ; and how many are what."""
    head, rows, right = columns(found)
    lines = []
    if rows:
        widths = grid.widths_of([head, *rows])
        if width is not None:  # the source is wrapped, the rest is not
            widths[-1] = max(min(widths[-1], width - sum(widths[:-1]) - grid.GAP * (len(widths) - 1)), 16)
        lines = [*grid.plain(head, rows, right, widths), ""]
    for line in sentences(found):
        lines += textwrap.wrap(line, width) if width else [line]
    return "\n".join(lines)


def to_markdown(found: Claims) -> str:
    """The same as a table of Markdown."""
    head, rows, right = columns(found)
    below = [f"- {escape(line)}" for line in sentences(found)]
    return "\n".join([*grid.pipes(head, [[escape(cell) for cell in row] for row in rows], right), "", *below])


def to_json(found: Claims) -> str:
    """``archlens.claims/1``: every claim; ``computed`` is null for what depends on training."""
    return json.dumps(
        {
            "schema": SCHEMA,
            "networks": [
                {
                    "name": network.name,
                    "claims": [
                        claim._asdict()
                        | {"computed": claim.computed or None, "unexplained": claim.unexplained}
                        for claim in claims
                    ],
                }
                for network, claims in found
            ],
        },
        indent=1,
    )


def columns(found: Claims) -> tuple[list[str], list[list[str]], list[bool]]:
    """A figure a line: a head, rows, and which columns hold numbers."""
    rows = [
        [network.name, claim.what, _printed(claim), claim.computed, _verdict(claim), claim.source]
        for network, claims in found
        for claim in claims
    ]
    head = ["network", "figure", "published", "computed", "verdict", "source"]
    return head, [list(map(printable, row)) for row in rows], [False, False, True, True, False, False]


def sentences(found: Claims) -> list[str]:
    """Why some figures differ, which networks have none, and how many are what."""
    return [printable(line) for line in [*_reasons(found), *_silent(found), *_summary(found)]]


def _printed(claim: Claim) -> str:
    plain = claim.printed.isdecimal() and len(claim.printed) <= 100
    return f"{int(claim.printed):,}" if plain else claim.printed


def _verdict(claim: Claim) -> str:
    return "DIFFERENT, unexplained" if claim.unexplained else claim.verdict


def _reasons(found: Claims) -> list[str]:
    return [
        f"{network.name}, {claim.what} {claim.printed}: {claim.note}."
        for network, claims in found
        for claim in claims
        if claim.verdict == DIFFERENT and claim.note
    ]


def _silent(found: Claims) -> list[str]:
    names = [network.name for network, claims in found if not claims]
    return [f"No figure is published in the spec of {', '.join(names)}."] if names else []


def _summary(found: Claims) -> list[str]:
    counts = Counter(claim.verdict for _, claims in found for claim in claims)
    unexplained = sum(claim.unexplained for _, claims in found for claim in claims)
    total = sum(counts.values())
    if not total:
        return []
    words = {
        EQUAL: "equal",
        ROUNDED: "equal to the printed digits",
        DIFFERENT: "different",
        NOT_COMPUTED: "that depend on training and are not computed",
    }
    parts = [f"{counts[verdict]:,} {words[verdict]}" for verdict in VERDICTS if counts[verdict]]
    tail = ""
    if counts[DIFFERENT]:
        tail = f"; {unexplained} without a reason" if unexplained else "; each with its reason"
    figures = "published figure" if total == 1 else "published figures"
    return [f"{total:,} {figures}: {', '.join(parts)}{tail}."]
