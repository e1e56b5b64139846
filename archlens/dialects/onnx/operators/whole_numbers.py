"""Operators on whole numbers, in the place of those on what they stand for.

Sources: https://onnx.ai/onnx/operators, and of ``com.microsoft``
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from ..proto import Misfit, written
from ..running import QUANTIZED, At, Tensor
from .arguments import as_map, of_file
from .pointwise import binary
from .products import linear
from .registry import OPERATORS, runs

#: What weights are made of, and their biases.
_WEIGHTS = (*QUANTIZED, "int32")

_FUSED = "com.microsoft"


@runs("QuantizeLinear", "DequantizeLinear")
def quantized(at: At) -> Tensor:
    """The same values in other numbers: no layer, and of a weight that weight."""
    x = at.x()
    dtype = "float32" if at.node.op.startswith("De") else "uint8"
    if x.waiting is not None:
        return Tensor(x.sizes, dtype, waiting=x.waiting)
    if not x.flows:
        return of_file(at, x, trains=True)
    return at.write("aten.alias", {"self": x}, x.sizes, dtype=dtype)


@runs("DynamicQuantizeLinear")
def measured(at: At) -> Sequence[Tensor]:
    x = at.x()
    made = at.write("aten.alias", {"self": x}, x.sizes, dtype="uint8")
    return [made, Tensor((), "float32", scale=True), Tensor((), "uint8")]


def _stands_for(op: str, *places: int, bias: int = 0) -> Callable[[At], Tensor]:
    """The operator that runs in the place of one on whole numbers, and which inputs it reads.

    Scales and zeros stand between these. What is joined has no end: its inputs are each third one.
    """

    def run(at: At) -> Tensor:
        picked = [*(places or range(2, len(at.inputs), 3))]
        tensors = [at.given(i) for i in picked]
        held = [
            of_file(at, one, trains=True)
            if one is not None and not one.flows and one.dtype in _WEIGHTS
            else one
            for one in tensors
        ]
        names = [at.node.inputs[i] if i < len(at.node.inputs) else "" for i in picked]
        version = at.node.integer("opset", 13) if at.node.domain else at.node.version
        other = replace(at.node, op=op, domain="", inputs=names, version=version)
        here = At(at.run, other, held, at.prefix, at.env)
        added = at.given(bias) if bias else None
        if added is not None and here.x().flows and not here.x(1).flows and len(here.x(1).sizes) == 2:
            return linear(here, here.x(), here.x(1), added, turned=True)
        made = OPERATORS["", op](here)
        assert isinstance(made, Tensor)
        if added is None:
            return made
        return binary(At(at.run, replace(other, op="Add"), [made, added], at.prefix, at.env))

    return run


for _op, _name, *_places in (
    ("Conv", "QLinearConv", 0, 3, 8),
    ("Conv", "ConvInteger", 0, 1),
    ("MatMul", "QLinearMatMul", 0, 3),
    ("MatMul", "MatMulInteger", 0, 1),
):
    runs(_name)(_stands_for(_op, *_places))
for _op, _name, *_places in (
    ("Gemm", "QGemm", 0, 3, 6),
    ("Add", "QLinearAdd", 0, 3),
    ("Mul", "QLinearMul", 0, 3),
    ("Where", "QLinearWhere", 0, 1, 4),
    ("Sigmoid", "QLinearSigmoid", 0),
    ("LeakyRelu", "QLinearLeakyRelu", 0),
    ("Softmax", "QLinearSoftmax", 0),
    ("AveragePool", "QLinearAveragePool", 0),
    ("Concat", "QLinearConcat"),
):
    runs(_name, domain=_FUSED)(_stands_for(_op, *_places))
runs("DynamicQuantizeMatMul", domain=_FUSED)(_stands_for("MatMul", 0, 1, bias=4))
runs("MatMulIntegerToFloat", domain=_FUSED)(_stands_for("MatMul", 0, 1, bias=6))


@runs("DynamicQuantizeLSTM", domain=_FUSED)
def measured_steps(at: At) -> Tensor | Sequence[Tensor]:
    """An LSTM whose matrices have a column for each output."""
    inputs = at.inputs[:8]
    for i in (1, 2):
        whole = at.x(i)
        if len(whole.sizes) != 3:
            raise Misfit(f"its weight of {written(whole.sizes)} has not three axes")
        ways, size, rows = whole.sizes
        inputs[i] = of_file(at, Tensor((ways, rows, size), whole.dtype, key=whole.key), trains=True)
    node = replace(at.node, op="LSTM", domain="", inputs=at.node.inputs[:8])
    return OPERATORS["", "LSTM"](At(at.run, node, inputs, at.prefix, at.env))


@runs("QLinearGlobalAveragePool", domain=_FUSED)
def over_map(at: At) -> Tensor:
    if not at.node.integer("channels_last", 0):
        return _stands_for("GlobalAveragePool", 0)(at)
    n, *spatial, c = as_map(at.x())
    return at.write(at.node.op, {"inputs": [at.x()]}, (n, *[1] * len(spatial), c))
