"""Networks within pages: notebooks, and real small sites that Sphinx, Python-Markdown and MkDocs build.

The parameters of LeNet-5 are counted by hand from the layers of LeCun et al., "Gradient-Based Learning
Applied to Document Recognition" (1998), figure 2, with a C3 that reads every map of S2.
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from html import unescape
from html.parser import HTMLParser
from importlib.metadata import EntryPoint
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import markdown
import pytest
from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from sphinx.cmd.build import build_main

import archlens
from archlens import drawing
from archlens.drawing.inline import style_sheet, to_inline
from archlens.errors import ArchlensError, SpecError, UsageError
from archlens.integrations.page import OPTIONS, wanted
from archlens.views.columns import COLUMNS
from archlens.views.rows import readable

ROOT = Path(__file__).resolve().parents[1]

#: Kernels of 5x5 with a bias, then matrices with biases; in the order of the layers.
LENET5 = {
    "C1": (5 * 5 * 1 + 1) * 6,
    "C3": (5 * 5 * 6 + 1) * 16,
    "C5": (16 * 5 * 5 + 1) * 120,
    "F6": (120 + 1) * 84,
    "output": (84 + 1) * 10,
}
TOTAL = f"{sum(LENET5.values()):,}"

HOSTILE = """\
title: "<b>&amp;</b>"
input: 1x28x28
layers:
  - "<script>alert(1)</script>": conv(8, 5)
