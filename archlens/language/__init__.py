"""Text becomes a :class:`Spec`: a value that says what a network is, and where each word of it stood.

Knows the names of the ops and their merges, and nothing of networks or of how they are laid out.
"""

from __future__ import annotations

from .spec import Spec, Variant, parse

__all__ = ["Spec", "Variant", "parse"]
