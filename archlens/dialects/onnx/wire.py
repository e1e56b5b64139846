"""Protocol buffers as they lie in a file: numbered fields, each a number or a stretch of bytes.

Nothing is read but what is looked at: of a tensor of a gigabyte that is where it begins and ends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

#: How the value of a field lies there.
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

#: How much is read at a time; the longest text; and what a field takes at most before its bytes.
_CHUNK, _TEXT, _HEAD = 1 << 16, 1 << 20, 20


class Broken(Exception):
    """A file is no protocol buffer, or larger than what is read of one."""


class Field(NamedTuple):
    """One field of a message."""

    number: int
    wire: int
    #: What it is, where it is a number: as 64 bits without a sign.
    value: int
    #: Where its bytes lie.
    start: int
    stop: int


class Wire:
    """A file that holds a message.

    Args:
        file: open, and of bytes.
        most: how many fields are looked at in all.
    """

    def __init__(self, file: BinaryIO, most: int) -> None:
        self.file = file
        self.size = file.seek(0, 2)
        self.left = self.most = most
        self.base, self.chunk = 0, b""

    def read(self, start: int, stop: int) -> bytes:
        """Some bytes of the file."""
        if start < self.base or stop > self.base + len(self.chunk):
            self.file.seek(start)
            self.chunk = self.file.read(max(_CHUNK, stop - start))
            self.base = start
        return self.chunk[start - self.base : stop - self.base]

    def text(self, field: Field) -> str:
        """The bytes of a field as a text."""
        if field.wire != BYTES:
            raise Broken(f"byte {field.start:,} is a number where a string is expected")
        if field.stop - field.start > _TEXT:
            raise Broken(f"the text at byte {field.start:,} is longer than {_TEXT:,} bytes")
        return self.read(field.start, field.stop).decode("utf-8", "backslashreplace")

    def fields(self, start: int, stop: int) -> Iterator[Field]:
        """The fields of the message that lies there.

        Raises:
            Broken: they do not end where it does, or there are too many.
        """
        at = start
        while at < stop:
            self.left -= 1
            if self.left < 0:
                raise Broken(f"it holds more than {self.most:,} fields, the most that are read of a file")
            data = self.read(at, min(at + _HEAD, stop))
            tag, i = varint(data, 0, at)
            number, wire = tag >> 3, tag & 7
            first = at + i
            if not number:
                raise Broken(f"byte {at:,} begins no field")
            value = 0
            if wire == VARINT:
                value, i = varint(data, i, at)
                first, at = at + i, at + i
            elif wire == BYTES:
                length, i = varint(data, i, at)
                first, at = at + i, at + i + length
            elif wire in (FIXED32, FIXED64):
                count = 4 if wire == FIXED32 else 8
                value = int.from_bytes(data[i : i + count], "little")
                at += i + count
            else:
                raise Broken(f"byte {at:,} begins no field that is known")
            if at > stop:
                raise Broken(
                    f"the field at byte {first:,} ends at {at:,}, and what it is part of at {stop:,}"
                )
            yield Field(number, wire, value, first, at)

    def numbers(self, field: Field, wire: int, most: int) -> list[int]:
        """The numbers of a repeated field, packed in its bytes or this one alone.

        Raises:
            Broken: there are more than so many, or they do not end where the field does.
        """
        if field.wire == wire:
            return [field.value]
        if field.wire != BYTES:
            raise Broken(f"byte {field.start:,} is not a list of numbers")
        length = field.stop - field.start
        if length > most * (10 if wire == VARINT else 4 if wire == FIXED32 else 8):
            raise Broken(f"the list at byte {field.start:,} holds more than {most:,} numbers")
        data = self.read(field.start, field.stop)
        if wire == VARINT:
            found, i = [], 0
            while i < length:
                value, i = varint(data, i, field.start)
                found.append(value)
            if len(found) > most:
                raise Broken(f"the list at byte {field.start:,} holds more than {most:,} numbers")
            return found
        size = 4 if wire == FIXED32 else 8
        if length % size:
            raise Broken(f"the list at byte {field.start:,} ends within a number")
        return [int.from_bytes(data[i : i + size], "little") for i in range(0, length, size)]


def varint(data: bytes, i: int, at: int) -> tuple[int, int]:
    r"""The number that begins at a byte of some data, and where it ends.

    >>> varint(b"\x96\x01", 0, 0)
    (150, 2)
    """
    value = shift = 0
    while i < len(data) and shift < 70:
        byte = data[i]
        i += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, i
        shift += 7
    raise Broken(f"no number ends after byte {at:,}")


def signed(value: int) -> int:
    """64 bits as a number with a sign.

    >>> signed(2**64 - 1)
    -1
    """
    return value - (1 << 64) if value >> 63 else value
