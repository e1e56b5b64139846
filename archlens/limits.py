"""Limits as people write them: ``<= 26M``, ``>= 224``, ``20M..26M``, ``<= 30 %``; and what they hold.

Knows units and numbers, and nothing of networks or of what is measured.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from .counts import Kind
from .errors import Span, did_you_mean, shorten

_COUNTS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
#: Letters alone behind a number of bytes: powers of 1,024, as in data sheets of microcontrollers and in
#: linker scripts (https://sourceware.org/binutils/docs/ld/Integers.html). It is always said what they are.
_BINARY = {letter: 1024 ** (power + 1) for power, letter in enumerate("KMGT")}
_BYTES = {
    "B": 1,
    **{f"{letter}B": size for letter, size in _COUNTS.items()},
    **{f"{letter}iB": size for letter, size in _BINARY.items()},
    **_BINARY,
}

#: The units of each kind; a number without one counts single things, or bytes.
UNITS: dict[Kind, dict[str, int]] = {Kind.COUNT: _COUNTS, Kind.BYTES: _BYTES, Kind.SIZE: {}, Kind.LAYERS: {}}

#: The longest text that is read as a limit.
_MAX_TEXT = 100

#: More than anything that is measured; a limit beyond it is a slip.
_MOST = 10**24

#: A number that is not negative, with whatever stands behind it as its unit.
_NUMBER = r"(?P<number>\d[\d_]*(?:,\d{3})*(?:\.\d+)?(?:[eE]\+?\d{1,4})?)\s*(?P<unit>%|[^\W\d_]*)"
_BOUND = re.compile(rf"(?P<how><=|>=|==|=|<|>|≤|≥)?\s*{_NUMBER}")
_RANGE = re.compile(r"(?<=[\w%])(?<!\d[eE])\s*(?:\.\.\.?|…|–|-| to )\s*(?=\d)")
_HOW = {"≤": "<=", "≥": ">=", "=": "==", None: "=="}

EXAMPLES = "as in <= 26M, >= 224, == 25557032 or 20M..26M"


class BadLimit(ValueError):
    """A text that is no limit; with what would be one."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True)
class Limit:
    """From where to where a value may lie; without a bound on one side it may lie anywhere there.

    >>> limit = parse("20M..26M", Kind.COUNT)
    >>> limit.holds(25_557_032), limit.holds(26_000_001)
    (True, False)
    """

    #: As it was written.
    text: str
    low: Fraction | None
    high: Fraction | None
    #: Whether the bounds themselves are too little, or too much.
    above: bool = False
    below: bool = False
    #: Whether the bounds are hundredths of the whole.
    percent: bool = False
    #: What stands in it with a letter alone for bytes, and how many these are: ``320K``, 327,680.
    binary: tuple[tuple[str, int], ...] = ()

    def holds(self, value: Fraction | int) -> bool:
        """Whether a value, or a share in percent, lies within."""
        if self.low is not None and (value < self.low or (self.above and value == self.low)):
            return False
        return not (self.high is not None and (value > self.high or (self.below and value == self.high)))

    def settled(self, least: int) -> bool:
        """Whether a value that is at least so much holds or breaks it, whatever it is."""
        if self.percent:
            return False
        if self.high is None:
            return self.holds(least)
        return least > self.high or (self.below and least == self.high)

    def margin(self, value: Fraction | int) -> Fraction:
        """How far a value is from the nearest bound; negative beyond it."""
        distances = []
        if self.low is not None:
            distances.append(value - self.low)
        if self.high is not None:
            distances.append(self.high - value)
        return Fraction(min(distances))

    def nearest(self, value: Fraction | int) -> Fraction:
        """The bound that the margin is measured from."""
        low, high = self.low, self.high
        if low is None or (high is not None and high - value < value - low):
            assert high is not None
            return high
        return low

    def __str__(self) -> str:
        """As one says it: ``<= 26M``, ``== 61706`` or ``in 20M..26M``; ``<= 320K (327,680 B)``."""
        meant = f" ({', '.join(f'{size:,} B' for _, size in self.binary)})" if self.binary else ""
        if self.text[:1] in "<>=≤≥":
            return f"{self.text}{meant}"
        return f"{'==' if self.low == self.high and '..' not in self.text else 'in'} {self.text}{meant}"


