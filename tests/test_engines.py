"""Searches in several processes, on clusters, and in several goes find what one process finds."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from click.testing import CliRunner

import archlens
from archlens.cli import cli
from archlens.errors import UsageError
from archlens.searching import engines, search
from archlens.searching.keeping import keeping
from archlens.searching.task import Kept, Task

#: The engines, those that need a package only where that is installed.
ENGINES = [
    pytest.param(name, marks=pytest.mark.skipif(bool(package) and not find_spec(package), reason="not here"))
    for name, package in (("processes", ""), ("dask", "distributed"), ("ray", "ray"))
]

#: Networks that differ in structure, in numbers and in what is known of them; some of them are refused.
VARY = {"alpha": [0.25, -1.0, 1.0, 1.3], "input": "1..40:3"}
ASKED: dict[str, Any] = {"vary": VARY, "figures": "params,macs,receptive_field"}


def test_all_engines_are_tried() -> None:
    assert engines.names() == ["dask", "processes", "ray"]
    with pytest.raises(UsageError, match="no engine"):
        engines.find("proceses")


@pytest.fixture
def found_by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets processes that are begun anew import this module, from wherever pytest was started."""
    here = Path(__file__).parent
    for folder in (here, here.parent):
        monkeypatch.syspath_prepend(folder)  # what multiprocessing hands on
    monkeypatch.setenv("PYTHONPATH", f"{here}{os.pathsep}{here.parent}")  # for Dask and Ray


def dying(marker: str, number: int) -> int:
    """Doubles a number; the first process that is asked for 5 dies of it."""
    if number == 5:
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return 10
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return 2 * number


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.usefixtures("found_by_workers")
def test_a_killed_worker_loses_nothing(name: str, tmp_path: Path) -> None:
    work = partial(dying, str(tmp_path / "died"))
    found = [*engines.find(name)(work, enumerate(range(40)), 2)]
    assert (tmp_path / "died").exists()
    assert sorted(found) == [(number, 2 * number) for number in range(40)]


def always_dying(marker: str, number: int) -> int:
    Path(marker).touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.slow
@pytest.mark.usefixtures("found_by_workers")
def test_workers_that_always_die_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="died 3 times"):
        list(
            engines.find("processes")(partial(always_dying, str(tmp_path / "begun")), enumerate(range(3)), 2)
        )
    assert (tmp_path / "begun").exists()  # it died of its work, not of its start


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_finds_what_one_process_finds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_PART", 7)
    alone = archlens.search("mobilenet_v1", **ASKED)
    assert alone.refused
    there = archlens.search("mobilenet_v1", **ASKED, engine=name, jobs=2)
    assert there.columns() == alone.columns()
    assert (there.looked, there.refused, there.held) == (alone.looked, alone.refused, alone.held)


@pytest.mark.slow
def test_own_specs_and_single_figures_in_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_TRIED", 3)
    spec = tmp_path / "own.yaml"
    spec.write_text(
        "input: 3x32x32\nparams: {n: 8}\nlayers: ['conv(n, 3) * 2', 'max_pool(n // 4)', flatten]\n"
    )
    asked: dict[str, Any] = {"vary": {"n": "4..16"}, "figures": "min_size", "where": "macs <= 1M"}
    alone = archlens.search(str(spec), **asked)
    assert archlens.search(str(spec), **asked, jobs=2).columns() == alone.columns()
    assert 0 < len(alone) < 13


