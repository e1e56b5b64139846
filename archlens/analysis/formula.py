"""The sizes and costs of a network as formulas of letters, which stand for sizes that nobody has chosen.

The network is walked on numbers that remember how they were made of the letters. What is compared on the
way are conditions: where one comes out otherwise the op is asked there, too, and where it then says something
else the network is walked once more from there. So a formula is exact where its conditions hold, and all of
these together are all inputs that the network takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, NamedTuple

from ..errors import SpecError, UsageError, shorten, usage
from ..formulas import (
    ZERO,
    Condition,
    Form,
    Number,
    Product,
    Table,
    TooLongError,
    form_of,
    is_constant,
    keyed,
    minus,
)
from ..network import Layer, Network, Setting
from ..ops import Facts, Op, ShapeError, stated
from ..shape import Shape
from . import decoding, memory
from .refitting import owned
from .regions import Explorer, Pattern, Region, TooManyError, Within, pattern, settled, united, whole
from .unknown import Unknown

#: Up to which size each letter is looked at, at least; and how many times its own.
LOOKED, TIMES = 512, 2

#: The largest own size that a letter can stand for.
LARGEST_OWN = 50_000

#: How many sizes may be multiplied: bounds of a product have twice as many terms with each of them.
FACTORS = 12

#: Of how many samples a batch is near which its formulas are looked for: one alone lies otherwise in memory.
SAMPLES = 2

#: How often ops are asked, and how many walks there are, before the rest is left.
_ASKED, _WALKS = 20_000, 48

_TOO_MANY = "its ops would have to be evaluated at too many sizes"

#: With how many formulas each that may be the largest is compared.
_COMPARED = 64

#: The sizes of an input along all axes, those that are letters as such.
Lettered = tuple[int | str, ...]


class Piece(NamedTuple):
    """Formulas of all layers, and where they hold."""

    #: The network with sizes that are formulas.
    network: Network
    regions: tuple[Region, ...]


class Live(NamedTuple):
    """The bytes of the largest live set."""

    #: The largest of these; first what it is on the network's own input. Those that are nowhere above the
    #: first ones are not among them, as far as that is seen.
    forms: tuple[Form, ...]
    #: Where it is that.
    regions: tuple[Region, ...]


class Along(NamedTuple):
    """Which sizes a network takes: any of each letter beside any of the others, if that is all of it."""

    patterns: tuple[Pattern, ...]
    #: What must hold of several letters, too.
    joint: tuple[Condition, ...]


@dataclass(frozen=True, eq=False)
class Formula:
    """A network whose sizes are formulas of some letters; :meth:`at` is what it is for some sizes."""

    #: As it is on its own input.
    network: Network
    #: What each input is, with its letters.
    inputs: Mapping[str, Lettered]
    letters: tuple[str, ...]
    #: The letter that stands for how many samples there are; empty where none does.
    batch: str
    table: Table
    #: The first is that of the network's own input.
    pieces: tuple[Piece, ...]
    #: Why some sizes were not looked at; empty where all were.
    untold: str
    #: All that was compared.
    compared: tuple[Condition, ...]

    @cached_property
    def domain(self) -> tuple[Along, ...]:
        """All inputs that the network takes."""
        return self.along([region for piece in self.pieces for region in piece.regions])

    def along(self, regions: Sequence[Region]) -> tuple[Along, ...]:
        """Regions as patterns along each letter."""
        return tuple(
            [
                Along(
                    tuple(
                        [
                            pattern(mask, len(sizes))
                            for mask, sizes in zip(one.masks, self.table.sizes, strict=True)
                        ]
                    ),
                    one.joint,
                )
                for one in united(regions, self.table)
            ]
        )

    @cached_property
    def proved(self) -> bool:
        """Whether what holds on the sizes that were looked at holds on all larger ones."""
        table = self.table
        for condition in self.compared:
            letters = table.of(condition.form)
            if letters & (letters - 1):
                continue  # said as it is
            letter = letters.bit_length() - 1
            period = settled(table, condition.form, letter)
            if period is None or 3 * period > len(table.sizes[letter]):
                return False
        return True

    def piece(self, **sizes: int) -> Piece | None:
        """The formulas that hold for some sizes; ``None`` where the network refuses them.

        Raises:
            UsageError: a letter has no size, or one that was not looked at; or there is no such letter.
        """
        if sizes.keys() != set(self.letters):
            raise usage(f"the letters are {', '.join(self.letters)}", help="a whole number for each")
        for name, size in sizes.items():
            if not isinstance(size, int) or isinstance(size, bool) or size < 1:
                raise usage(f"{name} is a whole number of at least 1")
        self.table.point = tuple([sizes[name] for name in self.letters])
        for piece in self.pieces:
            if any(region.contains(self.table) for region in piece.regions):
                return piece
        if self.untold:
            raise usage(f"nothing is known about these sizes: {self.untold}")
        return None

    def __call__(self, **sizes: int) -> dict[str, tuple[int, ...]]:
        """The output shapes of all layers for some sizes, by the names of the layers.

        Raises:
            UsageError: the network refuses them, or nothing is known of them.
        """
        return {layer.name: self.known(layer.shape) for layer in self._taken(sizes).network}

    def macs(self, **sizes: int) -> int:
        """The multiply-accumulates of an inference for some sizes.

        Raises:
            UsageError: the network refuses them, or nothing is known of them.
        """
        piece = self._taken(sizes)
        return self.table.value(self.total_macs(piece.network))

    def _taken(self, sizes: Mapping[str, int]) -> Piece:
        piece = self.piece(**sizes)
        if piece is None:
            given = ", ".join(f"{name} = {size}" for name, size in sizes.items())
            raise usage(f"{self.network.name} takes no input with {given}")
        return piece

    def known(self, numbers: Sequence[Any]) -> tuple[int, ...]:
        """Numbers as they are at the point."""
        return tuple([self.table.value(form_of(n)) for n in numbers])

    @property
    def main(self) -> Network:
        """The network with the formulas that hold on its own input."""
        return self.pieces[0].network

    @cached_property
    def samples(self) -> Any:
        """How many samples there are, as a number to compute with."""
        if not self.batch:
            return 1
        return self.table.number(self.table.letters[self.letters.index(self.batch)])

    def macs_of(self, layer: Layer) -> Form:
        """The multiply-accumulates of a layer, for all samples; what a batch takes once is taken once."""
        return form_of(layer.macs_of(self.samples) if self.batch and layer.macs else layer.macs)

    def total_macs(self, network: Network) -> Form:
        """The multiply-accumulates of an inference with the formulas of a piece."""
        numbers = [self.table.number(self.macs_of(layer)) for layer in network if not layer.training]
        return form_of(sum(numbers))

    @cached_property
    def activations(self) -> Form:
        """The values of all outputs of convolutions and matrix products, where :attr:`main` holds."""
        values = [layer.shape.numel for layer in self.main if layer.macs and not layer.training]
        return form_of(sum(values) * self.samples)

    @cached_property
    def live(self) -> Live:
        """The largest live set of an inference in float32, where :attr:`main` holds."""
        table = self.table
        with self.standing():
            moments = memory.moments(self.main, batch=self.samples)
            regions = self.holding(table.taken())
            return Live(self.largest(moments, regions), regions)

    def holding(self, conditions: Sequence[Condition]) -> tuple[Region, ...]:
        """Where :attr:`main` holds, and some conditions, too."""
        found = []
        for region in self.pieces[0].regions:
            inside: Region | None = region
            for condition in conditions:
                inside = inside.where(condition, self.table) if inside is not None else None
            if inside is not None:
                found.append(inside)
        return tuple(found)

    def largest(self, numbers: Iterable[Any], regions: Sequence[Region]) -> tuple[Form, ...]:
        """The formulas of which the largest is that of some numbers; first that at the point.

        Those that are surely nowhere above one of the others that were compared are not among them.
        """
        forms = sorted(dict.fromkeys(map(form_of, numbers)), key=self.table.value, reverse=True)
        places = [Within(one, self.table) for one in regions]
        kept: list[tuple[Form, list[dict[Product, int]]]] = []
        for form in forms:
            spread = [place.spread(form) for place in places]
            others = kept if len(kept) < _COMPARED else [*kept[: _COMPARED // 2], *kept[-_COMPARED // 2 :]]
            if not kept or not all(
                any(place.is_least(spread[i], larger[i]) for _, larger in others)
                for i, place in enumerate(places)
            ):
                kept.append((form, spread))
        return tuple([form for form, _ in kept])

    @cached_property
    def cache(self) -> Form | Unknown | None:
        """The values of keys and values that a decoder keeps, at its own size; ``None`` for what is none."""
        found = decoding.find(self.network)
        if not isinstance(found, decoding.Decoding):
            return found
        with self.standing():
            decoder = decoding.find(self.main)
            assert isinstance(decoder, decoding.Decoding)
            return form_of(sum(one.values * one.tokens for one in decoder.cached) * self.samples)

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Within it the point is the network's own input."""
        before = self.table.point
        self.table.point = tuple([self.own.get(letter, SAMPLES) for letter in self.letters])
        self.table.taken()
        try:
            yield
        finally:
            self.table.point = before

    @property
    def own(self) -> dict[str, int]:
        """The network's own size for each letter."""
        return own_sizes(self.network, self.inputs)


