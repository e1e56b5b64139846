"""What is done of a search, in a file that grows with it, so that whoever is ended goes on from there.

Each line is a checksum and JSON: the first says which search it is, each other what was found of a part. A
line that was not written to its end is as none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import numpy as np

from ..errors import shorten, usage
from .task import Kept

SCHEMA = "archlens.search-parts/1"


class Keeping:
    """The parts of a search that are done, by their numbers."""

    def __init__(self, file: IO[bytes], done: dict[int, list[Kept]]) -> None:
        self._file = file
        self.done = done

    def add(self, number: int, parts: Sequence[Kept]) -> None:
        """Write down what was found of a part."""
        self._file.write(_line({"part": number, "found": [_written(one) for one in parts]}))
        self._file.flush()


@contextmanager
def keeping(path: str, digest: str, figures: int, most: int) -> Iterator[Keeping]:
    """The file of a search; what it has already of that is done.

    Args:
        path: of the file, which is made where there is none.
        digest: what says which search it is.
        figures: how many figures are found of each configuration.
        most: how many configurations there are.

    Raises:
        UsageError: it cannot be written, or is of another search, or of none.
    """
    shown = shorten(path, 200)
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("a+b"))
        except OSError as problem:
            raise usage(f"{shown}: {problem.strerror}") from None
        file.seek(0)
        done: dict[int, list[Kept]] = {}
        found = ""
        end = 0
        for number, line in enumerate(file):
            if not line.endswith(b"\n"):
                break
            try:
                record = _record(line)
                if number:
                    done[int(record["part"])] = [_read(one, figures, most) for one in record["found"]]
                elif record["schema"] != SCHEMA:
                    raise ValueError
                else:
                    found = record["search"]
            except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
                where = f"{shown}:{number + 1}"
                raise usage(f"{where} is not a line that a search has written", help="another file") from None
            if found != digest:
                raise usage(
                    f"{shown} is of another search, or of another version of its spec",
                    help="the same search goes on from its own file; another one needs another file",
                )
            end += len(line)
        file.truncate(end)
        if not end:
            file.write(_line({"schema": SCHEMA, "search": digest}))
            file.flush()
        yield Keeping(file, done)


def _line(record: Any) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    return b"%08x " % crc32(text) + text


def _record(line: bytes) -> Any:
    checksum, _, text = line.partition(b" ")
    if int(checksum, 16) != crc32(text):
        raise ValueError
    return json.loads(text)


def _written(kept: Kept) -> list[Any]:
    figures = [
        {"axes": [axis.tolist() for axis in one]}
        if isinstance(one, tuple)
        else one
        if one is None
        else one.tolist()
        for one in kept.figures
    ]
    return [kept.looked, kept.held, kept.rows.tolist(), figures, kept.refused]


def _read(written: Any, figures: int, most: int) -> Kept:
    looked, held, rows, values, refused = written
    if len(values) != figures or not isinstance(refused, str) or not all(0 <= row < most for row in rows):
        raise ValueError
    found = [
        one
        if one is None
        else tuple([_numbers(axis, len(rows)) for axis in one["axes"]])
        if isinstance(one, dict)
        else _numbers(one, len(rows))
        for one in values
    ]
    return Kept(int(looked), int(held), _numbers(rows, len(rows)), tuple(found), refused)


def _numbers(values: Any, count: int) -> Any:
    """Whole numbers as an array, as wide as they need."""
    if not isinstance(values, list) or len(values) != count or not {*map(type, values)} <= {int}:
        raise ValueError
    large = values and max(map(abs, values)) >= 2**62
    return np.array(values, object if large else np.int64)
