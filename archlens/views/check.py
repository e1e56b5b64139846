"""How limits came out, as a table, Markdown or JSON. Knows what was found, and not how."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from ..analysis.quantities import QUANTITIES, Part, Unknown, Value
from ..budgets.verdict import Change, Checked, Report, Verdict
from ..counts import dumps
from ..errors import Span, Style, printable, render, unstyled
from ..limits import Kind
from ..wrapping import wrapped
from . import grid, words

SCHEMA = "archlens.check/1"

HELD, BROKEN = "held", "BROKEN"

_ROLES = {BROKEN: "bad", "DRIFTED": "bad", "UNKNOWN": "bad"}

_COLUMNS = [
    grid.Column("network", least=grid.LEAST),
    grid.Column("limit", least=grid.LEAST),
    grid.Column("value", right=True),
    grid.Column("margin", right=True),
    grid.Column("verdict", roles=_ROLES),
    grid.Column("set by", least=grid.LEAST, spare=1),
]

#: What is said where nothing was checked, and what would be.
NOTHING = "Nothing was checked: no network has a budget."
INSTEAD = (
    "a limit, as in --params '<= 26M'; `budget:` in a spec; or [tool.archlens.budgets] in pyproject.toml"
)


def to_table(report: Report, *, width: int | None = None, style: Style = unstyled) -> str:
    """A line a limit; beneath it why each broken one is, and what the quantities mean."""
    rows = list(_rows(report))
    layout = grid.fit(_COLUMNS, rows, width, style)
    lines = layout.table(rows) if rows else []
    for one in report.checked:
        if one.problem is not None:
            lines += ["", *wrapped(f"{printable(one.name)} cannot be measured:", width)]
            lines.append(render(one.problem, style, width))
        for first, *rest in explanations(one):
            lines += ["", *wrapped(first, width)]
            for line in rest:
                said = line.lstrip()
                lines += wrapped(said, width, lead=line[: -len(said)])
    gone = (f"{printable(name)} is in archlens.lock, and is no more." for name, _ in report.gone)
    lines += ["", *words.below(gone, width)]
    if lines[-1]:
        lines.append("")
    below = words.below([summary(report), *conventions(report), *layout.left_out], width)
    return "\n".join([*lines, *below]).lstrip("\n")


def to_markdown(report: Report) -> str:
    """The same as a table for a pull request."""
    from .markdown import escape  # it brings all columns along

    rows = [[escape(cell) for cell in row] for row in _rows(report)]
    rows = [[*row[:4], f"**{row[4]}**" if row[4] != HELD else row[4], row[5]] for row in rows]
    lines = [f"**{escape(summary(report))}**", ""]
    head, right = [column.title for column in _COLUMNS], [column.right for column in _COLUMNS]
    lines += [*grid.pipes(head, rows, right), ""] if rows else []
    for one in report.checked:
        if one.problem is not None:
            lines += [f"- {escape(one.name)} cannot be measured: {escape(one.problem.message)}"]
            lines[-1] += f" ({escape(str(one.problem.span))})" if one.problem.span else ""
        for first, *rest in explanations(one):
            lines += [f"- {escape(first)}", *(f"  - {escape(line.strip())}" for line in rest)]
    lines += [f"- {escape(name)} is in archlens.lock, and is no more." for name, _ in report.gone]
    lines += [""] if lines[-1] else []
    return "\n".join([*lines, "  \n".join(map(escape, conventions(report)))]).rstrip("\n")


def to_json(report: Report) -> str:
    """``archlens.check/1``: every limit, in plain numbers."""
    data = {
        "schema": SCHEMA,
        "held": report.held,
        "checked": report.count,
        "networks": [_data(one) for one in report.checked],
        "tolerance": None if report.tolerance is None else float(report.tolerance),
        "gone": [name for name, _ in report.gone],
    }
    return dumps(data, indent=2)


def summary(report: Report) -> str:
    """How it all came out, in one sentence."""
    if report.nothing:
        return NOTHING
    networks = f"{len(report.checked)} network{'s' if len(report.checked) != 1 else ''}"
    broken = sum(not verdict.held for one in report.checked for verdict in one.verdicts)
    drifted = sum(one.drift is not None and not one.drift.held for one in report.checked)
    sick = sum(one.problem is not None for one in report.checked)
    empty = sum(one.empty and one.asked for one in report.checked)
    limits = sum(len(one.verdicts) for one in report.checked)
    said = []
    if broken:
        said.append(f"{broken} of {limits} limit{'s' if limits != 1 else ''} broken")
    if drifted:
        said.append(f"{drifted} of {networks} not as locked")
    if report.gone:
        said.append(f"{len(report.gone)} locked network{'s' if len(report.gone) != 1 else ''} gone")
    if sick:
        said.append(f"{sick} of {networks} cannot be measured")
    if empty:
        said.append(
            f"{empty} of {networks} ha{'ve' if empty > 1 else 's'} no budget, and nothing was checked"
        )
    if said:
        return "; ".join(said) + "."
    parts = [f"{limits} limit{'s hold' if limits != 1 else ' holds'}"] if limits else []
    bare = sum(one.empty for one in report.checked)
    if bare and limits:
        parts.append(f"{bare} of them ha{'ve' if bare > 1 else 's'} no budget")
    if report.tolerance is not None:
        within = f", within {percent(report.tolerance)}" if report.tolerance else ""
        parts.append(f"all is as locked{within}")
    return f"{networks}: {'; '.join(parts) or 'written to archlens.lock'}."


def conventions(report: Report) -> list[str]:
    """What the quantities that were limited mean, one sentence a line."""
    used = {verdict.quantity for one in report.checked for verdict in one.verdicts}
    used |= {
        change.quantity for one in report.checked for change in (one.drift.changes if one.drift else ())
    } & QUANTITIES.keys()
    return [
        f"{name}: {one.what[0].lower()}{one.what[1:]}" for name, one in QUANTITIES.items() if name in used
    ]


# --- cells -----------------------------------------------------------------------------------------


def _rows(report: Report) -> Iterator[list[str]]:
    for one in report.checked:
        name = printable(one.name)
        for verdict in one.verdicts:
            yield [
                name,
                limit(verdict),
                shown(verdict),
                margin(verdict),
                HELD if verdict.held else BROKEN,
                set_by(verdict.span),
            ]
        drift = one.drift
        if drift is not None:
            if drift.problem:
                yield [name, "locked", "", "", "UNKNOWN", ""]  # no line says anything of it
            elif not drift.changes:
                yield [name, f"locked: {drift.compared} figures", "the same", "", HELD, set_by(drift.span)]
            for change in drift.changes:
                yield [
                    name,
                    f"locked: {change.quantity} {figure(change.quantity, change.locked)}".rstrip(),
                    figure(change.quantity, change.today),
                    signed(change.percent) if change.percent is not None else "",
                    HELD if change.held else "DRIFTED",
                    set_by(change.span or drift.span),
                ]


def limit(verdict: Verdict) -> str:
    """``params <= 26M``, or ``fc: params <= 30 %``."""
    scope = f"{printable(verdict.scope)}: " if verdict.scope else ""
    return f"{scope}{verdict.quantity} {printable(verdict.said)}"


def shown(verdict: Verdict) -> str:
    """The value of a verdict, with its share where that is limited."""
    if verdict.share is not None:
        return f"{percent(verdict.share)} = {amount(verdict.quantity, verdict.value)}"
    return amount(verdict.quantity, verdict.value)


def amount(quantity: str, value: Value) -> str:
    """``25,557,032``, ``246,824 B``, ``427x427`` or ``not known``."""
    if isinstance(value, Unknown):
        return "not known"
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return f"{value:,}{' B' if QUANTITIES[quantity].kind is Kind.BYTES else ''}"


def figure(quantity: str, text: str) -> str:
    """A figure of the lock file as a table shows it."""
    return amount(quantity, int(text)) if text.isdigit() else text


def margin(verdict: Verdict) -> str:
    """How far from the bound, and how much of it that is: ``442,968 = 1.7 %``; negative beyond."""
    if verdict.margin is None or verdict.bound is None:
        return ""
    if not verdict.margin:
        return "0"
    if verdict.share is not None:
        return percent(verdict.margin)
    unit = " B" if QUANTITIES[verdict.quantity].kind is Kind.BYTES else ""
    text = f"{decimals(verdict.margin)}{unit}"
    return f"{text} = {percent(100 * verdict.margin / verdict.bound)}" if verdict.bound else text


def decimals(number: Fraction) -> str:
    """A number with thousands separated, and no more than one decimal."""
    return f"{int(number):,}" if number.denominator == 1 else f"{float(number):,.1f}"


def percent(number: Fraction) -> str:
    """``1.7 %``; more digits where fewer would say nothing."""
    value = float(number)
    if value and abs(value) < 0.05:
        return f"{value:.2g} %"
    return f"{value:,.1f} %"


def signed(number: Fraction) -> str:
    """``+1.7 %``."""
    return f"{'+' if number > 0 else ''}{percent(number)}"


def set_by(span: Span | None) -> str:
    """``models/a.yaml:12``; the command line has no lines."""
    return f"{printable(span.source.name)}:{span.line}" if span else "given"


# --- explanations ----------------------------------------------------------------------------------


def explanations(one: Checked) -> Iterator[list[str]]:
    """Why each broken limit of a network is: a sentence, and what takes the most."""
    name = printable(one.name)
    if one.empty and one.asked:
        yield [f"{name}: nothing was checked, for it has no budget"]
    for verdict in one.verdicts:
        if not verdict.held:
            yield [f"{name}: {sentence(verdict)}", *(f"  {line}" for line in heaviest(verdict))]
    drift = one.drift
    if drift is not None and not drift.held:
        if drift.problem:
            yield [f"{name}: {drift.problem}", "  archlens check --update writes it there"]
        else:
            yield [f"{name}: {drifted(change)}" for change in drift.changes if not change.held]


def sentence(verdict: Verdict) -> str:
    """What is wrong with a broken limit."""
    scope = f" of {printable(verdict.scope)}" if verdict.scope else ""
    what = f"{verdict.quantity}{scope}"
    said = printable(verdict.said)
    if isinstance(verdict.value, Unknown):
        return f"{what} is not known, and should be {said}: {verdict.value.reason}"
    assert verdict.margin is not None
    place = f", set by {set_by(verdict.span)}" if verdict.span else ""
    return f"{what} is {shown(verdict)}, and should be {said} ({_beyond(verdict)}){place}"


def _beyond(verdict: Verdict) -> str:
    assert verdict.margin is not None
    assert verdict.bound is not None
    assert verdict.measured is not None
    if not verdict.margin:
        return "the bound itself does not count"
    missing = verdict._replace(margin=-verdict.margin)
    return f"{margin(missing)} too {'much' if verdict.measured > verdict.bound else 'little'}"


def heaviest(verdict: Verdict) -> list[str]:
    """The parts that take the most, a line each."""
    return [f"{_part(part, verdict)}" for part in verdict.parts]


def _part(part: Part, verdict: Verdict) -> str:
    share = f" = {percent(Fraction(100 * part.value, verdict.whole))}" if verdict.whole else ""
    return f"{printable(part.name)}: {amount(verdict.quantity, part.value)}{share}"


def drifted(change: Change) -> str:
    """A figure that is no more what it was."""
    before, now = figure(change.quantity, change.locked), figure(change.quantity, change.today)
    if not before:
        return f"{change.quantity} is {now}, and is not in the lock file"
    by = f" ({signed(change.percent)})" if change.percent is not None else ""
    return f"{change.quantity} was {before} and is {now}{by}"


# --- data ------------------------------------------------------------------------------------------


def _data(one: Checked) -> dict[str, Any]:
    data: dict[str, Any] = {
        "name": one.name,
        "held": one.held,
        "limits": [_verdict(verdict) for verdict in one.verdicts],
        "lock": None,
        "problem": None,
    }
    if one.drift is not None:
        data["lock"] = {
            "held": one.drift.held,
            "compared": one.drift.compared,
            "problem": one.drift.problem or None,
            "changes": [
                {
                    "quantity": change.quantity,
                    "locked": _number(change.locked),
                    "value": _number(change.today),
                    "percent": None if change.percent is None else float(change.percent),
                    "held": change.held,
                }
                for change in one.drift.changes
            ],
        }
    if one.problem is not None:
        data["problem"] = {"message": one.problem.message, **_place(one.problem.span)}
    return data


def _verdict(verdict: Verdict) -> dict[str, Any]:
    value = verdict.value
    return {
        "quantity": verdict.quantity,
        "scope": verdict.scope or None,
        "limit": verdict.limit,
        "value": None if isinstance(value, Unknown) else list(value) if isinstance(value, tuple) else value,
        "reason": value.reason if isinstance(value, Unknown) else None,
        "percent": None if verdict.share is None else float(verdict.share),
        "margin": _plain(verdict.margin),
        "held": verdict.held,
        **_place(verdict.span),
        "heaviest": [part._asdict() for part in verdict.parts],
    }


def _place(span: Span | None) -> dict[str, Any]:
    if span is None:
        return {"file": None, "line": None, "column": None}
    return {"file": span.source.name, "line": span.line, "column": span.column}


def _plain(number: Fraction | None) -> int | float | None:
    if number is None:
        return None
    return int(number) if number.denominator == 1 else float(number)


def _number(text: str) -> int | list[int] | str | None:
    if not text:
        return None
    if text.isdigit():
        return int(text)
    sizes = text.split("x")
    return list(map(int, sizes)) if all(size.isdigit() for size in sizes) else text
