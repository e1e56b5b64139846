"""The angles of constant cosines and sines that a module has or computes.

This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

from math import prod

import torch

from ..lowering.tape import Lies, Rates, Turns, Value
from ..lowering.waves import rates, turns
from .masks import _values

#: The most cosines that are looked at.
_WAVES = 1 << 22


def turns_of(cos: Value, sin: Value, lies: Lies) -> Turns | None:
    """What the angles of rotary positions are, by position and pair of channels.

    Both values may be one tensor of complex numbers; ``None`` where the angles are others, or not known.
    """
    if prod(cos.sizes) > _WAVES:
        return None
    try:
        with torch.no_grad():
            waves = [_values(one) for one in (cos, sin)]
            if waves[0].is_complex():
                waves = [waves[0].real, waves[0].imag]
            c, s = (wave.double().reshape(-1, wave.shape[-1]).numpy() for wave in waves)
            length, channels = c.shape
            read = lambda at, i: (c[at, i].tolist(), s[at, i].tolist())  # noqa: E731
            return turns(read, length, channels, lies)
    except Exception:  # whatever it raises where it does not run again
        return None


def rates_of(row: Value) -> Rates | None:
    """What the rates of a constant row are; ``None`` where they are others, or not known."""
    if prod(row.sizes) != row.sizes[-1] or row.sizes[-1] > _WAVES:
        return None
    try:
        with torch.no_grad():
            return rates(_values(row).double().reshape(-1).tolist())
    except Exception:  # whatever it raises where it does not run again
        return None
