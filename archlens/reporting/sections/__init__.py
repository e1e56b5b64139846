"""The sections of a page, a file each, found by their names.

A section has a ``TITLE``, an ``ORDER`` that says where it stands, a ``COMMAND`` that prints the same with
no bound on its lines, and a function ``parts`` that gives what it says of a network; one that has nothing
to say gives nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

from ...forms.table import Table
from ..material import Material
from ..parts import MOST, Bullets, Code, Details, Notes, Part, left_out


class Section(NamedTuple):
    """A titled part of a page."""

    title: str
    parts: Sequence[Part]


def sections(material: Material) -> list[Section]:
    """All that a page says of a network, in order."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    modules.sort(key=lambda module: (module.ORDER, module.__name__))
    found = [
        Section(module.TITLE, _all_bounded(module.parts(material), module.COMMAND)) for module in modules
    ]
    return [section for section in found if section.parts]


def _all_bounded(parts: Sequence[Part], command: str) -> list[Part]:
    return [shown for part in parts for shown in _bounded(part, command)]


def _bounded(part: Part, command: str) -> Iterator[Part]:
    """A part with no more lines than a page shows; beneath, how many more there are and what prints them."""
    more = 0
    match part:
        case Details():
            part = replace(part, parts=_all_bounded(part.parts, command))
        case Table():
            more = len(part.rows) - MOST
            part = replace(part, rows=part.rows[:MOST])
        case Bullets():
            more = len(part.items) - MOST
            part = replace(part, items=part.items[:MOST])
        case Notes() | Code():
            more = len(part.lines) - MOST
            part = replace(part, lines=part.lines[:MOST])
    yield part
    yield from left_out(more, command)
