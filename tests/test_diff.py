"""What changed between two networks: alignment by structure, totals, and specs as they were at a revision."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import archlens
from archlens.analysis import difference
from archlens.analysis.difference import ADDED, AFFECTED, ALTERED, REMOVED, SAME, Difference
from archlens.analysis.structure import fingerprint
from archlens.cli import cli
from archlens.network import Network
from archlens.views import difference_table

from . import running
from .work import calls_made

BASE = """\
input: 3x32x32
layers:
  - stem:
      - conv: conv(16, 3, padding=1, bias=false)
      - bn: batch_norm
      - relu
  - body:
      - conv1: conv(32, 3, padding=1)
      - relu
      - conv2: conv(32, 3, padding=1)
      - relu
  - pool: global_avg_pool
  - flatten
  - fc: linear(10)
"""


def between(old: str | Network, new: str | Network) -> Difference:
    """The difference, of which every layer is told exactly once, in order, and which adds up."""
    a, b = (archlens.loads(one) if isinstance(one, str) else one for one in (old, new))
    found = difference.find(a, b)
    assert [pair.old for pair in found.pairs if pair.old] == list(a.layers)
    assert [pair.new for pair in found.pairs if pair.new] == list(b.layers)
    assert sum(pair.params for pair in found.pairs) == b.params - a.params
    assert sum(pair.macs for pair in found.pairs) == b.macs - a.macs
    return found


def counts(found: Difference) -> dict[str, int]:
    return dict(Counter(pair.kind for pair in found.pairs))


def groups(found: Difference, kind: str) -> list[tuple[str, str, int]]:
    return [(group.name, group.what, group.repeats) for group in found.groups(kind)]


# --- alignment -------------------------------------------------------------------------------------


def test_the_same() -> None:
    found = between(BASE, BASE)
    assert found.empty
    assert counts(found) == {SAME: 10}


def test_renamed_scope() -> None:
    found = between(BASE, BASE.replace("body:", "trunk:"))
    assert counts(found) == {SAME: 10}
    assert not found.empty
    assert found.renamings == [("body", "trunk", 4)]


def test_everything_wrapped_in_a_scope() -> None:
    head, layers = BASE.split("layers:\n")
    inner = "".join(f"    {line}\n" for line in layers.splitlines())
    found = between(BASE, f"{head}layers:\n  - all:\n{inner}")
    assert counts(found) == {SAME: 10}


def test_inserted_block_and_shifted_numbers() -> None:
    blocks = 'input: 8x16x16\nblocks:\n  b(n): ["conv(n, 3, padding=1)", relu]\nlayers:\n'
    steps = ["b(8)", "b(16)", "b(16)", "b(32)"]
    old = blocks + "  - net:\n" + "".join(f"      - {step}\n" for step in steps)
    new = blocks + "  - net:\n" + "".join(f"      - {step}\n" for step in [*steps[:1], "b(12)", *steps[1:]])
    found = between(old, new)
    assert counts(found) == {SAME: 7, ADDED: 2, AFFECTED: 1}  # the next convolution has 12 inputs, not 8
    assert groups(found, ADDED) == [("net.1", "b", 1)]


def test_changed_width() -> None:
    found = between(BASE, BASE.replace("conv1: conv(32", "conv1: conv(48"))
    assert counts(found) == {SAME: 7, ALTERED: 1, AFFECTED: 2}
    (altered,) = found.of(ALTERED)
    assert altered.what == "conv: channels 32 -> 48"
    assert (altered.params, altered.macs) == (16 * (16 * 9 + 1), 16 * 16 * 9 * 32 * 32)
    relu, conv2 = found.of(AFFECTED)
    assert relu.params == relu.macs == 0
    assert conv2.params == 32 * 16 * 9
    assert conv2.what == "on 32x32x32 -> 32x32x32, now 48x32x32 -> 32x32x32"


def test_renamed_widened_and_inserted_at_once() -> None:
    """What follows the layer that it followed is the one that was there; the rest is new, together."""
    old = "input: 3x16x16\nblocks:\n  e(c): ['conv(c, 3, padding=1)', batch_norm, relu]\nlayers:\n"
    steps = "  - a: e(8)\n  - mid: e(16)\n  - out: conv(5, 1)\n"
    new = steps.replace("a: e(8)", "a: e(12)").replace(
        "- mid: e(16)", "- bottom: e(16)\n  - extra:\n      - residual: e(16)"
    )
    found = between(old + steps, old + new)
    assert found.renamings == [("mid", "bottom", 3)]
    assert groups(found, ADDED) == [("extra", "", 1)]


def test_another_op() -> None:
    found = between(BASE, BASE.replace("      - relu\n  - pool", "      - gelu\n  - pool"))
    (altered,) = found.of(ALTERED)
    assert altered.what == "relu -> gelu"
    assert counts(found) == {SAME: 9, ALTERED: 1}


def test_several_attributes() -> None:
    found = between(BASE, BASE.replace("conv(16, 3, padding=1, bias=false)", "conv(16, 5, padding=2)"))
    assert found.of(ALTERED)[0].what == "conv: kernel 3 -> 5, padding 1 -> 2, bias false -> true"


def test_rewired() -> None:
    text = "input: 3x8x8\nlayers:\n  - a: conv(3, 1)\n  - b: conv(3, 1)\n  - c: relu\n"
    text += "  - add: [ref(a), identity]\n"
    found = between(text, text.replace("[ref(a), identity]", "[ref(b), identity]"))
    (altered,) = found.of(ALTERED)
    assert altered.what == "reads a -> b"
    assert counts(found) == {SAME: 3, ALTERED: 1}


@pytest.mark.parametrize(
    ("merge", "kinds"),
    [
        ("add: [ref(b), ref(a), ref(c)]", {SAME: 4}),
        ("add: [ref(b), ref(b), ref(c)]", {SAME: 3, ALTERED: 1}),
    ],
)
def test_the_order_of_what_is_added_is_no_difference(merge: str, kinds: dict[str, int]) -> None:
    text = "input: 3x8x8\nlayers:\n  - a: conv(3, 1)\n  - b: conv(3, 1)\n  - c: conv(3, 1)\n  - "
    assert counts(between(text + "add: [ref(a), ref(b), ref(c)]\n", text + merge + "\n")) == kinds


@pytest.mark.parametrize(
    ("first", "second", "altered"),
    [
        ("[ref(a), ref(b)]", "[ref(a), ref(b), ref(c), ref(a)]", []),
        (
            "[ref(b), ref(a)]",
            "[ref(b), ref(a), ref(c), ref(a)]",
            ["reads a -> b, reads b -> a", "3 inputs -> 4"],
        ),
        ("[ref(a), ref(b)]", "[ref(a), ref(c), ref(b), ref(a)]", ["3 inputs -> 4"]),
        ("[ref(a), ref(b)]", "[ref(a), ref(b), ref(c), ref(b)]", ["3 inputs -> 4"]),
    ],
)
def test_tensors_that_were_gathered_before_are_no_difference(
    first: str, second: str, altered: list[str]
) -> None:
    """As DenseNet is said: layer by layer, or from the list of all."""
    text = "input: 3x8x8\nlayers:\n  - a: conv(3, 1)\n  - b: conv(4, 1)\n  - c: conv(5, 1)\n"
    grown = text + "  - first:\n      concat: [ref(a), ref(b)]\n"
    grown += "  - second:\n      concat: [ref(first), ref(c), ref(a)]\n"
    listed = text + f"  - first:\n      concat: {first}\n  - second:\n      concat: {second}\n"
    found = between(grown, listed)
    assert [pair.what for pair in found.of(ALTERED)] == altered


def test_removed() -> None:
    found = between(BASE, BASE.replace("      - bn: batch_norm\n", ""))
    assert groups(found, REMOVED) == [("stem.bn", "batch_norm", 1)]
    assert counts(found) == {SAME: 9, REMOVED: 1}


def test_other_input() -> None:
    found = between(BASE, BASE.replace("3x32x32", "3x64x64"))
    assert found.boundary
    assert counts(found) == {SAME: 2, AFFECTED: 8}  # from the pooling on nothing depends on the size
    assert not between("input: 3x8x8\nlayers: [relu]", "input: 3x8x8\nlayers: [relu]").boundary


TWO = """\
input: {l: 4x8x8, r: 4x8x8}
layers:
  - add:
      left: [ref(l), relu]
      right: [ref(r), relu]