def own_sizes(network: Network, inputs: Mapping[str, Lettered]) -> dict[str, int]:
    """The size that each letter first stands for on a network's own input."""
    found: dict[str, int] = {}
    for name, sizes in inputs.items():
        for letter, size in zip(sizes, network.inputs[name], strict=True):
            if isinstance(letter, str):
                found.setdefault(letter, size)
    return found


class _Stated(NamedTuple):
    """What an op says: facts, or why it refuses."""

    facts: Facts | ShapeError
    #: What of that is compared beside forms, and these.
    kind: object = None
    forms: tuple[Form, ...] = ()


def _stating(op: Op, shapes: tuple[Shape, ...], work: bool) -> _Stated:
    try:
        facts = stated(op, *shapes)
    except ShapeError as refused:
        return _Stated(refused)
    sizes = [(name, len(shape)) for name, shape in facts.weights.items()]
    numbers = [*facts.shape, facts.macs, facts.unlisted, *(n for one in facts.weights.values() for n in one)]
    items = facts.other if work else {}
    forms = tuple(map(form_of, (*numbers, *items.values())))
    parts = (product for form in (*forms, form_of(facts.shape.numel)) for product, _ in form)
    if max(map(len, parts), default=0) > FACTORS:
        raise TooLongError(f"a product of more than {FACTORS} sizes")
    below = getattr(facts.shape, "below", None)
    kind = type(facts.shape), below, *sizes, *items
    return _Stated(facts, kind, forms)


