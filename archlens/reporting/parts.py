"""What a section of a page is made of, whatever the form. Adding a kind of part adds a macro to each form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..forms.table import Command, Content, Table

#: The most lines of a table, a list or a text that a page shows; that of the zoo's deepest network has 930.
MOST = 1000


@dataclass(frozen=True)
class Thumbnail:
    """A small picture, by its address ``source``, with words beneath; ``url`` is that of a page, or empty."""

    source: str
    url: str
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Words, one piece after another."""

    pieces: Sequence[Content]
    kind: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[Sequence[Content]]
    kind: ClassVar[str] = "bullets"


@dataclass(frozen=True)
class Notes:
    """What the numbers of the part before mean, a sentence a line."""

    lines: Sequence[str]
    kind: ClassVar[str] = "notes"


@dataclass(frozen=True)
class Picture:
    """A picture of the network in a style."""

    style: str
    alt: str
    kind: ClassVar[str] = "picture"


@dataclass(frozen=True)
class Viewer:
    """The graph of the network to touch, on pages that can have one."""

    kind: ClassVar[str] = "viewer"


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


Part = Paragraph | Bullets | Notes | Table | Picture | Viewer | Code | Details


def left_out(more: int, command: str) -> list[Part]:
    """Beneath lines of which a page shows the first: how many more there are, and what prints them."""
    if more <= 0:
        return []
    lines = "1 more line is" if more == 1 else f"{more:,} more lines are"
    return [Paragraph([f"{lines} left out here; ", Command(f"archlens {command}"), " prints all."])]
