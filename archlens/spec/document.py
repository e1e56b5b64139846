"""YAML as a tree with positions.

The tree is built from the C parser's events rather than composed by PyYAML, so that depth and size are
bounded before anything is recursed into, and duplicate keys, aliases and tags are seen. No scalar is
interpreted: ``no``, ``1:30`` and ``0x10`` stay the text that was written.
"""

from __future__ import annotations

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
    """Keys and values, in the order written; no key stands twice."""

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
        events = yaml.parse(source.text, Loader=Loader)
        return _Composer(source, iter(events)).document()
    except yaml.MarkedYAMLError as problem:
        raise _broken(source, problem) from None
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


def _broken(source: Source, problem: yaml.MarkedYAMLError) -> SpecError:
    mark = problem.problem_mark or problem.context_mark
    text = source.text
    span = None
    notes = [f"YAML: {problem.context}"] if problem.context else []
    help = ""
    if mark is not None:
        line = min(mark.line, len(source.lines) - 1)
        column = mark.column if line == mark.line else len(source.lines[line])
        span = Span(source, line + 1, column + 1)
        content = source.lines[line]
        if "\t" in content[: len(content) - len(content.lstrip())] or content[column : column + 1] == "\t":
            help = "YAML is indented with spaces; replace the tab"
        elif "mapping values are not allowed" in str(problem.problem):
            help = "a second colon in one line: put the value in quotes, or on lines of its own"
        elif content[column : column + 1] == "[" and "flow" in str(problem.context):
            help = 'within [...] an index needs quotes: ["depths[0]", 64]; or put the whole list in quotes'
        elif text[mark.index : mark.index + 1] in ("@", "`", "%"):
            help = "put text that starts with this character in quotes"
    return error(f"this is not valid YAML: {problem.problem}", span, notes=notes, help=help)


class _Composer:
    """Builds the tree of one document, event by event."""

    def __init__(self, source: Source, events: Iterator[Any]) -> None:
        self.source = source
        self.events = events
        self.count = 0
        self.anchors: dict[str, Node] = {}

    def document(self) -> Node | None:
        next(self.events)  # the start of the stream
        event = next(self.events)
        if isinstance(event, yaml.StreamEndEvent):
            return None
        root = self.node(next(self.events), 0)
        next(self.events)  # the end of the document
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise self.error(event, "a spec is one YAML document, and here a second one starts")
        return root

    def error(self, event: Any, message: str, help: str = "") -> SpecError:
        mark = event.start_mark
        return error(message, Span(self.source, mark.line + 1, mark.column + 1), help=help)

    def node(self, event: Any, depth: int) -> Node:
        mark = event.start_mark
        self.count += 1
        if self.count > MAX_NODES:
            raise self.error(event, f"the file has more than {MAX_NODES:,} words")
        if depth > MAX_DEPTH:
            raise self.error(
                event, f"this is nested more than {MAX_DEPTH} deep", help="name the inner part as a block"
            )
        if isinstance(event, yaml.AliasEvent):
            raise self.error(
                event,
                f"YAML's aliases are not part of the language: *{event.anchor}",
                help="say it once as a param or a block, and use its name",
            )
        if event.anchor is not None:
            raise self.error(
                event,
                f"YAML's anchors are not part of the language: &{event.anchor}",
                help="say it once as a param or a block, and use its name",
            )
        if event.tag not in (None, "!"):
            raise self.error(
                event, f"YAML's tags are not part of the language: {event.tag}", help="leave the tag out"
            )
        place = (self.source, mark.line + 1, mark.column + 1, mark.index)
        if type(event) is yaml.ScalarEvent:
            plain = event.style is None or event.style == ""
            return Scalar(*place, _end(event), event.value, plain, False)
        if type(event) is yaml.SequenceStartEvent:
            return self.sequence(event, place, depth)
        return self.mapping(event, place, depth)

    def sequence(self, start: Any, place: tuple[Source, int, int, int], depth: int) -> Sequence:
        items: list[Node] = []
        while type(event := next(self.events)) is not yaml.SequenceEndEvent:
            item = self.node(event, depth + 1)
            if isinstance(item, Scalar):
                item.in_flow = bool(start.flow_style)
            items.append(item)
        return Sequence(*place, _end(event), items, bool(start.flow_style))

    def mapping(self, start: Any, place: tuple[Source, int, int, int], depth: int) -> Mapping:
        keys: dict[str, Scalar] = {}
        values: dict[str, Node] = {}
        while type(event := next(self.events)) is not yaml.MappingEndEvent:
            key = self.node(event, depth + 1)
            if not isinstance(key, Scalar):
                raise key.error(
                    "a key must be a word, and this is a list or a mapping",
                    help="a text that starts with [ or { needs quotes",
                )
            key.in_flow = bool(start.flow_style)
            value = self.node(next(self.events), depth + 1)
            if isinstance(value, Scalar):
                value.in_flow = key.in_flow
            if key.value in keys:
                raise error(
                    f"the key {shorten(key.value)} stands twice",
                    key.span,
                    also=[("it stands here first", keys[key.value].span)],
                )
            keys[key.value] = key
            values[key.value] = value
        return Mapping(*place, _end(event), keys, values)


def _end(event: Any) -> int:
    return int(event.end_mark.index)


def expect_mapping(node: Node, what: str, *, help: str = "") -> Mapping:
    """The node as a mapping, or an error that says what should stand there."""
    if isinstance(node, Mapping):
        return node
    raise node.error(f"{what} must be a mapping of names to values, not {describe(node)}", help=help)


def expect_text(node: Node, what: str) -> str:
    """The node as a text."""
    if isinstance(node, Scalar):
        return node.value
    raise node.error(f"{what} must be a text, not {describe(node)}")


def describe(node: Node) -> str:
    """What kind of thing a node is, for a message."""
    if isinstance(node, Scalar):
        return "nothing" if node.empty else f"the text {shorten(node.value)}"
    return "a list" if isinstance(node, Sequence) else "a mapping"


def check_keys(node: Mapping, known: Iterable[str], what: str) -> None:
    """Refuse a key that is not known, with a suggestion.

    Raises:
        SpecError: at the first unknown key.
    """
    known = list(known)
    for key in node.keys.values():
        if key.value not in known:
            raise key.error(
                f"{what} has no key {shorten(key.value)}",
                help=did_you_mean(key.value, known, otherwise=f"its keys are {', '.join(known)}"),
            )


def to_data(node: Node, number: Callable[[str], object] = lambda text: text) -> object:
    """A node as plain lists, dicts and texts, for the parts of a spec that are only data."""
    if isinstance(node, Scalar):
        return None if node.empty else number(node.value) if node.plain else node.value
    if isinstance(node, Sequence):
        return [to_data(item, number) for item in node.items]
    assert isinstance(node, Mapping)
    return {key.value: to_data(value, number) for key, value in node.items()}
