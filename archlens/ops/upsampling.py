"""Upsampling without weights: nearest, linear and cubic interpolation."""

from __future__ import annotations

from math import floor
from typing import Annotated, Any

from ..geometry import Window
from ..shape import Shape, times
from .attributes import Flag, OptionalSize, Scale, choice
from .footprint import NOTHING
from .op import NONE, Call, Facts, Irregular, Misfit, Op, Reach
from .windows import per_axis, require_spatial, shortest

#: torch's name of linear interpolation, by spatial axes.
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


class Upsample(Op, kind="upsample", family="upsampling"):
    """A larger (or smaller) map by interpolation: by a ``scale``, or to a ``size``.

    Output size: ``floor(n * scale)``. ``mode`` is ``"nearest"``, ``"linear"`` (bilinear on a map) or
    ``"cubic"`` (two axes only).
    """

    scale: Scale = None
    size: OptionalSize = None
    mode: Annotated[str, choice("nearest", "linear", "bilinear", "trilinear", "cubic", "bicubic")] = "nearest"
    align_corners: Flag = False

    channelwise = True
    examples = (
        "64x28x28 >> upsample(2)",
        '21x16x16 >> upsample(8, mode="bilinear")',
        '21x16x12 >> upsample(size=(65, 65), mode="bilinear", align_corners=true)',
        "4x10 >> upsample(3)",
        "4x10x6 >> upsample((2, 1.5))",
        '2x4x5 >> upsample(2, mode="bicubic")',
        '2x4x4x4 >> upsample(2, mode="trilinear")',
    )
    holds = NOTHING

    def facts(self, x: Shape) -> Facts:  # type: ignore[override]
        require_spatial(x, "upsample")
        axes = len(x) - 1
        if (self.scale is None) == (self.size is None):
            raise Misfit("it takes either a scale or a size", help="upsample(2) or upsample(size=56)")
        if self.size is not None:
            sizes = per_axis(self.size, x, "size")
        else:
            assert self.scale is not None
            factors = _factors(self.scale, x)
            if len(factors) != axes:
                raise Misfit(f"scale has {len(factors)} values, and its input {x} has {axes} spatial axes")
            sizes = tuple(floor(n * factor) for n, factor in zip(x.spatial, factors, strict=True))
            if min(sizes) < 1:
                raise Misfit(f"scale={self.scale} leaves nothing of {times(x.spatial)}", size=True)
        mode = self._mode(axes)
        kwargs: dict[str, Any] = {}
        if self.size is not None:
            kwargs["size"] = shortest(sizes)
        else:
            kwargs["scale_factor"] = self.scale
        if mode != "nearest":
            kwargs["mode"] = mode
        if self.align_corners:
            kwargs["align_corners"] = True
        shape = Shape((x.channels, *sizes))
        points = {"nearest": 0, "bicubic": 4**2}.get(mode, 2**axes)
        return Facts(
            shape=shape,
            weights=NONE,
            buffers=NONE,
            macs=0,
            # a product for each of the neighbours that are mixed, and an addition between each two
            other={"interpolation": (2 * points - 1) * shape.numel} if points else {},
            reach=_reach(x, sizes, self.scale, mode, self.align_corners),
            torch=Call("nn.Upsample", (), kwargs),
        )

    def _mode(self, axes: int) -> str:
        mode = {"linear": _LINEAR[axes], "cubic": "bicubic"}.get(self.mode, self.mode)
        if mode == "nearest":
            if self.align_corners:
                raise Misfit("align_corners has no meaning for nearest interpolation")
        elif mode != ("bicubic" if axes == 2 and mode == "bicubic" else _LINEAR[axes]):
            raise Misfit(
                f'mode="{self.mode}" does not work on {axes} spatial {"axis" if axes == 1 else "axes"}',
                help='mode="linear" works on any',
            )
        return mode

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        if self.scale is None:
            return f"{times(inputs[0].spatial)} -> {times(facts.shape.spatial)}, whatever the input"
        lines = [
            f"{n} * {f} = {o}" if n * f == o else f"floor({n} * {f}) = {o}"
            for n, f, o in zip(
                inputs[0].spatial, _factors(self.scale, inputs[0]), facts.shape.spatial, strict=True
            )
        ]
        if len(set(lines)) == 1:
            return lines[0]
        return "; ".join(
            f"{axis[0].upper()}: {line}" for axis, line in zip(inputs[0].axes, lines, strict=True)
        )


def _factors(scale: Any, x: Shape) -> tuple[Any, ...]:
    return scale if isinstance(scale, tuple) else (scale,) * (len(x) - 1)


def _reach(x: Shape, sizes: tuple[int, ...], scale: Any, mode: str, align_corners: bool) -> Reach:
    """Upsampling by a whole factor is a transposed window; any other factor has none."""
    windows = []
    for n, out, factor in zip(x.spatial, sizes, _factors(scale, x), strict=True):
        # 3 * 2.1 is rounded to 6, but torch steps by 2.1 nevertheless
        if out % n or factor not in (None, out // n) or align_corners or mode == "bicubic":
            return Irregular(
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
