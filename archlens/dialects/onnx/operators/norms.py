"""Normalizations, and what else has the size of what it reads."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ..folding import axis_of
from ..proto import Misfit, written
from ..running import At, Tensor
from .arguments import as_map, of_channels, of_file, of_sizes, plainly
from .registry import runs


@runs("Softmax", "LogSoftmax", "Hardmax")
def softmax(at: At) -> Tensor:
    x = at.x()
    old = at.node.version < 13
    dim = axis_of(at.node.integer("axis", 1 if old else -1), len(x.sizes))
    name = {"Softmax": "aten._softmax", "LogSoftmax": "aten._log_softmax"}.get(at.node.op, "Hardmax")
    # before, it was over all axes from that one on together
    if old and prod(x.sizes[dim + 1 :]) != 1:
        wide = [i for i in range(dim, len(x.sizes)) if x.sizes[i] != 1]
        if len(wide) > 1:
            name = at.node.op
        elif wide:
            dim = wide[0]
    return at.write(name, {"self": x, "dim": dim}, x.sizes)


@runs("BatchNormalization")
def batch_norm(at: At) -> Sequence[Tensor]:
    x = at.x()
    if len(x.sizes) < 2:
        raise Misfit(f"{written(x.sizes)} has no channels")
    parts = [of_channels(at.x(i), x.sizes[1]) for i in range(1, 5)]
    scale, bias, mean, var = [one for one in parts if one is not None]
    args = {
        "input": x,
        "weight": scale,
        "bias": bias,
        "running_mean": of_file(at, mean, trains=False),
        "running_var": of_file(at, var, trains=False),
        "eps": plainly(at.node.decimal("epsilon", 1e-5)),
        "momentum": plainly(1 - plainly(at.node.decimal("momentum", 0.9))),
    }
    made = at.write("aten._native_batch_norm_legit_no_training", args, x.sizes)
    return [made, *[Tensor(mean.sizes, mean.dtype)] * 4]


@runs("LayerNormalization", "RMSNormalization")
@runs("LayerNormalization", domain="com.microsoft")
def layer_norm(at: At) -> Sequence[Tensor]:
    x = at.x()
    axis = axis_of(at.node.integer("axis", -1), len(x.sizes))
    rest = x.sizes[axis:]
    args = {
        "input": x,
        "normalized_shape": list(rest),
        "weight": of_sizes(at.given(1), rest),
        "bias": of_sizes(at.given(2), rest),
        "eps": plainly(at.node.decimal("epsilon", 1e-5)),
    }
    name = "torch.rms_norm" if at.node.op.startswith("RMS") else "aten.native_layer_norm"
    made = at.write(name, args, x.sizes)
    return [made, *[Tensor((*x.sizes[:axis], *[1] * len(rest)), x.dtype)] * 2]


@runs("InstanceNormalization")
def instance_norm(at: At) -> Tensor:
    x = at.x()
    as_map(x)
    args = {
        "input": x,
        "weight": of_channels(at.given(1), x.sizes[1]),
        "bias": of_channels(at.given(2), x.sizes[1]),
        "eps": plainly(at.node.decimal("epsilon", 1e-5)),
    }
    return at.write("torch.instance_norm", args, x.sizes)


@runs("GroupNormalization")
def group_norm(at: At) -> Tensor:
    x = at.x()
    as_map(x)
    groups = at.node.integer("num_groups", 1)
    if at.node.version < 21 and at.x(1).sizes == (groups,) != (x.sizes[1],):  # a weight for each group
        return at.write(at.node.op, {"inputs": [x, at.x(1), at.x(2)]}, x.sizes)
    args = {
        "input": x,
        "weight": of_sizes(at.given(1), (x.sizes[1],)),
        "bias": of_sizes(at.given(2), (x.sizes[1],)),
        "group": groups,
        "eps": plainly(at.node.decimal("epsilon", 1e-5)),
    }
    return at.write("aten.native_group_norm", args, x.sizes)


@runs("LRN")
def lrn(at: At) -> Tensor:
    x = at.x()
    as_map(x)
    args = {
        "input": x,
        "size": at.node.integer("size", 1),
        "alpha": plainly(at.node.decimal("alpha", 1e-4)),
        "beta": plainly(at.node.decimal("beta", 0.75)),
        "k": plainly(at.node.decimal("bias", 1.0)),
    }
    return at.write("torch.local_response_norm", args, x.sizes)


@runs(
    "LpNormalization",
    "MeanVarianceNormalization",
    "ReverseSequence",
    "ScatterND",
    "ScatterElements",
    "Scatter",
)
def of_one_size(at: At) -> Tensor:
    x = at.x()
    reads = [one for one in at.inputs if one is not None]
    return at.write(at.node.op, {"inputs": reads}, x.sizes)


@runs("CumSum")
def summed(at: At) -> Tensor:
    x, axis = at.x(), at.values(1)
    turned = at.node.integer("exclusive", 0) or at.node.integer("reverse", 0)
    if turned or not axis:
        return at.write("CumSum", {"self": x}, x.sizes)
    return at.write("aten.cumsum", {"self": x, "dim": axis_of(axis[0], len(x.sizes))}, x.sizes)


@runs("Trilu")
def triangle(at: At) -> Tensor:
    x = at.x()
    name = "aten.triu" if at.node.integer("upper", 1) else "aten.tril"
    given = at.given(1)
    by = given.values[0] if given is not None and given.values else None if given is not None else 0
    return at.write(name, {"self": x, "diagonal": by}, x.sizes)
