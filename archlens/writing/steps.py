"""Steps as they will be written, for all scopes of one class at once: what is the same, and what differs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..analysis.nesting import Scope, Value, is_number


class Target(NamedTuple):
    """An earlier tensor, as it is reached from where it is read."""

    #: ``"name"`` of a step that is seen from there; ``"path"`` in the network; ``"given"``, a tensor that the
    #: block is handed, by its number.
    how: str
    what: str | int
    value: Value


class Absent:
    """In the place of a value: the step is not there."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = Absent()


class Word(str):
    """The name of an op as a value."""

    __slots__ = ()


@dataclass(eq=False)
class Slot:
    """An argument, with its value in each scope of the class."""

    name: str
    #: ``"channels"`` for what counts channels, ``"tensor"`` for a step, else its name.
    meaning: str
    values: list[Any]
    #: The channels that flow into the step.
    incoming: list[Any]
    #: What the op or block takes where it is not given; ``ABSENT`` where it must be.
    default: Any = ABSENT
    #: What is written in its place.
    text: str = ""

    @property
    def given(self) -> list[Any]:
        """The values where the step is there."""
        return [value for value in self.values if value is not ABSENT]

    @property
    def flows(self) -> bool:
        """Whether it is the channels that flow in, wherever the step is there."""
        return all(v is ABSENT or v == x for v, x in zip(self.values, self.incoming, strict=True))

    @property
    def varies(self) -> bool:
        """Whether scopes differ in it."""
        given = self.given
        return any(kind_and_value(one) != kind_and_value(given[0]) for one in given)


def kind_and_value(value: Any) -> Any:
    """What tells values apart that Python takes for equal: 1, 1.0 and true."""
    if isinstance(value, Target):
        return value[:2]
    if isinstance(value, tuple):
        return tuple(map(kind_and_value, value))
    return type(value), value


@dataclass(eq=False)
class Step:
    """One step."""

    #: ``"op"``; ``"given"``, an op that the block is handed; ``"call"`` of a block; ``"scope"``; ``"merge"``;
    #: ``"experts"``, whose branches are the router and an expert; ``"ref"``; ``"again"``, a further use;
    #: ``"gap"`` for a number that is left out; ``"alias"`` for a name of what flows.
    form: str
    #: Empty where the language gives it.
    name: str
    #: The op's class, the block, or the kind of merge.
    what: Any = None
    slots: list[Slot] = field(default_factory=list)
    #: The steps of a scope, or of each branch.
    branches: list[list[Step]] = field(default_factory=list)
    #: Whether it is there in each scope of the class.
    present: list[bool] = field(default_factory=lambda: [True])
    #: Whether a number is left out in its place where it is not.
    leaves_gap: bool = False
    #: Of a merge: whether steps beside it are counted, as ``identity`` would be.
    counted: bool = False
    #: Of a merge with what flows in: whether there is one, in each scope of the class.
    merged: list[bool] = field(default_factory=lambda: [True])
    #: The conditions that are written for ``present`` and ``merged``.
    condition: str = ""
    merges_if: str = ""
    #: Whether it has no weights and yet a number for its name, as where no step is named.
    numbered: bool = False


@dataclass(eq=False)
class Parameter:
    """A parameter of a block, with its value in each of its scopes."""

    name: str
    meaning: str
    values: list[Any]
    #: ``ABSENT`` where it must be given.
    default: Any = ABSENT
    #: What is written as its default, where that is no value; then it is never given.
    text: str = ""

    @property
    def is_optional(self) -> bool:
        """Whether a call may leave it out."""
        return bool(self.text) or self.default is not ABSENT


@dataclass(eq=False)
class Block:
    """Scopes that are written once."""

    base: str
    scopes: list[Scope]
    steps: list[Step]
    #: How many tensors it is handed beside what flows in.
    tensors: int = 0
    name: str = ""
    parameters: list[Parameter] = field(default_factory=list)


def walk(steps: Sequence[Step], path: tuple[str, ...] = ()) -> Iterator[tuple[Step, tuple[str, ...]]]:
    """Every step, with the names that lead to it."""
    for step in steps:
        here = (*path, step.name) if step.name else path
        yield step, here
        for branch in step.branches:
            yield from walk(branch, here if step.form == "scope" else path)


