"""A network that a module was traced into, and how it is had on other inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from ..elaboration.building import Built
from ..elaboration.inputs import read_given
from ..errors import SpecError
from ..network import Network, Setting
from ..shape import Shape
from .account import RUN, Account

#: Inputs of a module as they are handed on: what stands at each place, and by each name.
Given = tuple[tuple[Any, ...], Mapping[str, Any]]


class Maker(Protocol):
    """What makes a module again with other values."""

    def module(self, values: Mapping[str, Any]) -> Any: ...


@dataclass(frozen=True, eq=False)
class Traced(Built):
    """A network that a module was traced into: on other inputs the module runs again.

    A search over many sizes places the same ops again instead, where that gives what the module does on two
    other sizes; else each size is traced.
    """

    module: Any = None
    given: Given = ((), {})
    #: What traces it.
    run: Callable[..., Network] | None = None
    #: What it was made with, and what makes it with other values; ``None`` where it was handed over.
    values: Mapping[str, Any] = field(default_factory=dict)
    maker: Maker | None = None
    way: str = RUN
    #: The inputs that are ids: whole numbers by which a table is looked up.
    ids: frozenset[str] = frozenset()
    #: What ran; ``None`` where it raised.
    account: Account | None = None
    made: dict[Any, Network] = field(default_factory=dict)
    #: Whether the ops that ran are those that run on any size, once that has been tried.
    steady: list[bool] = field(default_factory=list)

    def again(self, network: Network, on: Setting) -> Network:
        if on.values:
            if self.maker is None:
                return super().again(network, on)
            chosen = {**self.values, **on.values}
            other = replace(self, module=self.maker.module(chosen), values=chosen, made={}, steady=[])
            return replace(other.again(network, on._replace(values={})), values=chosen)
        shapes = {**network.inputs, **read_given(on.input, network.inputs, network.name)}
        found = self.made.get(_key(shapes, not on.inference))
        if found is not None:
            return found
        if not on.advice and self.is_steady(network):
            return super().again(network, on)
        return self._traced(network, shapes, heads=not on.inference)

    def _traced(self, network: Network, shapes: Mapping[str, Shape], heads: bool = True) -> Network:
        assert self.run is not None
        found = self.run(self, network.name, shapes, heads=heads)
        if len(self.made) < _KEPT:
            self.made[_key(shapes, heads)] = found
        return found

    def is_steady(self, network: Network) -> bool:
        """Whether the same ops on two other sizes are what the module does there."""
        if not self.steady:
            self.steady.append(all(self._agrees(network, change) for change in _TRIED))
        return self.steady[0]

    def _agrees(self, network: Network, change: tuple[int, int]) -> bool:
        times, more = change
        shapes = {
            name: type(shape)(
                [n if i == shape.channel_axis else n * times + more for i, n in enumerate(shape)]
            )
            for name, shape in network.inputs.items()
        }
        try:
            traced = self._traced(network, shapes)
            placed = super().again(network, Setting(shapes))
        except SpecError:
            return False
        return [layer[:5] for layer in traced] == [layer[:5] for layer in placed]


def _key(shapes: Mapping[str, Shape], heads: bool) -> Any:
    return (heads, *map(tuple, shapes.values()))


#: On what other sizes the same ops are tried: twice as large and odd, and a little larger.
_TRIED = ((2, 1), (1, 32))

#: How many networks are kept of one module.
_KEPT = 64
