"""The graph of a TensorFlow Lite file as a network: its operators under torch's names, then said in ops.

Maps lie with their channels last in the file. Around what works on maps the axes are turned round, which is
followed and makes no layer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from ...elaboration.inputs import read_shape
from ...errors import SpecError, error, shorten
from ...geometry import Window, same
from ...lowering import aten
from ...lowering.lowering import Lowering
from ...lowering.tape import BATCH, Call, Node, TakenApart, Tape, Value
from ...network import Network, Origin
from ...shape import ChannelsLast, Shape, broadcast
from .folding import FOLDED, folded
from .reading import File, Operator

#: The largest number that is worked out.
_LARGEST = 10**15

#: The axes of a map as torch has them, and back.
_FIRST, _LAST = (0, 3, 1, 2), (0, 2, 3, 1)


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
        one.kind == "TRANSPOSE" and len(one.inputs) > 1 and file.numbers.get(one.inputs[1]) == _LAST
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


def said(file: File, name: str, origin: Origin) -> Network:
    """The network of a file, on the inputs that it says.

    Raises:
        SpecError: an operator is not as the schema says, or what flows through is no network.
    """
    tape = _Graph(file).tape()
    lowering = _Maps(tape, aten.TABLE)
    try:
        lowering.run()
    except TakenApart:
        assert lowering.node is not None
        raise error(
            f"{shorten(file.path, 200)}: {shorten(lowering.node.call.path)} takes the batch apart"
        ) from None
    if not lowering.drafts:
        raise error(f"{shorten(file.path, 200)} has no layers")
    return lowering.network(name, origin)


class _Maps(Lowering):
    """What moves values makes a layer only where it has to: axes are turned round for the format's sake."""

    def near(self, value: Value, last: bool | None = None) -> Any:
        return self.of(value)

    def _is_last(self, value: Value) -> bool:
        return len(value.sizes) == 3


def _path(name: str) -> str:
    """A name as scopes and a layer, of what may stand in names here."""
    parts = (re.sub(r"[^\w:-]", "_", part)[:60] for part in name.strip("/").split("/"))
    return ".".join([part for part in parts if part][:12])


