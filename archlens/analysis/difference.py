"""What changed between two networks: layers aligned by structure, and by name where that leaves a choice.

Layers are aligned in order, so that the pairs fit as well as they can: best is the same op on the same
shapes under the same name, then the same op, then one whose attributes differ. A renamed scope, an inserted
block or a changed width therefore leaves everything else aligned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, zip_longest
from math import isclose
from typing import Any, NamedTuple

from ..network import Layer, Network, scopes_around
from ..ops import Op
from ..ops.op import as_written
from ..ops.opaque import UNKNOWN
from ..shape import Shape
from .repeats import span, stretches
from .structure import attributes

SAME, ALTERED, AFFECTED, ADDED, REMOVED = "same", "altered", "affected", "added", "removed"

#: How many pairs of layers are weighed against each other; beyond it only what is equal is aligned.
_MAX_CELLS = 1_000_000

#: How many layers may differ between two networks that are too large to be weighed pair by pair.
_MAX_EDITS = 1000


class Pair(NamedTuple):
    """A layer before and after; one of them is missing where it was added or removed."""

    old: Layer | None
    new: Layer | None
    #: ``same``; ``altered``: another op, other attributes or other inputs; ``affected``: the same op, which
    #: works on other shapes because of what comes before it; ``added``; ``removed``.
    kind: str
    #: What was altered, in words.
    what: str = ""

    @property
    def params(self) -> int:
        """By how much the parameters grew."""
        return (self.new.params if self.new else 0) - (self.old.params if self.old else 0)

    @property
    def macs(self) -> int:
        """By how much the multiply-accumulates of an inference grew."""
        new, old = self.new, self.old
        after = new.macs if new and not new.training else 0
        return after - (old.macs if old and not old.training else 0)

    @property
    def renamed(self) -> bool:
        """Whether the layer has another name than it had."""
        return self.old is not None and self.new is not None and self.old.name != self.new.name


class ChangeGroup(NamedTuple):
    """Layers that were added or removed together: one, a scope, or several scopes that are alike."""

    name: str
    #: The op, or the block that a scope was made by; empty for a scope of no block.
    what: str
    pairs: tuple[Pair, ...]
    #: How many scopes that are alike.
    repeats: int


class Aligned(NamedTuple):
    """A stretch of both networks, in their order: what stands on either side."""

    #: That of its pairs; of what stands side by side and is removed and added, ``added``; of layers of which
    #: some are affected and others the same, ``affected``.
    kind: str
    old: ChangeGroup | None
    new: ChangeGroup | None


class Renaming(NamedTuple):
    """A name or a scope that was changed, and how many layers with it."""

    old: str
    new: str
    layers: int


@dataclass(frozen=True, eq=False)
class Difference:
    """Two networks, and each layer of both exactly once, in order."""

    old: Network
    new: Network
    pairs: tuple[Pair, ...]

    def of(self, kind: str) -> list[Pair]:
        """The pairs of one kind."""
        return [pair for pair in self.pairs if pair.kind == kind]

    @cached_property
    def renamings(self) -> list[Renaming]:
        """What has other names than before, scope by scope."""
        found = Counter(_shortest(a.name, b.name) for a, b, *_ in self.pairs if a and b and a.name != b.name)
        return [Renaming(*key, count) for key, count in found.items()]

    def groups(self, kind: str) -> list[ChangeGroup]:
        """What was added, or removed, by scopes."""
        network = self.new if kind == ADDED else self.old
        return list(_groups(network, _counted(network.layers), self.of(kind)))

    def aligned(self) -> Iterator[Aligned]:
        """Both networks side by side, in order: stretches that are the same, and what changed between them.

        What is removed and what is added at one place stand side by side, each by its scopes. What is the
        same and what is so but for its shapes are one stretch.
        """
        of = {REMOVED: ADDED, AFFECTED: SAME}
        before, after = _counted(self.old.layers), _counted(self.new.layers)
        for kind, run in groupby(self.pairs, lambda pair: of.get(pair.kind, pair.kind)):
            pairs = list(run)
            if kind == ADDED:
                gone = list(_groups(self.old, before, [pair for pair in pairs if pair.kind == REMOVED]))
                came = list(_groups(self.new, after, [pair for pair in pairs if pair.kind == ADDED]))
                for old, new in zip_longest(gone, came):
                    yield Aligned(ADDED if new is not None else REMOVED, old, new)
            elif kind == ALTERED:
                yield from (Aligned(kind, *_stretch([pair])) for pair in pairs)
            else:
                affected = any(pair.kind == AFFECTED for pair in pairs)
                yield Aligned(AFFECTED if affected else SAME, *_stretch(pairs))

    @cached_property
    def boundary(self) -> list[str]:
        """How inputs and outputs differ, in words: names, shapes, order, and where an output comes from."""
        old, new = self.old, self.new
        words = []
        if list(old.inputs.items()) != list(new.inputs.items()):
            before, after = (
                ", ".join(f"{name} {shape}" for name, shape in network.inputs.items())
                for network in (old, new)
            )
            words.append(f"inputs: {before} -> {after}")
        became = _became(old, new, ((pair.old, pair.new) for pair in self.pairs))
        aligned = set(became.values())
        differ = list(old.outputs) != list(new.outputs) or any(
            layer in became and new.outputs[name] in aligned and became[layer] != new.outputs[name]
            for name, layer in old.outputs.items()
        )
        if differ:
            before, after = (
                ", ".join(f"{name} from {layer}" for name, layer in network.outputs.items())
                for network in (old, new)
            )
            words.append(f"outputs: {before} -> {after}")
        return words

    @property
    def empty(self) -> bool:
        """Whether the two are the same, names included."""
        return not self.boundary and all(pair.kind == SAME and not pair.renamed for pair in self.pairs)


def find(old: Network, new: Network) -> Difference:
    """What changed from one network to another.

    >>> import archlens
    >>> found = find(archlens.load("resnet50"), archlens.load("resnet101"))
    >>> [(group.name, group.what, group.repeats) for group in found.groups(ADDED)]
    [('layer3.6..22', 'bottleneck', 17)]
    >>> len(found.of(REMOVED)), len(found.of(ALTERED)), found.renamings
    (0, 0, [])
    """
    aligned = _aligned(old.layers, new.layers)
    return Difference(old, new, tuple(_judged(old, new, aligned)))


# --- alignment -------------------------------------------------------------------------------------

#: Two layers side by side, by their positions; ``None`` where there is none.
_Step = tuple[int | None, int | None]


def _aligned(old: Sequence[Layer], new: Sequence[Layer]) -> list[_Step]:
    """Each position of both exactly once, in order."""
    classes = _Classes()
    a, b = [classes.of(layer) for layer in old], [classes.of(layer) for layer in new]
    known: dict[str, int] = {}
    names = [[known.setdefault(layer.name, len(known)) for layer in layers] for layers in (old, new)]
    start, stop = 0, 0
    least = min(len(a), len(b))
    while start < least and a[start] == b[start] and names[0][start] == names[1][start]:
        start += 1
    while (
        stop < least - start and a[-1 - stop] == b[-1 - stop] and names[0][-1 - stop] == names[1][-1 - stop]
    ):
        stop += 1
    middle = _Middle(classes, old, new, a, b)
    steps: list[_Step] = [(n, n) for n in range(start)]
    steps += middle.aligned(start, len(a) - stop, start, len(b) - stop)
    return steps + [(len(a) - n, len(b) - n) for n in range(stop, 0, -1)]


class _Classes:
    """Layers that are alike but for their names have the same number."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[object, ...], int] = {}
        self.layers: list[Layer] = []
        self.scores: dict[tuple[int, int], int] = {}

    def of(self, layer: Layer) -> int:
        key = (layer.op, layer.input_shapes, layer.shape)
        number = self.numbers.setdefault(key, len(self.layers))
        if number == len(self.layers):
            self.layers.append(layer)
        return number

    def score(self, a: int, b: int) -> int:
        """How well two layers fit; 0 where they do not."""
        key = (a, b)
        found = self.scores.get(key)
        if found is None:
            found = self.scores[key] = _fit(self.layers[a], self.layers[b])
        return found


