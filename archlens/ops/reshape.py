"""Ops that move values about and compute nothing: flatten, reshape, pad, crop, slice, shuffle."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from ..geometry import POINT, Window
from ..shape import AXIS_NAMES, Shape, times
from .attributes import Count, Dims, Filling, Index, OptionalIndex, Padding, Sides, Size, choice
from .axes import Axis, axis_of
from .footprint import INPUT, NOTHING, Extra, Footprint, Reshaped
from .op import (
    EVERYWHERE,
    Call,
    Facts,
    Names,
    NonUniform,
    Op,
    ShapeError,
    all_channels,
    along,
    per_group,
    weightless,
)
from .windows import per_axis, require_channels_first, require_spatial, sides_of


class Identity(Op, kind="identity", family="reshape"):
    """The input itself. It makes no layer, but has a number, as in ``nn.Sequential``.

    Output: the shape of the input.
    Limits: none.
    """

    transparent = True
    channelwise = True
    saved_for_backward = Footprint(moves=(Reshaped(),))
    names = Names(keras="Identity", onnx="Identity", also="noop pass passthrough skip inputlayer")
    examples = ("8x4x4 >> identity",)

    def facts(self, x: Shape) -> Facts:
        return weightless(x, (POINT,) * (len(x) - 1), Call("nn.Identity"))


class Flatten(Op, kind="flatten", family="reshape"):
    """All values in one vector: ``CxHxW`` becomes ``C*H*W`` features.

    Output: ``C*H*W``.
    Limits: none.
    """

    names = Names(keras="Flatten", onnx="Flatten", also="view ravel squeeze")
    examples = ("16x5x5 >> flatten", "512x1x1 >> flatten", "84 >> flatten")
    saved_for_backward = Footprint(moves=(Reshaped(),))

    def facts(self, x: Shape) -> Facts:
        return weightless(Shape((x.numel,)), EVERYWHERE, Call("nn.Flatten"))

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return " * ".join(map(str, inputs[0])) + f" = {facts.shape.numel}" if len(inputs[0]) > 1 else ""


class Reshape(Op, kind="reshape", family="reshape"):
    """The same values in another shape, in row-major order; one size may be ``-1``.

    Output: the shape that is given; ``-1`` is the values of the input divided by the other sizes.
    Limits: channels first, at most three spatial axes, and as many values as the input has.
    """

    shape: Annotated[Dims, "the new sizes, channels first"]

    whole = True
    names = Names(keras="Reshape", onnx="Reshape", also="unflatten")
    examples = ("400 >> reshape([16, 5, 5])", "16x5x5 >> reshape([-1, 25])")
    saved_for_backward = Footprint(moves=(Reshaped(),))

    def facts(self, x: Shape) -> Facts:
        require_channels_first(x, "reshape")
        known = prod(size for size in self.shape if size != -1)
        free = self.shape.count(-1)
        if len(self.shape) - 1 not in AXIS_NAMES:
            raise ShapeError(f"{times(self.shape)} has more than three spatial axes")
        if free > 1:
            raise ShapeError(f"only one size can be -1, and {times(self.shape)} has {free}")
        if x.numel % known if free else x.numel != known:
            raise ShapeError(
                f"{x} holds {x.numel:,} values, which {times(self.shape)} cannot hold",
                notes=(f"{' * '.join(map(str, self.shape)).replace('-1', '?')} must make {x.numel:,}",),
                help=f"the sizes given make {known:,}" + (", which must divide it" if free else ""),
                size=True,
            )
        shape = Shape(x.numel // known if size == -1 else size for size in self.shape)
        return weightless(
            shape,
            NonUniform("reshape rearranges positions"),
            Call("nn.Unflatten", dim=1, unflattened_size=tuple(shape))
            if len(x) == 1
            else Call("torch.reshape", shape=(-1, *shape)),
        )

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return f"{' * '.join(map(str, inputs[0]))} = {' * '.join(map(str, facts.shape))}"


class Pad(Op, kind="pad", family="reshape"):
    """Positions added around a map: zeros, a constant, its reflection or its border repeated.

    ``channels`` adds whole channels of the constant, as in the parameter-free shortcuts of the first ResNet
    (option A).

    Output: ``n + p1 + p2`` positions of ``n`` along each axis.
    Limits: a map, channels first; ``mode="reflect"`` pads by less than the size of the map; channels are
        padded with a constant.
    """

    padding: Annotated[Padding, "positions added at both sides"] = 0
    mode: Annotated[str, choice("constant", "reflect", "replicate"), "what is added"] = "constant"
    value: Annotated[Filling, "the constant"] = 0.0
    channels: Annotated[Sides, "whole channels added before and after"] = 0

    incidental = {"value": "value"}
    names = Names(
        keras="ZeroPadding1D ZeroPadding2D ZeroPadding3D",
        onnx="Pad",
        also="zeropad constantpad reflectionpad replicationpad reflectpad",
    )
    examples = (
        "3x28x28 >> pad(2)",
        "3x28x28 >> pad(((0, 1), (2, 3)))",
        '3x8x9 >> pad((1, 2), mode="reflect")',
        '3x10 >> pad(3, mode="replicate")',
        "2x4x4x4 >> pad(1, value=-1.5)",
        '4x6x6 >> pad(1, value="-inf")',
        "16x8x8 >> pad(channels=(0, 16))",
        "4x7 >> pad(1, channels=2)",
    )

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "pad")
        if isinstance(self.padding, str):
            raise ShapeError(
                f'"{self.padding}" depends on the window of a convolution; pad takes numbers',
                help="pad(1), pad((1, 2)) or pad(((0, 1), (0, 1)))",
            )
        sides = sides_of(self.padding, x)
        for axis, n, pair in zip(x.axes, x.spatial, sides, strict=True):
            if self.mode == "reflect" and max(pair) >= n:
                raise ShapeError(
                    f"it cannot reflect {max(pair)} positions of a {axis} of {n}",
                    help=f"at most {n - 1}",
                    size=True,
                )
        before, after = self.channels if isinstance(self.channels, tuple) else (self.channels,) * 2
        if (before or after) and self.mode != "constant":
            raise ShapeError(
                f'mode="{self.mode}" repeats what lies beside it, and channels have no neighbours',
                help=f'pad the positions first: pad(..., mode="{self.mode}") >> pad(channels=...)',
            )
        shape = Shape(
            (x.channels + before + after, *(n + sum(p) for n, p in zip(x.spatial, sides, strict=True)))
        )
        if before or after:
            torch = Call("archlens.pad_sides", sides=((before, after), *sides), value=float(self.value))
            return weightless(shape, tuple(Window(1, 1, *pair) for pair in sides), torch)
        # torch counts from the last axis: left, right, top, bottom, …
        flat = tuple(side for pair in reversed(sides) for side in pair)
        name = {"constant": "Constant", "reflect": "Reflection", "replicate": "Replication"}[self.mode]
        value: dict[str, Any] = {"value": float(self.value)} if self.mode == "constant" else {}
        torch = Call(f"nn.{name}Pad{len(sides)}d", padding=flat, **value)
        return weightless(shape, tuple(Window(1, 1, *pair) for pair in sides), torch)

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        before = self.channels[0] if isinstance(self.channels, tuple) else self.channels
        return (channels >> before & all_channels(inputs[0].channels),)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """Zeros and constants keep nothing; torch keeps the input of the other two."""
        return NOTHING if self.mode == "constant" else INPUT

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        sums = _sums(facts, inputs[0], lambda w, n: f"{n} + {w.before} + {w.after} = {w.output(n)}")
        if facts.shape.channels == inputs[0].channels:
            return sums
        before, after = self.channels if isinstance(self.channels, tuple) else (self.channels,) * 2
        channels = f"channels: {inputs[0].channels} + {before} + {after} = {facts.shape.channels}"
        return channels if self.padding == 0 else f"{channels}; {sums}"


class Crop(Op, kind="crop", family="reshape"):
    """The centre of a map, in the requested size; an odd remainder is cut off at the end.

    Output: the size that is given.
    Limits: a map, channels first, at least as large as that size.
    """

    size: Annotated[Size, "positions that are kept"]

    channelwise = True
    names = Names(keras="CenterCrop", onnx="CenterCropPad", also="cropping")
    examples = ("64x64x64 >> crop(56)", "8x7x9 >> crop((4, 8))", "8x11 >> crop(4)")

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "crop")
        sizes = per_axis(self.size, x, "size")
        for axis, n, size in zip(x.axes, x.spatial, sizes, strict=True):
            if size > n:
                raise ShapeError(
                    f"it cannot cut {size} positions out of a {axis} of {n}",
                    help="crop the larger of the two maps, or pad this one",
                    size=True,
                )
        starts = tuple((n - size) // 2 for n, size in zip(x.spatial, sizes, strict=True))
        windows = tuple(
            Window(1, 1, -start, -(n - size - start))
            for n, size, start in zip(x.spatial, sizes, starts, strict=True)
        )
        return weightless(
            Shape((x.channels, *sizes)),
            windows,
            Call("archlens.crop", starts=starts, sizes=sizes),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """Its gradient gets its zeros back axis by axis, the last one first."""
        x = inputs[0]
        between = (Extra(x.numel // x.spatial[0] * facts.shape.spatial[0]),) if len(x.spatial) > 1 else ()
        return Footprint(part=True, backward=between)

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return _sums(facts, inputs[0], lambda w, n: f"{n} - {-w.before} - {-w.after} = {w.output(n)}")


class Slice(Op, kind="slice", family="reshape"):
    """Part of an axis: positions ``start`` to ``stop`` (excluded), every ``step``-th.

    Python's rules: negative numbers count from the end, and ``stop=none`` is the end.

    Output: ``ceil((stop - start)/step)`` of the axis.
    Limits: an axis that the input has, and at least one position of it.
    """

    start: Annotated[Index, "the first position"] = 0
    stop: Annotated[OptionalIndex, "the first position that is left out"] = None
    step: Annotated[Count, "the step between positions"] = 1
    axis: Annotated[Axis, "along which axis"] = "channels"

    names = Names(keras="", onnx="Slice")
    examples = (
        "116x28x28 >> slice(0, 58)",
        "116x28x28 >> slice(58)",
        '3x9x8 >> slice(1, -1, step=2, axis="height")',
        '3x9x8 >> slice(1, axis="width")',
        "100 >> slice(-10)",
        '24x50 >> tokens >> slice(0, 1, axis="length")',
        '6x9x8 >> channels_last >> slice(1, -1, step=2, axis="width")',
        "6x9x8 >> channels_last >> slice(2, 5)",
    )

    def facts(self, x: Shape) -> Facts:
        axis = axis_of(x, self.axis)
        step = self.step
        start, stop = (
            _place(self.start, x[axis]),
            x[axis] if self.stop is None else _place(self.stop, x[axis]),
        )
        size = -(-(stop - start) // step)
        if size < 1:
            raise ShapeError(
                f"{self.axis} {self.start} to {x[axis] if self.stop is None else self.stop} of {x} is empty",
                size=axis != x.channel_axis,
            )
        windows = [POINT] * (len(x) - 1)
        if axis != x.channel_axis:
            last = start + (size - 1) * step
            windows[x.axes.index(self.axis)] = Window(1, step, -start, -(x[axis] - 1 - last))
        shape = type(x)((*x[:axis], size, *x[axis + 1 :]))
        return weightless(
            shape,
            tuple(windows),
            Call("archlens.take", axis=axis + 1, start=start, stop=stop, step=step),
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        count = inputs[0].channels
        if self.axis != "channels":
            return (channels & all_channels(count),)
        taken = range(count)[self.start : self.stop : self.step]
        if self.step == 1:
            return ((channels & all_channels(len(taken))) << taken.start,)
        return (sum(1 << c for k, c in enumerate(taken) if channels >> k & 1),)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        steps = tuple(self.step if name == self.axis else 1 for name in inputs[0].names)
        return Footprint(part=True, steps=steps)

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        axis = inputs[0].names.index(self.axis)
        end = inputs[0][axis] if self.stop is None else self.stop
        return f"{self.axis} {self.start} to {end} of {inputs[0][axis]}: {facts.shape[axis]}"


def _place(given: int, size: int) -> int:
    """Where a position of Python's slices is: negative ones count from the end, and none is outside."""
    return max(given + size, 0) if given < 0 else min(given, size)


class ChannelShuffle(Op, kind="channel_shuffle", family="reshape"):
    """ShuffleNet's shuffle: the channels of ``groups`` groups are interleaved.

    Output: the shape of the input.
    Limits: a map, channels first, and ``groups`` divides them.
    Source: Zhang et al. 2017, "ShuffleNet", section 3.1.
    """

    groups: Annotated[Count, "how many groups are interleaved"]

    names = Names(keras="", onnx="")
    examples = ("12x5x5 >> channel_shuffle(3)", "116x28x28 >> channel_shuffle(2)")
    saved_for_backward = NOTHING

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "channel_shuffle")
        per_group(x.channels, self.groups)
        return weightless(x, (POINT,) * (len(x) - 1), Call("nn.ChannelShuffle", groups=self.groups))

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        count = inputs[0].channels
        each = count // self.groups
        # output c holds channel c // groups of group c % groups
        sources = ((c % self.groups) * each + c // self.groups for c in range(count) if channels >> c & 1)
        return (sum(1 << source for source in sources),)


def _sums(facts: Facts, x: Shape, line: Any) -> str:
    assert isinstance(facts.reach, tuple)
    return along(x, [line(window, n) for window, n in zip(facts.reach, x.spatial, strict=True)])
