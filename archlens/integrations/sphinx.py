"""A Sphinx extension: ``.. archlens:: NAME`` puts table and diagram of a network into a page.

``extensions = ["archlens.integrations.sphinx"]`` in ``conf.py``. The options are those of the command line
(:data:`.page.OPTIONS`); a spec may stand in the body in place of a name. The table is a table of
docutils, so that every builder writes it; the picture is drawn for each builder as it can show it. A mistake
is an error of Sphinx at the line of the page that it stands on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.addnodes import tabular_col_spec
from sphinx.application import Sphinx
from sphinx.util import logging, texescape
from sphinx.util.docutils import SphinxDirective

from .. import __file__ as _package
from .. import __version__
from ..analysis.study import Study
from ..drawing import Request, to_bytes
from ..drawing.inline import to_inline
from ..drawing.metrics import width
from ..drawing.theme import AUTO
from ..errors import ArchlensError, shorten
from ..explorer import within
from ..forms.table import Table, words_of
from ..network import Network
from .page import EXPLORER, OPTIONS, Place, Wanted, shown, wanted

#: The kinds of pictures that builders may take, the best one first, with their extensions.
_KINDS = {"image/svg+xml": "svg", "application/pdf": "pdf", "image/png": "png"}
#: The height that is left beneath a heading on a page of LaTeX, which would cut what is taller, in points.
_TALLEST = 440
#: The width of a line on such a page, in points.
_LINE = 450
#: The sizes of text in a table there, the largest first; and how narrow the columns of words are made before
#: the next one is taken, in em.
_SIZES = {
    "normalsize": (1.0, 14),
    "small": (0.9, 13),
    "footnotesize": (0.8, 11),
    "scriptsize": (0.7, 8),
    "tiny": (0.5, 6),
}
#: Half of what is between two columns, and how wide a column is whose cells are one line each, in em.
_BETWEEN, _SHORT = 0.4, 6.0
#: What is never broken, however wide it is: a number, a shape.
_WHOLE = re.compile(r"[\dx,.%+-]*")
#: The builders whose pages hold a picture that is to turn dark with them; others get a file.
_PAGES = ("html", "dirhtml", "singlehtml")

_log = logging.getLogger(__name__)


class Diagram(nodes.General, nodes.Element):
    """Where a diagram is to be, until it is known which builder writes it."""


class Archlens(SphinxDirective):
    """``.. archlens:: NAME``, with options and, where no network is named, a spec."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {**dict.fromkeys(OPTIONS, lambda text: text or ""), "name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """The table and a place for the diagram; or, where something is wrong, what it is."""
        self.env.note_dependency(_package)  # another release may know better
        options = {name: text for name, text in self.options.items() if name != "name"}
        try:
            asked = wanted(
                self.arguments[0] if self.arguments else "",
                options,
                text="".join(f"{line}\n" for line in self.content),
                place=self._place(),
            )
            if asked.file is not None:
                self.env.note_dependency(str(Path(asked.file).resolve()))
            network = asked.network()
            made: list[nodes.Node] = [self._part(part, asked, network) for part in asked.show]
        except ArchlensError as problem:
            self._report(problem)
            return [_said(problem)]
        named = next(made[0].findall(nodes.table), made[0])
        assert isinstance(named, nodes.Element)
        self.add_name(named)
        return made

    def _part(self, part: str, asked: Wanted, network: Network) -> nodes.Element:
        if part == "table":
            return _table(asked.table(network))
        node = Diagram(asked=asked, part=part)
        self.set_source_info(node)
        return node

    def _place(self) -> Place:
        page, line = self.get_source_info()
        above, indent = _before(self.content, page, line)
        return Place(
            page=shown(page),
            above=above,
            indent=indent,
            folder=str(Path(self.env.doc2path(self.env.docname)).parent),
            root=str(self.env.srcdir),
        )

    def _report(self, problem: ArchlensError) -> None:
        """Say an error of Sphinx: where an inline spec is wrong, or else on the line of the directive."""
        page, line = self.get_source_info()
        span = problem.diagnostic.span
        if span is not None and self.content and span.source.name == shown(page):
            line = span.line
        message, _, rest = str(problem).partition("\n")
        more = [nodes.literal_block("", rest)] if rest else []
        # its node is not for the page: Sphinx takes such nodes away again
        self.state.document.reporter.error(f"archlens: {message}", *more, source=page, line=line)