"""
#: By hand: 8 kernels of 5x5 and their biases.
HOSTILE_PARAMS = str(8 * (5 * 5 + 1))

MY = "input: 1x28x28\nlayers:\n  - c: conv(8, 5)\n"


class Page(HTMLParser):
    """What a page holds: the cells of its tables row by row, the ids, the tags, and its text."""

    #: Elements that have no end.
    VOID = frozenset({"br", "img", "link", "meta", "hr", "input", "col", "path", "rect", "wbr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.rows: list[list[str]] = []
        self.ids: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[dict[str, str | None]] = []
        self.text = ""
        self.open: list[str] = []
        self.cell = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags[tag] += 1
        self.attributes.append({**found, "": tag})
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.cell = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open:
            while self.open.pop() != tag:
                pass
        if tag in ("td", "th"):
            self.cell = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.cell:
            self.rows[-1][-1] += data.strip()

    @property
    def svgs(self) -> list[str]:
        """Every picture within the page."""
        return re.findall(r"<svg.*?</svg>", self.html, re.DOTALL)

    def row(self, name: str) -> list[str]:
        """The row that starts with a name."""
        return next(row for row in self.rows if row and row[0] == name)


def check_page(page: Page, pictures: int) -> None:
    """Pictures are well-formed, no id appears twice, and nothing of a spec has become an element."""
    assert len(page.svgs) == pictures
    for svg in page.svgs:
        root = ElementTree.fromstring(svg)
        assert not [element for element in root.iter() if element.get("id")]
        names = [element.tag.rpartition("}")[2] for element in root]
        assert [name for name in names if name in ("title", "desc")] == ["title", "desc"]
    assert max(Counter(page.ids).values(), default=1) == 1
    assert "<script>alert" not in page.html
    assert "<b>&amp;</b>" not in page.html


def check_lenet5(page: Page) -> None:
    """The table of LeNet-5 has its parameters, and its total is theirs."""
    params = page.row("layer").index("params")
    for layer, count in LENET5.items():
        assert page.row(layer)[params] == f"{count:,}"
    assert page.row("total")[params] == TOTAL


# --- notebooks -------------------------------------------------------------------------------------


def test_a_network_in_a_notebook() -> None:
    """Two of them on one page have nothing in common that clashes."""
    page = Page(archlens.load("lenet5")._repr_html_() + archlens.loads(HOSTILE)._repr_html_())
    check_page(page, 2)
    check_lenet5(page)
    assert not page.open
    assert page.row("<script>alert(1)</script>")[-2] == HOSTILE_PARAMS
    assert page.tags["details"] == page.tags["summary"] == 2
    assert "script" not in page.tags


@pytest.mark.slow
def test_a_long_network_does_not_flood_a_notebook() -> None:
    """Repeats are folded; what cannot be is summed up in one row, and the total is that of all layers."""
    assert len(archlens.load("resnet152")._repr_html_()) < 150_000
    steps = "".join(f"  - c{i}: conv({i % 7 + 1}, 1, bias=false)\n" for i in range(3000))
    network = archlens.loads(f"input: 3x4x4\nlayers:\n{steps}")
    html = network._repr_html_()
    assert len(html) < 250_000
    page = Page(html)
    check_page(page, 0)
    assert "No graph: network has more than 1,000 different layers at the top" in page.text
    assert page.rows[-2][0] == "... 2,601 more"
    # matrices from each width to the next
    expected = sum(a * b for a, b in pairwise([3, *(i % 7 + 1 for i in range(3000))]))
    assert page.row("total")[4] == f"{expected:,}"
    assert sum(int(row[4].replace(",", "")) for row in page.rows[1:-1]) == expected
    assert sum(row.params for row in readable(network)) == expected


def test_a_large_graph_does_not_flood_a_notebook() -> None:
    """A chain of hundreds of different layers, none of which folds, would be half a megabyte and more."""
    steps = "".join(f"  - c{i}: conv({i * 7 % 11 + 1}, 1)\n" for i in range(400))
    html = archlens.loads(f"input: 3x4x4\nlayers:\n{steps}")._repr_html_()
    page = Page(html)
    assert len(html) < 250_000
    # the layers, and the input
    assert "No graph: it would have 401 boxes, too many for a notebook" in page.text
    check_page(page, 0)


def test_an_error_in_a_notebook() -> None:
    """The diagnostic, then the network up to the layer that failed, which is drawn."""
    with pytest.raises(SpecError) as caught:
        archlens.load("lenet5", input=(1, 8, 8))
    page = Page(caught.value._repr_html_())
    check_page(page, 1)
    assert "error: C3 does not fit: its 5x5 window is larger than its 2x2 input" in page.text
    assert "up to the layer that failed" in page.text
    assert page.rows[-1][0] == "up to here"
    assert "C3" in page.svgs[0]
    with pytest.raises(SpecError) as caught:
        archlens.loads("<script>alert(1)</script>: 1")
    page = Page(caught.value._repr_html_())
    check_page(page, 0)
    assert "error: a spec has no key <script>alert(1)</script>" in page.text


@pytest.mark.parametrize("style", drawing.style_names())
@pytest.mark.parametrize("name", ["resnet50", "googlenet", "unet", "densenet121"])
def test_a_picture_that_takes_the_theme_of_its_page(name: str, style: str) -> None:
    """Where the page is light it is the light picture to the last colour, where it is dark the dark one."""
    network = archlens.load(name)
    colors: dict[str, str] = {}
    inline = to_inline(drawing.Request(network, style, theme="auto"), colors)
    sheet = style_sheet(colors)
    for theme in ("light", "dark"):

        def color(found: re.Match[str], theme: str = theme) -> str:
            set_to = re.search(rf"{found[1]}:(#[0-9a-f]{{6}})[;}}]", sheet)
            assert set_to
            return set_to[1] if theme == "dark" else found[2]

        seen = re.sub(r"var\((--al-[0-9a-f-]+),(#[0-9a-f]{6})\)", color, inline)
        head = ' style="max-width: 100%; height: auto" class="archlens-auto"'
        assert seen.replace(head, "", 1) == drawing.to_svg(network, style=style, theme=theme)
    assert "<style>" in to_inline(drawing.Request(network, style, theme="auto"))
    assert "var(" not in to_inline(drawing.Request(network, style, theme="dark"))


# --- what a page may ask for -----------------------------------------------------------------------

WRONG = {
    "stile": ({"stile": "graph"}, "there is no option stile", "did you mean style?"),
    "style": ({"style": "volume"}, "there is no style volume", "did you mean volumes?"),
    "no style": (
        {"style": ""},
        "there is no style without a name",
        "one of field, graph, profile, stages, volumes",
    ),
    "theme": ({"theme": "drak"}, "there is no theme drak", "did you mean dark?"),
    "direction": ({"direction": "bt"}, "there is no direction bt", "one of tb, lr"),
    "depth": ({"depth": "0"}, "depth is 0", "a whole number from 1: levels of scopes"),
    "depth word": ({"depth": "²"}, "depth is ²", "a whole number from 1: levels of scopes"),
    "long depth": (
        {"depth": "9" * 5000},
        f"depth is {'9' * 57}...",
        "a whole number from 1: levels of scopes",
    ),
    "fold": ({"fold": "maybe"}, "fold is maybe", "yes or no; without a word it is yes"),
    "show": ({"show": "tabel"}, "there is no part tabel", "did you mean table?"),
    "nothing": ({"show": " , "}, "show names nothing", "as in show: table, diagram"),
    "columns": ({"columns": "param"}, "there is no column param", "did you mean params?"),
    "set": ({"set": "x"}, "set x has no value", "as in set alpha=0.5"),
    "set twice": ({"set": "a=1; a=2"}, "set gives a twice", ""),
    "input": (
        {"input": "1x8x8; 3x8x8"},
        "input 1x8x8 does not say which input is meant",
        "as in input image=",
    ),
    "shape": ({"input": "3x"}, "3x is not an input shape", "as in 3x224x224"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_option(case: str) -> None:
    options, message, help = WRONG[case]
    with pytest.raises(UsageError) as caught:
        wanted("mobilenet_v1", options).network()
    assert caught.value.diagnostic.message.startswith(message)
    assert caught.value.diagnostic.help.startswith(help)


TWO = "input: {a: 1x4x4, b: 1x4x4}\nlayers:\n  - concat: [ref(a), ref(b)]\n"
VARIANTS = "input: 1x4x4\nparams: {n: 1}\nvariants: {small: {n: 2}, big: {n: 3}}\nlayers: ['conv(n, 1)']\n"


def test_options_mean_what_they_mean_on_the_command_line() -> None:
    asked = wanted("mobilenet_v1", {"set": "alpha=0.5", "input": "3x160x160", "depth": "1"})
    network = asked.network()
    assert str(network.input) == "3x160x160"
    # Howard et al., "MobileNets" (2017), table 6: 0.5 MobileNet-224 has 1.3 million parameters
    assert round(network.params / 1e6, 1) == 1.3
    assert [row.name for row in asked.rows(network)] == [
        "conv1",
        "bn1",
        "relu",
        "features",
        "global_avg_pool",
        "flatten",
        "fc",
    ]
    assert len(wanted("resnet152", {"fold": "no"}).rows(archlens.load("resnet152"))) == 515
    assert len(wanted("resnet152", {"fold": ""}).rows(archlens.load("resnet152"))) < 515
    several = wanted(
        "",
        {"input": "a=1x8x8\nb=2x8x8"},
        text="input: {a: 1x4x4, b: 1x4x4}\nlayers:\n  - concat: [ref(a), ref(b)]\n",
    )
    assert str(several.network().output) == "3x8x8"
    variant = (
        "input: 1x4x4\nparams: {n: 1}\nvariants: {small: {n: 2}, big: {n: 3}}\nlayers:\n  - conv(n, 1)\n"
    )
    assert wanted("big", {}, text=variant).network().output.channels == 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("-", "", "a page cannot read a spec from the standard input"),
        ("", "", "no network is named, and no spec follows"),
        ("lenet5", MY, "lenet5 is named, and a spec follows"),
        ("lenet55", "", "there is no network lenet55"),
        ("nowhere.yaml", "", "there is no file nowhere.yaml"),
    ],
)
def test_a_wrong_name(
    name: str, text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=f"^error: {re.escape(message)}"):
        wanted(name, {}, text=text).network()


# --- Sphinx ----------------------------------------------------------------------------------------

INDEX = f"""\
Networks
========

