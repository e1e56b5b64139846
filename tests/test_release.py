"""What is released: versions that agree, actions that are pinned, and what the workflow tries of a wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import archlens

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflow(name: str) -> dict[str, Any]:
    found = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def test_the_citation_has_the_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert str(citation["version"]) == archlens.__version__
    assert citation["license"] == "MIT"
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    package = (ROOT / "editors" / "vscode" / "package.json").read_text("utf-8")
    assert f'"version": "{archlens.__version__}"' in package


def test_the_tag_is_compared_with_what_is_written() -> None:
    """The expressions of the workflow find what they look for."""
    source = (ROOT / "archlens" / "__init__.py").read_text("utf-8")
    assert re.findall(r'^__version__ = "(.*)"$', source, re.MULTILINE) == [archlens.__version__]
    (step,) = (
        one for one in workflow("release.yml")["jobs"]["build"]["steps"] if "tags" in one.get("if", "")
    )
    assert 's/^__version__ = "\\(.*\\)"$/\\1/p' in step["run"]


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    """By the hash of a commit, with the version beside it for people; our own by its path."""
    used = re.findall(r"uses: (.*)", path.read_text("utf-8"))
    assert used
    for one in used:
        assert one == "./" or re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", one), one


def test_pythons() -> None:
    """The workflows try what the package says that it runs on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    said = [one.rpartition(" ")[2] for one in project["classifiers"] if re.search(r":: 3\.\d+$", one)]
    assert project["requires-python"] == f">={said[0]}"
    assert workflow("ci.yml")["jobs"]["check"]["strategy"]["matrix"]["python"] == said
    assert workflow("release.yml")["jobs"]["installed"]["strategy"]["matrix"]["python"] == said


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there the workflow itself runs it")
def test_what_is_tried_of_a_wheel(tmp_path: Path) -> None:
    """The scripts of the workflow, as they are, with the archlens at hand in place of the wheel's."""
    command = tmp_path / "bin" / "archlens"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m archlens "$@"\n')
    command.chmod(0o755)
    steps = workflow("release.yml")["jobs"]["installed"]["steps"]
    scripts = [one for one in steps if "archlens shapes" in one.get("run", "")]
    assert len(scripts) == 2
    for step in scripts:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **step.get("env", {})}
        environment["PATH"] = f"{command.parent}{os.pathsep}{environment['PATH']}"
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        ended = subprocess.run(shell, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "away" / "playground" / "index.html").is_file()


def test_lowest_versions_are_those_of_extras() -> None:
    """What ``.ci/lowest`` installs: each extra that needs no torch."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    light = {name for name, needs in extras.items() if not any("torch" in one for one in needs)}
    listed = re.search(r"for name in \((.*?)\)", (ROOT / ".ci" / "lowest").read_text("utf-8"))
    assert listed is not None
    assert set(re.findall(r'"(\w+)"', listed[1])) == light - {"test", "docs"}
