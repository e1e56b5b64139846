"""What configurations have to keep within: ``params <= 5M, macs <= 600M, layer4.params <= 30 %``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..analysis.figures import QUANTITIES
from ..errors import did_you_mean, shorten, usage
from ..limits import BadLimit, Limit, parse
from .evaluating import Wanted

_PART = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_][\w.\-]*?)\s*(?:(?=[<>=≤≥!~])|\bin\s+(?=\d)))?(?P<limit>.*)", re.S
)

_HELP = "as in params <= 5M, macs <= 600M"


class Condition(NamedTuple):
    """A limit on a figure."""

    wanted: Wanted
    limit: Limit

    @property
    def needs(self) -> tuple[Wanted, ...]:
        """The figures that it looks at."""
        return (self.wanted, Wanted(self.wanted.quantity)) if self.limit.percent else (self.wanted,)

    def holds(self, values: Sequence[Any]) -> Any:
        """Where the figures that it needs, each known, keep it."""
        value = values[0]
        if isinstance(value, tuple):
            return np.logical_and.reduce([self._holds(one) for one in value])
        if self.limit.percent:
            return self._share(*values)
        return self._holds(value)

    def _holds(self, value: Any) -> Any:
        found = np.ones(len(value), bool)
        low, high, above, below = self.limit.low, self.limit.high, self.limit.above, self.limit.below
        if low is not None:  # what is measured is whole
            least = -(-low.numerator // low.denominator) + (above and low.denominator == 1)
            found &= np.asarray(value >= least, bool)
        if high is not None:
            most = high.numerator // high.denominator - (below and high.denominator == 1)
            found &= np.asarray(value <= most, bool)
        return found

    def _share(self, value: Any, whole: Any) -> Any:
        """Where a part is that much of the whole, in percent; of nothing it is 0."""
        value, whole = (one.astype(object) for one in (value, whole))
        none = np.asarray(whole == 0, bool)
        value, whole = np.where(none, 0, value), np.where(none, 1, whole)
        found = np.ones(len(value), bool)
        for bound, over in ((self.limit.low, 1), (self.limit.high, -1)):
            if bound is not None:
                apart = (100 * bound.denominator * value - bound.numerator * whole) * over
                strict = self.limit.above if over == 1 else self.limit.below
                found &= np.asarray(apart > 0 if strict else apart >= 0, bool)
        return found


def read(texts: Sequence[str]) -> list[Condition]:
    """The conditions that texts mean.

    Raises:
        UsageError: one is none, or there is no such figure.
    """
    found: list[Condition] = []
    for text in texts:
        wanted: Wanted | None = None
        for part in re.split(r",(?!\d{3}(?:\D|$))|\band\b", text):
            match = _PART.fullmatch(part)
            assert match is not None  # anything is a limit, so far
            if match["name"]:
                wanted = figure(match["name"])
            if wanted is None or not match["limit"].strip():
                raise usage(f"{shorten(part.strip()) or 'nothing'} is not a condition", help=_HELP)
            found.append(Condition(wanted, _limit(wanted, match["limit"].strip())))
    return found


def _limit(wanted: Wanted, text: str) -> Limit:
    quantity = QUANTITIES[wanted.quantity]
    try:
        return parse(text, quantity.kind, share=bool(wanted.scope) and quantity.adds_up)
    except BadLimit as problem:
        raise usage(f"{wanted.name}: {problem.message}", help=problem.help) from None


def figure(name: str) -> Wanted:
    """The figure that a name means, of the network or of a scope: ``params``, ``layer4.params``.

    Raises:
        UsageError: there is none, or a scope has none of its own.
    """
    scope, _, last = name.rpartition(".")
    quantity = last.replace("-", "_")
    if quantity not in QUANTITIES:
        help = did_you_mean(quantity, QUANTITIES, otherwise=f"the figures are {', '.join(QUANTITIES)}")
        raise usage(f"there is no figure {shorten(last)}", help=help)
    if scope and not QUANTITIES[quantity].scoped:
        raise usage(f"{quantity} is a figure of the whole network, and {shorten(scope)} has none of its own")
    return Wanted(quantity, scope)
