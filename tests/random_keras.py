"""Holds what is read of random models of Keras against Keras, in an environment that has it.

``KERAS_BACKEND=torch python tests/random_keras.py 0 1000`` makes the models of the seeds 0 to 999: chains and
graphs with branches, models within models, layers that are called twice. Of each it compares the parameters,
those that are not trained, the output shapes and weights of every layer, and the multiply-accumulates that
torch's counter sees while Keras runs. Where every layer is an op it computes both, and writes a spec: each
weight is one number in all of its places, so that it does not matter how they lie.
"""

from __future__ import annotations

import contextlib
import random
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import keras  # type: ignore[import-not-found]
import keras_survey as survey
import torch
from keras import layers as L  # noqa: N812
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archlens
from archlens.dialects import formats

Draw = random.Random

#: The numbers that weights are filled with, by their names in Keras; others are kernels.
NUMBERS = {
    "bias": 0.02,
    "gamma": 1.1,
    "scale": 1.1,
    "beta": 0.03,
    "moving_mean": 0.01,
    "moving_variance": 1.2,
    "mean": 0.1,
    "variance": 2.0,
    "alpha": 0.2,
}
KERNEL = 0.05


def maybe(draw: Draw, **options: Any) -> dict[str, Any]:
    """Some of the options, each with one of its values."""
    return {name: draw.choice(values) for name, values in options.items() if draw.random() < 0.5}


ACTIVATIONS = [
    None,
    "relu",
    "relu6",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "sigmoid",
    "tanh",
    "softplus",
    "softsign",
    "hard_sigmoid",
    "hard_silu",
    "softmax",
    "log_softmax",
    "leaky_relu",
    "exponential",
    "celu",
    "log_sigmoid",
    "hard_tanh",
    "squareplus",
    "tanh_shrink",
]


def window(draw: Draw, n: int, first: bool) -> dict[str, Any]:
    size = [draw.randint(1, 4) for _ in range(n)]
    said: dict[str, Any] = {
        "kernel_size": size if draw.random() < 0.5 else size[0],
        "padding": draw.choice(["same", "valid"]),
    }
    if draw.random() < 0.4:
        said["strides"] = draw.choice([2, 3])
    elif draw.random() < 0.3:
        said["dilation_rate"] = 2
    if draw.random() < 0.4:
        said["activation"] = draw.choice(ACTIVATIONS)
    if draw.random() < 0.3:
        said["use_bias"] = False
    return said | ({"data_format": "channels_first"} if first else {})


