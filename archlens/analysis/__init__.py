"""What can be found out about a network: one pure function of a :class:`Network` per file."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """Each is imported when it is first asked for."""
    try:
        return import_module(f".{name}", __name__)
    except ModuleNotFoundError as problem:
        if problem.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
