"""A module run on tensors without values, once or in both modes, and the network of what ran.

This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext, redirect_stdout, suppress
from dataclasses import replace
from functools import partial
from inspect import signature
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..elaboration.inputs import read_shape
from ..errors import Diagnostic, SpecError, a_or_an, printable, shorten, usage
from ..lowering import aten
from ..lowering.account import ALONE, SAMPLED, SAMPLED_ALONE, TOLD, TOLD_ALONE, Account
from ..lowering.lowering import Lowering
from ..lowering.tape import BATCH, LooksUp, TakenApart, Tape
from ..network import Asked, Network
from ..shape import Ids, Shape, times
from . import angles, masks
from .origin import Traced
from .recording import Stopped, record


def run(
    origin: Traced,
    name: str,
    shapes: Mapping[str, Shape] | None = None,
    *,
    heads: bool = True,
    alone: bool = False,
) -> Network:
    """The network of a module.

    Args:
        origin: the module, what it is run on, and in which way; what the network says of where it came from.
        name: what the network is called.
        shapes: other shapes for its inputs, by their names.
        heads: whether to run it in training mode, too, for the layers that run in training only.
        alone: whether it runs on one sample, since it takes its batch apart.
    """
    module, ids = origin.module, origin.ids
    if isinstance(module, type) and issubclass(module, nn.Module):
        raise usage(f"{shorten(module.__name__)} is a class, not yet a module", help="call it to make one")
    if not isinstance(module, nn.Module):
        raise usage(f"a torch.nn.Module is needed, but got {a_or_an(type(module).__name__)}")
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        raise usage(
            f"{shorten(name)} is a {type(module).__name__}, which runs copies of a module",
            help="its `.module` is what can be traced",
        )
    scripted = [path for path, part in module.named_modules() if isinstance(part, torch.jit.ScriptModule)]
    if scripted:
        raise usage(
            f"{shorten(scripted[0] or name)} is a module of torch.jit, whose parts are not seen as they run",
            help="the module that it was made of can be traced",
        )
    if any(nn.parameter.is_lazy(one) for one in (*module.parameters(), *module.buffers())):
        raise usage(
            f"{shorten(name)} has parameters without a shape yet", help="run it once on a real input first"
        )
    batch = 1 if alone else BATCH
    made = _Made(origin, shapes or {}, partial(_without_values, batch))
    args, kwargs = made.arguments()
    if not made.names:
        raise usage(f"{shorten(name)} needs an input: a tensor, or a shape such as (3, 224, 224)")
    samples = _samples(origin, shapes or {}) if origin.way == SAMPLED else None

    def lowered(training: bool) -> Lowering:
        try:
            # what a module prints that is called by its name is not what archlens prints
            with redirect_stdout(sys.stderr) if origin.maker is not None else nullcontext():
                tape = _recorded(module, args, kwargs, made.names, name, training, batch, samples)
        except Stopped as stopped:
            if isinstance(stopped.problem, TakenApart):
                raise _steps(stopped, name) if stopped.problem.as_steps else stopped.problem from None
            if isinstance(stopped.problem, LooksUp) and not stopped.problem.inputs <= ids:
                raise stopped.problem from None
            raise _failed(stopped, name, origin) from None
        if not tape.outputs:
            raise SpecError(
                Diagnostic(f"no output of {shorten(name)} depends on its input", notes=(tape.gave,))
            )
        lowering = Lowering(
            tape,
            aten.TABLE,
            masks.leaves,
            angles.turns_of,
            masks.pairs_of,
            masks.rows_of,
            masks.is_binomial,
            masks.shifted,
            masks.table_of,
            masks.ids_of,
            angles.rates_of,
        )
        lowering.run()
        return lowering

    try:
        found = lowered(False)
    except LooksUp as problem:
        return run(replace(origin, ids=ids | problem.inputs), name, shapes, heads=heads, alone=alone)
    except TakenApart:  # which is nothing of one sample
        return run(origin, name, shapes, heads=heads, alone=True)
    trains = None
    if heads and found.uncalled:
        try:
            trains = lowered(True)
        except SpecError:  # it need not run in training mode on this input
            trains = None
        if trains is not None and trains.uncalled >= found.uncalled:
            trains = None  # it has no layers of its own there, however else it computes
    network = found.network(name, origin, trains)
    # what ran may depend on any of them: a search asks the origin, which knows whether it does
    asked = [
        Asked(one, axis, size)
        for one, shape in network.inputs.items()
        for axis, size in zip(shape.names, shape, strict=True)
        if axis != "channels"
    ]
    way = TOLD if found.tape.told else origin.way
    way = {SAMPLED: SAMPLED_ALONE, TOLD: TOLD_ALONE}.get(way, ALONE) if alone else way
    account = Account(way, torch.__version__.partition("+")[0], found.ran(), found.blind)
    origin = replace(origin, account=account)
    return replace(network, asked=tuple(asked), aliases=found.tape.aliases, origin=origin)


def _recorded(
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    names: Mapping[int, str],
    name: str,
    training: bool,
    batch: int,
    samples: Mapping[str, Tensor] | None,
) -> Tape:
    """One run; where the code asks for values, another one in which constants have theirs.

    Where they are too large for a batch, those of one sample; with a sample, one run on that. Where it asks
    still, the way that it goes for ``torch.export``, which has no values, either.
    """

    def recorded(constants: bool = False, single: bool = False, told: bool = False) -> Tape:
        return record(
            module,
            args,
            kwargs,
            names,
            name=name,
            training=training,
            constants=constants,
            single=single,
            samples=samples,
            batch=batch,
            told=told,
        )

    if samples is not None:
        return recorded()
    try:
        return recorded()
    except Stopped as stopped:
        if not stopped.asked:
            raise
    single = False
    try:
        return recorded(constants=True)
    except Stopped as stopped:
        single, problem = stopped.left_out, stopped
    if single:
        try:
            return recorded(constants=True, single=True)
        except Stopped as stopped:
            problem = stopped
    if problem.reads:
        with suppress(Stopped):
            return recorded(constants=True, single=single, told=True)
    raise problem


class Reading(NamedTuple):
    """What a module's ``forward`` is given, and the tensors among it by the names of the network's inputs."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    inputs: Mapping[str, Tensor]
    #: Those that were given as tensors, as they were.
    given: Mapping[str, Tensor]


