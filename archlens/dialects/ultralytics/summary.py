"""What Ultralytics prints of a model, which people keep in a comment beside the scale that it is of.

``# YOLOv8n summary: 129 layers, 3157200 parameters, 3157184 gradients, 8.9 GFLOPs`` holds its modules, its
parameters, those that are trained, and twice what a counter of the day made of its work. The line says
neither which modules were counted, nor on what picture, nor with how many classes: each that the tool has
used is tried.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cached_property

from ...errors import ArchlensError, Span
from ...network import Layer, Network, scopes_around
from ...published import Entry, Figure, Recount, Recounted, number
from .config import Config

_LINE = re.compile(
    r"#[^#]{0,200}?summary(?P<fused>[^:#]{0,20}fused[^:#]{0,20})?[^:#]{0,20}:"
    r"\s{0,9}(?P<layers>[\d,]{1,20})\s{1,9}layers,"
    r"\s{1,9}(?P<params>[\d,]{1,20})\s{1,9}(?:parameters|params)\b"
    r"(?:,\s{1,9}(?P<gradients>[\d,]{1,20})\s{1,9}gradients)?"
    r"(?:,\s{1,9}(?P<flops>\d{1,9}(?:\.\d{1,9})?)\s{1,9}GFLOPs)?",
    re.IGNORECASE,
)

#: The longest line that is looked at.
_LONGEST = 2000

#: Heads whose models the tool counts on pictures of another side, too.
_SIDES = {"Classify": 224, "OBB": 1024, "OBB26": 1024}

#: What the tool does not see: heads of the loss, of which a decoder has the last alone at inference; what
#: reads texts before; and attention and enlarging that are one function.
_UNSEEN = re.compile(r"\.(semseg|reprta|self_attn|interpolate|dec_score_head\.[0-4])\b|_sigma\.")

#: What reads an example from a picture: convolutions with their norms, others, upsamplings and identities.
_EXAMPLES = 2 * 10 + 4 + 6

#: The flow of Pose26: twelve nets of three linear layers and two activations, half of them with a tanh.
_FLOW = 12 * 5 + 6


def printed(config: Config, letter: str) -> tuple[Entry, ...]:
    """What the comments of a file have of a scale: on its line, or on any where the file has no scales."""
    source = config.source
    if letter in config.scales:
        places = [config.scale_key(letter).span.line]
    else:
        places = [] if config.scales else [*range(1, len(source.lines) + 1)]
    found = []
    for at in places:
        line = source.lines[at - 1]
        read = _LINE.search(line) if len(line) <= _LONGEST else None
        if read is None:
            continue
        figures = {name: read[name] for name in ("layers", "params", "gradients", "flops") if read[name]}
        if "flops" in figures:
            figures["flops"] += " G"
        span = Span(source, at, read.start() + 1, read.end() - read.start())
        said = "it is of the model with its batch norms folded into convolutions" if read["fused"] else ""
        place = f"{os.path.basename(source.name)}, the comment in line {at}"
        listed = tuple(Figure(name, "", text, span) for name, text in figures.items())
        found.append(Entry(place, "", listed, unverified=said))
    return tuple(found)


class Summary(Recount):
    """A model as the tool counts it."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def of(self, figure: Figure) -> Iterator[Recounted]:
        """What the tool counts under the name of a figure: with the classes of the file, and with others."""
        yield from self._counted(figure, "")
        for classes, other in self.others.items():
            yield from Summary(other)._counted(figure, f"it is the figure of {classes} classes")

    @cached_property
    def others(self) -> dict[int, Network]:
        """The same model with the classes that give it the parameters of its line."""
        lines = (entry.printed("params") or "" for entry in self.network.meta.published)
        printed = {one.digits for one in map(number, lines) if one is not None}
        known = (80, 1000) if "Classify" in self.network.blocks.values() else (80,)
        found = {}
        for classes in known if self.network.params not in printed else ():
            try:
                other = self.network.with_values(nc=classes)
            except ArchlensError:  # whatever these classes break, the model of the file is as it is
                continue
            if other.params in printed:
                found[classes] = other
        return found

    def _counted(self, figure: Figure, why: str) -> Iterator[Recounted]:
        network = self.network
        if figure.quantity == "params":
            yield Recounted("params", network.params, why)
        elif figure.quantity == "gradients":
            # the distances that a head of distributions weighs stay what they are
            fixed = sum(layer.params for layer in network if layer.name.endswith(".dfl.conv"))
            yield Recounted("gradients", network.params - fixed, why)
        elif figure.quantity == "layers":
            leaves = _leaves(network)
            held = {scope for layer in network for scope in scopes_around(layer.name)}
            yield Recounted("layers (leaf modules)", leaves, why)
            yield Recounted("layers (all modules)", leaves + len(held) + 1, why)
        elif figure.quantity == "flops":
            for side in self.sides:
                for by_outputs in (False, True):
                    yield Recounted(f"FLOPs ({side}x{side})", self.flops(side, by_outputs), why)

    @cached_property
    def sides(self) -> list[int]:
        """The pictures that the tool counts the work of such a model on."""
        blocks = set(self.network.blocks.values())
        return [640] + [side for head, side in _SIDES.items() if head in blocks]

    @cached_property
    def small(self) -> tuple[Network, int]:
        """The model on a picture as large as its stride, and that; RT-DETR's on a whole one."""
        side = 640 if "RTDETRDecoder" in self.network.blocks.values() else self.stride
        return self.network.with_input({"input": f"{self.network.input.channels}x{side}x{side}"}), side

    @cached_property
    def stride(self) -> int:
        """How much smaller than the picture the smallest map is that the head reads, and at least 32."""
        head = ".".join(self.network.layers[-1].name.split(".")[:2])
        read = [
            shape.spatial
            for layer in self.network
            if layer.within(head)
            for name, shape in zip(layer.inputs, layer.input_shapes, strict=True)
            if not name.startswith(f"{head}.") and len(shape.spatial) == 2
        ]
        height = self.network.input.spatial[0]
        return max([32, *(height // least[0] for least in read)])

    def flops(self, side: int, by_outputs: bool) -> int:
        """Two operations for each of what the tool counts on a picture.

        Multiply-accumulates of convolutions, in its older versions a transposed one by its outputs; four for
        each value that a norm reads, and one for each that an upsampling gives; no attention. All is counted
        on a small picture and multiplied by the area, also a linear layer behind a pooling or on texts, which
        works as much on any.
        """
        small, stride = self.small
        counts = (_work(layer, by_outputs) for layer in small if not _UNSEEN.search(layer.name))
        return round(2 * sum(counts) * (side / stride) ** 2)


def _work(layer: Layer, by_outputs: bool) -> float:
    kind, x = layer.op.kind, layer.input_shapes[0]
    if kind == "conv_transpose" and by_outputs:
        return layer.macs * layer.shape.numel / layer.shape.channels / (x.numel / x.channels)
    if kind in ("conv", "linear", "conv_transpose"):
        return layer.macs
    if kind == "upsample":
        return layer.shape.numel
    return 4 * x.numel if kind in ("batch_norm", "layer_norm") else 0


def _leaves(network: Network) -> int:
    """Modules that hold no others.

    Layers with weights; poolings; concats and upsamplings of rows; one activation, which all blocks share,
    and one for each branch that was copied; an identity for each block without one, for each of two ways of a
    ghost bottleneck, and for distances that are no distribution. Of RT-DETR's decoder its activations and
    dropouts, too, and the table of its denoising; queries, keys and values have a parameter and no module.
    """
    blocks = [*network.blocks.values()]
    decoded = blocks.count("_decoder_layer")
    activated = {layer.name.removesuffix(".act") for layer in network if layer.name.endswith(".act")}
    bare = [
        scope
        for scope, block in network.blocks.items()
        if block in ("Conv", "DWConv", "ConvTranspose") and scope not in activated
    ]
    held = [
        layer
        for layer in network
        if layer.facts.weights
        and layer.op.kind not in ("layer_scale", "opaque")
        and not (decoded and re.search(r"\.self_attn\.[qkv]$", layer.name))
    ]
    rows = [layer for layer in network if layer.name.count(".") == 1 and not layer.facts.weights]
    pools = {
        re.sub(r"_\d+$", "", layer.name)
        for layer in network
        if layer.name.count(".") > 1
        and layer.op.kind in ("max_pool", "adaptive_max_pool", "global_avg_pool", "dropout")
        and layer.op.kind not in layer.name
    }
    copied = {scope.split(".")[2] for scope in activated if ".one2one_" in scope}
    alike = [
        layer
        for layer in network
        if "logit_scale" in layer.facts.weights and f"{layer.scope}.norm" not in network.index
    ]
    plain = (
        not decoded
        and "Classify" not in blocks
        and "dfl" not in {scope.split(".")[-1] for scope in network.blocks}
    )
    return (
        len(held)
        + len(bare)
        + len(rows)
        + len(pools)
        + len(copied)
        + len(alike)
        + bool(activated)
        + plain
        + (blocks.count("MLP") + 5 * decoded + 1) * bool(decoded)
        + 2 * blocks.count("GhostBottleneck")
        + _EXAMPLES * any(block.startswith("YOLOE") for block in blocks)
        + _FLOW * blocks.count("Pose26")
    )
