"""Random networks, as archlens reads their spec and as torch runs their layers: the same, or both refuse.

Each step is drawn as its text and, beside it, as the same in torch; what archlens says is no part of that. It
goes through torch at once, so that the next step is drawn for what came out, and mostly fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.elaboration import elaborate
from archlens.library import read
from archlens.ops import Call

from .conftest import load_torchvision
from .torch_reference import each, flat, run, runnable

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
    # "same" leaves ceil(n/s) of the n positions that there are with stride 1
    reach = tuple((0, d * (k - 1)) for k, d in zip(each(kernel, axes), each(dilation, axes), strict=True))
    kept = tuple(slice(None, None, s) for s in each(stride, axes))
    return Padded(way, before=lambda x: F.pad(x, flat(reach), value=fill), after=lambda x: x[(..., *kept)])


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
    module = getattr(nn, f"AvgPool{axes}d")
    return step(
        "avg_pool",
        lambda: Around(
            padding.before, module(kernel, padding.stride, padding.own, ceil_mode=ceil), padding.after
        ),
        kernel, stride, padding.spec, ceil_mode=ceil, count_include_pad=counted,
    )  # fmt: skip


def pool_by_kernel(draw: Draw, x: Tensor) -> Step:
    axes, name = x.dim() - 2, one_of(draw, "max", "avg")
    kernel = size(draw, axes, 1, 3)
    module = getattr(nn, f"{name.title()}Pool{axes}d")
    return step(f"{name}_pool", lambda: module(kernel), kernel)


def adaptive_pool(draw: Draw, x: Tensor) -> Step:
    axes, name = x.dim() - 2, one_of(draw, "max", "avg")
    out = size(draw, axes, 1, 7)
    module = getattr(nn, f"Adaptive{name.title()}Pool{axes}d")
    return step(f"adaptive_{name}_pool", lambda: module(out), out)


def global_pool(draw: Draw, x: Tensor) -> Step:
    name = one_of(draw, "max", "avg")
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


def normalization(draw: Draw, x: Tensor) -> Step:
    channels, axes = x.shape[1], max(x.dim() - 2, 1)
    kind = one_of(draw, "batch_norm", "batch_norm", "group_norm", "layer_norm", "instance_norm")
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


def linear(draw: Draw, x: Tensor) -> Step:
    features, bias, width = number(draw, 1, 12), draw(st.booleans()), x.shape[1]
    return step("linear", lambda: nn.Linear(width, features, bias), features, bias=bias)


SPATIAL = (
    conv, conv, conv, conv_transpose, max_pool, max_pool, max_pool, avg_pool, avg_pool, pool_by_kernel,
    adaptive_pool, global_pool, upsample, pad, channel_shuffle, normalization, activation,
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
    return step(
        "self_attention", lambda: runnable(Call("archlens.SelfAttention", channels=width, heads=heads)), heads
    )


def class_token(draw: Draw, x: Tensor) -> Step:
    call = Call("archlens.prepend", parameter=Call("torch.zeros", 1, 1, x.shape[-1]))
    return step("class_token", lambda: runnable(call))


def window_attention(draw: Draw, x: Tensor) -> Step:
    heads, width, window = groups_for(draw, x.shape[-1]), x.shape[-1], number(draw, 2, 7)
    shift, name = number(draw, 0, window - 1), one_of(draw, "", "V2")
    kind = f"window_attention_{name.lower()}" if name else "window_attention"
    call = Call(f"archlens.WindowAttention{name}", channels=width, heads=heads, window=window, shift=shift)
    return step(kind, lambda: runnable(call), heads, window, shift)


def merge_patches(draw: Draw, x: Tensor) -> Step:
    load_torchvision()
    from torchvision.models.swin_transformer import _patch_merging_pad

    return step("merge_patches", lambda: _patch_merging_pad)


#: What works on tokens, and what on maps, by the axes of the tensor with its batch.
MIXING = {
    3: (self_attention, self_attention, class_token),
    4: (window_attention, window_attention, window_attention, merge_patches),
}


# --- drawing networks ------------------------------------------------------------------------------


class Refused(Exception):
    """torch refuses the layer that was drawn last."""


class Drawn:
    """A spec as it is drawn, and what torch made of it: the shape of each layer, in order."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.layers: list[Any] = []
        self.shapes: list[tuple[int, ...]] = []
        self.params = 0
        self.refused = ""
        axes = one_of(draw, 1, 2, 2, 2, 3)
        most = {1: 30, 2: 18, 3: 8}[axes]
        least = 1 if seldom(draw) else 5
        self.input = (one_of(draw, 4, 3, 6, 8, 1, 2), *(number(draw, least, most) for _ in range(axes)))
        x = torch.zeros(2, *self.input, device="meta")
        try:
            x = self.chain(x, self.layers, number(draw, 1, 6), SPATIAL, deep=2)
            if x.dim() > 2 and number(draw, 0, 3):
                x = self.turned(x, self.layers)
            if draw(st.booleans()):
                x = self.place(Step("flatten", nn.Flatten), x, self.layers)
                self.chain(x, self.layers, number(draw, 1, 3), (linear, linear, activation, normalization))
        except Refused:
            pass

    @property
    def text(self) -> str:
        spec = {"input": "x".join(map(str, self.input)), "layers": self.layers}
        return yaml.safe_dump(spec, sort_keys=False, width=1000)

    def chain(
        self, x: Tensor, layers: list[Any], count: int, kinds: tuple[Any, ...], deep: int = 0
    ) -> Tensor:
        """Some steps one after the other, appended to ``layers``; branches in branches at most ``deep``."""
        for _ in range(count):
            if x.numel() > 20_000:
                return x
            if deep and number(self.draw, 0, 3) == 2:
                x = self.branches(x, layers, deep - 1)
            else:
                x = self.place(one_of(self.draw, *kinds)(self.draw, x), x, layers)
        return x

    def turned(self, x: Tensor, layers: list[Any]) -> Tensor:
        """Channels last, some steps that work so, and perhaps first again."""
        turn = one_of(self.draw, tokens, channels_last)
        x = self.place(turn(self.draw, x), x, layers)
        for _ in range(number(self.draw, 1, 4)):
            kinds = (last_linear, last_norm, activation, *MIXING.get(x.dim(), ()))
            drawn = one_of(self.draw, *kinds)(self.draw, x)
            if number(self.draw, 0, 3) == 2:
                body: list[Any] = []
                layers.append({"residual": body})
                y = self.place(drawn, x, body)
                x = self.layer("residual", lambda: MERGES["add"], y, x)
            else:
                x = self.place(drawn, x, layers)
        return self.place(channels_first(self.draw, x), x, layers) if self.draw(st.booleans()) else x

    def place(self, drawn: Step, x: Tensor, layers: list[Any]) -> Tensor:
        layers.append(drawn.text)
        return self.layer(drawn.text, drawn.make, x)

    def layer(self, what: str, make: Callable[[], Any], *inputs: Tensor) -> Tensor:
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
                    make()(torch.zeros(inputs[0].shape))
            if not y.numel():
                raise ValueError("an empty output")
        except (RuntimeError, ValueError, IndexError, AssertionError):
            self.refused = what
            raise Refused from None
        if isinstance(module, nn.Module):
            self.params += sum(weight.numel() for weight in module.parameters())
        self.shapes.append(tuple(y.shape[1:]))
        return y

    def branches(self, x: Tensor, layers: list[Any], deep: int) -> Tensor:
        """Branches over one tensor, and their merge."""
        form = one_of(self.draw, "residual", "shortcut", "dense", "gate", "concat", "add", "multiply")
        if form in ("residual", "dense", "gate"):
            bodies: list[list[Any]] = [[]]
            layers.append({form: bodies[0]})
        elif form == "shortcut":
            bodies = [[], []]
            layers.append({"residual": bodies[0], "shortcut": bodies[1]})
        else:
            bodies = [[] for _ in range(number(self.draw, 2, 3))]
            layers.append({form: bodies})
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


