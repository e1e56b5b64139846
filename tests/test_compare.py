"""Networks side by side: which figure is chosen and where it is from, the tables, and the chart."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from itertools import combinations, pairwise
from math import log10
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result
from generate import compared
from hypothesis import given, settings
from hypothesis import strategies as st

import archlens
from archlens.analysis import comparison
from archlens.analysis.comparison import NOT_TRIED, Accuracy, Compared
from archlens.analysis.unknown import Unknown
from archlens.cli import cli
from archlens.drawing import Chart, to_bytes
from archlens.drawing.labels import Box, Disc, Place, meets, place
from archlens.drawing.theme import HUES, THEMES
from archlens.errors import SpecError, UsageError
from archlens.forms import csv as csv_form
from archlens.forms import markdown as markdown_form
from archlens.forms import text as terminal
from archlens.forms.table import words_of
from archlens.views import comparison_table as view

from .test_diagram import contrast, extent, read, sound

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"

#: Parameters, multiply-accumulates in G, smallest input, top-1 and top-5: the metadata of torchvision 0.28's
#: IMAGENET1K_V1 weights (``num_params``, ``_ops``, ``min_size``, ``acc@1``, ``acc@5``).
TORCHVISION = {
    "alexnet": (61100840, 0.714, 63, 56.522, 79.066),
    "vgg16": (138357544, 15.47, 32, 71.592, 90.382),
    "googlenet": (6624904, 1.498, 15, 69.778, 89.53),
    "resnet18": (11689512, 1.814, 1, 69.758, 89.078),
    "mobilenet_v2": (3504872, 0.301, 1, 71.878, 90.286),
    "densenet121": (7978856, 2.834, 29, 74.434, 91.972),
    "efficientnet_b0": (5288548, 0.386, 1, 77.692, 93.532),
}

#: A network of one's own, with an accuracy that somebody else printed, and a name that is no markup.
OWN = """
title: "<b>Own</b> & 'more'"
input: 3x32x32
layers: ["conv(8, 3)", relu, global_avg_pool, flatten, linear(1000)]
published:
  - {source: "<script>alert(1)</script>, a table", top1: 55.5}
  - {source: another table, top1: 54, top5: 77}
"""

#: Goldens: networks of one source and of several, of one family and of several, and one that is not drawn.
SOME = ("mobilenet_v1", "mobilenet_v2", "resnet18", "resnet50", "resnet152", "vgg16", "alexnet", "unet")


def invoke(*args: str) -> Result:
    return CliRunner().invoke(cli, ["compare", *args])


def found(*names: str) -> list[Compared]:
    return [comparison.find(archlens.study(name)) for name in names]


def own(**published: Any) -> Compared:
    """A network without layers to speak of, with one published entry."""
    text = json.dumps({"input": "3x8x8", "layers": ["flatten", "linear(1000)"], "published": published})
    return comparison.find(archlens.study(archlens.loads(text)))


def svg_of(*names: str, theme: str = "light") -> str:
    return to_bytes(Chart(tuple(found(*names)), theme=theme), "svg").decode()


@pytest.fixture(scope="module")
def zoo() -> list[Compared]:
    return [one for _, one in compared()]


# --- the figures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TORCHVISION)
def test_figures_are_torchvisions(name: str) -> None:
    params, macs, smallest, top1, top5 = TORCHVISION[name]
    one = comparison.find(archlens.study(name), smallest=True)
    assert one.params == params
    assert round(one.macs / 1e9, 3) == macs
    assert one.figures["min_size"] == (smallest, smallest)
    assert isinstance(one.top1, Accuracy)
    assert isinstance(one.top5, Accuracy)
    assert (one.top1.percent, one.top5.percent) == (top1, top5)
    assert one.top1.source == one.top5.source
    assert one.top1.series == "torchvision 0.28, weights IMAGENET1K_V1"
    assert one.imagenet


def test_other_figures() -> None:
    """Each from its own source, none of them from archlens."""
    vgg16, resnet50, googlenet, mobilenet = found("vgg16", "resnet50", "googlenet", "mobilenet_v1")
    # the names of the networks; GoogLeNet: "22 layers deep when counting only layers with parameters",
    # Szegedy et al. 2015, section 5
    assert [one.figures["depth"] for one in (vgg16, resnet50, googlenet)] == [16, 50, 22]
    # google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md: vgg_16/pool5 and Conv2d_13_pointwise
    assert (vgg16.receptive_field, mobilenet.receptive_field) == (((212, 212),), ((315, 315),))
    # three maps of 256x56x56 in float32 meet in the first block of layer1
    assert resnet50.figures["peak_activations"] == 3 * 256 * 56 * 56 * 4
    # the years of the papers that are cited
    assert [one.year for one in (vgg16, resnet50, mobilenet)] == [2015, 2016, 2017]
    assert [one.family for one in (vgg16, resnet50)] == ["vgg", "resnet"]


@pytest.mark.slow
def test_every_torchvision_accuracy(torchvision: Any, zoo: list[Compared]) -> None:
    """What is chosen of torchvision's is what those weights' metadata says, at the network's own input."""
    checked = 0
    for one in zoo:
        if not isinstance(one.top1, Accuracy) or not one.top1.source.startswith("torchvision"):
            continue
        name = re.search(r"\w+_Weights\.\w+", one.top1.source)
        assert name, one.top1.source
        weights = torchvision.models.get_weight(name[0])
        metrics = weights.meta["_metrics"]["ImageNet-1K" if one.imagenet else "Kinetics-400"]
        assert one.top1.percent == metrics["acc@1"], one.name
        assert isinstance(one.top5, Accuracy)
        assert one.top5.percent == metrics["acc@5"], one.name
        assert weights.transforms().crop_size[-1] == one.input.spatial[-1], one.name
        assert weights.meta["num_params"] == one.params, one.name
        checked += 1
    assert checked >= 80  # the networks of torchvision 0.28 for classification


