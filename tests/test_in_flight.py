"""Networks in which several tensors are in flight, each as a spec beside the same in torch.

The spec has the keys of the module's state dict, computes what it computes, and is shorter.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d

import archlens

WAVENET = """\
input: 16x100
params: {width: 8, dilations: [1, 2, 4, 8, 1, 2, 4, 8]}
blocks:
  causal(dilation, act):
    - pad([(dilation, 0)])
    - conv(width, 2, dilation=dilation)
    - act
  layer(dilation):
    - residual:
        - multiply:
            filter: causal(dilation, tanh)
            gates: causal(dilation, sigmoid)
        - skip: conv(2 * width, 1)
        - ref(multiply)
        - out: conv(width, 1)
layers:
  - start: causal(1, none)
  - layers:
      - each: dilation
        in: dilations
        do: layer(dilation)
  - add:
      each: i
      in: range(len(dilations))
      do: ref("layers.{i}.skip")
  - relu
  - end1: conv(2 * width, 1)
  - relu
  - end2: conv(16, 1)
"""


class WaveNet(nn.Module):
    class Layer(nn.Module):
        def __init__(self, width: int, dilation: int) -> None:
            super().__init__()
            self.filter = nn.Sequential(
                nn.ConstantPad1d((dilation, 0), 0.0), nn.Conv1d(width, width, 2, dilation=dilation), nn.Tanh()
            )
            self.gates = nn.Sequential(
                nn.ConstantPad1d((dilation, 0), 0.0),
                nn.Conv1d(width, width, 2, dilation=dilation),
                nn.Sigmoid(),
            )
            self.skip = nn.Conv1d(width, 2 * width, 1)
            self.out = nn.Conv1d(width, width, 1)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            z = self.filter(x) * self.gates(x)
            return x + self.out(z), self.skip(z)

    def __init__(self, width: int = 8, dilations: tuple[int, ...] = (1, 2, 4, 8, 1, 2, 4, 8)) -> None:
        super().__init__()
        self.start = nn.Sequential(nn.ConstantPad1d((1, 0), 0.0), nn.Conv1d(16, width, 2))
        self.layers = nn.ModuleList(self.Layer(width, dilation) for dilation in dilations)
        self.end1 = nn.Conv1d(2 * width, 2 * width, 1)
        self.end2 = nn.Conv1d(2 * width, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.start(x)
        total: Any = 0
        for layer in self.layers:
            x, skip = layer(x)
            total = total + skip
        return self.end2(torch.relu(self.end1(torch.relu(total))))


UNET_PLUS_PLUS = """\
input: 3x32x32
params: {widths: [4, 8, 16, 24, 32]}
blocks:
  double(out): [unit(out), unit(out)]
  unit(out): conv(out, 3, padding=1) >> batch_norm >> relu
layers:
  - each: i
    in: range(5)
    do:
      - max_pool(2) if i else none
      - x{i}_0: double(widths[i])
  - each: j
    in: range(1, 5)
    do:
      each: i
      in: range(5 - j)
      do:
        - concat:
            - {each: k, in: range(j), do: 'ref("x{i}_{k}")'}
            - ref("x{i + 1}_{j - 1}") >> upsample(2)
        - x{i}_{j}: double(widths[i])
  - final: conv(1, 1)
