"""Numbers that stand for those of many configurations at once, in columns of numpy.

Code that was written for numbers, run once on these, computes for all configurations. Where it compares two
of them, those configurations go on on which the comparison comes out as on the first, and the others are left
for another run; so what a run gives holds on all that are still there, to the unit. Knows nothing of ops,
networks or files.

Configurations are laid out in blocks: each combination of a row of one block with rows of all others is one.
A number that depends on one block alone is a column of that length, and only products of such are computed
for all combinations. Whole numbers beyond 64 bits are Python's own, and real numbers are computed as Python
does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from operator import add, floordiv, ge, gt, le, lt, mod, mul, pow, sub, truediv
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, TypeVar

import numpy as np

from .formulas import Number, PerhapsError, Real, Remembering

T = TypeVar("T")

#: Beyond this whole numbers are computed as Python's own; what is below may be added once more.
_MOST = 2**62

#: Up to this each whole number is a real one.
_EXACT = 2**53

#: How many configurations a run is worth, where there are many of them.
_WORTH = 20

#: How many numbers of several columns are laid side by side at once.
_AT_ONCE = 2**20

#: How many bits a power may have.
_BITS = 100


class Block(NamedTuple):
    """Configurations along some axes: of each row the place of its value along each of them."""

    axes: tuple[int, ...]
    #: A row for each, with a column for each of the axes.
    picks: Any


#: Configurations: all combinations of rows of some blocks.
Domain = tuple[Block, ...]


def size(domain: Domain) -> int:
    """How many configurations there are."""
    return prod([len(block.picks) for block in domain])


class UnsureError(Exception):
    """Something cannot be computed for all of the configurations at once."""


class JoinedError(Exception):
    """A comparison depends on several blocks, which are to be one."""

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self.blocks = blocks


def explored(
    domain: Domain, run: Callable[[Columns], T], *, most: int, opens: bool = False
) -> Iterator[tuple[Columns, T | None]]:
    """What a function gives on all configurations: each result with those on which it holds.

    It is ``None`` where it cannot be computed for several at once, or is worth no further run.

    Args:
        domain: the configurations.
        run: computes with columns, and asks nothing else of them.
        opens: whether what is repeated may be laid out as often as it is anywhere; it is not where that is
            refused.
        most: after how many runs they go on only as long as each takes some tens of configurations.
    """
    left = [(domain, opens)]
    runs, done = 0, 0
    while left:
        columns = Columns(*left.pop())
        runs += 1
        if columns.count < 2 or (runs > most and done < _WORTH * runs):
            yield columns, None
            continue
        try:
            found: T | None = run(columns)
        except UnsureError:
            found = None
        except JoinedError as joined:
            left += [(one, columns.opens) for one in columns.left]
            left.append((_joined(columns.blocks, joined.blocks), columns.opens))
            continue
        except PerhapsError:
            left += [(one, columns.opens) for one in columns.left]
            left.append((tuple(columns.blocks), False))
            continue
        left += [(one, columns.opens) for one in columns.left]
        done += columns.count
        yield columns, found


def _joined(blocks: Sequence[Block], together: Sequence[int]) -> Domain:
    """The same configurations with some blocks as one."""
    axes: tuple[int, ...] = ()
    picks = np.zeros((1, 0), np.int64)
    for place in together:
        one = blocks[place]
        axes += one.axes
        picks = np.hstack([np.repeat(picks, len(one.picks), 0), np.tile(one.picks, (len(picks), 1))])
    rest = [block for place, block in enumerate(blocks) if place not in together]
    return (*rest, Block(axes, picks))


class Columns:
    """What numbers of many configurations have in common: which configurations there still are.

    The first of them is the point at which comparisons are answered.
    """

    def __init__(self, domain: Domain, opens: bool = False) -> None:
        self.blocks = [*domain]
        #: Whether what is repeated is laid out as often as it is anywhere; what is not there always, with 1
        #: where it is and 0 elsewhere; and within how many of these it is.
        self.opens = opens
        self.perhaps: list[tuple[list[str], Any]] = []
        self.within = 0
        #: On which configurations a comparison came out otherwise.
        self.left: list[Domain] = []
        #: Whether all configurations stay: comparisons that part them are refused.
        self.closed = False
        #: What gives the answers of ops; see :class:`archlens.formulas.Table`.
        self.asks: Any = None
        self._narrowed: list[tuple[int, Any]] = []
        self._known: dict[Any, Any] = {}
        self._answers: dict[Any, bool] = {}
        self._count = 0

    def numbered(self) -> int:
        """A number for each column that is made."""
        self._count += 1
        return self._count

    @property
    def shape(self) -> tuple[int, ...]:
        """How many rows each block has."""
        return tuple([len(block.picks) for block in self.blocks])

    @property
    def count(self) -> int:
        """How many configurations there still are."""
        return size(tuple(self.blocks))

    def places(self, radix: Sequence[int]) -> Any:
        """For each configuration the sum of its places along the axes, each times a number."""
        found = np.zeros((1,) * len(self.blocks), np.int64)
        for number, block in enumerate(self.blocks):
            steps = np.array([radix[axis] for axis in block.axes], np.int64)
            found = found + self._along(number, block.picks @ steps)
        return found.ravel()

    def column(self, axis: int, values: Any) -> Any:
        """The values along an axis, whole or real, as a number."""
        block = next(number for number, one in enumerate(self.blocks) if axis in one.axes)
        one = self.blocks[block]
        taken = self._along(block, values[one.picks[:, one.axes.index(axis)]])
        if taken.dtype == np.float64:
            return _Real(self, 1 << block, taken)
        return _Whole(self, 1 << block, taken, int(taken.min()), int(taken.max()))

    def _along(self, block: int, values: Any) -> Any:
        return values.reshape([-1 if number == block else 1 for number in range(len(self.blocks))])

    def full(self, number: Any) -> Any:
        """A number for each configuration, one after the other."""
        values = self.values(number) if isinstance(number, Remembering) else np.array(number)
        return np.broadcast_to(values, self.shape).ravel()

    def bounds(self, number: Any) -> tuple[int, int]:
        """The least and the most that a whole number is."""
        return number.tightened() if isinstance(number, _Whole) else (number, number)

    def values(self, number: Any) -> Any:
        """The column of a number, along the blocks that it depends on."""
        stack = [number]
        while stack:
            top = stack[-1]
            if top.array is None:
                missing = [one for one in top.parts if isinstance(one, _Column) and one.array is None]
                if missing:
                    stack += missing
                    continue
                top.array = top.compute(*[self._there(one) for one in top.parts])
                top.stamp = len(self._narrowed)
            stack.pop()
        return self._there(number)

    def _there(self, number: Any) -> Any:
        """The column of a number that is known, on what is left of the configurations; or a plain number."""
        if not isinstance(number, _Whole | _Real):
            return number
        for block, keep in self._narrowed[number.stamp :]:
            if number.of >> block & 1:
                number.array = np.take(number.array, keep, axis=block)
        number.stamp = len(self._narrowed)
        return number.array

    def made(self, name: object, parts: tuple[Any, ...], make: Callable[[int], Any]) -> Any:
        """What is made of some numbers, once; it is told on which blocks they depend."""
        key = (name, *[(one.form if isinstance(one, _Column) else (type(one), one)) for one in parts])
        found = self._known.get(key)
        if found is None:
            of = 0
            for one in parts:
                of |= one.of if isinstance(one, _Column) else 0
            found = self._known[key] = make(of)
        return found

    def answer(self, key: Any, of: int, ask: Callable[[], Any]) -> bool:
        """What a comparison comes out as on the first configuration; only those go on where it is that.

        Raises:
            JoinedError: it depends on several blocks.
        """
        found = self._answers.get(key)
        if found is not None:
            return found
        answers = np.asarray(ask(), bool)
        found = bool(answers.flat[0])
        same = answers if found else ~answers
        if not same.all():
            if self.closed:
                raise UnsureError
            blocks = [number for number in range(len(self.blocks)) if of >> number & 1]
            if len(blocks) > 1:
                raise JoinedError(blocks)
            (block,) = blocks
            flat = same.ravel()
            keep, rest = np.nonzero(flat)[0], np.nonzero(~flat)[0]
            one = self.blocks[block]
            others = [*self.blocks]
            others[block] = one._replace(picks=one.picks[rest])
            self.left.append(tuple(others))
            self.blocks[block] = one._replace(picks=one.picks[keep])
            self._narrowed.append((block, keep))
        self._answers[key] = found
        return found


_COMPARED: dict[str, Callable[[Any, Any], Any]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


class _Column(Remembering):
    """What whole and real numbers have in common."""

    __slots__ = ()

    if TYPE_CHECKING:
        table: Any  # of Columns
        form: Any
        of: int
        array: Any
        stamp: int
        parts: tuple[Any, ...]
        compute: Callable[..., Any]

    @property
    def value(self) -> Any:
        """What it is on the first configuration."""
        return self.table.values(self).flat[0].item() if self._plain else self.table.values(self).flat[0]

    @property
    def _plain(self) -> bool:
        return bool(self.table.values(self).dtype != object)

    def pinned(self, why: str = "") -> Any:
        """The same, where it is no other."""
        value = self.value
        self._equal(value)
        return value

    def _equal(self, other: Any) -> bool:
        return self._compare("==", other)

    def _compare(self, how: str, other: Any) -> bool:
        low, high = _bounds(self)
        least, most = _bounds(other)
        if how == "==":
            if high < least or low > most:
                return False
        elif how in ("<", ">="):
            if high < least or low >= most:
                return bool(high < least) == (how == "<")
        elif high <= least or low > most:
            return bool(high <= least) == (how == "<=")
        key = (how, self.form, other.form if isinstance(other, _Column) else (type(other), other))

        def ask() -> Any:
            a, b = _alike(self, other)
            return a == b if how == "==" else _COMPARED[how](a, b)

        of = self.of | (other.of if isinstance(other, _Column) else 0)
        return bool(self.table.answer(key, of, ask))

    def __lt__(self, other: Any) -> Any:
        return self._compare("<", other) if _is_number(other) else NotImplemented

    def __le__(self, other: Any) -> Any:
        return self._compare("<=", other) if _is_number(other) else NotImplemented

    def __gt__(self, other: Any) -> Any:
        return self._compare(">", other) if _is_number(other) else NotImplemented

    def __ge__(self, other: Any) -> Any:
        return self._compare(">=", other) if _is_number(other) else NotImplemented

    def __eq__(self, other: object) -> Any:
        if other is self:
            return True
        return self._equal(other) if _is_number(other) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return not self._equal(other) if _is_number(other) else NotImplemented

    def __bool__(self) -> bool:
        return not self._equal(0)

    def __hash__(self) -> int:
        return hash(self.pinned())

    def __add__(self, other: Any) -> Any:
        return _done(self.table, "+", self, other)

    def __radd__(self, other: Any) -> Any:
        return _done(self.table, "+", other, self)

    def __sub__(self, other: Any) -> Any:
        return _done(self.table, "-", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _done(self.table, "-", other, self)

    def __mul__(self, other: Any) -> Any:
        return _done(self.table, "*", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _done(self.table, "*", other, self)

    def __floordiv__(self, other: Any) -> Any:
        return _done(self.table, "//", self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return _done(self.table, "//", other, self)

    def __mod__(self, other: Any) -> Any:
        return _done(self.table, "%", self, other)

    def __rmod__(self, other: Any) -> Any:
        return _done(self.table, "%", other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __truediv__(self, other: Any) -> Any:
        return _done(self.table, "/", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _done(self.table, "/", other, self)

    def __pow__(self, other: Any) -> Any:
        return _done(self.table, "**", self, other)

    def __rpow__(self, other: Any) -> Any:
        return _done(self.table, "**", other, self)

    def __neg__(self) -> Any:
        return _done(self.table, "*", self, -1)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    def __float__(self) -> float:
        return float(self.pinned())

    def __repr__(self) -> str:
        return repr(self.value)

    def __format__(self, how: str) -> str:
        return format(self.value, how)

    def greatest(self, values: Sequence[Any]) -> Any:
        """The largest of some numbers, on each configuration."""
        return self._chosen("max", max, np.maximum, values)

    def least(self, values: Sequence[Any]) -> Any:
        """The smallest of some numbers, on each configuration."""
        return self._chosen("min", min, np.minimum, values)

    def _chosen(self, name: str, plain: Any, function: Any, values: Sequence[Any]) -> Any:
        real = isinstance(self, Real)
        if any(isinstance(one, float | Real) is not real for one in values):
            return plain(values)  # what is chosen is of one kind here, and of another there
        found = values[0]
        for one in values[1:]:
            known = not isinstance(found, _Column) and not isinstance(one, _Column)
            found = plain(found, one) if known else _made(self.table, name, function, (found, one), real)
        return found

    def below(self, other: Any) -> Any:
        """1 on each configuration where it is below another number, and 0 elsewhere."""
        a, b = self, other

        def make(of: int) -> Any:
            found = _Whole(self.table, of, None, 0, 1)
            found.parts, found.compute = (a, b), lambda *_: np.less(*_alike(a, b)).astype(np.int64)
            return found

        return self.table.made("below", (a, b), make)

    def by_rows(self, key: object, values: Sequence[Any], function: Callable[[Any], Any]) -> Any:
        """A whole number of each configuration that is found of several.

        Args:
            key: what tells the function from others.
            values: whole numbers.
            function: is given a matrix, with a row for each configuration and a column for each number, and
                gives a number for each row. Its work and memory are proportional to the rows.
        """
        if not all(_small(one, _MOST) for one in values):
            raise UnsureError
        table = self.table

        def make(of: int) -> Any:
            columns = [table.values(one) if isinstance(one, _Column) else np.array(one) for one in values]
            shape = np.broadcast_shapes(*[column.shape for column in columns])
            count = prod(shape)
            found = np.empty(count, np.int64)
            step = max(_AT_ONCE // len(columns), 1)
            for begin in range(0, count, step):
                rows = np.empty((min(step, count - begin), len(columns)), np.int64)
                for place, column in enumerate(columns):
                    rows[:, place] = np.broadcast_to(column, shape).flat[begin : begin + step]
                found[begin : begin + step] = function(rows)
            return _Whole(table, of, found.reshape(shape), int(found.min()), int(found.max()))

        return table.made(key, tuple(values), make)


class _Whole(_Column, Number):
    """A whole number of each configuration; none is below ``low`` or above ``high``."""

    __slots__ = ("array", "compute", "high", "low", "of", "parts", "stamp")

    def __init__(self, table: Columns, of: int, array: Any, low: int, high: int) -> None:
        self.table = table
        self.form = table.numbered()
        self.of = of
        self.array = array
        self.stamp = len(table._narrowed)
        self.low, self.high = low, high
        self.parts = ()

    __hash__ = _Column.__hash__

    def __index__(self) -> int:
        return int(self.pinned())

    __int__ = __trunc__ = __index__

    def bit_length(self) -> int:
        """How many bits the largest has."""
        bits = max(abs(self.low), abs(self.high)).bit_length()
        if bits > _BITS:
            low, high = self.tightened()
            bits = max(abs(low), abs(high)).bit_length()
            if bits > _BITS:
                raise UnsureError  # of some of the configurations it may have fewer
        return bits

    def tightened(self) -> tuple[int, int]:
        """Its bounds, as near as they are."""
        values = self.table.values(self)
        self.low, self.high = int(values.min()), int(values.max())
        return self.low, self.high


class _Real(_Column, Real):
    """A real number of each configuration."""

    __slots__ = ("array", "compute", "form", "of", "parts", "stamp", "table")

    def __init__(self, table: Columns, of: int, array: Any) -> None:
        self.table = table
        self.form = table.numbered()
        self.of = of
        self.array = array
        self.stamp = len(table._narrowed)
        self.parts = ()

    __hash__ = _Column.__hash__

    def __int__(self) -> int:
        return int(self.pinned())

    def is_integer(self) -> bool:
        """Whether it is whole; on all that go on it is, or is not."""
        of, key = self.of, ("whole", self.form)
        return bool(self.table.answer(key, of, lambda: np.mod(self.table.values(self), 1.0) == 0.0))

    def truncated(self) -> Any:
        """Rounded towards 0."""
        return self._rounded("int", np.trunc)

    def __floor__(self) -> Any:
        return self._rounded("floor", np.floor)

    def __ceil__(self) -> Any:
        return self._rounded("ceil", np.ceil)

    def __round__(self, digits: SupportsIndex | None = None) -> Any:
        if digits is None:
            return self._rounded("round", np.rint)
        places = int(digits)
        return _each(self.table, f"round {places}", lambda x: round(x, places), (self,), real=True)

    def _rounded(self, name: str, function: Any) -> Any:
        values = function(self.table.values(self))
        least, most = float(values.min()), float(values.max())
        if not -_MOST < least <= most < _MOST:
            raise UnsureError

        def make(of: int) -> Any:
            return _Whole(self.table, of, values.astype(np.int64), int(least), int(most))

        return self.table.made(name, (self,), make)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | _Column)


def _bounds(value: Any) -> tuple[Any, Any]:
    """What a number is at least and at most."""
    if isinstance(value, _Whole):
        return value.low, value.high
    if isinstance(value, _Real):
        return -float("inf"), float("inf")
    return value, value


def _small(value: Any, most: int) -> bool:
    """Whether a number is surely no further from 0."""
    if isinstance(value, float | _Real):
        return True
    low, high = _bounds(value)
    if -most <= low <= high <= most:
        return True
    if isinstance(value, _Whole):
        low, high = value.tightened()
    return bool(-most <= low <= high <= most)


def _alike(*values: Any) -> list[Any]:
    """The columns of numbers such that they compare as Python's do."""
    real = any(isinstance(one, float | _Real) for one in values)
    columns = [one.table.values(one) if isinstance(one, _Column) else one for one in values]
    most = _EXACT if real else _MOST
    if all(_small(one, most) for one in values):
        return columns
    return [np.asarray(one, object) if isinstance(one, np.ndarray) else one for one in columns]


