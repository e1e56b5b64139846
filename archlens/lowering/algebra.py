"""What values on a tape are in terms of others: sums of products, in whatever order they were computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose, prod
from typing import Any

from .tape import Node, Value

#: A product: what is multiplied, each to a power; and a sum of such products, each so many times.
Product = frozenset[tuple[Value, float]]
Sum = dict[Product, float]

#: The product of nothing.
ONE: Product = frozenset()

#: How near a number is that was meant: that of 16 bits that is next to it is.
_NEAR = 2**-11

#: How many operators are looked at for one value, and how many products.
OPERATORS, _PRODUCTS = 24, 8

#: What gives the values that it is given, and what gives them in another shape.
SAME = frozenset(
    f"aten.{name}" for name in ("alias", "detach", "clone", "contiguous", "_to_copy", "lift_fresh")
)
VIEWS = frozenset(
    f"aten.{name}" for name in ("view", "_unsafe_view", "reshape", "_reshape_alias", "squeeze", "unsqueeze")
)


class Other(Exception):
    """It is computed in another way."""


@dataclass
class Algebra:
    """What values are, in terms of others.

    Args:
        terms: the values that it goes back to, each by what it stands for.
    """

    terms: Mapping[Value, Value]
    left: int = OPERATORS

    def of(self, given: Any) -> Sum:
        """A value as a sum of products.

        Raises:
            Other: it is none, or a longer one than is looked at.
        """
        if isinstance(given, int | float):
            return {ONE: given} if given else {}
        if not isinstance(given, Value):
            raise Other
        term = self.terms.get(given)
        if term is None and not given.flows:
            number = number_of(given)
            if number is not None:
                return self.of(number)
            term = given
        if term is not None:
            return {product((term, 1)): 1}
        self.left -= 1
        if given.node is None or self.left < 0:
            raise Other
        return self.made(given.node, given)

    def made(self, node: Node, given: Value) -> Sum:
        """What an operator makes."""
        args = node.args
        target = node.target.removeprefix("aten.")
        if node.target in SAME:
            return self.of(node.inputs[0])
        if target in ("add", "sub", "rsub"):
            own, other = self.of(args["self"]), self.of(args.get("other"))
            own, other = (other, own) if target == "rsub" else (own, other)
            times = args.get("alpha", 1) * (1 if target == "add" else -1)
            return _added(own, _times(other, {ONE: times}))
        if target == "addcmul":
            made = _times(self.of(args["tensor1"]), self.of(args["tensor2"]))
            return _added(self.of(args["self"]), _times(made, {ONE: args.get("value", 1)}))
        if target in ("mul", "div"):
            if args.get("rounding_mode"):
                raise Other
            other = self.of(args.get("other"))
            return _times(self.of(args["self"]), other if target == "mul" else _power(other, -1))
        if target == "reciprocal":
            return _times(self.of(args.get("other", 1)), _power(self.of(args["self"]), -1))
        powers = {"square": 2, "sqrt": 0.5, "rsqrt": -0.5, "neg": 1, "pow": args.get("exponent")}
        power = powers.get(target)
        if not isinstance(power, int | float):
            raise Other
        return _times(_power(self.of(args["self"]), power), {ONE: -1 if target == "neg" else 1})


#: What makes a tensor of one number, each with its name for that.
_FILLED = {"aten.scalar_tensor": "s", "aten.full": "fill_value"}


def number_of(value: Value) -> float | None:
    """The number that a constant is, where it is one and known."""
    if prod(value.sizes) != 1 or value.trains:
        return None
    if value.numbers is not None:
        return float(value.numbers[0])
    if value.values is not None:
        found: float = value.values[0].item()
        return found
    if value.node is None:
        return None
    if value.node.target in _FILLED:
        return float(value.node.args[_FILLED[value.node.target]])
    try:
        total = Algebra({}).made(value.node, value)
    except Other:
        return None
    return total.get(ONE, 0) if total.keys() <= {ONE} else None


def plain_number(given: Any) -> float | None:
    """A number, or what a constant is that is one; ``None`` for anything else."""
    if isinstance(given, Value):
        return None if given.flows else number_of(given)
    return given if isinstance(given, int | float) else None


def _added(a: Sum, b: Sum) -> Sum:
    found = dict(a)
    for one, times in b.items():
        found[one] = found.get(one, 0) + times
    return {one: times for one, times in found.items() if abs(times) > 1e-12}


def _times(a: Sum, b: Sum) -> Sum:
    found: Sum = {}
    for one, times in a.items():
        for other, more in b.items():
            powers = dict(one)
            for value, power in other:
                powers[value] = powers.get(value, 0) + power
            found = _added(found, {product(*powers.items()): times * more})
            if len(found) > _PRODUCTS:
                raise Other
    return found


def _power(given: Sum, power: float) -> Sum:
    if len(given) == 1:
        ((one, times),) = given.items()
        if times > 0 or float(power).is_integer():
            try:
                return {frozenset((value, own * power) for value, own in one): times**power}
            except ArithmeticError:
                raise Other from None
    if power not in (1, 2, 3):
        raise Other
    found = given
    for _ in range(int(power) - 1):
        found = _times(found, given)
    return found


def alike(found: Sum, wanted: Mapping[Product, float]) -> bool:
    """Whether two sums are the same, as near as numbers of 16 bits are."""
    return found.keys() == wanted.keys() and all(
        isclose(times, wanted[one], rel_tol=_NEAR) for one, times in found.items()
    )


def product(*powers: tuple[Value, float]) -> Product:
    """Values multiplied, each to a power."""
    return frozenset((value, power) for value, power in powers if power)


@dataclass
class Moments(Algebra):
    """What values are in terms of a tensor, and of its mean and that of its squares along some axes."""

    x: Value = field(kw_only=True)
    dims: Sequence[int] = field(kw_only=True)
    #: What stand for the means of the tensor and of its squares.
    means: tuple[Value, Value] = field(default_factory=lambda: (Value((), ""), Value((), "")))

    @property
    def reduced(self) -> tuple[int, ...]:
        """The sizes of a mean that stands beside the tensor."""
        return tuple(1 if i in self.dims else n for i, n in enumerate(self.x.sizes))

    @property
    def gone(self) -> tuple[int, ...]:
        """The sizes of a mean whose axes are gone."""
        return tuple(n for i, n in enumerate(self.x.sizes) if i not in self.dims)

    def made(self, node: Node, given: Value) -> Sum:
        kind = node.target.removeprefix("aten.")
        if kind in ("mean", "var", "var_mean"):
            if dims_of(node) != [*self.dims] or (kind != "mean" and not _is_biased(node)):
                raise Other
            if kind == "mean" or node.outputs.index(given) == 1:
                return self.mean(self.of(node.inputs[0]))
            own = self.of(node.inputs[0])
            mean = self.mean(own)
            return _added(self.mean(_power(own, 2)), _times(_power(mean, 2), {ONE: -1}))
        if node.target in VIEWS and given.sizes == self.reduced:
            return self.of(node.inputs[0])
        read = {one.sizes for one in node.inputs if one.flows}
        if not (read <= {self.x.sizes, self.reduced} or read == {self.gone}):
            raise Other  # they do not stand beside each other as the tensor and its mean do
        return super().made(node, given)

    def mean(self, given: Sum) -> Sum:
        """The mean of a sum along the axes: what has one value there stands before it."""
        found: Sum = {}
        for one, times in given.items():
            powers = dict(one)
            power = powers.pop(self.x, 0)
            if power not in (0, 1, 2) or not powers.keys() <= {*self.means}:
                raise Other
            mean = {product((self.means[int(power) - 1], 1)): times} if power else {ONE: times}
            found = _added(found, _times({frozenset(powers.items()): 1}, mean))
        return found


def dims_of(node: Node | None) -> list[int] | None:
    """Along which axes a mean or a variance is taken; ``None`` where a node takes none."""
    if node is None or node.target not in ("aten.mean", "aten.var", "aten.var_mean"):
        return None
    given, rank = node.args.get("dim"), len(node.inputs[0].sizes)
    given = [given] if isinstance(given, int) else given
    return sorted(one % rank for one in given) if given and rank else None


def _is_biased(node: Node) -> bool:
    """Whether a variance is the mean of the squares, and not somewhat more."""
    if "unbiased" in node.args:
        return not node.args["unbiased"]
    return bool(node.args.get("correction", 1) == 0)
