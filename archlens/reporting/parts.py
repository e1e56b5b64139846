"""What a section of a page is made of, whatever the form. Adding a kind of part adds a macro to each form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Link:
    """Words that lead somewhere."""

    text: str
    url: str


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, by its address ``source``, with words beneath; ``url`` is that of a page, or empty."""

    source: str
    url: str
    text: str


@dataclass(frozen=True)
class Command:
    """What is typed at a prompt."""

    text: str


#: What stands in a line: words as they are, and what leads somewhere or is typed.
Piece = str | Link | Command | Thumbnail


@dataclass(frozen=True)
class Paragraph:
    """Words, one piece after another."""

    pieces: Sequence[Piece]
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[Sequence[Piece]]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Notes:
    """What the numbers of the part before mean, a sentence a line."""

    lines: Sequence[str]
    kind: ClassVar[str] = "notes"


@dataclass(frozen=True)
class Table:
    """Cells under a head; ``right`` says which columns hold numbers, ``totals`` whether the last row sums."""

    head: Sequence[str]
    rows: Sequence[Sequence[Piece]]
    right: Sequence[bool]
    totals: bool = False
    kind: ClassVar[str] = "table"


@dataclass(frozen=True)
class Picture:
    """A picture of the network in a style."""

    style: str
    alt: str
    kind: ClassVar[str] = "picture"


@dataclass(frozen=True)
class Code:
    """Lines of a text as they are, each with its number, from 1."""

    lines: Sequence[str]
    kind: ClassVar[str] = "code"


@dataclass(frozen=True)
class Details:
    """Parts that are shown when they are asked for."""

    summary: str
    parts: Sequence[Part]
    kind: ClassVar[str] = "details"


Part = Paragraph | Bullets | Notes | Table | Picture | Code | Details
