"""A Python-Markdown extension: a fence ``archlens`` becomes table and diagram of a network.

::

    ```archlens resnet50 depth=1 show=diagram,table
    ```

A spec may stand within the fence in place of a name; the options are those of the command line
(:data:`.page.OPTIONS`), in quotes where they hold spaces. A fence within a list, a quote, an admonition or a
tab works, too; one within another fence is text. ``markdown.markdown(text,
extensions=["archlens.integrations.markdown"])`` raises what is wrong; :mod:`.mkdocs` puts the extension into
a site.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from html import escape
from typing import Any, NamedTuple
from xml.etree import ElementTree

from markdown import Markdown
from markdown.blockprocessors import BlockProcessor
from markdown.extensions import Extension
from markdown.postprocessors import Postprocessor
from markdown.preprocessors import Preprocessor

from ..errors import ArchlensError, shorten, usage
from .page import Place, Wanted, to_html, wanted

#: The name of the fence.
NAME = "archlens"

#: The first line of a fence; it may be within quotes.
_OPEN = re.compile(r"^(?P<margin>(?:[ ]{0,3}>)*[ ]*)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
#: Where a fence was, until its block is reached; characters that no text holds.
_MARK = "\u0002archlens:{}\u0003"
_MARKED = re.compile("\u0002archlens:([0-9]+)\u0003")


class Fence(NamedTuple):
    """A fence of a page."""

    #: As it stands in the page.
    source: str
    #: What follows its name on the first line.
    info: str
    text: str
    #: Its line, from 1, and how far it is indented.
    line: int
    indent: int


class ArchlensExtension(Extension):
    """The extension; who runs it may say where the page lies and what happens to what is wrong."""

    def __init__(self, **options: Any) -> None:
        self.config = {
            "folder": [".", "The folder that paths start from."],
            "root": ["", "The folder that paths start from which begin with a slash; else the same."],
        }
        #: The page, as messages call it, and how many of its lines stand above the text.
        self.page, self.above = "", 0
        #: Is told of every file that is read.
        self.on_file: Callable[[str], None] = lambda path: None
        #: Gathers the colours of dark pages, where the site has a style sheet for them.
        self.sheet: dict[str, str] | None = None
        #: Makes HTML of what is wrong, with the line of the fence; or raises it.
        self.on_problem: Callable[[ArchlensError, int], str] = _raised
        super().__init__(**options)

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """Register the steps: before fences are read, where blocks are made, and at the end."""
        fences: list[Fence] = []
        md.preprocessors.register(_Find(md, fences), NAME, 28)  # after white space is made even, at 30
        md.parser.blockprocessors.register(_Show(md, self, fences), NAME, 200)
        md.postprocessors.register(_Restore(md, fences), NAME, 5)  # after raw HTML is put back, at 30

    def html(self, fence: Fence) -> str:
        """A fence as HTML."""
        line = fence.line + self.above
        try:
            asked = self._wanted(fence, line)
            if asked.file is not None:
                self.on_file(asked.file)
            return to_html(asked, asked.network(), self.sheet)
        except ArchlensError as problem:
            span = problem.diagnostic.span
            inside = fence.text and span is not None and span.source.name == (self.page or "network")
            return self.on_problem(problem, span.line if inside and span is not None else line)

    def _wanted(self, fence: Fence, line: int) -> Wanted:
        folder = self.getConfig("folder")
        place = Place(self.page, line, fence.indent, folder, self.getConfig("root") or folder)
        name, options = read_info(fence.info)
        return wanted(name, options, text=fence.text, place=place)


def read_info(info: str) -> tuple[str, dict[str, str]]:
    """The name and the options after the word ``archlens`` of a fence.

    >>> read_info("resnet50 depth=2 set='depths=[3, 4, 23, 3]' fold")
    ('resnet50', {'depth': '2', 'set': 'depths=[3, 4, 23, 3]', 'fold': ''})

    Raises:
        UsageError: a quotation does not end, or there are several names.
    """
    try:
        words = shlex.split(info)
    except ValueError as problem:
        raise usage(
            f"the fence's first line cannot be read: {problem}", help="as in set='alpha = 0.5'"
        ) from None
    name, options = "", dict[str, str]()
    for number, word in enumerate(words):
        option, separator, value = word.partition("=")
        if number == 0 and not separator:
            name = word
        elif separator or word == "fold":
            # what can stand several times is parted by lines
            options[option] = f"{options[option]}\n{value}" if option in options else value
        else:
            raise usage(
                f"{shorten(word)} is not an option", help=f"options have a value, as in {shorten(word)}=…"
            )
    return name, options


def _raised(problem: ArchlensError, line: int) -> str:
    raise problem


class _Find(Preprocessor):
    """Takes the fences out of the text, those within other fences excepted."""

    def __init__(self, md: Markdown, fences: list[Fence]) -> None:
        super().__init__(md)
        self.fences = fences

    def run(self, lines: list[str]) -> list[str]:
        """The lines, with a mark on a line of its own for every fence."""
        self.fences.clear()
        out: list[str] = []
        position = 0
        while position < len(lines):
            opened = _OPEN.match(lines[position])
            end = _end(lines, position, opened["margin"], opened["fence"]) if opened else None
            if opened is None or end is None:
                out.append(lines[position])
                position += 1
                continue
            name, _, info = opened["info"].strip().partition(" ")
            if name == NAME:
                margin = opened["margin"]
                opening, *body, closing = (_without(line, margin) for line in lines[position : end + 1])
                source = "\n".join([opening, *body, closing])
                text = "".join(f"{line}\n" for line in body) if any(map(str.strip, body)) else ""
                quote = margin[: margin.rfind(">") + 1]
                out += [quote, margin + _MARK.format(len(self.fences)), quote]
                self.fences.append(Fence(source, info, text, position + 1, len(margin)))
            else:
                out += lines[position : end + 1]
            position = end + 1
        return out


def _end(lines: list[str], start: int, margin: str, fence: str) -> int | None:
    """The line that ends a fence: as many of the same signs, or more, and within the same quotes."""
    quotes = margin.count(">")
    for number in range(start + 1, len(lines)):
        if re.match(rf"(?:[ ]{{0,3}}>){{{quotes}}}", lines[number]) is None:
            return None  # the quote ends before
        text = _without(lines[number], margin).strip()
        if text.startswith(fence) and not text.strip(fence[0]):
            return number
    return None


def _without(line: str, margin: str) -> str:
    """A line without the quotes and blanks to the left of its fence, as far as it has them."""
    for _ in range(margin.count(">")):
        line = line.partition(">")[2]
    blanks = len(margin) - margin.rfind(">") - 1
    return line[blanks:] if not line[:blanks].strip() else line.lstrip()


class _Show(BlockProcessor):
    """Makes HTML of a fence where its mark is a block; a mark within a block of code is none."""

    def __init__(self, md: Markdown, extension: ArchlensExtension, fences: list[Fence]) -> None:
        super().__init__(md.parser)
        self.md, self.extension, self.fences = md, extension, fences

    def test(self, parent: ElementTree.Element, block: str) -> bool:
        """Whether a block is a mark."""
        return _MARKED.fullmatch(block.rstrip("\n")) is not None

    def run(self, parent: ElementTree.Element, blocks: list[str]) -> bool:
        """Put the fence's HTML in place of its mark."""
        found = _MARKED.fullmatch(blocks.pop(0).rstrip("\n"))
        assert found is not None
        html = self.extension.html(self.fences[int(found[1])])
        ElementTree.SubElement(parent, "p").text = self.md.htmlStash.store(html)
        return True


class _Restore(Postprocessor):
    """Puts back the text of fences that turned out to be code."""

    def __init__(self, md: Markdown, fences: list[Fence]) -> None:
        super().__init__(md)
        self.fences = fences

    def run(self, text: str) -> str:
        """The page, in which no mark is left."""
        return _MARKED.sub(lambda found: escape(self.fences[int(found[1])].source, quote=False), text)


def makeExtension(**options: Any) -> ArchlensExtension:  # noqa: N802
    """What Python-Markdown looks for in a module that is named as an extension."""
    return ArchlensExtension(**options)
