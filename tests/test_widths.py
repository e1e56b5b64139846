"""What is printed to a terminal keeps to its width: no figure is lost, and no word is cut."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from archlens.analysis import comparison, sizes
from archlens.cli import main
from archlens.forms import text as terminal
from archlens.forms.table import DETAIL, Column, Table
from archlens.wrapping import wrapped

from .test_cli import in_terminal

#: Each command is tried on networks at these, and on each network at one of the others.
ALWAYS, ELSE = (40, 80), (60, 100, 120)

LONG = "a_stage_whose_name_was_generated_by_a_program_and_is_longer"  # 59 characters, with marks
LONGER = "anamewithoutanymarkthatmighthelpwhereithastobebrokenatlastxxx"  # 61, without

OWN = {
    "long.yaml": f"""\
title: A network whose names were generated
input: 3x64x64
layers:
  - {LONG}:
      - {LONG}_0: conv(64, 7, stride=2, padding=3, bias=false)
      - {LONG}_1: batch_norm
      - {LONG}_2: relu
  - {LONGER}: conv(123456, 1)
  - global_avg_pool
  - flatten
  - linear(1000)
budget: {{params: <= 1M, macs: <= 900G, {LONGER}: params <= 3 %}}
published: {{source: A paper with a title that is as long as titles of papers are 2021, params: 1}}
""",
    "wide.yaml": """\
title: 深層学習のための畳み込みニューラルネットワークの例、幅が二倍の文字を含む題名
input: 3x32x32
layers:
  - 第一段階の畳み込み層:
      - 畳み込み: conv(16, 3, padding=1)
      - 活性化: relu
  - 第二段階の畳み込み層:
      - 畳み込み: conv(32, 3, stride=2, padding=1)
      - 活性化: relu
  - flatten
  - linear(10)
""",
    "deep.yaml": "title: Deep scopes\ninput: 8x16x16\nlayers:\n"
    + "".join(f"{'    ' * depth}  - stage{depth}:\n" for depth in range(9))
    + f"{'    ' * 9}  - conv(16, 3, padding=1)\n{'    ' * 9}  - relu\n",
    "inputs.yaml": """\
title: Two inputs
inputs: {a_first_input: 3x64x48, a_second_input: 5x64x48}
layers:
  - concat(a_first_input, a_second_input)
  - conv(8, 3x5, stride=2x1, padding=1x2)
""",
}

NETWORKS = (
    *("googlenet_aux", "swin_t", "resnet152", "unet", "vgg16", "lenet5", "alexnet_2012"),
    *OWN,
)
EVERY = "layer,op,family,from,input,arithmetic,output,field,stride,start,centre,clipped,weights,params,macs"
COMMANDS = (
    "shapes NAME",
    f"shapes NAME --columns {EVERY}",
    "shapes NAME --columns receptive_field",
    "sizes NAME",
    "cost NAME",
    "cost NAME --by scope --depth 2",
    "cost NAME --by op --count-as thop",
    "cost NAME --count-as all",
    "memory NAME --batch 32",
    "claims NAME",
    "compare NAME resnet50",
    "diff resnet18 NAME",
    "lint NAME",
    "check NAME --params <=1k --macs <=900G --receptive-field <=3",
    "explain NAME",
)
OTHERS = (
    "list res",
    "rules",
    "rules AL106",
    "rules AL401",
    "shapes resnet5",
    "shapes lenet5 --input 1x8x8",
    "check lenet5 --params 3 --locked --update",
    "compare resnet50 resnet50",
    "compare resnet18 resnet50 vgg16 mobilenet_v2 efficientnet_b0 swin_t",
    "diff resnet18 resnet50",
    "verify lenet5 --device meta",
    "verify lenet5 --device meta --layers",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the networks of this file; what takes long is found once."""
    for name, text in OWN.items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("gc.set_threshold", lambda *numbers: None)
    monkeypatch.setattr("archlens.cli.commands.sizes.sizes.find", _sizes)
    monkeypatch.setattr("archlens.cli.commands.compare.comparison.find", _compared)
    monkeypatch.setattr("archlens.analysis.sizes.smallest", _smallest)  # of which diff asks


def _once(find: Callable[..., object]) -> Callable[..., object]:
    known: dict[str, object] = {}

    def found(*args: object, **named: object) -> object:
        given: Any = args[0]
        network = getattr(given, "network", given)  # of a study
        return known.get(network.name) or known.setdefault(network.name, find(*args, **named))

    return found


_sizes, _smallest, _compared = _once(sizes.find), _once(sizes.smallest), _once(comparison.find)


@pytest.fixture
def printed(
    folder: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[str, int | None], str]:
    """What a command prints, to both streams, at a width or to a pipe."""

    def run(command: str, width: int | None) -> str:
        monkeypatch.setattr("sys.argv", ["archlens", *command.split(" ")])
        if width is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", str(width))
        capfd.readouterr()
        with pytest.raises(SystemExit):
            main()
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return err + out

    return run


