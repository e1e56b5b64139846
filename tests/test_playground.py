"""``archlens explore --playground``: what is answered, and what the folder is made of, without a browser.

In a browser it is tested in ``test_playground_browser.py``.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import subprocess
import sys
import zipfile
from base64 import b64decode
from gzip import decompress
from pathlib import Path
from typing import Any

import pytest

import archlens
from archlens.editor import looking, wording
from archlens.editor.vocabulary import vocabulary
from archlens.errors import SpecError
from archlens.library import read
from archlens.ops import LANGUAGE
from archlens.ops.op import signature
from archlens.playground import folder
from archlens.playground.answering import NAME, QUESTIONS, answer

from .running import run
from .test_explorer import Parsed, compared, data

#: What is not in a line of a figure of the playground: published ones are of the variant that was asked for.
FIGURES = ("depth", "params", "macs", "year", "peak_activations", "receptive_field", "memory")


def ask(what: str, **given: Any) -> Any:
    """What the playground answers."""
    return json.loads(answer(json.dumps({"ask": what, **given})))


def opened(name: str) -> dict[str, Any]:
    found = ask("open", name=name)
    assert isinstance(found, dict)
    return found


# --- what is answered ------------------------------------------------------------------------------------

FEW = ("lenet5", "resnet50", "swin_t", "unet", "gpt2", "siamese_resnet18")


@pytest.mark.parametrize("name", FEW)
def test_figures_are_those_of_compare(name: str) -> None:
    found = ask("figures", **opened(name))["now"]
    (record,) = compared(name)
    from archlens.explorer.records import SHOWN

    for key in FIGURES:
        told = record[key]
        told = max(told) if isinstance(told, list) else told
        assert found["values"][SHOWN.index(key)] == told or told is None, key
    assert "own" not in ask("figures", **opened(name))


def test_another_input_and_another_param_change_every_number() -> None:
    given = opened("resnet50") | {"inputs": {"input": "3x64x64"}, "values": {"depths": "[3, 4, 23, 3]"}}
    one = archlens.load("resnet50", input=(3, 64, 64), depths=[3, 4, 23, 3])
    found = ask("figures", **given)
    from archlens.explorer.records import SHOWN

    values = dict(zip(SHOWN, found["now"]["values"], strict=True))
    assert (values["params"], values["macs"]) == (44_549_160, one.macs)  # those of torchvision's ResNet-101
    assert found["own"]["values"][SHOWN.index("params")] == 25_557_032
    assert "does not apply" in values["top1"]
    table = ask("table", **given)
    assert len(table["rows"]) == len(one)
    assert table["rows"][0][3] == "64x32x32"
    said = ask("check", **given)
    assert said["inputs"] == [["input", "3x64x64"]]
    assert dict(said["params"])["depths"] == "[3, 4, 6, 3]"  # as the spec has it
    assert "resnet101" in said["variants"]
    graph = ask("graph", **given)
    assert len(graph["layers"]) == len(one)


def test_a_mistake_is_marked_at_its_place_as_the_command_says_it(tmp_path: Path) -> None:
    text = 'title: "\U0001f600 ä"\ninput: 3x32x32\nlayers:\n  - a: conv(8, 3)\n  - {b: "conv(8, 99)"}\n'
    (tmp_path / NAME).write_text(text, "utf-8")
    said = ask("check", text=text)
    (mark,) = said["marks"]
    line, column, width = mark["place"]
    assert text.split("\n")[line - 1][column : column + width] == "conv(8, 99)"
    ended = run("shapes", NAME, cwd=tmp_path)
    assert ended.returncode == 1
    for part in (mark["message"], *mark["notes"], mark["help"]):
        assert part in ended.stderr
    assert (said["failed"], said["complete"], said["layers"]) == ("b", False, 1)
    assert "up to the layer that failed" in said["headline"]
    graph = ask("graph", text=text)
    *_, last = graph["layers"]
    strings = graph["strings"]
    assert (strings[last[0]], strings[last[4]], last[6]) == ("b", "failed", [0])
    assert "99x99 window" in strings[last[10]]
    # and a line leads to it from the layer that it would read
    (places,) = graph["nested"]["places"]
    assert [0, 1] in [[tail, head] for tail, head, _ in places["lines"]]
    assert ask("figures", text=text) is None
    assert ask("lint", text=text) is None
    assert [row[0] for row in ask("table", text=text)["rows"]] == ["a"]


def test_it_is_marked_before_it_is_found_out_what_would_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network of the zoo on too small an input: the search lays it out again and again."""
    searched: list[object] = []

    def search(*given: Any) -> None:
        searched.append(given)

    monkeypatch.setattr("archlens.elaboration.smallest_input", search)
    text = opened("googlenet")["text"].replace("input: 3x224x224", "input: 3x225x7")
    (glanced,) = ask("glance", text=text)["marks"]
    assert searched == []
    (mark,) = ask("check", text=text)["marks"]
    assert searched
    assert glanced["place"] == mark["place"] != []
    assert glanced["severity"] == "error"
    assert ask("glance", text=opened("googlenet")["text"]) == {"marks": []}


