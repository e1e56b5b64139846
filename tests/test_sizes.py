"""Input sizes: the smallest against torch, tried size by size; and what fits where skips must meet."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

import archlens
from archlens.analysis import receptive_field, sizes
from archlens.analysis.study import Study
from archlens.analysis.unknown import Unknown
from archlens.bounds import MAX_LAYERS, allowing
from archlens.cli import cli
from archlens.network import Network, Origin
from archlens.views.sizes_table import scaled


def found(name: str, **options: Any) -> sizes.Sizes:
    return sizes.find(archlens.load(name), **options)


def in_torch(make: Callable[[], torch.nn.Module], sizes: range) -> list[int]:
    """The square sizes that a torch module takes, tried one by one on the meta device, heads included."""
    with torch.device("meta"):
        module = make()
        for part in module.modules():  # in training mode a norm would also want more than one value
            part.training = not isinstance(part, torch.nn.modules.batchnorm._NormBase)
        fits = []
        for size in sizes:
            try:
                module(torch.empty(2, 3, size, size))
            except (RuntimeError, AssertionError):
                continue
            fits.append(size)
    return fits


@pytest.mark.parametrize(
    ("name", "least"),
    # the `min_size` in torchvision's metadata of its weights
    [
        ("alexnet", 63),
        ("vgg11", 32),
        ("vgg16", 32),
        ("resnet18", 1),
        ("googlenet", 15),
        ("googlenet_aux", 15),
        ("densenet121", 29),
        ("squeezenet1_0", 21),
        ("inception_v3_no_aux", 75),
    ],
)
def test_smallest_is_torchvisions(name: str, least: int, torchvision: Any) -> None:
    options = {"aux_logits": True, "init_weights": False} if name == "googlenet_aux" else {}
    without = name in ("googlenet", "inception_v3_no_aux")
    options |= {"aux_logits": False, "init_weights": False} if without else {}
    builder = getattr(torchvision.models, name.removesuffix("_no_aux").removesuffix("_aux"))
    tried = range(max(least - 6, 1), least + 4)
    fits = in_torch(lambda: builder(weights=None, **options), tried)
    one = found(name, bound=least + 3)
    assert one.smallest == (fits[0], fits[0]) == (least, least)
    assert list(one.tried[0].valid) == fits


SKIPS = """
input: 3x64x64
layers:
  - a: conv(4, 3, padding=1)
  - b: [max_pool(2), "conv(4, 3, padding=1)", c: [max_pool(2), "conv(4, 3, padding=1)"]]
  - up: upsample(4)
  - concat: [ref(a), identity]
"""


@pytest.mark.slow
def test_heads_for_training_have_to_fit_too(torchvision: Any) -> None:
    """Inception v3's head wants a map of 17x17, so training wants 299; an inference takes 75."""
    one = found("inception_v3", bound=80)
    assert one.smallest == (75, 75)
    assert one.training is not None
    assert one.training.smallest == (299, 299)
    assert one.tried[0].valid[0] == 75
    assert one.training.tried[0].valid == ()
    result = CliRunner().invoke(cli, ["sizes", "inception_v3", "--upto", "80"]).output
    assert re.search(r"^smallest +75x75$", result, re.M)
    assert re.search(r"^in training +299x299 at least, as its heads have to fit, too$", result, re.M)
    with torch.device("meta"):
        module = torchvision.models.inception_v3(weights=None, init_weights=False)
    module(torch.empty(2, 3, 299, 299, device="meta"))
    with pytest.raises(RuntimeError):
        module(torch.empty(2, 3, 298, 298, device="meta"))
    module.eval()
    module(torch.empty(2, 3, 75, 75, device="meta"))
    with pytest.raises(RuntimeError):
        module(torch.empty(2, 3, 74, 74, device="meta"))


def test_where_skips_must_meet() -> None:
    """Down by 4 and up by 4 comes back to the same size only from multiples of 4."""
    network = archlens.loads(SKIPS)
    one = sizes.find(network, bound=50)
    module = archlens.build(network, device="meta")
    assert list(one.tried[0].valid) == in_torch(lambda: module, range(1, 51)) == list(range(4, 51, 4))
    assert one.smallest == (4, 4)
    # sizes that do not fit lie above one that does
    assert len(one.tried[0].valid) < one.tried[0].bound - one.tried[0].valid[0] + 1


