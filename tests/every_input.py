"""Formulas against the same networks on each size: ``python tests/every_input.py NAME...``.

For each network the spatial axes of its first input are letters. Along each axis, with the others at their
own, and along all of them together, every size up to a bound is laid out and compared with the formula:
whether it is refused, the shape of every layer, its parameters and multiply-accumulates. Then pairs of sizes
at random, or with ``--whole`` all of them, which takes hours for a network. Without names it is those of
torchvision.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import random
import time
from collections.abc import Iterable
from pathlib import Path

import archlens
from archlens import SpecError, UsageError
from archlens.analysis import formula
from archlens.analysis.formula import Formula
from archlens.formulas import form_of
from archlens.network import Network


def lettered(network: Network) -> Formula:
    """The formulas of a network whose first input has letters along its spatial axes."""
    name, shape = next(iter(network.inputs.items()))
    letters = {axis: axis[0].upper() for axis in shape.axes}
    sizes = tuple([letters.get(axis, n) for axis, n in zip(shape.names, shape, strict=True)])
    return formula.find(network, {name: sizes})


def compared(network: Network, found: Formula, points: Iterable[tuple[int, ...]]) -> int:
    """Hold formulas against the network on some sizes; how many of them it takes."""
    name, shape = next(iter(network.inputs.items()))
    taken = 0
    for point in points:
        sizes = dict(zip(found.letters, point, strict=True))
        try:
            piece = found.piece(**sizes)
        except UsageError:
            assert found.untold
            continue
        try:
            there = network.with_input({name: shape.with_spatial(point)}, inference=True, advice=False)
        except SpecError:
            assert piece is None, f"{network.name} refuses {sizes}, and the formula does not"
            continue
        assert piece is not None, f"{network.name} takes {sizes}, and the formula does not"
        taken += 1
        assert len(there) == len(piece.network), sizes
        for layer, formed in zip(there, piece.network, strict=True):
            assert layer.name == formed.name, (sizes, layer.name)
            assert tuple(layer.shape) == found.known(formed.shape), (sizes, layer.name)
            assert layer.facts.macs == found.table.value(form_of(formed.facts.macs)), (sizes, layer.name)
            assert layer.params == found.table.value(form_of(formed.params)), (sizes, layer.name)
    return taken


def along(own: tuple[int, ...], axis: int, upto: int) -> Iterable[tuple[int, ...]]:
    """The points along one axis, the others at their own."""
    return ((*own[:axis], n, *own[axis + 1 :]) for n in range(1, upto + 1))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*")
    options.add_argument("--upto", type=int, default=512)
    options.add_argument("--pairs", type=int, default=200)
    options.add_argument("--whole", action="store_true")
    options.add_argument("--seed", type=int, default=19)
    given = options.parse_args()
    names = given.names
    if not names:
        rows = (Path(__file__).parent / "data" / "torchvision.csv").read_text("utf-8").splitlines()
        names = [row["model"] for row in csv.DictReader(line for line in rows if not line.startswith("#"))]
    for name in names:
        network = archlens.load(name)
        own = next(iter(network.inputs.values())).spatial
        start = time.process_time()
        network.with_input(network.inputs, advice=False)
        walk = time.process_time() - start
        start = time.process_time()
        found = lettered(network)
        took = time.process_time() - start
        rng = random.Random(given.seed)
        points = [point for axis in range(len(own)) for point in along(own, axis, given.upto)]
        points += [(n,) * len(own) for n in range(1, given.upto + 1)]
        points += [tuple(rng.randint(1, given.upto) for _ in own) for _ in range(given.pairs)]
        if given.whole:
            points = [*itertools.product(range(1, given.upto + 1), repeat=len(own))]
        taken = compared(network, found, points)
        print(
            f"{name}: {len(points):,} inputs, {taken:,} taken; {len(found.pieces)} formulas, "
            f"{1000 * walk:.0f} ms for a walk, {1000 * took:.0f} ms for these; {found.untold}",
            flush=True,
        )


if __name__ == "__main__":
    main()
