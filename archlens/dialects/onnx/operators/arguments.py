"""What operators read, checked and as it is meant."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ....geometry import Window
from ....geometry import same as same_padding
from ..folding import broadcast
from ..proto import Misfit, written
from ..running import At, Tensor


def as_map(x: Tensor, axes: int = 0) -> tuple[int, ...]:
    """The sizes of a map.

    Raises:
        Misfit: it is none, or has not so many axes beside batch and channels.
    """
    if len(x.sizes) < 3 or (axes and len(x.sizes) != axes + 2):
        raise Misfit(f"{written(x.sizes)} is not a map")
    return x.sizes


def windows_of(at: At, sizes: Sequence[int], kernel: Sequence[int]) -> tuple[list[int], list[Any], list[int]]:
    """Stride, padding at both sides and dilation of each axis of a map."""
    axes = len(sizes)
    stride = at.node.integers("strides", [1] * axes)
    dilation = at.node.integers("dilations", [1] * axes)
    pads = at.node.integers("pads", [0] * 2 * axes)
    if not len(stride) == len(dilation) == len(kernel) == axes or len(pads) != 2 * axes:
        raise Misfit(f"its kernel, strides, pads and dilations are not for {axes} axes")
    if min(*stride, *dilation, *kernel) < 1:
        raise Misfit("its kernel, strides and dilations are not all at least 1")
    auto = at.node.text("auto_pad", "NOTSET") or "NOTSET"
    if auto == "VALID":
        pads = [0] * 2 * axes
    elif auto in ("SAME_UPPER", "SAME_LOWER"):
        pads = [0] * 2 * axes
        for i, n in enumerate(sizes):
            pads[i], pads[i + axes] = same_padding(n, kernel[i], stride[i], dilation[i])
            if auto == "SAME_LOWER":
                pads[i], pads[i + axes] = pads[i + axes], pads[i]
    elif auto != "NOTSET":
        raise Misfit(f"its auto_pad is {auto!r}")
    if min(pads) < 0:
        raise Misfit("it has negative pads")
    pairs = list(zip(pads[:axes], pads[axes:], strict=True))
    even = all(a == b for a, b in pairs)
    return stride, [a for a, _ in pairs] if even else pairs, dilation


def positions(ceil: bool, n: int, kernel: int, stride: int, pad: int | tuple[int, int], dilation: int) -> int:
    """How many positions a window has along an axis."""
    before, after = pad if isinstance(pad, tuple) else (pad, pad)
    window = Window(kernel, stride, before, after, dilation, ceil)
    if window.extent > n + before + after:
        said = f"its window of {window.extent} is larger than {n} and its padding of {before} + {after}"
        raise Misfit(said)
    return window.output(n)


def of_channels(bias: Tensor | None, size: int) -> Tensor | None:
    """A bias, which has to be of a size."""
    if bias is not None and bias.sizes != (size,):
        raise Misfit(f"its bias of {written(bias.sizes)} is not for {size} channels")
    return bias


def filling(at: At, x: Tensor) -> Any:
    """The number that a constant holds all over; ``None`` where it holds others, or is a weight."""
    if x.flows or x.value is not None:
        return None
    made = x.key in at.run.filled or x.key in at.run.untrained
    whole = x.dtype in ("bool", "int64", "int32") or made
    if x.values and len(set(x.values)) == 1 and (whole or x.is_factor):
        return x.values[0]
    plain = x.triangle is not None and x.triangle[0] == x.triangle[1]
    return x.triangle[0] if plain and x.triangle and (not x.key or made) else None


def plainly(value: float) -> float:
    """A number that was written with 32 bits as it was meant: 0.1 for 0.10000000149.

    >>> plainly(0.10000000149011612)
    0.1
    """
    return float(f"{value:.7g}")


def of_sizes(tensor: Tensor | None, sizes: tuple[int, ...]) -> Tensor | None:
    """A weight as it is meant, which may have been written down with further axes of 1."""
    if tensor is None or tensor.sizes == sizes:
        return tensor
    if not tensor.key or [n for n in tensor.sizes if n > 1] != [n for n in sizes if n > 1]:
        broadcast(tensor.sizes, sizes)
        return tensor
    return Tensor(sizes, tensor.dtype, tensor.values, tensor.key)


def of_file(at: At, tensor: Tensor, *, trains: bool) -> Tensor:
    """A tensor of the file that is a weight, or that is none, whatever its type; others as they are."""
    if not tensor.key:
        return tensor
    if trains:
        at.run.whole_weights.add(tensor.key)
    value = at.run.value(Tensor(tensor.sizes, tensor.dtype, key=tensor.key))
    value.trains = trains
    return Tensor(tensor.sizes, tensor.dtype, tensor.values, tensor.key, value)


def beside(at: At, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Tensors that are computed with value by value.

    What a file for so many samples holds for each of them, as a mask, stands once for those of any batch.
    """
    run = at.run
    flowing = [one.sizes for one in tensors if one.flows]
    if run.example is None or not flowing:
        return list(tensors)
    rank = max(map(len, flowing))
    places = [
        i
        for i in range(rank)
        if any(n[i - rank :][:1] == (run.batch,) for n in flowing if len(n) >= rank - i)
    ]
    return [_once(at, one, [place - rank for place in places]) for one in tensors]


def _once(at: At, x: Tensor, places: Sequence[int]) -> Tensor:
    """A constant with one position along axes, counted from the last, that it has the samples along."""
    weight = x.key and x.dtype.startswith("float") and x.key not in at.run.untrained and x.value is None
    held = [i for i in places if len(x.sizes) >= -i and x.sizes[i] == at.run.samples]
    if x.flows or weight or not held or at.run.samples == 1:
        return x
    rank = len(x.sizes)
    sizes = tuple(1 if i - rank in held else n for i, n in enumerate(x.sizes))
    values = x.values[: prod(sizes)] if x.values is not None and held == [-rank] else None
    alike = values is not None and x.values == values * (prod(x.sizes) // prod(sizes))
    return Tensor(sizes, x.dtype, values if alike else None, x.key, triangle=x.triangle)