def test_which_accuracy() -> None:
    convnext, b1, mobilenet, resnet_v1 = found(
        "convnext_tiny", "efficientnet_b1", "mobilenet_v1", "resnet50_v1"
    )
    # torchvision's (82.52) before the authors' (82.1), which the spec lists first
    assert isinstance(convnext.top1, Accuracy)
    assert convnext.top1.percent == 82.52
    # IMAGENET1K_V1 (78.642) before V2 (79.838)
    assert isinstance(b1.top1, Accuracy)
    assert b1.top1.percent == 78.642
    # Howard et al. 2017, Table 6, prints a top-1 and no top-5
    assert isinstance(mobilenet.top1, Accuracy)
    assert (mobilenet.top1.digits, mobilenet.top1.source) == ("70.6", "Howard et al. 2017, Table 6")
    assert mobilenet.top5 == Unknown("Howard et al. 2017, Table 6 prints none")
    # He et al.'s own, on one crop: another network than torchvision's, with a source of its own
    assert isinstance(resnet_v1.top1, Accuracy)
    assert resnet_v1.top1.source == "KaimingHe/deep-residual-networks, one crop, which prints the error"


def test_unknown_is_no_zero() -> None:
    unet, lenet = found("unet", "lenet5")
    assert unet.top1 == lenet.top1 == Unknown("its spec has no published accuracy")
    assert isinstance(unet.classes, Unknown)
    assert lenet.classes == 10
    assert not lenet.imagenet
    assert unet.figures["min_size"] is NOT_TRIED
    flat = comparison.find(archlens.study("input: '7'\nlayers: [linear(3)]"))
    assert isinstance(flat.receptive_field, Unknown)
    assert flat.year is None


@pytest.mark.parametrize("year", ["in press", "12345", "9" * 5000])
def test_what_is_no_year(year: str) -> None:
    text = f"paper: {{title: X, year: {year}}}\ninput: 3x8x8\nlayers: [relu]"
    assert comparison.find(archlens.study(archlens.loads(text))).year is None


@pytest.mark.parametrize("printed", ["good", "-3", "101", "about 70", "1e2", "70,1"])
def test_what_is_no_accuracy(printed: str) -> None:
    with pytest.raises(SpecError, match=re.escape(f"top1: '{printed}' is not a comparable figure")):
        own(source="a table", top1=printed)


def test_what_is_one() -> None:
    assert own(source="a table", top1="70.10 %").top1 == Accuracy(70.1, "70.10", "a table")
    assert own(source="a table", top5=99).top1 == Unknown("a table prints none")


@pytest.mark.parametrize(
    ("error", "percent", "digits"),
    # in binary 100 - 6.67 is 93.33 and 100 - 37.7 is 62.3, but 100 - 0.07 is 99.93000000000001
    [("6.67", 93.33, "93.33"), ("37.70 %", 62.3, "62.30"), ("0.07", 99.93, "99.93"), ("100", 0.0, "0")],
)
def test_an_error_is_the_rest_of_a_hundred(error: str, percent: float, digits: str) -> None:
    one = own(source="Table 2", link="arxiv:1409.4842", top1_error=error, top5="99")
    said = Accuracy(percent, digits, "Table 2, which prints the error", "https://arxiv.org/abs/1409.4842")
    assert one.top1 == said
    assert one.top5 == Accuracy(99.0, "99", "Table 2", "https://arxiv.org/abs/1409.4842")


def test_what_nobody_has_verified_is_unknown() -> None:
    """And whatever somebody has seen is taken before it."""
    unseen = {"source": "torchvision, from memory", "top1": "70", "unverified": "the page is gone"}
    one = own(**unseen)
    assert one.top1 == Unknown("torchvision, from memory could not be seen: the page is gone")
    seen = {"source": "Table 2", "top5_error": "10"}
    text = json.dumps({"input": "3x8x8", "layers": ["flatten", "linear(1000)"], "published": [unseen, seen]})
    both = comparison.find(archlens.study(archlens.loads(text)))
    assert both.top1 == Unknown("Table 2 prints none")
    assert both.top5 == Accuracy(90.0, "90", "Table 2, which prints the error")


@pytest.mark.slow
def test_seeing_everything_is_said(zoo: list[Compared]) -> None:
    """Behind a squeeze-and-excitation, or attention over all tokens, every position sees the whole input."""
    early = {one.family for one in zoo if one.everywhere_from}
    assert {"efficientnet", "mobilenet_v3", "se_resnet", "vit"} <= early
    assert not early & {"resnet", "vgg", "densenet", "mobilenet_v2", "inception_v3"}


