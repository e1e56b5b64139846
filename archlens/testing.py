"""Budgets and shapes as assertions, for tests of one's own networks.

>>> from archlens.testing import assert_budget
>>> assert_budget("lenet5", params="<= 62k", depth="== 5")
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .budgets.project import parse_limits
from .budgets.verdict import Checked, Report, judge
from .errors import a_or_an, usage
from .forms import text
from .language import Spec
from .limits import Requirement
from .network import Network
from .studying import study
from .tracing.origin import Traced
from .views import check_table as view


def assert_budget(
    network: Any,
    /,
    *,
    input: Any = None,
    scopes: Mapping[str, Mapping[str, str]] | None = None,
    **limits: str,
) -> None:
    """Fail unless a network keeps within limits.

    Args:
        network: a network, a spec, the name of one, the path of a file, the text of a spec, or a module.
        input: another input shape; a torch module needs one.
        scopes: limits on scopes: ``{"fc": {"params": "<= 10 %"}}``.
        **limits: a limit by quantity, as ``archlens check`` takes it: ``params="<= 26M"``. Without any, those
            of the spec's own ``budget:``.

    Raises:
        AssertionError: a limit is broken, or there is none; the message says by how much.
        UsageError: there is no such quantity, unit, scope or network.
        SpecError: the spec is wrong.

    >>> assert_budget("resnet50", params="<= 26M", scopes={"fc": {"params": "<= 10 %"}})
    """
    __tracebackhide__ = True
    found = study(network, input=input)
    requirements: tuple[Requirement, ...] = tuple(parse_limits(limits.items()))
    for scope, inside in _tables(scopes):
        requirements += tuple(parse_limits(inside.items(), scope))
    if not requirements:
        requirements = found.network.meta.requirements
    checked = Checked(found.network.name, found.network, judge(found, requirements), asked=True)
    if not checked.held:
        raise AssertionError(text.write(view.table(Report((checked,)))))


def _tables(scopes: Any) -> list[tuple[str, Mapping[str, str]]]:
    """The limits by scope, where they are that.

    Raises:
        UsageError: they are not, or a scope has none or no name.
    """
    tables = list(scopes.items()) if isinstance(scopes, Mapping) else [("", scopes)] if scopes else []
    for scope, inside in tables:
        if not (isinstance(scope, str) and scope and isinstance(inside, Mapping) and inside):
            raise usage("scopes are limits by scope", help='as in scopes={"fc": {"params": "<= 10 %"}}')
    return tables


def assert_shapes(
    module: Any, network: Network | Spec | str | os.PathLike[str] | Any, /, *, input: Any = None
) -> None:
    """Fail unless a ``torch.nn.Module`` is what a network says; needs torch.

    Held against it are the shapes of all weights and buffers by their names in the state dict, the output
    shape of each submodule that a layer is called after, and that of the whole, for a batch of one.

    Args:
        module: on any device; it is left as it was.
        network: a network, a spec, the name of one, the path of a file, the text of a spec, or a module.
        input: another input shape; a network that is a torch module needs one.

    Raises:
        AssertionError: something differs; the message names it.
        UsageError: torch is not installed.
    """
    __tracebackhide__ = True
    from .backends import require_torch

    require_torch()
    from torch.nn import Module

    from .backends.conformance import differences

    if not isinstance(module, Module):
        raise usage(f"a torch.nn.Module is needed, but got {a_or_an(type(module).__name__)}")
    meant = study(network, input=input).network
    found = differences(module, meant, traced=isinstance(meant.origin, Traced))
    if found:
        head = f"{type(module).__name__} is not what {meant.name} says:"
        raise AssertionError("\n  ".join([head, *found]))