class Requirement(NamedTuple):
    """A limit on one quantity of a network or of one of its scopes, and what set it."""

    quantity: str
    #: A scope or a layer; empty for the whole network.
    scope: str
    limit: Limit
    #: Where it was set; ``None`` on the command line or in Python.
    span: Span | None


class _Number(NamedTuple):
    value: Fraction
    percent: bool
    #: The number as it is written, where its unit is a letter alone for bytes.
    binary: str = ""

    @property
    def meant(self) -> tuple[tuple[str, int], ...]:
        """What is said of such a unit: whole bytes, of what is no whole number those below it."""
        return ((self.binary, int(self.value)),) if self.binary else ()


def parse(text: str, kind: Kind, *, share: bool = False) -> Limit:
    """The limit that a text means, on a quantity of a kind.

    Args:
        text: a comparison and a number with a unit (``<= 26M``), a number alone, which is exact, a range
            (``20M..26M``, both ends allowed), or two comparisons with a comma between them.
        kind: what the quantity is counted in, and so which units there are.
        share: whether a percentage of the whole makes sense for it.

    Raises:
        BadLimit: the text is no limit, its unit is not known, or nothing or everything lies within.
    """
    written = " ".join(text.split())
    if not written:
        raise BadLimit("the limit is empty", EXAMPLES)
    if len(written) > _MAX_TEXT:
        raise BadLimit(f"'{shorten(written, 30)}' is not a limit", EXAMPLES)
    limit = _range(written, kind) or _bounds(written, kind)
    _check(limit, share)
    return limit


def _range(written: str, kind: Kind) -> Limit | None:
    """``20M..26M``; a unit may stand once, behind the second number."""
    parts = _RANGE.split(written)
    if len(parts) != 2:
        return None
    ends = [re.fullmatch(_NUMBER, part.strip()) for part in parts]
    if ends[0] is None or ends[1] is None:
        raise BadLimit(f"'{shorten(written)}' is not a range", "as in 20M..26M; for one side, as in <= 26M")
    unit = ends[1]["unit"]
    first = _number(ends[0]["number"], ends[0]["unit"] or unit, kind)
    last = _number(ends[1]["number"], unit, kind)
    if first.percent != last.percent:
        raise BadLimit(f"'{shorten(written)}' mixes a percentage with a number")
    return Limit(written, first.value, last.value, percent=first.percent, binary=(*first.meant, *last.meant))


def _bounds(written: str, kind: Kind) -> Limit:
    """One comparison or several that hold together."""
    limit: Limit | None = None
    parts = list(_comparisons(written))
    for part in parts:
        found = _BOUND.fullmatch(part)
        if len(parts) > 1 and (not part or (found and found["how"] is None)):
            raise BadLimit(
                f"'{shorten(written)}' has a comma that separates neither thousands nor comparisons",
                "as in 1,000,000 or >= 20M, <= 26M; decimals are written 1.5M",
            )
        if found is None:
            if re.search(r"(^|[<>=≤≥\s])-\s*\d", part):
                raise BadLimit(f"'{shorten(part)}' is negative, but no figure is", EXAMPLES)
            if not re.search(r"\d", part):
                raise BadLimit(f"'{shorten(part)}' has no number", EXAMPLES)
            if re.match(r"(!=|<>|=<|=>|~)", part):
                raise BadLimit(
                    f"'{shorten(part)}' is not a comparison", "the comparisons are <=, >=, ==, < and >"
                )
            if kind is Kind.SIZE and re.fullmatch(r"\D*\d+(\s*[xX×]\s*\d+)+", part):
                raise BadLimit(
                    f"'{shorten(part)}' is not a limit", "one number, which holds along every axis"
                )
            raise BadLimit(f"'{shorten(part)}' is not a limit", EXAMPLES)
        how = _HOW.get(found["how"], found["how"])
        number = _number(found["number"], found["unit"], kind)
        one = Limit(
            written,
            low=number.value if how in (">=", ">", "==") else None,
            high=number.value if how in ("<=", "<", "==") else None,
            above=how == ">",
            below=how == "<",
            percent=number.percent,
            binary=number.meant,
        )
        limit = one if limit is None else _both(limit, one)
    assert limit is not None
    return limit


def _comparisons(written: str) -> Iterator[str]:
    """``>= 20M, <= 26M`` part by part; a comma between three digits belongs to the number."""
    for part in re.split(r",(?!\d{3}(?:\D|$))| and ", written):
        yield part.strip()