def test_columns_are_counted_as_pages_count_them() -> None:
    (mark,) = ask("check", text='{"title": "\U0001f600\U0001f600", "input": 3x8x8, "layers": [reluu]}')[
        "marks"
    ]
    assert mark["place"] == [1, 45, 5]  # each smiling face is two units


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inputs": {"input": "3x0"}}, "is not an input shape"),
        ({"inputs": {"image": "3x8x8"}}, "image"),
        ({"values": {"widht": "3"}}, "no param widht"),
        ({"values": {"width": "conv("}}, "conv("),
        ({"variant": "large"}, ""),
    ],
)
def test_what_is_asked_for_wrongly_is_said(given: dict[str, Any], message: str) -> None:
    text = "params: {width: 4}\ninput: 3x8x8\nlayers: ['conv(width, 3)']"
    marks = ask("check", text=text, **given)["marks"]
    assert bool(marks) == bool(message)
    if message:
        assert message in marks[0]["message"] + marks[0]["help"]


def test_limits_of_the_spec_and_further_ones_are_held() -> None:
    text = 'input: 3x8x8\nlayers: ["conv(4, 3)"]\nbudget: {params: "<= 100"}'
    found = ask("limits", text=text, limits=[["params", ">= 112"], ["macs", "<= 10k"]])
    assert found["held"] == [False, True, True]  # 4 kernels of 3x3x3 and 4 biases are 112
    assert found["rows"][0][4] == "BROKEN"
    assert "did you mean params?" in ask("limits", text=text, limits=[["parms", "<= 1"]])["problem"]
    assert "few" in ask("limits", text=text, limits=[["params", "few"]])["problem"]


def test_findings_are_those_of_lint() -> None:
    found = ask("lint", **opened("vgg16"))
    told = json.loads(run("lint", "vgg16", "--format", "json").stdout)["networks"][0]["findings"]
    assert [(one["code"], one["message"]) for one in found] == [(one["code"], one["message"]) for one in told]
    assert found


def test_pictures_are_those_of_diagram(tmp_path: Path) -> None:
    assert run("diagram", "lenet5", "--style", "graph", "-o", "x.svg", cwd=tmp_path).returncode == 0
    given = opened("lenet5")
    made = ask("picture", style="graph", **given)["svg"]
    written = (tmp_path / "x.svg").read_text("utf-8")
    places = re.compile(r'<rect [^>]*?x="([\d.]+)" y="([\d.]+)"')
    assert places.findall(made) == places.findall(written)
    assert "no style" in ask("picture", style="../x", **given)["problem"]
    assert (
        run("diagram", "lenet5", "--style", "graph", "--fit", "358px", "-o", "y.svg", cwd=tmp_path).returncode
        == 0
    )
    narrow = ask("picture", style="graph", fit="358px", **given)["svg"]
    assert places.findall(narrow) == places.findall((tmp_path / "y.svg").read_text("utf-8"))
    assert 'width="358"' in narrow.split(">", 2)[0] + narrow.split(">", 2)[1]
    assert "there is no fit wide" in ask("picture", style="graph", fit="wide", **given)["problem"]


def test_what_is_explained_is_what_explain_says() -> None:
    text = ask("explain", layer="layer4.2.conv2", **opened("resnet50"))["text"]
    assert text.strip() == run("explain", "resnet50", "layer4.2.conv2").stdout.strip()
    assert ask("explain", layer="nope", **opened("resnet50")) is None


