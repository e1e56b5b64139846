"""``Facts.torch`` made runnable: what an op says of itself in torch, as something that takes tensors.

A reading of its own, for the tests: it shares nothing with what archlens builds. ``archlens.*``, which torch
has no module for, is put together here from torch's primitives, in the most literal way.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable
from functools import partial, reduce
from itertools import product
from math import cos, log, log2, pi, prod, sin
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from archlens.network import Network
from archlens.ops import Call
from archlens.shape import Ids, Shape

from .conftest import load_torchvision

Sides = tuple[tuple[int, int], ...]


def runnable(call: Call) -> Any:
    """The module or function of a call: it takes the input tensors, batch first."""
    library, _, name = call.target.rpartition(".")
    if call.parameter is not None:
        return WithParameter(call)
    if library == "nn":
        return getattr(nn, name)(*call.args, **call.kwargs)
    if library == "archlens":
        stem, axes = (name[:-2], (int(name[-2]),)) if name[-2:] in ("1d", "2d", "3d") else (name, ())
        return OWN[stem](*axes, *call.args, **call.kwargs)
    functions: dict[str, Callable[..., Tensor]] = {
        "torch.cat": lambda *xs: torch.cat(xs, *call.args, **call.kwargs),
        "operator.add": lambda *xs: reduce(operator.add, xs),
        "operator.mul": lambda *xs: reduce(operator.mul, xs),
        "operator.sub": operator.sub,
        "operator.truediv": operator.truediv,
    }
    if library == "torch" and name != "cat":
        function = getattr(torch, name)
        return lambda *xs: function(*xs, *call.args, **call.kwargs)
    return functions[call.target]


class WithParameter(nn.Module):
    """A function that takes a parameter or a buffer of its own, which is called ``own`` here."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        assert call.parameter is not None
        self.target = call.target
        if call.target == "archlens.rows_of_pairs":
            self.rows = relative_positions(*call.parameter.args, **call.parameter.kwargs)
            one = torch.arange(10_000.0).view(1, -1, 1)  # the row at each place
            self.register_buffer("own", self.rows(one)[0, ..., 0].long())
            return
        start: dict[str, Callable[..., Tensor]] = {
            "torch.zeros": torch.zeros,
            "torch.full": torch.full,
            "archlens.normal": lambda sizes, deviation: torch.randn(sizes) * deviation,
        }
        self.own = nn.Parameter(start[call.parameter.target](*call.parameter.args))
        self.shape = call.given.get("shape")

    def kept(self) -> WithParameter:
        """The same with a buffer in the place of what is learned."""
        own = self.own.detach()
        del self.own
        self.register_buffer("own", own)
        return self

    def forward(self, x: Tensor) -> Tensor:
        if self.target == "archlens.rows_of_pairs":
            return self.rows(x)
        if self.target in ("archlens.expanded", "archlens.expanded_once"):
            filled = self.own.view(self.shape) if self.own.ndim else self.own.expand(self.shape)
            return torch.stack([filled for _ in x])
        if self.target == "archlens.prepend":
            return torch.stack([torch.cat([self.own[0], sample]) for sample in x])
        if self.target == "archlens.scaled_channels":
            return torch.stack([x[:, c] * factor for c, factor in enumerate(self.own)], 1)
        return {"operator.add": operator.add, "operator.mul": operator.mul}[self.target](x, self.own)


def run(network: Network, device: str = "cpu") -> dict[str, Tensor]:
    """The output of every layer, on a batch of 2 with random numbers."""
    with torch.device(device):
        outputs = {name: random_for(shape) for name, shape in network.inputs.items()}
        for layer in network:
            function = runnable(layer.facts.torch)
            if isinstance(function, nn.Module):
                function.eval()
            outputs[layer.name] = function(*(outputs[name] for name in layer.inputs))
    return outputs


def random_for(shape: Shape) -> Tensor:
    """Random numbers, or ids, for a batch of 2."""
    return torch.randint(shape.below, (2, *shape)) if isinstance(shape, Ids) else torch.rand(2, *shape)


def flat(sides: Sides) -> list[int]:
    """Padding as ``F.pad`` takes it: before and after, the last axis first."""
    return [side for pair in reversed(sides) for side in pair]


def each(value: Any, axes: int) -> tuple[Any, ...]:
    """A value for each axis, from one for all."""
    return value if isinstance(value, tuple) else (value,) * axes


def conv(axes: int, *args: Any, padding: Sides, **kwargs: Any) -> nn.Module:
    """A convolution that pads each side by itself."""
    base: Any = getattr(nn, f"Conv{axes}d")

    class Conv(base):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(F.pad(x, flat(padding)))

    return Conv(*args, **kwargs)


