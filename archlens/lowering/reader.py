"""Constants that a file holds or computes, read number by number where something is told by them."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from itertools import accumulate
from math import prod
from typing import Any

from .algebra import SAME, VIEWS
from .numbers import EACH, steps_of
from .tape import Node, Value, taken

#: The most operators behind one of them.
_OPERATORS = 64

#: The numbers of a tensor of a file, in row-major order; ``None`` where they are not known.
Of = Callable[[Value], "Sequence[float] | None"]

#: What gives the number at an index.
At = Callable[[Sequence[int]], Any]


class Reader:
    """The numbers of a tensor that no input flows into, one by one, as what made it computes them.

    Args:
        held: what gives the numbers of a tensor of the file.
    """

    def __init__(self, held: Of) -> None:
        self.held = held
        self.made: dict[Value, At] = {}
        self.left = _OPERATORS

    def of(self, value: Any) -> At:
        """What gives the number at an index.

        Raises:
            LookupError: the numbers are not known.
        """
        if not isinstance(value, Value):
            if isinstance(value, int | float):
                return lambda _: value
            raise LookupError
        if value not in self.made:
            self.made[value] = self._of(value)
        return self.made[value]

    def _of(self, value: Value) -> At:
        numbers = value.numbers or (self.held(value) if value.key else None)
        if numbers is not None and len(numbers) == prod(value.sizes):
            steps = steps_of(value.sizes)
            return lambda at: numbers[sum(map(operator.mul, at, steps))]
        if value.triangle is not None and value.triangle[0] == value.triangle[1]:
            number = value.triangle[0]
            return lambda _: number
        self.left -= 1
        if value.key or value.flows or value.node is None or self.left < 0:
            raise LookupError
        return self._made(value, value.node)

    def _made(self, value: Value, node: Node) -> At:
        name, args = node.target.removeprefix("aten."), node.args
        if name in ("cos", "sin"):
            of, function = self.of(args["self"]), getattr(math, name)
            return lambda at: function(of(at))
        if name in EACH:
            read = [self._spread(one, value.sizes) for one in args.values()]
            return lambda at: EACH[name](*(one(at) for one in read))
        if name == "arange":
            start, step = args["start"], args["step"]
            return lambda at: start + at[0] * step
        if name == "cat":
            return self._joined(args["tensors"], args["dim"])
        if name == "gather_nd":
            return self._gathered(value, args["self"], args["indices"])
        part = taken(node, value)
        x = part.of if part is not None else args.get("self", args.get("input"))
        if not isinstance(x, Value):
            raise LookupError
        of = self.of(x)
        if part is not None:
            dim, start, step, rest = part.dim, part.start, part.step, part.dim + (not part.drops)
            own = (lambda at: start) if part.drops else (lambda at: start + at[dim] * step)
            return lambda at: of([*at[:dim], own(at), *at[rest:]])
        if name == "permute":
            order = [args["dims"].index(i) for i in range(len(x.sizes))]
            return lambda at: of([at[i] for i in order])
        if name == "cumsum":
            return self._summed(x, args["dim"])
        if name == "expand":
            return self._spread(x, value.sizes)
        if name == "index_select":
            dim, which, rank = args["dim"], self.of(args["index"]), len(args["index"].sizes)
            size = x.sizes[dim]
            return lambda at: of([*at[:dim], which(at[dim : dim + rank]) % size, *at[dim + rank :]])
        if node.target == "torch.matmul" and x.sizes[-1:] == (1,):  # positions by frequencies
            a, b = (
                self._spread(args[own], (*value.sizes[:-2], *args[own].sizes[-2:]))
                for own in ("input", "other")
            )
            return lambda at: a([*at[:-1], 0]) * b([*at[:-2], 0, at[-1]])
        if node.target == "torch.linear" and x.sizes[-1:] == (1,) and args["bias"] is None:
            weight = self.of(args["weight"])
            return lambda at: of([*at[:-1], 0]) * weight([at[-1], 0])
        if prod(x.sizes) == prod(value.sizes) and node.target in (*SAME, *VIEWS):
            steps, sizes = steps_of(value.sizes), list(zip(steps_of(x.sizes), x.sizes, strict=True))

            def viewed(at: Sequence[int]) -> Any:
                place = sum(map(operator.mul, at, steps))
                return of([place // step % n for step, n in sizes])

            return of if x.sizes == value.sizes else viewed
        raise LookupError

    def _spread(self, value: Any, sizes: Sequence[int]) -> At:
        """What gives the number of a tensor that is broadcast to these sizes."""
        of = self.of(value)
        if not isinstance(value, Value) or value.sizes == tuple(sizes):
            return of
        skipped, own = len(sizes) - len(value.sizes), value.sizes
        return lambda at: of([0 if n == 1 else i for i, n in zip(at[skipped:], own, strict=True)])

    def _joined(self, tensors: Sequence[Value], dim: int) -> At:
        parts = [(one.sizes[dim], self.of(one)) for one in tensors]

        def at_part(at: Sequence[int]) -> Any:
            place = at[dim]
            for size, of in parts:
                if place < size:
                    return of([*at[:dim], place, *at[dim + 1 :]])
                place -= size
            raise LookupError

        return at_part

    def _gathered(self, value: Value, x: Value, indices: Value) -> At:
        """The numbers of a tensor at rows of indices."""
        of, which, rank, deep = self.of(x), self.of(indices), len(indices.sizes) - 1, indices.sizes[-1]

        def at_row(at: Sequence[int]) -> Any:
            own = [which([*at[:rank], i]) % x.sizes[i] for i in range(deep)]
            return of([*own, *at[rank:]])

        return at_row

    def _summed(self, x: Value, dim: int) -> At:
        """Sums of the numbers up to each along an axis."""
        of, rows = self.of(x), {}

        def at_place(at: Sequence[int]) -> Any:
            row = (*at[:dim], *at[dim + 1 :])
            if row not in rows:
                rows[row] = [*accumulate(of([*at[:dim], i, *at[dim + 1 :]]) for i in range(x.sizes[dim]))]
            return rows[row][at[dim]]

        return at_place
