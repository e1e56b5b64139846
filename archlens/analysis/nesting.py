"""A network as the tree of its scopes: what each reads from outside, and what outside reads from it."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from ..network import Layer, Network, is_after, scopes_around, scopes_of
from ..shape import Shape
from . import uses
from .uses import Use

#: A tensor: the number of the layer that makes it, or below zero an input of the network (-1 is the first).
Value = int


@dataclass(slots=True, eq=False)
class Scope:
    """A part of the network under one name."""

    #: Whether its steps can name what stands around it.
    sees_out: ClassVar[bool] = True
    path: str
    name: str
    #: The block that made it; empty for a scope that was only named.
    block: str
    parent: Scope | None
    #: Its layers and scopes as they were read, and from them the children, once all is read.
    parts: list[Child | Scope] = field(default_factory=list)
    children: list[Child] = field(default_factory=list)
    #: What it reads from outside, in the order of the first use; what outside reads from it.
    inputs: dict[Value, None] = field(default_factory=dict)
    outputs: dict[Value, None] = field(default_factory=dict)


class Child(NamedTuple):
    """A layer or scope within a scope; what it reads and makes."""

    name: str
    #: What stands for the layer, or the scope.
    unit: Any
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    #: Whether it runs in training alone.
    training: bool
    kind: str  # the op, or the block

    @property
    def is_numbered(self) -> bool:
        """Whether its name is a number, as ``nn.Sequential`` gives."""
        return is_number(self.name)

    @property
    def is_unnamed(self) -> bool:
        """Whether its name says no more than its place or its op, as if nobody gave it: 2, relu, relu_1."""
        return self.is_numbered or is_after(self.name, self.kind)


def is_number(name: str) -> bool:
    """Whether a name is a number as ``str`` writes it: 7, not 07."""
    return name.isascii() and name.isdigit() and (name == "0" or name[0] != "0") and len(name) < 10


def values_of(network: Network) -> dict[str, Value]:
    """The numbers of inputs and layers by their names."""
    numbers = {name: -1 - k for k, name in enumerate(network.inputs)}
    return numbers | {layer.name: k for k, layer in enumerate(network.layers)}


def shape_of(network: Network, value: Value) -> Shape:
    """The shape of a tensor."""
    return list(network.inputs.values())[-1 - value] if value < 0 else network.layers[value].shape


class Nesting:
    """The scopes of a network, each closed before the next one beside it begins.

    One whose parts do not stand together, as those of a list of modules with functions between them, is no
    scope here, nor is a layer of which another has its name: its parts are those of the scope around it, each
    under its path, ``convs.0``.

    Args:
        network: what is read.
        unit: what stands for a layer.
        needed: the layers that are read; all of them unless they are given.
        use: what stands for a further use of a part, and what it reads; asked with the scope that it stands
            in and the one that it applies, where it is one.
        kind: what a scope is.
    """

    def __init__(
        self,
        network: Network,
        unit: Callable[[Layer], Any] = lambda layer: layer,
        needed: Container[str] | None = None,
        kind: type[Scope] = Scope,
        use: Callable[[Use, Scope, Scope | None], tuple[Any, Sequence[str]]] = lambda use, *_: (
            use,
            [use.entry],
        ),
    ) -> None:
        self.network = network
        self.use = use
        self.uses = uses.find(network)
        self.unit = unit
        self.kind = kind
        self.numbers = values_of(network)
        self.results = {self.numbers[name] for name in network.outputs.values()}
        self.root = kind("", "", "", None)
        self.homes: dict[Value, Scope] = dict.fromkeys(range(-len(network.inputs), 0), self.root)
        #: Every scope, those inside before the one around.
        self.closed: list[Any] = []
        self.scopes: dict[str, Scope] = {}
        #: Scopes that hold layers of their own, where there are further uses, which a scope may begin with.
        self.begun = self._begun() if self.uses else set()
        self.in_training = self._in_training()
        needed = network.index if needed is None else needed
        self.apart = self._apart(needed)
        self._read(needed)
        for scope in self.closed:
            scope.children = [part if isinstance(part, Child) else _child(part) for part in scope.parts]

    def _begun(self) -> set[str]:
        return {
            scope for layer in self.network.layers if not layer.again for scope in scopes_around(layer.name)
        }

    def _in_training(self) -> set[str]:
        """The layers that run in training alone: those of heads for training that nothing else reads."""
        read, alone = set[str](), set[str]()
        for layer in reversed(self.network.layers):
            if layer.training and layer.name not in read:
                alone.add(layer.name)
            else:
                read.update(layer.inputs)
        return alone

    def _apart(self, needed: Container[str]) -> set[str]:
        """The scopes whose parts do not stand together, or that are layers."""
        found: set[str] = set()
        done: set[str] = set()
        opened: list[str] = []
        following = self._following()
        for number, layer in enumerate(self.network.layers):
            use = self.uses.get(layer.name)
            if use is None and (layer.again or layer.name not in needed):
                continue
            if use is None or use.name:
                around = scopes_around(layer.name if use is None else use.name)
            else:
                around = self._holding(use, opened, following[number + len(use.pairs)])
            done.update(opened[_common(opened, around) :])
            found.update(path for path in around if path in done or path in self.network.index)
            opened = around
        return found

    def _holding(self, use: Use, opened: list[str], follows: Layer | None) -> list[str]:
        """The scopes around a further use without a name: those of what it applies, or of what follows."""
        count = len(opened)
        while count and not use.of.startswith(f"{opened[count - 1]}."):
            if follows is not None and follows.within(opened[count - 1]):
                break
            count -= 1
        return opened[:count]

    def _visible(self, path: str) -> str:
        """The innermost scope at a path that is one here."""
        while path in self.apart:
            path = path.rpartition(".")[0]
        return path

    def _read(self, needed: Container[str]) -> None:
        opened = [self.root]
        following = self._following()
        skipped = 0
        for number, layer in enumerate(self.network.layers):
            if number < skipped:
                continue
            use = self.uses.get(layer.name)
            if use is not None:
                skipped = number + len(use.pairs)
                if any(one.name in needed for _, one in use.pairs):
                    self._apply(number, use, self._around(use, opened, following[skipped]))
                continue
            if layer.name not in needed:
                continue
            self._enter(layer.scope, opened)
            self._add(number, layer, opened[-1])
        self.closed += reversed(opened)

    def _enter(self, scope: str, opened: list[Scope]) -> None:
        """Close the scopes that do not lead to another one, and open those that do."""
        path = self._visible(scope)
        while opened[-1].path != path and not path.startswith(f"{opened[-1].path}."):
            if opened[-1] is self.root:
                break
            self.closed.append(opened.pop())
        while opened[-1].path != path:
            outer = opened[-1]
            start = len(outer.path) + 1 if outer.path else 0
            inner = next(at for at in scopes_of(path) if len(at) > start and at not in self.apart)
            name = inner[start:]
            opened.append(self.kind(inner, name, self.network.blocks.get(inner, ""), outer))
            self.scopes[inner] = opened[-1]
            outer.parts.append(opened[-1])

    def _following(self) -> list[Layer | None]:
        """From each layer on, and after the last, the first that is no further use."""
        if not self.uses:
            return []
        found: list[Layer | None] = [None]
        for layer in reversed(self.network.layers):
            found.append(found[-1] if layer.again else layer)
        return found[::-1]

    def _around(self, use: Use, opened: list[Scope], follows: Layer | None) -> Scope:
        """The scope that a further use stands in.

        That is where it has its name, or else the innermost that has what it applies, or goes on after it.
        """
        if use.name:
            path = self._visible(use.name.rpartition(".")[0])
            if self.root.sees_out or (path in self.begun and path not in self.scopes):
                self._enter(path, opened)
                return opened[-1]
        else:
            path = "".join(self._holding(use, [scope.path for scope in opened[1:]], follows)[-1:])
        while len(opened) > 1 and opened[-1].path != path:
            self.closed.append(opened.pop())
        return opened[-1]

    def _apply(self, number: Value, use: Use, scope: Scope) -> None:
        """Add a further use to a scope, as a child without parts."""
        around = f"{scope.path}." if scope.path else ""
        name = use.name[len(around) :] or f" {len(scope.parts)}"
        home = self.kind(f"{around}{name}", name, "", scope)
        end = self.numbers[use.end]
        for value in range(number, number + len(use.pairs)):
            self.homes[value] = home
            for source in self.network.layers[value].inputs:
                if not number <= self.numbers[source] < number + len(use.pairs):
                    self._reach(self.numbers[source], scope)
        if end in self.results:
            self._leave(end, self.root)
        unit, read = self.use(use, scope, self.scopes.get(use.of))
        training = all(layer.name in self.in_training for _, layer in use.pairs)
        inputs = tuple([self.numbers[name] for name in read])
        scope.parts.append(Child(name, unit, inputs, (end,), training, "again"))

    def _add(self, number: Value, layer: Layer, scope: Scope) -> None:
        inputs = tuple([self.numbers[name] for name in layer.inputs])
        self.homes[number] = scope
        for source in inputs:
            self._reach(source, scope)
        if number in self.results:
            self._leave(number, self.root)
        name = layer.name[len(scope.path) + 1 :] if scope.path else layer.name
        training = layer.name in self.in_training
        scope.parts.append(Child(name, self.unit(layer), inputs, (number,), training, layer.op.kind))

    def _reach(self, source: Value, reader: Scope) -> None:
        """Lead a tensor from its home into the scope that reads it."""
        scope = reader
        while not _holds(scope, self.homes[source]):
            if source in scope.inputs:
                return  # as in all scopes up to its home
            scope.inputs[source] = None
            assert scope.parent is not None
            scope = scope.parent
        self._leave(source, scope)

    def _leave(self, source: Value, target: Scope) -> None:
        scope = self.homes[source]
        while not _holds(scope, target):
            scope.outputs[source] = None
            assert scope.parent is not None
            scope = scope.parent


def _child(scope: Scope) -> Child:
    outputs = tuple(sorted(scope.outputs))
    training = all(child.training for child in scope.children)
    return Child(scope.name, scope, tuple(scope.inputs), outputs, training, scope.block)


def _holds(outer: Scope, inner: Scope) -> bool:
    """Whether a scope is another one, or around it."""
    return outer is inner or not outer.path or inner.path.startswith(f"{outer.path}.")


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many scopes two paths begin with."""
    return next(
        (k for k, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]),
        min(len(one), len(other)),
    )
