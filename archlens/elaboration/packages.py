"""Ops that a package of one's own brings: its entry points in the group ``archlens.ops``.

They are looked for where a spec names an op that archlens does not have, and where all are listed; and one is
imported where it is named.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ..errors import UsageError, shorten, usage
from ..ops import OPS, Merge, Op
from ..ops.op import registry

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

#: The group of entry points that bring ops.
GROUP = "archlens.ops"

#: The ops that were brought, each with the package.
_brought: dict[str, str] = {}


@cache
def offered() -> dict[str, EntryPoint]:
    """What the installed packages offer, by the name of the op; nothing of it is imported."""
    from importlib.metadata import entry_points

    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise usage(
                f"{_package(other)} and {_package(point)} both bring an op {shorten(point.name)}",
                help="uninstall one of them",
            )
    return found


def bring(kind: str) -> type[Op] | None:
    """An op that a package brings, from now on one of all ops; ``None`` where none brings it.

    Raises:
        UsageError: what a package offers under this name is no op that could be used.
    """
    if kind in OPS:
        return OPS[kind]
    OPS.complete()
    if kind in OPS:
        return OPS[kind]
    point = offered().get(kind)
    return None if point is None else _loaded(kind, point)


def bring_all() -> None:
    """Bring all ops that packages offer.

    Raises:
        UsageError: one of them is no op that could be used.
    """
    OPS.complete()
    for kind, point in offered().items():
        if kind in OPS and kind not in _brought:
            raise _problem(point, f"archlens already has an op {kind}", "give it another name")
        if kind not in OPS:
            _loaded(kind, point)


def _loaded(kind: str, point: EntryPoint) -> type[Op]:
    """Import an op and make it one of all.

    Raises:
        UsageError: the package fails, or it is no op of that name.
    """
    before = dict(registry)
    try:
        found = point.load()
    except Exception as problem:
        said = str(problem).strip().partition("\n")[0]
        why = f"{type(problem).__name__}: {shorten(said)}" if said else type(problem).__name__
        raise _problem(point, f"importing {point.value} fails: {why}", "") from None
    finally:
        for other in [name for name, op in registry.items() if before.get(name) is not op]:
            del registry[other]  # what is imported has no part in it before it is asked for,
        registry.update(before)  # nor does it take the place of anything
    if not (isinstance(found, type) and issubclass(found, Op)) or not hasattr(found, "kind"):
        raise _problem(point, f"{point.value} is not an op", "a subclass of archlens.ops.Op with a kind")
    if found.kind != kind:
        raise _problem(
            point, f"{point.value} is the op {shorten(found.kind)}", "the entry point has its name"
        )
    if issubclass(found, Merge) or found.merges:
        raise _problem(point, f"{point.value} merges tensors", "an op of a package reads one tensor")
    OPS[kind] = registry[kind] = found
    _brought[kind] = _package(point)
    return found


def forget() -> None:
    """Look for packages anew, as where one was installed meanwhile."""
    offered.cache_clear()
    _brought.clear()


def package_of(op: type[Op]) -> str:
    """The package that brings an op; empty for one that archlens has."""
    return _brought.get(op.kind, "") if OPS.get(op.kind) is op else ""


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.module


def _problem(point: EntryPoint, why: str, help: str) -> UsageError:
    return usage(
        f"the package {shorten(_package(point))} brings no op {shorten(point.name)}: {why}",
        help=help,
    )
