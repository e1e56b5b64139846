"""YAML as a tree with positions.

The tree is built from the C parser's events rather than composed by PyYAML, so that depth and size are
bounded before anything is recursed into, and duplicate keys, aliases and tags are seen. No scalar is
interpreted: ``no``, ``1:30`` and ``0x10`` stay the text that was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ..errors import Source, Span, SpecError, did_you_mean, error, shorten

try:
    from yaml import CSafeLoader as Loader
except ImportError:  # pragma: no cover  # PyYAML built without libyaml
    from yaml import SafeLoader as Loader  # type: ignore[assignment]

#: Bounds on a document: a spec of a real network has a few hundred nodes, nested some ten deep.
MAX_DEPTH = 60
MAX_NODES = 200_000


@dataclass(slots=True, eq=False)
class Node:
    """A piece of a document and its place."""

    source: Source
    line: int
    column: int
    index: int
    end: int

    @property
    def span(self) -> Span:
        """Its place, up to the end of its first line."""
        stop = self.source.text.find("\n", self.index, self.end)
        width = (self.end if stop < 0 else stop) - self.index
        return Span(self.source, self.line, self.column, max(width, 1))

    def error(self, message: str, *, help: str = "", notes: Iterable[str] = ()) -> SpecError:
        """A diagnostic that points here."""
        return error(message, self.span, help=help, notes=notes)


@dataclass(slots=True, eq=False)
class Scalar(Node):
    """A word or a line of text, as written."""

    value: str
    plain: bool
    in_flow: bool

    @property
    def empty(self) -> bool:
        """Whether nothing is given: no text at all, ``~`` or ``null``."""
        return self.plain and self.value in ("", "~", "null", "Null", "NULL")


@dataclass(slots=True, eq=False)
class Sequence(Node):
    """A list."""

    items: list[Node]
    in_flow: bool


@dataclass(slots=True, eq=False)
class Mapping(Node):
    """Keys and values, in the order written; no key appears twice."""

    keys: dict[str, Scalar]
    values: dict[str, Node]

    def items(self) -> Iterator[tuple[Scalar, Node]]:
        for name, key in self.keys.items():
            yield key, self.values[name]


def compose(source: Source) -> Node | None:
    """The tree of a YAML text; ``None`` where it holds nothing.

    Raises:
        SpecError: it is no YAML, or holds what the language has no use for.
    """
    try:
        return _Composer(source, Loader(source.text).get_event).document()
    except yaml.MarkedYAMLError as problem:
        raise _broken(source, problem) from None
    except UnicodeEncodeError as problem:
        where = source.text[: problem.start]
        raise error(
            f"the file is not text: it holds half a character, U+{ord(source.text[problem.start]):04X}",
            Span(source, where.count("\n") + 1, len(where) - where.rfind("\n")),
            help="a spec is a UTF-8 text file in YAML",
        ) from None
    except yaml.reader.ReaderError as problem:
        where = source.text[: problem.position if isinstance(problem.position, int) else 0]
        span = Span(source, where.count("\n") + 1, len(where) - where.rfind("\n"))
        character = problem.character
        code = ord(character) if isinstance(character, str) else int(character or 0)
        raise error(
            f"the file is not text: it holds the control character U+{code:04X}",
            span,
            help="a spec is a UTF-8 text file in YAML",
        ) from None


#: The lines that git puts around what it could not merge.
_CONFLICT = re.compile(r"^(<{7}|>{7})( .*)?$", re.MULTILINE)


def _broken(source: Source, problem: yaml.MarkedYAMLError) -> SpecError:
    mark = problem.problem_mark or problem.context_mark
    text = source.text
    conflict = _CONFLICT.search(text)
    if conflict is not None:
        return error(
            "a merge left a conflict here",
            Span(source, text.count("\n", 0, conflict.start()) + 1, 1, len(conflict[0])),
            help="keep the lines that you want, and remove those with <<<<<<<, ======= and >>>>>>>",
        )
    unclosed = ""
    if mark is not None and problem.context_mark is not None and not text[mark.index :].strip():
        # what is missing at the end of the file was opened where the context starts
        mark = problem.context_mark
        unclosed = text[mark.index : mark.index + 1]
    span = None
    notes = [f"YAML: {problem.context}"] if problem.context else []
    help = ""
    if mark is not None:
        line = min(mark.line, len(source.lines) - 1)
        column = mark.column if line == mark.line else len(source.lines[line])
        span = Span(source, line + 1, column + 1)
        content = source.lines[line]
        if unclosed in ("[", "{", '"', "'"):
            help = f"this {unclosed} is never closed"
        elif "\t" in content[: len(content) - len(content.lstrip())] or content[column : column + 1] == "\t":
            help = "YAML is indented with spaces; replace the tab"
        elif "mapping values are not allowed" in str(problem.problem):
            help = "a second colon in one line: put the value in quotes, or on lines of its own"
        elif content[column : column + 1] == "[" and "flow" in str(problem.context):
            help = 'within [...] an index needs quotes: ["depths[0]", 64]; or put the whole list in quotes'
        elif content[column : column + 1] in ("]", "}"):
            help = f"this {content[column]} closes nothing"
        elif problem.context_mark is not None and "flow" in str(problem.context):
            help = f"a bracket that is opened on line {problem.context_mark.line + 1} is not closed here"
        elif "block scalar" in str(problem.context):
            rest = content[mark.column - 1 :] if content[mark.column - 1 : mark.column] in (">", "|") else ""
            help = f'put the text in quotes: "{rest.strip()}"' if rest else "put the text in quotes"
        elif content[:column].rstrip().endswith(("]", "}")) and content[column : column + 3] == "if ":
            help = (
                "a condition belongs in a step, not after a list: concat: [conv(8, 3) if wide else none, "
                "identity]"
            )
        elif "block" in str(problem.context):
            help = "what belongs together starts in the same column; a string with quotes in it needs quotes"
        elif "cannot start any token" in str(problem.problem):
            help = "put text that starts with this character in quotes"
        elif "escape" in str(problem.problem):
            help = "within double quotes a backslash starts an escape; within single quotes it does not"
    return error(f"this is not valid YAML: {problem.problem}", span, notes=notes, help=help)


#: The events that end a list and a mapping.
_END: tuple[Any, Any] = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


#: What the language has in place of anchors and aliases.
_INSTEAD = "write it once as a param or a block, and use its name"


class _Composer:
    """Builds the tree of one document, event by event."""

    def __init__(self, source: Source, next_event: Callable[[], Any]) -> None:
        self.source = source
        self.next = next_event
        self.count = 0

    def document(self) -> Node | None:
        self.next()  # the start of the stream
        event = self.next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        root = self.node(self.next(), 0, False)
        self.next()  # the end of the document
        event = self.next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise self.error(
                event,
                "a spec is one YAML document, but a second one starts here",
                help="remove what follows, or move it to a file of its own",
                width=3 if event.explicit else 1,
            )
        return root

    def error(self, event: Any, message: str, help: str = "", width: int = 1) -> SpecError:
        mark = event.start_mark
        return error(message, Span(self.source, mark.line + 1, mark.column + 1, width), help=help)

    def node(self, event: Any, depth: int, in_flow: bool) -> Node:
        self.count += 1
        kind = type(event)
        if depth > MAX_DEPTH or self.count > MAX_NODES:
            raise self.too_much(event, depth)
        if kind is yaml.AliasEvent or event.anchor is not None or event.tag not in (None, "!"):
            raise self.refused(event)
        start = event.start_mark
        place = (self.source, start.line + 1, start.column + 1, start.index)
        if kind is yaml.ScalarEvent:
            return Scalar(*place, event.end_mark.index, event.value, not event.style, in_flow)
        if kind is yaml.SequenceStartEvent:
            return self.sequence(event, place, depth + 1)
        return self.mapping(event, place, depth + 1)

    def too_much(self, event: Any, depth: int) -> SpecError:
        if depth <= MAX_DEPTH:
            return self.error(event, f"the file has more than {MAX_NODES:,} words")
        return self.error(
            event, f"this is nested more than {MAX_DEPTH} deep", help="name the inner part as a block"
        )

    def refused(self, event: Any) -> SpecError:
        start = event.start_mark.index
        word = self.source.text[start : event.end_mark.index].split(maxsplit=1)[0]
        kind = {"!": "tags", "&": "anchors", "*": "aliases"}[word[0]]
        return self.error(
            event,
            f"YAML's {kind} are not part of the language: {shorten(word)}",
            help="leave the tag out" if kind == "tags" else _INSTEAD,
            width=len(word),
        )

    def sequence(self, start: Any, place: tuple[Source, int, int, int], depth: int) -> Sequence:
        items: list[Node] = []
        in_flow = bool(start.flow_style)
        event = self.next()
        while type(event) is not _END[0]:
            items.append(self.node(event, depth, in_flow))
            event = self.next()
        return Sequence(*place, event.end_mark.index, items, in_flow)

    def mapping(self, start: Any, place: tuple[Source, int, int, int], depth: int) -> Mapping:
        keys: dict[str, Scalar] = {}
        values: dict[str, Node] = {}
        in_flow = bool(start.flow_style)
        event = self.next()
        while type(event) is not _END[1]:
            key = self.node(event, depth, in_flow)
            if not isinstance(key, Scalar):
                raise key.error(
                    "a key must be a word, not a list or a mapping",
                    help="a text that starts with [ or { needs quotes",
                )
            value = self.node(self.next(), depth, in_flow)
            if key.value in keys:
                raise error(
                    f"the key {shorten(key.value)} appears twice",
                    key.span,
                    also=[("it stands here first", keys[key.value].span)],
                )
            keys[key.value] = key
            values[key.value] = value
            event = self.next()
        return Mapping(*place, event.end_mark.index, keys, values)


def expect_mapping(node: Node, what: str, *, help: str = "") -> Mapping:
    """The node as a mapping, or an error that says what should stand there."""
    if isinstance(node, Mapping):
        return node
    raise node.error(f"{what} must be a mapping of names to values, not {describe(node)}", help=help)


def expect_text(node: Node, what: str) -> str:
    """The node as a text."""
    if isinstance(node, Scalar):
        return node.value
    raise node.error(f"{what} must be a string, not {describe(node)}")


def describe(node: Node) -> str:
    """What kind of thing a node is, for a message."""
    if isinstance(node, Scalar):
        return "nothing" if node.empty else f"the text {shorten(node.value)}"
    return "a list" if isinstance(node, Sequence) else "a mapping"


def check_keys(
    node: Mapping, known: Iterable[str], what: str, otherwise: Callable[[str], str] | None = None
) -> None:
    """Refuse a key that is not known, with a suggestion; or where no known one is near, ``otherwise``.

    Raises:
        SpecError: at the first unknown key.
    """
    known = list(known)
    for key in node.keys.values():
        if key.value not in known:
            raise key.error(
                f"{what} has no key {shorten(key.value)}",
                help=did_you_mean(
                    key.value,
                    known,
                    otherwise=otherwise(key.value) if otherwise else f"its keys are {', '.join(known)}",
                ),
            )
