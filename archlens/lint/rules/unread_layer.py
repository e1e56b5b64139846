"""The rule ``unread-layer``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...errors import shorten
from ...language.spec import Spec
from ..dead_layers import dead_layers
from ..rule import ERROR, Finding, Rule


class UnreadLayer(Rule, code="AL603", name="unread-layer", level=ERROR):
    """Something is computed, or given as an input, on which no output depends.

    What it does:
        Finds steps whose result is neither read by a later step nor an output, together with everything that
        leads only to them; and inputs of the network that no step reads. It reports the wasted parameters and
        multiply-accumulates. Heads under outputs: are outputs, including those for training. Repeated steps
        of which other repeats are read are covered by AL604. A lone parameter(...) depends on nothing and
        computes nothing: it may be in the state dict for training, such as a mask token.

    Why it matters:
        The work is done and discarded, and the parameters never get a gradient, which PyTorch's
        DistributedDataParallel refuses. Most often a ref() was meant to come earlier, or a branch was meant
        to be merged.

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

    def read(self, spec: Spec, study: Study) -> Iterator[Finding]:
        for name, template in spec.inputs.items():
            if not study.readers[name] and name not in study.ends:
                yield self.found(template, f"no layer reads the input {shorten(name)}", help="leave it out")

    def check(self, study: Study) -> Iterator[Finding]:
        for dead in dead_layers(study, repeats=False):
            if all(layer.op.kind == "parameter" for layer in dead.layers):
                continue
            yield self.found(
                dead.layers,
                f"{dead.said} computed and never read{dead.more}",
                at=dead.ends[0],
                notes=[dead.note],
                help="merge it, name it under outputs:, or leave it out",
                params=dead.params,
                macs=dead.macs,
            )
