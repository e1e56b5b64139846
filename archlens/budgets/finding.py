"""Finding the project that a folder belongs to: the ``pyproject.toml`` above it that speaks of archlens."""

from __future__ import annotations

from os.path import isfile
from pathlib import Path

from ..errors import Source, usage
from .project import Project

_FILE = "pyproject.toml"

#: The largest file that is read.
_MAX_BYTES = 2_000_000


def find_project(start: Path | None = None) -> Project:
    """The project that a folder belongs to: the nearest one above with a ``[tool.archlens]``.

    Without one the folder itself is the project, and it has no budgets.

    Raises:
        UsageError: the nearest ``pyproject.toml`` that speaks of archlens is wrong; with its place.
    """
    start = (start or Path.cwd()).resolve()
    nearest: Path | None = None
    for folder in (start, *start.parents):
        file = folder / _FILE
        if file.is_file():
            text = read_text(file)
            if "archlens" in text:
                from .tables import read_project  # many projects have no budgets

                project = read_project(Source(display(file), text), folder)
                if project is not None:
                    return project
            nearest = nearest or folder
        if (folder / ".git").exists():
            break
    return Project(nearest or start)


def display(file: Path) -> str:
    """A path as messages call it: relative, where it lies below the current folder or beside it."""
    from os.path import relpath

    try:
        return relpath(file).replace("\\", "/")
    except ValueError:  # another drive
        return str(file)


def called(root: Path, name: str) -> str:
    """A network that a project names, as one names it in the current folder: ``../a.yaml:small``."""
    file = name.rpartition(":")[0] if ":" in name else name
    return display(root / name) if isfile(root / file) or isfile(root / name) else name


def read_text(file: Path) -> str:
    """The text of a file of a project.

    Raises:
        UsageError: it cannot be read, or is no text.
    """
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as problem:
        raise usage(f"{display(file)} cannot be read: {problem.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise usage(f"{display(file)} is larger than {_MAX_BYTES // 10**6} MB")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise usage(f"{display(file)} is not UTF-8") from None
