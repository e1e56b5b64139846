"""What changed between two networks, as a table, Markdown for a pull request, or JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..analysis.difference import ADDED, AFFECTED, ALTERED, REMOVED, SAME, Difference, Pair
from ..analysis.quantities import QUANTITIES, Subject, Unknown, Value
from ..analysis.structure import fingerprint
from ..errors import Style, printable, unstyled
from ..wrapping import wrapped
from . import grid, words
from .check import amount, signed
from .markdown import escape

SCHEMA = "archlens.diff/1"

#: How many lines of each kind a table lists; the rest is added up in one.
_MOST = 40

_TOTALS = [
    grid.Column("total", least=grid.LEAST),
    *(grid.Column(title, right=True) for title in ("before", "after", "change")),
]
_CHANGES = [
    grid.Column("change", roles={ADDED: "good", REMOVED: "bad", ALTERED: "notable"}),
    grid.Column("layer", least=grid.LEAST),
    grid.Column("what", least=grid.LEAST),
    grid.Column("params", right=True),
    grid.Column("MACs", right=True),
]
_NOTES = (
    "Altered: another op, other attributes or other inputs.",
    "Affected: the same op on other shapes, because of what comes before it.",
)


class Line(NamedTuple):
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


def totals(old: Subject, new: Subject) -> list[Total]:
    """Every quantity before and after."""
    found = [Total("layers", len(old.network), len(new.network))]
    for name, quantity in QUANTITIES.items():
        if quantity.own:
            found.append(Total(name, quantity.measure(old, ""), quantity.measure(new, "")))
    return found


def to_table(
    found: Difference,
    compared: Sequence[Total],
    *,
    names: tuple[str, str],
    width: int | None = None,
    style: Style = unstyled,
) -> str:
    """Totals before and after, then what changed, line by line."""
    lines = [*wrapped(f"{printable(names[0])} -> {printable(names[1])}", width), ""]
    rows = [_total(total) for total in compared]
    lines += [*grid.fit(_TOTALS, rows, width, style).table(rows), ""]
    changes = [_cells(line) for line in _listed(found)]
    if changes:
        lines += [*grid.fit(_CHANGES, changes, width, style).table(changes), ""]
    beside = [*map(printable, found.boundary), *_renamed(found)]
    if beside:
        lines += [*words.below(beside, width), ""]
    return "\n".join([*lines, *words.below([_summary(found), *_notes(found)], width)])


def to_markdown(found: Difference, compared: Sequence[Total], *, names: tuple[str, str]) -> str:
    """A comment for a pull request: summary, totals, and the changes, folded away where they are many."""
    lines = [f"### {escape(names[0])} → {escape(names[1])}", "", escape(_summary(found)), ""]
    rows = [[escape(cell) for cell in _total(total)] for total in compared]
    lines += [*_pipes(_TOTALS, rows), ""]
    changes = [[escape(cell) for cell in _cells(line)] for line in _listed(found)]
    if changes:
        table = _pipes(_CHANGES, changes)
        many = f"<details><summary>{len(changes)} lines of changes</summary>"
        lines += [many, "", *table, "", "</details>", ""] if len(changes) > 12 else [*table, ""]
    lines += [f"- {escape(line)}" for line in (*map(printable, found.boundary), *_renamed(found))]
    lines += [""] if lines[-1] else []
    notes = _notes(found)
    if notes:
        lines.append(f"<sub>{escape(' '.join(notes))}</sub>")
    return "\n".join(lines).rstrip("\n")


def _pipes(columns: Sequence[grid.Column], rows: Sequence[Sequence[str]]) -> list[str]:
    return grid.pipes([column.title for column in columns], rows, [column.right for column in columns])


def alone(added: Sequence[str], removed: Sequence[str], *, markdown: bool = False) -> list[str]:
    """A sentence for each network that only one of two files has."""
    said = [f"{name} is new" for name in added] + [f"{name} is gone" for name in removed]
    return [f"### {escape(one)}" if markdown else f"{printable(one)}." for one in said]


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


def _total(total: Total) -> list[str]:
    title = QUANTITIES[total.name].title if total.name in QUANTITIES else total.name
    quantity = total.name if total.name in QUANTITIES else "depth"
    change = _growth(total.old, total.new, quantity)
    return [title, amount(quantity, total.old), amount(quantity, total.new), change]


def _growth(old: Value, new: Value, quantity: str) -> str:
    """``+18,992,128 = +74.3 %``; nothing where nothing changed."""
    if old == new or isinstance(old, Unknown) or isinstance(new, Unknown):
        return ""
    if isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
        each = [_grown(before, after) for before, after in zip(old, new, strict=True)]
        return each[0] if len(set(each)) == 1 else ", ".join(each)
    if isinstance(old, int) and isinstance(new, int):
        unit = " B" if amount(quantity, old).endswith(" B") else ""
        growth = _grown(old, new)
        return f"{new - old:+,}{unit}" + (f" = {growth}" if growth else "")
    return ""


def _grown(before: int, after: int) -> str:
    from fractions import Fraction

    return signed(Fraction(100 * (after - before), before)) if before else ""


# --- changes ---------------------------------------------------------------------------------------


def _listed(found: Difference) -> list[Line]:
    """The changes line by line, in the order of the layers of each kind; no more than can be read."""
    listed: list[Line] = []
    for kind in (ADDED, REMOVED, ALTERED, AFFECTED):
        lines = list(_lines(found, kind))
        if len(lines) > _MOST:
            rest = tuple(pair for line in lines[_MOST:] for pair in line.pairs)
            more = Line(kind, f"and {len(lines) - _MOST} more", f"{len(rest)} layers", rest)
            lines = [*lines[:_MOST], more]
        listed += lines
    return listed


def _lines(found: Difference, kind: str) -> Iterator[Line]:
    if kind in (ADDED, REMOVED):
        for run in found.runs(kind):
            count = len(run.pairs) // run.repeats
            what = (
                run.what
                if len(run.pairs) == 1
                else f"{run.what}: {count} layers"
                if run.what
                else f"{count} layers"
            )
            what += " each" if run.repeats > 1 else ""
            yield Line(kind, f"{run.name} x{run.repeats}" if run.repeats > 1 else run.name, what, run.pairs)
        return
    quiet: list[Pair] = []
    for pair in found.of(kind):
        assert pair.new is not None
        if kind == AFFECTED and not pair.params and not pair.macs:
            quiet.append(pair)
        else:
            yield Line(kind, pair.new.name, pair.what, (pair,))
    if quiet:
        layers = f"{len(quiet)} layer{'s' if len(quiet) > 1 else ''}"
        yield Line(kind, layers, "on other shapes, at the same cost", tuple(quiet))


def _cells(line: Line) -> list[str]:
    return [
        line.kind,
        printable(line.name),
        printable(line.what),
        f"{line.params:+,}" if line.params else "0",
        f"{line.macs:+,}" if line.macs else "0",
    ]


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
