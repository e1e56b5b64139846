"""``--style stages``: the macro structure of networks as their papers print it, and each block drawn once."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

import archlens
from archlens import drawing
from archlens.analysis.repeats import Repeats
from archlens.drawing import Request, to_bytes
from archlens.drawing.plan import Plan
from archlens.drawing.structure import Run, Structure, period
from archlens.drawing.styles import graph, stages
from archlens.errors import UsageError
from archlens.network import Network

from .test_diagram import a_graph
from .test_fits import FLOORS, is_read, measured

SVG = "{http://www.w3.org/2000/svg}"


def structure(network: Network) -> Structure:
    return Structure(network, Repeats(network))


def runs(network: Network) -> list[tuple[str, int]]:
    """The blocks of each stage, with how many follow one another."""
    return [
        (run.kind.name, len(run.trees))
        for piece in structure(network).pieces
        for run in piece.runs
        if isinstance(run, Run)
    ]


def said(network: Network) -> list[str]:
    """The widths of each stage of blocks."""
    pieces = structure(network).pieces
    return [run.kind.values(run.trees) for piece in pieces for run in piece.runs if isinstance(run, Run)]


def blocks(svg: str) -> dict[str, list[str]]:
    """The words within the frame of each block, by what it is called."""
    found = {}
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if group.get("class") == "block":
            name = group.findtext(f"{SVG}title", "").partition(":")[0]
            found[name] = [text.text or "" for text in group.iter(f"{SVG}text")]
    return found


def frames(svg: str) -> list[tuple[float, float, float, float]]:
    found = []
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if group.get("class") == "block":
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            x, y, w, h = (float(rect.get(key, "nan")) for key in ("x", "y", "width", "height"))
            found.append((x, y, x + w, y + h))
    return found


#: How often each block stands in a stage, as the papers' tables print it.
STAGES = {
    # He et al. 2016, Table 1
    "resnet18": [("basic", n) for n in (2, 2, 2, 2)],
    "resnet50": [("bottleneck", n) for n in (3, 4, 6, 3)],
    "resnet152": [("bottleneck", n) for n in (3, 8, 36, 3)],
    # Sandler et al. 2018, Table 2
    "mobilenet_v2": [("bottleneck", n) for n in (1, 2, 3, 4, 3, 3, 1)],
    # Tan and Le 2019, Table 1
    "efficientnet_b0": [("mbconv", n) for n in (1, 2, 2, 3, 3, 4, 1)],
    # Dosovitskiy et al. 2021, Table 1
    "vit_b_16": [("encoder_block", 12)],
    # Huang et al. 2017, Table 1
    "densenet121": [
        ("dense_layer", 6), ("transition", 1), ("dense_layer", 12), ("transition", 1),
        ("dense_layer", 24), ("transition", 1), ("dense_layer", 16),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", STAGES)
def test_stages_are_those_of_the_paper(name: str) -> None:
    assert runs(archlens.load(name)) == STAGES[name]


def test_stages_of_swin_and_convnext() -> None:
    """Liu et al. 2021, Table 7: 2, 2, 6, 2 blocks; Liu et al. 2022, Table 9: 3, 3, 9, 3; between them the
    maps are halved three times.
    """
    for name, counts in (("swin_t", [2, 2, 6, 2]), ("convnext_tiny", [3, 3, 9, 3])):
        found = runs(archlens.load(name))
        assert [count for _, count in found[::2]] == counts
        assert [count for _, count in found[1::2]] == [1, 1, 1]
        assert len({kind for kind, _ in found[::2]}) == len({kind for kind, _ in found[1::2]}) == 1


def test_widths_are_variables_that_each_stage_says() -> None:
    """He et al. 2016, Table 1: 1x1, 64; 3x3, 64; 1x1, 256; then twice as wide in each stage."""
    network = archlens.load("resnet50")
    assert said(network) == ["width = 64", "width = 128", "width = 256", "width = 512"]
    words = blocks(drawing.to_svg(network, style="stages"))["bottleneck"]
    assert [word for word in words if "conv" in word] == [
        "1x1 conv, width",
        "3x3 conv, width, /s",
        "1x1 conv, 4 width",
    ]
    assert {"x16", "s = 1 or 2", "4 of 16 with downsample"} <= set(words)


def test_a_width_may_be_a_multiple_of_what_flows_in() -> None:
    """Sandler et al. 2018, Tables 1 and 2: an expansion of six, and the widths c."""
    network = archlens.load("mobilenet_v2")
    assert said(network)[1:] == [f"c = {width}" for width in (24, 32, 64, 96, 160, 320)]
    words = blocks(drawing.to_svg(network, style="stages"))["bottleneck"]
    convs = [word for word in words if "conv," in word]
    assert convs == ["1x1 conv, 6 in", "3x3 conv, 6 in, /s, groups 6 in", "1x1 conv, c"]
    assert "1 of 17 in another form" in words  # the first does not expand


def test_too_many_widths_are_those_of_one_block_and_it_is_said() -> None:
    """Szegedy et al. 2015, Table 1: the six widths of inception (3a)."""
    words = blocks(drawing.to_svg(archlens.load("googlenet"), style="stages", fit="page"))["inception"]
    numbers = [int(found[1]) for word in words if (found := re.fullmatch(r"\dx\d conv, (\d+)", word))]
    assert sorted(numbers) == sorted([64, 96, 128, 16, 32, 32])
    assert "its numbers are those of inception3a" in " ".join(words)


def test_widths_have_the_names_of_the_parameters_of_their_block() -> None:
    """Where one has their value in each block: not where a block multiplies it."""

    def of(width: str, layers: str) -> list[str]:
        steps = f"'conv({width}, 3, padding=1)', relu, 'conv({width}, 1)', relu"
        blocks = f"blocks:\n  b(channels, by=1): [{steps}]\n  stage(n): [b(n), b(n)]\n"
        return said(archlens.loads(f"{blocks}input: 3x8x8\nlayers: [{layers}]"))

    stages = "one: [b(8), b(8)], two: [b(16), b(16)]"
    assert of("channels", stages) == ["channels = 8", "channels = 16"]
    assert of("3 * channels", stages) == ["w = 24", "w = 48"]
    # what is made once more has the values of the first time
    assert of("channels", "stage(8), stage(16), stage(8), stage(16)") == ["channels = 8", "channels = 16"] * 2


def test_an_encoder_and_its_decoder_share_a_block() -> None:
    svg = drawing.to_svg(archlens.load("unet"), style="stages")
    found = blocks(svg)
    assert set(found) == {"double", "up"}
    assert [word for word in found["double"] if "conv" in word] == ["3x3 conv, out", "3x3 conv, out"]
    assert "double" in found["up"]  # drawn once, and named within the other


NAMELESS = """
input: 3x32x32
layers:
  - stem: conv(16, 3, padding=1)
  - layer1:
      - each: [i]
        in: [[0], [1]]
        do:
          - "{i}":
              - residual:
                  - conv1: conv(16, 3, padding=1) >> relu
                  - conv2: conv(16, 3, padding=1)
  - layer2:
      - "0":
          - residual:
              - conv1: conv(32, 3, 2, padding=1) >> relu
              - conv2: conv(32, 3, padding=1)
            shortcut:
              - down: conv(32, 1, 2)
      - "1":
          - residual:
              - conv1: conv(32, 3, padding=1) >> relu
              - conv2: conv(32, 3, padding=1)
  - global_avg_pool
  - flatten
  - fc: linear(10)
