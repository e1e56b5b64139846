"""A network as the text of a spec: it reads as somebody would have written it, and says the same network."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archlens
from archlens.analysis import difference
from archlens.cli import cli
from archlens.source import emit
from archlens.writing import plan

from .conftest import load_torchvision
from .test_tracing import without_values

torch = pytest.importorskip("torch")
nn = torch.nn


def again(network: archlens.Network, *, grows: bool = False) -> archlens.Network:
    """What its text says, of which nothing may be different: not a name, not the order of outputs.

    Where lists grow, what joins them is elsewhere.
    """
    found = archlens.loads(archlens.convert(network))
    between = difference.find(network, found)
    assert {pair.kind for pair in between.pairs} == {difference.SAME}
    assert not between.boundary
    assert {pair.new.op.kind for pair in between.pairs if pair.renamed} <= ({"concat"} if grows else set())
    assert found.state() == network.state()
    assert (found.params, found.macs, found.training_macs) == (
        network.params,
        network.macs,
        network.training_macs,
    )
    return found


#: Of the zoo: tables, several heads, heads for training, dense blocks, shared widths, one and three axes.
ZOO = [
    "deeplabv3_resnet50",
    "densenet121",
    "googlenet_2014",
    "m5",
    "c3d",
    "nasnet_a_mobile",
    "unet",
    "xception",
]


SIDES = (3, 9, 9)


class ReadsAll(nn.Module):
    """It reads what it is given, by place, by name, or in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3)

    def forward(self, *given: torch.Tensor, **named: Any) -> torch.Tensor:
        both = [*given, *named.values()]
        both = [*both[0].values()] if isinstance(both[0], dict) else both
        return self.a(both[0]) + self.b(both[-1])


@pytest.mark.parametrize(
    ("given", "named", "written"),
    [
        ([SIDES, SIDES], {}, ["input_0", "input_1"]),
        ([SIDES], {"input_0": SIDES}, ["input_0_2", "input_0"]),
        ([], {"x": SIDES, "y": SIDES}, ["x_0", "y"]),
        ([], {"x": SIDES}, ["input"]),
        ([{"my image": SIDES, "lambda": SIDES}], {}, ["my_image", "lambda_2"]),
    ],
)
def test_inputs_that_the_language_cannot_name_have_other_names(
    given: list[Any], named: dict[str, Any], written: list[str]
) -> None:
    network = archlens.trace(ReadsAll(), *given, **named)
    found = archlens.loads(archlens.convert(network))
    assert list(found.inputs) == written
    assert list(found.inputs.values()) == [SIDES] * len(written)
    assert [found["a"].inputs, found["b"].inputs] == [(written[0],), (written[-1],)]
    assert found.state() == network.state()


def test_a_step_of_a_scope_that_has_ended_is_applied_again() -> None:
    lines = "{s: [one: relu, two: 'conv(3, 1)']}, tanh, 'again(\"s.one\")', gelu"
    network = archlens.loads(f"{{input: 3x4x4, layers: [{lines}]}}")
    assert 'again("s.one")' in archlens.convert(network)
    again(network)


def test_a_scope_may_begin_with_what_is_applied_again() -> None:
    lines = "{a: 'conv(3, 1)'}, {s: [{t: [b: again(a)]}, relu]}, {u: [c: again(s)]}"
    again(archlens.loads(f"{{input: 3x4x4, layers: [{lines}]}}"))


def test_what_flows_into_a_scope_that_is_applied_again_is_read_within_it() -> None:
    attention = "{q: linear(2), k: linear(2), v: linear(8)}"
    again(
        archlens.loads(
            f"{{input: 8x15, layers: [tokens, {{s: [attention: {attention[:-1]}, heads: 1}}]}}, again(s)]}}"
        )
    )


@pytest.mark.parametrize("name", [name for name in ZOO if name in archlens.names()])
def test_a_network_of_the_zoo_is_written_and_read_again(name: str) -> None:
    again(archlens.load(name))


