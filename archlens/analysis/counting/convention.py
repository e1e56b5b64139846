"""What a convention is, and what several of them share.

Most tools look the class of a module, or the name of an operator, up in a table of their own. Their
conventions here are that table, looked up by what ``Facts.torch`` says a tool meets; what is not in it the
tool takes as zero, and so does its convention.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt, prod
from typing import NamedTuple

from ...network import Layer, Network
from ...ops.opaque import Opaque


class Share(NamedTuple):
    """A layer's share of what a tool counts.

    The two figures are one unless the tool is plainly wrong about the layer; then ``why`` says so.
    """

    #: By the tool's own convention, had it kept to it.
    counted: int
    #: What the tool adds to its total.
    printed: int
    #: What is wrong, as a clause: "it takes … for …".
    why: str = ""


class Gap(NamedTuple):
    """Layers that a tool overlooks where their module is written in one way, which no network says."""

    concerns: Callable[[Layer], bool]
    #: What is wrong, as a clause.
    why: str


@dataclass(frozen=True)
class Convention:
    """How a tool counts, in words and as functions of a layer.

    Layers of heads for training are never asked for their work: every tool runs an inference.
    """

    #: The tool, with the version that was read and that the tests run.
    tool: str
    #: What it counts, as a sentence.
    counts: str
    #: What it leaves out, as a sentence; empty where nothing is.
    leaves_out: str
    #: Where that can be read.
    source: str
    #: A layer's share of the total; ``None`` where the tool counts no work.
    work: Callable[[Layer], Share] | None
    #: A layer's share of the parameters.
    params: Callable[[Layer], Share]
    #: By their names, the shares of layers of which the tool makes something else where they stand.
    placed: Callable[[Network], Mapping[str, Share]] = lambda _: {}
    #: What it may overlook in a module of someone else's, though not in what archlens builds.
    gaps: tuple[Gap, ...] = ()


#: Why a tool counts too little of a layer: it has no rule for torch's attention; none for a module (its name
#: stands in the braces), and counts those within; none for a module, and none within.
FUSED = (
    "it has no rule for scaled_dot_product_attention and counts the products of queries by keys and of "
    "weights by values as zero"
)
INSIDE = "it has no rule for {} and counts only the products of the linear layers within"
UNKNOWN = "it has no rule for {} and counts its products as zero"


#: Layers that read their input step by step.
RECURRENT = frozenset({"archlens.LSTM", "archlens.GRU", "archlens.RNN"})
#: The same where a traced module has one of a form that is no op, by the name of its class in torch.nn.
_RECURRENT_MODULES = frozenset({"LSTM", "GRU", "RNN"})


def recurrent(layer: Layer) -> str:
    """The module of torch.nn for a layer that reads its input step by step; empty where it is none."""
    if isinstance(layer.op, Opaque):
        name = str(layer.op)
        return f"nn.{name}" if name in _RECURRENT_MODULES else ""
    return met(layer).replace("archlens", "nn") if met(layer) in RECURRENT else ""


#: Why a tool counts nothing of one that torch runs by calling one kernel.
IN_ONE_KERNEL = (
    "it has no rule for the kernel that torch runs it with on a CPU, and counts its products as zero"
)


def runs_in_one_kernel(layer: Layer) -> bool:
    """Whether torch runs it on a CPU by calling one kernel: an LSTM without a projection."""
    return recurrent(layer) == "nn.LSTM" and "weight_hr_l0" not in layer.facts.weights


def same(count: int) -> Share:
    """A share of which nothing is wrong."""
    return Share(count, count)


def trainable(layer: Layer) -> Share:
    """The parameters of a layer as archlens counts them; most tools agree."""
    return same(layer.params)


def by_module(layer: Layer) -> Share:
    """The parameters of a layer to a tool that takes those of each module: a tied weight twice."""
    printed = layer.params if layer.again else layer.whole.params
    return Share(layer.params, printed, _TIED if printed != layer.params else "")


_TIED = "it counts a weight that is tied to that of another layer again"


def bias(layer: Layer) -> int:
    """The bias additions of a layer."""
    return layer.facts.other.get("bias", 0)


def numel(layer: Layer) -> int:
    """The values of a layer's first input."""
    return layer.input_shapes[0].numel


