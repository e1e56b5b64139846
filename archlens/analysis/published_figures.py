"""What others printed of a network, beside what is computed."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

from ..errors import SpecError, did_you_mean, error, shorten
from ..grouping import grouped
from ..network import Network, scopes_of
from ..ops import EVERYWHERE
from ..published import Entry, Figure, Recount, Recounted, number, sizes
from ..shape import Shape, times
from . import receptive_field

EQUAL = "equal"
ROUNDED = "equal to the printed digits"
EXPLAINED = "different, explained"
UNEXPLAINED = "different, unexplained"
TRAINED = "depends on training"
UNVERIFIED = "not verified"

#: How a comparison can end, the best first.
VERDICTS = (EQUAL, ROUNDED, EXPLAINED, UNEXPLAINED, TRAINED, UNVERIFIED)

#: Of what a figure is said to be, where that is not the key that a spec has it under.
_CALLED = {
    "active_params": "active params",
    "flops": "FLOPs",
    "receptive_field": "receptive field",
    "shapes": "shape",
    "top1": "top-1",
    "top5": "top-5",
    "top1_error": "top-1 error",
    "top5_error": "top-5 error",
}


class PublishedFigure(NamedTuple):
    """One figure that somebody printed: what it is of, and how it compares."""

    #: ``"params"``, ``"macs of conv1"``, ``"FLOPs"``, ``"shape of conv1"``, ``"receptive field"``,
    #: ``"top-1"``, ``"top-5 error"``.
    what: str
    printed: str
    #: The same as computed here, a shape in the order printed; empty for what depends on training, and
    #: where there is none.
    computed: str
    #: One of :data:`VERDICTS`.
    verdict: str
    #: What printed it, and what the spec says about that.
    entry: Entry
    #: Why it differs, where that was found out.
    why: str = ""

    @property
    def silent(self) -> bool:
        """Whether it differs and the spec says nothing about it."""
        return self.verdict == UNEXPLAINED and not self.entry.unexplained

    @property
    def remark(self) -> str:
        """What the spec says about a figure that differs or has not been verified."""
        entry = self.entry
        said = {
            EXPLAINED: (entry.note or self.why,),
            UNEXPLAINED: (entry.unexplained,),
            UNVERIFIED: (entry.unverified, entry.note, entry.unexplained),
        }
        return "; ".join(filter(None, said.get(self.verdict, ())))


def find(network: Network) -> list[PublishedFigure]:
    """Every published figure of a network beside the computed one, in the order of the spec.

    Raises:
        SpecError: a figure is of a layer that the network does not have, or of an axis that a shape does not.

    >>> import archlens
    >>> [one.verdict for one in find(archlens.load("resnet50")) if one.what == "params"][:1]
    ['equal']
    """
    computed = _Computed(network)
    return [computed.compared(entry, figure) for entry in network.meta.published for figure in entry.figures]


def agrees(printed: str, computed: int) -> str:
    """Whether a count is what was printed: equal, equal to the digits that were, or ``""`` where it is not.

    Exactly half way between two roundings it is equal to the digits of both: people round either way.

    >>> agrees("25,557,032", 25557032), agrees("3.8G", 3_857_973_248), agrees("3.9G", 3_857_973_248)
    ('equal', '', 'equal to the printed digits')
    >>> agrees("0.2k", 250), agrees("0.3k", 250)
    ('equal to the printed digits', 'equal to the printed digits')
    """
    read = number(printed)
    if read is None:
        return ""
    # in units of its last digit, all whole numbers: no rounding of ours gets in between
    value, scale = read.digits * read.unit, 10**read.decimals
    if value == computed * scale:
        return EQUAL
    return ROUNDED if read.unit > 1 and 2 * abs(value - computed * scale) <= read.unit else ""


class _Computed:
    """What the figures of one network are held against."""

    def __init__(self, network: Network) -> None:
        self.network = network
        wanted = {figure.of for entry in network.meta.published for figure in entry.figures if figure.of}
        #: The layers of each layer or scope that a figure is of.
        self.inside = grouped(
            (name, layer)
            for layer in (network.layers if wanted else ())
            for name in scopes_of(layer.name)
            if name in wanted
        )

    @cached_property
    def recount(self) -> Recount | None:
        return self.network.origin.recount(self.network)

    @cached_property
    def fields(self) -> receptive_field.ReceptiveFields:
        return receptive_field.find(self.network)

    @cached_property
    def counts(self) -> dict[tuple[str, str], int]:
        """Parameters and multiply-accumulates of what figures are of; of the whole network under no name."""
        network = self.network
        found = {("params", ""): network.params, ("macs", ""): network.macs}
        found["active_params", ""] = network.active_params
        for of, layers in self.inside.items():
            found["params", of] = sum(layer.params for layer in layers)
            found["active_params", of] = sum(layer.active_params for layer in layers)
            found["macs", of] = sum(layer.macs for layer in layers)
        return found

    @cached_property
    def last(self) -> str:
        """The layer whose field is that of the network; empty where there is none."""
        return self.fields.last()

    def compared(self, entry: Entry, figure: Figure) -> PublishedFigure:
        """A figure beside the computed one."""
        quantity, of = figure.quantity, figure.of
        what = _CALLED.get(quantity, quantity) + (f" of {of}" if of else "")
        if of and of not in self.inside and not (quantity == "shapes" and of in self.network.inputs):
            raise self.unknown(figure)
        computed = why = ""
        recounted = self.recounted(figure)
        if recounted is not None:
            what, value, why = recounted
            computed, verdict = f"{value:,}", agrees(figure.printed, value)
        elif quantity == "shapes":
            computed, verdict = _shape(self.shape(of), entry, figure)
        elif quantity == "receptive_field":
            computed, verdict = self.field(of, figure.printed)
        elif quantity in ("params", "active_params", "macs", "flops"):
            value = 2 * self.counts["macs", of] if quantity == "flops" else self.counts[quantity, of]
            computed, verdict = f"{value:,}", agrees(figure.printed, value)
        else:
            verdict = TRAINED
        if entry.unverified:
            verdict = UNVERIFIED
        differs = EXPLAINED if entry.note or why else UNEXPLAINED
        return PublishedFigure(what, figure.printed, computed, verdict or differs, entry, why)

    def recounted(self, figure: Figure) -> Recounted | None:
        """What a figure is of as the tool counts that printed it; ``None`` where it counts as archlens."""
        if self.recount is None:
            return None
        first = None
        for one in self.recount.of(figure):
            first = first or one
            if agrees(figure.printed, one.value):
                return one._replace(value=first.value) if one.why else one
        return first

    def shape(self, of: str) -> Shape:
        """The output of a layer, of the last layer of a scope, or an input."""
        return self.inside[of][-1].shape if of in self.inside else self.network.inputs[of]

    def field(self, of: str, printed: str) -> tuple[str, str]:
        """The field of a layer, or of the network; and whether it is what is printed."""
        name = self.inside[of][-1].name if of else self.last
        seen = self.fields[name] if name else None
        if not isinstance(seen, tuple):
            return EVERYWHERE.value if seen is EVERYWHERE else "", ""
        found, read = tuple(field.size for field in seen), sizes(printed) or ()
        if len(set(found)) == 1 and len(read) == 1:
            found = found[:1]
        return times(found), EQUAL if read == found else ""

    def unknown(self, figure: Figure) -> SpecError:
        """Why a figure cannot be compared that is of no layer."""
        network = shorten(self.network.name)
        known = dict.fromkeys(name for layer in self.network.layers for name in scopes_of(layer.name))
        return error(
            f"published: has a figure for {shorten(figure.of)}, but {network} has no such layer or scope",
            figure.span,
            help=did_you_mean(figure.of, known),
        )


def _shape(shape: Shape, entry: Entry, figure: Figure) -> tuple[str, str]:
    """A shape in the order in which its source prints it, and whether it is what is printed."""
    found: tuple[int, ...] = shape
    if entry.axes:
        by_name = dict(zip(shape.names, shape, strict=True))
        if len(shape) == 1:  # a vector has one position along each axis
            by_name = dict.fromkeys(entry.axes, 1) | by_name
        missing = [axis for axis in entry.axes if axis not in by_name]
        if missing:
            raise error(
                f"axes: names the {missing[0]}, which the output of {shorten(figure.of)} does not have: "
                f"it is {shape}, {' x '.join(shape.names)}",
                figure.span,
                help="shapes printed in another order need an entry of their own",
            )
        found = tuple(by_name[axis] for axis in entry.axes)
    return times(found), EQUAL if sizes(figure.printed) == found else ""
