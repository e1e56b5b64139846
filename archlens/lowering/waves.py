"""Cosines and sines that a file holds or computes, and the angles that they are of."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import isclose, pi, prod

from .reader import Reader
from .tape import Lies, Rates, Turns, Value

#: How near an angle is, by its size; and a cosine or a sine, for each position.
_ANGLE, _WAVE = 1e-5, 1e-6

#: The same of numbers of 16 bits, and to how many digits a base is told by them.
_COARSE = {"float16": 2**-10, "bfloat16": 2**-7}
_DIGITS = (1, 2, 3)

#: The most pairs of channels that are looked at: of the other positions the first and the last pair.
_MOST = 1 << 13

#: From where on two angles differ.
_SAME = 1e-9

#: The most axes of a grid.
_AXES = 3

#: What angles of one pair get smaller by, which is never seen.
_BASE = 10000

#: The largest denominators of a number that is meant as a fraction, and as part of a turn.
_FRACTION, _TURN = 64, 512

#: The cosines and the sines at so many positions and channels, one by one.
Waves = Callable[[Sequence[int], Sequence[int]], tuple[Sequence[float], Sequence[float]]]


class _Angles:
    """The angles of pairs, within half a turn, as cosines and sines are of them.

    Args:
        waves: what gives these.
        length: how many positions there are.
        channels: the first channel of each pair.
    """

    def __init__(self, waves: Waves, length: int, channels: Sequence[int]) -> None:
        self.waves, self.length, self.channels = waves, length, channels
        self.at, self.of = cache(self._at), cache(self._of)

    def _at(self, position: int) -> Sequence[float]:
        """Those of all pairs at a position."""
        return self._read([position] * len(self.channels), self.channels)

    def _of(self, pair: int) -> Sequence[float]:
        """Those of a pair at all positions."""
        return self._read(range(self.length), [self.channels[pair]] * self.length)

    def _read(self, positions: Sequence[int], channels: Sequence[int]) -> Sequence[float]:
        cosines, sines = self.waves(positions, channels)
        return [*map(math.atan2, sines, cosines)]


def _told(angles: _Angles, length: int, pairs: int) -> Iterator[Turns]:
    """What the angles of so many positions and pairs would be, if one to three axes turned their share.

    It is told by the slowest pairs of each axis, whose angles are of less than half a turn, and by the first
    and the last position along it.
    """
    for axes in range(1, _AXES + 1):
        found = _along(angles, length, pairs // axes, axes) if pairs % axes == 0 else None
        if found is not None:
            yield found


def _along(angles: _Angles, length: int, pairs: int, axes: int) -> Turns | None:
    slow = [angles.of((axis + 1) * pairs - 1) for axis in range(axes)]
    strides = [next((i for i, one in enumerate(a) if abs(one - a[0]) > _SAME), length) for a in slow]
    order = sorted(range(axes), key=lambda axis: -strides[axis])
    is_reversed = axes > 1 and order == [*range(axes)][::-1] and order != [*range(axes)]
    if order != [*range(axes)] and not is_reversed:
        return None
    ends = [length, *(strides[axis] for axis in order)]
    if ends[-1] != 1 or any(a % b for a, b in pairwise(ends)):
        return None
    sizes = [a // b for a, b in pairwise(ends)]
    lines = [_Line(angles, n, strides[axis], pairs, axis) for axis, n in zip(order, sizes, strict=True)]
    base = max(lines, key=lambda line: line.length).base()
    places = [line.places(base) for line in lines] if base else []
    if not base or not all(line.fits(base, *place) for line, place in zip(lines, places, strict=True)):
        return None
    starts, steps = zip(*places, strict=True)
    return Turns(base, tuple(sizes) if axes > 1 else (), _one(starts), _one(steps), is_reversed)


class _Line:
    """The angles of the pairs that an axis turns, along it."""

    def __init__(self, angles: _Angles, length: int, stride: int, pairs: int, axis: int) -> None:
        self.angles, self.length, self.stride, self.pairs = angles, length, stride, pairs
        self.first = axis * pairs

    def at(self, place: int, pair: int) -> float:
        return self.angles.at(place * self.stride)[self.first + pair]

    def grown(self, pair: int) -> float:
        """How far a pair turns from the first place to the last, by less than half a turn at each."""
        line = self.angles.of(self.first + pair)[: self.length * self.stride : self.stride]
        return sum((b - a + pi) % (2 * pi) - pi for a, b in pairwise(line))

    def base(self) -> float | None:
        """By what the angles of pairs get smaller; ``None`` where they do not.

        The last two pairs say it nearly, and the first one's step then exactly.
        """
        pairs, last = self.pairs, self.length - 1
        if pairs == 1:
            return _BASE
        slow = self.grown(pairs - 1) / last if last else 0
        ratio = self.grown(pairs - 2) / last / slow if slow else 0
        if ratio <= 1:
            return None
        step = _turned(self.at(1, 0) - self.at(0, 0), slow * ratio ** (pairs - 1))
        return _digits((_neat(step) / slow) ** (pairs / (pairs - 1)), 6)

    def places(self, base: float) -> tuple[float, float]:
        """The first position along the axis, and from one to the next."""
        pairs, last = self.pairs, self.length - 1
        slowest = base ** ((pairs - 1) / pairs)
        start = _turned(self.at(0, 0), self.at(0, pairs - 1) * slowest)
        if not last:
            return _neat(start), 1
        step = self.grown(pairs - 1) / last * slowest
        return _neat(start), _neat(_turned(self.at(1, 0) - self.at(0, 0), step))

    def fits(self, base: float, start: float, step: float) -> bool:
        """Whether each pair begins and grows as is said, by its own size: the slow ones hardly turn."""
        last = self.length - 1
        for pair in range(self.pairs):
            rate = base ** (-pair / self.pairs)
            begins = (self.at(0, pair) - start * rate + pi) % (2 * pi) - pi
            if abs(begins) > _ANGLE * (abs(start) + abs(step)) * rate:
                return False
            whole = step * rate * last
            grows = _turned(self.at(last, pair) - self.at(0, pair), whole)
            if abs(step * rate) <= pi / 2 and not isclose(grows, whole, rel_tol=_ANGLE):
                return False
        return True


def _turned(angle: float, near: float) -> float:
    """The angle that is nearest to a number, of those that so many turns more or less make of one."""
    return angle + 2 * pi * round((near - angle) / (2 * pi))


def _neat(given: float) -> float:
    """A number as it was meant: a fraction, or a part of a turn."""
    if abs(given) < _ANGLE:
        return 0
    for unit, most in ((1.0, _FRACTION), (pi, _TURN)):
        found = float(Fraction(given / unit).limit_denominator(most)) * unit
        if isclose(found, given, rel_tol=_ANGLE / 10):
            return int(found) if found.is_integer() else found
    return _digits(given, 7)


def _digits(given: float, digits: int) -> float:
    """A number to so many digits."""
    found = float(f"{given:.{digits}g}")
    return int(found) if found.is_integer() else found


def _one(values: Sequence[float]) -> float | tuple[float, ...]:
    """A single number where all are alike."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _coarsely(angles: _Angles, pairs: int, near: float) -> Iterator[Turns]:
    """What angles of positions that are counted one by one would be, told by a few digits of them."""
    first = angles.at(1)
    for digits in _DIGITS if first[-1] > 0 else ():
        base = _digits(first[-1] ** (-pairs / (pairs - 1)), digits) if pairs > 1 else _BASE
        if base and all(isclose(one, base ** (-i / pairs), rel_tol=near) for i, one in enumerate(first)):
            yield Turns(base)