#: Of torchvision, with the input: optional parts, tables, named and numbered steps, gates, attention, heads.
TORCHVISION = {
    "densenet201": (3, 64, 64),
    "resnet18": (3, 64, 64),
    "mobilenet_v3_small": (3, 64, 64),
    "efficientnet_b0": (3, 64, 64),
    "inception_v3": (3, 299, 299),
    "swin_t": (3, 64, 64),
    "vit_b_32": (3, 224, 224),
    "shufflenet_v2_x0_5": (3, 64, 64),
    "regnet_y_400mf": (3, 64, 64),
    "fcn_resnet50": (3, 64, 64),
}


@pytest.fixture(scope="module")
def traced() -> Callable[[str], archlens.Network]:
    made: dict[str, archlens.Network] = {}

    def of(name: str) -> archlens.Network:
        if name not in made:
            options = {"weights_backbone": None, "aux_loss": True} if name.startswith("fcn") else {}
            with torch.device("cpu" if name.startswith("regnet") else "meta"):
                module = without_values(load_torchvision().models.get_model, name=name, **options)
            made[name] = archlens.trace(module, TORCHVISION[name])
            assert made[name].state() == {key: tuple(t.shape) for key, t in module.state_dict().items()}
        return made[name]

    return of


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_module_of_torchvision_is_written_in_at_most_twice_the_lines_of_its_spec(
    name: str, traced: Callable[[str], archlens.Network]
) -> None:
    network = traced(name)
    again(network, grows=name.startswith("densenet"))
    assert len(archlens.convert(network).splitlines()) <= 2 * own_lines(name)


class Growing(nn.Module):
    """A list of tensors that are joined ever anew, with what does not belong to it between."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        self.part1, self.part2, self.part3 = (nn.Conv2d(channels, 2, 1) for channels in (4, 6, 11))
        self.beside = nn.Conv2d(4, 3, 1)

    def forward(self, x: Any) -> Any:
        kept = [self.first(x)]
        other = self.beside(kept[0])
        kept.append(self.part1(kept[0]))
        kept.append(self.part2(torch.cat(kept, 1)))
        kept.append(self.part3(torch.cat([*kept, other], 1)))
        return torch.cat([kept[0], kept[1], kept[3]], 1), torch.cat([*kept, other], 1)


def test_a_list_that_grows_is_joined_to_what_was_joined_before() -> None:
    network = archlens.trace(Growing(), (3, 5, 5))
    found = again(network, grows=True)
    read = [layer.inputs for layer in found if layer.op.kind == "concat"]
    assert [len(inputs) for inputs in read] == [2, 3, 2, 4]
    module = Growing()
    built = archlens.build(found).eval()
    built.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 3, 5, 5)
    for one, other in zip(
        built(x).values() if isinstance(built(x), dict) else built(x), module(x), strict=True
    ):
        assert torch.equal(one, other)


class Lists(nn.Module):
    """Parts of lists and dictionaries, with functions between them; some in each other, one applied again."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(3, 3, 1) for _ in range(3))
        self.norms = nn.ModuleDict({f"n{i}": nn.BatchNorm2d(3) for i in range(3)})
        self.keys = nn.ModuleDict({"0": nn.Linear(3, 3), "in": nn.Sequential(nn.Linear(3, 3), nn.ReLU())})
        self.deep = nn.ModuleList(nn.ModuleList(nn.Linear(3, 3) for _ in range(2)) for _ in range(2))
        self.factors = nn.ParameterList(nn.Parameter(torch.rand(3)) for _ in range(2))

    def forward(self, x: Any) -> Any:
        for conv, norm in zip(self.convs, self.norms.values(), strict=True):
            x = x + torch.relu(norm(conv(x)))
        x = self.keys["0"](x.mean((2, 3))).tanh()
        x = self.keys["in"](x)
        for i in range(2):
            for parts in self.deep:
                x = torch.relu(parts[i](x))
            x = x * self.factors[i]
        return self.convs[1](x[..., None, None])


