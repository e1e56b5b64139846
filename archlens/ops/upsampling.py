"""Upsampling without weights: nearest, linear and cubic interpolation, and the reverse of max pooling."""

from __future__ import annotations

from math import floor
from typing import Annotated, Any

from ..formulas import sizes_only
from ..geometry import Window
from ..shape import Shape, times
from .attributes import Flag, OptionalSize, Scale, choice
from .footprint import INT64, NOTHING, Extra, Footprint
from .op import Argument, Call, Facts, Merge, Names, NonUniform, Op, Reach, ShapeError, along, weightless
from .windows import per_axis, require_spatial, shortest

#: torch's name of linear interpolation, by spatial axes.
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


class Upsample(Op, kind="upsample", family="upsampling"):
    """A larger (or smaller) map by interpolation: by a ``scale``, or to a ``size``.

    Output: ``floor(n * scale)`` positions of ``n`` along each axis, or the size that is given.
    Limits: a map, channels first; either ``scale`` or ``size``; ``mode="cubic"`` only on two axes;
        ``align_corners`` not with ``mode="nearest"``.
    """

    scale: Annotated[Scale, "how many times as large"] = None
    size: Annotated[OptionalSize, "positions of the output"] = None
    mode: Annotated[
        str,
        choice("nearest", "linear", "bilinear", "trilinear", "cubic", "bicubic"),
        "how values are interpolated",
    ] = "nearest"
    align_corners: Annotated[Flag, "whether the corners of input and output fall together"] = False

    channelwise = True
    names = Names(
        keras="UpSampling1D UpSampling2D UpSampling3D",
        onnx="Resize",
        also="interpolate upscale resizebilinear upsamplingbilinear upsamplingnearest",
    )
    examples = (
        "64x28x28 >> upsample(2)",
        '21x16x16 >> upsample(8, mode="bilinear")',
        '21x16x12 >> upsample(size=(65, 65), mode="bilinear", align_corners=true)',
        "4x10 >> upsample(3)",
        "4x10x6 >> upsample((2, 1.5))",
        '2x4x5 >> upsample(2, mode="bicubic")',
        '2x4x4x4 >> upsample(2, mode="trilinear")',
    )
    saved_for_backward = NOTHING

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "upsample")
        axes = len(x) - 1
        if (self.scale is None) == (self.size is None):
            raise ShapeError("it takes either a scale or a size", help="upsample(2) or upsample(size=56)")
        if self.size is not None:
            sizes = per_axis(self.size, x, "size")
        else:
            assert self.scale is not None
            factors = _factors(self.scale, x)
            if len(factors) != axes:
                raise ShapeError(
                    f"scale has {len(factors)} values, but its input {x} has {axes} spatial axes"
                )
            sizes = tuple(_scaled(n, factor) for n, factor in zip(x.spatial, factors, strict=True))
            if min(sizes) < 1:
                raise ShapeError(f"scale={self.scale} leaves nothing of {times(x.spatial)}", size=True)
        mode = self._mode(axes)
        shape = Shape((x.channels, *sizes))
        points = {"nearest": 0, "bicubic": 4**2}.get(mode, 2**axes)
        # a product for each of the neighbours that are mixed, and an addition between each two
        work = {"interpolation": (2 * points - 1) * shape.numel} if points else {}
        torch = Call(
            "nn.Upsample",
            size=Argument(None if self.size is None else shortest(sizes), default=None),
            scale_factor=Argument(self.scale, default=None),
            mode=Argument(mode, default="nearest"),
            align_corners=Argument(self.align_corners or None, default=None),
        )
        if sizes_only((*x, *sizes)):
            return weightless(shape, NonUniform("only sizes are asked for"), torch, **work)
        return weightless(shape, _reach(x, sizes, self.scale, mode, self.align_corners), torch, **work)

    def _mode(self, axes: int) -> str:
        mode = {"linear": _LINEAR[axes], "cubic": "bicubic"}.get(self.mode, self.mode)
        if mode == "nearest":
            if self.align_corners:
                raise ShapeError("align_corners has no meaning for nearest interpolation")
        elif mode != ("bicubic" if axes == 2 and mode == "bicubic" else _LINEAR[axes]):
            raise ShapeError(
                f'mode="{self.mode}" does not work on {axes} spatial {"axis" if axes == 1 else "axes"}',
                help='mode="linear" works on any',
            )
        return mode

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        if self.scale is None:
            return f"{times(inputs[0].spatial)} -> {times(facts.shape.spatial)}, whatever the input"
        factors = _factors(self.scale, inputs[0])
        lines = [
            f"{n} * {f} = {o}" if n * f == o else f"floor({n} * {f}) = {o}"
            for n, f, o in zip(inputs[0].spatial, factors, facts.shape.spatial, strict=True)
        ]
        return along(inputs[0], lines)