def _fit(a: Layer, b: Layer) -> int:
    """How well two layers fit, apart from their names."""
    weighty = bool(a.facts.weights) and bool(b.facts.weights)
    differing = _differing(a.op, b.op)
    if differing == []:
        shapes = (a.shape == b.shape) + (a.input_shapes == b.input_shapes)
        return (16 if weighty else 8) + 2 * shapes
    if differing is not None:
        least = max((10 if weighty else 6) - 2 * len(differing), 2)
        return least + (a.shape == b.shape)
    alike: bool = a.op.family == b.op.family and a.op.merges == b.op.merges
    return 2 * alike


def _differing(a: Op, b: Op) -> list[str] | None:
    """The attributes of which two ops of one kind have other values, however they are written."""
    if a.kind != b.kind:
        return None
    if a == b:
        return []
    before, after = attributes(a), attributes(b)
    return [name for name in a.attributes() if not _equal(before[name], after[name])]


def _equal(a: Any, b: Any) -> bool:
    """Whether two values are the same, but for how far a sum of floats is rounded."""
    if isinstance(a, float) and isinstance(b, float | int):
        return isclose(a, b, rel_tol=1e-12)
    return bool(a == b)


class _Middle:
    """Aligns what lies between the beginning and the end that are the same."""

    def __init__(
        self, classes: _Classes, old: Sequence[Layer], new: Sequence[Layer], a: list[int], b: list[int]
    ) -> None:
        self.classes, self.old, self.new, self.a, self.b = classes, old, new, a, b

    def aligned(self, a0: int, a1: int, b0: int, b1: int) -> list[_Step]:
        """From ``a0`` to before ``a1`` and from ``b0`` to before ``b1``."""
        if a0 == a1 or b0 == b1:
            return [(i, None) for i in range(a0, a1)] + [(None, j) for j in range(b0, b1)]
        if (a1 - a0) * (b1 - b0) <= _MAX_CELLS:
            return self.weighed(a0, a1, b0, b1)
        steps: list[_Step] = []
        for i, j in [*self.equal(a0, a1, b0, b1), (a1, b1)]:
            small = (i - a0) * (j - b0) <= _MAX_CELLS
            steps += self.aligned(a0, i, b0, j) if small else [
                *((n, None) for n in range(a0, i)),
                *((None, n) for n in range(b0, j)),
            ]  # fmt: skip
            if i < a1:
                steps.append((i, j))
            a0, b0 = i + 1, j + 1
        return steps

    def weighed(self, a0: int, a1: int, b0: int, b1: int) -> list[_Step]:
        """The alignment whose pairs fit best together, after Needleman and Wunsch (1970); gaps are free."""
        width = b1 - b0 + 1
        score = self.classes.score
        names = [layer.name for layer in self.new[b0:b1]]
        lasts = [_last(name) for name in names]
        columns = list(zip(range(1, width), self.b[b0:b1], names, lasts, strict=True))
        above = [0] * width
        choices: list[bytearray] = []
        before = bytearray([3]) + bytearray(width - 1)  # what stands before this is aligned
        for i in range(a0, a1):
            layer, kind = self.old[i].name, self.a[i]
            last = _last(layer)
            row, choice = [0] * width, bytearray(width)
            left = 0
            for j, other, name, end in columns:
                best, way = above[j], 1
                if left > best:
                    best, way = left, 2
                fit = 4 * score(kind, other)
                if fit:
                    fit += above[j - 1]
                    if name == layer:
                        fit += 12
                    elif end == last:
                        fit += 4
                    if before[j - 1] == 3:  # one gap rather than two, where all else is equal
                        fit += 1
                    if fit >= best:
                        best, way = fit, 3
                row[j] = left = best
                choice[j] = way
            choices.append(choice)
            above, before = row, choice
        return self.traced(choices, a0, a1, b0, b1)

    def traced(self, choices: list[bytearray], a0: int, a1: int, b0: int, b1: int) -> list[_Step]:
        """The way back through the choices."""
        steps: list[_Step] = []
        i, j = a1, b1
        while i > a0 and j > b0:
            way = choices[i - 1 - a0][j - b0]
            if way == 3:
                i, j = i - 1, j - 1
                steps.append((i, j))
            elif way == 1:
                i -= 1
                steps.append((i, None))
            else:
                j -= 1
                steps.append((None, j))
        steps += [(n, None) for n in range(i - 1, a0 - 1, -1)]
        steps += [(None, n) for n in range(j - 1, b0 - 1, -1)]
        return steps[::-1]

    def equal(self, a0: int, a1: int, b0: int, b1: int) -> list[tuple[int, int]]:
        """Pairs to begin with: of the same op; where too many layers differ, of the same name and kind.

        Where half of the layers have other names, too, the kind alone decides.
        """
        found = self.shortest(a0, a1, b0, b1, lambda layer: layer.op)
        if found is not None:
            return found
        named = self.by_name(a0, a1, b0, b1)
        if 2 * len(named) >= min(a1 - a0, b1 - b0):
            return named
        found = self.shortest(a0, a1, b0, b1, lambda layer: layer.op.kind)
        return named if found is None else found

    def shortest(
        self, a0: int, a1: int, b0: int, b1: int, key: Callable[[Layer], Hashable]
    ) -> list[tuple[int, int]] | None:
        """The pairs of the same key in a shortest way from one to the other, by Myers (1986).

        It takes time for each layer and each that differs; ``None`` where too many do.
        """
        numbers: dict[Hashable, int] = {}
        a = [numbers.setdefault(key(layer), len(numbers)) for layer in self.old[a0:a1]]
        b = [numbers.setdefault(key(layer), len(numbers)) for layer in self.new[b0:b1]]
        n, m = len(a), len(b)
        reached = {1: 0}
        history: list[dict[int, int]] = []
        for edits in range(min(n + m, _MAX_EDITS) + 1):
            history.append({k: reached[k] for k in range(-edits - 1, edits + 2) if k in reached})
            for k in range(-edits, edits + 1, 2):
                down = k == -edits or (k != edits and reached[k - 1] < reached[k + 1])
                x = reached[k + 1] if down else reached[k - 1] + 1
                y = x - k
                while x < n and y < m and a[x] == b[y]:
                    x, y = x + 1, y + 1
                reached[k] = x
                if x >= n and y >= m:
                    return [(a0 + i, b0 + j) for i, j in _way_back(history, n, m)]
        return None

    def by_name(self, a0: int, a1: int, b0: int, b1: int) -> list[tuple[int, int]]:
        """Layers of the same name and kind, as far as their order is the same."""
        places = {self.new[j].name: j for j in range(b0, b1)}
        found: list[tuple[int, int]] = []
        for i in range(a0, a1):
            j = places.get(self.old[i].name, -1)
            if j > (found[-1][1] if found else -1) and self.old[i].op.kind == self.new[j].op.kind:
                found.append((i, j))
        return found


