"""The columns of the table forms. Adding one here adds it to every table, Markdown and CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..analysis.study import Study
from ..errors import did_you_mean, printable, usage
from ..forms import table
from ..forms.table import LEAST, Plain
from ..geometry import Field
from ..network import Layer, Network
from ..ops import NonUniform
from ..shape import times
from . import words
from .rows import Row

if TYPE_CHECKING:
    from ..analysis.receptive_field import ReceptiveFields, Seen

#: What is said beneath the table where a column is shown.
_Notes = Callable[[Sequence[Row], Study], list[str]]


class Column(NamedTuple):
    """One column: its head, and what it shows of a row as text and as a plain value."""

    head: table.Column
    text: Callable[[Row, Study], str]
    value: Callable[[Row, Study], Plain]
    #: The sum over all rows, for columns that have one.
    total: Callable[[Network], int] | None = None
    notes: _Notes | None = None


def _words(title: str, text: Callable[[Row], str], *, least: int = LEAST, spare: int = 0) -> Column:
    def cell(row: Row, _: Study) -> str:
        return text(row)

    return Column(table.Column(title, least=least, spare=spare), cell, cell)


#: The most words of a list that a cell shows; a plain value has all.
_LISTED = 50


def _list(title: str, words: Callable[[Row], Sequence[str]], *, spare: int) -> Column:
    """A column of lists."""

    def text(row: Row, _: Study) -> str:
        found = words(row)
        more = len(found) - _LISTED
        return ", ".join(found) if more <= 0 else f"{', '.join(found[:_LISTED])} and {more:,} more"

    head = table.Column(title, least=LEAST, spare=spare)
    return Column(head, text, lambda row, _: ", ".join(words(row)))


def _layer(row: Row) -> str:
    name = printable(row.name)
    return f"{name} x{row.repeats}" if row.repeats > 1 else name


def _count(title: str, value: Callable[[Row], int], total: Callable[[Network], int], *, spare: int) -> Column:
    head = table.Column(title, right=True, spare=spare)
    return Column(head, lambda row, _: f"{value(row):,}", lambda row, _: value(row), total)


def _work(title: str, of: Callable[[Layer], int]) -> Column:
    """A count of what runs: heads for training stand in brackets, and are not in the total."""

    def value(row: Row) -> int:
        return row.total(of)

    def text(row: Row, _: Study) -> str:
        count = value(row)
        return f"({count:,})" if row.training and count else f"{count:,}"

    def total(network: Network) -> int:
        return sum(of(layer) for layer in network.layers if not layer.training)

    return Column(table.Column(title, right=True), text, lambda row, _: value(row), total)


def _seen(
    title: str,
    text: Callable[[ReceptiveFields, str], str],
    notes: _Notes | None = None,
    *,
    spare: int,
    number: bool = True,
) -> Column:
    """A column of the receptive field: of a scope, that of its last layer; of several inputs, of each."""

    def cell(row: Row, study: Study) -> str:
        layer = row.layers[-1]
        if row.repeats > 1 or not layer.shape.spatial:
            return ""  # repeats see more and more; a flat vector has no positions
        return "; ".join(text(fields, layer.name) for fields in study.fields.values())

    return Column(table.Column(title, number, spare=spare), cell, cell, notes=notes)


def _each(field: Callable[[Field], object]) -> Callable[[ReceptiveFields, str], str]:
    """What is known of each axis: once where they agree."""

    def text(fields: ReceptiveFields, layer: str) -> str:
        seen = fields[layer]
        if not isinstance(seen, tuple):
            return ""
        found = [str(field(one)) for one in seen]
        return found[0] if len(set(found)) == 1 else ", ".join(found)

    return text


def _field(fields: ReceptiveFields, layer: str) -> str:
    return words.field(fields[layer])


def _clipped(fields: ReceptiveFields, layer: str) -> str:
    clipped = fields.is_clipped(layer)
    return "" if clipped is None else "yes" if clipped else "no"


def _activation(layer: Layer) -> int:
    from ..analysis.memory import output_bytes

    return output_bytes(layer)


def _said(sentence: str) -> _Notes:
    return lambda rows, study: [sentence]


def _about_fields(rows: Sequence[Row], study: Study) -> list[str]:
    """What the receptive fields mean, and where there is none or the branches do not align."""
    lines = ["Field: input positions from the first to the last one that an output sees, padding included."]
    shown = dict.fromkeys(row.layers[-1].name for row in rows)  # in order, as all that is written
    reasons: dict[str, None] = {}
    for fields in study.fields.values():
        for name in shown:
            seen: Seen = fields[name]
            if isinstance(seen, NonUniform):
                reasons[f"No single field: {seen.reason}."] = None
        for name in shown:
            if name in fields.limits:
                reasons.setdefault(_cut(fields, name))
        for name, how in fields.misaligned.items():
            reasons[f"Not aligned: {printable(name)}: {how}."] = None
    return [*lines, *list(reasons)[:5], *([f"And {len(reasons) - 5} more."] if len(reasons) > 5 else [])]


def _cut(fields: ReceptiveFields, layer: str) -> str:
    """What a crop or a slice has left, on the axes that it has cut."""
    left = " and ".join(words.left_by_cuts(fields, layer))
    return (
        f"Behind a crop only positions {left} are seen; fields include the positions that were cropped, "
        "as they include padding."
    )


def _inputs(row: Row) -> list[str]:
    """The shapes of what it reads; where repeats grow, of the first and of the last."""
    first, last = (layers[0].input_shapes for layers in (row.copies[0], row.copies[-1]))
    return [str(a) if a == b else f"{a} to {b}" for a, b in zip(first, last, strict=True)]


def _weights(layer: Layer) -> str:
    copies = layer.copies
    weights = (layer.facts if copies is None else copies.one(layer.facts)).weights
    said = ", ".join(f"{name} {times(size)}".lstrip() for name, size in weights.items())
    return said if copies is None or not said else f"{said}, {copies.experts:,} times"


#: Every column by the name that ``--columns`` takes.
COLUMNS: dict[str, Column] = {
    "layer": _words("layer", _layer, least=10),
    "op": _words("op", lambda row: printable(row.what), least=14, spare=5),
    "family": _words("family", lambda row: row.layers[0].op.family if row.single else "scope", spare=6),
    "from": _list("from", lambda row: [printable(name) for name in row.layers[0].inputs], spare=3),
    "input": _list("input", _inputs, spare=4),
    "arithmetic": _words(
        "arithmetic",
        lambda row: row.ends(lambda layers: layers[0].arithmetic) if row.single else "",
        least=30,
        spare=1,
    ),
    "output": _words("output", lambda row: row.ends(lambda layers: str(layers[-1].shape)), least=0, spare=11),
    "field": _seen("field", _field, _about_fields, spare=13),
    "stride": _seen("effective stride", _each(lambda field: field.stride), spare=10),
    "start": _seen(
        "start", _each(lambda field: field.start), _said("Start: the first that output 0 sees."), spare=8
    ),
    "centre": _seen("centre", _each(lambda field: field.centre), spare=7),
    "clipped": _seen(
        "clipped",
        _clipped,
        _said("Clipped: whether the centre output sees padding."),
        spare=9,
        number=False,
    ),
    "weights": _words(
        "weights",
        lambda row: row.ends(lambda layers: _weights(layers[0])) if row.single else "",
        least=16,
        spare=2,
    ),
    "params": _count("params", lambda row: row.params, lambda network: network.params, spare=12),
    "activation": _work("bytes (float32)", _activation),
    "other": _work("other operations", lambda layer: sum(layer.facts.other.values())),
    "macs": _work("MACs", lambda layer: layer.facts.macs),
}

#: Names that stand for several columns: what each analysis says of a layer.
SETS: dict[str, tuple[str, ...]] = {
    "receptive_field": ("layer", "op", "output", "field", "stride", "start", "centre", "clipped"),
    "cost": ("layer", "op", "output", "params", "macs", "other"),
    "memory": ("layer", "op", "output", "weights", "params", "activation"),
}

#: The columns of a table unless others are asked for.
DEFAULT = ("layer", "op", "arithmetic", "output", "params", "macs")


def choose(names: str) -> tuple[str, ...]:
    """The columns that a comma-separated list names.

    Raises:
        UsageError: one is not known.
    """
    chosen: dict[str, None] = {}
    for name in (name.strip().lower() for name in names.split(",") if name.strip()):
        if name not in COLUMNS and name not in SETS:
            raise usage(
                f"there is no column {printable(name)}",
                help=did_you_mean(
                    name, [*COLUMNS, *SETS], otherwise=f"the columns: {', '.join([*COLUMNS, *SETS])}"
                ),
            )
        chosen |= dict.fromkeys(SETS.get(name, (name,)))
    if not chosen:
        raise usage("no column is named", help=f"the columns: {', '.join([*COLUMNS, *SETS])}")
    return tuple(chosen)