def together(scopes: Sequence[Sequence[Step]]) -> list[Step]:
    """The steps of scopes that differ in values alone, as those of one."""
    found = []
    for alike in zip(*scopes, strict=True):
        first = alike[0]
        slots = [
            Slot(
                one.name,
                one.meaning,
                [value for step in alike for value in step.slots[k].values],
                [flows for step in alike for flows in step.slots[k].incoming],
                one.default,
            )
            for k, one in enumerate(first.slots)
        ]
        branches = [together([step.branches[k] for step in alike]) for k in range(len(first.branches))]
        there = [True] * len(alike)
        found.append(
            Step(
                first.form,
                first.name,
                first.what,
                slots,
                branches,
                there,
                counted=first.counted,
                numbered=first.numbered,
                merged=there,
            )
        )
    return found


def unify(a: list[Step], n: int, b: list[Step], m: int, *, optional: bool) -> list[Step] | None:
    """The steps of two classes as those of one; ``None`` where that would not be the same block.

    Args:
        a: the steps of the one.
        n: how many scopes that is.
        b: the steps of the other.
        m: how many scopes that is.
        optional: whether some steps may be missing in one of them.
    """
    if len(a) == len(b):
        together = [_unified(one, n, other, m, optional) for one, other in zip(a, b, strict=True)]
        if None not in together:
            return together  # type: ignore[return-value]
    if not optional:
        return None
    return _around_merge(a, n, b, m) or _aligned(a, n, b, m)


def _unified(a: Step, n: int, b: Step, m: int, optional: bool) -> Step | None:
    if optional and a.name == b.name and a.what is not b.what:
        a, b = _as_choice(a), _as_choice(b)
    if (a.form, a.name, a.what) != (b.form, b.name, b.what) or len(a.branches) != len(b.branches):
        return None
    if a.numbered != b.numbered:
        return None
    if len(a.slots) != len(b.slots):
        return None
    branches = []
    for one, other in zip(a.branches, b.branches, strict=True):
        found = unify(one, n, other, m, optional=optional)
        if found is None or (a.form == "scope" and is_mixed(found)):
            return None
        branches.append(found)
    slots: list[Slot] = []
    for this, that in zip(a.slots, b.slots, strict=True):
        if this.name != that.name or (this.meaning == "tensor") != (that.meaning == "tensor"):
            return None
        incoming = this.incoming + that.incoming
        both = Slot(this.name, this.meaning, this.values + that.values, incoming, this.default)
        if this.meaning == "tensor" and both.varies:
            return None  # another step, and not another tensor that it is handed
        slots.append(both)
    return Step(
        a.form, a.name, a.what, slots, branches, a.present + b.present, a.leaves_gap or b.leaves_gap,
        a.counted or b.counted, a.merged + b.merged, numbered=a.numbered,
    )  # fmt: skip


def is_mixed(steps: Sequence[Step]) -> bool:
    """Whether some steps of a scope are named, and others have numbers as where none is."""
    here = list(_beside(steps))
    is_named = any(step.form in ("alias", "experts") or not is_number(step.name or "0") for step in here)
    return is_named and any(step.numbered for step in here)


def _beside(steps: Sequence[Step]) -> Iterator[Step]:
    """The steps that stand in one scope, those in branches of merges, too."""
    for step in steps:
        yield step
        for branch in step.branches if step.form == "merge" else ():
            yield from _beside(branch)


def _as_choice(step: Step) -> Step:
    """An activation that takes no arguments as one that a block is handed; any other step as it is."""
    op = step.what
    plain = step.form == "op" and op.family == "activation" and not any(
        kind_and_value(value) != kind_and_value(one.default) for one in step.slots for value in one.given
    )  # fmt: skip
    if not plain:
        return step
    count = len(step.present)
    values = [Word(op.kind) if there else ABSENT for there in step.present]
    slot = Slot("activation", "op", values, [None] * count)
    return Step(
        "given", step.name, None, [slot], [], step.present, step.leaves_gap, False, step.merged,
        numbered=step.numbered,
    )  # fmt: skip


def _padded(step: Step, before: int, after: int) -> Step:
    """A step that is not there in so many further scopes."""
    slots = [
        Slot(
            one.name,
            one.meaning,
            [ABSENT] * before + one.values + [ABSENT] * after,
            [ABSENT] * before + one.incoming + [ABSENT] * after,
            one.default,
        )
        for one in step.slots
    ]
    branches = [[_padded(one, before, after) for one in branch] for branch in step.branches]
    count = len(step.present)
    return Step(
        step.form,
        step.name,
        step.what,
        slots,
        branches,
        [False] * before + step.present + [False] * after,
        step.leaves_gap,
        step.counted,
        [False] * before + step.merged[:count] + [False] * after,
        numbered=step.numbered,
    )


