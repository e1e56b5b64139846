"""Bytes: of weights, of what is alive during an inference, and of what training keeps.

The live set is found by liveness over the execution order, which is the order of the layers:

- a tensor lives from the layer that makes it to its last reader, an output of the network to the end;
  while a layer runs, what it reads and what it writes are both alive;
- the input of the network counts, up to its last reader;
- flatten, reshape, crop and slice are views and take no memory, but a flatten or a reshape of what does not
  lie in one piece, as after a crop or with the channels last, copies it; dropout is its input itself at
  inference;
- *in place* means that an op that works value by value (activations, batch normalization at inference, add,
  multiply) writes over an input of its output's size that nobody reads any more, and that is not the
  network's own input;
- *eager* means torch without compilation: nothing in place, the caller holds the network's input to the end,
  and what the op's kernels make beside their output counts: the indices of a max pooling, the padded copy
  of an unevenly padded convolution. The workspaces of cuDNN and cuBLAS are not in it: they depend on the
  device.

ResNet-50 at batch 1 in float32 has a live set of 9,633,792 bytes: three maps of 256x56x56, first where
layer1.0 normalizes its shortcut. Folding batch normalization into the convolutions does not change it:
three such maps meet again in the addition. The 10.7 MB in the README of onnx-tool are 10.72 MiB, which is
11,239,424 bytes: not the live set, which that tool computes as above to the byte, but the pool in which it
places the tensors, first fit, with 1,605,632 bytes of holes (``tests/test_memory.py`` places them so again).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from ..errors import did_you_mean, shorten, usage
from ..network import Layer, Network
from ..ops import Facts
from ..ops.footprint import (
    BOOL,
    FLOAT32,
    FORMAT,
    INT64,
    LIKE,
    MATRIX,
    PIECE,
    STATISTIC,
    Extra,
    Footprint,
    Reshaped,
)
from ..ops.merge import running
from ..shape import Shape
from . import strides

#: Bits of one value, by type.
BITS: dict[str, int] = {"float32": 32, "float16": 16, "bfloat16": 16, "int8": 8, "int4": 4}

#: The types that weights can be trained in.
FLOATS = ("float32", "float16", "bfloat16")

#: Tensors that an optimizer keeps for each weight, of the weight's size and type.
OPTIMIZERS: dict[str, int] = {"none": 0, "sgd": 0, "momentum": 1, "adam": 2}

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
    #: Of the bytes, what the op's kernels make beside these tensors; only where torch is meant.
    beside: int


@dataclass(frozen=True)
class Memory:
    """The bytes of one network. What cannot be known is ``None``, and ``reason`` says why."""

    batch: int
    dtype: str
    activations: str
    optimizer: str
    #: Trainable tensors, by the type that they are held in.
    weights: Mapping[str, int]
    #: Running statistics and other tensors that are saved and not trained.
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
    reason: str
    #: Layers whose op does not say what it keeps; ``saved`` and ``eager`` are then "at least".
    unknown: tuple[str, ...]

    @property
    def training(self) -> int | None:
        """Weights, buffers, gradients, optimizer state and saved activations together."""
        if self.gradients is None or self.states is None or self.saved is None:
            return None
        return self.weights[self.dtype] + self.buffers + self.gradients + self.states + self.saved


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
    (246824, 37632, 1023768)
    """
    activations = activations or (dtype if dtype in FLOATS else "float32")
    for name, known in ((dtype, BITS), (activations, BITS), (optimizer, OPTIMIZERS)):
        if name not in known:
            raise usage(f"there is no {shorten(name)}", help=did_you_mean(name, known))
    _check(batch, device)
    weights = {name: weight_bytes(network, name) for name in BITS}
    footprints = _footprints(network)
    gradients = states = saved = None
    if optimizer == "none":
        reason = "nothing is trained without an optimizer"
    elif dtype not in FLOATS or activations not in FLOATS:
        reason = f"torch has no gradients of {dtype if dtype not in FLOATS else activations}"
    else:
        reason = ""
        gradients, states = weights[dtype], OPTIMIZERS[optimizer] * weights[dtype]
        if optimizer == "adam":  # torch counts its steps for each weight tensor, as a float32
            states += 4 * sum(len(layer.facts.weights) for layer in network.layers)
        saved = _saved(network, footprints, batch, activations, device)
    steps = _steps(network, footprints, batch)
    return Memory(
        batch=batch,
        dtype=dtype,
        activations=activations,
        optimizer=optimizer,
        weights=weights,
        buffers=buffer_bytes(network, dtype if dtype in FLOATS else "float32"),
        outputs=sum(_bytes(step.values * batch, activations) for step in steps if step.own),
        inference=_live(network, steps, batch, activations),
        in_place=_live(network, steps, batch, activations, in_place=True),
        eager=_live(network, steps, batch, activations, eager=device),
        gradients=gradients,
        states=states,
        saved=saved,
        reason=reason,
        unknown=tuple(
            layer.name for layer, known in zip(network.layers, footprints, strict=True) if known is None
        ),
    )


