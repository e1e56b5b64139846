"""What the page knows of the layers of a network: the derivation of each, its row, its line and its field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..analysis import difference
from ..analysis.receptive_field import Seen
from ..analysis.study import Study
from ..counts import AtLeast
from ..errors import Source, Unplaced, printable
from ..network import Layer, Network
from ..ops import NonUniform
from ..views import words
from .nested import Nested, Told, labels
from .records import Strings

#: The family of what did not fit.
FAILED = "failed"

#: The most layers of a network that can be walked through.
LAYERS = 6000


def inside(
    study: Study, failed: Unplaced | None = None, *, told: Told | None = None
) -> dict[str, Any] | None:
    """The layers and the scopes of a network; ``None`` where there are too many.

    A layer is a list: the numbers of its two lines, of its op, its family and its shape, what it reads, the
    numbers of its parameters, MACs and values, that of its derivation, its file and line, its field, and what
    :func:`flags` says of it.

    Args:
        study: of the network.
        failed: what did not fit behind the last layer, where it is only what there is up to there. It is one
            more layer, of a family of its own, with the reason as its derivation.
        told: what was told of other networks.
    """
    network = study.network
    if len(network) > LAYERS:
        return None
    told = told or Told()
    nested = Nested(study, told, failed)
    boxes, around = labels(nested, network)
    say, sources = Strings(), dict[int, tuple[int, Source]]()
    number = {layer.name: i for i, layer in enumerate(network.layers)}
    number |= {name: -1 - i for i, name in enumerate(network.inputs)}
    fields = study.receptive_fields
    layers = []
    for layer, (first, second) in zip(network.layers, boxes, strict=True):
        op, family, shape, _, lines = told.layer(layer)
        layers.append(
            [
                *(say(printable(layer.name)), say(first), say(second), say(op), say(family), say(shape)),
                [number[name] for name in layer.inputs],
                *(_count(layer.params), _count(layer.macs), layer.shape.numel),
                say(lines),
                _line(layer, sources),
                _field(layer, fields[layer.name]),
                flags(layer),
            ]
        )
    if failed is not None:
        first, second = nested.label(True, failed.name)
        reads = [number[name] for name in failed.inputs if name in number]
        layers.append(
            [
                *(say(printable(failed.name)), say(first), say(second), say(printable(failed.op))),
                *(say(FAILED), say("")),
                reads,
                *(0, 0, 0),
                say(f"why\t{printable(failed.why)}"),
                None,
                "",
                0,
            ]
        )
    return {
        "layers": layers,
        "scopes": around,
        "nested": nested.data(),
        "inputs": [
            [printable(name), str(shape), int(shape.channels_last)] for name, shape in network.inputs.items()
        ],
        "outputs": [[printable(name), number[layer]] for name, layer in network.outputs.items()],
        "shared": [*_shared(network, number)],
        "on": [fields.input, list(network.inputs[fields.input].spatial)],
        "sources": [
            [printable(source.name), [_plain(line) for line in source.lines]]
            for _, source in sources.values()
        ],
        "strings": list(say.numbers),
    }


def flags(layer: Layer) -> int:
    """What is to be known of a layer beside its texts, as the bits of a number.

    From the lowest on: whether it runs in training only; whether its output has its channels last; whether
    its op merges tensors, whether these may stand in any order, and whether what was merged before may
    stand beside the rest; whether it has weights.
    """
    op = layer.op
    said = (
        *(layer.training, layer.shape.channels_last, op.merges, op.commutes, op.associates),
        bool(layer.facts.weights),
    )
    return sum(1 << i for i, one in enumerate(said) if one)


def _shared(network: Network, number: Mapping[str, int]) -> Iterator[list[Any]]:
    """Each layer that has tensors of others, with these: the layer that has each first, or its key."""
    for name, owned in difference.owners(network).items():
        yield [
            number[name],
            [[tensor, number.get(owner, printable(owner))] for tensor, owner in owned.items()],
        ]


def _count(value: int) -> int | str:
    """A count; where it is known in part, in words."""
    return words.rounded(value) if isinstance(value, AtLeast) else value


def _line(layer: Layer, sources: dict[int, tuple[int, Source]]) -> list[int] | None:
    """The number of the file that places it, and the line in that."""
    span = layer.span
    if span is None:
        return None
    place, _ = sources.setdefault(id(span.source), (len(sources), span.source))
    return [place, span.line]


def _field(layer: Layer, seen: Seen) -> Any:
    """What the middle output of a layer sees, from and to along each axis; a word where that is no interval.

    Positions below zero, and those beyond the end, are padding.
    """
    if not isinstance(seen, tuple):
        return seen.reason if isinstance(seen, NonUniform) else words.field(seen)
    sizes = layer.shape.spatial
    if len(sizes) != len(seen):
        sizes = (1,) * len(seen)
    return [[*field.at(size // 2), field.size] for field, size in zip(seen, sizes, strict=True)]


def _plain(line: str) -> str:
    return printable(line.rstrip("\n"))
