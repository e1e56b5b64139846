"""A search over configurations: which keep within limits, and which of these are the best."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import dialects
from ..analysis.deployment import ACTIVATIONS, WEIGHTS
from ..analysis.figures import QUANTITIES
from ..bounds import allowed
from ..elaboration import own_value
from ..errors import did_you_mean, shorten, usage
from ..library import Found
from . import engines
from .conditions import Condition, figure, read
from .evaluating import SIZES, Wanted
from .keeping import Keeping, keeping
from .space import INPUT, Space
from .task import Kept, Task

if TYPE_CHECKING:
    from ..dialects import Meant
    from .engines import Engine

#: The figures that are found unless others are asked for.
USUAL = ("params", "macs")

#: How many configurations are looked at together where what is done is kept, or done elsewhere; and where
#: figures are among those that are found of each by itself.
_PART, _TRIED = 1 << 14, 1 << 9


class Key(NamedTuple):
    """By what configurations are ordered."""

    name: str
    #: Whether the largest come first.
    descending: bool


@dataclass(frozen=True, eq=False)
class Searched:
    """The configurations that were found, with their figures: rows by number, or columns by name.

    ``pandas.DataFrame(found.columns())`` is a frame of them.
    """

    #: What was searched.
    name: str
    space: Space
    figures: tuple[Wanted, ...]
    conditions: tuple[Condition, ...]
    #: The numbers of the configurations, in their order.
    rows: Any
    #: The values of each figure: whole numbers, or sizes along each axis; and where they are known.
    values: tuple[Any, ...]
    known: tuple[Any, ...]
    #: For each the place of why it is refused among :attr:`reasons`; 0 for what is not.
    refusals: Any
    reasons: tuple[str, ...]
    #: How many configurations were looked at, how many of them were refused, and how many kept the limits.
    looked: int
    refused: int
    held: int

    @property
    def complete(self) -> bool:
        """Whether all configurations were looked at."""
        return self.looked == self.space.count

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each configuration as what varies, its figures (``None`` where unknown), and why it is refused."""
        for start in range(0, len(self), 4096):
            columns = self.part(start, start + 4096).columns()
            for row in zip(*columns.values(), strict=True):
                yield dict(zip(columns, row, strict=True))

    def __getitem__(self, number: int) -> dict[str, Any]:
        """One of them."""
        number = range(len(self))[number]
        return next(iter(self.part(number, number + 1)))

    def part(self, start: int, stop: int) -> Searched:
        """Some of them that follow one another."""
        return self.taken(np.arange(*slice(start, stop).indices(len(self))))

    def taken(self, places: Any) -> Searched:
        """Some of them, in the order of their places."""
        return Searched(
            self.name,
            self.space,
            self.figures,
            self.conditions,
            self.rows[places],
            tuple([one[places] for one in self.values]),
            tuple([one[places] for one in self.known]),
            self.refusals[places],
            self.reasons,
            self.looked,
            self.refused,
            self.held,
        )

    @cached_property
    def picks(self) -> Any:
        """The places of the values of each along all axes."""
        return self.space.picks(self.rows)

    def columns(self) -> dict[str, list[Any]]:
        """A list for each thing that varies and each figure, by name; ``refused`` where something is."""
        found: dict[str, list[Any]] = {}
        picks = self.picks.tolist()
        for name in self.space.trees:
            found[name] = [self.space.value(name, one) for one in picks]
        for wanted, values, known in zip(self.figures, self.values, self.known, strict=True):
            found[wanted.name] = [
                value if is_known else None for value, is_known in zip(values.tolist(), known, strict=True)
            ]
        if self.refusals.any():
            found["refused"] = [self.reasons[one] or None for one in self.refusals]
        return found

    def by(self, name: str) -> Any:
        """The numbers of one column, for an order; and where there are any.

        Raises:
            UsageError: there is no such column, or it has no numbers.
        """
        for wanted, values, known in zip(self.figures, self.values, self.known, strict=True):
            if wanted.name == name:
                if wanted.quantity in SIZES:
                    raise usage(f"{name} has a size along each axis, and no order")
                return values, known
        tree: Any = self.space.trees.get(name)
        numbers = self.space.numbers(tree)
        if numbers is not None:
            return numbers[self.picks[:, tree.axis]], np.ones(len(self), bool)
        names = [*self.space.trees, *(one.name for one in self.figures)]
        if tree is not None:
            raise usage(f"{shorten(name)} has no order", help="its values are not all numbers")
        raise usage(
            f"there is no column {shorten(name)}",
            help=did_you_mean(name, names, otherwise=f"the columns are {', '.join(names)}"),
        )

    def ordered(self, keys: Sequence[Key]) -> Searched:
        """The same in order; what has no number comes last."""
        columns: list[Any] = [np.zeros(len(self), np.int64)]
        for key in reversed(keys):
            values, known = self.by(key.name)
            ranks = np.unique(values, return_inverse=True)[1].ravel()
            columns += [-ranks if key.descending else ranks, ~known]
        return self.taken(np.lexsort(columns))

    def best(self, keys: Sequence[Key]) -> Searched:
        """Those that no other equals or beats in all keys, and beats in one: the Pareto front."""
        chosen = np.ones(len(self), bool)
        ranks = []
        for key in keys:
            values, known = self.by(key.name)
            chosen &= known
            rank = np.unique(values, return_inverse=True)[1].ravel()
            ranks.append(-rank if key.descending else rank)
        places = np.nonzero(chosen & (self.refusals == 0))[0]
        points = np.stack(ranks, 1)[places] if ranks else np.zeros((len(places), 0), np.int64)
        return self.taken(np.sort(places[_front(points)]))


