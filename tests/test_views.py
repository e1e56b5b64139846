"""The output forms: golden files, each with a meaning checked on it, and what must hold for any network."""

from __future__ import annotations

import csv as csv_module
import io
import json as json_module
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

import archlens
from archlens.analysis import repeats
from archlens.analysis.study import Study
from archlens.forms import csv, html, markdown, text
from archlens.forms.table import Table
from archlens.network import Network
from archlens.views import explanation, json, shapes_table
from archlens.views.columns import COLUMNS, choose
from archlens.views.rows import Row, readable, rows_of

GOLDEN = Path(__file__).parent / "golden"

NAMES = [
    "lenet5",
    "lenet5_1998",
    "alexnet_2012",
    "vgg16",
    "googlenet",
    "googlenet_2014",
    "resnet50",
    "mobilenet_v1",
    "convnext_tiny",
    "vit_b_32",
    "swin_v2_t",
    "maxvit_t",
]


def numbers(text: str, column: int) -> list[int]:
    """One column of counts of a plain or Markdown table, read from the right; brackets are left out."""
    found = []
    for line in text.splitlines():
        cells = [cell.strip(" *") for cell in re.split(r" *\| *" if "|" in line else "  +", line.strip(" |"))]
        if (
            len(cells) > 2
            and re.fullmatch(r"[\d,]+", cells[column])
            and re.fullmatch(r"\(?[\d,]+\)?", cells[-1])
        ):
            found.append(int(cells[column].replace(",", "")))
    return found


def adds_up(text: str) -> None:
    """In a table the numbers of a column add up to the total beneath it."""
    for column in (-2, -1):
        *parts, total = numbers(text, column)
        assert parts
        assert sum(parts) == total


def csv_adds_up(text: str) -> None:
    rows = list(csv_module.DictReader(io.StringIO(text)))
    assert sum(int(row["params"]) for row in rows) == 61_100_840  # torchvision's num_params
    assert sum(int(row["macs"]) for row in rows) == 714_188_480


def json_adds_up(text: str) -> None:
    data = json_module.loads(text)
    for key in ("params", "macs"):
        assert sum(layer[key] for layer in data["layers"]) == data["totals"][key]


def sizes_hold(text: str) -> None:
    """Every printed formula comes out as it says."""
    found = re.findall(r"\((\d+) \+ 2\*(\d+) - (\d+)\)/(\d+) \+ 1 = (\d+)$", text, re.MULTILINE)
    assert found
    for n, p, f, s, out in (map(int, groups) for groups in found):
        assert (n + 2 * p - f) / s + 1 == out


TOKENS = """
title: Tokens
input: 4x8x8
layers:
  - conv: conv(8, 1)
  - scale: layer_scale
  - windows: window_partition(4)
  - relative: relative_attention(2, 4)
  - map: window_reverse(4, 8)
  - last: channels_last
  - window: window_attention(2, 4, shift=2)
  - v2: window_attention_v2(2, 4)
  - merge: merge_patches
  - linear: linear(8)
  - tokens: tokens
  - class: class_token
  - position: position_embedding
  - attention: self_attention(4)
  - first: slice(0, 1, axis="length")
  - flat: flatten
"""


def tokens() -> Network:
    """A small network of the ops that work on tokens and windows."""
    return archlens.loads(TOKENS)


def products_add_up(text: str) -> None:
    """What each derivation of MACs ends in adds up to those of the headline's layers, counted by hand.

    8 channels: a convolution of 64 positions; three attentions over 64 positions in windows of 16, one with
    a bias by a network of 7*7 relative positions; a linear layer over 16; one attention over 17 tokens.
    """
    lines = [line for line in text.splitlines() if line.startswith("  MACs ") and " = " in line]
    ends = [int(line.rpartition(" = ")[2].replace(",", "")) for line in lines]
    windows = 4 * 64 * 8 * 8 + 2 * 64 * 16 * 8
    bias, tokens = 49 * 512 * (2 + 2), 4 * 17 * 8 * 8 + 2 * 17 * 17 * 8
    assert ends == [64 * 4 * 8, windows, windows, windows + bias, 16 * 32 * 8, tokens]


CASES: dict[str, tuple[Callable[[], str], Callable[[str], None]]] = {
    "lenet5.txt": (lambda: shown(archlens.load("lenet5")), adds_up),
    "lenet5_1998.md": (lambda: markdown_of("lenet5_1998"), adds_up),
    "googlenet_2014_depth1.txt": (lambda: table_of("googlenet_2014", depth=1), adds_up),
    "resnet50_folded.txt": (lambda: table_of("resnet50", depth=2, fold=True), adds_up),
    "resnet50_all_folded.txt": (lambda: table_of("resnet50", fold=True), adds_up),
    "vgg16_narrow.txt": (lambda: table_of("vgg16", width=72), adds_up),
    "alexnet.csv": (
        lambda: csv.write(table("alexnet")),
        csv_adds_up,
    ),
    "lenet5.json": (lambda: json.to_json(archlens.study("lenet5")), json_adds_up),
    "lenet5.html": (lambda: html.write(table("lenet5")), lambda text: None),
    "explain_alexnet_2012.txt": (lambda: explained("alexnet_2012"), sizes_hold),
    "explain_tokens.txt": (lambda: explanation.to_text(tokens(), tokens().layers), products_add_up),
    "tokens.txt": (lambda: shown(tokens()), adds_up),
    "convnext_tiny_folded.txt": (lambda: table_of("convnext_tiny", fold=True), adds_up),
}


