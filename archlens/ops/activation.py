"""Activations: one value in, one value out; and softmax, along an axis."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ..geometry import POINT
from ..shape import Shape
from .attributes import Flag, Number, choice
from .axes import Axis, all_along, axis_of
from .footprint import INPUT, LIKE, NOTHING, OUTPUT, ROWS, Extra, Footprint
from .op import Argument, Call, Facts, Names, Op, ShapeError, all_channels, weightless
from .windows import require_channels_first


class Pointwise(Op, family="activation"):
    """What activations and other functions of each value share: shape and position stay, nothing is learned.

    Output: the shape of the input.
    Limits: none.
    """

    saved_for_backward = INPUT._replace(in_place=True)
    channelwise = True

    def _torch(self, x: Shape) -> Call:
        raise TypeError(f"{type(self).__name__} does not say what it is in torch")  # pragma: no cover

    def facts(self, x: Shape) -> Facts:
        return weightless(x, (POINT,) * (len(x) - 1), self._torch(x), activation=x.numel)


class _Activation(Pointwise):
    """What activations share: torch has each as a module.

    Output: the shape of the input.
    Limits: none.
    """

    #: torch's module.
    module: ClassVar[str]

    def _torch(self, x: Shape) -> Call:
        return Call(f"nn.{self.module}")


class ReLU(_Activation, kind="relu"):
    """``max(0, x)``."""

    module = "ReLU"
    saved_for_backward = OUTPUT._replace(in_place=True)
    names = Names(keras="ReLU", onnx="Relu", also="rectifier rectifiedlinearunit threshold")
    examples = ("64x112x112 >> relu", "84 >> relu")


class ReLU6(_Activation, kind="relu6"):
    """``min(max(0, x), 6)``.

    Source: Howard et al. 2017, "MobileNets".
    """

    module = "ReLU6"
    names = Names(keras="ReLU(max_value=6) activations.relu6", onnx="Clip(min=0,max=6)", also="clippedrelu")
    examples = ("32x8x8 >> relu6",)


class LeakyReLU(_Activation, kind="leaky_relu"):
    """``x`` where positive, else ``slope * x``.

    Source: Maas, Hannun and Ng 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".
    """

    slope: Annotated[Number, "the slope where x is negative"] = 0.01

    incidental = {"slope": "slope"}
    names = Names(keras="LeakyReLU", onnx="LeakyRelu", also="lrelu leakyrectifiedlinearunit")
    examples = ("8x4x4 >> leaky_relu", "8x4x4 >> leaky_relu(0.1)")

    def _torch(self, x: Shape) -> Call:
        return Call("nn.LeakyReLU", negative_slope=Argument(self.slope, default=0.01, by_place=True))


class PReLU(_Activation, kind="prelu"):
    """``x`` where positive, else a learned slope times ``x``: one slope, or one per channel.

    Parameters: 1, or ``c`` with ``per_channel=true``.
    Limits: with ``per_channel=true`` the channels come first.
    Source: He et al. 2015, "Delving Deep into Rectifiers", equation 1.
    """

    per_channel: Annotated[Flag, "a slope for each channel instead of one for all"] = False

    names = Names(keras="PReLU", onnx="PRelu", also="parametricrelu")
    examples = ("8x4x4 >> prelu", "8x4x4 >> prelu(per_channel=true)")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """The gradient of a slope is a sum over as many values; that of the input is always made."""
        return INPUT._replace(backward=(Extra(facts.shape.numel),) * 2, in_place=True)

    def facts(self, x: Shape) -> Facts:
        if self.per_channel:
            require_channels_first(x, "prelu(per_channel=true)")
        return super().facts(x)._replace(weights={"weight": (x.channels if self.per_channel else 1,)})

    def _torch(self, x: Shape) -> Call:
        slopes = x.channels if self.per_channel else 1
        return Call("nn.PReLU", num_parameters=Argument(slopes, default=1, by_place=True))


class ELU(_Activation, kind="elu"):
    """``x`` where positive, else ``alpha * (exp(x) - 1)``.

    Source: Clevert, Unterthiner and Hochreiter 2015, equation 15.
    """

    alpha: Annotated[Number, "for x far below zero, the output tends to -alpha"] = 1.0

    incidental = {"alpha": "alpha"}
    names = Names(keras="ELU", onnx="Elu", also="exponentiallinearunit")
    examples = ("8x4x4 >> elu", "8x4x4 >> elu(alpha=0.5)")

    def _torch(self, x: Shape) -> Call:
        return Call("nn.ELU", alpha=Argument(self.alpha, default=1.0, by_place=True))


class SELU(_Activation, kind="selu"):
    """The self-normalizing ``elu``, scaled by fixed constants.

    ``1.0507 * x`` where positive, else ``1.0507 * 1.6733 * (exp(x) - 1)``.

    Source: Klambauer et al. 2017, "Self-Normalizing Neural Networks", equation 2.
    """

    module = "SELU"
    names = Names(keras="activations.selu", onnx="Selu")
    examples = ("84 >> selu",)


class GELU(_Activation, kind="gelu"):
    """``x * Phi(x)``, exact or by its tanh approximation.

    ``Phi`` is the distribution function of the standard normal distribution.

    Source: Hendrycks and Gimpel 2016, section 2.
    """

    approximate: Annotated[str, choice("none", "tanh"), "which formula: exact, or the tanh approximation"] = (
        "none"
    )

    names = Names(keras="activations.gelu", onnx="Gelu", also="gaussianerrorlinearunit")
    examples = ("96x7x7 >> gelu", '768 >> gelu(approximate="tanh")')

    def _torch(self, x: Shape) -> Call:
        return Call("nn.GELU", approximate=Argument(self.approximate, default="none"))


class SiLU(_Activation, kind="silu"):
    """``x * sigmoid(x)``, also called swish."""

    module = "SiLU"
    names = Names(keras="activations.silu", onnx="Swish", also="swish")
    examples = ("32x8x8 >> silu",)


class Mish(_Activation, kind="mish"):
    """``x * tanh(softplus(x))``.

    Source: Misra 2019, "Mish: A Self Regularized Non-Monotonic Activation Function".
    """

    module = "Mish"
    names = Names(keras="activations.mish", onnx="Mish")
    examples = ("32x8x8 >> mish",)


class HardSwish(_Activation, kind="hard_swish"):
    """``x * relu6(x + 3) / 6``.

    Source: Howard et al. 2019, "Searching for MobileNetV3", section 5.2.
    """

    module = "Hardswish"
    names = Names(keras="activations.hard_swish", onnx="HardSwish", also="hswish hardsilu")
    examples = ("16x8x8 >> hard_swish",)


class HardSigmoid(_Activation, kind="hard_sigmoid"):
    """``relu6(x + 3) / 6``.

    Keras 2 used other constants, ``0.2x + 0.5`` clipped to 0 and 1, and ONNX still does by default.
    """

    module = "Hardsigmoid"
    names = Names(keras="activations.hard_sigmoid", onnx="HardSigmoid(alpha=1/6)", also="hsigmoid")
    examples = ("16x1x1 >> hard_sigmoid",)


class HardTanh(_Activation, kind="hard_tanh"):
    """``min(max(-1, x), 1)``."""

    module = "Hardtanh"
    names = Names(keras="activations.hard_tanh", onnx="Clip(min=-1,max=1)")
    examples = ("16x4x4 >> hard_tanh",)


class Sigmoid(_Activation, kind="sigmoid"):
    """``1 / (1 + exp(-x))``."""

    module = "Sigmoid"
    saved_for_backward = OUTPUT._replace(in_place=True)
    names = Names(keras="activations.sigmoid", onnx="Sigmoid", also="logistic")
    examples = ("16x1x1 >> sigmoid",)


class LogSigmoid(_Activation, kind="log_sigmoid"):
    """``log(sigmoid(x))``."""

    module = "LogSigmoid"
    names = Names(keras="activations.log_sigmoid", onnx="")
    examples = ("10 >> log_sigmoid",)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        exponentials = (Extra(facts.shape.numel, only="cpu"),)
        return INPUT._replace(saved=exponentials, workspace=exponentials, in_place=True)


class Tanh(_Activation, kind="tanh"):
    """The hyperbolic tangent."""

    module = "Tanh"
    saved_for_backward = OUTPUT._replace(in_place=True)
    names = Names(keras="activations.tanh", onnx="Tanh")
    examples = ("6x28x28 >> tanh",)


class Softplus(_Activation, kind="softplus"):
    """``log(1 + exp(x))``."""

    module = "Softplus"
    names = Names(keras="activations.softplus", onnx="Softplus")
    examples = ("6x8x8 >> softplus",)


class Softsign(_Activation, kind="softsign"):
    """``x / (1 + |x|)``."""

    module = "Softsign"
    names = Names(keras="activations.softsign", onnx="Softsign")
    examples = ("6x8x8 >> softsign",)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        divisor = (Extra(facts.shape.numel),)
        return INPUT._replace(saved=divisor, workspace=divisor, backward=divisor * 3, in_place=True)


class Scale(_Activation, kind="scale"):
    """Each value times a fixed ``factor``, which is not learned; Inception-ResNet scales its residuals.

    Source: Szegedy et al. 2016, "Inception-v4", section 3.3.
    """

    factor: Annotated[Number, "what each value is multiplied by"]

    incidental = {"factor": "factor"}
    saved_for_backward = NOTHING._replace(in_place=True)
    names = Names(keras="Rescaling(scale)", onnx="Mul(x,factor)")
    examples = ("896x17x17 >> scale(0.1)", "84 >> scale(-2)")

    def _torch(self, x: Shape) -> Call:
        return Call("torch.mul", factor=self.factor)


class _Softmax(_Activation):
    """What the softmaxes share: one sum over the exponentials of all values along an axis.

    Limits: an axis that the input has.
    """

    axis: Annotated[Axis, "the axis along which the exponentials are added up"] = "channels"

    saved_for_backward = OUTPUT._replace(lies=ROWS)

    def facts(self, x: Shape) -> Facts:
        return super().facts(x)._replace(reach=all_along(x, axis_of(x, self.axis)))

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return (all_channels(inputs[0].channels) if self.axis == "channels" else channels,)

    def _torch(self, x: Shape) -> Call:
        return Call(f"nn.{self.module}", dim=Argument(1 + axis_of(x, self.axis), default=None))


class Softmax(_Softmax, kind="softmax"):
    """Exponentials that sum to one along an axis: over the channels, at each position."""

    module = "Softmax"
    names = Names(keras="Softmax", onnx="Softmax", also="soft")
    examples = (
        "10 >> softmax",
        "21x8x8 >> softmax",
        "21x8x8 >> channels_last >> softmax",
        '24x49 >> tokens >> softmax(axis="length")',
        '6x4x5 >> softmax(axis="height")',
    )

    def facts(self, x: Shape) -> Facts:
        # of each n values n exponentials, n - 1 additions and n divisions
        return (
            super().facts(x)._replace(other={"activation": 3 * x.numel - x.numel // x[axis_of(x, self.axis)]})
        )


class LogSoftmax(_Softmax, kind="log_softmax"):
    """The logarithm of ``softmax``."""

    module = "LogSoftmax"
    names = Names(keras="activations.log_softmax", onnx="LogSoftmax")
    examples = ("10 >> log_softmax", '6x9 >> log_softmax(axis="length")')

    def facts(self, x: Shape) -> Facts:
        # of each n values n exponentials, n - 1 additions, a logarithm and n differences
        return super().facts(x)._replace(other={"activation": 3 * x.numel})


class GLU(_Activation, kind="glu"):
    """The first half of the channels times the sigmoid of the second half.

    Output: half as many channels, ``c/2``.
    Limits: an even number of channels.
    Source: Dauphin et al. 2016, "Language Modeling with Gated Convolutional Networks", equation 1.
    """

    names = Names(keras="activations.glu", onnx="")
    examples = ("16x8x8 >> glu", "64 >> glu", "16x49 >> tokens >> glu")
    saved_for_backward = INPUT._replace(lies=LIKE)

    def facts(self, x: Shape) -> Facts:
        if x.channels % 2:
            raise ShapeError(f"it halves the channels, but its input has {x.channels} of them")
        half = x.with_channels(x.channels // 2)
        # a sigmoid and a product
        return super().facts(half)._replace(other={"activation": 2 * half.numel})

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        return f"{x.channels:,} -> {facts.shape.channels:,} channels: the second half gates the first"

    def _torch(self, x: Shape) -> Call:
        return Call("nn.GLU", dim=Argument(1 + x.channel_axis, default=-1))

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return (channels | channels << inputs[0].channels // 2,)
