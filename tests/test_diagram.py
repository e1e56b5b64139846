"""Pictures: golden files with a meaning checked on each, what must hold for any network, and bad input."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations, cycle, pairwise, product
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import archlens
from archlens import drawing
from archlens.analysis import comparison
from archlens.cli.output import write_bytes
from archlens.drawing import Chart, Request, extensions, style_names, to_bytes
from archlens.drawing import picture as drawn
from archlens.drawing.formats import dot, mmd, tex
from archlens.drawing.layout import lay_out
from archlens.drawing.metrics import BOLD, BOLD_FILE, REGULAR, REGULAR_FILE, fitted, is_known, width
from archlens.drawing.placing import Given, Link, Pads
from archlens.drawing.plan import MOST, PAGE, Plan, Plans, is_position, short
from archlens.drawing.request import SCALES
from archlens.drawing.styles.graph import shown
from archlens.drawing.styles.volumes import _chosen as volumes_chosen
from archlens.drawing.styles.volumes.artist import Artist
from archlens.drawing.styles.volumes.stages import reads_apart, stages_of
from archlens.drawing.theme import FAMILIES, PALETTES, THEMES, theme_of
from archlens.errors import SpecError, UsageError
from archlens.network import Network

from . import running
from .drawn import extent as extent_of
from .zoo import SMALLEST

GOLDEN = Path(__file__).parent / "golden"
#: The styles that any network has; ``stages`` needs blocks, and is tested in test_stages.py.
ANY_STYLE = [style for style in style_names() if style != "stages"]
SVG = "{http://www.w3.org/2000/svg}"

UNET = """
title: A small U-Net
input: 1x64x64
blocks:
  double(out):
    - conv(out, 3, padding=1) >> relu >> conv(out, 3, padding=1) >> relu
  up(out, skip):
    - upconv: conv_transpose(out, 2, stride=2)
    - concat:
        - ref(skip)
        - identity
    - double(out)
layers:
  - enc1: double(8)
  - max_pool(2)
  - enc2: double(16)
  - max_pool(2)
  - middle: double(32)
  - dec2: up(16, enc2)
  - dec1: up(8, enc1)
  - head: conv(2, 1)
"""

BRANCHES = """
title: Branches
input: 3x32x32
layers:
  - stem: conv(32, 3, padding=1) >> relu
  - mixed:
      - concat:
          a: conv(32, 1)
          b: conv(16, 1) >> conv(64, 3, padding=1)
          c: conv(16, 1) >> conv(32, 5, padding=2)
          d: "max_pool(3, stride=1, padding=1) >> conv(32, 1)"
  - gated:
      - residual:
          - conv(160, 3, padding=1)
          - gate:
              - global_avg_pool
              - conv(40, 1) >> relu >> conv(160, 1) >> sigmoid
  - global_avg_pool
  - flatten
  - fc: linear(10)
"""

#: Two inputs, each with a tower of its own, and two heads.
TWO = """
title: Two eyes
input: {left: 3x64x64, right: 1x64x64}
blocks:
  tower(side): ref(side) >> conv(8, 3, padding=1) >> conv(16, 3, stride=2, padding=1)
layers:
  - concat: {l: tower(left), r: tower(right)}
  - fuse: conv(32, 1)
  - body: conv(32, 3, padding=1)
  - head: conv(4, 1)
outputs:
  depth: ref(fuse) >> conv(1, 1)
  normals: ref(body) >> conv(3, 1) >> tanh
  aux: {training: [ref(body), global_avg_pool, flatten, linear(10)]}
"""

#: Layers as in DenseNet: each reads all that went before, so that no two have equal shapes.
DENSE = """
title: A small DenseNet
input: 3x32x32
blocks:
  layer():
    - dense:
        - norm: batch_norm
        - relu: relu
        - conv: conv(12, 3, padding=1, bias=false)
layers:
  - stem: conv(16, 3, padding=1)
  - block: layer * 5
  - global_avg_pool
  - flatten
  - fc: linear(10)
"""

FAILING = """
title: Too wide
input: 1x28x28
layers:
  - conv1: conv(8, 5)
  - pool1: max_pool(3)
  - conv2: conv(16, 9)
  - fc: linear(10)
"""

#: Two streams of gated convolutions in turns, whose sums skip over stages that stand in rows beside them.
STREAMS = (
    """
input: 1x64
layers:
  - inp: conv(8, 1)
"""
    + "".join(
        f"""
  - residual:
      - pad_{i}: pad(padding=(({2**i}, 0),))
      - multiply:
          - - f.{i}: conv(8, 2, dilation={2**i})
            - tanh_{i}: tanh
          - - g.{i}: conv(8, 2, dilation={2**i})
            - sigmoid_{i}: sigmoid
      - s.{i}: conv(16, 1)
      - {f"add: [identity, ref({'add_1' if i > 1 else 'first'})]" if i else "first: shift(0)"}
      - ref(multiply{f"_{i}" if i else ""})
      - r.{i}: conv(8, 1)
"""
        for i in range(3)
    )
    + """
  - ref(add_3)
  - relu
  - end1: conv(16, 1)
  - relu
  - end2: conv(32, 1)
"""
)

HOSTILE = """
title: "<b>A & 'B' ünï 日本</b> {long}"
input: 1x28x28
layers:
  - '<script>alert(1)</script>': conv(8, 5)
  - {name}: conv(4, 3)
  - 'a"b&c': relu
  - 'ünïcødé日本': flatten
  - 'a-->b': linear(3)
  - 'end%%#;x': relu
  - '$\\_^~&': relu
  - '&lt;$$x$$fa:fa-car': relu
""".format(long="t" * 10_000, name="n" * 200)


def loaded(text: str) -> Network:
    """A network of the zoo by its name, or that of a text."""
    return archlens.loads(text) if "\n" in text else archlens.load(text)


def partial(text: str = FAILING, **options: Any) -> Request:
    """What there is of a network up to the layer that failed."""
    with pytest.raises(SpecError) as caught:
        archlens.loads(text)
    assert caught.value.network is not None
    return Request(caught.value.network, failed=caught.value.failed, **options)


# --- reading an SVG back ---------------------------------------------------------------------------


class Drawn(NamedTuple):
    """A rectangle with the texts of its group."""

    x: float
    y: float
    right: float
    bottom: float
    texts: list[ElementTree.Element]
    title: str


def read(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def nodes(root: ElementTree.Element) -> list[Drawn]:
    found = []
    for group in root.iter(f"{SVG}g"):
        if "node" in group.get("class", "").split():
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            x, y, w, h = (float(rect.get(key, "nan")) for key in ("x", "y", "width", "height"))
            title = group.findtext(f"{SVG}title", "")
            found.append(Drawn(x, y, x + w, y + h, list(group.iter(f"{SVG}text")), title))
    return found


def extent(text: ElementTree.Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a text, by the table of widths and not by what the file says."""
    size, anchor = float(text.get("font-size", "nan")), text.get("anchor", text.get("text-anchor", "start"))
    x, y = float(text.get("x", "nan")), float(text.get("y", "nan"))
    wide = width(text.text or "", size, text.get("font-weight") == "bold")
    left = {"start": x, "middle": x - wide / 2, "end": x - wide}[anchor]
    return left, y - 0.72 * size, left + wide, y + 0.21 * size


def overlapping(boxes: list[Drawn]) -> Iterator[tuple[str, str]]:
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            if a.x < b.right - 0.2 and b.x < a.right - 0.2 and a.y < b.bottom - 0.2 and b.y < a.bottom - 0.2:
                yield a.title[:40], b.title[:40]


def sound(svg: str) -> ElementTree.Element:
    """What holds for every picture: well-formed, titled, nothing from outside, every text on the page."""
    root = read(svg)
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title")
    assert len(root.findtext(f"{SVG}desc") or "") > 40
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "style", "g", "rect", "path", "text",
    }  # fmt: skip
    assert not re.search(r"url|@import|//", root.findtext(f"{SVG}style") or "")
    wide, high = map(float, root.get("viewBox", "").split()[2:])
    for text in root.iter(f"{SVG}text"):
        left, top, right, bottom = extent(text)
        assert left >= 0, text.text
        assert right <= wide + 0.1, text.text
        assert top >= 0, text.text
        assert bottom <= high, text.text
    return root


def straights(root: ElementTree.Element) -> Iterator[tuple[float, float, float, float]]:
    """Left, top, right and bottom of each straight piece of a connection."""
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == "edge":
            for path in group.findall(f"{SVG}path"):
                if path.get("fill") == "none":
                    steps = re.findall(r"([MLC])([^MLC]+)", path.get("d", ""))
                    points = [step[1].split()[-1].split(",") for step in steps]
                    for (kind, _), a, b in zip(steps[1:], points, points[1:], strict=False):
                        if kind == "L":
                            (x0, x1), (y0, y1) = (
                                sorted(map(float, (a[0], b[0]))),
                                sorted(map(float, (a[1], b[1]))),
                            )
                            yield x0, y0, x1, y1


def curves(root: ElementTree.Element) -> Iterator[tuple[float, float]]:
    """Points on the curves of connections."""
    for path in root.findall(f".//{SVG}g[@class='edge']/{SVG}path[@fill='none']"):
        end: list[complex] = []
        for kind, numbers in re.findall(r"([MLC])([^MLC]+)", path.get("d", "")):
            points = [complex(*map(float, pair.split(","))) for pair in numbers.split()]
            if kind == "C":
                for k in range(1, 20):
                    way = [*end, *points]
                    while len(way) > 1:  # de Casteljau
                        way = [a + (b - a) * k / 20 for a, b in pairwise(way)]
                    yield way[0].real, way[0].imag
            end = points[-1:]


