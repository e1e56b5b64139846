"""``.tex``: a picture as TikZ in a document of its own, to be compiled as it is or taken into a paper.

Every colour has a name at the top, so that a paper can give it another.
"""

from __future__ import annotations

from ...errors import printable, shorten, usage
from ...forms.latex import LATIN, SPECIAL, escape
from ..picture import Group, Item, Path, Picture, Point, Rect, Text, number, walk
from ..request import HasPicture

#: The package and the family that each font is in TeX: Helvetica, Times and Courier.
_PACKAGES = {
    "sans": ("helvet", "sffamily"),
    "serif": ("mathptmx", "rmfamily"),
    "mono": ("courier", "ttfamily"),
}
_ANCHORS = {"start": "base west", "middle": "base", "end": "base east"}


def to_bytes(drawn: HasPicture) -> bytes:
    """A picture as the content of a TeX file."""
    return to_tex(drawn.picture).encode("utf-8")


def to_tex(picture: Picture) -> str:
    """A picture as a standalone TeX document; pdfLaTeX, XeLaTeX and LuaLaTeX compile it.

    Where pdfLaTeX knows a character no better, it sets a question mark in its place.
    """
    if picture.font.name not in _PACKAGES:
        raise usage(
            f"a .tex has the fonts of TeX, and not {shorten(picture.font.name)}",
            help=f"--font {' or '.join(_PACKAGES)}; .pdf, .png and .svg hold any font",
        )
    package, family = _PACKAGES[picture.font.name]
    colors: dict[str, str] = {}
    body: list[str] = []
    page = Rect(0, 0, picture.width, picture.height, picture.background)
    point = picture.printed
    for item in (page, *picture.items):
        _write(item, body, colors, point)
    texts = {c for item in walk(picture.items) if isinstance(item, Text) for c in printable(item.text)}
    return "\n".join(
        [
            r"\documentclass[tikz,border=0pt]{standalone}",
            r"\usepackage[T1]{fontenc}",
            rf"\usepackage{{{package},xcolor}}",
            *(_declared(c) for c in sorted(texts) if ord(c) > LATIN and c not in SPECIAL),
            *(f"\\definecolor{{{name}}}{{HTML}}{{{color[1:].upper()}}}" for color, name in colors.items()),
            r"\begin{document}",
            f"% {_comment(picture.title)}",
            r"% from the top left, in units of which the smallest text has nine and a half",
            f"\\begin{{tikzpicture}}[x={point:.4g}bp,y=-{point:.4g}bp,line cap=butt,line join=round,",
            rf"  every node/.style={{inner sep=0pt,outer sep=0pt,font=\{family}}}]",
            *body,
            r"\end{tikzpicture}",
            r"\end{document}",
            "",
        ]
    )


def _declared(c: str) -> str:
    """A character at which pdfLaTeX would stop, unless it knows it; other engines have no such command."""
    known = rf"\ifcsname u8:\detokenize{{{c}}}\endcsname\else"
    return rf"\ifdefined\DeclareUnicodeCharacter{known}\DeclareUnicodeCharacter{{{ord(c):04X}}}{{?}}\fi\fi"


def _comment(text: str) -> str:
    return printable(text)[:200]


def _write(item: Item, out: list[str], colors: dict[str, str], point: float) -> None:
    """Adds the lines of an item; what TikZ does not measure in units is so many bp for a ``point``."""
    match item:
        case Group():
            if item.title:
                out.append(f"% {item.kind}: {_comment(item.title.splitlines()[0])}")
            for inner in item.items:
                _write(inner, out, colors, point)
        case Rect():
            radius = min(item.radius, item.width / 2, item.height / 2)
            rounded = [f"rounded corners={number(radius * point)}bp"] if radius else []
            words = [*_paint(item, colors, point), *rounded]
            corner = (item.x + item.width, item.y + item.height)
            out.append(f"\\path[{','.join(words)}] {_point((item.x, item.y))} rectangle {_point(corner)};")
        case Path():
            words = [_point(item.start)]
            for step in item.steps:
                if len(step) == 1:
                    words.append(f"-- {_point(step[0])}")
                else:
                    first, second, end = map(_point, step)
                    words.append(f".. controls {first} and {second} .. {end}")
            if item.closed:
                words.append("-- cycle")
            out.append(f"\\path[{','.join(_paint(item, colors, point))}] {' '.join(words)};")
        case Text():
            bold = r"\bfseries" if item.bold else ""
            high, skip = number(item.size * point), number(item.size * point * 1.2)
            size = f"\\fontsize{{{high}bp}}{{{skip}bp}}\\selectfont{bold}"
            out.append(
                f"\\node[anchor={_ANCHORS[item.anchor]},text={_name(item.fill, colors)}] at "
                f"{_point((item.x, item.y))} {{{size} {escape(item.text)}}};"
            )


def _paint(item: Rect | Path, colors: dict[str, str], point: float) -> list[str]:
    words = []
    if item.fill:
        words.append(f"fill={_name(item.fill, colors)}")
    if item.stroke:
        words += [f"draw={_name(item.stroke, colors)}", f"line width={item.thickness * point:.3g}bp"]
        if item.dash:
            on, off = (length * point for length in item.dash[:2])
            words.append(f"dash pattern=on {number(on)}bp off {number(off)}bp")
    return words


def _name(color: str, colors: dict[str, str]) -> str:
    """The name of a colour in the file: made of letters alone."""
    if color not in colors:
        index = len(colors)
        colors[color] = "archlens" + chr(ord("A") + index // 26) + chr(ord("a") + index % 26)
    return colors[color]


def _point(point: Point) -> str:
    return f"({number(point[0])},{number(point[1])})"
