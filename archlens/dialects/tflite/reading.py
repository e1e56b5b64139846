"""What a TensorFlow Lite file holds: operators with their options, and tensors with their shapes.

Source: the schema, https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, NamedTuple

from ...bounds import Bounds, allowed
from ...errors import printable, shorten, usage
from .flatbuffer import KINDS, Broken, Table, root

#: The builtin operators by their numbers.
_BUILTIN = re.findall(
    r"\w+",
    """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
    LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6
    RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM
    EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND
    TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN
    EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX
    MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV
    SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT
    REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
    REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
    SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU
    REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL
    PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS
    HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL CONV_3D_TRANSPOSE VAR_HANDLE
    READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM
    MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
    UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
    """,
)

#: The types of tensors by their numbers.
_TYPES = re.findall(
    r"\w+",
    """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64
    resource variant uint32 uint16 int4 bfloat16
    """,
)

#: How the numbers of constants that say shapes and axes are stored.
_STORED = {"int32": "i", "int64": "q", "float16": "e", "float32": "f"}

#: The most numbers of a constant that are read.
_MAX_NUMBERS = 1024


class Tensor(NamedTuple):
    """A tensor: its shape with the batch, as the file says it."""

    name: str
    shape: tuple[int, ...]
    #: The same, with -1 where a size is not fixed.
    signature: tuple[int, ...]
    dtype: str
    #: Where its values lie in the file, and how many bytes; none where they are computed.
    values: tuple[int, int]
    variable: bool

    @property
    def constant(self) -> bool:
        """Whether it has its values in the file."""
        return self.values[1] > 0


class Options(NamedTuple):
    """The options of an operator, by the numbers of the schema."""

    fields: tuple[bytes, ...] = ()

    def get(self, field: int, kind: str = "b", default: Any = 0) -> Any:
        """A number among them."""
        raw = self.fields[field] if field < len(self.fields) else b""
        return KINDS[kind].unpack_from(raw)[0] if raw else default


class Operator(NamedTuple):
    """One operator of the graph."""

    #: Such as ``CONV_2D``; of a custom one, its own name.
    kind: str
    number: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options


@dataclass(frozen=True)
class File:
    """A graph of a file: the main one, or one that an operator of it runs."""

    path: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    #: The constants that may say shapes and axes, by their tensors.
    numbers: Mapping[int, tuple[float, ...]]
    #: Of the main graph, all others by their numbers.
    graphs: Mapping[int, File] = field(default_factory=dict)


def read(file: BinaryIO, name: str) -> File:
    """The main graph of a file.

    Raises:
        UsageError: it is none, or has more operators than are allowed.
    """
    try:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if bytes(data[4:8]) != b"TFL3":
                raise Broken("it does not say so in its bytes 4 to 8")
            return _file(name, data)
    except ValueError:  # nothing can be mapped
        raise usage(f"{shorten(name, 200)} is not a TensorFlow Lite file: it is empty") from None
    except Broken as problem:
        raise usage(f"{shorten(name, 200)} is not a TensorFlow Lite file: {problem}") from None


def _file(path: str, data: Any) -> File:
    model = root(data)
    codes = [_code(one) for one in model.tables(1)]
    buffers = [_values(one, len(data)) for one in model.tables(4)]
    bounds = Bounds(allowed())
    graphs: list[File] = []
    layers, connections = bounds.layers, bounds.connections
    for graph in model.tables(2):
        if len(graphs) == 1 and not any(one.kind == "WHILE" for one in graphs[0].operators):
            break
        count = graph.vector(3, 4)[1]
        if count > layers or len(graphs) > bounds.layers:
            raise usage(f"{shorten(path, 200)}: {bounds.too_many_layers}")
        graphs.append(_graph(path, data, graph, codes, buffers, connections))
        layers -= count
        connections -= sum(len(one.inputs) + len(one.outputs) for one in graphs[-1].operators)
    if not graphs:
        raise Broken("it holds no graph")
    return replace(graphs[0], graphs=dict(enumerate(graphs[1:], 1)))


def _graph(
    path: str, data: Any, graph: Table, codes: list[str], buffers: list[tuple[int, int]], left: int
) -> File:
    """One of its graphs, whose operators may read and make so many tensors."""
    bounds = Bounds(allowed())
    if graph.vector(0, 4)[1] > 16 * bounds.layers:
        raise Broken(f"it has {graph.vector(0, 4)[1]:,} tensors")
    tensors = tuple(_tensor(one, buffers) for one in graph.tables(0))
    operators = []
    for index, one in enumerate(graph.tables(3)):
        operators.append(_operator(index, one, codes, len(tensors), left))
        left -= len(operators[-1].inputs) + len(operators[-1].outputs)
    operators = _as_held(operators, tensors)
    ends = graph.numbers(1, bounds.layers), graph.numbers(2, bounds.layers)
    if not all(0 <= one < len(tensors) for end in ends for one in end):
        raise Broken("an input or output of the graph is not a tensor of it")
    numbers = {}
    for index in dict.fromkeys(one for operator in operators for one in operator.inputs if one >= 0):
        found = _numbers(data, tensors[index])
        if found is not None:
            numbers[index] = found
    return File(path, tensors, tuple(operators), *ends, numbers)


#: The inputs of operators that are the zeros which they start from.
_STATES = {"UNIDIRECTIONAL_SEQUENCE_LSTM": (18, 19)}


def _as_held(operators: Sequence[Operator], tensors: Sequence[Tensor]) -> list[Operator]:
    """The operators, which read constants as they are held: in files of 16 bits each is made one of 32."""
    held = {
        one.outputs[0]: one.inputs[0]
        for one in operators
        if one.kind == "DEQUANTIZE"
        and len(one.inputs) == len(one.outputs) == 1
        and one.inputs[0] >= 0
        and tensors[one.inputs[0]].constant
    }
    return [
        one._replace(
            inputs=tuple(
                [
                    held.get(index, index) if i not in _STATES.get(one.kind, ()) else index
                    for i, index in enumerate(one.inputs)
                ]
            )
        )
        for one in operators
        if not one.outputs or held.get(one.outputs[0]) not in one.inputs
    ]


def _code(table: Table) -> str:
    number = max(table.scalar(0, "b"), table.scalar(3, "i"))
    name = _BUILTIN[number] if 0 <= number < len(_BUILTIN) else f"BUILTIN_{number}"
    return printable(table.text(1))[:64] or "CUSTOM" if name == "CUSTOM" else name


def _values(table: Table, end: int) -> tuple[int, int]:
    """Where the values of a buffer lie: in it, or behind the tables of a file of more than 2 GB."""
    start, count = table.vector(0, 1)
    if count:
        return start, count
    offset, size = table.scalar(1, "Q"), table.scalar(2, "Q")
    if offset <= 1:
        return 0, 0
    if offset + size > end:
        raise Broken(f"values of {size:,} bytes at byte {offset:,}, beyond the end of the file")
    return offset, size


def _tensor(table: Table, buffers: list[tuple[int, int]]) -> Tensor:
    shape = table.numbers(0, 8)
    number, buffer = table.scalar(1, "b"), table.scalar(2, "I")
    name = printable(table.text(3))
    if buffer >= len(buffers):
        raise Broken(f"the tensor {shorten(name)} has its values in buffer {buffer:,} of {len(buffers):,}")
    if any(size < 0 for size in shape):
        raise Broken(f"the tensor {shorten(name)} has the shape {shorten(str(shape))}")
    dtype = _TYPES[number] if 0 <= number < len(_TYPES) else f"type {number}"
    return Tensor(name, shape, table.numbers(7, 8), dtype, buffers[buffer], table.scalar(5, "?", False))


def _operator(number: int, table: Table, codes: list[str], tensors: int, most: int) -> Operator:
    code = table.scalar(0, "I")
    if code >= len(codes):
        raise Broken(f"operator {number} is number {code:,} of {len(codes):,} kinds")
    inputs, outputs = table.numbers(1, most), table.numbers(2, most)
    if not all(-1 <= one < tensors for one in inputs) or not all(0 <= one < tensors for one in outputs):
        raise Broken(f"operator {number} ({codes[code]}) reads or makes what is not a tensor")
    options = table.table(4)
    fields = Options(options.raw()) if options is not None else Options()
    return Operator(codes[code], number, inputs, outputs, fields)


def _numbers(data: Any, tensor: Tensor) -> tuple[float, ...] | None:
    """A small constant's values; ``None`` of all others."""
    kind = _STORED.get(tensor.dtype)
    start, size = tensor.values
    if kind is None or not size or size > _MAX_NUMBERS * KINDS[kind].size or size % KINDS[kind].size:
        return None
    return tuple(one[0] for one in KINDS[kind].iter_unpack(bytes(data[start : start + size])))
