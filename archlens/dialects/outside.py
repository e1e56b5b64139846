"""What names of networks that no spec describes have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Outside:
    """A network by the name of what it is made from."""

    #: As it was named.
    text: str
    #: There is no spec behind it, and so no variants.
    spec: ClassVar[None] = None
    variant: ClassVar[str] = ""

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.text

    @property
    def file(self) -> str:
        """Where it stands: the name itself says so."""
        return self.text
