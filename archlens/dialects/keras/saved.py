"""What Keras writes, as values: a zip archive with a ``config.json``, or that JSON alone.

Keras 3 and Keras 2 say the same graph in two ways; here both become :class:`Entry` and :class:`Ref`. Whatever
is read is checked where it is read, so that what lays the network out meets no value of another kind.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite
from typing import Any, BinaryIO, NamedTuple, TypeVar

from ...bounds import MAX_BLOCKS, MAX_SIZE, RAISED, allowed
from ...errors import SpecError, UsageError, error, printable, shorten
from ..format import text_of

T = TypeVar("T")

#: The largest JSON that is read, and the most values in it: some fifteen times those of the largest network
#: of ``keras.applications``.
_MOST, _VALUES = 16_000_000, 1_000_000
#: How deep lists and objects may nest in what a layer is called with.
_DEEPEST = 16
#: The most axes of a shape, without the batch.
AXES = 8

_HELP = "a file of model.save('model.keras'), or the text of model.to_json()"

#: What Keras calls a model that is written down layer by layer.
MODELS = ("Sequential", "Functional", "Model")


class Place(NamedTuple):
    """A place in the JSON of a file: ``model.keras: config.layers[3]``."""

    file: str
    path: str = "config"

    def at(self, key: str) -> Place:
        """That of a value within, by how it is had: ``.layers`` or ``[3]``."""
        return Place(self.file, self.path + key)

    def __str__(self) -> str:
        path = self.path if len(self.path) <= 60 else f"...{self.path[-57:]}"
        return f"{self.file}: {path}"


class Ref(NamedTuple):
    """A tensor that is read: which layer gives it, in which of its calls, and as which of its outputs."""

    layer: str
    call: int
    output: int
    #: Its shape as the file has it, the batch included; ``None`` where the file says nothing.
    shape: tuple[int | None, ...] | None = None
    #: Whether it is written as ``["layer", 0, 0]``.
    listed: bool = False


class Slice(NamedTuple):
    """A slice of Python, as ``x[1:]`` has it."""

    start: Any
    stop: Any
    step: Any


class Constant(NamedTuple):
    """A tensor whose numbers stand in the file."""

    #: Its sizes, the batch's included where it has one.
    shape: tuple[int, ...]


class Inbound(NamedTuple):
    """One call of a layer: its arguments, in which every tensor is a :class:`Ref`."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    @property
    def refs(self) -> Iterator[Ref]:
        """All tensors that it reads."""
        return within((self.args, tuple(self.kwargs.values())), Ref)


