"""The spec itself."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import printable
from ..material import Material
from ..parts import Code, Details, Part

TITLE = "Spec"
ORDER = 100
COMMAND = "show"


def parts(material: Material) -> Sequence[Part]:
    """The whole file; of a family with which of its variants this is."""
    name, spec = material.network.name, material.study.spec
    if spec is None:
        return []
    variants = spec.variants
    lines = spec.source.text.removesuffix("\n").split("\n")
    which = f"variant {printable(name)} of {len(variants)}" if name in variants else "the whole file"
    return [Details(f"{len(lines)} line{'s' if len(lines) > 1 else ''}, {which}", [Code(lines)])]
