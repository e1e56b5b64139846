"""A picture as a value: rectangles, paths and lines of text in groups, in points from the top left.

The styles make one, the formats write it. Knows nothing of networks, and nothing of how a format is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .metrics import SANS, Font

Point = tuple[float, float]

#: How far apart the lines of a hatch are, along either side.
_HATCH = 5.0


@dataclass(frozen=True)
class Rect:
    """A rectangle; ``radius`` rounds its corners."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    stroke: str = ""
    thickness: float = 1
    radius: float = 0
    dash: tuple[float, ...] = ()


@dataclass(frozen=True)
class Path:
    """Lines and cubic curves: a step holds one point (a line to it) or three (a curve to the last)."""

    start: Point
    steps: tuple[tuple[Point, ...], ...]
    fill: str = ""
    stroke: str = ""
    thickness: float = 1
    dash: tuple[float, ...] = ()
    closed: bool = False


@dataclass(frozen=True)
class Text:
    """One line of text; ``y`` is its baseline, ``anchor`` is ``start``, ``middle`` or ``end``."""

    x: float
    y: float
    text: str
    size: float
    fill: str
    anchor: str = "start"
    bold: bool = False


@dataclass(frozen=True)
class Group:
    """What belongs together, with what it is (``node``, ``cluster``, …) and a title that readers speak."""

    kind: str
    items: tuple[Item, ...]
    title: str = ""


Item = Rect | Path | Text | Group


@dataclass(frozen=True)
class Picture:
    """A whole picture."""

    width: float
    height: float
    #: Empty where whatever it stands on is seen.
    background: str
    #: What it is, and what it shows, for those who do not see it.
    title: str
    description: str
    items: tuple[Item, ...] = field(repr=False)
    #: The font of its text.
    font: Font = field(default=SANS, repr=False)
    #: How long one of its points is where it is read, in ``unit``: ``px`` or ``pt``, a 72nd of an inch.
    scale: float = 1.0
    unit: str = "px"

    @property
    def printed(self) -> float:
        """How long one of its points is in print, in 72nds of an inch."""
        return self.scale * (1.0 if self.unit == "pt" else 0.75)


def polygon(points: list[Point], fill: str = "", stroke: str = "", thickness: float = 1) -> Path:
    """A closed shape with straight sides."""
    return Path(points[0], tuple((point,) for point in points[1:]), fill, stroke, thickness, closed=True)


def line(*points: Point, stroke: str, thickness: float = 1, dash: tuple[float, ...] = ()) -> Path:
    """Straight lines from point to point."""
    return Path(points[0], tuple((point,) for point in points[1:]), "", stroke, thickness, dash)


def rounded_line(
    *points: Point, stroke: str, radius: float, thickness: float = 1, dash: tuple[float, ...] = ()
) -> Path:
    """Lines along the axes from point to point, with rounded corners."""
    steps: list[tuple[Point, ...]] = []
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        reach = min(radius, _length(before, corner) / 2, _length(corner, after) / 2)
        enter, leave = _toward(corner, before, reach), _toward(corner, after, reach)
        steps += [
            (enter,),
            (_toward(corner, before, reach * 0.45), _toward(corner, after, reach * 0.45), leave),
        ]
    steps.append((points[-1],))
    return Path(points[0], tuple(steps), "", stroke, thickness, dash)


def arrow_head(tip: Point, back: Point, color: str, size: float = 5.5) -> Path:
    """A filled head at ``tip`` for a line that comes from ``back``."""
    length = _length(back, tip) or 1.0
    dx, dy = (tip[0] - back[0]) / length, (tip[1] - back[1]) / length
    foot = (tip[0] - dx * size, tip[1] - dy * size)
    half = size * 0.42
    return polygon(
        [tip, (foot[0] - dy * half, foot[1] + dx * half), (foot[0] + dy * half, foot[1] - dx * half)], color
    )


def hatched(left: float, top: float, right: float, low: float, color: str) -> Iterator[Path]:
    """A hatch: lines from the lower left to the upper right over a rectangle."""
    wide, high = right - left, low - top
    at = _HATCH
    while at < wide + high:
        start = (left + max(at - high, 0.0), top + min(at, high))
        end = (left + min(at, wide), top + max(at - wide, 0.0))
        yield line(start, end, stroke=color, thickness=0.8)
        at += _HATCH


def walk(items: tuple[Item, ...]) -> Iterator[Item]:
    """Every item, those of groups included, in the order in which they are painted."""
    for item in items:
        yield item
        if isinstance(item, Group):
            yield from walk(item.items)


def number(value: float) -> str:
    """A coordinate as every format writes it: to a tenth of a point, so that the bytes are the same anywhere.

    >>> number(12.0), number(-0.04), number(3.14159)
    ('12', '0', '3.1')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _length(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _toward(start: Point, goal: Point, by: float) -> Point:
    length = _length(start, goal) or 1.0
    return start[0] + (goal[0] - start[0]) * by / length, start[1] + (goal[1] - start[1]) * by / length
