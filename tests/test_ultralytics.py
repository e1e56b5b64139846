"""Model files of Ultralytics: counts by hand, names as their state dicts have them, and errors at the row.

What the files of their own package give is held against the package by ``tests/ultralytics_survey.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archlens
from archlens import dialects
from archlens.cli import cli
from archlens.network import Network
from archlens.writing import convert

SMALL = """\
nc: 2
scales: # depth, width, most channels
  n: [0.5, 0.25, 1024]
  s: [1.0, 0.5, 64]
backbone:
  - [-1, 1, Conv, [64, 3, 2]] # 0
  - [-1, 1, Conv, [128, 3, 2]] # 1
  - [-1, 4, C2f, [128, True]] # 2
  - [-1, 1, Conv, [256, 3, 2]] # 3
head:
  - [-1, 1, nn.Upsample, [None, 2, nearest]] # 4
  - [[-1, 1], 1, Concat, [1]] # 5
  - [-1, 1, Conv, [64, 1]] # 6
  - [[6, 3], 1, Detect, [nc]] # 7
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(text: str, name: str = "net.yaml", variant: str = "", **more: Any) -> Network:
    """The network of a file with that text."""
    Path(name).write_text(text, encoding="utf-8")
    return dialects.network(dialects.find(f"{name}:{variant}" if variant else name), **more)


def said(text: str, **more: Any) -> str:
    """What is said of a file that is refused."""
    with pytest.raises(archlens.ArchlensError) as caught:
        load(text, **more)
    return str(caught.value)


def rows(*rows: str, head: str = "[-1, 1, nn.Identity, []]", before: str = "") -> str:
    """A file of these rows, at full size."""
    listed = "".join(f"  - {row}\n" for row in rows)
    return f"{before}backbone:\n{listed}head:\n  - {head}\n"


def conv(c1: int, c2: int, k: int = 1, groups: int = 1) -> int:
    """The parameters of a convolution without bias and of the two factors of its normalization."""
    return k * k * c1 // groups * c2 + 2 * c2


def head(c1: int, c2: int, c3: int, boxes: int, classes: int) -> int:
    """Those of a level of a head: two convolutions, and a last one with a bias, for boxes and for classes."""
    of_boxes = conv(c1, c2, 3) + conv(c2, c2, 3) + c2 * boxes + boxes
    return of_boxes + conv(c1, c3, 3) + conv(c3, c3, 3) + c3 * classes + classes


def test_the_params_of_a_scale_are_those_counted_by_hand() -> None:
    # at n widths are a quarter: 16, 32, 32, 64 channels; 4 x 0.5 = 2 bottlenecks of 16 channels
    backbone = conv(3, 16, 3) + conv(16, 32, 3) + conv(32, 64, 3)
    c2f = conv(32, 32) + 2 * 2 * conv(16, 16, 3) + conv(4 * 16, 32)
    # boxes take max(16, 16 // 4, 4 * 16) = 64 channels, classes max(16, min(2, 100)) = 16
    levels = head(16, 64, 16, 64, 2) + head(64, 64, 16, 64, 2)
    by_hand = backbone + c2f + conv(64 + 32, 16) + levels + 16  # the 16 distances
    assert load(SMALL, variant="n").params == by_hand


def test_the_most_channels_of_a_scale_come_before_its_width() -> None:
    network = load(SMALL, variant="s")
    # min(256, 64) * 0.5 = 32, and min(64, 64) * 0.5 = 32
    assert network["model.3.conv"].shape == (32, 80, 80)
    assert network["model.1.conv"].shape == (32, 160, 160)
    # 4 x 1.0 bottlenecks
    assert [name for name in network.blocks if network.blocks[name] == "Bottleneck"] == [
        f"model.2.m.{i}" for i in range(4)
    ]


@pytest.mark.parametrize(
    ("width", "channels"),
    [("0.25", 16), ("0.26", 24), ("0.375", 24), ("0.01", 8), ("1.0", 64)],
)
def test_widths_are_rounded_up_to_eights(width: str, channels: int) -> None:
    text = rows("[-1, 1, Conv, [64, 3, 2]]", before=f"width_multiple: {width}\n")
    assert load(text)["model.0.conv"].shape.channels == channels


@pytest.mark.parametrize(
    ("depth", "repeats", "count"),
    [
        ("0.33", 3, 1),
        ("0.33", 6, 2),
        ("0.67", 3, 2),
        ("0.5", 5, 2),
        ("0.5", 7, 4),
        ("0.1", 3, 1),
        ("0.5", 1, 1),
    ],
)
def test_depths_are_rounded_as_python_rounds(depth: str, repeats: int, count: int) -> None:
    # half is rounded to even: 2.5 to 2, and 3.5 to 4
    text = rows(f"[-1, {repeats}, C2f, [64]]", before=f"depth_multiple: {depth}\n")
    network = load(text, input="8x16x16")
    assert sum(name == "Bottleneck" for name in network.blocks.values()) == count


