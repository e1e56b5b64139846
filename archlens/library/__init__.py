"""Specs by name: the networks of the zoo and files of one's own, as they are and as they were."""

from __future__ import annotations

from .finding import Found, find, names, open_spec, read

__all__ = ["Found", "find", "names", "open_spec", "read"]
