"""Cfg files of darknet, against what its own programs say of them."""

from __future__ import annotations

import random
import shlex
import warnings
from contextlib import suppress
from hashlib import sha256
from math import prod
from pathlib import Path

import pytest
from click.testing import CliRunner

import archlens
from archlens.bounds import allowing
from archlens.cli import cli
from archlens.dialects import find, network
from archlens.errors import ArchlensError
from archlens.geometry import Window
from archlens.network import Network
from archlens.shape import times

from .running import apart

#: Every kind of layer that both programs, or the later one, know.
LATER = """
[net]
width=33
height=41
channels=3

[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=mish

[maxpool]
size=2
stride=1

[maxpool]
size=3
stride=2

[convolutional]
filters=12
size=5
padding=1
groups=4
activation=leaky

[convolutional]
filters=12
size=3
stride_x=2
stride_y=1
pad=1
activation=swish

[maxpool]
size=4
stride=3
padding=2

[route]
layers=-3, 3

[route]
layers=-4
groups=3
group_id=2

[convolutional]
filters=6
size=1
activation=relu

[shortcut]
from=-2
activation=leaky

[upsample]
stride=2

[local_avgpool]
size=3
stride=1

[convolutional]
filters=6
size=3
pad=1
dilation=2
activation=linear

[sam]
from=-2

[avgpool]

[convolutional]
filters=6
size=1
activation=logistic

[scale_channels]
from=13

[reorg3d]
stride=2

[dropout]
probability=.5

[connected]
output=10
activation=linear

[softmax]
groups=1

[cost]
type=sse
"""

#: What that program says of them: channels, height, width, weights of convolutions, and GFLOPs, with what
#: pooling and shortcuts do. Measured: AlexeyAB/darknet at 59596d78, parse_network_cfg_custom.
LATER_SAYS = """
 0 8 21 17 216 0.000154224
 1 8 21 17 0 0.000011424
 2 8 11 9 0 0.000007128
 3 12 9 7 600 0.000075600
 4 12 9 4 1296 0.000093312
 5 12 3 1 0 0.000000576
 6 24 9 7 0 0
 7 4 9 7 0 0
 8 6 9 7 24 0.000003024
 9 6 9 7 0 0.000000378
10 6 18 14 0 0
11 6 18 14 0 0.000013608
12 6 18 14 324 0.000163296
13 6 18 14 0 0
14 6 1 1 0 0
15 6 1 1 36 0.000000072
16 6 18 14 0 0
17 24 9 7 0 0
18 24 9 7 0 0
19 10 1 1 0 0
20 10 1 1 0 0
"""

#: What only the first program knows, or knows in another way.
FIRST = """
[network]
width=20
height=20
channels=3

[crop]
crop_width=16
crop_height=16
flip=0

[conv]
filters=4
size=3
stride=2
pad=1
activation=ramp

[deconv]
filters=5
size=4
stride=2
padding=1
batch_normalize=1
activation=elu

[normalization]
size=5

[conv]
filters=7
size=3
stride=2
pad=1
activation=tanh

[shortcut]
from=-2

[l2norm]

[logistic]

[reorg]
stride=2

[reorg]
stride=2
reverse=1

[local]
filters=2
size=3
stride=1
pad=1
activation=leaky

[conn]
output=1548
activation=linear

[detection]
classes=3
coords=4
side=6
num=8
rescore=1
"""

#: What it says of them: channels, height, width and weights. Measured: pjreddie/darknet at f6afaabc,
#: parse_network_cfg.
FIRST_SAYS = """
 0 3 16 16 0
 1 4 8 8 108
 2 5 16 16 320
 3 5 16 16 0
 4 7 8 8 315
 5 7 8 8 0
 6 7 8 8 0
 7 7 8 8 0
 8 28 4 4 0
 9 7 8 8 0
10 2 8 8 0
11 1548 1 1 0
"""


def laid_out(tmp_path: Path, text: str, name: str = "net.cfg") -> Network:
    path = tmp_path / name
    path.write_text(text)
    return network(find(str(path)))


def said_of(text: str) -> dict[int, list[float]]:
    rows = [[*map(float, line.split())] for line in text.strip().splitlines()]
    return {int(number): row for number, *row in rows}


