"""The chart of a comparison: networks as bubbles on two axes, as accuracy over multiply-accumulates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from ..analysis.comparison import MEASURES, Accuracy, Compared, Measure, Unit, front
from ..analysis.unknown import Unknown
from ..errors import did_you_mean, printable, shorten, usage
from ..grouping import grouped
from ..views import words
from .axes import ACROSS, UPWARD, Axis, written
from .drawn import Drawn
from .fit import SMALL, Fit
from .frame import Around, Sign, page, space
from .labels import CLEAR, Box, Disc, Segment, place
from .metrics import fitted, width
from .picture import Group, Item, Picture, Rect, Text, line
from .theme import HUES, Theme, theme_of

#: The height of the field for its width, and the most that it has.
_RATIO, _HIGHEST = 0.64, 620.0

#: The least room to the left for the figures of the axis; that above for its title, and below.
_LEFT, _ABOVE, _BELOW = 30.0, 18.0, 34.0

#: Among more networks than these a label stands where it covers nothing, or in the table; and the field is so
#: high, however narrow.
_MANY, _TALL = 40, 300.0

#: The strength of lines that join families, and of those among more families than colours.
_JOINED, _FAINT = 0.5, 0.25

#: The radius of the smallest bubble that has a dot, and up to which one is hardly more than its dot.
_DOTTED, _TINY = 4.0, 2.0

#: The radius of the largest bubble among a dozen networks and among many; that of the dot at each centre.
_LARGEST, _LEAST, _DOZEN, _DOT = 32.0, 12.0, 12, 1.2

#: The widest label, and how high a line of text is over its size.
_LABEL, _LINE = 170.0, 1.2

#: How many networks a sentence names, and how many sources.
_NAMED, _SOURCES = 12, 4

_DASH = (3.0, 2.0)

#: What has no bubble.
NO_AREA = "none"


class _Bubble(NamedTuple):
    """A network that is drawn."""

    network: Compared
    #: Its values on both axes, and where it stands.
    values: tuple[float, float]
    x: float
    y: float
    radius: float
    color: str
    #: Whether its accuracy is of another source than those of most.
    odd: bool


@dataclass(frozen=True)
class Chart(Drawn):
    """Networks that are to be drawn into one chart."""

    networks: tuple[Compared, ...]
    #: What the axes are, by names of :data:`archlens.analysis.comparison.MEASURES`; what the areas of the
    #: bubbles are, or ``none``.
    x: str = "macs"
    y: str = "top1"
    area: str = "params"
    #: Whether the Pareto front is drawn.
    front: bool = False

    @cached_property
    def axes(self) -> tuple[Measure, Measure]:
        """What is drawn over what: the lying axis first.

        Raises:
            UsageError: there is no such measure, or it is drawn over itself.
        """
        if self.x == self.y:
            raise usage(f"{shorten(self.x)} over itself says nothing", help="take two quantities")
        return _measured(self.x, "--x"), _measured(self.y, "--y")

    @cached_property
    def areas(self) -> Measure | None:
        """What the areas of the bubbles are.

        Raises:
            UsageError: there is no such measure, or it has no zero, so that areas would mislead.
        """
        if self.area == NO_AREA:
            return None
        found = _measured(self.area, "--area")
        if found.unit not in (Unit.COUNT, Unit.BYTES):
            counts = [name for name, one in MEASURES.items() if one.unit in (Unit.COUNT, Unit.BYTES)]
            raise usage(
                f"the area of a bubble cannot be {found.called}", help=f"{', '.join(counts)}, or {NO_AREA}"
            )
        return found

    def why_not(self, one: Compared) -> str:
        """Why a network is not in the chart; empty where it is."""
        drawn = [*self.axes, *([self.areas] if self.areas is not None else [])]
        for measure in drawn:
            value = measure.of(one)
            if isinstance(value, Unknown):
                return f"no {measure.called}: {value.reason}"
            if not value and measure.unit in (Unit.COUNT, Unit.BYTES) and measure is not self.areas:
                return f"no {measure.called}"
        return ""

    @cached_property
    def picture(self) -> Picture:
        """The chart.

        Raises:
            UsageError: none of the networks can be drawn, or there is no such theme, fit, font or measure.
        """
        return self.written(lambda: _Drawing(self, theme_of(self.theme), self.page).picture())


def _measured(name: str, option: str) -> Measure:
    found = MEASURES.get(name.replace("-", "_"))
    if found is None:
        known = ", ".join(MEASURES)
        raise usage(
            f"there is no measure {shorten(name) or 'without a name'} for {option}",
            help=did_you_mean(name, MEASURES, otherwise=f"the quantities: {known}"),
        )
    return found


class _Drawing:
    """One chart in the making."""

    def __init__(self, chart: Chart, theme: Theme, fit: Fit) -> None:
        self.chart, self.networks = chart, chart.networks
        self.theme, self.fit = theme, fit
        self.across_by, self.upward_by = chart.axes
        self.reasons = {id(one): chart.why_not(one) for one in chart.networks}
        self.drawn = [one for one in chart.networks if not self.reasons[id(one)]]
        if not self.drawn:
            raise usage(
                "there is nothing to draw: of no network both axes are known",
                notes=[f"{shorten(one.name)}: {self.reasons[id(one)]}" for one in chart.networks[:5]],
                help="without -o there is the table; `archlens claims NAME` shows what was published",
            )
        if chart.front and 0 in (self.across_by.better, self.upward_by.better):
            neutral = next(one for one in chart.axes if not one.better)
            raise usage(
                f"there is no Pareto front by {neutral.called}: neither more nor less of it is better",
                help="leave --front out, or take other axes",
            )
        self.values = [(_known(self.across_by, one), _known(self.upward_by, one)) for one in self.drawn]
        self.many = len(self.drawn) > _MANY
        self.largest_radius = max(_LARGEST * min(1.0, sqrt(_DOZEN / len(self.drawn))), _LEAST)
        areas = chart.areas
        self.areas = [_known(areas, one) if areas is not None else 0.0 for one in self.drawn]
        self.largest = max(self.areas)
        self.families = list(dict.fromkeys(one.family for one in self.drawn))
        self.sources = self._sources()
        self.series = self._series()

    def _sources(self) -> dict[str, Accuracy]:
        """The accuracies that an axis is of, by the names of their networks."""
        accuracies = [name for name in (self.chart.y, self.chart.x) if name in ("top1", "top5")]
        found = ((one.name, getattr(one, accuracies[0])) for one in self.drawn) if accuracies else ()
        return {network: accuracy for network, accuracy in found if isinstance(accuracy, Accuracy)}

    def _series(self) -> dict[str, list[str]]:
        """Where the accuracies are from, that of most first, each with the networks it is of."""
        series = grouped((accuracy.series, name) for name, accuracy in self.sources.items())
        return dict(sorted(series.items(), key=lambda item: -len(item[1])))

    def _bubbles(self) -> list[_Bubble]:
        most = next(iter(self.series), "")
        return [
            _Bubble(
                one,
                values,
                round(self.across.at(values[0]), 1),
                round(self.upward.at(values[1]), 1),
                self._radius(area),
                self.theme.hue(self.families.index(one.family)),
                one.name in self.sources and self.sources[one.name].series != most,
            )
            for one, values, area in zip(self.drawn, self.values, self.areas, strict=True)
        ]

    def _radius(self, value: float) -> float:
        """That of a bubble whose area is as a value; without areas all are small."""
        if self.chart.areas is None:
            return 3.0
        return self.largest_radius * sqrt(value / self.largest) if self.largest else 0.0

    def _around(self, notes: Iterable[str]) -> Around:
        count = f"{len(self.drawn)} network{'s' if len(self.drawn) != 1 else ''}"
        areas = self.chart.areas
        said = f"{count}, each on its own input" + (f"; areas: {areas.called}" if areas else "")
        return Around((self._title, said), tuple(self._signs()), tuple(notes))

    @property
    def _title(self) -> str:
        title = f"{self.upward_by.title.removesuffix(', %')} over {self.across_by.title.removesuffix(', %')}"
        return title[:1].upper() + title[1:]

    def picture(self) -> Picture:
        """All of it on its page."""
        # the notes say whose labels had no room, which is known when the field has its size
        unnamed = [one.name for one in self.drawn] if self.many else []
        wide, high = space(self.fit, self._around(self._notes(unnamed, lines=True)))
        keys = 2 * self.largest_radius if self.chart.areas is not None else 0.0
        room = high - _ABOVE - _BELOW - keys if self.fit.bounded else _HIGHEST
        self.height = max(min(max(wide * _RATIO, _TALL * self.many), room), wide / 3)
        edge = self.largest_radius + 4
        across, upward = zip(*self.values, strict=True)
        self.upward = Axis.over(self.upward_by, upward, _ABOVE + self.height, _ABOVE, edge)
        figures = [width(text, SMALL) + 8 for _, text in self.upward.ticks(UPWARD)]
        self.left = max(_LEFT, *figures)
        self.right = wide - 2
        self.across = Axis.over(self.across_by, across, self.left, self.right, edge)
        self.bubbles = self._bubbles()
        lines = list(self._lines())
        items: list[Item] = [Group("axes", tuple(self._axes()))]
        if lines:
            strength = _JOINED if len(self.families) <= len(HUES) else _FAINT
            strokes = [
                line(*ends, stroke=self.theme.shade(color, strength), thickness=1.2) for color, ends in lines
            ]
            items.append(Group("families", tuple(strokes)))
        # the small ones lie over the large ones
        items += [
            self._disc(one) for one in sorted(self.bubbles, key=lambda one: (-one.radius, one.network.name))
        ]
        ends = [ends for _, ends in lines]
        best, walls = self._front(), list[Segment]()
        if len(best) > 1:
            points = [(self.bubbles[i].x, self.bubbles[i].y) for i in best]
            items.append(Group("front", (line(*points, stroke=self.theme.text, thickness=1.4),)))
            walls += pairwise(points)
        labels, unnamed = self._labels(ends, walls, best)
        items += [Group("labels", tuple(labels))]
        bottom = _ABOVE + self.height + _BELOW
        sizes, high = self._sizes(bottom)
        items.append(Group("sizes", tuple(sizes)))
        size = (wide, bottom + high)
        around = self._around(self._notes(unnamed, lines=bool(lines)))
        return page(around, items, size, self.theme, self._description(), self.fit)

    # --- the field ----------------------------------------------------------------------------------

    def _axes(self) -> Iterator[Item]:
        """Lines and figures of both axes, and their titles."""
        theme, left, right, low = self.theme, self.left, self.right, _ABOVE + self.height
        yield Text(0, 8, fitted(self.upward.title, SMALL, right, bold=True), SMALL, theme.text, bold=True)
        for value, text in self.upward.ticks(UPWARD):
            y = self.upward.at(value)
            yield line((left, y), (right, y), stroke=theme.box, thickness=0.8)
            if text:
                yield Text(left - 6, y + 3.2, text, SMALL, theme.muted, "end")
        for value, text in self.across.ticks(ACROSS):
            x = self.across.at(value)
            yield line((x, _ABOVE), (x, low), stroke=theme.box, thickness=0.8)
            if text:
                yield line((x, low), (x, low + 4), stroke=theme.border, thickness=0.8)
                yield Text(x, low + 14, text, SMALL, theme.muted, "middle")
        yield line((left, _ABOVE), (left, low), (right, low), stroke=theme.border, thickness=0.8)
        title = fitted(self.across.title, SMALL, right, bold=True)
        yield Text(right, low + 28, title, SMALL, theme.text, "end", bold=True)

    def _front(self) -> list[int]:
        """The bubbles of the Pareto front, where it is asked for."""
        if not self.chart.front:
            return []
        return front(self.values, (self.across_by.better, self.upward_by.better))

    def _lines(self) -> Iterator[tuple[str, Segment]]:
        """From each network of a family to the next, where one measure grows with the other."""
        for family in self.families:
            members = [one for one in self.bubbles if one.network.family == family]
            members.sort(key=lambda one: (one.values[0], one.network.name))
            pairs = list(pairwise(members))
            if all(a.values[0] < b.values[0] and a.y >= b.y for a, b in pairs):
                yield from ((a.color, ((a.x, a.y), (b.x, b.y))) for a, b in pairs)

    def _disc(self, one: _Bubble) -> Item:
        """A bubble with a dot at its centre; dashed where its accuracy is of another source."""
        network, theme = one.network, self.theme
        title = f"{shorten(network.name)}: {', '.join(self._said(network))}"
        if (accuracy := self.sources.get(network.name)) is not None:
            title += f"; {shorten(accuracy.source, 200)}"
        fill = theme.shade(one.color, theme.strength)
        # dashes of a small circle are short, so that it is one
        finer = min(one.radius / _DOTTED, 1.0)
        dash = tuple(step * finer for step in _DASH) if one.odd else ()
        items = [_circle(one.x, one.y, one.radius, fill, one.color, 1.2, dash)]
        if not _TINY < one.radius < _DOTTED:
            items.append(_circle(one.x, one.y, _DOT, one.color))
        return Group("bubble", tuple(items), title)

    def _said(self, network: Compared) -> Iterator[str]:
        """The figures of a network that are drawn, in words."""
        areas = self.chart.areas
        asked = (self.upward_by, self.across_by, *((areas,) if areas is not None else ()))
        for measure in dict.fromkeys(asked):
            value = _known(measure, network)
            if measure.unit is Unit.PERCENT:
                accuracy = network.top1 if measure.called == "top-1" else network.top5
                assert isinstance(accuracy, Accuracy)
                yield f"{measure.called} {accuracy.digits} %"
            elif measure.unit is Unit.COUNT:
                yield f"{words.rounded(int(value))} {measure.called}"
            else:
                size = words.size(int(value)) if measure.unit is Unit.BYTES else f"{value:g}"
                yield f"{measure.called} {size}"

    def _labels(
        self, lines: Sequence[Segment], walls: Sequence[Segment], best: Sequence[int]
    ) -> tuple[list[Item], list[str]]:
        """The names beside the bubbles, those of the front first; and those for which there was no room."""
        texts = [fitted(printable(one.network.name), SMALL, _LABEL) for one in self.bubbles]
        discs = [
            Disc(one.x, one.y, one.radius, width(text, SMALL), SMALL * _LINE)
            for one, text in zip(self.bubbles, texts, strict=True)
        ]
        room = Box(self.left + 2, _ABOVE - 4, self.right, _ABOVE + self.height - 2)
        items: list[Item] = []
        unnamed: list[str] = []
        clear = {"most": CLEAR} if self.many else {}
        places = place(discs, room, lines, walls=walls, first=best, **clear)
        for one, text, found in zip(self.bubbles, texts, places, strict=True):
            if found is None:
                unnamed.append(one.network.name)
                continue
            if found.leader is not None:
                items.append(line(*found.leader, stroke=self.theme.border, thickness=0.6))
            x, base = (found.box.left + found.box.right) / 2, found.box.bottom - SMALL * 0.3
            items.append(Text(x, base, text, SMALL, self.theme.text, "middle"))
        return items, unnamed

    # --- what stands below --------------------------------------------------------------------------

    def _sizes(self, top: float) -> tuple[list[Item], float]:
        """What the area of a bubble means: some round numbers; and how high that is."""
        areas = self.chart.areas
        if areas is None or not self.largest:
            return [], 0.0
        theme = self.theme
        sizes = _round_numbers(int(self.largest))
        x = width(areas.called, SMALL) + 12
        each = [2 * self._radius(value) + 5 + width(written(areas, value), SMALL) + 16 for value in sizes]
        while len(sizes) > 1 and x + sum(each[: len(sizes)]) - 16 > self.right:
            sizes.pop()
        high = 2 * self._radius(sizes[-1])
        middle = top + max(high, 12.0) / 2
        items: list[Item] = [Text(0, middle + 3.2, areas.called, SMALL, theme.muted)]
        for value in sizes:
            radius, text = self._radius(value), written(areas, value)
            items.append(_circle(x + radius, middle, radius, "", theme.border, 1))
            items.append(Text(x + 2 * radius + 5, middle + 3.2, text, SMALL, theme.muted))
            x += 2 * radius + 5 + width(text, SMALL) + 16
        return items, max(high, 12.0)

    def _signs(self) -> list[Sign]:
        """The colours of the families; none where there is one family only, or more than colours."""
        signs = [Sign("Pareto front", self.theme.text, line=True, thickness=1.4)] if self.chart.front else []
        if not 1 < len(self.families) <= len(HUES):
            return signs
        named = [Sign(shorten(family, 40), self.theme.hue(i)) for i, family in enumerate(self.families)]
        return [*named, *signs]

    def _notes(self, unnamed: Sequence[str], *, lines: bool) -> Iterator[str]:
        x, y = self.across_by, self.upward_by
        if MEASURES["macs"] in (x, y, self.chart.areas):
            yield "One MAC is one multiply-accumulate of a convolution or a matrix product; FLOPs = 2 x MACs."
        if self.series:
            yield "The accuracies were published, not measured here, and depend on the training."
            (most, names), *others = self.series.items()
            said = f"Source: {_plain(most)} ({len(names)} of {len(self.drawn)})"
            if 0 < len(others) <= _SOURCES:
                yield f"{said}; dashed: {'; '.join(f'{_plain(s)} ({_listed(n)})' for s, n in others)}."
            elif others:
                yield f"{said}; dashed: {len(others)} other sources, which the table names."
            else:
                yield f"{said}."
        if lines:
            yield f"Lines join a family whose {y.called} grows with its {x.called}."
        if self.chart.front:
            yield f"Pareto front: none here is better in {y.called} without being worse in {x.called}."
        if len(self.families) > len(HUES):
            yield f"The colours are those of {len(self.families)} families, and some stand for several."
        left_out = grouped((why, one.name) for one in self.networks if (why := self.reasons[id(one)]))
        if len(left_out) <= _SOURCES:
            for why, names in left_out.items():
                yield f"Not drawn: {_listed(names)} ({_plain(why)})."
        else:
            count = sum(map(len, left_out.values()))
            kinds = grouped((why.partition(":")[0], len(names)) for why, names in left_out.items())
            parts = ", ".join(f"{why}: {sum(counts)}" for why, counts in kinds.items())
            yield f"Not drawn: {count} networks of which an axis is not known ({parts}); the table says why."
        if unnamed:
            yield f"Without a label, for want of room: {_listed(unnamed)}."

    def _description(self) -> str:
        """What the chart shows, in words."""
        count = f"{len(self.bubbles)} network{'s' if len(self.bubbles) != 1 else ''}"
        ends = []
        for measure, position in ((self.upward_by, 1), (self.across_by, 0)):
            for word, pick in (("Least", min), ("Most", max)):
                one = pick(self.bubbles, key=lambda one: (one.values[position], one.network.name))
                said = next(text for text in self._said(one.network) if measure.called in text)
                ends.append(f"{word} {measure.called}: {shorten(one.network.name)}, {said}.")
        return f"Bubble chart of {count}: {self._title}. {' '.join(ends)}"


def _known(measure: Measure, one: Compared) -> float:
    value = measure.of(one)
    assert not isinstance(value, Unknown)
    return value


def _round_numbers(largest: int) -> list[int]:
    """Three numbers of one digit up to a largest one, the smallest first; fewer below 20."""
    series = [digit * 10**power for power in range(len(str(largest))) for digit in (1, 2, 5)]
    fitting = [number for number in series if number <= largest]
    return sorted(set(fitting[::-1][:5:2]))


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
