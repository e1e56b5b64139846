"""What code does with tensors themselves, traced: products, axes moved and gone through, functions of values.

Each module is said in ops alone, built again from these with its weights, and gives what it gave.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.lowering.lowering import NotSaid
from archlens.lowering.parts import map_padded
from archlens.shape import Shape
from archlens.writing import convert

SIZES = (8, 10)


def heads(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], x.shape[1], 4, 2).permute(0, 2, 1, 3)


def joined(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


MOVES: dict[str, tuple[Callable[[Tensor], Tensor], set[str]]] = {
    "scores that heads mix": (
        lambda x: joined((heads(x) @ heads(x).transpose(-2, -1)).softmax(-2) @ heads(x)),
        {"rearrange", "matmul", "softmax"},
    ),
    "channels by channels": (
        lambda x: joined((F.normalize(heads(x), dim=-2).mT @ heads(x)).softmax(-1) @ heads(x).mT),
        {"rearrange", "normalize", "attention"},
    ),
    "a batch of rows": (
        lambda x: torch.bmm(heads(x).flatten(0, 1), heads(x).flatten(0, 1).mT).view(-1, 4, 10, 10).flatten(1),
        {"rearrange", "matmul", "flatten"},
    ),
    "tokens behind tokens": (
        lambda x: torch.cat([x, x.mean(1, keepdim=True), x[:, :3]], 1),
        {"concat", "mean", "slice"},
    ),
    "zeros beside as many channels as tokens": (
        lambda x: torch.cat([x, x.new_zeros(x.shape[0], 10, 2)], -1).sin(), {"pad"}
    ),
    "zeros beside channels": (lambda x: torch.cat([x.new_zeros(x.shape[0], 10, 1), x], 2).sin(), {"pad"}),
    "axes gone through": (
        lambda x: x.sum(1) - x.amax(1) + x.mean(1) / 3,
        {"mean", "scale", "amax", "subtract", "add"},
    ),
    "channels gone through": (
        lambda x: heads(x).sum(1) * x.mean(-1, keepdim=True),
        {"rearrange", "mean", "scale", "multiply"},
    ),
    "two of them": (
        lambda x: torch.maximum(x, x.sin()) / torch.minimum(x.abs() + 1, x.exp()),
        {"maximum", "sin", "divide", "minimum", "abs", "shift", "exp"},
    ),
    "functions of values": (
        lambda x: 2 - (x.square() + 1).log().clamp(0.1, 3).rsqrt() * -x.cos().pow(3),
        {"pow", "shift", "log", "clamp", "scale", "cos", "multiply"},
    ),
}  # fmt: skip


class Moves(nn.Module):
    def __init__(self, does: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.before = nn.Conv1d(8, 8, 1)
        self.does = does

    def forward(self, x: Tensor) -> Tensor:
        return self.does(self.before(x).transpose(1, 2))


MAPS: dict[str, tuple[Callable[[Tensor], Tensor], set[str]]] = {
    "pixels": (lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 3), {"pixel_shuffle", "pixel_unshuffle"}),
    "patches": (lambda x: F.unfold(x, (3, 2), stride=(1, 2), padding=1), {"unfold"}),
    "patches laid": (lambda x: F.fold(F.unfold(x, 2), x.shape[2:], 2), {"unfold", "fold"}),
    "patches apart": (lambda x: F.unfold(x, 2, dilation=(1, 2), padding=(0, 1)), {"unfold"}),
    "cut off": (lambda x: F.pad(x, (-1, 1, 2, -3)), {"slice", "pad"}),
    "cut off alone": (lambda x: F.pad(x, (-1, 0)), {"slice"}),
    "rolled": (lambda x: torch.roll(x, (1, -2), (3, 2)), {"roll"}),
    "rolled along one axis": (lambda x: x.permute(0, 2, 3, 1).roll(-1, 1), {"channels_last", "roll"}),
    "stacked": (lambda x: torch.stack([x, x.sin()], 2).amax(2) * torch.stack([x, x], -1)[..., 0], {"concat"}),
    "stacked alone": (lambda x: torch.stack([x[:, :3]], 3).sum(3), {"slice", "reshape", "mean", "scale"}),
    "stacked before": (lambda x: torch.stack([x, x.relu()], 1).sum(1), {"concat", "mean", "scale"}),
    "as many as another has": (
        lambda x: x * x.mean((2, 3), keepdim=True).expand_as(x), {"global_avg_pool", "multiply"}
    ),
    "beside what is everywhere": (
        lambda x: torch.cat([x.amax((2, 3), True).repeat(1, 1, *x.shape[2:]), x], 1), {"upsample", "concat"}
    ),
    "several times": (lambda x: x.repeat(1, 3, 1, 2), {"concat"}),
    "the largest alone": (lambda x: x.max(1)[0] + x.max(2).values.sum(1, keepdim=True), {"amax"}),
    "the largest of many axes": (lambda x: x.view(-1, 2, 2, 2, 6, 9).amax(3).flatten(1), {"amax"}),
    "padded in channels": (lambda x: F.pad(x, (1, 0, 0, 0, 2, 3)), {"pad"}),
    "padded where they are last": (lambda x: F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 2, 0, 3)).sin(), {"pad"}),
    "tokens padded": (lambda x: F.pad(x.flatten(2).mT, (0, 0, 1, 0)), {"pad"}),
    "a mean over what is stacked": (lambda x: torch.stack([x, x.sin()]).mean(0), {"concat", "mean"}),
    "colours in another order": (lambda x: x[:, [2, 1, 0, *range(3, 8)]], {"slice", "concat"}),
    "positions of a list": (
        lambda x: x[:, :, [-1]] * x[..., torch.arange(0, 9, 3)].mean(-1, True), {"slice"}
    ),
    "positions of a tensor": (
        lambda x: x.index_select(3, torch.tensor([0, 2, 4, 7, 7], device=x.device)), {"slice", "concat"}
    ),
    "positions backwards": (lambda x: x[:, torch.arange(7, -1, -1)], {"flip"}),
    "channels by their squares": (lambda x: x * torch.rsqrt(x.pow(2).mean(1, True) + 1e-6), {"rms_norm"}),
}  # fmt: skip


def shifted(x: Tensor) -> Tensor:
    """As temporal shifts are written: parts of the channels, each moved another way."""
    out = torch.zeros_like(x)
    out[:, :2, :, 1:] = x[:, :2, :, :-1]
    out[:, 2:4, :, :-1] = x[:, 2:4, :, 1:]
    out[:, 4:7] = x[:, 4:7]
    return out


def halves(x: Tensor) -> Tensor:
    """Each half of what nobody has written before, and one of them again."""
    out = x.new_empty(x.shape)
    out[..., 3:] = x[..., 3:].sin()
    out[..., :3] = x[..., :3]
    left, right = out.split([3, 6], -1)
    left.mul_(2)
    return out + right.sum(-1, keepdim=True)


def one_channel(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, 3] = x.mean(1)
    y = x[:, 1:2]
    y.exp_()
    return x.cos()


def all_of_it(x: Tensor) -> Tensor:
    """It is the same tensor while nothing is dropped."""
    F.dropout(x, 0.5, False).relu_()
    return x.neg()


MAPS |= {
    "parts of zeros": (shifted, {"slice", "pad", "concat"}),
    "parts of what is empty": (halves, {"slice", "concat", "sin", "scale"}),
    "one channel written": (one_channel, {"slice", "concat", "mean"}),
    "written by another name": (all_of_it, {"relu", "scale"}),
}


class Maps(nn.Module):
    def __init__(self, does: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 8, 1)
        self.does = does

    def forward(self, x: Tensor) -> Tensor:
        return self.does(self.before(x))


class Learned(nn.Module):
    """Parameters of its own, each in a form that no op is made for."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Conv2d(3, 6, 1)
        self.factors = nn.Parameter(torch.rand(6))
        self.factor = nn.Parameter(torch.rand(1))
        self.map = nn.Parameter(torch.rand(1, 6, 1, 9))
        self.tokens = nn.Parameter(torch.rand(1, 9, 6))
        self.column = nn.Parameter(torch.rand(6, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x) * self.factors.reshape(1, -1, 1, 1)
        x = self.factor * x.relu() ** 2 - self.map
        x = self.map / (x.abs() + 1)
        x = torch.maximum(x, self.factor).mean(2).transpose(1, 2)
        x = x / self.tokens + self.column.view(6)
        return x.minimum(self.factor)


class Positions(nn.Module):
    """A batch norm of positions, a layer norm without a shift, and a learned table beside the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.rand(1, 10, 8))
        self.inner = nn.Linear(8, 8)
        self.layer_norm = nn.LayerNorm(8, bias=False)
        self.batch_norm = nn.BatchNorm1d(8)
        self.batch_norm.running_mean.uniform_()
        self.batch_norm.running_var.uniform_(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.movedim(1, -1)
        rows = self.inner(rows.flatten(0, 1)) + self.table
        rows = self.layer_norm(rows)
        return self.batch_norm(rows.flatten(0, 1)).reshape_as(rows).view(-1, 5, 10, 8)


class Prompted(nn.Module):
    """Learned tokens before and behind those of a map, in all the ways in which they are written."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, 2)
        self.cls, self.vector = nn.Parameter(torch.rand(1, 1, 8)), nn.Parameter(torch.rand(8))
        self.registers, self.prompt = nn.Parameter(torch.rand(1, 4, 8)), nn.Parameter(torch.rand(2, 8))
        self.gate = nn.Parameter(torch.rand(()))

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).mT * self.gate
        many = len(x), -1, -1
        vector = self.vector.to(x.dtype) + torch.zeros(len(x), 1, 8, dtype=x.dtype, device=x.device)
        x = torch.cat([self.cls.expand(*many), self.registers.repeat(len(x), 1, 1), vector, x], 1)
        return torch.cat([x, self.prompt[None].expand(*many)], 1).sin()


