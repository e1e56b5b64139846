"""The parameters of a block: what differs between its scopes, and is not said by what flows in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..analysis.nesting import is_number
from .names import free
from .steps import ABSENT, Block, Parameter, Slot, Step, Target, Word, kind_and_value, walk

#: How many arguments may differ.
_MOST = 100


class _At(NamedTuple):
    """An argument, and where it stands."""

    slot: Slot
    step: Step
    path: tuple[str, ...]


def parametrize(
    block: Block, entry: Sequence[int | None], out: Sequence[int], handed: Sequence[Sequence[Target]]
) -> None:
    """Find what differs between the scopes of a block, and make it the parameters.

    Args:
        block: gets them.
        entry: the channels that flow into each scope; ``None`` where it goes on from elsewhere.
        out: the channels that flow out of each.
        handed: the tensors that each is handed.
    """
    _Parameters(block, entry, out, handed).find()


class _Parameters:
    def __init__(
        self,
        block: Block,
        entry: Sequence[int | None],
        out: Sequence[int],
        handed: Sequence[Sequence[Target]],
    ) -> None:
        self.block = block
        self.entry = list(entry)
        self.out = list(out)
        self.handed = handed
        self.all = [_At(slot, step, path) for step, path in walk(block.steps) for slot in step.slots]
        #: Names that a parameter must not have: those that steps are read by.
        self.taken = {
            *(str(at.slot.values[0].what) for at in self.all if _is_named(at.slot)),
        }

    def find(self) -> None:
        """All parameters, in the order in which they are declared."""
        self._tensors()
        self._identities(self.block.steps)
        varying = [at for at in self.all if at.slot.meaning != "tensor" and at.slot.varies]
        open_: list[_At] = []
        for at in varying:
            if at.slot.name == "groups" and at.slot.flows:
                at.slot.text = "x.channels"
            else:
                open_.append(at)
        groups: dict[Any, list[_At]] = {}
        for at in open_:
            key = (at.slot.meaning, *_column(at.slot.values))
            groups.setdefault(key, []).append(at)
        if len(groups) > _MOST:  # more than anybody calls with, so that it does not become a block
            self.block.parameters = [Parameter("", "", self.out) for _ in groups]
            return
        merged = self._filled(list(groups.values()))
        chosen: list[tuple[list[_At], list[Any]]] = []
        pending: list[tuple[list[_At], list[Any]]] = []
        for group in merged:
            column = _together([at.slot.values for at in group])
            if group[0].slot.meaning == "channels" and all(self._scaled(at.slot) for at in group):
                pending.append((group, column))
            else:
                chosen.append((group, column))
        chosen = self._without_multiples(chosen)
        columns = {
            tuple(map(kind_and_value, column)): group
            for group, column in chosen
            if group[0].slot.meaning == "channels"
        }
        for group, column in pending:
            same = columns.get(tuple(map(kind_and_value, column)))
            for at in group:
                at.slot.text = self._scaled(at.slot)
            if same is not None:
                same += group
        names = self._names(chosen)
        for (group, column), name in zip(chosen, names, strict=True):
            default = _default(group, column)
            meaning = group[0].slot.meaning
            parameter = Parameter(name, meaning, column, default)
            if meaning == "channels" and column == self.entry:
                parameter.text = "x.channels"
            self.block.parameters.append(parameter)
            for at in group:
                at.slot.text = name
        for at in self.multiples:
            base, times = self.multiples[at]
            at.slot.text = f"{times} * {base.slot.text}"
        self._flags()
        self._paddings()
        self.block.parameters.sort(
            key=lambda one: (bool(one.text) or one.default is not ABSENT, one.meaning == "tensor")
        )

    # --- tensors ----------------------------------------------------------------------------------

    def _tensors(self) -> None:
        """A parameter for each tensor that is handed, and for each path that differs."""
        block = self.block
        names: dict[int, str] = {}
        for number, column in enumerate(zip(*self.handed, strict=True)):
            base = "source" if block.tensors == 1 and None in self.entry else "skip"
            names[number] = self._free(base)
            block.parameters.append(Parameter(names[number], "tensor", list(column)))
        for at in self.all:
            if at.slot.meaning != "tensor":
                continue
            target = at.slot.given[0]
            if target.how == "given":
                at.slot.text = names[int(target.what)]

    def _identities(self, steps: Sequence[Step]) -> None:
        """What a block is handed is ``identity`` where it is missing, if no number comes after it."""
        for number, step in enumerate(steps):
            for branch in step.branches:
                self._identities(branch)
            last = all(later.name or later.form == "merge" for later in steps[number + 1 :])
            if step.form == "given" and last and not step.leaves_gap and not all(step.present):
                slot = step.slots[0]
                slot.values = [Word("identity") if value is ABSENT else value for value in slot.values]
                step.present = [True] * len(step.present)

    # --- numbers ----------------------------------------------------------------------------------

    def _filled(self, groups: list[list[_At]]) -> list[list[_At]]:
        """Groups whose values agree wherever both are there, as one."""
        found: list[tuple[list[_At], list[Any]]] = []
        for group in groups:
            column = group[0].slot.values
            for other, known in found:
                if other[0].slot.meaning == group[0].slot.meaning and _agree(column, known):
                    other += group
                    known[:] = _together([known, column])
                    break
            else:
                found.append((group, list(column)))
        # what is the same wherever an optional step is there, and goes with what differs elsewhere
        for at in self.all:
            if not at.slot.varies and ABSENT in at.slot.values and at.slot.given:
                value = at.slot.given[0]
                if at.slot.default is not ABSENT and kind_and_value(value) == kind_and_value(at.slot.default):
                    continue
                for other, known in found:
                    if other[0].slot.meaning == at.slot.meaning and _agree(at.slot.values, known):
                        other.append(at)
                        break
        return [group for group, _ in found]

    def _scaled(self, slot: Slot) -> str:
        """What counts channels by those that flow in, where that is so in every scope; else empty."""
        pairs = [(v, x) for v, x in zip(slot.values, slot.incoming, strict=True) if v is not ABSENT]
        if any(x is None or type(v) is not int for v, x in pairs):
            return ""
        if all(v == x for v, x in pairs):
            return "x.channels"
        value, flows = pairs[0]
        if not value or len({v for v, _ in pairs}) < 2:
            return ""
        if value % flows == 0 and all(v * flows == x * value for v, x in pairs):
            return f"{value // flows} * x.channels"
        if flows % value == 0 and all(v * flows == x * value for v, x in pairs):
            return f"x.channels // {flows // value}"
        return ""

    def _without_multiples(
        self, chosen: list[tuple[list[_At], list[Any]]]
    ) -> list[tuple[list[_At], list[Any]]]:
        """The groups that are no whole multiple of another."""
        self.multiples: dict[_At, tuple[_At, int]] = {}
        kept: list[tuple[list[_At], list[Any]]] = []
        for group, column in sorted(chosen, key=lambda one: _size(one[1])):
            base = None
            if group[0].slot.meaning == "channels":
                for other, known in kept:
                    times = _times(column, known) if other[0].slot.meaning == "channels" else 0
                    if times:
                        base = other[0], times
                        break
            if base is None:
                kept.append((group, column))
            else:
                self.multiples |= dict.fromkeys(group, base)
        return [one for one in chosen if any(one[0] is group for group, _ in kept)]

    def _names(self, chosen: list[tuple[list[_At], list[Any]]]) -> list[str]:
        """A name for each group; all differ."""
        found = [""] * len(chosen)
        channels = [k for k, (group, _) in enumerate(chosen) if group[0].slot.meaning == "channels"]
        for k in channels:
            if len(channels) == 1:
                found[k] = chosen[k][0][0].slot.name
            elif _agree(chosen[k][1], self.out):
                found[k] = "out"
                break
        rest = [k for k in channels if not found[k]]
        if len(rest) == 1 and len(channels) == 2:
            found[rest[0]] = "width"
        plain = Counter(chosen[k][0][0].slot.name for k in range(len(chosen)) if not found[k])
        for k, (group, _) in enumerate(chosen):
            name = group[0].slot.name
            if not found[k] and k not in channels and plain[name] == 1:
                found[k] = name
        leads = [group[0] for group, _ in chosen]
        for depth, numbers in ((1, False), (2, False), (1, True), (2, True), (3, True), (9, True)):
            tried = {
                k: _called(leads[k], depth, k in channels, numbers)
                for k, name in enumerate(found)
                if not name
            }
            counts = Counter(tried.values())
            for k, name in tried.items():
                if name and counts[name] == 1 and name not in found:
                    found[k] = name
        return [self._free(name or leads[k].slot.name) for k, name in enumerate(found)]

    def _free(self, name: str) -> str:
        found = free(name, self.taken)
        self.taken.add(found)
        return found

    # --- what may be missing --------------------------------------------------------------------------

    def _flags(self) -> None:
        """A parameter for each step that is not there in all scopes."""
        known: dict[tuple[bool, ...], str] = {}
        inside = {
            id(inner)
            for outer, _ in walk(self.block.steps)
            if outer.form == "scope" and not all(outer.present)
            for branch in outer.branches
            for inner, _ in walk(branch)
        }
        for step, _ in walk(self.block.steps):
            for column, what in ((step.present, "present"), (step.merged, "merged")):
                if all(column):
                    continue
                if what == "merged" and step.form != "merge":
                    continue
                if what == "present" and id(step) in inside:  # it is missing because the scope is
                    continue
                key = tuple(column)
                if key not in known:
                    known[key] = self._free(_flag(step, what))
                    default = column.count(True) * 2 > len(column)
                    self.block.parameters.append(Parameter(known[key], "flag", list(column), default))
                if what == "present":
                    step.condition = known[key]
                else:
                    step.merges_if = known[key]

    def _paddings(self) -> None:
        """Paddings that keep the size under any kernel, or any dilation, said so."""
        for step, _ in walk(self.block.steps):
            slots = {one.name: one for one in step.slots}
            padding = slots.get("padding")
            if step.form != "op" or padding is None or not padding.text:
                continue
            for name, how in (("kernel", lambda n: n // 2), ("dilation", lambda n: n)):
                other = slots.get(name)
                if other is not None and other.text and _follows(padding.values, other.values, how):
                    self._replace(padding, f"{other.text} // 2" if name == "kernel" else other.text)
                    break

    def _replace(self, slot: Slot, text: str) -> None:
        """Write something else for an argument, and forget its parameter where nothing else takes it."""
        before, slot.text = slot.text, text
        if all(at.slot.text != before for at in self.all):
            self.block.parameters = [one for one in self.block.parameters if one.name != before]


def _follows(values: Sequence[Any], others: Sequence[Any], how: Callable[[int], int]) -> bool:
    """Whether numbers are made of others, everywhere."""
    return all(
        v is ABSENT or (type(v) is int and type(o) is int and v == how(o))
        for v, o in zip(values, others, strict=True)
    )


def _is_named(slot: Slot) -> bool:
    return slot.meaning == "tensor" and bool(slot.given) and slot.given[0].how == "name"


def _column(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple([kind_and_value(value) if value is not ABSENT else ABSENT for value in values])


def _agree(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return all(
        x is ABSENT or y is ABSENT or kind_and_value(x) == kind_and_value(y)
        for x, y in zip(a, b, strict=True)
    )


def _together(columns: Sequence[Sequence[Any]]) -> list[Any]:
    """A value for each scope from the first column that has one."""
    return [next((v for v in row if v is not ABSENT), ABSENT) for row in zip(*columns, strict=True)]


def _size(column: Sequence[Any]) -> Any:
    numbers = [v for v in column if isinstance(v, int)]
    return sum(numbers) / max(len(numbers), 1)


def _times(column: Sequence[Any], base: Sequence[Any]) -> int:
    """How many times another column it is, everywhere; 0 where it is not."""
    pairs = [(v, b) for v, b in zip(column, base, strict=True) if v is not ABSENT]
    if any(type(v) is not int or type(b) is not int for v, b in pairs) or len({v for v, _ in pairs}) < 2:
        return 0
    value, first = pairs[0]
    if value % first or value == first:
        return 0
    return value // first if all(v * first == b * value for v, b in pairs) else 0


def _default(group: list[_At], column: Sequence[Any]) -> Any:
    """What most take, unless it is a size."""
    lead = group[0].slot
    given = [value for value in column if value is not ABSENT]
    missing = len(given) < len(column)
    if lead.meaning == "channels" and not missing:
        return ABSENT
    if lead.default is not ABSENT and any(kind_and_value(lead.default) == kind_and_value(v) for v in given):
        return lead.default
    value, count = Counter(map(kind_and_value, given)).most_common(1)[0]
    first = next(one for one in given if kind_and_value(one) == value)
    if missing or (2 * count > len(given) and lead.meaning not in ("kernel",)):
        return first
    return ABSENT


def _called(at: _At, depth: int, channels: bool, numbers: bool) -> str:
    """An argument by the last names that lead to it; those that are numbers may go along."""
    tail: list[str] = []
    for name in reversed(at.path):
        if numbers or not is_number(name):
            tail.insert(0, name)
        if len([one for one in tail if not is_number(one)]) == depth:
            break
    parts = [*tail] if channels and tail else [*tail, at.slot.name]
    return "_".join(parts)


def _flag(step: Step, what: str) -> str:
    if what == "merged":
        return "residual"
    if step.name:
        return step.name
    return f"with_{step.what.base if step.form == 'call' else step.what.kind if step.what else 'activation'}"