def is_affine(layer: Layer) -> bool:
    """Whether a normalization has a learned scale and shift."""
    return "weight" in layer.facts.weights


#: What a tool counts of a layer, by the module or function of torch that it meets there.
Table = Mapping[str, Callable[[Layer], Share]]


def met(layer: Layer) -> str:
    """The module or function of torch that a tool meets where the layer stands: ``nn.Conv2d``."""
    return layer.facts.torch.target


def over_axes(name: str, rule: Callable[[Layer], Share]) -> dict[str, Callable[[Layer], Share]]:
    """One rule for ``name1d``, ``name2d`` and ``name3d``."""
    return {f"{name}{axes}d": rule for axes in (1, 2, 3)}


def weight_positions(layer: Layer, positions: int) -> int:
    """Products of a convolution whose weights are each used at so many positions."""
    return prod(layer.facts.weights["weight"]) * positions


class Inner(NamedTuple):
    """A linear layer that is a module within one of archlens' own, where tools find it."""

    #: The values of its weight and of its bias.
    weights: int
    bias: int
    #: How many positions it is applied to.
    positions: int

    @property
    def macs(self) -> int:
        """Its multiply-accumulates."""
        return self.weights * self.positions

    @property
    def params(self) -> int:
        """Its parameters."""
        return self.weights + self.bias


#: The linear layers within archlens' own modules: those over all positions, those over relative ones.
_WITHIN: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "archlens.SelfAttention": (("out_proj",), ()),
    "archlens.MultiheadSelfAttention": (("out_proj",), ()),
    "archlens.WindowAttention": (("qkv", "proj"), ()),
    # torch's function is called with the weights of its qkv
    "archlens.WindowAttentionV2": (("proj",), ("cpb_mlp.0", "cpb_mlp.2")),
    "archlens.RelativeAttention": (("to_qkv", "merge"), ()),
}

#: Attention of tokens to each other between projections, by torch's own function.
SELF_ATTENTION = ("archlens.SelfAttention", "archlens.MultiheadSelfAttention")

#: Every kind of attention; tools find modules within, or none.
ATTENTION = frozenset(_WITHIN)


def within(layer: Layer) -> list[Inner]:
    """The linear layers within an attention that are modules, and are called as such."""
    weights = layer.facts.weights
    over_all, over_relative = _WITHIN[met(layer)]
    relative = prod(layer.facts.kept.get("relative_coords_table", (0,))[:-1])
    runs = [(name, attending(layer)[0]) for name in over_all] + [(name, relative) for name in over_relative]
    return [
        Inner(prod(weights[f"{name}.weight"]), prod(weights.get(f"{name}.bias", (0,))), positions)
        for name, positions in runs
    ]


def in_one(layer: Layer) -> int:
    """The products that torch computes by calling scaled_dot_product_attention."""
    if met(layer) in SELF_ATTENTION:
        return attending(layer)[1]
    return layer.macs if met(layer) == "archlens.attention" else 0


def fused(layer: Layer) -> int:
    """Those of them that one kernel computes, as it does where values have as many channels as keys."""
    apart = met(layer) == "archlens.attention" and layer.shape.channels != layer.input_shapes[0].channels
    return 0 if apart else in_one(layer)


def attending(layer: Layer) -> tuple[int, int]:
    """The positions of an attention, padding included, and the products of QK and AV together."""
    facts, channels = layer.facts, layer.shape.channels
    if met(layer) in SELF_ATTENTION:
        positions = prod(layer.input_shapes[0].spatial)
        projections = sum(prod(shape) for shape in facts.weights.values() if len(shape) > 1)
        return positions, facts.macs - positions * projections
    index = facts.kept.get("relative_position_index")  # one for each two positions of a window
    seen = layer.shape.spatial[0] if index is None else isqrt(prod(index))
    products = facts.macs - layer.macs_once
    positions = products // (2 * channels * (2 * channels + seen))
    return positions, 2 * positions * seen * channels
