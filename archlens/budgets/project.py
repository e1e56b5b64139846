"""The budgets of a project as a value, and the words that its file and the command line share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from ..analysis.figures import QUANTITIES
from ..errors import Diagnostic, Span, UsageError, did_you_mean, shorten, usage
from ..limits import EXAMPLES, BadLimit, Requirement, parse

#: The keys of ``[tool.archlens]``, and those of its ``budgets`` that are not quantities.
KEYS = ("budgets",)
BUDGET_KEYS = ("files", "tolerance", "defaults", "networks")


class Glob(NamedTuple):
    """A pattern over files, and where it stands."""

    pattern: str
    span: Span | None


class Runs(NamedTuple):
    """What a table gives a torch module or a file of another tool: its input, and values for its params."""

    input: Any
    values: Mapping[str, Any]


class Table(NamedTuple):
    """Limits under the name of a network, a pattern over files or names; or, it may be, of a scope."""

    name: str
    requirements: tuple[Requirement, ...]
    span: Span | None
    #: Whether it stands under ``networks``, and so names no scope.
    certain: bool
    #: What it gives the torch module or the file of another tool that it names.
    runs: Runs | None = None


@dataclass(frozen=True)
class Project:
    """Where a project lies, and the budgets in its ``pyproject.toml``."""

    root: Path
    files: tuple[Glob, ...] = ()
    defaults: tuple[Requirement, ...] = ()
    tables: tuple[Table, ...] = ()
    #: How far locked figures may drift, in percent.
    tolerance: Fraction = Fraction(0)
    #: Where the budgets stand; ``None`` where there are none.
    span: Span | None = None


def limited_twice(one: Requirement, first: Requirement, name: str) -> UsageError:
    """What to say of two limits on the same thing, of which neither counts more."""
    what = f"{one.quantity} of {shorten(one.scope)}" if one.scope else one.quantity
    also = (("it is limited here first", first.span),) if first.span else ()
    return UsageError(Diagnostic(f"{what} is limited twice for {shorten(name)}", one.span, also=also))


def read_tolerance(text: str) -> Fraction:
    """A tolerance in percent: ``1 %``.

    Raises:
        BadLimit: it is none.
    """
    written = text.strip()
    if written in ("0", "0%", "0 %"):
        return Fraction(0)
    if re.fullmatch(r"[0-9]{1,2}(\.[0-9]*)?\s*%|\.[0-9]+\s*%", written):
        return Fraction(written[:-1].strip())
    raise BadLimit(f"'{shorten(written)}' is not a tolerance", "a percentage below 100, as in 1 %")


def option_tolerance(text: str) -> Fraction:
    """The tolerance of the command line, in percent.

    Raises:
        UsageError: it is none.
    """
    try:
        return read_tolerance(text)
    except BadLimit as problem:
        raise usage(f"--tolerance: {problem.message}", help=problem.help) from None


def parse_limits(limits: Iterable[tuple[str, str]], scope: str = "", prefix: str = "") -> list[Requirement]:
    """Limits of the command line or of Python, by the names of their quantities.

    Args:
        limits: names of quantities, each with a text; a name may come twice, and then both hold.
        scope: the scope that they are on; empty for the whole network.
        prefix: what the caller writes before the name of a quantity.

    Raises:
        UsageError: one is no limit, or on nothing that can be limited.
    """
    found = []
    for name, text in limits:
        quantity = QUANTITIES.get(name)
        if quantity is None:
            help = did_you_mean(name, QUANTITIES, otherwise=f"the quantities: {', '.join(QUANTITIES)}")
            raise usage(f"there is no quantity {shorten(name)}", help=help)
        called = f"{prefix}{name.replace('_', '-') if prefix else name}"
        if not isinstance(text, str):
            raise usage(f"{called}: a limit must be a string, not {described(text)}", help=EXAMPLES)
        if scope and not quantity.scoped:
            raise usage(
                f"{called} is a quantity of the whole network, and {shorten(scope)} has none of its own"
            )
        try:
            limit = parse(text, quantity.kind, share=bool(scope) and quantity.adds_up)
        except BadLimit as problem:
            raise usage(f"{called}: {problem.message}", help=problem.help) from None
        found.append(Requirement(name, scope, limit, None))
    return found


def described(value: Any) -> str:
    """What kind of thing a value is, for a message."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"the text {shorten(value)}"
    if isinstance(value, int | float):
        return f"the number {shorten(str(value))}"
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, Mapping) else "a date"
