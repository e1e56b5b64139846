"""The rule ``unread-layer``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import shorten
from ..case import Case, at_one_place, named, plural
from ..rule import ERROR, Finding, Rule


class UnreadLayer(Rule, code="AL603", name="unread-layer", level=ERROR):
    """Something is computed, or given as an input, that no output depends on.

    What it does:
        Finds steps whose result no later step reads and no output is, with all that leads to them alone; and
        inputs of the network that no step reads. It says the parameters and multiply-accumulates in
        vain. Heads under outputs: are outputs, those for training too. A repeated step of which others are
        read is for AL604.

    Why it matters:
        The work is done and thrown away, and the parameters never get a gradient, which PyTorch's
        DistributedDataParallel refuses. Most often a ref() was meant to come earlier, or a branch was
        meant to be merged.

    Example:
        input: 8x16x16
        layers:
          - start: conv(16, 3, padding=1)
          - side: conv(32, 1)
          - ref(start)
          - conv(32, 3, padding=1)

    Use instead:
        input: 8x16x16
        layers:
          - start: conv(16, 3, padding=1)
          - add:
              - conv(32, 1)
              - conv(32, 3, padding=1)
    """

    def check(self, case: Case) -> Iterator[Finding]:
        for name, template in case.spec.inputs.items():
            if not case.readers[name] and name not in case.ends:
                yield self.found(template, f"no layer reads the input {shorten(name)}", help="leave it out")
        unread = [name for name in case.unread if name not in case.unread_repeats]
        for ends in at_one_place(case.network.index[name] for name in unread):
            layers = [layer for end in ends for layer in case.unread[end.name]]
            params, macs = sum(one.params for one in layers), sum(one.macs for one in layers)
            others = len(layers) - len(ends)
            more = f", with {plural(others, 'layer')} that lead nowhere else" if others else ""
            yield self.found(
                ends[0],
                f"{named(ends)} {'is' if len(ends) == 1 else 'are'} computed and never read{more}",
                layers=layers,
                notes=[f"{params:,} parameters and {macs:,} multiply-accumulates in vain"],
                help="merge it, name it under outputs:, or leave it out",
                params=params,
                macs=macs,
            )
