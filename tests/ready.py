"""A process that has imported archlens and stands ready, for ``apart`` of ``tests/running.py``.

Each line that it reads is a command as JSON, which a copy of the process becomes: with streams, folder,
environment and limits of its own, as if it had just been started. How it ended is answered in a line.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import sys
import traceback
from typing import Any

from archlens.bounds import together
from archlens.cli import main


def prepare() -> None:
    """Import what most commands do, and leave nothing else behind."""
    sys.argv = ["archlens", "shapes", "lenet5"]
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere), together():
        ended()
    gc.collect()
    gc.freeze()


def ended() -> int:
    """The status of the command line, which says of itself what it did not catch."""
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code if isinstance(code, int) else 0


def become(command: dict[str, Any]) -> int:
    """Run a command; returns its status."""
    writing = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, flags in enumerate((os.O_RDONLY, writing, writing)):
        os.dup2(os.open(command["streams"][number], flags), number)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115
        for number, (mode, errors) in enumerate([("r", "strict"), ("w", "strict"), ("w", "backslashreplace")])
    )
    os.environ.clear()
    os.environ.update(command["environment"])
    os.chdir(command["folder"])
    for name, most in command["limits"].items():
        resource.setrlimit(getattr(resource, name), (most, most))
    sys.argv = ["archlens", *command["args"]]
    return ended()


if __name__ == "__main__":
    prepare()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            os._exit(become(json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
