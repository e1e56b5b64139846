"""What repeats in a network: neighbours of which one can be shown for all.

Neighbours repeat where they have the same ops, wiring, names within and shapes, each reads the one before it,
and nothing else reads what they make. They may differ in the numbers that do nothing to shape, weights and
multiply-accumulates, such as drop rates (:attr:`archlens.ops.Op.incidental`); and scopes may grow, or shrink,
from each to the next as in DenseNet. Both are said of the fold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ..network import Layer, Network
from ..ops import Op
from ..shape import Shape

#: How long a sequence of steps that repeats may be, and how often single layers must repeat to be one fold.
PERIOD, OFTEN = 4, 4
#: How often scopes must repeat that grow: two points are a line, whatever they are.
_GROWING = 3
#: How many values without an order are told one by one.
_FEW = 4


class Tree:
    """A scope with what is in it, in order."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.children: list[Child] = []
        self._extents: list[_Extent] | None = None

    @cached_property
    def layers(self) -> list[Layer]:
        """Its layers, those of the scopes in it too."""
        return _layers_of(self.children)

    @cached_property
    def look(self) -> list[_Look]:
        """What each of its layers is, wherever the scope stands."""
        return [_look(layer, layer.name[len(self.path) :]) for layer in self.layers]

    @cached_property
    def sizes(self) -> list[_Sizes]:
        """How large each of its layers is."""
        return [_sizes(layer) for layer in self.layers]


Child = Tree | Layer


def layers_of(child: Child) -> list[Layer]:
    """The layers of a child, in order."""
    return [child] if isinstance(child, Layer) else child.layers


def _layers_of(children: Iterable[Child]) -> list[Layer]:
    return [layer for child in children for layer in layers_of(child)]


def name_of(child: Child) -> str:
    """The whole name of a child."""
    return child.name if isinstance(child, Layer) else child.path


@dataclass(frozen=True)
class Fold:
    """Neighbours that are shown once: one child, or several that follow one another."""

    #: For each child that is shown, all those that it stands for, itself first. They are more than
    #: ``count`` where the scope around it stands for several, too.
    columns: tuple[tuple[Child, ...], ...]
    #: The layers of each repeat, of the first of the scopes around it.
    copies: tuple[tuple[Layer, ...], ...]

    @property
    def count(self) -> int:
        """How many follow one another."""
        return len(self.copies)

    @property
    def children(self) -> list[Child]:
        """What is shown."""
        return [column[0] for column in self.columns]

    @property
    def ends(self) -> tuple[tuple[Child, Child], ...]:
        """The first and the last repeat of each child that is shown."""
        return tuple([(column[0], column[self.count - 1]) for column in self.columns])

    @property
    def span(self) -> str:
        """Its name: ``layer3.1..22``."""
        return span(name_of(self.columns[0][0]), name_of(self.ends[-1][1])) if self.count > 1 else ""

    @property
    def changes(self) -> list[str]:
        """In what the repeats differ, in words: ``drop 0.035 to 0.082``, ``input 64 to 224 channels``."""
        if self.count == 1:
            return []
        members = [
            tuple([layer for child in copy for layer in layers_of(child)])
            for copy in zip(*self.columns, strict=True)
        ]
        said = [f"{word} {text}" for word, text in changes_of(members).items()]
        first, last = (copy[0].input_shapes[0] for copy in (members[0], members[self.count - 1]))
        return said if first == last else [*said, f"input {_between(first, last)}"]


def span(first: str, last: str) -> str:
    """The names from one to another that stand in one scope: ``layer3.1..22``."""
    return f"{first}..{last.rpartition('.')[2]}"


def _between(first: Shape, last: Shape) -> str:
    """How a shape changes over a fold: only its channels, or all of it."""
    if first.spatial == last.spatial:
        return f"{first.channels} to {last.channels} channels"
    return f"{first} to {last}"


# --- the numbers in which repeats differ -----------------------------------------------------------


def changes_of(members: Sequence[Sequence[Layer]]) -> dict[str, str]:
    """The numbers in which repeats differ, by the word for them.

    Args:
        members: the layers of each repeat, in order.
    """
    varying: dict[str, list[tuple[object, ...]]] = {}
    for layers in zip(*members, strict=True):
        for name, values in _varying([layer.op for layer in layers]).items():
            told = varying.setdefault(layers[0].op.incidental[name], [])
            if values not in told:
                told.append(values)
    # where layers of one repeat differ in it themselves, all the values in their order
    return {
        word: in_words([value for repeat in zip(*told, strict=True) for value in repeat])
        for word, told in varying.items()
    }


def differing(ops: Sequence[Op]) -> dict[str, str]:
    """The attributes in which repeats of one op differ, with their values in words."""
    return {name: in_words(values) for name, values in _varying(ops).items()}


