"""What the table forms share: the rows of a network, one per layer, or per folded scope or repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..network import Layer, Network

#: More rows than this are folded where nobody asked for a table in so many words; and the most of those.
MANY, _MOST = 80, 400


class Row(NamedTuple):
    """A line of a table: one layer, or several that are shown as one."""

    name: str
    #: The op with its attributes, or the block that a scope was made by.
    what: str
    #: What the row stands for; the first of them where identical ones are folded.
    layers: tuple[Layer, ...]
    #: How many identical ones the row stands for.
    repeats: int
    #: Whether it is a single layer, and not a scope.
    single: bool

    @property
    def params(self) -> int:
        """Parameters of everything that the row stands for."""
        return self.repeats * sum(layer.facts.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of everything that the row stands for."""
        return self.repeats * sum(layer.facts.macs for layer in self.layers)

    @property
    def training(self) -> bool:
        """Whether it runs in training only."""
        return self.layers[0].training


def rows_of(network: Network, depth: int | None = None, fold: bool = False) -> list[Row]:
    """The rows of a network; the params and the MACs of all rows add up to those of the network.

    Args:
        network: what is shown.
        depth: fold every scope that lies deeper into one row with its subtotals.
        fold: show neighbouring scopes that are identical once, with how often they stand there.
    """
    rows = _singles(network.layers) if depth is None else _scopes(network, depth)
    return _repeats(rows) if fold else rows


def readable(network: Network) -> list[Row]:
    """The rows of a network as it shows itself: folded where there would be many.

    Where no scopes can be folded, the last row stands for everything that is not shown.
    """
    rows = rows_of(network)
    if len(rows) > MANY:
        rows = rows_of(network, fold=True)
    for depth in (3, 2, 1):
        if len(rows) > MANY:
            rows = rows_of(network, depth, fold=True)
    return rows if len(rows) <= _MOST else [*rows[: _MOST - 1], _rest(rows[_MOST - 1 :])]


def _rest(rows: Sequence[Row]) -> Row:
    layers = tuple(layer for row in rows for layer in row.layers * row.repeats)
    return Row(f"... {len(rows):,} more", f"{len(layers):,} layers", layers, 1, False)


def _singles(layers: Sequence[Layer]) -> list[Row]:
    return [Row(layer.name, str(layer.op), (layer,), 1, True) for layer in layers]


def _scopes(network: Network, depth: int) -> list[Row]:
    rows: list[Row] = []
    inside: list[Layer] = []
    scope = ""

    def close() -> None:
        if inside:
            what = network.blocks.get(scope) or f"{len(inside)} layers"
            rows.append(Row(scope, what, tuple(inside), 1, False))
            inside.clear()

    for layer in network.layers:
        parts = layer.name.split(".")
        place = ".".join(parts[:depth]) if len(parts) > depth else ""
        if place != scope:
            close()
            scope = place
        if place:
            inside.append(layer)
        else:
            rows.append(Row(layer.name, str(layer.op), (layer,), 1, True))
    close()
    return rows


def _repeats(rows: list[Row]) -> list[Row]:
    """Fold runs of identical neighbouring scopes, the outermost first."""
    return _fold(rows, 0)


def _fold(rows: Sequence[Row], level: int) -> list[Row]:
    """Fold runs among the scopes at one level of the names, then inside those that remain."""
    groups = list(_groups(rows, level))
    folded: list[Row] = []
    position = 0
    while position < len(groups):
        scope, members = groups[position]
        count = 1
        if scope is not None:
            shape = _structure(members, scope)
            while position + count < len(groups):
                other, candidates = groups[position + count]
                if other is None or len(candidates) != len(members) or _structure(candidates, other) != shape:
                    break
                count += 1
            last, ends = groups[position + count - 1]
            if count > 1:
                assert last is not None
                members = [
                    _renamed(row, end, scope, last, count) for row, end in zip(members, ends, strict=True)
                ]
            elif len(members) > 1 or not members[0].single:
                members = (
                    _fold(members, level + 1) if any(_deeper(row, level) for row in members) else members
                )
        folded += members
        position += count
    return folded


def _deeper(row: Row, level: int) -> bool:
    return row.name.count(".") > level


def _groups(rows: Sequence[Row], level: int) -> Iterator[tuple[str | None, list[Row]]]:
    """Neighbouring rows of one scope at a level; a layer that stands there itself has no scope."""
    scope: str | None = None
    members: list[Row] = []
    for row in rows:
        parts = row.name.split(".")
        alone = len(parts) == level + 1 and row.single
        place = None if alone else ".".join(parts[: level + 1])
        if members and (place is None or place != scope):
            yield scope, members
            members = []
        scope = place
        members.append(row)
    if members:
        yield scope, members


def _structure(members: Sequence[Row], scope: str) -> tuple[object, ...]:
    """What makes two scopes identical: ops, wiring and shapes, with names relative to the scope.

    The rate of a dropout may differ: it is no part of what the scope does at inference.
    """
    cut = len(scope)

    def relative(name: str) -> str:
        return name[cut:] if name == scope or name.startswith(f"{scope}.") else "^"

    return tuple(
        (
            relative(layer.name),
            layer.op.kind if layer.op.idle else layer.op,
            layer.input_shapes,
            tuple(map(relative, layer.inputs)),
            layer.shape,
        )
        for row in members
        for layer in row.layers
    )


def _renamed(row: Row, end: Row, first: str, last: str, count: int) -> Row:
    """A row of a folded run: ``layer3.1..22.conv1``; with the op of its last where that differs."""
    span = f"{first}..{last.rpartition('.')[2]}"
    what = row.what if row.what == end.what else f"{row.what} to {end.what}"
    return row._replace(name=span + row.name[len(first) :], what=what, repeats=row.repeats * count)
