"""Attention as people write it in torch, traced: each spelling becomes the one op, exactly."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.backends.checks import FAILED
from archlens.backends.reference import Reference
from archlens.backends.verification import verify
from archlens.ops import EVERYWHERE, OPS

HEADS, WIDTH, LENGTH = 3, 8, 7
CHANNELS = HEADS * WIDTH
SCALE = WIDTH**-0.5


class Attend(nn.Module):
    """Projections of its own for queries, keys and values, and one for what comes out."""

    kv_heads = HEADS

    def __init__(self) -> None:
        super().__init__()
        self.q = nn.Linear(CHANNELS, CHANNELS)
        self.k = nn.Linear(CHANNELS, self.kv_heads * WIDTH)
        self.v = nn.Linear(CHANNELS, self.kv_heads * WIDTH)
        self.proj = nn.Linear(CHANNELS, CHANNELS)
        self.dropout = nn.Dropout(0.1)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        projected = self.q(x), self.k(x), self.v(x)
        q, k, v = (y.view(*y.shape[:2], -1, WIDTH).transpose(1, 2) for y in projected)
        return q, k, v

    def out(self, x: Tensor) -> Tensor:
        return self.proj(x.transpose(1, 2).reshape(x.shape[0], -1, CHANNELS))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.attend(*self.heads(x)))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v)


class Fused(Attend):
    """One projection for all three, taken apart by ``permute`` and ``unbind``."""

    def __init__(self) -> None:
        super().__init__()
        del self.q, self.k, self.v
        self.qkv = nn.Linear(CHANNELS, 3 * CHANNELS, bias=False)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        qkv = self.qkv(x).reshape(*x.shape[:2], 3, HEADS, WIDTH)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v


class Chunks(Fused):
    """The same by ``chunk``, each part turned by itself."""

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = self.qkv(x).chunk(3, dim=-1)
        q, k, v = (part.unflatten(-1, (HEADS, -1)).transpose(1, 2) for part in parts)
        return q, k, v


class Products(Attend):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = (q * SCALE) @ k.transpose(-2, -1)
        return self.dropout(scores.softmax(-1)) @ v


class Divided(Attend):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = F.softmax(torch.matmul(q, k.mT) / WIDTH**0.5, dim=-1)
        return torch.matmul(weights, v)


class BothScaled(Attend):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ((q * WIDTH**-0.25) @ (k * WIDTH**-0.25).mT).softmax(-1) @ v


class Batched(Attend):
    """All heads in the axis of the batch."""

    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        return torch.bmm(q, k.transpose(1, 2)) * SCALE

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rows = [x.reshape(-1, *x.shape[2:]) for x in (q, k, v)]
        return torch.bmm(self.scores(*rows[:2]).softmax(-1), rows[2]).view(*q.shape[:3], -1)


class Added(Batched):
    def scores(self, q: Tensor, k: Tensor) -> Tensor:
        unused = torch.empty(q.shape[0], q.shape[1], k.shape[1], device=q.device)
        return torch.baddbmm(unused, q, k.transpose(1, 2), beta=0, alpha=SCALE)


class Einsum(Attend):
    """Heads stand behind the tokens, and what is summed up is named."""

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        q, k, v = (y.view(*y.shape[:2], HEADS, WIDTH) for y in (self.q(x), self.k(x), self.v(x)))
        return q, k, v

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = (torch.einsum("bihd,bjhd->bhij", q, k) * SCALE).softmax(-1)
        return torch.einsum("bhij,bjhd->bhid", weights, v)


class Turned(Attend):
    """Keys in rows and queries in columns."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = (k @ q.mT * SCALE).softmax(-2)
        return (v.mT @ weights).mT


class Shared(Attend):
    """Heads that read the same keys and values: torch repeats them by itself."""

    kv_heads = 1

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, enable_gqa=True)


class Interleaved(Shared):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k, v = k.repeat_interleave(HEADS, 1), v.repeat_interleave(HEADS, 1)
        return (q @ k.mT * SCALE).softmax(-1) @ v


class Expanded(Shared):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k, v = (x[:, :, None].expand(-1, -1, HEADS, -1, -1).flatten(1, 2) for x in (k, v))
        return F.scaled_dot_product_attention(q, k, v)


class Causal(Attend):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)


class Buffer(Attend):
    """A mask that is longer than any sequence, and of which the beginning is read."""

    mask: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones(32, 32).tril().view(1, 1, 32, 32), persistent=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen = self.mask[:, :, : q.shape[2], : k.shape[2]]
        return (q @ k.mT * SCALE).masked_fill(seen == 0, -torch.inf).softmax(-1) @ v


class Triangle(Attend):
    """What is masked is added, and made where it runs."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        masked = torch.full((q.shape[2], q.shape[2]), -torch.inf).triu(1)
        return (q @ k.mT * SCALE + masked).softmax(-1) @ v


class Chosen(Attend):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=q.device).tril()
        scores = q @ k.mT * SCALE
        return torch.where(seen, scores, torch.finfo(scores.dtype).min).softmax(-1) @ v


class Given(Attend):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril()
        return F.scaled_dot_product_attention(q, k, v, attn_mask=seen)


class Unscaled(Attend):
    """As T5 has it."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT).softmax(-1) @ v


SPELLINGS = {
    Attend: "attention(3)",
    Fused: "attention(3)",
    Chunks: "attention(3)",
    Products: "attention(3)",
    Divided: "attention(3)",
    BothScaled: "attention(3)",
    Batched: "attention(3)",
    Added: "attention(3)",
    Einsum: "attention(3)",
    Turned: "attention(3)",
    Unscaled: "attention(3)",
    Shared: "attention(3, kv_heads=1)",
    Interleaved: "attention(3, kv_heads=1)",
    Expanded: "attention(3, kv_heads=1)",
    Causal: "attention(3, causal=true)",
    Buffer: "attention(3, causal=true)",
    Triangle: "attention(3, causal=true)",
    Chosen: "attention(3, causal=true)",
    Given: "attention(3, causal=true)",
}


def counted(module: nn.Module, *shapes: tuple[int, ...]) -> int:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        module(*(torch.rand(1, *shape) for shape in shapes))
    return counter.get_total_flops() // 2


@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda one: one.__name__)
def test_each_spelling(spelling: type[Attend]) -> None:
    """One layer between the projections, that computes what the module computes, and costs as much."""
    torch.default_generator.manual_seed(0)
    module = spelling().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS))
    between = [str(one.op) for one in network if one.op.kind not in ("linear", "slice", "scale")]
    assert between == [SPELLINGS[spelling]]
    assert [str(one.op) for one in network if one.op.kind == "scale"] == (
        ["scale(2.82842712475)"] if spelling is Unscaled else []
    )
    assert network.params == sum(one.numel() for one in module.parameters())
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, LENGTH, CHANNELS)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))
    assert network.macs == counted(module, (LENGTH, CHANNELS))


class Cross(Attend):
    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        return self.out(self.attend(self.heads(x)[0], *self.heads(memory)[1:]))


def test_a_memory_of_another_length() -> None:
    module = Cross().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS), (5, CHANNELS))
    (core,) = [layer for layer in network if layer.op.kind == "attention"]
    assert core.input_shapes == ((LENGTH, CHANNELS), (5, CHANNELS), (5, CHANNELS))
    fields = archlens.study(network).fields
    assert fields["input_1"]["proj"] is EVERYWHERE
    assert [field.size for field in fields["input"]["proj"]] == [1]


