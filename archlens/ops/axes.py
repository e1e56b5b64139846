"""One axis of a tensor by its name, and what an op sees that goes along it."""

from __future__ import annotations

from math import prod
from typing import Annotated

from ..geometry import POINT, Window
from ..shape import Shape
from .attributes import Kind, choice
from .op import EVERYWHERE, Reach, ShapeError, WindowChain

_NAMES = ("channels", "length", "depth", "height", "width")

Axis = Annotated[str, choice(*_NAMES)]


def _axes(value: object) -> tuple[str, ...] | str | None:
    given = value if isinstance(value, tuple) else (value,)
    fits = given and len(set(given)) == len(given) and all(name in _NAMES for name in given)
    return value if fits else None  # type: ignore[return-value]


Axes = Annotated[
    str | tuple[str, ...],
    Kind(f'{choice(*_NAMES).says}, or several as ("height", "width")', _axes),
]


def axis_of(x: Shape, name: str) -> int:
    """Which axis of a shape has that name, without the batch.

    Raises:
        ShapeError: none has.
    """
    if name not in x.names:
        raise ShapeError(f"{x} has no {name}", help=f"its axes are {', '.join(x.names)}")
    return x.names.index(name)


def all_along(x: Shape, axis: int, outputs: int | None = None) -> Reach:
    """What an output sees that depends on all positions of one axis, and of no other.

    Args:
        x: what flows in.
        axis: which of its axes, without the batch.
        outputs: how many positions the output has there, where not as many.
    """
    if axis == x.channel_axis:
        return (POINT,) * (len(x) - 1)
    if prod(x.spatial) == x[axis]:
        return EVERYWHERE
    whole = (Window(x[axis], x[axis]), Window(outputs or x[axis], outputs or x[axis], transposed=True))
    place = axis if x.channels_last else axis - 1
    return WindowChain(tuple(whole if i == place else (POINT,) for i in range(len(x) - 1)))