def _said(problem: ArchlensError) -> nodes.Node:
    """What stands on the page where something is wrong: the diagnostic, in a box."""
    text = str(problem)
    block = nodes.literal_block(text, text, language="none")
    return nodes.error("", block, classes=["archlens-error"])


def _before(content: StringList, page: str, line: int) -> tuple[int, int]:
    """How many lines of a page stand above a directive's body, and how many columns to the left of it.

    The body is looked for in the page below the directive, which is on ``line``: reStructuredText and MyST
    count in different ways, and what is nested has lost its indentation.
    """
    start = next((i for i, text in enumerate(content) if text.strip()), 0)
    body = [text.split() for text in content[start:]]
    try:
        lines = Path(page).read_text("utf-8-sig").splitlines()
    except (OSError, ValueError):
        lines = []
    for number in range(line, len(lines) - len(body) + 1):
        # all of it: a page may hold several specs that start alike, and in a table the page has bars, too
        if body and [text.split() for text in lines[number : number + len(body)]] == body:
            return number - start, max(len(lines[number].rstrip()) - len(content[start].rstrip()), 0)
    counted = content.offset(start) if content else None  # from 0; MyST counts from the body
    return max(line, (counted or 0) - start), 0


def _table(shown: Table) -> nodes.Element:
    """A table, with its headline as title and the conventions beneath."""
    table = nodes.table("", nodes.title("", shown.headline), classes=["archlens", "colwidths-auto"])
    head = [column.title for column in shown.columns]
    rows = [list(map(words_of, row)) for row in shown.cells]
    numbers = [column.right for column in shown.columns]
    group = nodes.tgroup("", cols=len(head))
    group += [nodes.colspec("", colwidth=max(map(len, column))) for column in zip(head, *rows, strict=True)]
    group += nodes.thead("", _row(head, numbers))
    body = [*rows, shown.totals] if shown.totals else rows
    group += nodes.tbody("", *(_row(row, numbers) for row in body))
    table += group
    lines = nodes.line_block("", *(nodes.line("", line) for line in shown.notes))
    # quotation marks in it are code, which Sphinx is not to make typographic
    boxed = nodes.container("", table, classes=["archlens-table"])
    return nodes.container("", boxed, lines, support_smartquotes=False)


def _row(cells: Sequence[str], numbers: list[bool]) -> nodes.row:
    """A row; archlens.css aligns its numbers to the right, since themes have no class in common that does."""
    return nodes.row(
        "",
        *(
            nodes.entry("", nodes.paragraph("", cell), classes=["archlens-number"] if number else [])
            for cell, number in zip(cells, numbers, strict=True)
        ),
    )


