"""``archlens diagram``."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from ...drawing import Request, extensions, style_names, to_bytes
from ...drawing.fit import PRINT, SCREEN
from ...drawing.formats import ANY
from ...drawing.metrics import SANS
from ...drawing.part import part
from ...drawing.request import HEATS, LABELS, SCALES, unplaced
from ...drawing.theme import AUTO, PALETTES
from ...errors import SpecError, Unplaced
from ..options import Load, network_argument
from ..output import show, write_bytes
from ..pictures import extension_of, fit_option, font_option, theme_option


@click.command("diagram")
@network_argument
@click.option(
    "-o",
    "--output",
    "path",
    metavar="FILE",
    required=True,
    help=f"The file to write; its extension is the format: {', '.join(extensions())}.",
)
@click.option("--style", type=click.Choice(style_names()), default="graph", show_default=True)
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    help="How many levels of scopes to open; by default as many as are legible.",
)
@click.option(
    "--direction",
    type=click.Choice(["tb", "lr"]),
    help="The direction of a graph, top to bottom or left to right; by default whichever fits.",
)
@fit_option("it")
@click.option(
    "--font-size",
    type=float,
    metavar="SIZE",
    help=f"The smallest text, in points or pixels.  [default: {PRINT:g} pt in print, {SCREEN:g} px]",
)
@font_option
@click.option(
    "--scale",
    type=click.Choice(SCALES),
    default=SCALES[0],
    show_default=True,
    help="How drawn sizes grow with real ones, with --style volumes.",
)
@click.option("--layer", metavar="NAME", help="The layer whose receptive field is drawn, with --style field.")
@click.option("--scope", metavar="SCOPE", help="Draw only this scope, such as layer1.0.")
@click.option(
    "--labels",
    metavar="NAMES",
    help=f"Figures in each box, separated by commas: {', '.join(LABELS)}.",
)
@click.option(
    "--heat",
    type=click.Choice(tuple(HEATS)),
    help="Colour boxes by a figure, with --style graph or volumes.",
)
@click.option("--bare", is_flag=True, help="Only the drawing: no title, no key, no notes.")
@click.option(
    "--palette",
    type=click.Choice(PALETTES),
    default=PALETTES[0],
    show_default=True,
    help="The colours of families of ops.",
)
@click.option(
    "--ground",
    type=click.Choice(["theme", "none"]),
    default="theme",
    show_default=True,
    help="The background; none is transparent.",
)
@theme_option("Light or dark", "auto for an .svg that is read on a screen, or else light")
def command(
    load: Load,
    path: str,
    style: str,
    depth: int | None,
    direction: str | None,
    theme: str | None,
    fit: str | None,
    font_size: float | None,
    font: str | None,
    scope: str | None,
    labels: str | None,
    heat: str | None,
    scale: str,
    layer: str | None,
    bare: bool,
    palette: str,
    ground: str,
) -> None:
    """Draw a network: layers, stages and blocks, or feature maps.

    If a layer does not fit, the network is drawn up to that layer, which is shown in red with the reason.
    """
    extension = extension_of(path)
    problem: SpecError | None = None
    failed: Unplaced | None = None
    try:
        network = load()
    except SpecError as found:
        if found.network is None:
            raise
        problem, network = found, found.network
        if scope is not None:  # whose shapes nobody knows
            raise
        failed = unplaced(found)
    if scope is not None:
        network = part(network, scope)
    request = Request(
        network, style, depth, direction, failed,
        theme=theme or "light", fit=fit or "", font_size=font_size,
        font=font or SANS.name, bare=bare, ground=ground, palette=palette,
        labels=tuple(name.strip() for name in labels.split(",")) if labels is not None else (),
        scale=scale, layer=layer or "", heat=heat or "",
    ).made_for(extension)  # fmt: skip
    if theme is None and extension == "svg" and not request.page.printed:
        request = replace(request, theme=AUTO)
    content = to_bytes(request, extension)
    write_bytes(content, path)
    if extension in ANY and (warning := request.too_large) is not None:
        show(warning)
    if problem is not None:
        show(problem.diagnostic)
        sys.exit(1)
