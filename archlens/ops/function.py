"""Functions of each value by itself that are steps of a formula, rather than activations."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ..shape import Shape
from .activation import Pointwise
from .attributes import Number, OptionalNumber
from .footprint import BOOL, INPUT, NOTHING, OUTPUT, Extra, Footprint
from .op import Argument, Call, Facts, Names, ShapeError


class _Function(Pointwise):
    """What these functions share: torch has each as a function, and no module.

    Output: the shape of the input.
    Limits: none.
    """

    function: ClassVar[str]

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input; what the gradient is multiplied by exists for a moment."""
        return INPUT._replace(backward=(Extra(facts.shape.numel),), in_place=True)

    def _torch(self, x: Shape) -> Call:
        return Call(f"torch.{self.function}")


class Abs(_Function, kind="abs"):
    """``|x|``."""

    function = "abs"
    names = Names(keras="", onnx="Abs", also="absolute absolutevalue fabs")
    examples = ("6x8x8 >> abs", "10 >> abs")


class Exp(_Function, kind="exp"):
    """The exponential function."""

    function = "exp"
    names = Names(keras="activations.exponential", onnx="Exp", also="exponential")
    examples = ("6x8x8 >> exp",)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its output, which is its own derivative."""
        return OUTPUT._replace(in_place=True)


class Log(_Function, kind="log"):
    """The natural logarithm."""

    function = "log"
    names = Names(keras="", onnx="Log", also="logarithm")
    examples = ("6x8x8 >> log",)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input, which the gradient is divided by."""
        return INPUT._replace(in_place=True)


class Sqrt(_Function, kind="sqrt"):
    """The square root."""

    function = "sqrt"
    names = Names(keras="", onnx="Sqrt", also="squareroot")
    examples = ("6x8x8 >> sqrt",)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its output; the gradient is divided by twice that."""
        return OUTPUT._replace(backward=(Extra(facts.shape.numel),), in_place=True)


class Sin(_Function, kind="sin"):
    """The sine."""

    function = "sin"
    names = Names(keras="", onnx="Sin", also="sine")
    examples = ("16 >> sin",)


class Cos(_Function, kind="cos"):
    """The cosine."""

    function = "cos"
    names = Names(keras="", onnx="Cos", also="cosine")
    examples = ("16 >> cos",)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input; the gradient is multiplied by its sine with the other sign."""
        return INPUT._replace(backward=(Extra(facts.shape.numel),) * 2, in_place=True)


class Pow(_Function, kind="pow"):
    """Each value to the power of a fixed ``exponent``.

    ``pow(2)`` is the square, ``pow(-1)`` the reciprocal, and ``pow(-0.5)`` one over the square root.
    """

    exponent: Annotated[Number, "the power"]

    incidental = {"exponent": "exponent"}
    function = "pow"
    names = Names(keras="", onnx="Pow(x,exponent)", also="power square rsqrt reciprocal")
    examples = ("6x8x8 >> pow(2)", "10 >> pow(-0.5)", "10 >> pow(1)")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input, unless the power is 0, and a power of it exists for a moment."""
        return INPUT._replace(backward=(Extra(facts.shape.numel),) * 2, in_place=True)

    def _torch(self, x: Shape) -> Call:
        return Call("torch.pow", exponent=self.exponent)


class Shift(_Function, kind="shift"):
    """Each value plus a fixed ``amount``, which is not learned.

    ``scale`` multiplies by such a number: ``1 - x`` is ``scale(-1) >> shift(1)``.
    """

    amount: Annotated[Number, "what is added to each value"]

    incidental = {"amount": "amount"}
    names = Names(keras="Rescaling(offset)", onnx="Add(x,amount)", also="offset addscalar")
    examples = ("6x8x8 >> shift(1)", "84 >> shift(-0.5)")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """Nothing: the gradient passes through."""
        return NOTHING._replace(in_place=True, passes=True)

    def _torch(self, x: Shape) -> Call:
        return Call("torch.add", amount=self.amount)


class Clamp(_Function, kind="clamp"):
    """``min`` where x is smaller, ``max`` where it is larger, else x.

    Limits: one of the two at least is given, and ``min`` is at most ``max``.
    """

    min: Annotated[OptionalNumber, "the smallest value, or none"] = None
    max: Annotated[OptionalNumber, "the largest value, or none"] = None

    incidental = {"min": "min", "max": "max"}
    names = Names(keras="", onnx="Clip", also="clip clampmin clampmax")
    examples = ("6x8x8 >> clamp(-2, 2)", "10 >> clamp(min=0.1)", "10 >> clamp(max=3)")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input; which values lie between is found out of it once more."""
        return INPUT._replace(backward=(Extra(facts.shape.numel, BOOL),) * 3, in_place=True)

    def facts(self, x: Shape) -> Facts:
        if self.min is None and self.max is None:
            raise ShapeError(
                "it is given neither min nor max", help="clamp(min=0), clamp(max=6) or clamp(0, 6)"
            )
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ShapeError(f"its min of {self.min} is larger than its max of {self.max}")
        work = sum(bound is not None for bound in (self.min, self.max)) * x.numel
        return super().facts(x)._replace(other={"activation": work})

    def _torch(self, x: Shape) -> Call:
        return Call("torch.clamp", min=Argument(self.min, default=None), max=Argument(self.max, default=None))
