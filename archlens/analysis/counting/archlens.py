"""archlens' own convention, which is that of most papers."""

from __future__ import annotations

from .convention import Convention, same, trainable

CONVENTION = Convention(
    tool="archlens",
    counts="The multiply-accumulates of convolutions and matrix products, one each; as most papers and "
    "torchvision's metadata do.",
    leaves_out="Everything else is itemised in the ledger and is in no total.",
    source="torchvision, `_ops` of its weights; half of torch.utils.flop_counter",
    work=lambda layer: same(layer.macs),
    params=trainable,
)
