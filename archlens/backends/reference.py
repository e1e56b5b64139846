"""A network held against the very module that it was traced from: what its hooks see, and what it computes.

This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from ..counts import AtLeast
from ..errors import UsageError, printable, usage
from ..network import Layer, Network
from ..shape import Ids
from .checks import FAILED, NOT_APPLICABLE, OUTPUT, PASSED, Check
from .conformance import as_it_was, batch_axis, in_rows, is_one_layer, slots, tensors, without
from .torch_module import build


class Reference(NamedTuple):
    """A module, and what its ``forward`` is given."""

    module: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    #: The tensors among them, in the order of the network's inputs.
    inputs: Sequence[Tensor]


class Seen(NamedTuple):
    """What came out of one run of a module, and what was seen of its parts."""

    #: By the names of the network's outputs; none where they are not told apart.
    outputs: Mapping[str, Tensor]
    #: Of each of torch's own modules without parts, and each time that it was called: the shape of its
    #: output, and the FLOPs.
    parts: Mapping[str, Sequence[tuple[tuple[int, ...], int]]]
    #: FLOPs of the whole.
    total: int


@contextmanager
def in_steps(*, recurrent: bool) -> Iterator[None]:
    """Attention runs step by step, and so do recurrent layers: torch's counter lacks kernels of whole ones.

    Args:
        recurrent: whether there may be recurrent layers; convolutions are slow without oneDNN and cuDNN, too.
    """
    with ExitStack() as stack:
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if recurrent:
            stack.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore")  # of asking for other kernels
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield


def run(reference: Reference, network: Network, state: Mapping[str, Tensor] | None, device: Any) -> Seen:
    """Run the module once in evaluation mode; it is left as it was.

    Args:
        reference: the module, and inputs on the device.
        network: what it was traced into.
        state: other weights for it.
        device: where it runs; not where it lies, which stays.

    Raises:
        UsageError: it raised.
    """
    module = reference.module
    parts: dict[str, list[tuple[tuple[int, ...], int]]] = {}
    counter = FlopCounterMode(display=False)
    with ExitStack() as stack:
        for name, part in module.named_modules():
            if name in network.index and is_one_layer(part):
                _watch(stack, name, part, counter, parts)
        stack.enter_context(as_it_was(module))
        stack.enter_context(torch.no_grad())
        stack.enter_context(in_steps(recurrent=True))
        stack.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
        torch.backends.mha.set_fastpath_enabled(False)
        given = _on(module, state, device)
        stack.enter_context(counter)
        try:
            out = functional_call(module, given, reference.args, dict(reference.kwargs), tie_weights=False)
        except torch.OutOfMemoryError:
            raise
        except Exception as problem:  # whatever its forward raises
            said = printable(str(problem).strip().partition("\n")[0])
            raise usage(
                f"{network.name} does not run on the device {device}",
                notes=(f"{type(problem).__name__}: {said}",),
            ) from None
    found = {id(one): one for one in tree_leaves(out) if isinstance(one, Tensor)}
    names = [
        name for name, end in network.outputs.items() if end not in network.index or not network[end].training
    ]
    outputs = dict(zip(names, found.values(), strict=True)) if len(found) == len(names) else {}
    return Seen(outputs, parts, int(counter.get_total_flops()))


def _on(module: nn.Module, state: Mapping[str, Tensor] | None, device: torch.device) -> dict[str, Tensor]:
    """All tensors of a module on a device; those that are one stay one."""
    moved: dict[int, Tensor] = {}
    found: dict[str, Tensor] = {}
    for key, own in tensors(module):
        tensor = own if state is None else state.get(key, own)
        if id(tensor) not in moved:
            without = device.type == "meta"
            moved[id(tensor)] = (
                torch.empty_like(tensor, device=device) if without else tensor.detach().to(device)
            )
        found[key] = moved[id(tensor)]
    return {key: found[key] for key in slots(module)}


def _watch(
    stack: ExitStack,
    name: str,
    part: nn.Module,
    counter: FlopCounterMode,
    parts: dict[str, list[tuple[tuple[int, ...], int]]],
) -> None:
    before: dict[str, int] = {}

    def enter(_module: nn.Module, _inputs: Any) -> None:
        before[name] = counter.get_total_flops()

    def leave(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            flops = counter.get_total_flops() - before[name]
            parts.setdefault(name, []).append((tuple(output.shape), flops))

    stack.callback(part.register_forward_pre_hook(enter).remove)
    stack.callback(part.register_forward_hook(leave).remove)


def same_outputs(
    network: Network, reference: Reference, seen: Seen, state: Mapping[str, Tensor] | None, device: Any
) -> Check:
    """Whether what is built of the network computes what the module does, with the module's weights."""

    def check(status: str, says: str, found: str, reason: str = "") -> Check:
        return Check("", OUTPUT, status, says, found, reason)

    if device.type == "meta":
        return check(NOT_APPLICABLE, "", "", "nothing is computed on the meta device")
    if not seen.outputs:
        return check(NOT_APPLICABLE, "", "", "which of its outputs is which is not known")
    kinds = {one.dtype for one in reference.module.parameters() if one.is_floating_point()}
    if len(kinds) > 1:
        return check(NOT_APPLICABLE, "", "", "its weights are of several types")
    dtype = next(iter(kinds), torch.get_default_dtype())
    try:
        made = build(network, device=device, dtype=dtype).eval()
    except UsageError as problem:
        return check(NOT_APPLICABLE, "", "", problem.diagnostic.message)
    made.let_go()
    try:
        made.load_state_dict(reference.module.state_dict() if state is None else dict(state), strict=True)
    except RuntimeError as problem:
        return check(FAILED, "the weights of the module", printable(str(problem).replace("\n", " ")))
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        # a number of each sample has no axis of its own in the module
        out = made(*[one[:, None] if one.dim() == 1 else one for one in reference.inputs])
    says = out if isinstance(out, dict) else dict.fromkeys(network.outputs, out)
    for name, one in seen.outputs.items():
        if name in says and one.dim() < says[name].dim() and _several(one) == _several(says[name]):
            one = one.view_as(says[name])  # the module leaves out axes of one position
        if name not in says or not one.dim():
            return check(FAILED, f"{name} of {_size(says.get(name))}", _size(one))
        found = one.movedim(batch_axis(one.shape, says[name].shape[1:], len(says[name])), 0)
        if says[name].shape != found.shape:
            return check(FAILED, f"{name} of {_size(says.get(name))}", _size(found))
        largest = float(found.abs().max()) if found.numel() else 0.0
        apart = float((says[name] - found).abs().max()) if found.numel() else 0.0
        # the same sums in another order
        if not apart <= 1000 * torch.finfo(dtype).eps * max(largest, 1.0):
            return check(FAILED, f"{name} to {apart:.2g}", f"values up to {largest:.2g}")
    return check(PASSED, "what the module computes", "the same")


