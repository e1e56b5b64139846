"""``archlens lsp`` as an editor uses it, over pipes; its answers are those of the commands."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import archlens
from archlens.editor import naming, wording
from archlens.editor.looking import units
from archlens.errors import SpecError
from archlens.language.tidying import tidied
from archlens.library import find, read
from archlens.library.finding import families, text_of
from archlens.network import Network

from .protocol import Editor
from .running import run
from .test_diagnostics import CASES, Case, places, under

needs_pygls = pytest.mark.skipif(
    find_spec("pygls") is None, reason="pygls is not installed: pip install 'archlens-nn[lsp]'"
)


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    one = Editor(sys.executable, "-m", "archlens", "lsp", "--pause", "0")
    yield one
    assert one.close() == 0


def uri(name: str) -> str:
    return f"file:///nowhere/{name}.yaml"


def position(text: str, words: str, after: int = 0) -> tuple[int, int]:
    """The line and column, from 0, of some words of a text."""
    at = text.index(words) + after
    return text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1


def inside(text: str, range_: dict[str, Any]) -> str:
    """The part of one line that a range covers, which is given in units of UTF-16."""
    start, end = range_["start"], range_["end"]
    assert start["line"] == end["line"]
    line = text.split("\n")[start["line"]].encode("utf-16-le", "surrogatepass")
    return line[2 * start["character"] : 2 * end["character"]].decode("utf-16-le", "surrogatepass")


# --- what is marked --------------------------------------------------------------------------------------


def marked_as(case: Case, marks: list[dict[str, Any]]) -> dict[str, Any]:
    """The mark that is what the command says of a case, which calls files by other paths."""
    message = case.expected.partition("\n")[0].removeprefix("error: ")
    (found,) = [one for one in marks if said(one["message"].partition("\n")[0]) == said(message)]
    return found


def said(message: str) -> str:
    """A message without the paths of files, which are longer or shorter."""
    return re.sub(r"\S*(\.yaml|\.\.\.)", "", message)


def check_ranges(case: Case, mark: dict[str, Any]) -> None:
    """What is marked is what the command marks: the places of the text that it prints, with their carets."""
    expected = places(case.expected)
    assert mark["severity"] == 1
    related = [one["location"]["range"] for one in mark["relatedInformation"]]
    lines = case.text.split("\n")
    for place, range_ in zip(expected, [mark["range"], *related], strict=True):
        line = lines[place.line - 1]
        assert range_["start"] == {"line": place.line - 1, "character": units(line[: place.column - 1])}
        marked = under(place.marks, place.shown)
        words = inside(case.text, range_).replace("\t", "    ")
        assert words.startswith(marked.rstrip(".")) if place.shown.endswith("...") else words == marked


@needs_pygls
@pytest.mark.slow
def test_manual_of_mistakes(editor: Editor, tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Every case, as it is opened and once all is said."""
    done = 0
    for name, case in CASES.items():
        file = tmp_path / f"{name}.yaml"
        file.write_text(case.text, "utf-8")
        with subtests.test(name):
            editor.open(file.as_uri(), case.text)
            quick = editor.marks(file.as_uri())
            whole = editor.marks(file.as_uri())
            mark = marked_as(case, whole)
            check_ranges(case, mark)
            if quick:
                assert mark["range"] in [one["range"] for one in quick]
                done += 1
        editor.tell("textDocument/didClose", textDocument={"uri": file.as_uri()})
        file.unlink()
    assert done > 700  # the others are of published figures, which are compared after the pause


@needs_pygls
def test_rules(editor: Editor) -> None:
    """Of each family's file once all is said: what ``archlens lint`` finds of its variants, at its places."""
    text = text_of("vgg")
    editor.open(uri("vgg"), text)
    assert editor.marks(uri("vgg")) == []
    marks = editor.marks(uri("vgg"))
    found = json.loads(run("lint", *families()["vgg"], "--format", "json").stdout)
    expected = {(row["code"], row["line"], row["column"]) for row in rows(found)}
    here = {
        (one["code"], one["range"]["start"]["line"] + 1, one["range"]["start"]["character"] + 1)
        for one in marks
    }
    assert here == expected
    assert len(expected) > 1


def rows(found: Any) -> list[dict[str, Any]]:
    """All findings in the JSON of ``archlens lint``."""
    if isinstance(found, list):
        return [row for one in found for row in rows(one)]
    if isinstance(found, dict):
        return [found] if "code" in found and "line" in found else rows(list(found.values()))
    return []