"""


def test_scopes_that_nobody_named_are_one_kind_where_their_layers_are_the_same() -> None:
    network = archlens.loads(NAMELESS)
    assert runs(network) == [("block", 2), ("block", 2)]
    assert said(network) == ["w = 16", "w = 32"]
    svg = drawing.to_svg(network, style="stages")
    words = blocks(svg)["block"]
    assert {"3x3 conv, w, /s", "3x3 conv, w", "1 of 4 with down"} <= set(words)


@pytest.mark.parametrize("fit", FLOORS)
def test_stages_are_read_in_every_fit(fit: str) -> None:
    for name in ("resnet50", "mobilenet_v2", "unet", "llama_3_8b"):
        svg = drawing.to_svg(archlens.load(name), style="stages", fit=fit)
        is_read(svg, fit)
        a_graph(svg)


@pytest.mark.parametrize("name", ["resnet18", "unet", "googlenet", "bert_base", "densenet121", "swin_t"])
def test_blocks_stand_apart(name: str) -> None:
    for fit in FLOORS:
        svg = drawing.to_svg(archlens.load(name), style="stages", fit=fit)
        is_read(svg, fit)
        found = frames(svg)
        assert found
        wide, high = map(float, (ElementTree.fromstring(svg).get("viewBox") or "").split()[2:])
        for i, (x, y, right, bottom) in enumerate(found):
            assert x >= 0
            assert y >= 0
            assert right <= wide
            assert bottom <= high
            for other in found[:i]:
                assert x > other[2] or right < other[0] or y > other[3] or bottom < other[1]


def test_a_network_without_blocks_has_its_layers_as_stages() -> None:
    """Simonyan and Zisserman 2015, Table 1, column D: so many equal convolutions in a row, and three layers
    that are fully connected.
    """
    network = archlens.load("vgg16")
    found = [(piece.layers[0].op.kind, piece.times) for piece in structure(network).pieces]
    convs = [times for kind, times in found if kind == "conv"]
    assert convs == [2, 2, 3, 3, 3]
    assert [times for kind, times in found if kind == "linear"] == [2, 1]
    assert sum(times for kind, times in found if kind == "max_pool") == 5
    svg = drawing.to_svg(network, style="stages")
    assert svg.count(">3x3 conv, 512 x3<") == 2
    assert blocks(svg) == {}
    for name in ("lenet5", "alexnet"):
        assert 'class="node"' in drawing.to_svg(archlens.load(name), style="stages")


@pytest.mark.parametrize(("fit", "most"), [("page", 648), ("slide", 720)])
def test_pages_that_end_hold_the_blocks_that_there_is_room_for(fit: str, most: float) -> None:
    """Inception v3 has six kinds of block, of which a page holds some; what is left out is said."""
    network = archlens.load("inception_v3")
    svg = drawing.to_svg(network, style="stages", fit=fit)
    is_read(svg, fit)
    assert measured(svg)[2] <= most + 0.1
    drawn = blocks(svg)
    kinds = {kind.name for kind in structure(network).kinds}
    note = " ".join(re.findall(r"[^<>]*Left out for want of room[^<]*|[^<>]*--scope [^<]*", svg))
    assert drawn
    assert {kind for kind in kinds if f"{kind} (--scope" in note} == kinds - set(drawn)
    whole = blocks(drawing.to_svg(network, style="stages"))  # what is scrolled does not end
    assert set(whole) == kinds


@pytest.mark.parametrize("fit", ["readme", "column", "slide"])
def test_a_u_is_drawn_as_one(fit: str) -> None:
    """Where there is room for both sides; the blocks then stand beneath it, or on a slide beside it."""
    svg = drawing.to_svg(archlens.load("unet"), style="stages", fit=fit)
    across = [
        [float(number) for number in re.findall(r"[\d.]+", path.get("d", ""))]
        for group in ElementTree.fromstring(svg).iter(f"{SVG}g")
        if group.get("class") == "edge"
        for path in group.iter(f"{SVG}path")
        if path.get("stroke-dasharray")
    ]
    assert len(across) == 4  # Ronneberger et al. 2015, figure 1: four arrows from side to side
    assert all(len(path) == 4 and path[1] == path[3] and path[2] > path[0] for path in across)


@pytest.mark.parametrize("fit", ["column", "slide"])
def test_stages_are_gathered_for_a_u(fit: str) -> None:
    """SegNet is a U as its graph is: its stages one by one would be a chain with long ways around it."""
    found = stages._sheet(Request(archlens.load("segnet"), "stages", fit=fit))[1].macro
    assert found.plan.is_gathered
    right = {found.plan.boxes[i].lines[0].name for i in found.layout.rising}
    assert right == {f"upsample{i}" for i in range(1, 6)}


@pytest.mark.parametrize(
    ("name", "kinds"), [("maxvit_t", {"MBConv", "attention"}), ("ddpm_cifar10", {"residual block"})]
)
def test_a_slide_has_room_for_blocks_beside_the_stages(name: str, kinds: set[str]) -> None:
    svg = drawing.to_svg(archlens.load(name), style="stages", fit="slide")
    is_read(svg, "slide")
    assert measured(svg)[2] <= 720.1
    assert kinds <= set(blocks(svg))


def test_blocks_that_take_turns_are_said_once() -> None:
    """Tu et al. 2022: the stages of MaxViT-T have 2, 2, 5 and 2 blocks, an MBConv and two attentions each."""
    svg = drawing.to_svg(archlens.load("maxvit_t"), style="stages", fit="column")
    assert re.findall(r">in turn, (x\d)<", svg) == ["x2", "x2", "x5", "x2"]
    assert re.findall(r">MBConv, w = (\d+)<", svg) == ["16", "32", "64", "128"]
    assert [period(text) for text in ("ababab", "aba", "aa", "", "abcab")] == [2, 3, 1, 0, 5]


def test_letters_are_told_of_blocks_that_are_drawn() -> None:
    ddpm, unet = (
        drawing.to_svg(archlens.load(name), style="stages", fit="column") for name in ("ddpm_cifar10", "unet")
    )
    assert not blocks(ddpm)
    assert "all stages" not in ddpm
    assert blocks(unet)
    assert ">out: not the same in all stages.<" in unet


def test_ways_around_are_in_the_key() -> None:
    svg = drawing.to_svg(archlens.load("efficientnet_b0"), style="stages", fit="slide")
    assert svg.count(">bypass into add, multiply<") == 1  # which look the same
    assert svg.count(">bypass into") == 1
    assert ">bypass into concat<" in drawing.to_svg(archlens.load("densenet121"), style="stages")


def test_shapes_beside_stages_may_stand_before_the_blocks() -> None:
    svg = drawing.to_svg(archlens.load("mixtral_8x7b"), style="stages", fit="column")
    assert ">32768 of 32000<" in svg


def test_too_many_stages_are_refused() -> None:
    steps = "".join(f"  - a{i}: conv({8 + i}, 3, padding=1)\n" for i in range(150))
    block = 'blocks:\n  b():\n    - residual: "conv(8, 1) >> conv(8, 1)"\n'
    text = f"input: 3x8x8\n{block}layers:\n{steps}  - conv(8, 1)\n  - b\n  - b\n"
    with pytest.raises(UsageError, match="stages and layers between them, too many"):
        drawing.to_svg(archlens.loads(text), style="stages")


@pytest.mark.parametrize("extension", ["png", "pdf", "tex"])
def test_other_formats(extension: str) -> None:
    assert len(to_bytes(Request(archlens.load("resnet18"), "stages"), extension)) > 2000


@pytest.mark.parametrize("extension", ["dot", "mmd"])
def test_formats_of_graphs_refuse_it(extension: str) -> None:
    with pytest.raises(UsageError, match="cannot hold the style stages"):
        to_bytes(Request(archlens.load("resnet18"), "stages"), extension)


def test_themes_and_bare() -> None:
    network = archlens.load("resnet18")
    light, dark = (drawing.to_svg(network, style="stages", theme=theme) for theme in ("light", "dark"))
    assert re.sub("#[0-9a-f]{6}", "", light) == re.sub("#[0-9a-f]{6}", "", dark)
    bare = drawing.to_svg(network, style="stages", bare=True)
    assert "ResNet-18</text>" not in bare
    assert 'class="key"' not in bare
    assert 'aria-label="ResNet-18: its stages and their blocks"' in light


LABELLED = """
input: 3x32x32
blocks:
  mbconv(width):
    label: "MBConv <6>"
    layers:
      - residual:
          - expand: conv(6 * width, 1) >> relu
          - project: conv(width, 1)
