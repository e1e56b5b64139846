"""Bytes: of weights, of what is alive during an inference, and of what training keeps.

The live set is found by liveness over the execution order, which is the order of the layers:

- a tensor lives from the layer that makes it to its last reader, an output of the network to the end;
  while a layer runs, what it reads and what it writes are both alive;
- the input of the network counts, up to its last reader;
- flatten, reshape, crop and slice are views and take no memory, but a flatten or a reshape of what does not
  lie in one piece, as after a crop or with the channels last, copies it; dropout is its input itself at
  inference;
- *in place* means that an op that works value by value (activations, normalization by running
  statistics, add, multiply) writes over an input of its output's size that nobody reads any more, and that is
  not the network's own input;
- *eager* means torch without compilation: nothing in place, the caller holds the network's input to the end,
  and the workspace of the op's kernels counts: the indices of a max pooling, the padded copy of an unevenly
  padded convolution. Those of cuDNN and cuBLAS are not in it: they depend on the device.

ResNet-50 at batch 1 in float32 has a live set of 9,633,792 bytes: three maps of 256x56x56, first where
layer1.0 normalizes its shortcut. Folding batch normalization into the convolutions does not change it:
three such maps meet again in the addition. The 10.7 MB in the README of onnx-tool are 10.72 MiB, which is
11,239,424 bytes: not the live set, which that tool computes as above to the byte, but the pool in which it
places the tensors, first fit, with 1,605,632 bytes of holes (``tests/test_memory.py`` places them so again).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any, NamedTuple

from ..errors import did_you_mean, shorten, usage
from ..formulas import greatest
from ..grouping import grouped
from ..network import Layer, Network, scopes_around
from ..ops import Facts
from ..ops.footprint import (
    BOOL,
    FLOAT32,
    FORMAT,
    INT64,
    LIKE,
    MATRICES,
    MATRIX,
    PIECE,
    STATISTIC,
    Extra,
    Footprint,
    Heads,
    Reshaped,
)
from ..ops.merge import pairwise_shapes
from ..shape import Ids, Shape
from . import backward, strides
from .backward import Moment, Saved

#: Bits of one value, by type.
BITS: dict[str, int] = {"float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "int4": 4}

#: The types that weights can be trained in.
FLOATS = ("float32", "float16", "bfloat16")

#: Bytes of one value of what is not converted with the weights.
_WIDTHS: dict[str, int] = {INT64: 8, FLOAT32: 4, BOOL: 1}


def bits(dtype: str) -> int:
    """Bits of one value of any type, which its name says.

    >>> bits("bfloat16"), bits("float8_e4m3fn"), bits("int4"), bits("bool")
    (16, 8, 4, 8)
    """
    found = re.search(r"\d+", dtype)
    return int(found[0]) if found else 8


class Optimizer(NamedTuple):
    """What one of torch's optimizers keeps of each tensor of weights."""

    #: Tensors of its size and type.
    states: int = 0
    #: Whether its steps are counted, as a float32, and each weight's own step is found by a root.
    adaptive: bool = False


_ADAM = Optimizer(states=2, adaptive=True)

OPTIMIZERS: dict[str, Optimizer] = {
    "none": Optimizer(),
    "sgd": Optimizer(),
    "momentum": Optimizer(states=1),
    "adam": _ADAM,
    "adamw": _ADAM,
}

#: What CUDA's caching allocator of torch rounds every allocation up to: ``kMinBlockSize`` in
#: c10/cuda/CUDACachingAllocator.cpp.
BLOCK = 512


class Alive(NamedTuple):
    """A tensor that is alive, by the layer (or the input) whose values it holds."""

    name: str
    shape: Shape
    bytes: int


class Peak(NamedTuple):
    """The moment at which most bytes are alive."""

    bytes: int
    #: The layer that runs then; the name of an input where no layer runs.
    layer: str
    alive: tuple[Alive, ...]
    #: Of the bytes, the workspace of the op's kernels, without that of cuDNN and cuBLAS; only where torch is
    #: meant.
    workspace: int


class StepTemporaries(NamedTuple):
    """The most bytes that a step of the optimizer makes and lets go again."""

    #: With ``foreach=False``, which is torch's default on a CPU.
    single: int
    #: With ``foreach=True``, its default on CUDA.
    foreach: int


