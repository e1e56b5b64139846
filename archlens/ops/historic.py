"""What LeNet-5 needed in 1998 and nobody has built since.

Source: LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition",
Proc. IEEE 86(11), 1998, section II-B.
"""

from __future__ import annotations

from math import prod
from typing import Annotated

from ..geometry import Window
from ..shape import Shape, times
from .attributes import Count, Flag, Size, Table
from .footprint import INPUT, INT64, Extra, Footprint
from .op import EVERYWHERE, NONE, Argument, Buffer, Call, Facts, Names, Op, ShapeError
from .windows import check_windows, per_axis, require_spatial, shortest


class Subsample(Op, kind="subsample", family="pooling"):
    """Trainable subsampling: the sum of each window, times a coefficient, plus a bias.

    The windows do not overlap. It is neither a convolution nor a matrix product, so it has no
    multiply-accumulates of its own.

    Output: ``(n - f)/f + 1`` positions of ``n`` along each axis, rounded down.
    Parameters: ``2*c``: one coefficient and one bias for each channel.
    Limits: a map, channels first, at least as large as the window.
    Source: LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", section II-B.
    """

    kernel: Annotated[Size, "size of the window, and its step, f"]

    sliding = True
    channelwise = True
    names = Names(keras="", onnx="")
    examples = ("6x28x28 >> subsample(2)", "16x10x10 >> subsample(2)", "3x9 >> subsample(3)")

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "subsample")
        windows = tuple(Window(f, f) for f in per_axis(self.kernel, x, "kernel"))
        shape = Shape((x.channels, *check_windows(windows, x)))
        kernel = tuple(w.kernel for w in windows)
        return Facts(
            shape=shape,
            weights={"weight": (x.channels,), "bias": (x.channels,)},
            buffers=NONE,
            macs=0,
            # the sum of f*f values, the coefficient, the bias: as many as the paper's "connections"
            other={
                "pooling": shape.numel * (prod(kernel) - 1),
                "elementwise": shape.numel,
                "bias": shape.numel,
            },
            reach=windows,
            torch=Call("archlens.Subsample", channels=x.channels, kernel_size=shortest(kernel)),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        sums = Extra(facts.shape.numel)
        return INPUT._replace(
            saved=(sums,), before=((sums, sums),), workspace=(sums, sums), backward=(sums,) * 2
        )

    def why_params(self, facts: Facts) -> str:
        channels = facts.shape.channels
        return f"{channels:,} coefficients + {channels:,} biases = {facts.params:,}"


class ConvMap(Op, kind="conv_map", family="convolution"):
    """Convolution with a connection table: each output channel reads only the inputs listed for it.

    torch 7 called it ``SpatialConvolutionMap``.

    Output: ``n - f + 1`` positions of ``n`` along each axis, and a channel for each row of the table.
    Parameters: ``pairs * f*f``, as every connected pair has a kernel of its own, and a bias for each output
        channel.
    MACs: ``pairs * f*f`` for each position of the output.
    Limits: a map, channels first, at least as large as the window; no input channel twice in a row of the
        table.
    Source: LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", table I.
    """

    connections: Annotated[Table, "the inputs of each output channel, numbered from 0"]
    kernel: Annotated[Size, "size of the window, f"]
    bias: Annotated[Flag, "whether each output channel has a bias"] = True

    sliding = True
    names = Names(keras="", onnx="")
    examples = (
        "3x8x8 >> conv_map([[0, 1], [1, 2], [0, 1, 2]], 3)",
        "2x9x9 >> conv_map([[0], [1], [0, 1]], (3, 5), bias=false)",
    )

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "conv_map")
        for number, row in enumerate(self.connections):
            if max(row) >= x.channels:
                raise ShapeError(
                    f"output {number} of its table reads input channel {max(row)}, and there are "
                    f"{x.channels}, numbered from 0"
                )
            if len(set(row)) < len(row):
                raise ShapeError(f"output {number} of its table reads one input channel twice")
        kernel = per_axis(self.kernel, x, "kernel")
        windows = tuple(map(Window, kernel))
        pairs = sum(map(len, self.connections))

        # C_out, *spatial
        shape = Shape((len(self.connections), *check_windows(windows, x)))
        weight = (pairs, *kernel)
        positions = prod(shape.spatial)
        return Facts(
            shape=shape,
            weights={"weight": weight, "bias": (shape.channels,)} if self.bias else {"weight": weight},
            # the output and the input of each pair
            buffers={name: Buffer((pairs,), INT64, saved=False) for name in ("rows", "columns")},
            macs=pairs * prod(kernel) * positions,
            other={"bias": shape.numel} if self.bias else {},
            reach=windows,
            torch=Call(
                "archlens.ConvMap",
                in_channels=x.channels,
                connections=self.connections,
                kernel_size=kernel,
                bias=Argument(self.bias, default=True),
            ),
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        found = 0
        for number, row in enumerate(self.connections):
            if channels >> number & 1:
                for channel in row:
                    found |= 1 << channel
        return (found,)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """The input of every connected pair, and each pair's result before they are added up."""
        pairs = facts.weights["weight"][0]
        read = Extra(pairs * prod(inputs[0].spatial))
        each = Extra(pairs * prod(facts.shape.spatial))
        return Footprint(
            saved=(read, each),
            before=((read, each),),
            workspace=(each, Extra(facts.shape.numel)),
            backward=(read,),
        )

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        weight, positions = facts.weights["weight"], facts.shape.spatial
        return (
            f"{weight[0]:,} connected pairs x {times(weight[1:])} products x "
            f"{times(positions)} positions = {facts.macs:,}"
        )

    def why_params(self, facts: Facts) -> str:
        weight = facts.weights["weight"]
        text = f"{weight[0]:,} connected pairs x {times(weight[1:])} = {prod(weight):,} weights"
        return text + (f" + {facts.shape.channels:,} biases = {facts.params:,}" if self.bias else "")

    def __str__(self) -> str:
        pairs = sum(map(len, self.connections))
        kernel = self.kernel if isinstance(self.kernel, int) else f"({', '.join(map(str, self.kernel))})"
        return f"conv_map({len(self.connections)} outputs by {pairs} connections, {kernel})"


class RBF(Op, kind="rbf", family="linear"):
    """Euclidean radial basis functions: the squared distance of the input to each of some centres.

    The centres were drawn by hand as 7x12 bitmaps of the characters and kept fixed, so they are a buffer
    and not parameters. A squared distance is not a matrix product: it is itemised apart, a difference and
    a square for each of the paper's 840 connections, and the additions between them.

    Output: ``features`` distances.
    Limits: a flat vector.
    Source: LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", section II-B.
    """

    features: Annotated[Count, "how many centres there are"]

    names = Names(keras="", onnx="")
    examples = ("84 >> rbf(10)",)

    def facts(self, x: Shape) -> Facts:
        if len(x) > 1:
            raise ShapeError(
                f"rbf works on a flat vector, but its input is a map of {x}", help="put flatten before it"
            )
        return Facts(
            shape=Shape((self.features,)),
            weights=NONE,
            buffers={"centres": Buffer((self.features, x.channels))},
            macs=0,
            other={"distance": self.features * (3 * x.channels - 1)},
            reach=EVERYWHERE,
            torch=Call("archlens.RBF", channels=x.channels, features=self.features),
        )

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        return f"{x.channels:,} features -> {self.features:,} distances, one to each centre"

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        differences = Extra(self.features * inputs[0].channels)
        return Footprint(
            saved=(differences,),
            before=((differences, differences),),
            workspace=(differences,),
            backward=(differences,) * 3,
        )
