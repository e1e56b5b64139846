"""Python text, laid out as ``ruff format`` leaves it: brackets that open over lines, literals, names.

Knows nothing of networks or torch. What comes from a spec passes through :func:`quoted`, :func:`word` or
:func:`prose`, so that it is a text, a name or a comment in the result and never code.
"""

from __future__ import annotations

import builtins
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword
from math import inf
from typing import Any, NamedTuple

from .own import own_modules

#: Columns of a line, as in the modules that are copied.
WIDTH = 110


class Item(NamedTuple):
    """One of the things between brackets, and what is said beside it."""

    piece: Piece
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Brackets:
    """Things between brackets: a call, a list, a dict, a comprehension."""

    #: All that stands before the first item: ``nn.Conv2d(``.
    opening: str
    items: tuple[Item, ...]
    closing: str
    #: The arguments of a call may share the line after the bracket; other things get a line each.
    call: bool = True
    #: The clauses of a comprehension have no commas.
    comma: bool = True


Piece = str | Brackets


def call(function: str, items: Iterable[Piece | Item]) -> Piece:
    """``function(items)``."""
    listed = tuple(item if isinstance(item, Item) else Item(item) for item in items)
    return Brackets(f"{function}(", listed, ")") if listed else f"{function}()"


def bracketed(opening: str, items: Iterable[Piece | Item], closing: str, *, comma: bool = True) -> Piece:
    """A list, tuple or dict; or a comprehension, which has no commas."""
    listed = tuple(item if isinstance(item, Item) else Item(item) for item in items)
    return Brackets(opening, listed, closing, call=False, comma=comma) if listed else opening + closing


def before(text: str, piece: Piece) -> Piece:
    """A piece with a text before it: ``padding=`` before ``(1, 2)``."""
    return text + piece if isinstance(piece, str) else replace(piece, opening=text + piece.opening)


def one_line(piece: Piece, room: int = WIDTH) -> str | None:
    """A piece on one line; ``None`` where it is longer than the room, or a comment forbids it."""
    if isinstance(piece, str):
        return piece
    words = []
    left = room - len(piece.opening) - len(piece.closing)
    for item in piece.items:
        text = None if item.comment or left < 0 else one_line(item.piece, left)
        if text is None:
            return None
        left -= len(text)
        words.append(text)
    line = f"{piece.opening}{(', ' if piece.comma else ' ').join(words)}{piece.closing}"
    return line if len(line) <= room else None


def lines_of(piece: Piece, indent: int = 0, after: str = "", comment: str = "") -> list[str]:
    """A piece as lines: on one if it fits, else with its outer brackets opened."""
    margin = " " * indent
    flat = one_line(piece, WIDTH - indent - len(after))
    if flat is not None or isinstance(piece, str):
        return [commented(f"{margin}{flat}{after}", comment)]
    lines = [f"{margin}{piece.opening}"]
    inner = indent + 4
    words = [None if item.comment else one_line(item.piece) for item in piece.items] if piece.call else [None]
    together = ", ".join(word for word in words if word is not None)
    if None not in words and inner + len(together) <= WIDTH:
        lines.append(" " * inner + together)
    else:
        alone = piece.call and len(piece.items) == 1 and not piece.items[0].comment
        for item in piece.items:
            comma = "," if piece.comma and not (alone and isinstance(item.piece, Brackets)) else ""
            lines += lines_of(item.piece, inner, comma, item.comment)
    return [*lines, commented(f"{margin}{piece.closing}{after}", comment)]


def assigned(names: Sequence[str], piece: Piece, indent: int, comment: str) -> list[str]:
    """A piece under names; a line for each of these where they leave no room for it, and none is no name."""
    target = f"{', '.join(names)} = " if names else ""
    lines = lines_of(before(target, piece), indent, comment=comment)
    if len(names) < 2 or len(lines[0]) <= WIDTH:
        return lines
    margin = " " * indent
    listed = [f"{margin}    {name}," for name in names]
    return [f"{margin}(", *listed, *lines_of(before(") = ", piece), indent, comment=comment)]


def commented(line: str, comment: str) -> str:
    """A line with a comment, unless there is no room for it."""
    full = f"{line}  # {comment}"
    return full if comment and len(full) <= WIDTH else line


