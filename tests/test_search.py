"""Searches: what is computed of many configurations at once is what each is by itself, to the unit."""

from __future__ import annotations

import csv
import json
import operator
import random
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import archlens
from archlens.analysis import sizes
from archlens.analysis.deployment import deploy
from archlens.analysis.figures import QUANTITIES
from archlens.analysis.unknown import Unknown
from archlens.cli import cli
from archlens.columns import Block, Columns, UnsureError, explored
from archlens.elaboration.functions import divisible
from archlens.errors import SpecError, UsageError
from archlens.formulas import Number, below, greatest, least, truncated
from archlens.limits import Kind, parse
from archlens.network import Network
from archlens.searching import evaluating
from archlens.searching.conditions import read
from archlens.searching.search import _front
from archlens.searching.space import MOST, Space

from . import zoo

# --- columns ------------------------------------------------------------------------------------------

_PLAIN = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod,
    "/": operator.truediv, "max": lambda a, b: greatest([a, b]), "min": lambda a, b: least([a, b]),
    "below": below, "**": lambda a, b: a ** (b % 5),
}  # fmt: skip
_ONE = {
    "int": truncated, "floor": floor, "ceil": ceil, "round": round, "round 2": lambda x: round(x, 2),
    "neg": operator.neg, "abs": abs, "divisible": divisible,
}  # fmt: skip
_WHOLE = st.integers(-(10**15), 10**15) | st.integers(-20, 20)
_REAL = st.floats(-1e6, 1e6) | st.sampled_from([0.5, 1.5, 2.5, 0.25, 1.0])


def both(columns: Columns, a: list[Any], b: list[Any]) -> tuple[Any, Any]:
    return tuple([columns.column(n, np.array(one)) for n, one in enumerate((a, b))])  # type: ignore[return-value]


def laid(count: int, *, joined: bool) -> tuple[Block, ...]:
    """Two axes of which all combinations are looked at, or those of equal places alone."""
    places = np.arange(count)[:, None]
    if joined:
        return (Block((0, 1), np.hstack([places, places])),)
    return Block((0,), places), Block((1,), places)


