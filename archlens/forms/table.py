"""What a view makes and a form prints: a table, with what is said above and beneath it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from ..errors import Diagnostic, Span
from ..records import record

#: The least width that a column of words is wrapped to.
LEAST = 12

#: The columns of details have a lower ``spare``.
DETAIL = 5

#: A plain value, as programs take it; ``None`` where nothing is known.
Plain = str | int | float | bool | None


class Column(NamedTuple):
    """What a table knows of one of its columns."""

    title: str
    #: Whether it is aligned to the right, as numbers are.
    right: bool = False
    #: Words may be wrapped, to no less than this; 0 is for figures, which never are.
    least: int = 0
    #: Where a terminal is too narrow the column with the least number is left out first; 0 never is. Those
    #: below :data:`DETAIL` are left out before a word is broken.
    spare: int = 0
    #: The roles by which a style dresses cells, by the first word of a cell.
    roles: Mapping[str, str] | None = None
    #: What programs call it; its title, unless it has another name; empty where it is for people only.
    key: str | None = None
    #: What its plain numbers count.
    unit: str = ""
    #: Whether people see it; else it is for programs only.
    shown: bool = True

    @property
    def name(self) -> str:
        """What programs call it."""
        return self.title if self.key is None else self.key


class Cell(NamedTuple):
    """A cell whose words are not its plain value."""

    text: str
    value: Plain
    #: Whether it stands out.
    strong: bool = False


class Math(NamedTuple):
    """A formula, as people read it in text and as TeX sets it."""

    text: str
    tex: str


class Link(NamedTuple):
    """Words that lead somewhere, if there is an address."""

    text: str
    url: str


class Command(NamedTuple):
    """What is typed at a prompt."""

    text: str


class SpanningRow(NamedTuple):
    """A row of words across all columns."""

    words: str | Link
    #: Whether it stands in, as the other rows do.
    inner: bool = False
    #: Whether it stands out, above the rows that it is about.
    heading: bool = False


@runtime_checkable
class Worded(Protocol):
    """Whatever else has words, for a page that shows it as more than these."""

    @property
    def text(self) -> str:
        """What people read."""


Content = str | Worded
Row = Sequence[Content] | SpanningRow


class Case(NamedTuple):
    """One thing that was checked, for a tool that runs tests."""

    name: str
    #: ``failure`` or ``error``; empty where it holds.
    tag: str = ""
    message: str = ""
    text: str = ""


class Annotation(NamedTuple):
    """What is wrong, for a tool that shows it beside the lines of a change."""

    #: ``error``, ``warning`` or ``notice``.
    level: str
    message: str
    span: Span | None
    #: What stands above it.
    title: str


@record(frozen=True, eq=False)
class Table:
    """A table; each of its parts may be empty."""

    columns: Sequence[Column] = ()
    rows: Sequence[Row] = ()
    headline: str = ""
    #: What that became, where it shows a change.
    then: str = ""
    #: One for each column.
    totals: Sequence[str] = ()
    #: What the numbers mean, a sentence each.
    notes: Sequence[str] = ()
    #: How it all came out, in a sentence of one piece or several.
    summary: Sequence[str | Command] = ()
    #: Sentences above the rows, each with what it is about.
    lead: Sequence[tuple[str, str]] = ()
    #: What is remarkable: blocks of lines, of which those that stand in explain the one before.
    remarks: Sequence[Sequence[str | Diagnostic]] = ()
    #: Further tables beneath it.
    more: Sequence[Table] = ()
    #: The level of its headline on a page; 0 is a line in bold.
    level: int = 0
    #: What it is called where a page folds it away, if it is to be folded.
    folded: str = ""
    #: What a terminal shows in its place, one beneath the other.
    terminal: Sequence[Table] = ()
    #: What a terminal shows where the whole does not fit: the first that does, or else the last.
    narrow: Sequence[Table] = ()
    #: The notes of some columns by name, where they are not those of all.
    noted: Callable[[Sequence[str]], Sequence[str]] | None = None
    #: How far a terminal lets the rows stand in beneath the headline and the lines between them.
    indent: int = 0
    #: Where the form for programs says more than the table: what it says.
    json: Callable[[], str] | None = None
    #: What can fail, by where.
    suites: Sequence[tuple[str, Sequence[Case]]] = ()
    #: What failed, by its place.
    annotations: Sequence[Annotation] = ()

    @property
    def seen(self) -> Table:
        """The same without what is for programs only."""
        kept = [i for i, column in enumerate(self.columns) if column.shown]
        if len(kept) == len(self.columns):
            return self
        from dataclasses import replace

        return replace(
            self,
            columns=[self.columns[i] for i in kept],
            rows=[row if isinstance(row, SpanningRow) else [row[i] for i in kept] for row in self.rows],
            totals=[self.totals[i] for i in kept] if self.totals else (),
        )

    @property
    def cells(self) -> list[Sequence[Content]]:
        """The rows, but for the lines between them."""
        return [row for row in self.rows if not isinstance(row, SpanningRow)]

    def records(self) -> list[list[Plain]]:
        """The plain values of the columns that programs see, row by row."""
        kept = [i for i, column in enumerate(self.columns) if column.name]
        return [[_plain(row[i]) for i in kept] for row in self.cells]

    def names(self) -> list[str]:
        """What programs call their columns."""
        return [column.name for column in self.columns if column.name]


@record(frozen=True)
class Form:
    """A form of tables."""

    #: What ``--format`` calls it.
    name: str
    #: What a file in it ends in.
    extension: str
    #: The table as a text; that of the terminal also takes a width and a style.
    write: Callable[..., str]
    #: Where it stands among the others.
    rank: int
    #: Whether it is for what can fail.
    checks: bool = False


def words_of(content: Content) -> str:
    """What people read."""
    return content if isinstance(content, str) else content.text


def _plain(content: Content) -> Plain:
    return content.value if isinstance(content, Cell) else words_of(content)


def in_words(said: Sequence[str | Command]) -> str:
    """A sentence in plain words."""
    return "".join(map(words_of, said))


def count(number: int) -> Cell:
    """A number with thousands separated."""
    return Cell(f"{number:,}", number)
