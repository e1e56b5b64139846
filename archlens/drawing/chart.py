"""The chart of a comparison: accuracy over multiply-accumulates, with a bubble for the parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, floor, log10, sqrt
from typing import NamedTuple

from ..analysis.comparison import Accuracy, Compared
from ..analysis.unknown import Unknown
from ..errors import printable, shorten, usage
from ..grouping import grouped
from ..views import words
from .fit import SMALL
from .frame import Around, Sign, page
from .labels import Box, Disc, Segment, place
from .metrics import fitted, width
from .picture import Group, Item, Picture, Rect, Text, line
from .theme import HUES, Theme, theme_of

#: Width and height of the field for a dozen networks; it grows with the root of their number, up to a limit.
_WIDTH, _HEIGHT, _DOZEN, _MOST = 640.0, 400.0, 12, 2.6

#: The room to the left for the figures of the axis, above for its title, and below.
_LEFT, _ABOVE, _BELOW = 30.0, 18.0, 34.0

#: The radius of the largest bubble, and of the dot at every centre.
_LARGEST, _DOT = 32.0, 1.2

#: The widest label, and how high a line of text is over its size.
_LABEL, _LINE = 170.0, 1.2

#: The least room for a figure of the horizontal axis, and how many the vertical one has at most.
_TICK, _TICKS = 42.0, 9

#: How many networks a sentence names.
_NAMED = 60

#: The digits of the horizontal axis, by how much room there is; of the last only the 1 is written.
_SERIES = ((1, 2, 3, 5, 7), (1, 2, 5), (1, 2, 5))

_DASH = (3.0, 2.0)


class _Bubble(NamedTuple):
    """A network that is drawn."""

    network: Compared
    accuracy: Accuracy
    x: float
    y: float
    radius: float
    color: str
    #: Whether its accuracy is of another source than those of most.
    odd: bool


@dataclass(frozen=True)
class Chart:
    """Networks that are to be drawn into one chart."""

    networks: tuple[Compared, ...]
    theme: str = "light"

    @cached_property
    def picture(self) -> Picture:
        """The chart.

        Raises:
            UsageError: none of the networks can be drawn, or there is no such theme.
        """
        return _Drawing(self.networks, theme_of(self.theme)).picture()


def why_not(one: Compared) -> str:
    """Why a network is not in the chart; empty where it is."""
    if isinstance(one.top1, Unknown):
        return f"no top-1: {one.top1.reason}"
    if not one.imagenet:
        classes = "no classes" if isinstance(one.classes, Unknown) else f"{one.classes:,} classes"
        return f"a top-1 among {classes}, not ImageNet's 1,000"
    return "" if one.macs else "no multiply-accumulates"


class _Drawing:
    """One chart in the making."""

    def __init__(self, networks: Sequence[Compared], theme: Theme) -> None:
        self.networks = networks
        self.theme = theme
        self.drawn = [
            (one, one.top1) for one in networks if isinstance(one.top1, Accuracy) and not why_not(one)
        ]
        if not self.drawn:
            raise usage(
                "there is nothing to draw: of no network a top-1 on ImageNet is known",
                notes=[f"{shorten(one.name)}: {why_not(one)}" for one in networks[:5]],
                help="without -o there is the table; `archlens claims NAME` shows what was published",
            )
        growth = min(max(sqrt(len(self.drawn) / _DOZEN), 1.0), _MOST)
        self.width, self.height = round(_WIDTH * growth), round(_HEIGHT * growth)
        self.largest = max(one.params for one, _ in self.drawn)
        macs = [log10(one.macs) for one, _ in self.drawn]
        top1 = [accuracy.percent for _, accuracy in self.drawn]
        self.across = _Axis.over(min(macs), max(macs), 0.3, _LEFT, _LEFT + self.width)
        self.upward = _Axis.over(min(top1), max(top1), 2.0, _ABOVE + self.height, _ABOVE)
        self.families = list(dict.fromkeys(one.family for one, _ in self.drawn))
        self.series = self._series()
        self.bubbles = [self._bubble(one, accuracy) for one, accuracy in self.drawn]

    def _series(self) -> dict[str, list[str]]:
        """Where the accuracies are from, that of most first, each with the networks it is of."""
        series = grouped((accuracy.series, one.name) for one, accuracy in self.drawn)
        return dict(sorted(series.items(), key=lambda item: -len(item[1])))

    def _bubble(self, one: Compared, accuracy: Accuracy) -> _Bubble:
        return _Bubble(
            one,
            accuracy,
            round(self.across.at(log10(one.macs)), 1),
            round(self.upward.at(accuracy.percent), 1),
            self._radius(one.params),
            self.theme.hue(self.families.index(one.family)),
            accuracy.series != next(iter(self.series)),
        )

    def _radius(self, params: int) -> float:
        """That of a bubble whose area is as the parameters."""
        return _LARGEST * sqrt(params / self.largest) if self.largest else 0.0

    def picture(self) -> Picture:
        """All of it on its page."""
        lines = list(self._lines())
        items: list[Item] = [Group("axes", tuple(self._axes()))]
        if lines:
            strokes = [
                line(*ends, stroke=self.theme.shade(color, 0.5), thickness=1.2) for color, ends in lines
            ]
            items.append(Group("families", tuple(strokes)))
        # the small ones lie over the large ones
        items += [
            self._disc(one) for one in sorted(self.bubbles, key=lambda one: (-one.radius, one.network.name))
        ]
        labels, unnamed = self._labels([ends for _, ends in lines])
        items += [Group("labels", tuple(labels))]
        bottom = _ABOVE + self.height + _BELOW
        sizes, high = self._sizes(bottom)
        items.append(Group("sizes", tuple(sizes)))
        count = f"{len(self.drawn)} network{'s' if len(self.drawn) != 1 else ''}"
        said = f"{count}, each on its own input; the area of a bubble is the number of parameters"
        around = Around(
            ("Accuracy over multiply-accumulates", said),
            tuple(self._signs()),
            (*self._notes(bool(lines)), *unnamed),
        )
        size = (_LEFT + self.width, bottom + high)
        return page(around, items, size, self.theme, self._description())

    # --- the field ----------------------------------------------------------------------------------

    def _axes(self) -> Iterator[Item]:
        """Lines and figures of both axes, and their titles."""
        theme, right, low = self.theme, _LEFT + self.width, _ABOVE + self.height
        yield Text(0, 8, "top-1 accuracy on ImageNet, %", SMALL, theme.text, bold=True)
        for value, text in self.upward.steps():
            y = self.upward.at(value)
            yield line((_LEFT, y), (right, y), stroke=theme.box, thickness=0.8)
            yield Text(_LEFT - 6, y + 3.2, text, SMALL, theme.muted, "end")
        for macs, named in self.across.powers():
            x = self.across.at(log10(macs))
            yield line((x, _ABOVE), (x, low), stroke=theme.box, thickness=0.8)
            if named:
                yield line((x, low), (x, low + 4), stroke=theme.border, thickness=0.8)
                yield Text(x, low + 14, _short(macs), SMALL, theme.muted, "middle")
        yield line((_LEFT, _ABOVE), (_LEFT, low), (right, low), stroke=theme.border, thickness=0.8)
        title = "multiply-accumulates (MACs) of one inference, logarithmic"
        yield Text(right, low + 28, title, SMALL, theme.text, "end", bold=True)

    def _lines(self) -> Iterator[tuple[str, Segment]]:
        """From each network of a family to the next, where its accuracy grows with its MACs."""
        for family in self.families:
            members = [one for one in self.bubbles if one.network.family == family]
            members.sort(key=lambda one: (one.network.macs, one.network.name))
            pairs = list(pairwise(members))
            if all(a.network.macs < b.network.macs and a.y >= b.y for a, b in pairs):
                yield from ((a.color, ((a.x, a.y), (b.x, b.y))) for a, b in pairs)

    def _disc(self, one: _Bubble) -> Item:
        """A bubble with a dot at its centre; dashed where its accuracy is of another source."""
        network, theme = one.network, self.theme
        title = (
            f"{shorten(network.name)}: top-1 {one.accuracy.digits} %, {words.rounded(network.macs)} MACs, "
            f"{words.rounded(network.params)} parameters; {shorten(one.accuracy.source, 200)}"
        )
        fill = theme.shade(one.color, theme.strength)
        return Group(
            "bubble",
            (
                _circle(one.x, one.y, one.radius, fill, one.color, 1.2, _DASH if one.odd else ()),
                _circle(one.x, one.y, _DOT, one.color),
            ),
            title,
        )

    def _labels(self, lines: Sequence[Segment]) -> tuple[list[Item], list[str]]:
        """The names beside the bubbles; and a sentence on those for which there was no room."""
        texts = [fitted(printable(one.network.name), SMALL, _LABEL) for one in self.bubbles]
        discs = [
            Disc(one.x, one.y, one.radius, width(text, SMALL), SMALL * _LINE)
            for one, text in zip(self.bubbles, texts, strict=True)
        ]
        room = Box(_LEFT + 2, _ABOVE - 4, _LEFT + self.width + 14, _ABOVE + self.height - 2)
        items: list[Item] = []
        unnamed: list[str] = []
        for one, text, found in zip(self.bubbles, texts, place(discs, room, lines), strict=True):
            if found is None:
                unnamed.append(one.network.name)
                continue
            if found.leader is not None:
                items.append(line(*found.leader, stroke=self.theme.border, thickness=0.6))
            x, base = (found.box.left + found.box.right) / 2, found.box.bottom - SMALL * 0.3
            items.append(Text(x, base, text, SMALL, self.theme.text, "middle"))
        return items, [f"Without a label, for want of room: {_listed(unnamed)}."] if unnamed else []

    # --- what stands below --------------------------------------------------------------------------

    def _sizes(self, top: float) -> tuple[list[Item], float]:
        """What the area of a bubble means: some round numbers of parameters; and how high that is."""
        if not self.largest:
            return [], 0.0
        theme = self.theme
        sizes = _round_numbers(self.largest)
        high = 2 * self._radius(sizes[-1])
        middle = top + max(high, 12.0) / 2
        x = width("parameters", SMALL) + 12
        items: list[Item] = [Text(0, middle + 3.2, "parameters", SMALL, theme.muted)]
        for params in sizes:
            radius, text = self._radius(params), _short(params)
            items.append(_circle(x + radius, middle, radius, "", theme.border, 1))
            items.append(Text(x + 2 * radius + 5, middle + 3.2, text, SMALL, theme.muted))
            x += 2 * radius + 5 + width(text, SMALL) + 16
        return items, max(high, 12.0)

    def _signs(self) -> list[Sign]:
        """The colours of the families; none where there is one family only, or more than colours."""
        if not 1 < len(self.families) <= len(HUES):
            return []
        return [Sign(shorten(family, 40), self.theme.hue(i)) for i, family in enumerate(self.families)]

    def _notes(self, lines: bool) -> Iterator[str]:
        yield (
            "One MAC is one multiply-accumulate of a convolution or a matrix product; FLOPs = 2 x MACs. The "
            "accuracies are published ones, not measured here, and depend on how a network was trained."
        )
        (most, names), *others = self.series.items()
        rest = "; dashed: " + "; ".join(f"{_plain(s)} ({_listed(n)})" for s, n in others) if others else ""
        yield f"Source: {_plain(most)} ({len(names)} of {len(self.drawn)}){rest}."
        if lines:
            yield "Lines join a family whose accuracy grows with its MACs."
        if len(self.families) > len(HUES):
            yield f"The colours are those of {len(self.families)} families, and some stand for several."
        reasons = grouped((why, one.name) for one in self.networks if (why := why_not(one)))
        for why, left_out in reasons.items():
            yield f"Not drawn: {_listed(left_out)} ({_plain(why)})."

    def _description(self) -> str:
        """What the chart shows, in words."""
        best = max(self.bubbles, key=lambda one: one.accuracy.percent)
        least = min(self.bubbles, key=lambda one: one.network.macs)
        largest = max(self.bubbles, key=lambda one: one.network.params)
        count = f"{len(self.bubbles)} network{'s' if len(self.bubbles) != 1 else ''}"
        return (
            f"Bubble chart of {count}: top-1 accuracy on ImageNet over multiply-accumulates. "
            f"Most accurate: {shorten(best.network.name)}, {best.accuracy.digits} %. Fewest "
            f"multiply-accumulates: {shorten(least.network.name)}, {words.rounded(least.network.macs)}. Most "
            f"parameters: {shorten(largest.network.name)}, {words.rounded(largest.network.params)}."
        )


class _Axis(NamedTuple):
    """Values from ``low`` to ``high`` on the way from one place to another; with room at both ends."""

    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def over(cls, low: float, high: float, least: float, start: float, stop: float) -> _Axis:
        """An axis on which the bubbles at both ends have room; ``least`` is the least range of values."""
        middle, half = (low + high) / 2, max(high - low, least) / 2
        inner = abs(stop - start) - 2 * (_LARGEST + 4)
        half *= abs(stop - start) / inner
        return cls(middle - half, middle + half, start, stop)

    def at(self, value: float) -> float:
        """Where a value lies."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.stop - self.start)

    def steps(self) -> Iterator[tuple[float, str]]:
        """Round values, at most as many as there may be, and how they are written."""
        for decimals, size in ((1, 0.1), (1, 0.2), (1, 0.5), (0, 1), (0, 2), (0, 5), (0, 10), (0, 20)):
            first, last = ceil(self.low / size), floor(self.high / size)
            if last - first < _TICKS:
                for i in range(first, last + 1):
                    if 0 <= i * size <= 100:
                        yield i * size, f"{i * size:.{decimals}f}"
                return

    def powers(self) -> Iterator[tuple[int, bool]]:
        """Round numbers on an axis of logarithms, and whether there is room to write each."""
        decade = abs(self.at(1.0) - self.at(0.0))
        # the last two of a series are the nearest to each other
        series = next((one for one in _SERIES if decade * log10(one[-1] / one[-2]) >= _TICK), _SERIES[-1])
        for power in range(max(floor(self.low), 0), floor(self.high) + 1):
            for digit in series:
                value = digit * 10**power
                if self.low <= log10(value) <= self.high:
                    yield value, digit == 1 or series is not _SERIES[-1]


def _round_numbers(largest: int) -> list[int]:
    """Three numbers of one digit up to a largest one, the smallest first; fewer below 20."""
    series = [digit * 10**power for power in range(len(str(largest))) for digit in (1, 2, 5)]
    fitting = [number for number in series if number <= largest]
    return sorted(set(fitting[::-1][:5:2]))


def _short(number: int) -> str:
    """A round number for an axis: ``200 M``."""
    return words.rounded(number).replace(".00", "")


def _circle(
    x: float,
    y: float,
    radius: float,
    fill: str,
    stroke: str = "",
    thickness: float = 1,
    dash: tuple[float, ...] = (),
) -> Rect:
    return Rect(x - radius, y - radius, 2 * radius, 2 * radius, fill, stroke, thickness, radius, dash)


def _plain(text: str) -> str:
    return shorten(text, 200)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(shorten(name, 40) for name in names[:_NAMED]) + more
