"""What was found out about a limit, as records that can be shown; and how a limit is judged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from ..analysis.figures import QUANTITIES, Part, Unknown, Value, repeats
from ..analysis.study import Study
from ..counts import AtLeast
from ..errors import Diagnostic, Span, UsageError, did_you_mean, shorten, usage
from ..limits import Requirement
from ..network import Network

#: The quantities that are locked: all of the network's own that need no trying.
LOCKED = {name: one for name, one in QUANTITIES.items() if one.own and not one.tried}

#: Those of a board, which are locked where a file of the project limits one of them.
BOARD = {name: QUANTITIES[name] for name in ("sram", "flash")}

#: How many parts are named where a limit is broken.
_PARTS = 3


class Verdict(NamedTuple):
    """One limit and how it came out."""

    quantity: str
    scope: str
    #: The limit as it was written, and as one says it: ``in 20M..26M``.
    limit: str
    said: str
    #: What was measured.
    value: Value
    #: The share of the whole in percent, where the limit is one.
    share: Fraction | None
    #: What is held against the limit: the share, or the value along the axis that does worst.
    measured: Fraction | int | None
    #: How far that is from the nearest bound; negative beyond it.
    margin: Fraction | None
    #: The bound that the margin is measured from.
    bound: Fraction | None
    held: bool
    #: Where the limit was set; ``None`` on the command line or in Python.
    span: Span | None
    #: What takes the most, where the limit is broken, and what all of it together is.
    parts: tuple[Part, ...] = ()
    whole: int = 0


@dataclass(frozen=True)
class Drift:
    """A network against its entry in the lock file."""

    #: What differs: the quantity, the locked value and today's.
    changes: tuple[Change, ...]
    #: How many figures were compared.
    compared: int
    span: Span | None
    #: Why there is nothing to compare, where that is so.
    problem: str = ""

    @property
    def held(self) -> bool:
        """Whether everything is as it was, within the tolerance."""
        return not self.problem and all(change.held for change in self.changes)


class Change(NamedTuple):
    """A figure that is not what the lock file says."""

    quantity: str
    #: What the file says; empty where it says nothing.
    locked: str
    today: str
    #: How much more it is, in percent; ``None`` where that cannot be said.
    percent: Fraction | None
    held: bool
    span: Span | None


@dataclass(frozen=True)
class Checked:
    """One network, and how its limits came out."""

    name: str
    network: Network | None
    verdicts: tuple[Verdict, ...] = ()
    drift: Drift | None = None
    #: What is wrong with its spec, where it could not be measured.
    problem: Diagnostic | None = None
    #: Whether it has to have limits, because somebody asked for it by its name.
    asked: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing was checked."""
        return not self.verdicts and self.drift is None and self.problem is None

    @property
    def held(self) -> bool:
        """Whether everything that was asked for holds."""
        if self.problem is not None or (self.empty and self.asked):
            return False
        return all(one.held for one in self.verdicts) and (self.drift is None or self.drift.held)


@dataclass(frozen=True)
class Report:
    """All networks that were checked."""

    checked: tuple[Checked, ...]
    #: Entries of the lock file whose network is no more, each with its place.
    gone: tuple[tuple[str, Span | None], ...] = ()
    #: How far locked figures may drift, in percent; ``None`` where nothing was locked.
    tolerance: Fraction | None = None
    #: Whether a lock file was written, which is something done even where nothing is limited.
    updated: bool = False

    @property
    def count(self) -> int:
        """How many limits and locked figures were checked."""
        return sum(len(one.verdicts) + (one.drift.compared if one.drift else 0) for one in self.checked)

    @property
    def nothing(self) -> bool:
        """Whether nothing was checked at all."""
        return not self.updated and not self.gone and all(one.empty for one in self.checked)

    @property
    def held(self) -> bool:
        """Whether something was checked, and all of it holds."""
        return not self.nothing and not self.gone and all(one.held for one in self.checked)


def judge(study: Study, requirements: Iterable[Requirement]) -> tuple[Verdict, ...]:
    """Each limit against what is measured.

    Raises:
        UsageError: a limit is on a scope that the network does not have.
    """
    return tuple(_judged(study, requirement) for requirement in requirements)


