"""The rule ``wasted-kernel``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ...analysis.study import Study
from ...geometry import Window
from ...network import Layer
from ...ops.convolution import Conv
from ...shape import times
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named, percent


class WastedKernel(Rule, code="AL104", name="wasted-kernel", level=WARNING):
    """A kernel is larger than its map: some of its weights only ever meet padding.

    What it does:
        Finds convolutions with rows or columns of the kernel that lie on padding at every output. It follows
        each of them over all outputs, so stride and dilation are taken into account.

    Why it matters:
        Those weights are multiplied by zero whatever the image. They get no gradient, and are parameters in
        name only. A dilated 3x3 convolution on a map smaller than its dilation is a 1x1, as was found for
        DeepLab's larger rates: Chen et al., "Rethinking Atrous Convolution for Semantic Image Segmentation"
        (2017), section 3.3.

    Example:
        input: 512x1x1
        layers:
          - conv(512, 3, padding=1)

    Use instead:
        input: 512x1x1
        layers:
          - conv(512, 1)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        sharing = study.network.sharing  # what one map has no use for another may have
        wasted = {
            layer.name: used
            for layer in study.network.layers
            if layer.name not in sharing and (used := _used(layer))
        }
        for layers in at_one_place(study.network.index[name] for name in wasted):
            first = layers[0]
            kernel, used = [w.kernel for w in first.windows], wasted[first.name]
            weights = max(map(prod, first.facts.weights.values()))
            dead = weights - weights // prod(kernel) * prod(used)
            yield self.found(
                layers,
                f"{named(layers)}: only {times(used)} of its {times(kernel)} kernel ever meets the map of "
                f"{times(first.input_shapes[0].spatial)}; {dead:,} of {weights:,} weights "
                f"({percent(dead, weights)}) meet nothing but padding",
                help=f"a kernel of {times(used)} does the same; or a larger map",
                weights=weights,
                saved=dead,
            )


def _used(layer: Layer) -> tuple[int, ...]:
    """How much of the kernel meets the map, along each axis; empty where all of it does."""
    if not isinstance(layer.op, Conv):
        return ()
    reach, x = layer.windows, layer.input_shapes[0]
    kernel = tuple([w.kernel for w in reach])
    if all(w.before <= 0 and w.after <= 0 for w in reach) or max(kernel) > _LONGEST:
        return ()
    sizes = zip(reach, x.spatial, layer.shape.spatial, strict=True)
    used = tuple([sum(_meets(w, n, count, tap) for tap in range(w.kernel)) for w, n, count in sizes])
    return used if used != kernel and all(used) else ()


#: The longest kernel that is followed weight by weight.
_LONGEST = 1024


def _meets(window: Window, n: int, outputs: int, tap: int) -> bool:
    """Whether a weight of the kernel lies on the map for some output."""
    first = tap * window.dilation - window.before
    output = max(0, -(first // window.stride))  # the first at which it has left the padding before
    return output < outputs and first + output * window.stride < n
