"""What is wrong, where it stands, and how that is printed.

A :class:`Diagnostic` is a value; :func:`render` turns it into text. Knows nothing of specs or networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple, Protocol

from .records import record
from .wrapping import cells_of, wrapped


@record(frozen=True, eq=False)
class Source:
    """A text with the name that messages give it: usually the path of a file."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")


class Span(NamedTuple):
    """A place in a source: line and column from 1, and how many characters of that line."""

    source: Source
    line: int
    column: int
    width: int = 1

    @property
    def span(self) -> Span:
        """Itself, so that a span can stand wherever something that has a place is asked for."""
        return self

    def __str__(self) -> str:
        return f"{printable(self.source.name)}:{self.line}:{self.column}"


class Located(Protocol):
    """Whatever has a place in a source; the place is worked out when it is asked for."""

    @property
    def span(self) -> Span: ...


@record(frozen=True)
class Diagnostic:
    """One thing that is wrong, or worth a warning.

    Args:
        message: what is wrong, in one line.
        span: where.
        notes: why, in the terms of the formula.
        help: what would work.
        also: other places that take part, each with what it is.
        severity: ``"error"``, ``"warning"`` or ``"advice"``.
        code: that of the rule that found it, if a rule did.
    """

    message: str
    span: Span | None = None
    notes: tuple[str, ...] = ()
    help: str = ""
    also: tuple[tuple[str, Span], ...] = ()
    severity: str = "error"
    code: str = ""


class _Diagnosed(Exception):
    """What has a diagnostic; ``str()`` of it is the whole of that."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic

    def __str__(self) -> str:
        return render(self.diagnostic)


class ArchlensError(_Diagnosed):
    """Something that the user can mend; ``str()`` of it is the whole diagnostic."""


class Caution(_Diagnosed, UserWarning):
    """Something that is likely a mistake and stops nothing; ``str()`` of it is the whole diagnostic."""


class Unplaced(NamedTuple):
    """A layer that did not fit: its name, its op as a spec writes it, what it would read, and why not."""

    name: str
    op: str
    inputs: tuple[str, ...]
    why: str


class SpecError(ArchlensError):
    """A spec, or the network that it describes, is wrong.

    ``network``, an :class:`archlens.Network`, holds the layers up to the one that failed, where it came that
    far; ``failed`` is that one.
    """

    def __init__(self, diagnostic: Diagnostic, network: Any = None, failed: Unplaced | None = None) -> None:
        super().__init__(diagnostic)
        self.network = network
        self.failed = failed

    def _repr_html_(self) -> str:
        """In a notebook: the diagnostic, and the network up to there."""
        text = to_html(self.diagnostic)
        return f"{text}\n{self.network.shown(self)}" if self.network and self.network.layers else text


class BudgetError(SpecError):
    """The ``budget:`` of a spec is wrong: what it limits, and how far, cannot be told."""


class UsageError(ArchlensError):
    """archlens was asked for something that does not exist: a network, a param, a layer."""


def error(
    message: str,
    span: Span | None = None,
    *,
    notes: Iterable[str] = (),
    help: str = "",
    also: Iterable[tuple[str, Span]] = (),
) -> SpecError:
    """A :class:`SpecError` to raise, from the parts of its diagnostic."""
    return SpecError(Diagnostic(message, span, tuple(notes), help, tuple(also)))


def usage(message: str, *, span: Span | None = None, notes: Iterable[str] = (), help: str = "") -> UsageError:
    """A :class:`UsageError` to raise, from the parts of its diagnostic."""
    return UsageError(Diagnostic(message, span, tuple(notes), help))


def not_installed(what: str, extra: str) -> UsageError:
    """What to raise where a package is missing, which an extra of archlens installs.

    >>> not_installed("pages need Jinja2", "report").diagnostic.message
    'pages need Jinja2, which is not installed'
    """
    installs = f"pip install 'archlens-nn[{extra}]', or in a checkout: pip install '.[{extra}]'"
    return usage(f"{what}, which is not installed", help=installs)


#: How long a word a suggestion is looked for, and among how many.
_WORD = 100
_KNOWN = 2000


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """A suggestion for a word that is not known: the nearest ones, or else ``otherwise``.

    >>> did_you_mean("reslu", ["relu", "selu", "conv"])
    'did you mean relu?'
    """
    from difflib import SequenceMatcher, get_close_matches  # only an error pays for it

    names = [name for name in islice(known, _KNOWN) if isinstance(name, str) and len(name) < _WORD]
    if len(word) > _WORD:
        return otherwise
    folded = {name.lower().replace("-", "_"): name for name in reversed(names)}
    meant = word.lower().replace("-", "_")
    close = get_close_matches(meant, folded, n=3, cutoff=0.61)
    if not close:
        return otherwise
    ratios = {name: SequenceMatcher(None, name, meant).ratio() for name in close}
    found = [folded[name] for name in close if ratios[name] > ratios[close[0]] - 0.05]
    return f"did you mean {' or '.join(map(printable, found))}?"


def printable(text: str) -> str:
    """The text with every control character shown as its escape, so that no spec can steer a terminal."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines, which keeps them and its tabs."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def shorten(text: str, most: int = 60) -> str:
    """Printable text of bounded length, for use inside a message."""
    text = printable(text[: most + 1])
    return text if len(text) <= most else text[: most - 3] + "..."


