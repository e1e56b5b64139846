"""Networks that no library installs, as short modules of torch: those whose weights people have.

Each has the structure and the names of what its first lines say, and ``tests/references.py
reference_modules`` holds the specs against them. Beside them stand torchvision's detectors, up to what their
heads give.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

# -- torchvision's detectors --


def detector(name: str, **arguments: object) -> nn.Module:
    """As torchvision makes it where it has weights: its batch normalizations are frozen."""
    from torchvision.models import detection
    from torchvision.ops import FrozenBatchNorm2d

    with patch.object(nn, "BatchNorm2d", FrozenBatchNorm2d):
        return getattr(detection, name)(weights=None, weights_backbone=None, **arguments)


def fpn_resnet50() -> nn.Module:
    """The pyramid that the detectors are built on."""
    return detector("maskrcnn_resnet50_fpn").backbone


def retinanet_resnet50_fpn() -> nn.Module:
    """Up to its heads."""
    found = detector("retinanet_resnet50_fpn")
    found.forward = lambda x: found.head([*found.backbone(x).values()])
    return found


def ssd300_vgg16() -> nn.Module:
    """Up to its heads."""
    found = detector("ssd300_vgg16")
    found.forward = lambda x: found.head([*found.backbone(x).values()])
    return found


def maskrcnn_resnet50_fpn() -> nn.Module:
    """Without what cuts regions out: its heads are given the crop of one."""
    found = detector("maskrcnn_resnet50_fpn")

    def rows(maps: list[Tensor], numbers: int) -> Tensor:
        parts = [one.unflatten(1, (-1, numbers)).permute(0, 3, 4, 1, 2).flatten(1, 3) for one in maps]
        return torch.cat(parts, 1)

    def forward(image: Tensor, box: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        scores, moves = found.rpn.head([*found.backbone(image).values()])
        heads = found.roi_heads
        classes, boxes = heads.box_predictor(heads.box_head(box))
        masks = heads.mask_predictor(heads.mask_head(mask))
        return rows(scores, 1), rows(moves, 4), classes, boxes, masks

    found.forward = forward
    return found


# -- segmentation --


class FCN(nn.Module):
    """FCN on VGG-16 with the names of the authors' Caffe files, as wkentaro/pytorch-fcn has their weights."""

    def __init__(
        self, name: str, stride: int, offset: int, skips: Iterable[tuple[str, int, int]] = ()
    ) -> None:
        super().__init__()
        self.last, self.offset, self.skips = name, offset, [*skips]
        channels = 3
        self.depths = (2, 2, 3, 3, 3)
        for stage, depth in enumerate(self.depths, 1):
            width = min(32 * 2**stage, 512)
            for i in range(1, depth + 1):
                padding = 100 if stage == i == 1 else 1
                self.add_module(f"conv{stage}_{i}", nn.Conv2d(channels, width, 3, padding=padding))
                channels = width
        self.fc6 = nn.Conv2d(512, 4096, 7)
        self.fc7 = nn.Conv2d(4096, 4096, 1)
        self.score_fr = nn.Conv2d(4096, 21, 1)
        for up, pool, _ in self.skips:
            self.add_module(f"score_pool{pool}", nn.Conv2d(32 * 2**pool, 21, 1))
            self.add_module(up, nn.ConvTranspose2d(21, 21, 4, 2, bias=False))
        self.add_module(name, nn.ConvTranspose2d(21, 21, 2 * stride, stride, bias=False))

    def forward(self, image: Tensor) -> Tensor:
        def cut(x: Tensor, offset: int, like: Tensor) -> Tensor:
            return x[:, :, offset : offset + like.shape[2], offset : offset + like.shape[3]]

        x, pools = image, {}
        for stage, depth in enumerate(self.depths, 1):
            for i in range(1, depth + 1):
                x = getattr(self, f"conv{stage}_{i}")(x).relu()
            x = pools[stage] = F.max_pool2d(x, 2, ceil_mode=True)
        x = self.score_fr(self.fc7(self.fc6(x).relu()).relu())
        for up, pool, offset in self.skips:
            x = getattr(self, up)(x)
            x = x + cut(getattr(self, f"score_pool{pool}")(pools[pool]), offset, x)
        return cut(getattr(self, self.last)(x), self.offset, image)


