"""Searches: the figures of all configurations of a spec, those within limits, and the best of them.

Numbers of all configurations are computed at once, in columns (:mod:`archlens.columns`), so this room needs
numpy; whoever enters it asks first whether it is there.
"""

from __future__ import annotations

from ..errors import not_installed


def require_numpy() -> None:
    """Refuse in one line where numpy is missing.

    Raises:
        UsageError: it is not installed, with what to install.
    """
    try:
        import numpy  # noqa: F401
    except ImportError:
        raise not_installed("a search needs numpy", "search") from None
