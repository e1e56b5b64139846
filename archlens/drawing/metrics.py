"""How wide text is, by the metrics of one open font, so that no picture depends on the fonts of a machine.

The font is Archlens Sans, which travels with the package: Latin, Greek and Cyrillic of Liberation Sans 2.1.5
(SIL Open Font License 1.1) under a name of its own. Its advance widths are those of Arial and Helvetica, for
which the pictures ask first; ``tests/test_diagram.py`` holds the tables against the font files. Where another
font is asked for, text is measured by its file while a picture is drawn and written (:func:`using`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from ..errors import shorten, usage
from .fontfile import LARGEST, FontFile

#: The font files, for the formats that carry or paint glyphs themselves.
FONTS = Path(__file__).parent / "fonts"
REGULAR_FILE = FONTS / "ArchlensSans-Regular.ttf"
BOLD_FILE = FONTS / "ArchlensSans-Bold.ttf"

#: Advance widths in thousandths of the font's size: the characters that have each.
REGULAR = {
    191: "'",
    222: "ijl‘’",
    260: "|¦",
    278: " !,./:;I[\\]ft\u00a0ÌÍÎÏìíîï",
    333: "()-`r¡¨²³´·¸¹“”",
    334: "{}",
    350: "•",
    355: '"',
    365: "º",
    370: "ª",
    389: "*",
    400: "°",
    469: "^",
    500: "Jcksvxyzçýÿ↑↓",
    537: "¶",
    549: "±÷√≈≤≥",
    552: "¯",
    556: "#$0123456789?L_abdeghnopqu¢£¤¥§«»àáâãäåèéêëðñòóôõöùúûüþ–",
    576: "µ",
    584: "+<=>~¬×−",
    611: "FTZ¿ßø",
    667: "&ABEKPSVXYÀÁÂÃÄÅÈÉÊËÝÞ",
    713: "∞",
    722: "CDHNRUwÇÐÑÙÚÛÜ",
    737: "©®",
    778: "GOQÒÓÔÕÖØ",
    833: "Mm",
    834: "¼½¾",
    889: "%æ",
    944: "W",
    1000: "Æ—…←→",
    1015: "@",
}

BOLD = {
    238: "'",
    278: " ,./I\\ijl\u00a0ÌÍÎÏìíîï‘’",
    280: "|¦",
    333: "!()-:;[]`ft¡¨²³´·¸¹",
    350: "•",
    365: "º",
    370: "ª",
    389: "*r{}",
    400: "°",
    474: '"',
    500: "z“”↑↓",
    549: "±÷√≈≤≥",
    552: "¯",
    556: "#$0123456789J_aceksvxy¢£¤¥§«¶»àáâãäåçèéêëýÿ–",
    576: "µ",
    584: "+<=>^~¬×−",
    611: "?FLTZbdghnopqu¿ßðñòóôõöøùúûüþ",
    667: "EPSVXYÈÉÊËÝÞ",
    713: "∞",
    722: "&ABCDHKNRUÀÁÂÃÄÅÇÐÑÙÚÛÜ",
    737: "©®",
    778: "GOQwÒÓÔÕÖØ",
    833: "M",
    834: "¼½¾",
    889: "%mæ",
    944: "W",
    975: "@",
    1000: "Æ—…←→",
}

_WIDTHS = {
    bold: {c: w for w, cs in table.items() for c in cs} for bold, table in ((False, REGULAR), (True, BOLD))
}


@dataclass(frozen=True)
class Font:
    """A font: its files, and what SVG asks for."""

    name: str
    regular: Path
    #: The same where there is no bold one.
    bold: Path
    #: The families that SVG asks for, the first of which is embedded.
    families: str = ""

    def __hash__(self) -> int:  # words are measured again and again
        return hash(self.name)

    @cached_property
    def files(self) -> tuple[FontFile, FontFile]:
        """The file of the regular font, and that of the bold one.

        Raises:
            UsageError: one cannot be read, or is no font that can be embedded.
        """
        regular = _opened(self.regular)
        return regular, _opened(self.bold) if self.has_bold else regular

    @property
    def has_bold(self) -> bool:
        """Whether bold text is set in a font of its own."""
        return self.bold != self.regular

    @cached_property
    def family(self) -> str:
        """The family that is embedded."""
        return self.files[0].family

    def widths(self, bold: bool) -> Mapping[str, int]:
        """The advance widths of characters, in thousandths of the font's size."""
        return _WIDTHS[bold] if self == SANS else self.files[bold].widths