# --- tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "columns"),
    [("compare.txt", None), ("compare_narrow.txt", 80), ("compare_three_narrow.txt", 60)],
)
def test_golden_tables(name: str, columns: int | None, update: bool) -> None:
    chosen = SOME if "three" not in name else ("resnet50", "vgg16", "unet")
    text = terminal.write(view.table(found(*chosen)), columns) + "\n"
    if update:
        (GOLDEN / name).write_text(text, "utf-8")
    assert text == (GOLDEN / name).read_text("utf-8")
    if columns:
        assert max(map(len, text.split("\n"))) <= columns
    table, below = text.split("\n\n")
    for one in chosen:
        assert one in table
    assert ("Left out for lack of width" in below) == (name == "compare_narrow.txt")
    # torchvision's metadata again, as a table says it
    assert "138.36 M" in table
    assert "71.592" in table
    assert "unknown" in table
    assert "of unet: its spec has no published accuracy." in " ".join(below.split())


def test_sources_are_told_apart() -> None:
    text = terminal.write(view.table(found("resnet18", "mobilenet_v1", "resnet20_cifar")))
    assert "69.758 a" in text
    assert "70.6 b" in text
    assert "91.25 c" in text
    assert "a: torchvision 0.28, weights IMAGENET1K_V1\nb: Howard et al. 2017, Table 6\n" in text
    assert "Among 10 classes, not among ImageNet's 1,000: resnet20_cifar." in text
    assert "69.758 a" not in terminal.write(
        view.table(found("resnet18", "resnet50"))
    )  # of one source none is marked


@pytest.mark.parametrize("count", [1, 2, 5, 20])
@pytest.mark.parametrize("columns", [20, 40, 80, 120, 200])
@pytest.mark.slow
def test_it_fits_or_says_what_is_left_out(zoo: list[Compared], count: int, columns: int) -> None:
    text = terminal.write(view.table(zoo[:count]), columns)
    least = len("convnext_large") if count > 5 else 0
    fits = max(map(len, text.split("\n"))) <= columns
    assert fits or columns < least + 40
    assert ("Left out" in " ".join(text.split())) or all(
        title in text for title in ("year", "depth", "MACs", "activations", "top-5")
    )


def test_markdown_escapes(tmp_path: Path) -> None:
    text = markdown_form.write(
        view.table([comparison.find(archlens.study(archlens.loads(OWN))), *found("unet")])
    )
    assert "&lt;script&gt;alert(1)&lt;/script&gt;, a table" in text
    lines = [line for line in text.split("\n") if line.startswith("|")]
    assert len(lines) == 4
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_some_columns() -> None:
    """Those of a gallery, with what they mean and no word on the others."""
    names = ("name", "year", "depth", "top1")
    made = view.table(found("vgg16", "unet"), names).seen
    assert [column.title for column in made.columns] == ["network", "year", "depth", "top-1"]
    assert list(map(words_of, made.cells[0])) == ["vgg16", "2015", "16", "71.592"]
    assert [column.right for column in made.columns] == [False, True, True, True]
    text = "\n".join(made.notes)
    assert "Depth:" in text
    assert "Activations" not in text
    assert "Unknown top-1 of unet" in text


def test_a_family_is_each_of_its_networks() -> None:
    data = json.loads(invoke("squeezenet", "resnet18", "--no-smallest", "--format", "json").stdout)
    assert [one["name"] for one in data["networks"]] == [
        "squeezenet1_0",
        "squeezenet1_0_227",
        "squeezenet1_1",
        "resnet18",
    ]