class OfMaps(nn.Module):
    """Convolutions project, and channels stand before tokens throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(CHANNELS, 3 * CHANNELS, 1)
        self.proj = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        samples, _, height, width = x.shape
        q, k, v = self.qkv(x).view(samples, 3, HEADS, WIDTH, height * width).unbind(1)
        weights = (q.mT @ k * SCALE).softmax(-1)
        return self.proj((v @ weights.mT).reshape(x.shape))  # type: ignore[no-any-return]


def test_attention_of_maps() -> None:
    torch.default_generator.manual_seed(0)
    module = OfMaps().eval()
    network = archlens.trace(module, (CHANNELS, 4, 5))
    assert str(network["attention"].op) == "attention(3)"
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, CHANNELS, 4, 5)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


class Rows(Attend):
    """Windows beside the samples, each of which attends by itself."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.view(-1, LENGTH, CHANNELS)).view(x.shape)


def test_windows_attend_by_themselves() -> None:
    network = archlens.trace(Rows().eval(), (4, LENGTH, CHANNELS))
    (core,) = [layer for layer in network if layer.op.kind == "attention"]
    assert core.shape == (4, LENGTH, CHANNELS)
    assert core.macs == 2 * 4 * LENGTH**2 * CHANNELS
    assert network.macs == counted(Rows(), (4, LENGTH, CHANNELS))


class Bare(nn.Module):
    """What is given attends to itself, in rows: the first axis of what is given are no channels of heads."""

    def forward(self, x: Tensor) -> Tensor:
        rows = x.view(-1, LENGTH, CHANNELS)
        return F.scaled_dot_product_attention(rows, rows, rows).view(x.shape)


def test_rows_are_no_heads() -> None:
    network = archlens.trace(Bare().eval(), (4, LENGTH, CHANNELS))
    (core,) = [layer for layer in network if layer.op.kind == "attention"]
    assert (str(core.op), core.shape) == ("attention(1)", (4, LENGTH, CHANNELS))


class Biased(Products):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(HEADS, LENGTH, LENGTH))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT * SCALE + self.table).softmax(-1) @ v


class GivenBias(Biased):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.table)


class FlowingBias(Attend):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Linear(CHANNELS, HEADS * LENGTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.heads(x)
        bias = self.table(x).view(-1, LENGTH, HEADS, LENGTH).transpose(1, 2)
        return self.out((q @ k.mT * SCALE + bias).softmax(-1) @ v)


class OfDistances(Biased):
    """A row of a table for each distance in a map of 1x7, as LeViT has it; heads come first."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.rand(HEADS, LENGTH))
        at = torch.arange(LENGTH)
        self.register_buffer("index", (at[:, None] - at).abs(), persistent=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ((q @ k.mT) * SCALE + self.table[:, self.index]).softmax(-1) @ v


class OfOffsets(OfDistances):
    """A row for each way from a position to another, as Swin has it."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.rand(2 * LENGTH - 1, HEADS))
        at = torch.arange(LENGTH)
        self.register_buffer("index", at[:, None] - at + LENGTH - 1, persistent=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        bias = self.table[self.index.view(-1)].view(LENGTH, LENGTH, -1).permute(2, 0, 1).contiguous()
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.unsqueeze(0))


class KeptIndex(OfDistances):
    """The state dict has the index, as EfficientFormer's has."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("index", self.index, persistent=True)


class WithClassToken(OfDistances):
    """The first token is no position, and has three rows of its own, as BEiT has it; of a map of 2x3."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.rand(3 * 5 + 3, HEADS))
        index = torch.zeros(LENGTH, LENGTH, dtype=torch.long)
        index[0, 0:], index[0:, 0], index[0, 0] = 15, 16, 17
        for query in range(6):
            for key in range(6):
                down, right = query // 3 - key // 3, query % 3 - key % 3
                index[1 + query, 1 + key] = (down + 1) * 5 + right + 2
        self.register_buffer("index", index, persistent=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        bias = self.rows()[self.index.view(-1)].view(LENGTH, LENGTH, -1).permute(2, 0, 1)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.unsqueeze(0))

    def rows(self) -> Tensor:
        return self.table


class Interpolated(WithClassToken):
    """The rows of offsets go through an interpolation to the size that they have, as in transformers."""

    def rows(self) -> Tensor:
        offsets = self.table[:-3].reshape(1, 3, 5, HEADS).permute(0, 3, 1, 2)
        offsets = F.interpolate(offsets, size=(3, 5), mode="bilinear")
        return torch.cat([offsets.permute(0, 2, 3, 1).reshape(15, HEADS), self.table[-3:]])


class Measured(WithClassToken):
    """A small network tells the bias by how far positions lie apart; the first token has none, as in timm."""

    def __init__(self) -> None:
        super().__init__()
        del self.table
        self.mlp = nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, HEADS))
        down, right = torch.meshgrid(torch.arange(-1.0, 2.0), torch.arange(-2.0, 3.0), indexing="ij")
        apart = torch.stack((down, right), -1)
        self.register_buffer("apart", apart.sign() * apart.abs().log1p(), persistent=False)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        rows = self.mlp(self.apart).view(-1, HEADS)[self.index[1:, 1:].reshape(-1)]
        bias = F.pad(rows.view(LENGTH - 1, LENGTH - 1, -1).permute(2, 0, 1), [1, 0, 1, 0])
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias.unsqueeze(0))


class HeadsAsRows(OfDistances):
    """Queries, keys and values stand side by side in each head, so that each head is a row by itself."""

    def __init__(self) -> None:
        super().__init__()
        del self.q, self.k, self.v
        self.qkv = nn.Linear(CHANNELS, 3 * CHANNELS)

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        whole = self.qkv(x).view(x.shape[0], LENGTH, HEADS, -1)
        q, k, v = (one.transpose(1, 2) for one in whole.split(WIDTH, -1))
        return q, k, v


class KeptIndexOfRows(HeadsAsRows):
    """The same where each head is a row by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("index", self.index, persistent=True)


class OfRanges(Biased):
    """A row for each range of distances, as T5 has it."""

    causal, distance = False, 5

    def __init__(self) -> None:
        super().__init__()
        del self.table
        self.table = nn.Embedding(8, HEADS)

    def buckets(self) -> Tensor:
        """As Raffel et al. give them in their code, for each query and key."""
        ahead = torch.arange(LENGTH)[None] - torch.arange(LENGTH)[:, None]
        if self.causal:
            side, count, away = torch.zeros_like(ahead), 8, -torch.min(ahead, torch.zeros_like(ahead))
        else:
            side, count, away = (ahead > 0).long() * 4, 4, ahead.abs()
        near = count // 2
        far = torch.log(away.float() / near) / math.log(self.distance / near) * (count - near)
        far = torch.min(near + far.long(), torch.full_like(away, count - 1))
        return side + torch.where(away < near, away, far)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        bias = self.table(self.buckets()).permute(2, 0, 1)[None]
        return ((q @ k.mT) * SCALE + bias).softmax(-1) @ v


class OfRangesBefore(OfRanges):
    """As T5's decoder has it: the mask is written into the bias."""

    causal, distance = True, 7

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        bias = self.table(self.buckets()).permute(2, 0, 1)[None]
        seen = torch.arange(LENGTH) <= torch.arange(LENGTH)[:, None]
        bias = torch.where(seen, bias, torch.finfo(bias.dtype).min)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=bias)


