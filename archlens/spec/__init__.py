"""Text becomes a :class:`Spec`: a value that says what a network is, and where each word of it stood.

Knows the names of the ops and their merges, and nothing of networks or analyses.
"""

from __future__ import annotations

from .library import Found, find, names, open_spec
from .spec import Spec, Variant, parse

__all__ = ["Found", "Spec", "Variant", "find", "names", "open_spec", "parse"]
