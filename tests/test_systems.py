"""Windows and old consoles, as far as they can be had here: encodings, line ends, backslashes, drives.

The workflow of a release runs the wheel on Windows and macOS themselves; that has not been tried yet.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from archlens.cli import cli
from archlens.library import find
from archlens.library.finding import is_path, split
from archlens.library.revision import place

from .running import run

ROOT = Path(__file__).parents[1]

#: What imports torch.
HEAVY = ["trace module.py:größe --input 3x8x8", "verify NAME"]

COMMANDS = [
    "shapes lenet5",
    "shapes NAME",
    "shapes NAME --format markdown",
    "shapes resnet50 --input 3xHxW",
    "explain lenet5 C3",
    "lint NAME",
    "cost lenet5 --count-as all",
    "memory lenet5",
    "sizes lenet5",
    "compare lenet5 NAME",
    "diff lenet5 NAME",
    "convert NAME",
    "show NAME",
    "audit table.csv --from {name}.yaml --column name=größe",
    "board NAME --target stm32f746",
    "check NAME --params <=1",
    "check NAME --params <=1 --format junit",
    "check NAME --params <=1 --format github",
    "claims lenet5 resnet50",
    "explore lenet5 NAME -o made.html",
    "fit NAME --vary breite=2..6 --where macs<=4k",
    "search NAME --vary breite=2..6:2",
    "list größe",
    "list lenet",
    "new größe",
    "report NAME -o pages",
    "roofline NAME --target stm32f746",
    "rules",
    "schema output shapes",
    "source NAME",
    "format --diff NAME",
    "ops conv",
    "rules AL302",
    "diagram NAME -o made.svg",
    "shapes gone.yaml",
]

SPEC = (
    "title: Café 日本 \U0001f40d\ninput: 3x8x8  # ein Maß\nparams: {breite: 4}\n"
    "layers:\n  - conv(breite, 3)\n  - größe:  relu\n"
)
#: What else the commands take: a table, and a module.
FILES = {
    "table.csv": "größe,params\nnet,112\nüber,4\n日本,5\nnet,113\n",
    "module.py": "from torch import nn\n\nclass größe(nn.Sequential):\n"
    "    def __init__(self):\n        super().__init__()\n        self.straße = nn.Conv2d(3, 4, 3)\n",
}


def prepared(folder: Path) -> Path:
    """A folder with the spec and these files."""
    for name, text in {"net.yaml": SPEC, **FILES}.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def started(*args: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    whole = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "0", **environment}
    return subprocess.run([sys.executable, "-m", "archlens", *args], capture_output=True, cwd=cwd, env=whole)


@pytest.mark.parametrize(
    "command", [*COMMANDS, *(pytest.param(one, marks=pytest.mark.slow) for one in HEAVY)]
)
def test_streams_that_cannot_write_all(command: str, tmp_path: Path) -> None:
    """What a console lacks is written as an escape, and nothing is lost."""
    words = command.replace("NAME", "net.yaml").split()
    ended = []
    for encoding in ("utf-8", "cp1252", "cp437"):
        folder = tmp_path / encoding
        folder.mkdir()
        ended.append(run(*words, cwd=prepared(folder), encoding=encoding))
    usual, *others = ended
    assert usual.stdout or usual.stderr or command.split()[0] in ("explore", "diagram", "report")
    for encoding, one in zip(("cp1252", "cp437"), others, strict=True):
        assert one.returncode == usual.returncode
        for there, here in [(one.stdout, usual.stdout), (one.stderr, usual.stderr)]:
            assert there == here.encode(encoding, "backslashreplace").decode(encoding)


def test_every_command_is_among_them() -> None:
    assert {command.split()[0] for command in COMMANDS + HEAVY} == {
        *cli.list_commands(click.Context(cli))
    } - {"lsp"}


@pytest.mark.parametrize("command", cli.list_commands(click.Context(cli)))
def test_help_needs_no_more_than_ascii(command: str) -> None:
    ended = run(command, "--help", encoding="ascii")
    assert ended.returncode == 0
    assert ended.stdout.isascii()


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["cp1252", "cp437"])
def test_a_console_that_cannot_write_all(encoding: str, tmp_path: Path) -> None:
    """The same of a process, whose streams are Python's own.

    Where it says that it has ASCII alone, click takes that for a mistake, and writes UTF-8.
    """
    (tmp_path / "net.yaml").write_text(SPEC, "utf-8")
    ended = started("shapes", "net.yaml", cwd=tmp_path, PYTHONIOENCODING=encoding, LC_ALL="C")
    usual = run("shapes", "net.yaml", cwd=tmp_path)
    assert ended.returncode == 0
    assert ended.stdout == usual.stdout.encode(encoding, "backslashreplace")
    assert ended.stderr == usual.stderr.encode(encoding, "backslashreplace")
    assert b"\\u65e5" in ended.stdout
    (tmp_path / "net.yaml").write_text(SPEC.replace("conv(breite, 3)", "conv(breite, 9)  # 日本"), "utf-8")
    ended = started("shapes", "net.yaml", cwd=tmp_path, PYTHONIOENCODING=encoding, LC_ALL="C")
    assert ended.returncode == 1
    assert b"\\u65e5" in ended.stderr
    assert b"Traceback" not in ended.stderr


@pytest.mark.slow
def test_files_are_utf8_whatever_the_locale_is(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(SPEC, "utf-8")
    made = []
    for folder, environment in [("one", {"LC_ALL": "C", "PYTHONIOENCODING": "cp1252"}), ("two", {})]:
        (tmp_path / folder).mkdir()
        for args in (["diagram", "../net.yaml", "-o", "a.svg"], ["shapes", "../net.yaml", "-o", "a.txt"]):
            assert started(*args, cwd=tmp_path / folder, **environment).returncode == 0
        made.append({path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()})
    assert made[0] == made[1]
    assert "Café 日本" in made[0]["a.txt"].decode("utf-8")


def test_line_ends_and_marks_of_windows(tmp_path: Path) -> None:
    """A file of Notepad, with a byte order mark and CRLF, is what it is without; places are the same."""
    text = "input: 3x8x8\nlayers:\n  - conv(4, 3)\n  - conv(4, 9)\n"
    (tmp_path / "unix.yaml").write_text(text)
    (tmp_path / "windows.yaml").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    one, two = (run("shapes", f"{name}.yaml", cwd=tmp_path) for name in ("unix", "windows"))
    assert one.returncode == two.returncode == 1
    assert two.stderr == one.stderr.replace("unix", "windows")
    assert two.stdout == one.stdout.replace("unix", "windows")


@pytest.mark.parametrize(
    ("name", "path", "variant"),
    [
        (r"C:\models\net.yaml", r"C:\models\net.yaml", ""),
        ("C:/models/net.yaml", "C:/models/net.yaml", ""),
        (r"C:\models\net.yaml:small", r"C:\models\net.yaml", "small"),
        (r"models\net.yaml:small", r"models\net.yaml", "small"),
        ("net.yaml:small", "net.yaml", "small"),
        ("net.yaml", "net.yaml", ""),
    ],
)
def test_paths(name: str, path: str, variant: str) -> None:
    """A drive is no file, and no revision of git."""
    assert is_path(name)
    assert split(name) == (path, variant)
    if name[1] == ":":
        assert place(name) is None
    with pytest.raises(Exception, match="there is no file") as caught:
        find(name)
    assert path.rpartition("\\")[2] in str(caught.value)
