"""What is done with each part of a search, wherever that is: its figures, and what of it is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..bounds import allowing
from ..columns import Domain
from ..library import Found
from .conditions import Condition
from .evaluating import LATER, Part, Source, Wanted, evaluated, one_by_one
from .space import Space

if TYPE_CHECKING:
    from ..dialects import Meant

#: How many configurations that are laid out one by one are looked at between two reports of how far it is.
_STEP = 64


class Kept(NamedTuple):
    """What is kept of some configurations, and how many they were."""

    looked: int
    #: How many of them keep the limits.
    held: int
    #: The numbers of those that are kept.
    rows: Any
    #: The values of each figure for each of these: numbers; numbers along axes; ``None`` where it is unknown.
    figures: tuple[Any, ...]
    #: Why these cannot be had; empty where they can.
    refused: str = ""


@dataclass(frozen=True, eq=False)
class Task:
    """A search, of which each part can be done by itself: ``[*task.parts(domain)]``.

    It can be pickled, and so be run by whatever runs functions elsewhere.
    """

    meant: Meant
    space: Space
    figures: tuple[Wanted, ...]
    conditions: tuple[Condition, ...]
    #: Whether what is refused is kept, with why.
    refusals: bool
    #: The input of all, where it is given; and values of params of all.
    input: Any
    values: Mapping[str, Any]
    #: How many layers a network may have.
    most: int
    #: The types of weights and of activations on a board.
    types: tuple[str, str]

    @cached_property
    def source(self) -> Source:
        """What networks are made of."""
        return Source(self.meant, self.space, self.input, self.values, self.types)

    @cached_property
    def _needed(self) -> list[tuple[int, ...]]:
        return [tuple([self.figures.index(one) for one in c.needs]) for c in self.conditions]

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name in self.__dataclass_fields__}

    def __call__(self, domain: Domain) -> list[Kept]:
        """All that is found of some configurations."""
        return [*self.parts(domain)]

    def parts(self, domain: Domain) -> Iterator[Kept]:
        """What is found of some configurations, part by part."""
        with allowing(self.most):
            for part in evaluated(self.source, self.figures, domain, reasons=self.refusals):
                yield from self._kept(part)

    def _kept(self, part: Part) -> Iterator[Kept]:
        if part.refused:
            rows = part.rows if self.refusals else part.rows[:0]
            yield Kept(len(part.rows), 0, rows, part.figures, part.refused)
            return
        keep = np.ones(len(part.rows), bool)
        for condition, needed in zip(self.conditions, self._needed, strict=True):
            here = [part.figures[number] for number in needed]
            if all(value is not LATER for value in here):
                keep &= condition.holds(here) if all(value is not None for value in here) else False
        rows = part.rows[keep]
        if all(value is not LATER for value in part.figures):
            yield Kept(len(part.rows), len(rows), rows, _taken(part.figures, keep))
            return
        yield Kept(len(part.rows) - len(rows), 0, rows[:0], (None,) * len(self.figures))
        for start in range(0, len(rows), _STEP):
            for one in one_by_one(self.source, self.figures, rows[start : start + _STEP]):
                yield from self._kept(one)

    @cached_property
    def digest(self) -> str:
        """What two searches have in common that find the same."""
        meant: Any = self.source.base
        if isinstance(self.meant, Found):
            meant = [*self.meant.spec.texts, self.meant.variant]
        elif meant is not None:
            meant = meant.inputs, [(layer.name, layer.inputs, layer.op) for layer in meant]
        asked = (
            self.figures,
            self.conditions,
            self.refusals,
            self.input,
            sorted(self.values.items()),
            self.most,
            self.types,
        )
        return sha256(repr((meant, self.space.key, asked)).encode()).hexdigest()


def _taken(values: Sequence[Any], keep: Any) -> tuple[Any, ...]:
    return tuple(
        [
            value
            if value is None
            else tuple([one[keep] for one in value])
            if isinstance(value, tuple)
            else value[keep]
            for value in values
        ]
    )