def cells(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.slow
def test_of_a_network(printed: Callable[[str, int | None], str], command: str, name: str) -> None:
    other = ELSE[(NETWORKS.index(name) + COMMANDS.index(command)) % len(ELSE)]
    check(printed, command.replace("NAME", name), (*ALWAYS, other))


@pytest.mark.parametrize("command", OTHERS)
@pytest.mark.slow
def test_others(printed: Callable[[str, int | None], str], command: str) -> None:
    check(printed, command, (*ALWAYS, *ELSE))


def check(printed: Callable[[str, int | None], str], command: str, widths: tuple[int, ...]) -> None:
    unlimited = printed(command, None)
    for width in widths:
        fitted = printed(command, width)
        for line in fitted.split("\n"):
            assert cells(line) <= width or len(line.split()) == 1, (width, line)
        left_out = re.findall(r"Left out for lack of width: ([^.]*)\.", " ".join(fitted.split()))
        merged = re.findall(r"other is the sum of ([^:]*): there is no room", " ".join(fitted.split()))
        if "Left out" in fitted and command.startswith("compare"):  # what stands beneath is of what is shown
            unlimited, fitted = unlimited.partition("\n\n")[0], fitted.partition("\n\n")[0]
        missing = {title for titles in left_out + merged for title in titles.split(", ")}
        expected = without(unlimited, missing)
        assert not Counter(numbers(expected)) - Counter(numbers(fitted)), width
        shown = set(fitted.split())
        for word in set(expected.split()):
            assert word in shown or not word.isascii() or set(word) == {"-"} or pieced(word, shown), (
                width,
                word,
            )
        wide = Counter(c for c in expected if not c.isascii())
        assert not wide - Counter(fitted), width


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.,x:]\d+)*", text)


def without(text: str, titles: set[str]) -> str:
    """A text with the columns of its tables blanked that have these titles, and without lines of source."""
    lines = [line for line in text.split("\n") if not re.match(r"\s*\d*\s*\|", line)]
    kept: list[str] = []
    spans: list[tuple[int, int]] = []
    for before, line, following in zip(["", *lines], lines, [*lines[1:], ""], strict=False):
        if not before and set(following) == {"-", " "}:
            spans = [
                match.span() for match in re.finditer("-+", following) if cut(line, match.span()) in titles
            ]
        elif not line:
            spans = []
        for start, stop in reversed(spans):
            line = line[: at(line, start)] + line[at(line, stop) :]
        kept.append(line)
    return "\n".join(kept)


def cut(line: str, span: tuple[int, int]) -> str:
    return line[at(line, span[0]) : at(line, span[1])].strip()


def at(line: str, column: int) -> int:
    """The character in a column of the terminal."""
    if line.isascii():
        return min(column, len(line))
    used = 0
    for place, c in enumerate(line):
        if used >= column:
            return place
        used += cells(c)
    return len(line)


def pieced(word: str, shown: set[str]) -> bool:
    """Whether a word is there in parts that end behind marks, or anywhere where marks are too far apart."""
    rare = max(map(len, re.split(r"(?<=[._/:-])", word))) > 10
    reached = {0}
    for stop in range(1, len(word) + 1):
        if (stop == len(word) or rare or word[stop - 1] in "._/:-") and any(
            word[start:stop] in shown for start in reached
        ):
            reached.add(stop)
    return len(word) in reached


# --- the parts -------------------------------------------------------------------------------------


def test_words_are_broken_only_where_there_is_no_other_way(
    printed: Callable[[str, int | None], str],
) -> None:
    """At 90 columns the names of ResNet-152 are whole, for which arithmetic is left out; not at 60."""
    text = printed("shapes resnet152", 90)
    assert re.search(r"^layer3\.0\.downsample\.1 +batch_norm ", text, re.MULTILINE)
    assert "Left out for lack of width: arithmetic." in text
    text = printed("shapes resnet152", 60)
    assert re.search(r"^layer3\.0\.downsample\.  .*\n1$", text, re.MULTILINE)


TEXTS = st.text(alphabet=st.sampled_from("ab1,.-_ 幅題、（"), max_size=60)


@given(TEXTS, st.integers(10, 30), st.integers(0, 6), st.booleans())
@example("ab 1,111,111,111.5 ab", 10, 0, True)
@example("a word that_is_longer_than_that", 10, 2, False)
@settings(deadline=None)
def test_wrapped(text: str, width: int, indent: int, within: bool) -> None:
    """Nothing but blanks goes; a line is too long where its one word or number is; numbers stay whole."""
    lead = "-" * indent
    lines = wrapped(text, width, lead=lead, within=within)
    assert "".join("".join(lines).split()) == lead + "".join(text.split())
    if not within:
        shown = set(" ".join([lines[0].removeprefix(lead), *lines[1:]]).split())
        assert {word for word in text.split() if word.isascii()} <= shown
    for line in lines:
        if cells(line) > width:
            body = line.removeprefix(lead)
            assert " " not in body.strip()
            assert (
                not within
                or line == lead
                or re.fullmatch(r"\d+(?:[.,x:]\d+)*", body.strip())
                or cells(body[:1]) == 2
            )
    numbers = [len(number) for number in re.findall(r"\d+(?:[.,]\d+)*", text)]
    assert numbers == [
        len(n) for line in lines for n in re.findall(r"\d+(?:[.,]\d+)*", line.removeprefix(lead))
    ]


