"""Memory as a table or JSON: bytes, and the rules that they follow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from ..analysis import decoding
from ..analysis.memory import BITS, Memory, Peak
from ..analysis.unknown import Unknown
from ..counts import AtLeast, dumps
from ..forms.table import LEAST, Cell, Column, Content, Table
from ..grouping import grouped
from ..network import Network
from . import words

SCHEMA = "archlens.memory/1"

#: How many of the tensors that are alive at a peak are named.
_NAMED = 6

#: What is found of a decoder's cache of keys and values.
Cache = decoding.Decoding | Unknown | None

#: The three ways in which an inference is counted.
_PEAKS = ("peak activations", "peak, in place", "peak, eager torch")


#: What is alive at the peak of training beside weights, buffers and the state of the optimizer.
_PARTS = {
    "gradients": "gradients of weights",
    "saved": "saved activations",
    "activations": "other activations",
    "activation_gradients": "gradients of activations",
    "temporaries": "temporaries",
}
# the size is the bytes rounded, and the layer at the peak is among those that are alive there
_ACCOUNT = (
    Column("what", least=20),
    Column("bytes", right=True, unit="B"),
    Column("size", right=True, spare=2, key=""),
    Column("at", least=LEAST, spare=1),
)
_ALIVE = (
    Column("alive at the peak", key="peak"),
    Column("tensor", least=LEAST),
    Column("shape"),
    Column("size", right=True, key="bytes", unit="B"),
)


class _Line(NamedTuple):
    what: str
    bytes: int | None
    where: str = ""
    at_least: bool = False


def table(network: Network, found: Memory) -> Table:
    """Weights, inference and training in bytes; what is alive at the peaks, and the rules beneath."""
    cache = decoding.find(network)
    return Table(
        headline=words.headline(network),
        columns=_ACCOUNT,
        rows=[
            [
                line.what,
                Cell(f"{AtLeast(line.bytes) if line.at_least and line.bytes else line.bytes:,}", line.bytes),
                words.size(line.bytes or 0),
                line.where,
            ]
            for line in [*_lines(found), *_lines_of_cache(cache, found)]
        ],
        more=[Table(_ALIVE, list(_alive(found)))],
        notes=conventions(network, found, cache),
        json=partial(to_json, network, found),
    )


def to_json(network: Network, found: Memory) -> str:
    """Every figure in bytes: ``archlens.memory/1``. What cannot be known is null, with a reason."""
    data = {
        "schema": SCHEMA,
        "name": network.name,
        "inputs": {name: list(shape) for name, shape in network.inputs.items()},
        "batch": found.batch,
        "dtype": found.dtype,
        "activations": found.activations,
        "weights": dict(found.weights),
        **({"stored": found.stored} if found.stored is not None else {}),
        "buffers": found.buffers,
        "inference": {
            "outputs": found.outputs,
            "peak_activations": _peak(found.inference),
            "in_place": _peak(found.in_place),
            "eager": _peak(found.eager),
        },
        "training": {
            "optimizer": found.optimizer,
            "gradients": found.gradients,
            "optimizer_state": found.states,
            "saved": found.saved,
            "total": found.total,
            "step": found.step and found.step._asdict(),
            "moments": [one._asdict() | {"bytes": found.lasting + one.bytes} for one in found.moments],
            "peak": found.training,
            "reason": found.reason or None,
        },
        "unknown": list(found.unknown),
        **_cache(network),
    }
    return dumps(data, indent=1)


def _cache(network: Network) -> dict[str, Any]:
    """The cache of keys and values of one sample, where the network is a decoder."""
    found = decoding.find(network)
    if found is None:
        return {}
    if isinstance(found, Unknown):
        return {"kv_cache": {"reason": found.reason}}
    latent = {"latent": _bytes(found.latent)} if found.latent is not None else {}
    return {"kv_cache": {"length": found.length, **_bytes(found), **latent}}


def _bytes(found: decoding.Decoding) -> dict[str, dict[str, int]]:
    return {
        "token": {dtype: found.bytes_of_token(dtype) for dtype in decoding.DTYPES},
        "sequence": {dtype: found.bytes_of_sequence(dtype) for dtype in decoding.DTYPES},
    }


def _peak(peak: Peak) -> dict[str, Any]:
    alive = [{"name": t.name, "shape": list(t.shape), "bytes": t.bytes} for t in peak.alive]
    return {"bytes": peak.bytes, "layer": peak.layer, "alive": alive, "temporaries": peak.workspace}


def _lines(found: Memory) -> Iterator[_Line]:
    unknown = bool(found.unknown)
    for dtype in BITS:
        yield _Line(f"weights, {dtype}", found.weights[dtype])
    if found.stored is not None:
        yield _Line("weights, as they are kept", found.stored)
    yield _Line("buffers", found.buffers)
    yield _Line("inference: all outputs", found.outputs)
    for what, peak in zip(_PEAKS, (found.inference, found.in_place, found.eager), strict=True):
        yield _Line(f"inference: {what}", peak.bytes, peak.layer, unknown and peak is found.eager)
    if found.peak is None or found.step is None:
        return
    yield _Line("training: weights and buffers", found.weights[found.dtype] + found.buffers)
    yield _Line("training: gradients", found.gradients)
    yield _Line(f"training: optimizer state, {found.optimizer}", found.states)
    yield _Line("training: saved activations", found.saved, at_least=unknown)
    step = {"each tensor": found.step.single, "foreach": found.step.foreach}
    stated = isinstance(found.gradients, AtLeast)  # of tensors that nobody has listed
    for way, size in step.items():
        yield _Line(f"training: step, {way}", size, at_least=stated)
    where = ", ".join(filter(None, (found.peak.when, found.peak.layer)))
    yield _Line("training: peak", found.training, where, at_least=unknown)


def _lines_of_cache(cache: Cache, found: Memory) -> Iterator[_Line]:
    """What a decoder keeps of a token, and of as many sequences as there are samples."""
    if not isinstance(cache, decoding.Decoding):
        return
    for what, kept in (("KV cache", cache), ("latent cache", cache.latent)):
        if kept is not None:
            for dtype in decoding.DTYPES:
                yield _Line(f"{what}, {dtype}: a token", kept.bytes_of_token(dtype))
                size = found.batch * kept.bytes_of_sequence(dtype)
                yield _Line(f"{what}, {dtype}: {cache.length:,} tokens", size)


def _alive(found: Memory) -> Iterator[list[Content]]:
    """What is alive at each peak of an inference, the largest first, and of training."""
    for what, peak in zip(_PEAKS, (found.inference, found.in_place, found.eager), strict=True):
        alive = sorted(peak.alive, key=lambda tensor: -tensor.bytes)
        lines = [(t.name, str(t.shape), t.bytes) for t in alive[:_NAMED]]
        if len(alive) > _NAMED:
            rest = sum(tensor.bytes for tensor in alive[_NAMED:])
            lines.append((f"{len(alive) - _NAMED} smaller ones", "", rest))
        if peak.workspace:
            lines.append(("temporaries", "", peak.workspace))
        yield from _under(what, lines)
    if found.peak is not None:
        parts = [(title, "", getattr(found.peak, name)) for name, title in _PARTS.items()]
        lasting = ("weights, buffers, optimizer state", "", found.lasting)
        yield from _under(f"training, {found.peak.when}", [lasting, *(part for part in parts if part[2])])


def _under(what: str, lines: Iterable[tuple[str, str, int]]) -> Iterator[list[Content]]:
    for number, (name, shape, size) in enumerate(lines):
        yield [Cell("" if number else what, what), name, shape, Cell(words.size(size), size)]


def conventions(network: Network, found: Memory, cache: Cache) -> list[str]:
    """The rules that the figures follow, one a line."""
    samples = "1 sample" if found.batch == 1 else f"{found.batch:,} samples"
    lines = [
        f"With {words.inputs(network)}, {samples} at once, weights in {found.dtype}, activations in "
        f"{found.activations}. MB = 10^6 bytes.",
        "int4 packs two values into a byte, separately for each tensor.",
        "Peak activations: a tensor lives from its layer to its last reader, inputs too; a view takes no "
        "memory.",
        (
            "In place: activations, batch normalization, add and multiply overwrite inputs that are no "
            "longer needed."
        ),
        "Eager torch: nothing is in place, the input stays, and temporaries of kernels count, but not the "
        "workspaces of cuDNN and cuBLAS.",
    ]
    if found.training is None:
        lines.append(f"No figures for training: {found.reason}.")
    else:
        lines += [
            "Training: gradients are as large as the weights, and so is momentum; Adam keeps two such "
            "tensors, and a step count of 4 bytes for each tensor of weights.",
            "Saved: what torch's autograd keeps on CUDA until the backward pass, each tensor once.",
            "Step: temporaries of the optimizer; foreach is torch's default on CUDA.",
            "Peak: an upper bound on what is alive at once in a forward pass without old gradients, the "
            "backward pass and a step; it includes gradients of activations, temporaries of ops, and the "
            "inputs and outputs, which the caller holds.",
            "Not in the peak: the loss, workspaces of kernels, and what an allocator rounds up.",
        ]
    if isinstance(cache, Unknown):
        lines.append(f"No KV cache is known: {cache.reason}.")
    elif cache is not None:
        lines.append(
            "KV cache: the keys and values that causal attention reads, of every token, or of those in its "
            "window; one sequence for each sample."
        )
        if cache.latent is not None:
            lines.append(
                "Latent cache: instead of keys and values, the smallest tensors from which they can be "
                "computed token by token, and which nothing else reads."
            )
    if any(layer.training for layer in network):
        lines.append("Heads for training have weights and keep activations; at inference they do not run.")
    for why, names in grouped((network[name].op.memory_unknown, name) for name in found.unknown).items():
        layers = f"{len(names)} layer{'s keep' if len(names) > 1 else ' keeps'} ({words.few(names)})"
        lines.append(f"Lower bounds: it is not stated what {layers}{why and ': '}{why}.")
    return lines
