"""Random networks, as archlens reads their spec and as torch runs their layers: the same, or both refuse.

Each step is drawn as its text and, beside it, as the same in torch; what archlens says is no part of that. It
goes through torch at once, so that the next step is drawn for what came out, and mostly fits.

``python -m tests.random_networks 3000 7`` draws so many with that seed, holds what is built of them against
torch, too, and writes them as specs again; ``tests/test_random_networks.py`` draws a few.
"""

from __future__ import annotations

import operator
import re
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, reduce
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.elaboration import elaborate
from archlens.library import open_spec, read
from archlens.ops import Call

from .conftest import load_torchvision
from .constructs import SIGNS, constructs_in
from .torch_reference import each, flat, run, runnable, standardized
from .torch_reference import relative_positions as rows_of_offsets

Draw = Callable[[st.SearchStrategy[Any]], Any]


class Step(NamedTuple):
    """An op with its arguments: as a spec writes it, and what makes its module in torch."""

    text: str
    make: Callable[[], nn.Module]


def step(kind: str, make: Callable[[], nn.Module], *args: Any, **kwargs: Any) -> Step:
    """Python writes numbers, tuples, texts and truth as a spec does."""
    words = [repr(arg) for arg in args] + [f"{name}={value!r}" for name, value in kwargs.items()]
    return Step(f"{kind}({', '.join(words)})" if words else kind, make)


class Around(nn.Module):
    """A module, with something done to what goes in and to what comes out."""

    def __init__(self, before: Any, inner: nn.Module, after: Any) -> None:
        super().__init__()
        self.before, self.inner, self.after = before, inner, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.inner(self.before(x)))


class ByFrame(nn.Module):
    """A module, called once for each frame of N, C, frames, *spatial, with something done to it first."""

    def __init__(self, before: Any, inner: nn.Module) -> None:
        super().__init__()
        self.before, self.inner = before, inner

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.inner(self.before(frame)) for frame in x.unbind(2)], 2)


def unchanged(x: Tensor) -> Tensor:
    return x


# --- drawing the parts -----------------------------------------------------------------------------


def one_of(draw: Draw, *values: Any) -> Any:
    return draw(st.sampled_from(values))


def number(draw: Draw, least: int, most: int) -> int:
    return int(draw(st.integers(least, most)))


def seldom(draw: Draw) -> bool:
    return number(draw, 0, 19) == 13  # the ends of a range are drawn more often


def size(draw: Draw, axes: int, least: int, most: int) -> Any:
    """A number for all axes, or one for each."""
    if number(draw, 0, 2):
        return number(draw, least, most)
    return tuple(number(draw, least, most) for _ in range(axes))


def groups_for(draw: Draw, *channels: int) -> int:
    """Groups that divide all the channels; seldom, any."""
    if seldom(draw):
        return number(draw, 1, 7)
    return int(one_of(draw, *(g for g in range(1, min(channels) + 1) if not any(c % g for c in channels))))


class Padded(NamedTuple):
    """One way to pad: as the spec says it, and what torch does for it."""

    spec: Any
    own: Any = 0  #: what torch's module is given
    before: Callable[[Tensor], Tensor] = unchanged  #: what is done to the input first
    after: Callable[[Tensor], Tensor] = unchanged
    stride: Any = 1  #: what torch's module is given


