"""The picture of what changed: every layer of both networks in its place, and what cannot be drawn."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import archlens
from archlens.analysis import difference
from archlens.analysis.difference import ADDED, REMOVED
from archlens.drawing import Changes, to_bytes

from .running import run

SVG = "{http://www.w3.org/2000/svg}"

PAIRS = [
    ("resnet18", "resnet34"),
    ("resnet50", "resnext50_32x4d"),
    ("vgg16", "vgg16_bn"),
    ("alexnet", "alexnet_2012"),
    ("lenet5", "unet"),
    ("googlenet", "googlenet"),
]


def svg_of(old: str, new: str, **options: str) -> str:
    found = difference.find(archlens.load(old), archlens.load(new))
    return to_bytes(Changes(found, (old, new), **options), "svg").decode()


def texts(svg: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_each_layer_stands_once_and_in_order(old: str, new: str) -> None:
    found = difference.find(archlens.load(old), archlens.load(new))
    aligned = list(found.aligned())
    for side, network, moved in ((0, found.old, REMOVED), (1, found.new, ADDED)):
        names = [
            layer.name
            for one in aligned
            for group in [(one.old, one.new)[side]]
            if group is not None
            for pair in group.pairs
            for layer in [(pair.old, pair.new)[side]]
            if layer is not None
        ]
        assert names == [layer.name for layer in network.layers]
        assert all(one.old or one.new for one in aligned)
        of = {one.kind for one in aligned if (one.old, one.new)[1 - side] is None}
        assert of <= {moved}


def test_what_became_of_resnet18() -> None:
    """Stages of 2, 2, 2 and 2 blocks become such of 3, 4, 6 and 3, and nothing else changes."""
    svg = svg_of("resnet18", "resnet34")
    shown = texts(svg)
    signs = [text for text in shown if text in "+\u2212~"]
    assert signs == ["+"] * 4
    for name in ("layer1.2", "layer2.2..3 x2", "layer3.2..5 x4", "layer4.2"):
        assert name in shown
    assert shown.count("basic: 7 layers each") == 2
    assert "11.69 M -> 21.80 M params, 1.81 G -> 3.66 G MACs" in shown
    description = ElementTree.fromstring(svg).findtext(f"{SVG}desc") or ""
    assert "56 added, 69 the same" in description


def test_rows_that_repeat_stand_once() -> None:
    """ResNeXt's blocks differ in two convolutions each: of a stage the first, and the others together."""
    shown = texts(svg_of("resnet50", "resnext50_32x4d"))
    assert {"x2", "x3", "x5"} <= {*shown}
    assert "layer3.1.conv2" in shown
    assert "layer3.2.conv2" not in shown


def test_what_is_long_stands_in_strips_where_there_is_room() -> None:
    """On a slide both columns stand there twice, the names of the networks above each."""
    shown = texts(svg_of("vgg16", "vgg16_bn", fit="slide"))
    assert shown.count("vgg16") == shown.count("vgg16_bn") == 2
    assert not [text for text in shown if text.startswith("Further rows")]
    assert texts(svg_of("vgg16", "vgg16_bn")).count("vgg16") == 1


SPEC = "input: 1x8x8\nlayers:\n{layers}"


def test_rows_that_repeat_are_shown_in_part_where_a_page_ends_before_them() -> None:
    """A layer of ViT stands twelve times; a column has no room for all of its rows, and is full anyway."""
    svg = svg_of("vit_b_16", "deit_base_distilled", fit="column")
    found = texts(svg)
    height = re.search(r'height="([\d.]+)pt"', svg)
    assert height
    assert 500 < float(height[1]) <= 648
    assert found.count("dropout(p=0)") > 2
    # the key and the notes are those of what is seen
    assert {"+ added", "\u2212 removed", "\u2248 affected"} <= {*found}
    assert not any("altered" in text.lower() or "x2 beside rows" in text for text in found)
    assert any("x2 beside rows" in text for text in texts(svg_of("vit_b_16", "deit_base_distilled")))


