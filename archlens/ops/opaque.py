"""What has no op of its own: its output and its weights are facts, and its cost where that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..counts import AtLeast
from ..geometry import POINT
from ..shape import Shape
from .op import EVERYWHERE, Buffer, Call, Facts, NonUniform, Op, Reach, ShapeError

#: What the call of an op is that nobody can make.
UNKNOWN = "archlens.unknown"


class Opaque(Op, family="opaque"):
    """An operation of which only its name, its output and its weights are known.

    A network that holds one says "at least" of its totals, and cannot be built or written as source. It is no
    op of the language of specs.

    Args:
        name: what it is called where it comes from, such as ``"my_package.attention"``.
        shape: what comes out of it, without the batch.
        inputs: the shapes that go in; on others its output is not known.
        reason: why its cost is not known.
        weights: its trainable tensors by name, each with its shape.
        buffers: what it has and does not train, by name.
        macs: its multiply-accumulates for one sample, where they are known; ``None`` where not.
        once: those that are made once for a whole batch, part of ``macs``.
        pointwise: whether each output depends on the input at its own position alone.
        help: how the network is had without it, for who asks for what it cannot give.
        base: an op that it is but for more inputs after those of the op, or for weights that are computed; it
            says how far it looks into its own inputs, and into all of the others.

    >>> from archlens.shape import Shape
    >>> op = Opaque("my.op", Shape((8, 4, 4)), (Shape((3, 8, 8)),), weights={"w": (8, 3)})
    >>> print(op, op.facts(Shape((3, 8, 8))).macs)
    my.op unknown
    """

    kind = "opaque"
    looks_up = True

    def __init__(
        self,
        name: str,
        shape: Shape,
        inputs: tuple[Shape, ...],
        *,
        reason: str = "",
        weights: Mapping[str, tuple[int, ...]] | None = None,
        buffers: Mapping[str, Buffer] | None = None,
        macs: int | None = None,
        once: int = 0,
        pointwise: bool = False,
        help: str = "",
        base: Op | None = None,
    ) -> None:
        vars(self).update(
            name=name,
            shape=shape if isinstance(shape, Shape) else Shape(shape),
            inputs=tuple([x if isinstance(x, Shape) else Shape(x) for x in inputs]),
            reason=reason or f"what {name} computes is not known",
            weights=tuple((weights or {}).items()),
            buffers=tuple((buffers or {}).items()),
            macs=macs,
            once=once,
            pointwise=pointwise,
            help=help,
            base=base,
            merges=len(inputs) > 1,
        )

    def reading(self, *inputs: Shape) -> Opaque:
        """The same on other shapes, of which it makes what it makes of its own."""
        known: dict[str, Any] = vars(self)
        tensors = {name: dict(known[name]) for name in ("weights", "buffers")}
        rest = {name: value for name, value in known.items() if name != "merges"}
        return Opaque(**rest | tensors | {"inputs": inputs})

    @property
    def base(self) -> Op | None:
        """The op that it is but for further inputs."""
        return vars(self)["base"]  # type: ignore[no-any-return]

    def facts(self, *inputs: Shape) -> Facts:
        known: dict[str, Any] = vars(self)
        if inputs != known["inputs"]:
            shapes = " and ".join(map(str, known["inputs"]))
            raise ShapeError(f"what comes out of {known['name']} is known on {shapes} only")
        return Facts(
            shape=known["shape"],
            weights=dict(known["weights"]),
            buffers=dict(known["buffers"]),
            macs=AtLeast(0, known["reason"]) if known["macs"] is None else known["macs"],
            other={},
            reach=_reach(known),
            torch=Call(UNKNOWN),
        )

    def reach_of(self, index: int, facts: Facts, inputs: Sequence[Shape]) -> Reach:
        if self.base is None:
            return facts.reach
        if index >= (len(self.base.branches) or 1):
            return EVERYWHERE
        return self.base.reach_of(index, facts, inputs)

    def macs_once(self, facts: Facts, *inputs: Shape) -> int:
        return int(vars(self)["once"])

    def arithmetic(self, facts: Facts, *inputs: Shape) -> str:
        if self.base is None:
            return ""
        own = inputs[: len(self.base.branches) or 1]
        found = self.base.facts(*own)
        return self.base.arithmetic(found, *own) if found.shape == facts.shape else ""

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        if vars(self)["macs"] is not None:
            return super().why_macs(facts, *inputs)
        return f"unknown: {vars(self)['reason']}"

    def written(self, instead: Mapping[str, str]) -> str:
        return str(vars(self)["name"])


def _reach(known: Mapping[str, Any]) -> Reach:
    if known["base"] is not None:
        count = len(known["base"].branches) or 1
        try:
            return known["base"].facts(*known["inputs"][:count]).reach  # type: ignore[no-any-return]
        except ShapeError:  # ids, which have no channels to go through
            return NonUniform(known["reason"])
    axes = len(known["shape"]) - 1
    if not axes and all(len(x) == 1 for x in known["inputs"]):
        return EVERYWHERE  # vectors, which have no positions
    if known["pointwise"] and all(len(x) == axes + 1 for x in known["inputs"]):
        return (POINT,) * axes or EVERYWHERE
    return NonUniform(known["reason"])
