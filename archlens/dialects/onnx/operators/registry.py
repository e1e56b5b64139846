"""The operators that are known, each a function of one of the files beside this."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ..running import Operator

#: How each operator runs, by its domain and name.
OPERATORS: dict[tuple[str, str], Operator] = {}


_Runs = TypeVar("_Runs", bound=Operator)


def runs(*names: str, domain: str = "") -> Callable[[_Runs], _Runs]:
    """Say how an operator runs."""

    def register(function: _Runs) -> _Runs:
        for name in names:
            OPERATORS[domain, name] = function
        return function

    return register
