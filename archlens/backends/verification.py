"""Whether what archlens says of a network is what torch does, layer by layer.

Every figure is compared with something that does not know it: shapes with a real forward pass, weights
with the parameters that torch made, multiply-accumulates with fvcore's count of the operators that ran and
with torch's own counter. This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

import logging
import threading
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import fx, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from ..analysis.memory import allocated
from ..errors import UsageError, shorten, usage
from ..grouping import grouped
from ..network import Layer, Network, scopes_of
from ..ops import STATED as STATED_OPS
from ..ops import Call
from ..ops.opaque import UNKNOWN
from ..shape import Ids, Shape
from . import reference as against
from .checks import CHECKS, FAILED, NOT_APPLICABLE, OPAQUE, OUTPUT, PASSED, STATED, Check, Verification
from .effort import MOST, Allowance, allow, is_small, too_much
from .probing import Thin, probe
from .reference import Reference, in_steps, of_batch
from .torch_module import Built, build, find, is_module, sample
from .torch_module import at as tensor_at
from .weights import read

#: Which kernel of attention runs, and which warnings are shown, is set for the whole process.
_ALONE = threading.Lock()

#: How many layers with stated figures are named.
_NAMED = 5

#: So many modules are kept for other networks, of a kilobyte or ten each.
_KEPT = 10_000

#: The operators of fvcore that are convolutions or matrix products.
_PRODUCTS = ("conv", "linear", "addmm", "matmul", "mm", "bmm", "einsum", "scaled_dot_product_attention")


#: What came out of a module, and its products.
_Ran = tuple[torch.Tensor, int]


class Known:
    """What one verification has computed and another may take: the same call on the same."""

    def __init__(self) -> None:
        #: On the meta device, by the call and what came in.
        self.ran: dict[tuple[object, ...], _Ran] = {}
        #: What modules do on a few channels, by the call and their number.
        self.thin: Thin = {}

    def bound(self) -> None:
        """Forget what is too much to keep."""
        for kept in (self.ran, self.thin):
            if len(kept) > _KEPT:
                kept.clear()


def verify(
    network: Network,
    *,
    device: str | None = None,
    batch: int = 1,
    weights: str | None = None,
    reference: Reference | None = None,
    bounded: bool = True,
    known: Known | None = None,
) -> Verification:
    """Build a network in torch, run it, and compare.

    Args:
        network: what is verified.
        reference: the module that it was traced from, with inputs on the device and of the batch: what is
            said of shapes, weights and products is held against that, too, and against that alone where the
            network cannot be built.
        device: ``"cpu"``, ``"cuda"`` (or ``"cuda:1"``), or ``"meta"``, which computes shapes only; unless it
            is given the CPU, or meta where that would take too much.
        batch: samples of the forward pass.
        weights: the path of a state dict, which has to fit, and with which the network then runs.
        bounded: refuse a network of which one sample takes very much work or memory, and leave out the
            receptive fields that do.
        known: what ran for other networks, and need not run again; this one is added.

    Raises:
        UsageError: there is no such device, its memory does not suffice, the weights cannot be read, or it
            takes more than is allowed.
        ArchlensError: the weights do not fit.
    """
    unproved = _unproved(network, opaque=reference is None and weights is None)
    made = _with_stand_ins(network, unproved)
    if unproved and reference is None:
        made.require_calls("verified")
    why = ""
    if device is None:
        if weights is None and reference is None:
            why = too_much(made, bounded=bounded)
        device = "meta" if why else "cpu"
    where = _device(device)
    # what is too large to be computed is also too large to plant NaNs in all of it; and so are long texts, of
    # which attention compares each two tokens
    words = not bounded and any(isinstance(shape, Ids) for shape in network.inputs.values())
    allowance = (
        Allowance(MOST) if why or words else allow(made, computed=where.type != "meta", bounded=bounded)
    )
    state = read(network, weights) if weights is not None else None
    try:
        with _ALONE, _one_thread() if is_small(made) else nullcontext():
            found = _verify(
                network, made, unproved, where, batch, state, reference, allowance, known or Known()
            )
            return replace(found, why_meta=why)
    except torch.OutOfMemoryError:
        raise usage(
            f"{network.name} does not fit into the memory of {device}",
            help=_smaller(where),
        ) from None
    except RuntimeError as problem:
        if "alloc" in str(problem) and "memory" in str(problem):
            raise usage(
                f"{network.name} does not fit into memory",
                help=_smaller(where),
            ) from None
        raise


def _smaller(device: torch.device) -> str:
    """What fits where a network does not."""
    if device.type == "meta":  # where NaNs are planted all the same, in tensors with few channels
        return "a smaller --input; or without --unbounded"
    return "a smaller --batch or --input; or --device meta, which needs none of it"


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


def _unproved(network: Network, *, opaque: bool) -> dict[str, Layer]:
    """The layers that nobody can compute: those with stated figures, and those that are opaque if asked for.

    A network of which another layer has a weight of one of these has none that are opaque here: as it stands
    it cannot be built, which is said.
    """
    found = {layer.name: layer for layer in network.stated}
    if not opaque:
        return found
    more = {layer.name: layer for layer in network.layers if layer.facts.torch.target == UNKNOWN}
    own = {
        layer.key(name) for layer in more.values() for name in (*layer.facts.weights, *layer.facts.buffers)
    }
    others = (key for layer in network.layers if layer.name not in more for key in layer.keys.values())
    return found if own.intersection(others) else more


def _with_stand_ins(network: Network, unproved: Mapping[str, Layer]) -> Network:
    """A network that can run: of some layers there is no more than the shape, which takes no work."""
    if not unproved:
        return network
    replaced = {
        layer.name: layer._replace(
            facts=layer.facts._replace(
                torch=Call("archlens.stand_in", *layer.shape),
                weights={},
                buffers={},
                macs=0,
                other={},
                unlisted=0,
            ),
            keys={},
        )
        for layer in unproved.values()
    }
    layers = tuple([replaced.get(layer.name, layer) for layer in network.layers])
    return replace(network, layers=layers, index={layer.name: layer for layer in layers})


def _without(network: Network, said: Mapping[str, Layer], checks: Sequence[Check]) -> Iterator[Check]:
    """The same checks, where those of layers that nobody computed, and so of the whole, prove nothing."""
    if not said:
        yield from checks
        return
    names = ", ".join(map(shorten, list(said)[:_NAMED]))
    more = f" and {len(said) - _NAMED:,} more" if len(said) > _NAMED else ""
    for check in checks:
        layer = said.get(check.layer)
        if check.what == "total" and check.status == PASSED:
            kinds = {_why(layer) for layer in said.values()}
            reason = f"{names}{more}: {' or '.join(sorted(kinds, reverse=True))}; {check.says} without"
            yield Check("", "total", NOT_APPLICABLE, f"{network.macs:,}", check.found, reason)
        elif layer is None or check.what == "field":
            yield check
        else:
            says = {"shape": str(layer.shape), "weights": f"{layer.params:,}", "macs": f"{layer.macs:,}"}
            yield Check(check.layer, check.what, NOT_APPLICABLE, says[check.what], "", _why(layer))


def _why(layer: Layer) -> str:
    return STATED if layer.op.kind in STATED_OPS else OPAQUE


def _verify(
    network: Network,
    made: Network,
    unproved: Mapping[str, Layer],
    device: torch.device,
    batch: int,
    state: Any,
    reference: Reference | None,
    allowance: Allowance,
    known: Known,
) -> Verification:
    known.bound()
    seen = None if reference is None else against.run(reference, network, state, device)
    module: Built | None = None
    try:
        with _PlainWeights():
            module = build(made, device=device).eval()
        module.let_go()
    except UsageError:
        if reference is None:
            raise
    seconds, peak, flops = None, None, 0
    checks: list[Check] = []
    with torch.no_grad():
        inputs = tuple(sample(shape, batch, device=device) for shape in network.inputs.values())
        complete = module and module.complete()
        if complete is not None:
            complete.let_go()
        version, counted, uncounted = _fvcore(complete, inputs)
        if module is not None and complete is not None:
            if state is not None:
                module.load_state_dict(state, strict=True)
            recurrent = any(layer.op.family == "recurrent" for layer in network)
            shapes = ran = _Shapes(complete, made, known.ran)
            with in_steps(recurrent=recurrent):
                checks += _shapes(made, shapes, inputs)
                if network.training_macs:  # which are not part of an inference
                    ran = _Shapes(module, made, known.ran)
                    ran.run(*inputs)
            flops = ran.total
            checks += _macs(made, counted, shapes.products, batch)
            seconds, peak = _timed(module, inputs, device)
        if seen is not None and reference is not None:
            flops = seen.total
            hooked = list(against.checks(network, seen, batch))
            failed = {(check.layer, check.what): check for check in hooked if check.status == FAILED}
            checks = [failed.get((check.layer, check.what), check) for check in checks] or hooked
            checks.append(against.same_outputs(network, reference, seen, state, device))
        owner = module if reference is None else reference.module
        assert owner is not None
        checks += _weights(made, owner)
        checks.append(_total(made, flops / 2, batch))
        with sdpa_kernel(SDPBackend.MATH), _one_thread():  # those that are fused lose a NaN of a query
            checks += probe(network, allowance, known.thin)
    checks = list(_without(network, unproved, checks))
    checks.sort(key=lambda check: (*CHECKS, OUTPUT).index(check.what))
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
        predicted_bytes=None if peak is None else allocated(made, batch=batch),
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Computed by one thread: where tensors are small, others only wait for their turn."""
    count = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(count)


