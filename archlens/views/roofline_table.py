"""Multiply-accumulates and bytes of each layer, and lower bounds on the time, as a table or JSON."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from typing import Any

from ..analysis.roofline import Load, Roofline
from ..boards import Board
from ..counts import dumps
from ..errors import printable
from ..forms.table import LEAST, Cell, Column, Content, Table, count
from . import words
from .board_table import of_board

SCHEMA = "archlens.roofline/1"

_COLUMNS = (
    Column("layer", least=LEAST),
    Column("op", least=LEAST, spare=3),
    Column("MACs", right=True, key="macs"),
    Column("bytes", right=True, unit="B"),
    Column("MACs/byte", right=True, key="intensity"),
)
_BOUND = (
    Column("bound by", key="by"),
    Column("at least", right=True, key="seconds", unit="s"),
)
_NOTES = (
    "Bytes of a layer: its weights, what it reads and what it writes, each once; views move no bytes.",
    "The least time is a lower bound for kernels that compute every product; Winograd convolutions do not. "
    "It is not a prediction: kernels reach a fraction of the peak, which is not known without measuring.",
)


def table(found: Roofline, board: Board | None = None, batch: int = 1) -> Table:
    """Each layer with its work and its bytes; with a board, what bounds it.

    Args:
        found: what is shown.
        board: whose peaks bound it.
        batch: samples at once, for the headline.
    """
    peak, bandwidth = peaks(found, board)
    rows: list[list[Content]] = []
    for load in found.loads:
        row: list[Content] = [
            printable(load.layer.name),
            printable(str(load.layer.op)),
            Cell(f"{load.macs:,}", int(load.macs)),
            count(load.bytes),
            _intensity(load.intensity),
        ]
        if board is not None:
            bound = found.bound(load, peak, bandwidth)
            row += [bound.by, Cell(_time(bound.seconds), float(bound.seconds))]
        rows.append(row)
    columns = _COLUMNS if board is None else (*_COLUMNS, *_BOUND)
    types = f"{found.weights} weights, {found.activations} activations"
    samples = f", {batch:,} samples" if batch > 1 else ""
    totals = ["total", "", f"{found.macs:,}", f"{found.bytes:,}", *[""] * (len(columns) - 4)]
    return Table(
        headline=f"{words.headline(found.network)}, {types}{samples}",
        columns=columns,
        rows=rows,
        totals=totals,
        summary=[bounds(found, board)] if board is not None else [],
        notes=[*_of_board(found, board), *_NOTES],
        json=partial(to_json, found, board, batch),
    )


def peaks(found: Roofline, board: Board | None) -> tuple[Fraction | None, Fraction | None]:
    """Multiply-accumulates and bytes a second of a board, for the types at hand."""
    if board is None:
        return None, None
    return board.macs_per_second.get(found.activations), board.bytes_per_second


def bounds(found: Roofline, board: Board) -> str:
    """What no machine of a board's peaks can beat, in a sentence."""
    peak, bandwidth = peaks(found, board)
    if peak is None and bandwidth is None:
        return f"{board.title}: neither its multiply-accumulates nor its bytes per second are known."
    least = found.least(peak, bandwidth)
    said = f"{board.title}: at least {_time(least.seconds)}"
    if peak is None or bandwidth is None:
        missing = (
            f"multiply-accumulates per second in {found.activations}" if peak is None else "bytes a second"
        )
        return f"{said}; its {missing} are not known."
    layers = _time(found.by_layer(peak, bandwidth))
    return f"{said}, bound by {least.by}; {layers} layer by layer, storing every map in memory."


def _of_board(found: Roofline, board: Board | None) -> list[str]:
    if board is None:
        return []
    peak, bandwidth = peaks(found, board)
    said = [f"{words.rounded(int(peak))} MACs/s in {found.activations}"] if peak is not None else []
    said += [f"{words.size(int(bandwidth))}/s"] if bandwidth is not None else []
    read = f", read at {board.read}" if board.read else ""
    return [f"{board.title}: {', '.join([*said, board.source])}{read}."]


def _intensity(value: Fraction | None) -> Content:
    return Cell("", None) if value is None else Cell(f"{float(value):.2f}", round(float(value), 6))


def _time(seconds: Fraction) -> str:
    """``1.23 ms``, of three digits."""
    for unit, size in (("s", 1), ("ms", 1000), ("us", 10**6)):
        if seconds * size >= 1:
            return f"{float(seconds * size):.3g} {unit}"
    return f"{float(seconds * 10**9):.3g} ns" if seconds else "0"


def to_json(found: Roofline, board: Board | None = None, batch: int = 1) -> str:
    """All of it as ``archlens.roofline/1``; times are seconds."""
    peak, bandwidth = peaks(found, board)
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "name": found.network.name,
        "inputs": {name: list(shape) for name, shape in found.network.inputs.items()},
        "batch": batch,
        "weights": found.weights,
        "activations": found.activations,
        "board": None if board is None else of_board(board),
        "layers": [_layer(found, load, peak, bandwidth) for load in found.loads],
        "macs": found.macs,
        "bytes": found.bytes,
        "least_bytes": found.least_bytes,
        "least": None,
        "by_layer": None,
    }
    if peak is not None or bandwidth is not None:
        least = found.least(peak, bandwidth)
        data["least"] = {"seconds": float(least.seconds), "by": least.by}
        if peak is not None and bandwidth is not None:
            data["by_layer"] = float(found.by_layer(peak, bandwidth))
    return dumps(data, indent=1)


def _layer(found: Roofline, load: Load, peak: Fraction | None, bandwidth: Fraction | None) -> dict[str, Any]:
    bound = found.bound(load, peak, bandwidth)
    known = peak is not None or bandwidth is not None
    return {
        "name": load.layer.name,
        "macs": load.macs,
        "bytes": load.bytes,
        "intensity": None if load.intensity is None else float(load.intensity),
        "by": bound.by if known else None,
        "seconds": float(bound.seconds) if known else None,
    }
