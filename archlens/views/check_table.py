"""How limits came out, as a table or JSON. Knows what was found, and not how."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from typing import Any

from ..analysis.figures import FIGURES, QUANTITIES, Part, Unknown, Value
from ..budgets.verdict import Change, Checked, Report, Verdict
from ..counts import Kind, dumps
from ..errors import Diagnostic, Span, printable, render
from ..forms.table import LEAST, Annotation, Case, Cell, Column, Content, Table
from .words import clause

SCHEMA = "archlens.check/1"

HELD, BROKEN = "held", "BROKEN"

_ROLES = {BROKEN: "bad", "DRIFTED": "bad", "UNKNOWN": "bad"}

_COLUMNS = (
    Column("network", least=LEAST),
    Column("limit", least=LEAST),
    Column("value", right=True),
    Column("margin", right=True),
    Column("verdict", roles=_ROLES),
    Column("set by", least=LEAST, spare=1, key="set_by"),
)

#: What is said where nothing was checked, and what would be.
NOTHING = "Nothing was checked: no network has a budget."
INSTEAD = (
    "a limit, as in --params '<= 26M'; `budget:` in a spec; or [tool.archlens.budgets] in pyproject.toml"
)


def table(report: Report) -> Table:
    """A line a limit; beneath it why each broken one is, and what the quantities mean."""
    gone = [f"{name} is in archlens.lock but no longer exists." for name, _ in report.gone]
    rows = list(_rows(report))
    return Table(
        columns=_COLUMNS if rows else (),
        rows=rows,
        remarks=[*(block for one in report.checked for block in _remarks(one)), *([gone] if gone else [])],
        summary=[summary(report)],
        notes=conventions(report),
        json=partial(to_json, report),
        suites=list(_suites(report)),
        annotations=list(_annotations(report)),
    )


def _remarks(one: Checked) -> Iterator[list[str | Diagnostic]]:
    if one.problem is not None:
        yield [f"{one.name} cannot be measured:", one.problem]
    yield from explanations(one)


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
        said.append(f"{drifted} of {networks} differ{'s' if drifted == 1 else ''} from archlens.lock")
    if report.gone:
        said.append(
            f"{len(report.gone)} locked "
            f"network{'s no longer exist' if len(report.gone) != 1 else ' no longer exists'}"
        )
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
        parts.append(f"the figures match archlens.lock{within}")
    return f"{networks}: {'; '.join(parts) or 'written to archlens.lock'}."


def conventions(report: Report) -> list[str]:
    """What the quantities that were limited mean, one sentence a line."""
    used = {verdict.quantity for one in report.checked for verdict in one.verdicts}
    used |= {
        change.quantity for one in report.checked for change in (one.drift.changes if one.drift else ())
    } & QUANTITIES.keys()
    return [f"{name}: {clause(one.what)}" for name, one in QUANTITIES.items() if name in used]


# --- cells -----------------------------------------------------------------------------------------


def _rows(report: Report) -> Iterator[list[Content]]:
    for one in report.checked:
        name = one.name
        for verdict in one.verdicts:
            yield [
                name,
                limit(verdict),
                shown(verdict),
                margin(verdict),
                HELD if verdict.held else _strong(BROKEN),
                set_by(verdict.span),
            ]
        drift = one.drift
        if drift is not None:
            if drift.problem:
                yield [name, "locked", "", "", _strong("UNKNOWN"), ""]  # no line says anything of it
            elif not drift.changes:
                yield [name, f"locked: {drift.compared} figures", "the same", "", HELD, set_by(drift.span)]
            for change in drift.changes:
                yield [
                    name,
                    f"locked: {change.quantity} {figure(change.quantity, change.locked)}".rstrip(),
                    figure(change.quantity, change.today),
                    signed(change.percent) if change.percent is not None else "",
                    HELD if change.held else _strong("DRIFTED"),
                    set_by(change.span or drift.span),
                ]


def _strong(verdict: str) -> Cell:
    return Cell(verdict, verdict, strong=True)


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
    said = f"{value:,}"
    return f"{said} B" if FIGURES[quantity].kind is Kind.BYTES and said != "unknown" else said


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


def explanations(one: Checked) -> Iterator[list[str | Diagnostic]]:
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
        return "the bound itself is excluded"
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


# --- what failed -----------------------------------------------------------------------------------


def _suites(report: Report) -> Iterator[tuple[str, list[Case]]]:
    """A suite a network, a case a limit."""
    for one in report.checked:
        yield one.name, list(_cases(one))
    for name, _ in report.gone:
        yield name, [Case("locked", "failure", f"{name} is no more")]
    if report.nothing:
        yield "archlens check", [Case("budget", "failure", NOTHING, INSTEAD)]


def _cases(one: Checked) -> Iterator[Case]:
    if one.problem is not None:
        yield Case("spec", "error", one.problem.message, render(one.problem))
    if one.empty and one.asked:
        yield Case("budget", "failure", "nothing was checked, for it has no budget", INSTEAD)
    for verdict in one.verdicts:
        name = limit(verdict)
        if verdict.held:
            yield Case(name)
        else:
            text = "\n".join([sentence(verdict), *heaviest(verdict)])
            yield Case(name, "failure", sentence(verdict), text)
    drift = one.drift
    if drift is not None:
        changes = [drifted(change) for change in drift.changes if not change.held]
        if drift.held:
            yield Case("locked")
        else:
            yield Case("locked", "failure", drift.problem or "; ".join(changes), "\n".join(changes))


def _annotations(report: Report) -> Iterator[Annotation]:
    """What is broken, on the lines of the specs."""
    for one in report.checked:
        yield from _broken(one)
    for name, span in report.gone:
        yield Annotation("error", f"{name} is in archlens.lock but no longer exists", span, "archlens.lock")
    if report.nothing:
        yield Annotation("error", f"{NOTHING}\n{INSTEAD}", None, "archlens check")


def _broken(one: Checked) -> Iterator[Annotation]:
    if one.problem is not None:
        problem = one.problem
        notes = [*problem.notes, *([f"help: {problem.help}"] if problem.help else [])]
        yield Annotation("error", "\n".join([problem.message, *notes]), problem.span, f"{one.name} is broken")
    elif one.empty and one.asked:
        yield Annotation("error", f"{one.name} has no budget, and nothing was checked", None, one.name)
    for verdict in one.verdicts:
        if not verdict.held:
            text = "\n".join([sentence(verdict), *heaviest(verdict)])
            yield Annotation("error", text, _line(one, verdict.span), f"{one.name}: {limit(verdict)}")
    drift = one.drift
    if drift is not None and drift.problem:
        yield Annotation("error", f"{one.name}: {drift.problem}", _line(one, None), f"{one.name}: locked")
    for change in drift.changes if drift is not None else ():
        if not change.held:
            place = _line(one, change.span or (drift.span if drift else None))
            yield Annotation("error", drifted(change), place, f"{one.name}: locked {change.quantity}")


def _line(one: Checked, span: Span | None) -> Span | None:
    """A line of the spec where there is one: where it sets the limit, or else where its layers start.

    A network of the zoo has no file in the repository that is checked; then it is what set the limit.
    """
    network = one.network
    first = network.layers[0].span if network is not None and network.layers else None
    if first is None or (span is not None and span.source.name == first.source.name):
        return span
    return first if _is_file(first.source.name) else span


def _is_file(name: str) -> bool:
    from os.path import isfile

    return isfile(name)


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
