"""Merges: several tensors become one. Their kinds are the keys that open branches in a spec."""

from __future__ import annotations

from functools import partial
from math import prod
from typing import Annotated, ClassVar

from ..geometry import POINT
from ..shape import Shape, times
from .axes import Axis, axis_of
from .footprint import BOOL, INPUT, NOTHING, PASSED, Extra, Footprint
from .op import (
    Argument,
    Call,
    Facts,
    LateShapeError,
    Merge,
    Names,
    NonUniform,
    Reach,
    ShapeError,
    all_channels,
    weightless,
)

#: The most terms of a sum that are written out.
_TERMS = 50


class Concat(Merge, kind="concat"):
    """The channels of all branches, one after the other; or their positions along another axis.

    ``concat(axis="length")`` appends tokens to tokens.

    Output: ``c1 + c2 + ...`` channels; the positions stay. Along another axis its sizes are added up.
    Limits: branches of the same layout that have the same sizes along all other axes.
    """

    axis: Annotated[Axis, "the axis along which they are put together"] = "channels"

    names = Names(
        keras="Concatenate",
        onnx="Concat",
        also="cat route concatenate concatenated concatenation hstack vstack dstack columnstack rowstack",
    )
    examples = (
        "64x28x28, 128x28x28, 32x28x28 >> concat",
        "10, 20 >> concat",
        '8x9, 8x1 >> tokens >> concat(axis="length")',
        '8x4x5, 8x3x5 >> concat(axis="height")',
    )
    associates = True
    saved_for_backward = PASSED

    def facts(self, *inputs: Shape) -> Facts:
        first = inputs[0]
        _require_one_layout(inputs)
        axis = axis_of(first, self.axis)
        for index, other in enumerate(inputs):
            if len(other) != len(first) or _without(other, axis) != _without(first, axis):
                raise LateShapeError(partial(self._differing, first, other, index))
        sizes = list(first)
        sizes[axis] = sum(x[axis] for x in inputs)
        reach: Reach = (POINT,) * (len(first) - 1)
        if axis != first.channel_axis:
            reach = NonUniform(f"the positions of the branches follow each other along the {self.axis}")
        torch = Call("torch.cat", dim=Argument(1 + axis, default=0))
        return weightless(type(first)(sizes), reach, torch)

    def _differing(self, first: Shape, other: Shape, index: int) -> ShapeError:
        """What is to say where a branch does not fit the first."""
        return ShapeError(
            f"only {self.axis} can differ in a concat, and {first} and {other} differ in "
            f"{_differing(first, other)}",
            help=_help(first, other, channels=self.axis != "channels"),
            inputs=(0, index),
            size=True,
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        if self.axis != "channels":
            return (channels,) * len(inputs)
        found = []
        for x in inputs:
            found.append(channels & all_channels(x.channels))
            channels >>= x.channels
        return tuple(found)

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        axis = axis_of(facts.shape, self.axis)
        terms = [str(x[axis]) for x in inputs]
        if len(terms) > _TERMS:
            terms = [*terms[:3], "...", terms[-1]]
        return f"{' + '.join(terms)} = {facts.shape[axis]}"


def _without(x: Shape, axis: int) -> tuple[int, ...]:
    return (*x[:axis], *x[axis + 1 :])


class Elementwise(Merge):
    """What merges share that work value by value: equal shapes, or one of size 1 that is repeated.

    Output: along each axis the larger size.
    Limits: branches of as many axes and the same layout, equal along each axis or 1.
    """

    function: ClassVar[str]

    def facts(self, *inputs: Shape) -> Facts:
        shape = inputs[0]
        _require_one_layout(inputs)
        work = 0
        for index, x in enumerate(inputs):
            fits = len(x) == len(shape) and all(a == b or 1 in (a, b) for a, b in zip(x, shape, strict=True))
            if not fits:
                raise LateShapeError(partial(self._unequal, inputs[0], shape, x, index))
            shape = type(x)(max(a, b) for a, b in zip(x, shape, strict=True))
            if index:  # one branch after the other, so the first ones may still be small
                work += shape.numel
        return weightless(shape, (POINT,) * (len(shape) - 1), Call(self.function), elementwise=work)

    def _unequal(self, first: Shape, shape: Shape, x: Shape, index: int) -> ShapeError:
        """What is to say where a branch does not fit those before it, which have one shape together."""
        one, other = _repeated(shape, x)
        return ShapeError(
            f"it cannot {self.kind} {first} and {x}: they differ in {_differing(one, other)}",
            help=_help(one, other),
            inputs=(0, index),
            size=len(x) == len(shape) and x.channels == shape.channels,
        )

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        smaller = [str(x) for x in dict.fromkeys(inputs) if x != facts.shape]
        if not smaller:
            return super().why_shape(facts, *inputs)
        return f"{' and '.join(smaller)} {'are' if len(smaller) > 1 else 'is'} repeated to {facts.shape}"

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return tuple([1 if x.channels == 1 else channels for x in inputs])


class Add(Elementwise, kind="add"):
    """The sum of all branches, value by value."""

    function = "operator.add"
    commutes = True
    names = Names(keras="Add", onnx="Add Sum", also="sum plus addn addition summation elementwiseadd")
    examples = (
        "64x56x56, 64x56x56 >> add",
        "8x4x4, 8x1x1, 8x4x4 >> add",
        "1x4x5, 6x4x5 >> add",
        "10, 10 >> add",
    )
    saved_for_backward = PASSED._replace(in_place=True, chained=True)


class Multiply(Elementwise, kind="multiply"):
    """The product of all branches, value by value.

    ``Cx1x1`` scales a ``CxHxW`` channel by channel, and ``1xHxW`` position by position.
    """

    function = "operator.mul"
    commutes = True
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


class _OfTwo(Elementwise):
    """What takes two branches, and no more.

    Output: along each axis the larger size.
    Limits: two branches of as many axes and the same layout, equal along each axis or 1.
    """

    def facts(self, *inputs: Shape) -> Facts:
        if len(inputs) > 2:
            raise ShapeError(
                f"{self.kind} takes two branches, but got {len(inputs)}",
                help="merge two of them at a time",
            )
        return super().facts(*inputs)


class Subtract(_OfTwo, kind="subtract"):
    """The first branch minus the second, value by value."""

    function = "operator.sub"
    names = Names(keras="Subtract", onnx="Sub", also="sub minus difference")
    examples = ("8x4x5, 8x4x5 >> subtract", "8x4x5, 8x1x1 >> subtract", "1x7, 6x7 >> subtract")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """Nothing; the gradient of the second is that of the output with the other sign."""
        return NOTHING._replace(backward=(Extra(facts.shape.numel),), in_place=True)


class Divide(_OfTwo, kind="divide"):
    """The first branch divided by the second, value by value."""

    function = "operator.truediv"
    names = Names(keras="", onnx="Div", also="div quotient truedivide")
    examples = ("8x4x5, 8x4x5 >> divide", "8x4x5, 8x1x1 >> divide")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps both; the quotient and its product with the gradient are made again."""
        return INPUT._replace(backward=(Extra(facts.shape.numel),) * 3, in_place=True)


class _Extreme(_OfTwo):
    """What maximum and minimum share: both are kept, to find where which of them was taken.

    Output: along each axis the larger size.
    Limits: two branches of as many axes and the same layout, equal along each axis or 1.
    """

    commutes = True

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        n = facts.shape.numel
        return INPUT._replace(backward=(Extra(n), Extra(n), Extra(n), Extra(n, BOOL)), in_place=True)


class Maximum(_Extreme, kind="maximum"):
    """The larger of two branches, value by value."""

    function = "torch.maximum"
    names = Names(keras="Maximum", onnx="Max", also="larger")
    examples = ("8x4x5, 8x4x5 >> maximum", "8x4x5, 8x1x1 >> maximum")


class Minimum(_Extreme, kind="minimum"):
    """The smaller of two branches, value by value."""

    function = "torch.minimum"
    names = Names(keras="Minimum", onnx="Min", also="smaller")
    examples = ("8x4x5, 8x4x5 >> minimum",)


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


def _repeated(a: Shape, b: Shape) -> tuple[Shape, Shape]:
    """Both with sizes of 1 repeated to those of the other, so that only what is at fault still differs."""
    if len(a) != len(b):
        return a, b
    wide, wider = (
        [max(n, m) if 1 in (n, m) else n for n, m in zip(x, y, strict=True)] for x, y in ((a, b), (b, a))
    )
    return type(a)(wide), type(b)(wider)


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