_DONE: dict[str, tuple[Callable[[Any, Any], Any], Any]] = {
    "+": (add, np.add),
    "-": (sub, np.subtract),
    "*": (mul, np.multiply),
    "//": (floordiv, np.floor_divide),
    "%": (mod, np.mod),
    "/": (truediv, np.true_divide),
    "**": (pow, None),
}


def _done(table: Columns, name: str, a: Any, b: Any) -> Any:
    """Two numbers computed with each other."""
    if not (_is_number(a) and _is_number(b)):
        return NotImplemented
    function = _DONE[name][1]
    if isinstance(a, bool):
        a = int(a)
    if isinstance(b, bool):
        b = int(b)
    real = name == "/" or any(isinstance(one, float | _Real) for one in (a, b))
    if not real:
        if name in "+-" and type(b) is int and not b:
            return a
        if name == "+" and type(a) is int and not a:
            return b
        if name == "*":
            for one, other in ((a, b), (b, a)):
                if type(one) is int and one in (0, 1):
                    return other if one else 0
        if name == "//" and type(b) is int and b == 1:
            return a
    if name in ("//", "%", "/") and b == 0:
        raise ZeroDivisionError
    if name == "**":
        return _power(table, a, b, real)
    return _made(table, name, function, (a, b), real)


def _made(table: Columns, name: str, function: Any, parts: tuple[Any, ...], real: bool) -> Any:
    plain = _PLAIN[name]
    if real:
        if not all(_small(one, _EXACT) for one in parts):
            return _each(table, name, plain, parts, real=True)

        def make_real(of: int) -> Any:
            found = _Real(table, of, None)
            found.parts, found.compute = parts, function
            return found

        with np.errstate(all="ignore"):
            found = table.made(name, parts, make_real)
            finite = table.answer(("finite", found.form), found.of, lambda: np.isfinite(table.values(found)))
        if not finite:
            raise OverflowError
        return found
    low, high = _between(name, parts)
    if not -_MOST <= low <= high <= _MOST:
        for one in parts:
            if isinstance(one, _Whole):
                one.tightened()
        low, high = _between(name, parts)
    if low == high:
        return low
    small = -_MOST <= low <= high <= _MOST and all(_small(one, _MOST) for one in parts)

    def compute(*columns: Any) -> Any:
        if small:
            return function(*columns)
        found = np.frompyfunc(plain, len(columns), 1)(*[np.asarray(one, object) for one in columns])
        found = np.asarray(found, object)
        return found.astype(np.int64) if -_MOST <= low <= high <= _MOST else found

    def make(of: int) -> Any:
        found = _Whole(table, of, None, low, high)
        found.parts, found.compute = parts, compute
        return found

    return table.made(name, parts, make)