def test_what_is_side_by_side_is_level(tmp_path: Path) -> None:
    """Both forms of what was altered stand beside each other, what is new in the right column alone."""
    for name, lines in (
        ("old", ["a: conv(2, 3)", "gone: max_pool(2)", "b: conv(4, 1)"]),
        ("new", ["a: conv(3, 3)", "b: conv(4, 1)", "came: tanh"]),
    ):
        (tmp_path / f"{name}.yaml").write_text(SPEC.format(layers="\n".join(f"  - {line}" for line in lines)))
    result = run("diff", "old.yaml", "new.yaml", "-o", "d.svg", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "added" in result.stdout
    root = ElementTree.parse(tmp_path / "d.svg").getroot()
    boxes: dict[str, list[tuple[float, float]]] = {}
    for group in root.iter(f"{SVG}g"):
        if group.get("class") == "node":
            rect = group.find(f"{SVG}rect")
            assert rect is not None
            x, y, high = (float(rect.get(key, "nan")) for key in ("x", "y", "height"))
            title = (group.findtext(f"{SVG}title") or "").split(";")[0]
            boxes.setdefault(title, []).append((x, y + high / 2))
    (left, level), (right, beside) = boxes["altered: a"]
    assert left < right
    assert level == pytest.approx(beside, abs=0.1)
    ((gone, _),) = boxes["removed: gone"]
    ((came, _),) = boxes["added: came"]
    assert (gone, came) == (left, right)


@pytest.mark.parametrize("fit", ["column", "page", "readme", "slide"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_is_read_in_every_fit(fit: str, theme: str) -> None:
    svg = svg_of("alexnet", "alexnet_2012", fit=fit, theme=theme)
    root = ElementTree.fromstring(svg)
    width = re.fullmatch(r"([\d.]+)(pt)?", root.get("width", ""))
    assert width
    _, _, across, down = map(float, root.get("viewBox", "").split())
    point = float(width[1]) / across
    most = {"column": 237.6, "page": 496.8, "readme": 700, "slide": 1280}[fit]
    assert float(width[1]) <= most + 0.1
    high = {"column": 648, "page": 648, "slide": 720}.get(fit)
    if high is not None:
        assert down * point <= high + 0.1
    assert any(text.startswith("Further rows") for text in texts(svg)) == (high is not None)
    sizes = [float(text.get("font-size", "nan")) for text in root.iter(f"{SVG}text")]
    assert min(sizes) * point >= (7 if width[2] else 11) - 0.01
    for text in root.iter(f"{SVG}text"):
        assert 0 < float(text.get("x", "nan")) < across
        assert 0 < float(text.get("y", "nan")) < down
        assert float(text.get("x", "nan")) + float(text.get("textLength", "0")) < across + 0.1 or text.get(
            "text-anchor"
        )


def test_very_many_changes_are_bounded() -> None:
    layers = ", ".join(f"'conv({i % 97 + 1}, 1)'" for i in range(800))
    other = ", ".join(f"'conv({i % 89 + 2}, 1)'" for i in range(800))
    old, new = (archlens.loads(f"{{input: 1x8x8, layers: [{text}]}}") for text in (layers, other))
    svg = to_bytes(Changes(difference.find(old, new), ("old", "new")), "svg").decode()
    assert len(svg) < 150_000
    assert any(
        re.fullmatch(r"Further rows, [\d,]+ of them, are left to the table\.", text) for text in texts(svg)
    )


def test_names_are_text(tmp_path: Path) -> None:
    for name, channels in (("<b>", 2), ("&amp;", 3)):
        (tmp_path / f"{name}.yaml").write_text(
            f"input: 1x8x8\nlayers:\n  - '<i>{'n' * 300}': conv({channels}, 3)\n"
        )
    result = run("diff", "<b>.yaml", "&amp;.yaml", "-o", "d.svg", cwd=tmp_path)
    if result.returncode == 0:
        svg = (tmp_path / "d.svg").read_text()
        assert "<b>" not in svg
        assert "<i>" not in svg
        assert "&lt;b&gt;.yaml" in svg


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("resnet18", "resnet34", "--fit", "column"), "--fit is for a picture, but none is written"),
        (("resnet18", "resnet34", "--theme", "dark", "-o", "x.md"), "--theme is for a picture"),
        (("resnet18", "resnet34", "--fit", "1mm", "-o", "x.svg"), "1mm is too narrow"),
        (("resnet18", "resnet34", "--theme", "auto", "-o", "x.png"), "a .png has one theme"),
    ],
)
def test_what_cannot_be_drawn(options: tuple[str, ...], message: str, tmp_path: Path) -> None:
    result = run("diff", *options, cwd=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert not [*tmp_path.iterdir()]


def test_families_are_no_picture(tmp_path: Path) -> None:
    text = "params: {k: 3}\nvariants: {one: {k: 3}, two: {k: 5}}\ninput: 1x8x8\nlayers: ['conv(2, k)']\n"
    (tmp_path / "old.yaml").write_text(text)
    (tmp_path / "new.yaml").write_text(text)
    result = run("diff", "old.yaml", "new.yaml", "-o", "x.svg", cwd=tmp_path)
    assert result.returncode == 2
    assert "have 2 variants in common" in result.stderr
    assert not (tmp_path / "x.svg").exists()
