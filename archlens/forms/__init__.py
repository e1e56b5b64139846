"""The forms of a table: each a file with a ``FORM``, which knows the table and nothing of what it shows.

A file that is added here is a form of every command that prints a table.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from .table import Form


@cache
def forms() -> dict[str, Form]:
    """Every form by the name that ``--format`` takes; that of the terminal first."""
    names = [module.name for module in iter_modules(__path__)]
    found = [getattr(import_module(f"{__name__}.{name}"), "FORM", None) for name in names]
    return {form.name: form for form in sorted(filter(None, found), key=lambda form: form.rank)}


def form(name: str) -> Form:
    """One of them; that of the terminal without all others."""
    if name == "table":
        from .text import FORM

        return FORM
    return forms()[name]
