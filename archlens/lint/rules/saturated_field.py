"""The rule ``saturated-field``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ...analysis.receptive_field import Seen
from ...analysis.study import Study
from ...geometry import Field
from ...network import Layer
from ...shape import times
from ..rule import ADVICE, Finding, Rule
from ..words import named


class SaturatedField(Rule, code="AL202", name="saturated-field", level=ADVICE):
    """Layers widen a receptive field that already covers the whole image.

    What it does:
        Finds convolutions and poolings with a window larger than 1 at which every position of the input,
        those in the corners included, has a receptive field that covers the whole image. One finding per
        network. Layers after a gate or attention that has spread an average over all positions are not
        counted.

    Why it matters:
        They add depth, but no spatial context: a 1x1 convolution in their place would see as much. Richter,
        Schöning, Wiedenroth and Krumnack, "Should You Go Deeper? Optimizing Convolutional Neural Network
        Architectures without Training by Receptive Field Analysis" (2021), call layers unproductive from
        where the field of the centre exceeds the image, and find that they add little accuracy. This rule
        waits until the corners have seen everything, too, so that it holds for every output.

    Example:
        input: 1x8x8
        layers:
          - conv(8, 15, padding=7)
          - relu
          - conv(8, 3, padding=1)

    Use instead:
        input: 1x8x8
        layers:
          - conv(8, 15, padding=7)
          - relu
          - conv(8, 1)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        for fields in study.fields.values():
            image = fields.network.inputs[fields.input].spatial
            wide, found = 0, []
            known: dict[tuple[int, int], bool] = {}
            for layer in study.network.layers:
                reach = layer.windows
                if not reach or all(window.kernel == 1 for window in reach):
                    continue
                wide += 1
                seen = fields[layer.inputs[0]]
                key = id(seen), id(layer.facts)
                if key not in known:
                    known[key] = _has_seen_all(layer, seen, image)
                if known[key]:
                    found.append(layer)
            if found:
                yield self._finding(found, wide, times(image))

    def _finding(self, found: list[Layer], wide: int, image: str) -> Finding:
        params = saved = 0
        for layer in found:
            weight = prod(layer.facts.weights.get("weight", (0,)))
            params += layer.params
            kernel = prod(window.kernel for window in layer.windows)
            saved += weight - weight // kernel if weight and layer.macs else 0
        some = f"{len(found)} of {wide}"
        return self.found(
            found,
            f"{some} layers with a window larger than 1 add no spatial context: from {named(found[:1])} to "
            f"{named(found[-1:])} every position of their inputs has seen the whole {image} image",
            notes=[f"they hold {params:,} parameters; with 1x1 windows {saved:,} fewer"] if saved else [],
            help="a larger input, or a smaller stride or fewer layers before them",
            count=len(found),
            of=wide,
            params=params,
            saved=saved,
        )


def _has_seen_all(layer: Layer, seen: Seen, image: tuple[int, ...]) -> bool:
    """Whether every position of what a layer reads has seen the image, along the axes it looks along."""
    if not isinstance(seen, tuple):
        return False
    axes = zip(layer.windows, seen, layer.input_shapes[0].spatial, image, strict=True)
    return all(window.kernel == 1 or _covers(field, count, n) for window, field, count, n in axes)


def _covers(field: Field, count: int, n: int) -> bool:
    """Whether each of ``count`` outputs sees all of ``n`` positions: the first period, and the last, do."""
    period = min(field.period, count)
    ends = [field.at(output) for output in (*range(period), *range(count - period, count))]
    return all(start <= 0 and stop >= n for start, stop in ends)