@given(
    st.data(), st.booleans(), st.lists(st.sampled_from([*_PLAIN, *_ONE, "<", "=="]), min_size=1, max_size=4)
)
def test_columns_compute_as_numbers_do(data: st.DataObject, joined: bool, program: list[str]) -> None:
    kinds = [data.draw(st.sampled_from([_WHOLE, _REAL])) for _ in range(2)]
    a, b = (data.draw(st.lists(kind, min_size=4, max_size=4)) for kind in kinds)

    def compute(x: Any, y: Any) -> Any:
        for name in program:
            if name == "<":
                x = x + 1 if x < y else x - 1
            elif name == "==":
                x = y if x == y else x
            else:
                x = _PLAIN[name](x, y) if name in _PLAIN else _ONE[name](x)
            if isinstance(x, complex) or (isinstance(x, int | Number) and x.bit_length() > 100):
                raise OverflowError
            if isinstance(x, float) and x - x != 0:
                raise OverflowError
        return x

    def plain(x: Any, y: Any) -> Any:
        try:
            return compute(x, y)
        except ArithmeticError as problem:
            return type(problem)

    def run(columns: Columns) -> Any:
        try:
            return compute(*both(columns, a, b))
        except ArithmeticError as problem:
            return type(problem)

    seen = 0
    for columns, found in explored(laid(4, joined=joined), run, most=100):
        rows = columns.places((4, 1))
        seen += len(rows)
        if found is None:
            continue  # said to be unknown
        values = [found] * len(rows) if isinstance(found, type) else columns.full(found).tolist()
        for row, value in zip(rows.tolist(), values, strict=True):
            expected = plain(a[row // 4], b[row % 4])
            assert value == expected, (program, a[row // 4], b[row % 4])
            assert type(value) is type(expected)
    assert seen == (4 if joined else 16)


def test_whole_numbers_beyond_64_bits_are_exact() -> None:
    numbers = [3, 10**15, 10**14 + 7]
    columns = Columns(laid(3, joined=True))
    a, b = both(columns, numbers, numbers)
    cube = a * b * a * b - a
    assert columns.full(cube).tolist() == [n**4 - n for n in numbers]
    assert columns.full(cube // a).tolist() == [n**3 - 1 for n in numbers]
    assert columns.full(cube // a // b // a).tolist() == [(n**3 - 1) // n**2 for n in numbers]
    with pytest.raises(UnsureError):
        cube.bit_length()


# --- configurations -----------------------------------------------------------------------------------

SPACES: dict[str, dict[str, Any]] = {
    "mobilenet_v1": {"alpha": "0.05..1.5:0.05", "resolution": "1..300"},
    "mobilenet_v2": {"alpha": "0.1..1.6:0.05", "input": "32..300:7"},
    "efficientnet_b0": {"width": "0.4..2:0.1", "depth": "0.5..2:0.5", "input": "33..300:16"},
    "regnet_y_400mf": {"widths": "[24..96:8,48..192:24,96..384:48,200..600:50]", "g": "8..24:8"},
    "resnet50": {"depths": "[1..3,1..2,1..4,1]", "dilated": "0..2", "input": "64..320:32"},
    "resnet152": {"depths": "[0..4,1..9:2,3..40:9,1..4]", "input": "64..320:64"},
    "resnext50_32x4d": {"depths": [(3, 4, 6, 3), (2, 2, 2, 2), (1, 1, 30, 1)]},
    "efficientnet_b1": {"depth": "0.1..3:0.1", "width": "0.5..2:0.5"},
    "resnet18": {"norm": "batch_norm,identity", "input": "1..80"},
    "lenet5": {"input": "1..60"},
    "unet": {"input": "150..300:2"},
    "vit_b_16": {"input": "16..256:8"},
    "swin_t": {"input": "60..256:12"},
    "densenet121": {"input": "20..224:12"},
}
FIGURES = ["params", "macs", "memory", "active_params"]


def expected(name: str, found: archlens.search.Searched, row: int, figures: list[str]) -> Any:  # type: ignore[name-defined]
    picks = found.space.picks(np.array([row]))[0].tolist()
    varied = {one: found.space.value(one, picks) for one in found.space.trees}
    input = varied.pop("input", None)
    try:
        if input is not None:
            shape = zoo.network(name).inputs["input"]
            network = archlens.load(name, input=shape.with_spatial([input] * len(shape.spatial)), **varied)
        else:
            network = archlens.load(name, **varied)
    except SpecError:
        return None
    study = archlens.study(network)
    return [QUANTITIES[one].measure(study, "") for one in figures]


@pytest.mark.parametrize("name", SPACES)
def test_many_at_once_are_as_each_by_itself(name: str) -> None:
    found = archlens.search(name, vary=SPACES[name], figures=FIGURES)
    assert found.complete
    assert len(found) == found.space.count == found.looked
    assert found.rows.tolist() == list(range(len(found)))
    chance = random.Random(7)
    columns = found.columns()
    for row in chance.sample(range(len(found)), min(25, len(found))):
        by_itself = expected(name, found, row, FIGURES)
        here = [columns[one][row] for one in FIGURES]
        if by_itself is None:
            assert here == [None] * 4
            assert columns["refused"][row]
        else:
            assert here == by_itself
            assert not columns.get("refused", {row: None})[row]


@pytest.mark.parametrize("name", ["mobilenet_v1", "resnet18", "unet"])
def test_figures_that_part_configurations(name: str) -> None:
    """The largest live set, the depth and what training takes depend on more than sums."""
    figures = ["peak_activations", "depth", "training_memory", "sram", "flash", "receptive_field"]
    vary = {"alpha": "0.25..1:0.25", "input": "64..72"} if name == "mobilenet_v1" else {"input": "188..200:2"}
    found = archlens.search(name, vary=vary, figures=figures)
    columns = found.columns()
    for row in range(0, len(found), 3):
        assert [columns[one][row] for one in figures] == expected(name, found, row, figures)


@pytest.mark.parametrize(
    ("name", "vary"),
    [
        ("mobilenet_v1", {"alpha": "0.25..1.5:0.25", "input": "96..224:32"}),
        ("densenet121", {"growth": "12..44:4"}),  # 29 on each axis by itself and together
        ("vgg16", {"input": "64..300:16"}),
        ("lenet5", {"input": "20..60"}),
        ("swin_t", {"window": "4..7"}),
    ],
)
def test_smallest_inputs_of_many_are_as_each_by_itself(
    name: str, vary: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sizes are tried on all at once, without a try on each but the first."""
    by_itself = []
    real = sizes.smallest

    def smallest(network: Network, *, worth: int | None = None) -> Any:
        by_itself.append(worth is None)
        return real(network, worth=worth and 10**6)

    monkeypatch.setattr(sizes, "smallest", smallest)
    found = archlens.search(name, vary=vary, figures=["min_size"])
    if name != "vgg16":  # whose adaptive pooling asks otherwise on each
        assert by_itself.count(True) <= 2  # a check of each run
    assert by_itself.count(False)
    for row, here in enumerate(found.columns()["min_size"]):
        want = expected(name, found, row, ["min_size"])
        assert [here] == (want or [None])


def test_smallest_inputs_are_not_tried_on_many_beyond_their_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few configurations of a network with many sizes that do not fit are less work one by one."""
    counts = []
    again = sizes._Search.again

    def counted(search: Any, inputs: Any) -> Network:
        counts.append(1)
        return again(search, inputs)

    monkeypatch.setattr(sizes._Search, "again", counted)
    found = archlens.search("densenet121", vary={"growth": "12,16,20"}, figures=["min_size"])
    assert [row["min_size"] for row in found] == [(29, 29)] * 3
    assert len(counts) < 29


def test_counts_beyond_64_bits_are_exact() -> None:
    found = archlens.search("mobilenet_v1", vary={"input": [10**9 - 8, 224], "alpha": [1.0, 0.5]})
    for row in found:
        network = archlens.load("mobilenet_v1", input=(3, row["input"], row["input"]), alpha=row["alpha"])
        assert row["macs"] == network.macs
    assert max(found.columns()["macs"]) > 2**63


def test_why_it_is_refused_is_said_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many that are refused alike the rest says of which its reason is."""
    said = "its table has 1024 positions, but its input has {}"
    rows = list(archlens.search("gpt2", vary={"input": "1023..1026"}))
    assert [row.get("refused") for row in rows] == [None, None, said.format(1025), said.format(1026)]
    monkeypatch.setattr(evaluating, "_REFUSED", 1)
    rows = list(archlens.search("gpt2", vary={"input": "1023..1026"}))
    assert [row.get("refused") for row in rows[2:]] == [
        said.format(1025),
        f"as with input=1025: {said.format(1025)}",
    ]


def test_what_is_refused_has_no_number(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("input: 3x8x8\nparams: {c: 4, g: 1}\nlayers: ['conv(c, 3, groups=g)']\n")
    found = archlens.search(str(spec), vary={"c": "1..12", "g": "1..4", "input": "1..4"})
    for row in found:
        fits = row["g"] in (1, 3) and row["c"] % row["g"] == 0 and row["input"] >= 3
        assert (row["params"] is not None) is fits
        assert bool(row["refused"]) is not fits
    assert found.refused == sum(bool(row["refused"]) for row in found)
    kept = archlens.search(str(spec), vary={"c": "1..12", "g": "1..4", "input": "1..4"}, where="params >= 1")
    assert len(kept) == kept.held == len(found) - found.refused


def test_what_is_not_known_is_kept_by_no_limit(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "input: 3x8x8\nparams: {c: 4}\nlayers: [\"conv(c, 3)\", \"custom('mix', shape='4x6x6', params=7)\"]\n"
    )
    found = archlens.search(str(spec), vary={"c": "1..12"})
    assert found.columns()["macs"] == [None] * 12
    assert found.columns()["params"] == [28 * c + 7 for c in range(1, 13)]
    assert not len(archlens.search(str(spec), vary={"c": "1..12"}, where="macs >= 1"))
    spec.write_text(
        spec.read_text().replace("c: 4", "c: 4, n: 1").replace('"conv(c, 3)"', '"conv(c, 3)", relu * n')
    )
    found = archlens.search(str(spec), vary={"n": "0..5"})
    assert found.columns()["macs"] == [None] * 6
    assert found.columns()["params"] == [119] * 6


REPEATS = {
    "range": "- {each: i, in: range(n), do: ['conv(c, 3, padding=1)', relu]}",
    "from": "- {each: i, in: 'range(m, n)', do: ['conv(c, 3, padding=1)', 'conv(i, 1)']}",
    "times": "- conv(c, 3, padding=1) * n\n- relu * m",
    "within": "- {each: i, in: range(n), do: {each: k, in: range(m), do: 'conv(c, 1)'}}",
    "growing": "- {each: i, in: range(n), do: {concat: [identity, 'conv(c, 1)']}}",
    "shrinking": "- {each: i, in: range(n), do: 'conv(c, 2)'}",
    "refused later": "- {each: i, in: range(n), do: 'conv(c, 1, groups=5 if i == 2 else 1)'}",
    "read by name": "- conv(c, 1)\n- {each: i, in: range(n), do: [{'b{i}': 'conv(c, 1)'}]}\n- ref(b1)",
    "read behind": "- a: conv(c, 1)\n- {each: i, in: range(n), do: 'conv(c, 1)'}\n- add: [identity, ref(a)]",
    "counted": "- {each: i, in: range(n), do: 'conv(c, 1)'}\n- conv(len(range(n)) + 1, 1)",
    "branches": "- conv(c, 1)\n- add: [{each: i, in: range(n), do: 'conv(c, 1)'}, identity]",
    "shared": '- a: conv(c, 1)\n- {each: i, in: range(n), do: "again(a) if c == 3 else conv(c, 1)"}',
}


@pytest.mark.parametrize("name", REPEATS)
def test_repeats_whose_number_varies(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are laid out once for all numbers, where what flows out of one is like what flows in."""
    one_by_one = evaluating.one_by_one

    def few(source: Any, wanted: Any, rows: Any) -> Any:
        if len(rows) > 1:  # to say why each is refused
            alone = [evaluating.measured(source, wanted, picks) for picks in source.space.picks(rows)]
            assert all(isinstance(one, str) for one in alone), "what is laid out was not computed at once"
        return one_by_one(source, wanted, rows)

    monkeypatch.setattr(evaluating, "one_by_one", few)
    spec = tmp_path / "net.yaml"
    lines = REPEATS[name].replace("\n", "\n  ")
    spec.write_text(
        f"input: 3x8x8\nparams: {{n: 1, m: 1, c: 3}}\nlayers:\n  {lines}\n  - linear(2, axis=0)\n"
    )
    spec.write_text(spec.read_text().replace("linear(2, axis=0)", "conv(2, 1)"))
    vary = {"n": "0..6", "m": "0..3", "c": "2..5"}
    found = archlens.search(str(spec), vary=vary, figures=FIGURES)
    columns = found.columns()
    built = 0
    for row in range(len(found)):
        by_itself = expected(str(spec), found, row, FIGURES)
        built += by_itself is not None
        assert [columns[one][row] for one in FIGURES] == (by_itself or [None] * 4), columns
        assert bool(columns.get("refused", {row: None})[row]) is (by_itself is None)
    assert built


def test_depths_are_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from archlens.searching.evaluating import Source

    laid, network = [], Source.network
    monkeypatch.setattr(Source, "network", lambda self, *given: laid.append(0) or network(self, *given))
    found = archlens.search("resnet50", vary={"depths": "[1..6,1..8,1..36,1..5]"})
    assert len(found) == 8640
    assert len(laid) < 40


def test_what_varies_together() -> None:
    rows = [((1, 2, 3, 1), 80), ((2, 2, 2, 2), 16), ((1, 1, 7, 2), 8)]
    found = archlens.search("regnet_x_400mf", vary={("depths", "g"): rows, "input": [64, 96]}, sort="-g,macs")
    assert [row["g"] for row in found] == [80, 80, 16, 16, 8, 8]
    for row in found:
        assert (row["depths"], row["g"]) in rows
        network = archlens.load(
            "regnet_x_400mf", depths=row["depths"], g=row["g"], input=(3, row["input"], row["input"])
        )
        assert (row["params"], row["macs"]) == (network.params, network.macs)
    for wrong in ([], [(1,)], 5, [((1, 2), 3), 4], [(float("nan"), 1)]):
        with pytest.raises(UsageError):
            archlens.search("regnet_x_400mf", vary={("depths", "g"): wrong})


def test_whole_and_real_numbers_of_one_param_are_apart(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text("input: 3x8x8\nparams: {n: 1}\nlayers: ['conv(1, 1) * n']\n")
    found = archlens.search(str(spec), vary={"n": "1,2.0,3,4.5"})
    assert [row["params"] for row in found] == [4, None, 8, None]


# --- what is varied -----------------------------------------------------------------------------------


def test_values_are_those_that_one_writes() -> None:
    space = Space(
        {"a": "0.1..0.5:0.1", "b": "8,16..32:8", "c": "[1..2, 3, [4..5, 6]]", "d": "[1,2],[3]", "e": "x,-1"}
    )
    assert space.axes[0].values == (0.1, 0.2, 0.3, 0.4, 0.5)
    assert space.axes[1].values == (8, 16, 24, 32)
    assert space.value("c", [0, 0, 1, 0, 0, 0]) == (2, 3, (4, 6))
    assert space.axes[-2].values == ((1, 2), (3,))
    assert space.axes[-1].values == ("x", -1)
    assert space.total == 5 * 4 * 2 * 2 * 2 * 2


def test_the_rest_of_a_list_is_varied_as_its_last_item(tmp_path: Path) -> None:
    found = archlens.search("regnet_x_400mf", vary={"depths": "[1..2, 3, ...]"})
    assert found.columns()["depths"] == [(1, 3, 3, 3), (2, 3, 3, 3)]
    found = archlens.search("regnet_x_400mf", vary={"depths": "[1..2, ...]"})
    assert found.columns()["depths"] == [
        (a, b, c, d) for a in (1, 2) for b in (1, 2) for c in (1, 2) for d in (1, 2)
    ]
    with pytest.raises(UsageError, match="has 4 items, but 5 come before"):
        archlens.search("regnet_x_400mf", vary={"depths": "[1, 2, 3, 4, 5, ...]"})


def test_limits_in_bytes_are_those_of_a_board(tmp_path: Path) -> None:
    """K alone is 1,024 bytes, which the output says; the limit parts what is laid out one by one."""
    spec = tmp_path / "net.yaml"
    spec.write_text(
        "input: 3x64x64\nparams: {alpha: 1, depths: [1, 1]}\nlayers:\n"
        "  - conv(int(8 * alpha), 3, stride=2, padding=1)\n"
        "  - conv(int(16 * alpha), 3, padding=1) * depths[0]\n  - conv(32, 3, padding=1) * depths[1]\n"
    )
    command = ["search", str(spec), "--vary", "alpha=0.25..1.5:0.05", "--vary", "input=96..320:32"]
    command += ["--vary", "depths=[1..4, ...]", "--where", "params <= 5M, macs <= 600M, sram <= 320K"]
    result = CliRunner().invoke(cli, [*command, "--format", "json"])
    said = json.loads(result.stdout)
    assert said["where"][-1] == "sram <= 320K (327,680 B)"
    assert said["configurations"] == 26 * 8 * 4 * 4
    kept = {json.dumps(one["values"]) for one in said["found"]}
    chance = random.Random(3)
    within = []
    for _ in range(60):
        alpha, side = round(chance.randint(5, 30) * 0.05, 2), chance.randrange(96, 321, 32)
        depths = [chance.randint(1, 4), chance.randint(1, 4)]
        network = archlens.load(str(spec), alpha=alpha, depths=depths, input=(3, side, side))
        values = {"alpha": alpha, "input": side, "depths": depths}
        arena = deploy(network).arena
        assert not isinstance(arena, Unknown)
        within.append(network.macs <= 600e6 and arena.bytes <= 320 * 1024)
        assert (json.dumps(values) in kept) is within[-1]
    assert {*within} == {True, False}
    front = CliRunner().invoke(cli, [*command, "--pareto", "params,macs"]).stdout
    assert "320K is 327,680 bytes: for bytes, K, M, G and T are powers of 1,024" in front


BAD = {
    "alpha": "has no values",
    "=1": "has no values",
    "alpha=": "has no values",
    "alpha=2..1": "has no values",
    "alpha=0.1..1": "has no step",
    "alpha=1..2:0": "has no values",
    "alpha=[1..2": "is not a list of values",
    "alpha=1]": "is not a list of values",
    "alpha=1,,2": "is not a list of values",
    "alpha=[1..2],[3..4]": "is one of several lists",
    "alpha=[1..4, ...]": "how long the list is",
    "alpha=[..., 1]": "... comes after the last item",
    "alpha=[...]": "... comes after the last item",
    "beta=[1..2, ...]": "has no param beta",
    "beta=1..2": "has no param beta",
    "input=a..b": "is not an input",
    "input=0..4": "is not a size of an input",
    "input=1.5": "is not a size of an input",
    "alpha=1..1000000000000": "1,000,000,000,000 values",
    "alpha=1e-300..1e300:1e-5": "values, more than",
    "alpha=1e308..9e308:1e308": "out of range",
    "alpha=1e999": "out of range",
    f"alpha=1..{'9' * 5000}": "too long",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_values_are_refused(text: str) -> None:
    found = CliRunner().invoke(cli, ["search", "mobilenet_v1", "--vary", text])
    assert isinstance(found.exception, UsageError)
    assert BAD[text] in str(found.exception)


def test_too_many_configurations_are_refused_or_drawn() -> None:
    vary = {"alpha": "0.000001..1:0.000001", "input": "1..1000000"}
    with pytest.raises(UsageError, match="1,000,000,000,000 configurations"):
        archlens.search("mobilenet_v1", vary=vary)
    with pytest.raises(UsageError, match="can be drawn"):
        archlens.search("mobilenet_v1", vary=vary, sample=MOST + 1)
    one, other, third = (archlens.search("mobilenet_v1", vary=vary, sample=12, seed=s) for s in (3, 3, 4))
    assert list(one) == list(other) != list(third)
    for row in one:
        shape = (3, row["input"], row["input"])
        if row["params"] is not None:
            assert row["macs"] == archlens.load("mobilenet_v1", input=shape, alpha=row["alpha"]).macs


# --- limits and orders --------------------------------------------------------------------------------


@given(
    st.sampled_from(["<= 5", ">= 5", "< 5", "> 5", "== 5", "3..7", ">= 2, < 8", "<= 5.5", "> 4.5"]),
    st.lists(st.integers(0, 12), min_size=1, max_size=9),
)
def test_limits_hold_as_those_of_budgets(text: str, values: list[int]) -> None:
    (condition, *more) = read([f"params {text}" if text[0] in "<>=" else f"params in {text}"])
    found = np.logical_and.reduce([one.holds([np.array(values)]) for one in (condition, *more)])
    assert found.tolist() == [parse(text, Kind.COUNT).holds(value) for value in values]


@given(
    st.sampled_from(["<= 30 %", ">= 33.3 %", "< 50 %", "> 50 %"]),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9),
)
def test_shares_hold_as_those_of_budgets(text: str, pairs: list[tuple[int, int]]) -> None:
    (condition,) = read([f"layer4.params {text}"])
    found = condition.holds([np.array(one) for one in zip(*pairs, strict=True)])
    limit = parse(text, Kind.COUNT, share=True)
    assert found.tolist() == [limit.holds(Fraction(100 * a, b) if b else Fraction(0)) for a, b in pairs]


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[st.integers(0, 5)] * n), max_size=20)))
def test_a_front_is_what_nothing_beats(points: list[tuple[int, ...]]) -> None:
    def beaten(point: tuple[int, ...]) -> bool:
        return any(
            other != point and all(a <= b for a, b in zip(other, point, strict=True)) for other in points
        )

    width = len(points[0]) if points else 0
    found = _front(np.array(points, np.int64).reshape(len(points), width))
    assert found.tolist() == [not beaten(point) for point in points]


def test_orders_and_fronts() -> None:
    vary = {"alpha": "0.25..1:0.05", "input": "96..224:32"}
    found = list(archlens.search("mobilenet_v1", vary=vary, where="macs <= 300M", sort="-alpha,macs"))
    assert found == sorted(found, key=lambda row: (-row["alpha"], row["macs"]))
    front = list(archlens.search("mobilenet_v1", vary=vary, pareto="macs,-alpha", sort="macs"))
    assert [row["input"] for row in front] == [96] * 16
    assert [row["alpha"] for row in front] == sorted(row["alpha"] for row in front)


WRONG = {
    ("--where", "speed <= 5"): "there is no figure speed",
    ("--where", "param <= 5"): "there is no figure param",
    ("--where", "params"): "is not a condition",
    ("--where", "<= 5M"): "is not a condition",
    ("--where", "params <= 5X"): "unit X",
    ("--where", "params <= 5 %"): "percentage",
    ("--where", "layer4.depth <= 5 %"): "percentage",
    ("--where", "layer4.min_size <= 5"): "none of its own",
    ("--sort", "speed"): "there is no figure speed",
    ("--sort", "receptive_field"): "no order",
    ("--pareto", "params,,macs"): "empty name",
    ("--figures", "speed"): "there is no figure speed",
    ("--set", "alpha=1"): "is given, and varied",
    ("--set", "beta=1"): "has no param beta",
    ("--input", "3x96x96", "--vary", "input=1..3"): "is given, and varied",
    ("--real",): "single networks",
}


@pytest.mark.parametrize("options", WRONG, ids=" ".join)
def test_what_is_asked_wrongly_is_refused(options: tuple[str, ...]) -> None:
    found = CliRunner().invoke(cli, ["search", "mobilenet_v1", "--vary", "alpha=0.5,1.0", *options])
    assert isinstance(found.exception, UsageError)
    assert WRONG[options] in str(found.exception)


# --- the commands -------------------------------------------------------------------------------------


def test_files_have_all_that_was_found(tmp_path: Path) -> None:
    command = ["search", "lenet5", "--vary", "input=1..40", "--figures", "macs,receptive_field", "-o"]
    assert CliRunner().invoke(cli, [*command, str(tmp_path / "x.csv")]).exit_code == 0
    assert CliRunner().invoke(cli, [*command, str(tmp_path / "x.json")]).exit_code == 0
    with open(tmp_path / "x.csv") as file:
        rows = list(csv.DictReader(file))
    data = json.loads((tmp_path / "x.json").read_text())
    assert len(rows) == len(data["found"]) == data["configurations"] == 40
    for row, one in zip(rows, data["found"], strict=True):
        assert row["input"] == str(one["values"]["input"])
        assert row["macs"] == ("" if one["refused"] else str(one["figures"]["macs"]))
        assert row["refused"] == (one["refused"] or "")
    assert rows[31]["receptive_field"] == "16x16"  # of S4, by hand
    assert data["found"][31]["figures"]["receptive_field"] == [16, 16]


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = str(tmp_path / "x.parquet")
    command = ["search", "lenet5", "--vary", "input=1..40", "-o", path]
    assert CliRunner().invoke(cli, command).exit_code == 0
    assert parquet.read_table(path).to_pylist() == list(archlens.search("lenet5", vary={"input": "1..40"}))


def test_the_largest_that_fits() -> None:
    command = ["fit", "mobilenet_v1", "--vary", "alpha=0.05..2:0.01", "--set", "resolution=192"]
    found = CliRunner().invoke(cli, [*command, "--where", "macs <= 300M", "--format", "json"])
    (best,) = json.loads(found.stdout)["found"][:1]
    alpha = best["values"]["alpha"]
    assert best["figures"]["macs"] == archlens.load("mobilenet_v1", alpha=alpha, resolution=192).macs <= 300e6
    assert archlens.load("mobilenet_v1", alpha=round(alpha + 0.01, 2), resolution=192).macs > 300e6
    assert CliRunner().invoke(cli, [*command, "--where", "macs <= 3"]).exit_code == 1
    assert isinstance(CliRunner().invoke(cli, command).exception, UsageError)


def test_an_interrupted_search_has_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from archlens.searching import task

    evaluated, seen = task.evaluated, []

    def interrupted(*given: Any, **named: Any) -> Any:
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(given)
        yield from evaluated(*given, **named)

    monkeypatch.setattr(task, "evaluated", interrupted)
    command = [
        "search",
        "resnet18",
        "--vary",
        "norm=batch_norm,identity,instance_norm",
        "--vary",
        "input=64..66",
    ]
    found = CliRunner().invoke(cli, command)
    assert found.exit_code == 130
    assert "6 of 9 configurations" in found.output
    assert "interrupted" in found.output


@pytest.mark.parametrize(("weights", "activations"), [("int8", "int16"), ("int4", "int8")])
def test_boards_types(weights: str, activations: str) -> None:
    vary = {"alpha": [0.25, 0.5], "input": [96, 128]}
    asked: dict[str, Any] = {"figures": "sram,flash", "weights": weights, "activations": activations}
    for row in archlens.search("mobilenet_v1", vary=vary, **asked):
        network = archlens.load("mobilenet_v1", alpha=row["alpha"], input=(3, row["input"], row["input"]))
        there = deploy(network, weights=weights, activations=activations)
        assert not isinstance(there.arena, Unknown)
        assert (row["sram"], row["flash"]) == (there.arena.bytes, there.flash())
    with pytest.raises(UsageError, match="there is no int7"):
        archlens.search("lenet5", vary={"input": [32]}, weights="int7")


def test_memory_of_many_configurations_is_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One is laid out by itself for each run over many, to compare; they are what each has by itself."""
    alone: list[int] = []
    one = evaluating.Source.one
    monkeypatch.setattr(evaluating.Source, "one", lambda *args: alone.append(1) or one(*args))
    vary = {"alpha": "0.25..1.5:0.01", "input": "64..128:4"}
    rows = list(archlens.search("mobilenet_v1", vary=vary, figures="sram,training_memory"))
    assert len(rows) == 126 * 17
    assert len(alone) < 40
    for row in random.Random(4).sample(rows, 40):
        network = archlens.load("mobilenet_v1", alpha=row["alpha"], input=(3, row["input"], row["input"]))
        assert deploy(network).sram == row["sram"]
        assert archlens.study(network).memory().training == row["training_memory"]


@pytest.mark.parametrize(
    ("name", "param", "values"),
    [
        ("densenet121", "stem", [32, 65]),
        ("detr_resnet50", "width", [128, 257, 512]),
        ("swin_t", "width", [48, 97]),
        ("t5_small", "heads", [4, 9]),
        ("res2net50_26w_4s", "s", [2, 5]),
    ],
)
def test_fields_of_widths_that_make_sets_of_channels(name: str, param: str, values: list[int]) -> None:
    for row in archlens.search(name, vary={param: values}, figures="receptive_field,params"):
        try:
            network = archlens.load(name, **{param: row[param]})
        except SpecError:
            assert row["refused"]
            assert row["receptive_field"] is None
            continue
        field = QUANTITIES["receptive_field"].measure(archlens.study(network), "")
        assert (row["receptive_field"], row["params"]) == (field, network.params)


def test_fields_behind_a_layer_that_is_as_wide_as_the_input() -> None:
    """What is flattened has as many channels as the map has positions: a set of them for each size."""
    for row in archlens.search("resnet8", vary={"input": "29..36"}, figures="receptive_field"):
        study = archlens.study(archlens.load("resnet8", input=(3, row["input"], row["input"])))
        assert row["receptive_field"] == QUANTITIES["receptive_field"].measure(study, "")


def test_boards_types_on_the_command_line() -> None:
    one = ["--vary", "alpha=0.25", "--where", "sram <= 1MB", "--format", "json"]
    for command in ("search", "fit"):
        plain, wide = [
            json.loads(CliRunner().invoke(cli, [command, "mobilenet_v1", *one, *types]).output)["found"][0]
            for types in ([], ["--activations", "int16"])
        ]
        assert wide["figures"]["sram"] == 2 * plain["figures"]["sram"]  # of maps that are multiples of 16
