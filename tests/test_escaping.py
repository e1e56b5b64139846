"""What a file says stays text in every form: parsed back, no tag, link, cell or formula is in it."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown import markdown as python_markdown
from markdown_it import MarkdownIt

import archlens
from archlens.cli import cli
from archlens.drawing.formats import dot, mmd, svg, tex
from archlens.errors import printable, printable_lines
from archlens.forms import html as html_form
from archlens.forms import junit
from archlens.forms import markdown as markdown_form
from archlens.forms.csv import lines, write
from archlens.forms.github import annotation
from archlens.views import shapes_table
from archlens.views.rows import rows_of

HOSTILE = st.text(
    st.sampled_from([*"<>&\"'`*_[]()#|~\\!=+-@＝＋－＠:/.;xa1 ", "\x1b", "\x07", "\u202e", "\u2066"]),
    max_size=40,
) | st.sampled_from(
    ["<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "&lt;b&gt;", "=1+1", "@SUM(A1)", "[a](b:c)"]
)

MANY = settings(max_examples=300, derandomize=True, database=None, deadline=None)


class Tags(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


@MANY
@given(HOSTILE)
@pytest.mark.slow
def test_markdown_has_no_tag_or_link(text: str) -> None:
    """In what GitHub reads, and in what MkDocs reads, which takes no backslash before a bracket."""
    said = f"a {markdown_form.escape_words(text)} b"
    commonmark = Tags(MarkdownIt("commonmark").render(said))
    assert commonmark.tags == ["p"]
    assert " ".join(commonmark.text.split()) == " ".join(f"a {printable(text)} b".split())
    assert Tags(python_markdown(said)).tags == ["p"]


@MANY
@given(HOSTILE)
def test_html_has_no_tag(text: str) -> None:
    page = Tags(f"<p>{html_form.escape(text)}</p>")
    assert page.tags == ["p"]
    assert page.text == printable_lines(text)
    assert all(c.isprintable() or c in "\n\t" for c in page.text)


@MANY
@given(st.lists(HOSTILE, min_size=2, max_size=2), st.integers())
def test_csv_has_no_cell_or_formula(texts: list[str], number: int) -> None:
    (found,) = csv.reader(io.StringIO(lines([[*texts, number, "-3"]])))
    assert len(found) == 4
    assert found[2:] == [str(number), "-3"]
    for text, cell in zip(texts, found, strict=False):
        assert cell in (printable(text), f"'{printable(text)}")
        assert not cell.startswith(("=", "@", "＝", "＋", "－", "＠", "\t", "\r"))
        if cell.startswith(("+", "-")):
            float(cell)


@pytest.mark.parametrize("name", ["=1+1", "@cmd", "+a", "-a", "＝1+1", "＠cmd", "＋a", "－a"])
def test_names_are_no_formulas(name: str) -> None:
    network = archlens.loads(f"input: 3x8x8\nlayers: [{json.dumps({name: 'relu'})}]\n")
    assert write(shapes_table.table(network, rows_of(network))).split("\n")[1].startswith(f"'{name},")


@pytest.mark.parametrize("start", ["\t", "\r", "\n"])
def test_no_cell_starts_with_what_spreadsheets_skip(start: str) -> None:
    (found,) = csv.reader(io.StringIO(lines([[f"{start}=1+1"]])))
    assert found == [f"{json.dumps(start)[1:-1]}=1+1"]


# --- forms with a text of their own ----------------------------------------------------------------


@MANY
@given(HOSTILE)
def test_xml_holds_the_text_alone(text: str) -> None:
    quoted = junit._escape(text, quoted=True)
    parsed = ElementTree.fromstring(f'<a b="{quoted}">{junit._escape(text)}</a>')
    assert len(parsed) == 0
    assert (parsed.text or "") == parsed.attrib["b"]
    drawn = ElementTree.fromstring(f"<text>{svg.escape(text)}</text>")
    assert len(drawn) == 0
    assert (drawn.text or "") == printable(text)


@MANY
@given(HOSTILE, HOSTILE)
def test_an_annotation_is_one_line(text: str, title: str) -> None:
    line = annotation("error", f"{text}\n{text}", None, title)
    assert line.isprintable()
    found = re.fullmatch(r"::error title=([^:,]*)::(.*)", line)
    assert found
    assert [unquote(part) for part in found.groups()] == [
        printable(title),
        f"{printable(text)}\n{printable(text)}",
    ]


@MANY
@given(HOSTILE)
def test_graphs_hold_the_text_alone(text: str) -> None:
    """Read back as Mermaid reads characters by number, DOT what stands in quotes, TeX its commands."""
    mermaid = mmd.escape(text)
    assert not set(re.sub(r"#\d+;", "", mermaid)) & set('"#&<>;\\`%{}|')
    assert re.sub(r"#(\d+);", lambda found: chr(int(found[1])), mermaid) == printable(text)
    quoted = dot.quoted(text)
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"', quoted)
    assert unescape(re.sub(r"\\(.)", r"\1", quoted[1:-1])) == printable(text)
    # no command but the escapes, and nothing that TeX takes for more than text
    rest = re.sub(r"\\text[a-z]+\{\}|\\ldots\{\}|\\[{}$&#%_]|\{-\}", "", tex.escape(text))
    assert not set(rest) & set("\\{}$&#%_^~<>|\"'`")


# --- whole commands --------------------------------------------------------------------------------

#: Names have no blanks, dots or control characters; texts may have anything.
NAMES = (
    "<img/src=x/onerror=alert(1)>",
    "](javascript:alert(1))",
    "=cmd|'/c'!A1",
    "a`b`",
    "@ab|c|",
    "+a",
    "-b",
)
TEXT = (
    "<img src=x onerror=alert(1)> [a](javascript:b) =1 \x1b[31m \x07 \u202e \u2066 | `c`\n\n# <svg onload=d>"
)


def hostile(op: str) -> str:
    steps = [{NAMES[0]: ["conv(4, 3, padding=1)", op]}, *({name: op} for name in NAMES[1:])]
    return json.dumps(
        {
            "input": "3x8x8",
            "title": TEXT,
            "summary": TEXT,
            "notes": [TEXT],
            "layers": steps,
            "budget": {NAMES[0]: {"params": "<= 1"}},
            "published": [{"source": TEXT, "link": "https://a.org/b", "params": 5, "note": TEXT}],
        }
    )


COMMANDS = [
    *([name, "FILE"] for name in ("shapes", "cost", "memory", "sizes", "claims", "compare", "check")),
    ["diff", "FILE", "OTHER"],
]
OTHERS = ("lint", "explain", "show")


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command prints of hostile specs."""
    monkeypatch.chdir(tmp_path)
    Path("file.yaml").write_text(hostile("relu"), "utf-8")
    Path("other.yaml").write_text(hostile("tanh"), "utf-8")

    def run(command: list[str], *options: str) -> str:
        names = {"FILE": "file.yaml", "OTHER": "other.yaml"}
        return CliRunner().invoke(cli, [*(names.get(word, word) for word in command), *options]).output

    return run


