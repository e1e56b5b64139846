"""Modules that fold an axis into the batch, start from zeros, or have their weights in another form, traced.

Each is said in ops alone, built again from these with its weights, and gives what it gave.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrizations, weight_norm
from torch.utils.flop_counter import FlopCounterMode

import archlens

FRAMES, PLACES, WIDTH = 3, 5, 16


class OfEachFrame(nn.Module):
    """Attention between the places of each frame, whose frames are in the batch."""

    def __init__(self, *, first: bool = True, causal: bool = False) -> None:
        super().__init__()
        self.attend, self.first = nn.MultiheadAttention(WIDTH, 4, batch_first=first), first
        self.mask = torch.ones(PLACES, PLACES).triu(1).bool() if causal else None

    def forward(self, x: Tensor) -> Tensor:
        q = x.flatten(0, 1)
        q, k = (q, q) if self.first else (q.transpose(0, 1), q.transpose(0, 1))
        y = self.attend(q, k, k, need_weights=False, attn_mask=self.mask)[0]
        return x + (y if self.first else y.transpose(0, 1)).reshape(x.shape)


class Divided(nn.Module):
    """Attention over space and then over time, as TimeSformer has it, by torch's own layers."""

    def __init__(self) -> None:
        super().__init__()
        self.space, self.time = (nn.TransformerEncoderLayer(WIDTH, 4, 32, batch_first=True) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        b, t, n, c = x.shape
        x = self.space(x.reshape(b * t, n, c)).reshape(b, t, n, c).transpose(1, 2).reshape(b * n, t, c)
        return self.time(x).reshape(b, n, t, c).mean((1, 2))  # type: ignore[no-any-return]


class Beside(nn.Module):
    """Tokens of each frame beside others of it."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(WIDTH, 4)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.flatten(0, 1)
        both = torch.cat([rows, rows.mean(1, keepdim=True), rows[:, :2]], 1)
        return self.fc(both).view(*x.shape[:2], -1)  # type: ignore[no-any-return]


class ConvCell(nn.Module):
    """An LSTM of convolutions that starts from zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.gates = nn.Conv2d(3 + 4, 16, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        h = c = x.new_zeros(x.shape[0], 4, *x.shape[-2:])
        for one in x.unflatten(1, (-1, 3)).unbind(1):
            i, f, o, g = self.gates(torch.cat([one, h], 1)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return h


class Elman(nn.Module):
    """The first state stands before what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(WIDTH + 4, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.shape[0], 4, device=x.device)
        for at in range(x.shape[1]):
            h = torch.tanh(self.cell(torch.cat([h, x[:, at]], 1)) + h)
        return h


class Tied(nn.Module):
    """An autoencoder whose second matrix is its first one, turned."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.rand(4, WIDTH)), nn.Parameter(torch.rand(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(F.linear(x, self.weight).relu(), self.weight.t(), self.bias)


def _with_lengths() -> nn.Module:
    return nn.Sequential(
        parametrizations.weight_norm(nn.Conv1d(WIDTH, 6, 3, dilation=2)),
        nn.ReLU(),
        parametrizations.weight_norm(nn.Conv1d(6, 6, 3, groups=2, padding=1, bias=False), dim=2),
    )


class ByHeads(nn.Module):
    """Attention whose weights have an axis for the heads."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Parameter(torch.rand(4, WIDTH, 8)) for _ in range(3))
        self.out = nn.Parameter(torch.rand(4, 8, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (torch.einsum("bnd,hdk->bhnk", x, one) for one in (self.q, self.k, self.v))
        weights = (torch.einsum("bhik,bhjk->bhij", q, k) * 8**-0.5).softmax(-1)
        return torch.einsum("bhnk,hkd->bnd", weights @ v, self.out)


class AllExperts(nn.Module):
    """Each token goes through all experts, whose matrices are one tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = nn.Linear(WIDTH, 3)
        self.up, self.down = nn.Parameter(torch.rand(3, WIDTH, 12)), nn.Parameter(torch.rand(3, 12, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.einsum("btd,edh->bteh", x, self.up).relu()
        each = torch.einsum("bteh,ehd->bted", hidden, self.down)
        return torch.einsum("bte,bted->btd", self.gate(x).softmax(-1), each)


class Parts(nn.Module):
    """Two parts of one matrix, a matrix of each place, and one that is repeated for each sample."""

    def __init__(self) -> None:
        super().__init__()
        self.both, self.each = nn.Parameter(torch.rand(WIDTH, 12)), nn.Parameter(torch.rand(PLACES, WIDTH, 6))
        self.all = nn.Parameter(torch.rand(1, WIDTH, 6))

    def forward(self, x: Tensor) -> Tensor:
        y = x @ self.both[:, :6] + torch.einsum("bnd,df->bnf", x, self.both[:, 6:])
        return y + torch.einsum("bnd,ndf->bnf", x, self.each) + torch.bmm(x, self.all.expand(len(x), -1, -1))


class KeptBlur(nn.Module):
    """A filter for each channel in the state dict, as those of Zhang have it."""

    def __init__(self) -> None:
        super().__init__()
        row = torch.tensor([1.0, 4, 6, 4, 1]) / 16
        self.conv, self.pad = nn.Conv2d(3, 4, 1), nn.ReflectionPad2d((2, 2, 2, 2))
        self.blur = nn.Module()
        self.blur.register_buffer("filt", (row[:, None] * row)[None, None].repeat(4, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(self.pad(self.conv(x)), self.blur.filt, stride=2, groups=4)


class Blurs(nn.Module):
    """A fixed filter of each channel, as timm's ``BlurPool2d`` and kornia have it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        row = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
        self.register_buffer("filt", torch.outer(row, row)[None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(self.conv(x), (2, 2, 2, 2), mode="reflect")
        x = F.conv2d(x, self.filt.expand(x.shape[1], -1, -1, -1), stride=2, groups=x.shape[1])
        return F.conv2d(x, torch.full((4, 1, 2, 2), 0.25), padding=1, groups=4)


FOLDED = (FRAMES, PLACES, WIDTH)

MODULES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "places of each frame": (OfEachFrame, FOLDED),
    "places first": (lambda: OfEachFrame(first=False), FOLDED),
    "places of each frame, causal": (lambda: OfEachFrame(causal=True), FOLDED),
    "space and time": (Divided, FOLDED),
    "tokens beside tokens": (Beside, FOLDED),
    "an LSTM of convolutions": (ConvCell, (12, 7, 6)),
    "a cell written out": (Elman, (PLACES, WIDTH)),
    "a matrix and it turned": (Tied, (WIDTH,)),
    "weights of heads": (ByHeads, (PLACES, WIDTH)),
    "experts in one tensor": (AllExperts, (PLACES, WIDTH)),
    "parts of a matrix": (Parts, (PLACES, WIDTH)),
    "fixed filters": (Blurs, (3, 12, 9)),
    "a filter that the state dict has": (KeptBlur, (3, 12, 9)),
    "weight norm": (_with_lengths, (WIDTH, 12)),
    "weight norm as it was": (lambda: nn.Sequential(weight_norm(nn.Conv2d(3, 4, 3))), (3, 8, 8)),
}


#: What has keys that no layer of the language gives its weights, so that it is not built.
UNNAMED = ("a matrix and it turned", "weight norm as it was")


@pytest.mark.parametrize("case", MODULES)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_is_folded_or_kept_otherwise_is_said_in_ops(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    make, sizes = MODULES[case]
    module = make().eval()
    for one in module.parameters():
        nn.init.normal_(one, std=0.3)
    network = archlens.trace(module, sizes)
    assert [layer.name for layer in network if layer.op.kind == "opaque"] == []
    x = torch.rand(2, *sizes)
    monkeypatch.setattr(torch.backends.mha, "get_fastpath_enabled", lambda: False)  # which is not counted
    with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        wanted = module(x)
    assert 4 * network.macs == counter.get_total_flops()
    assert network.output == wanted.shape[1:]
    assert network.state() == {key: tuple(one.shape) for key, one in module.state_dict().items()}
    if case in UNNAMED:
        return
    built = archlens.build(network).eval()
    built.load_state_dict(module.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(built(x), wanted)


def test_another_fixed_filter_is_none_that_blurs() -> None:
    class Sharpens(Blurs):
        def __init__(self) -> None:
            super().__init__()
            self.filt = -self.filt

    network = archlens.trace(Sharpens(), (3, 12, 9))
    assert [layer.op.kind for layer in network] == ["conv", "pad", "opaque", "blur_pool"]
