"""Text in lines that fit a terminal: broken between words, and within a word only where it must be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

#: What separates words, but for a number and its unit.
_BLANK = re.compile(r"(?<!\d)\s+|\s+(?!(?:[kMGT]?B|[kMGT%])(?![\w=(/-]))")

#: What is never broken: a number, with all that belongs to it, and else a single character.
_NUMBER = re.compile(r"\d+(?:[.,x:]\d+)*(?:e[+-]?\d+)?")
_PIECE = re.compile(rf"{_NUMBER.pattern}|.", re.DOTALL)

#: Behind what a name that has to be broken is broken first.
_MARKS = frozenset("._-/:")


def cells_of(text: str) -> int:
    """How many columns a terminal gives the text."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def _cells(c: str) -> int:
    return 0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1


def longest_word(text: str) -> int:
    """The columns of the longest piece that is broken nowhere if it need not be."""
    return max((cells_of(word) for _, word in _words(text)), default=0)


def longest_number(text: str) -> int:
    """The columns of the longest piece that is never broken."""
    return max(map(len, _NUMBER.findall(text)), default=0)


def wrapped(text: str, width: int | None, *, lead: str = "", within: bool = False) -> list[str]:
    """Text in lines of at most so many columns, one if it is empty; a longer word has a line of its own.

    Args:
        text: what is wrapped, at blanks, and between characters of two columns, which have none.
        width: the columns; ``None`` does not wrap.
        lead: what the first line starts with; all others are indented by as much, if their words fit there.
        within: whether longer words are broken, too: behind the last dot, underscore or other mark that
            fits, or else anywhere; but not within a number.
    """
    indent = cells_of(lead)
    if width is None or indent + cells_of(text) <= width:
        return [lead + text]
    if not within and indent + longest_word(text) > width:
        indent = min(indent, 2)
    hang = " " * indent
    lines: list[str] = []
    line, used = lead, cells_of(lead)
    for gap, word in _words(text):
        gap = gap if line.strip() and line != lead else ""
        size = cells_of(word)
        if used + len(gap) + size > width:
            if line.strip():
                lines.append(line.rstrip())
            *parts, word = _broken(word, max(width - indent, 1)) if within else [word]
            lines += [hang + part for part in parts]
            line, used, gap, size = hang, indent, "", cells_of(word)
        line += gap + word
        used += len(gap) + size
    return [*lines, line.rstrip()]


def _words(text: str) -> Iterator[tuple[str, str]]:
    """The words of a text, each with the blank before it; a text of wide characters may end anywhere."""
    for word in _BLANK.split(text.strip()):
        gap = " "
        if not word.isascii():
            start = 0
            for at in range(1, len(word)):
                if _may_end(word[at - 1], word[at]):
                    yield gap, word[start:at]
                    gap, start = "", at
            word = word[start:]
        yield gap, word


def _may_end(before: str, after: str) -> bool:
    """Whether a line may end between two characters: both are wide, and no bracket or stop is torn off."""
    if _cells(before) < 2 or _cells(after) < 2:
        return False
    return unicodedata.category(before) != "Ps" and unicodedata.category(after) not in ("Pe", "Po", "Lm")


def _broken(word: str, width: int) -> list[str]:
    parts: list[str] = []
    part, used, mark = "", 0, 0
    for piece in _PIECE.findall(word):
        size = cells_of(piece)
        if part and used + size > width:
            stop = mark or len(part)
            parts.append(part[:stop])
            part, mark = part[stop:], 0
            used = cells_of(part)
            if part and used + size > width:  # what is behind the mark is as long again with this piece
                parts.append(part)
                part, used = "", 0
        part += piece
        used += size
        if piece in _MARKS:
            mark = len(part)
    return [*parts, part]
