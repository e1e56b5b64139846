"""Cost, memory and receptive field against the size of the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...views import sizes_table as view
from ..material import Material
from ..parts import Bullets, Notes, Part

TITLE = "Other inputs"
ORDER = 60
COMMAND = "sizes"


def parts(material: Material) -> Sequence[Part]:
    """Which inputs fit, and what some of them cost."""
    found = material.study.sizes
    return [
        Bullets([[f"{title}: {text}"] for title, text in view.sentences(found)]),
        view.table(material.study, found).seen,
        Notes([*view.notes(material.network), *_bounds(material)]),
    ]


def _bounds(material: Material) -> Iterator[str]:
    """How far was tried, where that is less than the input's own size."""
    sizes = material.study.sizes
    if any(tried.bound < max(sizes.own.spatial) for tried in sizes.tried):
        yield (
            "For this page, sizes up to twice the smallest, and up to 96, were tried; archlens "
            "sizes tries more."
        )