def linear(c1: int, c2: int) -> int:
    """The parameters of a linear layer with a bias."""
    return c1 * c2 + c2


def bottleneck(c: int, within: int, first: int = 3, second: int = 3) -> int:
    """Those of two convolutions with their normalizations."""
    return conv(c, within, first) + conv(within, c, second)


def psa(c: int) -> int:
    """Those of attention between positions, with keys of half the width of values, and of what follows."""
    attention = conv(c, 2 * c) + conv(c, c) + conv(c, c, 3, c)
    return attention + conv(c, 2 * c) + conv(2 * c, c)


def csp(c1: int, c: int, c2: int, inside: int) -> int:
    """Those of something beside one convolution, with what brings both together."""
    return 2 * conv(c1, c) + inside + conv(2 * c, c2)


@pytest.mark.parametrize(
    ("row", "by_hand"),
    [
        ("[-1, 1, Conv, [64, 3, 2]]", conv(32, 64, 3)),
        ("[-1, 1, DWConv, [64, 3]]", conv(32, 64, 3, 32)),
        ("[-1, 1, Focus, [64, 3]]", conv(4 * 32, 64, 3)),
        ("[-1, 1, GhostConv, [64, 3]]", conv(32, 32, 3) + conv(32, 32, 5, 32)),
        ("[-1, 1, ConvTranspose, [64]]", 2 * 2 * 32 * 64 + 2 * 64),
        ("[-1, 1, nn.ConvTranspose2d, [64, 2, 2, 0]]", 2 * 2 * 32 * 64 + 64),
        ("[-1, 1, Bottleneck, [32, True]]", bottleneck(32, 16)),
        ("[-1, 1, BottleneckCSP, [32]]",
         conv(32, 16) + 32 * 16 + 16 * 16 + 2 * 32 + bottleneck(16, 16) + conv(32, 32)),
        ("[-1, 2, C3, [32]]", csp(32, 16, 32, 2 * bottleneck(16, 16, 1))),
        ("[-1, 1, C3x, [32]]", csp(32, 16, 32, 2 * (3 * 16 * 16 + 2 * 16))),
        ("[-1, 2, C2f, [32]]", conv(32, 32) + 2 * bottleneck(16, 16) + conv(4 * 16, 32)),
        ("[-1, 1, C2, [32]]", conv(32, 32) + bottleneck(16, 16) + conv(32, 32)),
        ("[-1, 2, C3k2, [32, False, 0.25]]", conv(32, 16) + 2 * bottleneck(8, 4) + conv(4 * 8, 32)),
        ("[-1, 1, C3k2, [32, True]]",
         conv(32, 32) + csp(16, 8, 16, 2 * bottleneck(8, 8)) + conv(3 * 16, 32)),
        ("[-1, 2, C2PSA, [32]]", conv(32, 32) + 2 * psa(16) + conv(32, 32)),
        ("[-1, 1, PSA, [32]]", conv(32, 32) + psa(16) + conv(32, 32)),
        ("[-1, 1, A2C2f, [64, True, 4]]",
         conv(32, 32) + conv(64, 64)
         + 2 * (conv(32, 96) + conv(32, 32) + conv(32, 32, 7, 32) + conv(32, 64) + conv(64, 32))),
        ("[-1, 1, A2C2f, [32, False, -1, False, 2.0, 1.0]]",
         conv(32, 32) + csp(32, 16, 32, 2 * bottleneck(16, 16)) + conv(64, 32)),
        ("[-1, 1, A2C2f, [32, True, 1, True, 2.0, 1.0]]",
         conv(32, 32) + conv(64, 32) + 32
         + 2 * (conv(32, 96) + conv(32, 32) + conv(32, 32, 7, 32) + conv(32, 64) + conv(64, 32))),
        ("[-1, 1, SCDown, [64, 3, 2]]", conv(32, 64) + conv(64, 64, 3, 64)),
        ("[-1, 1, C2fCIB, [32, True, True]]",
         conv(32, 32) + conv(48, 32) + 2 * conv(16, 16, 3, 16) + conv(16, 32) + conv(32, 16)
         + conv(32, 32, 7, 32) + conv(32, 32, 3, 32)),
        ("[-1, 1, SPP, [64]]", conv(32, 16) + conv(4 * 16, 64)),
        ("[-1, 1, SPPF, [64, 5]]", conv(32, 16) + conv(4 * 16, 64)),
        ("[-1, 1, SPPELAN, [64, 16]]", conv(32, 16) + conv(4 * 16, 64)),
        ("[-1, 1, ADown, [64]]", conv(16, 32, 3) + conv(16, 32)),
        ("[-1, 1, AConv, [64]]", conv(32, 64, 3)),
        ("[-1, 1, ELAN1, [64, 32, 16]]", conv(32, 32) + 2 * conv(16, 16, 3) + conv(64, 64)),
        ("[-1, 1, RepNCSPELAN4, [64, 32, 16, 1]]",
         conv(32, 32) + conv(64, 64)
         + 2 * (csp(16, 8, 16, conv(8, 8, 3) + conv(8, 8) + conv(8, 8, 3)) + conv(16, 16, 3))),
        ("[-1, 2, RepC3, [32]]", 2 * conv(32, 32) + 2 * (conv(32, 32, 3) + conv(32, 32))),
        ("[-1, 1, C3TR, [32]]",
         csp(32, 16, 32, linear(16, 16) + 5 * 16 * 16 + 4 * linear(16, 16))),
        ("[-1, 1, AIFI, [64, 8]]", 4 * linear(32, 32) + linear(32, 64) + linear(64, 32) + 2 * 64),
        ("[-1, 1, ResNetLayer, [32, 16, 2, False, 2]]",
         conv(32, 16) + conv(16, 16, 3) + conv(16, 64) + conv(32, 64)
         + conv(64, 16) + conv(16, 16, 3) + conv(16, 64)),
        ("[-1, 1, HGStem, [32, 48]]",
         conv(32, 32, 3) + conv(32, 16, 2) + conv(16, 32, 2) + conv(64, 32, 3) + conv(32, 48)),
        ("[-1, 2, HGBlock, [16, 64, 3, False]]",
         conv(32, 16, 3) + conv(16, 16, 3) + conv(64, 32) + conv(32, 64)),
        ("[-1, 2, HGBlock, [16, 64, 5, True]]",
         conv(32, 16) + conv(16, 16) + 2 * conv(16, 16, 5, 16) + conv(64, 32) + conv(32, 64)),
        ("[-1, 1, CBAM, [32]]", linear(32, 32) + 2 * 49),
        ("[-1, 1, GhostBottleneck, [32, 3, 2]]",
         conv(32, 8) + conv(8, 8, 5, 8) + conv(16, 16, 3, 16) + conv(16, 16) + conv(16, 16, 5, 16)
         + conv(32, 32, 3, 32) + conv(32, 32)),
    ],
)  # fmt: skip
def test_the_params_of_a_module_are_those_counted_by_hand(row: str, by_hand: int) -> None:
    network = load(rows(row, before="ch: 32\n"), input="32x16x16")
    assert network.params == by_hand
    if "HGStem" not in row:
        assert network.macs >= by_hand // 2


