"""Pooling: sliding, adaptive and global."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any, ClassVar

from ..geometry import Window, shared
from ..shape import Shape, times
from .attributes import Flag, OptionalSize, Padding, Size, Spare
from .footprint import FORMAT, INPUT, INT64, NOTHING, ROWS, Extra, Footprint
from .op import (
    EVERYWHERE,
    NONE,
    Argument,
    Buffer,
    Call,
    Facts,
    Names,
    NonUniform,
    Op,
    Reach,
    ShapeError,
    weightless,
)
from .windows import check_windows, per_axis, require_spatial, shortest, slide


class _Sliding(Op, family="pooling"):
    """What max and average pooling share: the windows.

    Limits: a map, channels first, with its padding at least as large as the window; padding of at most half
        of the window.
    """

    kernel: Annotated[Size, "size of the window, f"]
    stride: Annotated[OptionalSize, "step of the window, s; none is that of the kernel"] = None
    padding: Annotated[Padding, 'positions added at both sides, p; "same" as TensorFlow pads'] = 0

    sliding = True
    channelwise = True
    follows = {"stride": "kernel"}

    def _windows(self, x: Shape, dilation: Size, ceil_mode: bool) -> tuple[Window, ...]:
        require_spatial(x, self.kind)
        stride = self.kernel if self.stride is None else self.stride
        windows = slide(x, self.kernel, stride, self.padding, dilation, ceil=ceil_mode)
        for window in windows:
            most = window.kernel // 2  # torch does not count the dilation
            if self.padding != "same" and max(window.before, window.after) > most:
                raise ShapeError(
                    f"its padding of {max(window.before, window.after)} is more than half of its "
                    f"window of {window.kernel}, so that a window could see nothing but padding",
                    help=f"padding of at most {most}",
                )
        return windows

    def _padded(self, facts: Facts, x: Shape) -> tuple[Extra, Extra]:
        """The copies that are made where torch cannot pad: padded, then up to the last window's end."""
        assert isinstance(facts.reach, tuple)
        first, second = x.channels, x.channels
        for n, out, w in zip(x.spatial, facts.shape.spatial, facts.reach, strict=True):
            padded = n + w.before + w.after
            first *= padded
            second *= max(padded, (out - 1) * w.stride + w.extent)
        return Extra(first), Extra(second)

    def _own(self, x: Shape, windows: tuple[Window, ...]) -> bool:
        """Whether torch's own module pools so, or its input is padded first."""
        # "same" may pad a dilated window by more than half of its kernel, which torch does not
        return all(w.before == w.after <= w.kernel // 2 for w in windows)

    def _torch(self, name: str, own: bool, windows: tuple[Window, ...], **further: Any) -> Call:
        kernel = tuple(w.kernel for w in windows)
        stride = tuple(w.stride for w in windows)
        padding: Any = tuple((w.before, w.after) for w in windows)
        target = f"archlens.Padded{name}Pool"
        if own:
            padding = shortest(tuple(w.before for w in windows))
            target = f"nn.{name}Pool{len(windows)}d"
        return Call(
            target,
            kernel_size=shortest(kernel),
            stride=Argument(None if stride == kernel else shortest(stride), default=None),
            padding=Argument(padding, default=0),
            **further,
        )


class MaxPool(_Sliding, kind="max_pool"):
    """The largest value in each window; the stride defaults to the kernel.

    With ``ceil_mode`` a last window that would start in the padding is dropped, as in Caffe.

    Output: ``(n + 2p - d(f - 1) - 1)/s + 1`` positions of ``n`` along each axis, rounded down, or up with
        ``ceil_mode``; ``ceil(n/s)`` with ``padding="same"``.
    """

    dilation: Annotated[Size, "distance of the window's taps, d"] = 1
    ceil_mode: Annotated[Flag, "whether the output size is rounded up"] = False

    names = Names(keras="MaxPooling1D MaxPooling2D MaxPooling3D", onnx="MaxPool")
    examples = (
        "6x28x28 >> max_pool(2)",
        "64x112x112 >> max_pool(3, stride=2, padding=1)",
        "64x112x112 >> max_pool(3, stride=2, ceil_mode=true)",
        "4x7x9 >> max_pool((2, 3), stride=(2, 1), padding=(1, 0), ceil_mode=true)",
        "4x11x11 >> max_pool(3, stride=1, dilation=2)",
        '4x10x11 >> max_pool(3, stride=2, padding="same")',
        "4x20 >> max_pool(3)",
        "4x8x8x8 >> max_pool(2)",
    )

    def facts(self, x: Shape) -> Facts:
        windows = self._windows(x, self.dilation, self.ceil_mode)
        shape = Shape((x.channels, *check_windows(windows, x)))
        torch = self._torch(
            "Max",
            self._own(x, windows),
            windows,
            dilation=Argument(shortest(per_axis(self.dilation, x, "dilation")), default=1),
            ceil_mode=Argument(self.ceil_mode, default=False),
        )
        # a comparison between each two positions of a window, its padding included
        work = shape.numel * (prod(w.kernel for w in windows) - 1)
        return weightless(shape, windows, torch, pooling=work)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input and, as int64, the place of each maximum; torch makes those always."""
        assert isinstance(facts.reach, tuple)
        places = Extra(facts.shape.numel, INT64)
        if self._own(inputs[0], facts.reach):
            return INPUT._replace(saved=(places,), workspace=(places,))
        padded = self._padded(facts, inputs[0])
        return Footprint(
            saved=(padded[1], places), before=(padded,), workspace=(padded[1], places), backward=padded[1:]
        )


class AvgPool(_Sliding, kind="avg_pool"):
    """The mean of each window; the stride defaults to the kernel.

    ``count_include_pad=false`` divides by the positions inside the map only, as in TensorFlow.

    Output: ``(n + 2p - f)/s + 1`` positions of ``n`` along each axis, rounded down, or up with ``ceil_mode``;
        ``ceil(n/s)`` with ``padding="same"``.
    """

    ceil_mode: Annotated[Flag, "whether the output size is rounded up"] = False
    count_include_pad: Annotated[Flag, "whether padding counts in the mean"] = True

    names = Names(
        keras="AveragePooling1D AveragePooling2D AveragePooling3D", onnx="AveragePool", also="meanpool"
    )
    examples = (
        "6x28x28 >> avg_pool(2)",
        "8x35x35 >> avg_pool(3, stride=1, padding=1)",
        "8x35x35 >> avg_pool(3, stride=2, padding=1, ceil_mode=true, count_include_pad=false)",
        '4x10x11 >> avg_pool(3, stride=2, padding="same", count_include_pad=false)',
        "4x21 >> avg_pool(4, stride=2)",
        "4x8x8x8 >> avg_pool((1, 2, 2))",
        '4x2x5x5 >> avg_pool(3, stride=2, padding="same", count_include_pad=false)',
    )

    def facts(self, x: Shape) -> Facts:
        windows = self._windows(x, 1, self.ceil_mode)
        sides = self.padding if isinstance(self.padding, tuple) else (self.padding,)
        if len(windows) == 3 and all(isinstance(side, int) for side in sides):  # which torch itself pads
            for axis, n, window in zip(x.axes, x.spatial, windows, strict=True):
                if n < window.kernel:
                    raise ShapeError(
                        f"its window of {window.kernel} is larger than the {axis} of {n}; torch's "
                        "avg_pool3d takes no smaller map, padded or rounded up",
                        help="max_pool takes it, and so does conv",
                        size=True,
                    )
        shape = Shape((x.channels, *check_windows(windows, x)))
        torch = self._torch(
            "Avg",
            self._own(x, windows),
            windows,
            ceil_mode=Argument(self.ceil_mode, default=False),
            count_include_pad=Argument(self.count_include_pad, default=True),
        )
        # an addition between each two positions of a window, its padding included, and a division
        work = shape.numel * prod(w.kernel for w in windows)
        return weightless(shape, windows, torch, pooling=work)

    def _own(self, x: Shape, windows: tuple[Window, ...]) -> bool:
        small = any(n < window.kernel for n, window in zip(x.spatial, windows, strict=True))
        return super()._own(x, windows) and not (small and len(windows) == 3)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """Its backward pass reads no value of its input, and yet torch keeps it."""
        assert isinstance(facts.reach, tuple)
        x = inputs[0]
        if self._own(x, facts.reach):
            return INPUT._replace(lies=ROWS) if len(x.spatial) == 3 else INPUT
        first, second = self._padded(facts, x)
        share = Extra(facts.shape.numel // x.channels, per_sample=False)
        counted = Extra(first.values // x.channels, per_sample=False)
        return Footprint(
            saved=(second, share),
            before=((first, second, counted, share), (second, Extra(facts.shape.numel), counted, share)),
            workspace=(Extra(facts.shape.numel), counted, share),
            backward=(second,),
        )


class BlurPool(Op, kind="blur_pool", family="pooling"):
    """Each channel blurred by a fixed binomial filter, such as ``1 2 1`` or ``1 4 6 4 1``, with a stride.

    It reduces a map without aliasing: after a ``max_pool`` of stride 1, or a convolution, whose stride it
    takes over. For padding by reflection, put it before: ``pad(1, mode="reflect") >> blur_pool(3)``. The
    filter is not trained, and runs as a depthwise convolution. With ``kept``, it is in the state dict, once
    for each channel.

    Output: ``(n + 2p - f)/s + 1`` positions of ``n`` along each axis, rounded down.
    MACs: ``f*f`` for each output value.
    Limits: a map, channels first, with its padding at least as large as the window.
    Source: Zhang 2019, "Making Convolutional Networks Shift-Invariant Again", section 3.3.
    """

    kernel: Annotated[Size, "size of the filter, f"]
    stride: Annotated[Size, "step of the filter, s"] = 2
    padding: Annotated[Spare, "positions added at both sides, p, of zeros"] = 0
    kept: Annotated[Flag, "whether the state dict has the filter, once for each channel"] = False

    sliding = True
    channelwise = True
    saved_for_backward = INPUT
    names = Names(keras="", onnx="", also="blur antialias antialiasing binomialfilter lowpass lowpassfilter")
    examples = (
        "8x15x16 >> blur_pool(3)",
        "4x9x12 >> blur_pool((5, 2), stride=(2, 3), padding=(2, 1))",
        "6x20 >> blur_pool(4, stride=1, padding=2)",
        "2x6x7x8 >> blur_pool(3, padding=1)",
        "3x9x8 >> blur_pool(3, kept=true)",
    )

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, self.kind)
        kernel = per_axis(self.kernel, x, "kernel")
        windows = slide(x, self.kernel, self.stride, self.padding)
        shape = Shape((x.channels, *check_windows(windows, x)))
        return Facts(
            shape=shape,
            weights=NONE,
            buffers={"filt": Buffer((x.channels if self.kept else 1, 1, *kernel), saved=self.kept)},
            macs=shape.numel * prod(kernel),
            other={},
            reach=windows,
            torch=Call(
                "archlens.BlurPool",
                kernel=kernel,
                stride=shortest(tuple(w.stride for w in windows)),
                padding=Argument(shortest(tuple(w.before for w in windows)), default=0),
                channels=Argument(x.channels if self.kept else None, default=None),
            ),
        )

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        kernel = facts.buffers["filt"].shape[2:]
        return (
            f"{facts.shape} = {facts.shape.numel:,} outputs x {times(kernel)} = {prod(kernel):,} products "
            f"each = {facts.macs:,}"
        )


class _Sized(Op, family="pooling"):
    """What pooling to a size shares: output i of ``o`` sees inputs ``floor(i*n/o)`` to ``ceil((i + 1)*n/o)``.

    Limits: a map, channels first.
    """

    channelwise = True
    #: Whether it takes the largest value of a window, and not the mean.
    largest: ClassVar[bool] = False

    def _sizes(self, x: Shape) -> tuple[int, ...]:
        """The positions of the output: one along each axis, unless an op says otherwise."""
        return (1,) * len(x.spatial)

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, self.kind)
        sizes = self._sizes(x)
        shape = Shape((x.channels, *sizes))
        reach: Reach
        if all(o == 1 for o in sizes):
            reach = EVERYWHERE
        elif all(n % o == 0 for n, o in zip(x.spatial, sizes, strict=True)):
            reach = tuple(Window(n // o, n // o) for n, o in zip(x.spatial, sizes, strict=True))
        else:
            reach = NonUniform(f"the windows that take {times(x.spatial)} to {times(sizes)} differ in size")
        # neighbouring windows share a position wherever their border does not fall between two
        seen = prod(n if o == 1 else n + o - shared(n, o) for n, o in zip(x.spatial, sizes, strict=True))
        # a comparison or an addition between each two values of a window; and for a mean the division
        work = x.channels * seen - (shape.numel if self.largest else 0)
        name = f"nn.Adaptive{'Max' if self.largest else 'Avg'}Pool{len(sizes)}d"
        return weightless(shape, reach, Call(name, output_size=shortest(sizes)), pooling=work)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input, and the place of each maximum; a mean over everything needs neither."""
        lies = ROWS if len(facts.shape.spatial) == 3 else FORMAT
        if self.largest:
            places = (Extra(facts.shape.numel, INT64),)
            return INPUT._replace(saved=places, workspace=places, lies=lies)
        return NOTHING if prod(facts.shape.spatial) == 1 else INPUT._replace(lies=lies)

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return f"{times(inputs[0].spatial)} -> {times(facts.shape.spatial)}, whatever the input"


class _Adaptive(_Sized):
    """Pooling to a size that is given.

    Output: the size that is given, whatever the input.
    """

    size: Annotated[Size, "positions of the output, o"]

    def _sizes(self, x: Shape) -> tuple[int, ...]:
        return per_axis(self.size, x, "size")


class AdaptiveAvgPool(_Adaptive, kind="adaptive_avg_pool"):
    """The mean over windows chosen so that the output has the requested size.

    Output i of ``o`` sees inputs ``floor(i*n/o)`` to ``ceil((i + 1)*n/o)``, excluding the last.
    """

    names = Names(
        keras="AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D",
        onnx="",
        also="adaptiveaveragepool",
    )
    examples = (
        "512x7x7 >> adaptive_avg_pool(1)",
        "256x13x13 >> adaptive_avg_pool(6)",
        "8x12x9 >> adaptive_avg_pool((6, 3))",
        "8x2x2 >> adaptive_avg_pool(7)",
        "8x10 >> adaptive_avg_pool(4)",
        "2x4x6x8 >> adaptive_avg_pool(2)",
    )


class AdaptiveMaxPool(_Adaptive, kind="adaptive_max_pool"):
    """The largest value over windows chosen so that the output has the requested size.

    Output i of ``o`` sees inputs ``floor(i*n/o)`` to ``ceil((i + 1)*n/o)``, excluding the last.
    """

    largest = True
    names = Names(keras="AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D", onnx="")
    examples = ("256x13x13 >> adaptive_max_pool(6)", "8x12x9 >> adaptive_max_pool((6, 3))")


class _Global(_Sized):
    """Pooling with one window as large as the map.

    Output: ``Cx1x1``, with a 1 for each axis of the input.
    """


class GlobalAvgPool(_Global, kind="global_avg_pool"):
    """The mean over the whole map, of each channel; keeps the axes, so the output is ``Cx1x1``."""

    names = Names(
        keras="GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D",
        onnx="GlobalAveragePool",
        also="gap globalpool",
    )
    examples = ("1280x7x7 >> global_avg_pool", "8x50 >> global_avg_pool")


class GlobalMaxPool(_Global, kind="global_max_pool"):
    """The largest value of the whole map, of each channel; keeps the axes, so the output is ``Cx1x1``."""

    largest = True
    names = Names(
        keras="GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D",
        onnx="GlobalMaxPool",
        also="gmp",
    )
    examples = ("64x7x5 >> global_max_pool",)
