"""Every block of the documentation runs: specs are written, commands and Python give the output shown.

``pytest --update`` writes the real output into the pages; read the difference before it is committed.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from click.testing import CliRunner
from generate import COMMAND

import archlens
from archlens.cli import cli
from archlens.views import json as network_json

from . import installed, running, test_onnx, test_tflite

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]

#: Fences whose content is shown and run elsewhere: the commands of set-up are those that CI runs.
SHOWN = {"sh", "json"}


#: Fences whose content is a file, which says its name in a comment on the first line.
FILES = {"yaml", "toml", "rst", "md", "ini", "protobuf", "csv"}
FILE = re.compile(r"(?:#|\.\.|<!--) (\S+\.(?:ya?ml|toml|rst|md|py|cfg|prototxt|csv))(?: -->)?\n")


#: Files of bytes, which no page can show.
GIVEN = {"digits.tflite": lambda: test_tflite.small().bytes(), "model.onnx": test_onnx.small}


class Fence(NamedTuple):
    language: str
    text: str
    start: int  # of the text in the page
    line: int


def fences(page: Path) -> list[Fence]:
    text = page.read_text("utf-8")
    found = re.finditer(r"^(`{3,})(\w+)\n(.*?)^\1$", text, re.MULTILINE | re.DOTALL)
    return [Fence(m[2], m[3], m.start(3), text.count("\n", 0, m.start()) + 1) for m in found]


#: What needs no shell, and so no process of its own, each of which would import torch anew.
PLAIN = re.compile(r"(archlens|python (?=\w+\.py$))[^|&;<>$*`]+")


def run(command: str, folder: Path) -> str:
    """What a command prints, standard output first, as a terminal without colours would show it."""
    if PLAIN.fullmatch(command):
        program, *args = shlex.split(command, comments=True)
        with own_modules(folder):
            if program == "archlens":
                ended = running.run(*args)
                return ended.stdout + ended.stderr
            with contextlib.redirect_stdout(io.StringIO()) as out:
                runpy.run_path(args[0], run_name="__main__")
            return out.getvalue()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": path},
        timeout=600,
    )
    return result.stdout + result.stderr


@contextlib.contextmanager
def own_modules(folder: Path) -> Iterator[None]:
    """Modules that lie in the folder are read anew for each command, as in a process of its own."""

    def forget() -> None:
        for name, module in list(sys.modules.items()):
            if (getattr(module, "__file__", None) or "").startswith(f"{folder}{os.sep}"):
                del sys.modules[name]

    forget()
    path = sys.path[:]
    try:
        yield
    finally:
        sys.path[:] = path
        forget()


def session(text: str, folder: Path) -> str:
    """A console block as it really goes: each ``$`` command followed by its output."""
    commands = [line[2:] for line in text.split("\n") if line.startswith("$ ")]
    shown = []
    for command in commands:
        output = run(command, folder).rstrip("\n")
        shown.append(f"$ {command}\n{output}\n" if output else f"$ {command}\n")
    return "\n".join(shown)


@pytest.fixture
def packages(tmp_path: Path) -> Iterator[None]:
    """What a page installs is gone after it."""
    with installed.undone(tmp_path):
        yield


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.usefixtures("packages")
@pytest.mark.slow
def test_every_block(page: Path, tmp_path: Path, update: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # as for who types it there
    text = page.read_text("utf-8")
    for name, content in GIVEN.items():
        if name in text:
            (tmp_path / name).write_bytes(content())
    names: dict[str, object] = {}
    checked = 0
    for fence in fences(page):
        where = f"{page.name}:{fence.line}"
        file = FILE.match(fence.text)
        if fence.language in FILES or (fence.language == "python" and file):
            assert file, f"{where}: a file says its name in its first line"
            (tmp_path / file[1]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file[1]).write_text(fence.text, "utf-8")
            if file[1] == "pyproject.toml":
                installed.install(tmp_path)
        elif fence.language == "console":
            real = session(fence.text, tmp_path)
            if update and real != fence.text:
                text = text.replace(f"```console\n{fence.text}```", f"```console\n{real}```")
                page.write_text(text, "utf-8")
            else:
                assert real == fence.text, f"{where}: `{COMMAND}` writes a new one"
            checked += 1
        elif fence.language == "python":
            test = doctest.DocTestParser().get_doctest(fence.text, names, where, page.name, fence.line)
            report: list[str] = []
            runner = doctest.DocTestRunner(verbose=False)
            runner.run(test, out=report.append, clear_globs=False)
            names = test.globs
            assert not report, "".join(report)
            checked += 1
        elif fence.language == "html":  # what it shows has been written
            shown = re.findall(r'(?:src|srcset)="([^"]+)"', fence.text)
            assert shown
            assert all((tmp_path / name).is_file() for name in shown), where
        elif '"model_type"' in fence.text:  # JSON has no comments to say the name of a file in
            (tmp_path / "config.json").write_text(fence.text, "utf-8")
        else:
            assert fence.language in SHOWN, f"{where}: nothing runs a block of {fence.language}"
    assert checked


def test_set_up_is_what_ci_runs() -> None:
    """The README's commands stand to the letter in the one list that ``.ci/run`` and the workflow run."""
    commands = [line for f in fences(PAGES[0]) if f.language == "sh" for line in f.text.strip().split("\n")]
    assert commands[:2] == ["pip install . && archlens shapes lenet5", "pip install '.[test]' && pytest"]
    listed = (ROOT / ".ci" / "check").read_text("utf-8").splitlines()
    assert [line for line in listed if line in commands] == commands[:2]
    assert (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1] == ".ci/check"
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]["check"]
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/check"]


