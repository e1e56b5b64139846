"""The blocks of a network: scopes that are alike are one block, and what differs makes its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ..analysis.nesting import Child, Nesting, Scope, Value, is_number, shape_of
from ..analysis.uses import Use
from ..elaboration.building import Place
from ..elaboration.sharing import TIED
from ..errors import shorten, usage
from ..grouping import grouped
from ..network import Layer, Network, scopes_around
from ..ops.experts import Experts
from ..ops.op import signature
from .names import TAKEN, free, is_name, snake
from .parameters import parametrize
from .plan import Back, Merged, Move, Plan, Planner, Run
from .steps import ABSENT, Block, Slot, Step, Target, Word, is_mixed, kind_and_value, together, unify

#: How many numbers in a row may be left out by steps that do nothing, before names are written.
_GAPS = 2
#: How often names that the language gives are looked for, each time without those that it gave otherwise.
_ROUNDS = 8
#: More than any number of a step, so that none is that of the next.
_NO_NUMBER = 1 << 60
#: With how many blocks of its name a scope is compared.
_TRIED = 8

#: How many parameters a block may have.
_PARAMETERS = 24

#: The arguments of ops that count channels.
CHANNELS = ("channels", "features")


class Reader:
    """Reads a network into blocks, and the steps of its ``layers``."""

    def __init__(
        self, network: Network, alone: frozenset[str] = frozenset(), *, explicit: bool = False
    ) -> None:
        self.network = network
        self.alone = alone
        #: Whether names are written that the language would give.
        self.explicit = explicit
        self.tree = Nesting(network)
        self.scopes = {scope.path: scope for scope in self.tree.closed}
        self.root: Scope = self.tree.root
        self.heads = self._heads()
        self.ends = {name: self.tree.numbers[end] for name, end in network.outputs.items()}
        self.planner = Planner(self.root, -1, self.ends.get("out"))
        for scope in self.heads.values():
            self.planner.plan(scope, None)
        self.groups = self._groups()
        self.members = {scope.path: key for key, scopes in self.groups.items() for scope in scopes}
        self.aliases: dict[str, dict[int, str]] = {}
        self.again = {use.of for use in self.tree.uses.values()}
        self.merges: dict[str, dict[int, str]] = {}
        self.named: dict[str, dict[str, int]] = {}
        self.targets: dict[tuple[str, Value, bool], Target] = {}
        for plan in list(self.planner.plans.values()):
            self._resolve(plan, plan.moves)
        for name, value in self.ends.items():
            if name != "out" and name not in self.heads:
                self.target(self.root, value)
        for scope in self.heads.values():
            if scope.path in self.members:
                for value in self.handed(scope):
                    self.target(self.root, value, argument=True)
        self.blocks: list[Block] = []
        self.made: dict[str, tuple[Block, int]] = {}

    # --- further heads ----------------------------------------------------------------------------

    def _heads(self) -> dict[str, Scope]:
        """The heads that come last and are called as the outputs that they are; they leave the root.

        Raises:
            UsageError: such a layer is in none that has the name of its output.
        """
        found: dict[str, Scope] = {}
        for child in reversed(self.root.children):
            end = self.network.outputs.get(child.name, "") if child.name != "out" else ""
            if not isinstance(child.unit, Scope) or not end.startswith(f"{child.unit.path}."):
                break
            found[child.name] = child.unit
        found = dict(reversed(found.items()))
        for layer in self.network.layers:
            if layer.training and layer.name.partition(".")[0] not in found:
                raise usage(
                    f"{shorten(self.network.name)} cannot be written as a spec: {shorten(layer.name)} runs "
                    "in training only, and is in no scope that an output has the name of",
                    span=layer.span,
                )
        self.root.children = [child for child in self.root.children if child.name not in found]
        return found

    # --- which scopes are blocks ------------------------------------------------------------------

    def _groups(self) -> dict[Any, list[Scope]]:
        """Scopes that may be one block: of one class, or else with the same steps in several places."""
        looks: dict[str, Any] = {}
        numbers: dict[Any, int] = {}
        for scope in self.tree.closed:
            key = tuple(self._look(child, looks) for child in scope.children)
            looks[scope.path] = numbers.setdefault((scope.block, key), len(numbers))
        apart = {path for path, copies in self.network.experts.items() if not copies.stacked} | self.alone
        inner = [scope for scope in self.tree.closed if scope.parent and scope.path not in apart]
        named = grouped((scope.block, scope) for scope in inner if scope.block)
        found: dict[Any, list[Scope]] = {block: scopes for block, scopes in named.items() if len(scopes) > 1}
        plain = grouped((looks[scope.path], scope) for scope in inner if not scope.block)
        for look, scopes in plain.items():
            places = {self._place(scope) for scope in scopes}
            layers = sum(isinstance(child.unit, Layer) for child in scopes[0].children)
            if len(places) > 1 and layers > 2:
                found[look] = scopes
        return found

    @staticmethod
    def _look(child: Child, looks: dict[str, Any]) -> Any:
        if isinstance(child.unit, Layer):
            return child.name, child.unit.op.kind, len(child.inputs)
        if isinstance(child.unit, Use):
            return child.name, child.unit.of, len(child.inputs)
        return child.name, looks[child.unit.path]

    @staticmethod
    def _place(scope: Scope) -> tuple[str, str]:
        """Where a scope is written: in which block, and under which name there."""
        outer = scope.parent
        while outer is not None and outer.parent is not None and not outer.block:
            outer = outer.parent
        if outer is None or not outer.block:
            return "", scope.path
        return outer.block, scope.path[len(outer.path) + 1 :]

    def frame(self, scope: Scope) -> Scope:
        """The block that a scope is written in, or the root."""
        while scope.parent is not None and scope.path not in self.members:
            scope = scope.parent
        return scope

    # --- how earlier tensors are reached ------------------------------------------------------------

    def _resolve(self, plan: Plan, moves: Sequence[Move]) -> None:
        for move in moves:
            if isinstance(move, Back):
                self.target(plan.scope, move.value)
            elif isinstance(move, Merged):
                for branch in move.branches:
                    self._resolve(plan, branch)
            else:
                child = plan.scope.children[move.child]
                if isinstance(child.unit, Layer) and child.unit.op.second:
                    self.target(plan.scope, child.inputs[-1])
                if isinstance(child.unit, Scope) and child.unit.path in self.members:
                    for value in self.handed(child.unit):
                        self.target(plan.scope, value, argument=True)

    def handed(self, scope: Scope) -> list[Value]:
        """The tensors that a block is handed beside what flows in."""
        entry = self.planner.plans[scope.path].entry
        return [value for value in scope.inputs if value != entry]

    def target(self, scope: Scope, value: Value, *, argument: bool = False) -> Target:
        """How a tensor is reached from a scope.

        Args:
            scope: where it is read.
            value: what is read.
            argument: whether it is handed to a block, where names of ops mean these.
        """
        key = (scope.path, value, argument)
        found = self.targets.get(key)
        if found is None:
            found = self.targets[key] = self._target(scope, value, argument)
        return found

    def _target(self, scope: Scope, value: Value, argument: bool) -> Target:
        frame = self.frame(scope)
        plan = self.planner.plans[frame.path]
        home = self.tree.homes[value]
        reused = self._reused(scope, frame, value, home)
        if reused is not None:
            return Target("name", self._alias(reused, -1), value)
        if frame.parent is not None and not _within(home, frame):
            if value == plan.entry:
                return Target("name", self._alias(frame, -1), value)
            return Target("given", self.handed(frame).index(value), value)
        if value < 0:
            name = list(self.network.inputs)[-1 - value]
            if argument or self._is_hidden(name, scope, self.root):
                return (
                    Target("name", self._alias(self.root, -1), value)
                    if value == -1
                    else Target("path", name, value)
                )
            return Target("name", name, value)
        outer = scope
        while not _within(home, outer):
            assert outer.parent is not None
            outer = outer.parent
        number = self._maker(outer, value, home)
        child = outer.children[number]
        if self.planner.plans[outer.path].ends[number] != value:
            return Target("path", self.network.layers[value].name, value)
        usable = is_name(child.name) and not (argument and child.name in TAKEN)
        if isinstance(child.unit, Layer) and child.unit.op.merges:
            usable &= child.name == self._automatic(outer, number)
            usable &= not self._is_named_around(child.name, outer)
        if usable and not self._is_hidden(child.name, scope, outer):
            return Target("name", child.name, value)
        return Target("name", self._alias(outer, number), value)

    def _reused(self, scope: Scope, frame: Scope, value: Value, home: Scope) -> Scope | None:
        """The scope around another that is applied again and that a value flows into: then another does.

        Around a block none is looked for, since a block knows no names around it.
        """
        at: Scope | None = scope
        while at is not None and at.parent is not None and not _within(home, at):
            if at.path in self.again and self.planner.plans[at.path].entry == value:
                return at
            if at is frame:
                break
            at = at.parent
        return None

    def _maker(self, scope: Scope, value: Value, home: Scope) -> int:
        """The child of a scope that a tensor is made in."""
        path = self.network.layers[value].name if home is scope else home.path
        inner = path[len(scope.path) + 1 if scope.path else 0 :]
        names = self._names(scope)  # of which some are paths, where others stand between their steps
        return next(names[one] for one in (*scopes_around(inner), inner) if one in names)

    def _names(self, scope: Scope) -> dict[str, int]:
        """The children of a scope by their names."""
        found = self.named.get(scope.path)
        if found is None:
            found = self.named[scope.path] = {child.name: k for k, child in enumerate(scope.children)}
        return found

    def _automatic(self, scope: Scope, number: int) -> str:
        """The name that the language gives to a merge."""
        found = self.merges.get(scope.path)
        if found is None:
            place = Place("", None, {})
            merges = [isinstance(one.unit, Layer) and one.unit.op.merges for one in scope.children]
            place.taken = {
                one.name: None for one, merge in zip(scope.children, merges, strict=True) if not merge
            }
            found = self.merges[scope.path] = {
                k: place.automatic(scope.children[k].unit.op.kind) for k, merge in enumerate(merges) if merge
            }
        return found[number]

    def _is_hidden(self, name: str, scope: Scope, outer: Scope) -> bool:
        """Whether a name means something else where it is read."""
        at: Scope | None = scope
        while at is not None and at is not outer:
            if name in self._names(at):
                return True
            at = at.parent
        return False

    def _is_named_around(self, name: str, scope: Scope) -> bool:
        """Whether a step around a scope has this name as its own, which comes before a merge's in it."""
        at = scope.parent
        while at is not None:
            number = self._names(at).get(name)
            if number is not None:
                unit = at.children[number].unit
                return not (isinstance(unit, Layer) and unit.op.merges)
            at = at.parent
        return False

    def _alias(self, scope: Scope, number: int) -> str:
        """A name for what a child gives, which it has not from the language; -1 for what flows in."""
        given = self.aliases.setdefault(scope.path, {})
        if number not in given:
            child = scope.children[number] if number >= 0 else None
            base = "entry" if child is None else f"{child.name}_out"
            if child is not None and (is_number(child.name) or child.name.startswith(" ")):
                base = "skip"
            given[number] = free(base, self._names(scope), given.values(), self._aliases_around(scope))
        return given[number]

    def _aliases_around(self, scope: Scope) -> set[str]:
        """The names that are given around a scope and in it, of which the innermost would be meant."""
        frame = self.frame(scope)
        return {
            name
            for path, given in self.aliases.items()
            if (other := self.scopes.get(path, self.root)) is not scope
            and (_within(other, scope) or _within(scope, other))
            and self.frame(other) is frame
            for name in given.values()
        }

    # --- the steps ----------------------------------------------------------------------------------

    def read(self) -> list[Step]:
        """The steps of ``layers``; the blocks that they take are in ``blocks``, the innermost first."""
        for scopes in self._in_order():
            self._add(scopes)
        return self.steps(self.root)

    @property
    def lonely(self) -> frozenset[str]:
        """The scopes that no other is like, or in too much unlike: they are written where they stand."""
        return frozenset(
            scope.path
            for block in self.blocks
            if len(block.scopes) == 1 or len(block.parameters) > _PARAMETERS
            for scope in block.scopes
        )

    def _in_order(self) -> list[list[Scope]]:
        """Groups of scopes, each after those that stand in it; of classes that hold each other, by height."""
        height: dict[str, int] = {}
        for scope in self.tree.closed:
            inner = [height[child.unit.path] for child in scope.children if isinstance(child.unit, Scope)]
            height[scope.path] = 1 + max(inner, default=0)
        holds: dict[Any, set[Any]] = {key: set() for key in self.groups}
        for key, scopes in self.groups.items():
            for scope in scopes:
                outer = scope.parent
                while outer is not None:
                    if outer.path in self.members:
                        holds[self.members[outer.path]].add(key)
                        break
                    outer = outer.parent
        order: list[Any] = []
        done: set[Any] = set()
        circles: set[Any] = set()

        def visit(key: Any, above: tuple[Any, ...]) -> None:
            if key in above:
                circles.update(above[above.index(key) :])
                return
            if key in done:
                return
            for inner in sorted(holds[key], key=str):
                visit(inner, (*above, key))
            done.add(key)
            order.append(key)

        for key in self.groups:
            visit(key, ())
        found: list[list[Scope]] = []
        rest = [scope for key in order if key in circles for scope in self.groups[key]]
        by_height = grouped((height[scope.path], scope) for scope in rest)
        pending = [
            members
            for level in sorted(by_height)
            for members in grouped((self.members[one.path], one) for one in by_height[level]).values()
        ]
        for key in order:
            if key in circles:
                found += pending
                pending = []
            else:
                found.append(self.groups[key])
        return found

    def _add(self, scopes: list[Scope]) -> None:
        """Make blocks of the scopes of one group."""
        found = [(scope, self.steps(scope)) for scope in scopes]
        exact = grouped(
            ((_skeleton(steps), len(self.handed(scope))), (scope, steps)) for scope, steps in found
        )
        own = [
            Block(
                _base(alike[0][0]), [scope for scope, _ in alike], together([one for _, one in alike]), handed
            )
            for (_, handed), alike in exact.items()
        ]
        merged: list[Block] = []
        for block in own:
            for other in merged[-_TRIED:]:
                if other.tensors != block.tensors or not block.scopes[0].block:
                    continue
                joined = unify(other.steps, len(other.scopes), block.steps, len(block.scopes), optional=True)
                if joined is not None and not is_mixed(joined):
                    other.steps = joined
                    other.scopes += block.scopes
                    break
            else:
                merged.append(block)
        for block in merged:
            plans = [self.planner.plans[scope.path] for scope in block.scopes]
            parametrize(
                block,
                [None if plan.entry is None else self.channels(plan.entry) for plan in plans],
                [self.channels(plan.end) for plan in plans],
                [[Target("given", k, v) for k, v in enumerate(self.handed(scope))] for scope in block.scopes],
            )
            for number, scope in enumerate(block.scopes):
                self.made[scope.path] = block, number
            self.blocks.append(block)

    def back(self, scope: Scope, value: Value) -> Step:
        """The step that goes back to an earlier tensor."""
        return Step("ref", "", None, [Slot("", "tensor", [self.target(scope, value)], [None])])

    def called(self, name: str, scope: Scope, inner: Scope) -> Step:
        """The step that calls the block of an inner scope."""
        block, number = self.made[inner.path]
        entry = self.planner.plans[inner.path].entry
        flows = None if entry is None else self.channels(entry)
        slots = []
        for one in block.parameters:
            if one.text:
                continue
            value = one.values[number]
            if one.meaning == "tensor" and value is not ABSENT:
                value = self.target(scope, value.value, argument=True)
            slots.append(Slot(one.name, one.meaning, [value], [flows], one.default))
        return Step("call", name, block, slots)

    def channels(self, value: Value) -> int:
        """The channels of a tensor."""
        return shape_of(self.network, value).channels

    def steps(self, scope: Scope) -> list[Step]:
        """The steps of a scope."""
        return _Lift(self, scope).steps