#: Three maps of 32, 64 and 64 channels, a quarter, an eighth and a sixteenth as large as the picture.
MAPS = ("[-1, 1, Conv, [32, 4, 4, 0]]", "[-1, 1, Conv, [64, 3, 2]]", "[-1, 1, Conv, [64, 3, 2]]")


@pytest.mark.parametrize(
    ("head", "more", "outputs"),
    [
        ("Detect, [nc]", "", {"out": (4 + 3, 21)}),
        ("Detect, [nc]", "end2end: true\nreg_max: 1\n", {"out": (21, 6), "one2many": (4 + 3, 21)}),
        ("v10Detect, [nc]", "", {"out": (21, 6), "one2many": (64 + 3, 21)}),
        ("Segment, [nc, 8, 16]", "", {"out": (4 + 3 + 8, 21), "proto": (8, 8, 8)}),
        ("Segment26, [nc, 8, 16]", "", {"out": (4 + 3 + 8, 21), "proto": (8, 8, 8), "semantic": (3, 4, 4)}),
        ("Pose, [nc, kpt_shape]", "kpt_shape: [5, 3]\n", {"out": (4 + 3 + 15, 21)}),
        ("Pose26, [nc, [5, 2]]", "", {"out": (4 + 3 + 10, 21), "likelihood": (5, 1, 1)}),
        ("OBB, [nc, 1]", "", {"out": (4 + 3 + 1, 21)}),
        ("OBB26, [nc, 1]", "", {"out": (4 + 3 + 1, 21)}),
        ("Detect, [nc, anchors]", "anchors: [[1, 1, 2, 2], [1, 1], [9, 9]]\n", {"out": (16 * 2 + 5, 3 + 5)}),
        ("SemanticSegment, [nc]", "", {"out": (3, 4, 4), "aux": (3, 2, 2)}),
        ("Depth, [16]", "", {"out": (1, 8, 8)}),
        ("WorldDetect, [nc, 512, True]", "", {"out": (4 + 3, 21)}),
        ("YOLOEDetect, [nc, 512, True]", "", {"out": (4 + 3, 21), "prompt": (1, 512)}),
        ("YOLOESegment, [nc, 8, 16, 512, True]", "",
         {"out": (4 + 3 + 8, 21), "prompt": (1, 512), "proto": (8, 8, 8)}),
        ("RTDETRDecoder, [nc, 32, 10, 4, 4, 2]", "",
         {"out": (10, 6), "denoising": (3, 32), "scores_0": (10, 3)}),
        ("Classify, [nc]", "", {"out": (3,)}),
    ],
)  # fmt: skip
def test_what_a_head_gives(head: str, more: str, outputs: dict[str, tuple[int, ...]]) -> None:
    # a picture of 16x16 has 4*4 + 2*2 + 1 = 21 places
    reads = "2" if head.startswith("Classify") else "[0, 1, 2]"
    network = load(
        rows(*MAPS, head=f"[{reads}, 1, {head}]", before=f"nc: 3\n{more}"), input={"input": "3x16x16"}
    )
    assert {name: tuple(network.shape_of(end)) for name, end in network.outputs.items()} == outputs


