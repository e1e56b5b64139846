"""The values of a tensor along other axes: axes split, put into another order, and merged."""

from __future__ import annotations

import re
from functools import lru_cache
from math import prod
from typing import Annotated, Any, NamedTuple

from ..formulas import Filled
from ..geometry import POINT
from ..shape import ChannelsLast, Shape, times
from .attributes import Kind, choice
from .footprint import Footprint, Reshaped, Turned
from .op import EVERYWHERE, Call, Facts, Names, NonUniform, Op, Reach, ShapeError, weightless

#: An axis of a pattern: the names of its parts, the outermost first.
_Group = tuple[str, ...]

_WORD = re.compile(r"\(|\)|([a-z][a-z0-9]*)(?:=([1-9][0-9]{0,17}))?|1")

#: The longest pattern.
_LONGEST = 200


class _Pattern(NamedTuple):
    left: tuple[_Group, ...]
    right: tuple[_Group, ...]
    #: The sizes that it gives.
    sizes: dict[str, int]
    #: Where in the text each of them stands.
    places: dict[str, int]


def _parsed(text: str) -> _Pattern | None:
    """What a pattern says; ``None`` where it says nothing."""
    if not isinstance(text, Filled):
        return _read(text)
    numbers = text.numbers
    if not all(number >= 1 for number in numbers.values()):
        return None
    found = _read(str(text))
    if (
        found is None or numbers.keys() - found.places.values()
    ):  # a size that is given twice, or a number within a name
        for number in numbers.values():
            number.pinned("what appears twice in a pattern, or in a name of one,")
        return found
    sizes: dict[str, Any] = {
        name: numbers.get(found.places[name], size) for name, size in found.sizes.items()
    }
    return found._replace(sizes=sizes)


@lru_cache(1024)
def _read(text: str) -> _Pattern | None:
    sizes: dict[str, int] = {}
    places: dict[str, int] = {}
    sides = []
    for side in text.split("->"):
        groups: list[_Group] = []
        inside: list[str] | None = None
        end = 0
        for word in _WORD.finditer(side):
            if side[end : word.start()].strip():
                return None
            end = word.end()
            name, size = word.groups()
            if size:
                places.setdefault(name, word.start(2))
            if size and sizes.setdefault(name, int(size)) != int(size):
                return None
            if word[0] == "(" and inside is None:
                inside = []
            elif word[0] == ")" and inside is not None:
                groups.append(tuple(inside))
                inside = None
            elif word[0] in ("(", ")"):
                return None
            elif inside is not None:
                inside += [name] if name else []
            else:
                groups.append((name,) if name else ())
        if inside is not None or side[end:].strip():
            return None
        sides.append(tuple(groups))
    if len(sides) != 2 or not all(sides):
        return None
    names = [[name for group in side for name in group] for side in sides]
    if sorted(names[0]) != sorted(names[1]) or len(set(names[0])) < len(names[0]):
        return None
    return _Pattern(sides[0], sides[1], sizes, places)


