"""``volumes``: feature maps as boxes, as the figures of LeNet, AlexNet, VGG and U-Net have them.

Height and width grow with the square root of the size unless another scale is asked for; the thickness is
the logarithm of the channels. Maps of one size stand side by side, their pooling with them; the numbers of
channels stand beneath them, and the size on the edge. Kernels are small windows on what they read; flat
vectors are bars.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from itertools import product
from typing import NamedTuple

from ....errors import did_you_mean, shorten, usage
from ...picture import Picture
from ...plan import Plan
from ...request import SCALES, Request
from .artist import Artist
from .stages import Stage, Valley, stages_of, valleys_of

__all__ = ["draw"]

#: How tall the largest map is, and how many slabs a stage shows: from the most to the least that is tried.
_SIZES = ((150.0, 6), (120.0, 6), (120.0, 4), (96.0, 4), (96.0, 3), (76.0, 3), (64.0, 3))
#: The same of a U, as so it needs no more than a line does.
_LEAST = 56.0, 3
#: How many slabs beside the input there are at least where levels are folded so that one line holds them.
_SLABS = 6
#: Of how many lines captions say what there is where nothing else ends with its page.
_TIGHT = (3, 1)
#: How many stages there may be.
_STAGES = 24


def draw(request: Request) -> Picture:
    """The network's feature maps as boxes.

    The most detailed plan that stands in one line, or in a U, is taken; else the most detailed one that the
    page holds in several.
    """
    if request.scale not in SCALES:
        help = did_you_mean(request.scale, SCALES, otherwise=f"the scales: {', '.join(SCALES)}")
        raise usage(f"there is no scale {shorten(request.scale)}", help=help)
    known, key = (
        request.plans.known,
        (
            __name__,
            request.page,
            request.bare,
            request.ground,
            request.depth,
            request.labels,
            request.heat,
            request.scale,
        ),
    )
    if key in known:  # it is so in every theme
        picture: Picture = known[key].artist(request).picture()
        return picture
    known[key], picture = _chosen(request)
    return picture


class _Way(NamedTuple):
    """How volumes are laid out."""

    plan: Plan
    stages: list[Stage]
    tall: float
    most: int
    valley: Valley | None
    stacked: bool
    tight: int = 0

    @property
    def is_possible(self) -> bool:
        """Whether a page may hold it at all.

        Several boxes that repeat together cannot stand side by side: their scope is shown as one.
        """
        return len(self.stages) <= _STAGES and not any(box.repeats > box.fold for box in self.plan.boxes)

    def is_whole(self, request: Request) -> bool:
        """Whether it is in one line, or a U."""
        return self.artist(request).is_whole

    def artist(self, request: Request) -> Artist:
        """Who draws them so, each stage in a place of its own."""
        stages = [copy(stage) for stage in self.stages]
        return Artist(
            request, self.plan, stages, self.tall, self.most, self.valley,
            stacked=self.stacked, tight=self.tight,
        )  # fmt: skip


def _chosen(request: Request) -> tuple[_Way, Picture]:
    """As the page holds it; or the least that there is of the plans that are asked for."""
    least, found = _held(request, request.choices())
    # where it is in several lines, fewer boxes may be in one
    several = request.depth is None and not (found and found[0].is_whole(request))
    if several and (kindred := request.plans.kindred) is not None:
        _, other = _held(request, [request.labelled(kindred)])
        if other and (not found or other[0].is_whole(request)):
            found = other
    for words in _TIGHT if request.page.bounded else ():
        if found is None:
            _, found = _held(request, request.choices(), tight=words)
    return found or (least, least.artist(request).picture())


def _held(
    request: Request, plans: Iterable[Plan], *, tight: int = 0
) -> tuple[_Way, tuple[_Way, Picture] | None]:
    """The last way that is tried, and the one that the page holds of some plans."""
    held: tuple[_Way, Picture] | None = None
    for plan in plans:
        plan = plan.thinned()
        stages = stages_of(plan)
        valleys = valleys_of(stages, lying=request.page.lying)
        ways = (*product(valleys, (False, True)), (None, False))
        for (valley, stacked), (tall, most) in product(ways, (*_SIZES, _LEAST)):
            if (tall, most) == _LEAST and valley is None:
                continue
            way = _Way(plan, stages, tall, most, valley, stacked, tight)
            if not way.is_possible:
                continue
            artist = way.artist(request)
            whole = artist.is_whole and (held is None or artist.slabs >= _SLABS)
            if not artist.is_held or not (whole or held is None):
                continue
            picture = artist.picture()
            if not _ends(request, picture):  # what is carried from line to line takes more than was reckoned
                continue
            if whole:
                return way, (way, picture)
            held = way, picture
    return way, held


def _ends(request: Request, picture: Picture) -> bool:
    """Whether a picture ends where its page does."""
    return not request.page.bounded or picture.height * picture.scale <= request.page.height + 0.05
