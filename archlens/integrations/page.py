"""A network within somebody else's page: what may be asked for, and its table and picture as HTML.

Notebooks (:meth:`Network._repr_html_`), Sphinx (:mod:`.sphinx`), Markdown (:mod:`.markdown`) and MkDocs
(:mod:`.mkdocs`) share it. Knows none of these tools.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..analysis.study import Study
from ..drawing import Request, style_names
from ..drawing.fit import fit_of
from ..drawing.inline import to_inline
from ..drawing.metrics import FONTS_BY_NAME, SANS
from ..drawing.request import HEATS, LABELS, unplaced
from ..drawing.theme import AUTO, OKABE_ITO, PALETTES, THEMES
from ..elaboration import elaborate
from ..elaboration.given import read_inputs, read_values
from ..errors import SpecError, Unplaced, UsageError, did_you_mean, shorten, usage
from ..explorer import within
from ..forms import html
from ..forms.table import Table
from ..library import find, open_spec, read
from ..library.finding import is_path, split, with_variant
from ..network import Network
from ..views import shapes_table
from ..views.columns import DEFAULT, choose
from ..views.rows import Row, readable, rows_of

#: The parts that a page can show, in the order in which it does unless it is asked for another.
PARTS = ("table", "diagram")

#: What else a page of HTML can show: the graph whose scopes open, by a script.
EXPLORER = "explorer"

#: How tall a table and a diagram in a notebook are before they scroll, and how many boxes it may have.
_TABLE, _DIAGRAM, _BOXES = "32em", "48em", 200


@dataclass(frozen=True)
class Place:
    """Where on which page something is asked for."""

    #: The page, as messages call it; empty where nobody knows.
    page: str = ""
    #: The line of the page above the spec that it holds, and the columns to the left of it.
    above: int = 0
    indent: int = 0
    #: The folder that paths start from, and the one that those start from which begin with a slash.
    folder: str = "."
    root: str = "."


@dataclass(frozen=True)
class Wanted:
    """A network that a page asks for, and how it is to be shown."""

    #: A network of the zoo, or a file, as on the command line; of an inline spec, which variant.
    name: str
    #: The inline spec; empty where a network is named.
    text: str = ""
    place: Place = Place()
    inputs: tuple[str, ...] = ()
    sets: tuple[str, ...] = ()
    show: tuple[str, ...] = PARTS
    columns: tuple[str, ...] = DEFAULT
    #: How many levels of scopes are opened; ``None`` for as many as are readable.
    depth: int | None = None
    #: Whether what repeats is listed once; ``None`` where the table would be long.
    fold: bool | None = None
    style: str = "graph"
    #: ``tb`` or ``lr``; ``None`` for what fits.
    direction: str | None = None
    theme: str = AUTO
    fit: str = ""
    font: str = SANS.name
    #: Figures of each box, by their names.
    labels: tuple[str, ...] = ()
    #: The figure that colours boxes; empty for families.
    heat: str = ""
    #: The layer whose field is drawn.
    layer: str = ""
    palette: str = OKABE_ITO

    @property
    def file(self) -> str | None:
        """The path of the file that holds the spec; ``None`` where it is no file of one's own."""
        path = self._path()
        return None if path is None else split(path)[0]

    def network(self) -> Network:
        """The network.

        Raises:
            ArchlensError: there is no such network, or its spec is wrong.
        """
        if self.text.strip():
            margin = " " * self.place.indent
            lines = "".join(margin + line for line in self.text.splitlines(keepends=True))
            # as many lines above as the page has, so that messages name the page's own
            whole = "\n" * self.place.above + lines
            spec = read(whole, path=self.place.page or None, folder=self.place.folder)
            if self.name and not spec.variants:
                help = "leave one of them out; a name above a spec is that of one of its variants"
                raise usage(f"{shorten(self.name)} is named, and a spec follows", help=help)
            spec, variant = with_variant(spec, self.name, self.place.page or "the spec")
        elif (path := self._path()) is not None:
            file, variant = split(path)
            spec, variant = with_variant(open_spec(file), variant, file)
        elif self.name:
            spec, variant = find(self.name)
        else:
            raise usage("no network is named, and no spec follows", help="as in archlens lenet5")
        given = read_inputs(self.inputs, "input")
        return elaborate(spec, variant, input=given, values=read_values(self.sets, "set"))

    def rows(self, network: Network) -> list[Row]:
        """The rows of its table."""
        if self.depth is None and self.fold is None:
            return readable(network)
        return rows_of(network, self.depth, bool(self.fold))

    def table(self, network: Network) -> Table:
        """Its table."""
        return shapes_table.table(network, self.rows(network), self.columns)

    def request(self, network: Network, theme: str = "") -> Request:
        """Its picture; the theme is the one that is asked for unless another is given."""
        return Request(
            network, self.style, self.depth, self.direction, theme=theme or self.theme, fit=self.fit,
            font=self.font, labels=self.labels, heat=self.heat, layer=self.layer, palette=self.palette,
        )  # fmt: skip

    def _path(self) -> str | None:
        """The name with its path from the current folder, where it is that of a file."""
        if self.text.strip() or not is_path(self.name):
            return None
        if self.name == "-":
            raise usage("a page cannot read a spec from the standard input", help="name a file")
        if self.name.startswith("/"):
            path = os.path.join(self.place.root, self.name.lstrip("/"))
        else:
            path = os.path.join(self.place.folder, self.name)
        return shown(path)


