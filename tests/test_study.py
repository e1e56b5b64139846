"""A study: what is found out about a network, once, and by the names that a reader would try."""

from __future__ import annotations

import pytest

import archlens
from archlens.analysis import receptive_field
from archlens.analysis.study import Study
from archlens.errors import UsageError
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