@needs_pygls
@pytest.mark.slow
def test_typing(editor: Editor) -> None:
    """Any edits, characters beyond U+FFFF among them: what is marked is what a file opened so has."""
    draw = random.Random(7)
    text = "# \U0001f40d the snake\n" + text_of("lenet5")
    editor.open(uri("typed"), text)
    editor.marks(uri("typed"), last=True)
    for _ in range(20):
        lines = text.split("\n")
        line = draw.randrange(len(lines))
        start, stop = sorted(draw.randrange(len(lines[line]) + 1) for _ in range(2))
        stop = min(stop, start + 2)
        put = draw.choice(["", "", "x", "\U0001f40d", ", 3", "\n", "'", ": "])
        places = [{"line": line, "character": units(lines[line][:n])} for n in (start, stop)]
        editor.change(uri("typed"), {"range": dict(zip(("start", "end"), places, strict=True)), "text": put})
        lines[line] = lines[line][:start] + put + lines[line][stop:]
        text = "\n".join(lines)
        marks = editor.marks(uri("typed"))
        editor.open(uri("again"), text)
        fresh = editor.marks(uri("again"))
        assert [one["range"] for one in marks] == [one["range"] for one in fresh]
        assert [one["message"] for one in marks] == [
            one["message"].replace("again.yaml", "typed.yaml") for one in fresh
        ]
        editor.tell("textDocument/didClose", textDocument={"uri": uri("again")})
    editor.tell("textDocument/didClose", textDocument={"uri": uri("typed")})


@needs_pygls
def test_files_of_others(editor: Editor) -> None:
    """YAML that is no spec is left alone, unless the editor says that it is one."""
    text = "services:\n  web: {image: nginx}\n"
    editor.open(uri("compose"), text, "yaml")
    assert editor.marks(uri("compose"), last=True) == []
    editor.open(uri("compose2"), text)
    assert "a spec has no key services" in editor.marks(uri("compose2"))[0]["message"]


# --- what is said ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet(editor: Editor) -> str:
    text = text_of("resnet")
    editor.open(uri("resnet"), text)
    editor.marks(uri("resnet"), last=True)
    return text


def hovered(editor: Editor, name: str, place: tuple[int, int]) -> str:
    found = editor.at("hover", uri(name), *place)
    return str(found["contents"]["value"]) if found else ""


@needs_pygls
def test_hover(editor: Editor, resnet: str) -> None:
    said = hovered(editor, "resnet", position(resnet, "conv(64, 7", 1))
    assert said.startswith("`conv(channels, kernel, stride=1")
    explained = run("explain", "resnet18", "conv1").stdout.strip()
    assert f"```text\n{explained}\n```" in said
    assert r"c\_out \* c\_in/groups \* f\*f" in said  # no mark of Markdown
    assert said.index(explained) < said.index("- `kernel`: size of the window") < said.index("- `bias`:")
    assert hovered(editor, "resnet", position(resnet, "stride=2, padding=3", 2)).startswith(
        "`stride` of `conv`: step of the window"
    )
    assert hovered(editor, "resnet", position(resnet, "depths[stage", 2)).startswith("`depths`, a param")
    assert "a block of this spec" in hovered(
        editor, "resnet", position(resnet, "project(width, stride) if", 2)
    )
    assert hovered(editor, "resnet", position(resnet, "- residual:", 4)).startswith(
        "`residual: [steps]`: x + F(x)"
    )
    assert hovered(editor, "resnet", position(resnet, "params:", 2)).startswith("`params:`")
    assert hovered(editor, "resnet", position(resnet, "1512.03385", 2)) == ""
    named = hovered(editor, "resnet", position(resnet, "- maxpool:", 4))
    assert named == f"```text\n{run('explain', 'resnet18', 'maxpool').stdout.strip()}\n```"
    assert hovered(editor, "resnet", position(resnet, "- maxpool:", 1)) == ""  # its dash
    repeated = hovered(editor, "resnet", position(resnet, "conv(width, 3, stride", 1))
    assert "The first of 8 layers that this step makes." in repeated  # of ResNet-18


@needs_pygls
def test_hints(editor: Editor, resnet: str) -> None:
    """Behind each line what its last layer makes, as the network has it."""
    everywhere = {"start": {"line": 0, "character": 0}, "end": {"line": 999, "character": 0}}
    asked = {"textDocument": {"uri": uri("resnet")}, "range": everywhere}
    found = {one["position"]["line"]: one for one in editor.ask("textDocument/inlayHint", **asked)}
    network = archlens.load("resnet18")
    line, _ = position(resnet, "- maxpool:")
    assert found[line]["label"] == str(network["maxpool"].shape)
    assert found[line]["position"]["character"] == len(resnet.split("\n")[line])
    line, _ = position(resnet, "- conv2: conv(width, 3, padding")
    assert found[line]["label"] == f"{network['layer1.0.conv2'].shape} …"
    sizes = ", ".join(dict.fromkeys(str(one.shape) for one in network if one.name.endswith(".conv2")))
    assert found[line]["tooltip"] == f"8 layers: {sizes}"


