"""Names for the tensors of a ``forward``: ``x`` for what flows, ``identity`` for what a residual adds again.

Whatever is preferred, a name is given to a new tensor only when the one that has it is no longer read, so
that the names cannot change what is computed. Knows nothing of torch, nor of how the lines look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .formatting import numbered

Value = int

#: Where a tensor with a given name comes back later, it keeps the name: ``enc1`` of a U-Net. In a sum or a
#: product it is an ``identity``.
_SKIPS = ("", "concat")

#: The numbers behind a name that are tried again for each new tensor.
_FEW = 20


class Step(NamedTuple):
    """A line of ``forward``: what it reads and makes."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    #: ``"add"``, ``"multiply"`` or ``"concat"`` for a merge.
    merge: str
    #: For each output, the name that it takes where it needs one of its own.
    labels: tuple[str, ...]
    #: Whether it stands under a name that people gave.
    named: bool
    #: Whether it runs in training only.
    training: bool


class LineNames(NamedTuple):
    """The names of one line."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    #: A second name that is given before the line: new and old, for ``identity = x``.
    alias: tuple[str, str] | None


class Names(NamedTuple):
    """The names of all lines, and of the tensors that are returned."""

    lines: list[LineNames]
    results: dict[Value, str]


def name_tensors(steps: Sequence[Step], inputs: Mapping[Value, str], results: Mapping[Value, str]) -> Names:
    """Names for every tensor.

    Args:
        steps: the lines, in order.
        inputs: the arguments of ``forward``.
        results: what is returned, each with the name that it should have; empty where it does not matter.
    """
    return _Naming(steps, inputs, results).run()


class _Naming:
    def __init__(
        self, steps: Sequence[Step], inputs: Mapping[Value, str], results: Mapping[Value, str]
    ) -> None:
        self.steps = steps
        self.results = results
        self.uses: dict[Value, list[int]] = {value: [] for value in inputs}
        #: The tensors that a line under a given name makes.
        self.named = {value for step in steps if step.named for value in step.outputs}
        for number, step in enumerate(steps):
            for value in dict.fromkeys(step.inputs):
                self.uses[value].append(number)
            self.uses |= {value: [] for value in step.outputs}
        for value in results:
            self.uses[value].append(len(steps))
        #: The merge that a tensor leads to by one way alone, and the tensor that the merge then reads.
        self.ends: dict[Value, tuple[int, Value] | None] = {}
        #: The tensor whose branches a merge brings together.
        self.forks: dict[int, Value] = {}
        self.kept: set[Value] = set()
        #: How a branch that starts at a line is called; ``None`` where it takes the name of the main path.
        self.starts: dict[int, str | None] = {}
        #: The name of the result that a tensor becomes step by step.
        self.becomes: dict[Value, str] = {}
        for value in reversed(self.uses):
            self._look_ahead(value)
            self._look_for_result(value)
        self.names: dict[Value, str] = dict(inputs)
        self.firsts: dict[Value, str] = dict(inputs)
        self.counts: dict[str, int] = {}
        self.holders: dict[str, Value] = {name: value for value, name in inputs.items()}

    # --- where tensors lead ---------------------------------------------------------------------

    def _look_ahead(self, value: Value) -> None:
        """Find whether the ways from a tensor meet again; if not, it is kept under a name of its own."""
        uses = self.uses[value]
        self.ends[value] = None
        if not uses or len(self.steps) in uses:
            if len(uses) > 1:
                self.kept.add(value)
            return
        arms = [self._arm(value, number) for number in uses]
        if len(arms) == 1:
            self.ends[value] = arms[0]
            return
        meeting = max((arm[0] for arm in arms if arm), default=-1)
        arms = [self._follow(arm, meeting) for arm in arms]
        lines = [self.steps[number] for number in (*uses, meeting)] if meeting >= 0 else []
        if any(arm is None or arm[0] != meeting for arm in arms) or len({ln.training for ln in lines}) > 1:
            self.kept.add(value)
            return
        self.ends[value] = self._beyond(self.steps[meeting].outputs)
        if (
            value in self.named
            and value in self.steps[meeting].inputs
            and self.steps[meeting].merge in _SKIPS
        ):
            self.kept.add(value)
            return
        self.forks[meeting] = value
        self._name_branches(value, meeting, [arm[1] for arm in arms if arm])

    def _look_for_result(self, value: Value) -> None:
        """Find the result that alone is made of a tensor, where that has a name."""
        name = self.results.get(value, "")
        uses = self.uses[value]
        if value not in self.results and len(uses) == 1:
            step = self.steps[uses[0]]
            if len(step.inputs) == len(step.outputs) == 1:
                name = self.becomes.get(step.outputs[0], "")
        if name:
            self.becomes[value] = name

    def _arm(self, value: Value, number: int) -> tuple[int, Value] | None:
        """Where a tensor leads through one of the lines that read it."""
        step = self.steps[number]
        return (number, value) if len(step.inputs) > 1 else self._beyond(step.outputs)

    def _beyond(self, outputs: tuple[Value, ...]) -> tuple[int, Value] | None:
        return self.ends[outputs[0]] if len(outputs) == 1 else None

    def _follow(self, arm: tuple[int, Value] | None, meeting: int) -> tuple[int, Value] | None:
        """Go on through inner merges, though not far."""
        for _ in range(8):
            if arm is None or arm[0] >= meeting:
                return arm
            arm = self._beyond(self.steps[arm[0]].outputs)
        return None

    def _name_branches(self, value: Value, meeting: int, ends: list[Value]) -> None:
        step = self.steps[meeting]
        branches = [n for n in self.uses[value] if n != meeting]
        direct = meeting in self.uses[value]
        if step.merge == "add" and len(step.inputs) == 2 and len(ends) == 2 and len(set(ends)) == 2:
            self.starts[branches[0]] = None
            return
        for number, end in zip(self.uses[value], ends, strict=True):
            if number == meeting or number in self.starts:
                continue
            position = step.inputs.index(end)
            own = self.steps[number]
            if own.outputs == (end,) and own.named:
                name = own.labels[0]
            elif direct and len(step.inputs) == 2:
                name = {"multiply": "scale", "concat": "new_features"}.get(step.merge, "branch")
            else:
                name = f"branch{position + 1}"
            self.starts[number] = name

    # --- giving names ------------------------------------------------------------------------------

    def run(self) -> Names:
        lines = [self._line(number, step) for number, step in enumerate(self.steps)]
        return Names(lines, {value: self.names[value] for value in self.results})

    def _line(self, number: int, step: Step) -> LineNames:
        alias = None
        inputs = tuple([self.names[value] for value in step.inputs])
        if number in self.starts and self.starts[number] is None and len(step.inputs) == 1:
            value = step.inputs[0]
            if self._is_read(value, number):
                alias = self._put_aside(value, number)
        outputs = []
        for value, label in zip(step.outputs, step.labels, strict=True):
            preferred = [*self._preferred(number, step, value, label, alias), label]
            name = next((n for n in preferred if self._is_free(n, number)), None)
            if name is None:
                name = self._numbered(label, number)
            outputs.append(name)
            self._give(value, name)
        return LineNames(inputs, tuple(outputs), alias)

    def _put_aside(self, value: Value, number: int) -> tuple[str, str]:
        """Give a tensor that is added again later a second name, so that the branch can take its first."""
        old = self.names[value]
        new = "identity" if self._is_free("identity", number) else self._numbered("identity", number)
        self.names[value] = new
        self.holders[new] = value
        del self.holders[old]
        return new, old

    def _give(self, value: Value, name: str) -> None:
        self.names[value] = name
        self.firsts[value] = name
        self.holders[name] = value

    def _preferred(
        self, number: int, step: Step, value: Value, label: str, alias: tuple[str, str] | None
    ) -> list[str]:
        """The names that would suit a new tensor, the best first."""
        if value in self.kept and not self.results.get(value):
            return [label]
        if value in step.outputs[:-1]:
            return [self.results.get(value) or label]
        if value in self.becomes:
            return [self.becomes[value]]
        if alias is not None:
            return [alias[1]]
        start = self.starts.get(number)
        if start is not None:
            base = self.firsts[step.inputs[0]]
            nested = (
                start != label
                and start.startswith("branch")
                and base not in ("x", *map(str, self.results.values()))
            )
            return [f"{base}_{start.removeprefix('branch')}" if nested and base != start else start]
        if number in self.forks:
            return [self.firsts[self.forks[number]], "x", "out"]
        flowing = [v for v in step.inputs if v not in self.kept and not self._is_read(v, number)]
        names = [self.names[v] for v in flowing]
        return [*names, "x", "out"] if len(step.inputs) == 1 else ["x", *names[:1], "out"]

    def _is_read(self, value: Value, number: int) -> bool:
        """Whether a tensor is still read after a line."""
        uses = self.uses[value]
        return bool(uses) and uses[-1] > number

    def _numbered(self, label: str, number: int) -> str:
        """A free name of that label and a number.

        Low numbers are used again; where many tensors are kept at once, the numbers go on, so that finding
        one does not take longer and longer.
        """
        for count in range(2, _FEW):
            if self._is_free(numbered(label, count), number):
                return numbered(label, count)
        self.counts[label] = self.counts.get(label, _FEW - 1) + 1
        while not self._is_free(numbered(label, self.counts[label]), number):
            self.counts[label] += 1
        return numbered(label, self.counts[label])

    def _is_free(self, name: str, number: int) -> bool:
        holder = self.holders.get(name)
        return holder is None or not self._is_read(holder, number)