def written(ops: Sequence[Op]) -> str:
    """Repeats of one op as a spec writes it, with the numbers in which they differ."""
    said = differing(ops)
    return ops[0].written(said) if said else str(ops[0])


def _varying(ops: Sequence[Op]) -> dict[str, tuple[object, ...]]:
    found = {name: tuple([getattr(op, name) for op in ops]) for name in ops[0].incidental}
    return {name: values for name, values in found.items() if any(one != values[0] for one in values)}


def in_words(values: Sequence[object]) -> str:
    """Some values in their order.

    >>> in_words([0.0, 0.1, 0.2]), in_words([0, 3, 0, 3]), in_words([0, 3]), in_words([1, 3, 2])
    ('0 to 0.2', '0 and 3 in turn', '0 and 3', '1, 3 and 2')
    """
    distinct = list(dict.fromkeys(values))
    words = _told(distinct)
    if len(values) > 2 and len(distinct) > 1 and _in_order(values):
        return f"{words[values[0]]} to {words[values[-1]]}"
    period = len(distinct)
    if period <= _FEW:
        listed = f"{', '.join(words[one] for one in distinct[:-1])} and {words[distinct[-1]]}"
        in_turn = all(value == distinct[k % period] for k, value in enumerate(values))
        if len(values) == period:
            return listed
        if in_turn and len(values) >= 2 * period - 1:
            return f"{listed} in turn"
    numbers = [value for value in distinct if isinstance(value, int | float)]
    if len(numbers) < len(distinct):
        return f"{len(distinct)} different ones"
    return f"between {words[min(numbers)]} and {words[max(numbers)]}"


def _in_order(values: Sequence[object]) -> bool:
    """Whether numbers only grow, or only shrink."""
    numbers = [value for value in values if isinstance(value, int | float)]
    return len(numbers) == len(values) and numbers in (sorted(numbers), sorted(numbers, reverse=True))


def _told(distinct: Sequence[object]) -> Mapping[object, str]:
    """Each value with as few digits as tell it from the others, and at least two."""
    for digits in range(2, 18):
        found = {one: f"{one:.{digits}g}" if isinstance(one, float) else _plain(one) for one in distinct}
        if len(set(found.values())) == len(found):
            break
    return found