class _PlainWeights(TorchFunctionMode):
    """Make modules with constant weights: nothing here depends on them, and random ones take time.

    It holds for the modules that this thread makes.
    """

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """The call; of one that draws numbers, the constant in their place."""
        given = kwargs or {}
        if getattr(function, "__name__", "") not in _DRAWS:
            return function(*args, **given)
        with torch.no_grad():
            return (args[0] if args else given["tensor"]).fill_(0.01)


#: What the first weights of torch's modules, and of archlens' own, are drawn with.
_DRAWS = frozenset(
    {
        *("kaiming_uniform_", "kaiming_normal_", "xavier_uniform_", "xavier_normal_"),
        *("uniform_", "normal_", "trunc_normal_"),
    }
)


class _Shapes(fx.Interpreter):
    """Runs a graph node by node and keeps of each layer the shape of its output, without the batch.

    It keeps its products, too, as torch's counter sees them, which counts 2 for each.

    On the meta device, where nothing is computed, modules of the same call run once on tensors of the same
    layout; ``ran`` is what did before, in other networks, too.
    """

    def __init__(self, module: Built, network: Network, ran: dict[tuple[object, ...], _Ran]) -> None:
        super().__init__(module)
        self.counter = FlopCounterMode(display=False)
        #: Of the modules that were not run again, by the counter.
        self.repeated = 0
        self.found: dict[str, tuple[int, ...]] = {}
        self.products: dict[str, int] = {}
        #: Of layers that are all that their call says, that; others' tensors are not theirs alone.
        self.calls = {
            layer.name: layer.facts.torch
            for layer in network.layers
            if not layer.keys and not layer.again and layer.copies is None
        }
        #: By the call and what came in.
        self.ran = ran

    @property
    def total(self) -> int:
        """By the counter, of all that it would have seen had each module run."""
        return int(self.counter.get_total_flops()) + self.repeated

    def run(self, *args: Any, **kwargs: Any) -> Any:
        with self.counter:
            return super().run(*args, **kwargs)

    def run_node(self, n: fx.Node) -> Any:
        if "layer" not in n.meta:
            return super().run_node(n)
        name = n.meta["layer"]
        key = self._key(n, name)
        if key in self.ran:
            value, products = self.ran[key]
            self.repeated += products
        else:
            before = self.counter.get_total_flops()
            value = super().run_node(n)
            products = self.counter.get_total_flops() - before
            if key:
                self.ran[key] = value, products
        self.found[name] = tuple(value.shape[1:])
        self.products[name] = self.products.get(name, 0) + products
        return value

    def _key(self, n: fx.Node, name: str) -> tuple[object, ...]:
        """What the output of a module depends on where nothing is computed; empty where it has to run."""
        if n.op != "call_module" or name not in self.calls:
            return ()
        xs, _ = self.fetch_args_kwargs_from_env(n)
        if not all(x.is_meta for x in xs):
            return ()
        return str(self.calls[name]), *((x.shape, x.stride(), x.dtype) for x in xs)

    def fetch_attr(self, target: str) -> Any:
        """A submodule or a parameter by its path."""
        return tensor_at(self.module, target)

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        return self.fetch_attr(target)(*args, **kwargs)


