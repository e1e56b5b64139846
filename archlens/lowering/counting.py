"""Multiply-accumulates of torch's operators, from the shapes that they ran on; and which have none."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import prod
from typing import Any


def _mm(a: Any, b: Any) -> int:
    return int(prod(a.shape) * b.shape[-1])


def _convolution(args: dict[str, Any], out: Any) -> int:
    weight = args["weight"].shape
    if args.get("transposed"):
        return int(prod(args["input"].shape) * prod(weight[1:]))
    return int(prod(out.shape) * prod(weight[1:]))


def _grouped(args: dict[str, Any], out: Any) -> int:
    """Each row is multiplied by one matrix, or each matrix by one part of the other."""
    a, b = args["self"].shape, args["mat2"].shape
    groups = a[0] if len(a) == len(b) == 3 else 1
    return int(groups * prod(a[-2:]) * b[-1])


#: What each operator takes, by its name.
COUNTED: dict[str, Callable[[dict[str, Any], Any], int]] = {
    "aten.mm": lambda args, out: _mm(args["self"], args["mat2"]),
    "aten.addmm": lambda args, out: _mm(args["mat1"], args["mat2"]),
    "aten.bmm": lambda args, out: _mm(args["self"], args["mat2"]),
    "aten.baddbmm": lambda args, out: _mm(args["batch1"], args["batch2"]),
    "aten.mv": lambda args, out: prod(args["self"].shape),
    "aten.addmv": lambda args, out: prod(args["mat"].shape),
    "aten.dot": lambda args, out: prod(args["self"].shape),
    "aten.vdot": lambda args, out: prod(args["self"].shape),
    "aten._grouped_mm": _grouped,
    "aten.convolution": _convolution,
    "torchvision.deform_conv2d": _convolution,
}

#: Those that count for nothing where parameters are all that they read.
NORMALIZING = frozenset({"aten.mv", "aten.dot", "aten.vdot"})

_FREE = """
    _adaptive_avg_pool2d _adaptive_avg_pool3d _batch_norm_no_update _batch_norm_with_update _conj
    _embedding_bag _embedding_bag_forward_only _fft_c2c _fft_c2r _fft_r2c _local_scalar_dense
    _log_softmax _native_batch_norm_legit _native_batch_norm_legit_no_training _prelu_kernel
    _reshape_alias _safe_softmax _sample_dirichlet _softmax _standard_gamma _to_copy _unique2
    _unsafe_view _upsample_bicubic2d_aa _upsample_bilinear2d_aa _upsample_nearest_exact1d
    _upsample_nearest_exact2d _upsample_nearest_exact3d _weight_norm_interface abs absolute acos
    adaptive_max_pool2d adaptive_max_pool3d add add_ addcdiv addcmul alias all amax amin aminmax
    angle any arange argmax argmin argsort as_strided asin atan atan2 avg_pool2d avg_pool3d
    bartlett_window bernoulli binary_cross_entropy bincount binomial bitwise_and bitwise_not
    bitwise_or blackman_window bucketize cat cauchy ceil celu channel_shuffle clamp clamp_max
    clamp_min clone col2im complex constant_pad_nd copy copy_ cos cosh count_nonzero
    cudnn_batch_norm cummax cummin cumprod cumsum detach diag diag_embed diagonal div dropout elu
    embedding empty empty_like empty_permuted empty_strided eq erf exp exp2 expand expm1 exponential
    eye fill flip floor floor_divide fmod frac fractional_max_pool2d fractional_max_pool3d full
    full_like gather ge gelu geometric glu grid_sampler_2d grid_sampler_3d gt hamming_window
    hann_window hardsigmoid hardswish hardtanh histc huber_loss im2col index index_add index_copy
    index_fill index_put index_reduce index_select isfinite isin isinf isnan item kaiser_window
    kthvalue l1_loss le leaky_relu lerp lift_fresh linalg_cross linalg_vector_norm linspace log
    log10 log1p log2 log_normal log_sigmoid_forward logcumsumexp logical_and logical_not logical_or
    logical_xor logit logspace logsumexp lt masked_fill masked_scatter masked_select max
    max_pool2d_with_indices max_pool3d_with_indices max_unpool2d max_unpool3d maximum mean median
    min minimum miopen_batch_norm mish mode mse_loss mul multi_margin_loss
    multilabel_margin_loss_forward multinomial nan_to_num nanmedian nansum narrow native_batch_norm
    native_channel_shuffle native_dropout native_group_norm native_layer_norm ne neg new_empty
    new_empty_strided new_full new_ones new_zeros nll_loss2d_forward nll_loss_forward nonzero norm
    normal one_hot ones ones_like permute pixel_shuffle pixel_unshuffle poisson polar pow prelu prod
    put rand rand_like randint randn randn_like randperm range reciprocal reflection_pad1d
    reflection_pad2d reflection_pad3d relu remainder renorm repeat repeat_interleave
    replication_pad1d replication_pad2d replication_pad3d reshape resize roll rot90 round rrelu_with_noise
    rsqrt rsub scalar_tensor scatter scatter_add scatter_reduce searchsorted select select_scatter
    set_ sgn sigmoid sign silu sin sinh slice slice_scatter smooth_l1_loss soft_margin_loss softmax
    softplus softshrink sort split split_with_sizes sqrt square squeeze stack std std_mean sub sum
    sym_numel sym_size sym_stride t take tan tanh threshold topk trace transpose tril tril_indices
    triu triu_indices trunc unbind unfold uniform unique_consecutive unique_dim unsafe_chunk
    unsafe_split unsqueeze upsample_bicubic2d upsample_bilinear2d upsample_linear1d
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_trilinear3d var var_mean view
    view_as_complex view_as_real where zero zeros zeros_like
"""

#: The same of torchvision's.
_FREE_OF_TORCHVISION = "nms qnms roi_align roi_pool ps_roi_align ps_roi_pool"

#: What computes no products of matrices, beside what torch says works on each value alone.
FREE = frozenset(
    (
        *(f"aten.{name}{end}" for end in ("", "_") for name in re.findall(r"\w+", _FREE)),
        *(f"torchvision.{name}" for name in _FREE_OF_TORCHVISION.split()),
    )
)