def on_maps(draw: Draw, n: int, first: bool, channels: int) -> Any:
    """A layer that reads a map of ``n`` spatial axes."""
    form = {"data_format": "channels_first"} if first else {}
    axis = 1 if first else -1
    said = window(draw, n, first)
    width = draw.choice([2, 4, 6])

    def conv() -> Any:
        groups = draw.choice([g for g in (1, 1, 2, 3) if channels % g == 0 and width % g == 0])
        more = {"padding": "causal"} if n == 1 and not first and draw.random() < 0.2 else {}
        return getattr(L, f"Conv{n}D")(width, groups=groups, **{**said, **more})

    def transposed() -> Any:
        one = {k: v for k, v in said.items() if k != "dilation_rate"}
        strides = one.get("strides", 1)
        if strides > 1 and draw.random() < 0.3:
            one["output_padding"] = draw.randint(0, strides - 1)
        return getattr(L, f"Conv{n}DTranspose")(width, **one)

    def depthwise() -> Any:
        if n > 2:
            return conv()
        return getattr(L, f"DepthwiseConv{n}D")(depth_multiplier=draw.randint(1, 2), **square(said))

    def separable() -> Any:
        if n > 2:
            return conv()
        return getattr(L, f"SeparableConv{n}D")(width, depth_multiplier=draw.randint(1, 2), **square(said))

    def square(given: dict[str, Any]) -> dict[str, Any]:
        return {k: v[0] if isinstance(v, list) else v for k, v in given.items()}

    def pool() -> Any:
        kind = draw.choice(["Max", "Average"])
        given = maybe(draw, pool_size=[2, 3], strides=[1, 2, 3], padding=["same", "valid"])
        return getattr(L, f"{kind}Pooling{n}D")(**given, **form)

    def norm() -> Any:
        return draw.choice(
            [
                lambda: L.BatchNormalization(
                    axis=axis, **maybe(draw, scale=[False], center=[False], momentum=[0.9])
                ),
                lambda: L.LayerNormalization(
                    **maybe(draw, center=[False], scale=[False], axis=[-1, [1, 2], [-1]])
                ),
                lambda: L.GroupNormalization(groups=draw.choice([1, channels, -1]), axis=axis),
                lambda: L.RMSNormalization(),
                lambda: L.UnitNormalization(**maybe(draw, axis=[-1, 1])),
                lambda: L.Normalization(
                    **maybe(draw, axis=[-1, None]),
                    **(
                        {"mean": draw.choice([0.5, 2]), "variance": draw.choice([4, 0.25])}
                        if draw.random() < 0.4
                        else {}
                    ),
                ),
                lambda: L.Rescaling(draw.choice([0.5, 2, 1 / 255]), **maybe(draw, offset=[-1, 0, 0.5])),
            ]
        )()

    def shaped() -> Any:
        return draw.choice(
            [
                lambda: getattr(L, f"ZeroPadding{n}D")(
                    draw.choice([1, 2, [(1, 2)] * n if n > 1 else (0, 2)]), **form
                ),
                lambda: getattr(L, f"UpSampling{n}D")(2, **form),
                lambda: getattr(L, f"Cropping{n}D")(
                    draw.choice([0, 1, [(1, 0)] * n if n > 1 else (0, 1)]), **form
                ),
                lambda: L.Permute(draw.sample(range(1, n + 2), n + 1)),
                lambda: getattr(L, f"SpatialDropout{n}D")(0.2, **({} if n == 1 else form)),
                lambda: L.PReLU(**maybe(draw, shared_axes=[list(range(1, n + 1)), [1]])),
                lambda: L.SpectralNormalization(getattr(L, f"Conv{n}D")(width, 2, padding="same", **form)),
                lambda: (
                    L.Resizing(
                        draw.randint(2, 9),
                        draw.randint(2, 9),
                        **form,
                        **maybe(draw, interpolation=["nearest", "bilinear"]),
                    )
                    if n == 2
                    else L.Dropout(0.2)
                ),
                lambda: (
                    L.CenterCrop(draw.randint(1, 3), draw.randint(1, 3), **form) if n == 2 else L.Dropout(0.2)
                ),
                lambda: getattr(L, f"Adaptive{draw.choice(['Max', 'Average'])}Pooling{n}D")(
                    draw.randint(1, 3), **form
                ),
            ]
        )()

    def ends() -> Any:
        return draw.choice(
            [
                lambda: L.Flatten(**form),
                lambda: getattr(L, f"Global{draw.choice(['Max', 'Average'])}Pooling{n}D")(
                    **form, **maybe(draw, keepdims=[True])
                ),
                lambda: L.Reshape((-1, draw.choice([1, channels]))),
                lambda: L.Reshape((-1,)),
            ]
        )()

    kinds: list[Callable[[], Any]] = [
        conv,
        conv,
        transposed,
        depthwise,
        separable,
        pool,
        norm,
        norm,
        shaped,
        shaped,
        ends,
    ]
    return draw.choice([*kinds, lambda: anywhere(draw)])()


def anywhere(draw: Draw) -> Any:
    """A layer that reads whatever there is."""
    return draw.choice(
        [
            lambda: L.Activation(draw.choice([a for a in ACTIVATIONS if a])),
            lambda: L.ReLU(**maybe(draw, max_value=[6, 1.5], negative_slope=[0.1], threshold=[0.5])),
            lambda: L.LeakyReLU(**maybe(draw, negative_slope=[0.2])),
            lambda: L.ELU(**maybe(draw, alpha=[0.5])),
            lambda: L.Softmax(**maybe(draw, axis=[-1, 1])),
            lambda: L.PReLU(),
            lambda: L.Dropout(0.3),
            lambda: L.GaussianNoise(0.1),
            lambda: L.GaussianDropout(0.1),
            lambda: L.AlphaDropout(0.1),
            lambda: L.ActivityRegularization(0.1),
            lambda: L.Identity(),
            lambda: L.Dense(
                draw.choice([3, 4, 6]), activation=draw.choice(ACTIVATIONS), use_bias=draw.random() < 0.8
            ),
        ]
    )()


def recurrent(draw: Draw) -> Any:
    units = draw.choice([2, 4])
    kind = draw.choice(["LSTM", "GRU", "SimpleRNN"])
    given = maybe(
        draw, return_sequences=[True], use_bias=[False], go_backwards=[True, False, False], dropout=[0.1]
    )
    given |= maybe(draw, **({"reset_after": [True, False]} if kind == "GRU" else {}))
    given |= {} if draw.random() < 0.8 else {"activation": draw.choice(["relu", "sigmoid"])}
    return getattr(L, kind)(units, unroll=True, **given)


