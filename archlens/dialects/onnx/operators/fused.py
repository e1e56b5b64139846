"""What onnxruntime makes one operator of, taken apart again; of what no op says, the size and the cost.

Source: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..folding import axis_of, broadcast
from ..proto import Misfit, written
from ..running import At, Tensor
from .arguments import of_file, of_sizes, plainly
from .convolutions import conv
from .pointwise import biased
from .products import gemm, linear, matmul
from .registry import runs

_FUSED = "com.microsoft"


@runs("SimplifiedLayerNormalization")
@runs("SimplifiedLayerNormalization", domain=_FUSED)
def rms_norm(at: At) -> Sequence[Tensor]:
    x = at.x()
    axis = axis_of(at.node.integer("axis", -1), len(x.sizes))
    made = _normed(at, x, x.sizes[axis:], 1, None)
    return [made, Tensor((*x.sizes[:axis], *[1] * len(x.sizes[axis:])), "float32")]


def _normed(at: At, x: Tensor, sizes: Sequence[int], weight: int, bias: int | None) -> Tensor:
    """A layer norm with the weights at these inputs, or without a bias and a mean."""
    rest = tuple(sizes)
    args = {
        "input": x,
        "normalized_shape": list(rest),
        "weight": of_sizes(at.given(weight), rest),
        "bias": of_sizes(at.given(bias), rest) if bias is not None else None,
        "eps": plainly(at.node.decimal("epsilon", 1e-5 if bias is None else 1e-12)),
    }
    name = "torch.rms_norm" if bias is None else "aten.native_layer_norm"
    return at.write(name, args, x.sizes)


def _sum(at: At, a: Tensor, b: Tensor | None) -> Tensor:
    if b is None:
        return a
    found = biased(a, b)
    if found is not None:
        return found
    sizes = broadcast(a.sizes, b.sizes)
    return at.write("aten.add", {"self": a, "other": b}, sizes)


@runs("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=_FUSED)
def skipped(at: At) -> Sequence[Tensor]:
    """A norm of the sum of two tensors, and maybe a bias; the sum comes out, too."""
    plain = at.node.op == "SkipLayerNormalization"
    whole = _sum(at, _sum(at, at.x(), at.given(4 if plain else 3)), at.x(1))
    made = _normed(at, whole, whole.sizes[-1:], 2, 3 if plain else None)
    one = Tensor((*whole.sizes[:-1], 1), "float32")
    return [made, one, one, whole]


@runs("EmbedLayerNormalization", domain=_FUSED)
def embedded(at: At) -> Sequence[Tensor]:
    """The rows of tables for ids, positions and segments, added and normed."""
    ids, words, places = at.x(), at.x(2), at.x(3)
    if len(ids.sizes) != 2 or len(words.sizes) != 2 or len(places.sizes) != 2:
        raise Misfit(f"{written(words.sizes)} is not a table, or {written(ids.sizes)} no batch of ids")
    width, length = words.sizes[1], ids.sizes[1]
    sizes = (*ids.sizes, width)

    def rows(table: Tensor, read: Tensor) -> Tensor:
        if not read.flows:
            args = {"self": table, "dim": 0, "index": read}
            return at.write("aten.index_select", args, (*read.sizes, width), dtype=table.dtype)
        return at.write("aten.embedding", {"weight": table, "indices": read}, sizes, dtype=table.dtype)

    whole = rows(words, ids)
    if at.has(8):
        whole = _sum(at, whole, rows(places, at.x(8)))
    else:
        if places.sizes[0] < length:
            raise Misfit(f"there are {places.sizes[0]} positions for {length}")
        if places.sizes[0] > length:
            args = {"self": places, "dim": 0, "start": 0, "end": length, "step": 1}
            places = at.write("aten.slice", args, (length, width), dtype=places.dtype)
        whole = _sum(at, whole, places)
    if at.has(1) and at.has(4):
        whole = _sum(at, whole, rows(at.x(4), at.x(1)))
    return [_normed(at, whole, (width,), 5, 6), Tensor(ids.sizes[:1], "int32"), whole]


@runs("BiasGelu", "FastGelu", "QuickGelu", "BiasSplitGelu", domain=_FUSED)
def gelus(at: At) -> Tensor:
    x = _sum(at, at.x(), at.given(1))
    if at.node.op == "QuickGelu":
        factor = plainly(at.node.decimal("alpha", 1.702))
        inner = at.write("aten.mul", {"self": x, "other": factor}, x.sizes) if factor != 1 else x
        inner = at.write("aten.sigmoid", {"self": inner}, x.sizes)
        return at.write("aten.mul", {"self": x, "other": inner}, x.sizes)
    if at.node.op == "BiasSplitGelu":  # half of the channels, by the gelu of the others
        half = (*x.sizes[:-1], x.sizes[-1] // 2)
        x, gate = at.writes("aten.split_with_sizes", {"self": x, "dim": len(half) - 1}, half, half)
        gate = at.write("aten.gelu", {"self": gate, "approximate": "none"}, half)
        return at.write("aten.mul", {"self": x, "other": gate}, half)
    way = "tanh" if at.node.op == "FastGelu" else "none"
    return at.write("aten.gelu", {"self": x, "approximate": way}, x.sizes)


@runs("FusedMatMul", domain=_FUSED)
def product(at: At) -> Tensor:
    """A product of matrices, turned round before and multiplied by a number behind it."""
    parts = [at.x(), at.x(1)]
    for i, name in enumerate(("A", "B")):
        one = parts[i]
        rank = len(one.sizes)
        if at.node.integer(f"transBatch{name}", 0) and rank > 2:  # the rows stand before all other axes
            order = [*range(1, rank - 1), 0, rank - 1]
            args = {"self": one, "dims": order}
            one = parts[i] = at.write("aten.permute", args, [one.sizes[j] for j in order], dtype=one.dtype)
        if at.node.integer(f"trans{name}", 0) and rank > 1:
            sizes = (*one.sizes[:-2], one.sizes[-1], one.sizes[-2])
            if i and rank == 2 and not one.flows and parts[0].flows and len(parts[0].sizes) > 1:
                if parts[0].sizes[-1] != one.sizes[1]:
                    said = f"{written(parts[0].sizes)} and {written(sizes)}"
                    raise Misfit(f"{said} cannot be multiplied")
                return _times(at, linear(at, parts[0], one, None, turned=False))
            order = [*range(rank - 2), rank - 1, rank - 2]
            parts[i] = at.write("aten.permute", {"self": one, "dims": order}, sizes, dtype=one.dtype)
    return _times(at, matmul(At(at.run, at.node, [*parts], at.prefix, at.env)))


def _times(at: At, x: Tensor) -> Tensor:
    factor = plainly(at.node.decimal("alpha", 1.0))
    if factor == 1:
        return x
    return at.write("aten.mul", {"self": x, "other": factor}, x.sizes)


#: What is done behind a product or a convolution, by its name there.
_BEHIND = {"Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "HardSwish": "hardswish"}


def _activated(at: At, x: Tensor) -> Tensor:
    kind = at.node.text("activation")
    if not kind:
        return x
    given = at.node.attributes.get("activation_params") or []
    args: dict[str, object] = {"self": x}
    if kind == "LeakyRelu" and (given or "activation_alpha" in at.node.attributes):
        args["negative_slope"] = plainly(given[0] if given else at.node.decimal("activation_alpha"))
        return at.write("aten.leaky_relu", args, x.sizes)
    if kind == "HardSigmoid" and [plainly(one) for one in given] == [plainly(1 / 6), 0.5]:
        return at.write("aten.hardsigmoid", args, x.sizes)
    if kind == "Clip" and len(given) == 2:
        args |= {"min": plainly(given[0]), "max": plainly(given[1])}
        return at.write("aten.clamp", args, x.sizes)
    return at.write(f"aten.{_BEHIND[kind]}" if kind in _BEHIND else kind, args, x.sizes)


@runs("FusedGemm", domain=_FUSED)
def fused_gemm(at: At) -> Tensor:
    return _activated(at, gemm(at))


@runs("FusedConv", domain=_FUSED)
def fused_conv(at: At) -> Tensor:
    return _activated(at, _sum(at, conv(at), at.given(3)))


@runs("MatMulNBits", domain=_FUSED)
def packed(at: At) -> Tensor:
    """A product with a matrix of few bits, which lie packed in bytes and count one by one."""
    x, held = at.x(), at.x(1)
    width, out = at.node.integer("K", 0), at.node.integer("N", 0)
    if not x.sizes or x.sizes[-1] != width or out < 1:
        raise Misfit(f"its weights of {out}x{width} are not for {written(x.sizes)}")
    sizes = (*x.sizes[:-1], out)
    weight = of_file(at, Tensor((out, width), held.dtype, key=held.key), trains=True)
    return at.write(at.node.op, {"inputs": [x, weight, *_floats(at)]}, sizes, macs=prod(sizes) * width)


def _floats(at: At) -> list[Tensor]:
    """What stands beside two tensors and is no place of whole numbers: scales and biases."""
    return [one for one in at.inputs[2:] if one is not None and one.dtype.startswith(("float", "bfloat"))]


@runs("GroupNorm", "SkipGroupNorm", domain=_FUSED)
def group_norm(at: At) -> Sequence[Tensor]:
    """Norms of maps with their channels last, and an activation behind."""
    x = at.x()
    reads = [one for one in at.inputs if one is not None]
    made = at.write(at.node.op, {"inputs": reads}, x.sizes)
    return [made, Tensor(x.sizes, x.dtype)] if at.node.op == "GroupNorm" else [made, _sum(at, x, at.x(3))]
