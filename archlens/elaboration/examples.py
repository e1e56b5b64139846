"""The uses that ops list of themselves, worked out."""

from __future__ import annotations

from ..language import parse
from ..ops import MERGES, OPS, Op
from ..ops.reference import Entry, Example, entry
from ..shape import Shape
from . import elaborate


def reference(op: type[Op]) -> Entry:
    """All that is known of an op, with its examples worked out."""
    return entry(op, tuple([_worked(text) for text in op.examples]))


def _worked(text: str) -> Example:
    """The last step of a text as ``"1x32x32 >> conv(6, 5)"``; those before it make its inputs."""
    shapes, *before, step = text.split(" >> ")
    inputs = tuple([Shape(map(int, shape.split("x"))) for shape in shapes.split(", ")])
    if step in MERGES or OPS.get(step, Op).transparent:  # these make no layer by themselves
        op = OPS[step]()
        return Example(text, op, inputs, op.facts(*inputs))
    steps = "".join(f"  - {one}\n" for one in (*before, step))
    layer = elaborate(parse(f"input: {shapes}\nlayers:\n{steps}")).layers[-1]
    return Example(text, layer.op, layer.input_shapes, layer.facts)