# --- values -------------------------------------------------------------------------------------


def literal(value: Any) -> Piece:
    """A value as code: numbers, truth, texts, and tuples of them."""
    if isinstance(value, tuple | list):
        if len(value) == 1:
            inner = one_line(literal(value[0]))
            return f"({inner},)"
        return bracketed("(", map(literal, value), ")")
    if isinstance(value, str):
        return quoted(value)
    assert value is None or isinstance(value, int | float)
    if value in (inf, -inf):
        return f'float("{value}")'
    return re.sub(r"e([+-])0", r"e\1", repr(value))  # 1e-6


def quoted(text: str) -> str:
    r"""A text as a literal, in double quotes unless that takes more backslashes.

    >>> print(quoted("conv1"), quoted('say "x"'), quoted("\\n"))
    "conv1" 'say "x"' "\\n"
    """
    mark = "'" if text.count('"') > text.count("'") else '"'
    body = "".join(f"\\{c}" if c in ("\\", mark) else c if c.isprintable() else repr(c)[1:-1] for c in text)
    return f"{mark}{body}{mark}"


def prose(text: str) -> str:
    """A text on one line that can stand in a comment or a docstring."""
    line = " ".join(text.split())
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    return shown.replace("\\", "\\\\").replace('"', "'")


def docstring(paragraphs: Sequence[str], indent: int = 0) -> list[str]:
    """Paragraphs of :func:`prose` as a docstring."""
    margin = " " * indent
    if len(paragraphs) == 1 and len(paragraphs[0]) + indent + 6 <= WIDTH:
        return [f'{margin}"""{paragraphs[0]}"""']
    lines = []
    for paragraph in paragraphs:
        lines += [
            "",
            *textwrap.wrap(paragraph, WIDTH - indent - 6, break_long_words=False, break_on_hyphens=False),
        ]
    first, *rest = lines[1:]
    return [f'{margin}"""{first}', *(f"{margin}{line}".rstrip() for line in rest), f'{margin}"""']


# --- names --------------------------------------------------------------------------------------

#: What a local name must not hide: what the text around it uses.
_TAKEN = frozenset({"self", "i", "layer", "torch", "nn", "F", "prod", *dir(builtins)})


def word(text: str, *, lower: bool = True) -> str:
    """A text as the name of a variable: ``word("Conv-1") == "conv_1"``."""
    name = re.sub(r"[^0-9A-Za-z]+", "_", text.lower() if lower else text).strip("_")
    name = f"x{name}" if not name or name[0].isdigit() else name
    return f"{name}_" if iskeyword(name) or name in _TAKEN or name in own_modules() else name


def title(text: str, otherwise: str) -> str:
    """A text as the name of a class: ``title("dense_layer", "Block") == "DenseLayer"``."""
    parts = [part for part in re.split(r"[^0-9A-Za-z]+", text) if part]
    name = ""
    for part in parts:
        between = "_" if name and name[-1].isdigit() and part[0].isdigit() else ""
        name += between + part[0].upper() + part[1:]
    if not name or name[0].isdigit():
        name = otherwise + name
    return f"{name}Block" if iskeyword(name) or name in _TAKEN else name


def is_attribute(name: str) -> bool:
    """Whether ``self.<name>`` means an attribute of exactly that name, within a class too."""
    return (
        name.isidentifier()
        and not iskeyword(name)
        and not name.startswith("__")
        and unicodedata.normalize("NFKC", name) == name
    )


def unique(name: str, taken: Iterable[str]) -> str:
    """The name, or with the first number behind it that makes it new."""
    taken = taken if isinstance(taken, set | frozenset | dict) else set(taken)
    found, count = name, 1
    while found in taken:
        count += 1
        found = numbered(name, count)
    return found


def counting(first: int, stop: int, step: int = 1) -> str:
    """``range(first, stop, step)``, as short as it can be."""
    if step > 1:
        return f"range({first}, {stop}, {step})"
    return f"range({first}, {stop})" if first else f"range({stop})"


def numbered(name: str, count: int) -> str:
    """A name with a number behind it."""
    return f"{name}_{count}" if name[-1].isdigit() else f"{name}{count}"
