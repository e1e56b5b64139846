"""Whether what archlens says of a network is what torch does, layer by layer.

Every figure is compared with something that does not know it: shapes with a real forward pass, weights
with the parameters that torch made, multiply-accumulates with fvcore's count of the operators that ran and
with torch's own counter. This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import fx, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from ..errors import shorten, usage
from ..network import Layer, Network
from ..shape import Shape
from .checks import CHECKS, FAILED, NOT_APPLICABLE, PASSED, Check, Verification
from .torch_module import Built, at, build

#: The operators of fvcore that are convolutions or matrix products.
_PRODUCTS = ("conv", "linear", "addmm", "matmul", "mm", "bmm", "einsum", "scaled_dot_product_attention")


def verify(network: Network, *, device: str = "cpu", batch: int = 1) -> Verification:
    """Build a network in torch, run it, and compare.

    Args:
        network: what is verified.
        device: ``"cpu"``, ``"cuda"`` (or ``"cuda:1"``), or ``"meta"``, which computes shapes only.
        batch: samples of the forward pass.

    Raises:
        UsageError: there is no such device, or its memory does not suffice.
    """
    where = _device(device)
    try:
        return _verify(network, where, batch)
    except torch.OutOfMemoryError:
        raise usage(
            f"{network.name} does not fit into the memory of {device}",
            help="a smaller --batch or --input; or --device meta, which needs none",
        ) from None
    except RuntimeError as problem:
        if "alloc" in str(problem) and "memory" in str(problem):
            raise usage(
                f"{network.name} does not fit into memory",
                help="a smaller --batch or --input; or --device meta, which needs none",
            ) from None
        raise


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
    except RuntimeError:
        raise usage(f"there is no device {shorten(name)}", help="cpu, cuda, cuda:1 or meta") from None
    if device.type == "cuda" and (
        not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()
    ):
        raise usage(
            f"there is no device {name}: torch sees {torch.cuda.device_count()} CUDA devices",
            help="--device cpu, or --device meta",
        )
    if device.type not in ("cpu", "cuda", "meta"):
        raise usage(f"the device {name} is not supported", help="cpu, cuda, cuda:1 or meta")
    return device


def _verify(network: Network, device: torch.device, batch: int) -> Verification:
    module = build(network, device=device).eval()
    inputs = tuple(torch.rand(batch, *shape, device=device) for shape in network.inputs.values())
    complete = module.complete()
    with torch.no_grad():
        checks = [*_shapes(network, complete, inputs), *_weights(network, module)]
        version, counted, uncounted = _fvcore(complete, inputs)
        why = (
            "fvcore traces, and a trace has no sizes on the meta device"
            if version
            else "fvcore is not installed"
        )
        checks += _macs(network, counted, batch, why)
        checks.append(_total(network, module, inputs))
        seconds, peak = _timed(module, inputs, device)
    checks.sort(key=lambda check: CHECKS.index(check.what))
    return Verification(
        name=network.name,
        title=network.title,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        torch=torch.__version__.partition("+")[0],
        fvcore=version,
        batch=batch,
        checks=tuple(checks),
        uncounted=tuple(uncounted),
        seconds=seconds,
        peak_bytes=peak,
    )


class _Shapes(fx.Interpreter):
    """Runs a graph node by node and keeps the shape of each layer's output, without the batch."""

    def __init__(self, module: Built) -> None:
        super().__init__(module)
        self.found: dict[str, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if "layer" in n.meta:
            self.found[n.meta["layer"]] = tuple(value.shape[1:])
        return value

    def fetch_attr(self, target: str) -> Any:
        """A submodule or a parameter by its path."""
        return at(self.module, target)

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self.fetch_attr(target)(*args, **kwargs)


def _shapes(network: Network, module: Built, inputs: tuple[torch.Tensor, ...]) -> Iterator[Check]:
    """Each layer's output in a real forward pass."""
    shapes = _Shapes(module)
    shapes.run(*inputs)
    for layer in network.layers:
        says, found = str(layer.shape), str(Shape(shapes.found[layer.name]))
        yield Check(layer.name, "shape", PASSED if says == found else FAILED, says, found, "")


def _weights(network: Network, module: nn.Module) -> Iterator[Check]:
    """Parameters and buffers of the whole module, by name and shape; each belongs to one layer."""
    saved = module.state_dict(keep_vars=True)
    real = {name: (tuple(value.shape), isinstance(value, nn.Parameter)) for name, value in saved.items()}
    for layer in network.layers:
        said = {layer.key(key): (shape, True) for key, shape in layer.facts.weights.items()}
        said |= {layer.key(key): (shape, False) for key, shape in layer.facts.buffers.items()}
        there = {name: real.pop(name) for name in list(said) if name in real}
        there |= {name: real.pop(name) for name in list(real) if name.startswith(f"{layer.name}.")}
        if not said and not there:
            yield Check(layer.name, "weights", NOT_APPLICABLE, "", "", "it has no weights")
        else:
            status = PASSED if said == there else FAILED
            yield Check(layer.name, "weights", status, _listed(said), _listed(there), "")
    for name in real:
        yield Check(name, "weights", FAILED, "nothing", name, "torch has a tensor that archlens does not")


def _listed(tensors: dict[str, tuple[tuple[int, ...], bool]]) -> str:
    return ", ".join(
        f"{name.rpartition('.')[2]} {'x'.join(map(str, shape)) or 'scalar'}"
        for name, (shape, _) in tensors.items()
    )


class _Tupled(nn.Module):
    """A module whose outputs are a tuple, as tracing wants them."""

    def __init__(self, module: Built) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: torch.Tensor) -> Any:
        found = self.module(*inputs)
        return tuple(found.values()) if isinstance(found, dict) else found


