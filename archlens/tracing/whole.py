"""The functions of torch that are kept whole, because they say more than the operators that they are made of.

This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Any, NamedTuple

import torch
from torch.nn import functional


class Whole(NamedTuple):
    """A function by the name that it is written down by, and how its arguments are named."""

    target: str
    signature: Signature

    def named(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """All arguments by name; what is not given is not there."""
        return dict(self.signature.bind(*args, **kwargs).arguments)


def _whole(target: str, *names: str) -> Whole:
    given = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD, default=None) for name in names]
    return Whole(target, Signature(given))


_DROPOUT = ("input", "p", "training", "inplace")
_POOL = ("input", "output_size", "return_indices")

#: Each function that is kept whole.
WHOLE: dict[Callable[..., Any], Whole] = {
    functional.linear: _whole("torch.linear", "input", "weight", "bias"),
    functional.dropout: _whole("torch.dropout", *_DROPOUT),
    torch.dropout: _whole("torch.dropout", "input", "p", "train"),
    functional.dropout1d: _whole("torch.spatial_dropout", *_DROPOUT),
    functional.dropout2d: _whole("torch.spatial_dropout", *_DROPOUT),
    functional.dropout3d: _whole("torch.spatial_dropout", *_DROPOUT),
    functional.alpha_dropout: _whole("torch.dropout", *_DROPOUT),
    functional.feature_alpha_dropout: _whole("torch.spatial_dropout", *_DROPOUT),
    **dict.fromkeys(
        [torch.max_pool1d, functional.max_pool1d],
        _whole(
            "torch.max_pool1d",
            *("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices"),
        ),
    ),
    torch.avg_pool1d: _whole(
        "torch.avg_pool1d", "input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad"
    ),
    functional.adaptive_avg_pool1d: _whole("torch.adaptive_avg_pool", "input", "output_size"),
    functional.adaptive_avg_pool2d: _whole("torch.adaptive_avg_pool", "input", "output_size"),
    functional.adaptive_avg_pool3d: _whole("torch.adaptive_avg_pool", "input", "output_size"),
    functional.adaptive_max_pool1d: _whole("torch.adaptive_max_pool", *_POOL),
    functional.adaptive_max_pool2d: _whole("torch.adaptive_max_pool", *_POOL),
    functional.adaptive_max_pool3d: _whole("torch.adaptive_max_pool", *_POOL),
    functional.instance_norm: _whole(
        "torch.instance_norm",
        "input",
        "running_mean",
        "running_var",
        "weight",
        "bias",
        "use_input_stats",
        "momentum",
        "eps",
    ),
    functional.local_response_norm: _whole(
        "torch.local_response_norm", "input", "size", "alpha", "beta", "k"
    ),
    functional.rms_norm: _whole("torch.rms_norm", "input", "normalized_shape", "weight", "eps"),
    functional.normalize: _whole("torch.normalize", "input", "p", "dim", "eps", "out"),
    functional.interpolate: _whole(
        "torch.interpolate",
        "input",
        "size",
        "scale_factor",
        "mode",
        "align_corners",
        "recompute_scale_factor",
        "antialias",
    ),
    functional.scaled_dot_product_attention: _whole(
        "torch.attention",
        "query",
        "key",
        "value",
        "attn_mask",
        "dropout_p",
        "is_causal",
        "scale",
        "enable_gqa",
    ),
    functional.pad: _whole("torch.pad", "input", "pad", "mode", "value"),
    torch.channel_shuffle: _whole("torch.channel_shuffle", "input", "groups"),
    functional.softsign: _whole("torch.softsign", "input"),
    functional.tanhshrink: _whole("torch.tanhshrink", "input"),
    **dict.fromkeys(
        [torch.matmul, torch.Tensor.matmul, torch.Tensor.__matmul__],
        _whole("torch.matmul", "input", "other"),
    ),
}
