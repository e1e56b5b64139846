"""A network as JSON, for other programs. The form is versioned: ``archlens.network/1``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..analysis.study import Study
from ..counts import in_lines
from ..network import Layer, Network
from ..ops import NonUniform
from ..ops.footprint import FLOAT32
from ..shape import Ids

if TYPE_CHECKING:
    from ..analysis.receptive_field import ReceptiveFields

SCHEMA = "archlens.network/1"


def to_json(study: Study) -> str:
    """The whole network, one layer a line; never folded."""
    return in_lines(to_data(study))


def to_data(study: Study) -> dict[str, Any]:
    """The same as plain lists and dicts.

    A layer with spatial axes has a ``receptive_field``: size, effective stride and start for each axis;
    or ``"everywhere"``; or an object with the reason why there is none. With several inputs it is an
    object with one of these by input.

    A layer that is another one once more has the name of that as ``again``; tensors that are another's are
    ``shared``, by name, each with the key of that one.

    Shapes are lists without the batch. ``params`` and ``macs`` of the totals follow the conventions of
    the tables: heads for training count as parameters and not as MACs.
    """
    network, fields = study.network, list(study.fields.values())
    return {
        "schema": SCHEMA,
        "name": network.name,
        "title": network.title,
        "input": input_of(network),
        **({"ids": ids} if (ids := ids_of(network)) else {}),
        "values": {name: _plain(value) for name, value in network.values.items()},
        "outputs": dict(network.outputs),
        "layers": [_layer(layer, fields, network) for layer in network.layers],
        "totals": {"params": network.params}
        | ({"active_params": network.active_params} if network.experts else {})
        | {"macs": network.macs}
        | ({"total_macs": network.total_macs} if network.experts else {})
        | ({"training_macs": network.training_macs} if network.training_macs else {}),
    }


def input_of(network: Network) -> list[int] | dict[str, list[int]]:
    """The shape of the only input where that has no name of its own; else the shapes by name."""
    if list(network.inputs) == ["input"]:
        return list(network.input)
    return {name: list(shape) for name, shape in network.inputs.items()}


def ids_of(network: Network) -> dict[str, int]:
    """The inputs that are ids, int64 in torch, each with the number that they are below."""
    return {name: shape.below for name, shape in network.inputs.items() if isinstance(shape, Ids)}


def _layer(layer: Layer, fields: Sequence[ReceptiveFields], network: Network) -> dict[str, Any]:
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
        "buffers": {name: list(buffer.shape) for name, buffer in facts.buffers.items()},
        "dtypes": {name: network.dtypes.get(layer.key(name), FLOAT32) for name in facts.weights}
        | {name: buffer.dtype for name, buffer in facts.buffers.items()},
        "params": facts.params,
        "macs": facts.macs,
        "other": dict(facts.other),
    }
    if layer.shape.spatial:
        seen = {one.input: _seen(one, layer.name) for one in fields}
        data["receptive_field"] = seen if len(seen) > 1 else next(iter(seen.values()))
    if facts.shape.channels_last:
        data["layout"] = "channels last"
    unsaved = [name for name, buffer in facts.buffers.items() if not buffer.saved]
    if unsaved:
        data["unsaved"] = unsaved
    if layer.again:
        data["again"] = layer.again
    if layer.keys:
        data["shared"] = dict(layer.keys)
    if layer.training:
        data["training"] = True
    if layer.copies is not None:
        data["experts"] = {"count": layer.copies.experts, "active": layer.copies.active}
    if layer.span is not None:
        data["line"] = layer.span.line
        if layer.span.source.name != network.origin.source:  # another file, which the spec uses
            data["file"] = layer.span.source.name
    return data


def _seen(fields: ReceptiveFields, layer: str) -> Any:
    seen, misaligned = fields[layer], fields.misaligned.get(layer)
    if isinstance(seen, tuple):
        data: dict[str, Any] = {
            "size": [field.size for field in seen],
            "stride": [field.stride for field in seen],
            "start": [field.start for field in seen],
        }
        if layer in fields.limits:
            data["limits"] = [[limit.start, limit.stop] for limit in fields.limits[layer]]
        return data | ({"misaligned": misaligned} if misaligned else {})
    if isinstance(seen, NonUniform):
        return {"reason": seen.reason}
    return {"reason": "it does not depend on this input"} if seen is None else seen.value


def _plain(value: Any) -> Any:
    """A param's value; a block or an op by its name."""
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return getattr(value, "kind", None) or getattr(value, "name", None) or "step"
