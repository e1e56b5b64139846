"""The examples in docstrings run."""

from __future__ import annotations

import doctest
import linecache
from importlib import import_module
from pathlib import Path

import pytest

import archlens

PACKAGE = Path(archlens.__file__).parent

#: The modules that have any.
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    linecache.clearcache()  # every example asks of each file in it whether it is still the same
    result = doctest.testmod(import_module(name), extraglobs={"archlens": archlens})
    assert result.attempted
    assert result.failed == 0
