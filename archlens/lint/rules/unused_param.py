"""The rule ``unused-param``; see its class."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...analysis.study import Study
from ...errors import Span, shorten
from ...language.spec import Spec
from ...language.steps import Block
from .. import mentions
from ..rule import WARNING, Finding, Rule
from ..words import listed


class UnusedParam(Rule, code="AL601", name="unused-param", level=WARNING):
    """A param of the file, or a parameter of a block, has no effect.

    What it does:
        Finds params that no layer, output, input or block in use mentions, in any variant; and parameters of
        blocks that the block does not mention. Blocks that are passed by name (unit: normalized) may have
        parameters only to match other blocks, and are skipped.

    Why it matters:
        Setting it seems to change the network, but does not. Often a number was left in the layers where the
        param was intended.

    Example:
        input: 1x8x8
        params:
          width: 16
        layers:
          - conv(8, 3)

    Use instead:
        input: 1x8x8
        params:
          width: 16
        layers:
          - conv(width, 3)
    """

    def read(self, spec: Spec, study: Study) -> Iterator[Finding]:
        found = mentions.of_spec(spec)
        for name, param in spec.params.items():
            if name in found.reached:
                continue
            setting = [variant.name for variant in spec.variants.values() if name in variant.values]
            owners = [shorten(owner) for owner in found.by[name]]
            yield self.found(
                param,
                f"the param {shorten(name)} is read by "
                + (f"{listed(owners)} only, which nothing uses" if owners else "nothing"),
                notes=[f"set nevertheless by {listed(setting)}"] if setting else [],
                help="remove it, or use it where it was intended",
            )
        for block in spec.blocks.values():
            if block.name in found.passed or block.name not in found.reached:
                continue
            read = {mention.name for mention in mentions.inside(block)}
            for name in block.parameters:
                if name not in read:
                    yield self.found(
                        _place(block, name),
                        f"{shorten(name)}, a parameter of {shorten(block.name)}, is not used",
                        help="remove it, or use it where it was intended",
                    )


def _place(block: Block, name: str) -> Span:
    """Where a parameter stands in the signature of its block; else the signature."""
    span = block.span
    line = span.source.lines[span.line - 1]
    start = line.find("(", span.column - 1)
    match = re.compile(rf"\b{re.escape(name)}\b").search(line, max(start, 0))
    if start < 0 or match is None:
        return span
    return Span(span.source, span.line, match.start() + 1, len(name))
