"""Pages about networks: what they say is so, their forms, and bad input."""

from __future__ import annotations

import json
import re
import shlex
import xml.etree.ElementTree as ElementTree
from base64 import b64decode, b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from generate import REPORTS, of_zoo
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

import archlens
from archlens import drawing
from archlens.analysis import comparison, memory
from archlens.analysis.study import Study
from archlens.backends.checks import FAILED, NOT_APPLICABLE, PASSED, Check, Verification
from archlens.cli import cli
from archlens.cli.commands import report
from archlens.drawing import plan
from archlens.drawing.picture import Group, Rect, Text, walk
from archlens.drawing.picture import Path as Line
from archlens.drawing.thumbnail import thumbnail
from archlens.library import find, names
from archlens.reporting import Material, file_name, forms, gallery
from archlens.reporting.parts import Details, Paragraph
from archlens.reporting.sections import figures_section, layers_section, sizes_section
from archlens.views import shapes_table, verification_table

from .test_generated import targets

HOSTILE = """
title: "<script>alert(1)</script> | *bold* `code` &amp; [x](javascript:alert(1))"
summary: "# no heading\\n- <img src=x onerror=alert(1)>"
notes:
- |
  ```
  ends no block
- "| a | b |"
paper: {authors: "<b>A</b>", title: T, year: 2020, url: "javascript:alert(1)"}
input: 1x8x8
layers:
  - "a|b*c</pre><script>": conv(4, 3)
  - relu
published:
  - source: "a | b] <i>"
    link: "https://a.org/a](javascript:alert(1)"
    params: 41
    note: "<u>"
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs the command in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def command(*args: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(cli, ["report", *args], input=input)
        problem = result.exception
        if problem is not None and not isinstance(problem, SystemExit):
            assert isinstance(problem, archlens.ArchlensError), result.exc_info
        return result

    return command


# --- the committed pages; that they are as they would be written is for test_generated --------------


def test_the_readmes_first_picture_is_what_its_command_draws(run: Any) -> None:
    text = (REPORTS.parent / "README.md").read_text("utf-8")
    picture = next(target for target in targets(text) if target.startswith("reports/pictures/"))
    command = re.search(r"`archlens (diagram [^`]+) -o alexnet.svg`", text)
    assert command is not None
    assert CliRunner().invoke(cli, [*command[1].split(), "-o", "alexnet.svg"]).exit_code == 0
    assert Path("alexnet.svg").read_bytes() == (REPORTS.parent / picture).read_bytes()


@pytest.mark.slow
def test_all_is_every_network_and_the_gallery(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command on a zoo of three writes their committed pages, byte for byte, and a gallery of three."""
    some = ["lenet5", "alexnet_2012", "m5"]
    monkeypatch.setattr("archlens.cli.options.names", lambda: some)
    Path("out").mkdir()
    for path in REPORTS.glob("verification*"):
        Path("out", path.name).write_bytes(path.read_bytes())
    assert run("--all", "-o", "out").exit_code == 0
    for name in some:
        written = [Path("out", f"{name}.md"), *Path("out/pictures").glob(f"{name}-[!s]*.svg")]
        assert len(written) == 4
        for path in written:
            assert path.read_bytes() == (REPORTS / path.relative_to("out")).read_bytes()
    head = tables(Path("out/README.md").read_text("utf-8"))[-1]
    assert [row[0] for row in head[1:]] == some  # of 1998, 2012 and 2017