def test_a_head_of_one_box_trains_with_another_beside() -> None:
    text = rows(*MAPS, head="[[0, 1, 2], 1, v10Detect, [nc]]", before="nc: 3\n")
    network = load(text)
    first = [layer for layer in network if layer.training and layer.facts.weights]
    second = [layer for layer in network if ".one2one_" in layer.name]
    assert [layer.name for layer in first] == [
        layer.name.replace("one2one_", "") for layer in second if layer.params
    ]
    assert network.training_macs == sum(layer.macs for layer in second)


def test_texts_are_an_input_of_as_many_as_there_are_classes() -> None:
    text = rows(*MAPS, head="[[0, 1, 2], 1, WorldDetect, [nc, 512, False]]", before="nc: 3\n")
    assert dict(load(text).inputs) == {"input": (3, 640, 640), "text": (512, 3)}
    message = said(text, values={"nc": "7"})
    assert "it finds 7 classes, and reads 3 texts" in message
    assert "--input text=512x7" in message
    assert load(text, values={"nc": "7"}, input={"text": "512x7"}).output[0] == 4 + 7


def test_one_of_several_maps_is_taken_or_added() -> None:
    listed = (
        "[-1, 1, Conv, [32, 3, 2]]",
        "[-1, 1, CBLinear, [[16, 32]]]",
        "[-1, 1, Index, [32, 1]]",
        "[0, 1, Conv, [16, 3, 2]]",
        "[1, 1, Index, [16, 0]]",
    )
    network = load(rows(*listed, "[[1, 0], 1, CBFuse, [[1]]]"))
    assert network.output == (32, 320, 320)
    assert network["model.5.add"].inputs == ("model.5.upsample", "model.0.act")
    assert "CBFuse takes map 2 of list 0 that it reads, which is 2 maps" in said(
        rows(*listed[:2], "[[1, 0], 1, CBFuse, [[2]]]")
    )
    assert "Index says that it gives 8 channels" in said(rows(*listed[:2], "[-1, 1, Index, [8, 1]]"))
    assert "Conv reads a map, and a list of 2 stands there" in said(rows(*listed[:2], "[-1, 1, Conv, [8]]"))


def test_sizes_that_fit_are_those_of_the_file_and_not_of_its_first_input() -> None:
    # the map of an eighth, made twice as large, is the map of a quarter where that has an even side
    load(SMALL)
    ran = CliRunner().invoke(cli, ["sizes", "net.yaml", "--input", "3x24x24"])
    assert "fits                5 to 8, 13 to 16, 21 to 24, of 1 to 24" in ran.output


def test_what_cannot_be_written_says_how_it_can() -> None:
    load(SMALL)
    ran = CliRunner().invoke(cli, ["convert", "net.yaml:n"])
    assert ran.exit_code != 0
    assert "help: --set decode=false leaves what is found at each level as it is" in str(ran.exception)
    ran = CliRunner().invoke(cli, ["convert", "net.yaml:n", "--set", "decode=false", "-o", "spec.yaml"])
    assert ran.exit_code == 0, ran.output
    assert archlens.load("spec.yaml").params == load(SMALL, variant="n").params - 16


def test_names_and_keys_are_those_of_the_state_dict() -> None:
    network = load(SMALL, variant="n")
    keys = network.state()
    assert keys["model.0.conv.weight"] == (16, 3, 3, 3)
    assert keys["model.2.m.1.cv2.bn.running_mean"] == (16,)
    assert keys["model.7.cv2.0.2.weight"] == (64, 64, 1, 1)
    assert keys["model.7.cv3.1.2.bias"] == (2,)
    assert keys["model.7.dfl.conv.weight"] == (1, 16, 1, 1)
    assert network.blocks["model.2"] == "C2f"
    assert network.blocks["model.7"] == "Detect"
    assert network["model.5"].inputs == ("model.4", "model.1.act")


def test_a_head_gives_boxes_and_scores_of_all_levels() -> None:
    network = load(SMALL, variant="n")
    # 160 * 160 + 80 * 80 places, 4 sides and 2 classes
    assert network.output == (6, 160 * 160 + 80 * 80)
    assert network.with_input("3x64x96").output == (6, 16 * 24 + 8 * 12)
    assert network.with_values(nc=7).output == (11, 32_000)


