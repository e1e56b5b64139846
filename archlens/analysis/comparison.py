"""What networks are compared by: one record a network, with figures that are measured alike for all.

Everything but the smallest input takes a few milliseconds. That is found by trying, and only where a way to
try is given.

**Which accuracy.** One network has several published ones: the paper's, often an average over ten crops, and
those of several sets of weights. One is chosen, by this rule, and its source goes with it wherever it goes:

1. an accuracy belongs to a network as its spec has it: with another input or another param there is none;
2. torchvision's weights come before other sources, for they are all measured in one way: one crop from the
   middle of each validation image, at the size that the weights name;
3. of several that are left the first that the spec lists is taken: of torchvision's, ``IMAGENET1K_V1``;
4. top-1 and top-5 are those of one entry, and so of the same weights on the same crops;
5. where an error was printed, the accuracy is the rest of a hundred, which its source says;
6. one that nobody has verified is taken for unknown.

**Which data.** Accuracies among 1,000 classes and among 10 are no figures of one kind. ``classes`` says among
how many the network chooses; 1,000 are ImageNet's, and so are 1,001, with one for the background.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import NamedTuple

from ..counts import Kind
from ..network import Network
from ..ops import EVERYWHERE
from ..published import Entry, percent
from ..shape import Shape
from . import receptive_field
from .figures import Figure, Value, Where, shown
from .study import Study
from .unknown import Unknown

#: How many classes ImageNet's 1,000 are, without and with one for the background.
IMAGENET = (1000, 1001)

#: Who publishes weights that are all measured in one way; the first word of a source.
MEASURED_ALIKE = "torchvision"

#: Names of torchvision's weights: a class for the network, and which weights of it.
_WEIGHTS = re.compile(r"\w+_Weights\.(\w+).*", re.DOTALL)

#: Why there is no smallest input where nobody gave a way to try.
NOT_TRIED = Unknown("it was not requested: it is found by trying")


class Accuracy(NamedTuple):
    """An accuracy that somebody published."""

    #: In hundredths, and with the digits that were printed; where an error was, the rest of a hundred.
    percent: float
    digits: str
    #: Where, as the spec says it, and its address; empty where it says none.
    source: str
    link: str = ""

    @property
    def series(self) -> str:
        """The source without what names the one network: figures of one series were measured alike.

        >>> Accuracy(76.13, "76.13", "torchvision 0.28, ResNet50_Weights.IMAGENET1K_V1").series
        'torchvision 0.28, weights IMAGENET1K_V1'
        """
        return _WEIGHTS.sub(r"weights \1", self.source)


@dataclass(frozen=True)
class Compared:
    """One network, as it stands in a comparison. What cannot be known is :class:`Unknown`."""

    name: str
    title: str
    #: The spec file that it comes from, without folder and ending: networks of one file are a family.
    family: str
    #: Of the paper; ``None`` where none is cited.
    year: int | None
    #: Input shapes by name, without the batch.
    inputs: Mapping[str, Shape]
    #: Every figure of :data:`archlens.analysis.figures.FIGURES` that is compared, by its name.
    figures: Mapping[str, Value]
    #: Input positions that one output of the last layer with a field sees, along each axis; on each input
    #: where a layer has one.
    receptive_field: tuple[tuple[int, ...], ...] | Unknown
    #: The first layer after that whose every position sees the whole input, as behind attention or a
    #: squeeze-and-excitation; empty where there is none, and only what pools the last map sees everything.
    everywhere_from: str
    #: Among how many classes it chooses.
    classes: int | Unknown
    top1: Accuracy | Unknown
    top5: Accuracy | Unknown

    @property
    def input(self) -> Shape:
        """The shape of its only input, or of the first."""
        return next(iter(self.inputs.values()))

    @property
    def params(self) -> int:
        """Trainable parameters."""
        return _number(self.figures["params"])

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference on one sample."""
        return _number(self.figures["macs"])

    @property
    def imagenet(self) -> bool:
        """Whether it chooses among ImageNet's 1,000 classes."""
        return self.classes in IMAGENET


class Unit(Enum):
    """What a quantity is counted in."""

    COUNT = "a count"
    BYTES = "bytes"
    NUMBER = "layers or positions"
    YEAR = "a year"
    PERCENT = "per cent"


class Measure(NamedTuple):
    """Something that has one number in each network, or none, with the reason."""

    #: In a sentence, and beside an axis.
    called: str
    title: str
    unit: Unit
    of: Callable[[Compared], float | Unknown]
    #: Which is better: less, -1; more, 1; neither, 0.
    better: int


def _figure(name: str, figure: Figure, title: str = "", better: int = -1) -> Measure:
    """A figure of every network; where it has a number for each axis, the largest."""

    def of(one: Compared) -> float | Unknown:
        value = one.figures[name]
        return max(value, default=0) if isinstance(value, tuple) else value

    units = {Kind.COUNT: Unit.COUNT, Kind.BYTES: Unit.BYTES}
    called = figure.name or figure.title
    return Measure(called, title or called, units.get(figure.kind, Unit.NUMBER), of, better)


def _top(name: str) -> Callable[[Compared], float | Unknown]:
    def of(one: Compared) -> float | Unknown:
        found: Accuracy | Unknown = getattr(one, name)
        if isinstance(found, Unknown):
            return found
        if not one.imagenet:
            if isinstance(one.classes, Unknown):
                return one.classes
            return Unknown(f"it chooses among {one.classes:,} classes, not ImageNet's 1,000")
        return found.percent

    return of