def test_axes_apart() -> None:
    """Where height and width differ each is searched by itself, at the own size of the other."""
    network = archlens.loads("{input: 3x40x20, layers: ['conv(4, (7, 3))', 'max_pool((3, 2))']}")
    one = sizes.find(network)
    assert one.smallest == (9, 4)  # 9 - 7 + 1 = 3 and 4 - 3 + 1 = 2, one window of the pooling each
    assert [tried.axes for tried in one.tried] == [("height",), ("width",)]
    assert one.tried[0].lossless == tuple(range(9, 41, 3))
    assert one.tried[1].lossless == tuple(range(4, 21, 2))


def test_lossless() -> None:
    """A stem of 11x11 with stride 4 fits a whole number of times from 67 on only every 32nd size.

    By hand: n = 11 + 4a; pooling by 3 with stride 2 three times wants a + 1 = 3 + 2b, and so on.
    """
    sized = found("alexnet_keras", bound=230).tried[0].lossless
    expected = []
    for n in range(67, 231):
        maps = [n]
        for f, s in ((11, 4), (3, 2), (3, 2), (3, 2)):
            maps.append((maps[-1] - f) / s + 1)
        if all(size == int(size) for size in maps):
            expected.append(n)
    assert list(sized) == expected == [67, 99, 131, 163, 195, 227]
    # pooling that rounds up sees every position: the stem alone decides
    rounded = found("alexnet_2012", bound=230).tried[0].lossless
    assert list(rounded) == [n for n in range(rounded[0], 231) if (n - 11) % 4 == 0]


def test_no_padding_at_the_centre() -> None:
    """VGG-16's field of 212 with effective stride 32 and padding 90 (Araujo et al. 2019).

    Output 3 is the first that begins inside: 3*32 - 90 = 6. It is the centre of 7 outputs, for which 224 is
    the smallest input; its field ends at 218.
    """
    one = found("vgg16")
    assert (one.layer, one.unpadded) == ("avgpool", (224, 224))
    # at more than 224 torchvision's adaptive pooling of AlexNet has no one window; the layer before it has
    one = found("alexnet")
    assert one.layer == "features.12"


def test_costs_are_those_of_the_network() -> None:
    one = found("mobilenet_v1")
    costs = {cost.input[1]: cost for cost in map(scaled, map(Study, one.scaled))}
    macs = {size: cost.figures["macs"] for size, cost in costs.items()}
    assert macs[224] == 568_740_352  # Howard et al. 2017 print 569 million
    assert macs[112] < macs[168] < macs[224] < macs[280]  # type: ignore[operator]
    assert {cost.figures["params"] for cost in costs.values()} == {4_231_976}
    # features of a fully connected layer grow with the input, and so do its parameters
    grown = [scaled(Study(network)).figures["params"] for network in found("lenet5").scaled]
    assert len(set(grown)) == len(grown)


def test_fields_of_other_inputs() -> None:
    """The field of VGG-16's last maximum is 212 (Araujo et al. 2019); at 448 two of them are averaged.

    At 112 the 3x3 map is stretched to 7x7 by uneven windows, so that the maximum is the last with a field.
    """
    costs = {cost.input[1]: cost for cost in map(scaled, map(Study, found("vgg16").scaled))}
    seen = {size: (cost.layer, cost.field, cost.clipped) for size, cost in costs.items()}
    assert seen | {280: (), 336: ()} == {
        112: ("features.30", (212, 212), True),
        168: ("features.30", (212, 212), True),
        224: ("avgpool", (212, 212), False),  # the middle of 7: from 3 * 32 - 90 = 6 to 218
        280: (),
        336: (),
        448: ("avgpool", (212 + 32, 212 + 32), False),
    }


@pytest.mark.slow
def test_a_brief_search() -> None:
    """It shows the same as far as it goes: to 96, or to twice the smallest.

    Ronneberger et al. 2015, section 2: no pixel is lost where all four poolings find even sizes; 188 gives 4.
    """
    brief, whole = found("densenet121", brief=True), found("densenet121", bound=96)
    assert brief.tried == whole.tried
    (tried,) = found("unet", brief=True).tried
    assert tried.bound == 2 * 188
    assert tried.lossless[0] == 188
    assert {b - a for a, b in pairwise(tried.lossless)} == {2**4}


def test_a_spec_from_a_pipe() -> None:
    """It can be read once only, and is looked at on many inputs."""
    text = "input: 1x8x8\nlayers: ['conv(4, 3)', 'max_pool(2)']\n"
    result = CliRunner().invoke(cli, ["sizes", "-"], input=text)
    assert result.exception is None
    assert "smallest            4x4" in result.output


