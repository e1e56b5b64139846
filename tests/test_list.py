"""``archlens list`` and the index that makes it quick."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import archlens
from archlens.cli import cli
from archlens.library import finding as library
from archlens.library import index


def test_what_is_listed_is_what_is_elaborated() -> None:
    data = json.loads(CliRunner().invoke(cli, ["list", "--format", "json"]).output)
    assert [one["name"] for one in data["networks"]] == archlens.names()
    for one in data["networks"][::7]:
        network = archlens.load(one["name"])
        assert (one["params"], one["macs"]) == (network.params, network.macs)
        assert one["input"] == str(network.input)


def test_a_changed_spec_is_laid_out_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index is believed only of the text that it was made from."""
    text = library.text_of("lenet5")
    found = index.lookup("lenet5", text)
    assert found["lenet5"]["params"] == 61706
    assert index.lookup("lenet5", text + "\n") == {}
    for spoiled in ("", "[]", "{", '{"lenet5": {}}'):
        (tmp_path / index.NAME).write_text(spoiled)
        monkeypatch.setattr(index, "directory", lambda: tmp_path)
        index._read.cache_clear()
        index.lookup.cache_clear()
        assert index.lookup("lenet5", text) == {}
        result = CliRunner().invoke(cli, ["list", "lenet5"])
        assert "61.71 k" in result.output
    monkeypatch.undo()
    index._read.cache_clear()
    index.lookup.cache_clear()
