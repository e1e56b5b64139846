"""What an ONNX file holds, as plain records: nodes, tensors without their weights, what is said of shapes."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from ...errors import shorten
from ...lowering.numbers import MOST
from .wire import BYTES, FIXED32, FIXED64, VARINT, Broken, Field, Wire, signed

#: The types of tensors by their numbers, as torch calls them.
_DTYPES = """
    undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 uint64
    complex64 complex128 bfloat16 float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz uint4 int4
    float4_e2m1fn_x2 float8_e8m0fnu uint2 int2
"""
DTYPES = dict(enumerate(re.findall(r"\w+", _DTYPES)))

#: How many values a tensor may have for them to be read: sizes, axes and indices; and of other numbers, which
#: are factors and no weights.
VALUES, FACTORS = MOST, 16

#: The side of the largest matrix that is looked at for being a mask.
_SIDE = 8192

#: How many nodes are read, and run, for each layer that a network may have.
NODES = 2

#: Where torch's exporter says what a tensor was.
_KIND = "pkg.torch.export.graph_signature.InputSpec.kind"

#: Where it says what it has computed a tensor of, and how long a list of names is looked at.
_FOLDED, _LISTED = "pkg.onnxscript.optimizer.folded_from", 4096

#: How many digits the place of a byte has at most.
_DIGITS = 18

#: How many axes a tensor may have; and graphs within graphs.
AXES, DEPTH = 32, 8


class Misfit(Exception):
    """Something in a node does not fit, and what it is."""


class Stretch(NamedTuple):
    """Where numbers lie, one behind the other."""

    start: int
    stop: int
    #: The other file that they lie in, beside this one; empty where it is this.
    file: str = ""


@dataclass(slots=True)
class Held:
    """A tensor that the file holds."""

    name: str
    sizes: tuple[int, ...]
    dtype: str
    #: In row-major order; ``None`` where they are too many, or lie in another file.
    values: list[Any] | None = None
    #: What a square one holds up to its diagonal, and what behind it, where that is all: as masks do.
    triangle: tuple[Any, Any] | None = None
    #: Where all its numbers lie, if in one place.
    lies: Stretch | None = None


class Info(NamedTuple):
    """What is said of a tensor: sizes that are open are texts, and ``None`` where nothing is said of them."""

    name: str
    dtype: str
    sizes: tuple[int | str, ...] | None
    #: Whether it was a buffer of a module, as torch's exporter says.
    buffer: bool = False
    #: The names of what torch's exporter computed it of, as it writes them; none of what lay in the module.
    folded: str = ""


@dataclass(slots=True)
class Node:
    """One node: an operator on tensors by their names."""

    op: str
    domain: str
    name: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]
    #: The metadata that torch writes: the paths of the modules that it ran in, and their classes.
    scopes: str = ""
    classes: str = ""
    #: Which it is in its graph, counted from 0.
    place: int = 0
    #: The version of the operators of its domain.
    version: int = 0
    #: The modules around it, once they have been read off its name.
    chain: list[tuple[str, str]] | None = None

    def __str__(self) -> str:
        name = f' "{shorten(self.name)}"' if self.name else ""
        return f"node {self.place}{name} ({shorten(self.op)})"

    def _of(self, name: str, kind: type, called: str, default: Any) -> Any:
        value = self.attributes.get(name, default)
        if value is not default and type(value) is not kind:
            raise Misfit(f"its attribute {name} is not a {called}")
        return value

    def integer(self, name: str, default: Any = None) -> Any:
        """A whole number among its attributes."""
        return self._of(name, int, "whole number", default)

    def decimal(self, name: str, default: Any = None) -> Any:
        """A number among its attributes."""
        return self._of(name, float, "number", default)

    def text(self, name: str, default: str = "") -> Any:
        """A text among its attributes."""
        return self._of(name, str, "text", default)

    def integers(self, name: str, default: Any = None) -> Any:
        """Whole numbers among its attributes."""
        value = self._of(name, list, "list", default)
        if value is not default and not all(type(one) is int for one in value):
            raise Misfit(f"its attribute {name} is not a list of whole numbers")
        return value


@dataclass(slots=True)
class Graph:
    """Nodes in their order, and what they start from."""

    nodes: list[Node] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=dict)
    inputs: list[Info] = field(default_factory=list)
    outputs: list[Info] = field(default_factory=list)
    #: What is said of the tensors between.
    known: dict[str, Info] = field(default_factory=dict)


@dataclass(slots=True)
class Function:
    """Nodes under a name, which other nodes call as an operator."""

    name: str = ""
    domain: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Proto:
    """A whole file."""

    graph: Graph
    versions: dict[str, int]
    functions: dict[tuple[str, str], Function]
    producer: str = ""


class Reading:
    """One file being read.

    Args:
        wire: its bytes.
        most: how many nodes it may have.
    """

    def __init__(self, wire: Wire, most: int) -> None:
        self.wire = wire
        self.most = most
        self.nodes = 0

    def proto(self) -> Proto:
        """All of it.

        Raises:
            Broken: that is no model.
        """
        graph: Field | None = None
        versions: dict[str, int] = {}
        functions = {}
        producer = ""
        for one in self.wire.fields(0, self.wire.size):
            if one.number == 7:
                if graph is not None:
                    raise Broken(f"a second graph begins at byte {one.start:,}")
                graph = one
            elif one.number == 8:
                versions |= self._version(one)
            elif one.number == 2:
                producer = self.wire.text(one)
            elif one.number == 25:
                function = self._function(one)
                functions[function.domain, function.name] = function
        if graph is None:
            raise Broken("it holds no graph")
        found = Proto(self.graph(graph), versions, functions, producer)
        _stamp(found.graph, versions)
        return found

    def _parts(self, whole: Field) -> Iterator[Field]:
        if whole.wire != BYTES:
            raise Broken(f"byte {whole.start:,} is a number where a message is expected")
        return self.wire.fields(whole.start, whole.stop)

    def _version(self, whole: Field) -> dict[str, int]:
        domain, version = "", 0
        for one in self._parts(whole):
            if one.number == 1:
                domain = self.wire.text(one)
            elif one.number == 2:
                version = signed(one.value)
        return {_domain(domain): version}

    def _function(self, whole: Field) -> Function:
        found = Function()
        for one in self._parts(whole):
            if one.number == 1:
                found.name = self.wire.text(one)
            elif one.number == 4:
                found.inputs.append(self.wire.text(one))
            elif one.number == 5:
                found.outputs.append(self.wire.text(one))
            elif one.number == 7:
                found.nodes.append(self._node(one, len(found.nodes), 0))
            elif one.number == 9:
                found.versions |= self._version(one)
            elif one.number == 10:
                found.domain = self.wire.text(one)
            elif one.number == 11:
                found.attributes |= self._attribute(one, 0)
        _stamp(Graph(found.nodes), found.versions)
        return found

    def graph(self, whole: Field, depth: int = 0) -> Graph:
        """A graph."""
        if depth > DEPTH:
            raise Broken(f"more than {DEPTH} graphs stand within each other at byte {whole.start:,}")
        found = Graph()
        for one in self._parts(whole):
            if one.number == 1:
                found.nodes.append(self._node(one, len(found.nodes), depth))
            elif one.number == 5:
                held = self.tensor(one)
                found.held[held.name] = held
            elif one.number == 11:
                found.inputs.append(self._info(one))
            elif one.number == 12:
                found.outputs.append(self._info(one))
            elif one.number == 13:
                info = self._info(one)
                found.known[info.name] = info
            elif one.number == 15:
                held = self._sparse(one)
                found.held[held.name] = held
        return found

    def _node(self, whole: Field, number: int, depth: int) -> Node:
        self.nodes += 1
        if self.nodes > self.most:
            raise Broken(f"it has more than {self.most:,} nodes, the most that are read")
        found = Node("", "", "", [], [], {}, place=number)
        for one in self._parts(whole):
            if one.number == 1:
                found.inputs.append(self.wire.text(one))
            elif one.number == 2:
                found.outputs.append(self.wire.text(one))
            elif one.number == 3:
                found.name = self.wire.text(one)
            elif one.number == 4:
                found.op = self.wire.text(one)
            elif one.number == 5:
                found.attributes |= self._attribute(one, depth)
            elif one.number == 7:
                found.domain = _domain(self.wire.text(one))
            elif one.number == 9:
                key, value = self._pair(one)
                if key == "pkg.torch.onnx.name_scopes":
                    found.scopes = value
                elif key == "pkg.torch.onnx.class_hierarchy":
                    found.classes = value
        return found

    def _pair(self, whole: Field) -> tuple[str, str]:
        """An entry of metadata; only what starts as torch's does is read."""
        key = value = ""
        for one in self._parts(whole):
            if one.number == 1:
                key = self.wire.text(one)
            elif one.number == 2:
                short = key in (_FOLDED, _KIND) and one.stop - one.start <= _LISTED
                value = self.wire.text(one) if short or key.startswith("pkg.torch.onnx.") else ""
        return key, value

    def _entry(self, whole: Field) -> tuple[str, str]:
        """What is said of a tensor that lies in another file, by its name."""
        key = value = ""
        for one in self._parts(whole):
            if one.number == 1:
                key = self.wire.text(one)
            elif one.number == 2:
                value = self.wire.text(one)
        return key, value

    def _attribute(self, whole: Field, depth: int) -> dict[str, Any]:
        name, kind, said = "", 0, {}
        lists: dict[int, list[Any]] = {}
        for one in self._parts(whole):
            if one.number == 1:
                name = self.wire.text(one)
            elif one.number == 2:
                said[1] = _float(one.value)
            elif one.number == 3:
                said[2] = signed(one.value)
            elif one.number == 4:
                said[3] = self.wire.text(one)
            elif one.number == 5:
                said[4] = self.tensor(one)
            elif one.number == 6:
                said[5] = self.graph(one, depth + 1)
            elif one.number == 7:
                lists.setdefault(6, []).extend(map(_float, self.wire.numbers(one, FIXED32, VALUES)))
            elif one.number == 8:
                lists.setdefault(7, []).extend(map(signed, self.wire.numbers(one, VARINT, VALUES)))
            elif one.number == 9:
                lists.setdefault(8, []).append(self.wire.text(one))
            elif one.number == 20:
                kind = one.value
            elif one.number == 21:
                said[0] = Reference(self.wire.text(one))
        if 0 in said:
            return {name: said[0]}
        found = {**said, **lists}
        if kind not in found:
            # a default is not written down, and old files do not say the kind
            empty: dict[int, Any] = {1: 0.0, 2: 0, 3: "", 6: [], 7: [], 8: []}
            if kind in empty:
                return {name: empty[kind]}
            return {name: next(iter(found.values()))} if len(found) == 1 else {name: None}
        return {name: found[kind]}

    def tensor(self, whole: Field) -> Held:
        """A tensor: what it is called, its sizes and its type; and its values, where they are few."""
        sizes: list[int] = []
        name, kind, elsewhere = "", 0, False
        said: dict[str, str] = {}
        data: list[Field] = []
        for one in self._parts(whole):
            if one.number == 1:
                sizes += map(signed, self.wire.numbers(one, VARINT, AXES))
            elif one.number == 2:
                kind = one.value
            elif one.number in (4, 5, 7, 9, 10, 11):
                if len(data) < VALUES:
                    data.append(one)
            elif one.number == 8:
                name = self.wire.text(one)
            elif one.number == 13:
                said |= [self._entry(one)]
            elif one.number == 14:
                elsewhere = one.value == 1
        if len(sizes) > AXES or any(n < 0 for n in sizes):
            raise Broken(f"the tensor {shorten(name)} has {written(sizes[:AXES])} values")
        found = Held(name, tuple(sizes), DTYPES.get(kind, "undefined"))
        found.lies = _stretch(said) if elsewhere else _stretch_of(data)
        few = VALUES if "int" in found.dtype or found.dtype == "bool" else FACTORS
        if not elsewhere and prod(sizes) <= few:
            values = self._values(found.dtype, data)
            found.values = values if values is not None and len(values) == prod(sizes) else None
        elif not elsewhere and len(sizes) == 1 and sizes[0] <= VALUES and len(data) == 1:
            found.values = self._filled(found, data[0])
        elif not elsewhere and len(data) == 1 and len(sizes) > 1 and sizes[-2] == sizes[-1] > 1:
            found.triangle = self._triangle(found, data[0])
        return found

    def _triangle(self, held: Held, data: Field) -> tuple[Any, Any] | None:
        """What matrices hold up to their diagonals and behind them; weights differ in the first row."""
        form, n = RAW.get(held.dtype), held.sizes[-1]
        if data.number != 9 or data.wire != BYTES or form is None or n > _SIDE:
            return None
        size, rows = struct.calcsize(form), prod(held.sizes[:-1])
        if data.stop - data.start != size * n * rows or rows * n > _SIDE * _SIDE:
            return None
        first = self.wire.read(data.start, data.start + size * 2)
        low, high = first[:size], first[size:]
        for i in range(rows):  # of all matrices, as each sample or head may have one
            row = self.wire.read(data.start + i * n * size, data.start + (i + 1) * n * size)
            if row != low * (i % n + 1) + high * (n - 1 - i % n):
                return None
        return struct.unpack(f"<2{form}", first)

    def _filled(self, held: Held, data: Field) -> list[Any] | None:
        """The values of a tensor that has the same one everywhere."""
        form = RAW.get(held.dtype)
        if data.number != 9 or data.wire != BYTES or form is None:
            return None
        size, count = struct.calcsize(form), held.sizes[0]
        first = self.wire.read(data.start, min(data.start + size, data.stop))
        whole = data.stop - data.start == size * count
        if not whole or self.wire.read(data.stop - size, data.stop) != first:
            return None
        if self.wire.read(data.start, data.stop) != first * count:
            return None
        return list(struct.unpack(f"<{form}", first)) * count

    def _sparse(self, whole: Field) -> Held:
        """A tensor of which only what is not zero is written down."""
        sizes: list[int] = []
        found = Held("", (), "undefined")
        for one in self._parts(whole):
            if one.number == 1:
                found = self.tensor(one)
            elif one.number == 3:
                sizes += map(signed, self.wire.numbers(one, VARINT, AXES))
        if len(sizes) > AXES or any(n < 0 for n in sizes):
            raise Broken(f"the tensor {shorten(found.name)} has {written(sizes[:AXES])} values")
        return Held(found.name, tuple(sizes), found.dtype)

    def _values(self, dtype: str, data: list[Field]) -> list[Any] | None:
        found: list[Any] = []
        for one in data:
            if one.number == 9:
                if dtype not in RAW or one.wire != BYTES or one.stop - one.start > 8 * VALUES:
                    return None
                raw = self.wire.read(one.start, one.stop)
                form = RAW[dtype]
                if len(raw) % struct.calcsize(form):
                    return None
                found += [value for (value,) in struct.iter_unpack(f"<{form}", raw)]
            elif one.number == 4:
                found += map(_float, self.wire.numbers(one, FIXED32, VALUES))
            elif one.number == 10:
                found += map(_double, self.wire.numbers(one, FIXED64, VALUES))
            else:
                numbers = map(signed, self.wire.numbers(one, VARINT, VALUES))
                if dtype in ("float16", "bfloat16"):
                    form = "e" if dtype == "float16" else "f"
                    shift = 0 if form == "e" else 16
                    found += [_bits(form, (n & 0xFFFF) << shift) for n in numbers]
                else:
                    found += map(bool, numbers) if dtype == "bool" else numbers
        return found

    def _info(self, whole: Field) -> Info:
        name, kind, sizes, buffer, folded = "", "undefined", None, False, ""
        for one in self._parts(whole):
            if one.number == 1:
                name = self.wire.text(one)
            elif one.number == 2:
                for type_ in self._parts(one):
                    if type_.number in (1, 8):
                        kind, sizes = self._tensor_type(type_)
            elif one.number == 4:
                key, value = self._pair(one)
                folded = value if key == _FOLDED else folded
                buffer = buffer or (key == _KIND and value == "BUFFER")
        return Info(name, kind, sizes, buffer, folded)

    def _tensor_type(self, whole: Field) -> tuple[str, tuple[int | str, ...] | None]:
        kind, sizes = "undefined", None
        for one in self._parts(whole):
            if one.number == 1:
                kind = DTYPES.get(one.value, "undefined")
            elif one.number == 2:
                found: list[int | str] = []
                for dim in self._parts(one):
                    if dim.number == 1 and len(found) < AXES:
                        found.append(self._dim(dim))
                sizes = tuple(found)
        return kind, sizes

    def _dim(self, whole: Field) -> int | str:
        found: int | str = "?"
        for one in self._parts(whole):
            if one.number == 1:
                number = signed(one.value)
                found = number if number > 0 else "?"
            elif one.number == 2:
                found = self.wire.text(one) or "?"
        return found