@dataclass(frozen=True)
class Memory:
    """The bytes of one network. What cannot be known is ``None``, and ``reason`` says why."""

    batch: int
    dtype: str
    activations: str
    optimizer: str
    #: Trainable tensors, by the type that they are held in.
    weights: Mapping[str, int]
    #: The same in the types that they have in the file or the module; ``None`` where all are float32.
    stored: int | None
    #: Running statistics, indices and other tensors that are not trained.
    buffers: int
    #: The outputs of all layers that run at inference, views apart, added up.
    outputs: int
    #: The peak of the live set: each op into memory of its own, in place, and as torch does it.
    inference: Peak
    in_place: Peak
    eager: Peak
    gradients: int | None
    states: int | None
    #: What autograd keeps between the forward and the backward pass.
    saved: int | None
    #: What a step of the optimizer makes.
    step: StepTemporaries | None
    #: The peaks of the forward pass, the backward pass and the step of the optimizer, in whichever way it
    #: takes more; none where nothing is trained.
    moments: tuple[Moment, ...]
    reason: str
    #: Layers whose op does not say what it keeps; ``saved``, ``eager`` and ``training`` are then "at least".
    unknown: tuple[str, ...]

    @property
    def total(self) -> int | None:
        """Weights, buffers, gradients, optimizer state and saved activations, all of each."""
        if self.gradients is None or self.saved is None:
            return None
        return self.lasting + self.gradients + self.saved

    @property
    def lasting(self) -> int:
        """What is there in all of training: weights, buffers and the state of the optimizer."""
        return self.weights[self.dtype] + self.buffers + (self.states or 0)

    @property
    def peak(self) -> Moment | None:
        """The moment of training at which most bytes are alive."""
        return max(self.moments, key=lambda moment: moment.bytes, default=None)

    @property
    def training(self) -> int | None:
        """The most bytes that are alive at once in an iteration of training: a bound.

        An iteration is a forward pass, the backward pass and a step of the optimizer, by torch without
        compilation, and it begins without gradients, as ``zero_grad()`` leaves it. The caller holds the
        network's inputs and outputs. What the loss makes is not in it, nor are the workspaces of kernels and
        what an allocator rounds up.
        """
        return None if self.peak is None else self.lasting + self.peak.bytes


def account(
    network: Network,
    *,
    batch: int = 1,
    dtype: str = "float32",
    activations: str | None = None,
    optimizer: str = "adam",
    device: str = "cuda",
) -> Memory:
    """What a network needs of memory.

    Args:
        network: whose layers are walked in order.
        batch: samples at once.
        dtype: the type of the weights: one of :data:`BITS`.
        activations: the type of the activations; that of the weights where it is a float, else float32.
        optimizer: one of :data:`OPTIMIZERS`; ``"none"`` means that nothing is trained.
        device: ``"cuda"`` or ``"cpu"``; torch's kernels differ in what dropout and log-sigmoid keep.

    Raises:
        UsageError: there is no such type, optimizer or device, or the batch is less than one sample.

    >>> import archlens
    >>> found = account(archlens.load("lenet5"))
    >>> found.weights["float32"], found.inference.bytes, found.training
    (246824, 37632, 1375536)
    """
    found = course(
        network, batch=batch, dtype=dtype, activations=activations, optimizer=optimizer, device=device
    )
    moments: tuple[Moment, ...] = ()
    if found.forward is not None and found.stepping is not None:
        back = max(found.back, key=lambda moment: moment.bytes)
        moments = (_forward(network, found.forward, found.kept), back, found.stepping)
    return Memory(
        batch=batch,
        dtype=dtype,
        activations=found.activations,
        optimizer=optimizer,
        weights=found.weights,
        stored=stored_bytes(network) if network.dtypes else None,
        buffers=found.buffers,
        outputs=found.outputs,
        inference=_peak(network, found.inference),
        in_place=_peak(network, found.in_place),
        eager=_peak(network, found.eager),
        gradients=found.gradients,
        states=found.states,
        saved=found.kept.bytes if found.kept is not None else None,
        step=found.step,
        moments=moments,
        reason=found.reason,
        unknown=found.unknown,
    )


class Instant(NamedTuple):
    """How many bytes are alive at a moment."""

    bytes: int
    #: Which of the layers runs then; -1 before the first.
    position: int
    #: Of the bytes, the workspace of the op's kernels.
    workspace: int


