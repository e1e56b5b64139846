"""Every error text that a user can meet: its message, its place, its notes and its help.

The files of ``diagnostics/`` are a manual of mistakes: each headed case has a spec with one mistake, and what
archlens says of it; ``--update`` rewrites the latter. So that no expected text is accepted unread, the spec
itself says in its first lines which words must be marked: ``# marks: reluu``, and ``# also: conv(8, 3)`` for
each further place. ``# variant: name`` asks for a variant.
"""

from __future__ import annotations

import ast
import fcntl
import re
import sys
import unicodedata
from pathlib import Path
from typing import NamedTuple

import pytest

import archlens
from archlens.analysis import published_figures
from archlens.cli import main

MANUAL = Path(__file__).parent / "diagnostics"
PACKAGE = Path(archlens.__file__).parent

#: Words after ``# marks:`` that stand for what cannot be written there.
END = "the end of the line"
WORDS = {"a tab": "\t"}

#: In a spec of the manual it stands for a tab, which nobody would see there and many an editor would replace.
TAB = "\N{RIGHTWARDS ARROW}"


class Case(NamedTuple):
    """A headed case of the manual."""

    topic: Path
    name: str
    text: str
    expected: str


#: A heading, perhaps a sentence, and two fences.
CASE = re.compile(
    r"^## (.+)\n\n(?:(?!#|```).+\n\n)?```yaml\n((?s:.*?))```\n\n```text\n((?s:.*?))```$", re.MULTILINE
)


def cases(topic: Path) -> list[Case]:
    text = topic.read_text("utf-8")
    return [
        Case(topic, re.sub(r"\W+", "_", match[1]).strip("_").lower(), match[2].replace(TAB, "\t"), match[3])
        for match in CASE.finditer(text)
    ]


TOPICS = sorted(set(MANUAL.glob("*.md")) - {MANUAL / "README.md"})
CASES = {case.name: case for topic in TOPICS for case in cases(topic)}


def headers(text: str, key: str) -> list[str]:
    """The values of ``# key: value`` in the comments that a case starts with."""
    head = re.match(r"(#[^\n]*\n)*", text)
    assert head is not None
    return re.findall(rf"^# {key}: (.*)$", head[0], re.MULTILINE)


