"""What a convention is, and what several of them share.

Most tools look the class of a module, or the name of an operator, up in a table of their own. Their
conventions here are that table, looked up by what ``Facts.torch`` says a tool meets; what is not in it the
tool takes as zero, and so does its convention.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from ...network import Layer


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


def same(count: int) -> Share:
    """A share of which nothing is wrong."""
    return Share(count, count)


def trainable(layer: Layer) -> Share:
    """The parameters of a layer as archlens counts them; most tools agree."""
    return same(layer.params)


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
