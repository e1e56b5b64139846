"""The layers of a prototxt, placed one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from math import prod
from typing import Any, BinaryIO

from ...elaboration.building import Builder
from ...elaboration.values import Tensor
from ...errors import SpecError, did_you_mean, error, shorten
from ...network import Network, Origin
from ...ops import OPS, Op
from ...ops.op import ShapeError
from ...ops.opaque import Opaque
from ...ops.pooling import AvgPool, MaxPool
from ...shape import Shape
from ..format import Model, text_of
from .listed import Input, Listed, listed, part
from .prototext import Message, Text, parse

#: The largest file that is read; that of ResNet-269 has 0.4 MB.
_MOST = 8 * 10**6

#: The most ratios of boxes.
_RATIOS = 100

#: Layers that are one op without arguments.
_PLAIN = {
    "Sigmoid": "sigmoid",
    "TanH": "tanh",
    "BNLL": "softplus",
    "SeLu": "selu",
    "SELU": "selu",
    "ReLU6": "relu6",
    "Mish": "mish",
    "GlobalAvgPool": "global_avg_pool",
}

#: Layers that compute each value from that at the same place, and have no op here.
_POINTWISE = {"AbsVal", "Exp", "Log", "Power", "Threshold", "Clip"}

#: Ends of a network: what they compute is a figure, or boxes of a number that depends on the picture.
_ENDS = re.compile(r".*Loss(OHEM)?|.*Accuracy|DetectionOutput|DetectionEvaluate|HDF5Output|.*Evaluate")

#: Params of all layers that change nothing at inference.
_IGNORED = {"weight_filler", "bias_filler", "filler", "engine"}


class Caffe(Model):
    """A network that a prototxt lists."""

    def __init__(self, net: Message) -> None:
        found, self.labels, self.layers = listed(net)
        read = {blob for one in self.layers for blob in _needed(one)}
        self.labels |= {blob for blob in found if blob not in read and len(found) > 1}
        self.listed: dict[str, Input] = {blob: one for blob, one in found.items() if blob not in self.labels}
        #: What each input is called here, by its blob.
        self.called: dict[str, str] = {}
        for blob in self.listed:
            _take(self.called, blob, part(blob), {*self.called.values()})

    @property
    def inputs(self) -> Mapping[str, Shape | None]:
        return {self.called[blob]: one.shape for blob, one in self.listed.items()}

    def open(self, name: str) -> str:
        blob = next(blob for blob, called in self.called.items() if called == name)
        return self.listed[blob].open

    def network(
        self, name: str, shapes: Mapping[str, Shape], values: Mapping[str, Any], variant: str, origin: Origin
    ) -> Network:
        net = Builder(name, origin=origin)
        blobs: dict[str, Tensor | None] = dict.fromkeys(self.labels)
        for blob, called in self.called.items():
            blobs[blob] = net.input(shapes[called], called, self.listed[blob].where)
        return _Layout(net, self.layers, blobs, set(self.called.values())).network()


def _needed(layer: Listed) -> list[str]:
    """The blobs that a layer needs at inference; what an end reads behind the first are maybe labels."""
    return layer.reads[:1] if _ENDS.fullmatch(layer.kind) else layer.reads


def _take(names: dict[str, str], key: str, name: str, taken: set[str]) -> None:
    """Give a name that is not taken yet, with a number behind it where it is."""
    found, count = name, 0
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    names[key] = found


def names_of(layers: list[Listed], inputs: set[str]) -> list[str]:
    """What the layers are called: as the file calls them, with a slash as a scope.

    What is a layer and a scope at once, as ``conv/dw`` beside ``conv/dw/bn``, stands in the scope under its
    type.
    """
    paths = [".".join(map(part, filter(None, one.name.split("/")))) or part(one.kind) for one in layers]
    scopes = {path[:at] for path in paths for at in range(len(path)) if path[at] == "."}
    taken, counts, found = scopes | inputs, dict[str, int](), []
    for path, layer in zip(paths, layers, strict=True):
        name = f"{path}.{part(layer.kind.lower())}" if path in scopes else path
        while name in taken:
            counts[path] = counts.get(path, 0) + 1
            name = f"{path}_{counts[path]}"
        taken.add(name)
        found.append(name)
    return found


class _Layout:
    """Places layers; a method for each type."""

    def __init__(
        self, net: Builder, layers: list[Listed], blobs: dict[str, Tensor | None], inputs: set[str]
    ) -> None:
        self.net = net
        self.layers = layers
        self.names = names_of(layers, inputs)
        #: What each blob holds; ``None`` is a label.
        self.blobs = blobs
        #: The blobs that no layer has read since they were written, and what ends look at.
        self.unread: dict[str, Tensor] = {}
        self.ends: dict[str, Tensor] = {}
        #: What the last end looks at first.
        self.looked = ""
        #: What was pooled, by the blob that says where its largest values stood.
        self.pooled: dict[str, Tensor] = {}
        #: The keys of tensors with a name of their own, which layers share.
        self.shared: dict[str, str] = {}
        #: Scale layers that a batch norm before them has taken up.
        self.done: set[int] = set()
        self.alone = self._alone()
        self.layer = layers[0]
        self.index = 0
        #: What the layer reads.
        self.inputs: list[Tensor] = []

    def network(self) -> Network:
        for index, layer in enumerate(self.layers):
            self.index, self.layer = index, layer
            self.lay()
        ends = {**self.ends, **self.unread}
        if not ends:
            raise error("the network has no output: each blob is read by a layer")
        out = next(reversed(self.unread), self.looked)
        heads = {name: end for name, end in ends.items() if name != out}
        return self.net.network(ends[out], **heads)

    def _alone(self) -> dict[int, int]:
        """The layer that alone reads what a layer gives, by the numbers of both."""
        writer: dict[str, int] = {}
        readers: dict[int, list[int]] = {}
        for i, one in enumerate(self.layers):
            for blob in one.reads:
                if blob in writer:
                    readers.setdefault(writer[blob], []).append(i)
            for blob in one.gives:
                writer[blob] = i
        return {i: found[0] for i, found in readers.items() if len(found) == 1}

    def lay(self) -> None:
        """Place the layer that is at hand."""
        layer = self.layer
        read = []
        for blob in layer.reads:
            if blob not in self.blobs:
                help = did_you_mean(blob, self.blobs)
                raise self.error(
                    f'reads "{shorten(blob)}", which no earlier layer outputs', "bottom", help=help
                )
            read.append(self.blobs[blob])
            self.unread.pop(blob, None)
        if _ENDS.fullmatch(layer.kind):
            ends = {name: one for name, one in zip(layer.reads, read, strict=True) if one is not None}
            self.ends |= ends
            self.looked = next(iter(ends), self.looked)
            self.blobs |= dict.fromkeys(layer.gives)
            return
        if layer.kind == "Silence":
            return
        self.inputs = [one for one in read if one is not None]
        if not self.inputs and read:  # labels alone
            self.blobs |= dict.fromkeys(layer.gives)
            return
        if len(self.inputs) < len(read):
            raise self.error("reads a label", "bottom", help="labels are not known at inference")
        given = self.given()
        if len(given) < len(layer.gives):
            raise self.error(f"gives {len(layer.gives)} blobs, but its type outputs {len(given)}", "top")
        for blob, one in zip(layer.gives, given, strict=False):
            self.blobs[blob] = one
            self.unread.pop(blob, None)  # so that it stands last
            self.unread[blob] = one

    def given(self) -> list[Tensor]:
        """What the layer gives, once it is placed."""
        kind = self.layer.kind
        if kind in _PLAIN:
            return [self.op(_PLAIN[kind])]
        if kind in _POINTWISE:
            return [self.pointwise()]
        if kind not in _PLACED:
            raise self.error(
                f"is of the type {shorten(kind)}, which is not supported",
                "type",
                help=did_you_mean(kind, [*_PLACED, *_PLAIN, *_POINTWISE], otherwise=_WHY.get(kind, "")),
            )
        found = getattr(self, _PLACED[kind])()
        return found if isinstance(found, list) else [found]

    # --- what the types share -------------------------------------------------------------------------

    def error(self, message: str, key: str = "", **further: Any) -> SpecError:
        """What is wrong with the layer."""
        layer = self.layer
        where = layer.message.fields[key][0].span if key in layer.message else layer.where.span
        return error(f'the layer "{shorten(layer.name)}" {message}', where, **further)

    def params(self, key: str, known: str) -> Message:
        """The params of the layer.

        Raises:
            SpecError: it has one of another name.
        """
        found = self.layer.message.message(key)
        found.check({*known.split(), *_IGNORED})
        return found

    @property
    def x(self) -> Tensor:
        """What the layer reads first."""
        if not self.inputs:
            raise self.error("has no bottom: it reads nothing")
        return self.inputs[0]

    @property
    def name(self) -> str:
        return self.names[self.index]

    def place(self, op: Op, *inputs: Tensor, also: str = "", keys: Mapping[str, str] | None = None) -> Tensor:
        """Place an op: the layer itself, or what comes with it, whose name has a word more."""
        name = f"{self.name}_{also}" if also else self.name
        return self.net.place(op, *(inputs or (self.x,)), name=name, where=self.layer.where, keys=keys or {})

    def op(self, kind: str, *inputs: Tensor, also: str = "", **given: Any) -> Tensor:
        """Place an op by its name."""
        return self.place(OPS[kind](**given), *inputs, also=also)

    def opaque(self, shape: Shape, *inputs: Tensor, reason: str = "", **known: Any) -> Tensor:
        """Place what has no op here."""
        read = inputs or (self.x,)
        shapes = tuple([one.shape for one in read])
        return self.place(Opaque(f"caffe.{self.layer.kind}", shape, shapes, reason=reason, **known), *read)

    def owned(self, *names: str) -> dict[str, str]:
        """The keys of tensors that the layer shares by ``param { name: ... }``."""
        keys = {}
        for name, param in zip(names, self.layer.message.messages("param"), strict=False):
            if said := param.text("name"):
                keys[name] = self.shared.setdefault(said, f"{self.name}.{name}")
        return {name: key for name, key in keys.items() if key != f"{self.name}.{name}"}

    def sides(
        self, params: Message, key: str, default: int | None, least: int, short: str = ""
    ) -> tuple[int, ...]:
        """A size for each axis, of the field of that name, or of its ``_h`` and ``_w``."""
        axes = len(self.x.shape) - 1
        apart = [f"{short or key}_{axis}" for axis in "hw"]
        if any(one in params for one in apart):
            if key in params:
                raise params.error(f"{key} and {apart[0]} or {apart[1]} are both given", key)
            return tuple([params.integer(one, default or 0, least=least) for one in apart])
        found = params.integers(key, least=least)
        if not found:
            if default is None:
                raise self.error(f"has no {key}", params.name)
            return (default,) * axes
        if len(found) not in (1, axes):
            raise params.error(f"{key} is given {len(found)} times for {axes} axes", key)
        return tuple(found) if len(found) > 1 else tuple(found) * axes

    def axis(self, params: Message, key: str = "axis", default: int = 1, shape: Shape | None = None) -> int:
        """An axis, counted with the batch as 0."""
        count = len(shape or self.x.shape) + 1
        axis = params.integer(key, default)
        axis = axis + count if axis < 0 else axis
        if not 0 < axis < count:
            said = "the batch" if axis == 0 else f"none of its {count}"
            raise params.error(f"the axis {axis} is {said}, which is not supported", key)
        return axis

    # --- layers with weights --------------------------------------------------------------------------

    def convolution(self) -> Tensor:
        params = self.params("convolution_param", _CONVOLUTION)
        self.axis(params)
        depthwise = "Depthwise" in self.layer.kind
        channels = params.integer("num_output", 0, least=1)
        if not channels:
            raise self.error("has no num_output", "convolution_param")
        kernel = self.sides(params, "kernel_size", None, 1, "kernel")
        dilation = self.sides(params, "hole" if "hole" in params else "dilation", 1, 1)
        given = {
            "channels": channels,
            "kernel": _short(kernel),
            "stride": _short(self.sides(params, "stride", 1, 1)),
            "padding": _short(self.sides(params, "pad", 0, 0)),
            "dilation": _short(dilation),
            "groups": params.integer("group", self.x.shape.channels if depthwise else 1, least=1),
            "bias": params.flag("bias_term", True),
        }
        kind = "conv_transpose" if self.layer.kind == "Deconvolution" else "conv"
        return self.place(OPS[kind](**given), keys=self.owned("weight", "bias"))

    def inner_product(self) -> Tensor:
        params = self.params("inner_product_param", "num_output bias_term axis transpose")
        x = self.x
        if self.axis(params) != 1:
            raise params.error(
                f"its axis is 1, not {params.integer('axis', 1)}: it reads whole samples", "axis"
            )
        features = params.integer("num_output", 0, least=1)
        if not features:
            raise self.error("has no num_output", "inner_product_param")
        if len(x.shape) > 1:
            x = self.op("flatten", x, also="flatten")
        op = OPS["linear"](features=features, bias=params.flag("bias_term", True))
        return self.place(op, x, keys=self.owned("weight", "bias"))

    def batch_norm(self) -> Tensor:
        """With the Scale layer that alone reads it, one op: batch norm that scales and shifts."""
        params = self.params("batch_norm_param", "use_global_stats moving_average_fraction eps scale_bias")
        given: dict[str, Any] = {
            "eps": params.number("eps", 1e-5),
            "momentum": round(1 - params.number("moving_average_fraction", 0.999), 12),
        }
        after = self.alone.get(self.index)
        if after is not None and self.shifts(self.layers[after]):
            self.done.add(after)
        return self.op("batch_norm", affine=after in self.done or params.flag("scale_bias", False), **given)

    def shifts(self, layer: Listed) -> bool:
        """Whether a layer scales and shifts each channel by weights of its own."""
        if layer.kind != "Scale" or len(layer.reads) > 1:
            return False
        params = layer.message.message("scale_param")
        plain = (params.integer("axis", 1), params.integer("num_axes", 1)) == (1, 1)
        named = any("name" in one for one in layer.message.messages("param"))
        return plain and params.flag("bias_term", False) and not named

    def normalizing(self) -> Tensor:
        """What some call BN: batch norm that scales and shifts."""
        self.layer.message.message("bn_param")
        return self.op("batch_norm")

    def scale(self) -> Tensor:
        if self.index in self.done:
            return self.x  # which the batch norm before it has scaled
        params = self.params("scale_param", "axis num_axes bias_term")
        if len(self.inputs) > 1:
            return self.scaled(self.x, self.inputs[1], params.integer("axis", 1))
        if self.axis(params) != 1 or params.integer("num_axes", 1) != 1:
            raise params.error("it scales channels: axis and num_axes are 1")
        count = (self.x.shape.channels,)
        if not params.flag("bias_term", False):
            return self.place(OPS["layer_scale"](initial=1.0), keys=self.owned("weight"))
        return self.opaque(self.x.shape, weights={"weight": count, "bias": count}, pointwise=True, macs=0)

    def bias(self) -> Tensor:
        count = (self.x.shape.channels,)
        return self.opaque(self.x.shape, weights={"bias": count}, pointwise=True, macs=0)

    def scaled(self, x: Tensor, factor: Tensor, axis: int) -> Tensor:
        """A map times factors that have its batch and its first axes."""
        missing = len(x.shape) - len(factor.shape)
        if missing < 0 or axis:
            said = f"scales {x.shape} by {factor.shape} from axis {axis} on, where axis 0 is known here"
            raise self.error(said, "scale_param")
        if missing:
            factor = self.op("reshape", factor, also="factor", shape=(*factor.shape, *(1,) * missing))
        return self.op("multiply", x, factor)

    def axpy(self) -> Tensor:
        """The first times the second, plus the third, as squeeze-and-excitation networks have it."""
        if len(self.inputs) != 3:
            raise self.error(f"has 3 bottoms, not {len(self.inputs)}", "bottom")
        factor, x, y = self.inputs
        product = self.op("multiply", x, factor, also="product")
        return self.op("add", product, y)

    def prelu(self) -> Tensor:
        params = self.params("prelu_param", "channel_shared")
        op = OPS["prelu"](per_channel=not params.flag("channel_shared", False))
        return self.place(op, keys=self.owned("weight"))

    def normalize(self) -> Tensor:
        """SSD's: each position has length 1 over the channels, times a factor for each that is learned."""
        params = self.params("norm_param", "across_spatial scale_filler channel_shared eps")
        count = 1 if params.flag("channel_shared", True) else self.x.shape.channels
        local = not params.flag("across_spatial", True)
        return self.opaque(
            self.x.shape,
            weights={"weight": (count,)},
            pointwise=local,
            macs=0,
            reason="it takes all positions together",
        )

    # --- layers of values -------------------------------------------------------------------------------

    def relu(self) -> Tensor:
        slope = self.params("relu_param", "negative_slope").number("negative_slope", 0.0)
        return self.op("leaky_relu", slope=slope) if slope else self.op("relu")

    def elu(self) -> Tensor:
        return self.op("elu", alpha=self.params("elu_param", "alpha").number("alpha", 1.0))

    def swish(self) -> Tensor:
        if self.params("swish_param", "beta").number("beta", 1.0) != 1:
            return self.pointwise()
        return self.op("silu")

    def pointwise(self) -> Tensor:
        params = self.layer.message.message(f"{self.layer.kind.lower()}_param")
        if self.layer.kind == "Power":
            known = ("power", 1.0), ("shift", 0.0), ("scale", 1.0)
            power, shift, scale = (params.number(*one) for one in known)
            if (power, shift) == (1, 0):
                return self.op("scale", factor=scale) if scale != 1 else self.x
        if self.layer.kind == "Clip" and (params.number("min", 0), params.number("max", 0)) == (0, 6):
            return self.op("relu6")
        return self.opaque(self.x.shape, pointwise=True, macs=0)

    def dropout(self) -> Tensor:
        params = self.params("dropout_param", "dropout_ratio scale_train sample_weights_test")
        return self.op("dropout", p=params.number("dropout_ratio", 0.5))

    def softmax(self) -> Tensor:
        params = self.params("softmax_param", "axis")
        return self.op("softmax", axis=self.x.shape.names[self.axis(params) - 1])

    def lrn(self) -> Tensor:
        params = self.params("lrn_param", "local_size alpha beta norm_region k")
        size = params.integer("local_size", 5, least=1)
        if params.word("norm_region", "ACROSS_CHANNELS", _REGIONS) == "WITHIN_CHANNEL":
            base = AvgPool(kernel=size, stride=1, padding=size // 2)
            return self.opaque(self.x.shape, base=base if size % 2 else None, macs=0)
        given: dict[str, Any] = {
            key: params.number(key, default) for key, default in (("alpha", 1.0), ("beta", 0.75), ("k", 1.0))
        }
        return self.op("local_response_norm", size=size, **given)

    def mvn(self) -> Tensor:
        return self.opaque(self.x.shape, macs=0, reason="it takes the mean over all positions")

    def pooling(self) -> list[Tensor]:
        params = self.params(
            "pooling_param",
            "pool pad pad_h pad_w kernel_size kernel_h kernel_w stride stride_h stride_w global_pooling "
            "round_mode ceil_mode",
        )
        method = params.word("pool", "MAX", _METHODS)
        if params.flag("global_pooling", False):
            if method == "STOCHASTIC":
                raise params.error("stochastic pooling of a whole map is not supported", "pool")
            return [self.op("global_max_pool" if method == "MAX" else "global_avg_pool")]
        up = params.word("round_mode", "CEIL", _ROUNDS) == "CEIL" and params.flag("ceil_mode", True)
        given: dict[str, Any] = {
            "kernel": _short(self.sides(params, "kernel_size", None, 1, "kernel")),
            "stride": _short(self.sides(params, "stride", 1, 1)),
            "padding": _short(self.sides(params, "pad", 0, 0)),
            "ceil_mode": up,
        }
        base = MaxPool(**given)
        shape = self.computed(lambda: base.facts(self.x.shape).shape)
        beyond = self.beyond(shape, given)
        if beyond is not None:
            found = self.opaque(
                beyond, macs=0, reason="its last windows lie beyond the map, and Caffe keeps them"
            )
        elif method == "STOCHASTIC":
            return [self.opaque(shape, base=base, macs=0)]
        else:
            found = self.op("max_pool" if method == "MAX" else "avg_pool", **given)
        if len(self.layer.gives) > 1 and method == "MAX":
            self.pooled[self.layer.gives[1]] = self.x
            self.blobs[self.layer.gives[1]] = found
        return [found, found] if method == "MAX" else [found]

    def computed(self, shape: Callable[[], Shape]) -> Shape:
        try:
            return shape()
        except ShapeError as problem:
            raise self.error(f"does not fit: {problem.message}", help=problem.help) from None

    def beyond(self, shape: Shape, given: Mapping[str, Any]) -> Shape | None:
        """The windows with those that lie beyond the map, which Caffe drops only where there is padding.

        Args:
            shape: what comes out without them.
            given: the attributes of the op.

        Returns:
            ``None`` where there are none.
        """
        axes = len(shape) - 1
        sides = [_long(given[key], axes) for key in ("kernel", "stride", "padding")]
        if not given["ceil_mode"] or any(sides[2]):
            return None
        counts = [-(-(n - f) // s) + 1 for n, f, s in zip(self.x.shape.spatial, *sides[:2], strict=True)]
        return Shape((shape.channels, *counts)) if counts != [*shape.spatial] else None

    # --- layers of several tensors --------------------------------------------------------------------

    def eltwise(self) -> Tensor:
        params = self.params("eltwise_param", "operation coeff stable_prod_grad")
        operation = params.word("operation", "SUM", _OPERATIONS)
        shapes = [one.shape for one in self.inputs]
        if len(shapes) < 2:
            raise self.error(f"has at least 2 bottoms, not {len(shapes)}", "bottom")
        other = next((i for i, one in enumerate(shapes) if one != shapes[0]), None)
        if other is not None:
            names = [shorten(self.layer.reads[i]) for i in (0, other)]
            raise self.error(
                f"takes blobs of one shape, and {names[0]} is {shapes[0]}, {names[1]} is {shapes[other]}",
                "bottom",
            )
        if operation == "MAX":
            return self.opaque(shapes[0], *self.inputs, pointwise=True, macs=0)
        if operation == "PROD":
            return self.op("multiply", *self.inputs)
        factors = params.numbers("coeff")
        if factors and len(factors) != len(shapes):
            raise params.error(
                f"{len(shapes)} blobs have a coeff each, but there are {len(factors)}", "coeff"
            )
        terms = [
            self.op("scale", one, also=f"term_{i}", factor=factor) if factor != 1 else one
            for i, (one, factor) in enumerate(zip(self.inputs, factors or (1.0,) * len(shapes), strict=True))
        ]
        return self.op("add", *terms)

    def concat(self) -> Tensor:
        params = self.params("concat_param", "axis concat_dim")
        axis = self.axis(params, "concat_dim" if "concat_dim" in params else "axis")
        if len(self.inputs) == 1:
            return self.x
        if axis == 1:
            return self.op("concat", *self.inputs)
        shapes = [tuple(one.shape) for one in self.inputs]
        rest = {(*one[: axis - 1], *one[axis:]) for one in shapes}
        if len(rest) > 1 or len({len(one) for one in shapes}) > 1:
            raise self.error(
                f"joins blobs that differ along other axes: {', '.join(map(str, self.read))}", "bottom"
            )
        size = sum(one[axis - 1] for one in shapes)
        shape = Shape((*shapes[0][: axis - 1], size, *shapes[0][axis:]))
        return self.opaque(
            shape, *self.inputs, macs=0, reason="it joins along an axis that is not the channels"
        )

    @property
    def read(self) -> list[Shape]:
        return [one.shape for one in self.inputs]

    def slice(self) -> list[Tensor]:
        params = self.params("slice_param", "axis slice_point slice_dim")
        axis = self.axis(params, "slice_dim" if "slice_dim" in params else "axis")
        x, count = self.x.shape, len(self.layer.gives)
        points = params.integers("slice_point", least=1)
        if not points:
            if not count or x[axis - 1] % count:
                raise self.error(f"cuts {x[axis - 1]} into {count} equal parts, which does not divide it")
            points = [x[axis - 1] // count * i for i in range(1, count)]
        ends = [0, *points, x[axis - 1]]
        if len(ends) != count + 1 or any(a >= b for a, b in pairwise(ends)):
            raise self.error(f"cuts {x[axis - 1]} at {points} into {count} parts", "slice_param")
        names = x.names[axis - 1]
        return [
            self.op("slice", also=str(i), start=start, stop=stop, axis=names)
            for i, (start, stop) in enumerate(pairwise(ends))
        ]

    def split(self) -> list[Tensor]:
        return [self.x] * len(self.layer.gives)

    def crop(self) -> Tensor:
        params = self.params("crop_param", "axis offset")
        axis = self.axis(params, default=2)
        if len(self.inputs) != 2 or len(self.read[0]) != len(self.read[1]):
            raise self.error("has 2 bottoms of as many axes: what is cropped, and what is as large", "bottom")
        x, like = self.inputs
        names = x.shape.names[axis - 1 :]
        offsets = params.integers("offset", least=0) or [0]
        if len(offsets) not in (1, len(names)):
            raise params.error(f"offset is given {len(offsets)} times for {len(names)} axes", "offset")
        offsets = offsets * len(names) if len(offsets) == 1 else offsets
        for i, (name, start) in enumerate(zip(names, offsets, strict=True)):
            n, size = x.shape[axis - 1 + i], like.shape[axis - 1 + i]
            if start + size > n:
                raise self.error(f"crops {start} to {start + size} of a {name} of {n}", "crop_param")
            also = name if i < len(names) - 1 else ""
            x = self.op("slice", x, also=also, start=start, stop=start + size, axis=name)
        return x

    # --- layers of shapes ----------------------------------------------------------------------------

    def flatten(self) -> Tensor:
        params = self.params("flatten_param", "axis end_axis")
        last = self.axis(params, "end_axis", -1)
        if self.axis(params) == 1 and last == len(self.x.shape):
            return self.op("flatten")
        return self.reshaped([*self.x.shape[: self.axis(params) - 1], -1, *self.x.shape[last:]], params)

    def reshape(self) -> Tensor:
        params = self.params("reshape_param", "shape axis num_axes")
        sizes = params.message("shape").integers("dim", least=-1)
        if params.integer("num_axes", -1) != -1 or params.integer("axis", 0) not in (0, 1):
            raise params.error("it takes all axes, or all behind the batch: axis is 0 or 1, and num_axes -1")
        x = tuple(self.x.shape)
        if params.integer("axis", 0) == 0:
            if not sizes:
                raise params.error("its shape has no dim", "shape")
            if sizes[0] > 1:
                raise params.error(f"its first dim is the batch, 0 or -1, not {sizes[0]}", "shape")
            sizes = sizes[1:]
        if any(one == 0 and i >= len(x) for i, one in enumerate(sizes)):
            raise params.error(f"a dim of 0 is that of {self.x.shape}, which has no such axis", "shape")
        return self.reshaped([x[i] if one == 0 else one for i, one in enumerate(sizes)], params)

    def reshaped(self, sizes: list[int], params: Message) -> Tensor:
        if not 1 <= len(sizes) <= 4:
            raise params.error(f"it gives {len(sizes)} axes beside the batch, and 1 to 4 are known here")
        if self.x.shape.channels_last:
            return self.opaque(self.computed(lambda: _filled(sizes, self.x.shape)), macs=0)
        return self.op("reshape", shape=tuple(sizes))

    def permute(self) -> Tensor:
        order = self.params("permute_param", "order").integers("order", least=0)
        x = self.x.shape
        if sorted(order) != list(range(len(x) + 1)) or order[0]:
            raise self.error(
                f"permutes the axes 0 to {len(x)} and keeps the batch, not {order}", "permute_param"
            )
        if order == sorted(order):
            return self.x
        if order == [0, *range(2, len(x) + 1), 1]:
            return self.op("channels_last")
        return self.opaque(Shape([x[i - 1] for i in order[1:]]), macs=0, reason="it moves axes")

    def shuffle(self) -> Tensor:
        params = self.params("shuffle_channel_param", "group")
        return self.op("channel_shuffle", groups=params.integer("group", 1, least=1))

    def interp(self) -> Tensor:
        """Bilinear interpolation by the corners, as DeepLab and PSPNet have it."""
        params = self.params(
            "interp_param", "use_blob_size height width zoom_factor shrink_factor pad_beg pad_end"
        )
        if params.integer("pad_beg", 0) or params.integer("pad_end", 0):
            raise params.error(
                "pad_beg and pad_end are not supported", "pad_beg" if "pad_beg" in params else "pad_end"
            )
        if len(self.x.shape) != 3:
            raise self.error(f"reads a map, not {self.x.shape}")
        sizes = [params.integer(key, 0, least=1) for key in ("height", "width")]
        if len(self.inputs) > 1:
            sizes = [*self.inputs[1].shape.spatial]
        elif not all(sizes):
            zoom, shrink = (params.integer(f"{key}_factor", 1, least=1) for key in ("zoom", "shrink"))
            sizes = [(n - 1) // shrink + 1 for n in self.x.shape.spatial]
            sizes = [n + (n - 1) * (zoom - 1) for n in sizes]
        return self.op("upsample", self.x, size=tuple(sizes), mode="bilinear", align_corners=True)

    def upsample(self) -> Tensor:
        """Larger by a factor; or, with what a pooling says beside its output, its reverse."""
        params = self.params(
            "upsample_param", "scale scale_h scale_w upsample_h upsample_w pad_out_h pad_out_w stride"
        )
        if len(self.inputs) > 1:
            pooled = self.pooled.get(self.layer.reads[1])
            if pooled is None:
                raise self.error(
                    "reads as its second bottom where a pooling found its largest values", "bottom"
                )
            return self.op("max_unpool", self.x, pooled)
        key = "stride" if "stride" in params else "scale"
        return self.op("upsample", scale=params.integer(key, 2, least=1))

    def boxes(self) -> Tensor:
        """SSD's boxes at each position, which depend on sizes alone."""
        params = self.layer.message.message("prior_box_param")
        ratios, given = [1.0], params.numbers("aspect_ratio")
        if len(given) > _RATIOS:
            raise params.error(
                f"it has {len(given):,} ratios, more than the {_RATIOS} that are read", "aspect_ratio"
            )
        for ratio in given:
            for one in (ratio, 1 / ratio) if params.flag("flip", True) and ratio else (ratio,):
                if all(abs(one - other) >= 1e-6 for other in ratios):
                    ratios.append(one)
        count = len(ratios) * len(params.numbers("min_size")) + len(params.numbers("max_size"))
        if len(self.x.shape) != 3 or not count:
            raise self.error(f"has a min_size and reads a map, not {self.x.shape}")
        shape = Shape((2, prod(self.x.shape.spatial) * count * 4))
        return self.opaque(shape, macs=0, reason="it reads no values")

    def arg_max(self) -> Tensor:
        params = self.params("argmax_param", "out_max_val top_k axis")
        count = params.integer("top_k", 1, least=1)
        if "axis" in params:
            if self.axis(params) != 1:
                raise params.error("it is taken over the channels, axis 1", "axis")
            shape = self.x.shape.with_channels(count)
        else:
            shape = Shape((2 if params.flag("out_max_val", False) else 1, count))
        return self.opaque(shape, macs=0, reason="it gives places, not values")


def _short(sizes: tuple[int, ...]) -> int | tuple[int, ...]:
    return sizes[0] if len({*sizes}) == 1 else sizes


def _long(sizes: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (sizes,) * axes if isinstance(sizes, int) else sizes


def _filled(sizes: list[int], x: Shape) -> Shape:
    """A shape whose -1 is worked out."""
    known = prod(one for one in sizes if one != -1)
    if sizes.count(-1) > 1 or not known or x.numel % known or (-1 not in sizes and known != x.numel):
        raise ShapeError(f"{x} has {x.numel:,} values, which are no {sizes}")
    return Shape([x.numel // known if one == -1 else one for one in sizes])


_REGIONS = {"ACROSS_CHANNELS", "WITHIN_CHANNEL"}
_METHODS = {"MAX", "AVE", "STOCHASTIC"}
_ROUNDS = {"CEIL", "FLOOR"}
_OPERATIONS = {"PROD", "SUM", "MAX"}
_CONVOLUTION = (
    "num_output bias_term pad kernel_size stride dilation hole pad_h pad_w kernel_h kernel_w stride_h "
    "stride_w group axis force_nd_im2col"
)

#: The method that places each type.
_PLACED = {
    "Convolution": "convolution",
    "ConvolutionDepthwise": "convolution",
    "DepthwiseConvolution": "convolution",
    "Deconvolution": "convolution",
    "InnerProduct": "inner_product",
    "BatchNorm": "batch_norm",
    "BN": "normalizing",
    "Scale": "scale",
    "Bias": "bias",
    "Axpy": "axpy",
    "PReLU": "prelu",
    "Normalize": "normalize",
    "ReLU": "relu",
    "ELU": "elu",
    "Swish": "swish",
    "Dropout": "dropout",
    "Softmax": "softmax",
    "LRN": "lrn",
    "MVN": "mvn",
    "Pooling": "pooling",
    "Eltwise": "eltwise",
    "Concat": "concat",
    "Slice": "slice",
    "Split": "split",
    "Crop": "crop",
    "Flatten": "flatten",
    "Reshape": "reshape",
    "Permute": "permute",
    "ShuffleChannel": "shuffle",
    "Interp": "interp",
    "Upsample": "upsample",
    "PriorBox": "boxes",
    "ArgMax": "arg_max",
}

#: Why layers of some types cannot be known.
_WHY = dict.fromkeys(
    ("Python", "Proposal", "ROIPooling", "PSROIPooling", "ROIAlign"),
    "the size of its output depends on the image, or on code; cut the network before it",
) | dict.fromkeys(("LSTM", "RNN"), "its first axis is time, and the batch the second")


def read(file: BinaryIO, name: str) -> Caffe:
    """The network in a file.

    Raises:
        UsageError: it cannot be read.
        SpecError: it is none.
    """
    return Caffe(parse(Text(name, text_of(file, name, _MOST))))