def _accepted(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= _LONGEST and _parsed(value) else None


_PATTERN = Kind('a pattern as "l (h=8 c) -> h l c", each name once on either side', _accepted)


class Rearrange(Op, kind="rearrange", family="reshape"):
    """Axes split, permuted and merged, by a pattern as in einops.

    The pattern names the axes of the input and those of the output, each part once on either side. Parts in
    parentheses form one axis, the first part outermost; a part whose size does not follow from the others
    needs one, as in ``(h=8 c)``, and ``1`` is an axis of one position. ``rearrange("l (h=8 c) -> h l c")``
    splits the channels of tokens into eight heads, and ``rearrange("h w c -> w h c")`` exchanges height and
    width.

    Output: the axes on the right of the arrow; the channels come last, unless ``channels`` says first.
    Limits: as many axes as the pattern has, of sizes that it divides.
    Source: Rogozhnikov 2022, "Einops: Clear and Reliable Tensor Manipulations with Einstein-like Notation".
    """

    pattern: Annotated[str, _PATTERN, "the axes before and after"]
    channels: Annotated[
        str, choice("last", "first"), "whether the channels of the output come first or last"
    ] = "last"

    whole = True
    spells = True
    names = Names(keras="", onnx="Transpose(perm)", also="permute einops transposeaxes swapaxes movedim")
    examples = (
        '24x49 >> tokens >> rearrange("l (h=4 c) -> h l c")',
        '24x49 >> tokens >> rearrange("(h w=7) c -> c h w", channels="first")',
        '6x4x9 >> rearrange("c h (w p=3) -> h (p w) c")',
        '6x4x5 >> channels_last >> rearrange("h w c -> h w 1 c")',
        '12 >> rearrange("(l=4 c) -> l c")',
        '6x4x5 >> rearrange("(r=2 c) h w -> (c r) h w", channels="first")',
        '6x4x5 >> channels_last >> rearrange("h w c -> (w h c)")',
    )

    @property
    def keeps_first(self) -> bool:
        """Whether the first axis stays as it is, so that what stands apart along it stays apart."""
        found = _parsed(self.pattern)
        return found is not None and found.left[0] == found.right[0]

    def facts(self, x: Shape) -> Facts:
        found = _parsed(self.pattern)
        assert found is not None
        sizes = self._sizes(x, found)
        split = tuple(sizes[name] for group in found.left for name in group)
        order = self._order(found)
        shape = [prod(sizes[name] for name in group) for group in found.right]
        kind = ChannelsLast if self.channels == "last" and len(shape) > 1 else Shape
        torch = Call(
            "archlens.rearrange", split=split, order=(0, *(i + 1 for i in order)), shape=tuple(shape)
        )
        return weightless(kind(shape), self._reach(x, kind(shape), found), torch)

    def _sizes(self, x: Shape, found: _Pattern) -> dict[str, int]:
        """The size of each part."""
        if len(found.left) != len(x):
            raise ShapeError(
                f'"{self.pattern}" has {len(found.left)} {_axes(len(found.left))} before its arrow, and its '
                f"input {x} has {len(x)}"
            )
        sizes = {**found.sizes}
        for group, n in zip(found.left, x, strict=True):
            known = prod(sizes.get(name, 1) for name in group)
            free = [name for name in group if name not in sizes]
            own = found.sizes
            written = " ".join(f"{name}={own[name]}" if name in own else name for name in group) or "1"
            if len(free) > 1:
                raise ShapeError(
                    f"the sizes of {' and '.join(free)} in ({written}) do not follow from an axis of {n}",
                    help=f"give all but one of them, as ({free[0]}=2 {' '.join(free[1:])})",
                )
            if n % known if free else n != known:
                raise ShapeError(
                    f"an axis of {n} is not ({written})",
                    notes=(f"{' * '.join(str(sizes.get(name, '?')) for name in group) or 1} must make {n}",),
                    size=True,
                )
            sizes |= dict.fromkeys(free, n // known)
        return sizes

    @staticmethod
    def _order(found: _Pattern) -> tuple[int, ...]:
        """Where each part of the output stands in the input."""
        names = [name for group in found.left for name in group]
        return tuple(names.index(name) for group in found.right for name in group)

    def _reach(self, x: Shape, shape: Shape, found: _Pattern) -> Reach:
        if not shape.spatial:
            return EVERYWHERE
        before = [group for i, group in enumerate(found.left) if i != x.channel_axis]
        after = [group for i, group in enumerate(found.right) if i != shape.channel_axis]
        if before == after:
            return (POINT,) * len(before)
        return NonUniform(f"the positions of {times(x.spatial) or x} are in another order")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        found = _parsed(self.pattern)
        assert found is not None
        sizes = self._sizes(inputs[0], found)
        split = tuple(sizes[name] for group in found.left for name in group)
        return Footprint(moves=(Reshaped(split), Turned(self._order(found)), Reshaped()))

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        """A channel is read by those that agree with it in the parts that are channels on either side."""
        found, (x,) = _parsed(self.pattern), inputs
        assert found is not None
        sizes = self._sizes(x, found)
        last = self.channels == "last" or len(found.right) == 1
        own, out = found.left[x.channel_axis], found.right[-1 if last else 0]
        shared = [name for name in own if name in out]
        wanted = {key for c, key in enumerate(_parts(out, shared, sizes)) if channels >> c & 1}
        bits = "".join("1" if key in wanted else "0" for key in _parts(own, shared, sizes))
        return (int(bits[::-1], 2),)

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        return f"{inputs[0]} -> {facts.shape}"


def _parts(group: _Group, shared: list[str], sizes: dict[str, int]) -> list[int]:
    """For each index along an axis, a number for its indices along some parts of it."""
    found = [0]
    for name in group:
        n = sizes[name]
        weight = prod(sizes[one] for one in shared[shared.index(name) + 1 :]) if name in shared else 0
        found = [key + i * weight for key in found for i in range(n)]
    return found


def _axes(count: int) -> str:
    return "axis" if count == 1 else "axes"
