"""How wide text is, by the metrics of one open font, so that no picture depends on the fonts of a machine.

The font is Archlens Sans, which travels with the package: Latin, Greek and Cyrillic of Liberation Sans 2.1.5
(SIL Open Font License 1.1) under a name of its own. Its advance widths are those of Arial and Helvetica, for
which the pictures ask first; ``tests/test_diagram.py`` holds the tables against the font files.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from pathlib import Path

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


def is_known(text: str) -> bool:
    """Whether every width is from the tables, and none is an estimate."""
    return text.isascii() or all(c in _WIDTHS[False] for c in text)


@lru_cache(4096)  # the words of a picture are measured again and again while it is laid out
def width(text: str, size: float, bold: bool = False) -> float:
    """The width of a line of text; characters without a known width count as a full square."""
    widths = _WIDTHS[bold]
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
