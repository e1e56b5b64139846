"""Normalization over the batch, the layer, groups, instances or neighbouring channels."""

from __future__ import annotations

from typing import Annotated

from ..geometry import POINT
from ..shape import Shape
from .attributes import Count, Flag, Number, choice
from .op import EVERYWHERE, NONE, Call, Facts, Misfit, Op, Reach, Tensors, changed, per_group
from .windows import require_channels_first, require_spatial

#: What torch calls ``running_stats``.
_TRACKED = "track_running_stats"


def _affine(width: tuple[int, ...], affine: bool) -> Tensors:
    return {"weight": width, "bias": width} if affine else NONE


def _statistics(channels: int, kept: bool) -> Tensors:
    if not kept:
        return NONE
    return {"running_mean": (channels,), "running_var": (channels,), "num_batches_tracked": ()}


def _points(x: Shape) -> Reach:
    return (POINT,) * (len(x) - 1)


class BatchNorm(Op, kind="batch_norm", family="normalization"):
    """Batch normalization: each channel is scaled and shifted.

    Parameters: 2 per channel (none with ``affine=false``). The running mean and variance are buffers;
    Keras counts them as parameters, torch does not. At inference an output depends on its own input
    alone.
    """

    eps: Number = 1e-5
    momentum: Number = 0.1
    affine: Flag = True
    running_stats: Flag = True

    examples = (
        "64x112x112 >> batch_norm",
        "8x5x5 >> batch_norm(eps=0.001, momentum=0.01)",
        "128 >> batch_norm(affine=false)",
        "8x20 >> batch_norm(running_stats=false)",
        "8x4x4x4 >> batch_norm",
    )

    def facts(self, x: Shape) -> Facts:  # type: ignore[override]
        require_channels_first(x, "batch_norm")
        kwargs = changed(self, eps="eps", momentum="momentum", affine="affine", running_stats=_TRACKED)
        return Facts(
            shape=x,
            weights=_affine((x.channels,), self.affine),
            buffers=_statistics(x.channels, self.running_stats),
            macs=0,
            other={"normalization": 2 * x.numel},
            # without running statistics each output depends on the whole batch and map
            reach=_points(x) if self.running_stats else EVERYWHERE,
            torch=Call(f"nn.BatchNorm{max(len(x) - 1, 1)}d", (x.channels,), kwargs),
        )


class LayerNorm(Op, kind="layer_norm", family="normalization"):
    """Layer normalization, per position over the channels, or over the whole sample.

    ``over="channels"`` normalizes each position by itself (ConvNeXt, and every vector);
    ``over="all"`` takes channels and positions together, with a weight for each, as
    ``nn.LayerNorm((C, H, W))`` does.
    """

    eps: Number = 1e-5
    affine: Flag = True
    over: Annotated[str, choice("channels", "all")] = "channels"

    examples = (
        "768 >> layer_norm",
        '16x5x5 >> layer_norm(over="all")',
        "96x14x14 >> layer_norm(eps=1e-6)",
        "96x14x14 >> layer_norm(affine=false)",
        "96x14x14 >> channels_last >> layer_norm(eps=1e-6)",
        '16x5x5 >> channels_last >> layer_norm(over="all")',
    )

    def facts(self, x: Shape) -> Facts:  # type: ignore[override]
        width = tuple(x) if self.over == "all" else (x.channels,)
        kwargs = changed(self, eps="eps", affine="elementwise_affine")
        # torch normalizes the last axes; over channels that come first it takes archlens' own module
        plain = len(width) == len(x) or x.channels_last
        return Facts(
            shape=x,
            weights=_affine(width, self.affine),
            buffers=NONE,
            macs=0,
            other={"normalization": 2 * x.numel},
            reach=_points(x) if len(width) == 1 else EVERYWHERE,
            torch=Call(
                "nn.LayerNorm" if plain else "archlens.ChannelNorm",
                (width if len(width) > 1 else width[0],),
                kwargs,
            ),
        )


class GroupNorm(Op, kind="group_norm", family="normalization"):
    """Group normalization: statistics over groups of channels and all positions."""

    groups: Count
    eps: Number = 1e-5
    affine: Flag = True

    examples = ("32x14x14 >> group_norm(8)", "6x10 >> group_norm(3, affine=false)")

    def facts(self, x: Shape) -> Facts:  # type: ignore[override]
        require_channels_first(x, "group_norm")
        per_group(x.channels, self.groups)
        kwargs = changed(self, eps="eps", affine="affine")
        return Facts(
            shape=x,
            weights=_affine((x.channels,), self.affine),
            buffers=NONE,
            macs=0,
            other={"normalization": 2 * x.numel},
            reach=EVERYWHERE,
            torch=Call("nn.GroupNorm", (self.groups, x.channels), kwargs),
        )


class InstanceNorm(Op, kind="instance_norm", family="normalization"):
    """Instance normalization: statistics over the positions of each channel of each sample."""

    eps: Number = 1e-5
    momentum: Number = 0.1
    affine: Flag = False
    running_stats: Flag = False

    examples = (
        "8x14x14 >> instance_norm",
        "8x14 >> instance_norm(affine=true)",
        "4x4x6x6 >> instance_norm(affine=true, running_stats=true)",
    )

    def facts(self, x: Shape) -> Facts:  # type: ignore[override]
        require_spatial(x, "instance_norm")
        if x.numel == x.channels:
            raise Misfit(
                f"it needs more than one position to take statistics over, and its input is {x}",
                size=True,
            )
        kwargs = changed(self, eps="eps", momentum="momentum", affine="affine", running_stats=_TRACKED)
        return Facts(
            shape=x,
            weights=_affine((x.channels,), self.affine),
            buffers=_statistics(x.channels, self.running_stats),
            macs=0,
            other={"normalization": 2 * x.numel},
            reach=_points(x) if self.running_stats else EVERYWHERE,
            torch=Call(f"nn.InstanceNorm{len(x) - 1}d", (x.channels,), kwargs),
        )


class LocalResponseNorm(Op, kind="local_response_norm", family="normalization"):
    """AlexNet's normalization by the activity of ``size`` neighbouring channels at the same position.

    ``b = a / (k + alpha/size * sum a^2)^beta``. Source: Krizhevsky et al. 2012, section 3.3; the
    division by ``size`` is Caffe's and torch's.
    """

    size: Count
    alpha: Number = 1e-4
    beta: Number = 0.75
    k: Number = 1.0

    examples = ("96x55x55 >> local_response_norm(5, k=2)", "8x10 >> local_response_norm(3)")

    def facts(self, x: Shape) -> Facts:  # type: ignore[override]
        require_spatial(x, "local_response_norm")
        kwargs = changed(self, alpha="alpha", beta="beta", k="k")
        return Facts(
            shape=x,
            weights=NONE,
            buffers=NONE,
            macs=0,
            # a square and an addition for each neighbour, then scale, shift, power and division
            other={"normalization": (2 * self.size + 4) * x.numel},
            reach=_points(x),
            torch=Call("nn.LocalResponseNorm", (self.size,), kwargs),
        )
