"""Activations and norms that are written out: found where torch computes the same, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import archlens

EPS, CHANNELS = 1e-3, 6


class Own(nn.Module):
    """A function as a module, with a scale and a shift that it may use."""

    def __init__(self, function: Callable[..., Tensor], parts: int) -> None:
        super().__init__()
        self.function = function
        names = ("gamma", "beta")[:parts]
        self.own = nn.ParameterDict({name: torch.rand(CHANNELS) + 0.5 for name in names})

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.own.values())


def traced(function: Callable[..., Tensor], *shape: int, parts: int = 0) -> tuple[Own, archlens.Network]:
    module = Own(function, parts)
    return module, archlens.trace(module, shape)


def ops(network: archlens.Network) -> list[str]:
    return [str(layer.op) for layer in network]


def _mean(x: Tensor, dim: int = -1) -> Tensor:
    return x.mean(dim, keepdim=True)


def _lengths(x: Tensor, *dims: int) -> Tensor:
    return torch.linalg.vector_norm(x, dim=dims or (2, 3), keepdim=True)


def _responded(x: Tensor, g: Tensor, b: Tensor) -> Tensor:
    length = x.norm(p=2, dim=(-2, -1), keepdim=True)
    return g[:, None, None] * (x * length / (EPS + length.mean(dim=1, keepdim=True))) + b[:, None, None] + x


def _without_variable(x: Tensor) -> Tensor:
    mean = x.mean(-1)
    variance = (x * x).mean(-1) - mean**2
    return (x - mean.unsqueeze(-1)) * (variance + EPS).pow(-0.5).unsqueeze(-1)


def _as_tensorflow(x: Tensor, g: Tensor, b: Tensor) -> Tensor:
    by = torch.rsqrt((x - _mean(x)).square().mean(-1, keepdim=True) + EPS) * g
    return x * by + (b - _mean(x) * by)


def _var_mean(x: Tensor, g: Tensor, b: Tensor) -> Tensor:
    var, mean = torch.var_mean(x, -1, keepdim=True, correction=0)
    return (x - mean) / (var + EPS).sqrt() * g + b


def _first(x: Tensor, g: Tensor, b: Tensor) -> Tensor:
    centred = x - _mean(x, 1)
    return g[:, None, None] * (centred / (_mean(centred**2, 1) + EPS).sqrt()) + b[:, None, None]


#: Ways to write an op, and what it is called; torch says whether each is that.
WRITTEN: dict[str, tuple[Callable[..., Tensor], int, tuple[int, ...], str]] = {
    "layer norm": (
        lambda x, g, b: g * (x - _mean(x)) / torch.sqrt(_mean((x - _mean(x)) ** 2) + EPS) + b,
        2, (5, CHANNELS), "layer_norm(eps=0.001)",
    ),
    "by torch's variance": (
        lambda x, g, b: (x - _mean(x)) * torch.rsqrt(x.var(-1, keepdim=True, unbiased=False) + EPS) * g + b,
        2, (5, CHANNELS), "layer_norm(eps=0.001)",
    ),
    "variance and mean at once": (_var_mean, 2, (5, CHANNELS), "layer_norm(eps=0.001)"),
    "as TensorFlow has it": (_as_tensorflow, 2, (5, CHANNELS), "layer_norm(eps=0.001)"),
    "by the mean of the squares": (
        _without_variable, 0, (5, CHANNELS), "layer_norm(eps=0.001, affine=false)",
    ),
    "of channels that stand first": (_first, 2, (CHANNELS, 4, 4), "layer_norm(eps=0.001)"),
    "of a single vector": (
        lambda x: (x - _mean(x)) * (x.var(1, keepdim=True, correction=0) + EPS) ** -0.5,
        0, (CHANNELS,), "layer_norm(eps=0.001, affine=false)",
    ),
    "rms norm": (
        lambda x, g: g * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS)),
        1, (5, CHANNELS), "rms_norm(eps=0.001)",
    ),
    "gelu": (lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2))), 0, (5, 4), "gelu"),
    "gelu, multiplied out": (
        lambda x: x / 2 + 0.5 * x * torch.erf(x * 0.7071067811865476), 0, (5, 4), "gelu",
    ),
    "gelu by tanh": (
        lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0)))),
        0, (5, 4), 'gelu(approximate="tanh")',
    ),
    "gelu by tanh, factored": (
        lambda x: x * (torch.tanh(0.7978845608 * x * (1 + 0.044715 * x * x)) + 1) * 0.5,
        0, (5, 4), 'gelu(approximate="tanh")',
    ),
    "response norm": (_responded, 2, (CHANNELS, 4, 3), "global_response_norm(eps=0.001)"),
    "response norm as ConvNeXt V2 has it": (
        lambda x, g, b: x + torch.addcmul(
            b.view(1, -1, 1, 1), g.view(1, -1, 1, 1), x * ((n := _lengths(x)) / (_mean(n, 1) + EPS)),
        ),
        2, (CHANNELS, 4, 3), "global_response_norm(eps=0.001)",
    ),
    "silu": (lambda x: torch.sigmoid(x) * x, 0, (5, 4), "silu"),
    "mish": (lambda x: x * torch.tanh(F.softplus(x)), 0, (5, 4), "mish"),
    "hard swish": (lambda x: x * F.relu6(x + 3) / 6, 0, (5, 4), "hard_swish"),
    "hard swish by clamp": (lambda x: x * (x / 6 + 0.5).clamp(0, 1), 0, (5, 4), "hard_swish"),
    "hard sigmoid": (lambda x: F.hardtanh(x + 3, 0, 6) * (1 / 6), 0, (5, 4), "hard_sigmoid"),
}  # fmt: skip


def same(op: str, x: Tensor, parts: list[Tensor]) -> Tensor:
    """What torch's own function gives."""
    kind = op.partition("(")[0]
    if kind == "layer_norm":
        last = x.movedim(1, -1) if x.dim() == 4 else x
        made = F.layer_norm(last, (CHANNELS,), *parts, eps=EPS)
        return made.movedim(-1, 1) if x.dim() == 4 else made
    if kind == "rms_norm":
        return F.rms_norm(x, (CHANNELS,), *parts, eps=EPS)
    if kind == "global_response_norm":
        length = x.pow(2).sum((2, 3)).sqrt()
        by = length / (length.mean(1, keepdim=True) + EPS)
        gamma, beta = (part.view(-1, 1, 1) for part in parts)
        return x + gamma * x * by[..., None, None] + beta
    if kind == "gelu":
        return F.gelu(x, approximate="tanh" if "tanh" in op else "none")
    functions: dict[str, Any] = {
        "silu": F.silu, "mish": F.mish, "hard_swish": F.hardswish, "hard_sigmoid": F.hardsigmoid,
    }  # fmt: skip
    return functions[kind](x)  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", WRITTEN)