def test_a_number_keeps_its_unit() -> None:
    assert wrapped("it has 25.56 M parameters", 12) == ["it has", "25.56 M", "parameters"]
    assert wrapped("at most 3.21 MB, or 74.3 %.", 13) == ["at most", "3.21 MB, or", "74.3 %."]
    assert wrapped("branch B of 3 k=2 branches", 8) == ["branch B", "of 3 k=2", "branches"]


def lines_of(columns: list[Column], row: list[str], width: int) -> list[str]:
    return terminal.write(Table(columns, [row]), width).partition("\n\n")[0].split("\n")


def test_the_widest_column_is_narrowed_first() -> None:
    columns = [Column("a", least=5), Column("b", least=5), Column("n", right=True)]
    row = ["one two three four five six", "seven eight", "123,456"]
    assert lines_of(columns, row, 40) == [
        "a                   b                  n",
        "------------------  -----------  -------",
        "one two three four  seven eight  123,456",
        "five six",
    ]
    # 7 for the number, two gaps: 14 are left, 7 for each
    assert lines_of(columns, row, 25) == [
        "a        b              n",
        "-------  -------  -------",
        "one two  seven    123,456",
        "three    eight",
        "four",
        "five",
        "six",
    ]
    # where no table fits a row is some lines
    assert lines_of(columns, row, 20)[-2:] == ["  b  seven eight", "  n  123,456"]


def test_details_go_before_a_word_is_broken_and_figures_after_it() -> None:
    columns = [
        Column("name", least=4),
        Column("detail", least=4, spare=1),
        Column("figure", right=True, spare=DETAIL),
        Column("sum", right=True),
    ]
    row = ["abcdefgh.ijkl", "a detail", "12,345", "678,901"]
    assert lines_of(columns, row, 30) == [
        "name           figure      sum",
        "-------------  ------  -------",
        "abcdefgh.ijkl  12,345  678,901",
    ]
    layout = terminal.fit(columns, [row], 29)
    assert layout.row(row) == ["abcdefgh.     12,345  678,901", "ijkl"]
    assert layout.left_out == ["Left out for lack of width: detail."]
    assert terminal.fit(columns, [row], 14).left_out == ["Left out for lack of width: detail, figure."]


# --- colours ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_verdicts_have_colours(tmp_path: Path) -> None:
    red, green, yellow = "\x1b[31m\x1b[1m", "\x1b[32m", "\x1b[33m"
    text = in_terminal("check", "lenet5", "--params", "<=3", "--macs", "<=1G")
    assert f"{red}BROKEN\x1b[0m" in text
    assert "  held " in text  # plain, as what holds is no news
    spec, other = tmp_path / "own.yaml", tmp_path / "other.yaml"
    published = "published: {source: S, params: 7}"
    spec.write_text(f"input: 3x8x8\nlayers: [a: relu, b: max_pool(2), d: 'conv(4, 3)']\n{published}", "utf-8")
    other.write_text("input: 3x8x8\nlayers: [a: relu, d: 'conv(4, 1)', e: flatten]", "utf-8")
    difference = in_terminal("diff", str(spec), str(other))
    assert f"{green}added\x1b[0m" in difference
    assert f"{red}removed\x1b[0m" in difference
    assert f"{yellow}altered\x1b[0m" in difference
    assert f"{red}DIFFERENT" in in_terminal("claims", str(spec))
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        assert "\x1b" not in in_terminal("check", "lenet5", "--params", "<=3", **{name: value})


def test_what_fails_is_red() -> None:
    from archlens.backends.checks import FAILED, PASSED, Check, Verification
    from archlens.cli.output import styled
    from archlens.views import verification_table

    checks = (Check("a", "shape", FAILED, "1x1", "2x2", ""), Check("b", "shape", PASSED, "1x1", "1x1", ""))
    one = Verification("n", "N", "cpu", "2", "", 1, checks, (), None, None, None)
    text = terminal.write(verification_table.table([one], layers=True), style=styled)
    assert "\x1b[31m\x1b[1mFAILED\x1b[0m" in text
    assert "\x1b[31m\x1b[1mfailed\x1b[0m" in text
    assert "\x1b[32mpassed\x1b[0m" in text
    assert "\x1b" not in terminal.write(verification_table.table([one], layers=True))
