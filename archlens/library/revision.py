"""Specs as they were: ``git-rev:path``, such as ``main:models/a.yaml`` or ``HEAD~1:models/a.yaml:small``.

The file is read with ``git cat-file``; nothing is checked out, and git is run only for a name of this form.
"""

from __future__ import annotations

from os.path import isdir, isfile
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import BinaryIO, NamedTuple

from ..errors import UsageError, did_you_mean, printable, shorten, usage
from ..language.spec import Spec, parse
from .finding import ENDINGS, MAX_BYTES, Found, decoded, on_drive, with_used, with_variant
from .using import Where


class Place(NamedTuple):
    """A file at a revision."""

    revision: str
    path: str
    variant: str

    @property
    def called(self) -> str:
        """What messages call it."""
        return f"{self.revision}:{self.path}"


def spec_of(file: BinaryIO, at: Place, beside: str) -> Found:
    """The spec in a file as it was at a revision, with what it uses as that was then.

    Args:
        file: the file.
        at: where it is.
        beside: another file; its repository is asked where the current folder is in none.

    Raises:
        UsageError: it is larger than a spec may be, or has no such variant.
        SpecError: it is no spec, or uses what is not there.
    """
    spec = _read(file, at)
    if spec.uses:
        stored = _located(at, beside)
        spec = with_used(spec, _Stored(at, stored), stored.place)
    return with_variant(spec, at.variant, at.called)


def _read(file: BinaryIO, at: Place) -> Spec:
    data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise usage(f"{shorten(at.path)} is larger than {MAX_BYTES // 10**6} MB at {shorten(at.revision)}")
    return parse(decoded(data, at.called), name=Path(at.path).stem, path=at.called)


class _Location(NamedTuple):
    """Where git has a file: asked in which folder, at which commit, under which path."""

    folder: str
    commit: str
    place: str


class _Stored(NamedTuple):
    """A spec at a revision."""

    at: Place
    location: _Location

    def other(self, path: str) -> tuple[str, Where, Spec]:
        """Another spec by its path from here, at the same revision."""
        place = normpath(join(dirname(self.location.place), path))
        if self.location.place.startswith("./"):  # else it starts at the top of the repository
            place = f"./{place}"
        at = Place(self.at.revision, normpath(join(dirname(self.at.path), path)), "")
        location = self.location._replace(place=place)
        if _git(location.folder, "cat-file", "-e", f"{location.commit}:{place}") is None:
            raise usage(f"{shorten(at.revision)} has no file {shorten(at.path)}")
        with _blob(location, at) as file:
            return place, _Stored(at, location), _read(file, at)


def place(name: str) -> Place | None:
    """What ``git-rev:path`` means, which may end with ``:variant``; ``None`` where a name is of another form.

    Raises:
        UsageError: a revision or a path is missing.
    """
    if on_drive(name):
        return None
    revision, separator, rest = name.partition(":")
    if separator and (not revision or (not rest and not isfile(revision))):
        missing = "no path" if revision else "no revision"
        raise usage(f"{shorten(name)} has {missing}", help="as in HEAD:models/net.yaml")
    if not rest or isfile(name) or isfile(revision):
        return None
    if revision.endswith(ENDINGS):
        return None  # a file and its variant
    path, _, variant = rest.rpartition(":")
    return Place(revision, path, variant) if path.endswith(ENDINGS) else Place(revision, rest, "")


def opened(at: Place, beside: str) -> BinaryIO:
    """A file as it was at a revision, in no folder.

    Args:
        at: where it is.
        beside: another file; its repository is asked where the current folder is in none.

    Raises:
        UsageError: there is no such revision, file or repository.
    """
    return _blob(_located(at, beside), at)


def _blob(location: _Location, at: Place) -> BinaryIO:
    from tempfile import TemporaryFile

    file: BinaryIO = TemporaryFile()  # noqa: SIM115 - whoever asked for it closes it
    if _git(location.folder, "cat-file", "blob", f"{location.commit}:{location.place}", into=file) is None:
        file.close()
        raise usage(f"{shorten(at.path)} is not a file at {shorten(at.revision)}")
    file.seek(0)
    return file


def _located(at: Place, beside: str) -> _Location:
    revision, path = at.revision, at.path
    if revision.startswith("-") or not (revision + path).isprintable():
        raise usage(f"{shorten(revision)} is not a revision of git")
    # a path starts at the top of the repository, here or beside the other file, or in the current folder, or
    # is where the file lies today
    tries = [(".", path.removeprefix("./")), (".", f"./{path}")]
    lying = [Path(path)]
    if isfile(beside):
        there = Path(beside).resolve().parent
        tries.append((str(there), path.removeprefix("./")))
        near = there / Path(path).name
        if near.parts[-len(Path(path).parts) :] == Path(path).parts:  # else it is another file of that name
            lying.append(near)
    tries += [(str(file.parent), f"./{file.name}") for file in lying if isdir(file.parent)]
    folders = [
        folder
        for folder in dict.fromkeys(folder for folder, _ in tries)
        if _git(folder, "rev-parse") is not None
    ]
    if not folders:
        raise usage(
            f"{shorten(revision)}:{shorten(path)} asks for a revision, but this is not a git repository",
            help="OLD and NEW are names of networks, files, or git-rev:path",
        )
    commits = {
        folder: _git(folder, "rev-parse", "--verify", "-q", f"{revision}^{{commit}}") for folder in folders
    }
    if not any(commits.values()):
        known = _lines(folders[0], "for-each-ref", "--format=%(refname:short)")
        raise usage(
            f"git knows no revision {shorten(revision)}",
            help=did_you_mean(revision, known, otherwise="in CI, check out the history, too: fetch-depth: 0"),
        )
    for folder, place in tries:
        commit = (commits.get(folder) or b"").decode().strip()
        if not commit or _git(folder, "cat-file", "-e", f"{commit}:{place}") is None:
            continue
        return _Location(folder, commit, place)
    folder = next(folder for folder in folders if commits[folder])
    raise _missing(revision, path, folder)


def _missing(revision: str, path: str, folder: str) -> UsageError:
    listed = _lines(folder, "ls-tree", "-r", "--name-only", "--full-tree", revision)
    return usage(
        f"{printable(revision)} has no file {shorten(path)}",
        help=did_you_mean(
            path,
            [name for name in listed if name.endswith(ENDINGS)],
            otherwise="paths start at the top of the repository",
        ),
    )


def _lines(folder: str, *args: str) -> list[str]:
    return (_git(folder, *args) or b"").decode("utf-8", "replace").split("\n")


def _git(folder: str, *args: str, into: BinaryIO | None = None) -> bytes | None:
    """What git prints, into a file where one is given; ``None`` where it fails."""
    import subprocess

    out = subprocess.PIPE if into is None else into
    command = ["git", "-C", folder, *args]
    try:
        done = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, check=False, timeout=60)
    except FileNotFoundError:
        raise usage("git is not installed", help="a revision is read with git") from None
    except (subprocess.TimeoutExpired, OSError, ValueError) as problem:
        raise usage(f"git did not answer: {problem}") from None
    return (done.stdout or b"") if done.returncode == 0 else None
