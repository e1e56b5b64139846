"""Positions as angles, by which queries and keys are turned."""

from __future__ import annotations

from math import prod
from typing import Annotated

from ..geometry import POINT
from ..shape import Shape
from .attributes import Count, Flag, Number, OptionalCount
from .footprint import FLOAT32, ROWS, Extra, Footprint
from .layout import require_channels_last
from .op import Argument, Call, Facts, Names, Op, ShapeError, all_channels, weightless


class Rotary(Op, kind="rotary", family="attention"):
    """Each pair of channels of a head, turned by an angle that grows with the position.

    It stands between the projection of queries or of keys and ``attention:``, whose products then depend on
    how far two tokens are apart. ``head`` is the channels of one head. With ``part`` only so many of them,
    the first ones, are turned. A pair has one of either half of what is turned, or neighbours where they are
    ``interleaved``. The angle of pair ``i`` grows by ``base**(-2*i/part)`` from a position to the next.

    Output: the shape of the input.
    Limits: tokens, ``LxC`` or rows of them, whose channels ``head`` divides.
    Source: Su et al. 2021, "RoFormer", section 3.2.2; Black et al. 2022, "GPT-NeoX-20B", section 2.1.
    """

    head: Annotated[Count, "how many channels a head has"]
    part: Annotated[OptionalCount, "how many of them are turned, if not all"] = None
    base: Annotated[Number, "by which the angles get smaller from pair to pair"] = 10000
    interleaved: Annotated[Flag, "whether neighbours are a pair, and not halves"] = False

    incidental = {"base": "base"}
    by_position = True
    names = Names(
        keras="",
        onnx="RotaryEmbedding",
        also="rope rotaryembedding rotarypositionalembedding rotarype applyrope",
    )
    examples = (
        "16x9 >> tokens >> linear(16) >> rotary(8)",
        "12x9 >> tokens >> linear(12) >> rotary(6, part=4, interleaved=true)",
        "8x4x5 >> channels_last >> linear(8) >> rotary(8, base=500000)",
    )

    @property
    def turned(self) -> int:
        """How many channels of a head are turned."""
        return self.head if self.part is None else self.part

    def facts(self, x: Shape) -> Facts:
        require_channels_last(x, "rotary", "LxC", "tokens")
        if x.channels % self.head:
            raise ShapeError(
                f"heads of {self.head} channels do not divide its {x.channels}",
                notes=(f"{x.channels} = {self.head} * {x.channels // self.head} + {x.channels % self.head}",),
            )
        if self.turned > self.head or self.turned % 2:
            which = f"a head of {self.head}" if self.part is None else f"part={self.part} of {self.head}"
            raise ShapeError(
                f"channels are turned in pairs, and {which} is no even number up to {self.head}",
                help=f"part={min(self.turned, self.head) // 2 * 2}" if self.head > 1 else "",
            )
        count, length = prod(x.spatial) * (x.channels // self.head) * self.turned, x.spatial[-1]
        return weightless(
            x,
            (POINT,) * (len(x) - 1),
            Call(
                "archlens.rotary",
                head=self.head,
                part=Argument(None if self.turned == self.head else self.part, default=None),
                base=Argument(float(self.base), default=10000.0),
                interleaved=Argument(self.interleaved, default=False),
            ),
            # of each pair two products and a sum for either; of each angle a product, a cosine and a sine
            rotary=3 * count + 3 * length * self.turned // 2,
        )

    def reads(self, channels: int, *inputs: Shape) -> tuple[int, ...]:
        heads, half = inputs[0].channels // self.head, self.turned // 2
        apart = 1 if self.interleaved else half
        first = sum(1 << i for i in range(0, self.turned, 2)) if self.interleaved else all_channels(half)
        firsts = sum(first << self.head * i for i in range(heads))
        return (channels | (channels & firsts) << apart | channels >> apart & firsts,)

    def footprint(self, facts: Facts, *inputs: Shape) -> Footprint:
        """The cosines and sines, which are those of all samples, stay for the backward pass."""
        x, pairs = facts.shape, self.turned // 2
        wave = Extra(x.spatial[-1] * pairs, per_sample=False)
        angles = (Extra(pairs, FLOAT32, per_sample=False), wave._replace(kind=FLOAT32), wave, wave)
        half = Extra(prod(x.spatial) * (x.channels // self.head) * pairs)
        return Footprint(
            saved=(wave, wave),
            before=((*angles, half, half, half, half),),
            workspace=(*angles, half, half),
            backward=(half,) * 6,
            lies=ROWS,
        )

    def why_shape(self, facts: Facts, *inputs: Shape) -> str:
        return "stays as it is"