def test_forms_agree() -> None:
    """The same numbers as JSON and as CSV; what is not known is null, with its reason, and empty."""
    names = (*TORCHVISION, "unet")
    data = json.loads(invoke(*names, "--no-smallest", "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(invoke(*names, "--no-smallest", "--format", "csv").stdout)))
    assert data["schema"] == "archlens.compare/1"
    for one, row in zip(data["networks"], rows, strict=True):
        assert one["name"] == row["name"]
        for key in ("year", "depth", "params", "macs", "peak_activations"):
            assert str(one[key]) == row[key]
        if one["name"] == "unet":
            assert one["top1"] is None
            assert one["reasons"]["top1"] == "its spec has no published accuracy"
            assert row["top1"] == row["classes"] == row["smallest"] == row["source"] == ""
        else:
            params, _, _, top1, top5 = TORCHVISION[one["name"]]
            assert (one["params"], float(row["top1"]), float(row["top5"])) == (params, top1, top5)
            assert (one["top1"]["percent"], one["top1"]["source"]) == (top1, row["source"])
            assert one["reasons"] == {"smallest": NOT_TRIED.reason}


TWO_INPUTS = """
input: {left: 3x16x16, right: 1x16x16}
layers:
  - a: ref(left) >> conv(4, 3, padding=1)
  - b: ref(right) >> conv(4, 5, padding=2)
  - add: [ref(a), ref(b)]
"""


def test_of_several_inputs_each_has_a_field() -> None:
    found = [comparison.find(archlens.study(archlens.loads(TWO_INPUTS)))]
    assert found[0].receptive_field == ((3, 3), (5, 5))
    (row,) = csv.DictReader(io.StringIO(csv_form.write(view.table(found))))
    assert (row["input"], row["receptive_field"]) == ("3x16x16 1x16x16", "3x3 5x5")
    assert "  3x3, 5x5  " in terminal.write(view.table(found))
    assert json.loads(view.to_json(found))["networks"][0]["receptive_field"] == [3, 3, 5, 5]
    mixed = """
        input: {sound: 1x16, image: 3x16x16}
        layers:
          - a: ref(sound) >> conv(4, 7) >> flatten
          - b: ref(image) >> conv(4, 5) >> flatten
          - concat: [ref(a), ref(b)]
    """
    assert "  7, 5x5 " in terminal.write(view.table([comparison.find(archlens.study(archlens.loads(mixed)))]))


def test_smallest_is_found_unless_it_is_left_out() -> None:
    assert re.search(r"^vgg16 .* 32x32 ", invoke("vgg16").stdout, re.MULTILINE)  # torchvision: min_size
    text = invoke("vgg16", "--no-smallest").stdout
    assert "smallest" not in text


def test_another_input_has_no_accuracy() -> None:
    """What was measured at 224 is not shown at 160, and the MACs are those at 160."""
    text = invoke("resnet50", "--input", "3x160x160", "--no-smallest").stdout
    assert "the published one does not apply with another input" in text
    assert "76.13" not in text
    assert "76.13" in invoke("resnet50", "--input", "3x224x224", "--no-smallest").stdout
    text = invoke("mobilenet_v1", "--set", "alpha=0.5", "--no-smallest").stdout
    assert "the published one does not apply with other params" in text


def test_params_without_a_value_are_given(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: 3x8x8\nparams: {n: }\nlayers: ['conv(n, 3)']\npublished: {source: S, top1: 5}\n", "utf-8"
    )
    result = invoke(str(path), "--set", "n=3")
    assert result.exit_code == 0
    assert "the published one does not apply with these params" in result.stdout


def test_files_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for path in (tmp_path / "own.yaml", tmp_path / "a" / "own.yaml"):
        path.write_text(OWN)
    text = invoke(str(tmp_path / "own.yaml"), "resnet18").stdout
    assert re.search(r"^own +unknown", text, re.MULTILINE)  # the year: no paper is cited
    # two of one name are told apart by their paths
    data = json.loads(
        invoke(str(tmp_path / "own.yaml"), str(tmp_path / "a" / "own.yaml"), "--format", "json").stdout
    )
    assert [one["name"] for one in data["networks"]] == [
        str(tmp_path / "own.yaml"),
        str(tmp_path / "a" / "own.yaml"),
    ]


# --- the command -----------------------------------------------------------------------------------

BAD = {
    (): "compare takes names of networks, or --all",
    ("resnet50", "--all"): "compare takes names of networks, or --all",
    ("resnet5O",): "there is no network resnet5O",
    ("resnet50", "vgg16", "resnet50"): "resnet50 is named twice",
    ("squeezenet", "squeezenet1_1"): "squeezenet1_1 is named twice",
    ("resnet50", "-o", "x.jpeg"): "there is no format .jpeg",
    ("resnet50", "-o", "x"): "the file has no extension",
    ("resnet50", "-o", ".svg"): "the file has no extension",
    ("resnet50", "-o", "x.dot"): ".dot is the text of a graph, and cannot hold a chart",
    ("resnet50", "-o", "x.mmd"): ".mmd is the text of a graph, and cannot hold a chart",
    ("resnet50", "-o", "x.md", "--format", "csv"): "--format csv and a file that ends in .md contradict",
    ("resnet50", "--theme", "dark"): "--theme is for a chart, but none is written",
    ("resnet50", "-o", "x.md", "--theme", "dark"): "--theme is for a chart, but none is written",
    ("resnet50", "-o", "nowhere/x.svg"): "nowhere/x.svg cannot be written",
    ("resnet50", "-o", "nowhere/x.csv"): "nowhere/x.csv cannot be written",
    ("resnet50", "--x", "params"): "--x is for a chart, but none is written",
    ("resnet50", "--front", "-o", "x.csv"): "--front is for a chart, but none is written",
    ("resnet50", "--x", "flops", "-o", "x.svg"): "there is no measure flops for --x",
    ("resnet50", "--x", "top1", "-o", "x.svg"): "top1 over itself says nothing",
    ("resnet50", "--area", "top5", "-o", "x.svg"): "the area of a bubble cannot be top-5",
    ("resnet50", "--x", "depth", "--front", "-o", "x.svg"): "there is no Pareto front by depth",
    ("resnet50", "--fit", "3mm", "-o", "x.svg"): "3mm is too narrow",
    ("lenet5", "resnet20_cifar", "-o", "x.svg"): "of no network both axes are known",
    ("resnet50", "--set", "alpha=1"): "resnet50 has no param alpha",
    ("x" * 10_000,): "there is no network xxx",
}


@pytest.mark.parametrize("args", BAD, ids=lambda args: " ".join(args)[:40] or "none")
def test_bad_input(args: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear message, and no file left behind."""
    monkeypatch.chdir(tmp_path)
    result = invoke(*args)
    assert isinstance(result.exception, UsageError), result.output
    assert BAD[args] in str(result.exception)
    assert len(str(result.exception)) < 1000
    assert list(tmp_path.iterdir()) == []


def test_no_accuracy_says_why_of_each() -> None:
    with pytest.raises(UsageError) as caught:
        _ = Chart(tuple(found("lenet5", "resnet20_cifar"))).picture
    assert "lenet5: no top-1: its spec has no published accuracy" in str(caught.value)
    assert "resnet20_cifar: no top-1: it chooses among 10 classes, not ImageNet's 1,000" in str(caught.value)


def test_where_things_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chart goes to its file, its table to the terminal; a table to its file, by ending or format."""
    monkeypatch.chdir(tmp_path)
    plain = invoke("resnet18", "vgg16").stdout
    assert invoke("resnet18", "vgg16", "-o", "x.svg").stdout == plain
    assert (tmp_path / "x.svg").read_text().startswith("<svg")
    assert invoke("resnet18", "vgg16", "-o", "x.SVG", "--format", "csv").stdout.startswith("name,title,")
    for name, start in {
        "x.md": "| network",
        "x.csv": "name,title,",
        "x.json": "{",
        "x.txt": "network",
    }.items():
        assert invoke("resnet18", "vgg16", "-o", name).stdout == ""
        assert (tmp_path / name).read_text().startswith(start)
    assert invoke("resnet18", "-o", "x.dat", "--format", "json").stdout == ""
    assert json.loads((tmp_path / "x.dat").read_text())["schema"] == "archlens.compare/1"
    assert invoke("resnet18", "-o", "-", "--format", "csv").stdout.startswith("name,title,")


@pytest.mark.parametrize("extension", ["svg", "png", "pdf", "tex"])
def test_every_format_of_chart(extension: str) -> None:
    starts = {"svg": b"<svg", "png": b"\x89PNG", "pdf": b"%PDF", "tex": rb"\documentclass"}
    chart = Chart(tuple(found("resnet18", "vgg16")))
    content = to_bytes(chart, extension)
    assert content.startswith(starts[extension])
    assert content == to_bytes(Chart(chart.networks), extension)


# --- the chart -------------------------------------------------------------------------------------


class Bubble(NamedTuple):
    """A circle of the chart, with the network that its title names."""

    name: str
    x: float
    y: float
    radius: float
    color: str
    dashed: bool


def bubbles(root: ElementTree.Element) -> dict[str, Bubble]:
    drawn = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == "bubble":
            name = group.findtext(f"{SVG}title", "").partition(":")[0]
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            x, y, wide, high = (float(rect.get(key, "nan")) for key in ("x", "y", "width", "height"))
            assert wide == high
            drawn[name] = Bubble(
                name,
                x + wide / 2,
                y + high / 2,
                wide / 2,
                rect.get("stroke", ""),
                rect.get("stroke-dasharray") is not None,
            )
    return drawn


def labels(root: ElementTree.Element) -> dict[str, Box]:
    group = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "labels")
    return {text.text or "": Box(*extent(text)) for text in group.iter(f"{SVG}text")}


def legible(svg: str) -> ElementTree.Element:
    """No label runs into another, none lies over the centre of a bubble, and every bubble is in the field."""
    root = sound(svg)
    boxes, drawn = labels(root), bubbles(root)
    for (name, a), (other, b) in combinations(boxes.items(), 2):
        apart = a.right <= b.left or b.right <= a.left or a.bottom <= b.top or b.bottom <= a.top
        assert apart, (name, other)
    for name, box in boxes.items():
        for one in drawn.values():
            over = box.left < one.x < box.right and box.top < one.y < box.bottom
            assert not over, (name, one.name)
    axes = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "axes")
    frame = axes.findall(f"{SVG}path")[-1].get("d", "")
    points = [tuple(map(float, point.split(","))) for point in re.findall(r"[\d.]+,[\d.]+", frame)]
    (left, top), (_, bottom), (right, _) = points
    for one in drawn.values():
        assert left <= one.x - one.radius, one.name
        assert one.x + one.radius <= right, one.name
        assert top <= one.y - one.radius, one.name
        assert one.y + one.radius <= bottom, one.name
    return root


@pytest.mark.parametrize(("name", "theme"), [("compare.svg", "light"), ("compare_dark.svg", "dark")])
def test_golden_charts(name: str, theme: str, update: bool) -> None:
    svg = svg_of(*SOME, theme=theme)
    if update:
        (GOLDEN / name).write_text(svg, "utf-8")
    assert svg == (GOLDEN / name).read_text("utf-8")
    root = legible(svg)
    drawn = bubbles(root)
    assert drawn.keys() == {*SOME} - {"unet"}
    assert labels(root).keys() == drawn.keys()
    text = " ".join(" ".join(element.text or "" for element in root.iter(f"{SVG}text")).split())
    assert "Not drawn: unet (no top-1: its spec has no published accuracy)." in text
    assert "Source: torchvision 0.28, weights IMAGENET1K_V1 (6 of 7); dashed: Howard et al. 2017" in text
    assert {one.name for one in drawn.values() if one.dashed} == {"mobilenet_v1"}
    assert drawn["resnet18"].color == drawn["resnet152"].color != drawn["vgg16"].color


def test_what_the_chart_shows() -> None:
    """Areas as the parameters, places as the logarithms of the MACs and as the accuracies: torchvision's."""
    drawn = bubbles(read(svg_of(*TORCHVISION)))
    largest = drawn["vgg16"]
    for name, (params, _, _, _, _) in TORCHVISION.items():
        # a coordinate is written to a tenth of a point, and so is a width
        assert drawn[name].radius / largest.radius == pytest.approx(
            (params / TORCHVISION["vgg16"][0]) ** 0.5, abs=0.1 / largest.radius
        )
    order = sorted(TORCHVISION, key=lambda name: TORCHVISION[name][1])
    assert all(drawn[a].x < drawn[b].x for a, b in pairwise(order))
    first, last = order[0], order[-1]
    per_decade = (drawn[last].x - drawn[first].x) / log10(TORCHVISION[last][1] / TORCHVISION[first][1])
    per_percent = (drawn["alexnet"].y - drawn["efficientnet_b0"].y) / (77.692 - 56.522)
    for name, (_, macs, _, top1, _) in TORCHVISION.items():
        along = per_decade * log10(macs / TORCHVISION[first][1])
        # torchvision rounds 0.301 G to three digits, which is up to a thousandth of it
        assert drawn[name].x - drawn[first].x == pytest.approx(along, abs=0.6)
        assert drawn["alexnet"].y - drawn[name].y == pytest.approx(per_percent * (top1 - 56.522), abs=0.2)


def test_the_figures_of_the_axes_are_where_they_say() -> None:
    """A tick of 1 G stands where a network of 1 G would, and 70 where one of 70 % would."""
    root = read(svg_of(*TORCHVISION))
    drawn = bubbles(root)
    axes = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "axes")
    ticks = {text.text or "": text for text in axes.iter(f"{SVG}text")}
    units = {"M": 1e-3, "G": 1.0}
    across = {
        float(text.split()[0]) * units[text.split()[1]]: float(tick.get("x", "nan"))
        for text, tick in ticks.items()
        if re.fullmatch(r"[\d.]+ [MG]", text)
    }
    assert len(across) >= 4
    left, right = drawn["mobilenet_v2"], drawn["vgg16"]
    per_decade = (right.x - left.x) / log10(15.47 / 0.301)
    for macs, x in across.items():
        assert x == pytest.approx(left.x + per_decade * log10(macs / 0.301), abs=0.6)
    upward = {float(t): float(tick.get("y", "nan")) for t, tick in ticks.items() if re.fullmatch(r"\d+", t)}
    assert len(upward) >= 4
    low, high = drawn["alexnet"], drawn["efficientnet_b0"]
    for percent, y in upward.items():
        expected = low.y + (high.y - low.y) * (percent - 56.522) / (77.692 - 56.522)
        assert y - 3.2 == pytest.approx(expected, abs=0.2)  # the base of a text is below its middle