class Course(NamedTuple):
    """What :func:`account` finds, with all moments of which the largest are the peaks."""

    activations: str
    weights: dict[str, int]
    buffers: int
    outputs: int
    inference: Life
    in_place: Life
    eager: Life
    gradients: Any
    states: Any
    #: What autograd keeps, and the moments of the passes and of the step; ``None`` where nothing is trained.
    kept: Saved | None
    forward: Life | None
    back: Sequence[Moment]
    stepping: Moment | None
    step: StepTemporaries | None
    reason: str
    unknown: tuple[str, ...]

    @property
    def training(self) -> Any:
        """:attr:`Memory.training`, be it of many configurations; ``None`` where nothing is trained."""
        if self.forward is None or self.stepping is None:
            return None
        alive = [one.bytes for one in self.forward.instants]
        alive += [one.bytes for one in (*self.back, self.stepping)]
        lasting = self.gradients + self.buffers + self.states  # weights are as large as their gradients
        return lasting + greatest(alive)


class Life(NamedTuple):
    """Which tensors are alive when, as the layers run."""

    instants: list[Instant]
    steps: Sequence[_Step]
    made: dict[str, Alive]
    born: dict[str, int]
    gone: dict[str, int]


def course(
    network: Network,
    *,
    batch: int = 1,
    dtype: str = "float32",
    activations: str | None = None,
    optimizer: str = "adam",
    device: str = "cuda",
) -> Course:
    """What a network needs of memory at each moment; sizes, and the batch, may be formulas of letters.

    The arguments and what it raises are those of :func:`account`.
    """
    activations = activations or (dtype if dtype in FLOATS else "float32")
    for name, known in ((dtype, BITS), (activations, BITS), (optimizer, OPTIMIZERS)):
        if name not in known:
            raise usage(f"there is no {shorten(name)}", help=did_you_mean(name, known))
    held = _held(batch, activations, device)
    weights = {name: weight_bytes(network, name) for name in BITS}
    footprints = _footprints(network)
    gradients = states = kept = forward = stepping = step = None
    back: Sequence[Moment] = ()
    if optimizer == "none":
        reason = "nothing is trained without an optimizer"
    elif dtype not in FLOATS or activations not in FLOATS:
        reason = f"torch has no gradients of {dtype if dtype not in FLOATS else activations}"
    else:
        reason = ""
        rule = OPTIMIZERS[optimizer]
        gradients, states = weights[dtype], rule.states * weights[dtype]
        if rule.adaptive:
            states += _WIDTHS[FLOAT32] * sum(len(layer.facts.weights) for layer in network.layers)
        step = _stepping(network, dtype) if rule.adaptive else StepTemporaries(0, 0)
        places = _places(network, footprints, batch, training=True)
        kept = _kept(network, places, held)
        steps = _steps(network, places, kept)
        forward = _lives(network, steps, held, eager=True, keeping=kept.beside)
        gradients_of = _Gradients(network, dtype)
        back = backward.moments(
            network,
            places.footprints,
            kept,
            places.turned,
            size=lambda name: held.at(network, name).of(network.shape_of(name)),
            whole=lambda name: held.of(network.shape_of(name)),
            weights=lambda layer: gradients_of.new[layer.name],
            added=lambda layer: gradients_of.added[layer.name],
            temporaries=lambda layer, footprint: held.by(layer).extra(footprint.backward),
        )
        way = "foreach" if step.foreach > step.single else "each tensor"
        stepping = Moment(f"step, {way}", "", gradients, 0, sum(kept.held.values()), 0, greatest(step))
    steps = _steps(network, _places(network, footprints, batch, training=False))
    return Course(
        activations,
        weights,
        buffer_bytes(network, dtype if dtype in FLOATS else "float32"),
        sum(held.by(step.layer).size(step.values) for step in steps if step.own),
        _lives(network, steps, held),
        _lives(network, steps, held, in_place=True),
        _lives(network, steps, held, eager=True),
        gradients,
        states,
        kept,
        forward,
        back,
        stepping,
        step,
        reason,
        tuple([layer.name for layer, known in zip(network.layers, footprints, strict=True) if known is None]),
    )


class _Gradients:
    """Bytes of the gradients of a layer's weights: those that are new, and those that others have already.

    The backward pass comes to the last use of a weight first. At each further one another gradient is made,
    and the sum of both.
    """

    def __init__(self, network: Network, dtype: str) -> None:
        self.new: dict[str, int] = {}
        self.added: dict[str, int] = {}
        known: set[str] = set()
        for layer in reversed(network.layers):
            for found in (self.new, self.added):
                found[layer.name] = 0
            for name, shape in layer.whole.facts.weights.items():
                key = layer.key(name)
                size = _bytes(prod(shape), dtype)
                if key in known:
                    self.added[layer.name] += 2 * size
                else:
                    self.new[layer.name] += size
                known.add(key)