.. archlens:: lenet5

.. archlens:: my.yaml
   :style: volumes
   :theme: light
   :columns: layer, params
   :name: mine

See :ref:`mine`.

* In a list:

  .. archlens::

{"".join(f"     {line}" for line in HOSTILE.splitlines(keepends=True))}
.. toctree::

   sub/other
"""
OTHER = """\
Other
=====

.. archlens:: ../my.yaml
   :show: diagram, table

.. archlens:: /my.yaml
   :show: table
"""


class Sphinx:
    """A small project, built in this process with warnings as errors."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capture = folder, capture
        (folder / "sub").mkdir(parents=True)
        self.write("conf.py", 'project = "Networks"\nextensions = ["archlens.integrations.sphinx"]\n')
        self.write("my.yaml", MY)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, "utf-8")

    def build(self, builder: str = "html", *options: str) -> tuple[int, str]:
        """The exit code, and what is said."""
        out = self.folder / "_build" / builder
        code = build_main(["-q", "-W", "--keep-going", "-b", builder, *options, str(self.folder), str(out)])
        said = self.capture.readouterr()
        return code, said.out + said.err

    def page(self, name: str = "index.html") -> Page:
        return Page((self.folder / "_build" / "html" / name).read_text("utf-8"))


@pytest.fixture
def sphinx(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Sphinx]:
    monkeypatch.chdir(tmp_path)
    handlers = logging.getLogger("sphinx").handlers[:]
    yield Sphinx(tmp_path / "docs", capsys)
    logging.getLogger("sphinx").handlers[:] = handlers


@pytest.fixture
def site(sphinx: Sphinx) -> Sphinx:
    sphinx.write("index.rst", INDEX)
    sphinx.write("sub/other.rst", OTHER)
    return sphinx


@pytest.mark.slow
def test_sphinx_html(site: Sphinx) -> None:
    assert site.build() == (0, "")
    page = site.page()
    check_page(page, 2)
    check_lenet5(page)
    assert page.row("<script>alert(1)</script>")[-2] == HOSTILE_PARAMS
    # heads, layers and totals of the three tables, in their columns of numbers
    assert sum("archlens-number" in (found.get("class") or "") for found in page.attributes) == (
        2 * (1 + 12 + 1) + (1 + 1 + 1) + 2 * (1 + 1 + 1)
    )
    # the reference goes to the table, and says its title
    (table,) = (found for found in page.attributes if found.get("id") == "mine")
    assert table[""] == "table"
    assert 'href="#mine"' in page.html
    # a theme that is asked for makes a file
    (image,) = (found for found in page.attributes if found[""] == "img")
    assert str(image["alt"]).startswith("my: Feature maps of 1 layers as boxes: input 1x28x28")
    content = (site.folder / "_build" / "html" / str(image["src"])).read_text("utf-8")
    network = archlens.load(str(site.folder / "my.yaml"))
    assert content == drawing.to_svg(network, style="volumes", theme="light")
    sheet = (site.folder / "_build" / "html" / "_static" / "archlens.css").read_text("utf-8")
    assert "archlens-number" in sheet
    assert "_static/archlens.css" in page.html


@pytest.mark.slow
def test_sphinx_leaves_code_as_it_is(sphinx: Sphinx) -> None:
    text = "input: 1x8x8\n   layers:\n   - up--2: upsample(2, mode='bilinear')"
    sphinx.write("index.rst", f"Code\n====\n\n.. archlens::\n   :show: table\n\n   {text}\n")
    assert sphinx.build() == (0, "")
    shown = sphinx.page().text
    assert 'upsample(scale=2, mode="bilinear")' in shown
    assert "up--2" in shown


@pytest.mark.slow
def test_sphinx_paths_and_order(site: Sphinx) -> None:
    assert site.build() == (0, "")
    page = site.page("sub/other.html")
    check_page(page, 1)
    assert [row[0] for row in page.rows] == ["layer", "c", "total"] * 2
    assert page.html.index("<svg") < page.html.index("<table")


@pytest.mark.slow
def test_sphinx_text(site: Sphinx) -> None:
    assert site.build("text") == (0, "")
    text = (site.folder / "_build" / "text" / "index.txt").read_text("utf-8")
    assert re.search(rf"\| total +\|.*\| {TOTAL} +\|", text)
    assert "[image: LeNet-5: A graph of 12 layers in 8 boxes" in text
    assert "<script>alert(1)</script>" in text


