"""Where results go: the terminal, a pipe or a file; and how diagnostics look there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, TypedDict, TypeGuard, TypeVar

import click

from ..errors import Diagnostic, Style, printable, render, shorten, unstyled, usage
from ..forms import form as form_of
from ..forms.table import Table
from ..wrapping import wrapped

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")

_STYLES: dict[str, dict[str, str | bool]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "advice": {"fg": "magenta", "bold": True},
    "message": {"bold": True},
    "place": {"fg": "cyan"},
    "help": {"fg": "green", "bold": True},
    "head": {"bold": True},
    "rule": {"dim": True},
    "good": {"fg": "green"},
    "bad": {"fg": "red", "bold": True},
    "notable": {"fg": "yellow"},
}


def colored(stream: TextIO) -> bool:
    """Whether a stream is a terminal that wants colours; https://no-color.org is respected."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def is_file(path: str | None) -> TypeGuard[str]:
    """Whether -o means a file; without it, or with ``-``, a result goes to the standard output."""
    return path is not None and path != "-"


class TextOptions(TypedDict):
    """How a text is fitted and dressed, as the views take it."""

    width: int | None
    style: Style


def text_options(path: str | None = None) -> TextOptions:
    """The columns to fit and the colours, where -o sends a result; none for a file."""
    if is_file(path):
        return {"width": None, "style": unstyled}
    return {"width": _width(sys.stdout), "style": styled if colored(sys.stdout) else unstyled}


def _width(stream: TextIO) -> int | None:
    """The columns to fit: those of COLUMNS, or the terminal's; ``None`` for a pipe."""
    given = os.environ.get("COLUMNS", "")
    columns = int(given) if given.isdecimal() and len(given) < 10 else 0
    if not columns and stream.isatty():
        try:
            columns = os.get_terminal_size(stream.fileno()).columns
        except (OSError, ValueError):  # some terminals do not say
            columns = 0
        columns = columns or 80
    return max(columns, 20) if columns else None


def styled(text: str, role: str) -> str:
    """A piece of text in the colours of its role, as :data:`archlens.errors.Style` has it."""
    return click.style(text, **_STYLES.get(role, {}))  # type: ignore[arg-type]


def show(diagnostic: Diagnostic) -> None:
    """Print a diagnostic to standard error."""
    style = styled if colored(sys.stderr) else unstyled
    click.echo(render(diagnostic, style, _width(sys.stderr)), err=True, color=colored(sys.stderr))


def remark(text: str, *, err: bool = True) -> None:
    """Print a sentence that is no part of a result."""
    click.echo("\n".join(wrapped(text, _width(sys.stderr if err else sys.stdout))), err=err)


def write(text: str, path: str | None) -> None:
    """Print a result, or write it to a file, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    if is_file(path):
        write_bytes(f"{text}\n".encode(), path)
    else:
        click.echo(text, color=colored(sys.stdout))


def write_code(text: str, lexer: str, path: str | None) -> None:
    """Print a text in the colours of its language, where those of a terminal are wanted; or as :func:`write`.

    Raises:
        UsageError: the file cannot be written.
    """
    text = text.rstrip("\n")
    if path is None and colored(sys.stdout):
        from pygments import highlight
        from pygments.formatters import TerminalFormatter
        from pygments.lexers import get_lexer_by_name

        text = highlight(text, get_lexer_by_name(lexer), TerminalFormatter()).rstrip("\n")
    write(text, path)


def write_table(table: Table, form: str, path: str | None) -> None:
    """Print a table in a form, or write it to a file.

    Raises:
        UsageError: the file cannot be written.
    """
    written = form_of(form).write
    text = written(table, **text_options(path)) if form == "table" else written(table)
    if text or path is not None:
        write(text, path)


def write_bytes(content: bytes, path: str) -> None:
    """Write the content of a file, whole or not at all; ``-`` is the standard output.

    A link stays one: what it leads to is written.

    Raises:
        UsageError: the file cannot be written.
    """
    if path == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    import tempfile  # brings random numbers and hashes along
    from pathlib import Path

    target = Path(path)
    try:
        if target.is_dir():
            raise IsADirectoryError(21, "Is a directory")
        # a pipe or a device cannot be replaced, nor what /dev/stdout is open on
        if (target.exists() and not target.is_file()) or target.is_relative_to("/dev"):
            target.write_bytes(content)
            return
        if target.is_symlink():
            target = Path(os.path.realpath(target))
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


def write_files(files: Sequence[tuple[str, bytes]], folder: str) -> None:
    """Write files by their paths beneath a folder, which is made where there is none; each is whole.

    What is in the way of one is found before the first is written.

    Raises:
        UsageError: one cannot be written.
    """
    from pathlib import Path

    targets = {Path(folder) / path: content for path, content in files}
    for parent in dict.fromkeys(target.parent for target in targets):
        try:
            parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or str(problem)
            raise usage(f"{shorten(str(parent))} is not a folder to write to: {reason}") from None
    for target in targets:
        if target.is_dir():
            raise usage(f"{printable(str(target))[:200]} cannot be written: Is a directory")
    for target, content in targets.items():
        write_bytes(content, str(target))


def progress(items: Sequence[T], label: str, name: Callable[[T], str], *, many: int = 2) -> Iterator[T]:
    """The items one by one; from ``many`` on with a bar on standard error, if that is a terminal."""
    if len(items) < many or not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(
        items, label=label, file=sys.stderr, item_show_func=lambda item: name(item) if item else ""
    ) as bar:
        yield from bar


def _mode(target: Path) -> int:
    """The permissions of the file that is replaced, or those of any new file."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
