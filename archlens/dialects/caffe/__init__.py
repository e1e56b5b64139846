"""Caffe's ``.prototxt`` files: the layers of a network, as they run at inference."""

from __future__ import annotations

import re
from typing import BinaryIO

from ..format import Format, Model


def _is_prototxt(start: bytes) -> bool:
    """Whether a file opens a layer, as ``layer {``, or lists layers of the first version."""
    return (
        re.search(rb"^[ \t]*layers?[ \t]*:?[ \t\r\n]*\{[^}]*\b(?:type|name|layer)\b", start, re.M) is not None
    )


def _read(file: BinaryIO, name: str) -> Model:
    from .caffe_layers import read

    return read(file, name)


FORMAT = Format("a prototxt of Caffe", (".prototxt",), _is_prototxt, _read, certain=False)
