"""The rule ``small-field``; see its class."""

from __future__ import annotations

from collections.abc import Iterator

from ...analysis.receptive_field import ReceptiveFields
from ...analysis.study import Study
from ...errors import shorten
from ...network import Layer
from ...shape import times
from ..rule import WARNING, Finding, Rule
from ..words import named


class SmallField(Rule, code="AL201", name="small-field", level=WARNING):
    """The features that the classifier receives have seen only part of the image.

    What it does:
        Compares the receptive field of the last map with the input, where the map is then pooled as a whole,
        or flattened into a single linear layer. Two linear layers on a flattened map relate all its
        positions, as those of VGG do (field 212 of 224), and are not reported; nor are maps whose positions
        attention or a normalization has already related.

    Why it matters:
        Pooling averages positions. If none of them has seen the whole image, the network sees which parts
        there are, but not how they are arranged: a bag of features. Sources: Brendel and Bethge,
        "Approximating CNNs with Bag-of-local-Features models works surprisingly well on ImageNet" (2019);
        Araujo, Norris and Sim, Distill (2019), for how accuracy grows with the field.

    Example:
        input: 3x224x224
        layers:
          - conv(64, 7, stride=2, padding=3)
          - relu
          - conv(64, 3, padding=1)
          - relu
          - global_avg_pool
          - flatten
          - linear(10)

    Use instead:
        input: 3x15x15
        layers:
          - conv(64, 7, stride=2, padding=3)
          - relu
          - conv(64, 3, padding=1)
          - relu
          - conv(64, 3, padding=1)
          - relu
          - global_avg_pool
          - flatten
          - linear(10)
    """

    def check(self, study: Study) -> Iterator[Finding]:
        for fields in study.fields.values():
            last = fields.last()
            image = study.network.inputs[fields.input]
            seen = fields[last] if last else None
            if not isinstance(seen, tuple) or all(
                field.size >= n for field, n in zip(seen, image.spatial, strict=True)
            ):
                continue
            joiner = _joiner(study, fields, last)
            if joiner is None:
                continue
            sizes = [field.size for field in seen]
            which = f" of {shorten(fields.input)}" if len(study.network.inputs) > 1 else ""
            yield self.found(
                [study.network.index[last]],
                f"{shorten(last)}: its positions have seen {times(sizes)} of the {times(image.spatial)} "
                f"image{which}, and {named([joiner])} combines them as they are",
                notes=[f"its map of {study.network.shape_of(last)} goes into {joiner.op}"],
                help="more layers, strides or dilation before it; a smaller input; or two linear layers "
                "behind flatten",
                size=sizes,
                image=list(image.spatial),
            )


def _joiner(study: Study, fields: ReceptiveFields, last: str) -> Layer | None:
    """The layer that takes all positions of the last map together; ``None`` where more relates them."""
    name, chain = study.network.main, []
    while name != last:
        layer = study.network.index.get(name)
        if layer is None:
            return None  # an input of another name
        chain.append(layer)
        name = max(layer.inputs, key=lambda n: isinstance(fields[n], tuple))
    if not chain or any(size > 1 for size in chain[-1].shape.spatial):
        return None
    flattened = chain[-1].shape.numel > fields.network.shape_of(last).channels
    products = sum(layer.macs > 0 for layer in chain)
    return None if flattened and products > 1 else chain[-1]