@pytest.mark.slow
def test_sphinx_latex(site: Sphinx) -> None:
    """Pictures are vectors in files, whose names and bytes are the same in whatever folder they are made."""
    assert site.build("latex") == (0, "")
    out = site.folder / "_build" / "latex"
    text = (out / "networks.tex").read_text("utf-8")
    assert re.search(rf"{TOTAL}\s", text)
    names = re.findall(r"\\sphinxincludegraphics(?:\[.*?\])?\{\{([^}]*)\}(\.pdf)\}", text)
    assert len(names) == 4
    files = {f"{stem}{ending}": (out / f"{stem}{ending}").read_bytes() for stem, ending in names}
    assert all(content.startswith(b"%PDF-") for content in files.values())
    again = Sphinx(site.folder.parent / "elsewhere", site.capture)
    again.write("index.rst", INDEX)
    again.write("sub/other.rst", OTHER)
    assert again.build("latex") == (0, "")
    assert files == {name: (again.folder / "_build" / "latex" / name).read_bytes() for name in files}


@pytest.mark.slow
def test_sphinx_latex_leaves_room_for_a_heading(sphinx: Sphinx) -> None:
    """LaTeX breaks no page behind a heading, and cuts what is too tall for the rest of its page."""
    styles = {"resnet50": "graph", "lenet1": "volumes"}
    parts = [f".. archlens:: {name}\n   :show: diagram\n   :style: {styles[name]}\n" for name in styles]
    sphinx.write("index.rst", "\n".join(["Tall\n====\n", *parts]))
    assert sphinx.build("latex") == (0, "")
    text = (sphinx.folder / "_build" / "latex" / "networks.tex").read_text("utf-8")
    assert re.findall(r"\\sphinxincludegraphics(\[.*?\])?\{\{(\w+)-", text) == [
        ("[height=440bp]", "resnet50"),
        ("", "lenet1"),
    ]


#: Narrow and wide tables, long ones, and names that are longer than a line: a name, and what follows.
LONG = "n" * 60
TABLES = [
    ("lenet5", ""),
    ("resnet50", "   :depth: 1\n"),
    ("c3d", ""),
    ("resnet18", "   :columns: layer, op, input, output, field, stride, params, macs\n"),
    ("vit_b_16", ""),
    ("", f"\n   input: 3x224x224\n   layers:\n   - {LONG}: conv(64, 7)\n   - _a-b--c_$%&~^\\: relu\n"),
    ("vgg16", "   :columns: params, macs\n"),
]
TABLES_PAGE = "Tables\n======\n" + "".join(
    f"\n.. archlens:: {name}\n   :show: table\n{rest}" for name, rest in TABLES
)


@pytest.mark.slow
def test_sphinx_latex_gives_each_table_columns_that_hold_its_numbers(sphinx: Sphinx) -> None:
    """In Times a figure is half an em wide, a comma a quarter and an x half: all of a row is within a line.

    A line of Sphinx' manual on A4 is 159 mm, 453 points, wide.
    """
    sphinx.write("index.rst", TABLES_PAGE)
    assert sphinx.build("latex") == (0, "")
    text = (sphinx.folder / "_build" / "latex" / "networks.tex").read_text("utf-8")
    tables = re.findall(
        r"\\begingroup\\(\w+)\\setlength\{\\tabcolsep\}\{([\d.]+)em\}.*?"
        r"\\begin\{longtable\}\{([lr]+)\}(.*?)\\end\{longtable\}",
        text,
        re.DOTALL,
    )
    assert len(tables) == len(TABLES) == text.count(r"\begin{long") == text.count(r"\endgroup")
    points = {"normalsize": 10, "small": 9, "footnotesize": 8, "scriptsize": 7}
    for size, between, spec, inside in tables:
        widths = [0.0] * len(spec)
        body = inside.partition(r"\endlastfoot")[2]
        for row in re.split(r"\\\\\n", body)[:-1]:
            cells = re.split(r"(?<!\\)&", row)
            assert len(cells) == len(spec)
            for i, cell in enumerate(cells):
                box = re.search(r"\\parbox\[t\]\{([\d.]+)em\}", cell)
                (shown,) = re.search(r"\\sphinxAtStartPar\n(.*)\n", cell).groups()  # type: ignore[union-attr]
                if box:
                    wide = float(box[1])
                    assert spec[i] == "l"
                else:
                    wide = 0.25 * shown.count(",") + 0.5 * len(re.sub(r"\\\w+\{\}|,", "", shown))
                widths[i] = max(widths[i], wide)
        assert sum(widths) + 2 * float(between) * len(spec) <= 453 / points[size], spec
    assert [spec for _, _, spec, _ in tables][:2] == ["llllrr", "llllrr"]
    assert tables[-1][2] == "rr"


def words_of(pdf: Path) -> list[list[tuple[float, float, float, float, str]]]:
    """Of each page the words: left, top, right, bottom, and what they say."""
    done = subprocess.run(["pdftotext", "-bbox", str(pdf), "-"], capture_output=True, text=True, check=True)
    return [
        [
            (*map(float, found[:4]), unescape(found[4]))  # type: ignore[misc]
            for found in re.findall(
                r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*?)</word>', page
            )
        ]
        for page in done.stdout.split("<page ")[1:]
    ]