def test_what_torch_computes_alike_is_the_same_op(case: str) -> None:
    function, parts, shape, op = WRITTEN[case]
    module, network = traced(function, *shape, parts=parts)
    x = torch.randn(3, *shape) * 3
    torch.testing.assert_close(module(x), same(op, x, [*module.own.values()]), atol=1e-5, rtol=1e-4)
    assert ops(network) == [op]
    assert network.params == parts * CHANNELS
    assert {layer.key(name) for layer in network for name in layer.facts.weights} == {*module.state_dict()}


#: What looks alike: the op that it might be taken for.
ALIKE: dict[str, tuple[Callable[..., Tensor], int, tuple[int, ...], str]] = {
    "a response norm without the map": (
        lambda x, g, b: g[:, None, None] * x * (n := _lengths(x)) / (_mean(n, 1) + EPS) + b[:, None, None],
        2, (CHANNELS, 4, 3), "global_response_norm(eps=0.001)",
    ),
    "a response norm by sums": (
        lambda x, g, b: x + g[:, None, None] * x * (n := _lengths(x)) / (n.sum(1, keepdim=True) + EPS)
        + b[:, None, None],
        2, (CHANNELS, 4, 3), "global_response_norm(eps=0.001)",
    ),
    "a response norm by columns": (
        lambda x, g, b: x + g[:, None, None] * x * (n := _lengths(x, 2)) / (_mean(n, 1) + EPS)
        + b[:, None, None],
        2, (CHANNELS, 4, 3), "global_response_norm(eps=0.001)",
    ),
    "a response norm by largest values": (
        lambda x, g, b: x + b[:, None, None] + g[:, None, None] * x
        * (n := x.norm(p=float("inf"), dim=(2, 3), keepdim=True)) / (_mean(n, 1) + EPS),
        2, (CHANNELS, 4, 3), "global_response_norm(eps=0.001)",
    ),
    "the variance of a sample": (
        lambda x, g, b: (x - _mean(x)) * torch.rsqrt(x.var(-1, keepdim=True) + EPS) * g + b,
        2, (5, CHANNELS), "layer_norm(eps=0.001)",
    ),
    "eps outside of the root": (
        lambda x, g, b: g * (x - _mean(x)) / (x.var(-1, keepdim=True, correction=0).sqrt() + EPS) + b,
        2, (5, CHANNELS), "layer_norm(eps=0.001)",
    ),
    "a mean along another axis": (
        lambda x: (x - _mean(x, 1)) * torch.rsqrt(x.var(-1, keepdim=True, correction=0) + EPS),
        0, (CHANNELS, CHANNELS), "layer_norm(eps=0.001, affine=false)",
    ),
    "the mean added": (
        lambda x: (x + _mean(x)) * torch.rsqrt(x.var(-1, keepdim=True, correction=0) + EPS),
        0, (5, CHANNELS), "layer_norm(eps=0.001, affine=false)",
    ),
    "a scale of the tokens": (
        lambda x, g, b: (x - _mean(x)) * torch.rsqrt(x.var(-1, keepdim=True, correction=0) + EPS) * g[:, None]
        + b[:, None],
        2, (CHANNELS, CHANNELS), "layer_norm(eps=0.001)",
    ),
    "gelu with another factor": (lambda x: 0.25 * x * (1 + torch.erf(x / math.sqrt(2))), 0, (5, 4), "gelu"),
    "gelu of another width": (lambda x: 0.5 * x * (1 + torch.erf(x / 1.5)), 0, (5, 4), "gelu"),
    "gelu by a sigmoid": (lambda x: x * torch.sigmoid(1.702 * x), 0, (5, 4), "silu"),
    "gelu by tanh of another cube": (
        lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.05 * x**3))), 0, (5, 4), "gelu",
    ),
    "a hard swish to 5": (lambda x: x * (x + 3).clamp(0, 5) / 6, 0, (5, 4), "hard_swish"),
    "a hard swish from 2 on": (lambda x: x * F.relu6(x + 2) / 6, 0, (5, 4), "hard_swish"),
    "mish with another beta": (lambda x: x * torch.tanh(F.softplus(x, beta=2)), 0, (5, 4), "mish"),
}  # fmt: skip