def test_ci_runs_on_every_python_that_is_named() -> None:
    job = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]["check"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = [found for one in project["classifiers"] if (found := re.search(r"Python :: (3\.\d+)$", one))]
    versions = job["strategy"]["matrix"]["python"]
    assert versions == [match[1] for match in named]
    assert project["requires-python"] == f">={versions[0]}"


def test_nobody_is_sent_to_the_other_package() -> None:
    """``archlens`` on PyPI is an unrelated tool."""
    for path in [*PAGES, *ROOT.glob("archlens/**/*.py")]:
        assert not re.search(r"pip install ['\"]?archlens(?!-nn)", path.read_text("utf-8")), path


def test_json_block_names_what_there_is() -> None:
    """The documented form of the JSON has the keys of the real one."""
    (block,) = (f for f in fences(ROOT / "docs" / "json.md") if f.language == "json")
    documented = json.loads(block.text)
    real = json.loads(network_json.to_json(archlens.study("lenet5")))
    assert documented["schema"] == network_json.SCHEMA == real["schema"]
    assert documented.keys() == real.keys()
    assert documented["layers"][0] == real["layers"][0]
    assert documented["totals"] == real["totals"]


#: Commands whose output has, together, every key that there is.
FORMS = {
    "formula": [["lenet5", "--input", "1xHxW"], ["gpt2", "--input", "NxT"]],
    "cost-formula": [["lenet5", "--input", "1xHxW"]],
    "memory-formula": [["lenet5", "--input", "1xHxW"]],
    "sizes-formula": [["lenet5", "--input", "1xHxW"]],
    "list": [["lenet5"]],
    "ops": [[]],
    "search": [["lenet5", "--vary", "input=31..33", "--figures", "params,receptive_field"]],
    "sizes": [["lenet5"], ["heads.yaml"]],
    "cost": [
        ["lenet5", "--count-as", "thop"],
        ["resnet18", "--count-as", "thop"],
        ["decoder.yaml"],
        ["mixed.yaml"],
    ],
    "board": [["lenet5", "--target", "stm32f746"], ["opaque.cfg"]],
    "roofline": [["lenet5", "--target", "a100"]],
    "memory": [["lenet5"], ["decoder.yaml"], ["mixed.yaml"], ["latent.yaml"]],
    "audit": [["audit.csv"]],
    "claims": [["vgg16"]],
    "compare": [["lenet5", "alexnet"]],
    "lint": [["lenet5", "vgg16", "broken.yaml", "lint.yaml"]],
    "verification": [["lenet5"], ["stated.yaml"], ["opaque.cfg"]],
    "verified": [[one, "--brief"] for one in ("lenet5", "stated.yaml", "opaque.cfg")],
    "table": [["AL1"]],
    "check": [["net.yaml", "broken.yaml", "other.yaml", "--locked"]],
    "diff": [["vgg11", "vgg11_bn"]],
}

SPECS = {
    "net.yaml": "input: 1x8x8\nlayers: ['conv(2, 3)', relu]\nbudget: {params: <= 5, '0': {params: <= 5 %}}\n",
    "other.yaml": "input: 1x8x8\nlayers: ['conv(2, 3)']\nbudget: {receptive_field: <= 5}\n",
    "heads.yaml": "input: 1x8x8\nlayers: ['conv(2, 3)']\noutputs: {aux: {training: ['conv(2, 5)']}}\n",
    "broken.yaml": "input: 1x8x8\nlayers: ['conv(2, 9)']\n",
    "decoder.yaml": "input: 8 of 9\nlayers: ['embedding(4)', 'self_attention(2, causal=true)']\n",
    "mixed.yaml": "input: 8x8\nlayers: [tokens, 'self_attention(2, causal=true)', 'self_attention(2)']\n",
    "latent.yaml": (
        "input: 8 of 9\nlayers:\n- x: embedding(8)\n- latent: linear(2)\n- attention: "
        "{q: [ref(x), linear(8)], k: [ref(latent), linear(8)], v: [ref(latent), linear(8)], "
        "heads: 2, causal: true}\n"
    ),
    "opaque.cfg": "[net]\nwidth=8\nheight=8\nchannels=1\n[reorg]\nstride=2\n[avgpool]\n",
    "stated.yaml": 'input: 1x8x8\nlayers: [\'custom("mix", shape="1x8x8", params=0, macs=0)\']\n',
    "audit.csv": "name,params,gmacs\nvgg16,138.4M,15.5\nresnet50,25.5M,4.11\nnothing,1,1\n",
    "lint.yaml": (
        "input: 3x32x32\nlayers:\n  - conv: conv(64, 3, padding=1)\n  - norm: batch_norm\n  - relu\n"
    ),
}


def keys(data: object, path: str = "") -> Iterator[str]:
    """The way to each value: ``networks[].name``; what is in a list has no number."""
    if isinstance(data, dict) and data:
        for key, value in data.items():
            yield from keys(value, f"{path}/{key}")
    elif isinstance(data, list) and any(isinstance(item, dict) for item in data):
        for item in data:
            yield from keys(item, f"{path}[]")
    else:
        yield path.removeprefix("/")


def documented(name: str) -> tuple[str, set[str]]:
    """The form's name and the keys that docs/json.md lists for it, written like those of :func:`keys`."""
    page = (ROOT / "docs" / "json.md").read_text("utf-8")
    pattern = rf"### `(archlens\.{name}/\d+)`.*?\n(.*?)(?=\n### |\Z)"
    ((schema, section),) = re.findall(pattern, page, re.DOTALL)
    found: set[str] = set()
    for item in re.findall(r"^- (.*?)(?=\n- |\n\n|\Z)", section, re.DOTALL | re.MULTILINE):
        first = ""
        for word in re.findall(r"`([^`]+)`", item.split(": ")[0]):
            if word.startswith("."):  # beside the first, or in something that lies beside it
                word = f"{first.rpartition('.')[0]}{word}"
            first = first or word
            found.add(word.replace(".", "/"))
    return schema, found


@pytest.mark.parametrize("name", FORMS)
def test_every_key_of_every_form_is_documented(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each key that comes out stands in docs/json.md, and each that stands there comes out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    for file, text in SPECS.items():
        (tmp_path / file).write_text(text)
    others = {"verification": "verify", "verified": "verify", "table": "rules", "formula": "shapes"}
    others |= {f"{one}-formula": one for one in ("cost", "memory", "sizes")}
    command = others.get(name, name)
    if name == "check":
        CliRunner().invoke(cli, ["check", "net.yaml", "lenet5", "--update"])
        (tmp_path / "net.yaml").write_text(SPECS["net.yaml"].replace("relu", "tanh"))
    schema, listed = documented(name)
    told = listed | {"schema"}
    patterns = {word: re.compile(re.escape(word).replace(r"\*", "[^/]+")) for word in told}
    hit: set[str] = set()
    for args in FORMS[name]:
        result = CliRunner().invoke(cli, [command, *args, "--format", "json"])
        data = json.loads(result.stdout)
        assert data["schema"] == schema
        for key in keys(data):
            # an object or a list that is empty or absent may stand for all that is told of what is in it
            inside = re.compile(rf"{re.escape(key)}(/|\[\]).*")
            fits = {word for word, pattern in patterns.items() if pattern.fullmatch(key)}
            assert fits or any(map(inside.fullmatch, told)), f"{key} is not documented"
            hit |= fits
    assert told - hit == set(), "documented, and not there"


def test_version_and_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == "archlens-nn"
    assert project["requires-python"] == ">=3.11"
    assert not any(d.startswith(("torch", "numpy", "networkx")) for d in project["dependencies"])
