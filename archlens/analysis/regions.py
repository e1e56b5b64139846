"""Which sizes some conditions hold on, and what a function says on all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, pairwise, product
from math import inf, lcm, prod
from typing import Any, NamedTuple

from ..formulas import BELOW, ZERO, Condition, Form, Product, Table, primitive

#: How many points are tried to find one on which conditions on several letters hold, and of each letter;
#: and how many once that was in vain, so that not all can be told any more.
_TRIED, _EACH, _TRIED_LATER = 40_000, 64, 1_000

#: How many conditions tell answers apart, one within the other. An op that answers otherwise on each size has
#: one for each of them.
_DEEPEST = 500

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
            if condition in self.joint:
                return self
            if condition.turned in self.joint:
                return None
            return self._replace(conditions=(*self.conditions, condition), joint=(*self.joint, condition))
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
        left = most
        sums, others = _sums(self, table)
        for masks in _boxes(self, sums):
            bits = prod([mask.bit_count() for mask in masks])
            each = _EACH if bits > left else None
            columns = [
                _some(mask, sizes.start, each if self.joint else 1)
                for mask, sizes in zip(masks, table.sizes, strict=True)
            ]
            for point in islice(product(*columns), left):
                if all(one.is_true(point) for one in sums):
                    table.point = point
                    if all(condition.is_true(table) for condition in others):
                        return True
            left -= bits
            if left < 0:
                return False
        return None


def _some(mask: int, first: int, most: int | None) -> Sequence[int]:
    """The smallest and the largest sizes of a mask, so many at most in all."""
    found = _sizes(mask, first)
    if most is None or len(found) <= most:
        return found
    if most == 1:
        return found[:1]
    return [*found[: most // 2], *found[-(most // 2) :]]


#: The most boxes that conditions on two letters cut a region into.
_BOXES = 4096


class _Sum(NamedTuple):
    """A condition on the sum of what is made of one letter and of what is made of another, as two columns."""

    relation: str
    holds: bool
    #: Both letters, and the first size of each.
    letters: tuple[int, int]
    first: tuple[int, int]
    columns: tuple[list[int], list[int]]

    def is_true(self, point: tuple[int, ...]) -> bool:
        """Whether it is so at a point."""
        (a, b), (start, other), (left, right) = self.letters, self.first, self.columns
        value = left[point[a] - start] + right[point[b] - other]
        return (value < 0 if self.relation == BELOW else value == 0) is self.holds

    def may_hold(self, box: tuple[int, ...], ends: dict[tuple[int, int], tuple[int, int]]) -> bool:
        """Whether it can hold in a box; ``ends`` are those of columns that were looked for."""
        low = high = 0
        for letter, column in zip(self.letters, self.columns, strict=True):
            key = id(column), box[letter]
            found = ends.get(key)
            if found is None:
                sizes = _sizes(box[letter], 0)
                within = (
                    column[sizes.start : sizes.stop]
                    if isinstance(sizes, range)
                    else [column[size] for size in sizes]
                )
                found = ends[key] = min(within), max(within)
            low, high = low + found[0], high + found[1]
        if self.relation == BELOW:
            return low < 0 if self.holds else high >= 0
        return low <= 0 <= high if self.holds else not low == high == 0


def _sums(region: Region, table: Table) -> tuple[list[_Sum], list[Condition]]:
    """The conditions of a region that are such sums, and those that are not."""
    sums, others = [], []
    for condition in region.joint:
        found = _parts(condition.form, table)
        if found is None:
            others.append(condition)
            continue
        letters, columns = found
        first = table.sizes[letters[0]].start, table.sizes[letters[1]].start
        sums.append(_Sum(condition.relation, condition.holds, letters, first, columns))
    return sums, others


def _boxes(region: Region, sums: Sequence[_Sum]) -> list[tuple[int, ...]]:
    """Parts of a region outside of which conditions on the sums of two letters do not hold."""
    boxes = [region.masks]
    for one in sums:
        if (one.relation, one.holds) == (ZERO, True) and len(boxes) <= _BOXES:
            boxes = [part for box in boxes for part in _equal(box, one)]
    ends: dict[tuple[int, int], tuple[int, int]] = {}
    return [box for box in boxes if all(one.may_hold(box, ends) for one in sums)]


def _parts(form: Form, table: Table) -> tuple[tuple[int, int], tuple[list[int], list[int]]] | None:
    """A sum of what is made of one letter and of what is made of another, as two columns."""
    found: dict[int, list[tuple[tuple[int, ...], int]]] = {}
    for atoms, factor in form:
        letters = table.of(((atoms, 1),))
        if letters & (letters - 1):
            return None
        found.setdefault(letters.bit_length() - 1, []).append((atoms, factor))
    constant = found.pop(-1, [])
    if len(found) != 2:
        return None
    (a, left), (b, right) = found.items()
    return (a, b), (table.values((*constant, *left), a), table.values(tuple(right), b))


def _equal(box: tuple[int, ...], one: _Sum) -> Iterator[tuple[int, ...]]:
    """The parts of a box on which a sum is 0."""
    (a, b), (left, right) = one.letters, one.columns
    there: dict[int, int] = {}
    for size in _sizes(box[b], 0):
        there[-right[size]] = there.get(-right[size], 0) | 1 << size
    here: dict[int, int] = {}
    for size in _sizes(box[a], 0):
        if left[size] in there:
            here[left[size]] = here.get(left[size], 0) | 1 << size
    for value, mask in here.items():
        yield tuple([mask if i == a else there[value] if i == b else part for i, part in enumerate(box)])


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

    def tree(self, region: Region, ask: Callable[[], Any], agree: Callable[[Any, Any, Region], bool]) -> Tree:
        """What a function answers on a region, first at the point of the table.

        Answers that agree are taken for one, whatever was compared for them.

        Args:
            region: where it is asked.
            ask: answers at the point of the table.
            agree: whether an answer says on a region what another says that was given there.

        Raises:
            TooManyError: it was asked too often, or by too many conditions one within the other.
        """
        self.left -= 1
        if self.left < 0 or self.depth > _DEEPEST:
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
            found = self.stand(there)
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


def united(regions: Sequence[Region]) -> list[Region]:
    """The same sizes in fewer regions, where some differ along one letter only."""
    found = [*dict.fromkeys(Region(region.masks, (), region.joint) for region in regions)]
    merged = True
    while merged:
        merged = False
        for i, one in enumerate(found):
            for k in range(i + 1, len(found)):
                other = found[k]
                differ = [n for n, (a, b) in enumerate(zip(one.masks, other.masks, strict=True)) if a != b]
                if one.joint == other.joint and len(differ) <= 1:
                    masks = tuple([a | b for a, b in zip(one.masks, other.masks, strict=True)])
                    found[i] = Region(masks, (), one.joint)
                    del found[k]
                    merged = True
                    break
            if merged:
                break
    return found


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