def find(network: Network, inputs: Mapping[str, Lettered], *, batch: str = "", work: bool = False) -> Formula:
    """The formulas of a network.

    Args:
        network: on an input of the same sizes, with numbers in the place of the letters.
        inputs: the sizes of inputs along all of their axes, letters among them.
        batch: a letter for how many samples there are; without it counts are those of one.
        work: whether the work beside multiply-accumulates is found, too, which may need more formulas.

    Raises:
        UsageError: it cannot be had on other inputs, or its ops are not all archlens' own; or a letter stands
            for an own size that is too large.
    """
    if network.fixed:
        raise usage(network.fixed)
    if network.origin.varies(network) or network.origin.keeps(network) is False:
        raise usage(f"{shorten(network.name)} may have other layers on other inputs, and so has no formulas")
    for layer in network.layers:
        if not type(layer.op).__module__.startswith("archlens."):
            raise usage(f"{layer.op.kind} is an op of a package, which has no formulas", help="give numbers")
    own = own_sizes(network, inputs)
    if batch in own:
        raise usage(f"{batch} stands for the batch and also for another size")
    if batch:
        own[batch] = SAMPLES
    if not own:
        raise usage("there is no letter", help="as in 3xHxW")
    if max(own.values()) > LARGEST_OWN:
        raise usage(f"a letter stands for sizes near its own, of at most {LARGEST_OWN:,}")
    return _Finding(network, inputs, own, batch, work).run()


