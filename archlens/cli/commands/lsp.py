"""``archlens lsp``."""

from __future__ import annotations

import click

from ... import __version__
from ...errors import not_installed


@click.command("lsp")
@click.option(
    "--pause",
    type=click.FloatRange(0, 60),
    default=0.4,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait after a keystroke before the rules are checked.",
)
@click.option("--stdio", is_flag=True, help="Accepted because editors pass it; it is the only transport.")
def command(pause: float, stdio: bool) -> None:
    """Run a language server on standard input and output, for editors.

    It reports mistakes as you type, explains ops and layers, shows the output shape of each step, completes,
    renames and formats. It needs pygls: pip install 'archlens-nn[lsp]'.
    """
    try:
        from ...editor.server import serve
    except ModuleNotFoundError as problem:
        if (problem.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise not_installed("archlens lsp needs pygls", "lsp") from None
    serve(__version__, pause)
