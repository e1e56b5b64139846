"""What several rules ask of layers, and how they say what they found."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import shorten
from ..grouping import grouped
from ..network import Layer


def at_one_place(layers: Iterable[Layer]) -> list[list[Layer]]:
    """Layers put together that the same word of the spec made, so that one mistake is one finding."""
    return list(grouped((id(layer.step), layer) for layer in layers).values())


def named(layers: Iterable[Layer], most: int = 3) -> str:
    """Layers by their names: ``conv1``, ``conv1 and conv2``, ``conv1, conv2, conv3 and 5 more``.

    >>> named([])
    ''
    """
    return listed([shorten(layer.name) for layer in layers], most)


def listed(words: list[str], most: int = 3) -> str:
    """Words in a sentence, the first ones of many.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    >>> listed(["height", "width"])
    'height and width'
    """
    shown, more = (words, 0) if len(words) <= most + 1 else (words[:most], len(words) - most)
    tail = [f"{more} more"] if more else [shown.pop()] if len(shown) > 1 else []
    return " and ".join([", ".join(shown), *tail]) if shown else ""


def plural(count: int, word: str) -> str:
    """``1 layer``, ``2 layers``."""
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def percent(part: int, whole: int) -> str:
    """``74.3 %``."""
    return f"{100 * part / whole:.1f} %"
