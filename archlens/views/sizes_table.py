"""The input sizes of a network as a table or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from ..analysis.figures import Unknown, Value, Where, shown
from ..analysis.sizes import Sizes, Tried
from ..analysis.study import Study
from ..counts import Kind, dumps
from ..errors import printable
from ..forms.table import Cell, Column, Content, Table, count
from ..network import Network
from ..shape import Shape, times
from . import words

SCHEMA = "archlens.sizes/2"

#: The most stretches of sizes that a line lists.
_MOST = 8


def table(study: Study, sizes: Sizes) -> Table:
    """What fits, in sentences, and the cost on some inputs."""
    network = study.network
    return Table(
        headline=words.headline(network),
        lead=list(sentences(sizes)),
        columns=_COLUMNS,
        rows=[
            [
                str(one.input),
                *(_cell(_FIGURES[name].kind, value) for name, value in one.figures.items()),
                times(one.field) if one.field else "",
                Cell("" if one.clipped is None else "yes" if one.clipped else "no", one.clipped),
            ]
            for one in _scaled(study, sizes)
        ],
        notes=[*words.conventions(network), *notes(network)],
        json=partial(to_json, study, sizes),
    )


def to_json(study: Study, sizes: Sizes) -> str:
    """``archlens.sizes/2``: sizes along each spatial axis; ``null`` where none was found."""
    data = {
        "schema": SCHEMA,
        "name": sizes.name,
        "input": list(sizes.own),
        "smallest": list(sizes.smallest),
        "tried": list(map(_tried, sizes.tried)),
        "unpadded": {"layer": sizes.layer, "size": list(sizes.unpadded)} if sizes.layer else None,
        "training": {
            "smallest": list(sizes.training.smallest),
            "tried": list(map(_tried, sizes.training.tried)),
        }
        if sizes.training
        else None,
        "costs": [
            {
                "input": list(one.input),
                **one.figures,
                "layer": one.layer or None,
                "field": one.field and list(one.field),
                "clipped": one.clipped,
            }
            for one in _scaled(study, sizes)
        ],
    }
    return dumps(data, indent=2)


class Scaled(NamedTuple):
    """What is shown of the network on one input."""

    input: Shape
    figures: Mapping[str, Value]
    #: The last layer that has a field there; empty where none has.
    layer: str
    #: Its field along each axis, and whether its centre output sees padding; ``None`` where there is none.
    field: tuple[int, ...] | None
    clipped: bool | None


#: The figures that change with the input, or are said beside those that do.
_FIGURES = shown(Where.SIZES)


def _scaled(study: Study, sizes: Sizes) -> Iterator[Scaled]:
    """What is shown of a network on each input; what is found out about its own has been found already."""
    return (scaled(study if one is study.network else Study(one)) for one in sizes.scaled)


def scaled(study: Study) -> Scaled:
    """What is shown of a network on one input."""
    fields = study.receptive_fields
    layer = fields.last()
    seen = fields[layer] if layer else None
    return Scaled(
        study.network.input,
        {name: figure.measure(study, "") for name, figure in _FIGURES.items()},
        layer,
        tuple(one.size for one in seen) if isinstance(seen, tuple) else None,
        fields.is_clipped(layer) if layer else None,
    )


def _tried(tried: Tried) -> dict[str, Any]:
    return {
        "axes": list(tried.axes),
        "bound": tried.bound,
        "valid": list(tried.valid),
        "lossless": list(tried.lossless),
    }


_COLUMNS = (
    Column("input", right=True),
    *(
        Column(figure.title, right=True, key=name, unit="B" if figure.kind is Kind.BYTES else "")
        for name, figure in _FIGURES.items()
    ),
    Column("field", right=True),
    Column("clipped"),
)


def _cell(kind: Kind, value: Value) -> Content:
    """Counts are exact, and bytes rounded."""
    if isinstance(value, Unknown):
        return Cell("unknown", None)
    if kind is Kind.COUNT and isinstance(value, int):
        return count(value)
    return Cell(words.figure(kind, value), value if isinstance(value, int) else times(value))


#: What is said of a search that was given up before it began.
_UNSOUGHT = "not looked for"

#: What the figures mean.
_NOTES = (
    "Every size was tried. No pixel lost: every position of every map is in some window of the next layer.",
    "Peak activations: the most bytes of activations alive at once in an inference of one sample in float32.",
    "Field: input positions that one output of the last layer with a field sees; clipped: whether its centre "
    "output sees padding.",
)


def notes(network: Network) -> Iterator[str]:
    """What the figures mean, one sentence a line."""
    yield from _NOTES
    if any(layer.training for layer in network.layers):
        yield "Sizes and costs are those of an inference, without the heads for training."
    if len(network.inputs) > 1:
        first = printable(next(iter(network.inputs)))
        yield f"Input: the size of {first}; other inputs of the same size change with it."


def sentences(sizes: Sizes) -> Iterator[tuple[str, str]]:
    """Which inputs it takes: what each sentence is about, and the sentence."""
    if not sizes.own.spatial:
        yield "smallest", f"the input {sizes.own} has no spatial axes"
        return
    yield "smallest", _smallest(sizes.smallest, sizes.searched)
    for tried in sizes.tried:
        which = f" ({tried.axes[0]})" if len(sizes.tried) > 1 else ""
        looked = tried.bound > 0  # else the search was given up before
        said = f"{_stretches(tried.valid)}, of 1 to {tried.bound}"
        yield f"fits{which}", said if looked else _UNSOUGHT
        yield f"no pixel lost{which}", _stretches(tried.lossless) if looked else _UNSOUGHT
    if sizes.training:
        least = _smallest(sizes.training.smallest, sizes.training.searched)
        why = "" if None in sizes.training.smallest else " at least, as its heads have to fit, too"
        yield "in training", f"{least}{why}"
    if sizes.given_up:
        yield "given up", f"{sizes.given_up}, and no more sizes were tried"
    if sizes.layer:
        if None in sizes.unpadded:
            says = (
                f"no input was found at which the centre output of {printable(sizes.layer)} sees no padding"
            )
        else:
            size = times(n for n in sizes.unpadded if n is not None)
            says = f"from {size} on, the centre output of {printable(sizes.layer)} sees no padding"
        yield "field", says


def _smallest(smallest: Sequence[int | None], searched: int) -> str:
    if None in smallest:
        return f"none was found; tried up to {searched:,}" if searched else _UNSOUGHT
    return times(n for n in smallest if n is not None)


def _stretches(sizes: Sequence[int]) -> str:
    """``63 to 224``, ``188, 204, ... 572 (every 16th)``, or several such."""
    if not sizes:
        return "none"
    found: list[str] = []
    start = 0
    while start < len(sizes):
        stop = start + 1
        step = sizes[stop] - sizes[start] if stop < len(sizes) else 1
        while stop < len(sizes) and sizes[stop] - sizes[stop - 1] == step:
            stop += 1
        count = stop - start
        if count < 3:
            found.append(str(sizes[start]))
            stop = start + 1
        else:
            every = "" if step == 1 else f" by {step}"
            found.append(f"{sizes[start]} to {sizes[stop - 1]}{every}")
        start = stop
    more = f" and {len(found) - _MOST} stretches more" if len(found) > _MOST else ""
    return ", ".join(found[:_MOST]) + more