def test_all_replaces_no_readme_of_ones_own(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archlens.cli.options.names", lambda: ["lenet5"])
    for name, form in (("README.md", "markdown"), ("index.html", "html")):
        Path(name).write_text("mine", "utf-8")
        before = set(Path().iterdir())
        result = run("--all", "-o", ".", "--format", form)
        assert result.exception.diagnostic.message == (
            f"{name} already exists, and was not written by archlens"
        )
        assert (Path(name).read_text("utf-8"), set(Path().iterdir())) == ("mine", before)
        for _ in range(2):  # its own it replaces
            assert run("--all", "-o", form, "--format", form).exit_code == 0


# --- what the pages say ------------------------------------------------------------------------------


def tree(text: str) -> SyntaxTreeNode:
    """A Markdown text as GitHub reads it: CommonMark with tables."""
    return SyntaxTreeNode(MarkdownIt("commonmark").enable("table").parse(text))


def words(node: SyntaxTreeNode) -> str:
    """The text of a part of it."""
    shown = ("text", "code_inline", "html_inline")
    return "".join(one.content for one in node.walk() if not one.is_root and one.type in shown)


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown text, each row by row with its head."""
    return [
        [[words(cell) for cell in row.children] for row in table.walk() if row.type == "tr"]
        for table in tree(text).walk()
        if table.type == "table"
    ]


def titled(text: str, title: str) -> str:
    """One section of a page."""
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def text_of(name: str) -> str:
    return (REPORTS / f"{name}.md").read_text("utf-8")


def test_figures_are_those_of_the_papers() -> None:
    """VGG-16: torchvision 0.28's metadata; the field: Araujo et al. 2019. LeNet-5: arithmetic by hand."""
    figures = {row[0]: row[1] for row in tables(titled(text_of("vgg16"), "Figures"))[0]}
    assert figures["parameters"] == "138,357,544"
    assert figures["depth"] == "16"
    assert figures["receptive field"] == "212x212"
    assert figures["weights"] == f"{4 * 138_357_544:,}"
    figures = {row[0]: row[1] for row in tables(titled(text_of("lenet5"), "Figures"))[0]}
    assert figures["parameters"] == f"{6 * 26 + 16 * 151 + 120 * 401 + 84 * 121 + 10 * 85:,}"


@pytest.mark.parametrize("name", ["lenet5", "resnet50", "googlenet_aux", "swin_t"])
def test_columns_add_up_to_the_totals(name: str) -> None:
    network = archlens.load(name)
    text = text_of(name)
    for title, columns in (("Layers", ("params", "MACs")), ("Cost", ("params", "MACs"))):
        table = tables(titled(text, title))[0]
        for column in columns:
            at = table[0].index(column)
            # brackets hold what runs only in training, which is in no total
            cells = [re.sub(r"\s*\([\d,]+\)", "", row[at]) or "0" for row in table[1:]]
            *parts, total = (int(cell.replace(",", "")) for cell in cells)
            assert sum(parts) == total == getattr(network, column.lower())


def test_every_line_of_a_folded_table_says_how_many_it_stands_for() -> None:
    table = tables(titled(text_of("resnet50"), "Layers"))[0]
    repeats = [int(match[1]) if (match := re.search(r" x(\d+)$", row[0])) else 1 for row in table[1:-1]]
    assert sum(repeats) == len(archlens.load("resnet50"))


def test_the_spec_stands_there_as_it_is() -> None:
    nodes = tree(text_of("resnet50")).walk(include_self=False)
    (fence,) = [node.content for node in nodes if node.type == "fence"]
    lines = [re.fullmatch(r" *(\d+)(?:  (.*))?", line) for line in fence.splitlines()]
    assert [line and (int(line[1]), line[2] or "") for line in lines] == list(
        enumerate(find("resnet50").spec.source.text.splitlines(), 1)
    )


def test_a_claim_that_differs_stands_there_with_its_reason_and_its_source(run: Any) -> None:
    """By hand: 3*3*1*4 + 4 = 40 parameters."""
    Path("net.yaml").write_text(
        """
paper: {title: On Networks, arxiv: "0101.00001"}
input: 1x8x8
layers:
  - conv1: conv(4, 3)
published:
  - {source: "Table 1", link: paper, axes: HxWxC, params: 40, shapes: {conv1: 6x6x4}}
  - {source: Table 2, link: "https://a.org/a_(b)", params: 0.1k, note: it counts the loss}
  - {source: Table 3, params: 36, unexplained: perhaps without biases}
""",
        "utf-8",
    )
    assert run("net.yaml", "-o", "out").exit_code == 0
    section = titled(Path("out/net.md").read_text("utf-8"), "Published and computed")
    assert tables(section)[0][1:] == [
        ["params", "40", "40", "equal", "Table 1"],
        ["shape of conv1", "6x6x4", "6x6x4", "equal", "Table 1"],
        ["params", "0.1k", "40", "different, explained", "Table 2"],
        ["params", "36", "40", "different, unexplained", "Table 3"],
    ]
    links = [str(node.attrs["href"]) for node in tree(section).walk() if node.type == "link"]
    assert links == [*["https://arxiv.org/abs/0101.00001"] * 2, "https://a.org/a_%28b%29"]
    assert [words(node) for node in tree(section).walk() if node.type == "list_item"] == [
        "net, params 0.1k. Different: it counts the loss.",
        "net, params 36. Unexplained: perhaps without biases.",
        "4 published figures: 2 equal, 1 different and explained, 1 different and unexplained.",
    ]
    assert run("net.yaml", "-o", "out", "--format", "html").exit_code == 0
    page = Page(Path("out/net.html").read_text("utf-8"))
    assert set(links) < {attributes.get("href") for tag, attributes in page.tags if tag == "a"}


def test_the_verification_is_quoted_with_where_it_was_made() -> None:
    table = tables(titled(text_of("lenet5"), "Verification"))[0]
    row = dict(zip(*table, strict=True))
    assert row["made on"].startswith("Device cpu, torch 2.13.0")
    assert row["verdict"] == "passed"
    assert row["weights"] == "5/5"  # five layers have any
    assert "(verification.md)" in titled(text_of("lenet5"), "Verification")


def test_other_inputs_cost_what_they_cost() -> None:
    """ResNet-50's convolutions at half the size: a quarter of the work where maps are halved exactly."""
    rows = tables(titled(text_of("vgg16"), "Other inputs"))[0]
    macs = {row[0]: int(row[2].replace(",", "")) for row in rows[1:]}
    linear = 25_088 * 4096 + 4096 * 4096 + 4096 * 1000  # Simonyan and Zisserman 2015, Table 1, column D
    assert macs["3x448x448"] - linear == 4 * (macs["3x224x224"] - linear)
    fields = {row[0]: (row[4], row[5]) for row in rows[1:]}
    assert fields["3x112x112"] == ("212x212", "yes")
    assert fields["3x448x448"] == ("244x244", "no")  # two steps of 32 averaged


def test_how_far_sizes_were_tried_is_said(run: Any) -> None:
    Path("far.yaml").write_text("input: 1x97x97\nlayers: ['conv(4, 3)']", "utf-8")
    steps = "[{add: ['ref(a)', 'ref(b)']}, 'conv(4, 3)']"
    Path("near.yaml").write_text(f"input: {{a: 1x96x96, b: 1x96x96}}\nlayers: {steps}", "utf-8")
    assert run("far.yaml", "near.yaml", "-o", "out").exit_code == 0
    far, near = (
        titled(Path(f"out/{name}.md").read_text("utf-8"), "Other inputs") for name in ("far", "near")
    )
    assert "3 to 96, of 1 to 96" in far
    assert "3 to 96, of 1 to 96" in near
    assert "For this page, sizes up to" in far
    assert "Tried for this page" not in near  # 96 is all
    assert "Input: the size of a; other inputs of the same size change with it." in near
    assert "Input: that" not in far


def test_gallery_compares_all_networks() -> None:
    text = (REPORTS / "README.md").read_text("utf-8")
    table = tables(text)[-1]
    rows = {row[0]: dict(zip(table[0], row, strict=True)) for row in table[1:]}
    assert list(rows) != sorted(rows)
    assert set(rows) == set(names())
    assert rows["vgg16"]["year"] == "2015"
    assert rows["vgg16"]["params"] == "138.36 M"
    assert rows["vgg16"]["top-1"].startswith("71.592")  # torchvision 0.28, VGG16_Weights.IMAGENET1K_V1
    years = [int(row["year"]) for row in rows.values()]
    assert years == sorted(years)


# --- forms -------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The tags of an HTML page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_an_html_page_is_one_file_that_asks_for_nothing() -> None:
    files = of_zoo("resnet50", "html")
    assert [file.path for file in files] == ["resnet50.html"]
    found = Page(files[0].content.decode("utf-8"))
    tags = [tag for tag, _ in found.tags]
    assert tags.count("svg") == 3  # the three styles
    # an address may be wider than a telephone
    assert b"overflow-wrap: break-word" in files[0].content
    assert not {"link", "iframe", "img", "object"} & set(tags)
    assert tags.count("script") == 2  # what the graph to touch shows, and what shows it
    policy = next(str(a["content"]) for _, a in found.tags if a.get("http-equiv"))
    assert "default-src 'none'" in policy
    *_, script = re.findall(b"<script>(.*?)</script>", files[0].content, re.DOTALL)
    assert f"script-src 'sha256-{b64encode(sha256(script).digest()).decode()}';" in policy
    for tag, attributes in found.tags:
        assert not [key for key in attributes if key.startswith("on")], tag
        if "href" in attributes:
            assert tag == "a"
            assert str(attributes["href"]).startswith(("#", "https://", "index.html", "verification"))
    links = [str(attributes["href"]) for _, attributes in found.tags if "href" in attributes]
    sections = {f"#{attributes['id']}" for tag, attributes in found.tags if tag == "section"}
    assert {link for link in links if link.startswith("#")} == sections


def test_an_html_gallery_is_one_file() -> None:
    networks = [archlens.load(name) for name in ("lenet5", "vgg11", "vgg13")]
    files = gallery([(network, comparison.find(archlens.study(network))) for network in networks], "html")
    assert [file.path for file in files] == ["index.html"]
    found = Page(files[0].content.decode("utf-8"))
    images = [attributes["src"] for tag, attributes in found.tags if tag == "img"]
    assert len(images) == 2  # a family each
    assert all(str(image).startswith("data:image/svg+xml;base64,") for image in images)
    links = {attributes["href"] for tag, attributes in found.tags if tag == "a"}
    assert {"lenet5.html", "vgg11.html", "vgg13.html"} <= links


#: The eighth of its lines has a finding: two linear layers one after the other; and the third has no sign.
TWELVE = """\
title: Twelve lines
input: 64

layers:
  - one: linear(64)
  - relu
  - two: linear(64)
  - three: linear(64)
  - relu
  - four: linear(64)
  - relu
  - five: linear(64)"""


def test_a_spec_has_the_numbers_that_findings_cite(run: Any) -> None:
    """In Markdown as the lines have them, in HTML drawn by the style sheet, and so no text to be copied."""
    Path("net.yaml").write_text(TWELVE, "utf-8")
    assert run("net.yaml", "-o", "out").exit_code == 0
    text = Path("out/net.md").read_text("utf-8")
    (table,) = tables(titled(text, "Lint"))
    assert "AL304" in table[1][0]
    assert table[1][1] == "8"
    (fence,) = [node.content for node in tree(text).walk() if node.type == "fence"]
    lines = fence.splitlines()
    assert lines[7] == " 8    - three: linear(64)"
    assert lines[2] == " 3"
    assert lines[11] == "12    - five: linear(64)"
    assert "12 lines, the whole file" in text
    assert run("net.yaml", "-o", "out", "--format", "html").exit_code == 0
    html = Path("out/net.html").read_text("utf-8")
    (block,) = re.findall("<pre[^>]*><code>(.*?)</code></pre>", html, re.DOTALL)
    assert Page(block).text == TWELVE + "\n"
    assert block.count("<span>") == 12
    assert re.search(r"pre span::before \{[^}]*counter-increment: line; content: counter\(line\);", html)


def test_pictures_are_as_the_page_that_shows_them() -> None:
    """Every file is light, and dark where its reader's pages are; within HTML as the page itself is."""
    networks = [archlens.load(name) for name in ("lenet5", "vgg11")]
    found = [(network, comparison.find(archlens.study(network))) for network in networks]
    files = [*of_zoo("lenet5"), *gallery(found, "markdown")]
    pictures = [file.content.decode("utf-8") for file in files if file.path.endswith(".svg")]
    assert len(pictures) == 3 + 2 + 1
    (index,) = gallery(found, "html")
    tags = Page(index.content.decode("utf-8")).tags
    data = [str(attributes["src"]).partition("base64,")[2] for tag, attributes in tags if tag == "img"]
    assert len(data) == 2
    for svg in [*pictures, *(b64decode(one).decode("utf-8") for one in data)]:
        root = ElementTree.fromstring(svg)
        ground = root.find("{http://www.w3.org/2000/svg}rect")
        sheet = root.findtext("{http://www.w3.org/2000/svg}style") or ""
        assert ground is not None
        assert ground.get("fill") == "#ffffff"
        # GitHub's own colour of dark pages
        assert '[fill="#ffffff"]{fill:#0d1117}' in sheet
        assert sheet.startswith("@media (prefers-color-scheme:dark){")
    assert b'data-theme="auto"' in index.content


def test_words_are_words(run: Any) -> None:
    """Whatever a spec says, it is shown, and does nothing."""
    Path("hostile.yaml").write_text(HOSTILE, "utf-8")
    assert run("hostile.yaml", "-o", "out", "--format", "html").exit_code == 0
    found = Page(Path("out/hostile.html").read_text("utf-8"))
    assert not {"img", "b", "i", "u"} & {tag for tag, _ in found.tags}
    assert sum(tag == "script" for tag, _ in found.tags) == 2  # that of the graph to touch, and its data
    assert "<script>alert(1)</script> | *bold* `code` &amp;" in found.text
    led = [str(a.get("href")) for _, a in found.tags]
    assert not [where for where in led if "javascript" in where and not where.startswith("https://a.org/a")]
    assert run("hostile.yaml", "-o", "out").exit_code == 0
    text = Path("out/hostile.md").read_text("utf-8")
    nodes = [node for node in tree(text).walk() if not node.is_root]
    assert next(words(node) for node in nodes if node.type == "heading").startswith(
        "<script>alert(1)</script> | *bold* `code` &amp; [x](javascript:alert(1))"
    )
    html = {node.content.strip() for node in nodes if node.type in ("html_block", "html_inline")}
    assert {tag for one in html for tag in re.findall(r"</?(\w+)", one)} <= {"details", "summary"}
    led = [str(node.attrs["href"]) for node in nodes if node.type == "link"]
    assert not [where for where in led if "javascript" in where and not where.startswith("https://a.org/a")]
    (fence,) = [node.content for node in nodes if node.type == "fence"]
    assert re.sub("(?m)^ *[0-9]+(  )?", "", fence) == HOSTILE
    layers = tables(titled(text, "Layers"))[0]
    assert layers[1][0] == "a|b*c</pre><script>"


#: What would be a list, a rule or a heading at the start of a line, and addresses with marks in them.
NOTES = [
    "- a",
    "+ a",
    "1. a",
    "12) a",
    "-",
    "---",
    "===",
    "-3",
    "1.5",
    "=1",
    "a - b",
    "see https://a.org/b_c*d_(e).",
]


def test_lines_are_lines(run: Any) -> None:
    text = json.dumps({"summary": "1. no list", "notes": NOTES, "input": "1x8x8", "layers": ["relu"]})
    Path("net.yaml").write_text(text, "utf-8")
    assert run("net.yaml", "-o", "out").exit_code == 0
    nodes = [node for node in tree(Path("out/net.md").read_text("utf-8")).walk() if not node.is_root]
    assert next(words(node) for node in nodes if node.type == "paragraph") == "1. no list"
    assert [words(node) for node in nodes if node.type == "list_item"][: len(NOTES)] == NOTES
    assert not [node for node in nodes if node.type == "ordered_list"]
    # the one before the foot
    assert len([node for node in nodes if node.type == "hr"]) == 1
    assert [node.attrs["href"] for node in nodes if node.type == "link"] == ["https://a.org/b_c*d_(e)"]


@pytest.mark.parametrize(
    ("paper", "addresses"),
    [
        ({"arxiv": "1512.03385"}, ["https://arxiv.org/abs/1512.03385"]),
        ({"arxiv": "arXiv:1512.03385"}, ["https://arxiv.org/abs/1512.03385"]),
        ({"arxiv": "https://arxiv.org/abs/cs/9501101"}, ["https://arxiv.org/abs/cs/9501101"]),
        ({"doi": "https://doi.org/10.1/x"}, ["https://doi.org/10.1/x"]),
        ({"doi": "10.1002/(SICI)17:15<1#2?>"}, ["https://doi.org/10.1002/%28SICI%2917:15%3C1%232%3F%3E"]),
        ({"url": "https://a.org/b c|d"}, ["https://a.org/b%20c%7Cd"]),
        ({"url": "javascript:alert(1)"}, []),
    ],
)
def test_a_citation_leads_to_the_paper(run: Any, paper: dict[str, str], addresses: list[str]) -> None:
    text = json.dumps({"paper": {"title": "T", **paper}, "input": "1x8x8", "layers": ["relu"]})
    Path("net.yaml").write_text(text, "utf-8")
    assert run("net.yaml", "-o", "out").exit_code == 0
    nodes = [node for node in tree(Path("out/net.md").read_text("utf-8")).walk() if not node.is_root]
    assert [node.attrs["href"] for node in nodes if node.type == "link"] == addresses
    assert run("net.yaml", "-o", "out", "--format", "html").exit_code == 0
    found = Page(Path("out/net.html").read_text("utf-8"))
    links = [str(attributes["href"]) for tag, attributes in found.tags if tag == "a"]
    assert [link for link in links if not link.startswith("#")] == addresses


def test_pages_know_no_place(run: Any, tmp_path: Path) -> None:
    """The same bytes wherever they are made: neither the folder nor the path of a spec stands in a page."""
    (tmp_path / "net.yaml").write_text("input: 1x8x8\nlayers: ['conv(4, 3)', relu]\n", "utf-8")
    for place in (tmp_path / "net.yaml", "net.yaml", "../" + tmp_path.name + "/net.yaml"):
        assert run(str(place), "-o", f"out{len(str(place))}").exit_code == 0
    pages = {path.read_bytes() for path in tmp_path.glob("out*/net.md")}
    assert len(pages) == 1
    assert tmp_path.name.encode() not in pages.pop()


@pytest.mark.parametrize(
    ("name", "file"),
    [("resnet50", "resnet50"), ("a/../b", "a_.._b"), ("...", "network"), ("ü" * 200, "_" * 100)],
)
def test_file_names(name: str, file: str) -> None:
    assert file_name(name) == file


# --- parts of it -------------------------------------------------------------------------------------


def test_a_report_of_a_verification_is_read_back() -> None:
    checks = (
        Check("a", "shape", PASSED, "4", "4", ""),
        Check("b", "shape", FAILED, "4", "5", "odd"),
        Check("a", "macs", NOT_APPLICABLE, "", "", "none"),
    )
    one = Verification("a_|b", "A", "cpu", "2.13.0", "0.1", 2, checks, ("aten::add_x",), None, None, None)
    for text in (verification_table.to_json([one]), verification_table.to_counts([one])):
        found = verification_table.read(text, "x.md")
        assert found is not None
        assert found.made == "Device cpu, torch 2.13.0, fvcore 0.1, batch 2"
        assert found.rows["a_|b"]["layers"] == "2"
        assert found.rows["a_|b"]["shapes"] == "1/2"
        assert found.rows["a_|b"]["MACs"] == "not applicable"
        assert found.rows["a_|b"]["verdict"] == "FAILED"


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "7", "null", "# Verification", "[" * 100_000, '{"schema": "archlens.verified/1"}'),
        '{"schema": "archlens.verification/1", "networks": []}',
        '{"schema": "archlens.verification/1", "networks": [7]}',
        '{"schema": "archlens.verified/1", "device": 7, "torch": "", "fvcore": "", "batch": 1}',
        '{"schema": "archlens.verified/1", "device": "cpu", "torch": "", "fvcore": "", "batch": 1, '
        '"networks": [{"name": "a", "passed": true, "layers": 1, "checks": {"shape": [1, 2, 3]}}]}',
        '{"schema": "archlens.verified/2"}',
    ],
)
def test_what_is_no_report_of_a_verification(text: str) -> None:
    assert verification_table.read(text, "x.md") is None


