"""Modules that fold frames, windows, heads or patches into the batch: each is a map for itself.

They are held against torch's counter, and what is written of them computes what the module does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import archlens
from archlens.backends.checks import FAILED
from archlens.backends.conformance import differences
from archlens.backends.reference import Reference
from archlens.backends.verification import verify

from .test_tracing_tensors import check

#: Frames, and what each is.
FRAMES, FRAME = 4, (3, 12, 8)


def cnn() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(
            nn.Conv2d(8, 6, 3, stride=2, groups=2, bias=False),
            nn.GELU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ),
    )


class Video(nn.Module):
    """A network of each frame, and one of the steps, as for sign language or dash cams."""

    def __init__(self) -> None:
        super().__init__()
        self.cnn, self.rnn, self.fc = cnn(), nn.GRU(6, 5, batch_first=True), nn.Linear(5, 4)

    def forward(self, x: Tensor) -> Tensor:
        b, t = x.shape[:2]
        steps = self.cnn(x.flatten(0, 1)).view(b, t, -1)
        return self.fc(self.rnn(steps)[0].mean(1))  # type: ignore[no-any-return]


class StepsFirst(Video):
    def forward(self, x: Tensor) -> Tensor:
        b, t = x.shape[:2]
        steps = self.cnn(x.transpose(0, 1).reshape(t * b, *x.shape[2:])).view(t, b, -1)
        return self.fc(self.rnn(steps.transpose(0, 1))[0][:, -1])  # type: ignore[no-any-return]


class Windows(nn.Module):
    """Convolutions and attention within windows of a map, head after head, each with a bias of its own."""

    def __init__(self, side: int = 4) -> None:
        super().__init__()
        self.side, self.heads = side, 2
        self.qkv = nn.ModuleList(
            nn.Sequential(nn.Conv2d(4, 12, 1, bias=False), nn.BatchNorm2d(12)) for _ in "ab"
        )
        self.near = nn.ModuleList(nn.Conv2d(4, 4, size, padding=size // 2, groups=4) for size in (3, 5))
        self.out = nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 1))
        at = torch.cartesian_prod(torch.arange(side), torch.arange(side))
        away = (at[:, None] - at).abs()
        self.table = nn.Parameter(torch.rand(2, side * side))
        self.register_buffer("index", away[..., 0] * side + away[..., 1], persistent=False)

    def within(self, x: Tensor) -> Tensor:
        bias, parts, found = self.table[:, self.index], x.chunk(2, 1), []
        part = parts[0]
        for head, (qkv, near) in enumerate(zip(self.qkv, self.near, strict=True)):
            part = part + parts[1] if head else part
            q, k, v = qkv(part).split(4, 1)
            q, k, v = (one.flatten(2) for one in (near(q), k, v))
            scores = (q * 0.5).transpose(-2, -1) @ k + bias[head]
            part = (v @ scores.softmax(-1).transpose(-2, -1)).view(-1, 4, self.side, self.side)
            found.append(part)
        return self.out(torch.cat(found, 1))  # type: ignore[no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        n = self.side
        x = F.pad(x.permute(0, 2, 3, 1), (0, 0, 0, -w % n, 0, -h % n))
        rows, columns = x.shape[1] // n, x.shape[2] // n
        x = x.view(b, rows, n, columns, n, c).transpose(2, 3).reshape(-1, n, n, c)
        x = self.within(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        x = x.view(b, rows, columns, n, n, c).transpose(2, 3).reshape(b, rows * n, columns * n, c)
        return x[:, :h, :w].permute(0, 3, 1, 2)


class Heads(nn.Module):
    """Queries and keys that are pooled, head by head, by one convolution for all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.norm = nn.Linear(8, 24), nn.LayerNorm(4)
        self.query = nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False)
        self.key = nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, 2, -1).permute(2, 0, 3, 1, 4).unbind(0)

        def pooled(one: Tensor, pool: Callable[[Tensor], Tensor]) -> Tensor:
            one = one.reshape(b * 2, 6, 4, 4).permute(0, 3, 1, 2)
            return pool(one).reshape(b, 2, 4, -1).transpose(2, 3)

        q, k, v = pooled(q, self.query), pooled(k, self.key), pooled(v, nn.MaxPool2d(3, 2, 1))
        scores = (self.norm(q) * 0.5) @ self.norm(k).transpose(-2, -1)
        return (scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c)