outputs:
  aux: ref(left)
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("l: 4x8x8, r: 4x8x8", "r: 4x8x8, l: 4x8x8", "inputs: l 4x8x8, r 4x8x8 -> r 4x8x8, l 4x8x8"),
        ("aux:", "side:", "outputs: out from add, aux from left.0 -> out from add, side from left.0"),
        (
            "aux: ref(left)",
            "aux: ref(right)",
            "outputs: out from add, aux from left.0 -> out from add, aux from right.0",
        ),
        (
            "  aux: ref(left)\n",
            "  aux: ref(left)\n  b: ref(right)\n",
            "outputs: out from add, aux from left.0 -> out from add, aux from left.0, b from right.0",
        ),
    ],
)
def test_what_goes_in_and_comes_out(old: str, new: str, said: str) -> None:
    """Where no layer is another one, what a caller sees may be."""
    assert old in TWO
    found = between(TWO, TWO.replace(old, new))
    assert set(counts(found)) == {SAME}
    assert found.boundary == [said]
    assert not found.empty
    assert difference.find(found.old, found.old).empty


THREE = TWO + "  more: ref(right)\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # the order in which a caller gets them
        (
            "  aux: ref(left)\n  more: ref(right)\n",
            "  more: ref(right)\n  aux: ref(left)\n",
            "outputs: out from add, aux from left.0, more from right.0 "
            "-> out from add, more from right.0, aux from left.0",
        ),
        # the same names, from each other's layers
        (
            "  aux: ref(left)\n  more: ref(right)\n",
            "  aux: ref(right)\n  more: ref(left)\n",
            "outputs: out from add, aux from left.0, more from right.0 "
            "-> out from add, aux from right.0, more from left.0",
        ),
        (
            "  more: ref(right)\n",
            "",
            "outputs: out from add, aux from left.0, more from right.0 -> out from add, aux from left.0",
        ),
        # straight from an input
        (
            "  more: ref(right)\n",
            "  more: ref(r)\n",
            "outputs: out from add, aux from left.0, more from right.0 "
            "-> out from add, aux from left.0, more from r",
        ),
    ],
)
@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_outputs_that_changed_are_told(tmp_path: Path, old: str, new: str, said: str, form: str) -> None:
    """In every form, though every layer is as it was."""
    assert old in THREE
    (tmp_path / "a.yaml").write_text(THREE)
    (tmp_path / "b.yaml").write_text(THREE.replace(old, new))
    arguments = ["diff", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), "--format", form]
    shown = CliRunner().invoke(cli, arguments).stdout
    if form == "json":
        assert json.loads(shown)["boundary"] == [said]
    else:
        assert said in shown.replace("-\\>", "->").replace("&gt;", ">")
        assert "Inputs or outputs differ" in shown or form == "markdown"