class Functions(nn.Module):
    """Parameters that something is done to before they meet what flows: a scale, a temperature, a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.Linear(8, 8)
        self.scale, self.rate = nn.Parameter(torch.rand(8)), nn.Parameter(torch.rand(8))
        self.heat, self.shift = nn.Parameter(torch.rand(())), nn.Parameter(torch.rand(1, 8, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * (1 + self.scale)
        x = x * self.heat.exp().clamp(max=100) + x.sin() * torch.sigmoid(self.heat * 2)
        return x.mT * -self.rate.exp().view(1, 8, 1) - F.softplus(self.shift) / 3


class Pooled(nn.Module):
    """Learned queries that go through layers before any input does."""

    def __init__(self, repeats: bool) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.rand(1, 3, 8))
        self.norm, self.q, self.kv, self.out = (
            nn.LayerNorm(8),
            nn.Linear(8, 8),
            nn.Linear(8, 16),
            nn.Linear(8, 8),
        )
        self.repeats = repeats

    def forward(self, x: Tensor) -> Tensor:
        queries = self.queries.repeat(len(x), 1, 1) if self.repeats else self.queries.expand(len(x), -1, -1)
        k, v = (heads(one) for one in self.kv(x).chunk(2, -1))
        scores = heads(self.q(self.norm(queries))) @ k.mT * 2**-0.5
        return self.out(joined(scores.softmax(-1) @ v)) + queries


class Unbiased(nn.GroupNorm):
    def forward(self, x: Tensor) -> Tensor:
        return F.group_norm(x, self.num_groups, self.weight, None, self.eps)


class StandardConv(nn.Conv2d):
    """As the networks of "Big Transfer" have it."""

    def forward(self, x: Tensor) -> Tensor:
        rows = self.weight.reshape(1, self.out_channels, -1)
        scale = (self.gain * 0.3).view(-1) if hasattr(self, "gain") else None
        weight = F.batch_norm(rows, None, None, scale, training=True, momentum=0.0, eps=1e-4)
        return self._conv_forward(x, weight.reshape_as(self.weight), self.bias)


def check(module: nn.Module, sizes: tuple[int, ...], kinds: set[str]) -> None:
    """It is said in ops, these among them, that do what the module does; also written and read again."""
    torch.manual_seed(0)
    module = module.eval().requires_grad_(False)  # the counter asks what is repeated for its gradient
    network = archlens.trace(module, sizes)
    x = torch.rand(2, *sizes)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        expected = module(x)
    found = {layer.op.kind for layer in network}
    assert kinds <= found
    assert "opaque" not in found
    assert network.macs == counter.get_total_flops() // 2 // len(x)
    for one in (network, archlens.loads(convert(network))):
        built = archlens.build(one).eval()
        built.load_state_dict(module.state_dict(), strict=True)
        with torch.no_grad():
            torch.testing.assert_close(built(x), expected)


@pytest.mark.parametrize("name", MOVES)
def test_it_is_said_in_ops(name: str) -> None:
    does, kinds = MOVES[name]
    check(Moves(does), SIZES, kinds)


@pytest.mark.parametrize("name", MAPS)
def test_maps_are_said_in_ops(name: str) -> None:
    does, kinds = MAPS[name]
    check(Maps(does), (3, 6, 9), kinds)


def test_parameters_of_any_form() -> None:
    check(Learned(), (3, 9, 9), {"parameter", "multiply", "subtract", "divide", "maximum", "minimum"})


def test_norms_of_positions() -> None:
    check(Positions(), (8, 5, 10), {"layer_norm", "batch_norm", "parameter"})


def test_a_standardized_convolution() -> None:
    module = nn.Sequential(StandardConv(3, 4, 3, padding=1), StandardConv(4, 6, 3, stride=2, groups=2))
    check(module, (3, 9, 9), {"ws_conv"})
    module[1].gain = nn.Parameter(torch.rand(6, 1, 1, 1))  # as networks without a norm have it
    check(module, (3, 9, 9), {"ws_conv"})


def test_learned_tokens() -> None:
    check(Prompted(), (3, 6, 4), {"parameter", "rearrange", "concat", "multiply"})


def test_functions_of_parameters() -> None:
    check(
        Functions(),
        (10, 8),
        {"parameter", "shift", "exp", "clamp", "sigmoid", "scale", "softplus", "rms_norm"},
    )


@pytest.mark.parametrize("repeats", [False, True])
def test_queries_that_go_through_layers_before_any_input(repeats: bool) -> None:
    check(Pooled(repeats), SIZES[::-1], {"parameter", "layer_norm", "linear", "attention"})


def test_a_group_norm_without_a_shift() -> None:
    module = Unbiased(2, 6)
    nn.init.uniform_(module.weight)
    del module.bias
    check(module, (6, 3, 4), {"group_norm", "layer_scale"})


@pytest.mark.parametrize(
    "does",
    [
        lambda x, y: y[:, ::2].add_(1),  # every second channel
        lambda x, y: y[:, :3].copy_(x[:, :3]) + y[:, 2:5].copy_(x[:, 3:6]),  # one over a part of the other
    ],
)
def test_what_is_written_in_another_way_is_opaque(does: Callable[[Tensor, Tensor], Tensor]) -> None:
    def write(x: Tensor) -> Tensor:
        y = x.sin()
        does(x, y)
        return y.cos()

    network = archlens.trace(Maps(write).eval(), (3, 6, 9))
    assert [str(layer.op) for layer in network if layer.op.kind == "opaque"][-1] == "write"
    assert network.output == (8, 6, 9)


@pytest.mark.parametrize(
    "does",
    [
        lambda x: x[:, torch.randperm(x.shape[1])],  # others in each run
        lambda x: x[:, torch.rand(8).argsort()],
        lambda x: x[:, [0, 1], [2, 3]],
        lambda x: x[:, x.mean((0, 2, 3)).argsort()],
        lambda x: x[:, [3] * 40],  # more parts than anybody writes
    ],
)
def test_positions_that_no_constant_says_are_opaque(does: Callable[[Tensor], Tensor]) -> None:
    network = archlens.trace(Maps(does).eval(), (3, 6, 9))
    assert "index" in [str(layer.op) for layer in network if layer.op.kind == "opaque"]
    assert not network.unknown


def test_heads_are_of_one_size() -> None:
    """A pattern keeps the sizes that it splits: on another length it is not guessed which of them grows."""
    network = archlens.trace(
        Moves(lambda x: x.reshape(x.shape[0], 2, 5, 8).permute(0, 2, 1, 3).sum(1)), SIZES
    )
    (pattern,) = [str(layer.op) for layer in network if layer.op.kind == "rearrange"]
    assert pattern == 'rearrange("(l1=2 l2=5) c -> l2 l1 c")'


def test_factors_of_an_axis_as_long_as_the_channels() -> None:
    """The layer that is scaled may have its channels last, and the factors are of the axis before."""

    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.factor = nn.Parameter(torch.rand(6))
            self.conv = nn.Conv2d(6, 2, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.factor.view(1, 6, 1, 1) * x.transpose(1, 2).reshape(-1, 6, 1, 6))

    check(Turned(), (6, 6), {"conv", "multiply"})


class Scaled(nn.Module):
    """A map times a vector that is learned, seen as one factor for each place of some axis."""

    def __init__(self, count: int, *sizes: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.rand(count))
        self.sizes = sizes

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma.reshape(self.sizes)


@pytest.mark.parametrize(
    ("shape", "module", "expected"),
    [
        ("3x4x5", Scaled(3, 1, -1, 1, 1), "layer_scale(vector=true)"),
        ("3x4x5", Scaled(3, 3, 1, 1), "layer_scale(vector=true)"),
        ("3x9", Scaled(3, 1, 3, 1), "layer_scale(vector=true)"),
        # along the width, and along the height, which is as long as there are channels
        ("3x4x5", Scaled(5, 1, 1, 1, 5), "multiply"),
        ("4x4x5", Scaled(4, 1, 1, 4, 1), "multiply"),
    ],
)
def test_factors_of_channels_that_are_a_vector(shape: str, module: Scaled, expected: str) -> None:
    network = archlens.trace(module.eval(), shape)
    assert network.state() == {"gamma": (len(module.gamma),)}
    assert str(network[network.main].op) == expected
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict())
    x = torch.rand(2, *map(int, shape.split("x")))
    assert torch.equal(built(x), module(x))


def test_tokens_that_are_viewed_with_more_axes_than_a_map_has() -> None:
    """They are read as they are by what has no op, and no op moves them so."""

    class Viewed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.first(x).transpose(1, 2).reshape(-1, 8, 2, 3, 2, 3).cumsum(2)  # type: ignore[no-any-return]

    network = archlens.trace(Viewed(), (36, 4))
    assert network.output == (8, 2, 3, 2, 3)
    assert [layer.op.kind for layer in network][-1] == "opaque"


class Places(nn.Module):
    """The positions of PyTorch's tutorials: a table in a buffer, of which the first rows are added."""

    table: Tensor

    def __init__(self, *, saved: bool = True) -> None:
        super().__init__()
        place = torch.arange(20)[:, None] * torch.exp(torch.arange(0, 8, 2) * (-math.log(1e4) / 8))
        table = torch.zeros(1, 20, 8)
        table[0, :, 0::2], table[0, :, 1::2] = place.sin(), place.cos()
        self.register_buffer("table", table, persistent=saved)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.table[:, : x.shape[1]]


