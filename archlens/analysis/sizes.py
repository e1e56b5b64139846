"""Which inputs a network takes: the smallest, those that fit at all, and those that lose no pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice, takewhile
from typing import Any, NamedTuple

from ..bounds import MAX_LAYERS, RAISED, allowed, measured, searched
from ..errors import ArchlensError, Diagnostic, SpecError
from ..formulas import keyed
from ..network import Network
from ..shape import Shape
from . import every_size, receptive_field, unseen
from .every_size import Told
from .receptive_field import ReceptiveFields
from .refitting import Refitting, Unfit
from .unknown import Unknown

#: How many sizes are tried, of each kind that is searched, unless more are asked for: enough for every
#: effective stride in use, and a few seconds for a network of a hundred layers.
MOST = 2048

#: How far beyond the size of its field that of an input without padding at the centre is searched, in
#: effective strides.
_STRIDES = 6

#: The least bound of a brief search.
_BRIEF = 96

#: How much work a search may be, in layers laid out; and a brief one. Each is more than any network of the
#: zoo takes up to its own size, of which EfficientNet-B7 and NASNet-A take the most.
_WORK, _BRIEF_WORK = 1_600_000, 800_000

#: How many layers more a layer is worth that is like no other of the network, and a scope that a block makes.
_DISTINCT, _BLOCK = 4, 2

#: How many layers a size is worth, besides those that are laid out on it.
_TRY = 10

#: How many layers one is worth that is made anew, and not only its op asked again.
_ANEW = 2

#: How often the network itself is worth: what else a command does for each layer.
_OWN = 100


class Tried(NamedTuple):
    """The sizes along some axes that were tried, up to a bound."""

    #: The axes that were changed together: ``("height", "width")`` for square inputs.
    axes: tuple[str, ...]
    #: The largest size tried.
    bound: int
    #: Those that the network takes.
    valid: tuple[int, ...]
    #: Those of them at which no window leaves a border position unseen.
    lossless: tuple[int, ...]


class Training(NamedTuple):
    """The sizes at which the heads that run in training only fit, too."""

    #: The smallest size of each axis; ``None`` where none was found.
    smallest: tuple[int | None, ...]
    #: How far that was looked for.
    searched: int
    tried: tuple[Tried, ...]


@dataclass(frozen=True)
class Sizes:
    """The input sizes of a network; several inputs change together if they have the axes of the first.

    All is that of an inference, which leaves heads for training out, unless it says otherwise.
    """

    name: str
    #: The input that is changed, at its own size.
    input: str
    own: Shape
    #: The smallest size of each axis at which the network works; ``None`` where none was found.
    smallest: tuple[int | None, ...]
    #: How far that was looked for: :data:`MOST`, or the bound that was given where that is larger; less where
    #: the search was given up.
    searched: int
    #: Why the search was given up; empty where it was not.
    given_up: str
    #: Sizes with all axes alike where the input's own are; else along each axis, the others at their own.
    tried: tuple[Tried, ...]
    #: The layer whose field is that of the network: the last that does not see everything.
    layer: str
    #: The smallest size at which the centre output of that layer sees no padding, along each axis.
    unpadded: tuple[int | None, ...]
    #: The network on its own input, and on some that are smaller and larger.
    scaled: tuple[Network, ...]
    #: Which sizes a training takes, whose heads have to fit, too; ``None`` where there are no such heads.
    training: Training | None


def find(network: Network, *, bound: int | None = None, brief: bool = False) -> Sizes:
    """Which inputs a network takes.

    Where its layers are the same on any input, their ops tell of all sizes at once
    (:mod:`archlens.analysis.every_size`); else the network is laid out on each. A search that is too much
    work is given up, and says so; where a network may have more layers than by default, it may be as much
    more.

    Args:
        network: one that can be had on other inputs.
        bound: the largest size tried in the search for valid ones; unless it is given, the network's own
            size, or :data:`MOST` where that is larger.
        brief: go no further than twice the smallest, and 96, in that search: far enough to show a pattern.
    """
    return _Search(network, bound, brief).run()


def smallest(network: Network, *, worth: int | None = None) -> tuple[int, ...] | Unknown:
    """The smallest size of each axis at which an inference works; or why none is known.

    Args:
        network: one that can be had on other inputs.
        worth: how often it may be laid out, where it stands for many networks whose numbers are columns
            (:mod:`archlens.columns`): these are not those of all sizes, so each size is tried.
    """
    if network.fixed:
        return Unknown(network.fixed)
    search = _Search(network, brief=True)
    if worth is not None:
        search.tells = False
        search.work = min(search.work, worth * _work(network))
    found = search.smallest(search.groups())
    sizes = tuple(size for size in found if size is not None)
    if len(sizes) < len(found):
        if not search.searched:
            return Unknown(f"smaller inputs are not tried: {search.given_up}")
        return Unknown(f"no input up to {search.searched:,} was found that it works on")
    return sizes or Unknown("the input has no spatial axes")


def _layers(network: Network) -> int:
    """How many layers a network is worth: more where they are like no other, or read many tensors."""
    read = sum([len(layer.inputs) for layer in network.layers])
    return max(len(network.layers), read // 2) + _DISTINCT * len(
        {id(layer.facts) for layer in network.layers}
    )


def _work(network: Network) -> int:
    """How much work it is to lay a network out: layers, and blocks."""
    return _layers(network) + _BLOCK * len(network.blocks)


class _Search:
    """The search over the sizes of one input."""

    def __init__(
        self,
        network: Network,
        bound: int | None = None,
        brief: bool = False,
        *,
        inference: bool = True,
    ) -> None:
        self.whole = network
        self.heads = any(layer.training for layer in network.layers)
        self.inference = inference and self.heads
        self.network = self.again(network.inputs) if self.inference else network
        self.bound = bound
        self.brief = brief
        self.input, self.own = next(iter(network.inputs.items()))
        #: Sizes that are known not to fit. The networks on those that fit are not kept: they are many.
        self.refused: set[tuple[Any, ...]] = set()
        #: How many more sizes may be tried in search of a centre without padding.
        self.tries = MOST
        #: What each layer sees of some other inputs, by their sizes.
        self.elsewhere: dict[tuple[int, ...], ReceptiveFields] = {}
        #: Whether its spec was found to ask for sizes that are others on other inputs.
        self.asks = False
        #: Whether sizes may be told of without a try of each, and ops asked without their source.
        self.tells = True
        self.refitting = Refitting(self.network)
        #: What is told of sizes without a try of each, by the axes that change and the first of the sizes.
        self.told: dict[tuple[tuple[int, ...], int], Told | None] = {}
        #: How much work is left.
        most = max(allowed(), network.origin.allowed, MAX_LAYERS)
        self.work = (_BRIEF_WORK if brief else _WORK) * most // MAX_LAYERS - _OWN * _work(network)
        self.searched = max(MOST, bound or 0)
        self.given_up = ""
        self.source = network.origin.source

    @cached_property
    def fields(self) -> ReceptiveFields:
        """What each layer sees of the own input."""
        return receptive_field.find(self.network, self.input)

    @cached_property
    def opened(self) -> list[int]:
        """How many blocks are opened before each layer is asked, and in all."""
        blocks, found, count, seen = self.network.blocks, [], 0, {""}
        for layer in self.network.layers:
            scope = layer.scope
            while scope not in seen:
                seen.add(scope)
                count += scope in blocks
                scope = scope.rpartition(".")[0]
            found.append(count)
        return [*found, len(blocks)]

    def again(self, inputs: Mapping[str, Shape]) -> Network:
        """The network on other inputs, without a search for what would work where it does not fit."""
        return self.whole.with_input(inputs, inference=self.inference, advice=False)

    def on(self, *spatial: int) -> Network | None:
        """The network on an input of that size, if it takes it."""
        if spatial == self.own.spatial:
            return self.network
        key = tuple(map(keyed, spatial))
        if key in self.refused or not self.affordable:
            return None
        shapes = {
            name: shape.with_spatial(spatial) if shape.spatial == self.own.spatial else shape
            for name, shape in self.network.inputs.items()
        }
        network = None
        with measured() as done:
            try:
                made = network = self.refitted(shapes) or self.again(shapes)
            except SpecError as problem:
                made = problem.network
            except ArchlensError:
                made = None
        self.spend(made, done[0])
        if network is None:
            self.refused.add(key)
        return network

    def refitted(self, inputs: Mapping[str, Shape]) -> Network | None:
        """The network on other inputs, of which nothing but its ops are asked again.

        That is much quicker than to lay it out. It is ``None`` where the spec asks for sizes that are others
        here, and so may make other layers.

        Raises:
            SpecError: an op does not fit; carries the network up to there.
        """
        if not self.tells or self.asks or self.whole.fixed or self.whole.origin.varies(self.whole):
            return None
        unfit = None
        try:
            network = self.refitting.on(inputs)
        except Unfit as problem:
            network, unfit = problem.network, problem
        for asked in self.network.asked:
            known = asked.name in network.index or asked.name in inputs
            if known and network.shape_of(asked.name).size(asked.axis) != asked.size:
                self.asks = True
                return None
        if unfit is not None:
            opened = islice(self.network.blocks.items(), self.opened[len(network)])
            raise SpecError(Diagnostic(str(unfit)), replace(network, blocks=dict(opened)))
        return network

    def spend(self, network: Network | None, done: int) -> None:
        """Take down what it took to lay a network out.

        Args:
            network: as far as it could be; ``None`` where nothing of it could.
            done: what its source has done for it.
        """
        layers = _layers(network) if network is not None else 0
        blocks = _BLOCK * len(network.blocks) if network is not None else 0
        self.work -= _TRY + max((layers + blocks) * (_ANEW if self.asks else 1), done)
        searched(self.source, _TRY + max(layers, done))

    @property
    def affordable(self) -> bool:
        """Whether another size may be tried."""
        if self.work < 0:
            self.given_up = f"it takes more work than a search may ({RAISED})"
        return not self.given_up

    def along(self, axes: tuple[int, ...], size: int) -> Network | None:
        """The network with some axes of that size and the others at their own."""
        return self.on(*(size if axis in axes else n for axis, n in enumerate(self.own.spatial)))

    def tell(self, axes: tuple[int, ...], size: int) -> tuple[bool, bool] | None:
        """Whether the network takes some axes of that size, and whether nothing is lost there.

        It is ``None`` where that is not told of all sizes at once, and so has to be tried.
        """
        if not self.tells or self.whole.fixed or self.given_up:
            return None
        many = min(max(self.own.spatial[axes[0]], self.bound or 0), MOST)
        first = (size - 1) // many * many + 1
        key = axes, first
        if key not in self.told:
            self.told[key] = self.tell_from(axes, range(first, first + many))
        told = self.told[key]
        bit = 1 << size - first
        if told is None or told.untold & bit:
            return None
        return bool(told.valid & bit), not told.lossy & bit

    def tell_from(self, axes: tuple[int, ...], sizes: range) -> Told | None:
        """What becomes of some sizes, found on all of them at once."""
        if not self.affordable or self.whole.origin.varies(self.whole):
            return None
        told = every_size.tell(self.network, axes, sizes, self.work // 2)
        self.work -= told.work
        searched(self.source, told.work)
        return told

    def run(self) -> Sizes:
        groups = self.groups()
        smallest = self.smallest(groups)
        scaled = tuple(self.scaled())
        layer, unpadded = self.unpadded(groups)
        tried = self.all_tried(groups, smallest)
        training = self.training(groups)
        return Sizes(
            self.network.name,
            self.input,
            self.own,
            smallest,
            self.searched,
            self.given_up,
            tried,
            layer,
            unpadded,
            scaled,
            training,
        )

    def training(self, groups: list[tuple[int, ...]]) -> Training | None:
        """The same search with the heads for training, where there are any."""
        if not self.heads:
            return None
        search = _Search(self.whole, self.bound, self.brief, inference=False)
        search.work = self.work  # what is left of it
        smallest = search.smallest(groups)
        tried = search.all_tried(groups, smallest)
        self.given_up = self.given_up or search.given_up
        return Training(smallest, search.searched, tried)

    def all_tried(self, groups: list[tuple[int, ...]], smallest: tuple[int | None, ...]) -> tuple[Tried, ...]:
        """What becomes of the sizes along each of the axes."""
        return tuple(self.tried(group, max(smallest[axis] or 0 for axis in group)) for group in groups)

    def groups(self) -> list[tuple[int, ...]]:
        """The axes that change together: all of a square input, else each by itself."""
        own = self.own.spatial
        if own and all(size == own[0] for size in own):
            return [tuple(range(len(own)))]
        return [(axis,) for axis in range(len(own))]

    def smallest(self, groups: list[tuple[int, ...]]) -> tuple[int | None, ...]:
        """The smallest size of each axis; all of them together must work, too."""
        found = [self.first((axis,)) for axis in range(len(self.own.spatial))]
        works = None not in found and self.on(*(n for n in found if n is not None)) is not None
        for group in groups if len(groups) == 1 or not works else ():
            together = self.first(group)
            if not works or (together is not None and all(together <= (found[a] or together) for a in group)):
                for axis in group:
                    found[axis] = together
        return tuple(found)

    def first(self, axes: tuple[int, ...]) -> int | None:
        """The first size of some axes that fits: their own does, but it may be out of reach."""
        own, most = self.own.spatial[axes[0]], max(MOST, self.bound or 0)
        for size in takewhile(lambda size: size <= own, range(1, 1 if self.given_up else most + 1)):
            told = self.tell(axes, size)
            if told[0] if told is not None else self.along(axes, size) is not None:
                return size
            if self.given_up:
                self.searched = min(self.searched, size - 1)
                break
        return None

    def tried(self, axes: tuple[int, ...], smallest: int) -> Tried:
        """What becomes of every size up to the bound."""
        bound = self.bound or min(self.own.spatial[axes[0]], MOST)
        if self.brief:
            bound = min(bound, max(2 * smallest, _BRIEF))
        names = tuple(self.own.axes[axis] for axis in axes)
        valid: dict[int, bool] = {}  # and whether nothing is lost there
        known: unseen.Known = {}
        for size in range(1, bound + 1):
            told = self.tell(axes, size)
            if told is not None:
                if told[0]:
                    valid[size] = told[1]
                continue
            network = self.along(axes, size)
            if self.given_up:
                bound = size - 1
                break
            if network is not None:
                valid[size] = not unseen.loses(network, names, known)
                if len(known) > Refitting.KEPT:
                    known.clear()
        return Tried(names, bound, tuple(valid), tuple(size for size, whole in valid.items() if whole))

    def unpadded(self, groups: list[tuple[int, ...]]) -> tuple[str, tuple[int | None, ...]]:
        """The smallest size of each axis at which the centre output sees no padding, and that of which layer.

        It is the last layer that has a field; or, where that has one on the own input only, as that of an
        adaptive pooling may be, the layer before it.
        """
        last = layer = self.fields.last()
        while layer in self.network.index and isinstance(self.fields[layer], tuple) and self.tries > 0:
            found = {
                axis: size for group in groups for size in [self.centred(group, layer)] for axis in group
            }
            if None not in found.values():
                return layer, tuple(found[axis] for axis in range(len(self.own.spatial)))
            layer = self.network[layer].inputs[0]
        return last, (None,) * len(self.own.spatial)

    def centred(self, axes: tuple[int, ...], layer: str) -> int | None:
        """The same of one layer along some axes."""
        seen = self.fields[layer]
        assert isinstance(seen, tuple)
        fields = [seen[axis] for axis in axes]
        start = max(field.size for field in fields)
        stride = max(-(-field.step // field.period) for field in fields)
        for size in range(start, start + min(_STRIDES * stride + 2, self.tries)):
            self.tries -= 1
            network = self.along(axes, size)
            if network is None or layer not in network.index:
                continue
            there = self.fields if network is self.network else self.fields_on(network)
            if there.is_clipped(layer, axes) is False:  # and not where no field is known
                return size
        return None

    def fields_on(self, network: Network) -> ReceptiveFields:
        """What each layer sees of another input: once, however many layers are asked for on that."""
        key = network.inputs[self.input].spatial
        if key not in self.elsewhere:
            if len(self.elsewhere) * len(self.network) > Refitting.KEPT:
                self.elsewhere.clear()
            self.elsewhere[key] = self.fields.on(network)
        return self.elsewhere[key]

    def scaled(self) -> list[Network]:
        """The network on its own input, and on some that are smaller and larger."""
        sizes = {self.own.spatial: self.network}
        for times in (0.5, 0.75, 1.25, 1.5, 2.0):
            scaled = tuple(
                round(n * times / 8) * 8 if n >= 64 else round(n * times) for n in self.own.spatial
            )
            network = self.on(*scaled) if min(scaled, default=0) > 0 else None
            if network is not None:
                sizes[scaled] = network
        return [network for _, network in sorted(sizes.items())]
