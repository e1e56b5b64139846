"""Bounds on a network, so that a hostile spec ends in a diagnostic and not in a full memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

from .errors import UsageError, shorten, usage

#: The most layers of a network unless more are asked for. The deepest that people have trained, of ten
#: thousand convolutions, has some twenty thousand; with as many as this, every command ends in seconds.
MAX_LAYERS = 25_000
#: Blocks within blocks.
MAX_BLOCKS = 40

#: The largest size of one axis of an input.
MAX_SIZE = 10**9

#: How the bounds that follow from that on the layers are raised.
RAISED = "--max-layers, or max_layers= in Python, allows more"

_ALLOWED: ContextVar[int] = ContextVar("max_layers", default=MAX_LAYERS)


@contextmanager
def allowing(layers: int | None) -> Iterator[None]:
    """Within it a network may have as many layers, and what follows from that; ``None`` changes nothing.

    Raises:
        UsageError: it is no number of layers.
    """
    if layers is None:
        layers = allowed()
    if not isinstance(layers, int) or layers < 1:
        raise usage("max_layers is a whole number of layers, and at least 1")
    token = _ALLOWED.set(layers)
    try:
        yield
    finally:
        _ALLOWED.reset(token)


def allowed() -> int:
    """The most layers that a network may have here."""
    return _ALLOWED.get()


class _File:
    """What a command does with the networks of one file."""

    def __init__(self) -> None:
        #: What each of its variants is worth, in layers.
        self.worth: dict[str, int] = {}
        #: The layers of all sizes that they were searched on.
        self.searched = 0


#: The files of which several networks were made; ``None`` where nobody adds up what they take.
_FILES: ContextVar[dict[str, _File] | None] = ContextVar("files", default=None)

#: What a page of a report is worth, in layers: itself, each box of its pictures, and a piece of the spec.
_PAGE, _BOX, _CHARACTERS = 40, 10, 1000

#: How many layers the searches of all networks of a file may lay out, for each that a network may have: those
#: of six large ones that give up by themselves. Of the zoo's files Llama's takes the most of it.
SEARCHED = 200


@contextmanager
def together() -> Iterator[dict[str, _File]]:
    """Within it the networks of a file may have as many layers together as one of them, and pages."""
    files: dict[str, _File] = {}
    token = _FILES.set(files)
    try:
        yield files
    finally:
        _FILES.reset(token)


@contextmanager
def counted(file: str, variant: str) -> Iterator[Callable[[int], None]]:
    """Within it a variant of a file is laid out, and it is said how many layers that is worth.

    Raises:
        UsageError: the variants of the file have too many layers together, without it or with it.
    """
    too_much = f"the networks of {shorten(file)} have more than {allowed():,} layers together"
    _check(file, variant, too_much)
    yield partial(_take_down, file, variant)
    _check(file, variant, too_much)


def shown(file: str, variant: str, layers: int, boxes: int, characters: int) -> None:
    """Take down that a variant of a file has a page, with so many boxes in its pictures, and the file on it.

    Raises:
        UsageError: the pages of the file are too much work together.
    """
    _take_down(file, variant, layers + _PAGE + _BOX * boxes + characters // _CHARACTERS)
    _check(file, variant, f"the pages of {shorten(file)} are more work together than {allowed():,} layers")


def _take_down(file: str, variant: str, layers: int) -> None:
    """Take down that a variant of a file was made something of that is worth so many layers."""
    if (files := _FILES.get()) is not None:
        found = files.setdefault(file, _File()).worth
        found[variant] = max(layers, found.get(variant, 0))


def _check(file: str, variant: str, too_much: str) -> None:
    found = (_FILES.get() or {}).get(file)
    if found is not None and len({*found.worth, variant}) > 1 and sum(found.worth.values()) > allowed():
        raise _too_much(too_much, file, variant)


def _too_much(what: str, file: str, variant: str) -> UsageError:
    return usage(what, help=f"name one of them, as in {shorten(file)}:{shorten(variant)}; or {RAISED}")


def searched(file: str, layers: int) -> None:
    """Take down that a search laid a network of a file out.

    How far a search goes depends on its network alone, so that a page is the same whatever stands beside it.

    Raises:
        UsageError: the searches of several networks of the file are too much work together.
    """
    found = (_FILES.get() or {}).get(file)
    if found is None:
        return
    found.searched += layers
    most = SEARCHED * max(allowed(), MAX_LAYERS)
    if len(found.worth) > 1 and found.searched > most:
        raise _too_much(
            f"the searches for sizes of {shorten(file)} take more than {most:,} layers together",
            file,
            next(reversed(found.worth)),
        )


#: What was done since a network began to be made again, in layers that are laid out; ``None`` where nobody
#: adds it up.
_DONE: ContextVar[list[int] | None] = ContextVar("done", default=None)


@contextmanager
def measured() -> Iterator[list[int]]:
    """Within it what is done to make networks is added up: the one number of the list."""
    done = [0]
    token = _DONE.set(done)
    try:
        yield done
    finally:
        _DONE.reset(token)


def worked(layers: int) -> None:
    """Take down that something was done to make a network, which is as much as to lay out so many layers."""
    if (done := _DONE.get()) is not None:
        done[0] += layers


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
