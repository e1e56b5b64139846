"""The picture of a receptive field: where its rectangles stand, by hand and by torch's gradients."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import torch

import archlens
from archlens import drawing
from archlens.drawing import Request
from archlens.drawing.picture import Group, Rect, Text, walk
from archlens.geometry import Field

from .drawn import extent
from .running import run

SVG = "{http://www.w3.org/2000/svg}"
Sides = tuple[float, float, float, float]


def rects(svg: str, group: str) -> list[Sides]:
    """Left, top, right and bottom of the rectangles of a group."""
    root = ElementTree.fromstring(svg)
    found = next(one for one in root.iter(f"{SVG}g") if one.get("class") == group)
    sides = [
        tuple(float(rect.get(key, "0")) for key in ("x", "y", "width", "height"))
        for rect in found.iter(f"{SVG}rect")
    ]
    return [(x, y, x + wide, y + high) for x, y, wide, high in sides]


def texts(svg: str) -> str:
    return " ".join(text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text"))


def in_positions(svg: str, size: tuple[int, int]) -> Sides:
    """The outline of the field in positions of the input: first column, first row, and the ends."""
    (left, top, right, bottom) = rects(svg, "input")[0]
    *_, field = rects(svg, "field")
    across, down = size[1] / (right - left), size[0] / (bottom - top)
    return (
        (field[0] - left) * across,
        (field[1] - top) * down,
        (field[2] - left) * across,
        (field[3] - top) * down,
    )


def test_a_field_stands_at_its_place() -> None:
    """ResNet-18 by hand: layer3 has a field of 211, output 0 of which begins at -105, and moves by 16."""
    svg = drawing.to_svg(archlens.load("resnet18"), style="field", layer="layer3")
    assert in_positions(svg, (224, 224)) == pytest.approx((-9, -9, 202, 202), abs=0.2)
    assert "sees rows -9 to 201 and columns -9 to 201 of the input" in texts(svg)
    # (7, 7) sees 7 to 217, and (6, 6) and (8, 8), up to 233, see padding
    assert "Of 14x14 outputs 1x1 see no padding: the framed ones." in texts(svg)


def test_numbers_stand_clear_of_the_outline_of_the_input() -> None:
    """DeepLab's field begins so near to the edge that a number beside it would lie across that."""
    picture = Request(archlens.load("deeplabv3_resnet50"), "field", fit="column").picture
    frame = next(
        item for item in walk(picture.items) if isinstance(item, Group) and item.kind == "input"
    ).items[0]
    assert isinstance(frame, Rect)
    numbers = [item for item in walk(picture.items) if isinstance(item, Text) and item.text in ("427", "8")]
    assert len(numbers) == 4
    for left, top, right, low in map(extent, numbers):
        assert right < frame.x or left > frame.x
        assert low < frame.y or top > frame.y


LOPSIDED = """
input: 1x40x56
layers:
  - conv(1, (3, 5), stride=(2, 1), padding=((0, 3), (4, 0)))
  - avg_pool((2, 3), stride=(1, 3))
  - conv(1, 3, dilation=(2, 1), padding=(1, 2))
"""


