"""Attention, as torch's function or as products of matrices: which axes hold heads, tokens and channels.

Products are found from their end: what multiplies a softmax of scores by values. The scores lead back to the
product of queries and keys, through all that is done to each score. What has been placed for these by then is
taken back, where nothing else reads it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isclose, prod
from typing import Any

from ..arrangement import REPEATED, Axes, Axis, Part, in_order, sizes, viewed
from ..ops import ShapeError
from ..ops.op import NOWHERE
from ..ops.opaque import Opaque
from ..ops.product import MatMul
from .algebra import SAME
from .learned import OF_EACH, applied, by_learned, computed, of_pairs, settled
from .lowering import (
    PERMUTES,
    VIEWED,
    Draft,
    Held,
    Lowering,
    NotSaid,
    _one,
    is_zeros,
    permutation,
    sources,
    unviewed,
)
from .masks import is_low, masked, masks_within
from .tape import Node, Shifted, Value, taken

#: The products of matrices, each with the names of its operands.
PRODUCTS = {
    "torch.matmul": ("input", "other"),
    "aten.mm": ("self", "mat2"),
    "aten.bmm": ("self", "mat2"),
    "aten.baddbmm": ("batch1", "batch2"),
}

_SOFTMAX = ("aten._softmax", "aten._safe_softmax")

#: Why attention is opaque that is known but for what is added to its scores.
_MASKED = "archlens has no op for a bias or a mask of attention"

#: Of how many constants a bias is a sum at most.
_ADDENDS = 8

#: What gives a tensor once more for each sample.
_REPEATS = ("aten.expand", "aten.repeat", *VIEWED)

#: What may be done to each score by itself, beside a factor: bias and masks.
_EACH = ("aten.add", "aten.masked_fill", "aten.where", "aten.sub", "aten.mul")


@dataclass
class _Scores:
    """What leads from a product of queries and keys to what values are weighted by."""

    #: All layers that are placed for it, the product last; none where torch's function says all.
    layers: list[Draft]
    #: Over which axis of the product the softmax is.
    keys: Axis
    factor: float = 1.0
    #: Whether rows of what is done to the scores are queries, and its last axis is keys.
    by_query: bool = True
    #: What is done to each score, and what else that reads: layers, parameters and buffers.
    done: list[Node] = field(default_factory=list)
    beside: list[Draft] = field(default_factory=list)
    #: What multiplied them, which is said of the queries.
    scaled: Node | None = None
    #: What is added to them, by the operator that does it, without the mask that is said.
    biases: dict[Node, Value] = field(default_factory=dict)
    #: What the softmax takes beside them.
    sinks: Value | None = None
    #: Layers among them that the op reads.
    kept: set[Draft] = field(default_factory=set)


def product(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """A product of matrices; attention, where it is the last one of that."""
    left, right = (args[name] for name in PRODUCTS[node.target])
    if left.flows and right.flows and len(left.sizes) == len(right.sizes):
        for scores, values, first in ((left, right, True), (right, left, False)):
            found = _scores(lowering, lowering.of(scores))
            if found is not None:
                made = _attended(lowering, node, found, scores, values, first)
                if made is not None:
                    return made
    leaf = transposed(right)
    if not left.flows or right.flows or "baddbmm" in node.target:
        return _multiplied(lowering, node, left, right)
    if not _is_layer(lowering, node, right if leaf is None else leaf):
        before = len(lowering.drafts)
        try:
            return by_learned(lowering, node, left, right)
        except NotSaid:
            lowering.forget(before)
    if len(right.sizes) != 2:
        return by_learned(lowering, node, left, right)
    matrix = {"weight": right, "turned": True} if leaf is None else {"weight": leaf}
    return lowering.table["torch.linear"](lowering, node, {"input": left, **matrix})  # type: ignore[return-value]


def _is_layer(lowering: Lowering, node: Node, matrix: Value) -> bool:
    """Whether a product by a matrix is a layer with its key; else the matrix is a parameter, which keeps it.

    It is where the module does nothing else but add a bias; and where the matrix is that of another module.
    """
    path, _, name = matrix.key.rpartition(".")
    own = path == node.call.path
    return name == "weight" and not (own and not lowering.is_alone(node, f"{path}.bias"))


def transposed(value: Value) -> Value | None:
    """The matrix that is learned, where this is it with its two axes in another order."""
    made = value.node
    if made is None or made.target not in PERMUTES or value.flows:
        return None
    (leaf,) = made.inputs
    return leaf if leaf.key and leaf.trains and permutation(made) == [1, 0] else None


def _multiplied(lowering: Lowering, node: Node, left: Value, right: Value) -> Held:
    """A product of two matrices, each of the same leading axes."""
    factor = (node.args.get("beta", 1), node.args.get("alpha", 1)) if "badd" in node.target else (0, 1)
    alike = len(left.sizes) == len(right.sizes) and left.sizes[:1] == right.sizes[:1]
    if not (left.flows and right.flows and alike) or factor != (0, 1):
        raise NotSaid("it is not part of attention")
    a, b = lowering.of(left), lowering.of(right)
    a, b = _broadcast(a, b), _broadcast(b, a)
    if sizes(a.axes[:-2]) != sizes(b.axes[:-2]):
        raise NotSaid("it is not part of attention")
    samples = a.draft.straight[0]
    if any(not held.axes or held.axes[0][: len(samples)] != samples for held in (a, b)) or len(a.axes) < 3:
        raise NotSaid("the first axis is not the batch")
    channels = b.draft.shape.channel_axis + 1
    turned = any(part.axis == channels for part in b.axes[-2])
    b = Held(b.draft, _turned(b.axes), b.call) if turned else b
    op = lowering.call("matmul", **({"transpose": True} if turned else {}))
    drafts = [lowering.settled(held, last=True) for held in (a, b)]
    made = lowering.put(op, *drafts)
    axes = viewed(made.straight, node.outputs[0].sizes)
    if axes is None:
        raise NotSaid("the leading axes cannot be told apart")
    return Held(made, axes, node.call)


def function(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """Torch's own function."""
    q, k, v = (lowering.of(args[name]) for name in ("query", "key", "value"))
    if args.get("enable_gqa"):
        k, v = (_repeated(x, prod(args["query"].sizes[-3:-2])) for x in (k, v))
    k, v = (_broadcast(x, q) for x in (k, v))
    scale = args.get("scale")
    found = _Scores([], (), args["query"].sizes[-1] ** -0.5 if scale is None else scale)
    mask = args.get("attn_mask")
    if mask is not None:
        found.done.append(node)
        found.beside += [lowering.settled(lowering.of(mask))] if mask.flows else []
    words = _masked(lowering, found) | ({"causal": True} if args.get("is_causal") else {})
    draft, lead, tokens, channels = _place(lowering, node, (q, k, v), found, words)
    return Held(draft, (*_lead(draft, lead, q.axes[:-2]), tokens, channels), node.call)