def weight_bytes(network: Network, dtype: str = "float32", *, align: int = 1) -> int:
    """Bytes of all trainable tensors; each is rounded up to whole bytes (int4: two values a byte)."""
    listed = sum(
        times * _rounded(_bytes(prod(shape), dtype), align)
        for facts, times in _distinct(network)
        for shape in facts.weights.values()
    )
    return listed + (network.unlisted * BITS[dtype] + 7) // 8


def buffer_bytes(
    network: Network, dtype: str = "float32", *, align: int = 1, saved_only: bool = False
) -> int:
    """Bytes of all buffers, or of those in the state dict: floats of the type given, integers as they are."""
    return sum(
        times * _rounded(_sized(prod(buffer.shape), buffer.dtype, floats=dtype), align)
        for facts, times in _distinct(network)
        for buffer in facts.buffers.values()
        if buffer.saved or not saved_only
    )


def _sized(count: int, kind: str, *, floats: str) -> int:
    """Bytes of so many values of a buffer, whose floats are converted to ``floats`` with the weights."""
    converted = kind == FLOAT32 or ("float" in kind and floats != FLOAT32)
    return _bytes(count, floats) if converted else _whole_bytes(count * bits(kind))


def stored_bytes(network: Network) -> int:
    """Bytes of all trainable tensors in the types that the source of the network keeps them in."""
    return sum(
        _whole_bytes(prod(shape) * bits(network.dtypes.get(layer.key(name), FLOAT32)))
        for layer in network.layers
        for name, shape in layer.facts.weights.items()
    )


def _stepping(network: Network, dtype: str) -> StepTemporaries:
    """What a step of Adam or AdamW makes, as ``torch/optim/adam.py`` of torch 2.13 has it.

    One tensor at a time: ``denom = (exp_avg_sq.sqrt() / …).add_(eps)``, so the root and the quotient exist
    together, while ``denom`` is still that of the tensor before. All at once: ``torch._foreach_sqrt`` makes
    a root of each, which then is worked on in place. All else of both is in place, and all of SGD
    (``torch/optim/sgd.py``).
    """
    single = before = foreach = 0
    for shape in parameters(network).values():
        size = _bytes(prod(shape), dtype)
        single = greatest([single, before + 2 * size])
        before = size
        foreach += size
    return StepTemporaries(single, foreach)


def parameters(network: Network) -> dict[str, tuple[int, ...]]:
    """The shapes of all trainable tensors, by their keys and in the order of ``module.parameters()``.

    That is the order of the layers, but what lies in a scope itself stands before the scopes within it.
    """
    found = {
        layer.key(name): shape for layer in network.layers for name, shape in layer.facts.weights.items()
    }
    first: dict[str, int] = {}  # a scope's first tensor

    def place(key: str) -> tuple[int, ...]:
        return (*[first.setdefault(scope, len(first)) for scope in scopes_around(key)], -1)

    places = {key: place(key) for key in found}
    return {key: found[key] for key in sorted(found, key=places.__getitem__)}


def output_bytes(layer: Layer) -> int:
    """Bytes in float32 of what a layer writes: none where its output is a view of its input."""
    footprint = layer.op.footprint(layer.facts, *layer.input_shapes)
    if footprint is not None and (footprint.moves or footprint.part or footprint.inert):
        return 0
    return _bytes(layer.facts.shape.numel, FLOAT32)


def peak_activations(
    network: Network,
    *,
    batch: int = 1,
    dtype: str = "float32",
    in_place: bool = False,
    eager: bool = False,
    align: int = 1,
    device: str = "cuda",
) -> Peak:
    """The most bytes of activations that are alive at once during an inference.

    Args:
        network: whose layers are walked in order; heads for training do not run.
        batch: samples at once.
        dtype: the type of the activations.
        in_place: let ops that work value by value write over their input.
        eager: count what torch makes beside the outputs, and hold the network's input to the end.
        align: round every tensor up to a multiple of so many bytes.
        device: ``"cuda"`` or ``"cpu"``, whose kernels are meant by ``eager``.
    """
    held = _held(batch, dtype, device, align)
    footprints = _footprints(network)
    steps = _steps(network, _places(network, footprints, batch, training=False))
    return _peak(network, _lives(network, steps, held, in_place=in_place, eager=eager))


def moments(network: Network, *, batch: int = 1) -> list[int]:
    """The bytes of activations in float32 that are alive after each layer of an inference.

    The largest of them is :func:`peak_activations`; they may be formulas of letters.
    """
    steps = _steps(network, _places(network, _footprints(network), batch, training=False))
    return [one.bytes for one in _lives(network, steps, _held(batch, "float32", "cuda")).instants]


