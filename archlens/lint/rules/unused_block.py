"""The rule ``unused-block``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...errors import shorten
from ...language.spec import Spec, Use
from ...language.steps import Block
from .. import mentions
from ..rule import WARNING, Finding, Rule
from ..words import listed


class UnusedBlock(Rule, code="AL602", name="unused-block", level=WARNING):
    """No variant of the network uses a block, or a part of another file.

    What it does:
        Finds blocks, and names under `use:`, that are not mentioned by the layers, outputs and inputs of any
        variant, directly or through blocks and params.

    Why it matters:
        A reader takes it for part of the network, and a mistake in it is never noticed. Often its name was
        intended where another is written.

    Example:
        input: 1x8x8
        blocks:
          unit(width):
            - conv(width, 3)
            - relu
        layers:
          - conv(8, 3)

    Use instead:
        input: 1x8x8
        blocks:
          unit(width):
            - conv(width, 3)
            - relu
        layers:
          - unit(8)
    """

    def read(self, spec: Spec, study: Study) -> Iterator[Finding]:
        found = mentions.of_spec(spec)
        named: list[Block | Use] = [*spec.blocks.values(), *spec.uses.values()]
        for one in named:
            if one.name not in found.reached:
                owners = [shorten(owner) for owner in found.by[one.name]]
                what = "the part" if one.name in spec.uses else "the block"
                yield self.found(
                    one,
                    f"{what} {shorten(one.name)} is used by "
                    + (f"{listed(owners)} only, which nothing uses" if owners else "nothing"),
                    help="remove it, or use it where it was intended",
                )