def table_of(name: str, depth: int | None = None, fold: bool = False, width: int | None = None) -> str:
    return text.write(replace(table(name, depth, fold), headline=""), width)


def table(name: str, depth: int | None = None, fold: bool = False) -> Table:
    network = archlens.load(name)
    return shapes_table.table(network, rows_of(network, depth, fold))


def shown(network: Network) -> str:
    """A network as a page shows it: folded where it would be long."""
    return text.write(shapes_table.table(network, readable(network)))


def test_what_repeats_is_found_once_however_deep_it_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    scopes = "{each: i, in: range(100), do: {'a{i}': {b: {c: {d: 'conv(i + 1, 1)'}}}}}"
    network = archlens.loads(f"input: 3x4x4\nlayers: [{scopes}]\n")
    found = Mock(side_effect=repeats.Repeats)
    monkeypatch.setattr(repeats, "Repeats", found)
    assert [row.name for row in readable(network)] == [f"a{i}" for i in range(100)]
    found.assert_called_once_with(network)


def markdown_of(name: str) -> str:
    return markdown.write(table(name))


def explained(name: str) -> str:
    network = archlens.load(name)
    return explanation.to_text(network, network.layers)


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str, update: bool) -> None:
    make, check = CASES[name]
    text = make()
    check(text)
    if update:
        (GOLDEN / name).write_text(text + "\n", "utf-8")
    assert text + "\n" == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("depth", [None, 1, 2, 3])
@pytest.mark.parametrize("fold", [False, True])
def test_rows_add_up_to_the_totals(name: str, depth: int | None, fold: bool) -> None:
    """However scopes and repeats are folded, nothing is lost and nothing counted twice."""
    network = archlens.load(name)
    rows = rows_of(network, depth, fold)
    assert sum(row.params for row in rows) == network.params
    assert sum(row.macs for row in rows if not row.training) == network.macs
    assert sum(row.repeats * len(row.layers) for row in rows) == len(network.layers)


def test_a_layer_whose_name_begins_as_that_of_a_scope_is_outside() -> None:
    """``b1x`` does not lie in ``b1``: what reads it past ``b1`` is no repeat of that."""
    network = archlens.loads(
        """
        input: 4x8x8
        layers:
          - b1x: relu
          - b1: [one: "conv(4, 1)", add: [identity, ref(b1x)]]
          - b2: [one: "conv(4, 1)", add: [identity, ref(b1x)]]
        """
    )
    assert [row.name for row in rows_of(network, fold=True)][:2] == ["b1x", "b1.one"]


def test_identical_blocks_fold_and_different_ones_do_not() -> None:
    """ResNet-50 has 3, 4, 6 and 3 blocks a stage, of which each first one has a projection."""
    rows = rows_of(archlens.load("resnet50"), depth=2, fold=True)
    folded = {row.name: row.repeats for row in rows if row.repeats > 1}
    assert folded == {"layer1.1..2": 2, "layer2.1..3": 3, "layer3.1..5": 5, "layer4.1..2": 2}


def test_blocks_that_differ_in_a_rate_of_dropout_alone_fold() -> None:
    """Such a rate does nothing to shape or cost; the row says both ends."""
    found = {}
    for kind in ("stochastic_depth", "dropout"):
        network = archlens.loads(
            f"input: 4\nblocks:\n  b(rate): linear(4) >> {kind}(rate)\n"
            "layers:\n  - {each: rate, in: [0.1, 0.2, 0.3], do: b(rate)}\n"
        )
        found[kind] = [row.what for row in rows_of(network, fold=True)]
    assert found["stochastic_depth"] == ["linear(4)", "stochastic_depth(0.1 to 0.3)"]
    assert found["dropout"] == ["linear(4)", "dropout(p=0.1 to 0.3)"]


def test_channels_that_come_last_are_told() -> None:
    """In JSON by a key, under a table by a sentence; and nowhere where there are none."""
    data = {layer["name"]: layer for layer in json.to_data(archlens.study(tokens()))["layers"]}
    assert data["tokens"]["layout"] == "channels last"
    assert data["tokens"]["output"] == [16, 8]
    assert data["scale"]["weights"] == {"": [8, 1, 1]}
    assert "layout" not in data["conv"]
    assert "positions x channels" in shown(tokens())
    assert "positions x channels" not in shown(archlens.load("lenet5"))