def test_a_report_of_another_version_of_the_network_is_not_quoted(run: Any) -> None:
    text = (REPORTS / "verification.json").read_text("utf-8")
    other = re.sub(r'("lenet5", "passed": true, "layers": )12', r"\g<1>11", text)
    assert other != text
    Path("v.json").write_text(other, "utf-8")
    assert run("lenet5", "-o", "out", "--verification", "v.json").exit_code == 0
    assert "There is no verification report" in Path("out/lenet5.md").read_text("utf-8")
    Path("v.json").write_text(text, "utf-8")
    assert run("lenet5", "-o", "out", "--verification", "v.json").exit_code == 0
    section = titled(Path("out/lenet5.md").read_text("utf-8"), "Verification")
    assert "Device cpu" in section
    assert "v.json" not in section  # it does not lie beside the page


@pytest.mark.parametrize("name", ["lenet5", "googlenet", "unet", "m5", "vit_b_16"])
def test_a_thumbnail_is_the_drawing_alone_and_within_its_page(name: str) -> None:
    picture = drawing.Request(archlens.load(name), "volumes").picture
    small = thumbnail(picture)
    assert small.width == pytest.approx(2 * small.height)
    items = list(walk(small.items))
    assert not [item for item in items if isinstance(item, Text)]
    shapes = [item for item in items if not isinstance(item, Group)]
    assert shapes
    for item in shapes:
        corners = (
            [(item.x, item.y), (item.x + item.width, item.y + item.height)]
            if isinstance(item, Rect)
            else [item.start, *(point for step in item.steps for point in step)]
            if isinstance(item, Line)
            else []
        )
        for x, y in corners:
            assert 0 <= x <= small.width
            assert 0 <= y <= small.height
    original = [item for item in picture.items if isinstance(item, Group) and item.kind == "drawing"]
    everything = list(walk(tuple(original)))
    captions = [
        one for item in everything if isinstance(item, Group) and item.kind == "caption" for one in item.items
    ]
    kept = [item for item in everything if isinstance(item, Rect | Line) and item not in captions]
    assert len(kept) == len(shapes)


