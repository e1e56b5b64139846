"""How each number of a network comes about, step by step, as a teacher would write it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import printable
from ..forms.text import sentences
from ..geometry import Window
from ..network import Layer, Network
from ..shape import times
from ..wrapping import wrapped
from . import words


def to_text(network: Network, layers: Iterable[Layer], *, width: int | None = None) -> str:
    """The derivation of some layers, one paragraph each."""
    paragraphs = [
        [line for title, text in _layer(layer) for line in wrapped(text, width, lead=title)]
        for layer in layers
    ]
    headline, below = wrapped(words.headline(network), width), sentences(words.conventions(network), width)
    return "\n\n".join("\n".join(lines) for lines in (headline, *paragraphs, below))


def _layer(layer: Layer) -> Iterator[tuple[str, str]]:
    """The lines on a layer: what each is about, and what it says."""
    inputs = layer.input_shapes
    yield "", f"{printable(layer.name)}: {printable(str(layer.op))}"
    sources = ", ".join(
        f"{shape} from {printable(name)}" for name, shape in zip(layer.inputs, inputs, strict=True)
    )
    for title, text in [("input", sources), *lines(layer)]:
        yield f"  {title:<7} ", text


def lines(layer: Layer) -> Iterator[tuple[str, str]]:
    """The derivation of a layer: what each line is about, and what it says."""
    facts, inputs = layer.facts, layer.input_shapes
    shared = _shared(layer)
    said = list(_shape(layer))
    yield from zip(["shape", *[""] * len(said)], said, strict=False)
    yield "output", f"{facts.shape}" + (f" = {facts.shape.numel:,} values" if len(facts.shape) > 1 else "")
    if layer.copies is not None and facts.weights and not shared:
        one, copies = layer.copies.one(facts), layer.copies
        yield "params", f"{layer.op.why_params(one)}; in each of {copies.experts:,} experts: {facts.params:,}"
        yield "active", f"{one.params:,} x {copies.active} experts of a token = {layer.active_params:,}"
    elif facts.weights and not shared:
        yield "params", layer.op.why_params(facts)
    elif facts.weights:
        yield "params", f"{facts.params:,} of its own; {shared}"
    elif shared:
        yield "params", f"none of its own: {shared}"
    elif layer.facts.unlisted:
        yield "params", layer.op.why_params(facts)
    else:
        yield "params", "none: nothing is learned"
    if facts.kept:
        saved = ", ".join(f"{name} {times(size) or 'scalar'}" for name, size in facts.kept.items())
        yield "saved", f"{saved}: kept with the weights, not trained"
    if facts.macs:
        whole = ", once for a whole batch" if layer.once else ""
        yield "MACs", f"{layer.op.why_macs(layer.whole.facts, *inputs)}{whole}"
        if layer.copies is not None:
            each, copies = facts.macs // layer.copies.active, layer.copies
            yield "total", f"{each:,} x all {copies.experts:,} experts = {layer.total_macs:,}"
    else:
        yield "MACs", "none: no convolution and no matrix product"
    if facts.other:
        items = ", ".join(f"{count:,} for {what}" for what, count in facts.other.items() if count)
        if items:
            yield "other", f"{items}: elementary operations, not part of the MACs"
    if layer.training:
        yield "note", "runs only in training"


def _shared(layer: Layer) -> str:
    """What a layer shares with others, whose it is; empty where all is its own."""
    if layer.again:
        return f"it is {printable(layer.again)}, applied once more" if layer.keys else ""
    whole = layer.whole.facts.weights
    keys = [key for name, key in layer.keys.items() if name in whole and name not in layer.facts.weights]
    return f"it shares {', '.join(map(printable, keys))}" if keys else ""


def _shape(layer: Layer) -> Iterator[str]:
    """Formula, numbers, and what the rounding drops."""
    windows, x = layer.windows, layer.input_shapes[0]
    if not windows:
        yield layer.arithmetic or layer.op.why_shape(layer.facts, *layer.input_shapes)
        return
    axes = list(zip(x.axes, x.spatial, windows, strict=True))
    if len({(n, window) for _, n, window in axes}) == 1:
        axes = [(" and ".join(x.axes), *axes[0][1:])]
    for axis, n, window in axes:
        prefix = f"{axis}: " if len(x.axes) > 1 else ""
        yield f"{prefix}{window.formula}, with {_letters(window, n)}"
        yield f"{prefix}{window.arithmetic(n)}"
        remainder = _remainder(window, n)
        if remainder:
            yield f"{prefix}{remainder}"


def _letters(window: Window, n: int) -> str:
    letters = [f"n = {n}", f"f = {window.kernel}", f"s = {window.stride}"]
    if window.transposed:
        letters.append(f"p = {window.before}")
        if window.before != window.after:
            letters.append(f"o = {window.before - window.after}")
    elif window.before == window.after:
        letters.append(f"p = {window.before}")
    else:
        letters += [f"p1 = {window.before}", f"p2 = {window.after}"]
    if window.dilation > 1:
        letters.append(f"d = {window.dilation}")
    return ", ".join(letters)


def _remainder(window: Window, n: int) -> str:
    """What happens to the positions that do not fit a whole step."""
    if window.transposed or not window.remainder(n):
        return ""
    left = window.remainder(n)
    positions = f"{left} position{'s' if left > 1 else ''}"
    if window.ceil:
        if window.output(n) == window.output(n + window.stride - left):
            return f"rounded up: the last window reaches {window.stride - left} beyond the end"
        return f"rounded up, but the last window would start in the padding: {positions} are left over"
    unseen = window.unseen(n)
    if not unseen:
        return f"rounded down: {positions} of padding {'are' if left > 1 else 'is'} left over"
    return (
        f"rounded down: the last {unseen} of the {n} input positions "
        f"{'are' if unseen > 1 else 'is'} in no window"
    )