def cell(draw: Draw) -> Any:
    return draw.choice([L.LSTMCell, L.GRUCell, L.SimpleRNNCell])(
        draw.choice([2, 4]), use_bias=draw.random() < 0.7
    )


def on_steps(draw: Draw, features: int) -> Any:
    """A layer that reads a sequence."""
    wide = draw.choice([3, 4])
    return draw.choice(
        [
            lambda: recurrent(draw),
            lambda: recurrent(draw),
            lambda: L.Bidirectional(
                getattr(L, draw.choice(["LSTM", "GRU"]))(
                    4, unroll=True, return_sequences=draw.random() < 0.5
                ),
                merge_mode=draw.choice(["concat", "concat", "sum", "mul", "ave"]),
            ),
            lambda: L.RNN(cell(draw), unroll=True, return_sequences=draw.random() < 0.5),
            lambda: L.RNN(
                [cell(draw) for _ in range(draw.randint(2, 3))],
                unroll=True,
                return_sequences=draw.random() < 0.5,
            ),
            lambda: L.TimeDistributed(L.Dense(3, activation="relu")),
            lambda: L.EinsumDense(
                "abc,cd->abd", output_shape=(None, wide), bias_axes=draw.choice([None, "d"])
            ),
            # torch multiplies by 1 uncounted
            lambda: (
                L.EinsumDense("abc,bcd->ad", output_shape=wide, bias_axes=draw.choice([None, "d"]))
                if features > 1
                else L.Dense(wide)
            ),
            lambda: (
                L.EinsumDense("abc,dc->abd", output_shape=(None, wide)) if features > 1 else L.Dense(wide)
            ),
            lambda: L.EinsumDense(
                "abc,cde->abde", output_shape=(None, 2, wide), bias_axes=draw.choice([None, "de", "e"])
            ),
            lambda: L.EinsumDense(
                "abc,cd->adb", output_shape=(wide, None), bias_axes=draw.choice([None, "d", "db"])
            ),
            lambda: L.Bidirectional(
                L.GRU(wide, reset_after=False, unroll=True, return_sequences=draw.random() < 0.5),
                merge_mode=draw.choice(["concat", "sum", "mul", "ave"]),
            ),
            lambda: on_maps(draw, 1, False, features),
        ]
    )()


def at_each_step(draw: Draw, shape: tuple[int, ...]) -> Any:
    """A chain of layers on the map of each step, or a single one."""
    x = y = keras.Input(shape)
    for _ in range(draw.randint(1, 4)):
        more = on_maps(draw, 2, False, y.shape[-1])
        with contextlib.suppress(ValueError):
            y = more(y)
    if y is not x and draw.random() < 0.5 and len(y.shape) == 4:
        y = L.GlobalAveragePooling2D()(y)
    return L.TimeDistributed(L.Flatten() if y is x else keras.Model(x, y))


def on_vector(draw: Draw, features: int) -> Any:
    return draw.choice(
        [
            lambda: L.Dense(draw.choice([4, 6, 12]), activation=draw.choice(ACTIVATIONS)),
            lambda: L.BatchNormalization(**maybe(draw, scale=[False])),
            lambda: L.LayerNormalization(),
            lambda: L.UnitNormalization(),
            lambda: L.Normalization(),
            lambda: L.RepeatVector(draw.randint(1, 4)),
            lambda: L.Reshape(
                draw.choice(
                    [
                        (features, 1),
                        (1, features),
                        (1, 1, features),
                        (-1, 2) if features % 2 == 0 else (features, 1),
                    ]
                )
            ),
            lambda: anywhere(draw),
        ]
    )()


def on_more(draw: Draw, rank: int) -> Any:
    """A layer that reads four axes before its last one."""
    return draw.choice(
        [
            lambda: anywhere(draw),
            lambda: L.BatchNormalization(),
            lambda: L.Permute(draw.sample(range(1, rank + 1), rank)),
            lambda: L.Flatten(),
        ]
    )()


