"""Finding a spec: by the name of a network of the zoo, or by the path of a file.

A name leads to its file without any other file being parsed: the names of a file are scanned from its
text, and the file whose own name is nearest is looked at first.
"""

from __future__ import annotations

import os.path
import re
import sys
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ..errors import Source, Span, UsageError, did_you_mean, error, printable, shorten, usage
from ..language.spec import Spec, check_variant, parse
from .using import Folder, Nowhere, Where, linked

if TYPE_CHECKING:
    from pathlib import Path

#: How spec files end.
ENDINGS = (".yaml", ".yml")

#: The most bytes of a spec file: a hundred times the longest spec of a real network.
MAX_BYTES = 2_000_000

#: Which files are not parsed again as long as they stay as they are: so many, of at most so many bytes.
_KEPT = 32
_KEPT_BYTES = 64_000


class Found(NamedTuple):
    """A spec and which of its variants was asked for; an empty variant is the file's own params."""

    spec: Spec
    variant: str

    @property
    def name(self) -> str:
        """What the network is called."""
        return self.variant or self.spec.name

    @property
    def file(self) -> str:
        """Where its spec stands."""
        return self.spec.source.name


def directory() -> Path:
    """Where the zoo's specs lie: inside an installed package, or at the top of a checkout."""
    from pathlib import Path

    return Path(_folder())


@cache
def _folder() -> str:
    package = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    inside = os.path.join(package, "specs")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "specs")


@cache
def _files() -> dict[str, str]:
    """Each family file, by its name without the ending."""
    found = sorted(one for one in os.listdir(_folder()) if one.endswith(".yaml"))
    return {one.removesuffix(".yaml"): os.path.join(_folder(), one) for one in found}


@cache
def text_of(stem: str) -> str:
    """The text of a family file."""
    with open(_files()[stem], encoding="utf-8") as file:
        return file.read()


@cache
def texts_of(stem: str) -> str:
    """What the networks of a family file depend on: its text, and those of the family files that it uses."""
    texts: dict[str, str] = {}
    waiting = [stem]
    while waiting:
        one = waiting.pop(0)
        if one in texts:
            continue
        texts[one] = text_of(one)
        section = re.search(r"^use:((?:[^\n]*\n)(?:[ #][^\n]*\n|\n)*)", texts[one], re.MULTILINE)
        used = re.findall(r"[:,{]\s*(\w+)", section[1]) if section is not None else []
        waiting += [family for family in map(_family_of, used) if family is not None]
    return "\0".join(texts.values())


def scan(stem: str, text: str) -> list[str]:
    r"""The names in a family file, without parsing it: its variants, or its own name if it has none.

    >>> scan("resnet", "variants:\n  resnet18: {n: 1}\n  resnet34: {n: 2}\n")
    ['resnet18', 'resnet34']
    >>> scan("lenet5", "layers: []\n")
    ['lenet5']
    """
    section = re.search(r"^variants:[^\n]*\n((?:[ #][^\n]*\n|\n)*)", text + "\n", re.MULTILINE)
    if section is None:
        return [stem]
    return re.findall(r"^  ([^\s#:]+):", section[1], re.MULTILINE)


def families() -> dict[str, list[str]]:
    """The networks of each family file."""
    return {stem: scan(stem, text_of(stem)) for stem in _files()}