def weight_bytes(network: Network, dtype: str = "float32", *, align: int = 1) -> int:
    """Bytes of all trainable tensors; each is rounded up to whole bytes (int4: two values a byte)."""
    return sum(
        times * _rounded(_bytes(prod(shape), dtype), align)
        for facts, times in _distinct(network)
        for shape in facts.weights.values()
    )


def buffer_bytes(network: Network, dtype: str = "float32", *, align: int = 1) -> int:
    """Bytes of all buffers: of the type given, but a scalar is batch normalization's int64 counter."""
    return sum(
        times * _rounded(_bytes(prod(shape), dtype) if shape else 8, align)
        for facts, times in _distinct(network)
        for shape in facts.buffers.values()
    )


def output_bytes(layer: Layer, batch: int = 1, dtype: str = "float32") -> int:
    """Bytes of what a layer writes: none where its output is a view of its input."""
    footprint = layer.op.footprint(layer.facts, *layer.input_shapes)
    if footprint is not None and (footprint.moves or footprint.part or footprint.inert):
        return 0
    return _bytes(layer.facts.shape.numel * batch, dtype)


def live_set(
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
    _check(batch, device)
    steps = _steps(network, _footprints(network), batch)
    return _live(network, steps, batch, dtype, in_place=in_place, eager=device if eager else "", align=align)


def saved_bytes(network: Network, *, batch: int = 1, dtype: str = "float32", device: str = "cuda") -> int:
    """Bytes that autograd keeps between the forward and the backward pass, weights and buffers apart.

    Every tensor that some op keeps is counted once, whole where an op keeps a part of it. An op keeps
    nothing where nothing before it, nor it itself, is trained. Heads for training run.
    """
    _check(batch, device)
    return _saved(network, _footprints(network), batch, dtype, device)


def allocated(network: Network, *, batch: int = 1) -> int:
    """What ``torch.cuda.max_memory_allocated`` should show for an inference in float32, at least.

    Weights, buffers and the eager live set, every tensor rounded up to :data:`BLOCK` bytes. More than
    that are the workspaces of cuDNN and cuBLAS, and the blocks that the allocator does not split
    although they are up to 1 MiB larger than what they hold.
    """
    weights = weight_bytes(network, align=BLOCK) + buffer_bytes(network, align=BLOCK)
    return weights + live_set(network, batch=batch, eager=True, align=BLOCK).bytes


def _check(batch: int, device: str) -> None:
    if batch < 1:
        raise usage(f"a batch of {batch} has no sample", help="a batch of 1 or more")
    if device not in ("cuda", "cpu"):
        raise usage(f"the device {shorten(device)} is not supported", help="cuda or cpu")


def _distinct(network: Network) -> list[tuple[Facts, int]]:
    """The facts of all layers, each once, with how many layers share them."""
    counts = Counter(id(layer.facts) for layer in network.layers)
    facts = {id(layer.facts): layer.facts for layer in network.layers}
    return [(facts[key], times) for key, times in counts.items()]


def _footprints(network: Network) -> list[Footprint | None]:
    """What each layer asks of memory; layers that share their facts share it."""
    known: dict[int, Footprint | None] = {}
    found = []
    for layer in network.layers:
        key = id(layer.facts)
        if key not in known:
            known[key] = layer.op.footprint(layer.facts, *layer.input_shapes)
        found.append(known[key])
    return found


def _bytes(count: int, dtype: str) -> int:
    return -(-count * BITS[dtype] // 8)


def _rounded(size: int, align: int) -> int:
    return -(-size // align) * align


def _extra(extra: Extra, batch: int, dtype: str, device: str) -> int:
    if extra.only not in ("", device):
        return 0
    count = extra.values * batch if extra.per_sample else extra.values
    width = {INT64: 8, FLOAT32: 4, BOOL: 1}.get(extra.kind)
    if extra.kind == STATISTIC and device == "cuda":
        width = 4  # ATen accumulates float16 and bfloat16 in float32 there
    return _bytes(count, dtype) if width is None else count * width


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


def _steps(network: Network, footprints: Sequence[Footprint | None], batch: int) -> list[_Step]:
    """The layers of an inference in their order, with what is done with after each."""
    owner, copied = _places(network, footprints, batch, training=False)
    layers = [
        (layer, footprint)
        for layer, footprint in zip(network.layers, footprints, strict=True)
        if not layer.training
    ]
    sources = [tuple([owner[source] for source in layer.inputs]) for layer, _ in layers]
    last: dict[str, int] = {}
    for position, (layer, _) in enumerate(layers):
        last[owner[layer.name]] = position
        for source in sources[position]:
            last[source] = position
    for source in network.outputs.values():
        last.pop(owner[source], None)
    leaving: dict[int, list[str]] = {}
    for name, position in last.items():
        leaving.setdefault(position, []).append(name)
    return [
        _Step(
            layer,
            footprint or Footprint(),
            layer.facts.shape.numel,
            layer.input_shapes[0].numel if layer.name in copied else 0,
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
    #: The layers that work on a copy of their input, for it does not lie as they need it.
    copied: set[str]


def _places(
    network: Network, footprints: Sequence[Footprint | None], batch: int, *, training: bool
) -> _Places:
    owner = {name: name for name in network.inputs}
    lying = {name: strides.rows((batch, *shape)) for name, shape in network.inputs.items()}
    copied: set[str] = set()
    for layer, footprint in zip(network.layers, footprints, strict=True):
        name, source = layer.name, layer.inputs[0]
        owner[name] = name
        if footprint is None:
            lying[name] = strides.rows((batch, *layer.facts.shape))
            continue
        sizes = (batch, *layer.input_shapes[0])
        found: strides.Strides | None
        if footprint.part or (footprint.inert and not training):
            steps = (1, *(footprint.steps or (1,) * len(sizes[1:])))
            found = tuple(stride * step for stride, step in zip(lying[source], steps, strict=True))
            owner[name] = owner[source]
        elif footprint.moves:
            found, copies = _moved(footprint, sizes, lying[source], layer.facts.shape)
            owner[name] = name if copies else owner[source]
        else:
            found = _written(layer, footprint, batch, [lying[source] for source in layer.inputs])
            if not _fits(footprint.needs, sizes, lying[source]):
                copied.add(name)
        lying[name] = found
    return _Places(owner, copied)


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
    if footprint.lies == LIKE or footprint.in_place:
        if len(inputs) == 1:
            operands = [(to, lying[0])]
            own = layer.facts.weights.get("")
            if own:  # a weight that stands on the right of its input's axes
                own = (1,) * (len(to) - len(own)) + own
                operands.append((own, strides.rows(own)))
            return strides.elementwise(to, operands)
        found, sizes = lying[0], inputs[0]
        for shape, other, result in zip(inputs[1:], lying[1:], running(layer.input_shapes), strict=True):
            whole = (batch, *result)
            found = strides.elementwise(whole, [(sizes, found), (shape, other)])
            sizes = whole
        return found
    if footprint.lies == FORMAT and not layer.input_shapes[0].channels_last:
        written = {strides.suggested(sizes, own, to) for sizes, own in zip(inputs, lying, strict=True)}
        if len(written) == 1:
            return written.pop()
    return strides.rows(to)


def _fits(needs: str, sizes: strides.Sizes, lying: strides.Strides) -> bool:
    """Whether an op can work on its input as it lies."""
    if needs == PIECE:
        return strides.in_rows(sizes, lying)
    if needs == FORMAT:
        wanted = strides.suggested(sizes, lying, sizes)
        return all(n == 1 or a == b for n, a, b in zip(sizes, lying, wanted, strict=True))
    if needs == MATRIX and len(sizes) > 2:
        return strides.reshaped(sizes, lying, (prod(sizes[:-1]), sizes[-1])) is not None
    return True


def _live(
    network: Network,
    steps: Sequence[_Step],
    batch: int,
    dtype: str,
    *,
    in_place: bool = False,
    eager: str = "",
    align: int = 1,
) -> Peak:
    """The peak of the live set; ``eager`` is the device whose kernels are meant, or empty."""
    inputs = network.inputs

    def size(count: int) -> int:
        return _rounded(_bytes(count * batch, dtype), align)

    def besides(extras: Sequence[Extra]) -> int:
        return sum(_rounded(_extra(extra, batch, dtype, eager), align) for extra in extras)

    alive = {name: Alive(name, shape, size(shape.numel)) for name, shape in inputs.items()}
    total = sum(tensor.bytes for tensor in alive.values())
    peak = Peak(total, next(iter(inputs)), tuple(alive.values()), 0)
    for layer, footprint, values, copied, sources, own, leaving in steps:
        if own:
            made = Alive(layer.name, layer.facts.shape, size(values))
            if in_place and footprint.in_place:
                over = next(
                    (n for n in sources if n in leaving and n not in inputs and alive[n].bytes == made.bytes),
                    None,
                )
                total -= alive.pop(over).bytes if over else 0
            before = total
            total += made.bytes
            alive[layer.name] = made
            highest = total
            if eager and footprint.chained and len(sources) > 2:
                results = [size(shape.numel) for shape in running(layer.input_shapes)]
                free = {name for name in leaving if name not in inputs}
                highest = before + _chain(sources, free, alive, results)
            elif eager:
                moments = [before + besides(moment) for moment in footprint.before]
                moments.append(total + besides(footprint.beside))
                moments[0] += size(copied)
                highest = max(moments)
            if highest > peak.bytes:
                peak = Peak(highest, layer.name, tuple(alive.values()), highest - total)
        for name in leaving:
            if name in alive and not (eager and name in inputs):
                total -= alive.pop(name).bytes
    return peak


def _chain(sources: Sequence[str], free: set[str], alive: Mapping[str, Alive], results: Sequence[int]) -> int:
    """The most bytes, beside what was alive before, while tensors are merged two at a time.

    Args:
        sources: the memory that each input lies in.
        free: those that nobody reads after the merge; each goes with its last use.
        alive: their sizes.
        results: bytes of each result in turn; one goes as soon as the next is made.
    """
    highest = last = freed = 0
    for number, result in enumerate(results):
        highest = max(highest, last + result - freed)
        last = result
        for used in (0, 1) if number == 0 else (number + 1,):
            if sources[used] in free and sources[used] not in sources[used + 1 :]:
                freed += alive[sources[used]].bytes
    return highest


def _saved(
    network: Network, footprints: Sequence[Footprint | None], batch: int, dtype: str, device: str
) -> int:
    owner, copied = _places(network, footprints, batch, training=True)
    trained = dict.fromkeys(network.inputs, False)
    kept: set[str] = set()
    total = 0
    for layer, footprint in zip(network.layers, footprints, strict=True):
        weights, inputs = bool(layer.facts.weights), layer.inputs
        trained[layer.name] = weights or any(trained[source] for source in inputs)
        if footprint is None or not trained[layer.name]:
            continue
        if footprint.input and layer.name in copied:
            total += _bytes(layer.input_shapes[0].numel * batch, dtype)
        elif footprint.input:
            for number, source in enumerate(inputs):
                # a factor is needed for the gradients of those before it; the first for that of the second
                others = inputs[:number] or inputs[1:2] or inputs
                if weights or any(trained[other] for other in others):
                    kept.add(owner[source])
        if footprint.output:
            kept.add(owner[layer.name])
        extras = footprint.saved
        if footprint.chained:  # a product so far is needed for the gradient of the next factor
            extras = tuple(e for e, factor in zip(extras, inputs[2:], strict=False) if trained[factor])
        for extra in extras:
            total += _extra(extra, batch, dtype, device)
    return total + sum(_bytes(network.shape_of(name).numel * batch, dtype) for name in kept)
