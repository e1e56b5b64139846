"""ONNX files, ``model.onnx``: the graph alone is read, as the protocol buffer that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from ...bounds import RAISED, allowed
from ...errors import error, shorten
from ..format import Format

if TYPE_CHECKING:
    from .model import Onnx

#: How many fields are looked at for each layer that a network may have.
_FIELDS = 100


def _read(file: BinaryIO, name: str) -> Onnx:
    from .model import Onnx
    from .proto import NODES, Reading
    from .wire import Broken, Wire

    try:
        found = Reading(Wire(file, _FIELDS * allowed()), NODES * allowed()).proto()
    except Broken as problem:
        help = RAISED if "most that" in str(problem) else ""
        raise error(f"{shorten(name, 200)} is not a readable ONNX model: {problem}", help=help) from None
    return Onnx(name, found)


FORMAT = Format("an ONNX model", (".onnx",), lambda start: False, _read)
