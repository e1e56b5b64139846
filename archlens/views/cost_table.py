"""The ledger of a network, and what another tool makes of it: as a table or JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from ..analysis import counting, decoding
from ..analysis.cost import ITEMS, Ledger, Sum
from ..analysis.unknown import Unknown
from ..counts import in_lines
from ..errors import printable
from ..forms.table import DETAIL, LEAST, Cell, Column, Content, Table, count
from ..network import Network
from . import words
from .json import input_of

SCHEMA = "archlens.cost/1"

#: A column for programs only.
_DATA = Column("", shown=False)


def table(ledger: Ledger, *, by: str = "layer", depth: int = 1, count_as: str | None = None) -> Table:
    """The ledger, or what another tool makes of it.

    Args:
        ledger: what is shown.
        by: a row for each ``"layer"``, ``"scope"`` or ``"op"``.
        depth: how many names deep a scope is.
        count_as: a convention of :mod:`archlens.analysis.counting`, or ``"all"`` to compare them.
    """
    json = partial(to_json, ledger, by=by, depth=depth, count_as=count_as)
    if count_as == "all":
        return replace(_comparison(ledger.network), json=json)
    rows = ledger.by(by, depth)
    return replace(
        _counted(ledger, count_as, rows, by) if count_as else _itemised(ledger, rows, by), json=json
    )


class _Shown(NamedTuple):
    """A column with its cells and what stands beneath them."""

    column: Column
    cells: Sequence[Content]
    total: str = ""


def _table(headline: str, columns: Sequence[_Shown], notes: Sequence[str]) -> Table:
    return Table(
        headline=headline,
        columns=[one.column for one in columns],
        rows=list(zip(*(one.cells for one in columns), strict=True)),
        totals=[one.total for one in columns],
        notes=notes,
    )


def to_json(ledger: Ledger, *, by: str = "layer", depth: int = 1, count_as: str | None = None) -> str:
    """The ledger as ``archlens.cost/1``, one row a line; arguments as for :func:`table`."""
    return in_lines(to_data(ledger, by=by, depth=depth, count_as=count_as))


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
            data["counted"] = {name: _share(c, row) for name, c in zip(chosen, counts, strict=True)}
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
        **_masked(network),
    }
    if counts:
        result["counted"] = [{"name": name} | _count_data(c) for name, c in zip(chosen, counts, strict=True)]
    return result


def _masked(network: Network) -> dict[str, Any]:
    """The MACs without what is masked, where something is; and those of a decoder."""
    computed = decoding.unmasked(network)
    found = decoding.find(network)
    data: dict[str, Any] = {"unmasked_macs": computed} if computed != network.macs else {}
    if isinstance(found, Unknown):
        return data | {"decoding": {"reason": found.reason}}
    if found is not None:
        data["decoding"] = {"length": found.length, "prefill_macs": found.prefill, "token_macs": found.token}
    return data


def _decoding(network: Network) -> Iterable[str]:
    """The same in sentences."""
    computed = decoding.unmasked(network)
    if computed != network.macs:
        yield (
            f"MACs include the masked products of attention; kernels that skip these compute {computed:,}."
        )
    found = decoding.find(network)
    if isinstance(found, Unknown):
        yield f"What one more token costs is not known: {found.reason}."
    elif found is not None:
        yield (
            f"This is the cost of {found.length:,} tokens at once; the last of them alone, with the keys "
            f"and values of the others cached, costs {found.token:,} MACs."
        )


def _row(row: Sum) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": row.name,
        "what": row.what,
        "layers": len(row.layers),
        "params": row.params,
        "macs": row.macs,
        "other": row.other(),
    }
    if any(layer.training for layer in row.layers):
        data["training"] = {"macs": row.training_macs, "other": row.other(training=True)}
    return data


def _share(count: counting.Count, row: Sum) -> dict[str, int]:
    """A row's share of what a tool counts; of the MACs only where it counts any."""
    names = [layer.name for layer in row.layers]
    shares = {"params": sum(count.weights[name].counted for name in names)}
    if count.work is not None:
        shares["macs"] = sum(count.work[name].counted for name in names)
    return shares


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


def _first(rows: Sequence[Sum], by: str) -> list[_Shown]:
    """What a row is, and of how many layers."""
    counts = [len(row.layers) for row in rows]
    op = by == "op"
    return [
        _Shown(Column(by, least=LEAST, key="name"), [row.name for row in rows], "total"),
        _Shown(Column("op", least=LEAST, spare=DETAIL, key="what", shown=not op), [row.what for row in rows]),
        _Shown(Column("layers", right=True, shown=op), list(map(count, counts)), str(sum(counts))),
    ]


def _itemised(ledger: Ledger, rows: Sequence[Sum], by: str) -> Table:
    """Every figure; and where that is wider than a terminal, fewer."""
    total = ledger.total.other()
    work = [(row.other(), row.other(training=True)) for row in rows]
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
    at_width = f"other is the sum of {', '.join(ledger.items)}: there is no room for a column each."
    first = [*_first(rows, by), _params(ledger, rows), _macs(ledger, rows)]
    narrow = [_table(headline, [*first, merged], (*below, at_width))] if len(items) > 1 else []
    return replace(_table(headline, [*first, *items, _training(rows)], below), narrow=narrow)


def _params(ledger: Ledger, rows: Sequence[Sum]) -> _Shown:
    return _numbers("params", [count(row.params) for row in rows], f"{ledger.total.params:,}")


def _macs(ledger: Ledger, rows: Sequence[Sum]) -> _Shown:
    macs = [_figure(row.macs, row.training_macs) for row in rows]
    return _numbers("MACs", macs, f"{ledger.total.macs:,}", key="macs")


