"""What the table forms share: the rows of a network, one per layer, or per folded scope or repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..network import Layer, Network

if TYPE_CHECKING:
    from ..analysis.repeats import Repeats, Tree

#: More rows than this are folded where nobody asked for a table in so many words; and the most of those.
MANY, _MOST = 80, 400


class Row(NamedTuple):
    """A line of a table: one layer or scope, or several that repeat."""

    name: str
    #: The op with its attributes, or the block that a scope was made by.
    what: str
    #: The layers of each that the row stands for, in order.
    copies: tuple[tuple[Layer, ...], ...]
    #: Whether it is a single layer, and not a scope.
    single: bool

    @property
    def layers(self) -> tuple[Layer, ...]:
        """What the row stands for; of several that repeat, the layers of the first."""
        return self.copies[0]

    @property
    def repeats(self) -> int:
        """How many the row stands for."""
        return len(self.copies)

    @property
    def params(self) -> int:
        """Parameters of everything that the row stands for."""
        return self.total(lambda layer: layer.facts.params)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of everything that the row stands for."""
        return self.total(lambda layer: layer.facts.macs)

    @property
    def training(self) -> bool:
        """Whether it runs in training only."""
        return self.layers[0].training

    def total(self, of: Callable[[Layer], int]) -> int:
        """A count, added up over everything that the row stands for."""
        return sum(of(layer) for layers in self.copies for layer in layers)

    def ends(self, of: Callable[[tuple[Layer, ...]], str]) -> str:
        """What is said of some layers: of the first, and where repeats grow, of the last as well."""
        first, last = of(self.copies[0]), of(self.copies[-1])
        return first if first == last else f"{first} to {last}"


def rows_of(
    network: Network, depth: int | None = None, fold: bool = False, repeats: Repeats | None = None
) -> list[Row]:
    """The rows of a network; the params and the MACs of all rows add up to those of the network.

    Args:
        network: what is shown.
        depth: fold every scope that lies deeper into one row with its subtotals.
        fold: show neighbours that repeat once, with how often they stand there.
        repeats: what repeats in it, where that has been found already.
    """
    if fold:
        from ..analysis.repeats import Repeats

        repeats = repeats or Repeats(network)
        return list(_folded(network, repeats, [repeats.root], "", depth))
    return _singles(network.layers) if depth is None else _scopes(network, depth)


def readable(network: Network) -> list[Row]:
    """The rows of a network as it is displayed: folded where there would be many.

    Where no scopes can be folded, the last row stands for everything that is not shown.
    """
    if len(network) <= MANY:
        return rows_of(network)
    from ..analysis.repeats import Repeats

    repeats = Repeats(network)
    rows = rows_of(network, fold=True, repeats=repeats)
    for depth in range(min(3, repeats.deepest - 1), 0, -1):
        if len(rows) > MANY:
            rows = rows_of(network, depth, fold=True, repeats=repeats)
    return rows if len(rows) <= _MOST else [*rows[: _MOST - 1], _rest(rows[_MOST - 1 :])]


def _rest(rows: Sequence[Row]) -> Row:
    layers = tuple(layer for row in rows for layers in row.copies for layer in layers)
    return Row(f"... {len(rows):,} more", f"{len(layers):,} layers", (layers,), False)


def _singles(layers: Sequence[Layer]) -> list[Row]:
    return [Row(_called(layer), str(layer.op), ((layer,),), True) for layer in layers]


def _called(layer: Layer) -> str:
    """The name of a layer; of all experts that have it."""
    return layer.name if layer.copies is None else layer.copies.called(layer.name)


def _scopes(network: Network, depth: int) -> list[Row]:
    from ..analysis import uses

    rows: list[Row] = []
    inside: list[Layer] = []
    scope = again = ""
    # layers of further uses without a name, which stand in the scope of the first one
    further = {
        layer.name: (use.of, use.pairs[0][1].name)
        for use in uses.find(network).values()
        if not use.name
        for _, layer in use.pairs
    }

    def close() -> None:
        if inside:
            what = f"again({scope})" if again else network.made_by(scope) or f"{len(inside)} layers"
            rows.append(Row(scope, what, (tuple(inside),), False))
            inside.clear()

    for layer in network.layers:
        parts = layer.name.split(".")
        place = ".".join(parts[:depth]) if len(parts) > depth else ""
        of, start = further.get(layer.name, ("", ""))
        start = start if of and f"{place}.".startswith(f"{of}.") else ""  # else a part of what stands there
        if (place, start) != (scope, again):
            close()
            scope, again = place, start
        if place:
            inside.append(layer)
        else:
            rows += _singles([layer])
    close()
    return rows


def _folded(
    network: Network, repeats: Repeats, trees: Sequence[Tree], prefix: str, depth: int | None
) -> Iterator[Row]:
    """The rows of a scope, and of those that it stands for; what repeats in it stands there once.

    Args:
        network: what is shown.
        repeats: what repeats in it.
        trees: the scope, and those that repeat it.
        prefix: what it is called, with a dot behind: ``layer3.1..22.``.
        depth: how many levels of scopes are opened from here on.
    """
    from ..analysis.repeats import Tree, changes_of, name_of, span, written

    for fold in repeats.folds(trees):
        for column, (first, last) in zip(fold.columns, fold.ends, strict=True):
            name = name_of(first) if fold.count == 1 else span(name_of(first), name_of(last))
            name = prefix + name[len(trees[0].path) + 1 if trees[0].path else 0 :]
            if isinstance(first, Layer):
                layers = [layer for layer in column if isinstance(layer, Layer)]
                yield Row(
                    name, written([layer.op for layer in layers]), tuple([(layer,) for layer in layers]), True
                )
                continue
            inner = [tree for tree in column if isinstance(tree, Tree)]
            if depth is None or depth > 1:
                further = None if depth is None else depth - 1
                yield from _folded(network, repeats, inner, f"{name}.", further)
                continue
            copies = tuple([tuple(tree.layers) for tree in inner])
            what = network.made_by(first.path) or f"{len(copies[0])} layers"
            said = [f"{word} {text}" for word, text in changes_of(copies).items()]
            yield Row(name, ", ".join([what, *said]), copies, False)
