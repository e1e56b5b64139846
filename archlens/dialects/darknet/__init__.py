"""Darknet's ``.cfg`` files, as the programs of Redmon and of Bochkovskiy read them: a layer a section."""

from __future__ import annotations

import re
from typing import BinaryIO

from ..format import Format, Model


def _is_cfg(start: bytes) -> bool:
    """Whether a file starts with ``[net]``, after comments."""
    comments = rb"(?:\xef\xbb\xbf)?(?:[ \t\r]*(?:[#;][^\n]*)?\n)*"
    return re.match(comments + rb"[ \t]*\[(?:net|network)\]", start) is not None


def _read(file: BinaryIO, name: str) -> Model:
    from .sections import read

    return read(file, name)


FORMAT = Format("a cfg file of darknet", (".cfg",), _is_cfg, _read, certain=False)
