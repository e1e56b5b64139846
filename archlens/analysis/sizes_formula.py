"""Which of the inputs that a network takes lose no pixel, as conditions on letters."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import NamedTuple

from ..formulas import Form, form_of, is_constant
from ..geometry import Window
from . import unseen
from .formula import Formula, Piece
from .regions import Region


class SizesFormula(NamedTuple):
    """The inputs of a network with letters."""

    formula: Formula
    #: Where no window leaves positions unseen, as far as windows along one letter go.
    lossless: tuple[Region, ...]
    #: Layers whose windows slide along a size that is made of several letters, which were not looked at: what
    #: they lose is not known.
    several: tuple[str, ...]


def find(formula: Formula) -> SizesFormula:
    """Where no pixel is lost: every position of every map is in some window of the layer that reads it."""
    finding = _Finding(formula)
    return SizesFormula(
        formula,
        tuple([region for piece in formula.pieces for region in finding.kept(piece)]),
        tuple(dict.fromkeys(finding.several)),
    )


class _Finding:
    """Looks at each window once."""

    def __init__(self, formula: Formula) -> None:
        self.table = formula.table
        self.several: list[str] = []
        #: Windows, with what they slide along and the sizes of its letter that are meant: where they lose.
        self.known: dict[tuple[tuple[Form, ...], int], int] = {}

    def kept(self, piece: Piece) -> list[Region]:
        """The regions of a piece without what is lost."""
        taken = [reduce(or_, column) for column in zip(*[one.masks for one in piece.regions], strict=True)]
        kept = [*taken]
        for layer in piece.network:
            for _, n, window in unseen.slid(layer):
                forms = tuple(map(form_of, (n, *window)))
                letters = reduce(or_, map(self.table.of, forms))
                if letters & (letters - 1):
                    self.several.append(layer.name)
                    continue
                letter = max(letters.bit_length() - 1, 0)
                kept[letter] &= ~self.losing(forms, letter, taken[letter])
        found = []
        for region in piece.regions:
            inside = tuple([a & b for a, b in zip(region.masks, kept, strict=True)])
            if all(inside):
                found.append(Region(inside, (), region.joint))
        return found

    def losing(self, forms: tuple[Form, ...], letter: int, taken: int) -> int:
        """At which of some sizes of a letter a window leaves some of ``n`` unseen; the forms are of both."""
        if (forms, taken) in self.known:
            return self.known[forms, taken]
        count = len(self.table.sizes[letter])
        columns = [
            [form[0][1] if form else 0] * count if is_constant(form) else self.table.values(form, letter)
            for form in forms
        ]
        lossy = 0
        known: dict[tuple[int, ...], bool] = {}
        for place, values in enumerate(zip(*columns, strict=True)):
            if taken >> place & 1:
                if values not in known:
                    known[values] = unseen.left_by(Window._make(values[1:]), values[0]) > 0
                lossy |= known[values] << place
        self.known[forms, taken] = lossy
        return lossy
