"""What a board has: memory, the most multiply-accumulates a second, and the most bytes; a file each.

A file is TOML: ``title``, ``source`` (the address of a data sheet), ``read`` (where its numbers were read, if
that is another page), and what is known of ``sram``, the largest range in one piece, ``flash``,
``macs_per_second`` by type and ``bytes_per_second``. What is not there is unknown.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from ..counts import Kind
from ..errors import did_you_mean, shorten, usage
from ..limits import BadLimit, parse

#: The types of activations that a peak may be given for.
TYPES = ("int8", "int16", "fp16", "float32")

_KEYS = ("title", "source", "read", "sram", "flash", "macs_per_second", "bytes_per_second")

#: The longest file that is read.
_MOST = 100_000


class Board(NamedTuple):
    """The numbers of a board; ``None`` where one is not known."""

    name: str
    title: str
    source: str
    read: str
    #: The largest range of RAM in one piece, as an arena is.
    sram: int | None
    flash: int | None
    #: By the type of the activations.
    macs_per_second: Mapping[str, Fraction]
    bytes_per_second: Fraction | None

    @property
    def limits(self) -> list[tuple[str, str]]:
        """What it has of memory, as limits by the names of their figures.

        Raises:
            UsageError: nothing is known of its memory.
        """
        known = [("sram", self.sram), ("flash", self.flash)]
        if not any(size for _, size in known):
            raise usage(f"neither sram nor flash of {self.title} is known")
        return [(name, f"<= {size}B") for name, size in known if size is not None]


@cache
def names() -> tuple[str, ...]:
    """The boards that come with archlens."""
    found = os.listdir(os.path.dirname(__file__))
    return tuple(sorted(one.removesuffix(".toml") for one in found if one.endswith(".toml")))


def find(name: str) -> Board:
    """A board by its name, or by the path of its file.

    Raises:
        UsageError: there is no such board or file, or something in it is wrong.
    """
    if name in names():
        return _read(os.path.join(os.path.dirname(__file__), f"{name}.toml"), name)
    if not name.endswith(".toml"):
        known = f"the boards: {', '.join(names())}; a file of your own ends in .toml"
        raise usage(f"there is no board {shorten(name)}", help=did_you_mean(name, names(), otherwise=known))
    return _read(name, name)


def _read(path: str, name: str) -> Board:
    called = shorten(name, 200)
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST + 1)
        if len(data) > _MOST:
            raise usage(f"{called} is larger than {_MOST:,} bytes, so it is not a board")
        found = tomllib.loads(data.decode("utf-8"))
    except OSError as problem:
        raise usage(f"{called} cannot be read: {problem.strerror or problem}") from None
    except (ValueError, RecursionError) as problem:
        raise usage(f"{called} is not valid TOML: {shorten(str(problem), 200)}") from None
    for key in found:
        if key not in _KEYS:
            known = f"the keys: {', '.join(_KEYS)}"
            raise usage(f"{called} has a key {shorten(key)}", help=did_you_mean(key, _KEYS, otherwise=known))
    texts = {}
    for key in ("title", "source", "read"):
        texts[key] = found.get(key, "")
        if not isinstance(texts[key], str):
            raise usage(f"{called}: {key} is not a string")
    if not texts["source"]:
        raise usage(
            f"{called} does not state its source", help='source = "https://...", that of a data sheet'
        )
    peaks = found.get("macs_per_second", {})
    if not isinstance(peaks, dict) or not set(peaks) <= set(TYPES):
        raise usage(
            f"{called}: macs_per_second is by the type of the activations: {', '.join(TYPES)}",
            help='as in macs_per_second = {int8 = "432M"}',
        )
    sram, flash, moved = (
        _number(called, found, key, Kind.BYTES) for key in ("sram", "flash", "bytes_per_second")
    )
    return Board(
        name,
        texts["title"] or name,
        texts["source"],
        texts["read"],
        None if sram is None else int(sram),
        None if flash is None else int(flash),
        {key: _number(called, peaks, key, Kind.COUNT) or Fraction(0) for key in peaks},
        moved,
    )


def _number(called: str, found: Mapping[str, Any], key: str, kind: Kind) -> Fraction | None:
    """A number with a unit; ``None`` where it is not there.

    Raises:
        UsageError: it is none, or is zero.
    """
    if key not in found:
        return None
    text = found[key]
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    try:
        limit = parse(text, kind) if isinstance(text, str) else None
    except BadLimit as problem:
        raise usage(f"{called}: {key}: {problem.message}", help=problem.help) from None
    if limit is None or limit.low is None or limit.low != limit.high or not limit.low:
        raise usage(f"{called}: {key} is not a number with a unit", help='as in sram = "320KiB"')
    return limit.low
