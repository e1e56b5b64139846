"""``ptflops.get_model_complexity_info(backend="aten")``, which counts the operators that torch dispatches."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from ...network import Layer, Network
from .convention import (
    FUSED,
    IN_ONE_KERNEL,
    RECURRENT,
    Convention,
    Share,
    bias,
    fused,
    met,
    runs_in_one_kernel,
    same,
    trainable,
)


def _work(layer: Layer) -> Share:
    right = layer.macs + bias(layer) if layer.macs else 0
    products = fused(layer)
    if products:
        return Share(right, right - products, FUSED)
    if runs_in_one_kernel(layer):
        return Share(right, 0, IN_ONE_KERNEL)
    if met(layer) in ("archlens.ConvMap", "archlens.LinearAlong"):
        return same(layer.macs)  # its bias is an addition of its own
    if bias(layer) and isinstance(layer.facts.reach, tuple) and met(layer) in _CROPPED:
        _, *spatial = layer.input_shapes[0]
        whole = [
            w._replace(before=0, after=min(w.after, 0)).output(n)
            for w, n in zip(layer.facts.reach, spatial, strict=True)
        ]
        return same(layer.macs + layer.shape.channels * prod(whole))
    return same(right)


#: archlens' own modules that add the bias before they cut the output.
_CROPPED = frozenset(f"archlens.CroppedConvTranspose{axes}d" for axes in (1, 2, 3))


def _placed(network: Network) -> dict[str, Share]:
    """Torch's linear layer adds its bias apart where its input does not lie in memory row by row.

    Followed are the ops that only turn axes round, and those that work value by value on one input; all
    others are taken to write row by row.
    """
    orders: dict[str, tuple[int, ...]] = {}  # axes of torch from the outermost in memory; else row by row
    found = {}
    for layer in network.layers:
        before = orders.get(layer.inputs[0], tuple(range(len(layer.input_shapes[0]) + 1)))
        if met(layer) in _APART and "bias" in layer.facts.other and not _is_read_in_rows(layer, before):
            share = _work(layer)
            if not share.printed:
                continue
            missed = prod(layer.input_shapes[0].spatial) * _APART[met(layer)](layer)
            why = f"{share.why}; and {_LATER}" if share.why else f"it {_LATER}"
            found[layer.name] = Share(share.counted, share.printed - missed, why)
        after = _order(layer, before)
        if not _in_rows(layer, after):
            orders[layer.name] = after
    return found


#: Linear layers, and those of archlens' own modules that read their input itself: outputs to an input.
_APART: dict[str, Callable[[Layer], int]] = {
    "nn.Linear": lambda layer: layer.shape.channels,
    "archlens.SelfAttention": lambda layer: 3 * layer.shape.channels,
    "archlens.MultiheadSelfAttention": lambda layer: prod(layer.facts.weights["in_proj_bias"]),
    "archlens.RelativeAttention": lambda layer: 3 * layer.shape.channels,
    # the products of the first layer's input, of all steps at once
    **dict.fromkeys(RECURRENT, lambda layer: _of_input(layer)),
}


def _of_input(layer: Layer) -> int:
    """Outputs of the first recurrent layer to an input, in all its directions."""
    return sum(shape[0] for name, shape in layer.facts.weights.items() if name.startswith("bias_ih_l0"))


#: Families of the ops that work value by value on one input, and what of them writes row by row still.
_FOLLOWING = frozenset({"activation", "regularization"})
_COPYING = frozenset({"nn.Softmax", "nn.LogSoftmax", "archlens.prepend"})


def _order(layer: Layer, before: tuple[int, ...]) -> tuple[int, ...]:
    """How the output of a layer lies in memory."""
    axes = len(before)
    if met(layer) == "torch.permute":
        order = layer.facts.torch["dims"]
        return tuple(order.index(axis) for axis in before)
    if met(layer) == "torch.transpose":
        a, b = layer.facts.torch["dim0"], layer.facts.torch["dim1"]
        return tuple({a: b, b: a}.get(axis, axis) for axis in before)
    if met(layer) == "archlens.tokens" and before != (0, *range(2, axes), 1):
        return (0, 2, 1)
    if met(layer) == "archlens.channels_last_tokens" and before == (0, axes - 1, *range(1, axes - 1)):
        return (0, 2, 1)
    if met(layer) in _COPYING:
        return tuple(range(axes))
    own = layer.facts.torch.parameter is not None and layer.shape == layer.input_shapes[0]
    if layer.op.family in _FOLLOWING or own:
        return before
    return tuple(range(len(layer.shape) + 1))


def _is_read_in_rows(layer: Layer, order: tuple[int, ...]) -> bool:
    """Whether an input lies row by row as its products are computed; recurrent layers put the steps first."""
    sizes = (1, *layer.input_shapes[0])
    steps = len(sizes) - 2 if met(layer) in RECURRENT else -1
    long = [axis for axis in order if sizes[axis] > 1]
    return long == sorted(long, key=lambda axis: (axis != steps, axis))


def _in_rows(layer: Layer, order: tuple[int, ...]) -> bool:
    sizes = (1, *layer.shape)
    long = [axis for axis in order if sizes[axis] > 1]
    return long == sorted(long)


_LATER = (
    "does not count the bias of a linear layer that torch adds separately, as it does if the input is not "
    "stored row by row"
)

CONVENTION = Convention(
    tool="ptflops 0.7.5 (backend aten)",
    counts="Convolutions and matrix products, one for each multiply-accumulate, and their bias, 1 for each "
    "output value.",
    leaves_out="Normalization, activation, pooling and all elementwise work; and the products of "
    "attention beside linear layers, as torch computes them in one function.",
    source="ptflops/aten_ops.py",
    work=_work,
    params=trainable,
    placed=_placed,
)
