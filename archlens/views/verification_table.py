"""Verifications as a table or JSON. Knows what was found, and not how."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..backends.checks import CHECKS, FAILED, NOT_APPLICABLE, OUTPUT, PASSED, RUNTIME, Check, Verification
from ..counts import dumps, in_lines
from ..errors import printable
from ..forms.table import LEAST, Annotation, Case, Cell, Column, Command, Content, SpanningRow, Table

SCHEMA, COUNTS = "archlens.verification/1", "archlens.verified/1"

#: What is compared with what; stands under every table of it.
CONVENTIONS = (
    "Each figure is the number of passed checks out of those that apply.",
    "shapes: every layer's output in a real forward pass.",
    "weights: the parameters and buffers that torch made, by name and shape.",
    "MACs: the convolutions and matrix products of every layer, as torch.utils.flop_counter sees them run; "
    "and, except on the meta device, which it cannot trace, as fvcore counts the operators of the module, "
    "with the formula of torch.utils.flop_counter for scaled_dot_product_attention, for which it has none.",
    "fields: the receptive field of every layer with spatial axes, by NaNs planted in rows of the input.",
    "total: the MACs of an inference, by torch.utils.flop_counter, which counts each as 2.",
)

#: What is compared beside that where a network was traced from a module.
_OF_MODULES = (
    "For a torch module, weights and total are measured on the module itself, and so are shapes and MACs "
    "where hooks see them; if its network cannot be built, nothing else is compared.",
    "output: the network, built as a module and given the module's weights, computes what the module does.",
)

#: What is compared beside that of an ONNX file, where onnxruntime is installed.
_OF_FILES = "tensors: every tensor of the file, by its name there, has the size that onnxruntime gives it."

#: The operators of torch that fvcore does not count though they are products.
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")

_TITLES = {"shape": "shapes", "weights": "weights", "macs": "MACs", "field": "fields", "total": "total"}
_ALL = {**_TITLES, OUTPUT: "output", RUNTIME: "tensors"}


#: The columns of "not applicable", on two lines.
_NONE = 10

#: How verdicts are dressed.
_ROLES = {"passed": "good", "failed": "bad", "FAILED": "bad"}

_NETWORK = (Column("network", least=LEAST), Column("layers", right=True))
_VERDICT = Column("verdict", roles=_ROLES)
_MEASURED = (
    Column("ms", right=True, key="milliseconds"),
    Column("peak MB", right=True, key="peak_bytes", unit="B"),
    Column("predicted MB", right=True, key="predicted_bytes", unit="B"),
)
_CHECKS = (
    Column("network", shown=False),
    *(
        Column(title, least=least, roles=_ROLES if title == "verdict" else None)
        for title, least in (("layer", 12), ("check", 0), ("archlens", 12), ("torch", 12), ("verdict", 20))
    ),
)


def table(
    found: Sequence[Verification], *, layers: bool = False, timings: bool = False, brief: bool = False
) -> Table:
    """A line a network, then what failed, where it was made, and what each check compares.

    Args:
        found: what was found.
        layers: whether every check of every layer follows.
        timings: whether times and bytes are worth a column.
        brief: whether JSON is to say how many checks passed, and not each.
    """
    whats = _whats(found)
    columns = (*_NETWORK, *(Column(_ALL[what], right=True, least=_NONE) for what in whats), _VERDICT)
    conventions = (*CONVENTIONS, *_OF_MODULES) if OUTPUT in whats else CONVENTIONS
    conventions = (*conventions, _OF_FILES) if RUNTIME in whats else conventions
    rows = [_summary(one, whats) for one in found]
    each = [Table(_CHECKS, _layers(one)) for one in found] if layers else []
    failures = [f"{one.name}: {line}" for one in found for line in _failures(one)]
    passed = f"{sum(one.passed for one in found)} of {len(found)} networks passed every check that applies. "
    # a terminal has what failed right beneath what it failed in
    *others, last = [Table(columns, rows), *each]
    said = [*failures, *(f"{one.name}: {line}" for one in found for line in _unheld(one))]
    last = replace(last, rows=[*last.rows, *map(SpanningRow, said)])
    notes = [*_circumstances(found, timings=True), *conventions]
    return Table(
        headline="Verification",
        level=1,
        summary=[passed, Command("archlens verify --all"), " makes this page."],
        lead=[("", line) for line in _circumstances(found, timings=False)],
        columns=(*columns, *_MEASURED) if timings else columns,
        rows=[
            [*row, *_measured(one.seconds, one.peak_bytes, one.predicted_bytes)]
            for row, one in zip(rows, found, strict=True)
        ]
        if timings
        else rows,
        more=each,
        remarks=[said] if said else [],
        notes=conventions,
        terminal=[*others, replace(last, notes=notes)],
        json=partial(to_counts if brief else to_json, found),
        suites=[(one.name, list(_cases(one))) for one in found],
        annotations=[Annotation("error", line, None, one.name) for one in found for line in _failures(one)],
    )


def _whats(found: Sequence[Verification]) -> list[str]:
    """What is compared in any of them."""
    return [what for what in _ALL if what in CHECKS or any(one.of(what) for one in found)]


def _cases(one: Verification) -> Iterator[Case]:
    """A case for what was compared: all layers of a network in one."""
    failures = _failures(one)
    for title in (_ALL[what] for what in _whats([one])):
        wrong = [line for line in failures if f", {title}: " in line]
        yield Case(title, "failure", f"{len(wrong)} failed", "\n".join(wrong)) if wrong else Case(title)


def to_json(found: Sequence[Verification]) -> str:
    """Every check of every layer: ``archlens.verification/1``."""
    return dumps({"schema": SCHEMA, "networks": [_data(one) for one in found]}, indent=1)


def to_counts(found: Sequence[Verification]) -> str:
    """How many checks passed of those that apply, a network a line: ``archlens.verified/1``."""
    return in_lines(_counts([_data(one) for one in found]))


def _counts(networks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What :func:`to_counts` says of networks as :func:`to_json` has them."""
    first = next((one for one in networks if "why_meta" not in one), networks[0])
    return {
        "schema": COUNTS,
        **{key: first[key] for key in ("device", "torch", "fvcore", "batch")},
        "uncounted": sorted({op for one in networks for op in one["uncounted"]}),
        "networks": [
            {
                "name": one["name"],
                "passed": one["passed"],
                "layers": sum(check["what"] == "shape" for check in one["checks"]),
                "checks": {
                    what: _passed(one["checks"], what)
                    for what in _ALL
                    if what in CHECKS or any(check["what"] == what for check in one["checks"])
                },
                **{key: one[key] for key in ("seconds", "peak_bytes", "predicted_bytes")},
                **{key: one[key] for key in ("why_meta", "stated", "opaque") if key in one},
            }
            for one in networks
        ],
    }


