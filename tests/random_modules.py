"""Random torch modules, written as Python: what people write who know nothing of archlens.

``python tests/random_modules.py 0 1000`` holds the modules of these seeds against torch and prints what
differs, of one seed its module, too; ``tests/test_random_modules.py`` takes a few. With ``wide`` behind them
there are steps more, many sizes are alike, inputs come in other ways, and what is built is written as a spec,
too. Each statement is tried
on the meta device as soon as it is drawn, so that the next one is drawn for what came out; one that torch
refuses is forgotten.
"""

from __future__ import annotations

import copy
import random
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import torch
import torch.utils.checkpoint
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.elaboration import elaborate
from archlens.language import parse

#: The most values of a tensor, of one sample.
MOST = 3000

#: What is drawn, by how a tensor lies: a map with its channels first or last, tokens, or a vector.
STEPS: dict[str, list[Callable[[Author, str, Tensor], str]]] = {
    "map": [],
    "last": [],
    "tokens": [],
    "vector": [],
}


def on(*kinds: str) -> Callable[[Any], Any]:
    """Register a step for tensors that lie so."""

    def register(step: Any) -> Any:
        for kind in kinds:
            STEPS[kind].append(step)
        return step

    return register


#: The steps that archlens has no ops for, for the most part. A plain module does without them, so that the
#: traced network can be built.
ODD: set[Callable[[Author, str, Tensor], str]] = set()

#: The steps that are drawn only where all is drawn widely, so that the others of a seed are as they were.
WIDE: set[Callable[[Author, str, Tensor], str]] = set()


def odd(step: Any) -> Any:
    ODD.add(step)
    return step


def wide(step: Any) -> Any:
    WIDE.add(step)
    return step


ANY = ("map", "last", "tokens", "vector")


class Author:
    """Writes one class, statement by statement."""

    def __init__(
        self,
        draw: random.Random,
        name: str,
        inputs: dict[str, tuple[str, Tensor]],
        plain: bool,
        depth: int = 0,
        wide: bool = False,
    ) -> None:
        self.draw, self.name, self.plain, self.depth, self.wide = draw, name, plain, depth, wide
        self.classes: list[str] = []
        self.module = nn.Module()
        self.made: list[str] = []
        self.body: list[str] = []
        self.live: dict[str, tuple[str, Tensor]] = dict(inputs)
        self.inputs = list(inputs)
        self.space: dict[str, Any] = {
            "torch": torch,
            "nn": nn,
            "F": F,
            "self": self.module,
            **{k: t for k, (_, t) in inputs.items()},
        }

    # --- what steps ask for -------------------------------------------------------------------------

    def pick(self, *values: Any) -> Any:
        return self.draw.choice(values)

    def odd(self, *values: Any) -> tuple[Any, ...]:
        """Values that are not drawn where all is plain."""
        return () if self.plain else values

    def maybe(self, chance: float = 0.5) -> bool:
        return self.draw.random() < chance

    def own(self, code: str) -> str:
        """An attribute of the module, made by this code; refers to it."""
        name = self.pick("part", "m", "layer", "op") + str(len(self.made) + len(self.pending))
        self.pending.append(f"self.{name} = {code}")
        exec(self.pending[-1], self.space)
        return f"self.{name}"

    def parameter(self, *shape: int) -> str:
        return self.own(f"nn.Parameter(torch.rand({', '.join(map(str, shape))}))")

    def another(self, x: Tensor, name: str) -> str:
        """Another tensor of the same shape."""
        alike = [
            k for k, (_, t) in self.live.items() if t.shape == x.shape and t.dtype == x.dtype and k != name
        ]
        return self.draw.choice(alike) if alike else f"{name}.sigmoid()"

    # --- writing ------------------------------------------------------------------------------------

    def step(self, step: Any = None) -> None:
        name = self.draw.choice(list(self.live)[-3:])
        kind, x = self.live[name]
        if step is not None:
            pass
        elif x.dtype == torch.int64:
            step = embedded
        else:
            left = (ODD if self.plain else set()) | (set() if self.wide else WIDE)
            step = self.draw.choice([one for one in STEPS[kind] if one not in left])
        self.pending: list[str] = []
        classes = len(self.classes)
        out = f"x{len(self.body)}"
        keep = dict(self.space)
        with torch.device("meta"), torch.no_grad():
            try:
                text = step(self, name, x)
                found, _, code = text.partition(":") if text.split(":")[0] in STEPS else (kind, "", text)
                code = code if "{out}" in code else f"{{out}} = {code}"
                code = code.format(out=out)
                exec(code, self.space)
            except (RuntimeError, ValueError, NotImplementedError, IndexError, AssertionError):
                code = ""
        y = self.space.get(out)
        if not code or y is None or y.dim() < 2 or not 0 < y[0].numel() <= MOST or len(y) != len(x):
            self.space = keep
            del self.classes[classes:]
            for line in self.pending:
                attribute = line.split("=")[0].strip().removeprefix("self.")
                if hasattr(self.module, attribute):
                    delattr(self.module, attribute)
            return
        self.made += self.pending
        self.body += code.split("\n")
        self.live[out] = found if found != "same" else kind, y

    def written(self, outputs: str, given: str = "plain") -> str:
        made = "\n        ".join(["super().__init__()", *self.made])
        named = {"dict": "{0} = given['{0}']", "list": "{0} = given[{1}]"}.get(given, "")
        taken = [named.format(one, i) for i, one in enumerate(self.inputs)] if named else []
        body = "\n        ".join([*taken, *self.body, f"return {outputs}"])
        arguments = ", ".join(["self", *(["given"] if named else self.inputs)])
        arguments += ", mask=None, *, twice=False" if given == "names" else ""
        own = f"class {self.name}(nn.Module):\n    def __init__(self):\n        {made}\n\n"
        own += f"    def forward({arguments}):\n        {body}\n"
        return "\n\n".join([*self.classes, own])

    def part(self, kind: str, x: Tensor, keeps: bool) -> str:
        """A class of its own for a tensor; with ``keeps`` what comes out is shaped as what goes in."""
        inner = Author(
            self.draw,
            f"{self.name}{self.pick('Block', 'Unit', 'Stage')}{len(self.classes)}",
            {"x": (kind, x)},
            self.plain,
            self.depth + 1,
            self.wide,
        )
        for _ in range(self.draw.randint(1, 4)):
            inner.step()
        last = list(inner.live)[-1]
        found, y = inner.live[last]
        if keeps and y.shape != x.shape:
            alike = [k for k, (_, t) in inner.live.items() if t.shape == x.shape]
            last = (
                alike[-1]
                if len(alike) > 1
                else f"x * {last}.flatten(1).mean(1).view(-1{', 1' * (x.dim() - 1)})"
            )
        elif keeps and self.maybe():
            last = f"x + {last}"
        text = inner.written(last)
        self.classes.append(text)
        exec(text, self.space)
        self.kind = found
        return inner.name