class Masked(nn.Module):
    """Causal attention by a mask in a buffer, as minGPT has it, and a fixed factor of each feature."""

    bias: Tensor
    factor: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.register_buffer("bias", torch.tril(torch.ones(20, 20)).view(1, 1, 20, 20))
        self.register_buffer("factor", torch.rand(8))

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[1]
        q, k, v = (one.view(-1, n, 2, 4).transpose(1, 2) for one in self.qkv(x).split(8, 2))
        scores = (q @ k.transpose(-2, -1)) * 0.5
        scores = scores.masked_fill(self.bias[:, :, :n, :n] == 0, float("-inf"))
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, n, 8)
        return self.out(y * (1 - self.factor)) + self.factor[0:1] * x


@pytest.mark.parametrize("kind", [Places, Masked])
def test_buffers_of_the_state_dict_are_ops(kind: type[nn.Module]) -> None:
    """They keep their keys, whether something reads them or an op says them, and are no parameters."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(8, 8), kind()).eval()
    network = archlens.trace(module, (5, 8))
    assert not [layer for layer in network if layer.op.kind == "opaque"]
    assert network.params == sum(one.numel() for one in module.parameters())
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    x = torch.rand(2, 5, 8)
    for one in (network, archlens.loads(archlens.convert(network))):
        built = archlens.build(one).eval()
        built.load_state_dict(module.state_dict(), strict=True)
        with torch.no_grad():
            torch.testing.assert_close(built(x), module(x))


def test_a_table_that_no_state_dict_has_is_not_an_op() -> None:
    module = Places(saved=False)
    module.table *= 1.01  # which are no sines of positions
    (layer,) = archlens.trace(module, (5, 8))
    assert layer.op.kind == "opaque"
    assert "it reads a constant that is in no state dict" in layer.op.reason  # type: ignore[attr-defined]


@pytest.mark.parametrize("sizes", [(), (2, 3)])
def test_a_buffer_that_nothing_reads_stands_where_its_module_has_it(sizes: tuple[int, ...]) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 4)
            self.register_buffer("count", torch.zeros(sizes))

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(x)  # type: ignore[no-any-return]

    module, x = nn.Sequential(Counting(), nn.ReLU()), torch.rand(2, 4)
    network = archlens.trace(module, (4,))
    assert [layer.name for layer in network] == ["0.fc", "0.count", "1"]
    built = archlens.build(archlens.loads(archlens.convert(network)))
    built.load_state_dict(module.state_dict(), strict=True)
    torch.testing.assert_close(built(x), module(x), rtol=0, atol=0)


def test_a_buffer_of_the_whole_network_has_its_name_alone() -> None:
    class Scaled(nn.Module):
        factor: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("factor", torch.rand(4))

        def forward(self, x: Tensor) -> Tensor:
            return x * self.factor

    module, x = Scaled(), torch.rand(2, 4)
    built = archlens.build(archlens.trace(module, (4,)))
    built.load_state_dict(module.state_dict(), strict=True)
    torch.testing.assert_close(built(x), module(x), rtol=0, atol=0)
    assert not list(built.parameters())


class AddedToken(nn.Module):
    """A token that is learned stands once for each sample before anything is added to it, as in CaiT."""

    def __init__(self) -> None:
        super().__init__()
        self.cls, self.layer = nn.Parameter(torch.rand(1, 1, 8)), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.cls.expand(len(x), -1, -1) + self.layer(x)[:, :1]


class ClassLayer(nn.Module):
    """The token alone attends: it stands before the others, and what comes of it is added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(8), nn.Linear(8, 8)

    def forward(self, x: Tensor, token: Tensor) -> Tensor:
        both = self.norm(torch.cat((token, x), 1))
        return token + self.mix(both.mean(1, keepdim=True))


