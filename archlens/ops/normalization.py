"""Normalization over the batch, the layer, groups, instances or neighbouring channels."""

from __future__ import annotations

from math import prod
from typing import Annotated

from ..geometry import POINT
from ..shape import Shape
from .attributes import Count, Flag, Number, PerChannel, choice
from .axes import Axis, all_along, axis_of
from .footprint import (
    FORMAT,
    INPUT,
    INT64,
    LIKE,
    NOTHING,
    PIECE,
    ROWS,
    STATISTIC,
    ByLying,
    Extra,
    Footprint,
)
from .layout import require_channels_last
from .op import (
    EVERYWHERE,
    NONE,
    Argument,
    Buffer,
    Call,
    Facts,
    Names,
    Op,
    Reach,
    ShapeError,
    Tensors,
    all_channels,
    per_group,
    read_by_groups,
    weightless,
)
from .windows import require_channels_first, require_spatial


def _affine(width: tuple[int, ...], affine: bool, bias: bool = True) -> Tensors:
    if not affine:
        return NONE
    return {"weight": width, "bias": width} if bias else {"weight": width}


def _work(x: Shape, learned: int, sets: int = 0) -> dict[str, int]:
    """The work of normalizing by the mean and variance of each of ``sets`` sets of values.

    The mean of n values is n operations, additions and a division; their differences from it are n, the
    squares of these n, the mean of the squares n, and the products with the inverse deviation n; each set
    takes 3 more: eps is added, a square root taken and inverted. Each of what is ``learned``, a scale and
    a shift, takes n. Where the statistics are known beforehand (``sets=0``) all is folded into one scale
    and one shift of each value.
    """
    if not sets:
        return {"normalization": 2 * x.numel}
    return {"normalization": (5 + learned) * x.numel + 3 * sets}


def _points(x: Shape) -> Reach:
    return (POINT,) * (len(x) - 1)


def _by_channel(op: BatchNorm | InstanceNorm, x: Shape, weights: Tensors, torch: Call) -> Facts:
    """What batch and instance normalization share."""
    each = Buffer((x.channels,))
    running = {"running_mean": each, "running_var": each, "num_batches_tracked": Buffer((), INT64)}
    return Facts(
        shape=x,
        weights=weights,
        buffers=running if op.running_stats else NONE,
        macs=0,
        other=_work(x, len(weights), sets=0 if op.running_stats else x.channels),
        # without running statistics each output depends on the whole map, and maybe on the whole batch
        reach=_points(x) if op.running_stats else EVERYWHERE,
        torch=torch,
    )


def _module(op: BatchNorm | InstanceNorm, x: Shape, module: str, affine: bool, *, default: bool) -> Call:
    """Torch's module; ``default`` is that of its last two arguments."""
    return Call(
        f"nn.{module}{max(len(x) - 1, 1)}d",
        num_features=x.channels,
        eps=Argument(op.eps, default=1e-5),
        momentum=Argument(op.momentum, default=0.1),
        affine=Argument(affine, default=default),
        track_running_stats=Argument(op.running_stats, default=default),
    )


