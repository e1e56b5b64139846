"""The text format of protocol buffers: messages of fields, each with its place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from math import isfinite
from typing import Any

from ...errors import Source, Span, SpecError, did_you_mean, error, shorten

#: How deep messages may stand in messages; those of Caffe's networks do five deep.
_DEPTH = 40
#: How many fields a file may have.
_FIELDS = 400_000
#: The largest whole number, that of an ``int64``.
_INT = 2**63 - 1

_TOKEN = re.compile(
    r"""(?>\s*+(?:\#[^\n]*+\s*+)*+)(?:
    (?P<word>[A-Za-z_][A-Za-z0-9_.]*+)
    | (?P<number>[+-]?\.?[0-9][A-Za-z0-9_.+-]*+|-[A-Za-z]++)
    | (?P<text>"(?:[^"\\\n]|\\.)*+"|'(?:[^'\\\n]|\\.)*+')
    | (?P<mark>[{}<>:;,[\]])
    | (?P<wrong>\S))""",
    re.VERBOSE,
)

_CLOSES = {"{": "}", "<": ">"}


class Text(Source):
    """A text in which places are counted in characters from its start."""

    @cached_property
    def starts(self) -> list[int]:
        """Where its lines start."""
        return [0, *(found.end() for found in re.finditer("\n", self.text))]

    def span(self, start: int, width: int) -> Span:
        """The place of so many characters."""
        line = bisect_right(self.starts, start)
        return Span(self, line, start - self.starts[line - 1] + 1, width)


class Placed:
    """What has a place in a text, which is worked out when it is asked for."""

    __slots__ = ("source", "start", "width")

    def __init__(self, source: Text, start: int, width: int) -> None:
        self.source = source
        self.start = start
        self.width = width

    @property
    def span(self) -> Span:
        return self.source.span(self.start, self.width)


class Scalar(Placed):
    """A number, a word or a text."""

    __slots__ = ("kind", "text")

    def __init__(self, source: Text, start: int, width: int, kind: str, text: str) -> None:
        super().__init__(source, start, width)
        self.kind = kind
        self.text = text


class Message(Placed):
    """Fields by name, each with all its values; its place is that of its name."""

    __slots__ = ("fields", "name")

    def __init__(self, source: Text, start: int, width: int, name: str) -> None:
        super().__init__(source, start, width)
        self.name = name
        self.fields: dict[str, list[Scalar | Message]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self.fields

    def error(self, message: str, key: str = "", **further: Any) -> SpecError:
        """What is wrong with it, or with one of its fields."""
        where = self.fields[key][-1].span if self.fields.get(key) else self.span
        return error(message, where, **further)

    def check(self, known: frozenset[str] | set[str]) -> None:
        """Refuse fields of other names.

        Raises:
            SpecError: there is one.
        """
        for key in self.fields:
            if key not in known:
                help = did_you_mean(key, known, otherwise=f"it has {', '.join(sorted(known))}")
                raise self.error(f"{self.name or 'the network'} has no field {shorten(key)}", key, help=help)

    def scalars(self, key: str) -> list[Scalar]:
        """All values of a field.

        Raises:
            SpecError: one is a message.
        """
        found = self.fields.get(key, [])
        for one in found:
            if isinstance(one, Message):
                raise error(f"{key} is a value, not a message in braces", one.span)
        return [one for one in found if isinstance(one, Scalar)]

    def messages(self, key: str) -> list[Message]:
        """All values of a field that holds messages.

        Raises:
            SpecError: one is none.
        """
        found = self.fields.get(key, [])
        for one in found:
            if isinstance(one, Scalar):
                raise error(f"{key} is a message in braces, not a value", one.span, help=f"{key} {{ ... }}")
        return [one for one in found if isinstance(one, Message)]

    def message(self, key: str) -> Message:
        """A field that holds one message, which is empty where it is not there.

        Raises:
            SpecError: it is none, or appears twice.
        """
        found = self.messages(key)
        self._once(key)
        return found[0] if found else Message(self.source, self.start, self.width, key)

    def _once(self, key: str) -> None:
        found = self.fields.get(key, [])
        if len(found) > 1:
            first = [("it is given here first", found[0].span)]
            raise error(f"{key} appears twice in {self.name or 'the network'}", found[1].span, also=first)

    def _one(self, key: str) -> Scalar | None:
        found = self.scalars(key)
        self._once(key)
        return found[0] if found else None

    def text(self, key: str, default: str = "") -> str:
        """A text.

        Raises:
            SpecError: it is none.
        """
        found = self._one(key)
        return self._text(key, found) if found is not None else default

    def texts(self, key: str) -> list[str]:
        """All texts of a field.

        Raises:
            SpecError: one is none.
        """
        return [self._text(key, one) for one in self.scalars(key)]

    def _text(self, key: str, found: Scalar) -> str:
        if found.kind != "text":
            raise error(f"{key} is a string in quotes, not {shorten(found.text)}", found.span)
        return found.text

    def word(self, key: str, default: str, known: frozenset[str] | set[str]) -> str:
        """One of some words.

        Raises:
            SpecError: it is another.
        """
        found = self._one(key)
        if found is None:
            return default
        if found.kind != "word" or found.text not in known:
            listed = did_you_mean(found.text, known, otherwise=f"it is {' or '.join(sorted(known))}")
            raise error(f"there is no {key} {shorten(found.text)}", found.span, help=listed)
        return found.text

    def flag(self, key: str, default: bool) -> bool:
        """True or false.

        Raises:
            SpecError: it is neither.
        """
        found = self._one(key)
        if found is None:
            return default
        if found.text not in _FLAGS or found.kind == "text":
            raise error(f"{key} is true or false, not {shorten(found.text)}", found.span)
        return _FLAGS[found.text]

    def integer(self, key: str, default: int, least: int = -_INT) -> int:
        """A whole number.

        Raises:
            SpecError: it is none, or too small or large.
        """
        found = self._one(key)
        return _integer(key, found, least) if found is not None else default

    def integers(self, key: str, least: int = -_INT) -> list[int]:
        """All whole numbers of a field.

        Raises:
            SpecError: one is none, or too small or large.
        """
        return [_integer(key, one, least) for one in self.scalars(key)]

    def number(self, key: str, default: float) -> float:
        """A number.

        Raises:
            SpecError: it is none.
        """
        found = self._one(key)
        return _number(key, found) if found is not None else default

    def numbers(self, key: str) -> list[float]:
        """All numbers of a field.

        Raises:
            SpecError: one is none.
        """
        return [_number(key, one) for one in self.scalars(key)]


_FLAGS = {
    "true": True,
    "True": True,
    "t": True,
    "1": True,
    "false": False,
    "False": False,
    "f": False,
    "0": False,
}


def _integer(key: str, found: Scalar, least: int) -> int:
    if found.kind != "number" or not re.fullmatch(r"[+-]?[0-9]{1,19}", found.text):
        raise error(f"{key} is a whole number, not {shorten(found.text)}", found.span)
    value = int(found.text)
    if not least <= value <= _INT:
        bound = f"at least {least}" if value < least else f"at most {_INT:,}"
        raise error(f"{key} is {bound}, not {value:,}", found.span)
    return value


def _number(key: str, found: Scalar) -> float:
    try:
        value = float(found.text.rstrip("fF")) if found.kind == "number" else float("nan")
    except ValueError:
        value = float("nan")
    if not isfinite(value):
        raise error(f"{key} is a number, not {shorten(found.text)}", found.span)
    return value


def parse(source: Text) -> Message:
    """A text as a message.

    Raises:
        SpecError: it is none.
    """
    root = Message(source, 0, 1, "")
    stack: list[tuple[Message, str]] = [(root, "")]
    count = 0
    tokens = _tokens(source)
    for kind, start, text in tokens:
        inside, close = stack[-1]
        if kind == "mark" and text in ";," and inside.fields:
            continue
        if kind == "mark" and text == close:
            stack.pop()
            continue
        if kind != "word":
            closed = f", or {close} that closes {inside.name}" if close else ""
            raise error(
                f"expected a field name{closed} here, not {shorten(text)}", source.span(start, len(text))
            )
        count += 1
        if count > _FIELDS:
            raise error(
                f"it has more than {_FIELDS:,} fields, the most that are read", source.span(start, len(text))
            )
        values, opened = _values(source, tokens, text, start)
        inside.fields.setdefault(text, []).extend(values)
        count += max(len(values) - 1, 0)
        if opened:
            message = values[-1]
            assert isinstance(message, Message)
            stack.append((message, _CLOSES[opened]))
            if len(stack) > _DEPTH:
                raise error(f"messages are nested more than {_DEPTH} deep", message.span)
    if len(stack) > 1:
        inside, close = stack[-1]
        raise error(f"{inside.name} is not closed: the file ends before its {close}", inside.span)
    return root


def _values(
    source: Text, tokens: Iterator[tuple[str, int, str]], name: str, start: int
) -> tuple[list[Scalar | Message], str]:
    """What stands behind a field's name: its values, or a message that opens, and with what mark it does."""

    def following() -> tuple[str, int, str]:
        found = next(tokens, None)
        if found is None:
            raise error(f"the file ends after {shorten(name)}", source.span(start, len(name)))
        return found

    kind, at, text = following()
    colon = (kind, text) == ("mark", ":")
    if colon:
        kind, at, text = following()
    if kind == "mark" and text in _CLOSES:
        return [Message(source, start, len(name), name)], text
    if not colon:
        said = f"expected a colon or an opening brace after {shorten(name)}, not {shorten(text)}"
        raise error(said, source.span(at, len(text)))
    if (kind, text) != ("mark", "["):
        return [_scalar(source, kind, at, text)], ""
    values: list[Scalar | Message] = []
    while True:
        kind, at, text = following()
        if (kind, text) == ("mark", "]") and not values:
            return values, ""
        values.append(_scalar(source, kind, at, text))
        kind, at, text = following()
        if (kind, text) == ("mark", "]"):
            return values, ""
        if (kind, text) != ("mark", ","):
            raise error(f"expected a comma or ] here, not {shorten(text)}", source.span(at, len(text)))
        if len(values) > _FIELDS:
            raise error(f"it has more than {_FIELDS:,} values, the most that are read", source.span(at, 1))


def _scalar(source: Text, kind: str, start: int, text: str) -> Scalar:
    if kind == "mark":
        raise error(f"expected a value here, not {text}", source.span(start, 1))
    width = len(text)
    if kind == "text":
        text = text[1:-1].replace("\\'", "'").replace('\\"', '"')
    return Scalar(source, start, width, kind, text)


def _tokens(source: Text) -> Iterator[tuple[str, int, str]]:
    """Words, numbers, texts and marks, each with where it starts."""
    at = 0
    while found := _TOKEN.match(source.text, at):
        kind = found.lastgroup or ""
        text, at = found[kind], found.end()
        start = found.start(kind)
        if kind == "wrong":
            quote = text in "\"'"
            said = "this text has no closing quote" if quote else (f"{text} does not belong in such a file")
            raise error(said, source.span(start, 1))
        yield kind, start, text