class WithMask(OfRangesBefore):
    """The mask is added to the bias."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        bias = self.table(self.buckets()).permute(2, 0, 1)[None]
        return (q @ k.mT * SCALE + (torch.full((LENGTH, LENGTH), -1e9).triu(1) + bias)).softmax(-1) @ v


#: What is added to the scores, with the layers that make it.
ADDED = {
    Biased: ["parameter((3, 7, 7))"],
    GivenBias: ["parameter((3, 7, 7))"],
    FlowingBias: ["linear(21)", 'rearrange("l (c1=3 c2=7) -> c1 l c2")'],
    OfDistances: [
        "parameter((3, 7))",
        'rearrange("h l -> l h")',
        'relative_positions((7,), by="distance")',
        'rearrange("q k h -> h q k")',
    ],
    HeadsAsRows: [
        "parameter((3, 7))",
        'rearrange("h l -> l h")',
        'relative_positions((7,), by="distance")',
        'rearrange("q k h -> h 1 q k")',
    ],
    OfOffsets: ["parameter((13, 3))", "relative_positions((7,))", 'rearrange("q k h -> h q k")'],
    OfRanges: [
        "parameter((8, 3))",
        "relative_buckets(7, distance=5)",
        'rearrange("q k h -> h q k")',
    ],
    OfRangesBefore: [
        "parameter((8, 3))",
        "relative_buckets(7, distance=7, causal=true)",
        'rearrange("q k h -> h q k")',
    ],
}


class OfTwo(OfDistances):
    """More is added than one tensor."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT + self.table[:, self.index] + self.table[:, self.index.T]).softmax(-1) @ v


class ChannelsFirst(OfDistances):
    """Values stand with their channels first, so that the weights are turned round for the last product."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = ((q @ k.mT) * SCALE + self.table[:, self.index]).softmax(-1)
        return (v.mT @ weights.mT).mT


class Scaled(OfDistances):
    """Twice the rows are added."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT * SCALE + 2 * self.table[:, self.index]).softmax(-1) @ v


ADDED[KeptIndex] = [one.replace('"distance"', '"distance", kept=true') for one in ADDED[OfDistances]]
ADDED[KeptIndexOfRows] = [*ADDED[KeptIndex], 'rearrange("h q k -> h 1 q k")']
ADDED[WithClassToken] = [
    "parameter((18, 3))",
    "relative_positions((2, 3), class_token=true)",
    ADDED[OfOffsets][-1],
]
ADDED[Measured] = [
    "relative_coordinates((2, 3), plain=true, once=true)",
    "linear(5)",
    "relu",
    "linear(3)",
    "relative_positions((2, 3))",
    'rearrange("q k h -> h q k", channels="first")',
    "pad(padding=((1, 0), (1, 0)))",
    'rearrange("h q k -> h q k")',
]
ADDED[Interpolated] = ADDED[WithClassToken]
ADDED[WithMask] = ADDED[OfRangesBefore]
ADDED[OfTwo] = [*ADDED[OfDistances], "add"]
ADDED[ChannelsFirst] = ADDED[OfDistances]
ADDED[Scaled] = [*ADDED[OfDistances], "scale(2.0)"]


@pytest.mark.parametrize("kind", ADDED)
def test_what_is_added_to_scores_is_a_bias(kind: type[Attend]) -> None:
    """With the weights that it is made of; what is built again computes the same."""
    torch.manual_seed(0)
    module = kind().eval()
    for one in module.parameters():
        nn.init.normal_(one)
    network = archlens.trace(module, (LENGTH, CHANNELS))
    (core,) = [layer for layer in network if layer.op.kind == "attention"]
    said = "attention(3, causal=true)" if issubclass(kind, OfRangesBefore) else "attention(3)"
    assert str(core.op) == ("attention(1)" if issubclass(kind, HeadsAsRows) else said)
    assert len(core.inputs) == 4
    before, rest = core.inputs[3], []
    while before != "input":
        rest.insert(0, str(network[before].op))
        # what is learned reads the number of samples alone
        stands = network[before].op.kind in ("parameter", "relative_coordinates")
        before = "input" if stands else network[before].inputs[0]
    assert rest == ADDED[kind]
    assert network.state() == {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert network.macs == counted(module, (LENGTH, CHANNELS))
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, LENGTH, CHANNELS)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


class OtherIndex(OfDistances):
    """Two distances have the same row."""

    def __init__(self) -> None:
        super().__init__()
        self.index[2, 5] = 2


class OwnRows(OfDistances):
    """The rows of one head are those of another."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return ((q @ k.mT) * SCALE + self.table.flip(0)[:, self.index]).softmax(-1) @ v


class KeptTwice(OfDistances):
    """Two layers read an index that the state dict has once."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Parameter(torch.rand(HEADS, LENGTH))
        self.register_buffer("index", self.index, persistent=True)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT + self.table[:, self.index] + self.other[:, self.index]).softmax(-1) @ v


class OtherClassToken(OfDistances):
    """The class token has one row, whether it is the query or the key."""

    def __init__(self) -> None:
        super().__init__()
        index = F.pad(self.index[:-1, :-1], (1, 0, 1, 0), value=LENGTH - 1)
        self.register_buffer("index", index, persistent=False)
        self.table = nn.Parameter(torch.rand(HEADS, LENGTH + 2))


class Multiplied(Biased):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT * SCALE * self.table).softmax(-1) @ v


class KeysByQueries(Products):
    """The scores stand the other way round, and so does what is added to them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.rand(HEADS, LENGTH, LENGTH))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = (k @ q.mT * SCALE + self.table).softmax(-2)
        return (v.mT @ weights).mT


class MaskedByQueries(Products):
    """Scores by keys and queries, of which each key keeps the queries before it: no query sees so."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        later = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
        weights = (k @ q.mT * SCALE).masked_fill(later, -torch.inf).softmax(-2)
        return (v.mT @ weights).mT


@pytest.mark.parametrize(
    "kind", [OtherIndex, OwnRows, KeptTwice, OtherClassToken, Multiplied, KeysByQueries, MaskedByQueries]
)
def test_what_else_is_done_to_scores_is_one_layer(kind: type[Attend]) -> None:
    """It has the weights of it, a cost that is known, and sees everything; it cannot be built."""
    module = kind().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS))
    (core,) = [layer for layer in network if str(layer.op) == "attention"]
    assert core.op.kind == "opaque"
    assert core.macs == 2 * LENGTH**2 * CHANNELS
    assert network.state() == {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert archlens.study(network).fields["input"][core.name] is EVERYWHERE
    assert network.macs == counted(module, (LENGTH, CHANNELS))
    with pytest.raises(archlens.UsageError):
        archlens.build(network)


class Read(Products):
    """The weights of attention are read by somebody else."""

    def forward(self, x: Tensor) -> Any:
        q, k, v = self.heads(x)
        weights = (q @ k.mT * SCALE).softmax(-1)
        return self.out(weights @ v), weights


class Mixed(Products):
    """Heads talk to each other before the softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.talk = nn.Linear(HEADS, HEADS)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = self.talk((q @ k.mT * SCALE).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return scores.softmax(-1) @ v


class OverQueries(Products):
    """A softmax over the queries is no attention."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT * SCALE).softmax(-2) @ v


class Twice(Products):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT * SCALE).softmax(-1).softmax(-1) @ v


