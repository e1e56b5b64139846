"""Where results go: the terminal, a pipe or a file; and how diagnostics look there."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

import click

from ..errors import Diagnostic, printable, render, usage

_STYLES: dict[str, dict[str, str | bool]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "advice": {"fg": "magenta", "bold": True},
    "message": {"bold": True},
    "place": {"fg": "cyan"},
    "help": {"fg": "green", "bold": True},
}


def colored(stream: TextIO) -> bool:
    """Whether a stream is a terminal that wants colours; https://no-color.org is respected."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """The columns to fit: the terminal's, or those of COLUMNS; ``None`` for a pipe."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        import shutil  # brings compression libraries along

        return max(shutil.get_terminal_size().columns, 20)
    return None


def styled(text: str, role: str) -> str:
    """A piece of text in the colours of its role, as :data:`archlens.errors.Style` has it."""
    return click.style(text, **_STYLES.get(role, {}))  # type: ignore[arg-type]


def show(diagnostic: Diagnostic) -> None:
    """Print a diagnostic to standard error."""
    text = render(diagnostic, styled) if colored(sys.stderr) else render(diagnostic)
    click.echo(text, err=True, color=colored(sys.stderr))


def write(text: str, path: str | None) -> None:
    """Print a result, or write it to a file, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    if path is None or path == "-":
        click.echo(text, color=colored(sys.stdout))
        return
    write_bytes(f"{text}\n".encode(), path)


def write_bytes(content: bytes, path: str) -> None:
    """Write the content of a file, whole or not at all; ``-`` is the standard output.

    Raises:
        UsageError: the file cannot be written.
    """
    if path == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    import tempfile  # brings random numbers and hashes along

    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        if target.exists() and not target.is_file():  # a pipe or a device cannot be replaced
            target.write_bytes(content)
            return
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".archlens-")
        try:
            with open(handle, "wb") as file:
                file.write(content)
            os.chmod(temporary, _mode(target))
            os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise usage(f"{printable(path)[:200]} cannot be written: {reason}") from None


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or those of any new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
