"""Matrix products over features."""

from __future__ import annotations

from math import prod
from typing import Annotated

from ..geometry import POINT
from ..shape import Shape, times
from .attributes import Count, Flag
from .footprint import INPUT, MATRIX, ROWS, Extra, Footprint
from .op import EVERYWHERE, NONE, Argument, Call, Facts, Names, Op, ShapeError


def _each_position(x: Shape) -> str:
    """How often something is done to the features of a shape; empty for a flat vector."""
    if not x.spatial:
        return ""
    product = f"{times(x.spatial)} = " if len(x.spatial) > 1 else ""
    return f", at each of {product}{prod(x.spatial):,} positions"


class Linear(Op, kind="linear", family="linear"):
    """Fully connected layer: ``y = Wx + b`` over a flat vector, or over the last axis at each position.

    Tokens (``LxC``) and maps whose channels come last (``HxWxC``) are multiplied position by position, with
    the same weights.

    Output: ``n_out`` features; the positions stay.
    Parameters: ``n_in * n_out``, and a bias for each output feature.
    MACs: ``n_in * n_out`` at each position.
    Limits: a flat vector, or channels that come last.
    """

    features: Annotated[Count, "features of the output, n_out"]
    bias: Annotated[Flag, "whether each output feature has a bias"] = True

    names = Names(keras="Dense", onnx="Gemm", also="dense fc fullyconnected gemm affine innerproduct")
    examples = (
        "400 >> linear(120)",
        "84 >> linear(10, bias=false)",
        "96x7x7 >> channels_last >> linear(384)",
        "24x49 >> tokens >> linear(8, bias=false)",
    )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input; where the gradient at the positions is no matrix as it lies, it is copied."""
        copied = (Extra(facts.shape.numel),) if facts.shape.spatial else ()
        return INPUT._replace(backward=copied, lies=ROWS, needs=MATRIX)

    def facts(self, x: Shape) -> Facts:
        if len(x) > 1 and not x.channels_last:
            raise ShapeError(
                f"linear works on a flat vector, and its input is a map of {x}",
                help=f"put flatten before it ({x.numel:,} features), "
                f"or global_avg_pool >> flatten ({x.channels:,} features); "
                "or channels_last, for a linear layer at each position",
            )
        weight = (self.features, x.channels)
        shape = x.with_channels(self.features)
        return Facts(
            shape=shape,
            weights={"weight": weight, "bias": (self.features,)} if self.bias else {"weight": weight},
            buffers=NONE,
            macs=shape.numel * x.channels,
            other={"bias": shape.numel} if self.bias else {},
            reach=(POINT,) * (len(x) - 1) or EVERYWHERE,
            torch=Call(
                "nn.Linear",
                in_features=x.channels,
                out_features=self.features,
                bias=Argument(self.bias, default=True),
            ),
        )

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        return f"{x.channels:,} -> {self.features:,} features" + _each_position(x)

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        (x,) = inputs
        positions = f"{times(x.spatial)} = {prod(x.spatial):,} positions x " if x.spatial else ""
        return f"{positions}{self.features:,} outputs x {x.channels:,} inputs = {facts.macs:,}"

    def why_params(self, facts: Facts) -> str:
        rows, columns = facts.weights["weight"]
        text = f"{rows:,} outputs x {columns:,} inputs = {rows * columns:,} weights"
        return text + (f" + {rows:,} biases = {facts.params:,}" if self.bias else "")
