"""Activations, norms and rotary positions written out in elementary operators, found again on a tape.

What is computed is told by algebra, and not by the order in which it was written down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import pi, sqrt
from typing import Any, NamedTuple

from .algebra import ONE, OPERATORS, SAME, VIEWS, Algebra, Moments, Other, Sum, alike, dims_of, product
from .tape import Lies, Node, Rates, Tape, Turns, Value, taken

#: How many operators are looked at behind one; how many in all.
_READERS, _MOST = 16, 100_000


@dataclass
class Compositions:
    """The compositions of a tape."""

    #: The operator that ends each, and the one that says all of it.
    said: dict[Node, Node] = field(default_factory=dict)
    #: The others of each.
    within: set[Node] = field(default_factory=set)

    def nodes(self, tape: Tape) -> list[Node]:
        """The operators of the tape, each composition as one."""
        return [self.said.get(node, node) for node in tape.nodes if node not in self.within]


#: The angles of constant cosines and sines, which lie as is said; ``None`` where they are others than those
#: of rotary positions. Both may be one tensor of complex numbers, each of a pair.
TurnsOf = Callable[[Value, Value, Lies], Turns | None]

#: The rates of which a constant row is; ``None`` where it is of others, or not known.
RatesOf = Callable[[Value], Rates | None]


def compositions(tape: Tape, turns_of: TurnsOf, rates_of: RatesOf) -> Compositions:
    """Find what is written out in a tape, where nothing else reads what is computed on the way."""
    return _Search(tape, turns_of, rates_of).run()


class _Form(NamedTuple):
    """A way in which a function of a tensor makes an activation of it."""

    #: What the function is of: how often the tensor is in it, by its powers.
    inner: Mapping[int, float]
    #: What is computed of both: how often each product, by the powers of the tensor and of the function.
    outer: Mapping[tuple[int, int], float]
    #: What that is.
    target: str
    args: Mapping[str, Any] = {}


_HALF = {(1, 0): 0.5, (1, 1): 0.5}
_TANH = {1: sqrt(2 / pi), 3: sqrt(2 / pi) * 0.044715}
_GATE = {(1, 1): 1.0}

_FORMS: Mapping[str, Sequence[_Form]] = {
    "erf": [_Form({1: sqrt(0.5)}, _HALF, "aten.gelu")],
    "tanh": [_Form(_TANH, _HALF, "aten.gelu", {"approximate": "tanh"})],
    "sigmoid": [_Form({1: 1}, _GATE, "aten.silu")],
    "hardsigmoid": [_Form({1: 1}, _GATE, "aten.hardswish")],
    "tanh of softplus": [_Form({1: 1}, _GATE, "aten.mish")],
    "0 to 6": [
        _Form({0: 3, 1: 1}, {(1, 1): 1 / 6}, "aten.hardswish"),
        _Form({0: 3, 1: 1}, {(0, 1): 1 / 6}, "aten.hardsigmoid"),
    ],
    "0 to 1": [
        _Form({0: 0.5, 1: 1 / 6}, _GATE, "aten.hardswish"),
        _Form({0: 0.5, 1: 1 / 6}, {(0, 1): 1}, "aten.hardsigmoid"),
    ],
}


def _function(node: Node) -> tuple[str, Value | None]:
    """A function that activations are made of, and what it is of."""
    target, args = node.target.removeprefix("aten."), node.args
    of = args.get("self")
    if target in ("clamp", "hardtanh"):
        limits = args.get("min_val", args.get("min")), args.get("max_val", args.get("max"))
        return {(0, 6): "0 to 6", (0, 1): "0 to 1"}.get(limits, ""), of
    if target == "tanh" and of is not None and of.node is not None and of.node.target == "aten.softplus":
        soft = of.node.args
        if (soft.get("beta", 1), soft.get("threshold", 20)) == (1, 20):
            return "tanh of softplus", soft["self"]
    return target, of


class _Said(NamedTuple):
    """A composition: the operator that ends it, and what says all of it."""

    end: Node
    target: str
    args: Mapping[str, Any]
    #: What comes out of it, where that is not the first tensor of its last operator.
    made: Value | None = None

    @property
    def node(self) -> Node:
        """The operator that stands in its place."""
        read = tuple(value for value in self.args.values() if isinstance(value, Value))
        made = self.end.outputs[0] if self.made is None else self.made
        return Node(self.target, self.args, (made,), self.end.call, 0, read, True)


class _Search:
    """Who reads each tensor, and what has been found."""

    def __init__(self, tape: Tape, turns_of: TurnsOf, rates_of: RatesOf) -> None:
        self.tape, self.turns_of, self.rates_of = tape, turns_of, rates_of
        #: What the angles of cosines and sines were found to be, which are those of all layers.
        self.turns: dict[tuple[Value, Value, Lies], Turns | None] = {}
        self.ends = set(tape.outputs.values())
        self.readers: dict[Value, list[Node]] = {}
        self.left = _MOST

    def run(self) -> Compositions:
        found = Compositions()
        seeds = [node for node in self.tape.nodes if node.flows and node.target in _SEEDS]
        for node in reversed(self.tape.nodes) if seeds else ():
            if node.target == "aten.write" and not any(map(self.is_read, node.outputs)):
                continue  # another view of what was written, that is not read again
            for value in dict.fromkeys(node.inputs):
                self.readers.setdefault(value, []).append(node)
        for readers in self.readers.values():
            readers.reverse()
        for seed in seeds:
            for one in _SEEDS[seed.target](self, seed):
                node = one.node
                inner = self.inner(one.end, node.inputs)
                if inner is not None and one.end not in found.said:
                    found.said[one.end] = node
                    found.within |= inner
                    break
            if self.left < 0:
                break
        return found

    def is_read(self, value: Value) -> bool:
        """Whether anything reads a value, or it comes out."""
        return value in self.readers or value in self.ends

    def inner(self, end: Node, read: Iterable[Value]) -> set[Node] | None:
        """The operators that lead to the end from what it reads; ``None`` where others read of them."""
        inner: set[Node] = set()
        rest, stops = [*end.inputs], set(read)
        while rest:
            value = rest.pop()
            node = value.node
            if node is not None and node.flows and node not in inner and value not in stops:
                inner.add(node)
                rest += node.inputs
            if len(inner) > OPERATORS:
                return None
        outputs = [value for node in inner for value in node.outputs]
        whole = {*inner, end}
        closed = all(one in whole for value in outputs for one in self.readers.get(value, ()))
        return inner if closed and self.ends.isdisjoint(outputs) else None

    def sum(self, algebra: Algebra, value: Value) -> Sum | None:
        """A value in terms of others, where it is a sum of products of theirs."""
        before = algebra.left
        try:
            return algebra.of(value)
        except Other:
            return None
        finally:
            self.left -= before - algebra.left + 1

    @staticmethod
    def behind(value: Value) -> Iterator[Value]:
        """The values that lead to one, the nearest first."""
        found = [value]
        for one in found:  # which grows
            yield one
            if one.node is not None and one.flows and len(one.node.inputs) < 4:
                found += [each for each in one.node.inputs if each.flows and each not in found]
            if len(found) > OPERATORS:
                break

    def after(self, value: Value) -> Iterator[Node]:
        """The operators that compute with a value, the nearest first."""
        seen: dict[Node, None] = {}
        rest = [value]
        while rest and len(seen) < _READERS:
            for node in self.readers.get(rest.pop(0), ())[:_READERS]:
                plain = node.target.removeprefix("aten.") in _PLAIN or node.target in (*SAME, *VIEWS)
                if plain and node not in seen and not node.macs:
                    seen[node] = None
                    rest.append(node.outputs[0])
        yield from seen

    # --- activations ----------------------------------------------------------------------------

    def activation(self, seed: Node) -> Iterator[_Said]:
        """What ends with a function of a tensor, and with the tensor and that."""
        name, of = _function(seed)
        made = seed.outputs[0]
        for x in self.behind(of) if of is not None and name in _FORMS else ():
            inner = self.sum(Algebra({x: x}), of) if of is not None and x.sizes == made.sizes else None
            for form in _FORMS[name] if inner is not None else ():
                wanted = {product((x, power)): times for power, times in form.inner.items()}
                if inner is not None and alike(inner, wanted):
                    for end in self.formed(form, x, seed):
                        yield _Said(end, form.target, {"self": x, **form.args})

    def formed(self, form: _Form, x: Value, seed: Node) -> Iterator[Node]:
        """The operators that compute what a form does of a tensor and its function."""
        made = seed.outputs[0]
        wanted = {product((x, own), (made, power)): times for (own, power), times in form.outer.items()}
        for end in (seed, *self.after(made)):
            outer = self.sum(Algebra({x: x, made: made}), end.outputs[0])
            if outer is not None and end.outputs[0].sizes == x.sizes and alike(outer, wanted):
                yield end

    # --- rotary positions -----------------------------------------------------------------------

    def rotary(self, seed: Node) -> Iterator[_Said]:
        """What ends with a tensor by cosines, and with its halves or its neighbours turned by sines."""
        made = seed.outputs[0]
        parts, near = _put_together(seed)
        if near:
            back = next(iter(self.readers.get(made, ())), None)
            if back is None or back.target not in VIEWS or back.outputs[0].sizes[:-1] != made.sizes[:-2]:
                return
            made = back.outputs[0]
        yield from (
            self.in_pieces(made.node, parts, near) if parts is not None and made.node is not None else ()
        )
        x, sign = _turned(parts, near) if parts is not None else (None, 0)
        for end in self.after(made) if x is not None else ():
            assert x is not None
            total = self.sum(Algebra({x: x, made: made}), end.outputs[0])
            if total is None or len(total) != 2 or end.outputs[0].sizes != x.sizes:
                continue
            cos, sin = (_factor(total, one) for one in (x, made))
            if cos is not None and sin is not None and cos[1] == 1:
                lies: Lies = "neighbours" if near else "halves"
                yield from self.turned(end, x, cos[0], sin[0], lies, near=near, sign=sign * sin[1])

    def in_pieces(self, end: Node, parts: tuple[Value, Value], near: bool) -> Iterator[_Said]:
        """What ends with either of each pair turned by itself: a*cos - b*sin, and b*cos + a*sin."""
        pairs = [one for one in self.behind(parts[0]) if taken(one.node, one) is not None]
        for a in pairs:
            for b in pairs:
                x, apart = _pair(a, b)
                if x is None or end.outputs[0].sizes != x.sizes or (near and not apart):
                    continue
                totals = [self.sum(Algebra({a: a, b: b}), part) for part in parts]
                found = [_factor(total, one) for total in totals if total for one in (a, b)]
                held = [one for one in found if one is not None]
                if len(held) != 4 or any(len(total or ()) != 2 for total in totals):
                    continue
                (cos, plus), (sin, less), (sine, more), (cosine, also) = held
                if (plus, also, more + less) == (1, 1, 0) and self.same(cos, sin, cosine, sine):
                    parted = apart and not near
                    yield from self.turned(end, x, cos, sin, "each", near=apart, sign=more, parted=parted)

    def same(self, cos: Value, sin: Value, other_cos: Value, other_sin: Value) -> bool:
        """Whether two cosines and sines, each of a pair, are those of the same angles."""
        if (cos, sin) == (other_cos, other_sin):
            return True
        found = self.turns_of(cos, sin, "each")
        return found is not None and found == self.turns_of(other_cos, other_sin, "each")

    def complex_rotary(self, seed: Node) -> Iterator[_Said]:
        """Neighbours as complex numbers, by constant ones."""
        product = seed.args["self"].node
        read = product.inputs if product is not None and product.target == "aten.mul" else ()
        of = [one.node for one in read if one.flows]
        waves = [one for one in read if not one.flows]
        if len(of) != 1 or len(waves) != 1 or of[0] is None or of[0].target != "aten.view_as_complex":
            return
        pairs = of[0].args["self"]
        x = pairs.node.inputs[0] if pairs.node is not None and pairs.node.target in VIEWS else pairs
        while x.node is not None and x.node.target in SAME:
            x = x.node.inputs[0]
        if pairs.sizes[:-2] != x.sizes[:-1] or pairs.sizes[-2] * 2 != x.sizes[-1]:
            return
        for end in self.readers.get(seed.outputs[0], ()):
            if end.target in VIEWS and end.outputs[0].sizes == x.sizes:
                yield from self.turned(end, x, waves[0], waves[0], "each", near=True)

    def turned(
        self,
        end: Node,
        x: Value,
        cos: Value,
        sin: Value,
        lies: Lies,
        *,
        near: bool,
        sign: int = 1,
        parted: bool = False,
    ) -> Iterator[_Said]:
        """What ends with a tensor turned by these, where they are those of rotary positions.

        Args:
            end: the operator.
            x: the tensor.
            cos: by which it is multiplied.
            sin: and by which the other of each pair is.
            lies: how those lie along the channels.
            near: whether pairs of the tensor are neighbours, and not one of either half.
            sign: -1 where it is turned back.
            parted: whether pairs that were neighbours come out as one of either half.
        """
        at = _positions(x, cos, sin, each=lies == "each")
        if at is None:
            return
        key = (cos, sin, lies)
        if key not in self.turns:
            self.turns[key] = self.turns_of(*key)
        turns = self.turns[key]
        if turns is None:
            return
        turns = turns.back if sign < 0 else turns
        args = {"cos": cos, "sin": sin, "turns": turns, "positions": at, "part": x.sizes[-1], "skip": 0}
        args |= {"interleaved": near and not parted, "parted": parted}
        for outer, full, skip in self.wider(end, x, at) if not parted else ():
            yield _Said(outer, "archlens.rotary", {"self": full, **args, "skip": skip})
        yield _Said(end, "archlens.rotary", {"self": x, **args})

    def wider(self, end: Node, x: Value, at: int) -> Iterator[tuple[Node, Value, int]]:
        """What puts the other channels behind those that are turned, and other tokens before; the most first.

        With each the whole tensor, and how many tokens there are before.
        """
        made = end.outputs[0]
        for one in self.reading(made):
            full = _with_rest(one, made, x)
            if full is not None:
                yield from self.wider(one, full, at)
                yield one, full, 0
            found = _behind_others(one, made, x, at)
            if found is not None:
                yield one, *found

    def reading(self, value: Value) -> Iterator[Node]:
        """What reads a value, or the same values."""
        for node in self.readers.get(value, ()):
            yield node
            if node.target in SAME:
                yield from self.readers.get(node.outputs[0], ())

    # --- sines of a number ----------------------------------------------------------------------

    def joined(self, seed: Node) -> Iterator[_Said]:
        """What ends with two tensors put together as channels."""
        yield from self.sinusoids(seed)
        yield from self.rotary(seed)

    def sinusoids(self, seed: Node) -> Iterator[_Said]:
        """Sines beside cosines of a number by constant rates, as of a time step; or those two exchanged."""
        parts = _two(seed)
        if parts is None:
            return
        whole, turned = _exchanged(parts)
        if whole is not None and whole.node is not None and whole.node.target == "aten.cat":
            parts = _two(whole.node)
        waves = [_same(one).node for one in parts or ()]
        kinds = [one.target for one in waves if one is not None]
        if sorted(kinds) != ["aten.cos", "aten.sin"]:
            return
        angles, others = (_same(one.args["self"]) for one in waves if one is not None)
        if angles is not others:
            return
        for x in self.behind(angles):
            total = self.sum(Algebra({x: x}), angles) if x.sizes == (*angles.sizes[:-1], 1) else None
            (times,) = total.values() if total is not None and len(total) == 1 else (0,)
            by = _factor(dict.fromkeys(total or (), 1), x) if times else None
            rates = self.rates_of(by[0]) if by is not None and by[0].sizes[-1] == angles.sizes[-1] else None
            if rates is None:
                continue
            args = {"times": times, "width": 2 * angles.sizes[-1], "base": rates.base, "shift": rates.shift}
            first = kinds[1 if turned else 0].removeprefix("aten.")
            yield _Said(seed, "archlens.sinusoids", {"self": x, **args, "first": first})

    # --- softmax --------------------------------------------------------------------------------

    def safe_softmax(self, seed: Node) -> Iterator[_Said]:
        """A softmax with zeros where it is no number: of scores that are all masked."""
        made = seed.args.get("self")
        soft = made.node if isinstance(made, Value) else None
        if soft is None or soft.target != "aten._softmax":
            return
        for end in self.readers.get(seed.outputs[0], ()):
            zero = end.args.get("self")
            zero = _filling(zero) if isinstance(zero, Value) else zero
            if (
                end.target == "aten.where"
                and end.args["condition"] is seed.outputs[0]
                and end.args["other"] is made
                and zero == 0
                and end.outputs[0].sizes == soft.outputs[0].sizes
            ):
                yield _Said(end, "aten._safe_softmax", soft.args)

    def sinks(self, soft: Node) -> Iterator[_Said]:
        """A softmax of scores and of a number beside them, of which the scores' part is read alone."""
        whole = _same(soft.args["self"])
        lowered = _lowered(whole)
        whole = _same(lowered) if lowered is not None else whole
        joined, rank = whole.node, len(whole.sizes)
        parts = _two(joined) if joined is not None and joined.target == "aten.cat" else None
        if parts is None or soft.args["dim"] % rank != rank - 1:
            return
        behind = parts[1].sizes[-1] == 1 and not parts[1].flows
        scores, sinks = parts if behind else parts[::-1]
        if not scores.flows or sinks.flows or sinks.sizes[-1] != 1:
            return
        start = 0 if behind else 1
        for node in self.reading(soft.outputs[0]):
            for out in node.outputs:
                part = taken(node, out)
                alone = not any(self.is_read(one) for one in node.outputs if one is not out)
                whole_row = (rank - 1, start, start + scores.sizes[-1], 1, False)
                if alone and part is not None and part[1:] == whole_row:
                    yield _Said(node, soft.target, {"self": scores, "dim": rank - 1, "sinks": sinks}, out)

    # --- norms ----------------------------------------------------------------------------------

    def norm(self, root: Node) -> Iterator[_Said]:
        """A tensor, maybe without its mean, by the root of its variance or of the mean of its squares."""
        under = root.args["self"]
        if not isinstance(under, Value) or (
            root.target == "aten.pow" and root.args.get("exponent") not in (0.5, -0.5)
        ):
            return
        behind = list(self.behind(under))
        dims = next((found for one in behind if (found := dims_of(one.node))), None)
        if dims is None or 0 in dims:
            return
        squares = None
        for x in behind[1:]:
            moments = Moments({x: x}, x=x, dims=dims)
            mean, square = moments.means
            total = self.sum(moments, under) if under.sizes in (moments.reduced, moments.gone) else None
            small = total.pop(ONE, 0) if total is not None else 0
            if total is None or small <= 0:
                continue
            if alike(total, {product((square, 1)): 1, product((mean, 2)): -1}):
                yield from self.normed(root, under, moments, small, mean)
            elif squares is None and alike(total, {product((square, 1)): 1}):
                squares = moments, small
        if squares is not None:  # of what has had its mean taken away, it is not that norm
            yield from self.normed(root, under, *squares, None)

    def normed(
        self, root: Node, under: Value, moments: Moments, small: float, mean: Value | None
    ) -> list[_Said]:
        """What ends with the scale and the shift, and what without them."""
        x, dims = moments.x, moments.dims
        sizes = [x.sizes[i] for i in dims]
        args: dict[str, Any] = {"input": x, "normalized_shape": sizes, "eps": float(f"{small:.7g}")}
        if list(dims) != [*range(len(x.sizes))][-len(dims) :]:
            args["dim"] = list(dims)
        target = "torch.rms_norm" if mean is None else "aten.native_layer_norm"
        normed: Sum = {product((x, 1), (under, -0.5)): 1}
        normed |= {product((mean, 1), (under, -0.5)): -1} if mean is not None else {}
        found = []
        for end in self.after(root.outputs[0]):
            terms = Moments({x: x, under: under}, x=x, dims=dims, means=moments.means)
            total = self.sum(terms, end.outputs[0]) if end.outputs[0].sizes == x.sizes else None
            weights = _weights(total, normed, shifts=mean is not None) if total is not None else None
            held = [_weight(one, x.sizes, dims, self.tape) for one in weights or ()]
            if weights is not None and None not in held:
                found.append(
                    _Said(end, target, {**args, **dict(zip(("weight", "bias"), held, strict=False))})
                )
        return sorted(found, key=lambda one: -len(one.args))

    def response_norm(self, lengths: Node) -> Iterator[_Said]:
        """A map, and itself by how long each channel is beside the mean of all; scaled and shifted."""
        x, length = lengths.args["self"], lengths.outputs[0]
        given, rank = lengths.args.get("dim"), len(x.sizes)
        dims = {i % rank for i in ([given] if isinstance(given, int) else given or ())} if rank else set()
        rest = [*{*range(rank)} - dims - {0}]
        if lengths.args.get("ord", 2) != 2 or not lengths.args.get("keepdim") or 0 in dims or len(rest) != 1:
            return
        for mean in self.reading(length):
            if dims_of(mean) == rest and mean.args.get("keepdim"):
                for end in self.after(mean.outputs[0]):
                    yield from self.responded(x, length, mean.outputs[0], end.outputs[0], rest[0])

    def responded(self, x: Value, length: Value, mean: Value, under: Value, channels: int) -> Iterator[_Said]:
        """What ends with that, where the lengths are divided by the mean and a small number."""
        total = self.sum(Algebra({mean: mean}), under)
        small = total.pop(ONE, 0) if total is not None else 0
        if total is None or small <= 0 or not alike(total, {product((mean, 1)): 1}):
            return
        normed: Sum = {product((x, 1), (length, 1), (under, -1)): 1}
        for end in self.after(under):
            total = self.sum(Algebra({x: x, length: length, under: under}), end.outputs[0])
            if total is None or end.outputs[0].sizes != x.sizes or total.pop(product((x, 1)), 0) != 1:
                continue
            weights = _weights(total, normed, shifts=True) or ()
            held = [_weight(one, x.sizes, (channels,), self.tape) for one in weights]
            if len(held) == 2 and None not in held:
                args = {"input": x, "weight": held[0], "bias": held[1], "dim": channels}
                yield _Said(end, "archlens.response_norm", {**args, "eps": float(f"{small:.7g}")})

    def group_norm(self, norm: Node) -> Iterator[_Said]:
        """Groups of channels as channels, each normed, and the map as it was; maybe scaled and shifted."""
        groups = norm.inputs[0]
        back = next(iter(self.readers.get(norm.outputs[0], ())), None)
        if groups.node is None or groups.node.target not in VIEWS or back is None or back.target not in VIEWS:
            return
        x, made = groups.node.inputs[0], back.outputs[0]
        if (
            x.sizes != made.sizes
            or groups.sizes[:1] != x.sizes[:1]
            or len(groups.sizes) != 3
            or len(x.sizes) < 3
        ):
            return
        plain = _is_filled(norm.args.get("weight"), 1) and _is_filled(norm.args.get("bias"), 0)
        if not plain or norm.args.get("running_mean") is not None or x.sizes[1] % groups.sizes[1]:
            return
        args = {"input": x, "group": groups.sizes[1], "eps": norm.args.get("eps", 1e-5)}
        for end in self.after(made):
            total = (
                self.sum(Algebra({made: made}), end.outputs[0]) if end.outputs[0].sizes == x.sizes else None
            )
            weights = _weights(total, {product((made, 1)): 1}, shifts=True) if total is not None else None
            held = [_weight(one, x.sizes, (1,), self.tape) for one in weights or ()]
            if held and None not in held:
                yield _Said(end, "aten.native_group_norm", {**args, "weight": held[0], "bias": held[1]})
        yield _Said(back, "aten.native_group_norm", args)