def test_an_output_whose_layer_has_another_name_is_the_same() -> None:
    """It comes from the layer that it came from; what was renamed is told once."""
    found = between(THREE, THREE.replace("left", "west"))
    assert found.boundary == []
    assert found.renamings == [("left", "west", 1)]


def test_resnet101_is_resnet50_with_17_blocks_more() -> None:
    found = between(archlens.load("resnet50"), archlens.load("resnet101"))
    assert groups(found, ADDED) == [("layer3.6..22", "bottleneck", 17)]
    assert counts(found) == {SAME: 175, ADDED: 170}
    assert found.renamings == []


def test_resnet152() -> None:
    found = between(archlens.load("resnet50"), archlens.load("resnet152"))
    assert groups(found, ADDED) == [("layer2.4..7", "bottleneck", 4), ("layer3.6..35", "bottleneck", 30)]
    found = between(archlens.load("resnet152"), archlens.load("resnet50"))
    assert groups(found, REMOVED) == [("layer2.4..7", "bottleneck", 4), ("layer3.6..35", "bottleneck", 30)]


def test_vgg16_bn_is_vgg16_with_13_normalizations() -> None:
    """Every name after the first is another one, and by name nothing would fit."""
    found = between(archlens.load("vgg16"), archlens.load("vgg16_bn"))
    assert counts(found) == {SAME: 40, ADDED: 13}
    assert {what for _, what, _ in groups(found, ADDED)} == {"batch_norm"}
    for pair in found.of(SAME):
        assert pair.old is not None
        assert pair.new is not None
        assert pair.old.op == pair.new.op


