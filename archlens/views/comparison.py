"""Networks side by side, as a table or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, count
from typing import Any, NamedTuple

from ..analysis.comparison import NOT_TRIED, Accuracy, Compared
from ..analysis.unknown import Unknown
from ..counts import dumps
from ..errors import printable, shorten
from ..forms.table import LEAST, Cell, Column, Table, words_of
from ..shape import times
from . import words

SCHEMA = "archlens.compare/1"

#: What stands in the place of a figure that is not known; beneath the table it is said why.
UNKNOWN = "unknown"

#: The most characters of a name that a table shows, and the most networks that a sentence names.
_NAME, _NAMED = 40, 24

#: The letters that tell sources apart, as many as an alphabet has and then two at a time.
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class _Column(NamedTuple):
    """One figure: its title, and the cell of a network; ``Unknown`` where it is not known."""

    title: str
    cell: Callable[[Compared, dict[str, str]], str | Unknown]
    right: bool = True
    #: Which is left out first where a terminal is narrow, that of the least number; 0 never is.
    spare: int = 0


def _year(found: int | None) -> str | Unknown:
    return Unknown("no paper is cited") if found is None else str(found)


def _sizes(found: tuple[int, ...] | Unknown) -> str | Unknown:
    return found if isinstance(found, Unknown) else times(found)


def _field(one: Compared, between: str, mark: str = "") -> str | Unknown:
    """The receptive field; of several inputs that on each."""
    found = one.receptive_field
    return found if isinstance(found, Unknown) else between.join(map(times, found)) + mark


def _percent(found: Accuracy | Unknown, marks: dict[str, str]) -> str | Unknown:
    return found if isinstance(found, Unknown) else found.digits + marks[found.series]


#: Every figure, in the order in which it is shown.
COLUMNS: dict[str, _Column] = {
    "name": _Column("network", lambda one, _: shorten(one.name, _NAME), right=False),
    "year": _Column("year", lambda one, _: _year(one.year), spare=2),
    "input": _Column("input", lambda one, _: ", ".join(map(str, one.inputs.values())), right=False, spare=3),
    "depth": _Column("depth", lambda one, _: str(one.depth), spare=7),
    "params": _Column("params", lambda one, _: words.rounded(one.params)),
    "macs": _Column("MACs", lambda one, _: words.rounded(one.macs)),
    "activations_peak": _Column("activations", lambda one, _: words.size(one.peak), spare=6),
    "receptive_field": _Column(
        "field", lambda one, _: _field(one, ", ", " *" if one.everywhere_from else ""), spare=5
    ),
    "smallest": _Column("smallest", lambda one, _: _sizes(one.smallest), spare=4),
    "top1": _Column("top-1", lambda one, marks: _percent(one.top1, marks), spare=8),
    "top5": _Column("top-5", lambda one, marks: _percent(one.top5, marks), spare=1),
}

#: What they mean, and how they are counted.
_MEANT = {
    "depth": "Depth: convolutions and matrix products with weights, the most on one way.",
    "params": "Params are trainable.",
    "macs": "One MAC is one multiply-accumulate of a convolution or a matrix product; FLOPs = 2 x MACs.",
    "activations_peak": "Activations: the live set, the most bytes alive at once in an inference of one "
    "sample in float32, each op writing into memory of its own; MB = 10^6 bytes.",
    "receptive_field": "Field: input positions that an output of the last layer with a field sees.",
    "smallest": "Smallest: the smallest input, found by trying.",
}
_ACCURACY = (
    "Top-1 and top-5 in %, as published and not measured here: of torchvision's weights where the spec has "
    "them, else what it lists first. `archlens claims NAME` shows all."
)


def table(found: Sequence[Compared], names: Sequence[str] = ()) -> Table:
    """A network a line, and what the figures mean; in a terminal a figure a line, where only that fits.

    Args:
        found: what is compared, in this order.
        names: which of :data:`COLUMNS` are shown; unless they are given, all, but the smallest input only
            where somebody asked for it.
    """
    names = names or _names(found)
    marks = _marks(found)
    columns = [_column(key, shown=key in names) for key in _flat(found[0])]
    rows = [
        [
            Cell(_text(COLUMNS[key].cell(one, marks)) if key in names else "", value)
            for key, value in _flat(one).items()
        ]
        for one in found
    ]
    whole = Table(
        columns=columns,
        rows=rows,
        notes=list(conventions(found, names)),
        noted=lambda left: list(conventions(found, left)),
        json=lambda: to_json(found),
    )
    return replace(whole, narrow=[_turned(whole), whole])


def _column(key: str, *, shown: bool) -> Column:
    if not shown:
        return Column("", key=key, shown=False)
    title, _, right, spare = COLUMNS[key]
    return Column(title, right, LEAST if key == "name" else 0, spare, key=key)


def _turned(table: Table) -> Table:
    """A figure a line."""
    seen = table.seen
    rows = [list(map(words_of, row)) for row in seen.cells]
    first, *lines = [[column.title, *cells] for column, *cells in zip(seen.columns, *rows, strict=True)]
    columns = [Column(title, right=number > 0) for number, title in enumerate(first)]
    return replace(table, columns=columns, rows=lines)


def to_json(found: Sequence[Compared]) -> str:
    """``archlens.compare/1``: every figure; one that is not known is null, with its reason."""
    return dumps({"schema": SCHEMA, "networks": [to_data(one) for one in found]}, indent=1)


def to_data(one: Compared) -> dict[str, Any]:
    """One network of the same, as plain lists and dicts."""
    single = list(one.inputs) == ["input"]
    shapes = {name: list(shape) for name, shape in one.inputs.items()}
    fields = one.receptive_field
    figures: dict[str, Any] = {
        "name": one.name,
        "title": one.title,
        "family": one.family,
        "year": one.year,
        "input": list(one.input) if single else shapes,
        "depth": one.depth,
        "params": one.params,
        "macs": one.macs,
        "activations_peak": one.peak,
        "receptive_field": fields if isinstance(fields, Unknown) else tuple(chain.from_iterable(fields)),
        "everywhere_from": one.everywhere_from or None,
        "smallest": one.smallest,
        "classes": one.classes,
        "top1": one.top1,
        "top5": one.top5,
    }
    reasons = {name: value.reason for name, value in figures.items() if isinstance(value, Unknown)}
    return {name: _plain(value) for name, value in figures.items()} | {"reasons": reasons}


def _plain(value: Any) -> Any:
    if isinstance(value, Unknown):
        return None
    if isinstance(value, Accuracy):
        return {"percent": value.percent, "source": value.source, "link": value.link or None}
    return list(value) if isinstance(value, tuple) else value


def _flat(one: Compared) -> dict[str, Any]:
    """The figures of a network, each in one cell."""
    accuracy = next((a for a in (one.top1, one.top5) if isinstance(a, Accuracy)), None)
    cells: dict[str, Any] = {
        "name": one.name,
        "title": one.title,
        "family": one.family,
        "year": one.year,
        "input": " ".join(map(str, one.inputs.values())),
        "depth": one.depth,
        "params": one.params,
        "macs": one.macs,
        "activations_peak": one.peak,
        "receptive_field": _field(one, " "),
        "everywhere_from": one.everywhere_from,
        "smallest": _sizes(one.smallest),
        "classes": one.classes,
        "top1": one.top1.percent if isinstance(one.top1, Accuracy) else None,
        "top5": one.top5.percent if isinstance(one.top5, Accuracy) else None,
        "source": accuracy.source if accuracy else None,
    }
    return {name: None if isinstance(value, Unknown) else value for name, value in cells.items()}


# --- the table -------------------------------------------------------------------------------------


def _names(found: Sequence[Compared]) -> list[str]:
    """The figures that are shown: the smallest input where somebody asked for it."""
    return [
        name for name in COLUMNS if name != "smallest" or any(one.smallest is not NOT_TRIED for one in found)
    ]


def _text(cell: str | Unknown) -> str:
    return UNKNOWN if isinstance(cell, Unknown) else cell


def _series(found: Sequence[Compared]) -> dict[str, list[str]]:
    """Where the accuracies are from, in the order of the networks, each with the networks it is of."""
    series: dict[str, list[str]] = {}
    for one in found:
        for accuracy in (one.top1, one.top5):
            if isinstance(accuracy, Accuracy):
                names = series.setdefault(accuracy.series, [])
                names += [one.name] if one.name not in names else []
    return series


def _marks(found: Sequence[Compared]) -> dict[str, str]:
    """What stands behind an accuracy to tell its source; nothing where all are from one."""
    series = _series(found)
    if len(series) < 2:
        return dict.fromkeys(series, "")
    return {source: f" {_letter(number)}" for source, number in zip(series, count(), strict=False)}


def _letter(number: int) -> str:
    size = len(_LETTERS)
    return _letter(number // size - 1) + _LETTERS[number % size] if number >= size else _LETTERS[number]


# --- what stands beneath ---------------------------------------------------------------------------


def conventions(found: Sequence[Compared], names: Sequence[str]) -> Iterator[str]:
    """What the figures of some columns mean, where the accuracies are from, and why some are not known."""
    for together in (("depth", "params", "macs"), ("activations_peak",), ("receptive_field", "smallest")):
        if said := [_MEANT[name] for name in together if name in names]:
            yield " ".join(said)
    if "receptive_field" in names:
        yield from _wide(found)
    if "top1" in names or "top5" in names:
        series, marks = _series(found), _marks(found)
        if series:
            yield _ACCURACY
        for source in series:
            yield f"{marks[source].strip() or 'Source'}: {printable(source)}"
        yield from _other_data(found)
    yield from _reasons(found, names)


def _wide(found: Sequence[Compared]) -> Iterator[str]:
    layers: dict[str, list[str]] = {}
    for one in found:
        if one.everywhere_from:
            layers.setdefault(one.everywhere_from, []).append(one.name)
    if layers:
        said = "; ".join(f"{shorten(layer)} in {_listed(names)}" for layer, names in layers.items())
        yield f"* Later every position sees the whole input: from {said}."


def _other_data(found: Sequence[Compared]) -> Iterator[str]:
    """Accuracies on something else than ImageNet."""
    others: dict[str, list[str]] = {}
    for one in found:
        if isinstance(one.top1, Accuracy) and not one.imagenet:
            classes = "no classes" if isinstance(one.classes, Unknown) else f"{one.classes:,} classes"
            others.setdefault(classes, []).append(one.name)
    for classes, names in others.items():
        yield f"Among {classes}, and not among ImageNet's 1,000: {_listed(names)}."


def _reasons(found: Sequence[Compared], shown: Sequence[str]) -> Iterator[str]:
    """Why figures are not known, each reason once."""
    marks = _marks(found)
    reasons: dict[tuple[str, str], list[str]] = {}  # by title and reason, the networks
    for name in shown:
        for one in found:
            cell = COLUMNS[name].cell(one, marks)
            if isinstance(cell, Unknown):
                reasons.setdefault((COLUMNS[name].title, cell.reason), []).append(one.name)
    titles: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (title, reason), names in reasons.items():
        titles.setdefault((reason, tuple(names)), []).append(title)
    for (reason, networks), said in titles.items():
        yield f"Unknown {' and '.join(said)} of {_listed(networks)}: {printable(reason)}."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(shorten(name, _NAME) for name in names[:_NAMED]) + more
