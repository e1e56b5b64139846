"""Exported programs by the names of their files: ``model.pt2``. Nothing in them runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import shorten, usage
from ..network import Network
from .outside import Outside

#: How such a file ends.
ENDING = ".pt2"


@dataclass(frozen=True)
class File(Outside):
    """A file with an exported program."""

    def network(self, input: Any, values: Mapping[str, Any]) -> Network:
        """The program's network, on another input where it takes one.

        Raises:
            UsageError: the file is no exported program, or there is no such input.
            SpecError: an operator of it is not replayed.
        """
        from ..backends import require_torch
        from ..tracing import replayed

        if values:
            raise usage(
                f"{shorten(self.text)} is an exported program, and has no {shorten(next(iter(values)))}"
            )
        require_torch()
        return replayed(self.text, input)


def exported(name: str) -> File | None:
    """The file that a name is; ``None`` where it ends otherwise, or there is none."""
    return File(name) if name.endswith(ENDING) and os.path.isfile(name) else None