def test_heads_for_training_are_added() -> None:
    found = between(archlens.load("googlenet"), archlens.load("googlenet_aux"))
    assert [name for name, _, _ in groups(found, ADDED)] == ["aux1", "aux2"]
    assert sum(pair.macs for pair in found.pairs) == 0


def test_networks_that_have_little_in_common() -> None:
    names = ["lenet5", "alexnet", "vgg16", "googlenet", "resnet50", "mobilenet_v1"]
    for one in names:
        for other in names:
            found = between(archlens.load(one), archlens.load(other))
            assert found.empty == (one == other)


def plain(steps: list[str]) -> Network:
    return archlens.loads("input: 4x8x8\nlayers:\n" + "".join(f"  - {step}\n" for step in steps))


@settings(max_examples=40)
@given(
    st.lists(
        st.sampled_from(["relu", "tanh", "conv(4, 1)", "conv(5, 3, padding=1)"]), min_size=1, max_size=12
    ),
    st.lists(
        st.sampled_from(["relu", "tanh", "conv(4, 1)", "conv(5, 3, padding=1)"]), min_size=1, max_size=12
    ),
)
def test_any_two_networks_add_up(old: list[str], new: list[str]) -> None:
    found = between(plain(old), plain(new))
    back = between(plain(new), plain(old))
    assert len(found.of(ADDED)) == len(back.of(REMOVED))


def test_large_networks_take_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no pair weighed against another, equal layers are aligned all the same."""
    steps = ["conv(4, 3, padding=1)", "relu"] * 40
    changed = ["tanh", *steps[:20], "gelu", *steps[20:30], *steps[32:], "tanh"]
    monkeypatch.setattr(difference, "_MAX_CELLS", 0)
    found = between(plain(steps), plain(changed))
    assert counts(found) == {SAME: 78, ADDED: 3, REMOVED: 2}
    monkeypatch.setattr(difference, "_MAX_EDITS", 1)
    found = between(plain(steps), plain([*steps[:7], "tanh", *steps[8:]]))
    assert counts(found)[SAME] >= 40


def test_large_networks_that_changed_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where too many layers differ to be weighed, a layer is still the one of the same name, or kind."""
    monkeypatch.setattr(difference, "_MAX_CELLS", 4)
    monkeypatch.setattr(difference, "_MAX_EDITS", 9)
    steps = [f"c{n}: conv({4 + n % 3}, 3, padding=1)" for n in range(20)]
    wider = [step.replace("conv(", "conv(1") for step in steps]
    found = between(plain(steps), plain(wider))
    assert counts(found) == {ALTERED: 20}
    assert found.renamings == []
    inserted = [*wider[:3], "extra: tanh", *wider[3:15], *wider[17:]]
    found = between(plain(steps), plain(inserted))
    assert counts(found) == {ALTERED: 18, ADDED: 1, REMOVED: 2}
    assert [(pair.old.name, pair.new.name) for pair in found.pairs if pair.old and pair.new] == [
        (name, name) for name in (step.partition(":")[0] for step in steps) if name not in ("c15", "c16")
    ]
    found = between(plain(steps), plain([step.replace("c", "d", 1) for step in wider]))
    assert counts(found) == {ALTERED: 20}