def layer(draw: Draw, x: Any, first: bool) -> Any:
    """A layer that can read a tensor of that shape, perhaps."""
    shape = x.shape[1:]
    n = len(shape) - 1
    if n == 0:
        return on_vector(draw, shape[0])
    if n == 1 and not first and draw.random() < 0.7:
        return on_steps(draw, shape[-1])
    if n == 3 and not first and draw.random() < 0.3:
        return draw.choice(
            [
                lambda: L.TimeDistributed(
                    L.Conv2D(3, 2, padding=draw.choice(["same", "valid"]), activation="relu")
                ),
                lambda: L.TimeDistributed(L.Flatten()),
                lambda: at_each_step(draw, shape[1:]),
                lambda: L.TimeDistributed(L.MaxPooling2D(2, padding="same")),
                lambda: L.TimeDistributed(L.GlobalAveragePooling2D()),
                lambda: L.ConvLSTM2D(2, 2, padding="same", return_sequences=draw.random() < 0.5),
                lambda: L.TimeDistributed(L.BatchNormalization()),
            ]
        )()
    return on_maps(draw, n, first, shape[0] if first else shape[-1]) if n <= 3 else on_more(draw, n + 1)


def merged(draw: Draw, x: Any, y: Any) -> Any:
    """Two tensors together, in some way that fits."""
    ways: list[Any] = []
    if x.shape[1:] == y.shape[1:]:
        ways += [L.Add(), L.Subtract(), L.Multiply(), L.Average(), L.Maximum(), L.Minimum()]
    rank = len(x.shape)
    if rank == len(y.shape):
        ways += [
            L.Concatenate(axis=axis)
            for axis in range(1, rank)
            if all(a == b for i, (a, b) in enumerate(zip(x.shape, y.shape, strict=True)) if i != axis)
        ]
    ways += [
        L.Dot(axes=(a, b), normalize=draw.random() < 0.3)
        for a in range(1, rank)
        for b in range(1, len(y.shape))
        if x.shape[a] == y.shape[b] and rank + len(y.shape) <= 6
    ]
    if rank == len(y.shape) == 3 and x.shape[2] == y.shape[2]:
        ways += [
            L.Attention(),
            L.Attention(use_scale=True),
            L.AdditiveAttention(),
            L.Attention(score_mode="concat"),
        ]
    if rank == len(y.shape) == 3 and 1 not in (x.shape[2], y.shape[2]):  # torch multiplies by 1 uncounted
        mha = L.MultiHeadAttention(2, 3, **maybe(draw, value_dim=[4], use_bias=[False], output_shape=[5]))
        gqa = L.GroupQueryAttention(4, 2, 1, **maybe(draw, use_bias=[False]))
        return draw.choice([mha, gqa])(x, y) if draw.random() < 0.5 or not ways else draw.choice(ways)([x, y])
    if rank == len(y.shape) == 4 and x.shape[1:] == y.shape[1:] and 1 not in x.shape and draw.random() < 0.3:
        axes = draw.choice([None, 1, 2, (1, 2), (2, 1)])
        return L.MultiHeadAttention(2, 3, attention_axes=axes)(x, y)
    return draw.choice(ways)([x, y]) if ways else None


def operated(draw: Draw, x: Any) -> Any:
    """An operation of ``keras.ops``, or of Python."""
    rank = len(x.shape)
    axis = draw.randint(1, rank - 1)
    some = draw.sample(range(1, rank), draw.randint(1, rank - 1))
    ops = keras.ops
    return draw.choice(
        [
            lambda: x + 1.5,
            lambda: 2 - x,
            lambda: x * 3,
            lambda: x / 4,
            lambda: -x,
            lambda: ops.square(x),
            lambda: ops.abs(x),
            lambda: ops.maximum(x, 0.1),
            lambda: ops.clip(x, -1, 1),
            lambda: ops.exp(x * 0.1),
            lambda: x - x * 2,
            lambda: ops.sin(x),
            lambda: ops.mean(x, axis=axis, keepdims=True),
            lambda: (
                ops.mean(x, axis=some, keepdims=draw.random() < 0.5)
                if rank > 2 and len(some) < rank - 1
                else x + 1
            ),
            lambda: ops.max(x, axis=axis, keepdims=draw.random() < 0.5) if rank > 2 else x * 2,
            lambda: ops.sum(x, axis=axis, keepdims=True),
            lambda: ops.expand_dims(x, axis) if rank < 5 else x + 1,
            lambda: ops.transpose(x, [0, *draw.sample(range(1, rank), rank - 1)]),
            lambda: ops.concatenate([x, x * 2], axis=axis),
            lambda: ops.softmax(x, axis=axis),
            lambda: ops.reshape(x, (-1, *x.shape[:0:-1])),
            lambda: (
                ops.matmul(x, ops.transpose(x, [*range(rank - 2), rank - 1, rank - 2])) if rank > 2 else x * 2
            ),
            lambda: ops.relu(x),
            lambda: ops.gelu(x),
            lambda: ops.split(x, 1, axis=axis)[0],
        ]
    )()