@pytest.mark.skipif(
    not (shutil.which("pdflatex") and shutil.which("pdftotext")),
    reason="LaTeX and poppler are not installed, which make a page and read it",
)
@pytest.mark.slow
def test_a_page_that_latex_prints_has_every_number_whole(sphinx: Sphinx) -> None:
    """No word of a table lies over another or beyond the margins, and each is there as the table has it."""
    sphinx.write("index.rst", TABLES_PAGE)
    assert sphinx.build("latex") == (0, "")
    out = sphinx.folder / "_build" / "latex"
    for _ in range(2):
        command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "networks.tex"]
        done = subprocess.run(command, cwd=out, capture_output=True, text=True, errors="replace", timeout=600)
        assert done.returncode == 0, done.stdout[-2000:]
    assert re.findall(r"Overfull .hbox.*", done.stdout) == []
    pages = words_of(out / "networks.pdf")
    for words in pages:
        words.sort(key=lambda word: (word[1], word[0]))
        for i, a in enumerate(words):
            assert 70 <= a[0] <= a[2] <= 612 - 70, a
            for b in words[i + 1 :]:
                apart = a[2] <= b[0] + 0.1 or b[2] <= a[0] + 0.1 or a[3] <= b[1] + 3 or b[3] <= a[1] + 3
                assert apart, (a, b)
    printed = Counter(word[4] for words in pages for word in words)
    for name in filter(None, dict(TABLES)):
        for figure in (archlens.load(name).params, archlens.load(name).macs):
            assert printed[f"{figure:,}"], (name, figure)
    # He et al. 2016, table 1: conv1 gives 112x112, with 64 kernels of 7x7; torchvision's num_params
    assert {"64x112x112", "25,557,032", "4,089,184,256"} <= printed.keys()
    assert sum(len(word) for word in printed.elements() if set(word) == {"n"}) == len(LONG)


@pytest.mark.slow
def test_sphinx_says_that_a_table_is_wider_than_a_page(sphinx: Sphinx) -> None:
    table = f".. archlens:: vit_b_16\n   :show: table\n   :columns: {', '.join(COLUMNS)}\n"
    sphinx.write("index.rst", f"Wide\n====\n\n{table}")
    assert sphinx.build() == (0, "")
    code, said = sphinx.build("latex")
    assert code == 1
    assert "index.rst" in said
    assert "archlens: the table is wider than a page; name fewer columns" in said


@pytest.mark.slow
def test_sphinx_in_parallel(site: Sphinx) -> None:
    """What ``parallel_read_safe`` and ``parallel_write_safe`` promise."""
    for number in range(12):
        site.write(
            f"more{number}.rst",
            f":orphan:\n\nMore {number}\n=======\n\n.. archlens:: my.yaml\n   :theme: dark\n",
        )
    made = {}
    for jobs in ("1", "2"):
        out = site.folder / f"_build{jobs}"
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "-j", jobs, str(site.folder), str(out)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        found = [*out.rglob("*.html"), *(out / "_images").iterdir()]
        made[jobs] = {path.relative_to(out): path.read_bytes() for path in found}
    assert made["1"] == made["2"]


@pytest.mark.slow
def test_sphinx_builds_again_what_has_changed(site: Sphinx) -> None:
    assert site.build() == (0, "")
    site.write("my.yaml", MY.replace("conv(8, 5)", "conv(9, 5)"))
    assert site.build() == (0, "")
    assert site.page("sub/other.html").row("c")[4] == str(9 * (5 * 5 + 1))
    # a mistake is found, and gone when it is mended
    site.write("my.yaml", MY.replace("conv(8, 5)", "conv(9, 55)"))
    code, said = site.build()
    assert code == 1
    assert "archlens: error: c does not fit" in said
    site.write("my.yaml", MY)
    assert site.build() == (0, "")
    assert site.page("sub/other.html").row("c")[4] == HOSTILE_PARAMS


#: A page from its third line on, the line that is blamed, and what is said there.
BAD_PAGES = {
    "no network": (".. archlens:: lenet55", 4, "error: there is no network lenet55\n"),
    "no file": (".. archlens:: mine.yaml", 4, "error: there is no file docs/mine.yaml\n"),
    "option": (".. archlens:: lenet5\n   :style: volume", 4, "error: there is no style volume\n"),
    "inline": (
        ".. archlens::\n   :show: table\n\n   input: 1x8x8\n\n   layers:\n     - conv(3, 13)",
        10,
        "error: 0 (conv) does not fit: its 13x13 window is larger than its 8x8 input\n"
        "  --> docs/index.rst:10:8\n   |\n10 |      - conv(3, 13)\n   |        ^^^^^^^^^^^\n",
    ),
    "nested": (
        "* a\n\n  * b\n\n    .. archlens::\n\n       input: 1x8x8\n       layers:\n       - conv(3, 13)",
        12,
        "error: 0 (conv) does not fit: its 13x13 window is larger than its 8x8 input\n"
        "  --> docs/index.rst:12:10\n",
    ),
    "broken YAML": (".. archlens::\n\n   input: [1", 6, "error: "),
    "in a table, above a spec that starts alike": (
        "+------------------+\n| .. archlens::    |\n|                  |\n|    input: 1x8x8  |\n"
        "|    layers:       |\n|    - conv(3, 13) |\n+------------------+\n\n"
        ".. archlens::\n   :show: table\n\n   input: 1x8x8\n   layers:\n   - conv(3, 3)",
        9,
        "error: 0 (conv) does not fit: its 13x13 window is larger than its 8x8 input\n"
        " --> docs/index.rst:9:3\n",
    ),
    "too much": (
        ".. archlens:: many.yaml\n   :show: diagram",
        4,
        "error: many has more than 1,000 different layers at the top, too many to lay out\n",
    ),
}


