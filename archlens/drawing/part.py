"""One scope of a network, as a network of its own to be drawn: what flows into it are its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from ..errors import did_you_mean, shorten, usage
from ..network import Layer, Network, scopes_around, scopes_of
from ..shape import Shape

_Said = TypeVar("_Said")


def part(network: Network, scope: str) -> Network:
    """The layers of a scope with the names that they have in it.

    Args:
        network: the whole.
        scope: its full name, ``layer1.0``.

    Raises:
        UsageError: there is no such scope.
    """
    inside = [layer for layer in network.layers if layer.name.startswith(f"{scope}.")]
    if not scope or not inside:
        raise _unknown(network, scope)
    start = len(scope) + 1
    names = {layer.name: layer.name[start:] for layer in inside}
    outside: dict[str, Shape] = {}
    for layer in inside:
        for name, shape in zip(layer.inputs, layer.input_shapes, strict=True):
            if name not in names:
                outside.setdefault(name, shape)
    taken = {*names.values(), *(path for name in names.values() for path in scopes_of(name))}
    for name in outside:
        called = "input" if len(outside) == 1 else name
        while called in taken:
            called = f"from {called}"
        names[name] = called
        taken.add(called)
    layers = tuple(_within(layer, names) for layer in inside)
    read = {name for layer in network.layers if layer.name not in names for name in layer.inputs}
    ends = [
        name for name in names if name not in outside and (name in read or name in network.outputs.values())
    ]
    made = network.headed(scope)
    return replace(
        network,
        meta=replace(network.meta, title=f"{network.title}: {scope}{f', {made}' if made else ''}"),
        inputs={names[name]: shape for name, shape in outside.items()},
        layers=layers,
        outputs={"out" if i == 0 else names[name]: names[name] for i, name in enumerate(ends[::-1])}
        or {"out": layers[-1].name},
        blocks=_inside(network.blocks, scope),
        labels=_inside(network.labels, scope),
        arguments=_inside(network.arguments, scope),
        index={layer.name: layer for layer in layers},
        overrides=(),
        declared={},
        asked=(),
        aliases={},
    )


def _inside(said: Mapping[str, _Said], scope: str) -> dict[str, _Said]:
    """What is said of the scopes in a scope, by their names in it."""
    return {path[len(scope) + 1 :]: one for path, one in said.items() if path.startswith(f"{scope}.")}


def _within(layer: Layer, names: Mapping[str, str]) -> Layer:
    """The layer with the names of the part."""
    inputs = tuple(names[name] for name in layer.inputs)
    return layer._replace(name=names[layer.name], inputs=inputs, again=names.get(layer.again, ""))


def _unknown(network: Network, scope: str) -> Exception:
    known = list(dict.fromkeys(path for layer in network.layers for path in scopes_around(layer.name)))
    name = shorten(network.name)
    if scope in network.index:
        return usage(
            f"{shorten(scope)} is one layer of {name}",
            help="a scope has several; archlens explain says what one does",
        )
    if not known:
        return usage(f"{name} has no scopes", help="all its layers stand at the top; leave --scope out")
    otherwise = f"as in {', '.join(known[:5])}"
    return usage(
        f"{name} has no scope {shorten(scope) or 'without a name'}",
        help=did_you_mean(scope, known, otherwise=otherwise),
    )
