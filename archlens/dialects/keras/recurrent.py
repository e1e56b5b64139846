"""Layers of Keras that run step by step, and those that run another at each step: opaque, with their weights.

What a step multiplies is known: its input and its state by its kernels, at each of the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

from ...counts import AtLeast
from ...ops import OPS
from ...ops.windows import slide
from ...shape import Shape
from .layers import reshaped
from .placing import Call, Held, Placing, layer, shaped, turned
from .saved import Entry, Inbound, entry_of

_STEPS = "it runs step by step"


class Cell(NamedTuple):
    """What runs at each step."""

    #: How many values come out, and what the states are.
    out: tuple[int, ...]
    states: tuple[tuple[int, ...], ...]
    weights: Mapping[str, tuple[int, ...]]
    #: Multiply-accumulates of one step.
    macs: int


#: How many kernels lie side by side, and how many states there are.
_GATES = {"LSTM": (4, 2), "GRU": (3, 1), "SimpleRNN": (1, 1)}


def _cell(entry: Entry, features: int) -> Cell:
    kind = entry.kind.removesuffix("Cell").removeprefix("CuDNN")
    if kind not in _GATES or not entry.own:
        raise entry.refuse("archlens does not know what this cell computes")
    gates, states = _GATES[kind]
    units, bias = entry.whole("units"), entry.flag("use_bias", True)
    weights: dict[str, tuple[int, ...]] = {
        "kernel": (features, gates * units),
        "recurrent_kernel": (units, gates * units),
    }
    if bias:
        twice = kind == "GRU" and entry.flag("reset_after", bool(entry.module))
        weights["bias"] = (2, gates * units) if twice else (gates * units,)
    return Cell((units,), ((units,),) * states, weights, gates * units * (features + units))


@layer("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU")
def _recurrent(call: Call) -> list[Held]:
    steps, features = _sequence(call)
    op = _as_torch(call, call.entry)
    if op is not None:
        return _with_states(call, op, _read(call))
    return _run(call, steps, _cell(call.entry, features))


#: What torch's layers apply to their gates and to what becomes of the state.
_ACTIVATIONS = {"LSTM": ("tanh", "sigmoid"), "GRU": ("tanh", "sigmoid"), "SimpleRNN": ("tanh", None)}


def _as_torch(call: Call, entry: Entry, cell: Entry | None = None) -> dict[str, Any] | None:
    """The op that computes the same and has as many weights; ``None`` where none does.

    Torch has two biases for each gate, as here only a GRU has them.

    Args:
        call: of the layer, or of what it lies in.
        entry: the layer, which says what is done with what it gives.
        cell: what it runs at each step, if not itself.
    """
    config = entry.config
    entry = replace(cell, kind=cell.kind.removesuffix("Cell")) if cell is not None else entry
    if entry.kind not in _ACTIVATIONS or not entry.own or len(call.tensors) != 1:
        return None
    usual = _ACTIVATIONS[entry.kind]
    given = entry.config.get("activation", usual[0]), entry.config.get("recurrent_activation", usual[1])
    relu = entry.kind == "SimpleRNN" and given[0] == "relu"
    if any(config.get(key) is True for key in ("stateful", "time_major")):
        return None
    bias: bool | str = entry.flag("use_bias", True)
    if given != usual and not relu:
        return None
    if entry.kind == "GRU" and not entry.flag("reset_after", bool(entry.module)):
        return None
    if bias and entry.kind != "GRU":
        bias = "single"
    kind = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}[entry.kind]
    found: dict[str, Any] = {"op": kind, "features": entry.whole("units"), "bias": bias}
    return found | ({"nonlinearity": "relu"} if relu else {})


def _placed(call: Call, said: dict[str, Any], whole: bool, x: Held | None = None, suffix: str = "") -> Held:
    """The op, its steps or what it ends with."""
    given = {name: value for name, value in said.items() if name != "op"}
    op = OPS[said["op"]](**given, output="sequence" if whole else "state")
    y = call.put(op, call.last(x or call.x), suffix=suffix)
    if whole:
        return Held(y, (0, 1))
    return Held(call.put("flatten", y, suffix=f"{suffix}_flatten".lstrip("_")), (0,))


def _with_states(call: Call, said: dict[str, Any], x: Held) -> list[Held]:
    """What a layer gives, and the states that it ends with: what it gave last, and what it keeps beside."""
    whole = _gives_steps(call.entry)
    y = _placed(call, said, whole, x)
    if call.entry.config.get("return_state") is not True:
        return [y]
    last = y
    if whole:
        end = call.put("slice", y.tensor, start=-1, axis="length", suffix="last")
        last = Held(call.put("flatten", end, suffix="state"), (0,))
    if said["op"] != "lstm":
        return [y, last]
    reason = "archlens does not say what an LSTM keeps beside what it gives"
    return [y, last, call.opaque(last.shape, tensors=[y], reason=reason, suffix="cell")]


def _read(call: Call) -> Held:
    """The steps that a layer reads, the last one first where it goes backwards; so it gives them, too."""
    if call.entry.config.get("go_backwards") is not True:
        return call.x
    return Held(call.put("flip", call.last(call.x), axis="length", suffix="backwards"), (0, 1))


def _gives_steps(entry: Entry) -> bool:
    return entry.config.get("return_sequences") is True


@layer("RNN")
def _rnn(call: Call) -> list[Held]:
    steps, features = _sequence(call)
    cell = entry_of(call.entry.config.get("cell"), call.entry.at.at(".config.cell"), set())
    if cell.kind != "StackedRNNCells":
        op = _as_torch(call, call.entry, cell)
        if op is not None:
            return _with_states(call, op, _read(call))
        return _run(call, steps, _cell(cell, features))
    listed = cell.config.get("cells")
    if not isinstance(listed, list) or not 1 <= len(listed) <= 64:
        raise cell.refuse("its cells must be a list of one to 64")
    weights: dict[str, tuple[int, ...]] = {}
    states: list[tuple[int, ...]] = []
    macs = 0
    cells = [entry_of(data, cell.at.at(f".config.cells[{i}]"), set()) for i, data in enumerate(listed)]
    ops = [_as_torch(call, call.entry, one) for one in cells]
    known = [op for op in ops if op is not None]
    if len(known) == len(cells) and call.entry.config.get("return_state") is not True:
        x = _read(call)
        for number, op in enumerate(known):
            last = number == len(known) - 1
            x = _placed(call, op, not last or _gives_steps(call.entry), x, f"{number}")
        return [x]
    for number, inner in enumerate(cells):
        one = _cell(inner, features)
        (features,) = one.out
        weights |= {f"{number}.{name}": shape for name, shape in one.weights.items()}
        states += one.states
        macs += one.macs
    return _run(call, steps, Cell((features,), tuple(states), weights, macs))


def _sequence(call: Call) -> tuple[int, int]:
    shape = call.tensors[0].shape if call.tensors else ()
    if len(shape) != 2:
        raise call.entry.refuse(f"it reads (None, steps, features), and is called with {shaped(shape)}")
    return shape[0], shape[1]


def _run(call: Call, steps: int, cell: Cell) -> list[Held]:
    """The outputs of a cell that runs so many steps: all of them or the last one, and its states."""
    shape = (steps, *cell.out) if call.entry.config.get("return_sequences") is True else cell.out
    made = [call.opaque(shape, weights=cell.weights, macs=steps * cell.macs, reason=_STEPS)]
    if call.entry.config.get("return_state") is True:
        made += [call.opaque(one, reason=_STEPS, suffix="state") for one in cell.states]
    return made


@layer("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
def _conv_lstm(call: Call) -> list[Held]:
    entry, n = call.entry, int(call.entry.kind[8])
    x = call.tensors[0].shape if call.tensors else ()
    if len(x) != n + 2:
        raise entry.refuse(f"it reads steps of maps of {n} spatial axes, and is called with {shaped(x)}")
    first = call.channels_first
    steps, channels = x[0], x[1] if first else x[-1]
    filters, kernel = entry.whole("filters"), entry.sizes("kernel_size", n)
    stride, dilation = entry.sizes("strides", n, 1), entry.sizes("dilation_rate", n, 1)
    padding = entry.word("padding", "valid", "valid", "same")
    spatial = x[2:] if first else x[1:-1]
    windows = slide(Shape((channels, *spatial)), kernel, stride, padding, dilation)
    sizes = [window.output(size) for window, size in zip(windows, spatial, strict=True)]
    out = (filters, *sizes) if first else (*sizes, filters)
    weights: dict[str, tuple[int, ...]] = {
        "kernel": (*kernel, channels, 4 * filters),
        "recurrent_kernel": (*kernel, filters, 4 * filters),
    }
    if entry.flag("use_bias", True):
        weights["bias"] = (4 * filters,)
    macs = prod(sizes) * prod(kernel) * (channels + filters) * 4 * filters
    return _run(call, steps, Cell(out, (out, out), weights, macs))


class Inner(NamedTuple):
    """A layer within a layer, placed by itself."""

    shape: tuple[int, ...]
    weights: Mapping[str, tuple[int, ...]]
    buffers: Mapping[str, tuple[int, ...]]
    macs: int


def _inner(call: Call, key: str, shape: tuple[int, ...]) -> tuple[Entry, list[Inner]]:
    """The layer within a layer, and what comes out of it."""
    entry = entry_of(call.entry.config.get(key), call.entry.at.at(f".config.{key}"), set())
    placing = Placing("inner", call.placing.first, call.placing.run)
    placing.steps = call.placing.steps
    axes = tuple(range(len(shape))) if placing.first else turned(len(shape))
    x = placing.map_of(placing.builder.input(Shape([shape[axis] for axis in axes])))
    inside = Call(placing, entry, "layer", Inbound((x,), {}), {}, (None, entry.built))
    outputs = placing.run(inside, 0)
    call.placing.steps = placing.steps
    weights: dict[str, tuple[int, ...]] = {}
    buffers: dict[str, tuple[int, ...]] = {}
    for one in placing.builder.layers:
        weights |= {one.key(name).removeprefix("layer."): size for name, size in one.facts.weights.items()}
        buffers |= {one.key(name).removeprefix("layer."): b.shape for name, b in one.facts.buffers.items()}
    macs = sum(one.facts.macs for one in placing.builder.layers)
    return entry, [Inner(value.shape, weights, buffers, macs) for value in outputs]


#: Layers that treat the steps as further positions.
_POINTWISE = frozenset(
    """
    Dense Activation ReLU LeakyReLU ELU
    Softmax Dropout BatchNormalization LayerNormalization Rescaling Identity
    """.split()  # noqa: SIM905
)


def _at_each_step(call: Call, entry: Entry) -> Held | None:
    """What a layer gives at each step that can be run at all of them at once; ``None`` where it cannot.

    A window over the map of a step is one over all steps that is one step long.
    """
    shape = call.x.shape
    n = len(shape) - 2
    last = entry.config.get("axis", -1) in (-1, [-1], [n + 1])
    stem, axes, end = entry.kind.rpartition(f"{n}D")
    if not entry.own:
        return None
    if entry.kind in _POINTWISE and n >= 0 and last:
        config = {**entry.config, "axis": [-1] if entry.kind == "LayerNormalization" else -1}
    elif entry.kind == "Flatten" and n:
        return reshaped(call, call.x, (shape[0], -1))
    elif axes and not end and stem in _GLOBAL and n in (1, 2) and entry.config.get("keepdims") is not True:
        return _over_each_step(call, _GLOBAL[stem])
    elif axes and not end and stem in _WINDOWS and n in (1, 2) and not call.placing.first:
        config = dict(entry.config)
        for key in ("kernel_size", "pool_size", "strides", "dilation_rate"):
            if config.get(key) is not None:
                config[key] = [1, *entry.sizes(key, n)]
        entry = replace(entry, kind=f"{stem}{n + 1}D")
    else:
        return None
    inside = Call(
        call.placing, replace(entry, config=config), call.name, call.inbound, call.after, call.before
    )
    (made,) = call.placing.run(inside, 0)
    return made


#: What takes all positions of a step together, as ops.
_GLOBAL = {"GlobalAveragePooling": "mean", "GlobalMaxPooling": "amax"}


def _over_each_step(call: Call, op: str) -> Held:
    """One value for each step and channel: the axes between are gone through."""
    rank = len(call.x.shape)
    x = Held(call.last(call.x), tuple(range(rank)))
    names = tuple([x.name_of(axis) for axis in range(1, rank - 1)])
    y = call.put(op, x.tensor, axis=names if len(names) > 1 else names[0])
    return Held(y, (0, 1))


#: Layers whose windows are those of one more axis, where they are one step long along it.
_WINDOWS = frozenset({"Conv", "MaxPooling", "AveragePooling"})


@layer("TimeDistributed")
def _time_distributed(call: Call) -> Held:
    shape = call.x.shape
    if len(shape) < 2:
        raise call.entry.refuse(f"it reads several steps, and is called with {shaped(shape)}")
    entry = entry_of(call.entry.config.get("layer"), call.entry.at.at(".config.layer"), set())
    at_once = _at_each_step(call, entry)
    if at_once is not None:
        return at_once
    _, (inner, *_) = _inner(call, "layer", shape[1:])
    macs = inner.macs
    known = None if isinstance(macs, AtLeast) else shape[0] * macs
    return call.opaque(
        (shape[0], *inner.shape), weights=inner.weights, buffers=inner.buffers, macs=known, reason=_STEPS
    )


@layer("Bidirectional")
def _bidirectional(call: Call) -> list[Held]:
    shape = call.tensors[0].shape if call.tensors else ()
    mode = call.entry.config.get("merge_mode", "concat")
    if mode not in ("concat", "sum", "mul", "ave", None):
        raise call.entry.wrong("merge_mode", '"concat", "sum", "mul", "ave" or null')
    both = None if mode is None else _both_ways(call)
    if both is not None:
        op, entry = both
        y = _placed(call, {**op, "bidirectional": True}, _gives_steps(entry))
        return [y if mode == "concat" else _joined(call, y, mode)]
    _, one = _inner(call, "layer", shape)
    back = "backward_layer" if isinstance(call.entry.config.get("backward_layer"), dict) else "layer"
    _, other = _inner(call, back, shape)
    if len(one) != len(other):
        raise call.entry.refuse("its two layers give different numbers of outputs")
    weights = {f"forward.{name}": size for name, size in one[0].weights.items()}
    weights |= {f"backward.{name}": size for name, size in other[0].weights.items()}
    out = one[0].shape
    macs = one[0].macs + other[0].macs
    if mode is not None and (out[:-1] != other[0].shape[:-1] or (mode != "concat" and out != other[0].shape)):
        raise call.entry.refuse(f"it merges {shaped(out)} and {shaped(other[0].shape)}")
    if mode == "concat":
        out = (*out[:-1], out[-1] + other[0].shape[-1])
    made = [call.opaque(out, weights=weights, macs=_known(macs), reason=_STEPS)]
    rest = [inner.shape for both in (one, other) for inner in both[1:]]
    if mode is None:
        rest = [other[0].shape, *rest]
    return made + [call.opaque(size, reason=_STEPS, suffix="output") for size in rest]


def _joined(call: Call, y: Held, mode: str) -> Held:
    """What the two ways give, which stands side by side, merged value by value."""
    half = y.shape[-1] // 2
    ways = [
        call.put("slice", y.tensor, **part, suffix=name)
        for name, part in (("forward", {"stop": half}), ("backward", {"start": half}))
    ]
    z = call.put("multiply" if mode == "mul" else "add", *ways, suffix="merged")
    return Held(call.put("scale", z, factor=0.5, suffix="mean") if mode == "ave" else z, y.axes)


def _both_ways(call: Call) -> tuple[dict[str, Any], Entry] | None:
    """The op that reads from either end, and the layer that says so; ``None`` where there is none."""
    entry = entry_of(call.entry.config.get("layer"), call.entry.at.at(".config.layer"), set())
    back = call.entry.config.get("backward_layer")
    if isinstance(back, dict):
        other = entry_of(back, call.entry.at.at(".config.backward_layer"), set())
        turned = replace(other, config={**other.config, "go_backwards": False})
        same = _as_torch(call, turned) == _as_torch(call, entry)
        kept = [one.config.get("return_sequences") is True for one in (entry, other)]
        if other.config.get("go_backwards") is not True or not same or kept[0] != kept[1]:
            return None
    _sequence(call)
    plain = not any(entry.config.get(key) is True for key in ("go_backwards", "return_state"))
    op = _as_torch(call, entry) if plain else None
    return (op, entry) if op is not None else None


def _known(macs: int) -> int | None:
    return None if isinstance(macs, AtLeast) else macs


@layer("SpectralNormalization")
def _spectral(call: Call) -> Held:
    _, (inner, *_) = _inner(call, "layer", call.x.shape)
    if not inner.weights:
        raise call.entry.refuse("the layer in it has no kernel")
    kernel = next(iter(inner.weights.values()))
    buffers = {**inner.buffers, "vector_u": (1, kernel[0])}
    return call.opaque(
        inner.shape,
        weights=inner.weights,
        buffers=buffers,
        macs=None,
        reason="its kernel is divided by its norm",
    )