class Reference(NamedTuple):
    """An attribute that a function is called with."""

    name: str


#: How numbers of a type lie in raw data.
RAW = {
    "float32": "f", "float64": "d", "float16": "e", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H",
    "int32": "i", "uint32": "I", "int64": "q", "uint64": "Q", "bool": "?",
}  # fmt: skip


def _stretch_of(data: Sequence[Field]) -> Stretch | None:
    """Where the numbers of a tensor lie in the file; packed ones lie as raw ones do."""
    plain = len(data) == 1 and data[0].number in (4, 9, 10) and data[0].wire == BYTES
    return Stretch(data[0].start, data[0].stop) if plain else None


def _stretch(said: Mapping[str, str]) -> Stretch | None:
    """Where the numbers of a tensor lie in another file."""
    start, length = said.get("offset", "0"), said.get("length", "")
    if not (start.isdecimal() and length.isdecimal() and len(start) < _DIGITS and len(length) < _DIGITS):
        return None
    return Stretch(int(start), int(start) + int(length), said.get("location", ""))


def _bits(form: str, bits: int) -> Any:
    return struct.unpack(f"<{form}", bits.to_bytes(struct.calcsize(form), "little"))[0]


def _float(bits: int) -> Any:
    return _bits("f", bits & 0xFFFFFFFF)


def _double(bits: int) -> Any:
    return _bits("d", bits)


def _domain(name: str) -> str:
    """The name of a domain; ONNX's own has two."""
    return "" if name == "ai.onnx" else name


def _stamp(graph: Graph, versions: dict[str, int]) -> None:
    """Tell nodes, also those of graphs within, the version of their operators."""
    for node in graph.nodes:
        node.version = versions.get(node.domain, 0)
        for value in node.attributes.values():
            if isinstance(value, Graph):
                _stamp(value, versions)


def written(sizes: Sequence[int]) -> str:
    """Sizes as messages have them."""
    return "x".join(map(str, sizes)) or "a single number"


#: The texts in a list as Python prints one.
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")


def quoted(text: str) -> list[str]:
    r"""The texts in a list as Python prints one.

    >>> quoted("['', 'layer1', \"it's\"]")
    ['', 'layer1', "it's"]
    """
    return [one or other for one, other in _QUOTED.findall(text)]
