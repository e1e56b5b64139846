"""How many configurations a search computes in a second, on one core, and whether they are right.

Usage: ``python tests/benchmarks/searches.py [PYCLS]``. A million configurations of three families are
searched, and 10,000 of them drawn at random and laid out each by itself: their figures have to be equal. With
the path of a checkout of pycls, https://github.com/facebookresearch/pycls, random RegNets are drawn as its
design space has them, and counted by its formulas and by a search of as many in the same process: the figures
have to be equal, and the ratio of the times is printed. pycls needs torch, yacs, iopath and submitit, in an
environment of its own.

It is run by hand; times are processor time.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import archlens
from archlens.errors import SpecError

FAMILIES: dict[str, dict[str, Any]] = {
    "mobilenet_v1": {"alpha": "0.2501..1.25:0.001", "input": "33..1032"},
    "regnet_x_400mf": {
        "depths": "[1..3, 1..6, 1..12, 1..10]",
        "widths": "[24..48:24, 48..96:24, 120..240:24, 240..480:48]",
        "g": "8..24:8",
    },
    "efficientnet_b0": {"width": "0.5..2:0.01", "depth": "0.5..3.2:0.05", "input": "96..600:4"},
}


def by_itself(name: str, row: dict[str, Any]) -> tuple[int, int] | None:
    values = {key: value for key, value in row.items() if key not in ("params", "macs", "refused", "input")}
    shape = (3, row["input"], row["input"]) if "input" in row else None
    try:
        network = archlens.load(name, input=shape, **values)
    except SpecError:
        return None
    return network.params, network.macs


def family(name: str, drawn: int) -> None:
    before = time.process_time()
    found = archlens.search(name, vary=FAMILIES[name])
    took = time.process_time() - before
    wrong = 0
    for place in random.Random(7).sample(range(len(found)), drawn):
        row = found[place]
        there = None if row["params"] is None else (row["params"], row["macs"])
        wrong += there != by_itself(name, row)
    print(
        f"{name}: {len(found):,} configurations in {took:.2f} s, {len(found) / took:,.0f} a second; "
        f"{found.refused:,} refused; {wrong} of {drawn:,} differ"
    )


def against_pycls(path: str, count: int) -> None:
    sys.path.insert(0, path)
    from pycls.core.config import cfg
    from pycls.models.anynet import AnyNet
    from pycls.models.blocks import adjust_block_compatibility
    from pycls.models.regnet import generate_regnet

    draw = random.Random(3)
    drawn = []
    while len(drawn) < count:  # the paper's design space RegNetX: d < 64, w_0 and w_a < 256, 1.5 <= w_m <= 3
        w_a, w_0 = round(8 + 56 * draw.random(), 1), 8 * draw.randint(3, 16)
        w_m, d, g = round(2 + draw.random(), 2), draw.randint(12, 28), 8 * draw.randint(1, 8)
        widths, depths, stages, total = generate_regnet(w_a, w_0, w_m, d)[:4]
        if stages != 4 or total != 4:
            continue
        widths, _, groups = adjust_block_compatibility([*map(int, widths)], [1.0] * 4, [g] * 4)
        drawn.append((tuple(map(int, depths)), tuple(map(int, widths)), tuple(map(int, groups))))
    even = [one for one in drawn if len(set(one[2])) == 1]  # of which a spec has one group width
    cfg.ANYNET.STEM_TYPE, cfg.ANYNET.BLOCK_TYPE = "simple_stem_in", "res_bottleneck_block"

    def complexity(depths: Any, widths: Any, groups: Any) -> tuple[int, int]:
        params = {
            "stem_type": "simple_stem_in", "stem_w": 32, "block_type": "res_bottleneck_block",
            "depths": depths, "widths": widths, "strides": [2] * 4, "bot_muls": [1.0] * 4,
            "group_ws": groups, "head_w": 0, "se_r": 0, "num_classes": 1000,
        }  # fmt: skip
        found = AnyNet.complexity({"h": 224, "w": 224, "flops": 0, "params": 0, "acts": 0}, params)
        return found["params"], found["flops"] - 1000  # it counts the biases of the last layer

    before = time.process_time()
    theirs = [complexity(*one) for one in even]
    their_time = time.process_time() - before
    rows = [(depths, widths, groups[0]) for depths, widths, groups in even]
    before = time.process_time()
    found = archlens.search("regnet_x_400mf", vary={("depths", "widths", "g"): rows})
    our_time = time.process_time() - before
    ours = list(zip(found.columns()["params"], found.columns()["macs"], strict=True))
    wrong = sum(a != b for a, b in zip(ours, theirs, strict=True))
    print(
        f"{len(even):,} RegNets of {len({one[0] for one in rows}):,} depths: pycls "
        f"{len(even) / their_time:,.0f} a second, archlens {len(even) / our_time:,.0f}, "
        f"{their_time / our_time:.1f} times as many; {wrong} differ"
    )


if __name__ == "__main__":
    for arg in sys.argv[1:]:
        against_pycls(arg, 100_000)
    for one in FAMILIES:
        family(one, 10_000 // len(FAMILIES) + 1)
