"""Inputs with letters in the place of sizes, ``3xHxW``, and the formulas of a network on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..analysis import formula
from ..analysis.formula import Formula, Lettered
from ..errors import did_you_mean, shorten, usage
from ..network import Network
from .inputs import CHANNELS_LAST, has_letters


def formulas(network: Network, given: Any, *, work: bool = False) -> Formula:
    """The formulas of a network on inputs with letters.

    Args:
        network: on its own input, whose sizes say near which the formulas are looked for first.
        given: a text as ``3xHxW``, or texts by the names of inputs, numbers among them. One that has an axis
            more than the input has a letter for the batch before the others.

        work: whether the work beside multiply-accumulates is found, too.

    Raises:
        SpecError: the network does not take the numbers.
        UsageError: that is no input of it, or it has no formulas.
    """
    if not isinstance(given, Mapping):
        if len(network.inputs) > 1:
            names = ", ".join(f"{name}=3xHxW" for name in network.inputs)
            raise usage(
                f"{shorten(network.name)} has several inputs", help=f"name the one that is meant: {names}"
            )
        given = {next(iter(network.inputs)): given}
    batches: set[str] = set()
    lettered: dict[str, Lettered] = {}
    for name, text in given.items():
        if name not in network.inputs:
            raise usage(
                f"{shorten(network.name)} has no input {shorten(str(name))}",
                help=did_you_mean(
                    str(name), network.inputs, otherwise=f"inputs: {', '.join(network.inputs)}"
                ),
            )
        own = network.inputs[name]
        sizes = _sizes(str(text))
        if len(sizes) == len(own) + 1 and isinstance(sizes[0], str):
            batches.add(sizes[0])
            sizes = sizes[1:]
        if len(sizes) != len(own):
            raise usage(
                f"{shorten(str(text))} has {len(sizes)} axes, and the input is {own}",
                help="a number or a letter for each, and before them one for the batch",
            )
        lettered[name] = sizes
    if len(batches) > 1:
        raise usage(f"one batch has several letters: {', '.join(sorted(batches))}")
    chosen = formula.own_sizes(network, lettered)
    shapes = {
        name: network.inputs[name].with_sizes([chosen[n] if isinstance(n, str) else n for n in sizes])
        for name, sizes in lettered.items()
    }
    if any(shapes[name] != network.inputs[name] for name in shapes):
        network = network.with_input(shapes)
    return formula.find(network, lettered, batch=next(iter(batches), ""), work=work)


def _sizes(text: str) -> Lettered:
    """The sizes of a text, letters among them."""
    words = text.replace("×", "x").split()
    if words[-1:] == [CHANNELS_LAST]:
        words = words[:-1]
    elif words[-2:-1] == ["of"]:
        words = words[:-2]
    found: list[int | str] = []
    for part in "".join(words).split("x"):
        if part.isascii() and part.isdigit() and 0 < len(part) < 10 and int(part):
            found.append(int(part))
        elif has_letters(part) and len(part) == 1:
            found.append(part)
        else:
            raise usage(
                f"{shorten(text)} is not an input shape with letters",
                help="as in 3xHxW: between x a whole number, or one letter other than x",
            )
    return tuple(found)
