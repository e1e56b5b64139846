"""The ledger of a network, and what another tool makes of it: as a table, Markdown, JSON or CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from ..analysis import counting
from ..analysis.cost import ITEMS, Ledger, Sum
from ..counts import dumps
from ..errors import Style, printable, unstyled
from ..network import Network
from ..wrapping import wrapped
from . import grid, words
from .csv import lines as csv_lines
from .json import input_of
from .markdown import escape

SCHEMA = "archlens.cost/1"

#: The titles of the first two columns, by what a row stands for.
_NAMES = {"layer": ("layer", "op"), "scope": ("scope", "op"), "op": ("op", "layers")}


class Column(NamedTuple):
    """One column of a table: a cell for each row, and one beneath them."""

    title: str
    cells: tuple[str, ...]
    total: str
    number: bool
    #: As that of :class:`grid.Column`.
    spare: int = 0


class Page(NamedTuple):
    """What a form shows: a headline, columns, and sentences beneath."""

    headline: str
    columns: tuple[Column, ...]
    below: tuple[str, ...]


def to_table(
    ledger: Ledger,
    *,
    by: str = "layer",
    depth: int = 1,
    count_as: str | None = None,
    width: int | None = None,
    style: Style = unstyled,
) -> str:
    """The ledger as aligned text.

    Args:
        ledger: what is shown.
        by: a row for each ``"layer"``, ``"scope"`` or ``"op"``.
        depth: how many names deep a scope is.
        count_as: a convention of :mod:`archlens.analysis.counting`, or ``"all"`` to compare them.
        width: the columns of the terminal; ``None`` does not wrap.
        style: how head and totals are dressed.
    """
    for page in _pages(ledger, by, depth, count_as):
        rows = list(zip(*(column.cells for column in page.columns), strict=True))
        totals = [column.total for column in page.columns]
        titled = [
            grid.Column(column.title, column.number, 0 if column.number else grid.LEAST, column.spare)
            for column in page.columns
        ]
        layout = grid.fit(titled, [*rows, totals], width, style)
        if layout.whole:
            break
    lines = layout.table(rows, totals if any(totals) else ())
    below = words.below([*page.below, *layout.left_out], width)
    return "\n".join([*wrapped(page.headline, width), "", *lines, "", *below])


def to_markdown(ledger: Ledger, *, by: str = "layer", depth: int = 1, count_as: str | None = None) -> str:
    """The ledger as a Markdown table; arguments as for :func:`to_table`."""
    page = of(ledger, by=by, depth=depth, count_as=count_as)
    totals = [f"**{column.total}**" if column.total else "" for column in page.columns]
    rows = [list(map(escape, row)) for row in zip(*(column.cells for column in page.columns), strict=True)]
    if any(totals):
        rows.append(totals)
    table = "\n".join(grid.pipes([c.title for c in page.columns], rows, [c.number for c in page.columns]))
    return f"**{escape(page.headline)}**\n\n{table}\n\n" + "  \n".join(map(escape, page.below))


def of(ledger: Ledger, *, by: str = "layer", depth: int = 1, count_as: str | None = None) -> Page:
    """What the forms of text show, at full width; arguments as for :func:`to_table`."""
    return _pages(ledger, by, depth, count_as)[0]


def to_csv(ledger: Ledger, *, by: str = "layer", depth: int = 1, count_as: str | None = None) -> str:
    """Plain numbers, a line per row and no totals; work that runs in training only has its own columns."""
    rows: list[Sequence[object]] = []
    if count_as == "all":
        keys = ("name", "tool", "params", "macs", "printed_params", "printed_macs")
        rows.append(keys)
        for name in counting.names():
            data = {"name": name} | _count_data(counting.count(ledger.network, name))
            rows.append(["" if data[key] is None else data[key] for key in keys])
        return csv_lines(rows)
    count = counting.count(ledger.network, count_as) if count_as else None
    head = ["name", "what", "layers", "params", "macs", *ledger.items, "training_macs"]
    rows.append(head + (_counted_titles(count) if count else []))
    for row in ledger.by(by, depth):
        other = row.other()
        cells: list[object] = [row.name, row.what, len(row.entries), row.params, row.macs]
        cells += [*(other.get(item, 0) for item in ledger.items), row.training_macs]
        rows.append(cells + (list(_counted(count, row).values()) if count else []))
    return csv_lines(rows)


def to_json(ledger: Ledger, *, by: str = "layer", depth: int = 1, count_as: str | None = None) -> str:
    """The ledger as ``archlens.cost/1``, one row a line."""
    data = to_data(ledger, by=by, depth=depth, count_as=count_as)
    lines = []
    for key, value in data.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            body = ",\n".join(f"    {dumps(row)}" for row in value)
            lines.append(f"  {dumps(key)}: [\n{body}\n  ]")
        else:
            lines.append(f"  {dumps(key)}: {dumps(value)}")
    return "{\n" + ",\n".join(lines) + "\n}"


def to_data(
    ledger: Ledger, *, by: str = "layer", depth: int = 1, count_as: str | None = None
) -> dict[str, Any]:
    """The same as plain lists and dicts.

    ``macs`` and ``other`` of a row are those of an inference; what heads do in training only stands under
    ``training``. ``params`` holds those of the heads too.
    """
    network = ledger.network
    chosen = [] if not count_as else counting.names() if count_as == "all" else [count_as]
    counts = [counting.count(network, name) for name in chosen]
    rows = []
    for row in ledger.by(by, depth):
        data = _row(row)
        if counts:
            data["counted"] = {name: _counted(c, row) for name, c in zip(chosen, counts, strict=True)}
        rows.append(data)
    result: dict[str, Any] = {
        "schema": SCHEMA,
        "name": network.name,
        "title": network.title,
        "input": input_of(network),
        "by": by,
        "items": {item: ITEMS[item]._asdict() for item in ledger.items if item in ITEMS},
        "rows": rows,
        "totals": {key: value for key, value in _row(ledger.total).items() if key not in ("name", "what")},
    }
    if counts:
        result["counted"] = [{"name": name} | _count_data(c) for name, c in zip(chosen, counts, strict=True)]
    return result


def _row(row: Sum) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": row.name,
        "what": row.what,
        "layers": len(row.entries),
        "params": row.params,
        "macs": row.macs,
        "other": row.other(),
    }
    if any(entry.training for entry in row.entries):
        data["training"] = {"macs": row.training_macs, "other": row.other(training=True)}
    return data


def _counted(count: counting.Count, row: Sum) -> dict[str, int]:
    """A row's share of what a tool counts; of the MACs only where it counts any."""
    names = [entry.layer.name for entry in row.entries]
    shares = {"params": sum(count.weights[name].counted for name in names)}
    if count.work is not None:
        shares["macs"] = sum(count.work[name].counted for name in names)
    return shares


