"""The command line: read arguments, call one function, print its result.

Each command is a file of ``commands``, imported only when it is asked for.
"""

# ruff: noqa: E402
from __future__ import annotations

import gc

# what a run imports and lays out lives until it ends: a collector that visits it again and again would take a
# twentieth of a short run, and double the time of a network with a million layers
gc.set_threshold(50_000)

import atexit
import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import click

from .. import __version__
from ..errors import ArchlensError, Caution, UsageError
from . import commands
from .output import show
from .summaries import SAY


class _Commands(click.Group):
    """The commands by the names of their files."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from pkgutil import iter_modules

        return sorted(module.name for module in iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = f"{commands.__name__}.{cmd_name}"
        if cmd_name not in SAY and cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(name).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with what they do, of which none is imported for it."""
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        rows = []
        for name in names:
            told = click.Command(name, help=SAY[name]) if name in SAY else self.get_command(ctx, name)
            assert told is not None
            rows.append((name, told.get_short_help_str(limit)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from ..errors import did_you_mean, shorten

        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            help = did_you_mean(args[0], self.list_commands(ctx), otherwise="see archlens --help")
            ctx.fail(f"there is no command {shorten(args[0])}; {help}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="archlens")
def cli() -> None:
    """Exact shapes, parameters and multiply-accumulates of neural networks, without torch.

    NAME is a network of the zoo (see `archlens list`), a spec file of your own (my.yaml or
    my.yaml:variant), a torch module (model.py:Net, whose code is run), or a file of another tool
    (such as model.onnx, model.keras or yolo.yaml, which is only read).
    """


def _shown(otherwise: Callable[..., None], message: Warning | str, *place: Any) -> None:
    """A warning: what is about a network as a diagnostic, without the line of Python that gave it."""
    if isinstance(message, Caution):
        show(message.diagnostic)
    else:
        otherwise(message, *place)


def main() -> Any:
    """Run the command line; exits with 0, or 1 where the spec is wrong, or 2 where the usage is."""
    # where it ends, all goes with the process: a last collection would visit each object for nothing
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = partial(_shown, warnings.showwarning)
    try:
        return cli(prog_name="archlens")
    except ArchlensError as problem:
        show(problem.diagnostic)
        sys.exit(2 if isinstance(problem, UsageError) else 1)