def test_the_key_of_areas_is_of_the_same_scale() -> None:
    root = read(svg_of(*TORCHVISION))
    group = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "sizes")
    radii = [float(rect.get("width", "nan")) / 2 for rect in group.iter(f"{SVG}rect")]
    counts = [text.text or "" for text in group.iter(f"{SVG}text")][1:]
    assert counts == ["5 M", "20 M", "100 M"]
    largest = bubbles(root)["vgg16"].radius
    for radius, count in zip(radii, counts, strict=True):
        assert radius == pytest.approx(largest * (int(count[:-2]) * 1e6 / 138357544) ** 0.5, abs=0.06)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.slow
def test_many_are_legible(zoo: list[Compared], theme: str) -> None:
    """Forty networks, and all there are: legible; most of forty have their names, and others are said."""
    drawable = [one for one in zoo if isinstance(one.top1, Accuracy) and one.imagenet]
    assert len(drawable) > 100
    for networks in (drawable[:40], drawable[-40:], zoo):
        root = legible(to_bytes(Chart(tuple(networks), theme=theme), "svg").decode())
        drawn = bubbles(root)
        assert len(drawn) == min(len(networks), len(drawable))
        nameless = [one.name for one in networks if one.name in drawn.keys() - labels(root).keys()]
        assert len(nameless) <= (4 if len(networks) == 40 else len(drawn) - 40)
        said = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
        assert ("Without a label, for want of room" in said) == bool(nameless)
        assert all(name in said.partition("Without a label")[2] for name in nameless[:12])
        assert len(nameless) <= 12 or f"and {len(nameless) - 12} more" in said