@pytest.mark.parametrize("case", BAD_PAGES)
@pytest.mark.slow
def test_sphinx_fails_with_the_place(sphinx: Sphinx, case: str) -> None:
    text, line, message = BAD_PAGES[case]
    steps = "".join(f"  - c{i}: conv({i % 7 + 1}, 1)\n" for i in range(1100))
    sphinx.write("many.yaml", f"input: 3x4x4\nlayers:\n{steps}")
    sphinx.write("index.rst", f"Bad\n===\n\n{text}\n")
    code, said = sphinx.build()
    assert code == 1
    page = sphinx.folder / "index.rst"
    found = re.match(rf"{re.escape(str(page))}:{line}: (?:ERROR|WARNING): archlens: (.*)", said, re.DOTALL)
    assert found, said
    assert re.sub(r"\n\n", "\n", found[1]).startswith(message)
    assert "Traceback" not in said


@pytest.mark.parametrize("builder", ["html", "text", "latex"])
@pytest.mark.parametrize("case", BAD_PAGES)
@pytest.mark.slow
def test_sphinx_shows_what_is_wrong_in_its_place(sphinx: Sphinx, case: str, builder: str) -> None:
    text, _, message = BAD_PAGES[case]
    steps = "".join(f"  - c{i}: conv({i % 7 + 1}, 1)\n" for i in range(1100))
    sphinx.write("many.yaml", f"input: 3x4x4\nlayers:\n{steps}")
    sphinx.write("index.rst", f"Bad\n===\n\nBefore.\n\n{text}\n\nAfter.\n")
    out = sphinx.folder / "_build" / builder
    assert build_main(["-q", "-b", builder, str(sphinx.folder), str(out)]) == 0
    assert "archlens: error: " in sphinx.capture.readouterr().err
    name = {"html": "index.html", "text": "index.txt", "latex": "networks.tex"}[builder]
    content = (out / name).read_text("utf-8")
    place = content[content.index("Before.") : content.index("After.")]
    if builder == "html":
        place = Page(place).text
    words = re.sub(r"\s+", " ", re.sub(r"\\PYG\w*|\\sphinxhyphen|[{}|\\]", "", place))
    assert re.sub(r"[\s|]+", " ", message.partition("\n")[0]) in words


@pytest.mark.slow
def test_sphinx_without_what_writes_pdf(site: Sphinx, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "reportlab"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "reportlab", None)
    monkeypatch.setitem(sys.modules, "reportlab.pdfbase", None)
    code, said = site.build("latex")
    assert code == 1
    assert (
        "index.rst:4: WARNING: archlens: error: PDF is written by reportlab, which is not installed" in said
    )
    assert "pip install 'archlens-nn[diagram]'" in said


# --- Markdown --------------------------------------------------------------------------------------


def converted(text: str, *extensions: str) -> Page:
    return Page(markdown.markdown(text, extensions=["archlens.integrations.markdown", *extensions]))


@pytest.mark.parametrize("extensions", [(), ("fenced_code",), ("extra", "admonition")], ids=str)
def test_a_fence(extensions: tuple[str, ...]) -> None:
    page = converted("# A\n\ntext\n```archlens lenet5\n```\nmore *text*\n", *extensions)
    check_page(page, 1)
    check_lenet5(page)
    assert "<em>text</em>" in page.html
    assert not page.open
    assert "\x02" not in page.html


def test_a_fence_shows_what_it_is_asked_for_in_that_order() -> None:
    page = converted("```archlens lenet5 show=diagram,table\n```\n")
    assert page.html.index("<svg") < page.html.index("<table")
    page = converted("```archlens lenet5 show=diagram style=profile theme=dark\n```\n")
    assert page.tags["table"] == 0
    assert page.svgs == [svg_of("lenet5", style="profile", theme="dark")]


def touched(page: Page) -> list[str]:
    """The names of the layers of a graph to touch on a page."""
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', page.html, re.DOTALL)
    known = json.loads(data)["inside"]
    return [known["strings"][layer[0]] for layer in known["layers"]]


def test_a_fence_shows_the_graph_to_touch() -> None:
    page = converted("```archlens lenet5 show=explorer,table\n```\n")
    assert page.html.index("archlens-network") < page.html.index("<table")
    assert touched(page) == [layer.name for layer in archlens.load("lenet5").layers]
    assert page.html.count("<script>") == 1


@pytest.mark.slow
def test_sphinx_shows_the_graph_to_touch_and_elsewhere_the_diagram(sphinx: Sphinx) -> None:
    sphinx.write("index.rst", "Mine\n====\n\n.. archlens:: lenet5\n   :show: explorer\n")
    assert sphinx.build() == (0, "")
    assert touched(sphinx.page()) == [layer.name for layer in archlens.load("lenet5").layers]
    assert sphinx.build("latex") == (0, "")
    (tex,) = (sphinx.folder / "_build" / "latex").glob("*.tex")
    assert "includegraphics" in tex.read_text("utf-8")


def test_a_notebook_shows_the_graph_to_touch() -> None:
    network = archlens.load("resnet18")
    page = Page(archlens.explore(network)._repr_html_())
    assert touched(page) == [layer.name for layer in network.layers]
    assert not page.open


def svg_of(name: str, **options: str) -> str:
    """A picture as the command line draws it, but no wider than its page."""
    svg = drawing.to_svg(archlens.load(name), **options).rstrip()
    return svg.replace("<svg", '<svg style="max-width: 100%; height: auto"', 1)


