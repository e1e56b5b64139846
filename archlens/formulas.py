"""Numbers that remember how they were made of a size that nobody has chosen yet.

A :class:`Number` stands for the same arithmetic on every size at once: it computes with whole numbers as any
other, and what it is compared with is written down as a condition. So code that was written for numbers, run
once, tells what it does on all sizes on which the same conditions hold. Knows nothing of ops, networks or
files.

A form is a polynomial with whole coefficients over the letter and over quotients that are rounded down.
Floors of floors become one: ``floor((floor((n + a)/s) + b)/t) = floor((n + a + s*b)/(s*t))`` (Graham, Knuth
and Patashnik, "Concrete Mathematics", equation 3.11), and what is rounded up is rounded down.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from math import gcd, lcm
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex

#: Some of the atoms of a table, by their places there, multiplied; the empty one stands for 1.
Product = tuple[int, ...]

#: A polynomial: products and their coefficients, none of them 0, in order.
Form = tuple[tuple[Product, int], ...]

#: What was found of a form: whether it was below 0, or 0.
BELOW, ZERO = "<", "="


class PerhapsError(Exception):
    """What is there on some sizes alone cannot be laid out for all of them."""


class Condition(NamedTuple):
    """What a form was compared for, and what came of it."""

    form: Form
    relation: str
    holds: bool

    @property
    def turned(self) -> Condition:
        """That the opposite came of it."""
        return self._replace(holds=not self.holds)

    def is_true(self, table: Table) -> bool:
        """Whether it is so at the point of a table."""
        value = table.value(self.form)
        return (value < 0 if self.relation == BELOW else value == 0) is self.holds


#: How many letters and quotients a quotient may be made of: to follow it to its letters takes as long as they
#: are many, and a sum of quotients of sums of quotients has twice as many with each division.
NESTED = 200

#: How many terms a product of two sums may have.
TERMS = 10_000


class TooLongError(Exception):
    """A number would be something that has too many parts; ``str()`` of it is what."""


class Table:
    """Letters, the quotients that are made of them, and what all of that is for each of some sizes.

    Numbers are computed with as they are at one :attr:`point`, a size for each letter; to move that moves all
    of them.

    Args:
        sizes: what each letter stands for, one after the other.
    """

    #: Whether what is repeated may be laid out as often as it is on any size; see :mod:`archlens.columns`.
    opens = False

    def __init__(self, *sizes: range) -> None:
        self.sizes = sizes
        self._quotients: dict[tuple[Form, int], Form] = {}
        #: Which quotient an atom is: the form that is divided, and by what; ``None`` for a letter.
        self._made: list[tuple[Form, int] | None] = [None] * len(sizes)
        #: Which letters each atom is made of, as bits.
        self._letters = [1 << letter for letter in range(len(sizes))]
        #: How many letters and quotients each atom is made of, itself among them, where each is spelled out.
        self._spelled = [1] * len(sizes)
        self._places: dict[tuple[Form, int], int] = {}
        self._columns: dict[int, list[int]] = {letter: list(one) for letter, one in enumerate(sizes)}
        self._values: dict[tuple[Form, int], list[int]] = {}
        self._masks: dict[tuple[Form, str], int] = {}
        #: What gives the answers of others who compute with such numbers, for whoever looks at all of them.
        self.asks: Any = None
        #: What made use of values alone, in words.
        self.pins: dict[str, None] = {}
        #: What was asked of numbers since that was last taken away.
        self._conditions: dict[tuple[Form, str], bool] = {}
        #: For all sizes of each letter a bit.
        self.every = tuple([(1 << len(one)) - 1 for one in sizes])
        self.point = tuple([one[0] for one in sizes])

    @property
    def point(self) -> tuple[int, ...]:
        """The size of each letter at which numbers have their values."""
        return self._point

    @point.setter
    def point(self, point: tuple[int, ...]) -> None:
        self._point = point
        self._here: dict[int, int] = dict(enumerate(point))

    @property
    def all(self) -> int:
        """For all sizes of the first letter a bit."""
        return self.every[0]

    @property
    def count(self) -> int:
        """How many forms and conditions were worked out on all sizes."""
        return len(self._columns) + len(self._values) + len(self._masks)

    @property
    def letter(self) -> Form:
        """The size itself, where there is one letter."""
        return self.letters[0]

    @property
    def letters(self) -> tuple[Form, ...]:
        """Each letter as a form."""
        return tuple([(((letter,), 1),) for letter in range(len(self.sizes))])

    def made(self, atom: int) -> tuple[Form, int] | None:
        """Which quotient an atom is: what is divided, and by what; ``None`` for a letter."""
        return self._made[atom]

    def of(self, form: Form) -> int:
        """Which letters a form is made of, as bits."""
        found = 0
        for product, _ in form:
            for atom in product:
                found |= self._letters[atom]
        return found

    def number(self, form: Form) -> Any:
        """A form as a number to compute with."""
        if is_constant(form):
            return form[0][1] if form else 0
        return Number(self, form)

    def value(self, form: Form) -> int:
        """What a form is at the point."""
        found = 0
        for product, factor in form:
            for atom in product:
                factor *= self._here[atom] if atom in self._here else self._atom_here(atom)
            found += factor
        return found

    def _atom_here(self, atom: int) -> int:
        made = self._made[atom]
        assert made is not None  # letters are there
        found = self._here[atom] = self.value(made[0]) // made[1]
        return found

    def values(self, form: Form, letter: int = 0) -> list[int]:
        """What a form that is made of no other letter is for each size of that."""
        found = self._values.get((form, letter))
        if found is None:
            found = [0] * len(self.sizes[letter])
            for product, factor in form:
                if not product:
                    found = [n + factor for n in found]
                    continue
                part = self._column(product[0], letter)
                for atom in product[1:]:
                    part = [a * b for a, b in zip(part, self._column(atom, letter), strict=True)]
                found = [n + factor * m for n, m in zip(found, part, strict=True)]
            self._values[form, letter] = found
        return found

    def _column(self, atom: int, letter: int) -> list[int]:
        """What a letter, or a quotient that is made of it, is for each of its sizes."""
        found = self._columns.get(atom)
        if found is None:
            made = self._made[atom]
            assert made is not None  # letters are there
            form, divisor = made
            found = self._columns[atom] = [n // divisor for n in self.values(form, letter)]
        return found

    def mask(self, condition: Condition) -> int:
        """The sizes on which a condition on one letter holds, as bits."""
        key = condition.form, condition.relation
        letter = max(self.of(condition.form).bit_length() - 1, 0)
        found = self._masks.get(key)
        if found is None:
            found = self._masks[key] = self._mask(*key, letter)
        return found if condition.holds else self.every[letter] & ~found

    def _mask(self, form: Form, relation: str, letter: int) -> int:
        rising = self._rising(form)
        if rising:  # it turns once, and is looked for between
            ends = [self._first(form if rising > 0 else _times(form, -1), least, letter) for least in (0, 1)]
            low, high = [(1 << end) - 1 for end in ends]
            if relation == BELOW:
                return low if rising > 0 else self.every[letter] & ~high
            return high & ~low
        level = self._level(form)
        if level is not None and (level[0] > 0 or level[1] < 0 or (relation == BELOW and level[0] == 0)):
            return self.every[letter] if relation == BELOW and level[1] < 0 else 0
        values = self.values(form, letter)
        if relation == BELOW:
            bits = ["1" if n < 0 else "0" for n in reversed(values)]
        else:
            bits = ["0" if n else "1" for n in reversed(values)]
        return int("".join(bits), 2)

    def _rising(self, form: Form) -> int:
        """1 where a form never falls as letters grow, -1 where it never rises; 0 where nobody knows."""
        found = 0
        for product, factor in form:
            if product:
                made = self._made[product[0]]
                along = 1 if made is None else self._rising(made[0])
                along = along if factor > 0 else -along
                if len(product) > 1 or not along or found == -along:
                    return 0
                found = along
        return found

    def _level(self, form: Form) -> tuple[int, int] | None:
        """Bounds of a form of one letter that neither grows nor falls, on all sizes; ``None`` where it does.

        What is rounded down is less than 1 below what it was: ``2*floor(n/4) - floor(n/2)`` is from -1 to 0.
        """
        found = self._line(form)
        if found is None or found[0]:
            return None
        _, low, high, by = found
        return -(-low // by), high // by

    def _line(self, form: Form) -> tuple[int, int, int, int] | None:
        """How fast a form grows with its letter, and bounds of what is left, all by the last number."""
        slope, low, high, by = 0, 0, 0, 1
        for product, factor in form:
            made = self._made[product[0]] if product else None
            inner = self._line(made[0]) if made is not None else (1, 0, 0, 1) if product else (0, 1, 1, 1)
            if inner is None or len(product) > 1:
                return None
            grows, least, most, over = inner
            if made is not None:
                least, over = least - (made[1] - 1) * over, over * made[1]
            both = lcm(by, over)
            mine, its = both // by, factor * (both // over)
            ends = sorted((least * its, most * its))
            slope, low, high, by = (
                slope * mine + grows * its,
                low * mine + ends[0],
                high * mine + ends[1],
                both,
            )
        return slope, low, high, by

    def _first(self, form: Form, least: int, letter: int) -> int:
        """The place of the first size of a letter at which a form that never falls is at least that much."""
        sizes, before = self.sizes[letter], self._here

        def value(place: int) -> int:
            self._here = {letter: sizes[place]}
            return self.value(form)

        found = bisect_left(range(len(sizes)), least, key=value)
        self._here = before
        return found

    def taken(self) -> list[Condition]:
        """The conditions since this was last asked, in their order."""
        found = [Condition(form, relation, holds) for (form, relation), holds in self._conditions.items()]
        self._conditions = {}
        return found

    def is_below(self, form: Form) -> bool:
        """Whether a form is below 0 at the point; from now on that is a condition."""
        found = self._conditions[form, BELOW] = self.value(form) < 0
        return found

    def is_zero(self, form: Form) -> bool:
        """Whether a form is 0 at the point; from now on that is a condition."""
        form = primitive(form)
        found = self._conditions[form, ZERO] = self.value(form) == 0
        return found

    def quotient(self, form: Form, divisor: int) -> Form:
        """A form divided by a number and rounded down.

        Raises:
            ZeroDivisionError: the number is 0.
            TooLongError: it is made of more than :data:`NESTED` others.
        """
        if divisor < 0:
            form, divisor = _times(form, -1), -divisor
        key = form, divisor
        found = self._quotients.get(key)
        if found is None:
            found = self._quotients[key] = self._quotient(form, divisor)
        return found

    def _quotient(self, form: Form, divisor: int) -> Form:
        varying = [factor for product, factor in form if product]
        if varying and max(varying) < 0:  # what is rounded up, rounded down
            return _times(self.quotient(_plus(_times(form, -1), _constant(divisor - 1)), divisor), -1)
        outside = {product: factor // divisor for product, factor in form}
        inside = {product: factor % divisor for product, factor in form}
        rest = inside.pop((), 0)
        inside = {product: factor for product, factor in inside.items() if factor}
        if not inside:
            return _form(outside)
        shared = gcd(divisor, *inside.values())
        rest, divisor = rest // shared, divisor // shared
        within = _form({product: factor // shared for product, factor in inside.items()})
        if divisor == 1:
            return _plus(_form(outside), _plus(within, _constant(rest)))
        ((product, factor), *others) = within
        made = self._made[product[0]] if not others and factor == len(product) == 1 else None
        if made is not None:
            inner, by = made
            divided = self.quotient(_plus(inner, _constant(by * rest)), by * divisor)
        else:
            divided = self._atom(_plus(within, _constant(rest)), divisor)
        return _plus(_form(outside), divided)

    def _atom(self, form: Form, divisor: int) -> Form:
        place = self._places.get((form, divisor))
        if place is None:
            spelled = 1 + sum([self._spelled[atom] for product, _ in form for atom in product])
            if spelled > NESTED:
                raise TooLongError(f"a quotient that is made of more than {NESTED} others")
            place = self._places[form, divisor] = len(self._made)
            self._made.append((form, divisor))
            self._letters.append(self.of(form))
            self._spelled.append(spelled)
        return (((place,), 1),)


def primitive(form: Form) -> Form:
    """A form without a number that divides it, its first factor above 0: what is 0 where it is."""
    shared = gcd(*(factor for _, factor in form)) * (-1 if form[0][1] < 0 else 1)
    return tuple([(product, factor // shared) for product, factor in form])


def is_constant(form: Form) -> bool:
    """Whether a form is the same number at every size."""
    return not form or (len(form) == 1 and not form[0][0])


def _form(factors: dict[Product, int]) -> Form:
    return tuple(sorted([item for item in factors.items() if item[1]]))


def _constant(number: int) -> Form:
    return (((), number),) if number else ()


def _plus(a: Form, b: Form) -> Form:
    factors = dict(a)
    for product, factor in b:
        factors[product] = factors.get(product, 0) + factor
    return _form(factors)


def minus(a: Form, b: Form) -> Form:
    """A form without another."""
    return _plus(a, _times(b, -1))


def _times(form: Form, number: int) -> Form:
    return tuple([(product, factor * number) for product, factor in form]) if number else ()


def _multiplied(a: Form, b: Form) -> Form:
    if len(a) > 1 < len(b) and len(a) * len(b) > TERMS:
        raise TooLongError(f"a product of sums with more than {TERMS:,} terms")
    factors: dict[Product, int] = {}
    for left, times in a:
        for right, more in b:
            product = tuple(sorted((*left, *right)))
            factors[product] = factors.get(product, 0) + times * more
    return _form(factors)


def _degree(term: tuple[Product, int]) -> tuple[int, Product]:
    return len(term[0]), term[0]


def _divided(a: Form, b: Form) -> Form | None:
    """A polynomial divided by another, where nothing is left."""
    found: Form = ()
    lead, times = max(b, key=_degree)
    while a:
        product, factor = max(a, key=_degree)
        left = list(product)
        for atom in lead:
            if atom not in left:
                return None
            left.remove(atom)
        if factor % times:
            return None
        part: Form = ((tuple(left), factor // times),)
        found, a = _plus(found, part), _plus(a, _times(_multiplied(b, part), -1))
    return found


class Remembering:
    """What is no plain number, and can be computed with as with one."""

    __slots__ = ()

    if TYPE_CHECKING:
        table: Any

        def __neg__(self) -> Any: ...
        def __pos__(self) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...

    def greatest(self, values: Sequence[Any]) -> Any:
        """The largest of some numbers; what they are compared for are conditions."""
        return max(values)

    def least(self, values: Sequence[Any]) -> Any:
        """The smallest of them."""
        return min(values)

    def below(self, other: Any) -> Any:
        """1 where it is below another number, else 0."""
        return int(self < other)

    def by_rows(self, key: object, values: Sequence[Any], function: Callable[[Any], Any]) -> Any:
        """What a function finds of some whole numbers, if they are columns: see :mod:`archlens.columns`."""
        raise NotImplementedError


class Real(Remembering):
    """A number that need not be whole, for each of many configurations: see :mod:`archlens.columns`."""

    __slots__ = ()

    if TYPE_CHECKING:
        form: int

    def truncated(self) -> Any:
        """Rounded towards 0."""
        raise NotImplementedError

    def is_integer(self) -> bool:
        """Whether it is whole."""
        raise NotImplementedError


def greatest(values: Sequence[Any]) -> Any:
    """The largest of some numbers, be they of many sizes at once."""
    return next((one for one in values if isinstance(one, Remembering)), _PLAIN).greatest(values)


def least(values: Sequence[Any]) -> Any:
    """The smallest of some numbers, be they of many sizes at once."""
    return next((one for one in values if isinstance(one, Remembering)), _PLAIN).least(values)


def truncated(value: Any) -> Any:
    """A number rounded towards 0."""
    return value.truncated() if isinstance(value, Number | Real) else int(value)


def below(value: Any, other: Any) -> Any:
    """1 where a number is below another, else 0."""
    if isinstance(value, Remembering):
        return value.below(other)
    return 1 - other.below(value) - (value == other) if isinstance(other, Remembering) else int(value < other)


_PLAIN = Remembering()


class Number(Remembering):
    """A whole number as it is at the point of its table, and the form that it has at every size.

    Where its value itself is asked for, as by ``range`` or as the key of a dictionary, that is a condition,
    too. As text it is its form.
    """

    __slots__ = ("form", "table")

    def __init__(self, table: Table, form: Form) -> None:
        self.table: Table = table
        self.form = form

    @property
    def value(self) -> int:
        """What it is at the point."""
        return self.table.value(self.form)

    def pinned(self, why: str) -> int:
        """Its value alone, which is noted: what computes with that, and so is of one size."""
        self.table.pins[why] = None
        return self._pinned()

    def _pinned(self) -> int:
        """Its value, with the condition that it has no other."""
        self._less(self.value, ZERO)
        return self.value

    def _less(self, other: Any, relation: str) -> Any:
        """Whether what is left when ``other`` is taken away is below 0, or 0."""
        form = _of(other)
        if form is None:
            exact = self._pinned() - other
            return exact < 0 if relation == BELOW else exact == 0
        form = minus(self.form, form)
        if is_constant(form):
            value = form[0][1] if form else 0
            return value < 0 if relation == BELOW else value == 0
        return (self.table.is_below if relation == BELOW else self.table.is_zero)(form)

    def __add__(self, other: Any) -> Any:
        form = _of(other)
        return self._pinned() + other if form is None else self.table.number(_plus(self.form, form))

    __radd__ = __add__

    def __neg__(self) -> Any:
        return self.table.number(_times(self.form, -1))

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return -self if self < 0 else self

    def __sub__(self, other: Any) -> Any:
        return self + -other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __mul__(self, other: Any) -> Any:
        form = _of(other)
        return self._pinned() * other if form is None else self.table.number(_multiplied(self.form, form))

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        if isinstance(other, Number):
            return _quotient(self, other)
        if not isinstance(other, int):
            return self._pinned() // other
        return self.table.number(self.table.quotient(self.form, int(other)))

    def __rfloordiv__(self, other: Any) -> Any:
        return _quotient(other, self) if isinstance(other, int) else other // self._pinned()

    def __mod__(self, other: Any) -> Any:
        return self - self // other * other

    def __rmod__(self, other: Any) -> Any:
        return other - other // self * self

    def __divmod__(self, other: Any) -> Any:
        quotient = self // other
        return quotient, self - quotient * other

    def __rdivmod__(self, other: Any) -> Any:
        quotient = other // self
        return quotient, other - quotient * self

    def __pow__(self, other: Any) -> Any:
        if not isinstance(other, int) or other < 0:
            return self._pinned() ** other
        found: Any = 1
        for _ in range(other):
            found = found * self
        return found

    def __rpow__(self, other: Any) -> Any:
        return other ** self._pinned()

    def __truediv__(self, other: Any) -> Any:
        return self._pinned() / other

    def __rtruediv__(self, other: Any) -> Any:
        return other / self._pinned()

    def __lshift__(self, other: Any) -> Any:
        return int(self) << other

    def __rlshift__(self, other: Any) -> Any:
        return other << int(self)

    def __rshift__(self, other: Any) -> Any:
        return int(self) >> other

    def __rrshift__(self, other: Any) -> Any:
        return other >> int(self)

    def __lt__(self, other: Any) -> Any:
        return self._less(other, BELOW)

    def __ge__(self, other: Any) -> Any:
        return not self._less(other, BELOW)

    def __le__(self, other: Any) -> Any:
        return not -self < -other

    def __gt__(self, other: Any) -> Any:
        return -self < -other

    def __eq__(self, other: object) -> Any:
        if isinstance(other, float):
            return other.is_integer() and self._less(int(other), ZERO)
        return self._less(other, ZERO) if isinstance(other, int | Number) else NotImplemented

    def __ne__(self, other: object) -> Any:
        return not self == other

    def __bool__(self) -> bool:
        return not self._less(0, ZERO)

    def __hash__(self) -> int:
        return hash(self._pinned())

    def __index__(self) -> int:
        return self._pinned()

    __int__ = __trunc__ = __index__

    def __float__(self) -> float:
        return float(self._pinned())

    def __floor__(self) -> Any:
        return self

    __ceil__ = __floor__

    def __round__(self, digits: SupportsIndex | None = None) -> Any:
        return self

    def truncated(self) -> Any:
        """Itself."""
        return self

    def bit_length(self) -> int:
        """How many bits it has at the point, for bounds that no size comes near."""
        return self.value.bit_length()

    def __repr__(self) -> str:
        return repr(self.value)

    def __format__(self, how: str) -> str:
        return format(self.value, how)


def _quotient(dividend: Any, divisor: Number) -> Any:
    """How often one number fits into another: a form where nothing is left; else where it does so often."""
    exact = _divided(form_of(dividend), divisor.form) if isinstance(dividend, Number) else None
    if exact is not None and divisor > 0:
        return divisor.table.number(exact)
    value = int(dividend.value if isinstance(dividend, Number) else dividend) // divisor.value
    if divisor > 0:
        rest = dividend - value * divisor
        if 0 <= rest < divisor:
            return value
    return int(dividend) // divisor._pinned()


def _of(other: Any) -> Form | None:
    """The form of a number; ``None`` where it is not whole."""
    if isinstance(other, Number):
        return other.form
    if isinstance(other, float) and other.is_integer():
        return _constant(int(other))
    return _constant(int(other)) if isinstance(other, int) else None


class Filled(str):
    """A text in which numbers stand that remember how they were made; as text, those at the point.

    Whoever takes one reads the numbers in the place of their digits: else what it says is of one size.
    """

    #: Where in the text each number stands.
    numbers: dict[int, Number]

    @classmethod
    def of(cls, parts: Sequence[Any]) -> Filled:
        """A text of texts and numbers, one after the other."""
        found = cls("".join(map(str, parts)))
        found.numbers, place = {}, 0
        for part in parts:
            if isinstance(part, Number):
                found.numbers[place] = part
            place += len(str(part))
        return found

    @property
    def key(self) -> tuple[object, ...]:
        """The same without what its numbers are at the point."""
        parts: list[object] = [Filled]
        end = 0
        for place, number in self.numbers.items():
            parts += [self[end:place], number.form]
            end = place + len(str(number))
        return (*parts, self[end:])


def remembers(value: Any) -> bool:
    """Whether a value, or something in a list, is or holds a number that remembers how it was made."""
    if isinstance(value, tuple):
        return any(map(remembers, value))
    return isinstance(value, Remembering | Filled)


def sizes_only(values: Sequence[Any]) -> bool:
    """Whether whoever computes with some of these numbers looks at sizes alone, and not at what is seen."""
    return any(value.table.asks is not None for value in values if isinstance(value, Number))


def keyed(value: Any) -> Any:
    """A value as a key that asks nothing of numbers: forms in their place; 1, 1.0 and true are told apart."""
    if isinstance(value, Number | Real):
        return Number, value.form
    if isinstance(value, Filled):
        return value.key
    if isinstance(value, tuple):
        return (type(value), *getattr(value, "__dict__", {}).values(), *map(keyed, value))
    return type(value), value


def form_of(number: Any) -> Form:
    """The form of a number that was computed, which may have come out as a plain one."""
    return number.form if isinstance(number, Number) else _constant(number)