class BatchNorm(Op, kind="batch_norm", family="normalization"):
    """Batch normalization: each channel is scaled and shifted.

    The running mean and variance are buffers; Keras counts them as parameters, torch does not. At inference,
    an output depends only on its own input.

    Output: the shape of the input.
    Parameters: ``2*c``, a scale and a shift for each channel; one of the two with ``scale=false`` or
        ``center=false``; none with ``affine=false``.
    Limits: channels first; in training more than one value of each channel in the whole batch.
    Source: Ioffe and Szegedy 2015, algorithm 1.
    """

    eps: Annotated[Number, "added to the variance before its root is taken"] = 1e-5
    momentum: Annotated[Number, "the weight of a new batch in the running statistics"] = 0.1
    affine: Annotated[Flag, "whether a scale and a shift are learned"] = True
    running_stats: Annotated[Flag, "whether statistics are kept for inference"] = True
    scale: Annotated[Flag, "whether the scale is one of those"] = True
    center: Annotated[Flag, "whether the shift is one of those"] = True

    channelwise = True
    incidental = {"eps": "eps", "momentum": "momentum"}
    names = Names(keras="BatchNormalization", onnx="BatchNormalization", also="bn syncbatchnorm")
    examples = (
        "64x112x112 >> batch_norm",
        "8x5x5 >> batch_norm(eps=0.001, momentum=0.01)",
        "128 >> batch_norm(affine=false)",
        "8x20 >> batch_norm(running_stats=false)",
        "8x4x4x4 >> batch_norm",
        "32x9x9 >> batch_norm(scale=false)",
        "8x20 >> batch_norm(center=false)",
    )

    def facts(self, x: Shape) -> Facts:
        require_channels_first(x, "batch_norm")
        learned = {"weight": self.affine and self.scale, "bias": self.affine and self.center}
        weights = {name: (x.channels,) for name, there in learned.items() if there}
        if len(weights) != 1:
            return _by_channel(self, x, weights, _module(self, x, "BatchNorm", bool(weights), default=True))
        call = Call(
            "archlens.BatchNorm",
            channels=x.channels,
            scale=Argument(self.scale, default=True),
            center=Argument(self.center, default=True),
            eps=Argument(self.eps, default=1e-5),
            momentum=Argument(self.momentum, default=0.1),
            track_running_stats=Argument(self.running_stats, default=True),
        )
        return _by_channel(self, x, weights, call)

    def least_batch(self, *inputs: Shape, training: bool) -> int | None:
        """Statistics of the batch are over all of its positions, of all samples together."""
        taken = training or not self.running_stats
        return 2 if taken and inputs[0].numel == inputs[0].channels else 1

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input, and the mean and deviation of each channel of this batch."""
        statistics = (Extra(facts.shape.channels, STATISTIC, per_sample=False),) * 2
        return INPUT._replace(
            saved=statistics,
            workspace=() if self.running_stats else statistics,
            in_place=self.running_stats,
        )


class FrozenBatchNorm(Op, kind="frozen_batch_norm", family="normalization"):
    """Batch normalization that is not trained: its scale, its shift and its statistics are all fixed.

    Detectors are trained on a few images at a time, too few for statistics, and keep those of the classifier
    that they start from. The scale and the shift are in the state dict, as buffers.

    Output: the shape of the input.
    Parameters: none; four values for each channel are buffers.
    Limits: channels first.
    Source: as in torchvision.ops and detectron2; He et al. 2017, "Mask R-CNN", section 3.1.
    """

    eps: Annotated[Number, "added to the variance before its root is taken"] = 1e-5

    channelwise = True
    incidental = {"eps": "eps"}
    names = Names(keras="", onnx="", also="frozenbn affinechannel")
    examples = ("64x9x7 >> frozen_batch_norm", "8x20 >> frozen_batch_norm(eps=0.1)")

    def facts(self, x: Shape) -> Facts:
        require_channels_first(x, "frozen_batch_norm")
        each = Buffer((x.channels,))
        return Facts(
            shape=x,
            weights=NONE,
            buffers=dict.fromkeys(("weight", "bias", "running_mean", "running_var"), each),
            macs=0,
            other=_work(x, 2),
            reach=_points(x),
            torch=Call("archlens.FrozenBatchNorm", channels=x.channels, eps=Argument(self.eps, default=1e-5)),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps the scale into which all is folded, and makes the product before the sum."""
        each = Extra(facts.shape.channels, per_sample=False)
        product = Extra(facts.shape.numel)
        return NOTHING._replace(saved=(each,), workspace=(each, each, product), in_place=True, lies=LIKE)


