"""One layout for the text of a spec: ``archlens format``.

What is changed lies between the words: indentation, blanks, and how an expression is spaced. No word is
changed, moved or quoted otherwise, lines stay lines, and comments stay where they are. The tree of the result
is compared with that of the text before either is given away.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from ..errors import SpecError
from .document import Mapping, Node, Scalar, Sequence, compose
from .expression import Expression, parse_python
from .spec import Spec, parse

#: How much deeper a level is than the one around it.
_STEP = 2


def tidied(text: str, *, path: str | None = None) -> str:
    r"""The text of a spec in the one layout that it has.

    Args:
        text: YAML.
        path: what messages call the file.

    Raises:
        SpecError: the text is no spec, or has keys with a question mark, which have no layout.

    >>> tidied("input:   3x8x8\nlayers:\n- conv(8,3,padding = 1)>>relu  \n")
    'input: 3x8x8\nlayers:\n  - conv(8, 3, padding=1) >> relu\n'
    """
    spec = parse(text, path=path)
    source = spec.source
    root = compose(source)
    assert isinstance(root, Mapping)  # else it would be no spec
    expected: dict[int, str] = {}
    layout = _Layout(root, expected)
    layout.expressions(spec, root)
    layout.block(root, 0)
    result = layout.text()
    if not _same(root, compose(type(source)(source.name, result)), expected):
        raise root.error(
            "no layout of this file would keep its meaning",
            help=(
                "it is left unchanged; the cause is something unusual in it, such as a string that "
                "starts with |2"
            ),
        )
    return result


def _same(one: Node | None, other: Node | None, expected: dict[int, str]) -> bool:
    """Whether two trees say the same, but for the scalars whose new text is known, by where they stood."""
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return expected.get(one.index, one.value) == other.value and one.plain == other.plain
    if isinstance(one, Sequence) and isinstance(other, Sequence):
        return len(one.items) == len(other.items) and all(
            _same(a, b, expected) for a, b in zip(one.items, other.items, strict=True)
        )
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        pairs, others = list(one.items()), list(other.items())
        return len(pairs) == len(others) and all(
            _same(a, b, expected) and _same(x, y, expected)
            for (a, x), (b, y) in zip(pairs, others, strict=True)
        )
    return one is other is None


class _Edit(NamedTuple):
    """What replaces some characters of a line."""

    start: int
    stop: int
    text: str


class _Level(NamedTuple):
    """A group of lines that start in one column, and the column where they will."""

    first: int
    last: int
    old: int
    new: int


class _Layout:
    """The new places of what stands in a text; lines and columns count from 0."""

    def __init__(self, root: Mapping, expected: dict[int, str]) -> None:
        self.source = root.source
        self.lines = self.source.lines
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.expected = expected  # the scalars that will read otherwise, by where they stood
        self.edits: dict[int, list[_Edit]] = {}
        self.indents: dict[int, int] = {}
        self.under: dict[int, int] = {}  # lines that are aligned with what follows a bracket
        self.shifted: dict[int, int] = {}  # lines of a block text, by how much
        self.kept: set[int] = set()  # blank lines that say something
        self.ends: dict[int, int] = {}  # where on a line its last word ends
        self.levels: list[_Level] = []
        self.brackets: list[tuple[int, int]] = []

    # --- where things stand -------------------------------------------------------------------

    def line_of(self, index: int) -> int:
        return bisect_right(self.starts, index) - 1

    def column_of(self, index: int) -> int:
        return index - self.starts[self.line_of(index)]

    def leads(self, index: int) -> bool:
        """Whether nothing stands before it on its line."""
        return not self.source.text[self.starts[self.line_of(index)] : index].strip()

    def edit(self, start: int, stop: int, text: str) -> None:
        line = self.line_of(start)
        self.ends[line] = max(self.ends.get(line, 0), stop)
        if self.source.text[start:stop] != text:
            self.edits.setdefault(line, []).append(_Edit(start, stop, text))

    def last(self, node: Node) -> int:
        """The last line of a scalar, or of a list or mapping in brackets."""
        stop = node.end
        while stop > node.index and self.source.text[stop - 1].isspace():
            stop -= 1
        return self.line_of(max(stop - 1, node.index))

    # --- expressions --------------------------------------------------------------------------

    def expressions(self, spec: Spec, root: Mapping) -> None:
        """Space the expressions of a spec, and the signatures of its blocks."""
        text = self.source.text
        found: dict[int, tuple[Scalar, set[_Edit]]] = {}
        sections = [spec.params, spec.inputs, spec.blocks, spec.layers, spec.outputs, spec.variants]
        for one in _expressions(sections):
            stop = one.offset + len(one.text)
            if one.offset >= 0 and text[one.offset : stop] == one.text:  # which that of a signature is not
                found.setdefault(one.node.index, (one.node, set()))[1].add(
                    _Edit(one.offset, stop, spaced(one.text))
                )
        blocks = root.values.get("blocks")
        for key, _ in blocks.items() if isinstance(blocks, Mapping) else ():
            start = key.index + (0 if key.plain else 1)
            stop = start + len(key.value)
            if text[start:stop] == key.value:
                found[key.index] = key, {_Edit(start, stop, spaced(key.value))}
        for node, edits in found.values():
            start, value = node.index + (0 if node.plain else 1), node.value
            for edit in sorted(edits, reverse=True):
                value = value[: edit.start - start] + edit.text + value[edit.stop - start :]
                self.edit(*edit)
            self.expected[node.index] = value

    # --- blocks -------------------------------------------------------------------------------

    def block(self, node: Node, column: int) -> int:
        """Lay out a list or a mapping over lines of its own; the last of them."""
        old, first = node.column - 1, node.line - 1
        last = self.mapping(node, column) if isinstance(node, Mapping) else self.sequence(node, column)
        self.levels.append(_Level(first, last, old, column))
        return last

    def mapping(self, node: Mapping, column: int) -> int:
        last = node.line - 1
        for number, (key, value) in enumerate(node.items()):
            line = key.line - 1
            if self.leads(key.index):
                self.indents[line] = column
            elif number or not re.fullmatch(r"\s*(- +)+", self.lines[line][: key.column - 1]):
                raise _unusual(key)
            last = self.behind(value, self.colon(key), column)
        return last

    def colon(self, key: Scalar) -> int:
        """Where the colon behind a key ends, which stands right behind it."""
        colon = re.compile(r"[ \t]*:").match(self.source.text, key.end)
        if colon is None:
            raise _unusual(key)
        self.edit(key.end, colon.end(), ":")
        return colon.end()

    def sequence(self, node: Node, column: int) -> int:
        assert isinstance(node, Sequence)
        last = node.line - 1
        dash = node.column - 1
        for number, item in enumerate(node.items):
            line = item.line - 1
            while not self.dashed(line, dash, first=not number):
                line -= 1
            if not self.lines[line][:dash].strip():
                self.indents[line] = column
            last = max(self.behind(item, self.starts[line] + dash + 1, column), line)
        return last

    def dashed(self, line: int, dash: int, *, first: bool) -> bool:
        """Whether an item of a list starts on a line; the first may stand behind another dash."""
        before, behind = self.lines[line][:dash], self.lines[line][dash:]
        return re.match(r"-(\s|$)", behind) is not None and (first or not before.strip())

    def behind(self, node: Node, stop: int, column: int) -> int:
        """Lay out what stands behind a colon or a dash; the last line of it."""
        line = self.line_of(stop)
        self.ends[line] = max(self.ends.get(line, 0), stop)
        inside = column + _STEP
        if isinstance(node, Scalar) and node.end <= node.index:  # nothing
            return line
        if node.line - 1 == line:
            self.edit(stop, node.index, " ")
            after_dash = self.source.text[stop - 1] == "-"
            base = inside if after_dash else column
        else:
            self.indents[node.line - 1] = base = inside
        if isinstance(node, Scalar):
            return self.scalar(node, column)
        if self.in_brackets(node):
            return self.flow(node, base)
        return self.block(node, inside)

    def scalar(self, node: Scalar, column: int) -> int:
        """A text; where it goes on, it is deeper than what it belongs to."""
        first, last = node.line - 1, self.last(node)
        header = self.lines[first][node.column - 1 :]
        if node.plain or node.in_flow or header[0] not in "|>":
            self.ends[last] = max(self.ends.get(last, 0), node.end)
            shift = self.indents.get(first, 0) - _indent(self.lines[first])
            for line in range(first + 1, last + 1):
                self.kept.add(line)
                if self.lines[line].strip():  # what goes on beneath a bracket stays there
                    self.indents[line] = max(column + _STEP, _indent(self.lines[line]) + shift)
            return last
        marks = header.split()[0]
        if "+" in marks:
            last = max(self.line_of(node.end) - 1, first)
        old = next((_indent(line) for line in self.lines[first + 1 : last + 1] if line.strip()), 0)
        shift = 0 if re.search(r"\d", marks) else column + _STEP - old
        self.shifted.update(dict.fromkeys(range(first + 1, last + 1), shift))
        self.ends[first] = max(self.ends.get(first, 0), node.index + len(marks))
        return last

    # --- brackets -----------------------------------------------------------------------------

    def in_brackets(self, node: Node) -> bool:
        return self.source.text[node.index] in "[{"

    def flow(self, node: Node, column: int) -> int:
        """Lay out a list or a mapping in brackets: blanks within a line, and where further lines start."""
        first, last = node.line - 1, self.last(node)
        self.brackets = []
        self.within(node, first == last)
        for line in range(first + 1, last + 1):
            text = self.lines[line]
            if not text.strip() or line in self.indents or line in self.kept:
                continue
            index = self.starts[line] + _indent(text)
            around = [pair for pair in self.brackets if pair[0] < index < pair[1] - 1]
            inner = max(around, default=(0, 0))
            closes = any(index == stop - 1 for _, stop in self.brackets)
            aligned = self.column_of(index) == self.column_of(inner[0]) + 1
            if around and aligned and not closes and self.source.text[inner[0] + 1] not in " \n#":
                self.under[line] = inner[0]
            else:
                self.indents[line] = column + _STEP * len({self.line_of(start) for start, _ in around})
        return last

    def within(self, node: Node, short: bool) -> int:
        """The blanks of a value in brackets; where it ends. On a single line there is one way for all."""
        text = self.source.text
        if isinstance(node, Scalar):
            last = self.last(node)
            self.ends[last] = max(self.ends.get(last, 0), node.end)
            self.kept.update(range(node.line, last + 1))
            for line in range(node.line, last + 1):
                self.indents[line] = _indent(self.lines[line])
            return node.end
        bracket = self.in_brackets(node)
        stop = node.index + bracket
        pairs = list(node.items()) if isinstance(node, Mapping) else [(one, None) for one in _items(node)]
        for number, (one, value) in enumerate(pairs):
            if bracket or number:
                self.gap(stop, one.index, ", " if number else "", short)
            stop = self.within(one, short)
            if value is not None:
                empty = isinstance(value, Scalar) and value.end <= value.index
                gap = text[stop : value.index]
                if gap.strip() == ":":
                    blank = "" if empty else " " if short else gap.partition(":")[2] or " "
                    self.edit(stop, value.index, f":{blank}")
                stop = max(self.within(value, short), value.index)
        if not bracket:
            return stop
        self.gap(stop, node.end - 1, "", short)
        self.brackets.append((node.index, node.end))
        line = self.line_of(node.end - 1)
        self.ends[line] = max(self.ends.get(line, 0), node.end)
        return node.end

    def gap(self, start: int, stop: int, wanted: str, short: bool) -> None:
        """What stands between two values, if that is no more than blanks and a comma."""
        gap = self.source.text[start:stop]
        if gap.strip(" \t") != wanted.strip():
            return
        if not short:  # the columns of a table stay under each other
            wanted = wanted.rstrip() + (gap.partition(",")[2] or wanted[1:] if wanted else gap)
        self.edit(start, stop, wanted)

    # --- the result ---------------------------------------------------------------------------

    def text(self) -> str:
        out: list[str] = []
        columns: dict[int, int] = {}  # the new columns of brackets
        for number, line in enumerate(self.lines):
            if number in self.shifted:
                out.append(_shift(line, self.shifted[number]))
                continue
            if not line.strip():
                if number in self.kept or (out and out[-1]):
                    out.append("")
                continue
            indent = self.indent(number, columns)
            code, comment, at = self.parts(number, indent, columns)
            if comment:
                at += indent - _indent(line)
                blanks = max(at - len(code), 2) if code.strip() else indent - len(code)
                code += " " * blanks + comment
            out.append(code.rstrip())
        while out and not out[-1] and len(self.lines) - 1 not in self.shifted:
            out.pop()
        return "\n".join(out).lstrip("\n") + "\n"

    def indent(self, number: int, columns: dict[int, int]) -> int:
        """The new column of the first word of a line."""
        if number in self.under:
            return columns[self.under[number]] + 1
        if number in self.indents:
            return self.indents[number]
        line = self.lines[number]
        return self.beside(number) if line.lstrip().startswith("#") else _indent(line)

    def beside(self, number: int) -> int:
        """The column of a comment that stands alone: that of the level that it belonged to."""
        old = _indent(self.lines[number])
        below = next((n for n in range(number + 1, len(self.lines)) if n in self.indents), -1)
        above = next((n for n in range(number - 1, -1, -1) if n in self.indents or n in self.ends), -1)
        over = _indent(self.lines[below]) if below >= 0 else 0
        next_ = [one for one in self.levels if one.first <= below <= one.last]
        found = [
            one for one in next_ if one.first < below or one.old == over
        ]  # what follows a dash does not count
        found += [one for one in self.levels if one.first <= above <= one.last]
        fitting = [one for one in found if one.old <= old]
        if not fitting:
            return self.indents.get(below, 0)
        return max(fitting, key=lambda one: (one.old, one in next_, one.first)).new

    def parts(self, number: int, indent: int, columns: dict[int, int]) -> tuple[str, str, int]:
        """A line without its comment, the comment, and the column that it started in."""
        line, start = self.lines[number], self.starts[number]
        stop = max(self.ends.get(number, start) - start, 0)
        comment = re.compile(r"[ \t,\]}]*?(?<!\S)(#.*)").match(line, stop)
        at = comment.start(1) if comment else len(line)
        new, done = " " * indent, _indent(line)
        for one in sorted(self.edits.get(number, [])):
            new = self.copied(new, number, done, one.start - start, columns) + one.text
            done = one.stop - start
        new = self.copied(new, number, done, max(at, done), columns)
        return new.rstrip(), line[at:].rstrip(), at

    def copied(self, new: str, number: int, done: int, stop: int, columns: dict[int, int]) -> str:
        """A new line so far, and what stays as it is of the old one; notes where brackets come to stand."""
        start = self.starts[number]
        for index in self.under.values():
            if done <= index - start < stop:
                columns[index] = len(new) + index - start - done
        return new + self.lines[number][done:stop]


def _items(node: Node) -> list[Node]:
    assert isinstance(node, Sequence)
    return node.items


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _shift(line: str, by: int) -> str:
    if not line.strip():
        return line[-by:] if by < 0 else line and " " * by + line
    return " " * by + line if by >= 0 else line[min(-by, _indent(line)) :]


def _unusual(key: Scalar) -> SpecError:
    return key.error(
        "this key has no layout",
        help="a key is written on one line, with its colon right after it: name: value",
    )


def _expressions(part: Any) -> Iterator[Expression]:
    """All expressions in the records of a spec."""
    if isinstance(part, Expression):
        yield part
    elif isinstance(part, dict):
        for one in part.values():
            yield from _expressions(one)
    elif isinstance(part, list | tuple):
        for one in part:
            yield from _expressions(one)
    elif is_dataclass(part) and not isinstance(part, Node):
        for field in fields(part):
            yield from _expressions(getattr(part, field.name))


#: What opens and what closes, and the words that stand between operands.
_OPENS, _CLOSES = ("(", "[", "{"), (")", "]", "}")
_WORDS = ("and", "or", "not", "in", "is", "if", "else", "lambda")


def spaced(text: str) -> str:
    """An expression with its blanks as Python code has them; as it is where that would change it.

    >>> spaced("conv( 2*n,3 ,padding = 1)>>relu")
    'conv(2 * n, 3, padding=1) >> relu'
    """
    try:
        found = [one for one in tokenize.generate_tokens(io.StringIO(text).readline) if one.string.strip()]
    except (tokenize.TokenError, SyntaxError):
        return text
    words = [one.string for one in found]
    if not words or any(one.start[0] != 1 for one in found):
        return text
    unary = [_is_unary(before, word) for before, word in pairwise(["", *words])]
    depth = 0
    new = words[0]
    for number, (before, word) in enumerate(pairwise(words), 1):
        depth += before in _OPENS
        depth -= before in _CLOSES
        new += _between(before, word, unary[number - 1], depth) + word
    return new if new == text or _tree(new) == _tree(text) else text


def _is_unary(before: str, word: str) -> bool:
    """Whether an operator stands before its only operand."""
    if word not in ("+", "-", "~"):
        return False
    return before in _WORDS or not _is_operand(before)


def _is_operand(word: str) -> bool:
    """Whether a word is, or ends, what an operator is applied to."""
    return bool(word) and (word[-1].isalnum() or word[-1] in "_)]}'\"")


def _between(before: str, word: str, unary: bool, depth: int) -> str:
    if unary or before in _OPENS or word in _CLOSES or word == "," or "." in (before, word):
        return ""
    if before == ",":
        return " "
    if ":" in (before, word) or (depth and "=" in (before, word)):
        return ""
    if word in ("(", "[") and _is_operand(before) and before not in _WORDS:
        return ""
    return " "


def _tree(text: str) -> str | None:
    try:
        return ast.dump(parse_python(text, "eval"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
