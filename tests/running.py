"""A command as a user would run it, but within this process: to start another takes longer than most."""

from __future__ import annotations

import contextlib
import gc
import io
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from archlens.cli import main


class Ended(NamedTuple):
    """How it ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run(*args: str, cwd: Path | None = None) -> Ended:
    """``archlens`` with these arguments, where nobody looks on: neither stream is a terminal.

    What it does not catch is raised, and would be a traceback.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", newline="") for _ in range(2))
    threshold = gc.get_threshold()
    code: object = 0
    with (
        contextlib.chdir(cwd or "."),
        mock.patch("sys.argv", ["archlens", *args]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
        finally:
            gc.set_threshold(*threshold)
    assert code is None or isinstance(code, int)
    return Ended(code or 0, *(_text(stream) for stream in (out, err)))


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
