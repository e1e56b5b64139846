"""The rule ``softmax-output``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...ops.activation import LogSoftmax, Softmax
from ..rule import WARNING, Finding, Rule


class SoftmaxOutput(Rule, code="AL401", name="softmax-output", level=WARNING):
    """The network ends in a softmax, but the usual loss expects logits.

    What it does:
        Finds a softmax or log_softmax that produces an output of the network.

    Why it matters:
        torch's CrossEntropyLoss takes logits and applies log_softmax itself. After a softmax, a network still
        trains, but slowly: its gradients are scaled down by the second softmax, and the loss cannot fall
        below log(e + C - 1) - 1 for C classes. log_softmax is right before NLLLoss, and only there. For
        probabilities at inference, apply softmax outside the network. Source: the documentation of
        torch.nn.CrossEntropyLoss.

    Example:
        input: 64
        layers:
          - linear(10)
          - softmax

    Use instead:
        input: 64
        layers:
          - linear(10)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        for output, name in study.network.outputs.items():
            layer = study.network.index.get(name)
            if layer is None or not isinstance(layer.op, Softmax | LogSoftmax):
                continue
            log = isinstance(layer.op, LogSoftmax)
            yield self.found(
                [layer],
                f"{name}: the output {output} is a {layer.op.kind}, but CrossEntropyLoss expects logits",
                help="right with NLLLoss; for CrossEntropyLoss leave it out"
                if log
                else "leave it out, and apply it to the logits where probabilities are wanted",
            )