def test_fences_within_a_list_and_an_admonition() -> None:
    inside = "".join(f"    {line}" for line in f"```archlens\n{HOSTILE}\n```\n".splitlines(keepends=True))
    page = converted(f"- one\n\n{inside}\n- two\n\n!!! note\n\n{inside}\n", "extra", "admonition")
    check_page(page, 2)
    assert page.tags["li"] == 2
    assert [row[0] for row in page.rows] == ["layer", "<script>alert(1)</script>", "total"] * 2
    assert re.search(r'<div class="admonition note">.*<svg.*</svg>\s*</div>\s*</div>', page.html, re.DOTALL)


@pytest.mark.parametrize("extensions", [(), ("fenced_code",), ("extra",)], ids=str)
def test_fences_within_quotes(extensions: tuple[str, ...]) -> None:
    lines = f"before\n\n```archlens\n{HOSTILE}\n```\nafter".splitlines()
    quoted = "\n".join(f"> {line}".rstrip() for line in lines)
    twice = "\n".join(f"> {line}".rstrip() for line in quoted.splitlines())
    page = converted(f"{quoted}\n\ntext\n\n{twice}\n", *extensions)
    check_page(page, 2)
    assert [row[0] for row in page.rows] == ["layer", "<script>alert(1)</script>", "total"] * 2
    assert re.search(
        r"<blockquote>\s*<p>before</p>.*<svg.*</svg>.*<p>after</p>\s*</blockquote>", page.html, re.DOTALL
    )
    # one that the end of the quote leaves open is none
    assert not converted("> ```archlens lenet5\n\ntext\n\n```\n", *extensions).svgs


@pytest.mark.parametrize("extensions", [(), ("fenced_code",), ("extra",)], ids=str)
def test_a_fence_that_is_shown_as_it_is(extensions: tuple[str, ...]) -> None:
    """Within a longer fence, as code by its indentation, and where it does not end."""
    fence = "```archlens lenet5 <b>\n```\n"
    page = converted(f"text\n\n````\n{fence}````\n", *extensions)
    assert not page.svgs
    assert "archlens lenet5 <b>" in page.text
    page = converted("text\n\n    " + fence.replace("\n", "\n    ") + "\n", *extensions)
    assert not page.svgs
    assert "```archlens lenet5 <b>\n```" in page.text
    page = converted("text\n\n    > ```archlens lenet5\n    > ```\n", *extensions)
    assert "> ```archlens lenet5\n> ```" in page.text
    page = converted("```archlens lenet5\n\ntext\n", *extensions)
    assert not page.svgs
    assert "\x02" not in page.html


def test_a_fence_uses_what_lies_beside_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "head.yaml").write_text("{input: 3x8x8, layers: [score: 'conv(5, 1)']}")
    monkeypatch.chdir(tmp_path)  # and not what lies beside the one that reads it
    lines = "input: 3x8x8", "use: {h: ./%s.yaml}", "layers: [top: h]"
    fence = "\n".join(["```archlens show=table columns=layer,params", *lines, "```", ""])
    options = {"archlens.integrations.markdown": {"folder": "pages"}}

    def made(name: str) -> str:
        return markdown.markdown(fence % name, extensions=[*options], extension_configs=options)

    assert Page(made("head")).rows[1] == ["top.score", "20"]  # 5 x 3 and 5 biases
    with pytest.raises(ArchlensError, match=re.escape("there is no file pages/tail.yaml")) as caught:
        made("tail")
    span = caught.value.diagnostic.span
    assert span is not None
    assert span.line == 3


@pytest.mark.parametrize(
    ("fence", "message"),
    [
        ("```archlens lenet55\n```", "error: there is no network lenet55"),
        (
            "```archlens lenet5 set='x\n```",
            "error: the fence's first line cannot be read: No",
        ),
        ("```archlens lenet5 resnet50\n```", "error: resnet50 is not an option"),
        ("```archlens lenet5 stile=graph\n```", "error: there is no option stile"),
        ("```archlens\ninput: 1x4x4\nlayers: [\n```", "error: "),
    ],
)
def test_a_wrong_fence(fence: str, message: str) -> None:
    with pytest.raises(ArchlensError, match=f"^{re.escape(message)}"):
        converted(fence)


def test_the_same_markdown_twice() -> None:
    """One converter for many pages, as site generators have it."""
    converter = markdown.Markdown(extensions=["archlens.integrations.markdown"])
    text = "```archlens lenet5 show=table columns=layer,params\n```\n"
    assert converter.reset().convert(text) == converter.reset().convert(text)
    assert Page(converter.reset().convert(text)).row("total") == ["total", TOTAL]


# --- MkDocs ----------------------------------------------------------------------------------------


