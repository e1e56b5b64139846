"""Keras models: ``model.keras``, and what ``model.to_json()`` gives. Nothing in them runs."""

from __future__ import annotations

import re
from typing import BinaryIO

from ..format import Format, Model

#: How a zip archive starts whose first member is one of those that Keras writes.
_ARCHIVE = re.compile(rb"PK\x03\x04.{26}(metadata\.json|config\.json|model\.weights\.h5|assets/)", re.DOTALL)
_JSON = re.compile(rb'\s*\{.*?"class_name"\s*:\s*"(Sequential|Functional|Model)"', re.DOTALL)


def _recognizes(start: bytes) -> bool:
    return bool(_ARCHIVE.match(start) or _JSON.match(start))


def _read(file: BinaryIO, name: str) -> Model:
    from .network import read

    return read(file, name)


FORMAT = Format("a Keras model", (".keras",), _recognizes, _read, shared=(".json",))
