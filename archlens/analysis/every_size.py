"""Which of many inputs a network takes, and which of them lose no pixel, found on all sizes at once.

The ops are asked on numbers that remember how they were made of the size of the input (those of
:mod:`archlens.formulas`), one layer after the other. An answer holds on all sizes on which what the op
compared comes out alike, so most layers are asked once. Sizes on which one answers differently go on apart,
until all tensors that are still read have one form again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from typing import NamedTuple

from ..formulas import Form, Table, form_of, is_constant
from ..geometry import Window
from ..network import Layer, Network
from ..ops import ShapeError
from ..shape import Ids, Shape
from . import unseen

#: How many layers laid out an op is worth that is asked on numbers that remember.
_ASKED = 10

#: How many values of forms are worth a layer laid out.
_VALUES = 25

#: The form of each axis of a tensor.
_Forms = tuple[Form, ...]


class Told(NamedTuple):
    """What becomes of some sizes, as bits: the first of them is bit 0."""

    #: Those that the network takes.
    valid: int
    #: Those of them at which a window leaves positions unseen.
    lossy: int
    #: Those on which nothing can be told, since its source may make other layers there.
    untold: int
    #: How much work it was, in layers laid out.
    work: int


class _Tensor(NamedTuple):
    """A shape on all sizes."""

    like: Shape
    forms: _Forms

    def on(self, table: Table) -> Shape:
        """The shape as numbers to compute with."""
        return self.like.with_sizes([table.number(form) for form in self.forms])

    @property
    def key(self) -> tuple[object, ...]:
        """What two of them have in common that are alike."""
        below = self.like.below if isinstance(self.like, Ids) else None
        return type(self.like), below, self.forms


class _Answer(NamedTuple):
    """What an op says on the sizes that are these bits."""

    sizes: int
    #: What comes out; ``None`` where it refuses.
    out: _Tensor | None
    #: On which of the sizes its windows leave positions unseen.
    lossy: int


class _Group(NamedTuple):
    """Sizes on which all tensors that are still read have one form each."""

    sizes: int
    tensors: dict[str, _Tensor]


def tell(network: Network, axes: tuple[int, ...], sizes: range, most: int) -> Told:
    """What becomes of inputs along some axes; all that have the axes of the first change together.

    Nothing is told of a network with an op of somebody else's, since nobody knows how it computes, nor where
    that would be too much work.

    Args:
        network: as its source made it on its own input.
        axes: which of the spatial axes are changed.
        sizes: the sizes that are tried.
        most: how much work it may be, in layers laid out.
    """
    ours = all(type(layer.op).__module__.startswith("archlens.") for layer in network.layers)
    if not ours or len(sizes) > most:
        return Told(0, 0, (1 << len(sizes)) - 1, 0)
    return _Telling(network, axes, sizes, most).run()


class _Telling:
    """One pass over the layers of a network."""

    def __init__(self, network: Network, axes: tuple[int, ...], sizes: range, most: int) -> None:
        self.network = network
        self.axes = axes
        self.table = Table(sizes)
        self.most = most
        self.names = {next(iter(network.inputs.values())).axes[axis] for axis in axes}
        self.known: dict[object, list[_Answer]] = {}
        #: Windows: on which sizes each was looked at, and on which of these it leaves positions unseen.
        self.windows: dict[tuple[Form, ...], tuple[int, int]] = {}
        self.asked = self.laid_out = 0
        self.lossy = self.untold = 0
        #: What the source asked of a tensor: where that is different it may make other layers.
        self.conditions: dict[str, list[tuple[str, int]]] = {}
        for asked in network.asked:
            self.conditions.setdefault(asked.name, []).append((asked.axis, asked.size))

    def run(self) -> Told:
        last = {name: n for n, layer in enumerate(self.network.layers) for name in layer.inputs}
        groups = list(self.checked([_Group(self.table.all, self.inputs())], *self.network.inputs))
        for n, layer in enumerate(self.network.layers):
            done = [name for name in {*layer.inputs, layer.name} if last.get(name, n) <= n]
            groups = [
                self.placed(layer, group, answer) for group in groups for answer in self.ask(layer, group)
            ]
            self.laid_out += len(groups)
            if self.work > self.most:
                return Told(0, 0, self.table.all, self.work)
            groups = [group for group in self.checked(groups, layer.name) if group.sizes]
            for group in groups:
                for name in done:
                    group.tensors.pop(name, None)
            if len(groups) > 1:
                groups = _merged(groups)
        valid = 0
        for group in groups:
            valid |= group.sizes
        return Told(valid, self.lossy & valid, self.untold, self.work)

    @property
    def work(self) -> int:
        """How much was done, in layers laid out."""
        values = len(self.table.sizes[0]) * (1 + self.table.count // _VALUES)
        return values + self.laid_out + _ASKED * self.asked

    def inputs(self) -> dict[str, _Tensor]:
        """The inputs, those that have the axes of the first with the letter along the changed ones."""
        own = next(iter(self.network.inputs.values())).spatial
        found = {}
        for name, shape in self.network.inputs.items():
            forms = [form_of(n) for n in shape]
            if shape.spatial == own:
                first = 0 if shape.channels_last or isinstance(shape, Ids) else 1
                for axis in self.axes:
                    forms[first + axis] = self.table.letter
            found[name] = _Tensor(shape, tuple(forms))
        return found

    def checked(self, groups: Sequence[_Group], *names: str) -> Iterator[_Group]:
        """The groups without the sizes on which the source would be told something else of these tensors."""
        asked = [(name, axis, size) for name in names for axis, size in self.conditions.get(name, ())]
        for group in groups:
            sizes = group.sizes
            for name, axis, size in asked if sizes else ():
                self.stand(sizes)
                found = group.tensors[name].on(self.table).size(axis)
                if found is not None:
                    self.table.taken()
                    answered = self.alike() if found == size else self.table.all & ~self.alike()
                    self.untold |= sizes & ~answered
                    sizes &= answered
            yield group._replace(sizes=sizes)

    def placed(self, layer: Layer, group: _Group, answer: _Answer) -> _Group:
        """Those of a group's sizes on which a layer answers so; none where it refuses."""
        if answer.out is None:
            return _Group(0, {})
        self.lossy |= answer.sizes & answer.lossy
        return _Group(answer.sizes, {**group.tensors, layer.name: answer.out})

    def ask(self, layer: Layer, group: _Group) -> Iterator[_Answer]:
        """What a layer says on the sizes of a group, one answer after the other."""
        read = [group.tensors[name] for name in layer.inputs]
        key = id(layer.op), layer.copied, tuple([tensor.key for tensor in read])
        known = self.known.setdefault(key, [])
        left = group.sizes
        for answer in known:
            if left & answer.sizes:
                yield answer._replace(sizes=left & answer.sizes)
                left &= ~answer.sizes
        while left and self.work <= self.most:
            self.stand(left)
            answer = self.answer(layer, read)
            known.append(answer)
            yield answer._replace(sizes=left & answer.sizes)
            left &= ~answer.sizes

    def stand(self, sizes: int) -> None:
        """Let numbers be as they are at the first of some sizes."""
        self.table.point = (self.table.sizes[0][(sizes & -sizes).bit_length() - 1],)

    def answer(self, layer: Layer, read: list[_Tensor]) -> _Answer:
        """What a layer says on the size at hand, and on all on which it says the same."""
        self.asked += 1
        table = self.table
        table.taken()
        shapes = tuple([tensor.on(table) for tensor in read])
        try:
            facts = layer.asked(shapes)
        except ShapeError:
            return _Answer(self.alike(), None, 0)
        sizes = self.alike()
        out = _Tensor(facts.shape, tuple([form_of(n) for n in facts.shape]))
        lossy = 0
        for axis, n, window in unseen.slid(layer._replace(facts=facts, input_shapes=shapes)):
            if axis in self.names:
                lossy |= self.losing(n, window, sizes & ~lossy)
        table.taken()
        return _Answer(sizes, out, lossy)

    def alike(self) -> int:
        """The sizes on which all that was compared comes out alike."""
        sizes = self.table.all
        for condition in self.table.taken():
            sizes &= self.table.mask(condition)
        return sizes

    def losing(self, n: int, window: Window, sizes: int) -> int:
        """On which of some sizes a window leaves some of its ``n`` positions unseen."""
        forms = tuple(map(form_of, (n, *window)))
        looked, losing = self.windows.get(forms, (0, 0))
        left = sizes & ~looked
        if left:
            known: dict[tuple[int, ...], str] = {}
            bits = []
            for values, bit in zip(self.rows(forms), reversed(bin(left)), strict=False):
                if bit == "1" and values not in known:
                    known[values] = str(int(unseen.left_by(Window._make(values[1:]), values[0]) > 0))
                bits.append(known[values] if bit == "1" else "0")
            losing |= int("".join(reversed(bits)), 2)
            self.windows[forms] = looked | left, losing
        return losing & sizes

    def rows(self, forms: tuple[Form, ...]) -> Iterator[tuple[int, ...]]:
        """What some forms are on one size after the other."""
        columns = [
            repeat(form[0][1] if form else 0) if is_constant(form) else self.table.values(form)
            for form in forms
        ]
        return islice(zip(*columns, strict=False), len(self.table.sizes[0]))


def _merged(groups: list[_Group]) -> list[_Group]:
    """The groups, those as one in which all tensors have the same forms."""
    found: dict[object, _Group] = {}
    for group in groups:
        key = tuple([(name, tensor.key) for name, tensor in group.tensors.items()])
        before = found.get(key)
        found[key] = group if before is None else before._replace(sizes=before.sizes | group.sizes)
    return list(found.values())
