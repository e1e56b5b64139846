"""Pictures are read where they are made for: no text below a floor, and no wider than the page.

The sizes are measured on what is written: the sizes of fonts, and how long the file says that its points are.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx
import pytest

import archlens
from archlens import drawing
from archlens.drawing import Request, style_names, to_bytes
from archlens.drawing.fit import NAMED, fit_of
from archlens.drawing.part import part
from archlens.drawing.plan import Plan
from archlens.drawing.styles import profile
from archlens.drawing.styles.graph import chosen
from archlens.errors import UsageError
from archlens.network import Network
from archlens.views import words

from . import drawn
from .legibility import flaws
from .running import run
from .zoo import SMALLEST, network

SVG = "{http://www.w3.org/2000/svg}"

#: The floors and the widths that the fits are to keep, in the unit that the file says.
FLOORS = {
    "column": ("pt", 7, 3.3 * 72),
    "page": ("pt", 7, 6.9 * 72),
    "readme": ("", 11, 700),
    "slide": ("", 11, 1280),
}

#: Chains, stages, branches, skips across, heads and wide names.
SEVERAL = (
    *("lenet5", "resnet50", "inception_v3", "unet", "vit_b_16"),
    *("maskrcnn_resnet50_fpn", "stable_diffusion_1", "whisper_tiny"),
)


def measured(svg: str) -> tuple[str, float, float, float]:
    """Unit, width, height and smallest text of a file, as they are where it is read."""
    root = ElementTree.fromstring(svg)
    found = [re.fullmatch(r"([\d.]+)([a-z]*)", root.get(side, "")) for side in ("width", "height")]
    assert found[0]
    assert found[1]
    _, _, across, down = map(float, root.get("viewBox", "").split())
    point = float(found[0][1]) / across
    assert point == pytest.approx(float(found[1][1]) / down, rel=2e-3)  # nothing is stretched
    assert not list(root.iter(f"{SVG}svg"))[1:]
    assert all("transform" not in element.attrib for element in root.iter())
    sizes = [float(text.get("font-size", "nan")) for text in root.iter(f"{SVG}text")]
    assert sizes
    return found[0][2], float(found[0][1]), float(found[1][1]), min(sizes) * point


def is_read(svg: str, fit: str) -> None:
    unit, floor, most = FLOORS[fit]
    found, wide, _, least = measured(svg)
    assert found == unit
    assert least >= floor - 0.01
    assert wide <= most + 0.1


@pytest.mark.parametrize("name", SEVERAL)
def test_text_is_read_in_every_fit(name: str) -> None:
    first = Request(archlens.load(name))
    for fit in FLOORS:
        is_read(to_bytes(Request(first.network, fit=fit, made=first.plans), "svg").decode(), fit)


@pytest.mark.slow
@pytest.mark.parametrize("style", ["graph", "volumes", "profile", "field"])
def test_the_zoo_is_read_in_a_column(style: str) -> None:
    """One network of each family where there is least room; ``tests/legibility.py`` measures all of it.

    Their graphs have straight spines, no line over a box or a word, and at most one crossing, a forced one.
    """
    measured = 0
    for name in SMALLEST:
        request = Request(network(name), style, fit="column")
        try:
            found = flaws(request)
        except UsageError:  # of text there is no field
            continue
        measured += 1
        assert not found, (name, found)
        if style == "graph":
            seen = drawn.measured(request)
            assert not any(seen[:3]), (name, seen)
            assert seen.crossings <= is_forced(chosen(request).plan), (name, seen)
    assert measured > 60


def is_forced(plan: Plan) -> bool:
    """Whether its lines cross in any picture that has all inputs and all ends outside."""
    heads, tails = {edge.head for edge in plan.edges}, {edge.tail for edge in plan.edges}
    around = [(box.id, -1) for box in plan.boxes if box.id not in heads or box.id not in tails]
    graph = networkx.Graph([*((edge.tail, edge.head) for edge in plan.edges), *around])
    return not networkx.check_planarity(graph)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "style", "fit"),
    [
        ("nasnet_a_large", "graph", "column"),
        ("yolov4", "graph", "column"),
        ("nasnet_a_large", "volumes", "column"),
        ("yolov4", "volumes", "column"),
        ("fcn8s", "profile", "column"),
        ("nasnet_a_large", "profile", "column"),
        ("deepseek_v3", "stages", "page"),
    ],
)
def test_pictures_end_where_their_page_does(name: str, style: str, fit: str) -> None:
    """Those of the zoo that are longest; of others see ``tests/legibility.py``."""
    assert not flaws(Request(archlens.load(name), style, fit=fit))


def test_rows_of_a_profile_with_two_names_have_all_between() -> None:
    """FCN's stages: 1,920 weights of its first convolution and its biases, and so on to its third pooling."""
    request = Request(archlens.load("fcn8s"), "profile", fit="column")
    said = texts(to_bytes(request, "svg").decode())
    assert said[said.index("conv1_1") + 1] == "to pool3"
    assert "A row with two names stands for all from the one to the other." in " ".join(said)
    sizes = [(3, 64), (64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 256)]
    assert words.rounded(sum(9 * a * b + b for a, b in sizes)) in said  # Simonyan and Zisserman's table 1
    # and where there would be four rows with one level of scopes, VGG's stages (the same table)
    stages = texts(to_bytes(Request(archlens.load("vgg16"), "profile", fit="column"), "svg").decode())
    firsts = [before for before, text in pairwise(stages) if text.startswith("to ")]
    assert firsts[:5] == [f"features.{place}" for place in (0, 4, 9, 16, 23)]
    ends = [0, 2, 4, 7]
    for start, end in pairwise(ends):
        assert words.rounded(sum(9 * a * b + b for a, b in sizes[start:end])) in stages
    assert "A row with two names" not in to_bytes(replace(request, fit="readme"), "svg").decode()