class Itself(Products):
    """The scores are what their softmax weighs."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = q @ k.mT
        return F.pad(scores.softmax(-1) @ scores, (0, q.shape[-1] - LENGTH))


@pytest.mark.parametrize("kind", [Read, Mixed, OverQueries, Twice, Itself])
def test_what_is_no_attention(kind: type[Attend]) -> None:
    module = kind().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS))
    assert not any(str(layer.op).startswith("attention") for layer in network)
    assert sum(layer.op.kind == "matmul" for layer in network) == 2
    assert network.macs == counted(module, (LENGTH, CHANNELS))


class Prefix(Buffer):
    """A mask that lets the first two tokens be seen by all is not causal."""

    def __init__(self) -> None:
        super().__init__()
        self.mask[..., :2] = 1


class Learned(Buffer):
    """Nor is one that is trained, whatever it starts with."""

    def __init__(self) -> None:
        super().__init__()
        started = self.mask.log()
        del self.mask
        self.mask = nn.Parameter(started)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.mT * SCALE + self.mask[..., : q.shape[2], : k.shape[2]]).softmax(-1) @ v


class Slight(Attend):
    """Nor is one that takes a hundred off."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        masked = torch.full((q.shape[2], q.shape[2]), -100.0).triu(1)
        return (q @ k.mT * SCALE + masked).softmax(-1) @ v


@pytest.mark.parametrize("kind", [Prefix, Slight])
def test_other_masks_are_not_causal(kind: type[Attend]) -> None:
    network = archlens.trace(kind().eval(), (LENGTH, CHANNELS))
    (core,) = [layer for layer in network if str(layer.op).startswith("attention")]
    assert core.op.kind == "opaque"


def test_part_of_a_mask_that_is_trained_is_a_bias() -> None:
    """It leaves what comes after as it starts, and is said to be learned, and not to be causal."""
    module = Learned().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS))
    (core,) = [layer for layer in network if layer.op.kind == "attention"]
    assert (str(core.op), len(core.inputs)) == ("attention(3)", 4)
    built = archlens.build(archlens.loads(archlens.convert(network))).eval()
    nn.init.normal_(module.mask)
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, LENGTH, CHANNELS)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


class Vit(nn.Module):
    """A small vision transformer as people write one."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, CHANNELS, 4, stride=4)
        self.token = nn.Parameter(torch.zeros(1, 1, CHANNELS))
        self.position = nn.Parameter(torch.randn(1, 17, CHANNELS))
        self.norm = nn.LayerNorm(CHANNELS)
        self.attn = Fused()
        self.mlp = nn.Sequential(
            nn.LayerNorm(CHANNELS), nn.Linear(CHANNELS, 48), nn.GELU(), nn.Linear(48, CHANNELS)
        )
        self.head = nn.Linear(CHANNELS, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        x = x + self.attn(self.norm(x))
        x = x + self.mlp(x)
        return self.head(x[:, 0])  # type: ignore[no-any-return]


def test_a_vision_transformer() -> None:
    """Without anything opaque, and of it the same logits."""
    torch.default_generator.manual_seed(0)
    module = Vit().eval()
    network = archlens.trace(module, (3, 16, 16))
    assert not network.unknown
    assert [layer.name for layer in network if layer.op.kind == "opaque"] == []
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(built(x), module(x))
    x[0, :, 13, 2] = torch.nan
    with torch.no_grad():
        assert module(x)[0].isnan().all()
    assert archlens.study(network).fields["input"]["attn.attention"] is EVERYWHERE


class Moves(nn.Module):
    """A layer whose output is moved about in some way, and read by another one."""

    def __init__(self, moves: Callable[[Tensor], Tensor], channels: int = CHANNELS) -> None:
        super().__init__()
        self.first = nn.Linear(CHANNELS, CHANNELS)
        self.moves = moves
        self.last = nn.Linear(channels, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.moves(self.first(x)))  # type: ignore[no-any-return]


def windows(x: Tensor) -> Tensor:
    """Of a map of 6x4 whose channels come last, in windows of 3x2."""
    return x.view(-1, 2, 3, 2, 2, CHANNELS).transpose(2, 3).reshape(-1, 4, 6, CHANNELS)


MOVES: dict[str, tuple[tuple[int, ...], Callable[[Tensor], Tensor]]] = {
    "windows of what comes last": ((6, 4), windows),
    "a map of tokens": ((24,), lambda x: x.unflatten(1, (6, 4))),
    "tokens of a map": ((6, 4), lambda x: x.flatten(1, 2)),
    "channels in another order": ((4, 6), lambda x: x.unflatten(-1, (3, 8)).mT.flatten(-2)),
    "the mean of all tokens": ((24,), lambda x: x.mean(1)),
    "the mean of what comes last": ((6, 4), lambda x: x.mean((1, 2), keepdim=True)),
    "the largest of all tokens": ((24,), lambda x: x.amax(1)),
    "exchanged axes": ((4, 6), lambda x: x.transpose(1, 2)),
}


@pytest.mark.parametrize("name", MOVES)
def test_moves_are_said_by_ops(name: str) -> None:
    """One after the other where it takes several; what is built moves the same values to the same places."""
    sizes, moves = MOVES[name]
    torch.default_generator.manual_seed(0)
    module = Moves(moves, moves(torch.empty(1, *sizes, CHANNELS)).shape[-1]).eval()
    network = archlens.trace(module, (*sizes, CHANNELS))
    assert [str(layer.op) for layer in network if layer.op.kind == "opaque"] == []
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, *sizes, CHANNELS)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


def test_moves_begin_where_a_part_was_taken() -> None:
    """What was exchanged before the cut stays exchanged, though no op says the rest."""
    cut = Moves(lambda x: x.transpose(1, 2)[..., :12].permute(0, 3, 1, 2).flatten(1), 12 * 4 * 6).eval()
    network = archlens.trace(cut, (6, 4, CHANNELS))
    # channels_first and flatten alone would be of what was not exchanged
    assert [str(layer.op) for layer in network][1:-1] == [
        "slice(stop=12)",
        'rearrange("h w c -> (c w h)")',
    ]


@pytest.mark.parametrize("seed", range(12))
def test_moves_drawn_at_random(seed: int) -> None:
    """Where a network can be built, its moves are those of the module; else they are opaque, and said so."""
    draw = random.Random(seed)
    steps: list[tuple[str, tuple[int, ...]]] = []
    sizes = (6, 4, CHANNELS)
    for _ in range(draw.randint(1, 4)):
        if draw.random() < 0.5:
            order = draw.sample(range(len(sizes)), len(sizes))
            steps.append(("permute", (0, *(axis + 1 for axis in order))))
            sizes = tuple(sizes[axis] for axis in order)
        else:
            sizes = draw.choice([(24, 24), (6, 4, 24), (4, 6, 24), (2, 12, 24), (12, 2, 3, 8), (6, 96)])
            steps.append(("reshape", (-1, *sizes)))

    def moves(x: Tensor) -> Tensor:
        for kind, how in steps:
            x = x.permute(how) if kind == "permute" else x.reshape(how)
        return x

    module = Moves(moves, sizes[-1]).eval()
    network = archlens.trace(module, (6, 4, CHANNELS))
    assert network.output.numel == 6 * 4 * CHANNELS // sizes[-1] * 5
    if any(layer.op.kind == "opaque" for layer in network):
        return
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 6, 4, CHANNELS)
    with torch.no_grad():
        torch.testing.assert_close(built(x), module(x))


class Halves(Rows):
    """A bias that is put together where it runs, and windows that are added up beside the samples."""

    def __init__(self) -> None:
        super().__init__()
        del self.q
        self.weight = nn.Parameter(torch.rand(CHANNELS, CHANNELS))
        self.start = nn.Parameter(torch.zeros(WIDTH))

    def q(self, x: Tensor) -> Tensor:
        bias = torch.cat([self.start, torch.zeros(CHANNELS - WIDTH, device=x.device)])
        return F.linear(x, self.weight, bias)

    def out(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2).flatten(2)
        return self.proj(x) + x  # type: ignore[no-any-return]


def test_a_bias_that_is_put_together() -> None:
    """The projection is one opaque layer with both weights, at each position, and its channels stay last."""
    module = Halves().eval()
    network = archlens.trace(module, (4, LENGTH, CHANNELS))
    (linear,) = [layer for layer in network if str(layer.op) == "linear"]
    assert (str(linear.op), linear.shape, linear.macs) == (
        "linear",
        (4, LENGTH, CHANNELS),
        4 * LENGTH * CHANNELS**2,
    )
    assert set(linear.facts.weights) == {"weight", "start"}
    assert network.state() == {key: tuple(value.shape) for key, value in module.state_dict().items()}
    assert [str(one.op) for one in network if one.op.kind in ("attention", "add")] == ["attention(3)", "add"]


class Latent(Attend):
    """Whose queries are learned, as Perceiver's are: no input flows into them."""

    def __init__(self) -> None:
        super().__init__()
        self.latent = nn.Parameter(torch.rand(1, 5, CHANNELS))

    def forward(self, x: Tensor) -> Tensor:
        latent = self.k(self.latent.expand(x.shape[0], -1, -1))  # a module that the input goes through, too
        projected = self.q(latent), self.k(x), self.v(x)
        q, k, v = (y.view(*y.shape[:2], -1, WIDTH).transpose(1, 2) for y in projected)
        return self.out(self.attend(q, k, v))


