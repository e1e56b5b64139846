"""How limits came out, as annotations of GitHub Actions on the lines of the specs."""

from __future__ import annotations

from collections.abc import Iterator

from ..budgets.verdict import Checked, Report
from ..errors import Span
from . import check as words
from .annotation import annotation


def to_github(report: Report) -> str:
    """An annotation for each limit that is broken, and a line that says how it all came out."""
    lines = [line for one in report.checked for line in _annotations(one)]
    lines += [
        annotation("error", f"{name} is in archlens.lock, and is no more", span, "archlens.lock")
        for name, span in report.gone
    ]
    if report.nothing:
        lines.append(annotation("error", f"{words.NOTHING}\n{words.INSTEAD}", None, "archlens check"))
    return "\n".join([*lines, words.summary(report)])


def _annotations(one: Checked) -> Iterator[str]:
    if one.problem is not None:
        problem = one.problem
        notes = [*problem.notes, *([f"help: {problem.help}"] if problem.help else [])]
        yield annotation("error", "\n".join([problem.message, *notes]), problem.span, f"{one.name} is broken")
    elif one.empty and one.asked:
        yield annotation("error", f"{one.name} has no budget, and nothing was checked", None, one.name)
    for verdict in one.verdicts:
        if not verdict.held:
            text = "\n".join([words.sentence(verdict), *words.heaviest(verdict)])
            yield annotation("error", text, _place(one, verdict.span), f"{one.name}: {words.limit(verdict)}")
    drift = one.drift
    if drift is not None and drift.problem:
        yield annotation("error", f"{one.name}: {drift.problem}", _place(one, None), f"{one.name}: locked")
    for change in drift.changes if drift is not None else ():
        if not change.held:
            place = _place(one, change.span or (drift.span if drift else None))
            yield annotation("error", words.drifted(change), place, f"{one.name}: locked {change.quantity}")


def _place(one: Checked, span: Span | None) -> Span | None:
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
