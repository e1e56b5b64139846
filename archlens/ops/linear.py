"""Matrix products over features."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from ..shape import Shape, times
from .attributes import Count, Flag
from .axes import Axis, all_along, axis_of
from .footprint import INPUT, MATRIX, ROWS, Extra, Footprint
from .op import EVERYWHERE, NONE, Argument, Call, Facts, Names, Op, ShapeError, all_channels


def _each_position(x: Shape) -> str:
    """How often something is done to the features of a shape; empty for a flat vector."""
    if not x.spatial:
        return ""
    product = f"{times(x.spatial)} = " if len(x.spatial) > 1 else ""
    return f", at each of {product}{prod(x.spatial):,} positions"


#: The module whose matrix is turned.
_TURNED = "archlens.LinearTurned"


class Linear(Op, kind="linear", family="linear"):
    """Fully connected layer: ``y = Wx + b`` over a flat vector, or over the last axis at each position.

    Tokens (``LxC``) and maps whose channels come last (``HxWxC``) are multiplied position by position, with
    the same weights. ``linear(n, axis="length")`` mixes the tokens instead, with the same weights for each
    channel. ``turned`` stores the weights as a matrix of inputs by outputs, as for ``x @ W`` and in
    transformers' GPT-2, and computes the same.

    Output: ``n_out`` features; the positions stay. Along another axis, ``n_out`` positions.
    Parameters: ``n_in * n_out``, and a bias for each output feature.
    MACs: ``n_in`` for each output value.
    Limits: a flat vector, or channels that come last; ``turned`` along the channels only.
    Source: along another axis, Tolstikhin et al. 2021, "MLP-Mixer", equation 1.
    """

    features: Annotated[Count, "features of the output, n_out"]
    bias: Annotated[Flag, "whether each output feature has a bias"] = True
    axis: Annotated[Axis, "along which axis it multiplies"] = "channels"
    turned: Annotated[Flag, "whether its matrix has a row for each input instead of each output"] = False

    names = Names(keras="Dense", onnx="Gemm", also="dense fc fullyconnected gemm affine innerproduct")
    examples = (
        "400 >> linear(120)",
        "84 >> linear(10, bias=false)",
        "96x7x7 >> channels_last >> linear(384)",
        "24x49 >> tokens >> linear(8, bias=false)",
        '24x49 >> tokens >> layer_norm >> linear(12, axis="length")',
        '6x4x5 >> channels_last >> layer_norm >> linear(3, bias=false, axis="height")',
        "84 >> linear(10, turned=true)",
        "24x49 >> tokens >> layer_norm >> linear(8, bias=false, turned=true)",
    )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input; where the gradient at the positions is no matrix as it lies, it is copied."""
        copied = (Extra(facts.shape.numel),) if facts.shape.spatial else ()
        if self.axis != "channels":
            return self._turned(facts, inputs[0])
        return INPUT._replace(backward=copied, lies=ROWS, needs=MATRIX)

    def facts(self, x: Shape) -> Facts:
        if len(x) > 1 and not x.channels_last:
            raise ShapeError(
                f"linear works on a flat vector, but its input is a map of {x}",
                help=f"put flatten before it ({x.numel:,} features), "
                f"or global_avg_pool >> flatten ({x.channels:,} features); "
                "or channels_last, for a linear layer at each position",
            )
        axis = axis_of(x, self.axis)
        weight = (x[axis], self.features) if self.turned else (self.features, x[axis])
        shape = type(x)((*x[:axis], self.features, *x[axis + 1 :]))
        along: dict[str, Any] = {} if axis == x.channel_axis else {"axis": 1 + axis}
        if along and self.turned:
            raise ShapeError(
                f"turned=true is for a matrix along the channels, and this one is along the {self.axis}",
                help="leave out turned, which changes nothing but how the weight is stored; or the axis",
            )
        return Facts(
            shape=shape,
            weights={"weight": weight, "bias": (self.features,)} if self.bias else {"weight": weight},
            buffers=NONE,
            macs=shape.numel * x[axis],
            other={"bias": shape.numel} if self.bias else {},
            reach=all_along(x, axis, self.features) or EVERYWHERE,
            torch=Call(
                "archlens.LinearAlong" if along else _TURNED if self.turned else "nn.Linear",
                in_features=x[axis],
                out_features=self.features,
                **along,
                bias=Argument(self.bias, default=True),
            ),
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return (all_channels(inputs[0].channels) if self.axis == "channels" else channels,)

    def _turned(self, facts: Facts, x: Shape) -> Footprint:
        """The axis is turned to the end for it, and the input copied so where it does not lie so."""
        axis, order = axis_of(x, self.axis), list(range(len(x)))
        order[axis], order[-1] = order[-1], order[axis]
        return INPUT._replace(backward=(Extra(facts.shape.numel),) * 2, lies=tuple(order), needs=tuple(order))

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        if self.axis != "channels":
            return f"{x.size(self.axis):,} -> {self.features:,} positions of the {self.axis}: {facts.shape}"
        return f"{x.channels:,} -> {self.features:,} features" + _each_position(x)

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        if self.axis != "channels":
            return super().why_macs(facts, *inputs)
        positions = f"{times(x.spatial)} = {prod(x.spatial):,} positions x " if x.spatial else ""
        return f"{positions}{self.features:,} outputs x {x.channels:,} inputs = {facts.macs:,}"

    def why_params(self, facts: Facts) -> str:
        rows, columns = facts.weights["weight"][:: -1 if self.turned else 1]
        text = f"{rows:,} outputs x {columns:,} inputs = {rows * columns:,} weights"
        return text + (f" + {rows:,} biases = {facts.params:,}" if self.bias else "")
