"""A network on a microcontroller, as TensorFlow Lite for Microcontrollers runs it: operators, RAM and flash.

The converter makes operators of layers (rules in :data:`RULES`); the runtime places what they write in an
arena. What a board needs of memory beside that is said, and never taken for nothing: :data:`BESIDE`.

ResNet-8 of MLPerf Tiny has an arena of 49,152 bytes in int8: three maps of 16x32x32. That, DS-CNN's 16,000,
MobileNet's 73,728 and the autoencoder's 768 are what the runtime prints itself, see ``tests/test_board.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple

from ..errors import did_you_mean, shorten, usage
from ..geometry import Window, same
from ..network import Layer, Network
from .arena import Arena, Interval, end, plan
from .unknown import Unknown

#: Bytes of one value of an activation, by type.
ACTIVATIONS: Mapping[str, int] = {"int8": 1, "int16": 2, "fp16": 2, "float32": 4}

#: Bits of one weight, by type.
WEIGHTS: Mapping[str, int] = {"int8": 8, "int4": 4, "fp16": 16, "float32": 32}

#: Bytes of one value of a bias, by the type of the activations: sums of int8 products are int32, and those of
#: int16 activations int64 (TensorFlow, "Post-training integer quantization with int16 activations").
BIASES: Mapping[str, int] = {"int8": 4, "int16": 8, "fp16": 2, "float32": 4}

#: The most tensors that are planned: the planner's work grows with their square.
MOST = 5_000

#: How operators come of layers, and what lies in the arena; a sentence each.
RULES = (
    "A batch normalization that is the only reader of a convolution or a linear layer is folded into it; any "
    "other is a multiplication and an addition.",
    "relu and relu6 that are the only reader of a convolution, a linear layer, a pooling, add, subtract, "
    "multiply or divide are fused into it, as is flatten after a pooling over the whole map. Dropout, and "
    "ops that only put the channels first or last, become no operator.",
    'Padding that is neither none nor TensorFlow\'s "same" is an operator of its own, which copies the map.',
    "No operator works in place; flatten and reshape copy. Each tensor is rounded up to 16 bytes.",
    "Scratch memory is that of the runtime's reference kernels; CMSIS-NN and others need more.",
    "A convolution has a scale per channel, anything else has one; convolutions and linear layers have a "
    "bias.",
)

#: What a board needs beside what is counted.
BESIDE = (
    "Also in RAM, of unknown size: the interpreter's records of tensors and operators (its tail), the stack, "
    "and the program's own data.",
    "Also in flash, of unknown size: the names and records of the model file, and the program.",
)


class Operator(NamedTuple):
    """An operator of the runtime, and the layers that it is made of."""

    name: str
    layers: tuple[Layer, ...]
    #: What it reads and writes, as places in the list of tensors; scratch memory last.
    reads: tuple[int, ...]
    writes: tuple[int, ...]


class Constant(NamedTuple):
    """Values in flash that belong to a layer."""

    layer: str
    #: ``weights``, ``biases`` or ``scales``.
    what: str
    values: int
    bytes: int


@dataclass(frozen=True, eq=False)
class Deployment:
    """What a network takes of a board."""

    network: Network
    weights: str
    activations: str
    operators: tuple[Operator, ...]
    tensors: tuple[Interval, ...]
    #: Why the tensors have no plan; empty where they have one.
    unplanned: str
    constants: tuple[Constant, ...]
    #: Why what lies in flash is not known as a whole; empty where it is.
    more: str

    @cached_property
    def arena(self) -> Arena | Unknown:
        """The plan of the tensors; or why there is none."""
        return Unknown(self.unplanned) if self.unplanned else plan(self.tensors)

    @property
    def sram(self) -> int | Unknown:
        """The bytes of that plan, be they of many configurations at once."""
        return Unknown(self.unplanned) if self.unplanned else end(self.tensors)

    def flash(self, what: str = "") -> int:
        """Bytes of weights, biases and scales, or of one of them."""
        return sum(one.bytes for one in self.constants if what in ("", one.what))


#: Layers that become one operator, by what that is called.
_OPERATORS: Mapping[str, str] = {
    "linear": "FULLY_CONNECTED",
    "max_pool": "MAX_POOL_2D",
    "avg_pool": "AVERAGE_POOL_2D",
    "global_avg_pool": "MEAN",
    "mean": "MEAN",
    "global_max_pool": "REDUCE_MAX",
    "flatten": "RESHAPE",
    "reshape": "RESHAPE",
    "pad": "PAD",
    "relu": "RELU",
    "relu6": "RELU6",
    "sigmoid": "LOGISTIC",
    "tanh": "TANH",
    "hard_swish": "HARD_SWISH",
    "leaky_relu": "LEAKY_RELU",
    "prelu": "PRELU",
    "elu": "ELU",
    "softmax": "SOFTMAX",
    "log_softmax": "LOG_SOFTMAX",
    "add": "ADD",
    "subtract": "SUB",
    "multiply": "MUL",
    "divide": "DIV",
    "maximum": "MAXIMUM",
    "minimum": "MINIMUM",
    "concat": "CONCATENATION",
    "layer_scale": "MUL",
    "slice": "STRIDED_SLICE",
    "crop": "STRIDED_SLICE",
}

#: The operators that an activation becomes part of.
_FUSES = {
    *("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "AVERAGE_POOL_2D"),
    *("ADD", "SUB", "MUL", "DIV"),
}
_FUSED = ("relu", "relu6")
_FOLDS = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"}
#: Layers that are nothing there: maps have their channels last, whatever a spec says.
_NOTHING = ("dropout", "spatial_dropout", "stochastic_depth", "identity", "channels_last", "channels_first")
#: The operators that give one value a channel, and with it their output flat where that is asked.
_GLOBAL = ("MEAN", "REDUCE_MAX")
#: The merges that take two tensors at a time.
_PAIRS = ("add", "subtract", "multiply", "divide", "maximum", "minimum")


def deploy(network: Network, *, weights: str = "int8", activations: str = "int8") -> Deployment:
    """What a network takes of a board's memory.

    Args:
        network: with two spatial axes at most, of layers that are known to be one operator each.
        weights: a type of :data:`WEIGHTS`.
        activations: a type of :data:`ACTIVATIONS`.

    Raises:
        UsageError: there is no such type.

    >>> import archlens
    >>> found = deploy(archlens.load("lenet5"))
    >>> found.arena.bytes, found.flash("weights"), found.flash("biases")
    (9408, 61470, 944)
    """
    for name, known in ((weights, WEIGHTS), (activations, ACTIVATIONS)):
        if name not in known:
            raise usage(f"there is no {shorten(name)}", help=did_you_mean(name, known))
    return _Laying(network, weights, activations).done()


#: In the place of a tensor, what lies in flash and not in the arena.
_CONSTANT = -1


class _Cannot(Exception):
    """Why it is not known what a runtime makes of a layer."""


class _Open:
    """An operator that may still take in layers."""

    def __init__(self, name: str, layer: Layer, reads: Sequence[int], writes: int) -> None:
        self.name = name
        self.layers = [layer]
        self.reads = tuple(reads)
        self.writes = writes
        self.scratch: list[int] = []
        self.active = False


class _Laying:
    """Operators and tensors while they are made."""

    def __init__(self, network: Network, weights: str, activations: str) -> None:
        self.network = network
        self.types = weights, activations
        self.width = ACTIVATIONS[activations]
        self.operators: list[_Open] = []
        #: Names and bytes of tensors, and the operator that makes each; -1 for inputs.
        self.tensors: list[tuple[str, int, int]] = []
        #: The tensor that each layer's output is in.
        self.at: dict[str, int] = {}
        #: The operator that makes a tensor which may still change what it computes.
        self.maker: dict[int, _Open] = {}
        self.constants: list[Constant] = []
        self.more = ""
        self.layers = [layer for layer in network.layers if not layer.training]
        self.readers: dict[str, int] = {}
        for layer in self.layers:
            for name in layer.inputs:
                self.readers[name] = self.readers.get(name, 0) + 1
        made = {layer.name for layer in self.layers}
        self.outputs = [name for name in network.outputs.values() if name in made or name in network.inputs]
        for name in self.outputs:
            self.readers[name] = self.readers.get(name, 0) + 1

    def done(self) -> Deployment:
        """All of it."""
        why = ""
        for name, shape in self.network.inputs.items():
            self.at[name] = self.tensor(name, shape.numel * self.width, -1)
        try:
            for layer in self.layers:
                self.lay(layer)
        except _Cannot as problem:
            why = str(problem)
            # what lies in flash is known of the layers before it alone
            self.more = self.more or why
        if not why and len(self.tensors) > MOST:
            why = f"more than {MOST:,} tensors are not planned"
        tensors = self.intervals() if not why else ()
        return Deployment(
            self.network,
            *self.types,
            tuple(Operator(o.name, tuple(o.layers), o.reads, (o.writes, *o.scratch)) for o in self.operators),
            tensors,
            why,
            tuple(self.constants),
            self.more,
        )

    def intervals(self) -> tuple[Interval, ...]:
        """The tensors with the steps at which they are alive; inputs are there from step 0 on."""
        last = [max(made + 1, 0) for _, _, made in self.tensors]
        for step, operator in enumerate(self.operators, 1):
            for tensor in operator.reads:
                last[tensor] = max(last[tensor], step)
        for name in self.outputs:
            last[self.at[name]] = len(self.operators)
        return tuple(
            Interval(name, size, made + 1, end)
            for (name, size, made), end in zip(self.tensors, last, strict=True)
        )

    def tensor(self, name: str, size: int, made: int) -> int:
        self.tensors.append((name, size, made))
        return len(self.tensors) - 1

    def operator(self, name: str, layer: Layer, reads: Sequence[int], values: int) -> _Open:
        """An operator that writes so many values."""
        written = self.tensor(layer.name, values * self.width, len(self.operators))
        made = _Open(name, layer, [tensor for tensor in reads if tensor != _CONSTANT], written)
        self.operators.append(made)
        self.maker[written] = made
        return made

    def scratch(self, made: _Open, size: int) -> None:
        """Memory that an operator has while it runs."""
        made.scratch.append(self.tensor(f"{made.layers[0].name} (scratch)", size, len(self.operators) - 1))

    # --- layers -----------------------------------------------------------------------------------

    def lay(self, layer: Layer) -> None:
        """Make operators of a layer, or a part of the one before it.

        Raises:
            _Cannot: nobody knows what a runtime makes of it.
        """
        kind = layer.op.kind
        if kind == "parameter":  # lies in flash
            self.at[layer.name] = _CONSTANT
            self.constant(layer, "weights", int(layer.params), WEIGHTS[self.types[0]])
            self.scales(layer, 1)
            return
        if kind in _NOTHING:
            tensor = self.at[layer.name] = self.at[layer.inputs[0]]
            if self.readers.get(layer.inputs[0]) != 1:
                self.maker.pop(tensor, None)  # others read it as it is
            return
        into = self.alone(layer)
        if kind == "batch_norm" and into is not None and into.name in _FOLDS and not into.active:
            self.take(into, layer)
        elif kind in _FUSED and into is not None and into.name in _FUSES and not into.active:
            self.take(into, layer)
            into.active = True
        elif kind == "flatten" and into is not None and into.name in _GLOBAL:
            self.take(into, layer)
        elif kind in ("batch_norm", "frozen_batch_norm"):
            self.scale(layer)
        elif kind in ("conv", "conv_transpose"):
            self.convolution(layer)
        elif kind in _PAIRS:
            self.pairs(layer)
        elif kind == "upsample":
            self.resize(layer)
        elif kind == "silu":
            self.gated_by_itself(layer)
        elif kind == "hard_sigmoid":
            self.hard_sigmoid(layer, into)
        elif kind in _OPERATORS or is_global(layer):
            self.single(layer)
        else:
            raise _Cannot(f"it is not known what a runtime makes of {layer.op.kind} at {shorten(layer.name)}")

    def alone(self, layer: Layer) -> _Open | None:
        """The operator whose output this layer reads, where nothing else does."""
        if len(layer.inputs) != 1 or self.readers.get(layer.inputs[0]) != 1:
            return None
        return self.maker.get(self.at[layer.inputs[0]])

    def take(self, into: _Open, layer: Layer) -> None:
        into.layers.append(layer)
        self.at[layer.name] = into.writes

    def scale(self, layer: Layer) -> None:
        """A normalization by known numbers that nothing takes in."""
        (x,) = layer.input_shapes
        product = self.operator("MUL", layer, [self.at[layer.inputs[0]]], x.numel)
        added = self.operator("ADD", layer, [product.writes], x.numel)
        for _ in range(2):
            self.constant(layer, "weights", x.channels, WEIGHTS[self.types[0]])
        self.scales(layer, 2)
        self.at[layer.name] = added.writes

    def convolution(self, layer: Layer) -> None:
        """A convolution, behind what pads its input where it cannot do that itself."""
        (x,) = layer.input_shapes
        if len(x.spatial) != 2:
            raise _Cannot(
                f"{shorten(layer.name)} is a convolution over {len(x.spatial)} axes, and only 2 are supported"
            )
        read = self.at[layer.inputs[0]]
        groups = getattr(layer.op, "groups", 1)
        if layer.op.kind == "conv_transpose":
            name = "TRANSPOSE_CONV"
            if groups != 1:
                raise _Cannot(f"{shorten(layer.name)} is a transposed convolution with groups")
        else:
            read = self.padded(layer, read)
            name = "DEPTHWISE_CONV_2D" if groups == x.channels > 1 else "CONV_2D"
        made = self.operator(name, layer, [read], layer.shape.numel)
        if name == "TRANSPOSE_CONV" and self.types[1] in ("int8", "int16"):
            self.scratch(made, layer.shape.numel * (4 if self.types[1] == "int8" else 8))
        self.weigh(layer, layer.shape.channels, layer.shape.channels)
        self.at[layer.name] = made.writes

    def padded(self, layer: Layer, read: int) -> int:
        """What a window slides over: what is read, or a padded copy of that."""
        (x,) = layer.input_shapes
        windows = layer.windows
        # what rounds up looks at positions behind the end, as what pads there
        sides = [(w.before, w.after + _beyond(n, w)) for n, w in zip(x.spatial, windows, strict=True)]
        if all(side == (0, 0) for side in sides) or sides == _same(x.spatial, windows):
            return read
        if any(n < 0 for side in sides for n in side):
            raise _Cannot(f"{shorten(layer.name)} crops its input")
        if layer.op.kind == "avg_pool":
            raise _Cannot(f"{shorten(layer.name)} pads differently from TensorFlow's pooling")
        padded = [n + before + after for n, (before, after) in zip(x.spatial, sides, strict=True)]
        made = self.operator("PAD", layer, [read], x.channels * prod(padded))
        return made.writes

    def pairs(self, layer: Layer) -> None:
        """A merge, two tensors at a time."""
        first, *others = [self.at[name] for name in layer.inputs]
        for other in others:
            made = self.operator(_OPERATORS[layer.op.kind], layer, [first, other], layer.shape.numel)
            first = made.writes
        self.at[layer.name] = first

    def gated_by_itself(self, layer: Layer) -> None:
        """``x * sigmoid(x)``."""
        read = self.at[layer.inputs[0]]
        gate = self.operator("LOGISTIC", layer, [read], layer.shape.numel)
        self.at[layer.name] = self.operator("MUL", layer, [read, gate.writes], layer.shape.numel).writes

    def hard_sigmoid(self, layer: Layer, into: _Open | None) -> None:
        """``relu6(x + 3) / 6``: a convolution takes in the sum, as its bias, and relu6."""
        if into is not None and into.name in _FOLDS & _FUSES and not into.active:
            self.take(into, layer)
            into.active = True
        else:
            read = self.at[layer.inputs[0]]
            self.at[layer.name] = self.operator("ADD", layer, [read], layer.shape.numel).writes
        made = self.operator("MUL", layer, [self.at[layer.name]], layer.shape.numel)
        self.at[layer.name] = made.writes

    def resize(self, layer: Layer) -> None:
        """A map that is made larger."""
        names = {"nearest": "RESIZE_NEAREST_NEIGHBOR", "bilinear": "RESIZE_BILINEAR"}
        name = names.get(getattr(layer.op, "mode", ""))
        if name is None or len(layer.shape.spatial) != 2:
            raise _Cannot(f"{shorten(layer.name)} resizes unlike any operator of TensorFlow Lite")
        self.at[layer.name] = self.operator(name, layer, [self.at[layer.inputs[0]]], layer.shape.numel).writes

    def single(self, layer: Layer) -> None:
        """A layer that is one operator."""
        kind = layer.op.kind
        called = (
            "MEAN" if kind == "adaptive_avg_pool" else "REDUCE_MAX" if is_global(layer) else _OPERATORS[kind]
        )
        reads = [self.at[name] for name in layer.inputs]
        if kind in ("max_pool", "avg_pool"):
            if len(layer.input_shapes[0].spatial) != 2:
                raise _Cannot(f"{shorten(layer.name)} pools over a number of axes other than 2")
            reads = [self.padded(layer, reads[0])]
        made = self.operator(called, layer, reads, layer.shape.numel)
        if called in _GLOBAL:
            axes = len(layer.input_shapes[0].spatial)
            # reduce_common.cc: sums, a place in the input of four axes, and the axes that are reduced
            if called == "MEAN" and self.types[1] in ("int8", "int16"):
                self.scratch(made, 4 * layer.shape.numel)
            self.scratch(made, 4 * 4)
            self.scratch(made, 4 * axes)
        if kind == "linear":
            self.weigh(layer, layer.shape.channels, 1)
        elif layer.params:
            self.constant(layer, "weights", int(layer.params), WEIGHTS[self.types[0]])
            self.scales(layer, 1)
        self.at[layer.name] = made.writes

    # --- flash ------------------------------------------------------------------------------------

    def weigh(self, layer: Layer, outputs: int, scales: int) -> None:
        """The weights of a product, scales, and a bias, which is written even where there is none."""
        size = sum(prod(shape) for name, shape in layer.facts.weights.items() if name != "bias")
        if not size:
            return  # those of another layer
        self.constant(layer, "weights", size, WEIGHTS[self.types[0]])
        self.constant(layer, "biases", outputs, 8 * BIASES[self.types[1]])
        self.scales(layer, scales)

    def scales(self, layer: Layer, count: int) -> None:
        """One float32 for each part of the weights that has a scale of its own."""
        if self.types[0] in ("int8", "int4"):
            self.constant(layer, "scales", count, 32)

    def constant(self, layer: Layer, what: str, values: int, bits: int) -> None:
        self.constants.append(Constant(layer.name, what, values, -(-values * bits // 8)))


def is_global(layer: Layer) -> bool:
    """Whether a pooling gives one value a channel, whatever its input is."""
    return layer.op.kind in ("adaptive_avg_pool", "adaptive_max_pool") and set(layer.shape.spatial) == {1}


def _beyond(size: int, window: Window) -> int:
    """The positions behind the padded end that a window looks at since its output is rounded up."""
    last = (window.output(size) - 1) * window.stride + window.extent
    return max(last - size - window.before - window.after, 0) if window.ceil else 0


def _same(sizes: Sequence[int], windows: Sequence[Window]) -> list[tuple[int, int]]:
    return [same(n, w.kernel, w.stride, w.dilation) for n, w in zip(sizes, windows, strict=True)]
