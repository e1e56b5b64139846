"""Holds the model files of an Ultralytics package against the summaries in their comments.

The package is AGPL, so that neither its files nor its code are here::

    pip download ultralytics --no-deps && unzip -q ultralytics-*.whl -d package
    python tests/ultralytics_survey.py package/ultralytics/cfg/models

A comment is what the tool printed when the line was written: leaf modules, parameters, those that are
trained, and GFLOPs, with the counting tool and the number of classes of its day. What the tool counts is not
what archlens counts; :func:`gflops` and :func:`leaves` say in what they differ.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

from archlens import dialects
from archlens.network import Layer, Network

LINE = re.compile(
    r"^\s+(\w): \[.*?summary: ([\d,]+) layers, ([\d,]+) parameters, ([\d,]+) gradients, ([\d.]+) GFLOPs",
    re.MULTILINE | re.IGNORECASE,
)

#: Lines that stand in another file, too, which is the one of the network that they are of.
COPIED = {
    "v8/yoloe-v8.yaml": "v8/yolov8-worldv2.yaml",
    "v8/yoloe-v8-seg.yaml": "v8/yolov8-world.yaml",
    "11/yoloe-11.yaml": "11/yolo11.yaml",
    "11/yoloe-11-seg.yaml": "11/yolo11-seg.yaml",
    "26/yolo26-sem.yaml": "26/yolo26.yaml",
}

#: Files in whose lines the layers are all modules, those that hold others, too, as the tool printed before it
#: counted leaves: the package's own YOLO11n has 319 modules, of which 181 are leaves, its YOLO11n-seg 355 and
#: 203, and its YOLO11l 631 and 357. What a module is made of is no figure of archlens.
WHOLE = ("11/yoloe-11.yaml", "11/yoloe-11-seg.yaml")

#: Lines that were printed when the file had other classes than it has now: in the history of
#: https://github.com/ultralytics/ultralytics those of YOLO11 until faffb00, those of YOLO12 until 1e2df30.
CLASSES = {"11/yolo11-cls.yaml": 80, "12/yolo12-cls.yaml": 80}

#: Of these, those whose GFLOPs are of the file's own classes all the same.
MIXED = ("11/yolo11-cls.yaml",)

#: The side of the picture of a line, where it is not 640.
SIDES = {"11/yolo11-cls.yaml": 224, "26/yolo26-cls.yaml": 224, "26/yolo26-obb.yaml": 1024}


#: What the tool does not see: heads of the loss, of which a decoder has the last alone at inference; what
#: reads texts before; and attention and enlarging that are one function.
UNSEEN = re.compile(r"\.(semseg|reprta|self_attn|interpolate|dec_score_head\.[0-4])\b|_sigma\.")


def gflops(network: Network, side: int, outputs: bool) -> float:
    """What the tool of the day counted: two operations for each of these.

    Multiply-accumulates of convolutions, a transposed one by its outputs unless the line is new; four for
    each value that a norm reads, and one for each that an upsampling gives; no attention. All is counted on
    a picture of the largest stride and multiplied by the area, also a linear layer behind a pooling or on
    texts, which works as much on any picture; but for RT-DETR, which wants a larger picture.
    """
    stride = 64 if "p6" in network.name else 32
    if "rtdetr" in network.name:
        stride = side
    small = network.with_input({"input": f"{network.input.channels}x{stride}x{stride}"})
    counts = (_counted(layer, outputs) for layer in small if not UNSEEN.search(layer.name))
    return 2 * sum(counts) * (side / stride) ** 2 / 1e9


def _counted(layer: Layer, outputs: bool) -> float:
    kind, x = layer.op.kind, layer.input_shapes[0]
    if kind == "conv_transpose" and outputs:
        return layer.macs * layer.shape.numel / layer.shape.channels / (x.numel / x.channels)
    if kind in ("conv", "linear", "conv_transpose"):
        return layer.macs
    if kind == "upsample":
        return layer.shape.numel
    return 4 * x.numel if kind in ("batch_norm", "layer_norm") else 0


#: What reads an example from a picture: convolutions with their norms, others, upsamplings and identities.
EXAMPLES = 2 * 10 + 4 + 6

#: The flow of Pose26: twelve nets of three linear layers and two activations, half of them with a tanh.
FLOW = 12 * 5 + 6


def leaves(network: Network) -> int:
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
        + EXAMPLES * any(block.startswith("YOLOE") for block in blocks)
        + FLOW * blocks.count("Pose26")
    )


def main(folder: Path) -> None:
    """Print what is other than its line, and how many are not."""
    found: Counter[str] = Counter()
    apart = set()
    for path in sorted(folder.glob("*/*.yaml")):
        name = path.relative_to(folder).as_posix()
        for scale, *figures in LINE.findall(path.read_text("utf-8")):
            layers, params, trained = (int(one.replace(",", "")) for one in figures[:3])
            values = {"nc": CLASSES[name]} if name in CLASSES else {}
            of = folder / COPIED.get(name, name)
            lines = LINE.findall(of.read_text("utf-8"))
            others = [(one[0], *one[2:]) for one in lines]
            assert (scale, *figures[1:]) in others, f"{name} has no copies of {of.name}"
            network = dialects.network(dialects.find(f"{of}:{scale}"), values=values)
            fixed = sum(16 for layer in network if layer.name.endswith(".dfl.conv"))
            worked = network if name not in MIXED else dialects.network(dialects.find(f"{of}:{scale}"))
            count = gflops(worked, SIDES.get(name, 640), not name.startswith("26/"))
            same = {
                "params": network.params == params,
                "gradients": network.params - fixed == trained,
                "GFLOPs": f"{count:.1f}" == f"{float(figures[3]):.1f}",
                "layers": leaves(network) == layers,
            }
            found.update(one for one, holds in same.items() if holds)
            found["lines"] += 1
            apart.add((scale, *figures))
            own = name not in COPIED
            found["params as the file stands"] += same["params"] and not values and own
            found["params as the file stood"] += same["params"] and own
            found["copies of a line above"] += not own
            if name in WHOLE:
                found["layers that are modules of every kind"] += not same.pop("layers")
            found["lines that are equal or explained"] += all(same.values())
            if not all(same.values()):
                print(
                    f"{name}:{scale}: {figures[3]} GFLOPs, {count:.3f}; {layers} layers, {leaves(network)};",
                    end=" ",
                )
                print(
                    f"{params:,} params, {network.params:,}; other: {[k for k, v in same.items() if not v]}"
                )
    print(dict(found), f"{len(apart)} lines are apart")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
