"""What a search varies: ``alpha=0.25..1.5:0.05``, ``input=96..320:32``, ``depths=[1..4, 3, 4, 1..3]``.

``depths=[1..4, ...]`` is a list as long as the network's own, whose further items are varied as the last.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np

from ..bounds import MAX_SIZE
from ..columns import Block, Domain
from ..elaboration.inputs import SHAPE_HELP, read_shape
from ..errors import shorten, usage
from ..ops.op import as_written

#: The name of what is varied where it is the size of the input, and no param.
INPUT = "input"

#: The most configurations of one search, and the most values along one axis.
MOST, MOST_VALUES = 20_000_000, 1_000_000

#: How many configurations are computed together.
_TOGETHER = 1 << 17

#: How long a number is read as such.
_DIGITS = 30

#: The largest number that is computed with others; a larger one is a text as any.
_LARGEST = 10**15

_NUMBER = r"[+-]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?"
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\.?\s*({_NUMBER})(?:\s*:\s*({_NUMBER}))?")

_HELP = "as in alpha=0.25..1.5:0.05, depths=[1..4, 2, 6, 2] or block=basic,bottleneck"


class Axis(NamedTuple):
    """One thing that is varied."""

    #: A param, or :data:`INPUT`; parts of a list have its name.
    name: str
    #: Whole and real numbers, texts, tuples of them; for the input sizes or shapes.
    values: tuple[Any, ...]


#: A value that is an axis by its number, or a tuple of such; or a fixed one.
Tree = Any


class _At(NamedTuple):
    """The place of an axis in a value, or of an item of what varies along it."""

    axis: int
    item: int | None = None


class Space:
    """All configurations: each combination of a value along each axis, or some of them drawn.

    Args:
        vary: the texts of what is varied, by name; or lists of values.
        sample: how many configurations are drawn, where not all are meant.
        seed: of what is drawn.
        own: the network's own value of a param, as long as which a list with ``...`` is; ``None`` of what is
            none.

    Raises:
        UsageError: one is no list of values, or there are too many configurations.
    """

    def __init__(
        self,
        vary: Mapping[Any, Any],
        *,
        sample: int | None = None,
        seed: int = 0,
        own: Callable[[str], Any] = lambda name: None,
    ) -> None:
        if not vary:
            raise usage("nothing is varied", help=f"--vary, {_HELP}")
        self.axes: list[Axis] = []
        self._columns: dict[tuple[int, tuple[int, ...], type], Any] = {}
        #: The axes whose values are of one kind, whose columns are known.
        self._alike: set[int] = set()
        #: The value of each thing that is varied.
        self.trees: dict[str, Tree] = {}
        for name, given in vary.items():
            if isinstance(name, tuple):
                self._together(name, given)
            else:
                self.trees[name] = self._read(name, given, own)
        self.total = prod([len(axis.values) for axis in self.axes])
        if sample is None and self.total > MOST:
            raise usage(
                f"these are {self.total:,} configurations, more than the {MOST:,} that are searched",
                help="fewer values, or --sample N draws N of them",
            )
        if sample is not None and not 1 <= sample <= MOST:
            raise usage(f"from 1 to {MOST:,} configurations can be drawn, not {sample:,}")
        self._drawn: Any = None
        if sample is not None:
            draw = np.random.default_rng(seed)
            columns = [draw.integers(len(axis.values), size=sample) for axis in self.axes]
            self._drawn = np.stack(columns, 1).astype(np.int64)
        #: By what the place along each axis is multiplied for the number of a configuration.
        self.radix = tuple(
            [prod([len(axis.values) for axis in self.axes[n + 1 :]]) for n in range(len(self.axes))]
        )
        self.count = self.total if sample is None else sample

    def _read(self, name: str, given: Any, own: Callable[[str], Any]) -> Tree:
        if isinstance(given, str):
            items = _split(given.strip(), name)
            if name != INPUT and len(items) == 1 and items[0].startswith("["):
                return self._list(name, items[0], own(name))
            values = [value for item in items for value in _values(item, name)]
        elif isinstance(given, Sequence | range) or hasattr(given, "tolist"):
            if len(given) > MOST_VALUES:
                raise _too_many(name, len(given))
            values = [_plain(value) for value in getattr(given, "tolist", lambda: given)()]
        else:
            raise usage(f"what {shorten(name)} is varied over is not a list of values", help=_HELP)
        if name == INPUT:
            values = [_input(value) for value in values]
        return self._axis(name, values)

    def _together(self, names: tuple[str, ...], given: Any) -> None:
        """What varies together: a row of values for each configuration."""
        rows: Any = given if isinstance(given, Sequence) and len(given) <= MOST else None
        even = rows and {*map(type, rows)} == {tuple} and {*map(len, rows)} == {len(names)}
        columns = [_numbers([*column]) for column in zip(*rows, strict=True)] if even else [None]
        if any(column is None for column in columns):  # the numbers are not all of one kind
            rows = [_plain(row) for row in rows] if rows is not None else None
            columns = []
        if rows is None or not all(isinstance(row, tuple) and len(row) == len(names) for row in rows):
            raise usage(
                f"{shorten(', '.join(names))} vary together: they have a list of rows, a value for each"
            )
        if not rows:
            raise usage(f"{shorten(', '.join(names))} are varied over nothing")
        self.axes.append(Axis(", ".join(names), tuple(rows)))
        for item, column in enumerate(columns):
            self._alike.add(len(self.axes) - 1)
            for path, values in column or ():
                kind = float if values.dtype == np.float64 else int
                self._columns[len(self.axes) - 1, (item, *path), kind] = values
        for item, name in enumerate(names):
            self.trees[name] = _At(len(self.axes) - 1, item)
            if name == INPUT:
                for row in rows:
                    _input(row[item])

    def _list(self, name: str, text: str, own: Any = None) -> Tree:
        """A list, each item of which may be varied by itself; ``own`` is that in whose place it stands."""
        found: list[Any] = []
        for item in _completed(_split(_inside(text, name), name), name, own):
            found.append(self._list(name, item) if item.startswith("[") else self._item(name, item))
        return tuple(found)

    def _item(self, name: str, item: str) -> Tree:
        values = [*_values(item, name)]
        return self._axis(name, values) if len(values) > 1 else values[0]

    def _axis(self, name: str, values: Sequence[Any]) -> _At:
        if not values:
            raise usage(f"{shorten(name)} is varied over nothing", help=_HELP)
        if len(values) > MOST_VALUES:
            raise _too_many(name, len(values))
        self.axes.append(Axis(name, tuple(values)))
        return _At(len(self.axes) - 1)

    # --- configurations -----------------------------------------------------------------------

    def picks(self, rows: Any) -> Any:
        """The places along all axes of configurations by their numbers."""
        if self._drawn is not None:
            return self._drawn[rows]
        sizes = np.array([len(axis.values) for axis in self.axes], np.int64)
        return rows[:, None] // np.array(self.radix, np.int64) % sizes

    def said(self, row: int) -> str:
        """A configuration as one gives it: ``alpha=0.5, input=96``."""
        (picks,) = self.picks(np.array([row], np.int64))
        return ", ".join(f"{name}={as_written(self.value(name, picks))}" for name in self.trees)

    @property
    def key(self) -> Any:
        """What two have in common whose configurations are the same, in the same order."""
        drawn = None if self._drawn is None else self._drawn.tobytes()
        return self.axes, self.trees, drawn

    def domains(self, most: int = _TOGETHER) -> Iterator[Domain]:
        """The configurations in parts within which numbers differ alone, and of at most so many."""
        kinds = [
            [None] * len(axis.values) if number in self._alike else [kind_of(value) for value in axis.values]
            for number, axis in enumerate(self.axes)
        ]
        if self._drawn is not None:
            yield from self._drawn_domains(kinds, most)
            return
        parts = []
        for number, known in enumerate(kinds):
            grouped: dict[Any, list[int]] = {}
            for place, kind in enumerate(known):
                grouped.setdefault(kind, []).append(place)
            parts.append([Block((number,), np.array(one, np.int64)[:, None]) for one in grouped.values()])
        for blocks in product(*parts):
            yield from _cut(blocks, most)

    def _drawn_domains(self, kinds: list[list[Any]], most: int) -> Iterator[Domain]:
        count = len(self._drawn)
        group = np.zeros(count, np.int64)
        for number, known in enumerate(kinds):
            places = {kind: place for place, kind in enumerate(dict.fromkeys(known))}
            of = np.array([places[kind] for kind in known], np.int64)
            group = np.unique(group * len(places) + of[self._drawn[:, number]], return_inverse=True)[1]
        rows = np.hstack([self._drawn, np.arange(count)[:, None]])
        for number in range(int(group.max()) + 1):
            one = Block(tuple(range(len(self.axes) + 1)), rows[group == number])
            yield from _cut((one,), most)

    @property
    def places(self) -> tuple[int, ...]:
        """What the places of a configuration are multiplied by to have its number; see :meth:`domains`."""
        return self.radix if self._drawn is None else (*(0,) * len(self.axes), 1)

    def values(self, tree: Tree, value: Any) -> Any:
        """A tree with the value of each axis in it: ``value(axis)``."""
        if isinstance(tree, _At):
            return value(tree.axis) if tree.item is None else value(tree.axis)[tree.item]
        return tuple([self.values(one, value) for one in tree]) if type(tree) is tuple else tree

    def value(self, name: str, picks: Sequence[int]) -> Any:
        """The value that something has in one configuration, of which these are the places."""
        return self.values(self.trees[name], lambda axis: self.axes[axis].values[picks[axis]])

    def numbers(self, tree: Tree) -> Any:
        """What varies along one axis as an array; ``None`` where these are no numbers."""
        if not isinstance(tree, _At):
            return None
        values = [one if tree.item is None else one[tree.item] for one in self.axes[tree.axis].values]
        return np.array(values) if all(type(one) in (int, float) for one in values) else None

    def column(self, axis: int, path: tuple[int, ...] = (), kind: type = int) -> Any:
        """The values of a kind along an axis, or those of an item of them; 0 in place of others."""
        found = self._columns.get((axis, path, kind))
        if found is None:
            values: Sequence[Any] = self.axes[axis].values
            for item in path:
                values = [one[item] if type(one) is tuple and item < len(one) else 0 for one in values]
            values = [one if kind_of(one) is kind else 0 for one in values]
            found = self._columns[axis, path, kind] = np.array(
                values, np.float64 if kind is float else np.int64
            )
        return found


def _numbers(values: list[Any]) -> list[tuple[tuple[int, ...], Any]] | None:
    """Numbers of one kind, or lists of as many each, as arrays with where they stand; else ``None``."""
    kinds = {*map(type, values)}
    if kinds == {int}:
        return [((), np.array(values, np.int64))] if max(map(abs, values)) <= _LARGEST else None
    if kinds == {float}:
        return [((), np.array(values))] if np.isfinite(values).all() else None
    if kinds != {tuple} or len({*map(len, values)}) != 1:
        return None
    found = [_numbers([*column]) for column in zip(*values, strict=True)]
    if not all(one is not None and len(one) == 1 and not one[0][0] for one in found):
        return None
    return [((item,), one[0][1]) for item, one in enumerate(found) if one is not None]


def kind_of(value: Any) -> Any:
    """What values have in common that are computed together."""
    if isinstance(value, tuple):
        return (tuple, *map(kind_of, value))
    if type(value) is int and abs(value) <= _LARGEST:
        return int
    return float if type(value) is float else (type(value), value)


def _cut(domain: Domain, most: int) -> Iterator[Domain]:
    """A domain in parts of a size that fits into memory, the first of its rows first."""
    sizes = [len(block.picks) for block in domain]
    if prod(sizes) <= most:
        yield domain
        return
    longest = max(range(len(sizes)), key=sizes.__getitem__)
    count = -(-prod(sizes) // most)
    for part in np.array_split(domain[longest].picks, min(count, sizes[longest])):
        yield from _cut(
            (*domain[:longest], domain[longest]._replace(picks=part), *domain[longest + 1 :]), most
        )


def _split(text: str, name: str) -> list[str]:
    """The items between the commas of a text, those within brackets together."""
    found, start, depth = [], 0, 0
    for place, sign in enumerate(text):
        depth += (sign in "[(") - (sign in "])")
        if depth < 0 or place - start > 100_000:
            break
        if sign == "," and not depth:
            found.append(text[start:place].strip())
            start = place + 1
    found.append(text[start:].strip())
    if depth or not all(found):
        raise usage(f"{shorten(text)} is not a list of values for {shorten(name)}", help=_HELP)
    return found


def _inside(text: str, name: str) -> str:
    if not text.endswith("]"):
        raise usage(f"{shorten(text)} is not a list of values for {shorten(name)}", help=_HELP)
    return text[1:-1]


def _completed(items: list[str], name: str, own: Any) -> list[str]:
    """The items of a list; where the last is ``...``, the one before it as often as the own list is long."""
    if not {"...", "…"} & {*items}:
        return items
    *given, last = items
    if last not in ("...", "…") or not given or {"...", "…"} & {*given}:
        raise usage(
            "... comes after the last item of a list, once", help=f"as in {shorten(name)}=[1..4, ...]"
        )
    if not isinstance(own, list | tuple):
        raise usage(
            f"how long the list is for which ... stands is not known: {shorten(name)} has no list of its own",
            help="write each of its items",
        )
    if len(own) < len(given):
        raise usage(f"{shorten(name)} has {len(own)} items, but {len(given)} come before ...")
    return given + given[-1:] * (len(own) - len(given))


def _values(item: str, name: str) -> Iterator[Any]:
    """The values of one item: a range, a number, a list or a word."""
    found = _RANGE.fullmatch(item)
    if found:
        yield from _range(item, name, *found.groups())
    elif item.startswith("["):
        items = _split(_inside(item, name), name) if item[1:-1].strip() else []
        several = [[*_values(one, name)] for one in items]
        if any(len(one) > 1 for one in several):
            raise usage(
                f"{shorten(item)} is one of several lists, and varied itself",
                help="one list with ranges in it, or several without",
            )
        yield tuple([one for (one,) in several])
    else:
        yield _number(item)


def _number(text: str) -> Any:
    if not re.fullmatch(_NUMBER, text):
        return text
    plain = text.replace("_", "")
    if not re.search(r"[.eE]", plain):
        return int(plain) if len(plain) < _DIGITS else text
    return _finite(float(plain), text)


def _finite(number: float, text: str) -> float:
    if number - number != 0:
        raise usage(f"the number {shorten(text)} is out of range")
    return number


def _range(text: str, name: str, first: str, last: str, step: str | None) -> Iterator[Any]:
    """All numbers of a range, of which decimals are those that one writes."""
    if max(map(len, (first, last, step or ""))) > _DIGITS:
        raise usage(f"the numbers of the range {shorten(text)} are too long")
    ends = [Decimal(one.replace("_", "")) for one in (first, last, step or "1")]
    whole = not any(re.search(r"[.eE]", one) for one in (first, last, step or "1"))
    if not whole and step is None:
        raise usage(f"the range {shorten(text)} has no step", help=f"as in {shorten(first)}..{last}:0.05")
    low, high, by = ends
    if by == 0 or (high - low) / by < 0:
        raise usage(f"the range {shorten(text)} has no values", help="the step leads to the last")
    count = int((high - low) / by) + 1
    if count > MOST_VALUES:
        raise _too_many(name, count)
    for number in range(count):
        value = low + number * by
        yield int(value) if whole else _finite(float(value), text)


def _too_many(name: str, count: int) -> Exception:
    return usage(f"{shorten(name)} has {count:,} values, more than the {MOST_VALUES:,} of one axis")


def _input(value: Any) -> Any:
    """A size for all spatial axes of the input, or its shape."""
    if isinstance(value, str):
        if read_shape(value) is None:
            raise usage(
                f"{shorten(value)} is not an input", help=f"a size, as in input=96..320:32; or {SHAPE_HELP}"
            )
        return value
    if isinstance(value, tuple) or type(value) is not int or not 1 <= value <= MAX_SIZE:
        raise usage(f"{shorten(str(value))} is not a size of an input", help="a whole number from 1 to 10^9")
    return value


def _plain(value: Any) -> Any:
    """A value from Python: lists are tuples."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if isinstance(value, bool | str | None) or (isinstance(value, float) and value - value == 0):
        return value
    if isinstance(value, int):
        return value
    raise usage(
        f"{shorten(repr(value))} is not a value for a param", help="numbers, strings, and lists of them"
    )
