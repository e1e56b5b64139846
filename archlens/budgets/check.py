"""Checking networks against their limits and against the lock file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..elaboration import elaborate
from ..errors import BudgetError, SpecError, UsageError, usage
from ..limits import Requirement
from ..network import Network
from ..quantities import Subject
from . import lock
from .project import Project
from .targets import Limits, Target, named, of_project
from .verdict import Checked, Drift, Report, judge


class Outcome:
    """What a run of ``archlens check`` found, and what it would write."""

    def __init__(
        self, report: Report, file: Path, old: Mapping[str, lock.Entry], entries: Mapping[str, lock.Entry]
    ) -> None:
        self.report = report
        #: The lock file, and the entries that it should have, where that was asked for.
        self.file = file
        self.entries = entries
        #: The networks whose entries are not what they were.
        self.changed = [
            name
            for name in sorted({*old, *entries})
            if name not in old or name not in entries or old[name].figures != entries[name].figures
        ]


def check(
    project: Project,
    asked: Sequence[str] = (),
    given: Sequence[Requirement] = (),
    *,
    locked: bool = False,
    update: bool = False,
    tolerance: Fraction | None = None,
    input: Any = None,
    values: Mapping[str, Any] | None = None,
) -> Outcome:
    """Check networks against everything that limits them.

    Args:
        project: whose budgets hold.
        asked: names or files; without any, all networks of the project.
        given: further limits, on each of the networks.
        locked: compare with the project's lock file, too.
        update: measure everything that a lock file holds.
        tolerance: how far locked figures may drift, in percent; the project's own where it is not given.
        input: another input for each network, as :func:`archlens.load` takes it.
        values: values for params of their specs.

    Raises:
        UsageError: a name, a limit or a file of the project is wrong.
        BudgetError: the ``budget:`` of a spec is wrong.
    """
    entries = lock.read(project.root) if locked or update else {}
    if locked and entries is None:
        raise usage(f"there is no {lock.NAME}", help="`archlens check --update` writes it")
    old = entries or {}
    if asked:
        targets = [target for name in dict.fromkeys(asked) for target in named(project, name)]
        gone: list[str] = []
    else:
        targets = of_project(project)
        known = {target.name for target in targets}
        rest, gone = _locked_only([name for name in old if name not in known], project)
        targets += rest
    limits = Limits(project, targets, given)
    allowed = project.tolerance if tolerance is None else tolerance
    checked: list[Checked] = []
    new: dict[str, lock.Entry] = {} if not asked else dict(old)
    for target in targets:
        subject, problem = _load(target, input, values or {})
        if subject is None:
            checked.append(Checked(target.name, None, problem=problem))
            continue
        verdicts = judge(subject, limits.of(target, subject.network))
        today = lock.entry(subject) if locked or update else None
        drift = None
        if today is not None and update:
            new[target.name] = today
        elif today is not None:
            entry = old.get(target.name)
            drift = (
                lock.compare(entry, today, allowed)
                if entry
                else Drift((), 0, None, f"it is not in {lock.NAME}")
            )
        checked.append(
            Checked(target.name, subject.network, verdicts, drift, asked=target.asked and not update)
        )
    if not asked:
        limits.check_used(targets, [one.network for one in checked if one.network is not None])
    report = Report(
        tuple(checked),
        tuple((name, old[name].span) for name in gone) if locked else (),
        allowed if locked else None,
        updated=update and bool(new),
    )
    return Outcome(report, project.root / lock.NAME, old, new)


def _locked_only(names: Sequence[str], project: Project) -> tuple[list[Target], list[str]]:
    """The networks that only the lock file names, and the names among them that lead nowhere any more."""
    found, gone = [], []
    for name in names:
        path = project.root / name.rpartition(":")[0] if ":" in name else project.root / name
        try:
            target = named(project, _from_here(project, name) if path.is_file() else name)
        except UsageError:
            gone.append(name)
            continue
        if [one.name for one in target] != [name]:
            gone.append(name)
            continue
        found += target
    return found, gone


def _from_here(project: Project, name: str) -> str:
    from .project import display

    return display(project.root / name)


def _load(target: Target, input: Any, values: Mapping[str, Any]) -> tuple[Subject | None, Any]:
    """The network of a target, ready to be measured; or what is wrong with it.

    Raises:
        UsageError: an input or a value does not suit it.
        BudgetError: its ``budget:`` is wrong.
    """
    spec, variant = target.spec, target.variant
    if spec is None:
        return None, target.problem
    try:
        network = elaborate(spec, variant, input=input, values=values)
    except BudgetError:
        raise
    except SpecError as problem:
        return None, problem.diagnostic

    def at(inputs: Mapping[str, Any]) -> Network:
        return elaborate(spec, variant, input=inputs, values=values, advice=False)

    return Subject(network, at), None
