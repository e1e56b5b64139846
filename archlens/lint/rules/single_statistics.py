"""The rule ``single-statistics``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis import batches
from ...analysis.study import Study
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named


class SingleStatistics(Rule, code="AL404", name="single-statistics", level=WARNING):
    """A mean and a variance are computed over a single value, which torch refuses.

    What it does:
        Finds instance normalization with running statistics on a map of one position, which runs only in
        evaluation; and, on one position, group normalization with a group for each channel and batch
        normalization without running statistics, which need a batch of 2 or more samples.

    Why it matters:
        The variance of one value is 0, and what is normalized by it is 0 whatever the input. torch stops with
        "Expected more than 1 value per channel when training" or "Expected more than 1 spatial element when
        training", and a network that has run in evaluation fails at the first step of training, or at the
        last batch of an epoch. Source: torch.nn.functional, batch_norm, group_norm and instance_norm.

    Example:
        input: 64x8x8
        layers:
          - global_avg_pool
          - conv(16, 1)
          - group_norm(16)

    Use instead:
        input: 64x8x8
        layers:
          - global_avg_pool
          - conv(16, 1)
          - group_norm(4)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        warnings = {layer.name: one for layer, one in study.network.each(batches.warning) if one}
        for layers in at_one_place(study.network.index[name] for name in warnings):
            first = layers[0]
            warning = warnings[first.name]
            yield self.found(layers, f"{named(layers)}: {warning.message}", help=warning.help)
