"""Figures as colours: what is coloured by how much, held against the scale of the key and figures by hand."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise
from pathlib import Path

import pytest

import archlens
from archlens import drawing
from archlens.analysis import receptive_field
from archlens.analysis.figures import Where, shown
from archlens.drawing import Request, to_bytes
from archlens.drawing.picture import hatched
from archlens.drawing.request import HEATS
from archlens.drawing.theme import PALETTES, THEMES, theme_of
from archlens.network import Network

from .running import run
from .test_diagram import EYES, SVG, a_graph, contrast, partial, seen, sound

#: A scope of which a part is unknown, a layer of which all is, and a head for training.
OPAQUE = """
input: 3x8x8
layers:
  - a: conv(8, 3)
  - b:
      - c: conv(8, 3)
      - d: custom("mine", params=10)
  - f: custom("other", shape="4x2x2")
  - g: conv(2, 1)
outputs:
  aux: {training: "ref(a) >> conv(3, 1)"}
"""


def said(svg: str, figure: str) -> dict[str, str]:
    """What is said of a figure to those who point at a box, by the first word of its title."""
    found = {}
    for title in ElementTree.fromstring(svg).findall(f".//{SVG}g[@class='node']/{SVG}title"):
        names = []
        for row in (title.text or "").splitlines():
            if row.startswith(f"{figure}: "):
                found[names[0]] = row.removeprefix(f"{figure}: ")
                names = []
            elif ": " in row or row.endswith(":"):
                names.append(row.partition(":")[0])
    return found


def counts(svg: str, figure: str) -> dict[str, int]:
    return {name: int(value.replace(",", "")) for name, value in said(svg, figure).items()}


def scale(svg: str) -> list[str]:
    """The colours of the key, from none to most: all but the frame around them."""
    key = next(g for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "key")
    fills = [rect.get("fill", "") for rect in key.findall(f"{SVG}rect")]
    return fills[: fills.index("none")]


def test_every_figure_for_heat_can_be_asked_for() -> None:
    assert set(HEATS.values()) == set(shown(Where.HEAT))
    assert all(figure.of is not None for figure in shown(Where.HEAT).values())


@pytest.mark.parametrize("depth", [1, 2, 3, None])
@pytest.mark.parametrize("style", ["graph", "volumes"])
@pytest.mark.parametrize(
    ("name", "params", "macs"),
    [
        ("resnet18", 11_689_512, 1_814_073_344),  # as torchvision prints them
        ("vgg16", 138_357_544, 15_470_264_320),
        ("unet", 31_030_658, None),
    ],
)
def test_boxes_come_to_the_whole_at_any_depth(
    name: str, params: int, macs: int | None, style: str, depth: int | None
) -> None:
    """Whatever is folded, or drawn as part of another volume, is counted once."""
    network = archlens.load(name)
    svg = drawing.to_svg(network, style=style, depth=depth, heat="params")
    assert sum(counts(svg, "params").values()) == params
    if macs is not None:
        svg = drawing.to_svg(network, style=style, depth=depth, heat="macs")
        assert sum(counts(svg, "MACs").values()) == macs


def test_folded_boxes_have_what_all_that_they_stand_for_have() -> None:
    """Layer1 of ResNet-18: two blocks of two convolutions of 64*64*3*3 weights and their norms, on 56x56."""
    network = archlens.load("resnet18")
    found = {
        figure: said(drawing.to_svg(network, heat=heat), figure)["layer1.0..1"]
        for heat, figure in (("params", "params"), ("macs", "MACs"), ("activations", "activations"))
    }
    assert found == {
        "params": f"{2 * 2 * (64 * 64 * 9 + 128):,}",
        "MACs": f"{2 * 2 * 64 * 64 * 9 * 56 * 56:,}",
        "activations": f"{2 * 7 * 64 * 56 * 56:,}",  # conv, bn, relu, conv, bn, add, relu
    }


def test_a_field_is_the_largest_in_a_box() -> None:
    """Behind a stem of 11 positions and step 4 each 3x3 convolution of layer1 adds 8: 43 after four."""
    fields = said(drawing.to_svg(archlens.load("resnet18"), heat="field"), "receptive field")
    assert fields["conv1"] == "7x7"
    assert fields["maxpool"] == f"{7 + 2 * 2}x{7 + 2 * 2}"
    assert fields["layer1.0..1"] == f"{11 + 4 * 8}x{11 + 4 * 8}"
    assert fields["fc"] == "no number, everything that is let through, however large the input"
    network = archlens.load("resnet18")
    inside = [layer for layer in network if layer.within("layer1")]
    for layers in (inside, inside[::-1]):
        assert receptive_field.largest(receptive_field.find(network), layers) == (43, 43)
    # along each axis; a branch that sees less than the other does not make it less
    wide, narrow = "conv(1, (1, 5), padding=(0, 2))", "conv(1, 1)"
    text = f"input: 1x32x32\nlayers: [{{both: [{{concat: {{a: '{wide}', b: '{narrow}'}}}}]}}]"
    svg = drawing.to_svg(archlens.loads(text), heat="field", depth=1)
    assert said(svg, "receptive field") == {"both": "1x5"}


@pytest.mark.parametrize("style", ["graph", "volumes"])
@pytest.mark.parametrize("heat", HEATS)
@pytest.mark.parametrize(("theme", "palette"), [("light", "okabe-ito"), ("dark", "greys")])
def test_colours_are_in_proportion_to_the_numbers(heat: str, style: str, theme: str, palette: str) -> None:
    """Each box has the colour that stands in the key as far from its start as its number from nothing."""
    network = archlens.load("googlenet" if style == "graph" else "alexnet_2012")
    svg = drawing.to_svg(network, heat=heat, theme=theme, palette=palette, style=style)
    colors = [seen(color, "any") for color in scale(svg)]
    figure = {"params": "params", "macs": "MACs", "activations": "activations", "field": "receptive field"}[
        heat
    ]
    numbers: list[tuple[float, tuple[float, float, float]]] = []
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if group.get("class") != "node":
            continue
        rows = group.findtext(f"{SVG}title", "").splitlines()
        values = [row.partition(": ")[2] for row in rows if row.startswith(f"{figure}: ")]
        shapes = [shape for shape in group if shape.tag in (f"{SVG}rect", f"{SVG}path")]
        fills = [shape.get("fill", "") for shape in shapes if shape.get("fill") != "none"]
        if style == "volumes" and values:
            fills = fills[::3]  # we see three sides of each slab
            streams = len(fills) // len(values)  # of one colour
            assert all(len(set(fills[i : i + streams])) == 1 for i in range(0, len(fills), streams))
            fills = fills[::streams]
            assert len(fills) == len(values)
        for value, fill in zip(values, fills, strict=False):
            if not value.startswith("no number"):
                number = max(map(float, value.replace(",", "").split("x")))
                numbers.append((number, seen(fill, "any")))
    assert len(numbers) >= 8
    most = max(value for value, _ in numbers)
    for value, place in numbers:
        apart = [sum((a - b) ** 2 for a, b in zip(color, place, strict=True)) for color in colors]
        assert abs(apart.index(min(apart)) / (len(colors) - 1) - value / most) <= 1 / (len(colors) - 1), value


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("theme", THEMES)
def test_more_is_farther_from_the_ground_to_any_eyes(theme: str, palette: str, eyes: str) -> None:
    found = theme_of(theme, palette)
    lightness = [seen(found.heat(i / 50), eyes)[0] for i in range(51)]
    steps = [b - a for a, b in pairwise(lightness)]
    assert all(step > 0 for step in steps) if theme == "dark" else all(step < 0 for step in steps)
    # every tenth of the scale is told from the next: 2.3 is a just noticeable difference in L*a*b*
    places = [seen(found.heat(i / 10), eyes) for i in range(11)]
    for a, b in pairwise(places):
        assert sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5 > 2 * 2.3


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("theme", THEMES)
def test_words_are_read_on_every_shade(theme: str, palette: str) -> None:
    """WCAG 2.2, 1.4.3: a contrast of 4.5 at least."""
    found = theme_of(theme, palette)
    for i in range(201):
        fill = found.heat(i / 200)
        assert contrast(found.ink(fill), fill) >= 4.5
    assert contrast(found.text, found.hatch) >= 4.5
    assert contrast(found.text, found.box) >= 4.5
    for heat in HEATS:
        svg = drawing.to_svg(archlens.load("googlenet"), heat=heat, theme=theme, palette=palette)
        boxes = [g for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if g.get("class") == "node"]
        for box in boxes:
            rect = box.find(f"{SVG}rect")
            assert rect is not None
            for text in box.iter(f"{SVG}text"):
                assert contrast(text.get("fill", ""), rect.get("fill", "")) >= 4.5, text.text


@pytest.mark.parametrize("style", ["graph", "volumes"])
@pytest.mark.parametrize("theme", THEMES)
def test_what_has_no_number_is_hatched_and_says_why(style: str, theme: str) -> None:
    network = archlens.loads(OPAQUE)
    svg = drawing.to_svg(network, style=style, heat="macs", theme=theme, fit="page")
    macs = said(svg, "MACs")
    why = {"d" if style == "volumes" else "b.d": "no number, the multiply-accumulates of mine are not stated"}
    assert macs["f"] == "no number, the multiply-accumulates of other are not stated"
    assert macs["aux.0"] == "no number, runs only in training"
    assert macs["a"] == f"{8 * 3 * 3 * 3 * 6 * 6:,}"
    assert [text for text in why.values() if text in macs.values()]
    words = [text.text for text in sound(svg).iter(f"{SVG}text")]
    assert "no number" in words
    assert any(
        "No number: f: the multiply-accumulates of other are not stated." in (text or "") for text in words
    )
    colors = theme_of(theme)
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if group.get("class") == "node" and "aux.0:" in group.findtext(f"{SVG}title", ""):
            drawn = ElementTree.tostring(group, encoding="unicode")
            assert colors.hatch in drawn
            assert colors.heat(0.0) not in drawn


def test_a_part_that_is_known_is_said_and_no_whole() -> None:
    network = archlens.loads(OPAQUE)
    macs = said(drawing.to_svg(network, heat="macs", depth=1), "MACs")
    known = 8 * 8 * 3 * 3 * 4 * 4
    assert macs["b"] == f"no number, at least {known:,}: the multiply-accumulates of mine are not stated"
    assert said(drawing.to_svg(network, heat="params", depth=1), "params")["b"] == f"{8 * 8 * 9 + 8 + 10:,}"


def test_nothing_of_a_figure_is_no_scale() -> None:
    network = archlens.loads("input: 3x8x8\nlayers: [relu, flatten]")
    svg = drawing.to_svg(network, heat="params")
    words = [text.text for text in sound(svg).iter(f"{SVG}text")]
    assert "0 params" in words
    assert counts(svg, "params") == {"0": 0, "1": 0}


def test_what_failed_stays_red() -> None:
    for style in ("graph", "volumes"):
        svg = to_bytes(partial(style=style, heat="params"), "svg").decode()
        sound(svg)
        assert theme_of("light").failed in svg


def test_a_hatch_stays_in_its_rectangle() -> None:
    lines = list(hatched(10, 20, 33, 31, "#000000"))
    assert len(lines) == 6
    for one in lines:
        for x, y in (one.start, one.steps[0][0]):
            assert 10 <= x <= 33
            assert 20 <= y <= 31
        assert one.start[0] - one.steps[0][0][0] == pytest.approx(one.steps[0][0][1] - one.start[1])


@pytest.mark.parametrize("name", ["inception_v3", "mobilenet_v2"])
def test_a_graph_with_heat_stands_as_without(name: str) -> None:
    network: Network = archlens.load(name)
    svg = drawing.to_svg(network, heat="macs", depth=1)
    a_graph(svg)
    boxes = re.compile(r'<g class="node">.*?<rect x="([\d.]+)" y="([\d.]+)"', re.DOTALL)
    assert boxes.findall(svg) == boxes.findall(drawing.to_svg(network, depth=1))
    title = ElementTree.fromstring(svg).findtext(f"{SVG}title") or ""
    assert "coloured by MACs" in title


@pytest.mark.parametrize(
    ("options", "message", "help"),
    [
        (["--heat", "heat"], "Invalid value for '--heat'", "'params', 'macs', 'activations', 'field'"),
        (
            ["--heat", "macs", "--style", "profile"],
            "the style profile has no boxes to colour by macs",
            "--style graph",
        ),
        (
            ["--heat", "field", "--style", "field"],
            "the style field has no boxes to colour by field",
            "leave --heat out",
        ),
    ],
)
def test_heat_where_there_is_none(options: list[str], message: str, help: str, tmp_path: Path) -> None:
    found = run("diagram", "lenet5", *options, "-o", str(tmp_path / "x.svg"))
    assert found.returncode == 2
    assert message in found.stderr
    assert help in found.stderr
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.parametrize("extension", ["dot", "mmd"])
def test_text_of_a_graph_holds_no_scale(extension: str) -> None:
    with pytest.raises(
        archlens.UsageError, match=f".{extension} is the text of a graph, and cannot hold a scale"
    ):
        to_bytes(Request(archlens.load("lenet5"), heat="macs"), extension)


def test_a_heat_that_is_none() -> None:
    with pytest.raises(archlens.UsageError, match="there is no heat mac") as caught:
        drawing.to_svg(archlens.load("lenet5"), heat="mac")
    assert "did you mean macs?" in str(caught.value)
