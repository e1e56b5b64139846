"""What is drawn in a theme and made for a page, whatever it is a picture of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from .fit import PAPER, SCREENS, Fit, fit_of
from .metrics import SANS, font_of, using
from .picture import Picture


@dataclass(frozen=True)
class Drawn:
    """What is asked for: of a network, of several, or of what is between two."""

    theme: str = field(default="light", kw_only=True)
    #: What it is made for: a name or a width, as :func:`archlens.drawing.fit.fit_of` reads it; empty for that
    #: of its format.
    fit: str = field(default="", kw_only=True)
    #: The font of its text: a name of :data:`archlens.drawing.metrics.FONTS_BY_NAME`, or a file.
    font: str = field(default=SANS.name, kw_only=True)

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

    def written(self, draw: Callable[[], Picture]) -> Picture:
        """What is drawn with the font that is asked for.

        Raises:
            UsageError: there is no such font; or whatever drawing raises.
        """
        font = font_of(self.font)
        with using(font):
            picture = draw()
        return picture if font == SANS else replace(picture, font=font)

    def made_for(self, extension: str) -> Self:
        """The same, with the fit of a format where none is asked for."""
        return self if self.fit else replace(self, fit=PAPER if extension in ("pdf", "tex") else SCREENS)
