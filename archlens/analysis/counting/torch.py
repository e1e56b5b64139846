"""``torch.utils.flop_counter.FlopCounterMode``, halved."""

from __future__ import annotations

from ...network import Layer
from .convention import IN_ONE_KERNEL, Convention, Share, fused, runs_in_one_kernel, trainable

_FLASH = (
    "on a CPU it has no rule for torch's attention kernel, and counts its products as zero; it has rules "
    "for those of CUDA and of the meta device, and counts everything there"
)


def _work(layer: Layer) -> Share:
    if runs_in_one_kernel(layer):
        return Share(layer.macs, 0, IN_ONE_KERNEL)
    products = fused(layer)
    return Share(layer.macs, layer.macs - products, _FLASH if products else "")


CONVENTION = Convention(
    tool="torch 2.13 (flop_counter, halved)",
    counts="Convolutions and matrix products. FlopCounterMode itself counts 2 for each multiply-accumulate "
    "and prints twice this total.",
    leaves_out="Bias, normalization, activation, pooling and all elementwise work.",
    source="torch/utils/flop_counter.py: conv_flop_count, mm_flop, addmm_flop, bmm_flop",
    work=_work,
    params=trainable,
)
