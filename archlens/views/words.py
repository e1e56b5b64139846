"""How numbers and conventions are said; the same words stand under every table they rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..counts import AtLeast, Kind
from ..errors import printable, shorten
from ..network import Layer, Network
from ..ops import NonUniform
from ..shape import Ids, Shape, times

if TYPE_CHECKING:
    from ..analysis.receptive_field import ReceptiveFields, Seen

#: Powers of ten and their letters.
_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def rounded(number: int) -> str:
    """A count for a headline: ``rounded(11_689_512) == "11.69 M"``; M = 10^6."""
    if isinstance(number, AtLeast):
        known = not number.difference and int(number)
        return f"at least {rounded(int(number))}" if known else "unknown"
    for size, letter in _UNITS:
        if number >= size:
            return f"{number / size:.2f} {letter}"
    return str(number)


def field(seen: Seen) -> str:
    """A receptive field in a word: ``427x427``, ``everywhere``, or why there is none."""
    if isinstance(seen, tuple):
        return times(one.size for one in seen)
    if seen is None:
        return "nothing"
    return "non-uniform" if isinstance(seen, NonUniform) else "everywhere"


def left_by_cuts(fields: ReceptiveFields, layer: str) -> list[str]:
    """What a crop or a slice before a layer has left of the input, on the axes that it has cut."""
    shape = fields.network.inputs[fields.input]
    return [
        f"{limit.start} to {limit.stop - 1} of the {axis}"
        for axis, size, limit in zip(shape.axes, shape.spatial, fields.limits.get(layer, ()), strict=False)
        if (limit.start, limit.stop) != (0, size) or not limit.is_exact
    ]


def size(count: int) -> str:
    """Bytes for people: ``size(3_211_264) == "3.21 MB"``; MB = 10^6 bytes."""
    said = rounded(count)
    return said if said == "unknown" else f"{said}B" if count >= 1000 else f"{said} B"


def figure(kind: Kind, value: int | tuple[int, ...]) -> str:
    """A figure for a table: rounded, as a size in bytes, or along each axis."""
    if isinstance(value, tuple):
        return times(value)
    return {Kind.COUNT: rounded, Kind.BYTES: size}.get(kind, str)(value)


def clause(sentence: str) -> str:
    """A sentence behind a colon.

    >>> clause("The most bytes."), clause("MACs of heads.")
    ('the most bytes.', 'MACs of heads.')
    """
    return sentence if sentence[:2].isupper() else f"{sentence[:1].lower()}{sentence[1:]}"


def inputs(network: Network) -> str:
    """The input of a network, or its inputs by name."""
    if list(network.inputs) == ["input"]:
        return f"input {network.input}"
    return ", ".join(f"{printable(name)} {shape}" for name, shape in network.inputs.items())


def headline(network: Network, *, complete: bool = True) -> str:
    """Title, input, parameters and MACs on one line."""
    title = printable(network.title)
    if not complete:
        return f"{title}: {inputs(network)}, up to the layer that failed"
    total = f" ({rounded(network.total_macs)} with all experts)" if network.experts else ""
    return f"{title}: {inputs(network)}, {parameters(network)}, {rounded(network.macs)} MACs{total}"


def parameters(network: Network) -> str:
    """The parameters in a headline; where there are experts also those that one token meets."""
    active = f" ({rounded(network.active_params)} active)" if network.experts else ""
    return f"{rounded(network.params)} parameters{active}"


def few(names: Sequence[str]) -> str:
    """The first of some names.

    >>> few(["a", "b", "c"]), few(["a", "b", "c", "d"])
    ('a, b, c', 'a, b, c, …')
    """
    return ", ".join(map(printable, names[:3])) + (", …" if len(names) > 3 else "")


def _listed(layers: Sequence[Layer]) -> str:
    more = f" and {len(layers) - 3:,} more" if len(layers) > 3 else ""
    return ", ".join(shorten(layer.name) for layer in layers[:3]) + more


def _puts_channels_first(shape: Shape) -> bool:
    return bool(shape.axes) and not shape.channels_last and not isinstance(shape, Ids)


def conventions(network: Network) -> list[str]:
    """What the numbers of a table mean, one sentence a line."""
    x = network.input
    shape = " x ".join(x.names) if x.axes else "features"
    ids = any(isinstance(one, Ids) for one in network.inputs.values())
    if ids:
        shape = "positions x channels, or for ids their number and upper bound"
    lines = [
        f"With {inputs(network)}. Shapes are {shape}, without the batch. Params are trainable.",
        "One MAC is one multiply-accumulate of a convolution or a matrix product; FLOPs = 2 x MACs.",
    ]
    if x.channels_last:
        if any(_puts_channels_first(layer.shape) for layer in network.layers):
            lines.append("Where an op has put the channels first, shapes are channels x positions.")
    elif not ids and any(layer.facts.shape.channels_last for layer in network.layers):
        lines.append(
            "Where an op has put the channels last (channels_last, tokens, window_partition), shapes are "
            "positions x channels."
        )
    shared = sum(bool(layer.again and layer.keys) for layer in network.layers)
    tied = sum(
        bool(layer.keys and not layer.again) for layer in network.layers if layer.name in network.sharing
    )
    if shared or tied:
        layers = f"{shared + tied:,} layer{'' if shared + tied == 1 else 's'}"
        use = "uses" if shared + tied == 1 else "use"
        lines.append(f"{layers} {use} weights of another layer, which are counted where they are first used.")
    if network.experts:
        lines.append(
            f"{network.active_params:,} of the {network.params:,} params are active: a token uses only the "
            "experts that it goes to. MACs are only of these; with all experts they would be "
            f"{network.total_macs:,}."
        )
        names = dict.fromkeys(one.experts for one in network.experts.values() if not one.stacked)
        if names:
            said = " and ".join(f"0..{count - 1}" for count in names)
            lines[-1] += f" In names, {said} stands for all experts."
    if network.stated:
        have = "has the figures" if len(network.stated) == 1 else "have the figures"
        lines.append(
            f"{_listed(network.stated)} (custom) {have} that the spec states and archlens does not compute."
        )
        missing = [layer for layer in network.stated if isinstance(layer.params, AtLeast)]
        if missing:
            lines.append(f"Not stated, and so unknown: the params of {_listed(missing)}.")
    unknown = network.unknown
    if unknown:
        name, why = next(iter(unknown.items()))
        more = f" and of {len(unknown) - 1:,} more layers" if len(unknown) > 1 else ""
        lines.append(f"The cost of {printable(name)}{more} is unknown: {printable(why)}.")
    if network.training_macs:
        lines.append(
            f"MACs in brackets belong to heads that run only in training ({network.training_macs:,}); the "
            "total excludes them."
        )
    return lines
