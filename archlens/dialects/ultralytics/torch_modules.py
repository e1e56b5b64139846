"""Modules of ``torch.nn`` as rows and ``activation:`` name them, by the op that each is."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from ...elaboration.values import Tensor
from ...errors import did_you_mean, shorten
from ...ops import OPS
from .placement import KINDS, Kind, Model

#: Of each module the op that it is, and its arguments in torch's order as that op's attributes. One that
#: starts with ``=`` must be what follows, or the map's channels for ``=channels``; ``-`` may be anything.
_ARGUMENTS: dict[str, tuple[str, str]] = {
    "Conv2d": ("conv", "=channels channels kernel stride padding dilation groups bias"),
    "ConvTranspose2d": (
        "conv_transpose",
        "channels kernel stride padding output_padding groups bias dilation",
    ),
    "BatchNorm2d": ("batch_norm", "- - - - -"),
    "InstanceNorm2d": ("instance_norm", "=channels eps momentum affine running_stats"),
    "GroupNorm": ("group_norm", "groups =channels eps affine"),
    "LocalResponseNorm": ("local_response_norm", "size alpha beta k"),
    "MaxPool2d": ("max_pool", "kernel stride padding dilation =False ceil_mode"),
    "AvgPool2d": ("avg_pool", "kernel stride padding ceil_mode count_include_pad"),
    "AdaptiveAvgPool2d": ("adaptive_avg_pool", "size"),
    "AdaptiveMaxPool2d": ("adaptive_max_pool", "size"),
    "Upsample": ("upsample", "size scale mode align_corners"),
    "UpsamplingNearest2d": ("upsample", "size scale"),
    "UpsamplingBilinear2d": ("upsample", "size scale"),
    "ZeroPad2d": ("pad", "padding"),
    "ReflectionPad2d": ("pad", "padding"),
    "ReplicationPad2d": ("pad", "padding"),
    "ConstantPad2d": ("pad", "padding value"),
    "Identity": ("identity", ""),
    "Dropout": ("dropout", "p -"),
    "Dropout2d": ("spatial_dropout", "p -"),
    "Flatten": ("flatten", "=1"),
    "Linear": ("linear", "=channels features bias"),
    "Softmax": ("softmax", "=1"),
    "LogSoftmax": ("log_softmax", "=1"),
    "ChannelShuffle": ("channel_shuffle", "groups"),
    "ReLU": ("relu", "-"),
    "ReLU6": ("relu6", "-"),
    "LeakyReLU": ("leaky_relu", "slope -"),
    "PReLU": ("prelu", "=1"),
    "ELU": ("elu", "alpha -"),
    "SELU": ("selu", "-"),
    "GELU": ("gelu", "approximate"),
    "SiLU": ("silu", "-"),
    "Mish": ("mish", "-"),
    "Hardswish": ("hard_swish", "-"),
    "Hardsigmoid": ("hard_sigmoid", "-"),
    "Hardtanh": ("hard_tanh", "=-1.0 =1.0 -"),
    "Sigmoid": ("sigmoid", ""),
    "LogSigmoid": ("log_sigmoid", ""),
    "Tanh": ("tanh", ""),
    "Softplus": ("softplus", "=1"),
    "Softsign": ("softsign", ""),
    "GLU": ("glu", "=1"),
}

#: What some of them say by their name alone.
_FIXED: dict[str, dict[str, Any]] = {
    "UpsamplingBilinear2d": {"mode": "bilinear", "align_corners": True},
    "ReflectionPad2d": {"mode": "reflect"},
    "ReplicationPad2d": {"mode": "replicate"},
}

#: What arguments must be that are covered with one value only.
_SAID: dict[str, Any] = {"1": 1, "1.0": 1.0, "-1.0": -1.0, "False": False}

#: How torch calls the arguments that may be given by name.
_CALLED = {
    "negative_slope": "slope",
    "kernel_size": "kernel",
    "scale_factor": "scale",
    "out_channels": "channels",
    "inplace": "-",
}


def _attributes(
    module: str, args: tuple[Any, ...], named: Mapping[str, Any], channels: int | None
) -> dict[str, Any]:
    """The attributes of the op that a module is.

    Raises:
        ValueError: there is no such argument, or what it says is not covered here; says so.
    """
    op, order = _ARGUMENTS[module]
    names = order.split()
    if len(args) > len(names):
        raise ValueError(f"nn.{module} takes at most {len(names)} arguments here, not {len(args)}")
    given = list(zip(names, args, strict=False))
    for name, value in named.items():
        called = _CALLED.get(name, name)
        if called not in names:
            raise ValueError(f"nn.{module} has no argument {shorten(name)} here")
        given.append((called, value))
    found = dict(_FIXED.get(module, {}))
    for name, value in given:
        if name == "=channels":
            if channels is not None and value != channels:
                raise ValueError(f"nn.{module} is made for {value} channels, and reads {channels}")
        elif name.startswith("="):
            if value != _SAID[name[1:]]:
                raise ValueError(f"nn.{module} is covered with {name[1:]} there, and not with {value}")
        elif name != "-" and value is not None:
            found[name] = value
    if op == "pad":
        found["padding"] = _sides(found.get("padding"))
    return found


def _sides(padding: Any) -> Any:
    """Torch's padding, whose last axis comes first and whose sides lie flat."""
    if isinstance(padding, tuple) and len(padding) == 4:
        left, right, top, bottom = padding
        return ((top, bottom), (left, right))
    if isinstance(padding, tuple):
        raise ValueError("a padding is one number, or those of left, right, top and bottom")
    return padding