def _draw(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Replace every place for a diagram by the diagram, as the builder can show it."""
    for node in list(doctree.findall(Diagram)):
        try:
            node.replace_self(_drawn(app, docname, node))
        except ArchlensError as problem:
            _log.warning("archlens: %s", problem, location=node)
            node.replace_self(_said(problem))
    if app.builder.format == "latex":
        for table in list(doctree.findall(nodes.table)):
            if "archlens" in table["classes"]:
                _fit(app, table)


def _drawn(app: Sphinx, docname: str, node: Diagram) -> nodes.Node:
    """The diagram itself: within a page that may turn dark, or as a file."""
    asked: Wanted = node["asked"]
    network = asked.network()
    if app.builder.name in _PAGES and node["part"] == EXPLORER:
        return nodes.raw("", within(Study(network), asked=asked.name), format="html")
    if app.builder.name in _PAGES and asked.theme == AUTO:
        html = f'<div class="archlens-diagram">\n{to_inline(asked.request(network))}</div>'
        return nodes.raw("", html, format="html")
    request = asked.request(network, "light" if asked.theme == AUTO else asked.theme)
    picture = request.picture
    alt = f"{shorten(network.title, 200)}: {picture.description}"
    image = nodes.image("", alt=alt, classes=["archlens-diagram"])
    image.source, image.line = node.source, node.line
    kind = next((kind for kind in _KINDS if kind in app.builder.supported_image_types), None)
    path = _written(app, request, _KINDS[kind]) if kind is not None else ""
    if app.builder.format == "latex" and picture.height > _TALLEST:
        image["height"] = f"{_TALLEST}pt"
    image["uri"], image["candidates"] = path, {kind or "*": path}
    if path:
        app.env.images.add_file(docname, path)
    return nodes.paragraph("", "", image)


def _fit(app: Sphinx, table: nodes.table) -> None:
    """Give the columns of a table on a page of LaTeX their widths, and its text a size at which they fit.

    Left to itself Sphinx gives all columns about the same width, and paints over what does not fit; and a
    table of up to 30 rows stays on one page, however high it is.
    """
    columns = list(zip(*(row.findall(nodes.entry) for row in table.findall(nodes.row)), strict=True))
    points = re.match(r"\d+", str(app.config.latex_elements.get("pointsize", "10pt")))
    line = _LINE / int(points[0] if points else 10)
    wanted, wraps = [], []
    for head, *body in columns:
        texts = [entry.astext() for entry in body]
        wide = max(width(text, 1.0) for text in texts)
        wraps.append(wide > _SHORT and not all(map(_WHOLE.fullmatch, texts)))
        words = [width(word, 1.0, bold=True) for word in head.astext().split()]
        wanted.append(max(wide, *words))
    wrapped = [wide for wide, breaks in zip(wanted, wraps, strict=True) if breaks]
    size, left, narrow = "", 0.0, 0
    for size, (factor, narrow) in _SIZES.items():  # noqa: B007
        left = line / factor - 2 * _BETWEEN * len(columns) - sum(wanted) + sum(wrapped)
        if left >= sum(min(wide, narrow) for wide in wrapped):
            break
    else:
        _log.warning("archlens: the table is wider than a page; name fewer columns", location=table)
    shares = _shared(wrapped, left, narrow)
    spec = tabular_col_spec(spec="")
    for column, wide, breaks in zip(columns, wanted, wraps, strict=True):
        number = "archlens-number" in column[0]["classes"]
        spec["spec"] += "r" if number else "l"
        room = shares.pop(0) if breaks else wide
        for entry in column if breaks else column[:1]:
            text = _box(entry.astext(), room, number, app.config.latex_engine)
            entry[0].clear()
            entry[0] += nodes.raw("", text, format="latex")
    # cells of Sphinx are no wider than their part of a line, which is nothing to these
    before = (
        rf"\begingroup\{size}\setlength{{\tabcolsep}}{{{_BETWEEN}em}}\def\sphinxcolwidth#1#2{{\linewidth}}"
    )
    table["classes"].append("longtable")
    at = table.parent.index(table)
    table.parent.insert(at + 1, nodes.raw("", r"\endgroup", format="latex"))
    table.parent.insert(at, [nodes.raw("", before, format="latex"), spec])


def _shared(wanted: list[float], room: float, least: float) -> list[float]:
    """As much for each as it wants, or an equal part of what those leave that want less; some at least."""
    given = dict.fromkeys(range(len(wanted)), 0.0)
    for count, i in enumerate(sorted(given, key=lambda i: wanted[i])):
        part = max(room / (len(wanted) - count), least)
        given[i] = min(wanted[i], part)
        room -= given[i]
    return list(given.values())


def _box(text: str, wide: float, right: bool, engine: str) -> str:
    """A text for LaTeX in lines of a width, which end behind a sign, or in a word that has no room alone."""
    out = ""
    for part in re.findall(r"[^\W_]+|.", text, re.DOTALL):
        if width(part, 1.0, bold=True) > wide:
            out += r"\allowbreak{}".join(texescape.escape(c, engine) for c in part)
        else:
            out += texescape.escape(part, engine)
        if not part.isalnum() and not part.isspace():
            out += r"\allowbreak{}"
    # no hyphens, which would be read as part of a name
    side = "left" if right else "right"
    return rf"\parbox[t]{{{wide:.2f}em}}{{\ragged{side}\hyphenpenalty10000\exhyphenpenalty10000 {out}\strut}}"


def _written(app: Sphinx, request: Request, extension: str) -> str:
    """The path of a picture's file, which is named by what it shows: the same on every machine."""
    content = to_bytes(request, extension)
    folder = Path(app.doctreedir) / "archlens"
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", request.network.name)[:60]
    path = folder / f"{name}-{request.style}-{sha256(content).hexdigest()[:10]}.{extension}"
    path.write_bytes(content)
    return str(path)


def _with_static_files(app: Sphinx) -> None:
    app.config.html_static_path.append(str(Path(__file__).parent / "static"))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive and its style sheet."""
    app.connect("builder-inited", _with_static_files)
    app.add_css_file("archlens.css")
    app.add_node(Diagram)
    app.add_directive("archlens", Archlens)
    app.connect("doctree-resolved", _draw)
    # a page's directives share nothing; pictures are drawn before pages are handed to other processes
    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}
