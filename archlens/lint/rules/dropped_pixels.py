"""The rule ``dropped-pixels``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis import unseen
from ...analysis.study import Study
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named


class DroppedPixels(Rule, code="AL101", name="dropped-pixels", level=WARNING):
    """The last positions of a map fall outside every window, because the stride does not divide evenly.

    What it does:
        Finds convolutions and poolings for which (n + 2p - f)/s + 1 is not an integer and is rounded down, so
        that positions of the image, not only of the padding, are dropped. A stride larger than the window
        skips them on purpose and is not reported.

    Why it matters:
        These rows and columns cannot influence the output, and the output is no longer centred on its input.
        Often the input size is not the one that the network was designed for: AlexNet's first convolution
        needs 227 and is usually given 224. Source: Dumoulin and Visin, "A guide to convolution arithmetic for
        deep learning" (2016), section 2.4.

    Example:
        input: 3x224x224
        layers:
          - conv(96, 11, stride=4)

    Use instead:
        input: 3x227x227
        layers:
          - conv(96, 11, stride=4)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        warnings = {layer.name: one for layer, one in study.network.each(unseen.warning) if one}
        for layers in at_one_place(study.network.index[name] for name in warnings):
            first = layers[0]
            warning = warnings[first.name]
            positions = [[lost for *_, lost in unseen.lost(layer)] for layer in layers]
            yield self.found(
                layers,
                f"{named(layers)}: {warning.message}",
                notes=warning.notes,
                help=warning.help,
                positions=positions,
            )
