"""A Sphinx extension: ``.. archlens:: NAME`` puts table and diagram of a network into a page.

``extensions = ["archlens.sphinx"]`` in ``conf.py``. The options are those of the command line
(:data:`archlens.embedding.OPTIONS`); a spec may stand in the body in place of a name. The table is a table of
docutils, so that every builder writes it; the picture is drawn for each builder as it can show it. A mistake
is an error of Sphinx at the line of the page that it stands on.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from . import __file__ as _package
from . import __version__
from .drawing import Request, to_bytes
from .drawing.inline import AUTO, to_inline
from .embedding import OPTIONS, Place, Wanted, shown, wanted
from .errors import ArchlensError
from .network import Network
from .views.cells import Cells

#: The kinds of pictures that builders may take, the best one first, with their extensions.
_KINDS = {"image/svg+xml": "svg", "application/pdf": "pdf", "image/png": "png"}
#: The height that is left beneath a heading on a page of LaTeX, which would cut what is taller, in points.
_TALLEST = 440
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
            return [self._problem(problem)]
        named = next(made[0].findall(nodes.table), made[0])
        assert isinstance(named, nodes.Element)
        self.add_name(named)
        return made

    def _part(self, part: str, asked: Wanted, network: Network) -> nodes.Element:
        if part == "table":
            return _table(asked.cells(network))
        node = Diagram(asked=asked)
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

    def _problem(self, problem: ArchlensError) -> nodes.Node:
        """An error of Sphinx: where an inline spec is wrong, or else on the line of the directive."""
        page, line = self.get_source_info()
        span = problem.diagnostic.span
        if span is not None and self.content and span.source.name == shown(page):
            line = span.line
        message, _, rest = str(problem).partition("\n")
        more = [nodes.literal_block("", rest)] if rest else []
        return self.state.document.reporter.error(f"archlens: {message}", *more, source=page, line=line)


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


def _table(cells: Cells) -> nodes.Element:
    """A table, with its headline as title and the conventions beneath."""
    table = nodes.table("", nodes.title("", cells.headline), classes=["archlens", "colwidths-auto"])
    columns = list(zip(cells.head, *cells.rows, strict=True))
    group = nodes.tgroup("", cols=len(columns))
    group += [nodes.colspec("", colwidth=max(map(len, column))) for column in columns]
    group += nodes.thead("", _row(cells.head, cells.numbers))
    body = [*cells.rows, cells.totals] if cells.totals else cells.rows
    group += nodes.tbody("", *(_row(row, cells.numbers) for row in body))
    table += group
    lines = nodes.line_block("", *(nodes.line("", line) for line in cells.below))
    # quotation marks in it are code, which Sphinx is not to make typographic
    boxed = nodes.container("", table, classes=["archlens-table"])
    return nodes.container("", boxed, lines, support_smartquotes=False)


def _row(cells: list[str], numbers: list[bool]) -> nodes.row:
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
            node.replace_self(nodes.literal_block("", str(problem)))


def _drawn(app: Sphinx, docname: str, node: Diagram) -> nodes.Node:
    """The diagram itself: within a page that may turn dark, or as a file."""
    asked: Wanted = node["asked"]
    network = asked.network()
    if app.builder.name in _PAGES and asked.theme == AUTO:
        html = f'<div class="archlens-diagram">\n{to_inline(asked.request(network))}</div>'
        return nodes.raw("", html, format="html")
    request = asked.request(network, "light" if asked.theme == AUTO else asked.theme)
    picture = request.picture
    image = nodes.image("", alt=f"{picture.title}: {picture.description}", classes=["archlens-diagram"])
    image.source, image.line = node.source, node.line
    kind = next((kind for kind in _KINDS if kind in app.builder.supported_image_types), None)
    path = _written(app, request, _KINDS[kind]) if kind is not None else ""
    if app.builder.format == "latex" and picture.height > _TALLEST:
        image["height"] = f"{_TALLEST}pt"
    image["uri"], image["candidates"] = path, {kind or "*": path}
    if path:
        app.env.images.add_file(docname, path)
    return nodes.paragraph("", "", image)


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