def module(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """Torch's own module, where several tensors are its queries, keys and values, or it leaves out some keys.

    Its weights project each by rows of one matrix, or by a matrix of its own.
    """
    own, torch = lowering.below(node.call), node.module
    if torch.bias_k is not None or torch.add_zero_attn:
        raise NotSaid("it has keys of its own")
    left = lowering.left(node)
    values = [args[name] for name in ("query", "key", "value")]
    flowing = [lowering.attending(node, value) for value in values if value.flows]
    if not flowing or len({place for _, place in flowing}) > 1:
        raise NotSaid("its queries, keys and values lie otherwise")
    place, width = flowing[0][1], torch.embed_dim
    projected = _projected(lowering, node, values, own, place)
    out = {key.removeprefix("out_proj."): value for key, value in own.items() if key.startswith("out_proj.")}
    back = lowering.call("linear", width, **({} if "bias" in out else {"bias": False}))
    if left is not None:
        op = lowering.call("attention", torch.num_heads, **left.words)
        attended = lowering.put(op, *projected)
    else:
        attended = _leaving_out(lowering, node, projected)
    made = lowering.put(back, attended, own=out)
    if left is not None and args.get("attn_mask") is not None:
        lowering.folded.update(lowering.own(node).values())
    return lowering.attended(node, made, place)


def _projected(
    lowering: Lowering, node: Node, values: Sequence[Value], own: Mapping[str, Value], place: int
) -> list[Draft]:
    """Queries, keys and values of such a module; by its whole matrix at once where they are of one tensor."""
    width = node.module.embed_dim
    beside = next(lowering.attending(node, value)[0].draft for value in values if value.flows)

    def learned(name: str) -> Draft:
        value = own[name]
        return lowering.put(lowering.call("parameter", value.sizes), beside, own={"": value})

    def rows(value: Value) -> Draft:
        if not value.flows:
            return _repeated_rows(lowering, value, beside, place)
        return lowering.settled(lowering.attending(node, value)[0], last=True)

    def part(index: int, draft: Draft, **along: str) -> Draft:
        ends = {"start": index * width, "stop": (index + 1) * width}
        ends = {end: at for end, at in ends.items() if at not in (0, 3 * width)}
        return lowering.put(lowering.call("slice", **along, **ends), draft)

    matrix = learned("in_proj_weight") if "in_proj_weight" in own else None
    bias = (
        lowering.put(lowering.call("rearrange", "c -> 1 c"), learned("in_proj_bias"))
        if node.module.in_proj_bias is not None
        else None
    )
    by = lowering.call("matmul", transpose=True)
    whole = {(lowering.of(one).draft, lowering.of(one).axes) if one.flows else one for one in values}
    if matrix is not None and len(whole) == 1:
        draft = lowering.put(by, rows(values[0]), matrix)
        draft = draft if bias is None else lowering.put(lowering.call("add"), draft, bias)
        return [part(index, draft) for index in range(3)]
    projected = []
    for index, (name, value) in enumerate(zip("qkv", values, strict=True)):
        draft = rows(value)
        weight = learned(f"{name}_proj_weight") if matrix is None else part(index, matrix, axis="length")
        draft = lowering.put(by, draft, weight)
        projected.append(
            draft if bias is None else lowering.put(lowering.call("add"), draft, part(index, bias))
        )
    return projected


def _leaving_out(lowering: Lowering, node: Node, projected: Sequence[Draft]) -> Draft:
    """The core of such a module, that leaves out keys; what no op says of its masks is only known."""
    heads, batch = node.module.num_heads, lowering.tape.batch
    pairs = [draft.shape.spatial[-1] for draft in projected[:2]]
    mask, keys = (node.args.get(name) for name in ("attn_mask", "key_padding_mask"))
    words: dict[str, Any] = {}
    terms: list[Draft | None] = []
    if mask is not None and mask.flows:
        held = lowering.of(mask)
        keeps = False if mask.dtype == "bool" else None
        terms.append(masking(lowering, held, (batch * heads, *pairs), (heads,), keeps))
    elif mask is not None:
        said = masked(node)
        left = lowering.leaves(said) if said is not None else None
        words = left.words if left is not None else {}
        terms += [None] if left is None else []
    if keys is not None and keys.flows and len(keys.sizes) == 2:
        held = lowering.of(keys)
        held = Held(held.draft, (held.axes[0], (), (), held.axes[1]), held.call)
        keeps = False if keys.dtype == "bool" else None
        terms.append(masking(lowering, held, (batch, heads, *pairs), (heads,), keeps))
    elif keys is not None:
        terms.append(None)
    op = lowering.call("attention", heads, **words)
    said_terms = [one for one in terms if one is not None]
    read = [value for one in (mask, keys) if one is not None and not one.flows for value in sources(one)]
    if len(said_terms) == len(terms):
        lowering.folded.update(value for value in read if not value.trains)
        return lowering.put(op, *projected, _total(lowering, said_terms))
    core = op.facts(*[draft.shape for draft in projected])
    return lowering.opaque(
        "attention",
        core.shape,
        *projected,
        *said_terms,
        macs=core.macs,
        own={value.key: value for value in read},
        base=op,
        reason=_MASKED,
    )


def _repeated_rows(lowering: Lowering, value: Value, beside: Draft, place: int) -> Draft:
    """A learned table that is given to each sample, as queries that are learned."""
    leaf = value
    while leaf.node is not None and leaf.node.target in (*_REPEATS, *PERMUTES) and not leaf.key:
        moved = leaf.node.target in PERMUTES
        if moved and (len(leaf.sizes) != 3 or permutation(leaf.node)[-1] != 2):
            break  # its channels are others
        leaf = leaf.node.inputs[0]
    sizes = list(value.sizes)
    del sizes[place]
    if not (leaf.key and leaf.trains) or prod(leaf.sizes) != prod(sizes) or leaf.sizes[-2:] != tuple(sizes):
        raise NotSaid("its queries, keys or values are computed without the input")
    op = lowering.call("parameter", tuple(sizes), **({"batch": True} if len(leaf.sizes) > 2 else {}))
    if (leaf, op) not in lowering.made:
        call = value.node.call if value.node is not None else None
        lowering.made[leaf, op] = lowering.put(op, beside, own={"": leaf}, call=call)
    return lowering.made[leaf, op]


def _broadcast(held: Held, beside: Held) -> Held:
    """A tensor whose one matrix is read by several of another, as one head of keys by all of the queries."""
    if len(held.axes) != len(beside.axes):
        return held
    pairs = zip(held.axes[1:-2], beside.axes[1:-2], strict=True)
    again = [
        (Part(REPEATED, 0, prod(part.size for part in other)),) if other and not own else own
        for own, other in pairs
    ]
    return Held(held.draft, (held.axes[0], *again, *held.axes[-2:]), held.call)


def _repeated(held: Held, heads: int) -> Held:
    """Heads of keys or values, each as often as it is read."""
    *lead, own, tokens, channels = held.axes
    times = heads // prod(part.size for part in own)
    return Held(held.draft, (*lead, (*own, Part(REPEATED, 0, times)), tokens, channels), held.call)


# --- back from the end ------------------------------------------------------------------------------


def _scores(lowering: Lowering, held: Held) -> _Scores | None:
    """What leads to a tensor, if that is a softmax of scores that a product of matrices has made."""
    layers: list[Draft] = []
    keys: Axis | None = None
    found = _Scores(layers, ())
    draft = held.draft
    while draft.node is not None:
        node, target = draft.node, draft.node.target
        layers.append(draft)
        if target in PRODUCTS and isinstance(draft.op, Opaque | MatMul):
            if keys is None:
                return None
            found.keys = keys
            return _with_alpha(found, node)
        if target in _SOFTMAX:
            if keys is not None:
                return None
            before = lowering.of(node.args["self"])
            keys = before.axes[node.args["dim"] % len(before.axes)]
            found.sinks = node.args.get("sinks")
        elif target != "torch.dropout" and (keys is None or not _of_each(found, node)):
            return None
        inner = next((one for one in draft.inputs if _leads_back(one)), None)
        if inner is None or inner.shape != draft.shape:
            return None
        rest = [one for one in draft.inputs if one is not inner]
        while rest:
            one = rest.pop()
            if one.node is node and one.op.kind != "parameter":
                rest += one.inputs
            (layers if one.node is node else found.beside).append(one)  # what it learns is its own
        draft = inner
    return None


def _with_alpha(found: _Scores, node: Node) -> _Scores | None:
    """A product may have a factor and a summand of its own."""
    if node.target == "aten.baddbmm":
        found.factor *= node.args.get("alpha", 1)
        if node.args.get("beta", 1) != 0:
            return None
    return found


def _of_each(found: _Scores, node: Node) -> bool:
    """Note what is done to each score; whether that is known to be of each alone."""
    other = node.args.get("other")
    if node.target in ("aten.mul", "aten.div") and not isinstance(other, Value) and other is not None:
        found.factor *= other if node.target == "aten.mul" else 1 / other
        return True
    if node.target not in _EACH or node.args.get("alpha", 1) != 1:
        return False
    if found.factor != 1 and node.target not in ("aten.masked_fill", "aten.where"):
        return False  # it is multiplied, too; what is filled is masked
    found.done.append(node)
    return True


def _leads_back(draft: Draft) -> bool:
    """Whether there is a product of matrices behind a layer, with nothing but what is done to each score."""
    rest, seen = [draft], {draft}
    while rest:
        draft = rest.pop()
        if draft.node is None or draft.op.kind == "parameter":
            continue
        if draft.node.target in PRODUCTS:
            return isinstance(draft.op, Opaque | MatMul)
        if draft.node.target in (*_SOFTMAX, *_EACH, "aten.div", "torch.dropout"):
            rest += [one for one in draft.inputs[::-1] if one not in seen]
            seen.update(draft.inputs)
    return False


def _attended(
    lowering: Lowering, node: Node, found: _Scores, scores: Value, values: Value, first: bool
) -> Held | None:
    """The core of attention, if its products are arranged so; ``first`` where the scores are on the left."""
    made = found.layers[-1].node
    assert made is not None
    axes = lowering.held[made.outputs[0]].axes
    weights = lowering.of(scores).axes
    right = found.keys == axes[-1]  # the keys are the right operand of the first product
    tokens = (axes[-2], found.keys) if right else (axes[-1], found.keys)
    if weights[-2:] != (tokens if first else tokens[::-1]) or not (right or found.keys == axes[-2]):
        return None
    if in_order(weights[:-2]) != in_order(axes[:-2]):
        return None
    read: list[Value] = [made.args[name] for name in PRODUCTS[made.target]]
    if not (values.flows and all(one.flows for one in read)):
        return None
    operands = [lowering.of(one) for one in read]
    turned = [Held(one.draft, _turned(one.axes), one.call) for one in operands]
    q, k = (operands[0], turned[1]) if right else (turned[1], operands[0])
    v = lowering.of(values)
    if v.draft in found.layers:
        return None  # it weighs its own scores
    v = v if first else Held(v.draft, _turned(v.axes), v.call)
    leads = {prod(part.size for axis in one.axes[:-2] for part in axis) for one in (q, k, v)}
    if len(leads) != 1 or not lowering.alone(found.layers, node):
        return None
    q, k = (_unscaled(lowering, one, found, made) for one in (q, k))
    if right:
        q = _with_factors(lowering, found, read[0], q)
    rows = (in_order(weights[:-2]), *tokens)
    found.by_query = all(_rows(lowering.held[one.outputs[0]].axes) == rows for one in found.done)
    words = _masked(lowering, found)
    draft, lead, *inner = _place(lowering, node, (q, k, v), found, words)
    lowering.replaced.update(one for one in found.layers if one not in found.kept)
    return Held(draft, (*_lead(draft, lead, v.axes[:-2]), *(inner if first else inner[::-1])), node.call)


def _with_factors(lowering: Lowering, found: _Scores, value: Value, q: Held) -> Held:
    """Queries by what each head has learned to multiply its scores by, where that is done to these first."""
    node = found.done[-1] if found.done else None
    others = [one for one in node.inputs if not one.flows] if node is not None else []
    if node is None or node.target != "aten.mul" or len(others) != 1 or len(node.inputs) != 2:
        return q
    lead = (*node.outputs[0].sizes[:-2], 1, 1)
    sizes = (*(1,) * (len(lead) - len(others[0].sizes)), *others[0].sizes)
    if len(sizes) != len(lead) or any(n not in (1, whole) for n, whole in zip(sizes, lead, strict=True)):
        return q
    if node.outputs[0].sizes[:-2] != value.sizes[:-2]:
        return q
    lowering.made = {key: one for key, one in lowering.made.items() if one not in found.layers}
    given = Value(value.sizes, value.dtype, input=value.input or "scaled")
    lowering.held[given] = q
    args = {"self": given, "other": others[0]}
    out = Value(value.sizes, value.dtype)
    scaled = replace(node, args=args, inputs=(given, others[0]), outputs=(out,), flows=True)
    made = lowering.table["aten.mul"](lowering, scaled, args)
    if not isinstance(made, Held) or isinstance(made.draft.op, Opaque) or len(made.axes) != len(q.axes):
        return q
    found.done.remove(node)
    found.scaled = node
    return made


def _rows(axes: Axes) -> Axes:
    """With all but the last two axes in one."""
    return (in_order(axes[:-2]), *axes[-2:])


def _turned(axes: Axes) -> Axes:
    """With the last two axes in the other order."""
    return (*axes[:-2], axes[-1], axes[-2])


def _unscaled(lowering: Lowering, held: Held, found: _Scores, reader: Node) -> Held:
    """Queries or keys before they were scaled, where that was for the scores alone."""
    factor, draft = _factor(held.draft), held.draft
    if factor is None or not lowering.alone([draft], reader):
        return held
    found.factor *= factor
    found.layers.append(draft)
    return Held(draft.inputs[0], held.axes, held.call)


def _factor(draft: Draft) -> float | None:
    """What all values of a layer are multiplied by."""
    if draft.node is None or draft.node.target not in ("aten.mul", "aten.div") or len(draft.inputs) != 1:
        return None
    other = draft.node.args.get("other")
    if other is None or isinstance(other, Value):
        return None
    return float(other if draft.node.target == "aten.mul" else 1 / other)


def _masked(lowering: Lowering, found: _Scores) -> dict[str, Any]:
    """Which scores are left by what is done to each, as words of the op; that is then no more to be said."""
    words: dict[str, Any] = {}
    rest = []
    for node in found.done:
        said, bias = masked(node), _added(node)
        left = lowering.leaves(said) if said is not None and found.by_query else None
        if left is not None and (not words or words == left.words):
            words = left.words or words
        elif bias is not None and is_zeros(bias):
            pass
        else:
            rest.append(node)
            if bias is not None and found.by_query:
                within = ((lowering.leaves(mask), own) for mask, own in masks_within(bias))
                left, own = next((one for one in within if one[0] is not None), (None, bias))
                if left is not None and (not words or words == left.words):
                    words = left.words or words
                    bias = own
                found.biases[node] = bias
            continue
        lowering.folded.update(lowering.own(node).values())
    found.done = rest
    return words


def _added(node: Node) -> Value | None:
    """What is added to scores, where that alone is done to them."""
    if node.target == "torch.attention":
        bias = node.args["attn_mask"]
        return bias if "float" in bias.dtype else None
    if node.target != "aten.add":
        return None
    others = [one for one in node.inputs if not one.flows]
    return others[0] if len(others) == 1 else None


# --- the op -----------------------------------------------------------------------------------------


def _place(
    lowering: Lowering,
    node: Node,
    tensors: Sequence[Held],
    found: _Scores,
    words: Mapping[str, Any],
) -> tuple[Draft, list[Part], Axis, Axis]:
    """The layer, its inputs as tokens; and where in it their leading axes, tokens and channels are."""
    rests = []
    for held in tensors:
        samples, before = held.draft.straight[0], in_order(held.axes[:-2])
        rest = before[len(samples) :]
        if before[: len(samples)] != samples or any(part.axis == 0 for part in rest):
            raise NotSaid("the first axis is not the batch alone")
        rests.append(rest)
    places = _places(rests)
    channels = [_channels(held) for held in tensors]
    heads = [
        any(part.axis == own for part, own in zip(parts, channels, strict=True))
        for parts in zip(*places, strict=True)
    ]
    if heads and not any(heads) and all(_is_moved(held.draft) for held in tensors):
        heads[-1] = True  # the code has taken the channels apart before
    shared = [key.axis == REPEATED for _, key, _ in zip(*places, strict=True)]
    if any(again and not is_head for again, is_head in zip(shared, heads, strict=True)):
        # heads are rows so far, of which several read the same keys
        heads = [index >= shared.index(True) - 1 for index in range(len(heads))]
    count = prod(part.size for part, is_head in zip(places[0], heads, strict=True) if is_head)
    repeats = prod(part.size for part, again in zip(places[0], shared, strict=True) if again)
    _require_shared(places, heads, shared)
    drafts = [
        lowering.settled(Held(held.draft, _as_tokens(lead, heads, held), held.call), last=True)
        for held, lead in zip(tensors, places, strict=True)
    ]
    kv_heads = count // repeats if repeats > 1 else None
    op = lowering.call("attention", count, kv_heads, **words)
    factor = found.factor * (drafts[0].shape.channels // count) ** 0.5
    if not isclose(factor, 1, rel_tol=1e-6):
        drafts[0] = lowering.put(lowering.call("scale", float(f"{factor:.12g}")), drafts[0])
    found.by_query &= not any(heads[:-1])
    draft = _layer(lowering, node, op, drafts, found)
    # where each leading axis is in what comes out
    rows, inner, lead = 0, draft.shape.channels // count, []
    strides = inner * count
    for part, is_head in zip(places[0], heads, strict=True):
        if is_head:
            strides //= part.size
            lead.append(Part(draft.shape.channel_axis + 1, strides, part.size))
        else:
            rows += 1
            lead.append(Part(rows, 1, part.size))
    whole = draft.straight
    return draft, lead, whole[-2], (Part(len(draft.shape), 1, inner),) if inner > 1 else ()


def _channels(held: Held) -> int | None:
    """The axis of a layer's channels, where those of a head are some of them."""
    axis = held.draft.shape.channel_axis + 1
    inner = held.axes[-1]
    return axis if inner and all(part.axis == axis for part in inner) else None


def _is_moved(draft: Draft) -> bool:
    """Whether a layer without weights works on what was moved as no op of the language does."""
    while draft.node is not None and len(draft.inputs) == 1 and not draft.own:
        draft = draft.inputs[0]
    return isinstance(draft.op, Opaque) and draft.node is None


def _places(rests: Sequence[Axis]) -> list[list[Part]]:
    """The leading axes of all three cut alike, each into parts of one axis."""
    ends: set[int] = set()
    for rest in rests:
        size = 1
        for part in reversed(rest):
            size *= part.size
            ends.add(size)
    found, before = [], 1
    for end in sorted(ends):
        if end % before:
            raise NotSaid("the leading axes cannot be told apart")
        found.append(end // before)
        before = end
    cut = [viewed((rest,), found[::-1]) for rest in rests]
    if any(one is None or any(len(axis) != 1 for axis in one) for one in cut):
        raise NotSaid("the leading axes cannot be told apart")
    return [[axis[0] for axis in one] for one in cut if one is not None]


def _require_shared(places: Sequence[Sequence[Part]], heads: Sequence[bool], shared: Sequence[bool]) -> None:
    """Refuse repeated axes but those by which heads in turn read the same keys and values."""
    queries, keys, values = places
    inner = False
    for q, k, v, is_head, again in zip(queries, keys, values, heads, shared, strict=True):
        if q.axis == REPEATED or (k.axis == REPEATED) != (v.axis == REPEATED) or (again and not is_head):
            raise NotSaid("an axis is repeated")
        if is_head and inner and not again:
            raise NotSaid("heads do not share keys and values in turn")
        inner = inner or again


def _as_tokens(lead: Sequence[Part], heads: Sequence[bool], held: Held) -> Axes:
    """Rows, tokens, and the channels of all heads."""
    rows = [(part,) for part, is_head in zip(lead, heads, strict=True) if not is_head]
    own = [(part,) for part, is_head in zip(lead, heads, strict=True) if is_head and part.axis != REPEATED]
    return (held.draft.straight[0], *rows, held.axes[-2], in_order([*own, held.axes[-1]]))


def _lead(draft: Draft, lead: Iterable[Part], axes: Axes) -> Axes:
    """The leading axes of the output, of the sizes of these."""
    found = viewed(((*draft.straight[0], *lead),), [prod(part.size for part in axis) for axis in axes])
    if found is None:
        raise NotSaid("the leading axes cannot be told apart")
    return found


def _layer(lowering: Lowering, node: Node, op: Any, drafts: list[Draft], found: _Scores) -> Draft:
    """The op, or where more is done to its scores than it says, what is known of that."""
    ran = [lowering.known(node.macs)]
    extra = once = 0
    own: dict[str, Value] = {}
    for draft in found.layers:
        facts, said = draft.facts, draft.node
        assert said is not None
        if said is found.scaled:
            continue
        if said.target in PRODUCTS:
            ran.append(lowering.known(said.macs))
        elif isinstance(draft.op, Opaque):
            extra += lowering.known(facts.macs * lowering.tape.batch if type(facts.macs) is int else None)
            once += draft.op.macs_once(facts)
        weighs = not isinstance(draft.op, Opaque) and draft.op.kind != "parameter"  # which may be a mask
        if weighs or said in found.done or said.target in PRODUCTS:
            own |= {value.key: value for value in draft.own.values()}
    plain, sinks = op, []
    if found.sinks is not None:
        sinks = [_sinks(lowering, found.sinks, op.heads, drafts[0])]
        op = lowering.call("attention", **op.attributes() | {"sinks": True})
    try:
        core = op.facts(*[draft.shape for draft in (*drafts, *sinks)])
    except ShapeError as problem:
        raise NotSaid(problem.message) from None
    if core.macs != sum(ran):
        raise NotSaid(f"{core.macs:,} MACs are said, and {sum(ran):,} ran")
    bias = _bias(lowering, node, op, drafts, found, extra) if found.done else None
    if bias is not None:
        made = lowering.put(op, *drafts, bias, *sinks)
        for one in found.done:
            read = lowering.own(one).values()
            lowering.folded.update(value for value in read if not value.trains)
    elif not (found.done or found.beside or own or extra):
        made = lowering.put(op, *drafts, *sinks)
    else:
        if not found.layers:
            own = lowering.own(node)
        made = lowering.opaque(
            "attention",
            core.shape,
            *drafts,
            *found.beside,
            *sinks,
            macs=core.macs + extra,
            own=own,
            once=once,
            base=plain,
            reason=_MASKED,
        )
    lowering.checked = node
    return made


def _sinks(lowering: Lowering, value: Value, heads: int, beside: Draft) -> Draft:
    """A number of each head, which all samples and queries have."""
    own = value
    while own.node is not None and not own.key and own.node.target in ("aten.expand", *SAME):
        own = own.node.inputs[0]
    leaf = unviewed(own)
    if not (leaf.key and leaf.trains) or (*own.sizes[-3:], prod(own.sizes)) != (heads, 1, 1, heads):
        raise NotSaid("its softmax takes more than a number of each head that is learned")
    made = lowering.parameter(leaf, beside)
    samples, *axes = made.straight
    return lowering.settled(Held(made, (samples, in_order(axes))))


def _bias(
    lowering: Lowering, node: Node, op: Any, drafts: Sequence[Draft], found: _Scores, macs: int
) -> Draft | None:
    """All that is added to the scores, by heads, queries and keys; ``None`` where no op says some of it.

    So many multiply-accumulates ran for it, by the layers that are said by the op.
    """
    before, paying = len(lowering.drafts), set(lowering.paying)
    behind = lowering.behind() if not found.layers else (0, 0)  # torch's function reads what is made of it
    for as_it_was in (False, True) if found.by_query else ():
        try:
            terms = [_term(lowering, said, op, drafts, found, as_it_was) for said in found.done]
            said = [one for one in terms if one is not None]
            if said and len(said) == len(terms):
                total = _total(lowering, said)
                if behind and sum(one.facts.macs for one in lowering.drafts[before:]) == macs + sum(behind):
                    return total
        except NotSaid:
            pass
        lowering.forget(before)
        found.kept.clear()
    lowering.paying = paying
    return None


def _total(lowering: Lowering, terms: Sequence[Draft]) -> Draft:
    """The sum of biases, of which some may have axes on their left that others leave out."""
    rank, longer = max(len(one.shape) for one in terms), []
    for one in terms:
        axes = "nrhqk"[-len(one.shape) :]
        pattern = f"{' '.join(axes)} -> {' '.join('1' * (rank - len(axes)) + axes)}"
        short = len(axes) < rank
        longer.append(lowering.put(lowering.call("rearrange", pattern), one) if short else one)
    return lowering.put(lowering.call("add"), *longer) if len(longer) > 1 else longer[0]


def _term(
    lowering: Lowering, said: Node, op: Any, drafts: Sequence[Draft], found: _Scores, as_it_was: bool
) -> Draft | None:
    """What one operator adds to the scores, or masks by what flows; maybe as the layer that it was."""
    rows = drafts[0].shape.spatial[:-1]
    queries, keys = (draft.shape.spatial[-1] for draft in drafts[:2])
    keeps = None
    if said.target == "torch.attention":
        bias, lead = said.args["attn_mask"], said.args["query"].sizes[:-2]
        keeps = True if bias.dtype == "bool" else None
    else:
        lead = said.outputs[0].sizes[:-2]
        if said.outputs[0].sizes[-2:] != (queries, keys):
            return None
        how = masked(said)
        if said.target == "aten.add":
            scores = {lowering.held[value].draft for value in said.inputs if value.flows} & {*found.layers}
            others = [v for v in said.inputs if not v.flows or lowering.held[v].draft not in scores]
            bias = others[0] if len(others) == 1 else None
        elif how is not None and how.mask.dtype == "bool" and how.keeps is not None and is_low(how.fill):
            bias, keeps = how.mask, how.keeps
        else:
            return None
    if bias is None or ("float" not in bias.dtype and keeps is None):
        return None
    if bias.flows:
        return masking(lowering, lowering.of(bias), (*lead, queries, keys), (*rows, op.heads), keeps)
    if keeps is not None:
        return None
    there = _added_layer(found, said) if as_it_was else None
    if there is not None and tuple(there.shape) == (op.heads, queries, keys):
        return there
    if there is not None and op.heads == 1 and tuple(there.shape) == (*rows[-1:], queries, keys):
        return lowering.put(lowering.call("rearrange", "h q k -> h 1 q k"), there)  # each head is a row
    bias = found.biases.get(said, bias)
    terms = [_constant(lowering, one, (*lead, queries, keys), op, drafts[0]) for one in _addends(bias)]
    return _total(lowering, [one for one in terms if one is not None]) if None not in terms else None


def _added_layer(found: _Scores, said: Node) -> Draft | None:
    """What was made of parameters alone for an operator that adds it, if that is a layer; it stays then."""
    layer = next((one for one in found.layers if one.node is said and one.op.kind == "add"), None)
    if layer is None or found.biases.get(said) not in (None, _added(said)):
        return None
    made = [one for one in layer.inputs if not _leads_back(one)]
    if len(made) != 1 or not made[0].shape.channels_last:
        return None
    rest = list(made)
    while rest:
        one = rest.pop()
        rest += one.inputs if one in found.layers and one.facts.reach is not NOWHERE else ()
        found.kept.add(one)
    return made[0]


def _addends(bias: Value) -> list[Value]:
    """What a constant is the sum of."""
    found: list[Value] = []
    rest = [bias]
    while rest:
        one = rest.pop()
        made = one.node
        adds = made is not None and made.target == "aten.add" and made.args.get("alpha", 1) == 1
        parts = [made.args[name] for name in ("other", "self")] if made is not None and adds else []
        if parts and all(isinstance(part, Value) for part in parts) and len(found) < _ADDENDS:
            rest += parts
        else:
            found.append(one)
    return found


def _window_mask(lowering: Lowering, shifted: Shifted, beside: Draft) -> Draft:
    """The mask of windows, whose rows stand in one axis, or in two as on the map."""
    key, rows = (beside, shifted), beside.shape.spatial[:-1]
    if key not in lowering.made:
        if len(rows) == 2:
            beside = lowering.put(lowering.call("rearrange", "n m l c -> (n m) l c"), beside)
        size, sides, shift = (_one(axes) for axes in shifted[:3])
        given = {} if shifted.value == -100 else {"value": shifted.value}
        made = lowering.put(lowering.call("window_mask", size, sides, shift, **given), beside)
        if len(rows) == 2:
            pattern = f"(n={rows[0]} m) h q k -> n m h q k"
            made = lowering.put(lowering.call("rearrange", pattern), made)
        lowering.made[key] = made
    return lowering.made[key]


def _constant(lowering: Lowering, bias: Value, scores: Sequence[int], op: Any, beside: Draft) -> Draft | None:
    """What is added to scores and no input flows into: a mask of windows, or something that is learned."""
    lead, rows = scores[:-2], beside.shape.spatial[:-1]
    known = len(rows) in (1, 2)
    shifted = lowering.shifted(bias, scores, lowering.tape.batch, prod(rows)) if known else None
    if shifted is not None:
        return _window_mask(lowering, shifted, beside)
    if op.heads == 1 and prod(bias.sizes[:-2]) == 1:
        return _of_one_head(lowering, bias, beside)
    apart = op.heads == 1 and rows[-1:] == lead[-1:]  # each head is a row
    if lead[-1:] != (op.heads,) and not apart:
        return None
    return _learned_once(lowering, bias, beside, "h 1 q k" if apart else "h q k")


def _learned_once(lowering: Lowering, bias: Value, beside: Draft, to: str) -> Draft | None:
    """The same as for whatever else reads it."""
    if (bias, to) not in lowering.made:
        learned = _learned_bias(lowering, bias, beside, to)
        if learned is None:
            return None
        lowering.made[bias, to] = learned
    return lowering.made[bias, to]


def _of_one_head(lowering: Lowering, bias: Value, beside: Draft) -> Draft | None:
    """What is learned of the queries and keys of all rows; maybe that of one head of several."""
    one = unviewed(bias)
    if one.node is None or one.node.target != "aten.select" or one.sizes != bias.sizes[-2:]:
        return _learned_once(lowering, bias, beside, "h q k")
    part = taken(one.node, one)
    if part is None or part.dim != len(part.of.sizes) - 3:
        return None
    whole = _learned_once(lowering, part.of, beside, "h q k")
    if whole is None:
        return None
    ends = {"start": part.start, "stop": part.stop}
    ends = {end: at for end, at in ends.items() if at not in (0, whole.shape[0])}
    return lowering.put(lowering.call("slice", axis=whole.shape.names[0], **ends), whole) if ends else whole


def masking(
    lowering: Lowering, held: Held, scores: Sequence[int], rows: Sequence[int], keeps: bool | None
) -> Draft | None:
    """What flows and is added to scores, as a bias of the op; ``None`` where it lies otherwise.

    Args:
        lowering: where its layers are placed.
        held: what is repeated to one number for each score.
        scores: the sizes of these, queries and keys last.
        rows: what the op has before queries and keys, its heads last.
        keeps: whether truth keeps a score, and all others go; or leaves it out; ``None`` for numbers that
            are added.
    """
    own = ((),) * (len(scores) - len(held.axes)) + held.axes
    again = [not axis or axis[0].axis == REPEATED for axis in own]
    if len(own) != len(scores) or any(part.axis == REPEATED for axis in own[-2:] for part in axis[1:]):
        return None
    spread = [
        ((Part(REPEATED, 0, size),) if size > 1 else ()) if repeats else axis
        for repeats, size, axis in zip(again, scores, own, strict=True)
    ]
    samples = held.draft.straight[0]
    lead = in_order(spread[:-2])
    inner = viewed((lead[len(samples) :],), rows)
    if lead[: len(samples)] != samples or inner is None or not (again[-2] or own[-2]) or again[-1]:
        return None
    if any(len({part.axis == REPEATED for part in axis}) > 1 for axis in inner):
        return None
    lies = [() if axis and axis[0].axis == REPEATED else axis for axis in inner]
    lies += [() if again[-2] else own[-2], own[-1]]
    while len(lies) > 1 and not lies[0]:
        del lies[0]  # what is left out is the same for all
    draft = held.draft if keeps is None else logarithm(lowering, held.draft, keeps=keeps)
    return lowering.settled(Held(draft, (samples, *lies), held.call), last=True)


def logarithm(lowering: Lowering, draft: Draft, *, keeps: bool) -> Draft:
    """What is added to scores by a mask of ones and zeros: 0 is the logarithm of 1, minus infinity of 0."""
    for kind, *given in (("log",),) if keeps else (("scale", -1), ("shift", 1), ("log",)):
        key = (draft, kind, *given)
        if key not in lowering.made:
            lowering.made[key] = lowering.put(lowering.call(kind, *given), draft)
        draft = lowering.made[key]
    return draft


def _of_each_pair(lowering: Lowering, bias: Value, beside: Draft, to: str) -> Draft | None:
    """A function of each number that is learned for heads, queries and keys."""
    while bias.node is not None and bias.node.target in (*SAME, *VIEWED):
        before = bias.node.inputs[0]
        if [n for n in before.sizes if n != 1] != [n for n in bias.sizes if n != 1]:
            return None
        bias = before
    node = bias.node
    if node is None or node.target not in OF_EACH or len(node.inputs) != 1:
        return None
    inner = _learned_bias(lowering, node.inputs[0], beside, to)
    return applied(lowering, node, inner, bias) if inner is not None else None


def _without_zeros(bias: Value) -> tuple[int, Value]:
    """How many queries and keys come first that have nothing added, and the bias of the others."""
    inner = bias
    while inner.node is not None and inner.node.target in (*SAME, *VIEWED):
        inner = inner.node.inputs[0]
    node = inner.node
    if node is None or node.target not in ("torch.pad", "aten.constant_pad_nd"):
        return 0, bias
    zeros = node.args.get("mode", "constant") == "constant" and not node.args.get("value")
    before, *after = node.args["pad"]
    alike = [before, *after] == [before, 0] * 2 and inner.sizes[-2:] == bias.sizes[-2:]
    return (before, node.inputs[0]) if zeros and alike and before > 0 else (0, bias)


def _learned_bias(lowering: Lowering, bias: Value, beside: Draft, to: str) -> Draft | None:
    """A parameter by heads, queries and keys, or the rows of a table for these; ``None`` for others."""
    sizes = tuple(bias.sizes)
    while len(sizes) > 3 and sizes[0] == 1:
        sizes = sizes[1:]
    if len(sizes) > 3:
        return None
    apart, leaf = to != "h q k", unviewed(bias)
    if leaf.key and leaf.trains:
        if leaf.sizes not in (sizes, (1, *sizes)) or (apart and len(sizes) != 3):
            return None
        batch = {"batch": True} if leaf.sizes != sizes else {}
        own = lowering.put(lowering.call("parameter", sizes, **batch), beside, own={"": leaf})
        return lowering.put(lowering.call("rearrange", f"h q k -> {to}"), own) if apart else own
    before, bias = _without_zeros(bias)
    taken_rows = of_pairs(lowering, bias, beside)
    if taken_rows is None:
        found = _of_each_pair(lowering, bias, beside, to) or _computed_bias(lowering, bias, beside, to)
        return found if not before else None
    if not before:
        return lowering.put(lowering.call("rearrange", f"q k h -> {to}"), taken_rows)
    first = lowering.put(lowering.call("rearrange", "q k h -> h q k", channels="first"), taken_rows)
    whole = lowering.put(lowering.call("pad", padding=((before, 0), (before, 0))), first)
    return lowering.put(lowering.call("rearrange", f"h q k -> {to}"), whole)


def _computed_bias(lowering: Lowering, bias: Value, beside: Draft, to: str) -> Draft | None:
    """A bias by heads, queries and keys that layers make of parameters and tables."""
    before = len(lowering.drafts)
    try:
        held = computed(lowering, bias, beside)
        while len(held.axes) > 3 and not held.axes[0]:
            held = Held(held.draft, held.axes[1:], held.call)
        if len(held.axes) != 3:
            raise NotSaid("it has other axes")
        axes = held.axes if to == "h q k" else (held.axes[0], (), *held.axes[1:])
        return settled(lowering, Held(held.draft, axes, held.call))
    except NotSaid:
        lowering.forget(before)
        return None
