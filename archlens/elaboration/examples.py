"""The uses that ops list of themselves, worked out."""

from __future__ import annotations

import ast

from ..language import parse
from ..language.steps import PARTS
from ..ops import MERGES, OPS, Op
from ..ops.op import signature
from ..ops.reference import Entry, Example, entry
from ..shape import Shape
from . import elaborate


def reference(op: type[Op]) -> Entry:
    """All that is known of an op, with its examples worked out."""
    return entry(op, tuple([_worked(text) for text in op.examples]))


def spec_of(text: str) -> str:
    """The spec of a use of an op as ``"1x32x32 >> conv(6, 5)"``; a merge reads inputs of the network.

    >>> print(spec_of("4x9, 4x9, 6x9 >> tokens >> attention(2)"))
    input: {in0: 4x9, in1: 4x9, in2: 6x9}
    layers:
      - attention:
          q: ref(in0) >> tokens
          k: ref(in1) >> tokens
          v: ref(in2) >> tokens
          heads: 2
    """
    shapes, *before, step = text.split(" >> ")
    kind = step.partition("(")[0]
    second = OPS[kind].second if kind in OPS else ""
    if kind not in MERGES and ", " not in shapes:
        return "\n".join([f"input: {shapes}", "layers:", *(f"  - {one}" for one in (*before, step))])
    inputs = {f"in{k}": shape for k, shape in enumerate(shapes.split(", "))}
    branches = [" >> ".join([f"ref({name})", *before]) for name in inputs]
    if second:
        step = step.replace(f"{second}=true", f"{second}={second}")
        branches = [f"{second}: {branches[1]}", branches[0]]
        named = ", ".join(f"{name}: {shape}" for name, shape in inputs.items())
        return "\n".join([f"input: {{{named}}}", "layers:", *(f"  - {one}" for one in (*branches, step))])
    given = _given(step, OPS[kind])
    parts = MERGES[kind].parts(len(branches), given) if kind in PARTS else ()
    lines = [f"      - {branch}" for branch in branches]
    if parts:
        found = dict(zip(parts, branches, strict=True))
        found |= {name: value for name, value in given.items() if name not in parts}
        lines = [f"      {name}: {value}" for name, value in found.items()]
    named = ", ".join(f"{name}: {shape}" for name, shape in inputs.items())
    return "\n".join([f"input: {{{named}}}", "layers:", f"  - {kind if parts else step}:", *lines])


def _given(step: str, op: type[Op]) -> dict[str, str]:
    """The arguments of a call, by their names."""
    call = ast.parse(step, mode="eval").body
    if not isinstance(call, ast.Call):
        return {}
    placed = dict(zip(signature(op), call.args, strict=False))
    named = {key.arg: key.value for key in call.keywords if key.arg is not None}
    return {name: ast.unparse(value) for name, value in (placed | named).items()}


def _worked(text: str) -> Example:
    """The last step of a text as ``"1x32x32 >> conv(6, 5)"``; those before it make its inputs."""
    step = text.rpartition(" >> ")[2]
    if OPS.get(step, Op).transparent:  # it makes no layer by itself
        op = OPS[step]()
        shape = Shape(map(int, text.partition(" >> ")[0].split("x")))
        return Example(text, op, (shape,), op.facts(shape))
    layer = elaborate(parse(spec_of(text))).layers[-1]
    return Example(text, layer.op, layer.input_shapes, layer.facts)
