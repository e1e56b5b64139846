"""What runs along a sequence: recurrent layers and attention."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..proto import Misfit, written
from ..running import At, Tensor
from .registry import runs


@runs("LSTM", "GRU", "RNN")
def recurrent(at: At) -> Sequence[Tensor]:
    x, weight, hidden = at.x(), at.x(1), at.x(2)
    if len(x.sizes) != 3 or len(weight.sizes) != 3 or len(hidden.sizes) != 3:
        raise Misfit("its input and weights have not three axes each")
    first = at.node.integer("layout", 0)
    batch, length = x.sizes[:2] if first else x.sizes[1::-1]
    ways, rows, size = weight.sizes[0], weight.sizes[1], hidden.sizes[2]
    if weight.sizes[2] != x.sizes[2] or hidden.sizes[:2] != (ways, rows):
        said = f"{written(weight.sizes)} and {written(hidden.sizes)}"
        raise Misfit(f"its weights of {said} are not for {x.sizes[2]} features")
    reads = [one for one in at.inputs if one is not None]
    macs = batch * length * ways * rows * (x.sizes[2] + size)
    whole = (batch, length, ways, size) if first else (length, ways, batch, size)
    last = (batch, ways, size) if first else (ways, batch, size)
    return at.writes(at.node.op, {"inputs": reads}, whole, last, last, macs=macs)


@runs("Attention")
def attention(at: At) -> Sequence[Tensor]:
    """Attention of one operator, with its heads apart or as channels."""
    query, key, value = at.x(), at.x(1), at.x(2)
    if at.has(4) or at.has(5):
        raise Misfit("it reads keys and values of before")
    flat = len(query.sizes) == 3
    parts = []
    for tensor, name in ((query, "q_num_heads"), (key, "kv_num_heads"), (value, "kv_num_heads")):
        if flat:
            heads = at.node.integer(name, 0)
            n, length, channels = tensor.sizes
            if heads < 1 or channels % heads:
                raise Misfit(f"{channels} channels do not make {heads} heads")
            tensor = at.write("aten.view", {"self": tensor}, (n, length, heads, channels // heads))
            turned = (n, heads, length, channels // heads)
            tensor = at.write("aten.permute", {"self": tensor, "dims": [0, 2, 1, 3]}, turned)
        if len(tensor.sizes) != 4:
            raise Misfit(f"{written(tensor.sizes)} is not batch x heads x length x channels")
        parts.append(tensor)
    q, k, v = (one.sizes for one in parts)
    if q[3] != k[3] or k[:3] != v[:3] or q[0] != k[0] or q[1] % k[1]:
        raise Misfit(f"queries of {written(q)}, keys of {written(k)} and values of {written(v)} do not fit")
    args = {
        "query": parts[0],
        "key": parts[1],
        "value": parts[2],
        "attn_mask": at.given(3),
        "scale": at.node.decimal("scale", None),
        "is_causal": bool(at.node.integer("is_causal", 0)),
        "enable_gqa": q[1] != k[1],
    }
    sizes = (*q[:3], v[3])
    made = at.write("torch.attention", args, sizes, macs=prod(q[:3]) * k[2] * (q[3] + v[3]))
    if flat:
        back = (q[0], q[2], q[1], v[3])
        made = at.write("aten.permute", {"self": made, "dims": [0, 2, 1, 3]}, back)
        made = at.write("aten.view", {"self": made}, (q[0], q[2], q[1] * v[3]))
    return [made, key, value]
