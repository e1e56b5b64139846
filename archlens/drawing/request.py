"""What somebody wants drawn, with what every style and format needs of it, each made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol

from ..errors import Diagnostic, SpecError, Unplaced, did_you_mean, shorten, usage
from ..network import Network
from ..views import words
from .drawn import Drawn
from .fit import PAPER, SCREENS, Fit, fit_of
from .metrics import SANS
from .picture import Picture
from .plan import Box, Plan, Plans
from .theme import AUTO, OKABE_ITO, Theme, theme_of

#: How volumes grow with the size of a map: with its square root, in proportion, with its logarithm.
SCALES = ("sqrt", "linear", "log")

#: The figures that colour boxes, each with its name among :data:`archlens.analysis.figures.FIGURES`.
HEATS = {"params": "params", "macs": "macs", "activations": "activations", "field": "receptive_field"}


def _params(box: Box, plans: Plans) -> str:
    return f"{words.rounded(box.params)} params" if box.params else ""


def _macs(box: Box, plans: Plans) -> str:
    return f"{words.rounded(box.macs)} MACs" if box.macs else ""


def _field(box: Box, plans: Plans) -> str:
    return f"field {words.field(plans.fields[box.behind[-1].name])}"


#: The figures that a box can have, empty for nothing: those of all layers that it stands for, or of the last.
LABELS: dict[str, Callable[[Box, Plans], str]] = {"params": _params, "macs": _macs, "field": _field}


class HasPicture(Protocol):
    """Whatever there is a picture of; the formats that hold any picture ask for no more."""

    @property
    def picture(self) -> Picture: ...


@dataclass(frozen=True)
class Request(Drawn):
    """A network, or what there is of it, and how it is to be drawn."""

    network: Network
    style: str = "graph"
    #: How many levels of scopes are opened; ``None`` for as many as fit a page.
    depth: int | None = None
    #: ``tb``, top to bottom, or ``lr``, left to right; ``None`` for what the page holds.
    direction: str | None = None
    #: The layer that could not be placed, where the network is only what there is up to it.
    failed: Unplaced | None = None
    #: The smallest size of text, in the unit of the fit; ``None`` for what can be read there.
    font_size: float | None = None
    #: Whether it has no title, no key and no notes.
    bare: bool = False
    #: ``theme`` for the ground of the theme, ``none`` for that of whatever it stands on.
    ground: str = "theme"
    #: A name of :data:`archlens.drawing.theme.PALETTES`.
    palette: str = OKABE_ITO
    #: Figures that boxes have, by their names in :data:`LABELS`.
    labels: tuple[str, ...] = ()
    #: The figure that colours boxes, by its name in :data:`HEATS`; empty for families.
    heat: str = ""
    #: The layer whose field is drawn, or a scope, of which it is the last; empty for the last that has one.
    layer: str = ""
    #: How height and width of volumes grow with the size: a name of :data:`SCALES`.
    scale: str = SCALES[0]
    #: Its plans, where some have been made already: they are the same in every style and theme.
    made: Plans | None = field(default=None, repr=False, compare=False)

    @cached_property
    def colors(self) -> Theme:
        """The theme, with its colours."""
        return theme_of(self.theme, self.palette)

    @cached_property
    def page(self) -> Fit:
        """The page that it is made for.

        Raises:
            UsageError: there is no such fit.
        """
        return fit_of(self.fit or SCREENS, self.font_size)

    @property
    def asked(self) -> list[str]:
        """What was asked for beside the network and the style, by which pictures of a page differ."""
        said = {
            f"to depth {self.depth}": self.depth is not None,
            "from left to right": self.direction == "lr",
            "from top to bottom": self.direction == "tb",
            f"with {', '.join(dict.fromkeys(self.labels))}": bool(self.labels),
            f"{self.scale} in scale": self.scale != SCALES[0],
            f"with text of {self.page.least:g} {self.page.unit}": self.font_size is not None,
            f"for {self.fit}": self.fit not in ("", SCREENS, PAPER),
            f"in {shorten(self.font)}": self.font != SANS.name,
            f"in {self.palette}": self.palette != OKABE_ITO,
            "without title and key": self.bare,
            "without a ground": self.ground != "theme",
        }
        return [words for words, is_asked in said.items() if is_asked]

    @property
    def too_large(self) -> Diagnostic | None:
        """A warning where the picture is larger than its page: text keeps its size."""
        page = self.page
        picture = self.pictures[0] if self.theme == AUTO else self.picture
        wide, high = picture.width * picture.scale, picture.height * picture.scale
        if wide > page.width + 0.1:
            size, most = f"{wide:,.0f} {page.unit} wide", f"{page.measure} that it is made for"
        elif page.bounded and high > page.height + 0.1:
            size, most = f"{high:,.0f} {page.unit} high", f"{page.height:g} {page.unit} that there are"
        else:
            return None
        other = (
            "a smaller --depth or a wider --fit"
            if (self.depth or 1) > 1
            else "a wider --fit or another --style"
        )
        return Diagnostic(
            f"the picture is {size}, more than the {most}",
            help=f"text of {page.least:g} {page.unit} needs it; take {other}",
            severity="warning",
        )

    @cached_property
    def plans(self) -> Plans:
        """The plans of the network at any depth."""
        return self.made or Plans(self.network, self.failed)

    @cached_property
    def plan(self) -> Plan:
        """The boxes of the network, and what flows between them."""
        return self.labelled(self.plans.at(self.depth))

    def choices(self) -> Iterator[Plan]:
        """The plans that may be drawn: the one that is asked for, or else with a level less each time."""
        found = self.plans.at(self.depth)
        yield self.labelled(found)
        while not self.is_last(found):
            found = self.plans.at(found.depth - 1)
            yield self.labelled(found)

    def gathered(self) -> Iterator[Plan]:
        """The same with their chains in boxes: those on maps of one size, and then all."""
        for across in (False, True):
            for depth in range(self.plan.depth, 0, -1):
                plan = self.plans.at(depth).gathered(across=across)
                if plan.is_gathered:
                    yield self.labelled(plan)

    def closest(self) -> Iterator[Plan]:
        """Those with least boxes, for a page that ends and holds no other."""
        kindred = self.plans.kindred
        if kindred is not None:
            yield self.labelled(kindred)
        for plan in filter(None, (self.plans.at(1), kindred)):
            if (merged := plan.gathered(across=True, merging=True)).is_gathered:
                yield self.labelled(merged)

    def is_last(self, plan_: Plan) -> bool:
        """Whether a plan is the last choice: its depth was asked for, or there is no level left to fold."""
        return self.depth is not None or plan_.depth < 2

    def labelled(self, plan_: Plan) -> Plan:
        """A plan whose boxes have the figures that are asked for."""
        for name in self.labels:
            if name not in LABELS:
                help = did_you_mean(name, LABELS, otherwise=f"some of {', '.join(LABELS)}, parted by commas")
                raise usage(f"there is no label {shorten(name) or 'without a name'}", help=help)
        if not self.labels:
            return plan_
        asked = [LABELS[name] for name in dict.fromkeys(self.labels)]

        def figures(box: Box) -> str:
            return ", ".join(filter(None, (figure(box, self.plans) for figure in asked if box.behind)))

        boxes = tuple(replace(box, figures=figures(box)) for box in plan_.boxes)
        return replace(plan_, boxes=boxes)

    @cached_property
    def pictures(self) -> tuple[Picture, Picture]:
        """The light and the dark picture, which differ in nothing but colours.

        Raises:
            UsageError: there is no such style, or too much to draw, or a package is missing.
        """
        light, dark = (replace(self, theme=theme, made=self.plans) for theme in ("light", "dark"))
        return light.picture, dark.picture

    @cached_property
    def picture(self) -> Picture:
        """The network in the style that is asked for.

        Raises:
            UsageError: there is no such style, or too much to draw, or a package is missing.
        """
        if self.style not in style_names():
            help = did_you_mean(
                self.style, style_names(), otherwise=f"the styles: {', '.join(style_names())}"
            )
            raise usage(f"there is no style {shorten(self.style)}", help=help)
        if self.layer and self.style != "field":
            raise usage(
                f"the style {self.style} draws no field of one layer",
                help=f"--style field does; or leave out {shorten(self.layer)}",
            )
        if self.heat:
            self._require_heat()
        return self.written(lambda: import_module(f"{__package__}.styles.{self.style}").draw(self))

    def _require_heat(self) -> None:
        """Refuse a figure that colours nothing, and styles whose colours mean something else."""
        if self.heat not in HEATS:
            help = did_you_mean(self.heat, HEATS, otherwise=f"one of {', '.join(HEATS)}")
            raise usage(f"there is no heat {shorten(self.heat)}", help=help)
        if self.style not in ("graph", "volumes"):
            raise usage(
                f"the style {self.style} has no boxes to colour by {self.heat}",
                help="--style graph and --style volumes do; leave --heat out of others",
            )


def unplaced(problem: SpecError) -> Unplaced:
    """The layer that failed, as far as it is known; it is drawn as the end of the network up to there."""
    if problem.failed is not None:
        return problem.failed
    assert problem.network is not None
    layers = problem.network.layers
    before = layers[-1].name if layers else next(iter(problem.network.inputs))
    return Unplaced("?", "", (before,), problem.diagnostic.message)


def style_names() -> list[str]:
    """The styles: the names of the files that draw them."""
    return _modules("styles")


def extensions() -> list[str]:
    """The formats, by their extensions: the names of the files that write them."""
    return _modules("formats")


def _modules(folder: str) -> list[str]:
    package = import_module(f"{__package__}.{folder}")
    return sorted(module.name for module in iter_modules(package.__path__))