def test_blocks_that_differ_in_wiring_alone_do_not_fold() -> None:
    """The same ops and shapes, but the second block reads the first one's inside."""
    network = archlens.loads(
        """
input: 4x8x8
layers:
  - a: [one: "conv(4, 3, padding=1)", two: "conv(4, 3, padding=1)"]
  - b: [one: "conv(4, 3, padding=1)", two: "conv(4, 3, padding=1)"]
  - c: [one: "conv(4, 3, padding=1)", ref(one), two: "conv(4, 3, padding=1)"]
  - d: [one: "conv(4, 3, padding=1)", ref("c.one"), two: "conv(4, 3, padding=1)"]
"""
    )
    assert [(row.name, row.repeats) for row in rows_of(network, 1, fold=True)] == [("a..c", 3), ("d", 1)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160])
def test_tables_fit_the_width(name: str, width: int) -> None:
    """No line is longer than the terminal; numbers are never cut or wrapped."""
    network = archlens.load(name)
    fitted = table_of(name, depth=2, width=width)
    assert max(map(len, fitted.splitlines())) <= max(width, 48)
    assert f"{network.macs:,}" in fitted
    assert f"{network.params:,}" in fitted


def test_numbers_are_aligned_to_the_right() -> None:
    """Also those without a total: field, stride, start and centre; what is clipped is a word."""
    network = archlens.load("lenet5")
    columns = choose("layer,output,field,stride,start,centre,clipped,params")
    made = shapes_table.table(network, rows_of(network), columns)
    _, _, head, rule, *_ = text.write(made).split("\n")
    for title in ("field", "effective stride", "start", "centre", "params"):
        end = head.index(title) + len(title)
        assert rule[end - 1 : end + 1] in ("- ", "-")
    assert head.index("clipped") == rule.index("-------", head.index("clipped"))
    marks = markdown.write(made).split("\n")[3]
    assert [mark.strip()[-1] for mark in marks.strip("|").split("|")] == [*"--::::-:"]
    first = html.write(made).partition("</tr>")[0]
    assert re.findall(r"text-align: (\w+)", first) == ["left"] * 2 + ["right"] * 4 + ["left", "right"]


def test_columns() -> None:
    network = archlens.load("lenet5")
    assert choose("layer, MACs") == ("layer", "macs")
    columns = choose("layer,from,input,family,weights,output")
    listed = text.write(shapes_table.table(network, rows_of(network), columns))
    assert "C3" in listed
    assert "S2" in listed
    assert "weight 16x6x5x5, bias 16" in listed
    with pytest.raises(archlens.UsageError, match="no column parms") as caught:
        choose("layer,parms")
    assert caught.value.diagnostic.help == "did you mean params?"
    with pytest.raises(archlens.UsageError, match="no column is named"):
        choose(" , ")


def test_every_column_has_text_and_value() -> None:
    network = archlens.load("resnet50")
    study = Study(network)
    row = rows_of(network)[0]
    scope = rows_of(network, depth=1)[4]
    assert isinstance(scope, Row)
    for column in COLUMNS.values():
        assert isinstance(column.text(row, study), str)
        assert isinstance(column.text(scope, study), str)
        assert isinstance(column.value(row, study), str | int)


def test_hostile_names_are_escaped() -> None:
    """No name or title can steer a terminal, a page or a Markdown table."""
    network = archlens.loads(
        "title: \"<b>x|y\\e[31m\"\ninput: 3x8x8\nlayers:\n  - '<script>|': conv(4, 3)\n  - '`a`': relu\n"
    )
    made = shapes_table.table(network, rows_of(network))
    assert "<script>" not in html.write(made)
    assert "&lt;script&gt;" in html.write(made)
    assert "\x1b" not in shown(network) + html.write(made) + markdown.write(made)
    assert "&lt;script&gt;\\|" in markdown.write(made)
    assert json_module.loads(json.to_json(archlens.study(network)))["layers"][0]["name"] == "<script>|"


def test_json_of_several_inputs_and_training_heads() -> None:
    network = archlens.loads(
        """
input: {image: 3x8x8, depth: 1x8x8}
layers:
  - concat: [ref(image), ref(depth)]
  - conv: conv(2, 1)
outputs:
  aux: {training: 'conv(5, 1)'}
"""
    )
    data = json_module.loads(json.to_json(archlens.study(network)))
    assert data["input"] == {"image": [3, 8, 8], "depth": [1, 8, 8]}
    assert data["outputs"] == {"out": "conv", "aux": "aux"}
    assert data["layers"][0]["inputs"] == ["image", "depth"]
    # by hand: 4 channels to 2 with a bias, and the head from 2 channels to 5
    assert data["totals"] == {"params": (4 * 2 + 2) + (2 * 5 + 5), "macs": 64 * 8, "training_macs": 64 * 10}
    assert [layer.get("training", False) for layer in data["layers"]] == [False, False, True]
    assert "(640)" in shown(network)


def test_a_long_network_shows_itself_folded() -> None:
    assert len(shown(archlens.load("resnet152")).splitlines()) < 90
    assert len(shown(archlens.load("vgg16")).splitlines()) > 40


def test_network_in_a_notebook() -> None:
    text = archlens.load("lenet5")._repr_html_()
    assert text.count("<tr>") == 12 + 2
    assert '<td style="text-align: right; padding: 0.1em 0.7em">61,706</td>' in text