def test_no_text_makes_it_raise() -> None:
    """Whatever is being typed is answered, and every question about it."""
    whole = opened("googlenet")["text"]
    rng = random.Random(6)
    marks = "[]{}:,-#&*!|>'\"%@` \n\t()=xX09\u2028é"
    for _ in range(150):
        at, size = rng.randrange(len(whole)), rng.randrange(40)
        text = whole[:at] + "".join(rng.choices(marks, k=rng.randrange(5))) + whole[at + size :]
        for question in ("check", "graph", "figures", "table", "lint", "limits"):
            found = ask(question, text=text[: rng.choice((len(text), rng.randrange(len(text))))])
            assert found is None or "problem" not in found
    assert "there is no network" in ask("open", name="../../etc/passwd")["problem"]


def test_a_spec_reads_no_file(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("input: 3x8x8\nlayers: [relu]")
    text = f"input: 3x8x8\nuse: {{net: {other}}}\nlayers: [net]"
    (mark,) = ask("check", text=text)["marks"]
    assert "in none" in mark["message"]
    with pytest.raises(SpecError):
        archlens.loads(text)


def test_every_op_is_completed_with_its_arguments() -> None:
    words = vocabulary()
    assert [*words["ops"]] == [*LANGUAGE]
    for kind, op in LANGUAGE.items():
        said = words["ops"][kind]
        assert said["summary"]
        assert [name for name, *_ in said["arguments"]] == [*signature(op)]
        assert all(takes and meaning for _, _, takes, meaning in said["arguments"])
    assert all(said for _, said in words["keys"])
    assert {"input", "layers", "params"} <= {name for name, _ in words["keys"]}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("  - cut", {"cut"}),
        ("  - cut(2, ", {"width", "depth"}),
        ("  - ref(", {"first.0", "first"}),
        ("\U0001f600 va", {"width", "cut"}),
        ("# com", set()),
    ],
)
def test_words_are_those_of_the_last_text_that_was_a_spec(line: str, words: set[str]) -> None:
    """While one types it mostly is none. The words are those of an editor, at places as pages count them."""
    blocks = "blocks:\n  cut(width, depth=2): relu\n"
    text = f"input: 3x8x8\nparams: {{width: 4}}\n{blocks}layers:\n  - first: cut(1)\n"
    assert ask("check", text=text)["complete"]
    assert not ask("check", text=f"{text}  - {{ cut(")["complete"]
    found = ask("complete", line=line)
    looked = looking.laid_out(read(text, name="network", path=NAME), "", advice=False)
    start, said = wording.completed(line, looked.spec, looked.network)
    assert found["words"] == [[one.label, one.text, one.detail, one.says] for one in said]
    assert words <= {label for label, *_ in found["words"]}
    assert bool(words) == bool(found["words"])
    assert found["start"] == looking.units(line[:start])


# --- the folder ------------------------------------------------------------------------------------------


def fake(path: Path) -> Path:
    """A folder that looks as that of the npm package."""
    path.mkdir(parents=True, exist_ok=True)
    for name in folder.FILES:
        (path / name).write_text('{"info": {"python": "3.14.2"}, "packages": {"numpy": {}}}')
    return path


def held(written: Path) -> dict[str, bytes]:
    """The files that a runtime.js holds."""
    text = (written / "runtime.js").read_text("ascii")
    found = json.loads(text.removeprefix("globalThis.archlensRuntime=").removesuffix(";\n"))
    return {name: decompress(b64decode(content)) for name, content in found.items()}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("playground")
    args = ["--playground", "--pyodide", str(fake(path / "pyodide")), "-o", str(path / "out")]
    ended = run("explore", "lenet5", *args)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    return path / "out"


def test_the_folder_has_its_page_its_runtime_and_the_licences(written: Path, tmp_path: Path) -> None:
    assert {path.name for path in written.iterdir()} == {"index.html", "runtime.js", "LICENSES.txt"}
    licences = (written / "LICENSES.txt").read_text("utf-8")
    for name in ("@codemirror/view", "d3-zoom", "PyYAML", "Pyodide", "Mozilla Public License", "CPython"):
        assert name in licences
    args = ["--playground", "--pyodide", str(fake(tmp_path / "pyodide")), "-o", str(tmp_path / "out")]
    assert run("explore", "lenet5", *args).returncode == 0
    for path in written.iterdir():  # the same bytes twice
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def test_its_page_runs_what_it_is_given_and_asks_nothing(written: Path) -> None:
    text = (written / "index.html").read_text("utf-8")
    parsed = Parsed(text)
    policy = next(attrs["content"] or "" for tag, attrs in parsed.tags if attrs.get("http-equiv"))
    assert "default-src 'none'" in policy
    assert "connect-src" not in policy  # so it is none
    assert "'unsafe-eval'" not in policy
    assert "'unsafe-inline'" not in policy
    assert "http" not in policy
    known = data(text)
    assert known["command"] == "archlens explore lenet5 --playground -o out"
    assert known["live"]["names"] == archlens.names()
    assert known["live"]["ops"] == [*LANGUAGE]
    assert ask("check", text=known["live"]["first"])["complete"]
    assert ask("lint", text=known["live"]["first"]) == []


