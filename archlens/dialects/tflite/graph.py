"""The graph of a TensorFlow Lite file becoming a tape: its operators under torch's names.

Maps lie with their channels last in the file. Around what works on maps the axes are turned round, which is
followed and makes no layer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from math import prod
from typing import Any

from ...elaboration.inputs import read_shape
from ...errors import SpecError, error, shorten
from ...lowering.numbers import Numbers
from ...lowering.tape import BATCH, Call, Node, Tape, Value
from ...shape import ChannelsLast, Shape
from .folding import FOLDED, folded
from .loops import Loop, loops, with_steps_first
from .reading import File, Operator

#: The largest number that is worked out.
_LARGEST = 10**15

#: The axes of a map as torch has them, and back.
FIRST, LAST = (0, 3, 1, 2), (0, 2, 3, 1)


def inputs(file: File) -> dict[str, Shape]:
    """The shapes of its inputs by their names, without the batch; of maps with the channels first.

    Raises:
        SpecError: the first axis of one is not the batch, or it is no shape that a network takes.
    """
    found: dict[str, Shape] = {}
    flowing = _flowing(file)
    for index, name in zip(flowing, _names(file, flowing, "input"), strict=True):
        tensor = file.tensors[index]
        shape = tensor.shape[1:]
        if len(shape) == 3 and not _is_first(file, index):
            shape = (shape[2], *shape[:2])
        said = f"{shorten(file.path, 200)}: its input {shorten(name)} is {shorten(str(tensor.shape))}"
        if tensor.shape[0] != file.tensors[flowing[0]].shape[0]:
            raise error(f"{said}, which is another batch", notes=(_BATCH,))
        if read_shape("x".join(map(str, shape))) is None:
            raise error(said, help="networks take one to four axes beside the batch")
        found[name] = ChannelsLast(shape) if len(shape) == 2 else Shape(shape)
    return found


_BATCH = "the first axis of each input is the batch, and a network has one shape for any number of samples"


def _flowing(file: File) -> list[int]:
    """The inputs that are more than sizes for an operator."""
    found = [index for index in file.inputs if len(file.tensors[index].shape) > 1]
    if not found:
        raise error(f"{shorten(file.path, 200)} has no input with a batch", notes=(_BATCH,))
    if not file.tensors[found[0]].shape[0]:
        raise error(f"{shorten(file.path, 200)} runs on 0 samples", notes=(_BATCH,))
    return found


def _is_first(file: File, index: int) -> bool:
    """Whether the channels of an input stand first: all that reads it turns them round."""
    readers = [operator for operator in file.operators if index in operator.inputs]
    return bool(readers) and all(
        one.kind == "TRANSPOSE" and len(one.inputs) > 1 and file.numbers.get(one.inputs[1]) == LAST
        for one in readers
    )


def _names(file: File, ends: Sequence[int], alone: str) -> list[str]:
    """What inputs or outputs are called; a single one as in every network."""
    if len(ends) == 1:
        return [alone]
    found: list[str] = []
    for index in ends:
        name = (
            _path(re.sub(r"^serving_default_|:\d+$", "", file.tensors[index].name)).replace(".", "_") or alone
        )
        found.append(name if name not in found else f"{name}_{len(found)}")
    return found


def _path(name: str) -> str:
    """A name as scopes and a layer, of what may stand in names here."""
    parts = (re.sub(r"[^\w:-]", "_", part)[:60] for part in name.strip("/").split("/"))
    return ".".join([part for part in parts if part][:12])


#: How an operator is said: what comes out of it, or nothing where no op does the same.
Says = Callable[["Graph", Operator], "Value | list[Value] | None"]


class Graph:
    """The graph becoming a tape.

    Args:
        file: that it lies in.
        says: how each operator is said, by its name there.
        costs: what those cost that are not said, where they multiply matrices.
        free: those that multiply none.
    """

    def __init__(
        self,
        file: File,
        says: Mapping[str, Says],
        costs: Mapping[str, Callable[[Graph, Operator], int]],
        free: Collection[str],
    ) -> None:
        self.file = file
        self.says, self.costs, self.free = says, costs, free
        self.batch = 1
        #: Its loops by the numbers of their operators.
        self.loops = loops(file, free)
        #: The tensors that have their steps first in the file; here their batch stands first.
        self.steps_first = with_steps_first(file, self.loops)
        #: The tensors that an operator reads or that come out of the graph.
        self.read = {index for one in file.operators for index in one.inputs}.union(file.outputs)
        self.root = Call("", "", None)
        self.nodes: list[Node] = []
        self.values: dict[int, Value] = {}
        self.state: dict[str, Value] = {}
        #: What tensors hold that follows from sizes.
        self.known: dict[int, tuple[float, ...]] = {}
        #: The weights of layers by the tensor and how it lies.
        self.weights: dict[Any, Value] = {}
        #: The operator that is said, and where its layers stand.
        self.operator = file.operators[0] if file.operators else None
        self.call = self.root

    def tape(self) -> Tape:
        shapes, flowing = inputs(self.file), _flowing(self.file)
        self.batch = self.file.tensors[flowing[0]].shape[0]
        given = {}
        for index, (name, shape) in zip(flowing, shapes.items(), strict=True):
            value = given[name] = Value((BATCH, *shape), self.file.tensors[index].dtype, input=name)
            turned = len(shape) == 3 and not _is_first(self.file, index)
            self.values[index] = self.to_last(value) if turned else value
        paths = _paths(self.file)
        for operator in self.file.operators:
            self.operator = operator
            self.call = Call(paths[operator.number], "", self.root)
            if all(index in self.values for index in operator.outputs):
                raise self.wrong("writes tensors that an earlier operator has written")
            self.say(operator)
        ends: dict[str, Value] = {}
        for index, name in zip(self.file.outputs, _names(self.file, self.file.outputs, "out"), strict=True):
            end = self.values.get(index)
            if end is not None and end.flows:
                ends["out" if not ends else name] = self.to_first(end) if len(end.sizes) == 4 else end
        if not ends:
            raise error(f"no output of {shorten(self.file.path, 200)} depends on its input")
        return Tape("", given, self.nodes, ends, self.root, self.state, is_file=True)

    def wrong(self, what: str) -> SpecError:
        """A message about the present operator."""
        assert self.operator is not None
        return error(
            f"{shorten(self.file.path, 200)}: operator {self.operator.number} ({self.operator.kind}) {what}"
        )

    def say(self, operator: Operator) -> None:
        handler = self.says.get(operator.kind)
        read = [index for index in operator.inputs if index >= 0]
        if operator.kind == "SHAPE":
            self.known[operator.outputs[0]] = self.of(read[0]).sizes
            return
        flows = any(index in self.values and self.values[index].flows for index in read)
        if not flows and operator.kind in FOLDED and self.fold(operator):
            return
        if handler is None or not flows:
            self.opaque(operator)
            return
        try:
            made = handler(self, operator)
        except (IndexError, ValueError, ZeroDivisionError):
            raise self.wrong("has inputs, outputs or options that such an operator cannot have") from None
        if made is None:
            self.opaque(operator)
            return
        made = made if isinstance(made, list) else [made]
        for index, value in zip(operator.outputs, made, strict=False):
            expected = self.sizes(index)
            signature = (index not in self.steps_first and self.file.tensors[index].signature) or expected
            alike = len(value.sizes) == len(expected) and all(
                -1 in (n, free) or n in (m, free)
                for n, m, free in zip(value.sizes, expected, signature, strict=False)
            )
            if not alike:
                raise self.wrong(
                    f"outputs {shown(value.sizes)}, but the file says {shown(expected)} for "
                    f"{shorten(self.file.tensors[index].name)}"
                )
            self.values[index] = value

    def fold(self, operator: Operator) -> bool:
        """Work out what follows from sizes and constants; whether it was."""
        read = [self.numbers_of(index) for index in operator.inputs if index >= 0]
        if None in read or len(operator.outputs) != 1:
            return False
        dtype = self.file.tensors[operator.outputs[0]].dtype
        held = [Numbers((len(one),), one) for one in read if one is not None]
        try:
            found = folded(operator, held, dtype)
        except (ValueError, IndexError, ArithmeticError, TypeError):
            raise self.wrong("cannot be computed on its constants") from None
        if found is None or any(abs(n) > _LARGEST for n in found):
            return False
        self.known[operator.outputs[0]] = tuple(found)
        return True

    def opaque(self, operator: Operator) -> None:
        """An operator without an op: known of it are its outputs, its weights, and maybe its cost."""
        free = operator.kind in self.free
        args = {}
        for i, index in enumerate(operator.inputs):
            if index >= 0:
                value = args[f"input_{i}"] = self.of(index)
                tensor = self.file.tensors[index]
                settings = free and tensor.dtype in ("int32", "int64")  # such as axes
                if tensor.constant and not value.key and prod(value.sizes) > 1 and not settings:
                    self.hold(value, f"{self.call.path}.{_layer(tensor.name) or 'weight'}")
        cost = self.costs.get(operator.kind)
        try:
            macs = 0 if free else cost(self, operator) if cost is not None else None
        except IndexError:
            raise self.wrong("has fewer inputs than such an operator has") from None
        args = {name: self.to_first(one) if _is_map(one) else one for name, one in args.items()}
        outs = [self.sizes(index) for index in operator.outputs]
        maps = [len(one) == 4 and one[0] == BATCH for one in outs]
        sizes = [
            tuple(one[i] for i in FIRST) if is_map else one for one, is_map in zip(outs, maps, strict=True)
        ]
        made = self.many(f"tflite.{operator.kind.lower()}", args, sizes, macs)
        for index, value, is_map in zip(operator.outputs, made, maps, strict=True):
            self.values[index] = self.to_last(value) if is_map and value.flows else value

    # --- tensors --------------------------------------------------------------------------------

    def sizes(self, index: int) -> tuple[int, ...]:
        """The sizes of a tensor that is computed, with the batch of the tape in the place of the file's."""
        shape = self.file.tensors[index].shape
        if index in self.steps_first:
            shape = (shape[1], shape[0], *shape[2:])
        if not shape or shape[0] % self.batch:
            return shape
        return (shape[0] // self.batch * BATCH, *shape[1:])

    def of(self, index: int) -> Value:
        """A tensor that an operator reads: one that flows, or a constant."""
        found = self.values.get(index)
        if found is None:
            tensor = self.file.tensors[index]
            found = self.values[index] = Value(tensor.shape, tensor.dtype)
        return found

    def hold(self, value: Value, key: str) -> Value:
        """Make a constant a weight under a key that is its own."""
        name, count = key, 0
        while name in self.state:
            count += 1
            name = f"{key}_{count}"
        value.key, value.trains = name, True
        self.state[name] = value
        return value

    def weight(self, index: int, name: str, shape: tuple[int, ...]) -> Value:
        """A constant as the weight of a layer, lying as torch has it; computed ones flow in as they are."""
        if index in self.values and self.values[index].node is not None:
            raise self.wrong(f"has a {name} that is computed")
        key = (index, shape)
        if key not in self.weights:
            tensor = self.file.tensors[index]
            if prod(tensor.shape) != prod(shape):
                raise self.wrong(f"has a {name} of {shown(tensor.shape)}")
            self.weights[key] = self.hold(Value(shape, tensor.dtype), f"{self.call.path}.{name}")
        return self.weights[key]

    def inner_weight(self, loop: Loop, index: int) -> Value:
        """A constant of a loop's body as a weight."""
        key = (loop.number, "body", index)
        if key not in self.weights:
            tensor = loop.body.tensors[index]
            name = f"{self.call.path}.{_layer(tensor.name).rpartition('.')[2] or 'weight'}"
            self.weights[key] = self.hold(Value(tensor.shape, tensor.dtype), name)
        return self.weights[key]

    def numbers(self, position: int) -> tuple[int, ...]:
        """The whole numbers of a constant input.

        Raises:
            SpecError: they are computed, or none.
        """
        assert self.operator is not None
        found = self.numbers_of(self.operator.inputs[position])
        if found is None or any(type(one) is not int for one in found):
            raise self.wrong(
                f"reads input {position}, whose values are only known when it runs, so its shape is not known"
            )
        return tuple(int(one) for one in found)

    def numbers_of(self, index: int) -> tuple[float, ...] | None:
        """What a tensor holds, where that follows from sizes and constants."""
        value = self.values.get(index)
        if value is not None and (value.node is not None or value.input):
            return None
        return self.known.get(index) or self.file.numbers.get(index)

    # --- nodes ----------------------------------------------------------------------------------

    def many(
        self, target: str, args: dict[str, Any], sizes: Sequence[tuple[int, ...]], macs: int | None = 0
    ) -> list[Value]:
        read = []
        for value in args.values():
            parts = (
                value if isinstance(value, list) else value.values() if isinstance(value, dict) else [value]
            )
            read += [one for one in parts if isinstance(one, Value)]
        node = Node(target, args, (), self.call, macs, tuple(read), any(one.flows for one in read))
        dtype = read[0].dtype if read else "float32"
        node.outputs = tuple(Value(one, dtype, node) for one in sizes)
        self.nodes.append(node)
        return list(node.outputs)

    def one(self, target: str, args: dict[str, Any], sizes: Sequence[int], macs: int | None = 0) -> Value:
        return self.many(target, args, [tuple(sizes)], macs)[0]

    def permuted(self, value: Value, dims: Sequence[int]) -> Value:
        args = {"self": value, "dims": list(dims)}
        return self.one("aten.permute", args, [value.sizes[i] for i in dims])

    def to_first(self, value: Value) -> Value:
        """A map with its channels first."""
        made = value.node
        if made is not None and made.target == "aten.permute" and tuple(made.args["dims"]) == LAST:
            return made.inputs[0]
        if len(value.sizes) != 4:
            raise self.wrong(f"reads {shown(value.sizes)}, which is not a map")
        return self.permuted(value, FIRST)

    def to_last(self, value: Value) -> Value:
        """A map with its channels last."""
        return self.permuted(value, LAST)

    def viewed(self, value: Value, sizes: Sequence[int]) -> Value:
        return self.one("aten.view", {"self": value}, sizes)

    def activated(self, value: Value, number: int) -> Value:
        """What an operator does behind itself."""
        if not number:
            return value
        found = {1: "aten.relu", 2: "aten.clamp", 3: "aten.clamp", 4: "aten.tanh"}.get(number)
        if found is None:
            raise self.wrong(f"has the activation number {number}")
        args: dict[str, Any] = {"self": value}
        args |= {2: {"min": -1, "max": 1}, 3: {"min": 0, "max": 6}}.get(number, {})
        before, self.call = self.call, Call(self.activation(), "", self.root)
        made = self.one(found, args, value.sizes)
        self.call = before
        return made

    def activation(self) -> str:
        """Where the activation within an operator stands: the file may name it."""
        assert self.operator is not None
        first = self.file.tensors[self.operator.outputs[0]].name.partition(";")[0]
        path = _layer(first)
        return path if _ACTIVE.search(first) and path != self.call.path else f"{self.call.path}_activation"


def _paths(file: File) -> dict[int, str]:
    """Where the layers of each operator stand, by its number: at the layer that its weights name.

    A converter fuses operators, and the name of what comes out holds those of all, the last one first.
    """
    taken: Counter[str] = Counter()
    found = {}
    for operator in file.operators:
        names = [name for i in operator.outputs[:1] for name in file.tensors[i].name.split(";")]
        if operator.kind in _WEIGHTED and len(operator.inputs) > 1 and operator.inputs[1] >= 0:
            names += file.tensors[operator.inputs[1]].name.split(";")
            names = [name for name in names if _WEIGHTY.search(name)] or names
        elif len(names) > 1:
            names = [name for name in names if not _ACTIVE.search(name)] or names
        path = _layer(names[0] if names else "") or operator.kind.lower()
        taken[path] += 1
        found[operator.number] = path if taken[path] == 1 else f"{path}_{taken[path] - 1}"
    return found


def _layer(name: str) -> str:
    """The layer that a name of TensorFlow's says, without the graph before it and the operation behind it.

    >>> _layer("model/block_1/conv2d_5/BiasAdd")
    'block_1.conv2d_5'
    """
    path = _path(_TOP.sub("", name))
    return path.rpartition(".")[0] or path


_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV")

#: How the parts of names end that are about a product with weights, or an activation.
_WEIGHTY = re.compile(
    r"/(Conv2D|Conv1D|depthwise\d*|MatMul|BiasAdd|conv2d_transpose|separable_conv2d)\b[^/]*$"
)
_ACTIVE = re.compile(r"(?i)/(relu|relu6|tanh|clip\w*)(_?\d+)*$")

#: What whole graphs are called.
_TOP = re.compile(
    r"^(StatefulPartitionedCall|PartitionedCall|model|functional|sequential|serving_default)(_\d+)*(:\d+)?(/|$)"
)


def _is_map(value: Value) -> bool:
    return value.flows and len(value.sizes) == 4 and value.sizes[0] == BATCH


def shown(sizes: Sequence[int]) -> str:
    return "x".join("batch" if size == BATCH else str(size) for size in sizes) or "one number"