def _way_back(history: list[dict[int, int]], x: int, y: int) -> list[tuple[int, int]]:
    """The pairs along the way that was found."""
    found = []
    for edits in range(len(history) - 1, -1, -1):
        reached = history[edits]
        k = x - y
        down = k == -edits or (k != edits and reached.get(k - 1, -1) < reached.get(k + 1, -1))
        before = k + 1 if down else k - 1
        start = reached.get(before, 0)
        # the edit leads to a diagonal, and all of that are pairs
        found += [(i, i - k) for i in range(x - 1, start - down, -1)]
        x, y = start, start - before
    return found[::-1]


def _last(name: str) -> str:
    """The last part of a name, unless it is a number, which says little."""
    last = name.rpartition(".")[2]
    return "" if last.isdigit() else last


# --- what became of each layer ---------------------------------------------------------------------


def _became(old: Network, new: Network, pairs: Iterable[tuple[Layer | None, Layer | None]]) -> dict[str, str]:
    """What each input and layer of the old network is called in the new one, where it is there still."""
    same = old.inputs.keys() == new.inputs.keys()
    found = dict(zip(old.inputs, old.inputs if same else new.inputs, strict=False))
    return found | {pair[0].name: pair[1].name for pair in pairs if pair[0] and pair[1]}


def _judged(old: Network, new: Network, aligned: Sequence[_Step]) -> Iterator[Pair]:
    layers = [
        (None if i is None else old.layers[i], None if j is None else new.layers[j]) for i, j in aligned
    ]
    became = _became(old, new, layers)
    was = {after: before for before, after in became.items()}
    before = _gathered(old, lambda name: became.get(name, ("removed", name)))
    after = _gathered(new, lambda name: name)
    owned = owners(old), owners(new)
    for a, b in layers:
        if a is None:
            yield Pair(None, b, ADDED)
        elif b is None:
            yield Pair(a, None, REMOVED)
        else:
            alike = a.op == b.op and a.name in before and before[a.name] == after.get(b.name)
            rewired = "" if alike else _rewired(a, b, became, was)
            shared = _shared_otherwise(owned[0].get(a.name, {}), owned[1].get(b.name, {}), became)
            what = [words for words in (_altered(a, b), rewired, shared) if words]
            if a.training != b.training:
                what.append("runs in training only" if b.training else "runs at inference, too")
            if what:
                yield Pair(a, b, ALTERED, "; ".join(what))
            elif not alike and (read(a), a.shape, a.params) != (read(b), b.shape, b.params):
                yield Pair(a, b, AFFECTED, _shapes(a, b))
            else:
                yield Pair(a, b, SAME)