def test_maps_as_they_are_found_can_be_built(tmp_path: Path) -> None:
    network = load(SMALL, variant="n", values={"decode": "false"}, input="3x64x64")
    assert {name: network.shape_of(end) for name, end in network.outputs.items()} == {
        "out": (64 + 2, 16, 16),
        "level_1": (64 + 2, 8, 8),
    }
    torch = pytest.importorskip("torch")
    found = archlens.build(network)(torch.zeros(1, 3, 64, 64))
    assert [tuple(one.shape) for one in found.values()] == [(1, 66, 16, 16), (1, 66, 8, 8)]


def test_the_scale_is_what_is_asked_for_or_what_the_name_says_or_the_first() -> None:
    assert load(SMALL, "yolov8s.yaml")["model.0.conv"].shape.channels == 32
    assert load(SMALL, "yolov8s.yaml", "n")["model.0.conv"].shape.channels == 16
    assert load(SMALL, "mine.yaml")["model.0.conv"].shape.channels == 16
    assert load(SMALL, "mine.yaml").title == "mine.yaml, scale n"
    assert "has no variant q" in said(SMALL, variant="q")


def test_a_file_with_the_letter_of_a_scale_is_that_scale_of_the_file_without() -> None:
    """As Ultralytics has it: its ``yolov8n-seg.yaml`` is no file."""
    Path("cfg").mkdir()
    for name in ("yolov8.yaml", "cfg/yolo11-seg.yaml", "cfg/yoloe-v8.yaml", "yolov8net.yaml"):
        Path(name).write_text(SMALL, encoding="utf-8")
    for name in ("yolov8s.yaml", "cfg/yolo11s-seg.yaml", "cfg/yoloe-v8s.yaml"):
        assert archlens.load(name).params == load(SMALL, variant="s").params
    load(SMALL.replace("[64, 3, 2]", "[32, 3, 2]"), "yolov8n.yaml")  # which is there
    assert archlens.load("yolov8n.yaml")["model.0.conv"].shape.channels == 8
    for name in ("yolov8q.yaml", "yolov9n.yaml", "cfg/yolov8n.yaml", "yolov8n", "yolov8nnet.yaml"):
        with pytest.raises(archlens.UsageError):
            archlens.load(name)
    with pytest.raises(archlens.UsageError, match="has no variant x"):
        archlens.load("yolov8x.yaml")


