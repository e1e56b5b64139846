"""No input, however broken, ends in a traceback, runs on, or takes the machine's memory.

Each file goes through the command line in a process of its own, with 2 GB of address space. What takes as
long as the bounds allow is laid out with a tenth of the steps, and only some of it as it is.
"""

from __future__ import annotations

import os
import random
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import archlens
from archlens.analysis.study import Study
from archlens.bounds import MAX_LAYERS, Bounds, allowing, together
from archlens.cli import cli
from archlens.drawing.request import Request
from archlens.elaboration import elaborate
from archlens.elaboration.walk import Walk
from archlens.errors import printable
from archlens.language import parse
from archlens.views.rows import rows_of

from .running import Ended, apart
from .work import calls_made

pytest.importorskip("resource", reason="limits are set as POSIX sets them")

MEMORY = 2 * 10**9
#: Of the processor, and not of the clock: other tests run beside these.
SECONDS = 60

HEAD = "input: 3x8x8\n"


#: What a command may take.
LIMITS = {"RLIMIT_AS": MEMORY, "RLIMIT_CPU": SECONDS, "RLIMIT_CORE": 0}


def run(*args: str, stdin: bytes | None = None) -> Ended:
    """``archlens`` with these arguments, in a process of its own."""
    ended = apart(*args, stdin=stdin, limits=LIMITS, NO_COLOR="1")
    for text in (ended.stdout, ended.stderr):
        assert "Traceback" not in text
        assert "\x1b" not in text
    return ended


def refusal(ended: Ended) -> str:
    """The message of a run that ended in one diagnostic, and in nothing else."""
    status, out, err = ended
    assert status in (1, 2), err
    assert err.startswith("error: ")
    assert err.count("error: ") == 1
    assert len(err) < 3000
    assert all(c.isprintable() or c == "\n" for c in err)
    # a table shows what was placed before; it may not stand alone
    assert not out or status == 1
    return err.split("\n")[0].removeprefix("error: ")


def shapes(path: Path, content: bytes | str) -> Ended:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return run("shapes", str(path))


# --- what is no spec at all -----------------------------------------------------------------------

BINARY = random.Random(0).randbytes(10_000)

FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "the file is empty"),
    "blanks": (lambda: b" \n\n  \n", "the file is empty"),
    "comments": (lambda: b"# nothing\n", "the file is empty"),
    "100 MB": (lambda: b"x" * 10**8, "file.yaml is larger than 2 MB, the most that a spec may have"),
    "100 MB of lines": (
        lambda: b"- relu\n" * (10**8 // 7),
        "file.yaml is larger than 2 MB, the most that a spec may have",
    ),
    "one line of 5 MB": (
        lambda: b"title: " + b"x" * 5 * 10**6,
        "file.yaml is larger than 2 MB, the most that a spec may have",
    ),
    "random bytes": (
        lambda: BINARY,
        f"file.yaml is not a text file: byte 0x{BINARY[0]:02x} on line 1 is not UTF-8",
    ),
    "PNG": (
        lambda: b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + BINARY,
        "file.yaml is not a text file: byte 0x89 on line 1 is not UTF-8",
    ),
    "ELF": (lambda: b"\x7fELF\2\1\1" + bytes(100), "file.yaml is not a text file: it holds a NUL byte"),
    "NUL": (lambda: b"input: 3x8x8\nlayers: [re\0lu]\n", "file.yaml is not a text file: it holds a NUL byte"),
    "NULs": (lambda: bytes(10**6), "file.yaml is not a text file: it holds a NUL byte"),
    "UTF-16": (
        lambda: (HEAD + "layers: [relu]\n").encode("utf-16"),
        "file.yaml is not a text file: byte 0xff on line 1 is not UTF-8",
    ),
    "UTF-16 without a mark": (
        lambda: (HEAD + "layers: [relu]\n").encode("utf-16-le"),
        "file.yaml is not a text file: it holds a NUL byte",
    ),
    "Latin-1": (
        lambda: (HEAD + "title: Réseau\nlayers: [relu]\n").encode("latin-1"),
        "file.yaml is not a text file: byte 0xe9 on line 2 is not UTF-8",
    ),
    "surrogates": (
        lambda: b"title: \xed\xa0\x80\n",
        "file.yaml is not a text file: byte 0xed on line 1 is not UTF-8",
    ),
    "control character": (
        lambda: b"title: \x1b[31mred\n",
        "the file is not text: it holds the control character U+001B",
    ),
    "JSON": (lambda: b'{"layers": [1, 2]}', "the spec has no input:"),
    "HTML": (
        lambda: b"<!DOCTYPE html><html><body>404</body></html>",
        "a spec is a mapping with keys such as input: and layers:, not the text "
        "<!DOCTYPE html><html><body>404</body></html>",
    ),
    "Python": (
        lambda: b"import torch\nmodel = torch.nn.Linear(1, 1)\n",
        "a spec is a mapping with keys such as input: and layers:, not the text "
        "import torch model = torch.nn.Linear(1, 1)",
    ),
    "one quote": (lambda: b'"', "this is not valid YAML: found unexpected end of stream"),
    "one bracket": (lambda: b"[", "this is not valid YAML: did not find expected node content"),
}


