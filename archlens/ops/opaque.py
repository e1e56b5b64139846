"""What nobody knows how to count: an operation whose output and weights are facts, and the rest is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..counts import AtLeast
from ..shape import Shape
from .op import Buffer, Call, Facts, NonUniform, Op, ShapeError

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

    >>> from archlens.shape import Shape
    >>> op = Opaque("my.op", Shape((8, 4, 4)), (Shape((3, 8, 8)),), weights={"w": (8, 3)})
    >>> print(op, op.facts(Shape((3, 8, 8))).macs)
    my.op unknown
    """

    kind = "opaque"

    def __init__(
        self,
        name: str,
        shape: Shape,
        inputs: tuple[Shape, ...],
        *,
        reason: str = "",
        weights: Mapping[str, tuple[int, ...]] | None = None,
        buffers: Mapping[str, Buffer] | None = None,
    ) -> None:
        vars(self).update(
            name=name,
            shape=Shape(shape),
            inputs=tuple(map(Shape, inputs)),
            reason=reason or f"what {name} computes is not known",
            weights=tuple((weights or {}).items()),
            buffers=tuple((buffers or {}).items()),
            merges=len(inputs) > 1,
        )

    def facts(self, *inputs: Shape) -> Facts:
        known: dict[str, Any] = vars(self)
        if inputs != known["inputs"]:
            shapes = " and ".join(map(str, known["inputs"]))
            raise ShapeError(f"what comes out of {known['name']} is known on {shapes} only")
        return Facts(
            shape=known["shape"],
            weights=dict(known["weights"]),
            buffers=dict(known["buffers"]),
            macs=AtLeast(0, known["reason"]),
            other={},
            reach=NonUniform(known["reason"]),
            torch=Call(UNKNOWN),
        )

    def why_macs(self, facts: Facts, *inputs: Shape) -> str:
        return f"unknown: {vars(self)['reason']}"

    def written(self, instead: Mapping[str, str]) -> str:
        return str(vars(self)["name"])