def rendered(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """What archlens says of a case; its name in the message is that of the file alone."""
    monkeypatch.chdir(folder)
    Path(f"{case.name}.yaml").write_text(case.text, "utf-8")
    variant = headers(case.text, "variant")
    with pytest.raises(archlens.SpecError) as caught:
        # the figures that a spec publishes are compared when somebody asks
        published_figures.find(archlens.load(":".join([f"{case.name}.yaml", *variant])))
    return f"{caught.value}\n"


def rewrite(case: Case, expected: str) -> None:
    """Put another expected text into the manual, which several processes may be writing to."""
    with case.topic.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        spec = f"```yaml\n{case.text.replace(chr(9), TAB)}```\n\n```text\n"
        before, found, after = file.read().partition(f"{spec}{case.expected}```\n")
        assert found
        file.seek(0)
        file.truncate()
        file.write(f"{before}{spec}{expected}```\n{after}")


class Place(NamedTuple):
    """A place as a diagnostic shows it."""

    arrow: str
    file: str
    line: int
    column: int
    shown: str  # the line of the file
    marks: str  # the line below it, up to the last caret


PLACE = re.compile(
    r"^ *(?P<arrow>-->|:::) (?P<file>.+):(?P<line>\d+):(?P<column>\d+)\n"
    r" *\|\n"
    r" *(?P<number>\d+) \|(?: (?P<shown>.*))?\n"
    r" *\| (?P<marks> *\^+)",
    re.MULTILINE,
)


def places(text: str) -> list[Place]:
    found = []
    for match in PLACE.finditer(text):
        assert match["number"] == match["line"]
        line, column = int(match["line"]), int(match["column"])
        found.append(Place(match["arrow"], match["file"], line, column, match["shown"] or "", match["marks"]))
    return found


def cells(character: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def under(marks: str, shown: str) -> str:
    """The part of a shown line that stands over the carets."""
    first, stop = marks.index("^"), len(marks)
    column, found = 0, ""
    for character in shown:
        if first <= column < stop:
            found += character
        column += cells(character)
    return found


def check_place(place: Place, expected: str, source: list[str]) -> None:
    line = source[place.line - 1]
    if expected == END:
        assert place.column == len(line) + 1
        assert place.marks.index("^") == len(line)
        assert place.marks.endswith(" ^")
        return
    words = WORDS.get(expected, expected)
    assert line[place.column - 1 :].startswith(words), (line, place.column)
    marked = under(place.marks, place.shown)
    shown = words.replace("\t", "    ")
    if place.shown.endswith("...") and not marked.endswith(shown):
        # the line is too long to be shown whole, and the marked words reach beyond its end
        assert len(marked) > 50
        assert shown.startswith(marked)
    else:
        assert marked == shown


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, update: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    text = rendered(case, tmp_path, monkeypatch)
    if update and text != case.expected:
        rewrite(case, text)
    else:
        assert text == case.expected
    check_marks(case, text)
    check_form(text)


def check_marks(case: Case, text: str) -> None:
    """The carets stand under the words that the case names, and nowhere else."""
    source = case.text.split("\n")
    expected = headers(case.text, "marks")
    assert len(expected) == 1, "the first comment of a case says what is marked"
    shown = places(text)
    assert len(re.findall(r"^ *(-->|:::) ", text, re.MULTILINE)) == len(shown), "each place shows its line"
    assert [place.arrow for place in shown] == ["-->", *[":::"] * len(headers(case.text, "also"))]
    for place, words in zip(shown, [*expected, *headers(case.text, "also")], strict=True):
        assert place.file == f"{case.name}.yaml"
        check_place(place, words, source)


def check_form(text: str) -> None:
    """A message is one line that starts with ``error:``; notes and help stand below the places."""
    first, *rest = text.rstrip("\n").split("\n")
    assert re.fullmatch(r"error: \S.*\S", first)
    assert "Traceback" not in "\n".join(rest)
    tail = [line for line in rest if re.match(r" *= ", line)]
    assert rest[len(rest) - len(tail) :] == tail
    assert sum("= help: " in line for line in tail) <= 1
    assert "= help: " not in "".join(tail[:-1])
    for line in [first, *tail]:
        assert line.isprintable()
        assert "None" not in line
        plain = line.replace("<stdin>", "").replace("'< 0'", "").replace(" < ", "")
        assert "<" not in plain or "<=" in plain or "<<" in plain, line


def test_the_manual_is_read_whole() -> None:
    """Each heading and fence belongs to a case, no two have one name, and the list of topics is whole."""
    for topic in TOPICS:
        text = topic.read_text("utf-8")
        assert re.match(r"# [A-Z].*\n\n.+\n\n## ", text), topic.name
        headings, fences = (len(re.findall(mark, text, re.MULTILINE)) for mark in ("^## ", "^```"))
        assert (headings, fences) == (len(cases(topic)), 4 * len(cases(topic))), topic.name
    assert len(CASES) == sum(len(cases(topic)) for topic in TOPICS)
    assert set(MANUAL.iterdir()) == {*TOPICS, MANUAL / "README.md"}, "a case is a headed part of a topic"
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", (MANUAL / "README.md").read_text("utf-8"), re.MULTILINE)
    titles = [(topic.read_text("utf-8").partition("\n")[0][2:], topic.name) for topic in TOPICS]
    assert sorted(listed) == sorted(titles)


def test_the_example_of_the_language_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rendered(CASES["my_lenet"], tmp_path, monkeypatch) == (
        """\
error: C3 does not fit: its 5x5 window is larger than its 4x4 input
  --> my_lenet.yaml:12:9
   |
12 |   - C3: conv(16, 5)
   |         ^^^^^^^^^^^
   = (n + 2p - f)/s + 1 = (4 + 0 - 5)/1 + 1 = 0
   = input 1x12x12 -> C1 6x8x8 -> S2 6x4x4 -> C3
   = help: the smallest square input that fits the whole network is 1x16x16; or give C3 padding=1
"""
    )


def test_what_the_help_advises_works() -> None:
    """The example again, with each of the two ways out that its help names."""
    text = CASES["my_lenet"].text
    # 16 - 5 + 1 = 12; 12/2 = 6; 6 - 5 + 1 = 2; 2/2 = 1
    assert archlens.loads(text, input="1x16x16")["S4"].shape == (16, 1, 1)
    with pytest.raises(archlens.SpecError):
        archlens.loads(text, input="1x15x15")
    # 4 + 2*1 - 5 + 1 = 2; 2/2 = 1
    padded = text.replace("conv(16, 5)", "conv(16, 5, padding=1)")
    assert archlens.loads(padded)["S4"].shape == (16, 1, 1)


# --- errors without a file -----------------------------------------------------------------------

SPEC = """\
input: 3x8x8
params: {width: 8}
layers:
  - conv1: conv(width, 3)
  - stage:
      - conv2: conv(width, 3)
variants:
  small: {width: 4}
"""

#: Arguments after ``archlens shapes``, what is said on standard error, and the exit status.
USAGE = {
    "unknown_network": (
        ["resnet5"],
        "error: there is no network resnet5\n  = help: did you mean resnet50 or resnet?",
        2,
    ),
    "unknown_network_far": (
        ["qqqqqqqq"],
        "error: there is no network qqqqqqqq\n"
        "  = help: `archlens list` lists all; a file of your own is named by its path",
        2,
    ),
    "no_name": (
        [""],
        "error: the name of a network is missing\n  = help: `archlens list` lists all",
        2,
    ),
    "unknown_param": (
        ["spec.yaml", "--set", "widht=3"],
        "error: spec has no param widht\n  = help: did you mean width?",
        2,
    ),
    "unknown_param_far": (
        ["spec.yaml", "--set", "q=3"],
        "error: spec has no param q\n  = help: its params: width",
        2,
    ),
    "unknown_param_of_none": (
        ["lenet5", "--set", "q=3"],
        "error: lenet5 has no param q\n  = help: it has none",
        2,
    ),
    "param_without_value": (
        ["spec.yaml", "--set", "width"],
        "error: --set width has no value\n  = help: as in --set alpha=0.5",
        2,
    ),
    "param_with_empty_value": (
        ["spec.yaml", "--set", "width="],
        "error: width is given no value\n  = help: --set width=...",
        2,
    ),
    "param_twice": (
        ["spec.yaml", "--set", "width=3", "--set", "width=4"],
        "error: --set gives width twice",
        2,
    ),
    "param_not_an_expression": (
        ["spec.yaml", "--set", "width=3 +"],
        "error: 3 + is not an expression: invalid syntax\n --> --set width:1:1\n  |\n1 | 3 +\n  | ^^^",
        1,
    ),
    "param_unknown_name": (
        ["spec.yaml", "--set", "width=2 * widht"],
        "error: the name widht is not known here\n"
        " --> --set width:1:5\n"
        "  |\n"
        "1 | 2 * widht\n"
        "  |     ^^^^^\n"
        "  = help: a string needs quotes",
        1,
    ),
    "param_does_not_fit": (
        ["spec.yaml", "--set", "width=wide"],
        "error: the channels of conv must be a whole number of at least 1, not the text 'wide'\n"
        " --> spec.yaml:4:17\n"
        "  |\n"
        "4 |   - conv1: conv(width, 3)\n"
        "  |                 ^^^^^",
        1,
    ),
    "family_without_variant": (
        ["resnet"],
        "error: resnet needs a value for block\n"
        "  = help: resnet is a family: resnet18, resnet34, resnet50, resnet101, resnet152",
        2,
    ),
    "param_needs_value": (
        ["needs.yaml"],
        "error: needs needs a value for width\n  = help: --set width=...",
        2,
    ),
    "bad_input": (
        ["lenet5", "--input", "1x32xfoo"],
        "error: 1x32xfoo is not an input shape\n"
        "  = help: as in 3x224x224: one to four whole numbers from 1 to 10^9, channels first, no batch; "
        "or 50x80 channels_last; or 77 of 49408 for ids",
        2,
    ),
    "input_with_batch": (
        ["lenet5", "--input", "8x1x4x32x32"],
        "error: 8x1x4x32x32 is not an input shape\n"
        "  = help: as in 3x224x224: one to four whole numbers from 1 to 10^9, channels first, no batch; "
        "or 50x80 channels_last; or 77 of 49408 for ids",
        2,
    ),
    "input_of_zero": (
        ["lenet5", "--input", "1x0x32"],
        "error: 1x0x32 is not an input shape\n"
        "  = help: as in 3x224x224: one to four whole numbers from 1 to 10^9, channels first, no batch; "
        "or 50x80 channels_last; or 77 of 49408 for ids",
        2,
    ),
    "unknown_input": (
        ["lenet5", "--input", "image=1x32x32"],
        "error: lenet5 has no input image\n  = help: its inputs: input",
        2,
    ),
    "several_inputs": (
        ["two.yaml", "--input", "1x32x32"],
        "error: two has several inputs\n  = help: name the one that is meant: left=CxHxW, right=CxHxW",
        2,
    ),
    "input_without_name": (
        ["two.yaml", "--input", "left=1x32x32", "--input", "1x32x32"],
        "error: --input 1x32x32 does not say which input is meant\n"
        "  = help: as in --input image=3x224x224; with one input, once is enough",
        2,
    ),
    "input_twice": (
        ["two.yaml", "--input", "left=1x32x32", "--input", "left=1x32x32"],
        "error: --input gives left twice",
        2,
    ),
    "missing_file": (
        ["zzzzzz.yaml"],
        "error: there is no file zzzzzz.yaml",
        2,
    ),
    "missing_file_near": (
        ["spek.yaml"],
        "error: there is no file spek.yaml\n  = help: did you mean spec.yaml?",
        2,
    ),
    "missing_file_of_the_zoo": (
        ["lenet5.yaml"],
        "error: there is no file lenet5.yaml\n"
        "  = help: the zoo's own network is named without an ending: lenet5",
        2,
    ),
    "directory": (
        ["./"],
        "error: ./ is a folder, not a spec file\n"
        "  = help: it holds empty.yaml, needs.yaml, spec.yaml, two.yaml",
        2,
    ),
    "unknown_variant": (
        ["spec.yaml:smal"],
        "error: spec.yaml has no variant smal\n  = help: did you mean small?",
        2,
    ),
    "unknown_variant_far": (
        ["spec.yaml:q"],
        "error: spec.yaml has no variant q\n  = help: its variants: small",
        2,
    ),
    "unknown_variant_of_none": (
        ["two.yaml:q"],
        "error: two.yaml has no variant q\n  = help: it has no variants",
        2,
    ),
    "empty_file": (
        ["empty.yaml"],
        "error: the file is empty\n"
        " --> empty.yaml:1:1\n"
        "  |\n"
        "1 |\n"
        "  | ^\n"
        "  = help: a spec needs at least `input:` and `layers:`",
        1,
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a few specs."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "two.yaml").write_text("input: {left: 3x8x8, right: 3x8x8}\nlayers: [relu]\n")
    (tmp_path / "needs.yaml").write_text("input: 3x8x8\nparams: {width: }\nlayers:\n  - conv(width, 3)\n")
    (tmp_path / "empty.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(
    args: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of ``archlens``."""
    monkeypatch.setattr(sys, "argv", ["archlens", *args])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    status = stop.value.code
    return (status if isinstance(status, int) else 0), captured.out, captured.err


@pytest.mark.parametrize("case", USAGE)
def test_usage(
    case: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    args, message, status = USAGE[case]
    found = run(["shapes", *args], monkeypatch, capsys)
    assert found == (status, "", message + "\n")


def test_a_layer_that_does_not_exist(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explain", "spec.yaml", "conv"], monkeypatch, capsys) == (
        2,
        "",
        "error: spec has no layer conv\n  = help: did you mean conv1?\n",
    )


@pytest.mark.parametrize(
    ("asked", "meant"), [("layer1.0.0", "layer1.0.relu"), ("layer4.1.1", "layer4.1.relu_1"), ("1", "flatten")]
)
def test_a_layer_by_the_number_that_a_step_without_weights_does_not_have(asked: str, meant: str) -> None:
    with pytest.raises(archlens.UsageError, match=f"resnet18 has no layer {asked}") as caught:
        archlens.load("resnet18")[asked]
    said = f"a step without weights is called by its op, where others are named: {meant}"
    assert str(caught.value).endswith(f"= help: {said}")


def test_a_layer_by_a_number_that_no_step_would_have() -> None:
    with pytest.raises(archlens.UsageError, match="resnet18 has no layer 2") as caught:
        archlens.load("resnet18")["2"]
    assert "without weights" not in str(caught.value)


def test_a_command_that_does_not_exist(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(["shape", "lenet5"], monkeypatch, capsys)
    assert (status, out) == (2, "")
    assert err.endswith("Error: there is no command shape; did you mean shapes?\n")


def test_a_pattern_that_nothing_matches(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["list", "zfnett"], monkeypatch, capsys) == (
        2,
        "",
        "error: no network matches zfnett\n  = help: did you mean zfnet?\n",
    )


def test_standard_input_is_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    class Standard:
        buffer = io.BytesIO(b"input: 3x8x8\nlayers: [reluu]\n")

    monkeypatch.setattr(sys, "stdin", Standard())
    with pytest.raises(archlens.SpecError) as caught:
        archlens.load("-")
    assert " --> <stdin>:2:10\n" in str(caught.value)


def test_values_from_python() -> None:
    for value, message in (
        ({}, "width cannot be dict"),
        (object(), "width cannot be object"),
        (b"8", "width cannot be bytes"),
    ):
        with pytest.raises(archlens.UsageError) as caught:
            archlens.loads(SPEC, width=value)
        assert str(caught.value) == f"error: {message}\n  = help: numbers, strings, and lists of them"
    for number in (10**5000, float("inf"), float("nan")):
        with pytest.raises(archlens.UsageError) as caught:
            archlens.loads(SPEC, width=number)
        assert str(caught.value) == "error: the value of width is out of range"
    with pytest.raises(archlens.UsageError) as caught:
        archlens.loads(SPEC, variant="smal")
    assert str(caught.value) == "error: there is no variant smal\n  = help: did you mean small?"
    for shape, shown in (
        ((3, 8, 8.0), "(3, 8, 8.0)"),
        ((True, 8, 8), "(True, 8, 8)"),
        ([3, 8, 0], "[3, 8, 0]"),
        ((), "()"),
        (3, "an input of type int"),
        ((10**5000,), "an input of type tuple"),
    ):
        with pytest.raises(archlens.UsageError) as caught:
            archlens.loads(SPEC, input=shape)
        assert str(caught.value).startswith(f"error: {shown} is not an input shape\n")


def test_the_network_up_to_the_layer_that_failed() -> None:
    """The error carries what was placed before, so that a table can show it."""
    with pytest.raises(archlens.SpecError) as caught:
        archlens.loads(CASES["my_lenet"].text)
    network = caught.value.network
    assert network is not None
    # the names of the first three layers; tanh has none, and is called by its op beside them
    assert [(layer.name, tuple(layer.shape)) for layer in network] == [
        ("C1", (6, 8, 8)),
        ("tanh", (6, 8, 8)),
        ("S2", (6, 4, 4)),
    ]


# --- no message without a case --------------------------------------------------------------------

#: Functions that make a diagnostic, or a part of one; their first text is the message.
MAKERS = {"error", "usage", "Problem", "ShapeError", "_Misuse", "fail"}

#: Where messages are made that this module answers for.
ROOMS = [
    "elaboration", "network.py", "language", "library", "ops", "cli/options.py", "cli/commands/list.py",
]  # fmt: skip

#: Messages that are met elsewhere: in the tests of hostile input, or where a package is taken away.
ELSEWHERE = {
    " axes, and the input is ": "test_formula",
    " has letters, but an input has numbers here": "test_formula",
    " is not an input shape with letters": "test_formula",
    "one batch has several letters: ": "test_formula",
    " both bring an op ": "test_custom",
    " brings no op ": "test_custom",
    " layers, and may have ": "test_recurrent",
    " is not a probability": "test_recurrent",
    "its dropout stands between layers, and it has one layer": "test_recurrent",
    " features is not smaller than its state of ": "test_recurrent",
    " features and its cells ": "test_recurrent",
    "and has no spec": "test_files",
    " is named twice": "test_compare",
    "is a path from a spec's own file": "test_using",
    " has not been read": "test_using",
    " other specs are used": "test_using",
    "the specs that are used have more than": "test_using",
    " inputs, and a step reads one tensor": "test_using",
    " has no block or step ": "test_using",
    " is both a block and a step of ": "test_using",
    " is not a file": "test_using",
    "max_layers is a whole number": "test_hostile",
    "layers together": "test_hostile",
    "cannot be read: ": "test_hostile",
    "is larger than ": "test_hostile",
    "is not a text file: byte": "test_hostile",
    "is not a text file: it holds a NUL byte": "test_hostile",
    "the file has more than ": "test_hostile",
    "laying this network out takes more than ": "test_hostile",
    "scopes and blocks are nested too deep here": "test_hostile",
    "the file is not text: it holds half a character": "test_hostile",
    "the file is not text: it holds the control character": "test_hostile",
    "an expression of ": "test_hostile",
    "a graph is a networkx.DiGraph": "test_diagram",
    "is not a revision of git": "test_diff",
    "asks for a revision, but this is not a git repository": "test_diff",
    "git knows no revision ": "test_diff",
    "is not a file at ": "test_diff",
    "has no file ": "test_diff",
    "git is not installed": "test_diff",
    "git did not answer: ": "test_diff",
    "takes names of networks, or --all": "test_report",
    ") is opaque": "test_unknown",
    "what comes out of ": "test_unknown",
    " has its ": "test_tracing",
    "steps apply each other more than ": "test_sharing",
    " is used again, and ": "test_sharing",
    "this key has no layout": "test_format",
    "no layout of this file would keep its meaning": "test_format",
    " has a second key, ": "test_sharing",
}


def templates(tree: ast.expr) -> list[str]:
    """The regular expressions of the texts that an argument may be."""
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        return [re.escape(tree.value)]
    if isinstance(tree, ast.JoinedStr):
        return [
            "".join(templates(part)[0] if isinstance(part, ast.Constant) else ".+?" for part in tree.values)
        ]
    if isinstance(tree, ast.IfExp):
        return [*templates(tree.body), *templates(tree.orelse)]
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        return [a + b for a in templates(tree.left) for b in templates(tree.right)]
    return []


def messages() -> dict[str, str]:
    """Every message of the rooms, as a regular expression, and where it is made."""
    found = {}
    for room in ROOMS:
        path = PACKAGE / room
        assert path.exists(), room
        for file in sorted(path.glob("**/*.py")) if path.is_dir() else [path]:
            for call in ast.walk(ast.parse(file.read_text("utf-8"))):
                if not isinstance(call, ast.Call):
                    continue
                name = (
                    call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                )
                if name not in MAKERS:
                    continue
                texts = [text for arg in call.args for text in templates(arg)]
                for text in texts[: 2 if call.args and isinstance(call.args[0], ast.IfExp) else 1]:
                    found[text] = f"{file.relative_to(PACKAGE)}:{call.lineno}"
    return found


def test_every_message_has_a_case() -> None:
    told = "\n".join(case.expected for case in CASES.values())
    told += "\n".join(message for _, message, _ in USAGE.values())
    told += Path(__file__).read_text("utf-8").partition("USAGE")[2].partition("# --- no message")[0]
    told += Path(__file__).with_name("test_builder.py").read_text("utf-8")
    made = messages()
    assert len(made) > 150  # the search works
    missing = {
        text: where
        for text, where in made.items()
        if not is_told(text, told) and not any(re.escape(words) in text for words in ELSEWHERE)
    }
    assert missing == {}


def is_told(text: str, told: str) -> bool:
    """Whether a message is somewhere in a long text: only the lines with its longest part are looked at."""
    longest = re.sub(r"\\(.)", r"\1", max(text.split(".+?"), key=len))
    if "\n" in text:
        return re.search(text, told) is not None
    at = told.find(longest)
    while at >= 0:
        end = told.find("\n", at + len(longest))
        if re.search(text, told[told.rfind("\n", 0, at) + 1 : end if end >= 0 else None]):
            return True
        at = told.find(longest, at + 1) if end >= 0 else -1
    return False