def allocated(network: Network, *, batch: int = 1) -> int:
    """What ``torch.cuda.max_memory_allocated`` should show for an inference in float32, at least.

    Weights, buffers and the eager live set, every tensor rounded up to :data:`BLOCK` bytes. More than
    that are the workspaces of cuDNN and cuBLAS, and the blocks that the allocator does not split
    although they are up to 1 MiB larger than what they hold.
    """
    weights = weight_bytes(network, align=BLOCK) + buffer_bytes(network, align=BLOCK)
    return weights + peak_activations(network, batch=batch, eager=True, align=BLOCK).bytes


class _Held(NamedTuple):
    """How activations are held: so many samples at once, in a type, and by the kernels of a device."""

    batch: int
    dtype: str
    device: str
    #: Of how many bytes each tensor takes a multiple.
    align: int

    def by(self, layer: Layer) -> _Held:
        """How what a layer makes is held: once, where it is made once for the whole batch."""
        return self._replace(batch=1) if layer.once else self

    def at(self, network: Network, name: str) -> _Held:
        """The same for what the layer of that name makes, or an input."""
        return self.by(network[name]) if name in network.index else self

    def size(self, values: int) -> int:
        """Bytes of a tensor that has so many values for one sample."""
        return _rounded(_bytes(values * self.batch, self.dtype), self.align)

    def of(self, shape: Shape) -> int:
        """Bytes of a tensor of this shape: of ids int64, as torch looks them up."""
        if isinstance(shape, Ids):
            return _rounded(shape.numel * self.batch * _WIDTHS[INT64], self.align)
        return self.size(shape.numel)

    def extra(self, extras: Iterable[Extra]) -> int:
        """Bytes of what an op keeps or makes beside its output."""
        found = 0
        for extra in extras:
            if extra.only in ("", self.device):
                count = extra.values * self.batch if extra.per_sample else extra.values
                width = _WIDTHS.get(extra.kind)
                if extra.kind == STATISTIC and self.device == "cuda":
                    width = 4  # ATen accumulates float16 and bfloat16 in float32 there
                size = _bytes(count, self.dtype) if width is None else count * width
                found += _rounded(size, self.align)
        return found


def _held(batch: int, dtype: str, device: str, align: int = 1) -> _Held:
    if batch < 1:
        raise usage(f"a batch of {batch} has no sample", help="a batch of 1 or more")
    if device not in ("cuda", "cpu"):
        raise usage(f"the device {shorten(device)} is not supported", help="cuda or cpu")
    return _Held(batch, dtype, device, align)


def _distinct(network: Network) -> list[tuple[Facts, int]]:
    """The facts of all layers, each once, with how many layers share them."""
    counts = Counter(id(layer.facts) for layer in network.layers)
    facts = {id(layer.facts): layer.facts for layer in network.layers}
    return [(facts[key], times) for key, times in counts.items()]


def _footprints(network: Network) -> list[Footprint | None]:
    """What each layer asks of memory."""
    return [found for _, found in network.each(lambda x: x.op.footprint(x.facts, *x.input_shapes))]


def _bytes(count: int, dtype: str) -> int:
    return _whole_bytes(count * BITS[dtype])


def _whole_bytes(bits: int) -> int:
    return (bits + 7) // 8


def _rounded(size: int, align: int) -> int:
    return (size + (align - 1)) // align * align


class _Step(NamedTuple):
    """One layer of an inference, as far as memory goes."""

    layer: Layer
    footprint: Footprint
    #: How many values its output has, and the copy of its input if it makes one, for one sample.
    values: int
    copied: int
    #: Whose memory its inputs lie in, and whether its output has memory of its own.
    sources: tuple[str, ...]
    own: bool
    #: The memory that nobody reads any more after it.
    leaving: tuple[str, ...]


def _steps(network: Network, places: _Places, kept: Saved | None = None) -> list[_Step]:
    """The layers in their order, with what is done with after each; all of them where some is kept."""
    owner, copied = places.owner, places.copied
    layers = [
        (layer, footprint)
        for layer, footprint in zip(network.layers, places.footprints, strict=True)
        if kept is not None or not layer.training
    ]
    sources = [tuple([owner[source] for source in layer.inputs]) for layer, _ in layers]
    last: dict[str, int] = {}
    for position, (layer, _) in enumerate(layers):
        last[owner[layer.name]] = position
        for source in sources[position]:
            last[source] = position
    for source in [owner[output] for output in network.outputs.values()] + list(kept.until if kept else ()):
        last.pop(source, None)
    leaving = grouped((position, name) for name, position in last.items())
    return [
        _Step(
            layer,
            footprint or Footprint(),
            layer.facts.shape.numel,
            sum(layer.input_shapes[i].numel for i in copied.get(layer.name, ())),
            sources[position],
            owner[layer.name] == layer.name,
            tuple(leaving.get(position, ())),
        )
        for position, (layer, footprint) in enumerate(layers)
    ]