def padded(draw: Draw, axes: int, kernel: Any, stride: Any, dilation: Any, most: int, fill: float) -> Padded:
    """A number, a pair per axis, ``"same"`` or ``"valid"``."""
    way = one_of(draw, "number", "number", "number", "pairs", "same", "valid")
    if way == "number":
        padding = size(draw, axes, 0, most)
        return Padded(padding, padding, stride=stride)
    if way == "valid":
        return Padded(way, stride=stride)
    if way == "pairs":
        pairs = tuple((number(draw, 0, most), number(draw, 0, most)) for _ in range(axes))
        return Padded(pairs, before=lambda x: F.pad(x, flat(pairs), value=fill), stride=stride)
    # "same" leaves ceil(n/s) of the n positions; of what is missing for their windows the odd one comes after
    kernels, strides, dilations = (each(one, axes) for one in (kernel, stride, dilation))

    def framed(x: Tensor) -> Tensor:
        missing = [
            max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n)
            for n, k, s, d in zip(x.shape[2:], kernels, strides, dilations, strict=True)
        ]
        return F.pad(x, flat(tuple((n // 2, n - n // 2) for n in missing)), value=fill)

    return Padded(way, before=framed, stride=stride)


# --- drawing steps: each for a tensor of N, C, *spatial ----------------------------------------------


def conv(draw: Draw, x: Tensor) -> Step:
    axes, depth = x.dim() - 2, x.shape[1]
    channels = one_of(draw, 1, 2, 3, 4, 6, 8, depth, depth)
    kernel, stride, dilation = size(draw, axes, 1, 4), size(draw, axes, 1, 3), size(draw, axes, 1, 2)
    padding = padded(draw, axes, kernel, stride, dilation, 3, 0.0)
    groups, bias = groups_for(draw, depth, channels), draw(st.booleans())
    module = getattr(nn, f"Conv{axes}d")
    return step(
        "conv",
        lambda: Around(
            padding.before,
            module(depth, channels, kernel, padding.stride, padding.own, dilation, groups, bias),
            padding.after,
        ),
        channels, kernel, stride, padding.spec, dilation=dilation, groups=groups, bias=bias,
    )  # fmt: skip


def ws_conv(draw: Draw, x: Tensor) -> Step:
    axes, width = x.dim() - 2, x.shape[1]
    channels, kernel, stride = number(draw, 1, 6), number(draw, 2, 3), number(draw, 1, 2)
    padding, groups, bias = number(draw, 0, 1), groups_for(draw, width), draw(st.booleans())
    if channels % groups and not seldom(draw):
        channels *= groups
    return step(
        "ws_conv",
        lambda: standardized(
            axes, width, channels, kernel, stride, padding=padding, groups=groups, bias=bias
        ),
        channels, kernel, stride, padding, groups=groups, bias=bias,
    )  # fmt: skip


def of_each(draw: Draw, x: Tensor) -> Step:
    """A function of each value."""
    kind = one_of(draw, "abs", "pow", "scale")
    if kind == "abs":
        return step(kind, lambda: torch.abs)
    given = number(draw, 2, 3)
    return step(kind, (lambda: lambda x: x**given) if kind == "pow" else (lambda: lambda x: x * given), given)


def shuffled(draw: Draw, x: Tensor, kind: str = "") -> Step:
    """Pixels that become channels, and channels that become pixels."""
    kind, factor = kind or one_of(draw, "pixel_shuffle", "pixel_unshuffle"), number(draw, 1, 2)
    fits = x.dim() == 4 and not (x.shape[1] % factor**2 if kind == "pixel_shuffle" else max(
        n % factor for n in x.shape[2:]
    ))  # fmt: skip
    if not fits and not seldom(draw):
        return of_each(draw, x)
    module = nn.PixelShuffle if kind == "pixel_shuffle" else nn.PixelUnshuffle
    return step(kind, lambda: module(factor), factor)


def unfolded(draw: Draw, x: Tensor) -> Step:
    """Windows of a map, each as a row of channels."""
    if x.dim() != 4:
        return of_each(draw, x)
    kernel, stride, dilation = size(draw, 2, 1, 3), size(draw, 2, 1, 2), size(draw, 2, 1, 2)
    padding = size(draw, 2, 0, 1)
    return step(
        "unfold", lambda: nn.Unfold(kernel, dilation, padding, stride), kernel, stride, padding, dilation
    )


def folded(draw: Draw, x: Tensor) -> Step:
    """Windows in a row as a map, of which the row is as long as it must be; seldom, another."""
    if x.dim() != 3:
        return unfolded(draw, x)
    depth, count = x.shape[1:]
    windows = [(a, b) for a in range(1, 4) for b in range(1, 4) if seldom(draw) or depth % (a * b) == 0]
    rows = one_of(draw, *[n for n in range(1, count + 1) if count % n == 0])
    kernel, stride, dilation = one_of(draw, *windows), size(draw, 2, 1, 2), size(draw, 2, 1, 2)
    sides = [
        (n - 1) * s + d * (k - 1) + 1
        for n, k, s, d in zip((rows, count // rows), kernel, each(stride, 2), each(dilation, 2), strict=True)
    ]
    padding = size(draw, 2, 0, (min(sides) - 1) // 2 and 1)
    most = [n - 2 * p + s - 1 for n, p, s in zip(sides, each(padding, 2), each(stride, 2), strict=True)]
    sides = [number(draw, n - s + 1, n) for n, s in zip(most, each(stride, 2), strict=True)]
    if seldom(draw):
        sides[0] += 2
    return step(
        "fold",
        lambda: nn.Fold(tuple(sides), kernel, dilation, padding, stride),
        tuple(sides), kernel, stride, padding, dilation,
    )  # fmt: skip


def frame_conv(draw: Draw, x: Tensor) -> Step:
    """A convolution of each frame, of which the first axis counts them."""
    axes, depth = x.dim() - 3, x.shape[1]
    if not axes:
        return conv(draw, x)
    channels = one_of(draw, 1, 2, 4, depth)
    kernel, stride, dilation = size(draw, axes, 1, 3), size(draw, axes, 1, 2), size(draw, axes, 1, 2)
    padding = padded(draw, axes, kernel, stride, dilation, 2, 0.0)
    groups, bias = groups_for(draw, depth, channels), draw(st.booleans())
    module = getattr(nn, f"Conv{axes}d")
    return step(
        "frame_conv",
        lambda: ByFrame(
            padding.before,
            module(depth, channels, kernel, padding.stride, padding.own, dilation, groups, bias),
        ),
        channels, kernel, stride, padding.spec, dilation=dilation, groups=groups, bias=bias,
    )  # fmt: skip


def conv_transpose(draw: Draw, x: Tensor) -> Step:
    axes, depth = x.dim() - 2, x.shape[1]
    channels = one_of(draw, 1, 2, 4, 6, depth)
    kernel, stride, dilation = size(draw, axes, 1, 4), size(draw, axes, 1, 3), size(draw, axes, 1, 2)
    padding, spare = size(draw, axes, 0, 2), size(draw, axes, 0, 1)
    groups, bias = groups_for(draw, depth, channels), draw(st.booleans())
    module = getattr(nn, f"ConvTranspose{axes}d")
    return step(
        "conv_transpose",
        lambda: module(depth, channels, kernel, stride, padding, spare, groups, bias, dilation),
        channels, kernel, stride, padding, spare, groups, bias, dilation,
    )  # fmt: skip


def max_pool(draw: Draw, x: Tensor) -> Step:
    axes = x.dim() - 2
    least = number(draw, 1, 4)
    kernel, stride, dilation = size(draw, axes, least, 4), size(draw, axes, 1, 3), size(draw, axes, 1, 2)
    padding = padded(draw, axes, kernel, stride, dilation, least // 2, -torch.inf)
    if isinstance(padding.spec, int) and seldom(draw):
        padding = padding._replace(spec=padding.spec + 1, own=padding.spec + 1)
    ceil = padding.before is unchanged and draw(st.booleans())
    module = getattr(nn, f"MaxPool{axes}d")
    return step(
        "max_pool",
        lambda: Around(
            padding.before,
            module(kernel, padding.stride, padding.own, dilation, ceil_mode=ceil),
            padding.after,
        ),
        kernel, stride, padding.spec, dilation, ceil_mode=ceil,
    )  # fmt: skip


def avg_pool(draw: Draw, x: Tensor) -> Step:
    axes = x.dim() - 2
    least = number(draw, 1, 4)
    kernel, stride = size(draw, axes, least, 4), size(draw, axes, 1, 3)
    padding = padded(draw, axes, kernel, stride, 1, least // 2, 0.0)
    ceil = padding.before is unchanged and draw(st.booleans())
    counted = draw(st.booleans())
    pool = getattr(nn, f"AvgPool{axes}d")(kernel, padding.stride, padding.own, ceil, counted)

    def average(x: Tensor) -> Tensor:
        y = pool(padding.before(x))
        return y if counted or padding.before is unchanged else y / pool(padding.before(torch.ones_like(x)))

    return step(
        "avg_pool",
        lambda: average,
        kernel, stride, padding.spec, ceil_mode=ceil, count_include_pad=counted,
    )  # fmt: skip


def pool_by_kernel(draw: Draw, x: Tensor) -> Step:
    axes, name = x.dim() - 2, one_of(draw, "max", "avg")
    kernel = size(draw, axes, 1, 3)
    module = getattr(nn, f"{name.title()}Pool{axes}d")
    return step(f"{name}_pool", lambda: module(kernel), kernel)


def adaptive_pool(draw: Draw, x: Tensor, name: str = "") -> Step:
    axes, name = x.dim() - 2, name or one_of(draw, "max", "avg")
    out = size(draw, axes, 1, 7)
    module = getattr(nn, f"Adaptive{name.title()}Pool{axes}d")
    return step(f"adaptive_{name}_pool", lambda: module(out), out)


def global_pool(draw: Draw, x: Tensor, name: str = "") -> Step:
    name = name or one_of(draw, "max", "avg")
    module = getattr(nn, f"Adaptive{name.title()}Pool{x.dim() - 2}d")
    return step(f"global_{name}_pool", lambda: module(1))


def upsample(draw: Draw, x: Tensor) -> Step:
    linear = {3: "linear", 4: "bilinear", 5: "trilinear"}[x.dim()]
    mode = one_of(draw, "nearest", linear)
    aligned = mode == linear and draw(st.booleans())
    if draw(st.booleans()):
        scale = one_of(draw, 2, 3, 1.5, 0.5, 0.2)
        return step(
            "upsample",
            lambda: nn.Upsample(None, scale, mode, aligned or None),
            scale, mode=mode, align_corners=aligned,
        )  # fmt: skip
    out = size(draw, x.dim() - 2, 1, 9)
    return step("upsample", lambda: nn.Upsample(out, None, mode), size=out, mode=mode)


def pad(draw: Draw, x: Tensor) -> Step:
    axes = x.dim() - 2
    mode, name = one_of(draw, ("constant", "Zero"), ("reflect", "Reflection"), ("replicate", "Replication"))
    pairs = tuple((number(draw, 0, 3), number(draw, 0, 3)) for _ in range(axes))
    module = getattr(nn, f"{name}Pad{axes}d")
    return step("pad", lambda: module(tuple(flat(pairs))), pairs, mode=mode)


def channel_shuffle(draw: Draw, x: Tensor) -> Step:
    groups = groups_for(draw, x.shape[1])
    return step("channel_shuffle", lambda: nn.ChannelShuffle(groups), groups)


def normalization(draw: Draw, x: Tensor, kind: str = "") -> Step:
    channels, axes = x.shape[1], max(x.dim() - 2, 1)
    kind = kind or one_of(draw, "batch_norm", "batch_norm", "group_norm", "layer_norm", "instance_norm")
    affine = draw(st.booleans())
    if kind == "group_norm":
        groups = groups_for(draw, channels)
        return step(kind, lambda: nn.GroupNorm(groups, channels, affine=affine), groups, affine=affine)
    if kind == "layer_norm":
        return step(
            kind,
            lambda: Around(
                lambda x: x.movedim(1, -1),
                nn.LayerNorm(channels, elementwise_affine=affine),
                lambda x: x.movedim(-1, 1),
            ),
            affine=affine,
        )
    if kind == "instance_norm" and x.dim() > 2:
        module = getattr(nn, f"InstanceNorm{axes}d")
        return step(kind, lambda: module(channels, affine=affine), affine=affine)
    module = getattr(nn, f"BatchNorm{axes}d")
    return step("batch_norm", lambda: module(channels, affine=affine), affine=affine)


def activation(draw: Draw, x: Tensor) -> Step:
    kinds = {"relu": nn.ReLU, "tanh": nn.Tanh, "dropout": nn.Dropout, "prelu": nn.PReLU, "gelu": nn.GELU}
    kind = one_of(draw, *kinds, *(["glu"] if seldom(draw) else []))
    return step(kind, (lambda: nn.GLU(1)) if kind == "glu" else kinds[kind])


def last_activation(draw: Draw, x: Tensor) -> Step:
    kind, make = one_of(draw, ("relu", nn.ReLU), ("gelu", nn.GELU), ("tanh", nn.Tanh))
    return step(kind, make)


def linear(draw: Draw, x: Tensor) -> Step:
    features, bias, width = number(draw, 1, 12), draw(st.booleans()), x.shape[1]
    return step("linear", lambda: nn.Linear(width, features, bias), features, bias=bias)


SPATIAL = (
    conv, conv, conv, conv_transpose, max_pool, max_pool, max_pool, avg_pool, avg_pool, pool_by_kernel,
    adaptive_pool, global_pool, upsample, pad, channel_shuffle, normalization, activation, activation,
    ws_conv, of_each, shuffled, unfolded, folded, frame_conv,
)  # fmt: skip


def keeping(draw: Draw, x: Tensor) -> Step:
    """A step that leaves the shape as it is."""
    axes, channels = x.dim() - 2, x.shape[1]
    kind = one_of(draw, "conv", "conv", "pool", "other")
    if kind == "other":
        return one_of(draw, normalization, activation)(draw, x)
    if kind == "pool":
        module = getattr(nn, f"MaxPool{axes}d")
        return step("max_pool", lambda: module(3, 1, 1), 3, 1, 1)
    module, groups = getattr(nn, f"Conv{axes}d"), groups_for(draw, channels)
    return step(
        "conv", lambda: module(channels, channels, 3, 1, 1, 1, groups), channels, 3, padding=1, groups=groups
    )


# --- drawing steps: each for a tensor of N, *spatial, C ----------------------------------------------


def channels_last(draw: Draw, x: Tensor) -> Step:
    return step("channels_last", lambda: lambda x: torch.movedim(x, 1, -1))


def channels_first(draw: Draw, x: Tensor) -> Step:
    return step("channels_first", lambda: lambda x: torch.movedim(x, -1, 1))


def tokens(draw: Draw, x: Tensor) -> Step:
    return step("tokens", lambda: lambda x: x.flatten(2).mT)


def last_linear(draw: Draw, x: Tensor) -> Step:
    features, bias, width = number(draw, 1, 12), draw(st.booleans()), x.shape[-1]
    return step("linear", lambda: nn.Linear(width, features, bias), features, bias=bias)


def last_norm(draw: Draw, x: Tensor) -> Step:
    over = one_of(draw, "channels", "channels", "all")
    width = x.shape[-1:] if over == "channels" else x.shape[1:]
    return step("layer_norm", lambda: nn.LayerNorm(width), over=over)


def self_attention(draw: Draw, x: Tensor) -> Step:
    heads, width = groups_for(draw, x.shape[-1]), x.shape[-1]
    call = Call("archlens.SelfAttention", channels=width, heads=heads)
    if draw(st.booleans()):
        return step("self_attention", lambda: runnable(call), heads)
    out, causal, shared = number(draw, 1, 9), draw(st.booleans()), groups_for(draw, heads)
    return step(
        "self_attention",
        lambda: Projected(width, heads, out, causal, shared),
        heads, out=out, causal=causal, kv_heads=shared,
    )  # fmt: skip


class Projected(nn.Module):
    """Attention between linear layers, with torch's names."""

    def __init__(self, width: int, heads: int, out: int, causal: bool, shared: int) -> None:
        super().__init__()
        if width % heads or heads % shared:
            raise ValueError("heads do not divide")
        self.sizes = [width, *[width // heads * shared] * 2]
        self.in_proj_weight = nn.Parameter(torch.rand(sum(self.sizes), width))
        self.in_proj_bias = nn.Parameter(torch.rand(sum(self.sizes)))
        self.out_proj = nn.Linear(width, out)
        self.core = Core(heads, shared, causal, None)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = F.linear(x, self.in_proj_weight, self.in_proj_bias).split(self.sizes, -1)
        return self.out_proj(self.core(q, k, v))


class Core:
    """The products of attention, with masks that are written out."""

    def __init__(
        self,
        heads: int,
        shared: int,
        causal: bool,
        window: int | None,
        scale: float | None = None,
        sunk: bool = False,
    ) -> None:
        self.heads, self.shared, self.causal, self.window = heads, shared, causal, window
        self.scale, self.sunk = scale, sunk

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, *more: Tensor) -> Tensor:
        bias = next(iter(more[: len(more) - self.sunk]), None)
        if self.heads % self.shared or q.shape[-1] // self.heads != k.shape[-1] // self.shared:
            raise ValueError("heads do not fit")
        if q.shape[:-2] != k.shape[:-2] or ((self.causal or self.window) and q.shape[-2] != k.shape[-2]):
            raise ValueError("which are before?")
        q, k, v = (
            x.unflatten(-1, (n, -1)).transpose(-3, -2)
            for x, n in ((q, self.heads), (k, self.shared), (v, self.shared))
        )
        k, v = (x.repeat_interleave(self.heads // self.shared, -3) for x in (k, v))
        scores = q @ k.mT * (q.shape[-1] ** -0.5 if self.scale is None else self.scale)
        if bias is not None:  # as many axes, behind that of the batch
            own = bias.shape[1:]
            bias = bias.reshape(len(bias), *[1] * (scores.dim() - 1 - len(own)), *own)
            if torch.broadcast_shapes(bias.shape, scores.shape) != scores.shape:
                raise ValueError("a bias of other sizes")
            scores = scores + bias
        row, column = (torch.arange(n, device=q.device) for n in scores.shape[-2:])
        apart = row[:, None] - column
        if self.causal:
            scores = scores.masked_fill(apart < 0, -torch.inf)
        if self.window:
            scores = scores.masked_fill(apart.abs() >= self.window, -torch.inf)
        count = scores.shape[-1]
        if self.sunk:  # one key more for each head, with a value of zero
            if more[-1].shape[1:] != (self.heads,):
                raise ValueError("sinks for other heads")
            column = more[-1].reshape(len(scores), *[1] * (scores.dim() - 4), self.heads, 1, 1)
            scores = torch.cat([scores, column.expand(*scores.shape[:-1], 1)], -1)
        return (scores.softmax(-1)[..., :count] @ v).transpose(-3, -2).flatten(-2)


def class_token(draw: Draw, x: Tensor) -> Step:
    call = Call("archlens.prepend", parameter=Call("torch.zeros", 1, 1, x.shape[-1]))
    return step("class_token", lambda: runnable(call))


class Positions(nn.Module):
    """A row for each position, and perhaps more."""

    def __init__(self, rows: int, width: int, first: int) -> None:
        super().__init__()
        self.weight, self.first = nn.Parameter(torch.rand(rows, width)), first

    def forward(self, x: Tensor) -> Tensor:
        rows = self.weight[self.first :]
        if len(rows) < x.shape[-2]:
            raise ValueError("too few rows")
        return x + rows[: x.shape[-2]]


def position_embedding(draw: Draw, x: Tensor) -> Step:
    first = number(draw, 0, 2)
    rows = x.shape[-2] + first + number(draw, -1 if seldom(draw) else 0, 3)
    return step("position_embedding", lambda: Positions(rows, x.shape[-1], first), rows, first=first)


def recurrent(draw: Draw, x: Tensor, kind: str = "") -> Step:
    kind = kind or one_of(draw, "lstm", "gru", "rnn")
    features, layers = number(draw, 2, 5), number(draw, 1, 2)
    both, bias = draw(st.booleans()), draw(st.booleans())
    output = one_of(draw, "sequence", "sequence", "state")
    said = {"layers": layers, "bidirectional": both, "bias": bias, "output": output}
    given: dict[str, Any] = {"num_layers": layers, "bidirectional": both, "bias": bias}
    if kind == "lstm" and draw(st.booleans()):
        given["proj_size"] = said["projection"] = number(draw, 1, features - (not seldom(draw)))
    if kind == "rnn" and draw(st.booleans()):
        given["nonlinearity"] = said["nonlinearity"] = "relu"
    module, width = getattr(nn, kind.upper()), x.shape[-1]
    return step(
        kind,
        lambda: Last(module(width, features, batch_first=True, **given), output),
        features, **said,
    )  # fmt: skip


class Last(nn.Module):
    """What a recurrent layer gives at each step, or ends with."""

    def __init__(self, inner: nn.Module, output: str) -> None:
        super().__init__()
        self.inner, self.output = inner, output

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        given = () if rows is None else (self.states(rows),)
        if x.is_meta and x.dim() == 3:  # torch would take it apart there, and one step has the shapes of all
            steps, state = self.inner(x[:, :1], *given)
            steps = steps.expand(-1, x.shape[1], -1)
        else:
            steps, state = self.inner(x, *given)
        if self.output == "sequence":
            return steps
        return (state[0] if isinstance(state, tuple) else state).transpose(0, 1)

    def states(self, rows: Tensor) -> Any:
        """What torch starts from, of a row for each layer with its directions side by side."""
        count, width = self.inner.num_layers, self.inner.hidden_size
        if rows.shape[1] != count * (1 + isinstance(self.inner, nn.LSTM)):
            raise ValueError("rows for other states")
        given = [
            torch.stack([row[:, way : way + width] for row in part for way in range(0, row.shape[1], width)])
            for part in zip(*[iter(rows.unbind(1))] * count, strict=True)
        ]
        return given[0] if len(given) == 1 else tuple(given)


def rms_norm(draw: Draw, x: Tensor) -> Step:
    affine, width = draw(st.booleans()), x.shape[-1]
    return step("rms_norm", lambda: nn.RMSNorm(width, 1e-6, elementwise_affine=affine), affine=affine)


def turning(head: int, part: int | None = None, near: bool = False) -> Callable[[Tensor], Tensor]:
    """Pairs of channels turned by their positions."""
    turned = head if part is None else part

    def turn(x: Tensor) -> Tensor:
        if turned % 2 or turned > head or x.shape[-1] % head:
            raise ValueError("no pairs")
        heads = x.unflatten(-1, (-1, head))
        pairs = heads[..., :turned].unflatten(-1, (-1, 2) if near else (2, -1))
        a, b = pairs.unbind(-1 if near else -2)
        slower = 10000.0 ** (-2 * torch.arange(turned // 2, device=x.device) / turned)
        angle = torch.arange(x.shape[-2], device=x.device)[:, None, None] * slower
        y = [a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()]
        found = torch.stack(y, -1 if near else -2).flatten(-2)
        return torch.cat([found, heads[..., turned:]], -1).flatten(-2)

    return turn


def rotary(draw: Draw, x: Tensor) -> Step:
    width, near = x.shape[-1], draw(st.booleans())
    head = one_of(draw, *[n for n in range(1, width + 1) if width % n == 0])
    part = one_of(draw, None, 2 * number(draw, 1, max(1, head // 2)))
    said = {} if part is None else {"part": part}
    return step("rotary", lambda: turning(head, part, near), head, interleaved=near, **said)


#: The axes of a tensor with its channels last, and its batch, by their names.
AXES = {
    2: {"channels": 1},
    3: {"length": 1, "channels": 2},
    4: {"height": 1, "width": 2, "channels": 3},
    5: {"depth": 1, "height": 2, "width": 3, "channels": 4},
}


def along(draw: Draw, x: Tensor, what: str = "") -> Step:
    """What works along an axis by its name."""
    name = one_of(draw, *AXES[x.dim()])
    axis = AXES[x.dim()][name]
    what = what or one_of(draw, "softmax", "normalize", "linear", "linear", "slice", "mean", "amax")
    if what == "softmax":
        return step(what, lambda: lambda x: x.softmax(axis), axis=name)
    if what == "normalize":
        return step(what, lambda: lambda x: F.normalize(x, dim=axis), name)
    if what == "slice":
        start, stop, stride = number(draw, -2, 1), one_of(draw, None, -1, 3), number(draw, 1, 2)
        return step(
            what,
            lambda: lambda x: x[(*[slice(None)] * axis, slice(start, stop, stride))],
            start, step=stride, axis=name, **({} if stop is None else {"stop": stop}),
        )  # fmt: skip
    if what == "linear":
        size, features, bias = x.shape[axis], number(draw, 1, 9), draw(st.booleans())

        def turn(x: Tensor) -> Tensor:
            return x.transpose(axis, -1)

        return step(
            what, lambda: Around(turn, nn.Linear(size, features, bias), turn), features, bias=bias, axis=name
        )
    names, kept = [name], name == "channels" or draw(st.booleans())
    if kept and draw(st.booleans()):
        names = list(AXES[x.dim()])[:2]
    axes = [AXES[x.dim()][one] for one in names]
    said = tuple(names) if len(names) > 1 else name
    return step(what, lambda: lambda x: getattr(torch, what)(x, axes, kept), said, keep=kept)


def rearrange(draw: Draw, x: Tensor) -> Step:
    """Axes split, in any order, merged; the channels last."""
    left, sizes, names = [], [], iter("abcdefghijkl")
    for n in x.shape[1:]:
        factor = one_of(draw, 1, *[k for k in range(2, n) if n % k == 0])
        if factor > 1 or seldom(draw):
            a, b = next(names), next(names)
            first = draw(st.booleans())
            left.append((f"({a}={factor} {b})" if first else f"({a} {b}={factor})", [a, b]))
            sizes += [factor, n // factor] if first else [n // factor, factor]
        else:
            a = next(names)
            left.append((a, [a]))
            sizes.append(n)
    parts = [name for _, group in left for name in group]
    order = draw(st.permutations(parts))
    right: list[list[str]] = []
    for name in order:
        if right and number(draw, 0, 2) == 1:
            right[-1].append(name)
        else:
            right.append([name])
    while len(right) > 4:
        right[-2:] = [right[-2] + right[-1]]
    if len(right) < 4 and seldom(draw):
        right.insert(number(draw, 0, len(right)), [])
    size = dict(zip(parts, sizes, strict=True))
    shape = [prod(size[name] for name in group) for group in right]
    dims = [0, *(1 + parts.index(name) for name in order)]
    joined = [" ".join(group) if group else "1" for group in right]
    words = [text if len(group) < 2 else f"({text})" for text, group in zip(joined, right, strict=True)]
    pattern = f"{' '.join(text for text, _ in left)} -> {' '.join(words)}"

    def moved(x: Tensor) -> Tensor:
        return x.reshape(len(x), *sizes).permute(dims).reshape(len(x), *shape)

    return step("rearrange", lambda: moved, pattern)


def window_attention(draw: Draw, x: Tensor, name: str | None = None) -> Step:
    heads, width, window = groups_for(draw, x.shape[-1]), x.shape[-1], number(draw, 2, 7)
    shift, name = number(draw, 0, window - 1), one_of(draw, "", "V2") if name is None else name
    kind = f"window_attention_{name.lower()}" if name else "window_attention"
    call = Call(f"archlens.WindowAttention{name}", channels=width, heads=heads, window=window, shift=shift)
    return step(kind, lambda: runnable(call), heads, window, shift)


def merge_patches(draw: Draw, x: Tensor) -> Step:
    load_torchvision()
    from torchvision.models.swin_transformer import _patch_merging_pad

    return step("merge_patches", lambda: _patch_merging_pad)


#: How many positions there may be where each two are looked up by themselves.
LOOKED_UP = 40


def relative_positions(draw: Draw, x: Tensor) -> Step:
    """The rows of a table for each two positions: of a map, of which it has as many offsets, or of a row."""
    if x.shape[1] > LOOKED_UP:
        return rms_norm(draw, x)
    rows, token = x.shape[1], x.shape[1] > 3 and draw(st.booleans())
    offsets, by = rows - 3 * token, one_of(draw, "query - key", "key - query", "distance")
    if offsets % 2 == 0 or by == "distance":
        by, lengths = "distance", {n: n for n in range(1, offsets + 1)}
    else:
        lengths = {2 * n - 1: n for n in range(1, offsets + 1)}
    high = one_of(draw, *[n for n in lengths if offsets % n == 0 and offsets // n in lengths])
    sizes: tuple[int, ...] = (lengths[high], lengths[offsets // high] + seldom(draw))
    if draw(st.booleans()):
        sizes = (lengths[offsets],)
    stride, queries, said = 1, sizes, {}
    way = number(draw, 0, 2)
    if way == 1:
        stride = said["stride"] = number(draw, 1, 2)
        queries = tuple(-(-n // stride) for n in sizes)
    elif way == 2:
        queries = said["queries"] = tuple(number(draw, 1, n) for n in sizes)
    count = prod(2 * n - 1 for n in sizes) if by != "distance" else prod(sizes)

    def found(x: Tensor) -> Tensor:
        if x.dim() != 3 or x.shape[1] != count + 3 * token:
            raise ValueError("another table")
        return rows_of_offsets(sizes, queries, [stride] * len(sizes), by, token)(x)

    words = sizes[0] if len(sizes) == 1 and draw(st.booleans()) else sizes
    return step("relative_positions", lambda: found, words, by=by, class_token=token, **said)


#: What works on tokens, and what on maps, by the axes of the tensor with its batch.
MIXING = {
    3: (
        *(self_attention, self_attention, self_attention, self_attention, class_token, position_embedding),
        *(recurrent, recurrent, rotary, relative_positions),
    ),
    4: (window_attention, window_attention, window_attention, merge_patches, rotary),
}

#: What works on either.
ANY_LAST = (last_linear, last_norm, rms_norm, along, along, rearrange)


# --- drawing networks ------------------------------------------------------------------------------


class Refused(Exception):
    """torch refuses the layer that was drawn last."""


class Node(NamedTuple):
    """What torch ran: which module, on which tensors, by their numbers."""

    what: str
    make: Callable[[], Any]
    module: Any
    inputs: tuple[int, ...]


class Kept(NamedTuple):
    """A named step that has run: the nodes from one to another, on a tensor that flowed in."""

    path: str
    text: str  # of a single op
    nodes: slice
    entry: int
    end: int
    last: bool  # whether it works on channels that come last


class Scope:
    """The steps of a scope, and what has come out of the last of them."""

    def __init__(self, body: list[Any], end: Tensor) -> None:
        self.body, self.end = body, end


class Parameter(nn.Module):
    """A learned tensor that depends on no input."""

    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.rand(sizes))

    def forward(self, x: Tensor) -> Tensor:
        return self.own.expand(len(x), *self.own.shape)


class Drawn:
    """A spec as it is drawn, and what torch made of it: the shape of each layer, in order."""

    def __init__(self, draw: Draw, about: str = "") -> None:
        self.draw, self.about = draw, about
        self.layers: list[Any] = []
        self.nodes: list[Node] = []
        self.tensors: list[Tensor] = []
        self.refused = ""
        self.kept: list[Kept] = []
        self.path = self.base = ""  # of the scope, and of the file that is drawn
        self.last = False  # whether the channels come last
        self.count = 0  # of names
        self.parts: list[Any] = []  # other files
        self.uses: dict[str, str] = {}
        self.inputs: dict[str, tuple[int, ...]] = {}
        self.below: dict[str, int] = {}  # the ids of an input
        self.blocks: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.variant = ""
        with suppress(Refused):
            self.whole()

    def whole(self) -> None:
        draw, about = self.draw, STRATA.get(self.about)
        words = about.words if about else number(draw, 0, 7) == 3
        x = self.read("a", words, *([about.axes] if about else []))
        other = self.read("b", draw(st.booleans())) if number(draw, 0, 7) == 5 else None
        if other is not None:
            with self.named(x, self.layers) as scope:
                self.last = True
                scope.body.append("ref(input.b)")
                if other.dtype == torch.int64:
                    scope.end = self.looked_up("b", other, scope.body)
                else:
                    scope.end = self.place(channels_last(draw, other), other, scope.body)
            self.last = False
            self.layers.append("ref(input.a)")
        if words:
            x = self.looked_up("a", x, self.layers)
        elif about is None or not about.turn:
            if about is not None:
                x = about.way(self, x, self.layers)
            x = self.chain(x, self.layers, number(draw, 1, 6), SPATIAL, deep=2)
        turn = about.turn if about else None
        if not words and x.dim() > 2 and (turn or number(draw, 0, 3)):
            turn = turn or one_of(draw, tokens, channels_last)
            x = self.place(turn(draw, x), x, self.layers)
            self.last = True
        if words or self.last:
            self.last = True
            if about is not None and (words or about.turn):
                x = about.way(self, x, self.layers)
            x = self.mixed(x, self.layers)
            if not words and x.dim() > 2 and draw(st.booleans()):
                x = self.place(channels_first(draw, x), x, self.layers)
                self.last = False
        if draw(st.booleans()):
            x = self.place(Step("flatten", nn.Flatten), x, self.layers)
            x = self.chain(x, self.layers, number(draw, 1, 3), (linear, linear, activation, normalization))
        self.variant = one_of(draw, "", "", "", "small")
        if self.about == "variants":
            self.variant = "small"
        first: dict[int, int] = {}  # where each parameter is used first
        for place, node in enumerate(self.nodes):
            for weight in node.module.parameters() if isinstance(node.module, nn.Module) else ():
                first.setdefault(id(weight), place)
        owners = {*first.values()}
        weighted = [one.path for one in self.kept if owners.intersection(range(len(self.nodes))[one.nodes])]
        if weighted and (draw(st.booleans()) or self.about == "aliases"):
            self.aliases["second.name"] = one_of(draw, *weighted)
        if draw(st.booleans()) or self.about == "outputs":
            body: list[Any] = []
            self.outputs["head"] = body
            self.place(last_activation(draw, x), x, body)

    def read(self, name: str, words: bool, spaces: tuple[int, ...] = (1, 2, 2, 2, 3)) -> Tensor:
        """An input, with one of these numbers of spatial axes."""
        draw = self.draw
        axes = 1 if words else one_of(draw, *spaces)
        most = {1: 30, 2: 18, 3: 8}[axes]
        least = 1 if seldom(draw) else 5
        sizes = tuple(number(draw, least, most) for _ in range(axes))
        if words:
            self.below[name] = number(draw, 1, 20)
        else:
            sizes = (one_of(draw, 4, 3, 6, 8, 1, 2), *sizes)
        self.inputs[name] = sizes
        x = torch.zeros(2, *sizes, device="meta", dtype=torch.int64 if words else torch.float32)
        self.tensors.append(x)
        return x

    def looked_up(self, name: str, x: Tensor, layers: list[Any]) -> Tensor:
        """Ids as tokens."""
        width, rows = number(self.draw, 1, 8), self.below[name]
        return self.place(step("embedding", lambda: nn.Embedding(rows, width), width), x, layers, kept=True)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(x.shape[1:]) for x in self.tensors[len(self.inputs) :]]

    @property
    def params(self) -> int:
        modules = (node.module for node in self.nodes if isinstance(node.module, nn.Module))
        return sum({id(w): w.numel() for m in modules for w in m.parameters()}.values())

    @property
    def text(self) -> str:
        sizes = {name: "x".join(map(str, shape)) for name, shape in self.inputs.items()}
        sizes |= {name: f"{sizes[name]} of {below}" for name, below in self.below.items()}
        spec = {
            "input": sizes if len(sizes) > 1 else sizes["a"],
            **({"use": self.uses} if self.uses else {}),
            "params": {"one": 2 if self.variant else 1},
            **({"blocks": self.blocks} if self.blocks else {}),
            "layers": self.layers,
            **({"outputs": self.outputs} if self.outputs else {}),
            **({"aliases": self.aliases} if self.aliases else {}),
            **({"variants": {self.variant: {"one": 1}}} if self.variant else {}),
        }
        return yaml.safe_dump(spec, sort_keys=False, width=1000)

    def network(self) -> archlens.Network:
        """As archlens reads it, from a file where it uses others.

        What would work where it does not fit is searched for long, and another question.
        """
        if not self.uses:
            return elaborate(read(self.text), self.variant, advice=False)
        with tempfile.TemporaryDirectory() as folder:
            for number, part in enumerate(self.parts):
                Path(folder, f"part{number}.yaml").write_text(
                    yaml.safe_dump(part, sort_keys=False, width=1000), "utf-8"
                )
            Path(folder, "net.yaml").write_text(self.text, "utf-8")
            return elaborate(open_spec(f"{folder}/net.yaml"), self.variant, advice=False)

    def has(self, about: str) -> bool:
        """Whether a construct stands in the text, or an op has run."""
        if about in SIGNS:
            return about in constructs_in(self.text)
        if about in PARTS:
            return PARTS[about] in self.text
        return any(re.match(rf"{about}\b", node.what) for node in self.nodes)

    # --- names --------------------------------------------------------------------------------------

    def name(self) -> str:
        """A name that nothing has, as it is or with an expression in braces."""
        self.count += 1
        return f"n{self.count}"

    def spelled(self, name: str) -> str:
        """The same name, perhaps with an expression in it."""
        head, _, last = name.rpartition("n")
        if not self.draw(st.booleans()) or not last.isdigit():
            return name
        one = "1" if self.base else "one"
        return f"{head}n{{{one_of(self.draw, f'{int(last) - 1} + {one}', f'max({one}, {last})')}}}"

    def reference(self, path: str, how: str = "ref") -> str:
        if path.startswith("input.") or ("." not in path and self.draw(st.booleans())):
            return f"{how}({path})"
        return f'{how}("{self.spelled(path)}")'

    def number(self, x: Tensor) -> int:
        return next(i for i, one in enumerate(self.tensors) if one is x)

    def full(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    @contextmanager
    def named(self, x: Tensor, layers: list[Any]) -> Iterator[Scope]:
        """A scope with a name, whose steps are drawn meanwhile, and which can be used again after it."""
        name = self.name()
        scope, outer = Scope([], x), self.path
        layers.append({self.spelled(name): scope.body})
        self.path = self.full(name)
        start = len(self.nodes)
        yield scope
        self.keep(self.path, "", start, x, scope.end)
        self.path = outer

    def keep(self, path: str, text: str, start: int, x: Tensor, end: Tensor) -> None:
        if len(self.nodes) > start:
            nodes = slice(start, len(self.nodes))
            self.kept.append(Kept(path, text, nodes, self.number(x), self.number(end), self.last))

    def reachable(self) -> list[Kept]:
        """The named steps of this file."""
        return [one for one in self.kept if one.path.startswith(self.base) and one.last == self.last]

    # --- steps --------------------------------------------------------------------------------------

    def chain(
        self, x: Tensor, layers: list[Any], count: int, kinds: tuple[Any, ...], deep: int = 0
    ) -> Tensor:
        """Some steps one after the other, appended to ``layers``; branches in branches at most ``deep``."""
        for _ in range(count):
            if x.numel() > 20_000:
                return x
            way = number(self.draw, 0, 19)
            if deep and way % 4 == 2:
                x = self.branches(x, layers, deep - 1)
            elif deep and way == 1:
                with self.named(x, layers) as scope:
                    x = scope.end = self.chain(x, scope.body, number(self.draw, 1, 3), kinds, deep - 1)
            elif deep and way == 3:
                x = self.used(x, layers, kinds)
            elif deep and way == 4 and x.dim() > 2:
                x = self.table(x, layers)
            elif deep and way == 8 and x.dim() == 4:
                x = self.sampled(x, layers)
            elif way in (5, 7) and self.reachable():
                x = self.again(x, layers)
            elif way == 9:
                x = self.listed(x, layers, kinds)
            else:
                x = self.place(one_of(self.draw, *kinds)(self.draw, x), x, layers)
        return x

    def table(self, x: Tensor, layers: list[Any]) -> Tensor:
        """A row of widths, each with a convolution under a name with its number."""
        self.count += 1
        name, widths = f"n{self.count}_", [number(self.draw, 1, 6) for _ in range(number(self.draw, 1, 3))]
        layers.append(
            {
                "each": ["i", "width"],
                "in": [[i, width] for i, width in enumerate(widths)],
                "do": [{f"{name}{{i + one}}" if not self.base else f"{name}{{i + 1}}": "conv(width, 1)"}],
            }
        )
        for i, width in enumerate(widths, 1):
            start, before = len(self.nodes), x
            module = getattr(nn, f"Conv{x.dim() - 2}d")
            x = self.layer("conv", lambda m=module, x=x, w=width: m(x.shape[1], w, 1), x)
            self.keep(self.full(f"{name}{i}"), "", start, before, x)
        return x

    def used(self, x: Tensor, layers: list[Any], kinds: tuple[Any, ...], until: bool = False) -> Tensor:
        """Steps that stand in another file, the whole or until one of them."""
        if self.base:
            return self.place(one_of(self.draw, *kinds)(self.draw, x), x, layers)
        part, name = f"p{len(self.uses)}", self.name()
        body: list[Any] = []
        file = {"input": "x".join(map(str, x.shape[1:])), "layers": body}
        self.uses[part] = f"./part{len(self.parts)}.yaml"
        self.parts.append(file)
        outer, self.path = self.path, self.full(name)
        self.base = f"{self.path}."
        start, entry = len(self.nodes), x
        call = {name: part}
        layers.append(call)
        x = self.chain(x, body, number(self.draw, 1, 2), kinds, deep=1)
        if until or self.draw(st.booleans()):  # a step, perhaps in scopes, at which it ends
            x, at = self.stop(x, body, number(self.draw, 0, 2))
            call[name] = f'{part}(until="{at}")'
        self.base, self.path = "", outer
        self.keep(self.full(name), "", start, entry, x)
        return x

    def stop(self, x: Tensor, layers: list[Any], deep: int) -> tuple[Tensor, str]:
        """A step of a file that others stand behind, in scopes that go on behind it, too."""
        if deep:
            with self.named(x, layers) as scope:
                scope.end, until = self.stop(x, scope.body, deep - 1)
            x = scope.end
        else:
            drawn = keeping(self.draw, x) if x.dim() > 2 else activation(self.draw, x)
            x = self.place(drawn, x, layers, kept=True)
            until = self.kept[-1].path[len(self.base) :]
        layers += ["conv(3, 1)", {"never": "relu"}]
        return x, until

    def again(self, x: Tensor, layers: list[Any]) -> Tensor:
        """A named step once more."""
        # of a tensor of fewer axes torch would take its batch for channels
        known = [
            one
            for one in self.reachable()
            if self.fits(one, x) or (seldom(self.draw) and x.dim() >= self.tensors[one.entry].dim())
        ]
        reads = [one for one in known if any(one.entry in node.inputs for node in self.nodes[one.nodes])]
        if not reads:
            return x
        meant = one_of(self.draw, *reads)
        text = self.reference(meant.path[len(self.base) :], "again")
        name = self.name() if self.draw(st.booleans()) else ""
        layers.append({self.spelled(name): text} if name else text)
        new, start = {meant.entry: x}, len(self.nodes)
        for place in range(meant.nodes.start, meant.nodes.stop):
            node = self.nodes[place]
            inputs = [new.get(i, self.tensors[i]) for i in node.inputs]
            y = self.layer(node.what, lambda m=node.module: m, *inputs, first=node.make)
            new[len(self.inputs) + place] = y
        if name:
            self.keep(self.full(name), "", start, x, new[meant.end])
        return new[meant.end]

    def fits(self, one: Kept, x: Tensor) -> bool:
        """Whether what flowed into a step is like a tensor, but perhaps for its sizes."""
        y = self.tensors[one.entry]
        return x.shape == y.shape or (
            x.dim() == y.dim() and x.shape[1] == y.shape[1] and number(self.draw, 0, 2) == 1
        )

    def mixed(self, x: Tensor, layers: list[Any]) -> Tensor:
        """Steps on tensors with their channels last."""
        for _ in range(number(self.draw, 1, 4)):
            if x.dim() < 3 or x.numel() > 20_000:
                return x
            kinds = (*ANY_LAST, last_activation, *MIXING.get(x.dim(), ()))
            way = number(self.draw, 0, 15)
            if way == 3 or way == 2:
                x = self.attended(x, layers)
            elif way == 4:
                x = self.products(x, layers)
            elif way == 5:
                x = self.joined(x, layers)
            elif way in (6, 7) and self.reachable():
                x = self.again(x, layers)
            elif way in (8, 12):
                x = self.tied(x, layers)
            elif way == 14 and x.dim() == 3:
                x = self.started(x, layers)
            elif way == 13:
                x = self.listed(x, layers, (last_linear, last_linear, last_norm, rms_norm))
            elif way in (9, 10, 11):
                drawn = one_of(self.draw, *kinds)(self.draw, x)
                body: list[Any] = []
                layers.append({"residual": body})
                y = self.place(drawn, x, body)
                if number(self.draw, 0, 3) == 2:
                    layers[-1]["shortcut"] = "none"
                    x = y
                else:
                    x = self.layer("residual", lambda: MERGES["add"], y, x)
            else:
                x = self.place(one_of(self.draw, *kinds)(self.draw, x), x, layers)
        return x

    def attended(self, x: Tensor, layers: list[Any], more: str = "") -> Tensor:
        """Queries, keys and values, of which keys and values may come from elsewhere."""
        draw = self.draw
        heads = number(draw, 1, 4)
        shared = groups_for(draw, heads)
        width, value = number(draw, 1, 4), number(draw, 1, 4)
        causal, window = draw(st.booleans()), one_of(draw, None, None, number(draw, 1, 4))
        bodies: dict[str, Any] = {"q": [], "k": [], "v": []}
        said: dict[str, Any] = {"heads": heads, "kv_heads": shared, "causal": causal}
        scale = one_of(draw, None, None, 0.25)
        said |= {name: one for name, one in (("window", window), ("scale", scale)) if one is not None}
        near = [one for one in self.reachable() if self.tensors[one.end].dim() == x.dim()]
        source = one_of(draw, None, *near[-2:]) if near else None
        ends = []
        with self.named(x, layers) as scope:
            scope.body.append({"attention": {**bodies, **said}})
            path = self.path
            for name, features in (("q", heads * width), ("k", shared * width), ("v", shared * value)):
                self.path, y = f"{path}.{name}", x
                if source is not None and name != "q":
                    bodies[name].append(self.reference(source.path[len(self.base) :]))
                    y = self.tensors[source.end]
                drawn = step("linear", lambda y=y, f=features: nn.Linear(y.shape[-1], f), features)
                y = self.place(drawn, y, bodies[name])
                if name != "v" and number(draw, 0, 2) == 1 and width % 2 == 0:
                    y = self.place(step("rotary", lambda: turning(width), width), y, bodies[name])
                ends.append(y)
            self.path = path
            way = number(draw, 0, 3)
            if (way == 2 or more == "offsets") and max(y.shape[-2] for y in ends) <= LOOKED_UP:
                scope.body[-1]["attention"]["bias"] = bias = []
                ends.append(self.offsets(heads, ends[0].shape[-2], ends[1].shape[-2], x, bias))
            elif way == 1:
                sizes = [heads, ends[0].shape[-2], ends[1].shape[-2]]
                sizes = [n + 1 if seldom(draw) else one_of(draw, n, n, 1) for n in sizes]
                sizes = sizes[number(draw, 0, 1) :]
                scope.body[-1]["attention"]["bias"] = f"parameter({sizes})"
                ends.append(self.layer("parameter", lambda: Parameter(*sizes), x))
            if sunk := (number(draw, 0, 3) == 1 or more == "sinks"):
                count = heads + seldom(draw)
                scope.body[-1]["attention"]["sinks"] = f"parameter([{count}])"
                ends.append(self.layer("parameter", lambda: Parameter(count), x))
            scope.end = self.layer(
                "attention", lambda: Core(heads, shared, causal, window, scale, sunk), *ends
            )
        return scope.end

    def offsets(self, heads: int, queries: int, keys: int, x: Tensor, layers: list[Any]) -> Tensor:
        """A learned number for each head and each offset of a query from a key, as a bias of attention."""
        most, by = max(queries, keys), one_of(self.draw, "query - key", "key - query")
        layers.append(f"parameter([{2 * most - 1}, {heads}])")
        y = self.layer("parameter", lambda: Parameter(2 * most - 1, heads), x)
        layers.append(f'relative_positions({most}, by="{by}", queries={queries})')
        y = self.layer("relative_positions", lambda: rows_of_offsets((most,), (queries,), (1,), by), y)
        if keys < most:
            layers.append(f'slice(0, {keys}, axis="width")')
            y = self.layer("slice", lambda: lambda x: x[:, :, :keys], y)
        layers.append('rearrange("q k h -> h q k")')
        return self.layer("rearrange", lambda: lambda x: x.permute(0, 3, 1, 2), y)

    def listed(self, x: Tensor, layers: list[Any], kinds: tuple[Any, ...]) -> Tensor:
        """Steps under their paths, as those of a list of modules, with others between them."""
        path = self.name()
        for i in range(number(self.draw, 2, 3)):
            drawn = one_of(self.draw, *kinds)(self.draw, x)
            start, entry = len(self.nodes), x
            layers.append({f"{path}.{i}": drawn.text})
            x = self.layer(drawn.text, drawn.make, x)
            self.keep(self.full(f"{path}.{i}"), drawn.text, start, entry, x)
            if self.draw(st.booleans()):
                x = self.place(last_activation(self.draw, x), x, layers)
        return x

    def products(self, x: Tensor, layers: list[Any]) -> Tensor:
        """What each position is to each other, and perhaps a mixture by that."""
        width = number(self.draw, 2, 5)
        with self.named(x, layers) as scope:
            bodies: list[Any] = [[], []]
            scope.body.append({"matmul(transpose=true)": bodies})
            drawn = step("linear", lambda: nn.Linear(x.shape[-1], width), width)
            ends = [self.place(drawn, x, body) for body in bodies]
            y = scope.end = self.layer("matmul", lambda: lambda a, b: a @ b.mT, *ends)
        if self.draw(st.booleans()):
            return y
        other: list[Any] = []
        layers.append({"matmul": [["softmax"], other]})
        weights = self.layer("softmax", lambda: lambda x: x.softmax(-1), y)
        values = self.place(last_linear(self.draw, y), y, other)
        return self.layer("matmul", lambda: torch.matmul, weights, values)

    def joined(self, x: Tensor, layers: list[Any], form: str = "") -> Tensor:
        """Branches merged, of which some are none, and some are learned."""
        draw = self.draw
        form = form or one_of(draw, "concat", "concat", "add", "multiply", "subtract", "maximum")
        axis = one_of(draw, *AXES[x.dim()])
        ways = [one_of(draw, "none", "same", "step", "learned") for _ in range(number(draw, 2, 3))]
        if form in ("subtract", "maximum"):  # of two
            ways = ["step", "same"]
        if ways.count("none") == len(ways):
            ways[0] = "same"
        bodies: list[Any] = ["none" if way == "none" else ["identity"] for way in ways]
        layers.append({f'concat(axis="{axis}")' if form == "concat" else form: bodies})
        ends = []
        for way, body in zip(ways, bodies, strict=True):
            if way == "step":
                body.clear()
                ends.append(self.place(last_activation(draw, x), x, body))
            elif way == "learned":
                shape = list(x.shape[1:])
                body[:] = [f"parameter({shape})"]
                ends.append(self.layer("parameter", lambda s=shape: Parameter(*s), x))
            elif way == "same":
                ends.append(x)
        if len(ends) == 1:
            return ends[0]
        place = AXES[x.dim()][axis]
        return self.layer(
            form, lambda: (lambda *xs: torch.cat(xs, place)) if form == "concat" else MERGES[form], *ends
        )

    def tied(self, x: Tensor, layers: list[Any]) -> Tensor:
        """A linear layer with the weight of another, or of a table of embeddings."""
        owners = [
            (one, node.module)
            for one in self.reachable()
            for node in self.nodes[one.nodes]
            if one.text and isinstance(node.module, nn.Linear | nn.Embedding)
        ]
        fitting = [pair for pair in owners if pair[1].weight.shape[1] == x.shape[-1] or seldom(self.draw)]
        if not fitting:
            if self.draw(st.booleans()):
                return self.place(last_linear(self.draw, x), x, layers, kept=True)
            width = x.shape[-1]
            x = self.place(step("linear", lambda: nn.Linear(width, width), width), x, layers, kept=True)
            fitting = [(self.kept[-1], self.nodes[-1].module)]
        one, owner = one_of(self.draw, *fitting)
        features, bias, width = len(owner.weight), self.draw(st.booleans()), x.shape[-1]
        path = one.path[len(self.base) :]
        layers.append(f'linear({features}, bias={bias}, weight="{path}")')

        def make() -> nn.Module:
            made = nn.Linear(width, features, bias)
            if made.weight.shape != owner.weight.shape:
                raise ValueError("another shape")
            made.weight = owner.weight
            return made

        return self.layer("linear", make, x)

    def started(self, x: Tensor, layers: list[Any]) -> Tensor:
        """A recurrent layer that starts from rows which another step gives."""
        kind, features = one_of(self.draw, "lstm", "gru", "rnn"), number(self.draw, 2, 5)
        depth, both = number(self.draw, 1, 2), self.draw(st.booleans())
        output = one_of(self.draw, "sequence", "state")
        rows, width = depth * (1 + (kind == "lstm")) + seldom(self.draw), features * (1 + both)
        if x.shape[1] < rows:
            return x
        with self.named(x, layers) as scope:
            y = self.place(step("linear", lambda n=x.shape[2]: nn.Linear(n, width), width), x, scope.body)
            part = step("slice", lambda: lambda x: x[:, :rows], stop=rows, axis="length")
            scope.end = self.place(part, y, scope.body)
        path, states = self.kept[-1].path[len(self.base) :], scope.end
        x = self.place(last_linear(self.draw, states), states, layers)
        name = self.name() if self.draw(st.booleans()) else ""
        said = f'layers={depth}, bidirectional={both}, output="{output}"'
        initial = path if "." not in path and self.draw(st.booleans()) else f'"{self.spelled(path)}"'
        text = f"{kind}({features}, {said}, initial={initial})"
        layers.append({self.spelled(name): text} if name else text)
        start, entry, read = len(self.nodes), x, x.shape[2]
        module = getattr(nn, kind.upper())
        x = self.layer(
            kind,
            lambda: Last(
                module(read, features, depth, batch_first=True, bidirectional=both), output
            ),
            x, states,
        )  # fmt: skip
        if name:
            self.keep(self.full(name), "", start, entry, x)
        return x

    def place(self, drawn: Step, x: Tensor, layers: list[Any], kept: bool = False) -> Tensor:
        start = len(self.nodes)
        if kept or number(self.draw, 0, 5) == 3:
            name = self.name()
            layers.append({self.spelled(name): drawn.text})
            y = self.layer(drawn.text, drawn.make, x)
            self.keep(self.full(name), drawn.text, start, x, y)
            return y
        return self.unnamed(drawn, x, layers)

    def unnamed(self, drawn: Step, x: Tensor, layers: list[Any], way: int | None = None) -> Tensor:
        """A step without a name, in one of the ways to write it."""
        text = drawn.text
        if way is None:
            way = number(self.draw, 0, 15)
        if way == 1 and layers and isinstance(layers[-1], str) and " if " not in layers[-1]:
            layers[-1] = f"{layers[-1]} >> {text}"
        elif way == 2:
            layers.append(f"{text} if {'1' if self.base else 'one'} == 1 else conv(3, 1)")
        elif way == 3 and not self.base:
            name = f"block{len(self.blocks)}"
            self.blocks[f"{name}(unused, given={one_of(self.draw, 1, 2)})"] = [text]
            layers.append(f"{name}(3)")
        else:
            layers.append(text)
        y = self.layer(text, drawn.make, x)
        if way == 4 and y.shape == x.shape and "channels" not in text:  # else the second is another module
            layers[-1] = f"{text} * 2"
            y = self.layer(text, drawn.make, y)
        return y

    def layer(
        self, what: str, make: Callable[[], Any], *inputs: Tensor, first: Callable[[], Any] | None = None
    ) -> Tensor:
        """One layer in torch, on the meta device.

        That lets any ``output_padding`` pass, so a transposed convolution also runs for real; and some
        outputs that are empty along one axis, which count as refused here.
        """
        try:
            with torch.device("meta"):
                module = make()
            with torch.no_grad():
                y = (module.eval() if isinstance(module, nn.Module) else module)(*inputs)
                if what.startswith("conv_transpose"):
                    (first or make)()(torch.zeros(inputs[0].shape))
            if not y.numel():
                raise ValueError("an empty output")
        except (RuntimeError, ValueError, IndexError, AssertionError, TypeError):
            self.refused = what
            raise Refused from None
        self.nodes.append(Node(what, make, module, tuple([self.number(x) for x in inputs])))
        self.tensors.append(y[...])  # a tensor of its own, where a module gives back what it was given
        return self.tensors[-1]

    def sampled(self, x: Tensor, layers: list[Any]) -> Tensor:
        """A map at the positions that a layer computes."""
        bodies: list[Any] = [[], []]
        layers.append({"grid_sample": bodies})
        y = self.chain(x, bodies[0], number(self.draw, 0, 1), (keeping,))
        kernel, stride, axes = number(self.draw, 1, 3), number(self.draw, 1, 2), 2 + seldom(self.draw)
        drawn = step("conv", lambda: nn.Conv2d(x.shape[1], axes, kernel, stride), axes, kernel, stride)
        grid = self.place(drawn, x, bodies[1])
        if self.draw(st.booleans()):
            grid = self.place(step("tanh", nn.Tanh), grid, bodies[1])
        return self.layer(
            "grid_sample",
            lambda: lambda x, at: F.grid_sample(x, at.permute(0, 2, 3, 1), align_corners=False),
            y, grid,
        )  # fmt: skip

    def branches(self, x: Tensor, layers: list[Any], deep: int, form: str = "") -> Tensor:
        """Branches over one tensor, and their merge."""
        forms = ("residual", "shortcut", "dense", "gate", "concat", "add", "multiply")
        form = form or one_of(self.draw, *forms)
        if form in ("residual", "dense", "gate"):
            bodies: list[list[Any]] = [[]]
            layers.append({form: bodies[0]})
        elif form == "shortcut":
            bodies = [[], []]
            layers.append({"residual": bodies[0], "shortcut": bodies[1]})
        else:
            bodies = [[] for _ in range(number(self.draw, 2, 3))]
            # one that is none is no branch
            layers.append({form: [*bodies, "none"] if number(self.draw, 0, 4) == 3 else bodies})
        ends = []
        for body in bodies:
            y = x
            kinds = SPATIAL if seldom(self.draw) else (keeping,)
            if form == "gate" and not seldom(self.draw):
                y = self.place(global_pool(self.draw, y), y, body)
            y = self.chain(y, body, number(self.draw, len(bodies) == 1, 2), kinds, deep)
            if form in ("concat", "dense") or seldom(self.draw):
                y = self.place(self.widen(y), y, body)
            ends.append(y)
        if form == "residual":
            ends.append(x)
        elif form in ("dense", "gate"):
            ends.insert(0, x)
        merge = {"residual": "add", "shortcut": "add", "dense": "concat", "gate": "multiply"}.get(form, form)
        return self.layer(form, lambda: MERGES[merge], *ends)

    def widen(self, x: Tensor) -> Step:
        """Other channels at the same positions."""
        channels, depth = number(self.draw, 1, 6), x.shape[1]
        module = getattr(nn, f"Conv{x.dim() - 2}d")
        return step("conv", lambda: module(depth, channels, 1), channels, 1)


def merging(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """What works value by value on tensors of as many axes; of others torch would repeat the smaller."""

    def merge(*inputs: Tensor) -> Tensor:
        if len({x.dim() for x in inputs}) > 1:
            raise ValueError("tensors of several numbers of axes")
        return reduce(function, inputs)

    return merge


MERGES: dict[str, Any] = {
    "add": merging(operator.add),
    "multiply": merging(operator.mul),
    "concat": lambda *inputs: torch.cat(inputs, 1),
    "subtract": merging(operator.sub),
    "maximum": merging(torch.maximum),
}


# --- what is sure to be drawn ----------------------------------------------------------------------

Way = Callable[[Drawn, Tensor, list[Any]], Tensor]


class Stratum(NamedTuple):
    """What stands first in a network, and the tensor for it: a map of so many axes, or turned; or words."""

    way: Way
    axes: tuple[int, ...] = (1, 2, 3)
    turn: Callable[[Draw, Tensor], Step] | None = None
    words: bool = False


def placed(kind: Callable[[Draw, Tensor], Step]) -> Way:
    return lambda drawn, x, layers: drawn.place(kind(drawn.draw, x), x, layers)


def kept(kind: Callable[[Draw, Tensor], Step]) -> Way:
    return lambda drawn, x, layers: drawn.place(kind(drawn.draw, x), x, layers, kept=True)


def written(way: int) -> Way:
    """Two steps, of which the second is written in one of the ways."""

    def write(drawn: Drawn, x: Tensor, layers: list[Any]) -> Tensor:
        x = drawn.unnamed(activation(drawn.draw, x), x, layers, way=0)
        return drawn.unnamed(keeping(drawn.draw, x), x, layers, way)

    return write


def widening(draw: Draw, x: Tensor) -> Step:
    """A layer with weights."""
    module, depth = getattr(nn, f"Conv{x.dim() - 2}d"), x.shape[1]
    return step("conv", lambda: module(depth, 4, 1), 4, 1)


def in_scope(drawn: Drawn, x: Tensor, layers: list[Any]) -> Tensor:
    with drawn.named(x, layers) as scope:
        scope.end = drawn.chain(x, scope.body, 2, (keeping,))
    return scope.end


def once_more(drawn: Drawn, x: Tensor, layers: list[Any]) -> Tensor:
    return drawn.again(drawn.place(keeping(drawn.draw, x), x, layers, kept=True), layers)


def referred(drawn: Drawn, x: Tensor, layers: list[Any]) -> Tensor:
    x = drawn.place(last_linear(drawn.draw, x), x, layers, kept=True)
    layers.append(drawn.reference(drawn.kept[-1].path))
    return drawn.place(last_linear(drawn.draw, x), x, layers)


def absent(drawn: Drawn, x: Tensor, layers: list[Any]) -> Tensor:
    y = drawn.branches(x, layers, 0, "add")
    layers[-1]["add"] = [*layers[-1]["add"][: -1 if "none" in layers[-1]["add"] else None], "none"]
    return y


def branched(form: str) -> Way:
    return lambda drawn, x, layers: drawn.branches(x, layers, 0, form)


#: By the op or the construct that they are sure to have, where torch accepts it.
STRATA: dict[str, Stratum] = {
    # ops on maps
    "conv": Stratum(placed(conv)),
    "ws_conv": Stratum(placed(ws_conv)),
    "frame_conv": Stratum(placed(frame_conv), (2, 3)),
    "conv_transpose": Stratum(placed(conv_transpose)),
    "max_pool": Stratum(placed(max_pool)),
    "avg_pool": Stratum(placed(avg_pool)),
    "adaptive_avg_pool": Stratum(placed(lambda draw, x: adaptive_pool(draw, x, "avg"))),
    "adaptive_max_pool": Stratum(placed(lambda draw, x: adaptive_pool(draw, x, "max"))),
    "global_avg_pool": Stratum(placed(lambda draw, x: global_pool(draw, x, "avg"))),
    "global_max_pool": Stratum(placed(lambda draw, x: global_pool(draw, x, "max"))),
    "upsample": Stratum(placed(upsample)),
    "pad": Stratum(placed(pad)),
    "channel_shuffle": Stratum(placed(channel_shuffle)),
    "batch_norm": Stratum(placed(normalization)),
    "group_norm": Stratum(placed(lambda draw, x: normalization(draw, x, "group_norm"))),
    "instance_norm": Stratum(placed(lambda draw, x: normalization(draw, x, "instance_norm"))),
    "pixel_shuffle": Stratum(placed(lambda draw, x: shuffled(draw, x, "pixel_shuffle")), (2,)),
    "pixel_unshuffle": Stratum(placed(lambda draw, x: shuffled(draw, x, "pixel_unshuffle")), (2,)),
    "unfold": Stratum(placed(unfolded), (2,)),
    "fold": Stratum(placed(folded), (1,)),
    "grid_sample": Stratum(lambda drawn, x, layers: drawn.sampled(x, layers), (2,)),
    # ops on tokens and on maps with their channels last
    "tokens": Stratum(placed(last_linear), turn=tokens),
    "channels_last": Stratum(placed(last_linear), turn=channels_last),
    "linear": Stratum(placed(last_linear), turn=channels_last),
    "layer_norm": Stratum(placed(last_norm), turn=channels_last),
    "rms_norm": Stratum(placed(rms_norm), turn=channels_last),
    "rearrange": Stratum(placed(rearrange), turn=channels_last),
    **{
        kind: Stratum(placed(lambda draw, x, kind=kind: along(draw, x, kind)), turn=channels_last)
        for kind in ("softmax", "normalize", "slice", "mean", "amax")
    },
    "rotary": Stratum(placed(rotary), (1, 2), tokens),
    "self_attention": Stratum(placed(self_attention), turn=tokens),
    "class_token": Stratum(placed(class_token), turn=tokens),
    "position_embedding": Stratum(placed(position_embedding), turn=tokens),
    "relative_positions": Stratum(placed(relative_positions), (1,), tokens),
    **{
        kind: Stratum(placed(lambda draw, x, kind=kind: recurrent(draw, x, kind)), (1,), tokens)
        for kind in ("lstm", "gru", "rnn")
    },
    "window_attention": Stratum(placed(lambda draw, x: window_attention(draw, x, "")), (2,), channels_last),
    "window_attention_v2": Stratum(
        placed(lambda draw, x: window_attention(draw, x, "V2")), (2,), channels_last
    ),
    "merge_patches": Stratum(placed(merge_patches), (2,), channels_last),
    "embedding": Stratum(lambda drawn, x, layers: x, words=True),
    "attention": Stratum(lambda drawn, x, layers: drawn.attended(x, layers), (1, 2), tokens),
    "bias of offsets": Stratum(lambda drawn, x, layers: drawn.attended(x, layers, "offsets"), (1,), tokens),
    "sinks": Stratum(lambda drawn, x, layers: drawn.attended(x, layers, "sinks"), (1, 2), channels_last),
    "matmul": Stratum(lambda drawn, x, layers: drawn.products(x, layers), (1,), tokens),
    **{
        form: Stratum(lambda drawn, x, layers, form=form: drawn.joined(x, layers, form), turn=channels_last)
        for form in ("concat", "add", "multiply", "subtract", "maximum")
    },
    # constructs
    "chain": Stratum(written(1)),
    "choice": Stratum(written(2)),
    "block": Stratum(written(3)),
    "repeat": Stratum(written(4)),
    "none": Stratum(absent),
    "scope": Stratum(in_scope),
    "path": Stratum(lambda drawn, x, layers: drawn.listed(x, layers, (keeping,))),
    "template": Stratum(kept(keeping)),
    "functions": Stratum(kept(keeping)),
    "residual": Stratum(branched("residual")),
    "shortcut": Stratum(branched("shortcut")),
    "dense": Stratum(branched("dense")),
    "gate": Stratum(branched("gate")),
    "merge": Stratum(branched("concat")),
    "each": Stratum(lambda drawn, x, layers: drawn.table(x, layers)),
    "ref": Stratum(referred, turn=tokens),
    "again": Stratum(once_more),
    "weight": Stratum(lambda drawn, x, layers: drawn.tied(x, layers), (1,), tokens),
    "initial": Stratum(lambda drawn, x, layers: drawn.started(x, layers), (1,), tokens),
    "use": Stratum(lambda drawn, x, layers: drawn.used(x, layers, (keeping,))),
    "until": Stratum(lambda drawn, x, layers: drawn.used(x, layers, (keeping,), until=True)),
    "outputs": Stratum(lambda drawn, x, layers: x),
    "aliases": Stratum(kept(widening)),
    "variants": Stratum(lambda drawn, x, layers: x),
    "params": Stratum(lambda drawn, x, layers: x),
    "input": Stratum(lambda drawn, x, layers: x),
}


#: What is part of an op: how it looks.
PARTS = {"sinks": "sinks: parameter", "bias of offsets": "q k h -> h q k"}


@st.composite
def networks(draw: Draw, about: str = "") -> Drawn:
    return Drawn(draw, about)


@cache  # several tests ask for the same
def some(count: int, number: int, about: str = "") -> list[Drawn]:
    """So many networks by a number, which begin with what they are to be about."""
    found: list[Drawn] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(networks(about))
    def collect(drawn: Drawn) -> None:
        found.append(drawn)

    collect()
    return found


def accepted(about: str, count: int, tries: int = 12) -> list[Drawn]:
    """Networks that torch accepts and that have what they are about: drawn until there are so many.

    Four are drawn at a time, and where there are too few of them after all tries, something is amiss.
    """
    found: list[Drawn] = []
    for number in range(tries):
        found += [one for one in some(4, number, about) if not one.refused and one.has(about)]
        if len(found) >= count:
            return found[:count]
    raise AssertionError(f"{len(found)} networks with {about}, of {4 * tries}")


def check(drawn: Drawn) -> archlens.Network:
    """Archlens says of a network what torch does; or both refuse the same layer, and agree up to it."""
    try:
        refusal, network = "", drawn.network()
    except archlens.SpecError as error:
        refusal, network = str(error), error.network
    assert bool(refusal) == bool(drawn.refused), f"{refusal}\n{drawn.refused}\n{drawn.text}"
    assert network is not None
    assert [layer.shape for layer in network] == drawn.shapes, drawn.text
    assert network.params == drawn.params, drawn.text
    # and so do the layers as archlens spells them in torch
    with FlopCounterMode(display=False) as counter:
        outputs = run(network, "meta")
    assert [outputs[layer.name].shape[1:] for layer in network] == drawn.shapes, drawn.text
    # a batch of 2, but for what a batch takes once; and 2 operations to a product
    once = sum(layer.macs_once for layer in network)
    assert (network.macs * 2 - once) * 2 == counter.get_total_flops(), drawn.text
    return network


# --- values ----------------------------------------------------------------------------------------


def on_cpu(drawn: Drawn) -> tuple[list[Tensor], list[Any]]:
    """Random inputs, and what each node calls, with random weights."""
    inputs = [
        torch.randint(drawn.below[name], (2, *shape)) if name in drawn.below else torch.rand(2, *shape)
        for name, shape in drawn.inputs.items()
    ]
    made: dict[int, Any] = {}
    values: dict[int, Tensor] = {}
    for node in drawn.nodes:
        if not isinstance(node.module, nn.Module) or id(node.module) in made:
            continue
        module = made[id(node.module)] = node.make().eval()
        for (name, meta), part in zip(node.module.named_parameters(), list(module.parameters()), strict=True):
            value = values.setdefault(id(meta), torch.rand(meta.shape) - 0.5)
            if part.is_meta:  # the weight of another
                owner, _, last = name.rpartition(".")
                setattr(module.get_submodule(owner), last, nn.Parameter(value))
            else:
                part.data.copy_(value)
        for name, buffer in module.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(torch.rand(buffer.shape) + 0.5)
    return inputs, [made.get(id(node.module), node.module) for node in drawn.nodes]


def check_values(drawn: Drawn, network: archlens.Network) -> None:
    """What archlens builds has the drawn modules' weights under its keys, and computes the same."""
    with torch.no_grad():
        tensors, calls = on_cpu(drawn)
        inputs = list(tensors)
        for node, call in zip(drawn.nodes, calls, strict=True):
            tensors.append(call(*[tensors[i] for i in node.inputs]))
        state: dict[str, Tensor] = {}
        for layer, call in zip(network, calls, strict=True):
            if isinstance(call, nn.Module):
                own = {name.removeprefix("inner."): x for name, x in call.state_dict().items()}
                for name in (*layer.facts.weights, *layer.facts.buffers, *layer.keys):
                    state[layer.key(name)] = own[name] if name in own else own["own"]
        built = archlens.build(network).eval()
        state |= {key: state[owner] for key, owner in network.aliases.items()}
        built.load_state_dict(state)
        for second, first in drawn.aliases.items():
            own = built.state_dict()
            there = {key[len(second) :]: own[key] for key in own if f"{key}.".startswith(f"{second}.")}
            assert there, drawn.text
            assert all(torch.equal(one, state[first + key]) for key, one in there.items())
        found = built(*inputs)
    at = {name: i for i, name in enumerate((*network.inputs, *(layer.name for layer in network)))}
    wanted = {name: tensors[at[layer]] for name, layer in network.outputs.items()}
    found = found if isinstance(found, dict) else {"out": found}
    torch.testing.assert_close(found, wanted, rtol=2e-4, atol=1e-4, equal_nan=True)


def check_written(drawn: Drawn, network: archlens.Network) -> None:
    """Written as a spec and read again it is the same."""
    again = archlens.loads(archlens.convert(network))
    assert [layer.shape for layer in again] == drawn.shapes, drawn.text
    assert again.state() == network.state(), drawn.text
    assert again.macs == network.macs, drawn.text


def main(count: int, first: int) -> None:
    met: Counter[str] = Counter()

    def held(drawn: Drawn) -> None:
        network = check(drawn)
        met["refused" if drawn.refused else "accepted"] += 1
        met.update({layer.op.kind for layer in network})
        met["again"] += any(layer.again for layer in network)
        met["weight="] += bool(network.aliases)
        met["use"] += bool(drawn.uses)
        met["until"] += "until=" in drawn.text
        met["bias"] += "bias: parameter" in drawn.text
        met["path"] += ".0: " in drawn.text
        met.update(constructs_in(drawn.text))
        if not drawn.refused and drawn.nodes:
            check_values(drawn, network)
            check_written(drawn, network)

    @seed(first)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(networks())
    def draw(drawn: Drawn) -> None:
        try:
            held(drawn)
        except Exception as problem:  # which is what is looked for
            met["DIFFERENT"] += 1
            frames = [f"{one.name}:{one.lineno}" for one in traceback.extract_tb(problem.__traceback__)][-3:]
            print(f"--- {type(problem).__name__} at {' '.join(frames)}: {problem}\n{drawn.text}")
            print(drawn.parts, drawn.refused, flush=True)

    draw()
    print(dict(met.most_common()))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