def test_what_changed_between_equal_layers_of_large_networks_is_weighed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One layer against another each time, which is less than all five against five."""
    monkeypatch.setattr(difference, "_MAX_CELLS", 3)
    old = [f"{name}: conv(4, 3, padding=1)" for name in "pqr"]
    new = [f"{name}: conv(4, 5, padding=2)" for name in "pqr"]
    found = between(
        plain([old[0], "a: tanh", old[1], "b: relu", old[2]]),
        plain([new[0], "a: tanh", new[1], "b: relu", new[2]]),
    )
    assert counts(found) == {ALTERED: 3, SAME: 2}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["a: relu", "b: relu", "c: conv(4, 1)"], ["b: relu", "c: conv(4, 1)"]),
        (["c: tanh", "b: relu", "a: relu"], ["c: tanh", "b: relu"]),
        (["d: tanh", "b: relu", "a: relu"], ["e: conv(4, 1)", "b: relu"]),
    ],
)
def test_of_two_layers_that_are_alike_the_one_of_the_same_name_stays(old: list[str], new: list[str]) -> None:
    found = between(plain(old), plain(new))
    assert [pair.old.name for pair in found.of(REMOVED) if pair.old] == ["d"] * ("d" in old[0]) + ["a"]
    assert found.renamings == []


def test_a_layer_is_the_one_that_differs_the_least() -> None:
    found = between(plain(["x: conv(4, 3)"]), plain(["y: conv(5, 5, stride=2, padding=2)", "z: conv(4, 1)"]))
    assert [(pair.old and pair.old.name, pair.new and pair.new.name) for pair in found.pairs] == [
        (None, "y"),
        ("x", "z"),
    ]


def test_how_an_attribute_is_written_is_no_difference() -> None:
    old = ["conv(4, 1)", "max_pool(2)", "avg_pool((2, 1))"]
    new = [
        "conv(4, (1, 1), (1, 1), padding=(0, 0))",
        "max_pool(2, stride=2)",
        "avg_pool((2, 1), stride=(2, 1))",
    ]
    found = between(plain(old), plain(new))
    assert found.empty
    assert fingerprint(found.old) == fingerprint(found.new)
    changed = between(plain(old), plain([*new[:1], "max_pool(2, stride=1)", new[2]]))
    assert [pair.what for pair in changed.of(ALTERED)] == ["max_pool: stride 2 -> 1"]
    assert fingerprint(changed.old) != fingerprint(changed.new)


@pytest.mark.slow
def test_work_grows_with_the_layers() -> None:
    """Ten times as many layers, three of them changed, take about ten times the work."""

    def work(count: int) -> int:
        steps = ["conv(4, 3, padding=1)", "relu"] * count
        changed = ["tanh", *steps]
        changed[count] = "gelu"
        old, new = plain(steps), plain([*changed, "tanh"])
        found = []
        took = calls_made(lambda: found.append(difference.find(old, new)))
        assert len(found[0].of(SAME)) >= 2 * count - 3
        return took

    assert work(6000) < 20 * work(600)


# --- the command -----------------------------------------------------------------------------------


def diff(*args: str) -> Result:
    return CliRunner().invoke(cli, ["diff", *args])


def test_fingerprints_are_taken_for_json_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(difference_table, "fingerprint")
    assert diff("lenet5", "lenet1").exit_code == 0
    assert isinstance(diff("lenet5", "lenet1", "--format", "json").exception, NameError)


def run(*args: str, cwd: Path | None = None) -> running.Ended:
    return running.run("diff", *args, cwd=cwd)


def test_table() -> None:
    """Both networks' params by torchvision, and the layers that He et al. name them after."""
    text = diff("resnet50", "resnet101").stdout
    rows = [re.split(r"  +", line) for line in text.splitlines()]
    assert ["params", "25,557,032", "44,549,160", "+18,992,128 = +74.3 %"] in rows
    assert ["depth", "50", "101", "+51 = +102.0 %"] in rows
    assert ["receptive field", "427x427", "971x971", "+127.4 %"] in rows
    assert ["smallest input", "1x1", "1x1"] in rows
    assert [
        "added",
        "layer3.6..22 x17",
        "bottleneck: 10 layers each",
        "+18,992,128",
        "+3,712,221,184",
    ] in rows
    assert "170 added; 175 layers are the same." in text


