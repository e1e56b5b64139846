"""Whether a module of one's own is what a network says: its tensors by name, and its output shapes.

This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import printable
from ..network import Network
from ..shape import Ids, times

#: How many differences are named.
_MOST = 12


def differences(module: nn.Module, network: Network, *, traced: bool = False) -> list[str]:
    """What differs, a line each; empty where all that can be compared is the same.

    Args:
        module: run once on zeros, in evaluation mode, on the device that it is on; left as it was.
        network: what it should be.
        traced: whether it was traced from a module, so that what has the name of a module of one's own need
            not be all that this module does.
    """
    if any(map(is_lazy, (*module.parameters(), *module.buffers()))):  # a run would make them
        return [f"some of its parameters have no shape yet: run it on {_inputs(network)} first"]
    found = [*_tensors(module, network), *_outputs(module, network, traced)]
    more = len(found) - _MOST
    return [*found[:_MOST], f"and {more} more differences"] if more > 0 else found


def _tensors(module: nn.Module, network: Network) -> Iterator[str]:
    """Weights and buffers by their names in the state dict."""
    has = {
        name: tuple(value.shape)
        for name, value in module.state_dict().items()
        if isinstance(value, Tensor)  # a module may keep anything else beside them
    }
    says = network.state()
    for name, shape in says.items():
        if name not in has:
            yield f"{printable(name)} is missing; it should be {_shape(shape)}"
        elif has[name] != shape:
            yield f"{printable(name)} is {_shape(has[name])}, and should be {_shape(shape)}"
    for name in has:
        if name not in says:
            yield f"{printable(name)} of {_shape(has[name])} is not in {printable(network.name)}"


def tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """All parameters and buffers, those that have several names under each."""
    yield from module.named_parameters(remove_duplicate=False)
    yield from module.named_buffers(remove_duplicate=False)


def slots(module: nn.Module) -> list[str]:
    """A key for each place of a tensor: one, where a module has several names, for torch puts the second back
    wrongly where it is given both.
    """
    return [
        f"{path}.{name}" if path else name
        for path, part in module.named_modules()
        for name, tensor in (*part._parameters.items(), *part._buffers.items())
        if tensor is not None
    ]


def batch_axis(sizes: Sequence[int], says: Sequence[int], batch: int) -> int:
    """Which axis of a tensor holds the samples: the one without which it has the shape that a layer says.

    Modules may have another axis before it, as ``nn.LSTM`` has its steps. Where no axis is, the first.

    >>> batch_axis((9, 2, 5), (9, 5), 2), batch_axis((2, 9, 5), (9, 5), 2), batch_axis((4, 3, 5), (9, 5), 2)
    (1, 0, 0)
    """
    held = (i for i, n in enumerate(sizes) if n == batch and without(sizes, i) == tuple(says))
    return next(held, 0)


def in_rows(sizes: Sequence[int], says: Sequence[int], batch: int) -> bool:
    """Whether a tensor has the samples in one axis with what a layer has an axis for: steps, windows, frames.

    >>> in_rows((18, 5), (9, 5), 2), in_rows((8, 3, 5, 6), (3, 4, 5, 6), 2), in_rows((6, 9, 5), (9, 5), 2)
    (True, True, False)
    """
    rows = [(*says[:i], n * batch, *says[i + 1 :]) for i, n in enumerate(says[:-1])]
    frames = [(says[1] * batch, says[0], *says[2:])] if says[1:] else []  # which stand behind the channels
    return tuple(sizes) in (*rows, *frames)


def without(sizes: Sequence[int], axis: int) -> tuple[int, ...]:
    """The sizes of a tensor without one of its axes."""
    return (*sizes[:axis], *sizes[axis + 1 :])


def is_one_layer(part: nn.Module) -> bool:
    """Whether what a module gives is the output of one layer: what others do beside a layer, nobody knows."""
    return type(part).__module__.startswith("torch.nn.modules.") and not list(part.children())


def _outputs(module: nn.Module, network: Network, traced: bool) -> Iterator[str]:
    """The output shape of each submodule that a layer is called after, and those of the whole."""
    seen: dict[str, list[tuple[int, ...]]] = {}
    handles = []

    def watch(name: str, part: nn.Module) -> None:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                seen.setdefault(name, []).append(tuple(output.shape))

        handles.append(part.register_forward_hook(hook))

    try:
        for name, part in module.named_modules():
            if name not in network.index or (traced and not is_one_layer(part)):
                continue
            if not isinstance(part, torch.jit.ScriptModule):  # that takes no hooks
                watch(name, part)
        with as_it_was(module), torch.no_grad():
            output = module(*_zeros(module, network))
    except Exception as problem:  # whatever its forward raises
        said = next(iter(str(problem).splitlines()), "")
        kind = (
            ""
            if said and isinstance(problem, RuntimeError | TypeError | ValueError)
            else type(problem).__name__
        )
        yield f"it does not run on {_inputs(network)}: {printable(': '.join(filter(None, (kind, said))))}"
        return
    finally:
        for handle in handles:
            handle.remove()
    for name, shapes in seen.items():
        says = tuple(network.index[name].shape)
        found = _of_sample(shapes[0], says, traced)
        if len(shapes) == 1 and found != says:  # a module that is used twice is no one layer
            yield f"{printable(name)} gives {_shape(found)}, and should give {_shape(says)}"
    yield from _whole(output, network, traced)


def _whole(output: Any, network: Network, traced: bool) -> Iterator[str]:
    names = [name for name, layer in network.outputs.items() if not _trains(network, layer)]
    parts = _parts(output, names)
    for name in names:
        says = tuple(network.shape_of(network.outputs[name]))
        what = "the output" if len(names) == 1 else f"the output {printable(name)}"
        if not parts:
            yield f"{what} is a {type(output).__name__} without tensors, and should be {_shape(says)}"
        elif name not in parts:
            yield f"{what} is missing; it should be {_shape(says)}"
        elif (found := _of_sample(parts[name].shape, says, traced)) != says:
            yield f"{what} is {_shape(found)}, and should be {_shape(says)}"


def _of_sample(sizes: Sequence[int], says: Sequence[int], traced: bool) -> tuple[int, ...]:
    """The sizes of a tensor for one sample; in what was traced the samples may be in any axis."""
    if traced and in_rows(sizes, says, 1):
        return tuple(says)
    return without(sizes, batch_axis(sizes, says, 1) if traced else 0)


def _trains(network: Network, layer: str) -> bool:
    return layer in network.index and network.index[layer].training


def _parts(output: Any, names: list[str]) -> Mapping[str, Tensor]:
    """The tensors that a module returned, by the names of the network's outputs; or else in their order."""
    if isinstance(output, Mapping) and any(name in output for name in names):
        return {name: part for name, part in output.items() if isinstance(part, Tensor)}
    if is_dataclass(output):
        output = {field.name: getattr(output, field.name) for field in fields(output)}
    if isinstance(output, Mapping):
        output = [part for part in output.values() if isinstance(part, Tensor)]
    parts = output if isinstance(output, tuple | list) else [output]
    ordered = sorted(names, key=lambda name: name != "out")
    return {name: part for name, part in zip(ordered, parts, strict=False) if isinstance(part, Tensor)}


