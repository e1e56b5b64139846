"""Dropout: random at training, nothing at inference."""

from __future__ import annotations

from typing import Annotated, ClassVar

from ..geometry import POINT
from ..shape import Shape
from .attributes import Number
from .footprint import BOOL, LIKE, Extra, Footprint
from .op import Argument, Call, Facts, Names, Op, ShapeError, weightless
from .windows import require_spatial


def _dropping(x: Shape, p: float, module: str) -> Facts:
    """What all of them share: a probability, and no work at inference."""
    if not 0 <= p <= 1:
        raise ShapeError(f"p={p} is not a probability", help="a number from 0 to 1")
    torch = Call(module, p=Argument(p, default=0.5, by_place=True) if module.startswith("nn.") else p)
    return weightless(x, (POINT,) * (len(x) - 1), torch)


class _Dropout(Op, family="regularization"):
    """What the dropouts share.

    Output: the shape of the input.
    Limits: ``p`` from 0 to 1.
    """

    p: Annotated[Number, "the probability of being dropped"] = 0.5

    channelwise = True
    incidental = {"p": "drop"}

    def _footprint(self, *mask: Extra) -> Footprint:
        """It keeps which values it dropped; at inference, and with ``p=0``, it returns its input itself."""
        if self.p == 0:
            return Footprint(part=True)
        saved = mask if self.p < 1 else (Extra(1, per_sample=False),)
        return Footprint(saved=saved, inert=True, lies=LIKE)


class Dropout(_Dropout, kind="dropout"):
    """Sets values to zero with probability ``p`` while training.

    The values that are kept are divided by ``1 - p``. At inference it does nothing.

    Source: Srivastava et al. 2014, "Dropout".
    """

    names = Names(keras="Dropout", onnx="Dropout", also="drop")
    examples = ("4096 >> dropout", "64x7x7 >> dropout(0.2)", "24x49 >> tokens >> dropout(0)")

    def facts(self, x: Shape) -> Facts:
        return _dropping(x, self.p, "nn.Dropout")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        n = facts.shape.numel
        return self._footprint(Extra(n, BOOL, only="cuda"), Extra(n, only="cpu"))


class SpatialDropout(_Dropout, kind="spatial_dropout"):
    """Sets whole channels to zero with probability ``p`` while training.

    The values that are kept are divided by ``1 - p``. At inference it does nothing.

    Limits: a map, channels first; ``p`` from 0 to 1.
    Source: Tompson et al. 2015, "Efficient Object Localization Using Convolutional Networks", section 3.2.
    """

    modules: ClassVar[dict[int, str]] = {1: "nn.Dropout1d", 2: "nn.Dropout2d", 3: "nn.Dropout3d"}
    names = Names(
        keras="SpatialDropout1D SpatialDropout2D SpatialDropout3D",
        onnx="",
        also="featuredropout dropout1d dropout2d dropout3d",
    )
    examples = ("64x7x7 >> spatial_dropout(0.1)", "8x20 >> spatial_dropout", "2x4x4x4 >> spatial_dropout")

    def facts(self, x: Shape) -> Facts:
        require_spatial(x, "spatial_dropout")
        return _dropping(x, self.p, self.modules[len(x) - 1])

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        return self._footprint(Extra(facts.shape.channels))


class StochasticDepth(Op, kind="stochastic_depth", family="regularization"):
    """Sets the whole tensor of a sample to zero with probability ``p`` while training.

    At the end of a residual branch it skips the block. What is kept is divided by ``1 - p``.

    Output: the shape of the input.
    Limits: ``p`` from 0 to 1.
    Source: Huang et al. 2016, "Deep Networks with Stochastic Depth".
    """

    p: Annotated[Number, "the probability of being dropped"]

    channelwise = True
    incidental = {"p": "drop"}
    names = Names(keras="", onnx="", also="droppath dropconnect")
    examples = ("96x7x7 >> stochastic_depth(0.1)", "24x49 >> tokens >> stochastic_depth(0)")

    def facts(self, x: Shape) -> Facts:
        return _dropping(x, self.p, "archlens.StochasticDepth")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """It keeps which samples it dropped; at inference, and with ``p=0``, it returns its input itself."""
        if self.p == 0:
            return Footprint(part=True)
        product = (Extra(facts.shape.numel),)  # which is then divided
        return Footprint(saved=(Extra(1),), workspace=product, backward=product, inert=True, lies=LIKE)
