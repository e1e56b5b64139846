"""The headline figures, with what each counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...analysis.figures import FIGURES, Figure, Unknown, Where, repeats, shown
from ...analysis.receptive_field import ReceptiveFields
from ...analysis.sizes import Sizes
from ...analysis.study import Study
from ...counts import Kind
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


#: The order of a page; a figure that is not named here comes last.
_ORDER = (
    *("params", "active_params", "macs", "total_macs", "training_macs", "other", "depth", "layers"),
    *("receptive_field", "weights", "peak_activations", "min_size"),
)


def _rows(material: Material) -> Iterator[list[str]]:
    network, study = material.network, material.study
    for name, shape in network.inputs.items():
        called = "input" if name == "input" else f"input {printable(name)}"
        yield [called, str(shape), "", "without the batch"]
    yield ["output", str(network.output), "", "at inference"]
    found = shown(Where.REPORT)
    for name in [*_ORDER, *(other for other in found if other not in _ORDER)]:
        if name == "receptive_field":
            for fields in study.fields.values():
                yield _field(fields, several=len(network.inputs) > 1)
        elif name == "min_size":
            yield from _smallest(study.sizes)
        elif not found[name].same_as or not _repeats(name, study):
            yield from _row(found[name], study)


def _repeats(name: str, study: Study) -> bool:
    """Whether a figure says what the one says that it mostly equals."""
    both = name, FIGURES[name].same_as
    return repeats(name, {one: FIGURES[one].measure(study, "") for one in both})


def _row(figure: Figure, study: Study) -> Iterator[list[str]]:
    name, value = figure.name or figure.title, figure.measure(study, "")
    note = figure.note(study) if callable(figure.note) else figure.note
    note = note or words.clause(figure.what).removesuffix(".")
    if isinstance(value, Unknown):
        yield [name, "unknown", "", value.reason]
    elif isinstance(value, tuple):
        yield [name, times(value), "", note]
    elif figure.kind is Kind.BYTES:
        yield [name, f"{value:,}", words.size(value), f"bytes, {note}"]
    elif value or not figure.rare:
        large = figure.kind is Kind.COUNT and value >= 1000
        yield [name, f"{value:,}", words.rounded(value) if large else "", note]


def _smallest(sizes: Sizes) -> Iterator[list[str]]:
    smallest = sizes.smallest
    if smallest:
        known = None not in smallest
        size = times(n for n in smallest if n is not None) if known else "unknown"
        why = "height x width" if len(smallest) == 2 else "along each axis"
        none = f"none was found to fit, of 1 to {sizes.searched:,}" if sizes.searched else "not looked for"
        yield ["smallest input", size, "", why if known else none]


def _field(fields: ReceptiveFields, *, several: bool) -> list[str]:
    name = f"receptive field on {printable(fields.input)}" if several else "receptive field"
    layer = fields.last()
    if not layer:
        return [name, "unknown", "", "no layer with spatial axes has a field of its own"]
    return [name, words.field(fields[layer]), "", f"of {printable(layer)}, the last layer that has one"]
