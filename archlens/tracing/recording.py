"""Runs a module once on tensors without values, and writes down what happens.

This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import fields, is_dataclass
from inspect import signature
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ..backends.conformance import slots, tensors
from ..bounds import allowed, worked
from ..lowering.counting import COUNTED, FREE
from ..lowering.known import KNOWN
from ..lowering.lowering import sources
from ..lowering.tape import BATCH, Call, LooksUp, Node, TakenApart, Tape, Value
from .untouched import as_it_was
from .whole import WHOLE

#: Where a tensor without an input says what it was made by, for a run that finds it again.
_MADE_BY = "_archlens_made_by"

#: What a call of an operator is worth, in layers laid out.
_CALL = 300


class Stopped(Exception):
    """A module raised: what it raised, in which module, and what had run by then."""

    def __init__(self, problem: BaseException, recorder: _Recorder) -> None:
        super().__init__(str(problem))
        self.problem = problem
        self.tape = recorder.tape
        call = recorder.calls[-1]
        self.path, self.kind = call.path, recorder.written(call)
        self.shapes = recorder.shapes.get(call, [])
        frames = [frame for frame in traceback.extract_tb(problem.__traceback__) if not _is_ours(frame)]
        self.place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        #: Whether it asked for a value that nothing has.
        self.reads = recorder.asked and not recorder.sampled
        self.asked = recorder.asked and recorder.constants is None
        #: Whether that may be since constants of the whole batch were too large.
        self.left_out = recorder.asked and recorder.left_out


def _is_ours(frame: traceback.FrameSummary) -> bool:
    """Whether a line of a traceback is torch's or archlens' own, and not the user's."""
    folders = (os.path.dirname(torch.__file__), os.path.dirname(os.path.dirname(__file__)))
    return frame.filename.startswith(folders) or frame.filename.startswith("<")


class _Recorder:
    """What both modes and the hooks write to."""

    def __init__(self, module: nn.Module, name: str) -> None:
        self.paths = _paths(module)
        self.root = Call("", _kind(module), None)
        self.calls = [self.root]
        self.tape = Tape(name, {}, [], {}, self.root, {})
        self.values: dict[int, Value] = {}
        self.views: dict[int, list[Tensor]] = {}  # the tensors that lie in one memory
        self.alive: list[Tensor] = []  # so that no id is given twice
        self.within = 0  # how deep in what is kept whole
        self.macs: int | None = 0
        self.most = 4 * allowed()
        self.shapes: dict[Call, list[str]] = {}  # of what each open call was given
        #: The values of what depends on numbers and buffers alone, by the ids of what stands for it.
        self.constants: dict[int, Tensor] | None = None
        self.kept = 0  # the bytes of those that were computed
        self.asked = False  # for a value
        self.left_out = False  # whether constants have none, being too large for the whole batch
        self.single = False  # whether those that there are are of one sample
        self.sampled = False  # whether what flows has values, too
        self.batch = BATCH

    def is_batch(self, size: int) -> bool:
        """Whether an axis of this size holds the samples, of which there are many."""
        return self.batch > 1 and bool(size) and size % self.batch == 0

    def written(self, call: Call) -> str:
        """A module as it prints itself, where that is one line; else its class."""
        module = next((one for one, paths in self.paths.items() if call.path in paths), None)
        text = "" if module is None or next(module.children(), None) is not None else repr(module)
        return text if text and "\n" not in text else call.kind.rpartition(".")[2]

    def value(self, tensor: Tensor) -> Value:
        """The value that a tensor has now; one that nobody has seen is a constant.

        What code keeps from one run to the next, as a cache of positions, is what it was made by then.
        """
        found = self.values.get(id(tensor))
        if found is not None:
            return found
        found = self.remember(tensor)
        made, version = getattr(tensor, _MADE_BY, (None, 0))
        if made is not None and tensor._version == version and not sources(made):
            found = self.values[id(tensor)] = made
        return found

    def remember(self, tensor: Tensor, **what: Any) -> Value:
        if not tensor.is_meta:
            what.setdefault("values", (tensor, tensor._version))
        found = self.values[id(tensor)] = Value(tuple(tensor.shape), str(tensor.dtype)[6:], **what)
        if not tensor.is_sparse:
            try:
                known = self.views.setdefault(tensor.untyped_storage()._cdata, [])
            except NotImplementedError:
                raise RuntimeError("what runs within torch.vmap is not followed") from None
            if not any(one is tensor for one in known):
                known.append(tensor)
        self.alive.append(tensor)
        return found

    def write(
        self,
        target: str,
        args: dict[str, Any],
        out: Any,
        macs: int | None,
        module: Any = None,
        written: bool = False,
    ) -> None:
        read: list[Value] = []
        if module is None and self.batch > 1 and any(map(_has_pairs, _tensors(out))):
            raise TakenApart  # a value for each two samples is nothing of one

        def plain(value: Any) -> Any:
            if isinstance(value, Tensor):
                found = self.value(value)
                read.append(found)
                return found
            if isinstance(value, list | tuple):
                return [plain(one) for one in value]
            if isinstance(value, Mapping):
                return {key: plain(one) for key, one in value.items()}
            return value

        said = {key: plain(value) for key, value in args.items()}
        made = [tensor.numel() for tensor in _tensors(out)]
        flows = target not in _MADE and any(value.flows for value in read) and (any(made) or not made)
        call = self.calls[-1]
        if module is not None and not flows:  # what it has is read where no layer has it
            read += (one for key, one in self.tape.state.items() if key.startswith(f"{call.path}."))
        node = Node(target, said, (), call, macs, tuple(read), flows, module)
        if len(self.tape.nodes) >= self.most:
            raise RuntimeError(f"more than {self.most:,} operations ran")
        changed = self.alike(next(_tensors(out), None)) if written else []
        node.outputs = tuple(self.remember(tensor, node=node) for tensor in _tensors(out))
        for tensor, one in zip(_tensors(out), node.outputs, strict=True):
            if tensor.is_meta and not flows:
                setattr(tensor, _MADE_BY, (one, tensor._version))
        self.tape.nodes.append(node)
        for other in changed:  # what lies in the same memory is written, too
            self.write("aten.write", {"self": other, "source": out}, other, 0)

    def alike(self, tensor: Tensor | None) -> list[Tensor]:
        """The other tensors that lie in the memory of one and share some of it."""
        if tensor is None or id(tensor) not in self.values:
            return []
        whole = tensor.untyped_storage()._cdata
        return [one for one in self.views.get(whole, ()) if one is not tensor and _overlap(one, tensor)]