def _plain(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


# --- finding it ------------------------------------------------------------------------------------


class Stretch(NamedTuple):
    """Neighbours that repeat: ``copies`` times ``period`` of them, by their positions."""

    start: int
    period: int = 1
    copies: int = 1

    @property
    def stop(self) -> int:
        """The position behind the last of them."""
        return self.start + self.period * self.copies


def stretches(length: int, copies: Callable[[int, int], int], longest: int = 1) -> Iterator[Stretch]:
    """All positions in order, those that repeat together: from each on the period that reaches furthest.

    Tables, diagrams, source and differences go by it; each says itself which neighbours are alike.

    Args:
        length: how many neighbours there are.
        copies: from a position on, how many times so many of them follow one another; 1 where they do not,
            or so few times that they had better be shown one by one.
        longest: how many neighbours may make up what repeats.
    """
    start = 0
    while start < length:
        best = Stretch(start)
        for period in range(1, longest + 1):
            found = Stretch(start, period, copies(start, period))
            if found.copies > 1 and found.stop > best.stop:
                best = found
            if best.stop == length:
                break
        yield best
        start = best.stop


class Repeats:
    """The scopes of a network as a tree, and what repeats in each.

    Args:
        network: the network.
        read: names of layers that something else reads, too, and that cannot be taken away from it.
    """

    def __init__(self, network: Network, read: Iterable[str] = ()) -> None:
        self.root = Tree("")
        #: How many parts the longest name has.
        self.deepest = 1
        #: Which layers read each layer or input; "" stands for what is none.
        self.consumers: dict[str, list[str]] = {}
        trees = {"": self.root}
        for layer in network.layers:
            self.deepest = max(self.deepest, layer.name.count(".") + 1)
            _tree(layer.scope, trees).children.append(layer)
            for source in layer.inputs:
                self.consumers.setdefault(source, []).append(layer.name)
        for source in (*network.outputs.values(), *read):
            self.consumers.setdefault(source, []).append("")

    def folds(self, trees: Sequence[Tree]) -> list[Fold]:
        """The children of a scope, those that repeat together.

        Args:
            trees: the scope; and after it those that it stands for, where it is shown for several.
        """
        found = trees[0]._extents
        if found is None:
            found = trees[0]._extents = list(self._extents(trees[0].children))
        return [
            Fold(
                tuple(
                    [
                        tuple([tree.children[i] for tree in trees for i in range(k, fold.stop, fold.period)])
                        for k in range(fold.start, fold.start + fold.period)
                    ]
                ),
                fold.copies,
            )
            for fold in found
        ]

    def _extents(self, children: list[Child]) -> Iterator[_Extent]:
        pieces: dict[tuple[int, int], _Piece] = {}

        def piece(start: int, period: int) -> _Piece:
            found = pieces.get((start, period))
            if found is None:
                found = pieces[start, period] = _Piece(children[start : start + period])
            return found

        def copies(start: int, period: int) -> int:
            leaves = any(isinstance(child, Layer) for child in children[start : start + period])
            count = self._count(children, piece, start, period, growing=False)
            if count >= (OFTEN if leaves else 2):
                return count
            count = 1 if leaves or period > 1 else self._count(children, piece, start, 1, growing=True)
            return count if count >= _GROWING else 1

        for start, period, count in stretches(len(children), copies, PERIOD):
            stop = start + period * count
            starts = range(start, stop, period)
            yield _Extent(
                start, stop, period, tuple([tuple(_layers_of(children[k : k + period])) for k in starts])
            )
            pieces.clear()

    def _count(
        self,
        children: list[Child],
        piece: Callable[[int, int], _Piece],
        start: int,
        period: int,
        *,
        growing: bool,
    ) -> int:
        """How many equal pieces follow one another, each reading the one before it and read by no other."""
        count = 1
        feeds: list[int] | None = None
        way: tuple[int, ...] | None = None
        while start + (count + 1) * period <= len(children):
            here = start + count * period
            pairs = zip(children[start : start + period], children[here : here + period], strict=True)
            if not all(_alike(a, b, growing=growing) for a, b in pairs):
                break
            first, before, this = piece(start, period), piece(here - period, period), piece(here, period)
            if this.feeds != first.feeds:
                break
            if growing:
                step = _directions(before, this)
                if not any(step) or way not in (None, step):
                    break
                way = step
            read = [before.index.get(name, -1) for name in this.outside]
            if -1 in read or (feeds is not None and read != feeds) or not self._closed(before, this):
                break
            feeds = read
            count += 1
        return count

    def _closed(self, piece: _Piece, following: _Piece) -> bool:
        """Whether nothing but the next piece reads what a piece makes."""
        return all(
            name in piece.index or name in following.index
            for layer in piece.layers
            for name in self.consumers.get(layer.name, ())
        )


def _tree(path: str, trees: dict[str, Tree]) -> Tree:
    found = trees.get(path)
    if found is None:
        found = trees[path] = Tree(path)
        _tree(path.rpartition(".")[0], trees).children.append(found)
    return found


@dataclass(frozen=True)
class _Extent:
    """Where a fold stands among the children of its scope."""

    start: int
    stop: int
    period: int
    copies: tuple[tuple[Layer, ...], ...]


class _Piece:
    """Some neighbouring children as one: how they are wired, and what they read from outside."""

    __slots__ = ("feeds", "index", "layers", "outside")

    def __init__(self, children: list[Child]) -> None:
        self.layers = _layers_of(children)
        self.index = {layer.name: i for i, layer in enumerate(self.layers)}
        #: What it reads from outside, in order of first use.
        self.outside: dict[str, int] = {}
        #: For each layer what it reads: layers of the piece by their numbers, others as -1, -2 and so on.
        self.feeds = [[self._number(name) for name in layer.inputs] for layer in self.layers]

    def _number(self, name: str) -> int:
        inner = self.index.get(name)
        return inner if inner is not None else -1 - self.outside.setdefault(name, len(self.outside))


def _directions(before: _Piece, this: _Piece) -> tuple[int, ...]:
    """Whether each size of each tensor grows (1), shrinks (-1) or stays (0) from one piece to the next."""
    return tuple(
        [
            (b > a) - (b < a)
            for one, other in zip(before.layers, this.layers, strict=True)
            for old, new in zip(
                (*one.input_shapes, one.shape), (*other.input_shapes, other.shape), strict=True
            )
            for a, b in zip(old, new, strict=True)
        ]
    )


#: What a layer is, wherever it stands; and how large it is.
_Look = tuple[str, object, bool, list[tuple[int, bool]]]
_Sizes = tuple[tuple[Shape, ...], Shape, int, int]


def _look(layer: Layer, name: str) -> _Look:
    kinds = [(len(shape), shape.channels_last) for shape in (*layer.input_shapes, layer.shape)]
    return name, layer.op.essence, layer.training, kinds


def _sizes(layer: Layer) -> _Sizes:
    return layer.input_shapes, layer.shape, layer.params, layer.macs


def _alike(a: Child, b: Child, *, growing: bool) -> bool:
    """Whether two children are the same but for their wiring; and where they grow, but for their sizes."""
    if isinstance(a, Tree) and isinstance(b, Tree):
        if len(a.children) != len(b.children) or a.look != b.look:
            return False
        return growing or a.sizes == b.sizes
    if isinstance(a, Tree) or isinstance(b, Tree):
        return False
    # a look at the ops first: it is what tells most neighbours apart
    return a.op.essence == b.op.essence and _look(a, "") == _look(b, "") and _sizes(a) == _sizes(b)