_PLAIN: dict[str, Callable[..., Any]] = {name: plain for name, (plain, _) in _DONE.items()} | {
    "max": max,
    "min": min,
}


def _between(name: str, parts: tuple[Any, ...]) -> tuple[int, int]:
    """Bounds of what is computed of two whole numbers."""
    (a, b), (c, d) = (_bounds(one) for one in parts)
    if name == "+":
        return a + c, b + d
    if name == "-":
        return a - d, b - c
    if name in ("max", "min"):
        choose = max if name == "max" else min
        return choose(a, c), choose(b, d)
    if name == "%":
        if c > 0:
            return 0, min(b, d - 1) if a >= 0 else d - 1
        return min(c + 1, 0), max(d - 1, 0)
    if name == "//" and c <= 0 <= d:
        far = max(abs(a), abs(b))
        return -far, far
    ends = [_DONE[name][0](x, y) for x, y in product((a, b), (c, d))]
    return min(ends), max(ends)


def _each(table: Columns, name: str, plain: Callable[..., Any], parts: tuple[Any, ...], *, real: bool) -> Any:
    """What Python computes of numbers, configuration by configuration."""

    def compute(*columns: Any) -> Any:
        objects = [np.asarray(one, object) for one in columns]
        return np.asarray(np.frompyfunc(plain, len(columns), 1)(*objects), object)

    def make(of: int) -> Any:
        columns = [table.values(one) if isinstance(one, _Column) else one for one in parts]
        try:
            values = compute(*columns)
            if real:
                return _Real(table, of, values.astype(np.float64))
        except (ArithmeticError, TypeError, ValueError):
            raise UnsureError from None  # on some of the configurations
        low, high = min(values.flat), max(values.flat)
        small = -_MOST <= low <= high <= _MOST
        return _Whole(table, of, values.astype(np.int64) if small else values, low, high)

    return table.made(name, parts, make)


def _power(table: Columns, a: Any, b: Any, real: bool) -> Any:
    if not real and _bounds(b)[0] >= 0:
        base, exponent = _bounds(a), _bounds(b)
        if max(map(abs, base)).bit_length() * exponent[1] <= _BITS:
            return _each(table, "**", pow, (a, b), real=False)
    elif real:
        try:
            return _each(table, "**", pow, (a, b), real=True)
        except UnsureError:
            pass
    a, b = (one.pinned() if isinstance(one, _Column) else one for one in (a, b))
    if isinstance(a, int) and isinstance(b, int) and (a.bit_length() - 1) * b > 2 * _BITS:
        raise OverflowError
    return a**b