def _weights(total: Sum, normed: Sum, shifts: bool) -> list[Value] | None:
    """By what a norm is scaled, and what is added to it, or neither; ``None`` where it is another sum."""
    if alike(total, normed):
        return []
    known = {value for one in normed for value, _ in one}
    weights = {value for one in total for value, _ in one} - known
    for scale in weights:
        scaled = {one | {(scale, 1)}: times for one, times in normed.items()}
        for shift in weights - {scale} if shifts else ():
            if alike(total, {**scaled, product((shift, 1)): 1}):
                return [scale, shift]
        if not shifts and alike(total, scaled):
            return [scale]
    return None


def _two(node: Node) -> tuple[Value, Value] | None:
    """The two tensors that are put together along the last axis, if there are as many."""
    parts, rank = node.args.get("tensors"), len(node.outputs[0].sizes)
    if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(one, Value) for one in parts):
        return None
    return (parts[0], parts[1]) if node.args.get("dim", 0) % rank == rank - 1 else None


def _exchanged(parts: tuple[Value, Value]) -> tuple[Value | None, bool]:
    """The tensor whose halves two values are, the second first; and whether they are that."""
    second, first = (taken(one.node, one) for one in parts)
    if second is None or first is None or second.of is not first.of:
        return None, False
    size, last = second.of.sizes[-1], len(second.of.sizes) - 1
    found = [one[1:] for one in (first, second)]
    wanted = [(last, 0, size // 2, 1, False), (last, size // 2, size, 1, False)]
    return (second.of, True) if found == wanted else (None, False)


def _put_together(node: Node) -> tuple[tuple[Value, Value] | None, bool]:
    """The two tensors that are put together as channels, if there are as many, and whether as neighbours.

    A file may write a stack as a concatenation of what has an axis more.
    """
    parts = _two(node)
    if parts is None or node.target == "aten.stack":
        return parts, parts is not None
    apart = [one.node.inputs[0] for one in parts if one.node is not None and one.node.target in VIEWS]
    if len(apart) < 2 or any(one.sizes != (*of.sizes, 1) for one, of in zip(parts, apart, strict=True)):
        return parts, False
    return (apart[0], apart[1]), True


def _turned(parts: tuple[Value, Value], near: bool) -> tuple[Value | None, int]:
    """The tensor whose pairs stand exchanged, one of each negated; and 1 where that is the first, else -1."""
    for sign, minus in ((1, parts[0].node), (-1, parts[1].node)):
        if minus is not None and minus.target == "aten.neg":
            negated = minus.args["self"]
            first, second = (parts[1], negated) if sign > 0 else (negated, parts[0])
            x, apart = _pair(first, second)
            if x is not None and apart == near:
                return x, sign
    return None, 0


def _pair(first: Value, second: Value) -> tuple[Value | None, bool]:
    """The tensor of whose pairs two values are the first and the second, and whether those are neighbours."""
    a, b = _channels_of(first), _channels_of(second)
    if a is not None and b is not None and a[0] is b[0]:
        half, rest = divmod(a[0].sizes[-1], 2)
        if not rest and (a[1:], b[1:]) == ((0, half), (half, 2 * half)):
            return a[0], False
    c, d = _every_second(first), _every_second(second)
    if c is not None and d is not None and c[0] is d[0] and (c[1], d[1]) == (0, 1):
        return (c[0] if c[0].sizes[-1] % 2 == 0 else None), True
    return None, False


def _every_second(value: Value) -> tuple[Value, int] | None:
    """The tensor of which a value has every second channel, and from which on."""
    part = taken(value.node, value)
    if part is None or part.dim != len(part.of.sizes) - 1:
        return None
    x, start = part.of, part.start
    if not part.drops:
        whole = part.step == 2 and start + 2 * value.sizes[-1] >= x.sizes[-1]
        return (x, start) if whole and start in (0, 1) else None
    pairs = x.node  # as axes of two
    if pairs is None or pairs.target not in VIEWS or x.sizes[-1] != 2:
        return None
    full = pairs.inputs[0]
    return (full, start % 2) if full.sizes[:-1] == x.sizes[:-2] else None


def _channels_of(value: Value) -> tuple[Value, int, int] | None:
    """The tensor of which a value is a part along its last axis, and from where to where."""
    part = taken(value.node, value)
    if part is None or part.drops or part.step != 1 or part.dim != len(part.of.sizes) - 1:
        return None
    return part.of, part.start, part.stop


def _with_rest(node: Node, made: Value, x: Value) -> Value | None:
    """The tensor of whose channels the first are made anew, and the others stand behind them as they are."""
    parts = node.args.get("tensors")
    if (
        node.target != "aten.cat"
        or not isinstance(parts, list)
        or len(parts) != 2
        or _same(parts[0]) is not made
    ):
        return None
    first, rest = _channels_of(x), _channels_of(parts[1])
    if first is None or rest is None or first[0] is not rest[0]:
        return None
    full, end = first[0], first[0].sizes[-1]
    apart = (first[1:], rest[1:]) == ((0, x.sizes[-1]), (x.sizes[-1], end))
    return full if apart and node.args.get("dim", 0) % len(full.sizes) == len(full.sizes) - 1 else None


def _behind_others(node: Node, made: Value, x: Value, at: int) -> tuple[Value, int] | None:
    """The tensor of whose tokens the last are made anew, and how many before them stay as they are."""
    parts = node.args.get("tensors")
    if node.target != "aten.cat" or not isinstance(parts, list) or len(parts) != 2:
        return None
    rank = len(x.sizes)
    first, rest = (taken(one.node, one) for one in (parts[0], x))
    if _same(parts[1]) is not made or node.args.get("dim", 0) % rank != at or first is None or rest is None:
        return None
    if first.of is not rest.of or not first.dim == rest.dim == at or (first.step, rest.step) != (1, 1):
        return None
    whole, skip = first.of, first.stop
    apart = not (first.drops or rest.drops) and (first.start, rest.start) == (0, skip)
    return (whole, skip) if apart and rest.stop == whole.sizes[at] else None


def _lowered(value: Value) -> Value | None:
    """The scores that their own largest was taken from, which changes nothing of their softmax."""
    node = value.node
    if node is None or node.target != "aten.sub" or node.args.get("alpha", 1) != 1:
        return None
    whole: Value = node.args["self"]
    most = node.args.get("other")
    made = most.node if isinstance(most, Value) else None
    if made is None or made.target not in ("aten.max", "aten.amax") or made.args.get("self") is not whole:
        return None
    dim = made.args.get("dim")
    dim = dim[0] if isinstance(dim, list) and len(dim) == 1 else dim
    along = isinstance(dim, int) and dim % len(whole.sizes) == len(whole.sizes) - 1
    return whole if along and made.args.get("keepdim") and made.outputs[0] is most else None


def _same(value: Value) -> Value:
    """What a value is that was only copied."""
    while value.node is not None and value.node.target in SAME:
        value = value.node.inputs[0]
    return value


def _factor(total: Sum, x: Value) -> tuple[Value, int] | None:
    """The one constant that a tensor is multiplied by in a sum, once; and 1, or -1 where it is subtracted."""
    for one, times in total.items():
        rest = dict(one)
        if rest.pop(x, 0) == 1 and times in (1, -1) and len(rest) == 1:
            ((value, power),) = rest.items()
            if power == 1 and not value.flows and value.sizes:
                return value, int(times)
    return None


def _positions(x: Value, cos: Value, sin: Value, *, each: bool) -> int | None:
    """The axis of a tensor along which cosines and sines differ, beside its channels; its last is those.

    They are as many as channels, or ``each`` is of a pair of these.
    """
    sizes = (1,) * (len(x.sizes) - len(cos.sizes)) + cos.sizes
    channels = sizes[-1] * (2 if each else 1)
    if cos.sizes != sin.sizes or len(sizes) != len(x.sizes) or channels != x.sizes[-1]:
        return None
    along = [place for place, n in enumerate(sizes[:-1]) if n != 1]
    return along[0] if len(along) == 1 and along[0] and sizes[along[0]] == x.sizes[along[0]] else None


def _filling(value: Value) -> Any:
    """The number that a constant holds all over; ``None`` where it holds others."""
    if value.triangle is not None and value.triangle[0] == value.triangle[1]:
        return value.triangle[0]
    return value.numbers[0] if value.numbers is not None and len({*value.numbers}) == 1 else None


def _is_filled(weight: Value | None, number: float) -> bool:
    """Whether all values of a tensor are one number, or it is not there."""
    return weight is None or (weight.numbers is not None and {*weight.numbers} == {number})


#: What is computed with a function of a tensor, or with a root.
_PLAIN = ("add", "sub", "rsub", "mul", "div", "neg", "reciprocal", "addcmul")

#: What finds compositions by an operator that is in them.
_SEEDS: Mapping[str, Callable[[_Search, Node], Iterable[_Said]]] = {
    **dict.fromkeys(
        (f"aten.{name}" for name in ("erf", "tanh", "sigmoid", "hardsigmoid", "clamp", "hardtanh")),
        _Search.activation,
    ),
    **dict.fromkeys(("aten.sqrt", "aten.rsqrt", "aten.pow"), _Search.norm),
    "torch.instance_norm": _Search.group_norm,
    "aten.linalg_vector_norm": _Search.response_norm,
    "aten.cat": _Search.joined,
    "aten.stack": _Search.rotary,
    "aten.view_as_real": _Search.complex_rotary,
    "aten.isnan": _Search.safe_softmax,
    "aten._softmax": _Search.sinks,
}


def _weight(value: Value, sizes: Sequence[int], dims: Sequence[int], tape: Tape) -> Value | None:
    """A parameter as a norm along some axes has it, which is only viewed to stand beside a tensor."""
    own = tuple(sizes[i] for i in dims)
    if (1,) * (len(sizes) - len(value.sizes)) + value.sizes != tuple(
        n if i in dims else 1 for i, n in enumerate(sizes)
    ):
        return None
    leaf = value
    while not leaf.key and leaf.node is not None:
        node = leaf.node
        whole = node.target == "aten.slice" and node.inputs[0].sizes == leaf.sizes
        if not (whole or node.target in SAME or node.target in VIEWS):
            return None
        leaf = node.inputs[0]
    if not leaf.key or not leaf.trains:
        return None
    if leaf.sizes == own:
        return leaf
    same = [n for n in leaf.sizes if n != 1] == [n for n in own if n != 1]
    return Value(own, leaf.dtype, key=leaf.key, trains=True) if same and tape.is_file else None
