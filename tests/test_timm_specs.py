"""Networks of timm as specs: with timm's keys and shapes, so that its weights load, and its counts.

What is expected is timm's own, of version 1.0.22: the sum of its parameters, its multiply-accumulates by
torch's counter, and a digest of the sorted lines ``key 64x3x3x3`` of its state dict. With its weights the
outputs were timm's, too.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import pytest

import archlens
from archlens.shape import times


class Expected(NamedTuple):
    params: int
    macs: int
    digest: str


TIMM = {
    "mixer_b16_224": Expected(59_880_472, 12_601_767_936, "ceb63bed5e7af70c"),
    "convnextv2_atto": Expected(3_708_400, 547_332_480, "aca671715b8642f4"),
    "repvgg_a0": Expected(9_108_968, 1_512_581_120, "e5688c0f8ddaca60"),
    "ghostnet_100": Expected(5_182_508, 141_150_512, "0183986ef12d5567"),
}


@pytest.mark.parametrize("name", TIMM)
def test_keys_and_counts_are_those_of_timm(name: str) -> None:
    network = archlens.load(str(Path(__file__).parent / "data" / "timm" / f"{name}.yaml"))
    lines = [
        f"{layer.key(tensor)} {times(shape)}"
        for layer in network
        for tensor, shape in {**layer.facts.weights, **layer.facts.kept}.items()
    ]
    found = sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]
    assert Expected(network.params, network.macs, found) == TIMM[name]
