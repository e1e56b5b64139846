"""Bounds on a network, so that a hostile spec ends in a diagnostic and not in a full memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

#: The most layers of a network unless more are asked for. The deepest that people have trained, of ten
#: thousand convolutions, has some twenty thousand; with as many as this, every command ends in seconds.
MAX_LAYERS = 25_000
#: Blocks within blocks.
MAX_BLOCKS = 40

#: The largest size of one axis of an input, and of what flows between layers.
MAX_SIZE = 10**9
MAX_AXIS = 10**15

#: How the bounds that follow from that on the layers are raised.
RAISED = "--max-layers, or max_layers= in Python, allows more"

#: The layers of each variant of each file that were laid out; ``None`` where nobody adds them up.
_LAID_OUT: ContextVar[dict[str, dict[str, int]] | None] = ContextVar("laid_out", default=None)

_ALLOWED: ContextVar[int] = ContextVar("max_layers", default=MAX_LAYERS)


@contextmanager
def allowing(layers: int) -> Iterator[None]:
    """Within it a network may have as many layers, and what follows from that."""
    token = _ALLOWED.set(layers)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def allowed() -> int:
    """The most layers that a network may have here."""
    return _ALLOWED.get()


@contextmanager
def together() -> Iterator[None]:
    """Within it the networks of a file may have as many layers together as one of them."""
    token = _LAID_OUT.set({})
    try:
        yield
    finally:
        _LAID_OUT.reset(token)


def laid_out(file: str, variant: str, layers: int) -> None:
    """Take down that a variant of a file was laid out."""
    if (found := _LAID_OUT.get()) is not None:
        found.setdefault(file, {})[variant] = layers


def too_many_together(file: str) -> bool:
    """Whether several variants of a file have more than all of them may have."""
    found = (_LAID_OUT.get() or {}).get(file, {})
    return len(found) > 1 and sum(found.values()) > allowed()


class Bounds:
    """How large a network may be: everything that costs time or memory for each layer, in proportion."""

    __slots__ = ("connections", "layers", "steps", "views")

    def __init__(self, layers: int) -> None:
        self.layers = layers
        #: What layers read, taken together, and the outputs.
        self.connections = 4 * layers
        #: Layers for each of the inputs, and inputs: what a layer sees is found for every input by itself.
        self.views = 10 * layers
        #: Steps on the way; one is about what a layer costs. A list of numbers is worth some, whatever is
        #: made of it.
        self.steps = 10 * max(layers, MAX_LAYERS)

    @property
    def too_many_layers(self) -> str:
        """What is said of a network that has more layers."""
        return f"the network has more than {self.layers:,} layers, the most that one may have"

    @property
    def too_many_connections(self) -> str:
        """What is said of one whose layers and outputs read more."""
        return (
            f"the layers and outputs of the network read more than {self.connections:,} tensors, "
            f"the most for {self.layers:,} layers"
        )

    def too_many_views(self, inputs: int) -> str:
        """What is said of one that has too many layers for as many inputs."""
        return (
            f"the network has too many layers for its {inputs:,} inputs: inputs x (inputs + layers) may be "
            f"{self.views:,}"
        )

    @property
    def too_many_steps(self) -> str:
        """What is said of one that takes more steps."""
        return f"laying this network out takes more than {self.steps:,} steps"
