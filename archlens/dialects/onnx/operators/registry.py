"""The operators that are known, each a function of one of the files beside this."""

from __future__ import annotations

from collections.abc import Callable

from ..running import Operator

#: How each operator runs, by its domain and name.
OPERATORS: dict[tuple[str, str], Operator] = {}


def runs(*names: str, domain: str = "") -> Callable[[Operator], Operator]:
    """Say how an operator runs."""

    def register(function: Operator) -> Operator:
        for name in names:
            OPERATORS[domain, name] = function
        return function

    return register
