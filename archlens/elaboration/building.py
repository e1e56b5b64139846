"""The builder: the one thing that places ops, names them, asks each for its facts, and closes a network.

The walk over a spec uses it, and so can anybody in Python; see :class:`Builder`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from operator import index
from threading import Lock
from typing import Any, NamedTuple
from warnings import warn

from ..analysis import layouts
from ..analysis.refitting import Refitting, Unfit
from ..bounds import RAISED, Bounds, allowed, worked
from ..errors import (
    Caution,
    Located,
    Span,
    SpecError,
    did_you_mean,
    error,
    shorten,
    usage,
)
from ..formulas import Remembering, remembers
from ..language.steps import Merge, check_name
from ..network import Asked, Layer, Meta, Network, Origin, Setting, scopes_around
from ..ops import LANGUAGE, Facts, Op, ShapeError, ask
from ..ops.op import NONE, signed
from ..records import record
from ..shape import Shape
from .advice import LayerShapeError, explained
from .binding import Refused, make
from .inputs import read_given, usable
from .packages import bring, package_of
from .values import Tensor

#: What it is worth to place an op, in layers laid out.
_PLACED = 8


class Known(NamedTuple):
    """An op, and its facts by the shapes that it was asked on."""

    op: Op
    facts: dict[tuple[Shape, ...], Facts]


class Place:
    """A scope being filled: where names are given, and found again by ``ref``."""

    __slots__ = (
        "absent",
        "begun",
        "certain",
        "count",
        "file",
        "kinds",
        "named",
        "numbers",
        "parent",
        "path",
        "taken",
        "tensors",
    )

    def __init__(
        self,
        path: str,
        parent: Place | None,
        certain: Mapping[str, Located],
        file: Any = None,
        *,
        named: bool = False,
    ) -> None:
        self.path = path
        self.parent = parent
        self.file: Any = file if parent is None else parent.file  # the spec that its steps stand in
        self.certain = certain  # names that the spec's text is sure to give here
        self.count = 0
        self.named = named  # whether a step here has a name, be it certain or not
        self.kinds: dict[str, int] = {}  # how far each kind of op has been counted
        self.numbers: dict[str, str] = {}  # what the steps are called that are counted, and not by numbers
        self.taken: dict[str, Located | None] = {}
        self.begun: set[str] = set()  # scopes whose steps stand here, each under its path
        self.tensors: dict[str, Tensor] = {}
        self.absent: dict[str, Located] = {}  # names of steps that are none here

    def full(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def outwards(self) -> Iterator[Place]:
        """This scope, and those around it, in which names are looked up one after the other."""
        place: Place | None = self
        while place is not None:
            yield place
            place = place.parent

    def number(self) -> str:
        """The next number, as ``nn.Sequential`` counts."""
        name = str(self.count)
        self.count += 1
        return name

    def automatic(self, kind: str) -> str:
        """A name after the op, for what has none of its own: ``add``, ``add_1`` and so on."""
        name = free_name(kind, self.kinds, self.taken, self.certain)
        self.taken[name] = None
        return name

    def counted(self, op: Op, where: Located | None, owns: Callable[[], bool]) -> str:
        """The name of a step that is given none and is no merge: its number, as ``nn.Sequential`` counts.

        Where another step is named, one that has no tensors of its own is called by its op, and its number
        left out.
        """
        number = self.number()
        if not self.named or owns():
            self.claim(number, where)
            return number
        name = self.numbers[number] = self.automatic(op.kind)
        return name

    def claim(self, name: str, where: Located | None) -> None:
        if name in self.taken:
            first = self.taken[name]
            scope = f" in {shorten(self.path)}" if self.path else ""
            raise error(
                f"the name {shorten(name)} appears twice{scope}",
                where.span if where is not None else None,
                help=_another_name(name, first, where),
                also=[("it stands here first", first.span)] if first and first is not where else (),
            )
        if "." in name:
            self._begin(name, where)
        self.taken[name] = where

    def _begin(self, name: str, where: Located | None) -> None:
        """Note the scopes that a path leads through; one that is a step itself has all of its steps."""
        for scope in scopes_around(name):
            if scope in self.taken and scope not in self.begun:
                first = self.taken[scope]
                raise error(
                    f"{shorten(name)} stands beside {shorten(scope)}, and not in it",
                    where.span if where is not None else None,
                    help=f"a scope has its steps under its name, or each under its path: {shorten(scope)}.0",
                    also=[("it stands here", first.span)] if first is not None else (),
                )
            if scope not in self.taken:
                self.begun.add(scope)
                self.taken[scope] = where


def free_name(base: str, counts: dict[str, int], *taken: Container[str]) -> str:
    """A name that is not taken: ``add``, ``add_1`` and so on.

    No name is ever given back, so that the count goes on from where it was.
    """
    count = counts.get(base, 0)
    found = f"{base}_{count}" if count else base
    while any(found in names for names in taken):
        count += 1
        found = f"{base}_{count}"
    counts[base] = count
    return found


def _another_name(name: str, first: Located | None, second: Located | None) -> str:
    if second is None:
        return ""
    if first is None:
        return "an unnamed step has it already, after its op; name that one, too, or use another name"
    if first is second:
        return f"it is in a table: give each row a name of its own, as in {shorten(name)}{{i}}"
    return "steps without a name are numbered from 0" if name.isdigit() else ""


@record(frozen=True, eq=False)
class Built(Origin):
    """A network that was placed layer by layer: on other inputs the same ops are placed again."""

    def again(self, network: Network, on: Setting) -> Network:
        if on.values:
            param = shorten(next(iter(on.values)))
            raise usage(f"{shorten(network.name)} has no param {param}, because it has no spec")
        inputs = {**network.inputs, **read_given(on.input, network.inputs, network.name)}
        if on.inference:
            layers = tuple([layer for layer in network.layers if not layer.training])
            there = {*inputs, *(layer.name for layer in layers)}
            outputs = {name: end for name, end in network.outputs.items() if end in there}
            network = replace(network, layers=layers, outputs=outputs)
        try:
            return replace(Refitting(network).on(inputs), origin=self)
        except Unfit as unfit:
            layer, made = unfit.layer, unfit.network
            read = [*map(Tensor, layer.inputs, layer.input_shapes)]
            failed = LayerShapeError(layer.name, layer.where, unfit.cause, read, layer.op, None)
            raise SpecError(explained(failed, made.layers, inputs), made, failed.unplaced) from None


class Builder:
    """Places ops one after the other, and closes a network.

    >>> import archlens
    >>> net = archlens.Builder("digits", "1x28x28")
    >>> with net.scope("features"):
    ...     x = net.conv(net.x, 16, 3, padding=1, name="conv1")
    ...     y = net.relu(net.conv(x, 16, 3, padding=1))
    ...     net.add(x, y)
    <features.add 16x28x28>
    >>> net.linear(net.flatten(), 10, name="fc")
    <fc 10>
    >>> network = net.network()
    >>> network.params, network.output
    (127930, Shape((10,)))

    Every op has a method of its name, which takes the tensors that it reads and then the op's arguments, as a
    spec does. Without a tensor it reads what was placed last. A step without a name is numbered in its scope;
    where one before it was named, what has no weights is called by its op.

    Args:
        name: what the network is called.
        input: its shape without the batch, or shapes by name; inputs can be added with :meth:`input`, too.
        meta: what is for people, such as its title and papers.
        origin: where it came from, if it can be had on other inputs in another way than by placing the same
            ops again.
        max_layers: how many layers it may have; else as many as is allowed here.
    """

    def __init__(
        self,
        name: str = "network",
        input: Any = None,
        *,
        meta: Meta | None = None,
        origin: Origin | None = None,
        max_layers: int | None = None,
    ) -> None:
        self.name = name
        self.meta = meta if meta is not None else Meta()
        #: Whether nobody else shows what the network is, and warns of it.
        self.alone = origin is None
        self.origin = origin if origin is not None else Built("", "")
        self.bounds = Bounds(allowed() if max_layers is None else max_layers)
        self.most = self.bounds.layers  # fewer where there are many inputs
        self.steps = 0
        self.connections = 0
        self.inputs: dict[str, Shape] = {}
        self.sources: dict[str, Tensor] = {}
        self.declared: dict[str, Located] = {}
        #: What was placed last.
        self.x = Tensor("", Shape((1,)))
        self.layers: list[Layer] = []
        self.outputs: dict[str, str] = {}
        self.blocks: list[tuple[str, str]] = []  # path and name of each block's scope
        self.labels: dict[str, str] = {}  # the labels of these, by path
        self.arguments: dict[str, dict[str, int]] = {}  # the numbers that they were given, by path
        self.of_blocks: tuple[dict[str, Any], ...] = (self.labels, self.arguments)
        self.scopes: list[tuple[str, Tensor]] = []  # path and output of each scope
        self.training = False
        self.once: set[str] = set()  # the layers that are made once for a whole batch
        self.heads: set[str] = set()  # the layers of heads for training
        self.aliases: dict[str, str] = {}  # further keys of tied tensors, each with the key of its owner
        self.root = self.inside = Place("", None, {})
        self.memory = _memory
        #: What gives the facts of an op, where sizes are numbers that remember how they were made.
        self.asks: Callable[..., Facts] | None = None
        self.remembers = 0  # how many ops and facts have been added to the memory
        self._places = {"": self.root}
        self._tensors: dict[str, Tensor] = {}  # that a user may name
        self._keys: set[str] = set()  # of the tensors of the layers before the one that is looked at next
        self._looked = 0
        for one, shape in read_given(input, None, name).items():
            self.input(shape, one)

    # --- what a user calls ----------------------------------------------------------------------

    def input(self, shape: Any, name: str = "input", where: Located | None = None) -> Tensor:
        """An input of the network.

        Args:
            shape: without the batch, as ``(3, 224, 224)`` or ``"3x224x224"``.
            name: what it is called, where there are several.
            where: its place in a file.

        Raises:
            UsageError: that is no shape.
            SpecError: the name is taken, or there are too many inputs.
        """
        if not isinstance(shape, Shape):
            shape = read_given({name: shape}, None, self.name)[name]
        self.admit(len(self.inputs) + 1, where)
        self.root.claim(name, where)
        self.inputs[name] = shape
        self.keep_apart(tuple(shape))
        self.x = self.sources[name] = self._tensors[name] = Tensor(name, shape)
        return self.x

    def __getattr__(self, kind: str) -> Callable[..., Tensor]:
        if kind.startswith("_"):
            raise AttributeError(kind)
        op = LANGUAGE.get(kind) or bring(kind)
        if op is None:
            help = did_you_mean(kind, LANGUAGE)
            raise AttributeError(f"there is no op {shorten(kind)}; {help}".rstrip("; "))
        return partial(self._call, op)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *LANGUAGE]

    def _call(
        self, kind: type[Op], *given: Any, name: str = "", where: Located | None = None, **named: Any
    ) -> Tensor:
        """Place an op: first the tensors that it reads, then its arguments."""
        count = next((i for i, one in enumerate(given) if not isinstance(one, Tensor)), len(given))

        def refused(message: str, part: int | str | None, help: str) -> SpecError:
            return error(f"{shorten(self.inside.full(name))}: {message}" if name else message, help=help)

        args = [_plain(value) for value in given[count:]]
        kwargs = {key: _plain(value) for key, value in named.items()}
        for value in (*args, *kwargs.values()):
            if isinstance(value, Tensor):
                raise refused("the tensors that an op reads come before its arguments", None, signed(kind))
        return self._placed(self.known(kind, args, kwargs, refused), given[:count], name, where)

    def place(
        self,
        op: Op,
        *inputs: Tensor,
        name: str = "",
        where: Located | None = None,
        keys: Mapping[str, str] = NONE,
        again: str = "",
    ) -> Tensor:
        """Place an op.

        Args:
            op: what is placed.
            inputs: the tensors that it reads; without any what was placed last.
            name: its name in the scope that is open, which may lead into scopes within it, as
                ``"layer1.0.conv1"``. Without one a merge is called by its op, and so is what has no weights
                where a step was named before; else it has a number.
            where: its place in a file.
            keys: the keys of its tensors where they are other than its name and theirs; what another layer
                has already is shared with it, and counted there.
            again: the layer that it is once more, which has all of its tensors.

        Returns:
            What flows out of it.

        Raises:
            SpecError: it does not fit; carries the network up to there.
        """
        key = ("op", op, str(op))  # to Python 1 and 1.0 are equal, and so are ops with either
        known = self.memory.get(key)
        if known is None:
            known = self.remember(key, op)
        made = self._placed(known, inputs, name, where, keys)
        if again:
            self.layers[-1] = self.layers[-1]._replace(again=again)
        return made

    def _placed(
        self,
        known: Known,
        inputs: tuple[Tensor, ...],
        name: str,
        where: Located | None,
        keys: Mapping[str, str] = NONE,
    ) -> Tensor:
        worked(_PLACED)
        op = known.op
        if not inputs and not self.sources:
            raise error(f"{op.kind} has nothing to read", help="the network has no input yet")
        read = [*inputs] or [self.x]
        if op.reads_several != (len(read) > 1):
            many = "merges several" if op.merges else "reads two"
            several = f"{many} tensors, not 1" if op.reads_several else f"reads one tensor, not {len(read)}"
            raise error(f"{shorten(name) or op.kind}: {op.kind} {several}")
        for tensor in read:
            if self._tensors.get(tensor.name) is not tensor:
                raise error(f"{shorten(name) or op.kind}: {tensor!r} is not a tensor of this network")
        path, _, last = name.rpartition(".")
        place = self._open(path)
        if not last:
            owns = partial(self.owns, known, read[0].shape, where)
            last = place.automatic(op.kind) if op.merges else place.counted(op, where, owns)
        else:
            check_name(last, where)
            place.claim(last, where)
            place.named |= not last.isdecimal()
        try:
            if not op.transparent:
                self.layer(known, place.full(last), read, where)
                if keys:
                    self.layers[-1] = self._owning(self.layers[-1], keys)
            else:
                self.x = read[0]
            if len(self.layers) > self.most:
                raise self.too_many_layers(where)
        except LayerShapeError as failed:
            said = explained(failed, self.layers, self.inputs)
            raise SpecError(said, self.closed(), failed.unplaced) from None
        except SpecError as problem:
            raise SpecError(problem.diagnostic, self.closed()) from None
        self._tensors[self.x.name] = self.x
        return self.x

    def _owning(self, layer: Layer, keys: Mapping[str, str]) -> Layer:
        """A layer whose tensors have these keys, without those that another has already."""
        for other in self.layers[self._looked : -1]:
            self._keys.update(map(other.key, (*other.facts.weights, *other.facts.buffers)))
        self._looked = len(self.layers) - 1
        layer = layer._replace(keys=keys)
        facts = layer.facts
        weights = {name: one for name, one in facts.weights.items() if layer.key(name) not in self._keys}
        buffers = {name: one for name, one in facts.buffers.items() if layer.key(name) not in self._keys}
        return layer._replace(facts=facts._replace(weights=weights, buffers=buffers))

    def _open(self, path: str) -> Place:
        """The scope of that path within the one that is open."""
        place = self.inside
        for name in path.split(".") if path else ():
            full = place.full(name)
            if full not in self._places:
                check_name(name, None)
                place.claim(name, None)
                place.named |= not name.isdecimal()
                self._places[full] = Place(full, place, {})
            place = self._places[full]
        return place

    @contextmanager
    def scope(self, name: str = "", *, block: str = "", training: bool = False) -> Iterator[None]:
        """Within it names stand in a scope: ``layer1``, or ``layer1.0``; a number unless one is given.

        Args:
            name: of the scope; one that was open before is opened again.
            block: what made it, where several scopes are made alike, such as ``"bottleneck"``.
            training: whether what is placed there serves a head that runs in training only.
        """
        before, serves = self.inside, self.training
        place = self._open(name or before.number())
        if block:
            self.blocks.append((place.path, block))
        self.inside, self.training = place, training or serves
        try:
            yield
        finally:
            self.inside, self.training = before, serves
            self.scopes.append((place.path, self.x))

    def network(self, out: Tensor | None = None, /, **heads: Tensor) -> Network:
        """The network of all that was placed.

        A warning says where an input looks as if its channels stood last, unless the network has an origin.

        Args:
            out: its main output; without it what was placed last.
            heads: further outputs by name.

        Raises:
            SpecError: nothing was placed, or a head for inference reads what runs in training only.
        """
        ends = {"out": out if out is not None else self.x, **heads}
        if not self.layers:
            raise error(f"{shorten(self.name)} has no layers")
        for name, end in ends.items():
            if self._tensors.get(end.name) is not end:
                raise error(f"the output {shorten(name)}: {end!r} is not a tensor of this network")
        self.heads = {layer.name for layer in self.layers if layer.training}
        self.check_inference("out", None, [layer for layer in self.layers if not layer.training], ends["out"])
        self.outputs = {name: end.name for name, end in ends.items()}
        network = self.closed()
        for problem in layouts.find(network) if self.alone else ():
            warn(Caution(problem), stacklevel=2)
        return network

    def keep_apart(self, values: Any) -> None:
        """Let what is known of numbers that remember be found by no other network."""
        if isinstance(values, tuple):
            for value in values:
                self.keep_apart(value)
        elif isinstance(values, Remembering) and self.asks is None:
            self.memory, self.asks = {}, values.table.asks

    # --- what the walk over a spec calls, too ------------------------------------------------------

    def admit(self, inputs: int, where: Located | None) -> None:
        """Bound the layers by the number of inputs, for each of which they are looked at.

        Raises:
            SpecError: there are so many inputs that no layer is left.
        """
        self.most = min(self.bounds.layers, self.bounds.views // inputs - inputs)
        if self.most < 0:
            raise error(self.bounds.too_many_views(inputs), _span(where), help=RAISED)

    def known(
        self,
        kind: type[Op],
        args: list[Any],
        kwargs: dict[str, Any],
        refused: Refused,
    ) -> Known:
        """The op that a call makes; the same arguments make the same op."""
        if self.asks is not None and any(map(remembers, (*args, *kwargs.values()))):
            return Known(make(kind, args, kwargs, refused), {})
        key: Any = (kind, *kwargs, *by_value((*args, *kwargs.values()))) if args or kwargs else kind
        found = self.memory.get(key)
        return found if found is not None else self.remember(key, make(kind, args, kwargs, refused))

    def remember(self, key: Any, op: Op) -> Known:
        """The op that is known under a key from now on: this one, or what another thread made meanwhile."""
        self.remembers += 1
        return self.memory.setdefault(key, Known(op, {}))

    def layer(
        self,
        known: Known,
        name: str,
        inputs: list[Tensor],
        where: Located | None,
        form: Merge | None = None,
    ) -> None:
        """Ask an op for its facts on some tensors, and make it a layer; it flows from there.

        Raises:
            LayerShapeError: it refuses them.
            SpecError: too much is read.
        """
        self.steps += len(name) >> 6  # a path of many scopes takes its room once for each layer
        shapes = (inputs[0].shape,) if len(inputs) == 1 else tuple([tensor.shape for tensor in inputs])
        try:
            facts = self._facts(known, shapes, where)
        except ShapeError as cause:
            raise LayerShapeError(name, where, cause, inputs, known.op, form) from None
        sources = (inputs[0].name,) if len(inputs) == 1 else tuple([tensor.name for tensor in inputs])
        self.connect(len(inputs), where)
        if len(inputs) > 1:
            self.steps += sum([len(source) for source in sources]) >> 6
        made = Layer(name, known.op, sources, shapes, facts, where, self.training)
        self.layers.append(self.made_once(made))
        self.x = Tensor(name, facts.shape)

    def made_once(self, layer: Layer) -> Layer:
        """The layer, which is made once for a whole batch where all that it reads is."""
        if not (layer.op.stands_once or (self.once and self.once.issuperset(layer.inputs))):
            return layer
        self.once.add(layer.name)
        return layer._replace(once=True)

    def owns(self, known: Known, read: Shape, where: Located | None) -> bool:
        """Whether an op has tensors of its own on what it reads, weights or others that are saved.

        Nobody can say so of one that refuses it; it counts as one that has.
        """
        if known.op.transparent:
            return False
        try:
            facts = self._facts(known, (read,), where)
        except ShapeError:
            return True
        return bool(facts.weights or facts.unlisted or facts.kept)

    def _facts(self, known: Known, shapes: tuple[Shape, ...], where: Located | None) -> Facts:
        """The facts of an op on some shapes.

        Raises:
            ShapeError: it refuses them.
            SpecError: it is an op of a package, which fails.
        """
        op, remembered = known
        facts = remembered.get(shapes) if self.asks is None else None
        if facts is not None:
            return facts
        try:
            facts = (self.asks or ask)(op, *shapes)
        except ShapeError:
            raise
        except Exception as problem:
            if package := package_of(type(op)):
                why = f"{type(problem).__name__}: {problem}"
                said = f"{op.kind} of the package {package} fails on {' and '.join(map(str, shapes))}"
                raise error(f"{said}: {shorten(why)}", _span(where)) from problem
            raise
        if self.asks is None:
            facts = remembered.setdefault(shapes, facts)
            self.remembers += 1
        return facts

    def connect(self, count: int, where: Located | None) -> None:
        """Count what is read."""
        self.connections += count
        if self.connections > self.bounds.connections:
            raise error(self.bounds.too_many_connections, _span(where), help=RAISED)

    def too_many_layers(self, where: Located | None) -> SpecError:
        """The diagnostic of a network that is too large."""
        few = self.most < self.bounds.layers
        said = self.bounds.too_many_views(len(self.inputs)) if few else self.bounds.too_many_layers
        return error(said, _span(where), help=RAISED)

    def check_inference(self, head: str, span: Span | None, layers: Iterable[Layer], end: Tensor) -> None:
        """Refuse a head that runs at inference and reads what runs in training only."""
        read = [(source, layer.span) for layer in layers for source in layer.inputs]
        for source, place in [*read, (end.name, span)]:
            if source in self.heads:
                raise error(
                    f"{shorten(head)} reads {shorten(source)}, which runs only in training",
                    place,
                    help=f"let it run only in training as well: {shorten(head)}: {{training: [...]}}",
                )

    def settle(self) -> None:
        """Count what has been remembered, so that the memory stays bounded."""
        remembered, self.remembers = self.remembers, 0
        _count(self.memory, remembered)

    def closed(
        self,
        values: Mapping[str, Any] | None = None,
        overrides: Iterable[str] = (),
        asked: Iterable[Asked] = (),
    ) -> Network:
        """The network of what has been placed so far."""
        self.settle()
        return Network(
            name=self.name,
            meta=self.meta,
            inputs=dict(self.inputs),
            layers=tuple(self.layers),
            outputs=dict(self.outputs) or {"out": self.x.name},
            blocks=dict(self.blocks),
            labels=dict(self.labels),
            arguments=dict(self.arguments),
            values=values if values is not None else {},
            index={layer.name: layer for layer in self.layers},
            origin=self.origin,
            overrides=tuple(overrides),
            declared=self.declared,
            asked=tuple(asked),
            aliases=dict(self.aliases),
        )


def _span(where: Located | None) -> Span | None:
    return where.span if where is not None else None


def _plain(value: Any) -> Any:
    """A value from Python as an op takes it: lists as tuples, and whole numbers of other libraries as such.

    Raises:
        UsageError: it is out of range.
    """
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    if not isinstance(value, bool | int | float | str | type(None)) and hasattr(value, "__index__"):
        value = index(value)
    if isinstance(value, int | float) and not usable(value):
        raise usage("a number is out of range")
    return value


#: Ops by what they are made from, each with its facts. Both are pure, and the members of a family, and the
#: sizes that are tried when one does not fit, share most of them. Builders of several threads read and fill
#: one memory; an entry is added and never altered, and a builder goes on with the one that it started with.
_memory: dict[Any, Known] = {}
_remembered = 0
_counting = Lock()

#: How many ops and facts are remembered from one network to the next.
_MOST = 20_000


def _count(memory: dict[Any, Known], count: int) -> None:
    """Count what a builder has added to a memory; a full one is followed by an empty one."""
    global _memory, _remembered
    if not count:
        return
    with _counting:
        if memory is _memory:  # and not one that is forgotten already
            _remembered += count
            if _remembered > _MOST:
                _memory, _remembered = {}, 0


def by_value(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values and what tells those apart that Python takes for equal: 1, 1.0 and true, also in lists."""
    kinds = tuple(map(type, values))
    return (*values, *kinds, *map(str, values)) if tuple in kinds else (*values, *kinds)
