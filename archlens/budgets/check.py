"""Checking networks against their limits and against the lock file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from ..analysis.study import Study
from ..elaboration import elaborate
from ..errors import BudgetError, Diagnostic, SpecError, UsageError, usage
from ..limits import Requirement
from .finding import called
from .project import Project
from .targets import Limits, Target, asked_for, named, of_project
from .verdict import BOARD, Checked, Drift, Report, judge

if TYPE_CHECKING:
    from . import lock


class Outcome:
    """What a run of ``archlens check`` found, and what it would write."""

    def __init__(
        self, report: Report, old: Mapping[str, lock.Entry], entries: Mapping[str, lock.Entry]
    ) -> None:
        self.report = report
        #: The entries that the lock file should have, where that was asked for.
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
    types: tuple[str, str] = ("int8", "int8"),
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
        types: of weights and of activations on a board.

    Raises:
        UsageError: a name, a limit or a file of the project is wrong.
        BudgetError: the ``budget:`` of a spec is wrong.
    """
    old = _locked(project, needed=locked) if locked or update else {}
    planned, gone = plan(project, asked, given, also=list(old), input=input, values=values or {})
    allowed = project.tolerance if tolerance is None else tolerance
    checked: list[Checked] = []
    new: dict[str, lock.Entry] = dict(old) if asked else {}
    for name, study, problem, requirements, by_name in planned:
        if study is None:
            checked.append(Checked(name, None, problem=problem))
            if update:  # what it was stays in the file until it can be measured again
                new |= {
                    entry: old[entry] for entry in old if entry.partition(":")[0] == name or entry == name
                }
            continue
        study.types = types
        verdicts = judge(study, requirements)
        today = _today(study, requirements) if locked or update else None
        drift = None
        if today is not None and update:
            new[name] = today
        elif today is not None:
            drift = _drift(old.get(name), today, allowed)
        checked.append(Checked(name, study.network, verdicts, drift, asked=by_name and not update))
    report = Report(
        tuple(checked),
        tuple((name, old[name].span) for name in gone) if locked else (),
        allowed if locked else None,
        updated=update and bool(new),
    )
    return Outcome(report, old, new)


# a check without a lock file imports nothing of it


def _locked(project: Project, *, needed: bool) -> Mapping[str, lock.Entry]:
    from . import lock

    entries = lock.read(project.root)
    if entries is None and needed:
        raise usage(f"there is no {lock.NAME}", help="`archlens check --update` writes it")
    return entries or {}


def _today(study: Study, requirements: Sequence[Requirement]) -> lock.Entry:
    from . import lock

    return lock.entry(study, board=any(one.quantity in BOARD and one.span for one in requirements))


def _drift(entry: lock.Entry | None, today: lock.Entry, tolerance: Fraction) -> Drift:
    from . import lock

    if entry is None:
        return Drift((), 0, None, f"it is not in {lock.NAME}")
    return lock.compare(entry, today, tolerance)


class Planned(NamedTuple):
    """A network, ready to be measured, and its limits; or what is wrong with its spec."""

    name: str
    study: Study | None
    problem: Diagnostic | None
    requirements: tuple[Requirement, ...]
    #: Whether somebody asked for it by its name.
    asked: bool


def plan(
    project: Project,
    asked: Sequence[str] = (),
    given: Sequence[Requirement] = (),
    *,
    also: Sequence[str] = (),
    input: Any = None,
    values: Mapping[str, Any] | None = None,
) -> tuple[list[Planned], list[str]]:
    """The networks that are meant, each with its limits; and the names that lead nowhere any more.

    Args:
        project: whose budgets hold.
        asked: names or files; without any, all networks of the project.
        given: further limits, on each of the networks.
        also: names that a lock file has: they count as networks of the project.
        input: another input for each network.
        values: values for params of their specs.

    Raises:
        UsageError: a name, a limit or a file of the project is wrong, or a limit is about nothing.
        BudgetError: the ``budget:`` of a spec is wrong.
    """
    gone: list[str] = []
    if asked:
        wanted: dict[str, Target] = {}
        for target in (target for name in asked for target in asked_for(project, name)):
            wanted.setdefault(target.name, target)  # a.yaml and ./a.yaml are one
        targets = list(wanted.values())
    else:
        targets = of_project(project)
        known = {target.name for target in targets}
        known |= {name for name in also for one in targets if one.problem and name.startswith(f"{one.name}:")}
        rest, gone = _locked_only([name for name in also if name not in known], project)
        targets += rest
    limits = Limits(project, targets, given)
    planned = []
    for target in targets:
        study, problem = _load(target, input, values or {})
        found = limits.of(target, study.network) if study is not None else ()
        planned.append(Planned(target.name, study, problem, tuple(found), target.asked))
    if not asked:
        sound = [one.study.network for one in planned if one.study is not None]
        limits.check_used(targets, sound, complete=len(sound) == len(planned))
    return planned, gone


def _locked_only(names: Sequence[str], project: Project) -> tuple[list[Target], list[str]]:
    """The networks that only the lock file names, and the names among them that lead nowhere any more."""
    found: list[Target] = []
    gone: list[str] = []
    for name in names:
        try:
            target = named(project, called(project.root, name))
        except UsageError:
            gone.append(name)
            continue
        if target[0].problem is not None:
            found += [] if target[0].name in {one.name for one in found} else target
        elif [one.name for one in target] == [name]:
            found += target
        else:
            gone.append(name)
    return found, gone


def _load(target: Target, input: Any, values: Mapping[str, Any]) -> tuple[Study | None, Diagnostic | None]:
    """The network of a target, ready to be measured; or what is wrong with it.

    Raises:
        UsageError: an input or a value does not suit it.
        BudgetError: its ``budget:`` is wrong.
    """
    spec, variant = target.spec, target.variant
    if spec is None and target.outside is None:
        return None, target.problem
    try:
        if target.outside is not None:
            return _run(target, input, values)
        assert spec is not None
        network = elaborate(spec, variant, input=input, values=values)
    except BudgetError:
        raise
    except SpecError as problem:
        return None, problem.diagnostic
    return Study(network), None


def _run(target: Target, input: Any, values: Mapping[str, Any]) -> tuple[Study | None, Diagnostic | None]:
    """The network of a module or of another tool's file; one that nobody named ends nothing else."""
    assert target.outside is not None
    if target.runs is not None:
        input, values = target.runs.input if input is None else input, {**target.runs.values, **values}
    try:
        return Study(target.outside.network(input, values)), None
    except UsageError as problem:
        if target.asked:
            raise
        return None, problem.diagnostic
