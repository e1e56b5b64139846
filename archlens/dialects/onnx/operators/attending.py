"""Attention and the angles of positions as one operator: of ONNX, and as onnxruntime fuses them.

Source of the latter: https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ....lowering.waves import turns_of
from ..proto import Misfit, written
from ..running import At, Tensor
from .products import linear
from .registry import runs

_FUSED = "com.microsoft"


def _apart(at: At, x: Tensor, heads: int) -> Tensor:
    """Channels as heads, which stand before the length then."""
    n, length, channels = _tokens(x)
    if heads < 1 or channels % heads:
        raise Misfit(f"{channels} channels do not make {heads} heads")
    x = at.write("aten.view", {"self": x}, (n, length, heads, channels // heads))
    turned = (n, heads, length, channels // heads)
    return at.write("aten.permute", {"self": x, "dims": [0, 2, 1, 3]}, turned)


def _together(at: At, x: Tensor) -> Tensor:
    """Heads as channels again."""
    n, heads, length, channels = x.sizes
    x = at.write("aten.permute", {"self": x, "dims": [0, 2, 1, 3]}, (n, length, heads, channels))
    return at.write("aten.view", {"self": x}, (n, length, heads * channels))


def _tokens(x: Tensor) -> tuple[int, ...]:
    if len(x.sizes) != 3:
        raise Misfit(f"{written(x.sizes)} is not batch x length x channels")
    return x.sizes


def _behind(at: At, past: Tensor | None, x: Tensor) -> Tensor:
    """Keys or values behind those of before, both with their heads apart."""
    if past is None:
        return x
    if len(past.sizes) != 4 or (*past.sizes[:2], past.sizes[3]) != (*x.sizes[:2], x.sizes[3]):
        raise Misfit(f"{written(x.sizes)} do not go behind {written(past.sizes)}")
    sizes = (*x.sizes[:2], past.sizes[2] + x.sizes[2], x.sizes[3])
    return at.write("aten.cat", {"tensors": [past, x], "dim": 2}, sizes)


def _attended(
    at: At,
    parts: Sequence[Tensor],
    mask: Tensor | None = None,
    *,
    causal: bool,
    beside: Sequence[Tensor] = (),
) -> Tensor:
    """Queries, keys and values, with their heads apart.

    Args:
        at: where it runs.
        parts: these.
        mask: what is added to the scores.
        causal: whether no query sees what comes after it.
        beside: what else has a part in it, as no op here says; it is one opaque layer then.

    Raises:
        Misfit: they do not fit together.
    """
    q, k, v = (one.sizes for one in parts)
    if len(q) != 4 or len(k) != 4 or len(v) != 4:
        raise Misfit(f"{written(q)}, {written(k)} and {written(v)} are not batch x heads x length x channels")
    if q[3] != k[3] or k[:3] != v[:3] or q[0] != k[0] or q[1] % k[1]:
        raise Misfit(f"queries of {written(q)}, keys of {written(k)} and values of {written(v)} do not fit")
    sizes, macs = (*q[:3], v[3]), prod(q[:3]) * k[2] * (q[3] + v[3])
    capped = at.node.decimal("softcap", 0.0) > 0
    if capped or beside:
        reads = [*parts, *([mask] if mask is not None else []), *beside]
        return at.write(at.node.op, {"inputs": reads}, sizes, macs=macs)
    args = {
        "query": parts[0],
        "key": parts[1],
        "value": parts[2],
        "attn_mask": mask,
        "scale": at.node.decimal("scale", None),
        "is_causal": causal,
        "enable_gqa": q[1] != k[1],
    }
    return at.write("torch.attention", args, sizes, macs=macs)


@runs("Attention")
def attention(at: At) -> Sequence[Tensor]:
    """Attention of one operator, with its heads apart or as channels."""
    query = at.x()
    flat = len(query.sizes) == 3
    parts = [query, at.x(1), at.x(2)]
    if flat:
        names = ("q_num_heads", "kv_num_heads", "kv_num_heads")
        parts = [_apart(at, one, at.node.integer(name, 0)) for one, name in zip(parts, names, strict=True)]
    key, value = (_behind(at, at.given(4 + i), one) for i, one in enumerate(parts[1:]))
    lengths = [one for one in (at.given(6),) if one is not None]
    causal = bool(at.node.integer("is_causal", 0))
    # with keys of before, torch aligns the mask at the first position, and this at the last
    beside = [*lengths, *([key] if causal and at.has(4) else [])]
    made = _attended(at, [parts[0], key, value], at.given(3), causal=causal, beside=beside)
    scores = (*parts[0].sizes[:3], key.sizes[2])
    seen = at.write("scores", {"inputs": [parts[0], key]}, scores) if at.is_read(3) else Tensor(scores, "")
    return [_together(at, made) if flat else made, key, value, seen]


@runs("RotaryEmbedding")
@runs("RotaryEmbedding", domain=_FUSED)
def rotary(at: At) -> Tensor:
    """Channels turned by the angles of their positions, which the file holds as tables.

    It is written down as what it computes where the positions are known, and as one operator where not.
    """
    x, fused = at.x(), at.node.domain == _FUSED
    ids, cos, sin = (at.given(1), at.x(2), at.x(3)) if fused else (at.given(3), at.x(1), at.x(2))
    flat, half = len(x.sizes) == 3, cos.sizes[-1] if cos.sizes else 0
    known = not (cos.flows or sin.flows) and len(cos.sizes) == len(sin.sizes) == 2 and len(x.sizes) in (3, 4)
    places = _places(at, ids, x.sizes[1 if flat else 2]) if ids is not None and known else None
    if places is None or cos.sizes != sin.sizes or at.node.decimal("scale", 1.0) != 1:
        return at.write("RotaryEmbedding", {"inputs": _all(at)}, x.sizes)
    width = at.node.integer("rotary_embedding_dim", 0) or 2 * half
    heads = at.node.integer("num_heads", 0) or x.sizes[-1] // (2 * half or 1)
    apart = _apart(at, x, heads) if flat else x
    if width != 2 * half or width > apart.sizes[-1]:
        raise Misfit(f"its angles of {written(cos.sizes)} are not for {apart.sizes[-1]} channels")
    made = _turned(at, apart, [cos, sin], places, bool(at.node.integer("interleaved", 0)))
    if made is None:
        return at.write("RotaryEmbedding", {"inputs": _all(at)}, x.sizes)
    return _together(at, made) if flat else made


def _places(at: At, ids: Tensor, length: int) -> list[int] | None:
    """The position of each token, where they are known and those of all samples."""
    count = prod(ids.sizes)
    if ids.flows or (count != 1 and ids.sizes[-1:] != (length,)) or not count:
        return None
    value, reader = at.run.value(ids), at.run.reader
    values = ids.values or reader.once("places", [value], lambda: [*reader.at(value, range(count))])
    if values is None:
        return None
    if count == 1:  # where they begin
        return [values[0] + i for i in range(length)]
    first = values[:length]
    return first if values == first * (count // length) else None


def _turned(
    at: At, x: Tensor, tables: Sequence[Tensor], places: list[int], interleaved: bool
) -> Tensor | None:
    """The first channels of each head turned by the angles of so many pairs; ``None`` where it is no rotary.

    Args:
        at: where it runs.
        x: with its heads apart.
        tables: the cosines and the sines, by positions and pairs.
        places: the position of each token.
        interleaved: whether neighbours are a pair.
    """
    length, (rows, half) = len(places), tables[0].sizes
    if not all(0 <= one < rows for one in places):
        raise Misfit(f"its angles of {written((rows, half))} are not for all of its positions")
    args: dict[str, Any] = {"self": x, "positions": 2, "part": 2 * half, "skip": 0}
    args |= {"interleaved": interleaved, "parted": False}
    for name, table in zip(("cos", "sin"), tables, strict=True):
        taken = {"self": table, "dim": 0, "index": Tensor((length,), "int64", places)}
        args[name] = at.write("aten.index_select", taken, (length, half), dtype=table.dtype)
    cos, sin = (at.run.value(args[name]) for name in ("cos", "sin"))
    args["turns"] = turns_of(cos, sin, "each", at.run.reader)
    if args["turns"] is None and not at.run.dry:
        return None
    return at.write("archlens.rotary", args, x.sizes)


def _all(at: At, *but: int) -> list[Tensor]:
    return [one for i, one in enumerate(at.inputs) if one is not None and i not in but]


@runs("Attention", domain=_FUSED)
def whole_attention(at: At) -> Sequence[Tensor]:
    """Self attention with the matrix that makes queries, keys and values."""
    x, weight = at.x(), at.x(1)
    n, length, channels = _tokens(x)
    if len(weight.sizes) != 2 or weight.sizes[0] != channels:
        raise Misfit(f"its weights of {written(weight.sizes)} are not for {channels} channels")
    heads, out = at.node.integer("num_heads", 0), weight.sizes[1]
    widths = at.node.integers("qkv_hidden_sizes", []) or [out // 3] * 3
    if len(widths) != 3 or sum(widths) != out:
        raise Misfit(f"{out} channels are not those of queries, keys and values")
    made = linear(at, x, weight, at.given(2), turned=True)
    sizes = [(n, length, width) for width in widths]
    parts = at.writes("aten.split_with_sizes", {"self": made, "dim": 2}, *sizes)
    parts = [_apart(at, one, heads) for one in parts]
    past = at.given(4)
    if past is not None:
        if len(past.sizes) != 5 or past.sizes[0] != 2:
            raise Misfit(f"what is there of before, {written(past.sizes)}, is not two of each")
        halves = [
            at.write("aten.select", {"self": past, "dim": 0, "index": i}, past.sizes[1:]) for i in (0, 1)
        ]
        parts[1:] = [_behind(at, half, one) for half, one in zip(halves, parts[1:], strict=True)]
    causal = bool(at.node.integer("unidirectional", 0))
    beside = _all(at, 0, 1, 2, 4, 5)
    beside += parts[:1] if at.node.integer("do_rotary", 0) or (causal and past is not None) else []
    found = _together(at, _attended(at, parts, at.given(5), causal=causal, beside=beside))
    if not at.is_read(1):
        return [found]
    key, value = parts[1:]
    return [
        found,
        at.write("aten.stack", {"tensors": [key, value], "dim": 0}, (2, *key.sizes)),
    ]


@runs("MultiHeadAttention", domain=_FUSED)
def many_heads(at: At) -> Sequence[Tensor]:
    """Attention of queries, keys and values as they are, each with its part of a bias before."""
    heads = at.node.integer("num_heads", 0)
    if not at.has(1) or not at.has(2) or len(at.x(1).sizes) == 5:
        return at.run.unknown(at)  # all in one tensor
    parts, bias = [at.x(), at.x(1), at.x(2)], at.given(3)
    if bias is not None:
        widths = [one.sizes[-1] if len(one.sizes) == 3 else 0 for one in parts]
        if bias.sizes != (sum(widths),):
            raise Misfit(f"its bias of {written(bias.sizes)} is not for {written(widths)} channels")
        pieces = at.writes("aten.split_with_sizes", {"self": bias, "dim": 0}, *[(n,) for n in widths])
        pairs = zip(parts, pieces, strict=True)
        parts = [at.write("aten.add", {"self": x, "other": one}, x.sizes) for x, one in pairs]
    query, key, value = (one if len(one.sizes) == 4 else _apart(at, one, heads) for one in parts)
    key, value = _behind(at, at.given(6), key), _behind(at, at.given(7), value)
    causal = bool(at.node.integer("unidirectional", 0))
    beside = _all(at, 0, 1, 2, 3, 5, 6, 7)
    beside += [query] if causal and at.has(6) else []
    made = _attended(at, [query, key, value], at.given(5), causal=causal, beside=beside)
    return [_together(at, made), key, value]


@runs("GroupQueryAttention", domain=_FUSED)
def grouped(at: At) -> Sequence[Tensor]:
    """Causal attention of a decoder, to all that was kept of before and what is given now."""
    x = at.x()
    n, length, channels = _tokens(x)
    heads, groups = at.node.integer("num_heads", 0), at.node.integer("kv_num_heads", 0)
    if heads < 1 or groups < 1:
        raise Misfit(f"it has {heads} heads, and {groups} of keys")
    parts = [x, at.given(1), at.given(2)]
    if parts[1] is None or parts[2] is None:
        width = channels // (heads + 2 * groups)
        sizes = [(n, length, many * width) for many in (heads, groups, groups)]
        if width * (heads + 2 * groups) != channels:
            raise Misfit(f"{channels} channels do not make {heads} heads, and {groups} of keys and values")
        parts = list(at.writes("aten.split_with_sizes", {"self": x, "dim": 2}, *sizes))
    apart = [
        _apart(at, one, many)
        for one, many in zip(parts, (heads, groups, groups), strict=True)
        if one is not None
    ]
    tables = [one for one in (at.given(7), at.given(8)) if one is not None and not one.flows]
    turned = bool(at.node.integer("do_rotary", 0))
    if turned and len(tables) == 2 and not at.has(3) and not at.has(9):
        places, neighbours = list(range(length)), bool(at.node.integer("rotary_interleaved", 0))
        both = [_turned(at, one, tables, places, neighbours) for one in apart[:2]]
        found = [one for one in both if one is not None]
        apart[: len(found)], turned = found, not found
    key, value = _behind(at, at.given(3), apart[1]), _behind(at, at.given(4), apart[2])
    turns = turned or at.node.integer("local_window_size", -1) > 0
    beside = _all(at, *range(7), *(() if turns else (7, 8)))
    beside += apart[:1] if turns or at.has(3) else []
    made = _attended(at, [apart[0], key, value], causal=True, beside=beside)
    return [_together(at, made), key, value]