def _counted_titles(count: counting.Count) -> list[str]:
    return ["counted_params"] + (["counted_macs"] if count.work is not None else [])


def _count_data(count: counting.Count) -> dict[str, Any]:
    convention = count.convention
    return {
        "tool": convention.tool,
        "counts": convention.counts,
        "leaves_out": convention.leaves_out,
        "source": convention.source,
        "params": count.params,
        "macs": count.total,
        "printed_params": count.printed_params,
        "printed_macs": count.printed,
        "notes": [note._asdict() for note in count.notes],
        "own_module": count.own and {"source": counting.TORCHVISION, **count.own._asdict()},
    }


def _pages(ledger: Ledger, by: str, depth: int, count_as: str | None) -> list[Page]:
    """The page, and one with fewer figures for a narrow terminal where there is one."""
    if count_as == "all":
        return _comparison(ledger.network)
    rows = ledger.by(by, depth)
    name = Column(_NAMES[by][0], tuple(printable(row.name) for row in rows), "total", False)
    if by == "op":
        counts = [len(row.entries) for row in rows]
        what = _numbers("layers", list(map(str, counts)), str(sum(counts)))
    else:
        what = Column(_NAMES[by][1], tuple(printable(row.what) for row in rows), "", False, spare=grid.DETAIL)
    params = _numbers("params", [f"{row.params:,}" for row in rows], f"{ledger.total.params:,}")
    macs = _numbers("MACs", [_figure(row.macs, row.training_macs) for row in rows], f"{ledger.total.macs:,}")
    if count_as:
        return _counted_pages(ledger, count_as, rows, [name, what, params, macs])
    work = [(row.other(), row.other(training=True)) for row in rows]
    total = ledger.total.other()
    items = [
        _numbers(
            item,
            [_figure(done.get(item, 0), training.get(item, 0)) for done, training in work],
            f"{total.get(item, 0):,}",
        )
        for item in ledger.items
    ]
    merged = _numbers(
        "other",
        [_figure(sum(done.values()), sum(training.values())) for done, training in work],
        f"{sum(total.values()):,}",
    )
    headline = f"{words.headline(ledger.network)}, {words.rounded(sum(total.values()))} other operations"
    below = _conventions(ledger)
    at_width = f"other adds up {', '.join(ledger.items)}, for want of width."
    pages = [Page(headline, (name, what, params, macs, *items), below)]
    if len(items) > 1:
        pages.append(Page(headline, (name, what, params, macs, merged), (*below, at_width)))
    return pages


def _counted_pages(ledger: Ledger, count_as: str, rows: Sequence[Sum], columns: list[Column]) -> list[Page]:
    count = counting.count(ledger.network, count_as)
    shares = [_counted(count, row) for row in rows]
    if count.params != ledger.total.params:
        theirs = [f"{share['params']:,}" for share in shares]
        columns.insert(3, _numbers(f"params, {count_as}", theirs, f"{count.params:,}"))
    if count.total is not None:
        done = [f"{share['macs']:,}" for share in shares]
        columns.append(_numbers(f"MACs, {count_as}", done, f"{count.total:,}"))
    figures = [f"{words.rounded(count.params)} parameters"]
    if count.total is not None:
        figures.append(f"{words.rounded(count.total)} MACs")
    if count.printed is not None and count.printed != count.total:
        figures.append(f"though it prints {words.rounded(count.printed)}")
    title = f"{printable(ledger.network.title)}: {words.inputs(ledger.network)}"
    headline = f"{title}, as {count.convention.tool} counts: {', '.join(figures)}"
    return [Page(headline, tuple(columns), tuple(_explained(count, ledger)))]


