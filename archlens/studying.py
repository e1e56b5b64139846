"""The Python door to all analyses: a network by name, path or value, with what is found out about it."""

from __future__ import annotations

import os
from functools import cached_property
from typing import Any

from .analysis import study as analysis
from .elaboration import FromSpec, elaborate
from .errors import usage
from .language import Spec, parse
from .library import find
from .lint import Finding
from .network import Network


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


def study(network: Network | Spec | str | os.PathLike[str], /, *, input: Any = None, **values: Any) -> Study:
    """The study of a network.

    Args:
        network: a network, a spec, the name of one, the path of a file, or the text of a spec.
        input: another input shape, as :func:`archlens.load` takes it.
        **values: values for the spec's params.

    Raises:
        SpecError: the spec is wrong, or a layer does not fit.
        UsageError: there is no such network, param or input.
    """
    if isinstance(network, Network):
        network = network.with_values(**values) if values else network
        network = network if input is None else network.with_input(input)
        return Study(network)
    if isinstance(network, Spec):
        spec, variant = network, ""
    elif isinstance(network, str) and "\n" in network:
        spec, variant = parse(network), ""
    else:
        try:
            spec, variant = find(os.fspath(network))
        except TypeError:
            what = type(network).__name__
            raise usage(f"a network, a spec, a name or a path is needed, and this is a {what}") from None
    return Study(elaborate(spec, variant, input=input, values=values))
