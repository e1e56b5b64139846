"""Whether receptive fields are what torch does, by planted NaNs.

A NaN in one row of the input turns exactly those outputs to NaN that see the row. Rows that follow each
other, as many as the largest effective stride, are planted one a sample of one batch, so that each layer
has an output whose field begins in one of them, and one whose field ends there. The network that runs is a
twin with few channels, on an input that is long along one axis and short along the others: fields depend on
neither. This file imports torch; only what has already asked for torch imports it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache, partial
from math import inf
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..analysis import receptive_field
from ..analysis.receptive_field import Limit, ReceptiveFields, Seen
from ..errors import ArchlensError, shorten
from ..geometry import Field
from ..grouping import grouped
from ..network import Layer, Network
from ..ops import NOWHERE, Call, NonUniform, all_channels
from ..ops.attention import Attention
from ..ops.merge import Elementwise
from ..ops.opaque import UNKNOWN
from ..shape import Ids, Shape, times
from . import effort, modules
from .checks import FAILED, NOT_APPLICABLE, PASSED, Check
from .effort import Allowance, Effort
from .torch_module import find, is_module

#: The longest axis that is tried, and the most rows that a NaN is planted in.
_LONGEST, _ROWS = 8192, 64

#: The most channels of a tensor in the twin.
_CHANNELS = 8

#: As many bytes of tensors are there at a time; where the rows of all NaNs take more, they run apart.
_TOGETHER = 2 * 10**9

#: How the reason begins for which NaNs are not planted.
_LEFT_OUT = "planting NaNs would take about"


#: What modules do on a few channels, by the call and their number; ``None`` where nobody has said.
Thin = dict[tuple[str, int], Callable[..., Tensor] | None]


def probe(network: Network, allowance: Allowance, thin: Thin | None = None) -> Iterator[Check]:
    """A check of the receptive field for every layer that has spatial axes.

    It is looked at on longer inputs, where the network can be had on them: on its own the fields of deep
    layers may cover everything, and so show no border.

    Args:
        network: what is probed.
        allowance: the work that may be done; what takes more is left out, and said.
        thin: what was made for other networks, which this one adds to.
    """
    made: Thin = {} if thin is None else thin
    found = grouped(
        (check.layer, check) for name in network.inputs for check in _of_input(network, name, allowance, made)
    )
    together = [_together(layer.name, found.get(layer.name, [])) for layer in network if layer.shape.spatial]
    yield from together
    left_out = [check.reason for check in together if check.reason.startswith(_LEFT_OUT)]
    if left_out:
        reason = f"of {len(left_out):,} layers, {left_out[0]}"
        yield Check("", "field", NOT_APPLICABLE, "", "", reason)


def _of_input(network: Network, name: str, allowance: Allowance, thin: Thin) -> Iterator[Check]:
    """The checks along all axes of an input."""
    if too_much := _too_much(Effort(effort.of_fields(network, laid_out=False), 0), allowance):
        yield from _left_out(network, too_much)
        return
    fields = receptive_field.find(network, name)
    for axis in range(len(network.inputs[name].spatial)):
        yield from _along(fields, axis, allowance, thin)


def _left_out(network: Network, why: str) -> Iterator[Check]:
    for layer in network:
        if layer.shape.spatial:
            yield Check(layer.name, "field", NOT_APPLICABLE, "", "", why)


def _together(layer: str, checks: list[Check]) -> Check:
    """One check of a layer, from those along each axis: the first that failed, or passed, or says why not."""
    for status in (FAILED, PASSED, NOT_APPLICABLE):
        for check in checks:
            if check.status == status:
                return check
    return Check(layer, "field", NOT_APPLICABLE, "", "", "the inputs have no spatial axes")


def _along(fields: ReceptiveFields, axis: int, allowance: Allowance, thin: Thin) -> Iterator[Check]:
    """The checks along one axis of one input; of what only the own input has a field of, on that."""
    found: dict[str, Check] = {}
    for narrow in (True, False):
        long = _lengthened(fields, axis, allowance, narrow=narrow)
        found = {check.layer: check for check in _on(long, fields, axis, None, allowance, thin)}
        # on a narrow map a dilated window may hold nothing but padding: then its own width decides
        if not any(check.status == FAILED for check in found.values()) or long is fields:
            break
    # what shows no border there: fields whose ends lie far apart, as those of blocks do, are probed where
    # they end; and those that there are on the own input only, on that
    for tried in (long, fields):
        left = [
            name
            for name, check in found.items()
            if check.status == NOT_APPLICABLE
            and isinstance(tried.seen[name], tuple)
            and not (check.reason.startswith(_LEFT_OUT) and tried.network.inputs == long.network.inputs)
        ]
        if left:
            again = {check.layer: check for check in _on(tried, fields, axis, left, allowance, thin)}
            found |= {name: again[name] for name in left}
    yield from found.values()


def _on(
    probed: ReceptiveFields,
    fields: ReceptiveFields,
    axis: int,
    layers: list[str] | None,
    allowance: Allowance,
    thin: Thin,
) -> Iterator[Check]:
    """The checks along one axis, run on a network that may be longer than that of the fields.

    With ``layers`` the NaNs go where the fields of the middle outputs of those begin and end.
    """
    network = probed.network
    rows = _rows(probed, axis) if layers is None else _borders(probed, axis, layers)
    size = network.inputs[fields.input].spatial[axis] if probed is fields else None
    twin = _Twin(network, thin)
    needed = effort.of_twin(network, len(rows), full=twin.full)
    if too_much := _too_much(needed, allowance):
        yield from _left_out(network, too_much)
        return
    most = max(1, len(rows) * _TOGETHER // max(needed.bytes, 1))
    # layers that follow each other see the same where they look at one position each
    expected = lru_cache(maxsize=4)(partial(_expected, rows, size))
    gaps = _behind_gaps(probed.network)
    for layer, touched, why in twin.run_in_parts(fields.input, axis, rows, most):
        if not layer.shape.spatial or layer.name not in fields.network.index:
            continue  # a loop over positions has more layers where there are more of them
        seen, says = probed[layer.name], _said(fields[layer.name])
        if touched is not None:
            limits = probed.limits.get(layer.name)
            limit = limits[axis] if limits else None
            status, found, reason = _compared(seen, axis, rows, touched, limit, expected)
            if found == _UNSEEN and layer.name in gaps:
                status, found, reason = NOT_APPLICABLE, "", "windows with gaps have left out what was tried"
            where = f"{found} on an input of {network.inputs[fields.input]}" if found else ""
            yield Check(layer.name, "field", status, says, where, reason)
        else:
            reason = seen.reason if isinstance(seen, NonUniform) else why
            yield Check(layer.name, "field", NOT_APPLICABLE, says, "", reason)


#: What is found where a layer should see everything, and not all see what was tried.
_UNSEEN = "no output sees the middle"


def _behind_gaps(network: Network) -> set[str]:
    """The layers behind windows that leave out positions between them, or within them."""
    found: set[str] = set()
    for layer in network:
        reach = layer.facts.reach
        windows = reach if isinstance(reach, tuple) else ()
        for x in () if windows else layer.input_shapes[:1]:  # a parameter reads nothing
            windows = layer.op.windows(x)
        if not found.isdisjoint(layer.inputs) or any(
            not one.transposed and (one.stride > one.kernel or one.dilation > 1) for one in windows
        ):
            found.add(layer.name)
    return found


def _too_much(needed: Effort, allowance: Allowance) -> str:
    """Why NaNs are not planted; empty where they may be, and the work is taken."""
    if allowance.left < inf and needed.bytes > effort.MOST_PLANTED:
        return (
            f"{_LEFT_OUT} {effort.megabytes(needed.bytes)}, and {effort.megabytes(effort.MOST_PLANTED)} are "
            "allowed without --unbounded"
        )
    if not allowance.take(needed.work):
        left = f"{max(int(allowance.left), 0) // 10**9:,} G"
        return f"{_LEFT_OUT} {effort.said_of(needed.work)}, and {left} are left without --unbounded"
    return ""


def _said(seen: Seen) -> str:
    if isinstance(seen, tuple):
        strides = {str(field.stride): None for field in seen}
        starts = {str(field.start): None for field in seen}
        sizes = times(field.size for field in seen)
        return f"{sizes}, stride {' and '.join(strides)}, from {' and '.join(starts)}"
    return "nothing" if seen is None else seen.reason if isinstance(seen, NonUniform) else "everywhere"


def _compared(
    seen: Seen,
    axis: int,
    rows: list[int],
    touched: Tensor,
    limit: Limit | None,
    expected: Callable[[Field, int, Limit | None], _Expected],
) -> tuple[str, str, str]:
    """How what turned to NaN (rows x outputs) compares with what is predicted: status, finding, reason."""
    if isinstance(seen, NonUniform):
        return NOT_APPLICABLE, "", seen.reason
    if seen is None:
        return (FAILED, "it sees the input", "") if touched.any() else (PASSED, "as predicted", "")
    if not isinstance(seen, tuple):
        whole = touched.all(1)
        if touched.any(1).ne(whole).any():
            return FAILED, "some outputs do not see what others see", ""
        if limit is not None and not any(limit.inner[0] <= row < limit.inner[1] for row in rows):
            return NOT_APPLICABLE, "", "a crop or a slice before it has cut off what was tried"
        return (PASSED, "as predicted", "") if whole.any() else (FAILED, _UNSEEN, "")
    inside, border, certain = expected(seen[axis], touched.shape[1], limit)
    if not (touched | ~border).all():
        border = certain
    for found, allowed, says in ((touched, inside, "sees"), (border, touched, "does not see")):
        wrong = found & ~allowed
        if wrong.any():
            row, output = (int(i) for i in wrong.nonzero()[0])
            return FAILED, f"output {output} {says} position {rows[row]}", ""
    if not border.any():
        return NOT_APPLICABLE, "", f"its field of {seen[axis].size:,} has no border within the input tried"
    return PASSED, "as predicted", ""


class _Expected(NamedTuple):
    """What NaNs in some rows touch by a field: rows x outputs."""

    #: Which outputs may see them.
    inside: Tensor
    #: Which have to, since their field begins or ends there.
    border: Tensor
    #: Those of them that do wherever the input ends.
    certain: Tensor


def _expected(
    rows: list[int], size: int | None, field: Field, outputs: int, limit: Limit | None
) -> _Expected:
    """What is touched by NaNs in these rows of the input.

    Behind a cut nothing outside its ``limit`` may be seen, and a field that reaches out of it ends there.

    With a ``size``, that of the input, only outputs whose whole field lies within it have to see its ends:
    near the border of a short input a field may end in what a layer on the way cuts off or pads.
    """
    starts, stops = _intervals(field, outputs)
    planted = torch.tensor(rows).unsqueeze(1)
    inside = (starts <= planted) & (planted < stops)
    first, last = planted == starts, planted == stops - 1
    if limit is not None:
        first, last = first & (limit.inner[0] <= starts), last & (stops <= limit.inner[1])
    border = inside & (first | last)
    if limit is not None:
        inside &= (limit.start <= planted) & (planted < limit.stop)
    certain = border if size is None else border & (starts >= 0) & (stops <= size)
    return _Expected(inside, border, certain)


def _intervals(field: Field, outputs: int) -> tuple[Tensor, ...]:
    """Where what each output sees starts and stops."""
    output = torch.arange(outputs)
    turns, phase = output // field.period, output % field.period
    return tuple(torch.tensor(ends)[phase] + turns * field.step for ends in (field.starts, field.stops))


# --- on which input -----------------------------------------------------------------------------------


def _lengthened(fields: ReceptiveFields, axis: int, allowance: Allowance, *, narrow: bool) -> ReceptiveFields:
    """Those on an input that is longer than the fields along one axis, and short along the others."""
    network = fields.network
    shape = network.inputs[fields.input]
    own = shape.spatial
    stride = _stride(fields, axis)
    # so long that each layer has an output whose field begins in the middle, and one whose field ends there
    ends = [max(seen[axis].stops) for seen in fields.seen.values() if isinstance(seen, tuple)]
    needed = min(2 * max(ends, default=0) + 3 * stride, _LONGEST)
    # a whole number of strides more than its own size, so that "same" pads alike
    length = own[axis] + max(-(-(needed - own[axis]) // stride), 0) * stride
    for short in (8, 16, 32, 64, 128, 0) if narrow else (0,):
        other = [min(n, n % stride + -(-short // stride) * stride) if short else n for n in own]
        other[axis] = length
        if min(other) < 1:
            continue
        if not allowance.take(effort.of_fields(network, laid_out=True)):
            break
        try:
            given = {fields.input: shape.with_spatial(other)}
            return receptive_field.find(network.with_input(given, advice=False), fields.input)
        except ArchlensError:
            continue
    return fields


def _stride(fields: ReceptiveFields, axis: int) -> int:
    """The largest effective stride of all layers, rounded up."""
    known = [seen[axis] for seen in fields.seen.values() if isinstance(seen, tuple)]
    return max((-(-field.step // field.period) for field in known), default=1) or 1


def _rows(fields: ReceptiveFields, axis: int) -> list[int]:
    """The rows that get a NaN: around the middle, as many as the largest effective stride."""
    size = fields.network.inputs[fields.input].spatial[axis]
    count = min(_stride(fields, axis), _ROWS, size)
    first = (size - count) // 2
    return list(range(first, first + count))


def _borders(fields: ReceptiveFields, axis: int, layers: list[str]) -> list[int]:
    """The rows where the field of a layer's middle output begins and ends, inside and outside."""
    size = fields.network.inputs[fields.input].spatial[axis]
    rows = {size // 2: None}
    for name in layers:
        seen = fields[name]
        outputs = fields.network.shape_of(name).spatial
        if isinstance(seen, tuple):
            for output in ((outputs[axis] - 1) // 2, 0, outputs[axis] - 1):
                start, stop = seen[axis].at(output)
                rows |= dict.fromkeys(row for row in (start - 1, start, stop - 1, stop) if 0 <= row < size)
    return sorted(list(rows)[:_ROWS])


# --- the twin -----------------------------------------------------------------------------------------


#: What values of a twin stay below; a NaN stays one.
_LARGE = 1e20


class _Twin:
    """A network with as few channels as will do, run layer by layer.

    Where a layer takes some channels and not others, which ones matters, and a reshape wants them all. In a
    network that has such a layer a tensor has one channel as long as the same is NaN in all of them, and
    else every channel.
    """

    def __init__(self, network: Network, thin: Thin) -> None:
        self.network = network
        self.modules = thin
        self.whole = any(_is_apart(layer) for layer in network.layers)
        runs = [la for la in network.layers if self.whole and la.facts.torch.target != UNKNOWN]
        self.mixing = frozenset(layer.name for layer in runs if _mixes(layer))
        self.apart = frozenset(layer.name for layer in runs if _tells_apart(layer))
        #: The layers whose tensor may have every channel.
        self.full: set[str] = set()
        for layer in runs:
            if layer.name in self.apart or self.full.intersection(layer.inputs):
                self.full |= {layer.name} - self.mixing
        #: What layers of some facts do on so many channels: small modules, which repeats share.
        self.thin: dict[tuple[int, int], Callable[..., Tensor] | None] = {}
        #: What layers of some facts gave that is NaN everywhere, and what of it is touched, by what they read
        #: where each of that was NaN everywhere or nowhere: repeats share it.
        self.flooded: dict[tuple[Any, ...], tuple[Tensor, Tensor]] = {}

    def run(self, input: str, axis: int, rows: list[int]) -> Iterator[tuple[Layer, Tensor | None, str]]:
        """Plant a NaN in each of the rows, one a sample, and see where it comes out.

        Each layer with what turned to NaN, rows x outputs along the axis; or without, and why it was not run.
        One at a time: what is kept of each would lie where a large tensor was, and the next not fit there.
        """

        def planted(name: str, shape: Shape) -> Tensor:
            x = torch.rand(len(rows), 1, *shape.spatial)
            if name == input:
                for sample, row in enumerate(rows):
                    x[sample].select(axis + 1, row).fill_(torch.nan)
            return x.movedim(1, -1) if shape.channels_last else x

        inputs = self.network.inputs
        values = {name: planted(name, shape) for name, shape in inputs.items() if not isinstance(shape, Ids)}
        last = {name: n for n, layer in enumerate(self.network.layers) for name in layer.inputs}
        unreached = inputs.keys() - {input}
        #: Of what is NaN everywhere or nowhere, which.
        floods: dict[str, bool] = {}
        for n, layer in enumerate(self.network.layers):
            touched, why = None, ""
            if layer.facts.reach is NOWHERE or unreached.issuperset(layer.inputs):
                unreached.add(layer.name)
            if any(isinstance(shape, Ids) for shape in layer.input_shapes):
                values[layer.name] = planted(layer.inputs[0] if layer.shape.spatial else "", layer.shape)
                why = "no id is a NaN: they are planted in what is looked up"
            elif layer.name in unreached and not all(self.network.shape_of(x).spatial for x in layer.inputs):
                values[layer.name] = planted("", layer.shape)  # vectors are not run, and any values do
                why = f"nothing of {shorten(input)} flows into it"
            elif all(name in values for name in layer.inputs):
                xs = [values[name] for name in layer.inputs]
                key = (
                    id(layer.facts),
                    *((floods.get(a), x.shape) for a, x in zip(layer.inputs, xs, strict=True)),
                )
                if key in self.flooded:
                    values[layer.name], touched = self.flooded[key]
                    floods[layer.name] = True
                elif (does := self._function(layer, xs)) is None:
                    why = f"{layer.op.kind} has no twin with few channels"
                elif layer.shape.spatial:
                    y = does[0](*does[1])
                    if layer.op.merges:  # hundreds of sums may be infinite, and their differences a NaN
                        y = y.clamp(-_LARGE, _LARGE)
                    if self.whole and y.dim() > len(layer.shape):
                        y = _as_one(y, 1 + layer.shape.channel_axis)
                    place = 1 + axis if layer.shape.channels_last else 2 + axis
                    touched = _touched(y, place) if y.dim() > place else None
                    if touched is not None and not touched.any():
                        floods[layer.name] = False
                    elif touched is not None and touched.all() and y.isnan().all():
                        floods[layer.name] = True
                        y = y.new_full((), torch.nan).expand(y.shape)
                        if all(name in floods for name in layer.inputs):
                            self.flooded[key] = y, touched
                    if layer.name in last:
                        values[layer.name] = y
            else:
                missing = next(name for name in layer.inputs if name not in values)
                why = f"it follows {shorten(missing)}, which is not run"
            for name in layer.inputs:
                if last[name] == n:
                    values.pop(name, None)
            yield layer, touched, why

    def run_in_parts(
        self, input: str, axis: int, rows: list[int], most: int
    ) -> Iterator[tuple[Layer, Tensor | None, str]]:
        """The same, with no more than so many rows at a time."""
        if len(rows) <= most:
            yield from self.run(input, axis, rows)
            return
        runs = [list(self.run(input, axis, rows[at : at + most])) for at in range(0, len(rows), most)]
        for found in zip(*runs, strict=True):
            layer, _, why = found[0]
            touched = [one for _, one, _ in found if one is not None]
            yield layer, torch.cat(touched) if touched else None, why

    def _function(self, layer: Layer, xs: list[Tensor]) -> tuple[Callable[..., Tensor], list[Tensor]] | None:
        """What a layer does, and on what: on few channels where these will do, and else on all."""
        if layer.facts.torch.target == UNKNOWN:
            return None
        places = [1 + shape.channel_axis for shape in layer.input_shapes]
        if layer.name in self.mixing:
            xs = [x.amax(at, keepdim=True) for x, at in zip(xs, places, strict=True)]
        single = all(x.shape[at] == 1 for x, at in zip(xs, places, strict=True))
        if not self.whole or (single and layer.name not in self.apart):
            key = id(layer.facts), xs[0].shape[places[0]]
            if key not in self.thin:
                self.thin[key] = self._few(layer, xs[0])
            function = self.thin[key]
            if function is not None or not self.whole:
                return None if function is None else (function, xs)
        xs = [
            (x if x.shape[at] in (1, shape.channels) else x.amax(at, keepdim=True))  # of either direction one
            .movedim(at, -1)
            .expand(*[-1] * (x.dim() - 1), shape.channels)
            .movedim(-1, at)
            for x, at, shape in zip(xs, places, layer.input_shapes, strict=True)
        ]
        call = layer.facts.torch
        function = _of_module(call) if is_module(find(call)) else _of_function(layer, xs[0], whole=True)
        return None if function is None else (function, xs)

    def _few(self, layer: Layer, x: Tensor) -> Callable[..., Tensor] | None:
        """What a layer does on as many channels as a tensor has."""
        call, channels = layer.facts.torch, x.shape[1 + layer.input_shapes[0].channel_axis]
        if not is_module(find(call)):
            return _of_function(layer, x, whole=False)
        key = str(call), channels
        if key not in self.modules:
            self.modules[key] = _of_module(call, channels)
        return self.modules[key]


def _touched(y: Tensor, place: int) -> Tensor:
    """Which positions of an axis have a NaN: samples x positions."""
    # the largest of numbers is NaN where one of them is; quicker with channels first
    y = y.amax(1, keepdim=True) if place > 1 and y.shape[1] > 1 else y
    return y.amax([n for n in range(1, y.dim()) if n != place]).isnan()


def _of_module(call: Call, channels: int | None = None) -> Callable[..., Tensor] | None:
    """What a module does on all its channels, or made again for so many; ``None`` where nobody said how."""
    whole = channels is None
    with torch.device("cpu" if whole else "meta"):
        module = find(call)(*call.args, **call.kwargs)
    if isinstance(module, nn.Upsample):
        return _Mixing(module)
    if isinstance(module, modules.MultiheadSelfAttention):
        return _to_itself(module, call, whole)
    if channels is None:
        return module.eval()  # type: ignore[no-any-return]
    thin = _THIN.get(type(module), _as_it_is if not list(module.parameters()) else None)
    return None if thin is None else thin(module, channels, call)


def _of_function(layer: Layer, x: Tensor, *, whole: bool) -> Callable[..., Tensor]:
    """What a function does, on all channels or on as many as its input has."""
    call = layer.facts.torch
    target = find(call)
    place = 1 + layer.input_shapes[0].channel_axis  # of the channels
    if target in (operator.add, operator.mul) and call.parameter is not None:
        return lambda x: x  # a constant hides no NaN and makes none
    if isinstance(layer.op, Elementwise):
        return lambda *xs: _merged(target, xs, None if whole else place)
    if target in (modules.expanded, modules.expanded_once):
        own = torch.zeros(layer.shape)
        return lambda x: own.expand(x.shape[0], *own.shape)
    if target is modules.rows_of_pairs and call.parameter is not None:
        index = find(call.parameter)(*call.parameter.args, **call.parameter.kwargs)
        return lambda x: target(x, index)
    if call.parameter is not None:
        token = torch.zeros(*call.parameter.sizes[:-1], x.shape[place])
        return lambda x: target(x, token)
    if target is torch.cat:
        return _concatenated(call, None if whole else place)
    if target in (modules.attention, modules.scored_attention):
        sinks = isinstance(layer.op, Attention) and layer.op.sinks
        return lambda q, k, v, *more: _scored(_attending(q, k, v, call, whole), more, sinks)
    if target in (modules.rotary, modules.grid_rotary) and not whole:
        return lambda x: x  # it mixes channels of a position alone
    if target is modules.take and not whole and call["axis"] == place:
        return lambda x: x
    if target is modules.pad_sides and not whole and len(call["sides"]) == x.dim() - 1:
        return lambda x: modules.pad_sides(x, call["sides"][1:], call["value"])  # not the channels
    return lambda *xs: target(*xs, *call.args, **call.kwargs)


def _is_apart(layer: Layer) -> bool:
    """Whether it takes some channels and not others, or mixes them with positions."""
    if layer.facts.torch.target == UNKNOWN:
        return False
    if layer.op.whole:
        return True
    if max(layer.shape.channels, *(x.channels for x in layer.input_shapes)) > 1 << 16:
        return False
    reads = layer.op.reads(all_channels(layer.shape.channels), *layer.input_shapes)
    return any(r != all_channels(x.channels) for r, x in zip(reads, layer.input_shapes, strict=True))


def _tells_apart(layer: Layer) -> bool:
    """Whether channels in which the same is NaN may come out with others."""
    call, place = layer.facts.torch, 1 + layer.input_shapes[0].channel_axis
    target = find(call)
    if target is torch.cat:
        return call["dim"] == place  # type: ignore[no-any-return]
    if target is modules.pad_sides:
        return len(call["sides"]) == len(layer.shape)
    return _is_apart(layer) and not (target is modules.take and call["axis"] == place)


def _mixes(layer: Layer) -> bool:
    """Whether each output channel depends on all channels, as those of a convolution without groups do."""
    target = find(layer.facts.torch)
    kinds = (nn.modules.conv._ConvNd, nn.Linear)
    return is_module(target) and issubclass(target, kinds) and getattr(layer.op, "groups", 1) == 1


def _as_one(x: Tensor, place: int) -> Tensor:
    """One channel, where the same is NaN in all of them."""
    if x.shape[place] == 1:
        return x
    first = x.narrow(place, 0, 1)
    if x.stride(place) == 0 or x.isnan().eq(first.isnan()).all():
        return first
    return x


def _concatenated(call: Call, place: int | None) -> Callable[..., Tensor]:
    """A concatenation; in a twin with few channels many as one, which is NaN where one of them is."""

    def put_together(*xs: Tensor) -> Tensor:
        x = torch.cat(xs, *call.args, **call.kwargs)
        return x if place is None or x.shape[place] <= _CHANNELS else x.sum(place, keepdim=True)

    return put_together


def _merged(function: Any, xs: tuple[Tensor, ...], place: int | None) -> Tensor:
    """A sum or product; of twins that have different numbers of channels, of one channel each."""
    if place is not None and len({x.shape[place] for x in xs}) > 1:
        xs = tuple(x.sum(place, keepdim=True) for x in xs)
    found = xs[0]
    for x in xs[1:]:
        found = function(found, x)
    return found


def _attending(q: Tensor, k: Tensor, v: Tensor, call: Call, whole: bool) -> Tensor:
    """Attention; in a twin with few channels in one head of one channel.

    What is masked is not seen: it has a weight of 0, and ``0 * NaN`` would be NaN.
    """
    heads, kv_heads = call["heads"], call["kv_heads"]
    if not whole:
        heads, kv_heads = 1, None
        q, k, v = (x.sum(-1, keepdim=True) for x in (q, k, v))
    causal, window = call["causal"], call.given["window"].value if "window" in call.given else None
    if not causal and window is None:
        return modules.attention(q, k, v, heads, kv_heads)
    planted = [x.isnan().any(-1) for x in (q, k, v)]
    seen = planted[0] | _seen_nearby(planted[1] | planted[2], causal, window)
    q, k, v = (x.nan_to_num() for x in (q, k, v))
    found = modules.attention(q, k, v, heads, kv_heads, causal, window)
    return found.masked_fill(seen.unsqueeze(-1), torch.nan)


def _scored(mixed: Tensor, more: Sequence[Tensor], sinks: bool) -> Tensor:
    """What attention gives beside a bias, N, ..., heads, L, M, of which a query reads a row, and sinks."""
    if sinks:
        planted = more[-1].isnan().any(-1)
        mixed = mixed.masked_fill(planted.reshape(-1, *[1] * (mixed.dim() - 1)), torch.nan)
    if len(more) == sinks:
        return mixed
    bias = more[0]
    planted = bias.isnan().any(-1)
    if bias.dim() > 3:
        planted = planted.any(-2)
    planted = planted.reshape(len(planted), *[1] * (mixed.dim() - 1 - planted.dim()), *planted.shape[1:])
    return mixed.masked_fill(planted.unsqueeze(-1), torch.nan)


def _seen_nearby(planted: Tensor, causal: bool, window: int | None) -> Tensor:
    """Which queries see one of the keys that are planted: ..., L."""
    length = planted.shape[-1]
    reach = length if window is None else window
    before = nn.functional.pad(planted.cumsum(-1), (1, 0))  # how many are planted before each position
    at = torch.arange(length)
    stop = at + 1 if causal else (at + reach).clamp(max=length)
    return before[..., stop] > before[..., (at - reach + 1).clamp(min=0)]


def _to_itself(module: Any, call: Call, whole: bool) -> Callable[..., Tensor]:
    """The same between its projections; in a twin with few channels without them."""
    if not whole:
        return lambda x: _attending(x, x, x, call, whole)

    def attend(x: Tensor) -> Tensor:
        projected = nn.functional.linear(x, module.in_proj_weight, module.in_proj_bias)
        q, k, v = torch.split(projected, list(module.sizes), -1)
        return module.out_proj(_attending(q, k, v, call, whole))  # type: ignore[no-any-return]

    return attend


def _as_it_is(module: Any, channels: int, call: Call) -> Any:
    """Made again, with its buffers where the values are."""
    return type(module)(*call.args, **call.kwargs).eval()


def _conv(module: Any, channels: int, call: Call) -> Callable[[Tensor], Tensor]:
    """Channel by channel where it was so; else all into one.

    The samples are groups of one sample: torch takes far longer for samples of so few channels.
    """
    apart = module.groups == module.in_channels == module.out_channels > 1
    outputs, groups = (channels, channels) if apart else (1, 1)
    options = {
        "stride": module.stride,
        "padding": getattr(module, "sides", module.padding),
        "dilation": module.dilation,
        "bias": False,
    }
    if isinstance(module, nn.modules.conv._ConvTransposeNd) and not isinstance(module, modules.Cropped):
        options["output_padding"] = module.output_padding

    @cache
    def of(samples: int) -> Any:
        sizes = samples * channels, samples * outputs, module.kernel_size
        return type(module)(*sizes, groups=samples * groups, **options)

    def convolve(x: Tensor) -> Tensor:
        y: Tensor = of(len(x))(x.reshape(1, -1, *x.shape[2:]))
        return y.reshape(len(x), outputs, *y.shape[2:])

    return convolve


def _conv_map(module: Any, channels: int, call: Call) -> Any:
    kernel = tuple(module.weight.shape[1:])
    conv: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[len(kernel) - 1]
    return conv(channels, 1, kernel)


def _normalized(module: Any, channels: int, call: Call) -> Any:
    return type(module)(channels).eval()


def _layer_norm(module: Any, channels: int, call: Call) -> Any:
    """Over as many axes as before: the channels that come last, or the whole sample."""
    axes = len(module.normalized_shape)
    return lambda x: nn.functional.layer_norm(x, x.shape[-axes:])


def _instance_norm(module: Any, channels: int, call: Call) -> Any:
    tracked = module.track_running_stats
    return type(module)(channels, track_running_stats=tracked).eval()


def _attention(module: Any, channels: int, call: Call) -> Any:
    """One head; windows and shifts as they are."""
    return type(module)(channels, 1, *call.args[2:], **call.kwargs).eval()


def _windowed(module: Any, channels: int, call: Call) -> Any:
    """The same; what only a roll brought into a window is not seen: torch's -100 leaves a NaN what it is."""
    thin = _attention(module, channels, call)
    window = thin.window

    def attend(x: Tensor, sides: Any, shift: Any) -> Tensor:
        planted = x.isnan().any(-1).unsqueeze(2)  # N, windows, 1, positions
        if any(shift):
            planted = planted & (modules.roll_mask(sides, window, shift, x) == 0)
        return x[..., :channels].nan_to_num().masked_fill(planted.any(-1, keepdim=True), torch.nan)

    thin.attend = attend
    return thin


def _recurrent(module: Any, channels: int, call: Call) -> Any:
    """One feature, and no gates: they hide no NaN."""
    options = {"bidirectional": module.bidirectional, "output": module.output}
    layers, ways = module.num_layers, 2 if module.bidirectional else 1
    thin = modules.RNN(channels, 1, layers, **options).eval()

    def run(x: Tensor, initial: Tensor | None = None) -> Tensor:
        starts = None
        if initial is not None:
            *rows, count, _ = initial.shape
            planted = initial.isnan().any(-1).view(*rows, count // layers, layers).any(-2)  # in h or c
            starts = x.new_zeros(*planted.shape, ways).masked_fill(planted.unsqueeze(-1), torch.nan)
        found: Tensor = thin(x, starts)
        if module.output == "both" and module.mode == "LSTM":
            found = torch.cat((found, found[..., -layers:, :]), -2)
        return found

    return run


class _Mixing:
    """Interpolation in which a neighbour with a weight of 0 is not seen: ``0 * NaN`` would be NaN."""

    def __init__(self, module: nn.Upsample) -> None:
        self.module = module

    def __call__(self, x: Tensor) -> Tensor:
        weights = self.module(x.isnan().float())
        mixed: Tensor = self.module(x.nan_to_num())
        return mixed.masked_fill(weights > 1e-4, torch.nan)


_DIMENSIONS = (1, 2, 3)

#: How a module that has channels is made again with few. One without weights does what it does on any.
_THIN: dict[type, Callable[[Any, int, Call], Any]] = {
    **{getattr(nn, f"Conv{n}d"): _conv for n in _DIMENSIONS},
    **{getattr(nn, f"ConvTranspose{n}d"): _conv for n in _DIMENSIONS},
    **{getattr(modules, f"PaddedConv{n}d"): _conv for n in _DIMENSIONS},
    **{getattr(modules, f"{pad}FrameConv{n}d"): _conv for n in (1, 2) for pad in ("", "Padded")},
    **{getattr(modules, f"CroppedConvTranspose{n}d"): _conv for n in _DIMENSIONS},
    **{getattr(nn, f"BatchNorm{n}d"): _normalized for n in _DIMENSIONS},
    **{getattr(nn, f"InstanceNorm{n}d"): _instance_norm for n in _DIMENSIONS},
    modules.BatchNorm: _normalized,
    modules.FrozenBatchNorm: _normalized,
    modules.Standardization: lambda module, channels, call: type(module)(
        channels, behind=len(module.axes) - 1
    ),
    **{
        getattr(modules, f"{pad}{form}Conv{n}d"): _conv
        for n in _DIMENSIONS
        for pad in ("", "Padded")
        for form in ("Standardized", "WeightNorm")
    },
    modules.ChannelNorm: _normalized,
    modules.ConvMap: _conv_map,
    modules.Subsample: lambda module, channels, call: type(module)(channels, module.kernel),
    modules.GlobalResponseNorm: lambda module, channels, call: type(module)(channels, module.last),
    nn.GroupNorm: lambda module, channels, call: nn.GroupNorm(1, channels),
    nn.LayerNorm: _layer_norm,
    nn.RMSNorm: lambda module, channels, call: nn.RMSNorm(channels),
    nn.Linear: lambda module, channels, call: nn.Linear(channels, 1),
    modules.LinearTurned: lambda module, channels, call: type(module)(channels, 1),
    modules.PositionEmbedding: lambda module, channels, call: lambda x: x,
    modules.LinearAlong: lambda module, channels, call: type(module)(*call.args, **call.kwargs),
    modules.SelfAttention: _attention,
    modules.WindowAttention: _windowed,
    modules.WindowAttentionV2: _windowed,
    modules.RelativeAttention: _attention,
    **dict.fromkeys((modules.LSTM, modules.GRU, modules.RNN), _recurrent),
    nn.PReLU: lambda module, channels, call: nn.PReLU(),
    nn.GLU: lambda module, channels, call: lambda x: x,
    nn.ChannelShuffle: lambda module, channels, call: lambda x: x,
}