def test_several_inputs_change_together() -> None:
    network = archlens.loads(
        """
        input: {left: 1x20x20, right: 1x20x20, code: 12}
        layers:
          - add: [[ref(left), "conv(2, 5)"], [ref(right), "conv(2, 5)"]]
        """
    )
    one = sizes.find(network)
    assert one.smallest == (5, 5)
    assert one.input == "left"


def test_no_spatial_axis() -> None:
    network = archlens.loads("{input: 12, layers: [linear(3)]}")
    one = sizes.find(network)
    assert (one.smallest, one.tried, one.unpadded) == ((), (), ())


def test_axes_that_have_to_be_alike() -> None:
    """Alone each has to stay at 8, for the map stands beside itself turned; together they may be 1."""
    text = "{input: 1x8x8, layers: [concat: [identity, 'reshape([1, x.width, x.height])']]}"
    assert sizes.find(archlens.loads(text)).smallest == (1, 1)


class Counted(Origin):
    """Counts how often a network is laid out on another input."""

    def __init__(self, text: str) -> None:
        made = archlens.loads(text)
        self.inner, self.count = made.origin, 0
        self.family, self.source = self.inner.family, self.inner.source
        self.network = replace(made, origin=self)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)  # it counts

    def again(self, *args: Any, **options: Any) -> Network:
        self.count += 1
        return self.inner.again(*args, **options)


def test_no_search_goes_on_for_ever() -> None:
    """A second of audio has 16,000 samples; not each of them is a size that somebody asks about."""
    many = Counted("{input: 1x48000, layers: ['conv(2 + 0 * x.length, 80, stride=4)', 'max_pool(4)']}")
    one = sizes.find(many.network)
    assert one.smallest == (80 + 3 * 4,)
    assert [tried.bound for tried in one.tried] == [sizes.MOST]
    assert many.count < 2 * sizes.MOST
    assert sizes.find(many.network, bound=3000).tried[0].valid == tuple(range(92, 3001))


def test_the_ops_alone_are_asked_again() -> None:
    """A spec that asks for no size is laid out to see that it is as it was, and for those that are shown."""
    one = Counted("{input: 1x480, layers: ['conv(2, 80, stride=4)', 'max_pool(4)']}")
    assert sizes.find(one.network).tried[0].valid == tuple(range(92, 481))
    assert one.count < 10


def test_a_spec_that_asks_for_sizes() -> None:
    """On the own input both branches are alike, and what a block made for the first is taken for the second.

    On others the first still pools to 4x4; in the second the kernel is half of the input less 2, so that 6 is
    the smallest.
    """
    network = archlens.loads(
        """
        input: 1x8x8
        blocks:
          most(): ["conv(1, x.height - 2)", flatten, "linear(3)"]
        layers:
          - add: [["adaptive_avg_pool(4)", most], ["max_pool(2)", most]]
        """
    )
    one = sizes.find(network, bound=12)
    works = []
    for size in range(1, 13):
        with suppress(archlens.SpecError):
            network.with_input((1, size, size))
            works.append(size)
    assert list(one.tried[0].valid) == works == list(range(6, 13))


def test_a_kernel_that_grows_with_the_input() -> None:
    """Half of n leaves n - n//2 + 1 positions, and the next wants 3 of them: 3 do, or 6 for a kernel of 4."""
    text = "{input: 1x8, layers: ['conv(2, x.length // 2)', 'conv(2, 3)']}"
    assert sizes.find(archlens.loads(text)).smallest == (3,)


def test_a_size_that_is_out_of_reach(tmp_path: Path) -> None:
    text = "{input: 1x5000, layers: ['crop(4990)', 'max_pool(3)']}"
    (tmp_path / "far.yaml").write_text(text)
    one = found(str(tmp_path / "far.yaml"))
    assert one.smallest == (None,)
    assert one.searched == 2048
    network = archlens.load(str(tmp_path / "far.yaml"))
    assert sizes.smallest(network) == Unknown("no input up to 2,048 was found that it works on")
    result = CliRunner().invoke(cli, ["sizes", "-"], input=text)
    assert "smallest            none was found; tried up to 2,048\n" in result.output
    assert "fits                none, of 1 to 2048\n" in result.output
    result = CliRunner().invoke(cli, ["sizes", "-", "--upto", "5000"], input=text)
    assert "smallest            4990\n" in result.output
    assert "fits                4990 to 5000, of 1 to 5000\n" in result.output


