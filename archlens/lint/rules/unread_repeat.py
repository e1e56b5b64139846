"""The rule ``unread-repeat``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ..dead_layers import dead_layers
from ..rule import ADVICE, Finding, Rule


class UnreadRepeat(Rule, code="AL604", name="unread-repeat", level=ADVICE):
    """One of several repeats of a step is wasted: nothing reads its result, although others are read.

    What it does:
        Finds results that no layer reads and that are not an output, of a step of which another repeat is
        read. It reports the wasted parameters and multiply-accumulates.

    Why it matters:
        Networks whose output is a sum of skips, such as WaveNet, have a last residual convolution that leads
        nowhere. Their code has it nevertheless, and their published parameters may include it, so it is not a
        mistake; but it is work without effect, and its parameters never get a gradient, which PyTorch's
        DistributedDataParallel refuses by default. Source: van den Oord et al., "WaveNet: A Generative Model
        for Raw Audio" (2016), figure 4.

    Example:
        input: 8x64
        blocks:
          layer(d):
            - entry: identity
            - gated: conv(8, 2, padding=((d, 0),), dilation=d) >> tanh
            - skip: conv(8, 1)
            - add:
                - ref(entry)
                - ref(gated) >> conv(8, 1)
        layers:
          - first: layer(1)
          - second: layer(2)
          - add:
              - ref("first.skip")
              - ref("second.skip")

    Use instead:
        input: 8x64
        blocks:
          layer(d):
            - entry: identity
            - gated: conv(8, 2, padding=((d, 0),), dilation=d) >> tanh
            - skip: conv(8, 1)
            - add:
                - ref(entry)
                - ref(gated) >> conv(8, 1)
        layers:
          - first: layer(1)
          - second: conv(8, 2, padding=((2, 0),), dilation=2) >> tanh
          - add:
              - ref("first.skip")
              - conv(8, 1)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        for dead in dead_layers(study, repeats=True):
            yield self.found(
                dead.layers,
                f"of a repeated step {dead.said} not read{dead.more}",
                at=dead.ends[0],
                notes=[dead.note],
                help="this may be intended; otherwise leave the last one out",
                params=dead.params,
                macs=dead.macs,
            )
