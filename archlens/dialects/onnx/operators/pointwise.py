"""What is computed value by value."""

from __future__ import annotations

from math import isclose, prod
from typing import Any

from ..folding import broadcast
from ..proto import Misfit
from ..running import At, Tensor
from .arguments import beside, filling, plainly
from .registry import runs

_PLAIN = {
    "Relu": "aten.relu", "Sigmoid": "aten.sigmoid", "Tanh": "aten.tanh", "Softplus": "aten.softplus",
    "Softsign": "torch.softsign", "HardSwish": "aten.hardswish", "Mish": "aten.mish", "Swish": "aten.silu",
    "Celu": "aten.celu", "ThresholdedRelu": "aten.threshold", "Shrink": "aten.softshrink",
    "Abs": "aten.abs", "Acos": "aten.acos", "Asin": "aten.asin", "Atan": "aten.atan", "Ceil": "aten.ceil",
    "Cos": "aten.cos", "Cosh": "aten.cosh", "Sin": "aten.sin", "Sinh": "aten.sinh", "Tan": "aten.tan",
    "Erf": "aten.erf", "Exp": "aten.exp", "Floor": "aten.floor", "Log": "aten.log", "Neg": "aten.neg",
    "Reciprocal": "aten.reciprocal", "Round": "aten.round", "Sign": "aten.sign", "Sqrt": "aten.sqrt",
    "Not": "aten.logical_not", "IsNaN": "aten.isnan", "IsInf": "aten.isinf", "BitwiseNot": "aten.bitwise_not",
    "Asinh": "aten.asinh", "Acosh": "aten.acosh", "Atanh": "aten.atanh",
}  # fmt: skip


@runs(*_PLAIN)
def plain(at: At) -> Tensor:
    x = at.x()
    scaled = at.node.op == "Swish" and at.node.decimal("alpha", 1.0) != 1
    return at.write("Swish" if scaled else _PLAIN[at.node.op], {"self": x}, x.sizes)


@runs("LeakyRelu")
def leaky_relu(at: At) -> Tensor:
    x = at.x()
    slope = plainly(at.node.decimal("alpha", 0.01))
    return at.write("aten.leaky_relu", {"self": x, "negative_slope": slope}, x.sizes)


@runs("Elu", "Selu")
def elu(at: At) -> Tensor:
    x = at.x()
    if at.node.op == "Selu":
        return at.write("aten.elu", {"self": x, "scale": 1.0507}, x.sizes)
    alpha = plainly(at.node.decimal("alpha", 1.0))
    return at.write("aten.elu", {"self": x, "alpha": int(alpha) if alpha.is_integer() else alpha}, x.sizes)


@runs("HardSigmoid")
def hard_sigmoid(at: At) -> Tensor:
    x = at.x()
    as_torch = isclose(at.node.decimal("alpha", 0.2), 1 / 6, rel_tol=1e-3)
    name = "aten.hardsigmoid" if as_torch else "HardSigmoid"
    return at.write(name, {"self": x}, x.sizes)


@runs("Gelu")
@runs("Gelu", domain="com.microsoft")
def gelu(at: At) -> Tensor:
    x = at.x()
    return at.write("aten.gelu", {"self": x, "approximate": at.node.text("approximate", "none")}, x.sizes)


@runs("PRelu")
def prelu(at: At) -> Tensor:
    x, weight = at.x(), at.x(1)
    if len(weight.sizes) != 1 or weight.sizes != x.sizes[1:2]:  # as it was before version 7
        broadcast(x.sizes, weight.sizes)
    if weight.key and prod(weight.sizes) == max(weight.sizes, default=1):
        weight = Tensor((prod(weight.sizes),), weight.dtype, key=weight.key)
    return at.write("aten.prelu", {"self": x, "weight": weight}, x.sizes)


@runs("Clip")
def clip(at: At) -> Tensor:
    x = at.x()
    limits: list[Any] = []
    for index, name in enumerate(("min", "max"), 1):
        one: Any = at.node.decimal(name) if name in at.node.attributes else None
        given = at.given(index)
        if given is not None:
            one = given.values[0] if given.values else float("nan")
        limits.append(None if one is None or abs(one) > 3e38 else _number(one))
    return at.write("aten.clamp", {"self": x, "min": limits[0], "max": limits[1]}, x.sizes)


def _number(value: Any) -> Any:
    found = plainly(value) if isinstance(value, float) else value
    return int(found) if isinstance(found, float) and found.is_integer() else found


