"""The sections of a page, a file each, found by their names.

A section has a ``TITLE``, an ``ORDER`` that says where it stands, and a function ``parts`` that gives what it
says of a network; a section that has nothing to say gives nothing and is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

from ..material import Material
from ..parts import Part


class Section(NamedTuple):
    """A titled part of a page."""

    title: str
    parts: Sequence[Part]


def sections(material: Material) -> list[Section]:
    """All that a page says of a network, in order."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    modules.sort(key=lambda module: (module.ORDER, module.__name__))
    found = [Section(module.TITLE, module.parts(material)) for module in modules]
    return [section for section in found if section.parts]