def test_what_runs_in_the_page_runs_with_nothing_else_installed(written: Path, tmp_path: Path) -> None:
    files = held(written)
    assert {*files} == {*folder.FILES, "archlens.zip"}
    assert json.loads(files["pyodide-lock.json"])["packages"] == {}  # of which none is fetched
    with zipfile.ZipFile(io.BytesIO(files["archlens.zip"])) as archived:
        names = archived.namelist()
        archived.extractall(tmp_path)
    assert not [name for name in names if name.endswith((".so", ".pyc", ".js"))]
    assert len(files["archlens.zip"]) < 2_500_000
    script = (
        "import sys; sys.path.insert(0, '.'); from archlens.playground.answering import answer; import json;"
        "opened = json.loads(answer(json.dumps({'ask': 'open', 'name': 'resnet50'})));"
        f"questions = {[one for one in QUESTIONS if one not in ('open', 'complete')]};"
        "more = {'picture': {'style': 'volumes'}, 'explain': {'layer': 'conv1'}};"
        "found = [answer(json.dumps({'ask': one, **opened, **more.get(one, {})})) for one in questions];"
        "found.append(answer(json.dumps({'ask': 'complete', 'line': 'lay'})));"
        "figures = json.loads(found[questions.index('figures')]);"
        "print(figures['now']['values'][1], any('problem' in one[:20] for one in found),"
        " sorted({'yaml', 'click', 'pygments', 'torch', 'numpy'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "25557032 False ['yaml']\n"


def test_pyodide_is_no_part_of_what_is_installed() -> None:
    root = Path(archlens.__file__).parent
    assert [path for path in root.rglob("*.wasm") if "node_modules" not in path.parts] == []
    assert sum(path.stat().st_size for path in (root / "explorer" / "static").iterdir()) < 1_000_000


# --- mistakes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("lenet5", "--playground", "--pyodide", "pyodide"), "--playground writes a folder"),
        (("lenet5", "--pyodide", "x"), "--pyodide is for --playground"),
        (("lenet5", "--playground", "--pyodide", "missing", "-o", "out"), "npm install pyodide@"),
        (("lenet5", "--playground", "--pyodide", "broken", "-o", "out"), "is not that of Pyodide"),
        (("lenet5", "--playground", "--pyodide", "pyodide", "-o", "file"), "is not a folder to write to"),
        (("lenet5", "--pages", "missing"), "has no page of a network"),
    ],
)
def test_mistakes(args: tuple[str, ...], said: str, tmp_path: Path) -> None:
    fake(tmp_path / "pyodide")
    (fake(tmp_path / "broken") / "pyodide-lock.json").write_text("[]")
    (tmp_path / "file").write_text("")
    ended = run("explore", *args, cwd=tmp_path)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert not (tmp_path / "out").exists()


def npm(folder: Path, script: str) -> None:
    """A stand-in for npm on the path."""
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "there is no npm"),
        ("echo 'npm error 404 not found' >&2; exit 1", "404 not found"),
        ("echo x > pyodide-1.tgz", "is something else: its sha512 differs"),
    ],
)
def test_what_npm_gives_is_looked_at(
    script: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if script is not None:
        npm(tmp_path / "bin", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}/bin" if script else str(tmp_path))
    ended = run("explore", "lenet5", "--playground", "-o", str(tmp_path / "out"))
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "--pyodide" in ended.stderr or "sha512" in said
    assert not (tmp_path / "out").exists()


def test_networks_lead_to_their_pages(tmp_path: Path) -> None:
    assert run("report", "lenet5", "--format", "html", "-o", "my pages", cwd=tmp_path).returncode == 0
    args = ["lenet5", "alexnet", "--pages", "my pages", "-o", "here/x.html"]
    (tmp_path / "here").mkdir()
    assert run("explore", *args, cwd=tmp_path).returncode == 0
    known = data((tmp_path / "here" / "x.html").read_text("utf-8"))
    assert [one.get("page") for one in known["networks"]] == ["../my%20pages/lenet5.html", None]
