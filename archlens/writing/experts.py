"""Experts as one step between what they are made of, so that they are read as a merge of two branches."""

from __future__ import annotations

from dataclasses import replace

from ..errors import shorten, usage
from ..network import Layer, Network
from ..ops.experts import Dispatch, Experts


def mixed(network: Network) -> Network:
    """The network in which experts read what they are made of: the router's output, and that of an expert.

    What stands between these is left out, as ``experts:`` places it. What is left of the layers around the
    experts stands in the scope around them, behind them, under a name that no step can have.

    Raises:
        UsageError: what stands between is read elsewhere.
    """
    names: dict[str, str] = {}
    inputs: dict[str, tuple[str, str]] = {}
    left_out: set[str] = set()
    dispatch = ""
    for layer in network.layers:
        if isinstance(layer.op, Dispatch):
            dispatch = layer.name
        if not isinstance(layer.op, Experts):
            continue
        made, scores, chosen = layer.inputs
        corrected = network.index[chosen].inputs[0]
        left_out |= {dispatch, scores, chosen, corrected}
        entry = network.index[dispatch].inputs[0]
        names[dispatch] = names.get(entry, entry)
        outer, name = layer.scope.rpartition(".")[0], layer.name.rpartition(".")[2]
        names[layer.name] = f"{outer}. {name}" if outer else f" {name}"
        inputs[layer.name] = network.index[scores].inputs[0], made
    if not names:
        return network
    index: dict[str, Layer] = {}
    for layer in network.layers:
        if layer.name in left_out:
            continue
        read = tuple([names.get(name, name) for name in inputs.get(layer.name, layer.inputs)])
        _require_within(network, layer, left_out.intersection(read))
        shapes = tuple([index[name].shape if name in index else network.inputs[name] for name in read])
        name, again = names.get(layer.name, layer.name), names.get(layer.again, layer.again)
        index[name] = layer._replace(name=name, inputs=read, input_shapes=shapes, again=again)
    _require_within(network, None, left_out.intersection(network.outputs.values()))
    outputs = {name: names.get(end, end) for name, end in network.outputs.items()}
    return replace(network, layers=tuple(index.values()), index=index, outputs=outputs)


def _require_within(network: Network, layer: Layer | None, read: set[str]) -> None:
    """Refuse what reads a layer that ``experts:`` places."""
    for name in sorted(read):
        raise usage(
            f"{shorten(network.name)} cannot be written as a spec: {shorten(name)}, which experts: places, "
            "is read elsewhere",
            span=layer.span if layer is not None else None,
        )