def _both(one: Limit, other: Limit) -> Limit:
    if one.percent != other.percent:
        raise BadLimit(f"'{shorten(one.text)}' mixes a percentage with a number")
    if None not in (one.low, other.low) or None not in (one.high, other.high):
        raise BadLimit(f"'{shorten(one.text)}' limits the same side twice", "as in >= 20M, <= 26M")
    first, last = (other, one) if one.low is None else (one, other)
    return Limit(
        one.text,
        first.low,
        last.high,
        first.above,
        last.below,
        one.percent,
        (*one.binary, *other.binary),
    )


def _number(number: str, unit: str, kind: Kind) -> _Number:
    value = Fraction(number.replace("_", "").replace(",", ""))
    if unit == "%":
        return _Number(value, True)
    units = UNITS[kind]
    if unit == "K" and unit not in units and "k" in units:
        unit = "k"
    if unit and unit not in units:
        raise BadLimit(f"the unit {shorten(unit)} is not known here: this is {kind.value}", _help(unit, kind))
    value *= units[unit] if unit else 1
    if value > _MOST:
        raise BadLimit(f"{shorten(number + unit)} is larger than any figure", EXAMPLES)
    return _Number(value, False, f"{number}{unit}" if kind is Kind.BYTES and unit in _BINARY else "")


def _help(unit: str, kind: Kind) -> str:
    """What was meant by a unit that is not known."""
    units = UNITS[kind]
    if not units:
        return "write the number alone"
    if kind is Kind.BYTES and unit.upper() in _BINARY:
        letter = unit.upper()
        decimal = "kB" if letter == "K" else f"{letter}B"
        return f"{decimal} is {_BYTES[decimal]:,} bytes, {letter} and {letter}iB are {_BINARY[letter]:,}"
    bare = re.sub(r"\s*(MACs?|params?|parameters)$", "", unit, flags=re.IGNORECASE)
    if bare in units:
        return f"did you mean {bare}?"
    if kind is Kind.COUNT and unit in ("B", "b", "bn", "billion"):
        return "a billion is written 1G"
    if kind is Kind.COUNT and unit in ("million", "mn", "mio"):
        return "a million is written 1M"
    if "FLOP" in unit.upper():
        return "MACs are counted, and FLOPs = 2 x MACs; the units are k, M, G and T"
    return did_you_mean(unit, units, otherwise=f"the units are {', '.join(units)}")


def _check(limit: Limit, share: bool) -> None:
    """Refuse a limit that nothing or everything holds."""
    text = shorten(limit.text)
    if limit.percent:
        if not share:
            raise BadLimit(
                f"'{text}' is a percentage, and only the params, MACs and memory of a scope have one",
            )
        closed = not (limit.low == 0 and limit.above) and not (limit.high == 100 and limit.below)
        if limit.high is not None and limit.high >= 100 and not limit.low and closed:
            raise BadLimit(f"'{text}' holds for every scope: none is more than 100 %")
        if limit.low is not None and (limit.low > 100 or (limit.low == 100 and limit.above)):
            raise BadLimit(f"'{text}' cannot hold: no scope is more than 100 % of its network")
    low, high = limit.low, limit.high
    if low is not None and high is not None and low > high:
        raise BadLimit(
            f"'{text}' cannot hold: {_plain(low)} is more than {_plain(high)}", "the smaller one first"
        )
    if high == 0 and limit.below:
        raise BadLimit(f"'{text}' cannot hold: no figure is negative")
    if low == 0 and high is None and not limit.above:
        raise BadLimit(f"'{text}' holds for everything, and so checks nothing")
    if low is not None and high is not None:
        empty = low == high and (limit.above or limit.below)
        if not limit.percent:  # counts, bytes and sizes are whole
            first = -(-low.numerator // low.denominator) + (limit.above and low.denominator == 1)
            last = high.numerator // high.denominator - (limit.below and high.denominator == 1)
            empty = first > last
        if empty:
            what = "nothing" if limit.percent else "no whole number"
            raise BadLimit(f"'{text}' cannot hold: {what} lies within")


def _plain(number: Fraction) -> str:
    return f"{int(number):,}" if number.denominator == 1 else f"{float(number):g}"