@pytest.mark.parametrize("fit", FLOORS)
@pytest.mark.parametrize("style", ["volumes", "profile", "field"])
def test_other_styles_are_read_too(style: str, fit: str) -> None:
    for name in ("alexnet", "resnet18"):
        is_read(drawing.to_svg(archlens.load(name), style=style, fit=fit), fit)


def test_too_small_text_and_too_wide_pictures_would_be_seen() -> None:
    svg = drawing.to_svg(archlens.load("lenet5"))
    with pytest.raises(AssertionError):
        is_read(re.sub('font-size="9.5"', 'font-size="9.4"', svg, count=1), "readme")
    head = re.search(r'width="([\d.]+)" height="([\d.]+)"', svg)
    assert head
    half = f'width="{float(head[1]) / 2}" height="{float(head[2]) / 2}"'
    with pytest.raises(AssertionError):
        is_read(svg.replace(head[0], half), "readme")
    with pytest.raises(AssertionError):
        is_read(drawing.to_svg(archlens.load("resnet18"), depth=3, fit="1200px"), "readme")
    assert {*flaws(Request(archlens.load("unet"), direction="lr", depth=1))} == {"wide"}
    small = Request(archlens.load("lenet5"), fit="column")
    assert not flaws(small)
    small.__dict__["page"] = replace(small.page, least=small.page.least * 1.1)
    assert "small" in flaws(small)


