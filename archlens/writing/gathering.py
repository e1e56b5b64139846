"""Lists of tensors that grow, as in DenseNets, said step by step: each joins what was joined before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..network import Layer, Network, scopes_around
from ..ops.op import ask


def gathered(network: Network) -> Network:
    """The network with each concat reading an earlier one where that has joined the same tensors already.

    One that joins what flowed into the scope before it with what came out of that stands at its end.
    """
    chained = dict(_chained(network))
    if not chained:
        return network
    names = {name: name for name in network.inputs}
    index = {layer.name: layer for layer in network.layers}
    taken = {*names, *index}
    #: What each scope reads first.
    entries: dict[str, str] = {}
    layers: list[Layer] = []
    ends = {*chained, *(inputs[0] for inputs in chained.values())}
    for layer in network.layers:
        inputs = tuple(names[name] for name in chained.get(layer.name, layer.inputs))
        made = _on(layer, inputs, index, network)
        if layer.name in ends and layers:
            taken.discard(made.name)
            made = _at_the_end(made, layers[-1], entries, taken)
            taken.add(made.name)
        for scope in scopes_around(made.name):
            entries.setdefault(scope, made.inputs[0])
        names[layer.name] = made.name
        index[made.name] = made
        layers.append(made)
    return replace(
        network,
        layers=tuple(layers),
        index={layer.name: layer for layer in layers},
        outputs={key: names[end] for key, end in network.outputs.items()},
    )


def _chained(network: Network) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each concat that begins with all that an earlier one joins, and what it reads instead."""
    kept = {layer.again for layer in network.layers}
    #: What has been joined, input by input, from the root of each kind on; and which concat ends there.
    tree: dict[tuple[int, str], int] = {}
    ends: dict[int, str] = {}
    for layer in network.layers:
        if layer.op.kind != "concat" or layer.again or layer.name in kept:
            continue
        at = tree.setdefault((0, f"{layer.op} {layer.training}"), len(tree) + 1)
        found: tuple[str, ...] = ()
        for count, name in enumerate(layer.inputs, 1):
            at = tree.setdefault((at, name), len(tree) + 1)
            if at in ends and count < len(layer.inputs):
                found = (ends[at], *layer.inputs[count:])
        ends.setdefault(at, layer.name)
        if found:
            yield layer.name, found


def _on(layer: Layer, inputs: tuple[str, ...], index: dict[str, Layer], network: Network) -> Layer:
    """The layer on other inputs, of which it makes the same."""
    shapes = tuple(index[name].shape if name in index else network.inputs[name] for name in inputs)
    facts = layer.facts if shapes == layer.input_shapes else ask(layer.op, *shapes)
    return layer._replace(inputs=inputs, input_shapes=shapes, facts=facts)


def _at_the_end(made: Layer, before: Layer, entries: dict[str, str], taken: set[str]) -> Layer:
    """A concat at the end of the scope before it, where it joins what that read and what it made."""
    own = scopes_around(made.name)
    ended = next((scope for scope in scopes_around(before.name) if scope not in own), "")
    begun = [scope for scope in own if scope in entries and not before.within(scope)]
    name = f"{ended}.{made.name.rpartition('.')[2]}"
    if not ended or begun or name in taken:
        return made
    return made._replace(name=name) if made.inputs == (entries[ended], before.name) else made