def _module(module: str) -> Callable[..., Tensor]:
    op = _ARGUMENTS[module][0]

    def place(m: Model, name: str, x: Tensor, *args: Any) -> Tensor:
        try:
            found = _attributes(module, args, {}, x.shape.channels)
        except ValueError as problem:
            raise m.error(str(problem)) from None
        if module == "BatchNorm2d":
            found |= m.norms
        return m.put(op, x, name=name, **found)

    return place


for _name in _ARGUMENTS:
    KINDS[f"nn.{_name}"] = Kind(
        f"nn.{_name}", _module(_name), leaf=True, widens=_name == "ConvTranspose2d", free=True
    )

_ACTIVATIONS = [name for name, (op, _) in _ARGUMENTS.items() if OPS[op].family == "activation"]


def _constant(tree: ast.expr) -> Any:
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        value = _constant(tree.operand)
        if isinstance(value, int | float):
            return -value
    if not isinstance(tree, ast.Constant):
        raise ValueError
    return tree.value


def activation(text: str) -> tuple[str, dict[str, Any]]:
    """The op that ``activation: nn.LeakyReLU(0.1)`` names, and its attributes.

    Raises:
        ValueError: it names none that is known; says what is wrong.
    """
    try:
        tree = ast.parse(text.strip(), mode="eval").body if len(text) < 200 else None
        assert isinstance(tree, ast.Call)
        module = ast.unparse(tree.func).removeprefix("torch.").removeprefix("nn.")
        args = tuple(map(_constant, tree.args))
        named = {one.arg or "**": _constant(one.value) for one in tree.keywords}
    except (AssertionError, ValueError, SyntaxError, MemoryError, RecursionError):
        raise ValueError(
            f"{shorten(text)} is not an activation such as nn.ReLU() or nn.LeakyReLU(0.1)"
        ) from None
    if module not in _ACTIVATIONS:
        known = did_you_mean(module, _ACTIVATIONS, otherwise="")
        raise ValueError(
            f"nn.{shorten(module)} is not an activation that is known" + (f"; {known}" if known else "")
        )
    return _ARGUMENTS[module][0], _attributes(module, args, named, None)
