"""Published figures beside computed ones; none of the zoo differs without its reason."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import archlens
from archlens.analysis import claims
from archlens.analysis.claims import DIFFERENT, EQUAL, NOT_COMPUTED, ROUNDED, agrees
from archlens.cli import cli
from archlens.views.claims import to_table


@pytest.mark.parametrize("name", archlens.names())
def test_no_difference_is_without_a_reason(name: str) -> None:
    found = claims.find(archlens.load(name))
    assert [claim for claim in found if claim.unexplained] == []


@given(st.integers(0, 10**13), st.integers(0, 4), st.sampled_from(["k", "M", "G"]))
def test_a_figure_that_is_rounded_agrees(number: int, decimals: int, letter: str) -> None:
    """What Python rounds to some digits is equal to the printed ones; a whole last digit further is not."""
    unit = {"k": 10**3, "M": 10**6, "G": 10**9}[letter]
    printed = round(Decimal(number) / unit, decimals)
    exact = printed * unit == number
    assert agrees(f"{printed}{letter}", number) == (EQUAL if exact else ROUNDED)
    assert agrees(f"{printed + Decimal(1).scaleb(-decimals)}{letter}", number) in (
        # exactly half way, both neighbours are what it may be rounded to
        [DIFFERENT, ROUNDED] if (Decimal(number) / unit - printed).scaleb(decimals) == Decimal("0.5")
        else [DIFFERENT]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("printed", "number", "verdict"),
    [
        ("61,706", 61706, EQUAL),
        ("61706", 61706, EQUAL),
        ("61705", 61706, DIFFERENT),  # a figure without a unit is exact
        ("138M", 138_357_544, ROUNDED),
        ("3.8G", 3_857_973_248, DIFFERENT),  # cut off, and not rounded
        ("3.9 G", 3_857_973_248, ROUNDED),
        ("1.5B", 1_498_376_192, ROUNDED),
        ("~4", 4, DIFFERENT),
        ("", 4, DIFFERENT),
        ("1" * 400, 4, DIFFERENT),
        ("9" * 5000, 4, DIFFERENT),  # Python reads no such number
        ("0." + "9" * 5000 + "k", 4, DIFFERENT),
    ],
)
def test_agreement(printed: str, number: int, verdict: str) -> None:
    assert agrees(printed, number) == verdict


@pytest.mark.parametrize("printed", ["²", "9" * 5000])
def test_a_figure_that_is_none_stands_there_as_it_is(printed: str) -> None:
    network = archlens.loads(f"input: 3x8x8\nlayers: [relu]\npublished: {{source: S, params: {printed}}}")
    assert printed in to_table([(network, claims.find(network))], width=None)


SPEC = """
title: Small
input: 3x32x32
layers:
  - conv1: conv(8, 3, padding=1)
  - pool: max_pool(2)
published:
  - source: somewhere
    params: 224
    macs: 221184
    shapes: {conv1: 8x32x32, pool: 8x16x16, gone: 1x1x1}
    receptive_field: {conv1: 3, pool: 4}
    top1: 76.1
  - source: elsewhere, who count otherwise
    params: 0.3k
    receptive_field: 4x4
    note: they round up
"""


def test_every_kind_of_figure() -> None:
    found = claims.find(archlens.loads(SPEC))
    assert [(claim.what, claim.printed, claim.computed, claim.verdict) for claim in found] == [
        ("params", "224", "224", EQUAL),
        ("macs", "221184", "221,184", EQUAL),
        ("shape of conv1", "8x32x32", "8x32x32", EQUAL),
        ("shape of pool", "8x16x16", "8x16x16", EQUAL),
        ("shape of gone", "1x1x1", "", DIFFERENT),
        ("receptive field of conv1", "3", "3", EQUAL),
        ("receptive field of pool", "4", "4", EQUAL),
        ("top-1", "76.1", "", NOT_COMPUTED),
        ("params", "0.3k", "224", DIFFERENT),
        ("receptive field", "4x4", "4x4", EQUAL),
    ]
    assert [claim.what for claim in found if claim.unexplained] == ["shape of gone"]


def test_command(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(SPEC)
    runner = CliRunner()
    result = runner.invoke(cli, ["claims", str(path)], env={"COLUMNS": "100"})
    assert result.exit_code == 1
    assert "DIFFERENT, unexplained" in result.output
    assert "small, params 0.3k: they round up." in result.output
    assert "10 published figures: 7 equal, 2 different, 1 that depend on training" in " ".join(
        result.output.split()
    )
    path.write_text(SPEC.replace(", gone: 1x1x1", ""))
    assert runner.invoke(cli, ["claims", str(path)]).exit_code == 0
    data = json.loads(runner.invoke(cli, ["claims", str(path), "--format", "json"]).output)
    assert data["schema"] == "archlens.claims/1"
    assert data["networks"][0]["claims"][0] == {
        "what": "params", "printed": "224", "computed": "224", "verdict": "equal", "source": "somewhere",
        "note": "", "unexplained": False,
    }  # fmt: skip
    result = runner.invoke(cli, ["claims", "resnet50", "--format", "markdown"])
    assert "| resnet50 | params | 25,557,032 | 25,557,032 | equal" in " ".join(
        result.output.replace("  ", " ").split()
    )


def test_standard_output_is_fitted_and_a_file_is_not(tmp_path: Path) -> None:
    """``-o -`` is the standard output: its table keeps to the columns, as it does without ``-o``."""
    file = tmp_path / "claims.txt"

    def claims_to(*output: str) -> str:
        return CliRunner().invoke(cli, ["claims", "resnet50", *output], env={"COLUMNS": "95"}).output

    assert max(map(len, claims_to().splitlines())) <= 95
    assert claims_to("-o", "-") == claims_to()
    assert claims_to("-o", str(file)) == ""
    assert max(map(len, file.read_text().splitlines())) > 95


def test_usage() -> None:
    runner = CliRunner()
    assert runner.invoke(cli, ["claims"]).exit_code != 0
    assert runner.invoke(cli, ["claims", "lenet5", "--all"]).exit_code != 0


def test_a_spec_without_figures_says_so(tmp_path: Path) -> None:
    path = tmp_path / "bare.yaml"
    path.write_text("input: 12\nlayers: [relu]\n")
    result = CliRunner().invoke(cli, ["claims", str(path)])
    assert result.exit_code == 0
    assert "No figure is published in the spec of bare." in result.output
