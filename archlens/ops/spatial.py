"""Positions moved: into channels and back, round the border, to where a grid says, and into pairs."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, prod
from typing import Annotated, Any

from ..geometry import POINT, Window
from ..shape import Shape, channels_last, times
from .attributes import Count, Flag, OptionalSize, Padding, Shifts, Size, choice
from .axes import Axes, axis_of
from .footprint import INPUT, INT64, LIKE, NOTHING, ROWS, Extra, Footprint
from .layout import require_channels_last, require_two_axes
from .op import (
    Argument,
    Buffer,
    Call,
    Facts,
    Merge,
    Names,
    NonUniform,
    Op,
    Reach,
    ShapeError,
    all_channels,
    read_by_groups,
    weightless,
)
from .windows import check_windows, per_axis, require_spatial, shortest, slide


class PixelShuffle(Op, kind="pixel_shuffle", family="reshape"):
    """Channels laid out as squares of ``r x r`` pixels: ``(C*r*r)xHxW`` becomes ``Cx(H*r)x(W*r)``.

    Output: ``c/(r*r)`` channels, ``r`` times the positions along each axis.
    Limits: a map of two spatial axes, channels first, as many channels as ``r*r`` divides.
    Source: Shi et al. 2016, "Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel
        Convolutional Neural Network", equation 4.
    """

    factor: Annotated[Count, "how many pixels a square has on each side, r"]

    whole = True
    names = Names(keras="", onnx="DepthToSpace", also="subpixel subpixelconv depthtospace")
    examples = ("12x4x5 >> pixel_shuffle(2)", "18x3x3 >> pixel_shuffle(3)")

    saved_for_backward = NOTHING._replace(lies=ROWS)

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "pixel_shuffle")
        require_two_axes(x, "pixel_shuffle")
        r = self.factor
        if x.channels % r**2:
            raise ShapeError(
                f"its {x.channels} channels are not squares of {r}x{r} pixels",
                notes=(f"{x.channels} = {r**2} * {x.channels // r**2} + {x.channels % r**2}",),
            )
        shape = Shape((x.channels // r**2, *(n * r for n in x.spatial)))
        return weightless(
            shape, (Window(r, r, transposed=True),) * 2, Call("nn.PixelShuffle", upscale_factor=r)
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        c = inputs[0].channels
        squares = c // self.factor**2
        return (read_by_groups(channels, squares, c, squares),)


class PixelUnshuffle(Op, kind="pixel_unshuffle", family="reshape"):
    """Squares of ``r x r`` pixels laid out as channels: ``CxHxW`` becomes ``(C*r*r)x(H/r)x(W/r)``.

    Output: ``c*r*r`` channels, ``n/r`` positions of ``n`` along each axis.
    Limits: a map of two spatial axes, channels first, whose sides ``r`` divides.
    Source: Shi et al. 2016, which has it the other way.
    """

    factor: Annotated[Count, "how many pixels a square has on each side, r"]

    whole = True
    names = Names(keras="", onnx="SpaceToDepth", also="spacetodepth focus")
    examples = ("3x4x6 >> pixel_unshuffle(2)", "2x9x6 >> pixel_unshuffle(3)")

    saved_for_backward = NOTHING._replace(lies=ROWS)

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "pixel_unshuffle")
        require_two_axes(x, "pixel_unshuffle")
        r = self.factor
        for axis, n in zip(x.axes, x.spatial, strict=True):
            if n % r:
                raise ShapeError(
                    f"a {axis} of {n} is not a row of squares of {r}x{r} pixels",
                    notes=(f"{n} = {r} * {n // r} + {n % r}",),
                    size=True,
                )
        shape = Shape((x.channels * r**2, *(n // r for n in x.spatial)))
        return weightless(shape, (Window(r, r),) * 2, Call("nn.PixelUnshuffle", downscale_factor=r))

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        c = inputs[0].channels
        return (read_by_groups(channels, c, c, c * self.factor**2),)


class Unfold(Op, kind="unfold", family="reshape"):
    """The values under each window as channels, the windows in a row: ``CxHxW`` becomes ``(C*f*f)xL``.

    A convolution is a matrix product with its output.

    Output: ``c*f*f`` channels, and a position for each of the ``(n + 2p - d(f - 1) - 1)/s + 1`` along each
        axis.
    Limits: a map of two spatial axes, channels first, at least as large as the window; equal padding on both
        sides.
    """

    kernel: Annotated[Size, "size of the window, f"]
    stride: Annotated[Size, "step of the window, s"] = 1
    padding: Annotated[Padding, "positions added at both sides, p"] = 0
    dilation: Annotated[Size, "distance of the window's taps, d"] = 1

    names = Names(keras="", onnx="", also="im2col extractpatches extractimagepatches")
    examples = ("3x6x7 >> unfold(3, padding=1)", "2x9x8 >> unfold((2, 3), stride=(2, 1), dilation=2)")

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "unfold")
        require_two_axes(x, "unfold")
        windows = self.windows(x)
        if any(w.before != w.after for w in windows):
            raise ShapeError("it pads both sides alike", help="put a pad before it that does not")
        sizes = check_windows(windows, x)
        kernel = tuple(w.kernel for w in windows)
        shape = Shape((x.channels * prod(kernel), prod(sizes)))
        return weightless(
            shape,
            NonUniform(f"the windows of {times(sizes)} positions are in one row"),
            Call(
                "nn.Unfold",
                kernel_size=shortest(kernel),
                dilation=Argument(shortest(tuple(w.dilation for w in windows)), default=1),
                padding=Argument(shortest(tuple(w.before for w in windows)), default=0),
                stride=Argument(shortest(tuple(w.stride for w in windows)), default=1),
            ),
        )

    def windows(self, x: Shape) -> tuple[Window, ...]:
        return tuple(slide(x, self.kernel, self.stride, self.padding, self.dilation))

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        c = inputs[0].channels
        return (read_by_groups(channels, c, c, c * prod(per_axis(self.kernel, inputs[0], "kernel"))),)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps nothing; the gradient of the windows lies in one piece first.

        The output is made in memory that is as large as the input: ``at::empty_like(input)``, resized, in
        aten/src/ATen/native/Im2Col.cpp and cuda/Im2Col.cu of torch 2.13.
        """
        return NOTHING._replace(lies=ROWS, backward=(Extra(facts.shape.numel),), room=inputs[0].numel)

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        windows = slide(x, self.kernel, self.stride, self.padding, self.dilation)
        sizes = [w.output(n) for w, n in zip(windows, x.spatial, strict=True)]
        return f"{times(sizes).replace('x', ' * ')} = {prod(sizes)}"


