"""FlatBuffers, as far as it takes to look into one: tables, vectors and texts at their offsets.

Source: https://flatbuffers.dev/internals/. All numbers are little-endian; a table starts with the distance
back to its vtable, which holds how far from the table each field is, or 0 where the field is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct, error, unpack_from
from typing import Any

#: How scalars are stored.
KINDS = {kind: Struct(f"<{kind}") for kind in "bBhHiIqQefd?"}

#: How much of a text is read.
_MAX_TEXT = 256


class Broken(Exception):
    """Offsets that lead out of the file, or nowhere."""


class Table:
    """A table at an offset."""

    __slots__ = ("data", "fields", "position")

    def __init__(self, data: Any, position: int) -> None:
        self.data = data
        self.position = position
        vtable = position - _read(data, position, "i")
        size = _read(data, vtable, "H")
        if size < 4 or vtable + size > len(data):
            raise Broken(f"no table at byte {position:,}")
        self.fields = [_read(data, vtable + at, "H") for at in range(4, min(size, 256) - 1, 2)]

    def _at(self, field: int) -> int:
        """Where a field is; 0 where it is not there."""
        offset = self.fields[field] if field < len(self.fields) else 0
        return self.position + offset if offset else 0

    def scalar(self, field: int, kind: str, default: Any = 0) -> Any:
        """A number."""
        at = self._at(field)
        return _read(self.data, at, kind) if at else default

    def _target(self, field: int) -> int:
        at = self._at(field)
        return at + _read(self.data, at, "I") if at else 0

    def table(self, field: int) -> Table | None:
        """A table that it points at; ``None`` where there is none."""
        at = self._target(field)
        return Table(self.data, at) if at else None

    def text(self, field: int) -> str:
        """A text; empty where there is none."""
        at = self._target(field)
        if not at:
            return ""
        size = min(_read(self.data, at, "I"), _MAX_TEXT)
        return bytes(self.data[at + 4 : at + 4 + size]).decode("utf-8", "replace")

    def vector(self, field: int, size: int) -> tuple[int, int]:
        """Where the items of a vector start, and how many there are."""
        at = self._target(field)
        if not at:
            return 0, 0
        count = _read(self.data, at, "I")
        if at + 4 + count * size > len(self.data):
            raise Broken(f"a list of {count:,} items at byte {at:,}, beyond the end of the file")
        return at + 4, count

    def numbers(self, field: int, most: int) -> tuple[int, ...]:
        """A list of at most so many whole numbers of 32 bits."""
        start, count = self.vector(field, 4)
        if count > most:
            raise Broken(f"a list of {count:,} numbers at byte {start:,}, where at most {most:,} can be")
        return unpack_from(f"<{count}i", self.data, start)

    def raw(self) -> tuple[bytes, ...]:
        """The bytes of its fields, for numbers to be read from; empty where one is not there."""
        found = (self._at(field) for field in range(len(self.fields)))
        return tuple(bytes(self.data[at : at + 8]).ljust(8, b"\0") if at else b"" for at in found)

    def tables(self, field: int) -> Iterator[Table]:
        """A list of tables."""
        start, count = self.vector(field, 4)
        for i in range(count):
            at = start + 4 * i
            yield Table(self.data, at + _read(self.data, at, "I"))


def root(data: Any) -> Table:
    """The table that a file is."""
    return Table(data, _read(data, 0, "I"))


def _read(data: Any, at: int, kind: str) -> Any:
    if at < 0:
        raise Broken(f"an offset before the start of the file: {at:,}")
    try:
        return KINDS[kind].unpack_from(data, at)[0]
    except error:
        raise Broken(f"an offset beyond the end of the file: {at:,}") from None
