"""What exporters write out in several operators, found again: activations and norms without a name there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isclose, pi, sqrt
from typing import Any

from .proto import Held, Node


def recognized(nodes: Sequence[Node], held: Mapping[str, Held], ends: Sequence[str]) -> list[Node]:
    """The nodes, of those that end a pattern each what it says in their place.

    What else belongs to the pattern is read no more.
    """
    return list(_Patterns(nodes, held, ends).nodes())


class _Patterns:
    """Who makes each tensor, and who reads it."""

    def __init__(self, nodes: Sequence[Node], held: Mapping[str, Held], ends: Sequence[str]) -> None:
        self.listed = nodes
        self.held = held
        self.made = {name: node for node in nodes for name in node.outputs if name}
        self.readers: dict[str, list[Node]] = {}
        for node in nodes:
            for name in node.inputs:
                self.readers.setdefault(name, []).append(node)
        self.ends = set(ends)
        self.found: dict[int, Node] = {}

    def nodes(self) -> Iterator[Node]:
        for node in self.listed:
            find = _FOUND.get(node.op) if not node.domain else None
            if find is not None and node.inputs and node.outputs:
                find(self, node)
        for node in self.listed:
            yield self.found.get(id(node), node)

    def say(self, last: Node, op: str, inputs: Sequence[str], **attributes: Any) -> None:
        """Put an operator in the place of the last of a pattern."""
        self.found[id(last)] = Node(
            op,
            "",
            last.name,
            list(inputs),
            last.outputs,
            attributes,
            last.scopes,
            last.classes,
            last.place,
            max(last.version, 20),
        )

    def after(self, name: str, op: str) -> Node | None:
        """What reads a tensor, where that is one node of this operator."""
        readers = self.readers.get(name, [])
        alone = len(readers) == 1 and name not in self.ends and readers[0].op == op
        return readers[0] if alone and not readers[0].domain else None

    def affine(self, last: Node) -> tuple[Node, list[str]]:
        """The scale and the shift by constants behind a node: the last node of them, and the constants."""
        constants = []
        for op in ("Mul", "Add"):
            after = self.after(last.outputs[0], op)
            other = _other(after, last.outputs[0]) if after is not None else ""
            if after is None or self.constant(other) is None:
                break
            last = after
            constants.append(other)
        return last, constants

    def before(self, name: str, op: str) -> Node | None:
        """What makes a tensor, where that is a node of this operator."""
        node = self.made.get(name)
        return node if node is not None and node.op == op and not node.domain else None

    def number(self, name: str) -> float | None:
        """The number that a tensor is, if it is one."""
        node = self.made.get(name)
        held = self.constant(name)
        found: Any = held.values[0] if held is not None and held.values and len(held.values) == 1 else None
        if node is not None and node.op == "Constant":
            found = node.attributes.get("value_float", found)
        return float(found) if isinstance(found, int | float) else None

    def constant(self, name: str) -> Held | None:
        """The tensor of the file that a tensor is."""
        node = self.made.get(name)
        found: Any = self.held.get(name)
        if node is not None and node.op == "Constant":
            found = node.attributes.get("value")
        elif node is not None and node.op == "Identity" and node.inputs:
            found = self.held.get(node.inputs[0])
        return found if isinstance(found, Held) else None

    def axes(self, node: Node) -> list[int] | None:
        """Over which axes a node reduces, where that is known."""
        found: Any = node.attributes.get("axes")
        if len(node.inputs) > 1:
            held = self.constant(node.inputs[1])
            found = held.values if held is not None else None
        return sorted(found) if isinstance(found, list) and found else None

    def with_number(self, node: Node | None, near: float) -> str | None:
        """What stands beside a number in a node of two inputs; ``None`` where it is another number."""
        if node is None or len(node.inputs) != 2:
            return None
        for one, other in (node.inputs, node.inputs[::-1]):
            number = self.number(other)
            if number is not None and isclose(number, near, rel_tol=1e-3):
                return one
        return None

    def times(self, node: Node | None, name: str) -> bool:
        """Whether a product has a tensor as a factor."""
        return node is not None and node.op == "Mul" and len(node.inputs) == 2 and name in node.inputs


def _other(node: Node, name: str) -> str:
    return next((one for one in node.inputs if one != name), name)


def _scaled(patterns: _Patterns, name: str) -> str | None:
    """What is divided by the root of two."""
    by = patterns.before(name, "Div")
    if by is not None and patterns.number(by.inputs[-1]) is not None:
        return patterns.with_number(by, sqrt(2))
    return patterns.with_number(patterns.before(name, "Mul"), 1 / sqrt(2))


def _halved(patterns: _Patterns, x: str, one_more: Node) -> Node | None:
    """The last of the products of ``x``, a half and one more than something."""
    name = one_more.outputs[0]
    first = patterns.after(name, "Mul")
    if first is None:
        return None
    other = _other(first, name)
    if other == x:  # x times that, then a half of it
        last = patterns.after(first.outputs[0], "Mul")
        return last if last is not None and patterns.with_number(last, 0.5) == first.outputs[0] else None
    if patterns.with_number(first, 0.5) == name:  # a half of that, then times x
        last = patterns.after(first.outputs[0], "Mul")
        return last if last is not None and patterns.times(last, x) else None
    half = patterns.before(other, "Mul")  # a half of x, times that
    return first if half is not None and patterns.with_number(half, 0.5) == x else None


def _gelu(patterns: _Patterns, erf: Node) -> None:
    x = _scaled(patterns, erf.inputs[0])
    one_more = patterns.after(erf.outputs[0], "Add")
    if x is not None and one_more is not None and patterns.with_number(one_more, 1) == erf.outputs[0]:
        last = _halved(patterns, x, one_more)
        if last is not None:
            patterns.say(last, "Gelu", [x])


def _tanh(patterns: _Patterns, tanh: Node) -> None:
    """GELU by its approximation, and Mish."""
    soft = patterns.before(tanh.inputs[0], "Softplus")
    last = patterns.after(tanh.outputs[0], "Mul")
    if soft is not None:
        if patterns.times(last, soft.inputs[0]) and last is not None:
            patterns.say(last, "Mish", [soft.inputs[0]])
        return
    inner = patterns.with_number(patterns.before(tanh.inputs[0], "Mul"), sqrt(2 / pi))
    total = patterns.before(inner, "Add") if inner is not None else None
    one_more = patterns.after(tanh.outputs[0], "Add")
    if total is None or one_more is None or patterns.with_number(one_more, 1) != tanh.outputs[0]:
        return
    for x, cube in (total.inputs, total.inputs[::-1]):
        if patterns.with_number(patterns.before(cube, "Mul"), 0.044715) is not None:
            end = _halved(patterns, x, one_more)
            if end is not None:
                patterns.say(end, "Gelu", [x], approximate="tanh")
                return


def _gated(patterns: _Patterns, gate: Node) -> None:
    """A tensor times a gate of itself: SiLU, and the hard one."""
    hard = gate.op == "HardSigmoid"
    if hard and not isclose(gate.attributes.get("alpha") or 0.2, 1 / 6, rel_tol=1e-3):
        return
    last = patterns.after(gate.outputs[0], "Mul")
    if last is not None and patterns.times(last, gate.inputs[0]):
        patterns.say(last, "HardSwish" if hard else "Swish", [gate.inputs[0]])


def _hard(patterns: _Patterns, clip: Node) -> None:
    """A tensor and three more, from 0 to 6, and a sixth of that: hard sigmoid; times the tensor hard SiLU."""
    limits = [clip.attributes.get(name) for name in ("min", "max")]
    if len(clip.inputs) == 3:
        limits = [patterns.number(name) for name in clip.inputs[1:]]
    x = patterns.with_number(patterns.before(clip.inputs[0], "Add"), 3)
    if x is None or limits != [0, 6]:
        return
    name = clip.outputs[0]
    sixth = patterns.after(name, "Div")
    product = patterns.after(name, "Mul")
    if product is not None and patterns.times(product, x):
        last = patterns.after(product.outputs[0], "Div")
        if last is not None and patterns.number(last.inputs[1]) == 6:
            patterns.say(last, "HardSwish", [x])
    elif sixth is not None and patterns.number(sixth.inputs[1]) == 6:
        last = patterns.after(sixth.outputs[0], "Mul")
        if last is not None and patterns.times(last, x):
            patterns.say(last, "HardSwish", [x])
        else:
            patterns.say(sixth, "HardSigmoid", [x], alpha=1 / 6)


def _layer_norm(patterns: _Patterns, root: Node) -> None:
    """What is left of a tensor without its mean, divided by its deviation, and maybe scaled and shifted."""
    small = patterns.before(root.inputs[0], "Add")
    if small is None or len(small.inputs) != 2:
        return
    numbers = [patterns.number(name) for name in small.inputs]
    epsilon = next((one for one in numbers if one is not None), None)
    variance = patterns.before(small.inputs[0] if numbers[0] is None else small.inputs[1], "ReduceMean")
    if epsilon is None or variance is None:
        return
    square = patterns.before(variance.inputs[0], "Pow") or patterns.before(variance.inputs[0], "Mul")
    if square is None or not (patterns.number(square.inputs[1]) == 2 or len(set(square.inputs)) == 1):
        return
    rest = patterns.before(square.inputs[0], "Sub")
    mean = patterns.before(rest.inputs[1], "ReduceMean") if rest is not None else None
    if rest is None or mean is None or mean.inputs[0] != rest.inputs[0]:
        return
    axes = [patterns.axes(one) for one in (mean, variance)]
    divided = patterns.after(root.outputs[0], "Div")
    if axes[0] is None or axes[0] != axes[1] or divided is None or divided.inputs[0] != rest.outputs[0]:
        return
    last, weights = patterns.affine(divided)
    if len(weights) == 1:
        return
    # of axes that are counted from the end, the first is where they begin
    if axes[0] == list(range(-len(axes[0]), 0)):
        patterns.say(last, "LayerNormalization", [rest.inputs[0], *weights], axis=axes[0][0], epsilon=epsilon)


def _group_norm(patterns: _Patterns, norm: Node) -> None:
    """Groups of channels as channels, normed one by one, and the map as it was; maybe scaled and shifted."""
    groups = patterns.before(norm.inputs[0], "Reshape")
    count = patterns.constant(norm.inputs[1]) if len(norm.inputs) == 3 else None
    back = patterns.after(norm.outputs[0], "Reshape")
    if groups is None or back is None or count is None or len(count.sizes) != 1:
        return
    shape = patterns.constant(groups.inputs[1])
    if shape is None or shape.values is None or list(shape.values)[1:] != [count.sizes[0], -1]:
        return
    last, weights = patterns.affine(back)
    if len(weights) != 1:
        attributes = {"num_groups": count.sizes[0], "epsilon": norm.attributes.get("epsilon", 1e-5)}
        patterns.say(last, "GroupNormalization", [groups.inputs[0], *weights], **attributes)


_FOUND = {
    "Erf": _gelu,
    "Tanh": _tanh,
    "Sigmoid": _gated,
    "HardSigmoid": _gated,
    "Clip": _hard,
    "Sqrt": _layer_norm,
    "InstanceNormalization": _group_norm,
}