class _Places(NamedTuple):
    """Where each layer's output lies."""

    #: In whose memory: its own, or that which it is a view of.
    owner: dict[str, str]
    #: The layers that work on copies of inputs, which do not lie as they need them: of which of them.
    copied: dict[str, tuple[int, ...]]
    #: The layers whose input does not lie in row-major order.
    turned: set[str]
    #: The strides of each output.
    lying: dict[str, strides.Strides]
    #: What each layer asks of memory where its inputs lie so.
    footprints: list[Footprint | None]


def _places(
    network: Network, footprints: Sequence[Footprint | None], batch: int, *, training: bool
) -> _Places:
    owner = {name: name for name in network.inputs}
    lying = {name: strides.rows((batch, *shape)) for name, shape in network.inputs.items()}
    copied: dict[str, tuple[int, ...]] = {}
    turned: set[str] = set()
    settled: list[Footprint | None] = []
    once: set[str] = set()
    for layer, footprint in zip(network.layers, footprints, strict=True):
        name, source = layer.name, layer.inputs[0]
        owner[name] = name
        samples = 1 if layer.once else batch
        # what is there once is repeated where each sample reads it, without a copy
        lies = {one: lying[one] for one in layer.inputs}
        if layer.once:
            once.add(name)
        elif once:
            lies |= {one: (0, *lying[one][1:]) for one in once.intersection(lies)}
        if footprint is not None and footprint.by_lying is not None:
            asked, made = footprint.by_lying
            footprint = made(
                *(
                    _fits(how, (samples, *layer.input_shapes[index]), lies[layer.inputs[index]])
                    for index, how in asked
                )
            )
        settled.append(footprint)
        if footprint is None:
            lying[name] = strides.rows((samples, *layer.facts.shape))
            continue
        sizes = (samples, *layer.input_shapes[0])
        if not strides.in_rows(sizes, lies[source]):
            turned.add(name)
        found: strides.Strides | None
        if footprint.part or (footprint.inert and not training):
            steps = (1, *(footprint.steps or (1,) * len(sizes[1:])))
            found = tuple(stride * step for stride, step in zip(lies[source], steps, strict=True))
            owner[name] = owner[source]
        elif footprint.moves:
            found, moved = _moved(footprint, sizes, lies[source], layer.facts.shape)
            owner[name] = name if moved else owner[source]
        else:
            found = _written(layer, footprint, samples, [lies[source] for source in layer.inputs])
            copies = tuple(_unfit(layer, footprint.needs, samples, [lies[one] for one in layer.inputs]))
            if copies:
                copied[name] = copies
        lying[name] = found
    return _Places(owner, copied, turned, lying, settled)


def _moved(
    footprint: Footprint, sizes: strides.Sizes, lying: strides.Strides, shape: Shape
) -> tuple[strides.Strides, bool]:
    """How a view lies, and whether a copy had to be made for it."""
    copies = False
    for move in footprint.moves:
        if isinstance(move, Reshaped):
            to = (sizes[0], *(move.sizes or shape))
            found = strides.reshaped(sizes, lying, to) if to != sizes else lying
            copies = copies or found is None
            sizes, lying = to, strides.rows(to) if found is None else found
        else:
            order = (0, *(axis + 1 for axis in move.order))
            sizes = tuple(sizes[axis] for axis in order)
            lying = tuple(lying[axis] for axis in order)
    return lying, copies