@pytest.mark.parametrize("fit", ["column", "slide"])
@pytest.mark.slow
def test_labels_among_many_cover_no_bubble(zoo: list[Compared], fit: str) -> None:
    """None lies over any part of another network's bubble; and the chart with its notes fits its page."""
    chart = Chart(tuple(zoo), fit=fit)
    root = legible(to_bytes(chart, "svg").decode())
    drawn, named = bubbles(root), labels(root)
    assert len(named) > 20
    for name, box in named.items():
        for one in drawn.values():
            dx = max(box.left + 1 - one.x, 0.0, one.x - box.right + 1)
            dy = max(box.top + 2 - one.y, 0.0, one.y - box.bottom + 2)
            assert one.name == name or dx * dx + dy * dy >= one.radius**2, (name, one.name)
    assert chart.picture.height * chart.picture.scale <= chart.page.height + 0.05


@pytest.mark.parametrize("names", [("resnet50",), ("resnet50", "vgg16"), ("vit_h_14", "squeezenet1_1")])
def test_few_are_legible(names: tuple[str, ...]) -> None:
    assert labels(legible(svg_of(*names))).keys() == {*names}


def test_what_is_written_by_others_is_text(tmp_path: Path) -> None:
    path = tmp_path / ("<script>" + "n" * 150 + ".yaml")
    path.write_text(OWN)
    result = invoke(str(path), "resnet18", "-o", str(tmp_path / "x.svg"))
    assert result.exit_code == 0
    svg = (tmp_path / "x.svg").read_text()
    legible(svg)
    assert "<script" not in svg
    assert "&lt;script&gt;alert(1)&lt;/script&gt;, a table" in svg


