"""The rule ``odd-channels``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...analysis.study import Study
from ...errors import shorten
from ...network import Layer
from ...ops.convolution import Conv, ConvTranspose
from ...ops.linear import Linear
from ..rule import ADVICE, Finding, Rule
from ..words import listed

#: What tensor cores take at once in float16: 16 bytes.
_MULTIPLE = 8


class OddChannels(Rule, code="AL501", name="odd-channels", level=ADVICE):
    """A number of channels is not a multiple of 8: matrix units pad it or cannot take it.

    What it does:
        Finds convolutions and linear layers whose input or output channels, in each group, are not a multiple
        of 8; one finding per network, with the multiply-accumulates after padding. The channels of the
        network's inputs, those of its outputs (the number of classes), and depthwise convolutions, which do
        not run on matrix units, are not counted.

    Why it matters:
        Tensor cores process float16 in blocks of 8 channels (16 bytes; 16 of int8, 4 of TF32). Libraries pad
        what does not fit and waste work on zeros, or fall back to slower kernels. Source: NVIDIA,
        "Convolutional Layers User's Guide", checklist and section "Channels In And Out".

    Example:
        input: 3x5x5
        layers:
          - conv(30, 3)
          - relu
          - conv(64, 3)
          - relu
          - global_avg_pool
          - flatten
          - linear(10)

    Use instead:
        input: 3x5x5
        layers:
          - conv(32, 3)
          - relu
          - conv(64, 3)
          - relu
          - global_avg_pool
          - flatten
          - linear(10)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        ends, starts = _towards_outputs(study), _towards_inputs(study)
        products = [layer for layer in study.network.layers if _is_product(layer)]
        sides = [(layer, *_channels(layer)) for layer in products]
        odd = [
            _Odd(layer, inside, outside, layer.inputs[0] not in starts, layer.name not in ends)
            for layer, inside, outside in sides
            if (inside % _MULTIPLE and layer.inputs[0] not in starts)
            or (outside % _MULTIPLE and layer.name not in ends)
        ]
        if not odd:
            return
        macs, padded = sum(one.layer.macs for one in odd), sum(one.padded for one in odd)
        yield self.found(
            [one.layer for one in odd],
            f"{len(odd)} of {len(products)} convolutions and linear layers have channels that are not a "
            f"multiple of {_MULTIPLE}: {listed([one.words for one in odd], 4)}",
            notes=[
                f"padded up to multiples of {_MULTIPLE} they take {padded:,} multiply-accumulates "
                f"instead of {macs:,}, {100 * (padded - macs) / macs:.1f} % more"
            ],
            help=f"channels, and channels in each group, that are multiples of {_MULTIPLE}; "
            "divisible(n, 8) rounds to them",
            count=len(odd),
            of=len(products),
            macs=macs,
            padded=padded,
        )


class _Odd(NamedTuple):
    """A product whose channels, in each group, are no multiple of 8 where they count."""

    layer: Layer
    inside: int
    outside: int
    #: Whether the channels that flow in count, and those that flow out.
    counts_in: bool
    counts_out: bool

    @property
    def words(self) -> str:
        """``C1 (6 out)``."""
        inside = [f"{self.inside} in"] if self.counts_in and self.inside % _MULTIPLE else []
        outside = [f"{self.outside} out"] if self.counts_out and self.outside % _MULTIPLE else []
        return f"{shorten(self.layer.name)} ({' and '.join(inside + outside)})"

    @property
    def padded(self) -> int:
        """Its multiply-accumulates with the channels that count padded up."""
        inside = _up(self.inside) if self.counts_in else self.inside
        outside = _up(self.outside) if self.counts_out else self.outside
        return self.layer.macs // (self.inside * self.outside) * inside * outside


def _is_product(layer: Layer) -> bool:
    """Whether it runs on matrix units: a convolution or linear layer that is not depthwise."""
    op = layer.op
    if isinstance(op, Conv | ConvTranspose):
        return op.groups == 1 or layer.input_shapes[0].channels > op.groups
    return isinstance(op, Linear)


def _channels(layer: Layer) -> tuple[int, int]:
    """The channels of each group that flow in and out."""
    groups = layer.op.groups if isinstance(layer.op, Conv | ConvTranspose) else 1
    return layer.input_shapes[0].channels // groups, layer.shape.channels // groups


def _up(channels: int) -> int:
    return -(-channels // _MULTIPLE) * _MULTIPLE


def _towards_outputs(study: Study) -> set[str]:
    """The layers whose channels are those of an output: nothing with weights comes after them."""
    found = set(study.ends)
    for layer in reversed(study.network.layers):
        if layer.name in found and not layer.macs:
            found.update(layer.inputs)
    return found


def _towards_inputs(study: Study) -> set[str]:
    """The inputs, and the layers whose channels are theirs: nothing with products comes before them."""
    found = set(study.network.inputs)
    for layer in study.network.layers:
        if not layer.macs and all(name in found for name in layer.inputs):
            found.add(layer.name)
    return found
