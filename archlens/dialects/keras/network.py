"""A model of Keras, laid out: its layers in the order in which they can run, each placed by :mod:`layers`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import Any, BinaryIO

from ...bounds import MAX_SIZE
from ...errors import error, shorten
from ...language.steps import RESERVED
from ...network import Network, Origin
from ...shape import AXIS_NAMES, Ids, Shape
from ..format import Model
from . import layers, operations, recurrent
from .placing import LAYERS, Call, Held, Names, Placing
from .saved import Constant, Entry, Graph, Inbound, Ref, Slice, graph_of

#: The files that fill the table of layers.
FILLING = (layers, operations, recurrent)


class KerasModel(Model):
    """A model that a file says layer by layer."""

    def __init__(self, path: str, graph: Graph) -> None:
        self.path = path
        self.graph = graph
        #: Whether channels come first in all that says where they come.
        self.first = _formats(graph) == {"channels_first"}
        modes = ", ".join(sorted(_quantized(graph)))
        if modes:
            self.notes = (
                f"Quantized in the file ({modes}): its layers are counted as before, without scales.",
            )
        self.names: dict[str, str] = {}
        names = Names(taken := set(RESERVED) - {"input"})
        for layer in graph.shapes():
            self.names[layer] = names.free(layer)
            taken.add(self.names[layer])

    @property
    def inputs(self) -> Mapping[str, Shape | None]:
        found: dict[str, Shape | None] = {}
        for layer, shape in self.graph.shapes().items():
            sizes = (None,) if shape is None else shape[1:]
            if not sizes:
                raise error(
                    f"{shorten(self.path, 200)}: the input {shorten(layer)} is one number per "
                    "sample, and not a vector or a map"
                )
            turned = sizes if self.first else (sizes[-1], *sizes[:-1])
            whole = [n for n in turned if n]
            below = _looked_up(self.graph, layer) if len(sizes) == 1 else None
            shape = Shape(whole) if below is None else Ids(whole, below)
            found[self.names[layer]] = None if None in sizes else shape
        return found

    def open(self, name: str) -> str:
        layer = next(one for one, called in self.names.items() if called == name)
        shape = self.graph.shapes()[layer]
        if shape is None or len(shape) - 2 not in AXIS_NAMES:
            return ""
        sizes = shape[1:] if self.first else (shape[-1], *shape[1:-1])
        axes = ("channels", *AXIS_NAMES[len(sizes) - 1]) if len(sizes) > 1 else ("length",)
        return " x ".join(str(n or axis) for n, axis in zip(sizes, axes, strict=True))

    def network(
        self, name: str, shapes: Mapping[str, Shape], values: Mapping[str, Any], variant: str, origin: Origin
    ) -> Network:
        placing = Placing(name, self.first, _called, origin)
        held = []
        known = self.graph.shapes()
        for layer in known:
            shape = shapes[self.names[layer]]
            said = known[layer]
            if said is not None and len(said) - 1 != len(shape):
                raise error(
                    f"the input {shorten(layer)} of {shorten(self.path)} has {_axes(len(said) - 1)}, "
                    f"and {shape} has {len(shape)}"
                )
            held.append(placing.map_of(placing.builder.input(shape, self.names[layer])))
        ends = laid_out(placing, self.graph, held)
        heads: dict[str, Any] = {}
        names = Names(heads, ("out",))
        for end, value in ends[1:]:
            heads[names.free(end)] = value.tensor
        return placing.builder.network(ends[0][1].tensor, **heads)


def _axes(count: int) -> str:
    return "1 axis" if count == 1 else f"{count} axes"


def _formats(graph: Graph) -> set[str]:
    """Where the channels come in what says so."""
    found: set[str] = set()
    for entry in graph.entries:
        said = entry.config.get("data_format")
        if isinstance(said, str):
            found.add(said)
        if entry.is_model:
            found |= _formats(entry.inner)
    return found


def _quantized(graph: Graph) -> set[str]:
    """The types that weights are quantized to, in the words of Keras."""
    found: set[str] = set()
    for entry in graph.entries:
        policy = entry.config.get("dtype")
        said = policy.get("config") if isinstance(policy, dict) else None
        mode = said.get("mode") if isinstance(said, dict) else None
        if isinstance(mode, str):
            found.add(shorten(mode))
        if entry.is_model:
            found |= _quantized(entry.inner)
    return found


def _looked_up(graph: Graph, layer: str) -> int | None:
    """How many rows the tables have that an input is looked up in; ``None`` where it is read as numbers."""
    if graph.chain:
        rest = [entry for entry in graph.entries if entry.kind != "InputLayer"][:1]
    else:
        rest = [e for e in graph.entries if any(ref.layer == layer for n in e.inbound for ref in n.refs)]
    rows = {entry.config.get("input_dim") if entry.kind == "Embedding" else None for entry in rest}
    found = rows.pop() if len(rows) == 1 else None
    return found if type(found) is int and 1 <= found <= MAX_SIZE else None


def laid_out(placing: Placing, graph: Graph, inputs: list[Held]) -> list[tuple[str, Held]]:
    """Place the layers of a graph where the builder stands.

    Returns:
        Its outputs, each with its name.
    """
    names = _names(placing, graph)
    if graph.chain:
        if len(inputs) != 1:
            raise error(f"{graph.at}: a chain of layers is called with {len(inputs)} tensors")
        (x,) = inputs
        for number, entry in enumerate(graph.entries):
            if entry.kind == "InputLayer":
                continue
            behind = graph.entries[number + 1].built if number + 1 < len(graph.entries) else None
            call = Call(placing, entry, names[entry.name], Inbound((x,), {}), {0: behind}, (entry.built,))
            x = _called(call, 0)[0]
        return [("out", x)]
    if len(inputs) != len(graph.inputs):
        raise error(f"{graph.at}: a model of {len(graph.inputs)} inputs is called with {len(inputs)}")
    found: dict[tuple[str, int], list[Held]] = {}
    for ref, x in zip(graph.inputs, inputs, strict=True):
        found[ref.layer, 0] = [x]
    said = {
        ref[:3]: ref.shape
        for entry in graph.entries
        for node in entry.inbound
        for ref in node.refs
        if ref.shape
    }
    read: dict[tuple[str, int], set[int]] = {}
    for ref in (
        *(ref for entry in graph.entries for node in entry.inbound for ref in node.refs),
        *(ref for _, ref in graph.outputs),
    ):
        read.setdefault(graph.source(ref), set()).add(ref.output)
    for entry, number in _in_order(graph):
        node = entry.inbound[number]
        after = {i: said.get((entry.name, number, i)) for i in range(_MOST_OUTPUTS)}

        def held(value: Any, entry: Entry = entry) -> Any:
            if isinstance(value, Ref):
                outputs = found[graph.source(value)]
                if value.output >= len(outputs):
                    raise entry.refuse(
                        f"it reads output {value.output} of {shorten(value.layer)}, which has {len(outputs)}"
                    )
                return outputs[value.output]
            if isinstance(value, Slice | Constant):
                return value
            if isinstance(value, list | tuple):
                return [held(one) for one in value]
            return {key: held(one) for key, one in value.items()} if isinstance(value, dict) else value

        inbound = Inbound(tuple(map(held, node.args)), {key: held(one) for key, one in node.kwargs.items()})
        before = tuple([ref.shape for ref in node.refs])
        wanted = read.get((entry.name, number), ())
        call = Call(placing, entry, names[entry.name], inbound, after, before, wanted)
        found[entry.name, number] = _called(call, number)
    ends = []
    for name, ref in graph.outputs:
        outputs = found.get(graph.source(ref))
        if outputs is None or ref.output >= len(outputs):
            raise error(
                f"{graph.at.at('.output_layers')}: there is no output {ref.output} of call {ref.call} of "
                f"{shorten(ref.layer)}"
            )
        ends.append((name, outputs[ref.output]))
    return ends


#: Of how many outputs of a layer the file is asked for their shapes.
_MOST_OUTPUTS = 16


def _called(call: Call, number: int) -> list[Held]:
    """What one call of a layer gives."""
    with call.placing.sharing(call.entry, number):
        if not call.entry.is_model:
            return _placed(call)
        call.placing.step(call)
        with call.placing.scope(call.name, call.entry.kind):
            ends = laid_out(call.placing, call.entry.inner, call.tensors)
        return [value for _, value in ends]


def _placed(call: Call) -> list[Held]:
    """What one call of a layer gives that is no model."""
    call.placing.step(call)
    if not call.tensors:
        raise call.entry.refuse("it is called with no tensor")
    module, kind = call.entry.module, call.entry.kind
    if call.placing.steps_apart:
        return recurrent.each_step(call)
    if call.entry.is_operation:
        made = operations.placed(call)
    elif module.startswith("keras.src.applications"):
        made = layers.APPLICATIONS.get(kind, layers.unknown)(call)
    else:
        made = (LAYERS.get(kind, layers.unknown) if call.entry.own else layers.unknown)(call)
    return made if isinstance(made, list) else [made]


def _names(placing: Placing, graph: Graph) -> dict[str, str]:
    """The names of the layers here: those of the file, as far as they can be names here, each once."""
    found: dict[str, str] = {}
    names = Names(placing.builder.inside.taken, taken := set[str]())
    for entry in graph.entries:
        found[entry.name] = names.free(entry.name)
        taken.add(found[entry.name])
    placing.reserve(taken)
    return found


def _in_order(graph: Graph) -> Iterator[tuple[Entry, int]]:
    """Each call of each layer once all that it reads is there, else in the order of the file."""
    ready: list[tuple[int, int]] = []
    waiting: dict[tuple[int, int], int] = {}
    readers: dict[tuple[str, int], list[tuple[int, int]]] = {}
    given = {(ref.layer, 0) for ref in graph.inputs}
    for place, entry in enumerate(graph.entries):
        if entry.kind == "InputLayer":
            if (entry.name, 0) not in given:
                raise entry.refuse("it is an InputLayer, and does not stand among the input_layers")
            continue
        for number, node in enumerate(entry.inbound):
            sources = set(map(graph.source, node.refs))
            for layer, call in sources:
                source = graph.index.get(layer)
                if source is None:
                    raise entry.refuse(f"it reads {shorten(layer)}, and there is no such layer")
                if call >= max(len(source.inbound), source.kind == "InputLayer"):
                    raise entry.refuse(
                        f"it reads call {call} of {shorten(layer)}, which is called "
                        f"{len(source.inbound)} times"
                    )
            missing = sources - given
            for one in missing:
                readers.setdefault(one, []).append((place, number))
            waiting[place, number] = len(missing)
            if not missing:
                ready.append((place, number))
    heapify(ready)
    while ready:
        place, number = heappop(ready)
        del waiting[place, number]
        entry = graph.entries[place]
        yield entry, number
        for reader in readers.get((entry.name, number), ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                heappush(ready, reader)
    if waiting:
        raise _circle(graph, waiting)


def _circle(graph: Graph, waiting: Mapping[tuple[int, int], int]) -> Exception:
    """The diagnostic of layers that wait for each other."""
    left = {(graph.entries[place].name, number) for place, number in waiting}
    at = (graph.entries[min(waiting)[0]].name, min(waiting)[1])
    trail: dict[tuple[str, int], None] = {}
    while at not in trail:
        trail[at] = None
        node = graph.index[at[0]].inbound[at[1]]
        at = next(one for one in map(graph.source, node.refs) if one in left)
    circle = [*trail][[*trail].index(at) :]
    names = [shorten(layer, 30) for layer, _ in reversed(circle)]
    shown = [*names[:4], "...", names[-1]] if len(names) > 6 else names
    return graph.index[at[0]].refuse(f"it reads its own output: {' -> '.join([names[-1], *shown])}")


def read(file: BinaryIO, name: str) -> Model:
    """The model that a file of Keras holds.

    Raises:
        UsageError: it cannot be read, or is HDF5.
        SpecError: it is no model, or says nothing of its layers.
    """
    return KerasModel(name, graph_of(file, name))
