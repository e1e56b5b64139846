"""One registry of figures: what an entry is shown in, and that nothing has a list of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import archlens
from archlens.analysis import comparison
from archlens.analysis.figures import FIGURES, QUANTITIES, Where, shown
from archlens.budgets.verdict import LOCKED
from archlens.cli import cli
from archlens.reporting.material import Material
from archlens.reporting.sections import figures_section as section
from archlens.views import comparison_table as comparison_view
from archlens.views import difference_table as difference_view
from archlens.views import sizes_table as sizes_view

from .work import calls_made

#: What a column of a comparison is called where a figure has another name.
SMALLEST = {"smallest": "min_size"}


def tells(name: str) -> bool:
    """Whether a figure says more than another one of a network without experts."""
    return not FIGURES[name].same_as


@pytest.mark.slow
def test_each_is_shown_where_it_says() -> None:
    study = archlens.study("googlenet_aux")
    totals = difference_view.totals(study, study)
    assert [total.name for total in totals] == [*filter(tells, shown(Where.DIFFERENCE))]
    (network,) = json.loads(comparison_view.to_json([comparison.find(study)]))["networks"]
    columns = {SMALLEST.get(name, name) for name in comparison_view.COLUMNS}
    assert shown(Where.COMPARISON).keys() <= columns
    assert {*filter(tells, shown(Where.COMPARISON))} <= {SMALLEST.get(name, name) for name in network}
    assert sizes_view.scaled(study).figures.keys() == shown(Where.SIZES).keys()
    rows = {str(row[0]) for row in section.parts(Material(study))[0].rows}  # type: ignore[union-attr]
    told = [figure for name, figure in shown(Where.REPORT).items() if tells(name)]
    assert {figure.name or figure.title for figure in told} <= rows
    assert shown(Where.LIMITS) == QUANTITIES
    assert LOCKED.keys() < QUANTITIES.keys() < FIGURES.keys()


def test_places_agree_on_each() -> None:
    """GoogLeNet with its heads, whose MACs torchvision puts at 1.498 G without them."""
    study = archlens.study("googlenet_aux")
    values = {name: figure.measure(study, "") for name, figure in FIGURES.items()}
    found = comparison.find(study)
    assert {**values, **found.figures, "min_size": 0} == {**values, "min_size": 0}
    scaled = sizes_view.scaled(study)
    assert all(values[name] == value for name, value in scaled.figures.items())
    assert values["macs"] == study.cost.macs
    assert round(study.cost.macs / 1e9, 3) == 1.498
    assert values["peak_activations"] == study.memory().inference.bytes == study.peak.bytes


def test_the_former_name_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = "{input: 1x8x8, layers: ['conv(2, 3)'], budget: {activations_peak: <= 1MB}}"
    Path("mine.yaml").write_text(spec, "utf-8")
    for args in (["check", "mine.yaml"], ["check", "lenet5", "--activations-peak", "<= 1MB"]):
        result = CliRunner().invoke(cli, args)
        assert result.exit_code == 2
        assert "did you mean" in result.output.lower()
        assert "peak_activations" in result.output.replace("-", "_")


def test_the_depth_of_a_scope_looks_at_its_layers_alone() -> None:
    """Twice as many scopes, each with a budget, are twice as much work."""

    def work(count: int) -> int:
        steps = ", ".join(f"s{i}: ['conv(3, 3, padding=1)', relu]" for i in range(count))
        study = archlens.study(archlens.loads(f"{{input: 3x8x8, layers: [{steps}]}}"))
        return calls_made(lambda: [FIGURES["depth"].measure(study, f"s{i}") for i in range(count)])

    assert work(200) < 2.5 * work(100)


def test_the_field_of_a_scope_is_that_of_its_last_layer_that_has_one() -> None:
    study = archlens.study(archlens.loads("{input: 3x8x8, layers: [a: ['conv(3, 3)', global_avg_pool]]}"))
    assert FIGURES["receptive_field"].measure(study, "a") == (3, 3)
