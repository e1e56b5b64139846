"""Exported programs as ``torch.export.save`` writes them, read without torch and without running anything.

Such a file is a zip archive. What is read of it is JSON: the graph, the shapes of its tensors and their keys.
The weights are not, nor the pickled examples that lie beside them.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO, NamedTuple

from ..bounds import MAX_SIZE, allowed
from ..errors import UsageError, printable, shorten, usage

#: The largest graph that is read.
_MAX_BYTES = 32_000_000

#: The types of tensors by the numbers that they are written as.
DTYPES = {
    **dict(enumerate(("uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"), start=1)),
    **dict(enumerate(("complex64", "complex128", "bool", "bfloat16"), start=10)),
    **dict(enumerate(("uint16", "float8_e4m3fn", "float8_e5m2"), start=28)),
}

#: What belongs to no module.
_NOWHERE = "_empty_nn_module_stack"


class Size(NamedTuple):
    """A size of a tensor: the one of the example, and whether another would do."""

    number: int
    free: bool


class Scope(NamedTuple):
    """A module that was running: one call of it, its path and its class."""

    call: str
    path: str
    kind: str


class Inner(NamedTuple):
    """A graph that runs on the arguments behind it, by its own names for them."""

    place: int
    inputs: tuple[str, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    sizes: Mapping[str, tuple[Size, ...]]


@dataclass(frozen=True)
class Step:
    """A node of the graph."""

    target: str
    #: Each argument: its name, what it is, and whether it is given by its place.
    args: tuple[tuple[str, Mapping[str, Any], bool], ...]
    outputs: tuple[Mapping[str, Any], ...]
    #: From the outermost inwards, without the root.
    scopes: tuple[Scope, ...]
    #: Of a graph within the graph: its place among the arguments.
    inner: Inner | None = None


@dataclass(frozen=True)
class Held:
    """A tensor that the program has, or is given."""

    name: str
    #: Its key in the state dict; empty where it has none.
    key: str
    sizes: tuple[Size, ...]
    dtype: str
    trains: bool = False
    saved: bool = True
    #: What it shares its values with.
    content: str = ""


@dataclass(frozen=True)
class Exported:
    """A program."""

    #: Its parameters and buffers.
    held: tuple[Held, ...]
    #: Tensors that are in no state dict.
    constants: tuple[Held, ...]
    inputs: tuple[Held, ...]
    #: Inputs that are no tensors: the names in the graph, and the values.
    values: Mapping[str, Any]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    #: The sizes of every tensor by its name in the graph.
    sizes: Mapping[str, tuple[Size, ...]]
    torch: str


def read(file: BinaryIO, called: str) -> Exported:
    """The program in a file.

    Raises:
        UsageError: it is none, or is larger than what is read.
    """
    name = printable(called)[:200]
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.namelist()
            found = [one for one in members if re.fullmatch(r"[^/]+/models/[^/]+\.json", one)]
            if len(found) != 1:
                said = f"it holds {len(found)} programs" if found else "it holds no models/NAME.json"
                raise usage(f"{name} is not read: {said}", help=_HELP)
            graph = _json(archive, found[0])
            config = next((one for one in members if one.endswith("/model_weights_config.json")), None)
            weights = _json(archive, config) if config else {}
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as problem:
        raise usage(f"{name} is not an exported program: {printable(str(problem))}", help=_HELP) from None
    except (ValueError, RuntimeError, zlib.error):  # a password, or more brackets than Python reads
        raise usage(f"{name} is not an exported program: its graph is not JSON", help=_HELP) from None
    try:
        return _Reader(graph, weights).program()
    except UsageError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError):
        raise usage(
            f"{name} is not an exported program: its graph is not as torch writes it", help=_HELP
        ) from None


_HELP = "a file as torch.export.save of torch 2.13 writes it; old ones have another form"


def _json(archive: zipfile.ZipFile, member: str) -> Any:
    with archive.open(member) as file:
        text = file.read(_MAX_BYTES + 1)
    if len(text) > _MAX_BYTES:
        raise usage(f"{shorten(member)} is larger than {_MAX_BYTES // 10**6} MB")
    return json.loads(text)


class _Reader:
    """Reads what torch wrote; whatever is amiss raises, as it comes."""

    def __init__(self, data: Mapping[str, Any], weights: Mapping[str, Any]) -> None:
        self.data = data
        self.graph = data["graph_module"]["graph"]
        self.weights = weights.get("config", {})

    def program(self) -> Exported:
        if len(self.graph["nodes"]) > 4 * allowed():
            raise usage(f"the program has more than {4 * allowed():,} operations")
        tensors = self.graph["tensor_values"]
        sizes = {str(name): self.sizes(one) for name, one in tensors.items()}
        dtypes = {str(name): DTYPES[one["dtype"]] for name, one in tensors.items()}
        held, inputs, constants, values = [], [], [], {}
        signature = self.data["graph_module"]["signature"]
        for spec in signature["input_specs"]:
            ((kind, one),) = spec.items()
            if kind == "user_input":
                ((what, value),) = one["arg"].items()
                if what == "as_tensor":
                    name = str(value["name"])
                    inputs.append(Held(name, "", sizes[name], dtypes[name]))
                    continue
                raise usage(
                    "an input of the program is not a tensor", help="export it with that as a constant"
                )
            if kind == "constant_input":
                ((_, value),) = one["value"].items()
                values[str(one["name"])] = value
                continue
            if kind not in _KINDS:
                raise usage(f"the program has an input of the kind {shorten(kind)}, which is not replayed")
            name = str(one["arg"]["name"])
            if kind == "tensor_constant":
                constants.append(Held(name, "", sizes[name], dtypes[name]))
                continue
            key = _path(one[_KINDS[kind]])
            content = str(self.weights.get(key, {}).get("path_name", ""))
            saved = kind == "parameter" or bool(one.get("persistent", False))
            held.append(Held(name, key, sizes[name], dtypes[name], kind == "parameter", saved, content))
        outputs = [
            str(one["user_output"]["arg"]["as_tensor"]["name"])
            for one in signature["output_specs"]
            if "as_tensor" in one.get("user_output", {}).get("arg", {})
        ]
        steps = tuple(map(self.step, self.graph["nodes"]))
        return Exported(
            tuple(held),
            tuple(constants),
            tuple(inputs),
            values,
            steps,
            tuple(outputs),
            sizes,
            str(self.data.get("torch_version", "")),
        )

    def step(self, node: Mapping[str, Any]) -> Step:
        args = tuple((str(one["name"]), dict(one["arg"]), one.get("kind", 1) == 1) for one in node["inputs"])
        inner = None
        for place, (_, arg, _) in enumerate(args):
            if "as_graph" in arg:
                graph = arg["as_graph"]["graph"]
                inputs, outputs = (
                    tuple(str(one["as_tensor"]["name"]) for one in graph[key]) for key in _ENDS
                )
                sizes = {str(name): self.sizes(one) for name, one in graph["tensor_values"].items()}
                inner = Inner(place, inputs, tuple(map(self.step, graph["nodes"])), outputs, sizes)
        return Step(str(node["target"]), args, tuple(map(dict, node["outputs"])), self.scopes(node), inner)

    def scopes(self, node: Mapping[str, Any]) -> tuple[Scope, ...]:
        """``L__self__,,model.Net;L__self__conv,conv,torch.nn.Conv2d``: a call, a path and a class each."""
        text = str(node.get("metadata", {}).get("nn_module_stack", ""))
        found: list[Scope] = []
        for entry in text.split(";") if text and not text.startswith(_NOWHERE) else []:
            call, path, kind = entry.split(",", 2)
            if path:
                found.append(Scope(call, _path(path), kind))
        return tuple(found)

    def sizes(self, tensor: Mapping[str, Any]) -> tuple[Size, ...]:
        found = []
        for size in tensor["sizes"]:
            ((kind, value),) = size.items()
            free = kind == "as_expr"
            number = value["hint"]["as_int"] if free else value
            if type(number) is not int or not 0 <= number <= MAX_SIZE:
                raise ValueError
            found.append(Size(number, free))
        if len(found) > _MOST_AXES or prod(size.number for size in found) > _MOST_VALUES:
            raise ValueError
        return tuple(found)


def _path(text: Any) -> str:
    """The path of a module or a tensor, none of whose parts is empty."""
    if not isinstance(text, str) or not all(text.split(".")):
        raise ValueError
    return text


#: The kinds of inputs that are tensors of the program's own, and under what each has its name.
_KINDS = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}

_ENDS = ("inputs", "outputs")

#: The most axes of a tensor, and the most values, of which no count overflows for a batch.
_MOST_AXES, _MOST_VALUES = 32, 10**14
