"""Merges: several tensors become one. Their kinds are the keys that open branches in a spec."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from ..geometry import POINT
from ..shape import Shape, times
from .footprint import INPUT, PASSED, Extra, Footprint
from .op import Argument, Call, Facts, Merge, Names, ShapeError, all_channels, weightless

#: The most terms of a sum that are written out.
_TERMS = 50


class Concat(Merge, kind="concat"):
    """The channels of all branches, one after the other.

    Output: ``c1 + c2 + ...`` channels; the positions stay.
    Limits: branches of the same positions and the same layout.
    """

    names = Names(
        keras="Concatenate",
        onnx="Concat",
        also="cat route concatenate concatenated concatenation hstack vstack dstack columnstack rowstack",
    )
    examples = ("64x28x28, 128x28x28, 32x28x28 >> concat", "10, 20 >> concat")
    associates = True
    saved_for_backward = PASSED

    def facts(self, *inputs: Shape) -> Facts:
        first = inputs[0]
        _require_one_layout(inputs)
        for index, other in enumerate(inputs):
            if other.spatial != first.spatial:
                raise ShapeError(
                    f"only channels can differ in a concat, and {first} and {other} differ in "
                    f"{_differing(first, other)}",
                    help=_help(first, other, channels=False),
                    inputs=(0, index),
                    size=True,
                )
        shape = first.with_channels(sum(x.channels for x in inputs))
        torch = Call("torch.cat", dim=Argument(1 + first.channel_axis, default=0))
        return weightless(shape, (POINT,) * (len(first) - 1), torch)

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        found = []
        for x in inputs:
            found.append(channels & all_channels(x.channels))
            channels >>= x.channels
        return tuple(found)

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        terms = [str(x.channels) for x in inputs]
        if len(terms) > _TERMS:
            terms = [*terms[:3], "...", terms[-1]]
        return f"{' + '.join(terms)} = {facts.shape.channels}"


class _Elementwise(Merge):
    """What add and multiply share: equal shapes, or one of size 1 that is repeated along an axis.

    Output: along each axis the larger size.
    Limits: branches of as many axes and the same layout, equal along each axis or 1.
    """

    function: ClassVar[str]
    commutes = True

    def facts(self, *inputs: Shape) -> Facts:
        shape = inputs[0]
        _require_one_layout(inputs)
        work = 0
        for index, x in enumerate(inputs):
            fits = len(x) == len(shape) and all(a == b or 1 in (a, b) for a, b in zip(x, shape, strict=True))
            if not fits:
                raise ShapeError(
                    f"it cannot {self.kind} {inputs[0]} and {x}: they differ in {_differing(shape, x)}",
                    help=_help(shape, x),
                    inputs=(0, index),
                    size=len(x) == len(shape) and x.channels == shape.channels,
                )
            shape = type(x)(max(a, b) for a, b in zip(x, shape, strict=True))
            if index:  # one branch after the other, so the first ones may still be small
                work += shape.numel
        return weightless(shape, (POINT,) * (len(shape) - 1), Call(self.function), elementwise=work)

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        smaller = [str(x) for x in dict.fromkeys(inputs) if x != facts.shape]
        if not smaller:
            return super().why_shape(facts, *inputs)
        return f"{' and '.join(smaller)} {'are' if len(smaller) > 1 else 'is'} repeated to {facts.shape}"

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return tuple([1 if x.channels == 1 else channels for x in inputs])


class Add(_Elementwise, kind="add"):
    """The sum of all branches, value by value."""

    function = "operator.add"
    names = Names(keras="Add", onnx="Add Sum", also="sum plus addn addition summation elementwiseadd")
    examples = (
        "64x56x56, 64x56x56 >> add",
        "8x4x4, 8x1x1, 8x4x4 >> add",
        "1x4x5, 6x4x5 >> add",
        "10, 10 >> add",
    )
    saved_for_backward = PASSED._replace(in_place=True, chained=True)


class Multiply(_Elementwise, kind="multiply"):
    """The product of all branches, value by value.

    ``Cx1x1`` scales a ``CxHxW`` channel by channel, and ``1xHxW`` position by position.
    """

    function = "operator.mul"
    names = Names(keras="Multiply", onnx="Mul", also="mul mult times product prod multiplication hadamard")
    examples = ("64x56x56, 64x1x1 >> multiply", "8x4x5, 1x4x5 >> multiply", "8x4x4, 8x4x4 >> multiply")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its factors, and of more than two the products of the first ones."""
        products = [Extra(products.numel) for products in pairwise_shapes(inputs)[:-1]]
        repeated = sum(x.numel < facts.shape.numel for x in inputs)
        return INPUT._replace(
            saved=tuple(products),
            backward=(Extra(facts.shape.numel),) * min(repeated, 2),
            in_place=True,
            chained=True,
        )


def pairwise_shapes(inputs: tuple[Shape, ...]) -> list[Shape]:
    """The shapes of the results where inputs are merged two at a time; the last is the output's.

    >>> pairwise_shapes((Shape((8, 1, 1)), Shape((8, 4, 1)), Shape((8, 1, 5))))
    [Shape((8, 4, 1)), Shape((8, 4, 5))]
    """
    shapes = []
    shape = inputs[0]
    for x in inputs[1:]:
        shape = Shape(max(a, b) for a, b in zip(x, shape, strict=True))
        shapes.append(shape)
    return shapes


def _require_one_layout(inputs: tuple[Shape, ...]) -> None:
    """Refuse to merge channels that come first with channels that come last, whatever their sizes."""
    first = inputs[0]
    for index, x in enumerate(inputs):
        if x.channels_last != first.channels_last and len(x) == len(first):
            raise ShapeError(
                f"the channels of {first} come {_place(first)}, and those of {x} come {_place(x)}",
                help="channels_first turns the one round whose channels come last",
                inputs=(0, index),
            )


def _place(x: Shape) -> str:
    return "last" if x.channels_last else "first"


def _differing(a: Shape, b: Shape) -> str:
    if len(a) != len(b):
        return f"how many axes they have ({len(a)} and {len(b)})"
    differing = [(n, p, q) for n, p, q in zip(a.names, a, b, strict=True) if p != q]
    return " and ".join(f"{name} ({p} and {q})" for name, p, q in differing)


def _help(a: Shape, b: Shape, *, channels: bool = True) -> str:
    """What brings two shapes together; ``channels`` says whether those must agree too."""
    if len(a) != len(b):
        small = min(a, b, key=len)
        return f"bring both to the same axes: reshape, or flatten the other, before {small} is merged"
    if len(a) == 1 or (a.channels_last and a.spatial == b.spatial):
        return f"a linear layer brings one to the features of the other: linear({a.channels})"
    if a.spatial != b.spatial and (a.channels == b.channels or not channels):
        smaller = min(a, b, key=lambda shape: prod(shape.spatial))
        return f"bring both to {times(smaller.spatial)}: the same stride and padding on each branch, or crop"
    if a.spatial == b.spatial:
        return f"a 1x1 convolution brings one to the channels of the other: conv({a.channels}, 1)"
    if a.channels_last:
        return "bring both to the same positions, and a linear layer one to the features of the other"
    smaller = min(a, b, key=lambda shape: prod(shape.spatial))
    return (
        "a 1x1 convolution with a stride brings one branch to the shape of the other: "
        f"conv({smaller.channels}, 1, stride)"
    )