class OfTokens(nn.Module):
    """As CaiT does it: its blocks read a token that the whole network has."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.rand(1, 1, 8))
        self.blocks, self.fc = nn.ModuleList([ClassLayer(), ClassLayer()]), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        token = self.token.expand(len(x), -1, -1)
        for block in self.blocks:
            token = block(x, token)
        return self.fc(torch.cat((token, x), 1)[:, 0])  # type: ignore[no-any-return]


def test_a_token_that_several_read_stands_once_in_the_module_that_has_it() -> None:
    torch.manual_seed(0)
    module = OfTokens().eval()
    network = archlens.trace(module, (5, 8))
    assert [layer.name for layer in network if layer.facts.weights][:2] == ["token", "blocks.0.norm"]
    assert not any(layer.op.kind in ("class_token", "opaque") for layer in network)
    built = archlens.build(archlens.loads(archlens.convert(network))).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 5, 8)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


def test_a_token_of_each_sample_is_a_branch() -> None:
    module = AddedToken().eval()
    network = archlens.trace(module, (5, 8))
    assert [layer.op.kind for layer in network] == ["linear", "slice", "parameter", "add"]
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 5, 8)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


class EvoNorm(nn.Module):
    """EvoNorm S0: by the deviation of groups of channels, which is repeated for each, Liu et al. 2020."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.v, self.weight, self.bias = (nn.Parameter(torch.rand(8)) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        v, weight, bias = (one.view(1, -1, 1, 1) for one in (self.v, self.weight, self.bias))
        groups = x.reshape(len(x), 2, 4, *x.shape[2:])
        variance = groups.float().var(dim=(2, 3, 4), unbiased=False, keepdim=True)
        deviation = (variance + 1e-5).sqrt().expand(groups.shape).reshape(x.shape)
        return x * (x * v).sigmoid() / deviation * weight + bias  # type: ignore[no-any-return]