class PSPNet(nn.Module):
    """hszhao/semseg at 4f274c3f: model/pspnet.py."""

    def __init__(self, depths: Iterable[int], classes: int = 150) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for inside, out, stride in ((3, 64, 2), (64, 64, 1), (64, 128, 1)):
            parts += [nn.Conv2d(inside, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        self.layer0 = nn.Sequential(*parts, nn.MaxPool2d(3, 2, 1))
        inside = 128
        for stage, depth in enumerate(depths, 1):
            width, dilation = 32 * 2**stage, (1, 1, 2, 4)[stage - 1]
            units = []
            for i in range(depth):
                units.append(Bottleneck(inside, width, 2 if stage == 2 and i == 0 else 1, dilation))
                inside = 4 * width
            self.add_module(f"layer{stage}", nn.Sequential(*units))
        self.ppm = nn.Module()
        self.ppm.features = nn.ModuleList(
            nn.Sequential(
                nn.AdaptiveAvgPool2d(bin), nn.Conv2d(2048, 512, 1, bias=False), nn.BatchNorm2d(512), nn.ReLU()
            )
            for bin in (1, 2, 3, 6)
        )
        for name, inside, width in (("cls", 4096, 512), ("aux", 1024, 256)):
            head = [nn.Conv2d(inside, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            self.add_module(name, nn.Sequential(*head, nn.Dropout2d(0.1), nn.Conv2d(width, classes, 1)))

    def forward(self, image: Tensor) -> Tensor:
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.layer0(image)))))
        x = torch.cat([x, *(bilinear(part(x), x.shape[2:]) for part in self.ppm.features)], 1)
        return bilinear(self.cls(x), image.shape[2:])


