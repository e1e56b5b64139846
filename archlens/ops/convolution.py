"""Convolutions: plain, grouped, depthwise, dilated and transposed, over one to three spatial axes."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar

from ..formulas import sizes_only
from ..geometry import POINT, Window, same_transposed
from ..shape import Shape, times
from .attributes import Count, Flag, Index, Number, OptionalNumber, Padding, Size, Spare
from .footprint import INPUT, STATISTIC, Extra, Footprint
from .op import (
    NONE,
    Argument,
    Call,
    Facts,
    Names,
    Op,
    ShapeError,
    Tensors,
    as_written,
    per_group,
    read_by_groups,
)
from .windows import check_windows, per_axis, require_spatial, shortest, sides_of, slide


class Conv(Op, kind="conv", family="convolution"):
    """N-dimensional convolution over ``(C, *spatial)``; one, two or three spatial axes.

    ``groups=x.channels`` makes it depthwise.

    Output: ``(n + 2p - d(f - 1) - 1)/s + 1`` positions of ``n`` along each axis, rounded down; ``ceil(n/s)``
        with ``padding="same"``.
    Parameters: ``c_out * c_in/groups * f*f``, and a bias for each output channel.
    MACs: ``c_in/groups * f*f`` for each output value.
    Limits: a map, channels first, with its padding at least as large as the window; ``groups`` divides the
        channels of input and output.
    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", sections 2 and 5.
    """

    channels: Annotated[Count, "channels of the output, c_out"]
    kernel: Annotated[Size, "size of the window, f"]
    stride: Annotated[Size, "step of the window, s"] = 1
    padding: Annotated[Padding, 'positions added at both sides, p; "same" as TensorFlow pads'] = 0
    dilation: Annotated[Size, "distance between the taps of the window, d"] = 1
    groups: Annotated[Count, "groups of channels that are convolved separately"] = 1
    bias: Annotated[Flag, "whether each output channel has a bias"] = True

    sliding = True
    names = Names(keras="Conv1D Conv2D Conv3D", onnx="Conv", also="convolution convolutional")
    examples: ClassVar[tuple[str, ...]] = (
        "1x32x32 >> conv(6, 5)",
        "3x224x224 >> conv(64, 7, stride=2, padding=3, bias=false)",
        "8x15x20 >> conv(12, (3, 5), stride=(2, 1), padding=(0, 2))",
        "6x14x14 >> conv(6, 3, padding=1, groups=6)",
        "4x28x28 >> conv(8, 3, padding=2, dilation=2)",
        '3x15x16 >> conv(8, 3, stride=2, padding="same")',
        '3x9x9 >> conv(8, 4, padding="same", dilation=2)',
        "3x9x9 >> conv(8, 3, stride=2, padding=((0, 1), (2, 1)))",
        "2x50 >> conv(4, 9, stride=4)",
        '2x50 >> conv(4, 3, stride=3, padding="valid")',
        "3x8x16x16 >> conv(4, 3, padding=1)",
    )

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "conv")
        kernel = per_axis(self.kernel, x, "kernel")
        windows = slide(x, self.kernel, self.stride, self.padding, self.dilation)

        # C_out, *spatial
        shape = Shape((self.channels, *check_windows(windows, x)))
        depth = per_group(x.channels, self.groups, "input")
        per_group(self.channels, self.groups, "output")
        weights = _weights(self, (self.channels, depth, *kernel))
        return Facts(
            shape=shape,
            weights=weights,
            buffers=NONE,
            macs=shape.numel * depth * prod(kernel),
            other={"bias": shape.numel} if self.bias else {},
            reach=windows,
            torch=_torch_conv(self, x, windows),
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return (read_by_groups(channels, self.groups, inputs[0].channels, self.channels),)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input; where the sides are padded apart, the padded copy instead."""
        assert isinstance(facts.reach, tuple)
        if _even(facts.reach):
            return INPUT
        x = inputs[0]
        sizes = [n + w.before + w.after for n, w in zip(x.spatial, facts.reach, strict=True)]
        padded = (Extra(x.channels * prod(sizes)),)
        wider = (Extra(max(padded[0].values - x.numel, 0)),)  # than the gradient of what is padded
        return Footprint(saved=padded, before=(padded,), workspace=padded, backward=wider)

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        depth, *kernel = facts.weights["weight"][1:]
        return (
            f"{facts.shape} = {facts.shape.numel:,} outputs x {times((depth, *kernel))} = "
            f"{depth * prod(kernel):,} products each = {facts.macs:,}"
        )

    def why_params(self, facts: Facts) -> str:
        depth = facts.weights["weight"][1]
        shared = f" ({depth * self.groups:,} channels / {self.groups:,} groups)" if self.groups > 1 else ""
        return _kernels(facts, f"{self.channels:,} kernels", facts.weights["weight"][1:], shared)