class Log(logging.Handler):
    """What is warned of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class Mkdocs:
    """A small project, built in this process."""

    def __init__(self, folder: Path, log: Log) -> None:
        self.folder, self.log = folder, log
        self.write("mkdocs.yml", "site_name: Networks\nplugins: [search, archlens]\n")
        self.write("docs/my.yaml", MY)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, "utf-8")

    def build(self, *, strict: bool = True) -> Any:
        """Build, and give what was used."""
        config = load_config(str(self.folder / "mkdocs.yml"), strict=strict)
        config.plugins.on_startup(command="build", dirty=False)
        mkdocs_build(config)
        return config

    def page(self, name: str = "index.html") -> Page:
        return Page((self.folder / "site" / name).read_text("utf-8"))


@pytest.fixture
def mkdocs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mkdocs]:
    """A project, with the plugin that pyproject.toml registers, whichever checkout is installed."""
    import mkdocs.plugins

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (name, value), *_ = project["entry-points"]["mkdocs.plugins"].items()
    real: Callable[[], dict[str, EntryPoint]] = mkdocs.plugins.get_plugins
    found = {**real(), name: EntryPoint(name, value, "mkdocs.plugins")}
    monkeypatch.setattr(mkdocs.plugins, "get_plugins", lambda: found)
    monkeypatch.chdir(tmp_path)
    log = Log()
    logging.getLogger("mkdocs").addHandler(log)
    yield Mkdocs(tmp_path, log)
    logging.getLogger("mkdocs").removeHandler(log)


@pytest.mark.slow
def test_mkdocs(mkdocs: Mkdocs) -> None:
    mkdocs.write("docs/index.md", f"# Networks\n\n```archlens lenet5\n```\n\n```archlens\n{HOSTILE}```\n")
    mkdocs.write(
        "docs/sub/other.md", "# Other\n```archlens ../my.yaml\n```\n\n```archlens /my.yaml theme=dark\n```\n"
    )
    mkdocs.build()
    page = mkdocs.page()
    check_page(page, 2)
    check_lenet5(page)
    assert page.row("<script>alert(1)</script>")[-2] == HOSTILE_PARAMS
    other = mkdocs.page("sub/other/index.html")
    check_page(other, 2)
    assert [row[0] for row in other.rows][:6] == ["layer", "c", "total"] * 2
    # the colours of dark pages are in one style sheet, which nobody finds who searches
    sheet = (mkdocs.folder / "site" / "assets" / "archlens.css").read_text("utf-8")
    used = set(re.findall(r"var\((--al-[0-9a-f-]+),", page.html + other.html))
    assert used
    assert all(f"{name}:#" in sheet for name in used)
    assert 'href="assets/archlens.css"' in page.html
    assert 'href="../../assets/archlens.css"' in other.html
    index = (mkdocs.folder / "site" / "search" / "search_index.json").read_text("utf-8")
    assert TOTAL in index
    assert "--al-" not in index


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("---\ntitle: A\n---\n\n# A\n\n```archlens lenet55\n```\n", 7, "error: there is no network lenet55"),
        (
            "---\ntitle: A\n---\n\n- a\n\n"
            "    ```archlens\n    input: 1x8x8\n\n    layers:\n    - conv(3, 13)\n    ```\n",
            11,
            "error: 0 (conv) does not fit: its 13x13 window is larger than its 8x8 input\n"
            "  --> docs/index.md:11:7\n   |\n11 |     - conv(3, 13)\n",
        ),
        ("# A\n\n```archlens my.yaml input=1x3x3\n```\n", 3, "error: c does not fit"),
        (
            "> a\n>\n> ```archlens\n> input: 1x8x8\n> layers:\n> - conv(3, 13)\n> ```\n",
            6,
            "error: 0 (conv) does not fit: its 13x13 window is larger than its 8x8 input\n"
            " --> docs/index.md:6:5\n  |\n6 |   - conv(3, 13)\n",
        ),
    ],
    ids=["name", "inline", "file", "quote"],
)
@pytest.mark.slow
def test_mkdocs_fails_with_the_place(mkdocs: Mkdocs, text: str, line: int, message: str) -> None:
    """Strictly the build fails; otherwise the page says what is wrong."""
    mkdocs.write("docs/index.md", text)
    with pytest.raises(Abort):
        mkdocs.build()
    (said,) = mkdocs.log.said
    assert said.removeprefix("archlens: ").startswith(f"docs/index.md:{line}: {message}")
    mkdocs.build(strict=False)
    page = mkdocs.page()
    assert message in page.text
    check_page(page, 0)


class Watching:
    """A server that only remembers what it is to watch."""

    def __init__(self) -> None:
        self.watched: list[str] = []

    def watch(self, path: str) -> None:
        self.watched.append(path)


@pytest.mark.slow
def test_mkdocs_serve_watches_the_specs(mkdocs: Mkdocs) -> None:
    """Those of the first build, and those that a later one reads for the first time; each once."""
    specs = mkdocs.folder / "specs"
    mkdocs.write("specs/one.yaml", MY)
    mkdocs.write("specs/two.yaml", MY)
    mkdocs.write(
        "docs/index.md", "# A\n\n```archlens ../specs/one.yaml\n```\n\n```archlens ../specs/one.yaml\n```\n"
    )
    config = mkdocs.build()
    server = Watching()
    config.plugins.on_serve(server, config=config, builder=mkdocs.build)
    assert server.watched == [str(specs / "one.yaml")]
    mkdocs.write("specs/one.yaml", MY.replace("conv(8, 5)", "conv(9, 5)"))
    mkdocs.write(
        "docs/index.md", "# A\n\n```archlens ../specs/one.yaml\n```\n\n```archlens ../specs/two.yaml\n```\n"
    )
    mkdocs_build(config)
    assert server.watched == [str(specs / "one.yaml"), str(specs / "two.yaml")]
    assert mkdocs.page().row("c")[4] == str(9 * (5 * 5 + 1))


def test_every_option_is_documented() -> None:
    text = (ROOT / "docs" / "in-documentation.md").read_text("utf-8")
    for option in OPTIONS:
        assert f"| `{option}` |" in text
