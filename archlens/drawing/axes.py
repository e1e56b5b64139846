"""Axes of a chart: where a value lies on one, and which values are written at it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, floor, log10
from typing import NamedTuple

from ..analysis.comparison import Measure, Unit
from ..views import words

#: The least room for a figure along an axis that lies, and along one that stands.
ACROSS, UPWARD = 42.0, 34.0
#: The digits of a logarithmic axis, by how much room there is; where there is none, only the 1 is written.
_SERIES = ((1, 2, 3, 5, 7), (1, 2, 5))
#: The least range of an axis: of one that is logarithmic in powers of ten.
_DECADES, _LEAST = 0.3, 2.0
#: From which ratio on numbers of layers and positions are put on a logarithmic axis, as counts always are.
_WIDE = 10.0


class Axis(NamedTuple):
    """Values from ``low`` to ``high``, or their logarithms, on the way from one place to another."""

    measure: Measure
    log: bool
    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def over(cls, measure: Measure, values: Sequence[float], start: float, stop: float, edge: float) -> Axis:
        """An axis on which all values have so much room at both ends."""
        log = is_log(measure, values)
        ends = [log10(value) if log else value for value in (min(values), max(values))]
        middle, half = (ends[0] + ends[1]) / 2, max(ends[1] - ends[0], _DECADES if log else _LEAST) / 2
        inner = abs(stop - start) - 2 * edge
        half *= abs(stop - start) / inner
        return cls(measure, log, middle - half, middle + half, start, stop)

    def at(self, value: float) -> float:
        """Where a value lies."""
        place = log10(value) if self.log else value
        return self.start + (place - self.low) / (self.high - self.low) * (self.stop - self.start)

    @property
    def title(self) -> str:
        """What stands beside it."""
        return f"{self.measure.title}, logarithmic" if self.log else self.measure.title

    def ticks(self, room: float) -> Iterator[tuple[float, str]]:
        """Round values, and how they are written; empty where there is a line and no room for its figure.

        Args:
            room: the least that a figure takes along the axis.
        """
        return self._powers(room) if self.log else self._steps(room)

    def _steps(self, room: float) -> Iterator[tuple[float, str]]:
        unit = self.measure.unit
        most = abs(self.stop - self.start) / room
        sizes = [digit * 10.0**power for power in range(-1, 13) for digit in (1, 2, 5)]
        for size in sizes if unit is Unit.PERCENT else [size for size in sizes if size >= 1]:
            first, last = ceil(self.low / size), floor(self.high / size)
            if last - first < most:
                decimals = 1 if size < 1 else 0
                for i in range(max(first, 0), last + 1):
                    if unit is not Unit.PERCENT or i * size <= 100:
                        yield i * size, f"{i * size:.{decimals}f}"
                return

    def _powers(self, room: float) -> Iterator[tuple[float, str]]:
        decade = abs(self.stop - self.start) / (self.high - self.low)
        # the last two of a series are the nearest to each other
        fitting = (one for one in _SERIES if decade * min(log10(one[-1] / one[-2]), log10(2)) >= room)
        series = next(fitting, None)
        every = ceil(room / decade)  # of the powers, where not each has room
        for power in range(max(floor(self.low), 0), floor(self.high) + 1):
            for digit in (series or _SERIES[-1]) if every == 1 else (1,):
                value = digit * 10**power
                if self.low <= log10(value) <= self.high:
                    named = (digit == 1 or series is not None) and power % every == 0
                    yield value, written(self.measure, value) if named else ""


def is_log(measure: Measure, values: Sequence[float]) -> bool:
    """Whether values are put on a logarithmic axis."""
    if measure.unit in (Unit.COUNT, Unit.BYTES):
        return True
    return measure.unit is Unit.NUMBER and min(values) > 0 and max(values) / min(values) > _WIDE


def written(measure: Measure, value: float) -> str:
    """A value as a picture writes it: ``200 M``, ``9.63 MB``, ``76.13``, ``2016``."""
    if measure.unit is Unit.COUNT:
        return words.rounded(int(value)).replace(".00", "")
    if measure.unit is Unit.BYTES:
        return words.size(int(value)).replace(".00", "")
    return f"{value:,.0f}" if measure.unit is Unit.NUMBER else f"{value:g}"
