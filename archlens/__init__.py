"""archlens: exact shapes, receptive fields and costs of neural networks, from declarative specs.

>>> import archlens
>>> archlens.load("lenet5").params
61706
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .elaboration import elaborate
from .errors import ArchlensError, Diagnostic, Span, SpecError, UsageError
from .network import Layer, Network
from .shape import Shape
from .spec import find, names, parse

__version__ = "0.1.0"

__all__ = [
    "ArchlensError",
    "Diagnostic",
    "Layer",
    "Network",
    "Shape",
    "Span",
    "SpecError",
    "UsageError",
    "build",
    "load",
    "loads",
    "names",
]


def load(name: str, /, *, input: Any = None, **values: Any) -> Network:
    """The network that a name of the zoo or the path of a spec file means.

    Args:
        name: ``"resnet50"``, ``"my.yaml"`` or ``"my.yaml:variant"``.
        input: another input shape, as ``(3, 224, 224)`` or ``"3x224x224"``, without the batch; a
            mapping of names to shapes where the network has several inputs.
        **values: values for the spec's params.

    Raises:
        SpecError: the spec is wrong, or a layer does not fit; ``error.network`` holds the layers up
            to there.
        UsageError: there is no such network, param or input.

    >>> archlens.load("resnet50", input=(3, 320, 320)).output
    Shape((1000,))
    >>> archlens.load("resnet50", depths=[3, 4, 23, 3]).params  # ResNet-101
    44549160
    """
    spec, variant = find(name)
    return elaborate(spec, variant, input=input, values=values)


def loads(text: str, /, *, variant: str = "", input: Any = None, **values: Any) -> Network:
    """The network that the text of a spec describes; otherwise as :func:`load`.

    >>> print(archlens.loads("{input: 1x32x32, layers: ['conv(6, 5)']}").output)
    6x28x28
    """
    spec = parse(text)
    if variant and variant not in spec.variants:
        raise _no_variant(variant, spec.variants)
    return elaborate(spec, variant, input=input, values=values)


def build(network: Network, *, device: Any = None, dtype: Any = None) -> Any:
    """A torch module of a network; its state dict has the spec's names for keys.

    A door to :func:`archlens.backends.torch_module.build`, which says more.

    Raises:
        UsageError: torch is not installed.
    """
    from .backends import require_torch

    require_torch()
    from .backends.torch_module import build

    return build(network, device=device, dtype=dtype)


def _no_variant(variant: str, variants: Mapping[str, Any]) -> UsageError:
    from .errors import did_you_mean, shorten, usage

    return usage(f"there is no variant {shorten(variant)}", help=did_you_mean(variant, variants))
