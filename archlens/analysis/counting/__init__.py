"""How other tools count the same network: one convention per file, found by the name of the file.

Tools disagree about one and the same network because each mixes other work into its multiply-accumulates,
and because each overlooks something. A convention says, of each layer, what the tool makes of it; and in
words what it counts, what it leaves out and where it is wrong. None of them needs the tool or torch.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

from ...errors import did_you_mean, printable, usage
from ...network import Network
from .convention import Convention, Share

__all__ = ["Convention", "Count", "Note", "Share", "count", "find", "names"]


class Note(NamedTuple):
    """Why a tool prints something else than its own convention gives, and for which layers."""

    why: str
    #: How many layers it concerns, and the name of the first.
    layers: int
    first: str
    #: What the tool prints more (or, below 0, less) than it should.
    macs: int
    params: int


class Printed(NamedTuple):
    """What a tool prints of a module."""

    macs: int
    params: int


class Count(NamedTuple):
    """A network as a tool counts it, on the module that ``archlens.build`` makes of it, on a CPU."""

    convention: Convention
    #: The share of each layer by its name: of the tool's total, and of its parameters.
    work: dict[str, Share] | None
    weights: dict[str, Share]
    notes: tuple[Note, ...]
    #: What the tool was seen to print of torchvision's own module, where the network is one of torchvision's.
    own: Printed | None

    @property
    def total(self) -> int | None:
        """What the tool's convention gives; ``None`` where it counts no work."""
        return None if self.work is None else sum(share.counted for share in self.work.values())

    @property
    def printed(self) -> int | None:
        """What the tool really prints: the same, unless a note says why not."""
        return None if self.work is None else sum(share.printed for share in self.work.values())

    @property
    def params(self) -> int:
        """The parameters by the tool's convention."""
        return sum(share.counted for share in self.weights.values())

    @property
    def printed_params(self) -> int:
        """The parameters that the tool really prints."""
        return sum(share.printed for share in self.weights.values())


def names() -> list[str]:
    """The conventions that there are: the files of this folder, archlens' own first.

    >>> names()[:3]
    ['archlens', 'fvcore', 'keras']
    """
    found = [module.name for module in iter_modules(__path__) if module.name != "convention"]
    return sorted(found, key=lambda name: (name != "archlens", name))


def find(name: str) -> Convention:
    """The convention of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in names():
        raise usage(
            f"there is no convention {printable(name)[:60]}",
            help=did_you_mean(name, names(), otherwise=f"the conventions: {', '.join(names())}"),
        )
    convention = import_module(f"{__name__}.{name}").CONVENTION
    assert isinstance(convention, Convention)
    return convention


def count(network: Network, name: str) -> Count:
    """A network as a tool counts it.

    >>> import archlens
    >>> resnet50 = archlens.load("resnet50")
    >>> [count(resnet50, name).total for name in ("archlens", "fvcore", "thop")]
    [4089184256, 4111512576, 4133742592]

    Raises:
        UsageError: there is no convention of that name.
    """
    convention = find(name)
    known: dict[tuple[int, bool], tuple[Share | None, Share]] = {}
    work: dict[str, Share] = {}
    weights: dict[str, Share] = {}
    notes: dict[str, Note] = {}
    placed = convention.placed(network)
    for layer in network.layers:
        key = (id(layer.facts), layer.training)  # layers of repeated blocks share their facts
        if key not in known:
            done = None
            if convention.work is not None:
                # every tool runs the network as at inference
                done = Share(0, 0) if layer.training else convention.work(layer.whole.single)
            known[key] = done, convention.params(layer)
        did, has = known[key]
        if not layer.training:
            did = placed.get(layer.name, did)
        if did is not None:
            work[layer.name] = did
            _note(notes, did.why, layer.name, did.printed - did.counted, 0)
        weights[layer.name] = has
        _note(notes, has.why, layer.name, 0, has.printed - has.counted)
    own = printed_of_own(network).get(name)
    return Count(convention, None if convention.work is None else work, weights, tuple(notes.values()), own)


#: The torchvision whose modules were run.
TORCHVISION = "torchvision 0.28.0"


def printed_of_own(network: Network) -> dict[str, Printed]:
    """What each tool was seen to print of torchvision's own module, by the tool's name.

    It is measured, and not computed: tools look classes of modules and functions up, and torchvision's code
    has others than the module that archlens builds. Empty where the network is none of torchvision's, is not
    as it is there, or was too large to be run.
    """
    import json
    from importlib.resources import files

    from ..structure import fingerprint

    data = json.loads((files(__name__) / "own_modules.json").read_text("utf-8"))
    found = data.get(network.name)
    if found is None or found["structure"] != fingerprint(network):
        return {}
    return {tool: Printed(*printed) for tool, printed in found["prints"].items()}


def _note(notes: dict[str, Note], why: str, layer: str, macs: int, params: int) -> None:
    if why:
        found = notes.get(why, Note(why, 0, layer, 0, 0))
        notes[why] = Note(why, found.layers + 1, found.first, found.macs + macs, found.params + params)
