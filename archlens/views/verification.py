"""Verifications as a table, Markdown or JSON. Knows what was found, and not how."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..backends.checks import CHECKS, FAILED, NOT_APPLICABLE, PASSED, Check, Verification
from ..counts import dumps
from ..errors import Style, printable, unstyled
from . import grid, words
from .markdown import escape, unescape

SCHEMA = "archlens.verification/1"

#: What is compared with what; stands under every table of it.
CONVENTIONS = (
    "Each number of passed checks stands before the number of those that apply.",
    "shapes: every layer's output in a real forward pass.",
    "weights: the parameters and buffers that torch made, by name and shape.",
    "MACs: the convolutions and matrix products of every layer, as torch.utils.flop_counter sees them run; "
    "and but on the meta device, which it cannot trace, as fvcore counts the operators of its module, with "
    "the formula of torch.utils.flop_counter for scaled_dot_product_attention, which it has none for.",
    "fields: the receptive field of every layer with spatial axes, by NaNs planted in rows of the input.",
    "total: the MACs of an inference, by torch.utils.flop_counter, which counts 2 for each.",
)

_TITLES = {"shape": "shapes", "weights": "weights", "macs": "MACs", "field": "fields", "total": "total"}


def to_table(
    found: Sequence[Verification], *, layers: bool, width: int | None = None, style: Style = unstyled
) -> str:
    """A line a network, then what failed; with ``layers`` every check of every layer."""
    columns = [
        grid.Column("network", least=grid.LEAST),
        grid.Column("layers", right=True),
        *(grid.Column(title, right=True, least=_NONE) for title in _TITLES.values()),
        grid.Column("verdict", roles=_ROLES),
    ]
    rows = [_summary(one) for one in found]
    lines = grid.fit(columns, rows, width, style).table(rows)
    if layers:
        for one in found:
            lines += ["", *_layers(one, width, style)]
    for one in found:
        lines += words.below((f"{printable(one.name)}: {line}" for line in _failures(one)), width)
    return "\n".join([*lines, "", *words.below([*_circumstances(found, timings=True), *CONVENTIONS], width)])


#: The columns of "not applicable", on two lines.
_NONE = 10

#: How verdicts are dressed.
_ROLES = {"passed": "good", "failed": "bad", "FAILED": "bad"}


def to_markdown(found: Sequence[Verification], *, timings: bool) -> str:
    """A report: where it was made, a row a network, and what each check compares."""
    head = ["network", "layers", *_TITLES.values(), "verdict"]
    right = [False, True, *[True] * len(CHECKS), False]
    if timings:
        head += ["ms", "peak MB", "predicted MB"]
        right += [True, True, True]
    rows = []
    for one in found:
        row = [escape(cell) for cell in _summary(one)]
        measured = [_milliseconds(one), _megabytes(one.peak_bytes), _megabytes(one.predicted_bytes)]
        rows.append([*row, *measured] if timings else row)
    failures = [f"- {escape(one.name)}: {escape(line)}" for one in found for line in _failures(one)]
    return "\n".join(
        [
            _TITLE,
            "",
            f"{sum(one.passed for one in found)} of {len(found)} networks passed every check that applies. "
            "`archlens verify --all` makes this page.",
            "",
            *(f"- {escape(line)}" for line in _circumstances(found, timings=False)),
            "",
            *grid.pipes(head, rows, right),
            "",
            *failures,
            *([""] if failures else []),
            *(f"- {escape(line)}" for line in CONVENTIONS),
        ]
    )


class Report(NamedTuple):
    """A page of :func:`to_markdown`, read back."""

    #: The file that it was read from, for a link to it.
    file: str
    #: On what, and with what, it was made.
    made: str
    #: The cells of each network by the titles of their columns.
    rows: Mapping[str, Mapping[str, str]]


def read(text: str, file: str) -> Report | None:
    """A report that lies in a file; ``None`` where the text is none."""
    lines = text.split("\n")
    made = next((line[2:].rstrip(".") for line in lines if line.startswith("- Device ")), "")
    table = [[cell.strip() for cell in _CELLS.split(line)[1:-1]] for line in lines if line.startswith("| ")]
    if lines[0] != _TITLE or not made or len(table) < 2:
        return None
    head = table[0]
    rows = {
        unescape(row[0]): dict(zip(head[1:], map(unescape, row[1:]), strict=True))
        for row in table[2:]
        if len(row) == len(head)
    }
    return Report(file, unescape(made), rows)


#: The first line of a report.
_TITLE = "# Verification"

#: What stands between two cells.
_CELLS = re.compile(r"(?<!\\)\|")


def to_json(found: Sequence[Verification]) -> str:
    """Every check of every layer: ``archlens.verification/1``."""
    return dumps({"schema": SCHEMA, "networks": [_data(one) for one in found]}, indent=1)


def _data(one: Verification) -> dict[str, Any]:
    return {
        "name": one.name,
        "passed": one.passed,
        "device": one.device,
        "torch": one.torch,
        "fvcore": one.fvcore or None,
        "batch": one.batch,
        "seconds": one.seconds,
        "peak_bytes": one.peak_bytes,
        "predicted_bytes": one.predicted_bytes,
        "uncounted": list(one.uncounted),
        "checks": [check._asdict() for check in one.checks],
    }


def _summary(one: Verification) -> list[str]:
    counts = [_count(one.of(what)) for what in CHECKS]
    verdict = "passed" if one.passed else "FAILED"
    return [printable(one.name), str(len(one.of("shape"))), *counts, verdict]


def _count(checks: Sequence[Check]) -> str:
    passed = sum(check.status == PASSED for check in checks)
    apply = sum(check.status != NOT_APPLICABLE for check in checks)
    return f"{passed}/{apply}" if apply else "not applicable"


def _failures(one: Verification) -> list[str]:
    return [
        f"{printable(check.layer) or 'the network'}, {_TITLES[check.what]}: archlens says "
        f"{check.says or 'nothing'}, torch has {check.found or 'nothing'}"
        + (f" ({check.reason})" if check.reason else "")
        for check in one.checks
        if check.status == FAILED
    ]


def _layers(one: Verification, width: int | None, style: Style) -> list[str]:
    """A line a check: the layer, what was compared, and how it came out."""
    columns = [
        grid.Column(title, least=least, roles=_ROLES if title == "verdict" else None)
        for title, least in (("layer", 12), ("check", 0), ("archlens", 12), ("torch", 12), ("verdict", 20))
    ]
    rows = [
        [
            printable(check.layer) or "all",
            _TITLES[check.what],
            check.says,
            check.found,
            check.status + (f": {check.reason}" if check.reason else ""),
        ]
        for check in one.checks
    ]
    return grid.fit(columns, rows, width, style).table(rows)


def _circumstances(found: Sequence[Verification], *, timings: bool) -> list[str]:
    """Where the checks were made, with what, and what fvcore did not count."""
    one = found[0]
    fvcore = f"fvcore {one.fvcore}" if one.fvcore else "fvcore is not installed"
    lines = [f"Device {one.device}, torch {one.torch}, {fvcore}, batch {one.batch}."]
    uncounted = sorted({op for each in found for op in each.uncounted})
    if uncounted:
        names = ", ".join(op.removeprefix("aten::") for op in uncounted)
        lines.append(f"fvcore met operators that it does not count, none of them a product: {names}.")
    if timings and any(each.seconds for each in found):
        total = sum(each.seconds or 0 for each in found)
        largest = max(found, key=lambda each: each.peak_bytes or 0)
        lines.append(
            f"Forward passes took {total * 1e3:,.1f} ms"
            + (
                f", with at most {_megabytes(largest.peak_bytes)} MB allocated."
                if largest.peak_bytes
                else "."
            )
        )
        if largest.peak_bytes:
            lines.append(
                f"For {printable(largest.name)}, which allocated most, archlens predicts "
                f"{_megabytes(largest.predicted_bytes)} MB: weights, buffers and the live set of eager "
                "torch, in blocks of 512 bytes. Workspaces of cuDNN and cuBLAS come on top."
            )
    return lines


def _milliseconds(one: Verification) -> str:
    return "" if one.seconds is None else f"{one.seconds * 1e3:,.2f}"


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:,.1f}"
