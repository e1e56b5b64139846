"""What is drawn in a theme and made for a page, whatever it is a picture of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from .picture import Picture
from .request import PAPER, SCREENS


@dataclass(frozen=True)
class Drawn:
    """A picture that is no network's alone: of several, or of what is between two."""

    theme: str = field(default="light", kw_only=True)
    #: What it is made for, as :func:`archlens.drawing.fit.fit_of` reads it; empty for that of its format.
    fit: str = field(default="", kw_only=True)

    @property
    def picture(self) -> Picture:
        """The picture."""
        raise NotImplementedError

    def made_for(self, extension: str) -> Self:
        """The same, with the fit of a format where none is asked for."""
        return self if self.fit else replace(self, fit=PAPER if extension in ("pdf", "tex") else SCREENS)