def a_graph(svg: str) -> None:
    """No two boxes overlap, every word in a box is inside it, all others are outside of every one and of each
    other, and no line runs through a box.
    """
    root = sound(svg)
    boxes = nodes(root)
    assert boxes
    within = {id(text) for box in boxes for text in box.texts}
    others = [text for text in root.iter(f"{SVG}text") if id(text) not in within]
    for i, text in enumerate(others):
        left, top, right, bottom = extent(text)
        for box in boxes:
            apart = right <= box.x or left >= box.right or bottom <= box.y or top >= box.bottom
            assert apart, (text.text, box.title[:60])
        for a, b, c, d in map(extent, others[:i]):
            assert right <= a or left >= c or bottom <= b or top >= d, text.text
    for left, top, right, bottom in straights(root):
        for box in boxes:
            apart = (
                right <= box.x + 1 or left >= box.right - 1 or bottom <= box.y + 1 or top >= box.bottom - 1
            )
            assert apart, box.title[:60]
    for x, y in curves(root):
        for box in boxes:
            assert not (box.x + 2 < x < box.right - 2 and box.y + 2 < y < box.bottom - 2), box.title[:60]
    assert list(overlapping(boxes)) == []
    for box in boxes:
        for text in box.texts:
            left, top, right, bottom = extent(text)
            assert box.x <= left, text.text
            assert right <= box.right + 0.1, text.text
            assert box.y <= top, text.text
            assert bottom <= box.bottom, text.text


def captioned(svg: str) -> None:
    """No caption or number runs into another."""
    texts = [
        (number, extent(text))
        for number, group in enumerate(sound(svg).iter(f"{SVG}g"))
        if group.get("class") in ("caption", "size")
        for text in group.iter(f"{SVG}text")
    ]
    assert texts
    for i, (group, a) in enumerate(texts):
        for other, b in texts[i + 1 :]:
            apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
            assert group == other or apart, (a, b)


def names_all(text: str) -> Callable[[str], None]:
    """Every layer's name, op and shape is in the titles of a graph, which is sound."""

    def check(svg: str) -> None:
        a_graph(svg)
        titles = "\n".join(box.title for box in nodes(read(svg)))
        for layer in loaded(text):
            assert f"{layer.name}: {layer.op} -> {layer.shape}" in titles

    return check


def shapes_shown(text: str) -> Callable[[str], None]:
    """The channels and the size of every layer that changes them are written into the picture."""

    def check(svg: str) -> None:
        captioned(svg)
        words = {word for text in read(svg).iter(f"{SVG}text") for word in (text.text or "").split()}
        for layer in loaded(text):
            if layer.shape != layer.input_shapes[0] and layer.op.kind != "flatten":
                channels, *sides = layer.shape
                assert f"{channels}" in words, layer.name
                size = (
                    {"x".join(map(str, sides)), f"{sides[0]}²" if len({*sides}) == 1 else ""}
                    if sides
                    else words
                )
                assert size & words, layer.name

    return check


def stops(svg: str) -> None:
    """The failing layer is there, and says why."""
    root = sound(svg)
    words = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
    assert "conv2" in words
    assert "its 9x9 window is larger than its 8x8 input" in words
    assert "fc" not in words.split()


def totals(svg: str) -> None:
    """The figures under the titles are torchvision's: num_params 13,004,888 with both heads, 1.498 GFLOPS."""
    words = [text.text for text in sound(svg).iter(f"{SVG}text")]
    assert "13.00 M" in words
    assert "1.50 G" in words


GOLDENS: dict[str, tuple[Callable[[], Request], Callable[[str], None]]] = {
    "diagram_lenet5.svg": (lambda: Request(archlens.load("lenet5")), names_all("lenet5")),
    "diagram_unet.svg": (lambda: Request(archlens.loads(UNET), depth=2), names_all(UNET)),
    "diagram_branches_lr_dark.svg": (
        lambda: Request(archlens.loads(BRANCHES), direction="lr", theme="dark", fit="2000px"),
        names_all(BRANCHES),
    ),
    "diagram_resnet18.svg": (lambda: Request(archlens.load("resnet18")), a_graph),
    "diagram_dense.svg": (lambda: Request(archlens.loads(DENSE)), a_graph),
    "diagram_failing.svg": (lambda: partial(), stops),
    "diagram_lenet5_volumes.svg": (
        lambda: Request(archlens.load("lenet5"), style="volumes", fit="page"),
        shapes_shown("lenet5"),
    ),
    "diagram_branches_volumes_dark.svg": (
        lambda: Request(archlens.loads(BRANCHES), style="volumes", theme="dark", fit="2000px"),
        shapes_shown(BRANCHES),
    ),
    "diagram_resnet18_volumes.svg": (
        lambda: Request(archlens.load("resnet18"), style="volumes", depth=3),
        captioned,
    ),
    "diagram_failing_volumes.svg": (lambda: partial(style="volumes"), stops),
    "diagram_googlenet_aux_profile.svg": (
        lambda: Request(archlens.load("googlenet_aux"), style="profile"),
        totals,
    ),
    "diagram_failing_profile.svg": (lambda: partial(style="profile"), stops),
}


@pytest.mark.parametrize("name", GOLDENS)
def test_golden(name: str, update: bool) -> None:
    make, check = GOLDENS[name]
    found = to_bytes(make(), "svg").decode()
    path = GOLDEN / name
    if update:
        path.write_text(found, "utf-8")
    check(found)
    assert found == path.read_text("utf-8")


def test_overlaps_and_cut_text_would_be_seen() -> None:
    svg = drawing.to_svg(archlens.load("lenet5"))
    y = nodes(read(svg))[2].y
    nearer = re.sub(rf'y="{y:g}" width', 'y="80" width', svg)
    assert nearer != svg
    with pytest.raises(AssertionError):
        a_graph(nearer)
    with pytest.raises(AssertionError):
        a_graph(svg.replace(">conv1<", f">{'wide' * 30}<").replace(">C1<", f">{'wide' * 30}<"))


# --- themes ----------------------------------------------------------------------------------------


def as_browsers_show(svg: str, *, dark: bool) -> list[tuple[str, dict[str, str], str | None]]:
    """The elements of a picture with the colours that its style sheet gives them.

    A rule overrides an attribute; of those by an attribute or a class, which weigh the same, the last holds.
    """
    root = read(svg)
    style = root.find(f"{SVG}style")
    rules: list[tuple[str, str, str]] = []
    if style is not None:
        sheet = re.fullmatch(r"@media \(prefers-color-scheme:dark\)\{(.*)\}", style.text or "")
        assert sheet
        root.remove(style)
        rules = re.findall(r"(\[[^]]+\]|\.[\w-]+)\{(fill|stroke):(#\w{6})\}", sheet[1]) if dark else []
        assert "".join(f"{name}{{{what}:{color}}}" for name, what, color in rules) == (
            sheet[1] if dark else ""
        )
    shown = []
    for element in root.iter():
        own = dict(element.attrib)
        kinds = own.get("class", "").split() if element.tag != f"{SVG}g" else []
        if kinds:
            del own["class"]
        colors = {}
        for name, what, color in rules:
            if name == f'[{what}="{own.get(what)}"]' or name[1:] in kinds:
                colors[what] = color
        shown.append((element.tag, own | colors, element.text))
    return shown


def chart() -> Chart:
    return Chart(tuple(map(comparison.find, map(archlens.study, ("alexnet", "vgg16", "resnet18")))))


@pytest.mark.parametrize("style", ANY_STYLE)
@pytest.mark.parametrize(
    "name", ["resnet50", "vit_b_16", "densenet121", UNET, BRANCHES, TWO, HOSTILE, "chart"]
)
def test_a_file_in_both_themes_is_the_light_and_the_dark_picture(name: str, style: str) -> None:
    drawn = chart() if name == "chart" else Request(loaded(name), style)
    auto = to_bytes(replace(drawn, theme="auto"), "svg").decode()
    for theme in ("light", "dark"):
        one = to_bytes(replace(drawn, theme=theme), "svg").decode()
        assert as_browsers_show(auto, dark=theme == "dark") == as_browsers_show(one, dark=False)
    assert "http" not in auto.replace('"http://www.w3.org/2000/svg"', "")


def test_programs_without_style_sheets_show_the_light_picture(monkeypatch: Any) -> None:
    request = Request(archlens.load("lenet5"))
    light = to_bytes(request, "png")
    auto = to_bytes(replace(request, theme="auto"), "svg").decode()
    monkeypatch.setattr("archlens.drawing.formats.png.to_svg", lambda _: auto)
    assert to_bytes(request, "png") == light


def test_a_failing_network_in_both_themes() -> None:
    auto = to_bytes(partial(theme="auto"), "svg").decode()
    dark = to_bytes(partial(theme="dark"), "svg").decode()
    assert as_browsers_show(auto, dark=True) == as_browsers_show(dark, dark=False)


@pytest.mark.parametrize("extension", [one for one in extensions() if one != "svg"])
def test_no_other_format_has_both_themes(extension: str) -> None:
    with pytest.raises(UsageError, match=rf"a \.{extension} has one theme, light or dark") as caught:
        to_bytes(Request(archlens.load("lenet5"), theme="auto"), extension)
    assert caught.value.diagnostic.help == "auto is for .svg"