def _training(rows: Sequence[Sum]) -> _Shown:
    return _Shown(_DATA._replace(key="training_macs"), [count(row.training_macs) for row in rows])


def _counted(ledger: Ledger, count_as: str, rows: Sequence[Sum], by: str) -> Table:
    """Beside the figures of archlens those of a tool, where it has others."""
    found = counting.count(ledger.network, count_as)
    shares = [_share(found, row) for row in rows]
    work = [(row.other(), row.other(training=True)) for row in rows]
    columns = [*_first(rows, by), _params(ledger, rows)]
    theirs = [count(share["params"]) for share in shares]
    if found.params != ledger.total.params:
        columns.append(_numbers(f"params, {count_as}", theirs, f"{found.params:,}", key=""))
    columns.append(_macs(ledger, rows))
    if found.total is not None:
        done = [count(share["macs"]) for share in shares]
        columns.append(_numbers(f"MACs, {count_as}", done, f"{found.total:,}", key=""))
    columns += [
        _Shown(_DATA._replace(key=item), [count(each.get(item, 0)) for each, _ in work])
        for item in ledger.items
    ]
    columns += [_training(rows), _Shown(_DATA._replace(key="counted_params"), theirs)]
    if found.total is not None:
        columns.append(_Shown(_DATA._replace(key="counted_macs"), done))
    figures = [f"{words.rounded(found.params)} parameters"]
    if found.total is not None:
        figures.append(f"{words.rounded(found.total)} MACs")
    if found.printed is not None and found.printed != found.total:
        figures.append(f"though it prints {words.rounded(found.printed)}")
    title = f"{printable(ledger.network.title)}: {words.inputs(ledger.network)}"
    headline = f"{title}, as {found.convention.tool} counts: {', '.join(figures)}"
    return _table(headline, columns, tuple(_explained(found, ledger)))


def _explained(count: counting.Count, ledger: Ledger) -> Iterable[str]:
    """What the tool counts and leaves out, and where it prints something else."""
    convention = count.convention
    yield f"With {words.inputs(ledger.network)}, for one sample, at inference."
    if any(layer.training for layer in ledger.network):
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
        yield f"Not reproduced: {note.why} ({printable(layers)}): {', '.join(wrong)}."
    if count.work is not None:
        yield "Counted: the module that archlens.build makes of the network, on a CPU."
    if count.printed != count.total:
        yield f"The tool therefore prints {count.printed:,} MACs for it."
    if count.printed_params != count.params:
        yield f"The tool therefore prints {count.printed_params:,} parameters for it."
    if count.own is not None:
        yield (
            f"For torchvision's own module it prints {count.own.macs:,} MACs and {count.own.params:,} "
            f"parameters (measured with {counting.TORCHVISION})."
        )


def _comparison(network: Network) -> Table:
    """All conventions, one a row."""
    names = counting.names()
    counts = [counting.count(network, name) for name in names]
    own = network.macs
    columns = [
        _Shown(Column("as", least=LEAST, key="name"), names),
        _Shown(Column("tool", least=LEAST, spare=DETAIL), [one.convention.tool for one in counts]),
        _numbers("params", [count(one.params) for one in counts]),
        _numbers("MACs", [_optional(one.total) for one in counts], key="macs"),
        _numbers(
            "vs archlens",
            ["" if one.total is None else f"{one.total - own:+,}" for one in counts],
            key="",
        ),
        _Shown(_DATA._replace(key="printed_params"), [_optional(one.printed_params) for one in counts]),
        _Shown(_DATA._replace(key="printed_macs"), [_optional(one.printed) for one in counts]),
    ]
    below = [
        f"With {words.inputs(network)}, for one sample, at inference.",
        "All tools count the same module, built by archlens.build, on a CPU; they differ in what else they "
        "include. --count-as with the name of one explains it.",
    ]
    if any(one.own for one in counts):
        theirs = ["" if one.own is None else f"{one.own.macs:,}" for one in counts]
        columns.append(_numbers("torchvision's own", theirs, key=""))
        below.append(
            "torchvision's own: the MACs that the tool prints for torchvision's own module, which uses "
            f"other classes and functions (measured with {counting.TORCHVISION})."
        )
    for name, one in zip(names, counts, strict=True):
        if (one.printed, one.printed_params) != (one.total, one.params):
            found = [f"{one.printed:,} MACs"] if one.printed != one.total else []
            if one.printed_params != one.params:
                found.append(f"{one.printed_params:,} parameters")
            below.append(f"{name} prints {' and '.join(found)}, and is wrong there.")
    return _table(words.headline(network), columns, below)


def _conventions(ledger: Ledger) -> tuple[str, ...]:
    """What the numbers mean, and the formula of each item that is shown."""
    network = ledger.network
    lines = [
        f"With {words.inputs(network)}, for one sample. Params are trainable.",
        "One MAC is one multiply-accumulate of a convolution or a matrix product; FLOPs = 2 x MACs.",
    ]
    lines += _decoding(network)
    if any(layer.training for layer in ledger.network):
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
        f"Figures in brackets belong to heads that run only in training ({ledger.total.training_macs:,} "
        "MACs); the totals exclude them, but include their params."
    )


def _numbers(title: str, cells: Sequence[Content], total: str = "", key: str | None = None) -> _Shown:
    return _Shown(Column(title, right=True, key=key), cells, total)


def _optional(number: int | None) -> Cell:
    return Cell("none", None) if number is None else count(number)


def _figure(done: int, training: int) -> Cell:
    """A count of an inference, and in brackets that of heads for training."""
    text = f"{done:,}"
    if training:
        text = f"{done:,} ({training:,})" if done else f"({training:,})"
    return Cell(text, done)