def _altered(old: Layer, new: Layer) -> str:
    """The attributes that differ, or the two ops; nothing where both are the same call on the same shapes."""
    a, b = old.op, new.op
    differing = _differing(a, b)
    if differing is None:
        return "" if same_call(old, new) else f"{a} -> {b}"
    if not differing:
        return ""
    before, after = attributes(a), attributes(b)
    words = [f"{name} {as_written(before[name])} -> {as_written(after[name])}" for name in differing]
    return f"{a.kind}: {', '.join(words)}"


def same_call(a: Layer, b: Layer) -> bool:
    """Whether two layers of other ops are the same call on the same shapes."""
    return read(a) == read(b) and a.facts == b.facts and a.facts.torch.target != UNKNOWN


def _rewired(a: Layer, b: Layer, became: dict[str, str], was: dict[str, str]) -> str:
    """How the inputs differ, where that is not because a layer came between or went."""
    if len(a.inputs) != len(b.inputs):
        return f"{len(a.inputs)} inputs -> {len(b.inputs)}"
    inputs = list(b.inputs)
    if a.op.commutes and b.op.commutes:  # in whatever order they stand
        inputs = _beside(a.inputs, inputs, became)
    words = [
        f"reads {before} -> {after}"
        for before, after in zip(a.inputs, inputs, strict=True)
        if became.get(before, after) != after and was.get(after, before) != before
    ]
    return ", ".join(words)