def _zeros(module: nn.Module, network: Network) -> list[Tensor]:
    own = next(iter(module.parameters()), None)
    device = own.device if own is not None else torch.device("cpu")
    dtype = own.dtype if own is not None and own.dtype.is_floating_point else torch.float32
    return [
        torch.zeros(1, *shape, device=device, dtype=torch.int64 if isinstance(shape, Ids) else dtype)
        for shape in network.inputs.values()
    ]


@contextmanager
def as_it_was(module: nn.Module) -> Iterator[None]:
    """In evaluation mode; then the modes, the buffers and torch's random numbers are what they were."""
    modes = {part: part.training for part in module.modules()}
    buffers = [(part, name, buffer) for part in modes for name, buffer in part.named_buffers(recurse=False)]
    own = next(iter(module.parameters()), None)
    devices = [own.device] if own is not None and own.device.type == "cuda" else []
    module.eval()
    try:
        for part, name, buffer in buffers:
            setattr(part, name, buffer.clone())
        with torch.random.fork_rng(devices):
            yield
    finally:
        for part, name, buffer in buffers:
            setattr(part, name, buffer)
        for part, training in modes.items():
            part.training = training


def _inputs(network: Network) -> str:
    return ", ".join(map(str, network.inputs.values()))


def _shape(shape: tuple[int, ...]) -> str:
    return times(shape) or "a single number"
