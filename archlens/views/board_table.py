"""What a network takes of a board, as a table or JSON: bytes of RAM and flash, and their rules."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from ..analysis.arena import Interval
from ..analysis.deployment import BESIDE, BIASES, RULES, Deployment
from ..analysis.unknown import Unknown
from ..boards import Board
from ..counts import dumps
from ..errors import printable
from ..forms.table import LEAST, Cell, Column, Content, Table, count
from . import words

SCHEMA = "archlens.board/1"

_COLUMNS = (
    Column("what", least=20),
    Column("bytes", right=True, unit="B"),
    Column("of the board", right=True, spare=2, key="share"),
    Column("at", least=LEAST, spare=1),
)
_TENSORS = (
    Column("tensor", least=LEAST),
    Column("bytes", right=True, unit="B"),
    Column("first step", right=True),
    Column("last step", right=True),
    Column("offset", right=True, unit="B"),
)
_KINDS = {"weights": "weights", "biases": "biases", "scales": "scales"}


def table(found: Deployment, board: Board | None = None, *, tensors: bool = False) -> Table:
    """RAM and flash, each with its share of a board's, and the rules beneath.

    Args:
        found: what the network takes.
        board: what it is held against.
        tensors: whether each tensor is listed.
    """
    shown = range(4) if board is not None else (0, 1, 3)  # without a board nothing is a share of it
    more = (
        [Table(_TENSORS, list(_placed(found)), headline="Tensors in the arena", level=2)] if tensors else []
    )
    return Table(
        headline=f"{words.headline(found.network)}, {found.weights} weights, {found.activations} activations",
        columns=[_COLUMNS[i] for i in shown],
        rows=[[row[i] for i in shown] for row in _rows(found, board)],
        more=[
            *more,
            *([] if tensors else [Table(_TENSORS[:2], list(_alive(found)), headline="Alive at once")]),
        ],
        summary=[verdict(found, board)] if board is not None else [],
        notes=[*_of_board(board), *RULES, *BESIDE],
        json=partial(to_json, found, board),
    )


def _rows(found: Deployment, board: Board | None) -> Iterator[list[Content]]:
    sram, flash = (None, None) if board is None else (board.sram, board.flash)
    arena = found.arena
    if isinstance(arena, Unknown):
        yield ["arena", "unknown", "", printable(arena.reason)]
    else:
        yield ["arena, as planned", count(arena.bytes), _share(arena.bytes, sram), ""]
        at = found.operators[arena.step - 1].name if arena.step else "the input"
        yield [
            "lower bound of any plan",
            count(arena.least),
            _share(arena.least, sram),
            f"step {arena.step}, {at}",
        ]
    for kind in _KINDS:
        size = found.flash(kind)
        if size or kind == "weights":
            where = {"biases": _bias(found), "scales": "float32", "weights": found.weights}[kind]
            yield [kind, _at_least(size, found.more), _share(size, flash), where]
    yield ["flash", _at_least(found.flash(), found.more), _share(found.flash(), flash), printable(found.more)]


def _bias(found: Deployment) -> str:
    return (
        {4: "int32", 8: "int64"}[BIASES[found.activations]]
        if "int" in found.activations
        else found.activations
    )


def _at_least(size: int, why: str) -> Cell:
    return Cell(f"at least {size:,}", None) if why else count(size)


def _share(size: int, whole: int | None) -> Content:
    return "" if not whole else Cell(f"{100 * size / whole:.1f} %", round(size / whole, 6))


def _alive(found: Deployment) -> Iterator[list[Content]]:
    """The tensors at the step that sets the lower bound of any plan."""
    if isinstance(found.arena, Unknown):
        return
    for one in found.tensors:
        if one.first <= found.arena.step <= one.last:
            yield [printable(one.name), count(one.aligned)]


def _placed(found: Deployment) -> Iterator[list[Content]]:
    if isinstance(found.arena, Unknown):
        return
    for one, offset in zip(found.tensors, found.arena.offsets, strict=True):
        yield [printable(one.name), count(one.aligned), count(one.first), count(one.last), count(offset)]


def verdict(found: Deployment, board: Board) -> str:
    """Whether it fits, as far as that is known."""
    parts = []
    arena = found.arena
    for what, size, whole in (
        ("the arena", None if isinstance(arena, Unknown) else arena.bytes, board.sram),
        ("flash", None if found.more else found.flash(), board.flash),
    ):
        if whole is None or size is None:
            parts.append(f"whether {what} fits is unknown")
        elif size > whole:
            parts.append(f"{what} does not fit: {size - whole:,} bytes too many")
        else:
            parts.append(f"{what} leaves {whole - size:,} bytes for everything else")
    return f"{board.title}: {'; '.join(parts)}."


def _of_board(board: Board | None) -> list[str]:
    if board is None:
        return []
    read = f", read at {board.read}" if board.read else ""
    return [f"{board.title}: {board.source}{read}."]


def to_json(found: Deployment, board: Board | None = None) -> str:
    """All of it as ``archlens.board/1``, in bytes; what is not known is null, with a reason."""
    arena = found.arena
    known = None if isinstance(arena, Unknown) else arena
    data: dict[str, Any] = {
        "schema": SCHEMA,
        "name": found.network.name,
        "inputs": {name: list(shape) for name, shape in found.network.inputs.items()},
        "weights": found.weights,
        "activations": found.activations,
        "board": None if board is None else of_board(board),
        "arena": known
        and {
            "bytes": known.bytes,
            "least": known.least,
            "step": known.step,
            "tensors": [
                _tensor(one, offset) for one, offset in zip(found.tensors, known.offsets, strict=True)
            ],
        },
        "reason": arena.reason if isinstance(arena, Unknown) else None,
        "operators": [
            {"name": one.name, "layers": [layer.name for layer in one.layers]} for one in found.operators
        ],
        "flash": {
            **{kind: found.flash(kind) for kind in _KINDS},
            "bytes": None if found.more else found.flash(),
            "reason": found.more or None,
        },
        "beside": list(BESIDE),
    }
    return dumps(data, indent=1)


def of_board(board: Board) -> dict[str, Any]:
    """The numbers of a board, as forms for programs have them."""
    return {
        "name": board.name,
        "title": board.title,
        "source": board.source,
        "sram": board.sram,
        "flash": board.flash,
        "macs_per_second": {kind: float(peak) for kind, peak in board.macs_per_second.items()},
        "bytes_per_second": None if board.bytes_per_second is None else float(board.bytes_per_second),
    }


def _tensor(one: Interval, offset: int) -> dict[str, Any]:
    return {"name": one.name, "bytes": one.bytes, "first": one.first, "last": one.last, "offset": offset}