def test_parts_of_a_list_with_functions_between_them() -> None:
    """Written and read again, and as source, it has the same keys and gives the same."""
    from archlens.source import emit

    torch.manual_seed(0)
    module = Lists().eval()
    network = archlens.trace(module, (3, 5, 5))
    made: dict[str, Any] = {}
    exec(emit(network), made)
    x = torch.rand(2, 3, 5, 5)
    for one in (archlens.build(again(network)), made["Lists"]()):
        one.load_state_dict(module.state_dict(), strict=True)
        assert torch.equal(one.eval()(x), module(x))


#: Parts of a spec that are no part of the network.
FOR_PEOPLE = ("published", "notes", "paper", "budget")


def own_lines(name: str) -> int:
    """The lines of a spec that say the network, without what is for people and what other variants need."""
    source = archlens.library.find(name).spec.source.text.splitlines()
    count, key, variant, inner = 0, "", "", ""
    for line in source:
        indent = len(line) - len(line.lstrip())
        if not indent and line.strip():
            key = line.partition(":")[0]
        if key == "variants":
            if indent == 2:
                variant = line.strip().partition(":")[0]
            elif indent == 4:
                inner = line.strip().partition(":")[0]
            count += variant == name and indent >= 4 and inner not in FOR_PEOPLE
        else:
            count += key not in FOR_PEOPLE
    return count


def test_it_reads_as_somebody_would_have_written_it(traced: Callable[[str], archlens.Network]) -> None:
    """A block with its arguments, a shortcut that some have, and a repeat."""
    assert archlens.convert(traced("resnet18")) == (
        """\
title: ResNet
input: 3x64x64

blocks:
  basic_block(channels, stride=1, downsample=false):
    - residual:
        - conv1: conv(channels, 3, stride, padding=1, bias=false)
        - bn1: batch_norm
        - relu
        - conv2: conv(channels, 3, padding=1, bias=false)
        - bn2: batch_norm
      shortcut:
        - downsample: conv(channels, 1, stride, bias=false) >> batch_norm if downsample else identity
    - relu

layers:
  - conv1: conv(64, 7, stride=2, padding=3, bias=false)
  - bn1: batch_norm
  - relu
  - maxpool: max_pool(3, stride=2, padding=1)
  - layer1: basic_block(64) * 2
  - layer2:
      - basic_block(128, stride=2, downsample=true)
      - basic_block(128)
  - layer3:
      - basic_block(256, stride=2, downsample=true)
      - basic_block(256)
  - layer4:
      - basic_block(512, stride=2, downsample=true)
      - basic_block(512)
  - avgpool: adaptive_avg_pool(1)
  - flatten
  - fc: linear(1000)
"""
    )


def test_a_converted_module_computes_what_the_module_does() -> None:
    """The state dict loads strictly, and the logits are equal."""
    module = load_torchvision().models.resnet18().eval()
    copy = archlens.build(archlens.loads(archlens.convert(archlens.trace(module, (3, 64, 64)))))
    copy.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(copy.eval()(x), module(x))


# --- modules of one's own ---------------------------------------------------------------------------


