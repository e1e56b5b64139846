"""Networks side by side, as a table or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any, NamedTuple

from ..analysis.comparison import NOT_TRIED, Accuracy, Compared
from ..analysis.figures import Figure, Head, Unknown, Value, Where, repeats, shown
from ..counts import dumps
from ..errors import printable, shorten
from ..forms.table import LEAST, Cell, Column, Table, words_of
from ..grouping import grouped
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
    """One figure: the head of its column, and the cell of a network; ``Unknown`` where it is not known."""

    head: Column
    cell: Callable[[Compared, dict[str, str]], str | Unknown]


def _year(found: int | None) -> str | Unknown:
    return Unknown("no paper is cited") if found is None else str(found)


def _field(one: Compared, between: str, mark: str = "") -> str | Unknown:
    """The receptive field; of several inputs that on each."""
    found = one.receptive_field
    return found if isinstance(found, Unknown) else between.join(map(times, found)) + mark


def _percent(found: Accuracy | Unknown, marks: dict[str, str]) -> str | Unknown:
    return found if isinstance(found, Unknown) else found.digits + marks[found.series]


#: The figures that have another name here.
_NAMES = {"smallest": "min_size"}

#: The figures that are compared; the depth, by which people call a network, comes first.
_FIGURES = {
    "smallest" if name == "min_size" else name: figure
    for name, figure in sorted(shown(Where.COMPARISON).items(), key=lambda item: item[0] != "depth")
}


def _head(figure: Figure) -> Head:
    """The head of its column: its title and its sentence, where it has no other."""
    return figure.head or Head(
        figure.title, 1, f"{figure.title[:1].upper()}{figure.title[1:]}: {words.clause(figure.what)}"
    )


def _value(one: Compared, name: str) -> Value:
    return one.figures[_NAMES.get(name, name)]


def _figure(name: str, figure: Figure) -> _Column:
    def cell(one: Compared, _: dict[str, str]) -> str | Unknown:
        if name == "receptive_field":
            return _field(one, ", ", " *" if one.everywhere_from else "")
        value = _value(one, name)
        return value if isinstance(value, Unknown) else words.figure(figure.kind, value)

    title, spare, _ = _head(figure)
    return _Column(Column(title, right=True, spare=spare), cell)


#: Every column, in the order in which it is shown.
COLUMNS: dict[str, _Column] = {
    "name": _Column(Column("network", least=LEAST), lambda one, _: shorten(one.name, _NAME)),
    "year": _Column(Column("year", right=True, spare=2), lambda one, _: _year(one.year)),
    "input": _Column(Column("input", spare=3), lambda one, _: ", ".join(map(str, one.inputs.values()))),
    **{name: _figure(name, figure) for name, figure in _FIGURES.items()},
    "top1": _Column(Column("top-1", right=True, spare=8), lambda one, marks: _percent(one.top1, marks)),
    "top5": _Column(Column("top-5", right=True, spare=1), lambda one, marks: _percent(one.top5, marks)),
}

#: The figures whose sentences stand on one line.
_TOGETHER = (("depth", "params", "active_params", "macs", "total_macs"), ("receptive_field", "smallest"))
_ACCURACY = (
    "Top-1 and top-5 in %, as published, not measured here: those of torchvision's weights if the spec "
    "lists them, otherwise the first that it lists. `archlens claims NAME` shows all."
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
    hidden = Column("", shown=False)
    left_out = [name for name in _repeating(found) if name not in names]
    heads = {key: COLUMNS[key].head if key in names else hidden for key in _flat(found[0], left_out)}
    rows = [
        [
            Cell(_text(COLUMNS[key].cell(one, marks)) if key in names else "", value)
            for key, value in _flat(one, left_out).items()
        ]
        for one in found
    ]
    whole = Table(
        columns=[head._replace(key=key) for key, head in heads.items()],
        rows=rows,
        notes=list(conventions(found, names)),
        noted=lambda left: list(conventions(found, left)),
        json=lambda: to_json(found),
    )
    return replace(whole, narrow=[_turned(whole), whole])


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
    figures: dict[str, Any] = {
        "name": one.name,
        "title": one.title,
        "family": one.family,
        "year": one.year,
        "input": list(one.input) if single else shapes,
        **_figures(one, one.everywhere_from or None, _repeating([one])),
        "classes": one.classes,
        "top1": one.top1,
        "top5": one.top5,
    }
    reasons = {name: value.reason for name, value in figures.items() if isinstance(value, Unknown)}
    return {name: _plain(value) for name, value in figures.items()} | {"reasons": reasons}


def _repeating(found: Sequence[Compared]) -> list[str]:
    """The figures that say of each network what another one says."""
    return [name for name in _FIGURES if all(repeats(_NAMES.get(name, name), one.figures) for one in found)]


def _figures(one: Compared, everywhere_from: str | None, left_out: Sequence[str]) -> dict[str, Any]:
    """The figures by the names that JSON and CSV have for them; with where everything is seen from on."""
    found: dict[str, Any] = {}
    for name in _FIGURES:
        if name in left_out:
            continue
        found[name] = _value(one, name)
        if name == "receptive_field":
            found["everywhere_from"] = everywhere_from
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Unknown):
        return None
    if isinstance(value, Accuracy):
        return {"percent": value.percent, "source": value.source, "link": value.link or None}
    return list(value) if isinstance(value, tuple) else value


def _flat(one: Compared, left_out: Sequence[str]) -> dict[str, Any]:
    """The figures of a network, each in one cell, but for some."""
    accuracy = next((a for a in (one.top1, one.top5) if isinstance(a, Accuracy)), None)
    cells: dict[str, Any] = {
        "name": one.name,
        "title": one.title,
        "family": one.family,
        "year": one.year,
        "input": " ".join(map(str, one.inputs.values())),
        **{
            key: times(value) if isinstance(value, tuple) else value
            for key, value in _figures(one, one.everywhere_from, left_out).items()
        },
        "receptive_field": _field(one, " "),
        "classes": one.classes,
        "top1": one.top1.percent if isinstance(one.top1, Accuracy) else None,
        "top5": one.top5.percent if isinstance(one.top5, Accuracy) else None,
        "source": accuracy.source if accuracy else None,
    }
    return {name: None if isinstance(value, Unknown) else value for name, value in cells.items()}


# --- the table -------------------------------------------------------------------------------------


def _names(found: Sequence[Compared]) -> list[str]:
    """The figures that are shown: the smallest input where somebody asked for it."""
    left_out = _repeating(found)
    return [
        name
        for name in COLUMNS
        if name not in left_out
        and any(name not in _FIGURES or _value(one, name) is not NOT_TRIED for one in found)
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
    alone = [(name,) for name in _FIGURES if not any(name in together for together in _TOGETHER)]
    for together in (_TOGETHER[0], *alone, *_TOGETHER[1:]):
        if said := [_head(_FIGURES[name]).says for name in together if name in names]:
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
    layers = grouped((one.everywhere_from, one.name) for one in found if one.everywhere_from)
    if layers:
        said = "; ".join(f"{shorten(layer)} in {_listed(names)}" for layer, names in layers.items())
        yield f"* Every position sees the whole input from here on: {said}."


def _other_data(found: Sequence[Compared]) -> Iterator[str]:
    """Accuracies on something else than ImageNet."""
    others: dict[str, list[str]] = {}
    for one in found:
        if isinstance(one.top1, Accuracy) and not one.imagenet:
            classes = "no classes" if isinstance(one.classes, Unknown) else f"{one.classes:,} classes"
            others.setdefault(classes, []).append(one.name)
    for classes, names in others.items():
        yield f"Among {classes}, not among ImageNet's 1,000: {_listed(names)}."


def _reasons(found: Sequence[Compared], shown: Sequence[str]) -> Iterator[str]:
    """Why figures are not known, each reason once."""
    marks = _marks(found)
    networks = grouped(
        ((COLUMNS[name].head.title, cell.reason), one.name)
        for name in shown
        for one in found
        if isinstance(cell := COLUMNS[name].cell(one, marks), Unknown)
    )
    titles = grouped(((reason, tuple(names)), title) for (title, reason), names in networks.items())
    for (reason, names), said in titles.items():
        yield f"Unknown {' and '.join(said)} of {_listed(names)}: {printable(reason)}."


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(shorten(name, _NAME) for name in names[:_NAMED]) + more