def names() -> list[str]:
    """The names of all networks of the zoo in alphabetical order, ``resnet50`` before ``resnet101``."""
    return sorted((name for family in families().values() for name in family), key=_natural)


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A sort key by which runs of digits compare as numbers."""
    parts = re.split(r"(\d+)", name)
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def find(name: str) -> Found:
    """The spec that a name or a path means: ``resnet50``, ``my.yaml``, ``my.yaml:variant``, ``-``.

    Raises:
        UsageError: there is no such network or file; with a suggestion.
        SpecError: the file is no spec.
    """
    if not name.strip():
        raise usage("the name of a network is missing", help="`archlens list` lists all")
    if is_path(name):
        return _find_file(name)
    stem = _family_of(name)
    if stem is None:
        if _exists(name):
            return _find_file(name)
        raise _unknown(name)
    spec = _family(stem)
    return Found(spec, name if name in spec.variants else "")


@cache
def _family(stem: str) -> Spec:
    """A family file with all that it uses."""
    spec = _alone(stem)
    return linked(spec, Nowhere(), spec.source.name, _of_zoo)


@cache
def _alone(stem: str) -> Spec:
    """A family file without what it uses."""
    return parse(text_of(stem), name=stem, path=f"specs/{stem}.yaml")


def _of_zoo(name: str) -> tuple[Spec, str]:
    """The spec of a network of the zoo, without what it uses, and its variant.

    Raises:
        UsageError: there is no such network.
    """
    stem = _family_of(name)
    if stem is None:
        raise _unknown(name)
    spec = _alone(stem)
    return spec, name if name in spec.variants else ""


def read(
    text: str,
    *,
    name: str = "network",
    path: str | None = None,
    folder: str | None = None,
    file: str | None = None,
) -> Spec:
    """The spec in a text, with what it uses of the zoo, and of the files beside it.

    Args:
        text: YAML.
        name: what the network is called where the file does not say.
        path: what messages call the file.
        folder: where paths start from; without one, and without a file, it uses no files.
        file: the file that it is to be the text of.

    Raises:
        SpecError: the text is no spec, or uses what is not there.
    """
    spec = parse(text, name=name, path=path)
    if file is not None:
        return linked(spec, Folder(file, _used), os.path.realpath(file), _of_zoo)
    where = Nowhere() if folder is None else Folder(os.path.join(folder, ""), _used)
    return linked(spec, where, "", _of_zoo)


def with_used(spec: Spec, where: Where, key: str) -> Spec:
    """A spec that lies in a file, with all that it uses.

    Raises:
        SpecError: something that it uses is not there, is no spec, or uses it in turn.
    """
    return linked(spec, where, key, _of_zoo)


def _family_of(name: str) -> str | None:
    """The family file that holds a name, or has it."""
    # the file whose name starts most like the network's comes first
    for stem in sorted(_files(), key=lambda stem: (not name.startswith(stem), -len(stem), stem)):
        if name in scan(stem, text_of(stem)):
            return stem
    return name if name in _files() else None


def _unknown(name: str) -> UsageError:
    known = names()
    return usage(
        f"there is no network {shorten(name)}",
        help=did_you_mean(
            name,
            [*known, *families()],
            otherwise="`archlens list` lists all; a file of your own is named by its path",
        ),
    )


def is_path(name: str) -> bool:
    """Whether a name is that of a file, by how it is written."""
    if name == "-":
        return True
    bare, _, _ = name.rpartition(":")
    return any(part.endswith(ENDINGS) or "/" in part or "\\" in part for part in (name, bare) if part)


def _find_file(name: str) -> Found:
    path, variant = split(name)
    return with_variant(open_spec(path), variant, path)


def split(name: str) -> tuple[str, str]:
    r"""The file and the variant of ``my.yaml:variant``; a file may have a colon in its own name.

    >>> split(r"C:\models\my.yaml"), split(r"C:\my.yaml:small")
    (('C:\\models\\my.yaml', ''), ('C:\\my.yaml', 'small'))
    """
    drive = 2 if on_drive(name) else 0
    if _exists(name) or ":" not in name[drive:]:
        return name, ""
    path, _, variant = name.rpartition(":")
    return path, variant


def on_drive(name: str) -> bool:
    r"""Whether a name starts with a drive of Windows, as ``C:\my.yaml`` and ``C:/my.yaml`` do."""
    return re.match(r"[A-Za-z]:[\\/]", name) is not None


def with_variant(spec: Spec, variant: str, path: str) -> Found:
    """A spec of a file and a variant of it; without one the variant that is called as the file.

    Raises:
        UsageError: it has no such variant.
    """
    check_variant(variant, spec.variants, path)
    if not variant and spec.name in spec.variants:
        variant = spec.name
    return Found(spec, variant)


def _exists(path: str) -> bool:
    return os.path.exists(path)


def open_spec(path: str) -> Spec:
    """The spec in a file, with all that it uses; ``-`` reads standard input.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        SpecError: it is no spec, or uses what is not there.
    """
    spec = _opened(path)
    if path == "-" or not spec.uses:
        return with_used(spec, Nowhere(), "")
    return with_used(spec, Folder(path, _used), os.path.realpath(path))


def _used(path: str) -> Spec:
    """The spec in a file that another one uses; a pipe or a device is none."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise usage(f"{shorten(path, 200)} is not a file")
    return _opened(path)


def text_in(path: str) -> tuple[str, str]:
    """The text of a spec file, with line feeds, and what ends its lines; ``-`` reads standard input.

    Raises:
        UsageError: there is no such file, or it cannot be read.
        SpecError: it is too large, or no text.
    """
    data = _bytes_in(path)
    return decoded(data, "<stdin>" if path == "-" else path), "\r\n" if b"\r\n" in data else "\n"


def _bytes_in(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise usage(f"{shorten(path, 200)} is a folder, not a spec file", help=_specs_in(path)) from None
    except FileNotFoundError:
        raise usage(f"there is no file {shorten(path, 200)}", help=_nearby(path)) from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise usage(f"{shorten(path, 200)} cannot be read: {reason}") from None


def _opened(path: str) -> Spec:
    """The spec in a file, without what it uses."""
    data, name = _bytes_in(path), "<stdin>" if path == "-" else path
    read = _parsed if len(data) <= _KEPT_BYTES else _parsed.__wrapped__
    return read(data, _stem(path) if path != "-" else "stdin", name)


@lru_cache(_KEPT)  # by the bytes themselves: the time of a file's last change is too coarse to be believed
def _parsed(data: bytes, stem: str, path: str) -> Spec:
    return parse(decoded(data, path), name=stem, path=path)


def decoded(data: bytes, name: str) -> str:
    """The bytes of a spec file as text.

    Raises:
        SpecError: they are too many, or no text.
    """
    if len(data) > MAX_BYTES:
        raise error(
            f"{shorten(name, 200)} is larger than {MAX_BYTES // 10**6} MB, the most that a spec may have",
            help="a spec describes a network; weights are not part of it",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise error(
            f"{shorten(name, 200)} is not a text file: byte 0x{data[problem.start]:02x} on line {line} "
            "is not UTF-8",
            help="a spec is a UTF-8 text file in YAML",
        ) from None
    source = Source(name, text)
    if "\0" in text:
        position = text.index("\0")
        raise error(
            f"{shorten(name, 200)} is not a text file: it holds a NUL byte",
            Span(source, text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)),
            help="a spec is a UTF-8 text file in YAML",
        )
    return text.replace("\r\n", "\n")


def _stem(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _specs_beneath(path: str) -> list[str]:
    """The names of the spec files in a folder; none where there is no such folder."""
    try:
        return [one for one in os.listdir(path) if re.search(r"\.y.*ml$", one)]
    except (OSError, ValueError):
        return []


def _specs_in(path: str) -> str:
    found = sorted(_specs_beneath(path))[:5]
    return f"it holds {', '.join(map(printable, found))}" if found else ""


def _nearby(path: str) -> str:
    siblings = _specs_beneath(os.path.dirname(path) or ".")
    stem = _stem(path)
    if stem in names():
        return f"the zoo's own network is named without an ending: {stem}"
    return did_you_mean(os.path.basename(path), siblings)