def arguments(origin: Traced, shapes: Mapping[str, Shape], batch: int, device: Any) -> Reading:
    """Tensors with values in the place of what is given: random ones, and zeros of whole numbers."""

    def make(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        draw: Any = torch.rand if dtype.is_floating_point else torch.zeros
        return draw(batch, *shape, dtype=dtype, device=device)  # type: ignore[no-any-return]

    made = _Made(origin, shapes, make)
    args, kwargs = made.arguments()
    return Reading(args, kwargs, {made.names[id(one)]: one for one in made.alive}, made.given)


def _samples(origin: Traced, shapes: Mapping[str, Shape]) -> Mapping[str, Tensor]:
    """One sample of each input: the first of a tensor that is given, or numbers that are always the same."""
    state = torch.random.get_rng_state()
    try:
        torch.default_generator.manual_seed(0)
        read = arguments(origin, shapes, 1, "cpu")
    finally:
        torch.random.set_rng_state(state)
    own = dict(read.inputs)
    for name, one in read.given.items():
        if not one.is_meta and one[:1].shape == own[name].shape:
            own[name] = one[:1].detach().cpu()
    return own


def _without_values(batch: int, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.empty((batch, *shape), device="meta", dtype=dtype)


class _Made:
    """Tensors in the place of what is given, and what they are called."""

    def __init__(
        self,
        origin: Traced,
        shapes: Mapping[str, Shape],
        make: Callable[[tuple[int, ...], torch.dtype], Tensor],
    ) -> None:
        module = origin.module
        self.origin = origin
        self.shapes = shapes
        self.make = make
        #: The tensors that were given, by the names of the inputs that they are.
        self.given: dict[str, Tensor] = {}
        kinds = (one.dtype for one in module.parameters() if one.dtype.is_floating_point)
        self.dtype = next(kinds, torch.get_default_dtype())
        self.names: dict[int, str] = {}
        self.alive: list[Tensor] = []
        own = (
            module.named_children(),
            module.named_parameters(recurse=False),
            module.named_buffers(recurse=False),
        )
        #: What its own parts and tensors are called: an input of that name has another.
        self.taken = {name for part in own for name, _ in part}

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given, named = self.origin.given
        args = (self.value(one, f"input_{index}" if index else "input") for index, one in enumerate(given))
        return tuple(args), {key: self.value(one, key) for key, one in named.items()}

    def value(self, given: Any, name: str) -> Any:
        if isinstance(given, Tensor):
            if not given.dim():
                return given
            made = self.tensor(name, tuple(given.shape[1:]), given.dtype)
            self.given[self.names[id(made)]] = given
            return made
        shape = _shape(given)
        if shape is not None:
            return self.tensor(name, shape, None)
        if isinstance(given, list | tuple):
            values = [self.value(one, f"{name}_{index}") for index, one in enumerate(given)]
            return type(given)(*values) if hasattr(given, "_fields") else type(given)(values)
        if isinstance(given, Mapping):
            return {key: self.value(one, str(key)) for key, one in given.items()}
        return given

    def tensor(self, name: str, shape: tuple[int, ...], dtype: torch.dtype | None) -> Tensor:
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        asked = self.shapes.get(name, shape)
        shape = asked if shape or tuple(asked) != (1,) else shape  # a number of each sample has no axis
        ids = name in self.origin.ids or isinstance(shape, Ids)
        dtype = dtype or (torch.int64 if ids else self.dtype)
        shape = tuple(shape)
        try:
            made = self.make(shape, dtype)
        except RuntimeError as problem:
            if isinstance(problem, torch.OutOfMemoryError) or "overflow" not in str(problem):
                raise
            raise usage(f"an input of {times(shape)} is larger than torch can count") from None
        self.names[id(made)] = name
        self.alive.append(made)
        return made


def _shape(given: Any) -> tuple[int, ...] | None:
    """A shape as people write one, ``()`` of one number; ``None`` where it is something else."""
    if given in ((), "()"):
        return ()
    if isinstance(given, str):
        return read_shape(given)
    if isinstance(given, list | tuple) and given and all(type(n) is int and n >= 1 for n in given):
        return tuple(given)
    return None


def _part(origin: Traced | None, name: str, path: str) -> str:
    """What may run by itself where the whole does not: its first part with parameters, if it is another."""
    children = origin.module.named_children() if origin is not None else ()
    runs = ((key, child) for key, child in children if type(child).forward is not nn.Module.forward)
    first = next((key for key, child in runs if any(True for _ in child.parameters())), "")
    if not first or f"{path}.".startswith(f"{first}."):
        return ""
    assert origin is not None
    return f"; its {first} may run by itself" + (f": {name}.{first}" if origin.maker is not None else "")


def _of_samples(origin: Traced) -> str:
    """What may be wrong with a batch that was given, or not; empty where nothing seems to be."""
    given = [*origin.given[0], *origin.given[1].values()]
    shapes = [one for one in map(_shape, given) if one is not None]
    if any(one[:1] == (1,) and len(one) > 2 for one in shapes):
        return "a shape has no batch: (3, 224, 224), where a tensor has one, torch.rand(1, 3, 224, 224)"
    if any(isinstance(one, Tensor) and one.dim() in (2, 3) and one.shape[0] in (1, 3) for one in given):
        return "the first axis of a tensor is the batch; a single sample is given as x[None]"
    return ""


def _not_given(origin: Traced | None) -> list[str]:
    """What ``forward`` takes, need not be given, and was not, as masks and positions; the first few."""
    if origin is None:
        return []
    args, kwargs = origin.given
    taken = list(signature(origin.module.forward).parameters.values())[len(args) :]
    return [one.name for one in taken if one.default is None and one.name not in kwargs][:_MOST_NAMES]


#: How many names of inputs are listed.
_MOST_NAMES = 6


def _steps(stopped: Stopped, name: str) -> SpecError:
    return SpecError(
        Diagnostic(
            f"{shorten(stopped.path or name)} ({stopped.kind}) takes its batch apart",
            notes=("its first axis is the batch, but it takes that for steps",),
            help="batch_first=True, or transpose(0, 1) before it",
        )
    )


def _failed(stopped: Stopped, name: str, origin: Traced | None) -> SpecError:
    """What a module raised, with the layer at which it did."""
    problem = stopped.problem
    said = printable(str(problem).strip().partition("\n")[0]) or "nothing more is said"
    lowering = Lowering(stopped.tape, aten.TABLE)
    with suppress(TakenApart):  # what it raised later is what is wrong
        lowering.run()
    network = None
    with suppress(SpecError):  # what there is of it need not make a network
        network = lowering.network(name, origin) if lowering.drafts else None
    where = f"{shorten(stopped.path)} ({stopped.kind})" if stopped.path else shorten(name)
    notes = [f"{type(problem).__name__}: {said}"]
    if re.search(rf"\b{stopped.tape.batch}\b", said) and stopped.tape.batch > 1:
        notes.append(f"{stopped.tape.batch} is how many samples it is run on")
    if stopped.place:
        notes.append(f"raised in {stopped.place}")
    if stopped.shapes:
        notes.append(f"its input was {' and '.join(stopped.shapes)}")
    part = _part(origin, name, stopped.path)
    help = ""
    if stopped.reads:
        help = f"archlens.trace(..., real=True), or --real, runs it on the values of one sample{part}"
        beside = _not_given(origin)
        if beside:
            help += f"; or give it more of what its forward takes: {', '.join(beside)}"
    elif stopped.place and not lowering.drafts:  # it may take no batch at all
        help = part.removeprefix("; ")
    elif isinstance(problem, TypeError) and not stopped.place and origin is not None:
        help = f"its forward takes {', '.join(signature(origin.module.forward).parameters) or 'nothing'}"
    if origin is not None and not stopped.reads:
        help = _of_samples(origin) or help
    return SpecError(Diagnostic(f"{where} does not run", notes=tuple(notes), help=help), network)
