"""The figures of configurations: of all that have the same layers at once, and one by one what is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import dialects
from ..analysis import sizes
from ..analysis.figures import QUANTITIES, exact
from ..analysis.study import Study
from ..analysis.unknown import Unknown
from ..columns import Columns, Domain, JoinedError, UnsureError, explored
from ..counts import Kind
from ..elaboration import declared_inputs, elaborate
from ..errors import SpecError, UsageError, shorten, usage
from ..formulas import PerhapsError, Remembering, keyed
from ..library import Found
from ..network import Layer, Network, Setting
from ..ops import Facts, Op, ShapeError
from ..ops import ask as ask_op
from ..shape import Shape
from .space import INPUT, Space, kind_of

if TYPE_CHECKING:
    from ..dialects import Meant

#: After how many runs over what answers otherwise configurations are rather laid out one by one.
_RUNS = 64

#: Of how many configurations that are refused alike each is asked why.
_REFUSED = 100

#: The figures that are sizes along each axis.
SIZES = {name for name, figure in QUANTITIES.items() if figure.kind is Kind.SIZE}


class Wanted(NamedTuple):
    """A figure of the network, or of one of its scopes."""

    quantity: str
    scope: str = ""

    @property
    def name(self) -> str:
        """As one writes it: ``params``, ``layer4.params``."""
        return f"{self.scope}.{self.quantity}" if self.scope else self.quantity

    def measured(self, study: Study) -> Any:
        """Its value; unknown where a part is, or where there is no such scope."""
        if self.scope and not study.inside(self.scope):
            return Unknown(f"there is no scope {shorten(self.scope)}")
        return exact(QUANTITIES[self.quantity].measure(study, self.scope))


class _Several(Study):
    """A study of many configurations as one.

    Args:
        network: all of them.
        types: of weights and of activations on a board.
        count: how many they are.
    """

    def __init__(self, network: Network, types: tuple[str, str], count: int) -> None:
        super().__init__(network, types)
        self.count = count

    @cached_property
    def smallest(self) -> tuple[int, ...] | Unknown:
        """The smallest input along each axis, unless each configuration by itself is less work."""
        return sizes.smallest(self.network, worth=self.count)


class Later:
    """Stands for a figure that is found of each configuration by itself."""


LATER = Later()


def _together(wanted: Wanted, study: Study) -> Any:
    """A figure of many configurations, where it can be computed at once."""
    try:
        return wanted.measured(study)
    except (UnsureError, ArithmeticError):
        return LATER


def _added(wanted: Wanted, study: Study, columns: Columns) -> Any:
    """A figure that adds up over layers, some of which are not there always."""
    there: dict[str, Any] = {}
    for names, present in columns.perhaps:
        there |= {name: there.get(name, 1) * present for name in names}
    grouped: dict[Any, tuple[Any, list[Layer]]] = {}
    for layer in study.inside(wanted.scope):
        present = there.get(layer.name, 1)
        grouped.setdefault(keyed(present), (present, []))[1].append(layer)
    if keyed(1) not in grouped:
        raise PerhapsError  # the scope is not there always
    found = 0
    for present, layers in grouped.values():
        part = Study(replace(study.network, layers=tuple(layers)), study.types)
        value: Any = exact(QUANTITIES[wanted.quantity].measure(part, ""))
        if isinstance(value, Unknown):
            return value
        found = found + value * present
    return found


class Part(NamedTuple):
    """What was found of some configurations."""

    #: Their numbers.
    rows: Any
    #: The value of each figure for each: a number; numbers along axes; ``None``, where it is unknown; or
    #: :data:`LATER`.
    figures: tuple[Any, ...]
    #: Why the network cannot be had; empty where it can.
    refused: str = ""


class Source:
    """What networks are made of.

    Args:
        meant: a spec; or what else a name means, whose input alone can be varied.
        space: what is varied.
        input: the input of all, where it is given.
        values: values of params of all.
        types: of weights and of activations on a board.
    """

    def __init__(
        self, meant: Meant, space: Space, input: Any, values: Mapping[str, Any], types: tuple[str, str]
    ) -> None:
        self.meant, self.space, self.types = meant, space, types
        #: The figures that are found of each configuration by itself.
        self.single: set[Wanted] = set()
        self.input, self.values = input, values
        if INPUT in space.trees and input is not None:
            raise usage("the input is given, and varied", help="either --input or --vary input=...")
        spec = meant.spec if isinstance(meant, Found) else None
        if spec is not None:
            for name in (*space.trees, *values):
                if name not in spec.params and name != INPUT:
                    declared_inputs(spec, meant.variant, {name: 1})  # says so
            self.base: Network | None = None
        else:
            self.base = dialects.network(meant, input=input, values=values)
        for name in space.trees:
            if name in values:
                raise usage(f"{shorten(name)} is given, and varied", help="either --set or --vary")
            if spec is None and name != INPUT:
                raise usage(f"{shorten(self.name)} has no spec, so that its input alone can be varied")

    @property
    def name(self) -> str:
        """What it is called."""
        return self.meant.variant or self.meant.name

    def network(self, values: Mapping[str, Any], input: Any) -> Network:
        """The network with values for what is varied.

        Raises:
            SpecError: it does not fit, or the spec is wrong.
            UsageError: it takes no such input or value.
        """
        if self.base is not None:
            if input is None:
                return self.base
            shapes = self._inputs(self.base.inputs, input)
            return self.base.origin.again(self.base, Setting(shapes, advice=False))
        assert isinstance(self.meant, Found)
        spec, variant = self.meant
        all_values = {**self.values, **values}
        given = self.input
        if input is not None:
            given = self._inputs(declared_inputs(spec, variant, all_values), input)
        return elaborate(spec, variant, input=given, values=all_values, advice=False)

    def _inputs(self, own: Mapping[str, Shape], input: Any) -> Any:
        """The inputs of a size along all spatial axes; others that lie as the first change with it."""
        if isinstance(input, str):
            return input
        first = next(iter(own.values()))
        if not first.spatial:
            raise usage(f"the input of {shorten(self.name)} is {first}, and has no spatial axes")
        alike = [name for name, shape in own.items() if shape.spatial == first.spatial]
        return {name: own[name].with_spatial([input] * len(own[name].spatial)) for name in alike}

    def one(self, picks: Sequence[int]) -> Network:
        """The network of one configuration, as it is without any other."""
        varied = {name: self.space.value(name, picks) for name in self.space.trees}
        return self.network(varied, varied.pop(INPUT, None))

    def all(self, columns: Columns) -> Network:
        """The networks of many configurations as one."""
        known: dict[Any, Facts | ShapeError] = {}

        def ask(op: Op, *shapes: Shape) -> Facts:
            key = (type(op), *map(keyed, vars(op).values()), *map(keyed, shapes))
            if key not in known:
                try:
                    known[key] = ask_op(op, *shapes)
                except ShapeError as refused:
                    known[key] = refused
            found = known[key]
            if isinstance(found, ShapeError):
                raise found
            return found

        columns.asks = ask
        picks = [0] * len(self.space.axes)
        for block in columns.blocks:
            for axis, place in zip(block.axes, block.picks[0], strict=True):
                if axis < len(picks):
                    picks[axis] = int(place)

        def value(axis: int) -> Any:
            return self._column(columns, axis, self.space.axes[axis].values[picks[axis]])

        trees = self.space.trees
        varied = {name: self.space.values(tree, value) for name, tree in trees.items()}
        return self.network(varied, varied.pop(INPUT, None))

    def _column(self, columns: Columns, axis: int, here: Any, path: tuple[int, ...] = ()) -> Any:
        """The numbers along an axis; ``here`` is the value of the first configuration."""
        if isinstance(here, tuple):
            return tuple([self._column(columns, axis, one, (*path, n)) for n, one in enumerate(here)])
        if kind_of(here) not in (int, float):
            return here
        return columns.column(axis, self.space.column(axis, path, kind_of(here)))


def evaluated(
    source: Source, wanted: Sequence[Wanted], domain: Domain, *, reasons: bool = True
) -> Iterator[Part]:
    """The figures of all configurations of a domain.

    Why one is refused is asked of each, but of :data:`_REFUSED` that are refused alike at most, and of one
    where nobody wants the ``reasons``. What was computed for many at once is held against one of them, laid
    out by itself; where that differs, or where they cannot be computed at once, each is laid out.
    """
    space = source.space
    nothing = (None,) * len(wanted)

    def run(columns: Columns) -> list[Any] | str:
        try:
            study = _Several(source.all(columns), source.types, columns.count)
            columns.closed = True
            if columns.perhaps:
                return [_added(one, study, columns) for one in wanted]
            return [LATER if one in source.single else _together(one, study) for one in wanted]
        except (SpecError, UsageError, ShapeError) as problem:
            if columns.within:  # it is refused where it is there
                raise PerhapsError from None
            return _said(problem)

    opens = all(QUANTITIES[one.quantity].adds_up for one in wanted)
    for columns, found in explored(domain, run, most=_RUNS, opens=opens):
        rows = columns.places(space.places)
        if found is None:
            yield from one_by_one(source, wanted, rows)
            continue
        first = measured(source, wanted, space.picks(rows[:1])[0])
        if isinstance(found, str) and isinstance(first, str):
            # for one reason, but its numbers may be others for each
            yield Part(rows[:1], nothing, first)
            asked = rows[1:_REFUSED] if reasons else rows[:0]
            yield from one_by_one(source, wanted, asked)
            left = rows[1 + len(asked) :]
            if len(left):
                yield Part(left, nothing, f"as with {space.said(rows[0])}: {first}")
            continue
        values = (
            _spread(columns, found, first) if isinstance(found, list) and isinstance(first, list) else None
        )
        if values is not None:
            for number, value in enumerate(values):
                if value is LATER and wanted[number] not in source.single:
                    values[number] = _apart(source, wanted[number], tuple(columns.blocks), rows)
                    if values[number] is LATER:
                        source.single.add(wanted[number])
            yield Part(rows, tuple(values))
            continue
        yield from one_by_one(source, wanted, rows)


def _apart(source: Source, wanted: Wanted, domain: Domain, rows: Any) -> Any:
    """A figure of configurations that have the same layers, and do not answer alike in other things."""

    def run(columns: Columns) -> Any:
        network = source.all(columns)
        try:
            return wanted.measured(_Several(network, source.types, columns.count))
        except (JoinedError, ArithmeticError):
            raise UnsureError from None

    found: Any = None
    order = np.argsort(rows)
    for columns, value in explored(domain, run, most=_RUNS):
        here = columns.places(source.space.places)
        first = measured(source, [wanted], source.space.picks(here[:1])[0])
        spread = _spread(columns, [value], first) if value is not None and isinstance(first, list) else None
        if spread is None or spread[0] is None or spread[0] is LATER:
            return LATER
        several = spread[0] if isinstance(spread[0], tuple) else (spread[0],)
        if found is None:
            found = [np.zeros(len(rows), object) for _ in several]
        if len(found) != len(several):
            return LATER
        places = order[np.searchsorted(rows, here, sorter=order)]
        for one, values in zip(found, several, strict=True):
            one[places] = values
    narrow = [_narrow(one) for one in found]
    return tuple(narrow) if wanted.quantity in SIZES else narrow[0]


def _narrow(values: Any) -> Any:
    """Whole numbers as numpy's, where they fit."""
    return (
        values.astype(np.int64) if all(abs(one) < 2**62 for one in (values.min(), values.max())) else values
    )