# --- the command -------------------------------------------------------------------------------------


def test_a_family_has_a_page_for_each_variant(run: Any) -> None:
    Path("two.yaml").write_text(
        "input: 1x8x8\nparams: {n: 4}\nlayers: ['conv(n, 3)']\nvariants: {small: {n: 2}, large: {n: 8}}\n"
    )
    assert run("two.yaml", "-o", "out").exit_code == 0
    assert {path.name for path in Path("out").glob("*.md")} == {"small.md", "large.md"}
    # 8 kernels of 3x3 and a bias each
    assert "| 80 |" in Path("out/large.md").read_text("utf-8").replace("**", "")


@pytest.mark.slow
def test_what_is_too_much_to_draw_has_a_page_that_says_so(run: Any) -> None:
    lines = "".join(f"  - l{i}: conv({4 + i % 7}, 1)\n" for i in range(1100))
    Path("long.yaml").write_text(f"input: 4x8x8\nlayers:\n{lines}", "utf-8")
    assert run("long.yaml", "-o", "out").exit_code == 0
    text = Path("out/long.md").read_text("utf-8")
    assert "Not drawn: long has more than 1,000 different layers at the top" in text
    assert "pictures/" not in text
    assert len(tables(titled(text, "Layers"))[0]) == 1 + 1000 + 1  # a page shows no more lines
    assert "100 more lines are left out here; `archlens shapes` prints all." in titled(text, "Layers")
    assert "102 more lines are left out here; `archlens show` prints all." in titled(text, "Spec")


