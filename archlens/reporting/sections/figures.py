"""The headline figures, with what each counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...analysis.receptive_field import ReceptiveFields
from ...errors import printable
from ...forms.table import Column, Table
from ...shape import times
from ...views import words
from ..material import Material
from ..parts import Notes, Part

TITLE = "Figures"
ORDER = 10
COMMAND = "shapes"

_COLUMNS = (Column(""), Column("exact", right=True), Column("", right=True), Column("what it is"))


def parts(material: Material) -> Sequence[Part]:
    """A table of one figure a line, and the conventions that rule it."""
    rows = list(_rows(material))
    return [
        Table(_COLUMNS, rows),
        Notes([*words.conventions(material.network)]),
    ]


def _rows(material: Material) -> Iterator[list[str]]:
    network, memory = material.network, material.study.memory()
    for name, shape in network.inputs.items():
        called = "input" if name == "input" else f"input {printable(name)}"
        yield [called, str(shape), "", "without the batch"]
    yield ["output", str(network.output), "", "at inference"]
    yield _count("parameters", network.params, "trainable")
    yield _count("MACs", network.macs, "of one inference on one sample")
    if network.training_macs:
        yield _count("MACs of heads", network.training_macs, "that run in training only, beside these")
    other = sum(material.study.cost.total.other().values())
    yield _count("other operations", other, "all else that an inference computes; no part of the MACs")
    deep = "convolutions and matrix products with weights on the longest way"
    yield ["depth", str(material.study.depth), "", deep]
    yield ["layers", f"{len(network):,}", "", "every op, activations and merges too"]
    for fields in material.study.fields.values():
        yield _field(fields, several=len(network.inputs) > 1)
    yield _bytes("weights", memory.weights["float32"], "in float32")
    peak = memory.inference
    yield _bytes("live set", peak.bytes, f"at most alive at once, at {printable(peak.layer) or 'the input'}")
    smallest = material.study.sizes.smallest
    if smallest:
        known = None not in smallest
        size = times(n for n in smallest if n is not None) if known else "unknown"
        why = "height x width" if len(smallest) == 2 else "along each axis"
        upto = material.study.sizes.searched
        none = f"none was found to fit, of 1 to {upto:,}" if upto else "not looked for"
        yield ["smallest input", size, "", why if known else none]


def _field(fields: ReceptiveFields, *, several: bool) -> list[str]:
    name = f"receptive field on {printable(fields.input)}" if several else "receptive field"
    layer = fields.last()
    if not layer:
        return [name, "unknown", "", "no layer with spatial axes has a field of its own"]
    return [name, words.field(fields[layer]), "", f"of {printable(layer)}, the last layer that has one"]


def _count(name: str, number: int, what: str) -> list[str]:
    return [name, f"{number:,}", words.rounded(number) if number >= 1000 else "", what]


def _bytes(name: str, size: int, what: str) -> list[str]:
    return [name, f"{size:,}", words.size(size), f"bytes, {what}"]