_BINARY = {
    "Add": "aten.add", "Sub": "aten.sub", "Mul": "aten.mul", "Div": "aten.div", "Pow": "aten.pow",
    "Mod": "aten.remainder", "Equal": "aten.eq", "Less": "aten.lt", "Greater": "aten.gt",
    "LessOrEqual": "aten.le", "GreaterOrEqual": "aten.ge", "And": "aten.logical_and", "Or": "aten.logical_or",
    "Xor": "aten.logical_xor", "Max": "aten.maximum", "Min": "aten.minimum", "Sum": "aten.add",
    "BitShift": "BitShift", "BitwiseAnd": "aten.bitwise_and", "BitwiseOr": "aten.bitwise_or",
    "BitwiseXor": "BitwiseXor", "Mean": "Mean",
}  # fmt: skip


_BOOLEAN = frozenset(["Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "And", "Or", "Xor"])


@runs(*_BINARY)
def binary(at: At) -> Tensor:
    tensors = beside(at, [one for one in at.inputs if one is not None])
    op = at.node.op
    if not tensors:
        raise Misfit("it reads nothing")
    dtype = "bool" if op in _BOOLEAN else ""
    if op == "Mul" and any(one.scale for one in tensors):
        return _scaled([one for one in tensors if not one.scale])
    if op == "Add" and len(tensors) == 2:
        with_bias = biased(*tensors)
        if with_bias is not None:
            return with_bias
    made = tensors[0]
    if len(tensors) == 1:
        return at.write("aten.alias", {"self": made}, made.sizes)
    if op == "Mean":
        sizes = broadcast(*(one.sizes for one in tensors))
        return at.write("Mean", {"tensors": tensors}, sizes)
    for other in tensors[1:]:
        sizes = broadcast(made.sizes, other.sizes)
        a, b = _plain_number(at, made), _plain_number(at, other)
        if op == "Add" and sizes in (made.sizes, other.sizes):
            kept = [one for one, beside in ((made, other), (other, made)) if filling(at, beside) == 0]
            if kept and kept[0].flows and kept[0].sizes == sizes:  # as of a mask that masks nothing
                made = at.write("aten.alias", {"self": kept[0]}, sizes)
                continue
        if made.flows or other.flows:
            flowing, number = (made, b) if made.flows else (other, a)
            if number is not None and flowing.sizes == sizes:
                name = _BINARY[op]
                if flowing is other and op in ("Sub", "Div", "Pow", "Less", "Greater", "Mod"):
                    name = {"Sub": "aten.rsub", "Div": "aten.reciprocal"}.get(op, name)
                args: dict[str, Any] = {"self": flowing, "other": number}
                if op == "Pow":
                    args = (
                        {"self": made, "exponent": number}
                        if flowing is made
                        else {"self": number, "exponent": other}
                    )
                made = at.write(name, args, sizes, dtype=dtype)
                continue
        made = at.write(_BINARY[op], {"self": made, "other": other}, sizes, dtype=dtype)
    return made


def biased(a: Tensor, b: Tensor) -> Tensor | None:
    """A product with a bias that is added to it; ``None`` where neither is such a product."""
    for x, other in ((a, b), (b, a)):
        if x.waiting is not None and not other.flows and other.key:
            width = x.sizes[-1]
            if prod(other.sizes) == other.sizes[-1] == width and len(other.sizes) <= len(x.sizes):
                return x.waiting(Tensor((width,), other.dtype, other.values, other.key))
    return None


def _scaled(tensors: list[Tensor]) -> Tensor:
    """Scales times each other are a scale; whole numbers times theirs are what they stand for."""
    flowing = [one for one in tensors if one.flows]
    return (
        flowing[0] if flowing else Tensor(broadcast(*(one.sizes for one in tensors)), "float32", scale=True)
    )


def _plain_number(at: At, tensor: Tensor) -> float | None:
    """The number that a constant is; ``None`` where it is none, or a weight of one value."""
    if tensor.flows or tensor.values is None or len(tensor.values) != 1:
        return None
    if at.run.is_named(tensor):
        return None
    value = tensor.values[0]
    return float(value) if isinstance(value, int | float) else None


@runs("Where")
def where(at: At) -> Tensor:
    condition, a, b = beside(at, [at.x(), at.x(1), at.x(2)])
    sizes = broadcast(condition.sizes, a.sizes, b.sizes)
    chosen = filling(at, condition)
    if chosen is not None and filling(at, one := a if chosen else b) is not None:
        number = filling(at, one)
        return Tensor(sizes, one.dtype, triangle=(number, number))
    args = {"condition": condition, "self": a, "other": b}
    return at.write("aten.where", args, sizes, dtype=a.dtype)