@pytest.mark.parametrize("form", ["markdown", "html"])
@pytest.mark.slow
def test_a_page_is_bounded(run: Any, form: str) -> None:
    """However much there is of layers, scopes, notes, papers, findings or published figures."""
    step = "['conv({}, 1)', dropout(0.5), batch_norm]"  # of which the rules say something
    steps = "".join(f"  - s{i}: {step.format(4 + i % 7)}\n" for i in range(1500))
    text = f"input: 4x8x8\nlayers:\n{steps}notes:\n" + "".join(f"  - note {i}\n" for i in range(1001))
    text += "published:\n" + "".join(f"  - {{params: {i}, source: table {i}}}\n" for i in range(1200))
    Path("long.yaml").write_text(text, "utf-8")
    assert run("long.yaml", "-o", "out", "--format", form).exit_code == 0
    (page,) = Path("out").glob("long.*")
    lines = page.read_text("utf-8").split("\n")
    assert len(lines) < 9 * (1000 + 30)  # a section each, and what stands around its lines
    said = [line for line in lines if "left out here" in line]
    for command in ("shapes", "cost", "claims", "lint", "show"):
        assert any(f"archlens {command}" in line for line in said), command
    assert sum("1 more line is left out here" in line for line in said) == 1  # of 1,001 notes


