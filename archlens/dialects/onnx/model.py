"""A network in an ONNX file: what its inputs are, and the graph lowered on shapes of theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from typing import Any, NamedTuple
from warnings import warn

from ...backends.checks import Check
from ...errors import Caution, Diagnostic, SpecError, error, shorten, usage
from ...language.steps import RESERVED
from ...lowering import aten
from ...lowering.lowering import Lowering
from ...lowering.masks import leaves
from ...lowering.tape import BATCH, TakenApart, Value
from ...lowering.waves import rates_of, turns_of
from ...network import Asked, Layer, Network, Origin
from ...shape import AXIS_NAMES, Shape, times
from ..format import Model
from .floats import floats
from .folding import FOLDS
from .operators import OPERATORS
from .operators.lookups import rows_of
from .proto import Info, Node, Proto, quoted
from .running import Run, Tensor
from .scopes import Names, first, folded

#: How many inputs a file may have.
_INPUTS = 1000

#: What is said where no batch can be laid out.
_ALONE = "Laid out for one sample, since the file takes its batch apart or mixes its samples."


class Input(NamedTuple):
    """An input of the network."""

    info: Info
    #: Which of its axes the samples are.
    batch: int

    @property
    def sizes(self) -> Sequence[int | str]:
        """Its sizes without the batch."""
        sizes = self.info.sizes or ()
        return [*sizes[: self.batch], *sizes[self.batch + 1 :]]


def _notes(proto: Proto) -> Iterator[str]:
    """What is known of batch norms that are no more there."""
    nodes = [node for node in proto.graph.nodes if node.op in ("Conv", "ConvTranspose")]
    owners = list(filter(None, map(folded, nodes)))
    if owners:
        more = f" and {len(owners) - 3:,} more" if len(owners) > 3 else ""
        yield f"Batch norm is folded into {', '.join(map(shorten, owners[:3]))}{more}."
    gone = _multiplied(proto)
    if gone:
        more = f" and {len(gone) - 3:,} more" if len(gone) > 3 else ""
        yield (
            f"The products of {', '.join(map(shorten, gone[:3]))}{more} with constants were computed for the "
            "file: neither these weights nor their MACs are in it."
        )
    # torch keeps the names of parameters, and makes up such names for what it computes of them
    computed = [node for node in nodes if node.inputs[1:] and node.inputs[1].startswith("onnx::Conv")]
    if computed and proto.producer == "pytorch":
        yield (
            f"The weights of {len(computed):,} convolutions were computed for the file, as they are where "
            "batch norm is folded into them."
        )


def _unread(found: Iterable[tuple[Sequence[Value], str]]) -> Iterator[str]:
    """What is said of constants that nobody read, and why, in the words of a warning and its notes."""
    why: dict[str, list[str]] = {}
    for values, reason in found:
        why.setdefault(reason, []).extend(map(_named, values))
    named = [*dict.fromkeys(name for names in why.values() for name in names)]
    more = f" and {len(named) - 3:,} more" if len(named) > 3 else ""
    yield f"constants that are not evaluated: {', '.join(named[:3])}{more}"
    yield from why
    yield "a causal mask and rotary angles are recognized by their numbers; others are laid out as they stand"


def _named(constant: Value) -> str:
    """What a constant is called, or else where it is computed."""
    if constant.key or constant.node is None:
        return shorten(constant.key)
    return f"what {shorten(constant.node.call.path or 'the graph')} computes"


def _multiplied(proto: Proto) -> list[str]:
    """The weights of whose products with constants the exporter has made others, and which the file lacks."""
    held = proto.graph.held
    each = (
        [n for n in quoted(one.folded) if "." in n and n not in held] for one in proto.graph.known.values()
    )
    return [next(n for n in names if n.endswith(".weight")) for names in each if _weighs(names)]


def _weighs(names: Sequence[str]) -> bool:
    """Whether a weight was computed with another tensor of the module."""
    return len(names) > 1 and sum(n.endswith(".weight") for n in names) == 1


def _keyed(layers: Iterable[Layer], found: dict[str, str]) -> Iterator[Layer]:
    """Layers whose weights have their keys from its name, as in a module; those of several from the first.

    What exporters call a weight that they have computed, such as ``onnx::Conv_193``, is no name for it.

    Args:
        layers: with the keys of the file.
        found: is filled with the key of each of these.
    """
    for layer in layers:
        facts = layer.op.facts(*layer.input_shapes)
        keys = {}
        for own in (*facts.weights, *facts.buffers):
            plain = f"{layer.name}.{own}" if own else layer.name
            key = found.setdefault(layer.key(own), plain)
            if key != plain:
                keys[own] = key
        yield layer._replace(keys=keys) if keys != layer.keys else layer


def _batch_of(one: Info, batch: int | str | None) -> int | None:
    """Which axis of an input the samples are; ``None`` where it has none.

    An exporter may call the batch otherwise in each input, where it leaves it open.
    """
    if one.sizes is None:
        return 0
    if batch in one.sizes:
        return one.sizes.index(batch)
    is_open = bool(one.sizes) and isinstance(one.sizes[0], str) and isinstance(batch, str)
    return 0 if is_open else None


def _follows(size: int | str, said: Mapping[str, Any]) -> Any:
    """The size of an axis, where the file calls it as others or a sum of some; ``None`` where that is open.

    >>> _follows("past + now", {"past": 3, "now": 2}), _follows("past", {"now": 2})
    (5, None)
    """
    if not isinstance(size, str) or size in said:
        return said.get(str(size), size)
    parts = [said.get(part.strip()) for part in size.split("+")]
    return sum(parts) if all(isinstance(part, int) for part in parts) else None


class Onnx(Model):
    """A graph, which runs on shapes."""

    why_shared = (
        "exporters keep equal tensors once, as the zeros of biases that were not trained: give them other "
        "values before the export"
    )

    def __init__(self, path: str, proto: Proto) -> None:
        self.path = path
        self.proto = proto
        graph = proto.graph
        given = [one for one in graph.inputs if one.name not in graph.held]
        if len(given) > _INPUTS:
            raise error(f"{shorten(path, 200)} has {len(given):,} inputs, more than the {_INPUTS:,} allowed")
        batch = next((one.sizes[0] for one in given if one.sizes), None)
        #: The samples that the file is written for; 0 where for any number.
        self.samples = batch if isinstance(batch, int) else 0
        self.symbol = batch if isinstance(batch, str) and batch != "?" else ""
        # an input is called as no module is, and as a spec can call it
        modules = {first(node) for node in graph.nodes} | {name.partition(".")[0] for name in graph.held}
        names = Names(modules.union(RESERVED) if len(given) > 1 else modules)
        #: Those that hold samples; others hold numbers that are the same for all.
        self.known: dict[str, Input] = {}
        for one in given:
            axis = _batch_of(one, batch)
            if axis is not None:
                self.known[names.new(one.name if len(given) > 1 else "input")] = Input(one, axis)

        self.renamed = {one.info.name: name for name, one in self.known.items()}
        #: What is known of how it came to be, whatever it is laid out on.
        self.noted = self.notes = tuple(_notes(proto))

    @property
    def inputs(self) -> Mapping[str, Shape | None]:
        found: dict[str, Shape | None] = {}
        for name, one in self.known.items():
            sizes = [n for n in one.sizes if isinstance(n, int)]
            whole = (
                one.info.sizes is not None and len(sizes) == len(one.sizes) and len(sizes) - 1 in AXIS_NAMES
            )
            found[name] = Shape(sizes) if whole else Shape((1,)) if one.info.sizes and not one.sizes else None
        return found

    def implied(self, given: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
        said: dict[str, Any] = {}
        for name, sizes in given.items():
            own = self.known[name].sizes
            if len(own) == len(sizes):
                said.update(
                    (n, m) for n, m in zip(own, sizes, strict=True) if isinstance(n, str) and n != "?"
                )
        found = {}
        for name, one in self.known.items():
            sizes = [_follows(n, said) for n in one.sizes]
            if name not in given and sizes != one.sizes and None not in sizes:
                found[name] = sizes
        return found

    def open(self, name: str) -> str:
        one = self.known[name]
        return " x ".join(map(str, one.sizes)) if one.info.sizes is not None else ""

    def network(
        self, name: str, shapes: Mapping[str, Shape], values: Mapping[str, Any], variant: str, origin: Origin
    ) -> Network:
        if not self.known:
            raise error(f"{shorten(self.path, 200)} has no input that holds samples")
        self._check(shapes)
        run, lowering = self._lowered(name, shapes)
        if run.left:
            first, *rest = run.left.values()
            behind = f", and {len(rest)} behind it" if rest else ""
            problem = f"{first} is left out{behind}"
            note = (
                "how much it gives depends on values; nothing of what is left out has weights or multiplies"
            )
            self._warn(problem, note)
        network = lowering.network(name, origin)
        if run.reader.unread:
            self._warn(*_unread(run.reader.unread.values()))
        asked = [
            Asked(one, axis, size)
            for one, shape in network.inputs.items()
            for axis, size in zip(shape.names, shape, strict=True)
            if axis != "channels"
        ]
        keys: dict[str, str] = {}
        layers = tuple(_keyed(network.layers, keys))
        dtypes = {keys.get(key, key): dtype for key, dtype in network.dtypes.items()}
        index = {layer.name: layer for layer in layers}
        return replace(network, layers=layers, index=index, asked=tuple(asked), dtypes=dtypes)

    def _lowered(self, name: str, shapes: Mapping[str, Shape]) -> tuple[Run, Lowering]:
        """The graph on a batch, said in ops; or on one sample, where it takes its batch apart."""
        self.notes = self.noted
        try:
            return self._said(name, self._batched(name, shapes))
        except (SpecError, TakenApart) as problem:
            if self.samples < 2:
                found = self._said(name, self._run(name, shapes, samples=1, alone=True))
                self.notes = (*self.noted, _ALONE)
                return found
            if isinstance(problem, SpecError):
                raise
            raise error(
                f"{shorten(name)} takes its batch apart",
                notes=("a network has one shape for any number of samples",),
                help="export it for a single sample",
            ) from None

    def _said(self, name: str, run: Run) -> tuple[Run, Lowering]:
        """What ran, said in ops."""
        if not run.tape.outputs:
            raise error(f"nothing that {shorten(name)} gives depends on its input")
        own = partial(leaves, reader=run.reader), partial(turns_of, reader=run.reader)
        rates = partial(rates_of, reader=run.reader)
        lowering = Lowering(run.tape, aten.TABLE, *own, rows_of=rows_of, rates_of=rates)
        lowering.run()
        return run, lowering

    def _batched(self, name: str, shapes: Mapping[str, Shape]) -> Run:
        """The run on a batch of any size; a sample may stand in one of several axes of length one."""
        first, samples = self._first(name, shapes)
        if shapes == self.inputs:
            self._hold(first)
        if not samples:
            return first
        try:
            return self._run(name, shapes, first.seen, samples)
        except SpecError as problem:
            if samples == 1:
                with suppress(SpecError):
                    return self._run(name, shapes, first.seen, samples, late=True)
            said = problem.diagnostic
            if str(BATCH) not in said.message:
                raise problem from None
            note = f"{BATCH} stands for any number of samples; the file is for {samples}, its outermost axis"
            raise SpecError(replace(said, notes=(*said.notes, note))) from None

    def _first(self, name: str, shapes: Mapping[str, Shape]) -> tuple[Run, int]:
        """The first run, and for how many samples; a file may say any number, and have been made for one."""
        try:
            return self._run(name, shapes), self.samples
        except SpecError:
            if self.samples:
                raise
            return self._run(name, shapes, samples=1), 1

    def _check(self, shapes: Mapping[str, Shape]) -> None:
        """Hold that shapes have as many axes as the inputs."""
        for name, one in self.known.items():
            rank = len(one.info.sizes) - 1 if one.info.sizes is not None else len(shapes[name])
            if len(shapes[name]) != max(rank, 1):
                said = self.open(name)
                raise usage(
                    f"{times(shapes[name])} is not a shape of the input {shorten(name)}"
                    + (f", which is {said} without its batch" if said else "")
                )

    def held(self, network: Network) -> Iterator[Check]:
        if find_spec("onnxruntime") is None:
            return
        from .verification import checks

        run = self._run(network.name, network.inputs, samples=self.samples or 2)
        inputs = {
            one.name: (run.seen[one.name][0], one.dtype)
            for one in self.proto.graph.inputs
            if one.name in run.seen
        }
        yield from checks(self.path, inputs, self._made(run))

    def tensors(self, shapes: Mapping[str, Shape], samples: int) -> Mapping[str, Sequence[int]]:
        """The sizes of every tensor that the nodes of the graph make, by its name.

        Args:
            shapes: of the inputs, without the batch.
            samples: how many there are, where the file leaves that open.

        Raises:
            SpecError: a node does not fit.
        """
        return self._made(self._run("", shapes, samples=self.samples or samples))

    def _made(self, run: Run) -> dict[str, Sequence[int]]:
        made = {name for node in self.proto.graph.nodes for name in node.outputs}
        return {name: sizes for name, (sizes, _) in run.seen.items() if name in made}

    def _hold(self, run: Run) -> None:
        """Warn of an output that the file says another shape of, on the inputs that it says."""
        for one in self.proto.graph.outputs:
            found = run.seen.get(one.name)
            if found is None or one.sizes is None:
                continue
            apart = any(isinstance(n, int) and n != m for n, m in zip(one.sizes, found[0], strict=False))
            if apart or len(one.sizes) != len(found[0]):
                batch = self.samples or self.symbol or "batch"
                ours = [batch if n == run.batch else n for n in found[0]]
                said = " and ".join("x".join(map(str, sizes)) for sizes in (one.sizes, ours))
                note = "the first is what the file says, and the second what its nodes make"
                self._warn(f"its output {shorten(one.name)} is {said}", note)

    def _warn(self, problem: str, *notes: str) -> None:
        """Warn of something in the file, beside what can be said of the network."""
        said = Diagnostic(f"{shorten(self.path, 200)}: {problem}", notes=notes, severity="warning")
        warn(Caution(said), stacklevel=3)

    def _run(
        self,
        name: str,
        shapes: Mapping[str, Shape],
        example: dict[str, Any] | None = None,
        samples: int = 0,
        late: bool = False,
        alone: bool = False,
    ) -> Run:
        graph = self.proto.graph
        run = Run(
            graph,
            self.proto.functions,
            OPERATORS,
            FOLDS,
            name,
            self.path,
            samples or self.samples,
            example,
            alone,
        )
        run.symbol, run.late = self.symbol, late
        run.floats = partial(floats, path=self.path, again=self.again)
        env: dict[str, Tensor] = {}
        for called, one in self.known.items():
            shape = shapes[called]
            tensor = run.input((run.batch, *shape), one.info.dtype, called)
            env[one.info.name] = tensor
            rank = len(one.info.sizes) if one.info.sizes is not None else len(shape) + 1
            node = Node("Transpose", "", "", [], [], {})
            if rank == 1:
                (env[one.info.name],) = run.write(
                    node, "aten.view", {"self": tensor}, [(run.batch,)], 0, tensor.dtype
                )
            elif one.batch:
                order = [*range(1, one.batch + 1), 0, *range(one.batch + 1, rank)]
                sizes = [tensor.sizes[i] for i in order]
                args = {"self": tensor, "dims": order}
                (env[one.info.name],) = run.write(node, "aten.permute", args, [sizes], 0, tensor.dtype)
            run.seen[one.info.name] = (env[one.info.name].sizes, None)
        for info in graph.inputs:
            if info.name not in env and info.name not in graph.held:
                if info.sizes is None or any(isinstance(n, str) for n in info.sizes):
                    raise error(
                        f"{shorten(self.path, 200)}: the input {shorten(info.name)} has no axis of the "
                        "batch, and its sizes are open"
                    )
                env[info.name] = Tensor(tuple(n for n in info.sizes if isinstance(n, int)), info.dtype)
        names = Names({*self.known, "out"})
        run.whole(env, {info.name: names.new(info.name) for info in graph.outputs})
        return run
