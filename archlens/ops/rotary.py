"""Positions as angles, by which queries and keys are turned."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from ..geometry import POINT
from ..shape import Shape, times
from .attributes import Count, Flag, Number, Numbers, OptionalCount, OptionalSize, Skipped
from .footprint import FLOAT32, ROWS, Extra, Footprint
from .layout import require_channels_last
from .op import Argument, Call, Facts, Names, Op, ShapeError, all_channels, as_written, weightless


class Rotary(Op, kind="rotary", family="attention"):
    """Each pair of channels of a head, turned by an angle that grows with the position.

    It comes between the projection of queries or keys and ``attention:``, whose products then depend on the
    distance between two tokens. ``head`` is the number of channels of one head. With ``part``, only that many
    of them, the first ones, are turned. A pair has one channel from each half of these, or two neighbours if
    ``interleaved``. The angle of pair ``i`` grows by ``base**(-2*i/part)`` from one position to the next.

    With a ``grid``, the tokens are the positions of a map, row by row, and each axis turns an equal share of
    the pairs, in the order of the axes: along an axis, the angle of pair ``i`` of ``n`` grows by
    ``base**(-i/n)`` from one position to the next. With ``reverse``, the last axis turns the first pairs, as
    in code that puts x before y. The first ``skip`` tokens, such as a class token and registers, are not
    turned. Positions count from ``start`` in steps of ``step``: a step of a quarter stretches positions that
    were trained on a smaller map, and ``n`` positions in steps of ``4*pi/n`` from ``2*pi/n - 2*pi`` are the
    centres of cells, as in DINOv3.

    Output: the shape of the input.
    Limits: tokens, ``LxC`` or rows of them, whose channels ``head`` divides; with a grid, as many as it has
        positions, plus those that are skipped.
    Source: Su et al. 2021, "RoFormer", section 3.2.2; Black et al. 2022, "GPT-NeoX-20B", section 2.1; of two
        axes Fang et al. 2023, "EVA-02", section 2.1, and Heo et al. 2024, "Rotary Position Embedding for
        Vision Transformer", section 3.2.
    """

    head: Annotated[Count, "how many channels a head has"]
    part: Annotated[OptionalCount, "how many of them are turned, if not all"] = None
    base: Annotated[Number, "the base of the angles, which shrink from pair to pair"] = 10000
    interleaved: Annotated[Flag, "whether neighbours form a pair, instead of halves"] = False
    grid: Annotated[OptionalSize, "positions of the map along each axis, if the tokens form one"] = None
    skip: Annotated[Skipped, "how many of the first tokens are not turned"] = 0
    start: Annotated[Numbers, "the first position, along each axis"] = 0
    step: Annotated[Numbers, "the step from one position to the next, along each axis"] = 1
    reverse: Annotated[Flag, "whether the last axis turns the first pairs"] = False

    incidental = {"base": "base", "start": "start", "step": "step", "reverse": "reverse"}
    by_position = True
    names = Names(
        keras="",
        onnx="RotaryEmbedding",
        also="rope rotaryembedding rotarypositionalembedding rotarype applyrope axialrope "
        "axialrotary visionrope visionrotaryembedding rotaryembeddingcat",
    )
    examples = (
        "16x9 >> tokens >> linear(16) >> rotary(8)",
        "12x9 >> tokens >> linear(12) >> rotary(6, part=4, interleaved=true)",
        "8x4x5 >> channels_last >> linear(8) >> rotary(8, base=500000)",
        "16x3x4 >> tokens >> linear(16) >> rotary(8, grid=(3, 4))",
        "16x2x3 >> tokens >> class_token >> rotary(8, interleaved=true, grid=(2, 3), skip=1, step=0.5)",
        "12x9 >> tokens >> linear(12) >> rotary(12, part=6, skip=2, start=-1.5, step=0.25)",
        "12x3x12 >> channels_last >> linear(12) >> rotary(12, grid=(2, 2, 3), start=(0, 1, 2.5))",
        "16x3x4 >> tokens >> linear(16) >> rotary(8, grid=(3, 4), step=(1, 0.5), reverse=true)",
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
                f"channels are turned in pairs, and {which} is not an even number up to {self.head}",
                help=f"part={min(self.turned, self.head) // 2 * 2}" if self.head > 1 else "",
            )
        count, length = prod(x.spatial) * (x.channels // self.head) * self.turned, x.spatial[-1]
        how: dict[str, Any] = {
            "part": Argument(None if self.turned == self.head else self.part, default=None),
            "base": Argument(float(self.base), default=10000.0),
            "interleaved": Argument(self.interleaved, default=False),
        }
        grid = self._grid(length)
        if grid is None:
            call = Call("archlens.rotary", head=self.head, **how)
        else:
            call = Call("archlens.grid_rotary", head=self.head, grid=grid, **how, **self._places())
        return weightless(
            x,
            (POINT,) * (len(x) - 1),
            call,
            # of each pair two products and a sum for either; of each angle a product, a cosine and a sine
            rotary=3 * count + 3 * length * self.turned // 2,
        )

    def _grid(self, length: int) -> tuple[int, ...] | None:
        """Positions along each axis, of tokens that are so many; none where they are counted alone."""
        if self.reverse and self.grid is None:
            raise ShapeError("it reverses the axes of its grid, and has none", help="grid=(height, width)")
        if self.grid is None and not self.skip and (self.start, self.step) == (0, 1):
            return None
        if self.grid is None:
            if self.skip > length:
                raise ShapeError(f"it skips {self.skip} tokens, but there are {length}", size=True)
            sizes: tuple[int, ...] = (length - self.skip,)
        else:
            sizes = self.grid if isinstance(self.grid, tuple) else (self.grid,) * 2
            if prod(sizes) + self.skip != length:
                skipped = f" and {self.skip} that are skipped" if self.skip else ""
                raise ShapeError(
                    f"its grid of {times(sizes)}{skipped} are {prod(sizes) + self.skip} tokens, and its "
                    f"input has {length}",
                    size=True,
                )
        if self.turned % (2 * len(sizes)):
            raise ShapeError(
                f"each of the {len(sizes)} axes turns as many pairs, and {self.turned} channels are "
                f"{self.turned // 2} pairs",
                notes=(
                    f"{self.turned} = {2 * len(sizes)} * {self.turned // (2 * len(sizes))} + "
                    f"{self.turned % (2 * len(sizes))}",
                ),
            )
        for name in ("start", "step"):
            given = getattr(self, name)
            if isinstance(given, tuple) and len(given) != len(sizes):
                raise ShapeError(
                    f"its {name}={as_written(given)} is of {len(given)} axes, and its grid has {len(sizes)}"
                )
        return sizes

    def _places(self) -> dict[str, Any]:
        """Which positions there are, beside how many."""
        start, step = (
            tuple(map(float, one)) if isinstance(one, tuple) else float(one)
            for one in (self.start, self.step)
        )
        return {
            "skip": Argument(self.skip, default=0),
            "start": Argument(start, default=0.0),
            "step": Argument(step, default=1.0),
            "reverse": Argument(self.reverse, default=False),
        }

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
        grid = self._grid(x.spatial[-1]) or ()
        # the places along each axis, and of all positions where these are several; and a rate for each pair
        places = (sum(grid), prod(grid) * len(grid) if len(grid) > 1 else 0, pairs // (len(grid) or 1))
        found = tuple([Extra(count, FLOAT32, per_sample=False) for count in places if count])
        angles = (*found, wave._replace(kind=FLOAT32), wave, wave)
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