@pytest.mark.slow
def test_a_search_of_a_large_network_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 300 layers on 500 sizes, 150,000 layers, a search that may lay out 25,000 tries some 70 sizes."""
    monkeypatch.setattr(sizes, "_WORK", 25_000)
    monkeypatch.setattr(sizes, "_BRIEF_WORK", 25_000)
    monkeypatch.setattr(sizes, "_OWN", 12)
    on = Counted("{input: 1x500, layers: ['crop(10 + 0 * x.length)', 'relu * 299']}")
    one = sizes.find(on.network)
    assert one.given_up
    assert one.smallest == (10,)  # what does not fit ends at its first layer, and costs little
    assert 20 < one.tried[0].bound < 100
    assert one.tried[0].valid == tuple(range(10, one.tried[0].bound + 1))
    assert 300 * on.count < 30_000
    wide = Counted("{input: 1x500, layers: ['relu * 299', 'crop(490 + 0 * x.length)']}")
    one = sizes.find(wide.network)
    assert one.given_up
    assert one.smallest == (None,)
    assert 20 < one.searched < 100
    assert 300 * wide.count < 30_000
    found = sizes.smallest(wide.network)
    assert isinstance(found, Unknown)
    assert re.fullmatch(r"no input up to \d\d was found that it works on", found.reason)
    with allowing(40 * MAX_LAYERS):  # 3 x 500 sizes of 310 layers are less than 1,000,000
        one = sizes.find(wide.network)
    assert not one.given_up
    assert one.tried[0].valid == tuple(range(490, 501))


def test_a_search_to_a_bound_is_given_up_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says how far it came; each size of 100 layers is worth those twice, and 8 that are like no other.

    What is told of all sizes at once, before it is seen that the spec asks for them, costs some of it, too.
    """
    monkeypatch.setattr(sizes, "_WORK", 8_000)
    monkeypatch.setattr(sizes, "_OWN", 0)
    text = "{input: 1x50, layers: ['crop(10 + 0 * x.length)', 'relu * 99']}"
    (tried,) = sizes.find(archlens.loads(text), bound=10**9).tried
    assert tried.bound < 8_000 / 100
    assert tried.valid == tuple(range(10, tried.bound + 1))
    with allowing(4 * MAX_LAYERS):
        assert 3.5 < sizes.find(archlens.loads(text), bound=10**9).tried[0].bound / tried.bound < 5.5
    assert sizes.find(archlens.loads(text, max_layers=4 * MAX_LAYERS), bound=120).tried[0].bound == 120
    said = CliRunner().invoke(cli, ["sizes", "-", "--upto", "100000"], input=text).output
    assert f"fits                10 to {tried.bound}, of 1 to {tried.bound}\n" in said
    assert "given up            it takes more work than a search may (--max-layers, or max_layers=" in said
    monkeypatch.setattr(sizes, "_WORK", -1)
    said = CliRunner().invoke(cli, ["sizes", "-", "--upto", "100000"], input=text).output
    for what in ("smallest     ", "fits         ", "no pixel lost"):
        assert f"{what}       not looked for\n" in said


def test_a_size_that_the_first_layer_refuses_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is laid out on it, and it is tried all the same."""
    monkeypatch.setattr(sizes, "_WORK", 2_000)
    monkeypatch.setattr(sizes, "_OWN", 0)
    for more in ("", " + 0 * x.length"):
        far = Counted(f"{{input: 1x1000000000, layers: ['conv(2{more}, 900000000)']}}")
        one = sizes.find(far.network, bound=10**9)
        assert one.smallest == (None,)
        assert 180 < one.searched <= 2_000 / 10 + 1
        assert far.count <= 2_000 / 10 + 2


def test_what_is_read_is_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty layers that read 200 tensors each are worth 2,000, made anew twice that: six are 25,000."""
    monkeypatch.setattr(sizes, "_WORK", 25_000)
    monkeypatch.setattr(sizes, "_OWN", 0)
    tried: list[Network | None] = []
    spend = sizes._Search.spend

    def noted(self: Any, network: Network | None, done: int) -> None:
        tried.append(network)
        spend(self, network, done)

    monkeypatch.setattr(sizes._Search, "spend", noted)
    merge = f"{{concat: [{', '.join(['ref(a)'] * 200)}]}}"
    one = sizes.find(
        archlens.loads(f"{{input: 1x500, layers: [a: crop(1 + 0 * x.length), {', '.join([merge] * 20)}]}}")
    )
    assert one.given_up
    assert 4 < len(tried) < 9