def _fvcore(module: Built, inputs: tuple[torch.Tensor, ...]) -> tuple[str, dict[str, int], list[str]]:
    """The version of fvcore, its products by layer, and the operators that it does not count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fvcore's own use of torch
        try:
            from fvcore import __version__
            from fvcore.nn import FlopCountAnalysis
        except ImportError:
            return "", {}, []
        if inputs[0].is_meta:
            return __version__, {}, []
        logging.getLogger("fvcore.nn.jit_analysis").setLevel(logging.ERROR)
        analysis = FlopCountAnalysis(_Tupled(module), inputs)
        analysis.set_op_handle("aten::scaled_dot_product_attention", _attention)
        counted = {
            name.removeprefix("module."): int(sum(count for op, count in ops.items() if op in _PRODUCTS))
            for name, ops in analysis.by_module_and_operator().items()
        }
        return __version__, counted, sorted(analysis.unsupported_ops())


def _attention(inputs: list[Any], outputs: list[Any]) -> int:
    """Products of an operator that fvcore does not count, by the formula of torch's own counter."""
    queries, keys, values = (value.type().sizes() for value in inputs[:3])
    count: Callable[..., int] = sdpa_flop_count
    return count(queries, keys, values) // 2


def _macs(network: Network, counted: dict[str, int], batch: int, why_not: str) -> Iterator[Check]:
    """Products of each layer, as fvcore counts the operators that ran in its module."""
    for layer in network.layers:
        says = _of_batch(layer, batch)
        found = counted.get(layer.name)
        if not counted:
            yield Check(layer.name, "macs", NOT_APPLICABLE, f"{says:,}", "", why_not)
        elif found is None and not says:
            yield Check(layer.name, "macs", NOT_APPLICABLE, "0", "", "it is a function, not a module")
        else:
            status = PASSED if says == found else FAILED
            yield Check(layer.name, "macs", status, f"{says:,}", f"{found or 0:,}", "")


def _of_batch(layer: Layer, batch: int) -> int:
    """Products of a layer on a whole batch, of which it may take some only once."""
    once = layer.op.macs_once(layer.facts, *layer.input_shapes)
    return (layer.macs - once) * batch + once


def _total(network: Network, module: Built, inputs: tuple[torch.Tensor, ...]) -> Check:
    """Products of one inference, as torch's own counter sees them; it counts 2 for each.

    Attention is computed step by step here: of its fused kernels the counter does not know all.
    """
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        module(*inputs)
    says = sum(_of_batch(layer, len(inputs[0])) for layer in network.layers if not layer.training)
    found = counter.get_total_flops() / 2
    return Check("", "total", PASSED if says == found else FAILED, f"{says:,}", f"{found:,.0f}", "")


def _timed(
    module: Built, inputs: tuple[torch.Tensor, ...], device: torch.device
) -> tuple[float | None, int | None]:
    """Seconds of a forward pass; and, on CUDA, the peak of allocated bytes."""
    if device.type == "meta":
        return None, None
    wait: Callable[[], None] = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    if device.type == "cuda":
        module(*inputs)  # the first pass on a GPU also loads kernels
        wait()
        torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    module(*inputs)
    wait()
    seconds = time.perf_counter() - start
    return seconds, torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
