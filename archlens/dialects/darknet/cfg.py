"""The text of a cfg file as its sections, each with its options and their places."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...bounds import RAISED, Bounds, allowed
from ...errors import Source, Span, SpecError, error, shorten
from .kinds import ALIASES

#: The largest whole number of an option, darknet's own.
_INT = 2**31 - 1

#: How many options a file may have.
_OPTIONS = 300_000


class Option(NamedTuple):
    """The value of an option, and its place."""

    value: str
    where: Span


@dataclass
class Section:
    """A section of a file: a layer, or what is said of the whole network."""

    kind: str
    where: Span
    options: dict[str, Option] = field(default_factory=dict)
    #: Which layer it is, from 0, as darknet numbers them.
    number: int = -1

    def error(self, message: str, key: str = "", **further: Any) -> SpecError:
        """What is wrong with it, or with one of its options."""
        where = self.options[key].where if key in self.options else self.where
        return error(f"[{self.kind}]: {message}", where, **further)

    def text(self, key: str, default: str = "") -> str:
        """The value of an option."""
        return self.options[key].value if key in self.options else default

    def integer(self, key: str, default: int, least: int = -_INT) -> int:
        """A whole number.

        Raises:
            SpecError: it is none, or too small or large.
        """
        return self._whole(key, self.text(key), least) if key in self.options else default

    def integers(self, key: str) -> list[int]:
        """Whole numbers with commas between them.

        Raises:
            SpecError: one is none.
        """
        return [self._whole(key, word, -_INT) for word in self.text(key).split(",") if word]

    def _whole(self, key: str, text: str, least: int) -> int:
        found = re.fullmatch(r"([+-]?[0-9]{1,10})(?:\.0*)?", text)
        if not found:
            raise self.error(f"{key} is a whole number, not {shorten(text) or 'nothing'}", key)
        value = int(found[1])
        if not least <= value <= _INT:
            bound = f"at least {least}" if value < least else f"at most {_INT:,}"
            raise self.error(f"{key} is {bound}, not {value:,}", key)
        return value

    def number_of(self, key: str, default: float) -> float:
        """A number.

        Raises:
            SpecError: it is none.
        """
        if key not in self.options:
            return default
        text = self.text(key)
        if not re.fullmatch(r"[+-]?([0-9]{1,30}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?", text[:100]):
            raise self.error(f"{key} is a number, not {shorten(text) or 'nothing'}", key)
        return float(text)


def sections(source: Source) -> list[Section]:
    """The sections of a file."""
    found: list[Section] = []
    count = 0
    for number, line in enumerate(source.lines, 1):
        text = re.sub(r"[ \t\r]", "", line)
        start = len(line) - len(line.lstrip()) + 1
        where = Span(source, number, start, len(line.strip()))
        if not text or text[0] in "#;":
            continue
        if text[0] == "[":
            kind = text.partition("#")[0]
            if not kind.endswith("]") or len(kind) < 3:
                raise error(f"{shorten(kind)} is not a section head", where, help="as in [convolutional]")
            if len(found) > allowed():
                raise error(Bounds(allowed()).too_many_layers, where, help=RAISED)
            found.append(Section(ALIASES.get(kind[1:-1], kind[1:-1]), where))
            continue
        key, equals, value = text.partition("=")
        if not found:
            raise error("an option comes before the first section", where, help="a file starts with [net]")
        if not key or not equals:
            raise error(f"[{found[-1].kind}]: {shorten(text)} is not an option", where, help="as in size=3")
        count += 1
        if count > _OPTIONS:
            raise error(f"the file has more than {_OPTIONS:,} options, the most that are read", where)
        value = re.split("[#;]", value, maxsplit=1)[0]
        found[-1].options.setdefault(key, Option(value, where))
    return found
