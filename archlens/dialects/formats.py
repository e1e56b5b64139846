"""The file formats that are read, each a file of this folder with a ``FORMAT``."""

from __future__ import annotations

import os
import re
from functools import cache, partial
from importlib import import_module
from pkgutil import iter_modules

from ..errors import did_you_mean, shorten, usage
from ..library import Found, revision
from ..library.finding import ENDINGS
from . import unread
from .format import START, File, Format


@cache
def formats() -> tuple[Format, ...]:
    """Every format that is read."""
    folder = os.path.dirname(__file__)
    names = sorted(module.name for module in iter_modules([folder]))
    package = __name__.rpartition(".")[0]
    found = (getattr(import_module(f"{package}.{name}"), "FORMAT", None) for name in names)
    return tuple(filter(None, found))


def file(name: str) -> File | None:
    """The file of another tool that a name means, with the variant that follows it; ``None`` for all else.

    A file is what its first bytes say, and what its ending says where they say nothing.

    Raises:
        UsageError: it is of no known format, and looks like no spec.
    """
    path, variant = name, ""
    if not os.path.isfile(path):
        path, _, variant = name.rpartition(":")
        if not variant or not os.path.isfile(path):
            path, variant = _called_so(name)
        if not path:
            return None
    try:
        with open(path, "rb") as opened:
            start = opened.read(START)
    except OSError:
        return None  # which what reads it says better
    format = _format(path, start)
    return File(name, path, format, variant) if format is not None else None


def _called_so(name: str) -> tuple[str, str]:
    """The file and its variant that a name means where no file is called so; empty where it means none."""
    folder, base = os.path.split(name)
    if os.path.splitext(base)[1].lower() in ENDINGS:
        for one in formats():
            found = one.variant_of(base) if one.variant_of is not None else None
            if found is not None and os.path.isfile(os.path.join(folder, found[0])):
                return os.path.join(folder, found[0]), found[1]
    return "", ""


def at_revision(name: str, beside: str) -> File | Found | None:
    """A file as it was at a revision of git, of another tool or a spec: ``main:model.onnx``.

    Raises:
        UsageError: there is no such file, revision or repository.
        SpecError: it is no spec.
    """
    at = revision.place(name)
    if at is None:
        return None
    stored = partial(revision.opened, at, beside)
    with stored() as opened:
        format = _format(at.path, opened.read(START))
        if format is not None:
            return File(name, at.called, format, at.variant, stored)
        opened.seek(0)
        return revision.spec_of(opened, at, beside)


def _format(path: str, start: bytes) -> Format | None:
    ending = os.path.splitext(path)[1].lower()
    if ending in ENDINGS and re.search(rb"^layers\s*:", start, re.MULTILINE):
        return None
    found = next((one for one in formats() if one.recognizes(start)), None)
    if found is None and (refusal := unread.by_start(path, start)):
        raise refusal
    if found is None and ending not in ENDINGS:
        found = next((one for one in formats() if ending in one.endings), None)
    if found is None and ending not in ("", *ENDINGS) and not _SPEC.search(start):
        if refusal := unread.by_ending(path):
            raise refusal
        known = ", ".join(f"{one.called} ({', '.join(one.endings)})" for one in formats())
        raise usage(
            f"{shorten(path, 200)} is not in a format that archlens reads", help=f"a spec (.yaml), {known}"
        )
    return found


#: What a spec has, whatever its file is called.
_SPEC = re.compile(rb"(?:^|[{,\s\"'])(?:layers|input|title|blocks|params|variants)[\"']?\s*:")


def missing(name: str) -> None:
    """Say of a name that ends as files of other tools do that there is no such file.

    Raises:
        UsageError: it ends so, and there is none, or a folder.
    """
    ending = os.path.splitext(name)[1].lower()
    if os.path.isdir(name) and (refusal := unread.by_content(name)):
        raise refusal
    if ending in ("", *ENDINGS) or ending not in (*endings(), *unread.endings()):
        return
    if os.path.isdir(name):
        raise usage(f"{shorten(name, 200)} is a folder")
    if os.path.islink(name):
        raise usage(f"{shorten(name, 200)} is a link that leads to no file")
    folder = os.path.dirname(name) or "."
    try:
        beside = os.listdir(folder)
    except (OSError, ValueError):
        beside = []
    near = [os.path.join(os.path.dirname(name), one) for one in beside if one.endswith(endings())]
    raise usage(f"there is no file {shorten(name, 200)}", help=did_you_mean(name, near))


def is_network(path: str | os.PathLike[str]) -> bool:
    """Whether a file that a pattern such as ``models/*`` finds is one of a network.

    It ends as specs do or as those of one format only; or as others do, too, and starts as those of a format.
    """
    name = os.fspath(path)
    if name.endswith((*ENDINGS, *endings())):
        return True
    if not name.endswith(every_ending()):
        return False
    try:
        with open(name, "rb") as opened:
            start = opened.read(START)
    except OSError:
        return False
    return any(one.recognizes(start) for one in formats() if name.endswith((*one.endings, *one.shared)))


def every_ending() -> tuple[str, ...]:
    """How files of networks end, those that others end with, too, among them."""
    found = (ending for one in formats() for ending in (*one.endings, *one.shared))
    return tuple(dict.fromkeys((*ENDINGS, *found)))


def endings() -> tuple[str, ...]:
    """How files end that can be of one of the formats only."""
    return tuple(ending for one in formats() if one.certain for ending in one.endings)
