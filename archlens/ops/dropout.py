"""Dropout: random at training, nothing at inference."""

from __future__ import annotations

from typing import ClassVar

from ..geometry import POINT
from ..shape import Shape
from .attributes import Number
from .footprint import BOOL, Extra, Footprint
from .op import NONE, Call, Facts, Misfit, Op
from .windows import require_spatial


class _Dropping(Op, family="regularization"):
    """What the dropouts share: a probability, and no work at inference."""

    p: Number = 0.5

    channelwise = True

    def _footprint(self, *mask: Extra) -> Footprint:
        """It keeps which values it dropped; at inference, and with ``p=0``, it returns its input itself."""
        if self.p == 0:
            return Footprint(part=True)
        return Footprint(saved=mask if self.p < 1 else (Extra(1, per_sample=False),), inert=True)

    def _facts(self, x: Shape, module: str) -> Facts:
        if not 0 <= self.p <= 1:
            raise Misfit(f"p={self.p} is not a probability", help="a number from 0 to 1")
        return Facts(
            shape=x,
            weights=NONE,
            buffers=NONE,
            macs=0,
            other={},
            reach=(POINT,) * (len(x) - 1),
            torch=Call(f"nn.{module}", () if self.p == 0.5 else (self.p,)),
        )


class Dropout(_Dropping, kind="dropout"):
    """Sets values to zero with probability ``p`` while training."""

    examples = ("4096 >> dropout", "64x7x7 >> dropout(0.2)")

    def facts(self, x: Shape) -> Facts:  # type: ignore[override]
        return self._facts(x, "Dropout")

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        n = facts.shape.numel
        return self._footprint(Extra(n, BOOL, only="cuda"), Extra(n, only="cpu"))


class SpatialDropout(_Dropping, kind="spatial_dropout"):
    """Sets whole channels to zero with probability ``p`` while training."""

    modules: ClassVar[dict[int, str]] = {1: "Dropout1d", 2: "Dropout2d", 3: "Dropout3d"}
    examples = ("64x7x7 >> spatial_dropout(0.1)", "8x20 >> spatial_dropout", "2x4x4x4 >> spatial_dropout")

    def facts(self, x: Shape) -> Facts:  # type: ignore[override]
        require_spatial(x, "spatial_dropout")
        return self._facts(x, self.modules[len(x) - 1])

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        return self._footprint(Extra(facts.shape.channels))