def test_lines_that_a_page_leaves_out_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of 25,000 layers would otherwise make 24,000 lines for nothing."""
    made: list[str] = []
    cell = shapes_table._cell

    def counted(column: Any, row: Any, study: Any) -> Any:
        made.append(row.name)
        return cell(column, row, study)

    monkeypatch.setattr(shapes_table, "_cell", counted)
    lines = "".join(f"  - l{i}: conv({4 + i % 7}, 1)\n" for i in range(1100))
    parts = layers_section.parts(Material(Study(archlens.loads(f"input: 4x8x8\nlayers:\n{lines}"))))
    assert len(made) == 1000 * len(layers_section.SHOWN)
    (details,) = parts
    assert isinstance(details, Details)
    assert details.summary == "1,100 layers"
    assert any(isinstance(part, Paragraph) and "100 more" in str(part.pieces[0]) for part in details.parts)


def test_a_page_finds_the_peak_of_its_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures say it, and so does the row of its own size among the other inputs."""
    found: list[Any] = []
    peak = memory.peak_activations

    def noted(network: Any, **options: Any) -> Any:
        found.append(network)
        return peak(network, **options)

    monkeypatch.setattr(memory, "peak_activations", noted)
    material = Material(Study(archlens.load("lenet5")))
    for section in (figures_section, sizes_section):
        section.parts(material)
    assert found.count(material.network) == 1
    assert len(found) == len(material.study.sizes.scaled) > 1