# --- steps on maps ----------------------------------------------------------------------------------


def axes(x: Tensor) -> int:
    return x.dim() - 2


def per_axis(a: Author, x: Tensor, *values: int) -> str:
    """One number, or one for each axis."""
    if a.maybe(0.7):
        return str(a.pick(*values))
    return str(tuple(a.pick(*values) for _ in range(axes(x))))


@on("map")
@on("map")
@on("map")
def conv(a: Author, name: str, x: Tensor) -> str:
    c = x.shape[1]
    groups = a.pick(1, 1, 1, 2, c)
    out = groups * a.draw.randint(1, 8) if groups < c else c * a.pick(1, 1, 2)
    words = f"{per_axis(a, x, 1, 2, 3, 3, 5)}, groups={groups}"
    if a.maybe():
        words += f", padding={per_axis(a, x, 0, 1, 2)}"
    elif a.maybe(0.2):
        words += ", padding='same'"
    if a.maybe(0.4):
        words += f", stride={per_axis(a, x, 1, 2, 3)}"
    if a.maybe(0.2):
        words += f", dilation={per_axis(a, x, 1, 2)}"
    if a.maybe(0.3):
        words += ", bias=False"
    if not a.plain and a.maybe(0.1):
        words += f", padding_mode='{a.pick('reflect', 'replicate', 'circular')}'"
    return f"{a.own(f'nn.Conv{axes(x)}d({c}, {out}, {words})')}({name})"


@on("map")
def conv_transpose(a: Author, name: str, x: Tensor) -> str:
    c = x.shape[1]
    groups = a.pick(1, 1, c)
    out = groups * a.draw.randint(1, 3)
    words = f"{per_axis(a, x, 2, 3)}, stride={a.pick(1, 2, 2)}, padding={a.pick(0, 1)}"
    words += f", groups={groups}, bias={a.maybe()}"
    words += f", output_padding={a.pick(0, 0, 1)}"
    return f"{a.own(f'nn.ConvTranspose{axes(x)}d({c}, {out}, {words})')}({name})"


@on("map")
def functional_conv(a: Author, name: str, x: Tensor) -> str:
    c, k = x.shape[1], a.pick(1, 3)
    weight = a.parameter(a.draw.randint(1, 6), c, *[k] * axes(x))
    return f"F.conv{axes(x)}d({name}, {weight}, padding={k // 2})"


@on("map")
@on("map")
def norm(a: Author, name: str, x: Tensor) -> str:
    c, r = x.shape[1], axes(x)
    return a.pick(
        lambda: f"{a.own(f'nn.BatchNorm{r}d({c}, eps={a.pick(1e-5, 1e-3)}, affine={a.maybe(0.8)})')}({name})",
        lambda: f"{a.own(f'nn.GroupNorm({a.pick(1, c)}, {c})')}({name})",
        lambda: f"{a.own(f'nn.InstanceNorm{r}d({c}, 1e-5, 0.1, {a.maybe()}, {a.maybe()})')}({name})",
        lambda: f"{a.own(f'nn.LayerNorm({list(x.shape[1:])})')}({name})",
        *a.odd(
            lambda: f"{a.own(f'nn.LocalResponseNorm({a.pick(3, 5)})')}({name})",
            lambda: f"F.layer_norm({name}.movedim(1, -1), ({c},)).movedim(-1, 1)",
        ),
    )()


@on("map")
@on("map")
def pool(a: Author, name: str, x: Tensor) -> str:
    r = axes(x)
    k = a.pick(2, 3)
    words = f"{k}, stride={a.pick(1, 2, 3, k)}, padding={a.pick(0, 0, 1)}, ceil_mode={a.maybe(0.3)}"
    return a.pick(
        lambda: f"F.max_pool{r}d({name}, {words}, dilation={a.pick(1, 1, 2)})",
        lambda: f"{a.own(f'nn.MaxPool{r}d({words})')}({name})",
        lambda: f"{a.own(f'nn.AvgPool{r}d({words}, count_include_pad={a.maybe()})')}({name})",
        lambda: f"F.avg_pool{r}d({name}, {per_axis(a, x, 1, 2, 3)})",
        lambda: f"{a.own(f'nn.AdaptiveAvgPool{r}d({per_axis(a, x, 1, 2, 3)})')}({name})",
        lambda: f"F.adaptive_max_pool{r}d({name}, {a.pick(1, 2, 3)})",
        lambda: f"F.max_pool{r}d({name}, {k}, return_indices=True)[0]",
        *a.odd(
            lambda: f"nn.AdaptiveAvgPool{r}d({[a.pick(None, 2) for _ in range(r)] if r > 1 else 2})({name})",
            lambda: f"F.lp_pool{r}d({name}, 2, 2)" if r < 3 else f"F.max_pool3d({name}, 2)",
        ),
    )()


@on("map")
def resize(a: Author, name: str, x: Tensor) -> str:
    mode = a.pick(
        "nearest", {1: "linear", 2: "bilinear", 3: "trilinear"}[axes(x)], *a.odd("area", "nearest-exact")
    )
    if axes(x) == 2 and not a.plain and a.maybe(0.2):
        return a.pick(
            lambda: f"F.pixel_shuffle({name}, 2)",
            lambda: f"{a.own('nn.PixelUnshuffle(2)')}({name})",
            lambda: f"F.interpolate({name}, scale_factor=2, mode='bicubic', align_corners={a.maybe()})",
            lambda: (
                f"F.fold(F.unfold({name}, 2, stride=2), {[n // 2 * 2 for n in x.shape[2:]]}, 2, stride=2)"
            ),
        )()
    if a.maybe():
        return f"{a.own(f'nn.Upsample(scale_factor={a.pick(2, 2, 1.5, 0.5)}, mode={mode!r})')}({name})"
    return f"F.interpolate({name}, size={tuple(a.draw.randint(1, 7) for _ in range(axes(x)))}, mode={mode!r})"


@on("map")
def pad(a: Author, name: str, x: Tensor) -> str:
    sides = [a.pick(0, 1, 2) for _ in range(2 * axes(x))]
    mode = a.pick("constant", "constant", "reflect", "replicate", *a.odd("circular"))
    value = f", value={a.pick(0, 1.5)}" if mode == "constant" else ""
    if not a.plain and a.maybe(0.3):
        return f"F.pad({name}, {(*[0] * (2 * axes(x)), 0, a.pick(1, 2))})"
    if not a.plain and a.maybe(0.2):
        return f"F.pad({name}, {tuple(-s if a.maybe(0.3) else s for s in sides)})"
    return f"F.pad({name}, {tuple(sides)}, mode={mode!r}{value})"