def total(*inputs: Tensor) -> Tensor:
    y = inputs[0]
    for x in inputs[1:]:
        y = y + x
    return y


def product(*inputs: Tensor) -> Tensor:
    y = inputs[0]
    for x in inputs[1:]:
        y = y * x
    return y


MERGES = {"add": total, "multiply": product, "concat": lambda *inputs: torch.cat(inputs, 1)}


@st.composite
def networks(draw: Draw) -> Drawn:
    return Drawn(draw)


def check(drawn: Drawn) -> archlens.Network:
    """Archlens says of a network what torch does; or both refuse the same layer, and agree up to it."""
    try:  # what would work where it does not fit is searched for long, and another question
        refusal, network = "", elaborate(read(drawn.text), advice=False)
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
    once = sum(layer.op.macs_once(layer.facts, *layer.input_shapes) for layer in network)
    assert (network.macs * 2 - once) * 2 == counter.get_total_flops(), drawn.text
    return network


@pytest.mark.slow
def test_archlens_and_torch_agree() -> None:
    """Every layer has torch's shape, and the whole has its parameters and its products, until both refuse."""
    met: Counter[str] = Counter()

    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]

    @settings(max_examples=300, derandomize=True, database=None, suppress_health_check=slow)
    @given(networks())
    def agree(drawn: Drawn) -> None:
        network = check(drawn)
        met["refused" if drawn.refused else "accepted"] += 1
        met.update(layer.op.kind for layer in network)

    agree()
    assert met["accepted"] >= 80, met
    assert met["refused"] >= 20, met
    for kind in (
        "conv", "conv_transpose", "max_pool", "avg_pool", "upsample", "linear", "add", "concat", "tokens",
        "channels_last", "self_attention",
    ):  # fmt: skip
        assert met[kind] >= 5, (kind, met)
    for kind in ("window_attention", "window_attention_v2", "merge_patches", "class_token"):
        assert met[kind] >= 3, (kind, met)
