"""The tape of a TensorFlow Lite file as a network: its maps have their channels first here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import error, shorten
from ...lowering import aten
from ...lowering.lowering import Draft, Lowering
from ...lowering.tape import TakenApart, Value
from ...network import Network, Origin
from .graph import Graph
from .operators import COSTS, FREE, SAID
from .reading import File


def said(file: File, name: str, origin: Origin) -> Network:
    """The network of a file, on the inputs that it says.

    Raises:
        SpecError: an operator is not as the schema says, or what flows through is no network.
    """
    tape = Graph(file, SAID, COSTS, FREE).tape()
    lowering = _Maps(tape, aten.TABLE)
    try:
        lowering.run()
    except TakenApart:
        assert lowering.node is not None
        raise error(
            f"{shorten(file.path, 200)}: {shorten(lowering.node.call.path)} takes the batch apart"
        ) from None
    if not lowering.drafts:
        raise error(f"{shorten(file.path, 200)} has no layers")
    return lowering.network(name, origin)


class _Maps(Lowering):
    """What moves values makes a layer only where it has to: axes are turned round for the format's sake."""

    def near(self, value: Value, last: bool | None = None) -> Any:
        return self.of(value)

    def _is_last(self, value: Value) -> bool:
        return len(value.sizes) == 3

    def _stays_last(self, shape: Sequence[int], inputs: Iterable[Draft]) -> bool:
        return len(shape) == 2