@on("map")
def gate(a: Author, name: str, x: Tensor) -> str:
    c, r = x.shape[1], axes(x)
    dims = tuple(range(2, r + 2))
    squeezed = a.pick(
        f"{name}.mean({dims}, keepdim=True)",
        f"F.adaptive_avg_pool{r}d({name}, 1)",
        f"{name}.amax({dims}, True)",
    )
    return a.pick(
        lambda: f"{name} * torch.sigmoid({a.own(f'nn.Conv{r}d({c}, {c}, 1)')}({squeezed}))",
        lambda: f"{name} * {a.own(f'nn.Linear({c}, {c})')}({name}.mean({dims})).view(-1, {c}{', 1' * r})",
        *a.odd(lambda: f"{name} - {squeezed}"),
        lambda: f"{name} * {a.own(f'nn.Conv{r}d({c}, 1, 1)')}({name}).sigmoid()",
    )()


@on("map")
def to_tokens(a: Author, name: str, x: Tensor) -> str:
    c = x.shape[1]
    order = (0, *range(2, x.dim()), 1)
    return "tokens:" + a.pick(
        f"{name}.flatten(2).transpose(1, 2)",
        f"{name}.permute{order}.reshape({name}.shape[0], -1, {c})",
        f"{name}.view({name}.shape[0], {c}, -1).permute(0, 2, 1)",
        f"{name}.movedim(1, -1).flatten(1, -2)",
    )


@on("map")
def to_last(a: Author, name: str, x: Tensor) -> str:
    order = (0, *range(2, x.dim()), 1)
    kind = "last" if x.dim() > 3 else "tokens"
    return f"{kind}:{name}.permute{order}" + a.pick("", ".contiguous()")


@on("map")
def shuffled(a: Author, name: str, x: Tensor) -> str:
    c = x.shape[1]
    rest = ", ".join(map(str, x.shape[2:]))
    g = a.pick(2, 3)
    if a.plain or a.maybe():
        return f"{name}.reshape(-1, {g}, {c // g}, {rest}).transpose(1, 2).flatten(1, 2)"
    if axes(x) == 2 and a.maybe():
        return f"{name}.transpose(2, 3)" + a.pick("", ".contiguous()")
    return f"{name}.view({name}.size(0), {c}, -1).roll({a.pick(1, 2)}, 2).view_as({name})"


@on("map", "last", "tokens")
@odd
def turned(a: Author, name: str, x: Tensor) -> str:
    dim = a.draw.randint(1, x.dim() - 1)
    return a.pick(
        f"torch.roll({name}, {a.pick(1, -1, 2)}, {dim})",
        f"{name}.flip({dim})",
        f"torch.roll({name}, ({a.pick(1, -1)}, 1), (1, 2))",
        f"{name}[..., torch.arange({x.shape[-1]} - 1, -1, -1)]",
    )


@on("map", "last")
def to_vector(a: Author, name: str, x: Tensor) -> str:
    dims = tuple(range(2, x.dim()))
    return (
        "vector:"
        + a.pick(
            lambda: f"{name}.mean({dims})",
            lambda: f"{name}.flatten(1)",
            lambda: f"torch.flatten({name}, start_dim=1)",
            lambda: f"{a.own('nn.Flatten()')}({name})",
            lambda: f"{name}.reshape(len({name}), -1)",
            lambda: f"{name}.amax({dims})",
            *a.odd(
                lambda: f"{name}.sum(dim={dims})",
                lambda: f"{name}.mean(-1).flatten(1)",
                lambda: f"{name}.std({dims})",
            ),
        )()
    )


@on("tokens")
def pooled(a: Author, name: str, x: Tensor) -> str:
    return "vector:" + a.pick(
        f"{name}.mean(1)",
        f"{name}[:, 0]",
        f"{name}[:, -1]",
        f"{name}.flatten(1)",
        *a.odd(f"{name}.max(1).values", f"{name}.sum(dim=1)"),
    )


@on("tokens")
def to_map(a: Author, name: str, x: Tensor) -> str:
    n, c = x.shape[1:]
    sides = [s for s in range(1, n + 1) if n % s == 0]
    h = a.draw.choice(sides)
    return "map:" + a.pick(
        f"{name}.transpose(1, 2).reshape(-1, {c}, {h}, {n // h})",
        f"{name}.transpose(1, 2)",
        f"{name}.view(-1, {h}, {n // h}, {c}).permute(0, 3, 1, 2)",
        f"{name}.mT.unflatten(2, ({h}, {n // h}))",
    )


@on("last")
def from_last(a: Author, name: str, x: Tensor) -> str:
    order = (0, x.dim() - 1, *range(1, x.dim() - 1))
    return a.pick(
        f"map:{name}.permute{order}",
        f"tokens:{name}.flatten(1, -2)",
        f"map:{name}.permute{order}.contiguous()",
    )


