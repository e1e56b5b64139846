"""Products of whole numbers in the place of others."""

from __future__ import annotations

from collections.abc import Sequence

from ..running import At, Tensor
from .arguments import of_file
from .convolutions import convolved
from .products import multiplied
from .registry import runs


@runs("QuantizeLinear", "DequantizeLinear")
def quantized(at: At) -> Tensor:
    """The same values in other numbers: no layer, and of a weight that weight."""
    x = at.x()
    dtype = "float32" if at.node.op.startswith("De") else "uint8"
    return at.write(
        "aten.alias", {"self": x if x.flows else of_file(at, x, trains=True)}, x.sizes, dtype=dtype
    )


@runs("DynamicQuantizeLinear")
def measured(at: At) -> Sequence[Tensor]:
    x = at.x()
    made = at.write("aten.alias", {"self": x}, x.sizes, dtype="uint8")
    return [made, Tensor((), "float32"), Tensor((), "uint8")]


#: Where operators on whole numbers have their weight and their bias.
_WHOLE = {"QLinearConv": (3, 8), "ConvInteger": (1, 9), "QLinearMatMul": (3, 9), "MatMulInteger": (1, 9)}


@runs(*_WHOLE)
def on_whole_numbers(at: At) -> Tensor:
    """A product of whole numbers: its shape and cost are those of the product."""
    weight, bias = _WHOLE[at.node.op]
    op = "Conv" if "Conv" in at.node.op else "MatMul"
    other = At(at.run, at.node, [at.x(), at.x(weight)], at.prefix, at.env)
    sizes, macs = (convolved if op == "Conv" else multiplied)(other)
    parts = [of_file(at, one, trains=True) for one in (at.x(weight), at.given(bias)) if one is not None]
    dtype = "int32" if "Integer" in at.node.op else "uint8"
    return at.write(at.node.op, {"inputs": [at.x(), *parts]}, sizes, macs=macs, dtype=dtype)
