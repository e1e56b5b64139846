"""Cosines and sines that a file holds or computes, and the base of their angles."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .reader import Of, Reader
from .tape import Lies, Turns, Value

#: How near an angle is, by its size; and a cosine or a sine, for each position.
_ANGLE, _WAVE = 1e-5, 1e-6

#: The same of numbers of 16 bits, and to how many digits a base is told by them.
_COARSE = {"float16": 2**-10, "bfloat16": 2**-7}
_DIGITS = (1, 2, 3)

#: The most positions that are looked at whole: of the others the first and the last pair.
_WHOLE = 64


def _base(first: Sequence[float], digits: int = 6, near: float = _ANGLE) -> float | None:
    """The base of angles, ``base**(-i/n)`` for pair ``i`` of ``n``; ``None`` where they are others.

    Args:
        first: of each pair, from a position to the next.
        digits: how many the base is told to.
        near: how near an angle has to be, by its size.
    """
    n = len(first)
    if n < 2:
        base = 10000.0
    elif first[-1] <= 0:
        return None
    else:
        base = float(f"{first[-1] ** (-n / (n - 1)):.{digits}g}")
    alike = base > 0 and all(math.isclose(one, base ** (-i / n), rel_tol=near) for i, one in enumerate(first))
    return (int(base) if base.is_integer() else base) if alike else None


def turns_of(cos: Value, sin: Value, lies: Lies, held: Of) -> Turns | None:
    """The angles of rotary positions that are counted one by one, of constants that a file holds or computes.

    It is told by the first angles, and compared with every pair at some 64 positions from the first to the
    last, and with the first and the last pair at all of them.

    Args:
        cos: the cosines, by positions and channels, with axes of 1 beside.
        sin: the sines.
        lies: how both lie along the channels.
        held: what gives the numbers of a tensor of the file.
    """
    places = [place for place, n in enumerate(cos.sizes[:-1]) if n != 1]
    each = 1 if lies == "each" else 2
    if len(places) != 1 or cos.sizes[-1] % each or not cos.sizes[-1]:
        return None
    (at,), length, half = places, cos.sizes[places[0]], cos.sizes[-1] // each
    try:
        reader = Reader(held)
        waves = [reader.of(one) for one in (cos, sin)]

        def both(position: int, channel: int) -> list[float]:
            index = [0] * len(cos.sizes)
            index[at], index[-1] = position, channel
            return [float(wave(tuple(index))) for wave in waves]

        def pair(i: int) -> tuple[int, ...]:
            return {"each": (i,), "neighbours": (2 * i, 2 * i + 1), "halves": (i, i + half)}[lies]

        first = []
        for i in range(half):
            c, s = both(1, pair(i)[0])
            first.append(math.atan2(s, c))
        coarse = max(_COARSE.get(one.dtype, 0.0) for one in (cos, sin))
        near = coarse or _WAVE * length + _ANGLE
        for digits in _DIGITS if coarse else (6,):
            base = _base(first, digits, coarse or _ANGLE)
            if base is not None:
                break
        else:
            return None
        step = max(1, (length - 1) // (_WHOLE - 1))
        for position in range(length):
            whole = position % step == 0 or position == length - 1
            for i in range(half) if whole else (0, half - 1):
                angle = position * base ** (-i / half)
                wanted = math.cos(angle), math.sin(angle)
                for channel in pair(i):
                    found = both(position, channel)
                    if any(abs(a - b) > near for a, b in zip(found, wanted, strict=True)):
                        return None
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
    return Turns(base)