#: What may be there or not: a step of one line.
_CHOSEN = ("op", "call", "gap", "given")


def _may_lack(step: Step) -> bool:
    """Whether a step may be chosen by an expression."""
    if step.form in _CHOSEN:
        return True
    return step.form == "scope" and bool(step.name) and all(map(_is_in_chain, step.branches[0]))


def _is_in_chain(step: Step) -> bool:
    """Whether a step can stand in a chain."""
    return step.form in ("op", "call", "given") and not step.name and all(step.present)


def _aligned(a: list[Step], n: int, b: list[Step], m: int) -> list[Step] | None:
    """Steps side by side, those that only one of them has as steps that may be missing."""
    if len(a) * len(b) > 2500:
        return None
    pairs: dict[tuple[int, int], Step | None] = {}

    def pair(i: int, j: int) -> Step | None:
        if (i, j) not in pairs:
            pairs[i, j] = _unified(a[i], n, b[j], m, True) or _stood_in(a[i], n, b[j], m)
        return pairs[i, j]

    # the longest common part, from the end
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        for j in range(len(b) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            if pair(i, j) is not None:
                best[i][j] = max(best[i][j], best[i + 1][j + 1] + _weight(a[i], b[j]))
    found: list[Step] = []
    i = j = common = 0
    while i < len(a) or j < len(b):
        both = pair(i, j) if i < len(a) and j < len(b) else None
        if both is not None and best[i][j] == best[i + 1][j + 1] + _weight(a[i], b[j]):
            found.append(both)
            i, j, common = i + 1, j + 1, common + 1
        elif i < len(a) and best[i][j] == best[i + 1][j]:
            if not _may_lack(a[i]):
                return None
            found.append(_padded(a[i], 0, m))
            i += 1
        else:
            if not _may_lack(b[j]):
                return None
            found.append(_padded(b[j], n, 0))
            j += 1
    lacking = len(found) - common
    names = [step.name for step in found if step.name]
    if lacking > max(1, common) or lacking > 4 or len(names) > len(set(names)):
        return None
    return found


def _weight(a: Step, b: Step) -> int:
    """How well two steps that can be one fit."""
    alike = sum(_is_like(one, other) for one, other in zip(a.slots, b.slots, strict=False))
    return 10 + alike + 2 * bool(a.name)


def _is_like(one: Slot, other: Slot) -> bool:
    """Whether an argument is the same in two steps, or counts the channels that flow in in both."""
    first = [kind_and_value(slot.given[0]) if slot.given else None for slot in (one, other)]
    return first[0] == first[1] or (one.flows and other.flows)


def _stood_in(a: Step, n: int, b: Step, m: int) -> Step | None:
    """A step in whose place the other has a number that is left out."""
    if a.form == "gap" and _may_lack(b) and b.form != "gap" and not b.name:
        found = _padded(b, n, 0)
    elif b.form == "gap" and _may_lack(a) and a.form != "gap" and not a.name:
        found = _padded(a, 0, m)
    else:
        return None
    found.leaves_gap = True
    return found


def passes(step: Step) -> int:
    """Which branch of a merge of two is what flows in; -1 where none is, or there are more."""
    if step.form != "merge" or len(step.branches) != 2:
        return -1
    empty = [k for k, branch in enumerate(step.branches) if not branch]
    return empty[0] if len(empty) == 1 else -1


def _around_merge(a: list[Step], n: int, b: list[Step], m: int) -> list[Step] | None:
    """Steps of which some are added to what flows in, in one of the classes alone."""
    for one, count, other, more, turned in ((a, n, b, m, False), (b, m, a, n, True)):
        for at, step in enumerate(one):
            k = passes(step)
            if k < 0 or step.what != "add":
                continue
            rest = len(one) - at - 1
            stop = len(other) - rest
            if stop <= at or any(inner.form == "merge" and inner.what == "add" for inner in other[at:stop]):
                continue
            branches: list[list[Step]] = [[], []]
            branches[1 - k] = other[at:stop]
            wrapped = Step(
                "merge", step.name, "add", [], branches, [True] * more, False, step.counted, [False] * more
            )
            whole = [*other[:at], wrapped, *other[stop:]]
            pair = (one, count, whole, more) if not turned else (whole, more, one, count)
            found = unify(*pair, optional=True)
            if found is not None:
                return found
    return None