def _front(points: Any) -> Any:
    """Which of some points no other dominates; the smaller along each axis is the better."""
    if not len(points):
        return np.zeros(0, bool)
    unique, back = np.unique(points, axis=0, return_inverse=True)  # in the order of the first, then the next
    if points.shape[1] == 2:
        least = np.minimum.accumulate(unique[:, 1])
        kept = np.ones(len(unique), bool)
        kept[1:] = unique[1:, 1] < least[:-1]
        return kept[back.ravel()]
    if points.shape[1] == 3:
        return np.array(_stairs(unique[:, 1].tolist(), unique[:, 2].tolist()), bool)[back.ravel()]
    kept = np.zeros(len(unique), bool)
    left = np.arange(len(unique))
    while len(left):  # the first of what is left has none before it that dominates it
        first = unique[left[0]]
        kept[left[0]] = True
        left = left[(unique[left] < first).any(1)]
    return kept[back.ravel()]


def _stairs(second: list[int], third: list[int]) -> list[bool]:
    """Which of some pairs none before them is at most, in both; those that are make a staircase.

    Source: Kung, Luccio and Preparata 1975, "On finding the maxima of a set of vectors".
    """
    steps: list[int] = []  # the second numbers of the staircase, rising, and the third, falling
    heights: list[int] = []
    kept = []
    for a, b in zip(second, third, strict=True):
        at = bisect_right(steps, a)
        kept.append(not at or heights[at - 1] > b)
        if kept[-1]:
            start = bisect_left(steps, a)
            stop = start
            while stop < len(steps) and heights[stop] >= b:
                stop += 1
            steps[start:stop], heights[start:stop] = [a], [b]
    return kept


def keys(texts: Sequence[str], *, what: str) -> list[Key]:
    """The keys of an order: names with commas between them, ``-`` before what is the better for being larger.

    Raises:
        UsageError: a name is empty.
    """
    found = []
    for text in texts:
        for part in text.split(","):
            name = part.strip()
            descending = name.startswith("-")
            name = name.lstrip("-+").strip()
            if not name:
                raise usage(f"{what} has an empty name", help=f"as in {what} params,-alpha")
            found.append(Key(name, descending))
    return found


class Asked(NamedTuple):
    """What a search is to find."""

    figures: tuple[Wanted, ...]
    conditions: tuple[Condition, ...]
    pareto: tuple[Key, ...]
    sort: tuple[Key, ...]
    #: The types of weights and of activations on a board.
    types: tuple[str, str]


def asked(
    space: Space,
    where: Sequence[str] = (),
    *,
    figures: Sequence[str] = (),
    pareto: Sequence[str] = (),
    sort: Sequence[str] = (),
    types: tuple[str, str] = ("int8", "int8"),
) -> Asked:
    """What a search is to find, from texts; and the types of weights and of activations on a board.

    Raises:
        UsageError: one is no condition, or names what is neither varied nor a figure; or there is no such
            type.
    """
    for name, known in zip(types, (WEIGHTS, ACTIVATIONS), strict=True):
        if name not in known:
            raise usage(f"there is no {shorten(name)}", help=did_you_mean(name, known))
    conditions = read(where)
    front, order = keys(pareto, what="--pareto"), keys(sort, what="--sort")
    wanted = [need for condition in conditions for need in condition.needs]
    wanted += [figure(key.name) for key in (*front, *order) if key.name not in space.trees]
    wanted += [figure(name.strip()) for text in figures for name in text.split(",")]
    if not figures:
        wanted = [*map(Wanted, USUAL), *wanted]
    keyed = [key._replace(name=_called(key.name, space)) for key in (*front, *order)]
    return Asked(
        tuple(dict.fromkeys(wanted)),
        tuple(conditions),
        tuple(keyed[: len(front)]),
        tuple(keyed[len(front) :]),
        types,
    )


def _called(name: str, space: Space) -> str:
    return name if name in space.trees else figure(name).name


def own_values(name: str) -> Callable[[str], Any]:
    """The values that the params of a network have unless others are given; ``None`` of what is none."""

    def own(param: str) -> Any:
        meant = dialects.find(name)
        return own_value(meant.spec, meant.variant, param) if isinstance(meant, Found) else None

    return own


#: Is told how many configurations were looked at, and how many of them kept the limits.
Progress = Callable[[int, int], None]