#: What is found along axes, by its definition, and the ops of that.
FOUND: dict[str, tuple[Callable[[Tensor], Tensor], set[str]]] = {
    "variance": (lambda x: x.var(1, keepdim=True), {"subtract", "pow", "mean", "scale"}),
    "of all": (lambda x: x.var((2, 3), unbiased=False), {"subtract", "pow", "mean"}),
    "deviation": (lambda x: torch.cat((x.mean((2, 3)), x.std((2, 3))), 1), {"sqrt", "concat"}),
    "correction": (lambda x: torch.std(x, dim=3, correction=2), {"sqrt", "scale"}),
    "length": (lambda x: x / x.norm(dim=1, keepdim=True), {"pow", "mean", "sqrt", "divide"}),
    "least": (lambda x: x.amin((2, 3)), {"amax", "scale"}),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_is_found_along_axes_is_said_by_its_definition(name: str) -> None:
    does, kinds = FOUND[name]
    check(Maps(does), (3, 6, 9), kinds)


def test_the_deviation_of_groups() -> None:
    check(EvoNorm(), (3, 7, 9), {"upsample", "mean", "subtract", "sqrt"})


@pytest.mark.parametrize(
    "does", [lambda x: x.norm(1, dim=1), lambda x: x.norm(3, dim=(2, 3)), lambda x: x.logsumexp(1)]
)
def test_other_norms_have_no_op(does: Callable[[Tensor], Tensor]) -> None:
    network = archlens.trace(Maps(does).eval(), (3, 6, 9))
    assert [layer.op.kind for layer in network].count("opaque") == 1


def test_a_tensor_without_the_batch_is_no_map_to_pad() -> None:
    """As where code pastes the mask of one box into an image of zeros: no op says that, and nothing fails."""
    draft: Any = SimpleNamespace(shape=Shape((3, 4, 5)))
    with pytest.raises(NotSaid):
        map_padded(None, draft, [(0, 0), (1, 1), (2, 2)], "constant", None)  # type: ignore[arg-type]
