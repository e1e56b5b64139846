"""What others printed of a network, beside what is computed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..network import Network
from ..shape import times
from . import receptive_field

EQUAL = "equal"
ROUNDED = "equal to the printed digits"
DIFFERENT = "different"
NOT_COMPUTED = "not computed"

#: How a comparison can end, the best first.
VERDICTS = (EQUAL, ROUNDED, DIFFERENT, NOT_COMPUTED)

#: What letters after a figure mean.
UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}

#: No figure has more digits; far beyond, Python would not read them.
_FIGURE = re.compile(r"([0-9][0-9,_]{0,99})(?:\.([0-9]{1,99}))?\s*([kKMBGT]?)")


class Claim(NamedTuple):
    """One figure that somebody printed: what it is of, and how it compares."""

    #: ``"params"``, ``"macs"``, ``"shape of conv1"``, ``"receptive field"``, ``"top-1"`` or ``"top-5"``.
    what: str
    printed: str
    #: The same as computed here; empty for what depends on training.
    computed: str
    verdict: str
    #: Where it was printed.
    source: str
    #: What the spec says about it; the reason, where the two differ.
    note: str

    @property
    def unexplained(self) -> bool:
        """Whether it differs and the spec does not say why."""
        return self.verdict == DIFFERENT and not self.note


def find(network: Network) -> list[Claim]:
    """Every published figure of a network beside the computed one, in the order of the spec.

    >>> import archlens
    >>> [claim.verdict for claim in find(archlens.load("lenet5_1998")) if claim.what == "params"]
    ['equal']
    """
    return [claim for entry in network.meta.published for claim in _entry(network, entry)]


def agrees(printed: str, computed: int) -> str:
    """Whether a figure is what was printed, to the digits that were: one of :data:`VERDICTS`.

    >>> agrees("25,557,032", 25557032), agrees("3.8G", 3_857_973_248), agrees("3.8G", 4_089_184_256)
    ('equal', 'different', 'different')
    >>> agrees("3.9G", 3_857_973_248), agrees("about a lot", 1)
    ('equal to the printed digits', 'different')
    """
    match = _FIGURE.fullmatch(printed.strip())
    if match is None:
        return DIFFERENT
    whole, decimals, unit = match[1].replace(",", "").replace("_", ""), match[2] or "", UNITS[match[3]]
    # in units of its last digit, all whole numbers: no rounding of ours gets in between
    value, scale = int(whole + decimals) * unit, 10 ** len(decimals)
    if value == computed * scale:
        return EQUAL
    return ROUNDED if unit > 1 and 2 * abs(value - computed * scale) <= unit else DIFFERENT


def _entry(network: Network, entry: Mapping[str, Any]) -> Iterator[Claim]:
    source, note = " ".join(entry["source"].split()), " ".join(entry.get("note", "").split())
    for key in ("params", "macs"):
        if key in entry:
            printed, value = entry[key], getattr(network, key)
            yield Claim(key, printed, f"{value:,}", agrees(printed, value), source, note)
    for layer, printed in entry.get("shapes", {}).items():
        computed = _shape(network, layer)
        verdict = EQUAL if computed == printed else DIFFERENT
        yield Claim(f"shape of {layer}", printed, computed, verdict, source, note)
    if "receptive_field" in entry:
        yield from _fields(network, entry["receptive_field"], source, note)
    for key, what in (("top1", "top-1"), ("top5", "top-5")):
        if key in entry:
            yield Claim(what, entry[key], "", NOT_COMPUTED, source, note)


def _shape(network: Network, name: str) -> str:
    """The output shape of a layer, or of the last layer of a scope; empty where there is none."""
    inside = [layer for layer in network.layers if layer.name == name or layer.name.startswith(f"{name}.")]
    return str(inside[-1].shape) if inside else ""


def _fields(network: Network, printed: Any, source: str, note: str) -> Iterator[Claim]:
    """The field of the network, or of the layers that are named."""
    fields = receptive_field.find(network)
    named = printed if isinstance(printed, Mapping) else {"": printed}
    for layer, size in named.items():
        inside = [one for one in network.layers if one.name == layer or one.name.startswith(f"{layer}.")]
        name = inside[-1].name if layer and inside else "" if layer else fields.last()
        seen = fields[name] if name else None
        computed = ""
        if isinstance(seen, tuple):
            sizes = [field.size for field in seen]
            computed = str(sizes[0]) if len(set(sizes)) == 1 and "x" not in size else times(sizes)
        what = f"receptive field of {layer}" if layer else "receptive field"
        yield Claim(what, size, computed, EQUAL if computed == size else DIFFERENT, source, note)
