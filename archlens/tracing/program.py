"""An exported program, replayed on tensors without values: operators of a list run, and no other code.

This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import shorten, usage
from ..lowering.batch import rebatched
from ..lowering.counting import COUNTED, FREE
from ..lowering.tape import BATCH, TakenApart
from .archive import DTYPES, Exported, Held, Inner, Step

_COMPOSED = """
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d addbmm addmv alpha_dropout
    atleast_1d atleast_2d atleast_3d avg_pool1d batch_norm bilinear block_diag broadcast_to cdist chunk
    clip column_stack concat concatenate conj constant_pad_nd contiguous conv1d conv2d conv3d
    conv_transpose1d conv_transpose2d conv_transpose3d cosine_similarity cross diff divide dstack einsum
    expand_as feature_alpha_dropout feature_dropout fft_fft fft_fft2 fft_ifft fft_ifft2 fft_irfft
    fft_irfft2 fft_rfft fft_rfft2 flatten float_power floor_divide gather greater greater_equal
    grid_sampler group_norm gru hstack index_select inner instance_norm kron layer_norm less less_equal
    lift_fresh_copy linalg_norm linear log_sigmoid log_softmax logical_and lstm matmul max_pool1d
    max_pool2d max_pool3d meshgrid mish moveaxis movedim multiply narrow norm_except_dim not_equal outer
    pad pixel_shuffle pixel_unshuffle positive prelu relu6 reshape_as rms_norm rnn_relu rnn_tanh rrelu
    scaled_dot_product_attention selu silu softmax softmin special_expit square squeeze_dims subtract
    swapaxes swapdims tensor_split tensordot tile to transpose trapezoid true_divide type_as unflatten
    view_as vstack where __and__ __or__ __xor__ native_channel_shuffle channel_shuffle upsample_linear1d
    baddbmm addcmul addcdiv linalg_vector_norm linalg_inv_ex numpy_T mT adjoint dropout