def _passed(checks: Sequence[Mapping[str, Any]], what: str) -> list[int]:
    found = [check["status"] for check in checks if check["what"] == what]
    return [found.count(PASSED), len(found) - found.count(NOT_APPLICABLE)]


class Report(NamedTuple):
    """What a file says of verifications."""

    #: A page that says the same, for a link to it; or the file itself.
    file: str
    #: On what, and with what, it was made.
    made: str
    #: The cells of each network by the titles of their columns.
    rows: Mapping[str, Mapping[str, str]]


def read(text: str, file: str) -> Report | None:
    """What :func:`to_json` or :func:`to_counts` wrote, read back; ``None`` where the text is none of both."""
    try:
        data = json.loads(text)
        if data["schema"] == SCHEMA:
            data = _counts(data["networks"])
        if data["schema"] != COUNTS:
            return None
        made = _made(*(data[key] for key in ("device", "torch", "fvcore", "batch")))
        timings = data["device"].startswith("cuda")
        rows = {str(one["name"]): _cells(one, timings=timings) for one in data["networks"]}
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError):
        return None
    return Report(file, made.rstrip("."), rows)


def _cells(one: Mapping[str, Any], *, timings: bool) -> dict[str, str]:
    """The row of a network, but for its name, by the titles of the columns."""
    cells = {"layers": str(one["layers"])}
    for what, title in _TITLES.items():
        passed, of = one["checks"][what]
        cells[title] = _share(passed, of)
    cells["verdict"] = _verdict(one["passed"], *(len(one.get(name, ())) for name in ("stated", "opaque")))
    if timings:
        found = _measured(one["seconds"], one["peak_bytes"], one["predicted_bytes"])
        cells |= {column.title: cell.text for column, cell in zip(_MEASURED, found, strict=True)}
    return cells


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
        **({"why_meta": one.why_meta} if one.why_meta else {}),
        **({"stated": one.stated} if one.stated else {}),
        **({"opaque": one.opaque} if one.opaque else {}),
        "uncounted": list(one.uncounted),
        "checks": [check._asdict() for check in one.checks],
    }


