"""Values that are moved: views, permutations, parts, joins, borders."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ..folding import axis_of, broadcast, cuts, permutation
from ..proto import VALUES, Misfit, written
from ..running import At, Tensor
from .arguments import as_map, filling, positions, windows_of
from .registry import runs


def _moved(at: At, target: str, args: dict[str, Any], sizes: Sequence[int]) -> Tensor:
    """A tensor whose values are moved; one of the file stays one, and what is known of it is."""
    x = at.x()
    low, high = x.triangle or (0, 1)
    if not x.flows and (x.key or x.values is not None or (low == high and x.value is None)):
        if prod(sizes) != prod(x.sizes):
            raise Misfit(f"{written(x.sizes)} does not fit into {written(sizes)}")
        triangle = x.triangle if low == high or x.sizes[-2:] == tuple(sizes[-2:]) else None
        return Tensor(tuple(sizes), x.dtype, x.values, x.key, triangle=triangle)
    return at.write(target, {"self": x, **args}, sizes)


def viewed(at: At, sizes: Sequence[int]) -> Tensor:
    x = at.x()
    found = at.reshaped(x, sizes)
    if prod(found) != prod(x.sizes):
        raise Misfit(f"{written(x.sizes)} does not fit into {written(found)}")
    return _moved(at, "aten.view", {}, found)


@runs("Reshape")
def reshape(at: At) -> Tensor:
    x = at.x()
    given = at.numbers("shape", 1)
    if given is None:
        raise Misfit("its shape is missing")
    keeps = not at.node.integer("allowzero", 0)
    sizes = [(x.sizes[i] if i < len(x.sizes) else 0) if n == 0 and keeps else n for i, n in enumerate(given)]
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise Misfit(f"{given} are not sizes")
    if -1 in sizes:
        rest = prod(n for n in sizes if n != -1)
        now = at.example[0]
        if not rest or prod(x.sizes) % rest:
            if now is None or at.before() is None:
                raise Misfit(f"{written(x.sizes)} does not fit into {written(given)}")
            rest = 1
        sizes[sizes.index(-1)] = prod(x.sizes) // rest
    before = at.before(1)
    if before is not None and before[1] != given and prod(sizes) == prod(x.sizes):
        return _moved(at, "aten.view", {}, sizes)  # it follows the samples itself
    return viewed(at, sizes)


@runs("Flatten")
def flatten(at: At) -> Tensor:
    x = at.x()
    axis = at.node.integer("axis", 1)
    axis = axis + len(x.sizes) if axis < 0 else axis
    if axis and len(x.sizes):  # which keeps the samples where they are
        return viewed(at, (prod(x.sizes[:axis]), prod(x.sizes[axis:])))
    return viewed(at, (1, prod(x.sizes)))


@runs("Squeeze")
def squeeze(at: At) -> Tensor:
    x = at.x()
    axes = at.numbers("axes", 1)
    rank = len(x.sizes)
    before = at.before()
    own = before[0] if before is not None else x.sizes
    gone = {axis_of(a, rank) for a in axes} if axes is not None else {i for i, n in enumerate(own) if n == 1}
    bad = next((i for i in gone if own[i] != 1), None)
    if bad is not None:
        raise Misfit(f"axis {bad} of {written(x.sizes)} is not 1")
    return viewed(at, [n for i, n in enumerate(x.sizes) if i not in gone])


@runs("Unsqueeze")
def unsqueeze(at: At) -> Tensor:
    x = at.x()
    axes = at.numbers("axes", 1)
    if axes is None:
        raise Misfit("its axes are missing")
    rank = len(x.sizes) + len(axes)
    ones = {axis_of(a, rank) for a in axes}
    if len(ones) != len(axes):
        raise Misfit(f"its axes {axes} name one twice")
    rest = iter(x.sizes)
    return _moved(at, "aten.view", {}, [1 if i in ones else next(rest) for i in range(rank)])


@runs("Transpose")
def transpose(at: At) -> Tensor:
    x = at.x()
    order = permutation(at, len(x.sizes))
    sizes = [x.sizes[i] for i in order]
    if not x.flows and x.key:
        return Tensor(tuple(sizes), x.dtype, key=x.key)
    return at.write("aten.permute", {"self": x, "dims": order}, sizes)


@runs("Expand")
def expand(at: At) -> Tensor:
    x = at.x()
    given = at.values(1)
    if given is None:
        raise Misfit("its shape is missing")
    run, before = at.run, at.before()
    if before is not None and x.flows and len(before[0]) == len(given):
        # an axis that stays as it was holds the samples of this batch
        given = [n if m == one else m for m, one, n in zip(given, before[0], x.sizes, strict=True)]
    if not x.flows and run.example is not None and len(given) == len(x.sizes):
        # a start for the samples of the file, as of a recurrent layer, is one for those of the batch
        pairs = list(zip(x.sizes, given, strict=True))
        if any(n * run.batch == m * run.samples and n != m for n, m in pairs):
            sizes = tuple(m if n * run.batch == m * run.samples else n for n, m in pairs)
            x = Tensor(sizes, x.dtype, triangle=(0, 0) if run.is_zero(x) else None)
    return expanded(at, x, broadcast(x.sizes, tuple(given)))


def expanded(at: At, x: Tensor, sizes: Sequence[int]) -> Tensor:
    """A tensor whose values stand several times."""
    if (same := _uniform(at, x, sizes)) is not None:
        return same
    return at.write("aten.expand", {"self": x, "size": list(sizes)}, sizes)


def _uniform(at: At, x: Tensor, sizes: Sequence[int]) -> Tensor | None:
    """What holds the same number all over, of another size; ``None`` where it does not."""
    number = filling(at, x)
    return Tensor(tuple(sizes), x.dtype, triangle=(number, number)) if number is not None else None


@runs("Slice")
def slice_(at: At) -> Tensor:
    x = at.x()
    if (same := _uniform(at, x, [len(range(*one)) for one in cuts(at, x.sizes)])) is not None:
        return same
    for dim, (start, stop, step) in enumerate(cuts(at, x.sizes)):
        count = len(range(start, stop, step))
        if (start, stop, step) == (0, x.sizes[dim], 1):
            continue
        sizes = (*x.sizes[:dim], count, *x.sizes[dim + 1 :])
        if not count:
            return Tensor(sizes, x.dtype, [])  # as of what is rolled by nothing, to be joined with the rest
        if step < 0:
            x = at.write("aten.flip", {"self": x, "dims": [dim]}, sizes)
            continue
        args = {"self": x, "dim": dim, "start": start, "end": stop, "step": step}
        x = at.write("aten.slice", args, sizes)
    return x


@runs("Split")
def split(at: At) -> Sequence[Tensor]:
    x = at.x()
    dim = axis_of(at.node.integer("axis", 0), len(x.sizes))
    parts = at.numbers("split", 1)
    if parts is None:
        count = at.node.integer("num_outputs", len(at.node.outputs))
        each = -(-x.sizes[dim] // count)
        parts = [min(each, x.sizes[dim] - i * each) for i in range(count)]
    return cut(at, x, dim, parts)


def cut(at: At, x: Tensor, dim: int, parts: Sequence[int]) -> list[Tensor]:
    """A tensor in parts of some sizes along an axis."""
    if sum(parts) != x.sizes[dim] or min(parts, default=0) < 0 or len(parts) > VALUES:
        raise Misfit(f"{x.sizes[dim]} cannot be split into {list(parts)}")
    sizes = [(*x.sizes[:dim], n, *x.sizes[dim + 1 :]) for n in parts]
    return at.writes("aten.split_with_sizes", {"self": x, "dim": dim}, *sizes)


@runs("Concat")
def concat(at: At) -> Tensor:
    return join(at, [one for one in at.inputs if one is not None], at.node.integer("axis", 1))


def join(at: At, tensors: list[Tensor], axis: int) -> Tensor:
    """Tensors one behind the other along an axis."""
    if not tensors:
        raise Misfit("it reads nothing")
    rank = len(tensors[0].sizes)
    dim = axis_of(axis, rank)
    tensors = [one for one in tensors if one.sizes[dim : dim + 1] != (0,)] or tensors[:1]
    if len(tensors) == 1:
        return at.write("aten.alias", {"self": tensors[0]}, tensors[0].sizes)
    batch = at.run.batch
    if dim and any(one.sizes[:1] == (batch,) for one in tensors):
        ones = (1, at.run.samples)
        tensors = [
            expanded(at, one, (batch, *one.sizes[1:])) if one.sizes[0] in ones and not one.flows else one
            for one in tensors
        ]
    first = tensors[0].sizes
    for one in tensors:
        if len(one.sizes) != rank or any(
            n != m for i, (n, m) in enumerate(zip(one.sizes, first, strict=True)) if i != dim
        ):
            said = " and ".join(written(one.sizes) for one in tensors)
            raise Misfit(f"{said} do not fit together along axis {dim}")
    sizes = (*first[:dim], sum(one.sizes[dim] for one in tensors), *first[dim + 1 :])
    numbers = {filling(at, one) for one in tensors}
    if len(numbers) == 1 and None not in numbers:
        number = numbers.pop()
        return Tensor(sizes, tensors[0].dtype, triangle=(number, number))
    return at.write("aten.cat", {"tensors": tensors, "dim": dim}, sizes)


@runs("Tile")
def tile(at: At) -> Tensor:
    x, times = at.x(), at.values(1) or []
    if len(times) != len(x.sizes):
        raise Misfit("it has not as many repeats as axes")
    sizes = [n * t for n, t in zip(x.sizes, times, strict=True)]
    if all(t == 1 or n == 1 for n, t in zip(x.sizes, times, strict=True)):
        return expanded(at, x, sizes)
    return at.write("aten.repeat", {"self": x, "repeats": times}, sizes)


@runs("Pad")
def pad(at: At) -> Tensor:
    x = at.x()
    given = at.numbers("pads", 1)
    rank = len(x.sizes)
    axes = at.values(3)
    if given is None:
        raise Misfit("its pads are missing")
    axes = list(range(rank)) if axes is None else [axis_of(a, rank) for a in axes]
    if len(given) != 2 * len(axes):
        raise Misfit(f"{len(given)} pads are not two for each of {len(axes)} axes")
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(axes):
        pairs[axis] = (given[i], given[i + len(axes)])
    sizes = [n + a + b for n, (a, b) in zip(x.sizes, pairs, strict=True)]
    mode = {"edge": "replicate", "wrap": "circular"}.get(m := at.node.text("mode", "constant"), m)
    value = at.node.decimal("value", 0.0) if "value" in at.node.attributes else (at.values(2) or [0.0])[0]
    while pairs and pairs[0] == (0, 0):
        pairs.pop(0)
    flat = [n for pair in reversed(pairs) for n in pair]
    args = {"input": x, "pad": flat, "mode": mode, "value": value}
    return at.write("torch.pad", args, sizes)


@runs("DepthToSpace", "SpaceToDepth")
def depth_to_space(at: At) -> Tensor:
    """Squares of pixels as channels, or back; where these come first (DCR), it is no shuffle."""
    x = at.x()
    n, c, h, w = as_map(x, 2)
    f, apart = at.node.integer("blocksize", 1), at.node.op == "SpaceToDepth"
    if f < 1 or (apart and (h % f or w % f)):
        raise Misfit(f"{h}x{w} cannot be split into blocks of {f}")
    if not apart and c % (f * f):
        raise Misfit(f"{c} channels do not make blocks of {f}x{f}")
    sizes = (n, c * f * f, h // f, w // f) if apart else (n, c // f**2, h * f, w * f)
    if at.node.text("mode", "DCR") == "CRD":
        factor = {"downscale_factor": f} if apart else {"upscale_factor": f}
        return at.write(f"aten.pixel_{'unshuffle' if apart else 'shuffle'}", {"self": x, **factor}, sizes)
    split = (n, c, h // f, f, w // f, f) if apart else (n, f, f, c // f**2, h, w)
    order = [0, 3, 5, 1, 2, 4] if apart else [0, 3, 4, 1, 5, 2]
    x = at.write("aten.view", {"self": x}, split)
    x = at.write("aten.permute", {"self": x, "dims": order}, [split[i] for i in order])
    return at.write("aten.view", {"self": x}, sizes)


@runs("Col2Im")
def fold(at: At) -> Tensor:
    """Windows in a row laid on a map, of which each position is a sum."""
    x, (image, block) = at.x(), (at.x(i).values for i in (1, 2))
    if not image or not block or len(x.sizes) != 3:
        raise Misfit(f"{written(x.sizes)} is not made of windows of known sizes")
    stride, padding, dilation = windows_of(at, image, block)
    channels, rest = divmod(x.sizes[1], prod(block))
    each = zip(image, block, stride, padding, dilation, strict=True)
    count = prod(positions(False, *one) for one in each)
    if rest or x.sizes[2] != count:
        raise Misfit(f"{written(x.sizes)} is not {count} windows of {written(block)}")
    args = {"output_size": image, "kernel_size": block, "dilation": dilation, "padding": padding}
    even = not any(isinstance(one, tuple) for one in padding)
    said = "aten.col2im" if len(block) == 2 and even else "onnx.Col2Im"
    return at.write(said, {"self": x, **args, "stride": stride}, (x.sizes[0], channels, *image))
