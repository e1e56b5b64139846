"""The layers of a cfg file, placed one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod
from typing import Any, BinaryIO
from warnings import warn

from ...elaboration.building import Builder
from ...elaboration.values import Tensor
from ...errors import Caution, Diagnostic, Source, Span, did_you_mean, error, shorten
from ...geometry import Window
from ...network import Network, Origin
from ...ops import OPS, Op
from ...ops.convolution import Conv
from ...ops.op import Buffer, ShapeError
from ...ops.opaque import Opaque
from ...shape import Shape, times
from ..format import Model, text_of
from .cfg import Section, sections
from .kinds import ANY, INPUTS, OPTIONS

#: The largest file that is read; that of YOLOv7-X has 0.03 MB.
_MOST = 8 * 10**6

#: How many options that mean nothing are warned of.
_WARNINGS = 10

#: What the input is called.
_INPUT = "input"

#: Activations that are ops.
_ACTIVATIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "logistic": ("sigmoid", {}),
    "relu": ("relu", {}),
    "relu6": ("relu6", {}),
    "elu": ("elu", {}),
    "selu": ("selu", {}),
    "gelu": ("gelu", {"approximate": "tanh"}),
    "relie": ("leaky_relu", {"slope": 0.01}),
    "leaky": ("leaky_relu", {"slope": 0.1}),
    "tanh": ("tanh", {}),
    "hardtan": ("hard_tanh", {}),
    "swish": ("silu", {}),
    "mish": ("mish", {}),
}

#: Activations that are none, each of values at one position.
_POINTWISE = (
    *("loggy", "ramp", "plse", "lhtan", "stair", "hard_mish", "revleaky"),
    *("normalize_channels", "normalize_channels_softmax", "normalize_channels_softmax_maxval"),
)


class Darknet(Model):
    """A network that a cfg file lists."""

    def __init__(self, sections: list[Section]) -> None:
        self.net, *self.layers = sections

    @property
    def inputs(self) -> Mapping[str, Shape | None]:
        sides = [self.net.integer(key, 0, least=0) for key in ("channels", "height", "width")]
        if all(sides):
            return {_INPUT: Shape(sides)}
        values = self.net.integer("inputs", 0, least=0)
        return {_INPUT: Shape((values,)) if values else None}

    def open(self, name: str) -> str:
        return "channels x height x width of [net]"

    def network(
        self, name: str, shapes: Mapping[str, Shape], values: Mapping[str, Any], variant: str, origin: Origin
    ) -> Network:
        return _Layout(Builder(name, shapes, origin=origin), self.layers).network()


class _Layout:
    """Places the layers of a file one after the other; a method for each kind of section."""

    def __init__(self, net: Builder, sections: list[Section]) -> None:
        self.net = net
        self.sections = sections
        #: What is flowing: what the section before gives.
        self.x = net.x
        #: What each section gives.
        self.outputs: list[Tensor] = []
        #: The section that is placed.
        self.section = Section("net", Span(Source("", ""), 1, 1))
        self.heads: dict[str, Tensor] = {}

    def network(self) -> Network:
        for section in self.sections:
            self.section = section
            with self.net.scope(str(section.number), block=section.kind):
                self.x = getattr(self, section.kind.lower())()
            self.outputs.append(self.x)
        last = f"{self.section.kind}_{self.section.number}"
        self.heads.pop(last, None)
        return self.net.network(self.x, **self.heads)

    # --- what the sections share ----------------------------------------------------------------------

    def place(self, name: str, op: Op, *inputs: Tensor, keys: Mapping[str, str] | None = None) -> Tensor:
        return self.net.place(
            op, *(inputs or (self.x,)), name=name, where=self.section.where, keys=keys or {}
        )

    def op(self, kind: str, *inputs: Tensor, name: str = "", **given: Any) -> Tensor:
        """Place an op by its name, on what is flowing unless other tensors are given."""
        self.x = self.place(name or kind, OPS[kind](**given), *inputs)
        return self.x

    def opaque(self, name: str, shape: Shape, *inputs: Tensor, reason: str = "", **known: Any) -> Tensor:
        """Place what has no op here."""
        read = inputs or (self.x,)
        op = Opaque(f"darknet.{name}", shape, tuple([one.shape for one in read]), reason=reason, **known)
        self.x = self.place(name, op, *read)
        return self.x

    def map(self) -> Tensor:
        """What is flowing, as a map; vectors that layers give are maps of one position."""
        x = self.x
        if len(x.shape) == 1:
            if x.name == _INPUT:
                raise self.section.error(
                    f"it reads a map, and the input is a vector of {x.shape}",
                    help="channels=, height= and width= of [net] in the place of inputs=",
                )
            self.op("reshape", shape=(x.shape[0], 1, 1))
        return self.x

    def vector(self) -> Tensor:
        """What is flowing, as a vector."""
        return self.op("flatten") if len(self.x.shape) > 1 else self.x

    def activate(self, default: str, key: str = "activation") -> Tensor:
        """The activation that a section ends with."""
        return self.activated(self.section.text(key, default), key)

    def activated(self, word: str, key: str) -> Tensor:
        if word == "linear":
            return self.x
        if word in _POINTWISE:
            return self.opaque(word, self.x.shape, pointwise=True, macs=0)
        if word not in _ACTIVATIONS:
            raise self.section.error(
                f"there is no activation {shorten(word) or 'without a name'}",
                key,
                help=did_you_mean(word, [*_ACTIVATIONS, *_POINTWISE, "linear"]),
            )
        kind, given = _ACTIVATIONS[word]
        return self.op(kind, name="activation", **given)

    def referred(self, key: str) -> list[Tensor]:
        """What the layers give that an option names: by their numbers, or counted back from here."""
        section = self.section
        numbers = section.integers(key)
        if not numbers:
            raise section.error(f"{key} names no layer", key, help=f"as in {key}=-1, the layer before")
        found = []
        for number in numbers:
            index = number if number >= 0 else section.number + number
            if not 0 <= index < section.number:
                here = f"this is layer {section.number}"
                said = f"{section.number} {number:+} = {index}" if number < 0 else str(number)
                raise section.error(
                    f"{key} names layer {said}, and {here}",
                    key,
                    help=f"layers before it are 0 to {section.number - 1}, or -1 to -{section.number}"
                    if section.number
                    else "no layer comes before it",
                )
            found.append(self.outputs[index])
        return found

    def window(self, size: int) -> tuple[tuple[int, int], int, int]:
        """Steps along height and width, the padding, and the distance of taps."""
        section = self.section
        step = section.integer("stride", 1, least=1)
        x, y = section.integer("stride_x", step), section.integer("stride_y", step)
        dilation = section.integer("dilation", 1, least=1) if size > 1 else 1
        padding = section.integer("padding", 0, least=0)
        if section.integer("pad", 0):
            padding = size // 2
        return (y if y > 0 else step, x if x > 0 else step), padding * dilation, dilation

    def normalize(self, batch_norm: bool) -> None:
        if batch_norm:
            self.op("batch_norm", name="bn")

    @property
    def normalizes(self) -> bool:
        """Whether a section normalizes over the batch, and has no bias beside it."""
        return any(self.section.integer(key, 0) for key in ("batch_normalize", "cbn"))

    # --- the sections -----------------------------------------------------------------------------

    def convolutional(self) -> Tensor:
        section, x = self.section, self.map()
        size = section.integer("size", 1, least=1)
        stride, padding, dilation = self.window(size)
        blur = section.integer("antialiasing", 0)
        conv = Conv(
            channels=section.integer("filters", 1, least=1),
            kernel=size,
            stride=1 if blur else stride if stride[0] != stride[1] else stride[0],
            padding=padding,
            dilation=dilation,
            groups=section.integer("groups", 1, least=1),
            bias=not self.normalizes,
        )
        shared = self.shared(conv)
        keys = {one: f"{shared}.conv.{one}" for one in ("weight", "bias")} if shared else None
        self.x = self.place("conv", conv, x, keys=keys)
        if self.normalizes:
            said = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            keys = {one: f"{shared}.bn.{one}" for one in said} if shared else None
            self.x = self.place("bn", OPS["batch_norm"](), keys=keys)
        self.activate("logistic")
        if blur:
            self.blur(2 if blur == 2 else 3, stride)
        return self.x

    def shared(self, conv: Conv) -> str:
        """The number of the layer whose weights a convolution has; empty where it has its own."""
        section = self.section
        if "share_index" not in section.options:
            return ""
        self.referred("share_index")
        index = section.integer("share_index", 0)
        index = index if index >= 0 else section.number + index
        other = next((one.op for one in self.net.layers if one.name == f"{index}.conv"), None)
        same = isinstance(other, Conv) and (other.channels, other.kernel, other.groups, other.bias) == (
            conv.channels,
            conv.kernel,
            conv.groups,
            conv.bias,
        )
        if not same:
            raise section.error(
                f"it shares the weights of layer {index}, {other or 'no convolution'}, and is {conv}",
                "share_index",
            )
        return str(index)

    def blur(self, size: int, stride: tuple[int, int]) -> None:
        """The fixed blur before positions are left out, which darknet does with strides of its own."""
        count = self.x.shape.channels
        base = Conv(
            channels=count,
            kernel=size,
            stride=stride,
            padding=1 if size == 3 else 0,
            groups=count,
            bias=False,
        )
        facts = base.facts(self.x.shape)
        weights = {"weight": Buffer((count, 1, size, size))}
        self.opaque("blur", facts.shape, base=base, macs=facts.macs, buffers=weights)

    def deconvolutional(self) -> Tensor:
        section = self.section
        self.map()
        size = section.integer("size", 1, least=1)
        stride, padding, _ = self.window(size)
        self.op(
            "conv_transpose",
            name="conv_transpose",
            channels=section.integer("filters", 1, least=1),
            kernel=size,
            stride=stride[0],
            padding=padding,
            bias=not self.normalizes,
        )
        self.normalize(self.normalizes)
        return self.activate("logistic")

    def local(self) -> Tensor:
        """A convolution with other weights at each position."""
        section, x = self.section, self.map().shape
        n, size = (section.integer(key, 1, least=1) for key in ("filters", "size"))
        stride, pad = section.integer("stride", 1, least=1), section.integer("pad", 0)
        sides = [Window(1 if pad else size, stride).output(side) for side in x.spatial]
        if min(x.spatial) < size and not pad:
            raise section.error(f"its window of {size} is larger than {times(x.spatial)}", "size")
        count = prod(sides) * size * size * x.channels * n
        shape = Shape((n, *sides))
        self.opaque(
            "local",
            shape,
            weights={"weights": (*sides, n, x.channels, size, size), "biases": tuple(shape)},
            macs=count,
            reason="each position has weights of its own",
        )
        return self.activate("logistic")

    def connected(self) -> Tensor:
        self.vector()
        self.op("linear", features=self.section.integer("output", 1, least=1), bias=not self.normalizes)
        self.normalize(self.normalizes)
        return self.activate("logistic")

    def maxpool(self) -> Tensor:
        section = self.section
        if section.integer("maxpool_depth", 0):
            x = self.map().shape
            shape = x.with_channels(section.integer("out_channels", 1, least=1))
            return self.opaque("maxpool_depth", shape, pointwise=True, macs=0)
        blur = section.integer("antialiasing", 0)
        stride = self.pool("max_pool", 1 if blur else 0)
        if blur:
            self.blur(2 if blur == 2 else 3, stride)
        return self.x

    def local_avgpool(self) -> Tensor:
        self.pool("avg_pool", 0, count_include_pad=False)
        return self.x

    def pool(self, kind: str, step: int, **given: Any) -> tuple[int, int]:
        """Place pooling, by ``step`` if that is not 0; the strides that the section has."""
        section = self.section
        self.map()
        one = section.integer("stride", 1, least=1)
        size = section.integer("size", one, least=1)
        stride, _, _ = self.window(size)
        total = section.integer("padding", size - 1, least=0)
        steps = (step, step) if step else stride
        padding: Any = ((total // 2, total - total // 2),) * 2
        if total == size - 1 and (size <= 2 or steps == (1, 1)):
            padding = "same"  # which are the same windows, for any size of the input
        elif total % 2 == 0:
            padding = total // 2
        self.op(
            kind, kernel=size, stride=steps if steps[0] != steps[1] else steps[0], padding=padding, **given
        )
        return stride

    def avgpool(self) -> Tensor:
        self.map()
        return self.op("global_avg_pool")

    def route(self) -> Tensor:
        section = self.section
        tensors = self.referred("layers")
        groups, part = section.integer("groups", 1, least=1), section.integer("group_id", 0, least=0)
        if part >= groups:
            raise section.error(f"group_id is below groups={groups}, not {part}", "group_id")
        for i, tensor in enumerate(tensors if groups > 1 else ()):
            channels = tensor.shape.channels
            if channels % groups:
                raise section.error(f"groups={groups} does not divide the {channels} channels", "groups")
            share = channels // groups
            name = f"slice_{i}" if i else "slice"
            tensors[i] = self.op("slice", tensor, name=name, start=part * share, stop=(part + 1) * share)
        return self.op("concat", *tensors) if len(tensors) > 1 else tensors[0]

    def shortcut(self) -> Tensor:
        section, x = self.section, self.map()
        others = [self.fitted(tensor, i, x.shape) for i, tensor in enumerate(self.referred("from"))]
        weights = section.text("weights_type", "none")
        if weights not in ("none", "per_feature", "per_layer", "per_channel"):
            raise section.error(
                f"weights_type is none, per_feature or per_channel, not {shorten(weights)}", "weights_type"
            )
        terms = [x, *others]
        for i, key in enumerate(("alpha", "beta")):
            factor = section.number_of(key, 1.0)
            for k in range(i, len(terms) if i else 1) if factor != 1 else ():
                terms[k] = self.op("scale", terms[k], name=f"{key}_{k}", factor=factor)
        if weights == "none":
            self.op("add", *terms)
        else:
            each = (len(terms), x.shape.channels) if weights == "per_channel" else (len(terms),)
            self.opaque("weighted_add", x.shape, *terms, weights={"weights": each}, pointwise=True, macs=0)
        return self.activate("linear")

    def fitted(self, tensor: Tensor, index: int, shape: Shape) -> Tensor:
        """What a shortcut adds of another layer: the channels that both have, at every so many positions."""
        name = f"_{index}" if index else ""
        there = tensor.shape
        if len(there) == 3 and there.spatial != shape.spatial:
            step = there[1] // shape[1]
            if (
                step < 1
                or (step, step) != (there[2] // shape[2], -(-there[1] // shape[1]))
                or there[2] % shape[2]
            ):
                raise self.section.error(
                    f"it adds {there} to {shape}, but darknet can only add a map of the same size, or of a "
                    "multiple of it along both sides",
                    "from",
                )
            for axis in ("height", "width"):
                tensor = self.op("slice", tensor, name=f"{axis}{name}", step=step, axis=axis)
        more = shape.channels - there.channels
        if more > 0:
            tensor = self.op("pad", tensor, name=f"pad{name}", channels=(0, more))
        elif more < 0:
            tensor = self.op("slice", tensor, name=f"slice{name}", start=0, stop=shape.channels)
        return tensor

    def scale_channels(self) -> Tensor:
        """What flows has a factor for each channel of another layer, or with scale_wh for each position."""
        scale, (whole,) = self.map().shape, self.referred("from")[:1]
        wide = bool(self.section.integer("scale_wh", 0))
        fits = Shape((1, *whole.shape.spatial)) if wide else Shape((whole.shape.channels, 1, 1))
        if tuple(scale) != tuple(fits):
            what = "position" if wide else "channel"
            raise self.section.error(
                f"it scales each {what} of {whole.shape} by {fits}, and reads {scale}", "from"
            )
        self.op("multiply", whole, self.x)
        return self.activate("linear")

    def sam(self) -> Tensor:
        x, (other,) = self.map(), self.referred("from")[:1]
        if x.shape != other.shape:
            raise self.section.error(
                f"it multiplies two maps of one shape, not {x.shape} and {other.shape}", "from"
            )
        self.op("multiply", other, x)
        return self.activate("linear")

    def upsample(self) -> Tensor:
        section, x = self.section, self.map().shape
        stride = section.integer("stride", 2)
        if not stride:
            raise section.error("stride is at least 1, and not 0", "stride")
        if stride < 0:
            shape = Shape((x.channels, *(side // -stride for side in x.spatial)))
            self.require(shape, f"{times(x.spatial)} divided by {-stride}")
            self.opaque("downsample", shape, macs=0, reason="each position is the sum of several")
        else:
            self.op("upsample", scale=stride)
        factor = section.number_of("scale", 1.0)
        return self.op("scale", factor=factor) if factor != 1 else self.x

    def reorg(self) -> Tensor:
        """Positions become channels, in darknet's own order."""
        section, x = self.section, self.map().shape
        stride = section.integer("stride", 1, least=1)
        square = stride * stride
        reason = "darknet's order of positions and channels is its own"
        if section.integer("flatten", 0):
            return self.opaque("reorg", x, macs=0, reason=reason)
        if extra := section.integer("extra", 0, least=0):
            return self.opaque("reorg", Shape((x.numel + extra,)), macs=0, reason=reason)
        if section.integer("reverse", 0):
            shape = Shape((x.channels // square, *(side * stride for side in x.spatial)))
        else:
            shape = Shape((x.channels * square, *(side // stride for side in x.spatial)))
        if not shape.numel == x.numel:
            raise section.error(f"a stride of {stride} does not divide {x}", "stride")
        return self.opaque(
            section.kind, shape, macs=0, reason="darknet's order of positions and channels is its own"
        )

    reorg3d = reorg

    def require(self, shape: Shape, what: str) -> None:
        if min(shape) < 1:
            raise self.section.error(f"nothing is left: {what}")

    def crop(self) -> Tensor:
        self.map()
        return self.op(
            "crop", size=tuple(self.section.integer(f"crop_{one}", 1, least=1) for one in ("height", "width"))
        )

    def dropout(self) -> Tensor:
        return self.op("dropout", p=self.section.number_of("probability", 0.2))

    def normalization(self) -> Tensor:
        section = self.section
        self.map()
        size = section.integer("size", 5, least=1)
        alpha, beta, kappa = (
            section.number_of(*one) for one in (("alpha", 1e-4), ("beta", 0.75), ("kappa", 1.0))
        )
        # which darknet does not divide by the size
        return self.op("local_response_norm", size=size, alpha=alpha * size, beta=beta, k=kappa)

    def batchnorm(self) -> Tensor:
        return self.op("batch_norm")

    def activation(self) -> Tensor:
        return self.activate("linear")

    def logistic(self) -> Tensor:
        return self.op("sigmoid")

    def l2norm(self) -> Tensor:
        return self.opaque("l2norm", self.x.shape, pointwise=True, macs=0)

    def softmax(self) -> Tensor:
        section, x = self.section, self.x.shape
        if section.integer("groups", 1) > 1 or "tree" in section.options:
            return self.opaque("softmax", x, macs=0, reason="it is taken over groups of the values")
        if prod(x.spatial) > 1 and not section.number_of("spatial", 0):
            self.vector()
        return self.op("softmax")

    def implicit(self) -> Tensor:
        """Values that are learned, whatever flows."""
        section = self.section
        sizes = (section.integer("filters", 128, least=1), section.integer("atoms", 1, least=1))
        return self.opaque(
            "implicit", Shape((*sizes, 1)), weights={"weights": sizes}, macs=0, reason="it reads no values"
        )

    # --- recurrent ones, of which one step is laid out ----------------------------------------------

    def recurrent(self, layers: Mapping[str, tuple[int, int]], output: int) -> Tensor:
        """Connected layers by name, each with what it reads and gives."""
        x = self.vector()
        tensors: dict[str, tuple[int, ...]] = {}
        buffers: dict[str, Buffer] = {}
        for name, (read, given) in layers.items():
            self.parts(tensors, buffers, name, (given, read))
        macs = sum(read * given for read, given in layers.values())
        reason = "it goes on from the step before"
        return self.opaque(
            self.section.kind, Shape((output,)), x, weights=tensors, buffers=buffers, macs=macs, reason=reason
        )

    def parts(
        self, weights: dict[str, Any], buffers: dict[str, Any], name: str, shape: tuple[int, ...]
    ) -> None:
        """The tensors of one of several layers that work together."""
        weights |= {f"{name}.weights": shape, f"{name}.biases": shape[:1]}
        if self.normalizes:
            weights[f"{name}.scales"] = shape[:1]
            buffers |= {f"{name}.rolling_{one}": Buffer(shape[:1]) for one in ("mean", "variance")}

    def rnn(self) -> Tensor:
        section, n = self.section, self.vector().shape[0]
        output = section.integer("output", 1, least=1)
        hidden = section.integer("hidden", output, least=1)
        layers = {"input": (n, hidden), "self": (hidden, hidden), "output": (hidden, output)}
        return self.recurrent(layers, output)

    def gated(self, gates: str) -> Tensor:
        n, output = self.vector().shape[0], self.section.integer("output", 1, least=1)
        layers = {f"u{gate}": (n, output) for gate in gates} | {
            f"w{gate}": (output, output) for gate in gates
        }
        return self.recurrent(layers, output)

    def gru(self) -> Tensor:
        return self.gated("zrh")

    def lstm(self) -> Tensor:
        return self.gated("figo")

    def convolutions(self, layers: Mapping[str, tuple[int, int]], output: int) -> Tensor:
        """Convolutions by name, each with the channels that it reads and gives."""
        section, x = self.section, self.x
        size, groups = section.integer("size", 3, least=1), section.integer("groups", 1, least=1)
        stride, padding, dilation = self.window(size)
        if "pad" not in section.options and "padding" not in section.options and section.kind == "crnn":
            padding = size // 2
        weights: dict[str, tuple[int, ...]] = {}
        buffers: dict[str, Buffer] = {}
        macs, shape = 0, x.shape
        for name, (read, given) in layers.items():
            conv = Conv(
                channels=given, kernel=size, stride=stride, padding=padding, dilation=dilation, groups=groups
            )
            try:
                facts = conv.facts(x.shape.with_channels(read))
            except ShapeError as problem:
                raise section.error(problem.message, help=problem.help) from None
            self.parts(weights, buffers, name, facts.weights["weight"])
            macs, shape = macs + facts.macs, facts.shape
        reason = "it goes on from the step before"
        return self.opaque(
            section.kind,
            shape.with_channels(output),
            x,
            weights=weights,
            buffers=buffers,
            macs=macs,
            reason=reason,
        )

    def crnn(self) -> Tensor:
        section, c = self.section, self.map().shape.channels
        output, hidden = (section.integer(key, 1, least=1) for key in ("output", "hidden"))
        return self.convolutions(
            {"input": (c, hidden), "self": (hidden, hidden), "output": (hidden, output)}, output
        )

    def conv_lstm(self) -> Tensor:
        section, c = self.section, self.map().shape.channels
        output = section.integer("output", 1, least=1)
        if section.integer("bottleneck", 0):
            raise section.error("bottleneck=1 is not supported", "bottleneck")
        layers = {f"u{gate}": (c, output) for gate in "figo"} | {
            f"w{gate}": (output, output) for gate in "figo"
        }
        if section.integer("peephole", 0):
            layers |= {f"v{gate}": (output, output) for gate in "fio"}
        return self.convolutions(layers, output)

    def history(self) -> Tensor:
        x, size = self.map().shape, self.section.integer("history_size", 4, least=1)
        reason = "it gives maps of steps before, too"
        return self.opaque("history", x.with_channels(x.channels * size), macs=0, reason=reason)

    # --- ends, and what serves training --------------------------------------------------------------

    def empty(self) -> Tensor:
        return self.x

    cost = contrastive = empty

    def head(self) -> Tensor:
        """An output of the network."""
        self.heads[f"{self.section.kind}_{self.section.number}"] = self.x
        return self.x

    iseg = head

    def boxes(self, count: int, values: int, said: str) -> Tensor:
        """An output of boxes, each with some values, at every position."""
        section, x = self.section, self.map().shape
        classes = section.integer("classes", 20, least=0)
        needed = count * (classes + values)
        if x.channels != needed:
            key = "classes" if "classes" in section.options else ""
            raise section.error(
                f"it takes {said} x ({classes} classes + {values}) = {needed} channels, and reads "
                f"{x.channels}",
                key,
                help=f"filters={needed} in the [convolutional] before it",
            )
        return self.head()

    def yolo(self, values: int = 5) -> Tensor:
        section = self.section
        masked = "mask" in section.options
        count = len(section.integers("mask")) if masked else section.integer("num", 1, least=1)
        return self.boxes(count, values, f"{count} boxes (mask)" if masked else f"{count} boxes (num)")

    def gaussian_yolo(self) -> Tensor:
        return self.yolo(9)

    def region(self) -> Tensor:
        count = self.section.integer("num", 1, least=1)
        return self.boxes(count, self.section.integer("coords", 4, least=0) + 1, f"{count} boxes (num)")

    def detection(self) -> Tensor:
        section, read = self.section, self.x.shape.numel
        side, num = (section.integer(key, default, least=1) for key, default in (("side", 7), ("num", 1)))
        coords, classes = (section.integer(key, 1, least=0) for key in ("coords", "classes"))
        needed = side * side * ((1 + coords) * num + classes)
        if read != needed:
            raise section.error(
                f"it takes {side}*{side}*((1 + {coords} coords)*{num} boxes + {classes} classes) = "
                f"{needed:,} values, and reads {read:,}",
                help=f"output={needed} in the [connected] before it",
            )
        return self.head()


def read(file: BinaryIO, name: str) -> Darknet:
    """The network in a file.

    Raises:
        UsageError: it cannot be read.
        SpecError: it is none, or something in it is not known.
    """
    listed = sections(Source(name, text_of(file, name, _MOST)))
    if not listed or listed[0].kind != "net":
        raise error(
            f"{shorten(name, 200)} does not start with [net]",
            listed[0].where if listed else None,
            help="a cfg file of darknet starts with the section [net]",
        )
    if len(listed) == 1:
        raise error(f"{shorten(name, 200)} has no layers", listed[0].where)
    for number, section in enumerate(listed[1:]):
        if section.kind not in OPTIONS:
            raise error(
                f"there is no section [{shorten(section.kind)}]",
                section.where,
                help=did_you_mean(section.kind, OPTIONS),
            )
        section.number = number
    for problem in _ignored(listed):
        warn(Caution(problem), stacklevel=2)
    return Darknet(listed)


def _ignored(listed: list[Section]) -> Iterator[Diagnostic]:
    """What is said of options that no such section has, as darknet says that it does not use them."""
    found = 0
    for section in listed:
        known = OPTIONS[section.kind] | ANY if section.kind in OPTIONS else INPUTS
        for key, option in section.options.items():
            if key in known:
                continue
            near = did_you_mean(key, known)
            if section.kind == "net" and not near:
                continue
            found += 1
            if found <= _WARNINGS:
                said = f"[{section.kind}]: {shorten(key)} is not an option of it, and does nothing"
                yield Diagnostic(said, option.where, help=near, severity="warning")
    if found > _WARNINGS:
        yield Diagnostic(f"{found - _WARNINGS:,} more options do nothing", severity="warning")
