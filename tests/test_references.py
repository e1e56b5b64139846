"""Specs have the keys, parameters and multiply-accumulates of the networks whose weights they take."""

from __future__ import annotations

import pytest

from .references import HERE, Recipe, recipes, recorded

LIBRARIES = sorted(path.stem for path in HERE.glob("*.yaml"))


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_is_recorded(library: str) -> None:
    assert list(recorded(library)) == list(recipes(library))


@pytest.mark.parametrize(
    "recipe",
    # a module that is traced is the library's own, and is held against itself where that is installed
    [one for library in LIBRARIES for one in recipes(library).values() if not one.traced],
    ids=lambda one: one.name,
)
def test_figures(recipe: Recipe) -> None:
    """They are the library's own: what they were counted with is in ``references.py``."""
    assert recipe.figures() == recorded(recipe.library)[recipe.name]