@on("vector")
def from_vector(a: Author, name: str, x: Tensor) -> str:
    n = x.shape[1]
    c = a.draw.choice([s for s in range(1, n + 1) if n % s == 0])
    h = a.draw.choice([s for s in range(1, n // c + 1) if n // c % s == 0])
    return a.pick(
        f"map:{name}.view(-1, {c}, {n // c})",
        f"map:{name}.reshape({name}.shape[0], {c}, {h}, {n // c // h})",
        f"tokens:{name}.unflatten(1, ({c}, {n // c}))",
        f"tokens:{name}[:, None]",
        f"map:{name}[:, :, None, None]",
        *a.odd(
            f"tokens:{name}.unsqueeze(1).expand(-1, 3, -1)", f"tokens:{name}.unsqueeze(1).repeat(1, 2, 1)"
        ),
    )


# --- steps on the last axis -------------------------------------------------------------------------


@on("last", "tokens", "vector")
@on("tokens", "vector")
@on("vector")
def linear(a: Author, name: str, x: Tensor) -> str:
    c, out = x.shape[-1], a.draw.randint(1, 12)
    return a.pick(
        lambda: f"{a.own(f'nn.Linear({c}, {out}, bias={a.maybe(0.8)})')}({name})",
        lambda: f"{a.own(f'nn.Linear({c}, {out})')}({name})",
        lambda: f"F.linear({name}, {a.parameter(out, c)}, {a.parameter(out)})",
        *a.odd(
            lambda: f"{name} @ {a.parameter(c, out)}",
            lambda: f"torch.matmul({name}, {a.parameter(c, out)}) + {a.parameter(out)}",
            lambda: f"torch.einsum('b...i,oi->b...o', {name}, {a.parameter(out, c)})",
        ),
    )()


@on("last", "tokens")
def last_norm(a: Author, name: str, x: Tensor) -> str:
    c = x.shape[-1]
    return a.pick(
        lambda: f"{a.own(f'nn.LayerNorm({c}, elementwise_affine={a.maybe(0.8)})')}({name})",
        lambda: f"F.layer_norm({name}, ({c},))",
        *a.odd(
            lambda: f"{a.own(f'nn.RMSNorm({c})')}({name})",
            lambda: f"F.normalize({name}, dim=-1)",
            lambda: f"{name} * torch.rsqrt({name}.pow(2).mean(-1, keepdim=True) + 1e-6) * {a.parameter(c)}",
        ),
    )()


@on("vector")
def vector_norm(a: Author, name: str, x: Tensor) -> str:
    c = x.shape[-1]
    kind = a.pick("BatchNorm1d({})", "LayerNorm({})", "GroupNorm(1, {})", *a.odd("RMSNorm({})"))
    return f"{a.own('nn.' + kind.format(c))}({name})"


@on("tokens")
@on("tokens")
def mixing(a: Author, name: str, x: Tensor) -> str:
    n, c = x.shape[1:]
    return a.pick(
        lambda: f"{a.own(f'nn.Linear({n}, {n})')}({name}.transpose(1, 2)).transpose(1, 2)",
        lambda: f"{a.own(f'nn.Conv1d({n}, {n}, 1)')}({name})",
        lambda: f"{a.own(f'nn.BatchNorm1d({c})')}({name}.transpose(1, 2)).transpose(1, 2)",
        lambda: f"{a.own(f'nn.Conv1d({c}, {c}, 3, padding=1)')}({name}.mT).mT",
        lambda: f"{a.own(f'nn.MultiheadAttention({c}, 1, batch_first=True)')}({name}, {name}, {name})[0]",
        lambda: f"{name} + {a.parameter(1, n, c)}",
        *a.odd(
            lambda: f"F.scaled_dot_product_attention({name}, {a.another(x, name)}, {name})",
            lambda: f"F.scaled_dot_product_attention(*[{name}[:, None]] * 3, is_causal=True)[:, 0]",
            lambda: f"({name} @ {name}.transpose(-2, -1) * {c}**-0.5).softmax(-1) @ {name}",
            lambda: f"torch.bmm({name}.softmax(1).transpose(1, 2), {name})",
            lambda: f"torch.einsum('bnc,bmc->bnm', {name}, {a.another(x, name)})",
            lambda: f"{a.own(f'nn.LSTM({c}, 3, batch_first=True)')}({name})[0]",
            lambda: (
                f"{a.own(f'nn.GRU({c}, 2, num_layers=2, bidirectional=True, batch_first=True)')}({name})[0]"
            ),
            lambda: f"torch.cat([{a.parameter(1, 1, c)}.expand({name}.shape[0], -1, -1), {name}], dim=1)",
            lambda: f"{name}.cumsum(1)",
            lambda: f"F.softmax({name}, dim={a.pick(-1, 1, 2)})",
            lambda: f"{name}.reshape(-1, {c}).reshape(-1, {n}, {c})",
            lambda: f"{a.own(f'nn.LayerNorm({c})')}({name}.reshape(-1, {c})).view_as({name})",
        ),
    )()


@on("tokens")
@odd
def heads(a: Author, name: str, x: Tensor) -> str:
    """Attention of several heads, as people write it."""
    n, c = x.shape[1:]
    h, d = a.pick(1, 2), a.pick(2, 4)
    qkv = a.own(f"nn.Linear({c}, {3 * h * d}, bias={a.maybe()})")
    proj = a.own(f"nn.Linear({h * d}, {c})")
    core = a.pick(
        "{out} = F.scaled_dot_product_attention(q, k, v)",
        f"{{out}} = (q @ k.transpose(-2, -1) / {d} ** 0.5).softmax(dim=-1) @ v",
        "{out} = torch.einsum('bhqk,bhkd->bhqd', torch.einsum('bhqd,bhkd->bhqk', q, k).softmax(-1), v)",
    )
    return (
        f"q, k, v = {qkv}({name}).reshape(-1, {n}, 3, {h}, {d}).permute(2, 0, 3, 1, 4)"
        + a.pick("", ".unbind(0)")
        + f"\n{core}\n{{out}} = {proj}({{out}}.transpose(1, 2).reshape(-1, {n}, {h * d}))"
    )


# --- steps on anything ------------------------------------------------------------------------------


MODULES = """
    ReLU() ReLU(inplace=True) ReLU6() GELU() GELU('tanh') SiLU() Mish() Hardswish() Hardsigmoid()
    Sigmoid() Tanh() Softplus() Softsign() LogSigmoid() ELU() ELU(0.5) SELU() LeakyReLU(0.2)
    LeakyReLU(0.1,True) Hardtanh() PReLU() Dropout(0.3) Identity()
"""
ODD_MODULES = """
    Softplus(beta=2) Tanhshrink() Hardshrink() Softshrink() CELU() Hardtanh(-2,2) Threshold(0.1,1)
    RReLU() AlphaDropout()
"""
FUNCTIONS = """
    F.relu({}) F.relu_({}.clone()) torch.relu({}) {}.relu() {}.sigmoid() torch.tanh({}) F.silu({})
    F.gelu({}) F.leaky_relu({},0.2) F.dropout({},0.2,self.training) {}.clamp(min=0) {}.clamp(0,6)
    torch.clamp({},-1,1) {}*0.5 F.hardtanh({}) {}.float() {}.clone() {}.detach() {}.contiguous()
    F.relu6({}) -1*{}
"""
ODD_FUNCTIONS = """
    {}.abs() {}.exp() torch.sqrt({}.abs()) {}**2 -{} 1-{} {}/2 {}+1 {}.sin() torch.where({}>0,{},0.1*{})
    {}.neg() {}.square() F.prelu({},torch.ones(1,device={}.device)) {}.masked_fill({}<0,0) {}.log1p()
    {}.softmax(1) torch.log_softmax({},-1)
"""


@on(*ANY)
@on(*ANY)
def activation(a: Author, name: str, x: Tensor) -> str:
    if a.maybe():
        return f"{a.own('nn.' + a.pick(*MODULES.split(), *a.odd(*ODD_MODULES.split())))}({name})"
    return str(a.pick(*FUNCTIONS.split(), *a.odd(*ODD_FUNCTIONS.split()))).replace("{}", name)


@on(*ANY)
def merged(a: Author, name: str, x: Tensor) -> str:
    other = a.another(x, name)
    return a.pick(
        f"{name} + {other}",
        f"{name} * {other}",
        f"torch.add({name}, {other})",
        f"{name}.mul({other})",
        *a.odd(
            f"{name} - {other}",
            f"torch.maximum({name}, {other})",
            f"{name}.add({other}, alpha=0.5)",
            f"torch.stack([{name}, {other}]).sum(0)",
            f"torch.stack(({name}, {other}), -1).mean(-1)",
            f"torch.lerp({name}, {other}, 0.3)",
            f"{name} / (1 + {other}.abs())",
            f"sum([{name}, {other}])",
        ),
    )


@on(*ANY)
def joined(a: Author, name: str, x: Tensor) -> str:
    other = a.another(x, name)
    channels = 1 if a.live[name][0] in ("map", "vector") else -1
    dim = a.pick(channels, *a.odd(1, -1, a.draw.randint(1, x.dim() - 1)))
    return a.pick(
        f"torch.cat([{name}, {other}], {dim})",
        f"torch.cat(({other}, {name}, {name}), dim={dim})",
        *a.odd(f"torch.cat([{name}, torch.zeros_like({name})], {dim})"),
    )


@on(*ANY)
def apart(a: Author, name: str, x: Tensor) -> str:
    dim = a.draw.randint(1, x.dim() - 1)
    n = x.shape[dim]
    before = ":, " * dim
    k = a.draw.randint(1, n)
    return a.pick(
        f"{name}[{before}:{k}]",
        f"{name}[{before}{k - 1}:]",
        f"{name}[{before}::2]",
        f"{name}.narrow({dim}, 0, {k})",
        f"torch.chunk({name}, 2, {dim})[0]",
        f"{name}.split({k}, dim={dim})[-1]",
        f"torch.cat({name}.chunk(2, {dim})[::-1], {dim})",
        f"p, q = {name}.chunk(2, {dim})\n{{out}} = p * q.sigmoid()",
        f"{name}[..., :{x.shape[-1] // 2 + 1}]",
        *a.odd(
            f"F.glu({name}, {dim})",
            f"{name}.index_select({dim}, torch.tensor([0, {n - 1}], device={name}.device))",
            f"{name}.unbind({dim})[0].unsqueeze({dim})",
            f"torch.stack({name}.unbind({dim}), {dim})",
            f"{name}.repeat_interleave(2, {dim})",
        ),
    )


@on(*ANY)
@odd
def reduced(a: Author, name: str, x: Tensor) -> str:
    dim = a.draw.randint(1, x.dim() - 1)
    how = a.pick("mean", "sum", "amax", "std", "var", "prod", "logsumexp", "norm")
    words = f"2, {dim}, keepdim=True" if how == "norm" else f"{dim}, keepdim=True"
    return a.pick(
        f"{name}.{how}({words})", f"{name} - {name}.{how}({words})", f"{name}.{how}({words}) * {name}"
    )


@on(*ANY)
def scaled(a: Author, name: str, x: Tensor) -> str:
    dim = 1 if a.live[name][0] == "map" else x.dim() - 1
    shape = [1] * x.dim()
    shape[dim] = x.shape[dim]
    trailing = shape[1:] if a.maybe() else shape
    parameter = (
        a.parameter(*trailing)
        if a.maybe()
        else f"{a.parameter(x.shape[dim])}.view({', '.join(map(str, shape))})"
    )
    return a.pick(
        f"{name} * {parameter}",
        f"{name} + {parameter}",
        f"{parameter} * {name}",
        f"{name} * {parameter} + {name}",
        *a.odd(f"{name} / (1 + {parameter})"),
    )


@on(*ANY)
@odd
def in_place(a: Author, name: str, x: Tensor) -> str:
    other = a.another(x, name)
    half = (x.shape[1] + 1) // 2
    return a.pick(
        f"{{out}} = {name}.clone()\n{{out}} += {other}",
        f"{{out}} = {name} * 1\n{{out}}[:, :{half}] = {other}[:, :{half}]",
        f"{{out}} = {name} + 0.5\n{{out}}.mul_(2).add_({other})",
        f"{{out}} = torch.zeros_like({name})\n{{out}}[:, {half - 1}:] += {name}[:, {half - 1}:]",
        f"{{out}} = torch.empty_like({name})\n{{out}}[:] = {name}",
        f"{{out}} = {name}.clone()\nF.relu_({{out}})",
        f"{{out}} = {name}.clone()\n{{out}}.masked_fill_({{out}} < 0, 0.0)",
        f"{{out}} = torch.zeros(len({name}), *{list(x.shape[1:])}).to({name}.device)\n{{out}}.copy_({name})",
    )


@on(*ANY)
def block(a: Author, name: str, x: Tensor) -> str:
    """A class of its own; once, twice with the same weights, in a loop, or in a dictionary."""
    if a.depth > 1:
        return activation(a, name, x)
    kind = a.live[name][0]
    if a.maybe(0.3):
        made = a.part(kind, x, keeps=False)
        return f"{a.kind}:{a.own(made + '()')}({name})"
    made = a.part(kind, x, keeps=True)

    def loop(parts: str) -> str:
        return f"{{out}} = {name}\nfor part in {parts}:\n    {{out}} = part({{out}})"

    return a.pick(
        lambda: f"{a.own(made + '()')}({name})",
        *a.odd(lambda: "{m}({m}({x}))".format(m=a.own(made + "()"), x=name)),
        lambda: loop(a.own(f"nn.ModuleList({made}() for _ in range({a.pick(1, 2, 3)}))")),
        lambda: f"{a.own(f'nn.Sequential({made}(), nn.ReLU(), {made}())')}({name})",
        lambda: f"{name} + {a.own(f'nn.Sequential(*[{made}() for _ in range(2)])')}({name})",
        lambda: loop(a.own(f"nn.ModuleDict(dict(one={made}(), two={made}()))") + ".values()"),
    )()


# --- steps that are drawn widely --------------------------------------------------------------------


@on(*ANY)
@wide
def listed(a: Author, name: str, x: Tensor) -> str:
    """Positions of an axis by a list or a tensor."""
    dim = a.draw.randint(1, x.dim() - 1)
    n = x.shape[dim]
    ids = a.pick([n - 1], [-1], [0, n - 1], list(range(n))[::-1], [0, 0, n // 2], list(range(0, n, 2)))
    before = ":, " * dim
    return a.pick(
        f"{name}[{before}{ids}]",
        f"{name}.index_select({dim}, torch.tensor({[i % n for i in ids]}, device={name}.device))",
        f"{name}[{before}torch.arange({(n + 1) // 2})]",
        f"torch.stack([{name}.select({dim}, i) for i in {ids}], {dim})",
    )


@on("map")
@wide
def grown(a: Author, name: str, x: Tensor) -> str:
    """What is made of a map beside it, as in dense blocks and U-Nets."""
    c, r = x.shape[1], axes(x)
    k = a.draw.randint(1, 4)
    inner = a.own(f"nn.Conv{r}d({c}, {k}, 3, padding=1)")
    back = {1: "linear", 2: "bilinear", 3: "trilinear"}[r]
    half = a.own(f"nn.Conv{r}d({c}, {k}, 3, stride=2, padding=1)")
    size = a.pick(f"size={name}.shape[2:]", f"size={name}.shape[2:], mode={back!r}", "scale_factor=2")
    cut = ", ".join(f":{n}" for n in x.shape[2:])
    return a.pick(
        f"torch.cat([{name}, {inner}({name})], 1)",
        f"torch.cat([{inner}({name}), {name}, {inner}({name}).relu()], dim=1)",
        f"y = {half}({name})\n{{out}} = torch.cat([{name}, F.interpolate(y, {size})[:, :, {cut}]], 1)",
        f"y = F.pad({name}, {(1, 0) * r})\n{{out}} = {inner}({name}) + {inner}(y)[:, :, {cut}]",
        f"{{out}} = {name}\nfor _ in range(3):\n    {{out}} = {{out}} + {inner}({{out}}).mean(1, True)",
    )


@on("map")
@wide
def projected(a: Author, name: str, x: Tensor) -> str:
    """Products of all channels, written in other ways than as a convolution."""
    c, d = x.shape[1], a.draw.randint(1, 6)
    rest = "hwu"[: axes(x)]
    sizes = ", ".join(map(str, x.shape[2:]))
    return a.pick(
        lambda: f"torch.einsum('bc{rest},dc->bd{rest}', {name}, {a.parameter(d, c)})",
        lambda: f"({a.parameter(d, c)} @ {name}.flatten(2)).reshape(-1, {d}, {sizes})",
        lambda: f"{a.own(f'nn.Linear({c}, {d})')}({name}.movedim(1, -1)).movedim(-1, 1)",
        lambda: f"F.linear({name}.transpose(1, -1), {a.parameter(d, c)}).transpose(1, -1)",
        lambda: (
            f"y = {a.own(f'nn.Linear({c}, {c})')}({name}.flatten(2).mean(-1))\n"
            f"{{out}} = {name} + y[(...,) + (None,) * {axes(x)}]"
        ),
    )()


@on("map")
@wide
def patched(a: Author, name: str, x: Tensor) -> str:
    """Patches of a map as tokens or channels, and windows."""
    if axes(x) != 2:
        return f"{name}.unfold(2, 2, 2).amax(-1)" if axes(x) == 1 else f"{name}.transpose(2, 4)"
    c, h, w = x.shape[1:]
    p, q = (next(n for n in (2, 3, size) if size % n == 0) for size in (h, w))
    view = f"{name}.reshape(-1, {c}, {h // p}, {p}, {w // q}, {q})"
    return a.pick(
        f"tokens:{view}.permute(0, 2, 4, 3, 5, 1).reshape(-1, {h // p * (w // q)}, {p * q * c})",
        f"tokens:{view}.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)",
        f"map:{view}.permute(0, 1, 3, 5, 2, 4).reshape(-1, {c * p * q}, {h // p}, {w // q})",
        f"map:{view}.permute(0, 3, 5, 1, 2, 4).reshape(-1, {c * p * q}, {h // p}, {w // q})",
        f"map:{view}.mean((3, 5))",
        f"map:{view}.amax(5).amax(3)",
        f"map:{name}[:, :, ::2, ::2] + {name}[:, :, :{(h + 1) // 2}, :{(w + 1) // 2}]",
        f"map:{name}.swapaxes(2, 3)",
        f"map:{name}.rot90(2, (2, 3))",
    )


@on("tokens")
@wide
def crossed(a: Author, name: str, x: Tensor) -> str:
    """Attention of one tensor to another, with masks, and of learned queries."""
    n, c = x.shape[1:]
    h = a.pick(*(k for k in (1, 2, 3) if c % k == 0))
    others = [k for k, (kind, t) in a.live.items() if kind == "tokens" and t.dim() == 3 and t.shape[2] == c]
    other = a.draw.choice(others)
    q, k, v = (a.own(f"nn.Linear({c}, {c}, bias={a.maybe()})") for _ in range(3))

    def split(of: str) -> str:
        return f"{of}.view(len({name}), -1, {h}, {c // h}).transpose(1, 2)"

    made = f"q, k, v = {split(f'{q}({name})')}, {split(f'{k}({other})')}, {split(f'{v}({other})')}\n"
    mask = f"torch.ones({n}, {a.live[other][1].shape[1]}, device={name}.device).tril()"
    made += a.pick(
        "y = F.scaled_dot_product_attention(q, k, v)",
        f"y = F.scaled_dot_product_attention(q, k, v, attn_mask={mask}.bool())",
        f"y = F.scaled_dot_product_attention(q, k, v, scale={a.pick(1.0, 0.3)})",
        f"y = (q @ k.mT * {c // h}**-0.5).softmax(-1) @ v",
        f"y = (q @ k.mT).masked_fill({mask} == 0, float('-inf')).softmax(-1) @ v",
        "y = torch.einsum('bhij,bhjd->bhid', torch.einsum('bhid,bhjd->bhij', q * 0.5, k).softmax(-1), v)",
        f"y = F.dropout(F.softmax(torch.matmul(q, k.transpose(2, 3)) / {h}, dim=-1), 0.1, self.training) @ v",
    )
    return f"{made}\n{{out}} = y.transpose(1, 2).reshape(len({name}), -1, {c})"


@on("tokens")
@wide
def learned(a: Author, name: str, x: Tensor) -> str:
    """Tokens that are learned, rows of a table for each place, and what is kept in buffers."""
    n, c = x.shape[1:]
    table = a.own(f"nn.Embedding({n + a.pick(0, 3)}, {c})")
    token = a.parameter(1, 1, c)
    return a.pick(
        f"{name} + {table}(torch.arange({n}, device={name}.device))",
        f"{name} + {table}.weight[:{n}]",
        f"torch.cat([{token}.expand(len({name}), -1, -1), {name}], 1)",
        f"torch.cat([{token}.repeat(len({name}), 1, 1), {name}], 1) + {a.parameter(1, n + 1, c)}",
        f"{name} * {token}",
        f"{name} + {token}[0, 0]",
        f"{name} * {token}.sigmoid()",
    )


@on(*ANY)
@wide
def returned(a: Author, name: str, x: Tensor) -> str:
    """Blocks that take and give several tensors, that are called by parts, or that torch runs again."""
    if a.depth > 1:
        return f"{name}.clone()"
    kind = a.live[name][0]
    one = a.own(f"{a.part(kind, x, keeps=True)}()")
    two = a.own(f"nn.Sequential({a.part(kind, x, keeps=True)}(), nn.SiLU(), {a.part(kind, x, keeps=True)}())")
    return a.pick(
        f"{two}[0]({name}) + {two}[1:]({name})",
        f"{{out}} = {name}\nfor part in (*{two}, {one}):\n    {{out}} = part({{out}})",
        f"a, (b, c) = {one}({name}), ({two}({name}), {name})\n{{out}} = a * b + c",
        f"torch.utils.checkpoint.checkpoint({two}, {name}, use_reentrant=False)",
        f"{name} + {one}({two}({name})) * 0.5",
        f"sum(part({name}) for part in ({one}, {two}))",
        f"dict(a={one}({name}), b={two}({name}))['b']",
    )


@on("tokens")
@wide
def read_in_turn(a: Author, name: str, x: Tensor) -> str:
    """What is read step by step, of which the last state or a step goes on."""
    c = x.shape[2]
    both, layers = a.maybe(), a.pick(1, 1, 2)
    words = f"{c}, {a.draw.randint(1, 4)}, num_layers={layers}, bidirectional={both}, batch_first=True"
    return a.pick(
        lambda: f"tokens:{a.own(f'nn.LSTM({words})')}({name})[0]",
        lambda: f"vector:{a.own(f'nn.LSTM({words})')}({name})[0][:, -1]",
        lambda: f"vector:{a.own(f'nn.LSTM({words})')}({name})[1][0][-1]",
        lambda: f"y, (h, _) = {a.own(f'nn.LSTM({words})')}({name})\n{{out}} = y",
        lambda: f"vector:{a.own(f'nn.GRU({words})')}({name})[1][-1]",
        lambda: f"vector:{a.own(f'nn.RNN({words})')}({name})[0].mean(1)",
        lambda: f"tokens:{a.own(f'nn.GRU({words})')}({name})[0].relu()",
    )()


def embedded(a: Author, name: str, x: Tensor) -> str:
    width = a.draw.randint(1, 6)
    return f"tokens:{a.own(f'nn.Embedding(11, {width}' + a.pick('', ', padding_idx=0') + ')')}({name})"


def lent(a: Author, name: str, x: Tensor) -> str:
    """A function that is given the weight of a module that has run, or of one that never does."""
    found = []
    for path, part in a.module.named_children():
        weight, own = getattr(part, "weight", None), f"self.{path}.weight"
        if weight is None or not x.is_floating_point():
            continue
        if isinstance(part, nn.Linear | nn.Embedding) and x.shape[-1] == weight.shape[1]:
            found += [f"F.linear({name}, {own})", f"{name} @ {own}.t()", f"torch.matmul({name}, {own}.mT)"]
        if isinstance(part, nn.modules.conv._ConvNd) and weight.dim() == x.dim():
            kind = "conv_transpose" if isinstance(part, nn.modules.conv._ConvTransposeNd) else "conv"
            rest = a.pick("", f", {own[:-6]}bias, 2", f", padding={a.pick(0, 1)}, groups={part.groups}")
            found.append(f"F.{kind}{axes(x)}d({name}, {own}{rest})")
        if isinstance(part, nn.LayerNorm) and part.elementwise_affine:
            found.append(f"F.layer_norm({name}, {tuple(weight.shape)}, {own}, self.{path}.bias)")
    if not found:
        raise ValueError("no weight fits")
    return a.draw.choice(found)


# --- a module, and what it is held against ----------------------------------------------------------


def inputs(draw: random.Random, *, alike: int = 0) -> dict[str, tuple[str, Tensor]]:
    """What a module takes: a map for the most part, and sometimes a second input beside it.

    Args:
        draw: what is asked for random numbers.
        alike: of what size all axes are, where they are alike.
    """
    sizes = {
        "map": lambda: (
            draw.choice([1, 3, 4, 6]),
            *(draw.randint(4, 9) for _ in range(draw.choice([1, 2, 2, 2, 3]))),
        ),
        "tokens": lambda: (draw.randint(2, 8), draw.choice([4, 6])),
        "vector": lambda: (draw.choice([4, 6, 8, 12]),),
        "ids": lambda: (draw.randint(2, 8),),
    }
    made = {}
    for index in range(draw.choice([1, 1, 1, 2])):
        kind = draw.choice(["map", "map", "map", "tokens", "tokens", "vector", "ids"])
        dtype = torch.int64 if kind == "ids" else torch.float32
        shape = sizes[kind]()
        if len(shape) == 4:
            shape = tuple(min(n, 5) for n in shape)
        shape = tuple(alike or n for n in shape)
        tensor = torch.empty(2, *shape, device="meta", dtype=dtype)
        made[f"input_{index}" if index else "input"] = ("tokens" if kind == "ids" else kind, tensor)
    return made


class Written(NamedTuple):
    """A random module."""

    source: str
    inputs: dict[str, Tensor]
    #: How they are given: one after the other, or by name, or in a dict or a list.
    given: str = "plain"

    def called(self, what: Any, tensors: list[Tensor]) -> Any:
        """A module or archlens' own function, called with tensors as the module takes them."""
        ways: dict[str, Callable[[], Any]] = {
            "names": lambda: what(**dict(zip(self.inputs, tensors, strict=True))),
            "dict": lambda: what(dict(zip(self.inputs, tensors, strict=True))),
            "list": lambda: what(tensors),
        }
        return ways.get(self.given, lambda: what(*tensors))()

    def module(self) -> nn.Module:
        space: dict[str, Any] = {"torch": torch, "nn": nn, "F": F, "__name__": "random_module"}
        exec(self.source, space)
        made: nn.Module = space["Net"]()
        return made.eval()

    def tensors(self, batch: int, device: str = "cpu") -> list[Tensor]:
        return [
            (
                torch.randint(0, 11, (batch, *x.shape[1:]))
                if x.dtype == torch.int64
                else torch.rand(batch, *x.shape[1:])
            ).to(device)
            for x in self.inputs.values()
        ]


def write(seed: int, *, wide: bool = False) -> Written:
    """The module of a seed; ``wide`` of more kinds of steps and inputs."""
    draw = random.Random(seed)
    given = inputs(draw, alike=draw.choice([0, 0, 4, 6]) if wide else 0)
    author = Author(draw, "Net", given, plain=draw.random() < 0.5, wide=wide)
    for _ in range(draw.randint(3, 14)):
        author.step()
    author.draw = random.Random(-1 - seed)  # drawn apart, so that the others are as they were
    for _ in range(author.pick(0, 0, 1, 3)):
        author.step(lent)
    author.draw = draw
    names = [name for name in author.live if name not in given] or [
        f"{name} * 2" for name in given if author.live[name][1].is_floating_point()
    ]
    last = names[-1] if names else f"{next(iter(given))}.float()"
    more = [name for name in names[:-1] if author.maybe(0.3)][-2:]
    outputs = last
    if more:
        outputs = author.pick(
            ", ".join([last, *more]),
            f"[{', '.join([last, *more])}]",
            "{" + ", ".join(f"'{name}': {name}" for name in [last, *more]) + "}",
            f"{last}, ({', '.join(more)},)",
        )
    alike = [line.split(" = ")[0] for line in author.made if "nn.Linear(" in line or "nn.Conv" in line]
    if not author.plain and author.maybe(0.3):
        author.made.append("self.never = nn.Linear(3, 2)")
    if not author.plain and author.maybe(0.2):
        author.made.append("self.register_buffer('kept', torch.ones(2, 3))")
    for one, other in pairwise(alike):
        a, b = (getattr(author.module, name.removeprefix("self.")) for name in (one, other))
        if a.weight.shape == b.weight.shape and not author.plain and author.maybe():
            author.made.append(f"{one}.weight = {other}.weight")
    way = draw.choice(["plain", "names", "dict", "list"]) if wide else "plain"
    return Written(author.written(outputs, way), {name: x for name, (_, x) in given.items()}, way)


def differences(seed: int, seen: dict[str, int] | None = None, *, wide: bool = False) -> Iterator[str]:
    """What archlens says of the module of a seed, and torch does not; counts what was compared."""
    seen = {} if seen is None else seen

    def count(what: str, by: int = 1) -> None:
        seen[what] = seen.get(what, 0) + by

    written = write(seed, wide=wide)
    module = written.module()
    with torch.no_grad():
        try:
            written.called(module, written.tensors(3)), written.called(module, written.tensors(1))
        except (RuntimeError, ValueError):  # the meta device is less strict
            return
    count("modules")
    try:
        network = written.called(partial(archlens.trace, module), written.tensors(1))
    except archlens.SpecError as problem:
        if "has no layers" not in str(problem):
            raise
        return
    state = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    ours = network.state()
    tied = {
        line.split(" = ")[1].strip().removeprefix("self.")
        for line in written.source.split("\n")
        if ".weight = " in line
    }
    if {**{key: state[key] for key in tied & state.keys()}, **ours} != state:
        yield f"state: {ours} for {state}"
    params = sum(one.numel() for one in module.parameters())
    if network.params != params:
        yield f"params: {network.params} for {params}"
    if network.unknown:
        yield f"unknown: {dict(network.unknown)}"

    shapes: dict[str, list[tuple[int, ...]]] = {}

    def hook(name: str) -> Any:
        return lambda _m, _i, out: shapes.setdefault(name, []).append(
            tuple(out.shape) if isinstance(out, Tensor) else ()
        )

    handles = [part.register_forward_hook(hook(name)) for name, part in module.named_modules()]
    with torch.no_grad():
        out = written.called(module, written.tensors(1))
    for handle in handles:
        handle.remove()
    meta = copy.deepcopy(module).to("meta")  # where torch sees what recurrent layers are made of
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        written.called(meta, written.tensors(1, "meta"))
    if 2 * network.macs != counter.get_total_flops():
        yield f"MACs: {network.macs} for {counter.get_total_flops() / 2:g}"
    outputs = list(leaves(out))
    if network.output != tuple(outputs[0].shape[1:]):
        yield f"output: {network.output} for {tuple(outputs[0].shape[1:])}"
    for name, found in shapes.items():
        if name in network.needed and name in network.index and len(found) == 1 and found[0]:
            layer = network[name]
            if layer.op.kind == "opaque" and str(layer.op) == "unused":
                continue
            if isinstance(module.get_submodule(name), nn.Embedding) != (layer.op.kind == "embedding"):
                continue  # its weight is lent, and has run as another layer
            count("shapes")
            count("shapes whose axes lie otherwise", int(tuple(layer.shape) != found[0][1:]))
            if prod(layer.shape) != prod(found[0]):
                yield f"shape of {name} ({layer.op}): {layer.shape} for {found[0]}"
    opaque = [layer for layer in network if layer.op.kind == "opaque" and str(layer.op) != "unused"]
    count("layers", len(network.layers))
    count("opaque", len(opaque))
    for layer in opaque:
        count(f"  {layer.op}")
    shared = any(layer.keys for layer in network)
    unused = any(str(layer.op) == "unused" for layer in network)
    again = None
    if not opaque and not unused:
        try:
            again = archlens.build(network).eval()
        except archlens.UsageError:  # it says so of weights that are shared in other ways
            if not shared:
                raise
    if again is not None:
        again.load_state_dict(module.state_dict())
        given = written.tensors(3)
        with torch.no_grad():
            ours, theirs = list(leaves(again(*given))), list(leaves(written.called(module, given)))
        count("built")
        if len(ours) != len(network.outputs):
            yield f"{len(ours)} outputs built for {network.outputs}"
        for one, other in zip(ours[:1], theirs[:1], strict=False):
            if one.shape != other.shape or not torch.allclose(
                one, other, rtol=1e-4, atol=1e-5, equal_nan=True
            ):
                yield f"values differ: {one.shape} for {other.shape}"
    if wide and again is not None:
        try:
            text = archlens.convert(network)
        except archlens.UsageError as problem:
            count("not written")
            why = re.sub(r"[\w.]*\d[\w.]*", "_", str(problem).split(": ", 2)[-1].split("\n")[0])
            count(f"  not written: {why}")
            return
        count("written")
        spec = elaborate(parse(text, name="net"))
        figures = [(one.params, one.macs, one.state()) for one in (spec, network)]
        if figures[0] != figures[1]:
            yield "the spec has other figures"
        built = archlens.build(spec).eval()
        built.load_state_dict(module.state_dict())
        with torch.no_grad():
            one = next(leaves(built(*given)))
        if one.shape != theirs[0].shape or not torch.allclose(
            one, theirs[0], rtol=1e-4, atol=1e-5, equal_nan=True
        ):
            yield f"values of the spec differ: {one.shape} for {theirs[0].shape}"


def leaves(out: Any) -> Iterator[Tensor]:
    """The tensors of an output."""
    if isinstance(out, Tensor):
        yield out
    else:
        for one in out.values() if isinstance(out, dict) else out:
            yield from leaves(one)


def main(first: int, last: int, *, wide: bool = False) -> None:
    seen: dict[str, int] = {}
    for seed in range(first, last):
        try:
            found = list(differences(seed, seen, wide=wide))
        except Exception as problem:  # which is what is looked for
            found = [f"{type(problem).__name__}: {problem}"]
        for one in found:
            seen["differences"] = seen.get("differences", 0) + 1
            print(f"seed {seed}: {one}", flush=True)
    for what, number in seen.items():
        print(f"{number:>9,} {what}")


if __name__ == "__main__":
    wide = "wide" in sys.argv
    first, *last = (int(one) for one in sys.argv[1:] if one != "wide")
    if not last:
        print(write(first, wide=wide).source)
    main(first, *last or [first + 1], wide=wide)
