"""A table in LaTeX, with the rules of booktabs, to be taken into a paper; it goes over pages if it must."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..errors import Diagnostic, printable
from ..wrapping import cells_of
from .table import Cell, Command, Content, Form, Math, SpanningRow, Table, words_of

#: What TeX takes for commands, and how they are written as text.
SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "…": r"\ldots{}",
    "-": "{-}",  # two of them would become a dash, as two of the next would become quotes
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
}

#: The last character of Latin 1, of which TeX knows all.
LATIN = 0xFF

#: What a document needs; and a command that sets a question mark where pdfLaTeX does not know a character.
_NEEDS = r"""% \usepackage[T1]{fontenc}
% \usepackage{array,booktabs,longtable}
\DeclareRobustCommand{\archlensknown}[1]{\ifdefined\DeclareUnicodeCharacter
  \ifcsname u8:\detokenize{#1}\endcsname#1\else?\fi\else#1\fi}"""

#: The characters of a line in small type, and how many fit between two columns.
_LINE, _GAP = 78, 3

#: Behind what a line may end.
_MARKS = "./:,_-"
_PIECE = re.compile(rf"[^\s{_MARKS}]+[{_MARKS}]?")


def escape(text: str) -> str:
    r"""Text that TeX takes for nothing but text.

    >>> print(escape("50% of x_1"))
    50\% of x\_1
    """
    return "".join(SPECIAL.get(c, c) for c in printable(text))


def write(table: Table) -> str:
    """Headline, rows with their totals, and what is said of them."""
    return "\n\n".join([_NEEDS, *_blocks(table)])


def _blocks(table: Table) -> Iterator[str]:
    headline = _known(table.headline) + (rf" $\to$ {_known(table.then)}" if table.then else "")
    if headline:
        yield rf"\noindent\textbf{{{headline}}}"
    if table.summary:
        yield rf"\noindent {''.join(map(_said, table.summary))}"
    yield from _list([f"{title}: {text}" if title else text for title, text in table.lead])
    if table.columns:
        yield _grid(table.seen)
    for one in table.more:
        yield from _blocks(one)
    for block in table.remarks:
        yield from _list(block)
    if table.notes:
        notes = "\\\\\n".join(map(_known, table.notes))
        yield f"{{\\noindent\\footnotesize\\raggedright\n{notes}\\par}}"


def _grid(table: Table) -> str:
    ends = r" \\"
    head = " & ".join(rf"\textbf{{{_known(column.title)}}}" for column in table.columns) + ends
    parts = [
        rf"{{\footnotesize\setlength{{\tabcolsep}}{{0.4em}}\begin{{longtable}}{{{_columns(table)}}}",
        *(r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endlastfoot"),
        *(_row(row, len(table.columns)) + ends for row in table.rows),
    ]
    if any(table.totals):
        totals = " & ".join(rf"\textbf{{{_known(total)}}}" if total else "" for total in table.totals)
        parts += [r"\midrule", totals + ends]
    return "\n".join([*parts, r"\end{longtable}}"])


def _row(row: Sequence[Content] | SpanningRow, columns: int) -> str:
    if isinstance(row, SpanningRow):
        return rf"\multicolumn{{{columns}}}{{l}}{{{_said(row.words)}}}"
    return " & ".join(map(_said, row))


def _columns(table: Table) -> str:
    """Where the columns are wider than a line, those of words share what the others leave."""
    texts = [
        [column.title, *(printable(words_of(row[i])) for row in table.cells)]
        for i, column in enumerate(table.columns)
    ]
    wide = [max(map(cells_of, column)) for column in texts]
    least = [
        max((len(piece) for text in column for piece in _PIECE.findall(text)), default=0) for column in texts
    ]
    sides = ["r" if column.right else "l" for column in table.columns]
    words = [i for i, side in enumerate(sides) if side == "l" and least[i] < wide[i]]
    room = _LINE - _GAP * len(wide) - sum(wide)
    if room >= 0:
        return "".join(sides)
    room += sum(wide[i] for i in words)
    for left, i in enumerate(sorted(words, key=wide.__getitem__)):  # those that want less leave it to others
        given = max(min(wide[i], room // (len(words) - left)), least[i])
        room -= given
        sides[i] = rf">{{\raggedright\arraybackslash}}p{{{given / _LINE:.2f}\linewidth}}"
    return "".join(sides)


def _said(words: Content) -> str:
    match words:
        case Command():
            return rf"\texttt{{{_known(words.text)}}}"
        case Math():
            return f"${words.tex}$"
        case Cell() if words.strong:
            return rf"\textbf{{{_known(words.text)}}}"
        case _:
            return _known(words_of(words))


def _known(text: str) -> str:
    """Text that may be broken behind marks, and at which no compiler stops."""
    return "".join(
        rf"\archlensknown{{{c}}}" if ord(c) > LATIN and c not in SPECIAL else _breakable(c)
        for c in printable(text)
    )


def _breakable(c: str) -> str:
    return escape(c) + (r"\allowbreak{}" if c in _MARKS else "")


def _list(lines: Sequence[str | Diagnostic]) -> Iterator[str]:
    items = [_known(line.message if isinstance(line, Diagnostic) else line.strip()) for line in lines]
    if items:
        yield "\n".join([r"\begin{itemize}", *(rf"\item {item}" for item in items), r"\end{itemize}"])


FORM = Form("latex", "tex", write, rank=5)
