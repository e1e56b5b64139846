"""Forms as people write them: as text, in LaTeX, and in Python.

Knows nothing of ops, networks or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .formulas import BELOW, Condition, Form, Table


class Style(NamedTuple):
    """How the parts of a formula are put together."""

    #: Between a number and what it is of, and between two of them.
    times: str
    #: A quotient that is rounded down, of ``{top}`` and ``{by}``; and where the top is more than one term.
    floor: str
    floor_of_sum: str
    #: A name with a number, as ``{letter}`` and ``{number}``.
    name: str
    #: Between the digits of a large number, three by three.
    group: str
    power: str
    #: At least, less than, equal to, unequal.
    relations: tuple[str, str, str, str]


TEXT = Style(
    "*", "floor({top}/{by})", "floor(({top})/{by})", "{letter}{number}", ",", "^", (">=", "<", "=", "!=")
)
LATEX = Style(
    r"\,",
    r"\left\lfloor\frac{{{top}}}{{{by}}}\right\rfloor",
    r"\left\lfloor\frac{{{top}}}{{{by}}}\right\rfloor",
    "{letter}_{{{number}}}",
    r"{,}",
    "^",
    (r"\geq", "<", "=", r"\neq"),
)
PYTHON = Style(
    "*", "({top} // {by})", "(({top}) // {by})", "{letter}{number}", "_", "**", (">=", "<", "==", "!=")
)

#: A polynomial in words: products of names, and their coefficients.
_Terms = dict[tuple[str, ...], int]


class Notation:
    """How the forms of a table are written.

    Args:
        table: what they are made in.
        letters: what its letters are called.
        style: how they are put together.
        sizes: forms of quotients, with something added to each at most, which have a name of their own.
    """

    def __init__(
        self, table: Table, letters: Sequence[str], style: Style = TEXT, sizes: Sequence[Form] = ()
    ) -> None:
        self.table = table
        self.letters = letters
        self.style = style
        #: The names of quotients, each with what is added to that.
        self._names: dict[int, tuple[str, int]] = {}
        #: What each name stands for.
        self.named: dict[str, Form] = {}
        for form in sizes:
            atom = quotient_of(table, form)
            if atom is not None and atom not in self._names:
                name = self._name(atom)
                self._names[atom] = name, dict(form).get((), 0)
                self.named[name] = form

    def _name(self, atom: int) -> str:
        """``H32`` for what is a 32nd of ``H``; where several are, a letter behind it."""
        made = self.table.made(atom)
        assert made is not None
        letters = self.table.of(made[0])
        own = "".join(name for i, name in enumerate(self.letters) if letters >> i & 1)
        name = self.style.name.format(letter=own, number=made[1])
        taken = 0
        while name in self.named:
            taken += 1
            name = self.style.name.format(letter=own, number=f"{made[1]}{_behind(taken)}")
        return name

    def written(self, form: Form, *, spelled: bool = False) -> str:
        """A form with the names of sizes; or ``spelled`` out to the letters."""
        return self._sum(self._terms(form, spelled))

    def _terms(self, form: Form, spelled: bool) -> _Terms:
        terms: _Terms = {}
        for product, factor in form:
            part: _Terms = {(): factor}
            for atom in product:
                part = _times(part, self._atom(atom, spelled))
            for words, count in part.items():
                terms[words] = terms.get(words, 0) + count
        return {words: count for words, count in terms.items() if count}

    def _atom(self, atom: int, spelled: bool) -> _Terms:
        made = self.table.made(atom)
        if made is None:
            return {(self.letters[atom],): 1}
        if atom in self._names and not spelled:
            name, more = self._names[atom]
            return {(name,): 1, (): -more} if more else {(name,): 1}
        form, by = made
        rest = dict(form).get((), 0)
        more = int(2 * rest >= by)  # floor((n - 1)/32) + 1 for floor((n + 31)/32)
        if more:
            left = dict(form) | {(): rest - by}
            form = tuple([item for item in left.items() if item[1]])
        top = self.written(form, spelled=spelled)
        alone = len(form) == 1 and form[0][1] == 1
        said = (self.style.floor if alone else self.style.floor_of_sum).format(top=top, by=by)
        return {(said,): 1, (): 1} if more else {(said,): 1}

    def _sum(self, terms: _Terms) -> str:
        said = ""
        for words, count in sorted(terms.items(), key=lambda term: (-len(term[0]), term[0])):
            term = self._term(words, abs(count))
            if not said:
                said = f"-{term}" if count < 0 else term
            else:
                said += f" - {term}" if count < 0 else f" + {term}"
        return said or "0"

    def _term(self, words: tuple[str, ...], count: int) -> str:
        number = f"{count:,}".replace(",", self.style.group)
        powers = [
            word if times == 1 else f"{word}{self.style.power}{times}"
            for word, times in {word: words.count(word) for word in words}.items()
        ]
        return self.style.times.join([*([number] if count != 1 or not words else []), *powers])

    def condition(self, condition: Condition, *, spelled: bool = False) -> str:
        """A condition: ``H32*W32 = 49``."""
        form, relation, holds = condition
        terms = self._terms(form, spelled)
        constant = terms.pop((), 0)
        left = {words: count for words, count in terms.items() if count > 0}
        right = {words: -count for words, count in terms.items() if count < 0}
        least, less, equal, unequal = self.style.relations
        sign = (less if holds else least) if relation == BELOW else equal if holds else unequal
        if not left and relation == BELOW:  # -a + c < 0 is a >= c + 1
            left, right, constant, sign = right, {}, -constant - 1, least if holds else less
        if constant:
            right[()] = -constant
        return f"{self._sum(left)} {sign} {self._sum(right)}"


def _behind(number: int) -> str:
    """``b`` for the second of some, ``c`` for the third; numbers go on behind these."""
    return chr(ord("a") + number) if number < 26 else f"_{number}"


def _times(a: _Terms, b: _Terms) -> _Terms:
    found: _Terms = {}
    for left, count in a.items():
        for right, more in b.items():
            words = tuple(sorted((*left, *right)))
            found[words] = found.get(words, 0) + count * more
    return found


def quotient_of(table: Table, form: Form) -> int | None:
    """The quotient that a form is, with something added at most; ``None`` where it is none."""
    varying = [(product, factor) for product, factor in form if product]
    if len(varying) != 1 or varying[0][1] != 1 or len(varying[0][0]) != 1:
        return None
    atom = varying[0][0][0]
    return atom if table.made(atom) is not None else None
