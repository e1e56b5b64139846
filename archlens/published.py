"""Figures as people print them, and where: ``25.6M``, ``18.57 Bn``, ``3.8 x 10^9``, ``28×28×576``.

Knows digits, units and addresses, and nothing of networks or of what is computed.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import quote

from .errors import Span

#: The longest text that is read as a figure.
_MAX_TEXT = 100

#: What letters and words after a figure mean; words in any case.
UNITS = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
WORDS = {
    "thousand": 10**3,
    "mn": 10**6,
    "million": 10**6,
    "bn": 10**9,
    "billion": 10**9,
    "trillion": 10**12,
}

_WHOLE = r"[0-9]{1,3}(?:[,_' ][0-9]{3})+|[0-9]+"
_NUMBER = re.compile(
    rf"(?P<whole>{_WHOLE})(?:\.(?P<decimals>[0-9]+))?"
    r"(?:\s*(?:[xX×*·]\s*10\s*(?:\^|\*\*)\s*|[eE]\+?)(?P<power>[0-9]{1,2}))?"
    r"\s*(?P<unit>[A-Za-z]*)"
)
_SIZE = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,12}")
_BETWEEN = re.compile(r"\s*[xX×*·@]\s*")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,20})?)\s*%?")

_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")

#: The axes that a printed shape may name, by the names of those of a :class:`archlens.shape.Shape`.
AXES = {"C": "channels", "D": "depth", "T": "depth", "H": "height", "W": "width", "L": "length"}


class Number(NamedTuple):
    """A count as it was printed: its digits without the point, how many of them follow it, and its unit."""

    digits: int
    decimals: int
    unit: int


def number(text: str) -> Number | None:
    """A count; ``None`` where the text is none, or has decimals of no unit.

    >>> number("1,516"), number("18.57 Bn"), number("3.8 x 10^9")
    (Number(digits=1516, decimals=0, unit=1), Number(digits=1857, decimals=2, unit=1000000000), \
Number(digits=38, decimals=1, unit=1000000000))
    >>> number("4.2"), number("1,5G")
    (None, None)
    """
    if len(text) > _MAX_TEXT:
        return None
    raised = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: "^" + power[0].translate(_POWERS), text.strip())
    found = _NUMBER.fullmatch(raised)
    if found is None:
        return None
    unit = UNITS.get(found["unit"]) or WORDS.get(found["unit"].lower())
    decimals = found["decimals"] or ""
    if unit is None or (decimals and unit == 1 and not found["power"]):
        return None
    whole = re.sub("[^0-9]", "", found["whole"])
    return Number(int(whole + decimals), len(decimals), unit * 10 ** int(found["power"] or 0))


def sizes(text: str) -> tuple[int, ...] | None:
    """The sizes of a shape or of a field, in the order printed; ``None`` where the text is none.

    >>> sizes("28×28×576"), sizes("6@28x28"), sizes("212"), sizes("28 by 28")
    ((28, 28, 576), (6, 28, 28), (212,), None)
    """
    words = _BETWEEN.split(text.strip()) if len(text) <= _MAX_TEXT else []
    if not words or not all(map(_SIZE.fullmatch, words)):
        return None
    return tuple(int(word.replace(",", "")) for word in words)


def percent(text: str) -> Decimal | None:
    """A number of hundredths, with its digits; ``None`` where the text is none.

    >>> percent("69.80"), percent("6.67 %"), percent("101")
    (Decimal('69.80'), Decimal('6.67'), None)
    """
    found = _PERCENT.fullmatch(text.strip()) if len(text) <= _MAX_TEXT else None
    value = Decimal(found[1]) if found else None
    return value if value is not None and value <= 100 else None


def axes(text: str) -> tuple[str, ...] | None:
    """The axes of printed shapes in their order, by name; ``None`` where the text has others, or one twice.

    >>> axes("HxWxC"), axes("CxCxH"), axes("height")
    (('height', 'width', 'channels'), None, None)
    """
    names = [AXES.get(letter) for letter in _BETWEEN.split(text.strip())] if len(text) <= _MAX_TEXT else []
    found = tuple(name for name in names if name)
    return found if len(set(found)) == len(names) else None


class Quantity(NamedTuple):
    """What a figure can be of."""

    #: How a figure of it is read; ``None`` is that it is none.
    read: Callable[[str], Any]
    #: What is asked for, for a message, with examples.
    example: str
    #: Whether the whole network has one, and whether its layers and scopes have.
    whole: bool = True
    parts: bool = False


_COUNT = (
    "a number with all its digits, or with k, M, G (or B) or T, as in 1,516, 6.8M, 18.57 Bn or 3.8 x 10^9"
)
_SIZES = "sizes, as in 28x28x256"
_HUNDREDTHS = "a percentage, as in 6.67"

#: Every quantity that can be published, by its key in a spec.
QUANTITIES: dict[str, Quantity] = {
    "params": Quantity(number, _COUNT, parts=True),
    "active_params": Quantity(number, _COUNT, parts=True),
    "macs": Quantity(number, _COUNT, parts=True),
    "flops": Quantity(number, _COUNT, parts=True),
    "top1": Quantity(percent, _HUNDREDTHS),
    "top5": Quantity(percent, _HUNDREDTHS),
    "top1_error": Quantity(percent, _HUNDREDTHS),
    "top5_error": Quantity(percent, _HUNDREDTHS),
    "receptive_field": Quantity(sizes, "a size, as in 212 or 3x5", parts=True),
    "shapes": Quantity(sizes, _SIZES, whole=False, parts=True),
}


class Figure(NamedTuple):
    """One figure, as it was printed."""

    #: A key of :data:`QUANTITIES`.
    quantity: str
    #: The layer or scope that it is of; empty for the whole network.
    of: str
    printed: str
    #: Where the spec has it: the name of the layer, or the figure.
    span: Span


@dataclass(frozen=True, eq=False)
class Entry:
    """What one source printed."""

    source: str
    #: The address where it can be read; empty where none is given.
    link: str
    figures: tuple[Figure, ...]
    #: The names of the axes of its shapes, in the order printed; empty is torch's order.
    axes: tuple[str, ...] = ()
    #: Why figures of it differ; or what is known of one that differs for no known reason.
    note: str = ""
    unexplained: str = ""
    #: Why nobody has seen it in print; empty where somebody has.
    unverified: str = ""

    def printed(self, quantity: str) -> str | None:
        """The figure of the whole network; ``None`` where it has none."""
        found = (one.printed for one in self.figures if one.quantity == quantity and not one.of)
        return next(found, None)


class Recounted(NamedTuple):
    """What a tool counts under the name of a figure that it printed."""

    #: What it is of, as in ``"FLOPs (640x640)"``.
    what: str
    value: int
    #: Why that is not the network's own; empty where it is.
    why: str = ""


class Recount(ABC):
    """A network as the tool counts it whose figures stand in its file."""

    @abstractmethod
    def of(self, figure: Figure) -> Iterator[Recounted]:
        """What a figure may be of, first what it most likely is; nothing where it is what archlens counts."""


# --- addresses ---------------------------------------------------------------------------------------

#: Where what the archives name is, and what a name of theirs looks like.
ARCHIVES: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "arxiv": (
        "https://arxiv.org/abs/",
        re.compile(r"(?:[0-9]{4}\.[0-9]{4,5}|[a-z-]+(?:\.[A-Z]{2})?/[0-9]{7})(?:v[0-9]{1,2})?"),
    ),
    "doi": ("https://doi.org/", re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/[!-~]{1,200}")),
}

#: What people write before such a name.
_BEFORE = re.compile(r"^(https?://)?(arxiv\.org/(abs|pdf)/|(dx\.)?doi\.org/|arxiv:|doi:)\s*", re.IGNORECASE)

#: An address on the web: a host with a dot, and what stands in addresses.
_WEB = re.compile(r"https://(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}(?:[/?#][!#-;=?-Z\[\]_a-z~]*)?")
_MAX_ADDRESS = 2000


def archived(archive: str, name: str) -> tuple[str, str]:
    """The bare name of a paper in an archive, however it was written, and its address there.

    >>> archived("arxiv", "arXiv:1409.4842")
    ('1409.4842', 'https://arxiv.org/abs/1409.4842')
    """
    bare = _BEFORE.sub("", name.strip())
    return bare, ARCHIVES[archive][0] + quote(bare, safe="/:;")


def address(text: str) -> str | None:
    """The address that ``arxiv:...``, ``doi:...`` or ``https://...`` means; ``None`` where it is none.

    >>> address("doi:10.1109/5.726791"), address("somewhere")
    ('https://doi.org/10.1109/5.726791', None)
    """
    archive, _, name = text.partition(":")
    if archive in ARCHIVES:
        return archived(archive, name)[1] if ARCHIVES[archive][1].fullmatch(name) else None
    return text if len(text) <= _MAX_ADDRESS and _WEB.fullmatch(text) else None


def paper_address(paper: Mapping[str, str]) -> str | None:
    """Where a paper can be read, by its ``arxiv``, ``doi`` or ``url``; ``None`` where it has none of them."""
    for archive, (_, names) in ARCHIVES.items():
        if archive in paper:
            bare, where = archived(archive, paper[archive])
            if names.fullmatch(bare):
                return where
    return address(paper.get("url", "").strip())