def run(
    meant: Meant,
    space: Space,
    wanted: Asked,
    *,
    input: Any = None,
    values: Mapping[str, Any] | None = None,
    progress: Progress = lambda looked, held: None,
    jobs: int = 0,
    engine: str = "",
    keep: str = "",
) -> Searched:
    """Look at all configurations.

    An interruption ends it: what was found so far is what it gives, and says that it is not complete.

    Args:
        meant: the spec, or what else has an input.
        space: the configurations.
        wanted: what is to be found.
        input: the input of all, where it is given.
        values: values for params of all.
        progress: is told how far it is.
        jobs: how many processes look at them; 0 for this one, or with an engine for one on each core.
        engine: what runs these, of :mod:`archlens.searching.engines`; empty for the own ones, or for none.
        keep: a file in which all that is done is written down; where it has something of that, it is not done
            again. Empty for none.

    Raises:
        UsageError: there is no such param, input or engine, or an order has no numbers; or the file is of
            another search.
    """
    task = Task(
        meant,
        space,
        wanted.figures,
        wanted.conditions,
        not wanted.conditions and not wanted.pareto,
        input,
        values or {},
        allowed(),
        wanted.types,
    )
    found = _Finding(task, progress)
    if wanted.pareto or wanted.sort:  # what is wrong with them is said before the work
        found.searched().ordered([*wanted.pareto, *wanted.sort])
    engine = engine or ("processes" if jobs > 1 else "")
    runs = engines.find(engine) if engine else None
    jobs = jobs or os.cpu_count() or 1
    with keeping(keep, task.digest, len(task.figures), space.count) if keep else nullcontext() as kept:
        try:
            if runs is None and kept is None:
                for domain in space.domains():
                    for part in task.parts(domain):
                        found.add(part)
            else:
                _in_parts(task, found, runs, jobs, kept)
        except KeyboardInterrupt:
            pass
    searched = found.searched()
    if wanted.pareto:
        searched = searched.best(wanted.pareto)
    return searched.ordered(wanted.sort or [])


def _in_parts(task: Task, found: _Finding, runs: Engine | None, jobs: int, kept: Keeping | None) -> None:
    """Look at all configurations in parts that are small enough to be done again."""
    tried = any(QUANTITIES[one.quantity].tried for one in task.figures)
    done = kept.done if kept is not None else {}
    left = []
    for number, domain in enumerate(task.space.domains(_TRIED if tried else _PART)):
        if number in done:
            for part in done[number]:
                found.add(part)
        else:
            left.append((number, domain))
    results = runs(task, left, jobs) if runs else ((number, task(domain)) for number, domain in left)
    with closing(results):
        for number, parts in results:
            if kept is not None:
                kept.add(number, parts)
            for part in parts:
                found.add(part)


class _Finding:
    """What was found so far."""

    def __init__(self, task: Task, progress: Progress) -> None:
        self.task = task
        self.progress = progress
        self.name = task.source.name
        self.rows: list[Any] = [np.zeros(0, np.int64)]
        self.values: list[list[Any]] = [[] for _ in task.figures]
        self.known: list[list[Any]] = [[] for _ in task.figures]
        self.refusals: list[Any] = [np.zeros(0, np.int32)]
        self.reasons: dict[str, int] = {"": 0}
        self.looked = self.refused = self.held = 0

    def add(self, part: Kept) -> None:
        """Take up a part of the configurations."""
        self.looked += part.looked
        self.held += part.held
        self.refused += part.looked if part.refused else 0
        if len(part.rows):
            place = self.reasons.setdefault(part.refused, len(self.reasons))
            self._keep(part.rows, part.figures, np.full(len(part.rows), place, np.int32))
        self.progress(self.looked, self.held)

    def _keep(self, rows: Any, values: Sequence[Any], refusals: Any) -> None:
        self.rows.append(rows)
        self.refusals.append(refusals)
        for number, value in enumerate(values):
            self.known[number].append(np.full(len(rows), value is not None))
            if value is None:
                value = np.zeros(len(rows), np.int64)
            elif isinstance(value, tuple):
                several, value = np.stack(value, 1).tolist(), np.empty(len(rows), object)
                value[:] = [tuple(one) for one in several]
            self.values[number].append(value)

    def searched(self) -> Searched:
        """The same in the order of the configurations."""
        rows = np.concatenate(self.rows)
        found = Searched(
            self.name,
            self.task.space,
            self.task.figures,
            self.task.conditions,
            rows,
            tuple([np.concatenate(one) if one else np.zeros(0, np.int64) for one in self.values]),
            tuple([np.concatenate(one) if one else np.zeros(0, bool) for one in self.known]),
            np.concatenate(self.refusals),
            tuple(self.reasons),
            self.looked,
            self.refused,
            self.held,
        )
        return found.taken(np.argsort(rows, kind="stable"))


def widest(space: Space) -> list[Key]:
    """The order in which the largest values come first, those of what was named first above all.

    Raises:
        UsageError: something has values that are no numbers.
    """
    found = []
    for name, tree in space.trees.items():
        if space.numbers(tree) is None:
            values = "sizes" if name == INPUT else "numbers"
            raise usage(f"{shorten(name)} has no largest value", help=f"fit varies only {values}")
        found.append(Key(name, True))
    return found
