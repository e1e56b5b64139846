"""How each operator of torch is said in archlens' ops."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf, isfinite, prod
from typing import Any, TypeVar

from ..arrangement import REPEATED, Axes, Part, in_order, joined, permuted, sizes, viewed
from ..ops import Op, ShapeError
from ..ops.opaque import Opaque
from ..shape import ChannelsLast, Shape, broadcast
from . import attention, rotary
from .algebra import SAME, number_of, plain_number
from .attention import logarithm
from .known import KNOWN
from .learned import OF_EACH, applied, computed, settled
from .lowering import (
    PERMUTES,
    VIEWED,
    Draft,
    Held,
    Lowering,
    Lowers,
    NotSaid,
    _one,
    as_batch,
    batch_behind,
    in_frames,
    is_framed,
    is_zeros,
    permutation,
    samples_first,
    sources,
    unviewed,
)
from .masks import MULTIHEAD, masked
from .parts import concatenated, cut, map_padded, padded, part_of, side_by_side
from .pieces import written
from .recurrence import recurrent
from .tape import TAKES, Node, Rows, Value, taken

#: How each operator is said in archlens' ops, by its name.
TABLE: dict[str, Lowers] = {}

_Lowers = TypeVar("_Lowers", bound=Lowers)


def lowers(*targets: str) -> Callable[[_Lowers], _Lowers]:
    """Say how an operator becomes layers."""

    def register(function: _Lowers) -> _Lowers:
        for target in targets:
            TABLE[target if "." in target else f"aten.{target}"] = function
        return function

    return register


def _number(value: float) -> float:
    """A number as it was meant: ``1 - 0.9997`` is 0.0003."""
    found = float(f"{value:.12g}")
    return int(found) if found.is_integer() else found


def _axis(dim: int, rank: int) -> int:
    return dim % rank if rank else 0


def _straight(draft: Draft) -> Held:
    return Held(draft, draft.straight)


def _settle(lowering: Lowering, value: Value, *, last: bool | None) -> Draft:
    return lowering.settled(samples_first(lowering.of(value)), last=last)


#: What makes a layer of a map, and whether that is a row of frames, each for itself.
_OfMap = Callable[[Draft, bool], Draft]


def _on_map(lowering: Lowering, value: Value, make: _OfMap) -> Held:
    """What is made of a map; where others stand beside the batch, as windows do, of each as a frame."""
    held = lowering.of(value)
    try:
        first = samples_first(held)
    except NotSaid:
        made = make(lowering.settled(in_frames(held), last=False), True)
        return as_batch(_straight(made), held)
    return _straight(make(lowering.settled(first, last=False), False))


def _weights(args: dict[str, Any], **names: str) -> dict[str, Value]:
    """The tensors among the arguments, by an op's names for them."""
    return {ours: args[theirs] for ours, theirs in names.items() if args.get(theirs) is not None}


#: How many moves in a row are remembered; no op is looked for among more.
_MOVES = 64

# --- moves ------------------------------------------------------------------------------------------


