"""Where a network applies a part of itself once more: which layers that is, and what flows into it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from ..network import Layer, Network, scopes_of


class Use(NamedTuple):
    """A further use of a layer or scope."""

    #: What is applied.
    of: str
    #: The name that it has; empty where its layers are numbered beside those of the first use.
    name: str
    #: The layers of the first use, each with that of this one.
    pairs: tuple[tuple[Layer, Layer], ...]
    #: What flows in, and what the first use reads from outside, each with what this one reads.
    entry: str
    inputs: Mapping[str, str]
    #: The layer whose output is read, or the last.
    end: str


def find(network: Network) -> dict[str, Use]:
    """The further uses of the largest parts of a network, each by the name of its first layer."""
    if not any(layer.again for layer in network.layers):
        return {}
    return dict(_find(network))


def _find(network: Network) -> Iterator[tuple[str, Use]]:
    layers = network.layers
    numbers = {layer.name: number for number, layer in enumerate(layers)}
    parts: dict[str, slice] = {}  # from the first layer of a scope to the last that is no further use
    for number, layer in enumerate(layers):
        if not layer.again:
            for scope in scopes_of(layer.name):
                start = parts[scope].start if scope in parts else number
                parts[scope] = slice(start, number + 1)
    readers: dict[str, list[int]] = {}
    for number, layer in enumerate(layers):
        for source in layer.inputs:
            readers.setdefault(source, []).append(number)
    ends = set(network.outputs.values())
    at = 0
    while at < len(layers):
        layer = layers[at]
        found = None
        for of in scopes_of(layer.again) if layer.again in numbers else ():
            part = parts[of]
            if part.start == numbers[layer.again] and part.stop <= at:
                one = _use(of, layers[part], layers[at : at + part.stop - part.start], readers, ends, numbers)
                found = found or one
                if one is not None and (one.name or _is_numbered(_own(of, one.pairs), numbers)):
                    found = one
                    break  # else a smaller part may have the names that are there
        stands = not layer.scope or layers[at - 1].within(layer.scope)
        if found is None or (len(found.pairs) == 1 and not layer.keys and stands):  # as well a layer more
            at += 1
            continue
        yield layer.name, found
        at += len(found.pairs)


def _use(
    of: str,
    firsts: tuple[Layer, ...],
    layers: tuple[Layer, ...],
    readers: Mapping[str, list[int]],
    ends: set[str],
    numbers: Mapping[str, int],
) -> Use | None:
    """Some layers as a further use of others; ``None`` where they are none."""
    if len(firsts) != len(layers):
        return None
    same: dict[str, str] = {}
    inputs: dict[str, str] = {}
    flowing: dict[str, None] = {}
    for first, layer in zip(firsts, layers, strict=True):
        if (first.again or first.name) != layer.again or len(first.inputs) != len(layer.inputs):
            return None
        if not first.again and not first.within(of):
            return None
        beside = first.inputs[1:] if first.op.second else ()
        for source, read in zip(first.inputs, layer.inputs, strict=True):
            if source in beside and source not in same and source != read:
                return None  # a name says it, and means the same step again
            if source in same:
                if same[source] != read:
                    return None
            elif inputs.setdefault(source, read) != read:
                return None
            elif read != source:
                flowing[read] = None
        same[first.name] = layer.name
    last = numbers[layers[-1].name]
    outside = [
        one.name for one in layers if one.name in ends or any(n > last for n in readers.get(one.name, ()))
    ]
    if len(flowing) > 1 or len(outside) > 1 or not inputs:
        return None
    entry = next(iter(flowing), next(iter(inputs.values())))
    pairs = tuple(zip(firsts, layers, strict=True))
    return Use(
        of, _name(of, pairs, numbers), pairs, entry, inputs, outside[0] if outside else layers[-1].name
    )


def _own(of: str, pairs: tuple[tuple[Layer, Layer], ...]) -> list[tuple[Layer, Layer]]:
    """Those of a use that are within the part itself, and no further uses there."""
    return [(first, layer) for first, layer in pairs if first.within(of)]


def _is_numbered(own: list[tuple[Layer, Layer]], names: Container[str]) -> bool:
    """Whether the layers of a use are numbered beside those of the first."""
    return all(
        re.fullmatch(rf"{re.escape(_base(first.name, names))}_[0-9]+", layer.name) for first, layer in own
    )


def _name(of: str, pairs: tuple[tuple[Layer, Layer], ...], names: Container[str]) -> str:
    """The name of a use; empty where it has none, or none that its layers have in common."""
    own = _own(of, pairs)
    if _is_numbered(own, names):
        return ""
    first, layer = own[0]
    rest = first.name[len(of) :]
    name = layer.name[: len(layer.name) - len(rest)]
    return name if all(layer.name == name + first.name[len(of) :] for first, layer in own) else ""


def _base(name: str, names: Container[str]) -> str:
    """What the uses of a layer are numbered after: ``relu`` for ``relu``, and for its use ``relu_1``, too."""
    counted = re.fullmatch(r"(.*[^_.])_[0-9]+", name)
    return counted[1] if counted and counted[1] in names else name
