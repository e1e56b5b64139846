"""What ``__init__`` makes, as text: constructors, and loops for neighbours that repeat."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..analysis.nesting import is_number
from ..analysis.repeats import stretches
from .formatting import Item, Piece, before, bracketed, call, counting, literal, quoted
from .scopes import Reference


class Made(NamedTuple):
    """A module as it is constructed."""

    head: str
    #: Arguments with their keyword, empty for one that goes by its place.
    arguments: tuple[tuple[str, Any], ...]
    #: What an ``nn.Sequential`` holds.
    parts: tuple[Part, ...] = ()


class Part(NamedTuple):
    """A module under its name in an ``nn.Sequential``."""

    name: str
    made: Made
    #: The shape of its output.
    shape: str
    is_own: bool


class Repetition(NamedTuple):
    """Neighbours that repeat: ``times`` times ``period`` of them, each argument growing by its step."""

    start: int
    period: int
    times: int
    steps: tuple[tuple[int, ...], ...] = ()

    @property
    def stop(self) -> int:
        return self.start + self.period * self.times

    @property
    def grows(self) -> bool:
        return any(any(steps) for steps in self.steps)


#: How many neighbours may make up what repeats.
_PERIOD = 8


def repetitions_of(parts: Sequence[Part | None]) -> Iterator[Repetition]:
    """Neighbours in the order in which they stand, with those that repeat taken together.

    Beyond what makes tables fold, they must be one text: the same call, with numbers that grow evenly.
    """

    def copies(start: int, period: int) -> int:
        steps, count = _steps(parts, start, period), 1
        while steps and _steps(parts, start + (count - 1) * period, period) == steps:
            count += 1
        return count if count > 1 and _is_worth(Repetition(start, period, count, steps), parts) else 1

    for start, period, count in stretches(len(parts), copies, _PERIOD):
        yield Repetition(start, period, count, _steps(parts, start, period) if count > 1 else ())


def _steps(parts: Sequence[Part | None], start: int, period: int) -> tuple[tuple[int, ...], ...]:
    """By how much the arguments of so many parts grow to the next; empty where these are not the same."""
    steps = []
    for k in range(start, start + period):
        step = _step(parts[k], parts[k + period]) if k + period < len(parts) else None
        if step is None:
            return ()
        steps.append(step)
    return tuple(steps)


def _step(one: Part | None, other: Part | None) -> tuple[int, ...] | None:
    """By how much each argument grows from one to the other; ``None`` where they differ otherwise."""
    if one is None or other is None or one.made.head != other.made.head:
        return None
    a, b = one.made, other.made
    if len(a.arguments) != len(b.arguments) or bare(a.parts) != bare(b.parts):
        return None
    steps = []
    for (keyword, value), (other_keyword, other_value) in zip(a.arguments, b.arguments, strict=True):
        if keyword != other_keyword or type(value) is not type(other_value):
            return None
        if value != other_value and type(value) is not int:
            return None
        steps.append(other_value - value if type(value) is int else 0)
    return tuple(steps)


def bare(parts: tuple[Part, ...]) -> Any:
    """Parts without their shapes."""
    return [(part.name, part.made.head, part.made.arguments, bare(part.made.parts)) for part in parts]


def _is_worth(run: Repetition, parts: Sequence[Part | None]) -> bool:
    """Whether a loop reads better than its lines."""
    own = any(part is not None and part.is_own for part in parts[run.start : run.start + run.period])
    if run.grows:
        return run.times >= 4
    if run.period > 1:
        return run.times >= (3 if own else 6)
    return run.times >= (2 if own else 3)


def grown(made: Made, steps: tuple[int, ...], first: int) -> Made:
    """What is made in round ``i`` of a loop that counts from ``first``."""
    arguments = []
    for (keyword, value), step in zip(made.arguments, steps, strict=True):
        if step:
            base = value - step * first
            times = "i" if abs(step) == 1 else f"{abs(step)} * i"
            if step > 0:
                text = times if base == 0 else f"{base} + {times}" if base > 0 else f"{times} - {-base}"
            else:
                text = f"{base} - {times}"
            value = Reference(text)
        arguments.append((keyword, value))
    return made._replace(arguments=tuple(arguments))


def piece_of(made: Made, used: set[str]) -> Piece:
    """The text of a constructor."""
    if made.parts:
        return _sequential("nn.Sequential", made.parts, used)
    items = []
    for keyword, value in made.arguments:
        text = value.name if isinstance(value, Reference) else literal(value)
        items.append(before(f"{keyword}=", text) if keyword else text)
    return call(made.head, items)


def _sequential(head: str, parts: tuple[Part, ...], used: set[str]) -> Piece:
    """``nn.Sequential`` over its parts, by number or, in an ``OrderedDict``, by name."""
    if all(part.name == str(number) for number, part in enumerate(parts)):
        return call(head, items_of(parts, used, shapes=len(parts) > 2))
    used.add("OrderedDict")
    items: list[Item] = []
    runs = list(_named_repetitions(parts))
    for run in runs:
        part = parts[run.start]
        prefix, number = split(part.name)
        if run.times == 1:
            pair = bracketed("(", [quoted(part.name), piece_of(part.made, used)], ")")
            items.append(Item(pair, part.shape if len(parts) > 1 else ""))
            continue
        made = piece_of(grown(part.made, run.steps[0], number), used)
        pair = bracketed("(", [f'f"{prefix}{{i}}"', made], ")")
        loop = f"for i in {counting(number, number + run.times)}"
        if len(runs) == 1:
            return call(head, [bracketed("OrderedDict(", [pair, loop], ")", comma=False)])
        items.append(Item(bracketed("*[", [pair, loop], "]", comma=False), _shapes(parts, run)))
    return call(head, [call("OrderedDict", [bracketed("[", items, "]")])])


def items_of(parts: Sequence[Part], used: set[str], *, shapes: bool) -> list[Item]:
    """The parts of a sequence, with loops for repeats; with their shapes, if that is asked for."""
    items = []
    for run in repetitions_of(parts):
        shape = _shapes(parts, run) if shapes else ""
        if run.times == 1:
            items.append(Item(piece_of(parts[run.start].made, used), shape))
            continue
        loop = f"for {'i' if run.grows else '_'} in range({run.times})"
        inside = [
            piece_of(grown(parts[run.start + k].made, run.steps[k], 0), used) for k in range(run.period)
        ]
        if run.period == 1:
            clauses = [inside[0], loop]
        else:
            clauses = ["layer", loop, before("for layer in ", bracketed("(", inside, ")"))]
        items.append(Item(bracketed("*[", clauses, "]", comma=False), shape))
    return items


def filled(parts: Sequence[Part]) -> list[Part]:
    """The parts, with an ``nn.Identity`` for each number that is left out."""
    found: list[Part] = []
    for part in parts:
        if is_number(part.name):
            for number in range(len(found), int(part.name)):
                found.append(Part(str(number), Made("nn.Identity", ()), "", False))
        found.append(part)
    return found


def _named_repetitions(parts: Sequence[Part]) -> Iterator[Repetition]:
    """Repeats of one module whose names count: ``denselayer1``, ``denselayer2`` and so on."""
    for run in repetitions_of(parts):
        names = [split(part.name) for part in parts[run.start : run.stop]]
        if run.period == 1 and counts(names):
            yield run
        else:
            yield from (Repetition(k, 1, 1) for k in range(run.start, run.stop))


def split(name: str) -> tuple[str, int]:
    """A name as what stands before its number, and the number; -1 where it has none."""
    match = re.fullmatch(r"([A-Za-z_](?:[A-Za-z_0-9]*[A-Za-z_])?)?(0|[1-9][0-9]{0,8})", name)
    return (match[1] or "", int(match[2])) if match else (name, -1)


def counts(names: list[tuple[str, int]]) -> bool:
    """Whether names go on by one from each to the next."""
    prefix, first = names[0]
    return first >= 0 and names == [(prefix, first + k) for k in range(len(names))]


def _shapes(parts: Sequence[Part], run: Repetition) -> str:
    """The shape after a run; where each round has another, the first and the last."""
    ends = [parts[k].shape for k in range(run.start + run.period - 1, run.stop, run.period)]
    return ends[0] if len(set(ends)) == 1 else f"{ends[0]} to {ends[-1]}"
