"""How each operator of TensorFlow Lite is said by torch's names, with the sizes that come out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from ...geometry import Window, same
from ...lowering.tape import BATCH, Value
from ...shape import broadcast
from .graph import FIRST, Graph, Says, shown
from .reading import Operator

#: How each operator is said, by its name.
SAID: dict[str, Says] = {}


def _says(*kinds: str) -> Callable[[Says], Says]:
    def register(function: Says) -> Says:
        for kind in kinds:
            SAID[kind] = function
        return function

    return register


def _padding(graph: Graph, number: int) -> Any:
    if number not in (0, 1):
        raise graph.wrong(f"has the padding number {number}")
    return "same" if number == 0 else [0, 0]


def _window(size: int, kernel: int, stride: int, dilation: int, padding: Any) -> int:
    """Positions that come out along one axis."""
    before, after = same(size, kernel, stride, dilation) if padding == "same" else (0, 0)
    return Window(kernel, stride, before, after, dilation).output(size)


def _strides(graph: Graph, *numbers: int) -> list[int]:
    if min(numbers) < 1:
        raise graph.wrong("has a stride, a window or a dilation below 1")
    return list(numbers)


@_says("CONV_2D", "DEPTHWISE_CONV_2D")
def _conv(graph: Graph, operator: Operator) -> Value:
    options, depthwise = operator.options, operator.kind == "DEPTHWISE_CONV_2D"
    x = graph.to_first(graph.of(operator.inputs[0]))
    shape = graph.file.tensors[operator.inputs[1]].shape
    if len(shape) != 4:
        raise graph.wrong(f"has a kernel of {shown(shape)}")
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
        raise graph.wrong(f"has a kernel of {shown(shape)} for {channels} channels")
    weight = graph.weight(operator.inputs[1], "weight", (out, within, *shape[1:3]))
    args: dict[str, Any] = {
        "input": x, "weight": weight, "bias": _bias(graph, operator, out), "stride": stride,
        "padding": padding, "dilation": dilation, "groups": groups, "transposed": False,
    }  # fmt: skip
    sides = [_window(*one, padding) for one in zip(x.sizes[2:], shape[1:3], stride, dilation, strict=True)]
    if min(sides) < 1:
        raise graph.wrong(f"has a kernel of {shown(shape)} for a map of {shown(x.sizes[2:])}")
    macs = BATCH * out * prod(sides) * within * prod(shape[1:3])
    made = graph.one("aten.convolution", args, (BATCH, out, *sides), macs)
    return graph.to_last(graph.activated(made, options.get(4 if depthwise else 3)))


def _bias(graph: Graph, operator: Operator, count: int) -> Value | None:
    index = operator.inputs[2] if len(operator.inputs) > 2 else -1
    return graph.weight(index, "bias", (count,)) if index >= 0 else None


@_says("TRANSPOSE_CONV")
def _conv_transpose(graph: Graph, operator: Operator) -> Value:
    options = operator.options
    x = graph.to_first(graph.of(operator.inputs[2]))
    out, *kernel, channels = graph.file.tensors[operator.inputs[1]].shape
    stride = _strides(graph, options.get(2, "i"), options.get(1, "i"))
    sides = graph.file.tensors[operator.outputs[0]].shape[1:3]
    if channels != x.sizes[1] or len(kernel) != 2 or len(sides) != 2:
        raise graph.wrong(f"has a kernel of {shown((out, *kernel, channels))} for {x.sizes[1]} channels")
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
def _linear(graph: Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    out, width = graph.file.tensors[operator.inputs[1]].shape
    if not width or prod(x.sizes) % width:
        raise graph.wrong(f"has weights of {out}x{width} for {shown(x.sizes)}")
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
def _pool(graph: Graph, operator: Operator) -> Value:
    options = operator.options
    x = graph.to_first(graph.of(operator.inputs[0]))
    padding = _padding(graph, options.get(0))
    stride = _strides(graph, options.get(2, "i"), options.get(1, "i"))
    kernel = _strides(graph, options.get(4, "i"), options.get(3, "i"))
    sides = [_window(n, f, s, 1, padding) for n, f, s in zip(x.sizes[2:], kernel, stride, strict=True)]
    if min(sides) < 1:
        raise graph.wrong(f"has a window of {shown(kernel)} for a map of {shown(x.sizes[2:])}")
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
def _each(graph: Graph, operator: Operator) -> Value:
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
def _prelu(graph: Graph, operator: Operator) -> Value:
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
def _pair(graph: Graph, operator: Operator) -> Value:
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


def _with_number(graph: Graph, operator: Operator, x: Value, number: float, first: bool) -> Value:
    """A tensor and a number, in this order or the other."""
    target, args = f"aten.{_PAIRS[operator.kind]}", {"self": x, "other": number}
    if not first:
        target = {"SUB": "aten.rsub", "DIV": "aten.reciprocal"}.get(operator.kind, target)
    return graph.one(target, args, x.sizes)


def _broadcast(graph: Graph, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    found = broadcast((a, b))
    if found is None:
        raise graph.wrong(f"combines {shown(a)} and {shown(b)}, which cannot be broadcast together")
    return found


@_says("ADD_N")
def _sum(graph: Graph, operator: Operator) -> Value:
    first, *rest = (graph.of(index) for index in operator.inputs)
    for one in rest:
        first = graph.one(
            "aten.add", {"self": first, "other": one}, _broadcast(graph, first.sizes, one.sizes)
        )
    return first


@_says("SQUARED_DIFFERENCE")
def _squared(graph: Graph, operator: Operator) -> Value:
    a, b = (graph.of(index) for index in operator.inputs[:2])
    made = graph.one("aten.sub", {"self": a, "other": b}, _broadcast(graph, a.sizes, b.sizes))
    return graph.one("aten.square", {"self": made}, made.sizes)


def _axis(graph: Graph, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise graph.wrong(f"works along axis {axis}, and its input has {rank} axes")
    return axis % rank


@_says("CONCATENATION")
def _concat(graph: Graph, operator: Operator) -> Value:
    values = [graph.of(index) for index in operator.inputs]
    rank = len(values[0].sizes)
    axis = _axis(graph, operator.options.get(0, "i"), rank)
    if any(one.sizes[:axis] + one.sizes[axis + 1 :] != values[0].sizes[:axis] + values[0].sizes[axis + 1 :]
           for one in values):  # fmt: skip
        raise graph.wrong(
            f"concatenates {' and '.join(shown(one.sizes) for one in values)}, which differ along other axes"
        )
    if rank == 4:
        values = [graph.to_first(one) for one in values]
        axis = FIRST.index(axis)
    sizes = list(values[0].sizes)
    sizes[axis] = sum(one.sizes[axis] for one in values)
    made = values[0]
    if len(values) > 1:
        made = graph.one("aten.cat", {"tensors": values, "dim": axis}, sizes)
    made = graph.activated(made, operator.options.get(1))
    return graph.to_last(made) if rank == 4 else made


@_says("SOFTMAX", "LOG_SOFTMAX")
def _softmax(graph: Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    return graph.one(f"aten._{operator.kind.lower()}", {"self": x, "dim": -1}, x.sizes)


@_says("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
def _reshape(graph: Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    sizes = graph.sizes(operator.outputs[0])
    if _turns_to_steps(graph, operator) and x.sizes == sizes:  # of one sample, whose steps need not move
        return x
    asked = graph.known.get(operator.inputs[1]) if len(operator.inputs) > 1 else None
    if asked is not None and operator.kind == "RESHAPE":
        left = prod(x.sizes) // max(1, prod(int(n) for n in asked if n > 0))
        sizes = tuple(int(n) if n > 0 else left for n in asked)
    if prod(sizes) != prod(x.sizes):
        raise graph.wrong(f"reshapes {shown(x.sizes)} to {shown(sizes)}, which has another number of values")
    return graph.viewed(x, sizes)


def _turns_to_steps(graph: Graph, operator: Operator) -> bool:
    """Whether what comes out has its steps first and what it reads has not, or the other way round."""
    return (operator.inputs[0] in graph.steps_first) != (operator.outputs[0] in graph.steps_first)


@_says("TRANSPOSE")
def _transpose(graph: Graph, operator: Operator) -> Value:
    x, order = graph.of(operator.inputs[0]), graph.numbers(1)
    if sorted(order) != list(range(len(x.sizes))):
        raise graph.wrong(f"transposes {shown(x.sizes)} by {order}, which is not an order of its axes")
    if _turns_to_steps(graph, operator) and order == (1, 0, *range(2, len(order))):
        return x
    made = graph.permuted(x, order)
    # the file says one sample, and where it stands is known here alone
    if [*made.sizes] != [*graph.sizes(operator.outputs[0])] and made.sizes[0] != BATCH:
        raise graph.wrong("moves the batch to another axis")
    return made


@_says("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN")
def _reduce(graph: Graph, operator: Operator) -> Value:
    x = graph.of(operator.inputs[0])
    rank = len(x.sizes)
    axes = {_axis(graph, axis, rank) for axis in graph.numbers(1)}
    if 0 in axes:
        raise graph.wrong("reduces over the batch")
    keeps = operator.options.get(0, "?", False)
    name = {"MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "amax", "REDUCE_MIN": "amin"}[operator.kind]
    turned = rank == 4 and name in ("mean", "amax") and 3 not in axes
    if turned:
        x, axes = graph.to_first(x), {FIRST.index(axis) for axis in axes}
    sizes = [1 if i in axes else n for i, n in enumerate(x.sizes) if keeps or i not in axes]
    made = graph.one(f"aten.{name}", {"self": x, "dim": sorted(axes), "keepdim": keeps}, sizes)
    if turned and keeps:
        return graph.to_last(made)
    if turned and len(sizes) == 3:  # one axis of the map is left, before the channels
        return graph.permuted(made, (0, 2, 1)) if 1 not in axes else made
    return made


@_says("PAD", "PADV2", "MIRROR_PAD")
def _pad(graph: Graph, operator: Operator) -> Value:
    x, flat = graph.of(operator.inputs[0]), graph.numbers(1)
    rank = len(x.sizes)
    if len(flat) != 2 * rank or min(flat) < 0:
        raise graph.wrong(f"pads {shown(x.sizes)} by {flat}, where each axis takes two numbers of at least 0")
    pairs = [flat[i : i + 2] for i in range(0, 2 * rank, 2)]
    if any(pairs[0]):
        raise graph.wrong("pads the batch")
    sizes = [n + sum(pair) for n, pair in zip(x.sizes, pairs, strict=True)]
    if rank == 4:
        x, pairs = graph.to_first(x), [pairs[i] for i in FIRST]
        sizes = [sizes[i] for i in FIRST]
    while len(pairs) > 1 and not any(pairs[0]):
        del pairs[0]
    args: dict[str, Any] = {"input": x, "pad": [n for pair in pairs[::-1] for n in pair]}
    if operator.kind == "MIRROR_PAD":
        args["mode"] = "reflect"
    made = graph.one("torch.pad", args, sizes)
    return graph.to_last(made) if rank == 4 else made


@_says("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def _resize(graph: Graph, operator: Operator) -> Value:
    x, bilinear = graph.to_first(graph.of(operator.inputs[0])), operator.kind == "RESIZE_BILINEAR"
    height, width = graph.numbers(1)
    args: dict[str, Any] = {"input": x}
    if bilinear:
        args |= {"mode": "bilinear", "align_corners": operator.options.get(2, "?", False)}
    return graph.to_last(graph.one("torch.interpolate", args, (*x.sizes[:2], height, width)))


@_says("STRIDED_SLICE", "SLICE")
def _slice(graph: Graph, operator: Operator) -> Value:
    x, options = graph.of(operator.inputs[0]), operator.options
    rank = len(x.sizes)
    order = _axes(graph, operator)
    begin, end = _turned(graph.numbers(1), order), _turned(graph.numbers(2), order)
    dropped: tuple[int, ...] = ()
    if operator.kind == "SLICE":
        bounds = [(b, b + n if n >= 0 else size, 1) for b, n, size in zip(begin, end, x.sizes, strict=False)]
    else:
        if options.get(2, "i") or options.get(3, "i") or options.get(5, "?", False):
            raise graph.wrong("has an ellipsis, a new axis or an offset, which is not supported")
        steps = _turned(graph.numbers(3), order)
        if any(step < 1 for step in steps):
            raise graph.wrong(f"slices in steps of {steps}, and only steps of at least 1 are supported")
        masks = [[options.get(field, "i") >> at & 1 for at in order] for field in (0, 1, 4)]
        dropped = tuple(i for i in range(rank) if masks[2][i])
        bounds = []
        for i, (b, e, s) in enumerate(zip(begin, end, steps, strict=True)):
            first = None if masks[0][i] else b
            last = None if masks[1][i] else e
            if i in dropped:
                first, last = b, b + 1 if b != -1 else None
            bounds.append(slice(first, last, s).indices(x.sizes[i]))
    if len(bounds) != rank:
        raise graph.wrong(f"slices {len(bounds)} axes, and its input has {rank}")
    if bounds[0][:1] == (0,) and bounds[0][1] >= graph.batch and bounds[0][2] == 1 and 0 not in dropped:
        bounds[0] = (0, x.sizes[0], 1)  # all samples, of which the file has so many
    if bounds[0] != (0, x.sizes[0], 1):
        raise graph.wrong("slices the batch")
    for i, (start, stop, step) in enumerate(bounds):
        if not 0 <= start < stop <= x.sizes[i]:
            raise graph.wrong(f"slices positions {start} to {stop} of an axis of {x.sizes[i]}")
        if (start, stop, step) != (0, x.sizes[i], 1):
            args = {"self": x, "dim": i, "start": start, "end": stop, "step": step}
            x = graph.one("aten.slice", args, (*x.sizes[:i], -(-(stop - start) // step), *x.sizes[i + 1 :]))
    return graph.viewed(x, [n for i, n in enumerate(x.sizes) if i not in dropped]) if dropped else x


def _axes(graph: Graph, operator: Operator) -> tuple[int, ...]:
    """Where each axis of what is read stands in the file: of sequences the steps stand before the batch."""
    first, second, *rest = range(max(2, len(graph.of(operator.inputs[0]).sizes)))
    return (second, first, *rest) if operator.inputs[0] in graph.steps_first else (first, second, *rest)


def _turned(numbers: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    """A number for each axis, in the order that the axes have here."""
    if len(numbers) != len(order):
        raise ValueError
    return tuple(numbers[at] for at in order)


@_says("REVERSE_V2")
def _flip(graph: Graph, operator: Operator) -> Value:
    x, order = graph.of(operator.inputs[0]), _axes(graph, operator)
    axes = [order.index(_axis(graph, axis, len(order))) for axis in graph.numbers(1)]
    if 0 in axes:
        raise graph.wrong("reverses the batch")
    if len(order) != 4:
        return graph.one("aten.flip", {"self": x, "dims": axes}, x.sizes)
    x = graph.to_first(x)
    axes = [FIRST.index(axis) for axis in axes]
    return graph.to_last(graph.one("aten.flip", {"self": x, "dims": axes}, x.sizes))


@_says("WHILE")
def _loop(graph: Graph, operator: Operator) -> list[Value]:
    """One opaque layer: its weights and its cost are those of its body. What it begins with is no weight."""
    loop = graph.loops.get(operator.number)
    if loop is None:
        raise graph.wrong("runs a graph that has another number of inputs or outputs")
    flows = [graph.of(index) for index in operator.inputs if index >= 0]
    args: dict[str, Any] = {f"input_{i}": one for i, one in enumerate(flows) if one.flows}
    args |= {f"weight_{index}": graph.inner_weight(loop, index) for index in loop.weights}
    known = loop.steps is not None and loop.macs is not None
    macs = (loop.steps or 0) * (loop.macs or 0) * BATCH // graph.batch if known else None
    read = [i not in loop.kept and index in graph.read for i, index in enumerate(operator.outputs)]
    sizes = [graph.sizes(index) for index in operator.outputs]
    made = iter(
        graph.many(
            "tflite.while", args, [one for one, is_read in zip(sizes, read, strict=True) if is_read], macs
        )
    )
    return [
        next(made) if is_read else graph.of(operator.inputs[i]) if i in loop.kept else Value(one, "float32")
        for i, (one, is_read) in enumerate(zip(sizes, read, strict=True))
    ]


@_says("SPLIT", "SPLIT_V")
def _split(graph: Graph, operator: Operator) -> list[Value]:
    by_sizes = operator.kind == "SPLIT_V"
    x = graph.of(operator.inputs[0 if by_sizes else 1])
    (axis,) = graph.numbers(2 if by_sizes else 0)
    axis = _axis(graph, axis, len(x.sizes))
    count = len(operator.outputs)
    parts = list(graph.numbers(1)) if by_sizes else [x.sizes[axis] // count] * count
    if len(parts) != count or sum(parts) != x.sizes[axis] or min(parts) < 1:
        raise graph.wrong(f"splits an axis of {x.sizes[axis]} into parts of {parts}")
    sizes = [(*x.sizes[:axis], n, *x.sizes[axis + 1 :]) for n in parts]
    return graph.many("aten.split_with_sizes", {"self": x, "split_sizes": parts, "dim": axis}, sizes)


@_says("GATHER")
def _gather(graph: Graph, operator: Operator) -> Value | None:
    """The rows of a table for ids, or some positions along an axis in a row; of others no op is known."""
    rows, indices = operator.inputs[:2]
    x, read = graph.of(rows), graph.of(indices)
    axis = _axis(graph, operator.options.get(0, "i"), len(x.sizes))
    if operator.options.get(1, "i"):  # one table for each sample
        return None
    if not x.flows and len(x.sizes) == 2 and axis == 0:
        table = {"weight": graph.weight(rows, "weight", tuple(x.sizes)), "indices": read}
        return graph.one("aten.embedding", table, (*read.sizes, x.sizes[1]))
    picked = graph.numbers_of(indices) or ()
    first, count, size = int(next(iter(picked), 0)), len(picked), x.sizes[axis]
    row = [first + i for i in range(count)]
    if not x.flows or not axis or not picked or [*picked] != row or not 0 <= first <= size - count:
        return None
    if not read.sizes:
        sizes = (*x.sizes[:axis], *x.sizes[axis + 1 :])
        return graph.one("aten.select", {"self": x, "dim": axis, "index": first}, sizes)
    if len(read.sizes) > 1:
        return None
    args: dict[str, Any] = {"self": x, "dim": axis, "start": first, "end": first + count}
    return graph.one("aten.slice", args, (*x.sizes[:axis], count, *x.sizes[axis + 1 :]))


@_says("UNPACK")
def _unpack(graph: Graph, operator: Operator) -> list[Value]:
    x = graph.of(operator.inputs[0])
    axis = _axis(graph, operator.options.get(1, "i"), len(x.sizes))
    if len(operator.outputs) != x.sizes[axis]:
        raise graph.wrong(f"unpacks an axis of {x.sizes[axis]} into {len(operator.outputs)} outputs")
    sizes = (*x.sizes[:axis], *x.sizes[axis + 1 :])
    return graph.many("aten.unbind", {"self": x, "dim": axis}, [sizes] * len(operator.outputs))


@_says("BATCH_MATMUL")
def _product(graph: Graph, operator: Operator) -> Value:
    a, b = (graph.of(index) for index in operator.inputs[:2])
    if operator.options.get(0, "?", False):
        a = _swapped(graph, a)
    if operator.options.get(1, "?", False):
        b = _swapped(graph, b)
    if a.sizes[-1] != b.sizes[-2]:
        raise graph.wrong(f"multiplies {shown(a.sizes)} by {shown(b.sizes)}, whose inner sizes differ")
    sizes = (*_broadcast(graph, a.sizes[:-2], b.sizes[:-2]), a.sizes[-2], b.sizes[-1])
    args = {"input": a, "other": b}
    return graph.one("torch.matmul", args, sizes, prod(sizes) * a.sizes[-1])


def _swapped(graph: Graph, value: Value) -> Value:
    rank = len(value.sizes)
    return graph.permuted(value, (*range(rank - 2), rank - 1, rank - 2))


#: What the inputs of a sequence's LSTM are, behind the one that it reads: for each gate, in torch's order.
_LSTM_KERNELS = {"weight_ih_l0": range(1, 5), "weight_hh_l0": range(5, 9), "bias_ih_l0": range(12, 16)}

_TANH = 4


@_says("UNIDIRECTIONAL_SEQUENCE_LSTM")
def _lstm(graph: Graph, operator: Operator) -> Value | None:
    """With gates as torch has them; ``None`` with peepholes, projections, norms, or bounds of its own."""
    x, options = graph.of(operator.inputs[0]), operator.options
    given = {i for i, index in enumerate(operator.inputs) if index >= 0}
    parts = {i for places in _LSTM_KERNELS.values() for i in places}
    states = {18, 19}  # which start from zeros, unless they are computed
    started = any(graph.values.get(operator.inputs[i]) is not None for i in given & states)
    clipped = any(options.get(i, "f", 0.0) for i in (1, 2))
    if given - states != {0, *parts} or started or clipped or options.get(0, "b") != _TANH:
        return None
    if options.get(3, "?", False) or len(x.sizes) != 3:
        return None
    batch, steps, channels = x.sizes
    features = graph.file.tensors[operator.inputs[5]].shape[0]
    shapes = {"weight_ih_l0": (channels,), "weight_hh_l0": (features,), "bias_ih_l0": ()}
    weights: dict[str, Value] = {}
    for name, places in _LSTM_KERNELS.items():
        for i in places:
            tensor = graph.file.tensors[operator.inputs[i]]
            if not tensor.constant or tensor.shape != (features, *shapes[name]):
                return None
        key = f"{graph.call.path}.{name}"
        weights[name] = graph.hold(Value((4 * features, *shapes[name]), tensor.dtype), key)
    args = {
        "input": x,
        "weights": weights,
        "features": features,
        "options": {"bias": "single"},
        "batch_first": True,
    }
    macs = batch * steps * 4 * features * (channels + features)
    state = (1, batch, features)
    made, *_ = graph.many("torch.lstm", args, [(batch, steps, features), state, state], macs)
    return made


def _recurrent(graph: Graph, operator: Operator) -> int:
    """What the matrices of a recurrent layer multiply, at each step of its sequence."""
    x = graph.of(operator.inputs[0]).sizes
    option = _STEPS_FIRST.get(operator.kind)
    # the schema has true where it says nothing of two directions
    if option is not None and operator.options.get(
        option, "?", operator.kind == "BIDIRECTIONAL_SEQUENCE_LSTM"
    ):
        raise graph.wrong("takes its steps before its batch, which is not supported")
    steps = prod(x[1:-1]) if len(x) > 2 else 1
    read = (graph.file.tensors[index] for index in operator.inputs[1:] if index >= 0)
    return BATCH * steps * sum(prod(one.shape) for one in read if one.constant and len(one.shape) == 2)


#: What those cost that are not said, and multiply matrices.
COSTS = dict.fromkeys(
    [*(f"{way}DIRECTIONAL_SEQUENCE_{kind}" for way in ("UNI", "BI") for kind in ("LSTM", "RNN")), "SVDF"],
    _recurrent,
)

#: Which option of a recurrent layer says that its steps come before its batch.
_STEPS_FIRST = {
    "UNIDIRECTIONAL_SEQUENCE_RNN": 0,
    "BIDIRECTIONAL_SEQUENCE_RNN": 0,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 3,
    "BIDIRECTIONAL_SEQUENCE_LSTM": 4,
}

_PRODUCTS = "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL", "WHILE"

#: Operators that multiply no matrices: some without an op here, and all others but these.
FREE = frozenset(
    re.findall(
        r"\w+",
        """
    DEPTH_TO_SPACE SPACE_TO_DEPTH L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION GATHER
    GATHER_ND BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TOPK_V2 ARG_MAX ARG_MIN SELECT SELECT_V2 TILE SHAPE
    REDUCE_PROD PACK ONE_HOT REDUCE_ANY REDUCE_ALL ZEROS_LIKE FILL RANGE UNIQUE WHERE RANK
    REVERSE_SEQUENCE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND CUMSUM BROADCAST_TO
    EMBEDDING_LOOKUP CAST VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS DYNAMIC_UPDATE_SLICE
    SIGN BITCAST DENSIFY
        """,
    )
) | (SAID.keys() - {*_PRODUCTS, *COSTS})
