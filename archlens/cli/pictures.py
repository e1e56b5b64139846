"""What commands that write pictures have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..drawing.fit import NAMED, PAPER, SCREENS
from ..drawing.metrics import FONTS_BY_NAME, SANS
from ..drawing.theme import AUTO, THEMES

_Command = TypeVar("_Command", bound=Callable[..., Any])


def fit_option(picture: str) -> Callable[[_Command], _Command]:
    """``--fit``: what the picture is made for."""
    return click.option(
        "--fit",
        metavar="FIT",
        help=f"Where {picture} will be read: {', '.join(NAMED)}, or a width (90mm, 5in, 700px).  "
        f"[default: {SCREENS}; .pdf and .tex: {PAPER}]",
    )


def font_option(command: _Command) -> _Command:
    """``--font``: that of its text."""
    return click.option(
        "--font",
        metavar="FONT",
        help=f"The font of the text, embedded in PDF and PNG: {', '.join(FONTS_BY_NAME)}, or a .ttf file.  "
        f"[default: {SANS.name}]",
    )(command)


def theme_option(what: str, default: str) -> Callable[[_Command], _Command]:
    """``--theme``: its colours."""
    return click.option(
        "--theme",
        type=click.Choice([*THEMES, AUTO]),
        help=f"{what}; with auto an .svg follows the reader's colours.  [default: {default}]",
    )


def extension_of(path: str) -> str:
    """What a file ends in, in small letters and without the dot; empty where it has no extension."""
    name = path.rpartition("/")[2]
    return name.rpartition(".")[2].lower() if "." in name.lstrip(".") else ""