def test_lines_add_up() -> None:
    text = diff("lenet5", "lenet5_1998").stdout
    rows = [re.split(r"  +", line) for line in text.splitlines()]
    changes = [row for row in rows if row[0] in (ADDED, REMOVED, ALTERED, AFFECTED)]
    numbers = [[int(cell.replace(",", "")) for cell in row[-2:]] for row in changes]
    assert [sum(column) for column in zip(*numbers, strict=True)] == [60_000 - 61_706, 325_680 - 416_520]


def test_markdown_is_for_a_pull_request() -> None:
    text = diff("vgg16", "vgg16_bn", "--format", "markdown").stdout
    assert text.startswith("### vgg16 → vgg16\\_bn\n")
    assert "| params           |    138,357,544 |    138,365,992 |" in text
    assert text.count("<details>") == text.count("</details>") == 1
    assert "- renumbered in features: 30 layers" in text


def test_json() -> None:
    data = json.loads(diff("resnet50", "resnet101", "--format", "json").stdout)
    assert data["schema"] == "archlens.diff/1"
    assert data["identical"] is False
    assert data["totals"]["params"] == {"old": 25_557_032, "new": 44_549_160}
    assert data["totals"]["receptive_field"] == {"old": [427, 427], "new": [971, 971]}
    assert len(data["changes"]) == 170
    assert data["unchanged"] == 175
    assert sum(change["params"] for change in data["changes"]) == 44_549_160 - 25_557_032
    assert data["structure"][0] != data["structure"][1]


def test_exit_code() -> None:
    assert diff("resnet50", "resnet101").exit_code == 0
    assert diff("resnet50", "resnet101", "--exit-code").exit_code == 1
    assert diff("resnet50", "resnet50", "--exit-code").exit_code == 0
    assert "The two are the same." in diff("resnet50", "resnet50").stdout


def test_hostile_names_are_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, width in (("a.yaml", 3), ("b.yaml", 4)):
        Path(name).write_text(f"input: 1x8x8\nlayers:\n  - '<script>|': conv({width}, 3)\n")
    text = diff("a.yaml", "b.yaml", "--format", "markdown").stdout
    assert r"&lt;script&gt;\|" in text
    assert "<script>" not in text


def test_families_are_compared_variant_by_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = (
        "input: 1x8x8\nparams: {n: }\nlayers: ['conv(n, 3)']\nvariants:\n  small: {n: 2}\n  large: {n: 9}\n"
    )
    Path("a.yaml").write_text(text)
    Path("b.yaml").write_text(text.replace("large: {n: 9}", "large: {n: 8}\n  huge: {n: 99}"))
    result = diff("a.yaml", "b.yaml", "--exit-code")
    assert result.exit_code == 1
    assert "a.yaml:small -> b.yaml:small" in result.stdout
    assert "a.yaml:large -> b.yaml:large" in result.stdout
    data = json.loads(diff("a.yaml", "b.yaml", "--format", "json").stdout)
    assert [one["identical"] for one in data["networks"]] == [True, False]
    assert (data["added"], data["removed"]) == (["b.yaml:huge"], [])
    assert diff("a.yaml:small", "b.yaml:huge").stdout.startswith("a.yaml:small -> b.yaml:huge\n")
    Path("c.yaml").write_text(text.replace("small", "tiny").replace("large", "vast"))
    assert "a.yaml and c.yaml have no variant in common" in run("a.yaml", "c.yaml").stderr


