"""``archlens.lock``: the figures of a project's networks on the day that it was written.

It is TOML, sorted by name, a figure a line, so that a difference in it can be reviewed. Figures are exact:
counts, bytes, and sizes along each axis as ``427x427``; ``unknown`` where there is none. ``structure`` is the
fingerprint of :mod:`archlens.analysis.structure`.

A network whose ``sram`` or ``flash`` a file of the project limits has these two, and ``types``: those of the
weights and of the activations that they are of, as ``int8/int8``.

The smallest input is not in it: it is found by trying, which takes longer than all other figures together,
and as long as the structure is the same it changes only where a spec asks for the size of its input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..analysis.deployment import ACTIVATIONS, WEIGHTS
from ..analysis.figures import Unknown, Value
from ..analysis.structure import fingerprint
from ..analysis.study import Study
from ..errors import Source, Span, UsageError, did_you_mean, shorten, usage
from . import toml
from .finding import display, read_text
from .verdict import BOARD, LOCKED, Change, Drift, measure_all

NAME = "archlens.lock"
SCHEMA = "archlens.lock/1"

_HEAD = """\
# The figures of the networks of this project. `archlens check --update` writes this file; commit it, and
# review its changes. `archlens check --locked` fails if a network no longer has these figures.
"""

#: What to do with a file that cannot be read, conflicts of a merge included.
_ANEW = f"remove {NAME}, and `archlens check --update` writes a new one"

STRUCTURE = "structure"
TYPES = "types"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Entry:
    """The figures of one network, as the file writes them."""

    figures: Mapping[str, str]
    span: Span | None = None
    #: Where each figure stands.
    places: Mapping[str, Span] | None = None


def entry(study: Study, *, board: bool = False) -> Entry:
    """Today's figures of a network, and those of a board where these are meant, too."""
    figures = {STRUCTURE: fingerprint(study.network)}
    figures |= {name: written(value) for name, value in measure_all(study, board=board).items()}
    if board:
        figures[TYPES] = "/".join(study.types)
    return Entry(figures)


def written(value: Value) -> str:
    """A figure as the file writes it."""
    if isinstance(value, Unknown):
        return UNKNOWN
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def to_text(entries: Mapping[str, Entry]) -> str:
    """The whole file.

    Raises:
        UsageError: the name of a file is no text, which TOML has no way to write.
    """
    out = [_HEAD, f'schema = "{SCHEMA}"\n']
    for name in sorted(entries):
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise usage(
                f"the name {shorten(name)} is not UTF-8, and cannot be written to {NAME}",
                help="rename the file",
            )
        out.append(f"\n[{toml.key(['networks', name])}]\n")
        for figure, value in entries[name].figures.items():
            out.append(f"{figure} = {value if value.isdigit() else toml.quoted(value)}\n")
    return "".join(out)


def read(folder: Path) -> dict[str, Entry] | None:
    """The entries of a project's lock file; ``None`` where there is no such file.

    Raises:
        UsageError: it is not what archlens writes.
    """
    file = folder / NAME
    if not file.exists():
        return None
    try:
        data, places = toml.read(Source(display(file), read_text(file)))
    except UsageError as problem:
        raise UsageError(replace(problem.diagnostic, help=problem.diagnostic.help or _ANEW)) from None
    if data.get("schema") != SCHEMA:
        raise _broken(f"its schema is not {SCHEMA}", places.of(("schema",)))
    unknown = next((key for key in data if key not in ("schema", "networks")), None)
    if unknown is not None:
        raise _broken(f"it has no key {shorten(unknown)}", places.keys.get((unknown,)))
    networks = data.get("networks", {})
    if not isinstance(networks, dict):
        raise _broken("networks must be tables", places.of(("networks",)))
    return {name: _entry(value, ("networks", name), places) for name, value in networks.items()}


def _broken(message: str, span: Span | None, help: str = "") -> UsageError:
    return usage(
        f"{NAME} is not as archlens writes it: {message}",
        span=span,
        help=help or _ANEW,
    )


def _entry(value: Any, path: toml.Path, places: toml.Places) -> Entry:
    if not isinstance(value, dict):
        raise _broken(f"{shorten(path[-1])} must be a table", places.of(path))
    known = (STRUCTURE, *LOCKED, *BOARD, TYPES)
    spans = {}
    for name, figure in value.items():
        place = places.of((*path, name))
        if name not in known:
            raise _broken(f"there is no figure {shorten(name)}", place, did_you_mean(name, known))
        if isinstance(figure, bool) or not isinstance(figure, int | str) or not _is_figure(name, str(figure)):
            raise _broken(f"{name} is {shorten(str(figure))}", place)
        if place is not None:
            spans[name] = place
    return Entry({name: str(figure) for name, figure in value.items()}, places.keys.get(path), spans)


def _is_figure(name: str, text: str) -> bool:
    if name == STRUCTURE:
        return text.startswith("sha256:") and len(text) == 7 + 64
    if name == TYPES:
        weights, _, activations = text.partition("/")
        return weights in WEIGHTS and activations in ACTIVATIONS
    return text == UNKNOWN or all(size.isascii() and size.isdigit() for size in text.split("x"))


def compare(locked: Entry, today: Entry, tolerance: Fraction) -> Drift:
    """A network against its entry.

    A figure may drift by the tolerance, and one that the file does not have counts as changed. The structure
    may change only where a tolerance other than zero was given: then the figures alone decide.
    """
    places = locked.places or {}
    changes = []
    for name, now in today.figures.items():
        before = locked.figures.get(name)
        if now == before:
            continue
        if before is None:
            changes.append(Change(name, "", now, None, False, locked.span))
        elif name == STRUCTURE:
            changes.append(Change(name, _short(before), _short(now), None, tolerance > 0, places.get(name)))
        else:
            percent = _percent(before, now) if name != TYPES else None
            held = percent is not None and abs(percent) <= tolerance
            changes.append(Change(name, before, now, percent, held, places.get(name)))
    return Drift(tuple(changes), len(today.figures), locked.span)


def _short(structure: str) -> str:
    """Enough of a fingerprint to tell two apart."""
    return structure[: 7 + 12]


def _percent(before: str, now: str) -> Fraction | None:
    """By how much a figure changed: along the axis along which it changed most."""
    if UNKNOWN in (before, now):
        return None
    olds, news = before.split("x"), now.split("x")
    if len(olds) != len(news):
        return None
    changes = []
    for old, new in zip(map(int, olds), map(int, news), strict=True):
        if old == 0 and new != 0:
            return None
        changes.append(Fraction(100 * (new - old), old) if old else Fraction(0))
    return max(changes, key=abs)
