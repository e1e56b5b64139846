"""A picture within a page of HTML: it turns dark where the page does, and clashes with nothing on it.

No picture has an ``id``. Each colour that differs between the themes is a custom property of CSS that is
named by both colours, so that pictures on one page agree about them. They are set where an ancestor says that
the page is dark, in the way of JupyterLab and Notebook (``data-jp-theme-light``), VS Code (``vscode-dark``),
Colab (``theme``), furo and the PyData theme (``data-theme``), Material for MkDocs (``data-md-color-scheme``)
and MkDocs (``data-bs-theme``). On any other page the picture is light, on its own ground.
"""

from __future__ import annotations

from .drawn import Drawn
from .formats.svg import to_svg
from .theme import AUTO
from .themed import merged

_DARK = (
    '[data-jp-theme-light="false"],.vscode-dark,.vscode-high-contrast,html[theme="dark"],[data-theme="dark"],'
    '[data-md-color-scheme="slate"],[data-bs-theme="dark"]'
)
#: Where the page leaves it to the browser.
_ASKED = '[data-theme="auto"]'


def to_inline(drawn: Drawn, sheet: dict[str, str] | None = None) -> str:
    """A picture as an ``<svg>`` element no wider than its page.

    Args:
        drawn: a :class:`archlens.drawing.Request` or :class:`archlens.drawing.Chart`; its theme may be
            :data:`AUTO`.
        sheet: gathers the colours of dark pages for :func:`style_sheet`, where the site has one for all;
            without it the element holds its own.

    Raises:
        UsageError: there is no such style or theme, or too much to draw, or a package is missing.
    """
    style = '<svg style="max-width: 100%; height: auto"'
    if drawn.theme != AUTO:
        return to_svg(drawn.picture).replace("<svg", style, 1)
    colors = {} if sheet is None else sheet
    both = merged(*drawn.pictures, lambda light, dark: _both(light, dark, colors))
    text = to_svg(both).replace("<svg", f'{style} class="archlens-auto"', 1)
    if sheet is not None:
        return text
    head, title, rest = text.partition("<title>")
    return f"{head}<style>{style_sheet(colors)}</style>\n{title}{rest}"


def style_sheet(colors: dict[str, str]) -> str:
    """The colours of pictures on dark pages."""
    values = ";".join(f"{name}:{color}" for name, color in sorted(colors.items()))
    return (
        f":is({_DARK}) .archlens-auto{{{values}}}"
        f"@media (prefers-color-scheme:dark){{{_ASKED} .archlens-auto{{{values}}}}}"
    )


def _both(light: str, dark: str, colors: dict[str, str]) -> str:
    if light == dark:
        return light
    name = f"--al-{light[1:]}-{dark[1:]}"
    colors[name] = dark
    return f"var({name},{light})"