class MaxUnpool(Merge, kind="max_unpool", family="upsampling"):
    """The reverse of max pooling: each value returns to the position of its window's largest value.

    It merges two branches: the values to put back, and the map that was pooled, whose size and largest values
    determine where; all other positions are 0. The windows are those of ``max_pool(f, ceil_mode=true)`` with
    ``f = ceil(n/o)``: as large as their stride, the last one possibly cut off.

    Output: the shape of the map that was pooled.
    Limits: two maps, channels first, of the same channels, the second of a size that such a pooling takes to
        that of the first.
    Source: Badrinarayanan, Kendall and Cipolla, "SegNet", section 3.
    """

    channelwise = True
    names = Names(keras="", onnx="MaxUnpool", also="maxunpooling")
    examples = (
        "8x4x4, 8x8x8 >> max_unpool",
        "8x3x4, 8x5x8 >> max_unpool",
        "2x3, 2x9 >> max_unpool",
        "2x2x2x2, 2x4x4x4 >> max_unpool",
    )

    def facts(self, *inputs: Shape) -> Facts:
        if len(inputs) != 2:
            raise ShapeError(
                f"it takes two branches, what is put back and the map that was pooled, not {len(inputs)}",
                help="as in [identity, ref(relu1_2)]",
            )
        x, pooled = inputs
        require_spatial(x, "max_unpool")
        if len(x) != len(pooled) or x.channels != pooled.channels:
            raise ShapeError(
                f"it puts {x} back into {pooled}: both need the same channels and axes",
                help="the second branch is the input of the pooling, as in ref(relu1_2)",
                inputs=(0, 1),
            )
        kernel = tuple(-(-n // o) for n, o in zip(pooled.spatial, x.spatial, strict=True))
        back = tuple(-(-n // f) for n, f in zip(pooled.spatial, kernel, strict=True))
        if back != x.spatial:
            raise ShapeError(
                f"no pooling with windows side by side takes {times(pooled.spatial)} to {times(x.spatial)}",
                notes=(f"with windows of {times(kernel)} it is ceil(n/f): {times(back)}",),
                help="pool with ceil_mode=true where the size is not a multiple of the window",
                inputs=(0, 1),
                size=True,
            )
        reach = NonUniform("where max_unpool puts a value depends on the values of the map that was pooled")
        return weightless(pooled, reach, Call("archlens.max_unpool", kernel=kernel))

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It pools once more, for the places of the maxima, and keeps those."""
        places, maxima = Extra(inputs[0].numel, INT64), Extra(inputs[0].numel)
        empty = Extra(facts.shape.numel)
        return Footprint(saved=(places,), before=((places, maxima),), workspace=(places, maxima, empty))

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return f"{times(inputs[0].spatial)} -> {times(facts.shape.spatial)}, the size before pooling"


def _factors(scale: Any, x: Shape) -> tuple[Any, ...]:
    return scale if isinstance(scale, tuple) else (scale,) * (len(x) - 1)


def _scaled(n: int, factor: float) -> int:
    """So many times a size, rounded down; exact where the factor is a fraction of few bits."""
    top, by = factor.as_integer_ratio()
    return n * top // by if by <= _FRACTION and top < 2**53 else floor(n * factor)


#: The largest divisor of a factor that is taken as a fraction.
_FRACTION = 1024


def _reach(x: Shape, sizes: tuple[int, ...], scale: Any, mode: str, align_corners: bool) -> Reach:
    """Upsampling by a whole factor is a transposed window; any other factor has none."""
    windows = []
    for n, out, factor in zip(x.spatial, sizes, _factors(scale, x), strict=True):
        # 3 * 2.1 is rounded to 6, but torch steps by 2.1 nevertheless
        if out % n or factor not in (None, out // n) or align_corners or mode == "bicubic":
            return NonUniform(
                f"interpolation from {times(x.spatial)} to {times(sizes)} mixes uneven neighbours"
            )
        s = out // n
        if mode == "nearest" or s == 1:
            windows.append(Window(s, s, transposed=True))
        else:
            # each input spreads over the outputs nearer to it than the next input: 2s of them, or 2s - 1
            kernel = 2 * s - s % 2
            crop = (kernel - s) // 2
            windows.append(Window(kernel, s, crop, crop, transposed=True))
    return tuple(windows)
