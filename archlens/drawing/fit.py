"""What a picture is made for: so wide, at most so high, and with no text smaller than can be read there.

A style draws in points of its own, in which the smallest text has always one size; a fit says how long such a
point is where the picture is read, and so how many there are on its page.

>>> [round(side) for side in fit_of("column").page]
[322, 879]
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isfinite

from ..errors import UsageError, did_you_mean, shorten, usage

#: The size of the smallest text that a style writes, in its own points.
SMALL = 9.5
#: The smallest text that is read in print, in points, and on a screen, in pixels.
PRINT, SCREEN = 7.0, 11.0
#: What text may be as small or as large as, and of how many of its heights the narrowest page is wide.
_TINY, _HUGE, _NARROWEST = 2.0, 100.0, 22.0
#: The widest page, in points or pixels.
_WIDEST = 14_400.0
#: The longest column of a printed page: 9 inches. How much higher than wide a picture on a screen may be, and
#: how high in any case: narrow ones are scrolled, too.
_COLUMN, _TALLER, _SCROLLED = 648.0, 9 / 7, 900.0
#: Points to each unit of print.
_UNITS = {"in": 72.0, "cm": 72 / 2.54, "mm": 72 / 25.4, "pt": 1.0}


@dataclass(frozen=True)
class Fit:
    """A page that a picture is made for."""

    #: Its width, in words.
    measure: str
    #: Its width, and the height that is left to it, in its unit.
    width: float
    height: float
    #: ``pt``, a 72nd of an inch, or ``px``.
    unit: str
    #: The smallest size of text on it.
    least: float
    #: Whether the picture fills it: across in print, and both ways on a slide.
    fills: bool = False

    @property
    def scale(self) -> float:
        """How long a point of a style is on the page."""
        return self.least / SMALL

    @property
    def page(self) -> tuple[float, float]:
        """Width and height of the page in points of a style."""
        return self.width / self.scale, self.height / self.scale

    @property
    def lying(self) -> bool:
        """Whether the page is wider than high."""
        return self.width > self.height

    @property
    def printed(self) -> bool:
        """Whether it is a page of paper."""
        return self.unit == "pt"

    @property
    def bounded(self) -> bool:
        """Whether it ends somewhere: other pages are scrolled."""
        return self.printed or self.fills


#: The fits that have a name, with their widths.
NAMED = {"column": "3.3 in", "page": "6.9 in", "readme": "700 px", "slide": "1280 px"}
#: What is read on a screen is made for, and what is printed.
SCREENS, PAPER = "readme", "page"
#: The height of a slide, as high as which it is drawn.
_SLIDE = 720.0


def fit_of(text: str, font_size: float | None = None) -> Fit:
    """The fit that a word or a width means.

    Args:
        text: a name, or a width with its unit.
        font_size: the smallest size of text, in points for print and in pixels for a screen.

    Raises:
        UsageError: there is no such fit, or nothing could be read on it.
    """
    width, unit, measure = _measured(text)
    height = _SLIDE if text == "slide" else _COLUMN if unit == "pt" else max(width * _TALLER, _SCROLLED)
    least = PRINT if unit == "pt" else SCREEN
    if font_size is not None:
        if not (isfinite(font_size) and _TINY <= font_size <= _HUGE):
            raise usage(
                f"text of {font_size:g} {unit} cannot be set",
                help=f"from {_TINY:g} to {_HUGE:g}; without --font-size it is {least:g} {unit}",
            )
        least = float(font_size)
    if width < _NARROWEST * least:
        raise usage(
            f"{shorten(text)} is too narrow for text of {least:g} {unit}",
            help=f"from {_NARROWEST * least:g} {unit} on there is room for names",
        )
    return Fit(measure, width, height, unit, least, fills=unit == "pt" or text == "slide")


def _measured(text: str) -> tuple[float, str, str]:
    """A width in points or pixels, which of them, and the width in words."""
    found = re.fullmatch(r"([0-9]{1,5}(?:\.[0-9]{1,3})?) ?(in|cm|mm|pt|px)", NAMED.get(text, text))
    if found is None:
        raise _unknown(text)
    number, unit = float(found[1]), found[2]
    width = number * _UNITS.get(unit, 1.0)
    kind = "px" if unit == "px" else "pt"
    if width > _WIDEST:
        raise usage(f"{text} is wider than any page", help=f"at most {_WIDEST:g} {kind}")
    return width, kind, f"{number:g} {unit}"


def _unknown(text: str) -> UsageError:
    known = f"{', '.join(NAMED)}, or a width such as 90mm, 5in or 700px"
    return usage(f"there is no fit {shorten(text)}", help=did_you_mean(text, NAMED, otherwise=known))
