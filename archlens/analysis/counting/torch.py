"""``torch.utils.flop_counter.FlopCounterMode``, halved."""

from __future__ import annotations

from .convention import Convention, same, trainable

CONVENTION = Convention(
    tool="torch 2.13 (flop_counter, halved)",
    counts="Convolutions and matrix products. FlopCounterMode itself counts 2 for each multiply-accumulate "
    "and prints twice this total.",
    leaves_out="Bias, normalization, activation, pooling and all elementwise work.",
    source="torch/utils/flop_counter.py: conv_flop_count, mm_flop, addmm_flop, bmm_flop",
    work=lambda layer: same(layer.macs),
    params=trainable,
)