def _written(
    layer: Layer, footprint: Footprint, batch: int, lying: Sequence[strides.Strides]
) -> strides.Strides:
    """How an output lies that has memory of its own."""
    to = (batch, *layer.facts.shape)
    inputs = [(batch, *shape) for shape in layer.input_shapes]
    if isinstance(footprint.lies, tuple):
        return strides.ordered(to, (0, *(axis + 1 for axis in footprint.lies)))
    if footprint.lies == LIKE or (footprint.in_place and footprint.lies == FORMAT):
        if len(inputs) == 1:
            operands = [(to, lying[0])]
            own = layer.whole.facts.weights.get("")
            if own:  # a weight that stands on the right of its input's axes
                own = (1,) * (len(to) - len(own)) + own
                operands.append((own, strides.rows(own)))
            return strides.elementwise(to, operands)
        found, sizes = lying[0], inputs[0]
        for shape, other, result in zip(
            inputs[1:], lying[1:], pairwise_shapes(layer.input_shapes), strict=True
        ):
            whole = (batch, *result)
            found = strides.elementwise(whole, [(sizes, found), (shape, other)])
            sizes = whole
        return found
    if footprint.lies == FORMAT and not layer.input_shapes[0].channels_last:
        first, *others = [strides.suggested(sizes, own, to) for sizes, own in zip(inputs, lying, strict=True)]
        if all(other == first for other in others):
            return first
    return strides.rows(to)


def _unfit(
    layer: Layer, needs: str | tuple[int, ...], batch: int, lying: Sequence[strides.Strides]
) -> Iterator[int]:
    """The inputs that an op cannot work on as they lie."""
    every = zip(layer.input_shapes, lying, strict=True)
    for index, (shape, own) in enumerate(every if needs == MATRICES else islice(every, 1)):
        if not _fits(needs, (batch, *shape), own):
            yield index


def _fits(needs: str | tuple[int, ...] | Heads, sizes: strides.Sizes, lying: strides.Strides) -> bool:
    """Whether an op can work on its input as it lies."""
    if isinstance(needs, Heads):
        return _in_heads(needs, sizes, lying)
    if isinstance(needs, tuple):
        order = (0, *(axis + 1 for axis in needs))
        turned = [tuple(one[axis] for axis in order) for one in (sizes, lying)]
        return _fits(MATRIX, *turned)
    if needs == PIECE:
        return strides.in_rows(sizes, lying)
    if needs == FORMAT:
        wanted = strides.suggested(sizes, lying, sizes)
        return all(n == 1 or a == b for n, a, b in zip(sizes, lying, wanted, strict=True))
    if needs == MATRICES:
        return strides.reshaped(sizes, lying, (prod(sizes[:-2]), *sizes[-2:])) is not None
    if needs == MATRIX and len(sizes) > 2:
        return strides.reshaped(sizes, lying, (prod(sizes[:-1]), sizes[-1])) is not None
    return True


def _in_heads(heads: Heads, sizes: strides.Sizes, lying: strides.Strides) -> bool:
    """Whether the heads of all rows of tokens are seen as one batch of matrices."""
    *rows, length, channels = sizes
    count, width = heads.heads, channels // heads.heads
    divided = (prod(rows), length, count, width)
    own = strides.reshaped(sizes, lying, divided) or strides.rows(divided)
    turned, found = [tuple([of[axis] for axis in (0, 2, 1, 3)]) for of in (divided, own)]
    if heads.scaled:
        found = strides.elementwise(turned, [(turned, found)])
    return strides.reshaped(turned, found, (prod(rows) * count, length, width)) is not None


def _lives(
    network: Network,
    steps: Sequence[_Step],
    held: _Held,
    *,
    in_place: bool = False,
    eager: bool = False,
    keeping: Sequence[int] = (),
) -> Life:
    """What is alive at each moment.

    ``keeping`` is what each layer's op saves beside its output, which then stays. It is taken to be there as
    long as the op runs, beside what exists on the way, though it may be the same.
    """
    inputs = network.inputs
    made = {name: Alive(name, shape, held.of(shape)) for name, shape in inputs.items()}
    born = dict.fromkeys(inputs, -1)
    gone: dict[str, int] = {}
    total = sum(tensor.bytes for tensor in made.values())
    instants = [Instant(total, -1, 0)]
    stored = 0
    for position, (layer, footprint, values, copied, sources, own, leaving) in enumerate(steps):
        kept = keeping[position] if keeping else 0
        if own:
            here = held.by(layer)
            filled = here.size(max(values, footprint.room) if eager else values)
            if in_place and footprint.in_place:
                free = set(leaving) - inputs.keys()
                over = next((name for name in sources if name in free and made[name].bytes == filled), None)
                if over is not None:
                    total -= filled
                    gone[over] = position
            before = total
            total += filled
            made[layer.name] = Alive(layer.name, layer.facts.shape, filled)
            born[layer.name] = position
            moments = [total]
            if eager and footprint.chained and len(sources) > 2:
                results = [here.size(shape.numel) for shape in pairwise_shapes(layer.input_shapes)]
                free = set(leaving) - inputs.keys()
                moments = [before + _chain(sources, free, made, results) + kept]
            elif eager:
                moments = [before + here.extra(moment) for moment in footprint.before]
                moments.append(total + here.extra(footprint.workspace))
                moments[0] += here.size(copied)
                moments = [moment + kept for moment in moments]
            instants += [Instant(one + stored, position, one + stored - total) for one in moments]
        stored += kept
        for name in leaving:
            if name not in gone and not (eager and name in inputs):
                total -= made[name].bytes
                gone[name] = position + 1
    return Life(instants, steps, made, born, gone)


