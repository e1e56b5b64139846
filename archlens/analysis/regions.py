"""Which sizes some conditions hold on, and what a function says on all of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, islice, pairwise, product
from math import inf, lcm, prod
from typing import Any, NamedTuple

from ..formulas import BELOW, ZERO, Condition, Form, Product, Table, minus, primitive

#: How many points are tried to find one on which conditions on several letters hold, and of each letter;
#: and how many once that was in vain, so that not all can be told any more.
_TRIED, _EACH, _TRIED_LATER = 40_000, 64, 1_000

#: How many conditions tell answers apart, one within the other. An op that answers otherwise on each size has
#: one for each of them.
_DEEPEST = 100

#: The form of the number 1.
_ONE: Form = (((), 1),)

#: Sizes beyond this are not meant where it is said what holds for all of them.
LARGEST = 10**6


class Region(NamedTuple):
    """The sizes on which conditions hold, one of each letter."""

    #: For each letter the sizes that conditions on it alone leave, as bits.
    masks: tuple[int, ...]
    #: What says so, without what follows from the others on all sizes that are looked at.
    conditions: tuple[Condition, ...] = ()
    #: The conditions on several letters.
    joint: tuple[Condition, ...] = ()

    def where(self, condition: Condition, table: Table) -> Region | None:
        """The part of it on which a condition holds, too; ``None`` where that is nothing."""
        letters = table.of(condition.form)
        if letters & (letters - 1):
            condition = condition._replace(form=self.reduced(condition.form, table))
            low, high = self.between(condition.form, table)
            if condition.relation == BELOW:
                known = True if high < 0 else False if low >= 0 else None
                if known is None and high == 0:  # it is below 0 where it is not 0
                    condition = Condition(primitive(condition.form), ZERO, not condition.holds)
            else:
                known = False if low > 0 or high < 0 else True if low == high else None
            if known is not None:
                return self if known is condition.holds else None
            letters = table.of(condition.form)
        if letters & (letters - 1):
            within = Within(Region(self.masks), table)
            if any(within.follows(condition, other) for other in self.joint):
                return self
            if any(within.follows(condition.turned, other) for other in self.joint):
                return None
            left = [other for other in self.joint if not within.follows(other, condition)]
            return self._replace(conditions=(*self.conditions, condition), joint=(*left, condition))
        letter = letters.bit_length() - 1
        mask = self.masks[letter] & table.mask(condition)
        if mask == self.masks[letter]:
            return self
        if not mask:
            return None
        masks = (*self.masks[:letter], mask, *self.masks[letter + 1 :])
        return Region(masks, (*self.conditions, condition), self.joint)

    def reduced(self, form: Form, table: Table) -> Form:
        """A form without the factors that are above 0 all over it, which has the same sign."""
        for atom in {*form[0][0]}:
            if all(atom in atoms for atoms, _ in form) and self.between((((atom,), 1),), table)[0] > 0:
                return self.reduced(tuple([(_without(atoms, atom), factor) for atoms, factor in form]), table)
        return form

    def between(self, form: Form, table: Table) -> tuple[float, float]:
        """Bounds of a form on it, however large sizes are; infinite where there is none."""
        return Within(self, table).between(form)

    def same(self) -> dict[Product, int]:
        """The products that are one number all over it, as a condition says."""
        found = {}
        for form, relation, holds in self.joint:
            if relation == ZERO and holds and len(form) == 2 and not form[0][0]:
                (_, number), (atoms, factor) = form
                if not number % factor:
                    found[atoms] = -number // factor
        return found

    def contains(self, table: Table) -> bool:
        """Whether the point of a table lies in it, be it beyond the sizes that are looked at."""
        return all(condition.is_true(table) for condition in self.conditions)

    def stand(self, table: Table, most: int = _TRIED) -> bool | None:
        """Let the point of a table lie in it, if one is found; ``None`` where it surely has none.

        Args:
            table: whose point it is.
            most: how many points are tried where conditions on several letters must hold.
        """
        inside = [
            mask >> n - sizes.start & 1
            for mask, n, sizes in zip(self.masks, table.point, table.sizes, strict=True)
        ]
        if all(inside) and all(condition.is_true(table) for condition in self.joint):
            return True
        boxes, left = _boxes(self, table), most
        for masks in boxes.found:
            bits = prod([mask.bit_count() for mask in masks])
            each = _EACH if bits > left else None
            columns = [
                _some(mask, sizes.start, each if boxes.others else 1)
                for mask, sizes in zip(masks, table.sizes, strict=True)
            ]
            for point in islice(product(*columns), left):
                table.point = point
                if all(condition.is_true(table) for condition in boxes.others):
                    return True
            left -= bits
            if left < 0:
                return False
        return None if boxes.whole else False


def _some(mask: int, first: int, most: int | None) -> Sequence[int]:
    """The smallest and the largest sizes of a mask, so many at most in all."""
    found = _sizes(mask, first)
    if most is None or len(found) <= most:
        return found
    if most == 1:
        return found[:1]
    return [*found[: most // 2], *found[-(most // 2) :]]


#: The most boxes that conditions on two letters cut a region into, and the most sizes of a letter in them.
_BOXES, _ALONG = 4096, 4096


class _Boxes(NamedTuple):
    """Parts of a region outside of which conditions on the sums of two letters do not hold."""

    found: list[tuple[int, ...]]
    #: The conditions that may not hold in them, either.
    others: list[Condition]
    #: Whether all sizes were looked at.
    whole: bool


def _boxes(region: Region, table: Table) -> _Boxes:
    sums: dict[tuple[int, int], list[tuple[Condition, Form, Form]]] = {}
    others = []
    for condition in region.joint:
        found = _parts(condition.form, table)
        if found is None:
            others.append(condition)
        else:
            sums.setdefault(found[0], []).append((condition, *found[1:]))
    boxes, whole = [region.masks], True
    for letters, conditions in sums.items():
        if len(boxes) > _BOXES:
            others += [condition for condition, _, _ in conditions]
            continue
        a, b = letters
        rows, columns = [_some(region.masks[letter], 0, _ALONG) for letter in letters]
        whole = whole and all(
            len(tried) == region.masks[letter].bit_count() for tried, letter in ((rows, a), (columns, b))
        )
        bounds = [
            _Bound(one, table.values(left, a), table.values(right, b), columns)
            for one, left, right in conditions
        ]
        boxes = [part for box in boxes for part in _cut(box, letters, rows, bounds)]
    return _Boxes(boxes, others, whole)


class _Bound:
    """A condition on the sum of what is made of one letter and of what is made of another.

    Args:
        condition: on the sum.
        left: what is made of one letter, for each of its sizes.
        right: what is made of the other.
        sizes: which sizes of the other are looked at, by their places.
    """

    def __init__(self, condition: Condition, left: list[int], right: list[int], sizes: Sequence[int]) -> None:
        self.condition = condition
        self.left = left
        places = sorted(sizes, key=right.__getitem__)
        self.values = [right[place] for place in places]
        #: The sizes with the smallest values, as bits: none, one, two of them.
        self.least = [*accumulate([1 << place for place in places], initial=0)]

    def mask(self, size: int) -> int:
        """The sizes of the other letter with which it holds, as bits."""
        value = -self.left[size]
        below = self.least[bisect_left(self.values, value)]
        if self.condition.relation == BELOW:
            return below if self.condition.holds else self.least[-1] & ~below
        equal = self.least[bisect_right(self.values, value)] & ~below
        return equal if self.condition.holds else self.least[-1] & ~equal


def _cut(
    box: tuple[int, ...], letters: tuple[int, int], sizes: Sequence[int], bounds: Sequence[_Bound]
) -> Iterator[tuple[int, ...]]:
    """The parts of a box in which conditions on sums of two letters hold."""
    a, b = letters
    parts: dict[int, int] = {}
    for size in sizes:
        if box[a] >> size & 1:
            mask = box[b]
            for bound in bounds:
                mask &= bound.mask(size)
            if mask:
                parts[mask] = parts.get(mask, 0) | 1 << size
    for there, here in parts.items():
        yield tuple([here if i == a else there if i == b else mask for i, mask in enumerate(box)])


def _parts(form: Form, table: Table) -> tuple[tuple[int, int], Form, Form] | None:
    """A sum of what is made of one letter and of what is made of another; ``None`` for what is none."""
    found: dict[int, list[tuple[Product, int]]] = {}
    for atoms, factor in form:
        letters = table.of(((atoms, 1),))
        if letters & (letters - 1):
            return None
        found.setdefault(letters.bit_length() - 1, []).append((atoms, factor))
    constant = found.pop(-1, [])
    if len(found) != 2:
        return None
    (a, left), (b, right) = sorted(found.items())
    return (a, b), (*constant, *left), tuple(right)


class Within:
    """Forms on a region, bounded one by one or one against another.

    Letters and quotients are what they are at least, and something more of which nothing is known but how
    large it can be: in these a form is a polynomial whose terms are bounded one by one.
    """

    def __init__(self, region: Region, table: Table) -> None:
        self.region = region
        self.table = table
        self._same = region.same() if region.joint else {}
        #: The least and the most that each letter and each quotient can be.
        self._ends: dict[int, tuple[int, float]] = {}
        self._rooms: dict[Product, float] = {}
        self._spread: dict[Form, dict[Product, int]] = {}

    def spread(self, form: Form) -> dict[Product, int]:
        """A form as such a polynomial; its number is that of no factor at all."""
        found: dict[Product, int] = {(): 0}
        for atoms, factor in form:
            if atoms in self._same:
                found[()] += factor * self._same[atoms]
                continue
            part: dict[Product, int] = {(): factor}
            for atom in atoms:
                least = self._of(atom)[0]
                grown: dict[Product, int] = {}
                for term, count in part.items():
                    longer = tuple(sorted((*term, atom)))
                    grown[longer] = grown.get(longer, 0) + count
                    grown[term] = grown.get(term, 0) + count * least
                part = grown
            for term, count in part.items():
                found[term] = found.get(term, 0) + count
        return found

    def room(self, term: Product) -> float:
        """How large such a term is at most, without its factor."""
        found = self._rooms.get(term)
        if found is None:
            spread = [most - least for least, most in map(self._of, term)]
            found = self._rooms[term] = float(prod(spread)) if all(spread) else 0.0
        return found

    def between(self, form: Form) -> tuple[float, float]:
        """Bounds of a form; infinite where there is none."""
        found = self.spread(form)
        low = high = float(found.pop((), 0))
        for term, count in found.items():
            most = count * self.room(term) if count else 0.0
            low, high = low + min(most, 0.0), high + max(most, 0.0)
        return low, high

    def follows(self, condition: Condition, given: Condition) -> bool:
        """Whether one condition surely holds where another does."""
        if condition == given:
            return True
        if (given.relation == ZERO and not given.holds) or condition == given.turned:
            return False
        known = [self._spreads(form) for form in _not_negative(given)]
        every = all if condition.relation == ZERO and condition.holds else any
        return every(
            any(self.is_least(one, self._spreads(form)) for one in known) for form in _not_negative(condition)
        )

    def _spreads(self, form: Form) -> dict[Product, int]:
        found = self._spread.get(form)
        if found is None:
            found = self._spread[form] = self.spread(form)
        return found

    def is_least(self, form: Mapping[Product, int], larger: Mapping[Product, int]) -> bool:
        """Whether one form, spread out, is surely at most another."""
        low: float = larger[()] - form[()]
        if low < 0:
            return False
        for term in {**form, **larger}:
            count = larger.get(term, 0) - form.get(term, 0)
            if count < 0 and term:
                low += count * self.room(term)
        return low >= 0

    def _of(self, atom: int) -> tuple[int, float]:
        found = self._ends.get(atom)
        if found is None:
            found = self._ends[atom] = self._found(atom)
        return found

    def _found(self, atom: int) -> tuple[int, float]:
        made = self.table.made(atom)
        if made is None:
            mask, sizes = self.region.masks[atom], self.table.sizes[atom]
            least = sizes.start + (mask & -mask).bit_length() - 1
            return least, sizes.start + mask.bit_length() - 1 if mask.bit_length() < len(sizes) else inf
        low, high = self.between(made[0])
        if low == -inf:
            return -(LARGEST**4), inf
        return int(low // made[1]), high // made[1] if high < inf else inf


def _not_negative(condition: Condition) -> list[Form]:
    """The forms that a condition says are at least 0: both where it is an equality, one where it is none."""
    form, relation, holds = condition
    other = minus((), form)
    if relation == BELOW:
        return [minus(other, _ONE)] if holds else [form]
    return [form, other] if holds else [minus(form, _ONE), minus(other, _ONE)]


def _without(atoms: tuple[int, ...], atom: int) -> tuple[int, ...]:
    place = atoms.index(atom)
    return (*atoms[:place], *atoms[place + 1 :])


def whole(table: Table) -> Region:
    """All sizes."""
    return Region(table.every)


@lru_cache(4096)
def _sizes(mask: int, first: int) -> Sequence[int]:
    """The sizes of a mask, whose first bit stands for that."""
    start = (mask & -mask).bit_length() - 1
    if mask and not mask >> start & (mask >> start) + 1:  # they follow one another
        return range(first + start, first + mask.bit_length())
    return tuple([size for size, bit in enumerate(bin(mask)[:1:-1], first) if bit == "1"])


class Leaf(NamedTuple):
    """One answer."""

    answer: Any


class Split(NamedTuple):
    """What is answered depends on a condition."""

    condition: Condition
    yes: Tree
    no: Tree


#: Nothing stands where nobody knows whether there is any size at all.
Tree = Leaf | Split | None


class TooManyError(Exception):
    """There are more answers than are looked for."""


class Explorer:
    """Asks a function on every size, as long as it answers otherwise.

    Args:
        table: what the function computes with.
        most: how often it is asked.
    """

    def __init__(self, table: Table, most: int) -> None:
        self.table = table
        self.left = most
        self.depth = 0
        #: Whether conditions on several letters were left of which nobody knows whether they ever hold.
        self.unsure = False
        #: Whether there were more answers, one within the other, than are told apart.
        self.deeper = False

    def tree(self, region: Region, ask: Callable[[], Any], agree: Callable[[Any, Any, Region], bool]) -> Tree:
        """What a function answers on a region, first at the point of the table.

        Answers that agree are taken for one, whatever was compared for them.

        Args:
            region: where it is asked.
            ask: answers at the point of the table.
            agree: whether an answer says on a region what another says that was given there.

        Raises:
            TooManyError: it was asked too often.
        """
        self.left -= 1
        if self.left < 0:
            raise TooManyError
        table = self.table
        table.taken()
        tree: Tree = Leaf(ask())
        others: list[tuple[Condition, Region]] = []
        for condition in table.taken():
            here, there = region.where(condition, table), region.where(condition.turned, table)
            assert here is not None  # the point lies in it
            if there is not None:
                others.append((condition, there))
            region = here
        for condition, there in reversed(others):
            deeper = self.depth >= _DEEPEST
            self.deeper = self.deeper or deeper
            found = False if deeper else self.stand(there)
            if found is None:
                continue
            if not found:
                tree = Split(condition, tree, None)
                continue
            self.depth += 1
            other = self.tree(there, ask, agree)
            self.depth -= 1
            if not isinstance(tree, Leaf) or not all(
                agree(tree.answer, answer, inside) for inside, answer in self.leaves(other, there)
            ):
                tree = Split(condition, tree, other)
        return tree

    def stand(self, region: Region) -> bool | None:
        """Let the point lie in a region, if one is found; ``None`` where it surely has none."""
        found = region.stand(self.table, _TRIED_LATER if self.unsure else _TRIED)
        self.unsure = self.unsure or found is False
        return found

    def leaves(self, tree: Tree, region: Region) -> Iterator[tuple[Region, Any]]:
        """The answers of a tree, each with where it holds; that of the first point first."""
        if tree is None:
            return
        if isinstance(tree, Leaf):
            yield region, tree.answer
            return
        condition, yes, no = tree
        for branch, taken in ((yes, condition), (no, condition.turned)):
            inside = region.where(taken, self.table)
            if inside is not None:
                yield from self.leaves(branch, inside)


def united(regions: Sequence[Region], table: Table) -> list[Region]:
    """The same sizes in fewer regions: two are one that differ along one letter, or by one condition."""
    found = [*dict.fromkeys(Region(region.masks, (), region.joint) for region in regions)]
    i = 0
    while i < len(found):
        for k in range(i + 1, len(found)):
            both = _united(found[i], found[k], table)
            if both is not None:
                found[i] = both
                del found[k]
                i = -1  # which may be one with those before it, too
                break
        i += 1
    return found


def _united(one: Region, other: Region, table: Table) -> Region | None:
    """Two regions as one that holds nothing else; ``None`` where that is not seen."""
    differ = [i for i, (a, b) in enumerate(zip(one.masks, other.masks, strict=True)) if a != b]
    if one.joint == other.joint and len(differ) <= 1:
        masks = tuple([a | b for a, b in zip(one.masks, other.masks, strict=True)])
        return Region(masks, (), one.joint)
    between = [condition for condition in one.joint if condition.turned in other.joint]
    if differ or len(between) != 1:
        return None
    # what else is said of either side must hold on the other one, too
    (condition,) = between
    within = Within(Region(one.masks), table)
    left = [each for each in one.joint if each != condition]
    right = [each for each in other.joint if each != condition.turned]
    for wanted, given in ((left, other.joint), (right, one.joint)):
        if not all(any(within.follows(each, known) for known in given) for each in wanted):
            return None
    return Region(one.masks, (), tuple(dict.fromkeys((*left, *right))))


def settled(table: Table, form: Form, letter: int) -> int | None:
    """After how many sizes the sign of a form repeats beyond the last of them; ``None`` if none is known.

    A form is a polynomial in steps of its period: where its last values and their differences all have one
    sign, that never changes again.
    """
    period, degree = _period(table, form)
    values = table.values(form, letter)
    if (degree + 1) * period > len(values):
        return None
    for start in range(len(values) - period, len(values)):
        row = [values[start - k * period] for k in range(degree + 1)]
        ends = []  # the value, and its differences backward
        while row:
            ends.append(row[0])
            row = [a - b for a, b in pairwise(row)]
        value, changes = ends[0], ends[1:]
        turns = any(change * value < 0 or (change and not value) for change in changes)
        if turns and abs(value) * period < LARGEST * sum(map(abs, changes)):
            return None
    return period


def _period(table: Table, form: Form) -> tuple[int, int]:
    """After how many sizes a form is a polynomial again, and of which degree."""
    period, degree = 1, 0
    for atoms, _ in form:
        power = 0
        for atom in atoms:
            made = table.made(atom)
            inner = (1, 1) if made is None else _period(table, made[0])
            step = inner[0] * (1 if made is None else made[1] ** inner[1])
            period, power = lcm(period, step), power + inner[1]
        degree = max(degree, power)
    return period, degree


class Pattern(NamedTuple):
    """Some of the whole numbers from 1 on."""

    #: Single stretches, from a first to a last one, before what goes on.
    stretches: tuple[tuple[int, int], ...]
    #: From where on it goes on without end; ``None`` where it ends.
    start: int | None
    #: After how many numbers it repeats from there on, and which remainders of that are in it.
    modulus: int = 1
    remainders: tuple[int, ...] = (0,)


def pattern(mask: int, count: int) -> Pattern:
    """What the bits of a mask have in common, of which bit ``i`` stands for ``i + 1``.

    The shortest repetition is taken that covers the last third of them; whether it goes on beyond them, the
    mask does not say.

    >>> pattern(0b1111111110100, 13)
    Pattern(stretches=((3, 3),), start=5, modulus=1, remainders=(0,))
    >>> pattern(0b001001001000, 12)
    Pattern(stretches=(), start=4, modulus=3, remainders=(1,))
    """
    for modulus in range(1, count // 3 + 1):
        rest = (mask ^ mask >> modulus) & ((1 << count - modulus) - 1)
        steady = rest.bit_length()  # from this bit on it repeats
        if count - modulus - steady >= max(modulus, count // 3 - modulus):
            tail = mask >> steady
            if not tail:
                return Pattern(_stretches(mask), None)
            start = steady + 1 + ((tail & -tail).bit_length() - 1)
            found = sorted((steady + 1 + i) % modulus for i in range(modulus) if tail >> i & 1)
            return Pattern(_stretches(mask & ((1 << start - 1) - 1)), start, modulus, tuple(found))
    return Pattern(_stretches(mask), None)


def _stretches(mask: int) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for size in _sizes(mask, 1):
        if found and found[-1][1] == size - 1:
            found[-1] = (found[-1][0], size)
        else:
            found.append((size, size))
    return tuple(found)
