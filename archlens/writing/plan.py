"""The order in which steps are written: what flows on, what branches, and what goes on from earlier steps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from ..analysis.nesting import Child, Scope, Value
from ..analysis.uses import Use
from ..network import Layer
from ..ops.experts import Experts


class Run(NamedTuple):
    """A child that works on what flows."""

    child: int


class Back(NamedTuple):
    """What flows on is the output of an earlier step."""

    value: Value


class Merged(NamedTuple):
    """A merge, and what leads to each of its inputs from what flows."""

    child: int
    branches: tuple[tuple[Move, ...], ...]


Move = Run | Back | Merged

#: How many children a merge may lie behind the step that it branches from, and how deep what branches and
#: goes on untouched may nest; beyond it a reader is better served by names.
_FAR, _DEEP = 60, 2

#: After all children.
_FOREVER = 1 << 60


@dataclass(eq=False)
class Plan:
    """A scope as it is written."""

    scope: Scope
    #: What flows into it; ``None`` where that is nothing that it reads.
    entry: Value | None
    moves: tuple[Move, ...] = ()
    #: What flows out of it.
    end: Value = 0
    #: What each child gives to what follows, by its number.
    ends: list[Value] = field(default_factory=list)


class Planner:
    """Plans of all scopes, from the outermost in."""

    def __init__(self, root: Scope, entry: Value, out: Value | None) -> None:
        self.plans: dict[str, Plan] = {}
        self._ends: dict[str, Value] = {}
        self.plan(root, entry, out)

    def end(self, child: Child) -> Value:
        """What flows out of a child."""
        return child.outputs[0] if isinstance(child.unit, Layer | Use) else self.end_of(child.unit)

    def end_of(self, scope: Scope) -> Value:
        """What flows out of a scope: what is read of it, or of several outputs the last that runs."""
        found = self._ends.get(scope.path)
        if found is None:
            outputs = list(scope.outputs)
            found = outputs[0] if len(outputs) == 1 else self.end(scope.children[-1])
            self._ends[scope.path] = found
        return found

    def plan(self, scope: Scope, entry: Value | None, out: Value | None = None) -> Plan:
        """The plan of a scope, and of those within it."""
        ends = [self.end(child) for child in scope.children]
        found = self.plans[scope.path] = Plan(scope, entry, ends=ends)
        moves, flowing = _Moves(self, found).all()
        found.end = self.end_of(scope) if out is None else out
        found.moves = tuple(moves) if flowing == found.end else (*moves, Back(found.end))
        return found


class _Section(NamedTuple):
    """Children that branch and are merged again: from ``start`` to the merge."""

    start: int
    merge: int
    #: The first and the last child of each branch that has any.
    parts: tuple[tuple[int, int], ...]
    #: Whether a branch is what flows in.
    passes: bool
    #: What the branches of experts start from; of others, what flows.
    entry: Value | None = None


class _Moves:
    def __init__(self, planner: Planner, plan: Plan) -> None:
        self.planner = planner
        self.plan = plan
        self.children = plan.scope.children
        self.makers = {value: k for k, child in enumerate(self.children) for value in child.outputs}
        outer = set(plan.scope.outputs)
        self.readers = {
            value: k for k, child in enumerate(self.children) for value in child.inputs if value not in outer
        }
        self.starts: dict[int, list[_Section]] = {}
        for section in self._shallow(self._sections()):
            self.starts.setdefault(section.start, []).append(section)

    def all(self) -> tuple[list[Move], Value | None]:
        return self.between(0, len(self.children), self.plan.entry)

    def between(self, start: int, stop: int, flowing: Value | None) -> tuple[list[Move], Value | None]:
        """The moves for some children, and what flows after them."""
        moves: list[Move] = []
        at = start
        while at < stop:
            section = max(
                (one for one in self.starts.get(at, ()) if one.merge < stop),
                key=lambda one: one.merge,
                default=None,
            )
            if section is not None and section.entry is not None and flowing != section.entry:
                flowing = section.entry
                moves.append(Back(flowing))
            if section is not None and flowing is not None:
                moves.append(self._branched(section, flowing))
                at = section.merge
            else:
                child = self.children[at]
                if isinstance(child.unit, Layer) and child.unit.op.merges:
                    # parts with names of their own have these, and nothing is worked out in them
                    named = bool(child.unit.op.branches)
                    branches = [
                        () if value == flowing and not named else (Back(value),) for value in child.inputs
                    ]
                    moves.append(Merged(at, tuple(branches)))
                else:
                    entry = flowing
                    # what is read beside what flows has its name in the call
                    first = isinstance(child.unit, Layer) and bool(child.unit.op.second)
                    if child.inputs and flowing not in (child.inputs[:1] if first else child.inputs):
                        entry = child.inputs[0]
                        moves.append(Back(entry))
                    moves.append(Run(at))
                    if isinstance(child.unit, Scope):
                        self.planner.plan(child.unit, entry)
            flowing = self.plan.ends[at]
            at += 1
        return moves, flowing

    def _branched(self, section: _Section, flowing: Value) -> Merged:
        child = self.children[section.merge]
        rest = list(section.parts)
        made: dict[Value, tuple[Move, ...]] = {}
        for first, last in rest:
            moves, end = self.between(first, last + 1, flowing)
            value = next(v for v in child.inputs if self.makers.get(v) == last)
            made[value] = tuple(moves) if end == value else (*moves, Back(value))
        used: set[Value] = set()
        branches: list[tuple[Move, ...]] = []
        for value in child.inputs:
            if value in made and value not in used:
                used.add(value)
                branches.append(made[value])
            else:
                branches.append(() if value == flowing else (Back(value),))
        if child.unit.op.commutes:  # in the order in which they run, and what flows in last
            order = {value: k for k, value in enumerate(made)}
            pairs = sorted(
                zip(child.inputs, branches, strict=True),
                key=lambda pair: (order.get(pair[0], len(order)), not pair[1]),
            )
            branches = [moves for _, moves in pairs]
        return Merged(section.merge, tuple(branches))

    # --- where branches start -------------------------------------------------------------------

    def _sections(self) -> list[_Section]:
        found = []
        for number, child in enumerate(self.children):
            if not isinstance(child.unit, Layer):
                continue
            if isinstance(child.unit.op, Experts):
                found.append(self._experts(number, child))
            elif child.unit.op.merges and not child.unit.op.branches:
                section = self._section(number, child)
                if section is not None:
                    found.append(section)
        return found

    def _experts(self, merge: int, child: Child) -> _Section:
        """The router, and the experts behind it."""
        router, expert = [self.makers[value] for value in child.inputs]
        entry = self.children[expert].inputs[0]
        return _Section(router, merge, ((router, router), (expert, expert)), False, entry)

    def _section(self, merge: int, child: Child) -> _Section | None:
        """The children that run for the inputs of a merge alone, each branch after the other."""
        makers = sorted({self.makers[v] for v in child.inputs if v in self.makers}, reverse=True)
        if not makers or makers[0] != merge - 1:
            return None
        in_order = [self.makers[v] for v in child.inputs if v in self.makers]
        for count in range(len(makers), 0, -1):
            tails = makers[:count]
            if merge - tails[-1] > _FAR:
                continue  # they start before that
            inputs = dict.fromkeys(child.inputs)
            if count > 1:
                forks = list(self.children[tails[1] + 1].inputs)
            else:
                forks = [v for v in inputs if self.makers.get(v, -1) < tails[-1]]
            for fork in forks:
                section = self._from(fork, merge, tails, inputs)
                if section is None:
                    continue
                order = [tail for tail in in_order if tail in tails]
                if child.unit.op.commutes or order == sorted(order):
                    return section
        if child.unit.op.commutes or in_order == sorted(in_order):
            return self._apart(merge, makers)
        return None

    def _apart(self, merge: int, tails: list[int]) -> _Section | None:
        """Branches that start from tensors of their own, and of which nothing else reads anything."""
        if len(tails) < 2:
            return None
        parts: list[tuple[int, int]] = []
        for tail, before in zip(tails, [*tails[1:], -1], strict=True):
            first = tail
            while first - 1 > max(before, tail - _FAR) and self._last_read(first - 1) <= tail:
                first -= 1
            if before >= 0 and first != before + 1:
                return None
            parts.append((first, tail))
        start = parts[-1][0]
        for first, last in parts:
            read = [v for child in self.children[first : last + 1] for v in child.inputs]
            if any(start <= self.makers.get(v, -1) < first for v in read):
                return None  # one goes on from another, and not beside it
        return _Section(start, merge, tuple(sorted(parts)), False)

    def _last_read(self, child: int) -> int:
        """The last child that reads what one makes."""
        return max((self.readers.get(value, _FOREVER) for value in self.children[child].outputs), default=-1)

    def _from(self, fork: Value, merge: int, tails: list[int], inputs: Iterable[Value]) -> _Section | None:
        """Branches that end at some children, where they all start from one tensor."""
        maker = self.makers.get(fork, -1)
        if maker < 0 and fork != self.plan.entry:
            return None
        if maker >= 0 and self.plan.ends[maker] != fork:
            return None
        start = maker + 1
        if start > tails[-1] or merge - start > _FAR:
            return None
        firsts = [tail + 1 for tail in tails[1:]] + [start]
        if any(fork not in self.children[first].inputs for first in firsts):
            return None
        if len(tails) == 1 and (fork not in inputs or len(set(inputs)) != 2):
            return None
        inside = any(self.makers.get(v, -1) >= start and self.makers[v] not in tails for v in inputs)
        if inside and not self.children[merge].unit.op.commutes:
            return None  # it would be read before it is there
        parts = tuple(sorted(zip(firsts, tails, strict=True)))
        return _Section(start, merge, parts, fork in inputs)

    def _shallow(self, sections: list[_Section]) -> list[_Section]:
        """Those that nest no deeper than one reads with ease; of too deep ones none."""
        passing = [one for one in sections if one.passes]
        depths: dict[_Section, int] = {}
        opened: list[_Section] = []
        groups: list[list[_Section]] = []
        for one in sorted(passing, key=lambda one: (one.start, -one.merge)):
            while opened and opened[-1].merge <= one.start:
                opened.pop()
            if not opened:
                groups.append([])
            opened.append(one)
            depths[one] = len(opened)
            groups[-1].append(one)
        deep = {one for group in groups if max(depths[member] for member in group) > _DEEP for one in group}
        return [one for one in sections if one not in deep]
