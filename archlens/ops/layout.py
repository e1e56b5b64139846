"""Ops that turn the axes of a tensor round: channels last and first, tokens, patches and windows.

They move values about and compute nothing. Convolutions want their channels first; torch's linear layers
and layer norms want them last.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from ..geometry import POINT, Window
from ..shape import Shape, channels_last, times
from .attributes import Count, Size
from .footprint import NOTHING, ROWS, Extra, Footprint, Reshaped, Turned
from .op import Call, Facts, Names, NonUniform, Op, Reach, ShapeError, all_channels, weightless
from .windows import per_axis, require_spatial, shortest


def _last(shape: Shape) -> Turned:
    """The channels turned to the end, which gives this shape."""
    return Turned((*range(1, len(shape)), 0))


def require_channels_last(x: Shape, what: str, such: str, help: str = "channels_last") -> None:
    """Refuse a flat vector, and channels that come first, for the ops that work on tokens."""
    if not x.channels_last:
        raise ShapeError(
            f"{what} works on channels that come last, such as {such}, but its input is "
            + (f"a map of {x}" if len(x) > 1 else f"a flat vector of {x}"),
            help=f"put {help} before it" if len(x) > 1 else "place it before the map is flattened",
        )


def require_two_axes(x: Shape, what: str) -> None:
    """Refuse all but two spatial axes."""
    if len(x) != 3:
        raise ShapeError(f"{what} works on two spatial axes, but its input {x} has {len(x) - 1}")


def require_windows(x: Shape, what: str, size: Any, sides: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sides of a window and of the map; refuse what are no windows of that."""
    require_channels_last(x, what, "windows x positions x C", "window_partition")
    require_two_axes(x, what)
    size, sides = per_axis(size, x, "size"), per_axis(sides, x, "sides")
    windows = tuple(n // p for n, p in zip(sides, size, strict=True))
    if x.spatial != (prod(windows), prod(size)) or any(n % p for n, p in zip(sides, size, strict=True)):
        raise ShapeError(
            f"{times(x.spatial)} is not a map of {times(sides)} in windows of {times(size)}",
            notes=(f"that would be {prod(windows)} windows of {prod(size)} positions",),
        )
    return size, sides


class _Turning(Op, family="reshape"):
    """What the ops share that exchange axes: their arithmetic says which."""

    channelwise = True

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return f"{inputs[0]} -> {facts.shape}"


class ToChannelsLast(_Turning, kind="channels_last", family="reshape"):
    """The channels as the last axis: ``CxHxW`` becomes ``HxWxC``, and ``CxL`` becomes ``LxC``.

    Output: the same sizes, the channels last.
    Limits: a map, channels first.
    """

    names = Names(keras="Permute((2,3,1))", onnx="Transpose(perm=(0,2,3,1))")
    examples = ("96x14x14 >> channels_last", "8x20 >> channels_last", "2x3x4x5 >> channels_last")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        return Footprint(moves=(_last(facts.shape),))

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "channels_last")
        axes = len(x) - 1
        order = (0, *range(2, axes + 2), 1)
        return weightless(
            channels_last(x.spatial, x.channels),
            (POINT,) * axes,
            Call("torch.permute", dims=order),
        )


class ToChannelsFirst(_Turning, kind="channels_first", family="reshape"):
    """The channels as the first axis: ``HxWxC`` becomes ``CxHxW``, and ``LxC`` becomes ``CxL``.

    Tokens become a map again with ``channels_first >> reshape([x.channels, 14, 14])``.

    Output: the same sizes, the channels first.
    Limits: channels that come last.
    """

    names = Names(keras="Permute((3,1,2))", onnx="Transpose(perm=(0,3,1,2))")
    examples = ("96x14x14 >> channels_last >> channels_first", "8x20 >> tokens >> channels_first")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        axes = len(facts.shape) - 1
        return Footprint(moves=(Turned((axes, *range(axes))),))

    def facts(self, x: Shape) -> Facts:
        if not x.channels_last:
            raise ShapeError(f"the channels of its input {x} come first already")
        axes = len(x) - 1
        order = (0, axes + 1, *range(1, axes + 1))
        return weightless(Shape((x.channels, *x.spatial)), (POINT,) * axes, Call("torch.permute", dims=order))