def count(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def parts(path: Path) -> list[Any]:
    return [json.loads(line.split(b" ", 1)[1]) for line in path.read_bytes().splitlines()[1:]]


def test_an_interrupted_search_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_PART", 7)
    path = tmp_path / "done"
    whole = archlens.search("mobilenet_v1", **ASKED)
    called: list[Any] = []
    call = Task.__call__

    def interrupted(self: Task, domain: Any) -> list[Kept]:
        if len(called) == 3:
            raise KeyboardInterrupt
        called.append(domain)
        return call(self, domain)

    with monkeypatch.context() as patched:
        patched.setattr(Task, "__call__", interrupted)
        first = archlens.search("mobilenet_v1", **ASKED, keep=str(path))
    assert 0 < first.looked < whole.looked
    assert not first.complete
    assert len(parts(path)) == 3
    with path.open("ab") as file:
        file.write(b'{"part": 7, "fo')  # cut off by whoever was killed in the midst of it
    again: list[Any] = []

    def counted(self: Task, domain: Any) -> list[Kept]:
        again.append(domain)
        return call(self, domain)

    with monkeypatch.context() as patched:
        patched.setattr(Task, "__call__", counted)
        found = archlens.search("mobilenet_v1", **ASKED, keep=str(path))
        assert found.columns() == whole.columns()
        assert (found.looked, found.refused, found.held) == (whole.looked, whole.refused, whole.held)
        assert len(again) + 3 == len(parts(path)) == len({one["part"] for one in parts(path)})
        again.clear()
        assert archlens.search("mobilenet_v1", **ASKED, keep=str(path)).columns() == whole.columns()
        assert not again


@pytest.mark.slow
def test_a_killed_search_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "done"
    command = ["search", "mobilenet_v1", "--vary", "alpha=0.25..1.5:0.001", "--vary", "input=32..320"]
    command += ["--where", "macs <= 300M", "--sort", "params", "--limit", "9"]
    running = subprocess.Popen([sys.executable, "-m", "archlens", *command, "--keep", str(path)])
    try:
        while running.poll() is None and count(path) < 4:
            time.sleep(0.005)
    finally:
        running.kill()
        running.wait()
    assert count(path) >= 4
    kept = CliRunner().invoke(cli, [*command, "--keep", str(path), "--jobs", "2"])
    assert kept.output == CliRunner().invoke(cli, command).output
    assert kept.exit_code == 0


@pytest.mark.parametrize(
    "change",
    [
        lambda asked: asked | {"figures": "params"},
        lambda asked: asked | {"vary": VARY | {"input": "1..43:3"}},
        lambda asked: asked | {"where": "macs <= 1M"},
        lambda asked: asked | {"sample": 5},
        lambda asked: asked | {"max_layers": 500},
        lambda asked: asked | {"activations": "int16"},
    ],
)
def test_another_search_has_another_file(change: Callable[[Any], Any], tmp_path: Path) -> None:
    path = str(tmp_path / "done")
    archlens.search("mobilenet_v1", **ASKED, keep=path)
    with pytest.raises(UsageError, match="of another search"):
        archlens.search("mobilenet_v1", **change(ASKED), keep=path)


def test_a_changed_spec_is_another_search(tmp_path: Path) -> None:
    spec, path = tmp_path / "own.yaml", str(tmp_path / "done")
    spec.write_text("input: 3x32x32\nlayers: ['conv(8, 3)']\n")
    archlens.search(str(spec), vary={"input": [8, 9]}, keep=path)
    archlens.search(str(spec), vary={"input": [8, 9]}, keep=path)
    spec.write_text("input: 3x32x32\nlayers: ['conv(9, 3)']\n")
    with pytest.raises(UsageError, match="of another search"):
        archlens.search(str(spec), vary={"input": [8, 9]}, keep=path)


def test_what_no_search_has_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "done"
    archlens.search("mobilenet_v1", **ASKED, keep=str(path))
    lines = path.read_bytes().splitlines(keepends=True)
    rng = random.Random(19)
    for at in range(300):
        line = bytearray(lines[at % 2].split(b" ", 1)[1])
        for _ in range(rng.randint(1, 4)):
            line[rng.randrange(len(line) - 1)] = rng.choice(b'0123[]{},:"x-')
        checksum = b"%08x " % (crc32(line) ^ at // 2 % 2)
        path.write_bytes(b"".join([*lines[: at % 2], checksum, line]))
        try:
            found = archlens.search("mobilenet_v1", **ASKED, keep=str(path))
        except UsageError:
            continue
        assert not at // 2 % 2 or bytes(line) in lines[at % 2]
        assert set(found.rows.tolist()) <= set(range(56))
    path.write_text("params,macs\n1,2\n")
    with (
        pytest.raises(UsageError, match="done:1 is not a line that a search has written"),
        keeping(str(path), "", 1, 9),
    ):
        pass
    assert path.read_text() == "params,macs\n1,2\n"  # somebody's file is as it was
    with pytest.raises(UsageError), keeping(str(tmp_path), "", 1, 9):
        pass