def _spread(columns: Columns, found: list[Any], first: list[Any]) -> list[Any] | None:
    """The values of figures for all configurations; ``None`` where the first says something else."""
    spread: list[Any] = []
    for value, known in zip(found, first, strict=True):
        if value is LATER:
            spread.append(LATER)
        elif isinstance(known, Unknown):
            spread.append(None)
        elif isinstance(known, tuple) and isinstance(value, tuple) and len(known) == len(value):
            axes = [columns.full(one) for one in value]
            if tuple([int(one[0]) for one in axes]) != known:
                return None
            spread.append(tuple(axes))
        elif isinstance(known, int) and isinstance(value, int | Remembering):
            full = columns.full(value)
            if int(full[0]) != known:
                return None
            spread.append(full)
        else:
            return None
    return spread


def one_by_one(source: Source, wanted: Sequence[Wanted], rows: Any) -> Iterator[Part]:
    """The figures of configurations that are laid out each by itself."""
    for row, picks in zip(rows, source.space.picks(rows), strict=True):
        found = measured(source, wanted, picks)
        here = np.array([row], np.int64)
        if isinstance(found, str):
            yield Part(here, (None,) * len(wanted), found)
        else:
            yield Part(here, tuple([_single(value) for value in found]))


def _single(value: Any) -> Any:
    if isinstance(value, Unknown):
        return None
    if isinstance(value, tuple):
        return tuple([_single(one) for one in value])
    return np.array([value], np.int64 if abs(value) < 2**62 else object)


def measured(source: Source, wanted: Sequence[Wanted], picks: Sequence[int]) -> list[Any] | str:
    """The figures of one configuration; or why it cannot be had."""
    try:
        study = Study(source.one([int(place) for place in picks]), source.types)
        return [one.measured(study) for one in wanted]
    except (SpecError, UsageError, ShapeError) as problem:
        return _said(problem)


def _said(problem: Exception) -> str:
    diagnostic = getattr(problem, "diagnostic", None)
    return str(diagnostic.message if diagnostic is not None else problem) or "it does not fit"
