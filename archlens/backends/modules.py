"""What torch has no module for, as modules: the targets ``archlens.*`` of an op's ``torch`` call.

Each is plain torch, so that its source can be printed into a file that knows nothing of archlens. This
file imports torch at its top because it defines modules; only what has asked for torch imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import comb, log, pi, prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


def pad_sides(x: Tensor, sides: Any, value: float = 0.0) -> Tensor:
    """Pad each side of the last axes, one pair for each, by an amount of its own; a negative one cuts."""
    return F.pad(x, [side for pair in reversed(sides) for side in pair], value=value)


class Padded(nn.Module):
    """Pads each side of its input by an amount of its own, then does what the class beside it does."""

    def __init__(self, *args: Any, padding: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sides = padding

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(pad_sides(x, self.sides))  # type: ignore[no-any-return]


class PaddedConv1d(Padded, nn.Conv1d):
    """A convolution with its own padding before and after."""


class PaddedConv2d(Padded, nn.Conv2d):
    """A convolution with its own padding on each side."""


class PaddedConv3d(Padded, nn.Conv3d):
    """A convolution with its own padding on each side."""


class Cropped(nn.Module):
    """Does what the class beside it does, then cuts each side of the output by an amount of its own.

    A negative amount after makes the output longer.
    """

    def __init__(self, *args: Any, padding: Any, **kwargs: Any) -> None:
        longer = tuple(max(-after, 0) for _, after in padding)
        super().__init__(*args, output_padding=longer, **kwargs)
        self.sides = tuple((before, max(after, 0)) for before, after in padding)

    def forward(self, x: Tensor) -> Tensor:
        full = super().forward(x)
        return pad_sides(full, [(-before, -after) for before, after in self.sides])


class CroppedConvTranspose1d(Cropped, nn.ConvTranspose1d):  # type: ignore[misc]
    """A transposed convolution whose output is cut by its own amount before and after."""


class CroppedConvTranspose2d(Cropped, nn.ConvTranspose2d):  # type: ignore[misc]
    """A transposed convolution whose output is cut by its own amount on each side."""


class CroppedConvTranspose3d(Cropped, nn.ConvTranspose3d):  # type: ignore[misc]
    """A transposed convolution whose output is cut by its own amount on each side."""


class PaddedPool(nn.Module):
    """Pooling with its own padding on each side.

    With ``ceil_mode`` the last windows may reach beyond the padding, but none may start there.
    """

    def __init__(
        self,
        kernel: Any,
        *,
        padding: Any,
        stride: Any = None,
        dilation: Any = 1,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        axes = len(padding)
        self.kernel = kernel if isinstance(kernel, tuple) else (kernel,) * axes
        self.stride = (
            self.kernel if stride is None else stride if isinstance(stride, tuple) else (stride,) * axes
        )
        self.dilation = dilation if isinstance(dilation, tuple) else (dilation,) * axes
        self.sides = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def beyond(self, x: Tensor) -> list[tuple[int, int]]:
        """How far the last windows reach beyond the padding, for each axis."""
        reached = []
        for axis, (before, after) in enumerate(self.sides):
            n, s = x.shape[2 + axis], self.stride[axis]
            room = n + before + after - self.dilation[axis] * (self.kernel[axis] - 1) - 1
            steps = -(-room // s) if self.ceil_mode else room // s
            if self.ceil_mode and steps * s >= n + before:
                steps -= 1
            reached.append((0, max(steps * s - room, 0)))
        return reached

    def extra_repr(self) -> str:
        return f"{self.kernel}, stride={self.stride}, padding={self.sides}"


class PaddedMaxPool(PaddedPool):
    """Max pooling with its own padding on each side, over one to three axes."""

    def forward(self, x: Tensor) -> Tensor:
        pool: Any = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[x.dim() - 3]
        beyond = self.beyond(x)
        x = pad_sides(pad_sides(x, self.sides, -torch.inf), beyond, -torch.inf)
        return pool(x, self.kernel, self.stride, 0, self.dilation)  # type: ignore[no-any-return]


class PaddedAvgPool(PaddedPool):
    """Average pooling with its own padding on each side, over one to three axes."""

    def forward(self, x: Tensor) -> Tensor:
        pool: Any = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[x.dim() - 3]
        beyond = self.beyond(x)
        counted = torch.ones_like(x[:1, :1])
        counted = pad_sides(counted, self.sides, 1.0 if self.count_include_pad else 0.0)
        share = pool(pad_sides(counted, beyond), self.kernel, self.stride)
        total = pool(pad_sides(pad_sides(x, self.sides), beyond), self.kernel, self.stride)
        return total / share  # type: ignore[no-any-return]


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalization that learns a scale alone or a shift alone, over any axes."""

    def __init__(
        self,
        channels: int,
        scale: bool = True,
        center: bool = True,
        eps: float = 1e-5,
        momentum: float = 0.1,
        track_running_stats: bool = True,
    ) -> None:
        super().__init__(channels, eps, momentum, track_running_stats=track_running_stats)
        if not scale:
            self.register_parameter("weight", None)
        if not center:
            self.register_parameter("bias", None)

    def _check_input_dim(self, x: Tensor) -> None:
        pass