def _base(scope: Scope) -> str:
    if scope.block:
        return snake(scope.block)
    name = re.sub(r"[\d_]+$", "", scope.name)
    outer = scope.parent
    while not name and outer is not None:
        name = re.sub(r"[\d_]+$", "", outer.name)
        outer = outer.parent
    return snake(name or "block")


def _within(home: Scope, outer: Scope) -> bool:
    return not outer.path or home.path == outer.path or home.path.startswith(f"{outer.path}.")


def _skeleton(steps: Sequence[Step]) -> Any:
    """Steps without the values in which those of one block may differ."""
    return tuple(
        (
            step.form,
            step.name,
            step.what,
            tuple(
                (one.name, kind_and_value(one.values[0]) if one.meaning == "tensor" else None)
                for one in step.slots
            ),
            tuple(map(_skeleton, step.branches)),
        )
        for step in steps
    )


def _owns_nothing(child: Child) -> bool:
    """Whether a layer has no tensors of its own; merges, which have names in any case, aside."""
    layer = child.unit
    if not isinstance(layer, Layer) or layer.op.merges:
        return False
    facts = layer.facts
    return not (facts.weights or facts.unlisted or facts.kept or layer.keys)


class _Lift:
    """The steps of one scope."""

    def __init__(self, reader: Reader, scope: Scope) -> None:
        self.reader = reader
        self.scope = scope
        self.plan = reader.planner.plans[scope.path]
        self.count = 0
        self.numbers = {child.name for child in scope.children if child.is_numbered}
        self.aliases = reader.aliases.get(scope.path, {})
        #: The layers that are named after their ops, as they are written without a name.
        self.called = self._called()
        #: Whether a step here is written with a name.
        self.is_named = not all(map(is_number, self._written(self.called)))
        self.steps = self._aliased(-1) + list(self._sequence(self.plan.moves))

    def _written(self, called: set[str]) -> set[str]:
        """The names that are written here, where these need none."""
        found = {*self.aliases.values()}
        for child in self.scope.children:
            merges = isinstance(child.unit, Layer) and child.unit.op.merges
            if (
                not merges
                and child.name not in called
                and not (isinstance(child.unit, Use) and not child.unit.name)
            ):
                found.add(child.name)
        return found

    def _called(self) -> set[str]:
        """The layers that have the names which the language gives where others are named."""
        found = {
            child.name for child in self.scope.children if _owns_nothing(child) and not child.is_numbered
        }
        names = {child.name for child in self.scope.children} | {*self.aliases.values()}
        for _ in range(0 if self.reader.explicit else _ROUNDS):
            if all(map(is_number, self._written(found))):
                break
            place = Place("", None, {})
            place.taken = dict.fromkeys(names - found)
            given = {
                child.name: place.automatic(child.unit.op.kind)
                for child in self._in_text(self.plan.moves)
                if child.name in found
            }
            other = {name for name, called in given.items() if name != called}
            if not other:
                return found
            found -= other
        return set()

    def _in_text(self, moves: Sequence[Move]) -> Iterator[Child]:
        """The children in the order in which they are written."""
        for move in moves:
            if isinstance(move, Merged):
                for branch in move.branches:
                    yield from self._in_text(branch)
            if not isinstance(move, Back):
                yield self.scope.children[move.child]

    def _aliased(self, number: int) -> list[Step]:
        name = self.aliases.get(number)
        return [Step("alias", name)] if name else []

    def _sequence(self, moves: Sequence[Move]) -> Iterator[Step]:
        for move in moves:
            if isinstance(move, Back):
                yield self.reader.back(self.scope, move.value)
            elif isinstance(move, Merged):
                child = self.scope.children[move.child]
                op = child.unit.op
                slots = self._slots(child)
                if isinstance(op, Experts):
                    yield self._experts(child.unit, slots, move.branches)
                else:
                    branches = [list(self._sequence(branch)) for branch in move.branches]
                    yield Step("merge", "", op.kind, slots, branches, counted=bool(self.numbers))
                yield from self._aliased(move.child)
            else:
                child = self.scope.children[move.child]
                yield from self._run(child)
                yield from self._aliased(move.child)

    def _experts(self, layer: Layer, slots: list[Slot], branches: Sequence[Sequence[Move]]) -> Step:
        """The step that stands for experts.

        Raises:
            UsageError: something else than a router and an expert is between what flows and what is read.
        """
        gate, do = [self._named(branch) for branch in branches]
        if len(do) == 1 and do[0].form == "scope" and not getattr(layer.op, "stacked", False):
            do = do[0].branches[0]
        if len(gate) != 1 or len(do) != 1:
            network, scope = self.reader.network, shorten(layer.name.replace(" ", ""))
            raise usage(
                f"{shorten(network.name)} cannot be written as a spec: more than one step leads to "
                f"{scope}, or what is within it is read elsewhere",
                span=layer.span,
            )
        return Step("experts", "", type(layer.op), slots, [gate, do])

    def _named(self, branch: Sequence[Move]) -> list[Step]:
        """The steps of a branch, the last with the name that it has, be that a number."""
        count, self.count = self.count, _NO_NUMBER
        steps = list(self._sequence(branch))
        self.count = count
        if steps and isinstance(branch[-1], Run):
            steps[-1].name = self.scope.children[branch[-1].child].name
        return steps

    def _run(self, child: Child) -> Iterator[Step]:
        inline = isinstance(child.unit, Scope) and child.unit.path not in self.reader.members
        name = child.name
        weightless = _owns_nothing(child)
        if name in self.called:
            self.count += 1
            name = ""
        elif isinstance(child.unit, Use) and child.unit.name:
            pass  # without a name it is counted where it is used first
        elif child.is_numbered and not inline and not (weightless and self.is_named):
            gap = int(name) - self.count
            between = range(self.count, int(name))
            if 0 <= gap <= _GAPS and not any(str(number) in self.numbers for number in between):
                yield from (Step("gap", "") for _ in between)
                self.count += gap + 1
                name = ""
        if isinstance(child.unit, Layer):
            numbered = weightless and not self.is_named
            yield Step("op", name, type(child.unit.op), self._slots(child), numbered=numbered)
        elif isinstance(child.unit, Use):
            yield Step("again", child.unit.name and name, self._reached(child.unit.of))
        elif inline:
            yield Step("scope", name, None, [], [self.reader.steps(child.unit)])
        else:
            yield self.reader.called(name, self.scope, child.unit)

    def _reached(self, path: str) -> str:
        """How an earlier step is named from here."""
        frame = self.reader.frame(self.scope)
        scope: Scope | None = self.scope
        while scope is not None and scope.path and not path.startswith(f"{scope.path}."):
            scope = scope.parent if scope is not frame else None  # a block knows no scope around it
        rest = path[len(scope.path) + 1 :] if scope is not None and scope.path else path
        return rest if is_name(rest) and rest not in TAKEN else f'"{rest}"'

    def _slots(self, child: Child) -> list[Slot]:
        layer = child.unit
        flows = layer.input_shapes[0].channels
        found = []
        for name, parameter in signature(type(layer.op)).items():
            default = ABSENT if parameter.required else parameter.default
            in_channels = getattr(layer.op, "axis", "") == "channels" and name in ("start", "stop")
            meaning = "channels" if name in CHANNELS or in_channels else name
            value = getattr(layer.op, name)
            if name == layer.op.second and value:
                meaning, value = "tensor", self.reader.target(self.scope, child.inputs[-1])
            found.append(Slot(name, meaning, [value], [flows], default))
        for name, key in layer.keys.items():
            if name != TIED:
                whole, called = shorten(self.reader.network.name), shorten(layer.name)
                why = f"has the {name} of another layer"
                if layer.again:
                    why = f"is {shorten(layer.again)} once more, and more than what flows into it is another"
                raise usage(f"{whole} cannot be written as a spec: {called} {why}", span=layer.span)
            borrowed = name in self.reader.network.borrowed(layer)
            owner = Word(self._reached(key if borrowed else key.removesuffix(f".{name}")))
            found.append(Slot(name, name, [owner], [flows], None))
        return found
