"""Windows over the spatial axes of a map: what convolutions, poolings, pads and crops share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..geometry import Window, same
from ..shape import Shape, times
from .op import LateShapeError, ShapeError, as_written

#: The attributes of which torch takes a tuple of one number for all axes.
_ONE_FOR_ALL = ("stride", "padding", "dilation", "output_padding")


def per_axis(value: Any, x: Shape, attribute: str) -> tuple[Any, ...]:
    """A size for each spatial axis of ``x``, from one for all or from one each.

    Raises:
        ShapeError: there is not one value per axis.
    """
    count = len(x) - 1
    if not isinstance(value, tuple):
        return (value,) * count
    if len(value) == 1 and attribute in _ONE_FOR_ALL and isinstance(value[0], int):
        return tuple(value) * count
    if len(value) != count:
        values = "1 value" if len(value) == 1 else f"{len(value)} values"
        raise ShapeError(
            f"{attribute}={as_written(value)} has {values}, but its input {x} has {axes_of(x)}",
            help=f"give one value for all axes, or one for each of {', '.join(x.axes)}"
            if count > 1
            else f"padding=({as_written(value)},) pads {value[0]} before and {value[1]} after"
            if attribute == "padding" and len({*value}) == len(value) == 2 and {*map(type, value)} == {int}
            else "give one value",
        )
    return tuple(value)


def sides_of(padding: Any, x: Shape) -> tuple[tuple[int, int], ...]:
    """Padding before and after, for each spatial axis; ``"same"`` needs a window and is not for here."""
    if padding == "valid":
        return ((0, 0),) * (len(x) - 1)
    return tuple(p if isinstance(p, tuple) else (p, p) for p in per_axis(padding, x, "padding"))


def slide(
    x: Shape, kernel: Any, stride: Any, padding: Any, dilation: Any = 1, *, ceil: bool = False
) -> tuple[Window, ...]:
    """The windows of a convolution or a pooling, one per spatial axis of ``x``.

    Raises:
        ShapeError: an attribute does not have one value per axis.
    """
    if type(kernel) is type(stride) is type(padding) is type(dilation) is int:
        return (Window(kernel, stride, padding, padding, dilation, ceil),) * (len(x) - 1)
    kernel = per_axis(kernel, x, "kernel")
    stride = per_axis(stride, x, "stride")
    dilation = per_axis(dilation, x, "dilation")
    if padding == "same":
        sides: Sequence[tuple[int, int]] = tuple(map(same, x.spatial, kernel, stride, dilation))
    else:
        sides = sides_of(padding, x)
    return tuple(
        Window(f, s, before, after, d, ceil=ceil)
        for f, s, (before, after), d in zip(kernel, stride, sides, dilation, strict=True)
    )


def shortest(sizes: tuple[Any, ...]) -> Any:
    """One number where all axes have the same, as people write it."""
    return sizes[0] if all(isinstance(n, int) for n in sizes) and len(set(sizes)) == 1 else sizes


def axes_of(x: Shape) -> str:
    """How many spatial axes a shape has, in words."""
    count = len(x) - 1
    return (
        f"{count} spatial {'axis' if count == 1 else 'axes'} ({', '.join(x.axes)})"
        if count
        else "no spatial axes"
    )


def require_spatial(x: Shape, what: str) -> None:
    """Refuse a flat vector, and channels that come last, for the ops that work on maps."""
    if len(x) < 2:
        raise ShapeError(
            f"{what} works on a map such as CxHxW, but its input is a flat vector of {x}",
            help="place it before the map is flattened, or reshape the vector into a map",
        )
    require_channels_first(x, what)


def require_channels_first(x: Shape, what: str) -> None:
    """Refuse channels that come last, for the ops that look for them on the first axis as torch does."""
    if x.channels_last:
        raise ShapeError(
            f"{what} works on channels that come first, but those of its input {x} come last",
            help="channels_first turns it round, to " + str(Shape((x.channels, *x.spatial))),
        )


def check_windows(windows: tuple[Window, ...], x: Shape) -> tuple[int, ...]:
    """The output sizes of the windows over the spatial axes of ``x``.

    Raises:
        ShapeError: a window is larger than its padded input, with the arithmetic and the least padding
            that would do.
    """
    sizes = tuple([window.output(n) for window, n in zip(windows, x[1:], strict=True)])
    if all(size >= 1 for size in sizes):
        return sizes
    raise LateShapeError(lambda: _misfit(windows, x, next(i for i, size in enumerate(sizes) if size < 1)))


def _misfit(windows: tuple[Window, ...], x: Shape, axis: int) -> ShapeError:
    """What is to say where a window does not fit along an axis."""
    window, n = windows[axis], x.spatial[axis]
    alike = all(pair == (window, n) for pair in zip(windows, x.spatial, strict=True))
    where = "" if alike else f"{x.axes[axis]}: "
    if window.transposed:
        return ShapeError(
            f"its padding crops away the whole {x.axes[axis]} of its output",
            notes=(f"{where}{window.formula} = {window.arithmetic(n)}",),
            help="give it less padding",
            size=True,
        )
    what = times(w.extent for w in windows) + " window" if len(windows) > 1 else f"window of {window.extent}"
    padded = any(w.before or w.after for w in windows)
    sides = times(n + w.before + w.after for w, n in zip(windows, x.spatial, strict=True))
    least = max(w.smallest_padding(n) for w, n in zip(windows, x.spatial, strict=True))
    return ShapeError(
        f"its {what} is larger than its {_input(sides, padded, len(windows))}",
        notes=(f"{where}{window.formula} = {window.arithmetic(n, total_padding=True)}",),
        help=f"padding={least}",
        size=True,
    )


def _input(sides: str, padded: bool, axes: int) -> str:
    """``4x4 input``, or on one axis ``input of 4``."""
    name = "padded input" if padded else "input"
    return f"{sides} {name}" if axes > 1 else f"{name} of {sides}"
