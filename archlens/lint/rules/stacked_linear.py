"""The rule ``stacked-linear``; see its class."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from ...analysis.study import Study
from ...network import Layer
from ...ops.convolution import Conv
from ...ops.linear import Linear
from ..rule import WARNING, Finding, Rule
from ..words import at_one_place, named


class StackedLinear(Rule, code="AL304", name="stacked-linear", level=WARNING):
    """Two layers follow each other without a nonlinearity; one would do the same.

    What it does:
        Finds a linear layer whose only reader is a linear layer, and a dense convolution whose only reader
        is a dense 1x1 convolution, where a single layer in their place has fewer parameters. A narrow
        layer between two wide ones is a factorisation that saves parameters, and is not reported.

    Why it matters:
        The product of two matrices is a matrix: together the layers compute nothing that one could not. Most
        likely an activation between them was forgotten.

    Example:
        input: 64
        layers:
          - linear(128)
          - linear(10)

    Use instead:
        input: 64
        layers:
          - linear(128)
          - relu
          - linear(10)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        pairs: dict[str, tuple[Layer, int]] = {}
        for layer in study.network.layers:
            if isinstance(layer.op, Linear | Conv) and layer.name not in study.network.sharing:
                reader = study.reader(layer)
                saved = _saved(layer, reader) if reader and reader.name not in study.network.sharing else 0
                if reader and saved > 0:
                    pairs[reader.name] = layer, saved
        for layers in at_one_place(study.network.index[name] for name in pairs):
            first = pairs[layers[0].name][0]
            saved = sum(pairs[layer.name][1] for layer in layers)
            more = f" (and {len(layers) - 1} more)" if len(layers) > 1 else ""
            yield self.found(
                layers,
                f"{named(layers[:1])}{more} follows {named([first])} with no nonlinearity between them",
                help=f"an activation between them; or one layer, which saves {saved:,} parameters",
                also=[("the layer before it", first)],
                saved=saved,
            )


def _saved(first: Layer, second: Layer) -> int:
    """The parameters that one layer in place of both saves; 0 where it could not stand for them."""
    a, b = first.op, second.op
    if isinstance(a, Conv) and isinstance(b, Conv):
        pointwise = all((w.kernel, w.stride, w.before, w.after) == (1, 1, 0, 0) for w in second.windows)
        if a.groups > 1 or b.groups > 1 or not pointwise:
            return 0
    elif not (isinstance(a, Linear) and isinstance(b, Linear)):
        return 0
    one, other = first.single, second.single
    _, *rest = one.facts.weights["weight"]
    out = second.shape.channels
    biased = "bias" in one.facts.weights or "bias" in other.facts.weights
    saved = one.params + other.params - out * prod(rest) - out * biased
    return saved * (first.copies.experts if first.copies is not None else 1)