def _overlap(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors in one memory may share a part of it."""
    return a.storage_offset() <= _last(b) and b.storage_offset() <= _last(a)


def _last(tensor: Tensor) -> int:
    steps = zip(tensor.shape, tensor.stride(), strict=True)
    return int(tensor.storage_offset()) + sum((size - 1) * stride for size, stride in steps)


def _leaves(value: Any) -> Iterator[Any]:
    """What lies in lists, tuples, mappings and dataclasses, however deep."""
    if isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif is_dataclass(value) and not isinstance(value, type):
        for one in fields(value):
            yield from _leaves(getattr(value, one.name))
    elif isinstance(value, torch.distributions.Distribution):
        yield from _leaves(_stated(value))
    else:
        yield value


def _stated(given: torch.distributions.Distribution) -> dict[str, Any]:
    """What a distribution was made of, by name."""
    return {key: one for key, one in vars(given).items() if key in given.arg_constraints}


def _tensors(value: Any) -> Iterator[Tensor]:
    return (one for one in _leaves(value) if isinstance(one, Tensor))


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down what reaches the kernels."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        worked(_CALL)
        kwargs = kwargs or {}
        recorder = self.recorder
        given = list(_tensors((args, kwargs)))
        named = _named(func._schema, args, kwargs)
        home = "aten" if func.namespace in _OWN else func.namespace
        name = f"{home}.{func._schema.name.partition('::')[2]}"
        many = recorder.batch > 1 and name in _TAKE_APART and recorder.value(given[0]).flows
        if many and given[0].shape[named["dim"]] == recorder.batch:
            # at once: what follows runs as often as there are samples
            raise TakenApart(as_steps=recorder.within > 0)
        if name == "aten.embedding" and given[1].is_floating_point() and recorder.value(given[1]).flows:
            raise LooksUp(recorder.value(given[1]).behind)
        makes = not given and "device" in {one.name for one in func._schema.arguments}
        if makes and any(isinstance(n, int) and recorder.is_batch(n) for n in _leaves(args)):
            kwargs = {**kwargs, "device": "meta"}  # it has a row for each sample
        known = self._is_known(given, kwargs)
        written = name.endswith("_") and given and not given[0].is_meta
        flows = recorder.sampled and any(t.is_meta and recorder.value(t).flows for t in given)
        if known and (written or name == _READ or (given and _is_cpu(kwargs) and not flows)):
            return self._values(func, args, kwargs)
        own = args, kwargs
        if any(t.is_meta for t in given) and not all(t.is_meta for t in given):
            if written:
                raise RuntimeError("what depends on the input is written into a tensor that does not")
            args, kwargs = _changed(args, _to_meta), _changed(kwargs, _to_meta)
        check = _CHECKS.get(name)
        if check is not None:
            check(**named)
        try:
            stands_in = _STAND_INS.get(name) if all(t.is_meta for t in given) else None
            out = stands_in(**named) if stands_in is not None else None
            out = func(*args, **kwargs) if out is None else out
        except (RuntimeError, NotImplementedError) as problem:
            lacks = isinstance(problem, NotImplementedError) or func.namespace not in _OWN
            recorder.asked |= name == _READ or lacks
            if not known or not self._is_alike(name, given, ()):
                raise
            values = self._values(func, *own)
            out = _changed(values, _to_meta)  # whose shape depends on them
        else:
            known = known and self._is_alike(name, given, _tensors(out)) and self._fits(out, given)
            values = self._values(func, *own) if known else None
        if known and recorder.constants is not None:
            if len([*_tensors(out)]) != len([*_tensors(values)]):
                raise TakenApart  # as chunks of a batch, of which one sample has fewer
            for one, value in zip(_tensors(out), _tensors(values), strict=True):
                recorder.constants[id(one)] = value
                recorder.alive.append(one)
        elif recorder.constants and name.endswith("_") and id(given[0]) in recorder.constants:
            self._forget(given[0])
        if name in COUNTED:
            macs: int | None = COUNTED[name](named, out)
        else:
            macs = 0 if torch.Tag.pointwise in func.tags or name in FREE else None
        if recorder.within:
            recorder.macs = None if recorder.macs is None or macs is None else recorder.macs + macs
        else:
            target = name.removesuffix("_") if name[-2:] != "__" else name
            recorder.write(target, named, out, macs, written=target != name)
        return out

    def _is_known(self, given: list[Tensor], kwargs: Any) -> bool:
        """Whether all that an operator reads are constants that are kept, where any are."""
        constants = self.recorder.constants
        if constants is None or not (any(t.is_meta for t in given) or kwargs.get("device") is not None):
            return False
        return all(not t.is_meta or id(t) in constants for t in given)

    def _fits(self, out: Any, given: list[Tensor]) -> bool:
        """Whether the values of what comes out are kept beside the others; those of a sample always are."""
        lies = {t.untyped_storage()._cdata for t in given}
        made = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in _tensors(out)}
        size = sum(n for one, n in made.items() if one not in lies)
        recorder = self.recorder
        if not (recorder.single or recorder.sampled) and (size > _MOST or recorder.kept + size > _ALL):
            recorder.left_out = True
            return False
        recorder.kept += size
        return True

    def _is_alike(self, name: str, given: Iterable[Tensor], out: Iterable[Tensor]) -> bool:
        """Whether what an operator makes of constants of one sample says what it does of those of a batch."""
        recorder = self.recorder
        if not recorder.single or recorder.sampled or not any(map(_has_rows, given)):
            return True
        return name in _SAME or (any(made := [*map(_has_rows, out)]) and all(made))

    def _forget(self, tensor: Tensor) -> None:
        """The values of what lies in the memory of one that is written, and by what nobody knows."""
        constants = self.recorder.constants
        assert constants is not None
        for one in self.recorder.views.get(tensor.untyped_storage()._cdata, ()):
            constants.pop(id(one), None)

    def _values(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What an operator gives of constants, computed."""
        constants = self.recorder.constants
        assert constants is not None

        def own(tensor: Tensor) -> Tensor:
            return constants.get(id(tensor), tensor)

        kwargs = {**kwargs, "device": "cpu"} if kwargs.get("device") is not None else kwargs
        if self.recorder.single:
            args, kwargs = _of_one_sample(args), _of_one_sample(kwargs)
        return func(*_changed(args, own), **_changed(kwargs, own))


#: What gives samples one by one, where it goes along the batch.
_TAKE_APART = ("aten.unbind", "aten.select")

#: Where torch's own operators are.
_OWN = ("aten", "prim", "prims")

#: What reads a value.
_READ = "aten._local_scalar_dense"

#: What is of a batch of alike samples as it is of one.
_SAME = frozenset(f"aten.{name}" for name in ("all", "amax", "amin", "any", "max", "mean", "min"))

#: The most bytes of a constant whose values are kept, and of all.
_MOST, _ALL = 1 << 27, 1 << 30


def _has_rows(tensor: Tensor) -> bool:
    """Whether a tensor of the meta device has an axis that holds the batch."""
    return any(n and n % BATCH == 0 for n in tensor.shape)


def _has_pairs(tensor: Tensor) -> bool:
    """Whether a tensor of the meta device has a value for each two samples."""
    sizes = [n for n in tensor.shape if n and n % BATCH == 0]
    return tensor.is_meta and (len(sizes) > 1 or any(n % BATCH**2 == 0 for n in sizes))


def _of_one_sample(value: Any) -> Any:
    """Arguments for one sample: sizes that hold the batch are that many times smaller."""
    if isinstance(value, int) and not isinstance(value, bool) and value % BATCH == 0:
        return value // BATCH
    if isinstance(value, list | tuple):
        return type(value)(_of_one_sample(one) for one in value)
    if isinstance(value, Mapping):
        return {key: _of_one_sample(one) for key, one in value.items()}
    return value


def _normed(input: Tensor, training: bool, **_: Any) -> tuple[Tensor, Tensor, Tensor] | None:
    """What a batch norm gives at inference, which torch computes step by step on the meta device."""
    return None if training else (torch.empty_like(input), input.new_empty(0), input.new_empty(0))


def _grouped(self: Tensor, mat2: Tensor, offs: Tensor | None = None, **_: Any) -> Tensor | None:
    """Rows in groups, each by a matrix of its own; on the meta device torch takes bfloat16 alone."""
    by_rows = offs is not None and self.dim() == 2 and mat2.dim() == 3
    return self.new_empty(self.shape[0], mat2.shape[-1]) if by_rows else None


#: What gives tensors of the meta device in the place of operators that do otherwise there than elsewhere.
_STAND_INS: dict[str, Callable[..., Any]] = {
    "aten.native_batch_norm": _normed,
    "aten._grouped_mm": _grouped,
}


def _check_channels(input: Tensor, weight: Tensor, transposed: bool, **_: Any) -> None:
    if transposed and input.dim() == weight.dim() and input.shape[1] != weight.shape[0]:
        raise RuntimeError(
            f"Given transposed=1, weight of size {[*weight.shape]}, expected input{[*input.shape]} to have "
            f"{weight.shape[0]} channels, but got {input.shape[1]} channels instead"
        )


def _check_indices(self: Tensor, indices: Iterable[Tensor | None], **_: Any) -> None:
    for dim, index in enumerate(indices):
        if index is None or index.is_meta or index.is_floating_point() or index.dtype == torch.bool:
            continue
        size = self.shape[dim] if dim < self.dim() else 0
        wrong = index[(index >= size) | (index < -size)].tolist()
        if wrong:
            raise IndexError(f"index {wrong[0]} is out of bounds for dimension {dim} with size {size}")


#: What torch refuses of tensors with values, and lets pass on the meta device.
_CHECKS: dict[str, Callable[..., None]] = {
    "aten.convolution": _check_channels,
    "aten.index": _check_indices,
}


def _is_cpu(kwargs: Mapping[str, Any]) -> bool:
    return kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "cpu"


def _named(schema: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments of an operator by their names."""
    found = {}
    for index, one in enumerate(schema.arguments):
        if index < len(args):
            found[one.name] = args[index]
        elif one.name in kwargs:
            found[one.name] = kwargs[one.name]
        elif one.has_default_value():
            found[one.name] = one.default_value
    return found


def _changed(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same with other tensors, in lists and mappings, too."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, list | tuple):
        return type(value)(_changed(one, change) for one in value)
    if isinstance(value, Mapping):
        return {key: _changed(one, change) for key, one in value.items()}
    return value


def _to_meta(tensor: Tensor) -> Tensor:
    return tensor if tensor.is_meta else torch.empty_like(tensor, device="meta")


#: What takes of a tensor no more than its type and where it lies.
_MADE = {
    *(f"aten.new_{name}" for name in ("zeros", "ones", "full", "empty", "empty_strided")),
    *(f"aten.{name}_like" for name in ("zeros", "ones", "full", "empty")),
}

#: What makes something else than a tensor of the values of one.
_LEAVES_TORCH = (torch.Tensor.tolist, torch.Tensor.numpy, torch.Tensor.__array__)


#: What makes a tensor of numbers.
_NUMBERS = (torch.tensor, torch.as_tensor)


def _tensors_in(args: Any) -> bool:
    return next(_tensors(args), None) is not None


#: What takes an index, which torch would put on the meta device where it is a list.
_INDEXES = (torch.Tensor.__getitem__, torch.Tensor.__setitem__)


#: What moves a tensor to a device.
_TO_DEVICE = (torch.Tensor.to, torch.Tensor.cuda)


def _staying(func: Any, args: Any, kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a function is given, but for a device with CUDA: what has no values stays where it is.

    So does what has, where there is no such device: code that asks for one runs elsewhere, too.
    """
    kwargs = {name: one for name, one in kwargs.items() if name != "device" or not _is_cuda(one)}
    if func is torch.Tensor.cuda:
        return args[:1], {}
    return (args[0], *(one for one in args[1:] if not _is_cuda(one))) if func in _TO_DEVICE else args, kwargs


def _is_cuda(device: Any) -> bool:
    return isinstance(device, str | torch.device) and str(device).startswith("cuda")


def _listed(index: Any) -> Any:
    """An index whose lists of numbers are tensors that have their values."""
    if isinstance(index, tuple):
        return tuple(map(_listed, index))
    if isinstance(index, list) and index and all(isinstance(one, int) for one in index):
        return torch.tensor(index, device="cpu")
    return index


class _Functions(TorchFunctionMode):
    """Keeps the functions whole that mean more than the operators that they are made of."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        recorder = self.recorder
        if func in _LEAVES_TORCH and args[0].is_meta:
            recorder.asked = True
            values = (recorder.constants or {}).get(id(args[0]))
            whole = recorder.sampled or not recorder.single or not _has_rows(args[0])
            if values is not None and whole:
                return func(values, *args[1:], **kwargs)
        if (func in _TO_DEVICE and args[0].is_meta) or not torch.cuda.is_available():
            args, kwargs = _staying(func, args, kwargs)
            if func in _TO_DEVICE and len(args) == 1 and not kwargs:
                return args[0].view_as(args[0])
        if func in _INDEXES and len(args) > 1:
            args = (args[0], _listed(args[1]), *args[2:])
        if func in _NUMBERS and kwargs.get("device") is not None and not _tensors_in(args):
            return self._numbers(func, args, kwargs)
        kept = None if recorder.within else WHOLE.get(func)
        if kept is None:
            return func(*args, **kwargs)
        named = kept.named(*args, **kwargs)
        with _Kept(recorder) as inner:
            out = func(*args, **kwargs)
            if any(out is one for one in (*args, *kwargs.values())):
                out = out.view_as(out)  # what goes on is told apart from what came in
        recorder.write(kept.target, named, out, inner.macs)
        return out

    def _numbers(self, func: Any, args: Any, kwargs: Any) -> Any:
        """A tensor of numbers that the code says, which has its values wherever it is."""
        out = func(*args, **kwargs)
        if out.is_meta:
            values = func(*args, **{**kwargs, "device": "cpu"})
            self.recorder.remember(out, values=(values, values._version))
            if self.recorder.constants is not None:
                self.recorder.constants[id(out)] = values
        return out


class _Kept:
    """Counts what runs within something that is kept whole, and writes none of it down."""

    def __init__(self, recorder: _Recorder) -> None:
        self.recorder = recorder
        self.macs: int | None = 0

    def __enter__(self) -> _Kept:
        self.before, self.recorder.macs = self.recorder.macs, 0
        self.recorder.within += 1
        return self

    def __exit__(self, *problem: object) -> None:
        self.recorder.within -= 1
        self.macs, self.recorder.macs = self.recorder.macs, self.before


def _kind(module: nn.Module) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _paths(module: nn.Module) -> dict[nn.Module, list[str]]:
    """All paths of each module within one, in their order."""
    found: dict[nn.Module, list[str]] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        found.setdefault(part, []).append(path)
    return found


#: Where torch remembers which hooks of all modules are given keyword arguments.
_HOOKS_WITH_KWARGS: dict[int, bool] = getattr(nn.modules.module, "_global_forward_hooks_with_kwargs", {})


@contextmanager
def _scopes(recorder: _Recorder) -> Iterator[None]:
    """Follows which module runs; other threads' modules are none of ours."""
    thread = threading.get_ident()
    opened: list[tuple[Call, _Kept]] = []

    def enter(module: nn.Module, args: Any) -> None:
        paths = recorder.paths.get(module)
        if threading.get_ident() != thread or paths is None:
            return
        if module is root:
            call = recorder.root
        else:
            parent = recorder.calls[-1]
            path = next((p for p in paths if p.startswith(f"{parent.path}.")), paths[0])
            call = Call(path, _kind(module), parent)
            parent.children.append(call)
        recorder.calls.append(call)
        recorder.shapes[call] = [_written(tensor) for tensor in _tensors(args)]
        if not recorder.within and call.kind in KNOWN:
            opened.append((call, _Kept(recorder).__enter__()))

    def leave(module: nn.Module, args: Any, kwargs: Any, out: Any) -> Any:
        if threading.get_ident() != thread or module not in recorder.paths:
            return out
        call = recorder.calls[-1]
        if opened and opened[-1][0] is call:
            _, kept = opened.pop()
            if isinstance(out, Tensor) and any(out is one for one in args):
                out = out.view_as(out)
            kept.__exit__()
            given = signature(module.forward).bind(*args, **kwargs).arguments
            recorder.write(call.kind, given, out, kept.macs, module)
        recorder.shapes.pop(recorder.calls.pop(), None)
        return out

    root = next(iter(recorder.paths))
    with ExitStack() as stack:
        stack.callback(register_module_forward_pre_hook(enter).remove)
        handle = register_module_forward_hook(leave, with_kwargs=True)
        stack.callback(_HOOKS_WITH_KWARGS.pop, handle.id, None)  # which torch forgets to take away
        stack.callback(handle.remove)
        yield


@contextmanager
def _autocast() -> Iterator[None]:
    """A module that asks for ``torch.autocast`` on its input's device is given one that does nothing."""
    own = torch.autocast.__init__

    def made(
        self: torch.autocast,
        device_type: str,
        dtype: torch.dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if device_type == "meta":
            device_type, dtype, enabled = "cpu", None, False
        own(self, device_type, dtype, enabled, cache_enabled)

    torch.autocast.__init__ = made  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.autocast.__init__ = own  # type: ignore[method-assign]


@contextmanager
def _unchecked() -> Iterator[None]:
    """Distributions do not look at the values that they are made of, of which there are none."""
    base = torch.distributions.Distribution
    before = base._validate_args
    base.set_default_validate_args(False)
    try:
        yield
    finally:
        base.set_default_validate_args(before)


@contextmanager
def _told() -> Iterator[None]:
    """Lets ``torch.compiler.is_compiling`` and ``is_exporting`` be true."""
    before = {name: getattr(torch.compiler, name, False) for name in _FLAGS}
    for name in before:
        setattr(torch.compiler, name, True)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(torch.compiler, name, value)


#: Where torch remembers that something else runs the code; ``torch.export`` sets them in the same way.
_FLAGS = ("_is_compiling_flag", "_is_exporting_flag")


def record(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    names: Mapping[int, str],
    *,
    name: str,
    training: bool = False,
    constants: bool = False,
    single: bool = False,
    samples: Mapping[str, Tensor] | None = None,
    batch: int = BATCH,
    told: bool = False,
) -> Tape:
    """Run a module once on tensors of the meta device, and write down what it does.

    Args:
        module: what runs; left as it was, also where it raises.
        args: what it is given, its tensors on the meta device.
        kwargs: and by name.
        names: what the network's inputs are called, by the ids of the tensors.
        name: what the network is called.
        training: in which mode it runs.
        constants: whether what depends on numbers and buffers alone has its values, for code that reads them.
        single: whether those that have a row for each sample have that of one sample, in less memory.
        samples: one sample for each of the inputs, by its name: then all is computed for that, too.
        batch: how many samples there are; of one, code may take the batch apart.
        told: whether the code is told that ``torch.export`` runs it.
    """
    recorder = _Recorder(module, name)
    recorder.constants = {} if constants or samples is not None else None
    recorder.sampled = samples is not None
    recorder.batch = recorder.tape.batch = batch
    recorder.tape.told = told
    recorder.single = batch > 1 and (single or recorder.sampled)
    meta: dict[str, Tensor] = {}
    saved = _saved(module)
    made: dict[int, Tensor] = {}
    for key, tensor in tensors(module):
        if id(tensor) not in made:
            made[id(tensor)] = torch.empty_like(tensor, device="meta", requires_grad=False)
            recorder.tape.state[key] = recorder.remember(
                made[id(tensor)],
                key=key,
                trains=isinstance(tensor, nn.Parameter),
                saved=key in saved,
                values=None if tensor.is_meta else (tensor, tensor._version),
            )
            known = recorder.sampled or not isinstance(tensor, nn.Parameter)
            if recorder.constants is not None and known and not tensor.is_meta:
                recorder.constants[id(made[id(tensor)])] = tensor.detach().cpu().clone()
        elif key in saved:
            recorder.tape.aliases[key] = recorder.value(made[id(tensor)]).key
        meta[key] = made[id(tensor)]
    for tensor in _tensors((args, dict(kwargs))):
        if id(tensor) in names:
            recorder.tape.inputs[names[id(tensor)]] = recorder.remember(tensor, input=names[id(tensor)])
            if recorder.constants is not None and samples is not None:
                recorder.constants[id(tensor)] = samples[names[id(tensor)]]
    try:
        out = _run(module, meta, args, kwargs, training, recorder)
    except (Exception, SystemExit) as problem:  # whatever its forward raises
        raise Stopped(problem, recorder) from problem
    recorder.tape.outputs = _outputs(out, recorder)
    given = "None, as a forward without return" if out is None else f"a {type(out).__name__}"
    recorder.tape.gave = f"its forward gives {given}"
    return recorder.tape


def _run(
    module: nn.Module,
    meta: Mapping[str, Tensor],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    training: bool,
    recorder: _Recorder,
) -> Any:
    with (
        as_it_was(module, training),
        _told() if recorder.tape.told else nullcontext(),
        torch.no_grad(),
        _autocast(),
        _unchecked(),
        _scopes(recorder),
        _Functions(recorder),
        _Operations(recorder),
    ):
        return functional_call(
            module, {key: meta[key] for key in slots(module)}, args, dict(kwargs), tie_weights=False
        )


def _written(tensor: Tensor) -> str:
    """A shape as the user's own code has it: the batch is written as such."""
    return "x".join("batch" if n == BATCH else str(n) for n in tensor.shape) or "a single number"


def _saved(module: nn.Module) -> set[str]:
    """The keys of what is in the state dict; asked of the modules, since hooks may write others."""
    found = {key for key, _ in module.named_parameters(remove_duplicate=False)}
    for path, part in module.named_modules(remove_duplicate=False):
        for name in part._buffers.keys() - part._non_persistent_buffers_set:
            found.add(f"{path}.{name}" if path else name)
    return found


def _outputs(out: Any, recorder: _Recorder) -> dict[str, Value]:
    """What came out, by name: ``out`` is the first."""
    if is_dataclass(out) and not isinstance(out, type):
        out = {one.name: getattr(out, one.name) for one in fields(out)}
    if isinstance(out, torch.distributions.Distribution):
        out = _stated(out)
    if isinstance(out, Mapping):
        named = [(str(key), value) for key, value in out.items()]
    elif isinstance(out, list | tuple):
        keys = getattr(out, "_fields", [str(index) for index in range(len(out))])
        named = list(zip(keys, out, strict=True))
    else:
        named = [("out", out)]
    found: dict[str, Value] = {}
    for key, value in named:
        for index, tensor in enumerate(_tensors(value)):
            known = recorder.value(tensor)
            for one in [known] if known.flows else _before(known):
                if one not in found.values():
                    found["out" if not found else f"{key}_{index}" if index else key] = one
    return found


def _before(value: Value) -> list[Value]:
    """What flows into a tensor that holds nothing, as the boxes that a detector finds in noise do."""
    while prod(value.sizes) == 0 and value.node is not None:
        flowing = [one for one in value.node.inputs if one.flows]
        if flowing:
            return flowing[:1]
        empty = (one for one in value.node.inputs if one.node is not None and prod(one.sizes) == 0)
        value = next(empty, Value((), ""))
    return []
