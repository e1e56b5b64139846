"""The rule ``dropout-before-norm``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...ops.dropout import Dropout, SpatialDropout
from ...ops.normalization import BatchNorm
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named


class DropoutBeforeNorm(Rule, code="AL402", name="dropout-before-norm", level=WARNING):
    """Batch normalization learns its statistics with dropout, but they differ at inference.

    What it does:
        Finds dropout with a probability above 0 directly before batch normalization with running statistics.

    Why it matters:
        Dropout scales what it keeps by 1/(1 - p), so that the mean stays and the variance does not. The
        running variance is that of training, which is wrong at inference, without dropout. Source: Li, Chen,
        Hu and Yang, "Understanding the Disharmony between Dropout and Batch Normalization by Variance Shift"
        (CVPR 2019), which advises dropout only after the last batch normalization.

    Example:
        input: 64
        layers:
          - linear(128, bias=false)
          - dropout
          - batch_norm
          - relu

    Use instead:
        input: 64
        layers:
          - linear(128, bias=false)
          - batch_norm
          - relu
          - dropout
    """

    def check(self, study: Study) -> Iterator[Finding]:
        found = []
        for layer in study.network.layers:
            if isinstance(layer.op, BatchNorm) and layer.op.running_stats:
                source = study.source(layer)
                if source and isinstance(source.op, Dropout | SpatialDropout) and source.op.p > 0:
                    found.append(source)
        for layers in at_one_place(found):
            first = layers[0]
            assert isinstance(first.op, Dropout | SpatialDropout)
            # of a value x kept with probability q = 1 - p and scaled by 1/q: E[y^2] = E[x^2]/q
            scale = f"{1 / (1 - first.op.p):.4g}" if first.op.p < 1 else "no finite number"
            norm = study.readers[first.name][0]
            yield self.found(
                layers,
                f"{named(layers)}: batch normalization after dropout({first.op.p:g}) learns a variance that "
                "does not hold at inference",
                notes=[f"the mean square of what it normalizes is {scale} times as large in training"],
                help="dropout after the last batch normalization",
                also=[("the normalization", norm)],
                p=first.op.p,
            )