@lowers("alias", "detach", "clone", "contiguous", "_to_copy", "lift_fresh")
def same(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    return lowering.of(node.inputs[0])


@lowers("view", "_unsafe_view", "reshape", "_reshape_alias", "squeeze", "unsqueeze")
def view(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held = lowering.of(node.inputs[0])
    step = ("view", node.outputs[0].sizes)
    found = viewed(held.axes, node.outputs[0].sizes)
    if found is None:
        made = lowering.settled(held)
        found = viewed(made.straight, node.outputs[0].sizes)
        if found is None:
            shape = Shape(lowering.shape_of(node.outputs[0]))
            if len(shape) <= 4:
                return _straight(lowering.put(lowering.call("reshape", tuple(shape)), made))
            raise NotSaid("the axes cannot be told apart")
        held = Held(made, found)
    if len(found) == 2 and len(held.draft.shape) > 1 and found == _flat(held.draft):
        return _straight(lowering.settled(Held(held.draft, found, node.call)))
    return Held(held.draft, found, node.call, (*held.moves, step)[:_MOVES])


def _flat(draft: Draft) -> Axes:
    batch, *rest = draft.straight
    return batch, in_order(rest)


@lowers(*PERMUTES)
def permute(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held, order = lowering.of(node.inputs[0]), permutation(node)
    step = ("permute", tuple(order))
    return Held(held.draft, permuted(held.axes, order), node.call, (*held.moves, step)[:_MOVES])


@lowers("expand")
def expand(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    return _expanded(lowering, node, lowering.of(node.inputs[0]))


@lowers("copy")
def copy(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """All of a tensor is written anew."""
    return _expanded(lowering, node, lowering.of(args["src"]))


@lowers("write")
def write(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held | None]:
    """Another tensor that lies in the same memory was written."""
    found = written(lowering, args["self"], args["source"])
    if isinstance(found, Held):
        return [found]
    lowering.later[node.outputs[0]] = found
    return [None]


def _expanded(lowering: Lowering, node: Node, held: Held) -> Held:
    extra = len(node.outputs[0].sizes) - len(held.axes)
    axes = tuple(
        axis if sizes((axis,)) == (size,) else (Part(REPEATED, 0, size),)
        for axis, size in zip(((),) * extra + held.axes, node.outputs[0].sizes, strict=True)
    )
    return Held(held.draft, axes, node.call)


@lowers("repeat")
def repeat(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held = lowering.of(node.inputs[0])
    times = args["repeats"]
    axes = ((),) * (len(times) - len(held.axes)) + held.axes
    if any(part.axis == 0 for n, axis in zip(times, axes, strict=True) if n != 1 for part in axis):
        raise NotSaid("the samples are repeated")
    again = ((Part(REPEATED, 0, n),) if n != 1 else () for n in times)
    return Held(
        held.draft, tuple(joined((*r, *axis)) for r, axis in zip(again, axes, strict=True)), node.call
    )


# --- parts ------------------------------------------------------------------------------------------


@lowers(*(name.removeprefix("aten.") for name in TAKES))
def take(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held]:
    held = lowering.of(args["self"])
    found = []
    for out in node.outputs:
        part = taken(node, out)
        assert part is not None
        found.append(part_of(lowering, held, part))
    return found


@lowers("index", "index_select")
def positions(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """Positions of one axis, of which a constant says which."""
    x, given = args["self"], args.get("indices", [])
    dim = args.get("dim", next((i for i, one in enumerate(given) if one is not None), 0)) % len(x.sizes)
    index = args.get("index", given[dim] if given else None)
    ids = lowering.ids_of(index) if index in node.inputs and x.flows and len(node.inputs) == 2 else None
    if not ids:
        raise NotSaid("its positions are no constant along one axis")
    held, size = lowering.of(x), x.sizes[dim]
    if max(ids) >= size or min(ids) < -size:
        raise NotSaid("some are not there")
    ids = [one % size for one in ids]
    runs = _runs(ids)
    if len(held.axes) != len(x.sizes) or any(part.axis == 0 for part in held.axes[dim]):
        raise NotSaid("along the batch")
    if size > 2 and ids == [*range(size)][::-1]:
        return flip(lowering, node, {"self": x, "dims": [dim]})
    if len(runs) > _MOST_RUNS:
        raise NotSaid("they are in another order")
    return side_by_side(lowering, [cut(lowering, held, dim, *run) for run in runs], dim)


#: How many parts of an axis at most are put together again.
_MOST_RUNS = 16


def _runs(ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Positions as ranges of steps forward, each from its first to behind its last."""
    found: list[list[int]] = []
    for one in ids:
        last = found[-1] if found else []
        step = one - last[-1] if last else 0
        if step > 0 and (len(last) == 1 or step == last[-1] - last[-2]):
            last.append(one)
        else:
            found.append([one])
    return [(run[0], run[-1] + 1, run[1] - run[0] if len(run) > 1 else 1) for run in found]


# --- convolution and matrix products ----------------------------------------------------------------


@lowers("convolution")
def convolution(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    x, weight = args["input"], args["weight"]
    given: dict[str, Any] = {}
    for name, default in (("stride", 1), ("padding", 0), ("dilation", 1)):
        value = _sides(args[name])
        if value != default:
            given[name] = value
    if args["groups"] != 1:
        given["groups"] = args["groups"]
    if args.get("bias") is None:
        given["bias"] = False
    own = _weights(args, weight="weight", bias="bias")
    kernel = _one(weight.sizes[2:])
    if args["transposed"]:
        if _one(args["output_padding"]) != 0:
            given["output_padding"] = _one(args["output_padding"])
        op = lowering.call("conv_transpose", weight.sizes[1] * args["groups"], kernel, **given)
        return _straight(_weighted(lowering, node, op, _settle(lowering, x, last=False), own))

    def convolved(draft: Draft, is_frames: bool) -> Draft:
        op = lowering.call("frame_conv" if is_frames else "conv", weight.sizes[0], kernel, **given)
        return _weighted(lowering, node, op, draft, own)

    return _on_map(lowering, x, convolved)


def _sides(given: Any) -> Any:
    """What an op takes for axes: a number, one for each, a pair for each where sides differ, or a word."""
    if isinstance(given, str):
        return given
    if any(isinstance(one, list | tuple) and len(set(one)) > 1 for one in given):
        return tuple(map(tuple, given))
    return _one([one[0] if isinstance(one, list | tuple) else one for one in given])


def _weighted(lowering: Lowering, node: Node, op: Op, draft: Draft, own: dict[str, Value]) -> Draft:
    """A layer of an op; where its weights are computed of others alone it is none, and looks as far."""
    plain = all(value.key and value.trains for value in own.values())
    if plain or any(value.flows for value in own.values()):
        return lowering.put(op, draft, own=own)
    found = _blurring(lowering, op, own) or _with_lengths(lowering, op, own["weight"])
    found = found or _standardized(lowering, op, own["weight"])
    if found is not None:
        kind, learned = found
        rest = {name: value for name, value in own.items() if name != "weight"}
        return lowering.put(kind, draft, own=rest | learned)
    try:
        facts = op.facts(draft.shape)
    except ShapeError as problem:
        raise NotSaid(problem.message) from None
    if node.macs is None or facts.macs != lowering.per_sample(node.macs):
        raise NotSaid("its weights are of other shapes")
    lowering.checked = node
    name = node.target.partition(".")[2]
    reason = f"archlens has no op for {node.target} of this form: its weights are computed, or fixed"
    remover = _remover(own["weight"])
    if remover:
        reason = f"its weight is made of others; after {remover} it is a {op.kind}"
    own = lowering.own(node)
    return lowering.opaque(name, facts.shape, draft, macs=facts.macs, own=own, base=op, reason=reason)


def _remover(weight: Value) -> str:
    """What of torch leaves a weight as it is made by one of torch's normalizations; empty for any other."""
    keys = [one.key.split(".") for one in sources(weight)]
    if any("parametrizations" in key for key in keys):
        return "torch.nn.utils.parametrize.remove_parametrizations"
    names = {key[-1] for key in keys}
    found = {"weight_orig": "remove_spectral_norm", "weight_g": "remove_weight_norm"}
    return next((f"torch.nn.utils.{name}" for key, name in found.items() if key in names), "")


def _blurring(lowering: Lowering, op: Op, own: dict[str, Value]) -> tuple[Op, dict[str, Value]] | None:
    """A binomial filter of each channel, and the buffer that has it in the state dict, if one has."""
    weight, said = own["weight"], op.attributes()
    depthwise = op.kind == "conv" and said["groups"] == weight.sizes[0] and weight.sizes[1] == 1
    kept = {"filt": weight} if weight.key and weight.saved and not weight.trains else {}
    if not kept and any(one.saved for one in sources(weight)):
        return None
    if not depthwise or "bias" in own or said["dilation"] != 1:
        return None
    if isinstance(said["padding"], str) or not lowering.is_binomial(weight):
        return None
    given = {"stride": said["stride"], **({"padding": said["padding"]} if said["padding"] else {})}
    given |= {"kept": True} if kept else {}
    return lowering.call("blur_pool", _one(weight.sizes[2:]), **given), kept


def _with_lengths(lowering: Lowering, op: Op, weight: Value) -> tuple[Op, dict[str, Value]] | None:
    """A convolution whose kernels are kept as directions and lengths; and these."""
    made = weight.node
    if op.kind != "conv" or made is None or made.target != "aten._weight_norm_interface":
        return None
    given = {"dim": made.args["dim"]} if made.args.get("dim", 0) else {}
    lengths, directions = made.args["g"], made.args["v"]
    hook = {one.key.rpartition(".")[2] for one in (lengths, directions)} == {"weight_g", "weight_v"}
    if hook:
        kept = {"weight_g": lengths, "weight_v": directions}
    else:
        kept = {f"parametrizations.weight.original{i}": one for i, one in enumerate((lengths, directions))}
    return lowering.call("wn_conv", **op.attributes(), **given, **({"hook": True} if hook else {})), kept


#: What normalizes a batch by its own statistics.
_BATCH_NORMS = ("native_batch_norm", "_native_batch_norm_legit", "cudnn_batch_norm")


def _standardized(lowering: Lowering, op: Op, weight: Value) -> tuple[Op, dict[str, Value]] | None:
    """A convolution whose weight is a parameter that was standardized; and that, and by what it is scaled."""
    made = unviewed(weight).node
    if op.kind != "conv" or made is None or not made.target.endswith(_BATCH_NORMS):
        return None
    args = made.args
    if args.get("bias") is not None or args["input"].flows:
        return None
    source = _leaf(args["input"])
    if not source.key or not source.trains or args["input"].sizes[:2] != (1, source.sizes[0]):
        return None
    own = {"weight": source}
    given = {"eps": _number(args["eps"])} if args["eps"] != 1e-6 else {}
    if args.get("weight") is not None:
        gain, factor = _leaf(args["weight"]), 1.0
        scaled = unviewed(args["weight"]).node
        if (
            scaled is not None
            and scaled.target == "aten.mul"
            and isinstance(scaled.args["other"], int | float)
        ):
            factor = scaled.args["other"]
        own["gain"] = gain
        given["gain"] = _number(factor * prod(source.sizes[1:]) ** 0.5)
    return lowering.call("ws_conv", **op.attributes(), **given), own


@lowers("torch.linear")
def linear(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """By a matrix with a row for each output; or ``turned``, with a column for each."""
    weight, bias, turned = args["weight"], args.get("bias"), args.get("turned", False)
    if weight.flows:
        raise NotSaid("its weight is computed")
    leaf = attention.transposed(weight)
    if leaf is not None:
        weight, turned = leaf, not turned
        args = {**args, "weight": leaf}
    if bias is not None and not bias.flows and (not bias.key or _stands_apart(lowering, weight, bias)):
        return _with_bias(lowering, node, {**args, "turned": turned}, bias)
    given = ({"bias": False} if bias is None else {}) | ({"turned": True} if turned else {})
    op = lowering.call("linear", weight.sizes[int(turned)], **given)
    own = _weights(args, weight="weight", bias="bias")
    held = lowering.near(args["input"], last=True)
    if len(held.axes[0]) > 1 and not held.draft.shape.channels_last:
        held = lowering.laid(held, last=True)
    whole = held.draft.straight
    if held.axes[:1] != whole[:1] and held.axes[-1] == whole[-1] and held.draft.shape.channels_last:
        made = _weighted(lowering, node, op, held.draft, own)
        return Held(made, (*held.axes[:-1], made.straight[-1]))  # what stands beside the batch stays there
    draft = lowering.settled(samples_first(lowering.within_batch(lowering.of(args["input"]))), last=True)
    return _straight(_weighted(lowering, node, op, draft, own))


def _stands_apart(lowering: Lowering, weight: Value, bias: Value) -> bool:
    """Whether a bias is none of a module that has the matrix, under whatever names they are there.

    In a file a matrix that was turned for it has a name that the exporter made up.
    """
    if lowering.tape.is_file or not weight.key:  # one that is computed is made of what the module has
        return False
    aliases = lowering.tape.aliases
    keys = [weight.key, *(alias for alias, key in aliases.items() if key == weight.key)]
    modules = {key.rpartition(".")[0] for key in keys}
    own = {f"{module}.bias" if module else "bias" for module in modules}
    return bias.trains and bias.key.rpartition(".")[0] not in modules and own.isdisjoint(aliases)


def _with_bias(lowering: Lowering, node: Node, args: dict[str, Any], bias: Value) -> Held:
    """By a matrix alone, and a bias that is computed of what is learned."""
    held = linear(lowering, node, {**args, "bias": None})
    rank = len(held.draft.shape) - 1
    row = settled(lowering, computed(lowering, bias, held.draft))
    if rank:
        row = lowering.put(lowering.call("rearrange", f"c -> {'1 ' * rank}c"), row)
    return Held(lowering.put(lowering.call("add"), held.draft, row), held.axes)


@lowers("addmm")
def added_product(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held | Sequence[Held | None]:
    """A vector and the product by a matrix with a column for each output, as GPT-2 has it."""
    if args.get("beta", 1) != 1 or args.get("alpha", 1) != 1 or len(args["self"].sizes) != 1:
        raise NotSaid("a factor, or more than a vector is added")
    if args["self"].flows or not args["mat1"].flows:
        raise NotSaid("what is added is computed")
    given = {"input": args["mat1"], "weight": args["mat2"], "bias": args["self"]}
    return linear(lowering, node, {**given, "turned": True})


lowers(*attention.PRODUCTS)(attention.product)
lowers("torch.attention")(attention.function)
lowers(MULTIHEAD)(attention.module)
lowers("archlens.rotary")(rotary.turned)

# --- value by value ---------------------------------------------------------------------------------

_PLAIN = {
    "relu": "relu",
    "silu": "silu",
    "mish": "mish",
    "hardswish": "hard_swish",
    "hardsigmoid": "hard_sigmoid",
    "sigmoid": "sigmoid",
    "log_sigmoid_forward": "log_sigmoid",
    "tanh": "tanh",
    "softplus": "softplus",
}


@lowers(*_PLAIN, "torch.softsign")
def activation(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    kind = _PLAIN.get(node.target.partition(".")[2], "softsign")
    held = lowering.near(node.inputs[0])
    if node.target == "aten.softplus" and (args.get("beta", 1), args.get("threshold", 20)) != (1, 20):
        raise NotSaid("another beta")
    return Held(lowering.put(lowering.call(kind), held.draft), held.axes)


@lowers("hardtanh", "clamp")
def clamp(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    low = args.get("min_val", args.get("min"))
    high = args.get("max_val", args.get("max"))
    kinds: dict[Any, str] = {(0, 6): "relu6", (-1, 1): "hard_tanh", (0, None): "relu"}
    if isinstance(low, Value) or isinstance(high, Value):
        return _pointwise(lowering, node)
    if (low, high) in kinds:
        return _each(lowering, node, lowering.call(kinds[low, high]))
    given = {name: _number(one) for name, one in (("min", low), ("max", high)) if one is not None}
    return _each(lowering, node, lowering.call("clamp", **given))


@lowers("clamp_min", "clamp_max")
def clamp_at_one_end(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    end = node.target.rpartition("_")[2]
    if isinstance(args[end], Value):
        return _pointwise(lowering, node)
    return _each(lowering, node, lowering.call("clamp", **{end: _number(args[end])}))


def _each(lowering: Lowering, node: Node, *ops: Op) -> Held:
    """Functions of each value of the only tensor that is read, one after the other."""
    held = lowering.near(node.inputs[0])
    draft = held.draft
    for op in ops:
        draft = lowering.put(op, draft)
    return Held(draft, held.axes)


#: Functions of each value, each with its op and what that is given.
_FUNCTIONS: dict[str, tuple[str, tuple[float, ...]]] = {
    **{name: (name, ()) for name in ("abs", "exp", "log", "sqrt", "sin", "cos")},
    "neg": ("scale", (-1,)),
    "square": ("pow", (2,)),
    "reciprocal": ("pow", (-1,)),
    "rsqrt": ("pow", (-0.5,)),
}


@lowers(*_FUNCTIONS)
def function(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    kind, given = _FUNCTIONS[node.target.partition(".")[2]]
    return _each(lowering, node, lowering.call(kind, *given))


@lowers("pow")
def power(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    exponent = args.get("exponent")
    if not isinstance(exponent, int | float) or not isinstance(args.get("self"), Value):
        return _pointwise(lowering, node)
    return _each(lowering, node, lowering.call("pow", _number(exponent)))


@lowers("leaky_relu")
def leaky_relu(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held = lowering.near(node.inputs[0])
    return Held(
        lowering.put(lowering.call("leaky_relu", _number(args["negative_slope"])), held.draft), held.axes
    )


@lowers("elu")
def elu(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held = lowering.near(node.inputs[0])
    if args.get("input_scale", 1) != 1:
        raise NotSaid("another scale")
    if args.get("scale", 1) != 1:
        return Held(lowering.put(lowering.call("selu"), held.draft), held.axes)
    return Held(lowering.put(lowering.call("elu", args.get("alpha", 1)), held.draft), held.axes)


@lowers("gelu")
def gelu(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held = lowering.near(node.inputs[0])
    given = {"approximate": args["approximate"]} if args.get("approximate", "none") != "none" else {}
    return Held(lowering.put(lowering.call("gelu", **given), held.draft), held.axes)


@lowers("prelu", "_prelu_kernel")
def prelu(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held = lowering.near(args["self"])
    source = _leaf(args["weight"])
    given = {"per_channel": True} if source.sizes != (1,) else {}
    return Held(lowering.put(lowering.call("prelu", **given), held.draft, own={"weight": source}), held.axes)


@lowers("torch.dropout", "torch.spatial_dropout")
def dropout(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held = lowering.near(args["input"])
    p = _number(args.get("p", 0.5))
    kind = node.target.partition(".")[2]
    if kind == "spatial_dropout":
        return _straight(lowering.put(lowering.call(kind, p), _settle(lowering, args["input"], last=False)))
    return Held(lowering.put(lowering.call(kind, p), held.draft), held.axes)


@lowers("_softmax", "_safe_softmax", "_log_softmax")
def softmax(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    if args.get("sinks") is not None:
        raise NotSaid("it has sinks, and is not part of attention")
    kind = "log_softmax" if "log" in node.target else "softmax"  # a safe one has zeros for NaNs
    held, name = _along(lowering, args["self"], args["dim"])
    given = {} if name == "channels" else {"axis": name}
    return Held(lowering.put(lowering.call(kind, **given), held.draft), held.axes)


def _along(lowering: Lowering, value: Value, dim: int) -> tuple[Held, str]:
    """What is held of a tensor, where one of its axes is one of the layer's; and that axis' name there."""
    held = lowering.near(value)
    place = _axis(dim, len(held.axes))
    for one in (held, lowering.laid(held)):
        axis = one.axes[place]
        if len(axis) == 1 and axis[0].axis > 0 and axis == one.draft.straight[axis[0].axis]:
            return one, one.draft.shape.names[axis[0].axis - 1]
    raise NotSaid("along no axis of a layer")


@lowers("torch.normalize")
def normalize(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    if args.get("p", 2.0) != 2 or not isinstance(args.get("dim", 1), int):
        raise NotSaid("by another norm")
    held, name = _along(lowering, args["input"], args.get("dim", 1))
    given: dict[str, Any] = {} if name == "channels" else {"axis": name}
    if args.get("eps", 1e-12) != 1e-12:
        given["eps"] = args["eps"]
    return Held(lowering.put(lowering.call("normalize", **given), held.draft), held.axes)


_POINTWISE = """
    acos angle asin atan ceil cosh erf exp2 expm1 fill floor frac isnan isinf isfinite log10 log1p log2
    logit nan_to_num remainder round sgn sign sinh tan trunc ge gt le lt eq ne
    threshold atan2 fmod floor_divide lerp celu glu
"""


@lowers(*re.findall(r"\w+", _POINTWISE))
def pointwise(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    return _pointwise(lowering, node)


def _pointwise(lowering: Lowering, node: Node, reason: str = "") -> Held:
    """A function of the values at each position, without an op of its own."""
    name = node.target.partition(".")[2]
    own = lowering.own(node)
    flowing = list(dict.fromkeys(value for value in node.inputs if value.flows))
    held = [lowering.of(value) for value in flowing] if len(flowing) > 1 else [lowering.near(flowing[0])]
    first = held[0]
    if (
        all(h.axes == first.axes and h.draft.shape == first.draft.shape for h in held)
        and sizes(first.axes) == node.outputs[0].sizes
    ):
        drafts = list(dict.fromkeys(h.draft for h in held))
        shape = first.draft.shape
        made = lowering.opaque(name, shape, *drafts, macs=0, pointwise=True, own=own, reason=reason)
        return Held(made, first.axes)
    raise NotSaid("its inputs lie otherwise")


# --- truth ------------------------------------------------------------------------------------------


@lowers("logical_not", "bitwise_not")
def negated(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """Truth is 1, and nothing else but 0."""
    if args["self"].dtype != "bool":
        return _pointwise(lowering, node)
    return _each(lowering, node, lowering.call("scale", -1), lowering.call("shift", 1))


#: What is true where two tensors are, or where one is.
_OF_TRUTH = {"and": "multiply", "or": "maximum"}


@lowers(*(f"{kind}_{name}" for kind in ("logical", "bitwise") for name in _OF_TRUTH))
def both(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    if any(value.dtype != "bool" or not value.flows for value in node.inputs) or len(node.inputs) != 2:
        return _pointwise(lowering, node)
    return _merged(lowering, node, _OF_TRUTH[node.target.rpartition("_")[2]])


@lowers("masked_fill", "where")
def chosen(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """One of two numbers by a mask, as what is added to scores; the logarithm of 0 is minus infinity."""
    mask = args["condition" if node.target == "aten.where" else "mask"]
    ends = [args.get("self"), args.get("value", args.get("other"))]
    yes, no = ends if node.target == "aten.where" else ends[::-1]
    yes, no = (0 if isinstance(x, Value) and is_zeros(x) else plain_number(x) for x in (yes, no))
    plain = mask.flows and mask.dtype == "bool" and mask.sizes == node.outputs[0].sizes
    if not plain or yes is None or no is None:
        return _pointwise(lowering, node)
    held = lowering.near(mask)
    if (yes, no) in ((0, -inf), (-inf, 0)):
        return Held(logarithm(lowering, held.draft, keeps=yes == 0), held.axes)
    if not (isfinite(yes) and isfinite(no)):
        return _pointwise(lowering, node)
    made = held.draft if yes - no == 1 else lowering.put(lowering.call("scale", yes - no), held.draft)
    return Held(lowering.put(lowering.call("shift", no), made) if no else made, held.axes)


# --- merges -----------------------------------------------------------------------------------------


def _scalar(other: Any) -> float | None:
    """A number beside what flows: also that of a constant of one value that is in no state dict."""
    if isinstance(other, Value):
        tensor, version = other.values or (None, 0)
        unknown = tensor is not None and (tensor.is_meta or tensor._version != version)
        if other.flows or unknown or any(one.trains or one.saved for one in sources(other)):
            return None
        return number_of(other)
    return None if other is None else float(other)


def _unrepeated(held: Sequence[Held]) -> list[Held]:
    """What a merge reads; what was repeated along axes that another has, as it was before."""
    if len({len(one.axes) for one in held}) > 1:
        return list(held)
    is_repeated = [[[part.axis for part in axis] == [REPEATED] for axis in one.axes] for one in held]
    needless = [any(along) and not all(along) for along in zip(*is_repeated, strict=True)]
    return [
        Held(
            one.draft,
            tuple(
                () if own and beside else axis
                for axis, own, beside in zip(one.axes, along, needless, strict=True)
            ),
            one.call,
        )
        if any(own and beside for own, beside in zip(along, needless, strict=True))
        else one
        for one, along in zip(held, is_repeated, strict=True)
    ]


def _in_rows(axes: Axes) -> Axes:
    """The first axis of a layer's in the batch, as its rows."""
    samples, rows, *rest = axes
    return (samples + rows, *rest)


def _merged(lowering: Lowering, node: Node, kind: str) -> Held:
    held = _unrepeated([lowering.of(value) for value in node.inputs])
    first = held[0]
    if all(h.axes == first.axes and h.draft.shape == first.draft.shape for h in held):
        return Held(lowering.put(lowering.call(kind), *(h.draft for h in held)), first.axes)
    for last in (None, True) if all(len(h.axes[:1]) == 1 for h in held) else ():
        beside = [lowering.laid(h, last) if len(h.axes[0]) > 1 else h for h in held]
        if len({(h.axes, h.draft.shape) for h in beside}) == 1:
            return Held(lowering.put(lowering.call(kind), *(h.draft for h in beside)), beside[0].axes)
    if held and all(len(h.axes[:1]) == 1 and len(h.axes[0]) > 1 for h in held):
        laid = [lowering.laid(h, last=True) for h in held]
        if all(h.axes == _in_rows(h.draft.straight) for h in laid) and len({h.axes[0] for h in laid}) == 1:
            made = lowering.put(lowering.call(kind), *(h.draft for h in laid))
            return Held(made, _in_rows(made.straight))
    rank = len(node.outputs[0].sizes)
    if any(len(h.axes) != rank for h in held):
        raise NotSaid("its inputs have other axes")
    big = max(held, key=lambda h: prod(sizes(h.axes)))
    drafts = [lowering.settled(h) for h in held]
    last = any(len(d.shape) > 1 and d.shape.channels_last for d in drafts)
    if last != all(d.shape.channels_last for d in drafts if len(d.shape) > 1):
        last = big.draft.shape.channels_last
        drafts = [lowering.settled(h, last=last) for h in held]
    made = lowering.put(lowering.call(kind), *drafts)
    return Held(made, made.straight[:1]) if rank == 1 else _straight(made)  # a number of each sample


@lowers("add", "mul")
def add(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    kind = "add" if node.target == "aten.add" else "multiply"
    if args.get("alpha", 1) != 1:
        return _with_factor(lowering, node, args, args["alpha"])
    if all(value.flows for value in node.inputs) and len(node.inputs) == 2:
        return _merged(lowering, node, kind)
    (x,) = [value for value in node.inputs if value.flows]
    held = lowering.of(x)
    beside = args["other"] if x is args["self"] else args["self"]
    scalar = _scalar(beside)
    if scalar is not None and (not isinstance(beside, Value) or node.outputs[0].sizes == x.sizes):
        if scalar == (0 if kind == "add" else 1):
            return held  # as ``sum`` of a list begins with 0
        op = lowering.call("scale", scalar) if kind == "multiply" else lowering.call("shift", _number(scalar))
        return Held(lowering.put(op, held.draft), held.axes)
    (other,) = [value for value in node.inputs if not value.flows]
    biased = _biased(lowering, node, held, other) if kind == "add" else None
    if biased is not None:
        return biased
    if held.axes and node.outputs[0].sizes == x.sizes and is_zeros(other):
        return held if kind == "add" else Held(lowering.put(lowering.call("scale", 0), held.draft), held.axes)
    rows = lowering.rows_of(other) if kind == "add" else None
    if rows is not None:
        try:
            made = _with_rows(lowering, held, rows)
        except NotSaid:
            pass
        else:
            lowering.folded.update(lowering.own(node).values())
            return made
    own = _factors(x, other) if kind == "multiply" else None
    if own is not None:
        op = lowering.call("layer_scale", vector=True)
    elif other.key and other.trains:
        op, own = lowering.call("position_embedding" if kind == "add" else "layer_scale"), other
    if own is not None:
        try:
            beside = len(held.axes[:1]) == 1 and len(held.axes[0]) > 1
            laid = lowering.laid(held) if beside else _straight(lowering.settled(held))
            channels = laid.draft.straight[laid.draft.shape.channel_axis + 1]
            if own is other or laid.axes[1] == channels:  # else the vector is of another axis
                return Held(lowering.put(op, laid.draft, own={"": own}), laid.axes)
        except NotSaid:
            pass
    return _with_learned(lowering, node, kind, args)


def _biased(lowering: Lowering, node: Node, held: Held, other: Value) -> Held | None:
    """A product by a matrix, and the vector beside that in its module, as one layer."""
    first = held.draft
    weight = first.own.get("weight")
    if weight is None or first.op.kind != "linear" or "bias" in first.own or first.call is not node.call:
        return None
    path = first.call.path
    named = (weight.key, other.key) == (f"{path}.weight", f"{path}.bias")
    if not named or other.sizes != (first.shape.channels,) or held.axes[-1] != first.straight[-1]:
        return None
    if not lowering.alone([first], node):
        return None
    op = lowering.call("linear", **first.op.attributes() | {"bias": True})
    made = lowering.put(op, *first.inputs, own={"weight": weight, "bias": other})
    lowering.replaced.add(first)
    lowering.checked = node
    return Held(made, held.axes)


def _with_factor(lowering: Lowering, node: Node, args: dict[str, Any], factor: float) -> Held:
    """A sum of which the second is multiplied by a number first."""
    other = args["other"]
    if not isinstance(other, Value) or not other.flows:
        return _pointwise(lowering, node)
    held = lowering.of(other)
    scaled = Value(other.sizes, other.dtype, input="scaled")
    lowering.held[scaled] = Held(
        lowering.put(lowering.call("scale", factor), held.draft), held.axes, held.call
    )
    args = {"self": args["self"], "other": scaled}
    read = tuple(one for one in args.values() if isinstance(one, Value))
    return add(lowering, replace(node, target="aten.add", args=args, inputs=read), args)


def _with_rows(lowering: Lowering, held: Held, rows: Rows) -> Held:
    """Tokens and a row of a table for each: by its place, or the same for all."""
    held = lowering.laid(held, last=True)
    draft, ids = held.draft, rows.ids
    length, width = draft.shape.spatial[-1:], draft.shape.channels
    if length != (len(ids),) or width != rows.table.sizes[-1] or not held.is_straight:
        raise NotSaid("its rows are of other positions")
    if list(ids) == [*range(ids[0], ids[0] + len(ids))]:
        given = {"first": ids[0]} if ids[0] else {}
        op = lowering.call("position_embedding", rows.table.sizes[0], **given)
        return _straight(lowering.put(op, draft, own={"weight": rows.table}))
    if len(set(ids)) > 1 or len(draft.shape) > 2:
        raise NotSaid("it reads rows of a table in another order")
    table = lowering.parameter(rows.table, draft)
    given = {"start": ids[0]} if ids[0] else {}
    given |= {"stop": ids[0] + 1} if ids[0] + 1 < rows.table.sizes[0] else {}
    row = lowering.put(lowering.call("slice", axis="length", **given), table) if given else table
    return _straight(lowering.put(lowering.call("add"), draft, row))


def _with_learned(lowering: Lowering, node: Node, kind: str, args: dict[str, Any]) -> Held:
    """A merge of what flows with a parameter that stands as it is but for axes of one position."""
    terms = [args["self"], args["other"]]
    (x,) = [value for value in terms if value.flows]
    held = lowering.of(x)
    said = masked(node) if kind == "add" else None
    if not held.axes or (said is not None and lowering.leaves(said) is not None):
        return _pointwise(lowering, node)  # a mask, which attention says
    before = len(lowering.drafts)
    try:
        rank, is_frames = len(held.axes), is_framed(held)
        if not is_frames:
            held = lowering.laid(held) if len(held.axes[0]) > 1 else _straight(lowering.settled(held))
        if rank == 1 and len(held.draft.shape) == 1:  # a number of each sample
            held = Held(held.draft, held.axes[:1])
        beside = len(held.draft.shape) + 1 - len(held.axes)
        drafts = [
            held.draft if value is x else _learned(lowering, value, held.draft, beside, int(is_frames))
            for value in terms
        ]
        made = lowering.put(lowering.call(kind), *drafts)
        _charged(lowering, node, before)
        return _straight(made) if not beside else Held(made, held.axes)
    except NotSaid as problem:
        lowering.forget(before)
        return _pointwise(lowering, node, f"archlens has no op for {node.target} of this form: {problem}")


def _charged(lowering: Lowering, node: Node, before: int) -> None:
    """See that layers said since then multiply what ran behind what a node reads before any input."""
    said = sum(draft.facts.macs for draft in lowering.drafts[before:])
    behind = lowering.behind() if said else (0, 0)
    if behind is None or said != sum(behind):
        raise NotSaid("more was multiplied before any input than is said")
    lowering.checked = node


def _learned(lowering: Lowering, value: Value, beside: Draft, extra: int, place: int = 0) -> Draft:
    """What is computed of a parameter or a buffer as a branch of a merge, by each value, moved or cut."""
    made, once = value.node, (1, *value.sizes[1:])
    if made is not None and made.target == "aten.expand" and made.inputs[0].sizes == once:
        value = made.inputs[0]  # which is given to each sample
    leaf, functions = _computed(value)
    before = len(lowering.drafts)
    try:
        draft = _standing(lowering, leaf, value.sizes, beside, extra, place)
        for node in functions:
            draft = applied(lowering, node, draft, leaf)
        return draft
    except NotSaid:
        lowering.forget(before)
        if lowering.tape.is_file:  # which does not say what is learned, so that a mask may be meant
            raise
    rank = len(beside.shape)
    held = computed(lowering, value, beside)
    axes = ((),) * (rank + 1 - extra - len(held.axes)) + held.axes
    # what is given to each sample, or made for each, is the same for all
    if axes[:1] in ((held.draft.straight[0],), (((Part(REPEATED, 0, lowering.tape.batch)),),)):
        axes = ((), *axes[1:])
    if extra or len(axes) != rank + 1 or axes[0]:
        raise NotSaid("it reads what was computed without the input")
    return settled(lowering, Held(held.draft, axes[1:], held.call), last=beside.shape.channels_last)


def _standing(
    lowering: Lowering, leaf: Value, sizes: tuple[int, ...], beside: Draft, extra: int, place: int
) -> Draft:
    """A parameter with as many axes and the same layout as what it is merged with.

    So many ``extra`` axes of that are beside the batch where the parameter is read, from this place on.
    """
    rank = len(beside.shape)
    batch, *shape = (1,) * (rank + 1 - extra - len(sizes)) + sizes
    shape = [*shape[:place], *(1,) * extra, *shape[place:]]
    if not lowering.is_held(leaf) or batch != 1 or len(shape) != rank:
        raise NotSaid("it reads what was computed without the input")
    last = beside.shape.channels_last
    lies: dict[str, Any] = {"channels": "first"} if not last and rank > 1 else {}
    if not leaf.sizes:
        return lowering.parameter(leaf, beside, shape, scalar=True, **lies)
    if leaf.sizes in (tuple(shape), (1, *shape)):
        lies |= {"batch": True} if leaf.sizes != tuple(shape) else {}
        return lowering.parameter(leaf, beside, shape, **lies)
    if last and shape[-1] != 1 and prod(shape[:-1]) != 1:
        raise NotSaid("it reads a parameter with its axes taken apart")
    given = {"channels": "first"} if len(leaf.sizes) > 1 else {}
    made = lowering.parameter(leaf, beside, leaf.sizes, **given)
    made = lowering.put(lowering.call("reshape", (shape[-1], *shape[:-1]) if last else tuple(shape)), made)
    return lowering.put(lowering.call("channels_last"), made) if last and rank > 1 else made


#: The most operators between a parameter and what reads it.
_BETWEEN = 32


def _computed(value: Value) -> tuple[Value, list[Node]]:
    """What a tensor is computed of value by value, and by which operators, the first one first."""
    found: list[Node] = []
    for _ in range(_BETWEEN):
        if value.node is None or value.key or len(value.node.inputs) != 1:
            break
        if value.node.target in OF_EACH:
            found.append(value.node)
        elif value.node.target not in (*VIEWED, *SAME):
            break
        value = value.node.inputs[0]
    return value, found[::-1]


def _factors(x: Value, other: Value) -> Value | None:
    """The vector that is learned, of which ``other`` is a view with a factor for each channel of a map."""
    own, rank = unviewed(other), len(x.sizes)
    lies = (*own.sizes, *(1,) * (rank - 2))
    found = own is not other and own.key and own.trains and len(own.sizes) == 1 and rank > 2
    return own if found and other.sizes in (lies, (1, *lies)) else None


_OF_TWO = {"sub": "subtract", "div": "divide", "maximum": "maximum", "minimum": "minimum"}


@lowers(*_OF_TWO)
def of_two(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    name = node.target.partition(".")[2]
    if args.get("alpha", 1) != 1:
        return _with_factor(lowering, node, args, -args["alpha"])
    if args.get("rounding_mode") is not None:
        return _pointwise(lowering, node)
    if len(node.inputs) == 2 and all(value.flows for value in node.inputs):
        return _merged(lowering, node, _OF_TWO[name])
    if len(node.inputs) == 2:
        negative = name == "sub" and is_zeros(args["self"]) and args["other"].sizes == node.outputs[0].sizes
        if negative:
            held = lowering.of(args["other"])
            return Held(lowering.put(lowering.call("scale", -1), held.draft), held.axes)
        return _with_learned(lowering, node, _OF_TWO[name], args)
    scalar = _scalar(args.get("other"))
    if scalar is None or len(node.inputs) != 1 or (name == "div" and not scalar):
        return _pointwise(lowering, node)
    ops = {"sub": ("shift", _number(-scalar)), "div": ("scale", _number(1 / scalar) if scalar else 0)}
    if name not in ops:
        return _pointwise(lowering, node)
    return _each(lowering, node, lowering.call(*ops[name]))


@lowers("addcmul", "addcdiv")
def added_fraction(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """A tensor and the product of two others, or their quotient, as the two steps that it is."""
    first, second, factor = args["tensor1"], args["tensor2"], args.get("value", 1)
    whole = broadcast([first.sizes, second.sizes])
    if whole is None:
        raise NotSaid("its tensors are of other shapes")
    kind = "aten.mul" if node.target == "aten.addcmul" else "aten.div"
    made = Value(whole, first.dtype)
    own = {"self": first, "other": second}
    made.node = Node(kind, own, (made,), node.call, 0, (first, second), first.flows or second.flows)
    if made.flows:
        held = lowering.table[kind](lowering, made.node, own)
        assert isinstance(held, Held)
        lowering.held[made] = held
    total = {"self": args["self"], "other": made, "alpha": factor}
    return add(lowering, replace(node, target="aten.add", args=total, inputs=(args["self"], made)), total)


@lowers("rsub")
def less_than_a_number(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    scalar = _scalar(args.get("other"))
    if scalar is None or args.get("alpha", 1) != 1 or len(node.inputs) != 1:
        return _pointwise(lowering, node)
    return _each(lowering, node, lowering.call("scale", -1), lowering.call("shift", scalar))


@lowers("cat")
def cat(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    rank = len(node.outputs[0].sizes)
    dim = _axis(args.get("dim", 0), rank)
    # what is empty, as a cache is at first, adds nothing
    tensors = [value for value in args["tensors"] if prod(value.sizes)] or args["tensors"]
    if len(tensors) == 1 and tensors[0].flows:
        return lowering.of(tensors[0])
    flowing = [value for value in tensors if value.flows]
    turned = [lowering.batch_first(lowering.of(value)) for value in flowing]
    held, place = [one for one, _ in turned], turned[0][1]
    if any(other != place for _, other in turned):
        raise NotSaid("the samples are in different axes")
    dim = _batch_first(dim, place)
    if len(held) == len(tensors) and dim and all(len(one.axes[0]) > 1 for one in held):
        both = _beside(lowering, held, dim)
        return Held(both.draft, batch_behind(both.axes, place))
    held = [samples_first(one) for one in held]
    made = _together(lowering, tensors, held, dim, place)
    return Held(made.draft, batch_behind(made.axes, place), made.call)


def _beside(lowering: Lowering, held: Sequence[Held], dim: int) -> Held:
    """Tensors put together along an axis, of which each has the same positions beside its batch."""
    laid = [lowering.laid(one) for one in held]
    if len({one.axes[0] for one in laid}) > 1 or len(laid[0].draft.straight) != len(held[0].axes) + 1:
        raise NotSaid("what stands beside the batch differs")
    made = side_by_side(lowering, [_straight(one.draft) for one in laid], dim + 1)
    samples, beside, *rest = made.axes
    return Held(made.draft, (samples + beside, *rest))


def _batch_first(dim: int, place: int) -> int:
    """Which axis one is where the batch, that stands behind so many, is put in front."""
    return 0 if dim == place else dim + (dim < place)


def _together(
    lowering: Lowering, tensors: Sequence[Value], held: Sequence[Held], dim: int, place: int
) -> Held:
    """Tensors put together along an axis, where the batch stood behind so many and is in front now."""
    rank = len(tensors[0].sizes)
    if len(held) < len(tensors):
        if all(value.flows or is_zeros(value) for value in tensors):
            return _with_zeros(lowering, tensors, held, dim, place)
        return _straight(_with_tokens(lowering, tensors, held, dim, place))
    if dim == rank - 1:
        patches = _patches([lowering.settled(one) for one in held], dim, rank)
        if patches is not None:
            size, whole = patches
            return _straight(lowering.put(lowering.call("merge_patches", size), whole))
    return side_by_side(lowering, held, dim)


def _with_zeros(
    lowering: Lowering, tensors: Sequence[Value], held: Sequence[Held], dim: int, place: int
) -> Held:
    """Zeros beside what flows, as the first state of a cell: what stands before or behind them is padded."""
    flowing, before = iter(held), 0
    parts: list[Held] = []
    ends: list[tuple[int, int]] = []
    for value in tensors:
        size = _first(value.sizes, place)[dim]
        if value.flows:
            one = next(flowing)  # a vector is padded as a map of one position
            parts.append(Held(one.draft, (*one.axes, ()), one.call) if len(one.axes) == 2 else one)
            ends.append((before, 0))
            before = 0
        elif parts:
            ends[-1] = (ends[-1][0], ends[-1][1] + size)
        else:
            before += size
    found = []
    for one, end in zip(parts, ends, strict=True):
        pairs = [end if axis == dim else (0, 0) for axis in range(len(one.axes))]
        found.append(padded(lowering, one, pairs) if any(end) else one)
    made = side_by_side(lowering, found, dim)
    flat = len(tensors[0].sizes) == 2
    return _straight(lowering.settled(Held(made.draft, made.axes[:-1]))) if flat else made


def _with_tokens(
    lowering: Lowering, tensors: Sequence[Value], held: Sequence[Held], dim: int, place: int
) -> Draft:
    """Tokens, and beside them learned ones, which are the same for each sample."""
    drafts = [lowering.settled(one, last=True) for one in held]
    flowing, beside = iter(drafts), drafts[0]
    parts = []
    for value in tensors:
        if value.flows:
            parts.append(next(flowing))
            continue
        leaf, (samples, *rows) = _given(value), _first(value.sizes, place)
        own = leaf.sizes if len(leaf.sizes) > 1 else (1, *leaf.sizes)
        alike = own in ((*rows,), (1, *rows)) and samples == lowering.tape.batch
        if not leaf.key and dim == 1 and place == 0 and any(one.trains for one in sources(value)):
            parts.append(_made_for_each(lowering, value, beside))
            continue
        if not (leaf.key and leaf.trains and alike) or dim != 1 or len(rows) != 2:
            raise NotSaid("not all of it flows")
        first = len(tensors) == 2 and value is tensors[0] and leaf.sizes == (1, 1, rows[1])
        assert lowering.node is not None
        if first and lowering.is_read_by(leaf, lowering.node):
            return lowering.put(lowering.call("class_token"), beside, own={"": leaf})
        if len(leaf.sizes) == 1:
            made = lowering.parameter(leaf, beside)
            parts.append(lowering.put(lowering.call("rearrange", "c -> 1 c"), made))
        else:
            batch = {"batch": True} if len(leaf.sizes) == 3 else {}
            parts.append(lowering.parameter(leaf, beside, rows, **batch))
    return concatenated(lowering, parts, dim)


def _made_for_each(lowering: Lowering, value: Value, beside: Draft) -> Draft:
    """What is computed of parameters, and is the same for each sample."""
    made = computed(lowering, value, beside)
    if made.axes[0] not in ((Part(REPEATED, 0, lowering.tape.batch),), made.draft.straight[0]):
        raise NotSaid("not all of it flows")
    return settled(lowering, Held(made.draft, made.axes[1:], made.call))


def _first(sizes: Sequence[int], place: int) -> tuple[int, ...]:
    """Sizes with that of the batch, which stands behind so many others, in front."""
    return (sizes[place], *sizes[:place], *sizes[place + 1 :])


def _given(value: Value) -> Value:
    """The parameter that a tensor holds for each sample: it was repeated, or added to zeros."""
    while not value.key and value.node is not None:
        node = value.node
        if node.target == "aten.add" and node.args.get("alpha", 1) == 1 and len(node.inputs) == 2:
            zeros = [is_zeros(one) for one in node.inputs]
            if zeros[0] == zeros[1]:
                break
            value = node.inputs[zeros[0]]
        elif node.target in ("aten.expand", "aten.repeat", *VIEWED, *SAME):
            value = node.inputs[0]
        else:
            break
    return value


@lowers("stack")
def stack(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """Each with an axis of one position more, put together along that."""
    tensors = args["tensors"]
    dim = _axis(args.get("dim", 0), len(node.outputs[0].sizes))
    if not all(value.flows for value in tensors):
        raise NotSaid("not all of it flows")
    drafts, place = [], max(dim, 1)  # what stands before the batch is behind it in a layer
    for held in map(lowering.of, tensors):
        longer = (*held.axes[:place], (), *held.axes[place:])
        drafts.append(lowering.settled(Held(held.draft, longer, node.call)))
    made = concatenated(lowering, drafts, place)
    return Held(made, batch_behind(made.straight, place - dim))


def _patches(drafts: Sequence[Draft], dim: int, rank: int) -> tuple[int, Draft] | None:
    """The map whose every so many positions, column by column, are joined; and how many."""
    size = round(len(drafts) ** 0.5)
    if size < 2 or size * size != len(drafts) or _axis(dim, rank) != rank - 1:
        return None
    wholes = set()
    for index, draft in enumerate(drafts):
        offsets = {"height": index % size, "width": index // size}
        while draft.op is not None and draft.op.kind == "slice" and draft.shape.channels_last:
            said = draft.op.attributes()
            if (
                said["axis"] not in offsets
                or said["step"] != size
                or said["start"] != offsets.pop(said["axis"])
            ):
                return None
            draft = draft.inputs[0]
        if offsets:
            return None
        if isinstance(draft.op, Opaque) and str(draft.op) == _ZEROS:
            (before,) = draft.inputs  # merge_patches pads an odd side by itself
            if all(0 <= n - m < size for n, m in zip(draft.shape, before.shape, strict=True)):
                draft = before
        wholes.add(draft)
    return (size, wholes.pop()) if len(wholes) == 1 else None


def _leaf(value: Value) -> Value:
    """The parameter that was only viewed or repeated."""
    while not value.key and value.node is not None and len(value.node.inputs) == 1:
        value = value.node.inputs[0]
    return value


# --- normalization ----------------------------------------------------------------------------------


#: What a batch norm learns, and what torch calls it.
_LEARNED = {"scale": "weight", "center": "bias"}


@lowers(
    "native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit_no_training", "_batch_norm_no_update"
)
def batch_norm(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held]:
    given: dict[str, Any] = {}
    if args["eps"] != 1e-5:
        given["eps"] = _number(args["eps"])
    if args["momentum"] != 0.1:
        given["momentum"] = _number(args["momentum"])
    given |= {name: False for name, theirs in _LEARNED.items() if args.get(theirs) is None}
    if len(given.keys() & _LEARNED.keys()) == 2:
        given = {"affine": False, **{name: one for name, one in given.items() if name not in _LEARNED}}
    if args.get("running_mean") is None:
        given["running_stats"] = False
    own = _weights(args, weight="weight", bias="bias", running_mean="running_mean", running_var="running_var")
    lowering.beside(own, "running_mean", "num_batches_tracked")
    op = lowering.call("batch_norm", **given)
    # its statistics are those of frames beside the batch, too
    return [_on_map(lowering, args["input"], lambda draft, _: lowering.put(op, draft, own=own))]


@lowers("native_layer_norm")
def layer_norm(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held]:
    given: dict[str, Any] = {}
    if args["eps"] != 1e-5:
        given["eps"] = _number(args["eps"])
    if args.get("weight") is None:
        given["affine"] = False
    elif args.get("bias") is None:
        given["bias"] = False
    own = _weights(args, weight="weight", bias="bias")
    dims = args.get("dim") or range(len(args["input"].sizes))[-len(args["normalized_shape"]) :]
    last = dims[-1] == len(args["input"].sizes) - 1
    held = lowering.near(args["input"], last=last)
    shape = held.draft.shape
    if len(dims) == 1 and held.axes[dims[0]] == held.draft.straight[shape.channel_axis + 1]:
        return [Held(lowering.put(lowering.call("layer_norm", **given), held.draft, own=own), held.axes)]
    if len(dims) == len(shape) and held.is_straight and len(dims) > 1:
        return [
            _straight(lowering.put(lowering.call("layer_norm", over="all", **given), held.draft, own=own))
        ]
    draft = _settle(lowering, args["input"], last=last)
    if len(dims) != 1 or dims[0] != draft.shape.channel_axis + 1:
        raise NotSaid("over several axes" if len(dims) != 1 else "not over the channels")
    return [_straight(lowering.put(lowering.call("layer_norm", **given), draft, own=own))]


@lowers("native_group_norm")
def group_norm(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held]:
    given: dict[str, Any] = {"eps": args["eps"]} if args["eps"] != 1e-5 else {}
    if args.get("weight") is None:
        given["affine"] = False
    own = _weights(args, weight="weight", bias="bias")
    draft = _settle(lowering, args["input"], last=False)
    if list(own) == ["weight"] and len(draft.shape) > 1:
        normed = lowering.put(lowering.call("group_norm", args["group"], affine=False, **given), draft)
        scale = lowering.call("layer_scale", vector=True)
        return [_straight(lowering.put(scale, normed, own={"": own["weight"]}))]
    return [_straight(lowering.put(lowering.call("group_norm", args["group"], **given), draft, own=own))]


@lowers("torch.instance_norm")
def instance_norm(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    given: dict[str, Any] = {}
    if args.get("eps", 1e-5) != 1e-5:
        given["eps"] = _number(args["eps"])
    if args.get("momentum", 0.1) != 0.1:
        given["momentum"] = _number(args["momentum"])
    if args.get("weight") is not None:
        given["affine"] = True
    if args.get("running_mean") is not None:
        given["running_stats"] = True
    own = _weights(args, weight="weight", bias="bias", running_mean="running_mean", running_var="running_var")
    lowering.beside(own, "running_mean", "num_batches_tracked")
    return _straight(
        lowering.put(
            lowering.call("instance_norm", **given), _settle(lowering, args["input"], last=False), own=own
        )
    )


@lowers("torch.local_response_norm")
def local_response_norm(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    given = {name: _number(args[name]) for name in ("alpha", "beta", "k") if name in args}
    op = lowering.call("local_response_norm", args["size"], **given)
    return _straight(lowering.put(op, _settle(lowering, args["input"], last=False)))


@lowers("torch.rms_norm")
def rms_norm(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """Over the last axis it works on each position alone; others are the last while it does."""
    rank = len(args["input"].sizes)
    (dim,) = args.get("dim", [rank - 1]) if len(args["normalized_shape"]) == 1 else (0,)
    held = lowering.near(args["input"], last=True) if dim == rank - 1 else lowering.of(args["input"])
    if dim != rank - 1 or held.axes[dim] != held.draft.straight[held.draft.shape.channel_axis + 1]:
        order = [*(i for i in range(rank) if i != dim), dim]
        draft = lowering.settled(Held(held.draft, permuted(held.axes, order), node.call), last=True)
        held = Held(draft, permuted(draft.straight, [order.index(i) for i in range(rank)]), node.call)
    if not dim or held.axes[dim] != held.draft.straight[held.draft.shape.channel_axis + 1]:
        raise NotSaid("not over the channels")
    given: dict[str, Any] = {"eps": _number(_EPSILON if args.get("eps") is None else args["eps"])}
    if args.get("weight") is None:
        given["affine"] = False
    op = lowering.call("rms_norm", **{name: value for name, value in given.items() if value != 1e-6})
    return Held(lowering.put(op, held.draft, own=_weights(args, weight="weight")), held.axes)


@lowers("archlens.response_norm")
def response_norm(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    given = {"eps": args["eps"]} if args["eps"] != 1e-6 else {}
    draft = _settle(lowering, args["input"], last=args["dim"] == len(args["input"].sizes) - 1)
    if draft.shape.channel_axis + 1 != args["dim"]:
        raise NotSaid("not over the channels")
    own = _weights(args, weight="weight", bias="bias")
    return _straight(lowering.put(lowering.call("global_response_norm", **given), draft, own=own))


#: What torch adds in an rms_norm that says nothing of it: the least that makes 1.0 another number.
_EPSILON = 2.0**-23


# --- pooling and sizes ------------------------------------------------------------------------------


@lowers("torch.max_pool1d", "torch.avg_pool1d")
def pool_in_a_row(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held]:
    lists = {name: [n] if isinstance(n, int) else n for name, n in args.items() if type(n) is not bool}
    return pool(lowering, node, {**args, **lists, "self": args["input"]})


@lowers("max_pool2d_with_indices", "max_pool3d_with_indices", "avg_pool2d", "avg_pool3d")
def pool(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held]:
    kernel = _one(args["kernel_size"])
    given: dict[str, Any] = {}
    stride = _one(args["stride"]) if args.get("stride") else kernel
    if stride != kernel:
        given["stride"] = stride
    for name, default in (("padding", 0), ("dilation", 1)):
        if name in args and _sides(args[name]) != default:
            given[name] = _sides(args[name])
    if args.get("ceil_mode"):
        given["ceil_mode"] = True
    if args.get("count_include_pad") is False:
        given["count_include_pad"] = False
    if args.get("divisor_override"):
        raise NotSaid("a divisor of its own")
    kind = "max_pool" if "max" in node.target else "avg_pool"
    axes = len(args["self"].sizes) - 2

    def pooled(draft: Draft, is_frames: bool) -> Draft:
        own = {name: _of_frames(one, axes, name) for name, one in given.items()} if is_frames else given
        size = _of_frames(kernel, axes) if is_frames else kernel
        return lowering.put(lowering.call(kind, size, **own), draft)

    return [_on_map(lowering, args["self"], pooled)]


def _of_frames(given: Any, axes: int, name: str = "kernel_size") -> Any:
    """What an op takes for each axis of a map, with what leaves the frames before it as they are."""
    if isinstance(given, bool):
        return given
    each = given if isinstance(given, tuple) else (given,) * axes
    return (0 if name == "padding" else 1, *each)


@lowers("torch.adaptive_avg_pool", "torch.adaptive_max_pool")
def adaptive(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held]:
    kind = node.target.partition(".")[2]
    given = args["output_size"]
    given = list(given) if isinstance(given, list | tuple) else [given]
    if None in given:
        raise NotSaid("a size that stays")
    given *= (len(args["input"].sizes) - 2) // len(given)

    def pooled(draft: Draft, is_frames: bool) -> Draft:
        sides = [draft.shape[1], *given] if is_frames else given
        return lowering.put(lowering.call(kind, _one(sides)), draft)

    return [_on_map(lowering, args["input"], pooled)]


@lowers("max")
def largest(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held | None]:
    """The largest values along an axis, where nobody asks where they are."""
    if any(lowering.readers.get(one) or one in lowering.ends for one in node.outputs[1:]):
        raise NotSaid("where they are is read, too")
    found = reduce(lowering, node, args)
    assert isinstance(found, Held)
    return [found, *[None] * (len(node.outputs) - 1)]


#: What is said of the values along axes, and has no op: it looks as far as their mean does.
_REDUCED = [
    "var",
    "std",
    "amin",
    "norm",
    "linalg_vector_norm",
    "prod",
    "logsumexp",
    "argmax",
    "argmin",
    "any",
    "all",
]

#: What is pooling where it goes over the whole map.
_POOLED = ("aten.mean", "aten.amax", "aten.max")


@lowers("mean", "amax", "sum", *_REDUCED)
def reduce(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held, place = lowering.batch_first(lowering.of(args["self"]))
    rank = len(held.axes)
    given = args.get("dim")
    if given is None:
        raise NotSaid("over everything")
    dims = {_axis(dim, rank) for dim in (given if isinstance(given, list | tuple) else [given])}
    before = place if args.get("keepdim") else len({*range(place)} - dims)
    dims = {_batch_first(dim, place) for dim in dims}
    if held.axes and len(held.axes[0]) > 1 and 0 not in dims:
        laid = lowering.laid(held)
        if len(laid.draft.straight) != rank + 1:
            raise NotSaid("what stands beside the batch is not an axis of a layer")
        made = _over_axes(lowering, node, args, _straight(laid.draft), sorted(dim + 1 for dim in dims))
        samples, beside, *rest = made.axes
        made = Held(made.draft, (samples + beside, *rest), made.call)
    else:
        made = _reduced(lowering, node, args, held, dims)
    return Held(made.draft, batch_behind(made.axes, before), made.call)


def _reduced(lowering: Lowering, node: Node, args: dict[str, Any], held: Held, dims: set[int]) -> Held:
    """The same of values whose batch stands in front."""
    rank = len(held.axes)
    last = held.draft.shape.channels_last
    spatial = range(1, rank - 1) if last else range(2, rank)
    if dims != {*spatial} or not dims or not held.is_straight or node.target not in _POOLED:
        return _over_axes(lowering, node, args, held, sorted(dims))
    kind = "global_avg_pool" if node.target == "aten.mean" else "global_max_pool"
    if last:
        held = Held(held.draft, permuted(held.axes, (0, rank - 1, *spatial)), node.call)
    draft = lowering.put(lowering.call(kind), lowering.settled(held, last=False))
    if args.get("keepdim"):
        batch, channels, *ones = draft.straight
        return Held(draft, (batch, *ones, channels) if last else draft.straight, node.call)
    return _straight(lowering.settled(Held(draft, draft.straight[:2], node.call)))


def _over_axes(lowering: Lowering, node: Node, args: dict[str, Any], held: Held, dims: Sequence[int]) -> Held:
    """The mean or the largest along any axes but the batch; a sum is their number times the mean."""
    if not dims or 0 in dims:
        raise NotSaid("over the samples")
    draft = lowering.settled(samples_first(held))
    name = node.target.partition(".")[2]
    if draft.shape.channel_axis + 1 in dims and len(draft.shape) > 2 and not args.get("keepdim"):
        if name in _REDUCED:
            raise NotSaid
        draft = lowering.settled(_straight(draft), last=not draft.shape.channels_last)  # others are channels
    if len(dims) == 1 and len(draft.shape) > 3:
        return _over_one_of_many(lowering, node, args, draft, dims[0])
    keep = {"keep": True} if args.get("keepdim") else {}
    if not keep and len(dims) == len(draft.shape) > 1:
        draft, dims = lowering.settled(Held(draft, _flat(draft), node.call)), [1]
    names = tuple(draft.shape.names[dim - 1] for dim in dims)
    kind = "amax" if node.target in ("aten.amax", "aten.max") else "mean"
    op = lowering.call(kind, names if len(names) > 1 else names[0], **keep)
    steps = _in_steps(lowering, node, args, draft, op, prod(draft.shape[dim - 1] for dim in dims))
    if steps is not None:
        made = steps
    elif name in _REDUCED:
        try:
            shape = op.facts(draft.shape).shape
        except ShapeError as problem:
            raise NotSaid(problem.message) from None
        reason = f"archlens has no op for {node.target}"
        made = lowering.opaque(name, shape, draft, macs=0, base=op, reason=reason)
    else:
        made = lowering.put(op, draft)
    if node.target == "aten.sum":
        made = lowering.put(lowering.call("scale", prod(draft.shape[dim - 1] for dim in dims)), made)
    if not keep and len(draft.shape) == len(dims):
        return Held(made, made.straight[:1])  # a number of each sample
    return _straight(made)


def _in_steps(
    lowering: Lowering, node: Node, args: dict[str, Any], draft: Draft, mean: Op, count: int
) -> Draft | None:
    """A variance, a deviation or a length as the steps of its definition, or the least as the largest of the
    opposites; ``None`` of anything else.
    """
    name, axis = node.target.removeprefix("aten."), mean.attributes()["axis"]

    def then(made: Draft, kind: str, *given: Any) -> Draft:
        return lowering.put(lowering.call(kind, *given), made)

    if name == "amin":
        most = lowering.call("amax", axis, keep=mean.attributes()["keep"])
        return then(lowering.put(most, then(draft, "scale", -1)), "scale", -1)
    if name in ("norm", "linalg_vector_norm"):
        if args.get("p", args.get("ord", 2)) != 2:
            return None
        return then(then(lowering.put(mean, then(draft, "pow", 2)), "scale", count), "sqrt")
    if name not in ("var", "std"):
        return None
    less = args.get("correction", int(args.get("unbiased", True)))
    less = 1 if less is None else less
    if count <= less:
        return None
    middle = lowering.put(lowering.call("mean", axis, keep=True), draft)
    apart = lowering.put(lowering.call("subtract"), draft, middle)
    made = lowering.put(mean, then(apart, "pow", 2))
    made = then(made, "scale", count / (count - less)) if less else made
    return then(made, "sqrt") if name == "std" else made


def _over_one_of_many(lowering: Lowering, node: Node, args: dict[str, Any], draft: Draft, dim: int) -> Held:
    """The same along an axis that has no name: those before it are one for that, and those behind it."""
    batch, *axes = draft.straight
    few = (batch, in_order(axes[: dim - 1]), axes[dim - 1], in_order(axes[dim:]))
    made = _over_axes(lowering, node, args, Held(draft, few, node.call), [2])
    found = viewed(made.axes, node.outputs[0].sizes)
    if found is None:
        raise NotSaid("the axes cannot be told apart")
    return Held(made.draft, found, node.call)


@lowers("torch.interpolate")
def interpolate(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    given: dict[str, Any] = {}
    if args.get("scale_factor") is not None and not args.get("recompute_scale_factor"):
        scale = args["scale_factor"]
        given["scale"] = _one(scale) if isinstance(scale, list | tuple) else scale
    else:
        given["size"] = tuple(node.outputs[0].sizes[2:])
    mode = args.get("mode", "nearest")
    if mode != "nearest":
        given["mode"] = mode
    if args.get("align_corners"):
        given["align_corners"] = True
    if args.get("antialias"):
        raise NotSaid("antialiased")

    def resized(draft: Draft, is_frames: bool) -> Draft:
        own = given
        if is_frames and "cubic" in mode:
            raise NotSaid("cubic between two axes of three")
        if is_frames:
            (name,) = given.keys() & {"scale", "size"}
            axes = len(args["input"].sizes) - 2
            each = given[name] if isinstance(given[name], tuple) else (given[name],) * axes
            own = given | {name: (draft.shape[1] if name == "size" else 1, *each)}
            own |= {"mode": "linear"} if "linear" in mode else {}
        return lowering.put(lowering.call("upsample", **own), draft)

    return _on_map(lowering, args["input"], resized)


#: What zeros at the end of an axis are called, where the channels stand last.
_ZEROS = "pad"


@lowers("torch.pad")
def pad(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    given = args["pad"]
    mode, value = args.get("mode", "constant"), args.get("value")
    held = lowering.of(args["input"])
    if not any(given):
        return held
    shape = held.draft.shape
    at_end = not any(given[::2]) and min(given) >= 0 and not value and mode == "constant"
    sliced = all(one.target == "aten.slice" for one in lowering.readers.get(node.outputs[0], ()))
    if at_end and sliced and shape.channels_last and held.is_straight:
        shape = ChannelsLast(lowering.shape_of(node.outputs[0]))
        return _straight(lowering.opaque(_ZEROS, shape, held.draft, macs=0))
    pairs = [tuple(given[i : i + 2]) for i in range(0, len(given), 2)][::-1]
    pairs = [(0, 0)] * (len(held.axes) - len(pairs)) + pairs
    if held.axes[0] != held.draft.straight[0]:
        pairs.insert(2, (0, 0))
        of_frames = map_padded(lowering, lowering.settled(in_frames(held), last=False), pairs, mode, value)
        return as_batch(_straight(of_frames), held)
    return padded(lowering, held, pairs, mode, value)


@lowers("torch.channel_shuffle", "channel_shuffle")
def shuffle(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    draft = _settle(lowering, node.inputs[0], last=False)
    return _straight(lowering.put(lowering.call("channel_shuffle", args["groups"]), draft))


@lowers("pixel_shuffle", "pixel_unshuffle")
def pixel_shuffle(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    kind = node.target.partition(".")[2]
    factor = args["upscale_factor" if kind == "pixel_shuffle" else "downscale_factor"]
    draft = _settle(lowering, args["self"], last=False)
    return _straight(lowering.put(lowering.call(kind, factor), draft))


@lowers("im2col")
def unfold(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    given = {name: _one(args[name]) for name in ("dilation", "padding", "stride")}
    given = {name: value for name, value in given.items() if value != int(name != "padding")}
    op = lowering.call("unfold", _one(args["kernel_size"]), **given)
    return _straight(lowering.put(op, _settle(lowering, args["self"], last=False)))


@lowers("col2im")
def fold(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    given = {name: _one(args[name]) for name in ("dilation", "padding", "stride")}
    given = {name: value for name, value in given.items() if value != int(name != "padding")}
    op = lowering.call("fold", _one(args["output_size"]), _one(args["kernel_size"]), **given)
    return _straight(lowering.put(op, _settle(lowering, args["self"], last=False)))


@lowers("grid_sampler_2d")
def grid_sample(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    if args.get("interpolation_mode", 0) or args.get("padding_mode", 0) or args.get("align_corners", False):
        raise NotSaid("it interpolates in another way")
    if not args["grid"].flows:
        raise NotSaid("its grid is the same for every sample")
    grid = lowering.of(args["grid"])
    turned = lowering.settled(Held(grid.draft, permuted(grid.axes, (0, 3, 1, 2)), grid.call), last=False)
    op = lowering.call("grid_sample")
    return _straight(lowering.put(op, _settle(lowering, args["input"], last=False), turned))


@lowers("torch.lstm", "torch.gru", "torch.rnn")
def recurrent_function(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held | None]:
    op = lowering.call(node.target.removeprefix("torch."), args["features"], **args["options"])
    return recurrent(lowering, node, op, args["input"], args["weights"], batch_first=args["batch_first"])


@lowers(*(f"torch.nn.modules.rnn.{name}" for name in ("LSTM", "GRU", "RNN")))
def recurrent_module(lowering: Lowering, node: Node, args: dict[str, Any]) -> list[Held | None]:
    op, own, read = KNOWN[node.target](node.module), lowering.below(node.call), args["input"]
    if op is None or not isinstance(read, Value) or not read.flows:
        raise NotSaid("its sequence is packed, or the same for every sample")
    return recurrent(lowering, node, op, read, own, batch_first=node.module.batch_first)


@lowers("roll")
def roll(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    if not args.get("dims"):
        raise NotSaid("along all axes in a row")
    draft = _settle(lowering, args["self"], last=None)
    shifts = {draft.shape.names[dim - 1]: 0 for dim in range(1, len(draft.shape) + 1)}
    for shift, dim in zip(args["shifts"], args.get("dims", ()), strict=True):
        shifts[draft.shape.names[_axis(dim, len(draft.shape) + 1) - 1] if dim else ""] = shift
    if "" in shifts or shifts.pop("channels"):
        raise NotSaid("along other axes")
    return _straight(lowering.put(lowering.call("roll", _one(tuple(shifts.values()))), draft))


@lowers("flip")
def flip(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    held, batch = lowering.batch_first(lowering.of(args["self"]))
    draft = lowering.settled(samples_first(held))
    dims = {_axis(dim, len(draft.shape) + 1) for dim in args["dims"]}
    if not dims or batch in dims:
        raise NotSaid("along the batch")
    names = tuple([draft.shape.names[dim if dim < batch else dim - 1] for dim in sorted(dims)])
    made = lowering.put(lowering.call("flip", names if len(names) > 1 else names[0]), draft)
    return Held(made, batch_behind(made.straight, batch))


@lowers("embedding")
def embedding(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """A row of a table for each id; the rows are looked up and nothing is multiplied."""
    ids, place = lowering.batch_first(lowering.of(args["indices"]))
    draft = lowering.settled(samples_first(ids))
    shape = list(node.outputs[0].sizes)
    if shape.pop(place) != lowering.tape.batch:
        raise NotSaid("what stands beside the batch in its axis")
    single = len(shape) == 1 and len(draft.shape) == 1  # one id of each sample, without an axis of its own
    kind = ChannelsLast if single or len(shape) > 1 else Shape
    made = lowering.opaque("embedding", kind([1] * single + shape), draft, macs=0, own=lowering.own(node))
    axes = made.straight
    return Held(made, batch_behind((axes[0], *axes[2:]) if single else axes, place))


@lowers("archlens.sinusoids")
def sinusoids(lowering: Lowering, node: Node, args: dict[str, Any]) -> Held:
    """Sines and cosines of a number at many rates."""
    held, place = lowering.batch_first(lowering.of(args["self"]))
    draft = lowering.settled(samples_first(held), last=True)
    if args["times"] != 1:
        draft = lowering.put(lowering.call("scale", args["times"]), draft)
    given = {name: args[name] for name in ("base", "shift", "first") if args[name] not in (10000, 0, "sin")}
    made = lowering.put(lowering.call("sinusoidal_embedding", args["width"], **given), draft)
    lowering.folded.update(lowering.own(node).values())
    return Held(made, batch_behind(made.straight, place))
