"""The rule ``large-kernel``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ...analysis.study import Study
from ...network import Layer
from ...ops.convolution import Conv
from ...shape import times
from ..rule import ADVICE, Finding, Rule
from ..words import at_one_place, named


class LargeKernel(Rule, code="AL303", name="large-kernel", level=ADVICE):
    """Two or three smaller kernels would see as much as a large one, with fewer parameters.

    What it does:
        Finds dense convolutions with an odd kernel of 5 or more, equal on all axes, with stride 1 and no
        dilation, that two or three smaller ones could replace with fewer parameters. Between them it assumes
        as many channels as the large one outputs; from few channels to many this saves nothing, and is not
        reported. Grouped and depthwise convolutions are not reported.

    Why it matters:
        Two 3x3 convolutions see 5x5, three see 7x7: with C channels throughout, 18 C^2 weights instead of 25
        C^2, and 27 C^2 instead of 49 C^2. They also add nonlinearities in between. Sources: Simonyan and
        Zisserman, "Very Deep Convolutional Networks" (2015), section 2.3; Szegedy et al., "Rethinking the
        Inception Architecture" (2016), section 3.1.

    Example:
        input: 64x32x32
        layers:
          - conv(64, 5, padding=2)

    Use instead:
        input: 64x32x32
        layers:
          - conv(64, 3, padding=1)
          - relu
          - conv(64, 3, padding=1)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        found = {layer.name: better for layer in study.network.layers if (better := _better(layer))}
        for layers in at_one_place(study.network.index[name] for name in found):
            first = layers[0]
            kernels, _ = found[first.name]
            saved = sum(found[layer.name][1] for layer in layers)
            params = sum(layer.params for layer in layers)
            axes = len(first.shape.spatial)
            chain = " >> ".join(
                f"conv({first.shape.channels}, {f}" + (f", padding={f // 2})" if _padded(first) else ")")
                for f in kernels
            )
            yield self.found(
                layers,
                f"{named(layers)}: kernels of {' and '.join(times([f] * axes) for f in kernels)}, one after "
                f"the other, see as much as its {times(w.kernel for w in first.windows)}",
                help=f"{chain} saves {saved:,} of {params:,} parameters",
                params=params,
                saved=saved,
            )


def _padded(layer: Layer) -> bool:
    return all(2 * w.before == 2 * w.after == w.kernel - 1 for w in layer.windows)


def _better(layer: Layer) -> tuple[list[int], int] | None:
    """The smaller kernels and how many parameters they save; ``None`` where they save none."""
    op = layer.op
    if not isinstance(op, Conv) or op.groups > 1 or "weight" not in layer.facts.weights:
        return None
    reach = layer.windows
    kernel = reach[0].kernel
    if (
        kernel < 5
        or kernel % 2 == 0
        or any((w.kernel, w.stride, w.dilation) != (kernel, 1, 1) for w in reach)
    ):
        return None
    radius, count = kernel // 2, min(kernel // 2, 3)
    # the radii of two or three kernels add up to that of the large one
    kernels = [2 * (radius // count + (i >= count - radius % count)) + 1 for i in range(count)]
    channels = [layer.input_shapes[0].channels, *[op.channels] * count]
    weights = sum(f ** len(reach) * a * b for f, a, b in zip(kernels, channels, channels[1:], strict=False))
    biases = (count - 1) * op.channels if op.bias else 0
    saved = prod(layer.facts.weights["weight"]) - weights - biases
    return (kernels, saved) if saved > 0 else None
