"""Constants, and tensors that stay what they are or are made of nothing."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..proto import DTYPES, Held, Misfit
from ..running import At, Tensor
from .registry import runs


@runs("Constant")
def constant(at: At) -> Tensor:
    attributes = at.node.attributes
    held = attributes.get("value")
    if isinstance(held, Held):
        key = at.prefix + at.node.outputs[0] if held.sizes else ""
        at.run.held[key] = held
        return Tensor(held.sizes, held.dtype, held.values, key, triangle=held.triangle)
    for name, dtype in (("value_float", "float32"), ("value_int", "int64"), ("value_string", "string")):
        if name in attributes:
            return Tensor((), dtype, [attributes[name]])
    for name, dtype in (("value_floats", "float32"), ("value_ints", "int64"), ("value_strings", "string")):
        if isinstance(attributes.get(name), list):
            return Tensor((len(attributes[name]),), dtype, attributes[name])
    raise Misfit("it holds no value that is read")


@runs("Shape")
def shape(at: At) -> Tensor:
    sizes = at.x().sizes
    sizes = sizes[slice(at.node.integer("start", 0), at.node.integer("end", None))]
    return Tensor((len(sizes),), "int64", list(sizes))


@runs("Size")
def size(at: At) -> Tensor:
    return Tensor((), "int64", [prod(at.x().sizes)])


@runs("Identity", "Cast", "CastLike", "Dropout")
def same(at: At) -> Tensor | Sequence[Tensor]:
    x = at.x()
    op = at.node.op
    if x.parts is not None:
        return x
    if op == "Dropout":
        ratio = at.node.decimal("ratio", 0.5) if "ratio" in at.node.attributes else (at.values(1) or [0.5])[0]
        made = at.write("torch.dropout", {"input": x, "p": ratio}, x.sizes)
        return [made, Tensor(x.sizes, "bool")]
    dtype = x.dtype
    if op == "Cast":
        dtype = DTYPES.get(at.node.integer("to", 0), "undefined")
    if x.waiting is not None:
        return Tensor(x.sizes, dtype, waiting=x.waiting)
    held = x.key or (x.triangle is not None and x.value is None)
    if not x.flows and held and dtype.startswith(("float", "bfloat")):
        return Tensor(x.sizes, dtype, x.values, x.key, x.value, triangle=x.triangle)
    if not x.flows and x.values is not None:
        return Tensor(x.sizes, dtype, x.values, x.key)
    return at.write("aten.alias", {"self": x}, x.sizes, dtype=dtype)


@runs("ConstantOfShape", "RandomNormal", "RandomUniform", "EyeLike", "RandomNormalLike", "RandomUniformLike")
def filled(at: At) -> Tensor:
    """What is filled by a shape that is no constant, or with what nobody knows."""
    if at.node.op.startswith("Random") and not at.has(0):
        return Tensor(tuple(at.node.integers("shape", [])), "float32", key=at.node.outputs[0])
    if at.node.op == "ConstantOfShape":
        at.values(0)
    return Tensor(at.x().sizes, at.x().dtype)


@runs("Range")
def counted(at: At) -> Tensor:
    raise Misfit("how many numbers it makes depends on values")