class FrozenBatchNorm(nn.Module):
    """Batch normalization whose scale, shift and statistics are not trained, over any axes."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        axes = (-1, *(1,) * (x.dim() - 2))
        return x * scale.view(axes) + shift.view(axes)


class Standardization(nn.Module):
    """Each channel less its mean and divided by its deviation: of given numbers, or of buffers."""

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, mean: Any = None, std: Any = None, behind: int = 0) -> None:
        super().__init__()
        self.axes = (-1, *(1,) * behind)
        self.numbers = None if mean is None and std is None else (mean or 0.0, std or 1.0)
        if self.numbers is None:
            self.register_buffer("mean", torch.zeros(channels))
            self.register_buffer("variance", torch.ones(channels))
            self.register_buffer("count", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        if self.numbers is None:
            mean, std = self.mean, self.variance.sqrt().clamp(min=1e-7)
        else:
            mean, std = (x.new_tensor(one).expand(x.shape[-len(self.axes)]) for one in self.numbers)
        return (x - mean.view(self.axes)) / std.view(self.axes)


class ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels, at each position of a map."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Recurrent(nn.Module):
    """Gives what the class beside it gives at each step, or the states that it ends with, or both.

    It starts from zeros, or from such states: rows as they stand behind the steps where it gives both.

    With single biases those of the state are zeros, and no parameters.
    """

    bias_ih_l0: Tensor
    bidirectional: bool
    num_layers: int
    _flat_weights_names: list[str]

    def __init__(self, *args: Any, bias: Any = True, output: str = "sequence", **kwargs: Any) -> None:
        super().__init__(*args, bias=bool(bias), batch_first=True, **kwargs)
        self.output = output
        self.single = bias == "single"
        if self.single:
            for name in [name for name, _ in self.named_parameters() if name.startswith("bias_hh")]:
                delattr(self, name)

    def forward(self, x: Tensor, initial: Tensor | None = None) -> Tensor:
        if self.single:
            zeros = torch.zeros_like(self.bias_ih_l0)
            self._flat_weights = [getattr(self, name, zeros) for name in self._flat_weights_names]
        rows, ways = x.flatten(0, -3), 2 if self.bidirectional else 1  # each row by itself
        starts = None
        if initial is not None:
            given = initial.expand(len(x), *initial.shape[1:]).flatten(0, -3)
            parts = given.view(len(rows), -1, self.num_layers, ways, given.shape[-1] // ways)
            found = parts.permute(1, 2, 3, 0, 4).flatten(1, 2).contiguous()  # states, then layers and ways
            starts = found[0] if len(found) == 1 else tuple(found)
        steps, states = super().forward(rows, starts)
        if self.output == "both":
            ends = [
                one.view(self.num_layers, ways, len(rows), -1).permute(2, 0, 1, 3).flatten(2)
                for one in (states if isinstance(states, tuple) else (states,))
            ]
            return torch.cat((steps, *ends), 1).view(*x.shape[:-2], -1, steps.shape[-1])
        if self.output == "sequence":
            return steps.view(*x.shape[:-1], -1)  # type: ignore[no-any-return]
        hidden: Tensor = states[0] if isinstance(states, tuple) else states
        return hidden.transpose(0, 1).reshape(*x.shape[:-2], -1, hidden.shape[-1])


class LSTM(Recurrent, nn.LSTM):  # type: ignore[misc]
    """Long short-term memory that gives one tensor."""


class GRU(Recurrent, nn.GRU):  # type: ignore[misc]
    """Gated recurrent units that give one tensor."""


class RNN(Recurrent, nn.RNN):  # type: ignore[misc]
    """A recurrent layer that gives one tensor."""


class LinearAlong(nn.Linear):
    """A linear layer along another axis than the last, which is counted with the batch."""

    def __init__(self, in_features: int, out_features: int, axis: int, bias: bool = True) -> None:
        super().__init__(in_features, out_features, bias=bias)
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(self.axis, -1)).transpose(self.axis, -1)


class LinearTurned(nn.Module):
    """A linear layer whose matrix has a row for each input and a column for each output."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal((in_features, out_features), in_features**-0.5))
        self.bias = nn.Parameter(torch.zeros(out_features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.t(), self.bias)


class Frames(nn.Module):
    """Does what the class beside it does to each frame by itself: at each position along the first axis."""

    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def forward(self, x: Tensor) -> Tensor:
        convolve = F.conv2d if x.dim() == 4 else F.conv3d
        stride, padding, dilation = (1, *self.stride), (0, *self.padding), (1, *self.dilation)
        weight = self.weight.unsqueeze(2)
        return convolve(x, weight, self.bias, stride, padding, dilation, self.groups)


class FrameConv1d(Frames, nn.Conv1d):  # type: ignore[misc]
    """A convolution of each row of steps."""


class FrameConv2d(Frames, nn.Conv2d):  # type: ignore[misc]
    """A convolution of each frame."""


class PaddedFrameConv1d(Padded, Frames, nn.Conv1d):  # type: ignore[misc]
    """A convolution of each row of steps with its own padding before and after."""


class PaddedFrameConv2d(Padded, Frames, nn.Conv2d):  # type: ignore[misc]
    """A convolution of each frame with its own padding on each side."""


class Standardized(nn.Module):
    """Does what the class beside it does, with kernels of zero mean and unit variance.

    With a gain the kernel of each output channel is scaled by one that is learned, by a fixed factor, and by
    one over the root of how many values it has.
    """

    weight: Tensor

    def __init__(self, *args: Any, eps: float = 1e-6, gain: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.eps = eps
        self.factor = gain
        if gain is not None:
            self.gain = nn.Parameter(torch.ones(len(self.weight), *(1,) * (self.weight.dim() - 1)))

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Any) -> Tensor:
        rows = weight.reshape(1, len(weight), -1)
        scale = None if self.factor is None else (self.gain * self.factor * rows.shape[2] ** -0.5).view(-1)
        rows = F.batch_norm(rows, None, None, scale, training=True, momentum=0.0, eps=self.eps)
        return super()._conv_forward(x, rows.reshape_as(weight), bias)  # type: ignore[misc, no-any-return]


class StandardizedConv1d(Standardized, nn.Conv1d):
    """A convolution with standardized kernels."""


class StandardizedConv2d(Standardized, nn.Conv2d):
    """A convolution with standardized kernels."""


class StandardizedConv3d(Standardized, nn.Conv3d):
    """A convolution with standardized kernels."""


class PaddedStandardizedConv1d(Padded, Standardized, nn.Conv1d):
    """A convolution with standardized kernels and its own padding before and after."""


class PaddedStandardizedConv2d(Padded, Standardized, nn.Conv2d):
    """A convolution with standardized kernels and its own padding on each side."""


class PaddedStandardizedConv3d(Padded, Standardized, nn.Conv3d):
    """A convolution with standardized kernels and its own padding on each side."""


class Kept(nn.Module):
    """What is kept of a weight: its lengths and its directions, under torch's names."""

    def __init__(self, weight: Tensor, dim: int) -> None:
        super().__init__()
        axes = [axis for axis in range(weight.dim()) if axis != dim]
        self.original0 = nn.Parameter(torch.linalg.vector_norm(weight.detach(), dim=axes, keepdim=True))
        self.original1 = nn.Parameter(weight.detach())
        self.axes = axes

    def forward(self) -> Tensor:
        return lengthened(self.original0, self.original1, self.axes)


def lengthened(lengths: Tensor, directions: Tensor, axes: list[int]) -> Tensor:
    """Kernels of their lengths and directions."""
    made: Tensor = directions * (lengths / torch.linalg.vector_norm(directions, dim=axes, keepdim=True))
    return made


class WeightNorm(nn.Module):
    """Does what the class beside it does, with kernels that are kept as directions and lengths."""

    weight: Tensor

    def __init__(self, *args: Any, dim: int = 0, hook: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        kept = Kept(self.weight, dim)
        del self.weight
        if hook:
            self.weight_g, self.weight_v, self.axes = kept.original0, kept.original1, kept.axes
        else:
            self.parametrizations = nn.ModuleDict({"weight": kept})
        self.hook = hook

    def _conv_forward(self, x: Tensor, weight: Any, bias: Any) -> Tensor:
        if self.hook:
            weight = lengthened(self.weight_g, self.weight_v, self.axes)
        else:
            weight = self.parametrizations["weight"]()
        return super()._conv_forward(x, weight, bias)  # type: ignore[misc, no-any-return]

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, None, self.bias)


class WeightNormConv1d(WeightNorm, nn.Conv1d):
    """A convolution with kernels of directions and lengths."""


class WeightNormConv2d(WeightNorm, nn.Conv2d):
    """A convolution with kernels of directions and lengths."""


class WeightNormConv3d(WeightNorm, nn.Conv3d):
    """A convolution with kernels of directions and lengths."""


class PaddedWeightNormConv1d(Padded, WeightNorm, nn.Conv1d):
    """A convolution with kernels of directions and lengths, and its own padding before and after."""


class PaddedWeightNormConv2d(Padded, WeightNorm, nn.Conv2d):
    """A convolution with kernels of directions and lengths, and its own padding on each side."""


class PaddedWeightNormConv3d(Padded, WeightNorm, nn.Conv3d):
    """A convolution with kernels of directions and lengths, and its own padding on each side."""


class GlobalResponseNorm(nn.Module):
    """ConvNeXt V2's normalization by how long each channel is over the whole map, among all channels."""

    def __init__(self, channels: int, channels_last: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        self.last = channels_last
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        channels = x.dim() - 1 if self.last else 1
        positions = [axis for axis in range(1, x.dim()) if axis != channels]
        lengths = x.norm(dim=positions, keepdim=True)
        share = lengths / (lengths.mean(channels, keepdim=True) + self.eps)
        shape = [1] * x.dim()
        shape[channels] = -1
        return x + torch.addcmul(self.bias.view(shape), self.weight.view(shape), x * share)


class Subsample(nn.Module):
    """LeNet-5's trained subsampling: the sum of each window, times a coefficient, plus a bias."""

    def __init__(self, channels: int, kernel: Any) -> None:
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.full((channels,), 0.25))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        axes = x.dim() - 2
        pool: Any = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[axes - 1]
        kernel = self.kernel if isinstance(self.kernel, tuple) else (self.kernel,) * axes
        shape = (-1, *(1,) * axes)
        total: Tensor = pool(x, kernel) * prod(kernel)
        return total * self.weight.view(shape) + self.bias.view(shape)


class ConvMap(nn.Module):
    """A convolution in which each output channel reads only the input channels that a table lists.

    Every listed pair is convolved with a kernel of its own, and the results of an output are added up.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, channels: int, connections: Any, kernel: Any, bias: bool = True) -> None:
        super().__init__()
        pairs = [(row, column) for row, columns in enumerate(connections) for column in columns]
        self.outputs = len(connections)
        self.register_buffer("rows", torch.tensor([row for row, _ in pairs]), persistent=False)
        self.register_buffer("columns", torch.tensor([column for _, column in pairs]), persistent=False)
        bound = (len(pairs) / self.outputs * prod(kernel)) ** -0.5
        self.weight = nn.Parameter(torch.empty(len(pairs), *kernel).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(self.outputs).uniform_(-bound, bound)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        conv: Any = (F.conv1d, F.conv2d, F.conv3d)[x.dim() - 3]
        each: Tensor = conv(x[:, self.columns], self.weight.unsqueeze(1), groups=len(self.weight))
        out = each.new_zeros(len(x), self.outputs, *each.shape[2:]).index_add(1, self.rows, each)
        return out if self.bias is None else out + self.bias.view(-1, *(1,) * (x.dim() - 2))


def binomial(kernel: tuple[int, ...], dtype: torch.dtype | None = None) -> Tensor:
    """The binomial filter of a size along each axis; its values add up to 1."""
    filt = torch.ones((), dtype=dtype)
    for f in kernel:
        row = torch.tensor([comb(f - 1, k) / 2 ** (f - 1) for k in range(f)], dtype=dtype)
        filt = filt.unsqueeze(-1) * row
    return filt


class BlurPool(nn.Module):
    """Blurs each channel with a fixed binomial filter, at every so many positions.

    With a number of channels its state dict has the filter, once for each.
    """

    filt: Tensor

    def __init__(self, kernel: Any, stride: Any, padding: Any = 0, channels: int | None = None) -> None:
        super().__init__()
        self.stride, self.padding = stride, padding
        filt = binomial(kernel)[None, None]
        filt = filt.repeat(channels or 1, *(1,) * (filt.dim() - 1))
        self.register_buffer("filt", filt, persistent=channels is not None)

    def forward(self, x: Tensor) -> Tensor:
        conv: Any = (F.conv1d, F.conv2d, F.conv3d)[x.dim() - 3]
        shared = len(self.filt) != x.shape[1]
        filters = self.filt[:1].expand(x.shape[1], *self.filt.shape[1:]) if shared else self.filt
        return conv(x, filters, stride=self.stride, padding=self.padding, groups=x.shape[1])  # type: ignore[no-any-return]


class RBF(nn.Module):
    """The squared Euclidean distance of a vector to each of some fixed centres of -1 and 1."""

    centres: Tensor

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.randint(0, 2, (features, channels)) * 2.0 - 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return (x.unsqueeze(1) - self.centres).square().sum(2)


class StochasticDepth(nn.Module):
    """Sets the whole tensor of a sample to zero at random while training, and scales what is kept."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        kept = torch.empty(x.shape[0], *(1,) * (x.dim() - 1), dtype=x.dtype, device=x.device)
        kept = kept.bernoulli_(1 - self.p)
        return x * kept if self.p == 1 else x * kept / (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class SelfAttention(nn.MultiheadAttention):
    """Attention of every token to every token, in several heads: N, L, C."""

    def __init__(self, channels: int, heads: int, bias: bool = True) -> None:
        super().__init__(channels, heads, bias=bias, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        projected = F.linear(x, self.in_proj_weight, self.in_proj_bias)  # N, L, 3C
        heads = projected.reshape(*x.shape[:2], 3, self.num_heads, self.head_dim)
        q, k, v = heads.permute(2, 0, 3, 1, 4)  # N, heads, L, C/heads
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    heads: int,
    kv_heads: int | None = None,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
) -> Tensor:
    """Attention of each row of tokens in several heads: N, ..., L, C."""
    groups = heads if kv_heads is None else kv_heads
    mixed = F.scaled_dot_product_attention(
        by_head(q, heads),
        by_head(k, groups),
        by_head(v, groups),
        attn_mask=None if window is None else nearby(q, window, causal),
        is_causal=causal and window is None,
        scale=scale,
        enable_gqa=groups != heads,
    )
    return mixed.transpose(1, 2).reshape(*q.shape[:-1], -1)


def scored_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *more: Tensor,
    heads: int,
    kv_heads: int | None = None,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    sinks: bool = False,
) -> Tensor:
    """The same with scores that are stored: bounded, added to, masked, and beside a sink of each head.

    What is more is a bias, N, ..., heads, L, M, and the sinks, N, heads. Torch's kernels that store no score
    have no gradient for a bias on the CPU.
    """
    bias = next(iter(more[: len(more) - sinks]), None)
    groups = heads if kv_heads is None else kv_heads
    q, k, v = (
        x.reshape(*x.shape[:-1], count, x.shape[-1] // count).transpose(-3, -2)
        for x, count in ((q, heads), (k, groups), (v, groups))
    )
    if groups != heads:
        k, v = (x.repeat_interleave(heads // groups, -3) for x in (k, v))
    scores = q @ k.transpose(-2, -1)
    scores = scores * (q.shape[-1] ** -0.5 if scale is None else scale)
    if softcap is not None:
        scores = scores / softcap  # one after the other, so that two of them are there at most
        scores = scores.tanh()
        scores = scores * softcap
    if bias is not None:
        scores = scores + bias.reshape(len(bias), *[1] * (scores.dim() - bias.dim()), *bias.shape[1:])
    if causal or window is not None:
        seen = nearby(scores, scores.shape[-1] if window is None else window, causal)
        scores = scores.masked_fill(~seen, -torch.inf)
    if sinks:
        sink = more[-1].reshape(len(scores), *[1] * (scores.dim() - 4), heads, 1, 1)
        scores = torch.cat((scores, sink.expand(*scores.shape[:-1], 1)), -1)
    scores = scores.softmax(-1)
    if sinks:
        scores = scores[..., :-1]
    return (scores @ v).transpose(-3, -2).flatten(-2)


def nearby(x: Tensor, window: int, causal: bool) -> Tensor:
    """Whether a token attends to another, fewer positions away than the window: L, L."""
    at = torch.arange(x.shape[-2], device=x.device)
    away = at.unsqueeze(1) - at
    return (away < window) & (away >= 0 if causal else away > -window)


class MultiheadSelfAttention(nn.Module):
    """Attention of the tokens of each row to each other, in several heads: N, ..., L, C."""

    def __init__(
        self,
        channels: int,
        heads: int,
        bias: bool = True,
        out: int | None = None,
        causal: bool = False,
        kv_heads: int | None = None,
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.causal = heads, heads if kv_heads is None else kv_heads, causal
        self.sizes = (channels, *(channels // heads * self.kv_heads,) * 2)
        self.in_proj_weight = nn.Parameter(torch.empty(sum(self.sizes), channels))
        nn.init.xavier_uniform_(self.in_proj_weight)
        self.in_proj_bias = nn.Parameter(torch.zeros(sum(self.sizes))) if bias else None
        self.out_proj = nn.Linear(channels, channels if out is None else out, bias)

    def forward(self, x: Tensor) -> Tensor:
        projected = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = torch.split(projected, list(self.sizes), -1)
        mixed = attention(q, k, v, self.heads, self.kv_heads, self.causal)
        return self.out_proj(mixed)  # type: ignore[no-any-return]


def by_head(x: Tensor, heads: int) -> Tensor:
    """The channels of rows of tokens by heads: N, ..., L, C to N, heads, L, C/heads; all rows are N."""
    return x.reshape(-1, x.shape[-2], heads, x.shape[-1] // heads).transpose(1, 2)


def to_windows(x: Tensor, size: Any) -> Tensor:
    """A map in windows that do not overlap: N, H, W, C to N, windows, positions of each, C."""
    p, q = size
    samples, height, width, channels = x.shape
    x = x.reshape(samples, height // p, p, width // q, q, channels)
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def from_windows(x: Tensor, size: Any, sides: Any) -> Tensor:
    """The map that was cut into windows: N, windows, positions of each, C to N, H, W, C."""
    p, q = size
    height, width = sides
    x = x.reshape(x.shape[0], height // p, width // q, p, q, x.shape[3])
    return x.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def relative_index(size: Any) -> Tensor:
    """The number of the relative position of each two positions of a window: positions, positions."""
    p, q = size
    at = torch.arange(p * q)
    row, column = at // q, at % q
    down = row.unsqueeze(1) - row + p - 1
    right = column.unsqueeze(1) - column + q - 1
    index: Tensor = down * (2 * q - 1) + right
    return index


def roll_mask(sides: Any, size: Any, shift: Any, x: Tensor) -> Tensor:
    """-100 where only a roll brought two positions of a window together, else 0.

    Its shape is windows, positions, positions.
    """
    region = x.new_zeros(sides)
    for axis in (0, 1):
        if shift[axis]:
            at = torch.arange(sides[axis], device=x.device)
            part = (at >= sides[axis] - size[axis]).to(x.dtype) + (at >= sides[axis] - shift[axis]).to(
                x.dtype
            )
            region = region + (3 * part.unsqueeze(1) if axis == 0 else part)
    parts = to_windows(region.view(1, *sides, 1), size).squeeze(3).squeeze(0)
    return (parts.unsqueeze(1) != parts.unsqueeze(2)).to(x.dtype) * -100.0


class Windowed(nn.Module):
    """What both kinds of attention within windows of a map share: N, H, W, C.

    The map is padded to whole windows, and rolled where they are shifted. A class made of this says how
    queries and keys are compared, and which bias each pair of positions has.
    """

    relative_position_index: Tensor

    def __init__(self, channels: int, heads: int, window: Any, shift: Any = 0) -> None:
        super().__init__()
        self.heads = heads
        self.window = window if isinstance(window, tuple) else (window, window)
        self.shift = shift if isinstance(shift, tuple) else (shift, shift)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.register_buffer("relative_position_index", relative_index(self.window).flatten())

    def project(self, x: Tensor) -> Tensor:
        """Queries, keys and values, one after the other on the last axis."""
        return self.qkv(x)  # type: ignore[no-any-return]

    def compare(self, q: Tensor, k: Tensor) -> Tensor:
        """How much each query is like each key."""
        raise NotImplementedError

    def table(self) -> Tensor:
        """The bias of each relative position: relative positions, heads."""
        raise NotImplementedError

    def bias(self) -> Tensor:
        """The bias of each two positions: heads, positions, positions."""
        positions = self.window[0] * self.window[1]
        return self.table()[self.relative_position_index].view(positions, positions, -1).permute(2, 0, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        down, right = -height % self.window[0], -width % self.window[1]
        if down or right:  # a pad by nothing would copy, and so would a roll
            x = F.pad(x, (0, 0, 0, right, 0, down))
        sides = x.shape[1:3]
        # a window as large as the map has nowhere to go
        shift = [s if f < n else 0 for s, f, n in zip(self.shift, self.window, sides, strict=True)]
        if any(shift):
            x = x.roll((-shift[0], -shift[1]), (1, 2))
        x = self.project(to_windows(x, self.window).contiguous())  # N, windows, positions, 3C
        x = self.attend(x, sides, shift)
        x = from_windows(self.proj(x), self.window, sides)
        if any(shift):
            x = x.roll((shift[0], shift[1]), (1, 2))
        if down or right:  # a view would keep the padded map
            x = x[:, :height, :width].clone(memory_format=torch.contiguous_format)
        return x

    def attend(self, x: Tensor, sides: Any, shift: Any) -> Tensor:
        """Attention within each window: N, windows, positions, 3C to the same with C."""
        q, k, v = x.reshape(*x.shape[:3], 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        scores = self.compare(q, k)  # N, windows, heads, positions, positions
        scores = scores + self.bias()
        if any(shift):
            scores = scores + roll_mask(sides, self.window, shift, x).unsqueeze(1)
        scores = scores.softmax(-1)
        mixed = scores @ v.contiguous()
        return mixed.transpose(2, 3).contiguous().flatten(3)  # type: ignore[no-any-return]


class WindowAttention(Windowed):
    """Attention within windows, with a learned bias for each relative position."""

    def __init__(self, channels: int, heads: int, window: Any, shift: Any = 0) -> None:
        super().__init__(channels, heads, window, shift)
        relative = (2 * self.window[0] - 1) * (2 * self.window[1] - 1)
        self.relative_position_bias_table = nn.Parameter(torch.zeros(relative, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def compare(self, q: Tensor, k: Tensor) -> Tensor:
        scale: float = q.shape[-1] ** -0.5
        q = (q * scale).contiguous()
        return q @ k.contiguous().transpose(-2, -1)

    def table(self) -> Tensor:
        return self.relative_position_bias_table


class WindowAttentionV2(Windowed):
    """Attention within windows by cosine, with a bias that a small network makes of relative positions."""

    relative_coords_table: Tensor

    def __init__(self, channels: int, heads: int, window: Any, shift: Any = 0) -> None:
        super().__init__(channels, heads, window, shift)
        self.logit_scale = nn.Parameter(torch.full((heads, 1, 1), 10.0).log())
        self.cpb_mlp = nn.Sequential(nn.Linear(2, 512), nn.ReLU(), nn.Linear(512, heads, bias=False))
        # from -8 to 8 on each axis, then the logarithm
        p, q = self.window
        rows, columns = torch.arange(1 - p, p) * 8 / (p - 1), torch.arange(1 - q, q) * 8 / (q - 1)
        away = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1).unsqueeze(0)
        self.register_buffer("relative_coords_table", away.sign() * (away.abs() + 1).log2() / 3)

    def project(self, x: Tensor) -> Tensor:
        of_queries, _, of_values = self.qkv.bias.chunk(3)
        bias = torch.cat([of_queries, torch.zeros_like(of_queries), of_values])
        return F.linear(x, self.qkv.weight, bias)

    def compare(self, q: Tensor, k: Tensor) -> Tensor:
        cosine = F.normalize(q, dim=-1).contiguous() @ F.normalize(k, dim=-1).contiguous().transpose(-2, -1)
        return cosine * self.logit_scale.clamp(max=log(100.0)).exp()

    def table(self) -> Tensor:
        return self.cpb_mlp(self.relative_coords_table).flatten(0, 2)  # type: ignore[no-any-return]

    def bias(self) -> Tensor:
        return 16 * super().bias().sigmoid()


class RelativeAttention(nn.Module):
    """Attention within rows of positions, with a learned bias for each relative position.

    Its input is N, windows, positions, C.
    """

    relative_position_index: Tensor

    def __init__(self, channels: int, heads: int, size: Any) -> None:
        super().__init__()
        self.heads = heads
        p, q = size if isinstance(size, tuple) else (size, size)
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.merge = nn.Linear(channels, channels)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * p - 1) * (2 * q - 1), heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", relative_index((p, q)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.attend(self.to_qkv(x), x.shape[-1] ** -0.5)
        return self.merge(x)  # type: ignore[no-any-return]

    def attend(self, x: Tensor, scale: float) -> Tensor:
        """Attention within each row: N, windows, positions, 3C to the same with C."""
        q, k, v = x.reshape(*x.shape[:3], 3, self.heads, -1).permute(3, 0, 1, 4, 2, 5)
        scores = self.compare(q, k, scale)  # N, windows, heads, positions, positions
        scores = scores + self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        scores = scores.softmax(-1)
        mixed = scores @ v.contiguous()
        return mixed.transpose(2, 3).contiguous().flatten(3)  # type: ignore[no-any-return]

    def compare(self, q: Tensor, k: Tensor, scale: float) -> Tensor:
        """How much each query is like each key."""
        k = (k * scale).contiguous()
        return q.contiguous() @ k.transpose(-2, -1)


def crop(x: Tensor, starts: Any, sizes: Any) -> Tensor:
    """The part of a map that starts there and has those sizes."""
    for axis, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        x = x.narrow(2 + axis, start, size)
    return x


def grid_sample(x: Tensor, grid: Tensor) -> Tensor:
    """The values of a map at the positions of a grid: N, 2, H, W."""
    return F.grid_sample(x, grid.movedim(1, -1), align_corners=False)


def rows_of_pairs(x: Tensor, index: Tensor) -> Tensor:
    """A row of a table for each query and key: N, rows, C to N, queries, keys, C."""
    return x[:, index]


def pair_index(size: Any, queries: Any, stride: Any, by: str, class_token: bool = False) -> Tensor:
    """The row by the offset of each query from each key; the last three with a class token."""
    index, rows = torch.zeros(1, 1, dtype=torch.int64), 1
    for n, q, s in zip(size, queries, stride, strict=True):
        offsets = s * torch.arange(q)[:, None] - torch.arange(n)
        if by == "distance":
            offsets, count = offsets.abs(), n
        else:
            offsets, count = (offsets if by == "query - key" else -offsets) + n - 1, 2 * n - 1
        index = index[:, None, :, None] * count + offsets[None, :, None]
        index = index.flatten(2).flatten(0, 1)
        rows *= count
    if class_token:
        index = nn.functional.pad(index, (1, 0, 1, 0))
        index[0], index[:, 0], index[0, 0] = rows, rows + 1, rows + 2
    return index


class PairRows(nn.Module):
    """A row of a table for each query and key: N, rows, C to N, queries, keys, C."""

    index: Tensor

    def __init__(self, index: Tensor) -> None:
        super().__init__()
        self.register_buffer("index", index, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return rows_of_pairs(x, self.index)


class RelativePositions(PairRows):
    """The rows of a table by the offset of each query from each key."""

    def __init__(self, size: Any, queries: Any, stride: Any, by: str, class_token: bool = False) -> None:
        super().__init__(pair_index(size, queries, stride, by, class_token))


class RelativeBuckets(PairRows):
    """The rows of a table by the distance of each query from each key, far ones together."""

    def __init__(self, length: int, buckets: int, distance: int, causal: bool = False) -> None:
        at = torch.arange(length)
        super().__init__(self.rows(at - at[:, None], buckets, distance, causal))

    @staticmethod
    def rows(ahead: Tensor, buckets: int, distance: int, causal: bool) -> Tensor:
        """The row for each number of positions by which a key comes after its query."""
        if not causal:
            buckets //= 2
        near = buckets // 2  # so many have a row each
        away = (-ahead).clamp(min=0) if causal else ahead.abs()
        steps = (away / near).log() / log(distance / near) * (buckets - near)
        far = (near + steps.clamp(min=0).long()).clamp(max=buckets - 1)
        index = torch.where(away < near, away, far)
        return index if causal else index + buckets * (ahead > 0)


def expanded(x: Tensor, own: Tensor, shape: Any) -> Tensor:
    """A tensor that is learned, once for each sample of another."""
    return own.expand(x.shape[0], *shape).clone()


def expanded_once(x: Tensor, own: Tensor, shape: Any) -> Tensor:
    """A tensor that is learned, once for all samples."""
    return own.expand(1, *shape).clone()


def repeated(x: Tensor, beside: Tensor) -> Tensor:
    """What a batch has once, for each sample of another tensor."""
    return x.expand(beside.shape[0], *x.shape[1:])


def stand_in(*given: Any) -> Tensor:
    """A tensor in the place of what nobody can compute of some, given with its shape; it depends on them."""
    sums = [x.flatten(1).sum(1) for x in given if isinstance(x, Tensor)]
    shape = given[len(sums) :]
    value = torch.stack([x if x.is_floating_point() else x.float() for x in sums]).sum(0)
    return value.view(-1, *(1,) * len(shape)).expand(-1, *shape)


def scaled_channels(x: Tensor, own: Tensor) -> Tensor:
    """Each channel of a map times its own factor: N, C, ..."""
    return x * own.view(-1, *(1,) * (x.dim() - 2))


def matmul_transposed(x: Tensor, y: Tensor) -> Tensor:
    """The product of one matrix with another that is turned round first."""
    return x @ y.transpose(-2, -1)


def rearrange(x: Tensor, split: Any, order: Any, shape: Any) -> Tensor:
    """The axes split into those sizes, put into that order, and merged into that shape; batch first."""
    return x.reshape(x.shape[0], *split).permute(order).reshape(x.shape[0], *shape)


def normalize(x: Tensor, dim: int, eps: float = 1e-12) -> Tensor:
    """Values of unit length along an axis, which is counted with the batch."""
    return F.normalize(x, dim=dim, eps=eps)


def take(x: Tensor, axis: int, start: int, stop: int, step: int) -> Tensor:
    """Every ``step``-th position of an axis, which is counted with the batch."""
    return x[(slice(None),) * axis + (slice(start, stop, step),)]


def max_unpool(x: Tensor, pooled: Tensor, kernel: Any) -> Tensor:
    """Each value of ``x`` at the place where the largest of its window stood in the map that was pooled."""
    pool: Any = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[x.dim() - 3]
    _, places = pool(pooled.detach(), kernel, ceil_mode=True, return_indices=True)
    flat = pooled.new_zeros(pooled.shape).flatten(2)
    return flat.scatter(2, places.flatten(2), x.flatten(2)).view(pooled.shape)


def normal(sizes: Any, deviation: float) -> Tensor:
    """Numbers from a normal distribution around zero."""
    return torch.empty(sizes).normal_(std=deviation)


def rotary(
    x: Tensor, head: int, part: int | None = None, base: float = 10000.0, interleaved: bool = False
) -> Tensor:
    """Each pair of channels of a head, turned by an angle that grows with the position: N, ..., L, C."""
    part = head if part is None else part
    rates = base ** (-torch.arange(0, part, 2, device=x.device) / part)
    angles = torch.arange(x.shape[-2], device=x.device).unsqueeze(1) * rates  # L, part/2
    return turned(x, angles, head, interleaved)


def grid_rotary(
    x: Tensor,
    head: int,
    grid: Any,
    part: int | None = None,
    base: float = 10000.0,
    interleaved: bool = False,
    skip: int = 0,
    start: Any = 0.0,
    step: Any = 1.0,
    reverse: bool = False,
) -> Tensor:
    """The same for the positions of a grid, each axis of which turns its share of the pairs: N, ..., L, C.

    They stand row by row behind those that are skipped. Reversed, the last axis turns the first pairs.
    """
    part = head if part is None else part
    each = part // len(grid)
    rates = base ** (-torch.arange(0, each, 2, device=x.device) / each)
    starts, steps = (one if isinstance(one, tuple) else (one,) * len(grid) for one in (start, step))
    lines = [
        first + apart * torch.arange(size, device=x.device)
        for size, first, apart in zip(grid, starts, steps, strict=True)
    ]
    places = torch.cartesian_prod(*lines).view(-1, len(grid), 1)
    places = places.flip(1) if reverse else places
    angles = F.pad((places * rates).flatten(1), (0, 0, skip, 0))  # L, part/2
    return turned(x, angles, head, interleaved)


def turned(x: Tensor, angles: Tensor, head: int, interleaved: bool) -> Tensor:
    """The first pairs of channels of each head, turned by angles of positions and pairs: N, ..., L, C."""
    part = 2 * angles.shape[1]
    cos, sin = angles.cos().unsqueeze(1).to(x.dtype), angles.sin().unsqueeze(1).to(x.dtype)
    # 1, 1, N, ..., L, heads, head: of fewer axes torch could take one for channels that lie last
    heads = x.reshape(1, 1, *x.shape[:-1], -1, head)
    first, rest = heads[..., :part], heads[..., part:]
    a, b = (first[..., ::2], first[..., 1::2]) if interleaved else first.chunk(2, -1)
    found = torch.stack((a * cos - b * sin, b * cos + a * sin), -1 if interleaved else -2).flatten(-2)
    return (torch.cat((found, rest), -1) if part < head else found).flatten(-2)[0, 0]


def sinusoids(
    x: Tensor,
    width: int,
    base: float = 10000.0,
    shift: float = 0.0,
    cos_first: bool = False,
    ids: bool = True,
) -> Tensor:
    """Sines and cosines of ids, or of a channel, at rates from 1 down to about ``1 / base``.

    N, ... to N, ..., width; of a channel N, ..., 1 to N, ..., width.
    """
    half = width // 2
    rates = base ** (-torch.arange(half, device=x.device) / (half - shift))
    angles = (x.unsqueeze(-1) if ids else x) * (rates.to(x.dtype) if x.is_floating_point() else rates)
    pair = (angles.cos(), angles.sin()) if cos_first else (angles.sin(), angles.cos())
    return torch.cat(pair, -1)


class SinusoidalPositions(nn.Module):
    """Sines and cosines of where positions lie, each axis in channels of its own, for each sample."""

    table: Tensor

    def __init__(
        self,
        sizes: Any,
        channels_last: bool = False,
        base: float = 10000.0,
        normalized: bool = False,
        once: bool = False,
    ) -> None:
        super().__init__()
        self.once = once
        channels, spatial = (sizes[-1], sizes[:-1]) if channels_last else (sizes[0], sizes[1:])
        part = channels // len(spatial)
        rates = base ** (-torch.arange(0, part, 2, dtype=torch.float64) / part)
        found = []
        for axis, n in enumerate(spatial):
            places = torch.arange(n, dtype=torch.float64)
            if normalized:
                places = (places + 1) / (n + 1e-6) * 2 * pi
            angles = places.unsqueeze(1) * rates  # n, part/2
            each = torch.stack((angles.sin(), angles.cos()), 2).flatten(1)
            around = (*(1,) * axis, n, *(1,) * (len(spatial) - axis - 1), part)
            found.append(each.view(around).expand(*spatial, part))
        table = torch.cat(found, -1).to(torch.get_default_dtype())
        table = table if channels_last else table.movedim(-1, 0).contiguous()
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.table.repeat(1 if self.once else x.shape[0], *(1,) * self.table.dim())


class LinearBiases(nn.Module):
    """ALiBi: what each key has added in each head, for each sample, the same for all queries."""

    table: Tensor

    def __init__(self, heads: int, length: int) -> None:
        super().__init__()
        power = 1 << heads.bit_length() - 1
        exponents = [8 * i / power for i in range(1, power + 1)]
        exponents += [4 * i / power for i in range(1, 2 * (heads - power), 2)]
        slopes = 2.0 ** -torch.tensor(exponents, dtype=torch.float64)
        table = slopes.view(heads, 1, 1) * torch.arange(length)
        self.register_buffer("table", table.to(torch.get_default_dtype()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.table.repeat(x.shape[0], 1, 1, 1)


class WindowMask(nn.Module):
    """What is added to scores within windows of a map that was rolled, for each sample."""

    table: Tensor

    def __init__(self, size: Any, sides: Any, shift: Any, value: float = -100.0) -> None:
        super().__init__()
        size, sides, shift = (one if isinstance(one, tuple) else (one, one) for one in (size, sides, shift))
        apart = roll_mask(sides, size, shift, torch.zeros(())) != 0
        table = torch.zeros(apart.shape).masked_fill(apart, value).unsqueeze(1)
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.table.repeat(x.shape[0], 1, 1, 1, 1)


class RelativeCoordinates(nn.Module):
    """How far two positions of a window lie apart, by its logarithm, for each sample."""

    table: Tensor

    def __init__(self, size: Any, of: Any = None, once: bool = False) -> None:
        super().__init__()
        self.once = once
        table = torch.stack(torch.meshgrid(*(torch.arange(1.0 - n, n) for n in size), indexing="ij"), -1)
        if of is not None:
            table = table * 8 / (torch.tensor(of) - 1)
        away = (1 + table.abs()).log() * table.sign()
        self.register_buffer("table", (away if of is None else away / log(8)).flatten(0, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.table.repeat(1 if self.once else x.shape[0], 1, 1)


class PositionEmbedding(nn.Module):
    """Adds to each position its row of a learned table: N, ..., L, C."""

    def __init__(self, positions: int, channels: int, first: int = 0) -> None:
        super().__init__()
        self.first = first
        self.weight = nn.Parameter(torch.empty(positions, channels).normal_(std=0.02))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight[self.first : self.first + x.shape[-2]]


def prepend(x: Tensor, token: Tensor) -> Tensor:
    """A token of each sample's own before all others: N, L, C to N, L + 1, C."""
    return torch.cat([token.expand(x.shape[0], -1, -1), x], 1)


def tokens(x: Tensor) -> Tensor:
    """A token for each position of a map: N, C, H, W to N, H*W, C."""
    return x.flatten(2).transpose(1, 2)


def channels_last_tokens(x: Tensor) -> Tensor:
    """A token for each position of a map whose channels come last: N, H, W, C to N, H*W, C."""
    return x.flatten(1, -2)


def merge_patches(x: Tensor, size: int) -> Tensor:
    """The channels of each square of positions one after the other, column by column.

    N, H, W, C to N, H/2, W/2, 4C; a side that is no multiple is padded with zeros at its end.
    """
    down, right = -x.shape[1] % size, -x.shape[2] % size
    if down or right:  # a pad by nothing would copy
        x = F.pad(x, (0, 0, 0, right, 0, down))
    parts = [x[:, row::size, column::size] for column in range(size) for row in range(size)]
    return torch.cat(parts, -1)


def window_partition(x: Tensor, size: Any) -> Tensor:
    """A map in windows that do not overlap: N, C, H, W to N, windows, positions of each, C."""
    size = size if isinstance(size, tuple) else (size, size)
    return to_windows(x.permute(0, 2, 3, 1), size)


def window_reverse(x: Tensor, size: Any, sides: Any) -> Tensor:
    """The map that was cut into windows: N, windows, positions of each, C to N, C, H, W."""
    size = size if isinstance(size, tuple) else (size, size)
    sides = sides if isinstance(sides, tuple) else (sides, sides)
    return from_windows(x, size, sides).permute(0, 3, 1, 2)


def chosen_experts(scores: Tensor, active: int, groups: int = 1, active_groups: int = 1) -> Tensor:
    """The experts of each token, those with the highest scores in the best groups, before the tokens."""
    if groups > 1:
        apart = scores.reshape(*scores.shape[:-1], groups, -1)
        best = apart.topk(2, dim=-1).values.sum(-1).topk(active_groups, dim=-1).indices
        open_ = torch.zeros_like(apart[..., 0]).scatter(-1, best, 1.0).unsqueeze(-1)
        scores = apart.masked_fill(open_ == 0, float("-inf")).flatten(-2)
    return scores.topk(active, dim=-1).indices.movedim(-1, 1)


def dispatched(x: Tensor, active: int) -> Tensor:
    """Each token once for each expert that it goes to."""
    return x.unsqueeze(1).repeat_interleave(active, 1)


def each_expert(x: Tensor, chosen: Tensor, experts: Iterable[nn.Module]) -> Tensor:
    """What its own expert makes of each token."""
    parts = list(experts)
    if x.is_meta:  # where nothing is chosen, and one makes as much of all tokens
        return parts[0](x)  # type: ignore[no-any-return]
    made = [part(x[chosen == number]) for number, part in enumerate(parts)]
    out = x.new_empty(*x.shape[:-1], made[0].shape[-1])
    for number, one in enumerate(made):
        out[chosen == number] = one
    return out


def each_stacked(x: Tensor, chosen: Tensor, weight: Tensor) -> Tensor:
    """What the linear layer of its own expert makes of each token; the weights of all lie in one tensor."""
    if x.is_meta:
        return nn.functional.linear(x, weight[0])
    out = x.new_empty(*x.shape[:-1], weight.shape[1])
    for number in range(len(weight)):
        own = chosen == number
        out[own] = nn.functional.linear(x[own], weight[number])
    return out


def each_turned(x: Tensor, chosen: Tensor, weight: Tensor) -> Tensor:
    """The same of matrices that have a row for each input."""
    return each_stacked(x, chosen, weight.transpose(1, 2))


def each_bias(x: Tensor, chosen: Tensor, bias: Tensor) -> Tensor:
    """To each token the bias of its own expert is added."""
    return x + bias[chosen]


def combined_experts(
    made: Tensor,
    scores: Tensor,
    chosen: Tensor,
    normalize: bool = True,
    scale: float = 1,
) -> Tensor:
    """What the experts of each token made, weighted by their scores and added up."""
    weights = scores.gather(-1, chosen.movedim(1, -1))
    if normalize:
        weights = weights / weights.sum(-1, keepdim=True)
    return (made * (weights * scale).movedim(-1, 1).unsqueeze(-1)).sum(1)
