"""Colours: one per family of ops, told apart by colour-blind eyes and, by text and lines, in grey.

The hues are those of Okabe and Ito, "Color Universal Design" (2008), which also Wong, "Points of view: Color
blindness", Nature Methods 8, 441 (2011), recommends; of some families others, so that no two are less
than eight apart in CIE 1976 L*a*b* to any eye, and all are told from their ground.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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

#: The palettes: that of Okabe and Ito, and one for print without colours.
OKABE_ITO, GREYS = "okabe-ito", "greys"
PALETTES = (OKABE_ITO, GREYS)

#: The colour of each family of ops; a family that is not here gets one by its name.
FAMILIES = {
    "convolution": BLUE,
    "linear": "#c44e00",
    "pooling": "#00a87a",
    "normalization": SKY,
    "activation": ORANGE,
    "merge": PURPLE,
    "upsampling": YELLOW,
    "regularization": "#7a3b10",
    "reshape": "#666666",
    "attention": "#35105f",
    "recurrent": "#332288",
}

#: The same in greys; what computes most is darkest.
_GREYS = {
    "convolution": "#262626",
    "linear": "#4d4d4d",
    "attention": "#3a3a3a",
    "recurrent": "#434343",
    "pooling": "#737373",
    "merge": "#595959",
    "upsampling": "#666666",
    "normalization": "#8c8c8c",
    "activation": "#808080",
    "regularization": "#8f8f8f",
    "reshape": "#929292",
}
#: For families to come: further hues, between those of the palette.
_FURTHER = ("#44aa99", "#882255", "#999933", "#6699cc", "#aa4466", "#117733")

#: For kinds of block, which no family has the colours of.
_BLOCKS = ("#882255", "#999933", "#44aa99", "#6699cc", "#117733", "#aa4466")
_GREY_BLOCKS = ("#4d4d4d", "#8c8c8c", "#262626", "#737373", "#595959", "#929292")

#: Scales of colours, from none to most, each with as much lightness at every step: light grounds are left
#: towards the dark, and dark ones towards the light.
_HEAT = {
    ("light", OKABE_ITO): ("#fff7d6", "#f5c24a", "#dd6a1f", "#a3203a", "#4a0a3c"),
    ("dark", OKABE_ITO): ("#1f2330", "#5b1f5c", "#b5304f", "#ee8432", "#ffe98a"),
    ("light", GREYS): ("#f7f7f7", "#1c1c1c"),
    ("dark", GREYS): ("#262626", "#f2f2f2"),
}

#: For groups of any kind, in the order in which they are told apart best.
HUES = (
    *(BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, "#7a4ea3"),
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
    palette: str = OKABE_ITO

    def color(self, family: str) -> str:
        """The full colour of a family, for lines and accents."""
        return self._seen(color_of(family, self.palette))

    def tint(self, family: str) -> str:
        """The colour of a family's boxes, on which text is read."""
        return mixed(color_of(family, self.palette), self.background, self.strength)

    def hue(self, position: int) -> str:
        """The full colour of the n-th of some groups, which have no colours of their own."""
        return self._seen(HUES[position % len(HUES)])

    def block(self, position: int) -> str:
        """The full colour of the n-th kind of block."""
        return self._seen((_GREY_BLOCKS if self.palette == GREYS else _BLOCKS)[position])

    def heat(self, share: float) -> str:
        """A colour for a share of the most, from 0 to 1."""
        scale = _HEAT[self.name, self.palette]
        at = min(max(share, 0.0), 1.0) * (len(scale) - 1)
        step = min(int(at), len(scale) - 2)
        return mixed(scale[step + 1], scale[step], at - step)

    def lit(self, color: str) -> str:
        """A colour of :meth:`heat` on a side in the light."""
        return mixed(color, "#ffffff", 0.82)

    def shaded(self, color: str) -> str:
        """The same on a side in the shade."""
        return mixed(color, "#000000", 0.9)

    @property
    def hatch(self) -> str:
        """The lines over what is not known, on the ground of boxes."""
        return self.shade(self.border, 0.45)

    def ink(self, ground: str) -> str:
        """Black or white, whichever is told better from a ground: from any of them by 4.5 at least."""
        return max(("#000000", "#ffffff"), key=lambda color: contrast(color, ground))

    def _seen(self, color: str) -> str:
        """A colour with as much of that of text as it needs to be told from the ground."""
        purity = self.purity
        while contrast(found := mixed(color, self.text, purity), self.background) < LEAST_CONTRAST:
            purity -= 0.02
        return found

    def shade(self, color: str, strength: float) -> str:
        """Some of a colour over the background."""
        return mixed(color, self.background, strength)


LIGHT = Theme(
    name="light",
    background="#ffffff",
    text="#1b1f24",
    muted="#57606a",
    box="#f1f3f5",
    border="#757e88",
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

#: How well lines and outlines are to be told from their ground.
LEAST_CONTRAST = 3.0

#: The theme of a picture that takes that of its page: no colours, but both of them.
AUTO = "auto"


def color_of(family: str, palette: str = OKABE_ITO) -> str:
    """The hue of a family of ops; one that has none is given a further one by its name."""
    if palette == GREYS:
        return _GREYS.get(family, "#777777")
    return FAMILIES.get(family) or _FURTHER[crc32(family.encode()) % len(_FURTHER)]


def contrast(a: str, b: str) -> float:
    """How well two colours are told apart, from 1 to 21.

    The contrast ratio of the Web Content Accessibility Guidelines 2.2, which ask for 3 between what is to be
    seen and its ground, and for 4.5 between text and its.

    >>> round(contrast("#ffffff", "#000000"), 6), round(contrast("#777777", "#ffffff"), 2)
    (21.0, 4.48)
    """
    bright, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@lru_cache(4096)
def _luminance(color: str) -> float:
    def linear(part: int) -> float:
        share = part / 255
        return share / 12.92 if share <= 0.04045 else float(((share + 0.055) / 1.055) ** 2.4)

    red, green, blue = map(linear, _channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def theme_of(name: str, palette: str = OKABE_ITO) -> Theme:
    """The theme of a name, with the colours of a palette.

    Raises:
        UsageError: there is no such theme or palette.
    """
    if palette not in PALETTES:
        raise usage(
            f"there is no palette {shorten(palette)}",
            help=did_you_mean(palette, PALETTES, otherwise=" or ".join(PALETTES)),
        )
    if name not in THEMES:
        raise usage(
            f"there is no theme {shorten(name)}", help=did_you_mean(name, THEMES, otherwise="light or dark")
        )
    theme = THEMES[name]
    # bypasses are thick and solid, or thick and dashed, in any colour
    return (
        theme
        if palette == OKABE_ITO
        else replace(theme, palette=palette, residual=theme.text, dense=theme.line)
    )


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