# --- every network ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        *zip(SMALLEST, cycle(["tb", "lr"])),
        *product([UNET, BRANCHES, DENSE, HOSTILE], ["tb", "lr"]),
    ],
)
def test_graphs_are_sound(name: str, direction: str) -> None:
    """Every other network of the zoo from left to right."""
    a_graph(drawing.to_svg(loaded(name), direction=direction))


@pytest.mark.parametrize("name", [*SMALLEST, UNET, BRANCHES, DENSE, STREAMS, HOSTILE])
def test_volumes_are_sound(name: str) -> None:
    captioned(drawing.to_svg(loaded(name), style="volumes"))


def test_a_profile_of_hostile_names_is_sound() -> None:
    sound(drawing.to_svg(loaded(HOSTILE), style="profile"))


POWERS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def said(text: str) -> tuple[float, float]:
    """The least and the most that a figure of a profile stands for: ``1.23 M``, ``(300)``, ``5x8x8``."""
    count = re.fullmatch(r"\(?([\d.]+) ?([kMGT]?)\)?", text)
    if count is None:
        longest = max(map(float, text.split("x")))
        return longest, longest
    value = float(count[1]) * POWERS[count[2]]
    rounding = 0.005 * POWERS[count[2]] if count[2] else 0.0
    return value - rounding, value + rounding


@pytest.mark.parametrize("name", [*SMALLEST, UNET, BRANCHES, DENSE, TWO])
def test_profiles_are_sound_and_bars_to_scale(name: str) -> None:
    """Each bar of a profile is as long as the figure beside it says, on one scale a chart."""
    profile = drawing.to_svg(loaded(name), style="profile")
    sound(profile)
    root = read(profile)
    charts = [group for group in root.iter(f"{SVG}g") if group.get("class") == "chart"]
    assert len(charts) == 4
    for chart in charts:
        # lengths, and the least and most of what they stand for
        lengths: list[tuple[float, float, float]] = []
        rows, mark = (group for group in chart.findall(f"{SVG}g"))
        long, arrow = 0.0, False
        for item in rows:
            if item.tag == f"{SVG}rect":
                long = float(item.get("width", "nan"))
            elif item.tag == f"{SVG}g":
                arrow = True
            else:
                words = item.text or ""
                assert arrow == (words == "everywhere")
                if re.search(r"\d", words):
                    lengths.append((long, *said(words)))
                else:
                    assert not long, words
                long, arrow = 0.0, False
        assert lengths or "everywhere" in [text.text for text in rows.iter(f"{SVG}text")]
        head = [text.text for text in chart.findall(f"{SVG}text")]
        axis = chart.find(f"{SVG}path")
        assert axis is not None
        if head[0] == "receptive field" and "positions" not in (head[1] or ""):
            extent = max(map(int, re.findall(r"\d+", head[1] or "")))
            origin, *places = (float(path.get("d", "")[1:].split(",")[0]) for path in (axis, *mark))
            lengths += [(place - origin, extent, extent) for place in places]
        # a length is drawn to a tenth of a point, and is a tenth at least
        scales = [
            ((long - 0.15) / most, (long + 0.15) / least if long > 0.1 else float("inf"))
            for long, least, most in lengths
            if least
        ]
        for long, least, _ in lengths:
            assert bool(long) == bool(least)
        assert max((low for low, _ in scales), default=0) <= min((high for _, high in scales), default=1)


@pytest.mark.parametrize(
    ("shape", "step", "label"),
    [
        ("4x16", "max_pool(2)", "2 max_pool, /2"),
        ("4x16", "max_pool((3,), stride=(2,))", "3 max_pool, /2"),
        ("4x16", "conv(8, 3, dilation=(2,))", "3 conv, 8, dilation 2"),
        ("4x16x16", "max_pool((2, 2))", "2x2 max_pool, /2"),
        ("4x16x16", "max_pool((2, 1))", "2x1 max_pool, /2x1"),
        ("4x16x16", "max_pool((1, 2), stride=1)", "1x2 max_pool"),
        ("4x16x16", "conv(8, (1, 3), stride=(1, 2), dilation=(1, 3))", "1x3 conv, 8, /1x2, dilation 1x3"),
        ("4x16x16", "conv(8, 3, stride=(2, 2), dilation=(2, 2))", "3x3 conv, 8, /2, dilation 2"),
        ("4x16x16", "max_pool(3, stride=(2, 1))", "3x3 max_pool, /2x1"),
        ("4x8x16x16", "max_pool((2, 1, 2))", "2x1x2 max_pool, /2x1x2"),
        ("4x8x16x16", "max_pool((1, 2, 2))", "1x2x2 max_pool, /1x2x2"),
        ("4x8x16x16", "max_pool(2)", "2x2x2 max_pool, /2"),
        ("4x8x16x16", "avg_pool(3, stride=(2, 3, 4))", "3x3x3 avg_pool, /2x3x4"),
        ("4x8x16x16", "conv(8, 3, stride=(2, 2, 1))", "3x3x3 conv, 8, /2x2x1"),
        ("4x8x16x16", "conv(8, 3, dilation=(1, 2, 2))", "3x3x3 conv, 8, dilation 1x2x2"),
        ("4x8x16x16", "conv_transpose(8, 2, stride=(1, 2, 1))", "2x2x2 conv_transpose, 8, /1x2x1"),
        ("4x8x16x16", "subsample((1, 2, 2))", "1x2x2 subsample"),
        ("4x16x16", "adaptive_avg_pool((1, 1))", "adaptive_avg_pool, 1x1"),
    ],
)
def test_labels_name_every_axis_or_one_number_for_all(shape: str, step: str, label: str) -> None:
    (layer,) = archlens.loads(f"input: {shape}\nlayers:\n  - {step}\n").layers
    assert short(layer) == label


@pytest.mark.parametrize("name", ["resnet152", "googlenet_aux", UNET, BRANCHES, DENSE])
@pytest.mark.parametrize("depth", [1, 2, 3, 9])
def test_every_layer_stands_behind_one_box(name: str, depth: int) -> None:
    network = loaded(name)
    found = Plans(network).at(depth)
    assert sorted(layer.name for box in found.boxes for layer in box.behind) == sorted(network.index)
    assert sum(box.params for box in found.boxes) == network.params


# --- folding and bypasses ----------------------------------------------------------------------------


def notes(found: Plan) -> list[str]:
    return [scope.note for scope in found.scopes if scope.note] + [
        line.what for box in found.boxes for line in box.lines if line.what.startswith("x")
    ]


@pytest.mark.parametrize(
    ("name", "depth", "direction"),
    [
        ("deeplabv3_resnet50", 1, "tb"),
        ("inception_v3_no_aux", 2, "tb"),
        (TWO, 9, "tb"),
    ],
)
def test_boxes_are_moved_apart_for_lines(name: str, depth: int, direction: str) -> None:
    svg = drawing.to_svg(loaded(name), depth=depth, direction=direction)
    a_graph(svg)
    # every curve arrives from above, or from the left, and not along the edge of the box
    for path in read(svg).findall(f".//{SVG}g[@class='edge']/{SVG}path[@fill='none']"):
        *_, (x0, y0), (x1, y1) = [
            map(float, pair.split(",")) for pair in re.findall(r"[-\d.]+,[-\d.]+", path.get("d", ""))
        ]
        assert (y1 - y0 if direction == "tb" else x1 - x0) >= 1


@pytest.mark.parametrize("direction", ["tb", "lr"])
def test_many_branches_are_the_teeth_of_a_comb(direction: str) -> None:
    branches = "".join(f"      - conv({i}, 1) >> conv(4, 3, padding=1)\n" for i in range(1, 21))
    network = archlens.loads(f"input: 4x8x8\nlayers:\n  - concat:\n{branches}  - conv(1, 1)\n")
    root = read(drawing.to_svg(network, direction=direction))
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == "edge":
            path = group.findall(f"{SVG}path")[0].get("d", "")
            numbers = [float(number) for number in re.findall(r"[-\d.]+", path)]
            steps = list(zip(numbers[::2], numbers[1::2], strict=True))
            # from corner to corner along an axis; only the corners are round
            assert all(
                abs(a[0] - b[0]) < 0.2 or abs(a[1] - b[1]) < 0.2 or abs(a[0] - b[0]) + abs(a[1] - b[1]) < 15
                for a, b in pairwise(steps)
            ), path


def test_a_picture_is_no_wider_than_what_is_in_it() -> None:
    """Brackets take less room than the curves in whose stead they are."""
    chain = [Link(i, i + 1, False) for i in range(19)]
    around = [Link(i, j, True) for i in range(0, 18, 2) for j in range(i + 3, 20, 2)]
    layout = lay_out(Given([(120.0, 35.0)] * 20, [*chain, *around], [-1] * 20, [], [], 13), "tb")
    across = [x for wire in layout.wires for x, _ in wire.points]
    across += [x for box in layout.boxes for x in (box.x, box.right)]
    assert (min(across), max(across)) == (0, pytest.approx(layout.width))


