"""A network as JSON, for other programs. The form is versioned: ``archlens.network/1``."""

from __future__ import annotations

import json
from typing import Any

from ..network import Layer, Network

SCHEMA = "archlens.network/1"


def to_json(network: Network) -> str:
    """The whole network, one layer a line; never folded."""
    head = to_data(network)
    layers = head.pop("layers")
    totals = head.pop("totals")
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    body = ",\n".join(f"    {json.dumps(layer)}" for layer in layers)
    return "\n".join(["{", *lines, '  "layers": [', body, "  ],", f'  "totals": {json.dumps(totals)}', "}"])


def to_data(network: Network) -> dict[str, Any]:
    """The same as plain lists and dicts.

    Shapes are lists without the batch. ``params`` and ``macs`` of the totals follow the conventions of
    the tables: heads for training count as parameters and not as MACs.
    """
    single = list(network.inputs) == ["input"]
    return {
        "schema": SCHEMA,
        "name": network.name,
        "title": network.title,
        "input": list(network.input)
        if single
        else {name: list(shape) for name, shape in network.inputs.items()},
        "values": {name: _plain(value) for name, value in network.values.items()},
        "outputs": dict(network.outputs),
        "layers": [_layer(layer) for layer in network.layers],
        "totals": {"params": network.params, "macs": network.macs}
        | ({"training_macs": network.training_macs} if network.training_macs else {}),
    }


def _layer(layer: Layer) -> dict[str, Any]:
    facts = layer.facts
    data: dict[str, Any] = {
        "name": layer.name,
        "op": layer.op.kind,
        "family": layer.op.family,
        "attributes": layer.op.attributes(),
        "inputs": list(layer.inputs),
        "output": list(facts.shape),
        "arithmetic": layer.arithmetic,
        "weights": {name: list(shape) for name, shape in facts.weights.items()},
        "buffers": {name: list(shape) for name, shape in facts.buffers.items()},
        "params": facts.params,
        "macs": facts.macs,
        "other": dict(facts.other),
    }
    if facts.shape.channels_last:
        data["layout"] = "channels last"
    if layer.training:
        data["training"] = True
    data["line"] = layer.span.line
    return data


def _plain(value: Any) -> Any:
    """A param's value; a block or an op by its name."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return getattr(value, "kind", None) or getattr(value, "name", None) or "step"