@needs_pygls
def test_hints_up_to_the_mistake(editor: Editor) -> None:
    text = "input: 3x8x8\nlayers:\n  - conv(4, 3)\n  - conv(4, 9)\n  - relu\n"
    editor.open(uri("short"), text)
    editor.marks(uri("short"))
    everywhere = {"start": {"line": 0, "character": 0}, "end": {"line": 9, "character": 0}}
    found = editor.ask("textDocument/inlayHint", textDocument={"uri": uri("short")}, range=everywhere)
    assert [(one["position"]["line"], one["label"]) for one in found] == [(2, "4x6x6")]


@needs_pygls
def test_format(editor: Editor) -> None:
    text = "input:   3x8x8\nlayers:\n- conv(8,3)  # \U0001f40d\n"
    editor.open(uri("wild"), text)
    (edit,) = editor.ask(
        "textDocument/formatting",
        textDocument={"uri": uri("wild")},
        options={"tabSize": 2, "insertSpaces": True},
    )
    assert edit["newText"] == tidied(text)
    assert edit["range"] == {"start": {"line": 0, "character": 0}, "end": {"line": 4, "character": 0}}


# --- completion ------------------------------------------------------------------------------------------


@needs_pygls
def test_completion(editor: Editor, resnet: str) -> None:
    def labels(place: tuple[int, int]) -> list[str]:
        return [one["label"] for one in editor.at("completion", uri("resnet"), *place)["items"]]

    place = position(resnet, "conv(64, 7, stride=2", len("conv(64, 7, "))
    assert labels(place)[:4] == ["channels", "kernel", "stride", "padding"]
    assert "depths" in labels(place)
    (item,) = (
        one for one in editor.at("completion", uri("resnet"), *place)["items"] if one["label"] == "bias"
    )
    assert item["textEdit"]["newText"] == "bias="
    assert item["documentation"].split("\n")[-1] == "default: true"
    place = position(resnet, "project(width, stride) if", 4)
    item = editor.at("completion", uri("resnet"), *place)["items"][0]
    assert (item["label"], item["textEdit"]["newText"]) == ("basic", "basic(")
    assert inside(resnet, item["textEdit"]["range"]) == "proj"
    assert {"relu", "max_pool", "residual", "norm"} <= set(labels(place))


@pytest.mark.parametrize(
    ("line", "expected", "kind"),
    [
        ("lay", "layers", "key"),
        ("  - ref(", "layer1.0.conv1", "step"),
        ("  - again(layer1.", "layer1.0", "step"),
        ("  - bottleneck(64, ", "dilation", "argument"),
        ("  - conv(64, (3, 3), ", "bias", "argument"),
        ("  - con", "conv", "op"),
        ("  - basic", "basic", "block"),
        ("  - con", "concat", "op"),
        ("  - eac", "each", "construct"),
    ],
)
def test_words(line: str, expected: str, kind: str) -> None:
    _, words = wording.completed(line, find("resnet50").spec, archlens.load("resnet50"))
    assert (expected, kind) in [(one.label, one.kind) for one in words]


def test_no_words_in_comments() -> None:
    assert wording.completed("  - relu  # con", None, None).words == []


# --- names -----------------------------------------------------------------------------------------------


@needs_pygls
def test_definition(editor: Editor, resnet: str) -> None:
    def defined(words: str, after: int = 1) -> str:
        found = editor.at("definition", uri("resnet"), *position(resnet, words, after))
        return f"{found['range']['start']['line']}:{inside(resnet, found['range'])}" if found else ""

    block, _ = position(resnet, "project(channels, stride):")
    assert defined("project(width, stride) if") == f"{block}:project"
    assert defined("block: bottleneck", len("block: b")).endswith(":bottleneck")
    assert defined("depths[stage").endswith(":depths")
    assert defined("relu") == ""  # an op has none
    assert defined("conv(channels, 1, stride", len("conv(c")) == f"{block}:channels"


@needs_pygls
def test_definition_elsewhere(editor: Editor, tmp_path: Path) -> None:
    head = tmp_path / "head.yaml"
    head.write_text("input: 8x4x4\nblocks:\n  unit: relu\nlayers: [unit]\n")
    text = "input: 8x4x4\nuse: {part: ./head.yaml.unit, trunk: resnet18}\nlayers:\n  - part\n  - relu\n"
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    editor.open(file.as_uri(), text)
    editor.marks(file.as_uri())
    found = editor.at("definition", file.as_uri(), 3, 5)
    assert found["uri"] == head.as_uri()
    assert found["range"]["start"] == {"line": 2, "character": 2}
    found = editor.at("definition", file.as_uri(), *position(text, "trunk", 1))
    assert found["uri"].endswith("/specs/resnet.yaml")