layers:
  - stem: conv(8, 3, padding=1)
  - stage: mbconv(8) * 3
  - concat:
      a: mbconv(8)
      b: mbconv(8) >> mbconv(8)
  - wide: mbconv(16)
"""


def test_a_block_is_headed_by_its_label() -> None:
    """Wherever it stands: repeated, in a branch, in a chain."""
    network = archlens.loads(LABELLED)
    assert set(network.blocks.values()) == {"mbconv"}
    assert network.labels == dict.fromkeys(network.blocks, "MBConv <6>")
    assert {path.partition(".")[0] for path in network.labels} >= {"stage", "a", "b", "wide"}
    for style in ("graph", "stages"):
        texts = [text.text for text in ElementTree.fromstring(drawing.to_svg(network, style=style)).iter()]
        words = " ".join(filter(None, texts))
        assert "MBConv <6>" in words
        assert "mbconv" not in words


def test_further_uses_of_a_block_have_its_label() -> None:
    text = LABELLED.replace(
        "  - wide: mbconv(16)\n", "  - one: mbconv(16)\n  - two: again(one)\n  - again(one)\n"
    )
    network = archlens.loads(text)
    assert network.labels == dict.fromkeys(network.blocks, "MBConv <6>")
    assert {"one", "two"} <= set(network.labels)


def test_a_label_is_for_pictures_alone_and_written_again() -> None:
    network = archlens.loads(LABELLED)
    plain = re.sub(r"\n    label:.*\n    layers:", "", LABELLED)
    assert [layer.name for layer in network] == [layer.name for layer in archlens.loads(plain)]
    again = archlens.loads(archlens.convert(network))
    assert set(again.labels.values()) == {"MBConv <6>"}
    assert [layer.name for layer in again] == [layer.name for layer in network]


def test_a_label_comes_along_with_a_block_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "lib.yaml").write_text(LABELLED)
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "input: 3x8x8\nuse: {unit: ./lib.yaml.mbconv}\nlayers:\n  - conv(8, 1)\n  - one: unit(8)\n"
    )
    assert archlens.load(str(spec)).labels == {"one": "MBConv <6>"}


def test_a_step_may_still_be_called_label() -> None:
    network = archlens.loads("input: 3x8x8\nblocks:\n  b(): {label: relu}\nlayers: [b]\n")
    assert [layer.name for layer in network] == ["0.label"]
    assert network.labels == {}


def test_what_is_wider_than_its_page_is_left_out_and_said() -> None:
    """Res2Net's block has four branches, each of which reads the one before."""
    network = archlens.load("res2net50_26w_4s")
    narrow, wide = (drawing.to_svg(network, style="stages", fit=fit) for fit in ("column", "readme"))
    is_read(narrow, "column")
    assert set(blocks(wide)) - set(blocks(narrow)) == {"bottleneck"}
    assert "Left out for want of room: bottleneck (--scope layer1.1)." in narrow
    assert "Left out" not in wide