class Standardize(Op, kind="standardize", family="normalization"):
    """Each channel minus a mean, divided by a standard deviation, both of the data and not learned.

    This prepares inputs, such as images by the mean and deviation of each colour in a data set. With ``mean``
    or ``std``, they are fixed numbers, and the other defaults to 0 or 1. With neither, they are the buffers
    ``mean``, ``variance`` and ``count``, as Keras' ``adapt`` leaves them, and a deviation is at least 1e-7.

    Output: the shape of the input.
    Parameters: none; without numbers ``2*c + 1`` values are buffers.
    Limits: as many numbers as there are channels; no ``std`` of 0.
    Source: LeCun et al. 1998, "Efficient BackProp", section 4.3.
    """

    mean: Annotated[PerChannel, "what is subtracted from each channel"] = None
    std: Annotated[PerChannel, "what each channel is divided by"] = None

    channelwise = True
    names = Names(keras="Normalization", onnx="", also="inputnorm zscore meanstd")
    examples = (
        "3x9x7 >> standardize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))",
        "3x9x7 >> channels_last >> standardize",
        "13 >> standardize(std=2)",
        "4x20 >> standardize(mean=0.5)",
    )

    def facts(self, x: Shape) -> Facts:
        for name, given in (("mean", self.mean), ("std", self.std)):
            if isinstance(given, tuple) and len(given) != x.channels:
                raise ShapeError(f"its {name} has {len(given)} numbers, but its input {x.channels} channels")
        if 0 in (self.std if isinstance(self.std, tuple) else (self.std,)):
            raise ShapeError("its std is 0, by which it cannot divide")
        each = Buffer((x.channels,))
        held = {"mean": each, "variance": each, "count": Buffer((), INT64)}
        return Facts(
            shape=x,
            weights=NONE,
            buffers=held if self._is_held else NONE,
            macs=0,
            other=_work(x, 0),
            reach=_points(x),
            torch=Call(
                "archlens.Standardization",
                channels=x.channels,
                mean=Argument(self.mean, default=None),
                std=Argument(self.std, default=None),
                behind=Argument(len(x) - 1 - x.channel_axis, default=0),
            ),
        )

    @property
    def _is_held(self) -> bool:
        return self.mean is None and self.std is None

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps the deviations, and makes the differences before the quotient."""
        mean, std = (
            Extra(
                facts.shape.channels if self._is_held else len(given) if isinstance(given, tuple) else 1,
                per_sample=False,
            )
            for given in (self.mean, self.std)
        )
        made = (std,) if self._is_held else (mean, std)
        difference = Extra(facts.shape.numel)
        return NOTHING._replace(saved=(std,), workspace=(*made, difference), in_place=True, lies=LIKE)


class LayerNorm(Op, kind="layer_norm", family="normalization"):
    """Layer normalization, per position over the channels, or over the whole sample.

    ``over="channels"`` normalizes each position by itself (ConvNeXt, and every vector);
    ``over="all"`` takes channels and positions together, with a weight for each, as
    ``nn.LayerNorm((C, H, W))`` does.

    Output: the shape of the input.
    Parameters: ``2*c``; with ``over="all"`` twice the values of the input; half of it with ``bias=false``,
        and none with ``affine=false``.
    Limits: none.
    Source: Ba, Kiros and Hinton 2016, "Layer Normalization", equation 4.
    """

    eps: Annotated[Number, "added to the variance before its root is taken"] = 1e-5
    affine: Annotated[Flag, "whether a scale and a shift are learned"] = True
    over: Annotated[str, choice("channels", "all"), "what is normalized together"] = "channels"
    bias: Annotated[Flag, "whether a learned scale comes with a learned shift"] = True

    incidental = {"eps": "eps"}
    names = Names(keras="LayerNormalization", onnx="LayerNormalization", also="ln")
    examples = (
        "768 >> layer_norm",
        '16x5x5 >> layer_norm(over="all")',
        "96x14x14 >> layer_norm(eps=1e-6)",
        "96x14x14 >> layer_norm(affine=false)",
        "96x14x14 >> layer_norm(bias=false)",
        "96x14x14 >> channels_last >> layer_norm(eps=1e-6)",
        '16x5x5 >> channels_last >> layer_norm(over="all")',
    )

    def facts(self, x: Shape) -> Facts:
        width = tuple(x) if self.over == "all" else (x.channels,)
        weights = _affine(width, self.affine, self.bias)
        # torch normalizes the last axes; over channels that come first it takes archlens' own module
        plain = len(width) == len(x) or x.channels_last
        return Facts(
            shape=x,
            weights=weights,
            buffers=NONE,
            macs=0,
            other=_work(x, len(weights), sets=x.numel // prod(width)),
            reach=_points(x) if len(width) == 1 else EVERYWHERE,
            torch=Call(
                "nn.LayerNorm" if plain else "archlens.ChannelNorm",
                normalized_shape=width if len(width) > 1 else width[0],
                eps=Argument(self.eps, default=1e-5),
                elementwise_affine=Argument(self.affine, default=True),
                bias=Argument(self.bias, default=True),
            ),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input, and a mean and a deviation wherever it takes them.

        Over the channels of a map it writes with the channels last, where they are the last axis.
        """
        positions = 1 if self.over == "all" else prod(facts.shape.spatial)
        statistics = (Extra(positions, STATISTIC),) * 2
        axes = tuple(range(len(facts.shape)))
        apart = self.over == "channels" and not facts.shape.channels_last
        return INPUT._replace(saved=statistics, workspace=statistics, lies=(*axes[1:], 0) if apart else axes)