@needs_pygls
def test_rename(editor: Editor, resnet: str) -> None:
    place = position(resnet, "project(width, stride) if", 1)
    changes = editor.at("rename", uri("resnet"), *place, newName="shortcut_of")["changes"][uri("resnet")]
    assert [inside(resnet, one["range"]) for one in changes] == ["project"] * 3
    where = {
        "textDocument": {"uri": uri("resnet")},
        "position": dict(zip(("line", "character"), place, strict=True)),
    }
    refused = editor.answer("textDocument/rename", **where, newName="conv")
    assert "would change the network" in refused["error"]["message"]
    assert (
        "cannot name a block"
        in editor.answer("textDocument/rename", **where, newName="a b")["error"]["message"]
    )


def applied(text: str, spans: list[Any], name: str) -> str:
    lines = text.split("\n")
    for span in sorted(spans, key=lambda one: one[1:], reverse=True):
        line = lines[span.line - 1]
        lines[span.line - 1] = line[: span.column - 1] + name + line[span.column - 1 + span.width :]
    return "\n".join(lines)


def figures(network: Network) -> list[tuple[str, int, int]]:
    return [(str(layer.shape), layer.params, layer.macs) for layer in network]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["resnet", "unet", "mixtral", "googlenet", "siamese", "swin"])
def test_renamed(family: str) -> None:
    """Names of some files: all places of each, or none; blocks and params can be renamed in any case."""
    variant = families()[family][0]
    spec = find(variant).spec
    text, done, refused = spec.source.text, 0, set()
    before = figures(archlens.load(variant))
    symbols = list(dict.fromkeys(one.symbol for one in naming.uses(spec)))
    for symbol in symbols[:: 1 + len(symbols) // 20]:
        try:
            spans = naming.renamed(spec, symbol, "another_name")
        except SpecError:
            refused.add(symbol.kind)
            continue
        lines = text.split("\n")
        assert all(lines[span.line - 1][span.column - 1 :].startswith(symbol.name) for span in spans)
        other = read(applied(text, spans, "another_name"), name=spec.name)
        chosen = variant if variant in other.variants else ""
        assert figures(archlens.elaboration.elaborate(other, chosen)) == before
        done += 1
    assert done > 3
    assert refused <= {"step", "parameter"}


def test_names_that_others_hide() -> None:
    """A parameter hides a param of its name; a step of an inner scope hides that of an outer one."""
    text = """\
input: 3x8x8
params: {width: 4}
blocks:
  unit(width):
    - conv(width, 1)
layers:
  - stem: conv(width, 1)
  - inner:
      - stem: relu
      - ref(stem)
  - ref(stem)
"""
    spec = read(text)
    found = {}
    for one in naming.uses(spec):
        found.setdefault((one.symbol.kind, one.symbol.span.line), []).append(one.span.line)
    assert {key: sorted(lines) for key, lines in found.items()} == {
        ("param", 2): [2, 7],
        ("block", 4): [4],
        ("parameter", 4): [4, 5],
        ("step", 7): [7, 11],
        ("step", 8): [8],
        ("step", 9): [9, 10],
    }


def test_without_pygls() -> None:
    code = "import sys; sys.modules['pygls'] = None; sys.argv = ['archlens', 'lsp']"
    code += "; from archlens.cli import main; main()"
    root = Path(__file__).parents[1]
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: archlens lsp needs pygls, which is not installed\n"
        "  = help: pip install 'archlens-nn[lsp]', or in a checkout: pip install '.[lsp]'\n"
    )


@needs_pygls
def test_no_garbage_is_looked_for_while_somebody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full collection takes longer than the networks of a file; it comes once the marks are there."""
    from lsprotocol import types
    from pygls.workspace import Workspace

    from archlens.editor import server

    uri, seen = "file:///nowhere/one.yaml", []

    def problems(file: server.Open, *, whole: bool) -> Iterator[list[types.Diagnostic]]:
        seen.append(gc.isenabled())
        yield []

    async def typed() -> None:
        one.take(uri, "archlens")
        one.drop(uri)

    one = server.made("1", 60)
    one.protocol._workspace = Workspace(None)
    one.workspace.put_text_document(
        types.TextDocumentItem(uri, "archlens", 1, "input: 3x8x8\nlayers: [relu]\n")
    )
    monkeypatch.setattr(server, "problems", problems)
    monkeypatch.setattr(one, "publish", lambda file, found: seen.append(gc.isenabled()))
    asyncio.run(typed())
    assert seen == [False, False]
    assert gc.isenabled()
