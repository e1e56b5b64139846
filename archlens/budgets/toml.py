"""TOML with the place of each key. ``tomllib`` says what a file means, and not where.

The text has been read by ``tomllib`` before it is scanned here, so that only what is valid is met.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import Source, Span, usage

#: The way to a value: the keys of the tables that it lies in, and its own.
Path = tuple[str, ...]


class Places(NamedTuple):
    """Where the keys and the values of a document stand; a table stands at its header."""

    keys: dict[Path, Span]
    values: dict[Path, Span]

    def of(self, path: Path) -> Span | None:
        """Where a value stands, or its key; or else what it lies in."""
        while path:
            if path in self.values or path in self.keys:
                return self.values.get(path) or self.keys[path]
            path = path[:-1]
        return None


def read(source: Source) -> tuple[dict[str, Any], Places]:
    """A document, and where its keys and values stand.

    Raises:
        UsageError: it is not valid TOML.
    """
    import tomllib  # many projects have no budgets

    try:
        data = tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        message = str(problem) or "it is nested too deep"
        found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", message)
        span = None
        if found:
            end = (len(source.lines), len(source.lines[-1]) + 1)
            line, column = (int(found[1]), int(found[2])) if found[1] else end
            span = Span(source, line, column)
            message = message[: found.start()]
        raise usage(f"{source.name} is not valid TOML: {message}", span=span) from None
    return data, _Scanner(source).run()


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_TEXT = re.compile(
    r'"""(?:[^\\]|\\[\s\S])*?"""+|\'\'\'[\s\S]*?\'\'\'+|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'|[^,\]}#\n]+'
)


class _Scanner:
    """Walks over a valid document once, from its start to its end."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.at = 0
        self.line = 1
        self.start = 0  # of the line
        self.places = Places({}, {})
        #: How many tables an array of tables has so far.
        self.arrays: dict[Path, int] = {}

    def run(self) -> Places:
        table: Path = ()
        self.skip(_BLANK)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
            self.skip(_BLANK)
        return self.places

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found is not None, self.text[self.at : self.at + 20]
        self.at = found.end()
        return found[0]

    def span(self, start: int) -> Span:
        """From an earlier place to here, or to the end of its line."""
        if start < self.start or self.text.find("\n", self.start, start) >= 0:
            self.line, self.start = self.text.count("\n", 0, start) + 1, self.text.rfind("\n", 0, start) + 1
        stop = self.text.find("\n", start, self.at)
        return Span(self.source, self.line, start - self.start + 1, (self.at if stop < 0 else stop) - start)

    def key(self, table: Path) -> Path:
        """A key, dotted or not, under a table; each of its parts is noted."""
        path = table
        while True:
            self.skip(_SPACE)
            start = self.at
            written = self.skip(_KEY)
            quoted = written[0] in "\"'"
            path = (*path, _unquoted(written) if quoted else written)
            self.places.keys.setdefault(path, self.span(start))
            self.skip(_SPACE)
            if self.text[self.at : self.at + 1] != ".":
                return path
            self.at += 1

    def header(self) -> Path:
        array = self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        path = self.key(())
        self.at += 2 if array else 1
        if array:
            self.arrays[path] = self.arrays.get(path, -1) + 1
            path = (*path, str(self.arrays[path]))
        return path

    def pair(self, table: Path) -> None:
        path = self.key(table)
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        self.value(path)

    def value(self, path: Path) -> None:
        start = self.at
        opening = self.text[start]
        if opening == "[":
            self.items(path, "]")
        elif opening == "{":
            self.items(path, "}")
        else:
            written = self.skip(_TEXT)
            self.at -= len(written) - len(written.rstrip())
        self.places.values[path] = self.span(start)

    def items(self, path: Path, closing: str) -> None:
        """The items of an array, under their numbers, or the pairs of an inline table."""
        self.at += 1
        number = 0
        self.skip(_BLANK)
        while self.text[self.at] != closing:
            if closing == "}":
                self.pair(path)
            else:
                self.value((*path, str(number)))
            number += 1
            self.skip(_BLANK)
            if self.text[self.at] == ",":
                self.at += 1
                self.skip(_BLANK)
        self.at += 1


def _unquoted(written: str) -> str:
    """What a key in quotes says."""
    import tomllib

    return next(iter(tomllib.loads(f"{written}=0")))


def quoted(text: str) -> str:
    """A text as TOML writes it."""
    escapes = {'"': '\\"', "\\": "\\\\"}
    shown = "".join(
        escapes.get(c, c)
        if c.isprintable()
        else f"\\u{ord(c):04x}"
        if ord(c) < 0x10000
        else f"\\U{ord(c):08x}"
        for c in text
    )
    return f'"{shown}"'


def key(words: Sequence[str]) -> str:
    """A dotted key; words that TOML does not take bare are quoted."""
    return ".".join(w if re.fullmatch(r"[A-Za-z0-9_-]+", w) else quoted(w) for w in words)
