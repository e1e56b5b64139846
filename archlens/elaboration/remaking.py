"""Networks whose source is asked again on other inputs: a module that runs, a file that is laid out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from ..bounds import allowed, allowing
from ..errors import SpecError
from ..network import Network, Setting
from ..records import record
from ..shape import Shape
from .building import Built
from .inputs import read_given


@record(frozen=True, eq=False)
class Remade(Built):
    """A network that its source makes anew on other inputs.

    A search over many sizes places the same ops again instead, where that gives what the source does on two
    other sizes; else it is asked on each size.
    """

    made: dict[Any, Network] = field(default_factory=dict)
    #: Whether the ops are the same on any size, once that has been tried.
    steady: list[bool] = field(default_factory=list)
    #: The most layers that it may have.
    most: int = field(default_factory=allowed)

    @property
    def allowed(self) -> int:
        return self.most

    @abstractmethod
    def remake(self, network: Network, shapes: Mapping[str, Shape], heads: bool) -> Network:
        """The network on inputs of these shapes; without what runs in training only unless ``heads``."""

    def keeps(self, network: Network) -> bool:
        return self.is_steady(network)

    def again(self, network: Network, on: Setting) -> Network:
        if on.values:
            return super().again(network, on)
        shapes = {**network.inputs, **read_given(on.input, network.inputs, network.name)}
        found = self.made.get(_key(shapes, not on.inference))
        if found is not None:
            return found
        if not on.advice and self.is_steady(network):
            return super().again(network, on)
        return self._remade(network, shapes, heads=not on.inference)

    def _remade(self, network: Network, shapes: Mapping[str, Shape], heads: bool = True) -> Network:
        with allowing(self.most):
            found = self.remake(network, shapes, heads)
        if len(self.made) < _KEPT:
            self.made[_key(shapes, heads)] = found
        return found

    def is_steady(self, network: Network) -> bool:
        """Whether the same ops on two other sizes are what the source makes there."""
        if not self.steady:
            self.steady.append(all(self._agrees(network, change) for change in _TRIED))
        return self.steady[0]

    def _agrees(self, network: Network, change: tuple[int, int]) -> bool:
        times, more = change
        shapes = {
            name: shape.with_spatial([n * times + more for n in shape.spatial])
            for name, shape in network.inputs.items()
        }
        try:
            made = self._remade(network, shapes)
            placed = super().again(network, Setting(shapes))
        except SpecError:
            return False
        return [layer[:5] for layer in made] == [layer[:5] for layer in placed]


def _key(shapes: Mapping[str, Shape], heads: bool) -> Any:
    return (heads, *map(tuple, shapes.values()))


#: On what other sizes the same ops are tried: twice as large and odd, and a little larger.
_TRIED = ((2, 1), (1, 32))

#: How many networks are kept of one source.
_KEPT = 64