@pytest.mark.parametrize("fit", ["column", "readme"])
def test_many_heads_are_read(fit: str) -> None:
    for name in ("retinanet_resnet50_fpn", "maskrcnn_resnet50_fpn"):
        is_read(drawing.to_svg(archlens.load(name), style="stages", fit=fit), fit)


@pytest.mark.parametrize(
    ("name", "block", "convs"), [("googlenet", "inception", 6), ("inception_v3", "module_5", 7)]
)
def test_branches_stand_upright_beside_each_other_in_a_column(name: str, block: str, convs: int) -> None:
    """Szegedy et al. 2015, Figure 2b, has six convolutions, 2016, Figure 5, seven; all beneath the input."""
    sheet = stages._sheet(Request(archlens.load(name), "stages", fit="column"))[1]
    laid = next(panel.laid for _, _, panel in sheet.panels if panel.kind.name == block)
    assert laid.direction == "tb"
    assert laid.cut == 0
    assert sum(box.lines[0].family == "convolution" for box in laid.plan.boxes) == convs
    assert all(area.y > laid.areas[0].bottom for area in laid.areas[1:])
    assert len({round(area.y) for area in laid.areas}) < len(laid.areas) - 2


def test_folded_stages_say_of_which_blocks_they_are() -> None:
    """Carion et al. 2020: a ResNet-50 of 16 blocks, and six layers each of encoder and decoder."""
    svg = drawing.to_svg(archlens.load("detr_resnet50"), style="stages", fit="column")
    assert {"bottleneck x16", "encoder_layer x6", "decoder_layer x6"} <= set(
        re.findall(">([^<]*)</text>", svg)
    )


@pytest.mark.parametrize("name", ["nasnet_a_mobile", "bert_base", "maxvit_t"])
@pytest.mark.parametrize("fit", ["column", "page"])
def test_names_in_blocks_are_not_cut(name: str, fit: str) -> None:
    svg = drawing.to_svg(archlens.load(name), style="stages", fit=fit)
    assert blocks(svg)
    assert not [word for words in blocks(svg).values() for word in words if re.search(r"\w…|…\w", word)]


def test_blocks_are_laid_out_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each plan once in each width of its boxes, however many rooms are tried: NASNet took nine seconds."""
    made = []

    def counted(plan: Plan, words: object, *others: Any) -> Any:
        made.append((id(plan), words, others[0]))
        return placed(plan, words, *others)  # type: ignore[arg-type]

    placed = graph._placed
    monkeypatch.setattr(graph, "_placed", counted)
    assert stages.draw(Request(archlens.load("nasnet_a_mobile"), "stages", fit="column")).items
    assert len(set(made)) == len(made) < 400