class _Graph:
    """The graph becoming a tape."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.batch = 1
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
                raise self.wrong("makes what is there already")
            self.say(operator)
        ends: dict[str, Value] = {}
        for index, name in zip(self.file.outputs, _names(self.file, self.file.outputs, "out"), strict=True):
            end = self.values.get(index)
            if end is not None and end.flows:
                ends["out" if not ends else name] = self.to_first(end) if len(end.sizes) == 4 else end
        if not ends:
            raise error(f"nothing that {shorten(self.file.path, 200)} gives depends on its input")
        return Tape("", given, self.nodes, ends, self.root, self.state)

    def wrong(self, what: str) -> SpecError:
        """A message about the present operator."""
        assert self.operator is not None
        return error(
            f"{shorten(self.file.path, 200)}: operator {self.operator.number} ({self.operator.kind}) {what}"
        )

    def say(self, operator: Operator) -> None:
        handler = _SAID.get(operator.kind)
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
        made = made if isinstance(made, list) else [made]
        for index, value in zip(operator.outputs, made, strict=False):
            expected = self.sizes(index)
            signature = self.file.tensors[index].signature or expected
            alike = len(value.sizes) == len(expected) and all(
                -1 in (n, free) or n == m
                for n, m, free in zip(value.sizes, expected, signature, strict=False)
            )
            if not alike:
                raise self.wrong(
                    f"makes {_shown(value.sizes)}, and the file says {_shown(expected)} for "
                    f"{shorten(self.file.tensors[index].name)}"
                )
            self.values[index] = value

    def fold(self, operator: Operator) -> bool:
        """Work out what follows from sizes and constants; whether it was."""
        read = [self.numbers_of(index) for index in operator.inputs if index >= 0]
        types = [self.file.tensors[index].dtype for index in (*operator.inputs, *operator.outputs)]
        if None in read or len(operator.outputs) != 1:
            return False
        try:
            found = folded(operator, [one for one in read if one is not None], types)
        except (ValueError, IndexError, ArithmeticError, TypeError):
            raise self.wrong("cannot work on these numbers") from None
        if found is None or any(abs(n) > _LARGEST for n in found):
            return False
        self.known[operator.outputs[0]] = tuple(found)
        return True

    def opaque(self, operator: Operator) -> None:
        """An operator without an op: known of it are its outputs, its weights, and maybe its cost."""
        free = operator.kind in _FREE
        args = {}
        for i, index in enumerate(operator.inputs):
            if index >= 0:
                value = args[f"input_{i}"] = self.of(index)
                tensor = self.file.tensors[index]
                settings = free and tensor.dtype in ("int32", "int64")  # such as axes
                if tensor.constant and not value.key and prod(value.sizes) > 1 and not settings:
                    self.hold(value, f"{self.call.path}.{_layer(tensor.name) or 'weight'}")
        cost = _COSTS.get(operator.kind)
        try:
            macs = 0 if free else cost(self, operator) if cost is not None else None
        except IndexError:
            raise self.wrong("has fewer inputs than such an operator has") from None
        args = {name: self.to_first(one) if _is_map(one) else one for name, one in args.items()}
        outs = [self.sizes(index) for index in operator.outputs]
        maps = [len(one) == 4 and one[0] == BATCH for one in outs]
        sizes = [
            tuple(one[i] for i in _FIRST) if is_map else one for one, is_map in zip(outs, maps, strict=True)
        ]
        made = self.many(f"tflite.{operator.kind.lower()}", args, sizes, macs)
        for index, value, is_map in zip(operator.outputs, made, maps, strict=True):
            self.values[index] = self.to_last(value) if is_map and value.flows else value

    # --- tensors --------------------------------------------------------------------------------

    def sizes(self, index: int) -> tuple[int, ...]:
        """The sizes of a tensor that is computed, with the batch of the tape in the place of the file's."""
        shape = self.file.tensors[index].shape
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
                raise self.wrong(f"has a {name} of {_shown(tensor.shape)}")
            self.weights[key] = self.hold(Value(shape, tensor.dtype), f"{self.call.path}.{name}")
        return self.weights[key]

    def numbers(self, position: int) -> tuple[int, ...]:
        """The whole numbers of a constant input.

        Raises:
            SpecError: they are computed, or none.
        """
        assert self.operator is not None
        found = self.numbers_of(self.operator.inputs[position])
        if found is None or any(type(one) is not int for one in found):
            raise self.wrong(f"computes its input {position}, and what comes out is not known before")
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
            read += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Value)]
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
        if made is not None and made.target == "aten.permute" and tuple(made.args["dims"]) == _LAST:
            return made.inputs[0]
        if len(value.sizes) != 4:
            raise self.wrong(f"reads {_shown(value.sizes)}, which is no map")
        return self.permuted(value, _FIRST)

    def to_last(self, value: Value) -> Value:
        """A map with its channels last."""
        return self.permuted(value, _LAST)

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


def _paths(file: File) -> list[str]:
    """Where the layers of each operator stand: at the layer that its weights or its output name.

    A converter fuses operators, and the name of what comes out holds those of all, the last one first.
    """
    taken: Counter[str] = Counter()
    found = []
    for operator in file.operators:
        names = [name for i in operator.outputs[:1] for name in file.tensors[i].name.split(";")]
        if operator.kind in _WEIGHTED and len(operator.inputs) > 1 and operator.inputs[1] >= 0:
            names += file.tensors[operator.inputs[1]].name.split(";")
            names = [name for name in names if _WEIGHTY.search(name)] or names
        elif len(names) > 1:
            names = [name for name in names if not _ACTIVE.search(name)] or names
        path = _layer(names[0] if names else "") or operator.kind.lower()
        taken[path] += 1
        found.append(path if taken[path] == 1 else f"{path}_{taken[path] - 1}")
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
    r"^(StatefulPartitionedCall|PartitionedCall|model|functional|sequential|serving_default)(_\d+)?(:\d+)?(/|$)"
)


def _is_map(value: Value) -> bool:
    return value.flows and len(value.sizes) == 4 and value.sizes[0] == BATCH