class FrameConv(Conv, kind="frame_conv"):
    """Convolution of each frame by itself, with the same weights: ``(C, T, *spatial)`` holds ``T`` frames.

    It does what ``conv`` does to each sample if frames, windows, heads or patches are folded into the batch:
    its window never reaches across the first axis.

    Output: that of ``conv`` along each axis except the first, which stays.
    Parameters: ``c_out * c_in/groups * f*f``, and a bias for each output channel.
    MACs: ``c_in/groups * f*f`` for each output value.
    Limits: those of ``conv``, for a map of one or two axes after that of the frames.
    Source: torch's ``nn.Conv1d`` and ``nn.Conv2d`` of ``x.transpose(1, 2).flatten(0, 1)``.
    """

    names = Names(keras="", onnx="", also="frameconv timedistributedconv windowconv")
    examples = (
        "3x4x15x16 >> frame_conv(8, 3, stride=2, padding=1)",
        "6x5x20 >> frame_conv(6, 5, padding=2, dilation=2, groups=6, bias=false)",
        '2x3x9x8 >> frame_conv(4, 3, stride=2, padding="same")',
    )

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "frame_conv")
        if not 3 <= len(x) <= 4:
            raise ShapeError(
                f"its input of {x} is no row of frames: CxTxL or CxTxHxW, of which T counts them",
                help="a map that is no row of frames is convolved by conv" if len(x) < 3 else "",
            )
        channels, frames, *sides = x
        frame = Shape((channels, *sides))
        plain = super().facts(frame)
        assert isinstance(plain.reach, tuple)
        return plain._replace(
            shape=Shape((self.channels, frames, *plain.shape.spatial)),
            macs=frames * plain.macs,
            other={name: frames * count for name, count in plain.other.items()},
            reach=(POINT, *plain.reach),
            torch=_torch_conv(self, frame, plain.reach, "Frame"),
        )