def test_a_concat_that_does_not_fit_says_its_row_and_those_that_it_reads() -> None:
    Path("net.yaml").write_text(SMALL.replace("[[-1, 1], 1, Concat", "[[-1, 3], 1, Concat"), encoding="utf-8")
    ran = CliRunner().invoke(cli, ["check", "net.yaml", "--params", "<= 1M"])
    assert ran.exit_code != 0
    message = said(SMALL.replace("[[-1, 1], 1, Concat", "[[-1, 3], 1, Concat"))
    assert (
        message
        == """\
error: head[1]: model.5 (concat) does not fit: only channels can differ in a concat, and 64x160x160 and \
64x80x80 differ in height (160 and 80) and width (160 and 80)
  --> net.yaml:12:5
   |
12 |   - [[-1, 3], 1, Concat, [1]] # 5
   |     ^^^^^^^^^^^^^^^^^^^^^^^^^
  ::: net.yaml:11:5
   |
11 |   - [-1, 1, nn.Upsample, [None, 2, nearest]] # 4
   |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ model.4 (upsample) gives 64x160x160
  ::: net.yaml:9:5
   |
 9 |   - [-1, 1, Conv, [256, 3, 2]] # 3
   |     ^^^^^^^^^^^^^^^^^^^^^^^^^^ model.3.act gives 64x80x80
   = help: bring both to 80x80: the same stride and padding on each branch, or crop"""
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[-1, 1, C2ff, [64]]", "backbone[1]: there is no module C2ff that is known"),
        ("[-1, 1, Conv]", "backbone[1]: a row is [from, repeats, module, args], not a list of 3"),
        ("[1, 1, Conv, [64]]", "backbone[1]: it cannot read row 1"),
        ("[-2, 1, Conv, [64]]", "backbone[1]: it cannot read row -2"),
        ("[a, 1, Conv, [64]]", "backbone[1]: from must be the number of a row"),
        ("[[], 1, Concat, [1]]", "backbone[1]: it reads nothing"),
        ("[-1, 0, Conv, [64]]", "backbone[1]: repeats must be a whole number from 1 to 25,000"),
        ("[-1, 99999999, C2f, [64]]", "backbone[1]: repeats must be"),
        ("[-1, 1, [Conv], [64]]", "backbone[1]: a module is a name such as Conv, not a list"),
        ("[-1, 1, Conv, 64]", "backbone[1]: args must be a list, not the text 64"),
        ("[-1, 1, Conv, []]", "backbone[1]: Conv needs a number of channels first"),
        ("[-1, 1, Conv, [wide]]", "backbone[1]: Conv needs a number of channels first"),
        ("[-1, 1, Conv, [64, 3, x]]", "backbone[1]: s of Conv must be a whole number of at least 1"),
        ("[-1, 1, Conv, [64, 3, 2, 1, 1, 1, nn.ReLU()]]", "act of Conv must be true or false"),
        ("[-1, 1, Conv, [64, 1, 1, 0, 1, 1, True, 9]]", "Conv takes at most 7 arguments, but got 8"),
        ("[-1, 1, Conv, [1e12]]", "1e12 is out of range"),
        ("[-1, 1, nn.MaxPool2d, [{}]]", "an argument is a number, a word or a list, not a mapping"),
        ("[-1, 1, SCDown, [64]]", "SCDown is missing its arguments k and s"),
        ("[-1, 1, PSA, [64]]", "PSA gives as many channels as it reads, and 64 of 32 are asked for"),
        (
            "[-1, 2, Conv, [64]]",
            "each of several Conv in turn is made for 32 channels, and the second reads 64",
        ),
        ("[-1, 1, nn.Conv2d, [3, 64, 1]]", "nn.Conv2d is made for 3 channels, and reads 32"),
        ("[-1, 1, nn.Conv2d, [32, 64, 1]]", "nn.Conv2d gives 64 channels, and the rows behind it"),
        ("[-1, 1, Detect, [nc]]", "backbone[1]: Detect reads a list of rows"),
        ("[[0], 1, Detect, [nc, 3, 4]]", "Detect takes at most 2 arguments, but got 3"),
        ("[[-1, 0], 1, Conv, [64]]", "backbone[1]: Conv reads one row, not 2"),
        ("[-1, 1, Concat, [1]]", "Concat reads a list of rows"),
        ("[[-1, 0], 1, Concat, [2]]", "d of Concat must be 1, the channels, not 2"),
        ("[-1, 1, C2f, [64, True, 1, 1e-9]]", "64 channels x 1e-09 leave 0 within it"),
        ("[-1, 1, A2C2f, [80, True]]", "80 x 0.5 = 40 is not a multiple of that"),
    ],
)
def test_a_row_that_is_wrong_is_said_with_its_place(row: str, message: str) -> None:
    text = rows("[-1, 1, Conv, [32]]", row, before="nc: 2\n")
    found = said(text, input="3x16x16")
    assert message in found
    assert "--> net.yaml:4:" in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backbone:\nhead: []\n", "backbone must be a list of rows, not nothing"),
        ("backbone: []\nhead: []\n", "the file has no rows"),
        (rows("[-1, 1, Conv, [8]]", before="scales: 3\n"), "scales must be a mapping"),
        (rows("[-1, 1, Conv, [8]]", before="scales: {n: [1, 2]}\n"), "must be [depth, width, most channels]"),
        (
            rows("[-1, 1, Conv, [8]]", before="scales: {n: [1, a, 2]}\n"),
            "the width of n must be a number above 0",
        ),
        (
            rows("[-1, 1, Conv, [8]]", before="width_multiple: '0.5'\n"),
            "width_multiple must be a number above 0",
        ),
        (
            rows("[-1, 1, Conv, [8]]", before="depth_multiple: .inf\n"),
            "depth_multiple must be a number above 0",
        ),
        (rows("[-1, 1, Conv, [8]]", before="ch: 0\n"), "ch must be a whole number of at least 1"),
        (
            rows("[-1, 1, Conv, [8]]", before="activation: nn.Relu()\n"),
            "nn.Relu is not an activation that is known",
        ),
        (
            rows("[-1, 1, Conv, [8]]", before="activation: exit()\n"),
            "nn.exit is not an activation that is known",
        ),
        (
            rows("[-1, 1, Conv, [8]]", before="activation: nn.SiLU\n"),
            "is not an activation such as nn.ReLU()",
        ),
        (rows("[-1, 1, Conv, &a [8]]"), "YAML's anchors are not part of the language"),
        (rows("[-1, 1, Conv, " + "[" * 90), "nested more than 60 deep"),
        (rows("[-1, 25000, C2f, [8]]", "[-1, 25000, C2f, [8]]"), "layers"),
        (rows("[-1, 25000, nn.Identity, []]", before="depth_multiple: 1000000000\n"), "25,000"),
    ],
)
def test_a_file_that_is_wrong_is_said_so(text: str, message: str) -> None:
    assert message in said(text, input="3x16x16")