def _opened(path: Path) -> FontFile:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise usage(
            f"the font {shorten(str(path))} cannot be read: {reason}",
            help="serif, sans, mono, or a .ttf file",
        ) from None
    if len(content) > LARGEST:
        raise usage(f"{shorten(str(path))} is larger than {LARGEST // 10**6} MB", help="take a smaller font")
    return FontFile(content, str(path))


SANS = Font("sans", REGULAR_FILE, BOLD_FILE)
#: The fonts that travel with the package, by name.
FONTS_BY_NAME = {
    "sans": SANS,
    "serif": Font(
        "serif",
        FONTS / "ArchlensSerif-Regular.ttf",
        FONTS / "ArchlensSerif-Bold.ttf",
        "'Times New Roman', Times, serif",
    ),
    "mono": Font(
        "mono",
        FONTS / "ArchlensMono-Regular.ttf",
        FONTS / "ArchlensMono-Bold.ttf",
        "'Courier New', monospace",
    ),
}
_current: ContextVar[Font] = ContextVar("font", default=SANS)


def font_of(text: str) -> Font:
    """The font of a name, or of a file.

    Raises:
        UsageError: there is no such font, or it cannot be embedded.
    """
    found = FONTS_BY_NAME.get(text)
    if found is None:
        found = Font(text, Path(text), Path(text), "sans-serif")
        _ = found.files
    return found


def current() -> Font:
    """The font that text is measured in."""
    return _current.get()


@contextmanager
def using(font: Font) -> Iterator[None]:
    """Measure text in a font."""
    before = _current.set(font)
    try:
        yield
    finally:
        _current.reset(before)


def is_known(text: str) -> bool:
    """Whether every width is known, and none is an estimate."""
    font = _current.get()
    if font is SANS:
        return text.isascii() or all(c in _WIDTHS[False] for c in text)
    return all(c in font.widths(False) for c in text)


def width(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text; characters without a known width count as a full square."""
    return _width(_current.get(), text, size, bold)


@lru_cache(4096)  # the words of a picture are measured again and again while it is laid out
def _width(font: Font, text: str, size: float, bold: bool) -> float:
    widths = font.widths(bold)
    total = 0
    for c in text:
        known = widths.get(c)
        total += known if known is not None else 0 if unicodedata.combining(c) else 1000
    return total * size / 1000


def fitted(text: str, size: float, most: float, bold: bool = False) -> str:
    """The text, or as much of its beginning and end as fits into a width, with an ellipsis between."""
    if len(text) <= 400 and width(text, size, bold) <= most + 0.01:
        return text
    low, high = 0, min(len(text), 400)
    while low < high:
        kept = (low + high + 1) // 2
        if width(_cut(text, kept), size, bold) <= most:
            low = kept
        else:
            high = kept - 1
    return _cut(text, low)


def _cut(text: str, kept: int) -> str:
    head = (kept + 1) // 2
    return f"{text[:head].rstrip()}…{text[len(text) - (kept - head) :].lstrip() if kept > head else ''}"


def wrapped(text: str, size: float, most: float, lines: int, bold: bool = False) -> list[str]:
    """The text in at most so many lines of a width, broken at spaces; what is too long is cut."""
    out: list[str] = []
    rest = text[:2000].split()
    while rest and len(out) < lines:
        line = rest.pop(0)
        while rest and width(f"{line} {rest[0]}", size, bold) <= most:
            line += f" {rest.pop(0)}"
        if rest and len(out) == lines - 1:
            line = f"{line} {' '.join(rest)}"
        out.append(fitted(line, size, most, bold))
    return out
