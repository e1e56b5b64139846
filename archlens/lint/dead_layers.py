"""Results that nothing reads, and what leads to them alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..analysis.study import Study
from ..network import Layer
from .words import at_one_place, named, plural


class DeadLayers(NamedTuple):
    """Results of one step that nothing reads, with all that leads to them alone."""

    ends: list[Layer]
    layers: list[Layer]
    #: The parameters that never get a gradient.
    params: int

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
        return f"{self.params:,} parameters and {self.macs:,} multiply-accumulates wasted"


def dead_layers(study: Study, *, repeats: bool) -> Iterator[DeadLayers]:
    """The results that nothing reads: those of a step of which other repeats are read, or all others."""
    unread, index, sharing = _unread(study), study.network.index, study.network.sharing
    waste = {layer.name for layers in unread.values() for layer in layers}
    places = {id(index[name].step) for name in unread}
    read = {id(layer.step) for layer in study.network if layer.name not in waste} if places else set()
    ends = [name for name in unread if (id(index[name].step) in read) == repeats]
    for together in at_one_place(index[name] for name in ends):
        layers = [layer for end in together for layer in unread[end.name]]
        names = {layer.name for layer in layers}
        # what lives elsewhere is trained there
        alone = [la for la in layers if names.issuperset(one.name for one in sharing.get(la.name, ()))]
        yield DeadLayers(together, layers, sum(layer.params for layer in alone))


def _unread(study: Study) -> Mapping[str, list[Layer]]:
    """By each result that nothing reads, the layers that lead to it and to no output, in order."""
    owner: dict[str, str] = {}
    found: dict[str, list[Layer]] = {}
    for layer in reversed(study.network.layers):
        if layer.name in study.network.needed:
            continue
        readers = study.readers[layer.name]
        last = owner[layer.name] = owner[readers[0].name] if readers else layer.name
        found.setdefault(last, []).append(layer)
    return {last: layers[::-1] for last, layers in reversed(found.items())}
