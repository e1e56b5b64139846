"""What a file says stays text in every form: parsed back, no tag, link, cell or formula is in it."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown import markdown as python_markdown
from markdown_it import MarkdownIt

import archlens
from archlens.errors import printable, printable_lines
from archlens.views import html as html_view
from archlens.views import markdown as markdown_view
from archlens.views.csv import lines, to_csv
from archlens.views.rows import rows_of

HOSTILE = st.text(
    st.sampled_from([*"<>&\"'`*_[]()#|~\\!=+-@:/.;xa1 ", "\x1b", "\x07", "\u202e", "\u2066"]), max_size=40
) | st.sampled_from(
    ["<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "&lt;b&gt;", "=1+1", "@SUM(A1)", "[a](b:c)"]
)

MANY = settings(max_examples=300, derandomize=True, database=None, deadline=None)


class Tags(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@MANY
@given(HOSTILE)
def test_markdown_has_no_tag_or_link(text: str) -> None:
    """In what GitHub reads, and in what MkDocs reads, which takes no backslash before a bracket."""
    said = f"a {markdown_view.escape_words(text)} b"
    commonmark = Tags(MarkdownIt("commonmark").render(said))
    assert commonmark.tags == ["p"]
    assert " ".join(commonmark.text.split()) == " ".join(f"a {printable(text)} b".split())
    assert Tags(python_markdown(said)).tags == ["p"]


@MANY
@given(HOSTILE)
def test_html_has_no_tag(text: str) -> None:
    page = Tags(f"<p>{html_view.escape(text)}</p>")
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
        assert not cell.startswith(("=", "@"))
        if cell.startswith(("+", "-")):
            float(cell)


@pytest.mark.parametrize("name", ["=1+1", "@cmd", "+a", "-a"])
def test_names_are_no_formulas(name: str) -> None:
    network = archlens.loads(f"input: 3x8x8\nlayers: [{json.dumps({name: 'relu'})}]\n")
    assert to_csv(network, rows_of(network)).split("\n")[1].startswith(f"'{name},")