"""


class UNetPlusPlus(nn.Module):
    def __init__(self, widths: tuple[int, ...] = (4, 8, 16, 24, 32)) -> None:
        super().__init__()

        def unit(inside: int, out: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inside, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU())

        def double(inside: int, out: int) -> nn.Module:
            return nn.Sequential(unit(inside, out), unit(out, out))

        for i, width in enumerate(widths):
            self.add_module(f"x{i}_0", double(widths[i - 1] if i else 3, width))
        for j in range(1, 5):
            for i in range(5 - j):
                self.add_module(f"x{i}_{j}", double(j * widths[i] + widths[i + 1], widths[i]))
        self.final = nn.Conv2d(widths[0], 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        made: dict[tuple[int, int], Tensor] = {}
        for i in range(5):
            x = made[i, 0] = self.get_submodule(f"x{i}_0")(max_pool2d(x, 2) if i else x)
        for j in range(1, 5):
            for i in range(5 - j):
                above = interpolate(made[i + 1, j - 1], scale_factor=2.0)
                read = torch.cat([*(made[i, k] for k in range(j)), above], 1)
                made[i, j] = self.get_submodule(f"x{i}_{j}")(read)
        return self.final(made[0, 4])


BIFPN = """\
input: {c3: 6x32x32, c4: 6x16x16, c5: 6x8x8, c6: 6x4x4, c7: 6x2x2}
blocks:
  node: silu >> conv(6, 3, padding=1, groups=6, bias=false) >> conv(6, 1) >> batch_norm
  layer(source):
    - each: i
      in: [6, 5, 4, 3]
      do:
        - add:
            - ref("{source}{i}")
            - ref("{source}7" if i == 6 else "td{i + 1}") >> upsample(2)
        - td{i}: node
    - p3: ref(td3)
    - each: i
      in: [4, 5, 6, 7]
      do:
        - add:
            - ref("{source}{i}")
            - ref("td{i}") if i < 7 else none
            - ref("p{i - 1}") >> max_pool(3, stride=2, padding=1)
        - p{i}: node
layers:
  - cells: layer("c") >> layer("cells.0.p") >> layer("cells.1.p")
outputs:
  out: none
  p3: ref("cells.2.p3")
  p4: ref("cells.2.p4")
  p5: ref("cells.2.p5")
  p6: ref("cells.2.p6")
  p7: ref("cells.2.p7")