def _shapes(network: Network, shapes: _Shapes, inputs: tuple[torch.Tensor, ...]) -> Iterator[Check]:
    """Each layer's output in a real forward pass."""
    shapes.run(*inputs)
    for layer in network.layers:
        says, made = str(layer.shape), shapes.found[layer.name]
        found = says if tuple(layer.shape) == made else str(Shape(made))
        yield Check(layer.name, "shape", PASSED if says == found else FAILED, says, found, "")


def _weights(network: Network, module: nn.Module) -> Iterator[Check]:
    """Parameters and buffers of the whole module, by name and shape; each belongs to one layer."""
    real = {
        name: (tuple(value.shape), isinstance(value, nn.Parameter))
        for name, value in module.state_dict(keep_vars=True).items()
        # a module may keep anything else beside them
        if isinstance(value, torch.Tensor) and name not in network.aliases
    }
    # a tensor is that of the innermost layer that it lies in
    layers = {name: [scope for scope in scopes_of(name) if scope in network.index] for name in real}
    within = grouped((around[-1], name) for name, around in layers.items() if around)
    for layer in network.layers:
        said = {layer.key(key): (shape, True) for key, shape in layer.facts.weights.items()}
        said |= {layer.key(key): (shape, False) for key, shape in layer.facts.kept.items()}
        there = {name: real.pop(name) for name in (*said, *within.get(layer.name, ())) if name in real}
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


