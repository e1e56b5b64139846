"""What names of networks that no spec describes have in common."""

from __future__ import annotations

from typing import ClassVar

from ..records import record


@record(frozen=True)
class Outside:
    """A network by the name of what it is made from."""

    #: As it was named.
    text: str
    #: There is no spec behind it.
    spec: ClassVar[None] = None

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.text