def _year(one: Compared) -> float | Unknown:
    return one.year if one.year is not None else Unknown("its spec cites no paper")


#: What networks can be put on an axis by: every figure that is compared, and what was published.
MEASURES: dict[str, Measure] = {
    **{
        name: _figure(
            name,
            figure,
            {"macs": "multiply-accumulates (MACs)"}.get(name, ""),
            {"depth": 0, "receptive_field": 0}.get(name, -1),
        )
        for name, figure in shown(Where.COMPARISON).items()
    },
    "year": Measure("year", "year of the paper", Unit.YEAR, _year, -1),
    "top1": Measure("top-1", "top-1 accuracy on ImageNet, %", Unit.PERCENT, _top("top1"), 1),
    "top5": Measure("top-5", "top-5 accuracy on ImageNet, %", Unit.PERCENT, _top("top5"), 1),
}


def front(values: Sequence[tuple[float, float]], better: tuple[int, int]) -> list[int]:
    """The Pareto front: those of which no other is as good in one of two ways and better in the other.

    Args:
        values: both values of each.
        better: of each way whether less is better, -1, or more, 1.

    Returns:
        Their positions, from the best in the first way on.

    >>> front([(4, 70), (1, 60), (2, 55), (9, 70), (4, 70)], (-1, 1))
    [1, 0, 4]
    """
    goods = [(x * better[0], y * better[1]) for x, y in values]
    found: list[int] = []
    for i in sorted(range(len(goods)), key=lambda i: (-goods[i][0], -goods[i][1], i)):
        if not found or goods[i][1] > goods[found[-1]][1] or goods[i] == goods[found[-1]]:
            found.append(i)
    return found


def find(study: Study, *, smallest: bool = False, overridden: str = "") -> Compared:
    """The figures that one network is compared by.

    Args:
        study: of the network that is measured.
        smallest: whether what is found by trying is looked for, which takes as long as all the rest.
        overridden: how the network differs from what its spec says, where it does, as in ``"another input"``.

    >>> import archlens
    >>> found = find(archlens.study("resnet50"))
    >>> found.params, found.macs, found.figures["depth"], found.receptive_field
    (25557032, 4089184256, 50, ((427, 427),))
    >>> found.top1.percent, found.top1.source
    (76.13, 'torchvision 0.28, ResNet50_Weights.IMAGENET1K_V1')
    """
    network = study.network
    entries = [
        entry for entry in network.meta.published if _printed(entry, "top1") or _printed(entry, "top5")
    ]
    return Compared(
        name=network.name,
        title=network.title,
        family=_family(network),
        year=network.meta.year_number,
        inputs=network.inputs,
        figures={
            name: NOT_TRIED if one.tried and not smallest else one.measure(study, "")
            for name, one in shown(Where.COMPARISON).items()
        },
        receptive_field=receptive_field.network_field(study.fields.values()),
        everywhere_from=_everywhere_from(network, study.receptive_fields),
        classes=_classes(network),
        top1=_accuracy(entries, "top1", overridden),
        top5=_accuracy(entries, "top5", overridden),
    )


def told_apart(found: Sequence[Compared], asked: Sequence[str]) -> list[Compared]:
    """The same records: where networks share a name, each is called what was asked for."""
    shared = Counter(one.name for one in found)
    return [
        replace(one, name=name) if shared[one.name] > 1 else one
        for one, name in zip(found, asked, strict=True)
    ]


def _number(value: Value) -> int:
    assert isinstance(value, int)
    return value


def _family(network: Network) -> str:
    return PurePath(network.origin.source).stem or network.name


def _everywhere_from(network: Network, fields: receptive_field.ReceptiveFields) -> str:
    return next(
        (
            layer.name
            for layer in network.layers
            if fields[layer.name] is EVERYWHERE and any(size > 1 for size in layer.shape.spatial)
        ),
        "",
    )


def _classes(network: Network) -> int | Unknown:
    """The numbers that the main output gives for one sample, if they are of one position."""
    shape = network.output
    if any(size != 1 for size in shape.spatial):
        return Unknown(f"its output is {shape}: not one choice among classes")
    return shape.channels


def _accuracy(entries: list[Entry], key: str, overridden: str) -> Accuracy | Unknown:
    """The published figure that the rule of this module chooses."""
    if not entries:
        return Unknown("its spec has no published accuracy")
    if overridden:
        return Unknown(f"the published one does not apply with {overridden}")
    entry = _chosen(entries)
    if entry.unverified:
        return Unknown(f"{entry.source} could not be seen: {entry.unverified}")
    found = _printed(entry, key)
    if found is None:
        return Unknown(f"{entry.source} prints none")
    value, error = found
    source = f"{entry.source}, which prints the error" if error else entry.source
    return Accuracy(float(value), str(value), source, entry.link)


def _printed(entry: Entry, key: str) -> tuple[Decimal, bool] | None:
    """An accuracy that an entry has, and whether as an error, of which it is the rest of a hundred."""
    for error in (False, True):
        printed = entry.printed(f"{key}_error" if error else key)
        value = percent(printed) if printed is not None else None
        if value is not None:
            return (100 - value if error else value), error
    return None


def _chosen(entries: list[Entry]) -> Entry:
    """Of torchvision's the first, else the first; those with a top-1 before those without.

    What nobody has verified comes last.
    """
    return min(
        entries,
        key=lambda entry: (
            bool(entry.unverified),
            _printed(entry, "top1") is None,
            entry.source.split()[:1] != [MEASURED_ALIKE],
        ),
    )
