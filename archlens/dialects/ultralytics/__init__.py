"""Model files of Ultralytics: YAML with a ``backbone:`` and a ``head:``, a row for each module.

What their modules are, and how widths, depths and heads follow from a scale, is told here in own words and
code; nothing of theirs is run or copied.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO

from ..format import START, Format

if TYPE_CHECKING:
    from .model import Ultralytics

_BACKBONE = re.compile(rb"^backbone[ \t]*:", re.MULTILINE)
_HEAD = re.compile(rb"^head[ \t]*:", re.MULTILINE)


def _recognizes(start: bytes) -> bool:
    """Whether a file starts with a backbone, and with a head unless that comes later."""
    return bool(_BACKBONE.search(start) and (_HEAD.search(start) or len(start) == START))


def _read(file: BinaryIO, name: str) -> Ultralytics:
    from .model import read

    return read(file, name)


_SCALED = re.compile(r"(yolo(?:e-)?v?\d+)([nslmx])(?![a-z])(.*)")


def _variant_of(name: str) -> tuple[str, str] | None:
    """The file without the letter of a scale: ``yolov8n-seg.yaml`` is scale n of ``yolov8-seg.yaml``."""
    found = _SCALED.fullmatch(name)
    return (found[1] + found[3], found[2]) if found is not None else None


FORMAT = Format(
    "an Ultralytics model", (".yaml", ".yml"), _recognizes, _read, certain=False, variant_of=_variant_of
)
