"""Memory as a table, Markdown or JSON: bytes, and the rules that they follow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..analysis.memory import BITS, Memory, Peak
from ..errors import printable
from ..network import Network
from . import grid, words
from .markdown import escape

SCHEMA = "archlens.memory/1"

#: How many of the tensors that are alive at a peak are named.
_NAMED = 6


class _Line(NamedTuple):
    what: str
    bytes: int | None
    where: str = ""
    at_least: bool = False


def to_table(network: Network, found: Memory, *, width: int | None = None) -> str:
    """Weights, inference and training in bytes and MB; what is alive at the peaks, and the rules beneath."""
    head, rows, right = _grid(list(_lines(found)))
    widths = grid.widths_of([head, *rows])
    # what is left out is said again beneath, or is the bytes rounded
    while width is not None and len(widths) > 2 and sum(widths) + grid.GAP * (len(widths) - 1) > width:
        head, rows, right, widths = head[:-1], [row[:-1] for row in rows], right[:-1], widths[:-1]
    table = grid.plain(head, rows, right, widths)
    below = [*_alive(found), "", *conventions(network, found)]
    wrapped = [line for text in below for line in words.wrapped(text, width)]
    return "\n".join([words.headline(network), "", *table, "", *wrapped])


def to_markdown(network: Network, found: Memory) -> str:
    """The same as a Markdown page."""
    head, rows, right = _grid(list(_lines(found)))
    table = grid.pipes(head, [[escape(cell) for cell in row] for row in rows], right)
    alive = [f"- {escape(line)}" for line in _alive(found)]
    rules = "  \n".join(escape(line) for line in conventions(network, found))
    return "\n".join([f"**{escape(words.headline(network))}**", "", *table, "", *alive, "", rules])


def to_json(network: Network, found: Memory) -> str:
    """Every figure in bytes: ``archlens.memory/1``. What cannot be known is null, with a reason."""
    data = {
        "schema": SCHEMA,
        "name": network.name,
        "inputs": {name: list(shape) for name, shape in network.inputs.items()},
        "batch": found.batch,
        "dtype": found.dtype,
        "activations": found.activations,
        "weights": dict(found.weights),
        "buffers": found.buffers,
        "inference": {
            "outputs": found.outputs,
            "live": _peak(found.inference),
            "in_place": _peak(found.in_place),
            "eager": _peak(found.eager),
        },
        "training": {
            "optimizer": found.optimizer,
            "gradients": found.gradients,
            "optimizer_state": found.states,
            "saved": found.saved,
            "total": found.training,
            "reason": found.reason or None,
        },
        "unknown": list(found.unknown),
    }
    return json.dumps(data, indent=1)


def _peak(peak: Peak) -> dict[str, Any]:
    alive = [{"name": t.name, "shape": list(t.shape), "bytes": t.bytes} for t in peak.alive]
    return {"bytes": peak.bytes, "layer": peak.layer, "alive": alive, "beside": peak.beside}


def _lines(found: Memory) -> Iterator[_Line]:
    unknown = bool(found.unknown)
    for dtype in BITS:
        yield _Line(f"weights, {dtype}", found.weights[dtype])
    yield _Line("buffers", found.buffers)
    yield _Line("inference: all outputs", found.outputs)
    yield _Line("inference: live set", found.inference.bytes, found.inference.layer)
    yield _Line("inference: live set, in place", found.in_place.bytes, found.in_place.layer)
    yield _Line("inference: live set, eager torch", found.eager.bytes, found.eager.layer, unknown)
    if found.training is None:
        return
    yield _Line("training: weights and buffers", found.weights[found.dtype] + found.buffers)
    yield _Line("training: gradients", found.gradients)
    yield _Line(f"training: optimizer state, {found.optimizer}", found.states)
    yield _Line("training: saved activations", found.saved, at_least=unknown)
    yield _Line("training: together", found.training, at_least=unknown)


def _grid(lines: list[_Line]) -> tuple[list[str], list[list[str]], list[bool]]:
    rows = [
        [
            line.what,
            ("at least " if line.at_least else "") + f"{line.bytes:,}",
            words.size(line.bytes or 0),
            printable(line.where),
        ]
        for line in lines
    ]
    return ["what", "bytes", "size", "at"], rows, [False, True, True, False]


def _alive(found: Memory) -> list[str]:
    """What is alive at each of the three peaks, a sentence each."""
    peaks = {"live set": found.inference, "in place": found.in_place, "eager torch": found.eager}
    return [f"{name}, at {printable(peak.layer)}: {_tensors(peak)}." for name, peak in peaks.items()]


def _tensors(peak: Peak) -> str:
    named = sorted(peak.alive, key=lambda tensor: -tensor.bytes)[:_NAMED]
    parts = [f"{printable(t.name)} {t.shape} ({words.size(t.bytes)})" for t in named]
    more = len(peak.alive) - len(named)
    if more:
        parts.append(f"{more} smaller ones")
    if peak.beside:
        parts.append(f"{words.size(peak.beside)} beside them")
    return ", ".join(parts)


def conventions(network: Network, found: Memory) -> list[str]:
    """The rules that the figures follow, one a line."""
    samples = "1 sample" if found.batch == 1 else f"{found.batch:,} samples"
    lines = [
        f"With {words.inputs(network)}, {samples} at once, weights in {found.dtype}, activations in "
        f"{found.activations}. "
        "MB = 10^6 bytes. int4 packs two values into a byte, each tensor by itself.",
        "Live set: a tensor lives from the layer that makes it to its last reader, the input included; views "
        "take nothing.",
        "In place: activations, batch normalization, add and multiply write over an input that nobody reads "
        "any more.",
        "Eager torch: nothing in place, the input stays, and what kernels make beside their output counts; "
        "workspaces of cuDNN and cuBLAS do not.",
    ]
    if found.training is None:
        lines.append(f"No figures for training: {found.reason}.")
    else:
        lines.append(
            "Training: gradients are as large as the weights, so is momentum, and Adam has two of them; "
            "saved is what torch's autograd keeps on CUDA, each tensor once."
        )
    if found.unknown:
        names = ", ".join(map(printable, found.unknown[:3])) + (", …" if len(found.unknown) > 3 else "")
        lines.append(f"At least: nobody has said what {len(found.unknown)} layers keep ({names}).")
    return lines
