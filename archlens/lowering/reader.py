"""Constants that a file holds or computes, read where something is told by their numbers."""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate
from math import prod
from typing import Any

from .algebra import SAME, VIEWS
from .numbers import EACH, steps_of
from .tape import Node, Value, taken

#: The most operators behind one of them, one after the other.
_DEEP = 64

#: The most numbers that are read or computed of all constants of a file.
_NUMBERS = 1 << 24

#: The numbers of a tensor of a file, in row-major order; ``None`` where they are not known.
Of = Callable[[Value], "Sequence[float] | None"]

#: Places in a tensor, counted in row-major order.
Places = Sequence[int]


class Unread(LookupError):
    """Numbers that are there, and that nobody reads; its text says why."""


class Reader:
    """The numbers of tensors that no input flows into, at many places at once.

    Args:
        held: what gives the numbers of a tensor of the file.
    """

    def __init__(self, held: Of = lambda _: None) -> None:
        self.held = held
        self.left, self.deep = _NUMBERS, 0
        #: What was told by constants, by what asked and what these are.
        self.told: dict[Hashable, Any] = {}
        #: The constants that nothing was told by, though it might have been, and why.
        self.unread: dict[Hashable, tuple[Sequence[Value], str]] = {}
        self._names: dict[Value, Hashable] = {}
        self._called: dict[Hashable, int] = {}

    def once(self, what: str, values: Sequence[Value], tell: Callable[[], Any], *more: Hashable) -> Any:
        """What is told by constants, which is found once of all that hold or compute the same.

        Args:
            what: what asks.
            values: the constants.
            tell: what tells it.
            more: what else it depends on.
        """
        key = (what, *more, *map(self.name, values))
        if key not in self.told:
            try:
                self.told[key] = tell()
            except Unread as problem:
                self.told[key] = None
                self.unread[key[1:]] = values, str(problem)
            except (ArithmeticError, LookupError, TypeError, ValueError):
                self.told[key] = None
        return self.told[key]

    def name(self, value: Any) -> Hashable:
        """What is the same of constants that hold the same numbers, or compute them in the same way."""
        if isinstance(value, list | tuple):
            return (list, *map(self.name, value))
        if not isinstance(value, Value):
            return type(value), repr(value)
        if value not in self._names:
            said = self._said(value)
            self._names[value] = value if said is None else self._called.setdefault(said, len(self._called))
        return self._names[value]

    def _said(self, value: Value) -> Hashable | None:
        try:
            numbers = self.numbers(value)
        except Unread:
            return None
        if numbers is not None:
            return value.sizes, value.dtype, bytes(numbers) if isinstance(numbers, array) else tuple(numbers)
        if value.triangle is not None:
            return value.sizes, value.dtype, value.triangle, 0
        node = value.node
        if value.key or value.flows or node is None or value not in node.outputs or self.deep > _DEEP:
            return None
        self.deep += 1
        try:
            return node.target, node.outputs.index(value), *map(self.name, node.args.items())
        finally:
            self.deep -= 1

    def numbers(self, value: Value) -> Sequence[Any] | None:
        """All numbers of a tensor that holds them; ``None`` of others.

        Raises:
            Unread: it holds them, and they are not read.
        """
        found = value.numbers or (self.held(value) if value.key else None)
        return found if found is not None and len(found) == prod(value.sizes) else None

    def at(self, value: Any, places: Places) -> Sequence[Any]:
        """The numbers of a tensor at some places; a number is a tensor of that alone.

        Raises:
            LookupError: they are not known.
            Unread: too many were asked for.
        """
        self.afford(len(places))
        self.left -= len(places)
        if self.deep > _DEEP:
            raise Unread(f"more than {_DEEP} operators, one after the other, compute them")
        if not isinstance(value, Value):
            if isinstance(value, int | float):
                return [value] * len(places)
            raise LookupError
        numbers = self.numbers(value)
        if numbers is not None:
            return [numbers[place] for place in places]
        if value.triangle is not None and value.triangle[0] == value.triangle[1]:
            return [value.triangle[0]] * len(places)
        if value.key or value.flows or value.node is None:
            raise LookupError
        self.deep += 1
        try:
            return self._made(value, value.node, places)
        finally:
            self.deep -= 1

    def afford(self, count: int) -> None:
        """Hold that so many numbers more may be read.

        Raises:
            Unread: they are too many.
        """
        if count > self.left:
            raise Unread(f"more than {_NUMBERS:,} numbers of the file's constants would be read or computed")

    def _made(self, value: Value, node: Node, places: Places) -> Sequence[Any]:
        name, args, sizes = node.target.removeprefix("aten."), node.args, value.sizes
        if name in ("cos", "sin"):
            return [*map(getattr(math, name), self.at(args["self"], places))]
        if name in EACH:
            return [*map(EACH[name], *(self._spread(one, sizes, places) for one in args.values()))]
        if name in ("tril", "triu"):
            rows, columns = sizes[-2:]
            ahead = [place % columns - place // columns % rows - args.get("diagonal", 0) for place in places]
            of = zip(self.at(args["self"], places), ahead, strict=True)
            return [one if (n <= 0 if name == "tril" else n >= 0) else 0 for one, n in of]
        if name == "arange":
            start, step = args["start"], args["step"]
            return [start + place * step for place in places]
        if name == "cat":
            return self._joined(args["tensors"], args["dim"], sizes, places)
        if name == "gather_nd":
            return self._gathered(value, args["self"], args["indices"], places)
        part = taken(node, value)
        x = part.of if part is not None else args.get("self", args.get("input"))
        if not isinstance(x, Value):
            raise LookupError
        steps = steps_of(x.sizes)
        if part is not None:
            start = part.start * steps[part.dim]
            steps[part.dim : part.dim + 1] = [] if part.drops else [steps[part.dim] * part.step]
            return self.at(x, _moved(places, sizes, steps, start))
        if name == "permute":
            return self.at(x, _moved(places, sizes, [steps[i] for i in args["dims"]]))
        if name == "cumsum":
            return self._summed(x, args["dim"], places)
        if name == "expand":
            return self._spread(x, sizes, places)
        if name == "index_select":
            return self._selected(x, args["index"], args["dim"], places)
        if node.target == "torch.matmul" and x.sizes[-1:] == (1,):  # positions by frequencies
            other = args["other"]
            if min(len(x.sizes), len(other.sizes)) < 2:
                raise LookupError
            return [*map(operator.mul, *(self._spread(one, sizes, places) for one in (x, other)))]
        if node.target == "torch.linear" and x.sizes[-1:] == (1,) and args["bias"] is None:
            by = self.at(args["weight"], [place % sizes[-1] for place in places])
            return [*map(operator.mul, self._spread(x, sizes, places), by)]
        if prod(x.sizes) == prod(sizes) and node.target in (*SAME, *VIEWS):
            return self.at(x, places)
        raise LookupError

    def _spread(self, value: Any, sizes: Sequence[int], places: Places) -> Sequence[Any]:
        """The numbers of a tensor that is broadcast to these sizes."""
        if not isinstance(value, Value) or value.sizes == tuple(sizes):
            return self.at(value, places)
        steps = [0 if n == 1 else step for n, step in zip(value.sizes, steps_of(value.sizes), strict=True)]
        return self.at(value, _moved(places, sizes, [0] * (len(sizes) - len(steps)) + steps))

    def _joined(
        self, tensors: Sequence[Value], dim: int, sizes: Sequence[int], places: Places
    ) -> Sequence[Any]:
        found: list[Any] = [None] * len(places)
        size, inner, first = sizes[dim], prod(sizes[dim + 1 :]), 0
        along = [place // inner % size for place in places]
        for one in tensors:
            n = one.sizes[dim]
            own = [i for i, at in enumerate(along) if first <= at < first + n]
            outer = [places[i] // (inner * size) for i in own]
            within = [(along[i] - first) * inner + places[i] % inner for i in own]
            read = self.at(one, [a * n * inner + b for a, b in zip(outer, within, strict=True)])
            for i, number in zip(own, read, strict=True):
                found[i] = number
            first += n
        return found

    def _selected(self, x: Value, index: Value, dim: int, places: Places) -> Sequence[Any]:
        """The numbers at some indices of an axis."""
        size, inner, count = x.sizes[dim], prod(x.sizes[dim + 1 :]), prod(index.sizes)
        which = self.at(index, [place // inner % count for place in places])
        return self.at(
            x,
            [
                (place // (inner * count) * size + at % size) * inner + place % inner
                for place, at in zip(places, which, strict=True)
            ],
        )

    def _gathered(self, value: Value, x: Value, indices: Value, places: Places) -> Sequence[Any]:
        """The numbers of a tensor at rows of indices."""
        rank, deep, steps = len(indices.sizes) - 1, indices.sizes[-1], steps_of(x.sizes)
        rest = prod(value.sizes[rank:])
        found = [place % rest for place in places]
        for i, (size, step) in enumerate(zip(x.sizes[:deep], steps, strict=False)):
            which = self.at(indices, [place // rest * deep + i for place in places])
            found = [at + one % size * step for at, one in zip(found, which, strict=True)]
        return self.at(x, found)

    def _summed(self, x: Value, dim: int, places: Places) -> Sequence[Any]:
        """Sums of the numbers up to each along an axis."""
        size, inner = x.sizes[dim], prod(x.sizes[dim + 1 :])
        at = [place // inner % size for place in places]
        starts = [place - i * inner for place, i in zip(places, at, strict=True)]
        rows = dict.fromkeys(starts)
        self.afford(len(rows) * size)
        sums = {start: [*accumulate(self.at(x, range(start, start + size * inner, inner)))] for start in rows}
        return [sums[start][i] for start, i in zip(starts, at, strict=True)]


def _moved(places: Places, sizes: Sequence[int], steps: Sequence[int], start: int = 0) -> Places:
    """Places in the tensor that one of some sizes is made of, a step further for each along its axes."""
    parts: list[tuple[int, int, int]] = []  # how far its neighbours lie, how many, and how far the others'
    inner = 1
    for n, step in zip(reversed(sizes), reversed(steps), strict=True):
        if n != 1:
            last = parts[-1] if parts else (0, 0, 0)
            if parts and step == last[1] * last[2]:
                parts[-1] = (last[0], last[1] * n, last[2])
            else:
                parts.append((inner, n, step))
        inner *= n
    if parts == [(1, inner, 1)]:
        return [start + place for place in places] if start else places
    moved = [[place // own % n * step for place in places] for own, n, step in parts if step]
    return [start + sum(one) for one in zip(*moved, strict=True)] if moved else [start] * len(places)