def turns(waves: Waves, length: int, channels: int, lies: Lies, coarse: float = 0.0) -> Turns | None:
    """The angles of rotary positions; ``None`` where cosines and sines are of others.

    They are compared with what is said at many positions from the first to the last, and with the first and
    the last pair at all of them.

    Args:
        waves: what gives these.
        length: how many positions there are.
        channels: and how many channels.
        lies: how cosines and sines lie along them.
        coarse: how near they are, where they have so few digits that positions are taken to be whole numbers.
    """
    if channels % (1 if lies == "each" else 2) or not channels:
        return None
    pairs = channels if lies == "each" else channels // 2
    firsts = range(0, channels, 2) if lies == "neighbours" else range(pairs)
    beside = {"each": (0,), "neighbours": (0, 1), "halves": (0, pairs)}[lies]
    some = [*range(0, length, max(1, length * pairs // _MOST)), length - 1]

    def alike(found: Turns) -> bool:
        near = coarse or _WAVE * max(found.grid or (length,)) + _ANGLE
        for i, first in enumerate(firsts):
            positions = range(length) if i in (0, pairs - 1) else some
            said = [*map(found.along(i, pairs), positions)]
            cosines, sines = [*map(math.cos, said)], [*map(math.sin, said)]
            for channel in beside:
                read = waves(positions, [first + channel] * len(positions))
                for own, other in zip(read, (cosines, sines), strict=True):
                    if not all(abs(a - b) <= near for a, b in zip(own, other, strict=True)):
                        return False
        return True

    angles = _Angles(waves, length, firsts)
    candidates = _coarsely(angles, pairs, coarse) if coarse else _told(angles, length, pairs)
    return next(filter(alike, candidates), None)


def rates(numbers: Sequence[float]) -> Rates | None:
    """The base that rates get smaller by, from 1 on; ``None`` where they do not as any base says.

    The last of them is one over the base where that is a round number, and else a step before it.
    """
    count = len(numbers)
    if count < 2 or not all(0 < one <= 1 for one in numbers):
        return Rates(_BASE, 0) if [*numbers] == [1] else None
    found = []
    for shift in (0, 1) if numbers[-1] < 1 else ():
        exact = numbers[-1] ** -((count - shift) / (count - 1))
        base = _digits(exact, 6)
        if all(isclose(one, base ** (-i / (count - shift)), rel_tol=_ANGLE) for i, one in enumerate(numbers)):
            found.append(Rates(base, shift))
    return min(found, key=lambda one: len(f"{one.base:.6g}".rstrip("0")), default=None)


def rates_of(row: Value, reader: Reader) -> Rates | None:
    """The rates of a constant row that a file holds or computes."""
    if prod(row.sizes) != row.sizes[-1]:
        return None
    found: Rates | None = reader.once("rates", [row], lambda: rates(reader.at(row, range(row.sizes[-1]))))
    return found


def turns_of(cos: Value, sin: Value, lies: Lies, reader: Reader) -> Turns | None:
    """The angles of rotary positions, of constants that a file holds or computes.

    Args:
        cos: the cosines, by positions and channels, with axes of 1 beside.
        sin: the sines.
        lies: how both lie along the channels.
        reader: what reads them.
    """
    lengths = [n for n in cos.sizes[:-1] if n != 1]
    if len(lengths) != 1:
        return None
    channels = cos.sizes[-1]
    coarse = max(_COARSE.get(one.dtype, 0.0) for one in (cos, sin))

    def waves(positions: Sequence[int], own: Sequence[int]) -> tuple[Sequence[float], Sequence[float]]:
        places = [at * channels + i for at, i in zip(positions, own, strict=True)]
        return reader.at(cos, places), reader.at(sin, places)

    def told() -> Turns | None:
        return turns(waves, lengths[0], channels, lies, coarse)

    found: Turns | None = reader.once("turns", [cos, sin], told, lies)
    return found