class _Finding:
    """The walks over a network."""

    def __init__(
        self,
        network: Network,
        inputs: Mapping[str, Lettered],
        own: Mapping[str, int],
        batch: str,
        work: bool,
    ) -> None:
        self.network = network
        self.work = work
        self.batch = batch
        self.lettered = inputs
        self.own = tuple(own.values())
        self.letters = tuple(own)
        self.table = Table(*[range(1, max(LOOKED, TIMES * size) + 1) for size in self.own])
        numbers = dict(zip(own, map(self.table.number, self.table.letters), strict=True))
        self.inputs = dict(network.inputs)
        for name, sizes in inputs.items():
            found = [numbers[size] if isinstance(size, str) else size for size in sizes]
            self.inputs[name] = network.inputs[name].with_sizes(found)
        self.table.asks = self.ask
        self.explorer = Explorer(self.table, _ASKED)
        self.known: dict[object, list[tuple[Region, _Stated]]] = {}
        self.ops: dict[int, tuple[Op, object]] = {}
        self.region = whole(self.table)
        #: What is left to walk on.
        self.more: list[Region] = []
        self.compared: dict[Condition, None] = {}

    def run(self) -> Formula:
        found: list[tuple[Network, list[Region]]] = []
        untold = ""
        self.table.point = self.own
        self.more = [whole(self.table)]
        walks = 0
        while self.more:
            region = self.more.pop(0)
            if walks and not self.explorer.stand(region):
                continue
            walks += 1
            if walks > _WALKS:
                untold = f"more than {_WALKS} formulas would be needed"
                break
            try:
                made = self.walk(region)
            except TooManyError:
                untold = _TOO_MANY
                break
            except TooLongError as problem:
                untold = f"a number of it would be {problem}"
                break
            if made is not None:
                found.append((made, [self.region]))
        if self.explorer.deeper:
            untold = untold or _TOO_MANY
        if self.explorer.unsure and not untold:
            untold = "no sizes were found at which some conditions on several letters hold"
        if untold and self.table.pins:
            untold += f", since {', '.join(self.table.pins)} is of one size each"
        pieces = tuple([Piece(made, tuple(regions)) for made, regions in _alike(found, self.work)])
        if not pieces:
            raise usage(f"{shorten(self.network.name)} has no formulas: {untold}")
        return Formula(
            self.network,
            self.lettered,
            self.letters,
            self.batch,
            self.table,
            pieces,
            untold,
            tuple(self.compared),
        )

    def walk(self, region: Region) -> Network | None:
        """The network with the formulas that hold at the point; ``None`` where it refuses that."""
        self.region = region
        self.point = self.table.point
        self.refused = False
        self.table.taken()
        try:
            made = self.placed()
            if made is None:
                made = self.network.origin.again(
                    self.network, Setting(self.inputs, inference=True, advice=False)
                )
        except (SpecError, UsageError, ShapeError):
            made = None
        self.table.point = self.point
        if not self.refused:  # what is compared for the words of a refusal is of no matter
            self.follow(self.table.taken())
        return made

    def placed(self) -> Network | None:
        """The same ops once more; ``None`` where the source may place others on other sizes."""
        source, region = self.network, self.region
        asked: dict[str, list[tuple[str, int]]] = {}
        for one in source.asked if source.origin.keeps(source) is None else ():
            asked.setdefault(one.name, []).append((one.axis, one.size))
        shapes, layers = dict(self.inputs), []

        def steady(name: str) -> bool:
            found = [(shapes[name].size(axis), size) for axis, size in asked.get(name, ())]
            return not any(isinstance(n, Number) for n, _ in found) and all(n == size for n, size in found)

        before = len(self.more)
        names = [*source.inputs]
        for layer in (None, *source.layers):
            if layer is not None:
                if layer.training:
                    continue
                read = tuple([shapes[name] for name in layer.inputs])
                facts = self.ask(layer.op, *read)
                if layer.copies is not None:
                    facts = layer.copies.of(facts)
                if layer.keys:
                    facts = owned(facts, layer)
                shapes[layer.name] = facts.shape
                layers.append(layer._replace(input_shapes=read, facts=facts))
                names = [layer.name]
            if not all(map(steady, names)):
                del self.more[before:]
                self.region = region
                return None
        return replace(
            source,
            inputs=self.inputs,
            layers=tuple(layers),
            index={layer.name: layer for layer in layers},
            outputs={name: end for name, end in source.outputs.items() if end in shapes},
        )

    def ask(self, op: Op, *shapes: Shape) -> Facts:
        """The facts of an op at the point; where it says something else is walked on later.

        Raises:
            ShapeError: it refuses.
            TooManyError: it was asked too often.
        """
        table = self.table
        self.follow(table.taken())
        key = self.op_key(op), tuple(map(_shape_key, shapes)), self.region.masks, self.region.joint
        found = self.known.setdefault(key, [])
        if len(found) == 1 and found[0][0][::2] == self.region[::2]:  # as everywhere in this region
            answer = found[0][1]
            if isinstance(answer.facts, Facts):
                return answer.facts
        if not any(region.contains(table) for region, _ in found):  # nor may it be, where nothing was known
            tree = self.explorer.tree(self.region, partial(_stating, op, shapes, self.work), self.agree)
            found += self.explorer.leaves(tree, self.region)
            table.point = self.point
        here = None
        for region, answer in found:
            for condition in region.conditions[len(self.region.conditions) :]:
                self.compared[condition] = None
            if here is None and region.contains(table):
                here = region, answer
            elif isinstance(answer.facts, Facts):
                self.more.append(region)
        assert here is not None
        self.region = here[0]
        if isinstance(here[1].facts, ShapeError):
            self.refused = True
            raise here[1].facts
        return here[1].facts

    def op_key(self, op: Op) -> object:
        """An op as a key, which is found once for each."""
        known = self.ops.get(id(op))
        if known is None:
            known = self.ops[id(op)] = op, _op_key(op)  # as long as it is here its id is nobody else's
        return known[1]

    def agree(self, one: _Stated, other: _Stated, region: Region) -> bool:
        """Whether what holds on a region may be said as what holds elsewhere: its forms are equal there."""
        if one.kind != other.kind or len(one.forms) != len(other.forms):
            return False
        for a, b in zip(one.forms, other.forms, strict=True):
            if a != b:
                equal = Condition(minus(a, b), ZERO, True)
                if is_constant(equal.form) or region.where(equal.turned, self.table) is not None:
                    return False
                self.compared[equal] = None
        return True

    def follow(self, conditions: Sequence[Condition]) -> None:
        """Go on where the source compared what it did; where that comes out otherwise is walked on later."""
        for condition in conditions:
            here = self.region.where(condition, self.table)
            there = self.region.where(condition.turned, self.table)
            assert here is not None
            self.compared[condition] = None
            if there is not None:
                self.more.append(there)
            self.region = here