def shapes_of(net: Network) -> dict[int, tuple[int, ...]]:
    """What each section gives that places a layer."""
    return {int(layer.name.partition(".")[0]): tuple(layer.shape) for layer in net}


def convolved(net: Network, number: int) -> int:
    """The weights of the convolution in a section."""
    names = ("conv", "conv_transpose")
    weights = [one.facts.weights["weight"] for name in names if (one := net.index.get(f"{number}.{name}"))]
    return sum(map(prod, weights))


@pytest.mark.parametrize(("text", "says"), [(LATER, LATER_SAYS), (FIRST, FIRST_SAYS)], ids=["later", "first"])
def test_shapes_and_weights_are_those_of_darknet(text: str, says: str, tmp_path: Path) -> None:
    net = laid_out(tmp_path, text)
    found = shapes_of(net)
    for number, (*shape, weights) in ((n, row[:4]) for n, row in said_of(says).items()):
        if number in found:
            flat = len(found[number]) == 1  # which darknet has as a map of one position
            assert (*found[number], *((1, 1) if flat else ())) == tuple(shape), number
        assert convolved(net, number) == weights, number
    assert len(found) == len(said_of(says))


def test_work_is_that_of_darknet(tmp_path: Path) -> None:
    """It counts two operations for each multiply-accumulate, and one for each value that pooling looks at."""
    net = laid_out(tmp_path, LATER)
    for number, (*_, operations) in said_of(LATER_SAYS).items():
        found = 2 * sum(one.macs for one in net if one.name == f"{number}.conv")
        for name in ("max_pool", "avg_pool", "add"):
            if one := net.index.get(f"{number}.{name}"):
                found = sum(one.facts.other.values())
                found += one.shape.numel if name == "max_pool" else 0  # k - 1 comparisons of k values
        assert found == round(operations * 1e9), number