def _explained(count: counting.Count, ledger: Ledger) -> Iterable[str]:
    """What the tool counts and leaves out, and where it prints something else."""
    convention = count.convention
    yield f"With {words.inputs(ledger.network)}, for one sample, at inference."
    if any(entry.training for entry in ledger.entries):
        yield _brackets(ledger)
    yield f"Counts: {convention.counts}"
    if convention.leaves_out:
        yield f"Leaves out: {convention.leaves_out}"
    yield f"Read in: {convention.source}."
    for note in count.notes:
        layers = f"{note.layers} layers, from {printable(note.first)} on" if note.layers > 1 else note.first
        wrong = [
            f"{abs(figure):,} {what} {'more' if figure > 0 else 'less'}"
            for figure, what in ((note.macs, "MACs"), (note.params, "parameters"))
            if figure
        ]
        yield f"Not imitated: {note.why} ({printable(layers)}): {', '.join(wrong)}."
    if count.work is not None:
        yield "Counted: the module that archlens.build makes of the network, on a CPU."
    if count.printed != count.total:
        yield f"So the tool prints {count.printed:,} MACs of it."
    if count.printed_params != count.params:
        yield f"So the tool prints {count.printed_params:,} parameters of it."
    if count.own is not None:
        yield (
            f"Of torchvision's own module it prints {count.own.macs:,} MACs and {count.own.params:,} "
            f"parameters (measured with {counting.TORCHVISION})."
        )


def _comparison(network: Network) -> list[Page]:
    """All conventions, one a row."""
    names = counting.names()
    counts = [counting.count(network, name) for name in names]
    own = network.macs
    columns = [
        Column("as", tuple(names), "", False),
        Column("tool", tuple(count.convention.tool for count in counts), "", False, spare=grid.DETAIL),
        _numbers("params", [f"{count.params:,}" for count in counts], ""),
        _numbers("MACs", [_optional(count.total) for count in counts], ""),
        _numbers(
            "beside archlens",
            ["" if count.total is None else f"{count.total - own:+,}" for count in counts],
            "",
        ),
    ]
    below = [
        f"With {words.inputs(network)}, for one sample, at inference.",
        "All count one network, the module that archlens.build makes of it, on a CPU; they differ in what "
        "they mix in. --count-as with a name says what.",
    ]
    if any(count.own for count in counts):
        theirs = ["" if count.own is None else f"{count.own.macs:,}" for count in counts]
        columns.append(_numbers("torchvision's own", theirs, ""))
        below.append(
            "torchvision's own: the MACs that the tool prints of torchvision's own module, whose classes and "
            f"functions are others (measured with {counting.TORCHVISION})."
        )
    for name, count in zip(names, counts, strict=True):
        if (count.printed, count.printed_params) != (count.total, count.params):
            found = [f"{count.printed:,} MACs"] if count.printed != count.total else []
            if count.printed_params != count.params:
                found.append(f"{count.printed_params:,} parameters")
            below.append(f"{name} prints {' and '.join(found)}, and is wrong there.")
    return [Page(words.headline(network), tuple(columns), tuple(below))]


def _conventions(ledger: Ledger) -> tuple[str, ...]:
    """What the numbers mean, and the formula of each item that is shown."""
    network = ledger.network
    lines = [
        f"With {words.inputs(network)}, for one sample. Params are trainable.",
        "One MAC is one multiply-accumulate of a convolution or a matrix product; FLOPs = 2 x MACs.",
    ]
    if any(entry.training for entry in ledger.entries):
        lines.append(_brackets(ledger))
    if ledger.items:
        lines.append(
            "All other work is in operations, which are no part of the MACs: one addition, multiplication, "
            "division, comparison or function value each."
        )
    for item in ledger.items:
        if item in ITEMS:
            lines.append(f"{item}: {ITEMS[item].formula}. [{ITEMS[item].source}]")
    return tuple(lines)


def _brackets(ledger: Ledger) -> str:
    return (
        "Figures in brackets belong to heads that run in training only "
        f"({ledger.total.training_macs:,} MACs); the totals are without them, but with their params."
    )


def _numbers(title: str, cells: Sequence[str], total: str) -> Column:
    return Column(title, tuple(cells), total, True)


def _optional(number: int | None) -> str:
    return "none" if number is None else f"{number:,}"


def _figure(done: int, training: int) -> str:
    """A count of an inference, and in brackets that of heads for training."""
    if not training:
        return f"{done:,}"
    return f"{done:,} ({training:,})" if done else f"({training:,})"


#: The forms by the name that ``--format`` takes, but for the table, which fits a width.
FORMS: dict[str, Callable[..., str]] = {"markdown": to_markdown, "csv": to_csv, "json": to_json}