def _shown(sizes: Sequence[int]) -> str:
    return "x".join("batch" if size == BATCH else str(size) for size in sizes) or "one number"


# --- operators --------------------------------------------------------------------------------------

_Says = Callable[[_Graph, Operator], "Value | list[Value]"]
_SAID: dict[str, _Says] = {}


def _says(*kinds: str) -> Callable[[_Says], _Says]:
    def register(function: _Says) -> _Says:
        for kind in kinds:
            _SAID[kind] = function
        return function

    return register


def _padding(graph: _Graph, number: int) -> Any:
    if number not in (0, 1):
        raise graph.wrong(f"has the padding number {number}")
    return "same" if number == 0 else [0, 0]


def _window(size: int, kernel: int, stride: int, dilation: int, padding: Any) -> int:
    """Positions that come out along one axis."""
    before, after = same(size, kernel, stride, dilation) if padding == "same" else (0, 0)
    return Window(kernel, stride, before, after, dilation).output(size)


def _strides(graph: _Graph, *numbers: int) -> list[int]:
    if min(numbers) < 1:
        raise graph.wrong("has a stride, a window or a dilation below 1")
    return list(numbers)


@_says("CONV_2D", "DEPTHWISE_CONV_2D")
def _conv(graph: _Graph, operator: Operator) -> Value:
    options, depthwise = operator.options, operator.kind == "DEPTHWISE_CONV_2D"
    x = graph.to_first(graph.of(operator.inputs[0]))
    shape = graph.file.tensors[operator.inputs[1]].shape
    if len(shape) != 4:
        raise graph.wrong(f"has a kernel of {_shown(shape)}")
    padding = _padding(graph, options.get(0))
    stride = _strides(graph, options.get(2, "i"), options.get(1, "i"))
    at = 5 if depthwise else 4
    dilation = _strides(graph, options.get(at + 1, "i", 1), options.get(at, "i", 1))
    channels = x.sizes[1]
    if depthwise:
        out, groups, within = shape[3], channels, 1
    else:
        out, within = shape[0], shape[3]
        groups = channels // within if within else 0
    if not groups or groups * within != channels or out % groups:
        raise graph.wrong(f"has a kernel of {_shown(shape)} for {channels} channels")
    weight = graph.weight(operator.inputs[1], "weight", (out, within, *shape[1:3]))
    args: dict[str, Any] = {
        "input": x, "weight": weight, "bias": _bias(graph, operator, out), "stride": stride,
        "padding": padding, "dilation": dilation, "groups": groups, "transposed": False,
    }  # fmt: skip
    sides = [_window(*one, padding) for one in zip(x.sizes[2:], shape[1:3], stride, dilation, strict=True)]
    if min(sides) < 1:
        raise graph.wrong(f"has a kernel of {_shown(shape)} for a map of {_shown(x.sizes[2:])}")
    macs = BATCH * out * prod(sides) * within * prod(shape[1:3])
    made = graph.one("aten.convolution", args, (BATCH, out, *sides), macs)
    return graph.to_last(graph.activated(made, options.get(4 if depthwise else 3)))


def _bias(graph: _Graph, operator: Operator, count: int) -> Value | None:
    index = operator.inputs[2] if len(operator.inputs) > 2 else -1
    return graph.weight(index, "bias", (count,)) if index >= 0 else None