def _size(value: Tensor | None) -> str:
    return "nothing" if value is None else "x".join(map(str, value.shape[1:])) or "a single number"


def _several(value: Tensor) -> list[int]:
    """The sizes of a tensor but those that are 1."""
    return [n for n in value.shape if n != 1]


def checks(network: Network, seen: Seen, batch: int) -> Iterator[Check]:
    """The shape and the products of each layer, by hooks."""
    for layer in network:
        calls = seen.parts.get(layer.name)
        if calls is None:
            for what in ("shape", "macs"):
                yield Check(
                    layer.name, what, NOT_APPLICABLE, "", "", "no module of torch's is this layer alone"
                )
            continue
        says = tuple(layer.shape)
        # it may be called on what no input flows into, too, which is no layer
        apart = [(without(sizes, batch_axis(sizes, says, batch)), flops) for sizes, flops in calls]
        single = [read for read in layer.input_shapes if isinstance(read, Ids) and tuple(read) == (1,)]
        if single:  # an id of each sample, which has no axis of its own
            apart += [((1, *shape), flops) for shape, flops in apart]
        apart += [(says, flops) for sizes, flops in calls if in_rows(sizes, says, batch)]
        if layer.once:  # the module lays it out as it likes
            apart[:0] = [(says, flops) for sizes, flops in calls if prod(sizes) == prod(says)]
        shape, flops = next((call for call in apart if call[0] == says), apart[0])
        yield Check(
            layer.name,
            "shape",
            PASSED if says == shape else FAILED,
            "x".join(map(str, says)),
            "x".join(map(str, shape)),
            "" if says == shape else "by a hook",
        )
        yield products(layer, flops, batch)


def products(layer: Layer, flops: int, batch: int) -> Check:
    """The products of a layer, as torch's counter saw them run; it counts 2 for each."""
    if isinstance(layer.macs, AtLeast):
        return Check(layer.name, "macs", NOT_APPLICABLE, "", f"{flops / 2:,.0f}", layer.macs.why)
    says, (ran, rest) = of_batch(layer, batch), divmod(flops, 2)
    if says == ran and not rest:
        return Check(layer.name, "macs", PASSED, f"{says:,}", f"{ran:,}", "")
    halves = f"{ran:,}{'.5' if rest else ''}"
    return Check(layer.name, "macs", FAILED, f"{says:,}", halves, "by torch.utils.flop_counter")


def of_batch(layer: Layer, batch: int) -> int:
    """Products of a layer on a whole batch, of which it may take some only once."""
    return int(layer.macs_of(batch))  # what is known of them
