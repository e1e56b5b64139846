"""The ``budget:`` of a spec: limits on quantities of the network, and of its scopes."""

from __future__ import annotations

from collections.abc import Iterator

from ..analysis.figures import QUANTITIES
from ..errors import BudgetError, Diagnostic, Span, SpecError, did_you_mean, shorten
from ..limits import EXAMPLES, BadLimit, Requirement, parse
from .document import Mapping, Node, Scalar, describe, expect_mapping

_KEYS = "its keys are names of scopes, as in fc: {params: ...}, or "
_EXAMPLE = 'as in {params: "<= 26M", fc: {params: "<= 10 %"}}'


def read_budget(node: Node) -> tuple[Requirement, ...]:
    """The limits of a ``budget:``: a text under the name of a quantity, or a mapping of them under a scope.

    Raises:
        BudgetError: a quantity or a unit is not known, a range is impossible, or nothing is limited.
    """
    try:
        mapping = expect_mapping(node, "budget:", help=_EXAMPLE)
        if not mapping.keys:
            raise mapping.error("budget: limits nothing", help=_EXAMPLE)
        found: dict[tuple[str, str], tuple[Requirement, Span]] = {}
        for key, requirement in _entries(mapping):
            same = found.setdefault((requirement.scope, requirement.quantity), (requirement, key.span))
            if same[0] is not requirement:
                raise BudgetError(
                    Diagnostic(
                        f"{requirement.quantity} is limited twice",
                        key.span,
                        also=(("it is limited here first", same[1]),),
                    )
                )
    except BudgetError:
        raise
    except SpecError as problem:
        raise BudgetError(problem.diagnostic) from None
    return tuple(requirement for requirement, _ in found.values())


def _entries(mapping: Mapping) -> Iterator[tuple[Scalar, Requirement]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            if not key.value:
                raise key.error("the name of the scope is empty", help=_EXAMPLE)
            if not value.keys:
                raise key.error(f"the budget of {shorten(key.value)} limits nothing", help=_EXAMPLE)
            for inner, limit in value.items():
                yield inner, _requirement(inner, limit, key.value)
        else:
            yield key, _requirement(key, value, "")


def _requirement(key: Scalar, value: Node, scope: str) -> Requirement:
    name = key.value.replace("-", "_")
    quantity = QUANTITIES.get(name)
    if quantity is None:
        help = did_you_mean(name, QUANTITIES, otherwise=f"{_KEYS}{', '.join(QUANTITIES)}")
        inner, _, last = name.rpartition(".")
        if inner and last in QUANTITIES:
            help = f"a limit on a scope is written {shorten(inner)}: {{{last}: ...}}"
        raise key.error(f"budget: has no key {shorten(key.value)}", help=help)
    if scope and not quantity.scoped:
        raise key.error(
            f"{name} is a quantity of the whole network, and {shorten(scope)} has none of its own"
        )
    if not isinstance(value, Scalar):
        raise value.error(f"the limit of {name} must be a string, not {describe(value)}", help=EXAMPLES)
    try:
        limit = parse(value.value, quantity.kind, share=bool(scope) and quantity.adds_up)
    except BadLimit as problem:
        place = key if value.empty else value
        raise place.error(f"{name}: {problem.message}", help=problem.help) from None
    return Requirement(name, scope, limit, value.span)
