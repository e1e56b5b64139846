"""One value for all along an axis: the mean, or the largest."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ..geometry import POINT, Window
from ..shape import Shape, channels_last
from .attributes import Flag
from .axes import Axes, axis_of
from .footprint import BOOL, NOTHING, Extra, Footprint
from .op import (
    EVERYWHERE,
    Argument,
    Call,
    Facts,
    Names,
    NonUniform,
    Op,
    Reach,
    ShapeError,
    all_channels,
    weightless,
)


class _Reduction(Op, family="pooling"):
    """What mean and maximum share.

    Output: the input without the axes that are gone through, or with one position along each.
    Limits: axes that the input has; what is left of a map has channels, unless it is a vector;
    of a vector one number is left, and of what has more axes one of them.
    """

    axis: Annotated[Axes, "the axis, or several, that are gone through"]
    keep: Annotated[Flag, "whether each stays, with one position"] = False

    function: ClassVar[str]

    def facts(self, x: Shape) -> Facts:
        axes = self._axes(x)
        sizes = [1 if i in axes else n for i, n in enumerate(x)]
        left = [n for i, n in enumerate(x) if i not in axes]
        if self.keep:
            shape: Shape = type(x)(sizes)
        elif x.channel_axis not in axes:
            spatial = [n for i, n in enumerate(x) if i not in axes and i != x.channel_axis]
            shape = channels_last(spatial, x.channels) if x.channels_last else Shape((x.channels, *spatial))
        elif len(left) > 1:
            raise ShapeError(
                f"it leaves the positions of {x} without channels",
                help="keep=true leaves one channel",
            )
        elif not left and len(x) > 1:
            raise ShapeError(
                f"it leaves no axis of {x}", help="keep=true leaves each, or flatten before it makes one"
            )
        else:
            shape = Shape(left or (1,))
        return weightless(
            shape,
            self._reach(x, axes, shape),
            Call(
                f"torch.{self.function}",
                dim=Argument(tuple(1 + axis for axis in axes), by_place=True),
                keepdim=Argument(self.keep or not left, default=False),
            ),
            pooling=self._work(x, shape),
        )

    def _axes(self, x: Shape) -> tuple[int, ...]:
        names = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        return tuple(sorted(axis_of(x, name) for name in names))

    def _reach(self, x: Shape, axes: tuple[int, ...], shape: Shape) -> Reach:
        spatial = [i for i in range(len(x)) if i != x.channel_axis]
        if not shape.spatial or not {*spatial} - {*axes}:
            return EVERYWHERE if {*spatial} & {*axes} or not shape.spatial else (POINT,) * len(spatial)
        if self.keep or not {*spatial} & {*axes}:
            return tuple(Window(x[i], x[i]) if i in axes else POINT for i in spatial)
        return NonUniform(f"the axes of {x} are not those of {shape}")

    def _work(self, x: Shape, shape: Shape) -> int:
        raise TypeError(f"{self.kind} does not say its work")  # pragma: no cover

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        (x,) = inputs
        return (all_channels(x.channels) if x.channel_axis in self._axes(x) else channels,)

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        through = " and ".join(f"{x[i]} of the {x.names[i]}" for i in self._axes(x))
        return f"one value of {through}: {x} -> {facts.shape}"


class Mean(_Reduction, kind="mean"):
    """The mean of all values along an axis, or several.

    ``mean("length")`` of tokens, ``LxC``, is a vector of ``C``, and so is ``mean(("height", "width"))`` of a
    map. ``global_avg_pool`` is the mean over the whole map, but keeps the axes.
    """

    function = "mean"
    names = Names(keras="", onnx="ReduceMean", also="avg average reducemean")
    examples = (
        '24x49 >> tokens >> mean("length")',
        '8x4x5 >> channels_last >> mean(("height", "width"))',
        '8x4x5 >> mean("channels", keep=true)',
        '8x4x5 >> mean("width", keep=true)',
        '8x4x5 >> mean("height")',
        '8 >> mean("channels")',
    )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        return NOTHING

    def _work(self, x: Shape, shape: Shape) -> int:
        return x.numel


class Largest(_Reduction, kind="amax"):
    """The largest of all values along an axis, or several.

    ``global_max_pool`` is the largest of the whole map, but keeps the axes.
    """

    function = "amax"
    names = Names(keras="", onnx="ReduceMax")
    examples = ('24x49 >> tokens >> amax("length")', '8x4x5 >> amax("channels", keep=true)')

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps both, to find where the largest stood; they share its gradient."""
        n = inputs[0].numel
        return Footprint(input=True, output=True, backward=(Extra(n), Extra(n), Extra(n, BOOL)))

    def _work(self, x: Shape, shape: Shape) -> int:
        return x.numel - shape.numel