def windows(size: int, stride: int, padding: int, n: int) -> list[list[int]]:
    """What each output of a pooling looks at, by the loop of darknet's forward_maxpool_layer."""
    count = (n + padding - size) // stride + 1
    looked = [[-(padding // 2) + i * stride + k for k in range(size)] for i in range(count)]
    return [[at for at in window if 0 <= at < n] for window in looked]


@pytest.mark.parametrize("seed", range(12))
def test_pooling_looks_where_darknet_does(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    size, n = draw.randint(1, 6), draw.randint(6, 15)
    stride, given = draw.randint(1, 4), draw.choice([None, 0, size // 2, size - 1])
    padding = size - 1 if given is None else given
    option = "" if given is None else f"padding={given}"
    text = f"[net]\nwidth={n}\nheight={n}\nchannels=1\n[max]\nsize={size}\nstride={stride}\n{option}\n"
    expected = windows(size, stride, padding, n)
    (layer,) = laid_out(tmp_path, text)
    reach = layer.facts.reach
    assert isinstance(reach, tuple)
    for window in reach:
        assert isinstance(window, Window)
        starts = [i * window.stride - window.before for i in range(layer.shape[1])]
        assert [[at for at in range(s, s + window.kernel) if 0 <= at < n] for s in starts] == expected


def test_darknet_19(tmp_path: Path) -> None:
    """The paper's table, as a cfg file; its figures as pytorchcv 0.0.74 prints them."""
    text = "[net]\nwidth=224\nheight=224\nchannels=3\n"
    for width, count in ((32, 0), (64, 0), (128, 1), (256, 1), (512, 2), (1024, 2)):
        text += "[maxpool]\nsize=2\nstride=2\n" if width > 32 else ""
        for n, size in ((width, 3), *((width // 2, 1), (width, 3)) * count):
            text += f"[convolutional]\nbatch_normalize=1\nfilters={n}\nsize={size}\npad=1\nactivation=leaky\n"
    text += "[convolutional]\nfilters=1000\nsize=1\nactivation=linear\n[avgpool]\n[softmax]\n[cost]\n"
    net = laid_out(tmp_path, text)
    assert (net.params, net.macs, net.output.numel) == (20_842_376, 2_790_989_824, 1000)


def cfg(*sections: str, net: str = "width=32\nheight=32\nchannels=3") -> str:
    """A file of sections, each with its options on one line."""
    lines = [f"[net]\n{net}"]
    for section in sections:
        kind, *options = section.split()
        lines.append("\n".join((f"[{kind}]", *options)))
    return "\n".join(lines) + "\n"


CONV = "convolutional filters=8 size=3 pad=1 activation=leaky"
HEAD = "convolutional filters=18 size=1 activation=linear"


def test_shared_weights_are_counted_once(tmp_path: Path) -> None:
    text = cfg(CONV, CONV.replace("=8", "=8 batch_normalize=1"), CONV + " batch_normalize=1 share_index=-1")
    net = laid_out(tmp_path, text)
    assert net.params == (3 * 9 * 8 + 8) + (8 * 9 * 8 + 2 * 8)
    assert net.index["2.conv"].macs == 8 * 9 * 8 * 32 * 32


def test_a_shortcut_adds_the_channels_that_both_have(tmp_path: Path) -> None:
    more = laid_out(tmp_path, cfg(CONV, CONV.replace("8", "12"), "shortcut from=-2"))
    assert [str(one.op) for one in more][-2:] == ["pad(channels=(0, 4))", "add"]
    fewer = laid_out(tmp_path, cfg(CONV, CONV.replace("8", "5"), "shortcut from=-2 activation=leaky"))
    assert [str(one.op) for one in fewer][-3:] == ["slice(stop=5)", "add", "leaky_relu(slope=0.1)"]
    assert [tuple(net.output) for net in (more, fewer)] == [(12, 32, 32), (5, 32, 32)]


@pytest.mark.parametrize(("part", "taken"), [(0, "slice(stop=2)"), (2, "slice(start=4, stop=6)")])
def test_a_route_may_take_a_part(part: int, taken: str, tmp_path: Path) -> None:
    net = laid_out(tmp_path, cfg(CONV, f"route layers=-1 groups=4 group_id={part}"))
    assert str(net.index["1.slice"].op) == taken
    assert tuple(net.output) == (2, 32, 32)


def test_detectors_are_outputs(tmp_path: Path) -> None:
    ends = ("yolo mask=0,1,2 classes=1", "route layers=-3", HEAD, "yolo mask=3,4,5 classes=1")
    net = laid_out(tmp_path, cfg(CONV, HEAD, *ends))
    assert net.outputs == {"out": "4.conv", "yolo_2": "1.conv"}


@pytest.mark.parametrize(
    ("section", "weights", "macs"),
    [
        ("lstm output=6", 4 * (5 * 6 + 6) + 4 * (6 * 6 + 6), 4 * (5 * 6) + 4 * (6 * 6)),
        ("gru output=6", 3 * (5 * 6 + 6) + 3 * (6 * 6 + 6), 3 * (5 * 6) + 3 * (6 * 6)),
        ("rnn output=6 hidden=4", 5 * 4 + 4 + 4 * 4 + 4 + 4 * 6 + 6, 5 * 4 + 4 * 4 + 4 * 6),
        ("rnn output=6 batch_normalize=1", 5 * 6 + 2 * 6 * 6 + 3 * 2 * 6, 5 * 6 + 2 * 6 * 6),
    ],
)
def test_recurrent_layers(section: str, weights: int, macs: int, tmp_path: Path) -> None:
    net = laid_out(tmp_path, cfg(section, "softmax", net="inputs=5"))
    assert (net.params, net.macs, tuple(net.output)) == (weights, macs, (6,))


def test_other_inputs(tmp_path: Path) -> None:
    (tmp_path / "net.cfg").write_text(cfg(CONV, "max size=2 stride=2", "max size=2 stride=1"))
    found = network(find(str(tmp_path / "net.cfg")), input="3x45x50")
    assert tuple(found.output) == (8, 23, 25)
    (tmp_path / "net.cfg").write_text(cfg(CONV, net="batch=1"))
    with pytest.raises(ArchlensError, match=r"leaves the size of its input .*open"):
        network(find(str(tmp_path / "net.cfg")))


def test_found_by_content(tmp_path: Path) -> None:
    net = laid_out(tmp_path, "# a comment\n\n" + cfg(CONV), "yolo.txt")
    assert tuple(net.output) == (8, 32, 32)
    with pytest.raises(ArchlensError, match=r"does not start with \[net\]"):
        laid_out(tmp_path, "[metadata]\nname = a\n", "setup.cfg")


MISTAKES = [
    (
        cfg(CONV, "yolo mask=0,1,2 classes=80"),
        "takes 3 boxes (mask) x (80 classes + 5) = 255 channels, and reads 8",
        12,
    ),
    (
        cfg(CONV, "region num=5 classes=20"),
        "takes 5 boxes (num) x (20 classes + 5) = 125 channels, and reads 8",
        12,
    ),
    (
        cfg("detection side=3 num=2 classes=4 coords=4"),
        "3*3*((1 + 4 coords)*2 boxes + 4 classes) = 126 values, and reads 3,072",
        5,
    ),
    (cfg("convolutional filters=many"), "[convolutional]: filters is a whole number, not many", 6),
    (cfg("convolutional filters=0"), "[convolutional]: filters is at least 1, not 0", 6),
    (cfg("convolutional filters=99999999999"), "filters is a whole number", 6),
    (cfg("convolutional filters=4294967296"), "filters is at most 2,147,483,647", 6),
    (cfg(CONV.replace("leaky", "leeky")), "there is no activation leeky", 9),
    (cfg("convolutionel filters=3"), "there is no section [convolutionel]", 5),
    (cfg(CONV, "route layers=-3"), "layers names layer 1 -3 = -2, and this is layer 1", 11),
    (cfg(CONV, "route layers=7"), "layers names layer 7, and this is layer 1", 11),
    (cfg("route layers=0"), "layers names layer 0, and this is layer 0", 6),
    (cfg("route groups=2"), "layers names no layer", 5),
    (cfg(CONV, "max size=2 stride=2", "route layers=-1,-2"), "differ in height (16 and 32)", 13),
    (
        cfg(CONV, "max size=2 stride=2", "shortcut from=-2 activation=linear", "route layers=-1,-3"),
        "differ in",
        16,
    ),
    (cfg(CONV, "upsample stride=2", "shortcut from=-2"), "adds 8x32x32 to 8x64x64", 13),
    (cfg(CONV, "route layers=-1 groups=3"), "groups=3 does not divide the 8 channels", 12),
    (cfg(CONV, "reorg stride=3"), "a stride of 3 does not divide 8x32x32", 11),
    (
        cfg(CONV, "scale_channels from=-1"),
        "it scales each channel of 8x32x32 by 8x1x1, and reads 8x32x32",
        11,
    ),
    (cfg(CONV, net="inputs=12"), "it reads a map, and the input is a vector of 12", 3),
    (cfg("convolutional size=99"), "0.conv does not fit: its 99x99 window is larger", 5),
    ("[net]\n", "has no layers", 1),
    ("[net]\nwidth\n", "width is not an option", 2),
    ("[net\nwidth=3\n", "[net is not a section head", 1),
    ("[net]\n[\n", "is not a section head", 2),
]


@pytest.mark.parametrize(
    ("text", "message", "line"), MISTAKES, ids=[message[:40] for _, message, _ in MISTAKES]
)
def test_mistakes_are_pointed_at(text: str, message: str, line: int, tmp_path: Path) -> None:
    with pytest.raises(ArchlensError) as raised:
        laid_out(tmp_path, text)
    assert message in str(raised.value)
    span = raised.value.diagnostic.span
    assert (span.line if span else 0) == line, str(raised.value)


def test_options_that_mean_nothing_are_warned_of(tmp_path: Path) -> None:
    text = cfg(
        CONV.replace("filters", "filter"), net="widht=32\nheight=32\nwidth=32\nchannels=3\nlearning_rate=1"
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        laid_out(tmp_path, text)
    said = [str(one.message) for one in caught]
    assert [message.partition("\n")[0] for message in said] == [
        "warning: [net]: widht is not an option of it, and does nothing",
        "warning: [convolutional]: filter is not an option of it, and does nothing",
    ]
    assert "did you mean filters?" in said[1]


def test_a_warning_of_the_command_line_has_no_python(tmp_path: Path) -> None:
    path = tmp_path / "net.cfg"
    path.write_text(cfg(CONV, net="widht=32\nheight=32\nwidth=32\nchannels=3"))
    ended = apart("shapes", str(path))
    assert ended.returncode == 0
    assert ended.stderr.startswith("warning: [net]: widht is not an option of it, and does nothing\n --> ")
    assert "UserWarning" not in ended.stderr
    assert ".py" not in ended.stderr


def test_any_byte_may_be_wrong(tmp_path: Path) -> None:
    """Cut anywhere, and anything in its place: a network or a diagnostic."""
    path = tmp_path / "net.cfg"
    whole = (LATER + FIRST.replace("[network]", "[avgpool]")).strip().encode()
    draw = random.Random(15)
    for _ in range(120):
        at = draw.randrange(len(whole))
        broken = draw.choice([whole[:at], whole[:at] + bytes([draw.randrange(256)]) + whole[at + 1 :]])
        path.write_bytes(broken)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with suppress(ArchlensError):
                network(find(str(path)))


TOO_MUCH = [
    (cfg(CONV) + "[route]\nlayers=0\n" * 50, "more than 50 layers"),
    (cfg(CONV) + "a=1\n" * 901, "more than 900 options"),
    (cfg(CONV) + "[route]\nlayers=" + "0," * 201, "read more than 200 tensors"),
]


@pytest.mark.parametrize(("text", "message"), TOO_MUCH, ids=[message for _, message in TOO_MUCH])
def test_what_is_too_much(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archlens.dialects.darknet.cfg._OPTIONS", 900)
    with pytest.raises(ArchlensError, match=message), allowing(50):
        laid_out(tmp_path, text)


@pytest.mark.parametrize(
    "command",
    [
        "shapes net.cfg",
        "shapes --depth 1 net.cfg",
        "explain net.cfg",
        "sizes net.cfg",
        "cost net.cfg",
        "memory net.cfg",
        "lint net.cfg",
        "check net.cfg --params '<= 26M'",
        "diff net.cfg other.cfg",
        "compare net.cfg other.cfg",
        "diagram net.cfg -o net.svg",
        "convert net.cfg",
    ],
)
def test_every_command_takes_one(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cfg").write_text(cfg(CONV, "max size=2 stride=2", CONV, "route layers=-1,-2", "softmax"))
    Path("other.cfg").write_text(cfg(CONV, "max size=2 stride=2", CONV, "softmax"))
    result = CliRunner().invoke(cli, shlex.split(command))
    assert result.exit_code == 0, result.output


def test_converted_it_is_the_same_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.cfg").write_text(
        cfg(CONV, HEAD, "yolo mask=0,1,2 classes=1", "route layers=0", CONV, "avgpool")
    )
    assert CliRunner().invoke(cli, ["convert", "net.cfg", "-o", "net.yaml"]).exit_code == 0
    result = CliRunner().invoke(cli, ["diff", "net.cfg", "net.yaml"])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("name", "convolutions", "params", "macs", "digest"),
    [
        ("yolov3", 75, 61_949_149, 32_932_037_632, "96e78e8133ad6d3f"),
        ("yolov4", 110, 64_363_101, 64_194_741_248, "b497c75cb38b2a32"),
    ],
)
def test_a_spec_has_the_layers_of_a_cfg_file(
    name: str, convolutions: int, params: int, macs: int, digest: str
) -> None:
    """A file of weights has no names: the layers of the zoo's network come in the order of its cfg file.

    What is expected was read of yolov3.cfg and yolov4.cfg of AlexeyAB/darknet at 59596d78; the digest is of
    the lines ``conv 32x3x3x3`` of the weights. With the same weights the three maps were the same.
    """
    made = archlens.load(name)
    weighed = [f"{layer.op.kind} {times(shape)}" for layer in made for shape in layer.facts.weights.values()]
    found = sha256("\n".join(weighed).encode()).hexdigest()[:16]
    kinds = [layer.op.kind for layer in made]
    assert (kinds.count("conv"), made.params, made.macs, found) == (convolutions, params, macs, digest)
