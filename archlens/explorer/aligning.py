"""What the page has to know of ops so as to align any two of its networks as ``archlens diff`` does.

The text of an op says its attributes: the page reads it, and knows from here what stands in which place and
what is meant where nothing is written. ``web/src/difference.js`` is the alignment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, product
from typing import Any

from ..analysis.difference import read, same_call
from ..analysis.structure import attributes, plain
from ..errors import printable
from ..network import Layer, Network
from ..ops.op import Op, as_written, signature


def vocabulary(networks: Iterable[Network]) -> dict[str, Any]:
    """The ops of some networks.

    ``signatures`` has the attributes of each kind of op in their order: the name, the default (``None``
    where there is none), and the name of the attribute that it follows (empty where it follows none).
    ``spelled`` has the kind and the attributes of ops whose text is not that of a call. ``calls`` are ops of
    several kinds that are the same call on some shapes.
    """
    first: dict[tuple[Op, int], Layer] = {}
    for network in networks:
        for layer in network.layers:
            # what is of one op on one shape has the same facts, the very object
            first.setdefault((layer.op, id(layer.facts)), layer)
    ops = {printable(str(op)): op for op, _ in first}
    kinds = {op.kind: type(op) for op in ops.values()}
    return {
        "signatures": {kind: [*_signature(op)] for kind, op in sorted(kinds.items())},
        "spelled": {text: [op.kind, _values(op)] for text, op in ops.items() if not _is_call(op)},
        "calls": [*_calls(first.values())],
    }


def _signature(op: type[Op]) -> Iterator[list[str | None]]:
    for name, parameter in signature(op).items():
        default = None if parameter.required else as_written(plain(parameter.default))
        yield [name, default, op.follows.get(name, "")]


def _is_call(op: Op) -> bool:
    """Whether its text is its kind and its attributes."""
    return type(op).__str__ is Op.__str__ and type(op).written is Op.written


def _values(op: Op) -> dict[str, str]:
    return {name: as_written(value) for name, value in attributes(op).items()}


def _calls(layers: Iterable[Layer]) -> Iterator[list[str]]:
    """What the layers read, and two ops that are the same call on that."""
    alike: dict[Any, dict[str, dict[Op, Layer]]] = {}
    for layer in layers:
        facts = layer.facts
        key = (read(layer), facts.shape, facts.torch.target, facts.params, facts.macs)
        alike.setdefault(key, {}).setdefault(layer.op.kind, {}).setdefault(layer.op, layer)
    for kinds in alike.values():
        for one, other in combinations(kinds.values(), 2):
            for a, b in product(one.values(), other.values()):
                if same_call(a, b):
                    shapes = ", ".join(sorted(map(str, a.input_shapes)))
                    yield [shapes, *sorted(printable(str(layer.op)) for layer in (a, b))]
