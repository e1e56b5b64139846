"""The rule ``unread-layer``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...errors import shorten
from ...language.spec import Spec
from ..dead_layers import dead_layers
from ..rule import ERROR, Finding, Rule


class UnreadLayer(Rule, code="AL603", name="unread-layer", level=ERROR):
    """Something is computed, or given as an input, that no output depends on.

    What it does:
        Finds steps whose result no later step reads and no output is, with all that leads to them alone; and
        inputs of the network that no step reads. It says the parameters and multiply-accumulates in
        vain. Heads under outputs: are outputs, those for training too. A repeated step of which others are
        read is for AL604. A parameter(...) alone, which depends on nothing and computes nothing, is a key of
        the state dict that may be there for training, as the vector that stands for what is masked.

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