class RMSNorm(Op, kind="rms_norm", family="normalization"):
    """The channels of each position, divided by the root of the mean of their squares.

    Output: the shape of the input.
    Parameters: ``c``, a scale for each channel; none with ``affine=false``.
    Limits: tokens and maps whose channels come last, and vectors.
    Source: Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", equation 4.
    """

    eps: Annotated[Number, "added to the mean before its root is taken"] = 1e-6
    affine: Annotated[Flag, "whether a scale is learned"] = True

    incidental = {"eps": "eps"}
    names = Names(
        keras="RMSNormalization",
        onnx="RMSNormalization",
        also="rms rmslayernorm t5layernorm",
    )
    examples = (
        "24x9 >> tokens >> rms_norm",
        "768 >> rms_norm(eps=1e-5)",
        "8x4x5 >> channels_last >> linear(6) >> rms_norm(affine=false)",
    )

    def facts(self, x: Shape) -> Facts:
        if len(x) > 1:
            require_channels_last(x, "rms_norm", "LxC")
        # squares and their mean, eps, the root and its inverse, a product with that, and with the scale
        work = (4 if self.affine else 3) * x.numel + 3 * prod(x.spatial)
        return Facts(
            shape=x,
            weights={"weight": (x.channels,)} if self.affine else NONE,
            buffers=NONE,
            macs=0,
            other={"root mean square": work},
            reach=_points(x) if len(x) > 1 else EVERYWHERE,
            torch=Call(
                "nn.RMSNorm",
                normalized_shape=x.channels,
                eps=Argument(self.eps, default=None),
                elementwise_affine=Argument(self.affine, default=True),
            ),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input, and the root of each position; on a CPU torch does it in steps.

        The last step lies as the input does, and is copied where that is not in one piece.
        """
        squares, root = Extra(facts.shape.numel, only="cpu"), Extra(prod(facts.shape.spatial), STATISTIC)
        scaled = (squares, root) if self.affine else (root,)

        def found(in_piece: bool) -> Footprint:
            return INPUT._replace(
                saved=scaled,
                before=((squares, root, root),),
                workspace=scaled if in_piece else (squares, root),
                backward=(squares,) * 3,
                lies=ROWS,
            )

        return found(True)._replace(by_lying=ByLying(((0, PIECE),), found))


class GroupNorm(Op, kind="group_norm", family="normalization"):
    """Group normalization: statistics over groups of channels and all positions.

    Output: the shape of the input.
    Parameters: ``2*c``, a scale and a shift for each channel; none with ``affine=false``.
    Limits: channels first, and ``groups`` divides them.
    Source: Wu and He 2018, "Group Normalization", section 3.
    """

    groups: Annotated[Count, "how many groups the channels are divided into"]
    eps: Annotated[Number, "added to the variance before its root is taken"] = 1e-5
    affine: Annotated[Flag, "whether a scale and a shift are learned"] = True

    incidental = {"eps": "eps"}
    names = Names(keras="GroupNormalization", onnx="GroupNormalization", also="gn")
    examples = ("32x14x14 >> group_norm(8)", "6x10 >> group_norm(3, affine=false)")

    def facts(self, x: Shape) -> Facts:
        require_channels_first(x, "group_norm")
        per_group(x.channels, self.groups)
        return Facts(
            shape=x,
            weights=_affine((x.channels,), self.affine),
            buffers=NONE,
            macs=0,
            other=_work(x, 2 * self.affine, sets=self.groups),
            reach=EVERYWHERE,
            torch=Call(
                "nn.GroupNorm",
                num_groups=self.groups,
                num_channels=x.channels,
                eps=Argument(self.eps, default=1e-5),
                affine=Argument(self.affine, default=True),
            ),
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return (read_by_groups(channels, self.groups, inputs[0].channels, inputs[0].channels),)

    def least_batch(self, *inputs: Shape, training: bool) -> int | None:
        """Torch looks at the whole batch, though each sample has statistics of its own."""
        return 2 if inputs[0].numel == self.groups else 1

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        statistics = (Extra(self.groups),) * 2
        return INPUT._replace(saved=statistics, workspace=statistics, needs=FORMAT)


class InstanceNorm(Op, kind="instance_norm", family="normalization"):
    """Instance normalization: statistics over the positions of each channel of each sample.

    Output: the shape of the input.
    Parameters: none; ``2*c`` with ``affine=true``.
    Limits: a map, channels first, of more than one position unless ``running_stats=true``.
    Source: Ulyanov, Vedaldi and Lempitsky 2016, "Instance Normalization", equation 4.
    """

    eps: Annotated[Number, "added to the variance before its root is taken"] = 1e-5
    momentum: Annotated[Number, "the weight of a new batch in the running statistics"] = 0.1
    affine: Annotated[Flag, "whether a scale and a shift are learned"] = False
    running_stats: Annotated[Flag, "whether statistics are kept for inference"] = False

    channelwise = True
    incidental = {"eps": "eps", "momentum": "momentum"}
    names = Names(keras="GroupNormalization(groups=-1)", onnx="InstanceNormalization", also="in")
    examples = (
        "8x14x14 >> instance_norm",
        "8x14 >> instance_norm(affine=true)",
        "4x4x6x6 >> instance_norm(affine=true, running_stats=true)",
    )

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "instance_norm")
        if x.numel == x.channels and not self.running_stats:
            raise ShapeError(
                f"it needs more than one position to take statistics over, but its input is {x}",
                size=True,
            )
        weights = _affine((x.channels,), self.affine)
        return _by_channel(self, x, weights, _module(self, x, "InstanceNorm", self.affine, default=False))

    def least_batch(self, *inputs: Shape, training: bool) -> int | None:
        """Statistics are of each sample by itself."""
        return None if training and inputs[0].numel == inputs[0].channels else 1

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """As batch normalization of samples x channels; torch repeats weights and statistics for it."""
        channels = facts.shape.channels
        statistics = [Extra(channels, STATISTIC)] * 2
        weights = [Extra(channels)] * 2 if self.affine else []
        running = [Extra(channels)] * 2 if self.running_stats else []
        return INPUT._replace(
            saved=(*statistics, *weights[:1], *running),
            workspace=(*weights, *(running or statistics)),
            backward=tuple(weights),
            lies=ROWS,
            needs=PIECE,
            in_place=self.running_stats,
        )


class LocalResponseNorm(Op, kind="local_response_norm", family="normalization"):
    """AlexNet's normalization by the activity of ``size`` neighbouring channels at the same position.

    ``b = a / (k + alpha/size * sum a^2)^beta``; dividing by ``size`` is what Caffe and torch do.

    Output: the shape of the input.
    Limits: a map, channels first.
    Source: Krizhevsky, Sutskever and Hinton 2012, section 3.3.
    """

    size: Annotated[Count, "how many channels count as neighbours"]
    alpha: Annotated[Number, "the weight of their squares"] = 1e-4
    beta: Annotated[Number, "the power"] = 0.75
    k: Annotated[Number, "what is added to their sum"] = 1.0

    incidental = {"alpha": "alpha", "beta": "beta", "k": "k"}
    names = Names(keras="", onnx="LRN", also="lrn")
    examples = ("96x55x55 >> local_response_norm(5, k=2)", "8x10 >> local_response_norm(3)")

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "local_response_norm")
        torch = Call(
            "nn.LocalResponseNorm",
            size=self.size,
            alpha=Argument(self.alpha, default=1e-4),
            beta=Argument(self.beta, default=0.75),
            k=Argument(self.k, default=1.0),
        )
        # a square; an addition between each two of size; then scale, shift, power and division
        return weightless(x, _points(x), torch, normalization=(self.size + 4) * x.numel)

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        found = channels
        # torch looks at size // 2 channels before its own, and at the rest after it
        for distance in range(1, min(self.size, 2 * inputs[0].channels) // 2 + 1):
            found |= channels >> distance
            if distance <= (self.size - 1) // 2:
                found |= channels << distance
        return (found & all_channels(inputs[0].channels),)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """Torch computes it in steps: squares, padded by channels, averaged, scaled, to a power."""
        x = facts.shape
        n, padded = Extra(x.numel), Extra((x.channels + self.size - 1) * prod(x.spatial))
        return INPUT._replace(
            saved=(padded, n, n),
            before=((n, padded), (n, n, n)),
            workspace=(n,),
            backward=(Extra(max(3 * x.numel, padded.values)),),
        )


class Normalize(Op, kind="normalize", family="normalization"):
    """Values of unit length along an axis: each is divided by the root of the sum of their squares.

    Output: the shape of the input.
    Limits: an axis that the input has.
    """

    axis: Annotated[Axis, "along which axis"] = "channels"
    eps: Annotated[Number, "the least divisor"] = 1e-12

    incidental = {"eps": "eps"}
    names = Names(keras="UnitNormalization", onnx="LpNormalization", also="l2norm l2normalize l2 unitnorm")
    examples = (
        "128 >> normalize",
        "8x4x5 >> normalize(eps=0.1)",
        '8x20 >> tokens >> normalize(axis="length")',
    )

    def facts(self, x: Shape) -> Facts:
        axis = axis_of(x, self.axis)
        # of each n values n squares, n - 1 additions, a root, a comparison and n divisions
        work = 3 * x.numel + x.numel // x[axis]
        torch = Call("archlens.normalize", dim=1 + axis, eps=Argument(self.eps, default=1e-12))
        return weightless(x, all_along(x, axis), torch, normalization=work)

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        return (all_channels(inputs[0].channels) if self.axis == "channels" else channels,)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input, the lengths, and the lengths where they are not too small."""
        n = facts.shape.numel
        lengths = Extra(n // facts.shape[axis_of(facts.shape, self.axis)])
        return INPUT._replace(
            lies=LIKE,
            saved=(lengths, lengths),
            workspace=(lengths,),
            before=((lengths, lengths),),
            backward=(Extra(n),) * 4,
        )


class GlobalResponseNorm(Op, kind="global_response_norm", family="normalization"):
    """Each channel times its length over the whole map, relative to the mean of all channels.

    ``x + weight * x * N + bias``, where ``N = |x_c| / (mean of all |x_c| + eps)``.

    Output: the shape of the input.
    Parameters: ``2*c``, a scale and a shift for each channel.
    Limits: a map; either layout.
    Source: Woo et al. 2023, "ConvNeXt V2", section 3.2 and algorithm 1.
    """

    eps: Annotated[Number, "added to the mean of the lengths"] = 1e-6

    incidental = {"eps": "eps"}
    names = Names(keras="", onnx="", also="grn")
    examples = ("8x4x5 >> global_response_norm(eps=0.1)", "8x4x5 >> channels_last >> global_response_norm")

    def facts(self, x: Shape) -> Facts:
        if len(x) < 2:
            raise ShapeError(
                f"global_response_norm works on a map such as CxHxW, but its input is a flat vector of {x}",
                help="place it before the map is flattened",
            )
        last = Argument(x.channels_last, default=False)
        # of each channel's n values n squares, n - 1 additions and a root; the mean of the lengths, and each
        # divided by it; two products and two additions of each value
        work = 6 * x.numel + 2 * x.channels + 1
        return Facts(
            shape=x,
            weights=_affine((x.channels,), True),
            buffers=NONE,
            macs=0,
            other={"normalization": work},
            reach=EVERYWHERE,
            torch=Call(
                "archlens.GlobalResponseNorm",
                channels=x.channels,
                channels_last=last,
                eps=Argument(self.eps, default=1e-6),
            ),
        )

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps its input, the lengths and what they are divided by, and the products on the way."""
        n, each = Extra(facts.shape.numel), Extra(facts.shape.channels)
        return INPUT._replace(
            saved=(each, Extra(1), each, n),
            before=((each, each, n, n),),
            workspace=(each, each, n),
            backward=(n,) * 4,
            lies=LIKE,
        )