def first(command: list[str]) -> str:
    return command[0]


@pytest.mark.parametrize(
    "command", [*COMMANDS, ["lint", "FILE"], ["explain", "FILE"], ["show", "FILE"]], ids=first
)
def test_a_terminal_is_not_steered(command: list[str], output: Callable[..., str]) -> None:
    text = output(command)
    assert len(text) > 100 or command[0] == "lint"
    assert all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize("command", COMMANDS, ids=first)
def test_markdown_of_a_command_has_no_tag_or_link(command: list[str], output: Callable[..., str]) -> None:
    text = output(command, "--format", "markdown")
    assert "onerror" in text or command[0] == "compare"  # which shows neither titles nor layers
    page = Tags(MarkdownIt("commonmark").enable("table").render(text))
    assert not {"img", "svg"} & set(page.tags)
    assert not [link for link in page.links if not link.startswith("https://a.org/")]


@pytest.mark.parametrize("command", [c for c in COMMANDS if c[0] in ("shapes", "cost", "compare")], ids=first)
def test_csv_of_a_command_has_no_formula(command: list[str], output: Callable[..., str]) -> None:
    rows = list(csv.reader(io.StringIO(output(command, "--format", "csv"))))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "@"))]


@pytest.mark.parametrize("form", ["markdown", "html"])
def test_a_page_has_no_tag_or_link_of_the_spec(form: str, output: Callable[..., str]) -> None:
    output(["report", "FILE"], "-o", "out", "--format", form)
    (path,) = Path("out").glob("file.*")
    text = path.read_text("utf-8")
    assert all(c.isprintable() or c in "\n\t" for c in text)
    page = Tags(
        MarkdownIt("commonmark", {"html": True}).enable("table").render(text) if form == "markdown" else text
    )
    assert "onerror" in page.text
    assert not [word for word in page.attributes if word.startswith("on")]
    assert not [link for link in page.links if "javascript" in link.lower()]


@pytest.mark.parametrize("form", ["junit", "github"])
def test_ci_reads_what_the_program_wrote(form: str, output: Callable[..., str]) -> None:
    text = output(["check", "FILE"], "--format", form)
    assert all(c.isprintable() or c == "\n" for c in text)
    if form == "junit":
        tags = {one.tag for one in ElementTree.fromstring(text).iter()}
        assert tags == {"testsuites", "testsuite", "testcase", "failure"}
    else:
        assert sum(line.startswith("::") for line in text.split("\n")) == 1