class Tokens(Op, kind="tokens", family="reshape"):
    """A token for each position of a map, row by row: ``CxHxW`` becomes ``(H*W)xC``.

    It takes ``HxWxC`` as well, and turns ``CxL`` into ``LxC``.

    Output: ``(H*W)xC``.
    Limits: a map; either layout.
    """

    channelwise = True
    names = Names(keras="", onnx="", also="tokenize patchestotokens")
    examples = ("768x14x14 >> tokens", "96x5x7 >> channels_last >> tokens", "8x20 >> tokens")

    def facts(self, x: Shape) -> Facts:
        if len(x) < 2:
            raise ShapeError(
                f"tokens works on a map such as CxHxW, but its input is a flat vector of {x}",
                help="place it before the map is flattened, or reshape the vector into a map",
            )
        reach: Reach = (POINT,)
        if len(x) > 2:
            reach = NonUniform(f"the positions of {times(x.spatial)} are in one row")
        first = "archlens.channels_last_tokens" if x.channels_last else "archlens.tokens"
        return weightless(channels_last((prod(x.spatial),), x.channels), reach, Call(first))

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        if inputs[0].channels_last:
            return Footprint(moves=(Reshaped(),))
        return Footprint(moves=(Reshaped((facts.shape.channels, *facts.shape.spatial)), _last(facts.shape)))

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        spatial = inputs[0].spatial
        return f"{' * '.join(map(str, spatial))} = {prod(spatial)}" if len(spatial) > 1 else ""


class Transpose(_Turning, kind="transpose", family="reshape"):
    """The two spatial axes exchanged: ``HxWxC`` becomes ``WxHxC``, and ``CxHxW`` becomes ``CxWxH``.

    Output: ``WxHxC``, or ``CxWxH``.
    Limits: two spatial axes; either layout.
    """

    names = Names(keras="Permute((2,1,3))", onnx="Transpose(perm=(0,2,1,3))")
    examples = ("6x4x9 >> channels_last >> transpose", "6x4x9 >> transpose")

    def facts(self, x: Shape) -> Facts:
        require_two_axes(x, "transpose")
        first = 1 if x.channels_last else 2
        shape = type(x)(x[axis] for axis in ((1, 0, 2) if x.channels_last else (0, 2, 1)))
        reach = NonUniform("the two axes are exchanged")
        return weightless(shape, reach, Call("torch.transpose", dim0=first, dim1=first + 1))

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        return Footprint(moves=(Turned((1, 0, 2) if facts.shape.channels_last else (0, 2, 1)),))