def test_variants_that_only_one_family_has_are_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "input: 1x8x8\nparams: {n: }\nlayers: ['conv(n, 3)']\nvariants:\n  small: {n: 2}\n"
    Path("a.yaml").write_text(text)
    Path("b.yaml").write_text(f"{text}  huge: {{n: 99}}\n")
    for old, new, said in (("a", "b", "b.yaml:huge is new"), ("b", "a", "b.yaml:huge is gone")):
        names = f"{old}.yaml", f"{new}.yaml"
        result = diff(*names, "--exit-code")
        assert result.exit_code == 1
        assert result.stdout.endswith(f"The two are the same.\n\n{said}.\n")
        assert diff(*names, "--format", "markdown").stdout.endswith(f"\n\n### {said}\n")
        data = json.loads(diff(*names, "--format", "json").stdout)
        assert (data["identical"], len(data["networks"])) == (False, 1)
        assert data["added" if old == "a" else "removed"] == ["b.yaml:huge"]
    assert diff("a.yaml", "a.yaml", "--exit-code").exit_code == 0


# --- revisions -------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a network at a tag, another since, and a spec that was broken once."""

    def git(*args: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false", *args],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip

    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    (tmp_path / "nets").mkdir()
    net, mended = tmp_path / "nets" / "net.yaml", tmp_path / "nets" / "mended.yaml"
    net.write_text(BASE)
    mended.write_text("input: 1x8x8\nlayers:\n  - conv(2, 9)\n")
    git("add", "-A")
    git("commit", "-qm", "one")
    git("tag", "v1")
    git("tag", "baseline")
    net.write_text(BASE.replace("linear(10)", "linear(20)"))
    mended.write_text("input: 1x8x8\nlayers:\n  - conv(2, 3)\n")
    git("commit", "-qam", "two")
    return tmp_path


def test_revisions(repository: Path) -> None:
    for old in ("v1:nets/net.yaml", "HEAD~1:nets/net.yaml", "v1:./nets/net.yaml"):
        text = diff(old, "nets/net.yaml").stdout
        assert "linear: features 10 -> 20" in text, old
        assert "+330" in text  # ten outputs more, of 32 weights and a bias each
    assert "The two are the same." in diff("HEAD:nets/net.yaml", "nets/net.yaml").stdout
    assert diff("v1:nets/net.yaml", "HEAD:nets/net.yaml", "--exit-code").exit_code == 1


def test_revisions_from_elsewhere(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository / "nets")
    assert "+330" in diff("v1:net.yaml", "net.yaml").stdout
    assert "+330" in diff("v1:nets/net.yaml", "net.yaml").stdout
    outside = repository.parent / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    assert "+330" in diff("v1:nets/net.yaml", str(repository / "nets" / "net.yaml")).stdout
    renamed = str(repository / "nets" / "renamed.yaml")
    shutil.copy(repository / "nets" / "net.yaml", renamed)
    assert "+330" in diff("v1:nets/net.yaml", renamed).stdout
    assert "+330" in diff("v1:net.yaml", str(repository / "nets" / "net.yaml")).stdout
    assert (
        "+330"
        in diff(f"v1:../{repository.name}/nets/net.yaml", "../" + repository.name + "/nets/net.yaml").stdout
    )


@pytest.mark.parametrize(
    ("old", "message", "help"),
    [
        ("basline:nets/net.yaml", "OLD: git knows no revision basline", "did you mean baseline?"),
        ("0123456:nets/net.yaml", "OLD: git knows no revision 0123456", "fetch-depth: 0"),
        ("v1:nets/nett.yaml", "OLD: v1 has no file nets/nett.yaml", "did you mean nets/net.yaml?"),
        ("v1:lenet5", "OLD: v1 has no file lenet5", "paths start at the top"),
        ("v1:lost/net.yaml", "OLD: v1 has no file lost/net.yaml", "did you mean nets/net.yaml?"),
        ("v1:nets", "OLD: nets is not a file at v1", ""),
        ("v1:nets/net.yaml:large", "OLD: v1:nets/net.yaml has no variant large", "it has no variants"),
        (":nets/net.yaml", "OLD: :nets/net.yaml has no revision", "as in HEAD:models/net.yaml"),
        ("v1:", "OLD: v1: has no path", "as in HEAD:models/net.yaml"),
        ("lost.yaml", "OLD: there is no file lost.yaml", ""),
        ("lenet6", "OLD: there is no network lenet6", "did you mean lenet5"),
        ("v\x011:nets/net.yaml", "is not a revision of git", ""),
    ],
)
@pytest.mark.slow
def test_what_is_not_there(old: str, message: str, help: str, repository: Path) -> None:
    result = run(old, "nets/net.yaml")
    assert (result.returncode, result.stdout) == (2, "")
    assert message in result.stderr
    assert help in result.stderr
    assert "Traceback" not in result.stderr
    other = run("nets/net.yaml", old)
    assert other.returncode == 2
    assert message.replace("OLD", "NEW") in other.stderr


def test_a_revision_is_no_option(repository: Path) -> None:
    result = run("--", "--output=x:nets/net.yaml", "nets/net.yaml")
    assert result.returncode == 2
    assert "is not a revision of git" in result.stderr


@pytest.mark.slow
def test_broken_then_and_sound_now(repository: Path) -> None:
    result = run("v1:nets/mended.yaml", "nets/mended.yaml")
    assert (result.returncode, result.stdout) == (1, "")
    assert "--> v1:nets/mended.yaml:3:5" in result.stderr
    assert "this is OLD, v1:nets/mended.yaml; NEW is sound" in result.stderr
    back = run("nets/mended.yaml", "v1:nets/mended.yaml")
    assert "this is NEW, v1:nets/mended.yaml; OLD is sound" in back.stderr
    both = run("v1:nets/mended.yaml", "v1:nets/mended.yaml")
    assert both.returncode == 1
    assert "this is OLD" in both.stderr
    assert "this is NEW" in both.stderr


def test_no_repository(tmp_path: Path) -> None:
    result = run("HEAD:net.yaml", "lenet5", cwd=tmp_path)
    assert result.returncode == 2
    assert "HEAD:net.yaml asks for a revision, but this is not a git repository" in result.stderr


def test_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("HEAD:net.yaml", "lenet5", cwd=tmp_path)
    assert result.returncode == 2
    assert "git is not installed" in result.stderr


def test_a_file_with_a_colon_stays_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("v1:net.yaml").write_text(BASE)
    assert diff("v1:net.yaml", "v1:net.yaml", "--exit-code").exit_code == 0


def test_an_input_with_its_channels_last_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("new.yaml").write_text("input: 32x32x3\nlayers: ['conv(4, 1)']\n")
    result = CliRunner().invoke(cli, ["diff", "lenet5", "new.yaml"])
    assert "32x32x3 is read as 32 channels of 32x3" in result.stderr


@given(st.text("abc", max_size=9), st.text("abc", max_size=9))
def test_the_shortest_way_keeps_a_longest_common_subsequence(old: str, new: str) -> None:
    """Against its definition: the most of one text that is in the other in the same order."""
    around = [tuple(f".{text}.") for text in (old, new)]  # what lies before and behind is not looked at
    middle = difference._Middle(difference._Classes(), *around, [], [])  # type: ignore[arg-type]
    pairs = middle.shortest(1, len(old) + 1, 1, len(new) + 1, lambda letter: letter)
    assert pairs is not None
    assert all(old[i - 1] == new[j - 1] for i, j in pairs)
    assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))
    counts = range(len(old), -1, -1)
    kept = (count for count in counts if {*combinations(old, count)} & {*combinations(new, count)})
    assert len(pairs) == next(kept)
