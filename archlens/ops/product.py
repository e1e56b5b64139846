"""Products of two tensors as matrices."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Annotated

from ..geometry import POINT
from ..shape import Shape, channels_last, times
from .attributes import Flag
from .footprint import INPUT, MATRICES, ROWS, Footprint
from .op import (
    EVERYWHERE,
    NONE,
    Call,
    Facts,
    Merge,
    Names,
    NonUniform,
    Reach,
    ShapeError,
    all_channels,
)


class MatMul(Merge, kind="matmul"):
    """The product of two branches as matrices: ``LxC`` by ``CxM`` is ``LxM``, for each of their leading axes.

    With ``transpose``, the second is ``MxC``, like the keys of attention.

    Output: the positions of the first branch, with the ``M`` channels of the second, or its positions if it
        is transposed.
    MACs: ``C`` for each output value.
    Limits: two branches with channels last, of the same leading axes; the second has a row for each channel
        of the first.
    """

    transpose: Annotated[Flag, "whether the second branch is MxC"] = False

    whole = True
    names = Names(keras="Dot", onnx="MatMul", also="bmm batchmatmul mm einsum batchdot")
    examples = (
        "6x5, 8x6 >> tokens >> matmul",
        "6x5, 6x8 >> tokens >> matmul(transpose=true)",
        "6x3x5, 8x3x6 >> channels_last >> layer_norm >> matmul",
        "6x3x5, 6x3x8 >> channels_last >> layer_norm >> matmul(transpose=true)",
    )

    def facts(self, *inputs: Shape) -> Facts:
        if len(inputs) != 2:
            raise ShapeError(f"it multiplies two branches, but got {len(inputs)}")
        a, b = inputs
        for place, x in enumerate(inputs):
            if not x.channels_last:
                raise ShapeError(
                    f"matmul works on channels that come last, such as LxC, and {x} is "
                    + ("a map whose channels come first" if len(x) > 1 else "a flat vector"),
                    help="tokens or channels_last turns it round"
                    if len(x) > 1
                    else 'rearrange("(l c=8) -> l c") makes rows of it',
                    inputs=(place,),
                )
        if a.spatial[:-1] != b.spatial[:-1]:
            raise ShapeError(
                f"the leading axes of {a} and {b} differ ({times(a.spatial[:-1]) or 'none'} and "
                f"{times(b.spatial[:-1]) or 'none'})",
                inputs=(0, 1),
                size=True,
            )
        rows, columns = (b[-1], b[-2]) if self.transpose else (b[-2], b[-1])
        if a.channels != rows:
            turned = ", transposed," if self.transpose else ""
            fits = a.channels == columns
            raise ShapeError(
                f"each position of {a} has {a.channels} channels, and {b}{turned} has {rows} rows",
                help=(f"matmul(transpose={'false' if self.transpose else 'true'})") if fits else "",
                inputs=(0, 1),
            )
        shape = channels_last(a.spatial, columns)
        return Facts(
            shape=shape,
            weights=NONE,
            buffers=NONE,
            macs=shape.numel * rows,
            other=NONE,
            reach=EVERYWHERE
            if prod(a.spatial[:-1]) == 1
            else NonUniform("each row sees all of the second branch that has its leading position"),
            torch=Call("archlens.matmul_transposed") if self.transpose else Call("torch.matmul"),
        )

    def reach_of(self, index: int, facts: Facts, inputs: Sequence[Shape]) -> Reach:
        return (POINT,) * len(facts.shape.spatial) if index == 0 else facts.reach

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        a, b = inputs
        return all_channels(a.channels), all_channels(b.channels) if self.transpose else channels

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps both."""
        return INPUT._replace(lies=ROWS, needs=MATRICES)

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        a, b = inputs
        return f"{a.spatial[-1]:,} rows x {facts.shape.channels:,} columns, of {a} and {b}"