def within(value: Any, kind: type[T]) -> Iterator[T]:
    """All of a kind in a value, however deep in lists and mappings."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, list | tuple):
        for one in value:
            yield from within(one, kind)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from within(one, kind)


@dataclass(frozen=True)
class Entry:
    """A layer of the file."""

    #: Where its object stands.
    at: Place
    kind: str
    name: str
    config: Mapping[str, Any]
    #: Where its class comes from; empty in files of Keras 2.
    module: str = ""
    #: Under which name a class was registered that is not Keras' own.
    registered: str = ""
    #: The shape of its input as the file has it, the batch included.
    built: tuple[int | None, ...] | None = None
    #: How often it is called, and with what; one call is left out in a chain of layers.
    inbound: tuple[Inbound, ...] = ()

    @property
    def place(self) -> str:
        """Where it stands, for messages: ``model.keras: config.layers[3] "conv2d_1" (Conv2D)``."""
        return f'{self.at} "{shorten(self.name)}" ({shorten(self.kind)})'

    @property
    def own(self) -> bool:
        """Whether its class is one of Keras' own."""
        if ">" in self.kind or ">" in self.registered:
            return False
        return self.module.partition(".")[0] in ("", "keras", "tf_keras", "tensorflow")

    def refuse(self, message: str, help: str = "") -> SpecError:
        """The diagnostic of what is wrong with it."""
        return error(f"{self.place}: {message}", help=help)

    def wrong(self, key: str, wanted: str) -> SpecError:
        """The diagnostic of a value of another kind."""
        if key not in self.config:
            return self.refuse(f"it has no {key}, which must be {wanted}")
        return self.refuse(f"its {key} must be {wanted}, not {_said(self.config[key])}")

    def whole(self, key: str, default: int | None = None, least: int = 1) -> int:
        """A whole number."""
        value = self.config.get(key, default)
        if type(value) is not int or not least <= value <= MAX_SIZE:
            raise self.wrong(key, f"a whole number from {least} to {MAX_SIZE:,}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A number."""
        value = self.config.get(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not _usable(value):
            raise self.wrong(key, "a number")
        return value

    def numbers(self, key: str, default: float | None = None) -> tuple[float, ...]:
        """A number, or a list of them, which may be an array as Keras writes it."""
        value = self.config.get(key, default)
        if isinstance(value, dict) and isinstance(value.get("config"), dict):
            value = value["config"].get("value")
        while isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
            (value,) = value
        found = value if isinstance(value, list) else [value]
        if not found or not all(type(one) in (int, float) and _usable(one) for one in found):
            raise self.wrong(key, "a number, or a list of them")
        return tuple(found)

    def flag(self, key: str, default: bool) -> bool:
        """Whether something is so."""
        value = self.config.get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def text(self, key: str, default: str) -> str:
        """A text."""
        value = self.config.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "a string")
        return value

    def word(self, key: str, default: str, *words: str) -> str:
        """One of a few words; none is the default."""
        value = self.config.get(key)
        value = default if value is None else value
        if not isinstance(value, str) or value.lower() not in words:
            raise self.wrong(key, " or ".join(f'"{word}"' for word in words))
        return value.lower()

    def sizes(self, key: str, axes: int, default: Any = None, least: int = 1) -> tuple[int, ...]:
        """A size for each axis, from one for all or a list."""
        value = self.config.get(key)
        value = default if value is None else value
        found = [value] * axes if type(value) is int else value
        if (
            not isinstance(found, list | tuple)
            or len(found) != axes
            or not all(type(n) is int and least <= n <= MAX_SIZE for n in found)
        ):
            raise self.wrong(key, f"a whole number of at least {least}, or a list of {axes} of them")
        return tuple(found)

    def sides(self, key: str, axes: int, default: Any = None) -> tuple[tuple[int, int], ...]:
        """Positions before and after each axis: one number, one for each axis, or a pair for each."""
        value = self.config.get(key, default)
        if axes == 1 and isinstance(value, list | tuple) and all(type(n) is int for n in value):
            value = [value]
        found = [value] * axes if type(value) is int else value
        if not isinstance(found, list | tuple) or len(found) != axes:
            raise self.wrong(key, f"a whole number, or a list of {axes} pairs")
        pairs = [[one, one] if type(one) is int else one for one in found]
        for pair in pairs:
            fits = isinstance(pair, list | tuple) and len(pair) == 2
            if not fits or not all(type(n) is int and 0 <= n <= MAX_SIZE for n in pair):
                raise self.wrong(key, f"a whole number, or a list of {axes} pairs")
        return tuple((before, after) for before, after in pairs)

    def axes(self, key: str, rank: int, default: Any = None) -> tuple[int, ...]:
        """Axes of a tensor of that many, the batch not counted: of ``-1`` and of ``rank`` it is the last."""
        value = self.config.get(key, default)
        return self.resolved(key, value, rank)

    def resolved(self, key: str, value: Any, rank: int) -> tuple[int, ...]:
        """The axes that a number or a list of them means."""
        listed = [value] if type(value) is int else value
        found = []
        for axis in listed if isinstance(listed, list | tuple) and listed else [None]:
            if type(axis) is not int or not -rank <= axis <= rank or axis == 0:
                raise self.refuse(f"its {key} must be one of the axes 1 to {rank}, not {_said(value)}")
            found.append(axis - 1 if axis > 0 else axis + rank)
        return tuple(found)

    def shape(self, key: str) -> tuple[int | None, ...] | None:
        """A shape whose sizes may be open; ``None`` where there is none."""
        value = self.config.get(key)
        return None if value is None else _shape(value, f"{self.place}: its {key}")

    @property
    def is_operation(self) -> bool:
        """Whether it is a function of ``keras.ops``."""
        return self.module.startswith(("keras.src.ops", "keras.ops"))

    @property
    def is_model(self) -> bool:
        """Whether it is a model within the model."""
        return self.kind in MODELS or (
            isinstance(self.config.get("layers"), list) and "input_layers" in self.config
        )

    @cached_property
    def inner(self) -> Graph:
        """The layers of a model within the model."""
        return Graph.read(self.config, self.at.at(".config"), self.kind)


def _usable(value: float) -> bool:
    return isfinite(value) if isinstance(value, float) else abs(value) <= 10**30


def _said(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return "a number out of range"
    if isinstance(value, dict | list) and len(value) > 20:
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    try:
        return shorten(json.dumps(value))
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"


def _shape(value: Any, what: str) -> tuple[int | None, ...]:
    """A shape with its batch; ``None`` where a size is open."""
    if isinstance(value, dict) and value.get("class_name") == "__tuple__":
        value = value.get("items")  # as some versions write tuples
    if not isinstance(value, list) or not 1 <= len(value) <= AXES + 1:
        raise error(f"{what} must be a list of one to {AXES + 1} sizes, not {_said(value)}")
    for size in value:
        if size is not None and (type(size) is not int or not 1 <= size <= MAX_SIZE):
            raise error(f"{what}: a size must be a whole number from 1 to {MAX_SIZE:,}, not {_said(size)}")
    return tuple(value)


@dataclass(frozen=True)
class Graph:
    """A model: its layers, in a chain or with what each reads."""

    #: Where its object stands.
    at: Place
    entries: tuple[Entry, ...]
    #: Whether each layer reads the one before it.
    chain: bool
    #: The layers that are its inputs, and what its outputs are, each with its name.
    inputs: tuple[Ref, ...] = ()
    outputs: tuple[tuple[str, Ref], ...] = ()
    #: The shape of the input of a chain, the batch included.
    built: tuple[int | None, ...] | None = None
    index: Mapping[str, Entry] = field(default_factory=dict)
    #: The models within it whose calls are counted from 1 where they are listed.
    later: frozenset[str] = frozenset()

    @staticmethod
    def read(config: Any, at: Place, kind: str) -> Graph:
        """The graph that the ``config`` of a model says.

        Raises:
            SpecError: it is none.
        """
        if at.path.count("config") > MAX_BLOCKS:
            raise error(f"{at}: models are nested more than {MAX_BLOCKS} deep")
        layers = at.at(".layers")
        if isinstance(config, list):  # as the first Keras wrote a Sequential
            config, layers = {"layers": config}, at
        if not isinstance(config, dict) or not isinstance(config.get("layers"), list):
            raise error(f"{at} has no list of layers", help=_HELP)
        listed = config["layers"]
        if len(listed) > allowed():
            raise error(
                f"{layers} has more than {allowed():,} entries, the most layers of a network", help=RAISED
            )
        names: set[str] = set()
        entries = []
        for number, data in enumerate(listed):
            entry = entry_of(data, layers.at(f"[{number}]"), names)
            if entry.name in names:
                raise entry.refuse("another layer already has that name")
            names.add(entry.name)
            entries.append(entry)
        index = {entry.name: entry for entry in entries}
        if kind == "Sequential" or "input_layers" not in config:
            built = config.get("build_input_shape")
            shape = _shape(built, f"{at.at('.build_input_shape')}") if built is not None else None
            return Graph(at, tuple(entries), True, built=shape, index=index)
        inputs = [ref for _, ref in _ends(config["input_layers"], at.at(".input_layers"), index)]
        outputs = _ends(config.get("output_layers"), at.at(".output_layers"), index)
        entries = _without_masks(entries, {ref.layer for _, ref in outputs})
        index = {entry.name: entry for entry in entries}
        for ref in inputs:
            if index[ref.layer].kind != "InputLayer":
                raise index[ref.layer].refuse("it stands among the input_layers, and is not an InputLayer")
        if not inputs or not outputs:
            raise error(f"{at.at('.output_layers' if inputs else '.input_layers')} is empty")
        return Graph(
            at,
            tuple(entries),
            False,
            tuple(inputs),
            tuple(outputs),
            index=index,
            later=_later(index, outputs),
        )

    def source(self, ref: Ref) -> tuple[str, int]:
        """The layer that gives a tensor, and in which of its calls."""
        return ref.layer, ref.call - (ref.listed and ref.layer in self.later)

    def shapes(self) -> dict[str, tuple[int | None, ...] | None]:
        """The shapes of its inputs by their layers, the batch included; ``None`` is not known."""
        if not self.chain:
            return {ref.layer: input_shape(self.index[ref.layer]) for ref in self.inputs}
        if not self.entries:
            raise error(f"{self.at.at('.layers')} is empty")
        first = self.entries[0]
        name = first.name if first.kind == "InputLayer" else "input"
        shape = input_shape(first) or self.built or first.built
        if shape is None and first.kind in MODELS:
            shape = next(iter(first.inner.shapes().values()), None)
        return {name: shape}


#: What layers are called with that says which steps are padding.
_MASKS = frozenset({"mask", "query_mask", "value_mask", "key_mask"})


def _without_masks(entries: list[Entry], kept: set[str]) -> list[Entry]:
    """The layers without the masks that they are called with, and without what makes these alone."""
    found = []
    given: set[str] = set()
    for entry in entries:
        masked = [node for node in entry.inbound if not _MASKS.isdisjoint(node.kwargs)]
        for node in masked:
            masks = [one for key, one in node.kwargs.items() if key in _MASKS]
            given |= {ref.layer for ref in within(masks, Ref)}
        bare = tuple(
            [
                Inbound(node.args, {key: one for key, one in node.kwargs.items() if key not in _MASKS})
                for node in entry.inbound
            ]
        )
        found.append(replace(entry, inbound=bare) if masked else entry)
    readers = Counter(ref.layer for entry in found for node in entry.inbound for ref in node.refs)
    index = {entry.name: entry for entry in found}
    left = [name for name in sorted(given) if not readers[name]]
    gone: set[str] = set()
    while left:
        made = index.get(name := left.pop())
        if made is None or name in gone or name in kept or not made.is_operation:
            continue
        gone.add(name)
        for ref in [ref for node in made.inbound for ref in node.refs]:
            readers[ref.layer] -= 1
            if not readers[ref.layer]:
                left.append(ref.layer)
    return [entry for entry in found if entry.name not in gone]


def _later(index: Mapping[str, Entry], outputs: list[tuple[str, Ref]]) -> frozenset[str]:
    """The models within a model whose calls are counted from 1 where they are listed.

    They count as their first call the one with which they were made, unless they are a chain that was made
    without an input; those of Keras 3 never do.
    """
    called: dict[str, set[int]] = {}
    for ref in (
        *[one for e in index.values() for node in e.inbound for one in node.refs],
        *dict(outputs).values(),
    ):
        if ref.listed:
            called.setdefault(ref.layer, set()).add(ref.call)
    return frozenset(
        name
        for name, calls in called.items()
        if 0 not in calls
        and (one := index.get(name)) is not None
        and one.is_model
        and not (one.module and one.kind == "Sequential")
    )


def input_shape(entry: Entry) -> tuple[int | None, ...] | None:
    """The shape that a layer says of its input."""
    return entry.shape("batch_shape") or entry.shape("batch_input_shape")


def entry_of(data: Any, at: Place, names: set[str]) -> Entry:
    """The layer that an object says.

    Raises:
        SpecError: it says none.
    """
    if not isinstance(data, dict):
        raise error(f"{at} must be an object, not {_said(data)}")
    kind, config = data.get("class_name"), data.get("config")
    if not isinstance(kind, str) or not kind:
        raise error(f"{at} has no class_name")
    if isinstance(config, list) and kind == "Sequential":
        config = {"layers": config}
    if config is None:
        config = {}
    if not isinstance(config, dict):
        raise error(f"{at} ({shorten(kind)}): its config must be an object, not {_said(config)}")
    name = data.get("name", config.get("name"))
    if name is None:
        count = len(names)
        name = next(
            f"{kind.lower()}_{n}" for n in range(count, 2 * count + 2) if f"{kind.lower()}_{n}" not in names
        )
    if not isinstance(name, str):
        raise error(f"{at} ({shorten(kind)}): its name must be a string, not {_said(name)}")
    place = f'{at} "{shorten(name)}" ({shorten(kind)})'
    build = data.get("build_config")
    shape = build.get("input_shape") if isinstance(build, dict) else None
    flat = isinstance(shape, list) and all(size is None or type(size) is int for size in shape)
    inbound = data.get("inbound_nodes", [])
    if not isinstance(inbound, list):
        raise error(f"{place}: its inbound_nodes must be a list, not {_said(inbound)}")
    return Entry(
        at,
        kind.rpartition(">")[2] if kind.startswith("Keras>") else kind,
        name,
        config,
        _text(data.get("module")),
        _text(data.get("registered_name")),
        _shape(shape, f"{place}: its build_config") if flat and shape else None,
        tuple([_inbound(node, f"{place}: inbound_nodes[{i}]") for i, node in enumerate(inbound)]),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _inbound(node: Any, place: str) -> Inbound:
    if isinstance(node, dict):
        if "args" in node or "kwargs" in node:
            args, kwargs = node.get("args", []), node.get("kwargs", {})
            if not isinstance(args, list) or not isinstance(kwargs, dict):
                raise error(f"{place} must have a list of args and an object of kwargs")
            return Inbound(
                tuple([_argument(one, place) for one in args]),
                {str(key): _argument(one, place) for key, one in kwargs.items()},
            )
        listed = list(node.values())  # as Keras 2 writes what is called with a dictionary
    elif isinstance(node, list):
        listed = [node] if _is_old(node) else node
    else:
        raise error(f"{place} must be an object or a list, not {_said(node)}")
    found: list[Ref] = []
    further: dict[str, Any] = {}
    for one in listed:
        if not _is_old(one):
            raise error(f'{place}: a tensor is written as ["layer", 0, 0], not {_said(one)}')
        found.append(_listed(one))
        if len(one) > 3 and isinstance(one[3], dict):
            further |= {str(key): _argument(value, place) for key, value in one[3].items()}
    first: Any = found[0] if len(found) == 1 else found
    return Inbound((first,) if found else (), further)


def _is_old(value: Any) -> bool:
    """Whether a tensor is written as in Keras 2: the layer's name, the call and the output."""
    return (
        isinstance(value, list)
        and len(value) >= 3
        and isinstance(value[0], str)
        and all(type(n) is int and 0 <= n <= MAX_SIZE for n in value[1:3])
    )


def _listed(value: list[Any]) -> Ref:
    layer, call, output = value[:3]
    return Ref(layer, call, output, listed=True)


def _argument(value: Any, place: str, deep: int = 0) -> Any:
    """An argument of a call, its tensors and slices as values of their own."""
    if deep > _DEEPEST:
        raise error(f"{place}: its arguments are nested more than {_DEEPEST} deep")
    if isinstance(value, dict):
        config = value.get("config")
        if value.get("class_name") == "__keras_tensor__":
            found = config if isinstance(config, dict) else {}
            history = found.get("keras_history")
            if not isinstance(history, list) or not _is_old(history) or len(history) != 3:
                raise error(f'{place}: a tensor has no keras_history such as ["layer", 0, 0]')
            shape = found.get("shape")
            layer, call, output = history
            return Ref(
                layer, call, output, _shape(shape, f"{place}: the shape of a tensor") if shape else None
            )
        if value.get("class_name") == "__slice__" and isinstance(config, dict):
            return Slice(config.get("start"), config.get("stop"), config.get("step"))
        if value.get("class_name") == "__tensor__" and isinstance(config, dict):
            return _constant(config.get("value"), place)
        return {str(key): _argument(one, place, deep + 1) for key, one in value.items()}
    if isinstance(value, list):
        if _is_old(value) and len(value) == 3:
            return _listed(value)
        return [_argument(one, place, deep + 1) for one in value]
    return value


def _constant(value: Any, place: str) -> Any:
    """A tensor that is written out, as its sizes; a single number as it is."""
    sizes: list[int] = []
    while isinstance(value, list):
        sizes.append(len(value))
        if not value or len(sizes) > AXES + 1:
            raise error(f"{place}: a constant has no numbers, or more than {AXES + 1} axes")
        value = value[0]
    return Constant(tuple(sizes)) if sizes else value


def _ends(value: Any, place: Place, index: Mapping[str, Entry]) -> list[tuple[str, Ref]]:
    """The tensors that a model takes or gives, each with its name: a single one, or a list, or an object."""

    def found(value: Any, name: str, deep: int) -> Iterator[tuple[str, Ref]]:
        if _is_old(value):
            ref = _listed(value)
            if ref.layer not in index:
                raise error(f"{place}: there is no layer {shorten(ref.layer)}")
            yield name or ref.layer, ref
        elif isinstance(value, list | dict) and deep < _DEEPEST:
            for key, one in value.items() if isinstance(value, dict) else ((name, one) for one in value):
                yield from found(one, key, deep + 1)
        else:
            raise error(f'{place}: a tensor is written as ["layer", 0, 0], not {_said(value)}')

    ends = list(found(value, "", 0))
    if len(ends) > allowed():
        raise error(f"{place} has more than {allowed():,} entries")
    return ends


def graph_of(file: BinaryIO, name: str) -> Graph:
    """The model that a file of Keras holds.

    Raises:
        UsageError: it cannot be read.
        SpecError: it is no model.
    """
    start = file.read(8)
    file.seek(0)
    text = _member(file, name) if start.startswith(b"PK") else text_of(file, name, _MOST)
    if sum(map(text.count, ",[{")) > _VALUES:
        raise error(f"{shorten(name, 200)} holds more than {_VALUES:,} values, the most that are read of one")
    try:
        data = json.loads(text)
    except RecursionError:
        raise error(f"{shorten(name, 200)}: its objects and lists are nested too deeply") from None
    except ValueError as problem:
        said = (
            str(problem).partition(": line")[0] if isinstance(problem, json.JSONDecodeError) else "a number"
        )
        at = f"{problem.lineno}:{problem.colno}: " if isinstance(problem, json.JSONDecodeError) else ""
        raise error(f"{shorten(name, 200)}:{at} is not JSON: {shorten(said)}", help=_HELP) from None
    if not isinstance(data, dict) or not isinstance(data.get("class_name"), str) or "config" not in data:
        raise error(f"{shorten(name, 200)} is not a Keras model: it has no class_name and config", help=_HELP)
    kind = data["class_name"]
    config = data["config"]
    if not isinstance(config, list) and not (
        isinstance(config, dict) and isinstance(config.get("layers"), list)
    ):
        raise error(
            f"{shorten(name, 200)} lists no layers: only the code of its class {shorten(kind)} has them",
            help="archlens runs no code; a Sequential or functional model lists its layers",
        )
    return Graph.read(config, Place(shorten(name, 200)), kind)


def _member(file: BinaryIO, name: str) -> str:
    """The ``config.json`` of an archive, however large it says to be."""
    try:
        with zipfile.ZipFile(file) as archive, archive.open("config.json") as member:
            data = member.read(_MOST + 1)
        if len(data) > _MOST:
            raise error(f"config.json of {shorten(name, 200)} is larger than {_MOST // 10**6} MB")
        return data.decode()
    except (SpecError, UsageError):
        raise
    except (OSError, RuntimeError, ValueError, KeyError, NotImplementedError, EOFError) as problem:
        said = problem.args[0] if problem.args else problem
    except (zipfile.BadZipFile, zlib.error) as problem:
        said = problem
    raise error(
        f"{shorten(name, 200)} is not an archive written by Keras: {shorten(printable(str(said)))}",
        help=_HELP,
    )
