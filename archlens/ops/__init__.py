"""The operations: one file per family, one class per op.

An op knows its attributes and what it does to the shapes that it is given, and nothing of networks,
files or torch. Every class in this folder that names a ``kind`` is an op of the language: adding one
touches one file, and ``python tests/generate.py`` lists it.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from pkgutil import iter_modules

from .custom import Custom
from .listed import FILES, WITHOUT
from .listed import MERGES as BRANCHES
from .op import (
    EVERYWHERE,
    NOWHERE,
    REQUIRED,
    Argument,
    Buffer,
    Buffers,
    Call,
    Everywhere,
    Facts,
    Merge,
    NonUniform,
    Nowhere,
    Op,
    Reach,
    ShapeError,
    WindowChain,
    all_channels,
    ask,
    registry,
    stated,
)
from .table import Ops, of_files


def files() -> set[str]:
    """The names of the files of this folder, without their endings."""
    return {module.name for module in iter_modules(__path__)}


#: Every op by the name that specs use, in alphabetical order.
OPS = Ops(FILES)

#: What a spec may name beside them: its figures are what the spec states, and nothing proves them.
STATED: dict[str, type[Op]] = {Custom.kind: Custom}

#: All that a spec may name: also what packages have brought, see ``archlens.elaboration.packages``.
LANGUAGE: Mapping[str, type[Op]] = ChainMap(OPS, STATED)

#: The ops that merge branches: the keys that open branches in a spec.
MERGES = Ops({kind: FILES[kind] for kind in BRANCHES})

if _new := sorted(files() - {*FILES.values(), *WITHOUT}):
    for _kind, _op in of_files(_new).items():
        OPS[_kind] = _op
        if _op.merges:
            MERGES[_kind] = _op
            BRANCHES[_kind] = (_op.branches, _op.optional_branches)

__all__ = [
    "BRANCHES",
    "EVERYWHERE",
    "LANGUAGE",
    "MERGES",
    "NOWHERE",
    "OPS",
    "REQUIRED",
    "STATED",
    "Argument",
    "Buffer",
    "Buffers",
    "Call",
    "Everywhere",
    "Facts",
    "Merge",
    "NonUniform",
    "Nowhere",
    "Op",
    "Ops",
    "Reach",
    "ShapeError",
    "WindowChain",
    "all_channels",
    "ask",
    "files",
    "registry",
    "stated",
]