def owners(network: Network) -> dict[str, dict[str, str]]:
    """The layers that have tensors of others: by the name of the tensor the layer that has it first."""
    if not any(layer.keys for layer in network.layers):
        return {}
    made = {
        layer.key(name): layer.name
        for layer in network.layers
        for name in (*layer.facts.weights, *layer.facts.buffers)
    }
    found: dict[str, dict[str, str]] = {}
    for layer in network.layers:
        all_of_them = {name: made.get(key, key) for name, key in layer.keys.items()}
        others = {name: owner for name, owner in all_of_them.items() if owner != layer.name}
        if others:
            found[layer.name] = others
    return found


def _shared_otherwise(old: dict[str, str], new: dict[str, str], became: dict[str, str]) -> str:
    """Which tensors are of other layers than before."""
    changed: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name, ""), new.get(name, "")
        if (became.get(before, "") if before else "") != after:
            changed.setdefault((before, after), []).append(name or "values")
    return "; ".join(
        f"{', '.join(names)} {_whose(before)} -> {_whose(after)}"
        for (before, after), names in changed.items()
    )


def _whose(owner: str) -> str:
    return f"of {owner}" if owner else "its own"


def _gathered(network: Network, called: Callable[[str], Hashable]) -> dict[str, tuple[int, int]]:
    """What each layer whose op associates reads in the end: one after the other, as a number and a length.

    The number is that of a polynomial in the hashes of the names, so that what was gathered before costs no
    more than one tensor.

    Args:
        network: its layers.
        called: what a tensor is to be known by.
    """
    found: dict[str, tuple[int, int]] = {}
    for layer in network.layers:
        if not layer.op.associates:
            continue
        value, count = 0, 0
        for name in layer.inputs:
            source = network.index.get(name)
            nested = source is not None and source.op == layer.op
            more, length = found[name] if nested else (hash(called(name)), 1)
            value, count = (value * pow(_BASE, length, _PRIME) + more) % _PRIME, count + length
        found[layer.name] = value, count
    return found


