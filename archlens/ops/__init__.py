"""The operations: one file per family, one class per op.

An op knows its attributes and what it does to the shapes that it is given, and nothing of networks,
files or torch. Every class in this folder that names a ``kind`` is an op of the language: adding one
touches one file, and nothing lists the files.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from .custom import Custom
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

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

#: Every op by the name that specs use, in alphabetical order.
OPS: dict[str, type[Op]] = dict(sorted(registry.items()))

#: What a spec may name beside them: its figures are what the spec states, and nothing proves them.
STATED: dict[str, type[Op]] = {Custom.kind: Custom}

#: All that a spec may name: also what packages have brought, see ``archlens.elaboration.packages``.
LANGUAGE: Mapping[str, type[Op]] = ChainMap(OPS, STATED)

#: The ops that merge branches: the keys that open branches in a spec.
MERGES: dict[str, type[Op]] = {kind: op for kind, op in OPS.items() if op.merges}

__all__ = [
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
    "Reach",
    "ShapeError",
    "WindowChain",
    "all_channels",
    "ask",
    "registry",
    "stated",
]