class Patches(nn.Module):
    """A convolution within each patch of an image, whose pixels are tokens then."""

    def __init__(self) -> None:
        super().__init__()
        self.unfold, self.proj = nn.Unfold(4, stride=4), nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.place = nn.Parameter(torch.rand(1, 5, 2, 2))
        self.norm, self.join = nn.LayerNorm(5), nn.Linear(20, 7)
        self.qkv = nn.Linear(5, 15)

    def forward(self, x: Tensor) -> Tensor:
        b = len(x)
        x = self.unfold(x).transpose(1, 2).reshape(-1, 3, 4, 4)
        x = (self.proj(x) + self.place).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
        x = x + F.scaled_dot_product_attention(q, k, v)
        return self.join(x.reshape(b, -1, 20))  # type: ignore[no-any-return]


class Scaled(nn.Module):
    """ConvNeXt's block of each frame, whose channels are scaled while they stand last."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.norm = nn.Conv2d(3, 3, 3, padding=1, groups=3), nn.LayerNorm(3)
        self.wide, self.back = nn.Linear(3, 6), nn.Linear(6, 3)
        self.scale = nn.Parameter(torch.rand(3))

    def forward(self, x: Tensor) -> Tensor:
        y = x.flatten(0, 1)
        z = self.back(F.gelu(self.wide(self.norm(self.near(y).permute(0, 2, 3, 1)))))
        return (y + (self.scale * z).permute(0, 3, 1, 2)).view_as(x)


class OneHead(nn.Module):
    """All heads of the queries read the same keys and values, as in MobileNet V5."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Conv2d(8, 12, 1), nn.Conv2d(8, 4, 2, 2), nn.Conv2d(8, 4, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        q = self.q(x).view(b, 3, 4, h * w).transpose(-1, -2)
        k, v = (one(x).flatten(2).transpose(1, 2).unsqueeze(1) for one in (self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v)
        return y.transpose(1, 2).reshape(b, h, w, 12).permute(0, 3, 1, 2)


class OneMatrix(nn.Module):
    """Every head is multiplied by the same matrix of a sample, as in LambdaNetworks."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Conv2d(8, 12 + 4 + 5, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, _, h, w = x.shape
        q, k, v = self.qkv(x).split((12, 4, 5), 1)
        q = q.reshape(b, 3, 4, h * w).transpose(-1, -2)
        content = k.flatten(2).softmax(-1) @ v.flatten(2).transpose(-1, -2)
        return (q @ content.unsqueeze(1)).transpose(-1, -2).reshape(b, 15, h, w)


#: Each with the input that it takes, and ops that say it.
MODULES: dict[type[nn.Module], tuple[tuple[int, ...], set[str]]] = {
    Video: ((FRAMES, *FRAME), {"frame_conv", "batch_norm", "max_pool", "gru"}),
    StepsFirst: ((FRAMES, *FRAME), {"frame_conv", "batch_norm", "max_pool", "gru"}),
    Windows: ((8, 7, 8), {"frame_conv", "batch_norm", "attention", "relative_positions"}),
    Heads: ((24, 8), {"frame_conv", "max_pool", "attention"}),
    Patches: ((3, 8, 12), {"frame_conv", "attention", "parameter"}),
    Scaled: ((FRAMES, *FRAME), {"frame_conv", "layer_scale"}),
    OneHead: ((8, 4, 6), {"attention"}),
    OneMatrix: ((8, 4, 6), {"matmul", "softmax", "upsample"}),
}


@pytest.mark.parametrize("kind", MODULES)
def test_what_is_folded_into_the_batch_is_said_in_ops(kind: type[nn.Module]) -> None:
    torch.manual_seed(1)
    sizes, kinds = MODULES[kind]
    check(kind(), sizes, kinds)


class Each(nn.Module):
    """Does something to each frame."""

    def __init__(self, does: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.does = does

    def forward(self, x: Tensor) -> Tensor:
        y = self.does(x.flatten(0, 1))
        return y.view(*x.shape[:2], *y.shape[1:])


#: What is done to maps, and the op that says it of frames.
OF_MAPS: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "pool": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), "avg_pool"),
    "dilated": (nn.MaxPool2d((3, 2), (2, 1), (1, 0), dilation=(2, 1)), "max_pool"),
    "adaptive": (nn.AdaptiveMaxPool2d((3, 2)), "adaptive_max_pool"),
    "nearest": (nn.Upsample(scale_factor=2), "upsample"),
    "bilinear": (nn.Upsample((9, 20), mode="bilinear", align_corners=True), "upsample"),
    "pad": (lambda x: F.pad(x, (1, 2, 0, -1), value=0.5), "pad"),
    "reflect": (lambda x: F.pad(x, (1, 2, 3, 1), mode="reflect"), "pad"),
    "channels": (lambda x: F.pad(x, (0, 0, 0, 0, 1, 0)), "pad"),
}


@pytest.mark.parametrize("name", OF_MAPS)
def test_maps_beside_each_other(name: str) -> None:
    does, kind = OF_MAPS[name]
    check(Each(does), (FRAMES, *FRAME), {kind})


#: What would look over the frames, or has no op for a row of such maps.
NOT_EACH: dict[str, Callable[[Tensor], Tensor]] = {
    "group norm": nn.GroupNorm(1, 3),
    "instance norm": nn.InstanceNorm2d(3),
    "cubic": nn.Upsample(scale_factor=2, mode="bicubic"),
    "transposed": nn.ConvTranspose2d(3, 4, 2, 2),
}


@pytest.mark.parametrize("name", NOT_EACH)
def test_what_is_not_said_of_frames(name: str) -> None:
    """Its statistics would be those of all frames; or no op does it."""
    module = Each(NOT_EACH[name])
    network = archlens.trace(module, (FRAMES, *FRAME))
    assert [layer.op.kind for layer in network].count("opaque") == 1
    assert tuple(network.output) == tuple(module(torch.rand(1, FRAMES, *FRAME)).shape[1:])


def test_volumes_beside_each_other_have_no_op() -> None:
    """Their products are those that ran: ``2 x 3`` volumes of ``8*8*8`` outputs of ``4 * 27`` each."""

    class Volumes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(4, 5, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x.view(-1, 4, 8, 8, 8)).view(len(x), 30, -1)  # type: ignore[no-any-return]

    network = archlens.trace(Volumes(), (24, 8, 64))
    assert [layer.op.kind for layer in network if layer.params] == ["opaque"]
    assert network.macs == 6 * 5 * 8**3 * 4 * 27


def test_samples_and_frames_that_are_mixed_up_are_not_read_as_frames() -> None:
    """``view(t, b)`` of what lies as ``(b, t)`` takes other samples' frames."""

    class Mixed(Video):
        def forward(self, x: Tensor) -> Tensor:
            b, t = x.shape[:2]
            steps = self.cnn(x.flatten(0, 1)).view(t, b, -1).transpose(0, 1)
            return self.fc(self.rnn(steps)[0].mean(1))  # type: ignore[no-any-return]

    try:
        network = archlens.trace(Mixed(), (FRAMES, *FRAME))
    except archlens.ArchlensError:
        return
    with pytest.raises(archlens.ArchlensError, match="cannot be written as a spec"):
        archlens.convert(network)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("kind", [Video, StepsFirst])
def test_hooks_see_frames_in_the_batch(kind: type[Video], batch: int) -> None:
    module = kind().eval()
    network = archlens.trace(module, (FRAMES, *FRAME))
    x = torch.rand(batch, FRAMES, *FRAME)
    result = verify(network, reference=Reference(module, (x,), {}, (x,)), batch=batch)
    assert [one for one in result.checks if one.status == FAILED] == []
    assert differences(module, network, traced=True) == []


def test_frames_are_no_part_of_the_window() -> None:
    """What planted NaNs reach: the whole frame's 3x3, and no other frame."""
    module: Any = Each(nn.Conv2d(3, 1, 3, padding=1)).eval()
    x = torch.zeros(1, FRAMES, *FRAME)
    x[0, 1, :, 5, 4] = torch.nan
    with torch.no_grad():
        found = module(x)[0].isnan().nonzero()
    assert found[:, 0].unique().tolist() == [1]
    assert len(found) == 9
    (conv,) = (layer for layer in archlens.trace(module, (FRAMES, *FRAME)) if layer.op.kind == "frame_conv")
    assert [(one.extent, one.stride) for one in conv.facts.reach] == [(1, 1), (3, 1), (3, 1)]