def shown(path: str) -> str:
    """A path as messages call it: relative where it lies below the current folder."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return os.path.abspath(path) if relative.startswith("..") else relative


def wanted(name: str, options: Mapping[str, str], *, text: str = "", place: Place = Place()) -> Wanted:
    """What the words of a directive or a fence mean; its options are named as those of the command line.

    Args:
        name: a network, or a file.
        options: texts by the names of :data:`OPTIONS`; several inputs or values are parted by semicolons or
            stand on lines of their own.
        text: an inline spec.
        place: where it stands.

    Raises:
        UsageError: there is no such option, or it has no such value.
    """
    read: dict[str, Any] = {}
    for option, value in options.items():
        if option not in OPTIONS:
            known = f"the options: {', '.join(OPTIONS)}"
            raise usage(
                f"there is no option {shorten(option)}", help=did_you_mean(option, OPTIONS, otherwise=known)
            )
        field, reader = OPTIONS[option]
        read[field] = reader(value.strip(), option)
    return Wanted(name.strip(), text, place, **read)


def to_html(asked: Wanted, network: Network, sheet: dict[str, str] | None = None) -> str:
    """Table and diagram of a network as asked for, as one ``<div>`` for a page.

    Args:
        asked: what is shown, and how.
        network: the network that is asked for.
        sheet: gathers the colours of dark pages, as :func:`archlens.drawing.inline.to_inline` does.

    Raises:
        UsageError: the diagram cannot be drawn: too much, or a package is missing.
    """
    parts = []
    for part in asked.show:
        if part == "table":
            parts.append(html.write(asked.table(network)))
        elif part == EXPLORER:
            parts.append(within(Study(network), asked=asked.name))
        else:
            picture = to_inline(asked.request(network), sheet)
            parts.append(f'<div style="margin: 1em 0">\n{picture}</div>')
    return _div(parts)


def to_notebook(network: Network, problem: SpecError | None = None) -> str:
    """A network as a notebook shows it: table and diagram, folded where they would be long, each in a box.

    Where the diagram cannot be drawn as a graph, its feature maps are; where not even these, a line says why.

    Args:
        network: what is shown.
        problem: what is wrong after its last layer, where the network is only what there is up to there.
    """
    table = html.write(
        shapes_table.table(network, readable(network), complete=problem is None), tallest=_TABLE
    )
    picture, reason = _diagram(network, unplaced(problem) if problem is not None else None)
    if picture:
        box = f'<div style="overflow: auto; max-height: {_DIAGRAM}">\n{picture}</div>'
        table += f"\n<details open><summary>Diagram</summary>\n{box}\n</details>"
    if reason:
        table += f"\n<p><small>No graph: {html.escape(reason)}</small></p>"
    return _div([table])


@dataclass(frozen=True)
class Touchable:
    """The graph of a network that a notebook shows as the value of a cell."""

    network: Network

    def _repr_html_(self) -> str:
        return _div([within(Study(self.network)) or self.network._repr_html_()])


def _diagram(network: Network, failed: Unplaced | None) -> tuple[str, str]:
    """The diagram of a notebook, if there can be one; and why it is no graph, if it is none."""
    reason = ""
    try:
        boxes = len(Request(network, failed=failed).plan.boxes)
        if boxes > _BOXES:
            help = "archlens diagram writes it to a file"
            raise usage(f"it would have {boxes} boxes, too many for a notebook", help=help)
        for style in ("graph", "volumes"):
            try:
                return to_inline(Request(network, style, theme=AUTO, failed=failed)), reason
            except UsageError as refused:
                reason = reason or _in_a_line(refused)
    except UsageError as refused:
        reason = _in_a_line(refused)
    return "", reason


def _in_a_line(refused: UsageError) -> str:
    found = refused.diagnostic
    return f"{found.message} ({found.help})" if found.help else found.message


def _div(parts: list[str]) -> str:
    return "\n".join(['<div class="archlens">', *parts, "</div>"])


# --- the options, as words of a page ---------------------------------------------------------------


def _several(value: str, option: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.replace(";", "\n").split("\n") if word.strip())


def _among(known: Callable[[], list[str]]) -> Callable[[str, str], str]:
    def read(value: str, option: str) -> str:
        if value not in known():
            otherwise = f"one of {', '.join(known())}"
            help = did_you_mean(value, known(), otherwise=otherwise)
            raise usage(f"there is no {option} {shorten(value) or 'without a name'}", help=help)
        return value

    return read


def _depth(value: str, option: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 9 and int(value) > 0):
        raise usage(
            f"{option} is {shorten(value) or 'empty'}", help="a whole number from 1: levels of scopes"
        )
    return int(value)


def _truth(value: str, option: str) -> bool:
    if value.lower() in ("", "yes", "true", "on", "1"):
        return True
    if value.lower() in ("no", "false", "off", "0"):
        return False
    raise usage(f"{option} is {shorten(value)}", help="yes or no; without a word it is yes")


def _parts(value: str, option: str) -> tuple[str, ...]:
    read = _among(lambda: [*PARTS, EXPLORER])
    found = dict.fromkeys(read(part.strip(), "part") for part in value.split(",") if part.strip())
    if not found:
        raise usage(f"{option} names nothing", help=f"as in {option}: {', '.join(PARTS)}")
    return tuple(found)


def _fit(value: str, option: str) -> str:
    fit_of(value)
    return value


def _labels(value: str, option: str) -> tuple[str, ...]:
    read = _among(lambda: [*LABELS])
    return tuple(read(word.strip(), "label") for word in value.split(",") if word.strip())


#: Each option of a page, with the field of :class:`Wanted` that it sets and what reads it.
OPTIONS: dict[str, tuple[str, Callable[[str, str], Any]]] = {
    "input": ("inputs", _several),
    "set": ("sets", _several),
    "show": ("show", _parts),
    "columns": ("columns", lambda value, option: choose(value)),
    "depth": ("depth", _depth),
    "fold": ("fold", _truth),
    "style": ("style", _among(style_names)),
    "direction": ("direction", _among(lambda: ["tb", "lr"])),
    "theme": ("theme", _among(lambda: [AUTO, *THEMES])),
    "fit": ("fit", _fit),
    "font": ("font", _among(lambda: [*FONTS_BY_NAME])),
    "labels": ("labels", _labels),
    "heat": ("heat", _among(lambda: [*HEATS])),
    "layer": ("layer", lambda value, option: value),
    "palette": ("palette", _among(lambda: [*PALETTES])),
}
