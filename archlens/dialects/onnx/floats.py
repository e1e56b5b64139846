"""The numbers of a tensor of a file, where something is told by them: read when they are asked for."""

from __future__ import annotations

import os
import stat
import struct
import sys
from array import array
from collections.abc import Callable, Sequence
from math import prod
from typing import BinaryIO

from ...errors import shorten
from ...lowering.reader import Unread
from .proto import RAW, Held

#: The most numbers that are read of one tensor.
_MOST = 1 << 20


def floats(held: Held, path: str, again: Callable[[], BinaryIO] | None) -> Sequence[float] | None:
    """The numbers of a tensor, in row-major order; ``None`` where they do not lie there.

    Args:
        held: the tensor.
        path: of the file that it is a tensor of; another one that it lies in is in the same folder.
        again: what opens that.

    Raises:
        Unread: they are too many, or in a file that cannot be read.
    """
    lies, count = held.lies, prod(held.sizes)
    form = RAW.get(held.dtype, "H" if held.dtype == "bfloat16" else "")
    size = struct.calcsize(form) if form else 0
    if lies is None or not form or lies.stop - lies.start != size * count:
        return None
    if count > _MOST:
        raise Unread(f"it holds {count:,} numbers, more than the {_MOST:,} that are read of one tensor")
    try:
        opened = _beside(path, lies.file) if lies.file else again() if again is not None else None
        if opened is None:
            raise OSError
        with opened as file:
            file.seek(lies.start)
            data = file.read(size * count)
        if len(data) != size * count:
            raise OSError
        if held.dtype == "bfloat16":  # which are the upper halves of others
            data = b"".join(b"\0\0" + data[i : i + 2] for i in range(0, len(data), 2))
            form = "f"
        if form in "e?" or sys.byteorder != "little":
            return struct.unpack(f"<{count}{form}", data)
        return array(form, data)
    except (OSError, ValueError, struct.error):
        raise Unread(f"it lies in {shorten(lies.file or path)}, which cannot be read") from None


def _beside(path: str, name: str) -> BinaryIO | None:
    """A file in the folder of another, or below it; ``None`` of any other, or none."""
    folder = os.path.realpath(os.path.dirname(path) or ".")
    found = os.path.realpath(os.path.join(folder, name))
    if os.path.commonpath([folder, found]) != folder or not stat.S_ISREG(os.stat(found).st_mode):
        return None
    return open(found, "rb")
