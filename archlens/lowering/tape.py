"""What a module did when it ran once: its calls, and the operations within them, as plain records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal, NamedTuple

#: The size of the batch that a module is run on: a prime number that no other size is a multiple of, so that
#: an axis that holds the samples is known wherever it goes.
BATCH = 1009


class TakenApart(Exception):
    """A module takes its batch apart, of which nobody knows how many samples it will have, or mixes samples.

    Attributes:
        as_steps: whether torch's own module does, as an LSTM that takes samples for steps.
    """

    def __init__(self, *, as_steps: bool = False) -> None:
        super().__init__()
        self.as_steps = as_steps


class LooksUp(Exception):
    """A table is looked up by what is no whole number: those inputs are ids."""

    def __init__(self, inputs: frozenset[str]) -> None:
        super().__init__("a table is looked up by whole numbers, and these are others")
        self.inputs = inputs


@dataclass(eq=False, slots=True, repr=False)
class Value:
    """A tensor at one moment: what is written in place makes another value of it."""

    sizes: tuple[int, ...]
    dtype: str
    #: The node that made it; ``None`` for inputs, weights and constants.
    node: Node | None = None
    #: The key in the state dict, where it is a parameter or a buffer.
    key: str = ""
    #: Whether it is trained.
    trains: bool = False
    #: Whether it is in the state dict.
    saved: bool = True
    #: The name of the network's input that it is.
    input: str = ""
    #: The tensor itself and its version, where it has values: a buffer, or what was made without any input.
    values: tuple[Any, int] | None = None
    #: The same of a tensor in a file, value by value, where they are known.
    numbers: Sequence[Any] | None = None
    #: What it holds up to the diagonal of its last two axes, and what behind it, where that is all.
    triangle: tuple[Any, Any] | None = None

    @property
    def flows(self) -> bool:
        """Whether it depends on an input of the network."""
        return bool(self.input) or (self.node is not None and self.node.flows)

    @property
    def behind(self) -> frozenset[str]:
        """The inputs of the network that it depends on."""
        found, rest, seen = set(), [self], set()
        while rest:
            one = rest.pop()
            if one not in seen and one.flows:
                seen.add(one)
                found |= {one.input} - {""}
                rest += one.node.inputs if one.node is not None else ()
        return frozenset(found)


class Pairs(NamedTuple):
    """A tensor by heads, queries and keys that has a row of a learned table for each two of the latter."""

    table: Value
    #: Whether the table has a column for each row, and not the other way round.
    is_turned: bool
    #: The op that takes the rows, and its attributes.
    kind: str
    attributes: Mapping[str, Any]
    #: The index of the rows, where the state dict has it.
    kept: Value | None = None


#: How cosines and sines lie along channels: one for each, whose pairs are one of either half or neighbours;
#: or one for each pair.
Lies = Literal["halves", "neighbours", "each"]


class Turns(NamedTuple):
    """The angles by which pairs of channels are turned: a position times ``base**(-i/n)`` for pair i of n."""

    base: float
    #: How many positions along each axis, where there are several that turn their share; else empty.
    grid: tuple[int, ...] = ()
    #: The first position along each axis, and from one to the next.
    start: float | tuple[float, ...] = 0
    step: float | tuple[float, ...] = 1
    #: Whether the last axis turns the first pairs.
    is_reversed: bool = False

    def along(self, pair: int, pairs: int) -> Callable[[int], float]:
        """What gives the angle by which one of so many pairs is turned at a position."""
        axes = len(self.grid) or 1
        axis, i = divmod(pair, pairs // axes)
        if self.is_reversed:
            axis = axes - 1 - axis
        start, step = (one[axis] if isinstance(one, tuple) else one for one in (self.start, self.step))
        rate: float = self.base ** (-i * axes / pairs)
        if not self.grid:
            return lambda position: (start + step * position) * rate
        behind, size = prod(self.grid[axis + 1 :]), self.grid[axis]
        return lambda position: (start + step * (position // behind % size)) * rate

    @property
    def back(self) -> Turns:
        """The same the other way round."""
        start, step = (
            tuple(-one for one in given) if isinstance(given, tuple) else -given
            for given in (self.start, self.step)
        )
        return self._replace(start=start, step=step)


class Rates(NamedTuple):
    """By what a number is multiplied: ``base**(-i/(n - shift))`` for rate i of n."""

    base: float
    shift: int


class Shifted(NamedTuple):
    """A constant that is added to the scores of windows where a roll brought positions together."""

    size: tuple[int, ...]
    sides: tuple[int, ...]
    shift: tuple[int, ...]
    value: float


class Table(NamedTuple):
    """A constant that ops make of nothing: those, one after the other, and their attributes."""

    ops: Sequence[tuple[str, Mapping[str, Any]]]
    #: Whether its channels stand last.
    last: bool = True


class Rows(NamedTuple):
    """Rows of a learned table that are looked up by constant ids, alike for each sample."""

    table: Value
    #: One for each position.
    ids: Sequence[int]


@dataclass(eq=False, slots=True)
class Call:
    """One call of a module."""

    #: Its path from the root: ``layer1.0.conv1``; the root's is empty.
    path: str
    #: The class, as ``torchvision.ops.misc.Permute``.
    kind: str
    parent: Call | None
    children: list[Call] = field(default_factory=list)


@dataclass(eq=False, slots=True, repr=False)
class Node:
    """One operation: what ran, on what, and within which call."""

    #: ``"aten.convolution"``; ``"torch.linear"`` for a function that was kept whole; a module's class.
    target: str
    #: All arguments by name, tensors as values, lists of them as lists.
    args: Mapping[str, Any]
    outputs: tuple[Value, ...]
    call: Call
    #: Multiply-accumulates of all that ran in it, for the whole batch; ``None`` where they are not known.
    macs: int | None
    #: The tensors that it read, in their order.
    inputs: tuple[Value, ...] = ()
    #: Whether one of them depends on an input of the network.
    flows: bool = False
    #: The module, where one was kept whole.
    module: Any = None
    #: Whether its sizes are those that a file says, and nobody has worked them out.
    declared: bool = False


#: What takes positions of one axis of a tensor.
TAKES = tuple(
    f"aten.{name}" for name in ("slice", "select", "split", "split_with_sizes", "unsafe_split", "unbind")
)


class Taken(NamedTuple):
    """Some positions of one axis of a tensor."""

    of: Value
    dim: int
    start: int
    stop: int
    step: int = 1
    #: Whether the axis goes with it.
    drops: bool = False


def taken(node: Node | None, out: Value) -> Taken | None:
    """Which positions of what a node reads come out as one of its tensors; ``None`` where it does more."""
    if node is None or node.target not in TAKES:
        return None
    of, args = node.args["self"], node.args
    dim = args.get("dim", 0) % len(of.sizes)
    size = of.sizes[dim]
    if node.target == "aten.slice":
        start, stop, step = slice(args.get("start"), args.get("end"), args.get("step", 1)).indices(size)
        return Taken(of, dim, start, max(start, stop), step)
    if node.target == "aten.select":
        index = args["index"] % size
        return Taken(of, dim, index, index + 1, drops=True)
    index = node.outputs.index(out)
    if node.target == "aten.unbind":
        return Taken(of, dim, index, index + 1, drops=True)
    start = sum(one.sizes[dim] for one in node.outputs[:index])
    return Taken(of, dim, start, start + out.sizes[dim])


@dataclass(eq=False, slots=True)
class Tape:
    """One run of a module."""

    name: str
    inputs: dict[str, Value]
    nodes: list[Node]
    outputs: dict[str, Value]
    root: Call
    #: Parameters and buffers by their keys, also those that nothing read.
    state: dict[str, Value]
    #: Further keys of theirs in the state dict, each with that above.
    aliases: dict[str, str] = field(default_factory=dict)
    #: What came out of it, in words.
    gave: str = ""
    #: How many samples it ran on: so many that their axis is known; or one, whose axis is one of size 1.
    batch: int = BATCH
    #: Whether the code was told that ``torch.export`` runs it.
    told: bool = False
    #: Whether it is of a file, whose weights no state dict has in the shapes that they have there.
    is_file: bool = False
