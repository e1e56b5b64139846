"""How each operator of ONNX runs on sizes, and what it is called on a tape: by torch's names.

An operator is one function, in the file of its kind, which says with ``runs`` what it is called in files.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from .registry import OPERATORS

for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")

__all__ = ["OPERATORS"]
