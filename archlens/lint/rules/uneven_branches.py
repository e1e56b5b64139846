"""The rule ``uneven-branches``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...ops import NonUniform
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named


class UnevenBranches(Rule, code="AL204", name="uneven-branches", level=WARNING):
    """Merged branches step through the image at different strides.

    What it does:
        Finds an add, a concat or a product whose branches have the same size but different effective strides,
        for example because one was padded, cropped or interpolated to the size of the other.

    Why it matters:
        Neighbours in one branch are, say, two pixels apart and in the other three. The two agree at one
        position at most and drift apart from there, so that the merge combines values that do not belong
        together.

    Example:
        input: 8x13x13
        layers:
          - add:
              - conv(8, 3, stride=2, padding=1)
              - conv(8, 3, stride=3, padding=1) >> pad(1)

    Use instead:
        input: 8x13x13
        layers:
          - add:
              - conv(8, 3, stride=2, padding=1)
              - conv(8, 1, stride=2)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        for fields in study.fields.values():
            uneven = [
                layer
                for layer in study.network.layers
                if len(layer.inputs) > 1
                and isinstance(fields[layer.name], NonUniform)
                and not isinstance(layer.facts.reach, NonUniform)
                and not any(isinstance(fields[name], NonUniform) for name in layer.inputs)
            ]
            for layers in at_one_place(uneven):
                seen = fields[layers[0].name]
                assert isinstance(seen, NonUniform)
                yield self.found(
                    layers,
                    f"{named(layers)} merges branches that step through the image differently",
                    notes=[seen.reason],
                    help="the same product of strides on every branch",
                )