@pytest.mark.parametrize("case", FILES)
@pytest.mark.slow
def test_what_is_no_spec(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content, message = FILES[case]
    (tmp_path / "file.yaml").write_bytes(content())
    ended = run("shapes", "file.yaml")
    assert refusal(ended) == message
    assert (ended.returncode, ended.stdout) == (1, "")


@pytest.mark.slow
def test_what_is_no_file(tmp_path: Path) -> None:
    assert refusal(run("shapes", f"{tmp_path}/")).endswith(" is a folder, not a spec file")
    assert refusal(run("shapes", "/dev/zero")).startswith("/dev/zero is larger than 2 MB")
    assert refusal(run("shapes", "/dev/null")) == "the file is empty"
    assert refusal(run("shapes", "-", stdin=b"\0" * 10**7)).startswith("<stdin> is larger")
    assert refusal(run("shapes", "-", stdin=b"\xff")).startswith("<stdin> is not a text file")
    assert refusal(run("shapes", "-")) == "the file is empty"
    long = "x" * 5000 + ".yaml"
    assert refusal(run("shapes", long)).endswith("... cannot be read: File name too long")
    assert refusal(run("check", long)).endswith("... cannot be read: File name too long")
    assert refusal(run("check", "x" * 5000)).startswith("there is no network xxx")
    assert refusal(run("diff", "lenet5", long)).endswith("... cannot be read: File name too long")
    assert refusal(run("diff", f"HEAD:{'x' * 5000}/a.yaml", "lenet5")).startswith("OLD: ")
    assert refusal(run("shapes", "x\n\x1b[31m.yaml")) == "there is no file x\\n\\x1b[31m.yaml"
    assert refusal(run("shapes", "x" * 5000)).startswith("there is no network xxx")
    assert refusal(run("shapes", "\x1b[31m")) == "there is no network \\x1b[31m"
    assert refusal(run("shapes", "")) == "the name of a network is missing"
    assert refusal(run("shapes", ":")) == "there is no network :"
    assert refusal(run("shapes", "../..")).endswith(" is a folder, not a spec file")
    (tmp_path / "file.yaml").write_text(HEAD)
    within = str(tmp_path / "file.yaml" / "x.yaml")
    assert refusal(run("shapes", within)).endswith("cannot be read: Not a directory")
    loop = tmp_path / "loop.yaml"
    loop.symlink_to(loop)
    assert refusal(run("shapes", str(loop))).endswith("Too many levels of symbolic links")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text(HEAD)
    secret.chmod(0)
    assert refusal(run("shapes", str(secret))).endswith("cannot be read: Permission denied")


def test_a_file_that_the_system_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where the tests run as root."""

    def refuse(*args: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(archlens.UsageError) as caught:
        archlens.load("secret.yaml")
    assert str(caught.value) == "error: secret.yaml cannot be read: Permission denied"


# --- too deep, too long, too much -----------------------------------------------------------------

#: A name of a million characters, and how a message shows it.
LONG = "n" * 10**6
SHORT = "n" * 57 + "..."

DEEP = "this is nested more than 60 deep"
NESTED = "this expression is nested more than 80 deep"
ITEMS = "this list holds more than the 100,000 items allowed"
#: What is said of a network that is too much; which of the two comes first depends on the bounds.
TOO_MUCH = "too much"
SAID_OF_TOO_MUCH = (
    f"laying this network out takes more than {10 * MAX_LAYERS:,} steps",
    f"the network has more than {MAX_LAYERS:,} layers, the most that one may have",
)
REPEATED = f"are more than the {MAX_LAYERS:,} layers that a network may have"
LONGER = "is longer than 1,000,000,000,000,000"
HUGE = 10**29


def layers(*lines: str) -> str:
    return HEAD + "layers:\n" + "".join(f"  - {line}\n" for line in lines)


def layer(text: str) -> str:
    """A spec whose only layer is this expression, in YAML's quotes."""
    return layers(f"'{text}'")


def blocks(*signatures: str, last: str) -> str:
    """Blocks ``b0``, ``b1`` and so on, each of which is given with its body, and the layers."""
    return HEAD + "blocks:\n" + "".join(f"  {line}\n" for line in signatures) + f"layers: {last}\n"


def each(rows: str, *body: str) -> str:
    """A table of rows, with a list of steps for each."""
    return layers(f"each: i\n    in: {rows}\n    do:\n" + "".join(f"      - {line}\n" for line in body))


def table(rows: str, body: str) -> str:
    """A table of rows, and in it another one."""
    return each(rows, f"each: j\n        in: {rows}\n        do: {body}")


def nested(levels: int, line: Callable[[int], str], last: str) -> str:
    """Lists within lists, each with a step of its own."""
    return "".join("  " * k + f"- {line(k)}\n" for k in range(1, levels)) + "  " * levels + f"- {last}\n"


def tenfold(last: str) -> str:
    """35 blocks, each of which repeats the next one ten times."""
    return blocks(*(f"b{k}: b{k + 1} * 10" for k in range(35)), f"b35: {last}", last="b0")


def references(signs: str, count: int) -> str:
    """YAML's classic: each list holds the one before nine times."""
    lines = (f"{b}: &{b} [{', '.join([f'*{a}'] * count)}]\n" for a, b in pairwise(signs))
    return "a: &a [x]\n" + "".join(lines)


Cases = dict[str, tuple[Callable[[], str], str]]

YAML: Cases = {
    "alias bomb": (lambda: references("abcdefghi", 9), "YAML's anchors are not part of the language: &a"),
    "an alias of itself": (
        lambda: HEAD + "layers: &a [*a]\n",
        "YAML's anchors are not part of the language: &a",
    ),
    "a tag that runs a command": (
        lambda: HEAD + "layers: !!python/object/apply:os.system [touch made]\n",
        "YAML's tags are not part of the language: !!python/object/apply:os.system",
    ),
    "an object": (
        lambda: HEAD + "layers: !!python/object:__main__.A {}\n",
        "YAML's tags are not part of the language: !!python/object:__main__.A",
    ),
    "10,000 lists in a line": (lambda: HEAD + "layers: " + "[" * 10_000 + "]" * 10_000, DEEP),
    "1,000,000 lists in a line": (lambda: HEAD + "layers: " + "[" * 10**6, DEEP),
    "10,000 mappings in a line": (lambda: HEAD + "layers: " + "{a: " * 10_000 + "}" * 10_000, DEEP),
    "1,000,000 mappings in a line": (lambda: HEAD + "layers: " + "{" * 10**6, DEEP),
    "dashes": (lambda: HEAD + "layers:\n" + "- " * 500_000, DEEP),
    "question marks": (lambda: HEAD + "layers:\n" + "? " * 500_000, DEEP),
    "indentation": (lambda: HEAD + "layers:\n" + nested(1000, lambda k: f"a{k}:", "relu"), DEEP),
    "many words": (lambda: HEAD + "layers:\n" + "- a\n" * 300_000, "the file has more than 200,000 words"),
    "many names": (
        lambda: HEAD + "params:\n" + "".join(f"  p{k}: 1\n" for k in range(120_000)),
        "the file has more than 200,000 words",
    ),
    "many anchors": (lambda: "a: " + "&a " * 10**5, "YAML's anchors are not part of the language: &a"),
}

NAMES: Cases = {
    "a long name": (
        lambda: layers(f"? {LONG}\n    : relu"),
        "a name of 1,000,000 characters is more than the 200 allowed",
    ),
    "a long block": (
        lambda: blocks(f"? {'n' * 10_000}\n  : relu", last="relu"),
        "a name of 10,000 characters is more than the 200 allowed",
    ),
    "a long param": (
        lambda: f"{HEAD}layers: relu\nparams:\n  ? {LONG}\n  : 1\n",
        f"'{SHORT}' cannot name a param",
    ),
    "a long key": (lambda: f"? {LONG}\n: 1\n", f"a spec has no key {SHORT}"),
    "a long tag": (
        lambda: f"{HEAD}layers: !{LONG} x\n",
        f"YAML's tags are not part of the language: !{SHORT[1:]}",
    ),
    "a long anchor": (
        lambda: f"{HEAD}layers: &{LONG} x\n",
        f"YAML's anchors are not part of the language: &{SHORT[1:]}",
    ),
    "a long input": (
        lambda: f"input: {'3x' * 10**5}3\nlayers: relu\n",
        f"'{'3x' * 28}3...' is not an input shape",
    ),
    "a long number as input": (
        lambda: f"input: {'9' * 10**6}\nlayers: relu\n",
        f"'{'9' * 57}...' is not an input shape",
    ),
    "a large input": (
        lambda: "input: 3x9999999999x9999999999\nlayers: relu\n",
        "'3x9999999999x9999999999' is not an input shape",
    ),
    "a long signature": (
        lambda: blocks(f'? "b({", ".join(f"p{k}" for k in range(10_000))})"\n  : relu', last="relu"),
        "'b(p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, ...' is not the signature of a block",
    ),
    "names that are not there": (
        lambda: layers(*(f"n{k}: relu" for k in range(20_000)), "ref(nn)"),
        "there is no step nn to refer to",
    ),
}

EXPRESSIONS: Cases = {
    "a long expression": (
        lambda: layer("relu >> " * 100_000 + "relu"),
        "an expression of 800,004 characters is more than the 20,000 allowed",
    ),
    "brackets": (lambda: layer("(" * 9_000 + "relu" + ")" * 9_000), NESTED),
    "brackets that stay open": (lambda: layer("(" * 10_000), NESTED),
    "signs": (lambda: layer("conv(" + "-" * 10_000 + "3, 3)"), NESTED),
    "nots": (lambda: layer("relu if " + "not " * 4_000 + "3 else tanh"), NESTED),
    # Python's own parser goes so deep from 3.13 on, and steps one after another are not nested
    "arrows": (
        lambda: layer("a>>" * 6_000 + "a"),
        NESTED if sys.version_info < (3, 13) else "there is no op or block a",
    ),
    "choices": (lambda: layer("relu if 0 else " * 1_300 + "tanh"), NESTED),
    "calls": (lambda: layer("max(" * 3_000 + "1" + ")" * 3_000), NESTED),
    "indices": (lambda: layer("a" + "[0]" * 5_000), NESTED),
    "attributes": (lambda: layer("x" + ".a" * 9_000), NESTED),
    "lists": (lambda: layer("[" * 9_000 + "]" * 9_000), NESTED),
    "a power": (lambda: layer("conv(9**9**9, 3)"), "this number would have more than 100 bits"),
    "another power": (lambda: layer("conv(2**100000, 3)"), "this number would have more than 100 bits"),
    "digits": (
        lambda: layer(f"conv({'9' * 10_000}, 3)"),
        f"conv({'9' * 52}... is not an expression: it holds a number that is too long",
    ),
    "infinity": (lambda: layer("conv(1e999, 3)"), "this number is out of range"),
    "a long list": (
        lambda: layer("conv([0] * 10**9, 3)"),
        "a list of 1,000,000,000 items is more than the 100,000 allowed",
    ),
    "a long text": (
        lambda: layer('conv("a" * 10**9, 3)'),
        "the text 'a' * the number 1000000000 has no meaning",
    ),
    "lists of lists": (
        lambda: (
            f"{HEAD}layers: relu\nparams:\n  a: '[1]'\n"
            + "".join(f"  {b}: '[{', '.join(a * 9)}]'\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        ),
        ITEMS,
    ),
    "lists of lists in YAML": (
        lambda: (
            f"{HEAD}layers: relu\nparams:\n  a: [1]\n"
            + "".join(f"  {b}: [{', '.join(a * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        ),
        ITEMS,
    ),
}

SIZES: Cases = {
    "channels": (
        lambda: layer(f"conv({HUGE}, 3)"),
        f"0 (conv) does not fit: an axis of its output {HUGE}x6x6 {LONGER}",
    ),
    "beyond floats": (
        lambda: layer("upsample(1e308)"),
        "0 (upsample) does not fit: its numbers are too large",
    ),
    "doubled": (
        lambda: each("range(100000)", "concat: [identity, identity]"),
        # 3 * 2**49 is the first above 10**15
        f"concat_48 does not fit: an axis of its output 1688849860263936x8x8 {LONGER}",
    ),
    "adaptive": (
        lambda: layer(f"adaptive_avg_pool({HUGE})"),
        f"0 (adaptive_avg_pool) does not fit: an axis of its output 3x{HUGE}x{HUGE} {LONGER}",
    ),
    "groups": (
        lambda: layer(f"conv(8, 3, groups={HUGE})"),
        f"0 (conv) does not fit: its 3 input channels are not divisible by groups={HUGE}",
    ),
    "kernel": (
        lambda: layer(f"conv(8, {HUGE})"),
        f"0 (conv) does not fit: its {HUGE}x{HUGE} window is larger than its 8x8 input",
    ),
    "dilation": (
        # 2 * 10**29 + 1
        lambda: layer(f"conv(8, 3, dilation={HUGE})"),
        f"0 (conv) does not fit: its 2{'0' * 28}1x2{'0' * 28}1 window is larger than its 8x8 input",
    ),
}

REPEATS: Cases = {
    "repeats": (
        lambda: layer("relu * 10**9"),
        f"1,000,000,000 repeats {REPEATED}",
    ),
    "repeats of repeats": (lambda: layer("(relu * 20000) * 20000"), TOO_MUCH),
    "repeats of identity": (lambda: layer("(identity * 20000) * 20000"), TOO_MUCH),
    "repeats of nothing": (lambda: layer("([] * 20000) * 20000"), TOO_MUCH),
    "repeats of no repeats": (lambda: layer("((relu * 0) * 20000) * 20000"), TOO_MUCH),
    "rows of nothing": (lambda: table("range(100000)", "[]"), TOO_MUCH),
    "rows of lists": (lambda: table("range(1000)", "relu * (0 * len(range(100000)))"), TOO_MUCH),
    "rows of long expressions": (
        lambda: table("range(1000)", "identity * (0 * (" + " + ".join(["2**90"] * 70) + "))"),
        TOO_MUCH,
    ),
    "rows of a long table": (
        lambda: "params: {t: '[[0, 1]] * 30000'}\n" + each("range(100000)", "conv_map(t, 1)"),
        TOO_MUCH,
    ),
    "rows of empty lists": (lambda: each("range(100000)", *["[]"] * 50_000), TOO_MUCH),
    "rows of branches": (
        lambda: each("range(100000)", "add:\n" + "\n".join(["          - []"] * 50_000)),
        TOO_MUCH,
    ),
    "blocks of blocks": (lambda: tenfold("relu"), TOO_MUCH),
    "blocks of empty blocks": (lambda: tenfold("[]"), TOO_MUCH),
    "blocks that all differ": (
        lambda: blocks(
            *(f"b{k}(n): b{k + 1}(2 * n) >> b{k + 1}(2 * n + 1)" for k in range(35)),
            "b35(n): []",
            last="b0(1)",
        ),
        TOO_MUCH,
    ),
    "blocks with many parameters": (
        lambda: blocks(f'? "b({", ".join(f"p{k}=1" for k in range(2000))})"\n  : "[]"', last="b * 20000"),
        TOO_MUCH,
    ),
    "names within names": (
        lambda: HEAD + "layers:\n" + nested(25, lambda k: f"{'n' * 190}{k}:", "relu * 24000"),
        TOO_MUCH,
    ),
    "second names of all": (
        lambda: (
            layers("net: conv(8, 1) * 1000")
            + "aliases:\n"
            + "".join([f"  other{k}: net\n" for k in range(9000)])
        ),
        TOO_MUCH,
    ),
    "second names of nothing": (
        lambda: (
            layers("net: conv(8, 1) * 20000")
            + "aliases:\n"
            + "".join([f"  o.*.{k}: net.*.x\n" for k in range(9000)])
        ),
        "the network has no step or tensor net.*.x",
    ),
    "scopes within blocks": (
        lambda: blocks(
            *(
                f"b{k}:\n" + nested(25, lambda j: f"n{j}:", f"b{k + 1}").replace("\n", "\n    ").rstrip()
                for k in range(39)
            ),
            "b39: relu",
            last="b0",
        ).replace("\n  - n1", "\n      - n1"),
        "scopes and blocks are nested too deep here",
    ),
    "a search for an input that fits": (
        lambda: layers("identity * 20000", "conv(8, 9)"),
        "20000 (conv) does not fit: its 9x9 window is larger than its 8x8 input",
    ),
    "another search": (
        lambda: layers("stem: conv(8, 3)", "identity * 20000", "add: [ref(stem), 'conv(8, 3)']"),
        "add does not fit: it cannot add 8x6x6 and 8x4x4: "
        "they differ in height (6 and 4) and width (6 and 4)",
    ),
}

#: Of what is too much, that which goes through the command line as it is.
AS_IT_IS = ("repeats of repeats", "rows of nothing", "names within names", "rows of lists")

SLOW = {case: what for case, what in REPEATS.items() if what[1] == TOO_MUCH and case not in AS_IT_IS}
HOSTILE = {
    case: what for case, what in (YAML | NAMES | EXPRESSIONS | SIZES | REPEATS).items() if case not in SLOW
}


def said_so(found: str, expected: str) -> bool:
    return found in SAID_OF_TOO_MUCH if expected == TOO_MUCH else found == expected


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.slow
def test_hostile(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    content, message = HOSTILE[case]
    text = content()
    assert len(text) < 2 * 10**6  # or the size of the file would be all that is tested
    ended = shapes(tmp_path / "file.yaml", text)
    assert said_so(refusal(ended), message), ended.stderr
    assert ended.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file.yaml"]


@pytest.mark.parametrize("case", SLOW)
@pytest.mark.slow
def test_too_much(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a tenth of the steps: each is stopped by them, and for none Python does much in a step."""
    bounds = Bounds(MAX_LAYERS)
    bounds.steps //= 10
    monkeypatch.setattr("archlens.elaboration.building.Bounds", lambda layers: bounds)
    content, message = SLOW[case]
    text = content()
    refused: list[archlens.SpecError] = []

    def load() -> None:
        try:
            archlens.loads(text)
        except archlens.SpecError as problem:
            refused.append(problem)

    assert calls_made(load) < 125 * bounds.steps
    (problem,) = refused
    said = str(problem).split("\n")[0].removeprefix("error: ")
    assert said_so(said.replace(f"{bounds.steps:,}", f"{10 * MAX_LAYERS:,}"), message), said
    assert problem.network is None  # nobody wants to see what was placed


# --- what is large or strange, and works ----------------------------------------------------------


@pytest.mark.slow
def test_a_list_of_25_001_steps(tmp_path: Path) -> None:
    text = HEAD + "layers:\n" + "- relu\n" * 25_001
    with pytest.raises(archlens.SpecError, match="more than 25,000 layers"):
        archlens.loads(text)
    assert len(archlens.loads(text, max_layers=25_001)) == 25_001
    with pytest.raises(archlens.SpecError, match="more than 1,999 layers"):
        archlens.loads(text[: len(HEAD + "layers:\n" + "- relu\n" * 2_000)], max_layers=1_999)
    status, out, err = shapes(tmp_path / "file.yaml", HEAD + "layers:\n" + "- relu\n" * 20_000)
    assert (status, err) == (0, "")
    assert "\n19999 " in out  # the name of the last


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        # sizes up to 10**15 flow; the largest input has 10**9 along an axis
        ("input: 3x8x8\nlayers: conv(10**15, 3)", (10**15, 6, 6)),
        ("input: 3x999999999x999999999\nlayers: conv(8, 3)", (8, 999999997, 999999997)),
        ("input: 3x1000000000\nlayers: max_pool(10)", (3, 10**8)),
        ("input: 3x8x8\nlayers: adaptive_avg_pool(10**14)", (3, 10**14, 10**14)),
        ("input: 1000000x1x1\nlayers: conv(1000000, 1, groups=1000000)", (10**6, 1, 1)),
        ("input: 3x8x8\nlayers: conv(8, 1, stride=2**99)", (8, 1, 1)),
        ("input: 3x8x8\nlayers: " + "(" * 70 + "relu" + ")" * 70, (3, 8, 8)),
        ("input: 3x8x8\nlayers: " + "[" * 50 + "relu" + "]" * 50, (3, 8, 8)),
        ("input: 3x8x8\nlayers: " + ">>".join(["relu"] * 2500), (3, 8, 8)),
        ("input: 3x8x8\nlayers: " + "relu if 0 else " * 60 + "conv(4, 1)", (4, 8, 8)),
        # a block within itself by way of its argument is no circle; four convolutions take 2 each
        ("input: 3x9x9\nblocks:\n  wrap(f): f >> f\nlayers:\n  - wrap(wrap(conv(4, 3)))", (4, 1, 1)),
    ],
)
def test_what_is_large_and_works(text: str, shape: tuple[int, ...]) -> None:
    assert archlens.loads(text).output == shape


def test_bounds_follow_from_that_on_layers() -> None:
    """With 20 layers, 80 tensors are read, and 200 views of inputs found; a bound is met exactly."""
    net = archlens.loads(layers("relu * 20"), max_layers=20)
    assert len(net) == 20
    wide = "concat: {{each: i, in: range({}), do: identity}}"
    assert len(archlens.loads(layers(wide.format(80)), max_layers=20)) == 1
    inputs = "input: {{{}}}\nlayers: relu * {}\n"
    few = ", ".join(f"i{k}: 1x8x8" for k in range(10))
    many = ", ".join(f"i{k}: 1x8x8" for k in range(15))
    assert len(archlens.loads(inputs.format(few, 10), max_layers=20)) == 10
    heads = "outputs: {" + ", ".join(f"o{k}: ref(a{k})" for k in range(62)) + "}\n"
    named = layers(*(f"a{k}: relu" for k in range(62)))
    for text, most, message in (
        (
            layers("relu * 10", "tanh * 11"),
            20,
            "the network has more than 20 layers, the most that one may have",
        ),
        (layers("relu * 21"), 20, "21 repeats are more than the 20 layers that a network may have"),
        (
            layers(wide.format(81)),
            20,
            "the layers and outputs of the network read more than 80 tensors, the most for 20 layers",
        ),
        (
            named + heads,
            30,
            "the network has more than 30 layers, the most that one may have",
        ),
        (
            inputs.format(few, 11),
            20,
            "the network has too many layers for its 10 inputs: inputs x (inputs + layers) may be 200",
        ),
        (
            inputs.format(many, 0),
            20,
            "the network has too many layers for its 15 inputs: inputs x (inputs + layers) may be 200",
        ),
        (
            blocks("u: relu * 15", last="u >> u"),
            20,
            "the network has more than 20 layers, the most that one may have",
        ),
    ):
        with pytest.raises(archlens.SpecError) as caught:
            archlens.loads(text, max_layers=most)
        assert caught.value.diagnostic.message == message
        assert caught.value.diagnostic.help == "--max-layers, or max_layers= in Python, allows more"
    for wrong in (0, -1, 1.5, "9"):
        with pytest.raises(
            archlens.UsageError, match="max_layers is a whole number of layers, and at least 1"
        ):
            archlens.loads(layers("relu"), max_layers=wrong)  # type: ignore[arg-type]


def test_outputs_count_as_connections() -> None:
    """63 layers read a tensor each, and 190 outputs name one: 253, one more than 63 layers allow."""
    text = layers(*(f"a{k}: relu" for k in range(63)))

    def heads(count: int) -> str:
        return "outputs:\n" + "".join(f"  o{k}: ref(a{k % 62})\n" for k in range(count))

    assert len(archlens.loads(text + heads(189), max_layers=63).outputs) == 190
    with pytest.raises(archlens.SpecError, match="read more than 252 tensors, the most for 63 layers"):
        archlens.loads(text + heads(190), max_layers=63)


def test_variants_are_bounded() -> None:
    text = layers("relu * n") + "params: {n: 1}\nvariants:\n"
    lines = [f"  v{k}: {{n: {k + 1}}}\n" for k in range(1001)]
    assert len(archlens.loads(text + "".join(lines[:1000]), variant="v9")) == 10
    with pytest.raises(archlens.SpecError, match="the file has more than 1,000 variants"):
        archlens.loads(text + "".join(lines), variant="v9")


@pytest.mark.parametrize(
    "command",
    [
        ["lint"],
        ["check"],
        ["report", "-o", "pages"],
        ["compare", "--no-smallest"],
        ["claims"],
        ["diff", "other.yaml"],
    ],
    ids=lambda command: command[0],
)
@pytest.mark.slow
def test_variants_are_bounded_together(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1,000 variants with 900 layers each 28 have 25,200 together, and no further one is laid out.

    So it is of a tenth of the layers, where no more than a tenth is allowed.
    """
    monkeypatch.chdir(tmp_path)
    most = 25_000 if command == ["lint"] else 2_500
    walked: set[int] = set()
    walk = Walk.__init__

    def noted(self: Walk, spec: Any, variant: str, *args: Any, **kwargs: Any) -> None:
        walked.add(int(variant.removeprefix("v")))
        walk(self, spec, variant, *args, **kwargs)

    each = most * 9 // 250
    text = layers("relu * n") + f"params: {{n: {each}}}\nvariants:\n"
    text += "".join(f"  v{k}: {{n: {each + k % 2}}}\n" for k in range(1000))
    for name in ("file.yaml", "other.yaml"):
        Path(name).write_text(text)
    monkeypatch.setattr(Walk, "__init__", noted)
    if command == ["claims"]:  # it takes one network for each name
        command = ["claims", *(f"file.yaml:v{k}" for k in range(1000))]
    else:
        command = [*command, "file.yaml"]
    if most < MAX_LAYERS:
        command += ["--max-layers", str(most)]
    found = CliRunner().invoke(cli, command)
    assert isinstance(found.exception, archlens.UsageError)
    said = found.exception.diagnostic
    assert said.message.endswith(f".yaml have more than {most:,} layers together")
    assert said.help.startswith("name one of them, as in ")
    assert said.help.endswith(":v27; or --max-layers, or max_layers= in Python, allows more")
    assert walked == set(range(28))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.yaml", "other.yaml"]


def test_a_mistake_is_not_hidden_by_too_many_layers_together() -> None:
    """60 layers each and 100 together: the wrong second one says what is wrong, and no third one is begun."""
    text = layers("relu * 60", "flatten", "linear(n)") + "params: {n: 9}\nvariants:\n"
    spec = parse(text + "  right: {n: 9}\n  wrong: {n: 0}\n  wrong_too: {n: 0}\n")
    with together(), allowing(100):
        assert len(elaborate(spec, "right")) == 62
        with pytest.raises(archlens.SpecError, match="the features of linear"):
            elaborate(spec, "wrong")
        with pytest.raises(archlens.UsageError, match="more than 100 layers together"):
            elaborate(spec, "wrong_too")


def family(directory: Path, line: str, *, more: str = "", size: str = "1x500") -> str:
    """A file of four variants that are alike."""
    path = directory / "file.yaml"
    path.write_text(
        f"input: {size}\nparams: {{n: 1}}\nlayers: [{line}]\n{more}"
        "variants: {v0: {n: 1}, v1: {n: 1}, v2: {n: 1}, v3: {n: 1}}\n"
    )
    return str(path)


@pytest.mark.parametrize(
    ("line", "more", "worth"),
    [
        ("relu", "", 1 + 40 + 20),
        ("relu, flatten, linear(9)", "", 3 + 40 + 40),
        ("relu", f"summary: {'x' * 30_500}\n", 1 + 40 + 20 + 30),  # the file has less than 31,000 characters
    ],
    ids=["pages", "boxes", "text"],
)
def test_pages_are_bounded_together(
    line: str, more: str, worth: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page is worth its layers, 40, 10 for each box and the input, and 1 for 1,000 characters."""
    monkeypatch.chdir(tmp_path)
    file, pages = Path(family(tmp_path, line, more=more, size="1x8x8")).name, Path("pages")
    made: list[str] = []
    monkeypatch.setattr("archlens.cli.commands.report.page", lambda subject, *_, **__: made.append("") or [])
    args = ["report", file, "-o", "pages", "--max-layers"]
    found = CliRunner().invoke(cli, [*args, str(4 * worth - 1)])
    assert isinstance(found.exception, archlens.UsageError)
    said = found.exception.diagnostic
    assert said.message == f"the pages of file.yaml are more work together than {4 * worth - 1} layers"
    assert (
        said.help
        == "name one of them, as in file.yaml:v3; or --max-layers, or max_layers= in Python, allows more"
    )
    assert not made
    assert not pages.exists()
    assert CliRunner().invoke(cli, [*args, str(4 * worth)]).exit_code == 0
    assert len(made) == 4
    assert CliRunner().invoke(cli, ["report", f"{file}:v1", *args[2:], "10"]).exit_code == 0  # one by itself


def test_braces_in_the_name_of_a_file_are_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("{a.b}{.yaml").write_text(layers("relu * 9") + "variants: {v0: {}, v1: {}}\n")
    found = CliRunner().invoke(cli, ["lint", "{a.b}{.yaml", "--max-layers", "17"])
    assert isinstance(found.exception, archlens.UsageError)
    assert "the networks of {a.b}{.yaml have more than 17 layers together" in str(found.exception)


#: A network that asks for a size, so that each that is tried is laid out, and no size but its own fits.
SEARCHED = "relu * 9, crop(490 + 0 * x.numel)"


@pytest.mark.parametrize("command", [["compare"], ["check", "--min-size", ">= 5"]], ids=lambda args: args[0])
def test_searches_are_bounded_together(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """9 layers and more on each of 489 sizes: all are tried, or nothing is said."""
    file = family(tmp_path, SEARCHED)
    walks = 0
    run = Walk.run

    def noted(self: Walk, inputs: Any) -> Any:
        nonlocal walks
        walks += 1
        return run(self, inputs)

    monkeypatch.setattr(Walk, "run", noted)
    monkeypatch.setattr("archlens.bounds.SEARCHED", 1)  # 25,000 layers; a size is worth 10 and those laid out
    found = CliRunner().invoke(cli, [*command, file])
    assert isinstance(found.exception, archlens.UsageError)
    said = found.exception.diagnostic
    assert said.message.endswith(" take more than 25,000 layers together")
    assert said.message.startswith("the searches for sizes of ")
    assert said.help.startswith("name one of them, as in ")
    assert 25_000 // 30 <= walks <= 25_000 // 10
    assert CliRunner().invoke(cli, [*command, f"{file}:v1"]).exit_code == 0  # one by itself
    monkeypatch.undo()
    found = CliRunner().invoke(cli, [*command, file])
    assert found.exit_code == 0


def test_a_page_is_the_same_alone_and_beside_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is where the search for its sizes is given up."""
    monkeypatch.setattr("archlens.analysis.sizes._BRIEF_WORK", 10_000)
    monkeypatch.chdir(tmp_path)
    file = Path(family(tmp_path, SEARCHED)).name
    options = ["--max-layers", "500"]
    assert CliRunner().invoke(cli, ["report", file, "-o", "together", *options]).exit_code == 0
    for k in range(4):
        made = CliRunner().invoke(cli, ["report", f"{file}:v{k}", "-o", "alone", *options])
        assert made.exit_code == 0
    alone, beside = (
        {path.name: path.read_bytes() for path in Path(folder).rglob("*.md")}
        for folder in ("alone", "together")
    )
    assert len(alone) == 4
    assert all(b"no more sizes were tried" in page for page in alone.values())
    # but for the command that makes it
    alone = {
        name: page.replace(b"file.yaml:" + name[:2].encode(), b"file.yaml") for name, page in alone.items()
    }
    assert alone == beside


@pytest.mark.slow
@pytest.mark.parametrize("family", [["llama_2_7b", "llama_3_8b"], ["qwen_2_5_0_5b", "qwen_2_5_7b"]])
def test_sizes_of_language_models_together(family: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of a search when it is given up does not depend on what was searched before."""
    networks = [archlens.load(name) for name in family]
    most = max(150 * len(network) for network in networks)
    monkeypatch.setattr("archlens.analysis.sizes._BRIEF_WORK", most)
    alone = [archlens.Study(network).sizes for network in networks]
    with together():
        networks = [archlens.load(name) for name in family]
        beside = [archlens.Study(network).sizes for network in networks]
    assert all(found.given_up for found in alone)
    assert [(one.smallest, one.searched, one.tried) for one in alone] == [
        (one.smallest, one.searched, one.tried) for one in beside
    ]


def test_the_bounds_are_documented() -> None:
    text = (Path(__file__).parents[1] / "docs" / "language.md").read_text("utf-8")
    assert f"may have at most {MAX_LAYERS:,} layers" in text
    assert "--max-layers" in text
    assert "max_layers=" in text


@pytest.mark.slow
def test_variants_that_are_named_again_count_once(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(layers("relu * 15000"))
    found = CliRunner().invoke(cli, ["compare", str(path), "--input", "3x9x9", "--no-smallest"])
    assert found.exit_code == 0  # it is laid out on its own input, too, and compared with that


def test_the_layers_of_a_scope() -> None:
    """As a search through all layers finds them; a name that starts another is no scope of it."""
    text = layers("a: [relu, {b: [tanh, relu]}]", "ab: relu", "a1: [relu]")
    subject = Study(archlens.loads(text))
    for scope in ("a", "ab", "a1", "a.b", "a.b.0", "a.0", "b", "a.", "none"):
        found = [x for x in subject.network if x.name == scope or x.name.startswith(f"{scope}.")]
        assert list(subject.inside(scope)) == found


@pytest.mark.slow
def test_the_bound_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(layers("relu * 60000"))
    assert refusal(run("cost", str(path))) == f"60,000 repeats {REPEATED}"
    ended = run("shapes", str(path), "--max-layers", "60000", "--format", "csv")
    assert ended.returncode == 0
    assert ended.stdout.count("\n") == 60_001


@pytest.mark.slow
def test_a_long_chain_is_read_by_every_rule(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(layer(" >> ".join(["relu"] * 2500)))
    for command in (["lint"], ["report", "-o", str(tmp_path / "pages")]):
        ended = run(*command, str(path))
        assert (ended.returncode, ended.stderr) == (0, "")


def test_many_merges_in_one_scope() -> None:
    """Each merge finds a name of its own, and does not go through those of all others for it."""

    def load(count: int) -> None:
        net = archlens.loads(each(f"range({count})", "add: [identity, identity]"))
        assert net.layers[-1].name == f"add_{count - 1}"

    load(10)
    assert calls_made(lambda: load(4000)) < 2.2 * calls_made(lambda: load(2000))


def test_what_repeats_is_found_alike_in_nested_scopes() -> None:
    """Layers are not looked at again for each scope around them."""

    def made(levels: int) -> int:
        net = archlens.loads(HEAD + "layers:\n" + nested(levels, lambda k: f"s{k}:", "relu * 2000"))
        return calls_made(lambda: rows_of(net, fold=True))

    assert made(20) < 2 * made(2)


def test_scopes_that_differ_are_told_apart_by_a_look() -> None:
    """In 200 scopes, no two alike, a few calls say so of each pair; how they are wired is not looked at."""

    def made(width: str) -> int:
        net = archlens.loads(each("range(200)", f"s{{i}}: conv({width}, 1) >> relu >> conv(9, 1) >> tanh"))
        return calls_made(lambda: rows_of(net, fold=True))

    assert made("i + 1") < 400 * 800  # layers


def test_feature_maps_are_placed_one_by_one() -> None:
    """A caption is placed without going through all other maps: ten times the maps, ten times the work."""

    def drawn(count: int) -> int:
        net = archlens.loads(each(f"range({count})", "'conv(i + 1, 1)'"))
        request = Request(net, "volumes")
        assert request.plan
        return calls_made(lambda: request.picture)

    drawn(20)
    assert drawn(400) < 15 * drawn(40)


def test_numbers_of_any_length_are_printed(tmp_path: Path) -> None:
    text = HEAD + "layers:\n  - conv(10**15, 7, padding=10**14)\n  - conv(10**15, 10**14)\n"
    status, out, err = shapes(tmp_path / "file.yaml", text)
    assert (status, err) == (0, "")
    # 8 + 2 * 10**14 - 7 + 1
    assert "1000000000000000x200000000000002x200000000000002" in out


CONTROL = "\\e[31mred\\e[0m\\a\\r\\u202egpj"


@pytest.mark.slow
def test_control_characters_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    """In a title, in texts, and in what a message repeats; the YAML escapes make the characters."""
    spec = f'title: "{CONTROL}"\nsummary: "{CONTROL}"\nnotes: ["{CONTROL}"]\ninput: 3x8x8\nlayers: [relu]\n'
    assert archlens.loads(spec).title == "\x1b[31mred\x1b[0m\x07\r\u202egpj"
    for command in ("shapes", "explain", "show"):
        path = tmp_path / "file.yaml"
        path.write_text(spec)
        status, out, err = run(command, str(path))
        assert (status, err) == (0, "")
        assert all(c.isprintable() or c == "\n" for c in out)
    for broken, message in (
        (f'"{CONTROL}": 1\n', "a spec has no key \\x1b[31mred\\x1b[0m\\x07\\r\\u202egpj"),
        (
            f'input: "{CONTROL}"\nlayers: relu\n',
            "'\\x1b[31mred\\x1b[0m\\x07\\r\\u202egpj' is not an input shape",
        ),
        (
            f'input: 3x8x8\nlayers: [{{"{CONTROL}": relu}}]\n',
            "'\\x1b[31mred\\x1b[0m\\x07\\r\\u202egpj' cannot name a step: names have no spaces",
        ),
        (
            f'input: 3x8x8\nlayers: relu\nvariants: {{"{CONTROL}": {{}}}}\n',
            "'\\x1b[31mred\\x1b[0m\\x07\\r\\u202egpj' cannot name a variant: no spaces, colons or slashes",
        ),
    ):
        assert refusal(shapes(tmp_path / "file.yaml", broken)) == message


@pytest.mark.parametrize(
    ("before", "columns"),
    [
        ("abc", 3),
        ("é", 1),
        ("e\u0301", 1),  # an accent of its own takes no column
        ("畳み込み", 8),  # wide characters take two
        ("ｃ", 2),
        ("🙂", 2),
        ("שלום", 4),
        ("\u202eabc", 9),  # shown as \u202e
        ("\u200b", 6),
    ],
)
def test_marks_stand_under_what_they_mark(before: str, columns: int) -> None:
    with pytest.raises(archlens.SpecError) as caught:
        archlens.loads(f"input: 3x8x8\nlayers:\n  - {{a: relu, '{before}': 1, a: tanh}}\n")
    lines = str(caught.value).split("\n")
    line, marks = lines[3:5]
    # 2 columns of gutter and one blank; then `  - {a: relu, '`, 15 columns; and `': 1, ` behind it
    assert line.startswith("3 |   - {a: relu, '" + printable(before))
    assert marks == "  | " + " " * (15 + columns + 6) + "^"
    assert caught.value.diagnostic.span.column == 15 + len(before) + 6 + 1


def test_a_layer_that_is_called_like_a_piece_of_html() -> None:
    """``<script>`` is a name like any other, and stays text wherever it is shown."""
    network = archlens.loads('input: 3x8x8\ntitle: "<i>&"\nlayers: [{"<script>alert(1)</script>": relu}]\n')
    assert network.layers[0].name == "<script>alert(1)</script>"
    html = network._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "<i>" not in html
    assert "&lt;i&gt;&amp;" in html


def test_a_name_of_markdown(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text('input: 3x8x8\nlayers: [{"a|b": relu}]\n')
    status, out, _ = run("shapes", str(path), "--format", "markdown")
    assert status == 0
    rows = [line for line in out.split("\n") if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in rows}) == 1


def test_line_ends_of_all_kinds() -> None:
    """Whatever ends a line, the number of the line is the one that an editor shows."""
    for end in ("\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"):
        with pytest.raises(archlens.SpecError) as caught:
            archlens.loads(end.join(["\ufeffinput: 3x8x8", "layers:", "  - relu", "  - reluu", ""]))
        span = caught.value.diagnostic.span
        assert span is not None
        assert (span.line, span.column, span.width) == (4, 5, 5)
        assert "\n4 |   - reluu\n  |     ^^^^^\n" in str(caught.value)


def test_half_a_character() -> None:
    with pytest.raises(archlens.SpecError) as caught:
        archlens.loads("input: 3x8x8\ntitle: \ud800\nlayers: relu\n")
    assert str(caught.value).startswith(
        "error: the file is not text: it holds half a character, U+D800\n --> network:2:8\n"
    )


@pytest.mark.slow
def test_values_from_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("input: 3x8x8\nparams: {n: 1}\nlayers:\n  - relu * n\n")
    for value, message in (
        ("9**9**9", "this number would have more than 100 bits"),
        ("(" * 9000, NESTED),
        ("x" * 30_000, "an expression of 30,000 characters is more than the 20,000 allowed"),
        ("\x1b[31m", "\\x1b[31m is not an expression: invalid non-printable character U+001B"),
        ("10**9", f"1,000,000,000 repeats {REPEATED}"),
        ("lambda: 1", "a lambda is not part of the expression language"),
    ):
        assert refusal(run("shapes", str(path), "--set", f"n={value}")) == message
    for shape in ("3x" * 10_000, "9" * 100_000, "\x1b[31m", "٣x٣x٣"):
        ended = run("shapes", str(path), "--input", shape)
        assert refusal(ended).endswith(" is not an input shape")
        assert ended.returncode == 2


# --- fuzzing --------------------------------------------------------------------------------------

TEXTS = [path.read_text("utf-8") for path in sorted((Path(__file__).parents[1] / "specs").glob("*.yaml"))]
TEXTS = [text for text in TEXTS if len(text) < 20_000]
#: And what else the language has, as its page shows it.
PAGE = (Path(__file__).parents[1] / "docs" / "language.md").read_text("utf-8")
TEXTS += re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)

#: What is put in: what the language is made of, and what it has no use for.
PIECES = [
    *"()[]{}:,.-+*/%=<>#&!|'\"\\@`?~^$; \n\t0123456789axé畳\u202e\x85",
    *("**", "//", ">>", "==", "x.", "ref(", "if ", "else ", "not ", "1e999", "9**9**9", "range(", "lambda:"),
    *(
        "&a ",
        "*a",
        "!!x ",
        "<<: ",
        "none",
        "true",
        "conv(",
        "input",
        "layers:",
        "params:",
        "each:",
        "concat:",
    ),
    *("residual:", "''", "[[", "]]", "{i}", "x.height", "depths[0]", "f'{x}'"),
    *(
        "again(",
        "weight=",
        "attention:",
        "matmul:",
        " of ",
        "use: {a: resnet18}\n",
        'a(until="',
        "{q: ",
        "lstm(",
    ),
    *(
        'axis="length"',
        'rearrange("l (h=2 c) -> h l c")',
        'ref("',
        "embedding(4)",
        "shortcut: none",
        "kv_heads",
    ),
    *(
        "experts: {count: 2, active: 1, do: ",
        'custom("a", shape="3x4")',
        "bias: parameter([2, 1])",
        "a.0: ",
        "scale: 0.5",
        "rms_norm",
        "rotary(4)",
    ),
    *("\n  ", "- ", ": ", "---\n", "* 10**9", "= ", "\0"),
]


@st.composite
def mutated(draw: Callable[[st.SearchStrategy[int]], int]) -> str:
    """A spec of the zoo, with a few pieces put in, taken out or doubled."""
    text = TEXTS[draw(st.integers(0, len(TEXTS) - 1))]
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 30))
        what = draw(st.integers(0, 3))
        if what == 0:
            text = text[:place] + text[place + length :]
        elif what == 1:
            text = text[:place] + text[place : place + length] * 2 + text[place + length :]
        elif what == 2:
            text = text[:place] + PIECES[draw(st.integers(0, len(PIECES) - 1))] + text[place:]
        else:
            other = draw(st.integers(0, len(text)))
            text = text[:place] + text[other : other + length] + text[place + length :]
    return text


def names_of(text: str) -> Iterator[str]:
    yield ""
    try:
        yield from parse(text).variants
    except archlens.ArchlensError:
        return


def loaded(problems: list[archlens.ArchlensError], text: str, variant: str) -> None:
    try:
        archlens.loads(text, variant=variant)
    except archlens.ArchlensError as problem:
        problems.append(problem)


@settings(max_examples=250, derandomize=True, database=None)
@given(mutated())
@pytest.mark.slow
def test_broken_specs(text: str) -> None:
    """A spec that is damaged anyhow is laid out or refused, and never breaks archlens.

    The advice for one that fits no input so far tries up to 1,024 larger ones.
    """
    for variant in list(names_of(text))[:2]:
        found: list[archlens.ArchlensError] = []
        assert calls_made(partial(loaded, found, text, variant)) < 3 * 10**6
        for problem in found:
            message = str(problem)
            assert message.startswith("error: ")
            assert all(c.isprintable() or c == "\n" for c in message)
            span = problem.diagnostic.span
            if span is not None and span.source.name == "network":
                assert 1 <= span.line <= span.source.text.count("\n") + 1
                assert 1 <= span.column <= len(span.source.lines[span.line - 1]) + 1


@settings(max_examples=300, derandomize=True, database=None)
@given(
    st.lists(
        st.sampled_from([*PIECES, "conv(8, 3)", "relu", "a", "blocks:\n  u(n): ", "layers:\n  - "]),
        max_size=30,
    )
)
@pytest.mark.slow
def test_broken_pieces(pieces: list[str]) -> None:
    """The same with texts that were never a spec."""
    for head in ("", "input: 3x8x8\nlayers:\n  - ", "input: 3x8x8\nlayers: relu\nparams:\n  n: "):
        message = "error: "
        try:
            archlens.loads(head + "".join(pieces))
        except archlens.ArchlensError as problem:
            message = str(problem)
        assert message.startswith("error: ")