"""


class BiFPN(nn.Module):
    class Layer(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            for name in ("td6", "td5", "td4", "td3", "p4", "p5", "p6", "p7"):
                node = nn.Sequential(
                    nn.SiLU(),
                    nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False),
                    nn.Conv2d(width, width, 1),
                    nn.BatchNorm2d(width),
                )
                self.add_module(name, node)

        def forward(self, c: dict[int, Tensor]) -> dict[int, Tensor]:
            down = {7: c[7]}
            for i in (6, 5, 4, 3):
                above = interpolate(down[i + 1], scale_factor=2.0)
                down[i] = self.get_submodule(f"td{i}")(c[i] + above)
            p = {3: down[3]}
            for i in (4, 5, 6, 7):
                total = c[i] + max_pool2d(p[i - 1], 3, 2, 1)
                if i < 7:
                    total = total + down[i]
                p[i] = self.get_submodule(f"p{i}")(total)
            return p

    def __init__(self, width: int = 6, layers: int = 3) -> None:
        super().__init__()
        self.cells = nn.ModuleList(self.Layer(width) for _ in range(layers))

    def forward(self, *c: Tensor) -> dict[str, Tensor]:
        levels = dict(enumerate(c, 3))
        for cell in self.cells:
            levels = cell(levels)
        return {f"p{i}": level for i, level in levels.items()}


class HRNet(nn.Module):
    class Basic(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)

        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(x + self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))

    class Bottleneck(nn.Module):
        def __init__(self, inside: int, width: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inside, width, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(4 * width)
            self.downsample = nn.Identity()
            if inside != 4 * width:
                self.downsample = nn.Sequential(
                    nn.Conv2d(inside, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
                )

        def forward(self, x: Tensor) -> Tensor:
            y = torch.relu(self.bn1(self.conv1(x)))
            y = torch.relu(self.bn2(self.conv2(y)))
            return torch.relu(self.bn3(self.conv3(y)) + self.downsample(x))

    class Module(nn.Module):
        def __init__(self, widths: list[int]) -> None:
            super().__init__()
            self.branches = nn.ModuleList(
                nn.Sequential(*(HRNet.Basic(width) for _ in range(4))) for width in widths
            )
            self.fuse_layers = nn.ModuleList(
                nn.ModuleList(HRNet.path(i, j, widths) for j in range(len(widths)))
                for i in range(len(widths))
            )

        def forward(self, xs: list[Tensor]) -> list[Tensor]:
            xs = [branch(x) for branch, x in zip(self.branches, xs, strict=True)]
            return [
                torch.relu(sum(path(x) for path, x in zip(paths, xs, strict=True)))
                for paths in self.fuse_layers
            ]

    @staticmethod
    def unit(inside: int, out: int, stride: int = 2, act: bool = True) -> nn.Module:
        parts = [nn.Conv2d(inside, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)]
        return nn.Sequential(*parts, *([nn.ReLU()] if act else []))

    @staticmethod
    def path(i: int, j: int, widths: list[int]) -> nn.Module:
        if i == j:
            return nn.Identity()
        if j > i:
            return nn.Sequential(
                nn.Conv2d(widths[j], widths[i], 1, bias=False),
                nn.BatchNorm2d(widths[i]),
                nn.Upsample(scale_factor=2 ** (j - i)),
            )
        between = [HRNet.unit(widths[j], widths[j]) for _ in range(i - j - 1)]
        return nn.Sequential(*between, HRNet.unit(widths[j], widths[i], act=False))

    def __init__(self, width: int, modules: tuple[int, int, int]) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(4)]
        self.conv1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2 = nn.Conv2d(64, 64, 3, 2, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(self.Bottleneck(64, 64), *(self.Bottleneck(256, 64) for _ in range(3)))
        self.transition1 = nn.ModuleList(
            [self.unit(256, widths[0], 1), nn.Sequential(self.unit(256, widths[1]))]
        )
        self.stage2 = nn.ModuleList(self.Module(widths[:2]) for _ in range(modules[0]))
        for stage in (3, 4):
            new = nn.Sequential(self.unit(widths[stage - 2], widths[stage - 1]))
            kept = [nn.Identity() for _ in range(stage - 1)]
            self.add_module(f"transition{stage - 1}", nn.ModuleList([*kept, new]))
            made = nn.ModuleList(self.Module(widths[:stage]) for _ in range(modules[stage - 2]))
            self.add_module(f"stage{stage}", made)
        self.incre_modules = nn.ModuleList(
            nn.Sequential(self.Bottleneck(widths[i], 32 * 2**i)) for i in range(4)
        )
        self.downsamp_modules = nn.ModuleList(
            nn.Sequential(nn.Conv2d(128 * 2**i, 256 * 2**i, 3, 2, 1), nn.BatchNorm2d(256 * 2**i), nn.ReLU())
            for i in range(3)
        )
        self.final_layer = nn.Sequential(nn.Conv2d(1024, 2048, 1), nn.BatchNorm2d(2048), nn.ReLU())
        self.classifier = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        x = self.layer1(torch.relu(self.bn2(self.conv2(x))))
        xs = [path(x) for path in self.transition1]
        for stage in (2, 3, 4):
            if stage > 2:
                paths = self.get_submodule(f"transition{stage - 1}")
                xs = [path(x) for path, x in zip(paths, [*xs, xs[-1]], strict=True)]
            for module in self.get_submodule(f"stage{stage}"):
                xs = module(xs)
        ys = [incre(x) for incre, x in zip(self.incre_modules, xs, strict=True)]
        x = ys[0]
        for down, y in zip(self.downsamp_modules, ys[1:], strict=True):
            x = y + down(x)
        return self.classifier(self.final_layer(x).mean((2, 3)))


def lines(text: str) -> int:
    """How many lines say something about the network itself."""
    parts, _, _ = text[max(text.find("\ninput:"), 0) :].partition("\nvariants:")
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in parts.split("\n"))


def check(network: archlens.Network, module: nn.Module) -> None:
    """The module of a network has the keys of another one, and with its weights computes the same."""
    assert {key: tuple(value.shape) for key, value in module.state_dict().items()} == network.state()
    module.eval()
    made = archlens.build(network).eval()
    made.load_state_dict(module.state_dict())
    torch.manual_seed(0)
    inputs = [torch.randn(1, *shape) for shape in network.inputs.values()]
    with torch.no_grad():
        ours, theirs = made(*inputs), module(*inputs)
    assert isinstance(ours, dict) == isinstance(theirs, dict)
    for name in network.outputs:
        one, other = (ours[name], theirs[name]) if isinstance(ours, dict) else (ours, theirs)
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("text", "kind"), [(WAVENET, WaveNet), (UNET_PLUS_PLUS, UNetPlusPlus), (BIFPN, BiFPN)]
)
def test_a_spec_is_the_module_and_shorter(text: str, kind: type[nn.Module]) -> None:
    network = archlens.loads(text)
    check(network, kind())
    assert lines(text) < lines(inspect.getsource(kind))
    assert max(map(len, text.split("\n"))) <= 90


def test_hrnet_is_the_module_and_shorter() -> None:
    check(archlens.load("hrnet_w18", width=2, modules=[1, 1, 2], input="3x64x64"), HRNet(2, (1, 1, 2)))
    text = (Path(__file__).parents[1] / "specs" / "hrnet.yaml").read_text("utf-8")
    assert lines(text) < lines(inspect.getsource(HRNet))


def test_bifpn_has_no_output_but_its_levels() -> None:
    network = archlens.loads(BIFPN)
    assert list(network.outputs) == ["p3", "p4", "p5", "p6", "p7"]
    # the level of the top is not worked out on the way down, and so its sum has two terms
    assert len(network["cells.0.add_7"].inputs) == 2
    assert len(network["cells.0.add_6"].inputs) == 3


def test_a_path_without_quotes() -> None:
    """It means what it means within quotes; what starts with the name of a value asks for a part of that."""
    text = """
