"""The rule ``gridding``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from math import gcd, prod
from typing import NamedTuple

from ...analysis.study import Study
from ...geometry import Window
from ...network import Layer
from ...ops import Reach
from ...shape import times
from ..rule import WARNING, Finding, Rule
from ..words import listed, named


class Gridding(Rule, code="AL106", name="gridding", level=WARNING):
    """Stacked dilations share a common factor, so the outputs only see a grid of points.

    What it does:
        Finds two or more dilated convolutions, one after the other with nothing between them that mixes
        neighbours, whose dilations have a common factor larger than 1. Branches are followed if all of them
        start at the same place. Dilations that grow after an undilated convolution, each no larger than what
        is covered so far (1, 2, 4, 8), as in WaveNet, are not reported.

    Why it matters:
        With dilations 2, 2, 2 an output depends only on every second position of every second row, and its
        neighbour on the others: the map splits into four independent ones, and predictions flicker from pixel
        to pixel. Sources: Wang et al., "Understanding Convolution for Semantic Segmentation" (2018), section
        3.2, whose cure is dilations such as 1, 2, 5; Yu, Koltun and Funkhouser, "Dilated Residual Networks"
        (2017), section 4.

    Example:
        input: 64x32x32
        layers:
          - conv(64, 3, padding=2, dilation=2)
          - relu
          - conv(64, 3, padding=2, dilation=2)

    Use instead:
        input: 64x32x32
        layers:
          - conv(64, 3, padding=1)
          - relu
          - conv(64, 3, padding=2, dilation=2)
          - relu
          - conv(64, 3, padding=5, dilation=5)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        found: dict[tuple[str, ...], list[tuple[Layer, list[_Stack]]]] = {}
        stacks: dict[str, list[_Stack]] = {}
        if not any(_is_dilated(reach) for reach in {id(r): r for r in _reaches(study)}.values()):
            return
        for layer in study.network.layers:
            before = [stacks.get(name, []) for name in layer.inputs]
            here = stacks[layer.name] = _after(layer, before)
            if _is_dilated(layer.facts.reach) and any(stack.is_grid for stack in here):
                roots = tuple(stack.root for stack in here)
                found.setdefault(roots, []).append((layer, here))
        for stacked in found.values():
            yield self._finding(stacked)

    def _finding(self, stacked: list[tuple[Layer, list[_Stack]]]) -> Finding:
        flagged = [layer for layer, _ in stacked]
        longest = max(
            (stack for _, stacks in stacked for stack in stacks if stack.is_grid),
            key=lambda stack: stack.length,
        )
        row = longest.layers()
        names = {layer.name for layer in row}
        beside = [layer for layer in flagged if layer.name not in names]
        last = stacked[-1][1]
        factors = [stack.factor if stack.is_grid else 1 for stack in last]
        factor = f"{factors[0]}" if len(set(factors)) == 1 else times(factors)
        more = f", and {len(beside)} on branches beside them" if beside else ""
        return self.found(
            [*row, *beside],
            f"{len(row)} dilated convolutions in a row{more}, up to {named(flagged[-1:])}, have the common "
            f"factor {factor}: each output is made from 1 in {prod(factors)} of the positions around it",
            at=flagged[0],
            notes=[f"dilations {_dilations([*row, *beside])}"],
            help="dilations without a common factor, such as 1, 2, 5; or an undilated convolution between",
            also=[("the first of them", row[0])] if row[0].step is not flagged[0].step else (),
            count=len(row),
            factor=max(factors),
            share=prod(factors),
        )


class _Row(NamedTuple):
    """A layer and those before it, so that a long row takes no room for each of its beginnings."""

    layer: Layer
    before: _Row | None


class _Stack(NamedTuple):
    """The dilated convolutions since something last mixed neighbours, along one axis."""

    root: str = ""  # what mixed them
    factor: int = 0  # what all dilations have in common; 0 before the first
    length: int = 0  # how many there are
    last: int = 0  # the largest dilation so far
    covered: int = 1  # positions side by side that an output is made from
    pyramid: bool = True  # whether the dilations have grown without leaving holes
    row: _Row | None = None

    def layers(self) -> list[Layer]:
        """The dilated convolutions, in order."""
        found, row = [], self.row
        while row is not None:
            found.append(row.layer)
            row = row.before
        return found[::-1]

    @property
    def is_grid(self) -> bool:
        return self.length > 1 and self.factor > 1 and not self.pyramid


def _reaches(study: Study) -> Iterator[Reach]:
    return (layer.facts.reach for layer in study.network.layers)


def _is_dilated(reach: Reach) -> bool:
    return isinstance(reach, tuple) and any(w.dilation > 1 and w.kernel > 1 for w in reach)


def _after(layer: Layer, before: list[list[_Stack]]) -> list[_Stack]:
    """The stacks after a layer, one per spatial axis; none where there are no axes."""
    axes = len(layer.shape) - 1
    reach = layer.facts.reach
    if not axes:
        return []
    if not isinstance(reach, tuple):
        return [_Stack(layer.name)] * axes
    known = [stacks if len(stacks) == axes else [_Stack()] * axes for stacks in before]
    stacks = known[0] if len(known) == 1 else [_merged(layer, [*each]) for each in zip(*known, strict=True)]
    return [_through(layer, stack, window) for stack, window in zip(stacks, reach, strict=True)]


def _through(layer: Layer, stack: _Stack, window: Window) -> _Stack:
    """The stack along one axis after a window."""
    kernel, stride, dilation = window.kernel, window.stride, window.dilation
    if kernel == 1 and stride == 1:
        return stack
    if dilation == 1 or stride > 1 or window.transposed:
        side_by_side = kernel if stride == 1 and not window.transposed else 1
        return _Stack(layer.name, covered=side_by_side)
    fits = stack.last < dilation <= stack.covered
    return _Stack(
        stack.root,
        gcd(stack.factor, dilation),
        stack.length + 1,
        max(stack.last, dilation),
        stack.covered + dilation * (kernel - 1) if fits else stack.covered,
        stack.pyramid and fits,
        _Row(layer, stack.row),
    )


def _merged(layer: Layer, stacks: list[_Stack]) -> _Stack:
    """Branches that came from one place go on together; others mix what neighbours know."""
    if len({stack.root for stack in stacks}) > 1:
        return _Stack(layer.name, covered=max(stack.covered for stack in stacks))
    longest = max(stacks, key=lambda stack: stack.length)
    return longest._replace(
        factor=gcd(*[stack.factor for stack in stacks]),
        last=max(stack.last for stack in stacks),
        pyramid=all(stack.pyramid for stack in stacks),
    )


def _dilations(layers: list[Layer]) -> str:
    """``2 (6 times), 4 and 4x8``."""
    runs = [(dilation, len(list(group))) for dilation, group in groupby(map(_dilation, layers))]
    return listed([f"{one} ({count} times)" if count > 1 else one for one, count in runs], 8)


def _dilation(layer: Layer) -> str:
    reach = layer.facts.reach
    assert isinstance(reach, tuple)
    sizes = [window.dilation for window in reach]
    return str(sizes[0]) if len(set(sizes)) == 1 else times(sizes)
