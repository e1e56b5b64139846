"""A network that a module was traced into, and how it is had on other inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any, Protocol

from ..elaboration.remaking import Remade
from ..lowering.account import REPLAYED, RUN, Account
from ..network import Network, Setting
from ..records import record
from ..shape import Shape

#: Inputs of a module as they are handed on: what stands at each place, and by each name.
Given = tuple[tuple[Any, ...], Mapping[str, Any]]


class Maker(Protocol):
    """What makes a module again with other values."""

    def read(self, values: Mapping[str, Any]) -> dict[str, Any]: ...

    def module(self, values: Mapping[str, Any]) -> Any: ...


@record(frozen=True, eq=False)
class Traced(Remade):
    """A network that a module was traced into: on other inputs the module runs again."""

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

    @property
    def notes(self) -> list[str]:
        """What it ran on, where that is not tensors without values alone, and what nobody could look at."""
        if self.account is None:
            return []
        way = self.account.way
        found = [f"Traced by {way}."] if way not in (RUN, REPLAYED) else []
        if self.account.blind:
            many = self.account.blind > 1
            found.append(
                f"{self.account.blind:,} opaque layer{'s' if many else ''} read{'' if many else 's'} buffers "
                "without values, as modules on the meta device and exported programs have: masks and angles "
                "in these were not looked at."
            )
        return found

    def again(self, network: Network, on: Setting) -> Network:
        if not on.values or self.maker is None:
            return super().again(network, on)
        chosen = {**self.values, **self.maker.read(on.values)}
        other = replace(self, module=self.maker.module(chosen), values=chosen, made={}, steady=[])
        return replace(other.again(network, on._replace(values={})), values=chosen)

    def remake(self, network: Network, shapes: Mapping[str, Shape], heads: bool) -> Network:
        assert self.run is not None
        return self.run(self, network.name, shapes, heads=heads)