class MergePatches(Op, kind="merge_patches", family="reshape"):
    """The channels of each square of ``size`` positions in a row: ``HxWxC`` becomes ``H/2xW/2x4C``.

    They are taken column by column, as in Swin Transformer. An odd side is padded with zeros at its end. It
    is the paper's "patch merging" without its linear layer.

    Output: ``ceil(H/size) x ceil(W/size) x size*size*C``.
    Limits: channels last, two spatial axes.
    Source: Liu et al. 2021, "Swin Transformer", section 3.1.
    """

    size: Annotated[Count, "the side of a square"] = 2

    sliding = True
    names = Names(keras="", onnx="")
    examples = (
        "6x8x8 >> channels_last >> merge_patches",
        "6x7x9 >> channels_last >> merge_patches",
        "2x7x9 >> channels_last >> merge_patches(3)",
    )

    def facts(self, x: Shape) -> Facts:
        require_channels_last(x, "merge_patches", "HxWxC")
        require_two_axes(x, "merge_patches")
        windows = tuple(Window(self.size, self.size, 0, -n % self.size) for n in x.spatial)
        sizes = [window.output(n) for window, n in zip(windows, x.spatial, strict=True)]
        shape = channels_last(sizes, self.size**2 * x.channels)
        return weightless(shape, windows, Call("archlens.merge_patches", size=self.size))

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps nothing; where a side is padded, the padded copy exists for a moment."""
        padded = (Extra(facts.shape.numel),) if facts.shape.numel != inputs[0].numel else ()
        each = (Extra(max(inputs[0].numel, facts.shape.numel)),) * 3
        return NOTHING._replace(before=(padded,), workspace=padded, backward=each, lies=ROWS)

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        count, found = inputs[0].channels, 0
        while channels:
            found |= channels & all_channels(count)
            channels >>= count
        return (found,)


class WindowPartition(Op, kind="window_partition", family="reshape"):
    """A map as rows of windows that do not overlap: ``CxHxW`` becomes ``(H/p * W/p)x(p*p)xC``.

    The first axis counts the windows, the second the positions within one. ``transpose`` after it turns
    windows into MaxViT's grids: each then holds the same position of every window.

    Output: ``(H/p * W/p)x(p*p)xC``.
    Limits: a map of two spatial axes, channels first, whose sides the window divides.
    Source: Tu et al. 2022, "MaxViT", section 3.2.
    """

    size: Annotated[Size, "positions of a window along each axis, p"]

    channelwise = True
    names = Names(keras="", onnx="")
    examples = ("6x8x8 >> window_partition(4)", "6x4x9 >> window_partition((2, 3))")

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "window_partition")
        require_two_axes(x, "window_partition")
        size = per_axis(self.size, x, "size")
        for axis, n, p in zip(x.axes, x.spatial, size, strict=True):
            if n % p:
                raise ShapeError(
                    f"its windows of {times(size)} do not divide a {axis} of {n}",
                    notes=(f"{n} = {p} * {n // p} + {n % p}",),
                    size=True,
                )
        windows = prod(n // p for n, p in zip(x.spatial, size, strict=True))
        return weightless(
            channels_last((windows, prod(size)), x.channels),
            NonUniform(f"the positions of {times(x.spatial)} are in rows, one for each window"),
            Call("archlens.window_partition", size=shortest(size)),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        (x,) = inputs
        p, q = per_axis(self.size, x, "size")
        apart = (x.spatial[0] // p, p, x.spatial[1] // q, q, x.channels)
        return Footprint(moves=(Turned((1, 2, 0)), Reshaped(apart), Turned((0, 2, 1, 3, 4)), Reshaped()))

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return " = ".join(" * ".join(map(str, shape.spatial)) for shape in (inputs[0], facts.shape))


class WindowReverse(Op, kind="window_reverse", family="reshape"):
    """The map that ``window_partition`` cut into windows: ``(H/p * W/p)x(p*p)xC`` becomes ``CxHxW``.

    Output: ``CxHxW``, of the given ``sides``.
    Limits: rows of windows as ``window_partition`` makes them, as many as lie in a map of these sides.
    """

    size: Annotated[Size, "positions of a window along each axis, p"]
    sides: Annotated[Size, "height and width of the map"]

    channelwise = True
    names = Names(keras="", onnx="")
    examples = (
        "6x8x8 >> window_partition(4) >> window_reverse(4, 8)",
        "6x4x9 >> window_partition((2, 3)) >> window_reverse((2, 3), (4, 9))",
    )

    def facts(self, x: Shape) -> Facts:
        size, sides = require_windows(x, self.kind, self.size, self.sides)
        return weightless(
            Shape((x.channels, *sides)),
            NonUniform("the positions of each window stand in a square again"),
            Call("archlens.window_reverse", size=shortest(size), sides=shortest(sides)),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        (x,), (height, width) = inputs, facts.shape.spatial
        p, q = per_axis(self.size, x, "size")
        apart, whole = (height // p, width // q, p, q, x.channels), (height, width, x.channels)
        return Footprint(moves=(Reshaped(apart), Turned((0, 2, 1, 3, 4)), Reshaped(whole), Turned((2, 0, 1))))

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return " = ".join(" * ".join(map(str, shape.spatial)) for shape in (inputs[0], facts.shape))
