"""Operations of ``keras.ops`` in a functional graph, and those of TensorFlow in files of Keras 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import prod
from typing import Any

from ...shape import broadcast as together
from .layers import (
    activated,
    activation,
    along,
    concatenated,
    dense,
    merged,
    permuted,
    regrouped,
    reshaped,
    subtracted,
    ungrouped,
    unknown,
)
from .placing import AXES_OF_OPS, LETTERS, Call, Held, layer, shaped, turned
from .saved import AXES, Constant, Slice

Arguments = dict[str, Any]

#: By their names in small letters, without underscores.
OPERATIONS: dict[str, Callable[[Call, Arguments], Held | list[Held]]] = {}


def operation(*names: str) -> Callable[[Any], Any]:
    """Say which operations a function places."""

    def added(function: Any) -> Any:
        OPERATIONS.update(dict.fromkeys(names, function))
        return function

    return added


def placed(call: Call) -> Held | list[Held]:
    """Place one call of an operation."""
    made = OPERATIONS.get(_plain(call.entry.kind))
    return (
        made(call, {**call.entry.config, **call.inbound.kwargs}) if made is not None else unknown(call, True)
    )


@layer("TFOpLambda", "SlicingOpLambda")
def _tf_operation(call: Call) -> Held | list[Held]:
    said = call.entry.config.get("function")
    name = _plain(said.rpartition(".")[2]) if isinstance(said, str) else ""
    made = OPERATIONS.get({"mul": "multiply", "sub": "subtract"}.get(name, name))
    if made is None or name == "getitem":
        return unknown(call, True)
    return made(call, dict(call.inbound.kwargs))


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def _operands(call: Call, given: Arguments) -> tuple[Any, Any]:
    """The two of an operation: tensors or numbers."""
    args = list(call.inbound.args)
    for name in ("x", "x1", "y", "x2"):
        if name in given and len(args) < 2:
            args.append(given[name])
    if len(args) < 2:
        raise call.entry.refuse(f"it takes two tensors or numbers, and is called with {len(args)}")
    return args[0], args[1]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10**30


def _with_number(call: Call, x: Held, kind: str, number: float, before: bool) -> Held:
    """A tensor and a number, of which one is the first."""
    y = x.tensor
    if kind == "multiply" or (kind == "divide" and before and number):
        return Held(call.put("scale", y, factor=number if kind == "multiply" else 1 / number), x.axes)
    if kind in ("add", "subtract"):
        if kind == "subtract" and not before:
            y = call.put("scale", y, factor=-1, suffix="negative")
        return Held(call.put("shift", y, amount=-number if kind == "subtract" and before else number), x.axes)
    if kind == "divide" and not before:
        return Held(
            call.put("scale", call.put("pow", y, exponent=-1, suffix="inverse"), factor=number), x.axes
        )
    if kind in ("maximum", "minimum"):
        bound: dict[str, Any] = {"min" if kind == "maximum" else "max": number}
        return Held(call.put("clamp", y, **bound), x.axes)
    if kind == "power" and before:
        return Held(call.put("pow", y, exponent=number), x.axes)
    return call.opaque(
        x.shape,
        like=x,
        tensors=[x],
        pointwise=True,
        kind=kind,
        reason=f"archlens has no op for the {kind} of a tensor and a number",
    )


def _with_constant(call: Call, x: Held, kind: str, constant: Constant) -> Held:
    """A tensor and one that stands in the file, the same for all samples."""
    sizes = constant.shape[-len(x.shape) :] if len(constant.shape) <= len(x.shape) else constant.shape[1:]
    found = together([x.shape, sizes])
    if found is None or (len(constant.shape) > len(sizes) and constant.shape[0] != 1):
        raise call.entry.refuse(
            f"{shaped(x.shape)} and a constant of {constant.shape} cannot be broadcast together"
        )
    alike = found == x.shape
    reason = f"archlens has no op for the {kind} of a tensor and constants"
    like = x if alike else None
    return call.opaque(found, like=like, tensors=[x], pointwise=alike, kind=kind, reason=reason)


def _binary(kind: str) -> Callable[[Call, Arguments], Held]:
    def binary(call: Call, given: Arguments) -> Held:
        a, b = _operands(call, given)
        if isinstance(a, Held) and isinstance(b, Held):
            if kind == "subtract":
                return subtracted(call, a, b)
            return merged(call, kind, (a, b))
        x = a if isinstance(a, Held) else b
        if not isinstance(x, Held):
            raise call.entry.refuse("it reads no tensor")
        other = b if x is a else a
        if _is_number(other):
            return _with_number(call, x, kind, other, x is a)
        if isinstance(other, Constant):
            return _with_constant(call, x, kind, other)
        return unknown(call, True)[0]

    return binary


for _kind, _names in {
    "add": ("add", "addv2", "biasadd"),
    "subtract": ("subtract",),
    "multiply": ("multiply",),
    "divide": ("divide", "truedivide", "truediv", "div"),
    "maximum": ("maximum",),
    "minimum": ("minimum",),
    "power": ("power", "pow"),
}.items():
    operation(*_names)(_binary(_kind))


def _one(call: Call) -> Held:
    """The one tensor that it reads."""
    return call.x


_ACTIVATIONS = {
    **{name: name for name in ("relu", "relu6", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "tanh")},
    **{name: name for name in ("softplus", "softsign", "swish", "celu", "squareplus")},
    "logsigmoid": "log_sigmoid",
    "hardtanh": "hard_tanh",
    "leakyrelu": "leaky_relu",
    "hardsigmoid": "hard_sigmoid",
    "hardsilu": "hard_silu",
    "hardswish": "hard_swish",
}


#: What it may be given beside a tensor, as the layer or function of Keras calls it.
_GIVEN: dict[str, dict[str, Any]] = {
    "gelu": {"approximate": True},
    "leaky_relu": {"negative_slope": 0.2},
    "elu": {"alpha": 1.0},
    "celu": {"alpha": 1.0},
}


def _as_activation(name: str) -> Callable[[Call, Arguments], Held]:
    def placed(call: Call, given: Arguments) -> Held:
        own = {key: given.get(key, default) for key, default in _GIVEN.get(name, {}).items()}
        return activation(call, _one(call), {"class_name": name, "config": own} if own else name)

    return placed


for _kind, _name in _ACTIVATIONS.items():
    operation(_kind)(_as_activation(_name))


def _as_along(name: str) -> Callable[[Call, Arguments], Held]:
    return lambda call, given: along(
        call, _one(call), -1 if given.get("axis") is None else given["axis"], name
    )


for _name in ("softmax", "log_softmax", "glu"):
    operation(_plain(_name))(_as_along(_name))


#: Functions of each value by itself, as ops.
_FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, {}) for name in ("exp", "log", "sqrt", "sin", "cos", "abs")},
    "absolute": ("abs", {}),
    "square": ("pow", {"exponent": 2}),
    "rsqrt": ("pow", {"exponent": -0.5}),
    "reciprocal": ("pow", {"exponent": -1}),
    "negative": ("scale", {"factor": -1}),
}


def _as_function(op: str, attributes: Arguments) -> Callable[[Call, Arguments], Held]:
    return lambda call, given: Held(call.put(op, _one(call).tensor, **attributes), _one(call).axes)


for _kind, (_name, _attributes) in _FUNCTIONS.items():
    operation(_kind)(_as_function(_name, _attributes))


@operation("clip")
def _clip(call: Call, given: Arguments) -> Held:
    least, most = given.get("x_min"), given.get("x_max")
    x = _one(call)
    if least is not None and most is not None and _is_number(least) and _is_number(most) and least <= most:
        return Held(call.put("clamp", x.tensor, min=least, max=most), x.axes)
    return call.opaque(x.shape, like=x, pointwise=True)


@operation("cast", "stopgradient", "identity", "copy")
def _nothing(call: Call, given: Arguments) -> Held:
    return _one(call)


@operation(
    *("expm1", "log1p", "log2", "log10", "tan", "sign", "erf", "floor", "ceil", "round", "isnan"),
    *("logicalnot", "arctan", "sinh", "cosh", "nantonum"),
)
def _pointwise(call: Call, given: Arguments) -> Held:
    x = _one(call)
    return call.opaque(x.shape, like=x, pointwise=True)


@operation("flip")
def _flipped(call: Call, given: Arguments) -> Held:
    x = _one(call)
    axis = given.get("axis")
    if axis is None:  # the batch, too
        return call.opaque(x.shape, like=x, tensors=[x])
    names = tuple([x.name_of(one) for one in call.entry.resolved("axis", axis, len(x.shape))])
    return Held(call.put("flip", x.tensor, axis=names if len(names) > 1 else names[0]), x.axes)


@operation("roll", "sort", "cumsum", "cumprod", "normalize")
def _of_same_shape(call: Call, given: Arguments) -> Held:
    x = _one(call)
    return call.opaque(x.shape, like=x, tensors=[x])


@operation(
    "greater", "greaterequal", "less", "lessequal", "equal", "notequal", "where", "logicaland", "logicalor"
)
def _compared(call: Call, given: Arguments) -> Held:
    tensors = [one for one in call.inbound.args if isinstance(one, Held)] or call.tensors
    return merged(call, call.entry.kind, tensors) if len(tensors) > 1 else _pointwise(call, given)


@operation("einsum")
def _einsum_of_tensors(call: Call, given: Arguments) -> Held:
    equation = next((one for one in call.inbound.args if isinstance(one, str)), given.get("subscripts"))
    tensors = [one for one in call.inbound.args if isinstance(one, Held)]
    if not isinstance(equation, str):
        return unknown(call, True)[0]
    left, arrow, out = equation.replace(" ", "").partition("->")
    parts = left.split(",")
    whole = arrow and len(parts) == len(tensors) == 2 and out[:1] == parts[0][:1] == parts[1][:1]
    if not whole or not (left.replace(",", "") + out).isalpha():
        return unknown(call, True)[0]
    sizes: dict[str, int] = {}
    for part, tensor in zip(parts, tensors, strict=True):
        if len(part) != len(tensor.shape) + 1 or any(
            sizes.setdefault(letter, n) != n for letter, n in zip(part[1:], tensor.shape, strict=True)
        ):
            raise call.entry.refuse(f"its equation {equation[:100]} does not fit {shaped(tensor.shape)}")
    if not set(out[1:]) <= set(sizes) or len(out) < 2:
        return unknown(call, True)[0]
    return call.opaque([sizes[letter] for letter in out[1:]], tensors=tensors, macs=prod(sizes.values()))


@operation("swapaxes")
def _swapped(call: Call, given: Arguments) -> Held:
    x = _one(call)
    rank = len(x.shape)
    one, other = (call.entry.resolved(key, given.get(key), rank)[0] for key in ("axis1", "axis2"))
    order = list(range(rank))
    order[one], order[other] = other, one
    return permuted(call, x, order)


@operation("argmax", "argmin")
def _place_of(call: Call, given: Arguments) -> Held:
    x = _one(call)
    axes = call.entry.resolved("axis", given.get("axis"), len(x.shape))
    keep = given.get("keepdims") is True
    return call.opaque([1 if i in axes else n for i, n in enumerate(x.shape) if keep or i not in axes])


@operation("stack")
def _stacked(call: Call, given: Arguments) -> Held:
    tensors = call.tensors
    x = tensors[0]
    if any(one.shape != x.shape for one in tensors):
        raise call.entry.refuse("it stacks tensors of several shapes")
    (place,) = call.entry.resolved("axis", given.get("axis", 0), len(x.shape) + 1)
    return call.opaque((*x.shape[:place], len(tensors), *x.shape[place:]))


@operation("repeat")
def _repeated(call: Call, given: Arguments) -> Held:
    x, count = _one(call), given.get("repeats")
    if type(count) is not int or not 1 <= count <= 10**6:
        return unknown(call, True)[0]
    (place,) = call.entry.resolved("axis", given.get("axis"), len(x.shape))
    return call.opaque([n * count if i == place else n for i, n in enumerate(x.shape)])


@operation("tile")
def _tiled(call: Call, given: Arguments) -> Held:
    x, said = _one(call), given.get("repeats")
    counts = [n for n in said if type(n) is int and 1 <= n <= 10**6] if isinstance(said, list) else []
    if len(counts) != len(x.shape) + 1 or said != counts or counts[0] != 1:
        return unknown(call, True)[0]
    return call.opaque([n * count for n, count in zip(x.shape, counts[1:], strict=True)])


@operation("onehot")
def _one_hot(call: Call, given: Arguments) -> Held:
    count = given.get("num_classes")
    if type(count) is not int or not 1 <= count <= 10**9 or given.get("axis", -1) != -1:
        return unknown(call, True)[0]
    return call.opaque((*_one(call).shape, count))


@operation("take")
def _taken(call: Call, given: Arguments) -> Held:
    """Some positions along an axis; those in a row are cut out, and one alone takes the axis away."""
    x = _one(call)
    picked = call.inbound.args[1] if len(call.inbound.args) > 1 else given.get("indices")
    said = picked if isinstance(picked, list) else [picked]
    indices = [i for i in said if type(i) is int]
    if given.get("axis") is None or not indices or len(indices) < len(said):
        return unknown(call, True)[0]
    (place,) = call.entry.resolved("axis", given["axis"], len(x.shape))
    size = x.shape[place]
    if any(not -size <= i < size for i in indices):
        raise call.entry.refuse(f"its index {max(indices, key=abs)} is outside an axis of {size}")
    indices = [i % size for i in indices]
    sizes = [len(indices) if i == place else n for i, n in enumerate(x.shape)]
    if indices != list(range(indices[0], indices[0] + len(indices))):
        return call.opaque(sizes)
    stop = indices[-1] + 1
    cut = Held(call.put("slice", x.tensor, start=indices[0], stop=stop, axis=x.name_of(place)), x.axes)
    left = [n for i, n in enumerate(sizes) if i != place]
    return cut if isinstance(picked, list) or not left else reshaped(call, cut, left)


@operation("maxpool", "averagepool")
def _pooled(call: Call, given: Arguments) -> Held | list[Held]:
    stem = "Max" if _plain(call.entry.kind) == "maxpool" else "Average"
    return _as_layer(call, f"{stem}Pooling{len(_one(call).shape) - 1}D", {})


@operation("resize")
def _resized(call: Call, given: Arguments) -> Held | list[Held]:
    size = given.get("size")
    if not isinstance(size, list) or len(size) != 2:
        return unknown(call, True)[0]
    return _as_layer(call, "Resizing", {"height": size[0], "width": size[1]})


def _as_layer(call: Call, kind: str, config: Arguments) -> list[Held]:
    """What a layer does, whose name is another."""
    entry = replace(call.entry, kind=kind, module="keras.layers", config={**call.entry.config, **config})
    inside = Call(call.placing, entry, call.name, call.inbound, call.after, call.before)
    return call.placing.run(inside, 0)


@operation("moveaxis")
def _moved(call: Call, given: Arguments) -> Held:
    x = _one(call)
    rank = len(x.shape)
    source, to = (call.entry.resolved(key, given.get(key), rank) for key in ("source", "destination"))
    if len({*source}) != len(source) or len({*to}) != len(to) or len(source) != len(to):
        raise call.entry.refuse("it moves an axis twice")
    order = [axis for axis in range(rank) if axis not in source]
    for place, axis in sorted(zip(to, source, strict=True)):
        order.insert(place, axis)
    return permuted(call, x, order)


@operation("concatenate", "concat")
def _concat(call: Call, given: Arguments) -> Held:
    return concatenated(call, call.tensors, given.get("axis", -1))


@operation("reshape")
def _reshape(call: Call, given: Arguments) -> Held:
    target = given.get("newshape", given.get("shape"))
    x = _one(call)
    if not isinstance(target, list) or len(target) < 2:
        return unknown(call, True)[0]
    batch, *sizes = target
    sizes = [-1 if n is None else n for n in sizes]
    if batch not in (-1, None) or isinstance(batch, bool):
        raise call.entry.refuse("it reshapes the batch as well")
    return reshaped(call, x, sizes)


@operation("expanddims", "squeeze")
def _expand(call: Call, given: Arguments) -> Held:
    x = _one(call)
    axis, rank = given.get("axis"), len(x.shape)
    more = _plain(call.entry.kind) == "expanddims"
    if type(axis) is not int:
        return unknown(call, True)[0]
    (place,) = call.entry.resolved("axis", axis, rank + 1 if more else rank)
    if more:
        return reshaped(call, x, (*x.shape[:place], 1, *x.shape[place:]))
    if x.shape[place] != 1 or rank == 1:
        raise call.entry.refuse(f"it squeezes axis {place + 1} of {shaped(x.shape)}, which cannot go")
    return reshaped(call, x, (*x.shape[:place], *x.shape[place + 1 :]))


@operation("transpose")
def _transpose(call: Call, given: Arguments) -> Held:
    x = _one(call)
    axes = given.get("axes", given.get("perm"))
    if (
        not isinstance(axes, list)
        or axes[:1] != [0]
        or sorted(map(str, axes)) != sorted(map(str, range(len(x.shape) + 1)))
    ):
        raise call.entry.refuse(f"its axes must be 0 and then 1 to {len(x.shape)} in another order")
    return permuted(call, x, [int(axis) - 1 for axis in axes[1:]])


@operation("mean", "reducemean", "max", "reducemax", "sum", "reducesum", "min", "prod", "var", "std")
def _reduced(call: Call, given: Arguments) -> Held:
    x = _one(call)
    axis, rank = given.get("axis"), len(x.shape)
    if axis is None:
        raise call.entry.refuse("it reduces over the batch")
    axes = set(call.entry.resolved("axis", axis, rank))
    keep = given.get("keepdims") is True
    kind = _plain(call.entry.kind).removeprefix("reduce")
    shape = [1 if i in axes else n for i, n in enumerate(x.shape) if keep or i not in axes]
    channels = ({*range(rank)} - axes).pop() if len(axes) == rank - 1 else -1
    found = call.with_channels(x, channels) if rank in (2, 3, 4) and channels >= 0 else None
    if kind in ("mean", "max") and found is not None:
        y = call.put("global_avg_pool" if kind == "mean" else "global_max_pool", found[0])
        if keep:
            return Held(y, found[1])
        return Held(call.put("flatten", y, suffix="flatten"), (0,))
    if not shape:
        raise call.entry.refuse("its output is a single number per sample")
    names = tuple([name for i, name in zip(x.axes, x.tensor.shape.names, strict=True) if i in axes])
    if kind in ("mean", "max") and AXES_OF_OPS.issuperset(names):
        left = [i for i in x.axes if i not in axes]
        along = names if len(names) > 1 else names[0]
        op = "mean" if kind == "mean" else "amax"
        if keep:
            return Held(call.put(op, x.tensor, axis=along, keep=True), x.axes)
        if x.channel in left or len(left) == 1:
            order = tuple([sorted(left).index(i) for i in left])
            return Held(call.put(op, x.tensor, axis=along), order)
        y = call.put(op, x.tensor, axis=along, keep=True)
        before = " ".join("1" if i in axes else LETTERS[i] for i in x.axes)
        after = " ".join(LETTERS[i] for i in sorted(left))
        last = not call.placing.first
        pattern = f"{before} -> {after}"
        y = call.put("rearrange", y, pattern=pattern, channels="last" if last else "first", suffix="squeeze")
        return Held(y, tuple(range(len(left))))
    return call.opaque(shape)


@operation("matmul")
def _matmul(call: Call, given: Arguments) -> Held:
    x, y = _operands(call, given)
    if not isinstance(x, Held) or not isinstance(y, Held):
        return unknown(call, True)[0]
    a, b = x.shape, y.shape
    if len(a) != len(b) or len(a) < 2 or a[:-2] != b[:-2] or a[-1] != b[-2]:
        raise call.entry.refuse(f"it multiplies {shaped(a)} and {shaped(b)}, whose sizes do not fit")
    shape = (*a[:-1], b[-1])
    made = call.put("matmul", call.last(x), call.last(y))
    return Held(made, tuple(range(len(shape))))


@operation("split")
def _split(call: Call, given: Arguments) -> list[Held]:
    x = _one(call)
    count, axis = given.get("indices_or_sections", given.get("num_or_size_splits")), given.get("axis", 0)
    if type(count) is not int or type(axis) is not int:
        return unknown(call, True)
    (place,) = call.entry.resolved("axis", axis, len(x.shape))
    size = x.shape[place]
    if not 1 <= count <= 64 or size % count:
        raise call.entry.refuse(f"it cannot split {size} positions into {count} equal parts")
    each = size // count
    return [
        _part(call, x, place, i * each, (i + 1) * each, f"{i}" if count > 1 else "") for i in range(count)
    ]


def _part(call: Call, x: Held, place: int, start: int, stop: int, suffix: str = "") -> Held:
    """Positions of one axis."""
    size = x.shape[place]
    names = x.tensor.shape.names
    name = names[x.axes.index(place)]
    stop_said = None if stop == size else stop
    if name in ("channels", "length", "depth", "height", "width"):
        made = call.put("slice", x.tensor, start=start, stop=stop_said, axis=name, suffix=suffix)
        return Held(made, x.axes)
    shape = (*x.shape[:place], stop - start, *x.shape[place + 1 :])
    return call.opaque(shape, like=x, tensors=[x], suffix=suffix)


@operation("getitem")
def _item(call: Call, given: Arguments) -> Held:
    args = call.inbound.args
    x = args[0] if args and isinstance(args[0], Held) else call.x
    key = args[1] if len(args) > 1 else given.get("key")
    listed = key if isinstance(key, list) else [key]
    if len(listed) > AXES + 1 or listed[:1] != [Slice(None, None, None)]:
        return unknown(call, True)[0]
    cut, single = [], []
    for place, one in enumerate(listed[1:]):
        if place >= len(x.shape):
            raise call.entry.refuse(f"it slices {len(listed)} axes of {shaped(x.shape)}")
        if type(one) is int and -x.shape[place] <= one < x.shape[place]:
            start = one % x.shape[place]
            single.append(place)
            one = Slice(start, start + 1, None)
        if (
            not isinstance(one, Slice)
            or one.step not in (None, 1)
            or not _whole(one.start)
            or not _whole(one.stop)
        ):
            return unknown(call, True)[0]
        start, stop, _ = slice(one.start, one.stop).indices(x.shape[place])
        if stop <= start:
            raise call.entry.refuse(f"nothing is left of axis {place + 1} of {shaped(x.shape)}")
        if (start, stop) != (0, x.shape[place]):
            cut.append((place, start, stop))
    for number, (place, start, stop) in enumerate(cut):
        x = _part(call, x, place, start, stop, f"{number}" if len(cut) > 1 or single else "")
    left = [n for place, n in enumerate(x.shape) if place not in single]
    if single and not left:
        raise call.entry.refuse("its output is a single number per sample")
    return reshaped(call, x, left)


def _whole(value: Any) -> bool:
    return value is None or (type(value) is int and abs(value) <= 10**18)


@operation("pad")
def _pad(call: Call, given: Arguments) -> Held:
    x = _one(call)
    sides = given.get("pad_width", given.get("paddings"))
    if (
        not isinstance(sides, list)
        or len(sides) != len(x.shape) + 1
        or not all(
            isinstance(p, list) and len(p) == 2 and all(type(n) is int and 0 <= n < 10**9 for n in p)
            for p in sides
        )
        or any(sides[0])
    ):
        return unknown(call, True)[0]
    shape = [n + sum(pair) for n, pair in zip(x.shape, sides[1:], strict=True)]
    rank = len(shape)
    if (
        rank in (2, 3, 4)
        and given.get("mode", "constant") == "constant"
        and not any(sides[-1])
        and not call.placing.first
    ):
        y = call.placing.arranged(x, turned(rank), False, call.name)
        return Held(call.put("pad", y, padding=tuple(map(tuple, sides[1:-1]))), turned(rank))
    return call.opaque(shape, tensors=[x])


@layer("EinsumDense")
def _einsum_dense(call: Call) -> Held:
    return activated(call, _einsum(call))


def _as_product(
    call: Call, source: str, kernel: str, out: str, sizes: Mapping[str, int], bias: str
) -> Held | None:
    """A product of each row with a matrix, which may be another for each group; ``None`` where it is none.

    Letters of the kernel that are in both other parts are groups, those that go are summed, and the others
    are made; letters that are in both but not in the kernel are positions.
    """
    x, (source, out) = call.x, (source[1:], out[1:])
    groups = [one for one in out if one in kernel and one in source]
    summed = [one for one in source if one in kernel and one not in out]
    made = [one for one in out if one not in source]
    rows = [one for one in out if one in source and one not in kernel]
    once = all(len({*one}) == len(one) for one in (source, kernel, out))
    if not once or not summed or {*groups, *summed, *made} != {*kernel} or {*source} - {*rows} - {*kernel}:
        return None
    if bias and {*bias} != {*groups, *made}:
        return None
    count = prod(sizes[one] for one in (*groups, *made))
    read, gives = (
        [[whole.index(one) for one in part] for part in parts]
        for whole, parts in ((source, ([*groups, *summed], rows)), (out, ([*groups, *made], rows)))
    )
    if not groups:
        read, gives = ([part for part in parts[::-1] if part] for parts in (read, gives))
    y = regrouped(call, x, read, last=not groups)
    if groups:
        number = prod(sizes[one] for one in groups)
        y = call.put("conv", y, channels=count, kernel=1, groups=number, bias=bool(bias))
    else:
        y = call.put("linear", y, features=count, bias=bool(bias))
    return ungrouped(call, y, gives if made else [*gives, []], [sizes[one] for one in out])


def _einsum(call: Call) -> Held:
    """A product with a kernel whose axes an equation names: ``"abc,cde->abde"``."""
    entry, x = call.entry, call.x
    equation = entry.config.get("equation")
    if not isinstance(equation, str) or len(equation) > 100 or equation.count("->") != 1:
        raise entry.wrong("equation", 'a string such as "abc,cd->abd"')
    left, _, out = equation.replace(" ", "").partition("->")
    source, _, kernel = left.partition(",")
    rank = len(x.shape) + 1
    spare = "ABCDEFGHIJ"[: max(rank - len(source.replace("...", "")), 0)]
    source, out = source.replace("...", spare), out.replace("...", spare)
    given = entry.config.get("output_shape")
    listed: Any = given if isinstance(given, list) else [given]
    if len(source) != rank or not (source + kernel + out).isalpha():
        raise entry.refuse(f"its equation {equation} does not fit {shaped(x.shape)}")
    sizes = dict(zip(source[1:], x.shape, strict=True))
    known: list[Any] = [None] * (len(out) - 1 - len(listed)) + listed
    for letter, size in zip(out[1:], known, strict=False):
        if letter not in sizes:
            if type(size) is not int or not 1 <= size <= 10**9:
                raise entry.refuse(f"its output_shape does not say the size of {letter} in {equation}")
            sizes[letter] = size
    if not set(kernel + out[1:]) <= set(sizes):
        raise entry.refuse(f"nothing says all sizes of its equation {equation}")
    weights = {"kernel": tuple([sizes[letter] for letter in kernel])}
    bias = entry.config.get("bias_axes")
    if isinstance(bias, str) and bias:
        if not set(bias) <= set(sizes):
            raise entry.refuse(f"its bias_axes {bias[:20]} are not in {equation}")
        least = min(out.index(letter) for letter in bias if letter in out)
        weights["bias"] = tuple([sizes[letter] if letter in bias else 1 for letter in out[least:]])
    shape = [sizes[letter] for letter in out[1:]]
    if (
        source[-1] == kernel[:1]
        and out == source[:-1] + kernel[1:]
        and len(kernel) == 2
        and bias in (None, "", out[-1])
    ):
        return dense(call, x, sizes[out[-1]], bool(bias))
    made = _as_product(call, source, kernel, out, sizes, bias or "")
    if made is not None:
        return made
    macs = prod(sizes[letter] for letter in {*source[1:], *kernel})
    return call.opaque(shape, weights=weights, macs=macs, reason="archlens has no op for this equation")