def start(draw: Draw) -> tuple[Any, bool]:
    """An input, and whether its channels come first."""
    n = draw.choice([0, 1, 1, 2, 2, 2, 2, 3])
    first = n > 0 and draw.random() < 0.15
    spatial = [draw.randint(3, 9) for _ in range(n)]
    channels = draw.choice([1, 2, 3, 4, 6])
    if n == 0:
        return keras.Input((draw.randint(1, 12),)), False
    return keras.Input((channels, *spatial) if first else (*spatial, channels)), first


def grown(draw: Draw, x: Any, first: bool, steps: int, deep: int = 0) -> Any:
    """What comes of a tensor through layers, branches and models."""
    before = [x]
    shared: list[tuple[Any, Any]] = []
    for _ in range(steps):
        if x.shape[0] is not None or any(n is None or n < 1 for n in x.shape[1:]):
            break
        try:
            chance = draw.random()
            if chance < 0.12 and len(before) > 1:
                y = merged(draw, x, draw.choice(before[-4:]))
            elif chance < 0.18:
                y = operated(draw, x)
            elif chance < 0.23 and deep < 2:
                inside = keras.Input(x.shape[1:])
                model = keras.Model(inside, grown(draw, inside, first, 3, deep + 1))
                y = model(x)
                if draw.random() < 0.5:
                    shared.append((model, x.shape))
            elif chance < 0.28 and deep < 2:
                model = keras.Sequential([keras.Input(x.shape[1:]), layer(draw, x, first)])
                y = model(x)
            elif chance < 0.35 and shared:
                same = [one for one, shape in shared if shape == x.shape]
                y = draw.choice(same)(x) if same else None
            else:
                made = layer(draw, x, first)
                y = made(x)
                if draw.random() < 0.3 and not isinstance(y, list | tuple):
                    shared.append((made, x.shape))
        except (
            ValueError,
            TypeError,
            RuntimeError,
            AttributeError,
            NotImplementedError,
            IndexError,
            AssertionError,
        ):
            continue
        if y is None or isinstance(y, list | tuple):
            continue
        size = 1
        for n in y.shape[1:]:
            size *= n or 10**9
        if len(y.shape) < 2 or len(y.shape) > 6 or size > 50_000:
            continue
        x = y
        before.append(x)
    return x


def model_of(seed: int) -> Any:
    draw = random.Random(seed)
    keras.backend.clear_session()
    torch.manual_seed(seed)
    x, first = start(draw)
    y = grown(draw, x, first, draw.randint(2, 12))
    return None if y is x else keras.Model(x, y)


def fill(model: Any) -> None:
    for variable in model.variables:
        name = variable.path.rpartition("/")[2]
        if name in ("seed_generator_state", "count"):
            continue
        if "int" in str(variable.dtype):
            continue
        variable.assign(torch.full(tuple(variable.shape), NUMBERS.get(name, KERNEL)))


def fill_built(network: Any, built: torch.nn.Module) -> None:
    kinds = {
        key: layer.op
        for layer in network.layers
        for key in (layer.key(n) for n in (*layer.facts.weights, *layer.facts.buffers))
    }
    state = built.state_dict()
    for key, tensor in state.items():
        op = kinds[key]
        name = key.rpartition(".")[2]
        scaled = op.family == "normalization"
        number = KERNEL
        if name.startswith("bias") or name == "in_proj_bias":
            number = NUMBERS["beta" if scaled else "bias"]
        elif op.kind == "standardize":
            number = NUMBERS.get(name, 0)
        elif name == "running_mean":
            number = NUMBERS["moving_mean"]
        elif name == "running_var":
            number = NUMBERS["moving_variance"]
        elif scaled:
            number = NUMBERS["gamma"]
        elif op.kind == "prelu":
            number = NUMBERS["alpha"]
        if tensor.is_floating_point():
            tensor.fill_(number)


