"""The examples in docstrings run."""

from __future__ import annotations

import doctest
from importlib import import_module
from pkgutil import walk_packages

import pytest

import archlens

MODULES = [
    "archlens",
    *(m.name for m in walk_packages(archlens.__path__, "archlens.") if "__main__" not in m.name),
]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str) -> None:
    result = doctest.testmod(import_module(name), extraglobs={"archlens": archlens})
    assert result.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder()
    counts = [len(t.examples) for name in MODULES for t in finder.find(import_module(name))]
    assert sum(counts) > 30