class LatentByProducts(Latent):
    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return (q @ k.transpose(-2, -1) * SCALE).softmax(-1) @ v  # type: ignore[no-any-return]


@pytest.mark.parametrize("module", [Latent, LatentByProducts])
def test_queries_that_are_learned(module: type[Attend]) -> None:
    made = module().eval()
    network = archlens.trace(made, (LENGTH, CHANNELS))
    assert network.state() == {key: tuple(value.shape) for key, value in made.state_dict().items()}
    assert network.params == sum(one.numel() for one in made.parameters())
    assert network.output == (5, CHANNELS)
    x = torch.rand(2, LENGTH, CHANNELS)
    found = verify(network, batch=2, reference=Reference(made, (x,), {}, [x]))
    assert not [check for check in found.checks if check.status == FAILED]
    made.requires_grad_(False)  # torch's counter takes no view of a weight that is trained
    assert network.macs == counted(made, (LENGTH, CHANNELS))


class Sinking(Attend):
    """A number of each head beside the scores, as gpt-oss has it."""

    kv_heads = 1
    sizes: tuple[int, ...] = (HEADS,)
    masked = True

    def __init__(self) -> None:
        super().__init__()
        self.sinks = nn.Parameter(torch.randn(self.sizes))

    def soft(self, scores: Tensor) -> Tensor:
        sinks = self.sinks.reshape(1, -1, 1, 1).expand(scores.shape[0], -1, scores.shape[2], -1)
        both = torch.cat([scores, sinks], dim=-1)
        both = both - both.max(dim=-1, keepdim=True).values
        return F.softmax(both, dim=-1, dtype=both.dtype)[..., :-1]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k, v = (x.expand(-1, HEADS, -1, -1) for x in (k, v))
        scores = q @ k.transpose(-2, -1) * SCALE
        if self.masked:
            scores = scores + torch.full((LENGTH, LENGTH), -1e9).triu(1)
        return self.dropout(self.soft(scores)) @ v  # type: ignore[no-any-return]


class SinkingFirst(Sinking):
    """The number stands before the scores, and is a map of one position."""

    sizes, masked = (1, HEADS, 1, 1), False

    def soft(self, scores: Tensor) -> Tensor:
        sinks = self.sinks.expand(scores.shape[0], HEADS, scores.shape[2], 1)
        return torch.cat([sinks, scores], dim=3).softmax(3).split((1, LENGTH), 3)[1]


@pytest.mark.parametrize("kind", [Sinking, SinkingFirst])
def test_sinks(kind: type[Sinking]) -> None:
    """They are a branch of the op; what is built again from the spec computes the same."""
    torch.manual_seed(0)
    module = kind().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS))
    (attention,) = [layer.op for layer in network if layer.op.kind == "attention"]
    causal = {"causal": True} if kind.masked else {}
    assert attention == OPS["attention"](HEADS, 1, sinks=True, **causal)
    module.requires_grad_(False)
    assert network.macs == counted(module, (LENGTH, CHANNELS))
    again = archlens.build(archlens.loads(archlens.convert(network))).eval()
    again.load_state_dict(module.state_dict())
    x = torch.rand(2, LENGTH, CHANNELS)
    torch.testing.assert_close(again(x), module(x))


class SinkOfEachQuery(Sinking):
    sizes = (1, HEADS, LENGTH, 1)

    def soft(self, scores: Tensor) -> Tensor:
        both = torch.cat([scores, self.sinks.expand(scores.shape[0], -1, -1, -1)], dim=-1)
        return both.softmax(-1)[..., :-1]


class TwoSinks(Sinking):
    sizes = (1, HEADS, 1, 2)

    def soft(self, scores: Tensor) -> Tensor:
        both = torch.cat([scores, self.sinks.expand(scores.shape[0], -1, LENGTH, -1)], dim=-1)
        return both.softmax(-1)[..., :-2]


class ScoreThatIsCut(Sinking):
    """The first score is left out, and not the number that stands behind all."""

    def soft(self, scores: Tensor) -> Tensor:
        sinks = self.sinks.reshape(1, -1, 1, 1).expand(scores.shape[0], -1, LENGTH, -1)
        return torch.cat([scores, sinks], dim=-1).softmax(-1)[..., 1:]


class LessThanAnother(Sinking):
    """What is subtracted is the largest of the scores, and not of the row."""

    def soft(self, scores: Tensor) -> Tensor:
        sinks = self.sinks.reshape(1, -1, 1, 1).expand(scores.shape[0], -1, LENGTH, -1)
        both = torch.cat([scores, sinks], dim=-1)
        return (both - both.amax(-2, keepdim=True)).softmax(-1)[..., :-1]


