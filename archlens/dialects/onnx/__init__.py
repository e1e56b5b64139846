"""ONNX files, ``model.onnx``: the graph alone is read, as the protocol buffer that it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...bounds import RAISED, allowed
from ...errors import error, shorten, usage
from ..format import Format

if TYPE_CHECKING:
    from .model import Onnx

#: How many fields are looked at for each layer that a network may have.
_FIELDS = 100


def _read(path: str) -> Onnx:
    from .model import Onnx
    from .proto import Reading
    from .wire import Broken, Wire

    try:
        with open(path, "rb") as file:
            found = Reading(Wire(file, _FIELDS * allowed()), 4 * allowed()).proto()
    except OSError as problem:
        raise usage(f"{shorten(path, 200)} cannot be read: {problem.strerror or problem}") from None
    except Broken as problem:
        help = RAISED if "most that" in str(problem) else ""
        raise error(f"{shorten(path, 200)} is no ONNX model that can be read: {problem}", help=help) from None
    return Onnx(path, found)


FORMAT = Format("an ONNX model", (".onnx",), lambda start: False, _read)
