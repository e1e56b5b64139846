"""The Python door to all analyses: a network by name, path or value, with what is found out about it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from . import dialects
from .analysis import study as analysis
from .elaboration import FromSpec
from .errors import shorten, usage
from .language import Spec
from .library import Found, read
from .lint import Finding
from .network import Network
from .tracing import is_module, traced

if TYPE_CHECKING:
    from .dialects import Meant


class Study(analysis.Study):
    """A network with what is found out about it: each thing when it is first asked for, and once.

    >>> import archlens
    >>> study = archlens.study("resnet50")
    >>> study.cost.params, study.cost.macs
    (25557032, 4089184256)
    >>> [field.size for field in study.receptive_fields["layer4"]]
    [427, 427]
    """

    @property
    def spec(self) -> Spec | None:
        """What the network was laid out from; ``None`` for one that was made otherwise."""
        origin = self.network.origin
        return origin.spec if isinstance(origin, FromSpec) else None

    @cached_property
    def lint(self) -> list[Finding]:
        """What is most likely a mistake, or worth knowing, in the order of the spec."""
        from .lint import lint

        return lint(self, self.spec)


def study(network: Any, /, *, input: Any = None, **values: Any) -> Study:
    """The study of a network.

    Args:
        network: a network, a spec, the name of one, the path of a file, the text of a spec, or a module.
        input: another input shape, as :func:`archlens.load` takes it; a module needs one.
        **values: values for the spec's params.

    Raises:
        SpecError: the spec is wrong, or a layer does not fit.
        UsageError: there is no such network, param or input.
    """
    made = _network(network, input, values)
    return Study(made)


def _network(meant: Any, input: Any, values: Mapping[str, Any]) -> Network:
    """The network that a value means, on an input and with values.

    Raises:
        SpecError: the spec is wrong, or a layer does not fit.
        UsageError: there is no such network, param or input, or the value means none.
    """
    if isinstance(meant, Network):
        network = meant.with_values(**values) if values else meant
        return network if input is None else network.with_input(input)
    if is_module(meant):
        if values:
            raise usage(f"a torch module has no params, and so no {shorten(next(iter(values)))}")
        return traced(meant, input)
    found = _found(meant)
    return dialects.network(found, input=input, values=values)


def _found(meant: Any) -> Meant:
    """What a spec, its text, a name or a path means.

    Raises:
        SpecError: the spec is wrong.
        UsageError: it is none of them, or there is no such network.
    """
    if isinstance(meant, Spec):
        return Found(meant, "")
    if isinstance(meant, str) and "\n" in meant:
        return Found(read(meant), "")
    try:
        return dialects.find(os.fspath(meant))
    except TypeError:
        what = type(meant).__name__
        raise usage(f"a network, a spec, a module, a name or a path is needed, but got {what}") from None
