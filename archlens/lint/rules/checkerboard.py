"""The rule ``checkerboard``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd, prod

from ...analysis.study import Study
from ...geometry import Window
from ...network import Layer
from ...shape import times
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named


class Checkerboard(Rule, code="AL105", name="checkerboard", level=WARNING):
    """A transposed convolution whose kernel its stride does not divide overlaps unevenly.

    What it does:
        Finds transposed convolutions some of whose outputs sum over more positions than their neighbours, or
        over none, if the kernel is shorter than the stride.

    Why it matters:
        With a 3x3 kernel and stride 2 some outputs sum up four products, others one, in a pattern of
        squares that shows in generated images and in gradients. Training can learn to compensate, but
        rarely does. Source: Odena, Dumoulin and Olah, "Deconvolution and Checkerboard Artifacts",
        Distill (2016).

    Example:
        input: 64x16x16
        layers:
          - conv_transpose(32, 3, stride=2, padding=1, output_padding=1)

    Use instead:
        input: 64x16x16
        layers:
          - conv_transpose(32, 4, stride=2, padding=1)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        uneven = [layer for layer in study.network.layers if any(map(_is_uneven, layer.windows))]
        for layers in at_one_place(uneven):
            reach = layers[0].windows
            axes = [a for a, w in zip(layers[0].shape.axes, reach, strict=True) if _is_uneven(w)]
            least, most = map(prod, zip(*map(_overlaps, reach), strict=True))
            kernel, stride = times(w.kernel for w in reach), times(w.stride for w in reach)
            yield self.found(
                layers,
                f"{named(layers)}: its stride of {stride} does not divide its kernel of {kernel} along "
                f"{' and '.join(axes)}: some outputs sum over {most} positions, others over "
                f"{least or 'none'}",
                help=_help(layers[0]),
                least=least,
                most=most,
            )


def _overlaps(window: Window) -> tuple[int, int]:
    """How many weights meet an output, at least and at most."""
    # so many of the outputs of one stride are met, by one weight after the other
    met = window.stride // gcd(window.stride, window.dilation)
    return window.kernel // met if met == window.stride else 0, -(-window.kernel // met)


def _is_uneven(window: Window) -> bool:
    least, most = _overlaps(window)
    return window.transposed and least < most


def _help(layer: Layer) -> str:
    """A kernel that the stride divides; or none that is transposed."""
    reach = layer.windows
    larger = {-(-w.kernel // w.stride) * w.stride for w in reach}
    strides = {w.stride for w in reach}
    kernel = (
        f"a kernel of {larger.pop()}" if len(larger) == 1 else "a kernel that is a multiple of the stride"
    )
    if any(w.dilation > 1 for w in reach):
        kernel += " without dilation"
    if len(strides) > 1:
        return kernel
    return f"{kernel}; or upsample({strides.pop()}) >> conv({layer.shape.channels}, 3, padding=1)"
