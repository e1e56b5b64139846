"""The networks of the zoo, laid out once for all; and which are tried where each of a family would do."""

from __future__ import annotations

from functools import cache

import archlens
from archlens.library.finding import families, text_of
from archlens.library.index import lookup
from archlens.network import Network


@cache
def network(name: str) -> Network:
    """A network of the zoo as its spec has it."""
    return archlens.load(name)


def smallest(family: str, members: list[str]) -> str:
    """The member of a family with the fewest parameters: its relatives differ in numbers alone."""
    figures = lookup(family, text_of(family))  # nothing where the index is stale, which another test says

    def params(name: str) -> int:
        return int(figures[name]["params"]) if name in figures else archlens.load(name).params

    return min(members, key=lambda name: (params(name), name))


def alike(members: list[str]) -> dict[str, list[str]]:
    """Members of a family that differ in numbers alone, by the one of them with the fewest parameters.

    They have the same blocks, ops of the same kinds, in inference and in training, inputs and outputs.
    """
    found: dict[object, list[str]] = {}
    for name in members:
        one = network(name)
        ops = frozenset((layer.op.kind, layer.training) for layer in one)
        blocks = frozenset(one.blocks.values())
        found.setdefault((ops, blocks, *one.inputs, *one.outputs), []).append(name)
    return {min(some, key=lambda name: (network(name).params, name)): some for some in found.values()}


#: One network of each family.
SMALLEST = [smallest(*family) for family in families().items()]