"""

#: The operators that are replayed.
ALLOWED = frozenset(re.findall(r"\w+", _COMPOSED)) | {
    name.removeprefix("aten.") for name in FREE | COUNTED.keys()
}

#: What checks and computes nothing.
_IDLE = re.compile(r"_assert_\w+|sym_constrain_range\w*|_functional_assert\w*")


def _instance_norm(
    x: Any, weight: Any, bias: Any, mean: Any, var: Any, use: Any, momentum: Any, eps: Any, _cudnn: Any = None
) -> Any:
    return functional.instance_norm(x, mean, var, weight, bias, use, momentum, eps)


def _upsampled(mode: str, x: Any, size: Any, *rest: Any) -> Any:
    corners = {"align_corners": rest[0]} if len(rest) > 1 else {}
    return functional.interpolate(x, size, rest[-1] if size is None else None, mode=mode, **corners)


#: Those that mean more than what they are made of, as functions that a recording keeps whole.
_WHOLE: dict[str, Callable[..., Any]] = {
    "linear.default": functional.linear,
    "dropout.default": torch.dropout,
    "matmul.default": torch.matmul,
    "max_pool1d.default": torch.max_pool1d,
    "avg_pool1d.default": torch.avg_pool1d,
    "adaptive_avg_pool1d.default": functional.adaptive_avg_pool1d,
    "adaptive_avg_pool2d.default": functional.adaptive_avg_pool2d,
    "adaptive_avg_pool3d.default": functional.adaptive_avg_pool3d,
    "scaled_dot_product_attention.default": functional.scaled_dot_product_attention,
    "pad.default": functional.pad,
    "channel_shuffle.default": torch.channel_shuffle,
    "instance_norm.default": _instance_norm,
    **{
        f"upsample_{mode}{axes}d.vec": lambda *args, mode=kind: _upsampled(mode, *args)
        for mode, kind, dims in (
            ("nearest", "nearest", (1, 2, 3)),
            ("linear", "linear", (1,)),
            ("bilinear", "bilinear", (2,)),
            ("bicubic", "bicubic", (2,)),
            ("trilinear", "trilinear", (3,)),
        )
        for axes in dims
    },
}

#: What is computed with sizes.
_NUMBERS: dict[str, Callable[..., Any]] = {
    **{
        f"_operator.{name}": getattr(operator, name)
        for name in (
            "add",
            "sub",
            "mul",
            "floordiv",
            "mod",
            "neg",
            "eq",
            "ne",
            "lt",
            "le",
            "gt",
            "ge",
            "truediv",
        )
    },
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_float": float,
    "math.ceil": lambda x: -int(-x // 1),
    "math.floor": lambda x: int(x // 1),
}

#: Those whose last argument is the sizes of what comes out.
_SHAPED = ("view", "reshape", "_unsafe_view", "unflatten")

#: Those that make a tensor of sizes.
_MADE = ("zeros", "ones", "full", "empty", "rand", "randn", "new_zeros", "new_ones", "new_full", "new_empty")

#: What is left out of the arguments: how a tensor lies in memory, which says nothing here.
_LEFT_OUT = ("as_memory_format", "as_layout")


#: What modules have of their own, so that none of their parts is called so.
_OWN = frozenset(dir(nn.Module()))


class StandIn(nn.Module):
    """What stands in the place of a module: it has its tensors, and runs the steps that ran in it."""

    def forward(self, run: Callable[[], None]) -> None:
        run()


class Program(nn.Module):
    """A program as a module: parameters and buffers under their keys, without values."""

    def __init__(self, exported: Exported) -> None:
        super().__init__()
        self.exported = exported
        kinds = {scope.path: scope.kind for step in exported.steps for scope in step.scopes}
        self.stand_ins: dict[str, nn.Module] = {}
        for path in [*kinds, *(held.key.rpartition(".")[0] for held in exported.held)]:
            self._stand_in(path, kinds)
        for name in (*self.stand_ins, *(held.key for held in exported.held)):
            if name.rpartition(".")[2] in _OWN:
                raise usage(
                    f"the program has a module or a tensor called {shorten(name)}, which torch does not have"
                )
        both = [held.key for held in exported.held if held.key in self.stand_ins]
        if both:
            raise usage(f"{shorten(both[0])} is a module of the program, and a tensor")
        shared: dict[Any, Tensor] = {}
        for held in exported.held:
            self._hold(held, shared)
        self.constants = {held.name: _empty(held) for held in exported.constants}
        batches = {held.sizes[0] for held in exported.inputs if held.sizes}
        #: The samples of the example, where the program runs on so many only; 0 where on any number.
        self.batch = next(iter(batches)).number if batches and not any(one.free for one in batches) else 0
        if len({one.number for one in batches}) > 1:
            self.batch = -1

    @property
    def inputs(self) -> dict[str, Tensor]:
        """What it is given in the example; a single one is called ``input``."""
        found = {held.name: _empty(held) for held in self.exported.inputs}
        return found if len(found) != 1 else {"input": next(iter(found.values()))}

    def _stand_in(self, path: str, kinds: Mapping[str, str]) -> nn.Module:
        """The module at a path, made where there is none."""
        if not path:
            return self
        found: nn.Module | None = self.stand_ins.get(path)
        if found is None:
            outer, _, name = path.rpartition(".")
            kind = kinds.get(path, "").rpartition(".")[2]
            found = type(kind if kind.isidentifier() else "Module", (StandIn,), {"__module__": "exported"})()
            self._stand_in(outer, kinds)._modules[name] = found
            self.stand_ins[path] = found
        return found

    def _hold(self, held: Held, shared: dict[Any, Tensor]) -> None:
        key = (held.content or held.key, held.sizes, held.dtype, held.trains)
        if key not in shared:
            made = _empty(held)
            shared[key] = nn.Parameter(made, made.is_floating_point()) if held.trains else made
        path, _, name = held.key.rpartition(".")
        owner = self.stand_ins[path] if path else self
        if held.trains:
            owner._parameters[name] = shared[key]  # type: ignore[assignment]
        else:
            owner._buffers[name] = shared[key]
            if not held.saved:
                owner._non_persistent_buffers_set.add(name)

    def _at(self, key: str) -> Tensor:
        path, _, name = key.rpartition(".")
        owner = self.stand_ins[path] if path else self
        found = owner._parameters.get(name)
        return found if found is not None else owner._buffers[name]  # type: ignore[return-value]

    def forward(self, **named: Tensor) -> Any:
        exported = self.exported
        inputs = [*named.values()]
        for held, tensor in zip(exported.inputs, inputs, strict=True):
            if len(held.sizes) != len(tensor.shape):
                axes = len(held.sizes) - 1
                raise ValueError(f"{held.name} has {axes} axes beside the batch, not {len(tensor.shape) - 1}")
            fixed = [
                size.number if not size.free else n for size, n in zip(held.sizes, tensor.shape, strict=True)
            ]
            if tuple(fixed[1:]) != tuple(tensor.shape[1:]):
                wanted = "x".join(map(str, fixed[1:]))
                raise ValueError(f"{held.name} is {wanted} in the program, which was exported for that alone")
        if self.batch < 0:
            raise ValueError("the inputs of the program have no batch in common")
        run = _Run(self)
        for held in exported.held:
            run.env[held.name] = self._at(held.key)
        run.env.update(zip((held.name for held in exported.inputs), inputs, strict=True))
        run.env.update(exported.values)
        run.env.update(self.constants)
        run.within(exported.steps, 0)
        return tuple(run.known(name) for name in exported.outputs)


class _Run:
    """One replay."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.env: dict[str, Any] = {}
        self.sizes = program.exported.sizes
        #: Of tensors whose samples are not the outermost part of their axis: how many positions are outside.
        self.inside: dict[str, int] = {}

    def within(self, steps: Sequence[Step], depth: int) -> None:
        """Run steps that stand so deep in scopes; those of one call of a module in that call."""
        for scope, group in _groups(steps, depth):
            if scope is None:
                for step in group:
                    self.step(step)
            else:
                self.program.stand_ins[scope.path](lambda group=group: self.within(group, depth + 1))

    def step(self, step: Step) -> None:
        try:
            self._step(step)
        except TakenApart:
            raise
        except Exception as problem:  # whatever torch raises where an operator does not take what it is given
            said = str(problem).strip().partition("\n")[0]
            raise RuntimeError(f"{shorten(step.target)}: {said}") from None

    def _step(self, step: Step) -> None:
        if step.inner is not None and step.target.startswith("torch.ops.higher_order.wrap_with_"):
            self.within_graph(step, step.inner)
            return
        args = [self.value(arg) for _, arg, placed in step.args if placed]
        kwargs = {
            key: self.value(arg)
            for key, arg, placed in step.args
            if not placed and not any(kind in arg for kind in _LEFT_OUT)
        }
        if step.target in _NUMBERS:
            self.store(step, _NUMBERS[step.target](*args))
            return
        if not step.target.startswith("torch.ops.aten."):
            raise ValueError("it is not among the operators that are replayed")
        name = step.target.removeprefix("torch.ops.aten.")
        packet, _, overload = name.partition(".")
        if _IDLE.fullmatch(packet):
            return
        if packet == "sym_size":
            self.store(step, args[0].shape[args[1]])
            return
        if not {packet, packet.removesuffix("_")} & ALLOWED:
            raise ValueError("it is not among the operators that are replayed")
        _check_parts(packet, args, step)
        if self.program.batch:
            out = self.rebatched(step, packet, args, kwargs)
            if out is not None:
                self.store(step, out)
                self.check(step)
                return
        function = _WHOLE.get(name) or getattr(getattr(torch.ops.aten, packet), overload)
        self.store(step, function(*args, **kwargs))
        if self.program.batch:
            self.check(step)

    def within_graph(self, step: Step, inner: Inner) -> None:
        """A graph within the graph: what is set around it, such as that gradients are kept, says nothing."""
        operands = [self.value(arg) for _, arg, _ in step.args[inner.place + 1 :]]
        before = self.env, self.sizes
        self.env, self.sizes = dict(zip(inner.inputs, operands, strict=True)), inner.sizes
        for one in inner.steps:
            self.step(one)
        out = [self.known(name) for name in inner.outputs]
        self.env, self.sizes = before
        self.store(step, out)

    def known(self, name: Any) -> Any:
        """What has a name in the graph."""
        if name not in self.env:
            raise ValueError(f"nothing in the graph is called {shorten(str(name))}")
        return self.env[name]

    # --- values ------------------------------------------------------------------------------------

    def value(self, arg: Mapping[str, Any]) -> Any:
        """What an argument is."""
        ((kind, value),) = arg.items()
        if kind in ("as_tensor", "as_sym_int", "as_sym_bool", "as_sym_float") and isinstance(value, Mapping):
            if "name" in value or "as_name" in value:
                return self.known(value.get("name", value.get("as_name")))
            return next(iter(value.values()))
        if kind in ("as_tensors", "as_nested_tensors"):
            return [self.known(one["name"]) for one in value]
        if kind == "as_optional_tensors":
            return [self.value(one) for one in value]
        if kind in ("as_sym_ints", "as_sym_floats"):
            return [self.value({"as_sym_int": one}) for one in value]
        if kind == "as_optional_tensor":
            return self.value(value)
        if kind == "as_none":
            return None
        if kind == "as_scalar_type":
            return getattr(torch, DTYPES[value])
        if kind == "as_device":
            return torch.device("meta")
        if kind in _LEFT_OUT:
            return None
        if kind in (
            "as_int",
            "as_ints",
            "as_float",
            "as_floats",
            "as_bool",
            "as_bools",
            "as_string",
            "as_strings",
        ):
            return value
        raise ValueError(f"an argument is a {kind.removeprefix('as_')}, which is not replayed")

    def store(self, step: Step, out: Any) -> None:
        outputs = list(_names(step.outputs))
        values = out if isinstance(out, list | tuple) else [out]
        for name, value in zip(outputs, values, strict=False):
            if name is not None:
                self.env[name] = value
        first = step.args[0][1].get("as_tensor", {}).get("name") if step.args else None
        if first in self.inside:
            self.inside |= {name: self.inside[first] for name in outputs if name and name not in self.inside}

    # --- a batch that was baked in ---------------------------------------------------------------------

    def rebatched(self, step: Step, packet: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """What comes out for a batch of another size than the one that its sizes were written for."""
        batch = self.program.batch
        name = next(_names(step.outputs), None)
        sizes = self.sizes.get(name or "")
        if sizes is None:
            return None
        whole = [size.number for size in sizes]
        if packet in _SHAPED and isinstance(args[0], Tensor):
            own = step.args[0][1].get("as_tensor", {}).get("name")
            before = [size.number for size in self.sizes.get(own, ())]
            now = list(args[0].shape)
            if now == before or len(now) != len(before):
                return None
            found, inside = rebatched(before, now, whole, self.inside.get(own, 1), batch)
            if name is not None:
                self.inside[name] = inside
            return args[0].reshape(found)
        if packet == "expand" and whole and whole[0] == batch:
            own = ([1] * len(whole) + list(args[0].shape))[-len(whole) :]
            return args[0].expand([BATCH, *whole[1:]]) if own[0] == 1 else None
        if packet in _MADE and whole and whole[0] == batch > 1:
            args[packet.startswith("new_")] = [BATCH, *whole[1:]]
        if packet == "cat":
            tensors, dim = args[0], args[1] if len(args) > 1 else kwargs.get("dim", 0)
            if any(one.shape[0] == BATCH for one in tensors) and dim % tensors[0].dim():
                for i, one in enumerate(tensors):
                    if one.shape[0] in (1, batch) and (one.shape[0] == 1 or one.stride(0) == 0):
                        tensors[i] = one[:1].expand(BATCH, *one.shape[1:])
        return None

    def check(self, step: Step) -> None:
        """Hold that what came out is what came out of the example, but for the batch."""
        for name in _names(step.outputs):
            value = self.env.get(name or "")
            sizes = self.sizes.get(name or "")
            if sizes is None or not isinstance(value, Tensor):
                continue
            said = [size.number for size in sizes]
            apart = [i for i, (n, m) in enumerate(zip(value.shape, said, strict=False)) if n != m]
            same = len(said) == value.dim() and len(apart) <= 1
            if not same or any(value.shape[i] * self.program.batch != said[i] * BATCH for i in apart):
                raise ValueError(
                    f"it depends on the {self.program.batch} samples of the example; export it with "
                    "dynamic_shapes, for a batch of any size"
                )


def _empty(held: Held) -> Tensor:
    shape = tuple(size.number for size in held.sizes)
    return torch.empty(shape, dtype=getattr(torch, held.dtype), device="meta")


def _groups(steps: Sequence[Step], depth: int) -> Iterator[tuple[Any, list[Step]]]:
    """Steps in a row that ran in one call of a module so deep; ``None`` for those that ran in none."""
    group: list[Step] = []
    scope: Any = None
    for step in steps:
        found = step.scopes[depth] if len(step.scopes) > depth else None
        if group and found != scope:
            yield scope, group
            group = []
        scope = found
        group.append(step)
    if group:
        yield scope, group


def _names(outputs: Iterable[Mapping[str, Any]]) -> Iterator[str | None]:
    """The names of what comes out, in order."""
    for one in outputs:
        ((kind, value),) = one.items()
        if kind in ("as_tensors",):
            yield from (each["name"] for each in value)
        elif isinstance(value, Mapping):
            yield value.get("name", value.get("as_name"))
        else:
            yield None


def _check_parts(packet: str, args: Sequence[Any], step: Step) -> None:
    """Hold that what takes a tensor apart makes as many parts as the graph has names for."""
    if packet not in ("split", "unbind", "chunk", "tensor_split", "unsafe_split", "unsafe_chunk"):
        return
    named = len(list(_names(step.outputs)))
    x, most = args[0], 1
    if packet == "unbind":
        most = x.shape[args[1] if len(args) > 1 else 0]
    elif isinstance(args[1], int):
        dim = args[2] if len(args) > 2 else 0
        size, count = x.shape[dim], max(args[1], 1)
        each = -(-size // count) if "chunk" in packet else count
        most = count if packet == "tensor_split" else -(-size // max(each, 1))
    if most > named:
        raise ValueError(f"{most:,} parts come out, and the graph names {named}")
