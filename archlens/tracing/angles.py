"""The angles of constant cosines and sines, as the op of rotary positions says them.

This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import isclose, pi, prod

import torch
from torch import Tensor

from ..lowering.tape import Lies, Turns, Value
from .masks import _values

#: The most cosines that are looked at.
_WAVES = 1 << 22

#: How near an angle is, by its size; and a cosine or a sine, for each position.
_ANGLE, _WAVE = 1e-5, 1e-6

#: From where on two angles differ.
_SAME = 1e-9

#: The most axes of a grid.
_AXES = 3

#: What angles of one pair get smaller by, which is never seen.
_BASE = 10000.0

#: The largest denominators of a number that is meant as a fraction, and as part of a turn.
_FRACTION, _TURN = 64, 512


def turns_of(cos: Value, sin: Value, lies: Lies) -> Turns | None:
    """What the angles of rotary positions are, by position and pair of channels.

    Both values may be one tensor of complex numbers. All angles are compared with those that are said, so
    that no scaled ones are taken for others, however short the sequence is; ``None`` where they are others,
    or not known.
    """
    if prod(cos.sizes) > _WAVES:
        return None
    try:
        with torch.no_grad():
            waves = [_values(one) for one in (cos, sin)]
            if waves[0].is_complex():
                waves = [waves[0].real, waves[0].imag]
            c, s = (wave.double().reshape(-1, wave.shape[-1]) for wave in waves)
            if lies != "each":
                half = c.shape[-1] // 2
                near = lies == "neighbours"
                first, second = (
                    (slice(0, None, 2), slice(1, None, 2)) if near else (slice(half), slice(half, None))
                )
                if not all(torch.equal(one[:, first], one[:, second]) for one in (c, s)):
                    return None
                c, s = c[:, first], s[:, first]
            for axes in range(1, _AXES + 1):
                found = _told(c, s, axes) if c.shape[1] % axes == 0 else None
                if found is not None and _alike(found, c, s):
                    return found
    except Exception:  # whatever it raises where it does not run again
        return None
    return None


def _told(c: Tensor, s: Tensor, axes: int) -> Turns | None:
    """What the angles by positions and pairs would be, if each of so many axes turned its share of them.

    It is told by the slowest pairs of each axis, whose angles are of less than half a turn.
    """
    length, pairs = c.shape[0], c.shape[1] // axes
    angles = torch.atan2(s, c).reshape(length, axes, pairs)
    slow = angles[..., -1].T  # axes, length
    strides = [_stride(one) for one in slow]
    order = sorted(range(axes), key=lambda axis: -strides[axis])
    is_reversed = axes > 1 and order == [*range(axes)][::-1] and order != [*range(axes)]
    if order != [*range(axes)] and not is_reversed:
        return None
    ends = [length, *(strides[axis] for axis in order)]
    if ends[-1] != 1 or any(a % b for a, b in pairwise(ends)):
        return None
    sizes = [a // b for a, b in pairwise(ends)]
    lines = {axis: _line(angles[:: strides[axis], axis][:n]) for axis, n in zip(order, sizes, strict=True)}
    longest = max(range(axes), key=lambda axis: len(lines[axis]))
    base = _base(lines[longest])
    places = [_places(lines[axis], base) for axis in order] if base is not None else []
    if base is None:
        return None
    if not all(_fits(lines[axis], base, *place) for axis, place in zip(order, places, strict=True)):
        return None
    starts, steps = zip(*places, strict=True)
    return Turns(base, tuple(sizes) if axes > 1 else (), _one(starts), _one(steps), is_reversed)


def _stride(line: Tensor) -> int:
    """How many positions in a row have the first one's angle."""
    differs = (line - line[0]).abs() > _SAME
    return int(differs.int().argmax()) if bool(differs.any()) else len(line)


def _line(angles: Tensor) -> Tensor:
    """Angles along an axis, each within half a turn of the one before."""
    grows = torch.remainder(angles.diff(dim=0) + pi, 2 * pi) - pi
    return torch.cat((angles[:1], angles[:1] + grows.cumsum(0)))


def _base(line: Tensor) -> float | None:
    """By what the angles of pairs get smaller along an axis; ``None`` where they do not.

    The last two pairs say it nearly, and the first one's step then exactly.
    """
    pairs, last = line.shape[1], len(line) - 1
    if pairs == 1:
        return _BASE
    if not last:
        return None
    slow = (line[-1, -1] / last - line[0, -1] / last).item()
    ratio = ((line[-1, -2] - line[0, -2]) / (line[-1, -1] - line[0, -1])).item()
    if not slow or ratio <= 1:
        return None
    step = _turned((line[1, 0] - line[0, 0]).item(), slow * ratio ** (pairs - 1))
    return float(f"{(_neat(step) / slow) ** (pairs / (pairs - 1)):.6g}")


def _places(line: Tensor, base: float) -> tuple[float, float]:
    """The first position along an axis, and from one to the next."""
    last, pairs = len(line) - 1, line.shape[1]
    slowest = base ** ((pairs - 1) / pairs)
    start = _turned(line[0, 0].item(), line[0, -1].item() * slowest)
    if not last:
        return _neat(start), 1
    step = (line[-1, -1] - line[0, -1]).item() / last * slowest
    return _neat(start), _neat(_turned((line[1, 0] - line[0, 0]).item(), step))


def _fits(line: Tensor, base: float, start: float, step: float) -> bool:
    """Whether each pair begins and grows as is said, by its own size: the slow ones hardly turn."""
    last, pairs = len(line) - 1, line.shape[1]
    rates = base ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
    begins = torch.remainder(line[0] - start * rates + pi, 2 * pi) - pi
    near = bool((begins.abs() <= _ANGLE * (abs(start) + abs(step)) * rates).all())
    grows = (line[-1] - line[0]) / max(last, 1)
    fast = (step * rates).abs() > pi / 2  # which may have turned more than is seen
    return near and (not last or torch.allclose(grows[~fast], (step * rates)[~fast], rtol=_ANGLE, atol=0))


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
    return float(f"{given:.7g}")


def _one(values: Sequence[float]) -> float | tuple[float, ...]:
    """A single number where all are alike."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def _alike(found: Turns, c: Tensor, s: Tensor) -> bool:
    """Whether cosines and sines are those of the angles that are said."""
    sizes = found.grid or (len(c),)
    pairs = c.shape[1] // len(sizes)
    rates = found.base ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
    starts, steps = (
        one if isinstance(one, tuple) else (one,) * len(sizes) for one in (found.start, found.step)
    )
    lines = [
        start + step * torch.arange(size, dtype=torch.float64)
        for size, start, step in zip(sizes, starts, steps, strict=True)
    ]
    places = torch.cartesian_prod(*lines).reshape(-1, len(sizes), 1)
    whole = (places.flip(1) if found.is_reversed else places) * rates
    near = _WAVE * max(sizes) + _ANGLE
    return all(
        torch.allclose(wave, of(whole.flatten(1)), rtol=0, atol=near)
        for wave, of in ((c, torch.cos), (s, torch.sin))
    )
