"""What a configuration comes to, and what those of all families have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...shape import Ids, Shape
from .fields import Fields


class Said(NamedTuple):
    """What a configuration comes to: params of the spec, and its inputs."""

    values: Mapping[str, Any]
    inputs: Mapping[str, Shape]


def of_ids(values: dict[str, Any]) -> Said:
    """One row of ids, as long as may be."""
    return Said(values, {"ids": Ids((values["length"],), values["vocab"])})


def never(c: Fields) -> None:
    """What no spec says of a decoder or an encoder alone."""
    for name in (
        "is_encoder_decoder",
        "is_decoder",
        "add_cross_attention",
        "tie_encoder_decoder",
        "torchscript",
    ):
        c.only(name, False)
    c.only("pruned_heads", {}, None)


#: Activations under transformers' names.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": 'gelu(approximate="tanh")',
    "gelu_pytorch_tanh": 'gelu(approximate="tanh")',
    "gelu_fast": 'gelu(approximate="tanh")',
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