def conv_transpose(axes: int, *args: Any, padding: Sides, **kwargs: Any) -> nn.Module:
    """A transposed convolution whose output is cut at each side by itself; below 0 it is lengthened."""
    base: Any = getattr(nn, f"ConvTranspose{axes}d")
    function = getattr(F, f"conv_transpose{axes}d")

    class ConvTranspose(base):
        def forward(self, x: Tensor) -> Tensor:
            full = function(x, self.weight, None, self.stride, 0, 0, self.groups, self.dilation)
            cut = F.pad(full, [-side for side in flat(padding)])
            return cut if self.bias is None else cut + self.bias.view(-1, *(1,) * axes)

    return ConvTranspose(*args, **kwargs)


def pool(
    name: str,
    axes: int,
    kernel: Any,
    *,
    padding: Sides,
    stride: Any = None,
    dilation: Any = 1,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Callable[[Tensor], Tensor]:
    """Pooling that pads each side by itself."""
    kernels, dilations = each(kernel, axes), each(dilation, axes)
    strides = kernels if stride is None else each(stride, axes)

    def end(n: int, axis: int) -> int:
        """Positions after the input that the windows reach; with ``ceil_mode`` some are not padding."""
        before, after = padding[axis]
        if not ceil_mode:
            return after
        windows, extent = 1, dilations[axis] * (kernels[axis] - 1) + 1
        while (windows - 1) * strides[axis] + extent < before + n + after:
            if windows * strides[axis] >= before + n:
                break  # the next one would start after the input
            windows += 1
        return (windows - 1) * strides[axis] + extent - before - n

    def padded(x: Tensor, value: float, beyond: float) -> Tensor:
        x = F.pad(x, flat(padding), value=value)
        sizes = [x.shape[2 + axis] - sum(padding[axis]) for axis in range(axes)]
        more = tuple((0, end(n, axis) - padding[axis][1]) for axis, n in enumerate(sizes))
        return F.pad(x, flat(more), value=beyond)

    def largest(x: Tensor) -> Tensor:
        function = getattr(F, f"max_pool{axes}d")
        return function(padded(x, -torch.inf, -torch.inf), kernels, strides, 0, dilations)

    def mean(x: Tensor) -> Tensor:
        function = getattr(F, f"avg_pool{axes}d")
        counted = padded(torch.ones_like(x), 1.0 if count_include_pad else 0.0, 0.0)
        return function(padded(x, 0.0, 0.0), kernels, strides) / function(counted, kernels, strides)

    return {"max": largest, "avg": mean}[name]


class BatchNorm(nn.Module):
    """Batch norm that learns a scale or a shift; by the functional form."""

    def __init__(self, channels: int, scale: bool = True, center: bool = True, **options: Any) -> None:
        super().__init__()
        tracked = options.pop("track_running_stats", True)
        self.options = {"eps": 1e-5, "momentum": 0.1, **options}
        self.weight = nn.Parameter(torch.rand(channels)) if scale else None
        self.bias = nn.Parameter(torch.rand(channels)) if center else None
        self.register_buffer("running_mean", torch.zeros(channels) if tracked else None)
        self.register_buffer("running_var", torch.ones(channels) if tracked else None)
        self.register_buffer("num_batches_tracked", torch.tensor(0) if tracked else None)

    def forward(self, x: Tensor) -> Tensor:
        training = self.training or self.running_mean is None
        statistics = (self.running_mean, self.running_var)
        return F.batch_norm(x, *statistics, self.weight, self.bias, training, **self.options)


class FrozenBatchNorm(nn.Module):
    """Torch's batch normalization at inference, none of whose tensors are parameters."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name, value in {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}.items():
            self.register_buffer(name, torch.full((channels,), value))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, **dict(self.named_buffers()), eps=self.eps)


class Standardization(nn.Module):
    """Keras' ``Normalization``, ``(x - mean) / max(sqrt(variance), 1e-7)``; or by given numbers."""

    def __init__(self, channels: int, mean: Any = None, std: Any = None, behind: int = 0) -> None:
        super().__init__()
        self.numbers, self.behind = (mean, std), behind
        if mean is None and std is None:
            for name, value in {"mean": torch.zeros(channels), "variance": torch.ones(channels)}.items():
                self.register_buffer(name, value)
            self.register_buffer("count", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        own = dict(self.named_buffers())
        mean, std = (default if n is None else n for n, default in zip(self.numbers, (0.0, 1.0), strict=True))
        if own:
            mean, std = own["mean"], own["variance"].sqrt().clamp(min=1e-7)
        axis = x.dim() - 1 - self.behind
        each = [torch.as_tensor(one).expand(x.shape[axis]) for one in (mean, std)]
        parts = [
            (part - m) / s
            for part, m, s in zip(x.unbind(axis), each[0].unbind(), each[1].unbind(), strict=True)
        ]
        return torch.stack(parts, axis)


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels, at each position."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class GlobalResponseNorm(nn.Module):
    """Woo et al. 2023, algorithm 1, which has its channels last."""

    def __init__(self, channels: int, channels_last: bool = False, eps: float = 1e-6) -> None:
        super().__init__()
        self.last, self.eps = channels_last, eps
        self.weight, self.bias = (nn.Parameter(torch.zeros(channels)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.last else x.movedim(1, -1)
        gx = torch.norm(x, p=2, dim=tuple(range(1, x.dim() - 1)), keepdim=True)
        nx = gx / (gx.mean(dim=-1, keepdim=True) + self.eps)
        found = self.weight * (x * nx) + self.bias + x
        return found if self.last else found.movedim(-1, 1)


class Subsample(nn.Module):
    """LeNet-5's pooling: the sum of a window, scaled and shifted channel by channel."""

    def __init__(self, channels: int, kernel: Any) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(channels))
        self.bias = nn.Parameter(torch.rand(channels))
        self.kernel = kernel

    def forward(self, x: Tensor) -> Tensor:
        axes = x.dim() - 2
        kernel = each(self.kernel, axes)
        total = getattr(F, f"avg_pool{axes}d")(x, kernel) * prod(kernel)
        return total * self.weight.view(-1, *(1,) * axes) + self.bias.view(-1, *(1,) * axes)


class ConvMap(nn.Module):
    """A convolution with a connection table, as a dense one whose other kernels are zero."""

    def __init__(
        self,
        channels: int,
        connections: tuple[tuple[int, ...], ...],
        kernel: tuple[int, ...],
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.pairs = [(out, i) for out, row in enumerate(connections) for i in row]
        self.dense_shape = (len(connections), channels, *kernel)
        self.weight = nn.Parameter(torch.rand(len(self.pairs), *kernel))
        self.bias = nn.Parameter(torch.rand(len(connections))) if bias else None

    def dense(self) -> Tensor:
        """The weight of the dense convolution: C_out, C_in, *kernel."""
        weight = self.weight.new_zeros(self.dense_shape)
        for kernel, (out, i) in zip(self.weight, self.pairs, strict=True):
            weight[out, i] = kernel
        return weight

    def forward(self, x: Tensor) -> Tensor:
        return getattr(F, f"conv{x.dim() - 2}d")(x, self.dense(), self.bias)


class LinearAlong(nn.Module):
    """An axis multiplied with a matrix: turned to the end, and back."""

    def __init__(self, in_features: int, out_features: int, axis: int, bias: bool = True) -> None:
        super().__init__()
        made = nn.Linear(in_features, out_features, bias)
        self.weight, self.bias, self.axis = made.weight, made.bias, axis

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.movedim(self.axis, -1), self.weight, self.bias).movedim(-1, self.axis)


class LinearTurned(nn.Module):
    """``x @ W + b``, as transformers' Conv1D has it."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(in_features, out_features))
        self.bias = nn.Parameter(torch.rand(out_features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        y = x.reshape(-1, x.shape[-1]) @ self.weight
        return (y if self.bias is None else y + self.bias).view(*x.shape[:-1], -1)


def weight_norm(
    axes: int, *args: Any, padding: Any = 0, dim: int = 0, hook: bool = False, **kwargs: Any
) -> nn.Module:
    """A convolution with torch's own parametrization, or the hook that was before it."""
    apart = isinstance(padding, tuple) and isinstance(padding[0], tuple)
    plain = partial(getattr(nn, f"Conv{axes}d"), *args)
    made = conv(axes, *args, padding=padding, **kwargs) if apart else plain(padding=padding, **kwargs)
    if hook:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return nn.utils.weight_norm(made, dim=dim)
    return nn.utils.parametrizations.weight_norm(made, dim=dim)


def standardized(
    axes: int, *args: Any, padding: Any = 0, eps: float = 1e-6, gain: float | None = None, **kwargs: Any
) -> nn.Module:
    """A convolution whose kernels have mean 0 and variance 1, by Qiao et al. 2019, equation 2."""
    base: Any = getattr(nn, f"Conv{axes}d")
    apart = isinstance(padding, tuple) and isinstance(padding[0], tuple)

    class Conv(base):
        def forward(self, x: Tensor) -> Tensor:
            rest = tuple(range(1, axes + 2))
            deviation = self.weight - self.weight.mean(rest, keepdim=True)
            weight = deviation / (deviation.square().mean(rest, keepdim=True) + eps).sqrt()
            if gain is not None:
                weight = weight * self.gain * (gain / prod(self.weight.shape[1:]) ** 0.5)
            x = F.pad(x, flat(padding)) if apart else x
            return self._conv_forward(x, weight, self.bias)

    made = Conv(*args, padding=0 if apart else padding, **kwargs)
    if gain is not None:
        made.gain = nn.Parameter(torch.ones(made.out_channels, *(1,) * (axes + 1)))
    return made


def by_frame(axes: int, *args: Any, padding: Any = 0, **kwargs: Any) -> nn.Module:
    """A convolution, called once for each frame."""
    apart = isinstance(padding, tuple) and isinstance(padding[0], tuple)
    made = (partial(conv, axes) if apart else getattr(nn, f"Conv{axes}d"))(*args, padding=padding, **kwargs)
    whole = made.forward
    made.forward = lambda x: torch.stack([whole(frame) for frame in x.unbind(2)], 2)
    return made


class RBF(nn.Module):
    """Squared distances to fixed centres."""

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.rand(features, channels))

    def forward(self, x: Tensor) -> Tensor:
        return ((x[:, None] - self.centres) ** 2).sum(2)


def crop(starts: tuple[int, ...], sizes: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    """The part of a map that starts there and has those sizes."""
    parts = tuple(slice(start, start + size) for start, size in zip(starts, sizes, strict=True))
    return lambda x: x[(..., *parts)]


def part(axis: int, start: int, stop: int, step: int) -> Callable[[Tensor], Tensor]:
    """Some positions of one axis, counted with the batch."""
    return lambda x: x[(slice(None),) * axis + (slice(start, stop, step),)]


def framed(sides: Sides, value: float) -> Callable[[Tensor], Tensor]:
    """A map with a constant around it, channels included."""
    return lambda x: F.pad(x, flat(sides), value=value)


def unpool(kernel: tuple[int, ...]) -> Callable[[Tensor, Tensor], Tensor]:
    """Torch's own unpooling, by the indices of its own pooling."""

    def forward(x: Tensor, pooled: Tensor) -> Tensor:
        axes = len(kernel)
        pool, back = getattr(F, f"max_pool{axes}d"), getattr(F, f"max_unpool{axes}d")
        _, indices = pool(pooled, kernel, ceil_mode=True, return_indices=True)
        restored: Tensor = back(x, indices, kernel, output_size=pooled.shape[2:])
        return restored

    return forward


class StochasticDepth(nn.Module):
    """Nothing at inference, which is all that is tested with it."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        assert 0 <= p <= 1

    def forward(self, x: Tensor) -> Tensor:
        assert not self.training
        return x


class PositionEmbedding(nn.Embedding):
    """A table that is looked up by the numbers of the positions."""

    def __init__(self, positions: int, channels: int, first: int = 0) -> None:
        super().__init__(positions, channels)
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        return x + super().forward(torch.arange(self.first, self.first + x.shape[-2]))


class SelfAttention(nn.MultiheadAttention):
    """Torch's own, that gives the weights of attention too, and so takes no faster path."""

    def __init__(self, channels: int, heads: int, bias: bool = True) -> None:
        super().__init__(channels, heads, bias=bias, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            return super().forward(x, x, x, need_weights=True)[0].detach()


class MultiheadSelfAttention(nn.Module):
    """The same of rows, between linear layers with the weights of torch's, and a head at a time."""

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
        self.shared = channels // heads * (kv_heads or heads)
        self.in_proj_weight = nn.Parameter(torch.rand(channels + 2 * self.shared, channels) - 0.5)
        self.in_proj_bias = nn.Parameter(torch.rand(channels + 2 * self.shared)) if bias else None
        self.out_proj = nn.Linear(channels, out or channels, bias)
        self.attend = attention(heads, kv_heads, causal)

    def forward(self, x: Tensor) -> Tensor:
        projected = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        k, v = projected[..., -2 * self.shared : -self.shared], projected[..., -self.shared :]
        return self.out_proj(self.attend(projected[..., : -2 * self.shared], k, v))


def rotary(
    head: int, part: int | None = None, base: float = 10000.0, interleaved: bool = False
) -> Callable[[Tensor], Tensor]:
    """Su et al. 2021, equation 34, a position and a pair at a time."""

    def turn(x: Tensor) -> Tensor:
        y, size = x.clone(), part or head
        for at, first, i in product(range(x.shape[-2]), range(0, x.shape[-1], head), range(size // 2)):
            a, b = (first + 2 * i, first + 2 * i + 1) if interleaved else (first + i, first + i + size // 2)
            angle = at * base ** (-2 * i / size)
            y[..., at, a] = x[..., at, a] * cos(angle) - x[..., at, b] * sin(angle)
            y[..., at, b] = x[..., at, b] * cos(angle) + x[..., at, a] * sin(angle)
        return y

    return turn


def grid_rotary(
    head: int,
    grid: tuple[int, ...],
    part: int | None = None,
    base: float = 10000.0,
    interleaved: bool = False,
    skip: int = 0,
    start: Any = 0.0,
    step: Any = 1.0,
    reverse: bool = False,
) -> Callable[[Tensor], Tensor]:
    """The pairs of each axis by themselves, as if only they were there, a position at a time."""

    def turn(x: Tensor) -> Tensor:
        y, size, axes = x.clone(), part or head, len(grid)
        pairs = size // 2 // axes
        for row, at in enumerate(product(*map(range, grid)), skip):
            for axis, first, i in product(range(axes), range(0, x.shape[-1], head), range(pairs)):
                begin, apart = (one[axis] if isinstance(one, tuple) else one for one in (start, step))
                angle = (begin + at[axis] * apart) * base ** (-i / pairs)
                pair = (axes - 1 - axis if reverse else axis) * pairs + i
                a, b = (
                    (first + 2 * pair, first + 2 * pair + 1)
                    if interleaved
                    else (first + pair, first + pair + size // 2)
                )
                y[..., row, a] = x[..., row, a] * cos(angle) - x[..., row, b] * sin(angle)
                y[..., row, b] = x[..., row, b] * cos(angle) + x[..., row, a] * sin(angle)
        return y

    return turn


class Blur(nn.Module):
    """A filter that is the mean of two neighbours, once less than it is long, along each axis."""

    filt: Tensor

    def __init__(
        self, kernel: tuple[int, ...], stride: Any, padding: Any = 0, channels: int | None = None
    ) -> None:
        super().__init__()
        rows = [reduce(np.convolve, [[0.5, 0.5]] * (f - 1), [1.0]) for f in kernel]
        filt = torch.tensor(reduce(np.multiply.outer, rows), dtype=torch.float32)
        self.register_buffer("filt", torch.stack([filt[None]] * (channels or 1)), persistent=bool(channels))
        self.convolve: Any = (F.conv1d, F.conv2d, F.conv3d)[len(kernel) - 1]
        self.how = {"stride": stride, "padding": padding}

    def forward(self, x: Tensor) -> Tensor:
        weight = self.filt[:1].to(x.dtype)
        return torch.cat([self.convolve(one, weight, **self.how) for one in x.split(1, 1)], 1)


def attention(
    heads: int,
    kv_heads: int | None = None,
    causal: bool = False,
    window: int | None = None,
    scale: float | None = None,
    softcap: float | None = None,
    sinks: bool = False,
) -> Callable[..., Tensor]:
    """A head at a time. What is masked is multiplied by 0, and is not seen: no NaN comes from there.

    A bias has a sample, perhaps rows, and perhaps heads before its queries and keys. Sinks are one
    column more of the scores, whose weights are dropped.
    """

    def attend(q: Tensor, k: Tensor, v: Tensor, *more: Tensor) -> Tensor:
        own_sinks = more[-1] if sinks else None
        bias = more[0] if len(more) > sinks else None
        seen = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool)
        seen = seen.tril() if causal else seen
        if window:
            apart = torch.arange(q.shape[-2])[:, None] - torch.arange(k.shape[-2])
            seen = seen & (apart.abs() < window)
        out = []
        for head, queries in enumerate(q.chunk(heads, -1)):
            at = head * (kv_heads or heads) // heads
            keys, values = k.chunk(kv_heads or heads, -1)[at], v.chunk(kv_heads or heads, -1)[at]
            scores = queries @ keys.transpose(-2, -1)
            scores = scores / queries.shape[-1] ** 0.5 if scale is None else scores * scale
            if softcap is not None:
                scores = softcap * torch.tanh(scores / softcap)
            if bias is not None:
                own = bias if bias.dim() < 4 else bias[..., head if bias.shape[-3] > 1 else 0, :, :]
                while own.dim() < scores.dim():
                    own = own.unsqueeze(1)
                scores = scores + own
            scores = scores.masked_fill(~seen, -torch.inf)
            if own_sinks is not None:
                column = own_sinks[:, head].view(-1, *[1] * (scores.dim() - 1)).expand(*scores.shape[:-1], 1)
                scores = torch.cat([scores, column], -1)
            weights = scores.softmax(-1)[..., : k.shape[-2]]
            planted = (seen.unsqueeze(-1) & values.isnan().unsqueeze(-3)).any(-2)
            out.append((weights @ values.nan_to_num()).masked_fill(planted, torch.nan))
        return torch.cat(out, -1)

    return attend


def window_attention(name: str) -> Callable[..., nn.Module]:
    """Torchvision's attention within windows."""

    def make(channels: int, heads: int, window: Any, shift: Any = 0) -> nn.Module:
        load_torchvision()
        from torchvision.models import swin_transformer

        module: Any = getattr(swin_transformer, name)
        return module(channels, list(each(window, 2)), list(each(shift, 2)), heads)

    return make


def relative_attention(channels: int, heads: int, size: Any) -> nn.Module:
    """Torchvision's attention of MaxViT, which knows squares only; its tables are replaced for others."""
    load_torchvision()
    from torchvision.models import maxvit

    p, q = each(size, 2)
    module = maxvit.RelativePositionalMultiHeadAttention(channels, channels // heads, p * q)
    if p != q:
        module.relative_position_bias_table = nn.Parameter(torch.rand((2 * p - 1) * (2 * q - 1), heads))
        module.relative_position_index = maxvit._get_relative_position_index(p, q)
    return module


class Recurrent(nn.Module):
    """A recurrent layer step by step, from the equations in torch's documentation."""

    def __init__(
        self,
        kind: type[nn.RNNBase],
        *args: Any,
        bias: bool | str = True,
        output: str = "sequence",
        **kwargs: Any,
    ) -> None:
        super().__init__()
        inner = kind(*args, bias=bool(bias), **kwargs)
        for name, parameter in inner.named_parameters():
            if bias != "single" or not name.startswith("bias_hh"):
                self.register_parameter(name, parameter)
        self.kind, self.layers, self.output = inner.mode, inner.num_layers, output
        self.ways = ("", "_reverse") if inner.bidirectional else ("",)

    def forward(self, x: Tensor, initial: Tensor | None = None) -> Tensor:
        if x.dim() > 3:
            given = [] if initial is None else [initial.unbind(1)]
            return torch.stack([self(*row) for row in zip(x.unbind(1), *given, strict=True)], 1)
        self.starts = {}
        if initial is not None:  # a row of each layer, whose directions stand side by side
            places = [f"l{layer}{way}" for layer in range(self.layers) for way in self.ways]
            states = initial.flatten(1).chunk(2 if self.kind == "LSTM" else 1, 1)
            self.starts = dict(
                zip(places, zip(*(one.chunk(len(places), 1) for one in states), strict=True), strict=True)
            )
        ends, cells = [], []
        for layer in range(self.layers):
            given = []
            for way in self.ways:
                steps = list(x.unbind(1))
                found = self.run(steps[::-1] if way else steps, f"l{layer}{way}")
                ends.append(found[-1])
                cells.append(self.cell)
                given.append(torch.stack(found[::-1] if way else found, 1))
            x = torch.cat(given, 2)
        if self.output == "both":  # a row of each layer, whose directions stand side by side
            ways, rows = len(self.ways), [ends, cells] if self.kind == "LSTM" else [ends]
            found = [torch.cat(one[i : i + ways], 1) for one in rows for i in range(0, len(one), ways)]
            return torch.cat((x, torch.stack(found, 1)), 1)
        return x if self.output == "sequence" else torch.stack(ends, 1)

    def run(self, steps: list[Tensor], place: str) -> list[Tensor]:
        own = dict(self.named_parameters())

        def product(which: str, of: Tensor) -> Tensor:
            return F.linear(of, own[f"weight_{which}_{place}"], own.get(f"bias_{which}_{place}"))

        recurrent = own[f"weight_hh_{place}"]
        hidden = steps[0].new_zeros(len(steps[0]), recurrent.shape[1])
        cell = steps[0].new_zeros(len(steps[0]), recurrent.shape[0] // 4)
        if place in self.starts:
            hidden, cell, *_ = (*self.starts[place], cell)
        found = []
        for x in steps:
            read, held = product("ih", x), product("hh", hidden)
            if self.kind == "LSTM":
                i, f, g, o = (read + held).chunk(4, 1)
                cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
                hidden = o.sigmoid() * cell.tanh()
                if f"weight_hr_{place}" in own:
                    hidden = product("hr", hidden)
            elif self.kind == "GRU":
                (r, z, n), (hr, hz, hn) = read.chunk(3, 1), held.chunk(3, 1)
                update = (z + hz).sigmoid()
                hidden = (1 - update) * (n + (r + hr).sigmoid() * hn).tanh() + update * hidden
            else:
                hidden = (read + held).tanh() if self.kind == "RNN_TANH" else (read + held).relu()
            found.append(hidden)
        self.cell = cell
        return found


def tokens(x: Tensor) -> Tensor:
    """The positions of each map, row by row, each with its channels."""
    return torch.stack([x[:, :, i] for i in range(x.shape[2])], 1) if x.dim() == 3 else tokens(x.flatten(2))


def patches(size: int) -> Callable[[Tensor], Tensor]:
    """What each square holds, column by column; the last ones may reach into zeros."""

    def merge(x: Tensor) -> Tensor:
        samples, height, width, channels = x.shape
        out = x.new_zeros(samples, -(-height // size), -(-width // size), size * size * channels)
        for row in range(height):
            for column in range(width):
                start = ((column % size) * size + row % size) * channels
                out[:, row // size, column // size, start : start + channels] = x[:, row, column]
        return out

    return merge


def partition(size: Any) -> Callable[[Tensor], Tensor]:
    """The windows of a map, one after the other; by ``F.unfold``."""
    p, q = each(size, 2)

    def cut(x: Tensor) -> Tensor:
        columns = F.unfold(x, (p, q), stride=(p, q))  # N, C*p*q, windows
        return columns.unflatten(1, (x.shape[1], p * q)).permute(0, 3, 2, 1)

    return cut


def reverse(size: Any, sides: Any) -> Callable[[Tensor], Tensor]:
    """The map of the windows; by ``F.fold``."""
    size = each(size, 2)
    return lambda x: F.fold(x.permute(0, 3, 2, 1).flatten(1, 2), each(sides, 2), size, stride=size)


def relative_buckets(
    length: int, buckets: int, distance: int, causal: bool = False
) -> Callable[[Tensor], Tensor]:
    """Raffel et al. 2020, section 2.1, a pair at a time; the ranges by their bounds and not by logarithms."""
    each = buckets if causal else buckets // 2
    near = each // 2
    # the first distance of each range
    starts = [near * (distance / near) ** (k / (each - near)) for k in range(1, each - near)]

    def row(query: int, key: int) -> int:
        after = key > query
        away = (0 if after else query - key) if causal else abs(query - key)
        found = away if away < near else near + sum(away >= start - 1e-9 for start in starts)
        return found + (each if after and not causal else 0)

    pairs = [[row(query, key) for key in range(length)] for query in range(length)]
    return lambda x: torch.stack([torch.stack([x[:, row] for row in rows], 1) for rows in pairs], 1)


def relative_positions(
    size: Any, queries: Any, stride: Any, by: str, class_token: bool = False
) -> Callable[[Tensor], Tensor]:
    """The row of each pair, one pair after the other, by the position of its offset in a table of offsets.

    What the class token is part of stands behind those: as the query, as the key, and as both.
    """
    if by == "distance":
        offsets = list(product(*(range(n) for n in size)))
    else:
        offsets = list(product(*(range(1 - n, n) for n in size)))
    rows, last = [], len(offsets)
    if class_token:
        rows += [last + 2, *[last] * prod(size)]
    for query in product(*(range(0, n * s, s) for n, s in zip(queries, stride, strict=True))):
        rows += [last + 1] if class_token else []
        for key in product(*map(range, size)):
            apart = tuple(
                {"query - key": q - k, "key - query": k - q, "distance": abs(q - k)}[by]
                for q, k in zip(query, key, strict=True)
            )
            rows.append(offsets.index(apart))
    pairs = class_token + prod(queries), class_token + prod(size)
    return lambda x: torch.stack([x[:, row] for row in rows], 1).unflatten(1, pairs)


class SinusoidalPositions(nn.Module):
    """One number after the other, in Python."""

    def __init__(
        self,
        sizes: Any,
        channels_last: bool = False,
        base: float = 10000.0,
        normalized: bool = False,
        once: bool = False,  # by itself it is repeated for each sample
    ) -> None:
        super().__init__()
        channels, spatial = (sizes[-1], sizes[:-1]) if channels_last else (sizes[0], sizes[1:])
        part = channels // len(spatial)
        table = torch.zeros(*spatial, channels)
        for place in product(*map(range, spatial)):
            for channel in range(channels):
                axis, i = divmod(channel, part)
                at = 2 * pi * (place[axis] + 1) / (spatial[axis] + 1e-6) if normalized else place[axis]
                angle = at / base ** (i // 2 * 2 / part)
                table[(*place, channel)] = cos(angle) if i % 2 else sin(angle)
        self.register_buffer("table", table if channels_last else table.movedim(-1, 0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.table] * len(x))


def slopes(heads: int) -> list[float]:
    """Of ALiBi: a geometric series for a power of two, else that of the next smaller and of the next."""
    power = max(2**i for i in range(heads.bit_length()) if 2**i <= heads)
    if power < heads:
        return slopes(power) + slopes(2 * power)[::2][: heads - power]
    return [2 ** (-8 * i / heads) for i in range(1, heads + 1)]


class LinearBiases(nn.Module):
    """Head by head."""

    def __init__(self, heads: int, length: int) -> None:
        super().__init__()
        table = torch.tensor([[[slope * key for key in range(length)]] for slope in slopes(heads)])
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.table] * len(x))


class WindowMask(nn.Module):
    """Pair by pair: along each axis both came in over the border, or neither did."""

    def __init__(self, size: Any, sides: Any, shift: Any, value: float = -100.0) -> None:
        super().__init__()
        size, sides, shift = each(size, 2), each(sides, 2), each(shift, 2)
        windows = product(*(range(0, n, f) for n, f in zip(sides, size, strict=True)))
        table = torch.tensor([[self.rows(first, size, sides, shift, value)] for first in windows])
        self.register_buffer("table", table, persistent=False)

    @staticmethod
    def rows(first: Any, size: Any, sides: Any, shift: Any, value: float) -> list[list[float]]:
        came = [
            [f + i + s >= n for f, i, s, n in zip(first, at, shift, sides, strict=True)]
            for at in product(*map(range, size))
        ]
        return [[0.0 if a == b else value for b in came] for a in came]

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.table] * len(x))


class RelativeCoordinates(nn.Module):
    """Number by number, in Python."""

    def __init__(self, size: Any, of: Any = None, once: bool = False) -> None:
        super().__init__()

        def away(r: int, axis: int) -> float:
            far = log(1 + abs(r)) if of is None else log2(1 + 8 * abs(r) / (of[axis] - 1)) / 3
            return far if r > 0 else -far

        rows = product(*(range(1 - n, n) for n in size))
        table = torch.tensor([[away(r, axis) for axis, r in enumerate(row)] for row in rows])
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.table] * len(x))


def sinusoids(
    width: int, base: float = 10000.0, shift: float = 0.0, cos_first: bool = False, ids: bool = True
) -> Callable[[Tensor], Tensor]:
    """One number after the other, in Python."""

    def of(t: float) -> list[float]:
        half = width // 2
        angles = [t * base ** (-i / (half - shift)) for i in range(half)]
        sines, cosines = [sin(a) for a in angles], [cos(a) for a in angles]
        return cosines + sines if cos_first else sines + cosines

    def numbers(x: Tensor) -> Tensor:
        made = x.new_tensor([of(float(t)) for t in x.flatten()], dtype=torch.float64)
        return made.view(*(x.shape if ids else x.shape[:-1]), width)

    return numbers


#: What ``archlens.*`` stands for; those whose name ends in their number of axes take it first.
OWN: dict[str, Callable[..., Any]] = {
    "PaddedConv": conv,
    "CroppedConvTranspose": conv_transpose,
    "PaddedMaxPool": lambda *args, padding, **kwargs: pool(
        "max", len(padding), *args, padding=padding, **kwargs
    ),
    "PaddedAvgPool": lambda *args, padding, **kwargs: pool(
        "avg", len(padding), *args, padding=padding, **kwargs
    ),
    "BatchNorm": BatchNorm,
    "FrozenBatchNorm": FrozenBatchNorm,
    "Standardization": Standardization,
    "ChannelNorm": ChannelNorm,
    "Subsample": Subsample,
    "ConvMap": ConvMap,
    "RBF": RBF,
    "LinearAlong": LinearAlong,
    "LinearTurned": LinearTurned,
    "WeightNormConv": weight_norm,
    "PaddedWeightNormConv": weight_norm,
    "FrameConv": by_frame,
    "PaddedFrameConv": by_frame,
    "StandardizedConv": standardized,
    "PaddedStandardizedConv": standardized,
    "grid_sample": lambda: lambda x, grid: F.grid_sample(x, grid.permute(0, 2, 3, 1), align_corners=False),
    "RelativePositions": relative_positions,
    "RelativeBuckets": relative_buckets,
    "GlobalResponseNorm": GlobalResponseNorm,
    "matmul_transposed": lambda: (
        lambda x, y: torch.stack([a @ b.transpose(-2, -1) for a, b in zip(x, y, strict=True)])
    ),
    "normalize": lambda dim, eps=1e-12: lambda x: x / x.pow(2).sum(dim, keepdim=True).sqrt().clamp(min=eps),
    "rearrange": lambda split, order, shape: (
        lambda x: torch.stack(
            [one.reshape(split).permute([i - 1 for i in order[1:]]).flatten().view(shape) for one in x]
        )
    ),
    "crop": crop,
    "take": part,
    "pad_sides": framed,
    "max_unpool": unpool,
    "StochasticDepth": StochasticDepth,
    "PositionEmbedding": PositionEmbedding,
    "SelfAttention": SelfAttention,
    "MultiheadSelfAttention": MultiheadSelfAttention,
    "rotary": rotary,
    "grid_rotary": grid_rotary,
    "BlurPool": Blur,
    "sinusoids": sinusoids,
    "SinusoidalPositions": SinusoidalPositions,
    "LinearBiases": LinearBiases,
    "WindowMask": WindowMask,
    "RelativeCoordinates": RelativeCoordinates,
    "attention": attention,
    "scored_attention": attention,
    "WindowAttention": window_attention("ShiftedWindowAttention"),
    "WindowAttentionV2": window_attention("ShiftedWindowAttentionV2"),
    "RelativeAttention": relative_attention,
    **{
        kind.__name__: lambda *args, kind=kind, **kwargs: Recurrent(kind, *args, **kwargs)
        for kind in (nn.LSTM, nn.GRU, nn.RNN)
    },
    "tokens": lambda: tokens,
    "channels_last_tokens": lambda: lambda x: tokens(x.movedim(-1, 1)),
    "merge_patches": patches,
    "window_partition": partition,
    "window_reverse": reverse,
}