def _peak(network: Network, life: Life) -> Peak:
    """The first moment at which most bytes are alive."""
    highest, at, workspace = max(life.instants, key=lambda one: one.bytes)
    alive = [
        tensor
        for name, tensor in life.made.items()
        if life.born[name] <= at < life.gone.get(name, len(life.steps))
    ]
    layer = life.steps[at].layer.name if at >= 0 else next(iter(network.inputs))
    return Peak(highest, layer, tuple(alive), workspace)


def _chain(sources: Sequence[str], free: set[str], sizes: Mapping[str, Alive], results: Sequence[int]) -> int:
    """The most bytes, beside what was alive before, while tensors are merged two at a time.

    Args:
        sources: the memory that each input lies in.
        free: those that nobody reads after the merge; each goes with its last use.
        sizes: what they take.
        results: bytes of each result in turn; one goes as soon as the next is made.
    """
    uses = {source: number for number, source in enumerate(sources)}  # the last of each
    highest = last = freed = 0
    for number, result in enumerate(results):
        highest = max(highest, last + result - freed)
        last = result
        for used in (0, 1) if number == 0 else (number + 1,):
            if sources[used] in free and uses[sources[used]] == used:
                freed += sizes[sources[used]].bytes
    return highest


def _kept(network: Network, places: _Places, held: _Held) -> Saved:
    """What autograd keeps between the forward and the backward pass."""
    owner, copied = places.owner, places.copied
    trained = dict.fromkeys(network.inputs, False)
    until: dict[str, int] = {}
    beside = []
    for position, (layer, footprint) in enumerate(zip(network.layers, places.footprints, strict=True)):
        weights, inputs = bool(layer.whole.facts.weights), layer.inputs
        here = held.by(layer)
        trained[layer.name] = weights or any(trained[source] for source in inputs)
        beside.append(0)
        if footprint is None or not trained[layer.name]:
            continue
        read = range(len(inputs)) if footprint.input is True else footprint.input or ()
        if read:
            # a factor is needed for the gradients of those before it; the first for that of the second
            others = trained[inputs[min(1, len(inputs) - 1)]]
            so_far = footprint.jointly and any(trained[source] for source in inputs)
            others = others or so_far
            for index, source in enumerate(inputs):
                if index not in read:
                    pass
                elif (weights or others) and index in copied.get(layer.name, ()):
                    beside[-1] += here.size(layer.input_shapes[index].numel)
                elif weights or others:
                    until.setdefault(owner[source], position)
                others = so_far = so_far or trained[source]
        if footprint.output:
            until.setdefault(owner[layer.name], position)
        extras = footprint.saved
        if footprint.chained:  # a product so far is needed for the gradient of the next factor
            extras = tuple(e for e, factor in zip(extras, inputs[2:], strict=False) if trained[factor])
        beside[-1] += here.extra(extras)
    ends = dict.fromkeys((*network.inputs, *[owner[output] for output in network.outputs.values()]))
    sizes = {name: held.at(network, name).of(network.shape_of(name)) for name in {**until, **ends}}
    for layer, footprint in zip(network.layers, places.footprints, strict=True):
        if footprint is not None and layer.name in sizes:
            sizes[layer.name] = max(sizes[layer.name], held.by(layer).size(footprint.room))
    return Saved(
        trained,
        until,
        sizes,
        beside,
        {name: sizes[name] for name in ends},
        sum(sizes[name] for name in until) + sum(beside),
    )


def _forward(network: Network, life: Life, kept: Saved | None) -> Moment:
    """The peak of the forward pass of training, in which what is saved stays."""
    assert kept is not None
    found = _peak(network, life)
    at = next((n for n, layer in enumerate(network.layers) if layer.name == found.layer), -1)
    stored = sum(kept.beside[: at + 1])
    saved = sum(tensor.bytes for tensor in found.alive if kept.until.get(tensor.name, at + 1) <= at)
    activations = sum(tensor.bytes for tensor in found.alive) - saved
    return Moment("forward pass", found.layer, 0, saved + stored, activations, 0, found.workspace - stored)
