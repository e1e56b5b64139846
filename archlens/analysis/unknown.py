"""What stands in the place of a figure that cannot be known: never zero, and never nothing at all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unknown:
    """A value that cannot be known, and why."""

    reason: str