@pytest.mark.slow
def test_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    """As the golden chart, which is drawn in this one."""
    subprocess.run(
        [sys.executable, "-m", "archlens", "compare", *SOME, "-o", f"{tmp_path}/compare.svg"],
        check=True,
        capture_output=True,
        env=os.environ | {"PYTHONHASHSEED": "1"},
    )
    assert (tmp_path / "compare.svg").read_bytes() == (GOLDEN / "compare.svg").read_bytes()


@pytest.mark.parametrize("fit", ["column", "page", "readme", "slide", "120mm"])
def test_charts_are_made_for_where_they_are_read(fit: str) -> None:
    """As wide as the page and no wider, and no text smaller than 7 pt in print and 11 px on a screen."""
    root = legible(to_bytes(Chart(tuple(found(*TORCHVISION)), fit=fit), "svg").decode())
    widths = {"column": 237.6, "page": 496.8, "readme": 700, "slide": 1280, "120mm": 120 / 25.4 * 72}
    size = re.fullmatch(r"([\d.]+)(pt)?", root.get("width", ""))
    assert size
    assert float(size[1]) == pytest.approx(widths[fit], abs=0.2)
    point = float(size[1]) / float(root.get("viewBox", "").split()[2])
    least = min(float(text.get("font-size", "nan")) for text in root.iter(f"{SVG}text")) * point
    assert least >= (7 if size[2] else 11) - 0.01


#: The years of the papers, and the depths that their names or tables have.
PAPERS = {"alexnet": (2014, 8), "vgg16": (2015, 16), "resnet18": (2016, 18), "resnet50": (2016, 50)}


def test_any_axes() -> None:
    """A timeline of depths: years lie evenly, depths by their logarithms where some are ten times others."""
    networks = found(*PAPERS, "resnet152")
    chart = Chart(tuple(networks), x="year", y="depth", area="none")
    drawn = bubbles(legible(to_bytes(chart, "svg").decode()))
    assert len({one.radius for one in drawn.values()}) == 1
    per_year = drawn["vgg16"].x - drawn["alexnet"].x
    per_decade = (drawn["alexnet"].y - drawn["resnet152"].y) / log10(152 / 8)
    for name, (year, depth) in PAPERS.items():
        assert drawn[name].x - drawn["alexnet"].x == pytest.approx(per_year * (year - 2014), abs=0.2)
        along = drawn["alexnet"].y - drawn[name].y
        assert along == pytest.approx(per_decade * log10(depth / 8), abs=0.2)
    few = bubbles(read(to_bytes(Chart(tuple(networks[:3]), x="year", y="depth"), "svg").decode()))
    along = (few["alexnet"].y - few["vgg16"].y) / (few["alexnet"].y - few["resnet18"].y)
    assert along == pytest.approx((16 - 8) / (18 - 8), abs=0.01)


def test_without_accuracies_every_network_is_drawn_and_none_is_dashed() -> None:
    svg = to_bytes(
        Chart(tuple(found("lenet5", "unet", "mobilenet_v1")), x="params", y="macs"), "svg"
    ).decode()
    drawn = bubbles(legible(svg))
    assert len(drawn) == 3
    assert not any(one.dashed for one in drawn.values())
    assert "published" not in svg
    assert "MACs over parameters" not in svg  # the title has the long words
    assert "Multiply-accumulates (MACs) over parameters" in svg


