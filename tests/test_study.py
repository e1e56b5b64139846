"""A study: what is found out about a network, once, and by the names that a reader would try."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import archlens
from archlens.analysis import receptive_field
from archlens.analysis.study import Study
from archlens.errors import UsageError
from archlens.language import parse
from archlens.lint import lint
from archlens.network import Network

#: A scope whose name starts as that of another does, and a layer behind it.
SCOPES = """
input: 1x20x20
layers:
  - part:
      - a: conv(2, 3)
      - b: conv(2, 3)
  - part2: conv(2, 5)
"""


def test_a_scope_has_the_field_of_its_last_layer() -> None:
    fields = Study(archlens.loads(SCOPES)).receptive_fields
    # 1 + 2 + 2; and 4 more through the next layer
    assert [one.size for one in fields["part"]] == [5, 5]
    assert fields["part"] == fields["part.b"]
    assert [one.size for one in fields["part2"]] == [9, 9]
    assert [one.size for one in fields["input"]] == [1, 1]


def test_a_name_that_is_not_there_is_answered() -> None:
    with pytest.raises(UsageError) as raised:
        Study(archlens.loads(SCOPES)).receptive_fields["part.c"]
    assert "has no layer part.c" in str(raised.value)
    assert "did you mean part.b or part.a?" in str(raised.value)


def test_each_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    find = receptive_field.find

    def counted(network: Network, input: str = "") -> receptive_field.ReceptiveFields:
        found.append(input)
        return find(network, input)

    monkeypatch.setattr(receptive_field, "find", counted)
    study = Study(archlens.loads(SCOPES))
    assert found == []
    assert study.receptive_fields is study.receptive_fields
    assert study.fields["input"] is study.receptive_fields
    assert found == ["input"]
    assert study.cost is study.cost
    assert study.memory() is study.memory()
    assert study.memory(batch=2) is not study.memory()
    assert study.memory(training=False).training is None


# --- the door --------------------------------------------------------------------------------------


def test_a_study_of_whatever_means_a_network(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(SCOPES, "utf-8")
    # 1x2x9 + 2, 2x2x9 + 2 and 2x2x25 + 2 weights
    for what in (file, str(file), SCOPES, parse(SCOPES), archlens.loads(SCOPES)):
        study = archlens.study(what)
        assert study.cost.params == study.network.params == 20 + 38 + 102
        assert study.network.output.spatial == (12, 12)
        assert archlens.study(what, input="1x30x30").network.output.spatial == (22, 22)


def test_values_are_taken_with_a_network_too() -> None:
    text = "{input: 1x8x8, params: {width: 2}, layers: ['conv(width, 3)']}"
    for study in (archlens.study(archlens.loads(text), width=5), archlens.study(parse(text), width=5)):
        assert study.network.output.channels == 5


@pytest.mark.parametrize("what", [7, None, b"\xff", ["lenet5"]])
def test_what_means_no_network(what: Any) -> None:
    with pytest.raises(UsageError):
        archlens.study(what)


def test_what_the_linter_says() -> None:
    study = archlens.study("{input: 1x8x8, params: {idle: 3}, layers: ['conv(2, 3)']}\n")
    assert [finding.rule.name for finding in study.lint] == ["unused-param"]
    assert study.lint is study.lint
    assert len(repr(study.lint)) < 1000  # and not the text of the spec for each place in it


def test_without_its_spec_what_rules_find_in_the_network_alone() -> None:
    study = archlens.study("{input: 1x8x8, params: {idle: 3}, layers: ['conv(2, 3)', relu, relu]}\n")
    assert [finding.rule.name for finding in study.lint] == ["unused-param", "idle-activation"]
    assert [finding.rule.name for finding in lint(study)] == ["idle-activation"]
