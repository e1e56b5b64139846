"""Built modules whose weights nobody has drawn: what is asked of them does not depend on values."""

from __future__ import annotations

import torch
from torch import nn

import archlens
from archlens.network import Network


def unfilled(network: Network, device: str = "meta", dtype: torch.dtype | None = None) -> nn.Module:
    """The module of a network; on a device that has values they are all zero."""
    module = archlens.build(network, device="meta", dtype=dtype)
    if device != "meta":
        module.to_empty(device=device)
        for alias, key in network.aliases.items():  # which torch makes two of
            path, _, name = alias.rpartition(".")
            module.get_submodule(path)._parameters[name] = module.get_parameter(key)
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.data.zero_()  # some are indices, and what memory holds may be slow to compute with
    return module
