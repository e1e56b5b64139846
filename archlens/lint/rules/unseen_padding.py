"""The rule ``unseen-padding``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...errors import shorten
from ...geometry import Window
from ...network import Layer
from ...ops.op import as_written
from ..rule import ADVICE, Finding, Rule
from ..words import listed, named, plural


class UnseenPadding(Rule, code="AL102", name="unseen-padding", level=ADVICE):
    """Padding at the end of a map lies outside every window, so the map is padded unevenly.

    What it does:
        Finds windows with a stride whose last step does not reach the end of the padding. One finding per
        network, with the distance of the outputs of its last map from the centre of the image.

    Why it matters:
        padding=1 on both sides of a 3x3 window with stride 2 over an even map is in effect padding before it
        and none after it. Each time, the outputs shift up and to the left by half a position, which adds up
        to 15.5 pixels in a ResNet at 224. Classifiers are not affected. Detection and segmentation are, and
        so is the conversion of weights from TensorFlow, whose "same" pads the other side. Source: Araujo,
        Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill (2019),
        "Alignment issues".

    Example:
        input: 3x224x224
        layers:
          - conv(64, 7, stride=2, padding=3)

    Use instead:
        input: 3x225x225
        layers:
          - conv(64, 7, stride=2, padding=3)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        found = [(layer, said) for layer, said in study.network.each(_unreached) if said]
        layers = [layer for layer, _ in found]
        words = [f"{shorten(layer.name)} ({said})" for layer, said in found]
        if layers:
            yield self.found(
                layers,
                f"{plural(len(layers), 'layer')} with padding that no window reaches: {listed(words)}",
                notes=_shifts(study),
                help=f"{_paddings(layers[0])} on {named(layers[:1])} gives the same outputs",
                count=len(layers),
            )


def _spare(window: Window, n: int) -> int:
    """Positions padded after the axis that no window reaches."""
    if window.transposed or window.stride == 1 or window.after <= 0:
        return 0
    reached = (window.output(n) - 1) * window.stride + window.extent - window.before
    return max(0, min(n + window.after - reached, window.after))


def _unreached(layer: Layer) -> str:
    """``1 of 3 after height and width``; empty where every position is reached."""
    if not layer.windows:
        return ""
    x = layer.input_shapes[0]
    found = {
        axis: (_spare(window, n), window.after)
        for axis, n, window in zip(x.axes, x.spatial, layer.windows, strict=True)
    }
    found = {axis: sizes for axis, sizes in found.items() if sizes[0]}
    if len(set(found.values())) == 1:
        spare, after = next(iter(found.values()))
        return f"{spare} of {after} after {' and '.join(found)}"
    return ", ".join(f"{spare} of {after} after {axis}" for axis, (spare, after) in found.items())


def _paddings(layer: Layer) -> str:
    """The padding without what is not reached, as a spec writes it."""
    x = layer.input_shapes[0]
    pairs = [(w.before, w.after - _spare(w, n)) for n, w in zip(x.spatial, layer.windows, strict=True)]
    return f"padding={as_written(tuple(pairs))}"


def _shifts(study: Study) -> list[str]:
    """How far up and left of the centre of the image that of the last map lies, where it does."""
    name, fields = next(iter(study.fields.items()))
    last = fields.last()
    seen = fields[last] if last else None
    if not isinstance(seen, tuple):
        return []
    image, outputs = study.network.inputs[name], study.network.shape_of(last).spatial
    shifts = {}
    for axis, n, count, field in zip(image.axes, image.spatial, outputs, seen, strict=True):
        ends = field.at(0) + field.at(count - 1)
        shifts[axis] = (sum(ends) - 2) / 4 - (n - 1) / 2
    if max(shifts.values()) > 0 or not any(shifts.values()):
        return []  # rounding up and valid windows push it the other way
    said = f"by {-shifts[image.axes[0]]:g} along the {' and '.join(shifts)}"
    if len(set(shifts.values())) > 1:
        said = " and ".join(f"by {0 - shift:g} along the {axis}" for axis, shift in shifts.items())
    return [
        (
            f"the centre of the last map, {shorten(last)}, is off the centre of the image, towards "
            f"the start, {said}"
        )
    ]