def _alike(found: list[tuple[Network, list[Region]]], work: bool) -> list[tuple[Network, list[Region]]]:
    """Walks with where they hold, those that found the same as one."""
    if len(found) < 2:
        return found
    by: dict[object, tuple[Network, list[Region]]] = {}
    for made, regions in found:
        key = tuple([_essence(layer, work) for layer in made])
        by.setdefault(key, (made, []))[1].extend(regions)
    return [*by.values()]


def _shape_key(shape: Shape) -> object:
    """A shape as a key that asks nothing of numbers."""
    numbers: tuple[Any, ...] = shape
    sizes = [n.form if isinstance(n, Number) else n for n in numbers]
    return (type(shape), *getattr(shape, "__dict__", {}).values(), *sizes)


def _op_key(op: Op) -> tuple[object, ...]:
    return (type(op), *[keyed(value) for value in vars(op).values()])


def _facts_key(facts: Facts, work: bool) -> object:
    weights = tuple([(name, tuple(map(form_of, shape))) for name, shape in facts.weights.items()])
    items = tuple([(name, form_of(n)) for name, n in facts.other.items()]) if work else ()
    return keyed(facts.shape), form_of(facts.macs), weights, form_of(facts.unlisted), items


def _essence(layer: Layer, work: bool) -> object:
    return layer.name, layer.inputs, _op_key(layer.op), _facts_key(layer.facts, work)