def _judged(study: Study, requirement: Requirement) -> Verdict:
    quantity, limit = QUANTITIES[requirement.quantity], requirement.limit
    if requirement.scope and not study.inside(requirement.scope):
        raise no_scope(study, requirement)
    value = quantity.measure(study, requirement.scope)
    if isinstance(value, AtLeast) and not limit.settled(value):
        value = _unknown(value)
    if isinstance(value, Unknown):
        return _verdict(requirement, value, None, False)
    if limit.percent:
        whole = quantity.measure(study, "")
        assert isinstance(value, int)
        assert isinstance(whole, int)
        if isinstance(whole, AtLeast):
            return _verdict(requirement, _unknown(whole), None, False)
        share = Fraction(100 * value, whole) if whole else Fraction(0)
        verdict = _verdict(requirement, value, share, limit.holds(share))
    else:
        sizes = value if isinstance(value, tuple) else (value,)
        worst = min(sizes, key=lambda size: (limit.holds(size), limit.margin(size)))
        verdict = _verdict(requirement, value, None, all(map(limit.holds, sizes)), worst)
    return verdict if verdict.held else _explained(verdict, study)


def _verdict(
    requirement: Requirement, value: Value, share: Fraction | None, held: bool, worst: int | None = None
) -> Verdict:
    limit = requirement.limit
    measured = share if share is not None else worst
    return Verdict(
        requirement.quantity,
        requirement.scope,
        limit.text,
        str(limit),
        value,
        share,
        measured,
        None if measured is None else limit.margin(measured),
        None if measured is None else limit.nearest(measured),
        held,
        requirement.span,
    )


def _explained(verdict: Verdict, study: Study) -> Verdict:
    """A broken limit, with what takes the most of it."""
    quantity = QUANTITIES[verdict.quantity]
    if quantity.parts is not None:
        parts = list(quantity.parts(study))
    elif quantity.adds_up:
        parts = _scopes(study, verdict.quantity, verdict.scope)
    else:
        return verdict
    if len(parts) == 1 and parts[0].name == verdict.scope:
        return verdict  # a layer has no parts
    whole = sum(part.value for part in parts)
    parts = sorted((part for part in parts if part.value), key=lambda part: -part.value)[:_PARTS]
    return verdict._replace(parts=tuple(parts), whole=whole)


def _scopes(study: Study, name: str, scope: str) -> list[Part]:
    """What each scope and layer directly within a scope takes; deeper where there is but one."""
    measure = QUANTITIES[name].measure
    while True:
        level = scope.count(".") + 2 if scope else 1
        inside = dict.fromkeys(".".join(layer.name.split(".")[:level]) for layer in study.inside(scope))
        only = next(iter(inside), "")
        if len(inside) != 1 or only == scope:
            break
        scope = only
    parts = []
    for one in inside:
        value = measure(study, one)
        assert isinstance(value, int)
        parts.append(Part(one, value))
    return parts


def no_scope(study: Study, requirement: Requirement) -> UsageError:
    """What to say of a limit on a scope that is not there."""
    message = f"{shorten(study.network.name)} has no scope {shorten(requirement.scope)}"
    otherwise = "a scope is a layer's name, or its first parts"
    help = did_you_mean(requirement.scope, study.scopes, otherwise=otherwise)
    return usage(message, span=requirement.span, help=help)


def measure_all(study: Study, *, board: bool = False) -> dict[str, Value]:
    """Every figure that is locked, by quantity; one that says what another says is left out.

    Args:
        study: of the network.
        board: whether those of a board are among them.
    """
    found = {name: one.measure(study, "") for name, one in (LOCKED | (BOARD if board else {})).items()}
    return {
        name: _unknown(one) if isinstance(one, AtLeast) else one
        for name, one in found.items()
        if not repeats(name, found)
    }


def _unknown(value: AtLeast) -> Unknown:
    return Unknown(f"{value:,}, {value.why}" if int(value) else value.why)