def test_the_pareto_front_of_torchvisions_networks() -> None:
    """By hand from the metadata: of seven, MobileNet v2 with the fewest MACs and EfficientNet-B0 above it."""
    svg = to_bytes(Chart(tuple(found(*TORCHVISION)), front=True), "svg").decode()
    root = legible(svg)
    front = next(group for group in root.iter(f"{SVG}g") if group.get("class") == "front")
    (path,) = front.iter(f"{SVG}path")
    ends = re.findall(r"([\d.]+),([\d.]+)", path.get("d", ""))
    drawn = bubbles(root)
    expected = [(drawn[name].x, drawn[name].y) for name in ("mobilenet_v2", "efficientnet_b0")]
    assert [(float(x), float(y)) for x, y in ends] == [pytest.approx(point, abs=0.11) for point in expected]
    said = " ".join(text.text or "" for text in root.iter(f"{SVG}text"))
    assert "Pareto front: none here is better in top-1 without being worse in MACs." in said


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12),
    st.tuples(st.sampled_from([-1, 1]), st.sampled_from([-1, 1])),
)
def test_a_front_holds_those_that_none_beats(values: list[tuple[int, int]], better: tuple[int, int]) -> None:
    def beats(a: tuple[int, int], b: tuple[int, int]) -> bool:
        gains = [(p - q) * way for p, q, way in zip(a, b, better, strict=True)]
        return min(gains) >= 0 and max(gains) > 0

    expected = [i for i, one in enumerate(values) if not any(beats(other, one) for other in values)]
    assert sorted(comparison.front(values, better)) == expected


def test_lines_join_families_that_grow() -> None:
    """EfficientNet's grow with their MACs; of ShuffleNet v1's by groups, two of a size do not."""

    def count(*names: str) -> int:
        return svg_of(*names).partition('<g class="families">')[2].partition("</g>")[0].count("<path")

    assert count("efficientnet_b0", "efficientnet_b1", "efficientnet_b2") == 2
    assert count("shufflenet_v1_g1", "shufflenet_v1_g2", "shufflenet_v1_g8", "shufflenet_v1_g4") == 0
    assert count("resnet50", "vgg16") == 0


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_hues_stand_out(theme: Any) -> None:
    """WCAG 2.1, 1.4.11 wants 3:1 of graphics; the lightest two of Okabe and Ito's have less on white."""
    for i in range(len(HUES)):
        assert contrast(theme.hue(i), theme.background) > 2
        # the text on a bubble, 1.4.3: 4.5:1
        assert contrast(theme.text, theme.shade(theme.hue(i), theme.strength)) > 4.5
    assert len({theme.hue(i) for i in range(len(HUES))}) == len(HUES)


# --- labels ----------------------------------------------------------------------------------------

PAGE = Box(0, 0, 600, 400)
DISCS = st.lists(
    st.builds(
        Disc,
        st.floats(20, 580),
        st.floats(20, 380),
        st.floats(0, 30),
        st.floats(5, 120),
        st.just(11.0),
    ),
    max_size=25,
)


def check_places(discs: list[Disc]) -> list[Place]:
    """The places of labels: on the page, apart from each other, over no centre, and crossed by no leader."""
    places = place(discs, PAGE)
    known = [one for one in places if one is not None]
    assert place(discs, PAGE) == places
    for one in known:
        left, top, right, bottom = one.box
        assert PAGE.left <= left
        assert right <= PAGE.right
        assert PAGE.top <= top
        assert bottom <= PAGE.bottom
        assert not any(left < disc.x < right and top < disc.y < bottom for disc in discs)
    for a, b in combinations(known, 2):
        assert _apart(a, b)
        for one, other in ((a, b), (b, a)):
            assert one.leader is None or not meets(one.leader, other.box)
    return known


@settings(max_examples=60)
@given(DISCS)
@pytest.mark.slow
def test_labels_never_meet(discs: list[Disc]) -> None:
    check_places(discs)


@pytest.mark.parametrize("apart", [6, 10, 14, 20])
@pytest.mark.slow
def test_a_crowd_has_its_labels_around_it(apart: int) -> None:
    """So near to each other that lines have to lead to most labels."""
    discs = [Disc(300 + i * apart, 150 + j * apart, 5, 40 + 9 * j, 11) for i in range(6) for j in range(4)]
    known = check_places(discs)
    assert sum(one.leader is not None for one in known) > len(discs) / 2
    assert len(known) > len(discs) / 2


def _apart(a: Place, b: Place) -> bool:
    return (
        a.box.right <= b.box.left
        or b.box.right <= a.box.left
        or a.box.bottom <= b.box.top
        or b.box.bottom <= a.box.top
    )


def test_no_label_is_on_a_wall() -> None:
    """Where a line of labels would stand on it, each is beside it; a line to discs may cross it."""
    discs = [Disc(40.0 + 30 * i, 40.0 + 20 * i, 2, 50, 11) for i in range(6)]
    wall = [((10.0, 20.0), (250.0, 180.0))]
    free, kept = place(discs, PAGE), place(discs, PAGE, walls=wall)
    assert any(found and meets(wall[0], found.box) for found in free)
    assert all(kept)
    assert not any(found and meets(wall[0], found.box) for found in kept)


def test_no_room_is_no_place() -> None:
    assert place([Disc(5, 5, 1, 50, 11)], Box(0, 0, 20, 20)) == [None]


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        (((0, 0), (10, 10)), True),
        (((0, 5), (3, 5)), False),
        (((5, 0), (5, 20)), True),
        (((0, 9), (9, 0)), True),
        (((0, 7), (7, 0)), False),
        (((5, 5), (5, 5)), True),
    ],
)
def test_meets(segment: Any, expected: bool) -> None:
    assert meets(segment, Box(4, 4, 6, 6)) is expected