@pytest.mark.parametrize("case", ALIKE)
def test_what_only_looks_alike_is_not(case: str) -> None:
    function, parts, shape, kind = ALIKE[case]
    module, network = traced(function, *shape, parts=parts)
    x = torch.randn(3, *shape) * 3
    assert not torch.allclose(module(x), same(kind, x, [*module.own.values()]), atol=1e-5)
    assert kind not in ops(network)
    assert network.params == parts * CHANNELS


def test_what_something_else_reads_is_computed() -> None:
    """The deviation is an output, too: there are two layers that know it, and both are there."""

    class Both(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            by = torch.rsqrt(x.var(-1, keepdim=True, correction=0) + EPS)
            gate = torch.sigmoid(x)
            return (x - _mean(x)) * by * (gate * x), gate.mean(-1)

    network = archlens.trace(Both(), (5, CHANNELS))
    kinds = [one.partition("(")[0] for one in ops(network)]
    assert "silu" not in kinds
    assert {"layer_norm", "sigmoid", "multiply"} <= {*kinds}


def test_a_norm_of_a_weight_that_is_computed_has_none_of_its_own() -> None:
    """As Gemma's, by one more than what is learned."""
    _, network = traced(
        lambda x, g: x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * (1 + g), 5, CHANNELS, parts=1
    )
    assert ops(network) == [
        "rms_norm(eps=0.001, affine=false)", "parameter((6,))", "reshape((6, 1))", "channels_last",
        "shift(1)", "multiply",
    ]  # fmt: skip
    assert (network["rms_norm"].params, network.params) == (0, CHANNELS)


def test_operators_that_become_one_are_told_in_the_account() -> None:
    _, network = traced(WRITTEN["gelu"][0], 5, 4)
    account = network.origin.account  # type: ignore[union-attr]
    assert {(one.operator, one.became) for one in account.ran} >= {
        ("aten.mul", "gelu"), ("aten.mul", "folded"), ("aten.erf", "folded"),
    }  # fmt: skip
