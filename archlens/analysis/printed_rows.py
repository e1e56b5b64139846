"""Tables of figures that somebody published, as CSV: the name of a network, its input and its figures.

Knows digits, units and columns, and nothing of what is computed; :mod:`.audit` compares.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import Source, Span, UsageError, did_you_mean, shorten, usage
from ..published import UNITS, number

#: What is read of one file.
MAX_BYTES = 10_000_000
MAX_ROWS = 20_000
MAX_COLUMNS = 500

#: The figures that can be compared, as messages call them.
QUANTITIES: Mapping[str, str] = {"params": "params", "macs": "MACs", "flops": "FLOPs"}

#: What a column holds, by what it is called; a unit before or after the name is taken off first.
_CALLED: Mapping[str, frozenset[str]] = {
    "name": frozenset({"name", "model", "model_name", "network", "architecture", "arch", "backbone"}),
    "input": frozenset(
        {
            "input",
            "input_size",
            "input_shape",
            "img_size",
            "infer_img_size",
            "image_size",
            "resolution",
            "res",
        }
    ),
    "params": frozenset(
        {"params", "param", "param_count", "parameters", "num_params", "num_parameters", "n_params"}
    ),
    "macs": frozenset({"macs", "mac", "infer_macs", "mult_adds", "multiply_adds", "madds", "madd"}),
    "flops": frozenset({"flops", "flop", "infer_flops"}),
}
#: The unit of numbers with a point, where a column has that name: timm's, which says it nowhere.
_USUAL = {"param_count": "M"}

#: What stands in a cell where there is no figure.
_NONE = frozenset({"", "-", "--", "–", "—", "n/a", "na", "nan", "none", "null", "?"})

_COMMENTS = re.compile(r"(?:# [^\n]*\n)+")
_IN_BRACKETS = re.compile(r"[(\[]\s*(?:#|in\s+)?([KkMGBT])[a-z]*\s*[)\]]\s*$")
_BEHIND = re.compile(r"[_/ ,]([KkMGBT])$")
_BEFORE = re.compile(r"(?:^|_)([kmgt])(?=(?:macs?|flops?|madds?|mult_adds|params|parameters)$)")


@dataclass(frozen=True, eq=False)
class PrintedRow:
    """A row: a network, the input that it is said to be run on, and what was printed of it."""

    name: str
    #: The sizes of the input that are printed: ``(224,)`` or ``(3, 224, 224)``; empty where there are none.
    input: tuple[int, ...]
    #: Each figure with its unit, by the keys of :data:`QUANTITIES`.
    figures: Mapping[str, str]
    span: Span


class _Column(NamedTuple):
    """Where a column stands, what it is called, and the unit of its numbers, which may be none."""

    place: int
    head: str
    unit: str


def read(
    text: str, name: str, columns: Sequence[str] = (), *, decimals: int | None = None
) -> list[PrintedRow]:
    r"""The rows of a table.

    Args:
        text: it, with a line of heads; commas, semicolons or tabs stand between the cells, and above it there
            may be lines of comment that start with ``# ``.
        name: of its file, for messages.
        columns: what columns hold whose heads do not say so: ``macs=infer_gmacs`` or, with the unit of its
            numbers, ``macs=compute:G``.
        decimals: how many decimals numbers were printed with, where whoever wrote the file has cut zeros off:
            with 2, ``54.3`` is ``54.30``.

    Raises:
        UsageError: it is no table, too large, has no column of names or none of figures, or a cell is none.

    >>> [row] = read("model,infer_img_size,infer_gmacs,param_count\nresnet50,224,4.11,25.56\n", "timm.csv")
    >>> row.name, row.input, row.figures
    ('resnet50', (224,), {'params': '25.56M', 'macs': '4.11G'})
    """
    source = Source(name, text)
    skipped = _COMMENTS.match(text)
    start = skipped.end() if skipped else 0
    lines = csv.reader(io.StringIO(text[start:], newline=""), delimiter=_delimiter(text[start:]), strict=True)
    rows = _rows(lines, source, text.count("\n", 0, start))
    head = next(rows, None)
    if head is None:
        raise usage(
            f"{shorten(name, 200)} is empty",
            help="a table has a header line, and one line for each network",
        )
    heads = [cell.strip() for cell in head[1]]
    found = _columns(heads, columns, _span(source, head[0]))
    body = [row for row in rows if any(cell.strip() for cell in row[1])]
    places = {role: _settled(column, body) for role, column in found.items()}
    return [_row(line, cells, len(heads), places, decimals, source) for line, cells in body]


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _rows(lines: Iterator[list[str]], source: Source, above: int) -> Iterator[tuple[int, list[str]]]:
    """Each row with the number of the line that it ends on, of which so many stand above the table."""
    for count in range(MAX_ROWS + 2):
        try:
            cells = next(lines, None)
        except csv.Error as problem:
            line = above + lines.line_num  # type: ignore[attr-defined]
            raise usage(f"this is not a row of a CSV file: {problem}", span=_span(source, line)) from None
        if cells is None:
            return
        line = above + lines.line_num  # type: ignore[attr-defined]
        if len(cells) > MAX_COLUMNS:
            raise usage(f"a row has {len(cells):,} cells, and no more than {MAX_COLUMNS} are read",
                        span=_span(source, line))  # fmt: skip
        if count <= MAX_ROWS:
            yield line, cells
    raise usage(f"the table has more than {MAX_ROWS:,} rows", span=_span(source, line))


def _columns(heads: list[str], given: Iterable[str], span: Span) -> dict[str, _Column]:
    """Where each quantity stands: as it is given, or as the heads say."""
    twice = [head for head, times in Counter(heads).items() if times > 1 and head]
    found: dict[str, _Column] = {}
    for text in given:
        role, equals, head = text.partition("=")
        if not equals or role not in _CALLED:
            raise usage(
                f"{shorten(text)} does not say what a column holds",
                help=f"as in macs=HEAD or macs=HEAD:G; columns hold {', '.join(_CALLED)}",
            )
        before, colon, unit = head.rpartition(":")
        if head not in heads and colon and unit in UNITS and unit:
            head = before
        else:
            unit = ""
        if head not in heads or head in twice:
            said = "two columns are" if head in twice else "no column is"
            raise usage(f"{said} called {shorten(head)}", span=span, help=did_you_mean(head, heads))
        found[role] = _Column(heads.index(head), head, unit or _unit(head)[1])
    for index, head in enumerate(heads):
        plain, unit = _unit(head)
        for role, names in _CALLED.items():
            if plain in names and role not in found:
                found[role] = _Column(index, head, unit)
    missing = "names" if "name" not in found else "" if set(found) & set(QUANTITIES) else "figures"
    if missing:
        role = "name" if missing == "names" else "macs"
        wanted = "" if role == "name" else ": params, MACs or FLOPs"
        raise usage(
            f"no column is known to hold {missing}{wanted}",
            span=span,
            notes=(f"the columns: {shorten(', '.join(heads), 300)}",),
            help=f"--column {role}=HEAD says which one does",
        )
    return found


def _unit(head: str) -> tuple[str, str]:
    """What a column is called in plain words, and the unit that its head says.

    >>> _unit("Params (M)"), _unit("infer_gmacs"), _unit("#params"), _unit("FLOPs_B")
    (('params', 'M'), ('infer_macs', 'G'), ('params', ''), ('flops', 'B'))
    """
    unit = ""
    for pattern in (_IN_BRACKETS, _BEHIND):
        if not unit and (found := pattern.search(head)):
            head, unit = head[: found.start()], found[1]
    plain = re.sub(r"[^a-z0-9]+", "_", head.lower()).strip("_")
    if not unit and (found := _BEFORE.search(plain)):
        plain, unit = plain[: found.start(1)] + plain[found.end(1) :], found[1].upper().replace("K", "k")
    return plain, unit


def _settled(column: _Column, body: list[tuple[int, list[str]]]) -> _Column:
    """A column with the unit that one of its name usually has, where its numbers are not whole."""
    usual = _USUAL.get(column.head.strip().lower(), "")
    if column.unit or not usual:
        return column
    cells = (cells[column.place] for _, cells in body if column.place < len(cells))
    return column._replace(unit=usual) if any("." in cell for cell in cells) else column


def _row(
    line: int,
    cells: list[str],
    width: int,
    places: Mapping[str, _Column],
    decimals: int | None,
    source: Source,
) -> PrintedRow:
    if len(cells) != width:
        raise usage(
            f"the table has {width} columns, and the row {len(cells)}",
            span=_span(source, line),
        )
    name = cells[places["name"].place].strip()
    if not name:
        raise usage("the row names no network", span=_span(source, line))
    figures = {}
    for quantity in QUANTITIES:
        if quantity in places and (cell := cells[places[quantity].place].strip()).lower() not in _NONE:
            figures[quantity] = _figure(cell, places[quantity], decimals, quantity, _span(source, line, cell))
    sizes: tuple[int, ...] = ()
    if "input" in places and (cell := cells[places["input"].place].strip()).lower() not in _NONE:
        sizes = _sizes(cell, _span(source, line, cell))
    return PrintedRow(name, sizes, figures, _span(source, line, name))


def _figure(cell: str, column: _Column, decimals: int | None, quantity: str, span: Span) -> str:
    """A number with its unit: its own, or that of its column."""
    bare = re.fullmatch(r"[0-9][0-9,_' ]*(?:\.([0-9]*))?", cell)
    if bare is None or not column.unit:
        if number(cell) is not None:
            return cell
        if bare is None or bare[1] is None:
            raise usage(f"{shorten(cell)} is not a number of {QUANTITIES[quantity]}", span=span)
        raise usage(
            f"{shorten(cell)} has a decimal point but no unit",
            span=span,
            help=(
                f"--column {quantity}={shorten(column.head)}:M means millions; the units are k, M, G "
                "or B, and T"
            ),
        )
    missing = (decimals or 0) - len(bare[1] or "")
    if missing > 0:
        cell += ("" if "." in cell else ".") + "0" * missing
    text = cell.removesuffix(".") + column.unit
    if number(text) is None:
        raise usage(f"{shorten(cell)} is not a number of {QUANTITIES[quantity]}", span=span)
    return text


def _sizes(cell: str, span: Span) -> tuple[int, ...]:
    """The sizes of an input: of ``224``, ``224x224``, ``3x224x224`` or ``(3, 224, 224)``."""
    words = re.split(r"\s*[xX×*,]\s*", cell.strip("()[] "))
    if not all(re.fullmatch("[0-9]{1,7}", word) and int(word) for word in words) or len(words) > 4:
        raise usage(
            f"{shorten(cell)} is not a size of an input", span=span, help="as in 224, 224x224 or 3x224x224"
        )
    return tuple(map(int, words))


def _span(source: Source, line: int, cell: str = "") -> Span:
    """The place of a cell in its line, or that of the line."""
    text = source.lines[line - 1] if 0 < line <= len(source.lines) else ""
    column = text.find(cell) if cell else 0
    return Span(source, max(line, 1), max(column, 0) + 1, max(len(cell or text.rstrip()), 1))


def too_large(name: str, size: int) -> UsageError:
    """What is said of a file that is not read."""
    return usage(f"{shorten(name, 200)} has {size:,} bytes, and no more than {MAX_BYTES:,} are read")
