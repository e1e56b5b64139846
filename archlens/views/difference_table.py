"""What changed between two networks, as a table or JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ..analysis.difference import ADDED, AFFECTED, ALTERED, REMOVED, SAME, Difference, Pair
from ..analysis.figures import FIGURES, Unknown, Value, Where, repeats, shown
from ..analysis.structure import fingerprint
from ..analysis.study import Study
from ..counts import AtLeast, dumps
from ..errors import printable
from ..forms.table import LEAST, Annotation, Case, Cell, Column, Content, Table, in_words
from ..shape import times
from .check_table import amount, signed

SCHEMA = "archlens.diff/1"

#: How many lines of each kind a table lists; the rest is added up in one.
_MOST = 40

#: How many lines are not folded away.
_OPEN = 12

#: A difference is a part of somebody's page: a comment on a change.
_LEVEL = 3

_TOTALS = (
    Column("total", least=LEAST),
    *(Column(title, right=True) for title in ("before", "after", "change")),
)
_CHANGES = (
    Column("change", roles={ADDED: "good", REMOVED: "bad", ALTERED: "notable"}),
    Column("layer", least=LEAST),
    Column("what", least=LEAST),
    Column("params", right=True),
    Column("MACs", right=True, key="macs"),
)
_NOTES = (
    "Altered: another op, other attributes or other inputs.",
    "Affected: the same op on other shapes, because of what comes before it.",
)


class ChangeRow(NamedTuple):
    """A line of the list of changes."""

    kind: str
    name: str
    what: str
    pairs: tuple[Pair, ...]

    @property
    def params(self) -> int:
        """By how much the parameters grew."""
        return sum(pair.params for pair in self.pairs)

    @property
    def macs(self) -> int:
        """By how much the multiply-accumulates grew."""
        return sum(pair.macs for pair in self.pairs)


class Total(NamedTuple):
    """A quantity of both networks."""

    name: str
    old: Value
    new: Value


class Shown(NamedTuple):
    """A difference: its table, whether there is none, and what JSON has of it, where that is asked for."""

    table: Table
    identical: bool
    data: Callable[[], dict[str, Any]]


def totals(old: Study, new: Study) -> list[Total]:
    """Every figure before and after."""
    before, after = (
        {name: figure.measure(one, "") for name, figure in shown(Where.DIFFERENCE).items()}
        for one in (old, new)
    )
    return [
        Total(name, before[name], after[name])
        for name in before
        if not (repeats(name, before) and repeats(name, after))
    ]


def table(found: Difference, compared: Sequence[Total], *, names: tuple[str, str]) -> Table:
    """Totals before and after, then what changed, line by line."""
    changes = [_cells(line) for line in _listed(found)]
    many = f"{len(changes)} lines of changes" if len(changes) > _OPEN else ""
    beside = [*found.boundary, *_renamed(found)]
    return Table(
        headline=names[0],
        then=names[1],
        columns=_TOTALS,
        rows=list(map(_total, compared)),
        more=[Table(_CHANGES, changes, folded=many)] if changes else [],
        remarks=[beside] if beside else [],
        summary=[_summary(found)],
        notes=_notes(found),
        level=_LEVEL,
    )


def all_of(
    pairs: Sequence[Shown],
    added: Sequence[str],
    removed: Sequence[str],
    *,
    names: tuple[str, str],
    identical: bool,
) -> Table:
    """The difference of two networks; or those of two families, with what only one of them has.

    Args:
        pairs: the differences.
        added: the networks that only the second has.
        removed: those that only the first has.
        names: what the two are called.
        identical: whether there is no difference at all.
    """
    said = [f"{name} is new" for name in added] + [f"{name} is gone" for name in removed]
    alone = [Table(headline=one, level=_LEVEL, terminal=[Table(notes=[f"{one}."])]) for one in said]

    def data() -> dict[str, Any]:
        if len(pairs) == 1 and not said:
            return pairs[0].data()
        return {
            "schema": SCHEMA,
            "old": names[0],
            "new": names[1],
            "identical": identical,
            "networks": [pair.data() for pair in pairs],
            "added": added,
            "removed": removed,
        }

    return Table(
        more=[*(pair.table for pair in pairs), *alone],
        json=lambda: dumps(data(), indent=2),
        suites=[
            (" -> ".join(names), [*map(_case, pairs), *(Case(one, "failure", one) for one in said)]),
        ],
        annotations=[
            Annotation("notice", in_words(one.summary), None, f"{one.headline} -> {one.then}")
            for one in (pair.table for pair in pairs if not pair.identical)
        ]
        + [Annotation("notice", one, None, " -> ".join(names)) for one in said],
    )


def _case(pair: Shown) -> Case:
    found = pair.table
    name, said = f"{found.headline} -> {found.then}", in_words(found.summary)
    return Case(name) if pair.identical else Case(name, "failure", said)


def _notes(found: Difference) -> list[str]:
    """What the kinds of changes that are listed mean, where that does not go without saying."""
    return [note for kind, note in zip((ALTERED, AFFECTED), _NOTES, strict=True) if found.of(kind)]


def to_data(found: Difference, compared: Sequence[Total], *, names: tuple[str, str]) -> dict[str, Any]:
    """``archlens.diff/1``: totals, and every layer that is not the same."""
    return {
        "schema": SCHEMA,
        "old": names[0],
        "new": names[1],
        "identical": found.empty,
        "structure": [fingerprint(found.old), fingerprint(found.new)],
        "totals": {total.name: {"old": _plain(total.old), "new": _plain(total.new)} for total in compared},
        "unchanged": len(found.of(SAME)),
        "changes": [_change(pair) for pair in found.pairs if pair.kind != SAME],
        "renamed": [renaming._asdict() for renaming in found.renamings],
        "boundary": found.boundary,
    }


def _change(pair: Pair) -> dict[str, Any]:
    return {
        "change": pair.kind,
        "old": pair.old.name if pair.old else None,
        "new": pair.new.name if pair.new else None,
        "op": [str(layer.op) if layer else None for layer in (pair.old, pair.new)],
        "output": [list(layer.shape) if layer else None for layer in (pair.old, pair.new)],
        "what": pair.what or None,
        "params": pair.params,
        "macs": pair.macs,
    }


def _plain(value: Value) -> int | list[int] | None:
    if isinstance(value, Unknown):
        return None
    return list(value) if isinstance(value, tuple) else value


# --- totals ----------------------------------------------------------------------------------------


def _total(total: Total) -> list[Content]:
    name = total.name
    cells = [Cell(amount(name, one), _single(one)) for one in (total.old, total.new)]
    return [FIGURES[name].title, *cells, _growth(total.old, total.new, name)]


def _single(value: Value) -> int | str | None:
    """A value in a cell of its own."""
    return times(value) if isinstance(value, tuple) else None if isinstance(value, Unknown) else value


def _growth(old: Value, new: Value, quantity: str) -> str:
    """``+18,992,128 = +74.3 %``; nothing where nothing changed."""
    if old == new or isinstance(old, Unknown) or isinstance(new, Unknown):
        return ""
    if isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
        each = [_grown(before, after) for before, after in zip(old, new, strict=True)]
        return each[0] if len(set(each)) == 1 else ", ".join(each)
    if isinstance(old, int) and isinstance(new, int):
        if isinstance(new - old, AtLeast):
            return format(new - old)
        unit = " B" if amount(quantity, old).endswith(" B") else ""
        growth = _grown(old, new)
        return f"{new - old:+,}{unit}" + (f" = {growth}" if growth else "")
    return ""


def _grown(before: int, after: int) -> str:
    from fractions import Fraction

    return signed(Fraction(100 * (after - before), before)) if before else ""


# --- changes ---------------------------------------------------------------------------------------


def _listed(found: Difference) -> list[ChangeRow]:
    """The changes line by line, in the order of the layers of each kind; no more than can be read."""
    listed: list[ChangeRow] = []
    for kind in (ADDED, REMOVED, ALTERED, AFFECTED):
        lines = list(_lines(found, kind))
        if len(lines) > _MOST:
            rest = tuple(pair for line in lines[_MOST:] for pair in line.pairs)
            more = ChangeRow(kind, f"and {len(lines) - _MOST} more", f"{len(rest)} layers", rest)
            lines = [*lines[:_MOST], more]
        listed += lines
    return listed


def _lines(found: Difference, kind: str) -> Iterator[ChangeRow]:
    if kind in (ADDED, REMOVED):
        for group in found.groups(kind):
            count = len(group.pairs) // group.repeats
            what = (
                group.what
                if len(group.pairs) == 1
                else f"{group.what}: {count} layers"
                if group.what
                else f"{count} layers"
            )
            what += " each" if group.repeats > 1 else ""
            yield ChangeRow(
                kind, f"{group.name} x{group.repeats}" if group.repeats > 1 else group.name, what, group.pairs
            )
        return
    quiet: list[Pair] = []
    for pair in found.of(kind):
        assert pair.new is not None
        if kind == AFFECTED and not pair.params and not pair.macs:
            quiet.append(pair)
        else:
            yield ChangeRow(kind, pair.new.name, pair.what, (pair,))
    if quiet:
        layers = f"{len(quiet)} layer{'s' if len(quiet) > 1 else ''}"
        yield ChangeRow(kind, layers, "on other shapes, at the same cost", tuple(quiet))


def _cells(line: ChangeRow) -> list[Content]:
    return [line.kind, line.name, line.what, _grown_by(line.params), _grown_by(line.macs)]


def _grown_by(number: int) -> Cell:
    return Cell(f"{number:+,}" if number else "0", number)


def _renamed(found: Difference) -> Iterator[str]:
    """What has other names, a line each; layers that only count on are counted."""
    shifted: dict[str, int] = {}
    said: list[str] = []
    for renaming in found.renamings:
        places = [re.fullmatch(r"(.*?)\d+", name) for name in (renaming.old, renaming.new)]
        if places[0] and places[1] and places[0][1] == places[1][1]:
            scope = places[0][1].rstrip(".")
            shifted[scope] = shifted.get(scope, 0) + renaming.layers
        else:
            said.append(
                f"{printable(renaming.old)} -> {printable(renaming.new)} ({_layers(renaming.layers)})"
            )
    if said:
        more = f", and {len(said) - _MOST} more" if len(said) > _MOST else ""
        yield f"renamed: {', '.join(said[:_MOST])}{more}"
    for scope, count in list(shifted.items())[:_MOST]:
        yield f"renumbered{f' in {printable(scope)}' if scope else ''}: {_layers(count)}"


def _layers(count: int) -> str:
    return f"{count} layer{'s' if count != 1 else ''}"


def _summary(found: Difference) -> str:
    """What changed, in one sentence."""
    if found.empty:
        return "The two are the same."
    counts = [(kind, len(found.of(kind))) for kind in (ADDED, REMOVED, ALTERED, AFFECTED)]
    said = [f"{count} {kind}" for kind, count in counts if count]
    renamed = sum(pair.renamed for pair in found.pairs)
    if renamed:
        said.append(f"{renamed} under another name")
    same = len(found.of(SAME))
    alike = "1 layer is the same" if same == 1 else f"{same} layers are the same"
    return f"{', '.join(said) or 'Inputs or outputs differ'}; {alike}."