def test_a_default_svg_is_drawn_once_in_either_theme(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    themes, draw = [], profile.draw

    def counted(request: Request) -> Any:
        themes.append(request.theme)
        return draw(request)

    monkeypatch.setattr(profile, "draw", counted)
    run("diagram", "lenet5", "--style", "profile", "-o", str(tmp_path / "one.svg"))
    assert themes == ["light", "dark"]


@pytest.mark.parametrize(
    ("fit", "width", "unit"),
    [
        *(
            ("90mm", 90 / 25.4 * 72, "pt"),
            ("9cm", 9 / 2.54 * 72, "pt"),
            ("5in", 360, "pt"),
            ("400pt", 400, "pt"),
        ),
        *(("700px", 700, "px"), ("column", 237.6, "pt"), ("slide", 1280, "px")),
    ],
)
def test_widths(fit: str, width: float, unit: str) -> None:
    found = fit_of(fit)
    assert found.width == pytest.approx(width)
    assert found.unit == unit


def test_paper_and_slides_are_filled_across() -> None:
    for fit, (_, _, width) in FLOORS.items():
        _, wide, high, _ = measured(drawing.to_svg(archlens.load("lenet5"), fit=fit))
        assert wide == pytest.approx(width, abs=0.1) if fit != "readme" else wide < width
        assert high == pytest.approx(720, abs=0.1) if fit == "slide" else high > 100


def test_the_smallest_text_is_what_is_asked_for() -> None:
    for size in (9.0, 14.5):
        svg = drawing.to_svg(archlens.load("lenet5"), fit="page", font_size=size)
        assert measured(svg)[3] == pytest.approx(size, rel=2e-3)


def depth(network: Network, fit: str, **options: Any) -> int:
    """The depth of a picture of a network with two levels of scopes, by the boxes that are in it."""
    svg = drawing.to_svg(network, fit=fit, **options)
    titles = [title.text or "" for title in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    return 2 if any(title.startswith("a.b.c: ") for title in titles) else 1


def test_a_narrow_page_folds_what_a_wide_one_shows() -> None:
    branches = "".join(f"      - conv({i}, 1) >> conv(4, 3, padding=1)\n" for i in range(1, 7))
    text = "title: T\ninput: 4x8x8\nlayers:\n  - a:\n    - b:\n      - concat:\n{}      - c: conv(2, 1)\n"
    text = text.format("".join(f"          - {line.split('- ', 1)[1]}" for line in branches.splitlines(True)))
    network = archlens.loads(text)
    assert depth(network, "slide") == 2
    assert depth(network, "column") == 1
    said = drawing.to_svg(network, fit="column")
    assert "for text of 7 pt at a width of 3.3 in." in said
    assert "Drawn to depth" not in drawing.to_svg(network, fit="slide")
    assert depth(network, "column", depth=9) == 2  # whoever asks for a depth has it


def test_formats_have_the_fit_of_where_they_are_read() -> None:
    network = archlens.load("lenet5")
    assert b"/MediaBox [ 0 0 496.8 " in to_bytes(Request(network), "pdf")
    assert b"/MediaBox [ 0 0 237.6 " in to_bytes(Request(network, fit="column"), "pdf")
    tex = to_bytes(Request(network), "tex").decode()
    assert "x=0.7368bp,y=-0.7368bp" in tex  # 7 pt where a style writes 9.5
    assert {float(size) for size in re.findall(r"fontsize{([\d.]+)bp}", tex)} >= {7.0}
    png = to_bytes(Request(network, fit="column"), "png")
    assert abs(int.from_bytes(png[16:20], "big") - 3.3 * 300) <= 300 / 72  # 300 dots an inch


@pytest.mark.parametrize("extension", ["mmd", "dot"])
def test_formats_of_text_have_the_depth_of_the_picture(extension: str) -> None:
    first = Request(archlens.load("resnet50"))
    for fit in ("readme", "3000px"):
        request = Request(first.network, fit=fit, made=first.plans)
        text = to_bytes(request, extension).decode()
        boxes = ElementTree.fromstring(to_bytes(request, "svg")).findall(f".//{SVG}g[@class='node']")
        assert len(re.findall(r"^ +n\d+(?:\[| \[label|\(\[)", text, re.MULTILINE)) == len(boxes)


@pytest.mark.parametrize(
    ("options", "message", "help"),
    [
        (["--fit", "colum"], "there is no fit colum", "did you mean column?"),
        (
            ["--fit", "12"],
            "there is no fit 12",
            "column, page, readme, slide, or a width such as 90mm, 5in or 700px",
        ),
        (["--fit", "-5in"], "there is no fit -5in", "or a width such as 90mm"),
        (["--fit", "99999in"], "99999in is wider than any page", "at most 14400 pt"),
        (["--fit", "1mm"], "1mm is too narrow for text of 7 pt", "from 154 pt on there is room for names"),
        (
            ["--fit", "200px"],
            "200px is too narrow for text of 11 px",
            "from 242 px on there is room for names",
        ),
        (
            ["--font-size", "nan"],
            "text of nan px cannot be set",
            "from 2 to 100; without --font-size it is 11 px",
        ),
        (["--font-size", "1e9"], "text of 1e+09 px cannot be set", "from 2 to 100"),
        (["--fit", "page", "--font-size", "30"], "page is too narrow for text of 30 pt", "from 660 pt on"),
    ],
)
def test_fits_that_are_none(options: list[str], message: str, help: str, tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    found = run("diagram", "lenet5", "-o", str(path), *options)
    assert found.returncode == 2
    assert message in found.stderr
    assert help in found.stderr
    assert not path.exists()


def test_a_depth_that_is_too_wide_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    found = run("diagram", "inception_v3", "--depth", "2", "-o", str(path))
    assert re.search(
        r"warning: the picture is [\d,]+ px wide, more than the 700 px that it is made for", found.stderr
    )
    assert "help: text of 11 px needs it; take a smaller --depth or a wider --fit" in found.stderr
    assert measured(path.read_text("utf-8"))[3] >= 10.99
    assert not run("diagram", "resnet50", "-o", str(path)).stderr
    high = run("diagram", "segnet", "--depth", "1", "--fit", "column", "-o", str(path)).stderr
    assert re.search(r"warning: the picture is [\d,]+ pt high, more than the 648 pt that there are", high)
    assert "take a wider --fit or another --style" in high  # there is no smaller depth
    assert sorted(NAMED) == sorted(FLOORS)
    assert set(style_names()) >= {"graph", "volumes", "profile"}


def test_an_svg_for_a_screen_is_as_its_page(tmp_path: Path) -> None:
    """Light or dark by itself, unless a theme is asked for; paper and what has no style sheet are light."""
    path, png = tmp_path / "x.svg", tmp_path / "x.png"
    for options, dark in (([], True), (["--theme", "light"], False), (["--fit", "column"], False)):
        assert run("diagram", "lenet5", "-o", str(path), *options).returncode == 0
        assert ("prefers-color-scheme:dark" in path.read_text("utf-8")) == dark
    assert run("diagram", "lenet5", "-o", str(png)).returncode == 0
    assert png.read_bytes() == to_bytes(Request(archlens.load("lenet5")), "png")


# --- one scope alone, and figures ---------------------------------------------------------------------


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def titles(svg: str) -> list[str]:
    found = ElementTree.fromstring(svg).findall(f".//{SVG}g[@class='node']/{SVG}title")
    return [(title.text or "").splitlines()[0] for title in found]


def test_a_scope_alone_has_its_layers_and_what_flows_into_it(tmp_path: Path) -> None:
    """The first bottleneck of ResNet-50 has ten layers and two of its projection."""
    network = archlens.load("resnet50")
    alone = part(network, "layer1.0")
    assert [layer.name for layer in alone] == [
        layer.name.removeprefix("layer1.0.") for layer in network if layer.name.startswith("layer1.0.")
    ]
    assert len(alone) == 12
    assert {name: str(shape) for name, shape in alone.inputs.items()} == {"input": "64x56x56"}
    # 64*64 + 9*64*64 + 64*256 and 64*256 of convolutions, and 2*(64 + 64 + 256 + 256) of norms
    assert alone.params == 64 * 64 + 9 * 64 * 64 + 2 * 64 * 256 + 2 * (64 + 64 + 256 + 256)
    path = tmp_path / "x.svg"
    assert run("diagram", "resnet50", "--scope", "layer1.0", "-o", str(path)).returncode == 0
    svg = path.read_text("utf-8")
    assert "ResNet-50: layer1.0, bottleneck" in texts(svg)
    assert "conv1: conv(64, 1, bias=false) -> 64x56x56" in titles(svg)
    is_read(svg, "readme")


def test_a_scope_with_several_inputs_says_where_they_are_from() -> None:
    alone = part(archlens.load("unet"), "up4")
    assert {name: str(shape) for name, shape in alone.inputs.items()} == {
        "dropout_1": "1024x28x28",
        "down4.relu_1": "512x64x64",
    }
    # layer10 is not in layer1, and what has the name of something outside keeps its own
    text = """
input: 4x8x8
layers:
  - a: conv(4, 1)
  - s:
      - a: conv(2, 1)
      - b: {add: ['conv(2, 1)', ref(a)]}
  - s1: conv(1, 1) >> relu
"""
    alone = part(archlens.loads(text), "s")
    assert [layer.name for layer in alone] == ["a", "b.0", "b.add"]
    assert list(alone.inputs) == ["input"]
    assert alone.outputs["out"] == alone.layers[-1].name
    experts = part(archlens.load("mixtral_8x7b"), "model.layers.0.mlp")
    is_read(drawing.to_svg(experts), "readme")


@pytest.mark.parametrize(
    ("name", "scope", "message", "help"),
    [
        ("resnet50", "layer9", "resnet50 has no scope layer9", "did you mean layer4 or layer3 or layer2?"),
        ("resnet50", "layer1.7", "resnet50 has no scope layer1.7", "did you mean layer1.2"),
        ("resnet50", "conv1", "conv1 is one layer of resnet50", "a scope has several"),
        ("resnet50", "", "resnet50 has no scope without a name", "as in layer1, layer1.0"),
        ("lenet5", "C1x", "lenet5 has no scopes", "leave --scope out"),
        ("resnet50", "x" * 5000, "resnet50 has no scope xxx", "as in layer1"),
    ],
)
def test_scopes_that_are_none(name: str, scope: str, message: str, help: str, tmp_path: Path) -> None:
    path = tmp_path / "x.svg"
    found = run("diagram", name, "--scope", scope, "-o", str(path))
    assert found.returncode == 2
    assert message in found.stderr
    assert help in found.stderr
    assert len(found.stderr) < 500
    assert not path.exists()


def test_a_scope_of_a_network_that_fails_is_not_drawn(tmp_path: Path) -> None:
    spec = tmp_path / "x.yaml"
    spec.write_text("input: 1x4x4\nlayers:\n  - a: conv(2, 3) >> relu\n  - b: conv(2, 9) >> relu\n", "utf-8")
    found = run("diagram", str(spec), "--scope", "a", "-o", str(tmp_path / "x.svg"))
    assert found.returncode == 1
    assert "window" in found.stderr
    assert not (tmp_path / "x.svg").exists()


def test_boxes_have_the_figures_that_are_asked_for() -> None:
    """ResNet's first convolution has 64*3*7*7 weights, each at 112*112 places, and 2*64 of a norm."""
    network = archlens.load("resnet18")
    assert 64 * 3 * 7 * 7 + 2 * 64 == 9536
    assert 64 * 3 * 7 * 7 * 112 * 112 == 118013952
    for fit in ("readme", "column"):
        svg = drawing.to_svg(network, labels=("params", "macs", "field"), fit=fit)
        assert "9.54 k params, 118.01 M MACs, field 7x7" in texts(svg)
        is_read(svg, fit)
        assert "0 params" not in " ".join(texts(svg))
    assert "118.01 M MACs, field 7x7" in " ".join(texts(drawing.to_svg(network, labels=("macs", "field"))))
    assert "118.01 M MACs" in texts(drawing.to_svg(network, labels=("macs",), style="volumes"))
    for extension in ("mmd", "dot"):
        assert "118.01 M MACs" in to_bytes(Request(network, labels=("macs",)), extension).decode()


def test_a_figure_of_which_a_part_is_known_says_so_once() -> None:
    """2*3*3*3 weights at 6*6 places, and one layer that states nothing."""
    text = "input: 3x8x8\nlayers:\n  - block: ['conv(2, 3)', 'custom(\"mine\")']"
    network = archlens.loads(text)
    svg = drawing.to_svg(network, labels=("macs",), depth=1)
    assert 2 * 3 * 3 * 3 * 6 * 6 == 1944
    assert "at least 1.94 k MACs" in texts(svg)
    assert "unknown MACs" in texts(drawing.to_svg(network, labels=("macs",)))


@pytest.mark.parametrize(
    ("labels", "message", "help"),
    [
        ("parms", "there is no label parms", "did you mean params?"),
        ("", "there is no label without a name", "some of params, macs, field, parted by commas"),
        ("macs,,", "there is no label without a name", "some of"),
    ],
)
def test_labels_that_are_none(labels: str, message: str, help: str, tmp_path: Path) -> None:
    found = run("diagram", "lenet5", "--labels", labels, "-o", str(tmp_path / "x.svg"))
    assert found.returncode == 2
    assert message in found.stderr
    assert help in found.stderr


def test_a_name_without_room_goes_on_beneath() -> None:
    """Where boxes are narrowed for a column, a name is parted at its signs and not cut."""
    found = texts(drawing.to_svg(archlens.load("nasnet_a_mobile"), fit="column"))
    assert {"reduction_cell_", "0", "1"} <= set(found)
    assert not [text for text in found if re.search(r"[a-z]…[a-z]", text)]


def test_of_several_shapes_the_first_is_said() -> None:
    """Where there is no room for all that leave a box; a cut through two shapes looked as another one."""
    network = archlens.load("maskrcnn_resnet50_fpn")
    sizes = {str(layer.shape) for layer in network}
    found = [
        text for text in texts(drawing.to_svg(network, fit="column")) if re.fullmatch(r"\d[\dx]*(, )?…", text)
    ]
    assert "256x200x200, …" in found
    assert all(text.rstrip("…, ") in sizes for text in found)