def test_it_is_what_gradients_reach() -> None:
    network = archlens.loads(LOPSIDED)
    module = archlens.build(network).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(1.0)
    image = torch.ones(1, 1, 40, 56, dtype=torch.float64, requires_grad=True)
    out = module(image)
    out[0, 0, (out.shape[2] - 1) // 2, (out.shape[3] - 1) // 2].backward()
    assert image.grad is not None
    rows, columns = (sorted(set(axis.tolist())) for axis in image.grad[0, 0].nonzero().T)
    found = in_positions(drawing.to_svg(network, style="field"), (40, 56))
    assert found == pytest.approx((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1), abs=0.15)


def test_what_lies_outside_is_hatched() -> None:
    svg = drawing.to_svg(archlens.load("resnet18"), style="field", layer="layer3")
    left, top, right, bottom = rects(svg, "input")[0]
    root = ElementTree.fromstring(svg)
    field = next(one for one in root.iter(f"{SVG}g") if one.get("class") == "field")
    ends = [re.findall(r"[\d.]+", path.get("d", "")) for path in field.iter(f"{SVG}path")]
    middles = [((float(a) + float(c)) / 2, (float(b) + float(d)) / 2) for a, b, c, d in ends]
    assert len(middles) > 20
    assert not [(x, y) for x, y in middles if left + 0.1 < x < right - 0.1 and top + 0.1 < y < bottom - 0.1]
    inside = drawing.to_svg(archlens.load("lenet5"), style="field", layer="C3")
    root = ElementTree.fromstring(inside)
    field = next(one for one in root.iter(f"{SVG}g") if one.get("class") == "field")
    assert not list(field.iter(f"{SVG}path"))
    assert "No output sees padding." in texts(inside)


@pytest.mark.parametrize(
    "field",
    [
        Field((0,), (5,), 3),
        Field((-7,), (9,), 2),
        Field((-1, -1), (2, 3), 1),  # of a transposed convolution: two outputs to a position
        Field((-4, 0, 1), (6, 6, 9), 5),
        Field((2,), (4,), 0),
        Field((-2,), (4,), 0),
    ],
)
@pytest.mark.parametrize("size", [1, 4, 9, 30])
@pytest.mark.parametrize("outputs", [1, 2, 7, 20])
def test_outputs_without_padding_are_counted(field: Field, size: int, outputs: int) -> None:
    clear = [i for i in range(outputs) if field.at(i)[0] >= 0 and field.at(i)[1] <= size]
    assert field.unclipped(size, outputs) == ((len(clear), clear[0], clear[-1] + 1) if clear else (0, 0, 0))


def test_huge_outputs_are_not_gone_through() -> None:
    network = archlens.loads("{input: 1x1000000000, layers: ['conv(1, 3, padding=1)']}")
    svg = drawing.to_svg(network, style="field")
    assert "Of 1000000000 outputs 999999998 see no padding: the framed ones." in texts(svg)
    assert len(svg) < 20_000


@pytest.mark.parametrize(
    ("name", "layer", "said"),
    [
        ("resnet50", "avgpool", "avgpool sees everything that the layers before it let through"),
        ("unet", "", "from one output to the next the field moves by 1 on average, and its size differs"),
        ("r2plus1d_18", "layer2", "sees depth positions"),
        ("wavenet", "", "sees length positions 5441 to 10557 of the input"),
    ],
)
def test_what_is_said(name: str, layer: str, said: str) -> None:
    assert said in texts(drawing.to_svg(archlens.load(name), style="field", layer=layer))


def test_of_several_inputs_it_is_the_one_that_is_seen() -> None:
    network = archlens.loads(
        "input: {left: 1x8x8, right: 1x6x6}\n"
        "layers:\n"
        "  - ref(input.left)\n"
        "  - a: conv(1, 3)\n"
        "  - ref(input.right)\n"
        "  - b: conv(1, 5)\n"
        "outputs: {a: ref(a), b: ref(b)}\n"
    )
    svg = drawing.to_svg(network, style="field", layer="b")
    assert "The input is right." in texts(svg)
    assert "right 1x6x6" in texts(svg)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("lenet5", "--layer", "C3"), "the style graph draws no field of one layer"),
        (("lenet5", "--style", "field", "--layer", "C9"), "lenet5 has no layer C9"),
        (("deeplab_v1", "--style", "field", "--layer", "interp"), "interp has no one field: "),
    ],
)
def test_what_cannot_be_drawn(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    file = tmp_path / "x.svg"
    result = run("diagram", *options, "-o", str(file))
    assert result.returncode == 2
    assert message in result.stderr
    assert not file.exists()


def test_without_positions_there_is_no_field(tmp_path: Path) -> None:
    spec = tmp_path / "flat.yaml"
    spec.write_text("input: 5\nlayers:\n  - linear(3)\n")
    result = run("diagram", str(spec), "--style", "field", "-o", str(tmp_path / "x.svg"))
    assert result.returncode == 2
    assert "flat has no input with positions" in result.stderr


def test_a_network_that_fails_has_the_field_of_what_there_is(tmp_path: Path) -> None:
    spec = tmp_path / "x.yaml"
    spec.write_text("input: 1x8x8\nlayers:\n  - a: conv(2, 3)\n  - b: conv(2, 9)\n")
    result = run("diagram", str(spec), "--style", "field", "-o", str(tmp_path / "x.svg"))
    assert result.returncode == 1
    shown = texts((tmp_path / "x.svg").read_text())
    assert "The centre output of a, (2, 2) of 6x6, sees rows 2 to 4 and columns 2 to 4" in shown
    assert "The network stops where its 9x9 window is larger than its 6x6 input" in shown
