"""The rule ``blind-windows``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ...analysis.study import Study
from ...geometry import Window
from ...network import Layer
from ...shape import times
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named


class BlindWindows(Rule, code="AL103", name="blind-windows", level=WARNING):
    """Some windows see nothing but padding.

    What it does:
        Finds convolutions and poolings with more padding than their window is wide, so that the outputs at
        the border see no position of the map at all.

    Why it matters:
        Those outputs are the same for every image: just the bias of the convolution. They cost memory and
        multiply-accumulates in this layer and all later ones. The usual cause is the padding of a 3x3
        convolution that was left on a 1x1.

    Example:
        input: 64x32x32
        layers:
          - conv(128, 1, padding=1)

    Use instead:
        input: 64x32x32
        layers:
          - conv(128, 1)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        blind = {layer.name: counts for layer in study.network.layers if (counts := _counts(layer))}
        for layers in at_one_place(study.network.index[name] for name in blind):
            first = layers[0]
            spatial = first.shape.spatial
            outputs = prod(spatial) - prod(n - k for n, k in zip(spatial, blind[first.name], strict=True))
            pads = tuple(max(w.before, w.after) for w in first.windows)
            yield self.found(
                layers,
                f"{named(layers)}: {outputs:,} of its {times(spatial)} outputs see nothing but padding",
                notes=[f"its window is {times(w.extent for w in first.windows)}, its padding {times(pads)}"],
                help=f"padding smaller than the window; padding={max(w.extent // 2 for w in first.windows)} "
                "keeps the size at stride 1",
                outputs=outputs,
            )


def _counts(layer: Layer) -> tuple[int, ...]:
    """How many output positions see nothing but padding, along each axis; empty where none does."""
    reach = layer.windows
    if not reach or all(w.before < w.extent and w.after < w.extent for w in reach):
        return ()
    sizes = zip(reach, layer.input_shapes[0].spatial, layer.shape.spatial, strict=True)
    found = tuple(_blind(*one) for one in sizes)
    return found if any(found) else ()


def _blind(window: Window, n: int, outputs: int) -> int:
    """Windows that end before the axis starts, and those that start after its end."""
    if window.transposed:
        return 0
    stride = window.stride
    early = -(-(window.before - window.extent + 1) // stride)
    late = outputs - -(-(n + window.before) // stride)
    return min(max(early, 0) + max(late, 0), outputs)