def _fvcore(module: Built | None, inputs: tuple[torch.Tensor, ...]) -> tuple[str, dict[str, int], list[str]]:
    """The version of fvcore, its products by layer, and the operators that it does not count."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fvcore's own use of torch
        try:
            from fvcore import __version__
            from fvcore.nn import FlopCountAnalysis
        except ImportError:
            return "", {}, []
        if module is None or inputs[0].is_meta:
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
    count: Any = sdpa_flop_count
    return int(count(queries, keys, values)) // 2


def _macs(network: Network, counted: dict[str, int], products: dict[str, int], batch: int) -> Iterator[Check]:
    """Products of each layer, as torch's counter sees them run, and as fvcore counts them in its module.

    Of what no output depends on fvcore's trace has nothing, though torch runs it; of a function it does not
    say which layer it is, and of recurrent ones it counts nothing.
    """
    modules = {
        layer.name
        for layer in network.layers
        if layer.op.family != "recurrent" and layer.copies is None and is_module(find(layer.facts.torch))
    }
    traced = network.needed & modules if counted else frozenset()
    uses = grouped((network.module_of(layer), layer.name) for layer in network.layers)
    shared = {name: first for first, names in uses.items() if len(names) > 1 for name in names}
    for layer in network.layers:
        says = of_batch(layer, batch)
        ran, rest = divmod(products[layer.name], 2)
        found = counted.get(layer.name, 0) if layer.name in traced else says
        first = shared.get(layer.name, "")
        if first and counted:  # what a module that is called several times does, it does together
            whole = sum(of_batch(network[name], batch) for name in uses[first] if name in traced)
            found = says if counted.get(first, 0) == whole else counted.get(first, 0)
        if says != ran or rest:
            halves = f"{ran:,}{'.5' if rest else ''}"
            yield Check(layer.name, "macs", FAILED, f"{says:,}", halves, "by torch.utils.flop_counter")
        else:
            status, why = (PASSED, "") if found == says else (FAILED, "by fvcore")
            yield Check(layer.name, "macs", status, f"{says:,}", f"{found:,}", why)


def _total(network: Network, found: float, batch: int) -> Check:
    """Products of one inference, as torch's own counter sees them; it counts 2 for each."""
    says = sum(of_batch(layer, batch) for layer in network.layers if not layer.training)
    if network.unknown and says <= found:
        name, why = next(iter(network.unknown.items()))
        return Check("", "total", NOT_APPLICABLE, f"at least {says:,}", f"{found:,.0f}", f"{name}: {why}")
    return Check("", "total", PASSED if says == found else FAILED, f"{says:,}", f"{found:,.0f}", "")


def _timed(
    module: Built, inputs: tuple[torch.Tensor, ...], device: torch.device
) -> tuple[float | None, int | None]:
    """On CUDA, the seconds of a forward pass and the peak of allocated bytes."""
    if device.type != "cuda":
        return None, None
    module(*inputs)  # the first pass on a GPU also loads kernels
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    start = time.perf_counter()
    module(*inputs)
    torch.cuda.synchronize(device)
    return time.perf_counter() - start, torch.cuda.max_memory_allocated(device)