def test_the_activation_of_the_model_is_that_of_its_blocks() -> None:
    text = rows(
        "[-1, 1, Conv, [8]]", "[-1, 1, Conv, [8, 1, 1, null, 1, 1, False]]", before="activation: {}\n"
    )
    network = load(text.format("nn.LeakyReLU(0.1)"))
    assert str(network["model.0.act"].op) == "leaky_relu(slope=0.1)"
    assert "model.1.act" not in network.index
    network = load(text.format("torch.nn.Hardswish(inplace=True)"))
    assert str(network["model.0.act"].op) == "hard_swish"


def test_a_file_is_known_by_its_backbone_and_head() -> None:
    Path("spec.yaml").write_text("input: 3x8x8\nlayers:\n  - backbone: relu\n", encoding="utf-8")
    assert isinstance(archlens.load("spec.yaml"), Network)
    assert "layers" in said("backbone: resnet50\n")
    late = SMALL.replace("head:", "# " + "x" * 5000 + "\nhead:")
    assert load(late, variant="n").params == load(SMALL, variant="n").params


def test_blocks_whose_shortcuts_differ_are_converted(tmp_path: Path) -> None:
    """The width of a bottleneck that goes out follows from what comes in, and is not given where it does."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "nc: 5\nbackbone:\n  - [-1, 1, Conv, [16, 3, 2]]\n  - [-1, 1, C2f, [16, True]]\n"
        "  - [-1, 1, Conv, [32, 3, 2]]\n  - [-1, 1, C3k2, [32, False, 0.25]]\n  - [-1, 1, C2f, [32]]\n"
        "head:\n  - [[3, 4], 1, Detect, [nc]]\n"
    )
    network = dialects.network(dialects.find(str(path)), values={"decode": False})
    again = archlens.loads(convert(network))
    assert (again.params, again.macs) == (network.params, network.macs)
    assert again.state() == network.state()


#: What Ultralytics 8.4.190 printed of :data:`SMALL`, by scale and classes: its modules that hold no others,
#: parameters, those that are trained, and GFLOPs; ``modules()`` of them are 76 and 90.
PRINTED = {
    ("n", 2): "44 layers, 182,788 parameters, 182,772 gradients, 5.3 GFLOPs",
    ("s", 2): "52 layers, 201,204 parameters, 201,188 gradients, 7.1 GFLOPs",
    ("n", 80): "44 layers, 352,864 parameters, 352,848 gradients, 10.2 GFLOPs",
    ("s", 80): "52 layers, 338,832 parameters, 338,816 gradients, 11.6 GFLOPs",
}


def commented(**lines: str) -> str:
    """The file with a comment at the lines of its scales."""
    text = SMALL
    for scale, line in lines.items():
        before = next(one for one in text.splitlines() if one.startswith(f"  {scale}: "))
        text = text.replace(before, f"{before} # net{scale} {line}")
    return text


def claims(text: str, *names: str) -> tuple[int, dict[tuple[str, str], tuple[str, str]], str]:
    """The exit code, verdicts and remarks by network and figure, and what else is said."""
    Path("net.yaml").write_text(text, encoding="utf-8")
    done = CliRunner().invoke(cli, ["claims", *names, "--format", "json"])
    read = json.loads(done.stdout) if done.stdout else {"networks": []}
    found = {
        (network["name"], one["what"]): (one["verdict"], one["remark"])
        for network in read["networks"]
        for one in network["claims"]
    }
    return done.exit_code, found, str(done.exception)


def test_the_lines_that_were_printed_of_the_scales_are_claims() -> None:
    text = commented(n="summary: " + PRINTED["n", 2], s="summary: " + PRINTED["s", 2])
    code, found, _ = claims(text, "net.yaml")
    assert code == 0
    figures = ("layers (leaf modules)", "params", "gradients")
    assert found == {
        (f"net.yaml:{scale}", what): verdict
        for scale in "ns"
        for what, verdict in (
            *((figure, ("equal", "")) for figure in figures),
            ("FLOPs (640x640)", ("equal to the printed digits", "")),
        )
    }
    assert len(claims(text, "net.yaml:s")[1]) == 4  # one that is named alone
    # older versions counted modules that hold others, too, and printed no commas
    older = "summary: 76 layers,  182788 parameters,  182772 gradients,   5.3 GFLOPs"
    code, found, _ = claims(commented(n=older), "net.yaml:n")
    assert (code, len(found)) == (0, 4)
    assert ("net.yaml:n", "layers (all modules)") in found


def test_a_line_that_the_file_has_left_behind_is_said() -> None:
    wrong = PRINTED["n", 2].replace("44 layers", "45 layers").replace("5.3 ", "5.4 ").replace("182,772", "1")
    code, found, _ = claims(commented(n="summary: " + wrong), "net.yaml:n")
    assert code == 1
    verdicts = [verdict for verdict, _ in found.values()]
    assert verdicts == ["different, unexplained", "equal", *["different, unexplained"] * 2]
    Path("net.yaml").write_text(commented(n="summary: " + wrong), encoding="utf-8")
    shown = CliRunner().invoke(cli, ["claims", "net.yaml:n"]).output
    assert "net.yaml, the comment in line 3" in shown
    assert "Different: no reason is given." in shown
    assert "for 3 of them no reason is given." in shown


def test_a_line_that_was_printed_with_other_classes_is_explained() -> None:
    text = commented(n="summary: " + PRINTED["n", 80], s="summary: " + PRINTED["s", 80])
    code, found, _ = claims(text, "net.yaml")
    assert code == 0
    for (_, what), verdict in found.items():
        same = what == "layers (leaf modules)"
        explained = ("different, explained", "it is the figure of 80 classes")
        assert verdict == (("equal", "") if same else explained)


def test_a_line_of_folded_norms_is_not_compared() -> None:
    line = "summary (fused): 26 layers, 182,212 parameters, 8,388 gradients, 5.2 GFLOPs"
    code, found, _ = claims(commented(n=line), "net.yaml:n")
    assert (code, len(found)) == (0, 4)
    assert {verdict for verdict, _ in found.values()} == {"not verified"}
    assert "folded" in next(remark for _, remark in found.values())


def test_a_file_without_scales_has_its_line_anywhere() -> None:
    plain = "\n".join(line for line in SMALL.splitlines() if not line.startswith(("scales", "  n:", "  s:")))
    plain = "depth_multiple: 0.5\nwidth_multiple: 0.25\n" + plain
    code, found, _ = claims(plain + "\n# net summary: " + PRINTED["n", 2] + "\n", "net.yaml")
    assert (code, len(found)) == (0, 4)
    assert claims(plain + "\n", "net.yaml")[1] == {}


def test_what_a_scale_says_is_of_that_scale_on_its_own_input_alone() -> None:
    text = commented(s="summary: " + PRINTED["s", 2])
    assert {name for name, _ in claims(text, "net.yaml")[1]} == {"net.yaml:s"}
    assert load(text, variant="s").meta.published
    assert not load(text, variant="s", input="3x320x320").meta.published
    assert not load(text, variant="s", values={"nc": "3"}).meta.published


def test_many_scales_are_not_all_looked_at() -> None:
    many = "".join(f"  v{i}: [1, 1, 64]\n" for i in range(30))
    code, found, message = claims(SMALL.replace("backbone:", many + "backbone:"), "net.yaml")
    assert (code, found) == (1, {})
    assert "net.yaml has 32 variants, too many to process together" in message


def test_the_scales_of_a_file_are_bounded_together() -> None:
    rows = "".join("  - [-1, 300, Bottleneck, [64]]\n" for _ in range(4))
    many = "".join(f"  v{i}: [1, 0.25, 64] # net summary: {PRINTED['n', 2]}\n" for i in range(12))
    text = f"nc: 3\nscales:\n{many}backbone:\n  - [-1, 1, Conv, [64, 3, 2]]\n{rows}head:\n"
    code, found, message = claims(text + "  - [[0, -1], 1, Detect, [nc]]\n", "net.yaml")
    assert (code, found) == (1, {})
    assert "the networks of net.yaml have more than 25,000 layers together" in message


def test_two_files_are_compared_scale_by_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rows = "backbone: [[-1, 1, Conv, [{}, 1]]]\nhead: []\n"
    Path("old.yaml").write_text("nc: 1\nscales: {n: [1, 1, 64], s: [1, 2, 64]}\n" + rows.format(16))
    Path("new.yaml").write_text("nc: 1\nscales: {s: [1, 2, 64], m: [1, 3, 64]}\n" + rows.format(24))
    found = json.loads(CliRunner().invoke(cli, ["diff", "old.yaml", "new.yaml", "--format", "json"]).output)
    (one,) = found["networks"]
    assert (one["old"], one["new"]) == ("old.yaml:s", "new.yaml:s")
    assert (found["added"], found["removed"]) == (["new.yaml:m"], ["old.yaml:n"])
    # twice 16 and 24 channels: a weight for each of three colours, and two of the norm
    assert one["totals"]["params"] == {"old": 32 * (3 + 2), "new": 48 * (3 + 2)}


def test_of_a_head_only_the_arithmetic_of_boxes_is_opaque() -> None:
    """Maps of 16x16 and 8x8 are a row of 320 places; four sides of 16 distances are turned."""
    head = [one for one in load(SMALL, variant="n", input="3x64x64") if one.name.startswith("model.7.")]
    assert [one.name for one in head if one.op.kind == "opaque"] == ["model.7.boxes"]
    assert [tuple(one.shape) for one in head if one.op.kind == "concat"] == [(64, 320), (2, 320), (6, 320)]
    (turned,) = (one for one in head if one.op.kind == "rearrange")
    assert (tuple(turned.input_shapes[0]), tuple(turned.shape)) == ((4, 16, 320), (16, 4, 320))