def differences(model: Any, folder: str, told: Counter[str]) -> Iterator[str]:
    path, text = Path(folder, "model.json"), model.to_json()
    path.write_text(text)
    survey.called.clear()
    found = formats.file(str(path))
    assert found is not None
    network = found.network(None, {})
    layers = list(network)
    yield from survey.weights_and_shapes(model, network)
    fill(model)
    x = torch.rand(1, *model.input_shape[1:])
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            expected = model(x, training=False)
    except (RuntimeError, ValueError):  # Keras makes models that it cannot run
        told["not run by Keras"] += 1
        return
    macs = counter.get_total_flops() // 2
    unknown = [layer for layer in layers if str(layer.macs) == "unknown"]
    once_more = any(kind in text for kind in ('"ConvLSTM', '"StackedRNNCells"'))  # Keras runs a step twice
    if not unknown and not once_more and network.macs != macs:
        each = ", ".join(f"{layer.name} {layer.op} {layer.macs:,}" for layer in layers if layer.macs)
        yield f"{network.macs:,} MACs, and torch counts {macs:,} in Keras: {each}"
    for layer in layers:
        told[layer.op.kind if layer.op.kind != "opaque" else f"opaque {layer.op}"] += 1
    if any(layer.op.kind == "opaque" for layer in layers):
        return
    built = archlens.build(network).eval()
    fill_built(network, built)
    shape = next(iter(network.inputs.values()))
    given = x.movedim(-1, 1) if tuple(shape) != tuple(x.shape[1:]) or not first_of(model) else x
    try:
        with torch.no_grad():
            y = built(given)
    except ValueError as problem:
        if "Expected more than 1 value per channel" not in str(problem):  # of norms, which torch refuses
            raise
        return
    told["computed"] += 1
    if first_of(model) and tuple(y.shape) == tuple(expected.shape):
        same = y
    else:
        held = survey.called[-1][1][0]
        order = sorted(range(len(held.axes)), key=lambda i: held.axes[i])
        same = y.permute(0, *[i + 1 for i in order])
    if any(layer.op.kind == "flatten" and prod(layer.input_shapes[0].spatial) > 1 for layer in layers):
        told["in another order"] += 1  # what is flattened
    elif same.shape != expected.shape or not torch.allclose(
        same, expected, rtol=1e-3, atol=1e-5, equal_nan=True
    ):
        yield f"it computes something else: {[str(layer.op) for layer in layers]}"
    again = archlens.loads(archlens.convert(network))
    if (again.params, again.macs) != (network.params, network.macs):
        yield "the converted spec differs"


def averaged(inputs: Any, pool_size: Any, strides: Any, padding: str, data_format: str) -> Any:
    """Average pooling whose padding is no value, as TensorFlow and Keras' own jax backend have it.

    Keras' torch backend repeats the edge (``_apply_same_padding``, ``mode="replicate"``) where ``same`` pads
    more on one side than on the other, so that with it the edge would count twice.
    """
    axes = inputs.ndim - 2
    first = data_format == "channels_first"
    x = inputs if first else inputs.movedim(-1, 1)
    size, by = (one if isinstance(one, tuple) else (one,) * axes for one in (pool_size, strides or pool_size))
    pads = []
    for n, f, s in zip(x.shape[2:], size, by, strict=True):
        whole = max((-(-n // s) - 1) * s + f - n, 0) if padding == "same" else 0
        pads = [whole // 2, whole - whole // 2, *pads]
    pool = getattr(torch.nn.functional, f"avg_pool{axes}d")
    sums, counts = (pool(torch.nn.functional.pad(one, pads), size, by) for one in (x, torch.ones_like(x)))
    return sums / counts if first else (sums / counts).movedim(1, -1)


def first_of(model: Any) -> bool:
    return "channels_first" in model.to_json() and "channels_last" not in model.to_json()


def main(begin: int, end: int) -> int:
    wrong = made = 0
    told: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(begin, end):
            model = None
            try:
                model = model_of(seed)
                if model is None:
                    continue
                made += 1
                found = list(differences(model, folder, told))
            except archlens.ArchlensError as problem:
                found = [f"refused: {problem}"]
            except Exception:
                found = [traceback.format_exc(limit=-4)]
            if found:
                wrong += 1
                print(f"{seed}: {found[0]}", flush=True)
    for name, count in told.most_common():
        print(f"{count:7,} {name}")
    print(f"{made} models of seeds {begin} to {end - 1}, {wrong} differ; keras {keras.__version__}")
    return bool(wrong)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    keras.src.backend.nn.average_pool = averaged
    sys.exit(main(*map(int, sys.argv[1:3])))