@_says("TRANSPOSE_CONV")
def _conv_transpose(graph: _Graph, operator: Operator) -> Value:
    options = operator.options
    x = graph.to_first(graph.of(operator.inputs[2]))
    out, *kernel, channels = graph.file.tensors[operator.inputs[1]].shape
    stride = _strides(graph, options.get(2, "i"), options.get(1, "i"))
    sides = graph.file.tensors[operator.outputs[0]].shape[1:3]
    if channels != x.sizes[1] or len(kernel) != 2 or len(sides) != 2:
        raise graph.wrong(f"has a kernel of {_shown((out, *kernel, channels))} for {x.sizes[1]} channels")
    weight = graph.weight(operator.inputs[1], "weight", (channels, out, *kernel))
    windows = (Window(f, s, transposed=True) for f, s in zip(kernel, stride, strict=True))
    cut = [one.output(n) - m for one, n, m in zip(windows, x.sizes[2:], sides, strict=True)]
    whole = _padding(graph, options.get(0)) == "same" and list(sides) == [
        n * s for n, s in zip(x.sizes[2:], stride, strict=True)
    ]
    index = operator.inputs[3] if len(operator.inputs) > 3 else -1
    args: dict[str, Any] = {
        "input": x, "weight": weight, "stride": stride, "dilation": [1, 1], "groups": 1, "transposed": True,
        "bias": graph.weight(index, "bias", (out,)) if index >= 0 else None,
        "padding": "same" if whole else [(max(n, 0) // 2, max(n, 0) - max(n, 0) // 2) for n in cut],
        "output_padding": [0, 0] if whole else [max(-n, 0) for n in cut],
    }  # fmt: skip
    macs = prod(x.sizes) * out * prod(kernel)
    made = graph.one("aten.convolution", args, (BATCH, out, *sides), macs)
    return graph.to_last(graph.activated(made, options.get(3)))


@_says("FULLY_CONNECTED")
def _linear(graph: _Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    out, width = graph.file.tensors[operator.inputs[1]].shape
    if not width or prod(x.sizes) % width:
        raise graph.wrong(f"has weights of {out}x{width} for {_shown(x.sizes)}")
    if not operator.options.get(2, "?", False) and len(x.sizes) != 2:
        x = graph.viewed(x, (prod(x.sizes) // width, width))
    if x.sizes[-1] != width:
        x = graph.viewed(x, (prod(x.sizes) // width, width))
    args = {
        "input": x,
        "weight": graph.weight(operator.inputs[1], "weight", (out, width)),
        "bias": _bias(graph, operator, out),
    }
    made = graph.one("torch.linear", args, (*x.sizes[:-1], out), prod(x.sizes) * out)
    return graph.activated(made, operator.options.get(0))


@_says("MAX_POOL_2D", "AVERAGE_POOL_2D")
def _pool(graph: _Graph, operator: Operator) -> Value:
    options = operator.options
    x = graph.to_first(graph.of(operator.inputs[0]))
    padding = _padding(graph, options.get(0))
    stride = _strides(graph, options.get(2, "i"), options.get(1, "i"))
    kernel = _strides(graph, options.get(4, "i"), options.get(3, "i"))
    sides = [_window(n, f, s, 1, padding) for n, f, s in zip(x.sizes[2:], kernel, stride, strict=True)]
    if min(sides) < 1:
        raise graph.wrong(f"has a window of {_shown(kernel)} for a map of {_shown(x.sizes[2:])}")
    largest = operator.kind == "MAX_POOL_2D"
    name = "max_pool2d_with_indices" if largest else "avg_pool2d"
    args: dict[str, Any] = {"self": x, "kernel_size": kernel, "stride": stride, "padding": padding}
    if not largest and padding == "same":
        args["count_include_pad"] = False  # the mean is that of what lies in the map
    made = graph.one(f"aten.{name}", args, (*x.sizes[:2], *sides))
    return graph.to_last(graph.activated(made, options.get(5)))


_EACH = {
    "RELU": "relu", "LOGISTIC": "sigmoid", "TANH": "tanh", "HARD_SWISH": "hardswish", "ELU": "elu",
    "ABS": "abs", "EXP": "exp", "LOG": "log", "SQRT": "sqrt", "RSQRT": "rsqrt", "SQUARE": "square",
    "NEG": "neg", "FLOOR": "floor", "CEIL": "ceil", "ROUND": "round", "SIN": "sin", "COS": "cos",
    "SIGN": "sign", "LOGICAL_NOT": "logical_not", "QUANTIZE": "_to_copy", "DEQUANTIZE": "_to_copy",
    "CAST": "_to_copy", "FAKE_QUANT": "_to_copy",
}  # fmt: skip

_CLAMPED = {"RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1), "RELU_0_TO_1": (0, 1)}


@_says(*_EACH, *_CLAMPED, "LEAKY_RELU", "GELU")
def _each(graph: _Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    args: dict[str, Any] = {"self": x}
    name = _EACH.get(operator.kind, operator.kind.lower())
    if operator.kind in _CLAMPED:
        name, (args["min"], args["max"]) = "clamp", _CLAMPED[operator.kind]
    elif name == "leaky_relu":
        args["negative_slope"] = float(f"{operator.options.get(0, 'f'):.7g}")  # a float of 32 bits
    elif name == "gelu" and operator.options.get(0, "?", False):
        args["approximate"] = "tanh"
    return graph.one(f"aten.{name}", args, x.sizes)


@_says("PRELU")
def _prelu(graph: _Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    slopes = graph.file.tensors[operator.inputs[1]].shape
    one_each = prod(slopes) in (1, x.sizes[-1]) and slopes[-1:] == (prod(slopes),)
    if not one_each:  # a slope for each position, which no op has
        weight = graph.weight(operator.inputs[1], "weight", slopes)
        return graph.one("tflite.prelu", {"self": x, "weight": weight}, x.sizes)
    weight = graph.weight(operator.inputs[1], "weight", (prod(slopes),))
    return graph.one("aten.prelu", {"self": x, "weight": weight}, x.sizes)


_PAIRS = {
    "ADD": "add", "MUL": "mul", "SUB": "sub", "DIV": "div", "MAXIMUM": "maximum", "MINIMUM": "minimum",
    "POW": "pow", "LESS": "lt", "GREATER": "gt", "LESS_EQUAL": "le", "GREATER_EQUAL": "ge", "EQUAL": "eq",
    "NOT_EQUAL": "ne", "LOGICAL_AND": "logical_and", "LOGICAL_OR": "logical_or", "FLOOR_DIV": "floor_divide",
    "FLOOR_MOD": "remainder", "ATAN2": "atan2",
}  # fmt: skip


@_says(*_PAIRS)
def _pair(graph: _Graph, operator: Operator) -> Value:
    a, b = (graph.of(index) for index in operator.inputs[:2])
    sizes = _broadcast(graph, a.sizes, b.sizes)
    fused = operator.options.get(0) if operator.kind in _WEIGHED else 0
    target = f"aten.{_PAIRS[operator.kind]}"
    flowing = [one for one in (a, b) if one.flows]
    if len(flowing) == 1 and operator.kind in _WEIGHED:
        (x,) = flowing
        other = b if x is a else a
        index = operator.inputs[1] if other is b else operator.inputs[0]
        numbers = graph.file.numbers.get(index)
        if numbers is not None and len(numbers) == 1 and x.sizes == sizes:
            return graph.activated(_with_number(graph, operator, x, numbers[0], x is a), fused)
        held = graph.file.tensors[index].constant
        whole = len(sizes) == 4 and x.sizes == sizes and operator.kind in ("ADD", "MUL")
        whole = whole and not _is_spread(x)
        if held and whole and prod(other.sizes) == sizes[-1]:  # one for each channel
            channels = graph.weight(index, "weight", (sizes[-1], 1, 1))
            x = graph.to_first(x)
            made = graph.one(target, {"self": x, "other": channels}, x.sizes)
            return graph.to_last(graph.activated(made, fused))
        if held and not other.key:
            graph.hold(other, f"{graph.call.path}.weight")
    return graph.activated(graph.one(target, {"self": a, "other": b}, sizes), fused)


def _is_spread(value: Value) -> bool:
    """Whether a tensor was made of one that has a single channel, as norms that are written out do."""
    return value.node is not None and any(
        one.flows and one.sizes[-1:] == (1,) != value.sizes[-1:] for one in value.node.inputs
    )


#: Pairs of which one may be a weight.
_WEIGHED = ("ADD", "MUL", "SUB", "DIV")


def _with_number(graph: _Graph, operator: Operator, x: Value, number: float, first: bool) -> Value:
    """A tensor and a number, in this order or the other."""
    target, args = f"aten.{_PAIRS[operator.kind]}", {"self": x, "other": number}
    if not first:
        target = {"SUB": "aten.rsub", "DIV": "aten.reciprocal"}.get(operator.kind, target)
    return graph.one(target, args, x.sizes)


def _broadcast(graph: _Graph, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    found = broadcast((a, b))
    if found is None:
        raise graph.wrong(f"takes {_shown(a)} and {_shown(b)} together")
    return found


@_says("ADD_N")
def _sum(graph: _Graph, operator: Operator) -> Value:
    first, *rest = (graph.of(index) for index in operator.inputs)
    for one in rest:
        first = graph.one(
            "aten.add", {"self": first, "other": one}, _broadcast(graph, first.sizes, one.sizes)
        )
    return first


@_says("SQUARED_DIFFERENCE")
def _squared(graph: _Graph, operator: Operator) -> Value:
    a, b = (graph.of(index) for index in operator.inputs[:2])
    made = graph.one("aten.sub", {"self": a, "other": b}, _broadcast(graph, a.sizes, b.sizes))
    return graph.one("aten.square", {"self": made}, made.sizes)


def _axis(graph: _Graph, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise graph.wrong(f"works along axis {axis} of {rank}")
    return axis % rank


@_says("CONCATENATION")
def _concat(graph: _Graph, operator: Operator) -> Value:
    values = [graph.of(index) for index in operator.inputs]
    rank = len(values[0].sizes)
    axis = _axis(graph, operator.options.get(0, "i"), rank)
    if any(one.sizes[:axis] + one.sizes[axis + 1 :] != values[0].sizes[:axis] + values[0].sizes[axis + 1 :]
           for one in values):  # fmt: skip
        raise graph.wrong(f"joins {' and '.join(_shown(one.sizes) for one in values)}")
    if rank == 4:
        values = [graph.to_first(one) for one in values]
        axis = _FIRST.index(axis)
    sizes = list(values[0].sizes)
    sizes[axis] = sum(one.sizes[axis] for one in values)
    made = values[0]
    if len(values) > 1:
        made = graph.one("aten.cat", {"tensors": values, "dim": axis}, sizes)
    made = graph.activated(made, operator.options.get(1))
    return graph.to_last(made) if rank == 4 else made


@_says("SOFTMAX", "LOG_SOFTMAX")
def _softmax(graph: _Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    return graph.one(f"aten._{operator.kind.lower()}", {"self": x, "dim": -1}, x.sizes)


@_says("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def _reshape(graph: _Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    sizes = graph.sizes(operator.outputs[0])
    asked = graph.known.get(operator.inputs[1]) if len(operator.inputs) > 1 else None
    if asked is not None and operator.kind == "RESHAPE":
        left = prod(x.sizes) // max(1, prod(int(n) for n in asked if n > 0))
        sizes = tuple(int(n) if n > 0 else left for n in asked)
    if prod(sizes) != prod(x.sizes):
        raise graph.wrong(f"makes {_shown(sizes)} of {_shown(x.sizes)}")
    return graph.viewed(x, sizes)


@_says("TRANSPOSE")
def _transpose(graph: _Graph, operator: Operator) -> Value:
    x, order = graph.of(operator.inputs[0]), graph.numbers(1)
    if sorted(order) != list(range(len(x.sizes))):
        raise graph.wrong(f"turns {_shown(x.sizes)} round as {order}")
    made = graph.permuted(x, order)
    # the file says one sample, and where it stands is known here alone
    if [*made.sizes] != [*graph.sizes(operator.outputs[0])] and made.sizes[0] != BATCH:
        raise graph.wrong("moves the batch from its place")
    return made


@_says("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")
def _reduce(graph: _Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    rank = len(x.sizes)
    axes = {_axis(graph, axis, rank) for axis in graph.numbers(1)}
    if 0 in axes:
        raise graph.wrong("reduces the batch")
    keeps = operator.options.get(0, "?", False)
    name = {"MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "amax", "REDUCE_MIN": "amin"}[operator.kind]
    turned = rank == 4 and name in ("mean", "amax") and 3 not in axes
    if turned:
        x, axes = graph.to_first(x), {_FIRST.index(axis) for axis in axes}
    sizes = [1 if i in axes else n for i, n in enumerate(x.sizes) if keeps or i not in axes]
    made = graph.one(f"aten.{name}", {"self": x, "dim": sorted(axes), "keepdim": keeps}, sizes)
    if turned and keeps:
        return graph.to_last(made)
    if turned and len(sizes) == 3:  # one axis of the map is left, before the channels
        return graph.permuted(made, (0, 2, 1)) if 1 not in axes else made
    return made


@_says("PAD", "PADV2", "MIRROR_PAD")
def _pad(graph: _Graph, operator: Operator) -> Value:
    x, flat = graph.of(operator.inputs[0]), graph.numbers(1)
    rank = len(x.sizes)
    if len(flat) != 2 * rank or min(flat) < 0:
        raise graph.wrong(f"adds {flat} to {_shown(x.sizes)}")
    pairs = [flat[i : i + 2] for i in range(0, 2 * rank, 2)]
    if any(pairs[0]):
        raise graph.wrong("adds to the batch")
    sizes = [n + sum(pair) for n, pair in zip(x.sizes, pairs, strict=True)]
    if rank == 4:
        x, pairs = graph.to_first(x), [pairs[i] for i in _FIRST]
        sizes = [sizes[i] for i in _FIRST]
    while len(pairs) > 1 and not any(pairs[0]):
        del pairs[0]
    args: dict[str, Any] = {"input": x, "pad": [n for pair in pairs[::-1] for n in pair]}
    if operator.kind == "MIRROR_PAD":
        args["mode"] = "reflect"
    made = graph.one("torch.pad", args, sizes)
    return graph.to_last(made) if rank == 4 else made


@_says("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def _resize(graph: _Graph, operator: Operator) -> Value:
    x, bilinear = graph.to_first(graph.of(operator.inputs[0])), operator.kind == "RESIZE_BILINEAR"
    height, width = graph.numbers(1)
    args: dict[str, Any] = {"input": x}
    if bilinear:
        args |= {"mode": "bilinear", "align_corners": operator.options.get(2, "?", False)}
    return graph.to_last(graph.one("torch.interpolate", args, (*x.sizes[:2], height, width)))


@_says("STRIDED_SLICE", "SLICE")
def _slice(graph: _Graph, operator: Operator) -> Value:
    x, options = graph.of(operator.inputs[0]), operator.options
    rank = len(x.sizes)
    begin, end = graph.numbers(1), graph.numbers(2)
    dropped: tuple[int, ...] = ()
    if operator.kind == "SLICE":
        bounds = [(b, b + n if n >= 0 else size, 1) for b, n, size in zip(begin, end, x.sizes, strict=False)]
    else:
        if options.get(2, "i") or options.get(3, "i") or options.get(5, "?", False):
            raise graph.wrong("has an ellipsis, a new axis or an offset, which are not read")
        steps = graph.numbers(3)
        if any(step < 1 for step in steps):
            raise graph.wrong(f"goes in steps of {steps}")
        masks = options.get(0, "i"), options.get(1, "i"), options.get(4, "i")
        dropped = tuple(i for i in range(rank) if masks[2] >> i & 1)
        bounds = []
        for i, (b, e, s) in enumerate(zip(begin, end, steps, strict=True)):
            first = None if masks[0] >> i & 1 else b
            last = None if masks[1] >> i & 1 else e
            if i in dropped:
                first, last = b, b + 1 if b != -1 else None
            bounds.append(slice(first, last, s).indices(x.sizes[i]))
    if len(bounds) != rank:
        raise graph.wrong(f"cuts {len(bounds)} axes of {rank}")
    if bounds[0][:1] == (0,) and bounds[0][1] >= graph.batch and bounds[0][2] == 1 and 0 not in dropped:
        bounds[0] = (0, x.sizes[0], 1)  # all samples, of which the file has so many
    if bounds[0] != (0, x.sizes[0], 1):
        raise graph.wrong("takes a part of the batch")
    for i, (start, stop, step) in enumerate(bounds):
        if not 0 <= start < stop <= x.sizes[i]:
            raise graph.wrong(f"cuts {start} to {stop} of {x.sizes[i]}")
        if (start, stop, step) != (0, x.sizes[i], 1):
            args = {"self": x, "dim": i, "start": start, "end": stop, "step": step}
            x = graph.one("aten.slice", args, (*x.sizes[:i], -(-(stop - start) // step), *x.sizes[i + 1 :]))
    return graph.viewed(x, [n for i, n in enumerate(x.sizes) if i not in dropped]) if dropped else x


@_says("SPLIT", "SPLIT_V")
def _split(graph: _Graph, operator: Operator) -> list[Value]:
    by_sizes = operator.kind == "SPLIT_V"
    x = graph.of(operator.inputs[0 if by_sizes else 1])
    (axis,) = graph.numbers(2 if by_sizes else 0)
    axis = _axis(graph, axis, len(x.sizes))
    count = len(operator.outputs)
    parts = list(graph.numbers(1)) if by_sizes else [x.sizes[axis] // count] * count
    if len(parts) != count or sum(parts) != x.sizes[axis] or min(parts) < 1:
        raise graph.wrong(f"splits {x.sizes[axis]} into {parts}")
    sizes = [(*x.sizes[:axis], n, *x.sizes[axis + 1 :]) for n in parts]
    return graph.many("aten.split_with_sizes", {"self": x, "split_sizes": parts, "dim": axis}, sizes)


@_says("UNPACK")
def _unpack(graph: _Graph, operator: Operator) -> list[Value]:
    x = graph.of(operator.inputs[0])
    axis = _axis(graph, operator.options.get(1, "i"), len(x.sizes))
    if len(operator.outputs) != x.sizes[axis]:
        raise graph.wrong(f"takes {x.sizes[axis]} apart into {len(operator.outputs)}")
    sizes = (*x.sizes[:axis], *x.sizes[axis + 1 :])
    return graph.many("aten.unbind", {"self": x, "dim": axis}, [sizes] * len(operator.outputs))


@_says("BATCH_MATMUL")
def _product(graph: _Graph, operator: Operator) -> Value:
    a, b = (graph.of(index) for index in operator.inputs[:2])
    if operator.options.get(0, "?", False):
        a = _swapped(graph, a)
    if operator.options.get(1, "?", False):
        b = _swapped(graph, b)
    if a.sizes[-1] != b.sizes[-2]:
        raise graph.wrong(f"multiplies {_shown(a.sizes)} by {_shown(b.sizes)}")
    sizes = (*_broadcast(graph, a.sizes[:-2], b.sizes[:-2]), a.sizes[-2], b.sizes[-1])
    args = {"input": a, "other": b}
    return graph.one("torch.matmul", args, sizes, prod(sizes) * a.sizes[-1])


def _swapped(graph: _Graph, value: Value) -> Value:
    rank = len(value.sizes)
    return graph.permuted(value, (*range(rank - 2), rank - 1, rank - 2))


def _recurrent(graph: _Graph, operator: Operator) -> int:
    """What the matrices of a recurrent layer multiply, at each step of its sequence."""
    x = graph.of(operator.inputs[0]).sizes
    steps = prod(x[1:-1]) if len(x) > 2 else 1
    read = (graph.file.tensors[index] for index in operator.inputs[1:] if index >= 0)
    return BATCH * steps * sum(prod(one.shape) for one in read if one.constant and len(one.shape) == 2)


_COSTS = dict.fromkeys(("UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "SVDF"), _recurrent)

#: Operators without an op here that multiply no matrices.
_FREE = frozenset(
    re.findall(
        r"\w+",
        """
    DEPTH_TO_SPACE SPACE_TO_DEPTH L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION GATHER
    GATHER_ND BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TOPK_V2 ARG_MAX ARG_MIN SELECT SELECT_V2 TILE SHAPE
    REDUCE_PROD PACK ONE_HOT REDUCE_ANY REDUCE_ALL ZEROS_LIKE FILL RANGE UNIQUE REVERSE_V2 WHERE RANK
    REVERSE_SEQUENCE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND CUMSUM BROADCAST_TO
    EMBEDDING_LOOKUP CAST VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS DYNAMIC_UPDATE_SLICE
    SIGN BITCAST DENSIFY
        """,
    )
) | frozenset(
    (*_EACH, *_PAIRS, *_CLAMPED, "SQUARED_DIFFERENCE", "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "SOFTMAX")
)