input: {left: 4x8x8, right: 4x8x8}
blocks:
  stage:
    - part:
        - a: conv(4, 1)
        - b: conv(4, 1)
    - add: [identity, PATH]
layers:
  - ref(input.left)
  - first: stage
  - again(first.part.a)
  - concat: [identity, ref(input.right)]
outputs:
  early: ref(first.part.a)
"""
    bare = archlens.loads(text.replace("PATH", "ref(part.a)"))
    quoted = archlens.loads(text.replace("PATH", "ref('part.a')"))
    assert [(one.name, one.inputs) for one in bare] == [(one.name, one.inputs) for one in quoted]
    assert bare["first.add"].inputs == ("first.part.b", "first.part.a")
    assert bare["first.part.a_1"].again
    assert bare.outputs["early"] == "first.part.a"
    with pytest.raises(archlens.SpecError, match=r"there is no step part\.c to refer to"):
        archlens.loads(text.replace("PATH", "ref(part.c)"))


def test_steps_of_a_scope_with_others_between_them() -> None:
    """As the parts of a list of modules: each stands under its path, in a block and in a table, too."""
    text = """
input: 4x8x8
blocks:
  unit(width):
    - each: i
      in: range(2)
      do:
        - convs.{i}: conv(width, 1)
        - norms.n{i}: batch_norm >> relu
    - add: [identity, 'ref("convs.0")']
layers:
  - stage: unit(4) * 2
  - head.fc: conv(4, 1)
  - relu
  - head.act: ['ref("stage.1.convs.1") >> conv(2, 1)', relu]
"""
    network = archlens.loads(text)
    assert [layer.name for layer in network][:7] == [
        *("stage.0.convs.0", "stage.0.norms.n0.0", "stage.0.norms.n0.1"),
        *("stage.0.convs.1", "stage.0.norms.n1.0", "stage.0.norms.n1.1", "stage.0.add"),
    ]
    assert [layer.name for layer in network][-4:] == ["head.fc", "relu", "head.act.0", "head.act.1"]
    assert network["stage.1.add"].inputs == ("stage.1.norms.n1.1", "stage.1.convs.0")
    assert network["head.act.0"].inputs == ("stage.1.convs.1",)
    assert archlens.loads(archlens.convert(network)).state() == network.state()


def test_a_learned_tensor_has_its_channels_where_it_says() -> None:
    """A map has them first, tokens last, and a vector is neither."""
    text = "input: 3x4x4\nlayers:\n  - own: 'parameter([8, 4, 4]{})'\n  - conv: conv(2, 1)\n"
    assert archlens.loads(text.format(', channels="first"')).params == 8 * 4 * 4 + 2 * 8 + 2
    with pytest.raises(archlens.SpecError, match="conv"):
        archlens.loads(text.format(""))
    vector = archlens.loads("input: 3x4x4\nlayers: ['parameter([8])', linear(2)]").layers[0].shape
    assert not vector.channels_last
