"""A file of weights, held against what a network says its weights are.

Only tensors are read from it: a file can carry code, which is never run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import ArchlensError, Diagnostic, printable, shorten, usage
from ..network import Network
from ..shape import times

#: How many tensors of each kind a message lists.
_MOST = 5


def read(network: Network, path: str) -> Mapping[str, torch.Tensor]:
    """The state dict in a file, if it is one of this network.

    Raises:
        UsageError: the file cannot be read, or holds no state dict.
        ArchlensError: its tensors are not those of the network, by name and shape.
    """
    try:
        found = torch.load(Path(path), map_location="cpu", weights_only=True)
    except OSError as problem:
        raise usage(f"{printable(path)[:200]} cannot be read: {problem.strerror or problem}") from None
    except Exception:  # torch raises what its unpickler, its archive and its tensors do
        raise usage(
            f"{printable(path)[:200]} holds no weights that torch can read without running code",
            help="a file that torch.save(module.state_dict(), path) wrote",
        ) from None
    if not isinstance(found, Mapping) or not all(
        isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in found.items()
    ):
        raise usage(
            f"{printable(path)[:200]} holds no state dict: tensors by name",
            help="a file that torch.save(module.state_dict(), path) wrote",
        )
    notes = _differences(network, found)
    if notes:
        raise ArchlensError(
            Diagnostic(
                f"{printable(path)[:200]} does not fit {network.name}",
                None,
                tuple(notes),
                f"`archlens shapes {network.name} --columns layer,weights` lists what fits",
            )
        )
    return found


def _differences(network: Network, found: Mapping[str, Any]) -> list[str]:
    expected = network.state()
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    other = [
        f"{shorten(name)} is {_size(found[name].shape)} and should be {_size(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != tuple(shape)
    ]
    notes = []
    for what, names in (("not in the file", missing), ("not in the network", unknown)):
        if names:
            notes.append(f"{what}: {_listed([shorten(name) for name in names])}")
    if other:
        notes.append(f"of another shape: {_listed(other)}")
    return notes


def _size(shape: Iterable[int]) -> str:
    return times(shape) or "a scalar"


def _listed(items: list[str]) -> str:
    more = f", and {len(items) - _MOST} more" if len(items) > _MOST else ""
    return ", ".join(items[:_MOST]) + more