class Fold(Op, kind="fold", family="reshape"):
    """Windows in a row placed on a map and added where they overlap: ``(C*f*f)xL`` becomes ``CxHxW``.

    It is the counterpart of ``unfold``: each position of the map is the sum of all windows there.

    Output: ``c/(f*f)`` channels, and a map of the given ``size``.
    Limits: channels first, in one row, as many as ``f*f`` divides, and a window for each of the ``(n + 2p -
        d(f - 1) - 1)/s + 1`` along each axis of the map; equal padding on both sides.
    """

    size: Annotated[Size, "height and width of the map, n"]
    kernel: Annotated[Size, "size of the window, f"]
    stride: Annotated[Size, "step of the window, s"] = 1
    padding: Annotated[Padding, "positions on both sides that are dropped, p"] = 0
    dilation: Annotated[Size, "distance of the window's taps, d"] = 1

    whole = True
    names = Names(keras="", onnx="Col2Im", also="col2im overlapadd")
    examples = (
        "27x42 >> fold((6, 7), 3, padding=1)",
        "12x16 >> fold((9, 8), (2, 3), stride=(2, 1), dilation=2)",
        "8x6 >> fold((4, 6), 2, stride=2)",
    )

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "fold")
        if len(x) != 2:
            raise ShapeError(f"fold takes windows that stand in a row, (C*f*f)xL, but its input is {x}")
        kernel, size = (self._both(name) for name in ("kernel", "size"))
        if x.channels % prod(kernel):
            raise ShapeError(
                f"its {x.channels} channels are not windows of {times(kernel)} positions",
                notes=(
                    f"{x.channels} = {prod(kernel)} * {x.channels // prod(kernel)} + "
                    f"{x.channels % prod(kernel)}",
                ),
            )
        shape = Shape((x.channels // prod(kernel), *size))
        windows = slide(shape, kernel, self.stride, self.padding, self.dilation)
        if any(w.before != w.after for w in windows):
            raise ShapeError("it leaves out alike at both sides", help="put a crop after it that does not")
        counts = check_windows(windows, shape)
        if x.spatial[0] != prod(counts):
            raise ShapeError(
                f"a map of {times(size)} has {prod(counts)} such windows, but its input {x} has "
                f"{x.spatial[0]}",
                notes=(f"{times(counts)} = {prod(counts)}",),
                size=True,
            )
        return weightless(
            shape,
            NonUniform(f"the windows of {times(counts)} positions are in one row"),
            Call(
                "nn.Fold",
                output_size=shortest(size),
                kernel_size=shortest(kernel),
                dilation=Argument(shortest(tuple(w.dilation for w in windows)), default=1),
                padding=Argument(shortest(tuple(w.before for w in windows)), default=0),
                stride=Argument(shortest(tuple(w.stride for w in windows)), default=1),
            ),
            # a value that is the first at its position, padding included, is added to none
            elementwise=x.numel - shape.channels * prod(map(_covered, windows, counts)),
        )

    def _both(self, name: str) -> tuple[int, ...]:
        """What an attribute says of either axis of the map."""
        return per_axis(getattr(self, name), Shape((1, 1, 1)), name)

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        c, positions = inputs[0].channels, prod(self._both("kernel"))
        return (read_by_groups(channels, c // positions, c, c // positions),)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps nothing, but torch makes the output in memory that is as large as its input.

        ``at::empty_like(input)``, resized: aten/src/ATen/native/Col2Im.cpp and cuda/Col2Im.cu of torch 2.13.
        """
        return NOTHING._replace(lies=ROWS, room=inputs[0].numel)


def _covered(window: Window, count: int) -> int:
    """Positions of an axis that lie in at least one of ``count`` windows.

    Tap ``k`` of window ``i`` lies at ``i*s + k*d``, as tap ``k + s/g`` of window ``i - d/g`` does if there is
    such a one, where ``g`` is the greatest common divisor of ``s`` and ``d``.
    """
    f, s, d = window.kernel, window.stride, window.dilation
    shared = gcd(s, d)
    return count * f - max(count - d // shared, 0) * max(f - s // shared, 0)


class Roll(Op, kind="roll", family="reshape"):
    """The positions of a map moved along its axes; what leaves at one border comes in at the other.

    Output: the shape of the input.
    Limits: a map; either layout.
    """

    shift: Annotated[Shifts, "by how many positions; backwards if negative"]

    channelwise = True
    names = Names(keras="", onnx="", also="cyclicshift rollaxes")
    examples = ("6x8x8 >> roll(-3)", "6x4x5 >> channels_last >> roll((1, -2))")

    def facts(self, x: Shape) -> Facts:
        if len(x) < 2:
            raise ShapeError(
                f"roll works on a map such as CxHxW, but its input is a flat vector of {x}",
                help="place it before the map is flattened",
            )
        shifts = per_axis(self.shift, x, "shift")
        first = 1 if x.channels_last else 2
        torch = Call("torch.roll", shifts=shifts, dims=tuple(range(first, first + len(shifts))))
        reach: Reach = (POINT,) * len(shifts)
        if any(shift % n for shift, n in zip(shifts, x.spatial, strict=True)):
            reach = NonUniform("what goes over the border comes in at the other side")
        return weightless(x, reach, torch)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        return NOTHING._replace(lies=ROWS)


class Flip(Op, kind="flip", family="reshape"):
    """An axis reversed: a sequence read from its end, or a mirrored image.

    Output: the shape of the input.
    Limits: axes that the input has.
    """

    axis: Annotated[Axes, "the axis, or several, to reverse"]

    names = Names(keras="", onnx="", also="reverse reversesequence mirror fliplr flipud")
    examples = (
        '6x8x5 >> flip("width")',
        '6x4x5 >> channels_last >> flip(("height", "channels"))',
        '5x9 >> tokens >> flip("length")',
    )

    def facts(self, x: Shape) -> Facts:
        axes = self._axes(x)
        reach: Reach = (POINT,) * len(x.spatial)
        if any(x[axis] > 1 for axis in axes if axis != x.channel_axis):
            reach = NonUniform("the last position comes first")
        return weightless(x, reach, Call("torch.flip", dims=tuple(1 + axis for axis in axes)))

    def _axes(self, x: Shape) -> list[int]:
        return sorted(
            axis_of(x, name) for name in ((self.axis,) if isinstance(self.axis, str) else self.axis)
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        (x,) = inputs
        if x.channel_axis not in self._axes(x):
            return (channels,)
        return (sum(1 << x.channels - 1 - c for c in range(x.channels) if channels >> c & 1),)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        return NOTHING._replace(lies=LIKE)


class _OfPairs(Op, family="reshape"):
    """What takes a row of a table for each pair of positions."""

    channelwise = True

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """Its index is its own, so nothing is kept; a row's gradient is summed up in another table."""
        return NOTHING._replace(lies=ROWS, backward=(Extra(inputs[0].numel),))

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        queries, keys = facts.shape.spatial
        return f"{queries} queries, {keys} keys"

    def _require_table(self, x: Shape) -> None:
        """Refuse what is no table of rows."""
        require_channels_last(x, self.kind, "LxC", "tokens")
        if len(x) != 2:
            raise ShapeError(f"its table has rows such as LxC, but its input is {x}")

    def _taken(self, x: Shape, pairs: tuple[int, int], torch: Call) -> Facts:
        """For so many queries and keys."""
        reach = NonUniform("each pair of positions takes the row of its offset")
        facts = weightless(channels_last(pairs, x.channels), reach, torch)
        return facts._replace(buffers={"index": Buffer(pairs, INT64, saved=False)})


class RelativePositions(_OfPairs, kind="relative_positions"):
    """For each pair of positions, the row of a table for the offset between them.

    Queries and keys are the positions of a map of ``size``, or of a row; with a ``stride``, only every
    ``stride``-th position is a query, and with ``queries`` only the first ones. The rows of the table are
    ordered by the offset along each axis, the last axis innermost: ``query - key`` from ``-(n - 1)`` to ``n -
    1``, or ``key - query``; or ``distance``, its absolute value from 0 to ``n - 1``. A learned table,
    ``parameter([27 * 27, 8]) >> relative_positions((14, 14))``, is thus the bias of 8 heads in a window.

    A ``class_token`` comes before all positions. The last three rows of the table are for it: as the query,
    as the key, and as both. If the index of the rows is ``kept``, it is in the state dict under the layer's
    own name.

    Output: ``QxKxC`` for ``Q`` queries and ``K`` keys, the rows of each pair.
    Limits: a table of ``(2h - 1)*(2w - 1)`` rows, ``h*w`` with ``by="distance"``, and 3 more with a class
        token, as ``LxC``.
    Source: Liu et al. 2021, "Swin Transformer", section 3.2; Shaw et al. 2018, "Self-Attention with Relative
        Position Representations", section 3.2; Bao et al. 2021, "BEiT", and their code, for the class token.
    """

    size: Annotated[Size, "positions along each axis, n"]
    by: Annotated[str, choice("query - key", "key - query", "distance"), "what an offset is"] = "query - key"
    stride: Annotated[Size, "the distance from one query to the next"] = 1
    queries: Annotated[OptionalSize, "the number of queries along each axis, if not all"] = None
    class_token: Annotated[Flag, "whether a class token comes before all positions"] = False
    kept: Annotated[Flag, "whether the index of the rows is in the state dict"] = False

    names = Names(
        keras="",
        onnx="",
        also="relativeposition relativepositionbias relativepositionindex relpos relposbias attentionbiases",
    )
    examples = (
        "4x15 >> tokens >> relative_positions((2, 3))",
        '4x9 >> tokens >> relative_positions(5, by="key - query")',
        '4x9 >> tokens >> relative_positions((3, 3), by="distance", stride=2)',
        "4x11 >> tokens >> relative_positions(6, queries=2)",
        "4x18 >> tokens >> relative_positions((2, 3), class_token=true, kept=true)",
    )

    def facts(self, x: Shape) -> Facts:
        self._require_table(x)
        size, queries, stride = self._axes()
        rows, first = prod(size) if self.by == "distance" else prod(2 * n - 1 for n in size), 0
        if self.class_token:
            rows, first = rows + 3, 1
        if x.spatial[0] != rows:
            offsets = " * ".join(str(n) if self.by == "distance" else f"(2*{n} - 1)" for n in size)
            offsets += " + 3" if self.class_token else ""
            raise ShapeError(
                f"its table has {rows} rows for a size of {times(size)}, but its input {x} has "
                f"{x.spatial[0]}",
                notes=(f"{offsets} = {rows}",),
            )
        pairs = first + prod(queries), first + prod(size)
        given: dict[str, Any] = {"size": size, "queries": queries, "stride": stride, "by": self.by}
        given["class_token"] = Argument(self.class_token, default=False)
        if not self.kept:
            return self._taken(x, pairs, Call("archlens.RelativePositions", **given))
        index = Call("archlens.pair_index", **given)
        facts = self._taken(x, pairs, Call("archlens.rows_of_pairs", parameter=index))
        return facts._replace(buffers={"": Buffer(pairs, INT64)})

    def _axes(self) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """How many keys, how many queries and which stride each axis has."""
        size = self.size if isinstance(self.size, tuple) else (self.size,)
        stride = self.stride if isinstance(self.stride, tuple) else (self.stride,) * len(size)
        own = self.queries if isinstance(self.queries, tuple | None) else (self.queries,) * len(size)
        for name, given in (("stride", stride), ("queries", own)):
            if given is not None and len(given) != len(size):
                raise ShapeError(
                    f"{name}={given} has {len(given)} values, and size={size} has {len(size)}",
                    help="give one value for all axes, or one for each",
                )
        most = tuple((n - 1) // step + 1 for n, step in zip(size, stride, strict=True))
        queries = own or most
        if any(q > n for q, n in zip(queries, most, strict=True)):
            raise ShapeError(
                f"{times(size)} positions with a stride of {times(stride)} have no {times(queries)} queries",
                notes=(f"at most {times(most)}",),
            )
        return size, queries, stride


class RelativeBuckets(_OfPairs, kind="relative_buckets"):
    """For each pair of tokens, the row of a table for their approximate distance.

    Half of the rows are for keys at or before the query, half for keys after it; with ``causal``, all are for
    the former. In each half, the first rows are for one distance each, from 0 on, and the others for ranges
    that grow by a constant factor up to ``distance``; the last row is for everything beyond. ``parameter([32,
    8]) >> relative_buckets(x.length)`` is the bias of 8 heads in T5.

    Output: ``LxLxC``, for each query and key a row.
    Limits: a table of rows, ``BxC``, equally many on either side; 2 or more of them, and fewer single
        distances than ``distance``.
    Source: Raffel et al. 2020, "T5", section 2.1, and their code.
    """

    length: Annotated[Count, "how many tokens there are"]
    distance: Annotated[Count, "the distance from which on all share one row"] = 128
    causal: Annotated[Flag, "whether keys after the query have no rows"] = False

    incidental = {"distance": "distance", "causal": "causal"}
    names = Names(
        keras="", onnx="", also="relativepositionbucket relativeattentionbias t5relativepositionbias"
    )
    examples = (
        "3x32 >> tokens >> relative_buckets(40, distance=24)",
        "3x12 >> tokens >> relative_buckets(30, distance=20, causal=true)",
    )

    def facts(self, x: Shape) -> Facts:
        self._require_table(x)
        buckets = x.spatial[0]
        own, rest = (buckets, 0) if self.causal else divmod(buckets, 2)
        if rest or own < 2:
            fitting = "2 rows or more" if self.causal else "an even number of rows, 4 or more"
            raise ShapeError(
                f"its table has {fitting}, but its input {x} has {buckets}",
                notes=() if self.causal else ("half of them are for keys after the query",),
            )
        if self.distance <= own // 2:
            raise ShapeError(
                f"the distances up to {own // 2 - 1} have a row each, so that those beyond end at "
                f"{own // 2 + 1} or more, not at distance={self.distance}",
                notes=(f"{buckets} rows{'' if self.causal else ' / 2'} / 2 = {own // 2}",),
            )
        return self._taken(
            x,
            (self.length, self.length),
            Call(
                "archlens.RelativeBuckets",
                length=self.length,
                buckets=buckets,
                distance=self.distance,
                causal=Argument(self.causal, default=False),
            ),
        )


class GridSample(Merge, kind="grid_sample"):
    """Values of a map at computed positions: ``CxHxW`` at the ``2xH'xW'`` of a second branch.

    Each position is a pair of numbers from -1 to 1, the column before the row. Values between positions are
    interpolated linearly, with zeros beyond the border.

    Output: the channels of the first branch at the positions of the second.
    Limits: a map of two spatial axes and a grid of two channels and as many axes, both with channels first.
    Source: Jaderberg et al. 2015, "Spatial Transformer Networks", equation 5.
    """

    whole = True
    names = Names(keras="", onnx="GridSample", also="gridsampler spatialtransformer warp")
    examples = ("3x6x7, 2x4x5 >> grid_sample",)

    def facts(self, *inputs: Shape) -> Facts:
        if len(inputs) != 2:
            raise ShapeError(f"it takes two branches, a map and a grid of positions, not {len(inputs)}")
        x, grid = inputs
        for one in inputs:
            require_spatial(one, "grid_sample")
            require_two_axes(one, "grid_sample")
        if grid.channels != 2:
            raise ShapeError(
                f"its grid has two channels, and {grid} has {grid.channels}",
                help="the map comes first, and then the grid" if x.channels == 2 else "",
                inputs=(1,),
            )
        shape = Shape((x.channels, *grid.spatial))
        reach = NonUniform("which positions grid_sample takes depends on the values of its grid")
        return weightless(shape, reach, Call("archlens.grid_sample"), interpolation=7 * shape.numel)

    def reach_of(self, index: int, facts: Facts, inputs: Sequence[Shape]) -> Reach:
        return (POINT, POINT) if index else facts.reach

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return channels, all_channels(2)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps both; their gradients are made together."""
        return INPUT._replace(jointly=True, lies=ROWS)