def _summary(one: Verification, whats: Sequence[str]) -> list[Content]:
    counts = [_count(one.of(what)) for what in whats]
    layers = len(one.of("shape"))
    return [
        one.name,
        Cell(str(layers), layers),
        *counts,
        _verdict(one.passed, len(one.stated), len(one.opaque)),
    ]


def _verdict(passed: bool, stated: int, opaque: int) -> str:
    """How it came out, and how many layers are not held against anything."""
    kinds = [f"{count:,} {name}" for name, count in (("stated", stated), ("opaque", opaque)) if count]
    return ", ".join(["passed" if passed else "FAILED", *kinds])


def _count(checks: Sequence[Check]) -> str:
    passed = sum(check.status == PASSED for check in checks)
    apply = sum(check.status != NOT_APPLICABLE for check in checks)
    return _share(passed, apply)


def _share(passed: int, of: int) -> str:
    return f"{passed}/{of}" if of else "not applicable"


def _failures(one: Verification) -> list[str]:
    return [
        f"{printable(check.layer) or 'the network'}, {_ALL[check.what]}: archlens says "
        f"{check.says or 'nothing'}, {_other(check)} has {check.found or 'nothing'}"
        + (f" ({check.reason})" if check.reason else "")
        for check in one.checks
        if check.status == FAILED
    ]


def _other(check: Check) -> str:
    return "onnxruntime" if check.what == RUNTIME else "torch"


def _unheld(one: Verification) -> list[str]:
    """Which figures of the whole are held against nothing, and why."""
    return [
        f"{_ALL[check.what]} not compared: {printable(check.reason)}"
        for check in one.checks
        if check.status == NOT_APPLICABLE and not check.layer
    ]


def _layers(one: Verification) -> list[list[Content]]:
    """A line a check: the layer, what was compared, and how it came out."""
    return [
        [
            one.name,
            check.layer or "all",
            _ALL[check.what],
            check.says,
            check.found,
            check.status + (f": {check.reason}" if check.reason else ""),
        ]
        for check in one.checks
    ]


def _made(device: str, torch: str, fvcore: str | None, batch: int) -> str:
    counted = f"fvcore {fvcore}" if fvcore else "fvcore is not installed"
    return f"Device {device}, torch {torch}, {counted}, batch {batch}."


def _circumstances(found: Sequence[Verification], *, timings: bool) -> list[str]:
    """Where the checks were made, with what, and what fvcore did not count."""
    one = next((each for each in found if not each.why_meta), found[0])
    lines = [_made(one.device, one.torch, one.fvcore, one.batch)]
    lines += [
        f"{printable(each.name)} ran on the meta device, which computes only shapes: a real run would take "
        f"about {each.why_meta} without --device cpu --unbounded."
        for each in found
        if each.why_meta
    ]
    uncounted = sorted({op.removeprefix("aten::") for each in found for op in each.uncounted})
    recurrent = [op for op in uncounted if op in _RECURRENT]
    if recurrent:
        names = ", ".join(recurrent)
        lines.append(f"fvcore does not count recurrent layers ({names}): only torch's counter does.")
    others = [op for op in uncounted if op not in recurrent]
    if others:
        lines.append(
            f"fvcore does not count these operators, none of which is a product: {', '.join(others)}."
        )
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
                f"{_megabytes(largest.predicted_bytes)} MB: weights, buffers and the peak activations of "
                "eager torch, in blocks of 512 bytes. Workspaces of cuDNN and cuBLAS come on top."
            )
    return lines


def _measured(seconds: float | None, *sizes: int | None) -> list[Cell]:
    ms = None if seconds is None else seconds * 1e3
    return [Cell("" if ms is None else f"{ms:,.2f}", ms), *(Cell(_megabytes(size), size) for size in sizes)]


def _megabytes(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:,.1f}"
