"""The rule ``misaligned-branches``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...errors import shorten
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named


class MisalignedBranches(Rule, code="AL203", name="misaligned-branches", level=WARNING):
    """Merged branches are centred on different places in the image.

    What it does:
        Compares the centres of the receptive fields of the branches that an add, a concat or a product
        merges, where they have the same effective stride. One finding per network. Causal branches, none of
        which looks beyond its own position, are aligned; so is a branch that has been upsampled, as long as
        it is off by less than half a step of its coarser grid.

    Why it matters:
        Position 0 of one branch belongs to a different place in the image than position 0 of the other:
        values half a stride or more apart are added, and no later layer can undo it. The usual causes are an
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

    def check(self, study: Study) -> Iterator[Finding]:
        for fields in study.fields.values():
            merges = [study.network.index[name] for name in fields.misaligned]
            if not merges:
                continue
            first, *others = [layers[0] for layers in at_one_place(merges)]
            count = "a merge" if len(merges) == 1 else f"{len(merges)} merges"
            yield self.found(
                merges,
                f"{count} of branches that look around different places: {named(merges)}",
                notes=[
                    f"{shorten(layer.name)}: {fields.misaligned[layer.name]}"
                    for layer in (first, *others[:_SHOWN])
                ],
                help="odd windows with padding=(f - 1)/2 on every branch look around the same place",
                also=[("and here", layer) for layer in others[:_SHOWN]],
                count=len(merges),
            )


#: How many places are shown beside the first: what is misaligned once is so in all that follows.
_SHOWN = 2