@pytest.mark.slow
def test_a_long_row_is_placed_to_the_point() -> None:
    """Lines begin and end at their boxes, 180,000 points away."""
    count = 900
    links = [Link(i, i + 1, False) for i in range(count - 1)]
    scopes = [i // 2 for i in range(count)]
    pads = [Pads()] * (count // 2)
    layout = lay_out(Given([(190.0, 30.0)] * count, links, scopes, [-1] * (count // 2), pads, 13), "lr")
    for wire in layout.wires:
        (x0, y0), (x1, y1) = wire.points[0], wire.points[-1]
        tail, head = layout.boxes[wire.tail], layout.boxes[wire.head]
        assert (x0, y0) == pytest.approx((tail.right, tail.y + 15), abs=1.2)
        assert (x1, y1) == pytest.approx((head.x, head.y + 15), abs=1.2)


def test_identical_blocks_are_folded_and_counted() -> None:
    """ResNet-152 has 3, 8, 36 and 3 blocks a stage (He et al. 2016, Table 1); the first of each differs."""
    own = ", each with its own weights"
    assert notes(Plans(archlens.load("resnet152")).at()) == [f"x2{own}", f"x7{own}", f"x35{own}", f"x2{own}"]


def test_blocks_that_only_grow_are_folded_as_such() -> None:
    """16 channels and five times 12 more: the fifth layer reads 16 + 4 * 12 = 64."""
    found = Plans(archlens.loads(DENSE)).at()
    assert notes(found) == ["x5, each with its own weights; input 16 to 64 channels"]


def test_without_weights_none_are_claimed() -> None:
    text = "{input: 1x64, blocks: {b: [relu, tanh, {add: [relu, tanh]}]}, layers: ['b * 4']}"
    assert notes(Plans(archlens.loads(text)).at()) == ["x4"]


@pytest.mark.parametrize(
    ("layers", "boxes"),
    [
        (["conv(4, 3, padding=1) * 3"], 3),  # single layers are folded from four on
        (["conv(4, 3, padding=1) * 4"], 1),
        (["(conv(4, 3, padding=1) >> relu) * 5"], 1),
        (["conv(4, 3, padding=1)", "conv(4, 5, padding=2)"] * 2, 4),
        (["conv(4, 3, padding=1)", "conv(4, 5, padding=2)"] * 6, 2),
        (["conv(4, 3, padding=1) * 6", {"add": ["ref('2')", "identity"]}], 7),  # one in between is read
    ],
)
def test_single_layers_fold(layers: list[Any], boxes: int) -> None:
    import json

    network = archlens.loads(json.dumps({"input": "4x8x8", "layers": layers}))
    found = [box for box in Plans(network).at().boxes if box.kind == "layers"]
    assert len(found) == boxes
    assert sum(len(box.behind) for box in found) == len(network)


def test_a_block_that_is_read_from_elsewhere_is_not_folded_away() -> None:
    text = """
input: 4x8x8
blocks:
  two(): ["conv(4, 1)", "conv(4, 3, padding=1)"]
layers:
  - a: two
  - b: two
  - c: two
  - add: [ref(b), identity]
"""
    found = Plans(archlens.loads(text)).at()
    assert notes(found) == ["x2, each with its own weights"]  # a and b; c would take b's reader away
    assert [scope.name for scope in found.scopes] == ["a..b", "c"]


def test_captions_count_what_stages_of_many_slabs_show() -> None:
    convs = "conv(4, 1) >> conv(4, 3, padding=1) * 7"
    assert captions(f"{{input: 4x8x8, layers: ['{convs}', max_pool(1), 'conv(4, 1) * 2']}}")[1:] == [
        ["1x1 conv, 4", "7 x 3x3 conv, 4", "1x1 max_pool to 8²"],
        ["2 x 1x1 conv, 4"],
    ]
    more = "conv(4, 5, padding=2) * 2 >> conv(4, 7, padding=3)"
    several = captions(f"{{input: 4x8x8, layers: ['{convs} >> {more}']}}")[1]
    assert several == ["1x1 conv, 4", "7 x 3x3 conv, 4", "2 x 5x5 conv, 4", "and 1 more"]
    row = captions("{input: 4x8, layers: ['conv(4, 3, padding=1) * 2']}")[1]
    assert row == ["2 x (3 conv, 4)", "4x8"]


def volumes(spec: str, **options: Any) -> tuple[list[drawn.Group], list[str]]:
    """The stages of volumes, and all words."""
    network = archlens.loads(spec) if "{" in spec else archlens.load(spec)
    found = list(drawn.walk(Request(network, "volumes", **options).picture.items))
    stages = [one for one in found if isinstance(one, drawn.Group) and one.kind == "node"]
    return stages, [one.text for one in found if isinstance(one, drawn.Text)]


def fronts(stage: drawn.Group) -> list[tuple[float, float, str]]:
    """Width, height and colour of the fronts of a stage, those of bands and of parts among them."""
    found = []
    for path in stage.items:
        if isinstance(path, drawn.Path) and path.closed:
            across, down = zip(path.start, *(step[-1] for step in path.steps), strict=True)
            if len({*across}) == len({*down}) == 2:
                found.append((max(across) - min(across), max(down) - min(down), path.fill))
    return found


@pytest.mark.parametrize(("scale", "half"), [("linear", 0.5), ("sqrt", 0.5**0.5), ("log", 5.044 / 6.022)])
def test_sides_of_volumes_grow_as_is_asked_for(scale: str, half: float) -> None:
    """A map of 64 positions and one of 32; log2(33) is 5.044, and log2(65) 6.022."""
    stages, words = volumes("{input: 8x64x64, layers: ['conv(8, 2, stride=2)']}", scale=scale)
    (_, whole, _), (_, less, _) = (fronts(stage)[0] for stage in stages)
    assert less / whole == pytest.approx(half, abs=1e-3)
    assert any(
        {"linear": "to scale", "sqrt": "square root", "log": "logarithm of the size"}[scale] in one
        for one in words
    )
    with pytest.raises(UsageError, match="there is no scale cubic"):
        volumes("lenet5", scale="cubic")


def test_no_volume_is_a_hairline() -> None:
    """A point is 11 / 9.5 pixels on a screen."""
    for name in ("resnet50", "vgg16", "convnext_tiny"):
        stages, _ = volumes(name, scale="linear")
        assert min(high for stage in stages for _, high, _ in fronts(stage)) * 11 / 9.5 >= 14


def test_pooling_stands_with_what_it_pools_and_activations_are_bands() -> None:
    net = "{input: 3x32x32, layers: ['conv(8, 3, padding=1) >> relu', 'conv(8, 3, padding=1)', max_pool(2)]}"
    (_, stage), words = volumes(net)
    assert [round(wide) == 3 for wide, _, _ in fronts(stage)] == [False, True, False, False]
    assert "2x2 max_pool to 16²" in words


def test_parts_of_what_is_concatenated_have_two_colours() -> None:
    net = "{input: 3x32x32, layers: [{a: 'conv(8, 3, padding=1)'}, {concat: ['conv(24, 1)', identity]}]}"
    stages, words = volumes(net)
    last = fronts(stages[-1])[-2:]
    assert last[0][0] == pytest.approx(3 * last[1][0])
    assert last[0][2] != last[1][2]
    assert "what came around" in words


def test_blocks_have_bows_for_what_goes_around_in_them_and_colours_of_their_own() -> None:
    for name, kind, into in (
        ("resnet50", "bottleneck", "bypass into add"),
        ("densenet121", "dense_layer", "bypass into concat"),
        ("convnext_tiny", "ConvNeXt block", "bypass into add"),
    ):
        stages, words = volumes(name)
        curves = [
            item
            for stage in stages
            for item in stage.items
            if isinstance(item, drawn.Path) and len(item.steps[0]) == 3
        ]
        assert curves
        assert {kind, into} <= {*words}
    plain, _ = volumes("vgg16")
    assert all(
        len(item.steps[0]) == 1 for stage in plain for item in stage.items if isinstance(item, drawn.Path)
    )


@pytest.mark.parametrize("name", ["unet", "segnet"])
def test_encoder_and_decoder_stand_as_a_u(name: str) -> None:
    """What goes across is level, and what flows down or up is straight or turns once."""
    for fit in ("readme", "column", "slide"):
        request = Request(archlens.load(name), "volumes", fit=fit)
        edges = [
            one
            for one in drawn.walk(request.picture.items)
            if isinstance(one, drawn.Group) and one.kind == "edge"
        ]
        lines = [
            item for edge in edges for item in edge.items if isinstance(item, drawn.Path) and not item.closed
        ]
        ends = [(one.start, one.steps[-1][-1]) for one in lines]
        across = [(a, b) for (a, b), one in zip(ends, lines, strict=True) if one.thickness > 1.5]
        assert len(across) == {"unet": 4, "segnet": 5}[name]
        assert all(a[1] == pytest.approx(b[1]) and a[0] < b[0] for a, b in across)
        assert len({round(a[1]) for a, _ in across}) == len(across)
        straight = [a[0] == pytest.approx(b[0]) for a, b in ends if abs(a[1] - b[1]) > 1]
        assert straight.count(False) <= 2  # into the bottom, and out of it


@pytest.mark.parametrize("fit", ["readme", "column", "slide"])
def test_what_is_scored_on_the_way_across_stands_between_encoder_and_decoder(fit: str) -> None:
    """FCN-8s scores the third and the fourth pooling, each level with what it is added to, and lower."""
    picture = Request(archlens.load("fcn8s"), "volumes", fit=fit).picture
    captioned(to_bytes(Request(archlens.load("fcn8s"), "volumes", fit=fit), "svg").decode())
    nodes = [one for one in drawn.walk(picture.items) if isinstance(one, drawn.Group) and one.kind == "node"]

    def left(name: str) -> float:
        """Where the stage begins that a layer stands in."""
        (node,) = [one for one in nodes if re.search(rf"^{name}[.:]", one.title, re.MULTILINE)]
        return min(one.start[0] for one in node.items if isinstance(one, drawn.Path))

    edges = [one for one in drawn.walk(picture.items) if isinstance(one, drawn.Group) and one.kind == "edge"]
    lines = [
        item for edge in edges for item in edge.items if isinstance(item, drawn.Path) and not item.closed
    ]
    ends = [(one.start, one.steps[-1][-1]) for one in lines]
    heights = []
    for pool in "34":
        between, last = left(f"score_pool{pool}"), left(f"fuse_pool{pool}")
        assert left(f"conv{pool}_1") < between < last
        into = [a for a, b in ends if a[1] == b[1] and b[0] == pytest.approx(between)]
        onward = [a for a, b in ends if a[1] == b[1] and b[0] == pytest.approx(last) and a[0] > between]
        assert len(into) == len(onward) == 1
        assert into[0][1] == onward[0][1]
        heights.append(into[0][1])
    assert heights[0] < heights[1]


#: Two branches, of which one has branches of different lengths in it, the short one first.
NESTED = """
input: 3x32x32
layers:
  - stem: conv(8, 3, padding=1)
  - concat:
      - (conv(8, 3, padding=1) >> max_pool(3, stride=1, padding=1)) * 3
      - add:
          - conv(8, 1)
          - conv(8, 3, padding=1) >> max_pool(3, stride=1, padding=1) >> conv(8, 1)
"""


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("deeplab_v2_resnet101", None),
        ("googlenet_aux", None),
        ("inception_v3", 2),
        ("googlenet", 2),
        ("nasnet_a_mobile", 2),
        ("ssd300_vgg16", 3),
        ("nested", None),
    ],
)
def test_lines_of_volumes_run_through_no_words_and_no_slab(name: str, depth: int | None) -> None:
    """Those between rows turn in the space between two columns; those along a row have it for themselves."""
    network = archlens.loads(NESTED) if name == "nested" else archlens.load(name)
    items = Request(network, "volumes", depth=depth, fit="1330px").picture.items
    groups = [item for item in drawn.walk(items) if isinstance(item, drawn.Group)]
    areas: list[tuple[float, float, float, float]] = []
    lines: list[tuple[drawn.Point, drawn.Point]] = []
    for group in groups:
        for item in group.items:
            if group.kind == "caption" and isinstance(item, drawn.Rect):
                areas.append((item.x, item.y, item.x + item.width, item.y + item.height))
            elif group.kind == "node" and isinstance(item, drawn.Path) and item.closed:
                corners = [item.start, *(step[-1] for step in item.steps)]
                across, down = zip(*corners, strict=True)
                if len({*across}) == len({*down}) == 2:  # a front
                    areas.append((min(across) + 0.1, min(down) + 0.1, max(across) - 0.1, max(down) - 0.1))
            elif group.kind == "edge" and isinstance(item, drawn.Path):
                lines += pairwise([item.start, *(step[-1] for step in item.steps)])
    assert any(abs(before[1] - after[1]) > 40 and before[0] == after[0] for before, after in lines)
    for (x0, y0), (x1, y1) in lines:
        for left, top, right, low in areas:
            if max(x0, x1) <= left or right <= min(x0, x1) or max(y0, y1) <= top or low <= min(y0, y1):
                continue
            for part in range(201):
                x, y = x0 + (x1 - x0) * part / 200, y0 + (y1 - y0) * part / 200
                assert not (left < x < right and top < y < low)


@pytest.mark.parametrize(
    ("name", "fit", "said"),
    [
        ("ddpm_cifar10", "column", "temb flows into 8 more boxes than that to which its line leads."),
        ("ddpm_cifar10", "readme", "temb flows into 8 more boxes than that to which its line leads."),
        ("ddpm_cifar10", "slide", "temb flows into 8 more boxes than that to which its line leads."),
        ("hrnet_w18", "column", "from stage3"),
        ("yolov4", "column", "from down4"),
    ],
)
def test_no_words_of_volumes_run_into_others(name: str, fit: str, said: str) -> None:
    """DDPM as a U, and HRNet in lines: what goes on in further ones is named, with room for each name."""
    picture = Request(archlens.load(name), "volumes", fit=fit).picture
    texts = [item for item in drawn.walk(picture.items) if isinstance(item, drawn.Text)]
    words = [text.text for text in texts]
    assert said in words
    assert "from temb" not in words
    areas = [extent_of(text) for text in texts]
    for (one, a), (other, b) in combinations(zip(words, areas, strict=True), 2):
        apart = 1.5 if one.isdigit() and other.isdigit() else 0.0
        over = min(a[2], b[2]) - max(a[0], b[0]) + apart, min(a[3], b[3]) - max(a[1], b[1])
        assert min(over) <= 0.1, (one, other)


@pytest.mark.parametrize("fit", ["column", "page", "readme", "slide"])
def test_volumes_with_a_further_input_and_several_ways_across_are_a_u(fit: str) -> None:
    """Ho et al. 2020: each resolution of DDPM's decoder reads the maps of its own and the one beneath."""
    request = Request(archlens.load("ddpm_cifar10"), "volumes", fit=fit)
    artist = volumes_chosen(request)[0].artist(request)
    valley, stages = artist.valley, artist.stages
    assert valley is not None
    called = [stage.boxes[0].name for stage in stages]
    sides, bottom = valley.sides()
    assert [([called[i] for i in a], [called[i] for i in b]) for a, b in sides] == [
        (["image", "conv_in", "down_0"], ["up_1"]), (["down_1"], ["up_2"]), (["down_2"], ["up_3"]),
    ]  # fmt: skip
    assert [called[i] for i in bottom] == ["down_3", "mid"]
    assert [called[i] for i in valley.aside] == ["time", "temb"]
    assert sorted((called[a], called[b]) for a, b in valley.further) == [
        ("conv_in", "up_1"), ("down_1", "up_1"), ("down_2", "up_2"), ("down_3", "up_3"),
    ]  # fmt: skip
    for left, right in sides:  # each level on a line, and what lies in the middle there
        assert len({round(stages[i].y) for i in (left[-1], right[0])}) == 1
    # the line from what stands aside turns where neither a map nor words are
    before, goal = stages[called.index("conv_in")], stages[called.index("down_0")]
    turn = artist.entry(goal)[0] - 13
    assert max(artist.right(before), artist.middle(before) + artist.half(before)) < turn
    start, end = artist.middle(stages[sides[-1][0][-1]]), artist.middle(stages[sides[-1][1][0]])
    assert start < artist.middle(stages[bottom[0]]) < artist.middle(stages[bottom[1]]) < end
    middle = sum(artist.middle(stages[i]) for i in bottom) / 2
    assert abs(middle - (start + end) / 2) < 25


def test_lines_above_volumes_are_as_low_as_they_can_be() -> None:
    """Each cell of NASNet reads the two before it, so that two heights are enough for all of them."""
    request = Request(archlens.load("nasnet_a_mobile"), "volumes", fit="slide")
    artist = Artist(request, request.plans.at(1), stages_of(request.plans.at(1)), 96.0, 3)
    assert len(artist.jumps()) > 10
    for number in {*artist.line.values()}:
        columns = [column for column, line in artist.line.items() if line == number]
        assert {*artist.storeys(columns).values()} <= {0, 1}


def test_volumes_say_what_runs_in_training_only() -> None:
    """A head of the same shape is no further slab of what it reads."""
    net = "{input: 4x8x8, layers: [a: 'conv(4, 1)'], outputs: {aux: {training: [b: 'conv(4, 1)']}}}"
    assert captions(net)[1:] == [
        ["a", "1x1 conv, 4"],
        ["aux.b", "1x1 conv, 4", "in training only"],
    ]


def captions(spec: str) -> list[list[str | None]]:
    """What stands beneath the stages of volumes."""
    root = read(drawing.to_svg(archlens.loads(spec), style="volumes"))
    groups = [group for group in root.iter(f"{SVG}g") if group.get("class") == "caption"]
    return [[text.text for text in group.iter(f"{SVG}text")] for group in groups]


def test_what_is_read_by_two_shares_its_box_with_neither() -> None:
    text = "{input: 4x8x8, layers: [{a: 'conv(4, 1)'}, relu, {add: [ref(a), identity]}]}"
    found = Plans(archlens.loads(text)).at()
    assert [[line.name for line in box.lines] for box in found.boxes] == [["input"], ["a"], ["relu"], ["add"]]
    assert [edge.bypass for edge in found.edges] == ["", "", "add", ""]


def test_bypasses() -> None:
    """ResNet-18 has two blocks a stage; those without a projection go around: 2 + 1 + 1 + 1, two folded."""
    kinds = [edge.bypass for edge in Plans(archlens.load("resnet18")).at().edges if edge.bypass]
    assert kinds == ["add"] * 4
    dense = [(edge.bypass, edge.grows) for edge in Plans(archlens.loads(DENSE)).at().edges if edge.bypass]
    assert dense == [("concat", True)]
    skips = [(edge.bypass, edge.grows) for edge in Plans(archlens.loads(UNET)).at(1).edges if edge.bypass]
    assert skips == [("concat", True)] * 2
    inside = {edge.bypass for edge in Plans(archlens.loads(BRANCHES)).at().edges}
    assert inside == {"", "add", "multiply"}  # branches of an inception module go around nothing


def test_bypasses_look_different() -> None:
    for text, dashed in ((BRANCHES, False), (DENSE, True)):
        paths = list(read(drawing.to_svg(loaded(text), depth=9)).iter(f"{SVG}path"))
        thick = [path for path in paths if path.get("stroke-width") == "1.8"]
        assert thick
        assert all(bool(path.get("stroke-dasharray")) == dashed for path in thick)


def test_depth() -> None:
    network = archlens.load("resnet50")
    assert [len(Plans(network).at(depth).boxes) for depth in (1, 2)] == [1 + 2 + 4 + 3, 1 + 2 + 8 + 3]
    assert len(Plans(network).at().boxes) <= PAGE


# --- text, colours, formats ---------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "file"), [(REGULAR, REGULAR_FILE), (BOLD, BOLD_FILE)])
def test_widths_are_those_of_the_font(table: dict[int, str], file: Path) -> None:
    from reportlab.pdfbase.ttfonts import TTFontFile

    widths = TTFontFile(str(file)).charWidths
    for expected, characters in table.items():
        for character in characters:
            assert abs(widths[ord(character)] - expected) <= 1, character


def test_fitted_text_fits() -> None:
    for most in (5.0, 30.0, 80.0, 500.0):
        for text in ("conv1", "a_rather_long_name_of_a_layer" * 40, "日本" * 50, ""):
            found = fitted(text, 11, most, bold=True)
            assert width(found, 11, bold=True) <= most + 0.01 or found == "…"
            assert found == text or "…" in found
    assert not is_known("日本")


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(color: str, ground: str) -> float:
    """The contrast ratio of two colours, from 1 to 21 (WCAG 2.1, section 1.4.3)."""
    lighter, darker = sorted((luminance(color), luminance(ground)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=str)
def test_text_is_read_on_every_ground(theme: Any) -> None:
    """WCAG 2.1, 1.4.3: a contrast of 4.5 for text; of 3 for lines that carry meaning (1.4.11)."""
    grounds = [theme.background, theme.box, *theme.scopes]
    for ground in [*grounds, *map(theme.tint, [*FAMILIES, "something new"])]:
        assert contrast(theme.text, ground) >= 4.5
    for ground in grounds:
        assert contrast(theme.muted, ground) >= 4.5
        for color in (theme.line, theme.residual, theme.dense, theme.failed):
            assert contrast(color, ground) >= 3


#: Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency",
#: IEEE Transactions on Visualization and Computer Graphics 15, 6 (2009): over linear RGB, severity 1.
EYES = {
    "any": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "without red": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "without green": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "without blue": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def seen(color: str, eyes: str) -> tuple[float, float, float]:
    """A colour in CIE 1976 L*a*b* under D65, as these eyes see it."""
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    r, g, b = (min(max(sum(a * x for a, x in zip(row, linear, strict=True)), 0.0), 1.0) for row in EYES[eyes])
    x, y, z = (
        share ** (1 / 3) if share > (6 / 29) ** 3 else share / (3 * (6 / 29) ** 2) + 4 / 29
        for share in (
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("theme", THEMES.values(), ids=str)
def test_families_are_told_apart_by_any_eyes(theme: Any, eyes: str) -> None:
    places = {family: seen(theme.color(family), eyes) for family in FAMILIES}
    for (one, a), (other, b) in combinations(places.items(), 2):
        assert sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5 >= 8, (one, other)


@pytest.mark.parametrize("palette", PALETTES)
@pytest.mark.parametrize("name", THEMES)
def test_outlines_are_told_from_their_ground(name: str, palette: str) -> None:
    """WCAG 2.1, 1.4.11: a contrast of 3 for what has to be seen; 1.4.3: of 4.5 for text."""
    theme = theme_of(name, palette)
    for family in [*FAMILIES, "something new"]:
        assert contrast(theme.color(family), theme.background) >= 3
        assert contrast(theme.text, theme.tint(family)) >= 4.5
    for ground in (theme.background, theme.box, *theme.scopes):
        assert contrast(theme.border, ground) >= 3
        assert contrast(theme.residual, ground) >= 3
        assert contrast(theme.dense, ground) >= 3


def test_greys_are_grey() -> None:
    svg = drawing.to_svg(archlens.load("resnet18"), palette="greys", depth=3)
    colors = set(re.findall(r"#\w{6}", svg)) - {*vars(THEMES["light"]).values()} - {*THEMES["light"].scopes}
    assert len(colors) > 5
    assert all(color[1:3] == color[3:5] == color[5:] for color in colors), colors
    with pytest.raises(UsageError, match="there is no palette gray"):
        drawing.to_svg(archlens.load("lenet5"), palette="gray")


def test_an_unnamed_layer_is_headed_by_what_it_is() -> None:
    svg = drawing.to_svg(archlens.load("unet"))
    boxes = {box.title.splitlines()[0].partition(":")[0]: box for box in nodes(read(svg))}
    assert [text.text for text in boxes["max_pool"].texts][:1] == ["2x2 max_pool, /2"]
    stages = drawing.to_svg(archlens.load("resnet50"), depth=2)
    blocks = {box.title.partition(":")[0]: [text.text for text in box.texts] for box in nodes(read(stages))}
    assert blocks["layer1.0"][:2] == ["bottleneck", "0"]
    assert blocks["layer3.1..5"][:2] == ["bottleneck", "1..5"]
    assert [is_position(name) for name in ("0", "18.0", "1..5", "3.0..3.4")] == [True] * 4
    assert [is_position(name) for name in ("", "conv1", "down.0", "0.conv", "a..b", "..")] == [False] * 6
    # what follows a layer is said so too, and names stay where there are some
    assert blocks["conv1"] == ["conv1", "7x7 conv, 64, /2", "bn1", "batch_norm", "relu"]
    terse = drawing.to_svg(archlens.load("resnet50"), depth=2, fit="column")
    assert "5 x bottleneck" in [text.text for text in read(terse).iter(f"{SVG}text")]


def test_each_picture_of_a_page_has_a_name_of_its_own() -> None:
    network = archlens.load("lenet5")
    names = [read(drawing.to_svg(network, style=style)).get("aria-label") for style in ANY_STYLE]
    assert len(set(names)) == len(names)
    assert all(name and name.startswith("LeNet-5: ") for name in names)
    hostile = read(drawing.to_svg(loaded(HOSTILE)))
    assert (hostile.get("aria-label") or "").startswith("<b>A & 'B' ünï 日本</b> t")


def test_two_pictures_of_one_network_are_told_apart() -> None:
    """By what was asked for, so that those who do not see them know which is which."""
    network = archlens.load("resnet18")
    asked: list[dict[str, Any]] = [
        {},
        {"depth": 1},
        {"depth": 2},
        {"direction": "lr"},
        {"direction": "tb"},
        {"labels": ("params",)},
        {"labels": ("params", "macs")},
        {"fit": "column"},
        {"fit": "500px"},
        {"font_size": 14},
        {"palette": "greys"},
        {"bare": True},
        {"ground": "none"},
        {"heat": "macs"},
        {"depth": 1, "direction": "lr"},
    ]
    for style in ("graph", "stages"):
        names = [
            read(drawing.to_svg(network, style=style, **options)).get("aria-label")
            for options in asked
            if style == "graph" or "heat" not in options
        ]
        assert len(set(names)) == len(names)
    scales = {read(drawing.to_svg(network, style="volumes", scale=one)).get("aria-label") for one in SCALES}
    assert len(scales) == len(SCALES) == 3


def test_bare_and_without_ground() -> None:
    network = archlens.load("resnet18")
    whole = read(drawing.to_svg(network))
    bare = read(drawing.to_svg(network, bare=True))
    said = {text.text for text in whole.iter(f"{SVG}text")} - {text.text for text in bare.iter(f"{SVG}text")}
    assert {"ResNet-18", "convolution"} <= said
    assert not [group for group in bare.iter(f"{SVG}g") if group.get("class") == "key"]
    for style in style_names():
        with_ground = drawing.to_svg(network, style=style)
        without = drawing.to_svg(network, style=style, ground="none")
        assert with_ground.count('fill="#ffffff"') > without.count('fill="#ffffff"') == 0
    png = to_bytes(Request(network, ground="none", bare=True), "png")
    assert png[25] == 6  # red, green, blue and alpha
    assert 'bgcolor="transparent"' in dot.to_dot(Request(network, ground="none"))


def test_a_new_family_has_a_colour_of_its_own_that_stays() -> None:
    light = THEMES["light"]
    assert light.color("quantum") == light.color("quantum")
    assert light.color("quantum") not in FAMILIES.values()


def test_every_family_of_ops_has_a_colour() -> None:
    from archlens.ops.op import registry

    assert {op.family for op in registry.values()} <= FAMILIES.keys()


def test_png() -> None:
    content = to_bytes(Request(archlens.load("lenet5")), "png")
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    picture = Request(archlens.load("lenet5")).picture
    # twice as many pixels as it is shown with
    assert abs(int.from_bytes(content[16:20], "big") - 2 * picture.width * picture.scale) <= 1


def test_png_has_no_font_of_the_machine_unless_characters_are_missing(monkeypatch: Any) -> None:
    import resvg_py

    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **options: asked.append(options) or b"")
    for name in ("lenet5", HOSTILE):
        to_bytes(Request(loaded(name)), "png")
    assert [options["skip_system_fonts"] for options in asked] == [True, False]
    assert all(str(REGULAR_FILE) in options["font_files"] for options in asked)


def test_pdf() -> None:
    content = to_bytes(Request(archlens.load("lenet5"), style="volumes"), "pdf")
    assert content.startswith(b"%PDF-")
    assert b"ArchlensSans" in content
    assert b"/Image" not in content.replace(b"/ImageB /ImageC /ImageI", b"")  # vectors, and not a photograph


def fonts(content: bytes) -> dict[bytes, bytes]:
    """The fonts of a PDF by the names that its page gives them, each with its file; empty for none."""
    objects = {
        int(number): inside for number, inside in re.findall(rb"\n(\d+) 0 obj(.*?)endobj", content, re.DOTALL)
    }
    (listed,) = re.findall(rb"/Resources <<\s*/Font (\d+) 0 R", content)
    found = {}
    for name, number in re.findall(rb"/(F\S+) (\d+) 0 R", objects[int(listed)]):
        descriptor = re.search(rb"/FontDescriptor (\d+) 0 R", objects[int(number)])
        file = descriptor and re.search(rb"/FontFile2 (\d+) 0 R", objects[int(descriptor[1])])
        found[name] = objects[int(file[1])] if file else b""
    return found


@pytest.mark.parametrize("name", ["lenet5", BRANCHES, TWO, HOSTILE, "chart"])
@pytest.mark.parametrize("style", ANY_STYLE)
def test_every_font_of_a_pdf_is_within_it(name: str, style: str) -> None:
    """IEEE's, ACM's and others' checks of camera-ready papers refuse a font that is not."""
    drawn = chart() if name == "chart" else Request(loaded(name), style)
    content = to_bytes(drawn, "pdf")
    found = fonts(content)
    assert found
    assert all(len(file) > 1000 for file in found.values())
    assert content.count(b"/Type /Font ") == len(found)
    (page,) = re.findall(rb"/Contents (\d+) 0 R", content)
    stream = re.search(rb"\n%s 0 obj.*?stream\r?\n(.*?)endstream" % page, content, re.DOTALL)
    assert stream
    # of the 14 fonts that every reader has none is set, not even before the first text
    text = zlib.decompress(base64.a85decode(b"<~" + stream[1].strip(), adobe=True))
    assert set(re.findall(rb"/(F\S+) [\d.]+ Tf", text)) == found.keys()


@pytest.mark.parametrize("style", ANY_STYLE)
@pytest.mark.parametrize("name", ["lenet5", HOSTILE])
def test_tex(name: str, style: str) -> None:
    text = tex.to_tex(Request(loaded(name), style=style).picture)
    body = text.replace(r"\{", "").replace(r"\}", "")
    assert body.count("{") == body.count("}")
    assert text.count(r"\begin{tikzpicture}") == text.count(r"\end{tikzpicture}") == 1
    assert set(re.findall(r"(?:fill|draw|text)=(\w+)", text)) == set(re.findall(r"definecolor{(\w+)}", text))
    drawn = [line for line in text.splitlines() if line.startswith((r"\path", r"\node"))]
    assert all(line.endswith(";") for line in drawn)
    point = r"\(-?[\d.]+,-?[\d.]+\)"
    step = rf"(?:-- {point}|-- cycle|\.\. controls {point} and {point} \.\. {point}|rectangle {point})"
    for line in drawn:
        if line.startswith(r"\path"):
            assert re.fullmatch(rf"\\path\[[^\]]+\] {point}(?: {step})+;", line), line
        else:
            assert re.fullmatch(rf"\\node\[[^\]]+\] at {point} {{.*}};", line), line
    # what is special to TeX is only ever written by us
    words = re.findall(r"\\selectfont(?:\\bfseries)? (.*)};$", text, re.MULTILINE)
    assert words
    for word in words:
        bare = re.sub(r"\\(?:text\w+|ldots){}|\\[{}$&#%_]|{-}", "", word)
        assert not set(bare) & set("\\{}$&#%_^~<>|\"'`"), word
    # and what pdfLaTeX may not know has a stand-in
    unknown = {c for word in words for c in word if ord(c) > 0xFF}
    assert set(re.findall(r"detokenize{(.)}", text)) == unknown
    assert all(f"DeclareUnicodeCharacter{{{ord(c):04X}}}" in text for c in unknown)


@pytest.mark.parametrize("name", ["resnet18", "googlenet_aux", UNET, HOSTILE])
def test_dot_is_read_by_graphviz(name: str) -> None:
    from pygraphviz import AGraph

    request = Request(loaded(name))
    graph = AGraph(string=dot.to_dot(request))
    plan, _ = shown(request)
    assert len(graph.nodes()) == len(plan.boxes)
    assert len(graph.edges()) == len(plan.edges)
    root = read(graph.draw(format="svg", prog="dot").decode())
    texts = {(text.text or "").replace("\xa0", " ") for text in root.iter(f"{SVG}text")}
    for box in plan.boxes:
        for line in box.lines:
            if len(line.name) <= 50:
                assert " ".join(word for word in (line.name, line.what) if word) in texts


def test_formats_of_text_say_why_a_layer_failed_and_what_runs_in_training_only() -> None:
    why = "its 9x9 window is larger than its 8x8 input"
    assert rf'label="conv2 conv(16, 9)\n{why}" fillcolor' in dot.to_dot(partial())
    assert f'["conv2 conv(16, 9)<br/>{why}"]' in mmd.to_mermaid(partial())
    request = Request(archlens.load("googlenet_aux"))
    training = [f"n{box.id}" for box in shown(request)[0].boxes if box.training]
    lines = mmd.to_mermaid(request).splitlines()
    at = next(i for i, line in enumerate(lines) if line.endswith(" stroke-dasharray:3 2"))
    assert training
    assert lines[at + 1].split()[1] == ",".join(training)


@pytest.mark.parametrize("name", ["resnet18", "googlenet_aux", UNET, HOSTILE])
def test_mermaid(name: str) -> None:
    """Line by line the grammar that GitHub's Mermaid reads: no word stands outside quotes, none ends them."""
    request = Request(loaded(name))
    head, *lines = mmd.to_mermaid(request).splitlines()
    assert head == "flowchart TB"
    text = r'"[^"<>:;{}`\\|@$]*(?:<br/>[^"<>:;{}`\\|@$]*)*"'
    entities = r"(?:#\d+;)"
    forms = [
        rf"n\d+(?:\(\[{text}\]\)|\[{text}\])",
        rf"n\d+ (?:-->|==>|-\.->)\|{text}\| n\d+",
        rf"subgraph s\d+\[{text}\]",
        "end",
        r"linkStyle \d+ stroke:#\w{6}",
        r"classDef c\d+ fill:#\w{6},stroke:#\w{6}(?:,stroke-width:2px)?,color:#\w{6}",
        r"classDef c\d+ stroke-dasharray:3 2",
        r"class n\d+(?:,n\d+)* c\d+",
    ]
    for line in lines:
        bare = re.sub(entities, "", line.strip())
        assert any(re.fullmatch(form, bare) for form in forms), line
    assert sum(line.strip() == "end" for line in lines) == len(shown(request)[0].scopes)
    assert sum(" n" in line and "|" in line for line in lines) == len(shown(request)[0].edges)


SAME = """
import sys, archlens, hashlib
from archlens.drawing import Request, extensions, style_names, to_bytes
for name in ("resnet18", "googlenet_aux"):
    for extension in extensions():
        for style in style_names() if extension not in ("dot", "mmd") else ["graph"]:
            content = to_bytes(Request(archlens.load(name), style=style, theme="dark"), extension)
            print(name, extension, style, hashlib.sha256(content).hexdigest())
"""


@pytest.mark.slow
def test_the_same_bytes_whatever_the_process() -> None:
    found = set()
    for seed in ("1", "2"):
        environment = os.environ | {
            "PYTHONHASHSEED": seed,
            "FONTCONFIG_FILE": os.devnull,
            "TZ": f"UTC-{seed}",
        }
        run = [sys.executable, "-W", "error", "-c", SAME]
        result = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)
        assert result.stderr == ""
        found.add(result.stdout)
    assert len(found) == 1


def test_text_is_escaped_in_svg() -> None:
    svg = drawing.to_svg(archlens.loads(HOSTILE))
    assert "<script" not in svg
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in svg
    titles = " ".join(box.title for box in nodes(read(svg)))
    assert "<script>alert(1)</script>" in titles
    assert "n" * 200 in titles  # whole where it is pointed at, though the box shows less


# --- bad input ------------------------------------------------------------------------------------------


def cli(*args: str) -> running.Ended:
    return running.run("diagram", *args)


@pytest.mark.parametrize(
    ("file", "message", "help"),
    [
        ("x.gif", "there is no format gif", "the formats: .dot, .mmd, .pdf, .png, .svg, .tex"),
        ("x", "the file has no extension", "the formats: .dot, .mmd, .pdf, .png, .svg, .tex"),
        ("x.svg/y", "the file has no extension", "the formats: .dot, .mmd, .pdf, .png, .svg, .tex"),
        ("none/x.svg", "cannot be written: No such file or directory", ""),
        ("y" * 10_000 + ".svg", "cannot be written: File name too long", ""),
    ],
)
def test_files_that_cannot_be(file: str, message: str, help: str, tmp_path: Path) -> None:
    result = cli("lenet5", "-o", str(tmp_path / file))
    assert result.returncode == 2
    assert message in result.stderr
    assert help in result.stderr
    assert len(result.stderr) < 1000
    assert list(tmp_path.iterdir()) == []


def test_a_name_of_ten_thousand_characters(tmp_path: Path) -> None:
    result = cli("x" * 10_000, "-o", str(tmp_path / "x.svg"))
    assert result.returncode == 2
    assert "there is no network xxx" in result.stderr
    assert len(result.stderr) < 1000


def test_nothing_is_left_behind_and_nothing_overwritten(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "x.svg"
    path.write_text("before")

    def fails(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(UsageError, match="No space left on device"):
        write_bytes(b"after", str(path))
    assert [one.name for one in tmp_path.iterdir()] == ["x.svg"]
    assert path.read_text() == "before"


def test_a_network_that_fails_is_drawn_and_the_command_fails(tmp_path: Path) -> None:
    spec = tmp_path / "wide.yaml"
    spec.write_text(FAILING)
    result = cli(str(spec), "-o", str(tmp_path / "x.svg"))
    assert result.returncode == 1
    assert "conv2 does not fit: its 9x9 window is larger than its 8x8 input" in result.stderr
    svg = (tmp_path / "x.svg").read_text()
    stops(svg)
    failed = next(group for group in read(svg).iter(f"{SVG}g") if group.get("class") == "node failed")
    assert THEMES["light"].failed in ElementTree.tostring(failed, "unicode")
    assert Plans(partial().network, partial().failed).at().edges[-1][:2] == (2, 3)  # pool1 leads into it


def test_a_mistake_that_is_no_shape_error_is_drawn_too(tmp_path: Path) -> None:
    spec = tmp_path / "x.yaml"
    spec.write_text("input: 1x8x8\nlayers:\n  - a: conv(2, 3)\n  - b: conv(x.depth, 3)\n")
    result = cli(str(spec), "-o", str(tmp_path / "x.svg"))
    assert result.returncode == 1
    svg = (tmp_path / "x.svg").read_text()
    assert 'class="node failed"' in svg
    a_graph(svg)


@pytest.mark.parametrize("style", ["graph", "profile", "stages", "volumes"])
@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("conv(2, 9)", "its 9x9 window is larger than its 8x8 input"),
        ("conf(2, 3)", "there is no op or block conf"),
    ],
)
def test_where_the_first_layer_fails(step: str, why: str, style: str, tmp_path: Path) -> None:
    spec = tmp_path / "x.yaml"
    spec.write_text(f"input: 1x8x8\nlayers:\n  - a: {step}\n")
    result = cli(str(spec), "--style", style, "-o", str(tmp_path / "x.svg"))
    assert result.returncode == 1
    svg = (tmp_path / "x.svg").read_text()
    shown = " ".join(text.text or "" for text in read(svg).iter(f"{SVG}text"))
    assert "up to the layer that failed" in shown
    assert why in shown
    assert THEMES["light"].failed in svg
    assert f"It stops where {why}" in (sound(svg).findtext(f"{SVG}desc") or "")


@pytest.mark.parametrize("style", ["graph", "profile", "stages", "volumes"])
def test_a_network_without_a_layer(style: str) -> None:
    root = read(drawing.to_svg(archlens.loads("{input: 5, layers: [identity]}"), style=style))
    assert re.fullmatch(r"[A-Z].* 0 layers(.*\w)?\.", root.findtext(f"{SVG}desc") or "")


def test_nothing_to_draw(tmp_path: Path) -> None:
    spec = tmp_path / "x.yaml"
    spec.write_text("input: 1x8x8\nlayers:\n  - a: conv(2, 9\n")
    result = cli(str(spec), "-o", str(tmp_path / "x.svg"))
    assert result.returncode == 1
    assert "conv(2, 9 is not an expression" in result.stderr
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.slow
def test_styles_that_a_format_cannot_hold(tmp_path: Path) -> None:
    for extension in ("dot", "mmd"):
        result = cli("lenet5", "--style", "volumes", "-o", str(tmp_path / f"x.{extension}"))
        assert result.returncode == 2
        assert f".{extension} is the text of a graph, and cannot hold the style volumes" in result.stderr


@pytest.mark.slow
def test_thirty_thousand_layers() -> None:
    text = "{input: 4x8x8, layers: ['conv(4, 3, padding=1) * 30000']}"
    same = archlens.loads(text, max_layers=30_000)
    for style in ("graph", "profile", "stages", "volumes"):
        svg = drawing.to_svg(same, style=style)
        assert "30,000" in svg
        assert len(svg) < 20_000


MANY = """
input: 1x8x8
blocks:
  stage(k):
    - each: i
      in: range(1, {each})
      do: conv(i % 7 * i % 11 + k, 3, padding=1)
layers: {layers}
"""


def connected(count: int) -> Network:
    """Each layer reads all before it."""
    merges = "".join(
        f"  - concat: [{', '.join(f'ref(c{j})' for j in range(i))}]\n  - c{i}: conv(4, 1)\n"
        for i in range(2, count)
    )
    return archlens.loads(f"input: 3x8x8\nlayers:\n  - c0: conv(4, 1)\n  - c1: conv(4, 1)\n{merges}")


def test_a_picture_of_too_long_connections() -> None:
    """Number i of n such layers stands on level 2i, and what it merges crosses i^2 levels: together
    1 + 4 + ... + (n - 1)^2, and one from the input.
    """
    assert Plans(connected(21)).at().boxes  # 20 * 21 * 41 / 6 + 1 = 2,871
    for depth in (None, 1, 2):  # 3,312
        with pytest.raises(UsageError) as refused:
            Plans(connected(22)).at(depth)
        assert refused.value.diagnostic.message == (
            "network has more than 3,000 levels for its connections to cross at the top, too many to lay out"
        )


def test_too_many_different_layers_are_refused_with_the_flag_that_folds_them() -> None:
    network = archlens.loads(MANY.format(each=MOST, layers="[a: stage(1), b: stage(2), c: stage(3)]"))
    assert len(Plans(network).at().boxes) == 4
    with pytest.raises(UsageError) as caught:
        Plans(network).at(2)
    assert "more than 1,000 boxes at --depth 2" in str(caught.value)
    assert "--depth 1 folds it to 4" in str(caught.value)
    flat = "[{each: i, in: 'range(1, 2000)', do: 'conv(i % 7 * i % 11 + 1, 3, padding=1)'}]"
    with pytest.raises(UsageError, match="more than 1,000 different layers at the top") as caught:
        Plans(archlens.loads(MANY.format(each=2, layers=flat))).at()
    assert "give its stages names" in str(caught.value)


@pytest.mark.parametrize(
    ("package", "extension", "message"),
    [
        ("resvg_py", "png", "painted by resvg-py, which is not installed"),
        ("reportlab", "pdf", "written by reportlab, which is not installed"),
    ],
)
def test_a_missing_package(package: str, extension: str, message: str, monkeypatch: Any) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UsageError, match=message) as caught:
        to_bytes(Request(archlens.load("lenet5")), extension)
    assert "pip install 'archlens-nn[diagram]'" in str(caught.value)


def test_wrong_words() -> None:
    network = archlens.load("lenet5")
    with pytest.raises(UsageError, match="there is no style grahp"):
        drawing.to_svg(network, style="grahp")
    with pytest.raises(UsageError, match="there is no theme dusk"):
        drawing.to_svg(network, theme="dusk")


def test_formats_are_what_the_issue_names() -> None:
    assert extensions() == ["dot", "mmd", "pdf", "png", "svg", "tex"]
    assert style_names() == ["field", "graph", "profile", "stages", "volumes"]


# --- the graph for algorithms -----------------------------------------------------------------------------


def test_digraph() -> None:
    import networkx

    graph = archlens.load("resnet50").digraph()
    assert networkx.is_directed_acyclic_graph(graph)
    assert graph.nodes["conv1"]["shape"] == (64, 112, 112)
    # 50 weighted layers on the longest way, as its name says (He et al. 2016, Table 1)
    longest = networkx.dag_longest_path(graph)
    layers = [graph.nodes[name].get("layer") for name in longest]
    assert sum(1 for layer in layers if layer is not None and layer.op.kind in ("conv", "linear")) == 50


def test_digraph_without_networkx(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(UsageError, match="DiGraph of networkx, which is not installed"):
        archlens.load("lenet5").digraph()


def test_what_grouped_convolutions_read_apart_stands_in_streams() -> None:
    """Krizhevsky et al. 2012, figure 2: 48, 128, 192, 192 and 128 maps on each of two GPUs; the third layer
    reads both.
    """
    stages = stages_of(Request(loaded("alexnet_2012")).plan)
    slabs = [slab for stage in stages for slab in stage.slabs]
    halves = [(slab.box.name, slab.shape.channels // 2) for slab in slabs if slab.streams == 2 and slab.shape]
    paper = {"conv1": 48, "conv2": 128, "conv3": 192, "conv4": 192, "conv5": 128}
    assert {name: count for name, count in halves if name.startswith("conv")} == paper
    assert {name for name, _ in halves} - {*paper} == {"pool1", "pool2", "pool5"}
    apart = {stage.boxes[0].name: reads_apart(stage) for stage in stages}
    assert (apart["conv2"], apart["conv3"]) == (True, False)
    texts = re.findall(r">(48|128|192|96|256|384)<", drawing.to_svg(loaded("alexnet_2012"), style="volumes"))
    assert Counter(texts) == {"48": 2, "128": 4, "192": 4}
    for name in ("alexnet", "mobilenet_v2", "shufflenet_v1_0.5_g3"):
        some = stages_of(Request(loaded(name)).plan)
        assert {slab.streams for stage in some for slab in stage.slabs} == {1}
