"""The rule ``nested-gate``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.study import Study
from ...network import Layer
from ..rule import ADVICE, Finding, Rule
from ..words import at_one_place, named

#: What makes a gate of what flows: values between 0 and 1.
_BOUNDED = ("sigmoid", "hard_sigmoid")


class NestedGate(Rule, code="AL605", name="nested-gate", level=ADVICE):
    """The steps of a gate end in another gate, so its values are not between 0 and 1.

    What it does:
        Finds a gate whose factor is itself a tensor times its own sigmoid.

    Why it matters:
        `gate:` multiplies its input by the output of its steps. If the last of these is a `gate:` again, that
        output is not a sigmoid but x*sigmoid(x), which is silu and unbounded.
        Source: Hu, Shen and Sun, "Squeeze-and-Excitation Networks" (CVPR 2018), section 3.2, whose gates end
        in a sigmoid.

    Example:
        input: 16x8x8
        layers:
          - gate:
              - conv(16, 1)
              - gate: sigmoid
          - relu

    Use instead:
        input: 16x8x8
        layers:
          - gate:
              - conv(16, 1)
              - sigmoid
          - relu
    """

    def check(self, study: Study) -> Iterator[Finding]:
        found = [
            layer for layer in study.network.layers if layer.op.kind == "multiply" and _own(study, layer)
        ]
        nested = {
            inner.name: inner
            for outer in study.network.layers
            if outer.op.kind == "multiply" and len(outer.inputs) == 2
            for inner in found
            if inner.name in outer.inputs and _is_made_of(study, inner, outer)
        }
        for layers in at_one_place(nested.values()):
            yield self.found(
                layers,
                f"{named(layers)}: the gate multiplies by x*sigmoid(x), and not by a sigmoid",
                help="sigmoid as the last step of the gate; or silu, if this is meant",
            )


def _own(study: Study, layer: Layer) -> str:
    """What a layer multiplies by its own sigmoid; empty where it does not."""
    if len(layer.inputs) == 2:
        for one, other in (layer.inputs, layer.inputs[::-1]):
            gate = study.network.index.get(other)
            if gate is not None and gate.op.kind in _BOUNDED and gate.inputs == (one,):
                return one
    return ""


def _is_made_of(study: Study, inner: Layer, outer: Layer) -> bool:
    """Whether a gate is made, in a row, of what it is multiplied by."""
    other = next((name for name in outer.inputs if name != inner.name), "")
    name = _own(study, inner)
    while name != other:
        layer = study.network.index.get(name)
        if layer is None or len(layer.inputs) != 1:
            return False
        name = layer.inputs[0]
    return True