class Bottleneck(nn.Module):
    """ResNet's, with its stride and its holes in the 3x3 convolution."""

    def __init__(self, inside: int, width: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if stride != 1 or inside != 4 * width:
            project = nn.Conv2d(inside, 4 * width, 1, stride, bias=False)
            self.downsample = nn.Sequential(project, nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu()
        y = self.bn2(self.conv2(y)).relu()
        y = self.bn3(self.conv3(y))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


def bilinear(x: Tensor, size: Iterable[int]) -> Tensor:
    """Corners on corners."""
    return F.interpolate(x, tuple(size), mode="bilinear", align_corners=True)


# -- generation, sequences, pairs --


class DCGANGenerator(nn.Module):
    """pytorch/examples at 77f55b91: dcgan/main.py, Generator."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        for inside, out in ((100, 512), (512, 256), (256, 128), (128, 64)):
            stride, padding = (1, 0) if inside == 100 else (2, 1)
            up = nn.ConvTranspose2d(inside, out, 4, stride, padding, bias=False)
            parts += [up, nn.BatchNorm2d(out), nn.ReLU()]
        self.main = nn.Sequential(*parts, nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, noise: Tensor) -> Tensor:
        return self.main(noise)


class DCGANDiscriminator(nn.Module):
    """pytorch/examples at 77f55b91: dcgan/main.py, Discriminator."""

    def __init__(self) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(3, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        for inside in (64, 128, 256):
            down = nn.Conv2d(inside, 2 * inside, 4, 2, 1, bias=False)
            parts += [down, nn.BatchNorm2d(2 * inside), nn.LeakyReLU(0.2)]
        self.main = nn.Sequential(*parts, nn.Conv2d(512, 1, 4, 1, 0, bias=False), nn.Sigmoid())

    def forward(self, image: Tensor) -> Tensor:
        return self.main(image).flatten(1)


class TCN(nn.Module):
    """locuslab/TCN at 2f8c2b81: TCN/mnist_pixel/model.py, after remove_weight_norm, each weight once."""

    class Level(nn.Module):
        def __init__(self, inside: int, dilation: int) -> None:
            super().__init__()
            self.cut = 6 * dilation
            self.conv1 = nn.Conv1d(inside, 25, 7, padding=self.cut, dilation=dilation)
            self.conv2 = nn.Conv1d(25, 25, 7, padding=self.cut, dilation=dilation)
            self.downsample = nn.Conv1d(inside, 25, 1) if inside != 25 else None

        def forward(self, x: Tensor) -> Tensor:
            y = self.conv1(x)[..., : -self.cut].relu()
            y = self.conv2(y)[..., : -self.cut].relu()
            return (y + (x if self.downsample is None else self.downsample(x))).relu()

    def __init__(self) -> None:
        super().__init__()
        self.tcn = nn.Module()
        self.tcn.network = nn.Sequential(*(self.Level(25 if i else 1, 2**i) for i in range(8)))
        self.linear = nn.Linear(25, 10)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.linear(self.tcn.network(pixels)[..., -1]).log_softmax(1)


class WaveNet(nn.Module):
    """ibab/tensorflow-wavenet at 3c973c03: wavenet/model.py with wavenet_params.json."""

    class Layer(nn.Module):
        def __init__(self, dilation: int, left: int) -> None:
            super().__init__()
            self.dilation, self.left = dilation, left
            self.filter = nn.Conv1d(32, 32, 2, dilation=dilation)
            self.gate = nn.Conv1d(32, 32, 2, dilation=dilation)
            self.dense = nn.Conv1d(32, 32, 1)
            self.skip = nn.Conv1d(32, 512, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            out = self.filter(x).tanh() * self.gate(x).sigmoid()
            return x[..., self.dilation :] + self.dense(out), self.skip(out[..., -self.left :])

    def __init__(self, length: int = 16000) -> None:
        super().__init__()
        dilations = [2**i for _ in range(5) for i in range(10)]
        left = length - 1 - sum(dilations)
        self.causal_layer = nn.Conv1d(256, 32, 2, bias=False)
        layers = ((f"layer{i}", self.Layer(dilation, left)) for i, dilation in enumerate(dilations))
        self.dilated_stack = nn.ModuleDict(layers)
        self.postprocessing = nn.ModuleDict(
            {"postprocess1": nn.Conv1d(512, 512, 1), "postprocess2": nn.Conv1d(512, 256, 1)}
        )

    def forward(self, x: Tensor) -> Tensor:
        x, total = self.causal_layer(x), 0
        for layer in self.dilated_stack.values():
            x, skip = layer(x)
            total = total + skip
        total = self.postprocessing["postprocess1"](total.relu())
        return self.postprocessing["postprocess2"](total.relu())


class SentimentLSTM(nn.Module):
    """bentrevett/pytorch-sentiment-analysis: the last states of both directions of the last layer."""

    def __init__(self, words: int = 25002) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 100)
        self.rnn = nn.LSTM(100, 256, num_layers=2, bidirectional=True, batch_first=True)
        self.fc = nn.Linear(512, 1)

    def forward(self, text: Tensor) -> Tensor:
        _, (hidden, _) = self.rnn(self.embedding(text))
        return self.fc(torch.cat((hidden[-2], hidden[-1]), 1))


class Siamese(nn.Module):
    """pytorch/examples at 77f55b91: siamese_network/main.py."""

    def __init__(self) -> None:
        from torchvision.models import resnet18

        super().__init__()
        whole = resnet18()
        whole.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.resnet = nn.Sequential(*[*whole.children()][:-1])
        self.fc = nn.Sequential(nn.Linear(1024, 256), nn.ReLU(), nn.Linear(256, 1))

    def forward(self, one: Tensor, other: Tensor) -> Tensor:
        return self.fc(torch.cat([self.resnet(one).flatten(1), self.resnet(other).flatten(1)], 1)).sigmoid()


# -- PointNet: Qi et al. 2017, figure 2 and appendix C, with the scopes of the authors' code --


class PointNet(nn.Module):
    """What classifies, both of its T-Nets included: points are N, 3, L."""

    def __init__(self, classes: int = 40) -> None:
        super().__init__()
        self.transform_net1 = TNet(3)
        self.transform_net2 = TNet(64)
        for i, (n, out) in enumerate([(3, 64), (64, 64), (64, 64), (64, 128), (128, 1024)], 1):
            self.add_module(f"conv{i}", PointNet.unit("conv", nn.Conv1d(n, out, 1)))
        self.fc1 = PointNet.unit("linear", nn.Linear(1024, 512))
        self.fc2 = PointNet.unit("linear", nn.Linear(512, 256))
        self.fc3 = nn.Linear(256, classes)

    @staticmethod
    def unit(name: str, layer: nn.Module) -> nn.Sequential:
        """A layer, its norm and ReLU."""
        norm = nn.BatchNorm1d(len(layer.bias))
        return nn.Sequential(OrderedDict([(name, layer), ("bn", norm), ("relu", nn.ReLU())]))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.bmm(self.transform_net1(x), x)
        x = self.conv2(self.conv1(x))
        x = torch.bmm(self.transform_net2(x), x)
        x = self.conv5(self.conv4(self.conv3(x)))
        x = x.max(2).values
        return self.fc3(self.fc2(self.fc1(x)))


class TNet(nn.Module):
    """A matrix for all points of a cloud: the identity, and what a small PointNet adds to it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.tconv1 = PointNet.unit("conv", nn.Conv1d(size, 64, 1))
        self.tconv2 = PointNet.unit("conv", nn.Conv1d(64, 128, 1))
        self.tconv3 = PointNet.unit("conv", nn.Conv1d(128, 1024, 1))
        self.tfc1 = PointNet.unit("linear", nn.Linear(1024, 512))
        self.tfc2 = PointNet.unit("linear", nn.Linear(512, 256))
        self.transform = nn.Linear(256, size**2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.tconv3(self.tconv2(self.tconv1(x))).max(2).values
        x = self.transform(self.tfc2(self.tfc1(x))).view(-1, self.size, self.size)
        return (x + torch.eye(self.size, device=x.device)).transpose(1, 2)  # rows of points, times the matrix


# -- diffusion --


def steps(times: Tensor, width: int, shift: int, cos_first: bool) -> Tensor:
    """Sines and cosines of one time step each."""
    half = width // 2
    angles = times * torch.exp(torch.arange(half) * (-math.log(10000) / (half - shift))).to(times.device)
    return torch.cat([angles.cos(), angles.sin()] if cos_first else [angles.sin(), angles.cos()], 1)


def heads(q: Tensor, k: Tensor, v: Tensor, count: int) -> Tensor:
    """Attention of several heads: N, L, C each."""
    q, k, v = (one.unflatten(2, (count, -1)).transpose(1, 2) for one in (q, k, v))
    weights = (q @ k.transpose(2, 3) / q.shape[-1] ** 0.5).softmax(3)
    return (weights @ v).transpose(1, 2).flatten(2)


class DDPM(nn.Module):
    """hojonathanho/diffusion at 1e0dceb3: diffusion_tf/models/unet.py with the arguments of run_cifar.py."""

    class Block(nn.Module):
        def __init__(self, inside: int, out: int) -> None:
            super().__init__()
            self.norm1 = nn.GroupNorm(32, inside, 1e-6)
            self.conv1 = nn.Conv2d(inside, out, 3, padding=1)
            self.temb_proj = nn.Linear(512, out)
            self.norm2 = nn.GroupNorm(32, out, 1e-6)
            self.conv2 = nn.Conv2d(out, out, 3, padding=1)
            self.nin_shortcut = nn.Conv2d(inside, out, 1) if inside != out else None

        def forward(self, x: Tensor, temb: Tensor) -> Tensor:
            y = self.conv1(F.silu(self.norm1(x))) + self.temb_proj(F.silu(temb))[:, :, None, None]
            y = self.conv2(F.silu(self.norm2(y)))
            return y + (x if self.nin_shortcut is None else self.nin_shortcut(x))

    class Attention(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.norm = nn.GroupNorm(32, width, 1e-6)
            self.q, self.k, self.v, self.proj_out = (nn.Linear(width, width) for _ in range(4))

        def forward(self, x: Tensor) -> Tensor:
            y = self.norm(x).flatten(2).transpose(1, 2)
            y = self.proj_out(heads(self.q(y), self.k(y), self.v(y), 1))
            return x + y.transpose(1, 2).unflatten(2, x.shape[2:])

    class Moved(nn.Module):
        def __init__(self, width: int, up: bool) -> None:
            super().__init__()
            self.up = up
            self.conv = nn.Conv2d(width, width, 3, 1 if up else 2, 1 if up else 0)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(F.interpolate(x, scale_factor=2.0) if self.up else F.pad(x, (0, 1, 0, 1)))

    def __init__(self) -> None:
        super().__init__()
        widths, inside, skips = (128, 256, 256, 256), 128, [128]
        self.temb = nn.ModuleDict({"dense0": nn.Linear(128, 512), "dense1": nn.Linear(512, 512)})
        self.conv_in = nn.Conv2d(3, 128, 3, padding=1)
        for level, width in enumerate(widths):
            parts = nn.ModuleDict()
            for i in range(2):
                parts[f"block_{i}"] = self.Block(inside, width)
                inside = width
                skips.append(width)
                if level == 1:
                    parts[f"attn_{i}"] = self.Attention(width)
            if level < 3:
                parts["downsample"] = self.Moved(width, up=False)
                skips.append(width)
            self.add_module(f"down_{level}", parts)
        mid = {
            "block_1": self.Block(256, 256),
            "attn_1": self.Attention(256),
            "block_2": self.Block(256, 256),
        }
        self.mid = nn.ModuleDict(mid)
        for level, width in reversed([*enumerate(widths)]):
            parts = nn.ModuleDict()
            for i in range(3):
                parts[f"block_{i}"] = self.Block(inside + skips.pop(), width)
                inside = width
                if level == 1:
                    parts[f"attn_{i}"] = self.Attention(width)
            if level:
                parts["upsample"] = self.Moved(width, up=True)
            self.add_module(f"up_{level}", parts)
        self.norm_out = nn.GroupNorm(32, 128, 1e-6)
        self.conv_out = nn.Conv2d(128, 3, 3, padding=1)

    def forward(self, image: Tensor, time: Tensor) -> Tensor:
        temb = self.temb["dense1"](F.silu(self.temb["dense0"](steps(time, 128, 1, cos_first=False))))
        x = self.conv_in(image)
        skips = [x]
        for level in range(4):
            for name, part in getattr(self, f"down_{level}").items():
                x = part(x, temb) if name.startswith("block") else part(x)
                if name.startswith("attn"):
                    skips.pop()
                skips.append(x)
        x = self.mid["block_2"](self.mid["attn_1"](self.mid["block_1"](x, temb)), temb)
        for level in (3, 2, 1, 0):
            for name, part in getattr(self, f"up_{level}").items():
                block = name.startswith("block")
                x = part(torch.cat([x, skips.pop()], 1), temb) if block else part(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class StableDiffusion(nn.Module):
    """CompVis/stable-diffusion at 21f890f9: openaimodel.py and attention.py with v1-inference.yaml."""

    class Res(nn.Module):
        def __init__(self, inside: int, out: int, time: int, groups: int) -> None:
            super().__init__()
            conv = nn.Conv2d(inside, out, 3, padding=1)
            self.in_layers = nn.Sequential(nn.GroupNorm(groups, inside), nn.SiLU(), conv)
            self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time, out))
            conv = nn.Conv2d(out, out, 3, padding=1)
            self.out_layers = nn.Sequential(nn.GroupNorm(groups, out), nn.SiLU(), nn.Dropout(0.0), conv)
            self.skip_connection = nn.Conv2d(inside, out, 1) if inside != out else nn.Identity()

        def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
            y = self.in_layers(x) + self.emb_layers(time)[:, :, None, None]
            return self.skip_connection(x) + self.out_layers(y)

    class Attention(nn.Module):
        def __init__(self, width: int, context: int, count: int) -> None:
            super().__init__()
            self.count = count
            self.to_q = nn.Linear(width, width, bias=False)
            self.to_k = nn.Linear(context, width, bias=False)
            self.to_v = nn.Linear(context, width, bias=False)
            self.to_out = nn.Sequential(nn.Linear(width, width), nn.Dropout(0.0))

        def forward(self, x: Tensor, context: Tensor) -> Tensor:
            return self.to_out(heads(self.to_q(x), self.to_k(context), self.to_v(context), self.count))

    class GEGLU(nn.Module):
        def __init__(self, inside: int, out: int) -> None:
            super().__init__()
            self.proj = nn.Linear(inside, 2 * out)

        def forward(self, x: Tensor) -> Tensor:
            value, gate = self.proj(x).chunk(2, -1)
            return value * F.gelu(gate)

    class Layer(nn.Module):
        def __init__(self, width: int, context: int, count: int) -> None:
            super().__init__()
            made = StableDiffusion
            self.attn1 = made.Attention(width, width, count)
            self.ff = nn.Module()
            last = nn.Linear(4 * width, width)
            self.ff.net = nn.Sequential(made.GEGLU(width, 4 * width), nn.Dropout(0.0), last)
            self.attn2 = made.Attention(width, context, count)
            self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))

        def forward(self, x: Tensor, context: Tensor) -> Tensor:
            y = self.norm1(x)
            x = x + self.attn1(y, y)
            x = x + self.attn2(self.norm2(x), context)
            return x + self.ff.net(self.norm3(x))

    class Transformer(nn.Module):
        def __init__(self, width: int, context: int, count: int, groups: int) -> None:
            super().__init__()
            self.norm = nn.GroupNorm(groups, width, 1e-6)
            self.proj_in = nn.Conv2d(width, width, 1)
            self.transformer_blocks = nn.ModuleList([StableDiffusion.Layer(width, context, count)])
            self.proj_out = nn.Conv2d(width, width, 1)

        def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
            y = self.proj_in(self.norm(x))
            y = self.transformer_blocks[0](y.flatten(2).transpose(1, 2), context)
            return x + self.proj_out(y.transpose(1, 2).unflatten(2, x.shape[2:]))

    class Down(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.op = nn.Conv2d(width, width, 3, 2, 1)

        def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
            return self.op(x)

    class Up(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(width, width, 3, padding=1)

        def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
            return self.conv(F.interpolate(x, scale_factor=2.0))

    class First(nn.Conv2d):
        def forward(self, x: Tensor, time: Tensor, context: Tensor) -> Tensor:
            return super().forward(x)

    def __init__(self, width: int = 320, context: int = 768, count: int = 8, groups: int = 32) -> None:
        super().__init__()
        self.width = width

        def res(inside: int, out: int) -> nn.Module:
            return self.Res(inside, out, 4 * width, groups)

        def transformer(inside: int) -> nn.Module:
            return self.Transformer(inside, context, count, groups)

        self.time_embed = nn.Sequential(
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, 4 * width)
        )
        blocks, inside, skips = [[self.First(4, width, 3, padding=1)]], width, [width]
        for level, times in enumerate((1, 2, 4, 4)):
            for _ in range(2):
                blocks.append([res(inside, times * width)])
                inside = times * width
                blocks[-1] += [transformer(inside)] if level < 3 else []
                skips.append(inside)
            if level < 3:
                blocks.append([self.Down(inside)])
                skips.append(inside)
        self.input_blocks = nn.ModuleList(map(nn.ModuleList, blocks))
        self.middle_block = nn.ModuleList([res(inside, inside), transformer(inside), res(inside, inside)])
        blocks = []
        for level, times in reversed([*enumerate((1, 2, 4, 4))]):
            for i in range(3):
                blocks.append([res(inside + skips.pop(), times * width)])
                inside = times * width
                blocks[-1] += [transformer(inside)] if level < 3 else []
                blocks[-1] += [self.Up(inside)] if level and i == 2 else []
        self.output_blocks = nn.ModuleList(map(nn.ModuleList, blocks))
        last = nn.Conv2d(width, 4, 3, padding=1)
        self.out = nn.Sequential(nn.GroupNorm(groups, width), nn.SiLU(), last)

    def forward(self, latent: Tensor, time: Tensor, context: Tensor) -> Tensor:
        emb = self.time_embed(steps(time, self.width, 0, cos_first=True))
        x, skips = latent, []
        for parts in self.input_blocks:
            for part in parts:
                x = part(x, emb, context)
            skips.append(x)
        for part in self.middle_block:
            x = part(x, emb, context)
        for parts in self.output_blocks:
            x = torch.cat([x, skips.pop()], 1)
            for part in parts:
                x = part(x, emb, context)
        return self.out(x)


# -- detection by a Transformer --


class DETR(nn.Module):
    """facebookresearch/detr at 29901c51: models/ with its defaults, on an image without padding."""

    class Layer(nn.Module):
        def __init__(self, cross: bool) -> None:
            super().__init__()
            self.self_attn = nn.MultiheadAttention(256, 8, batch_first=True)
            if cross:
                self.multihead_attn = nn.MultiheadAttention(256, 8, batch_first=True)
                self.norm3 = nn.LayerNorm(256)
            self.linear1, self.linear2 = nn.Linear(256, 2048), nn.Linear(2048, 256)
            self.norm1, self.norm2 = nn.LayerNorm(256), nn.LayerNorm(256)

        def forward(self, x: Tensor, places: Tensor, keys: Tensor | None, memory: Tensor | None) -> Tensor:
            at = x + places
            x = self.norm1(x + self.self_attn(at, at, x, need_weights=False)[0])
            if keys is not None:
                x = x + self.multihead_attn(x + places, keys, memory, need_weights=False)[0]
                x = self.norm2(x)
            norm = self.norm2 if keys is None else self.norm3
            return norm(x + self.linear2(self.linear1(x).relu()))

    def __init__(self) -> None:
        from torchvision.models import resnet50
        from torchvision.models._utils import IntermediateLayerGetter
        from torchvision.ops import FrozenBatchNorm2d

        super().__init__()
        whole = resnet50(norm_layer=FrozenBatchNorm2d)
        first = nn.ModuleDict({"body": IntermediateLayerGetter(whole, {"layer4": "0"})})
        self.backbone = nn.ModuleList([first])
        self.input_proj = nn.Conv2d(2048, 256, 1)
        self.query_embed = nn.Embedding(100, 256)
        self.transformer = nn.Module()
        for name, cross in (("encoder", False), ("decoder", True)):
            part = nn.ModuleDict({"layers": nn.ModuleList(self.Layer(cross) for _ in range(6))})
            self.transformer.add_module(name, part)
        self.transformer.decoder["norm"] = nn.LayerNorm(256)
        self.class_embed = nn.Linear(256, 92)
        layers = nn.ModuleList(nn.Linear(256, size) for size in (256, 256, 4))
        self.bbox_embed = nn.ModuleDict({"layers": layers})

    @staticmethod
    def places(height: int, width: int) -> Tensor:
        """Sines and cosines of rows, and of columns, as positions of a sequence."""
        rates = 10000 ** (2 * (torch.arange(128) // 2) / 128)
        found = []
        for n in (height, width):
            angles = torch.arange(1, n + 1)[:, None] / (n + 1e-6) * 2 * math.pi / rates
            found.append(torch.stack((angles[:, ::2].sin(), angles[:, 1::2].cos()), 2).flatten(1))
        rows, columns = found[0][:, None].expand(-1, width, -1), found[1].expand(height, -1, -1)
        return torch.cat((rows, columns), 2).flatten(0, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = self.input_proj(self.backbone[0]["body"](image)["0"])
        places = self.places(*x.shape[2:]).to(x.device)
        memory = x.flatten(2).transpose(1, 2)
        for layer in self.transformer.encoder["layers"]:
            memory = layer(memory, places, None, None)
        queries = self.query_embed.weight.expand(len(x), -1, -1)
        x = torch.zeros_like(queries)
        for layer in self.transformer.decoder["layers"]:
            x = layer(x, queries, memory + places, memory)
        x = self.transformer.decoder["norm"](x)
        first, second, last = self.bbox_embed["layers"]
        return self.class_embed(x), last(second(first(x).relu()).relu()).sigmoid()
