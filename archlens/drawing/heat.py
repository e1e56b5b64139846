"""Figures as colours: of each box how much it has of one, from nothing to the most that a box has.

The colours go from near the ground to far from it, and their lightness says the same as their hue, so that
any eyes and any printer tell more from less. What has no number is hatched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..analysis.figures import FIGURES, Figure, Unknown, Value, exact
from ..errors import printable, shorten
from ..grouping import grouped
from ..network import Layer
from ..shape import times
from ..views import words
from .frame import Ramp, Sign
from .request import HEATS, Request
from .theme import Theme

#: How the figures are said: the unit behind the ends of the scale; and what the colour of a box is.
_SAID = {
    "params": ("params", "the trainable parameters of all that a box stands for"),
    "macs": ("MACs", "the multiply-accumulates of all that a box stands for, in one inference"),
    "activations": (
        "activations",
        "the numbers that all layers which a box stands for give out, for one sample",
    ),
    "field": ("positions", "the largest receptive field in a box, by its longest side, padding included"),
}

#: How many colours the key shows, and how many reasons are said.
_STEPS, _REASONS = 24, 3


class Paint(NamedTuple):
    """How a box is painted."""

    fill: str
    #: The colour of what is written on it.
    ink: str
    #: The colour of the lines of its hatch; empty where its figure is known.
    hatch: str


@dataclass(frozen=True)
class Heat:
    """What boxes have of a figure, by their numbers."""

    #: A name of :data:`archlens.drawing.request.HEATS`.
    name: str
    values: Mapping[int, Value]
    #: The names of those that are not known, by the reason.
    reasons: Mapping[str, Sequence[str]]

    @property
    def figure(self) -> Figure:
        """The figure."""
        return FIGURES[HEATS[self.name]]

    @property
    def most(self) -> int:
        """The most that a box is known to have."""
        return max((_length(value) for value in self.values.values()), default=0)

    def paint(self, box: int, theme: Theme) -> Paint | None:
        """How a box is painted; ``None`` for one that stands for no layer."""
        value = self.values.get(box)
        if value is None:
            return None
        if isinstance(value, Unknown):
            return Paint(theme.box, theme.text, theme.hatch)
        fill = theme.heat(_length(value) / self.most if self.most else 0.0)
        return Paint(fill, theme.ink(fill), "")

    def says(self, box: int) -> str:
        """The exact number, for those who point at a box; empty for one that stands for no layer."""
        value = self.values.get(box)
        if value is None:
            return ""
        if isinstance(value, Unknown):
            said = f"no number, {printable(value.reason)}"
        else:
            said = times(value) if isinstance(value, tuple) else f"{value:,}"
        return f"\n{self.figure.title}: {said}"

    def signs(self, theme: Theme) -> list[Sign | Ramp]:
        """The key: the scale with its ends, and what is hatched."""
        unit, _ = _SAID[self.name]
        colors = tuple(theme.heat(i / (_STEPS - 1)) for i in range(_STEPS))
        high = f"{words.rounded(self.most)} {unit}"
        signs: list[Sign | Ramp] = [Ramp("0", high, colors)] if self.most else [Sign(high, theme.heat(0.0))]
        if self.reasons:
            signs.append(Sign("no number", theme.border, hatch=theme.hatch))
        return signs

    def notes(self) -> list[str]:
        """What the colours mean, and why what is hatched has none."""
        notes = [f"Colour: {_SAID[self.name][1]}, in proportion."]
        for reason, names in list(self.reasons.items())[:_REASONS]:
            who = f"{names[0]} and {len(names) - 1:,} more" if len(names) > 1 else names[0]
            notes.append(f"No number: {shorten(who, 80)}: {shorten(reason, 160)}.")
        if len(self.reasons) > _REASONS:
            notes.append(f"And {len(self.reasons) - _REASONS:,} more reasons.")
        return notes


def heat_of(
    request: Request, boxes: Callable[[Figure], Mapping[int, tuple[str, Sequence[Layer]]]]
) -> Heat | None:
    """What boxes have of the figure that is asked for; ``None`` where their colours are those of families.

    Args:
        request: what is drawn.
        boxes: for the figure, the name of each box and all layers that it stands for, by its number; those
            without any have no figure.
    """
    if not request.heat:
        return None
    figure = FIGURES[HEATS[request.heat]]
    assert figure.of is not None
    values: dict[int, Value] = {}
    named = boxes(figure)
    for box, (_, layers) in named.items():
        if layers:
            value = exact(figure.of(request.plans.study, layers))
            if value == 0 and all(layer.training for layer in layers):
                value = Unknown("runs only in training")
            values[box] = value
    unknown = ((box, value) for box, value in values.items() if isinstance(value, Unknown))
    return Heat(request.heat, values, grouped((value.reason, named[box][0]) for box, value in unknown))


def colored(heat: Heat | None) -> str:
    """What a picture shows besides, in words: nothing where no figure colours it."""
    return f", coloured by {heat.figure.title}" if heat is not None else ""


def _length(value: Value) -> int:
    """How long a value is on the scale: of several axes the longest, and nothing for what is unknown."""
    if isinstance(value, Unknown):
        return 0
    return max(value, default=0) if isinstance(value, tuple) else value