class StandardizedConv(Conv, kind="ws_conv"):
    """Convolution with standardized weights: the kernel of each output channel has mean 0 and variance 1.

    With a ``gain``, the kernel is then scaled by a learned number, by that fixed factor, and by one over the
    square root of its number of values, as in normalizer-free networks.

    Output: as that of ``conv``.
    Parameters: ``c_out * c_in/groups * f*f``, and a bias for each output channel; as many gains, if any.
    MACs: ``c_in/groups * f*f`` for each output value.
    Limits: those of ``conv``.
    Source: Qiao et al. 2019, "Micro-Batch Training with Batch-Channel Normalization and Weight
        Standardization", equation 2; with a gain Brock et al. 2021, "Characterizing signal propagation to
        close the performance gap in unnormalized ResNets", equation 3.
    """

    eps: Annotated[Number, "added to the variance before its root is taken"] = 1e-6
    gain: Annotated[OptionalNumber, "a fixed factor that goes with a learned one, or none"] = None

    incidental = {"eps": "eps"}
    names = Names(
        keras="", onnx="", also="stdconv scaledstdconv weightstandardization weightstandardizedconv"
    )
    examples = (
        "3x15x16 >> ws_conv(8, 3, padding=1, eps=0.1)",
        '6x9x9 >> ws_conv(4, 3, stride=2, padding="same", groups=2, bias=false, gain=1.7)',
        "2x50 >> ws_conv(4, 9, stride=4, dilation=2)",
    )

    def facts(self, x: Shape) -> Facts:
        plain = super().facts(x)
        weight = plain.weights["weight"]
        gain = {"gain": (weight[0], *(1,) * (len(weight) - 1))} if self.gain is not None else {}
        # as a normalization has its work, with a product of each value more where there is a gain
        work = (5 + len(gain)) * prod(weight) + 3 * weight[0]
        return plain._replace(
            weights={**plain.weights, **gain},
            other={**plain.other, "normalization": work},
            torch=_torch_conv(self, x, plain.reach, "Standardized", eps=1e-6, gain=None),  # type: ignore[arg-type]
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps the standardized weights, and the mean and the deviation of each kernel."""
        count = prod(facts.weights["weight"])
        made = (
            Extra(count, per_sample=False),
            *(Extra(self.channels, STATISTIC, per_sample=False),) * 2,
            *(Extra(self.channels, per_sample=False),) * (self.gain is not None),
        )
        plain = super().footprint(facts, *inputs)
        return plain._replace(
            saved=(*plain.saved, *made),
            workspace=(*plain.workspace, made[0], *made[3:]),
            backward=(*plain.backward, *(made[0],) * 2),
        )

    def why_params(self, facts: Facts) -> str:
        weights = {name: shape for name, shape in facts.weights.items() if name != "gain"}
        text = super().why_params(facts._replace(weights=weights))
        return text + (f" + {self.channels:,} gains = {facts.params:,}" if "gain" in facts.weights else "")


class WeightNormConv(Conv, kind="wn_conv"):
    """Convolution whose kernels are kept as directions and lengths: ``g * v / |v|``.

    ``v`` has the size of the kernels, and ``g`` a length for each output channel, or, with ``dim``, for each
    position along another axis of the weight: in ``c_out x c_in/groups x f``, axis 2 is the position in the
    window.

    Output: as that of ``conv``.
    Parameters: ``c_out * c_in/groups * f*f``, and a bias for each output channel; as many lengths as the
        weight has positions along ``dim``.
    MACs: ``c_in/groups * f*f`` for each output value.
    Limits: those of ``conv``.
    Source: Salimans and Kingma 2016, "Weight Normalization", equation 2; torch's
        ``nn.utils.parametrizations.weight_norm``.
    """

    dim: Annotated[Index, "the axis of the weight along which the lengths lie"] = 0
    hook: Annotated[Flag, "whether their keys are weight_g and weight_v, as of the older weight_norm"] = False

    names = Names(keras="", onnx="", also="weightnorm weightnormconv weightnormalization")
    examples = (
        "3x15x16 >> wn_conv(8, 3, padding=1)",
        "6x50 >> wn_conv(4, 9, stride=4, dilation=2, groups=2, bias=false, dim=2)",
        '4x9x9 >> wn_conv(6, 3, stride=2, padding="same", dim=1)',
        "5x20 >> wn_conv(4, 3, padding=1, hook=true)",
    )

    def facts(self, x: Shape) -> Facts:
        plain = super().facts(x)
        weight = plain.weights["weight"]
        if not 0 <= self.dim < len(weight):
            raise ShapeError(
                f"its weight of {times(weight)} has no axis {as_written(self.dim)}",
                help=f"dim is from 0, output channels, to {len(weight) - 1}",
            )
        lengths = tuple([n if axis == self.dim else 1 for axis, n in enumerate(weight)])
        bias = {"bias": plain.weights["bias"]} if self.bias else {}
        return plain._replace(
            weights={**bias, **dict(zip(self._kept, (lengths, weight), strict=True))},
            # squares, their sums, roots and quotients, and a product for each
            other={**plain.other, "normalization": 3 * prod(weight) + weight[self.dim]},
            torch=_torch_conv(self, x, plain.reach, "WeightNorm", dim=0, hook=False),  # type: ignore[arg-type]
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps the kernels that were made, how long the directions are, and what these are scaled by."""
        lengths, count = (prod(facts.weights[name]) for name in self._kept)
        made = (Extra(count, per_sample=False), *(Extra(lengths, per_sample=False),) * 2)
        plain = super().footprint(facts, *inputs)
        return plain._replace(
            saved=(*plain.saved, *made),
            workspace=(*plain.workspace, made[0]),
            backward=(*plain.backward, *(made[0],) * 2),
        )

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        return super().why_macs(facts._replace(weights={"weight": facts.weights[self._kept[1]]}), *inputs)

    def why_params(self, facts: Facts) -> str:
        lengths, kernels = (facts.weights[name] for name in self._kept)
        weights = {key: shape for key, shape in facts.weights.items() if key not in self._kept}
        text = super().why_params(facts._replace(weights={"weight": kernels, **weights}))
        return f"{text} + {prod(lengths):,} lengths = {facts.params:,}"

    @property
    def _kept(self) -> tuple[str, str]:
        """The keys of the lengths and of the directions, as torch has them."""
        if self.hook:
            return "weight_g", "weight_v"
        return "parametrizations.weight.original0", "parametrizations.weight.original1"


class ConvTranspose(Op, kind="conv_transpose", family="convolution"):
    """Transposed convolution over ``(C, *spatial)``: each input writes a kernel of outputs.

    ``padding`` crops the output; ``output_padding`` adds positions at its end. Cropped positions are computed
    nevertheless, and counted, as by fvcore and ``torch.utils.flop_counter``.

    Output: ``(n - 1)s - 2p + d(f - 1) + 1 + output_padding`` positions of ``n`` along each axis; ``n*s``
        with ``padding="same"``.
    Parameters: ``c_in * c_out/groups * f*f``, and a bias for each output channel.
    MACs: ``c_out/groups * f*f`` for each input value.
    Limits: a map, channels first; ``output_padding`` smaller than the stride or the dilation; ``groups``
        divides the channels of input and output.
    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", section 4.
    """

    channels: Annotated[Count, "channels of the output, c_out"]
    kernel: Annotated[Size, "size of the kernel that each input writes, f"]
    stride: Annotated[Size, "step between the kernels of neighbours, s"] = 1
    padding: Annotated[Padding, 'positions cut off at both sides, p; "same" leaves n*s'] = 0
    output_padding: Annotated[Spare, "positions added at the end"] = 0
    groups: Annotated[Count, "groups of channels that are convolved separately"] = 1
    bias: Annotated[Flag, "whether each output channel has a bias"] = True
    dilation: Annotated[Size, "distance between the taps of the kernel, d"] = 1

    sliding = True
    names = Names(
        keras="Conv1DTranspose Conv2DTranspose Conv3DTranspose",
        onnx="ConvTranspose",
        also="transposedconv transposedconvolution convtransposed deconv deconvolution upconv",
    )
    examples = (
        "8x28x28 >> conv_transpose(4, 2, stride=2)",
        "8x14x14 >> conv_transpose(4, 3, stride=2, padding=1, output_padding=1, bias=false)",
        "8x7x9 >> conv_transpose(6, (4, 3), stride=(2, 1), padding=(1, 0), groups=2)",
        "4x20 >> conv_transpose(2, 5, stride=3, dilation=2)",
        '4x7x7 >> conv_transpose(2, 5, stride=2, padding="same")',
        '4x7x7 >> conv_transpose(2, 2, stride=3, padding="same")',
        "4x4x4x4 >> conv_transpose(2, 2, stride=2)",
    )

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "conv_transpose")
        kernel = per_axis(self.kernel, x, "kernel")
        stride = per_axis(self.stride, x, "stride")
        dilation = per_axis(self.dilation, x, "dilation")
        spare = per_axis(self.output_padding, x, "output_padding")
        if any(o >= max(s, d) for o, s, d in zip(spare, stride, dilation, strict=True)):
            raise ShapeError(
                "its output_padding must be smaller than its stride or its dilation",
                notes=(f"output_padding={times(spare)}, stride={times(stride)}, dilation={times(dilation)}",),
            )
        if self.padding == "same":
            sides = tuple(map(same_transposed, kernel, stride, dilation))
        else:
            sides = sides_of(self.padding, x)
        windows = tuple(
            Window(f, s, before, after - o, d, transposed=True)
            for f, s, (before, after), o, d in zip(kernel, stride, sides, spare, dilation, strict=True)
        )

        # C_out, *spatial
        shape = Shape((self.channels, *check_windows(windows, x)))
        per_group(x.channels, self.groups, "input")
        depth = per_group(self.channels, self.groups, "output")
        weights = _weights(self, (x.channels, depth, *kernel))
        return Facts(
            shape=shape,
            weights=weights,
            buffers=NONE,
            macs=x.numel * depth * prod(kernel),
            other={"bias": shape.numel} if self.bias else {},
            reach=windows,
            torch=_torch_transposed(self, x, windows),
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return (read_by_groups(channels, self.groups, inputs[0].channels, self.channels),)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input; where the sides are cut apart, the whole output exists for a moment."""
        assert isinstance(facts.reach, tuple)
        if not _cut_apart(facts.reach):
            return INPUT
        whole = [
            w._replace(before=0, after=min(w.after, 0)).output(n)
            for w, n in zip(facts.reach, inputs[0].spatial, strict=True)
        ]
        uncut = (Extra(self.channels * prod(whole)),)
        return INPUT._replace(workspace=uncut, backward=uncut)

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        depth, *kernel = facts.weights["weight"][1:]
        return (
            f"{inputs[0]} = {inputs[0].numel:,} inputs x {times((depth, *kernel))} = "
            f"{depth * prod(kernel):,} products each = {facts.macs:,}"
        )

    def why_params(self, facts: Facts) -> str:
        rows, *kernel = facts.weights["weight"]
        return _kernels(facts, f"{rows:,} kernels", tuple(kernel))


def _weights(op: Conv | ConvTranspose, weight: tuple[int, ...]) -> Tensors:
    return {"weight": weight, "bias": (op.channels,)} if op.bias else {"weight": weight}


def _kernels(facts: Facts, kernels: str, kernel: tuple[int, ...], shared: str = "") -> str:
    text = f"{kernels} of {times(kernel)}{shared} = {prod(facts.weights['weight']):,} weights"
    if "bias" in facts.weights:
        text += f" + {facts.weights['bias'][0]:,} biases = {facts.params:,}"
    return text


def _torch_conv(op: Conv, x: Shape, windows: tuple[Window, ...], form: str = "", **further: Any) -> Call:
    """Torch pads both sides alike; ``archlens.PaddedConv*d`` is the same module that pads them apart.

    Args:
        op: the convolution.
        x: its input.
        windows: its windows.
        form: what stands before the name of archlens' own module of another kind.
        further: what that takes beside, with its defaults.
    """
    name = f"archlens.{form}Conv" if form else "nn.Conv"
    padding = op.padding
    if type(padding) is not int:
        even = sizes_only((*x, *windows[0])) or _even(windows)  # which does nothing to any size
        name = name if even else f"archlens.Padded{form}Conv"
        padding = shortest(tuple([w.before if even else (w.before, w.after) for w in windows]))
    own: dict[str, Any] = {
        key: Argument(getattr(op, key), default=default) for key, default in further.items()
    }
    return Call(f"{name}{len(windows)}d", **_arguments(op, x, padding), **own)


def _torch_transposed(op: ConvTranspose, x: Shape, windows: tuple[Window, ...]) -> Call:
    """Torch crops both sides alike and gives a few positions back at the end; else it is archlens' own."""
    spare = tuple(w.before - w.after for w in windows)
    name, padding = "nn.ConvTranspose", shortest(tuple(w.before for w in windows))
    if _cut_apart(windows):
        name, padding = "archlens.CroppedConvTranspose", tuple((w.before, w.after) for w in windows)
        spare = (0,)
    return Call(
        f"{name}{len(windows)}d",
        **_arguments(op, x, padding),
        output_padding=Argument(shortest(spare), default=0),
    )


def _even(windows: tuple[Window, ...]) -> bool:
    """Whether both sides of every axis are padded alike."""
    return all(w.before == w.after for w in windows)


def _cut_apart(windows: tuple[Window, ...]) -> bool:
    """Whether the sides of an output are cut by amounts that torch's ``output_padding`` cannot say."""
    return not all(0 <= w.before - w.after < max(w.stride, w.dilation) for w in windows)


def _arguments(op: Conv | ConvTranspose, x: Shape, padding: Any) -> dict[str, Any]:
    """What all of torch's convolutions take, with the padding that came of ``same`` and the like."""
    return {
        "in_channels": x.channels,
        "out_channels": op.channels,
        "kernel_size": op.kernel,
        "stride": Argument(op.stride, default=1),
        "padding": Argument(padding, default=0),
        "dilation": Argument(op.dilation, default=1),
        "groups": Argument(op.groups, default=1),
        "bias": Argument(op.bias, default=True),
    }