@pytest.mark.parametrize(
    ("name", "brief", "tried"), [("densenet264", True, 96), ("efficientnet_b7", False, 600)]
)
def test_no_search_of_the_zoo_is_given_up(name: str, brief: bool, tried: int) -> None:
    """Those that take the most work: for a page up to 96, and by default up to the network's own size."""
    found = sizes.find(archlens.load(name), brief=brief)
    assert not found.given_up
    assert [one.bound for one in found.tried] == [tried]


def test_a_field_that_no_image_holds() -> None:
    """Nine layers of stride 7: the search for its centre tries so many sizes, of all layers together."""
    layers = ", ".join(["'conv(2, 3, stride=7, padding=1)'"] * 9)
    many = Counted(f"{{input: 1x32x32, layers: [{layers}]}}")
    one = sizes.find(many.network)
    assert one.unpadded == (None, None)
    assert one.layer == "8"
    assert many.count < 2 * sizes.MOST


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Network]:
    """The networks of which fields are found."""
    passes: list[Network] = []
    find = receptive_field.find

    def noted(network: Network, input: str = "") -> receptive_field.ReceptiveFields:
        passes.append(network)
        return find(network, input)

    monkeypatch.setattr(receptive_field, "find", noted)
    return passes


def test_the_fields_of_the_own_input_are_found_once(
    passes: list[Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other size is tried here, and of no layer is it found where its centre sees no padding."""
    monkeypatch.setattr(sizes, "_WORK", 0)
    network = archlens.loads("{input: 1x500x1, layers: ['conv(2, (3, 1), padding=(1, 0)) * 40']}")
    one = sizes.find(network)
    assert one.given_up
    assert one.unpadded == (None, None)
    assert passes == [network]


def test_the_fields_of_each_size_are_found_once(passes: list[Network]) -> None:
    """Of none of the layers behind so much padding is a centre found that sees none of it."""
    padded = "pad(((50, 0), (0, 0))) >> relu * 20"
    one = sizes.find(archlens.loads(f"{{input: 1x300x1, layers: ['{padded} >> adaptive_avg_pool((3, 1))']}}"))
    assert one.unpadded == (None, None)
    tried = [network.input.spatial for network in passes]
    assert tried == [(300, 1), *((size, 1) for size in range(1, 9))]
    passes.clear()
    assert sizes.find(archlens.loads(f"{{input: 1x300x1, layers: ['{padded}']}}")).unpadded == (None, None)
    assert len(passes) == 1  # all of which look the same way on each size


def test_command(tmp_path: Path) -> None:
    runner = CliRunner()
    result = runner.invoke(cli, ["sizes", "lenet5", "--format", "json"])
    data = json.loads(result.output)
    assert data["schema"] == "archlens.sizes/2"
    assert data["smallest"] == [16, 16]  # two 5x5 windows and two poolings: ((16 - 4)/2 - 4)/2 = 1
    assert data["tried"] == [
        {
            "axes": ["height", "width"],
            "bound": 32,
            "valid": list(range(16, 33)),
            "lossless": [16, 20, 24, 28, 32],
        }
    ]
    result = runner.invoke(cli, ["sizes", "lenet5"])
    assert result.exit_code == 0
    assert "fits                16 to 32, of 1 to 32" in result.output
    assert "no pixel lost       16 to 32 by 4" in result.output
    path = tmp_path / "sizes.md"
    assert runner.invoke(cli, ["sizes", "lenet5", "--format", "markdown", "-o", str(path)]).exit_code == 0
    assert "- smallest: 16x16" in path.read_text()
    assert runner.invoke(cli, ["sizes", "lenet6"]).exit_code != 0
    assert runner.invoke(cli, ["sizes", "lenet5", "--upto", "0"]).exit_code == 2


def test_heads_for_training_that_fit_no_size_that_was_tried(tmp_path: Path) -> None:
    """The head wants a map of 2,990, which is further than the sizes are tried."""
    spec = tmp_path / "far.yaml"
    spec.write_text(
        "input: 3x3000x3000\nlayers: ['conv(8, 3)']\noutputs:\n  aux:\n    training: ['avg_pool(2990)']\n",
        encoding="utf-8",
    )
    result = CliRunner().invoke(cli, ["sizes", str(spec)]).output
    assert re.search(r"^in training +none was found; tried up to 2,048$", result, re.M)
