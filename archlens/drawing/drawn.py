"""What is drawn in a theme and made for a page, whatever it is a picture of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from .fit import PAPER, SCREENS, Fit, fit_of
from .picture import Picture


@dataclass(frozen=True)
class Drawn:
    """What is asked for: of a network, of several, or of what is between two."""

    theme: str = field(default="light", kw_only=True)
    #: What it is made for: a name or a width, as :func:`archlens.drawing.fit.fit_of` reads it; empty for that
    #: of its format.
    fit: str = field(default="", kw_only=True)

    @property
    def picture(self) -> Picture:
        """The picture."""
        raise NotImplementedError

    @cached_property
    def page(self) -> Fit:
        """The page that it is made for.

        Raises:
            UsageError: there is no such fit.
        """
        return fit_of(self.fit or SCREENS)

    @cached_property
    def pictures(self) -> tuple[Picture, Picture]:
        """The light and the dark picture, which differ in nothing but colours.

        Raises:
            UsageError: it cannot be drawn.
        """
        return replace(self, theme="light").picture, replace(self, theme="dark").picture

    def made_for(self, extension: str) -> Self:
        """The same, with the fit of a format where none is asked for."""
        return self if self.fit else replace(self, fit=PAPER if extension in ("pdf", "tex") else SCREENS)