@pytest.mark.parametrize("kind", [SinkOfEachQuery, TwoSinks, ScoreThatIsCut, LessThanAnother])
def test_what_is_no_sink(kind: type[Sinking]) -> None:
    """It costs what it costs, has its weights, and is none."""
    module = kind().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS))
    assert not any(layer.op.attributes().get("sinks") for layer in network if layer.op.kind == "attention")
    assert network.state() == {key: tuple(value.shape) for key, value in module.state_dict().items()}
    module.requires_grad_(False)
    assert network.macs == counted(module, (LENGTH, CHANNELS))


class Turning(Attend):
    """Queries and keys turned by their positions, as Llama writes it."""

    kv_heads = 1
    base, part = 500.0, WIDTH

    def __init__(self) -> None:
        super().__init__()
        steps = torch.arange(0, self.part, 2).float() / self.part
        self.register_buffer("frequencies", self.base**-steps, persistent=False)

    def angles(self) -> Tensor:
        return torch.arange(LENGTH)[:, None].float() * self.frequencies

    def waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        whole = torch.cat((self.angles(), self.angles()), -1)[None]
        return whole.cos()[:, None], whole.sin()[:, None]

    def half(self, x: Tensor) -> Tensor:
        return torch.cat((-x[..., x.shape[-1] // 2 :], x[..., : x.shape[-1] // 2]), -1)

    def turn(self, x: Tensor) -> Tensor:
        cos, sin = self.waves(x)
        return x * cos + self.half(x) * sin

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k, v = (x.expand(-1, HEADS, -1, -1) for x in (self.turn(k), v))
        return F.scaled_dot_product_attention(self.turn(q), k, v)


class Chunked(Turning):
    """With other words, and the heads behind the positions."""

    def half(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, -1)
        return torch.cat((second.neg(), first), -1)

    def turn(self, x: Tensor) -> Tensor:
        cos, sin = (wave.transpose(1, 2) for wave in self.waves(x))
        y = x.transpose(1, 2)
        return (self.half(y) * sin + cos * y).transpose(1, 2)


class InPart(Turning):
    """The first channels of each head alone, as GPT-NeoX has it."""

    part = 4

    def turn(self, x: Tensor) -> Tensor:
        return torch.cat((super().turn(x[..., : self.part]), x[..., self.part :]), -1)


class OfOnePair(InPart):
    """The angles of which do not get smaller, whatever the base is."""

    part = 2


class Neighbours(Turning):
    """Pairs of channels that are neighbours, as GPT-J and Cohere have it."""

    def waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        whole = torch.repeat_interleave(self.angles(), 2, -1)[None, None]
        return whole.cos(), whole.sin()

    def half(self, x: Tensor) -> Tensor:
        return torch.stack((-x[..., 1::2], x[..., ::2]), -1).flatten(-2)


class NeighboursInPart(Neighbours):
    """The first channels alone, which are taken apart as axes of two."""

    part = 4

    def half(self, x: Tensor) -> Tensor:
        a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack((-b, a), -1).reshape(x.shape)

    def turn(self, x: Tensor) -> Tensor:
        return torch.cat((super().turn(x[..., : self.part]), x[..., self.part :]), -1)


class Complex(Turning):
    """As Llama was first written."""

    def turn(self, x: Tensor) -> Tensor:
        waves = torch.polar(torch.ones(LENGTH, WIDTH // 2), self.angles())[None, None]
        pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
        return torch.view_as_real(pairs * waves).flatten(-2).type_as(x)


@pytest.mark.parametrize("kind", [Turning, Chunked, InPart, OfOnePair, Neighbours, NeighboursInPart, Complex])
def test_rotary_positions(kind: type[Turning]) -> None:
    """They are the op, of queries and of keys; what is built again from the spec computes the same."""
    torch.manual_seed(0)
    module = kind().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS))
    found = [layer.op for layer in network if layer.op.kind == "rotary"]
    base = {} if kind is OfOnePair else {"base": 500.0}
    part = {} if kind.part == WIDTH else {"part": kind.part}
    apart = {"interleaved": True} if kind in (Neighbours, NeighboursInPart, Complex) else {}
    assert found == [OPS["rotary"](WIDTH, **part, **base, **apart)] * 2
    assert {layer.op.kind for layer in network} == {"linear", "rotary", "attention"}
    again = archlens.build(archlens.loads(archlens.convert(network))).eval()
    again.load_state_dict(module.state_dict())
    x = torch.rand(2, LENGTH, CHANNELS)
    torch.testing.assert_close(again(x), module(x))


class SlowerAngles(Turning):
    """Linearly scaled, as for longer sequences."""

    def angles(self) -> Tensor:
        return super().angles() / 2


class FromOne(Turning):
    def angles(self) -> Tensor:
        return super().angles() + self.frequencies


class ComplexConjugate(Complex):
    def angles(self) -> Tensor:
        return -super().angles()


class FirstNegated(Turning):
    def half(self, x: Tensor) -> Tensor:
        return torch.cat((x[..., x.shape[-1] // 2 :], -x[..., : x.shape[-1] // 2]), -1)


class Subtracted(Turning):
    def turn(self, x: Tensor) -> Tensor:
        cos, sin = self.waves(x)
        return x * cos - self.half(x) * sin


class OtherNeighbourNegated(Neighbours):
    def half(self, x: Tensor) -> Tensor:
        return torch.stack((x[..., 1::2], -x[..., ::2]), -1).flatten(-2)


class InPieces(Turning):
    """Either half by itself, as gpt-oss has it."""

    def waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.angles().cos()[None, None], self.angles().sin()[None, None]

    def turn(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        (cos, sin), (cosine, sine) = self.waves(x), self.waves(x)  # computed anew for each
        return torch.cat((a * cos - b * sin, b * cosine + sine * a), -1)


class EverySecond(InPieces):
    """Neighbours that are put together again."""

    def turn(self, x: Tensor) -> Tensor:
        a, b = x.reshape(*x.shape[:-1], -1, 2).unbind(-1)
        cos, sin = self.waves(x)
        return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class PutApart(InPieces):
    """Neighbours that come out as one of either half, as DeepSeek-V3 has it."""

    def turn(self, x: Tensor) -> Tensor:
        a, b = x[..., ::2], x[..., 1::2]
        cos, sin = self.waves(x)
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class TurnedBack(InPieces):
    def turn(self, x: Tensor) -> Tensor:
        a, b = x[..., : WIDTH // 2], x[..., WIDTH // 2 :]
        cos, sin = self.waves(x)
        return torch.cat((b * sin + a * cos, b * cos - a * sin), -1)


_KEPT: dict[int, Tensor] = {}


class Kept(Turning):
    """Angles that are kept from one run to the next, beside the module."""

    def angles(self) -> Tensor:
        if id(self) not in _KEPT:
            _KEPT[id(self)] = torch.arange(LENGTH, device=self.frequencies.device)[:, None] * 0.5
        return _KEPT[id(self)] * self.frequencies


def test_what_is_kept_from_run_to_run() -> None:
    """It is what it was made of by then, for as long as nobody writes to it."""
    module = Kept().eval()
    first, second = (archlens.trace(module, (LENGTH, CHANNELS)) for _ in range(2))
    assert [layer.op for layer in first] == [layer.op for layer in second]
    assert [layer.op.attributes()["step"] for layer in second if layer.op.kind == "rotary"] == [0.5, 0.5]
    _KEPT[id(module)].zero_()
    third = archlens.trace(module, (LENGTH, CHANNELS))
    assert "rotary" not in {layer.op.kind for layer in third}
    del _KEPT[id(module)]


class Grid(Turning):
    """The positions of a map behind one token, each axis of which turns half of the pairs, as in EVA-02."""

    base, rows, columns, skip = 100.0, 2, 3, 1

    def __init__(self) -> None:
        super().__init__()
        steps = torch.arange(WIDTH // 4).float() / (WIDTH // 4)
        self.register_buffer("frequencies", self.base**-steps, persistent=False)

    def lines(self) -> tuple[Tensor, Tensor]:
        return torch.arange(self.rows).float(), torch.arange(self.columns).float()

    def angles(self) -> Tensor:
        places = torch.stack(torch.meshgrid(*self.lines(), indexing="ij"), -1)
        return (places[..., None] * self.frequencies).reshape(self.rows * self.columns, -1)

    def turn(self, x: Tensor) -> Tensor:
        return torch.cat((x[:, :, : self.skip], super().turn(x[:, :, self.skip :])), 2).type_as(x)


class GridByNeighbours(Grid):
    """The same of neighbours, taken apart by a split."""

    def waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return Neighbours.waves(self, x)  # type: ignore[arg-type]

    def half(self, x: Tensor) -> Tensor:
        return Neighbours.half(self, x)  # type: ignore[arg-type]

    def turn(self, x: Tensor) -> Tensor:
        first, rest = x.split((self.skip, LENGTH - self.skip), -2)
        return torch.cat((first, Turning.turn(self, rest)), -2)


class GridOfX(Grid):
    """The columns turn the first pairs, from 1 on."""

    def angles(self) -> Tensor:
        rows, columns = torch.meshgrid(*self.lines(), indexing="ij")
        places = torch.stack((columns, rows), -1) + 1
        return (places[..., None] * self.frequencies).reshape(self.rows * self.columns, -1)


class Stretched(Grid):
    """Of a map that was larger."""

    def lines(self) -> tuple[Tensor, Tensor]:
        rows, columns = super().lines()
        return rows / self.rows * 4, columns / self.columns * 2


class Centres(Grid):
    """Centres of cells in half a turn; DINOv3 has two."""

    def lines(self) -> tuple[Tensor, Tensor]:
        rows, columns = ((line + 0.5) / len(line) * 2 - 1 for line in super().lines())
        return rows * torch.pi / 2, columns * torch.pi / 2


class GridInPart(Grid):
    """The first channels alone."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.ones(1), persistent=False)

    def turn(self, x: Tensor) -> Tensor:
        rest = x[:, :, self.skip :]
        turned = torch.cat((Turning.turn(self, rest[..., :4]), rest[..., 4:]), -1)
        return torch.cat((x[:, :, : self.skip], turned), 2)


class GridAlone(Grid):
    """A map alone, whose tokens are all turned."""

    rows, columns, skip = 1, 7, 0

    def turn(self, x: Tensor) -> Tensor:
        return Turning.turn(self, x)


def _turning_on_a_map(**said: Any) -> dict[str, Any]:
    return {"base": 100.0, "grid": (2, 3), "skip": 1} | said


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (SlowerAngles, {"base": 500.0, "step": 0.5}),
        (FromOne, {"base": 500.0, "start": 1}),
        (ComplexConjugate, {"base": 500.0, "step": -1, "interleaved": True}),
        *((kind, {"base": 500.0, "step": -1}) for kind in (FirstNegated, Subtracted, TurnedBack)),
        (OtherNeighbourNegated, {"base": 500.0, "step": -1, "interleaved": True}),
        (InPieces, {"base": 500.0}),
        (EverySecond, {"base": 500.0, "interleaved": True}),
        (PutApart, {"base": 500.0}),
        (Grid, _turning_on_a_map()),
        (GridByNeighbours, _turning_on_a_map(interleaved=True)),
        (GridOfX, _turning_on_a_map(start=1, reverse=True)),
        (Stretched, _turning_on_a_map(step=(2, 2 / 3))),
        (Centres, _turning_on_a_map(start=(-torch.pi / 4, -torch.pi / 3), step=(torch.pi / 2, torch.pi / 3))),
        (GridInPart, _turning_on_a_map(part=4, base=10000.0)),
        (GridAlone, {"base": 100.0, "grid": (1, 7)}),
    ],
)
def test_rotary_positions_of_other_places(kind: type[Turning], said: dict[str, Any]) -> None:
    """They are the op, exactly, with the tokens before them and wherever they begin."""
    torch.manual_seed(0)
    module = kind().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS))
    found = [layer.op for layer in network if layer.op.kind == "rotary"]
    moves = {"rearrange", "channels_first", "channel_shuffle", "channels_last"} if kind is PutApart else set()
    assert {layer.op.kind for layer in network} - moves == {"linear", "rotary", "attention"}
    for op in found:
        own = {name: value for name, value in op.attributes().items() if name in said}
        assert own == {name: pytest.approx(value) for name, value in said.items()}
        plain = OPS["rotary"](WIDTH, **{"base": 10000.0} | own).attributes()
        assert op.attributes() == plain
    assert len(found) == 2
    again = archlens.build(archlens.loads(archlens.convert(network))).eval()
    again.load_state_dict(module.state_dict())
    x = torch.rand(2, LENGTH, CHANNELS)
    torch.testing.assert_close(again(x), module(x))


class WrittenInPlace(Grid):
    """Complex numbers that are written over those of the map, as rope-vit does."""

    def turn(self, x: Tensor) -> Tensor:
        waves = torch.polar(torch.ones(LENGTH - 1, WIDTH // 2), self.angles())[None, None]
        x = x.clone()
        pairs = torch.view_as_complex(x[:, :, 1:].float().reshape(*x.shape[:2], LENGTH - 1, -1, 2))
        x[:, :, 1:] = torch.view_as_real(pairs * waves).flatten(3)
        return x


class TurnedFirst(Grid):
    """The tokens that are not turned stand behind the others."""

    def turn(self, x: Tensor) -> Tensor:
        return torch.cat((Turning.turn(self, x[:, :, :-1]), x[:, :, -1:]), 2)


class Exchanged(Grid):
    """What stands before is no part of the same tensor, as it is twice as large."""

    def turn(self, x: Tensor) -> Tensor:
        return torch.cat((2 * x[:, :, :1], Turning.turn(self, x[:, :, 1:])), 2)


@pytest.mark.parametrize("kind", [WrittenInPlace, TurnedFirst, Exchanged])
def test_rotary_positions_beside_others(kind: type[Grid]) -> None:
    """Tokens that are put together otherwise are concatenated with those that are turned."""
    torch.manual_seed(0)
    module = kind().eval()
    network = archlens.trace(module, (LENGTH, CHANNELS))
    assert not network.unknown
    found = [layer.op.attributes() for layer in network if layer.op.kind == "rotary"]
    assert [(one["grid"], one["skip"]) for one in found] == [((2, 3), 0)] * 2
    again = archlens.build(archlens.loads(archlens.convert(network))).eval()
    again.load_state_dict(module.state_dict())
    x = torch.rand(2, LENGTH, CHANNELS)
    torch.testing.assert_close(again(x), module(x))


class OtherPieces(InPieces):
    """The halves are turned by different angles."""

    def turn(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        cos, sin = self.waves(x)
        return torch.cat((a * cos - b * sin, b * cos + a * sin.flip(-1)), -1)


class BothAdded(InPieces):
    def turn(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        cos, sin = self.waves(x)
        return torch.cat((a * cos + b * sin, b * cos + a * sin), -1)


class PutTogetherOfHalves(InPieces):
    """Halves that come out as neighbours."""

    def turn(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        cos, sin = self.waves(x)
        return torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)


class OtherRates(Grid):
    """The second axis turns faster than the first, pair by pair."""

    def angles(self) -> Tensor:
        return super().angles() * torch.tensor([1.0, 1.0, 1.0, 3.0])


class UnevenColumns(Grid):
    def lines(self) -> tuple[Tensor, Tensor]:
        rows, columns = super().lines()
        return rows, columns**2


class Disordered(Grid):
    """The tokens are in another order than those of a map, as where windows are merged."""

    def angles(self) -> Tensor:
        return super().angles()[torch.tensor([0, 1, 3, 4, 2, 5])]


class SlowLastPair(Turning):
    """Scaled where a turn takes long, as Llama 3.1 does; few positions show little of it."""

    def angles(self) -> Tensor:
        return super().angles() * torch.tensor([1.0, 1.0, 1.0, 0.125])


class Louder(Turning):
    """Scaled cosines and sines, as YaRN has them."""

    def waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = super().waves(x)
        return cos * 1.1, sin * 1.1


class OtherSines(Turning):
    def waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = super().waves(x)
        return cos, sin.flip(-1)


class NotNegated(Turning):
    def half(self, x: Tensor) -> Tensor:
        return torch.cat((x[..., x.shape[-1] // 2 :], x[..., : x.shape[-1] // 2]), -1)


class LearnedCosines(Turning):
    def __init__(self) -> None:
        super().__init__()
        self.learned = nn.Parameter(super().waves(torch.empty(0))[0])

    def waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.learned, super().waves(x)[1]


class AnglesOfTheInput(Turning):
    def waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        cos, sin = super().waves(x)
        return cos + 0 * x.mean(-1, keepdim=True), sin


class OfAnother(Turning):
    """The halves of a tensor beside its own values."""

    def turn(self, x: Tensor) -> Tensor:
        cos, sin = self.waves(x)
        return x * cos + self.half(x.relu()) * sin


class UnevenSteps(Turning):
    """The first two positions are as they should be, and no other."""

    def angles(self) -> Tensor:
        return torch.arange(LENGTH)[:, None].float() ** 2 * self.frequencies


class SmallAngles(Turning):
    """One pair turns so little that its cosines and sines do not tell, and yet twice as far as it should."""

    base = 1e12

    def angles(self) -> Tensor:
        return super().angles() * torch.tensor([1.0, 1.0, 2.0, 1.0])


class NeighboursByHalves(Neighbours):
    """Neighbours are turned by the angles of halves."""

    def waves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return Turning.waves(self, x)


class NeighboursExchanged(Neighbours):
    def half(self, x: Tensor) -> Tensor:
        return torch.stack((-x[..., ::2], x[..., 1::2]), -1).flatten(-2)


class SomeNeighbours(Neighbours):
    """The pairs of twice as many channels, of which half are read."""

    def half(self, x: Tensor) -> Tensor:
        y = torch.cat((x, x), -1)[..., : WIDTH + 2]
        return torch.stack((-y[..., 3::2], y[..., 2::2]), -1).flatten(-2)


@pytest.mark.parametrize(
    "kind",
    [
        *(UnevenSteps, SmallAngles, NeighboursByHalves, NeighboursExchanged),
        *(
            SomeNeighbours,
            OtherRates,
            UnevenColumns,
            Disordered,
            SlowLastPair,
            Louder,
            OtherSines,
            NotNegated,
            LearnedCosines,
        ),
        *(AnglesOfTheInput, OfAnother),
    ],
)
def test_what_is_no_rotary_position(kind: type[Turning]) -> None:
    network = archlens.trace(kind().eval(), (LENGTH, CHANNELS))
    assert "rotary" not in {layer.op.kind for layer in network}


class Crosses(nn.Module):
    """Torch's own module of attention, between tensors that are not one."""

    def __init__(self, how: str, *, first: bool = True, **options: Any) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(32, 4, batch_first=first, **options)
        self.how, self.first = how, first
        if how == "learned":
            self.latents = nn.Parameter(torch.randn(6, 32))

    def forward(self, a: Any, b: Any) -> Any:
        q, k, v = {
            "cross": lambda: (a, b, b),
            "places": lambda: (b + 1, b + 1, b),
            "causal": lambda: (b + 1, b + 1, b),
            "learned": lambda: (self.latents.expand(len(b), -1, -1), b, b * 2),
        }[self.how]()
        if not self.first:
            q, k, v = (one.transpose(0, 1) for one in (q, k, v))
        mask = torch.ones(9, 9, dtype=torch.bool).triu(1) if self.how == "causal" else None
        out = self.attend(q, k, v, need_weights=False, attn_mask=mask)[0]
        return out if self.first else out.transpose(0, 1)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("how", ["cross", "places", "causal", "learned"])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"kdim": 16, "vdim": 16}], ids=str)
def test_attention_between_several_tensors(how: str, first: bool, options: dict[str, Any]) -> None:
    """The same numbers with the module's own weights, and the products that torch counts."""
    if "kdim" in options and how in ("places", "causal"):
        return  # its queries are its keys
    torch.manual_seed(2)
    module = Crosses(how, first=first, **options).eval().requires_grad_(False)
    for one in module.parameters():
        nn.init.normal_(one, std=0.3)
    a, b = torch.rand(2, 6, 32), torch.rand(2, 9, options.get("kdim", 32))
    network = archlens.trace(module, a, b)
    assert not [layer.name for layer in network if layer.op.kind == "opaque"]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module(a[:1], b[:1])
    assert 2 * network.macs == counter.get_total_flops()
    assert {**network.state()} == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    built = archlens.build(network)
    built.load_state_dict(module.state_dict(), strict=True)
    torch.testing.assert_close(built(**dict(zip(network.inputs, (a, b), strict=True))), module(a, b))


def test_what_attends_before_any_input_has_weights_that_are_read() -> None:
    class Starts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.start = nn.Parameter(torch.randn(1, 3, 8))
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True)

        def forward(self, x: Any) -> Any:
            return x + self.attend(self.start, self.start, self.start)[0]

    network = archlens.trace(Starts(), (3, 8))
    assert not [layer.name for layer in network if str(layer.op) == "unused"]
    assert network.params == 3 * 8 + 4 * 8 * 8 + 4 * 8


@pytest.mark.parametrize("option", ["add_bias_kv", "add_zero_attn"])
def test_attention_with_keys_of_its_own_is_opaque(option: str) -> None:
    class Adds(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attend = nn.MultiheadAttention(8, 2, batch_first=True, **{option: True})

        def forward(self, a: Any, b: Any) -> Any:
            return self.attend(a, b, b, need_weights=False)[0]

    network = archlens.trace(Adds(), (3, 8), (5, 8))
    assert network["attend"].op.kind == "opaque"
    # one key and one value more than the 5 that are projected
    assert network.macs == 8 * 8 * (3 + 5 + 5 + 3) + 2 * 3 * 6 * 8
