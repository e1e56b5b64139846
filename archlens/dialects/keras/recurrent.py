"""Layers of Keras that run step by step, and those that run another at each step: opaque, with their weights.

What a step multiplies is known: its input and its state by its kernels, at each of the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

from ...counts import AtLeast
from ...errors import shorten
from ...geometry import Window
from ...ops import OPS, Op
from ...ops.windows import slide
from ...shape import Shape
from .layers import concatenated, merged, reshaped
from .placing import LETTERS, Call, Held, Placing, layer, shaped, turned
from .saved import Entry, Inbound, entry_of

_STEPS = "it runs step by step"
_CONVOLVES = "archlens has no op for an LSTM that convolves"
_STARTED = "it starts from states that it is given or keeps"


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
    return _stepping(call, call.entry)


def _stepping(call: Call, cell: Entry) -> list[Held]:
    """A layer that runs a cell at each step: the op, or what reaches as far as the op does."""
    _, features = _sequence(call)
    op = _as_torch(cell)
    given = len(call.tensors) > 1 or call.entry.config.get("stateful") is True
    if op is not None and not given and call.entry.config.get("time_major") is not True:
        return _with_states(call, op, _read(call))
    kind = cell.kind.removesuffix("Cell").removeprefix("CuDNN")
    made = _cell(cell, features)
    base = {"op": _OPS[kind], "features": made.out[0]}
    reason = _otherwise(cell) if op is None else _STARTED
    y, *states = _run(call, _read(call), made, _op(base, "sequence"), reason)
    return [y, *states[:1], *(_kept(call, base, y, 2) if states else ())]


#: The ops of layers, and what they apply to their gates and to what becomes of the state.
_OPS = {"LSTM": "lstm", "GRU": "gru", "SimpleRNN": "rnn"}
_ACTIVATIONS = {"LSTM": ("tanh", "sigmoid"), "GRU": ("tanh", "sigmoid"), "SimpleRNN": ("tanh", None)}


def _as_torch(cell: Entry) -> dict[str, Any] | None:
    """The op that computes the same and has as many weights; ``None`` where none does.

    Torch has two biases for each gate, as here only a GRU has them.

    Args:
        cell: what runs at each step, or a layer of it.
    """
    kind = cell.kind.removesuffix("Cell")
    if kind not in _ACTIVATIONS or not cell.own:
        return None
    usual = _ACTIVATIONS[kind]
    given = cell.config.get("activation", usual[0]), cell.config.get("recurrent_activation", usual[1])
    relu = kind == "SimpleRNN" and given[0] == "relu"
    if given != usual and not relu:
        return None
    if kind == "GRU" and not cell.flag("reset_after", bool(cell.module)):
        return None
    bias: bool | str = cell.flag("use_bias", True)
    if bias and kind != "GRU":
        bias = "single"
    found: dict[str, Any] = {"op": _OPS[kind], "features": cell.whole("units"), "bias": bias}
    return found | ({"nonlinearity": "relu"} if relu else {})


def _otherwise(cell: Entry) -> str:
    """What a cell computes otherwise than the op of its name."""
    kind = cell.kind.removesuffix("Cell").removeprefix("CuDNN")
    usual = _ACTIVATIONS[kind]
    given = cell.config.get("activation", usual[0]), cell.config.get("recurrent_activation", usual[1])
    names = [shorten(one) if isinstance(one, str) else "another" for one in given if one is not None]
    if given != usual:
        theirs = " and ".join(filter(None, usual))
        return f"it applies {' and '.join(names)}, where {_OPS[kind]} applies {theirs}"
    if kind == "GRU":
        return "it resets its state before the product (reset_after=False), and gru after it"
    return _STEPS


def _op(said: Mapping[str, Any], output: str) -> Op:
    return OPS[said["op"]](**{name: value for name, value in said.items() if name != "op"}, output=output)


def _placed(call: Call, said: dict[str, Any], whole: bool, x: Held | None = None, suffix: str = "") -> Held:
    """The op, its steps or what it ends with."""
    y = call.put(_op(said, "sequence" if whole else "state"), call.last(x or call.x), suffix=suffix)
    if whole:
        return Held(y, (0, 1))
    return Held(call.put("flatten", y, suffix=f"{suffix}_flatten".lstrip("_")), (0,))


def _with_states(call: Call, said: dict[str, Any], x: Held) -> list[Held]:
    """What a layer gives, and the states that it ends with: what it gave last, and what it keeps beside."""
    whole = _gives_steps(call.entry)
    y = _placed(call, said, whole, x)
    if call.entry.config.get("return_state") is not True:
        return [y]
    last = _at(call, y, -1, "state") if whole and call.is_read(1) else y
    return [y, last, *_kept(call, said, y, 2)]


def _at(call: Call, y: Held, step: int, suffix: str) -> Held:
    """What is given at the first step or at the last."""
    part = {"stop": 1} if step == 0 else {"start": -1}
    end = call.put("slice", y.tensor, **part, axis=y.name_of(0), suffix=f"{suffix}_step")
    if len(y.shape) == 2:
        return Held(call.put("flatten", end, suffix=suffix), (0,))
    before = " ".join(LETTERS[axis] if axis else "1" for axis in y.axes)
    after = " ".join(LETTERS[axis] for axis in y.axes if axis)
    channels = "last" if y.last else "first"
    made = call.put("rearrange", end, pattern=f"{before} -> {after}", channels=channels, suffix=suffix)
    return Held(made, tuple([axis - 1 for axis in y.axes if axis]))


def _kept(call: Call, said: Mapping[str, Any], y: Held, output: int) -> list[Held]:
    """What an LSTM keeps beside what it gives, where anything reads that output."""
    if said["op"] != "lstm" or not call.is_read(output):
        return [y] if said["op"] == "lstm" else []
    reason = "archlens does not say what an LSTM keeps beside what it gives"
    base = _op(said, "state") if len(y.shape) > 1 else None
    return [call.opaque(y.shape[-1:], tensors=[y], reason=reason, suffix="cell", base=base)]


def _read(call: Call, axes: tuple[int, ...] = (0, 1), last: bool = True) -> Held:
    """The steps that a layer reads, the last one first where it goes backwards; so it gives them, too."""
    x = Held(call.placing.arranged(call.tensors[0], axes, last, call.name), axes)
    if call.entry.config.get("go_backwards") is not True:
        return x
    return Held(call.put("flip", x.tensor, axis=x.name_of(0), suffix="backwards"), axes)


def _gives_steps(entry: Entry) -> bool:
    return entry.config.get("return_sequences") is True


@layer("RNN")
def _rnn(call: Call) -> list[Held]:
    cell = _within(call, "cell")
    if cell.kind != "StackedRNNCells":
        return _stepping(call, cell)
    _, features = _sequence(call)
    listed = cell.config.get("cells")
    if not isinstance(listed, list) or not 1 <= len(listed) <= 64:
        raise cell.refuse("its cells must be a list of one to 64")
    weights: dict[str, tuple[int, ...]] = {}
    states: list[tuple[int, ...]] = []
    macs = 0
    cells = [entry_of(data, cell.at.at(f".config.cells[{i}]"), set()) for i, data in enumerate(listed)]
    known = [op for op in map(_as_torch, cells) if op is not None]
    plain = not any(call.entry.config.get(key) is True for key in ("return_state", "stateful", "time_major"))
    if len(known) == len(cells) and plain and len(call.tensors) == 1:
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
    base = _op({"op": "rnn", "features": features}, "sequence")
    return _run(call, _read(call), Cell((features,), tuple(states), weights, macs), base)


def _sequence(call: Call) -> tuple[int, int]:
    shape = call.tensors[0].shape if call.tensors else ()
    if len(shape) != 2:
        raise call.entry.refuse(f"it reads (None, steps, features), and is called with {shaped(shape)}")
    return shape[0], shape[1]


def _run(call: Call, x: Held, cell: Cell, base: Op | None, reason: str = _STEPS) -> list[Held]:
    """The outputs of a cell that runs over all steps: all of them or the last one, and its states.

    Args:
        call: of the layer.
        x: what it runs over.
        cell: what runs.
        base: the op that looks as far, if there is one.
        reason: why it is no op.
    """
    steps, whole, states = x.shape[0], _gives_steps(call.entry), call.entry.config.get("return_state") is True
    said: dict[str, Any] = {"weights": cell.weights, "macs": steps * cell.macs, "reason": reason}
    read = [x, *call.tensors[1:]]
    if base is None and not whole:
        y = last = call.opaque(cell.out, tensors=read, **said)
    else:
        y = call.opaque((steps, *cell.out), tensors=read, base=base, like=None if x.last else x, **said)
        wanted = not whole or (states and call.is_read(1))
        last = _at(call, y, -1, "state") if base is not None and wanted else y
    made = [y if whole else last]
    if states and base is not None:
        made.append(last)
    for one in cell.states[len(made) - 1 :] if states else ():
        is_read = call.is_read(len(made))
        made.append(call.opaque(one, tensors=[y], reason=reason, suffix="cell") if is_read else y)
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
    cell = Cell(out, (out, out), weights, macs)
    if n == 3:
        return _run(call, call.tensors[0], cell, None, _CONVOLVES)
    axes = (1, 0, *range(2, n + 2)) if first else turned(n + 2)
    base = _spreading(4 * filters, steps, kernel, windows, sizes, spatial)
    return _run(call, _read(call, axes, False), cell, base, _CONVOLVES)


def _spreading(
    gates: int,
    steps: int,
    kernel: Sequence[int],
    windows: Sequence[Window],
    sizes: Sequence[int],
    spatial: Sequence[int],
) -> Op:
    """The convolution to all gates that looks as far as the last step, each of which looks around again."""
    sides, wide = [(steps - 1, 0)], [steps]
    for f, window, made, size in zip(kernel, windows, sizes, spatial, strict=True):
        more = (steps - 1) * window.stride
        wide.append(window.extent + more * (f - 1))
        before = window.before + more * ((f - 1) // 2)
        sides.append((before, max((made - 1) * window.stride + wide[-1] - size - before, 0)))
    strides = (1, *(window.stride for window in windows))
    return OPS["conv"](channels=gates, kernel=tuple(wide), stride=strides, padding=tuple(sides))


class Inner(NamedTuple):
    """A layer within a layer, placed by itself."""

    shape: tuple[int, ...]
    weights: Mapping[str, tuple[int, ...]]
    buffers: Mapping[str, tuple[int, ...]]
    macs: int


def _within(call: Call, key: str) -> Entry:
    """The layer that a layer has in its configuration."""
    return entry_of(call.entry.config.get(key), call.entry.at.at(f".config.{key}"), set())


def _inner(call: Call, entry: Entry, shape: tuple[int, ...]) -> list[Inner]:
    """What comes out of a layer within a layer."""
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
    return [Inner(value.shape, weights, buffers, macs) for value in outputs]


#: Layers that treat the steps as further positions, and those that merge several tensors so.
_POINTWISE = frozenset(
    """
    Dense Activation ReLU LeakyReLU ELU
    Softmax Dropout BatchNormalization LayerNormalization Rescaling Identity
    """.split()  # noqa: SIM905
)
_MERGES = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"})

#: What takes all positions of a step together, as ops.
_GLOBAL = {"GlobalAveragePooling": "mean", "GlobalMaxPooling": "amax"}

#: Layers whose windows are those of one more axis, where they are one step long along it: by what they say
#: of each axis, that for the steps.
_WINDOWS: Mapping[str, Mapping[str, Any]] = {
    **{
        f"{one}Conv": {"kernel_size": 1, "strides": 1, "dilation_rate": 1}
        for one in ("", "Depthwise", "Separable")
    },
    **{f"{one}Pooling": {"pool_size": 1, "strides": 1} for one in ("Max", "Average")},
    "UpSampling": {"size": 1},
    "ZeroPadding": {"padding": [0, 0]},
    "Cropping": {"cropping": [0, 0]},
}


def each_step(call: Call) -> list[Held]:
    """What a layer, or each layer of a model, gives at each step."""
    entry, shape = call.entry, call.tensors[0].shape
    if entry.is_model and all(map(_takes_steps, entry.inner.entries)):
        with call.placing.at_each_step():
            return call.placing.run(call, 0)
    at_once = _at_each_step(call)
    if at_once is not None:
        return [at_once]
    inner, *_ = _inner(call, entry, shape[1:])
    macs = None if isinstance(inner.macs, AtLeast) else shape[0] * inner.macs
    return [
        call.opaque(
            (shape[0], *inner.shape), weights=inner.weights, buffers=inner.buffers, macs=macs, reason=_STEPS
        )
    ]


def _takes_steps(entry: Entry) -> bool:
    """Whether a layer of a model can stand by itself at each step: it reads one tensor, or merges several."""
    if entry.is_model:
        return all(map(_takes_steps, entry.inner.entries))
    return entry.kind in _MERGES or all(len(list(node.refs)) < 2 for node in entry.inbound)


def _at_each_step(call: Call) -> Held | None:
    """What a layer gives at each step that can be run at all of them at once; ``None`` where it cannot.

    A window over the map of a step is one over all steps that is one step long.
    """
    entry, x = call.entry, call.tensors[0]
    shape, n = x.shape, len(x.shape) - 2
    last = entry.config.get("axis", -1) in (-1, [-1], n + 1, [n + 1])
    stem, axes, end = entry.kind.rpartition(f"{n}D")
    plain = bool(axes) and not end and n in (1, 2) and not call.placing.first
    if not entry.own or entry.config.get("data_format") == "channels_first":
        return None
    if (entry.kind in _MERGES or (entry.kind in _POINTWISE and n >= 0)) and last:
        config = {**entry.config, "axis": [-1] if entry.kind == "LayerNormalization" else -1}
    elif entry.kind == "Flatten" and n:
        return reshaped(call, x, (shape[0], -1))
    elif entry.kind == "Reshape" and isinstance(entry.config.get("target_shape"), list):
        return reshaped(call, x, (shape[0], *entry.config["target_shape"]))
    elif plain and stem in _GLOBAL and entry.config.get("keepdims") is not True:
        return _over_each_step(call, _GLOBAL[stem])
    elif plain and stem in _WINDOWS and entry.config.get("padding") != "causal":
        if entry.config.get("interpolation", "nearest") != "nearest":
            return None
        config = {"strides": None, "dilation_rate": None, **entry.config}
        for key, own in _WINDOWS[stem].items():
            if config.get(key) is not None:
                pairs = isinstance(own, list)
                config[key] = [own, *(entry.sides(key, n) if pairs else entry.sizes(key, n))]
        entry = replace(entry, kind=f"{stem}{n + 1}D")
    else:
        return None
    inside = Call(
        call.placing, replace(entry, config=config), call.name, call.inbound, call.after, call.before
    )
    with call.placing.at_each_step(False):
        (made,) = call.placing.run(inside, 0)
    return made


def _over_each_step(call: Call, op: str) -> Held:
    """One value for each step and channel: the axes between are gone through."""
    rank = len(call.x.shape)
    x = Held(call.last(call.x), tuple(range(rank)))
    names = tuple([x.name_of(axis) for axis in range(1, rank - 1)])
    y = call.put(op, x.tensor, axis=names if len(names) > 1 else names[0])
    return Held(y, (0, 1))


@layer("TimeDistributed")
def _time_distributed(call: Call) -> list[Held]:
    shape = call.x.shape
    if len(shape) < 2:
        raise call.entry.refuse(f"it reads several steps, and is called with {shaped(shape)}")
    entry = _within(call, "layer")
    return each_step(Call(call.placing, entry, call.name, call.inbound, call.after, call.before))


@layer("Bidirectional")
def _bidirectional(call: Call) -> list[Held]:
    mode = call.entry.config.get("merge_mode", "concat")
    if mode not in ("concat", "sum", "mul", "ave", None):
        raise call.entry.wrong("merge_mode", '"concat", "sum", "mul", "ave" or null')
    entry = _within(call, "layer")
    is_other = isinstance(call.entry.config.get("backward_layer"), dict)
    other = _within(call, "backward_layer") if is_other else entry
    op = _both_ways(call, entry, other)
    if op is not None:
        return _merged(call, {**op, "bidirectional": True}, entry, mode)
    return _one_by_one(call, entry, other, mode)


def _one_by_one(call: Call, entry: Entry, other: Entry, mode: str | None) -> list[Held]:
    """A layer that reads forward and one that reads from the end, what the latter gives turned round."""
    if other is entry:
        other = replace(
            entry, config={**entry.config, "go_backwards": entry.config.get("go_backwards") is not True}
        )
    x, *starts = call.tensors
    half = len(starts) // 2
    with call.placing.scope(call.name, call.entry.kind):
        ways = []
        for name, one, given in (("forward", entry, starts[:half]), ("backward", other, starts[half:])):
            inside = Call(call.placing, one, name, Inbound((x, *given), {}), {}, call.before)
            ways.append(call.placing.run(inside, 0))
        ahead, back = (one[0] for one in ways)
        states = [state for one in ways for state in one[1:]]
        if len({len(one) for one in ways}) > 1:
            raise call.entry.refuse("its two layers give different numbers of outputs")
        if _gives_steps(entry):
            turned = Call(call.placing, call.entry, "turned", Inbound((back,), {}), {}, ())
            back = Held(turned.put("flip", back.tensor, axis=back.name_of(0)), back.axes)
        if mode is None:
            return [ahead, back, *states]
        merge = Call(call.placing, call.entry, "merged", Inbound((ahead, back), {}), {}, ())
        if mode == "concat":
            return [concatenated(merge, (ahead, back), -1), *states]
        return [_joined(merge, (ahead, back), mode), *states]


def _merged(call: Call, op: dict[str, Any], entry: Entry, mode: str | None) -> list[Held]:
    """What the op that reads from either end gives, merged, and the states that either way ends with."""
    whole, states = _gives_steps(entry), entry.config.get("return_state") is True
    y = _placed(call, op, whole)
    apart = {} if mode == "concat" and not states else {name: _way(call, y, name) for name in _WAYS}
    ways = [*apart.values()]
    made = [y] if mode == "concat" else ways if mode is None else [_joined(call, ways, mode, "merged")]
    for name, one in apart.items() if states else ():
        is_read = whole and call.is_read(len(made))
        last = _at(call, one, _WAYS[name], f"{name}_state") if is_read else one
        made += [last, *_kept(call, {**op, "bidirectional": False}, one, len(made) + 1)]
    return made


#: The two ways through a sequence, and the step that each ends with.
_WAYS = {"forward": -1, "backward": 0}


def _way(call: Call, y: Held, name: str) -> Held:
    """What one way gives, which stand side by side."""
    half = y.shape[-1] // 2
    part = {"stop": half} if name == "forward" else {"start": half}
    return Held(call.put("slice", y.tensor, **part, suffix=name), y.axes)


def _joined(call: Call, ways: Sequence[Held], mode: str, suffix: str = "") -> Held:
    """What the two ways give, merged value by value."""
    y = merged(call, "multiply" if mode == "mul" else "add", ways, suffix)
    return Held(call.put("scale", y.tensor, factor=0.5, suffix="mean"), y.axes) if mode == "ave" else y


def _both_ways(call: Call, entry: Entry, other: Entry) -> dict[str, Any] | None:
    """The op that reads from either end; ``None`` where there is none."""
    op = _as_torch(entry) if entry.kind in _OPS else None
    if op is None or len(call.tensors) != 1 or (other is not entry and _as_torch(other) != op):
        return None
    _sequence(call)
    turned = [one.config.get("go_backwards") is True for one in (entry, other)]
    alike = [{key: one.config.get(key) is True for key in _KEEPING} for one in (entry, other)]
    if turned != [False, other is not entry] or alike[0] != alike[1]:
        return None
    return None if alike[0]["stateful"] or alike[0]["time_major"] else op


#: What layers say of what they do with what they give.
_KEEPING = ("return_sequences", "return_state", "stateful", "time_major")


@layer("SpectralNormalization")
def _spectral(call: Call) -> Held:
    entry = _within(call, "layer")
    inner, *_ = _inner(call, entry, call.x.shape)
    if not inner.weights:
        raise call.entry.refuse("the layer in it has no kernel")
    kernel = next(iter(inner.weights.values()))
    buffers = {**inner.buffers, "vector_u": (1, kernel[0])}
    return call.opaque(
        inner.shape,
        weights=inner.weights,
        buffers=buffers,
        macs=inner.macs,
        reason="its kernel is divided by its norm",
    )
