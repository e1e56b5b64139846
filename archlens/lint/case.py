"""What rules are asked about: a network with its spec, and what several rules want to know of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from ..analysis import receptive_field
from ..analysis.receptive_field import ReceptiveFields
from ..errors import shorten
from ..geometry import Window
from ..language.spec import Spec
from ..network import Layer, Network
from .mentions import Mentions, of_spec


class Case:
    """A network and the spec that it was made from."""

    def __init__(self, spec: Spec, network: Network) -> None:
        self.spec = spec
        self.network = network
        self.layers = network.layers
        #: The layers (and inputs) that outputs come from.
        self.ends = set(network.outputs.values())

    @cached_property
    def readers(self) -> Mapping[str, list[Layer]]:
        """The layers that read each layer or input, in order; each once."""
        found: dict[str, list[Layer]] = {name: [] for name in (*self.network.inputs, *self.network.index)}
        for layer in self.layers:
            for name in layer.inputs if len(layer.inputs) == 1 else dict.fromkeys(layer.inputs):
                found[name].append(layer)
        return found

    @cached_property
    def unread(self) -> Mapping[str, list[Layer]]:
        """By each result that nothing reads, the layers that lead to it and to no output, in order."""
        owner: dict[str, str] = {}
        found: dict[str, list[Layer]] = {}
        for layer in reversed(self.layers):
            if layer.name in self.network.needed:
                continue
            readers = self.readers[layer.name]
            last = owner[layer.name] = owner[readers[0].name] if readers else layer.name
            found.setdefault(last, []).append(layer)
        return {last: layers[::-1] for last, layers in reversed(found.items())}

    @cached_property
    def unread_repeats(self) -> set[str]:
        """Those of the results that nothing reads whose step of the spec stands for others that are read."""
        waste = {layer.name for layers in self.unread.values() for layer in layers}
        places = {id(self.network.index[name].where): name for name in self.unread}
        read = {id(layer.where) for layer in self.layers if layer.name not in waste} if places else set()
        return {name for name in self.unread if id(self.network.index[name].where) in read}

    @cached_property
    def fields(self) -> Mapping[str, ReceptiveFields]:
        """The receptive fields, for each input."""
        return {name: receptive_field.find(self.network, name) for name in self.network.inputs}

    @cached_property
    def mentions(self) -> Mentions:
        """Which params and blocks the spec mentions where."""
        return of_spec(self.spec)

    def reader(self, layer: Layer) -> Layer | None:
        """The only layer that reads this one; ``None`` where there are several, or it is an output."""
        readers = self.readers[layer.name]
        return readers[0] if len(readers) == 1 and layer.name not in self.ends else None

    def source(self, layer: Layer) -> Layer | None:
        """The only layer that this one reads; ``None`` where it merges, or reads an input."""
        return self.network.index.get(layer.inputs[0]) if len(layer.inputs) == 1 else None


def at_one_place(layers: Iterable[Layer]) -> list[list[Layer]]:
    """Layers put together that the same word of the spec made, so that one mistake is one finding."""
    found: dict[int, list[Layer]] = {}
    for layer in layers:
        found.setdefault(id(layer.where), []).append(layer)
    return list(found.values())


class Vain(NamedTuple):
    """Results of one step that nothing reads, with all that leads to them alone."""

    ends: list[Layer]
    layers: list[Layer]

    @property
    def params(self) -> int:
        """The parameters that never get a gradient."""
        return sum(layer.params for layer in self.layers)

    @property
    def macs(self) -> int:
        """The multiply-accumulates that have no effect."""
        return sum(layer.macs for layer in self.layers)

    @property
    def said(self) -> str:
        """The results as the subject of a sentence: ``side is``."""
        return f"{named(self.ends)} {'is' if len(self.ends) == 1 else 'are'}"

    @property
    def more(self) -> str:
        """What else leads nowhere, as the end of the sentence."""
        others = len(self.layers) - len(self.ends)
        return f", with {plural(others, 'layer')} that lead nowhere else" if others else ""

    @property
    def note(self) -> str:
        """What it costs."""
        return f"{self.params:,} parameters and {self.macs:,} multiply-accumulates in vain"


def in_vain(case: Case, *, repeats: bool) -> Iterator[Vain]:
    """The results that nothing reads: those of a step of which other repeats are read, or all others."""
    ends = [name for name in case.unread if (name in case.unread_repeats) == repeats]
    for together in at_one_place(case.network.index[name] for name in ends):
        yield Vain(together, [layer for end in together for layer in case.unread[end.name]])


def windows(layer: Layer) -> tuple[Window, ...]:
    """The windows that a convolution or a pooling slides, one per spatial axis; empty for anything else."""
    reach = layer.facts.reach
    return reach if layer.op.sliding and isinstance(reach, tuple) else ()


def named(layers: Iterable[Layer], most: int = 3) -> str:
    """Layers by their names: ``conv1``, ``conv1 and conv2``, ``conv1, conv2, conv3 and 5 more``.

    >>> named([])
    ''
    """
    return listed([shorten(layer.name) for layer in layers], most)


def listed(words: list[str], most: int = 3) -> str:
    """Words in a sentence, the first ones of many.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    >>> listed(["height", "width"])
    'height and width'
    """
    shown, more = (words, 0) if len(words) <= most + 1 else (words[:most], len(words) - most)
    tail = [f"{more} more"] if more else [shown.pop()] if len(shown) > 1 else []
    return " and ".join([", ".join(shown), *tail]) if shown else ""


def plural(count: int, word: str) -> str:
    """``1 layer``, ``2 layers``."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def percent(part: int, whole: int) -> str:
    """``74.3 %``."""
    return f"{100 * part / whole:.1f} %"
