"""Graphs of the whole zoo, measured as they are drawn: bent spines, lines over boxes and words, crossings.

``python tests/drawn.py [NAME...] [--depth N] [--fit FIT] [--direction tb|lr]`` prints what each network has
of them, and their sum; ``--named`` is for those that figures are judged by.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

import archlens
from archlens.drawing import Request
from archlens.drawing.layout import Layout
from archlens.drawing.metrics import width
from archlens.drawing.picture import Group, Path, Point, Rect, Text, walk
from archlens.drawing.plan import TooMuch
from archlens.drawing.styles.graph import Laid, chosen
from archlens.network import Network

Segment = tuple[Point, Point]
#: Left, top, right and bottom.
Area = tuple[float, float, float, float]

#: The networks that figures are judged by.
NAMED = (
    *("lenet5", "alexnet_2012", "vgg16", "googlenet", "inception_v3", "resnet18", "resnet50", "densenet121"),
    *("mobilenet_v2", "efficientnet_b0", "unet", "segnet", "deeplabv3_resnet50", "vit_b_16", "swin_t"),
    *("nasnet_a_mobile", "convnext_tiny", "maxvit_t"),
)


class Measures(NamedTuple):
    """What a drawn graph has of what it had better not have."""

    #: Pairs of boxes, one after the other on every way through the network, of which the second stands below
    #: the first (or beside it, from left to right) and not in line with it.
    bends: int
    #: Connections that run through a box, and through words.
    over_boxes: int
    over_words: int
    #: Pairs of connections that cross, of those that share neither end.
    crossings: int
    #: Width and height on the page.
    wide: float
    high: float


def measured(request: Request) -> Measures:
    """The graph of a request, measured."""
    picture, laid = request.picture, chosen(request)
    edges = [list(_segments(group)) for group in walk(picture.items) if _is(group, "edge")]
    boxes = [_frame(group) for group in walk(picture.items) if _is(group, "node")]
    words = [extent(item) for item in walk(picture.items) if isinstance(item, Text)]
    over_boxes = sum(any(_goes_through(s, box, 1.5) for s, box in _near(edge, boxes)) for edge in edges)
    over_words = sum(any(_goes_through(s, word, 0.8) for s, word in _near(edge, words)) for edge in edges)
    return Measures(
        bends(laid),
        over_boxes,
        over_words,
        crossings(laid.layout),
        picture.width * picture.scale,
        picture.height * picture.scale,
    )


def crossings(layout: Layout) -> int:
    """How many pairs of connections cross, of those that share neither end."""
    ways = [(wire.tail, wire.head, list(pairwise(wire.points))) for wire in layout.wires]
    return sum(
        tail != other_tail and head != other_head and _cross(a, b)
        for (tail, head, a), (other_tail, other_head, b) in combinations(ways, 2)
    )


def bends(laid: Laid) -> int:
    """How often the spine is bent: the boxes that every way from inputs to the last outputs goes through."""
    count = 0
    for a, b in pairwise(spine(laid)):
        (x0, y0, w0, h0), (x1, y1, w1, h1) = (
            (area.x, area.y, *laid.cores[i])
            for i, area in ((a, laid.layout.boxes[a]), (b, laid.layout.boxes[b]))
        )
        if laid.direction == "lr":
            x0, y0, w0, h0, x1, y1, w1, h1 = y0, x0, h0, w0, y1, x1, h1, w1
        overlap = x0 < x1 + w1 and x1 < x0 + w0  # otherwise it stands in the next column
        count += y1 > y0 and overlap and abs(x0 + w0 / 2 - x1 - w1 / 2) > 1
    return count


def spine(laid: Laid) -> list[int]:
    """The boxes that every way to the farthest boxes goes through, in order."""
    into: dict[int, list[int]] = {}
    for edge in laid.plan.edges:
        into.setdefault(edge.head, []).append(edge.tail)
    far: dict[int, int] = {}
    every: dict[int, set[int]] = {}
    for box in laid.plan.boxes:  # a box stands after those that it reads
        tails = into.get(box.id, [])
        far[box.id] = 1 + max((far.get(tail, 0) for tail in tails), default=0)
        through = [every[tail] for tail in tails if tail in every]
        every[box.id] = {box.id} | (set.intersection(*through) if through else set())
    last = [box for box in far if far[box] == max(far.values())]
    return sorted(set.intersection(*(every[box] for box in last)))


def _is(item: object, kind: str) -> bool:
    return isinstance(item, Group) and kind in item.kind.split()


def _frame(group: Group) -> Area:
    rect = next(item for item in group.items if isinstance(item, Rect))
    return rect.x, rect.y, rect.x + rect.width, rect.y + rect.height


def extent(text: Text) -> Area:
    wide = width(text.text, text.size, text.bold)
    left = text.x - {"start": 0.0, "middle": wide / 2, "end": wide}[text.anchor]
    return left, text.y - 0.72 * text.size, left + wide, text.y + 0.21 * text.size


def _segments(group: Group) -> Iterator[Segment]:
    """The straight pieces of a connection, of curves short ones."""
    path = next(item for item in group.items if isinstance(item, Path))
    at = path.start
    for step in path.steps:
        if len(step) == 1:
            yield at, step[0]
        else:
            points = [_curve((at, *step), k / 12) for k in range(13)]
            yield from pairwise(points)
        at = step[-1]


def _curve(points: Sequence[Point], t: float) -> Point:
    while len(points) > 1:  # de Casteljau
        points = [(a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t) for a, b in pairwise(points)]
    return points[0]


def _around(segments: Sequence[Segment]) -> Area:
    """What holds some pieces of a connection: left, top, right and bottom."""
    across, down = zip(*(point for segment in segments for point in segment), strict=True)
    return min(across), min(down), max(across), max(down)


def _overlap(a: Area, b: Area) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _near(edge: Sequence[Segment], areas: Sequence[Area]) -> Iterator[tuple[Segment, Area]]:
    """Each piece of a connection with what it may go through: most lies elsewhere."""
    whole = _around(edge) if edge else (0.0, 0.0, 0.0, 0.0)
    near = [area for area in areas if _overlap(whole, area)]
    return ((segment, area) for segment in edge for area in near)


def _goes_through(segment: Segment, box: Area, inset: float) -> bool:
    left, top, right, low = box[0] + inset, box[1] + inset, box[2] - inset, box[3] - inset
    (x, y), (to_x, to_y) = segment
    first, last = 0.0, 1.0
    for step, room in ((x - to_x, x - left), (to_x - x, right - x), (y - to_y, y - top), (to_y - y, low - y)):
        if step == 0 and room <= 0:
            return False
        if step < 0:
            first = max(first, room / step)
        elif step > 0:
            last = min(last, room / step)
    return first < last


def _cross(a: list[Segment], b: list[Segment]) -> bool:
    """Whether two connections cross."""
    if not a or not b or not _overlap(_around(a), _around(b)):
        return False
    # what lies on the other lies beside it so, on the side on which they cross least
    return all(_cross_beside(a, b, x, y) for x in (0.013, -0.013) for y in (0.007, -0.007))


def _cross_beside(a: list[Segment], b: list[Segment], dx: float, dy: float) -> bool:
    b = [((x + dx, y + dy), (to_x + dx, to_y + dy)) for (x, y), (to_x, to_y) in b]
    return any(_meet(s, t) for s in a if _overlap(_around([s]), _around(b)) for t in b)


def _meet(s: Segment, t: Segment) -> bool:
    return _sides(s, t) and _sides(t, s)


def _sides(s: Segment, t: Segment) -> bool:
    (x, y), (to_x, to_y) = s
    one, other = ((to_x - x) * (p[1] - y) - (to_y - y) * (p[0] - x) for p in t)
    return one * other < -1e-9


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--depth", type=int)
    parser.add_argument("--fit", default="readme")
    parser.add_argument("--direction")
    parser.add_argument("--named", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    asked = parser.parse_args()
    total = [0.0] * 4
    count = bent = 0
    for name in asked.names or (NAMED if asked.named else archlens.names()):
        network: Network = archlens.load(name)
        try:
            found = measured(Request(network, depth=asked.depth, fit=asked.fit, direction=asked.direction))
        except TooMuch:
            continue
        count += 1
        bent += found.bends > 0
        total = [a + b for a, b in zip(total, found, strict=False)]
        if not asked.quiet and (any(found[:4]) or asked.names or asked.named):
            print(f"{name}: bends {found.bends}, over boxes {found.over_boxes}, words {found.over_words}, "
                  f"crossings {found.crossings}, {found.wide:.0f}x{found.high:.0f}")  # fmt: skip
    print(f"{count} networks, {bent} with a bent spine: bends, lines over boxes, over words, crossings: "
          f"{', '.join(f'{one:.0f}' for one in total)}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
