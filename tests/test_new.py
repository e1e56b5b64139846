"""``archlens new``: what it writes is a spec that works as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import archlens
from archlens.cli import cli


def new(name: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["new", name])
    return result.exit_code, result.output + str(result.exception or "")


@pytest.mark.parametrize("name", ["digits", "my-net v2", "ü", "yes", "10", "a: b", "{x}", "#"])
def test_it_works_as_it_stands(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new(name)[0] == 0
    network = archlens.load(f"{name}.yaml")
    module = archlens.build(network, device="meta")
    assert network.params == sum(p.numel() for p in module.parameters())
    wide = next(v for v in archlens.library.open_spec(f"{name}.yaml").variants if v.endswith("_wide"))
    assert archlens.load(f"{name}.yaml:{wide}").params > 3 * network.params


def test_lint_has_nothing_to_warn_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    new("mine")
    for variant in ("mine", "mine_wide"):
        result = CliRunner().invoke(cli, ["lint", f"mine.yaml:{variant}"])
        assert (result.exit_code, "warning" in result.output) == (0, False), result.output


def test_nothing_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("mine")
    for name in ("mine", "mine.yaml"):
        code, text = new(name)
        assert code != 0
        assert "mine.yaml already exists, and is left unchanged" in text
    assert (tmp_path / "mine.yaml").read_text() == "mine"


@pytest.mark.parametrize("name", ["", " ", "../up", "a/b", ".hidden", "a\nb", "-x/"])
def test_names_that_are_none(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new(name)[0] != 0
    assert list(tmp_path.iterdir()) == []