#: A prime, and a number below it that has nothing to do with it.
_PRIME, _BASE = 2**127 - 1, 0x9E3779B97F4A7C15F39CC0605CEDC834


def _beside(old: Sequence[str], new: list[str], became: dict[str, str]) -> list[str]:
    """The new inputs in the order of the old ones that they are; the others where there is room."""
    rest = list(new)
    found: list[str | None] = []
    for before in old:
        after = became.get(before, before)
        found.append(after if after in rest else None)
        if after in rest:
            rest.remove(after)
    return [after if after is not None else rest.pop(0) for after in found]


def read(layer: Layer) -> tuple[Shape, ...]:
    """The shapes that a layer reads; in one order, where that does not matter."""
    return tuple(sorted(layer.input_shapes)) if layer.op.commutes else layer.input_shapes


def _shapes(a: Layer, b: Layer) -> str:
    def words(layer: Layer) -> str:
        return f"{', '.join(map(str, layer.input_shapes))} -> {layer.shape}"

    return f"on {words(a)}, now {words(b)}"


def _shortest(old: str, new: str) -> tuple[str, str]:
    """Two names without the last parts that they share: a scope that was renamed."""
    before, after = old.split("."), new.split(".")
    while len(before) > 1 and len(after) > 1 and before[-1] == after[-1]:
        before.pop()
        after.pop()
    return ".".join(before), ".".join(after)


# --- groups ----------------------------------------------------------------------------------------


def _counted(layers: Iterable[Layer]) -> Counter[str]:
    """How many of some layers each scope holds."""
    return Counter(scope for layer in layers for scope in scopes_around(layer.name))


def _groups(network: Network, whole: Counter[str], pairs: Sequence[Pair]) -> Iterator[ChangeGroup]:
    """Layers by the largest scopes of which nothing else is left; scopes that are alike as one.

    Args:
        network: that has them.
        whole: how many layers its scopes hold.
        pairs: the layers.
    """
    inside = _counted(_layer(pair) for pair in pairs)

    def place(pair: Pair) -> str:
        name = _layer(pair).name
        return next((scope for scope in scopes_around(name) if inside[scope] == whole[scope] > 1), name)

    groups = [(name, list(members)) for name, members in groupby(pairs, place)]

    def copies(first: int, period: int) -> int:
        last = first + 1
        while last < len(groups) and _alike(groups[first], groups[last]):
            last += 1
        return last - first

    for stretch in stretches(len(groups), copies):
        name, members = groups[stretch.start]
        what = str(_layer(members[0]).op) if len(members) == 1 else network.made_by(name)
        last = groups[stretch.stop - 1][0]
        everything = tuple(pair for _, group in groups[stretch.start : stretch.stop] for pair in group)
        yield ChangeGroup(name if name == last else span(name, last), what, everything, stretch.copies)


def _stretch(pairs: Sequence[Pair]) -> tuple[ChangeGroup, ChangeGroup]:
    """Layers that both networks have, as a group of each: named by the first and the last."""
    first, last = pairs[0], pairs[-1]
    assert first.old
    assert first.new
    assert last.old
    assert last.new
    found = []
    for start, stop in ((first.old, last.old), (first.new, last.new)):
        name = start.name if start is stop else f"{start.name} to {stop.name}"
        found.append(ChangeGroup(name, str(start.op) if start is stop else "", tuple(pairs), 1))
    return found[0], found[1]


def _layer(pair: Pair) -> Layer:
    layer = pair.new or pair.old
    assert layer is not None
    return layer


def _alike(one: tuple[str, list[Pair]], other: tuple[str, list[Pair]]) -> bool:
    """Whether two neighbouring scopes hold the same layers."""
    if one[0].rpartition(".")[0] != other[0].rpartition(".")[0] or len(one[1]) != len(other[1]):
        return False
    if not (one[0].rpartition(".")[2].isdigit() and other[0].rpartition(".")[2].isdigit()):
        return False
    cut, start = len(one[0]), len(other[0])
    return len(one[1]) > 1 and all(
        (_layer(a).name[cut:], _layer(a).op, _layer(a).shape, _layer(a).params)
        == (_layer(b).name[start:], _layer(b).op, _layer(b).shape, _layer(b).params)
        for a, b in zip(one[1], other[1], strict=True)
    )