class Odd(nn.Module):
    """Names that are keywords here or in Python, or nothing that can be said in an expression."""

    def __init__(self) -> None:
        super().__init__()
        self.add = nn.Conv2d(3, 8, 3, padding=1)
        self.gate = nn.Sequential(nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.shortcut = nn.Conv2d(8, 8, 1)
        self.add_module("1x1", nn.Conv2d(8, 8, 1))
        self.add_module("class", nn.Conv2d(8, 8, 1))
        self.add_module("größe", nn.Sequential(nn.Conv2d(8, 8, 1), nn.ReLU()))
        self.add_module("null", nn.Conv2d(8, 8, 1))
        self.concat = nn.Sequential(nn.Conv2d(16, 8, 1), nn.ReLU())
        self.act = nn.ReLU()

    def forward(self, x: Any) -> Any:
        x = self.act(self.add(x))
        x = x * self.gate(x)
        y = getattr(self, "class")(self.act(getattr(self, "1x1")(x)))
        z = self.concat(torch.cat([self.shortcut(x), y], 1))
        return self.null(self.größe(z) + x) + y


class Unet(nn.Module):
    """Long connections, from the root and into a block."""

    class Up(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.up = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
            self.conv = nn.Conv2d(2 * channels, channels, 3, padding=1)

        def forward(self, x: Any, skip: Any) -> Any:
            return self.conv(torch.cat([skip, self.up(x)], 1)).relu()

    def __init__(self) -> None:
        super().__init__()
        self.enc1, self.enc2, self.enc3 = (
            nn.Conv2d(n, m, 3, padding=1) for n, m in ((3, 8), (8, 16), (16, 32))
        )
        self.pool = nn.MaxPool2d(2)
        self.up1, self.up2 = Unet.Up(16), Unet.Up(8)

    def forward(self, x: Any) -> Any:
        one = self.enc1(x)
        two = self.enc2(self.pool(one))
        three = self.enc3(self.pool(two))
        return self.up2(self.up1(three, two), one)


class Several(nn.Module):
    """Two inputs, and several outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(4, 8), nn.Linear(6, 8)
        self.head = nn.Linear(16, 3)

    def forward(self, left: Any, right: Any) -> Any:
        both = torch.cat([self.one(left).relu(), self.other(right)], 1)
        out = self.head(both)
        return {"out": out, "both": both, "probability": out.softmax(1)}


def test_several_inputs_and_outputs() -> None:
    found = again(archlens.trace(Several(), left=(4,), right=(6,)))
    assert list(found.inputs) == ["left", "right"]
    assert list(found.outputs) == ["out", "both", "probability"]


class Gathering(nn.Module):
    """Two blocks that concatenate all that they have made, as VoVNet's, and then attend."""

    class Block(nn.Module):
        def __init__(self, before: int, channels: int) -> None:
            super().__init__()
            self.conv1, self.conv2, self.conv3 = (
                nn.Conv2d(n, channels, 3, padding=1) for n in (before, channels, channels)
            )
            self.last = nn.Conv2d(before + 3 * channels, channels, 1)

        def forward(self, x: Any) -> Any:
            made = [x]
            for conv in (self.conv1, self.conv2, self.conv3):
                made.append(conv(made[-1]))
            return self.last(torch.cat(made, 1))

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = Gathering.Block(3, 8), Gathering.Block(8, 12)
        self.q, self.k, self.v = (nn.Linear(12, 12) for _ in range(3))

    def forward(self, x: Any) -> Any:
        x = self.two(self.one(x)).flatten(2).transpose(1, 2)
        heads = [part(x).unflatten(-1, (3, 4)).transpose(1, 2) for part in (self.q, self.k, self.v)]
        return nn.functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)


def test_what_is_gathered_and_attention() -> None:
    network = archlens.trace(Gathering(), (3, 4, 4))
    again(network)
    text = archlens.convert(network)
    assert """\
  block(channels):
    - entry: identity
    - conv1: conv(channels, 3, padding=1)
    - conv2: conv(channels, 3, padding=1)
    - conv3: conv(channels, 3, padding=1)
    - concat:
        - ref(entry)
        - ref(conv1)
        - ref(conv2)
        - identity
    - last: conv(channels, 1)
""" in text  # fmt: skip
    assert "  - attention: {q: ref(q), k: ref(k), v: ref(v), heads: 3}\n" in text


def test_a_long_chain_of_layers_that_are_all_different() -> None:
    net = archlens.Builder("chain", "1")
    for number in range(2000):
        net.linear(1 + number * number % 1013, name=f"layer{number}")
    assert archlens.convert(net.network()).count("\n") > 100


def test_an_output_may_have_the_name_of_the_step_that_it_is() -> None:
    """As a dict of features has: its keys are the names of modules."""
    net = archlens.Builder("features", "3x8x8")
    low = net.conv(net.x, 4, 3, name="low")
    high = net.conv(low, 4, 3, name="high")
    found = again(net.network(net.linear(net.flatten(high, name="flat"), 2, name="fc"), low=low, high=high))
    assert dict(found.outputs) == {"out": "fc", "low": "low", "high": "high"}


def test_a_part_may_be_called_as_the_main_output_is() -> None:
    net = archlens.Builder("net", "4")
    net.linear(net.x, 4, name="a")
    net.linear(3, name="out.fc")
    net.relu(name="out.act")
    assert dict(again(net.network()).outputs) == {"out": "out.act"}


# --- what is refused --------------------------------------------------------------------------------


def shared() -> archlens.Network:
    net = archlens.Builder("shared", "3x8x8")
    net.conv(net.x, 3, 1, name="a")
    net.place(archlens.ops.OPS["conv"](3, 1), name="b", keys={"weight": "a.weight", "bias": "a.bias"})
    return net.network()


def opaque() -> archlens.Network:
    from archlens.ops.opaque import Opaque

    net = archlens.Builder("opaque", "3x8x8")
    net.place(Opaque("mine", (3, 8, 8), [(3, 8, 8)]), name="layer")
    return net.network()


def deep() -> archlens.Network:
    net = archlens.Builder("deep", "3x8x8")
    net.relu(name=".".join(["a"] * 80))
    return net.network()


def brace() -> archlens.Network:
    net = archlens.Builder("brace", "3x8x8")
    net.relu(name="{'}'}")
    return net.network()


def call() -> archlens.Network:
    net = archlens.Builder("call", "3x8x8")
    net.relu(name="blend()")
    return net.network()


REFUSED: dict[str, tuple[Callable[[], archlens.Network], str]] = {
    "shared": (shared, "b has its bias from a.bias"),
    "opaque": (opaque, "what mine computes is not known"),
    "deep": (deep, "lies more than 25 scopes deep"),
    "brace": (brace, "the language has no words for it"),
    "call": (call, "the language has no words for it"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_language_cannot_say_is_refused(case: str) -> None:
    make, said = REFUSED[case]
    with pytest.raises(archlens.UsageError) as caught:
        archlens.convert(make())
    assert f"{case} cannot be written as a spec: " in str(caught.value)
    assert said in str(caught.value)


def test_what_no_layer_holds_is_named() -> None:
    """As a mask of whole numbers where attention says that it is causal; it may leave the state dict."""
    import torch
    from torch import nn

    class Masked(nn.Module):
        def __init__(self, *, persistent: bool) -> None:
            super().__init__()
            self.register_buffer("mask", torch.ones(5, 5, dtype=torch.uint8).tril(), persistent=persistent)

        def forward(self, x: Any) -> Any:
            scores = (x @ x.mT).masked_fill(self.mask == 0, float("-inf"))  # type: ignore[operator]
            return scores.softmax(-1) @ x

    class Unread(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(4, 2)

        def forward(self, x: Any) -> Any:
            return x.relu()

    assert "causal: true" in archlens.convert(archlens.trace(Masked(persistent=False), (5, 4)))
    kept = archlens.trace(nn.Sequential(Masked(persistent=True)), (5, 4))
    for refused in (archlens.convert, archlens.build):
        with pytest.raises(archlens.UsageError, match=r"no op holds the tensor 0\.mask") as caught:
            refused(kept)
        assert "help: register it with persistent=False" in str(caught.value)
    with pytest.raises(archlens.UsageError, match=r"no op holds the tensor head\.\w+ and 1 more") as caught:
        archlens.convert(archlens.trace(Unread(), (4,)))
    assert "persistent" not in str(caught.value)


MODULE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, width=8, twice=False):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3)
        self.same = nn.Conv2d(width, width, 1)
        self.twice = twice

    def forward(self, x):
        x = self.same(self.stem(x))
        return nn.functional.conv2d(x, self.same.weight, self.same.bias, 2) if self.twice else x
"""


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(MODULE, encoding="utf-8")

    def run(*args: str) -> Any:
        return CliRunner().invoke(cli, ["convert", "own.py:Net", "--input", "3x9x9", *args])

    shown = run("--set", "width=4")
    assert shown.exit_code == 0
    assert shown.output == (
        "title: Net\ninput: 3x9x9\n\nlayers:\n  - stem: conv(4, 3)\n  - same: conv(4, 1)\n"
    )
    assert run("-o", "net.yaml").exit_code == 0
    assert archlens.load("net.yaml").params == 8 * 27 + 8 + 64 + 8
    before = Path("net.yaml").read_bytes()
    refused = run("--set", "twice=true", "-o", "net.yaml")
    assert isinstance(refused.exception, archlens.UsageError)
    assert "conv has its bias from same.bias" in str(refused.exception)
    assert Path("net.yaml").read_bytes() == before


def long(count: int = 200) -> Any:
    """So many layers of which no two neighbours are alike."""
    sizes = [1 + n * 7 % 13 for n in range(count + 1)]
    return nn.Sequential(*[nn.Linear(a, b) for a, b in pairwise(sizes)])


MODULES: dict[str, tuple[Callable[[], Any], Any]] = {
    "names": (Odd, (3, 8, 8)),
    "one axis": (lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.MaxPool1d(2)), (2, 20)),
    "three axes": (
        lambda: nn.Sequential(nn.Conv3d(2, 4, (1, 3, 3)), nn.ReLU(), nn.AvgPool3d(2)),
        (2, 4, 9, 9),
    ),
    "long": (long, (1,)),
    "long connections": (Unet, (3, 8, 8)),
    "gaps": (lambda: nn.Sequential(nn.Identity(), nn.Conv2d(3, 4, 1), nn.Identity(), nn.ReLU()), (3, 4, 4)),
    "nested": (
        lambda: nn.Sequential(nn.Sequential(nn.Sequential(nn.Linear(4, 4)), nn.ReLU()), nn.Linear(4, 2)),
        (4,),
    ),
}


@pytest.mark.parametrize("case", MODULES)
def test_modules_of_ones_own(case: str) -> None:
    make, shape = MODULES[case]
    module = make()
    found = again(archlens.trace(module, shape))
    copy = archlens.build(found)
    copy.load_state_dict(module.state_dict(), strict=True)
    x = torch.rand(2, *shape)
    with torch.no_grad():
        assert torch.equal(copy.eval()(x), module.eval()(x))


def test_branches_are_looked_for_near_a_merge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of 40 merges reads all layers before it, of which 5 or so are near enough to begin a branch."""
    tried = 0
    looked = plan._Moves._from

    def noted(self: Any, *args: Any) -> Any:
        nonlocal tried
        tried += 1
        return looked(self, *args)

    monkeypatch.setattr(plan, "_FAR", 10)  # a layer and a merge each
    monkeypatch.setattr(plan._Moves, "_from", noted)
    lines = [
        f"  - a{n}: conv(1, 1)\n  - m{n}: {{add: [{', '.join(f'ref(a{k})' for k in range(n + 1))}]}}\n"
        for n in range(1, 41)
    ]
    network = archlens.loads("input: 1x8\nlayers:\n  - a0: relu\n" + "".join(lines))
    archlens.convert(network)
    assert tried <= 6 * sum(range(2, 42))


@pytest.mark.parametrize("value", [float("inf"), float("-inf")])
def test_a_pad_without_bound(value: float) -> None:
    """As the border of a max pooling is; no literal of a number says it."""

    class Padding(nn.Module):
        def forward(self, x: Any) -> Any:
            return nn.functional.max_pool2d(nn.functional.pad(x, (1, 0, 2, 1), value=value), 3)

    network = archlens.trace(Padding(), (3, 7, 8))
    assert f'value="{value}"' in archlens.convert(network)
    x = torch.randn(2, 3, 7, 8)
    torch.testing.assert_close(archlens.build(again(network))(x), Padding()(x))
    written: dict[str, Any] = {}
    exec(emit(again(network)), written)
    torch.testing.assert_close(written["Network"]()(x), Padding()(x))


def test_what_stands_in_a_block_is_named_there_where_it_is_applied_again() -> None:
    """A block within scopes that are applied again knows no name of those scopes."""
    text = """
input: 5x8 channels_last
blocks:
  layer:
    - entry: identity
    - attention:
        - q: linear(8)
        - ref(entry)
        - k: linear(8)
        - add: [identity, ref(entry)]
    - residual: [ffn: linear(8)]
layers:
  - m: linear(8)
  - groups.0: [layers: layer * 1]
  - again("groups.0")
  - groups.1: [layers: layer * 1]
  - again("groups.1")
"""
    network = archlens.loads(text)
    written = archlens.loads(archlens.convert(network))
    assert [(one.name, one.inputs, one.again) for one in written] == [
        (one.name, one.inputs, one.again) for one in network
    ]


class InTurns(nn.Module):  # type: ignore[misc, name-defined]
    """A part whose methods are called by hand, between others; what it gives is given out, too."""

    class Part(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.one, self.two = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x: Any, y: Any) -> Any:
            return self.two(x) * y + x

    def __init__(self) -> None:
        super().__init__()
        self.part, self.middle, self.last = self.Part(), nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        y = self.part.one(x)
        z = self.middle(y)
        return self.last(self.part(z, y) + self.part(y, z))


def test_merges_in_a_scope_that_is_entered_again_stand_beside_it() -> None:
    """They have no weights, and the language gives them a name; all else is where it was."""
    torch.manual_seed(0)
    module = InTurns()
    network = archlens.trace(module, (4,))
    found = archlens.loads(archlens.convert(network))
    assert {layer.scope for layer in network if layer.op.kind in ("add", "multiply")} == {"part", ""}
    assert [layer.op for layer in found] == [layer.op for layer in network]
    assert {pair.kind for pair in difference.find(network, found).pairs} == {difference.SAME}
    built = archlens.build(found)
    built.load_state_dict(module.state_dict())
    x = torch.rand(2, 4)
    torch.testing.assert_close(built(x), module(x))


class Given(nn.Module):  # type: ignore[misc, name-defined]
    """Attention that gives its keys by heads, as where they are kept for the next token."""

    class Attend(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.qkv, self.proj = nn.Linear(12, 36), nn.Linear(12, 12)

        def forward(self, x: Any) -> Any:
            q, k, v = (part.unflatten(-1, (3, 4)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.proj(y.transpose(1, 2).flatten(2)), k

    def __init__(self) -> None:
        super().__init__()
        self.attend, self.head = self.Attend(), nn.Linear(12, 5)

    def forward(self, x: Any) -> Any:
        y, keys = self.attend(x)
        return self.head(x + y), keys


def test_what_a_module_gives_out_stands_within_it() -> None:
    module = Given()
    network = archlens.trace(module, (7, 12))
    names = [layer.name for layer in network]
    assert names.index(network.outputs["1"]) < names.index("head")
    assert network.shape_of(network.outputs["1"]) == (3, 7, 4)
    again(network)


def test_a_table_names_no_step_that_it_makes() -> None:
    """As cells of NASNet, that read what the last but one gave: rows of a table are read before its steps."""
    cells = "\n".join(f"  - cell_{k}: cell(cell_{k - 2})" for k in range(2, 9))
    network = archlens.loads(f"""
input: 8x9x9
blocks:
  cell(prev):
    - add:
        - main: conv(8, 3, padding=1)
        - - ref(prev)
          - side: conv(8, 1)
layers:
  - cell_0: conv(8, 1)
  - cell_1: conv(8, 3, padding=1)
{cells}
""")
    again = archlens.loads(archlens.convert(network))
    assert [(one.name, one.inputs) for one in again] == [(one.name, one.inputs) for one in network]


def test_what_is_read_further_in_has_a_name_that_nothing_between_has() -> None:
    """Scopes in each other have steps of the same names, of which the innermost reads all."""
    text = """
input: 4x8x8
layers:
  - a:
      - one: [conv: "conv(4, 1)", act: relu]
      - outer: identity
      - two:
          - one: [conv: "conv(4, 1)", act: relu]
          - inner: identity
          - two:
              - one: [conv: "conv(4, 1)", act: relu]
              - join: [concat: [identity, ref(outer), ref(inner)], conv: "conv(4, 1)"]
"""
    network = archlens.loads(text)
    again = archlens.loads(archlens.convert(network))
    assert [(one.name, one.inputs) for one in again] == [(one.name, one.inputs) for one in network]
