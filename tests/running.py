"""A command as a user would run it, but sooner: to start Python and import archlens takes longer than most.

:func:`run` is within this process; :func:`apart` in one of its own, the copy of one that stands ready.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from archlens.cli import main


class Ended(NamedTuple):
    """How it ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def run(*args: str, cwd: Path | None = None, encoding: str = "utf-8") -> Ended:
    """``archlens`` with these arguments, where nobody looks on: neither stream is a terminal.

    What it does not catch is raised, and would be a traceback.
    """
    out, err = (
        io.TextIOWrapper(io.BytesIO(), encoding, errors, newline="")
        for errors in ("strict", "backslashreplace")
    )
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


def apart(
    *args: str,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    limits: Mapping[str, int] | None = None,
    **environment: str,
) -> Ended:
    """``archlens`` with these arguments in a process of its own, with limits by POSIX's names for them.

    No stream is a terminal; what it does not catch is a traceback in its errors.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, out, err = (Path(folder, name) for name in ("in", "out", "err"))
        if stdin is not None:
            given.write_bytes(stdin)
        command = {
            "args": args,
            "folder": str(cwd or Path.cwd()),
            "streams": [str(given) if stdin is not None else os.devnull, str(out), str(err)],
            "environment": os.environ | environment,
            "limits": limits or {},
        }
        ready = _ready()
        assert ready.stdin is not None
        assert ready.stdout is not None
        print(json.dumps(command), file=ready.stdin, flush=True)
        status = int(ready.stdout.readline())
        return Ended(status, *(path.read_bytes().decode() for path in (out, err)))


@cache
def _ready() -> subprocess.Popen[str]:
    """The process that stands ready, and ends with this one."""
    command = [sys.executable, str(Path(__file__).with_name("ready.py"))]
    ready = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(ready.communicate)
    return ready


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