@pytest.mark.slow
def test_what_a_page_shows_is_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three pictures in two themes each share their plans, and no depth is planned twice."""
    made: list[int] = []
    drawn = plan._Planner.plan

    def counted(self: Any) -> Any:
        made.append(self.depth)
        return drawn(self)

    monkeypatch.setattr(plan._Planner, "plan", counted)
    for name, least in (("lenet5", 1), ("resnet50", 2)):  # whose volumes want fewer levels than its graph
        for form in ("markdown", "html"):
            made.clear()
            of_zoo(name, form)
            assert len(made) == len(set(made)) >= least, (name, made)


def test_params_and_inputs_are_said_at_the_foot(run: Any) -> None:
    assert run("mobilenet_v1", "--set", "alpha=0.5", "--input", "3x160x160", "-o", "out").exit_code == 0
    text = Path("out/mobilenet_v1.md").read_text("utf-8")
    assert "archlens report mobilenet_v1 --input 3x160x160 --set alpha=0.5" in text
    figures = {row[0]: row for row in tables(titled(text, "Figures"))[0]}
    # Howard et al. 2017: 0.5 MobileNet has 1.3 million parameters (Table 6), 0.50 MobileNet-160 76 million
    # mult-adds (Table 9)
    assert figures["parameters"][2].startswith("1.3")
    assert figures["MACs"][2].startswith("76.")


@pytest.mark.parametrize(
    ("options", "how"),
    [(["--input", "3x320x320"], "another input"), (["--set", "depths=[1, 1, 1, 1]"], "other params")],
)
@pytest.mark.slow
def test_what_was_published_and_verified_is_of_the_spec_itself(
    run: Any, options: list[str], how: str
) -> None:
    """A page about another input or other params neither claims it nor calls it wrong."""
    Path("v.json").write_text((REPORTS / "verification.json").read_text("utf-8"), "utf-8")
    assert run("resnet18", "--verification", "v.json", *options, "-o", "out").exit_code == 0
    text = Path("out/resnet18.md").read_text("utf-8")
    told = titled(text, "Published and computed")
    assert f"The published figures of the spec do not apply with {how}." in told
    said = titled(text, "Verification")
    assert f"`archlens verify resnet18 {shlex.join(options)}` verifies this network" in said
    assert "Device" not in said
    # the same input and the same params as in the spec are no others
    assert run("resnet18", "--verification", "v.json", "--input", "3x224x224", "-o", "out").exit_code == 0
    text = Path("out/resnet18.md").read_text("utf-8")
    assert tables(titled(text, "Published and computed"))
    assert "Device" in titled(text, "Verification")


@pytest.mark.parametrize(
    "spec", ["layers: []", "layers: [identity]", "params: {n: }\nlayers: ['conv(n, 3)']"]
)
def test_next_to_nothing_has_a_page(run: Any, spec: str) -> None:
    Path("net.yaml").write_text(f"input: 3x8x8\n{spec}\n", "utf-8")
    values = ["--set", "n=3"] if "n:" in spec else []
    for form in ("markdown", "html"):
        result = run("net.yaml", *values, "-o", "out", "--format", form)
        assert result.exit_code == 0, result.exception


@pytest.mark.slow
def test_the_command_that_verifies_is_one_that_works(run: Any) -> None:
    Path("my net.yaml").write_text("input: 1x8x8\nlayers: ['conv(4, 3)']\n", "utf-8")
    assert run("my net.yaml", "-o", "out").exit_code == 0
    (command,) = re.findall(r"`(archlens verify .*)`", Path("out/my_net.md").read_text("utf-8"))
    result = CliRunner().invoke(cli, [*shlex.split(command)[1:-1], "out/verification.json"])
    assert result.exit_code == 0, result.output
    assert run("my net.yaml", "-o", "out").exit_code == 0
    assert "passed" in titled(Path("out/my_net.md").read_text("utf-8"), "Verification")


def test_a_spec_from_a_pipe(run: Any) -> None:
    assert run("-", "-o", "out", input="input: 1x8x8\nlayers: ['conv(4, 3)']\n").exit_code == 0
    assert Path("out/stdin.md").is_file()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((), "report takes names of networks, or --all"),
        (("lenet5", "--all"), "report takes names of networks, or --all"),
        (("lenet6",), "there is no network lenet6"),
        (("lenet5", "./lenet5.yaml"), "lenet5 and lenet5 would have the same page, lenet5"),
        (("lenet5", "--verification", "none.md"), "none.md cannot be read: No such file or directory"),
        (("lenet5", "--verification", "broken.yaml"), "broken.yaml is not a report of a verification"),
        (("lenet5", "--verification", "binary"), "binary cannot be read: it is not UTF-8"),
        (("lenet5", "broken.yaml"), "there is no op or block convv"),
    ],
)
def test_bad_input_writes_nothing(run: Any, args: tuple[str, ...], message: str) -> None:
    Path("lenet5.yaml").write_text("input: 1x8x8\nlayers: ['conv(4, 3)']\n", "utf-8")
    Path("broken.yaml").write_text("input: 1x8x8\nlayers: ['convv(4, 3)']\n", "utf-8")
    Path("binary").write_bytes(b"\xff\xfe")
    before = set(Path().iterdir())
    result = run(*args, "-o", "out")
    assert result.exit_code != 0
    assert message in str(getattr(result.exception, "diagnostic", "")) + result.output
    assert set(Path().iterdir()) == before


def test_a_folder_that_cannot_be_written_to(run: Any) -> None:
    Path("file").write_text("here already")
    for place in ("file", "file/below"):
        result = run("lenet5", "-o", place)
        assert "is not a folder to write to" in result.exception.diagnostic.message
    assert Path("file").read_text() == "here already"
    for place, message in (
        ("d" * 5000, f"{'d' * 57}... is not a folder to write to: File name too long"),
        (" ", "the folder that the pages go to has no name"),
        ("a\0b", "a\\x00b is not a folder to write to: "),  # and why, in the words of the version of Python
    ):
        said = run("lenet5", "-o", place).exception.diagnostic.message
        assert said == message or (message.endswith(": ") and said.startswith(message))


@pytest.mark.parametrize("taken", ["lenet5.md", "pictures/lenet5-graph.svg"])
def test_what_is_in_the_way_is_found_before_anything_is_written(run: Any, taken: str) -> None:
    (Path("out") / taken).mkdir(parents=True)
    assert run("lenet1", "lenet5", "-o", "out").exception.diagnostic.message == (
        f"out/{taken} cannot be written: Is a directory"
    )
    assert not [path for path in Path("out").rglob("*") if path.is_file()]
    Path("file").mkdir()
    Path("file/pictures").write_text("mine", "utf-8")
    assert "file/pictures is not a folder" in run("lenet5", "-o", "file").exception.diagnostic.message
    assert [path.name for path in Path("file").iterdir()] == ["pictures"]


def test_a_network_that_does_not_fit_is_shown_why(run: Any) -> None:
    result = run("lenet5", "--input", "1x4x4", "-o", "out")
    assert "does not fit" in result.exception.diagnostic.message
    assert not Path("out").exists()


def test_without_jinja2_it_is_said_what_is_missing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    forms._environment.cache_clear()
    result = run("lenet5", "-o", "out")
    assert result.exception.diagnostic.message == "pages need Jinja2, which is not installed"
    assert result.exception.diagnostic.help.startswith("pip install 'archlens-nn[report]'")
    assert not Path("out").exists()


def test_svg_in_pages_is_well_formed() -> None:
    for path in sorted(REPORTS.glob("pictures/*-small.svg")):
        root = ElementTree.fromstring(path.read_text("utf-8"))
        assert root.tag.endswith("svg")


def test_progress_needs_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(report.progress(["a", "b"], "report", str)) == ["a", "b"]
    assert capsys.readouterr().err == ""
