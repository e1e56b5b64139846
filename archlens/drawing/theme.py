"""Colours: one per family of ops, told apart by colour-blind eyes and, by text and lines, in grey.

The hues are those of Okabe and Ito, "Color Universal Design" (2008), which also Wong, "Points of view: Color
blindness", Nature Methods 8, 441 (2011), recommends.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from ..errors import did_you_mean, shorten, usage

ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE, GREY = (
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
    "#888888",
)

#: The colour of each family of ops; a family that is not here gets one by its name.
FAMILIES = {
    "convolution": BLUE,
    "linear": VERMILION,
    "pooling": GREEN,
    "normalization": SKY,
    "activation": ORANGE,
    "merge": PURPLE,
    "upsampling": YELLOW,
    "regularization": GREY,
    "reshape": GREY,
    "attention": "#7a4ea3",
    "recurrent": "#44aa99",
}

#: For families to come: further hues, between those of the palette.
_FURTHER = ("#44aa99", "#882255", "#999933", "#6699cc", "#aa4466", "#117733")

#: For groups of any kind, in the order in which they are told apart best.
HUES = (
    *(BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, FAMILIES["attention"]),
    *(*_FURTHER[1:3], GREY, *_FURTHER[3:], _FURTHER[0]),
)


@dataclass(frozen=True)
class Theme:
    """The colours of a picture that do not come from a family."""

    name: str
    background: str
    #: Text, and text of second rank.
    text: str
    muted: str
    #: Boxes without a family, their borders, and lines.
    box: str
    border: str
    line: str
    #: The ground of scopes, one within another.
    scopes: tuple[str, ...]
    #: Residual and dense connections.
    residual: str
    dense: str
    #: What failed.
    failed: str
    #: How much of a family's colour its boxes have, and how much its lines have; the rest is that of text.
    strength: float
    purity: float

    def color(self, family: str) -> str:
        """The full colour of a family, for lines and accents."""
        return mixed(color_of(family), self.text, self.purity)

    def tint(self, family: str) -> str:
        """The colour of a family's boxes, on which text is read."""
        return mixed(color_of(family), self.background, self.strength)

    def hue(self, position: int) -> str:
        """The full colour of the n-th of some groups, which have no colours of their own."""
        return mixed(HUES[position % len(HUES)], self.text, self.purity)

    def shade(self, color: str, strength: float) -> str:
        """Some of a colour over the background."""
        return mixed(color, self.background, strength)


LIGHT = Theme(
    name="light",
    background="#ffffff",
    text="#1b1f24",
    muted="#57606a",
    box="#f1f3f5",
    border="#8c959f",
    line="#57606a",
    scopes=("#f6f8fa", "#eceff2", "#e2e6ea"),
    residual="#c24d00",
    dense="#7a4ea3",
    failed="#c00020",
    strength=0.24,
    purity=1.0,
)

DARK = Theme(
    name="dark",
    background="#0d1117",
    text="#e6edf3",
    muted="#9aa4af",
    box="#21262d",
    border="#6e7681",
    line="#9aa4af",
    scopes=("#151b23", "#1b222c", "#222a35"),
    residual="#ff8c42",
    dense="#c39be8",
    failed="#ff6b78",
    strength=0.36,
    purity=0.72,
)

THEMES = {theme.name: theme for theme in (LIGHT, DARK)}

#: The theme of a picture that takes that of its page: no colours, but both of them.
AUTO = "auto"


def color_of(family: str) -> str:
    """The hue of a family of ops; one that has none is given a further one by its name."""
    return FAMILIES.get(family) or _FURTHER[crc32(family.encode()) % len(_FURTHER)]


def theme_of(name: str) -> Theme:
    """The theme of a name.

    Raises:
        UsageError: there is none.
    """
    if name not in THEMES:
        raise usage(
            f"there is no theme {shorten(name)}", help=did_you_mean(name, THEMES, otherwise="light or dark")
        )
    return THEMES[name]


@lru_cache(4096)
def mixed(color: str, ground: str, share: float) -> str:
    """``share`` of a colour over a ground, in sRGB.

    >>> mixed("#000000", "#ffffff", 0.5)
    '#808080'
    """
    parts = zip(_channels(color), _channels(ground), strict=True)
    return "#" + "".join(f"{int(a * share + b * (1 - share) + 0.5):02x}" for a, b in parts)


def _channels(color: str) -> tuple[int, ...]:
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))