#: Dresses a piece of text for its role, such as "error", "place" or "help" of a diagnostic.
Style = Callable[[str, str], str]


def a_or_an(word: str) -> str:
    """A word with its article, as the name of a type.

    >>> a_or_an("int"), a_or_an("dict")
    ('an int', 'a dict')
    """
    return f"{'an' if word[:1].lower() in 'aeiou' else 'a'} {word}"


def unstyled(text: str, role: str) -> str:
    """The style of a pipe or a file: none."""
    return text


#: The most characters that a diagnostic shows of a source line, and of a message, note or help.
_LINE = 100
_TEXT = 1000


def render(diagnostic: Diagnostic, style: Style = unstyled, width: int | None = None) -> str:
    """A diagnostic as text: the message, the line with the place marked, why, and what would work.

    With a width texts are wrapped, and of a line of source so much is shown as fits.
    """
    severity = diagnostic.severity
    title = severity + (f"[{diagnostic.code}]" if diagnostic.code else "")

    def said(text: str, lead: str, dressed: str, role: str = "") -> Iterator[str]:
        """A text behind a lead, which is dressed once all lines are found."""
        first, *more = wrapped(shorten(text, _TEXT), width, lead=lead)
        for line, start in ((first, dressed), *((line, "") for line in more)):
            body = line[len(lead) :] if start else line.lstrip()
            indent = "" if start else line[: len(line) - len(body)]
            yield start + indent + (style(body, role) if role and body else body)

    out = [*said(diagnostic.message, f"{title}: ", f"{style(title, severity)}: ", "message")]
    places = [("-->", "", diagnostic.span)] if diagnostic.span else []
    places += [(":::", label, span) for label, span in diagnostic.also]
    gutter = " " * max((len(str(span.line)) for _, _, span in places if span), default=1)
    for arrow, label, span in places:
        assert span is not None
        out.append(f"{gutter}{style(arrow, 'place')} {span}")
        out.append(f"{gutter} {style('|', 'place')}")
        room = None if width is None else width - len(gutter) - len(" | ")
        text, marks = _excerpt(span, room)
        number = style(f"{span.line:>{len(gutter)}} |", "place")
        out.append(f"{number} {text}".rstrip())
        bar = f"{gutter} {style('|', 'place')} "
        first, *more = wrapped(printable(label), room, lead=f"{marks} ")
        out.append(bar + marks[: -len(marks.lstrip())] + style(first.strip(), severity))
        out += [bar + line[: -len(line.lstrip())] + style(line.strip(), severity) for line in more]
    equals = f"{gutter} {style('=', 'place')} "
    for note in diagnostic.notes:
        out += said(note, f"{gutter} = ", equals)
    if diagnostic.help:
        out += said(diagnostic.help, f"{gutter} = help: ", f"{equals}{style('help', 'help')}: ")
    return "\n".join(out)


def to_html(diagnostic: Diagnostic) -> str:
    """The text of a diagnostic for a page."""
    from html import escape

    # its marks stand beneath what they mark in a font of one width only, which notebooks do not give it
    style = "font-family: monospace; line-height: 1.3; overflow-x: auto"
    return f'<pre class="archlens-error" style="{style}">{escape(printable_lines(render(diagnostic)))}</pre>'


def _excerpt(span: Span, room: int | None) -> tuple[str, str]:
    """The line of a span, cut to a bounded width around it, and the line of marks beneath it."""
    most = _LINE
    text, marks = _cut(span, most)
    while room is not None and most > 1 and cells_of(text) > room:
        most = max(min(most, room) - 1, 1)  # in characters, which may take more columns than one
        text, marks = _cut(span, most)
    return text, marks


def _cut(span: Span, most: int) -> tuple[str, str]:
    lines = span.source.lines
    line = lines[span.line - 1].rstrip("\r") if span.line <= len(lines) else ""
    start = min(span.column - 1, len(line))
    stop = min(start + max(span.width, 1), max(len(line), start + 1))
    lead = ""
    if len(line) > most:
        first = max(0, min(start - most // 5, len(line) - most))
        lead = "..." if first else ""
        tail = "..." if first + most < len(line) else ""
        stop = min(stop, first + most)
        text = lead + _shown(line[first : first + most]) + tail
        before = lead + _shown(line[first:start])
    else:
        text, before = _shown(line), _shown(line[:start])
    return text, " " * cells_of(before) + "^" * max(cells_of(_shown(line[start:stop])), 1)


def _shown(text: str) -> str:
    return printable(text.replace("\t", "    "))
