"""The rule ``misaligned-branches``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ..case import Case, at_one_place, named
from ..rule import WARNING, Finding, Rule


class MisalignedBranches(Rule, code="AL203", name="misaligned-branches", level=WARNING):
    """Branches are merged that look around different places of the image.

    What it does:
        Compares the centres of the receptive fields of the branches that an add, a concat or a product
        merges, where they have the same effective stride.

    Why it matters:
        Position 0 of one branch belongs to another place of the image than position 0 of the other: values
        are added that are half a stride or more apart, and no later layer can tell. The usual causes are an
        even window with padding in one branch only, and a skip that is cropped on one side. Source: Araujo,
        Norris and Sim, Distill (2019), "Alignment issues".

    Example:
        input: 16x33x33
        layers:
          - add:
              - conv(16, 4, stride=2, padding=((1, 2), (1, 2)))
              - conv(16, 1, stride=2)

    Use instead:
        input: 16x33x33
        layers:
          - add:
              - conv(16, 3, stride=2, padding=1)
              - conv(16, 1, stride=2)
    """

    def check(self, case: Case) -> Iterator[Finding]:
        for fields in case.fields.values():
            for layers in at_one_place(case.network.index[name] for name in fields.misaligned):
                yield self.found(
                    layers[0],
                    f"{named(layers)} merges branches that look around different places",
                    layers=layers,
                    notes=[fields.misaligned[layers[0].name]],
                    help="odd windows with padding=(f - 1)/2 on every branch look around the same place",
                )
